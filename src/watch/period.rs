//! What one period of one service remembers, and when its throttles hold a failure back.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::saved::{at, when};
use super::service::Before;
use crate::model::{Repeat, Throttle, Time};

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct PeriodState {
    /// Rounds for the failure that lasts.
    pub alerts_sent: u32,
    #[serde(with = "when")]
    pub last_alert: Option<Time>,
    /// Start of the window of `alertafter`.
    #[serde(with = "when")]
    pub window_start: Option<Time>,
    /// Failures in that window.
    pub window_failures: u32,
    /// There were enough of them: from now on the failure is told.
    pub reached: bool,
    /// A recovery was told since the last alert; matters where they need not be paired.
    pub upalert_sent: bool,
    /// A failure was told, and its end was not.
    pub told: bool,
    /// Its end came, and nobody is told of that: what a trap said held no longer.
    pub silenced: bool,
    /// The end came when it could not be told.
    pub owed: Option<Owed>,
}

/// A recovery that is to be told as soon as it may.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Owed {
    /// Not earlier.
    #[serde(with = "at")]
    pub due: Time,
    pub before: Before,
}

/// A failure, as the throttles see it.
pub(super) struct Failure<'a> {
    /// None where no range can have it.
    pub exit: Option<u8>,
    pub in_a_row: u32,
    /// Of this result and the failed one before, blank ones by name.
    pub summary: &'a str,
    pub previous_summary: &'a str,
    pub output: &'a str,
    pub previous_output: &'a str,
}

/// Why a failure is not told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Suppression {
    ExitRange,
    Limit,
    Every,
    AfterFailures,
    AfterTime,
    AfterWithin,
    /// Nobody was told of a failure.
    UnpairedRecovery,
    UnpairedAcknowledgement,
}

impl PeriodState {
    /// Whether this failure is held back, and by what. Counts it where failures are counted, so
    /// it is asked once for each.
    pub fn hold(
        &mut self,
        throttle: &Throttle,
        failure: &Failure<'_>,
        now: Time,
    ) -> Option<Suppression> {
        if let Some(range) = throttle.exit
            && !failure.exit.is_some_and(|exit| range.contains(exit))
        {
            return Some(Suppression::ExitRange);
        }
        if throttle.limit.is_some_and(|limit| self.alerts_sent >= limit) {
            return Some(Suppression::Limit);
        }
        if throttle.every.is_some_and(|(time, repeat)| self.repeats(time, repeat, failure, now)) {
            return Some(Suppression::Every);
        }
        if throttle.after_failures.is_some_and(|least| failure.in_a_row < least) {
            return Some(Suppression::AfterFailures);
        }
        if let Some(time) = throttle.after_time
            && seconds_since(*self.window_start.get_or_insert(now), now) <= time
        {
            return Some(Suppression::AfterTime);
        }
        if let Some((least, time)) = throttle.after_within
            && !self.reaches(least, time, now)
        {
            return Some(Suppression::AfterWithin);
        }
        None
    }

    fn repeats(&self, time: Duration, repeat: Repeat, failure: &Failure<'_>, now: Time) -> bool {
        let Some(last) = self.last_alert else { return false };
        seconds_since(last, now) < time
            && match repeat {
                Repeat::SameSummary => failure.summary == failure.previous_summary,
                Repeat::SameDetail => failure.output == failure.previous_output,
                Repeat::All | Repeat::Strict => true,
            }
    }

    /// Counts one more failure: whether there were `least` within `time`, now or earlier in this
    /// failure. mon forgets the latter and falls silent again whenever the time is over.
    fn reaches(&mut self, least: u32, time: Duration, now: Time) -> bool {
        self.window_failures = self.window_failures.saturating_add(1);
        let over = self.window_start.is_none_or(|start| seconds_since(start, now) > time);
        if over {
            self.window_start = Some(now);
            self.window_failures = 1;
        }
        self.reached |= self.window_failures >= least;
        self.reached
    }

    /// No time but that of a debt is later than now, and that no later than it can be.
    pub fn put_into_the_past(&mut self, throttle: &Throttle, now: Time) {
        for time in [&mut self.last_alert, &mut self.window_start] {
            *time = time.map(|time| time.min(now));
        }
        if let Some(owed) = &mut self.owed {
            owed.due = owed.due.min(now + throttle.recovery_after.unwrap_or_default());
        }
    }

    /// The failure is over, told or not.
    pub fn recover(&mut self, throttle: &Throttle) {
        if !matches!(throttle.every, Some((_, Repeat::Strict))) {
            self.last_alert = None;
        }
        self.alerts_sent = 0;
        self.restart_window();
    }

    /// Counting starts anew.
    pub fn restart_window(&mut self) {
        self.window_start = None;
        self.window_failures = 0;
        self.reached = false;
    }

    /// A round of alerts of a failure, or of an acknowledgement, was called.
    pub fn tally(&mut self, is_failure: bool, now: Time) {
        self.alerts_sent = self.alerts_sent.saturating_add(1);
        self.last_alert = Some(now);
        self.upalert_sent = false;
        self.told |= is_failure;
        self.silenced &= !is_failure;
    }

    /// The end of a failure was told.
    pub fn tally_recovery(&mut self) {
        self.alerts_sent = 0;
        self.last_alert = None;
        self.upalert_sent = true;
        self.told = false;
        self.owed = None;
    }

    /// Whether a recovery concerns those it tells.
    pub fn wants_recovery(&self, throttle: &Throttle) -> bool {
        self.told || (throttle.unpaired && !self.upalert_sent)
    }
}

/// As mon counts: in whole seconds of the clock, so that a result that comes some milliseconds
/// earlier within its second than the last one is not told an interval later.
fn seconds_since(earlier: Time, now: Time) -> Duration {
    Duration::from_secs(now.seconds().saturating_sub(earlier.seconds()))
}

impl fmt::Display for Suppression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Suppression::ExitRange => "alert since the exit status is not in alertexitrange.",
            Suppression::Limit => "alert since numalerts is met.",
            Suppression::Every => "alert for now due to alertevery.",
            Suppression::AfterFailures => "alert for now due to alertafter consecutive failures.",
            Suppression::AfterTime => "alert for now due to alertafter numval.",
            Suppression::AfterWithin => "alert for now due to alertafter num timeval.",
            Suppression::UnpairedRecovery => "upalert since no down alert was sent.",
            Suppression::UnpairedAcknowledgement => "ackalert since no down alert was sent.",
        })
    }
}
