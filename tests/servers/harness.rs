//! Start a real server, wait until it answers, ask it, end it.

use std::fs::File;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use directord::model::{CheckSpec, Endpoint, Outcome, Probe};
use directord::probe::Prober;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, Uid};
use tempfile::TempDir;

/// How long a server may take to answer its first question, on a slow and busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A probe's time against a server that should answer.
const PLENTY_MS: u64 = 20_000;

/// The search path of a user often lacks where servers are.
const FOLDERS: &[&str] = &["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];

/// The program's path, if it is installed.
///
/// A missing one is said, and is a failed test where everything is to be tested: `make test`
/// sets `DIRECTORD_COMPLETE`.
pub fn installed(program: &str, package: &str) -> Option<PathBuf> {
    let found = FOLDERS.iter().map(|folder| Path::new(folder).join(program)).find(|p| p.exists());
    if found.is_none() {
        leave_out(program, &format!("install the package {package}"));
    }
    found
}

/// Whether this file of a package is installed; a missing one as in [`installed`].
pub fn is_there(path: &str, package: &str) -> bool {
    let is_there = Path::new(path).exists();
    if !is_there {
        leave_out(path, &format!("install the package {package}"));
    }
    is_there
}

/// Whether this is root, whom some servers want to be started by.
pub fn root(program: &str) -> bool {
    let root = Uid::effective().is_root();
    if !root {
        leave_out(program, "it must be started by root");
    }
    root
}

fn leave_out(program: &str, why: &str) {
    assert!(std::env::var_os("DIRECTORD_COMPLETE").is_none(), "{program}: {why}");
    // Not by eprintln!, which the test harness keeps to itself for tests that pass.
    let line = format!("tests of {program} left out: {why}\n");
    std::io::stderr().write_all(line.as_bytes()).ok();
}

/// A port of 127.0.0.1 that nobody listens on, by TCP or by UDP.
///
/// Below the range the kernel takes for outgoing connections, and no two tests of one process
/// get the same; two processes begin at different places.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 1000).expect("less than 1000");
    for _ in 0..20_000 {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 10_000 + (start.wrapping_mul(20).wrapping_add(step)) % 20_000;
        let place = (Ipv4Addr::LOCALHOST, port);
        if TcpListener::bind(place).is_ok() && UdpSocket::bind(place).is_ok() {
            return port;
        }
    }
    panic!("no free port from 10000 to 29999");
}

/// Where a server of this port is.
pub fn at(port: u16) -> Endpoint {
    Endpoint::new(Ipv4Addr::LOCALHOST.into(), port)
}

/// A folder that every user may look into: servers give up the rights they were started with.
pub fn folder() -> TempDir {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).expect("permissions");
    folder
}

/// A certificate for `www.lab.test` and its key, as `certificate` and `key` in the folder.
pub fn certificate(folder: &Path) {
    let made = rcgen::generate_simple_self_signed(["www.lab.test".to_owned()]).expect("a key pair");
    std::fs::write(folder.join("certificate"), made.cert.pem()).expect("a certificate");
    std::fs::write(folder.join("key"), made.signing_key.serialize_pem()).expect("a key");
}

/// A server and all the processes it started; they end with this value.
pub struct Daemon {
    child: Child,
    folder: TempDir,
}

impl Daemon {
    /// Starts the server in a process group of its own; what it says goes to `log` in `folder`.
    pub fn start(folder: TempDir, mut command: Command) -> Daemon {
        let log = File::create(folder.path().join("log")).expect("a log file");
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log file"))
            .stderr(log)
            .process_group(0);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Daemon { child, folder }
    }

    /// Waits until the server passes this probe.
    pub fn passing(self, endpoint: Endpoint, probe: &Probe) -> Daemon {
        self.until(|| match ask_within(endpoint, probe.clone(), 2000) {
            Outcome::Pass => Ok(()),
            other => Err(format!("{other:?}")),
        })
    }

    /// Waits until `ready` says so; its error is the reason for the log.
    pub fn until(mut self, mut ready: impl FnMut() -> Result<(), String>) -> Daemon {
        let began = Instant::now();
        while let Err(why) = ready() {
            let ended = self.child.try_wait().expect("a child can be waited for");
            assert!(ended.is_none(), "the server ended, {ended:?}: {}", self.log());
            let late = began.elapsed() > PATIENCE;
            assert!(!late, "not ready within {PATIENCE:?}: {why}: {}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        self
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What the server said so far.
    pub fn log(&self) -> String {
        let text = std::fs::read(self.folder().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Stops every process of the server where it is: the kernel still takes connections and
    /// datagrams, and nobody answers.
    pub fn freeze(&self) {
        killpg(self.group(), Signal::SIGSTOP).expect("the server runs");
        // The signal is sent, not yet obeyed: a thread that runs may still answer a question.
        let stopped = waitpid(self.group(), Some(WaitPidFlag::WUNTRACED));
        assert!(matches!(stopped, Ok(WaitStatus::Stopped(..))), "{stopped:?}: {}", self.log());
        // Nor have the processes it started.
        let began = Instant::now();
        while any_moves(self.group()) {
            assert!(began.elapsed() < PATIENCE, "still running: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn group(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // A group that is gone already needs no killing.
        let _ = killpg(self.group(), Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

/// Whether a process of this group is neither stopped nor dead.
fn any_moves(group: Pid) -> bool {
    let processes = std::fs::read_dir("/proc").expect("a list of processes");
    processes.flatten().any(|process| {
        let state = std::fs::read_to_string(process.path().join("stat")).unwrap_or_default();
        // State, parent and group follow the name, which may itself have brackets in it.
        let mut words = state.rsplit(')').next().unwrap_or_default().split_whitespace();
        let (state, its_group) = (words.next(), words.nth(1));
        its_group == Some(group.to_string().as_str()) && !matches!(state, Some("T" | "Z"))
    })
}

/// Runs a program that ends by itself, such as one that prepares a server's files.
pub fn run(command: &mut Command) {
    run_with_input(command, Path::new("/dev/null"));
}

/// The same with a file on its standard input.
pub fn run_with_input(command: &mut Command, file: &Path) {
    let input = File::open(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let said = command.stdin(input).output();
    let said = said.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&said.stdout), text(&said.stderr));
    assert!(said.status.success(), "{command:?}: {}: {out}{err}", said.status);
}

/// To run a program as root that finds `ours` where it looks for the folder or file `place`,
/// which nobody else sees.
pub fn instead(ours: &Path, place: &str, program: &Path) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c", r#"mount --bind "$0" "$1" && shift && exec "$@""#])
        .arg(ours)
        .arg(place)
        .arg(program);
    command
}

/// The outcome of one probe that has plenty of time.
pub fn ask(endpoint: Endpoint, probe: Probe) -> Outcome {
    ask_within(endpoint, probe, PLENTY_MS)
}

/// The outcome of one probe that has this many milliseconds, and keeps to them.
pub fn ask_within(endpoint: Endpoint, probe: Probe, timeout_ms: u64) -> Outcome {
    let second = Duration::from_secs(1);
    let timeout = Duration::from_millis(timeout_ms);
    let (rise, fall) = (1, 1);
    let check =
        CheckSpec { probe, interval: second, retry: second, timeout, rise, fall, between: None };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let began = Instant::now();
    let prober = Prober::new();
    let outcome = runtime.expect("a runtime").block_on(prober.probe(endpoint, &check));
    let late = began.elapsed() > timeout + Duration::from_secs(5);
    assert!(!late, "{outcome:?} after {:?}", began.elapsed());
    outcome
}

/// The reason of a failure that was expected.
pub fn reason(outcome: Outcome) -> String {
    match outcome {
        Outcome::Fail(reason) => reason,
        other => panic!("a failure was expected: {other:?}"),
    }
}
