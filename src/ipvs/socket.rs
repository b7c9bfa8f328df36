//! The netlink socket: requests out, answers in.
//!
//! The kernel carries requests out inside send(2), in the caller's thread, and a batch that
//! makes it load a scheduler can take a while: whoever holds the socket should have a thread of
//! its own. A socket acts on the network namespace it was opened in.

use std::io::IoSliceMut;
use std::os::fd::AsRawFd;

use netlink_sys::protocols::NETLINK_GENERIC;
use netlink_sys::{Socket as RawSocket, SocketAddr};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, recvmmsg, setsockopt, sockopt};
use nix::sys::time::TimeVal;

use super::codec::{self, Reply, Request, Writer};
use super::{Tuning, module};
use crate::model::{KernelError, KernelErrorKind};
use crate::netlink::worded;

/// One socket for the life of the daemon.
pub(super) struct Socket {
    raw: RawSocket,
    family_id: u16,
    writer: Writer,
    inbox: Inbox,
    /// Sequence number of the first request in `writer`.
    first: u32,
    /// Requests in `writer`.
    count: u32,
    /// Answers nobody waits for may still come in.
    stale_inbox: bool,
}

/// What became of the requests of one exchange.
#[derive(Default, Debug)]
pub(super) struct Answers {
    pub refusals: Vec<Refusal>,
    /// Why answers are missing, if they are: then silence means nothing. Otherwise a request
    /// without a refusal was carried out.
    pub lost: Option<String>,
}

/// The kernel's no to one request.
#[derive(Debug)]
pub(super) struct Refusal {
    /// Which request of the exchange, from 0.
    pub request: usize,
    pub errno: Errno,
    /// The kernel's own words; it rarely has any.
    pub text: Option<String>,
}

impl Socket {
    /// Finds IPVS, loading it where need be, and makes sure it is for us.
    pub fn open(tuning: &Tuning) -> Result<Socket, KernelError> {
        // Before the socket, so that there is something to connect to.
        let family_id = module::family_id()?;
        let raw = connect(tuning).map_err(|error| {
            let message = format!("open IPVS: netlink socket: {error}");
            KernelError::new(KernelErrorKind::Unavailable, message)
        })?;
        let mut socket = Socket {
            raw,
            family_id,
            writer: Writer::default(),
            inbox: Inbox::new(),
            first: 1,
            count: 0,
            stale_inbox: false,
        };
        socket.try_out()?;
        Ok(socket)
    }

    /// Asks for something harmless: is it for us? Also shows the kernel the size of our buffers,
    /// which it then fills; until the first receive it sends small pieces.
    fn try_out(&mut self) -> Result<(), KernelError> {
        self.push(&Request::Info);
        let answers = self.exchange(|_, _| {})?;
        match answers.refusals.first().map(|refusal| refusal.errno) {
            Some(Errno::EPERM) => Err(module::not_permitted()),
            Some(errno) => Err(unavailable(&worded(errno))),
            None => answers.lost.map_or(Ok(()), |why| Err(unavailable(&why))),
        }
    }

    /// Adds a request to the next exchange.
    pub fn push(&mut self, request: &Request<'_>) {
        self.writer.push(self.family_id, self.first.wrapping_add(self.count), request);
        self.count += 1;
    }

    /// Sends what was pushed and waits for what comes of it. `take` gets every record that is
    /// an answer, with the number of its request.
    ///
    /// Fails only when IPVS is gone.
    pub fn exchange(
        &mut self,
        mut take: impl FnMut(usize, Reply<'_>),
    ) -> Result<Answers, KernelError> {
        let answers = self.exchange_again_if_stale(&mut take);
        self.first = self.first.wrapping_add(self.count);
        self.count = 0;
        self.writer.clear();
        answers
    }

    fn exchange_again_if_stale(
        &mut self,
        take: &mut dyn FnMut(usize, Reply<'_>),
    ) -> Result<Answers, KernelError> {
        self.writer.acknowledge_last();
        let answers = self.send_and_wait(take);
        // A module that was unloaded and loaded again has another id, and every request to the
        // old one is answered with ENOENT. A single ENOENT may mean other things.
        let all_missing = answers.refusals.len() == self.count as usize
            && answers.refusals.iter().all(|refusal| refusal.errno == Errno::ENOENT);
        if self.count == 0 || !all_missing {
            return Ok(answers);
        }
        let family_id = module::family_id()?;
        if family_id == self.family_id {
            return Ok(answers);
        }
        self.family_id = family_id;
        self.writer.address_to(family_id);
        Ok(self.send_and_wait(take))
    }

    fn send_and_wait(&mut self, take: &mut dyn FnMut(usize, Reply<'_>)) -> Answers {
        let mut answers = Answers::default();
        if self.count == 0 {
            return answers;
        }
        if std::mem::take(&mut self.stale_inbox) {
            self.empty_inbox(&mut Answers::default(), &mut |_, _| {});
        }
        if let Err(error) = self.raw.send(self.writer.as_bytes(), 0) {
            answers.lost = Some(format!("send: {error}"));
            return answers;
        }
        while !self.receive(MsgFlags::MSG_WAITFORONE, &mut answers, take) {}
        self.stale_inbox = answers.lost.is_some();
        answers
    }

    /// One receive call. Says whether the exchange is over: the last request was answered, or
    /// no more is to be hoped for.
    fn receive(
        &mut self,
        flags: MsgFlags,
        answers: &mut Answers,
        take: &mut dyn FnMut(usize, Reply<'_>),
    ) -> bool {
        match self.inbox.fill(&self.raw, flags) {
            Ok(()) => self.read_inbox(answers, take),
            Err(Errno::EINTR) => false,
            Err(Errno::EAGAIN) => {
                answers.lost = Some("the kernel does not answer".into());
                true
            }
            Err(Errno::ENOBUFS) => {
                // Answers were dropped. The kernel queues no new one until the rest is read.
                self.empty_inbox(answers, take);
                answers.lost = Some("too many answers for the socket buffer (ENOBUFS)".into());
                true
            }
            Err(errno) => {
                answers.lost = Some(format!("receive: {}", worded(errno)));
                true
            }
        }
    }

    /// Reads until nothing is left; an unfinished list is thereby finished.
    fn empty_inbox(&mut self, answers: &mut Answers, take: &mut dyn FnMut(usize, Reply<'_>)) {
        for _ in 0..DRAIN_LIMIT {
            match self.inbox.fill(&self.raw, MsgFlags::MSG_DONTWAIT) {
                Ok(()) => {
                    self.read_inbox(answers, take);
                }
                Err(Errno::EINTR | Errno::ENOBUFS) => {}
                Err(_) => return,
            }
        }
    }

    fn read_inbox(&self, answers: &mut Answers, take: &mut dyn FnMut(usize, Reply<'_>)) -> bool {
        let mut over = false;
        for (datagram, complete) in self.inbox.datagrams() {
            if !complete {
                answers.lost = Some("an answer was longer than the buffer".into());
                over = true;
            }
            for message in codec::messages(datagram) {
                let Ok(message) = message else {
                    answers.lost = Some("an answer is malformed".into());
                    over = true;
                    continue;
                };
                let request = message.sequence.wrapping_sub(self.first);
                // Not ours: the answer to something we gave up waiting for.
                if request >= self.count {
                    continue;
                }
                let is_end = match message.reply {
                    Reply::Refused(errno, text) => {
                        let (request, text) = (request as usize, text.map(str::to_owned));
                        answers.refusals.push(Refusal { request, errno, text });
                        true
                    }
                    Reply::Done | Reply::Acknowledged => true,
                    record => {
                        take(request as usize, record);
                        false
                    }
                };
                over |= is_end && request + 1 == self.count;
            }
        }
        over
    }
}

/// Each turn reads several datagrams; more than the largest of tables needs.
const DRAIN_LIMIT: usize = 1_000_000;

fn unavailable(why: &str) -> KernelError {
    KernelError::new(KernelErrorKind::Unavailable, format!("open IPVS: {why}"))
}

fn connect(tuning: &Tuning) -> std::io::Result<RawSocket> {
    let mut raw = RawSocket::new(NETLINK_GENERIC)?;
    raw.bind_auto()?;
    // To the kernel alone: a connected socket takes nothing from other processes.
    raw.connect(&SocketAddr::new(0, 0))?;
    // A refusal would carry the whole request back. Kernels before 4.2 and 4.12 do not know
    // these; the answers are only longer, or have fewer words.
    let _ = raw.set_cap_ack(true);
    let _ = raw.set_ext_ack(true);
    let timeout = TimeVal::new(tuning.patience.as_secs().max(1) as i64, 0);
    setsockopt(&raw, sockopt::ReceiveTimeout, &timeout)?;
    if let Some(bytes) = tuning.receive_buffer {
        // Needs the privilege that writing to the table needs as well. Without it the default
        // holds the answers of a batch.
        let _ = setsockopt(&raw, sockopt::RcvBufForce, &bytes);
    }
    Ok(raw)
}

/// Buffers for what the kernel sends, several datagrams to a call.
///
/// A list comes as one datagram per 32 KiB and one more for its end, so that the usual service
/// takes one call where single receives take two or three.
struct Inbox {
    buffers: [Box<[u8]>; Inbox::DATAGRAMS],
    /// Of each datagram received last: its length, and whether it fitted.
    received: Vec<(usize, bool)>,
}

impl Inbox {
    const DATAGRAMS: usize = 8;
    /// The kernel makes pieces of a list as large as the largest buffer it has seen on the
    /// socket, up to this; into a smaller one it would cut them off without a word.
    const BUFFER: usize = 32 * 1024;

    fn new() -> Inbox {
        Inbox {
            buffers: std::array::from_fn(|_| vec![0; Inbox::BUFFER].into_boxed_slice()),
            received: Vec::with_capacity(Inbox::DATAGRAMS),
        }
    }

    fn fill(&mut self, socket: &RawSocket, flags: MsgFlags) -> Result<(), Errno> {
        self.received.clear();
        let mut slices = self.buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
        let mut headers = MultiHeaders::<()>::preallocate(Inbox::DATAGRAMS, None);
        let got = recvmmsg(socket.as_raw_fd(), &mut headers, slices.iter_mut(), flags, None)?;
        self.received.extend(
            got.map(|datagram| (datagram.bytes, !datagram.flags.contains(MsgFlags::MSG_TRUNC))),
        );
        Ok(())
    }

    fn datagrams(&self) -> impl Iterator<Item = (&[u8], bool)> {
        self.buffers
            .iter()
            .zip(&self.received)
            .map(|(buffer, &(length, complete))| (buffer.get(..length).unwrap_or(buffer), complete))
    }
}
