//! What must change in the kernel, and in what order?
//!
//! [`between`] compares two tables and answers with [`Step`]s, safe to stop after any of them.

#![forbid(unsafe_code)]

use std::fmt;

use crate::model::{Destination, Endpoint, ServiceKey, ServiceSettings};

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
