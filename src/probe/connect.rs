//! Open a TCP connection, and tell a dead server from a director in trouble.
//!
//! The same number can mean either. `ENETUNREACH` that connect(2) itself returns is the
//! director's own routing table speaking; `ENETUNREACH` that arrives later was carried by an
//! ICMP message from a router that looked for the server. So the two moments are kept apart: the
//! call is made here on a bare socket, and only then handed to the runtime.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use nix::errno::Errno;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::miss::{Miss, Phase, Progress, describe};
use crate::model::Endpoint;

/// A connection to `endpoint`, or why there is none. Waits as long as the caller lets it.
///
/// The connection is reset when dropped, not closed: whoever closes first keeps the connection
/// for a minute in TIME_WAIT, and a director that checks 10,000 servers a second would keep
/// 600,000. A probe has read all it wants when it closes, so there is nothing a reset could cut.
pub(super) async fn open(endpoint: Endpoint, progress: &Progress) -> Result<TcpStream, Miss> {
    progress.enter(Phase::Connect);
    let stream = start(endpoint)?;
    // Writable is how the kernel says that the handshake is over, well or badly; and badly, that
    // there is an error to be asked for.
    let ready = stream.ready(Interest::WRITABLE | Interest::ERROR).await;
    let ready = ready.map_err(|error| local(&error))?;
    if !ready.is_error() && !ready.is_write_closed() {
        return Ok(stream);
    }
    match stream.take_error() {
        Ok(None) => Ok(stream),
        Ok(Some(error)) | Err(error) => Err(Miss::fail(Phase::Connect, &error)),
    }
}

/// Sends the SYN.
fn start(endpoint: Endpoint) -> Result<TcpStream, Miss> {
    let address = SocketAddr::from(endpoint);
    let socket =
        Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), Some(Protocol::TCP))
            .map_err(|error| local(&error))?;
    socket.set_linger(Some(Duration::ZERO)).map_err(|error| local(&error))?;
    begin(&socket, address)?;
    TcpStream::from_std(socket.into()).map_err(|error| local(&error))
}

/// Has a socket that does not block connect. Whatever fails here failed without the server, but
/// for the three answers that can come from it when it is near enough to answer within the call.
pub(super) fn begin(socket: &Socket, address: SocketAddr) -> Result<(), Miss> {
    let Err(error) = socket.connect(&SockAddr::from(address)) else { return Ok(()) };
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EINPROGRESS | Errno::EINTR) => Ok(()),
        Some(Errno::ECONNREFUSED | Errno::ECONNRESET | Errno::ETIMEDOUT) => {
            Err(Miss::fail(Phase::Connect, &error))
        }
        _ => Err(local(&error)),
    }
}

/// Why the server cannot even be asked now, if that is so. Sends nothing.
pub(super) fn no_way(endpoint: Endpoint) -> Option<Miss> {
    let address = SocketAddr::from(endpoint);
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None).ok()?;
    let error = socket.connect(&SockAddr::from(address)).err()?;
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENETUNREACH | Errno::EHOSTUNREACH | Errno::ENETDOWN) => Some(local(&error)),
        _ => None,
    }
}

/// An error that no server had a part in.
pub(super) fn local(error: &io::Error) -> Miss {
    let what = match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENETUNREACH | Errno::EHOSTUNREACH) => "no route to the server".into(),
        Some(Errno::EADDRNOTAVAIL) => {
            "no local address or port left to connect from (EADDRNOTAVAIL)".into()
        }
        Some(Errno::EACCES | Errno::EPERM) => "forbidden by this host's own rules".into(),
        _ => describe(error),
    };
    Miss::Local(format!("connect: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn outcome(address: &str) -> Result<TcpStream, Miss> {
        let address: SocketAddr = address.parse().unwrap();
        open(address.into(), &Progress::default()).await
    }

    #[tokio::test]
    async fn a_listener_is_reached() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        assert!(outcome(&listener.local_addr().unwrap().to_string()).await.is_ok());
    }

    #[tokio::test]
    async fn nobody_listening_is_the_servers_failure() {
        for host in ["127.0.0.1", "[::1]"] {
            let free = std::net::TcpListener::bind(format!("{host}:0")).unwrap();
            let address = free.local_addr().unwrap().to_string();
            drop(free);
            let said = outcome(&address).await.unwrap_err();
            assert_eq!(said, Miss::Fail("connect: connection refused".into()));
        }
    }

    #[tokio::test]
    async fn what_the_director_cannot_even_try_is_local() {
        // Link-local without an interface: the kernel refuses before a packet leaves.
        let said = outcome("[fe80::1]:80").await.unwrap_err();
        assert!(matches!(said, Miss::Local(_)), "{said:?}");
        // Multicast has no meaning for TCP.
        let said = outcome("224.0.0.1:80").await.unwrap_err();
        assert_eq!(said, Miss::Local("connect: no route to the server".into()));
    }
}
