//! How often one failure is told. Results are 10 s apart.

use super::world::*;
use crate::model::*;

fn with(throttle: Throttle) -> Period {
    Period { throttle, ..period() }
}

fn every(time: u64, repeat: Repeat) -> Period {
    with(Throttle { every: Some((seconds(time), repeat)), ..Throttle::default() })
}

/// Each of these results gets each of these calls.
fn table(period: Period, rows: &[(&str, &str)]) {
    for (results, calls) in rows {
        assert_eq!(play(period.clone(), results), *calls, "{results} {:?}", period.throttle);
    }
}

#[test]
fn alertevery_holds_back_what_has_the_summary_of_the_failure_before() {
    table(
        every(30, Repeat::SameSummary),
        &[
            ("xxxxxxx", "A--A--A"),
            ("xxyyx", "A-A-A"),
            // The failure before counts, alerted or not.
            ("xyxy", "AAAA"),
            // A recovery resets it.
            ("x.x", "AUA"),
        ],
    );
}

#[test]
fn alertevery_with_observe_detail_holds_back_what_has_the_same_output() {
    // Played results have details of their own.
    table(every(30, Repeat::SameDetail), &[("xxx", "AAA"), ("111", "A--")]);
}

#[test]
fn alertevery_with_ignore_summary_holds_everything_back_until_it_recovers() {
    table(every(30, Repeat::All), &[("xyzxyz", "A--A--"), ("x.y", "AUA")]);
}

#[test]
fn alertevery_strict_holds_back_across_a_recovery_that_nobody_is_told_of() {
    table(every(30, Repeat::Strict), &[("xyzx", "A--A"), ("x.x.x", "AUAUA")]);
    let silent = Period { alerts: vec![alert(AlertOn::Failure, "A")], ..every(30, Repeat::Strict) };
    table(silent, &[("x.x.x", "A---A"), ("x..x", "A--A")]);
}

#[test]
fn alertafter_a_number_of_failures_in_a_row() {
    let period = with(Throttle { after_failures: Some(3), ..Throttle::default() });
    table(period, &[("xxxx.", "--AAU"), ("xx.xx.", "------"), ("xyz", "--A")]);
}

#[test]
fn alertafter_a_time_is_longer_than_that_time() {
    let period = with(Throttle { after_time: Some(seconds(20)), ..Throttle::default() });
    table(period, &[("xxxxx.", "---AAU"), ("xxx.xxxx", "-------A")]);
}

#[test]
fn alertafter_a_number_within_a_time_keeps_alerting_once_reached() {
    let period = with(Throttle { after_within: Some((3, seconds(25))), ..Throttle::default() });
    table(period.clone(), &[("xxxxxxx.", "--AAAAAU"), ("xx.xxx", "-----A")]);
    // Two within the time are not enough, and a new time begins.
    let few = with(Throttle { after_within: Some((3, seconds(15))), ..Throttle::default() });
    table(few, &[("xxxxxx", "------")]);
}

#[test]
fn failures_that_alertevery_holds_back_are_not_counted_by_alertafter() {
    let period = with(Throttle {
        every: Some((seconds(60), Repeat::All)),
        after_within: Some((2, seconds(100))),
        ..Throttle::default()
    });
    table(period, &[("xxxxxxxx", "-A-----A")]);
}

#[test]
fn numalerts_counts_rounds_for_each_failure() {
    let mut period = with(Throttle { limit: Some(2), ..Throttle::default() });
    table(period.clone(), &[("xxxx.xx", "AA--UAA")]);
    period.alerts.insert(1, alert(AlertOn::Failure, "B"));
    table(period, &[("xxx", "ABAB-")]);
}

#[test]
fn alertexitrange_is_for_the_whole_period() {
    let exit = Some(ExitRange { first: 2, last: 3 });
    table(with(Throttle { exit, ..Throttle::default() }), &[("12345", "-AA--"), ("1.2.", "--AU")]);
}

#[test]
fn unpaired_recovery_is_told_once_until_the_next_alert() {
    let throttle = Throttle { unpaired: true, after_failures: Some(2), ..Throttle::default() };
    table(with(throttle), &[("x.x.", "-U--"), ("x.xx.x.", "-U-AU--")]);
}

#[test]
fn several_throttles_all_apply() {
    let throttle = Throttle {
        every: Some((seconds(20), Repeat::SameSummary)),
        after_failures: Some(2),
        limit: Some(2),
        ..Throttle::default()
    };
    table(with(throttle), &[("xxxxxxx.", "-A-A---U")]);
}

#[test]
fn periods_throttle_on_their_own_and_count_where_they_count() {
    let once = Period {
        label: "once".to_owned(),
        throttle: Throttle { limit: Some(1), ..Throttle::default() },
        ..period()
    };
    let log = Period {
        label: "LOGFILE".to_owned(),
        alerts: vec![alert(AlertOn::Failure, "L")],
        throttle: Throttle { uncounted: true, ..Throttle::default() },
        ..period()
    };
    let mut world = World::of(WatchSpec { periods: [once, log].into(), ..spec("g/s") });
    world.says("g/s", 1, "x\n");
    world.until(30);
    let calls = ["10 failure A", "10 failure L", "20 failure L", "30 failure L"];
    assert_eq!(world.told(), calls);
    assert_eq!(world.view("g/s").alerts_sent, 1);
    assert!(
        world.lines.contains(&"g/s/once: Suppressing alert since numalerts is met.".to_owned())
    );
}

#[test]
fn time_is_counted_in_whole_seconds() {
    // The second result comes a little earlier within its second than the first.
    let mut world = World::of(WatchSpec {
        monitor: None,
        periods: [every(10, Repeat::All)].into(),
        ..spec("g/s")
    });
    world.now = at(0) + std::time::Duration::from_millis(900);
    world.outcome("g/s", 1, "x\n");
    world.now = at(10) + std::time::Duration::from_millis(100);
    world.outcome("g/s", 1, "x\n");
    assert_eq!(world.told(), ["0 failure A", "10 failure A"]);
}
