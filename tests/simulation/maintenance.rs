//! Files in a maintenance folder.

use directord::ipvs::Fake;
use directord::model::*;

use crate::world::*;

fn held(world: &World) -> Option<String> {
    world.snapshot().services[0].servers[0].held.clone()
}

#[test]
fn k10_maintenance_file_takes_a_server_out_at_once_whatever_the_failurecount() {
    let patient = CheckSpec { fall: 5, ..every_second() };
    let mut world = running([with_check(cf(service(1, &[1, 2])), patient)]);
    world.maintain(&["10.0.0.1:80"]);
    world.run(SECOND / 100);
    assert_eq!(rows(&world.kernel.table(), 1), "2:5");
    assert_eq!(held(&world).as_deref(), Some("maintenance 10.0.0.1:80"));
    assert_eq!(
        world.take_lines(),
        [
            "real server in maintenance service=192.0.2.1:80/tcp server=10.0.0.1:80 \
             file=\"10.0.0.1:80\"",
            "real server removed service=192.0.2.1:80/tcp server=10.0.0.1:80 weight=5",
        ]
    );
}

#[test]
fn k10_server_comes_back_with_the_next_successful_check_after_maintenance() {
    let mut world = running([cf(service(1, &[1, 2]))]);
    world.maintain(&["10.0.0.1"]);
    world.run(5 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "2:5", "its check passes all the time");
    world.moods.insert(at(1), Mood::Refusing);
    world.maintain(&[]);
    assert_eq!(held(&world).as_deref(), Some("after maintenance"));
    world.run(5 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "2:5");
    world.moods.clear();
    world.run(2 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5 2:5");
    assert_eq!(held(&world), None);
}

#[test]
fn server_is_not_used_between_the_end_of_maintenance_and_a_pass() {
    let mut world = running([cf(service(1, &[1, 2]))]);
    world.maintain(&["10.0.0.1"]);
    world.run(SECOND);
    world.moods.insert(at(1), Mood::Silent);
    world.maintain(&[]);
    // Its check still counts as up; a reload in between must not use that.
    let mut changed = cf(service(1, &[1, 2]));
    changed.servers[1].destination.weight = 7;
    world.load(desired([changed]));
    world.run(SECOND / 100);
    assert_eq!(rows(&world.kernel.table(), 1), "2:7");
}

#[test]
fn k10_maintenance_quiesces_where_failures_do_and_calls_the_fallback() {
    let mut world = running([with_fallback(quiescent(service(1, &[1, 2])), 9, 1)]);
    world.maintain(&["10.0.0.1", "10.0.0.2:80"]);
    world.run(SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:0 2:0 9:1");
    world.maintain(&["10.0.0.2:80"]);
    world.run(2 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5 2:0");
}

#[test]
fn maintenance_resets_no_connections_where_failures_do() {
    let native = VirtualService { maintenance_dir: Some(maintenance_dir()), ..service(1, &[1, 2]) };
    let mut world = running([native]);
    world.maintain(&["10.0.0.1"]);
    world.run(SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:0 2:5");
    world.maintain(&[]);
    world.run(2 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5 2:5");
}

#[test]
fn k10_file_names_the_port_as_it_is_written() {
    let mut gate = cf(service(1, &[1, 2]));
    gate.servers[0].written_port = 8080;
    let mut world = running([gate]);
    world.maintain(&["10.0.0.1:80"]);
    world.run(SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5 2:5");
    world.maintain(&["10.0.0.1:8080"]);
    world.run(SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "2:5");
}

#[test]
fn k10_service_without_maintenance_folder_heeds_no_file() {
    let deaf = VirtualService { maintenance_dir: None, ..cf(service(1, &[1])) };
    let mut world = running([deaf, cf(service(2, &[1]))]);
    world.maintain(&["10.0.0.1"]);
    world.run(SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5");
    assert_eq!(rows(&world.kernel.table(), 2), "");
}

#[test]
fn server_in_maintenance_at_start_is_never_used() {
    let mut world = World::new(Fake::new());
    world.kernel.watch(|_, table| {
        assert!(table.services[&vip(1)].destinations.get(&at(1)).is_none());
    });
    world.maintain(&["10.0.0.1"]);
    world.load(desired([cf(service(1, &[1, 2]))]));
    world.run(3 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "2:5");
}

#[test]
fn f03_reload_gives_a_server_in_maintenance_no_weight() {
    let mut world = running([cf(service(1, &[1, 2]))]);
    world.maintain(&["10.0.0.1"]);
    world.run(SECOND);
    world.kernel.watch(|_, table| {
        assert!(table.services[&vip(1)].destinations.get(&at(1)).is_none());
    });
    let mut changed = cf(service(1, &[1, 2]));
    changed.servers[0].destination.weight = 7;
    world.load(desired([changed]));
    world.run(3 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "2:5");
}

#[test]
fn check_that_asks_nothing_comes_back_at_the_end_of_maintenance() {
    let on = CheckSpec { probe: Probe::On, ..every_second() };
    let mut world = running([with_check(cf(service(1, &[1, 2])), on)]);
    world.maintain(&["10.0.0.1"]);
    world.run(SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "2:5");
    world.maintain(&[]);
    world.run(SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5 2:5");
}
