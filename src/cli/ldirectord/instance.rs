//! One director: whether it runs, starting it, having it stop.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::places::Places;
use super::{SERVE, status};
use crate::alert::hands::open_log;
use crate::api::Client;
use crate::cli::monitor;
use crate::cli::started::{LOOK, PATIENCE, Started, last_words, until_running, until_settled};

/// How long `status` waits for an answer, twice at most: the cluster's agent gives up after 10 s.
const STATUS_PATIENCE: Duration = Duration::from_secs(3);

/// Whether a director runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Running {
        /// `None` in the instant before it is written.
        pid: Option<u32>,
    },
    Stopped,
    /// Stopped, and its pid file is still there.
    Stale,
}

impl Places {
    fn client(&self) -> Client {
        Client::new(&self.runtime_dir)
    }

    /// Whether the director of these places runs. Reads no configuration.
    pub(super) fn state(&self) -> State {
        let own = self.runtime_dir.join("directord.pid");
        let pid = read_pid(&own);
        if self.client().is_running() || is_locked(&own) {
            return State::Running { pid };
        }
        // A locked one is another director's, of the same name.
        match self.pid_file.exists() && !is_locked(&self.pid_file) {
            true => State::Stale,
            false => State::Stopped,
        }
    }

    fn runs(&self) -> bool {
        matches!(self.state(), State::Running { .. })
    }

    /// Waits for a director that another start brings up.
    fn until_other_runs(&self) -> io::Result<Started> {
        let end = Instant::now() + PATIENCE;
        loop {
            match until_running(None, &self.client())? {
                // It has its pid file, and cannot be asked yet.
                Started::Ended(_) if self.runs() && Instant::now() < end => sleep(LOOK),
                other => return Ok(other),
            }
        }
    }

    /// What keeps the one that runs from its work, if something does.
    pub(super) fn ailment(&self) -> Option<String> {
        monitor::ailment(&self.client(), STATUS_PATIENCE)
    }

    /// A process that calls itself ldirectord and is none of ours, by the pid file.
    pub(super) fn stranger(&self) -> Option<u32> {
        if is_locked(&self.pid_file) {
            return None;
        }
        let pid = read_pid(&self.pid_file)?;
        let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let named = command.windows(10).any(|word| word == b"ldirectord");
        (named && pid != std::process::id()).then_some(pid)
    }

    /// The pid file to write: ldirectord's, unless another director holds it.
    pub(super) fn free_pid_file(&self) -> &Path {
        match is_locked(&self.pid_file) {
            true => &self.second_pid_file,
            false => &self.pid_file,
        }
    }

    /// Has it stop, and waits until it is gone. `keep` leaves the services in the kernel.
    pub(super) fn stop(&self, keep: bool) -> Result<(), String> {
        let State::Running { pid } = self.state() else { return Ok(()) };
        if let Err(error) = self.client().stop(keep) {
            // It may hang, or just now go; a signal reaches it all the same.
            let Some(pid) = pid.and_then(|pid| i32::try_from(pid).ok()) else {
                return Err(error.to_string());
            };
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let end = Instant::now() + PATIENCE;
        while self.runs() || pid.is_some_and(is_alive) {
            if Instant::now() > end {
                return Err(format!("it does not end within {} s", PATIENCE.as_secs()));
            }
            sleep(LOOK);
        }
        Ok(())
    }

    /// Reads the files again; what stands in the way is told with the exit status for it.
    pub(super) fn reload(&self) -> Result<(), (u8, String)> {
        // Run as ldirectord it holds no reload, however much that removes.
        let report = self.client().reload(false).map_err(|e| (status::FAILED, e.to_string()))?;
        match report.rejected.first() {
            Some(file) => Err((status::CONFIG, file.diagnostics.clone())),
            None => Ok(()),
        }
    }

    /// Starts the daemon and waits until its services are in the kernel.
    ///
    /// `log` is the file for what it says besides its own log. The words are remarks on a daemon
    /// that runs, or why there is none.
    pub(super) fn start(
        &self,
        programme: &Path,
        config: Option<&Path>,
        log: Option<&Path>,
    ) -> Result<Vec<String>, (u8, String)> {
        let failed = |error: io::Error| (status::FAILED, format!("start: {error}"));
        let mut child = spawn(programme, config, log).map_err(failed)?;
        let mut started = until_running(Some(&mut child), &self.client()).map_err(failed)?;
        if matches!(started, Started::Ended(Some(_))) && self.runs() {
            // Another start was quicker: what it brings up is what was asked for.
            started = self.until_other_runs().map_err(failed)?;
        }
        match started {
            Started::Running => Ok(until_settled(&self.client())),
            Started::Ended(code) => Err((code.unwrap_or(status::FAILED), last_words(&mut child))),
            Started::Late => {
                let seconds = PATIENCE.as_secs();
                Err((status::FAILED, format!("not ready after {seconds} s")))
            }
        }
    }
}

/// Calls this program again. Its command line is `PROGRAM CONFIG start`, which the cluster's
/// agents look for, and what tells it apart comes after.
///
/// Its standard output is for its last words, should it not get as far as its own log; what it
/// writes to standard error belongs into the log as well, if that is a file.
fn spawn(programme: &Path, config: Option<&Path>, log: Option<&Path>) -> io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg0(programme).args(config).arg("start").arg(SERVE);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log.map_or_else(Stdio::null, to_end_of));
    command.spawn()
}

fn to_end_of(log: &Path) -> Stdio {
    open_log(log).map_or_else(|_| Stdio::null(), Stdio::from)
}

pub(super) fn is_writable(log: &Path) -> bool {
    open_log(log).is_ok()
}

/// Whether a living process holds the lock of this pid file.
fn is_locked(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    // Shared, and let go at once: several may ask at a time.
    matches!(file.try_lock_shared(), Err(fs::TryLockError::WouldBlock))
}

/// Whether the process is there and no zombie. Its last lock goes a moment before it does.
fn is_alive(pid: u32) -> bool {
    fs::read_link(format!("/proc/{pid}/exe")).is_ok()
}

fn read_pid(path: &Path) -> Option<u32> {
    let mut text = String::new();
    File::open(path).ok()?.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok().filter(|pid| *pid != 0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_log_that_is_a_fifo_nobody_reads_holds_up_no_start() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(!is_writable(&fifo));
        let log = folder.path().join("log");
        assert!(is_writable(&log));
        let mode = fs::metadata(&log).unwrap().permissions().mode();
        assert_eq!(mode & 0o137, 0, "{mode:o}");
    }
}
