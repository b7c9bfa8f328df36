//! The thread that reads the configuration.
//!
//! Reading files, looking up names and parsing may take long; the loop goes on meanwhile.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread;

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use super::Input;
use super::last_good::LastGood;
use crate::config::Scope;
use crate::config::assemble::{Ask, Outcome, Store, Update};
use crate::config::source::{Reader, SystemNames};
use crate::event::Event;
use crate::model::{Desired, FileView, PlanView, ReloadReport};

/// What the thread is asked to do.
#[derive(Debug)]
pub enum Job {
    /// Read what is in `scope` again and put it in force.
    Load { scope: Scope, ask: Ask, reply: Option<oneshot::Sender<ReloadReport>> },
    /// Read everything again and put nothing in force.
    Preview { reply: oneshot::Sender<Result<PlanView, String>> },
}

/// What came of a [`Job::Load`].
#[derive(Debug)]
pub struct Loaded {
    pub update: Update,
    pub files: Vec<FileView>,
    /// Whether somebody asked for all of it: then what was done by hand in the table is over.
    pub afresh: bool,
    pub reply: Option<oneshot::Sender<ReloadReport>>,
}

/// The files, what is in force of them, and the copies kept of that.
#[derive(Debug)]
pub struct Loader {
    reader: Reader,
    store: Store,
    last_good: LastGood,
}

impl Loader {
    /// A loader of these paths that falls back on the copies in `last_good`.
    pub fn new(paths: &[PathBuf], last_good: LastGood) -> Loader {
        let store = Store::new(last_good.history());
        Loader { reader: Reader::new(paths), store, last_good }
    }

    /// Reads what is in `scope` and puts it in force.
    pub fn load(&mut self, scope: &Scope, ask: Ask) -> (Update, Vec<FileView>) {
        self.reader.refresh(scope);
        let update = self.store.update(&self.reader.reading(), &SystemNames::new(), ask);
        (update, self.store.files())
    }

    /// What a load would put in force now.
    fn preview(&mut self) -> Result<Arc<Desired>, String> {
        self.reader.refresh(&Scope::Everything);
        // As if confirmed: what a held reload would do is what its operator wants to see.
        let ask = Ask { confirm: true, resolve: true };
        let update = self.store.clone().update(&self.reader.reading(), &SystemNames::new(), ask);
        match update.outcome {
            Outcome::Applied { desired, .. } => Ok(desired),
            Outcome::Held(held) => Err(held.to_string()),
        }
    }

    /// Keeps copies of what is in force, for a start that finds a file broken.
    pub fn keep(&mut self) -> Result<(), String> {
        self.last_good.keep(&self.store.texts()).map_err(|error| error.to_string())
    }
}

/// Starts the thread. It ends when the returned sender is dropped.
pub fn start(mut loader: Loader, inputs: UnboundedSender<Input>) -> Sender<Job> {
    let (jobs, queue) = mpsc::channel();
    let work = move || {
        for job in queue {
            match job {
                Job::Load { scope, ask, reply } => {
                    let (update, files) = loader.load(&scope, ask);
                    let applied = matches!(update.outcome, Outcome::Applied { .. });
                    // A watcher that has lost track asks for everything as well, but no name.
                    let afresh = ask.resolve && scope == Scope::Everything;
                    let loaded = Loaded { update, files, afresh, reply };
                    let _ = inputs.send(Input::Loaded(Box::new(loaded)));
                    // The kernel comes first, the copies after.
                    if let Some(what) = applied.then(|| loader.keep().err()).flatten() {
                        let _ = inputs.send(Input::Told(Event::Trouble { what }));
                    }
                }
                Job::Preview { reply } => {
                    let _ = inputs.send(Input::Preview(loader.preview(), reply));
                }
            }
        }
    };
    if let Err(error) = thread::Builder::new().name("loader".into()).spawn(work) {
        tracing::error!(%error, "the loader thread cannot be started");
    }
    jobs
}
