//! (h) ldirectord, and directord called as ldirectord, with the same file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::config::Shape;
use crate::director::binary;
use crate::lab::Host;
use crate::process::{self, Process};
use crate::report::{Row, ratio, time};
use crate::servers::Servers;
use crate::table::{self, Reader};

const THEIRS: &str = "/usr/sbin/ldirectord";
const INTERVAL: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(1);
/// ldirectord starts ten programs for a service of one server, one after the other, and waits for
/// one silent server at a time: 200 services took 233 s to start, and as many silent servers more
/// than this.
const LIMIT: Duration = Duration::from_secs(240);

pub fn run() -> Vec<Row> {
    [50, 200].into_iter().flat_map(among).collect()
}

/// Too long for every bench.
pub fn thousand() -> Vec<Row> {
    among(1_000)
}

fn among(services: usize) -> Vec<Row> {
    let shape = Shape { services, servers: 1 };
    let [ours, theirs] = [Side::Ours, Side::Theirs].map(|side| measure(side, shape));
    let limit = INTERVAL + TIMEOUT + Duration::from_secs(1);
    let target = format!(
        "{} s: interval {} + timeout {} + 1",
        limit.as_secs(),
        INTERVAL.as_secs(),
        TIMEOUT.as_secs()
    );
    let met = ours.outage.is_some_and(|outage| outage.left == 0 && outage.took <= limit);
    vec![
        Row::new(
            format!("(h) {services} services of a .cf: start to all servers in use"),
            spell(ours.start),
        )
        .beside(format!("ldirectord {}", spell(theirs.start)), share(ours.start, theirs.start)),
        Row::new("  processes and threads begun meanwhile", ours.begun.to_string()).beside(
            format!("ldirectord {}", theirs.begun),
            ours.begun as f64 / theirs.begun.max(1) as f64,
        ),
        Row::new("  resident memory", ours.size.to_string()).beside(
            format!("ldirectord {}", theirs.size),
            ours.size.bytes as f64 / theirs.size.bytes.max(1) as f64,
        ),
        Row {
            theirs: format!("ldirectord {}", removal(theirs.outage)),
            ratio: ours.outage.zip(theirs.outage).map(|(o, t)| ratio(o.took, t.took)),
            ..Row::new("  all of them silent: last one removed", removal(ours.outage))
        }
        .target(target, met),
    ]
}

/// `None`: given up.
fn spell(took: Option<Duration>) -> String {
    took.map_or_else(|| format!("> {} (given up)", time(LIMIT)), time)
}

fn removal(outage: Option<Outage>) -> String {
    match outage {
        None => "not tried".to_owned(),
        Some(Outage { took, left: 0 }) => time(took),
        Some(Outage { took, left }) => format!("> {} (given up, {left} left)", time(took)),
    }
}

/// What was given up took that long at least.
fn share(ours: Option<Duration>, theirs: Option<Duration>) -> f64 {
    ratio(ours.unwrap_or(LIMIT), theirs.unwrap_or(LIMIT))
}

#[derive(Clone, Copy)]
enum Side {
    Ours,
    Theirs,
}

struct Found {
    /// From the command to the last server in the table.
    start: Option<Duration>,
    /// In all of the guest, in which nothing else happens.
    begun: u64,
    size: Size,
    /// `None` without a full table.
    outage: Option<Outage>,
}

#[derive(Clone, Copy)]
struct Outage {
    took: Duration,
    /// Servers still in the table.
    left: usize,
}

/// Of the daemon and what it has started.
struct Size {
    bytes: u64,
    processes: usize,
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (mib, processes) = (self.bytes as f64 / f64::from(1 << 20), self.processes);
        write!(f, "{mib:.1} MiB in {processes} process{}", if processes == 1 { "" } else { "es" })
    }
}

fn measure(side: Side, shape: Shape) -> Found {
    let host = table::host(if matches!(side, Side::Ours) { "director" } else { "ldirectord" });
    let (_servers, mut reader) = (Servers::start(&host), Reader::new(&host));
    let before = process::begun();
    let daemon = Daemon::start(&host, side, shape);
    let full = reader.full(&host, shape, LIMIT);
    let begun = process::begun() - before;
    let start = full.map(|full| full - daemon.command.started);
    // A round of checks at the usual pace.
    std::thread::sleep(INTERVAL);
    let size = daemon.size();
    let outage = full.map(|_| fall_silent(&host, shape));
    drop(daemon);
    table::clear(&host);
    Found { start, begun, size, outage }
}

fn fall_silent(host: &Host, shape: Shape) -> Outage {
    host.must("iptables-legacy", &["-A", "INPUT", "-p", "tcp", "--dport", "80", "-j", "DROP"]);
    let start = Instant::now();
    loop {
        let (left, took) = (table::rows(host) - shape.services, start.elapsed());
        if left == 0 || took > LIMIT {
            return Outage { took, left };
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A daemon by the name of ldirectord, left behind by its command.
struct Daemon<'h> {
    host: &'h Host,
    command: Process,
    folder: tempfile::TempDir,
}

impl Daemon<'_> {
    fn start(host: &Host, side: Side, shape: Shape) -> Daemon<'_> {
        let folder = tempfile::tempdir().expect("a folder");
        let ours = folder.path().join("ldirectord");
        std::os::unix::fs::symlink(binary(), &ours).expect("a link");
        let text = format!(
            "checkinterval = {}\nnegotiatetimeout = {}\nlogfile = \"{}\"\n{}",
            INTERVAL.as_secs(),
            TIMEOUT.as_secs(),
            folder.path().join("log").display(),
            shape.ldirectord()
        );
        let file = folder.path().join(FILE);
        fs::write(&file, text).expect("a written file");
        let mut command = Command::new(match side {
            Side::Ours => &ours,
            Side::Theirs => Path::new(THEIRS),
        });
        // With PERLIO set ldirectord does not execute itself a second time.
        command.arg(file).arg("start").env("PERLIO", "perlio");
        command.stdout(Stdio::null());
        Daemon { host, command: Process::start(host, command), folder }
    }

    /// By the pid file, in the host's own `/run`.
    fn pid(&self) -> Option<u32> {
        let path = PathBuf::from(format!("/var/run/ldirectord.{FILE}.pid"));
        let text = self.host.run(move || fs::read_to_string(path)).ok()?;
        text.trim().parse().ok()
    }

    fn size(&self) -> Size {
        let pid = self.pid().unwrap_or_else(|| panic!("no pid; its log: {}", self.log()));
        let family = process::family(pid);
        let bytes = family.iter().filter_map(|pid| process::resident(*pid)).sum();
        Size { bytes, processes: family.len() }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

const FILE: &str = "bench.cf";

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        let pid = self.pid().and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw);
        let Some(pid) = pid else { return };
        kill(pid, Signal::SIGKILL).ok();
        crate::lab::eventually_true("it is dead", Duration::from_secs(20), || {
            fs::read_link(format!("/proc/{pid}/exe")).is_err()
        });
    }
}
