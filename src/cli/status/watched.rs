//! What is watched, and of what nobody is told, for a person at a terminal.

use std::io::{self, Write};
use std::time::SystemTime;

use super::person::{ago, short};
use super::plain::host_word;
use super::select::Selection;
use crate::cli::output::{Paint, harmless, span};
use crate::model::{DisabledStatus, HostStatus, OpStatus, WatchStatus};

pub fn print(
    out: &mut impl Write,
    selection: &Selection<'_>,
    now: SystemTime,
    paint: Paint,
) -> io::Result<()> {
    // What fails first; among equals the order of the snapshot.
    let mut rows: Vec<_> = selection.watches.iter().collect();
    rows.sort_by_key(|(status, _)| status.state);
    for (status, shown) in rows {
        watch(out, status, now, paint)?;
        hosts(out, shown, now, paint)?;
    }
    if !selection.disabled.is_empty() {
        writeln!(out, "\n{}", paint.strong("nobody is told of"))?;
    }
    let lines = selection.disabled.iter().map(|status| word(status, now, paint));
    lines.into_iter().try_for_each(|line| writeln!(out, "  {line}"))
}

/// `www/http  FAIL 1 of 2  3m12s  www2`
fn watch(
    out: &mut impl Write,
    status: &WatchStatus,
    now: SystemTime,
    paint: Paint,
) -> io::Result<()> {
    let up = status.hosts.iter().filter(|host| host.up == Some(true)).count();
    let state = match status.state {
        OpStatus::Fail => paint.bad("FAIL"),
        OpStatus::Ok => paint.good("ok"),
        OpStatus::Untested => paint.odd("untested"),
    };
    write!(out, "\n{}  {state}", paint.strong(harmless(&status.watch)))?;
    if !status.hosts.is_empty() {
        write!(out, " {up} of {}", status.hosts.len())?;
    }
    if let Some(since) = status.since {
        write!(out, "  {}", ago(now, since))?;
    }
    if status.disabled {
        write!(out, "  {}", paint.odd("disabled"))?;
    }
    if let Some(words) = &status.acknowledged {
        write!(out, "  {} {}", paint.odd("acknowledged by"), short(words))?;
    }
    match (status.state, &status.summary) {
        (OpStatus::Fail, Some(summary)) => writeln!(out, "  {}", short(summary)),
        _ => writeln!(out),
    }
}

/// In columns as wide as they need to be.
fn hosts(
    out: &mut impl Write,
    shown: &[&HostStatus],
    now: SystemTime,
    paint: Paint,
) -> io::Result<()> {
    let cells = |status: &HostStatus| {
        [harmless(&status.host), host_word(status).to_owned(), ago(now, status.since)]
    };
    let rows: Vec<_> = shown.iter().map(|status| cells(status)).collect();
    let widths: [usize; 3] = std::array::from_fn(|column| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)
    });
    for (status, row) in shown.iter().zip(&rows) {
        let [host, state, since] =
            std::array::from_fn(|column| format!("{:width$}", row[column], width = widths[column]));
        let state = match status.up {
            Some(true) => paint.good(state),
            Some(false) => paint.bad(state),
            None => paint.odd(state),
        };
        let why = short(status.detail.as_deref().unwrap_or_default());
        writeln!(out, "{}", format!("  {host}  {state}  {since}  {why}").trim_end())?;
    }
    Ok(())
}

/// `watch shop  by ann, 12m00s ago, for 1h48m more: new release`
pub fn word(status: &DisabledStatus, now: SystemTime, paint: Paint) -> String {
    let DisabledStatus { kind, name, user, reason, since, until } = status;
    let by = match user.is_empty() {
        true => String::new(),
        false => format!(" by {},", harmless(user)),
    };
    let end = match until {
        Some(until) => format!("for {} more", span(until.duration_since(now).unwrap_or_default())),
        None => "until it is enabled".to_owned(),
    };
    let why = match reason.is_empty() {
        true => String::new(),
        false => format!(": {}", short(reason)),
    };
    let (name, since) = (paint.odd(harmless(name)), ago(now, *since));
    format!("{kind} {name} {by} {since} ago, {end}{why}")
}
