//! Properties of a plan: it arrives, it is minimal, and it may stop anywhere.

use proptest::collection::btree_map;
use proptest::prelude::*;

use super::*;
use crate::model::{Destinations, Family, ForwardingMethod, PlanLine, Protocol};

fn keys() -> impl Strategy<Value = ServiceKey> {
    prop_oneof![
        (0u8..4, any::<bool>()).prop_map(|(n, tcp)| ServiceKey::Address {
            protocol: if tcp { Protocol::Tcp } else { Protocol::Udp },
            address: [192, 0, 2, n].into(),
            port: 80,
        }),
        (1u32..3).prop_map(|mark| ServiceKey::Fwmark { mark, family: Family::Ipv4 }),
    ]
}

fn entries() -> impl Strategy<Value = Entry> {
    let destinations = btree_map(0u8..6, (0u32..4, any::<bool>()), 0..6);
    (prop_oneof!["wlc", "rr", "mh"], destinations).prop_map(|(scheduler, rows)| Entry {
        settings: ServiceSettings::plain(KernelName::new(&scheduler).unwrap()),
        destinations: rows
            .into_iter()
            .map(|(n, (weight, gate))| {
                let method = if gate { ForwardingMethod::Gate } else { ForwardingMethod::Masq };
                (Endpoint::new([10, 0, 0, n].into(), 80), Destination::plain(method, weight))
            })
            .collect::<Destinations>(),
    })
}

fn tables() -> impl Strategy<Value = Table> {
    btree_map(keys(), entries(), 0..6).prop_map(|services| Table { services })
}

/// Applies as strictly as the kernel does: what exists cannot be added, what is missing cannot be
/// edited or removed.
fn apply(table: &mut Table, step: &Step) {
    let entry = table.services.get(step.service());
    let row = |endpoint| entry.and_then(|e| e.destinations.get(endpoint));
    let possible = match step {
        Step::AddService { .. } => entry.is_none(),
        Step::EditService { .. } | Step::RemoveService { .. } => entry.is_some(),
        Step::AddDestination { endpoint, .. } => entry.is_some() && row(endpoint).is_none(),
        Step::EditDestination { endpoint, .. } | Step::RemoveDestination { endpoint, .. } => {
            row(endpoint).is_some()
        }
    };
    assert!(possible, "the kernel would refuse: {step}");
    let mut entry = table.services.remove(step.service());
    fold(&mut entry, step);
    if let Some(entry) = entry {
        table.services.insert(*step.service(), entry);
    }
}

fn apply_all(table: &Table, steps: &[Step]) -> Table {
    let mut table = table.clone();
    steps.iter().for_each(|step| apply(&mut table, step));
    table
}

proptest! {
    #[test]
    fn applying_the_plan_yields_the_target(observed in tables(), target in tables()) {
        prop_assert_eq!(apply_all(&observed, &between(&observed, &target)), target);
    }

    #[test]
    fn plan_from_a_table_to_itself_is_empty(table in tables()) {
        prop_assert_eq!(between(&table, &table), []);
    }

    #[test]
    fn stopping_after_any_prefix_still_arrives(
        observed in tables(), target in tables(), cut in any::<prop::sample::Index>(),
    ) {
        let steps = between(&observed, &target);
        let halfway = apply_all(&observed, &steps[..cut.index(steps.len() + 1)]);
        prop_assert_eq!(apply_all(&halfway, &between(&halfway, &target)), target);
    }

    #[test]
    fn service_usable_before_and_after_is_usable_throughout(
        observed in tables(), target in tables(),
    ) {
        let usable = |t: &Table, key| t.services.get(key).is_some_and(Entry::is_usable);
        let mut table = observed.clone();
        for step in between(&observed, &target) {
            apply(&mut table, &step);
            for key in observed.services.keys() {
                if usable(&observed, key) && usable(&target, key) {
                    prop_assert!(usable(&table, key), "{key} is unusable after: {step}");
                }
            }
        }
    }

    #[test]
    fn no_step_touches_what_already_agrees(observed in tables(), target in tables()) {
        for step in between(&observed, &target) {
            let (before, after) =
                (observed.services.get(step.service()), target.services.get(step.service()));
            prop_assert_ne!(before, after);
            if let Step::EditDestination { endpoint, destination, .. } = step {
                prop_assert_ne!(before.unwrap().destinations.get(&endpoint), Some(&destination));
            }
        }
    }

    #[test]
    fn family_keeps_a_service_while_it_has_one_before_and_after(
        observed in tables(), target in tables(),
    ) {
        let mut table = observed.clone();
        for step in between(&observed, &target) {
            apply(&mut table, &step);
            if !observed.services.is_empty() && !target.services.is_empty() {
                prop_assert!(!table.services.is_empty());
            }
        }
    }
}

#[test]
fn maglev_service_is_built_without_a_scheduler_and_switched_once() {
    let mh = KernelName::new("mh").unwrap();
    let mut entry = Entry::empty(ServiceSettings::plain(mh));
    for n in 1..=3 {
        let endpoint = Endpoint::new([10, 0, 0, n].into(), 80);
        entry.destinations.insert(endpoint, Destination::plain(ForwardingMethod::Gate, 1));
    }
    let key = ServiceKey::Fwmark { mark: 1, family: Family::Ipv4 };
    let steps = plan([(key, None, Some(&entry))]);
    assert!(
        matches!(steps[0], Step::AddService { settings, .. } if settings.scheduler == KernelName::NONE)
    );
    assert!(matches!(steps[4], Step::EditService { settings, .. } if settings.scheduler == mh));
    assert_eq!(steps.len(), 5);
}

#[test]
fn difference_is_told_in_words() {
    let key = ServiceKey::Fwmark { mark: 1, family: Family::Ipv4 };
    let at = |n| Endpoint::new([10, 0, 0, n].into(), 80);
    let row = |weight| Destination::plain(ForwardingMethod::Gate, weight);
    let entry = |scheduler, rows: &[(u8, u32)]| Entry {
        settings: ServiceSettings::plain(KernelName::new(scheduler).unwrap()),
        destinations: rows.iter().map(|&(n, weight)| (at(n), row(weight))).collect(),
    };
    let before = entry("rr", &[(1, 5), (2, 5)]);
    let after = entry("wlc", &[(1, 0), (3, 5)]);
    let lines: Vec<_> =
        describe(&key, Some(&before), Some(&after)).iter().map(PlanLine::to_string).collect();
    assert_eq!(
        lines,
        [
            "~ service fwmark:1 rr -> wlc",
            "~ destination 10.0.0.1:80 of fwmark:1 weight 5 -> 0",
            "+ destination 10.0.0.3:80 of fwmark:1 gate weight=5",
            "- destination 10.0.0.2:80 of fwmark:1 gate weight=5",
        ]
    );
}
