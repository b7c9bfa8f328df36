//! The thread that writes the state files.
//!
//! Of several complete notes of one kind that wait, only the last is written: a storm of changes
//! costs no more than the disk takes.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use super::Input;
use super::disk::DiskError;
use super::state::StateFiles;
use crate::engine::{self, Ledger};
use crate::event::Event;
use crate::model::{CommandReport, Role, RoleReport, VipKey};

/// Something to note. `done` is dropped once it is on disk, or given up.
#[derive(Debug)]
pub enum Note {
    Services {
        ledger: Ledger,
        done: Sender<()>,
    },
    /// In place of those noted before.
    Vips {
        vips: Vec<VipKey>,
        done: Sender<()>,
    },
    Health {
        note: engine::Note,
        done: Sender<()>,
    },
    Role {
        role: Role,
        done: Sender<()>,
    },
    /// An answer that is not to be given before all that was noted until now is on disk.
    Answer(Answer),
}

/// What an operator is answered with, and the way to the operator.
#[derive(Debug)]
pub enum Answer {
    Command(oneshot::Sender<CommandAnswer>, CommandAnswer),
    Role(oneshot::Sender<RoleReport>, RoleReport),
}

pub type CommandAnswer = Result<CommandReport, String>;

impl Answer {
    /// Whoever gave up waiting is not told.
    pub fn give(self) {
        match self {
            Answer::Command(reply, answer) => drop(reply.send(answer)),
            Answer::Role(reply, report) => drop(reply.send(report)),
        }
    }
}

/// Starts the thread. It ends, with everything written, when the returned sender is dropped; the
/// handle tells when.
pub fn start(
    files: StateFiles,
    inputs: UnboundedSender<Input>,
) -> (Sender<Note>, Option<thread::JoinHandle<()>>) {
    let (notes, queue) = mpsc::channel();
    let work = move || {
        let mut scribe = Scribe { files, sound: true };
        let mut trouble = false;
        while let Ok(first) = queue.recv() {
            let error = scribe.write(first, &queue).err();
            if let Some(what) = &error {
                // Told once, not at every note of a full disk.
                if !trouble {
                    let _ = inputs.send(Input::Told(Event::Trouble { what: what.clone() }));
                }
                let _ = inputs.send(Input::NotesLost);
            }
            trouble = error.is_some();
        }
    };
    let handle = thread::Builder::new().name("scribe".into()).spawn(work);
    (notes, handle.map_err(|error| tracing::error!(%error, "no scribe thread")).ok())
}

/// Waits until the thread, whose sender was dropped, has written everything, but no longer than
/// this; whether it has. A disk that hangs keeps its thread, and must not keep the director.
pub async fn settled(scribe: Option<thread::JoinHandle<()>>, limit: Duration) -> bool {
    let Some(scribe) = scribe else { return true };
    let ended = tokio::task::spawn_blocking(move || scribe.join());
    tokio::time::timeout(limit, ended).await.is_ok()
}

struct Scribe {
    files: StateFiles,
    /// Whether the health on disk is what was noted so far. When it is not, no change goes on
    /// top of it until it is written anew.
    sound: bool,
}

impl Scribe {
    /// Writes this note and all that wait behind it, the last of each kind.
    fn write(&mut self, first: Note, queue: &Receiver<Note>) -> Result<(), String> {
        let (mut ledgers, mut health) = (Vec::new(), Vec::new());
        let (mut role, mut vips) = (None, None);
        let (mut done, mut answers) = (Vec::new(), Vec::new());
        for note in std::iter::once(first).chain(queue.try_iter()) {
            match note {
                Note::Services { ledger, done: told } => {
                    if let Ledger::All(_) = ledger {
                        ledgers.clear();
                    }
                    ledgers.push(ledger);
                    done.push(told);
                }
                Note::Health { note, done: told } => {
                    if let engine::Note::All(_) = note {
                        health.clear();
                    }
                    health.push(note);
                    done.push(told);
                }
                Note::Role { role: last, done: told } => {
                    role = Some(last);
                    done.push(told);
                }
                Note::Vips { vips: all, done: told } => {
                    vips = Some(all);
                    done.push(told);
                }
                Note::Answer(answer) => answers.push(answer),
            }
        }
        // Each for itself: what keeps one file from being written need not keep the other.
        let services = ledgers.into_iter().try_for_each(|ledger| self.write_ledger(&ledger));
        let health = health.into_iter().try_for_each(|note| self.write_health(note));
        let role = role.map_or(Ok(()), |role| self.files.save_role(role));
        let vips = vips.map_or(Ok(()), |vips| self.files.save_vips(&vips));
        answers.into_iter().for_each(Answer::give);
        services.and(health).and(role).and(vips).map_err(|error| error.to_string())
    }

    fn write_ledger(&self, ledger: &Ledger) -> Result<(), DiskError> {
        match ledger {
            Ledger::All(services) => self.files.save_services(services),
            // What cannot be added is asked for as a whole: see `Input::NotesLost`.
            Ledger::Added(services) => self.files.append_services(services),
        }
    }

    fn write_health(&mut self, note: engine::Note) -> Result<(), DiskError> {
        let written = match note {
            engine::Note::All(memory) => self.files.save_health(&memory),
            engine::Note::Changed(_) if !self.sound => return Ok(()),
            engine::Note::Changed(checks) => self.files.append_health(&checks),
        };
        self.sound = written.is_ok();
        written
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::model::{Memory, Remembered, Verdict};

    #[test]
    fn change_that_could_not_be_noted_is_asked_for_again_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let files = StateFiles::new(folder.path());
        let (_notes, queue) = mpsc::channel();
        let done = || mpsc::channel().0;
        let mut scribe = Scribe { files: files.clone(), sound: true };
        let mut write = |note| scribe.write(Note::Health { note, done: done() }, &queue).is_ok();
        let up = Remembered {
            verdict: Verdict::Up,
            since_unix_ms: 1,
            passes: 1,
            failures: 0,
            reason: None,
        };
        assert!(write(engine::Note::All(Memory::default())));
        let journal = folder.path().join("health.journal");
        let kept = fs::read(&journal).unwrap();
        fs::remove_file(&journal).unwrap();
        assert!(!write(engine::Note::Changed(vec![(1, up.clone())])), "the change is lost");
        // A later one on top of what lacks the first would tell half a story.
        fs::write(&journal, kept).unwrap();
        assert!(write(engine::Note::Changed(vec![(2, up.clone())])));
        assert!(files.load_health().value.checks.is_empty());
        let checks = [(1, up.clone()), (2, up.clone())].into();
        assert!(write(engine::Note::All(Memory { checks, ..Memory::default() })));
        assert!(write(engine::Note::Changed(vec![(3, up)])));
        assert_eq!(files.load_health().value.checks.len(), 3);
    }

    #[test]
    fn the_last_role_is_noted_before_it_is_answered() {
        let folder = tempfile::tempdir().unwrap();
        let files = StateFiles::new(folder.path());
        let (notes, scribe) = start(files.clone(), tokio::sync::mpsc::unbounded_channel().0);
        for role in [Role::Standby, Role::Active, Role::Standby] {
            notes.send(Note::Role { role, done: mpsc::channel().0 }).unwrap();
        }
        let (reply, answered) = oneshot::channel();
        notes.send(Note::Answer(Answer::Role(reply, RoleReport::default()))).unwrap();
        answered.blocking_recv().unwrap();
        assert_eq!(files.load_role().value, Some(Role::Standby));
        drop(notes);
        scribe.unwrap().join().unwrap();
    }

    #[test]
    fn answer_waits_for_the_notes_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let files = StateFiles::new(folder.path());
        let (notes, scribe) = start(files.clone(), tokio::sync::mpsc::unbounded_channel().0);
        let note = engine::Note::All(Memory { written_unix_ms: 7, ..Memory::default() });
        notes.send(Note::Health { note, done: mpsc::channel().0 }).unwrap();
        let (reply, answered) = oneshot::channel();
        notes.send(Note::Answer(Answer::Command(reply, Err("no".into())))).unwrap();
        assert_eq!(answered.blocking_recv().unwrap(), Err("no".into()));
        assert_eq!(files.load_health().value.written_unix_ms, 7);
        drop(notes);
        scribe.unwrap().join().unwrap();
    }

    #[tokio::test]
    async fn a_disk_that_hangs_does_not_hold_up_a_stop() {
        let (release, held) = mpsc::channel::<()>();
        let hung = thread::spawn(move || {
            let _ = held.recv();
        });
        assert!(!settled(Some(hung), Duration::from_millis(10)).await);
        drop(release);
        assert!(settled(Some(thread::spawn(|| {})), Duration::from_secs(60)).await);
    }

    #[test]
    fn ledger_that_cannot_be_written_does_not_keep_health_from_being_noted() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("services")).unwrap();
        let files = StateFiles::new(folder.path());
        let (notes, queue) = mpsc::channel();
        let note = engine::Note::All(Memory { written_unix_ms: 7, ..Memory::default() });
        notes.send(Note::Health { note, done: mpsc::channel().0 }).unwrap();
        let ledger = Note::Services { ledger: Ledger::All(vec![]), done: mpsc::channel().0 };
        let mut scribe = Scribe { files: files.clone(), sound: true };
        assert!(scribe.write(ledger, &queue).is_err());
        assert_eq!(files.load_health().value.written_unix_ms, 7);
    }
}
