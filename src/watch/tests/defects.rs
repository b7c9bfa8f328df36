//! What mon gets wrong, each under the name of its defect.

use std::time::Duration;

use super::world::*;
use crate::model::*;
use crate::watch::*;

#[test]
fn restart_while_a_server_is_out_loses_no_upalert() {
    let mut world = World::of(spec("g/s"));
    world.says("g/s", 1, "x\n");
    world.until(10);
    let saved = world.watcher.save();
    let mut next = World::empty();
    next.now = at(11);
    next.watcher.load(saved, at(11));
    next.configure(watching(vec![spec("g/s")]), Keep::State);
    next.until(21);
    assert_eq!(&*next.alerts[0].1.input, "x\n");
    assert_eq!(next.told(), ["21 up U"]);
}

#[test]
fn restart_takes_back_no_acknowledgement_because_a_start_has_no_summary() {
    let unacknowledging = || watching(vec![WatchSpec { unack_summary: true, ..spec("g/s") }]);
    let mut world = World::new(unacknowledging());
    world.says("g/s", 1, "x\n");
    world.until(10);
    let (user, comment) = ("ann".to_owned(), "mine".to_owned());
    world.order(WatchOrder::Acknowledge { key: key("g/s"), user, comment }).unwrap();
    world.told();
    world.restart(unacknowledging());
    assert_eq!(world.view("g/s").acknowledged.unwrap().comment, "mine");
    world.until(30);
    assert_eq!(world.told(), [""; 0]);
}

#[test]
fn reset_while_a_server_is_out_loses_no_upalert() {
    let mut world = World::of(spec("g/s"));
    world.says("g/s", 1, "x\n");
    world.until(10);
    world.configure(watching(vec![spec("g/s")]), Keep::Nothing);
    world.says("g/s", 0, "");
    world.told();
    world.until(40);
    assert_eq!(world.told(), ["20 up U"]);
}

#[test]
fn reset_ends_what_a_trap_said_and_no_storm_waits_for_that_for_ever() {
    let trapped =
        |name| WatchSpec { monitor: None, trap_duration: Some(seconds(70)), ..spec(name) };
    let many = || {
        let mut watching = watching(vec![trapped("g/s"), trapped("g/t")]);
        watching.settings.collapse = Some(Collapse { within: seconds(20), more_than: 1 });
        watching
    };
    let mut world = World::new(many());
    world.trap("g/s", "1", "x").unwrap();
    world.trap("g/t", "1", "x").unwrap();
    assert!(world.watcher.storms.has_members());
    world.configure(many(), Keep::Nothing);
    assert!(!world.watcher.storms.has_members());
}

#[test]
fn recovery_while_the_service_or_watch_is_disabled_is_told_when_it_is_enabled() {
    for what in [Disabling::Service(key("g/s")), Disabling::Watch("g".into())] {
        let mut world = World::of(WatchSpec { monitor: None, ..spec("g/s") });
        world.outcome("g/s", 1, "x\n");
        world.disable(what.clone()).unwrap();
        world.until(10);
        world.outcome("g/s", 0, "");
        world.until(20);
        world.outcome("g/s", 0, "");
        assert_eq!(world.told(), ["0 failure A"]);
        world.enable(what).unwrap();
        assert_eq!(world.told(), ["20 up U"]);
    }
}

#[test]
fn failure_that_comes_back_while_disabled_is_not_told_to_be_over() {
    let mut world = World::of(WatchSpec { monitor: None, ..spec("g/s") });
    let what = || Disabling::Service(key("g/s"));
    world.outcome("g/s", 1, "x\n");
    world.disable(what()).unwrap();
    world.outcome("g/s", 0, "");
    world.outcome("g/s", 1, "x\n");
    world.enable(what()).unwrap();
    assert_eq!(world.told(), ["0 failure A"]);
    world.until(10);
    world.outcome("g/s", 0, "");
    assert_eq!(world.told(), ["10 up U"]);
}

#[test]
fn failure_nobody_was_told_of_while_disabled_has_no_upalert() {
    let mut world = World::of(WatchSpec { monitor: None, ..spec("g/s") });
    world.disable(Disabling::Service(key("g/s"))).unwrap();
    world.outcome("g/s", 1, "x\n");
    world.outcome("g/s", 0, "");
    world.enable(Disabling::Service(key("g/s"))).unwrap();
    assert_eq!(world.told(), [""; 0]);
}

#[test]
fn recovery_while_the_scheduler_is_stopped_is_told_when_it_starts() {
    let mut world = World::of(spec("g/s"));
    world.says("g/s", 1, "x\n");
    world.until(15);
    world.takes("g/s", 0, "", seconds(5));
    world.until(20);
    world.order(WatchOrder::StopScheduler).unwrap();
    world.until(100);
    assert_eq!(world.view("g/s").opstatus, OpStatus::Ok);
    assert_eq!(world.told(), ["10 failure A"]);
    world.order(WatchOrder::StartScheduler).unwrap();
    assert_eq!(world.told(), ["100 up U"]);
}

#[test]
fn recovery_outside_the_period_is_told_when_the_period_comes() {
    let morning = Period { times: hours(0, 0), ..period() };
    let mut world = World::of(WatchSpec { periods: [morning].into(), ..spec("g/s") });
    world.says("g/s", 1, "x\n");
    world.until(10);
    world.until(3600);
    world.told();
    world.says("g/s", 0, "");
    world.until(24 * 3600 - 1);
    assert_eq!(world.told(), [""; 0]);
    world.until(24 * 3600 + 100);
    assert_eq!(world.told(), ["86400 up U"]);
}

#[test]
fn slow_alert_is_not_overtaken_because_calls_of_one_service_share_a_lane() {
    let mut world = World::of(spec("g/s"));
    world.says("g/s", 1, "x\n");
    world.until(10);
    world.says("g/s", 0, "");
    world.until(20);
    let lanes: Vec<_> = world.alerts.iter().map(|(_, job)| job.lane.clone()).collect();
    assert_eq!(lanes, [key("g/s"), key("g/s")]);
}

#[test]
fn monitor_slower_than_its_interval_stretches_no_period_for_good() {
    let mut world = World::of(spec("g/s"));
    world.takes("g/s", 0, "", seconds(25));
    world.until(30);
    world.says("g/s", 0, "");
    world.until(70);
    // One slow run leaves out what it missed; the grid is where it was.
    assert_eq!(world.started(), [10.0, 40.0, 50.0, 60.0, 70.0]);
}

#[test]
fn interval_of_one_second_is_one_second() {
    let mut world = World::of(WatchSpec { interval: Some(seconds(1)), ..spec("g/s") });
    world.takes("g/s", 0, "", Duration::from_millis(900));
    world.until(5);
    assert_eq!(world.started(), [1.0, 2.0, 3.0, 4.0, 5.0]);
}

#[test]
fn traps_in_quick_succession_stop_no_polling() {
    let trapped = WatchSpec { monitor: None, trap_timeout: Some(seconds(60)), ..spec("g/t") };
    let mut world = World::new(watching(vec![spec("g/s"), trapped]));
    for second in 0..40 {
        world.until(second);
        world.trap("g/t", "0", "").unwrap();
        world.trap("g/t", "0", "").unwrap();
    }
    world.until(40);
    assert_eq!(world.started(), [10.0, 20.0, 30.0, 40.0]);
    assert_eq!(world.told(), [""; 0]);
}

#[test]
fn clock_that_was_not_served_for_an_hour_makes_no_burst() {
    let mut world = World::of(spec("g/s"));
    world.until(10);
    world.now = at(3615);
    world.watcher.handle_timeout(world.now);
    world.drain();
    world.until(3640);
    assert_eq!(world.started(), [10.0, 3615.0, 3620.0, 3630.0, 3640.0]);
}

#[test]
fn disablealert_fires() {
    let disabling = Period { alerts: vec![alert(AlertOn::Disabling, "D")], ..period() };
    let mut world = World::of(WatchSpec { periods: [disabling].into(), ..spec("g/s") });
    world.disable(Disabling::Service(key("g/s"))).unwrap();
    world.disable(Disabling::Service(key("g/s"))).unwrap();
    assert_eq!(world.told(), ["0 disable D"]);
    assert_eq!(world.view("g/s").alerts_sent, 0);
}

#[test]
fn startupalert_uses_up_neither_numalerts_nor_alertevery() {
    let mut once = period();
    once.alerts.push(alert(AlertOn::Startup, "S"));
    once.throttle = Throttle {
        limit: Some(1),
        every: Some((seconds(1000), Repeat::Strict)),
        ..Throttle::default()
    };
    let mut world = World::of(WatchSpec { periods: [once].into(), ..spec("g/s") });
    world.says("g/s", 1, "x\n");
    world.until(10);
    assert_eq!(world.told(), ["0 startup S", "10 failure A"]);
}

#[test]
fn alertdepend_alone_is_evaluated() {
    let depends = Depends { alerts: depends_on("g/parent"), ..Depends::default() };
    let child = WatchSpec { depends, ..spec("g/s") };
    let mut world = World::new(watching(vec![spec("g/parent"), child]));
    world.says("g/s", 1, "x\n");
    world.until(10);
    assert_eq!(world.told(), ["10 failure A"]);
}

#[test]
fn commands_on_unknown_names_create_no_ghosts() {
    let mut world = World::of(spec("g/s"));
    let (user, comment) = (String::new(), String::new());
    let ack = WatchOrder::Acknowledge { key: key("x/y"), user, comment };
    assert_eq!(world.order(ack), Err(WatchRefusal::UnknownGroup("x".to_owned())));
    assert!(world.trap("x/y", "1", "").is_err());
    world.outcome("x/y", 1, "x\n");
    assert_eq!(world.watcher.views(at(0)).count(), 1);
    assert!(world.alerts.is_empty());
}

#[test]
fn redistribution_makes_no_unpaired_upalert_of_a_first_success() {
    let throttle = Throttle { unpaired: true, ..Throttle::default() };
    let mut service = WatchSpec { redistribute: Some(call(&["R"])), ..spec("g/s") };
    service.periods = [Period { throttle, ..period() }].into();
    let mut world = World::of(service);
    world.until(10);
    assert_eq!(world.told(), ["0 startup R", "10 up R"]);
}
