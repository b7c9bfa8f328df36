//! The limit of open files: raised for the director, and as it was for what it starts.
//!
//! A program that closes whatever it may have open, or keeps a table of it, counts up to the
//! limit: with the director's own it would be busy for minutes.

use std::sync::OnceLock;

use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};
use rustix::process::{Pid, Rlimit, prlimit};
use tokio::process::Child;

/// What the director was started with.
static ORIGINAL: OnceLock<rlim_t> = OnceLock::new();

/// A check in flight has a descriptor or two, and there may be as many as there are servers.
pub(crate) fn raise_file_limit() -> nix::Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    ORIGINAL.get_or_init(|| soft);
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
}

/// Takes back what was raised: for the program that this process becomes, and its children.
pub(crate) fn restore_file_limit() -> nix::Result<()> {
    let Some(&soft) = ORIGINAL.get() else { return Ok(()) };
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard)
}

/// Gives a program that was just started the limit that it would have without us.
///
/// From outside: between fork and exec nothing can be done without unsafe code, and a program
/// before it, `prlimit`, would hide whether this one could be started. We go on at the exec, when
/// the program has yet to be linked. One of another user is not ours to change where the director
/// may not do all that root may: it keeps the director's limit.
pub(super) fn give_back(child: &Child) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let (Some(pid), Some(&soft)) = (pid, ORIGINAL.get()) else { return };
    let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    let files = Rlimit { current: Some(soft), maximum: Some(hard) };
    let _ = prlimit(Some(pid), rustix::process::Resource::Nofile, files);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::Group;
    use std::process::Stdio;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::process::Command;

    #[tokio::test]
    async fn a_program_has_the_limit_of_open_files_that_the_director_was_started_with() {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, soft - 1, hard).unwrap();
        raise_file_limit().unwrap();
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).unwrap(), (hard, hard));
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "read go; ulimit -Sn; ulimit -Hn"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut group = Group::start(command, None).await.unwrap();
        let running = group.running();
        running.stdin.take().unwrap().write_all(b"go\n").await.unwrap();
        let mut said = String::new();
        running.stdout.take().unwrap().read_to_string(&mut said).await.unwrap();
        let original = *ORIGINAL.get().unwrap();
        assert_eq!(said, format!("{original}\n{hard}\n"));
        restore_file_limit().unwrap();
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).unwrap(), (original, hard));
    }
}
