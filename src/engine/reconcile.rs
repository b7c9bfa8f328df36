//! Reconciliation: the conversation with the kernel.
//!
//! One thing is asked at a time, the most urgent first: write what differs, read what is not
//! known, read back what was written, survey.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use super::kernel::{READ_BACK_LIMIT, READ_CHUNK, Trouble};
use super::{Action, Engine, Ledger};
use crate::event::Event;
use crate::model::{Digests, Entry, KernelError, KernelErrorKind, Phase, ServiceKey, Survey, Time};
use crate::plan::{self, Step};

impl Engine {
    /// Asks the kernel for the next thing, if it is free.
    pub(super) fn turn(&mut self, now: Time) {
        if self.kernel.busy || self.kernel.outage.as_ref().is_some_and(|o| o.retry_at > now) {
            if self.phase == Phase::Stopping && !self.kernel.busy {
                self.finish();
            }
            return;
        }
        let request = self.next_request(now);
        if std::mem::take(&mut self.kernel.disowned) && self.phase != Phase::Stopping {
            // Once for all of them: a list of 10,000 names for each of 10,000 services that go
            // would be a gigabyte.
            self.note_all_owned();
        }
        if let Some(action) = request {
            self.kernel.busy = true;
            self.kernel.asked = now;
            self.actions.push_back(action);
        } else if self.phase == Phase::Stopping {
            self.finish();
        } else {
            self.kernel.compared = self.kernel.surveyed_at;
            self.part.settled = true;
            self.tell_ready();
        }
    }

    fn next_request(&mut self, now: Time) -> Option<Action> {
        if self.phase == Phase::Stopping {
            return self.write(now).or_else(|| self.sync_request(now));
        }
        if !self.kernel.surveyed {
            return Some(Action::Survey);
        }
        if let Some(write) = self.write(now).or_else(|| self.sync_request(now)) {
            return Some(write);
        }
        if self.kernel.written.len() > READ_BACK_LIMIT && self.kernel.unread.is_empty() {
            // What the survey finds suspicious is read all the same, however much it is:
            // otherwise one survey would follow the other for ever.
            for key in std::mem::take(&mut self.kernel.written) {
                self.kernel.absolve(&key);
            }
            self.kernel.survey_now(now);
        }
        let kernel = &self.kernel;
        let mut due = [&kernel.unread, &kernel.written, &kernel.recheck].into_iter();
        if let Some(due) = due.find(|keys| !keys.is_empty()) {
            return Some(Action::Read(due.iter().take(READ_CHUNK).copied().collect()));
        }
        // After an outage there may be nothing to ask but whether it is over.
        let due = kernel.next_survey <= now || kernel.outage.is_some();
        due.then_some(if kernel.may_glance() { Action::Glance } else { Action::Survey })
    }

    /// The steps from what the kernel holds to what it should, for all services that may be
    /// written now.
    fn write(&mut self, now: Time) -> Option<Action> {
        let services = &self.services;
        let stopping = self.phase == Phase::Stopping;
        let ready = self.kernel.writable(now, |key| !stopping && !services.contains_key(key));
        let targets: Vec<_> = ready.iter().map(|key| (*key, self.target(key))).collect();
        let mut steps = plan::plan(
            targets.iter().map(|(key, target)| (*key, self.kernel.observed(key), target.as_ref())),
        );
        let written: HashSet<_> = steps.iter().map(|step| *step.service()).collect();
        for key in ready.iter().filter(|key| !written.contains(key)) {
            self.settled(key);
        }
        steps.retain(|step| !self.kernel.is_futile(step, now));
        if steps.is_empty() {
            return None;
        }
        if std::mem::take(&mut self.recovered) {
            // Noted before it shows in the table: a crash in between must not make the next run
            // take a server out again that carries connections.
            self.remember(true, now);
        }
        self.kernel.writes += steps.len() as u64;
        Some(Action::Apply(steps))
    }

    /// The kernel holds what it should under this key.
    fn settled(&mut self, key: &ServiceKey) {
        if self.kernel.troubles.remove(key).is_some() {
            self.events.push_back(Event::KernelAccepted { service: *key });
        }
        // Gone from the configuration and from the kernel: no longer ours.
        if !self.services.contains_key(key) && self.kernel.observed(key).is_none() {
            self.disown(key);
        }
    }

    fn disown(&mut self, key: &ServiceKey) {
        self.kernel.written.remove(key);
        self.kernel.recheck.remove(key);
        self.kernel.unread.remove(key);
        self.unclaimed.remove(key);
        self.kernel.disowned |= self.kernel.owned.remove(key).is_some();
    }

    /// Takes in a survey; `cost` is the processor time it took.
    pub fn handle_survey(
        &mut self,
        survey: Result<Survey, KernelError>,
        cost: Duration,
        now: Time,
    ) {
        self.kernel.busy = false;
        self.backings_changed = true;
        match survey {
            Err(error) => self.outage(&error, now),
            Ok(survey) => {
                self.reached();
                if !self.kernel.surveyed {
                    for key in self.kernel.first_survey(&survey) {
                        self.adopt(&key, now);
                    }
                }
                self.kernel.compare(&survey, now);
                self.kernel.schedule_survey(cost, now);
            }
        }
        self.turn(now);
    }

    /// Takes in the digests of a survey; `cost` is the processor time they took.
    pub fn handle_glance(
        &mut self,
        digests: Result<Digests, KernelError>,
        cost: Duration,
        now: Time,
    ) {
        self.kernel.busy = false;
        match digests {
            Err(error) => self.outage(&error, now),
            Ok(digests) => {
                self.reached();
                self.kernel.schedule_survey(cost, now);
                self.kernel.compare_glance(&digests, now);
            }
        }
        self.turn(now);
    }

    /// Takes in the records of the services asked for, in that order.
    pub fn handle_read(
        &mut self,
        keys: &[ServiceKey],
        records: Result<Vec<Option<Entry>>, KernelError>,
        now: Time,
    ) {
        self.kernel.busy = false;
        self.backings_changed = true;
        match records {
            Err(error) => self.outage(&error, now),
            Ok(records) => {
                self.reached();
                for (key, record) in keys.iter().zip(records) {
                    self.take_record(*key, record, now);
                }
            }
        }
        self.turn(now);
    }

    fn take_record(&mut self, key: ServiceKey, record: Option<Entry>, now: Time) {
        let first = self.kernel.unread.remove(&key);
        self.kernel.written.remove(&key);
        self.kernel.recheck.remove(&key);
        if !first && self.kernel.observed(&key) != record.as_ref() {
            self.let_be(&key, record.as_ref());
        }
        let left_alone = self.is_left_alone(&key);
        let Some(owned) = self.kernel.owned.get_mut(&key) else { return };
        if first || self.phase == Phase::Stopping {
            *owned.observed.record_mut() = record;
            self.adopt(&key, now);
            self.tell_service(&key);
            self.read_anew(key, now);
            return;
        }
        if owned.observed.record() == record.as_ref() || left_alone {
            *owned.observed.record_mut() = record;
            self.kernel.absolve(&key);
            return;
        }
        let mut found = plan::describe(&key, owned.observed.record(), record.as_ref());
        found.truncate(Event::DRIFT_LINES);
        *owned.observed.record_mut() = record;
        self.kernel.drift_repaired += 1;
        self.events.push_back(Event::Drift { service: key, found });
        if let Some(trouble) = self.kernel.strike(key, now) {
            self.tell_trouble(key, &trouble);
        }
        self.read_anew(key, now);
    }

    /// What was read may not be as it should. Where it was written in vain too often, the next
    /// try has its time.
    fn read_anew(&mut self, key: ServiceKey, now: Time) {
        if !self.kernel.is_given_up(&key, now) {
            self.kernel.dirty.insert(key);
        }
    }

    /// Takes in how the steps went: the failures, by the index of their step.
    pub fn handle_applied(&mut self, steps: &[Step], failures: &[(usize, KernelError)], now: Time) {
        self.kernel.busy = false;
        self.backings_changed = true;
        let failed: BTreeMap<usize, &KernelError> =
            failures.iter().map(|(at, error)| (*at, error)).collect();
        let mut touched = BTreeMap::new();
        for (at, step) in steps.iter().enumerate() {
            let contested = touched.entry(*step.service()).or_insert(false);
            match failed.get(&at) {
                None => self.fold(step),
                Some(error) => *contested |= self.take_failure(step, error, now),
            }
        }
        let lost = |(_, error): &&(usize, KernelError)| error.kind == KernelErrorKind::Unavailable;
        match failures.iter().find(lost) {
            Some((_, error)) => self.outage(error, now),
            None => self.reached(),
        }
        for (key, contested) in touched {
            self.after_write(key, contested, now);
        }
        self.turn(now);
    }

    fn fold(&mut self, step: &Step) {
        self.tell_step(step);
        if let Some(owned) = self.kernel.owned.get_mut(step.service()) {
            plan::fold(owned.observed.record_mut(), step);
        }
    }

    /// Returns whether somebody else seems to write the service as well.
    fn take_failure(&mut self, step: &Step, error: &KernelError, now: Time) -> bool {
        let key = *step.service();
        match (error.kind, step) {
            // It is gone, as was wanted.
            (KernelErrorKind::Conflict, Step::RemoveService { .. }) => self.fold(step),
            // Of a service that was refused a moment ago there can be no part.
            (KernelErrorKind::Conflict, _) if self.kernel.is_futile(step, now) => {}
            // Somebody was there first: read it again before anything else.
            (KernelErrorKind::Conflict, _) => {
                self.kernel.unread.insert(key);
                return true;
            }
            // Nobody knows.
            (KernelErrorKind::Unknown | KernelErrorKind::Unavailable, _) => {
                self.kernel.unread.insert(key);
            }
            (KernelErrorKind::Refused, _) => {
                if let Some(trouble) = self.kernel.note_refusal(step, error, now) {
                    self.tell_trouble(key, &trouble);
                }
            }
        }
        false
    }

    fn after_write(&mut self, key: ServiceKey, contested: bool, now: Time) {
        if self.phase == Phase::Stopping {
            return;
        }
        if !self.kernel.is_read(&key) {
            if contested && let Some(trouble) = self.kernel.strike(key, now) {
                self.tell_trouble(key, &trouble);
            }
        } else if self.services.contains_key(&key) {
            self.kernel.written.insert(key);
        } else if self.kernel.observed(&key).is_none() {
            self.disown(&key);
        }
    }

    fn tell_trouble(&mut self, key: ServiceKey, trouble: &Trouble) {
        self.events.push_back(Event::KernelRefused {
            service: key,
            reason: trouble.message.clone(),
            retry_s: trouble.backoff.as_secs(),
        });
    }

    pub(super) fn outage(&mut self, error: &KernelError, now: Time) {
        if let Some(trouble) = self.kernel.note_outage(error, now) {
            self.events.push_back(Event::KernelUnavailable { reason: trouble.message });
        }
    }

    pub(super) fn reached(&mut self) {
        self.kernel.outage = None;
        if std::mem::take(&mut self.kernel.outage_told) {
            self.events.push_back(Event::KernelAvailable);
        }
    }

    /// Says once that the first table is in place.
    fn tell_ready(&mut self) {
        if self.ready
            || !self.kernel.surveyed
            || !self.kernel.unread.is_empty()
            || !self.kernel.dirty.is_empty()
        {
            return;
        }
        self.ready = true;
        self.phase = Phase::Running;
        let records = self.kernel.present().map(|(_, entry)| entry);
        self.events.push_back(Event::TableReady {
            services: self.services.len(),
            destinations: records.map(|entry| entry.destinations.len()).sum(),
            writes: self.kernel.writes,
        });
    }

    fn finish(&mut self) {
        if !std::mem::replace(&mut self.finished, true) {
            let left: Vec<_> = self.kernel.present().map(|(key, _)| *key).collect();
            self.events.push_back(Event::Stopped {
                removed: self.kernel.owned.len() - left.len(),
                kept: left.len(),
            });
            self.actions.push_back(Action::Own(Ledger::All(left)));
            self.actions.push_back(Action::Finish);
        }
    }
}
