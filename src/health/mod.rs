//! Is it well? Outcomes of probes in, verdicts out.
//!
//! ```text
//!             pass                       fall failures in a row
//! Unknown ------------> Up  --------------------------------------> Down
//!    |                  ^                                             |
//!    |                  +----------- rise passes in a row ------------+
//!    +--------------- fall failures in a row ------------------------>+
//! ```
//!
//! A server that never answered needs one pass, not `rise` of them: `rise` is there to distrust a
//! server that failed before, and a director that starts should serve at once.
//!
//! A local outcome (the director could not ask) changes nothing and forgets nothing, for a
//! bounded time; after that it counts as a failure, since a director that cannot reach its
//! servers cannot vouch for them.

#![forbid(unsafe_code)]

mod schedule;

use std::time::Duration;

use crate::model::{CheckSpec, Outcome, Probe, Time, Verdict};

pub use schedule::Schedule;

/// What is known of one check of one server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Health {
    verdict: Verdict,
    since: Time,
    passes: u16,
    failures: u16,
    /// Why the last failure failed; kept while it matters, dropped by the next pass that finds
    /// the server up.
    reason: Option<Box<str>>,
    local: Option<Box<Local>>,
}

/// The director has not been able to ask.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Local {
    since: Time,
    reason: Box<str>,
}

impl Health {
    /// Before the first probe. A check that asks nothing has its verdict at once.
    pub fn new(probe: &Probe, now: Time) -> Health {
        let (verdict, reason) = match probe {
            Probe::On => (Verdict::Up, None),
            Probe::Off => (Verdict::Down, Some("check: off".into())),
            _ => (Verdict::Unknown, None),
        };
        Health { verdict, since: now, passes: 0, failures: 0, reason, local: None }
    }

    /// As an earlier run left it.
    pub fn remembered(
        verdict: Verdict,
        since: Time,
        passes: u16,
        failures: u16,
        reason: Option<&str>,
    ) -> Health {
        Health { verdict, since, passes, failures, reason: reason.map(Into::into), local: None }
    }

    /// Takes in what a probe found. Returns the new verdict if it changed.
    ///
    /// `hold` is how long a verdict outlives a director that cannot ask.
    pub fn record(
        &mut self,
        outcome: Outcome,
        check: &CheckSpec,
        hold: Duration,
        now: Time,
    ) -> Option<Verdict> {
        match outcome {
            Outcome::Pass => self.pass(check, now),
            Outcome::Fail(reason) => {
                self.local = None;
                self.fail(reason, check, now)
            }
            Outcome::Local(reason) => self.local(reason, check, hold, now),
        }
    }

    fn pass(&mut self, check: &CheckSpec, now: Time) -> Option<Verdict> {
        self.local = None;
        self.failures = 0;
        self.passes = self.passes.saturating_add(1).min(check.rise);
        match self.verdict {
            Verdict::Unknown => self.turn(Verdict::Up, now),
            Verdict::Down if self.passes >= check.rise => self.turn(Verdict::Up, now),
            Verdict::Down => None,
            Verdict::Up => {
                self.reason = None;
                None
            }
        }
    }

    fn fail(&mut self, reason: String, check: &CheckSpec, now: Time) -> Option<Verdict> {
        self.reason = Some(reason.into());
        self.passes = 0;
        self.failures = self.failures.saturating_add(1).min(check.fall);
        let fallen = self.failures >= check.fall && self.verdict != Verdict::Down;
        if fallen { self.turn(Verdict::Down, now) } else { None }
    }

    fn local(
        &mut self,
        reason: String,
        check: &CheckSpec,
        hold: Duration,
        now: Time,
    ) -> Option<Verdict> {
        let since = self.local.as_ref().map_or(now, |local| local.since);
        self.local = Some(Box::new(Local { since, reason: reason.as_str().into() }));
        if now.since(since) < hold {
            return None;
        }
        self.fail(format!("the director cannot ask: {reason}"), check, now)
    }

    fn turn(&mut self, verdict: Verdict, now: Time) -> Option<Verdict> {
        if verdict == Verdict::Up {
            self.reason = None;
        }
        self.verdict = verdict;
        self.since = now;
        Some(verdict)
    }

    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Since when the verdict holds.
    pub fn since(&self) -> Time {
        self.since
    }

    /// Passes in a row, counted up to the check's `rise`.
    pub fn passes(&self) -> u16 {
        self.passes
    }

    /// Failures in a row, counted up to the check's `fall`.
    pub fn failures(&self) -> u16 {
        self.failures
    }

    /// Why the last probe failed, while the server is down or failing.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// Why the director cannot ask, while it cannot.
    pub fn local_error(&self) -> Option<&str> {
        self.local.as_ref().map(|local| &*local.reason)
    }

    /// Whether the last probe failed.
    pub fn is_failing(&self) -> bool {
        self.failures > 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOLD: Duration = Duration::from_secs(60);

    fn check(rise: u16, fall: u16) -> CheckSpec {
        let second = Duration::from_secs(1);
        CheckSpec {
            probe: Probe::Connect,
            interval: second,
            retry: second,
            timeout: second,
            rise,
            fall,
            between: None,
        }
    }

    fn fail() -> Outcome {
        Outcome::Fail("connect: connection refused".into())
    }

    fn at(second: u64) -> Time {
        Time::after_epoch(Duration::from_secs(second))
    }

    /// Feeds the outcomes a second apart and returns the verdict after each.
    fn verdicts(check: &CheckSpec, outcomes: &[Outcome]) -> Vec<Verdict> {
        let mut health = Health::new(&check.probe, at(0));
        let record = |(second, outcome): (usize, &Outcome)| {
            health.record(outcome.clone(), check, HOLD, at(second as u64));
            health.verdict()
        };
        outcomes.iter().enumerate().map(record).collect()
    }

    #[test]
    fn first_pass_brings_a_new_server_up_whatever_the_rise() {
        assert_eq!(verdicts(&check(3, 1), &[Outcome::Pass]), [Verdict::Up]);
    }

    #[test]
    fn server_goes_down_after_fall_failures_in_a_row() {
        use Verdict::*;
        let outcomes = [Outcome::Pass, fail(), fail(), Outcome::Pass, fail(), fail(), fail()];
        assert_eq!(verdicts(&check(1, 3), &outcomes), [Up, Up, Up, Up, Up, Up, Down]);
    }

    #[test]
    fn server_comes_back_after_rise_passes_in_a_row() {
        use Verdict::*;
        let pass = Outcome::Pass;
        let outcomes = [fail(), pass.clone(), fail(), pass.clone(), pass.clone(), pass];
        assert_eq!(verdicts(&check(3, 1), &outcomes), [Down, Down, Down, Down, Down, Up]);
    }

    #[test]
    fn local_error_holds_the_verdict_and_then_counts_as_failure() {
        let check = check(1, 1);
        let mut health = Health::new(&check.probe, at(0));
        health.record(Outcome::Pass, &check, HOLD, at(0));
        let local = || Outcome::Local("connect: no route to host".into());
        assert_eq!(health.record(local(), &check, HOLD, at(1)), None);
        assert_eq!(health.record(local(), &check, HOLD, at(60)), None);
        assert_eq!(health.local_error(), Some("connect: no route to host"));
        assert_eq!(health.record(local(), &check, HOLD, at(61)), Some(Verdict::Down));
        assert_eq!(health.record(Outcome::Pass, &check, HOLD, at(62)), Some(Verdict::Up));
        assert_eq!(health.local_error(), None);
    }

    #[test]
    fn checks_that_ask_nothing_have_their_verdict_at_once() {
        assert_eq!(Health::new(&Probe::On, at(0)).verdict(), Verdict::Up);
        assert_eq!(Health::new(&Probe::Off, at(0)).verdict(), Verdict::Down);
    }

    proptest! {
        #[test]
        fn verdict_flips_only_after_rise_or_fall_in_a_row(
            rise in 1u16..5, fall in 1u16..5, passes in prop::collection::vec(any::<bool>(), 1..60),
        ) {
            let outcomes: Vec<_> =
                passes.iter().map(|&p| if p { Outcome::Pass } else { fail() }).collect();
            let verdicts = verdicts(&check(rise, fall), &outcomes);
            for n in 1..verdicts.len() {
                let run = |wanted: bool| {
                    passes[..=n].iter().rev().take_while(|&&p| p == wanted).count()
                };
                match (verdicts[n - 1], verdicts[n]) {
                    (Verdict::Down, Verdict::Up) => prop_assert!(run(true) >= rise.into()),
                    (Verdict::Up | Verdict::Unknown, Verdict::Down) => {
                        prop_assert!(run(false) >= fall.into());
                    }
                    (Verdict::Unknown, Verdict::Up) => prop_assert!(passes[n]),
                    (before, after) => prop_assert_eq!(before, after),
                }
            }
        }

        #[test]
        fn alternating_outcomes_never_flip_the_verdict_when_both_are_above_one(
            rise in 2u16..5, fall in 2u16..5, length in 1usize..100,
        ) {
            let outcome = |n: usize| if n.is_multiple_of(2) { Outcome::Pass } else { fail() };
            let outcomes: Vec<_> = (0..length).map(outcome).collect();
            prop_assert!(verdicts(&check(rise, fall), &outcomes).iter().all(|v| *v == Verdict::Up));
        }
    }
}
