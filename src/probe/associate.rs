//! Open an SCTP association and close it again.
//!
//! Closed, not reset as a TCP connection is: SCTP has no TIME_WAIT, and a reset is something that
//! servers complain of.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::connect::{begin, local};
use super::evidence;
use super::miss::{Miss, Phase, Progress};
use crate::model::Endpoint;

/// Passes once there is an association. Waits as long as the caller lets it.
pub(super) async fn run(endpoint: Endpoint, progress: &Progress) -> Result<(), Miss> {
    let address = SocketAddr::from(endpoint);
    let socket = open(address, progress).await?;
    progress.enter(Phase::Connect);
    begin(&socket, address)?;
    // To the runtime one socket that streams is as good as another.
    let stream = TcpStream::from_std(socket.into()).map_err(|error| local(&error))?;
    // Writable while there is an association. A server that ends it at once leaves an end to be
    // read, and one that refuses it an error.
    let over = Interest::WRITABLE | Interest::READABLE | Interest::ERROR;
    stream.ready(over).await.map_err(|error| local(&error))?;
    match stream.take_error() {
        Ok(None) => Ok(()),
        Ok(Some(error)) | Err(error) => Err(Miss::fail(Phase::Connect, &error)),
    }
}

/// Whether the kernel gave out an SCTP socket before.
static IS_THERE: AtomicBool = AtomicBool::new(false);

/// Who asks the kernel while it never did: it may run modprobe for the first one, and whoever
/// asks waits for that. One at a time, lest a modprobe that hangs takes thread after thread.
static TURN: Semaphore = Semaphore::const_new(1);

/// A socket; the first one on a thread that may block.
async fn open(address: SocketAddr, progress: &Progress) -> Result<Socket, Miss> {
    if IS_THERE.load(Ordering::Relaxed) {
        return socket(address).map_err(|error| none(&error));
    }
    progress.enter(Phase::SctpSocket);
    let turn = TURN.acquire().await;
    let opened = spawn_blocking(move || {
        // Held by the thread, not by the probe: a probe that gave up has not freed it.
        let _turn = turn;
        socket(address)
    });
    let opened = opened.await.unwrap_or_else(|_| Err(io::Error::other("broken off")));
    IS_THERE.fetch_or(opened.is_ok(), Ordering::Relaxed);
    opened.map_err(|error| none(&error))
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let domain = Domain::for_address(address);
    Socket::new(domain, Type::STREAM.nonblocking(), Some(Protocol::SCTP))
}

/// Why there is no socket. None of it is the server's fault.
fn none(error: &io::Error) -> Miss {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EPROTONOSUPPORT | Errno::ESOCKTNOSUPPORT) => {
            Miss::Local("connect: this kernel has no SCTP: modprobe sctp".into())
        }
        _ => local(error),
    }
}

/// Why a probe that waited for a socket until its time was up says nothing about its server.
pub(super) fn no_socket(limit: Duration) -> Miss {
    let limit = evidence::duration(limit);
    Miss::Local(format!("connect: no SCTP socket within {limit}: does modprobe sctp return?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_without_sctp_is_nobodys_failure() {
        for errno in [Errno::EPROTONOSUPPORT, Errno::ESOCKTNOSUPPORT] {
            let said = none(&errno.into());
            assert_eq!(said, Miss::Local("connect: this kernel has no SCTP: modprobe sctp".into()));
        }
        let progress = Progress::default();
        progress.enter(Phase::SctpSocket);
        let limit = Duration::from_secs(3);
        assert_eq!(progress.timed_out(limit), no_socket(limit));
    }

    /// `tests/kernel_director` has a server that listens; here a kernel without SCTP will do.
    #[tokio::test]
    async fn nobody_listening_is_refused_where_the_kernel_has_sctp() {
        let address = SocketAddr::from(([127, 0, 0, 1], 9));
        let expected = match socket(address) {
            Ok(_) => Miss::Fail("connect: connection refused".into()),
            Err(error) => none(&error),
        };
        let said = run(address.into(), &Progress::default()).await;
        assert_eq!(said, Err(expected));
    }
}
