//! Reloads, restarts, and mon's own files of state.

use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;

use super::world::*;
use crate::model::*;
use crate::watch::*;

/// Another watcher that knows what the first one saved.
fn restarted(world: &World, watching: Watching) -> World {
    let json = serde_json::to_string(&world.watcher.save()).unwrap();
    let mut next = World::empty();
    next.now = world.now;
    next.watcher.load(serde_json::from_str(&json).unwrap(), world.now);
    next.configure(watching, Keep::State);
    next
}

#[test]
fn unchanged_service_notices_nothing_of_a_reload() {
    let specs = || watching(vec![spec("g/s"), spec("g/t")]);
    let mut world = World::new(specs());
    world.takes("g/s", 1, "x\n", seconds(4));
    world.until(22);
    let before = world.view("g/s");
    assert!(before.running);
    let mut changed = specs();
    changed.services.remove(&key("g/t"));
    changed.services.insert(key("g/u"), spec("g/u").into());
    world.configure(changed, Keep::State);
    assert_eq!(world.view("g/s"), before);
    world.until(36);
    // Its beat goes on, that of the new one begins, and the third is gone.
    let of = |name: &str| {
        let runs = world.runs.iter().filter(|(_, run)| run.key == key(name));
        runs.map(|(at, _)| at.seconds() - START).collect::<Vec<_>>()
    };
    assert_eq!((of("g/s"), of("g/t"), of("g/u")), (vec![10, 20, 30], vec![10, 20], vec![32]));
    assert_eq!(world.view("g/s").failures, 3);
}

#[test]
fn changed_service_keeps_its_status_and_the_periods_of_the_same_label() {
    let throttle = Throttle { limit: Some(1), ..Throttle::default() };
    let once = Period { throttle, ..period() };
    let mut world = World::of(WatchSpec { periods: [once.clone()].into(), ..spec("g/s") });
    world.says("g/s", 1, "x\n");
    world.until(15);
    assert_eq!(world.told(), ["10 failure A"]);
    let other = Period { label: "Q".to_owned(), ..once.clone() };
    let interval = Some(seconds(7));
    let changed = WatchSpec { periods: [other, once].into(), interval, ..spec("g/s") };
    world.configure(watching(vec![changed]), Keep::State);
    assert_eq!(world.view("g/s").failures_in_a_row, 1);
    world.until(22);
    assert_eq!(world.told(), ["22 failure A"]);
    world.says("g/s", 0, "");
    world.until(29);
    assert_eq!(world.told(), ["29 up U", "29 up U"]);
}

#[test]
fn run_of_another_monitor_is_abandoned() {
    let mut world = World::of(spec("g/s"));
    world.takes("g/s", 1, "x\n", seconds(5));
    world.until(11);
    let mut changed = spec("g/s");
    changed.monitor.as_mut().unwrap().how = MonitorKind::Program(["/mon.d/b".to_owned()].into());
    world.configure(watching(vec![changed]), Keep::State);
    assert_eq!(world.under_way(), 0);
    assert_eq!(world.watcher.running().count(), 0);
    // Whoever reports it nevertheless is not heard.
    let finding = Finding { exit: 1, output: String::new() };
    world.watcher.handle_result(world.runs[0].1.run, finding, world.now);
    assert_eq!(world.view("g/s").opstatus, OpStatus::Untested);
    world.until(20);
    assert_eq!(world.started(), [10.0, 20.0]);
}

#[test]
fn reset_makes_everything_untested_and_forgets_no_disablement() {
    let specs = || watching(vec![spec("g/s"), spec("g/t")]);
    let mut world = World::new(specs());
    world.says("g/s", 1, "x\n");
    world.disable(Disabling::Service(key("g/t"))).unwrap();
    world.until(15);
    world.configure(specs(), Keep::Nothing);
    let view = world.view("g/s");
    assert_eq!((view.opstatus, view.failures, view.retval), (OpStatus::Untested, 0, None));
    assert_eq!(view.timer, Some(seconds(10)));
    assert!(world.view("g/t").disabled.is_some());
}

#[test]
fn restart_takes_everything_up_that_was_saved() {
    let throttle = Throttle { every: Some((seconds(1000), Repeat::All)), ..Throttle::default() };
    let specs = || {
        let failing = WatchSpec {
            periods: [Period { throttle: throttle.clone(), ..period() }].into(),
            failure_interval: Some(seconds(3)),
            ..spec("g/s")
        };
        watching(vec![failing, spec("g/t")])
    };
    let mut world = World::new(specs());
    world.says("g/s", 1, "web1\ndetail\n");
    world.until(10);
    let (user, comment) = ("ann".to_owned(), "mine".to_owned());
    world.order(WatchOrder::Acknowledge { key: key("g/s"), user, comment }).unwrap();
    let what = vec![Disabling::Host("g".to_owned())];
    let (user, reason) = ("ann".to_owned(), "r".to_owned());
    world
        .order(WatchOrder::Disable {
            what,
            user,
            reason,
            lasts: Some(seconds(60)),
            replaces: false,
        })
        .unwrap();
    let mut next = restarted(&world, specs());
    let mut expected = world.view("g/s");
    // Timers start anew.
    expected.timer = next.view("g/s").timer;
    assert_eq!(next.view("g/s"), expected);
    assert_eq!(next.watcher.disabled(), world.watcher.disabled());
    // Both the host and the watch that went with it come back at their time.
    next.until(75);
    assert_eq!(next.watcher.disabled(), []);
    assert_eq!(next.told(), ["70 up U"]);
}

#[test]
fn state_of_what_is_no_longer_there_is_left_out() {
    let mut world = World::new(watching(vec![spec("g/s"), spec("g/t")]));
    world.disable(Disabling::Service(key("g/t"))).unwrap();
    world.until(10);
    let next = restarted(&world, watching(vec![spec("g/s")]));
    assert_eq!(next.watcher.disabled(), []);
    assert_eq!(next.watcher.views(at(10)).count(), 1);
}

#[test]
fn saved_state_of_another_version_is_read_as_far_as_it_goes() {
    let saved: Saved = serde_json::from_str(
        r#"{"new": 1, "services": [{"group": "g", "service": "s", "status": {"opstatus": 0}}]}"#,
    )
    .unwrap();
    let mut world = World::of(spec("g/s"));
    world.watcher.load(saved, at(0));
    assert_eq!(world.view("g/s").opstatus, OpStatus::Fail);
}

#[test]
fn file_of_disablements_is_written_and_read_as_mon_does() {
    let specs = || watching(vec![spec("g/s"), spec("h/s"), spec("i/s")]);
    let mut world = World::new(specs());
    world.disable(Disabling::Service(key("g/s"))).unwrap();
    world.disable(Disabling::Watch("h".into())).unwrap();
    let text = world.watcher.disabled_file();
    assert_eq!(text, "disable watch h\ndisable service g s\n");
    let mut next = World::new(specs());
    let more = format!("{text}disable host i\ndisable watch gone\nnonsense\n");
    next.watcher.load_disabled_file(&more, at(0));
    next.drain();
    let all = "disable host i\ndisable watch h\ndisable service g s\n";
    assert_eq!(next.watcher.disabled_file(), all);
    assert_eq!(next.lines, ["state ignored: disable watch gone", "state ignored: nonsense"]);
    assert_eq!(next.told(), [""; 0]);
}

#[test]
fn file_of_states_is_read_as_it_was_written() {
    let specs = || watching(vec![spec("g/s"), spec("g/t")]);
    let mut world = World::new(specs());
    let output = "a=b 'c' \\20\té\nmore=\\\n";
    world.says("g/s", 3, output);
    world.until(20);
    let (user, comment) = ("ann".to_owned(), "mine: \"x\"".to_owned());
    world.order(WatchOrder::Acknowledge { key: key("g/s"), user, comment }).unwrap();
    let text = world.watcher.opstatus_file();
    assert_eq!(text.lines().count(), 2);
    assert!(text.contains("\tlast_summary=a\\3db\\20\\27c\\27\\20\\5c20\\09\\c3\\a9\t"), "{text}");
    assert!(text.contains("\tP:alert_sent=2\t"), "{text}");
    let mut next = World::new(specs());
    next.now = at(20);
    next.watcher.load_opstatus_file(&text, at(20));
    let mut expected = world.view("g/s");
    expected.timer = next.view("g/s").timer;
    expected.duration = None;
    assert_eq!(next.view("g/s"), expected);
    assert_eq!(next.watcher.opstatus_file(), text);
    // The recovery is told, with the text of the failure.
    next.outcome("g/s", 0, "");
    assert_eq!(&*next.alerts[0].1.input, output);
    assert_eq!(next.told(), ["20 up U"]);
}

#[test]
fn file_of_states_has_every_byte_of_what_was_said() {
    let mut world = World::of(spec("g/s"));
    let said = raw::text_of(b"caf\xe9\n\xff\n");
    world.says("g/s", 1, &said);
    world.until(10);
    let text = world.watcher.opstatus_file();
    assert!(text.contains("\tlast_summary=caf\\e9\t"), "{text}");
    let mut next = World::of(spec("g/s"));
    next.watcher.load_opstatus_file(&text, at(10));
    assert_eq!(next.watcher.opstatus_file(), text);
    assert_eq!(next.view("g/s").last_summary, raw::text_of(b"caf\xe9"));
    // What people read is text.
    let line = world.lines.iter().find(|line| line.starts_with("failure for g s")).unwrap();
    assert!(line.ends_with(" caf\u{fffd}"), "{line}");
    let shown = world.watcher.statuses(|_| std::time::SystemTime::UNIX_EPOCH);
    assert_eq!(shown[0].summary.as_deref(), Some("caf\u{fffd}"));
}

#[test]
fn file_of_states_by_mon_itself_is_read() {
    let text = "group=g\tservice=s\top_status=0\tfailure_count=4\talert_count=2\t\
                last_success=1767220000\tfirst_success=\tconsec_failures=4\t\
                last_failure=1767225500\tfirst_failure=1767225400\tlast_summary=web1\t\
                last_failure_time=\tlast_failure_summary=\tlast_failure_detail=\t\
                last_detail=refused\\0a\tack=0\tack_comment=\tlast_trap=0\tlast_traphost=\t\
                exitval=1\tlast_check=1767225500\tlast_op_status=0\t\
                failure_output=web1\\0arefused\\0a\ttrap_timer=\tP:last_alert=1767225500\t\
                P:alert_sent=2\tP:1stfailtime=\tP:failcount=\n\
                group=gone\tservice=s\top_status=0\nnonsense\n";
    let mut world = World::of(spec("g/s"));
    world.watcher.load_opstatus_file(text, at(0));
    let view = world.view("g/s");
    assert_eq!((view.opstatus, view.failures_in_a_row), (OpStatus::Fail, 4));
    assert_eq!(view.retval.as_deref(), Some("1"));
    assert_eq!((view.alerts_sent, view.acknowledged), (2, None));
    assert_eq!(view.first_failure, Some(at(0) - Duration::from_secs(200)));
    world.until(10);
    assert_eq!(&*world.alerts[0].1.input, "web1\nrefused\n");
    assert_eq!(world.told(), ["10 up U"]);
}

proptest! {
    #[test]
    fn files_with_anything_in_them_are_read_without_harm(
        text in "(group=g\tservice=s|[ -~\\\\=\t\n]|\\\\[0-9a-f]{2}|disable |host |P:alert_sent=[0-9]{1,20}){0,80}",
    ) {
        let mut world = World::of(spec("g/s"));
        world.watcher.load_disabled_file(&text, at(0));
        world.watcher.load_opstatus_file(&text, at(0));
        world.watcher.load_alert_history(&text, at(0));
        world.drain();
        world.until(30);
    }
}

#[test]
fn every_turn_of_a_status_is_worth_noting_whether_or_not_anybody_is_told() {
    let silent = WatchSpec { periods: Arc::default(), ..spec("g/s") };
    let mut world = World::of(silent);
    let turns = |world: &mut World, exit: u8, until: u64| {
        world.says("g/s", exit, "x\n");
        world.until(until);
        world.watcher.take_changed()
    };
    assert!(turns(&mut world, 1, 10), "it fails");
    assert!(!turns(&mut world, 1, 20), "it fails on");
    assert!(turns(&mut world, 0, 30), "it is well");
    assert!(!turns(&mut world, 0, 40), "it stays well");
    let (user, reason) = (String::new(), String::new());
    let what = vec![Disabling::Service(key("g/s"))];
    world
        .order(WatchOrder::Disable {
            what,
            user,
            reason,
            lasts: Some(seconds(15)),
            replaces: false,
        })
        .unwrap();
    world.watcher.take_changed();
    assert!(turns(&mut world, 0, 60), "what was disabled is so no more");
}

#[test]
fn the_end_of_what_a_trap_said_is_worth_noting() {
    let mut world = World::of(WatchSpec {
        monitor: None,
        interval: None,
        trap_duration: Some(seconds(30)),
        ..spec("g/s")
    });
    world.trap("g/s", "1", "x").unwrap();
    assert!(world.watcher.take_changed());
    world.until(20);
    assert!(!world.watcher.take_changed());
    world.until(40);
    assert!(world.watcher.take_changed());
}

#[test]
fn restart_ends_what_a_trap_said_when_it_would_have_ended() {
    let trapped = || {
        let trap_duration = Some(seconds(30));
        watching(vec![WatchSpec { monitor: None, trap_duration, ..spec("g/s") }])
    };
    let mut world = World::new(trapped());
    world.trap("g/s", "1", "x").unwrap();
    world.until(20);
    world.restart(trapped());
    let mut late = restarted(&world, trapped());
    world.until(29);
    assert_eq!(world.view("g/s").opstatus, OpStatus::Fail);
    world.until(30);
    assert_eq!(world.view("g/s").opstatus, OpStatus::Ok);
    // What failed since does so still after another restart.
    world.outcome("g/s", 1, "x\n");
    world.until(50);
    world.restart(trapped());
    world.until(100);
    assert_eq!(world.view("g/s").opstatus, OpStatus::Fail);
    // Nobody was there when it ended.
    late.now = at(50);
    late.restart(trapped());
    late.until(50);
    assert_eq!(late.view("g/s").opstatus, OpStatus::Ok);
}

#[test]
fn times_of_the_future_are_those_of_a_clock_that_was_put_back() {
    let throttle = Throttle { every: Some((seconds(60), Repeat::All)), ..Throttle::default() };
    let specs = || {
        let depends = Depends { monitors: depends_on("g/parent"), ..Depends::default() };
        let periods = [Period { throttle: throttle.clone(), ..period() }].into();
        watching(vec![
            spec("g/parent"),
            WatchSpec { depends, ..spec("g/child") },
            WatchSpec { monitor: None, periods, ..spec("g/s") },
        ])
    };
    let mut world = World::new(specs());
    world.until(100_000);
    world.says("g/parent", 1, "x\n");
    world.until(100_010);
    world.says("g/parent", 0, "");
    world.until(100_020);
    world.outcome("g/s", 1, "x\n");
    let saved = world.watcher.save();
    let mut next = World::empty();
    next.watcher.load(saved, at(0));
    next.configure(specs(), Keep::State);
    next.until(60);
    // Within its time nothing is told again; afterwards it is, and the child is asked.
    next.outcome("g/s", 1, "x\n");
    assert_eq!(next.told(), ["60 failure A"]);
    let asked = next.runs.iter().filter(|(_, run)| run.key == key("g/child")).count();
    assert_eq!(asked, 6);
    assert!(next.view("g/parent").last_success.unwrap() <= at(60));
}

#[test]
fn file_of_states_keeps_a_recovery_that_is_owed_and_no_count_of_what_is_over() {
    let throttle = Throttle { limit: Some(1), ..Throttle::default() };
    let specs = || {
        let periods = [Period { throttle: throttle.clone(), ..period() }].into();
        watching(vec![WatchSpec { monitor: None, periods, ..spec("g/s") }])
    };
    let mut world = World::new(specs());
    let disabled = || Disabling::Service(key("g/s"));
    world.outcome("g/s", 1, "web1\ndetail\n");
    world.disable(disabled()).unwrap();
    world.outcome("g/s", 0, "");
    world.told();
    let text = world.watcher.opstatus_file();
    assert!(text.contains("\tP:alert_sent=1\t"), "{text}");
    // This run knows better what ended than the file does; another knows the summary.
    let mut next = World::new(specs());
    next.disable(disabled()).unwrap();
    for (world, input) in [(&mut world, "web1\ndetail\n"), (&mut next, "web1")] {
        world.watcher.load_opstatus_file(&text, world.now);
        world.drain();
        assert_eq!(world.view("g/s").alerts_sent, 0);
        world.enable(disabled()).unwrap();
        assert_eq!(&*world.alerts[0].1.input, input);
        assert_eq!(world.told(), ["0 up U"]);
        world.outcome("g/s", 1, "web1\n");
        assert_eq!(world.told(), ["0 failure A"]);
    }
}

#[test]
fn file_of_states_leaves_nobody_in_a_storm_who_is_well() {
    let specs = (0..4).map(|n| WatchSpec { monitor: None, ..spec(&format!("g/{n}")) });
    let mut crowd = watching(specs.collect());
    crowd.settings.collapse = Some(Collapse { within: seconds(5), more_than: 2 });
    let mut world = World::new(crowd);
    for n in 0..4 {
        world.outcome(&format!("g/{n}"), 1, "x\n");
    }
    world.told();
    let well = "group=g\tservice=2\top_status=1\ngroup=g\tservice=3\top_status=1\n";
    world.watcher.load_opstatus_file(well, at(0));
    world.until(100);
    assert_eq!(world.told(), [""; 0]);
    world.outcome("g/2", 1, "x\n");
    assert_eq!(world.told(), ["100 failure A"]);
}

#[test]
fn numbers_of_a_state_file_that_are_too_large_overflow_nothing() {
    let two = vec![period(), Period { label: "Q".to_owned(), ..period() }];
    let mut world = World::of(WatchSpec { monitor: None, periods: two.into(), ..spec("g/s") });
    let most = u32::MAX;
    let text = format!(
        "group=g\tservice=s\top_status=0\talert_count={}\tP:alert_sent={most}\tQ:alert_sent={most}\n",
        u64::MAX
    );
    world.watcher.load_opstatus_file(&text, at(0));
    world.outcome("g/s", 1, "x\n");
    assert_eq!(world.view("g/s").alerts_sent, most);
}

#[test]
fn history_is_read_at_a_start_and_a_reset_and_has_nothing_twice() {
    let mut config = watching(vec![spec("g/s")]);
    config.settings.historic_file = Some("/var/log/history".into());
    config.settings.historic_time = Some(seconds(1000));
    config.settings.history = 3;
    let mut world = World::new(config.clone());
    for (keep, read) in [(Keep::State, 1), (Keep::Nothing, 2)] {
        world.configure(config.clone(), keep);
        assert_eq!(world.recalled, vec![PathBuf::from("/var/log/history"); read]);
    }
    world.says("g/s", 1, "x\n");
    world.until(20);
    let lines: Vec<String> = world.notes.drain(..).map(|(_, line)| line).collect();
    let earlier = |ago| format!("alert g s {} /alert.d/record.alert (A) old", START - ago);
    let file = [earlier(5000), earlier(50), earlier(40), "nonsense".to_owned()];
    let text = [&file[..], &lines[..]].concat().join("\n");
    for _ in 0..2 {
        world.watcher.load_alert_history(&text, world.now);
        let known: Vec<_> = world.watcher.alert_history().map(AlertNote::line).collect();
        assert_eq!(known, [&file[1..3], &lines[..]].concat());
    }
}
