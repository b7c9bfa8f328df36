//! What one result changes, and whether anybody may be told.

use super::world::*;
use crate::model::*;
use crate::watch::Keep;

#[test]
fn first_failure_is_told_at_once_and_a_first_success_is_not() {
    let cases = [("x", "A"), (".", "-"), ("x.", "AU"), (".x.", "-AU"), ("..", "--")];
    for (results, calls) in cases {
        assert_eq!(play(period(), results), calls, "{results}");
    }
}

#[test]
fn every_failure_is_told_where_nothing_holds_it_back() {
    assert_eq!(play(period(), "xxx.x..x"), "AAAUAU-A");
}

#[test]
fn status_and_times_follow_the_results() {
    let mut world = World::of(spec("g/s"));
    assert_eq!(world.view("g/s").opstatus, OpStatus::Untested);
    assert_eq!(world.view("g/s").retval, None);
    world.says("g/s", 2, "\ndetail\n");
    world.until(20);
    let view = world.view("g/s");
    assert_eq!((view.opstatus, view.last_opstatus), (OpStatus::Fail, OpStatus::Fail));
    assert_eq!((view.retval.as_deref(), view.failures_in_a_row, view.failures), (Some("2"), 2, 2));
    assert_eq!((view.first_failure, view.last_failure), (Some(at(10)), Some(at(20))));
    assert_eq!(
        (view.last_summary.as_str(), view.last_detail.as_str()),
        ("(NO SUMMARY)", "detail\n")
    );
    assert_eq!((view.alerts_sent, view.last_alert), (2, Some(at(20))));
    world.says("g/s", 0, "");
    world.until(30);
    let view = world.view("g/s");
    assert_eq!((view.opstatus, view.last_opstatus), (OpStatus::Ok, OpStatus::Fail));
    assert_eq!((view.failures_in_a_row, view.failures), (0, 2));
    assert_eq!((view.first_failure, view.last_failure), (None, None));
    assert_eq!((view.last_success, view.last_check), (Some(at(30)), Some(at(30))));
    assert_eq!((view.last_summary.as_str(), view.alerts_sent, view.last_alert), ("", 0, None));
}

#[test]
fn alerts_are_called_in_the_order_of_the_file_and_by_exit_status() {
    let with_exit = |first, last, word| Alert {
        exit: Some(ExitRange { first, last }),
        ..alert(AlertOn::Failure, word)
    };
    let period = Period {
        alerts: vec![
            with_exit(1, 3, "L"),
            alert(AlertOn::Failure, "M"),
            with_exit(3, 9, "H"),
            Alert { exit: Some(ExitRange { first: 0, last: 0 }), ..alert(AlertOn::Recovery, "Z") },
            Alert { exit: Some(ExitRange { first: 1, last: 9 }), ..alert(AlertOn::Recovery, "N") },
        ],
        ..period()
    };
    assert_eq!(play(period, "135."), "LMLMHMHZ");
}

#[test]
fn period_without_alert_lines_tells_no_recovery_unless_told_to() {
    let silent = Period { alerts: vec![alert(AlertOn::Recovery, "U")], ..period() };
    assert_eq!(play(silent.clone(), "x.x."), "----");
    let throttle = Throttle { unpaired: true, ..Throttle::default() };
    // At most one until the next alert, and here there is none.
    assert_eq!(play(Period { throttle, ..silent }, "x.x."), "-U--");
}

#[test]
fn period_that_is_over_tells_nobody() {
    let day = Period { times: hours(0, 0), ..period() };
    let mut world = World::of(WatchSpec { monitor: None, periods: [day].into(), ..spec("g/s") });
    world.until(3600);
    world.outcome("g/s", 1, "x\n");
    assert_eq!(world.told(), [""; 0]);
    world.until(24 * 3600);
    world.outcome("g/s", 1, "x\n");
    assert_eq!(world.told(), ["86400 failure A"]);
}

#[test]
fn program_that_is_not_there_is_logged_and_does_not_count() {
    let mut gone = alert(AlertOn::Failure, "A");
    gone.call.path = None;
    let alerts = vec![gone, alert(AlertOn::Recovery, "U")];
    let mut world =
        World::of(WatchSpec { periods: [Period { alerts, ..period() }].into(), ..spec("g/s") });
    world.says("g/s", 1, "x\n");
    world.until(10);
    assert!(world.lines.contains(&"no alert found while trying to run record.alert".to_owned()));
    world.says("g/s", 0, "");
    world.until(20);
    assert_eq!(world.told(), [""; 0]);
}

#[test]
fn redistribution_sees_every_result_whatever_holds_the_rest_back() {
    let service = WatchSpec {
        redistribute: Some(call(&["R"])),
        periods: [Period { alerts: Vec::new(), ..period() }].into(),
        ..spec("g/s")
    };
    let mut world = World::of(service);
    assert_eq!(world.told(), ["0 startup R"]);
    world.disable(Disabling::Service(key("g/s"))).unwrap();
    world.until(10);
    world.says("g/s", 1, "x\n");
    world.until(30);
    world.says("g/s", 0, "");
    world.until(50);
    let calls = ["0 disable R", "10 up R", "20 failure R", "30 failure R", "40 up R", "50 up R"];
    assert_eq!(world.told(), calls);
    assert_eq!(world.watcher.alert_history().count(), 0);
    assert!(!world.lines.iter().any(|line| line.starts_with("calling")));
}

#[test]
fn recovery_after_a_time_is_told_at_once_only_after_longer_failures() {
    let throttle = Throttle { recovery_after: Some(seconds(25)), ..Throttle::default() };
    let late = Period { throttle, ..period() };
    // 30 s long; 10 s long and well for long enough; 10 s long and failing again too early.
    assert_eq!(play(late.clone(), "xxx."), "AAAU");
    assert_eq!(play(late.clone(), "x...."), "A--U-");
    assert_eq!(play(late, "x.x...."), "A-A--U-");
}

#[test]
fn output_is_kept_up_to_a_limit() {
    let mut world = World::of(WatchSpec { monitor: None, ..spec("g/s") });
    world.outcome("g/s", 1, &format!("x{}", "ä".repeat(1 << 20)));
    assert!(world.view("g/s").last_summary.len() <= 64 * 1024);
    assert!(world.alerts[0].1.input.len() <= 64 * 1024);
}

#[test]
fn both_histories_keep_one_more_than_they_are_told() {
    let mut watching = watching(vec![spec("g/s")]);
    watching.settings.history = 3;
    let mut world = World::new(watching);
    world.says("g/s", 1, "x\n");
    world.until(100);
    assert_eq!(world.watcher.alert_history().count(), 4);
    let times: Vec<_> = world.watcher.failure_history().map(|note| note.at).collect();
    assert_eq!(times, [at(70), at(80), at(90), at(100)]);
    world.order(WatchOrder::SetHistory(1)).unwrap();
    assert_eq!(world.watcher.failure_history().count(), 2);
}

#[test]
fn files_get_a_line_for_each_alert_and_each_end_of_a_failure() {
    let mut watching = watching(vec![spec("g/s")]);
    watching.settings.historic_file = Some("/log/hist".into());
    watching.settings.downtime_file = Some("/log/down".into());
    let mut world = World::new(watching.clone());
    world.says("g/s", 1, "web1 web2\nx\n");
    world.until(20);
    world.says("g/s", 0, "");
    world.until(30);
    let line = |n: u64, kind: &str, words: &str| {
        let time = START + n;
        format!("{kind} g s {time} /alert.d/record.alert ({words}) web1 web2")
    };
    let of = |file: &str| {
        let lines = world.notes.iter().filter(|(other, _)| other.to_str() == Some(file));
        lines.map(|(_, line)| line.clone()).collect::<Vec<_>>()
    };
    let lines = [line(10, "alert", "A"), line(20, "alert", "A"), line(30, "upalert", "U")];
    assert_eq!(of("/log/hist"), lines);
    let down = of("/log/down");
    assert!(down[0].starts_with("#\n# downtime log start"), "{}", down[0]);
    assert_eq!(down[1], format!("{} g s {} 20 10 web1 web2", START + 30, START + 10));
    // What was written is read again at a start.
    let mut next = World::new(watching);
    next.watcher.load_alert_history(&format!("junk\n{}\n", lines.join("\n")), at(40));
    assert_eq!(next.watcher.alert_history().collect::<Vec<_>>(), {
        world.watcher.alert_history().collect::<Vec<_>>()
    });
}

#[test]
fn startup_alerts_are_called_again_after_a_reset_only_if_wanted() {
    let startup = Period { alerts: vec![alert(AlertOn::Startup, "S")], ..period() };
    let mut watching = watching(vec![WatchSpec { periods: [startup].into(), ..spec("g/s") }]);
    let mut world = World::new(watching.clone());
    assert_eq!(world.told(), ["0 startup S"]);
    world.configure(watching.clone(), Keep::Nothing);
    assert_eq!(world.told(), [""; 0]);
    watching.settings.startup_alerts_on_reset = true;
    world.configure(watching, Keep::State);
    assert_eq!(world.told(), ["0 startup S"]);
}

#[test]
fn no_output_has_no_summary() {
    let mut world = World::of(spec("g/s"));
    world.says("g/s", 0, "");
    world.until(20);
    let (_, run) = &world.runs[1];
    assert_eq!(variable(&run.environment, "MON_LAST_OUTPUT"), Some(""));
    assert_eq!(variable(&run.environment, "MON_LAST_SUMMARY"), None);
}

#[test]
fn before_the_first_result_there_was_no_failure_to_tell_of() {
    let redistribute = Some(call(&["R"]));
    let mut world = World::of(WatchSpec { monitor: None, redistribute, ..spec("g/s") });
    let told = |world: &World| {
        let (_, job) = world.alerts.last().unwrap();
        variable(&job.environment, "MON_FIRST_FAILURE").map(str::to_owned)
    };
    world.outcome("g/s", 0, "fine\n");
    assert_eq!(told(&world), None);
    world.outcome("g/s", 0, "fine\n");
    assert_eq!(told(&world).as_deref(), Some("0"));
}

#[test]
fn the_interval_that_is_shown_is_the_one_in_force() {
    let failure_interval = Some(seconds(3));
    let mut world = World::of(WatchSpec { failure_interval, ..spec("g/s") });
    let usual = world.view("g/s").spec.interval;
    world.says("g/s", 1, "x\n");
    world.until(10);
    assert_eq!(world.view("g/s").spec.interval, Some(seconds(3)));
    world.says("g/s", 0, "");
    world.until(20);
    assert_eq!(world.view("g/s").spec.interval, usual);
}
