//! What an administrator does to the table with `ipvsadm`, under a service of either dialect.

use directord::model::*;

use crate::world::*;

/// Longer than the longest time between two surveys.
const A_WHILE: std::time::Duration = std::time::Duration::from_secs(10);

fn held(world: &World, server: usize) -> Option<String> {
    world.snapshot().services[0].servers[server].held.clone()
}

#[test]
fn k04_weight_set_by_hand_on_a_live_server_lasts_and_is_no_drift() {
    let mut world = running([cf(service(1, &[1, 2]))]);
    for weight in [0, 3] {
        world.weigh(1, 1, weight);
        world.run(A_WHILE);
        assert_eq!(rows(&world.kernel.table(), 1), format!("1:{weight} 2:5"));
        assert_eq!(held(&world, 0).as_deref(), Some("by hand"));
    }
    assert_eq!(
        world.take_lines(),
        ["weight set by hand is kept service=192.0.2.1:80/tcp server=10.0.0.1:80 weight=0"],
        "told once"
    );
    let snapshot = world.snapshot();
    assert_eq!((snapshot.kernel.drift_repaired, snapshot.kernel.out_of_sync), (0, 0));
    world.weigh(1, 1, 5);
    world.run(A_WHILE);
    assert_eq!(held(&world, 0), None, "the weight of the file is nobody's word");
}

#[test]
fn k04_weight_set_by_hand_survives_what_is_written_to_other_rows() {
    let mut world = running([cf(service(1, &[1, 2]))]);
    world.weigh(1, 1, 0);
    // Before any survey could have noticed.
    world.moods.insert(at(2), Mood::Refusing);
    world.run(SECOND + SECOND / 100);
    assert_eq!(rows(&world.kernel.table(), 1), "1:0");
    world.moods.clear();
    world.run(A_WHILE);
    assert_eq!(rows(&world.kernel.table(), 1), "1:0 2:5");
}

#[test]
fn k04_weight_set_by_hand_ends_with_the_state_of_its_server() {
    let mut world = running([quiescent(service(1, &[1, 2]))]);
    world.weigh(1, 1, 3);
    world.run(A_WHILE);
    world.moods.insert(at(1), Mood::Refusing);
    world.run(2 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:0 2:5");
    world.moods.clear();
    world.run(A_WHILE);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5 2:5");
    assert_eq!(held(&world, 0), None);
}

#[test]
fn k04_weight_set_by_hand_ends_when_its_service_is_loaded_anew() {
    let mut world = running([cf(service(1, &[1, 2])), cf(service(2, &[1, 2]))]);
    world.weigh(1, 1, 3);
    world.weigh(2, 1, 3);
    world.run(A_WHILE);
    let mut changed = cf(service(2, &[1, 2]));
    changed.servers[1].destination.weight = 7;
    world.load(desired([cf(service(1, &[1, 2])), changed]));
    world.run(A_WHILE);
    assert_eq!(rows(&world.kernel.table(), 1), "1:3 2:5", "nothing of this one was new");
    assert_eq!(rows(&world.kernel.table(), 2), "1:5 2:7");
}

#[test]
fn k04_operator_who_asks_for_a_reload_gets_the_weights_of_the_file() {
    let mut world = running([quiescent(service(1, &[1, 2, 3]))]);
    world.moods.insert(at(3), Mood::Refusing);
    world.run(2 * SECOND);
    world.weigh(1, 1, 0);
    world.by_hand(1, |rows| _ = rows.remove(&at(3)));
    world.run(A_WHILE);
    assert_eq!(rows(&world.kernel.table(), 1), "1:0 2:5");
    world.engine.overrule_hands(world.now);
    world.run(A_WHILE);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5 2:5 3:0");
}

#[test]
fn plan_of_an_unchanged_service_leaves_alone_what_was_done_by_hand() {
    let config = || desired([cf(service(1, &[1, 2]))]);
    let mut world = running([cf(service(1, &[1, 2]))]);
    world.weigh(1, 1, 0);
    world.run(A_WHILE);
    assert_eq!(world.engine.preview(&config()), []);
}

#[test]
fn k04_restart_gives_live_servers_the_weight_of_the_file() {
    let config = || desired([cf(service(1, &[1, 2]))]);
    let mut world = running([cf(service(1, &[1, 2]))]);
    world.weigh(1, 1, 3);
    world.weigh(1, 2, 0);
    world.run(A_WHILE);
    world.crash_and_restart(SECOND, config());
    world.run(A_WHILE);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5 2:5");
}

#[test]
fn k04_word_of_the_operator_stands_above_a_weight_set_by_hand() {
    let mut world = running([cf(service(1, &[1, 2]))]);
    let server = at(1).to_string();
    world.command(Command::Drain { server: server.clone(), service: None }).unwrap();
    world.run(SECOND);
    world.weigh(1, 1, 3);
    world.run(A_WHILE);
    assert_eq!(rows(&world.kernel.table(), 1), "1:0 2:5");
    world.command(Command::Undrain { server, service: None }).unwrap();
    world.run(SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5 2:5");
}

#[test]
fn k04_server_set_to_0_by_hand_counts_as_alive() {
    let mut world = running([with_fallback(cf(service(1, &[1])), 9, 1)]);
    world.weigh(1, 1, 0);
    world.run(A_WHILE);
    assert_eq!(rows(&world.kernel.table(), 1), "1:0");
}

#[test]
fn k03_quiesced_server_removed_by_hand_stays_removed_until_its_state_changes() {
    let mut world = running([quiescent(service(1, &[1, 2]))]);
    world.moods.insert(at(1), Mood::Refusing);
    world.run(2 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:0 2:5");
    world.take_lines();
    world.by_hand(1, |rows| _ = rows.remove(&at(1)));
    world.run(A_WHILE);
    assert_eq!(rows(&world.kernel.table(), 1), "2:5");
    assert_eq!(
        world.take_lines(),
        ["quiesced server removed by hand stays removed service=192.0.2.1:80/tcp \
          server=10.0.0.1:80"]
    );
    world.moods.clear();
    world.run(2 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5 2:5");
    world.moods.insert(at(1), Mood::Refusing);
    world.run(2 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:0 2:5");
}

#[test]
fn k03_readdquiescent_brings_a_quiesced_server_back_with_weight_0() {
    let readding =
        VirtualService { by_hand: ByHand::KeepWeights, ..quiescent(service(1, &[1, 2])) };
    let mut world = running([readding]);
    world.moods.insert(at(1), Mood::Refusing);
    world.run(2 * SECOND);
    world.weigh(1, 2, 3);
    world.by_hand(1, |rows| _ = rows.remove(&at(1)));
    world.run(A_WHILE);
    assert_eq!(rows(&world.kernel.table(), 1), "1:0 2:3");
}

#[test]
fn f05_everything_else_done_by_hand_is_put_right() {
    let mut world = running([with_fallback(quiescent(service(1, &[1, 2, 3])), 9, 1)]);
    world.moods.insert(at(3), Mood::Refusing);
    world.run(2 * SECOND);
    let right = world.kernel.table();
    assert_eq!(rows(&right, 1), "1:5 2:5 3:0");
    let masq = |weight| Destination::plain(ForwardingMethod::Masq, weight);
    let foul: [&dyn Fn(&mut Destinations); 6] = [
        // A live server removed.
        &|rows| _ = rows.remove(&at(1)),
        // A dead one given weight.
        &|rows| _ = rows.insert(at(3), masq(5)),
        // A stranger.
        &|rows| _ = rows.insert(at(7), masq(5)),
        // Another method, and another threshold.
        &|rows| _ = rows.insert(at(1), Destination::plain(ForwardingMethod::Gate, 5)),
        &|rows| _ = rows.insert(at(1), Destination { upper: 9, ..masq(5) }),
        // All of those in use at once.
        &|rows| *rows = [(at(3), masq(0))].into_iter().collect(),
    ];
    for change in foul {
        world.by_hand(1, change);
        // Thresholds are found by the rotation of full reads.
        world.run(2 * A_WHILE);
        assert_eq!(world.kernel.table(), right);
    }
    world.kernel.table_mut(|table| table.services.clear());
    world.run(A_WHILE);
    assert_eq!(world.kernel.table(), right);
}

#[test]
fn k04_thresholds_that_go_with_a_weight_set_by_hand_come_back() {
    let mut limited = cf(service(1, &[1, 2]));
    limited.servers[0].destination.upper = 9;
    let row = limited.servers[0].destination;
    let mut world = running([limited]);
    // As `ipvsadm -e -w 3` leaves it.
    world.by_hand(1, |rows| {
        rows.insert(at(1), Destination::plain(ForwardingMethod::Gate, 3));
    });
    world.run(A_WHILE);
    let table = world.kernel.table();
    assert_eq!(table.services[&vip(1)].destinations.get(&at(1)), Some(&row.with_weight(3)));
    assert_eq!(held(&world, 0).as_deref(), Some("by hand"));
}

#[test]
fn native_dialect_puts_weights_set_by_hand_right() {
    let mut world = running([service(1, &[1, 2])]);
    world.weigh(1, 1, 0);
    world.run(A_WHILE);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5 2:5");
    assert_eq!(world.snapshot().kernel.drift_repaired, 1);
}

#[test]
fn lost_answer_is_never_taken_for_somebodys_hand() {
    let mut world = running([quiescent(service(1, &[1, 2]))]);
    // The server goes, and is back before anybody knows that its row was quiesced.
    world.kernel.fail_next(1, directord::ipvs::Fault::LoseAnswer);
    world.kernel.fail_next_read(3, KernelErrorKind::Unknown);
    world.moods.insert(at(1), Mood::Refusing);
    while rows(&world.kernel.table(), 1) != "1:0 2:5" {
        world.run(SECOND / 1000);
    }
    world.moods.clear();
    world.run(A_WHILE);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5 2:5");
    assert_eq!(held(&world, 0), None);
}
