//! The program called as ldirectord, as scripts and cluster agents do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A top of the file system of our own, with the program in it under its other name.
struct Place {
    top: TempDir,
}

impl Place {
    fn new() -> Place {
        let top = tempfile::tempdir().unwrap();
        let directord = env!("CARGO_BIN_EXE_directord");
        std::os::unix::fs::symlink(directord, top.path().join("ldirectord")).unwrap();
        for folder in ["etc/ha.d", "var/log", "elsewhere"] {
            fs::create_dir_all(top.path().join(folder)).unwrap();
        }
        Place { top }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.top.path().join(below)
    }

    fn write(&self, below: &str, mark: u32) {
        let text = format!("virtual = {mark}\n\treal = 127.0.0.1 gate\n\tchecktype = on\n");
        fs::write(self.path(below), text).unwrap();
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(self.path("ldirectord"));
        command
            .args(args)
            .current_dir(self.path("elsewhere"))
            .env("DIRECTORD_ROOT", self.top.path())
            .env("DIRECTORD_TABLE", "memory")
            .stdin(Stdio::null());
        command
    }

    /// What `directord status` says of the only director here.
    fn shown(&self) -> String {
        let mut folders = fs::read_dir(self.path("run/directord")).unwrap();
        let folder = folders.next().unwrap().unwrap().path();
        let mut status = Command::new(env!("CARGO_BIN_EXE_directord"));
        let status = status.args(["status", "--runtime-dir"]).arg(folder);
        stdout(&status.stdin(Stdio::null()).output().unwrap())
    }

    /// Waits until that has this in it.
    fn await_shown(&self, words: &str) {
        let end = Instant::now() + Duration::from_secs(60);
        while !self.shown().contains(words) {
            assert!(Instant::now() < end, "no {words} in\n{}", self.shown());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn pid(&self, name: &str) -> Option<u32> {
        let text = fs::read_to_string(self.path("var/run").join(name)).ok()?;
        text.trim().parse().ok()
    }
}

/// No test leaves a daemon behind.
impl Drop for Place {
    fn drop(&mut self) {
        for entry in fs::read_dir(self.path("run/directord")).into_iter().flatten().flatten() {
            let pid = fs::read_to_string(entry.path().join("directord.pid")).unwrap_or_default();
            if let Ok(pid) = pid.trim().parse() {
                let pid = nix::unistd::Pid::from_raw(pid);
                let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
            }
        }
    }
}

fn status(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// ldirectord's looks at the process id alone, and a frozen one is well for ever.
#[test]
fn status_of_a_frozen_director_is_4() {
    use nix::sys::signal::{Signal, kill};
    let place = Place::new();
    place.write("etc/ha.d/www", 1);
    assert_eq!(status(&place.run(&["www", "start"])), 0);
    let pid = place.pid("ldirectord.www.pid").unwrap();
    let pid = nix::unistd::Pid::from_raw(pid.try_into().unwrap());
    kill(pid, Signal::SIGSTOP).unwrap();
    let frozen = place.run(&["www", "status"]);
    kill(pid, Signal::SIGCONT).unwrap();
    let words = stderr(&frozen);
    assert_eq!((status(&frozen), stdout(&frozen)), (4, String::new()), "{words}");
    assert!(words.contains(&format!("is running with pid: {pid}, and does not")), "{words}");
    assert_eq!(status(&place.run(&["www", "status"])), 0);
}

#[test]
fn f20_k02_k15_k16_a_director_starts_answers_and_stops() {
    let place = Place::new();
    place.write("etc/ha.d/www", 1);
    let stopped = place.run(&["www", "status"]);
    let config = place.path("etc/ha.d/www").display().to_string();
    assert_eq!(
        (status(&stopped), stdout(&stopped)),
        (3, format!("ldirectord is stopped for {config}\n"))
    );

    let start = place.run(&["www", "start"]);
    assert_eq!((status(&start), stdout(&start), stderr(&start)), (0, String::new(), String::new()));
    let pid = place.pid("ldirectord.www.pid").unwrap();
    let running = place.run(&["www", "status"]);
    let words = format!("ldirectord for {config} is running with pid: {pid}\n");
    assert_eq!((status(&running), stderr(&running), stdout(&running)), (0, words, String::new()));

    // The cluster agent looks for exactly this.
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    let command = String::from_utf8(command).unwrap().replace('\0', " ");
    assert!(command.starts_with(&format!("{} www start ", place.path("ldirectord").display())));
    let session = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    assert_eq!(session.split(' ').nth(5), Some(pid.to_string().as_str()), "{session}");

    assert_eq!(status(&place.run(&["www", "start"])), 0);
    assert_eq!(place.pid("ldirectord.www.pid"), Some(pid));
    let text = fs::read_to_string(place.path("etc/ha.d/www")).unwrap();
    fs::write(place.path("etc/ha.d/www"), text.replace("gate", "gate 7")).unwrap();
    assert_eq!(status(&place.run(&["www", "reload"])), 0);

    let stop = place.run(&["www", "stop"]);
    assert_eq!((status(&stop), stderr(&stop)), (0, String::new()));
    assert!(!Path::new(&format!("/proc/{pid}/exe")).exists());
    assert_eq!(place.pid("ldirectord.www.pid"), None);
    assert_eq!(status(&place.run(&["www", "stop"])), 0);
    assert_eq!(status(&place.run(&["www", "reload"])), 1);
    assert_eq!(status(&place.run(&["www", "try-restart"])), 0);
    assert_eq!(status(&place.run(&["www", "status"])), 3);
}

/// heartbeat and an operator may both ask; who comes second finds one that runs, or is about to.
#[test]
fn starts_at_one_moment_are_all_0_and_bring_up_one_director() {
    let place = Place::new();
    for round in 0..5 {
        place.write("etc/ha.d/www", 1);
        let start = || {
            let mut command = place.command(&["www", "start"]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let starts: Vec<_> = (0..4).map(|_| start()).collect();
        let ended: Vec<_> = starts.into_iter().map(|s| s.wait_with_output().unwrap()).collect();
        for output in &ended {
            let words = (stdout(output), stderr(output));
            assert_eq!((status(output), words), (0, <_>::default()), "round {round}");
        }
        place.await_shown("service fwmark:1");
        let pid = place.pid("ldirectord.www.pid").unwrap();
        let running = place.run(&["www", "status"]);
        assert!(stderr(&running).ends_with(&format!("is running with pid: {pid}\n")));
        assert_eq!(status(&place.run(&["www", "stop"])), 0);
    }
}

#[test]
fn f02_a_broken_file_stands_in_nobodys_way() {
    let place = Place::new();
    place.write("etc/ha.d/ldirectord.cf", 1);
    assert_eq!(status(&place.run(&["start"])), 0);
    let pid = place.pid("ldirectord.ldirectord.pid");
    fs::write(place.path("etc/ha.d/ldirectord.cf"), "virtual = 10.0.0.1\n").unwrap();
    for action in ["restart", "try-restart", "reload"] {
        let refused = place.run(&[action]);
        assert_eq!(status(&refused), 2, "{action}");
        assert!(stderr(&refused).contains("the port is missing"), "{}", stderr(&refused));
    }
    assert_eq!(status(&place.run(&["status"])), 0);
    assert_eq!(place.pid("ldirectord.ldirectord.pid"), pid);
    fs::remove_file(place.path("etc/ha.d/ldirectord.cf")).unwrap();
    assert_eq!(status(&place.run(&["status"])), 0);
    assert_eq!(status(&place.run(&["stop"])), 0);
    let gone = place.run(&["status"]);
    assert_eq!((status(&gone), stderr(&gone)), (1, "Config file ldirectord.cf not found\n".into()));
    place.write("etc/ha.d/ldirectord.cf", 1);
    assert_eq!(status(&place.run(&["restart"])), 0);
    assert_eq!(status(&place.run(&["restart"])), 0);
    assert_eq!(status(&place.run(&["stop"])), 0);
}

#[test]
fn f01_a_failed_reload_freezes_nothing() {
    let place = Place::new();
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = server.local_addr().unwrap();
    let text =
        format!("checkinterval = 1\nvirtual = 1\n\treal = {at} gate\n\tchecktype = connect\n");
    fs::write(place.path("etc/ha.d/www"), &text).unwrap();
    assert_eq!(status(&place.run(&["www", "start"])), 0);
    place.await_shown(&format!("{at} gate up "));
    fs::write(place.path("etc/ha.d/www"), format!("bogus = 1\n{text}")).unwrap();
    assert_eq!(status(&place.run(&["www", "reload"])), 2);
    // Checks go on as they did, with the interval they had.
    drop(server);
    place.await_shown(&format!("{at} gate down "));
    let server = std::net::TcpListener::bind(at).unwrap();
    place.await_shown(&format!("{at} gate up "));
    drop(server);
    assert_eq!(status(&place.run(&["www", "stop"])), 0);
}

#[test]
fn a_reload_that_removes_many_services_is_taken_at_its_word() {
    let place = Place::new();
    let write = |head: &str, marks: &[u32]| {
        let service =
            |mark| format!("virtual = {mark}\n\treal = 127.0.0.1 gate\n\tchecktype = on\n");
        let services: String = marks.iter().map(service).collect();
        fs::write(place.path("etc/ha.d/www"), format!("{head}{services}")).unwrap();
    };
    write("", &[1, 2, 3, 4, 5]);
    assert_eq!(status(&place.run(&["www", "start"])), 0);
    place.await_shown("services=5 ");
    // A third, and no word of `directord reload --confirm`.
    write("autoreload = yes\n", &[1, 2, 3]);
    let reload = place.run(&["www", "reload"]);
    assert_eq!((status(&reload), stderr(&reload)), (0, String::new()));
    place.await_shown("services=3 ");
    // Noticed, without anybody asking.
    write("autoreload = no\n", &[1, 2]);
    place.await_shown("services=2 ");
    // Another mark in place of all there are.
    write("autoreload = no\n", &[7]);
    let pid = place.pid("ldirectord.www.pid").unwrap();
    let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGHUP).unwrap();
    place.await_shown("services=1 ");
    // An emptied file is an accident all the same.
    fs::write(place.path("etc/ha.d/www"), "").unwrap();
    assert_ne!(status(&place.run(&["www", "reload"])), 0);
    place.await_shown("services=1 ");
    assert_eq!(status(&place.run(&["www", "stop"])), 0);
}

#[test]
fn k10_maintenance_file_shows_in_status_until_it_is_gone() {
    let place = Place::new();
    let folder = place.path("maintenance");
    fs::create_dir(&folder).unwrap();
    let text = format!(
        "maintenancedir = {}\nvirtual = 1\n\treal = 127.0.0.1:80 gate\n\tchecktype = on\n",
        folder.display()
    );
    fs::write(place.path("etc/ha.d/www"), text).unwrap();
    fs::write(folder.join("127.0.0.1:80"), "").unwrap();
    assert_eq!(status(&place.run(&["www", "start"])), 0);
    place.await_shown("held=\"maintenance 127.0.0.1:80\"");
    assert!(!place.shown().contains("kernel_weight=1"), "{}", place.shown());
    fs::remove_file(folder.join("127.0.0.1:80")).unwrap();
    place.await_shown("kernel_weight=1");
    // By the name the resolver has for it, wherever that is from.
    if let Ok(host) = dns_lookup::lookup_addr(&[127, 0, 0, 1].into())
        && host != "127.0.0.1"
    {
        fs::write(folder.join(&host), "").unwrap();
        place.await_shown(&format!("held=\"maintenance {host}\""));
    }
    assert_eq!(status(&place.run(&["www", "stop"])), 0);
}

#[test]
fn f21_two_files_of_one_name_are_two_directors() {
    let place = Place::new();
    fs::create_dir_all(place.path("a")).unwrap();
    place.write("a/www.cf", 1);
    place.write("elsewhere/www.cf", 2);
    let a = place.path("a/www.cf").display().to_string();
    assert_eq!(status(&place.run(&[&a, "start"])), 0);
    let first = place.pid("ldirectord.www.cf.pid");
    assert_eq!(status(&place.run(&["www.cf", "status"])), 3);
    assert_eq!(status(&place.run(&["www.cf", "start"])), 0);
    assert_eq!(place.pid("ldirectord.www.cf.pid"), first);
    assert_eq!(status(&place.run(&["www.cf", "stop"])), 0);
    assert_eq!(status(&place.run(&[&a, "status"])), 0);
    assert_eq!(place.pid("ldirectord.www.cf.pid"), first);
    assert_eq!(status(&place.run(&[&a, "stop"])), 0);
}

#[test]
fn k02_a_crash_leaves_a_stale_pid_file_which_is_told_and_taken_over() {
    let place = Place::new();
    place.write("etc/ha.d/www", 1);
    assert_eq!(status(&place.run(&["www", "start"])), 0);
    let pid = place.pid("ldirectord.www.pid").unwrap();
    let target = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
    nix::sys::signal::kill(target, nix::sys::signal::Signal::SIGKILL).unwrap();
    while place.run(&["www", "status"]).status.code() == Some(0) {}
    let stale = place.run(&["www", "status"]);
    assert_eq!(status(&stale), 1);
    let (told, pid_file) = (stderr(&stale), place.path("var/run/ldirectord.www.pid"));
    let config = place.path("etc/ha.d/www");
    let words =
        format!("ldirectord stale pid file {} for {}\n", pid_file.display(), config.display());
    assert_eq!(told, words);
    assert!(stdout(&stale).starts_with("ldirectord is stopped for "));
    assert_eq!(status(&place.run(&["www", "stop"])), 0);
    assert!(pid_file.exists());
    assert_eq!(status(&place.run(&["www", "start"])), 0);
    assert_ne!(place.pid("ldirectord.www.pid"), Some(pid));
    assert_eq!(status(&place.run(&["www", "stop"])), 0);
}

#[test]
fn f20_start_says_why_it_failed() {
    let place = Place::new();
    let missing = place.run(&["www", "start"]);
    assert_eq!((status(&missing), stderr(&missing)), (1, "Config file www not found\n".into()));
    fs::write(place.path("etc/ha.d/www"), "quiescent = maybe\n").unwrap();
    let broken = place.run(&["www", "start"]);
    assert_eq!(status(&broken), 2);
    assert!(stderr(&broken).contains("must be yes or no"));
    // A file without a service is a start, as with ldirectord.
    fs::write(place.path("etc/ha.d/www"), "quiescent = no\n").unwrap();
    let empty = place.run(&["www", "start"]);
    assert_eq!(status(&empty), 0, "{}", stderr(&empty));
    assert_eq!(status(&place.run(&["www", "stop"])), 0);
}

#[test]
fn k02_wrong_usage_is_255_with_the_usage_on_standard_output() {
    let place = Place::new();
    let wrong = place.run(&["-x", "start"]);
    assert_eq!((status(&wrong), stderr(&wrong)), (255, "Unknown option: x\n".into()));
    assert!(stdout(&wrong).starts_with("Usage:"));
    assert_eq!(status(&place.run(&["www"])), 255);
    assert_eq!(status(&place.run(&["-v"])), 0);
    assert_eq!(status(&place.run(&["--help"])), 0);
}
