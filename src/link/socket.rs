//! The rtnetlink socket: requests out, answers in.
//!
//! The kernel carries requests out inside send(2), and may wait there for somebody else who is
//! busy with links (its RTNL lock): whoever holds the socket should have a thread of its own. A
//! socket acts on the network namespace it was opened in.

use std::io;

use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket as RawSocket, SocketAddr};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, setsockopt, sockopt};
use nix::sys::time::TimeVal;

use super::codec::{self, Message, Reply, Request};
use super::refusal::unanswered;
use crate::model::{KernelError, KernelErrorKind};
use crate::netlink::worded;

/// The kernel has answered when a send returns, so this passes only when an answer got lost.
const PATIENCE: TimeVal = TimeVal::new(0, 500_000);

/// Changes to a send: their answers fit the usual socket buffer (221 do on Linux 6.12).
const BATCH: usize = 100;

/// Lists that changed while they were made, before one of them is taken as it is.
const TORN_LISTS: usize = 3;

pub(super) struct Socket {
    raw: RawSocket,
    /// Of the next request. Answers to what we gave up waiting for have older ones.
    sequence: u32,
}

impl Socket {
    pub(super) fn open() -> Result<Socket, KernelError> {
        let connect = || {
            let mut raw = RawSocket::new(NETLINK_ROUTE)?;
            raw.bind_auto()?;
            // To the kernel alone.
            raw.connect(&SocketAddr::new(0, 0))?;
            // A refusal would carry the whole request back.
            let _ = raw.set_cap_ack(true);
            setsockopt(&raw, sockopt::ReceiveTimeout, &PATIENCE)?;
            Ok::<_, io::Error>(raw)
        };
        Ok(Socket { raw: connect().map_err(|error| cannot_open(&error))?, sequence: 1 })
    }

    /// Everything a list has, each record given to `take`.
    pub(super) fn list(
        &mut self,
        what: &str,
        request: &Request<'_>,
        mut take: impl FnMut(Reply),
    ) -> Result<(), KernelError> {
        for last in (0..TORN_LISTS).rev() {
            let mut records = Vec::new();
            let torn =
                self.list_once(request, &mut records).map_err(|why| unanswered(what, why))?;
            if !torn || last == 0 {
                records.into_iter().for_each(&mut take);
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether the list changed meanwhile.
    fn list_once(
        &mut self,
        request: &Request<'_>,
        records: &mut Vec<Reply>,
    ) -> Result<bool, String> {
        let first = self.send(std::slice::from_ref(request))?;
        let mut torn = false;
        loop {
            for message in self.receive()? {
                if message.sequence != first {
                    continue;
                }
                torn |= message.torn;
                match message.reply {
                    Reply::Done => return Ok(torn),
                    Reply::Refused(errno) => return Err(worded(errno)),
                    record => records.push(record),
                }
            }
        }
    }

    /// Carries out the changes in order, going on after one that fails. The answers, in their
    /// order: an errno for each that was refused, or why its answer is missing.
    pub(super) fn change(&mut self, requests: &[Request<'_>]) -> Vec<Result<(), Failure>> {
        requests.chunks(BATCH).flat_map(|batch| self.change_batch(batch)).collect()
    }

    fn change_batch(&mut self, requests: &[Request<'_>]) -> Vec<Result<(), Failure>> {
        let mut answers: Vec<Option<Result<(), Failure>>> = vec![None; requests.len()];
        let lost = self.collect(requests, &mut answers).err().unwrap_or_default();
        answers
            .into_iter()
            .map(|answer| answer.unwrap_or(Err(Failure::Lost(lost.clone()))))
            .collect()
    }

    fn collect(
        &mut self,
        requests: &[Request<'_>],
        answers: &mut [Option<Result<(), Failure>>],
    ) -> Result<(), String> {
        let first = self.send(requests)?;
        while answers.iter().any(Option::is_none) {
            for message in self.receive()? {
                let at = message.sequence.wrapping_sub(first) as usize;
                let Some(answer) = answers.get_mut(at) else { continue };
                match message.reply {
                    Reply::Acknowledged => *answer = Some(Ok(())),
                    Reply::Refused(errno) => *answer = Some(Err(Failure::Refused(errno))),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// The sequence number of the first.
    fn send(&mut self, requests: &[Request<'_>]) -> Result<u32, String> {
        let first = self.sequence;
        let mut bytes = Vec::new();
        for request in requests {
            codec::write(&mut bytes, self.sequence, request);
            self.sequence = self.sequence.wrapping_add(1);
        }
        self.raw.send(&bytes, 0).map_err(|error| format!("send: {error}"))?;
        Ok(first)
    }

    fn receive(&mut self) -> Result<Vec<Message>, String> {
        let datagram = loop {
            match self.raw.recv_from_full() {
                Ok((datagram, _)) => break datagram,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err("the kernel does not answer".to_owned());
                }
                Err(error) => return Err(format!("receive: {error}")),
            }
        };
        codec::messages(&datagram)
            .collect::<Result<_, _>>()
            .map_err(|_| "an answer is malformed".to_owned())
    }
}

/// Why a change was not made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Failure {
    Refused(Errno),
    /// Nobody knows whether it was.
    Lost(String),
}

/// More than a socket's buffer holds.
const MOST_PENDING: usize = 4096;

/// Tells when something changed about links or addresses, not what.
pub struct Watch {
    raw: RawSocket,
}

/// RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR.
const GROUPS: [u32; 3] = [1, 5, 9];

impl Watch {
    pub fn open() -> Result<Watch, KernelError> {
        let subscribe = || {
            let mut raw = RawSocket::new(NETLINK_ROUTE)?;
            raw.bind_auto()?;
            GROUPS.iter().try_for_each(|group| raw.add_membership(*group))?;
            Ok::<_, io::Error>(raw)
        };
        Ok(Watch { raw: subscribe().map_err(|error| cannot_open(&error))? })
    }

    /// What has been told until now is heard.
    pub fn forget(&mut self) {
        let mut buffer = Vec::with_capacity(4096);
        for _ in 0..MOST_PENDING {
            buffer.clear();
            let got = self.raw.recv_from(&mut buffer, MsgFlags::MSG_DONTWAIT.bits());
            let lost = |error: &io::Error| error.raw_os_error() == Some(Errno::ENOBUFS as i32);
            if got.is_err_and(|error| !lost(&error)) {
                return;
            }
        }
    }

    /// Returns when something changed since it returned last, and was not forgotten.
    ///
    /// # Errors
    ///
    /// When the socket is of no use any more.
    pub fn wait(&mut self) -> io::Result<()> {
        loop {
            // What it says is read from the kernel anyway, so it may be cut off.
            let mut buffer = Vec::with_capacity(4096);
            match self.raw.recv_from(&mut buffer, 0) {
                // Only the kernel is on port 0.
                Ok((_, from)) if from.port_number() == 0 => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // More came than there was room for.
                Err(error) if error.raw_os_error() == Some(Errno::ENOBUFS as i32) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

fn cannot_open(error: &io::Error) -> KernelError {
    let message = format!("open a netlink socket for addresses: {error}");
    KernelError::new(KernelErrorKind::Unavailable, message)
}
