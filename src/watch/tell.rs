//! Who is told what: whether at all, in which periods, and with which calls.

use std::time::Duration;

use super::depend::{self, Kind};
use super::job::{self, AlertJob, Telling, exit_number};
use super::log::WatchEvent;
use super::occasion::Occasion;
use super::period::{Failure, Suppression};
use super::service::{Facts, Service, named_summary};
use super::storm::{self, Judgement};
use super::timers::Tick;
use super::{WatchAction, Watcher, beat};
use crate::model::{AlertCall, AlertNote, Collapse, OpStatus, Period, Time, WatchKey};

/// For what an alert is called.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose<'a> {
    /// A line of this period.
    Period(&'a Period),
    /// A storm, or its end.
    Storm,
    /// Every result is handed on. Not logged, not noted, not counted.
    Redistribution,
    /// Not noted, not counted.
    Test,
}

impl Watcher {
    /// Something happened, other than a recovery: tells whom it concerns, if they may be told.
    pub(super) fn tell(&mut self, telling: &Telling, now: Time) {
        let key = &telling.spec.key;
        if self.is_mute(&telling.spec) {
            return;
        }
        if self.pause.is_stopped() {
            return self.log(WatchEvent::IgnoredStopped(key.clone()));
        }
        self.redistribute(telling, &self.facts(telling), now);
        // Disabling is told of, though it is what silences everything else.
        if telling.occasion != Occasion::Disabling && self.is_disabled(key) {
            return self.log(WatchEvent::IgnoredDisabled(key.clone()));
        }
        if telling.occasion.heeds_dependencies() && !self.alerts_may_pass(key, now) {
            return self.log(WatchEvent::IgnoredDependency(key.clone()));
        }
        if !self.heed_acknowledgement(telling) {
            return self.log(WatchEvent::IgnoredAcknowledged(key.clone()));
        }
        let wall = (self.wall)(now);
        let facts = self.facts(telling);
        for (index, period) in telling.spec.periods.iter().enumerate() {
            if period.times.contains(&wall) {
                self.tell_period(telling, &facts, index, period, now);
            }
        }
    }

    /// Every result, whatever the rest decides; its call is that of the service. Of a real server
    /// nobody hears while it is disabled: its check goes on, where a monitor would not.
    pub(super) fn redistribute(&mut self, telling: &Telling, facts: &Facts, now: Time) {
        if telling.spec.hosts.is_some() && self.is_disabled(&telling.spec.key) {
            return;
        }
        if let Some(call) = &telling.spec.redistribute {
            self.call(telling, facts, call, Purpose::Redistribution, now);
        }
    }

    pub(super) fn facts(&self, telling: &Telling) -> Facts {
        let status = self.services.get(&telling.spec.key).map(|service| &service.status);
        let facts = status.map(|status| status.facts()).unwrap_or_default();
        Facts { intended: telling.intended.clone(), ..facts }
    }

    /// Whether no parent fails; notes the answer for clients and monitors.
    pub(super) fn alerts_may_pass(&mut self, key: &WatchKey, now: Time) -> bool {
        self.look_at_dependency(key, Kind::Alerts, now).is_none_or(|answer| answer.holds)
    }

    pub(super) fn look_at_dependency(
        &mut self,
        key: &WatchKey,
        kind: Kind,
        now: Time,
    ) -> Option<depend::Answer> {
        let limit = self.watching.settings.recursion_limit;
        let answer = depend::answer(&self.services, key, kind, limit, now)?;
        if let Some(service) = self.services.get_mut(key) {
            service.status.depend_status = Some(answer.holds);
        }
        Some(answer)
    }

    /// Whether an acknowledgement lets this pass. Another summary may take it back.
    fn heed_acknowledgement(&mut self, telling: &Telling) -> bool {
        let Some(service) = self.services.get_mut(&telling.spec.key) else { return true };
        let failure = telling.occasion.is_failure();
        if service.status.acknowledged.is_none()
            || !(failure || telling.occasion == Occasion::Startup)
        {
            return true;
        }
        // A start has no summary: it is not another failure.
        if !failure {
            return false;
        }
        let solid = |text: &str| text.split_whitespace().collect::<String>();
        let before = service.status.failure_output.as_deref().unwrap_or_default();
        let same = solid(named_summary(&telling.output)) == solid(named_summary(before));
        if same || !telling.spec.unack_summary {
            return false;
        }
        service.status.acknowledged = None;
        service.status.failures_in_a_row = 1;
        for period in &mut service.periods {
            period.last_alert = None;
            period.restart_window();
        }
        true
    }

    fn tell_period(
        &mut self,
        telling: &Telling,
        facts: &Facts,
        index: usize,
        period: &Period,
        now: Time,
    ) {
        if let Some(why) = self.suppression(telling, index, period, now) {
            let (key, period) = (telling.spec.key.clone(), period.label.clone());
            return self.log(WatchEvent::Suppressed { key, period, why });
        }
        let called = self.call_alerts(telling, facts, period, now);
        // mon counts start-up alerts as well, and so spends `numalerts 1` before anything failed.
        let counts = telling.occasion.is_failure() || telling.occasion == Occasion::Acknowledgement;
        if let Some(state) = self.period_mut(&telling.spec.key, index)
            && called
            && counts
        {
            state.tally(telling.occasion.is_failure(), now);
        }
    }

    fn suppression(
        &mut self,
        telling: &Telling,
        index: usize,
        period: &Period,
        now: Time,
    ) -> Option<Suppression> {
        let service = self.services.get_mut(&telling.spec.key)?;
        let state = service.periods.get_mut(index)?;
        if telling.occasion == Occasion::Acknowledgement {
            let unpaired = !period.throttle.unpaired && state.alerts_sent == 0;
            return unpaired.then_some(Suppression::UnpairedAcknowledgement);
        }
        if !telling.occasion.is_failure() {
            return None;
        }
        let previous_output = service.status.failure_output.as_deref().unwrap_or_default();
        let failure = Failure {
            exit: exit_number(telling.retval.as_deref().unwrap_or_default()),
            in_a_row: service.status.failures_in_a_row,
            summary: named_summary(&telling.output),
            previous_summary: named_summary(previous_output),
            output: &telling.output,
            previous_output,
        };
        state.hold(&period.throttle, &failure, now)
    }

    /// Calls the lines of the period that are for this, in the order of the file: whether there
    /// was one.
    pub(super) fn call_alerts(
        &mut self,
        telling: &Telling,
        facts: &Facts,
        period: &Period,
        now: Time,
    ) -> bool {
        let exit = exit_number(telling.retval.as_deref().unwrap_or_default());
        let mut called = false;
        for alert in &period.alerts {
            let fits = !telling.occasion.has_exit()
                || alert.exit.is_none_or(|range| exit.is_some_and(|exit| range.contains(exit)));
            if alert.on == telling.occasion.list() && fits {
                let purpose = Purpose::Period(period);
                called |= self.call(telling, facts, &alert.call, purpose, now);
            }
        }
        called
    }

    /// Calls one alert, now or together with others: whether there is a program to call.
    pub(super) fn call(
        &mut self,
        telling: &Telling,
        facts: &Facts,
        call: &AlertCall,
        purpose: Purpose<'_>,
        now: Time,
    ) -> bool {
        if call.path.is_none() {
            self.log(WatchEvent::NoAlert { name: call.name.clone() });
            return false;
        }
        let judgement = match purpose {
            Purpose::Period(period) => self.judge(telling, facts, call, period, now),
            Purpose::Redistribution | Purpose::Storm | Purpose::Test => Judgement::Alone,
        };
        match judgement {
            Judgement::Alone => self.make(telling, facts, call, purpose, None, now),
            Judgement::Gathered => {
                self.timers.set(Tick::Storm(call.clone()), self.storms.due(call));
                self.log(WatchEvent::Gathered {
                    kind: telling.occasion.word(),
                    key: telling.spec.key.clone(),
                    name: call.name.clone(),
                });
            }
            Judgement::Together(all) => {
                self.make(&all.telling, &all.facts, call, purpose, Some(all.count), now);
            }
        }
        true
    }

    fn judge(
        &mut self,
        telling: &Telling,
        facts: &Facts,
        call: &AlertCall,
        period: &Period,
        now: Time,
    ) -> Judgement {
        match telling.occasion {
            Occasion::Recovery => self.storms.recovery(call, period, telling),
            failure if failure.is_failure() => {
                let key = &telling.spec.key;
                let is_member = self.storms.has(call, &storm::member(key, period));
                let known = self.services.get(key).and_then(|service| service.state(&period.label));
                let is_told = known.is_some_and(|state| state.told && !state.silenced);
                match self.watching.settings.collapse {
                    // Without the setting nobody joins, and those there are wait for nobody.
                    None if is_member => {
                        let collapse = Collapse { within: Duration::ZERO, more_than: 0 };
                        self.storms.failure(call, period, telling, facts, collapse, now)
                    }
                    // Of what was told alone, the end has to be told alone as well.
                    Some(collapse) if is_member || !is_told => {
                        self.storms.failure(call, period, telling, facts, collapse, now)
                    }
                    _ => Judgement::Alone,
                }
            }
            _ => Judgement::Alone,
        }
    }

    /// What was gathered for this call is told. A storm that ended, or began anew, since its timer
    /// was set is not due; while the scheduler is stopped it waits.
    pub(super) fn tell_storm(&mut self, call: &AlertCall, now: Time) {
        let is_due = self.storms.due(call).is_some_and(|due| due <= now);
        if is_due && !self.pause.is_stopped() {
            let mut storms = std::mem::take(&mut self.storms);
            let all = storms.tell(call, |key| self.fails_aloud(key));
            self.storms = storms;
            if let Some(all) = all {
                self.make(&all.telling, &all.facts, call, Purpose::Storm, Some(all.count), now);
            }
        }
        self.forget_calm(now);
    }

    fn fails_aloud(&self, key: &WatchKey) -> bool {
        let fails = |service: &Service| service.status.opstatus == OpStatus::Fail;
        let is_told = |service: &&Service| !self.is_mute(&service.spec) && !self.is_disabled(key);
        self.services.get(key).filter(is_told).is_some_and(fails)
    }

    pub(super) fn forget_calm(&mut self, now: Time) {
        let collapse = self.watching.settings.collapse;
        let within = collapse.map_or(Duration::ZERO, |collapse| collapse.within);
        self.storms.forget_calm(within, now);
    }

    /// Storms that wait are told at their time.
    pub(super) fn arm_storms(&mut self) {
        for (call, due) in self.storms.all_due() {
            self.timers.set(Tick::Storm(call), Some(due));
        }
    }

    /// Those who were told of storms are told of their ends, where no recovery did.
    pub(super) fn clear_storms(&mut self, now: Time) {
        while !self.pause.is_stopped()
            && let Some((call, all)) = self.storms.pop_over()
        {
            self.make(&all.telling, &all.facts, &call, Purpose::Storm, Some(all.count), now);
        }
    }

    /// Membership in storms ends with the failure; where the end is owed, when it is told.
    fn leave_storms(&mut self, key: &WatchKey, now: Time) {
        if !self.storms.has_members() {
            return;
        }
        let Some(service) = self.services.get(key) else { return };
        let spec = service.spec.clone();
        let calm =
            spec.periods.iter().filter(|period| service.stormy_period(&period.label).is_none());
        calm.for_each(|period| self.storms.forget(&storm::member(key, period)));
        self.clear_storms(now);
    }

    fn make(
        &mut self,
        telling: &Telling,
        facts: &Facts,
        call: &AlertCall,
        purpose: Purpose<'_>,
        together: Option<usize>,
        now: Time,
    ) {
        let Some(program) = call.path.clone() else { return };
        let key = &telling.spec.key;
        let note = AlertNote {
            kind: telling.occasion.word(),
            key: key.clone(),
            at: now,
            path: program.display().to_string(),
            words: call.words.join(" "),
            summary: named_summary(&telling.output).to_owned(),
        };
        match purpose {
            Purpose::Redistribution => {}
            Purpose::Test => self.log(calling(&note)),
            Purpose::Period(_) | Purpose::Storm => {
                self.log(calling(&note));
                self.note_alert(note);
            }
        }
        let folders = &self.watching.settings.folders;
        let mut environment = job::alert_environment(telling, facts, folders);
        if let Some(count) = together {
            environment.push(("MON_COLLAPSED".to_owned(), count.to_string()));
        }
        let hosts = self.enabled_hosts(&telling.spec);
        self.actions.push_back(WatchAction::Alert(Box::new(AlertJob {
            lane: key.clone(),
            program,
            arguments: job::alert_arguments(telling, call, &hosts, now),
            environment,
            input: telling.output.clone(),
        })));
    }

    fn note_alert(&mut self, note: AlertNote) {
        if let Some(service) = self.services.get_mut(&note.key) {
            service.status.alerts = service.status.alerts.saturating_add(1);
        }
        if let Some(file) = self.watching.settings.historic_file.clone() {
            self.actions.push_back(WatchAction::Note { file, lines: note.line() });
        }
        self.histories.push_alert(note);
    }

    /// Tells the ends of failures that are owed and may be told by now.
    pub(super) fn settle(&mut self, key: &WatchKey, now: Time) {
        self.tell_ends(key, now);
        self.leave_storms(key, now);
    }

    fn tell_ends(&mut self, key: &WatchKey, now: Time) {
        let Some(service) = self.services.get(key) else { return };
        let untold = self.is_mute(&service.spec) || self.is_disabled(key);
        if self.pause.is_stopped() || untold || !service.owes() {
            return;
        }
        let spec = service.spec.clone();
        let wall = (self.wall)(now);
        for (index, period) in spec.periods.iter().enumerate() {
            let owed = self.period_mut(key, index).and_then(|state| state.owed.clone());
            let Some(owed) = owed else { continue };
            if now < owed.due || !period.times.contains(&wall) {
                continue;
            }
            let telling = Telling {
                spec: spec.clone(),
                occasion: Occasion::Recovery,
                output: owed.before.output,
                retval: Some("0".into()),
                intended: None,
            };
            self.call_alerts(&telling, &owed.before.facts, period, now);
            if let Some(state) = self.period_mut(key, index) {
                state.tally_recovery();
            }
        }
    }

    pub(super) fn settle_all(&mut self, now: Time) {
        for key in self.keys() {
            self.settle(&key, now);
            self.rearm(&key, now);
        }
    }

    /// When it is worth looking whether an end that is owed may be told; none while that waits
    /// for somebody's word.
    pub(super) fn debt_due(&self, service: &Service, now: Time) -> Option<Time> {
        let untold = self.is_mute(&service.spec) || self.is_disabled(&service.spec.key);
        if !service.owes() || self.pause.is_stopped() || untold {
            return None;
        }
        let wall = (self.wall)(now);
        let states = service.spec.periods.iter().zip(&service.periods);
        let due = states.filter_map(|(period, state)| {
            let owed = state.owed.as_ref()?;
            let closed = owed.due <= now && !period.times.contains(&wall);
            Some(if closed { beat::next_look(&period.times, &wall, now) } else { owed.due })
        });
        due.min()
    }

    pub(super) fn period_mut(
        &mut self,
        key: &WatchKey,
        index: usize,
    ) -> Option<&mut super::period::PeriodState> {
        self.services.get_mut(key)?.periods.get_mut(index)
    }
}

impl Service {
    /// Whether the end of a failure is still to be told.
    pub(super) fn owes(&self) -> bool {
        self.status.opstatus != OpStatus::Fail
            && self.periods.iter().any(|period| period.owed.is_some())
    }
}

fn calling(note: &AlertNote) -> WatchEvent {
    WatchEvent::Calling {
        kind: note.kind,
        key: note.key.clone(),
        path: note.path.clone(),
        words: note.words.clone(),
        summary: note.summary.clone(),
    }
}
