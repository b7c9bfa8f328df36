//! Active and on standby: two directors, one table at a time.

use directord::ipvs::{Fake, Fault};
use directord::model::*;
use directord::plan::Step;

use crate::world::*;

/// These services, and `role: standby` in `global.yaml`.
fn on_standby(services: impl IntoIterator<Item = VirtualService>) -> Desired {
    let mut desired = desired(services);
    desired.settings.role = Role::Standby;
    desired
}

fn kept(mut service: VirtualService) -> VirtualService {
    service.on_stop = StopAction::Keep;
    service
}

/// Time for a few exchanges with the kernel, and for no check.
const MOMENT: std::time::Duration = std::time::Duration::from_millis(10);

#[test]
fn standby_checks_and_writes_nothing() {
    let mut world = World::new(Fake::new());
    world.moods.insert(at(2), Mood::Refusing);
    world.load(on_standby([service(1, &[1, 2])]));
    world.run(60 * SECOND);
    assert_eq!(world.kernel.counters().writes, 0);
    assert!(world.probes > 100, "{}", world.probes);
    let snapshot = world.snapshot();
    assert_eq!((snapshot.role, snapshot.kernel.out_of_sync), (Role::Standby, 0));
    let verdicts: Vec<_> = snapshot.services[0].servers.iter().map(|s| s.verdict).collect();
    assert_eq!(verdicts, [Verdict::Up, Verdict::Down]);
    assert_eq!(world.engine.preview(&on_standby([service(1, &[1]), service(2, &[2])])), []);
    assert_eq!(world.role, None, "nobody gave his word: the next start looks into the files");
}

#[test]
fn first_table_of_one_that_takes_over_is_the_right_one() {
    let mut world = World::new(Fake::new());
    world.moods.extend([(at(2), Mood::Refusing), (at(4), Mood::Silent)]);
    world.load(on_standby([service(1, &[1, 2]), with_fallback(service(2, &[4]), 9, 1)]));
    world.run(10 * SECOND);
    world.kernel.record();
    world.play(Role::Active);
    assert_eq!(world.engine.role_report(), None, "not before it is written and read back");
    world.run(MOMENT);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5");
    assert_eq!(rows(&world.kernel.table(), 2), "9:1");
    let log = world.kernel.take_log();
    assert!(
        log.iter()
            .all(|step| matches!(step, Step::AddService { .. } | Step::AddDestination { .. }))
    );
    assert_eq!(log.len(), 4, "{log:?}");
    let report = world.engine.role_report().unwrap();
    assert_eq!((report.role, report.services, report.refused.count), (Role::Active, 2, 0));
    assert_eq!(world.role, Some(Role::Active));
}

#[test]
fn standby_takes_out_what_is_ours_but_what_a_stop_keeps() {
    let mut world = running([service(1, &[1]), kept(service(2, &[2])), service(3, &[3])]);
    let foreign = Entry::empty(ServiceSettings::plain(KernelName::new("rr").unwrap()));
    world.kernel.table_mut(|table| drop(table.services.insert(vip(9), foreign)));
    world.play(Role::Standby);
    world.run(MOMENT);
    let table = world.kernel.table();
    assert_eq!([1, 2, 3, 9].map(|n| rows(&table, n)), ["none", "2:5", "none", ""]);
    assert_eq!(world.engine.role_report().unwrap().services, 1);
    assert!(world.take_lines().contains(&"role standby cause=\"test\"".to_owned()));
    // What is kept is nobody's while we stand by: the other director may have it.
    let writes = world.kernel.counters().writes;
    world.moods.insert(at(2), Mood::Refusing);
    world.weigh(2, 2, 1);
    world.run(60 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 2), "2:1");
    assert_eq!(world.kernel.counters().writes, writes);
    assert_eq!(world.snapshot().kernel.drift_repaired, 0);
    world.play(Role::Active);
    world.run(MOMENT);
    let table = world.kernel.table();
    assert_eq!([1, 2, 3].map(|n| rows(&table, n)), ["1:5", "", "3:5"]);
}

#[test]
fn role_outlives_a_crash_and_needs_no_file_to_say_so() {
    let mut world = running([service(1, &[1])]);
    world.play(Role::Standby);
    // Noted before the table is touched, and so before the crash.
    world.crash_and_restart(SECOND, desired([service(1, &[1])]));
    world.run(10 * SECOND);
    assert_eq!(world.snapshot().role, Role::Standby);
    assert_eq!(rows(&world.kernel.table(), 1), "none");
    world.play(Role::Active);
    world.crash_and_restart(SECOND, on_standby([service(1, &[1])]));
    world.run(MOMENT);
    assert_eq!(world.snapshot().role, Role::Active, "his word, and not the file's");
}

#[test]
fn reload_changes_no_role_and_leaves_a_standby_warm() {
    let mut world = World::new(Fake::new());
    world.load(on_standby([service(1, &[1, 2])]));
    world.run(3 * SECOND);
    let mut changed = service(1, &[1, 2]);
    changed.servers[1].destination.weight = 7;
    world.load(desired([changed]));
    assert_eq!(world.snapshot().role, Role::Standby);
    world.play(Role::Active);
    world.run(MOMENT);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5 2:7");
}

#[test]
fn what_was_asked_for_last_counts_however_soon_it_follows() {
    let mut world = running([service(1, &[1]), service(2, &[2])]);
    for role in [Role::Standby, Role::Active, Role::Standby, Role::Active, Role::Standby] {
        world.play(role);
    }
    world.run(MOMENT);
    assert_eq!(world.kernel.table(), Table::default());
    assert_eq!(world.engine.role_report().unwrap().role, Role::Standby);
}

#[test]
fn role_report_says_what_the_kernel_refuses() {
    let mut world = World::new(Fake::new());
    world.kernel.set_scheduler_missing("wlc", true);
    world.load(on_standby([service(1, &[1])]));
    world.run(3 * SECOND);
    world.play(Role::Active);
    world.run(MOMENT);
    let report = world.engine.role_report().unwrap();
    assert_eq!((report.role, report.services), (Role::Active, 0));
    assert!(report.refused.names[0].starts_with("192.0.2.1:80/tcp: "), "{report:?}");
    // Nothing is refused to one that wants nothing.
    world.play(Role::Standby);
    world.run(MOMENT);
    assert_eq!(world.engine.role_report().unwrap().refused.count, 0);
}

#[test]
fn role_report_does_not_wait_for_a_kernel_that_is_gone() {
    let mut world = World::new(Fake::new());
    world.load(on_standby([service(1, &[1])]));
    world.run(3 * SECOND);
    world.kernel.fail_next(9, Fault::Refuse(KernelErrorKind::Unavailable));
    world.play(Role::Active);
    world.run(MOMENT);
    let report = world.engine.role_report().unwrap();
    assert!(report.error.is_some(), "{report:?}");
    world.kernel.heal();
    world.run(5 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5", "it is tried again");
    assert_eq!(world.engine.role_report().unwrap().error, None);
}

#[test]
fn stop_on_standby_ends_at_once_and_leaves_nothing() {
    let mut world = running([service(1, &[1])]);
    world.play(Role::Standby);
    world.stop(false);
    assert!(world.finished);
    assert_eq!(world.kernel.table(), Table::default());
    assert_eq!(world.owned, []);
}

#[test]
fn lost_answers_of_a_takeover_cost_no_live_server_its_place() {
    let mut world = World::new(Fake::new());
    world.load(on_standby([service(1, &[1, 2])]));
    world.run(3 * SECOND);
    for fault in [Fault::LoseAnswer, Fault::LoseRequest] {
        world.kernel.fail_next(2, fault);
        world.play(Role::Active);
        world.run(5 * SECOND);
        assert_eq!(rows(&world.kernel.table(), 1), "1:5 2:5");
        world.play(Role::Standby);
        world.run(MOMENT);
    }
}
