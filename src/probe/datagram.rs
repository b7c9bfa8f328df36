//! Ask a server by UDP, again and again until it answers.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Poll, ready};
use std::time::Duration;

use nix::errno::Errno;
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

use super::connect::local;
use super::miss::{Miss, Phase};
use crate::model::Endpoint;

/// The longest datagram taken from a server, in bytes; of a longer one the rest is cut off.
/// RADIUS allows as many, and DNS without extensions an eighth.
const MAX_DATAGRAM: usize = 4096;

/// A socket of its own for one probe, which only hears the server it asks.
pub(super) struct Datagrams {
    socket: UdpSocket,
    phase: Phase,
    /// How long to wait before asking again.
    pause: Duration,
}

impl Datagrams {
    /// A socket towards `endpoint`, for a probe that has `limit` in all and is in `phase`.
    pub fn open(endpoint: Endpoint, phase: Phase, limit: Duration) -> Result<Datagrams, Miss> {
        let address = SocketAddr::from(endpoint);
        let any = match address {
            SocketAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
        };
        let socket = || {
            let socket = std::net::UdpSocket::bind((any, 0))?;
            socket.connect(address)?;
            socket.set_nonblocking(true)?;
            UdpSocket::from_std(socket)
        };
        let socket = socket().map_err(|error| local(&error))?;
        Ok(Datagrams { socket, phase, pause: pause(limit) })
    }

    /// The address and port the server sees, as far as this host knows.
    pub fn address(&self) -> Result<SocketAddr, Miss> {
        self.socket.local_addr().map_err(|error| local(&error))
    }

    /// Sends a datagram, and says when to send it again.
    pub async fn send(&self, datagram: &[u8]) -> Result<Instant, Miss> {
        match self.socket.send(datagram).await {
            Ok(_) => Ok(Instant::now() + self.pause),
            // What came back for the one before.
            Err(error) if is_answer(&error) => Err(Miss::fail(self.phase, &error)),
            Err(error) => Err(local(&error)),
        }
    }

    /// Waits for a datagram and hands it to `take`; `None` when it is time to ask again.
    ///
    /// As with streams, the buffer lives on the stack of the poll that finds something.
    pub async fn receive<T>(
        &self,
        again: Instant,
        mut take: impl FnMut(&[u8]) -> T,
    ) -> Result<Option<T>, Miss> {
        let heard = poll_fn(|context| {
            let mut space = [const { MaybeUninit::uninit() }; MAX_DATAGRAM];
            let mut buffer = ReadBuf::uninit(&mut space);
            Poll::Ready(match ready!(self.socket.poll_recv(context, &mut buffer)) {
                Ok(()) => Ok(take(buffer.filled())),
                Err(error) => Err(error),
            })
        });
        match timeout_at(again, heard).await {
            Ok(heard) => heard.map(Some).map_err(|error| Miss::fail(self.phase, &error)),
            Err(_) => Ok(None),
        }
    }
}

/// Three more tries within a short limit; one every 2 s within a long one, as resolvers do.
fn pause(limit: Duration) -> Duration {
    (limit / 4).clamp(Duration::from_millis(50), Duration::from_secs(2))
}

/// Whether an error is what the network answered: nobody listens, nobody is there.
fn is_answer(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error().map(Errno::from_raw),
        Some(Errno::ECONNREFUSED | Errno::EHOSTUNREACH)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_repeated_a_few_times_within_the_limit() {
        let pauses = |ms| pause(Duration::from_millis(ms)).as_millis();
        assert_eq!([pauses(1), pauses(1000), pauses(60_000)], [50, 250, 2000]);
    }

    #[tokio::test]
    async fn what_the_director_cannot_even_try_is_local() {
        let limit = Duration::from_secs(1);
        let nowhere: SocketAddr = "[fe80::1]:53".parse().unwrap();
        let said = Datagrams::open(nowhere.into(), Phase::Dns, limit).map(|_| ()).unwrap_err();
        assert!(matches!(said, Miss::Local(_)), "{said:?}");
    }
}
