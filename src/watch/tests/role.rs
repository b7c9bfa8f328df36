//! On standby the other director tells of real servers.

use super::world::*;
use crate::model::*;
use crate::watch::Keep;

const SERVER: &str = "shop/10.0.0.1:80";
const OTHER: &str = "shop/10.0.0.2:80";

fn server(name: &str, period: Period) -> WatchSpec {
    let hosts = Some(["10.0.0.1".to_owned()].into());
    WatchSpec { hosts, periods: [period].into(), ..WatchSpec::bare(key(name)) }
}

fn throttled(throttle: Throttle) -> Period {
    Period { throttle, ..period() }
}

impl World {
    fn role(&mut self, role: Role, second: u64) {
        self.until(second);
        self.watcher.handle_role(role, self.now);
        self.drain();
    }

    fn fails(&mut self, name: &str, second: u64) {
        self.until(second);
        self.outcome(name, 1, "10.0.0.1\nrefused\n");
    }

    fn passes(&mut self, name: &str, second: u64) {
        self.until(second);
        self.outcome(name, 0, "");
    }
}

#[test]
fn after_a_takeover_a_failure_is_told_again_whatever_was_used_up_before() {
    let once = Throttle {
        limit: Some(1),
        every: Some((seconds(3600), Repeat::Strict)),
        ..Throttle::default()
    };
    let mut world = World::of(server(SERVER, throttled(once)));
    world.fails(SERVER, 10);
    world.fails(SERVER, 20);
    assert_eq!(world.told(), ["10 failure A"]);
    world.role(Role::Standby, 30);
    // It recovered meanwhile, and failed again, of which the other one told and died.
    for (second, exit) in [(40, 0), (50, 1)] {
        world.until(second);
        world.outcome(SERVER, exit, "10.0.0.1\n");
    }
    assert_eq!(world.told(), [""; 0]);
    world.role(Role::Active, 60);
    world.fails(SERVER, 70);
    world.fails(SERVER, 80);
    assert_eq!(world.told(), ["70 failure A"]);
    world.passes(SERVER, 90);
    assert_eq!(world.told(), ["90 up U"]);
}

#[test]
fn an_acknowledgement_from_before_the_standby_is_about_another_failure() {
    let mut world = World::of(server(SERVER, period()));
    world.fails(SERVER, 10);
    let (user, comment) = ("ann".to_owned(), "mine".to_owned());
    world.order(WatchOrder::Acknowledge { key: key(SERVER), user, comment }).unwrap();
    world.role(Role::Standby, 20);
    world.role(Role::Active, 30);
    world.told();
    world.fails(SERVER, 40);
    assert_eq!(world.told(), ["40 failure A"]);
}

#[test]
fn an_end_that_is_owed_is_not_told_from_standby_but_when_it_is_found_again() {
    let late = Throttle { recovery_after: Some(seconds(60)), ..Throttle::default() };
    for is_restarted in [false, true] {
        let watched = || watching(vec![server(SERVER, throttled(late.clone()))]);
        let mut world = World::new(watched());
        world.fails(SERVER, 10);
        world.passes(SERVER, 20);
        if is_restarted {
            let saved = world.watcher.save();
            world = World::empty();
            world.now = at(20);
            world.watcher.load(saved, at(20));
            world.role(Role::Standby, 25);
            world.configure(watched(), Keep::State);
        }
        world.role(Role::Standby, 30);
        world.until(200);
        world.role(Role::Active, 200);
        world.until(300);
        let before: &[&str] = if is_restarted { &[] } else { &["10 failure A"] };
        assert_eq!(world.told(), before);
        world.passes(SERVER, 310);
        world.passes(SERVER, 320);
        assert_eq!(world.told(), ["310 up U"]);
    }
}

#[test]
fn an_end_that_is_owed_is_not_told_of_what_fails_after_the_takeover() {
    let late = Throttle { recovery_after: Some(seconds(60)), ..Throttle::default() };
    let mut world = World::of(server(SERVER, throttled(late)));
    world.fails(SERVER, 10);
    world.passes(SERVER, 20);
    world.role(Role::Standby, 30);
    world.role(Role::Active, 200);
    world.fails(SERVER, 210);
    assert_eq!(world.told(), ["10 failure A", "210 failure A"]);
}

#[test]
fn a_storm_of_real_servers_is_not_told_from_standby_and_keeps_no_others_waiting() {
    let mut watched = watching(vec![
        server(SERVER, period()),
        server(OTHER, period()),
        WatchSpec { monitor: None, ..spec("g/s") },
    ]);
    let collapse = Collapse { within: seconds(30), more_than: 0 };
    watched.settings.collapse = Some(collapse);
    let mut world = World::new(watched);
    world.fails(SERVER, 10);
    world.fails(OTHER, 10);
    world.outcome("g/s", 1, "x\n");
    world.role(Role::Standby, 20);
    world.until(60);
    assert_eq!(world.told(), ["40 failure A"]);
    world.outcome("g/s", 0, "");
    assert_eq!(world.told(), ["60 up U"], "the storm is over for those who are told here");
    world.role(Role::Active, 70);
    world.passes(SERVER, 80);
    assert_eq!(world.told(), [""; 0], "nobody had been told of its failure");
    world.fails(OTHER, 90);
    world.until(200);
    assert_eq!(world.told(), ["120 failure A"]);
}

#[test]
fn what_is_no_real_server_is_told_of_on_standby_too() {
    let mut startup = period();
    startup.alerts.push(alert(AlertOn::Startup, "S"));
    let mut world = World::empty();
    world.watcher.handle_role(Role::Standby, at(0));
    let watched = || {
        let own = WatchSpec { monitor: None, periods: [startup.clone()].into(), ..spec("g/s") };
        watching(vec![server(SERVER, startup.clone()), own])
    };
    world.configure(watched(), Keep::State);
    assert_eq!(world.told(), ["0 startup S"]);
    world.fails("g/s", 10);
    world.fails(SERVER, 10);
    world.role(Role::Active, 20);
    world.passes("g/s", 30);
    world.passes(SERVER, 30);
    assert_eq!(world.told(), ["10 failure A", "30 up U"]);
}
