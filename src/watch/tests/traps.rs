//! Results that somebody sends.

use super::world::*;
use crate::model::*;

fn trapped(name: &str) -> WatchSpec {
    WatchSpec { monitor: None, interval: None, ..spec(name) }
}

#[test]
fn trap_is_a_result_and_zero_is_success() {
    let table =
        [("0", None), ("", None), ("1", Some("1")), ("up", Some("up")), ("0.0", Some("0.0"))];
    for (status, retval) in table {
        let mut world = World::of(trapped("g/s"));
        world.trap("g/s", status, "x").unwrap();
        let job = world.alerts.first().map(|(_, job)| job);
        let said = job.and_then(|job| variable(&job.environment, "MON_RETVAL"));
        assert_eq!(said, retval, "{status:?}");
        assert_eq!(world.view("g/s").last_trap, Some(at(0)));
    }
}

#[test]
fn good_trap_after_a_failing_one_is_a_recovery() {
    let mut world = World::of(trapped("g/s"));
    world.trap("g/s", "2", "disk full").unwrap();
    world.until(5);
    world.trap("g/s", "0", "").unwrap();
    assert_eq!(world.told(), ["0 trap A", "5 up U"]);
}

#[test]
fn no_trap_for_too_long_is_a_failure_again_and_again() {
    let mut world = World::of(WatchSpec { trap_timeout: Some(seconds(30)), ..trapped("g/s") });
    world.until(20);
    world.trap("g/s", "0", "").unwrap();
    world.until(110);
    assert_eq!(world.told(), ["50 traptimeout A", "80 traptimeout A", "110 traptimeout A"]);
    world.trap("g/s", "0", "").unwrap();
    assert_eq!(world.told(), ["110 up U"]);
}

#[test]
fn word_of_a_trap_ends_silently() {
    let mut world = World::of(WatchSpec { trap_duration: Some(seconds(30)), ..trapped("g/s") });
    world.trap("g/s", "1", "x").unwrap();
    world.until(29);
    assert_eq!(world.view("g/s").opstatus, OpStatus::Fail);
    world.until(30);
    let view = world.view("g/s");
    assert_eq!((view.opstatus, view.failures_in_a_row), (OpStatus::Ok, 1));
    world.trap("g/s", "0", "").unwrap();
    assert_eq!(world.told(), ["0 trap A"]);
}

#[test]
fn targets_are_found_or_refused_as_by_mon() {
    let specs = || vec![trapped("g/s"), trapped("default/default"), trapped("default/mail")];
    let taken = [
        ("g/s", "g/s", None),
        ("x/mail", "default/mail", Some("x:mail")),
        ("x/y", "default/default", Some("x:y")),
        ("default/y", "default/default", None),
    ];
    for (sent, got, intended) in taken {
        let mut world = World::new(watching(specs()));
        world.trap(sent, "1", "x").unwrap();
        assert_eq!(world.alerts[0].1.lane, key(got), "{sent}");
        let said = variable(&world.alerts[0].1.environment, "MON_TRAP_INTENDED");
        assert_eq!(said, intended, "{sent}");
    }
    let mut world = World::new(watching(specs()));
    let refusal = world.trap("g/y", "1", "x").unwrap_err();
    assert_eq!(refusal, "trap received for undefined service type g/y");
    let mut world = World::of(trapped("g/s"));
    let refusal = world.trap("x/s", "1", "x").unwrap_err();
    assert_eq!(refusal, "trap received for undefined group x");
    assert_eq!(world.watcher.views(at(0)).count(), 1);
}

#[test]
fn recovery_by_a_stray_trap_says_whom_it_was_for() {
    let mut world = World::of(trapped("default/default"));
    world.trap("x/y", "1", "x").unwrap();
    world.trap("x/y", "0", "").unwrap();
    world.trap("default/default", "1", "x").unwrap();
    let intended = |(_, job): &(Time, crate::watch::AlertJob)| {
        variable(&job.environment, "MON_TRAP_INTENDED").map(str::to_owned)
    };
    let said: Vec<_> = world.alerts.iter().map(intended).collect();
    assert_eq!(said, [Some("x:y".to_owned()), Some("x:y".to_owned()), None]);
}

#[test]
fn zeros_in_a_trap_reach_no_environment() {
    let mut world = World::of(trapped("g/s"));
    world.trap("g/s", "1", "a\0b").unwrap();
    assert_eq!(variable(&world.alerts[0].1.environment, "MON_LAST_SUMMARY"), Some("ab"));
}

#[test]
fn word_of_a_trap_is_shown_as_it_came_and_in_a_range_only_as_a_number() {
    let everything = Some(ExitRange { first: 0, last: 255 });
    let ranged =
        |exit| Period { alerts: vec![Alert { exit, ..alert(AlertOn::Failure, "A") }], ..period() };
    // mon takes a word without digits for 0.
    for (status, is_in) in [
        ("255", true),
        ("down", true),
        ("3rd", true),
        ("256", false),
        ("99999999999", false),
        ("-1", false),
    ] {
        let mut in_line =
            World::of(WatchSpec { periods: [ranged(everything)].into(), ..trapped("g/s") });
        let throttle = Throttle { exit: everything, ..Throttle::default() };
        let period = Period { throttle, ..ranged(None) };
        let mut in_period = World::of(WatchSpec { periods: [period].into(), ..trapped("g/s") });
        for world in [&mut in_line, &mut in_period] {
            world.trap("g/s", status, "x").unwrap();
            assert_eq!(world.told().len(), usize::from(is_in), "{status}");
            assert_eq!(world.view("g/s").retval.as_deref(), Some(status));
        }
    }
}
