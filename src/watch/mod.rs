//! The engine behind everything that is watched: when a monitor runs, what its result means, who
//! is told of it and how often. mon's rules, without mon's clock of ticks.
//!
//! Inputs go in by `handle_*`, each with the time; what is to be done comes out by `poll_action`,
//! and `poll_timeout` says when to come back. Nothing here reads a clock, starts a program or
//! writes a file.
//!
//! ```text
//! configuration --+                       +--> Run, Abandon (a monitor)
//! Finding, Trap --+--> Watcher --> poll --+--> Alert (a call of a program)
//! WatchOrder -----+       ^               +--> Log, Note (a line)
//! clock ----------+       +-- timers
//! ```
//!
//! One result takes this way: `results` notes it and decides whether the service fails or is
//! well; `tell` asks whether anybody may be told at all (scheduler, disablement, dependencies,
//! acknowledgement) and each period whether its throttles let the call through (`period`);
//! `storm` may gather it with others; `job` makes arguments and environment of it.
//!
//! **Whoever was told of a failure is told of its end, once.** mon loses that where the end comes
//! while the service is disabled, the scheduler stopped, the period over or the daemon restarted.
//! Here it is owed (`period::Owed`) until it may be told, or the service fails again.
//!
//! Of real servers of virtual services only the active director tells (`role`).

#![forbid(unsafe_code)]

mod beat;
mod configure;
mod depend;
mod disabled;
mod history;
mod hosts;
mod job;
mod log;
mod occasion;
mod orders;
mod period;
mod results;
mod role;
mod saved;
mod schedule;
mod service;
mod state_files;
mod storm;
mod tell;
#[cfg(test)]
mod tests;
mod timers;
mod view;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use crate::model::{Role, Time, WallTime, WatchKey, WatchSpec, Watching};

use beat::Random;
use disabled::Disablements;
use history::Histories;
pub use job::{AlertJob, MonitorRun};
pub use log::{Priority, WatchEvent};
pub use period::Suppression;
pub use saved::Saved;
use schedule::Pause;
use service::{Hold, Service};
use storm::Storms;
use timers::{Tick, Timers};
pub use view::{RunningMonitor, SchedulerState};

/// One run of one monitor; no two have the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RunId(pub u64);

/// What becomes of the state of services that a new configuration has as well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keep {
    /// It is kept; an unchanged service notices nothing.
    State,
    /// All are untested again. What is disabled stays so, and an end that is owed stays owed.
    Nothing,
}

/// What is to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WatchAction {
    Run(Box<MonitorRun>),
    /// End this run; its result is not wanted.
    Abandon(RunId),
    Alert(Box<AlertJob>),
    Log(WatchEvent),
    /// Append these lines to the file. They end without a line feed.
    Note {
        file: PathBuf,
        lines: String,
    },
    /// Read the end of this file, where alerts were noted, and hand it to
    /// [`load_alert_history`](Watcher::load_alert_history).
    Recall(PathBuf),
}

/// All state of what is watched.
pub struct Watcher {
    /// What clocks on the wall show at a time.
    wall: Box<dyn Fn(Time) -> WallTime + Send>,
    random: Random,
    role: Role,
    configured: bool,
    watching: Arc<Watching>,
    services: BTreeMap<WatchKey, Service>,
    /// Who is not asked while this one fails, directly.
    dependents: BTreeMap<WatchKey, Vec<WatchKey>>,
    disabled: Disablements,
    timers: Timers,
    pause: Pause,
    runs: BTreeMap<RunId, WatchKey>,
    last_run: u64,
    /// Due, but as many run as may; the first is next.
    waiting: VecDeque<WatchKey>,
    /// Due, but what they depend on fails.
    held: BTreeSet<WatchKey>,
    storms: Storms,
    histories: Histories,
    actions: VecDeque<WatchAction>,
    /// A status changed, or what is disabled did by itself: see [`Watcher::take_changed`].
    changed: bool,
    /// What an earlier run remembered, until the first configuration comes.
    unplaced: Option<Saved>,
}

impl Watcher {
    /// One that watches nothing yet. `seed` decides all chance; `wall` is asked for the local time
    /// of a moment, which begins its seconds when `Time` does.
    pub fn new(seed: u64, wall: Box<dyn Fn(Time) -> WallTime + Send>) -> Watcher {
        let watching = Arc::new(Watching::default());
        Watcher {
            wall,
            random: Random::new(seed),
            role: Role::Active,
            configured: false,
            histories: Histories::new(watching.settings.history),
            watching,
            services: BTreeMap::new(),
            dependents: BTreeMap::new(),
            disabled: Disablements::default(),
            timers: Timers::default(),
            pause: Pause::default(),
            runs: BTreeMap::new(),
            last_run: 0,
            waiting: VecDeque::new(),
            held: BTreeSet::new(),
            storms: Storms::default(),
            actions: VecDeque::new(),
            changed: false,
            unplaced: None,
        }
    }

    /// The next thing to do, in the order in which things were decided.
    pub fn poll_action(&mut self) -> Option<WatchAction> {
        self.actions.pop_front()
    }

    /// Whether, since this was asked last, something changed that a restart must know, with or
    /// without somebody being told of it: whoever remembers a failure that is over is silent about
    /// the next one.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// When [`handle_timeout`](Self::handle_timeout) is wanted.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    fn log(&mut self, event: WatchEvent) {
        self.actions.push_back(WatchAction::Log(event));
    }

    /// Nobody is told of it, but perhaps of its end later.
    fn is_disabled(&self, key: &WatchKey) -> bool {
        let own = self.services.get(key).and_then(|service| service.spec.hosts.as_ref());
        self.disabled.watch(&key.group).is_some()
            || self.disabled.service(key).is_some()
            || own.is_some_and(|hosts| hosts.iter().all(|host| self.disabled.host(host).is_some()))
    }

    /// Its own or those of the group, in the order of the file.
    fn enabled_hosts(&self, spec: &WatchSpec) -> Vec<String> {
        let of_group = self.watching.groups.get(&spec.key.group);
        let hosts = spec.hosts.as_ref().or(of_group).map_or(&[][..], |hosts| hosts);
        hosts.iter().filter(|host| self.disabled.host(host).is_none()).cloned().collect()
    }

    /// The timer of a service follows what is known of it.
    fn rearm(&mut self, key: &WatchKey, now: Time) {
        let due = self.services.get(key).and_then(|service| {
            let timers = if self.pause.is_on() { None } else { service.deadline(now) };
            [timers, self.debt_due(service, now)].into_iter().flatten().min()
        });
        self.timers.set(Tick::Service(key.clone()), due);
    }

    fn rearm_all(&mut self, now: Time) {
        for key in self.keys() {
            self.rearm(&key, now);
        }
    }

    fn keys(&self) -> Vec<WatchKey> {
        self.services.keys().cloned().collect()
    }
}
