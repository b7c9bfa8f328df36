//! Globals: `NAME = VALUE`, anywhere outside a watch.

use std::time::Duration;

use super::draft::{Behaviour, Globals};
use super::findings::{Findings, about};
use super::lines::Piece;
use crate::config::watch::{calendar, count, interval};
use crate::model::{Calendar, Collapse};
use crate::pattern::{Pattern, of_address};

/// Every global there is: mon's, and `collapse`, which is ours.
pub(super) const NAMES: [&str; 34] = [
    "alertdir",
    "authfile",
    "authtype",
    "basedir",
    "cfbasedir",
    "clientallow",
    "cltimeout",
    "collapse",
    "dep_behavior",
    "dep_memory",
    "dep_recur_limit",
    "dtlogfile",
    "dtlogging",
    "exclude_period",
    "histlength",
    "historicfile",
    "historictime",
    "logdir",
    "maxprocs",
    "mondir",
    "monerrfile",
    "monremote",
    "pamservice",
    "pidfile",
    "randstart",
    "serverbind",
    "serverport",
    "startupalerts_on_reset",
    "statedir",
    "syslog_facility",
    "trapbind",
    "trapport",
    "unack_summary",
    "userfile",
];

/// Reads one global.
pub(super) fn global(name: &Piece, value: &Piece, globals: &mut Globals, findings: &mut Findings) {
    let Some(known) = NAMES.iter().find(|known| **known == name.text()) else {
        return unknown(name, findings);
    };
    match *known {
        "randstart" => globals.random_start = time(known, "option", value, findings),
        "historictime" => globals.historic_time = time(known, "command", value, findings),
        "cltimeout" => globals.client_timeout = time(known, "command", value, findings),
        "dep_memory" => {
            globals.memory = time(known, "option", value, findings).unwrap_or_default();
        }
        "dep_behavior" => {
            globals.behaviour = behaviour(value, "", findings).unwrap_or_default();
        }
        "unack_summary" => {
            globals.unack_summary = unack_summary(value, findings).unwrap_or_default();
        }
        "exclude_period" => globals.exclude = exclusion(value, findings),
        "collapse" => globals.collapse = collapse(name, value, findings),
        "authtype" => auth_types(value, findings),
        "clientallow" => client_allow(value, findings),
        "serverport" | "trapport" => port(value, findings),
        "maxprocs" | "histlength" | "dep_recur_limit" => number(value, findings),
        "dtlogging" => yes_or_no(value, findings),
        "pamservice" | "monremote" | "monerrfile" => {
            findings.note(name, "this has no effect here").hint(match *known {
                "pamservice" => "passwords are looked at by authtype = userfile",
                "monremote" => "a client at the port sees every disable and enable",
                _ => "what monitors and alerts say is in the log",
            });
        }
        _ => {}
    }
    if let Some(first) = globals.texts.insert(known, value.clone())
        && !matches!(*known, "dep_behavior" | "dep_memory" | "unack_summary")
    {
        let message = format!("{known} is given more than once: the last counts");
        findings.warning(name, message).related(first.span(), "given here as well");
    }
}

fn unknown(name: &Piece, findings: &mut Findings) {
    const OLD: [&str; 3] = ["snmpport", "serversnmp", "snmp"];
    let hint = match OLD.contains(&name.text()) {
        true => Some("mon has not had it for long: take the line out".to_owned()),
        false => findings.did_you_mean(name.text(), NAMES.into_iter()),
    };
    let mon = format!("unknown variable '{}'", name.text());
    let made = findings.error(name, mon, about("there is no global called", name.text()));
    if let Some(hint) = hint {
        made.hint(hint);
    }
}

fn time(name: &str, kind: &str, value: &Piece, findings: &mut Findings) -> Option<Duration> {
    let found = interval(value.text());
    if found.is_none() {
        let syntax = if name == "cltimeout" { "secs" } else { "timeval" };
        let text = value.text();
        let mon = format!("bad value '{text}' for {name} {kind} (syntax: {name} = {syntax})");
        findings.error(value, mon, about("this is not a time:", text)).hint(TIME_HINT);
    }
    found
}

pub(super) const TIME_HINT: &str = "write a number and s, m, h or d: 30s";

/// `a`, `m` or `hm`; `syntax` is what mon adds to its complaint.
pub(super) fn behaviour(value: &Piece, syntax: &str, findings: &mut Findings) -> Option<Behaviour> {
    match value.text() {
        "a" => Some(Behaviour::Alerts),
        "m" => Some(Behaviour::Monitors),
        "hm" => Some(Behaviour::Hosts),
        other => {
            let mon = format!("unknown dependency behavior '{other}'{syntax}");
            findings
                .error(value, mon, about("unknown dependency behaviour", other))
                .hint("a suppresses alerts, m monitors, hm hosts");
            None
        }
    }
}

/// Whatever has a y in it is yes, whatever else has an n is no.
pub(super) fn unack_summary(value: &Piece, findings: &mut Findings) -> Option<bool> {
    let text = value.text();
    let has = |letter: char| text.chars().any(|c| c.eq_ignore_ascii_case(&letter));
    match text {
        _ if has('y') => Some(true),
        _ if has('n') => Some(false),
        "0" | "1" => Some(text == "1"),
        _ => {
            // The one message of mon's without a line.
            let line = format!(
                "cf error: invalid unack_summary value '{text}' (syntax: unack_summary \
                 [0|1|y|yes|n|no])"
            );
            findings.error_with_line(value, line, "must be yes or no");
            None
        }
    }
}

/// A period, refused where any part of it is none.
pub(super) fn period(what: &str, value: &Piece, findings: &mut Findings) -> Option<Calendar> {
    match calendar(value.text()) {
        Ok(calendar) => Some(calendar),
        Err(flaw) => {
            let mon = format!(
                "malformed {what} '{}' (the specified time period is not valid as per \
                 Time::Period::inPeriod)",
                value.text()
            );
            findings.error(&value.part(flaw.at), mon, flaw.what);
            None
        }
    }
}

/// The times of an `exclude_period`.
pub(super) fn exclusion(value: &Piece, findings: &mut Findings) -> Option<Calendar> {
    period("exclude_period", value, findings).and_then(Calendar::excluding)
}

/// `N TIME`, as after `alertafter`: more than so many calls of one kind within the time are one.
fn collapse(name: &Piece, value: &Piece, findings: &mut Findings) -> Option<Collapse> {
    let found = match &value.words()[..] {
        [number, time] => {
            count(number.text()).zip(interval(time.text()).filter(|time| !time.is_zero()))
        }
        _ => None,
    };
    match found {
        Some(_) => {
            let note = findings.note(name, "mon has no such variable and refuses the file");
            note.hint("take it out before you go back");
        }
        None => {
            let mon = format!("bad value '{}' for collapse", value.text());
            let message = about("this is not a number of calls and a time:", value.text());
            findings.error(value, mon, message).hint("write 5 30s");
        }
    }
    found.map(|(more_than, within)| Collapse { within, more_than })
}

fn auth_types(value: &Piece, findings: &mut Findings) {
    for word in value.words() {
        match word.text() {
            "userfile" | "trustlocal" => {}
            known @ ("getpwnam" | "shadow" | "pam") => {
                findings
                    .warning(&word, format!("{known} is left out: nobody logs in by it"))
                    .hint("write authtype = userfile and a userfile of USER:HASH lines");
            }
            other => {
                findings.warning(&word, about("no such way to log in:", other));
            }
        }
    }
}

fn client_allow(value: &Piece, findings: &mut Findings) {
    for word in value.words() {
        if let Err(reason) = Pattern::compile(&of_address(word.text())) {
            findings
                .warning(&word, format!("this pattern is left out: {reason}"))
                .hint("write an address, or a pattern for one");
        }
    }
}

/// The clients' patterns that can be used, as written.
pub(super) fn client_patterns(value: &Piece) -> Vec<String> {
    let words = value.words().into_iter().map(|word| word.text().to_owned());
    words.filter(|word| Pattern::compile(&of_address(word)).is_ok()).collect()
}

fn port(value: &Piece, findings: &mut Findings) {
    if !matches!(value.text().parse::<u16>(), Ok(1..)) {
        let mon = format!("bad value '{}' for a port", value.text());
        findings.error(value, mon, "a port is a number from 1 to 65535");
    }
}

fn number(value: &Piece, findings: &mut Findings) {
    if value.text().parse::<u32>().is_err() {
        findings.warning(value, "this is not a number: the default counts");
    }
}

fn yes_or_no(value: &Piece, findings: &mut Findings) {
    let known = ["yes", "true", "1", "no", "false", "0", "off", ""];
    if !known.contains(&value.text()) {
        findings.warning(value, "anything but yes, true and 1 is no");
    }
}
