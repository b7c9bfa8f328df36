//! Real servers of virtual services are told of by the active director alone: both check them.
//!
//! On standby their results are not heard, and whatever would tell of them by itself (a timer, a
//! storm, a start, a state that is loaded) tells nobody. What is known of them is forgotten
//! whenever the role changes, as by a `reset`: throttles and acknowledgements are about a failure
//! that the other director may have seen end. That somebody was told of one here is kept, and its
//! end told once it is found here. Everything else that is watched takes no notice.

use super::service::Service;
use super::{Watcher, storm};
use crate::model::{Alert, AlertOn, Role, Time, WatchKey, WatchSpec};

impl Watcher {
    /// This director plays that part from now on.
    pub fn handle_role(&mut self, role: Role, now: Time) {
        if std::mem::replace(&mut self.role, role) != role {
            self.forget_servers(now);
        }
    }

    /// Whether this director tells of real servers.
    pub fn tells_of_servers(&self) -> bool {
        self.role == Role::Active
    }

    /// Whether telling of it is the other director's to do.
    pub(super) fn is_mute(&self, spec: &WatchSpec) -> bool {
        spec.hosts.is_some() && !self.tells_of_servers()
    }

    pub(super) fn forget_servers(&mut self, now: Time) {
        for key in self.keys() {
            if self.services.get(&key).is_some_and(|service| service.spec.hosts.is_some()) {
                self.forget_server(&key, now);
            }
        }
    }

    fn forget_server(&mut self, key: &WatchKey, now: Time) {
        let Some(mut old) = self.services.remove(key) else { return };
        self.desert_storms(&mut old);
        let configured = old.configured.clone();
        let mut service = self.anew(old, &configured, now);
        service.await_end_again();
        self.services.insert(key.clone(), service);
        self.changed = true;
        self.wake_dependents(key, now);
        self.rearm(key, now);
    }

    fn desert_storms(&mut self, service: &mut Service) {
        for (period, state) in service.spec.periods.iter().zip(&mut service.periods) {
            let on_failure = |alert: &&Alert| alert.on == AlertOn::Failure;
            let calls = period.alerts.iter().filter(on_failure).count();
            let untold = self.storms.desert(&storm::member(&service.spec.key, period));
            // Whom a call of its own told is to hear of the end.
            state.told &= untold != Some(calls);
        }
    }
}

impl Service {
    /// An end that is owed may be no end any more: it is told when it is found again.
    fn await_end_again(&mut self) {
        for period in &mut self.periods {
            if let Some(owed) = period.owed.take() {
                self.before_reset.get_or_insert(owed.before);
            }
        }
    }
}
