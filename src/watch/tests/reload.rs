//! A reload takes up what differs, and comes to what all of it would come to.

use super::world::*;
use crate::model::*;

/// Services of which each is in one of several states, or not there.
fn variant(n: usize) -> Watching {
    let labelled = |label: &str| Period { label: label.to_owned(), ..period() };
    let specs = [n % 4, n / 4 % 4, n / 16 % 4].into_iter().enumerate().filter_map(|(at, n)| {
        let name = ["g/a", "g/b", "h/c"][at];
        let monitored = spec(name);
        let found = match n {
            0 => return None,
            1 => monitored,
            2 => WatchSpec {
                interval: Some(seconds(7)),
                periods: [labelled("other"), labelled("late")].into(),
                ..monitored
            },
            _ => WatchSpec {
                depends: Depends { monitors: depends_on("g/a"), ..Depends::default() },
                unack_summary: true,
                ..monitored
            },
        };
        Some(found)
    });
    let mut watching = watching(specs.collect());
    if n.is_multiple_of(3) {
        watching.groups.insert("g".into(), ["other".to_owned()].into());
    }
    watching
}

#[test]
fn what_differs_alone_comes_to_what_all_of_it_would() {
    let mut random = 7_u64;
    let mut next = move |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) % below
    };
    let mut calls = 0;
    for _ in 0..60 {
        let first = variant(next(64) as usize);
        let mut worlds = [World::new(first.clone()), World::new(first)];
        let mut second = 0;
        for _ in 0..25 {
            let (name, exit, n) = (["g/a", "g/b", "h/c"][next(3) as usize], next(2), next(64));
            second += next(30);
            let what = next(3);
            for (at, world) in worlds.iter_mut().enumerate() {
                world.until(second);
                match (what, at) {
                    (0, 0) => world.configure(variant(n as usize), crate::watch::Keep::State),
                    (0, _) => world.configure_all(variant(n as usize)),
                    (1, _) => world.takes(name, exit as u8, "x\n", seconds(n % 5)),
                    _ => drop(world.disable(Disabling::Service(key(name)))),
                }
            }
            let [here, there] = &mut worlds;
            let told = here.told();
            calls += told.len();
            assert_eq!(told, there.told());
            assert_eq!(here.started(), there.started());
            let views = |world: &World| world.watcher.views(world.now).collect::<Vec<_>>();
            assert_eq!(views(here), views(there));
        }
    }
    assert!(calls > 100, "{calls}");
}

#[test]
fn a_service_that_waits_for_its_parent_runs_when_a_reload_takes_the_parent_away() {
    let parent = WatchSpec { monitor: None, ..spec("router/ping") };
    let depends = Depends { monitors: depends_on("router/ping"), ..Depends::default() };
    let child = |depends| WatchSpec { depends, interval: Some(seconds(10)), ..spec("web/http") };
    let mut world = World::new(watching(vec![parent.clone(), child(depends)]));
    world.outcome("router/ping", 1, "x\n");
    world.until(25);
    assert_eq!(world.started(), [0.0; 0]);
    world.configure(watching(vec![parent, child(Depends::default())]), crate::watch::Keep::State);
    world.until(40);
    assert!(!world.started().is_empty());
}
