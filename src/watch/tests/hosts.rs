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
    world.order(WatchOrder::Disable { what, user, reason, lasts: Some(seconds(7200)) }).unwrap();
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
