//! What somebody asks for.

use super::world::*;
use crate::model::*;

fn acknowledge(world: &mut World, comment: &str) -> Result<(), WatchRefusal> {
    let (user, comment) = ("ann".to_owned(), comment.to_owned());
    world.order(WatchOrder::Acknowledge { key: key("g/s"), user, comment })
}

#[test]
fn acknowledged_failure_is_not_told_again_but_its_end_is() {
    let mut world = World::of(spec("g/s"));
    assert_eq!(acknowledge(&mut world, "x"), Err(WatchRefusal::NotFailing(key("g/s"))));
    world.says("g/s", 1, "x\n");
    world.until(10);
    acknowledge(&mut world, "mine").unwrap();
    acknowledge(&mut world, "still mine").unwrap();
    assert_eq!(world.view("g/s").acknowledged.unwrap().comment, "still mine");
    world.until(30);
    world.says("g/s", 0, "");
    world.until(40);
    assert_eq!(world.told(), ["10 failure A", "40 up U"]);
    world.says("g/s", 1, "x\n");
    world.until(50);
    assert_eq!(world.told(), ["50 failure A"]);
}

#[test]
fn another_summary_takes_an_acknowledgement_back_only_if_wanted() {
    for (unack_summary, told) in [(true, vec!["30 failure A"]), (false, vec![])] {
        let mut world = World::of(WatchSpec { unack_summary, ..spec("g/s") });
        world.says("g/s", 1, "web1\n");
        world.until(10);
        acknowledge(&mut world, "").unwrap();
        world.told();
        // Blanks make no other summary.
        world.says("g/s", 1, " web1 \n");
        world.until(20);
        world.says("g/s", 1, "web1 web2\n");
        world.until(30);
        assert_eq!(world.told(), told);
        assert_eq!(world.view("g/s").acknowledged.is_none(), unack_summary);
        let in_a_row = if unack_summary { 1 } else { 3 };
        assert_eq!(world.view("g/s").failures_in_a_row, in_a_row);
    }
}

#[test]
fn acknowledgement_is_told_only_to_those_who_were_told_of_the_failure() {
    let mut ack = period();
    ack.alerts.push(alert(AlertOn::Acknowledgement, "ACK"));
    let late = Period {
        label: "late".to_owned(),
        throttle: Throttle { after_failures: Some(5), ..Throttle::default() },
        ..ack.clone()
    };
    let mut world = World::of(WatchSpec { periods: [ack, late].into(), ..spec("g/s") });
    world.says("g/s", 1, "x\n");
    world.until(10);
    acknowledge(&mut world, "").unwrap();
    assert_eq!(world.told(), ["10 failure A", "10 ack ACK"]);
}

#[test]
fn disabled_service_is_asked_and_nobody_told() {
    let mut world = World::of(spec("g/s"));
    world.disable(Disabling::Service(key("g/s"))).unwrap();
    world.says("g/s", 1, "x\n");
    world.until(20);
    assert_eq!(world.started(), [10.0, 20.0]);
    assert_eq!(world.view("g/s").opstatus, OpStatus::Fail);
    assert_eq!(world.view("g/s").disabled.unwrap().user, "ann");
    assert!(world.lines.contains(&"ignoring alert for g,s".to_owned()));
    world.enable(Disabling::Service(key("g/s"))).unwrap();
    world.until(30);
    assert_eq!(world.told(), ["30 failure A"]);
}

#[test]
fn disabled_watch_is_not_asked_and_goes_on_with_its_beat() {
    let mut world = World::new(watching(vec![spec("g/s"), spec("g/t"), spec("h/s")]));
    world.until(15);
    world.started();
    world.disable(Disabling::Watch("g".into())).unwrap();
    world.until(33);
    assert_eq!(world.started(), [20.0, 30.0]);
    assert!(world.view("g/t").disabled.is_some());
    world.enable(Disabling::Watch("g".into())).unwrap();
    world.until(45);
    assert_eq!(world.started(), [40.0; 3]);
}

#[test]
fn disabled_host_is_left_out_everywhere_and_its_own_watch_with_it() {
    let mut watching = watching(vec![spec("g/s"), spec("alone/s")]);
    watching.groups.insert("g".into(), ["web1", "web10", "w.*"].map(str::to_owned).into());
    watching.groups.insert("alone".into(), ["web1".to_owned()].into());
    let mut world = World::new(watching);
    world.disable(Disabling::Host("web1".to_owned())).unwrap();
    world.says("g/s", 1, "x\n");
    world.until(10);
    assert_eq!(world.runs.len(), 1);
    assert_eq!(world.runs[0].1.hosts, ["web10", "w.*"]);
    assert_eq!(world.alerts[0].1.arguments[5], "web10 w.*");
    let again = world.disable(Disabling::Host("web1".to_owned()));
    assert_eq!(again, Err(WatchRefusal::UnknownHosts(vec!["web1".to_owned()])));
    let disabled: Vec<_> = world.watcher.disabled().into_iter().map(|(what, _)| what).collect();
    assert_eq!(disabled, [Disabling::Host("web1".to_owned()), Disabling::Watch("alone".into())]);
    world.enable(Disabling::Host("web1".to_owned())).unwrap();
    assert_eq!(world.watcher.disabled(), []);
}

#[test]
fn orders_about_what_is_not_there_are_refused_whole() {
    let mut world = World::of(spec("g/s"));
    let group = || WatchRefusal::UnknownGroup("x".to_owned());
    let service = || WatchRefusal::UnknownService(key("g/x"));
    let period = "Q".to_owned();
    let test = WatchOrder::TestAlert { key: key("g/s"), on: AlertOn::Failure, exit: 1, period };
    let what = vec![Disabling::Service(key("g/s")), Disabling::Watch("x".into())];
    let disable = WatchOrder::Disable {
        what,
        user: String::new(),
        reason: String::new(),
        lasts: None,
        replaces: false,
    };
    let interval = seconds(5);
    let table = [
        (WatchOrder::TestMonitor(key("x/s")), group()),
        (WatchOrder::TestMonitor(key("g/x")), service()),
        (WatchOrder::ClearTimers(key("g/x")), service()),
        (WatchOrder::SetInterval { key: key("x/s"), interval }, group()),
        (WatchOrder::SetDescription { key: key("g/x"), text: String::new() }, service()),
        (WatchOrder::Enable { what: vec![Disabling::Service(key("x/s"))] }, group()),
        (test, WatchRefusal::UnknownPeriod("Q".to_owned())),
        (disable, group()),
    ];
    for (order, refusal) in table {
        assert_eq!(world.order(order), Err(refusal));
    }
    let hosts = world.disable(Disabling::Host("w.*".to_owned()));
    assert_eq!(hosts, Err(WatchRefusal::UnknownHosts(vec!["w.*".to_owned()])));
    assert_eq!(world.watcher.disabled(), []);
    assert_eq!(world.watcher.views(at(0)).count(), 1);
}

#[test]
fn disablement_ends_by_itself() {
    let mut world = World::of(spec("g/s"));
    let what = vec![Disabling::Watch("g".into())];
    let (user, reason) = ("ann".to_owned(), "new disk".to_owned());
    world
        .order(WatchOrder::Disable {
            what,
            user,
            reason,
            lasts: Some(seconds(35)),
            replaces: false,
        })
        .unwrap();
    assert_eq!(world.view("g/s").disabled.unwrap().until, Some(at(35)));
    world.until(45);
    assert_eq!(world.started(), [40.0]);
    assert_eq!(world.lines, ["watch g is enabled again, its time is over"]);
}

#[test]
fn test_of_a_monitor_runs_it_now_and_leaves_the_beat_alone() {
    let mut world = World::of(spec("g/s"));
    world.until(13);
    world.order(WatchOrder::TestMonitor(key("g/s"))).unwrap();
    world.until(20);
    assert_eq!(world.started(), [10.0, 13.0, 20.0]);
    world.order(WatchOrder::StopScheduler).unwrap();
    world.order(WatchOrder::TestMonitor(key("g/s"))).unwrap();
    world.until(25);
    assert_eq!(world.started(), [0.0; 0]);
    world.order(WatchOrder::StartScheduler).unwrap();
    world.until(25);
    assert_eq!(world.started(), [25.0]);
}

#[test]
fn test_of_alerts_calls_them_whatever_holds_them_back_and_leaves_no_trace() {
    let mut tested = period();
    tested.times.windows = CalendarWindows::Never;
    tested.throttle.limit = Some(0);
    tested.alerts[0].exit = Some(ExitRange { first: 3, last: 4 });
    tested.alerts.push(alert(AlertOn::Disabling, "D"));
    let mut world = World::of(WatchSpec { periods: [tested].into(), ..spec("g/s") });
    let mut test = |on, exit| {
        let period = "P".to_owned();
        world.order(WatchOrder::TestAlert { key: key("g/s"), on, exit, period }).unwrap();
        let (_, job) = world.alerts.pop()?;
        let named = ["MON_ALERTTYPE", "MON_RETVAL", "MON_OPSTATUS"];
        let said = named.map(|name| variable(&job.environment, name).unwrap().to_owned());
        Some((said.join(" "), job.arguments[8..].join(" "), job.input.to_string()))
    };
    let input = || "test\ntest detail\n".to_owned();
    assert_eq!(test(AlertOn::Failure, 1), None);
    let expect = |said: &str, words: &str| Some((said.to_owned(), words.to_owned(), input()));
    assert_eq!(test(AlertOn::Failure, 3), expect("test 3 7", "A"));
    assert_eq!(test(AlertOn::Recovery, 0), expect("up 0 7", "-u U"));
    assert_eq!(test(AlertOn::Disabling, 9), expect("disable 9 7", "-D D"));
    assert_eq!(test(AlertOn::Startup, 0), None);
    assert_eq!(world.watcher.alert_history().count(), 0);
    assert_eq!(world.view("g/s").alerts_sent, 0);
}

#[test]
fn clearing_timers_starts_them_and_counts_anew() {
    let throttle = Throttle {
        every: Some((seconds(100), Repeat::All)),
        after_failures: Some(2),
        ..Throttle::default()
    };
    let failing = WatchSpec {
        periods: [Period { throttle, ..period() }].into(),
        trap_timeout: Some(seconds(1000)),
        ..spec("g/s")
    };
    let mut world = World::of(failing);
    world.says("g/s", 1, "x\n");
    world.until(35);
    assert_eq!(world.told(), ["20 failure A"]);
    world.order(WatchOrder::ClearTimers(key("g/s"))).unwrap();
    assert_eq!(world.view("g/s").failures_in_a_row, 0);
    world.until(60);
    assert_eq!(world.told(), ["55 failure A"]);
    assert_eq!(world.started(), [10.0, 20.0, 30.0, 45.0, 55.0]);
}

#[test]
fn interval_and_description_can_be_set_until_the_file_changes() {
    let mut world = World::of(spec("g/s"));
    world.until(10);
    let interval = seconds(3);
    world.order(WatchOrder::SetInterval { key: key("g/s"), interval }).unwrap();
    let text = "new".to_owned();
    world.order(WatchOrder::SetDescription { key: key("g/s"), text }).unwrap();
    world.until(20);
    assert_eq!(world.started(), [10.0, 13.0, 16.0, 19.0]);
    assert_eq!(world.view("g/s").spec.description.as_deref(), Some("new"));
    assert_eq!(world.view("g/s").spec.interval, Some(interval));
    // Whatever the file says otherwise, its interval holds again, and is what clients see.
    let described = WatchSpec { description: Some("other".to_owned()), ..spec("g/s") };
    world.configure(watching(vec![described]), crate::watch::Keep::State);
    assert_eq!(world.view("g/s").spec.interval, Some(seconds(10)));
    assert_eq!(world.view("g/s").spec.description.as_deref(), Some("other"));
    world.until(45);
    assert_eq!(world.started(), [30.0, 40.0]);
}

#[test]
fn client_sets_no_interval_below_that_of_files() {
    let mut world = World::of(spec("g/s"));
    let interval = std::time::Duration::from_millis(1);
    world.order(WatchOrder::SetInterval { key: key("g/s"), interval }).unwrap();
    world.until(3);
    assert_eq!(world.started(), [1.0, 2.0, 3.0]);
}

#[test]
fn recovery_that_waits_is_logged_once() {
    let mut world = World::of(WatchSpec { monitor: None, ..spec("g/s") });
    world.outcome("g/s", 1, "x\n");
    world.disable(Disabling::Service(key("g/s"))).unwrap();
    for _ in 0..5 {
        world.outcome("g/s", 0, "");
    }
    let ignored = world.lines.iter().filter(|line| *line == "ignoring alert for g,s");
    assert_eq!(ignored.count(), 1);
}

/// mon enables the watch with its only host, whoever disabled it and why.
#[test]
fn a_host_leaves_the_disablement_of_its_watch_as_somebody_made_it() {
    let host = || Disabling::Host("g".to_owned());
    let watch = || Disabling::Watch("g".into());
    let disable = |world: &mut World, what, reason: &str, lasts: Option<u64>| {
        let (user, reason, lasts) = ("ann".to_owned(), reason.to_owned(), lasts.map(seconds));
        world
            .order(WatchOrder::Disable { what: vec![what], user, reason, lasts, replaces: true })
            .unwrap();
    };
    let disabled = |world: &World| {
        let all = world.watcher.disabled().into_iter();
        all.map(|(what, why)| format!("{what}: {}", why.reason)).collect::<Vec<_>>()
    };
    let mut world = World::of(spec("g/s"));
    disable(&mut world, watch(), "release", Some(1000));
    world.until(10);
    disable(&mut world, host(), "disk", Some(20));
    assert_eq!(disabled(&world), ["host g: disk", "watch g: release"]);
    world.until(30);
    assert_eq!(disabled(&world), ["watch g: release"], "the time of the host is over");
    disable(&mut world, host(), "disk", None);
    world.enable(host()).unwrap();
    assert_eq!(disabled(&world), ["watch g: release"]);
    world.enable(watch()).unwrap();

    // What goes with the host is replaced with it, and ends with it, across a restart too.
    world.until(40);
    disable(&mut world, host(), "disk", None);
    world.until(50);
    disable(&mut world, host(), "another disk", Some(100));
    assert_eq!(disabled(&world), ["host g: another disk", "watch g: another disk"]);
    world.restart(watching(vec![spec("g/s")]));
    world.until(60);
    world.enable(host()).unwrap();
    assert_eq!(disabled(&world), [""; 0]);

    // And what mon's file says of both.
    world.watcher.load_disabled_file("disable host g\ndisable watch g\n", world.now);
    world.until(70);
    world.enable(host()).unwrap();
    assert_eq!(disabled(&world), [""; 0]);
}
