//! From what services say of their VIPs to what is wanted of each.

use std::collections::BTreeMap;

use crate::model::{Announce, Backing, StopAction, Vip, VipKey, VipWhen};

/// Whether an address is to be on this host. Of several services' words the greatest counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Presence {
    Absent,
    /// It is kept where it is there, and not added where it is not.
    AsFound,
    Present,
}

/// What is wanted of one address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wish {
    pub presence: Presence,
    /// As the first service says that has the address.
    pub announce: Announce,
}

/// What is wanted of every address that a service has. On a director that is not active none of
/// them is there: they are the other one's.
pub fn wishes<'a>(
    services: impl IntoIterator<Item = (&'a [Vip], Backing)>,
    active: bool,
) -> BTreeMap<VipKey, Wish> {
    let mut wishes: BTreeMap<VipKey, Wish> = BTreeMap::new();
    for (vips, backing) in services {
        for vip in vips {
            let presence = if active { presence(vip.when, backing) } else { Presence::Absent };
            let wish =
                wishes.entry(vip.key.clone()).or_insert(Wish { presence, announce: vip.announce });
            wish.presence = wish.presence.max(presence);
        }
    }
    wishes
}

/// One service's word on one of its addresses.
const fn presence(when: VipWhen, backing: Backing) -> Presence {
    match (backing.end, when, backing.carried, backing.in_table) {
        (Some(StopAction::Remove), ..) => Presence::Absent,
        // What goes on serving is to be reached.
        (Some(StopAction::Keep), ..) => Presence::AsFound,
        (None, VipWhen::Healthy, Some(false), _) => Presence::Absent,
        // Not known yet: a restart takes nothing away that was well.
        (None, VipWhen::Healthy, None, _) => Presence::AsFound,
        // The table first: without it clients would be refused.
        (None, _, _, false) => Presence::AsFound,
        (None, _, _, true) => Presence::Present,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_follows_its_service() {
        use Presence::{Absent, AsFound, Present};
        use VipWhen::{Always, Healthy};
        for (when, in_table, carried, end, wanted) in [
            (Always, true, None, None, Present),
            (Always, true, Some(true), None, Present),
            (Always, true, Some(false), None, Present),
            (Always, false, Some(true), None, AsFound),
            (Healthy, true, Some(true), None, Present),
            (Healthy, false, Some(true), None, AsFound),
            (Healthy, true, None, None, AsFound),
            (Healthy, true, Some(false), None, Absent),
            (Healthy, false, Some(false), None, Absent),
            (Always, true, Some(true), Some(StopAction::Remove), Absent),
            (Always, true, Some(true), Some(StopAction::Keep), AsFound),
            (Healthy, true, Some(false), Some(StopAction::Keep), AsFound),
        ] {
            let backing = Backing { in_table, carried, end };
            assert_eq!(presence(when, backing), wanted, "{when:?} {backing:?}");
        }
    }

    #[test]
    fn one_address_of_two_services_is_there_while_either_wants_it() {
        let vip = |when| Vip {
            key: "10.0.0.3/32 on eth0".parse().unwrap(),
            when,
            announce: Announce::default(),
        };
        let backing = |carried| Backing { in_table: true, carried: Some(carried), end: None };
        let wanted = |first, second, active| {
            let vips = [vip(VipWhen::Healthy)];
            let services = [(&vips[..], backing(first)), (&vips[..], backing(second))];
            let wishes = wishes(services, active);
            assert_eq!(wishes.len(), 1);
            wishes.values().next().unwrap().presence
        };
        assert_eq!(wanted(true, false, true), Presence::Present);
        assert_eq!(wanted(false, true, true), Presence::Present);
        assert_eq!(wanted(false, false, true), Presence::Absent);
        assert_eq!(wanted(true, true, false), Presence::Absent);
    }
}
