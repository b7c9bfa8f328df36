//! Clients, one task each.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::answer::Desk;
use super::protocol::{Lines, Reply, Session};
use super::{Handle, Rules};

/// Clients at a time; further ones are told so and hung up on.
const MAX_CLIENTS: usize = 64;
/// Of those as many from one address: whoever holds on to all he gets leaves room for others.
const MAX_OF_ONE: usize = 32;
/// A client that takes no byte of its reply for so long is dropped.
const STALLED: Duration = Duration::from_secs(10);
/// However slowly it reads, no reply takes longer than this.
const WHOLE_REPLY: Duration = Duration::from_secs(120);
/// Bytes of replies that wait to be read, over all clients: one reply of 10,000 services is some
/// five million. Above it new replies of this size are not begun.
const MAX_UNREAD: usize = 64 << 20;
/// What is read at once.
const PIECE: usize = 4096;
/// After a last word to somebody who still talks: how long and how much he is listened to, so
/// that the word reaches him. To close at once would have the kernel take it back.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 1 << 20;

/// Answers clients until `shutdown` is ready.
pub async fn serve_clients(
    listener: TcpListener,
    rules: watch::Receiver<Arc<Rules>>,
    handle: Handle,
    shutdown: impl Future<Output = ()>,
) {
    let office = Office {
        desk: Desk::new(handle),
        rules,
        places: Arc::new(Semaphore::new(MAX_CLIENTS)),
        unread: AtomicUsize::new(0),
    };
    let mut clients = JoinSet::new();
    tokio::select! {
        () = accept(&listener, Arc::new(office), &mut clients) => {}
        () = shutdown => {}
    }
    // Whoever is still connected is dropped with the set.
}

/// What the tasks of all clients share.
struct Office {
    desk: Desk,
    rules: watch::Receiver<Arc<Rules>>,
    places: Arc<Semaphore>,
    unread: AtomicUsize,
}

async fn accept(listener: &TcpListener, office: Arc<Office>, clients: &mut JoinSet<()>) {
    let mut of_one: BTreeMap<IpAddr, Arc<Semaphore>> = BTreeMap::new();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let (office, peer) = (Arc::clone(&office), peer.ip().to_canonical());
                if !office.rules().allow.contains(peer) {
                    tracing::debug!(%peer, "mon client not allowed");
                    continue;
                }
                of_one.retain(|_, places| places.available_permits() < MAX_OF_ONE);
                let own = of_one.entry(peer).or_insert_with(|| Semaphore::new(MAX_OF_ONE).into());
                let own = Arc::clone(own).try_acquire_owned();
                match (own, Arc::clone(&office.places).try_acquire_owned()) {
                    (Ok(own), Ok(place)) => drop(clients.spawn(async move {
                        let _places = (own, place);
                        let end = office.attend(stream, peer).await;
                        tracing::debug!(%peer, ?end, "mon client gone");
                    })),
                    _ => turn_away(stream),
                }
            }
            Err(error) => {
                tracing::warn!(%error, "mon port cannot accept");
                // Out of descriptors: waiting is all that helps, spinning would make it worse.
                sleep(Duration::from_secs(1)).await;
            }
        }
        while clients.try_join_next().is_some() {}
    }
}

/// Tells a client too many so, without a wait.
fn turn_away(stream: TcpStream) {
    if let Ok(mut stream) = stream.into_std() {
        let _ = stream.write(b"520 too many clients\n");
    }
}

/// How a conversation ended.
#[derive(Debug)]
enum End {
    /// By its own word or the client's.
    Closed,
    Idle,
    TooLong,
    /// It did not read what it had asked for.
    Stalled,
    Broken(#[expect(dead_code, reason = "shown in the log")] io::Error),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> End {
        End::Broken(error)
    }
}

impl Office {
    fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.borrow())
    }

    async fn attend(&self, mut stream: TcpStream, peer: IpAddr) -> End {
        let _ = stream.set_nodelay(true);
        match self.converse(&mut stream, peer).await {
            Ok(end) | Err(end) => end,
        }
    }

    async fn converse(&self, stream: &mut TcpStream, peer: IpAddr) -> Result<End, End> {
        let mut session = Session::new(self.desk.host());
        let mut lines = Lines::default();
        let mut piece = [0; PIECE];
        // A line that comes byte by byte is no sign of life: it would hold the place for ever.
        let mut heard = Instant::now();
        loop {
            while let Some(line) = lines.take() {
                let Ok(line) = line else {
                    self.send(stream, Reply::of("520 line too long")).await?;
                    linger(stream, &mut piece).await;
                    return Ok(End::TooLong);
                };
                let rules = self.rules();
                let reply = match self.unread.load(Ordering::Relaxed) < MAX_UNREAD {
                    true => self.desk.answer(&mut session, &line, peer, &rules).await,
                    false => Reply::of("520 server is busy, try again"),
                };
                let closes = reply.closes();
                self.send(stream, reply).await?;
                if closes {
                    linger(stream, &mut piece).await;
                    return Ok(End::Closed);
                }
                heard = Instant::now();
            }
            let idle = self.rules().idle;
            match timeout_at(heard + idle, stream.read(&mut piece)).await {
                Err(_) => return Ok(End::Idle),
                Ok(read) => match read? {
                    0 => return Ok(End::Closed),
                    length => lines.push(&piece[..length]),
                },
            }
        }
    }

    /// Sends a reply, as fast as it is read.
    async fn send(&self, stream: &mut TcpStream, reply: Reply) -> Result<(), End> {
        let bytes = reply.into_bytes();
        let _counted = Counted::new(&self.unread, bytes.len());
        let last = Instant::now() + WHOLE_REPLY;
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let until = last.min(Instant::now() + STALLED);
            match timeout_at(until, stream.write(rest)).await {
                Err(_) => return Err(End::Stalled),
                Ok(written) => match written? {
                    0 => return Err(End::Closed),
                    length => rest = &rest[length..],
                },
            }
        }
        Ok(())
    }
}

/// Bytes that are counted while this lives.
struct Counted<'a>(&'a AtomicUsize, usize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize, bytes: usize) -> Counted<'a> {
        count.fetch_add(bytes, Ordering::Relaxed);
        Counted(count, bytes)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(self.1, Ordering::Relaxed);
    }
}

/// Ends our half and listens for a moment to nothing in particular.
async fn linger(stream: &mut TcpStream, piece: &mut [u8]) {
    let listen = async {
        let mut heard = 0;
        let _ = stream.shutdown().await;
        while heard < LINGER_BYTES {
            match stream.read(piece).await {
                Ok(length) if length > 0 => heard += length,
                _ => return,
            }
        }
    };
    let _ = timeout(LINGER, listen).await;
}
