//! What should the kernel hold?
//!
//! [`entry`] is the whole policy of who gets traffic, for one service:
//!
//! | the server is | held by the operator | row in the table |
//! |---|---|---|
//! | up | no | as configured, or with the weight somebody gave it by hand |
//! | up | yes | weight 0 |
//! | down | either | removed, or weight 0 where the service quiesces and nobody removed it by hand |
//! | unknown, was in the table | no | stays, with the weight it had |
//! | unknown, was in the table | yes | weight 0 |
//! | unknown, was not | either | none |
//!
//! The fallback server is there exactly while no server carries the service. A server carries it
//! when it is up, or unknown with the weight it was found with, and not held. A weight of 0 in
//! the configuration does not count against it: that is how owners take a server out by file
//! without calling in the fallback.
//!
//! A server that left the configuration goes, unless nobody carries the service and somebody has
//! yet to answer: then it stays until that is known, so that replacing the only server leaves no
//! gap.

#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use crate::model::{
    Destination, Endpoint, Entry, FailureAction, Fallback, RealServer, Verdict, VirtualService,
};

/// What is known about one real server of one service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    pub verdict: Verdict,
    /// The weight it had in the kernel's table when we first looked, before any verdict.
    pub found: Option<u32>,
    /// What somebody did to its row by hand, and is let be.
    pub hand: Option<Hand>,
    /// The operator's word: no new connections.
    pub drained: bool,
}

/// What somebody did to a row by hand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hand {
    /// Gave a server that is up this weight.
    Weight(u32),
    /// Removed a dead server that was kept with weight 0.
    Removed,
}

/// The record the kernel should hold for `service`.
///
/// `standings` are those of `service.servers`, in the same order; `present` is the record the
/// kernel holds now.
pub fn entry(service: &VirtualService, standings: &[Standing], present: Option<&Entry>) -> Entry {
    let mut entry = match present.filter(|_| service.is_partial) {
        Some(present) => others(service, present),
        None => Entry::empty(service.settings),
    };
    for (server, standing) in service.servers.iter().zip(standings) {
        if let Some(destination) = row(server, *standing, service.on_failure) {
            entry.destinations.insert(server.endpoint, destination);
        }
    }
    if is_carried(service, standings) {
        return entry;
    }
    let leavers = if is_awaited(service, standings) { leavers(service, present) } else { vec![] };
    if let Some(fallback) = service.fallback
        && leavers.is_empty()
    {
        entry.destinations.insert(fallback.endpoint, fallback.destination);
    }
    for (endpoint, destination) in leavers {
        entry.destinations.insert(endpoint, destination);
    }
    entry
}

/// What a partial service does not decide about.
fn others(service: &VirtualService, present: &Entry) -> Entry {
    let is_others = |(endpoint, _): &(&Endpoint, &Destination)| {
        let is_ours = service.servers.iter().any(|server| server.endpoint == **endpoint);
        !is_ours && service.fallback.is_none_or(|fallback| fallback.endpoint != **endpoint)
    };
    let rows = present.destinations.iter().filter(is_others);
    let destinations = rows.map(|(endpoint, row)| (*endpoint, *row)).collect();
    Entry { settings: present.settings, destinations }
}

/// Whether a server that has not answered yet may come to carry the service.
fn is_awaited(service: &VirtualService, standings: &[Standing]) -> bool {
    let held = |server: &RealServer, standing: &Standing| server.maintenance || standing.drained;
    let all = service.servers.iter().zip(standings);
    all.into_iter().any(|(server, s)| s.verdict == Verdict::Unknown && !held(server, s))
}

/// The rows in use of servers that the service no longer has.
fn leavers(service: &VirtualService, present: Option<&Entry>) -> Vec<(Endpoint, Destination)> {
    let ours: HashSet<Endpoint> = service
        .servers
        .iter()
        .map(|server| server.endpoint)
        .chain(service.fallback.map(|fallback| fallback.endpoint))
        .collect();
    let rows = present.into_iter().flat_map(|entry| entry.destinations.iter());
    let leaving = rows.filter(|(endpoint, row)| row.weight > 0 && !ours.contains(endpoint));
    leaving.map(|(endpoint, row)| (*endpoint, *row)).collect()
}

/// The weights of the service's servers in the record found in the kernel, in their order.
///
/// A fallback server may have the address of a real server. Its row, which is there when no
/// server carries the service, is not that server's.
pub fn found(service: &VirtualService, present: Option<&Entry>) -> Vec<Option<u32>> {
    let row = |server: &RealServer| present?.destinations.get(&server.endpoint).copied();
    let carries = |server: &RealServer| row(server).is_some_and(|row| row.weight > 0);
    let carriers = service.servers.iter().filter(|server| carries(server)).count();
    let is_fallback = |server: &RealServer, row: &Destination| {
        let same = |f: &Fallback| f.endpoint == server.endpoint && f.destination == *row;
        carriers <= 1 && *row != server.destination && service.fallback.as_ref().is_some_and(same)
    };
    let own = |server: &RealServer| row(server).filter(|row| !is_fallback(server, row));
    service.servers.iter().map(|server| own(server).map(|row| row.weight)).collect()
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
        (Verdict::Up, _) => match standing.hand {
            Some(Hand::Weight(weight)) => weight,
            _ => server.destination.weight,
        },
        (Verdict::Unknown, Some(weight)) => weight,
        (Verdict::Unknown, None) => return None,
        (Verdict::Down, _) if standing.hand == Some(Hand::Removed) => return None,
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
