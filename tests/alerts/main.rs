//! The programs in `alerts/`, and Debian's own, called by the alert hand exactly as mon calls
//! them: its words, its environment, its standard input.

#![forbid(unsafe_code)]

mod debian;
mod hand;
mod ours;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use directord::alert::{Call, Courier, Delivery, Environment};
use directord::event::Event;

/// More than anything here takes, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// When what is told of happened: a Monday.
const TIME: &str = "1796007600";

fn courier() -> (Courier, Receiver<Event>) {
    let (events, told) = channel();
    let report = move |event| drop(events.send(event));
    (Courier::new(Arc::new(report), "/nowhere".into(), "lvs1"), told)
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// What mon says of a failure of web/http: its words, the flag for what happened, the owner's.
fn argv(program: &Path, flag: &[&str], words: &[&str]) -> Vec<String> {
    let path = program.to_str().unwrap();
    let mons = [path, "-s", "http", "-g", "web", "-h", "web1 web2", "-t", TIME];
    strings(&[&mons[..], flag, words].concat())
}

/// The variables mon sets, and some of ours.
fn variables(kind: &str, more: &[(&str, &str)]) -> Vec<(String, String)> {
    let mons = [
        ("MON_GROUP", "web"),
        ("MON_SERVICE", "http"),
        ("MON_DESCRIPTION", "front page of the shop"),
        ("MON_ALERTTYPE", kind),
        ("MON_OPSTATUS", if kind == "up" { "1" } else { "0" }),
        ("MON_RETVAL", if kind == "up" { "0" } else { "3" }),
        ("MON_LAST_SUMMARY", "web1"),
        ("DIRECTORD", env!("CARGO_BIN_EXE_directord")),
        ("TZ", "UTC"),
    ];
    let all = mons.iter().chain(more);
    all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

const INPUT: &[u8] = b"web1\nweb1 refused\nweb2 ok\n";

fn call(argv: Vec<String>, variables: Vec<(String, String)>) -> Call {
    Call {
        lane: "web/http".into(),
        argv,
        environment: Environment::Added(variables),
        input: INPUT.to_vec(),
        limit: PATIENCE,
        user: None,
    }
}

/// Delivers these, waits for them, and says what failed.
async fn deliver(calls: Vec<Call>) -> Vec<String> {
    let (mut courier, told) = courier();
    for call in calls {
        courier.deliver(Delivery::Call(call));
    }
    courier.farewell(PATIENCE).await;
    told.try_iter().map(|event| event.to_string()).collect()
}

/// One of the programs in `alerts/`.
fn ours(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("alerts").join(name)
}

fn script(path: &Path, text: &str) {
    fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
