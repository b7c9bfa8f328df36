//! Seeds: anything may happen, in any order; when the dust settles the kernel equals the target.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use directord::ipvs::{Fake, Fault};
use directord::model::*;
use proptest::prelude::*;

use crate::world::*;

/// One thing that befalls a director.
#[derive(Clone, Debug)]
enum Blow {
    Mood(u8, Mood),
    Reload(Vec<(u8, Vec<u8>, u32)>),
    Crash,
    LoseAnswers(usize),
    LoseRequests(usize),
    RefuseReads(usize),
    ForeignRemoval(u8),
    ForeignWeight(u8, u8),
    WeightByHand(u8, u8, u32),
    RemovalByHand(u8, u8),
    Maintenance(Vec<u8>),
    Drain(u8),
    Undrain(u8),
    Role(Role),
    SyncByHand(bool),
    Wait(u64),
}

fn blows() -> impl Strategy<Value = Blow> {
    let moods = prop_oneof![
        Just(Mood::Well),
        Just(Mood::Refusing),
        Just(Mood::Silent),
        Just(Mood::Unreachable),
    ];
    let services =
        prop::collection::vec((1u8..6, prop::collection::vec(1u8..6, 0..4), 0u32..4), 0..5);
    prop_oneof![
        4 => (1u8..6, moods).prop_map(|(n, mood)| Blow::Mood(n, mood)),
        2 => services.prop_map(Blow::Reload),
        1 => Just(Blow::Crash),
        1 => (1usize..10).prop_map(Blow::LoseAnswers),
        1 => (1usize..10).prop_map(Blow::LoseRequests),
        1 => (1usize..5).prop_map(Blow::RefuseReads),
        1 => (1u8..6).prop_map(Blow::ForeignRemoval),
        1 => (1u8..6, 1u8..6).prop_map(|(service, server)| Blow::ForeignWeight(service, server)),
        1 => (1u8..6, 1u8..6, 0u32..3).prop_map(|(n, server, w)| Blow::WeightByHand(n, server, w)),
        1 => (1u8..6, 1u8..6).prop_map(|(service, server)| Blow::RemovalByHand(service, server)),
        1 => prop::collection::vec(1u8..6, 0..3).prop_map(Blow::Maintenance),
        1 => (1u8..6).prop_map(Blow::Drain),
        1 => (1u8..6).prop_map(Blow::Undrain),
        2 => prop_oneof![Just(Role::Active), Just(Role::Standby)].prop_map(Blow::Role),
        1 => any::<bool>().prop_map(Blow::SyncByHand),
        4 => (0u64..3000).prop_map(Blow::Wait),
    ]
}

fn config(services: &[(u8, Vec<u8>, u32)]) -> Desired {
    let service = |(n, servers, weight): &(u8, Vec<u8>, u32)| {
        let mut unique = servers.clone();
        unique.sort_unstable();
        unique.dedup();
        let mut service = service(*n, &unique);
        service.servers.iter_mut().for_each(|server| server.destination.weight = *weight);
        match n {
            1 => service,
            3 => cf(service),
            4 => quiescent(service),
            _ => VirtualService { on_failure: FailureAction::Quiesce, ..service },
        }
    };
    let mut desired = desired(services.iter().map(service));
    desired.settings.sync = Some(sync_settings());
    desired
}

fn sync_settings() -> Arc<SyncSettings> {
    Arc::new(SyncSettings::on(InterfaceName::new("hb0").unwrap()))
}

fn strike(world: &mut World, current: &mut Vec<(u8, Vec<u8>, u32)>, blow: &Blow) {
    match blow {
        Blow::Mood(server, mood) => {
            world.moods.insert(at(*server), *mood);
        }
        Blow::Reload(services) => {
            *current = services.clone();
            world.load(config(current));
        }
        Blow::Crash => world.crash_and_restart(Duration::from_millis(300), config(current)),
        Blow::LoseAnswers(count) => world.kernel.fail_next(*count, Fault::LoseAnswer),
        Blow::LoseRequests(count) => world.kernel.fail_next(*count, Fault::LoseRequest),
        Blow::RefuseReads(count) => {
            world.kernel.fail_next_read(*count, KernelErrorKind::Unavailable);
        }
        Blow::ForeignRemoval(service) => world.kernel.table_mut(|table| {
            table.services.remove(&vip(*service));
        }),
        Blow::ForeignWeight(service, server) => world.kernel.table_mut(|table| {
            if let Some(entry) = table.services.get_mut(&vip(*service)) {
                entry
                    .destinations
                    .insert(at(*server), Destination::plain(ForwardingMethod::Gate, 77));
            }
        }),
        Blow::WeightByHand(service, server, weight) => world.kernel.table_mut(|table| {
            let entry = table.services.get_mut(&vip(*service));
            if let Some(entry) = entry
                && let Some(row) = entry.destinations.get(&at(*server)).copied()
            {
                entry.destinations.insert(at(*server), row.with_weight(*weight));
            }
        }),
        Blow::RemovalByHand(service, server) => world.kernel.table_mut(|table| {
            if let Some(entry) = table.services.get_mut(&vip(*service)) {
                entry.destinations.remove(&at(*server));
            }
        }),
        Blow::Maintenance(servers) => {
            let files: Vec<_> = servers.iter().map(|n| at(*n).to_string()).collect();
            world.maintain(&files.iter().map(String::as_str).collect::<Vec<_>>());
        }
        Blow::Drain(server) => {
            let server = at(*server).to_string();
            let _ = world.command(Command::Drain { server, service: None });
        }
        Blow::Undrain(server) => {
            let server = at(*server).to_string();
            let _ = world.command(Command::Undrain { server, service: None });
        }
        Blow::Role(role) => world.play(*role),
        Blow::SyncByHand(start) => world.kernel.daemons_mut(|daemons| {
            daemons.clear();
            let ours = |state| SyncDaemon { state, settings: sync_settings() };
            daemons.extend(
                start
                    .then(|| [SyncState::Master, SyncState::Backup].map(ours))
                    .into_iter()
                    .flatten(),
            );
        }),
        Blow::Wait(ms) => world.run(Duration::from_millis(*ms)),
    }
}

/// The table by another road than the engine's: each service's servers that are well have their
/// weight (0 when drained), the others are out, or at 0 where the service quiesces.
fn expected(world: &World, current: &[(u8, Vec<u8>, u32)], drained: &[u8]) -> Vec<(u8, String)> {
    let desired = config(current);
    let mut numbers: Vec<u8> = current.iter().map(|(n, _, _)| *n).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let row = |service: &VirtualService, server: &RealServer| {
        let std::net::IpAddr::V4(address) = server.endpoint.address else { return None };
        let n = address.octets()[3];
        let well = !matches!(world.moods.get(&server.endpoint), Some(m) if *m != Mood::Well);
        match (well, service.on_failure) {
            (true, _) if drained.contains(&n) => Some(format!("{n}:0")),
            (true, _) => Some(format!("{n}:{}", server.destination.weight)),
            (false, FailureAction::Quiesce) => Some(format!("{n}:0")),
            (false, _) => None,
        }
    };
    let rows = |n: &u8| {
        let service = &desired.services[&vip(*n)];
        let rows: Vec<_> = service.servers.iter().filter_map(|s| row(service, s)).collect();
        (*n, rows.join(" "))
    };
    numbers.iter().map(rows).collect()
}

fn daemons(world: &World) -> Vec<SyncState> {
    world.kernel.daemons_mut(|daemons| daemons.iter().map(|daemon| daemon.state).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn kernel_equals_the_target_once_the_dust_settles(
        blows in prop::collection::vec(blows(), 1..40),
    ) {
        let mut world = World::new(Fake::new());
        world.kernel.table_mut(|table| {
            table.services.insert(vip(200), Entry::empty(service(200, &[]).settings));
        });
        let mut current = vec![(1, vec![1, 2, 3], 5), (2, vec![2, 3], 1)];
        world.load(config(&current));
        for blow in &blows {
            strike(&mut world, &mut current, blow);
        }
        world.kernel.heal();
        world.maintain(&[]);
        // What was done by hand last may not have been noticed yet.
        world.run(Duration::from_secs(30));
        world.engine.overrule_hands(world.now);
        // Long enough for every back-off, for a director that cannot ask to give up, and for
        // checks the last reload brought.
        world.run(Duration::from_secs(300));
        if world.engine.role() == Role::Standby {
            let table = world.kernel.table();
            prop_assert_eq!(table.services.keys().collect::<Vec<_>>(), [&vip(200)]);
            prop_assert_eq!(daemons(&world), [SyncState::Backup]);
            world.play(Role::Active);
            world.run(Duration::from_secs(30));
        }
        prop_assert_eq!(daemons(&world), [SyncState::Master]);
        let drained: Vec<u8> =
            (1..6).filter(|n| world.engine.memory(world.now).drains.iter().any(|d| d.server == at(*n))).collect();
        let table = world.kernel.table();
        for (n, wanted) in expected(&world, &current, &drained) {
            prop_assert_eq!(rows(&table, n), wanted, "service {}", n);
        }
        let ours = current.iter().map(|(n, _, _)| vip(*n)).collect::<std::collections::BTreeSet<_>>();
        prop_assert_eq!(table.services.len(), ours.len() + 1, "nothing is left behind");
        prop_assert!(table.services.contains_key(&vip(200)), "foreign services are left alone");
        let snapshot = world.snapshot();
        prop_assert_eq!(snapshot.kernel.out_of_sync, 0);
        prop_assert_eq!(snapshot.kernel.error, None);
    }

    #[test]
    fn crash_after_any_step_loses_no_traffic_and_revives_no_dead_server(
        at_step in 1usize..12,
    ) {
        // Server 3 is dead; a reload adds service 2, changes 1 and removes 4. The daemon dies
        // right after one of the steps of that.
        let before = [(1, vec![1, 2, 3], 5), (4, vec![1], 1)];
        let after = [(1, vec![2, 3, 4], 7), (2, vec![1, 3], 1)];
        let mut world = World::new(Fake::new());
        world.moods.insert(at(3), Mood::Silent);
        world.load(config(&before));
        world.run(Duration::from_secs(5));
        let tables = Arc::new(Mutex::new(Vec::new()));
        let seen = tables.clone();
        world.kernel.watch(move |_, table| seen.lock().unwrap().push(table.clone()));
        world.load(config(&after));
        world.run(Duration::from_secs(2));
        let halfway = tables.lock().unwrap().get(at_step - 1).cloned();
        let Some(halfway) = halfway else { return Ok(()) };
        world.kernel.table_mut(|table| *table = halfway);
        world.crash_and_restart(Duration::from_millis(500), config(&after));
        world.run(Duration::from_secs(5));
        for table in tables.lock().unwrap().iter() {
            let entry = &table.services[&vip(1)];
            prop_assert!(entry.is_usable(), "service 1 always has a server: {table:?}");
            prop_assert!(entry.destinations.get(&at(3)).is_none(), "3 is dead: {table:?}");
        }
        let table = world.kernel.table();
        prop_assert_eq!((rows(&table, 1), rows(&table, 2)), ("2:7 4:7".into(), "1:1 3:0".into()));
    }
}
