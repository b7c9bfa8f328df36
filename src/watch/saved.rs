//! What outlives the daemon: plain data, for whoever keeps it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::period::PeriodState;
use super::service::{Before, Status};
use super::storm::SavedStorm;
use super::{Hold, Watcher};
use crate::model::{Disabled, Disabling, OpStatus, Time, WatchKey};

/// Everything worth remembering; times in milliseconds since 1970. Fields may come and go: what
/// is missing is as at a first start.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Saved {
    services: Vec<SavedService>,
    disabled: Vec<SavedDisabled>,
    storms: Vec<SavedStorm>,
}

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct SavedService {
    group: Arc<str>,
    service: Arc<str>,
    status: Status,
    /// By label.
    periods: Vec<(String, PeriodState)>,
    before_reset: Option<Before>,
    /// What the last trap said holds still, or held until nobody watched.
    trap_lasts: bool,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct SavedDisabled {
    what: SavedDisabling,
    #[serde(with = "at")]
    since: Time,
    user: String,
    reason: String,
    #[serde(default, with = "when")]
    until: Option<Time>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SavedDisabling {
    Host(String),
    Watch(Arc<str>),
    Service(Arc<str>, Arc<str>),
}

impl Watcher {
    /// What [`load`](Self::load) takes up again.
    pub fn save(&self) -> Saved {
        let services = self.services.iter().map(|(key, service)| {
            let labels = service.spec.periods.iter().map(|period| period.label.clone());
            SavedService {
                group: key.group.clone(),
                service: key.service.clone(),
                status: service.status.clone(),
                periods: labels.zip(service.periods.iter().cloned()).collect(),
                before_reset: service.before_reset.clone(),
                trap_lasts: service.trap_ends.is_some(),
            }
        });
        let disabled = self.disabled.all().into_iter().map(|(what, why)| SavedDisabled {
            what: match what {
                Disabling::Host(host) => SavedDisabling::Host(host),
                Disabling::Watch(group) => SavedDisabling::Watch(group),
                Disabling::Service(key) => SavedDisabling::Service(key.group, key.service),
            },
            since: why.since,
            user: why.user,
            reason: why.reason,
            until: why.until,
        });
        Saved {
            services: services.collect(),
            disabled: disabled.collect(),
            storms: self.storms.save(),
        }
    }

    /// Takes up what an earlier run remembered: of services and periods that are there, others
    /// are left out. Before the first configuration it waits for that.
    ///
    /// A failure that had been told then is told to be over when it is.
    pub fn load(&mut self, saved: Saved, now: Time) {
        if !self.configured {
            self.unplaced = Some(saved);
            return;
        }
        for remembered in saved.services {
            let key = WatchKey { group: remembered.group, service: remembered.service };
            let Some(service) = self.services.get_mut(&key) else { continue };
            service.status = remembered.status;
            service.before_reset = remembered.before_reset;
            service.trap_ends = remembered.trap_lasts.then_some(now);
            for (label, state) in remembered.periods {
                let at = service.spec.periods.iter().position(|period| period.label == label);
                if let Some(place) = at.and_then(|at| service.periods.get_mut(at)) {
                    *place = state;
                }
            }
            self.take_up(&key, now);
        }
        for remembered in saved.disabled {
            let SavedDisabled { what, since, user, reason, until } = remembered;
            let what = match what {
                SavedDisabling::Host(host) => Disabling::Host(host),
                SavedDisabling::Watch(group) => Disabling::Watch(group),
                SavedDisabling::Service(group, service) => {
                    Disabling::Service(WatchKey { group, service })
                }
            };
            // By a clock that was ahead: it lasts as long as somebody said.
            let ahead = since.since(now);
            let (since, until) = (since - ahead, until.map(|until| until - ahead));
            self.disable_silently(what, Disabled { since, user, reason, until }, now);
        }
        let within = self.watching.settings.collapse.map(|collapse| collapse.within);
        self.storms.load(saved.storms, &self.services, within.unwrap_or_default(), now);
        if !self.tells_of_servers() {
            // An earlier run may have told of them.
            self.forget_servers(now);
        }
        self.arm_storms();
        self.settle_all(now);
    }

    /// The timers of a service follow the status that was just put in place. A clock that was put
    /// back since it was noted would make it one of the future.
    pub(super) fn take_up(&mut self, key: &WatchKey, now: Time) {
        let clock = self.pause.clock(now);
        let Some(service) = self.services.get_mut(key) else { return };
        service.status.put_into_the_past(now);
        for (period, state) in service.spec.periods.iter().zip(&mut service.periods) {
            state.put_into_the_past(&period.throttle, now);
        }
        if service.status.opstatus == OpStatus::Fail {
            let asked = service.status.last_check.take();
            service.hurry(clock);
            service.status.last_check = asked;
        }
        service.resume_trap(clock, now);
        service.hold = Hold::Nothing;
        self.wake_dependents(key, now);
        self.rearm(key, now);
    }
}

/// Milliseconds since 1970.
pub(super) mod at {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    use crate::model::Time;

    pub fn serialize<S: Serializer>(time: &Time, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(time.since_epoch().as_millis()).unwrap_or(u64::MAX))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Time, D::Error> {
        u64::deserialize(from).map(|ms| Time::after_epoch(Duration::from_millis(ms)))
    }
}

/// Milliseconds since 1970, or none.
pub(super) mod when {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    use crate::model::Time;

    pub fn serialize<S: Serializer>(time: &Option<Time>, to: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => super::at::serialize(time, to),
            None => to.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Time>, D::Error> {
        let ms = Option::<u64>::deserialize(from)?;
        Ok(ms.map(|ms| Time::after_epoch(Duration::from_millis(ms))))
    }
}

/// mon's numbers; those it never sets itself are read for what they count as.
pub(super) mod status_number {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::model::OpStatus;

    pub fn serialize<S: Serializer>(status: &OpStatus, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u8(status.number())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<OpStatus, D::Error> {
        u8::deserialize(from).map(from_number)
    }

    pub fn from_number(number: u8) -> OpStatus {
        match number {
            0 | 4 | 6 => OpStatus::Fail,
            1 => OpStatus::Ok,
            _ => OpStatus::Untested,
        }
    }
}
