//! The table of the module's head, row by row, and what holds for any service.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::model::{
    ByHand, CheckSpec, Endpoint, Fallback, Family, ForwardingMethod, KernelName, Probe, ServiceKey,
    ServiceSettings, StopAction,
};

fn at(n: u8) -> Endpoint {
    Endpoint::new([10, 0, 0, n].into(), 80)
}

fn service(servers: u8, on_failure: FailureAction) -> VirtualService {
    let second = Duration::from_secs(1);
    let check = Arc::new(CheckSpec {
        probe: Probe::Connect,
        interval: second,
        retry: second,
        timeout: second,
        rise: 1,
        fall: 1,
        between: None,
    });
    let server = |n| RealServer {
        endpoint: at(n),
        destination: Destination::plain(ForwardingMethod::Masq, 5),
        check_endpoint: at(n),
        check: check.clone(),
        written_port: 80,
        maintenance: false,
    };
    VirtualService {
        key: ServiceKey::Fwmark { mark: 1, family: Family::Ipv4 },
        name: None,
        settings: ServiceSettings::plain(KernelName::new("wlc").unwrap()),
        servers: (1..=servers).map(server).collect(),
        fallback: Some(Fallback {
            endpoint: at(99),
            destination: Destination::plain(ForwardingMethod::Gate, 1),
        }),
        on_failure,
        on_stop: StopAction::Remove,
        by_hand: ByHand::Repair,
        tells_rows: false,
        is_partial: false,
        maintenance_dir: None,
        vips: Vec::new(),
    }
}

fn standing(verdict: Verdict) -> Standing {
    Standing { verdict, found: None, hand: None, drained: false }
}

/// The weights of servers 1, 2, ... and of the fallback, `-` where there is no row.
fn weights(service: &VirtualService, standings: &[Standing]) -> String {
    let entry = entry(service, standings, None);
    let rows = service.servers.iter().map(|s| s.endpoint).chain([at(99)]);
    let show = |endpoint| match entry.destinations.get(&endpoint) {
        Some(row) => row.weight.to_string(),
        None => "-".into(),
    };
    rows.map(show).collect::<Vec<_>>().join(" ")
}

#[test]
fn up_servers_have_their_weight_and_dead_ones_no_row() {
    let service = service(2, FailureAction::Reset);
    assert_eq!(weights(&service, &[standing(Verdict::Up), standing(Verdict::Down)]), "5 - -");
}

#[test]
fn quiescing_service_keeps_dead_servers_at_weight_0_and_still_calls_the_fallback() {
    let service = service(2, FailureAction::Quiesce);
    assert_eq!(weights(&service, &[standing(Verdict::Up), standing(Verdict::Down)]), "5 0 -");
    assert_eq!(weights(&service, &[standing(Verdict::Down); 2]), "0 0 1");
}

#[test]
fn unproven_server_keeps_the_weight_it_was_found_with_and_a_new_one_is_not_used() {
    let service = service(3, FailureAction::Reset);
    let found = |weight| Standing { found: Some(weight), ..standing(Verdict::Unknown) };
    assert_eq!(weights(&service, &[found(3), found(0), standing(Verdict::Unknown)]), "3 0 - -");
    assert_eq!(weights(&service, &[found(0), found(0), standing(Verdict::Unknown)]), "0 0 - 1");
}

#[test]
fn partial_service_decides_about_its_own_servers_and_nothing_else() {
    let service = VirtualService { is_partial: true, ..service(2, FailureAction::Remove) };
    let found = Entry {
        settings: ServiceSettings::plain(KernelName::new("wrr").unwrap()),
        destinations: [1, 2, 7]
            .map(|n| (at(n), Destination::plain(ForwardingMethod::Gate, 9)))
            .into_iter()
            .collect(),
    };
    let standings = [standing(Verdict::Up), standing(Verdict::Down)];
    let wanted = entry(&service, &standings, Some(&found));
    assert_eq!(wanted.settings, found.settings);
    let rows: Vec<_> = wanted.destinations.iter().map(|(at, row)| (*at, row.weight)).collect();
    assert_eq!(rows, [(at(1), 5), (at(7), 9)]);
    assert_eq!(entry(&service, &standings, None).settings, service.settings);
}

#[test]
fn drained_server_has_weight_0_and_does_not_carry_the_service() {
    let service = service(1, FailureAction::Reset);
    let drained = |verdict| Standing { drained: true, ..standing(verdict) };
    assert_eq!(weights(&service, &[drained(Verdict::Up)]), "0 1");
    assert_eq!(weights(&service, &[drained(Verdict::Down)]), "- 1");
}

#[test]
fn what_was_done_by_hand_counts_for_the_state_it_was_done_in_and_below_the_operators_word() {
    let service = service(1, FailureAction::Quiesce);
    let by_hand = |verdict, hand| Standing { hand: Some(hand), ..standing(verdict) };
    assert_eq!(weights(&service, &[by_hand(Verdict::Up, Hand::Weight(3))]), "3 -");
    assert_eq!(weights(&service, &[by_hand(Verdict::Up, Hand::Weight(0))]), "0 -");
    assert_eq!(weights(&service, &[by_hand(Verdict::Down, Hand::Weight(3))]), "0 1");
    assert_eq!(weights(&service, &[by_hand(Verdict::Down, Hand::Removed)]), "- 1");
    assert_eq!(weights(&service, &[by_hand(Verdict::Up, Hand::Removed)]), "5 -");
    let drained = Standing { drained: true, ..by_hand(Verdict::Up, Hand::Weight(3)) };
    assert_eq!(weights(&service, &[drained]), "0 1");
}

#[test]
fn maintenance_in_the_file_is_as_good_as_a_drain() {
    let mut service = service(2, FailureAction::Reset);
    service.servers[0].maintenance = true;
    assert_eq!(weights(&service, &[standing(Verdict::Up); 2]), "0 5 -");
}

#[test]
fn configured_weight_0_is_alive_and_keeps_the_fallback_out() {
    let mut service = service(1, FailureAction::Reset);
    service.servers[0].destination.weight = 0;
    assert_eq!(weights(&service, &[standing(Verdict::Up)]), "0 -");
}

#[test]
fn fallback_that_is_also_a_real_server_never_replaces_it_while_it_is_up() {
    let mut service = service(2, FailureAction::Reset);
    service.fallback = Some(Fallback {
        endpoint: at(1),
        destination: Destination::plain(ForwardingMethod::Gate, 1),
    });
    let up_first = entry(&service, &[standing(Verdict::Up), standing(Verdict::Down)], None);
    assert_eq!(up_first.destinations.get(&at(1)), Some(&service.servers[0].destination));
    let none = entry(&service, &[standing(Verdict::Down); 2], None);
    assert_eq!(none.destinations.get(&at(1)).map(|d| d.forward), Some(ForwardingMethod::Gate));
}

#[test]
fn sysctls_are_asked_for_only_where_they_matter() {
    let plain = service(1, FailureAction::Remove);
    assert_eq!(sysctls([&plain]), []);
    let names = |s: &VirtualService| sysctls([s]).iter().map(|s| s.name).collect::<Vec<_>>();
    assert_eq!(names(&service(1, FailureAction::Reset)), ["expire_nodest_conn"]);
    let mut persistent = plain;
    persistent.settings.persistence = Some(crate::model::Persistence {
        timeout: 300,
        netmask: crate::model::Netmask::host(Family::Ipv4),
    });
    assert_eq!(names(&persistent), ["expire_quiescent_template"]);
}

fn standings(n: usize) -> impl Strategy<Value = Vec<Standing>> {
    let verdict = prop_oneof![Just(Verdict::Up), Just(Verdict::Down), Just(Verdict::Unknown)];
    let hand = prop_oneof![(0u32..3).prop_map(Hand::Weight), Just(Hand::Removed)];
    let one = (verdict, prop::option::of(0u32..3), prop::option::of(hand), any::<bool>())
        .prop_map(|(verdict, found, hand, drained)| Standing { verdict, found, hand, drained });
    prop::collection::vec(one, n)
}

proptest! {
    #[test]
    fn fallback_is_present_exactly_while_nobody_carries_the_service(
        standings in standings(4), quiesce in any::<bool>(),
    ) {
        let on_failure = if quiesce { FailureAction::Quiesce } else { FailureAction::Reset };
        let service = service(4, on_failure);
        let present = entry(&service, &standings, None).destinations.get(&at(99)).is_some();
        prop_assert_eq!(present, !is_carried(&service, &standings));
    }

    #[test]
    fn order_of_servers_changes_nothing(standings in standings(4)) {
        let service = service(4, FailureAction::Quiesce);
        let mut reversed = service.clone();
        reversed.servers.reverse();
        let mut back = standings.clone();
        back.reverse();
        prop_assert_eq!(entry(&service, &standings, None), entry(&reversed, &back, None));
    }

    #[test]
    fn known_dead_server_never_has_weight(standings in standings(4), quiesce in any::<bool>()) {
        let on_failure = if quiesce { FailureAction::Quiesce } else { FailureAction::Remove };
        let service = service(4, on_failure);
        let entry = entry(&service, &standings, None);
        for (server, standing) in service.servers.iter().zip(&standings) {
            if standing.verdict == Verdict::Down {
                prop_assert_eq!(entry.destinations.get(&server.endpoint).map_or(0, |d| d.weight), 0);
            }
        }
    }
}
