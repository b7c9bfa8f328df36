//! The daemon's clock, the only one.

use std::time::{Duration, Instant, SystemTime};

use crate::model::Time;

/// Further than anybody waits.
const FAR: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Starts at the wall-clock time of its making and is monotonic from then on.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
    epoch: Duration,
}

impl Clock {
    pub fn start() -> Clock {
        let epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Clock { started: Instant::now(), epoch: epoch.unwrap_or_default() }
    }

    pub fn now(&self) -> Time {
        Time::after_epoch(self.epoch + self.started.elapsed())
    }

    /// The same point for a timer. One that is too far away for it comes in a hundred years.
    pub fn instant(&self, at: Time) -> Instant {
        let after = at.since_epoch().saturating_sub(self.epoch);
        self.started.checked_add(after).unwrap_or_else(|| self.started + FAR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_no_timer_can_wait_for_is_far_away() {
        let clock = Clock::start();
        let never = clock.instant(Time::after_epoch(Duration::MAX));
        assert!(never > clock.started + FAR / 2);
        let soon = clock.instant(clock.now() + Duration::from_secs(1));
        assert!(soon < clock.started + Duration::from_secs(60));
    }
}
