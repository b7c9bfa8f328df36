//! The same `mon.cf` and the same results, given to Debian's mon and to directord called as mon:
//! after each step both have made the same calls, or other ones as decided.
//!
//! Each file of `cases` is a case, its script in `#!` comments. Its monitors and alerts are all one
//! program, which notes how it was called: words, environment, input. A monitor then waits for
//! what the script lets it say, and so each result comes to both sides at the same moment, however
//! often either would ask. One step a line:
//!
//! ```text
//! start                   nothing; for what is called at the start
//! monitor G/S EXIT TEXT   the monitor of the service ends so on both sides, and runs again; with
//!                         `(held)` behind it, it does not run again; with `(we hold)` only theirs
//!                         does. EXIT `killed` is a signal
//! theirs G/S EXIT TEXT    the same, for theirs alone
//! asks G/S                both run the monitor
//! client REQUEST          a line to the port; the replies are compared, line by line
//! trap NAME=VALUE...      a datagram
//! notes N                 so many calls come by themselves
//! pass N                  seconds
//! ```
//!
//! After each step the calls since the one before are compared, in any order, for mon has none;
//! where it is uncertain whether a call comes before the next step `(unseen)` puts that off.
//! What only one of them does, as decided, stands below the step behind `we note`, `they note` for
//! a call, `we say`, `they say` for a line of a reply. `differs: WORDS` names the row of
//! docs/from-mon.md that says so. `filter COMMAND` is the word of `-M`.
//!
//! Nearly all the time is spent on mon's clock, which ticks once a second; so many cases are
//! played at once, and each test waits for its own.

mod note;
mod script;
mod side;
mod stage;

use std::any::Any;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, OnceLock};
use std::thread;

use stage::Stage;

/// Cases that are played at once. They mostly wait.
const AT_ONCE: usize = 20;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mon_behaviour/cases")
}

fn text(name: &str) -> String {
    std::fs::read_to_string(folder().join(name).with_extension("cf")).unwrap()
}

/// Whether mon is there.
///
/// A missing one is said, and is a failed test where everything is to be tested: `make test`
/// sets `DIRECTORD_COMPLETE`.
fn installed() -> bool {
    let is_there = Path::new(side::MON).exists();
    if !is_there {
        let why = format!("{}: install the package mon", side::MON);
        assert!(std::env::var_os("DIRECTORD_COMPLETE").is_none(), "{why}");
        // Not by eprintln!, which the test harness keeps to itself for tests that pass.
        std::io::stderr().write_all(format!("tests left out: {why}\n").as_bytes()).ok();
    }
    is_there
}

/// How the cases that were played ended.
#[derive(Default)]
struct Played {
    ended: Mutex<BTreeMap<&'static str, Result<(), String>>>,
    one_more: Condvar,
}

fn test(name: &'static str) {
    if !installed() {
        return;
    }
    let outcome = match is_asked_for_all() {
        true => outcome(all(), name),
        false => play(name),
    };
    if let Err(differences) = outcome {
        panic!("{name}.cf: {differences}");
    }
}

/// Whoever asks for some tests by their names gets no others.
fn is_asked_for_all() -> bool {
    std::env::args().skip(1).all(|word| word.starts_with('-'))
}

/// All cases; the first who asks starts them.
fn all() -> &'static Played {
    static ALL: OnceLock<&Played> = OnceLock::new();
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    ALL.get_or_init(|| {
        let played: &Played = Box::leak(Box::default());
        for _ in 0..AT_ONCE {
            thread::spawn(move || {
                while let Some(name) = NAMES.get(NEXT.fetch_add(1, Ordering::Relaxed)).copied() {
                    let outcome = std::panic::catch_unwind(|| play(name));
                    let outcome = outcome.unwrap_or_else(|panic| Err(words(&*panic)));
                    played.ended.lock().unwrap().insert(name, outcome);
                    played.one_more.notify_all();
                }
            });
        }
        played
    })
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("panicked").to_owned()
}

fn outcome(played: &Played, name: &str) -> Result<(), String> {
    let mut ended = played.ended.lock().unwrap();
    loop {
        if let Some(outcome) = ended.get(name) {
            return outcome.clone();
        }
        ended = played.one_more.wait(ended).unwrap();
    }
}

fn play(name: &str) -> Result<(), String> {
    let text = text(name);
    Stage::play(&text, &script::parse(&text))
}

#[test]
fn every_decided_difference_is_in_the_documentation() {
    let page = include_str!("../../docs/from-mon.md");
    let (_, table) = page.split_once("## What is different, and why").expect("a chapter");
    for name in NAMES {
        let script = script::parse(&text(name));
        let lists = |step: &script::Step| [step.noted.concat(), step.heard.concat()].concat();
        let differs = script.steps.iter().any(|step| !lists(step).is_empty());
        assert_eq!(differs, !script.differs.is_empty(), "{name}: a difference, and a row of it");
        for words in &script.differs {
            let mut rows = table.lines().filter(|line| line.starts_with("| "));
            assert!(rows.any(|row| row.contains(words)), "{name}: no row says {words:?}");
        }
    }
}

/// A test for each file, and a test that none was forgotten.
macro_rules! cases {
    ($($test:ident: $name:literal,)*) => {
        const NAMES: &[&str] = &[$($name),*];

        $(#[test] fn $test() { test($name); })*

        #[test]
        fn every_file_is_played() {
            let names = std::fs::read_dir(folder()).unwrap().map(|entry| {
                entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned()
            });
            let mut names: Vec<String> = names.collect();
            names.sort();
            let mut played = NAMES.to_vec();
            played.sort();
            assert_eq!(names, played);
        }
    };
}

// Long ones first.
cases! {
    every_mode_of_alertevery_finds_the_same_failures_alike: "alertevery",
    a_failure_is_told_again_when_the_time_is_over: "alertevery-over",
    failures_are_told_once_they_have_lasted: "alertafter-time",
    a_failure_that_goes_on_is_told_on: "alertafter-silent",
    ends_are_told_to_those_who_heard_of_nothing_where_wished: "no_comp_alerts",
    failures_in_a_row_are_counted: "alertafter-count",
    a_disabled_host_is_named_to_nobody: "disable-host",
    parents_keep_back_the_alerts_of_children: "depend-alerts",
    parents_keep_back_the_monitors_of_children: "depend-monitors",
    parents_keep_back_single_hosts: "depend-hosts",
    parents_of_parents_count: "depend-chain",
    alertdepend_alone_is_looked_at: "alertdepend",
    an_acknowledgement_lasts_as_long_as_its_failure: "ackalert",
    an_acknowledgement_of_what_was_not_told_is_not_told: "ackalert-unpaired",
    another_summary_takes_an_acknowledgement_back: "unack_summary",
    results_are_handed_on_whatever_is_decided: "redistribute",
    a_watch_of_one_service_tells_of_failures_and_their_ends: "alerts",
    a_first_failure_is_told: "first-failure",
    a_first_success_is_not: "first-success",
    a_start_is_told: "startupalert",
    a_start_does_not_count: "startupalert-counts",
    so_many_failures_within_so_long_are_told: "alertafter-both",
    so_many_alerts_are_sent_and_no_more: "numalerts",
    who_hears_of_no_failure_hears_of_no_end: "upalert-alone",
    alerts_are_chosen_by_exit_status: "exit",
    periods_are_chosen_by_exit_status: "alertexitrange",
    periods_are_chosen_by_the_time: "periods",
    those_who_are_left_out_are_not_asked: "hosts",
    a_disabled_service_is_silent: "disable-service",
    a_disabled_watch_is_silent: "disable-watch",
    disabling_is_told: "disablealert",
    alerts_are_tried_out: "test-alerts",
    monitors_are_tried_out: "test-monitor",
    the_interval_changes_while_a_failure_lasts: "failure_interval",
    a_service_is_left_alone_at_its_times: "exclude_period",
    the_environment_is_the_same: "environment",
    words_are_parted_alike: "words",
    the_end_of_a_short_failure_waits: "upalertafter",
    a_killed_monitor_has_failed: "killed",
    a_failure_without_words_has_a_name: "no-summary",
    a_stopped_scheduler_asks_nobody: "stopped",
    throttles_are_cleared_by_a_word: "clear-timers",
    alerts_are_counted_alike: "counted",
    traps_are_told: "traps",
    missing_traps_are_told: "traptimeout",
    what_a_trap_said_ends: "trapduration",
    traps_for_nobody_go_to_the_default: "trap-default",
    a_service_is_asked_and_tells_as_well: "trap-and-monitor",
    a_file_is_put_through_a_program: "filter",
    services_do_not_disturb_each_other: "services",
    the_file_is_read_again: "reset",
    a_reset_is_told_where_wished: "reset-startup",
    downtime_is_written_down: "dtlog",
    nobody_is_asked_while_all_is_left_alone: "excluded",
}
