//! All echoes of one address family: one socket, one task that listens.
//!
//! A probe sends its own echoes and sleeps; the task hears every answer and wakes the probe it
//! belongs to. So a probe in flight is an entry in a map, not a socket.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use nix::errno::Errno;
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, SockAddr, SockFilter, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::wire::{self, Echo, Heard};
use crate::model::Family;
use crate::mutex::lock;

/// Room for the answers of a burst, in bytes; the kernel counts about 800 for each, so this
/// holds 10,000.
const RECEIVE_BUFFER: usize = 8 << 20;

/// Of a packet no more is looked at: the longest headers, and an echo of ours within an error.
const PACKET: usize = 256;

/// Packets heard before other tasks get their turn.
const BURST: usize = 128;

/// Errors in a row after which the socket is given up; the next probe opens another.
const MAX_ERRORS: u32 = 32;

/// One family's socket and listener; closed when dropped.
pub(super) struct Echoer {
    air: Arc<Air>,
    listener: JoinHandle<()>,
}

/// What the probes and the listener share.
struct Air {
    family: Family,
    /// Whether the kernel hands us whole IP packets, of everybody's echoes.
    raw: bool,
    /// Not UDP, but used as if: datagrams out, datagrams and their senders in.
    socket: UdpSocket,
    /// The identifier of all echoes.
    ident: u16,
    next_token: AtomicU64,
    /// Cookies are hashes under this key.
    secret: RandomState,
    waiting: Mutex<HashMap<u64, Waiting>>,
}

/// A probe waiting for its answer.
struct Waiting {
    address: IpAddr,
    /// Echoes sent so far.
    sent: u16,
    answered: oneshot::Sender<()>,
    /// The last bad news about one of the echoes.
    trouble: Option<String>,
}

impl Echoer {
    /// Opens the socket and starts to listen, on the current runtime.
    pub fn open(family: Family) -> io::Result<Echoer> {
        let (socket, raw) = socket(family)?;
        // The forced size needs CAP_NET_ADMIN, which a director has; without it the system's
        // limit decides.
        if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
            socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        }
        let secret = RandomState::new();
        let ident = match raw {
            true => secret.hash_one(std::process::id()) as u16,
            false => bind(&socket, family)?,
        };
        if raw {
            socket.attach_filter(&filter(family, ident))?;
        }
        let air = Arc::new(Air {
            family,
            raw,
            socket: UdpSocket::from_std(socket.into())?,
            ident,
            next_token: AtomicU64::new(0),
            secret,
            waiting: Mutex::default(),
        });
        let listener = tokio::spawn(listen(air.clone()));
        Ok(Echoer { air, listener })
    }

    /// Whether anybody still listens.
    pub fn is_alive(&self) -> bool {
        !self.listener.is_finished()
    }

    /// Begins to listen for answers of `address`.
    pub fn call(&self, address: IpAddr) -> Call {
        let token = self.air.next_token.fetch_add(1, Ordering::Relaxed);
        let (answered, answer) = oneshot::channel();
        let waiting = Waiting { address, sent: 0, answered, trouble: None };
        self.air.waiting().insert(token, waiting);
        let echo = Echo {
            ident: self.air.ident,
            // Spread, so that two probes of one address do not look alike on the wire.
            sequence: token as u16,
            token,
            cookie: self.air.cookie(token, address),
        };
        Call { air: self.air.clone(), address, echo, answer }
    }
}

impl Drop for Echoer {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// One probe's echoes; forgotten when dropped.
pub(super) struct Call {
    air: Arc<Air>,
    address: IpAddr,
    echo: Echo,
    /// Done when an answer has come; an error when nobody listens any more.
    pub answer: oneshot::Receiver<()>,
}

impl Call {
    /// Sends the next echo.
    pub async fn send(&mut self) -> io::Result<()> {
        if let Some(waiting) = self.air.waiting().get_mut(&self.echo.token) {
            waiting.sent = waiting.sent.saturating_add(1);
        }
        let packet = wire::request(self.air.family, self.echo);
        self.echo.sequence = self.echo.sequence.wrapping_add(1);
        let to = SocketAddr::new(self.address, 0);
        loop {
            match self.air.socket.try_send_to(&packet, to) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.air.socket.writable().await?;
                }
                sent => return sent.map(drop),
            }
        }
    }

    /// The last bad news, if any came.
    pub fn trouble(&self) -> Option<String> {
        self.air.waiting().get(&self.echo.token)?.trouble.clone()
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.air.waiting().remove(&self.echo.token);
    }
}

impl Air {
    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, Waiting>> {
        lock(&self.waiting)
    }

    fn cookie(&self, token: u64, address: IpAddr) -> u64 {
        self.secret.hash_one((token, address))
    }

    /// Takes one packet. Whoever cannot know the cookie, or answers from another address than
    /// was asked, is not believed.
    fn hear(&self, packet: &[u8], from: IpAddr) {
        let strip = self.raw && self.family == Family::Ipv4;
        let message = if strip { wire::after_ip_header(packet) } else { Some(packet) };
        match message.and_then(|message| wire::read(self.family, message)) {
            Some(Heard::Reply(echo)) if self.is_due(&echo, from) => {
                if let Some(waiting) = self.waiting().remove(&echo.token) {
                    // The probe may just have given up.
                    let _ = waiting.answered.send(());
                }
            }
            Some(Heard::Undeliverable { echo, to, why }) if self.is_due(&echo, to) => {
                if let Some(waiting) = self.waiting().get_mut(&echo.token) {
                    waiting.trouble = Some(format!("{why}, says {from}"));
                }
            }
            _ => {}
        }
    }

    /// Whether this echo was sent, to this address, and its probe still waits.
    fn is_due(&self, echo: &Echo, address: IpAddr) -> bool {
        let number = echo.sequence.wrapping_sub(echo.token as u16);
        echo.ident == self.ident
            && echo.cookie == self.cookie(echo.token, address)
            && self
                .waiting()
                .get(&echo.token)
                .is_some_and(|waiting| waiting.address == address && number < waiting.sent)
    }
}

async fn listen(air: Arc<Air>) {
    let mut packet = [0; PACKET];
    let mut errors = 0;
    while errors < MAX_ERRORS {
        if air.socket.readable().await.is_err() {
            return;
        }
        for _ in 0..BURST {
            match air.socket.try_recv_from(&mut packet) {
                Ok((length, from)) => {
                    errors = 0;
                    air.hear(packet.get(..length).unwrap_or(&packet), from.ip());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // An error the network left on the socket; taking it has cleared it.
                Err(_) => errors += 1,
            }
        }
    }
}

/// A socket for echoes, and whether it is a raw one.
///
/// A datagram socket first: the kernel hands it the answers to its own echoes and nothing else,
/// and the sysctl `ping_group_range` may allow it to anybody. A raw one needs CAP_NET_RAW.
fn socket(family: Family) -> io::Result<(Socket, bool)> {
    let (domain, protocol) = match family {
        Family::Ipv4 => (Domain::IPV4, Protocol::ICMPV4),
        Family::Ipv6 => (Domain::IPV6, Protocol::ICMPV6),
    };
    let open = |kind: Type| Socket::new(domain, kind.nonblocking(), Some(protocol));
    match open(Type::DGRAM) {
        Ok(socket) => Ok((socket, false)),
        // Forbidden by ping_group_range, or not built into the kernel.
        Err(error) if is_refusal(&error) => open(Type::RAW).map(|socket| (socket, true)),
        Err(error) => Err(error),
    }
}

fn is_refusal(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::EACCES | Errno::EPERM | Errno::EPROTONOSUPPORT))
}

/// Has the kernel choose the identifier of a datagram socket.
fn bind(socket: &Socket, family: Family) -> io::Result<u16> {
    let any: IpAddr = match family {
        Family::Ipv4 => Ipv4Addr::UNSPECIFIED.into(),
        Family::Ipv6 => Ipv6Addr::UNSPECIFIED.into(),
    };
    socket.bind(&SockAddr::from(SocketAddr::new(any, 0)))?;
    Ok(socket.local_addr()?.as_socket().map_or(0, |address| address.port()))
}

/// A raw socket is handed every ICMP packet of the host: this lets pass the answers to our
/// identifier and the errors, and drops the rest before it is queued.
fn filter(family: Family, ident: u16) -> Vec<SockFilter> {
    // Codes of linux/bpf_common.h. Where the header of IPv4 is in front, its length goes into X.
    const LOAD_IP_HEADER_LENGTH: u16 = 0xb1;
    const LOAD_X: u16 = 0x01;
    const LOAD_BYTE_AT_X: u16 = 0x50;
    const LOAD_HALF_AT_X: u16 = 0x48;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    let [reply, unreachable, exceeded] = wire::heard_types(family).map(u32::from);
    let start = match family {
        Family::Ipv4 => SockFilter::new(LOAD_IP_HEADER_LENGTH, 0, 0, 0),
        Family::Ipv6 => SockFilter::new(LOAD_X, 0, 0, 0),
    };
    vec![
        start,
        SockFilter::new(LOAD_BYTE_AT_X, 0, 0, 0),
        SockFilter::new(JUMP_IF_EQUAL, 4, 0, unreachable),
        SockFilter::new(JUMP_IF_EQUAL, 3, 0, exceeded),
        SockFilter::new(JUMP_IF_EQUAL, 0, 3, reply),
        SockFilter::new(LOAD_HALF_AT_X, 0, 0, 4),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, ident.into()),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
        SockFilter::new(RETURN, 0, 0, 0),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
    const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 8));

    /// The engine on a socket nobody talks to, and a call that has sent one echo.
    async fn called() -> (Echoer, Call) {
        let air = Arc::new(Air {
            family: Family::Ipv4,
            raw: false,
            socket: UdpSocket::bind("127.0.0.1:0").await.unwrap(),
            ident: 77,
            next_token: AtomicU64::new(0x1_fffe),
            secret: RandomState::new(),
            waiting: Mutex::default(),
        });
        let echoer = Echoer { air: air.clone(), listener: tokio::spawn(listen(air)) };
        let call = echoer.call(TARGET);
        echoer.air.waiting().get_mut(&call.echo.token).unwrap().sent = 3;
        (echoer, call)
    }

    fn reply(echo: Echo) -> [u8; wire::LENGTH] {
        let mut packet = wire::request(Family::Ipv4, echo);
        packet[0] = 0;
        packet
    }

    #[tokio::test]
    async fn the_answer_to_any_echo_sent_counts() {
        for number in 0..3 {
            let (echoer, mut call) = called().await;
            let sequence = call.echo.sequence.wrapping_add(number);
            echoer.air.hear(&reply(Echo { sequence, ..call.echo }), TARGET);
            assert_eq!(call.answer.try_recv(), Ok(()));
        }
    }

    #[tokio::test]
    async fn a_forged_answer_does_not_count() {
        let (echoer, mut call) = called().await;
        let echo = call.echo;
        echoer.air.hear(&reply(echo), STRANGER);
        for forged in [
            Echo { cookie: echo.cookie ^ 1, ..echo },
            Echo { ident: echo.ident ^ 1, ..echo },
            Echo { token: echo.token ^ 1, ..echo },
            Echo { sequence: echo.sequence.wrapping_add(3), ..echo },
            Echo { sequence: echo.sequence.wrapping_sub(1), ..echo },
        ] {
            echoer.air.hear(&reply(forged), TARGET);
        }
        assert!(call.answer.try_recv().is_err());
        echoer.air.hear(&reply(echo), TARGET);
        assert_eq!(call.answer.try_recv(), Ok(()));
    }

    #[tokio::test]
    async fn a_call_that_is_dropped_is_forgotten() {
        let (echoer, call) = called().await;
        drop(call);
        assert!(echoer.air.waiting().is_empty());
    }
}
