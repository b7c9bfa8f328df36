//! Status for a person at a terminal: the verdict on everything, then what is wrong, then the
//! rest.

use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use super::plain::phase_word;
use super::select::{Selection, has_trouble, is_troubled};
use super::watched;
use crate::cli::output::{Paint, count, harmless, span};
use crate::model::{
    FileState, KernelView, Phase, Role, ServerView, ServiceView, Snapshot, SyncView, Verdict,
    VipView,
};

/// Reasons are cut here; `--json` and pipes have them whole.
const REASON_WIDTH: usize = 160;
/// Lines of a file's mistakes; `directord check` has them all.
const DIAGNOSTIC_LINES: usize = 24;

pub fn print(
    out: &mut impl Write,
    snapshot: &Snapshot,
    selection: &Selection<'_>,
    now: SystemTime,
    paint: Paint,
) -> io::Result<()> {
    health(out, snapshot, now, paint)?;
    files(out, snapshot, paint)?;
    vips(out, &snapshot.vips, paint)?;
    // What is down first, then what has trouble; among equals the order of the snapshot.
    let mut rows: Vec<_> = selection.services.iter().collect();
    rows.sort_by_key(|(service, _)| (service.up, !has_trouble(service, snapshot.role)));
    for (view, servers) in rows {
        service(out, view, servers, snapshot.role, now, paint)?;
    }
    watched::print(out, selection, now, paint)
}

/// How long ago; a clock that was set back makes it 0.
pub(super) fn ago(now: SystemTime, since: SystemTime) -> String {
    span(now.duration_since(since).unwrap_or_default())
}

fn health(
    out: &mut impl Write,
    snapshot: &Snapshot,
    now: SystemTime,
    paint: Paint,
) -> io::Result<()> {
    let phase = match snapshot.phase {
        Phase::Running => paint.good("running"),
        other => paint.odd(phase_word(other)),
    };
    let up_since = ago(now, snapshot.started);
    let Snapshot { version, pid, .. } = snapshot;
    write!(out, "{} {version} {phase} for {up_since}, pid {pid}", paint.strong("directord"))?;
    match snapshot.role {
        Role::Active => writeln!(out)?,
        Role::Standby => writeln!(out, ", {}", paint.odd("on standby"))?,
    }
    kernel(out, &snapshot.kernel, paint)?;
    if let Some(view) = &snapshot.sync {
        sync(out, view, paint)?;
    }
    let services = &snapshot.services;
    let servers = || services.iter().flat_map(|service| &service.servers);
    let down = services.iter().filter(|service| !service.up).count();
    let troubled = servers().filter(|server| is_troubled(server, snapshot.role)).count();
    let in_use = match snapshot.role {
        Role::Active => "all in use",
        Role::Standby => "all ready for use",
    };
    writeln!(
        out,
        "{}, {}; {}, {}",
        count(services.len(), "service"),
        amount(paint, down, "down", "none down"),
        count(servers().count(), "real server"),
        amount(paint, troubled, "not in full use", in_use),
    )?;
    if let Some(why) = &snapshot.held_reload {
        writeln!(out, "{}: {}", paint.bad("reload held"), harmless(why))?;
        writeln!(out, "  go ahead with: directord reload --confirm")?;
    }
    Ok(())
}

fn amount(paint: Paint, number: usize, some: &str, none: &str) -> String {
    match number {
        0 => paint.good(none),
        _ => paint.bad(format_args!("{number} {some}")),
    }
}

fn kernel(out: &mut impl Write, view: &KernelView, paint: Paint) -> io::Result<()> {
    let state = match (view.compared_seconds_ago, view.out_of_sync) {
        (None, _) => paint.odd("not read yet"),
        (Some(ago), 0) => {
            let ago = Duration::try_from_secs_f64(ago).unwrap_or_default();
            format!("{}, compared {} ago", paint.good("as it should be"), span(ago))
        }
        (Some(_), some) => {
            paint.bad(format_args!("{} not as it should be", count(some, "service")))
        }
    };
    let whose = if view.table == "memory" {
        "table in memory (no packet is forwarded)"
    } else {
        "kernel's table"
    };
    write!(out, "{whose} {state}")?;
    if view.foreign > 0 {
        write!(out, "; {} not ours, left alone", count(view.foreign, "service"))?;
    }
    if view.drift_repaired > 0 {
        write!(out, "; {} by others repaired", count_changes(view.drift_repaired))?;
    }
    writeln!(out)?;
    match &view.error {
        Some(error) => writeln!(out, "  {}", paint.bad(harmless(error))),
        None => Ok(()),
    }
}

fn sync(out: &mut impl Write, view: &SyncView, paint: Paint) -> io::Result<()> {
    let SyncView { state, interface, id, runs, error } = view;
    let runs = if *runs { paint.good("running") } else { paint.bad("not running") };
    writeln!(out, "sync daemon {state} on {interface}, id {id}, {runs}")?;
    match error {
        Some(error) => writeln!(out, "  {}", paint.bad(harmless(error))),
        None => Ok(()),
    }
}

fn count_changes(number: u64) -> String {
    count(usize::try_from(number).unwrap_or(usize::MAX), "change")
}

/// Only the files whose newest text is not in force.
fn files(out: &mut impl Write, snapshot: &Snapshot, paint: Paint) -> io::Result<()> {
    for file in &snapshot.files {
        let what = match file.state {
            FileState::InForce => continue,
            FileState::LastGood => format!(
                "has mistakes; its last good version ({}) stays in force",
                count(file.services, "service")
            ),
            FileState::Rejected => "has mistakes; nothing of it is in force".to_owned(),
        };
        writeln!(out, "{}: {}", paint.strong(harmless(&file.path)), paint.bad(what))?;
        let mut lines = file.error.as_deref().unwrap_or_default().lines();
        for line in lines.by_ref().take(DIAGNOSTIC_LINES) {
            writeln!(out, "  {}", harmless(line))?;
        }
        if lines.next().is_some() {
            writeln!(out, "  ... all of it: directord check --config {}", harmless(&file.path))?;
        }
    }
    Ok(())
}

/// How many addresses are here, and each of those that is not as it should be.
fn vips(out: &mut impl Write, vips: &[VipView], paint: Paint) -> io::Result<()> {
    let held = vips.iter().filter(|vip| vip.held).count();
    if !vips.is_empty() {
        writeln!(out, "{} of {} held", held, count(vips.len(), "vip"))?;
    }
    let place = |vip: &VipView| harmless(&format!("{} on {}", vip.address, vip.interface));
    for vip in vips {
        match (&vip.reason, vip.held, vip.wanted) {
            (Some(why), true, _) => {
                writeln!(out, "  {}: {}", place(vip), paint.odd(harmless(why)))?;
            }
            (why, false, true) => {
                let why = why.as_deref().unwrap_or("not here yet");
                writeln!(out, "  {}: {}", place(vip), paint.bad(harmless(why)))?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn service(
    out: &mut impl Write,
    view: &ServiceView,
    servers: &[&ServerView],
    role: Role,
    now: SystemTime,
    paint: Paint,
) -> io::Result<()> {
    let in_use = view.servers.iter().filter(|server| !is_troubled(server, role)).count();
    let state = format!("{in_use} of {}", view.servers.len());
    let state = match (view.up, in_use == view.servers.len()) {
        (false, _) => paint.bad("DOWN"),
        (true, false) => format!("{} {state}", paint.odd("up")),
        (true, true) => format!("{} {state}", paint.good("up")),
    };
    write!(out, "\n{}  {state}  {}", paint.strong(&view.service), view.scheduler)?;
    if let Some(name) = &view.name {
        write!(out, "  {}", harmless(name))?;
    }
    if let Some(origin) = &view.origin {
        write!(out, "  {}", paint.faint(harmless(origin)))?;
    }
    writeln!(out)?;
    if !view.in_sync {
        let why = view.error.as_deref().unwrap_or("being put right");
        writeln!(out, "  {}: {}", paint.bad("kernel differs"), harmless(why))?;
    }
    if let (Some(fallback), true) = (&view.fallback, view.fallback_active) {
        writeln!(out, "  {} {fallback}", paint.odd("fallback in use:"))?;
    }
    rows(out, servers, role, now, paint)
}

/// The servers of one service, in columns as wide as they need to be.
fn rows(
    out: &mut impl Write,
    servers: &[&ServerView],
    role: Role,
    now: SystemTime,
    paint: Paint,
) -> io::Result<()> {
    let cells: Vec<_> = servers.iter().map(|server| cells(server, now)).collect();
    let widths: [usize; 5] = std::array::from_fn(|column| {
        cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)
    });
    for (server, row) in servers.iter().zip(&cells) {
        let [address, forward, verdict, weight, since] =
            std::array::from_fn(|column| format!("{:width$}", row[column], width = widths[column]));
        let verdict = match (server.verdict, is_troubled(server, role)) {
            (Verdict::Up, false) => paint.good(verdict),
            (Verdict::Down, _) => paint.bad(verdict),
            _ => paint.odd(verdict),
        };
        let line = format!("  {address}  {forward}  {verdict}  {weight}  {since}  {}", why(server));
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn cells(server: &ServerView, now: SystemTime) -> [String; 5] {
    let weight = match server.kernel_weight {
        None => "-".to_owned(),
        Some(weight) if weight == server.weight => format!("weight {weight}"),
        Some(weight) => format!("weight {weight} of {}", server.weight),
    };
    let verdict = server.held.clone().unwrap_or_else(|| server.verdict.to_string());
    [
        harmless(&server.server),
        server.forward.clone(),
        harmless(&verdict),
        weight,
        ago(now, server.since),
    ]
}

/// Why the server is as it is, on one line.
fn why(server: &ServerView) -> String {
    let held = server.held.as_ref().map(|_| format!("check says {}", server.verdict));
    let local = server.check.local_error.as_ref().map(|error| format!("cannot be asked: {error}"));
    let check = match (&server.reason, server.check.failures) {
        (Some(_), _) | (_, 0) => None,
        (None, failures) => Some(format!("{failures} of {} failures", server.check.fall)),
    };
    let parts: Vec<_> = [held, local, server.reason.clone(), check].into_iter().flatten().collect();
    short(&parts.join("; "))
}

/// On one line, and not without end.
pub(super) fn short(text: &str) -> String {
    let text = harmless(text);
    match text.char_indices().nth(REASON_WIDTH) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
