//! One service on one line, `name=value` after `name=value`, and the same values by name.

use std::time::Duration;

use super::escape::escape;
use crate::model::{Dependency, Time, WatchView};

/// The status line of a service. Names, order and blanks are those clients know; they ignore
/// names they do not know, at its end.
pub fn line(view: &WatchView, now: Time) -> String {
    let mut line = String::new();
    for (name, value) in fields(view, now) {
        let Some(value) = value else { continue };
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(name);
        line.push('=');
        line.push_str(&escape(&value));
    }
    line
}

/// A value of a service by a name of the status line, or by mon's own for the same thing
/// (`_op_status`); empty for what has none.
pub fn value(view: &WatchView, now: Time, name: &str) -> String {
    let plain = name.strip_prefix('_').unwrap_or(name);
    let plain = match plain {
        "op_status" => "opstatus",
        "last_op_status" => "last_opstatus",
        "ack_comment" => "ackcomment",
        "depend_status" => "depstatus",
        other => other,
    };
    let spec = &view.spec;
    match plain {
        "description" => spec.description.clone().unwrap_or_default(),
        "failure_interval" => seconds_or_none(spec.failure_interval),
        "traptimeout" => seconds_or_none(spec.trap_timeout),
        "trapduration" => seconds_or_none(spec.trap_duration),
        "consec_failures" => view.failures_in_a_row.to_string(),
        "failure_count" => view.failures.to_string(),
        plain => {
            let found = fields(view, now).into_iter().find(|(name, _)| *name == plain);
            found.and_then(|(_, value)| value).unwrap_or_default()
        }
    }
}

type Field = (&'static str, Option<String>);

/// All of the status line; what has no value and is left out then is `None`.
fn fields(view: &WatchView, now: Time) -> Vec<Field> {
    first_fields(view).into_iter().chain(last_fields(view, now)).collect()
}

/// Those that are always there.
fn first_fields(view: &WatchView) -> [Field; 21] {
    let spec = &view.spec;
    let ack = view.acknowledged.as_ref();
    let comment = ack.map(|ack| format!("{}: {}", ack.user, ack.comment));
    let [depend, hosts, monitors, alerts] = depends(view);
    let monitor = spec.monitor.as_ref().map(|monitor| monitor.written.clone());
    [
        ("group", Some(spec.key.group.to_string())),
        ("service", Some(spec.key.service.to_string())),
        ("opstatus", Some(view.opstatus.number().to_string())),
        ("last_opstatus", Some(view.last_opstatus.number().to_string())),
        ("exitval", Some(view.retval.as_deref().unwrap_or("undef").to_owned())),
        ("timer", Some(view.timer.unwrap_or_default().as_secs().to_string())),
        ("last_success", Some(epoch(view.last_success))),
        ("last_trap", Some(epoch(view.last_trap))),
        ("last_traphost", Some(String::new())),
        // Of all times the only one that mon leaves empty before there was any.
        ("last_check", Some(view.last_check.map_or_else(String::new, |at| epoch(Some(at))))),
        ("ack", Some(epoch(ack.map(|ack| ack.at)))),
        ("ackcomment", Some(comment.unwrap_or_default())),
        ("alerts_sent", Some(view.alerts_sent.to_string())),
        ("depstatus", Some(view.depend_status.map_or("", one_or_zero).to_owned())),
        ("depend", Some(depend)),
        ("hostdepend", Some(hosts)),
        ("monitordepend", Some(monitors)),
        ("alertdepend", Some(alerts)),
        ("monitor", Some(monitor.unwrap_or_default())),
        ("last_summary", Some(view.last_summary.clone())),
        ("last_detail", Some(view.last_detail.clone())),
    ]
}

/// Those that some services have.
fn last_fields(view: &WatchView, now: Time) -> [Field; 10] {
    let spec = &view.spec;
    let polled = |value: String| spec.interval.map(|_| value);
    let duration = view.duration.map_or("-1".to_owned(), |took| took.as_secs().to_string());
    let hosts: Vec<&str> = spec.exclude_hosts.iter().map(String::as_str).collect();
    let first = view.first_failure;
    [
        ("last_failure", view.last_failure.map(|at| epoch(Some(at)))),
        ("interval", spec.interval.map(seconds)),
        ("monitor_duration", polled(duration)),
        ("monitor_running", polled(one_or_zero(view.running).to_owned())),
        ("exclude_period", spec.exclude.as_ref().map(|calendar| calendar.written.clone())),
        ("exclude_hosts", (!hosts.is_empty()).then(|| hosts.join(" "))),
        ("randskew", spec.skew.map(seconds)),
        ("last_alert", view.last_alert.map(|at| epoch(Some(at)))),
        ("first_failure", first.map(|at| epoch(Some(at)))),
        ("failure_duration", first.map(|at| now.since(at).as_secs().to_string())),
    ]
}

/// What a service depends on, under the names clients know: `depend`, `hostdepend`,
/// `monitordepend`, `alertdepend`.
///
/// mon has one directive whose kind is told elsewhere, and one for each kind. Which of them was
/// written is not kept: the first kind goes by `depend`, which is the one clients show.
pub(super) fn depends(view: &WatchView) -> [String; 4] {
    let kinds = &view.spec.depends;
    let written = |kind: &Option<Dependency>| kind.as_ref().map(|kind| kind.written.clone());
    let (hosts, monitors) = (written(&kinds.hosts), written(&kinds.monitors));
    let names = match (written(&kinds.alerts), monitors, hosts) {
        (Some(alerts), monitors, hosts) => [Some(alerts), hosts, monitors, None],
        (None, Some(monitors), hosts) => [Some(monitors), hosts, None, None],
        (None, None, hosts) => [hosts, None, None, None],
    };
    names.map(Option::unwrap_or_default)
}

fn one_or_zero(is: bool) -> &'static str {
    if is { "1" } else { "0" }
}

/// Whole seconds since 1970; 0 for never.
fn epoch(at: Option<Time>) -> String {
    at.unwrap_or(Time::ZERO).seconds().to_string()
}

fn seconds_or_none(time: Option<Duration>) -> String {
    time.map_or(String::new(), seconds)
}

/// Seconds, with as much behind the point as there is: `60`, `0.5`.
pub(super) fn seconds(time: Duration) -> String {
    match time.subsec_nanos() {
        0 => time.as_secs().to_string(),
        _ => time.as_secs_f64().to_string(),
    }
}
