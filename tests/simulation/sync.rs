//! The kernel's sync daemons, by the role.

use std::sync::Arc;
use std::time::Duration;

use directord::ipvs::{Fake, Fault};
use directord::model::*;

use crate::world::*;

fn on(interface: &str) -> Arc<SyncSettings> {
    Arc::new(SyncSettings::on(InterfaceName::new(interface).unwrap()))
}

/// Service 1 over server 1, and a sync daemon.
fn syncing(interface: &str) -> Desired {
    let mut desired = desired([service(1, &[1])]);
    desired.settings.sync = Some(on(interface));
    desired
}

fn started(interface: &str) -> World {
    let mut world = World::new(Fake::new());
    world.load(syncing(interface));
    world.run(3 * SECOND);
    world.take_lines();
    world
}

/// `master on hb0`, one a daemon.
fn daemons(world: &World) -> Vec<String> {
    let of = |d: &SyncDaemon| format!("{} on {}", d.state, d.settings.interface);
    world.kernel.daemons_mut(|daemons| daemons.iter().map(of).collect())
}

fn foreign(state: SyncState, interface: &str) -> SyncDaemon {
    SyncDaemon { state, settings: on(interface) }
}

/// Time for a few exchanges with the kernel.
const MOMENT: Duration = Duration::from_millis(20);

/// Each tenth of a millisecond of such a moment.
fn pauses() -> impl Iterator<Item = Duration> {
    (0..MOMENT.as_micros() as u64).step_by(100).map(Duration::from_micros)
}

#[test]
fn sync_daemon_is_master_or_backup_by_the_role_and_ends_with_the_director() {
    let mut world = started("hb0");
    assert_eq!(daemons(&world), ["master on hb0"]);
    assert!(world.snapshot().sync.unwrap().runs);
    world.play(Role::Standby);
    world.run(MOMENT);
    assert_eq!(daemons(&world), ["backup on hb0"]);
    world.play(Role::Active);
    world.run(MOMENT);
    assert_eq!(daemons(&world), ["master on hb0"]);
    assert!(world.engine.role_report().is_some());
    world.stop(false);
    assert_eq!(daemons(&world), [""; 0]);
    assert!(world.finished);
    let lines = world.take_lines();
    assert!(lines.contains(&"sync daemon started state=backup interface=hb0 id=1".to_owned()));
    assert!(lines.contains(&"sync daemon stopped state=backup".to_owned()), "{lines:#?}");
}

/// A daemon that was being started was taken for one that is not kept, and left running.
#[test]
fn role_or_stop_that_comes_while_a_sync_daemon_is_started_has_its_way() {
    for pause in pauses() {
        let mut world = started("hb0");
        world.play(Role::Standby);
        world.run(pause);
        world.play(Role::Active);
        world.run(MOMENT);
        assert_eq!(daemons(&world), ["master on hb0"], "{pause:?}");
        world.play(Role::Standby);
        world.run(pause);
        world.stop(false);
        assert_eq!(daemons(&world), [""; 0], "{pause:?}");
        let lines = world.take_lines();
        assert!(!lines.iter().any(|line| line.contains("refused")), "{pause:?}: {lines:#?}");
    }
}

/// A refusal of what nobody wanted any more kept the role that was wanted waiting.
#[test]
fn role_that_comes_while_a_sync_daemon_is_refused_does_not_wait() {
    for pause in pauses() {
        let mut world = started("hb0");
        world.play(Role::Standby);
        world.run(MOMENT);
        world.play(Role::Active);
        // The table came first, and was not refused.
        world.kernel.fail_next(9, Fault::Refuse(KernelErrorKind::Refused));
        world.run(pause);
        world.kernel.heal();
        world.play(Role::Standby);
        world.run(MOMENT);
        assert_eq!(daemons(&world), ["backup on hb0"], "{pause:?}");
        assert_eq!(world.snapshot().sync.unwrap().error, None, "{pause:?}");
    }
}

#[test]
fn stop_that_keeps_the_table_keeps_the_sync_daemon() {
    let mut world = started("hb0");
    world.stop(true);
    assert_eq!(daemons(&world), ["master on hb0"]);
    let writes = world.kernel.counters().writes;
    world.crash_and_restart(SECOND, syncing("hb0"));
    world.run(3 * SECOND);
    assert_eq!(world.kernel.counters().writes, writes, "one that is right is let run");
    assert!(world.snapshot().sync.unwrap().runs);
}

#[test]
fn sync_daemon_that_somebody_stopped_is_started_again_and_told() {
    let mut world = started("hb0");
    world.kernel.daemons_mut(Vec::clear);
    world.run(11 * SECOND);
    assert_eq!(daemons(&world), ["master on hb0"]);
    let lines = world.take_lines();
    assert_eq!(
        lines,
        [
            "sync daemons changed by others, repaired found=\"\"",
            "sync daemon started state=master interface=hb0 id=1"
        ]
    );
    assert_eq!(world.snapshot().kernel.drift_repaired, 1);
}

#[test]
fn sync_daemons_of_others_are_let_be_but_for_one_in_the_way() {
    let kernel = Fake::new();
    kernel.daemons_mut(|daemons| {
        daemons.push(foreign(SyncState::Backup, "eth1"));
        daemons.push(foreign(SyncState::Master, "eth1"));
    });
    let mut world = World::new(kernel);
    world.load(syncing("hb0"));
    world.run(3 * SECOND);
    assert_eq!(daemons(&world), ["backup on eth1", "master on hb0"]);
    world.load(desired([service(1, &[1])]));
    world.run(3 * SECOND);
    assert_eq!(daemons(&world), ["backup on eth1"]);
    // And nobody is asked any more.
    let looks = world.sync_looks;
    world.run(60 * SECOND);
    assert_eq!(world.sync_looks, looks);
    assert_eq!(world.snapshot().sync, None);
}

#[test]
fn changed_settings_of_the_sync_daemon_start_it_anew() {
    let mut world = started("hb0");
    world.load(syncing("hb1"));
    world.run(MOMENT);
    assert_eq!(daemons(&world), ["master on hb1"]);
}

#[test]
fn refused_sync_daemon_is_tried_again_ever_more_rarely_and_keeps_nobody_from_serving() {
    let mut world = World::new(Fake::new());
    let other = foreign(SyncState::Backup, "hb0");
    world.kernel.table_mut(|table| {
        let mut entry = Entry::empty(ServiceSettings::plain(KernelName::WLC));
        let tunnelled = Destination::plain(ForwardingMethod::Ipip, 1);
        let server = Endpoint::new("2001:db8::7".parse().unwrap(), 80);
        entry.destinations.insert(server, tunnelled);
        table.services.insert(vip(9), entry);
    });
    world.load(syncing("hb0"));
    world.run(3 * SECOND);
    assert_eq!(rows(&world.kernel.table(), 1), "1:5");
    let error = world.snapshot().sync.unwrap().error.unwrap();
    assert!(error.contains("EINVAL"), "{error}");
    assert_eq!(world.engine.role_report().unwrap().refused.count, 1);
    let writes = world.kernel.counters().writes;
    world.run(60 * SECOND);
    assert!(world.kernel.counters().writes - writes < 8, "{}", world.kernel.counters().writes);
    world.kernel.table_mut(|table| drop(table.services.remove(&vip(9))));
    world.run(61 * SECOND);
    assert_eq!(daemons(&world), ["master on hb0"]);
    let refused = |line: &&String| line.starts_with("sync daemon refused");
    let lines = world.take_lines();
    assert_eq!(lines.iter().filter(refused).count(), 1, "{lines:#?}");
    assert!(lines.contains(&"sync daemon no longer refused".to_owned()), "{lines:#?}");
    // One that stands in the way of a stop does not hold it up.
    world.kernel.daemons_mut(|daemons| daemons.push(other));
    world.kernel.fail_next(9, Fault::Refuse(KernelErrorKind::Refused));
    world.stop(false);
    assert!(world.finished);
}

#[test]
fn sync_daemon_that_is_not_kept_is_not_started_over_and_over() {
    let mut world = started("hb0");
    let writes = world.kernel.counters().writes;
    // Somebody is quicker than we read back.
    for _ in 0..10_000 {
        world.kernel.daemons_mut(Vec::clear);
        world.run(Duration::from_millis(1));
    }
    let written = world.kernel.counters().writes - writes;
    assert!((1..10).contains(&written), "{written} in ten seconds");
    let error = world.snapshot().sync.unwrap().error.unwrap();
    assert!(error.contains("does not keep"), "{error}");
    world.run(61 * SECOND);
    assert_eq!(daemons(&world), ["master on hb0"]);
}

#[test]
fn sync_daemons_are_looked_at_every_ten_seconds_and_not_more_often() {
    let mut world = started("hb0");
    let looks = world.sync_looks;
    world.run(100 * SECOND);
    let looks = world.sync_looks - looks;
    assert!((9..=11).contains(&looks), "{looks}");
}
