//! Running a program of the owner's: never through a shell of ours, in a process group of its
//! own that ends with whoever holds it, or is let go of.
//!
//! What owners' programs do is theirs to say, and so is what they need for it: they see the
//! director's environment, as ldirectord's do (`ORACLE_HOME`, a proxy, a locale). What the host
//! told the director about itself alone they do not see.

#![forbid(unsafe_code)]

mod limits;
mod output;
#[cfg(test)]
mod tests;
mod turns;

use std::env;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use rustix::process::{PidfdFlags, pidfd_open};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;

pub(crate) use limits::{raise_file_limit, restore_file_limit};
pub(crate) use output::{Left, Said};
#[cfg(test)]
pub(crate) use tests::Stuck;
pub(crate) use turns::{NoTurn, Turn, Turns};

/// What programs of the system see of the director's environment.
const PLAIN: [&str; 5] = ["HOME", "LANG", "LC_ALL", "PATH", "TZ"];

/// What systemd says to the director: a child that repeats it would speak in its name.
const OUR_OWN: [&str; 6] = [
    "NOTIFY_SOCKET",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_PID",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

/// The search path when the director itself has none.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How long a program that was told to end has for it, and all it started.
const GRACE: Duration = Duration::from_millis(500);

/// Leaves the program as little of our environment as programs need.
pub(crate) fn plain_environment(command: &mut Command) {
    let known = PLAIN.iter().filter_map(|name| Some((name, env::var_os(name)?)));
    command.env_clear().env("PATH", PATH).envs(known);
}

/// Gives the program our environment, but for what is said to us alone.
pub(crate) fn own_environment(command: &mut Command) {
    for name in OUR_OWN {
        command.env_remove(name);
    }
    if env::var_os("PATH").is_none() {
        command.env("PATH", PATH);
    }
}

/// A running program and all it started. Dropped before the program has ended it tells them to
/// end, and kills what has not a moment later, or when the runtime ends; but for one that was
/// [released](Group::release). What a program that ended by itself left running is its own affair,
/// but for a [monitor's](Said::until_whole_end).
pub(crate) struct Group {
    /// There until the drop.
    running: Option<Running>,
}

/// A program, and our ends of its pipes: they stay open for as long as it may still speak.
pub(crate) struct Running {
    pub child: Child,
    pub stdin: Option<ChildStdin>,
    pub stdout: Option<ChildStdout>,
    pub stderr: Option<ChildStderr>,
    released: bool,
    _place: Option<OwnedSemaphorePermit>,
}

impl Group {
    /// Starts the program as the leader of a process group; it holds the place until it is gone.
    ///
    /// On a thread that may block: a file on a disk that hangs would hang whoever runs it. Who
    /// stops waiting leaves that thread, and the place, behind.
    pub async fn start(
        mut command: Command,
        place: Option<OwnedSemaphorePermit>,
    ) -> io::Result<Group> {
        let started = tokio::task::spawn_blocking(move || {
            let mut child = command.process_group(0).spawn()?;
            limits::give_back(&child);
            let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
            let stderr = child.stderr.take();
            let running = Running { child, stdin, stdout, stderr, released: false, _place: place };
            Ok(Group { running: Some(running) })
        });
        started.await.unwrap_or_else(|_| Err(io::Error::other("the start was broken off")))
    }

    /// Lets go of the program, which ends when it likes.
    pub fn release(mut self) {
        if let Some(mut running) = self.running.take() {
            running.released = true;
        }
    }

    pub fn running(&mut self) -> &mut Running {
        self.running.as_mut().expect("a group that was not dropped is there")
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let Some(running) = self.running.take().filter(|running| running.leader().is_some()) else {
            return;
        };
        running.signal(Signal::SIGTERM);
        // Nobody asks for its end meanwhile, so its number stays its own. Where there is no
        // runtime any more there is no time either.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                tokio::time::sleep(GRACE).await;
                drop(running);
            });
        }
    }
}

impl Running {
    /// While the child is not reaped nobody else can have its number; afterwards there is none
    /// to be asked for.
    fn leader(&self) -> Option<Pid> {
        let leader = self.child.id().and_then(|id| i32::try_from(id).ok());
        leader.filter(|&leader| leader > 1).map(Pid::from_raw)
    }

    /// Waits until the program has ended, but leaves it its number, by which its group can still be
    /// told from any other; false where that could not be.
    #[expect(deprecated, reason = "its successor is unsafe to call; an OwnedFd is safe in either")]
    async fn ended(&mut self) -> io::Result<bool> {
        let leader =
            self.leader().and_then(|leader| rustix::process::Pid::from_raw(leader.as_raw()));
        match leader.map(|leader| pidfd_open(leader, PidfdFlags::empty())) {
            Some(Ok(pidfd)) => {
                let pidfd = AsyncFd::with_interest(pidfd, Interest::READABLE)?;
                pidfd.readable().await.map(|_| true)
            }
            // Kernels before 5.3 have none, or we no descriptor: its number is lost, and its group
            // let be.
            Some(Err(_)) | None => self.child.wait().await.map(|_| false),
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(leader) = self.leader() {
            // Fails only when the whole group has ended.
            let _ = killpg(leader, signal);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.released {
            self.signal(Signal::SIGKILL);
        }
    }
}

/// Whether a program was not started for want of something of the director's, and not for what
/// it is.
pub(crate) fn is_shortage(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error().map(Errno::from_raw),
        Some(Errno::EAGAIN | Errno::ENOMEM | Errno::EMFILE | Errno::ENFILE)
    )
}

/// How a program ended: `exit status 3`, `killed by SIGSEGV`.
pub(crate) fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => {
            let name = Signal::try_from(signal).map_or("a signal", Signal::as_str);
            format!("killed by {name}")
        }
        (None, None) => "ended oddly".to_owned(),
    }
}
