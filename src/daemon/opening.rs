//! The start: the files are read where reading may take its time, and whoever asks meanwhile how
//! things are is told that they are being read.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::mpsc::Receiver;
use tokio::task::spawn_blocking;

use super::clock::Clock;
use super::last_good::LastGood;
use super::loader::Loader;
use super::watch::Watcher;
use super::{Error, Options, startup, telling};
use crate::api::Request;
use crate::config::Scope;
use crate::config::assemble::{Ask, Update};
use crate::engine::{Engine, Surroundings};
use crate::event::Event;
use crate::model::FileView;

/// What was found, and what is to be answered later.
pub(super) struct Opened {
    pub watcher: Watcher,
    pub loader: Loader,
    pub update: Update,
    pub files: Vec<Arc<FileView>>,
    /// Requests that only a director can answer; no more than there are places for callers.
    pub waiting: Vec<Request>,
}

/// Reads everything for the first time. `engine` knows of no service yet.
pub(super) async fn open(
    options: &Options,
    engine: &Engine,
    clock: &Clock,
    requests: &mut Receiver<Request>,
) -> Result<Opened, Error> {
    let (config, state_dir) = (options.config.clone(), options.state_dir.clone());
    let mut reading = spawn_blocking(move || {
        // Before the files are read, so that no change falls between the two.
        let watcher = Watcher::new(&config);
        let mut loader = Loader::new(&config, last_good(&state_dir));
        let (update, files) = loader.load(&Scope::Everything, Ask::default());
        Opened { watcher, loader, update, files, waiting: Vec::new() }
    });
    let mut waiting = Vec::new();
    loop {
        tokio::select! {
            read = &mut reading => {
                let read = read.map_err(|_| startup("reading the files broke off: this is a bug"))?;
                return Ok(Opened { waiting, ..read });
            }
            Some(request) = requests.recv() => match request {
                Request::Status(reply) => {
                    let around = Surroundings {
                        pid: std::process::id(),
                        table: options.table.name(),
                        files: Vec::new(),
                        held_reload: None,
                        wall: SystemTime::now(),
                    };
                    let _ = reply.send(engine.snapshot(around, clock.now()));
                }
                other => waiting.push(other),
            },
        }
    }
}

/// The copies an earlier run kept.
pub(super) fn last_good(state_dir: &Path) -> LastGood {
    let kept = LastGood::load(state_dir);
    if let Some(what) = kept.warning {
        telling::tell(&Event::Trouble { what });
    }
    kept.value
}
