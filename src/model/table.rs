//! What a kernel holds, as a value that can be compared.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;
use std::net::IpAddr;

use foldhash::fast::RandomState;
use foldhash::quality::FixedState;

use super::{Destination, Endpoint, KernelName, Protocol, ServiceKey, ServiceSettings};

/// An IPVS table: target, observed and fake are all this type, so `==` is the question.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Table {
    pub services: BTreeMap<ServiceKey, Entry>,
}

/// One virtual service and its destinations.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    pub settings: ServiceSettings,
    pub destinations: Destinations,
}

impl Entry {
    /// A service without destinations.
    pub const fn empty(settings: ServiceSettings) -> Entry {
        Entry { settings, destinations: Destinations(Vec::new()) }
    }

    /// Whether a new connection would be served: some destination has weight.
    pub fn is_usable(&self) -> bool {
        self.destinations.iter().any(|(_, d)| d.weight > 0)
    }
}

/// The destinations of one service, ordered by address and port.
///
/// A sorted vector: most services have two to ten destinations, and a director holds 10,000 such
/// lists twice.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Destinations(Vec<(Endpoint, Destination)>);

impl Destinations {
    pub fn get(&self, endpoint: &Endpoint) -> Option<&Destination> {
        self.position(endpoint).ok().map(|at| &self.0[at].1)
    }

    /// Adds or replaces; returns what was there.
    pub fn insert(&mut self, endpoint: Endpoint, destination: Destination) -> Option<Destination> {
        match self.position(&endpoint) {
            Ok(at) => Some(std::mem::replace(&mut self.0[at].1, destination)),
            Err(at) => {
                self.0.insert(at, (endpoint, destination));
                None
            }
        }
    }

    pub fn remove(&mut self, endpoint: &Endpoint) -> Option<Destination> {
        self.position(endpoint).ok().map(|at| self.0.remove(at).1)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Endpoint, &Destination)> {
        self.0.iter().map(|(endpoint, destination)| (endpoint, destination))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn position(&self, endpoint: &Endpoint) -> Result<usize, usize> {
        self.0.binary_search_by_key(endpoint, |(endpoint, _)| *endpoint)
    }
}

/// The last of two equal endpoints wins, as with any map.
impl FromIterator<(Endpoint, Destination)> for Destinations {
    fn from_iter<I: IntoIterator<Item = (Endpoint, Destination)>>(rows: I) -> Destinations {
        let map: BTreeMap<_, _> = rows.into_iter().collect();
        Destinations(map.into_iter().collect())
    }
}

/// A cheap look at the whole table: every service's settings, and a digest of what the kernel's
/// listing shows of it.
///
/// Reading every destination costs three system calls a service; this costs a few dozen in all.
/// It tells *where* to look: a digest covers the scheduler, and of a destination address, port,
/// method and weight, but not thresholds or tunnels; and an absent row proves nothing (a large
/// table is not read at one instant).
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Survey {
    pub services: BTreeMap<ServiceKey, ServiceSettings>,
    pub digests: Digests,
}

/// The digests alone, at two thirds of the price.
pub type Digests = HashMap<SurveyKey, u64, RandomState>;

/// What a digest is filed under. The cheap listing does not tell the family of a firewall mark,
/// so the two services a mark may have share one digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SurveyKey {
    Address(Protocol, Endpoint),
    Fwmark(u32),
}

impl From<&ServiceKey> for SurveyKey {
    fn from(key: &ServiceKey) -> SurveyKey {
        match *key {
            ServiceKey::Address { protocol, address, port } => {
                SurveyKey::Address(protocol, Endpoint::new(address, port))
            }
            ServiceKey::Fwmark { mark, .. } => SurveyKey::Fwmark(mark),
        }
    }
}

impl Survey {
    /// What one row adds to the digest of its service. Digests are sums, so that rows may come
    /// in any order.
    pub fn row_digest(endpoint: &Endpoint, destination: &Destination) -> u64 {
        FixedState::default().hash_one((endpoint, destination.forward, destination.weight))
    }

    /// What the line of a service itself adds: what the listing shows of its settings, but for
    /// the time of persistence, which it shows in ticks of the kernel's.
    pub fn line_digest(scheduler: KernelName, one_packet: bool, persistent: bool) -> u64 {
        FixedState::default().hash_one((scheduler, one_packet, persistent))
    }

    /// The digest of one service with all its rows.
    pub fn digest(key: &ServiceKey, entry: &Entry) -> u64 {
        let settings = &entry.settings;
        // The listing leaves this out for services of an IPv6 address.
        let shows_ops = !matches!(key, ServiceKey::Address { address: IpAddr::V6(_), .. });
        let ops = settings.one_packet && shows_ops;
        let line = Survey::line_digest(settings.scheduler, ops, settings.persistence.is_some());
        let rows = entry.destinations.iter();
        rows.fold(line, |sum, (endpoint, d)| sum.wrapping_add(Survey::row_digest(endpoint, d)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ForwardingMethod;

    #[test]
    fn destinations_stay_sorted_and_unique() {
        let at = |n: u8| Endpoint::new([10, 0, 0, n].into(), 80);
        let d = |w| Destination::plain(ForwardingMethod::Gate, w);
        let mut list: Destinations =
            [(at(3), d(1)), (at(1), d(1)), (at(3), d(9))].into_iter().collect();
        assert_eq!(list.insert(at(2), d(4)), None);
        assert_eq!(list.insert(at(1), d(5)), Some(d(1)));
        let rows: Vec<_> = list.iter().map(|(e, d)| (*e, d.weight)).collect();
        assert_eq!(rows, [(at(1), 5), (at(2), 4), (at(3), 9)]);
        assert_eq!(list.remove(&at(2)), Some(d(4)));
        assert_eq!(list.get(&at(2)), None);
    }
}
