//! The checks in force: who uses each, how it stands, when it is due.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::health::{Health, Schedule};
use crate::model::{CheckSpec, Endpoint, Outcome, Probe, ServiceKey, Time, Verdict};

/// Names a check for as long as it exists. An answer to a check that was dropped meanwhile is
/// told by its generation, even when the slot has a new tenant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CheckId {
    slot: u32,
    generation: u32,
}

#[cfg(test)]
impl CheckId {
    /// Any, for tests of those who only pass it on.
    pub const ANY: CheckId = CheckId::nth(0);

    pub const fn nth(slot: u32) -> CheckId {
        CheckId { slot, generation: 0 }
    }
}

/// A server of a service that a check speaks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct User {
    pub service: ServiceKey,
    /// Its place in the service's list.
    pub server: u32,
}

/// One check: what it asks, and how it stands.
#[derive(Debug)]
pub(super) struct Check {
    pub endpoint: Endpoint,
    pub spec: Arc<CheckSpec>,
    pub health: Health,
    pub users: Vec<User>,
    /// How long the last probe took.
    pub took: Option<Duration>,
    /// See [`CheckSpec::digest`].
    pub digest: u64,
    /// Whether the health is an earlier run's: no probe has passed since.
    pub recalled: bool,
    /// Of the cheaper probes [between](CheckSpec::between) two whole ones, how many come next.
    cheaper: u16,
    schedule: Schedule,
    /// When the probe in flight started.
    started: Option<Time>,
}

/// What makes two checks the same.
type Identity = (Endpoint, Arc<CheckSpec>);

#[derive(Default, Debug)]
pub(super) struct Checks {
    slots: Vec<(u32, Option<Check>)>,
    free: Vec<u32>,
    by_identity: HashMap<Identity, CheckId>,
    /// Due times; entries of checks that moved or went are skipped when they come up.
    due: BinaryHeap<Reverse<(Time, CheckId)>>,
    stopped: bool,
    /// How many were never carried out.
    untried: usize,
}

impl Checks {
    pub fn find(&self, endpoint: Endpoint, spec: &Arc<CheckSpec>) -> Option<CheckId> {
        self.by_identity.get(&(endpoint, spec.clone())).copied()
    }

    pub fn get(&self, id: CheckId) -> Option<&Check> {
        let (generation, check) = self.slots.get(id.slot as usize)?;
        check.as_ref().filter(|_| *generation == id.generation)
    }

    fn get_mut(&mut self, id: CheckId) -> Option<&mut Check> {
        let (generation, check) = self.slots.get_mut(id.slot as usize)?;
        check.as_mut().filter(|_| *generation == id.generation)
    }

    /// Adds a check, first due at `first`; `recalled` is what an earlier run knew of it.
    pub fn insert(
        &mut self,
        endpoint: Endpoint,
        spec: Arc<CheckSpec>,
        digest: u64,
        recalled: Option<Health>,
        first: Time,
        seed: u64,
    ) -> CheckId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push((0, None));
            (self.slots.len() - 1) as u32
        });
        let (generation, place) = &mut self.slots[slot as usize];
        let id = CheckId { slot, generation: *generation };
        let schedule = Schedule::new(first, endpoint, seed);
        self.by_identity.insert((endpoint, spec.clone()), id);
        if spec.probe.asks() {
            self.due.push(Reverse((first, id)));
            self.untried += 1;
        }
        *place = Some(Check {
            endpoint,
            digest,
            recalled: recalled.is_some(),
            health: recalled.unwrap_or_else(|| Health::new(&spec.probe, first)),
            spec,
            users: Vec::new(),
            took: None,
            cheaper: 0,
            schedule,
            started: None,
        });
        id
    }

    pub fn add_user(&mut self, id: CheckId, user: User) {
        if let Some(check) = self.get_mut(id) {
            if check.users.is_empty() {
                // Most have one; a vector makes room for four by itself.
                check.users.reserve_exact(1);
            }
            check.users.push(user);
        }
    }

    /// Drops a user; a check without users is forgotten.
    pub fn remove_user(&mut self, id: CheckId, service: &ServiceKey, server: u32) {
        let Some(check) = self.get_mut(id) else { return };
        let user = User { service: *service, server };
        if let Some(at) = check.users.iter().position(|u| *u == user) {
            check.users.swap_remove(at);
        }
        if check.users.is_empty() {
            let untried = usize::from(check.is_untried());
            let identity = (check.endpoint, check.spec.clone());
            self.by_identity.remove(&identity);
            self.untried -= untried;
            let (generation, place) = &mut self.slots[id.slot as usize];
            *generation = generation.wrapping_add(1);
            *place = None;
            self.free.push(id.slot);
        }
    }

    /// Puts a verdict that was only remembered in doubt: the table does not bear it out.
    pub fn doubt(&mut self, id: CheckId, now: Time) {
        if let Some(check) = self.get_mut(id).filter(|check| check.recalled) {
            check.recalled = false;
            check.health = Health::new(&check.spec.probe, now);
        }
    }

    /// When the next check is due.
    pub fn next_due(&self) -> Option<Time> {
        self.due.peek().map(|Reverse((at, _))| *at)
    }

    /// Starts the next check that is due by `now`, if there is one.
    pub fn start_due(&mut self, now: Time) -> Option<(CheckId, Endpoint, Arc<CheckSpec>)> {
        while self.next_due().is_some_and(|due| due <= now) {
            let Some(Reverse((due, id))) = self.due.pop() else { break };
            let Some(check) = self.get_mut(id) else { continue };
            if check.started.is_some() || check.schedule.due() != due {
                continue;
            }
            check.started = Some(now);
            let interval = check.interval();
            check.schedule.start(interval, now);
            return Some((id, check.endpoint, check.next_probe()));
        }
        None
    }

    /// Takes in what the probe in flight found. Returns the verdict before and after.
    pub fn finish(
        &mut self,
        id: CheckId,
        outcome: Outcome,
        took: Duration,
        hold: Duration,
        now: Time,
    ) -> Option<(Verdict, Verdict)> {
        let check = self.get_mut(id)?;
        let started = check.started.take()?;
        let (before, failing) = (check.health.verdict(), check.health.is_failing());
        let untried = usize::from(check.is_untried());
        check.took = Some(took);
        check.count_cheaper(&outcome);
        // A failure alone does not bear out that the server was up until now.
        check.recalled &= outcome != Outcome::Pass;
        check.health.record(outcome, &check.spec, hold, now);
        if failing != check.health.is_failing() && check.spec.retry != check.spec.interval {
            let interval = check.interval();
            check.schedule.change_interval(started, interval, now);
        }
        let (due, after) = (check.schedule.due(), check.health.verdict());
        self.untried -= untried;
        if !self.stopped {
            self.due.push(Reverse((due, id)));
        }
        Some((before, after))
    }

    /// Nothing is asked any more; answers still to come are taken in.
    pub fn stop_asking(&mut self) {
        self.stopped = true;
        self.due.clear();
    }

    /// Whether each was carried out at least once.
    pub fn all_tried(&self) -> bool {
        self.untried == 0
    }

    /// The checks that should have begun more than `patience` ago: how many, and by how much the
    /// latest is late.
    pub fn late(&self, patience: Duration, now: Time) -> Option<(usize, Duration)> {
        let due = |check: &Check| {
            let waits = !self.stopped && check.spec.probe.asks() && check.started.is_none();
            waits.then(|| check.schedule.due())
        };
        self.overdue(due, patience, now)
    }

    /// The same of those that should have come back. One that waits for what a monitor finds has
    /// as long as that one.
    pub fn lost(&self, patience: Duration, now: Time) -> Option<(usize, Duration)> {
        let end = |check: &Check| {
            let started = check.started?;
            let has_limit = !matches!(check.spec.probe, Probe::Watched(_));
            has_limit.then(|| started + check.spec.timeout)
        };
        self.overdue(end, patience, now)
    }

    fn overdue(
        &self,
        when: impl Fn(&Check) -> Option<Time>,
        patience: Duration,
        now: Time,
    ) -> Option<(usize, Duration)> {
        let late = self.iter().filter_map(when).map(|at| now.since(at));
        late.filter(|by| *by > patience).fold(None, |worst: Option<(usize, Duration)>, by| {
            let (checks, most) = worst.unwrap_or_default();
            Some((checks + 1, by.max(most)))
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_identity.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Check> {
        self.slots.iter().filter_map(|(_, check)| check.as_ref())
    }
}

impl Check {
    /// Whether it is yet to be carried out for the first time.
    fn is_untried(&self) -> bool {
        self.spec.probe.asks() && self.took.is_none()
    }

    /// The whole probe, or one of those between.
    fn next_probe(&self) -> Arc<CheckSpec> {
        match &self.spec.between {
            Some(between) if self.cheaper > 0 => Arc::new(self.spec.cheaper(between)),
            _ => self.spec.clone(),
        }
    }

    /// A whole probe that passed is followed by cheaper ones, any that failed by a whole one.
    fn count_cheaper(&mut self, outcome: &Outcome) {
        let times = self.spec.between.as_ref().map_or(0, |between| between.times);
        self.cheaper = match outcome {
            Outcome::Pass => self.cheaper.checked_sub(1).unwrap_or(times),
            Outcome::Fail(_) => 0,
            Outcome::Local(_) => self.cheaper,
        };
    }

    fn interval(&self) -> Duration {
        if self.health.is_failing() { self.spec.retry } else { self.spec.interval }
    }
}
