//! What `monitor` and the watchdog are told: nothing while the director does its work, however the
//! servers are, and soon when it no longer does.

use directord::engine::{Action, PATIENCE};
use directord::ipvs::Fake;
use directord::model::*;

use crate::world::*;

/// What is wrong with the director.
fn ailments(world: &World) -> Vec<Ailment> {
    world.engine.vitals(1, PATIENCE, world.now).ailments
}

/// Whether the watchdog would have it started anew.
fn is_frozen(world: &World) -> bool {
    ailments(world).iter().any(Ailment::is_freeze)
}

/// Lets time pass in which the kernel answers nothing; servers are well.
fn without_kernel(world: &mut World, seconds: u32) {
    for _ in 0..seconds {
        world.now = world.now + SECOND;
        world.engine.handle_timeout(world.now);
        while let Some(action) = world.engine.poll_action() {
            if let Action::Probe { check, .. } = action {
                world.engine.handle_outcome(check, Outcome::Pass, SECOND / 100, world.now);
            }
        }
    }
}

#[test]
fn servers_that_are_down_are_no_ailment_of_the_director() {
    let mut world = running([service(1, &[1, 2, 3, 4])]);
    for mood in [Mood::Refusing, Mood::Silent, Mood::Unreachable, Mood::Well] {
        world.moods.extend((1..=4).map(|n| (at(n), mood)));
        for _ in 0..3000 {
            world.run(SECOND / 10);
            assert_eq!(ailments(&world), [], "{mood:?}");
        }
    }
}

#[test]
fn a_kernel_that_does_not_come_back_is_a_freeze_once_patience_is_over() {
    let mut world = running([service(1, &[1])]);
    world.run(SECOND / 100);
    // A look at the table is due within ten seconds.
    without_kernel(&mut world, 10);
    assert_eq!(ailments(&world), []);
    without_kernel(&mut world, 31);
    let found = ailments(&world);
    assert!(matches!(found[..], [Ailment::KernelStuck { seconds: 31.. }]), "{found:?}");
    assert!(is_frozen(&world));
}

#[test]
fn checks_that_nobody_begins_are_a_freeze_and_made_up_for_at_once() {
    let mut world = running([service(1, &[1, 2])]);
    // The loop does not turn.
    world.now = world.now + PATIENCE;
    assert!(!is_frozen(&world));
    world.now = world.now + 2 * SECOND;
    let found = ailments(&world);
    assert!(found.iter().any(|found| matches!(found, Ailment::ChecksLate { checks: 2, .. })));
    assert!(is_frozen(&world));
    world.run(SECOND);
    assert_eq!(ailments(&world), []);
}

/// A program that cannot be killed hangs under the next director as well.
#[test]
fn checks_that_never_come_back_are_told_and_no_reason_to_start_anew() {
    let slow = CheckSpec { timeout: 20 * SECOND, ..every_second() };
    let mut world = running([with_check(service(1, &[1, 2]), slow)]);
    world.moods.insert(at(2), Mood::Lost);
    // Begun within a second, and late once its own time is over as well.
    world.run(PATIENCE + 19 * SECOND);
    assert_eq!(ailments(&world), []);
    world.run(5 * SECOND);
    let found = ailments(&world);
    assert!(matches!(found[..], [Ailment::ChecksLost { checks: 1, .. }]), "{found:?}");
    assert!(!is_frozen(&world));
}

#[test]
fn a_table_that_cannot_be_reached_is_told_and_one_lost_answer_is_not() {
    let mut world = running([service(1, &[1])]);
    world.kernel.fail_next_read(1, KernelErrorKind::Unknown);
    for _ in 0..300 {
        world.run(SECOND / 10);
        assert_eq!(ailments(&world), []);
    }
    world.kernel.fail_next_read(100, KernelErrorKind::Unavailable);
    world.run(15 * SECOND);
    let found = ailments(&world);
    assert!(matches!(found[..], [Ailment::KernelUnreachable { .. }]), "{found:?}");
    assert!(!is_frozen(&world), "the next director would not reach it either");
    world.kernel.heal();
    world.run(60 * SECOND);
    assert_eq!(ailments(&world), []);
}

/// A cluster would move all services for the sake of one, and find the same on the other node.
#[test]
fn what_the_kernel_refuses_of_one_service_is_for_status_and_of_all_for_monitor() {
    let odd = |n| {
        let mut odd = service(n, &[1]);
        odd.settings.scheduler = KernelName::new("sed").unwrap();
        odd
    };
    for (services, expected) in [([odd(1), service(2, &[1])], 0), ([odd(1), odd(2)], 1)] {
        let mut world = World::new(Fake::new());
        world.kernel.set_scheduler_missing("sed", true);
        world.load(desired(services));
        world.run(100 * SECOND);
        let found = ailments(&world);
        assert_eq!(found.len(), expected, "{found:?}");
        assert!(found.iter().all(|found| found.to_string().contains("sed")), "{found:?}");
    }
}

#[test]
fn a_stop_under_way_is_no_ailment() {
    let mut world = running([service(1, &[1])]);
    world.engine.handle_stop("test", false, world.now);
    world.now = world.now + 100 * SECOND;
    assert_eq!(ailments(&world), []);
}
