//! Many failures at once.

use super::world::*;
use crate::model::*;
use crate::watch::AlertJob;

/// This many services nobody asks; more than two calls within 5 s are gathered.
fn crowd(services: usize) -> World {
    let told = |n| WatchSpec { monitor: None, ..spec(&format!("g{n:02}/s")) };
    let mut watching = watching((0..services).map(told).collect());
    watching.settings.collapse = Some(Collapse { within: seconds(5), more_than: 2 });
    World::new(watching)
}

fn all(world: &mut World, services: std::ops::Range<usize>, exit: u8) {
    for n in services {
        world.outcome(&format!("g{n:02}/s"), exit, &format!("host{n}\n"));
    }
}

fn count(job: &AlertJob) -> Option<&str> {
    variable(&job.environment, "MON_COLLAPSED")
}

#[test]
fn what_exceeds_the_first_few_is_told_in_one_call_and_cleared_by_one() {
    let mut world = crowd(40);
    all(&mut world, 0..40, 1);
    assert_eq!(world.told(), ["0 failure A", "0 failure A"]);
    world.until(10);
    let (at_5, job) = world.alerts.pop().unwrap();
    assert!(world.alerts.is_empty());
    assert_eq!((at_5, count(&job)), (at(5), Some("38")));
    assert_eq!(job.lane, key("g02/s"));
    let lines: Vec<_> = job.input.lines().collect();
    assert!(lines[0].starts_with("38 services: g02/s g03/s"), "{}", lines[0]);
    assert!(lines[0].ends_with(" ..."), "{}", lines[0]);
    assert_eq!((lines.len(), lines[1]), (21, "g02/s: host2"));
    // All but one of the many recover: nothing is told; those told alone are told alone.
    all(&mut world, 0..39, 0);
    assert_eq!(world.told(), ["10 up U", "10 up U"]);
    all(&mut world, 39..40, 0);
    let (_, job) = world.alerts.pop().unwrap();
    assert_eq!((count(&job), &job.arguments[8..]), (Some("38"), &["-u".into(), "U".into()][..]));
    assert_eq!(job.lane, key("g02/s"));
    world.until(100);
    assert_eq!(world.told(), [""; 0]);
}

#[test]
fn members_that_go_on_failing_are_told_of_together_once_a_window() {
    let mut world = crowd(10);
    all(&mut world, 0..10, 1);
    world.until(6);
    all(&mut world, 2..10, 1);
    world.until(20);
    assert_eq!(world.told(), ["0 failure A", "0 failure A", "5 failure A", "11 failure A"]);
}

#[test]
fn storm_that_is_over_before_it_was_told_tells_nobody() {
    let mut world = crowd(10);
    all(&mut world, 0..10, 1);
    all(&mut world, 2..10, 0);
    world.until(20);
    assert_eq!(world.told(), ["0 failure A", "0 failure A"]);
}

#[test]
fn few_failures_and_those_far_apart_are_told_alone() {
    let mut world = crowd(6);
    for n in 0..6 {
        world.until(3 * n as u64);
        all(&mut world, n..n + 1, 1);
    }
    assert_eq!(world.told().len(), 6);
}

#[test]
fn other_words_are_another_storm_and_recoveries_with_words_of_their_own_find_it() {
    // `A` and `U` differ in these tests: the storm is found by its program.
    let mut world = crowd(4);
    all(&mut world, 0..4, 1);
    world.until(5);
    world.told();
    all(&mut world, 2..4, 0);
    assert_eq!(world.told(), ["5 up U"]);
}

#[test]
fn service_that_left_the_file_holds_no_storm_up() {
    let mut world = crowd(4);
    all(&mut world, 0..4, 1);
    world.until(5);
    world.told();
    let mut watching = world.watcher.watching().clone();
    watching.services.remove(&key("g02/s"));
    world.configure(watching, crate::watch::Keep::State);
    all(&mut world, 3..4, 0);
    assert_eq!(world.told(), ["5 up U"]);
}

#[test]
fn without_the_setting_every_call_is_made() {
    let mut watching = crowd(10).watcher.watching().clone();
    watching.settings.collapse = None;
    let mut world = World::new(watching);
    all(&mut world, 0..10, 1);
    assert_eq!(world.told().len(), 10);
}
