//! What somebody changed in the table by hand, and what of it is let be.

use super::Engine;
use super::checks::User;
use crate::event::Event;
use crate::model::{
    ByHand, Destination, Endpoint, Entry, FailureAction, RealServer, ServiceKey, Time, Verdict,
    VirtualService,
};
use crate::target::{Hand, Standing};

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
        let all = service.servers.iter_mut().zip(&spec.servers).zip(&standings);
        for ((server, wanted), standing) in all {
            let endpoint = wanted.endpoint;
            let was = known.destinations.get(&endpoint).copied();
            let is = found.destinations.get(&endpoint).copied();
            let Some(hand) = deed(&spec, wanted, *standing, was, is) else {
                // A row that came back is looked at like any other.
                server.hand = server.hand.filter(|_| was.is_some() || is.is_none());
                continue;
            };
            let weight = match hand {
                Hand::Weight(weight) => Some(weight),
                Hand::Removed => None,
            };
            match was.zip(weight) {
                Some((row, weight)) => known.destinations.insert(endpoint, row.with_weight(weight)),
                None => known.destinations.remove(&endpoint),
            };
            let configured = weight == Some(wanted.destination.weight);
            let before = std::mem::replace(&mut server.hand, Some(hand).filter(|_| !configured));
            // Told once: there are scripts that set weights every few seconds.
            if before.is_none() && server.hand.is_some() {
                self.events.push_back(Event::LetBe { service: *key, server: endpoint, weight });
            }
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

/// What somebody did to the row of a server that is let be, if it is.
///
/// Whatever else of a row was changed along with its weight is put right: `ipvsadm -e -w 0` alone
/// resets thresholds, and the forwarding method where that is forgotten.
fn deed(
    spec: &VirtualService,
    wanted: &RealServer,
    standing: Standing,
    was: Option<Destination>,
    is: Option<Destination>,
) -> Option<Hand> {
    let held = wanted.maintenance || standing.drained;
    let removals =
        spec.by_hand == ByHand::KeepWeightsAndRemovals && spec.on_failure == FailureAction::Quiesce;
    match (standing.verdict, was?, is) {
        (Verdict::Up, was, Some(is)) if !held && was.weight != is.weight => {
            Some(Hand::Weight(is.weight))
        }
        (Verdict::Down, was, None) if removals && was.weight == 0 => Some(Hand::Removed),
        _ => None,
    }
}
