//! Which part this director plays, and whether the table is as that asks.
//!
//! On standby every service of ours is wanted absent, but for those that a stop keeps: they are
//! left as they are. Checks go on and verdicts are kept, so the first table written on becoming
//! active is the right one.

use super::{Action, Engine, Service};
use crate::event::Event;
use crate::model::{Entry, Phase, Role, RoleReport, ServiceKey, StopAction, Time};

/// The part played.
#[derive(Default, Debug)]
pub(super) struct Part {
    pub role: Role,
    /// Whether somebody gave his word; without it the first configuration decides.
    pub given: bool,
    /// Whether all that the role asks for was written and read back.
    pub settled: bool,
}

impl Engine {
    pub fn role(&self) -> Role {
        self.part.role
    }

    /// Takes up the role that an earlier run noted. To be called before there is a configuration.
    pub fn resume_role(&mut self, role: Role) {
        self.part.given = true;
        self.change_role(role, "noted by the last run");
    }

    /// The first configuration has come: it decides where nobody gave his word.
    pub(super) fn begin_role(&mut self, role: Role) {
        if !self.part.given {
            self.change_role(role, "global.yaml");
        }
    }

    /// Takes somebody's word for a role; `cause` names him. It holds until the next word, also for
    /// later runs: it is noted before the table is touched. [`Engine::role_report`] says what came
    /// of it.
    pub fn handle_role(&mut self, role: Role, cause: &'static str, now: Time) {
        let given = std::mem::replace(&mut self.part.given, true);
        if self.phase == Phase::Stopping || given && self.part.role == role {
            return;
        }
        self.actions.push_back(Action::NoteRole(role));
        self.change_role(role, cause);
        self.turn(now);
    }

    fn change_role(&mut self, role: Role, cause: &'static str) {
        if std::mem::replace(&mut self.part.role, role) == role {
            return;
        }
        self.part.settled = false;
        self.backings_changed = true;
        self.events.push_back(Event::RoleChanged { role, cause });
        // What was refused a moment ago is worth a try: another table is wanted.
        self.kernel.troubles.clear();
        self.sync.disturb();
        self.kernel.dirty.extend(self.kernel.owned.keys());
    }

    /// What came of the role; `None` while the table is being written and read back, and when a
    /// stop has come in between.
    pub fn role_report(&self) -> Option<RoleReport> {
        let outage = self.kernel.outage.as_ref().filter(|_| self.kernel.outage_told);
        if self.phase == Phase::Stopping || (!self.part.settled && outage.is_none()) {
            return None;
        }
        let refused = self.kernel.troubles.iter();
        let refused = refused.map(|(key, trouble)| format!("{key}: {}", trouble.message));
        let sync = self.sync_trouble().map(str::to_owned);
        Some(RoleReport {
            role: self.part.role,
            services: self.kernel.present().count(),
            refused: refused.chain(sync).collect(),
            error: outage.map(|outage| outage.message.clone()),
        })
    }

    /// The record the kernel should hold under this key while this director is on standby.
    pub(super) fn on_standby(&self, key: &ServiceKey) -> Option<Entry> {
        self.kernel.observed(key).filter(|_| self.is_left_alone(key)).cloned()
    }

    /// Whether this service is nobody's on standby: whatever becomes of it there is no drift.
    pub(super) fn is_left_alone(&self, key: &ServiceKey) -> bool {
        let kept = |service: &Service| service.spec.on_stop == StopAction::Keep;
        self.part.role == Role::Standby && self.services.get(key).is_some_and(kept)
    }
}
