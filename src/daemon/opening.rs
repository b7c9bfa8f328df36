//! The start: the files are read where reading may take its time, and whoever asks meanwhile how
//! things are is told that they are being read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc::{Receiver, UnboundedReceiver};
use tokio::task::spawn_blocking;

use super::clock::Clock;
use super::last_good::LastGood;
use super::loader::Loader;
use super::maintenance;
use super::watch::Watcher;
use super::{
    Error, Input, MonPersona, Options, is_any_rejected, service_manager, startup, surroundings,
    telling,
};
use crate::api::Request;
use crate::config::Scope;
use crate::config::assemble::{Ask, Outcome, Report, Update};
use crate::engine::Engine;
use crate::event::Event;
use crate::model::{Desired, FileView, Memory};

/// What was found, and what is to be answered later.
pub(super) struct Opened {
    pub found: Found,
    /// What happened meanwhile.
    pub early: Vec<Input>,
    /// Requests that only a director can answer; no more than there are places for callers.
    pub waiting: Vec<Request>,
}

/// What there is to begin with.
pub(super) struct Found {
    pub watcher: Watcher,
    pub loader: Loader,
    /// With the configuration in force.
    pub engine: Engine,
    pub desired: Arc<Desired>,
    pub reports: Vec<Report>,
    pub files: Vec<Arc<FileView>>,
    /// What is posted in the maintenance folders.
    pub maintenance: maintenance::First,
}

/// Reads everything for the first time and puts it in force in `engine`, which knows of no
/// service yet; `None` when somebody asked to stop meanwhile.
pub(super) async fn open(
    options: &Options,
    engine: Engine,
    clock: Clock,
    inputs: &mut UnboundedReceiver<Input>,
    requests: &mut Receiver<Request>,
) -> Result<Option<Opened>, Error> {
    // Shown to whoever asks while files are read: it knows of nothing.
    let blank = Engine::new(Memory::default(), [], 0, clock.now());
    let (config, state_dir) = (options.config.clone(), options.state_dir.clone());
    let mon = options.mon.clone();
    let mut reading =
        spawn_blocking(move || read(&config, &state_dir, mon.as_ref(), engine, clock));
    let (mut early, mut waiting) = (Vec::new(), Vec::new());
    loop {
        tokio::select! {
            read = &mut reading => {
                let broke_off = |_| startup("reading the files broke off: this is a bug");
                let found = read.map_err(broke_off)??;
                return Ok(Some(Opened { found, early, waiting }));
            }
            Some(input) = inputs.recv() => match input {
                Input::Terminate(_) => return Ok(None),
                other => early.push(other),
            },
            Some(request) = requests.recv() => match request {
                Request::Status(reply) => {
                    let around = surroundings(options.table);
                    let _ = reply.send(blank.snapshot(around, clock.now()));
                }
                Request::Vitals(reply) => {
                    let patience = service_manager::patience();
                    let _ = reply.send(blank.vitals(std::process::id(), patience, clock.now()));
                }
                // The table is as it was: whether to keep it is no question.
                Request::Stop { reply, .. } => {
                    let _ = reply.send(());
                    return Ok(None);
                }
                other => {
                    // Nobody waits for an answer to those given up meanwhile.
                    waiting.retain(|request: &Request| !request.is_given_up());
                    waiting.push(other);
                }
            },
        }
    }
}

fn read(
    config: &[PathBuf],
    state_dir: &Path,
    mon: Option<&MonPersona>,
    mut engine: Engine,
    clock: Clock,
) -> Result<Found, Error> {
    // Before the files are read, so that no change falls between the two.
    let watcher = Watcher::new(config);
    let mut loader = Loader::new(config, last_good(state_dir), mon);
    let (update, files) = loader.load(&Scope::Everything, Ask::default());
    let Update { outcome: Outcome::Applied { desired, .. }, reports, .. } = update else {
        return Err(Error::Config("the first configuration was held back".into()));
    };
    engine.spare_unclaimed(is_any_rejected(&files));
    // Before the servers are there: one in maintenance is never used.
    let maintenance =
        maintenance::first_look(maintenance::wanted(&desired), maintenance::FIRST_LOOK);
    engine.handle_maintenance(Arc::new(maintenance.notices.clone()), clock.now());
    engine.handle_config(desired.clone(), clock.now());
    Ok(Found { watcher, loader, engine, desired, reports, files, maintenance })
}

/// The copies an earlier run kept.
pub(super) fn last_good(state_dir: &Path) -> LastGood {
    let kept = LastGood::load(state_dir);
    if let Some(what) = kept.warning {
        telling::tell(&Event::Trouble { what });
    }
    kept.value
}

#[cfg(test)]
mod tests {
    use tokio::sync::{mpsc, oneshot};

    use super::*;
    use crate::daemon::{SYSLOG, TableChoice};
    use crate::model::Phase;

    #[tokio::test]
    async fn whoever_asks_while_files_are_read_is_answered_and_a_stop_is_heard() {
        let folder = tempfile::tempdir().unwrap();
        for n in 0..2000 {
            let text = format!("virtual: 192.0.2.10:{n}\npersistent: 60s\nreal: [10.0.0.7:80]\n");
            std::fs::write(folder.path().join(format!("{n}.yaml")), text).unwrap();
        }
        let options = Options {
            config: vec![folder.path().to_owned()],
            table: TableChoice::Memory,
            runtime_dir: folder.path().join("run"),
            state_dir: folder.path().join("state"),
            pid_file: None,
            role: None,
            persona: None,
            mon: None,
            syslog: SYSLOG.into(),
        };
        let clock = Clock::start();
        let engine = Engine::new(Memory::default(), [], 1, clock.now());
        let (_inputs, mut from_inputs) = mpsc::unbounded_channel();
        let (requests, mut from_requests) = mpsc::channel(4);
        let (status, told) = oneshot::channel();
        let (stop, stopped) = oneshot::channel();
        requests.send(Request::Status(status)).await.unwrap();
        requests.send(Request::Stop { keep: false, reply: stop }).await.unwrap();
        let opened = open(&options, engine, clock, &mut from_inputs, &mut from_requests).await;
        assert!(opened.is_ok_and(|opened| opened.is_none()));
        assert_eq!(told.await.unwrap().phase, Phase::Starting);
        stopped.await.unwrap();
    }
}
