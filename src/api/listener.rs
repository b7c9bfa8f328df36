//! The socket file: nobody else's from its first moment, gone when its daemon is.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, fchmod};
use nix::unistd::geteuid;
use socket2::{Domain, SockAddr, Socket, Type};
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
/// replaced.
///
/// To be called within a tokio runtime.
pub fn bind(path: &Path) -> Result<Listener, BindError> {
    let io = |source| BindError::Io { path: path.to_owned(), source };
    remove_stale(path)?;
    let inner = UnixListener::from_std(listen(path).map_err(io)?).map_err(io)?;
    Ok(Listener { inner, path: path.to_owned(), uid: geteuid().as_raw() })
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
