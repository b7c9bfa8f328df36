//! Monotonic time as an argument.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A point on the daemon's own monotonic clock: the time since it started.
///
/// The core never reads a clock. Every deciding function takes `now: Time`, so a test can let a
/// day pass in a microsecond.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(Duration);

impl Time {
    /// The moment the clock started.
    pub const ZERO: Time = Time(Duration::ZERO);

    /// The point `since_start` after the clock started.
    pub const fn after_start(since_start: Duration) -> Time {
        Time(since_start)
    }

    /// How long after the clock started this is.
    pub const fn since_start(self) -> Duration {
        self.0
    }

    /// The time from `earlier` to `self`; zero when `earlier` is in fact later.
    pub fn since(self, earlier: Time) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Time {
    type Output = Time;
    fn add(self, rhs: Duration) -> Time {
        Time(self.0.saturating_add(rhs))
    }
}

/// Saturates at the start of the clock.
impl Sub<Duration> for Time {
    type Output = Time;
    fn sub(self, rhs: Duration) -> Time {
        Time(self.0.saturating_sub(rhs))
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{:?}", self.0)
    }
}
