//! How each host is, and of what nobody is told, for those who look.

use std::time::SystemTime;

use super::world::*;
use crate::model::*;

fn wall(time: Time) -> SystemTime {
    SystemTime::UNIX_EPOCH + time.since_epoch()
}

impl World {
    fn finds(&mut self, second: u64, hosts: &[(&str, Outcome)]) {
        self.until(second);
        let result = |(host, outcome): &(&str, Outcome)| HostResult {
            host: (*host).into(),
            outcome: outcome.clone(),
        };
        let results: Vec<_> = hosts.iter().map(result).collect();
        self.watcher.handle_hosts(&key("g/s"), &results, self.now);
    }

    /// `HOST up|down|? SECOND DETAIL`
    fn hosts(&self) -> Vec<String> {
        let status = self.watcher.statuses(wall).remove(0);
        let line = |host: &HostStatus| {
            let state = host.up.map_or("?", |up| if up { "up" } else { "down" });
            let second = host.since.duration_since(wall(at(0))).unwrap().as_secs();
            let detail = host.detail.as_deref().unwrap_or_default();
            format!("{} {state} {second} {detail}", host.host)
        };
        status.hosts.iter().map(line).collect()
    }
}

fn fail(why: &str) -> Outcome {
    Outcome::Fail(why.into())
}

#[test]
fn each_host_is_shown_since_when_it_is_so_and_what_was_last_found() {
    let mut world = World::of(spec("g/s"));
    assert!(world.hosts().is_empty());
    world.finds(10, &[("b", Outcome::Pass), ("a", fail("refused"))]);
    world.finds(20, &[("b", fail("no route")), ("a", fail("timeout"))]);
    assert_eq!(world.hosts(), ["b down 20 no route", "a down 10 timeout"]);
    world.finds(30, &[("b", Outcome::Pass), ("c", Outcome::Local("no memory".into()))]);
    assert_eq!(world.hosts(), ["b up 30 ", "c ? 30 cannot be asked: no memory"]);
    world.finds(40, &[("b", Outcome::Local("no memory".into())), ("c", fail("refused"))]);
    assert_eq!(world.hosts(), ["b up 30 cannot be asked: no memory", "c down 40 refused"]);
}

#[test]
fn hosts_are_remembered_across_a_restart_and_never_since_a_time_to_come() {
    let mut world = World::of(spec("g/s"));
    world.watcher.take_changed();
    world.finds(20, &[("a", fail("refused")), ("b", Outcome::Pass)]);
    assert!(world.watcher.take_changed(), "worth a note");
    world.finds(21, &[("a", fail(&"x".repeat(1000))), ("b", Outcome::Pass)]);
    assert!(!world.watcher.take_changed(), "nothing turned");
    let detail = "x".repeat(300);
    world.restart(watching(vec![spec("g/s")]));
    assert_eq!(world.hosts(), [format!("a down 20 {detail}"), "b up 20 ".to_owned()]);
    world.now = at(5);
    world.restart(watching(vec![spec("g/s")]));
    assert_eq!(world.hosts(), [format!("a down 5 {detail}"), "b up 5 ".to_owned()]);
}

#[test]
fn a_disablement_is_shown_with_its_reason_until_its_time_is_over() {
    let mut world = World::of(spec("g/s"));
    let what = vec![Disabling::Watch("g".into())];
    let (user, reason) = ("ann".to_owned(), "new disk".to_owned());
    world.until(10);
    world
        .order(WatchOrder::Disable {
            what,
            user,
            reason,
            lasts: Some(seconds(7200)),
            replaces: false,
        })
        .unwrap();
    world.restart(watching(vec![spec("g/s")]));
    let shown = world.watcher.disabled_statuses(wall);
    let wanted = DisabledStatus {
        kind: DisabledKind::Watch,
        name: "g".to_owned(),
        user: "ann".to_owned(),
        reason: "new disk".to_owned(),
        since: wall(at(10)),
        until: Some(wall(at(7210))),
    };
    assert_eq!(shown, [wanted]);
    assert!(world.watcher.statuses(wall)[0].disabled);
    world.until(7209);
    assert!(!world.watcher.disabled_statuses(wall).is_empty());
    world.until(7210);
    assert!(world.watcher.disabled_statuses(wall).is_empty());
    assert!(!world.watcher.statuses(wall)[0].disabled);
}

#[test]
fn real_servers_are_shown_with_their_service_and_not_again() {
    let server =
        WatchSpec { hosts: Some(["10.0.0.1".to_owned()].into()), ..spec("shop/10.0.0.1:80") };
    let world = World::new(watching(vec![spec("g/s"), server]));
    let names: Vec<_> =
        world.watcher.statuses(wall).into_iter().map(|status| status.watch).collect();
    assert_eq!(names, ["g/s"]);
}

/// It was shown as told of, though nobody is asked.
#[test]
fn a_group_whose_hosts_are_all_disabled_is_shown_as_disabled() {
    let told = || WatchSpec { monitor: None, ..spec("g/trap") };
    let mut watched = watching(vec![spec("g/s"), told()]);
    watched.groups.insert("g".into(), ["a", "b"].map(str::to_owned).into());
    let mut world = World::new(watched);
    let shown = |world: &World| {
        world.watcher.statuses(wall).iter().map(|status| status.disabled).collect::<Vec<_>>()
    };
    world.disable(Disabling::Host("a".to_owned())).unwrap();
    assert_eq!(shown(&world), [false, false]);
    world.disable(Disabling::Host("b".to_owned())).unwrap();
    assert_eq!(shown(&world), [true, false], "a trap is told of all the same");
}

#[test]
fn a_monitor_that_says_nothing_of_any_host_leaves_all_as_they_were() {
    let mut world = World::of(spec("g/s"));
    world.finds(10, &[("a", fail("refused")), ("b", Outcome::Pass)]);
    world.finds(20, &[]);
    assert_eq!(world.hosts(), ["a down 10 refused", "b up 10 "]);
}

#[test]
fn what_is_shown_is_text_of_the_length_of_a_line() {
    let mut world = World::of(spec("g/s"));
    let long = "x".repeat(1000);
    world.says("g/s", 1, &format!("{long}\n"));
    world.until(10);
    let user = raw::text_of(b"rg\xe9");
    let order = WatchOrder::Acknowledge { key: key("g/s"), user: user.clone(), comment: long };
    world.order(order).unwrap();
    let (what, reason) = (vec![Disabling::Watch("g".into())], String::new());
    let order = WatchOrder::Disable { what, user, reason, lasts: None, replaces: false };
    world.order(order).unwrap();
    let status = world.watcher.statuses(wall).remove(0);
    assert_eq!(status.summary, Some("x".repeat(300)));
    assert_eq!(status.acknowledged, Some(format!("rg\u{fffd}: {}", "x".repeat(295))));
    assert_eq!(world.watcher.disabled_statuses(wall)[0].user, "rg\u{fffd}");
}

/// It lasted as much longer as the clock was ahead.
#[test]
fn a_clock_that_was_ahead_does_not_stretch_a_disablement() {
    let mut world = World::of(spec("g/s"));
    world.until(5000);
    let (user, reason) = ("ann".to_owned(), "new disk".to_owned());
    let what = vec![Disabling::Watch("g".into())];
    let lasts = Some(seconds(60));
    world.order(WatchOrder::Disable { what, user, reason, lasts, replaces: false }).unwrap();
    world.now = at(10);
    world.restart(watching(vec![spec("g/s")]));
    world.until(69);
    assert!(!world.watcher.disabled().is_empty());
    world.until(70);
    assert!(world.watcher.disabled().is_empty());
}
