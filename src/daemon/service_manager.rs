//! What systemd is told, where it listens.

use std::time::Duration;

use sd_notify::NotifyState;

use crate::engine::PATIENCE;

/// How often the watchdog wants to hear of us, twice as often as it insists; `None` without one.
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 2)
}

/// How late anything may be before it counts as stuck: as patient as the watchdog, so that both
/// tell the same.
pub fn patience() -> Duration {
    sd_notify::watchdog_enabled().map_or(PATIENCE, |limit| limit.min(PATIENCE))
}

/// The virtual services are in the kernel.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// A reload begins; [`ready`] ends it.
pub fn reloading() {
    let Ok(now) = NotifyState::monotonic_usec_now() else { return };
    tell(&[NotifyState::Reloading, now]);
}

pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// The loop turns, and nothing hangs.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// Nobody listening is the usual case; a manager that cannot be reached is no reason to stop.
fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "service manager cannot be told");
    }
}
