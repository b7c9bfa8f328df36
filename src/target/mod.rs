//! What should the kernel hold?
//!
//! [`entry`] is the whole policy of who gets traffic, for one service:
//!
//! | the server is | held by the operator | row in the table |
//! |---|---|---|
//! | up | no | as configured |
//! | up | yes | weight 0 |
//! | down | either | removed, or weight 0 where the service quiesces |
//! | unknown, was in the table | no | stays, with the weight it had |
//! | unknown, was in the table | yes | weight 0 |
//! | unknown, was not | either | none |
//!
//! The fallback server is there exactly while no server carries the service. A server carries it
//! when it is up, or unknown with the weight it was found with, and not held. A weight of 0 in
//! the configuration does not count against it: that is how owners take a server out by file
//! without calling in the fallback.

#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;

use crate::model::{Destination, Entry, FailureAction, RealServer, Verdict, VirtualService};

/// What is known about one real server of one service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    pub verdict: Verdict,
    /// The weight it had in the kernel's table when we first looked, before any verdict.
    pub found: Option<u32>,
    /// The operator's word: no new connections.
    pub drained: bool,
}

/// The record the kernel should hold for `service`.
///
/// `standings` are those of `service.servers`, in the same order.
pub fn entry(service: &VirtualService, standings: &[Standing]) -> Entry {
    let mut entry = Entry::empty(service.settings);
    for (server, standing) in service.servers.iter().zip(standings) {
        if let Some(destination) = row(server, *standing, service.on_failure) {
            entry.destinations.insert(server.endpoint, destination);
        }
    }
    if let Some(fallback) = service.fallback
        && !is_carried(service, standings)
    {
        entry.destinations.insert(fallback.endpoint, fallback.destination);
    }
    entry
}

/// Whether any real server carries the service, so that the fallback stays out.
pub fn is_carried(service: &VirtualService, standings: &[Standing]) -> bool {
    service.servers.iter().zip(standings).any(|(server, standing)| match standing.verdict {
        _ if server.maintenance || standing.drained => false,
        Verdict::Up => true,
        Verdict::Unknown => standing.found.is_some_and(|weight| weight > 0),
        Verdict::Down => false,
    })
}

fn row(server: &RealServer, standing: Standing, on_failure: FailureAction) -> Option<Destination> {
    let held = server.maintenance || standing.drained;
    let weight = match (standing.verdict, standing.found) {
        (Verdict::Up, _) => server.destination.weight,
        (Verdict::Unknown, Some(weight)) => weight,
        (Verdict::Unknown, None) => return None,
        (Verdict::Down, _) if on_failure == FailureAction::Quiesce => 0,
        (Verdict::Down, _) => return None,
    };
    Some(server.destination.with_weight(if held { 0 } else { weight }))
}

/// A sysctl of `net.ipv4.vs` that a configuration relies on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sysctl {
    pub name: &'static str,
    pub value: u32,
    /// What happens without it.
    pub why: &'static str,
}

/// The sysctls these services rely on.
pub fn sysctls<'a>(services: impl IntoIterator<Item = &'a VirtualService>) -> Vec<Sysctl> {
    let (mut resets, mut templates) = (false, false);
    for service in services {
        resets |= service.on_failure == FailureAction::Reset;
        // A held or quiesced server keeps its row, and with it the templates that send
        // returning clients there.
        templates |= service.settings.persistence.is_some();
    }
    let mut needed = Vec::new();
    if resets {
        needed.push(Sysctl {
            name: "expire_nodest_conn",
            value: 1,
            why: "connections to a server taken out would hang instead of being reset",
        });
    }
    if templates {
        needed.push(Sysctl {
            name: "expire_quiescent_template",
            value: 1,
            why: "persistent clients would return to a server that was quiesced",
        });
    }
    needed
}
