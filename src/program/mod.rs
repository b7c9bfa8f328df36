//! Running a program of the owner's: never through a shell of ours, with little of our
//! environment, in a process group of its own that ends with whoever holds it.

#![forbid(unsafe_code)]

use std::env;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

/// What a program sees of the director's environment.
const ENVIRONMENT: [&str; 5] = ["HOME", "LANG", "LC_ALL", "PATH", "TZ"];

/// The search path when the director itself has none.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Leaves the program as little of our environment as programs need.
pub(crate) fn plain_environment(command: &mut Command) {
    let known = ENVIRONMENT.iter().filter_map(|name| Some((name, env::var_os(name)?)));
    command.env_clear().env("PATH", PATH).envs(known);
}

/// A running program and all it started; killed when dropped before it has ended. What a program
/// that ended by itself left running is its own affair.
pub(crate) struct Group {
    pub child: Child,
}

impl Group {
    /// Starts the program as the leader of a process group.
    pub fn start(command: &mut Command) -> io::Result<Group> {
        Ok(Group { child: command.process_group(0).kill_on_drop(true).spawn()? })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // While the child is not reaped nobody else can have its number; afterwards there is
        // none to be asked for.
        let leader = self.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(leader) = leader.filter(|&leader| leader > 1) {
            // Fails only when the whole group has ended.
            let _ = killpg(Pid::from_raw(leader), Signal::SIGKILL);
        }
    }
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
