//! The same file and the same events, given to Debian's ldirectord and to directord called as
//! ldirectord: after each event both kernels' tables are equal, or differ as decided.
//!
//! A file of `tests/behaviour` is a case of its own. The files of a folder in it are one case
//! together: `head.cf` has the globals and the script, every other file adds services of one shape
//! (a start of ldirectord takes the guest a second, so shapes share it). The script stands in
//! `#!` comments, one event a line:
//!
//! ```text
//! start  stop             the commands, with FILE before them; they must answer 0
//! status  dead            `status`, which must find it running; or not
//! asks ACTION N           another action and its exit status; `asks stop 0 theirs 2` where
//!                         they differ
//! supervise               `start`, which does not come back: it must stay in the foreground, and
//!                         say last at the `end` that it ends
//! end  crash              SIGTERM, SIGKILL to both
//! kill N  revive N        the servers' processes: refused connections
//! sick N  well N          503 to whatever is asked, and back
//! speak MANNER...         what each server says beside http: `good`, `wrong` or `hangs`
//! cut N  mend N           the cable: packets are swallowed
//! edit A => B             edits the file
//! replace A => B          and says `reload`; `rewrite` sends SIGHUP instead
//! write NAME := TEXT      a program in the file's folder, which the file names `@/NAME`, or
//!                         another file
//! touch NAME  remove NAME a file there
//! ipvsadm WORDS           by hand, on both
//! mail SUBJECT            both have sent one, which may take its time
//! ```
//!
//! Each event must change the table, unless its line ends in `(same)`; after `status`, `dead`,
//! `asks` and events that only write files nobody looks, unless it ends in `(changes)`. Where the tables differ as
//! decided the line ends in `(differs)`, and the lines below name every row of `ipvsadm -Sn` that
//! only one of the two has; `differs: ROW` names the row of docs/from-ldirectord.md.
//!
//! Where a file has `emailalert` the mails of both are compared after each step. Those that one of
//! them sends alone, as decided, stand below the step by their subject, behind `we say` or `they
//! say`.
//!
//! What the programs and monitor files of a case write to `/run/told`, which each host has for
//! itself, stands below each step line by line, in any order: behind `both write`, or `we write`
//! and `they write` where it differs as decided. A line of a monitor file counts without its time
//! and process, and when its check finds something else than before.
//!
//! ldirectord needs nearly all the time of a run. What it showed in a case that was found good is
//! recorded, and the next run plays ours against the record: see `record`.

#[path = "../lab/mod.rs"]
mod lab;

mod mailbox;
mod record;
mod script;
mod speaker;
mod stage;
mod told;

use std::path::{Path, PathBuf};

use record::Record;
use stage::Stage;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/behaviour")
}

/// The text of a case: a file, or the files of a folder, the head first.
fn text(name: &str) -> Vec<u8> {
    let path = folder().join(name);
    if !path.is_dir() {
        return std::fs::read(path.with_extension("cf")).unwrap();
    }
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort_by_key(|path| (path.file_stem().is_none_or(|stem| stem != "head"), path.clone()));
    let texts = files.iter().map(|path| std::fs::read(path).unwrap());
    texts.collect::<Vec<_>>().join(&b'\n')
}

fn play(name: &str) {
    if !lab::inside() {
        return;
    }
    let text = text(name);
    let script = script::parse(&String::from_utf8_lossy(&text));
    let mut stage = Stage::new(Record::of(name, &text, script.steps.len()));
    stage.take_up(name, &text);
    for step in &script.steps {
        stage.play(name, step);
    }
    stage.end();
}

#[test]
fn changing_over_and_back_touches_no_row() {
    if !lab::inside() {
        return;
    }
    let mut stage = Stage::new(Record::none("over"));
    stage.take_up("over", &text("http"));
    stage.change_over_and_back();
}

/// A test for each file or folder, and a test that none was forgotten.
macro_rules! cases {
    ($($test:ident: $name:literal,)*) => {
        $(#[test] fn $test() { play($name); })*

        #[test]
        fn every_file_is_played() {
            let names = std::fs::read_dir(folder()).unwrap().map(|entry| {
                entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned()
            });
            let mut names: Vec<String> = names.collect();
            names.sort();
            let mut played = vec![$($name),*];
            played.sort();
            assert_eq!(names, played);
        }
    };
}

cases! {
    an_edit_is_noticed_where_it_is_wished: "autoreload",
    edits_are_taken_at_a_signal: "signals",
    exit_statuses_are_alike_in_every_state: "states",
    a_broken_file_stands_in_the_way_of_theirs_alone: "broken",
    exit_statuses_are_alike_without_a_file: "missing",
    foreign_services_are_left_alone: "foreign",
    a_file_takes_a_server_out_and_gives_it_back: "maintenance",
    weights_and_removals_by_hand_are_let_be: "by-hand",
    a_flushed_table_is_put_right: "flushed",
    a_scheduler_nobody_knows_makes_no_service: "scheduler-unknown",
    a_pair_that_begins_with_a_slash_counts: "slash",
    what_is_dead_is_not_up: "dead",
    a_ping_over_ipv6_is_answered_to_us_alone: "ping6",
    a_fallback_that_is_a_server_stays_while_it_lives: "fallback-is-real",
    a_global_fallback_serves_marks: "marks-spared",
    what_was_read_in_silence_is_refused: "misread",
    what_trips_theirs_is_read: "tripped",
    quiescing_keeps_thresholds: "thresholds-kept",
    tables_are_alike_in_every_shape: "tables",
    files_are_read_alike_however_they_are_written: "grammar",
    checks_find_alike_whatever_they_ask: "checks",
    programs_are_told_alike_and_decide: "programs",
    dead_servers_keep_their_places_where_they_should: "kept",
    fallbacks_serve_where_nobody_does: "spared",
    http_servers_die_fall_sick_and_return: "http",
    quiesced_servers_stay_with_weight_0: "quiescent",
    the_fallback_comes_and_goes: "fallback",
    failures_are_counted: "failurecount",
    silent_machines_fail_their_ping_and_udp_is_pinged: "ping",
    marks_and_persistence_are_kept: "persistent",
    ipv6_services_move_alike: "ipv6",
    services_share_a_server: "shared",
    ports_ranges_and_names_are_resolved: "names",
    commands_and_switches_decide: "external",
    a_table_may_be_kept_at_the_stop: "cleanstop",
    a_reload_changes_what_changed: "reload",
    what_is_not_checked_any_more_stays: "off",
    a_fallback_command_is_told_who_is_carried: "fallbackcommand",
    monitor_files_and_callbacks_are_told_alike: "monitor",
    further_files_live_as_long_as_this_one: "execute",
    one_in_the_foreground_runs_further_files_too: "supervised",
    databases_are_asked_for_a_row: "databases",
    services_are_found_alike_another_way: "variants",
    services_are_found_well_wrong_and_silent_alike: "services",
    mails_are_alike_from_start_to_stop: "mails",
    files_that_people_published_make_one_table: "wild",
}
