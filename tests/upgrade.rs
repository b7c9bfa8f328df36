//! `directord upgrade`: one process, two programs, and nobody who calls in vain.

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use directord::api::{Client, socket_path};
use directord::model::{Phase, Vitals};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A daemon with a table in memory, started as `directord` in a folder of its own.
struct Daemon {
    at: TempDir,
    child: Child,
}

impl Daemon {
    fn start(more: &[&str]) -> Daemon {
        let at = TempDir::new().unwrap();
        let path = |name: &str| at.path().join(name);
        std::fs::create_dir(path("conf.d")).unwrap();
        let text = "virtual: 192.0.2.1:80\nreal: [127.0.0.1, 127.0.0.2]\ncheck: on\n";
        std::fs::write(path("conf.d/a.yaml"), text).unwrap();
        symlink(env!("CARGO_BIN_EXE_directord"), path("directord")).unwrap();
        let log = std::fs::File::create(path("log")).unwrap();
        let mut command = Command::new(path("directord"));
        command
            .args(["run", "--table", "memory", "--config", "conf.d", "--runtime-dir", "run"])
            .args(["--state-dir", "state"])
            .args(more)
            .env_clear()
            .current_dir(at.path())
            .stdin(Stdio::piped())
            .stderr(log);
        let child = command.spawn().unwrap();
        let daemon = Daemon { at, child };
        let end = Instant::now() + PATIENCE;
        while !daemon.vitals().is_some_and(|vitals| vitals.phase == Phase::Running) {
            assert!(Instant::now() < end, "{}", daemon.log());
            thread::sleep(Duration::from_millis(10));
        }
        daemon
    }

    fn run_dir(&self) -> PathBuf {
        self.at.path().join("run")
    }

    fn vitals(&self) -> Option<Vitals> {
        Client::new(&self.run_dir()).vitals(PATIENCE).ok()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.at.path().join("log")).unwrap_or_default()
    }

    /// Exit status and words of a subcommand.
    fn tell(&self, words: &[&str]) -> (Option<i32>, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_directord"));
        command.env_clear().args(words).arg("--runtime-dir").arg(self.run_dir());
        let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().unwrap();
        (status.code(), String::from_utf8([stdout, stderr].concat()).unwrap())
    }

    /// Puts this script in the place of the program.
    fn install(&self, script: &str) {
        // By another process: a program that somebody has open for writing is busy, and so it is
        // while children of ours, in other tests, have what we had open.
        let mut shell = Command::new("sh");
        shell.args(["-c", "printf %s \"$1\" >new && chmod 755 new && mv new directord", "sh"]);
        assert!(shell.arg(script).current_dir(self.at.path()).status().unwrap().success());
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        if thread::panicking() {
            eprintln!("directord's log:\n{}", self.log());
        }
    }
}

/// Does this again and again beside the test, with pauses, until told to end.
fn beside(
    ended: &Arc<AtomicBool>,
    pause: Duration,
    mut work: impl FnMut() + Send + 'static,
) -> thread::JoinHandle<u32> {
    let ended = ended.clone();
    thread::spawn(move || {
        let mut times = 0;
        while !ended.load(Ordering::Relaxed) {
            work();
            times += 1;
            thread::sleep(pause);
        }
        times
    })
}

#[test]
fn an_upgrade_keeps_process_socket_and_drains_and_no_caller_or_signal_is_lost() {
    let daemon = Daemon::start(&[]);
    assert_eq!(daemon.tell(&["drain", "127.0.0.2:80"]).0, Some(0));
    let ended = Arc::new(AtomicBool::new(false));
    let socket = socket_path(&daemon.run_dir());
    let ms = Duration::from_millis;
    let call = move || drop(UnixStream::connect(&socket).expect("a listener"));
    let calls = beside(&ended, ms(1), call);
    let pid = daemon.pid();
    // Of a program that does not listen to it, it is the end.
    let hangups = beside(&ended, ms(10), move || kill(pid, Signal::SIGHUP).expect("a process"));
    for _ in 0..3 {
        let before = Instant::now();
        let (status, said) = daemon.tell(&["upgrade"]);
        assert_eq!(status, Some(0), "{said}");
        assert!(said.starts_with("upgraded: directord "), "{said}");
        assert!(said.ends_with(&format!(", pid {pid}\n")), "{said}");
        let vitals = daemon.vitals().expect("an answer");
        assert!(vitals.up_seconds < before.elapsed().as_secs_f64(), "{vitals:?}");
    }
    ended.store(true, Ordering::Relaxed);
    assert!(calls.join().expect("every call is taken") > 10);
    assert!(hangups.join().expect("it lives") > 10);
    let status = daemon.tell(&["status"]).1;
    let drained = |line: &&str| line.contains("127.0.0.2:80") && line.contains("drain");
    assert!(status.lines().any(|line| drained(&line)), "{status}");
    // It is a director like any other.
    assert_eq!(daemon.tell(&["stop"]), (Some(0), "stopped\n".into()));
    assert!(!socket_path(&daemon.run_dir()).exists());
    assert!(!daemon.run_dir().join("directord.pid").exists());
}

#[test]
fn a_program_that_cannot_go_on_leaves_the_old_one_at_work() {
    let daemon = Daemon::start(&[]);
    daemon.install("#!/bin/sh\necho error: unexpected argument >&2\nexit 2\n");
    let (status, said) = daemon.tell(&["upgrade"]);
    assert_eq!(status, Some(5), "{said}");
    assert!(said.contains("cannot go on: exit status: 2: error: unexpected argument"), "{said}");
    std::fs::remove_file(daemon.at.path().join("directord")).unwrap();
    let (status, said) = daemon.tell(&["upgrade"]);
    assert_eq!(status, Some(5), "{said}");
    assert_eq!(daemon.tell(&["monitor"]).0, Some(0));
}

/// A start takes the files as they are, and what would go is what the guard holds.
#[test]
fn a_held_reload_stands_in_the_way_of_an_upgrade() {
    let daemon = Daemon::start(&[]);
    let more = daemon.at.path().join("conf.d/b.yaml");
    let service = |n| format!("- virtual: 192.0.2.1:{n}\n  real: [127.0.0.1]\n  check: on\n");
    std::fs::write(&more, (81..90).map(service).collect::<String>()).unwrap();
    assert_eq!(daemon.tell(&["reload"]).0, Some(0));
    std::fs::remove_file(&more).unwrap();
    assert_eq!(daemon.tell(&["reload"]).0, Some(5));
    let (status, said) = daemon.tell(&["upgrade"]);
    assert_eq!(status, Some(5), "{said}");
    assert!(said.contains("a reload is held"), "{said}");
}

/// It passes the rehearsal, and is gone when it matters.
#[test]
fn a_program_that_cannot_be_started_after_all_is_made_up_for_by_the_old_one() {
    let daemon = Daemon::start(&[]);
    daemon.install("#!/bin/sh\nrm -- \"$0\"\n");
    let (status, said) = daemon.tell(&["upgrade"]);
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(daemon.tell(&["monitor"]).0, Some(0));
    assert!(daemon.log().contains("upgrade: going on as before"), "{}", daemon.log());
}

#[test]
fn a_director_that_its_input_ends_cannot_go_on_as_another() {
    let daemon = Daemon::start(&["--until-input-ends"]);
    let (status, said) = daemon.tell(&["upgrade"]);
    assert_eq!(status, Some(5), "{said}");
    assert!(said.contains("--keep"), "{said}");
    assert_eq!(daemon.tell(&["monitor"]).0, Some(0));
}
