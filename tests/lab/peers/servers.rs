//! The real servers of the bench: one listener for all addresses of 127.0.0.0/8.

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::lab::Host;

const GOOD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
const BAD: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbad\n";

/// RFC 792.
const ECHO_REQUEST: u8 = 8;

/// Takes connections on port 80, answers whatever is asked, and keeps count. Lives as long as
/// the program.
#[derive(Clone)]
pub struct Servers(Arc<Shared>);

#[derive(Default)]
struct Shared {
    connections: AtomicU64,
    /// When each server was asked, while somebody wants to know.
    visits: Mutex<Option<HashMap<IpAddr, Vec<Instant>>>>,
    /// Servers that answer 503, and when they last did.
    sick: Mutex<HashSet<IpAddr>>,
    complaints: Mutex<HashMap<IpAddr, Instant>>,
}

impl Servers {
    pub fn start(host: &Host) -> Servers {
        let servers = Servers(Arc::default());
        let listener = host.run(|| {
            let listener = std::net::TcpListener::bind("0.0.0.0:80").expect("port 80");
            // The library's backlog of 128 would drop the SYNs of a burst.
            nix::sys::socket::listen(
                &listener,
                nix::sys::socket::Backlog::new(4096).expect("a backlog"),
            )
            .expect("a listener");
            listener
        });
        let shared = servers.0.clone();
        // Not joined: it ends with the program.
        host.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(serve(listener, shared));
        });
        servers
    }

    /// Has echo requests noted as visits as well. The kernel answers them.
    pub fn hear_pings(&self, host: &Host) {
        let socket = host.run(|| {
            Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)).expect("a raw socket")
        });
        let shared = self.0.clone();
        // Not joined: it ends with the program.
        host.spawn(move || listen(socket, &shared));
    }

    /// Connections taken so far.
    pub fn connections(&self) -> u64 {
        self.0.connections.load(Ordering::Relaxed)
    }

    /// Notes every visit from now on, forgetting those before.
    pub fn note_visits(&self) {
        *self.0.visits.lock().expect("no panic") = Some(HashMap::new());
    }

    /// How late the latest check noted was, checks being due every `interval` after the one
    /// before; and how many visits were noted.
    pub fn latest(&self, interval: Duration) -> (Duration, usize) {
        let visits = self.0.visits.lock().expect("no panic").take().expect("visits were noted");
        let now = Instant::now();
        let late = |times: &Vec<Instant>| {
            let gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
            // One that has not come yet is late as well.
            let open = times.last().map(|last| now - *last);
            gaps.chain(open).max().unwrap_or_default().saturating_sub(interval)
        };
        (visits.values().map(late).max().unwrap_or_default(), visits.values().map(Vec::len).sum())
    }

    pub fn set_sick(&self, server: IpAddr, sick: bool) {
        let mut all = self.0.sick.lock().expect("no panic");
        if sick {
            all.insert(server)
        } else {
            all.remove(&server)
        };
        self.0.complaints.lock().expect("no panic").remove(&server);
    }

    /// When `server` last answered 503, if it did since it fell sick.
    pub fn complained(&self, server: IpAddr) -> Option<Instant> {
        self.0.complaints.lock().expect("no panic").get(&server).copied()
    }
}

impl Shared {
    fn note(&self, visited: IpAddr) {
        if let Some(visits) = &mut *self.visits.lock().expect("no panic") {
            visits.entry(visited).or_default().push(Instant::now());
        }
    }
}

/// A raw socket hears of each packet that comes in, its IPv4 header first.
fn listen(mut socket: Socket, shared: &Shared) {
    let mut packet = [0; 1500];
    while let Ok(length) = socket.read(&mut packet) {
        let header = usize::from(packet[0] & 0xf) * 4;
        if header < length && packet[header] == ECHO_REQUEST {
            shared.note(IpAddr::from([packet[16], packet[17], packet[18], packet[19]]));
        }
    }
}

async fn serve(listener: std::net::TcpListener, shared: Arc<Shared>) {
    listener.set_nonblocking(true).expect("a listener");
    let listener = TcpListener::from_std(listener).expect("a listener");
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        shared.connections.fetch_add(1, Ordering::Relaxed);
        let Ok(address) = stream.local_addr().map(|a: SocketAddr| a.ip()) else { continue };
        shared.note(address);
        let shared = shared.clone();
        tokio::spawn(async move { converse(stream, address, &shared).await });
    }
}

/// Waits for a request, or for the visitor to leave, and answers.
async fn converse(mut stream: TcpStream, address: IpAddr, shared: &Shared) {
    let mut request = [0; 2048];
    let Ok(1..) = stream.read(&mut request).await else { return };
    let sick = shared.sick.lock().expect("no panic").contains(&address);
    if sick {
        // Before the answer leaves, or the visitor might act on it first.
        shared.complaints.lock().expect("no panic").insert(address, Instant::now());
    }
    stream.write_all(if sick { BAD } else { GOOD }).await.ok();
}
