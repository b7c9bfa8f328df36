//! What becomes of a service's addresses.

use std::time::Duration;

use directord::address::{Presence, wishes};
use directord::ipvs::Fake;
use directord::model::*;

use crate::world::*;

fn with_vip(when: VipWhen, service: VirtualService) -> VirtualService {
    let key = "192.0.2.1/32 on eth0".parse().unwrap();
    VirtualService { vips: vec![Vip { key, when, announce: Announce::default() }], ..service }
}

fn presence(world: &World) -> Presence {
    wishes(world.engine.backings(), true).values().next().unwrap().presence
}

#[test]
fn an_address_waits_for_its_table_and_a_healthy_one_for_the_first_pass() {
    for when in [VipWhen::Always, VipWhen::Healthy] {
        let mut world = World::new(Fake::new());
        world.moods.insert(at(1), Mood::Silent);
        world.moods.insert(at(2), Mood::Silent);
        world.load(desired([with_vip(when, service(1, &[1, 2]))]));
        assert_eq!(presence(&world), Presence::AsFound);
        world.run(Duration::from_millis(50));
        if when == VipWhen::Healthy {
            assert_eq!(presence(&world), Presence::AsFound, "nobody has answered yet");
            world.moods.clear();
            world.run(SECOND * 2);
        }
        assert_eq!(presence(&world), Presence::Present, "{when:?}");
        assert!(world.engine.poll_backings(), "somebody is told to look");
        assert!(!world.engine.poll_backings());
    }
}

#[test]
fn a_healthy_one_goes_with_the_last_real_server_whatever_stands_in() {
    let spec = with_vip(VipWhen::Healthy, with_fallback(service(1, &[1, 2]), 9, 1));
    let mut world = running([spec]);
    world.moods.insert(at(1), Mood::Refusing);
    world.run(SECOND * 2);
    assert_eq!(presence(&world), Presence::Present, "one is left");
    world.engine.poll_backings();
    world.moods.insert(at(2), Mood::Refusing);
    world.run(SECOND * 2);
    assert_eq!(presence(&world), Presence::Absent);
    assert!(world.engine.poll_backings());
    world.moods.clear();
    world.run(SECOND * 2);
    assert_eq!(presence(&world), Presence::Present);
}

#[test]
fn a_healthy_one_goes_when_its_servers_are_drained() {
    let mut world = running([with_vip(VipWhen::Healthy, service(1, &[1]))]);
    assert_eq!(presence(&world), Presence::Present);
    world.command(Command::Drain { server: at(1).to_string(), service: None }).unwrap();
    assert_eq!(presence(&world), Presence::Absent);
}

#[test]
fn a_stop_takes_the_address_of_what_it_removes_and_no_other() {
    for (on_stop, keep, wanted) in [
        (StopAction::Remove, false, Presence::Absent),
        (StopAction::Keep, false, Presence::AsFound),
        (StopAction::Remove, true, Presence::AsFound),
    ] {
        let spec = VirtualService { on_stop, ..service(1, &[1]) };
        let mut world = running([with_vip(VipWhen::Always, spec)]);
        world.engine.poll_backings();
        world.engine.handle_stop("test", keep, world.now);
        assert!(world.engine.poll_backings());
        assert_eq!(presence(&world), wanted, "{on_stop:?}, keep {keep}");
    }
}

#[test]
fn a_restart_never_takes_away_what_was_well() {
    let spec = || with_vip(VipWhen::Healthy, service(1, &[1, 2]));
    let mut world = running([spec()]);
    world.run(SECOND * 3);
    world.crash_and_restart(SECOND, desired([spec()]));
    for _ in 0..100 {
        assert_ne!(presence(&world), Presence::Absent);
        world.run(Duration::from_millis(20));
    }
    assert_eq!(presence(&world), Presence::Present);
}
