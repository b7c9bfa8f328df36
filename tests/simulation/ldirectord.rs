//! What a director owes those who come from ldirectord: fixed where it was wrong (F), kept where
//! they rely on it (K), decided where it was by accident (D).

use directord::ipvs::Fake;
use directord::model::*;

use crate::world::*;

#[test]
fn k14_combined_check_negotiates_once_and_connects_so_often_in_between() {
    let between = Between { times: 3, probe: Probe::Connect, timeout: SECOND / 4 };
    let http = Probe::Ping(PingProbe { count: 1 });
    let combined = CheckSpec { probe: http, between: Some(between), ..every_second() };
    let mut world = World::new(Fake::new());
    world.load(desired([with_check(service(1, &[1]), combined)]));
    world.run(9 * SECOND);
    let (whole, cheap) = (("ping", every_second().timeout), ("connect", SECOND / 4));
    let round = [whole, cheap, cheap, cheap];
    let expected: Vec<_> = round.iter().cycle().take(world.questions.len()).copied().collect();
    assert!(world.questions.len() >= 9);
    assert_eq!(world.questions, expected);
    let what = world.snapshot().services[0].servers[0].check.what.clone();
    assert_eq!(what, "ping 10.0.0.1:80, 3 connects between");
}

#[test]
fn k14_failed_connect_makes_the_next_check_a_negotiate() {
    let between = Between { times: 3, probe: Probe::Connect, timeout: SECOND / 4 };
    let http = Probe::Ping(PingProbe { count: 1 });
    let combined = CheckSpec { probe: http, between: Some(between), ..every_second() };
    let mut world = World::new(Fake::new());
    world.load(desired([with_check(service(1, &[1]), combined)]));
    while world.questions.len() < 2 {
        world.run(SECOND / 100);
    }
    world.moods.insert(at(1), Mood::Refusing);
    world.run(3 * SECOND);
    world.moods.clear();
    world.run(2 * SECOND);
    let kinds: Vec<_> = world.questions.iter().map(|(kind, _)| *kind).take(7).collect();
    assert_eq!(kinds, ["ping", "connect", "connect", "ping", "ping", "ping", "connect"]);
}
