//! Delivering: lines by a thread, mails and programs by tasks.
//!
//! A lane is one mail server, or one service's command or alerts: what is in it goes in its order, one after
//! the other, and a dead mail server holds up its own lane only. When a lane is full the oldest
//! goes, for what is true now matters more; that is told.

mod call;
mod lines;
mod mail;
mod program;
mod relay;
pub mod syslog;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};

use super::{Call, Command, Delivery, Mail, Sink};
use crate::event::Event;
use crate::mutex::lock;

use lines::Lines;
pub use lines::open_log;
use program::Programs;

/// Commands one lane may hold. Mails have all the room there is: a rack that fails at once is a
/// hundred of them, and none of those is made void by the next.
const LANE: usize = 64;

/// Deliveries all lanes may hold together; then the oldest of the lane at hand goes even earlier.
const ALL_LANES: usize = 4096;

/// Mails under way at once.
const MAILS: usize = 32;

/// Calls under way at once: as many as programs of all kinds.
const CALLS: usize = 32;

/// A mail must be gone after this: dialogue, body and all.
const MAIL_LIMIT: Duration = Duration::from_secs(60);

/// What a writer of lines has at the least to write what it was given.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// Whoever is told what failed.
pub type Report = Arc<dyn Fn(Event) + Send + Sync>;

/// Hands on what is to be delivered, and waits for none of it.
pub struct Courier {
    report: Report,
    /// `/dev/log`, but in tests.
    syslog: PathBuf,
    node: Arc<str>,
    /// Started by the first line for them.
    log: Option<Lines>,
    monitor: Option<Lines>,
    lanes: Arc<Lanes>,
}

impl Courier {
    /// To be called within a Tokio runtime, as everything here. `node` is the host's name.
    pub fn new(report: Report, syslog: PathBuf, node: &str) -> Courier {
        let lanes = Arc::new(Lanes {
            queues: Mutex::default(),
            mails: Semaphore::new(MAILS),
            calls: Semaphore::new(CALLS),
            programs: Programs::new(),
            sendmail: Programs::new(),
            idle: Notify::new(),
        });
        Courier { report, syslog, node: node.into(), log: None, monitor: None, lanes }
    }

    pub fn deliver(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Line(sink, text) => self.line(sink, text),
            Delivery::Mail(mail) => {
                let lane = match &mail.server {
                    Some(server) => format!("mail by {}:{}", server.host, server.port),
                    None => "mail by sendmail".to_owned(),
                };
                self.queue(lane, Job::Mail(mail));
            }
            Delivery::Command(command) => self.queue(command.lane.clone(), Job::Command(command)),
            Delivery::Call(call) => self.queue(call.lane.clone(), Job::Call(call)),
        }
    }

    /// Waits until everything is delivered, but no longer than this. Gives back the calls that
    /// were not begun.
    pub async fn farewell(&mut self, limit: Duration) -> Vec<Call> {
        let end = tokio::time::Instant::now() + limit;
        let mut unmade = Vec::new();
        if tokio::time::timeout_at(end, self.lanes.empty()).await.is_err() {
            let left: usize =
                lock(&self.lanes.queues).of.values().map(|queue| queue.len() + 1).sum();
            self.lanes.programs.leave();
            self.lanes.sendmail.leave();
            unmade = self.lanes.unmade();
            tracing::warn!(
                "{left} mails and commands had not ended before the stop: programs under way go \
                 on, {} alerts wait for the next start, the rest is lost",
                unmade.len()
            );
        }
        let writers = [self.log.take(), self.monitor.take()].into_iter().flatten();
        let ends = writers.map(|lines| {
            let left = end.saturating_duration_since(tokio::time::Instant::now()).max(LAST_WORDS);
            // It waits for a disk, and whoever asked for the stop for an answer.
            tokio::task::spawn_blocking(move || lines.end(left))
        });
        for writer in ends.collect::<Vec<_>>() {
            // Where no thread is to be had for it, the stop goes on without.
            let _ = tokio::time::timeout_at(end + 2 * LAST_WORDS, writer).await;
        }
        unmade
    }

    fn line(&mut self, sink: Sink, text: String) {
        let (lines, name) = match sink {
            Sink::Monitor(_) | Sink::Bare(_) => (&mut self.monitor, "monitor-files"),
            Sink::Log(..) | Sink::Output => (&mut self.log, "log-files"),
        };
        let start = || Lines::start(name, self.syslog.clone(), self.report.clone());
        lines.get_or_insert_with(start).write(sink, text);
    }

    fn queue(&self, lane: String, job: Job) {
        let (is_new, dropped) = self.lanes.add(&lane, job);
        if let Some(dropped) = dropped {
            (self.report)(dropped.failed("too many before it are waiting", &lane));
        }
        if is_new {
            let (lanes, report, node) =
                (self.lanes.clone(), self.report.clone(), self.node.clone());
            tokio::spawn(async move { lanes.work(lane, &report, &node).await });
        }
    }
}

enum Job {
    Mail(Mail),
    Command(Command),
    Call(Call),
}

impl Job {
    async fn run(self, node: &str, lanes: &Lanes) -> Option<Event> {
        match self {
            Job::Mail(mail) => {
                // Closed never.
                let _place = lanes.mails.acquire().await;
                let send = mail::send(&mail, node, &lanes.sendmail);
                let sent = tokio::time::timeout(MAIL_LIMIT, send).await;
                let reason = match sent {
                    Ok(Ok(())) => return None,
                    Ok(Err(reason)) => reason,
                    Err(_) => format!("timed out after {} s", MAIL_LIMIT.as_secs()),
                };
                Some(Job::Mail(mail).failed(&reason, ""))
            }
            Job::Command(command) => {
                let reason = lanes.programs.run(&command, None).await.err()?;
                Some(Job::Command(command).failed(&reason, ""))
            }
            Job::Call(call) => {
                let reason = lanes.programs.call(&call).await.err()?;
                Some(Job::Call(call).failed(&reason, ""))
            }
        }
    }

    fn failed(self, reason: &str, lane: &str) -> Event {
        let reason = match lane {
            "" => reason.to_owned(),
            lane => format!("{lane}: {reason}"),
        };
        match self {
            Job::Mail(mail) => {
                let smtp = mail.server.is_some();
                Event::MailFailed { subject: mail.subject, smtp, reason }
            }
            Job::Command(command) => {
                Event::CommandFailed { command: command.argv.join(" "), reason }
            }
            Job::Call(call) => Event::CommandFailed { command: call::shown(&call), reason },
        }
    }
}

struct Lanes {
    queues: Mutex<Queues>,
    mails: Semaphore,
    calls: Semaphore,
    programs: Programs,
    sendmail: Programs,
    idle: Notify,
}

#[derive(Default)]
struct Queues {
    /// A lane is here as long as its task is.
    of: HashMap<String, VecDeque<Job>>,
    /// Jobs in all of them.
    length: usize,
}

impl Lanes {
    /// Whether the lane is new, and what had to go for the job.
    fn add(&self, lane: &str, job: Job) -> (bool, Option<Job>) {
        let mut queues = lock(&self.queues);
        let is_new = !queues.of.contains_key(lane);
        let all = queues.length;
        let queue = queues.of.entry(lane.to_owned()).or_default();
        let long = matches!(job, Job::Command(_) | Job::Call(_)) && queue.len() >= LANE;
        let full = long || all >= ALL_LANES;
        let dropped = if full { queue.pop_front() } else { None };
        // A lane that holds nothing yet takes one job in any case.
        queue.push_back(job);
        queues.length = all + 1 - usize::from(dropped.is_some());
        (is_new, dropped)
    }

    async fn work(&self, lane: String, report: &Report, node: &str) {
        loop {
            // A call waits for its place in the lane, where a stop finds it.
            let _place = match self.holds_calls(&lane) {
                true => self.calls.acquire().await.ok(),
                false => None,
            };
            let Some(job) = self.next(&lane) else { return };
            if let Some(failure) = job.run(node, self).await {
                report(failure);
            }
        }
    }

    /// The lane's next job; without one the lane is gone.
    fn next(&self, lane: &str) -> Option<Job> {
        let mut queues = lock(&self.queues);
        let job = queues.of.get_mut(lane).and_then(VecDeque::pop_front);
        match job {
            Some(_) => queues.length -= 1,
            None => {
                queues.of.remove(lane);
                self.idle.notify_waiters();
            }
        }
        job
    }

    fn holds_calls(&self, lane: &str) -> bool {
        let queues = lock(&self.queues);
        queues.of.get(lane).is_some_and(|jobs| matches!(jobs.front(), Some(Job::Call(_))))
    }

    /// Empties all lanes; the calls that were in them, each lane's in its order.
    fn unmade(&self) -> Vec<Call> {
        let mut queues = lock(&self.queues);
        queues.length = 0;
        let jobs = queues.of.values_mut().flat_map(std::mem::take);
        let calls = jobs.filter_map(|job| match job {
            Job::Call(call) => Some(call),
            Job::Mail(_) | Job::Command(_) => None,
        });
        calls.collect()
    }

    async fn empty(&self) {
        loop {
            let idle = self.idle.notified();
            tokio::pin!(idle);
            // Listened for before looking, so that the last lane's end is not missed.
            idle.as_mut().enable();
            if lock(&self.queues).of.is_empty() {
                return;
            }
            idle.await;
        }
    }
}
