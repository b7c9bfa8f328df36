//! What a restart must know of what is watched: who is told of a failure that lasts, who took
//! note, what is disabled.
//!
//! Written whole, soon after it matters and not more often than it costs; mon writes it when
//! somebody asks.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use super::News;
use crate::config::source::read_bytes;
use crate::daemon::{Input, disk};
use crate::model::{WatchRefusal, raw};
use crate::watch::Saved;

/// Changes that come together are written together.
const SOON: Duration = Duration::from_millis(50);
/// Of the time, at the least so many times what the last writing took passes between two.
const SPACING: u32 = 20;
/// The longest file that is read, in bytes: some 100,000 services.
const LONGEST: u64 = 256 << 20;
/// Bytes of a history of alerts that are read: some 10,000 of them.
const HISTORY: u64 = 1 << 20;

/// When and where.
pub struct Notes {
    path: PathBuf,
    due: Option<Instant>,
    writing: Option<Writing>,
    /// Not before this.
    not_before: Option<Instant>,
    /// So that it is told once.
    failed: bool,
    /// Who is answered once what there is now has been written.
    promised: Vec<Promise>,
}

/// The way back to whoever ordered something that is done.
pub type Promise = oneshot::Sender<Result<(), WatchRefusal>>;

struct Writing {
    since: Instant,
    writer: JoinHandle<()>,
    promised: Vec<Promise>,
}

impl Notes {
    pub fn new(path: PathBuf) -> Notes {
        Notes {
            path,
            due: None,
            writing: None,
            not_before: None,
            failed: false,
            promised: Vec::new(),
        }
    }

    /// Whether there was no earlier run.
    pub fn is_first(&self) -> bool {
        matches!(self.path.try_exists(), Ok(false))
    }

    /// What an earlier run left; nothing where there was none, or it cannot be read: that is
    /// told.
    pub fn load(&self) -> Option<Saved> {
        let bytes = match read_bytes(&self.path, LONGEST) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!("read {}: {error}: nothing is remembered", self.path.display());
                return None;
            }
        };
        let saved = serde_json::from_slice(&bytes);
        let complain = |error: &serde_json::Error| {
            tracing::warn!("{}: {error}: nothing is remembered", self.path.display());
        };
        saved.inspect_err(complain).ok()
    }

    /// Something has changed that matters.
    pub fn mark(&mut self, now: Instant) {
        let at = self.not_before.map_or(now + SOON, |not_before| not_before.max(now + SOON));
        self.due.get_or_insert(at);
    }

    /// Something was done for somebody who relies on it from his answer on: he has it when it has
    /// been written. That is tried at once, and a disk that does not take it is told of in the log.
    pub fn promise(&mut self, reply: Promise, now: Instant) {
        self.promised.push(reply);
        self.due = Some(self.due.map_or(now, |due| due.min(now)));
    }

    /// When to write.
    pub fn due(&self) -> Option<Instant> {
        self.due.filter(|_| self.writing.is_none())
    }

    /// Writes, where it is time.
    pub fn begin(
        &mut self,
        now: Instant,
        state: impl FnOnce() -> Saved,
        inputs: &UnboundedSender<Input>,
    ) {
        if self.due().is_none_or(|due| due > now) {
            return;
        }
        self.due = None;
        let (path, state, inputs) = (self.path.clone(), state(), inputs.clone());
        let writer = spawn_blocking(move || {
            let written = write(&path, &state);
            let _ = inputs.send(Input::Watched(News::Saved(written)));
        });
        let promised = std::mem::take(&mut self.promised);
        self.writing = Some(Writing { since: now, writer, promised });
    }

    pub fn saved(&mut self, outcome: Result<(), String>, now: Instant) {
        if let Some(Writing { since, promised, .. }) = self.writing.take() {
            self.not_before = Some(now + (now - since) * SPACING);
            promised.into_iter().for_each(|reply| drop(reply.send(Ok(()))));
        }
        if let Err(error) = &outcome {
            if !self.failed {
                tracing::error!("{error}: a restart will not know what is watched and disabled");
            }
            self.due.get_or_insert(now + Duration::from_secs(10));
        }
        self.failed = outcome.is_err();
    }

    /// The last word, before the end. A disk that hangs is waited for no longer than this.
    pub async fn finish(&mut self, state: Saved, limit: Duration) {
        let (before, path) = (self.writing.take(), self.path.clone());
        let last = async {
            // Of two at once each would write into what the other puts in place.
            if let Some(before) = before {
                let _ = before.writer.await;
            }
            spawn_blocking(move || write(&path, &state)).await
        };
        match timeout(limit, last).await {
            Ok(Ok(Err(error))) => tracing::error!("{error}"),
            Err(_) => tracing::warn!("the disk hangs: what is watched was not noted to its end"),
            Ok(_) => {}
        }
    }
}

fn write(path: &Path, state: &Saved) -> Result<(), String> {
    let text = serde_json::to_vec(state).map_err(|error| error.to_string())?;
    disk::replace(path, &text, false).map_err(|error| error.to_string())
}

/// Reads the end of a file with the history of alerts. Nothing comes of one that is not there.
pub fn recall(path: PathBuf, inputs: UnboundedSender<Input>) {
    spawn_blocking(move || match read_end(&path, HISTORY) {
        Ok(text) => drop(inputs.send(Input::Watched(News::Recalled(text)))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!("read {}: {error}", path.display()),
    });
}

fn read_end(path: &Path, most: u64) -> io::Result<String> {
    // Asked before opening: a writer that waits at a FIFO would wake up.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut file = File::open(path)?;
    let from = file.metadata()?.len().saturating_sub(most);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    let text = raw::text_of(&bytes);
    // The first line of an end may have no beginning.
    let whole = if from == 0 { &text } else { text.split_once('\n').map_or("", |(_, rest)| rest) };
    Ok(whole.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_history_whole_lines_at_its_end_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history");
        fs::write(&path, "first\nsecond\nthird\n").unwrap();
        assert_eq!(read_end(&path, 100).unwrap(), "first\nsecond\nthird\n");
        assert_eq!(read_end(&path, 10).unwrap(), "third\n");
        assert_eq!(read_end(&path, 3).unwrap(), "");
        assert!(read_end(folder.path(), 100).is_err());
    }
}
