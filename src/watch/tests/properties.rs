//! What holds whatever happens.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::world::*;
use crate::model::*;
use crate::watch::Keep;

#[derive(Clone, Debug)]
enum Act {
    /// From now on the monitor of this service says this, after so many seconds.
    Says(u8, u8, u8),
    Wait(u16),
    Disable(u8, bool),
    Watch(bool),
    Scheduler(bool),
    Reload(bool),
    Restart,
    Trap(u8, u8),
    Acknowledge(u8),
    Test(u8),
}

fn act() -> impl Strategy<Value = Act> {
    let service = 0..3u8;
    prop_oneof![
        4 => (service.clone(), 0..2u8, 0..25u8).prop_map(|(s, exit, takes)| Act::Says(s, exit, takes)),
        6 => (1..90u16).prop_map(Act::Wait),
        1 => (service.clone(), any::<bool>()).prop_map(|(s, on)| Act::Disable(s, on)),
        1 => any::<bool>().prop_map(Act::Watch),
        1 => any::<bool>().prop_map(Act::Scheduler),
        1 => any::<bool>().prop_map(Act::Reload),
        1 => Just(Act::Restart),
        1 => (0..=TRAPPED, 0..2u8).prop_map(|(s, exit)| Act::Trap(s, exit)),
        1 => service.clone().prop_map(Act::Acknowledge),
        1 => service.prop_map(Act::Test),
    ]
}

const TRAPPED: u8 = 3;

fn name(service: u8) -> String {
    format!("g/{service}")
}

/// One period that always holds, one of certain minutes, one that waits with recoveries, one that
/// is told of none. Many failures at once are told together. The last service has traps only, and
/// what they say ends by itself.
fn config(max_processes: u32) -> Watching {
    let minutes = Window { minutes: vec![(0, 2), (10, 15)], ..Window::default() };
    let some = Calendar {
        written: "min {0-2 10-15}".to_owned(),
        windows: CalendarWindows::Some(vec![minutes]),
    };
    let labelled = |label: &str, times: Calendar, recovery_after| Period {
        label: label.to_owned(),
        times,
        alerts: vec![alert(AlertOn::Failure, label), alert(AlertOn::Recovery, label)],
        throttle: Throttle {
            recovery_after,
            every: Some((seconds(30), Repeat::SameSummary)),
            ..Throttle::default()
        },
    };
    let mut silent = labelled("silent", Calendar::always(), None);
    silent.alerts.truncate(1);
    let periods = vec![
        labelled("always", Calendar::always(), None),
        labelled("some", some.clone(), None),
        labelled("late", Calendar::always(), Some(seconds(40))),
        silent,
    ];
    let spec = |n: u8| WatchSpec {
        periods: periods.clone().into(),
        failure_interval: (n == 1).then(|| seconds(4)),
        skew: (n == 2).then(|| seconds(3)),
        depends: Depends {
            monitors: (n == 2).then(|| depends_on("g/0")).flatten(),
            ..Depends::default()
        },
        exclude: (n == 0).then(|| some.clone()),
        unack_summary: n == 1,
        ..spec(&name(n))
    };
    let trapped = WatchSpec { monitor: None, trap_duration: Some(seconds(70)), ..spec(TRAPPED) };
    let mut watching = watching((0..3).map(spec).chain([trapped]).collect());
    watching.settings.collapse = Some(Collapse { within: seconds(20), more_than: 1 });
    watching.settings.max_processes = Some(max_processes);
    watching.settings.history = 5;
    watching
}

fn carry_out(world: &mut World, act: &Act, watching: &Watching) {
    match *act {
        Act::Says(service, exit, takes) => {
            world.takes(&name(service), exit, "x\n", seconds(takes.into()));
        }
        Act::Wait(n) => {
            let now = world.now.seconds() - START;
            world.until(now + u64::from(n));
        }
        Act::Disable(service, on) => {
            let what = Disabling::Service(key(&name(service)));
            let _ = if on { world.disable(what) } else { world.enable(what) };
        }
        Act::Watch(on) => {
            let what = Disabling::Watch("g".into());
            let _ = if on { world.disable(what) } else { world.enable(what) };
        }
        Act::Scheduler(true) => world.order(WatchOrder::StartScheduler).unwrap(),
        Act::Scheduler(false) => world.order(WatchOrder::StopScheduler).unwrap(),
        Act::Reload(keep) => {
            let keep = if keep { Keep::State } else { Keep::Nothing };
            world.configure(watching.clone(), keep);
        }
        Act::Restart => {
            let acknowledged = |world: &World| {
                world.watcher.views(world.now).map(|view| view.acknowledged).collect::<Vec<_>>()
            };
            let before = acknowledged(world);
            world.restart(watching.clone());
            assert_eq!(acknowledged(world), before);
        }
        Act::Trap(service, exit) => world.trap(&name(service), &exit.to_string(), "x").unwrap(),
        Act::Acknowledge(service) => {
            let (user, comment) = (String::new(), String::new());
            let key = key(&name(service));
            let _ = world.order(WatchOrder::Acknowledge { key, user, comment });
        }
        Act::Test(service) => {
            world.order(WatchOrder::TestMonitor(key(&name(service)))).unwrap();
        }
    }
}

/// For each service and period the calls in order, `A` and `U`; those for many are of no service.
fn calls(world: &World) -> BTreeMap<(Option<WatchKey>, String), String> {
    let mut calls: BTreeMap<_, String> = BTreeMap::new();
    for (_, job) in &world.alerts {
        let kind = match variable(&job.environment, "MON_ALERTTYPE").unwrap() {
            "failure" | "trap" => 'A',
            "up" => 'U',
            _ => continue,
        };
        let label = job.arguments.last().unwrap().clone();
        let many = variable(&job.environment, "MON_COLLAPSED").is_some();
        let whose = (!many).then(|| job.lane.clone());
        calls.entry((whose, label)).or_default().push(kind);
    }
    calls
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whoever was told of a failure is told of its end, once, and of no end without a failure;
    /// through reloads, restarts, disablements and stops. That no service is asked twice at once
    /// the world itself asserts.
    #[test]
    fn every_alerted_failure_that_ends_is_followed_by_exactly_one_upalert(
        acts in prop::collection::vec(act(), 1..60),
        max_processes in 1..4u32,
    ) {
        let watching = config(max_processes);
        let mut world = World::new(watching.clone());
        for act in &acts {
            carry_out(&mut world, act, &watching);
            prop_assert!(world.watcher.running().count() <= max_processes as usize);
            prop_assert!(world.watcher.alert_history().count() <= 6);
            prop_assert!(world.watcher.failure_history().count() <= 6);
        }
        // Everything is well and nothing in the way for longer than any period waits.
        for service in 0..3 {
            world.says(&name(service), 0, "");
            world.enable(Disabling::Service(key(&name(service)))).unwrap();
        }
        world.enable(Disabling::Watch("g".into())).unwrap();
        world.order(WatchOrder::StartScheduler).unwrap();
        carry_out(&mut world, &Act::Wait(7200), &watching);
        let silently = |whose: &Option<WatchKey>, label: &str| {
            label == "silent" || *whose == Some(key(&name(TRAPPED)))
        };
        for ((whose, label), calls) in calls(&world) {
            prop_assert!(!calls.starts_with('U'), "{whose:?} {label}: {calls}");
            prop_assert!(!calls.contains("UU"), "{whose:?} {label}: {calls}");
            let ends = calls.ends_with('U') || silently(&whose, &label);
            prop_assert!(ends, "{whose:?} {label}: {calls}");
        }
        prop_assert!(!world.watcher.storms.has_members());
        for view in world.watcher.views(world.now) {
            // Whom no trap was for is untested.
            prop_assert_ne!(view.opstatus, OpStatus::Fail);
        }
    }

    /// A timer that is served is later afterwards: the loop never spins.
    #[test]
    fn served_timers_lie_in_the_future(acts in prop::collection::vec(act(), 1..40)) {
        let watching = config(2);
        let mut world = World::new(watching.clone());
        for act in &acts {
            carry_out(&mut world, act, &watching);
            world.watcher.handle_timeout(world.now);
            world.drain();
            prop_assert!(world.watcher.poll_timeout().is_none_or(|next| next > world.now));
        }
    }
}
