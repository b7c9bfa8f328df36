//! `directord monitor` and the watchdog, on a daemon that is frozen whole or in part.

use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};
use tempfile::TempDir;

/// How often the watchdog insists on hearing of the daemon.
const PERIOD: Duration = Duration::from_secs(1);

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A daemon with a table in memory, and its service manager: us.
struct Daemon {
    at: TempDir,
    manager: UnixDatagram,
    child: Child,
    /// Whoever waits for the daemon.
    waiting: Vec<Child>,
}

impl Daemon {
    fn start() -> Daemon {
        let at = TempDir::new().unwrap();
        let path = |name: &str| at.path().join(name);
        std::fs::create_dir(path("conf.d")).unwrap();
        let text = "virtual: 192.0.2.1:80\nreal: [127.0.0.1, 127.0.0.2]\ncheck: on\n";
        std::fs::write(path("conf.d/a.yaml"), text).unwrap();
        let manager = UnixDatagram::bind(path("notify")).unwrap();
        manager.set_read_timeout(Some(PERIOD)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_directord"));
        command
            .args(["run", "--table", "memory", "--config", "conf.d", "--runtime-dir", "run"])
            .args(["--state-dir", "state"])
            .env_clear()
            .env("NOTIFY_SOCKET", path("notify"))
            .env("WATCHDOG_USEC", PERIOD.as_micros().to_string())
            .current_dir(at.path())
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        let child = command.spawn().unwrap();
        let daemon = Daemon { at, manager, child, waiting: Vec::new() };
        daemon.hears("READY=1");
        daemon
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_directord"));
        command.env_clear().args(words).arg("--runtime-dir").arg(self.at.path().join("run"));
        command.stdin(Stdio::null());
        command
    }

    /// Exit status and words of `monitor`, and how long it took.
    fn monitor(&self, timeout: &str) -> (Option<i32>, String, Duration) {
        let asked = Instant::now();
        let output = self.command(&["monitor", "--timeout", timeout]).output().unwrap();
        let Output { status, stdout, stderr } = output;
        let said = [stdout, stderr].concat();
        (status.code(), String::from_utf8(said).unwrap(), asked.elapsed())
    }

    /// Waits until the manager hears this.
    fn hears(&self, word: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.next().is_some_and(|said| said.lines().any(|line| line == word)) {
            assert!(Instant::now() < end, "not heard: {word}");
        }
    }

    /// What the manager hears next, if that comes within a period.
    fn next(&self) -> Option<String> {
        let mut buffer = [0; 4096];
        let length = self.manager.recv(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
    }

    /// Whether it falls silent: nothing is heard for a whole period.
    fn falls_silent(&self, within: Duration) -> bool {
        let end = Instant::now() + within;
        while self.next().is_some() {
            if Instant::now() > end {
                return false;
            }
        }
        true
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        for child in self.waiting.iter_mut().chain([&mut self.child]) {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

#[test]
fn a_frozen_process_is_noticed_by_monitor_and_within_two_periods_by_the_watchdog() {
    let daemon = Daemon::start();
    let (status, said, _) = daemon.monitor("20s");
    assert_eq!(status, Some(0), "{said}");
    assert!(said.starts_with("OK: directord ") && said.contains("is running"), "{said}");
    daemon.hears("WATCHDOG=1");

    daemon.signal(Signal::SIGSTOP);
    assert!(daemon.falls_silent(2 * PERIOD));
    let (status, said, took) = daemon.monitor("500ms");
    assert_eq!(status, Some(1), "{said}");
    assert!(said.starts_with("directord: unwell: no answer within 500ms"), "{said}");
    assert!(took < PATIENCE, "{took:?}");

    daemon.signal(Signal::SIGCONT);
    let (status, said, _) = daemon.monitor("20s");
    assert_eq!(status, Some(0), "{said}");
    daemon.hears("WATCHDOG=1");
}

/// The loop turns and answers; only nothing it decides reaches the table any more.
#[test]
fn a_thread_that_hangs_is_noticed_by_monitor_and_within_two_periods_by_the_watchdog() {
    let mut daemon = Daemon::start();
    daemon.hears("WATCHDOG=1");
    // The operator's word is to be noted before the table is written, and the disk hangs.
    mkfifo(&daemon.at.path().join("run/.health.new"), Mode::S_IRWXU).unwrap();
    let mut drain = daemon.command(&["drain", "127.0.0.2:80"]);
    daemon.waiting.push(drain.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());

    let end = Instant::now() + PATIENCE;
    let mut said = String::new();
    while !said.contains("the thread that talks to the kernel has not come back") {
        assert!(Instant::now() < end, "{said}");
        let found = daemon.monitor("20s");
        assert!(matches!(found.0, Some(0 | 1)), "{found:?}");
        said = found.1;
    }
    assert!(daemon.falls_silent(2 * PERIOD));
}

#[test]
fn a_daemon_that_is_gone_is_3() {
    let mut daemon = Daemon::start();
    daemon.child.kill().unwrap();
    daemon.child.wait().unwrap();
    let (status, said, _) = daemon.monitor("20s");
    assert_eq!(status, Some(3), "{said}");
}
