//! Whether the director does its work, or only has a process.

use std::time::Duration;

use super::Engine;
use super::kernel::LONGEST_PAUSE;
use crate::model::{Ailment, Phase, Time, Vitals};

/// How late something may be before it counts as stuck. Ten times what the largest batch takes
/// the slowest kernel we know, and no more than a service manager's usual watchdog waits, so that
/// what hangs is noticed within two of its periods.
pub const PATIENCE: Duration = Duration::from_secs(30);

impl Engine {
    /// How the director is. `patience` is how late anything may be: see [`PATIENCE`].
    pub fn vitals(&self, pid: u32, patience: Duration, now: Time) -> Vitals {
        Vitals {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid,
            phase: self.phase,
            up_seconds: now.since(self.started).as_secs_f64(),
            ailments: self.ailments(patience, now),
        }
    }

    fn ailments(&self, patience: Duration, now: Time) -> Vec<Ailment> {
        if self.phase == Phase::Stopping {
            // Nobody is asked any more, and the stop has a time limit of its own.
            return Vec::new();
        }
        let late = self.checks.late(patience, now);
        let late = late.map(|(checks, by)| Ailment::ChecksLate { checks, seconds: by.as_secs() });
        let lost = self.checks.lost(patience, now);
        let lost = lost.map(|(checks, by)| Ailment::ChecksLost { checks, seconds: by.as_secs() });
        [self.table_ailment(patience, now), late, lost].into_iter().flatten().collect()
    }

    /// What is wrong between us and the table, the cause rather than what follows from it.
    fn table_ailment(&self, patience: Duration, now: Time) -> Option<Ailment> {
        let kernel = &self.kernel;
        let waited = now.since(kernel.asked);
        if kernel.busy && waited > patience {
            return Some(Ailment::KernelStuck { seconds: waited.as_secs() });
        }
        if let Some(reason) = kernel.unreachable() {
            return Some(Ailment::KernelUnreachable { reason: reason.to_owned() });
        }
        if let Some(reason) = kernel.refuses_all() {
            return Some(Ailment::TableRefused { reason: reason.to_owned() });
        }
        let wrong = now.since(kernel.compared.unwrap_or(self.started));
        let is_late = self.phase == Phase::Running && wrong > LONGEST_PAUSE + patience;
        is_late.then_some(Ailment::TableWrong { seconds: wrong.as_secs() })
    }
}
