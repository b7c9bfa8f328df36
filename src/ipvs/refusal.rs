//! What the kernel's refusals mean: an errno and the step it answers become words and a kind.
//!
//! The kernel sends no text with an IPVS error, so the words are ours. The map of errors is the
//! kernel's own, one for the real table and for the [fake](super::Fake) one.

use std::fmt;

use nix::errno::Errno;

use crate::model::{
    Destination, Endpoint, Family, ForwardingMethod, KernelError, KernelErrorKind, Netmask,
    Persistence, ServiceKey, ServiceSettings, TunnelKind,
};
use crate::netlink::worded;
use crate::plan::{Step, SyncStep};

/// The error for a step the kernel answered with `errno`.
pub(super) fn refused(step: &Step, errno: Errno) -> KernelError {
    use KernelErrorKind::{Conflict, Refused, Unavailable};
    let (kind, why): (_, String) = match (step, errno) {
        (Step::AddService { .. } | Step::AddDestination { .. }, Errno::EEXIST) => {
            (Conflict, "it exists already (EEXIST): somebody else added it".into())
        }
        (Step::RemoveDestination { .. } | Step::EditDestination { .. }, Errno::ENOENT) => {
            (Conflict, "the destination is gone (ENOENT): somebody else removed it".into())
        }
        // `ESRCH` is about the service, always, also for a destination.
        (_, Errno::ESRCH) => {
            (Conflict, "the service is gone (ESRCH): somebody else removed it".into())
        }
        (Step::AddService { settings, .. } | Step::EditService { settings, .. }, Errno::ENOENT) => {
            (Refused, missing_module(settings))
        }
        (_, Errno::EPERM) => (Unavailable, "not permitted (EPERM): CAP_NET_ADMIN is gone".into()),
        (_, Errno::EINVAL | Errno::ERANGE) => (Refused, bad_record(step, errno)),
        (_, Errno::EAFNOSUPPORT) => {
            (Refused, "no such address family (EAFNOSUPPORT): is IPv6 disabled?".into())
        }
        (_, Errno::ENOMEM) => (Refused, "the kernel is out of memory (ENOMEM)".into()),
        _ => (Refused, worded(errno)),
    };
    KernelError::new(kind, format!("{step}: {why}"))
}

/// The same for a step of the sync daemons.
pub(super) fn sync_refused(step: &SyncStep, errno: Errno) -> KernelError {
    use KernelErrorKind::{Conflict, Refused, Unavailable};
    let (kind, why): (_, String) = match (step, errno) {
        (SyncStep::Start(_), Errno::EEXIST) => {
            (Conflict, "one runs already (EEXIST): somebody else started it".into())
        }
        (SyncStep::Stop(_), Errno::ESRCH) => {
            (Conflict, "there is none (ESRCH): somebody else stopped it".into())
        }
        (SyncStep::Start(daemon), Errno::ENODEV) => {
            let interface = &daemon.settings.interface;
            (Refused, format!("there is no interface {interface} (ENODEV): see `ip link`"))
        }
        (SyncStep::Start(_), Errno::EINVAL) => (
            Refused,
            "the kernel refuses it (EINVAL): has a real server in its table another address \
             family than its service, or is the group no multicast address?"
                .into(),
        ),
        (SyncStep::Start(daemon), Errno::ENETUNREACH | Errno::EADDRNOTAVAIL) => {
            let interface = &daemon.settings.interface;
            (Refused, format!("{interface} has no address of the group's family ({errno:?})"))
        }
        (_, Errno::EPERM) => (Unavailable, "not permitted (EPERM): CAP_NET_ADMIN is gone".into()),
        _ => (Refused, worded(errno)),
    };
    KernelError::new(kind, format!("{step}: {why}"))
}

/// Nobody knows whether the step was done.
pub(super) fn unanswered(what: impl fmt::Display, why: impl fmt::Display) -> KernelError {
    KernelError::new(KernelErrorKind::Unknown, format!("{what}: the answer is lost: {why}"))
}

/// What the kernel would take without a word and do something else with.
///
/// Mark 0 becomes TCP 0.0.0.0:0, a long timeout wraps round, a netmask of the other family is
/// read in the wrong byte order.
pub(super) fn misunderstood(step: &Step) -> Option<KernelError> {
    let reason = match step {
        Step::AddService { service, settings } | Step::EditService { service, settings } => {
            bad_key(service).or_else(|| bad_persistence(service, settings.persistence))
        }
        other => bad_key(other.service()),
    };
    reason.map(|why| KernelError::new(KernelErrorKind::Refused, format!("{step}: {why}")))
}

fn bad_key(service: &ServiceKey) -> Option<&'static str> {
    let zero = matches!(service, ServiceKey::Fwmark { mark: 0, .. });
    zero.then_some("firewall mark 0 is no mark")
}

fn bad_persistence(service: &ServiceKey, wanted: Option<Persistence>) -> Option<&'static str> {
    let Persistence { timeout, netmask } = wanted?;
    let fits = match (service.family(), netmask) {
        (Family::Ipv4, Netmask::V4(_)) => true,
        (Family::Ipv6, Netmask::V6(length)) => (1..=128).contains(&length),
        _ => false,
    };
    if !fits {
        return Some("the netmask does not fit the service's address family");
    }
    let in_range = (1..=Persistence::MAX_TIMEOUT).contains(&timeout);
    (!in_range).then_some("the persistence timeout must be 1 second to 31 days")
}

/// `ENOENT` on a service: the kernel ran modprobe for the scheduler or the engine and in vain.
fn missing_module(settings: &ServiceSettings) -> String {
    let scheduler = settings.scheduler;
    match settings.engine {
        None => {
            format!("scheduler {scheduler} is not available (ENOENT): is ip_vs_{scheduler} loaded?")
        }
        Some(engine) => format!(
            "scheduler {scheduler} or persistence engine {engine} is not available (ENOENT): are \
             ip_vs_{scheduler} and ip_vs_pe_{engine} loaded?"
        ),
    }
}

/// `EINVAL` and `ERANGE` do not say which part of the record is meant; we can often tell.
fn bad_record(step: &Step, errno: Errno) -> String {
    let why = match step {
        Step::AddDestination { service, endpoint, destination }
        | Step::EditDestination { service, endpoint, destination } => {
            bad_destination(service, endpoint, destination)
        }
        Step::EditService { settings, .. } if settings.scheduler.as_str() == "mh" => {
            "mh takes at most as many destinations as its table has rows (4093 as usually built)"
        }
        _ => "the kernel refuses the record",
    };
    format!("{why} ({errno:?})")
}

fn bad_destination(service: &ServiceKey, endpoint: &Endpoint, d: &Destination) -> &'static str {
    let limit = i32::MAX as u32;
    if d.weight > limit || d.upper > limit {
        "weight and upper threshold must be below 2147483648"
    } else if d.lower > d.upper {
        "the lower threshold is above the upper one"
    } else if d.tunnel.kind == TunnelKind::Gue && d.tunnel.port == 0 {
        "a gue tunnel needs a port"
    } else if Family::of(endpoint.address) != service.family() {
        match d.forward {
            ForwardingMethod::Ipip => {
                "service and destination differ in address family: is a sync daemon running?"
            }
            _ => "a destination of the other address family must be tunnelled",
        }
    } else {
        "the kernel refuses the address: is it unicast, and is the interface lo up?"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{KernelName, Protocol};

    fn add(scheduler: &str) -> Step {
        Step::AddService {
            service: ServiceKey::Address {
                protocol: Protocol::Tcp,
                address: [192, 0, 2, 10].into(),
                port: 80,
            },
            settings: ServiceSettings::plain(KernelName::new(scheduler).unwrap()),
        }
    }

    #[test]
    fn a_missing_scheduler_is_named_with_its_module() {
        let error = refused(&add("sed"), Errno::ENOENT);
        assert_eq!(error.kind, KernelErrorKind::Refused);
        assert_eq!(
            error.message,
            "add service 192.0.2.10:80/tcp: scheduler sed is not available (ENOENT): is \
             ip_vs_sed loaded?"
        );
    }

    #[test]
    fn an_unforeseen_errno_is_told_in_words() {
        let error = refused(&add("rr"), Errno::EBUSY);
        assert_eq!(error.message, "add service 192.0.2.10:80/tcp: device or resource busy (EBUSY)");
    }

    #[test]
    fn mark_zero_never_reaches_the_kernel() {
        let service = ServiceKey::Fwmark { mark: 0, family: Family::Ipv4 };
        let error = misunderstood(&Step::RemoveService { service }).unwrap();
        assert_eq!(error.kind, KernelErrorKind::Refused);
        assert!(misunderstood(&add("rr")).is_none());
    }
}
