//! Status for programs: one thing a line, its kind first, then `key=value`; nothing aligned,
//! nothing relative to now. Fields are only ever added at the end of a line's fixed ones.

use std::io::{self, Write};
use std::time::SystemTime;

use jiff::Timestamp;

use super::select::Selection;
use crate::model::{
    DisabledStatus, FileState, FileView, HostStatus, KernelView, Phase, ServerView, ServiceView,
    Snapshot, SyncView, VipView, WatchStatus,
};

pub fn print(
    out: &mut impl Write,
    snapshot: &Snapshot,
    selection: &Selection<'_>,
) -> io::Result<()> {
    let Snapshot { version, pid, phase, role, started, .. } = snapshot;
    let (phase, since) = (phase_word(*phase), stamp(*started));
    writeln!(out, "directord {phase} version={version} pid={pid} since={since} role={role}")?;
    kernel(out, &snapshot.kernel)?;
    if let Some(view) = &snapshot.sync {
        sync(out, view)?;
    }
    if let Some(why) = &snapshot.held_reload {
        writeln!(out, "reload held reason={why:?}")?;
    }
    for view in &snapshot.files {
        file(out, view)?;
    }
    for view in &snapshot.vips {
        vip(out, view)?;
    }
    for (view, servers) in &selection.services {
        service(out, view)?;
        for view_of_server in servers {
            server(out, view, view_of_server)?;
        }
    }
    for (status, hosts) in &selection.watches {
        watch(out, status)?;
        for status_of_host in hosts {
            host(out, status, status_of_host)?;
        }
    }
    for status in &selection.disabled {
        disabled(out, status)?;
    }
    Ok(())
}

pub fn phase_word(phase: Phase) -> &'static str {
    match phase {
        Phase::Starting => "starting",
        Phase::Running => "running",
        Phase::Stopping => "stopping",
    }
}

fn stamp(at: SystemTime) -> String {
    let stamp = Timestamp::try_from(at).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{stamp:.0}")
}

fn kernel(out: &mut impl Write, view: &KernelView) -> io::Result<()> {
    let state = if view.error.is_some() {
        "error"
    } else if view.compared_seconds_ago.is_none() {
        "unread"
    } else if view.out_of_sync > 0 {
        "out-of-sync"
    } else {
        "in-sync"
    };
    let KernelView { table, out_of_sync, foreign, drift_repaired, writes, .. } = view;
    write!(out, "kernel {state} table={table} out_of_sync={out_of_sync} foreign={foreign}")?;
    write!(out, " drift_repaired={drift_repaired} writes={writes}")?;
    optional(out, "error", view.error.as_deref())?;
    writeln!(out)
}

/// `sync master running interface=hb0 id=1`
fn sync(out: &mut impl Write, view: &SyncView) -> io::Result<()> {
    let SyncView { state, interface, id, runs, error } = view;
    let runs = if *runs { "running" } else { "not-running" };
    write!(out, "sync {state} {runs} interface={interface} id={id}")?;
    optional(out, "error", error.as_deref())?;
    writeln!(out)
}

fn file(out: &mut impl Write, view: &FileView) -> io::Result<()> {
    let state = match view.state {
        FileState::InForce => "in-force",
        FileState::LastGood => "last-good",
        FileState::Rejected => "rejected",
    };
    write!(out, "file {} {state} services={}", word(&view.path), view.services)?;
    write!(out, " rejected={}", view.rejected)?;
    optional(out, "error", view.error.as_deref())?;
    writeln!(out)
}

/// `vip ADDRESS INTERFACE STATE ...`
fn vip(out: &mut impl Write, view: &VipView) -> io::Result<()> {
    let VipView { address, interface, held, wanted, ours, reason } = view;
    let state = match (held, wanted) {
        (true, _) => "held",
        (false, true) => "missing",
        (false, false) => "released",
    };
    write!(out, "vip {address} {} {state} wanted={wanted} ours={ours}", word(interface))?;
    optional(out, "reason", reason.as_deref())?;
    writeln!(out)
}

fn service(out: &mut impl Write, view: &ServiceView) -> io::Result<()> {
    let state = if view.up { "up" } else { "down" };
    let sync = if view.in_sync { "in-sync" } else { "out-of-sync" };
    write!(out, "service {} {state} {sync} scheduler={}", view.service, view.scheduler)?;
    if let Some(fallback) = &view.fallback {
        let state = if view.fallback_active { "active" } else { "standby" };
        write!(out, " fallback={fallback} fallback_state={state}")?;
    }
    optional(out, "name", view.name.as_deref())?;
    optional(out, "origin", view.origin.as_deref())?;
    optional(out, "error", view.error.as_deref())?;
    writeln!(out)
}

/// `server SERVICE SERVER FORWARD VERDICT ...`
fn server(out: &mut impl Write, service: &ServiceView, view: &ServerView) -> io::Result<()> {
    let ServerView { server, forward, verdict, weight, check, .. } = view;
    write!(out, "server {} {server} {forward} {verdict} weight={weight}", service.service)?;
    match view.kernel_weight {
        Some(weight) => write!(out, " kernel_weight={weight}")?,
        None => out.write_all(b" kernel_weight=-")?,
    }
    write!(out, " since={}", stamp(view.since))?;
    write!(out, " check={:?} fall={}/{}", check.what, check.failures, check.fall)?;
    write!(out, " rise={}/{}", check.passes, check.rise)?;
    if let Some(last) = check.last_ms {
        write!(out, " last_ms={last:.1}")?;
    }
    optional(out, "held", view.held.as_deref())?;
    optional(out, "reason", view.reason.as_deref())?;
    optional(out, "local_error", check.local_error.as_deref())?;
    writeln!(out)
}

/// `watch GROUP/SERVICE STATE ...`
fn watch(out: &mut impl Write, status: &WatchStatus) -> io::Result<()> {
    let WatchStatus { watch, state, since, checked, disabled, .. } = status;
    let (since, checked) = (stamp_or_none(*since), stamp_or_none(*checked));
    write!(out, "watch {} {} since={since} checked={checked}", word(watch), state.name())?;
    write!(out, " disabled={disabled}")?;
    optional(out, "acknowledged", status.acknowledged.as_deref())?;
    optional(out, "summary", status.summary.as_deref())?;
    writeln!(out)
}

/// `host GROUP/SERVICE HOST up|down|unknown ...`
fn host(out: &mut impl Write, watch: &WatchStatus, status: &HostStatus) -> io::Result<()> {
    let (watch, host, state) = (word(&watch.watch), word(&status.host), host_word(status));
    write!(out, "host {watch} {host} {state} since={}", stamp(status.since))?;
    optional(out, "detail", status.detail.as_deref())?;
    writeln!(out)
}

pub fn host_word(status: &HostStatus) -> &'static str {
    match status.up {
        Some(true) => "up",
        Some(false) => "down",
        None => "unknown",
    }
}

/// `disabled host|watch|service NAME ...`
fn disabled(out: &mut impl Write, status: &DisabledStatus) -> io::Result<()> {
    let DisabledStatus { kind, name, user, reason, since, until } = status;
    let (since, until) = (stamp(*since), stamp_or_none(*until));
    write!(out, "disabled {kind} {} since={since} until={until}", word(name))?;
    writeln!(out, " user={user:?} reason={reason:?}")
}

fn stamp_or_none(at: Option<SystemTime>) -> String {
    at.map_or_else(|| "-".to_owned(), stamp)
}

/// Quoted with escapes, so that one thing stays one line and cannot do anything to a terminal.
fn optional(out: &mut impl Write, key: &str, value: Option<&str>) -> io::Result<()> {
    match value {
        Some(value) => write!(out, " {key}={value:?}"),
        None => Ok(()),
    }
}

/// As it is when it is one plain word, else quoted.
fn word(text: &str) -> String {
    match text.bytes().all(|b| b.is_ascii_graphic() && b != b'"') {
        true => text.to_owned(),
        false => format!("{text:?}"),
    }
}
