//! mon's own files of state, `disabled` and `opstatus`: for mon's clients, and for those who come
//! from mon or go back to it.
//!
//! Written and read one after another, in the order in which that was asked for: of two at once
//! each would write into what the other puts in place.

use std::io;
use std::path::{Path, PathBuf};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Sender, UnboundedSender, channel};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use super::News;
use crate::config::source::read_bytes;
use crate::daemon::{Input, disk};
use crate::mon::protocol::Saved;

/// What may wait for the disk.
const WAITING: usize = 64;
/// The longest file that is read, in bytes: some 100,000 services.
const LONGEST: u64 = 256 << 20;

/// How a client's request ended.
pub type Reply = oneshot::Sender<Result<(), Vec<String>>>;

/// What was read, as text; what was not wanted is not there.
#[derive(Debug, Default)]
pub struct Remembered {
    pub disabled: Option<String>,
    pub status: Option<String>,
}

/// The way to the disk.
pub struct Texts {
    jobs: Sender<Job>,
    inputs: UnboundedSender<Input>,
}

enum Job {
    Write { folder: PathBuf, texts: Vec<(&'static str, String)>, reply: Option<Reply> },
    Read { folder: PathBuf, what: Saved, reply: Reply },
}

impl Texts {
    /// To be called within a Tokio runtime. What is read comes back by `inputs`.
    pub fn new(inputs: UnboundedSender<Input>) -> Texts {
        let (jobs, mut queue) = channel::<Job>(WAITING);
        let back = inputs.clone();
        tokio::spawn(async move {
            while let Some(job) = queue.recv().await {
                let back = back.clone();
                let _ = spawn_blocking(move || job.run(&back)).await;
            }
        });
        Texts { jobs, inputs }
    }

    /// Puts files into the folder. Where nobody waits for a reply, the log hears what fails.
    pub fn write(&self, folder: PathBuf, texts: Vec<(&'static str, String)>, reply: Option<Reply>) {
        self.queue(Job::Write { folder, texts, reply });
    }

    /// Reads the files; the reply is for whoever takes them up.
    pub fn read(&self, folder: PathBuf, what: Saved, reply: Reply) {
        self.queue(Job::Read { folder, what, reply });
    }

    fn queue(&self, job: Job) {
        let Err(TrySendError::Full(job) | TrySendError::Closed(job)) = self.jobs.try_send(job)
        else {
            return;
        };
        job.end(&self.inputs, Err(vec!["the disk hangs".to_owned()]));
    }
}

impl Job {
    fn run(self, inputs: &UnboundedSender<Input>) {
        let outcome = match &self {
            Job::Write { folder, texts, .. } => {
                write(folder, texts).map(|()| Remembered::default())
            }
            Job::Read { folder, what, .. } => read(folder, *what),
        };
        self.end(inputs, outcome);
    }

    fn end(self, inputs: &UnboundedSender<Input>, outcome: Result<Remembered, Vec<String>>) {
        match self {
            Job::Write { reply: Some(reply), .. } => drop(reply.send(outcome.map(drop))),
            Job::Write { reply: None, .. } => {
                let told = outcome.err().unwrap_or_default();
                told.iter().for_each(|error| tracing::warn!("mon's state: {error}"));
            }
            Job::Read { reply, .. } => {
                let _ = inputs.send(Input::Watched(News::Read(outcome, reply)));
            }
        }
    }
}

fn write(folder: &Path, texts: &[(&str, String)]) -> Result<(), Vec<String>> {
    let write =
        |(name, text): &(&str, String)| disk::replace(&folder.join(name), text.as_bytes(), false);
    let failed = texts.iter().filter_map(|text| Some(write(text).err()?.to_string()));
    let failed: Vec<String> = failed.collect();
    if failed.is_empty() { Ok(()) } else { Err(failed) }
}

fn read(folder: &Path, what: Saved) -> Result<Remembered, Vec<String>> {
    let read = |wanted: bool, name: &str| {
        let path = folder.join(name);
        let text = wanted.then(|| text(&path)).transpose();
        text.map_err(|error| vec![format!("{}: {error}", path.display())])
    };
    Ok(Remembered {
        disabled: read(what.disabled, "disabled")?,
        status: read(what.status, "opstatus")?,
    })
}

/// What mon left there; what cannot be read is told of, unless it is not there.
pub fn heritage(folder: &Path, what: Saved) -> Remembered {
    let read = |wanted: bool, name: &str| {
        let path = folder.join(name);
        let complain = |error: &io::Error| {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!("{}: {error}: it is not taken up", path.display());
            }
        };
        wanted.then(|| text(&path).inspect_err(complain).ok()).flatten()
    };
    Remembered { disabled: read(what.disabled, "disabled"), status: read(what.status, "opstatus") }
}

fn text(path: &Path) -> io::Result<String> {
    read_bytes(path, LONGEST).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    #[tokio::test]
    async fn what_is_saved_at_once_is_whole_and_the_last_one_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (inputs, _from_inputs) = unbounded_channel();
        let texts = Texts::new(inputs);
        let text = |number: usize| format!("{number}\n").repeat(100_000 - 1000 * number);
        let ask = |number| {
            let (reply, answer) = oneshot::channel();
            let file = vec![("opstatus", text(number))];
            texts.write(folder.path().to_owned(), file, Some(reply));
            answer
        };
        let answers: Vec<_> = (0..20).map(ask).collect();
        for answer in answers {
            assert_eq!(answer.await.unwrap(), Ok(()));
        }
        let written = std::fs::read_to_string(folder.path().join("opstatus")).unwrap();
        assert!(written == text(19), "{} bytes", written.len());
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_is_a_mistake_for_who_asks_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let (inputs, mut from_inputs) = unbounded_channel();
        let texts = Texts::new(inputs);
        let (reply, _answer) = oneshot::channel();
        let what = Saved { disabled: true, status: false };
        texts.read(folder.path().to_owned(), what, reply);
        let Some(Input::Watched(News::Read(Err(why), _))) = from_inputs.recv().await else {
            panic!("read")
        };
        assert!(why[0].contains("disabled"), "{why:?}");
        assert!(heritage(folder.path(), what).disabled.is_none());
    }
}
