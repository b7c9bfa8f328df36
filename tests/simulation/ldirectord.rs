//! What a director owes those who come from ldirectord: fixed where it was wrong (F), kept where
//! they rely on it (K), decided where it was by accident (D).

use directord::event::{Event, RowChange, ServiceChange};
use directord::ipvs::Fake;
use directord::model::*;

use crate::world::*;

/// The changes of rows and services since the last call, in ldirectord's order of words.
fn told(world: &mut World) -> Vec<String> {
    let tell = |event: Event| match event {
        Event::Row { server, change, weight, fallback, mapped_from, .. } => {
            let kind = if fallback { "fallback" } else { "real" };
            let written = mapped_from.map(|from| format!(" from {from}")).unwrap_or_default();
            Some(format!("{change:?} {kind} {server}{written} {weight}"))
        }
        Event::VirtualServer { change, .. } => Some(format!("{change:?} virtual")),
        Event::SoftFailure { server, failures, fall, .. } => {
            Some(format!("soft {server} {failures}/{fall}"))
        }
        Event::SoftFailuresReset { server, .. } => Some(format!("reset {server}")),
        _ => None,
    };
    world.events.drain(..).filter_map(tell).collect()
}

#[test]
fn k11_every_change_of_a_row_is_told_once_the_kernel_took_it() {
    let mut world = World::new(Fake::new());
    world.load(desired([with_fallback(cf(service(1, &[1])), 9, 1)]));
    world.run(3 * SECOND);
    assert_eq!(
        told(&mut world),
        [
            "Added virtual",
            "Added fallback 10.0.0.9:80 1",
            "Added real 10.0.0.1:80 5",
            "Deleted fallback 10.0.0.9:80 1",
        ],
        "nobody is up before the first answer"
    );
    world.moods.insert(at(1), Mood::Refusing);
    world.run(SECOND + SECOND / 100);
    assert_eq!(told(&mut world), ["Added fallback 10.0.0.9:80 1", "Deleted real 10.0.0.1:80 5"]);
    world.moods.clear();
    world.run(SECOND + SECOND / 100);
    assert_eq!(
        told(&mut world),
        ["reset 10.0.0.1:80", "Added real 10.0.0.1:80 5", "Deleted fallback 10.0.0.9:80 1"]
    );
    world.stop(false);
    assert_eq!(told(&mut world), ["PurgedAtStop real 10.0.0.1:80 5", "PurgedAtStop virtual"]);
}

#[test]
fn k11_quiescing_and_restoring_are_told_as_that() {
    let mut world = running([quiescent(service(1, &[1, 2]))]);
    world.moods.insert(at(1), Mood::Refusing);
    world.run(2 * SECOND);
    world.moods.clear();
    world.run(2 * SECOND);
    assert_eq!(
        told(&mut world),
        ["Quiesced real 10.0.0.1:80 0", "reset 10.0.0.1:80", "Restored real 10.0.0.1:80 5"]
    );
    let mut changed = quiescent(service(1, &[2, 3]));
    changed.settings.scheduler = KernelName::new("rr").unwrap();
    world.load(desired([changed]));
    world.run(2 * SECOND);
    assert_eq!(
        told(&mut world),
        ["Changed virtual", "Purged real 10.0.0.1:80 5", "Added real 10.0.0.3:80 5"]
    );
    world.load(desired([]));
    world.run(2 * SECOND);
    assert_eq!(told(&mut world), ["Purged virtual"]);
}

#[test]
fn k03_readdquiescent_is_told_as_that() {
    let readding = |service| VirtualService { by_hand: ByHand::KeepWeights, ..quiescent(service) };
    let mut world = World::new(Fake::new());
    world.moods.insert(at(1), Mood::Refusing);
    world.load(desired([readding(service(1, &[1]))]));
    world.run(2 * SECOND);
    assert_eq!(told(&mut world), ["Added virtual", "Readded real 10.0.0.1:80 0"]);
}

#[test]
fn k17_row_with_another_port_than_written_is_told_with_both() {
    let mut gate = cf(service(1, &[1]));
    gate.servers[0].written_port = 8080;
    let mut world = World::new(Fake::new());
    world.load(desired([gate]));
    world.run(2 * SECOND);
    assert_eq!(told(&mut world)[1], "Added real 10.0.0.1:80 from 10.0.0.1:8080 5");
}

#[test]
fn scheduler_that_is_built_last_is_no_change_of_the_service() {
    let mut hashed = cf(service(1, &[1, 2]));
    hashed.settings.scheduler = KernelName::new("mh").unwrap();
    let on = CheckSpec { probe: Probe::On, ..every_second() };
    let mut world = World::new(Fake::new());
    world.load(desired([with_check(hashed, on)]));
    world.run(2 * SECOND);
    let told = told(&mut world);
    assert_eq!((told[0].as_str(), told.len()), ("Added virtual", 3), "{told:?}");
}

#[test]
fn native_services_tell_no_rows() {
    let mut world = World::new(Fake::new());
    world.load(desired([with_fallback(service(1, &[1, 2]), 9, 1)]));
    world.moods.insert(at(1), Mood::Refusing);
    world.run(3 * SECOND);
    world.stop(false);
    assert_eq!(told(&mut world), [""; 0]);
}

#[test]
fn f06_change_the_kernel_refuses_is_not_told_as_done() {
    let mut odd = cf(service(1, &[1]));
    odd.settings.scheduler = KernelName::new("rr").unwrap();
    let mut world = World::new(Fake::new());
    world.kernel.set_scheduler_missing("rr", true);
    world.load(desired([odd]));
    world.run(3 * SECOND);
    assert_eq!(told(&mut world), [""; 0]);
    assert!(world.snapshot().services[0].error.is_some());
    world.kernel.set_scheduler_missing("rr", false);
    world.run(60 * SECOND);
    assert_eq!(told(&mut world), ["Added virtual", "Added real 10.0.0.1:80 5"]);
}

#[test]
fn failures_below_the_failurecount_are_told_and_change_nothing() {
    let patient = CheckSpec { fall: 3, ..every_second() };
    let mut world = running([with_check(cf(service(1, &[1, 2])), patient)]);
    world.moods.insert(at(1), Mood::Refusing);
    world.run(2 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5 2:5");
    world.moods.clear();
    world.run(SECOND);
    assert_eq!(
        told(&mut world),
        ["soft 10.0.0.1:80 1/3", "soft 10.0.0.1:80 2/3", "reset 10.0.0.1:80"]
    );
}

#[test]
fn f04_servers_that_do_not_answer_delay_nobodys_detection() {
    let slow = CheckSpec { interval: 10 * SECOND, timeout: 9 * SECOND, ..every_second() };
    let mut world = running([
        with_check(cf(service(1, &(10..110).collect::<Vec<_>>())), slow),
        cf(service(2, &[1, 2])),
    ]);
    world.moods.extend((10..110).map(|n| (at(n), Mood::Silent)));
    world.run(15 * SECOND);
    world.moods.insert(at(1), Mood::Refusing);
    world.run(SECOND + SECOND / 100);
    assert_eq!(rows(&world.kernel.table(), 2), "2:5");
}

#[test]
fn f11_each_service_takes_a_shared_server_out_after_its_own_failurecount() {
    let patience = |fall| CheckSpec { fall, ..every_second() };
    let mut world = running([
        with_check(cf(service(1, &[1, 2])), patience(3)),
        with_check(cf(service(2, &[1, 2])), patience(3)),
        with_check(cf(service(3, &[1, 2])), patience(5)),
    ]);
    world.moods.insert(at(1), Mood::Refusing);
    let all = |world: &World| [1, 2, 3].map(|n| rows(&world.kernel.table(), n));
    world.run(2 * SECOND);
    assert_eq!(all(&world), ["1:5 2:5", "1:5 2:5", "1:5 2:5"], "after two failures");
    world.run(SECOND + SECOND / 100);
    assert_eq!(all(&world), ["2:5", "2:5", "1:5 2:5"], "after three");
    world.run(2 * SECOND + SECOND / 100);
    assert_eq!(all(&world), ["2:5", "2:5", "2:5"], "after five");
}

#[test]
fn f03_no_server_has_weight_before_it_answered() {
    for config in [cf(service(1, &[1, 2])), quiescent(service(1, &[1, 2]))] {
        let mut world = World::new(Fake::new());
        world.moods.insert(at(2), Mood::Silent);
        world.kernel.watch(|_, table| {
            let dead = table.services[&vip(1)].destinations.get(&at(2));
            assert_eq!(dead.map_or(0, |row| row.weight), 0);
        });
        world.load(desired([config.clone()]));
        world.run(3 * SECOND);
        let mut changed = config;
        changed.servers[1].destination.weight = 7;
        world.load(desired([changed]));
        world.run(3 * SECOND);
        world.engine.overrule_hands(world.now);
        world.run(3 * SECOND);
    }
}

#[test]
fn f12_dead_server_of_several_services_is_quiesced_in_each() {
    let ping = CheckSpec { probe: Probe::Ping(PingProbe { count: 1 }), ..every_second() };
    let mut world = World::new(Fake::new());
    world.moods.insert(at(1), Mood::Refusing);
    world.load(desired([
        quiescent(service(1, &[1, 2])),
        with_check(quiescent(service(2, &[1, 2])), ping),
    ]));
    world.run(3 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:0 2:5");
    assert_eq!(rows(&world.kernel.table(), 2), "1:0 2:5");
}

#[test]
fn f13_fallback_that_is_also_a_real_server_never_deletes_the_live_row() {
    let mut world = running([with_fallback(cf(service(1, &[1, 2])), 1, 1)]);
    world.kernel.watch(|_, table| assert!(table.services[&vip(1)].is_usable()));
    for dead in [2, 1] {
        world.moods.insert(at(dead), Mood::Refusing);
        world.run(2 * SECOND);
        world.moods.clear();
        world.run(2 * SECOND);
        assert_eq!(rows(&world.kernel.table(), 1), "1:5 2:5");
    }
    told(&mut world);
    world.moods.extend([1, 2].map(|n| (at(n), Mood::Refusing)));
    world.run(2 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:1");
    world.moods.remove(&at(1));
    world.run(2 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5");
    let changes = told(&mut world);
    assert!(changes.contains(&"Restored fallback 10.0.0.1:80 1".into()), "{changes:?}");
    assert_eq!(changes.last().unwrap(), "Restored real 10.0.0.1:80 5");
}

#[test]
fn row_that_is_the_fallbacks_and_a_real_servers_alike_is_told_as_whose_it_is() {
    let twin = || {
        let mut twin = with_fallback(cf(service(1, &[1, 2])), 1, 1);
        twin.servers[0].destination = twin.fallback.unwrap().destination;
        twin
    };
    let mut world = World::new(Fake::new());
    world.moods.extend([1, 2].map(|n| (at(n), Mood::Refusing)));
    world.load(desired([twin()]));
    world.run(3 * SECOND);
    assert_eq!(told(&mut world), ["Added virtual", "Added fallback 10.0.0.1:80 1"]);
    world.moods.remove(&at(1));
    world.run(3 * SECOND);
    assert_eq!(told(&mut world), ["reset 10.0.0.1:80"], "nothing to write");
    world.moods.clear();
    world.run(3 * SECOND);
    world.moods.insert(at(1), Mood::Refusing);
    world.run(3 * SECOND);
    assert_eq!(
        told(&mut world),
        ["reset 10.0.0.2:80", "Added real 10.0.0.2:80 5", "Deleted real 10.0.0.1:80 1"]
    );
    let mut world = running([with_fallback(quiescent(service(1, &[1, 2])), 1, 1)]);
    world.moods.insert(at(1), Mood::Refusing);
    world.run(2 * SECOND);
    assert_eq!(told(&mut world), ["Quiesced real 10.0.0.1:80 0"]);
}

#[test]
fn f25_quiesced_server_keeps_its_thresholds() {
    let mut limited = quiescent(service(1, &[1, 2]));
    limited.servers[0].destination.upper = 100;
    limited.servers[0].destination.lower = 80;
    let row = limited.servers[0].destination;
    let mut world = running([limited]);
    world.moods.insert(at(1), Mood::Refusing);
    world.run(2 * SECOND);
    let table = world.kernel.table();
    let found = table.services[&vip(1)].destinations.get(&at(1)).copied();
    assert_eq!(found, Some(row.with_weight(0)));
}

#[test]
fn f25_gate_server_written_with_another_port_is_not_touched_by_a_reload() {
    let config = |weight| {
        let mut gate = cf(service(1, &[1, 2]));
        gate.servers[0].written_port = 8080;
        gate.servers[1].destination.weight = weight;
        gate
    };
    let mut world = running([config(5)]);
    world.kernel.watch(|_, table| {
        assert!(table.services[&vip(1)].destinations.get(&at(1)).is_some());
    });
    world.kernel.record();
    world.load(desired([config(6)]));
    world.run(2 * SECOND);
    assert_eq!(world.kernel.take_log().len(), 1);
}

#[test]
fn f26_server_that_left_the_file_is_deleted_and_one_drained_before_lost_nothing() {
    // Whoever wants its connections to end first drains it, and takes it out of the file then.
    let mut world = running([cf(service(1, &[1, 2]))]);
    let drain = Command::Drain { server: at(1).to_string(), service: None };
    world.command(drain).unwrap();
    world.run(SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:0 2:5");
    world.load(desired([cf(service(1, &[2]))]));
    world.run(SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "2:5");
}

#[test]
fn k05_live_rows_survive_a_restart_and_strangers_in_own_services_go() {
    let config =
        || desired([VirtualService { on_stop: StopAction::Keep, ..cf(service(1, &[1, 2])) }]);
    let mut world = World::new(Fake::new());
    world.load(config());
    world.run(3 * SECOND);
    world.stop(false);
    world.by_hand(1, |rows| {
        rows.insert(at(7), Destination::plain(ForwardingMethod::Masq, 1));
    });
    world.kernel.table_mut(|table| {
        table.services.insert(vip(200), Entry::empty(service(200, &[]).settings));
    });
    world.kernel.watch(|_, table| {
        assert_eq!(rows(table, 1).replace(" 7:1", ""), "1:5 2:5");
        assert!(table.services.contains_key(&vip(200)));
    });
    world.crash_and_restart(SECOND, config());
    world.run(3 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5 2:5");
    assert!(world.kernel.table().services.contains_key(&vip(200)));
}

#[test]
fn k06_fallback_serves_with_weight_1_exactly_while_no_server_is_up() {
    let mut world = running([with_fallback(quiescent(service(1, &[1, 2])), 9, 1)]);
    world.moods.insert(at(1), Mood::Refusing);
    world.run(2 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:0 2:5");
    world.moods.insert(at(2), Mood::Refusing);
    world.run(2 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:0 2:0 9:1");
    world.moods.remove(&at(1));
    world.run(2 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5 2:0", "deleted although the service quiesces");
}

#[test]
fn k07_weight_zero_counts_as_alive() {
    let mut idle = with_fallback(cf(service(1, &[1, 2])), 9, 1);
    idle.servers.iter_mut().for_each(|server| server.destination.weight = 0);
    let mut world = World::new(Fake::new());
    world.load(desired([idle]));
    world.run(3 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:0 2:0");
    let told = told(&mut world);
    for added in ["Added real 10.0.0.1:80 0", "Added real 10.0.0.2:80 0"] {
        assert!(told.contains(&added.to_owned()), "{told:?}");
    }
}

#[test]
fn k08_one_success_brings_a_server_back_and_failurecount_counts_downwards_only() {
    let patient = CheckSpec { fall: 4, ..every_second() };
    let mut world = running([with_check(cf(service(1, &[1, 2])), patient)]);
    world.moods.insert(at(1), Mood::Refusing);
    world.run(6 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "2:5");
    world.moods.clear();
    world.run(SECOND + SECOND / 100);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5 2:5");
}

#[test]
fn k14_combined_check_negotiates_once_and_connects_so_often_in_between() {
    let between = Between { times: 3, probe: Probe::Connect, timeout: SECOND / 4 };
    let http = Probe::Ping(PingProbe { count: 1 });
    let combined = CheckSpec { probe: http, between: Some(between), ..every_second() };
    let mut world = World::new(Fake::new());
    world.load(desired([with_check(cf(service(1, &[1])), combined)]));
    world.run(9 * SECOND);
    let (whole, cheap) = (("ping", every_second().timeout), ("connect", SECOND / 4));
    let round = [whole, cheap, cheap, cheap];
    let expected: Vec<_> = round.iter().cycle().take(world.questions.len()).copied().collect();
    assert!(world.questions.len() >= 9);
    assert_eq!(world.questions, expected);
    let what = world.snapshot().services[0].servers[0].check.what.clone();
    assert_eq!(what, "ping 10.0.0.1:80, 3 connects between");
}

#[test]
fn k14_failed_connect_makes_the_next_check_a_negotiate() {
    let between = Between { times: 3, probe: Probe::Connect, timeout: SECOND / 4 };
    let http = Probe::Ping(PingProbe { count: 1 });
    let combined = CheckSpec { probe: http, between: Some(between), ..every_second() };
    let mut world = World::new(Fake::new());
    world.load(desired([with_check(cf(service(1, &[1])), combined)]));
    while world.questions.len() < 2 {
        world.run(SECOND / 100);
    }
    world.moods.insert(at(1), Mood::Refusing);
    world.run(3 * SECOND);
    world.moods.clear();
    world.run(2 * SECOND);
    let kinds: Vec<_> = world.questions.iter().map(|(kind, _)| *kind).take(7).collect();
    assert_eq!(kinds, ["ping", "connect", "connect", "ping", "ping", "ping", "connect"]);
}

#[test]
fn d09_checktype_off_takes_no_server_in_and_calls_the_fallback() {
    let off = CheckSpec { probe: Probe::AsFound, ..every_second() };
    let mut world = World::new(Fake::new());
    world.load(desired([with_check(with_fallback(cf(service(1, &[1, 2])), 9, 1), off)]));
    world.run(3 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "9:1");
}

#[test]
fn d09_checktype_off_leaves_the_servers_that_are_in_use() {
    let checked = || with_fallback(cf(service(1, &[1, 2, 3])), 9, 1);
    let off = || with_check(checked(), CheckSpec { probe: Probe::AsFound, ..every_second() });
    let mut world = World::new(Fake::new());
    world.load(desired([checked()]));
    world.moods.insert(at(3), Mood::Refusing);
    world.run(3 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5 2:5");
    let writes = world.engine.preview(&desired([off()]));
    assert_eq!(writes, [], "a plan says so as well");
    world.load(desired([off()]));
    world.moods.insert(at(2), Mood::Refusing);
    world.run(10 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5 2:5");
    // Through a change of the service, a crash, and somebody's mistake.
    let mut changed = off();
    changed.servers[0].destination.weight = 7;
    world.load(desired([changed.clone()]));
    world.run(SECOND);
    world.crash_and_restart(SECOND, desired([changed]));
    world.run(3 * SECOND);
    world.by_hand(1, |rows| assert!(rows.remove(&at(2)).is_some()));
    world.run(60 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:7 2:5");
    // One that is there no more when it is written.
    world.by_hand(1, |rows| assert!(rows.remove(&at(2)).is_some()));
    let mut changed = off();
    changed.servers[1].destination.weight = 7;
    world.load(desired([changed]));
    world.run(60 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5 2:7");
    // The one that was out has to be seen to answer.
    world.moods.clear();
    world.load(desired([checked()]));
    world.run(3 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5 2:5 3:5");
}

#[test]
fn d09_drain_under_checktype_off_is_taken_back_after_a_reload() {
    let off = || {
        with_check(cf(service(1, &[1, 2])), CheckSpec { probe: Probe::AsFound, ..every_second() })
    };
    let mut world = World::new(Fake::new());
    world.load(desired([cf(service(1, &[1, 2]))]));
    world.run(3 * SECOND);
    world.load(desired([off()]));
    let (server, service) = (at(1).to_string(), None);
    world.command(Command::Drain { server: server.clone(), service: service.clone() }).unwrap();
    world.run(SECOND);
    let mut changed = off();
    changed.settings.scheduler = KernelName::new("lc").unwrap();
    world.load(desired([changed]));
    world.run(SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:0 2:5");
    world.command(Command::Undrain { server, service }).unwrap();
    world.run(SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5 2:5");
}

#[test]
fn d10_servers_of_a_service_are_first_asked_in_the_order_of_the_file() {
    let mut world = World::new(Fake::new());
    let order = [3, 1, 4, 2];
    world.load(desired([cf(service(1, &order))]));
    world.run(SECOND / 2);
    let added: Vec<_> = world
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Row { server, change: RowChange::Added, .. } => Some(*server),
            _ => None,
        })
        .collect();
    let mut up: Vec<_> = Vec::new();
    for event in &world.events {
        if let Event::ServerUp { server, .. } = event {
            up.push(*server);
        }
    }
    assert_eq!(up, order.map(at));
    assert_eq!(added.len(), 4);
    assert!(
        world.events.iter().any(|event| matches!(
            event,
            Event::VirtualServer { change: ServiceChange::Added, .. }
        ))
    );
}
