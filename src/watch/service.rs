//! One watched service: what is known of it, and what it waits for.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::beat::Beat;
use super::hosts::HostState;
use super::period::PeriodState;
use super::saved::{at, status_number, when};
use super::{RunId, Time};
use crate::model::{OpStatus, Period, WatchSpec, raw};

pub(super) struct Service {
    /// As configured.
    pub configured: Arc<WatchSpec>,
    /// As in force: a client may have set the interval or the description.
    pub spec: Arc<WatchSpec>,
    pub status: Status,
    /// One for each of `spec.periods`.
    pub periods: Vec<PeriodState>,
    /// None where nothing is asked unbidden.
    pub beat: Option<Beat>,
    /// Whether the beat is that of failures.
    pub hurried: bool,
    /// No trap by then is a failure.
    pub trap_due: Option<Time>,
    /// What the last trap said ends then.
    pub trap_ends: Option<Time>,
    /// Somebody asked for a run outside the beat.
    pub bidden: bool,
    pub hold: Hold,
    pub running: Option<Running>,
    /// What a recovery would be told with, of a failure that was alerted before a `reset`.
    pub before_reset: Option<Before>,
}

/// A run under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Running {
    pub run: RunId,
    pub since: Time,
}

/// Why a run that is due does not start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Hold {
    Nothing,
    /// As many run as may.
    Throttled,
    /// Inside its `exclude_period`, until then at least.
    Excluded(Time),
    /// A parent fails. Looked at again when a parent changes, or then.
    Dependency(Option<Time>),
}

/// What is remembered of results. The names and meanings are those of mon's `opstatus` file.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    #[serde(with = "status_number")]
    pub opstatus: OpStatus,
    #[serde(with = "status_number")]
    pub last_opstatus: OpStatus,
    /// Of the last result: an exit status, or whatever a trap said.
    pub retval: Option<Arc<str>>,
    #[serde(with = "when")]
    pub last_check: Option<Time>,
    #[serde(with = "when")]
    pub last_success: Option<Time>,
    /// None once it is well again.
    #[serde(with = "when")]
    pub last_failure: Option<Time>,
    #[serde(with = "when")]
    pub first_failure: Option<Time>,
    #[serde(with = "when")]
    pub last_trap: Option<Time>,
    pub failures_in_a_row: u32,
    pub failures: u64,
    pub alerts: u64,
    pub acknowledged: Option<Ack>,
    pub depend_status: Option<bool>,
    /// The whole output of the last result.
    pub last_output: Option<Arc<str>>,
    /// Of the last failed result; none once it is well again.
    pub failure_output: Option<Arc<str>>,
    pub last_summary: Option<Arc<str>>,
    pub last_detail: Option<Arc<str>>,
    /// When the last failure ended, and what it was; for those who depend on this service.
    #[serde(with = "when")]
    pub recovered: Option<Time>,
    pub failed_summary: Option<Arc<str>>,
    pub duration: Option<Duration>,
    /// As its monitor last found them, in its order.
    pub hosts: Vec<HostState>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Ack {
    #[serde(with = "at")]
    pub at: Time,
    pub user: String,
    pub comment: String,
}

impl Ack {
    /// As in `MON_ACK`.
    pub fn text(&self) -> String {
        format!("{}: {}", self.user, self.comment)
    }
}

/// What the environment of a call tells, as of one moment.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Facts {
    #[serde(with = "status_number")]
    pub opstatus: OpStatus,
    /// Whether there was a result at all.
    pub has_result: bool,
    pub last_summary: Option<Arc<str>>,
    pub last_output: Option<Arc<str>>,
    #[serde(with = "when")]
    pub last_failure: Option<Time>,
    #[serde(with = "when")]
    pub first_failure: Option<Time>,
    #[serde(with = "when")]
    pub last_success: Option<Time>,
    pub acknowledged: Option<String>,
    /// The target of a stray trap.
    pub intended: Option<Arc<str>>,
}

/// What the recovery from a failure is told with.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Before {
    /// Of the last failed result.
    pub output: Arc<str>,
    pub facts: Facts,
}

impl Status {
    pub fn facts(&self) -> Facts {
        Facts {
            opstatus: self.opstatus,
            has_result: self.retval.is_some(),
            last_summary: self.last_summary.clone(),
            last_output: self.last_output.clone(),
            last_failure: self.last_failure,
            first_failure: self.first_failure,
            last_success: self.last_success,
            acknowledged: self.acknowledged.as_ref().map(Ack::text),
            intended: None,
        }
    }

    /// No time is later than now.
    pub fn put_into_the_past(&mut self, now: Time) {
        for time in [
            &mut self.last_check,
            &mut self.last_success,
            &mut self.last_failure,
            &mut self.first_failure,
            &mut self.last_trap,
            &mut self.recovered,
        ] {
            *time = time.map(|time| time.min(now));
        }
        self.hosts.iter_mut().for_each(|host| host.since = host.since.min(now));
        if let Some(ack) = &mut self.acknowledged {
            ack.at = ack.at.min(now);
        }
    }

    pub fn set_opstatus(&mut self, opstatus: OpStatus) {
        self.last_opstatus = self.opstatus;
        self.opstatus = opstatus;
    }

    /// What its recovery would be told with, if it came now.
    pub fn before_recovery(&self) -> Before {
        let output = self.last_output.clone().or_else(|| self.failure_output.clone());
        let facts = Facts { opstatus: OpStatus::Ok, ..self.facts() };
        Before { output: output.unwrap_or_default(), facts }
    }
}

impl Service {
    pub fn new(spec: Arc<WatchSpec>) -> Service {
        Service {
            configured: spec.clone(),
            periods: vec![PeriodState::default(); spec.periods.len()],
            spec,
            status: Status::default(),
            beat: None,
            hurried: false,
            trap_due: None,
            trap_ends: None,
            bidden: false,
            hold: Hold::Nothing,
            running: None,
            before_reset: None,
        }
    }

    /// What the period of this label remembers.
    pub fn state(&self, label: &str) -> Option<&PeriodState> {
        let at = self.spec.periods.iter().position(|period| period.label == label)?;
        self.periods.get(at)
    }

    /// The period of this label, if a storm may have it as a member: while it fails, its end is
    /// owed, or a `reset` forgot that it does.
    pub fn stormy_period(&self, label: &str) -> Option<&Period> {
        let at = self.spec.periods.iter().position(|period| period.label == label)?;
        let owed = self.periods.get(at).is_some_and(|state| state.owed.is_some());
        let fails = self.status.opstatus == OpStatus::Fail || self.before_reset.is_some();
        (fails || owed).then(|| &self.spec.periods[at])
    }

    /// All timers start now; the first run is due after `first`.
    pub fn start_timers(&mut self, first: Option<Duration>, now: Time) {
        self.hurried = false;
        self.beat = self.spec.monitor.as_ref().and(self.spec.interval).map(|interval| {
            let first = first.unwrap_or(interval);
            Beat::new(interval, now + first)
        });
        self.trap_due = self.spec.trap_timeout.map(|timeout| now + timeout);
        self.trap_ends = None;
        self.hold = Hold::Nothing;
    }

    /// After its status was put in place: what the last trap said ends when it would have. A time
    /// that is over counts only where the end has not come yet: the state may be younger.
    pub fn resume_trap(&mut self, clock: Time, now: Time) {
        let ends = self.spec.trap_duration.zip(self.status.last_trap).map(|(lasts, at)| at + lasts);
        let ends = ends.filter(|ends| *ends > now || self.trap_ends.is_some());
        self.trap_ends = ends.map(|ends| clock + ends.since(now));
    }

    /// A failed check: ask at the interval of failures, if there is one.
    pub fn hurry(&mut self, now: Time) {
        if let Some(interval) = self.spec.failure_interval
            && !self.hurried
        {
            self.hurried = true;
            self.change_interval(interval, now);
        }
    }

    /// It is well again: back to the ordinary interval.
    pub fn calm(&mut self, now: Time) {
        if self.hurried {
            self.hurried = false;
            if let Some(interval) = self.spec.interval {
                self.change_interval(interval, now);
            }
        }
    }

    fn change_interval(&mut self, interval: Duration, now: Time) {
        let started = self.status.last_check.unwrap_or(now);
        if let Some(beat) = &mut self.beat {
            beat.change(interval, started, now);
        }
    }

    /// The interval in force.
    pub fn interval(&self) -> Option<Duration> {
        self.beat.map(|beat| beat.interval()).or(self.spec.interval)
    }

    /// All that waits for the clock happens this much later.
    pub fn shift(&mut self, by: Duration) {
        if let Some(beat) = &mut self.beat {
            beat.shift(by);
        }
        for timer in [&mut self.trap_due, &mut self.trap_ends] {
            *timer = timer.map(|at| at + by);
        }
    }

    /// When there is something to do for a service whose timers run, debts aside.
    pub fn deadline(&self, now: Time) -> Option<Time> {
        [self.run_due(now), self.trap_due, self.trap_ends].into_iter().flatten().min()
    }

    /// Whether its monitor is to start, or to look again what keeps it.
    pub fn wants_run(&self, now: Time) -> bool {
        self.run_due(now).is_some_and(|due| due <= now)
    }

    fn run_due(&self, now: Time) -> Option<Time> {
        match (self.running, self.hold) {
            (Some(_), _) | (None, Hold::Throttled) => None,
            (None, Hold::Excluded(until)) => Some(until),
            (None, Hold::Dependency(again)) => again,
            (None, Hold::Nothing) if self.bidden => Some(now),
            (None, Hold::Nothing) => self.beat.map(|beat| beat.due()),
        }
    }
}

/// Bytes of one output that are kept and handed on: a word of an environment may have 128 KiB on
/// Linux, name included, or the program is not started at all.
pub(super) const OUTPUT_LIMIT: usize = 64 * 1024;

/// What is kept of an output.
pub(super) fn bounded(output: &str) -> Arc<str> {
    raw::bounded(output, OUTPUT_LIMIT).into()
}

/// The first line.
pub(super) fn summary(output: &str) -> &str {
    output.split('\n').next().unwrap_or_default()
}

/// The first line, or mon's words for none.
pub(super) fn named_summary(output: &str) -> &str {
    match summary(output) {
        blank if blank.trim().is_empty() => "(NO SUMMARY)",
        some => some,
    }
}

/// All but the first line.
pub(super) fn detail(output: &str) -> &str {
    output.split_once('\n').map_or("", |(_, detail)| detail)
}
