//! (i) mon with the monitors it is shipped with, and directord called as mon, with the same file.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::config::Shape;
use crate::director::binary;
use crate::process::Process;
use crate::report::{Row, ratio, time};
use crate::servers::Servers;
use crate::table;

const THEIRS: &str = "/usr/sbin/mon";
/// Watches of one server each.
const SHAPE: Shape = Shape { services: 1_000, servers: 1 };
const INTERVAL: Duration = Duration::from_secs(10);
/// Until all have been asked for the first time, where that can be done.
const SETTLE: Duration = Duration::from_secs(30);
const SPELL: Duration = Duration::from_secs(60);

/// mon starts a program for each check. Without a bound a burst of them takes all memory.
const PROCESSES: usize = 50;

/// A spell of checks.
struct Found {
    cpu: Duration,
    checks: usize,
    latest: Duration,
    wall: Duration,
}

impl Found {
    fn each(&self) -> Duration {
        self.cpu / u32::try_from(self.checks.max(1)).expect("not so many in a minute")
    }

    fn cost(&self) -> String {
        let rate = self.checks as f64 / self.wall.as_secs_f64();
        format!("{} at {rate:.0} a second", time(self.each()))
    }
}

/// What watches watch with.
#[derive(Clone, Copy)]
struct Monitor {
    service: &'static str,
    words: &'static str,
}

const MONITORS: [Monitor; 2] = [
    Monitor { service: "http", words: "http.monitor -t 5" },
    Monitor { service: "ping", words: "fping.monitor" },
];

/// One after the other: mon takes all the processor there is.
pub fn run() -> Vec<Row> {
    MONITORS.iter().flat_map(beside).collect()
}

fn beside(monitor: &Monitor) -> [Row; 2] {
    let service = monitor.service;
    let ours = measure(&format!("director-{service}"), monitor, ours);
    let theirs = measure(&format!("mon-{service}"), monitor, theirs);
    let cheap = ratio(ours.each(), theirs.each());
    [
        Row::new(
            format!("(i) {} {service} watches at 10 s: cpu of a check", SHAPE.services),
            ours.cost(),
        )
        .beside(format!("mon {}", theirs.cost()), cheap)
        .target("1/100 of its cpu", cheap <= 0.01),
        Row::new("  the latest check came late by", time(ours.latest))
            .beside(format!("mon {}", time(theirs.latest)), ratio(ours.latest, theirs.latest))
            .target("100 ms", ours.latest <= Duration::from_millis(100)),
    ]
}

fn measure(name: &str, monitor: &Monitor, command: fn(&Path) -> Command) -> Found {
    let host = table::host(name);
    let servers = Servers::start(&host);
    servers.hear_pings(&host);
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("auth.cf"), "command section\nlist: all\n").expect("a file");
    fs::write(folder.path().join("mon.cf"), file(folder.path(), monitor)).expect("a written file");
    for name in ["state", "log"] {
        fs::create_dir(folder.path().join(name)).expect("a folder");
    }
    let log = fs::File::create(folder.path().join("out")).expect("a log file");
    let mut command = command(folder.path());
    command.arg("-c").arg(folder.path().join("mon.cf")).current_dir(folder.path());
    command.stdout(Stdio::null()).stderr(log);
    let process = Process::start(&host, command);
    std::thread::sleep(SETTLE);
    servers.note_visits();
    let (cpu, start) = (process.cpu(), Instant::now());
    std::thread::sleep(SPELL);
    let (cpu, wall) = (process.cpu() - cpu, start.elapsed());
    let (latest, checks) = servers.latest(INTERVAL);
    let said = fs::read_to_string(folder.path().join("out")).unwrap_or_default();
    assert!(checks > 0, "{name}: no check was seen; it said: {said}");
    Found { cpu, checks, latest, wall }
}

fn ours(folder: &Path) -> Command {
    let mut command = Command::new(binary());
    command.args(["mon", "--table", "memory", "--runtime-dir"]).arg(folder.join("run"));
    command.arg("--state-dir").arg(folder.join("own"));
    command
}

fn theirs(_folder: &Path) -> Command {
    Command::new(THEIRS)
}

fn file(folder: &Path, monitor: &Monitor) -> String {
    let Monitor { service, words } = monitor;
    let folder = folder.display();
    let mut text = format!(
        "mondir = /usr/lib/mon/mon.d\nalertdir = /usr/lib/mon/alert.d\ncfbasedir = {folder}\n\
         statedir = {folder}/state\nlogdir = {folder}/log\npidfile = {folder}/pid\n\
         authfile = auth.cf\nauthtype = trustlocal\nserverbind = 127.0.0.1\n\
         trapbind = 127.0.0.1\nrandstart = {0}s\nmaxprocs = {PROCESSES}\n\n",
        INTERVAL.as_secs()
    );
    for watch in 0..SHAPE.services {
        // Nobody is told of anything here, but a period makes a watch a common one.
        writeln!(
            text,
            "hostgroup w{watch} {}\n\nwatch w{watch}\n    service {service}\n        interval {}s\n        \
             monitor {words}\n        period wd {{Sun-Sat}}\n            \
             alert test.alert {folder}/log/alerts\n",
            SHAPE.real(watch, 0),
            INTERVAL.as_secs()
        )
        .expect("memory");
    }
    text
}
