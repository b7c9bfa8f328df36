//! Stories of what went wrong, or could: each was a way to lose a service or an operator's word.

use std::sync::Arc;
use std::time::Duration;

use directord::engine::{Action, Engine};
use directord::ipvs::{Fake, Fault};
use directord::model::*;

use crate::world::*;

/// Service `n` of many, with server 1.
fn one_of_many(n: u16) -> VirtualService {
    let [high, low] = n.to_be_bytes();
    let key = ServiceKey::Address {
        protocol: Protocol::Tcp,
        address: [198, 18, high, low].into(),
        port: 80,
    };
    VirtualService { key, ..service(1, &[1]) }
}

#[test]
fn a_table_flushed_by_somebody_else_is_repaired_however_large_it_is() {
    let mut world = running((0..1500).map(one_of_many));
    let right = world.kernel.table();
    world.kernel.table_mut(|table| table.services.clear());
    let surveys = world.kernel.counters().surveys;
    // Not until the end of an endless loop: each answer of the kernel takes a millisecond.
    world.run(10 * SECOND);
    assert!(world.kernel.counters().surveys - surveys < 20);
    assert!(world.kernel.table() == right);
}

#[test]
fn many_services_that_go_are_noted_once_and_not_once_each() {
    let mut world = running((0..1000).map(one_of_many));
    let before = world.ledgers;
    world.load(desired([service(1, &[1])]));
    world.run(3 * SECOND);
    assert_eq!(world.owned, [vip(1)]);
    assert!(world.ledgers - before < 10, "{}", world.ledgers - before);
}

#[test]
fn drain_outlives_a_crash_that_follows_at_once() {
    let config = || desired([service(1, &[1, 2])]);
    let mut world = running([service(1, &[1, 2])]);
    world.run(3 * SECOND);
    world.command(Command::Drain { server: at(1).to_string(), service: None }).unwrap();
    world.run(Duration::from_millis(5));
    assert_eq!(rows(&world.kernel.table(), 1), "1:0 2:5");
    world.crash_and_restart(SECOND, config());
    world.run(3 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:0 2:5");
    world.command(Command::Undrain { server: at(1).to_string(), service: None }).unwrap();
    world.run(Duration::from_millis(5));
    world.crash_and_restart(SECOND, config());
    world.run(3 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5 2:5");
}

#[test]
fn undrain_of_one_service_gives_the_server_back_to_that_one_alone() {
    let mut world = running([service(1, &[1, 2]), service(2, &[1, 2])]);
    let server = || at(1).to_string();
    world.command(Command::Drain { server: server(), service: None }).unwrap();
    world.run(SECOND);
    let one = Command::Undrain { server: server(), service: Some(vip(1).to_string()) };
    world.command(one).unwrap();
    world.run(SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5 2:5");
    assert_eq!(rows(&world.kernel.table(), 2), "1:0 2:5");
}

#[test]
fn a_program_takes_back_its_own_word_and_no_operators() {
    let mut world = running([service(1, &[1, 2])]);
    let (server, service) = (at(1).to_string(), Some(vip(1).to_string()));
    let withdraw = Command::Withdraw { server: server.clone(), service: service.clone() };
    let restore = Command::Restore { server: server.clone(), service };
    let drain = Command::Drain { server: server.clone(), service: None };
    // The operator alone has said so.
    world.command(drain.clone()).unwrap();
    assert!(world.command(restore.clone()).unwrap().affected.names.is_empty());
    world.run(SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:0 2:5");
    world.command(Command::Undrain { server: server.clone(), service: None }).unwrap();
    // The program alone, across a restart.
    world.command(withdraw.clone()).unwrap();
    world.run(SECOND);
    assert_eq!(world.engine.memory(world.now).withdrawn.len(), 1);
    assert_eq!(rows(&world.kernel.table(), 1), "1:0 2:5");
    assert_eq!(world.command(restore.clone()).unwrap().affected.names.len(), 1);
    world.run(SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5 2:5");
    // Both: the operator's holds until he takes it back, and then so does nobody's.
    world.command(withdraw.clone()).unwrap();
    world.command(drain).unwrap();
    assert!(world.command(restore).unwrap().affected.names.is_empty());
    world.command(withdraw).unwrap();
    world.command(Command::Undrain { server, service: None }).unwrap();
    world.run(SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5 2:5");
}

#[test]
fn dead_server_leaves_a_service_of_which_the_kernel_refuses_something_else() {
    let mut world = running([service(1, &[1, 2])]);
    world.kernel.set_scheduler_missing("sed", true);
    let mut odd = service(1, &[1, 2]);
    odd.settings.scheduler = KernelName::new("sed").unwrap();
    world.load(desired([odd]));
    world.run(100 * SECOND);
    world.moods.insert(at(2), Mood::Refusing);
    world.run(SECOND + SECOND / 100);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5");
}

#[test]
fn a_refusal_keeps_its_reason_however_often_it_is_repeated() {
    let mut world = World::new(Fake::new());
    world.kernel.set_scheduler_missing("sed", true);
    let mut odd = service(1, &[1]);
    odd.settings.scheduler = KernelName::new("sed").unwrap();
    // So many that the slow rotation of full reads seldom comes by.
    world.load(desired((0..500).map(one_of_many).chain([odd])));
    world.run(100 * SECOND);
    let error = world.snapshot().services[0].error.clone().unwrap();
    assert!(error.contains("sed"), "{error}");
    let lines = world.take_lines();
    assert!(!lines.iter().any(|line| line.contains("somebody else")), "{lines:#?}");
}

#[test]
fn kernel_that_lets_nobody_write_for_a_moment_is_tried_again_soon() {
    let many: Vec<u8> = (1..=60).collect();
    let mut world = running([service(1, &many)]);
    world.moods.extend(many.iter().map(|&n| (at(n), Mood::Refusing)));
    world.kernel.fail_next(60, Fault::Refuse(KernelErrorKind::Unavailable));
    world.run(SECOND);
    world.run(3 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "");
    let lines = world.take_lines();
    assert!(!lines.iter().any(|line| line.contains("somebody else")), "{lines:#?}");
}

#[test]
fn kernel_is_told_to_be_back_only_after_it_was_told_to_be_gone() {
    let mut world = running([service(1, &[1])]);
    world.kernel.fail_next_read(1, KernelErrorKind::Unknown);
    world.run(30 * SECOND);
    assert_eq!(world.take_lines(), Vec::<String>::new());
    world.kernel.fail_next_read(1, KernelErrorKind::Unknown);
    world.kernel.fail_next_read(3, KernelErrorKind::Unavailable);
    world.run(60 * SECOND);
    assert_eq!(world.take_lines().len(), 2);
}

#[test]
fn stop_cleans_the_table_also_right_after_a_lost_answer() {
    let mut world = running([service(1, &[1])]);
    world.kernel.fail_next_read(1, KernelErrorKind::Unknown);
    while world.snapshot().kernel.error.is_none() {
        world.run(SECOND / 100);
    }
    world.stop(false);
    assert!(world.finished);
    assert_eq!(rows(&world.kernel.table(), 1), "none");
}

#[test]
fn nobody_is_asked_any_more_once_the_director_stops() {
    let mut world = running([service(1, &[1])]);
    world.moods.insert(at(1), Mood::Silent);
    let probes = world.probes;
    while world.probes == probes {
        world.run(SECOND / 1000);
    }
    world.engine.handle_stop("test", false, world.now);
    // The kernel hangs, and nothing but the answer of the check comes in.
    let mut engine =
        std::mem::replace(&mut world.engine, Engine::new(Memory::default(), [], 1, world.now));
    while engine.poll_action().is_some() {}
    let id = world.asked.last().copied().unwrap();
    engine.handle_outcome(id, Outcome::Pass, SECOND / 2, world.now + SECOND / 2);
    engine.handle_timeout(world.now + 5 * SECOND);
    let again: Vec<_> = std::iter::from_fn(|| engine.poll_action()).collect();
    assert!(
        !again.iter().any(|a| matches!(a, directord::engine::Action::Probe { .. })),
        "{again:?}"
    );
}

#[test]
fn stop_before_anything_was_read_leaves_nothing_in_the_ledger() {
    let mut world = World::new(Fake::new());
    world.load(desired((0..10).map(one_of_many)));
    world.stop(false);
    assert!(world.finished);
    assert_eq!(world.owned, []);
    let lines = world.take_lines();
    assert!(!lines.iter().any(|line| line.starts_with("drift")), "{lines:#?}");
    assert_eq!(
        lines.last().map(String::as_str),
        Some("director stopped services_removed=10 services_kept=0")
    );
}

#[test]
fn restart_of_a_service_with_weights_of_zero_calls_in_no_fallback() {
    let config = || {
        let mut idle = with_fallback(service(1, &[1, 2]), 99, 1);
        idle.servers.iter_mut().for_each(|server| server.destination.weight = 0);
        idle
    };
    let mut world = running([config()]);
    world.run(3 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:0 2:0");
    world.kernel.record();
    world.moods.extend([1, 2].map(|n| (at(n), Mood::Silent)));
    world.crash_and_restart(SECOND, desired([config()]));
    world.run(SECOND / 10);
    assert_eq!(world.kernel.take_log(), []);
}

#[test]
fn verdict_and_counters_of_a_server_that_is_up_survive_a_restart() {
    let slow = CheckSpec { interval: 10 * SECOND, retry: 10 * SECOND, fall: 3, ..every_second() };
    let config = || desired([with_check(service(1, &[1, 2]), slow.clone())]);
    let mut world = World::new(Fake::new());
    world.load(config());
    world.run(3 * SECOND);
    world.moods.insert(at(2), Mood::Silent);
    let view = |world: &World| world.snapshot().services[0].servers[1].clone();
    while view(&world).check.failures < 2 {
        world.run(SECOND / 10);
    }
    world.run(2 * SECOND);
    let before = view(&world);
    world.crash_and_restart(Duration::from_millis(1), config());
    world.run(SECOND / 10);
    let after = view(&world);
    assert_eq!((after.verdict, after.check.failures), (Verdict::Up, 2));
    assert!(after.since <= before.since);
    world.run(SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5");
}

#[test]
fn failure_before_the_table_was_read_does_not_vouch_for_a_server_that_is_out() {
    let patient = CheckSpec { fall: 3, ..every_second() };
    let config = || desired([with_check(service(1, &[1, 2]), patient.clone())]);
    let mut world = World::new(Fake::new());
    world.load(config());
    world.run(3 * SECOND);
    world.moods.insert(at(2), Mood::Refusing);
    while rows(&world.kernel.table(), 1) != "1:5" {
        world.run(SECOND / 1000);
    }
    for known in world.memory.checks.values_mut() {
        assert_eq!(known.verdict, Verdict::Up);
        known.failures = 0;
    }
    // The kernel is slow to answer: the check is first.
    world.kernel.fail_next_read(1, KernelErrorKind::Unknown);
    world.crash_and_restart(SECOND / 1000, config());
    world.kernel.record();
    world.run(3 * SECOND);
    assert_eq!(world.kernel.take_log(), []);
}

#[test]
fn service_of_a_file_that_cannot_be_taken_at_start_is_left_alone_until_it_can() {
    let mut world = running([service(1, &[1]), service(2, &[2])]);
    let before = rows(&world.kernel.table(), 2);
    world.crash(SECOND);
    world.engine.spare_unclaimed(true);
    world.load(desired([service(1, &[1])]));
    world.run(10 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 2), before);
    assert_eq!(world.owned, [vip(1), vip(2)]);
    // The file is mended, and has another service: now nobody can ask for this one.
    world.engine.spare_unclaimed(false);
    world.load(desired([service(1, &[1]), service(3, &[3])]));
    world.run(SECOND);
    assert_eq!(rows(&world.kernel.table(), 2), "none");
    assert_eq!(world.owned, [vip(1), vip(3)]);
}

#[test]
fn fallback_found_in_the_table_is_not_taken_for_the_real_server_at_its_address() {
    let config = || with_fallback(service(1, &[1, 2]), 1, 1);
    let kernel = Fake::new();
    kernel.table_mut(|table| {
        let mut entry = Entry::empty(config().settings);
        entry.destinations.insert(at(1), Destination::plain(ForwardingMethod::Gate, 1));
        table.services.insert(vip(1), entry);
    });
    kernel.record();
    let mut world = World::new(kernel);
    world.moods.extend([1, 2].map(|n| (at(n), Mood::Silent)));
    world.load(desired([config()]));
    world.run(3 * SECOND);
    assert_eq!(world.kernel.take_log(), [], "no server is up: the fallback stays as it is");
}

#[test]
fn service_whose_servers_are_all_replaced_has_one_throughout() {
    let mut world = running([with_fallback(service(1, &[1]), 99, 1)]);
    world.kernel.watch(|_, table| assert!(table.services[&vip(1)].is_usable()));
    world.kernel.record();
    world.load(desired([with_fallback(service(1, &[2]), 99, 1)]));
    world.run(SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "2:5");
    assert_eq!(world.kernel.take_log().len(), 2, "one comes, one goes, the fallback stays out");
}

#[test]
fn server_that_left_the_files_goes_when_its_successor_does_not_answer() {
    let mut world = running([service(1, &[1])]);
    world.moods.insert(at(2), Mood::Silent);
    world.load(desired([service(1, &[2])]));
    world.run(Duration::from_millis(400));
    assert_eq!(rows(&world.kernel.table(), 1), "1:5");
    world.run(SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "");
}

#[test]
fn director_that_is_behind_starts_a_few_probes_at_a_time() {
    let mut world = World::new(Fake::new());
    let config = desired((1..=200).map(|n| service(n, &[n])));
    world.engine.handle_config(Arc::new(config), world.now);
    while world.engine.poll_action().is_some() {}
    // The loop comes back after a second, and all of them are due.
    world.now = world.now + SECOND;
    let mut started = Vec::new();
    while world.engine.poll_timeout().is_some_and(|at| at <= world.now) {
        world.engine.handle_timeout(world.now);
        let actions: Vec<_> = std::iter::from_fn(|| world.engine.poll_action()).collect();
        let probes = actions.iter().filter(|action| matches!(action, Action::Probe { .. }));
        started.push(probes.count());
    }
    assert!(started.iter().all(|count| *count <= 64), "{started:?}");
    assert_eq!(started.iter().sum::<usize>(), 200);
}
