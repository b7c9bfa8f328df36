//! Lines of a service before its first period.

use std::time::Duration;

use super::draft::{PeriodDraft, ServiceDraft};
use super::findings::{Findings, about};
use super::globals::{self, TIME_HINT};
use super::lines::{Piece, is_of_word};
use super::period;
use crate::config::watch::interval;
use crate::model::{Calendar, WatchKey, WatchSpec};

/// Every directive of a service.
pub(super) const DIRECTIVES: [&str; 20] = [
    "alertdepend",
    "allow_empty_group",
    "dep_behavior",
    "dep_memory",
    "depend",
    "description",
    "exclude_hosts",
    "exclude_period",
    "failure_interval",
    "hostdepend",
    "interval",
    "monitor",
    "monitordepend",
    "period",
    "randskew",
    "redistribute",
    "service",
    "trapduration",
    "traptimeout",
    "unack_summary",
];

/// Reads a line of a service: `line` is cut into `name` and `value`.
pub(super) fn directive(
    name: &Piece,
    value: &Piece,
    draft: &mut ServiceDraft,
    findings: &mut Findings,
) {
    match name.text() {
        "interval" => {
            let syntax = "invalid time interval '{}' (syntax: interval = {positive number}{smhd})";
            draft.interval = polled(value, syntax, findings);
        }
        "failure_interval" => {
            let syntax =
                "invalid interval '{}' (syntax: failure_interval = {positive number}{smhd})";
            draft.failure_interval = polled(value, syntax, findings);
        }
        "traptimeout" => {
            let syntax =
                "invalid traptimeout interval '{}' (syntax: traptimeout = {positive number}{smhd})";
            draft.trap_timeout = time(value, syntax, findings);
        }
        "trapduration" => {
            let syntax = "invalid trapduration interval '{}' (syntax: trapduration = \
                          {positive number}{smhd})";
            draft.trap_duration = time(value, syntax, findings);
        }
        "randskew" => {
            let syntax =
                "invalid randskew time interval '{}' (syntax: randskew = {positive number}{smhd})";
            draft.skew = time(value, syntax, findings);
        }
        "dep_memory" => {
            // The one directive whose value mon repeats as it was given.
            let syntax = format!(
                "bad value '{}' for dep_memory option (syntax: dep_memory = timeval)",
                value.text()
            );
            draft.memory = time(value, &syntax, findings).unwrap_or_default();
        }
        "monitor" => draft.monitor = Some(value.clone()),
        "redistribute" => draft.redistribute = Some(value.clone()),
        "allow_empty_group" => {
            draft.allow_empty_group = true;
            if matches!(value.text(), "no" | "0" | "false" | "off" | "n") {
                findings.warning(value, "whatever stands here, allow_empty_group is on");
            }
        }
        "description" => draft.description = Some(value.text().to_owned()),
        "exclude_hosts" => draft.exclude_hosts = value.words(),
        "exclude_period" => draft.exclude = globals::exclusion(value, findings),
        "depend" => draft.depend = expression(value),
        "alertdepend" => draft.alert_depend = expression(value),
        "monitordepend" => draft.monitor_depend = expression(value),
        "hostdepend" => draft.host_depend = expression(value),
        "dep_behavior" => {
            let known = globals::behaviour(value, " (syntax: dep_behavior = {m|a})", findings);
            draft.behaviour = known.unwrap_or(draft.behaviour);
        }
        "unack_summary" => unack_summary(name, value, draft, findings),
        _ => return unknown(name, draft, findings),
    }
    twice(name, draft, findings);
}

fn expression(value: &Piece) -> Option<Piece> {
    (!value.text().is_empty()).then(|| value.clone())
}

fn unack_summary(name: &Piece, value: &Piece, draft: &mut ServiceDraft, findings: &mut Findings) {
    draft.unack_summary = match value.text() {
        // mon's manual has it so; mon itself refuses it.
        "" => {
            findings.note(name, "taken as yes").hint("mon itself needs a word: unack_summary yes");
            true
        }
        _ => globals::unack_summary(value, findings).unwrap_or_default(),
    };
}

fn unknown(name: &Piece, draft: &ServiceDraft, findings: &mut Findings) {
    let line = name.line();
    let word = if name.text().is_empty() { line } else { name.text() };
    let hint = match period::DIRECTIVES.contains(&word) {
        true => Some("it belongs below a period line".to_owned()),
        false => {
            let known = DIRECTIVES.into_iter().chain(period::DIRECTIVES);
            findings.did_you_mean(word, known)
        }
    };
    let mon = format!("unknown syntax [{line}]");
    let made = findings
        .error(name, mon, about("no directive of a service:", word))
        .related(draft.name.span(), "in this service");
    if let Some(hint) = hint {
        made.hint(hint);
    }
}

/// Notes that a directive was given; a second time the first is lost.
fn twice(name: &Piece, draft: &mut ServiceDraft, findings: &mut Findings) {
    if let Some(first) = draft.seen.insert(name.text().to_owned(), name.clone()) {
        let message = format!("{} is given twice: the last counts", name.text());
        findings.warning(name, message).related(first.span(), "first here");
    }
}

/// A time above nothing; `syntax` is what mon says where it is none, `{}` for the value: empty
/// or `0`.
pub(super) fn time(value: &Piece, syntax: &str, findings: &mut Findings) -> Option<Duration> {
    let found = interval(value.text());
    let (shown, message) = match found {
        Some(Duration::ZERO) => ("0", "a time of 0 is none".to_owned()),
        Some(time) => return Some(time),
        None => ("", about("this is not a time:", value.text())),
    };
    findings.error(value, syntax.replacen("{}", shown, 1), message).hint(TIME_HINT);
    None
}

/// How often something is asked.
fn polled(value: &Piece, syntax: &str, findings: &mut Findings) -> Option<Duration> {
    let found = time(value, syntax, findings)?;
    if found < WatchSpec::SHORTEST_INTERVAL {
        findings.warning(value, "nothing is asked more often than once a second");
    }
    Some(found.max(WatchSpec::SHORTEST_INTERVAL))
}

/// `service NAME` was read; this is a line `NAME=value` of it.
pub(super) fn variable(line: &Piece, draft: &mut ServiceDraft) -> bool {
    let Some((name, value)) = environment(line) else { return false };
    let at = *draft.variables.entry(name.to_owned()).or_insert(draft.environment.len());
    match draft.environment.get_mut(at) {
        Some((_, old)) => *old = value.to_owned(),
        None => draft.environment.push((name.to_owned(), value.to_owned())),
    }
    true
}

/// `NAME=value`, with no blank before the `=`, and the value verbatim.
pub(super) fn environment(line: &Piece) -> Option<(&str, &str)> {
    let (name, value) = line.text().split_once('=')?;
    let first = |c: char| c.is_ascii_uppercase() || c == '_';
    let of_name = |c: char| first(c) || c.is_ascii_digit();
    (name.starts_with(first) && name.chars().all(of_name)).then_some((name, value))
}

/// A `period` line: the period, if nothing is wrong with it that would make it another.
pub(super) fn period_line(
    value: &Piece,
    draft: &mut ServiceDraft,
    findings: &mut Findings,
) -> PeriodDraft {
    let (word, rest) = value.split(is_of_word);
    let labelled =
        rest.text().starts_with(':') && !word.text().starts_with(|c: char| c.is_ascii_digit());
    let (label, spec) = match labelled && !word.text().is_empty() {
        true => (word.text().to_owned(), rest.from(1).trimmed()),
        false => (value.text().to_owned(), value.clone()),
    };
    let at = *draft.labels.entry(label.clone()).or_insert(draft.periods.len());
    if let Some(first) = draft.periods.get(at) {
        let WatchKey { group, service } = &draft.key;
        let mon =
            format!("period '{label}' already defined for watch group {group} service {service}");
        findings
            .error(value, mon, "this service has this period already")
            .hint("give it a label of its own: period LABEL: TIMES")
            .related(first.written.span(), "first here");
    }
    let times = globals::period("period", &spec, findings);
    PeriodDraft::new(value.clone(), label, times.unwrap_or(Calendar::always()))
}
