//! A result, whoever found it: what it changes, and who is told.

use std::sync::Arc;
use std::time::Duration;

use super::depend::Kind;
use super::job::{Telling, is_failure};
use super::log::WatchEvent;
use super::occasion::Occasion;
use super::period::{Owed, Suppression};
use super::service::{Before, bounded, detail, named_summary, summary};
use super::{RunId, WatchAction, Watcher};
use crate::model::{
    AlertOn, FailureNote, Finding, OpStatus, Period, Time, Trap, WatchKey, WatchSpec,
};

/// One result.
pub(super) struct Happened {
    /// A check, a trap or its absence.
    pub occasion: Occasion,
    pub retval: Arc<str>,
    pub output: Arc<str>,
    /// The target of a stray trap.
    pub intended: Option<Arc<str>>,
}

impl Watcher {
    /// A monitor has ended. Nothing, if the run was abandoned meanwhile.
    pub fn handle_result(&mut self, run: RunId, finding: Finding, now: Time) {
        let Some(key) = self.runs.remove(&run) else { return };
        if let Some(service) = self.services.get_mut(&key)
            && let Some(running) = service.running.take()
        {
            service.status.duration = Some(now.since(running.since));
        }
        self.happen(&key, check(finding), now);
        let clock = self.pause.clock(now);
        if let Some(beat) = self.services.get_mut(&key).and_then(|service| service.beat.as_mut()) {
            beat.catch_up(clock);
        }
        self.rearm(&key, now);
        self.fill_slots(now);
    }

    /// The result of a service that others ask: the check of a real server. Nothing, if no such
    /// service is watched, or not now.
    pub fn handle_outcome(&mut self, key: &WatchKey, finding: Finding, now: Time) {
        let Some(service) = self.services.get_mut(key) else { return };
        if service.spec.exclude.as_ref().is_some_and(|times| times.contains(&(self.wall)(now))) {
            return;
        }
        service.status.last_check = Some(now);
        self.happen(key, check(finding), now);
        self.rearm(key, now);
    }

    /// A trap that was let in. The error, in mon's words, says whom it was for.
    pub fn handle_trap(&mut self, trap: Trap, now: Time) -> Result<(), String> {
        let (key, intended) = self.target(&trap)?;
        let clock = self.pause.clock(now);
        if let Some(service) = self.services.get_mut(&key) {
            service.status.last_trap = Some(now);
            service.trap_due = service.spec.trap_timeout.map(|timeout| clock + timeout);
            service.trap_ends = service.spec.trap_duration.map(|lasts| clock + lasts);
        }
        // A second line feed follows even where the summary ends with one, as with mon: the
        // second line of such an output is always empty.
        let end = if trap.summary.ends_with('\n') { "" } else { "\n" };
        let output = format!("{}{end}\n{}", trap.summary, trap.detail);
        let result = Happened {
            occasion: Occasion::Trap,
            retval: bounded(&trap.status),
            output: bounded(&output),
            intended: intended.as_deref().map(bounded),
        };
        self.happen(&key, result, now);
        self.rearm(&key, now);
        Ok(())
    }

    /// The service a trap is for; what nobody watches goes to the group `default`, if there is
    /// one, and is told apart there.
    fn target(&self, trap: &Trap) -> Result<(WatchKey, Option<String>), String> {
        let Trap { group, service, .. } = trap;
        let mut key = WatchKey::new(group, service);
        let mut intended = None;
        if !self.has_watch(&key.group) && self.has_watch("default") {
            intended = Some(format!("{group}:{service}"));
            key.group = "default".into();
        }
        if &*key.group == "default" && !self.services.contains_key(&key) {
            key.service = "default".into();
        }
        if self.services.contains_key(&key) {
            Ok((key, intended))
        } else if self.watching.groups.contains_key(&key.group) {
            Err(format!("trap received for undefined service type {group}/{service}"))
        } else {
            Err(format!("trap received for undefined group {group}"))
        }
    }

    pub(super) fn has_watch(&self, group: &str) -> bool {
        let first = WatchKey::new(group, "");
        self.services.range(first..).next().is_some_and(|(key, _)| &*key.group == group)
    }

    /// No trap for too long.
    pub(super) fn miss_trap(&mut self, key: &WatchKey, timeout: Duration, now: Time) {
        let at = (self.wall)(now);
        let seconds = timeout.as_secs_f64();
        let output = format!("trap timeout\ntrap timeout after {seconds}s at {at}\n");
        let result = Happened {
            occasion: Occasion::TrapTimeout,
            retval: "1".into(),
            output: output.into(),
            intended: None,
        };
        self.happen(key, result, now);
    }

    /// What a trap said holds no longer: all is well, and nobody is told.
    pub(super) fn end_trap(&mut self, key: &WatchKey, now: Time) {
        let Some(service) = self.services.get_mut(key) else { return };
        let status = &mut service.status;
        if status.opstatus == OpStatus::Fail {
            status.recovered = Some(now);
            status.failed_summary = status.last_summary.clone();
        }
        status.set_opstatus(OpStatus::Ok);
        self.changed = true;
        service.periods.iter_mut().for_each(|period| period.silenced = true);
        self.wake_dependents(key, now);
    }

    fn happen(&mut self, key: &WatchKey, result: Happened, now: Time) {
        if self.services.get(key).is_none_or(|service| self.is_mute(&service.spec)) {
            return;
        }
        // For clients and monitors, who are told how dependencies were at the last result.
        self.look_at_dependency(key, Kind::Alerts, now);
        let Some(service) = self.services.get_mut(key) else { return };
        let spec = service.spec.clone();
        let was = service.status.opstatus;
        let failed = is_failure(&result.retval);
        if failed {
            // Of a good result programs are told later, as with mon: the first has none before.
            service.status.retval = Some(result.retval.clone());
        }
        match failed {
            true => self.fail(&spec, &result, now),
            false => self.succeed(&spec, &result, now),
        }
        let Some(service) = self.services.get_mut(key) else { return };
        service.status.retval = Some(result.retval.clone());
        let words = if failed { named_summary } else { summary };
        // Of no output at all there is no summary, not an empty one: programs can tell.
        let has_summary = failed || !result.output.is_empty();
        service.status.last_summary = has_summary.then(|| words(&result.output).into());
        service.status.last_detail = Some(detail(&result.output).into());
        service.status.last_output = Some(result.output);
        if service.status.opstatus != was {
            self.changed = true;
            self.wake_dependents(key, now);
        }
    }

    fn fail(&mut self, spec: &Arc<WatchSpec>, result: &Happened, now: Time) {
        let key = &spec.key;
        let Some(service) = self.services.get_mut(key) else { return };
        let status = &mut service.status;
        status.failures = status.failures.saturating_add(1);
        status.failures_in_a_row = status.failures_in_a_row.saturating_add(1);
        status.last_failure = Some(now);
        if status.opstatus != OpStatus::Fail {
            status.first_failure = Some(now);
        }
        status.set_opstatus(OpStatus::Fail);
        let summary: Arc<str> = named_summary(&result.output).into();
        status.last_summary = Some(summary.clone());
        status.last_detail = Some(detail(&result.output).into());
        service.before_reset = None;
        // What was to be told to be over is not.
        service.periods.iter_mut().for_each(|period| period.owed = None);
        let summary = summary.to_string();
        self.log(WatchEvent::Failed { key: key.clone(), at: now, summary: summary.clone() });
        self.histories.push_failure(FailureNote { key: key.clone(), at: now, summary });
        let telling = Telling {
            spec: spec.clone(),
            occasion: result.occasion,
            output: result.output.clone(),
            retval: Some(result.retval.clone()),
            intended: result.intended.clone(),
        };
        self.tell(&telling, now);
        let clock = self.pause.clock(now);
        if let Some(service) = self.services.get_mut(key) {
            if result.occasion == Occasion::Failure {
                service.hurry(clock);
            }
            service.status.failure_output = Some(result.output.clone());
        }
    }

    fn succeed(&mut self, spec: &Arc<WatchSpec>, result: &Happened, now: Time) {
        let key = &spec.key;
        self.note_downtime(key, now);
        let clock = self.pause.clock(now);
        let Some(service) = self.services.get_mut(key) else { return };
        let status = &mut service.status;
        let mut before = status.before_recovery();
        before.facts.intended = result.intended.clone();
        let first_failure = status.first_failure;
        let failed = status.opstatus == OpStatus::Fail;
        if failed {
            status.recovered = Some(now);
            status.failed_summary = status.last_summary.clone();
        }
        status.set_opstatus(OpStatus::Ok);
        let over = match failed {
            true => Some(before.clone()),
            false => service.before_reset.take(),
        };
        self.redistribute_recovery(spec, &before, now);
        self.owe(spec, over, first_failure, now);
        self.settle(key, now);
        let Some(service) = self.services.get_mut(key) else { return };
        let status = &mut service.status;
        status.acknowledged = None;
        status.first_failure = None;
        status.last_failure = None;
        status.failures_in_a_row = 0;
        status.failure_output = None;
        status.last_success = Some(now);
        for (period, state) in spec.periods.iter().zip(&mut service.periods) {
            state.recover(&period.throttle);
        }
        service.calm(clock);
    }

    /// Every good result, with the output of the one before.
    fn redistribute_recovery(&mut self, spec: &Arc<WatchSpec>, before: &Before, now: Time) {
        if !self.pause.is_stopped() {
            let telling = Telling {
                spec: spec.clone(),
                occasion: Occasion::Recovery,
                output: before.output.clone(),
                retval: Some("0".into()),
                intended: None,
            };
            self.redistribute(&telling, &before.facts, now);
        }
    }

    /// A good result: from now on each period that was told of a failure is owed its end. `over`
    /// is what ended, if anything did.
    fn owe(
        &mut self,
        spec: &Arc<WatchSpec>,
        over: Option<Before>,
        first_failure: Option<Time>,
        now: Time,
    ) {
        let key = &spec.key;
        let silent = self.pause.is_stopped() || self.is_disabled(key);
        // Most results are good ones after good ones: those ask for no time of the day.
        let wall = over.as_ref().map(|_| (self.wall)(now));
        let mut owes = false;
        for (index, period) in spec.periods.iter().enumerate() {
            let Some(state) = self.period_mut(key, index) else { continue };
            if state.owed.is_some() {
                continue;
            }
            let told = state.told;
            state.told = false;
            let (Some(before), Some(wall)) = (over.clone(), &wall) else { continue };
            if !tells_recoveries(period) {
                continue;
            }
            if !(told || state.wants_recovery(&period.throttle)) {
                let why = Suppression::UnpairedRecovery;
                let (key, period) = (key.clone(), period.label.clone());
                self.log(WatchEvent::Suppressed { key, period, why });
                continue;
            }
            let after = period.throttle.recovery_after.unwrap_or_default();
            let due = first_failure.map_or(now, |first| (first + after).max(now));
            // Who was not told of a failure is told of its end only if that may be at once.
            if told || (!silent && due <= now && period.times.contains(wall)) {
                state.told = told;
                state.owed = Some(Owed { due, before });
                owes = true;
            }
        }
        if owes && self.pause.is_stopped() {
            self.log(WatchEvent::IgnoredStopped(key.clone()));
        } else if owes && self.is_disabled(key) {
            self.log(WatchEvent::IgnoredDisabled(key.clone()));
        }
    }

    /// `UPTIME GROUP SERVICE FIRSTFAIL SECONDS INTERVAL SUMMARY` at the end of a failure.
    fn note_downtime(&mut self, key: &WatchKey, now: Time) {
        let Some(file) = self.watching.settings.downtime_file.clone() else { return };
        let Some(service) = self.services.get(key) else { return };
        if service.status.opstatus != OpStatus::Fail {
            return;
        }
        let first = service.status.first_failure.unwrap_or(now).seconds();
        let interval = service.interval().unwrap_or_default().as_secs_f64();
        let lines = format!(
            "{} {} {} {first} {} {interval} {}",
            now.seconds(),
            key.group,
            key.service,
            now.seconds().saturating_sub(first),
            service.status.last_summary.as_deref().unwrap_or_default(),
        );
        self.actions.push_back(WatchAction::Note { file, lines });
    }
}

fn check(finding: Finding) -> Happened {
    Happened {
        occasion: Occasion::Failure,
        retval: finding.exit.to_string().into(),
        output: bounded(&finding.output),
        intended: None,
    }
}

/// Whether a period has anybody to tell of recoveries, whose exit status is 0.
pub(super) fn tells_recoveries(period: &Period) -> bool {
    period.alerts.iter().any(|alert| {
        alert.on == AlertOn::Recovery && alert.exit.is_none_or(|range| range.contains(0))
    })
}
