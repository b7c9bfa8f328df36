//! Going on as the program that was installed meanwhile, in this very process.
//!
//! ```text
//! request --> rehearsal, in a child --> stop that keeps the table --> exec --> ordinary start
//! ```
//!
//! What the old program knows it notes, as at any stop; the new one finds the table as it left it
//! and has nothing to write. The process id stays, and so does the control socket: it is handed on
//! as standard input, the one descriptor that a program can take over by safe means, and callers
//! wait in its queue. The locks of the pid files are let go of at the exec and taken again: who
//! grabs one in between finds the socket in use, and goes. A program of the owner's that outlives
//! the stop has nobody to wait for it, and stays a zombie until directord ends.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal, raise};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use super::lock::PidFile;
use crate::api::Listener;
use crate::program;

/// The option of `directord run` with which it only says whether it could start.
pub const REHEARSE: &str = "--rehearse";

/// How long a rehearsal may take: it reads all files and the table, a second for 10,000 services.
const REHEARSAL: Duration = Duration::from_secs(30);

/// Of what a rehearsal complains about, bytes that are told.
const COMPLAINT: u64 = 4096;

/// What ends or reloads us, and would end a program that has not got as far as hearing it.
const SIGNALS: [Signal; 3] = [Signal::SIGHUP, Signal::SIGTERM, Signal::SIGINT];

/// How to begin again as this process was begun.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Again {
    program: PathBuf,
    /// The first is what it was called by.
    words: Vec<OsString>,
}

impl Again {
    /// As this process was. To be asked early: of a file that was replaced the system only knows
    /// that it is gone.
    ///
    /// What it was called by counts before where the file is: it may be a link that is to point
    /// to the next version.
    pub fn of_this_process() -> io::Result<Again> {
        let words = without_role(std::env::args_os());
        let called = words.first().map(PathBuf::from);
        let program = match called.filter(|path| path.is_absolute() && path.is_file()) {
            Some(path) => path,
            None => std::env::current_exe()?,
        };
        Ok(Again { program, words })
    }

    /// Whether the program that is there now could do what this one does; if not, what it says.
    pub(super) async fn rehearse(&self) -> Result<(), String> {
        let named = |why: String| format!("{} cannot go on: {why}", self.program.display());
        let mut command = tokio::process::Command::new(&self.program);
        command.args(self.words.iter().skip(1)).arg(REHEARSE).env_remove("NOTIFY_SOCKET");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child =
            command.kill_on_drop(true).spawn().map_err(|error| named(error.to_string()))?;
        let stderr = child.stderr.take();
        let mut complaint = Vec::new();
        let ended = timeout(REHEARSAL, async {
            if let Some(stderr) = stderr {
                let _ = stderr.take(COMPLAINT).read_to_end(&mut complaint).await;
            }
            child.wait().await
        });
        let ended = ended.await;
        match ended {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => {
                let said = String::from_utf8_lossy(&complaint);
                Err(named(format!("{status}: {}", said.trim())))
            }
            Ok(Err(error)) => Err(named(error.to_string())),
            Err(_) => Err(named(format!("not ready within {} s", REHEARSAL.as_secs()))),
        }
    }

    /// Returns only if that is not possible, with the reason.
    fn exec(&self, program: &Path) -> io::Error {
        let mut command = Command::new(program);
        if let Some((called, words)) = self.words.split_first() {
            command.arg0(called).args(words);
        }
        command.exec()
    }
}

/// Without the role that this program was to begin in: the next goes on in the one that is noted,
/// which may be another by now.
fn without_role(words: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut rest = Vec::new();
    let mut words = words;
    while let Some(word) = words.next() {
        match word.to_str() {
            Some("--role") => drop(words.next()),
            Some(word) if word.starts_with("--role=") => {}
            _ => rest.push(word),
        }
    }
    rest
}

/// A director that has stopped for the next, which is yet to begin.
#[derive(Debug)]
pub struct Handover {
    pub(super) again: Again,
    pub(super) listener: Arc<Listener>,
    /// Their locks go with our descriptors; the files stay, with the right process id.
    pub(super) pid_files: Vec<PidFile>,
    /// Whether somebody wanted us to end since it was decided to go on.
    pub(super) is_to_end: bool,
}

impl Handover {
    /// Becomes the next program. Returns only if that is not possible, with the reason; the table
    /// is then as it was, and nobody looks after it.
    pub fn go(self) -> String {
        let Handover { again, listener, pid_files, is_to_end } = self;
        let _ = program::restore_file_limit();
        // Signals between the two programs wait for the second.
        let held: SigSet = SIGNALS.into_iter().collect();
        let prepared = held.thread_block().map_err(io::Error::from);
        if is_to_end {
            let _ = raise(Signal::SIGTERM);
        }
        let prepared = prepared.and_then(|()| listener.hand_on());
        let refused = match prepared {
            Ok(()) => again.exec(&again.program),
            Err(error) => error,
        };
        tracing::error!(error = %refused, "upgrade: going on as before");
        // Our own program, wherever its file went.
        let error = again.exec(Path::new("/proc/self/exe"));
        // Ours until now.
        drop(pid_files);
        format!("upgrade: {refused}; nor can it go on as before: {error}")
    }
}

/// Hears signals again that were held back while one program became the other.
pub(super) fn hear_signals() {
    let held: SigSet = SIGNALS.into_iter().collect();
    if let Err(error) = held.thread_unblock() {
        tracing::warn!(%error, "signals that were held back stay so");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of a rehearsal of this program, called with these words.
    async fn rehearsed(program: &str, words: &[&str]) -> Result<(), String> {
        let words = words.iter().map(OsString::from).collect();
        Again { program: program.into(), words }.rehearse().await
    }

    #[test]
    fn the_next_program_begins_in_the_role_that_is_noted() {
        let words = ["directord", "run", "--role", "standby", "--table", "memory", "--role=active"];
        let rest = without_role(words.into_iter().map(OsString::from));
        assert_eq!(rest, ["directord", "run", "--table", "memory"]);
    }

    #[tokio::test]
    async fn a_program_that_could_not_start_is_told_by_its_own_words() {
        // What follows the script is its name to the shell.
        let script = |script| ["directord", "-c", script];
        let well = rehearsed("/bin/sh", &script("test $0 = --rehearse")).await;
        assert_eq!(well, Ok(()));
        let unwell = script("echo no such option >&2; exit 2");
        let why = rehearsed("/bin/sh", &unwell).await.unwrap_err();
        assert_eq!(why, "/bin/sh cannot go on: exit status: 2: no such option");
        assert!(rehearsed("/etc/passwd", &["directord"]).await.is_err());
        assert!(rehearsed("/nonexistent", &["directord"]).await.is_err());
    }
}
