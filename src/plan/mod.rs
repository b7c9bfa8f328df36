//! What must change in the kernel, and in what order?
//!
//! [`between`] compares two tables and answers with [`Step`]s, safe to stop after any of them:
//! a crash, a lost answer or a full socket buffer may stop us anywhere.
//!
//! The order, over all services of one plan:
//!
//! 1. new services (no client is worse off with a service than without)
//! 2. new destinations, so that there is somewhere to go before anything is taken away
//! 3. destinations edited to the same or a higher weight
//! 4. services edited
//! 5. destinations edited to a lower weight
//! 6. destinations removed
//! 7. services removed; never the last of a family before its successor is there, since without
//!    any service the kernel lets go of the family's connections and clients are reset

#![forbid(unsafe_code)]

mod describe;
mod sync;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::model::{Destination, Endpoint, Entry, KernelName, ServiceKey, ServiceSettings, Table};

pub use describe::describe;
pub use sync::{SyncStep, sync};

/// One change of the kernel's table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    AddService {
        service: ServiceKey,
        settings: ServiceSettings,
    },
    /// Replaces the whole record; destinations and connections are not affected.
    EditService {
        service: ServiceKey,
        settings: ServiceSettings,
    },
    /// Deletes the service and its destinations.
    RemoveService {
        service: ServiceKey,
    },
    AddDestination {
        service: ServiceKey,
        endpoint: Endpoint,
        destination: Destination,
    },
    /// Replaces the whole record; connections are not affected.
    EditDestination {
        service: ServiceKey,
        endpoint: Endpoint,
        destination: Destination,
    },
    RemoveDestination {
        service: ServiceKey,
        endpoint: Endpoint,
    },
}

impl Step {
    /// The service this step is about.
    pub const fn service(&self) -> &ServiceKey {
        match self {
            Step::AddService { service, .. }
            | Step::EditService { service, .. }
            | Step::RemoveService { service }
            | Step::AddDestination { service, .. }
            | Step::EditDestination { service, .. }
            | Step::RemoveDestination { service, .. } => service,
        }
    }
}

/// What was being done, to what: `add service 192.0.2.10:80/tcp`.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::AddService { service, .. } => write!(f, "add service {service}"),
            Step::EditService { service, .. } => write!(f, "edit service {service}"),
            Step::RemoveService { service } => write!(f, "remove service {service}"),
            Step::AddDestination { service, endpoint, .. } => {
                write!(f, "add destination {endpoint} of {service}")
            }
            Step::EditDestination { service, endpoint, .. } => {
                write!(f, "edit destination {endpoint} of {service}")
            }
            Step::RemoveDestination { service, endpoint } => {
                write!(f, "remove destination {endpoint} of {service}")
            }
        }
    }
}

/// The steps from `observed` to `target`, safe to stop after any of them.
///
/// Empty when the two agree. Services that are only in `observed` are removed, so `observed` must
/// hold nothing that belongs to somebody else.
pub fn between(observed: &Table, target: &Table) -> Vec<Step> {
    let removed = observed.services.iter().filter(|(key, _)| !target.services.contains_key(key));
    let wanted =
        target.services.iter().map(|(key, entry)| (*key, observed.services.get(key), Some(entry)));
    plan(wanted.chain(removed.map(|(key, entry)| (*key, Some(entry), None))))
}

/// As [`between`], for the services given: what is there, and what should be.
pub fn plan<'a>(
    services: impl IntoIterator<Item = (ServiceKey, Option<&'a Entry>, Option<&'a Entry>)>,
) -> Vec<Step> {
    let mut phases = Phases::default();
    for (service, observed, target) in services {
        match (observed, target) {
            (None, None) => {}
            (None, Some(target)) => phases.add(service, target),
            (Some(_), None) => phases.service_removals.push(Step::RemoveService { service }),
            (Some(observed), Some(target)) => phases.change(service, observed, target),
        }
    }
    phases.into_steps()
}

/// The steps of a plan, by the phase they belong to.
#[derive(Default)]
struct Phases {
    service_additions: Vec<Step>,
    additions: Vec<Step>,
    raises: Vec<Step>,
    service_edits: Vec<Step>,
    lowerings: Vec<Step>,
    removals: Vec<Step>,
    service_removals: Vec<Step>,
}

impl Phases {
    fn add(&mut self, service: ServiceKey, target: &Entry) {
        let settings = building_settings(target);
        self.service_additions.push(Step::AddService { service, settings });
        self.change(service, &Entry::empty(settings), target);
    }

    fn change(&mut self, service: ServiceKey, observed: &Entry, target: &Entry) {
        if observed.settings != target.settings {
            self.service_edits.push(Step::EditService { service, settings: target.settings });
        }
        for (&endpoint, &destination) in target.destinations.iter() {
            match observed.destinations.get(&endpoint) {
                Some(present) if *present == destination => {}
                Some(present) => {
                    let phase = match destination.weight >= present.weight {
                        true => &mut self.raises,
                        false => &mut self.lowerings,
                    };
                    phase.push(Step::EditDestination { service, endpoint, destination });
                }
                None => {
                    self.additions.push(Step::AddDestination { service, endpoint, destination });
                }
            }
        }
        for (&endpoint, _) in observed.destinations.iter() {
            if target.destinations.get(&endpoint).is_none() {
                self.removals.push(Step::RemoveDestination { service, endpoint });
            }
        }
    }

    fn into_steps(self) -> Vec<Step> {
        let mut steps = self.service_additions;
        steps.extend(self.additions);
        steps.extend(self.raises);
        steps.extend(self.service_edits);
        steps.extend(self.lowerings);
        steps.extend(self.removals);
        steps.extend(self.service_removals);
        steps
    }
}

/// What a new service starts with.
///
/// `mh` fills its whole table anew at every destination added: a thousand of them cost a hundred
/// times what they cost under `none`. So such a service is built without a scheduler and switched
/// once, by the ordinary edit.
fn building_settings(target: &Entry) -> ServiceSettings {
    let mut settings = target.settings;
    if settings.scheduler.as_str() == "mh" && target.destinations.len() > 1 {
        settings.scheduler = KernelName::NONE;
    }
    settings
}

/// What the table looks like after a step that succeeded.
///
/// A step that makes no sense on this table (it edits what is not there) changes nothing.
pub fn fold(entry: &mut Option<Entry>, step: &Step) {
    match (*step, entry) {
        (Step::AddService { settings, .. }, entry @ None) => *entry = Some(Entry::empty(settings)),
        (Step::EditService { settings, .. }, Some(entry)) => entry.settings = settings,
        (Step::RemoveService { .. }, entry) => *entry = None,
        (
            Step::AddDestination { endpoint, destination, .. }
            | Step::EditDestination { endpoint, destination, .. },
            Some(entry),
        ) => {
            entry.destinations.insert(endpoint, destination);
        }
        (Step::RemoveDestination { endpoint, .. }, Some(entry)) => {
            entry.destinations.remove(&endpoint);
        }
        _ => {}
    }
}
