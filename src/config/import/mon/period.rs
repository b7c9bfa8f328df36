//! Lines of a period.

use std::time::Duration;

use super::draft::{AlertDraft, PeriodDraft};
use super::findings::{Findings, about};
use super::globals::TIME_HINT;
use super::lines::{Piece, is_blank};
use super::service::{self, time};
use crate::config::watch::{NEVER, REPEATS, count, exit_range, interval, repeat};
use crate::model::{AlertOn, ExitRange};

/// Every directive of a period.
pub(super) const DIRECTIVES: [&str; 12] = [
    "ackalert",
    "alert",
    "alertafter",
    "alertevery",
    "alertexitrange",
    "alerts_dont_count",
    "disablealert",
    "no_comp_alerts",
    "numalerts",
    "startupalert",
    "upalert",
    "upalertafter",
];

/// Reads a line of a period; `polling` is the service's interval.
pub(super) fn directive(
    name: &Piece,
    value: &Piece,
    polling: Option<Duration>,
    draft: &mut PeriodDraft,
    findings: &mut Findings,
) {
    let on = match name.text() {
        "alert" => Some(AlertOn::Failure),
        "upalert" => Some(AlertOn::Recovery),
        "startupalert" => Some(AlertOn::Startup),
        "ackalert" => Some(AlertOn::Acknowledgement),
        "disablealert" => Some(AlertOn::Disabling),
        _ => None,
    };
    if let Some(on) = on {
        return draft.alerts.extend(alert(name, value, on, findings));
    }
    match name.text() {
        "alertevery" => every(value, draft, findings),
        "alertafter" => after(value, polling, draft, findings),
        "upalertafter" => {
            let syntax = "invalid upalertafter specification '{}' (syntax: upalertafter = \
                          {positive number}{smhd})";
            draft.throttle.recovery_after = time(value, syntax, findings);
        }
        "numalerts" => limit(value, draft, findings),
        "alertexitrange" => match exit_range(value.text()) {
            Some(range) => {
                draft.throttle.exit = Some(range);
                never(value, range, findings);
            }
            None => {
                let mon = format!("invalid exit code range '{}'", value.text());
                findings.error(value, mon, "must be an exit status, or two with a dash between");
            }
        },
        "no_comp_alerts" => draft.throttle.unpaired = true,
        "alerts_dont_count" => draft.throttle.uncounted = true,
        _ => return unknown(name, draft, findings),
    }
    // The forms of alertafter stand beside one another.
    if let Some(first) = draft.seen.insert(name.text().to_owned(), name.clone())
        && name.text() != "alertafter"
    {
        let message = format!("{} is given twice: the last counts", name.text());
        findings.warning(name, message).related(first.span(), "first here");
    }
}

fn unknown(name: &Piece, draft: &PeriodDraft, findings: &mut Findings) {
    let line = name.line();
    let word = if name.text().is_empty() { line } else { name.text() };
    let hint = match service::DIRECTIVES.contains(&word) {
        true => Some("it belongs above the first period of its service".to_owned()),
        false => {
            let known = DIRECTIVES.into_iter().chain(service::DIRECTIVES);
            findings.did_you_mean(word, known)
        }
    };
    let mon = format!("unknown syntax [{line}]");
    let made = findings
        .error(name, mon, about("no directive of a period:", word))
        .related(draft.written.span(), "in this period");
    if let Some(hint) = hint {
        made.hint(hint);
    }
}

/// `[exit=RANGE] NAME WORDS`.
fn alert(
    keyword: &Piece,
    value: &Piece,
    on: AlertOn,
    findings: &mut Findings,
) -> Option<AlertDraft> {
    let (exit, call) = match exit_of(value, findings) {
        Ok(found) => found,
        Err(()) => return None,
    };
    let (name, rest) = call.first_word();
    if name.text().is_empty() {
        findings.warning(keyword, "this names no alert: nobody is told");
        return None;
    }
    Some(AlertDraft { on, exit, name, rest })
}

/// The `exit=` before an alert's name, and what follows it; an error where nobody would be told.
fn exit_of(value: &Piece, findings: &mut Findings) -> Result<(Option<ExitRange>, Piece), ()> {
    let text = value.text();
    let is_exit = text.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("exit"));
    let after = text.get(4..).unwrap_or_default().trim_start_matches(is_blank);
    if !is_exit || !after.starts_with('=') {
        return Ok((None, value.clone()));
    }
    let given = value.from(text.len() - after.len() + 1);
    let (range, call) = given.trimmed().first_word();
    if given.text().starts_with(is_blank) || text.as_bytes().get(4) != Some(&b'=') {
        findings
            .warning(&range, "mon calls no alert with blanks around the = of exit")
            .hint(format!("write exit={}", range.text()));
    }
    match exit_range(range.text()) {
        Some(found) => {
            never(&range, found, findings);
            Ok((Some(found), call))
        }
        None => {
            findings
                .warning(&range, about("this alert is left out: no exit status is", range.text()))
                .hint("write exit=1 or exit=1-3");
            Err(())
        }
    }
}

fn never(at: &Piece, range: ExitRange, findings: &mut Findings) {
    if range == NEVER {
        findings.warning(at, "no exit status is in this range").hint("they go from 0 to 255");
    }
}

/// `T [summary | observe_detail | ignore_summary | strict]`.
fn every(value: &Piece, draft: &mut PeriodDraft, findings: &mut Findings) {
    const SYNTAX: &str = "invalid time interval '{}' (syntax: alertevery {positive number}{smhd} [ \
                          strict | observe_detail | ignore_summary ])";
    let (given, mode) = value.first_word();
    let written = mode.text().to_ascii_lowercase();
    let Some(repeat) = repeat(if written.is_empty() { "summary" } else { &written }) else {
        let hint = findings.did_you_mean(&written, REPEATS.into_iter());
        let hint = hint.unwrap_or_else(|| format!("write one of {}", REPEATS.join(", ")));
        let message = about("no way to repeat alerts:", mode.text());
        findings.error(&mode, SYNTAX.replacen("{}", "", 1), message).hint(hint);
        return;
    };
    if let Some(time) = time(&given, SYNTAX, findings) {
        draft.throttle.every = Some((time, repeat));
    }
}

/// `N`, `T` or `N T`.
fn after(
    value: &Piece,
    polling: Option<Duration>,
    draft: &mut PeriodDraft,
    findings: &mut Findings,
) {
    let words = value.words();
    let mut given = words.iter();
    let mut next = given.next();
    let count = next.and_then(|word| count(word.text()));
    if count.is_some() {
        next = given.next();
    }
    let time = next.and_then(|word| delay(word.text()));
    let rest = if time.is_some() { given.next() } else { next };
    let throttle = &mut draft.throttle;
    match (count, time, rest) {
        (Some(count), None, None) => {
            throttle.after_failures = Some(count).filter(|count| *count > 0);
        }
        (None, Some(Duration::ZERO), None) => {
            let mon = format!(
                "invalid time interval '{}' (syntax: alertafter = [{{positive integer}}] \
                 [{{positive number}}{{smhd}}])",
                value.text()
            );
            findings.error(value, mon, "a time of 0 is none").hint(TIME_HINT);
        }
        (None, Some(time), None) => throttle.after_time = Some(time),
        (Some(count), Some(within), None) => {
            let needed = polling.unwrap_or_default().saturating_mul(count.saturating_sub(1));
            if needed >= within {
                let mon = " interval & alertafter not sensible. No alerts can be generated with \
                           those parameters";
                let message = format!("{count} failures take longer than this");
                findings.error(value, mon, message).hint("the interval of the service is too long");
            }
            throttle.after_within = Some((count, within));
        }
        _ => {
            let mon = format!("invalid interval specification '{}'", value.text());
            findings
                .error(value, mon, "must be a number of failures, a time, or both")
                .hint("write alertafter 3, alertafter 10m or alertafter 3 10m; whole s, m or h");
        }
    }
}

/// A time of whole seconds, minutes or hours, in small letters.
fn delay(text: &str) -> Option<Duration> {
    let number = text.strip_suffix(['s', 'm', 'h'])?;
    count(number).and_then(|_| interval(text))
}

fn limit(value: &Piece, draft: &mut PeriodDraft, findings: &mut Findings) {
    let Some(count) = count(value.text()) else {
        let text = value.text();
        let mon = format!("-numeric arg '{text}' (syntax: numalerts = {{positive integer}}");
        findings.error(value, mon, "must be a number");
        return;
    };
    draft.throttle.limit = Some(count).filter(|count| *count > 0);
}
