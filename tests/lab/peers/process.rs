//! A program on a host of the lab: started, measured, and killed with everything it started.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, killpg};
use nix::sys::time::TimeValLike;
use nix::unistd::Pid;

use crate::lab::Host;

/// Length of a tick in `/proc/PID/stat`: USER_HZ is 100 on every Linux of today.
const TICK: Duration = Duration::from_millis(10);

pub struct Process {
    child: Child,
    pub started: Instant,
}

impl Process {
    /// Starts `command` on `host` in a process group of its own.
    pub fn start(host: &Host, mut command: Command) -> Process {
        command.process_group(0).stdin(Stdio::null());
        let started = Instant::now();
        let child = host.run(move || {
            let named = command.get_program().to_string_lossy().into_owned();
            command.spawn().unwrap_or_else(|error| panic!("{named}: {error}"))
        });
        Process { child, started }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Processor time so far: of this process, all its threads, its descendants, and those of
    /// them that have ended and been waited for.
    pub fn cpu(&self) -> Duration {
        let all = processes();
        let ticks = |pid: &u32| all.get(pid).map_or(0, |process| process.ticks);
        let total: u64 = family_in(&all, self.pid()).iter().map(ticks).sum();
        TICK * u32::try_from(total).expect("days of processor time are not spent here")
    }

    /// Processor time of this process by the name of the thread.
    pub fn cpu_by_thread(&self) -> BTreeMap<String, Duration> {
        let mut threads = BTreeMap::new();
        for entry in std::fs::read_dir(format!("/proc/{}/task", self.pid())).into_iter().flatten() {
            let path = entry.expect("a thread").path().join("stat");
            if let Some((name, stat)) = std::fs::read_to_string(path).ok().and_then(|s| parse(&s)) {
                *threads.entry(name).or_default() += TICK * stat.own as u32;
            }
        }
        threads
    }

    /// Resident memory in bytes.
    pub fn resident(&self) -> u64 {
        resident(self.pid()).expect("a running process")
    }

    pub fn signal(&self, signal: Signal) {
        nix::sys::signal::kill(pid(self.pid()), signal).expect("a running process");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Its descendants with it: keepalived's checker outlives a killed parent.
        killpg(pid(self.child.id()), Signal::SIGKILL).ok();
        self.child.wait().ok();
    }
}

fn pid(id: u32) -> Pid {
    Pid::from_raw(id.try_into().expect("a pid"))
}

/// Runs `command` on `host` to its end; wall and processor time. It must succeed.
pub fn run(host: &Host, mut command: Command) -> (Duration, Duration) {
    let (before, start) = (children(), Instant::now());
    let output = host.run(move || command.output().expect("a program"));
    let wall = start.elapsed();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (wall, children() - before)
}

/// Processor time of this program's ended children.
fn children() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("usage");
    let us = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Duration::from_micros(us.try_into().expect("time passes forwards"))
}

/// Resident memory of a process in bytes, while it runs.
pub fn resident(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    Some(kib * 1024)
}

/// A process and its descendants.
pub fn family(pid: u32) -> Vec<u32> {
    family_in(&processes(), pid)
}

fn family_in(all: &BTreeMap<u32, Stat>, pid: u32) -> Vec<u32> {
    let mut family = vec![pid];
    let mut asked = 0;
    while let Some(parent) = family.get(asked).copied() {
        family.extend(all.iter().filter(|(_, p)| p.parent == parent).map(|(pid, _)| *pid));
        asked += 1;
    }
    family
}

/// Processes and threads begun since the kernel was: see proc(5), `/proc/stat`.
pub fn begun() -> u64 {
    let text = std::fs::read_to_string("/proc/stat").expect("/proc");
    let number = text.lines().find_map(|line| line.strip_prefix("processes "));
    number.expect("a count").trim().parse().expect("a number")
}

/// What was added between two readings of [`Process::cpu_by_thread`].
pub fn difference(
    before: &BTreeMap<String, Duration>,
    after: &BTreeMap<String, Duration>,
) -> BTreeMap<String, Duration> {
    let gained = |(name, time): (&String, &Duration)| {
        (name.clone(), time.saturating_sub(before.get(name).copied().unwrap_or_default()))
    };
    after.iter().map(gained).collect()
}

struct Stat {
    parent: u32,
    /// Ticks of the process itself, and with those of its ended children.
    own: u64,
    ticks: u64,
}

fn processes() -> BTreeMap<u32, Stat> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").expect("/proc").flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse() else { continue };
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok();
        if let Some((_, stat)) = stat.and_then(|stat| parse(&stat)) {
            found.insert(pid, stat);
        }
    }
    found
}

/// The name and the numbers of a line of `/proc/PID/stat`: see proc(5).
fn parse(stat: &str) -> Option<(String, Stat)> {
    let (head, rest) = stat.rsplit_once(')')?;
    let name = head.split_once('(')?.1.to_owned();
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    let own = number(11)? + number(12)?;
    let stat = Stat { parent: number(1)? as u32, own, ticks: own + number(13)? + number(14)? };
    Some((name, stat))
}
