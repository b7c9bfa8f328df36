//! A connection to a mail server that says no more than it may.
//!
//! lettre looks at the length of a line when the line has ended; one without an end would be
//! kept for as long as the mail has, at the speed of the network.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// All that a server may say about one mail, in bytes: a line for each recipient and a few more.
const MAX_SAID: usize = 256 * 1024;

/// The connection, and how much more may come over it.
#[derive(Debug)]
pub struct Relay {
    tcp: TcpStream,
    left: usize,
}

impl Relay {
    /// A connection to the first address that answers, each within this time.
    pub async fn open(host: &str, port: u16, limit: Duration) -> io::Result<Relay> {
        let mut error = io::Error::new(io::ErrorKind::NotFound, "no address");
        for address in tokio::net::lookup_host((host, port)).await? {
            match tokio::time::timeout(limit, TcpStream::connect(address)).await {
                Ok(Ok(tcp)) => return Ok(Relay { tcp, left: MAX_SAID }),
                Ok(Err(refused)) => error = refused,
                Err(_) => error = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(error)
    }
}

impl AsyncTokioStream for Relay {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.peer_addr()
    }
}

impl AsyncRead for Relay {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.tcp).poll_read(context, buffer))?;
        let said = buffer.filled().len() - before;
        Poll::Ready(match self.left.checked_sub(said) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(io::Error::other(format!("says more than {MAX_SAID} bytes"))),
        })
    }
}

impl AsyncWrite for Relay {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}
