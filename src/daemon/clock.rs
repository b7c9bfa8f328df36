//! The daemon's clock, the only one.

use std::time::{Duration, Instant, SystemTime};

use crate::model::Time;

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

    /// The same point for a timer.
    pub fn instant(&self, at: Time) -> Instant {
        self.started + at.since_epoch().saturating_sub(self.epoch)
    }
}
