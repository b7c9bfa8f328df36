//! When monitors run.

use std::time::Duration;

use super::world::*;
use crate::model::*;
use crate::watch::SchedulerState;

#[test]
fn first_run_is_one_interval_after_the_start_and_the_others_on_a_grid() {
    let mut world = World::of(spec("g/s"));
    assert_eq!(world.view("g/s").timer, Some(seconds(10)));
    world.takes("g/s", 0, "", Duration::from_millis(2500));
    world.until(40);
    assert_eq!(world.started(), [10.0, 20.0, 30.0, 40.0]);
    world.until(43);
    assert_eq!(world.view("g/s").duration, Some(Duration::from_millis(2500)));
    assert_eq!(world.view("g/s").timer, Some(seconds(7)));
}

#[test]
fn random_start_spreads_first_runs_over_its_time() {
    let specs = (0..200).map(|n| spec(&format!("g/{n}"))).collect();
    let mut watching = watching(specs);
    watching.settings.random_start = Some(seconds(8));
    let mut world = World::new(watching);
    world.until(7);
    let started = world.started();
    let early = started.iter().filter(|at| **at < 4.0).count();
    assert!((60..140).contains(&early), "{early} of {}", started.len());
    world.until(8);
    assert_eq!(started.len() + world.started().len(), 200);
}

#[test]
fn skew_moves_runs_about_their_points_and_never_the_grid() {
    let mut world = World::of(WatchSpec { skew: Some(seconds(3)), ..spec("g/s") });
    world.until(10_005);
    let started = world.started();
    assert!(started.len() >= 999, "{}", started.len());
    let off = |(n, at): (usize, &f64)| at - 10.0 * (n + 1) as f64;
    let off: Vec<_> = started.iter().enumerate().map(off).collect();
    assert!(off.iter().all(|off| off.abs() <= 3.0), "{off:?}");
    assert!(off.iter().any(|off| *off > 2.0) && off.iter().any(|off| *off < -2.0));
}

#[test]
fn failing_service_is_asked_at_the_interval_of_failures() {
    let mut world = World::of(WatchSpec { failure_interval: Some(seconds(3)), ..spec("g/s") });
    world.says("g/s", 1, "x\n");
    world.until(18);
    world.says("g/s", 0, "");
    world.until(42);
    assert_eq!(world.started(), [10.0, 13.0, 16.0, 19.0, 29.0, 39.0]);
}

#[test]
fn run_that_lasts_longer_than_the_interval_of_failures_waits_for_the_next_point() {
    let mut world = World::of(WatchSpec { failure_interval: Some(seconds(3)), ..spec("g/s") });
    world.takes("g/s", 1, "x\n", seconds(4));
    world.until(27);
    assert_eq!(world.started(), [10.0, 16.0, 22.0]);
}

#[test]
fn no_more_monitors_run_than_may_and_the_others_follow_in_order() {
    let mut watching = watching((0..5).map(|n| spec(&format!("g/{n}"))).collect());
    watching.settings.max_processes = Some(2);
    let mut world = World::new(watching);
    for n in 0..5 {
        world.takes(&format!("g/{n}"), 0, "", seconds(2));
    }
    world.until(14);
    let order: Vec<_> = world.runs.iter().map(|(_, run)| run.key.service.to_string()).collect();
    assert_eq!(order, ["0", "1", "2", "3", "4"]);
    // Each on its grid from then on, whoever waited.
    assert_eq!(world.started(), [10.0, 10.0, 12.0, 12.0, 14.0]);
    world.until(24);
    assert_eq!(world.started(), [20.0, 20.0, 22.0, 22.0, 24.0]);
    assert_eq!(world.lines.iter().filter(|line| *line == "throttled at 2 processes").count(), 2);
}

#[test]
fn excluded_service_runs_as_soon_as_its_time_is_over() {
    let window = Window { minutes: vec![(1, 2)], ..Window::default() };
    let exclude =
        Calendar { written: "min {1-2}".to_owned(), windows: CalendarWindows::Some(vec![window]) };
    let interval = Some(seconds(50));
    let mut world = World::of(WatchSpec { exclude: Some(exclude), interval, ..spec("g/s") });
    world.until(250);
    assert_eq!(world.started(), [50.0, 180.0, 200.0, 250.0]);
}

#[test]
fn nobody_hears_of_a_real_server_that_is_disabled() {
    let name = "shop/10.0.0.1:80";
    let hosts = Some(["10.0.0.1".to_owned()].into());
    let redistribute = Some(call(&["R"]));
    let server = WatchSpec { monitor: None, hosts, redistribute, periods: [].into(), ..spec(name) };
    for (what, heard) in [
        (None, 2),
        (Some(Disabling::Service(key(name))), 0),
        (Some(Disabling::Watch("shop".into())), 0),
        (Some(Disabling::Host("10.0.0.1".to_owned())), 0),
    ] {
        let mut watching = watching(vec![server.clone()]);
        watching.groups.insert("shop".into(), ["10.0.0.1".to_owned()].into());
        let mut world = World::new(watching);
        what.into_iter().for_each(|what| world.disable(what).unwrap());
        world.told();
        world.outcome(name, 1, "10.0.0.1\n");
        world.outcome(name, 0, "");
        assert_eq!(world.told().len(), heard);
    }
}

#[test]
fn what_others_find_while_a_service_is_excluded_is_not_looked_at() {
    let window = Window { minutes: vec![(1, 2)], ..Window::default() };
    let exclude =
        Calendar { written: "min {1-2}".to_owned(), windows: CalendarWindows::Some(vec![window]) };
    let server = WatchSpec { monitor: None, exclude: Some(exclude), ..spec("shop/10.0.0.1:80") };
    let mut world = World::of(server);
    // Down and up again within it; then down, and still down when it is over.
    for (second, exit) in [(50, 0), (70, 1), (80, 0), (170, 1), (180, 1), (190, 1)] {
        world.until(second);
        world.outcome("shop/10.0.0.1:80", exit, "10.0.0.1\n");
    }
    assert_eq!(world.told()[0], "180 failure A");
}

#[test]
fn nothing_is_asked_and_no_trap_missed_while_everything_is_excluded() {
    let beat = WatchSpec {
        monitor: None,
        interval: None,
        trap_timeout: Some(seconds(3700)),
        ..spec("g/beat")
    };
    let mut watching = watching(vec![spec("g/s"), beat]);
    watching.settings.exclude = Some(hours(1, 2));
    let mut world = World::new(watching);
    world.until(3594);
    world.started();
    world.until(3 * 3600 + 15);
    // Both hours do not count for any timer.
    assert_eq!(world.started(), [10800.0, 10810.0]);
    world.until(3 * 3600 + 99);
    assert_eq!(world.told(), [""; 0]);
    world.until(3 * 3600 + 100);
    assert_eq!(world.told(), ["10900 traptimeout A"]);
}

#[test]
fn stopped_scheduler_freezes_timers_and_there_is_no_burst_afterwards() {
    let mut specs: Vec<_> = (0..9).map(|n| spec(&format!("g/{n}"))).collect();
    for (n, spec) in specs.iter_mut().enumerate() {
        spec.interval = Some(seconds(10 + n as u64));
    }
    let mut world = World::new(watching(specs));
    world.until(5);
    world.order(WatchOrder::StopScheduler).unwrap();
    assert_eq!(world.watcher.scheduler(), SchedulerState::StoppedSince(at(5)));
    assert_eq!(world.watcher.poll_timeout(), None);
    world.until(1005);
    assert_eq!(world.view("g/0").timer, Some(seconds(5)));
    world.order(WatchOrder::StartScheduler).unwrap();
    assert_eq!(world.watcher.scheduler(), SchedulerState::Running);
    world.until(1018);
    let expected: Vec<_> = (0..9).map(|n| f64::from(1010 + n)).collect();
    assert_eq!(world.started(), expected);
}

#[test]
fn monitor_that_is_not_there_is_logged_once_an_interval_and_asks_nobody() {
    let mut missing = spec("g/s");
    missing.monitor.as_mut().unwrap().how = MonitorKind::Missing;
    let mut world = World::of(missing);
    world.until(20);
    let line = "no monitor found while trying to run [a.monitor] for g/s";
    assert_eq!(world.lines, [line; 2]);
    assert_eq!(world.view("g/s").opstatus, OpStatus::Untested);
}

#[test]
fn monitor_is_given_the_hosts_that_are_left() {
    let plain = |name: &str| WatchSpec { exclude_hosts: ["b".to_owned()].into(), ..spec(name) };
    let mut without = plain("g/without");
    without.monitor.as_mut().unwrap().without_hosts = true;
    let empty = WatchSpec {
        exclude_hosts: ["a", "b", "c"].map(str::to_owned).into(),
        allow_empty_group: true,
        ..spec("g/empty")
    };
    let mut watching = watching(vec![plain("g/plain"), without, empty]);
    watching.groups.insert("g".into(), ["a", "b", "c"].map(str::to_owned).into());
    let mut world = World::new(watching);
    world.disable(Disabling::Host("c".to_owned())).unwrap();
    world.until(10);
    let hosts: Vec<_> = world.runs.iter().map(|(_, run)| run.hosts.join(" ")).collect();
    assert_eq!(hosts, ["", "a", ""]);
}

#[test]
fn ten_thousand_services_keep_their_beat() {
    let specs: Vec<_> = (0..10_000).map(|n| spec(&format!("g/{n}"))).collect();
    let mut watching = watching(specs);
    watching.settings.random_start = Some(seconds(10));
    let mut world = World::new(watching);
    world.until(40);
    assert_eq!(world.started().len(), 40_000);
}
