//! The socket file: nobody else's from its first moment, gone when its daemon is.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, fchmod};
use nix::unistd::{dup2_stdin, geteuid};
use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use tokio::net::{UnixListener, UnixStream};

/// The control socket, listening. Dropping it removes the file.
#[derive(Debug)]
pub struct Listener {
    inner: UnixListener,
    path: PathBuf,
    /// Whose word counts besides root's.
    uid: u32,
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Should it be gone already, that is what was wanted.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Why the control socket could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error(
        "control socket {}: another directord is listening: stop it, or give this one its own \
         --runtime-dir", .0.display()
    )]
    InUse(PathBuf),
    #[error("control socket {}: there is a file of this name that is no socket: remove it", .0.display())]
    NotASocket(PathBuf),
    #[error("control socket {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// Listens on `path`, with mode 0600. A socket left behind by a daemon that is no more is
/// replaced; one that was [handed on](Listener::hand_on) to us is taken over.
///
/// To be called within a tokio runtime.
pub fn bind(path: &Path) -> Result<Listener, BindError> {
    let io = |source| BindError::Io { path: path.to_owned(), source };
    let listening = match handed_on(path) {
        Some(listening) => listening,
        None => {
            remove_stale(path)?;
            listen(path).map_err(io)?
        }
    };
    let inner = UnixListener::from_std(listening).map_err(io)?;
    Ok(Listener { inner, path: path.to_owned(), uid: geteuid().as_raw() })
}

/// The socket of this path, if the program that this process was before left it as our standard
/// input.
fn handed_on(path: &Path) -> Option<StdListener> {
    let stdin = io::stdin();
    let socket = SockRef::from(&stdin);
    let is_ours = socket.is_listener().unwrap_or(false)
        && socket.local_addr().is_ok_and(|address| address.as_pathname() == Some(path));
    let listening = is_ours.then(|| stdin.as_fd().try_clone_to_owned().ok()).flatten()?;
    // The programs that we start are not to have it.
    let put_away = File::open("/dev/null").and_then(|null| Ok(dup2_stdin(null)?));
    put_away.is_ok().then(|| StdListener::from(listening))
}

fn remove_stale(path: &Path) -> Result<(), BindError> {
    let io = |source| BindError::Io { path: path.to_owned(), source };
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io(error)),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(BindError::NotASocket(path.to_owned()));
        }
        Ok(_) => {}
    }
    match connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(io)
        }
        // A listener whose queue is full answers "would block"; it is alive.
        _ => Err(BindError::InUse(path.to_owned())),
    }
}

/// Never waits, unlike a connect in the ordinary way to a listener that does not accept.
pub(super) fn connect(path: &Path) -> io::Result<()> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&SockAddr::unix(path)?)
}

fn listen(path: &Path) -> io::Result<StdListener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM.cloexec(), None)?;
    // Linux gives the file the mode of the unbound socket, less the umask: so there is no moment
    // at which others could connect, and no need to touch the umask of the whole process.
    fchmod(&socket, Mode::S_IRUSR | Mode::S_IWUSR)?;
    socket.bind(&SockAddr::unix(path)?)?;
    socket.listen(64)?;
    socket.set_nonblocking(true)?;
    Ok(StdListener::from(OwnedFd::from(socket)))
}

impl Listener {
    /// Makes it the standard input of the program that this process becomes next, which takes it
    /// over by [`bind`]; whoever calls meanwhile waits.
    pub fn hand_on(&self) -> io::Result<()> {
        Ok(dup2_stdin(&self.inner)?)
    }

    /// The next caller whom the daemon may listen to; others are hung up on.
    ///
    /// An error is the accept's: most likely there are no file descriptors left.
    pub(super) async fn accept(&self) -> io::Result<UnixStream> {
        loop {
            let (stream, _) = self.inner.accept().await?;
            match stream.peer_cred() {
                Ok(peer) if peer.uid() == 0 || peer.uid() == self.uid => return Ok(stream),
                Ok(peer) => tracing::warn!(uid = peer.uid(), "control socket caller refused"),
                Err(error) => tracing::debug!(%error, "control socket caller gone"),
            }
        }
    }
}
