//! When is each check due?

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::model::Time;

/// When one check is next due, and its place in the beat.
///
/// A check keeps a beat: it starts at the same phase of every interval, however long the probes
/// take. Phases come from a seed, so that ten thousand checks with one interval spread over it
/// evenly and for good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Schedule {
    due: Time,
    /// How far into its interval the second probe goes, as a fraction of 2^32.
    phase: u32,
    started_once: bool,
}

impl Schedule {
    /// First due at `first`; `identity` and `seed` choose the phase of all later probes.
    pub fn new(first: Time, identity: impl Hash, seed: u64) -> Schedule {
        let mut hasher = DefaultHasher::new();
        (seed, identity).hash(&mut hasher);
        let phase = (hasher.finish() >> 32) as u32;
        Schedule { due: first, phase, started_once: false }
    }

    pub fn due(&self) -> Time {
        self.due
    }

    /// The probe that was due has started; sets when the next one is.
    pub fn start(&mut self, interval: Duration, now: Time) {
        if !self.started_once {
            self.started_once = true;
            self.due = now + interval.mul_f64(f64::from(self.phase) / f64::from(u32::MAX));
            return;
        }
        self.due = self.due + interval;
        // After a pause of the whole machine, go on with the beat instead of catching up.
        if self.due <= now {
            self.due = now + interval;
        }
    }

    /// The last probe failed (or no longer does), so that the next is due `interval` after the
    /// last one started.
    pub fn change_interval(&mut self, started: Time, interval: Duration, now: Time) {
        self.due = (started + interval).max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn first_probe_is_due_at_once_and_the_rest_keep_a_beat() {
        let mut schedule = Schedule::new(Time::ZERO, "10.0.0.1:80", 1);
        assert_eq!(schedule.due(), Time::ZERO);
        schedule.start(SECOND, Time::ZERO);
        let second = schedule.due();
        assert!(second.since_epoch() <= SECOND);
        // Started late by 3 ms: the beat does not move.
        schedule.start(SECOND, second + Duration::from_millis(3));
        assert_eq!(schedule.due(), second + SECOND);
    }

    #[test]
    fn pause_of_the_machine_is_not_caught_up_with() {
        let mut schedule = Schedule::new(Time::ZERO, 0, 1);
        schedule.start(SECOND, Time::ZERO);
        let late = Time::after_epoch(Duration::from_secs(3600));
        schedule.start(SECOND, late);
        assert_eq!(schedule.due(), late + SECOND);
    }

    #[test]
    fn ten_thousand_checks_spread_evenly_over_the_interval() {
        let mut tenths = [0; 10];
        for identity in 0..10_000 {
            let mut schedule = Schedule::new(Time::ZERO, identity, 7);
            schedule.start(SECOND, Time::ZERO);
            let tenth = (schedule.due().since_epoch().as_secs_f64() * 10.0) as usize;
            tenths[tenth.min(9)] += 1;
        }
        assert!(tenths.iter().all(|&n| (800..1200).contains(&n)), "{tenths:?}");
    }
}
