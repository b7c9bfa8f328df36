//! Many failures at once.

use super::world::*;
use crate::model::*;
use crate::watch::{AlertJob, Keep};

/// This many services nobody asks; more than two calls within 5 s are gathered.
fn crowd(services: usize) -> World {
    crowd_of(services, |spec| spec)
}

fn crowd_of(services: usize, change: impl Fn(WatchSpec) -> WatchSpec) -> World {
    let told = |n| change(WatchSpec { monitor: None, ..spec(&format!("g{n:02}/s")) });
    let mut watching = watching((0..services).map(told).collect());
    watching.settings.collapse = Some(Collapse { within: seconds(5), more_than: 2 });
    World::new(watching)
}

/// With alerts, and no word of a recovery.
fn told_of_failures_only(spec: WatchSpec) -> WatchSpec {
    let alerts = vec![alert(AlertOn::Failure, "A")];
    WatchSpec { periods: [Period { alerts, ..period() }].into(), ..spec }
}

/// The words of the last call, which is for many.
fn said(world: &mut World) -> String {
    let (_, job) = world.alerts.pop().unwrap();
    assert!(count(&job).is_some());
    job.input.lines().next().unwrap().to_owned()
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
fn what_was_told_alone_is_told_alone_to_its_end() {
    let mut world = crowd(4);
    all(&mut world, 0..2, 1);
    world.until(10);
    all(&mut world, 2..4, 1);
    // Not gathered, or its end would be told with a storm that may never be.
    all(&mut world, 0..1, 1);
    all(&mut world, 0..1, 0);
    let told =
        ["0 failure A", "0 failure A", "10 failure A", "10 failure A", "10 failure A", "10 up U"];
    assert_eq!(world.told(), told);
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
    world.configure(watching, Keep::State);
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

#[test]
fn membership_ends_with_the_failure_where_nobody_is_told_of_recoveries() {
    let mut world = crowd_of(4, told_of_failures_only);
    all(&mut world, 0..4, 1);
    world.until(6);
    assert_eq!(said(&mut world), "2 services: g02/s g03/s");
    all(&mut world, 0..4, 0);
    world.told();
    // Days later one of them fails alone, and is told of alone and at once.
    world.until(1000);
    all(&mut world, 2..3, 1);
    assert_eq!(count(&world.alerts[0].1), None);
    assert_eq!(world.told(), ["1000 failure A"]);
}

#[test]
fn membership_ends_when_what_a_trap_said_ends() {
    let trap_duration = Some(seconds(30));
    let mut world = crowd_of(4, |spec| WatchSpec { trap_duration, ..spec });
    for n in 0..4 {
        world.trap(&format!("g{n:02}/s"), "1", "x").unwrap();
    }
    world.until(29);
    assert_eq!(world.told(), ["0 trap A", "0 trap A", "5 trap A"]);
    // Those who were told of the storm are told of its end; of a single end nobody is.
    world.until(100);
    assert_eq!(world.told(), ["30 up U"]);
    all(&mut world, 2..3, 1);
    assert_eq!(world.told(), ["100 failure A"]);
}

#[test]
fn storm_names_only_those_who_fail_when_it_is_told() {
    let late = Throttle { recovery_after: Some(seconds(60)), ..Throttle::default() };
    let late = Period { throttle: late, ..period() };
    let mut world = crowd_of(6, |spec| WatchSpec { periods: [late.clone()].into(), ..spec });
    all(&mut world, 0..6, 1);
    // Well again, which is to be told later; and nobody's business.
    all(&mut world, 2..3, 0);
    world.disable(Disabling::Service(key("g03/s"))).unwrap();
    world.until(5);
    assert_eq!(said(&mut world), "2 services: g04/s g05/s");
    all(&mut world, 3..6, 0);
    world.told();
    world.until(100);
    world.enable(Disabling::Service(key("g03/s"))).unwrap();
    assert_eq!(world.told(), ["100 up U"]);
}

#[test]
fn restart_loses_no_call_that_was_gathered() {
    let mut world = crowd(6);
    let watching = world.watcher.watching().clone();
    all(&mut world, 0..6, 1);
    world.told();
    world.restart(watching.clone());
    world.until(4);
    assert_eq!(world.told(), [""; 0]);
    world.until(5);
    assert_eq!(said(&mut world), "4 services: g02/s g03/s g04/s g05/s");
    // And none that says it is over.
    world.restart(watching);
    all(&mut world, 2..6, 0);
    assert_eq!(world.alerts[0].1.lane, key("g02/s"));
    assert_eq!(said(&mut world), "4 services: g05/s ...");
    world.until(100);
    assert_eq!(world.told(), [""; 0]);
}

#[test]
fn saved_storm_is_read_as_it_was_written_and_without_those_who_are_gone() {
    let mut world = crowd(6);
    all(&mut world, 0..6, 1);
    let text = serde_json::to_string(&world.watcher.save()).unwrap();
    let saved: crate::watch::Saved = serde_json::from_str(&text).unwrap();
    assert_eq!(saved, world.watcher.save());
    let mut watching = world.watcher.watching().clone();
    watching.services.remove(&key("g02/s"));
    let mut next = World::empty();
    next.watcher.load(saved, at(0));
    next.configure(watching, Keep::State);
    next.until(5);
    assert_eq!(said(&mut next), "3 services: g03/s g04/s g05/s");
}

#[test]
fn storm_whose_last_member_left_the_file_is_told_to_be_over() {
    let mut world = crowd(5);
    all(&mut world, 0..5, 1);
    world.until(5);
    world.told();
    all(&mut world, 2..4, 0);
    assert_eq!(world.told(), [""; 0]);
    let mut watching = world.watcher.watching().clone();
    watching.services.remove(&key("g04/s"));
    world.configure(watching, Keep::State);
    assert_eq!(said(&mut world), "3 services: g04/s ...");
    assert_eq!(world.told(), [""; 0]);
}

#[test]
fn storm_waits_while_the_scheduler_is_stopped() {
    let mut world = crowd(4);
    all(&mut world, 0..4, 1);
    world.told();
    world.order(WatchOrder::StopScheduler).unwrap();
    world.until(60);
    assert_eq!(world.told(), [""; 0]);
    world.order(WatchOrder::StartScheduler).unwrap();
    world.until(60);
    assert_eq!(world.told(), ["60 failure A"]);
}

#[test]
fn timer_of_a_storm_that_is_over_makes_the_next_one_no_told_one() {
    let mut world = crowd(4);
    all(&mut world, 0..4, 1);
    all(&mut world, 2..4, 0);
    world.until(5);
    // The same again: over before anybody was told.
    all(&mut world, 0..2, 0);
    all(&mut world, 0..4, 1);
    all(&mut world, 2..4, 0);
    world.told();
    world.until(100);
    assert_eq!(world.told(), [""; 0]);
}

#[test]
fn storm_that_lasts_is_cleared_though_the_setting_went() {
    let mut world = crowd(4);
    all(&mut world, 0..4, 1);
    world.until(5);
    world.told();
    let mut watching = world.watcher.watching().clone();
    watching.settings.collapse = None;
    world.configure(watching, Keep::State);
    all(&mut world, 2..4, 1);
    world.until(5);
    assert_eq!(said(&mut world), "2 services: g02/s g03/s");
    all(&mut world, 2..4, 0);
    assert_eq!(world.told(), ["5 up U"]);
    all(&mut world, 2..4, 1);
    assert_eq!(world.told(), ["5 failure A", "5 failure A"]);
}
