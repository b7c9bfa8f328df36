//! What a program says, on both its streams, in the order it says it.

use std::io::{self, PipeReader};
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::Signal;
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::Running;

/// Bytes taken from the pipe at once.
const CHUNK: usize = 8 * 1024;

/// What a pipe holds, pipe(7): after a program has ended no more can be its own.
const PIPE: usize = 64 * 1024;

/// What was killed closes the pipe within this, or it was not what holds it.
const DYING: Duration = Duration::from_millis(500);

/// Who still held the output of a program after its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Left {
    Nobody,
    /// Some of its process group; they were killed.
    Killed,
    /// Some that have left its process group. Nobody knows which processes those are.
    OutOfReach,
    /// Some, of its process group or not: that could not be told from others any more.
    LetBe,
}

/// Our end of the one pipe into which a program says everything, and the beginning of what it
/// said. The rest is read and forgotten, so that no program is held up by us.
pub(crate) struct Said {
    /// Until the first look.
    reader: Option<PipeReader>,
    kept: Vec<u8>,
    limit: usize,
    is_cut: bool,
}

impl Said {
    /// Has both streams of the program go into one pipe, of which `limit` bytes are kept.
    pub fn of(command: &mut Command, limit: usize) -> io::Result<Said> {
        let (reader, writer) = io::pipe()?;
        command.stdout(Stdio::from(writer.try_clone()?)).stderr(Stdio::from(writer));
        Ok(Said { reader: Some(reader), kept: Vec::new(), limit, is_cut: false })
    }

    /// Listens until the program has ended, once.
    ///
    /// What it said before its end is in the pipe by then. The pipe itself may stay open: whoever
    /// it left behind can hold it, and is not waited for.
    pub async fn until_end(&mut self, child: &mut Child) -> io::Result<ExitStatus> {
        let Some(pipe) = self.open()? else { return child.wait().await };
        let status = self.listen(&pipe, child.wait()).await?;
        self.drain(&pipe);
        Ok(status)
    }

    /// The same for a program that may leave nobody behind: what is still there in its process
    /// group is killed.
    pub async fn until_whole_end(
        &mut self,
        running: &mut Running,
    ) -> io::Result<(ExitStatus, Rest)> {
        let Some(pipe) = self.open()? else {
            return Ok((running.child.wait().await?, Rest::default()));
        };
        let is_let_be = !self.listen(&pipe, running.ended()).await?;
        let is_held = self.drain(&pipe);
        running.signal(Signal::SIGKILL);
        let status = running.child.wait().await?;
        Ok((status, Rest { pipe: is_held.then_some(pipe), is_let_be }))
    }

    /// The pipe, at the first look.
    fn open(&mut self) -> io::Result<Option<Receiver>> {
        self.reader.take().map(|reader| Receiver::from_owned_fd(reader.into())).transpose()
    }

    async fn listen<T>(
        &mut self,
        pipe: &Receiver,
        end: impl Future<Output = io::Result<T>>,
    ) -> io::Result<T> {
        let (mut is_open, mut end) = (true, pin!(end));
        loop {
            tokio::select! {
                readable = pipe.readable(), if is_open => {
                    is_open = readable.is_ok() && self.take(pipe) != Some(0);
                }
                ended = &mut end => return ended,
            }
        }
    }

    /// Takes what is there, and says whether somebody can still write. Asked of the system itself:
    /// the runtime may not have heard yet of what is there.
    fn drain(&mut self, pipe: &Receiver) -> bool {
        let (mut chunk, mut taken) = ([0; CHUNK], 0);
        loop {
            match nix::unistd::read(pipe, &mut chunk) {
                Ok(0) => return false,
                Ok(length) if taken < PIPE => {
                    self.keep(&chunk[..length]);
                    taken += length;
                }
                Err(Errno::EINTR) => {}
                Ok(_) | Err(_) => return true,
            }
        }
    }

    /// How much there was; `None` when there is nothing just now.
    fn take(&mut self, pipe: &Receiver) -> Option<usize> {
        let mut chunk = [0; CHUNK];
        match pipe.try_read(&mut chunk) {
            Ok(length) => {
                self.keep(&chunk[..length]);
                Some(length)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(_) => Some(0),
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = bytes.len().min(self.limit - self.kept.len());
        self.kept.extend_from_slice(&bytes[..room]);
        self.is_cut |= room < bytes.len();
    }

    /// As it was said, with a remark in its last line where not all of it was kept.
    pub fn into_bytes(mut self) -> Vec<u8> {
        if self.is_cut {
            let remark = format!("\n(cut after {} bytes)\n", self.limit);
            self.kept.extend_from_slice(remark.as_bytes());
        }
        self.kept
    }
}

/// The pipe of a program that has ended, where somebody held it still.
#[derive(Default)]
pub(crate) struct Rest {
    pipe: Option<Receiver>,
    /// Whether its process group could not be killed.
    is_let_be: bool,
}

impl Rest {
    /// Who that was; takes half a second where he stays.
    pub async fn left(self) -> Left {
        let Some(pipe) = self.pipe else { return Left::Nobody };
        let mut chunk = [0; CHUNK];
        // What is said meanwhile is nobody's.
        let closed = async {
            while pipe.readable().await.is_ok() {
                match pipe.try_read(&mut chunk) {
                    Ok(1..) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Ok(0) | Err(_) => return,
                }
            }
        };
        match timeout(DYING, closed).await {
            // Whoever it was has ended by himself.
            Ok(()) if self.is_let_be => Left::Nobody,
            Ok(()) => Left::Killed,
            Err(_) if self.is_let_be => Left::LetBe,
            Err(_) => Left::OutOfReach,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::Group;

    async fn said(script: &str, limit: usize) -> Vec<u8> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).stdin(Stdio::null());
        let mut said = Said::of(&mut command, limit).unwrap();
        let mut child = command.spawn().unwrap();
        // It has spoken and ended before anybody listens: nothing of it is lost.
        while child.id().is_some_and(|id| !ended(id)) {
            tokio::task::yield_now().await;
        }
        assert!(said.until_end(&mut child).await.unwrap().success());
        said.into_bytes()
    }

    fn ended(id: u32) -> bool {
        std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap().contains(") Z ")
    }

    #[tokio::test]
    async fn what_was_said_before_anybody_listened_is_heard() {
        for _ in 0..20 {
            assert_eq!(said("echo a; echo b >&2", 100).await, b"a\nb\n");
        }
        assert_eq!(said("echo 123456", 3).await, b"123\n(cut after 3 bytes)\n");
    }

    #[tokio::test]
    async fn what_is_no_utf_8_is_kept_byte_for_byte() {
        let said = said("head -c 65536 /dev/zero | tr '\\0' '\\377'", 65_536).await;
        assert_eq!(said, [0xff; 65_536]);
    }

    /// As on a kernel that has no pidfds: nobody was killed, and nobody said to have left.
    #[tokio::test]
    async fn who_could_not_be_killed_is_said_to_be_let_be() {
        let rest = || {
            let (reader, writer) = io::pipe().unwrap();
            let pipe = Receiver::from_owned_fd(reader.into()).unwrap();
            (Rest { pipe: Some(pipe), is_let_be: true }, writer)
        };
        let (stays, _writer) = rest();
        assert_eq!(stays.left().await, Left::LetBe);
        let (goes, writer) = rest();
        drop(writer);
        assert_eq!(goes.left().await, Left::Nobody);
    }

    /// Nobody has to have read a full pipe for its end to be seen.
    #[tokio::test]
    async fn a_program_that_fills_the_pipe_and_ends_leaves_nobody_behind() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "exec head -c 65536 /dev/zero"]).stdin(Stdio::null());
        let mut said = Said::of(&mut command, 10).unwrap();
        let mut group = Group::start(command, None).await.unwrap();
        let pid = group.running().child.id().unwrap();
        while !ended(pid) {
            tokio::task::yield_now().await;
        }
        let pipe = said.open().unwrap().unwrap();
        assert!(!said.drain(&pipe));
        drop(pipe);
        assert!(group.running().child.wait().await.unwrap().success());
    }
}
