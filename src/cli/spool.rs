//! Log lines on their way out.
//!
//! Whoever logs only puts its line into a buffer; a thread writes what has gathered there. So a
//! start with ten thousand services is a few writes instead of ten thousand, and a terminal or a
//! journal that takes nothing for a while holds up no check.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, sleep};
use std::time::Duration;

use crate::mutex::lock;

/// How long lines gather: no person sees it, and a burst is over by then.
const GATHER: Duration = Duration::from_millis(5);

/// How long the end of the program waits for the last lines: whoever stops us waits 2 s.
const FAREWELL: Duration = Duration::from_millis(250);

/// Bytes that may wait to be written, some 40,000 lines. Further lines are dropped and counted.
const ROOM: usize = 4 << 20;

/// A way into the buffer. Takes whole lines: one write, one line.
#[derive(Clone, Default)]
pub struct Spool(Arc<Shared>);

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    news: Condvar,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    dropped: u64,
    /// Nothing more is gathered: what is there is written at once, and what follows directly.
    closed: bool,
    /// Whether the writer is through with it all.
    ended: bool,
}

/// Writes out what is still waiting when dropped; keep it as long as there is something to log.
#[must_use]
pub struct Emptied(Spool);

impl Spool {
    /// Starts the thread that writes to `to`.
    pub fn start(to: impl Write + Send + 'static) -> (Spool, Emptied) {
        let spool = Spool::default();
        let shared = spool.0.clone();
        let writer = thread::Builder::new().name("log".into()).spawn(move || shared.empty_into(to));
        if writer.is_err() {
            let mut waiting = spool.0.lock();
            (waiting.closed, waiting.ended) = (true, true);
        }
        (spool.clone(), Emptied(spool))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        lock(&self.waiting)
    }

    /// Writes what gathers, until closed and empty. What cannot be written is lost: there is
    /// nobody to tell.
    fn empty_into(&self, mut to: impl Write) {
        loop {
            let idle = |waiting: &mut Waiting| waiting.lines.is_empty() && !waiting.closed;
            let waiting = self.news.wait_while(self.lock(), idle);
            let closing = waiting.unwrap_or_else(PoisonError::into_inner).closed;
            if !closing {
                sleep(GATHER);
            }
            let mut waiting = self.lock();
            let (mut lines, dropped) =
                (std::mem::take(&mut waiting.lines), std::mem::take(&mut waiting.dropped));
            drop(waiting);
            if dropped > 0 {
                lines.extend(
                    format!("log lines lost count={dropped} reason=\"nobody reads them\"\n")
                        .bytes(),
                );
            }
            let _ = to.write_all(&lines).and_then(|()| to.flush());
            if closing {
                self.lock().ended = true;
                self.news.notify_all();
                return;
            }
        }
    }
}

impl Write for Spool {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut waiting = self.0.lock();
        if waiting.closed {
            drop(waiting);
            return io::stderr().write_all(line).map(|()| line.len());
        }
        if waiting.lines.len() + line.len() > ROOM {
            waiting.dropped += 1;
        } else {
            waiting.lines.extend_from_slice(line);
        }
        let first = waiting.lines.len() == line.len();
        drop(waiting);
        if first {
            self.0.news.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Emptied {
    fn drop(&mut self) {
        let shared = &self.0.0;
        let mut waiting = shared.lock();
        waiting.closed = true;
        shared.news.notify_all();
        // Not longer: a terminal that takes nothing does not hold up the end.
        let _ = shared.news.wait_timeout_while(waiting, FAREWELL, |waiting| !waiting.ended);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A place to write to that can be looked at, and can refuse to take anything for a while.
    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<(Vec<u8>, usize)>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut paper = self.0.lock().unwrap();
            paper.0.extend_from_slice(bytes);
            paper.1 += 1;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn all_lines_are_written_in_order_before_the_end() {
        let paper = Paper::default();
        let (mut spool, emptied) = Spool::start(paper.clone());
        let lines: String = (0..1000).map(|i| format!("line {i}\n")).collect();
        for line in lines.split_inclusive('\n') {
            spool.write_all(line.as_bytes()).unwrap();
        }
        drop(emptied);
        let (written, writes) = paper.0.lock().unwrap().clone();
        assert_eq!(String::from_utf8(written).unwrap(), lines);
        assert!(writes < 100, "{writes} writes for 1000 lines");
    }

    #[test]
    fn nobody_waits_for_a_reader_and_what_is_lost_is_counted() {
        let paper = Paper::default();
        let held = paper.0.lock().unwrap();
        let (mut spool, emptied) = Spool::start(paper.clone());
        let line = [b'x'; 1023].iter().chain(b"\n").copied().collect::<Vec<u8>>();
        // One load may be with the writer already, one more waits.
        for _ in 0..3 * ROOM / line.len() {
            spool.write_all(&line).unwrap();
        }
        drop(held);
        drop(emptied);
        let written = paper.0.lock().unwrap().0.clone();
        assert!(String::from_utf8(written).unwrap().contains("log lines lost count="));
    }
}
