//! One story each: what a director owes its users.

use std::sync::Arc;
use std::time::{Duration, Instant};

use directord::event::Event;
use directord::ipvs::Fake;
use directord::model::*;
use directord::plan::Step;

use crate::world::*;

#[test]
fn new_server_is_used_once_it_answered_and_a_dead_one_never() {
    let mut world = World::new(Fake::new());
    world.moods.insert(at(2), Mood::Refusing);
    world.load(desired([service(1, &[1, 2])]));
    world.run(Duration::from_millis(1));
    assert_eq!(rows(&world.kernel.table(), 1), "", "there, but with nobody in it");
    world.run(Duration::from_millis(100));
    assert_eq!(rows(&world.kernel.table(), 1), "1:5");
}

#[test]
fn dead_server_leaves_the_table_and_returns_with_its_weight() {
    let mut world = running([service(1, &[1, 2])]);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5 2:5");
    world.moods.insert(at(2), Mood::Refusing);
    world.run(SECOND + SECOND / 100);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5");
    world.moods.clear();
    world.run(SECOND + SECOND / 100);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5 2:5");
    assert_eq!(
        world.take_lines(),
        [
            "real server down service=192.0.2.1:80/tcp server=10.0.0.2:80 check=connect fall=1/1 \
             reason=\"connect: connection refused\"",
            "real server up service=192.0.2.1:80/tcp server=10.0.0.2:80 check=connect",
        ]
    );
}

#[test]
fn silent_server_is_out_one_interval_and_one_timeout_after_its_death() {
    let mut world = running([service(1, &[1, 2])]);
    world.moods.insert(at(1), Mood::Silent);
    world.run(SECOND + every_second().timeout + SECOND / 100);
    assert_eq!(rows(&world.kernel.table(), 1), "2:5");
}

#[test]
fn reload_of_the_same_configuration_touches_nothing() {
    let mut world = running((1..=50).map(|n| service(n, &[n, 100])));
    let before = world.kernel.counters().writes;
    let changes = world.load(desired((1..=50).map(|n| service(n, &[n, 100]))));
    assert_eq!(changes, Default::default());
    world.run(Duration::from_millis(50));
    assert_eq!(world.kernel.counters().writes, before);
}

#[test]
fn reload_of_who_is_told_or_of_settings_alone_is_a_line_and_touches_nothing() {
    let services = || desired([service(1, &[1]), service(2, &[2])]);
    let mut world = running([service(1, &[1]), service(2, &[2])]);
    let before = world.kernel.counters().writes;
    world.take_lines();
    let mut told = services();
    told.alerts.insert(vip(1), Arc::new(Alerts { comment: Some("a".into()), ..Alerts::default() }));
    let changes = world.load(told.clone());
    assert_eq!(changes, Change { alerts: vec![vip(1)], ..Change::default() });
    assert_eq!(world.load(told.clone()), Change::default());
    // A file that comes has no settings that differ; another text of it is none.
    for (autoreload, digest, differs) in [(false, 1, false), (false, 2, false), (true, 3, true)] {
        let head = Head { autoreload, digest, ..Head::default() };
        told.heads.insert(Arc::new("www.cf".into()), Arc::new(head));
        assert_eq!(world.load(told.clone()).settings, differs);
    }
    told.settings.remove_limit = 7;
    assert!(world.load(told).settings);
    let line = "configuration applied services=2 added=0 changed=0 removed=0";
    assert_eq!(
        world.take_lines(),
        [
            format!("{line} alerts=1"),
            format!("{line} settings=changed"),
            format!("{line} settings=changed")
        ]
    );
    world.run(Duration::from_millis(50));
    assert_eq!(world.kernel.counters().writes, before);
}

#[test]
fn changing_one_service_writes_that_service_and_no_other() {
    let mut world = running((1..=50).map(|n| service(n, &[n, 100])));
    world.kernel.record();
    let mut changed: Vec<_> = (1..=50).map(|n| service(n, &[n, 100])).collect();
    changed[6].servers[0].destination.weight = 9;
    world.load(desired(changed));
    world.run(Duration::from_millis(50));
    let log = world.kernel.take_log();
    assert_eq!(log.len(), 1, "{log:?}");
    assert!(matches!(log[0], Step::EditDestination { service, endpoint, .. }
        if service == vip(7) && endpoint == at(7)));
}

#[test]
fn reload_keeps_the_verdict_and_the_counters_of_an_unchanged_check() {
    let slow = CheckSpec { fall: 3, ..every_second() };
    let mut world = running([with_check(service(1, &[1, 2]), slow.clone())]);
    world.moods.insert(at(1), Mood::Refusing);
    world.run(2 * SECOND);
    let mut heavier = with_check(service(1, &[1, 2]), slow);
    heavier.servers[1].destination.weight = 7;
    world.load(desired([heavier]));
    world.run(SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "2:7", "two failures before the reload, one after");
}

#[test]
fn reload_with_a_changed_check_keeps_a_live_server_until_it_answers_badly() {
    let mut world = running([service(1, &[1, 2])]);
    world.moods.insert(at(2), Mood::Silent);
    let other = CheckSpec { probe: Probe::Ping(PingProbe { count: 1 }), ..every_second() };
    world.load(desired([with_check(service(1, &[1, 2]), other)]));
    world.run(Duration::from_millis(400));
    assert_eq!(rows(&world.kernel.table(), 1), "1:5 2:5");
    world.run(SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5");
}

#[test]
fn renamed_service_is_there_before_the_old_one_goes() {
    let mut world = running([service(1, &[1])]);
    world.kernel.record();
    world.load(desired([service(2, &[1])]));
    world.run(SECOND);
    let log = world.kernel.take_log();
    assert!(matches!(log.first(), Some(Step::AddService { service, .. }) if *service == vip(2)));
    assert!(matches!(log.last(), Some(Step::RemoveService { service }) if *service == vip(1)));
    assert_eq!(world.owned, [vip(2)]);
}

#[test]
fn restart_over_a_right_table_writes_nothing_and_empties_nothing() {
    let services = || desired((1..=50).map(|n| service(n, &[n, 100])));
    let mut world = running((1..=50).map(|n| service(n, &[n, 100])));
    let before = world.kernel.table();
    world.kernel.record();
    world.crash_and_restart(SECOND, services());
    world.run(3 * SECOND);
    assert_eq!(world.kernel.take_log(), []);
    assert_eq!(world.kernel.table(), before);
    let lines = world.take_lines();
    assert!(lines.contains(&"table ready services=50 destinations=100 writes=0".to_owned()));
}

#[test]
fn restart_never_sends_traffic_to_a_server_known_dead() {
    for on_failure in [FailureAction::Reset, FailureAction::Quiesce] {
        let config = || {
            let mut service = service(1, &[1, 2]);
            service.on_failure = on_failure;
            desired([service])
        };
        let mut world = World::new(Fake::new());
        world.load(config());
        world.run(3 * SECOND);
        world.moods.insert(at(2), Mood::Silent);
        world.run(3 * SECOND);
        // Somebody puts the dead server back while nobody watches.
        world.kernel.table_mut(|table| {
            let entry = table.services.get_mut(&vip(1)).unwrap();
            entry.destinations.insert(at(2), Destination::plain(ForwardingMethod::Masq, 5));
        });
        world.crash_and_restart(SECOND / 10, config());
        world.run(Duration::from_millis(100));
        let weight = if on_failure == FailureAction::Quiesce { "1:5 2:0" } else { "1:5" };
        assert_eq!(rows(&world.kernel.table(), 1), weight, "before the first answer");
        world.run(3 * SECOND);
        assert_eq!(rows(&world.kernel.table(), 1), weight);
    }
}

#[test]
fn crash_right_after_a_death_does_not_bring_the_server_back() {
    let mut world = running([service(1, &[1, 2])]);
    world.run(2 * SECOND);
    world.moods.insert(at(2), Mood::Refusing);
    while rows(&world.kernel.table(), 1) != "1:5" {
        world.run(Duration::from_millis(1));
    }
    // What was noted last says both are up; only the table knows better.
    assert!(world.memory.checks.values().all(|known| known.verdict == Verdict::Up));
    world.moods.insert(at(2), Mood::Silent);
    world.crash_and_restart(Duration::from_millis(1), desired([service(1, &[1, 2])]));
    world.run(Duration::from_millis(400));
    assert_eq!(rows(&world.kernel.table(), 1), "1:5");
}

#[test]
fn crash_right_after_a_return_does_not_take_the_server_out_again() {
    let patient = CheckSpec { rise: 3, ..every_second() };
    let config = || desired([with_check(service(1, &[1, 2]), patient.clone())]);
    let mut world = World::new(Fake::new());
    world.moods.insert(at(2), Mood::Refusing);
    world.load(config());
    world.run(5 * SECOND);
    world.moods.clear();
    while rows(&world.kernel.table(), 1) != "1:5 2:5" {
        world.run(Duration::from_millis(1));
    }
    world.kernel.record();
    world.crash_and_restart(Duration::from_millis(1), config());
    world.run(5 * SECOND);
    assert_eq!(world.kernel.take_log(), []);
}

#[test]
fn changed_definition_wins_over_remembered_state() {
    let mut world = running([service(1, &[1, 2])]);
    world.moods.insert(at(2), Mood::Refusing);
    world.run(3 * SECOND);
    world.moods.clear();
    let other = CheckSpec { rise: 5, fall: 5, ..every_second() };
    let config = desired([with_check(service(1, &[1, 2]), other)]);
    world.crash_and_restart(SECOND, config);
    world.run(Duration::from_millis(100));
    assert_eq!(rows(&world.kernel.table(), 1), "1:5 2:5", "a new check needs one pass");
}

#[test]
fn service_removed_from_the_files_while_the_daemon_was_down_is_removed_at_start() {
    let mut world = running([service(1, &[1]), service(2, &[2])]);
    world.crash_and_restart(SECOND, desired([service(1, &[1])]));
    world.run(SECOND);
    assert_eq!(rows(&world.kernel.table(), 2), "none");
    assert_eq!(rows(&world.kernel.table(), 1), "1:5");
    assert_eq!(world.owned, [vip(1)]);
}

#[test]
fn foreign_services_are_left_alone_and_counted() {
    let kernel = Fake::new();
    kernel.table_mut(|table| {
        table.services.insert(vip(99), Entry::empty(service(99, &[]).settings));
    });
    let mut world = World::new(kernel);
    world.load(desired([service(1, &[1])]));
    world.run(3 * SECOND);
    assert_eq!(world.snapshot().kernel.foreign, 1);
    world.stop(false);
    assert_eq!(rows(&world.kernel.table(), 1), "none");
    assert_eq!(rows(&world.kernel.table(), 99), "");
}

#[test]
fn drift_is_found_repaired_and_told_within_ten_seconds() {
    let mut world = running((1..=20).map(|n| service(n, &[n, 100])));
    let right = world.kernel.table();
    world.kernel.table_mut(|table| {
        table.services.remove(&vip(3));
        let entry = table.services.get_mut(&vip(4)).unwrap();
        entry.destinations.remove(&at(4));
        let entry = table.services.get_mut(&vip(5)).unwrap();
        entry.destinations.insert(at(5), Destination::plain(ForwardingMethod::Masq, 1));
    });
    world.run(10 * SECOND);
    assert_eq!(world.kernel.table(), right);
    let lines = world.take_lines();
    assert!(
        lines.contains(
            &"drift repaired service=192.0.2.5:80/tcp found=\"~ destination 10.0.0.5:80 of \
          192.0.2.5:80/tcp weight 5 -> 1\""
                .to_owned()
        )
    );
    assert_eq!(lines.iter().filter(|line| line.starts_with("drift")).count(), 3, "{lines:#?}");
    assert_eq!(world.snapshot().kernel.drift_repaired, 3);
}

/// What is expected of a listing is kept from look to look, and must not outlive our own writes. Of
/// 200 services the rotation, which would find it as well, takes 13 looks.
#[test]
fn a_row_that_we_removed_and_somebody_put_back_is_found_by_the_next_looks() {
    let mut world = running((1..=200).map(|n| service(n, &[n])));
    let (looks, reads) = looks_and_reads(&mut world);
    assert!(looks >= 4 && reads <= looks * 16, "{reads} in {looks}: more than the rotation");
    let row = world.kernel.table().services[&vip(30)].destinations.clone();
    world.moods.insert(at(30), Mood::Refusing);
    world.run(3 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 30), "");
    world.kernel.table_mut(|table| {
        table.services.get_mut(&vip(30)).unwrap().destinations = row;
    });
    world.run(3 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 30), "");
}

/// How many looks there are at the table while nothing happens, and how many services are read in
/// full.
fn looks_and_reads(world: &mut World) -> (u64, u64) {
    let before = world.kernel.counters();
    world.run(5 * SECOND);
    let after = world.kernel.counters();
    (after.surveys - before.surveys, after.reads - before.reads)
}

/// A listing shows the two services of a mark as one.
#[test]
fn drift_of_a_mark_is_found_by_the_next_looks_whoever_has_its_other_service() {
    let marked = |family| {
        let mut service = service(7, &[7]);
        service.key = ServiceKey::Fwmark { mark: 7, family };
        service
    };
    let (four, six) = (marked(Family::Ipv4), marked(Family::Ipv6));
    for is_ours in [true, false] {
        let kernel = Fake::new();
        if !is_ours {
            kernel.table_mut(|table| {
                table.services.insert(six.key, Entry::empty(six.settings));
            });
        }
        let mut world = World::new(kernel);
        let both = [four.clone()].into_iter().chain(is_ours.then(|| six.clone()));
        world.load(desired((10..=200).map(|n| service(n, &[n])).chain(both)));
        world.run(5 * SECOND);
        // Somebody else's is in the same sum, so that ours is read each time.
        let each = if is_ours { 16 } else { 17 };
        let (looks, reads) = looks_and_reads(&mut world);
        assert!(looks >= 4 && reads <= looks * each + 2, "{is_ours}: {reads} in {looks}");
        let right = world.kernel.table();
        world.kernel.table_mut(|table| {
            table.services.get_mut(&four.key).unwrap().destinations.remove(&at(7));
        });
        world.run(3 * SECOND);
        assert_eq!(world.kernel.table(), right, "{is_ours}");
    }
}

#[test]
fn drift_a_survey_does_not_show_is_found_by_the_rotation() {
    let mut world = running((1..=20).map(|n| service(n, &[n])));
    world.kernel.table_mut(|table| {
        let entry = table.services.get_mut(&vip(17)).unwrap();
        let row = Destination { upper: 10, ..Destination::plain(ForwardingMethod::Masq, 5) };
        entry.destinations.insert(at(17), row);
    });
    world.run(10 * SECOND);
    let table = world.kernel.table();
    assert_eq!(table.services[&vip(17)].destinations.get(&at(17)).unwrap().upper, 0);
}

#[test]
fn drift_a_glance_does_not_show_is_found_by_the_next_survey() {
    let mut world = running((1..=200).map(|n| service(n, &[n])));
    let right = world.kernel.table();
    world.kernel.table_mut(|table| {
        let entry = table.services.get_mut(&vip(117)).unwrap();
        entry.settings.scheduler_flags = SchedulerFlags::PORT;
    });
    world.run(7 * SECOND);
    assert_eq!(world.kernel.table(), right);
}

#[test]
fn refused_service_is_told_retried_and_does_not_hold_up_the_others() {
    let mut world = World::new(Fake::new());
    world.kernel.set_scheduler_missing("sed", true);
    let mut odd = service(1, &[1]);
    odd.settings.scheduler = KernelName::new("sed").unwrap();
    world.load(desired([odd, service(2, &[2])]));
    world.run(3 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 2), "2:5");
    let snapshot = world.snapshot();
    assert_eq!(snapshot.phase, Phase::Running);
    assert_eq!(snapshot.kernel.out_of_sync, 1);
    assert!(snapshot.services[0].error.as_ref().unwrap().contains("sed"), "{snapshot:#?}");
    let asked = world.kernel.counters().writes;
    world.run(600 * SECOND);
    assert!(world.kernel.counters().writes - asked < 60, "it backs off");
    world.kernel.set_scheduler_missing("sed", false);
    world.run(61 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5");
    assert!(world.take_lines().iter().any(|line| line.starts_with("kernel accepted")));
}

#[test]
fn fallback_stands_in_exactly_while_no_server_is_up() {
    let mut config = service(1, &[1]);
    config.fallback = Some(Fallback {
        endpoint: at(99),
        destination: Destination::plain(ForwardingMethod::Gate, 1),
    });
    let mut world = running([config]);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5");
    world.moods.insert(at(1), Mood::Refusing);
    world.run(2 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "99:1");
    assert!(world.snapshot().services[0].fallback_active);
    world.moods.clear();
    world.run(2 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5");
}

#[test]
fn server_of_two_services_is_checked_once_and_leaves_both() {
    let mut world = running([service(1, &[1]), service(2, &[1])]);
    let before = world.probes;
    world.run(10 * SECOND);
    assert!((9..=11).contains(&(world.probes - before)), "{}", world.probes - before);
    world.moods.insert(at(1), Mood::Refusing);
    world.run(2 * SECOND);
    assert_eq!(
        (rows(&world.kernel.table(), 1), rows(&world.kernel.table(), 2)),
        ("".into(), "".into())
    );
}

#[test]
fn director_that_cannot_ask_keeps_its_verdicts_for_a_while_and_says_so() {
    let mut world = running([service(1, &[1])]);
    world.moods.insert(at(1), Mood::Unreachable);
    world.run(30 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5");
    let view = &world.snapshot().services[0].servers[0];
    assert_eq!(view.verdict, Verdict::Up);
    assert_eq!(view.check.local_error.as_deref(), Some("connect: network is unreachable"));
    world.run(60 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "");
    assert_eq!(
        world.take_lines()[0],
        "check cannot be carried out server=10.0.0.1:80 check=connect reason=\"connect: network is \
         unreachable\""
    );
}

#[test]
fn drained_server_has_weight_0_also_after_a_restart_until_undrained() {
    let config = || desired([service(1, &[1, 2])]);
    let mut world = running([service(1, &[1, 2])]);
    let server = || "10.0.0.1:80".to_owned();
    let report = world.command(Command::Drain { server: server(), service: None }).unwrap();
    assert_eq!(report.affected.names, ["10.0.0.1:80 of 192.0.2.1:80/tcp"]);
    world.run(2 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:0 2:5");
    world.crash_and_restart(SECOND, config());
    world.run(3 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:0 2:5");
    assert_eq!(world.snapshot().services[0].servers[0].held.as_deref(), Some("drain"));
    world.command(Command::Undrain { server: server(), service: None }).unwrap();
    world.run(SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5 2:5");
    let unknown = Command::Drain { server: "10.9.9.9:80".into(), service: None };
    assert!(world.command(unknown).is_err());
}

#[test]
fn stop_removes_what_is_ours_or_keeps_it_as_asked() {
    let mut kept = service(2, &[2]);
    kept.on_stop = StopAction::Keep;
    let mut world = running([service(1, &[1]), kept]);
    world.stop(false);
    assert!(world.finished);
    assert_eq!(rows(&world.kernel.table(), 1), "none");
    assert_eq!(rows(&world.kernel.table(), 2), "2:5");
    assert_eq!(world.owned, [vip(2)]);
    assert_eq!(world.events.last(), Some(&Event::Stopped { removed: 1, kept: 1 }));

    let mut world = running([service(1, &[1])]);
    world.stop(true);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5");
}

#[test]
fn unreachable_kernel_leaves_serving_alone_and_is_told_once() {
    let mut world = running([service(1, &[1, 2])]);
    world.kernel.fail_next_read(5, KernelErrorKind::Unavailable);
    world.run(10 * SECOND);
    world.kernel.heal();
    world.run(60 * SECOND);
    assert_eq!(
        world.take_lines(),
        [
            "kernel table cannot be reached reason=\"list the services: as the test asked\"",
            "kernel table can be reached again"
        ]
    );
    assert_eq!(world.snapshot().kernel.out_of_sync, 0);
}

#[test]
fn preview_tells_what_a_reload_would_do_and_does_nothing() {
    let mut world = running([service(1, &[1, 2]), service(2, &[2])]);
    let writes = world.kernel.counters().writes;
    let mut lighter = service(1, &[1, 2]);
    lighter.servers[0].destination.weight = 1;
    let lines = world.engine.preview(&desired([lighter, service(3, &[1])]));
    let lines: Vec<_> = lines.iter().map(PlanLine::to_string).collect();
    assert_eq!(
        lines,
        [
            "~ destination 10.0.0.1:80 of 192.0.2.1:80/tcp weight 5 -> 1",
            "+ service 192.0.2.3:80/tcp wlc",
            "+ destination 10.0.0.1:80 of 192.0.2.3:80/tcp masq weight=5",
            "- service 192.0.2.2:80/tcp wlc",
            "- destination 10.0.0.2:80 of 192.0.2.2:80/tcp masq weight=5",
        ]
    );
    world.run(SECOND / 100);
    assert_eq!(world.kernel.counters().writes, writes);
}

#[test]
fn hanging_checks_delay_no_other() {
    let mut world = running((1..=100).map(|n| service(n, &[n])));
    (2..=100).for_each(|n| {
        world.moods.insert(at(n), Mood::Silent);
    });
    world.moods.insert(at(1), Mood::Refusing);
    world.run(SECOND + SECOND / 100);
    assert_eq!(rows(&world.kernel.table(), 1), "");
}

#[test]
fn day_of_flapping_takes_seconds() {
    let start = Instant::now();
    let mut world = running([service(1, &[1, 2]), service(2, &[2, 3])]);
    for minute in 0..24 * 60 {
        let mood = if minute % 2 == 0 { Mood::Refusing } else { Mood::Well };
        world.moods.insert(at(2), mood);
        world.run(60 * SECOND);
        world.take_lines();
    }
    assert_eq!(rows(&world.kernel.table(), 1), "1:5 2:5");
    assert!(start.elapsed() < 30 * SECOND, "{:?}", start.elapsed());
}
