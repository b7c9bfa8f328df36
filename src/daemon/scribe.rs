//! The thread that writes the state files.
//!
//! Of several complete notes of one kind that wait, only the last is written: a storm of changes
//! costs no more than the disk takes.

use std::collections::BTreeSet;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use tokio::sync::mpsc::UnboundedSender;

use super::Input;
use super::state::StateFiles;
use crate::engine;
use crate::event::Event;
use crate::model::ServiceKey;

/// Something to note. `done` is dropped once it is on disk, or given up.
#[derive(Debug)]
pub enum Note {
    Services { services: Vec<ServiceKey>, done: Sender<()> },
    Health { note: engine::Note, done: Sender<()> },
}

/// Starts the thread. It ends, with everything written, when the returned sender is dropped; the
/// handle tells when.
pub fn start(
    files: StateFiles,
    inputs: UnboundedSender<Input>,
) -> (Sender<Note>, Option<thread::JoinHandle<()>>) {
    let (notes, queue) = mpsc::channel();
    let work = move || {
        let mut trouble = false;
        while let Ok(first) = queue.recv() {
            let error = write(&files, first, &queue).err();
            // Told once, not at every note of a full disk.
            if let Some(error) = &error
                && !trouble
            {
                let what = error.clone();
                let _ = inputs.send(Input::Told(Event::Trouble { what }));
            }
            trouble = error.is_some();
        }
    };
    let handle = thread::Builder::new().name("scribe".into()).spawn(work);
    (notes, handle.map_err(|error| tracing::error!(%error, "no scribe thread")).ok())
}

/// Writes this note and all that wait behind it, the last of each kind.
fn write(files: &StateFiles, first: Note, queue: &Receiver<Note>) -> Result<(), String> {
    let (mut services, mut health, mut done) = (None, Vec::new(), Vec::new());
    for note in std::iter::once(first).chain(queue.try_iter()) {
        match note {
            Note::Services { services: newest, done: told } => {
                services = Some(newest);
                done.push(told);
            }
            Note::Health { note, done: told } => {
                if let engine::Note::All(_) = note {
                    health.clear();
                }
                health.push(note);
                done.push(told);
            }
        }
    }
    if let Some(services) = services {
        let services: BTreeSet<_> = services.into_iter().collect();
        files.save_services(&services).map_err(|error| error.to_string())?;
    }
    for note in health {
        let written = match note {
            engine::Note::All(memory) => files.save_health(&memory),
            engine::Note::Changed(checks) => files.append_health(&checks),
        };
        written.map_err(|error| error.to_string())?;
    }
    Ok(())
}
