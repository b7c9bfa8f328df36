//! When a monitor is due: a fixed grid, and chance that can be repeated.

use std::time::Duration;

use crate::model::{Calendar, CalendarWindows, Time, WallTime};

/// The grid of one service: points one interval apart, for good, however late single runs are.
///
/// mon counts from the last run instead, so that its period grows by whatever delays a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Beat {
    interval: Duration,
    /// The next point of the grid.
    point: Time,
    /// The point, or a little off it.
    due: Time,
}

/// Nothing sensible asks more often, and a grid needs some distance between its points.
const SHORTEST: Duration = Duration::from_millis(1);

impl Beat {
    /// First due at `first`.
    pub fn new(interval: Duration, first: Time) -> Beat {
        Beat { interval: interval.max(SHORTEST), point: first, due: first }
    }

    pub fn due(&self) -> Time {
        self.due
    }

    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// The run that was due has started, or is left out: the next is due on the first point after
    /// `now`, or up to `skew` off it. Points that passed meanwhile are not made up for.
    pub fn advance(&mut self, now: Time, skew: Option<Duration>, random: &mut Random) {
        self.point = match self.point > now {
            // Early by its skew.
            true => self.point + self.interval,
            false => self.first_point_from(now + Duration::from_nanos(1)),
        };
        self.due = self.point;
        if let Some(skew) = skew {
            // Both ways: from one skew before the point to one after it.
            self.due = (self.point + random.below(skew * 2) - skew).max(now);
        }
    }

    /// A run has ended: what became due while it lasted is left out.
    pub fn catch_up(&mut self, now: Time) {
        if self.due < now {
            self.point = self.first_point_from(now);
            self.due = self.point;
        }
    }

    /// Another interval, counted from the start of the last run.
    pub fn change(&mut self, interval: Duration, started: Time, now: Time) {
        *self = Beat::new(interval, started + interval.max(SHORTEST));
        self.catch_up(now);
    }

    /// Everything happens this much later.
    pub fn shift(&mut self, by: Duration) {
        self.point = self.point + by;
        self.due = self.due + by;
    }

    fn first_point_from(&self, from: Time) -> Time {
        let missed = from.since(self.point).as_nanos().div_ceil(self.interval.as_nanos());
        // An interval is at least a millisecond: even in 2^64 nanoseconds few enough are missed.
        let late = missed.saturating_mul(self.interval.as_nanos());
        self.point + Duration::from_nanos(u64::try_from(late).unwrap_or(u64::MAX))
    }
}

/// The first time after `now` at which `calendar` may say something else: the next second, minute
/// or hour, whichever is the finest it knows. (Hours and not days, for the clocks on the wall may
/// be put forward or back.)
pub(super) fn next_look(calendar: &Calendar, wall: &WallTime, now: Time) -> Time {
    let windows = match &calendar.windows {
        CalendarWindows::Some(windows) => windows.as_slice(),
        CalendarWindows::Always | CalendarWindows::Never => &[],
    };
    let (step, passed) = if windows.iter().any(|window| !window.seconds.is_empty()) {
        (1, 0)
    } else if windows.iter().any(|window| !window.minutes.is_empty()) {
        (60, u64::from(wall.second))
    } else {
        (3600, u64::from(wall.minute) * 60 + u64::from(wall.second))
    };
    let whole = Time::after_epoch(Duration::from_secs(now.seconds()));
    // A leap second may have passed more than there is.
    whole + Duration::from_secs(step.max(passed + 1) - passed)
}

/// Chance from a seed (SplitMix64): fair enough to spread runs, and the same in every test.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// From zero up to, not including, `limit`; zero for zero.
    pub fn below(&mut self, limit: Duration) -> Duration {
        let limit = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
        let scaled = (u128::from(self.next()) * u128::from(limit)) >> 64;
        Duration::from_nanos(scaled as u64)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
