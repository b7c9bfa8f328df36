//! Monotonic time as an argument.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A point on the daemon's own monotonic clock.
///
/// The core never reads a clock. Every deciding function takes `now: Time`, so a test can let a
/// day pass in a microsecond. The daemon starts its clock at the wall-clock time of its start,
/// counted from the Unix epoch, so that a time remembered from an earlier run has a place on it;
/// from then on the clock is monotonic, whatever happens to the wall clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(Duration);

impl Time {
    /// The epoch of the clock.
    pub const ZERO: Time = Time(Duration::ZERO);

    /// The point this long after the epoch.
    pub const fn after_epoch(since_epoch: Duration) -> Time {
        Time(since_epoch)
    }

    /// How long after the epoch this is.
    pub const fn since_epoch(self) -> Duration {
        self.0
    }

    /// The same in whole seconds: of the daemon's clock, those since 1970.
    pub const fn seconds(self) -> u64 {
        self.0.as_secs()
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

/// Saturates at the epoch.
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
