//! What is due when.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{AlertCall, Disabling, Time, WatchKey};

/// Something that has at most one time at which it is due.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Tick {
    /// The time at which nothing is asked may have begun or ended. First of those that are due
    /// together: it decides about the others.
    Exclude,
    Expiry(Disabling),
    Service(WatchKey),
    Storm(AlertCall),
}

/// The earliest is found, and any moved, in logarithmic time.
#[derive(Default)]
pub(super) struct Timers {
    by_time: BTreeSet<(Time, Tick)>,
    times: BTreeMap<Tick, Time>,
}

impl Timers {
    /// From now on it is due at `at`, and at no other time.
    pub fn set(&mut self, tick: Tick, at: Option<Time>) {
        match (self.times.get(&tick).copied(), at) {
            (old, new) if old == new => {}
            (old, new) => {
                if let Some(old) = old {
                    self.by_time.remove(&(old, tick.clone()));
                    self.times.remove(&tick);
                }
                if let Some(new) = new {
                    self.times.insert(tick.clone(), new);
                    self.by_time.insert((new, tick));
                }
            }
        }
    }

    pub fn next(&self) -> Option<Time> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// The first of what is due by `now`; it is due no more.
    pub fn pop_due(&mut self, now: Time) -> Option<Tick> {
        let (at, _) = self.by_time.first()?;
        if *at > now {
            return None;
        }
        let (_, tick) = self.by_time.pop_first()?;
        self.times.remove(&tick);
        Some(tick)
    }
}
