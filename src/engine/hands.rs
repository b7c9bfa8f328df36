//! What somebody changed in the table by hand, and what of it is let be.

use super::Engine;
use super::checks::User;
use crate::event::Event;
use crate::model::{
    ByHand, Destination, Endpoint, Entry, FailureAction, ServiceKey, Time, Verdict,
};
use crate::target::Hand;

impl Engine {
    /// Notes which of the differences between what we knew of a service and what was found are
    /// let be, as its [`ByHand`] says. Those are no drift: they are part of what is known from
    /// now on.
    ///
    /// Only to be asked of what was known for certain: after a write whose answer was lost, a
    /// difference may be our own doing.
    pub(super) fn let_be(&mut self, key: &ServiceKey, found: Option<&Entry>) {
        let Some(service) = self.services.get(key) else { return };
        if service.spec.by_hand == ByHand::Repair {
            return;
        }
        let spec = service.spec.clone();
        let standings = self.standings(service);
        let (Some(service), Some(found)) = (self.services.get_mut(key), found) else { return };
        let Some(known) = self.kernel.observed_mut(key) else { return };
        for ((server, wanted), standing) in
            service.servers.iter_mut().zip(&spec.servers).zip(&standings)
        {
            let endpoint = wanted.endpoint;
            let rows = (known.destinations.get(&endpoint), found.destinations.get(&endpoint));
            if rows.0 == rows.1 {
                continue;
            }
            let held = wanted.maintenance || standing.drained;
            let quiesces = spec.on_failure == FailureAction::Quiesce;
            let removals = spec.by_hand == ByHand::KeepWeightsAndRemovals;
            let weight = match (standing.verdict, rows) {
                (Verdict::Up, (Some(known), Some(found)))
                    if !held && is_same_but_weight(known, found) =>
                {
                    let configured = found.weight == wanted.destination.weight;
                    server.hand = Some(Hand::Weight(found.weight)).filter(|_| !configured);
                    Some(found.weight)
                }
                (Verdict::Down, (Some(known), None))
                    if removals && quiesces && known.weight == 0 =>
                {
                    server.hand = Some(Hand::Removed);
                    None
                }
                // A row that came back is looked at like any other.
                (_, (None, Some(_))) => {
                    server.hand = None;
                    continue;
                }
                _ => continue,
            };
            match rows.1 {
                Some(found) => drop(known.destinations.insert(endpoint, *found)),
                None => drop(known.destinations.remove(&endpoint)),
            }
            self.events.push_back(Event::LetBe { service: *key, server: endpoint, weight });
        }
    }

    /// The state of a server changed, or somebody spoke: what was done by hand is over.
    pub(super) fn drop_hand(&mut self, user: &User) {
        let service = self.services.get_mut(&user.service);
        if let Some(server) = service.and_then(|s| s.servers.get_mut(user.server as usize)) {
            server.hand = None;
        }
    }

    /// The same for a server by its endpoint.
    pub(super) fn drop_hands(&mut self, key: &ServiceKey, endpoint: Endpoint) {
        let Some(service) = self.services.get_mut(key) else { return };
        let servers = service.servers.iter_mut().zip(&service.spec.servers);
        for (server, _) in servers.filter(|(_, wanted)| wanted.endpoint == endpoint) {
            server.hand = None;
        }
    }

    /// Puts everything that was changed by hand right again: the operator asked for a reload.
    pub fn overrule_hands(&mut self, now: Time) {
        for (key, service) in &mut self.services {
            for server in &mut service.servers {
                if server.hand.take().is_some() {
                    self.kernel.dirty.insert(*key);
                }
            }
        }
        self.turn(now);
    }
}

fn is_same_but_weight(one: &Destination, other: &Destination) -> bool {
    one.with_weight(other.weight) == *other
}
