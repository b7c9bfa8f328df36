//! Lines for log files, monitor files, syslog and standard output.
//!
//! A file is opened for each batch of lines and closed again, so that one that was moved away is
//! not followed, and whoever rotates it need not tell us. A place that takes nothing costs the
//! lines meant for it and nothing else; that is told once, until it takes them again.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, SystemTime};

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use nix::fcntl::OFlag;

use super::Report;
use super::syslog::{self, LONGEST};
use crate::alert::Sink;
use crate::event::Event;
use crate::model::{LogPlace, raw};

/// Lines that may wait to be written; further ones are dropped and counted.
const ROOM: usize = 16_384;

/// Lines written at once.
const BATCH: usize = 1024;

/// The severity of every line, as syslog numbers it.
const INFO: u8 = 6;

/// A thread that writes lines; it ends with this.
pub struct Lines {
    queue: SyncSender<Line>,
    dropped: Arc<AtomicU64>,
    /// Closed when the thread ends.
    ended: Receiver<()>,
}

struct Line {
    at: SystemTime,
    sink: Sink,
    text: String,
}

impl Lines {
    pub fn start(name: &str, syslog: PathBuf, report: Report) -> Lines {
        let (queue, lines) = sync_channel(ROOM);
        let (end, ended) = sync_channel(0);
        let dropped = Arc::new(AtomicU64::new(0));
        let writer = Writer {
            syslog,
            report,
            dropped: dropped.clone(),
            deaf: BTreeSet::new(),
            zone: TimeZone::system(),
        };
        let work = move || {
            let _end = end;
            writer.work(&lines);
        };
        if let Err(error) = thread::Builder::new().name(name.to_owned()).spawn(work) {
            tracing::error!(%error, "the thread for {name} cannot be started");
        }
        Lines { queue, dropped, ended }
    }

    pub fn write(&self, sink: Sink, text: String) {
        let line = Line { at: SystemTime::now(), sink, text };
        match self.queue.try_send(line) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Waits until what is there is written, but no longer than this.
    pub fn end(self, limit: Duration) {
        drop(self.queue);
        let _ = self.ended.recv_timeout(limit);
    }
}

struct Writer {
    syslog: PathBuf,
    report: Report,
    dropped: Arc<AtomicU64>,
    /// Places that took nothing when last asked.
    deaf: BTreeSet<Sink>,
    zone: TimeZone,
}

impl Writer {
    fn work(mut self, lines: &Receiver<Line>) {
        while let Ok(first) = lines.recv() {
            let mut batch = vec![first];
            batch.extend(lines.try_iter().take(BATCH - 1));
            for lines in batch.chunk_by(|a, b| a.sink == b.sink) {
                let sink = &lines[0].sink;
                match self.write(sink, lines) {
                    Ok(()) => drop(self.deaf.remove(sink)),
                    Err(error) => self.complain(sink, &error),
                }
            }
            let dropped = self.dropped.swap(0, Ordering::Relaxed);
            if dropped > 0 {
                let what = format!("{dropped} lines for log or monitor files were lost");
                (self.report)(Event::Trouble { what });
            }
        }
    }

    fn write(&self, sink: &Sink, lines: &[Line]) -> io::Result<()> {
        match sink {
            Sink::Output => io::stdout().write_all(self.text(lines).as_bytes()),
            Sink::Monitor(file) | Sink::Bare(file) | Sink::Log(LogPlace::File(file), _) => {
                append(file, &raw::bytes_of(&self.text(lines)))
            }
            Sink::Log(LogPlace::Syslog(facility), _) => {
                let socket = syslog::connect(&self.syslog)?;
                for Line { at, text, .. } in lines {
                    let head = syslog::head(*facility, INFO, &self.zoned(*at), "ldirectord");
                    socket.send(format!("{head}{}", shortened(text)).as_bytes())?;
                }
                Ok(())
            }
        }
    }

    /// The lines, each with what stands before it at this place.
    fn text(&self, lines: &[Line]) -> String {
        let pid = std::process::id();
        let mut all = String::new();
        for Line { at, sink, text } in lines {
            let time = self.zoned(*at);
            let time = time.strftime("%a %b %e %H:%M:%S %Y");
            all.push_str(&match sink {
                Sink::Log(_, instance) => format!("[{time}|{instance}|{pid}] "),
                Sink::Monitor(_) => format!("[{time}] [{pid}] "),
                Sink::Output => format!("[{time}] "),
                Sink::Bare(_) => String::new(),
            });
            all.push_str(shortened(text));
            all.push('\n');
        }
        all
    }

    fn zoned(&self, at: SystemTime) -> Zoned {
        let at = Timestamp::try_from(at).unwrap_or(Timestamp::UNIX_EPOCH);
        at.to_zoned(self.zone.clone())
    }

    fn complain(&mut self, sink: &Sink, error: &io::Error) {
        let place = match sink {
            Sink::Output => "standard output".to_owned(),
            Sink::Monitor(file) | Sink::Bare(file) | Sink::Log(LogPlace::File(file), _) => {
                file.display().to_string()
            }
            Sink::Log(LogPlace::Syslog(_), _) => self.syslog.display().to_string(),
        };
        // A bound for those who change the place with every reload.
        if self.deaf.len() >= BATCH {
            self.deaf.clear();
        }
        if self.deaf.insert(sink.clone()) {
            let what = format!("write to {place}: {error}: its lines are lost until it can be");
            (self.report)(Event::Trouble { what });
        }
    }
}

fn append(file: &Path, bytes: &[u8]) -> io::Result<()> {
    open_log(file)?.write_all(bytes)
}

/// Opens a file of lines to write at its end. Never waits for anything but the disk: a FIFO that
/// nobody reads refuses at once. What is new is not for everybody to read.
pub fn open_log(file: &Path) -> io::Result<File> {
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o640).custom_flags(flags.bits()).open(file)
}

fn shortened(text: &str) -> &str {
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
