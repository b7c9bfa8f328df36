//! Frames out, and those that claim an address in: AF_PACKET, one socket for each question.

use std::collections::HashMap;
use std::os::fd::AsRawFd;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{LinkAddr, MsgFlags, recvfrom, sendto};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use super::frame;
use super::refusal::not_sent;
use crate::address::Target;
use crate::model::{KernelError, Mac, VipKey};

/// When a question is put, and put again in case the first was lost, and how long answers are
/// waited for after that: 150 ms in all. Who is on the same wire answers in less than one.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(100)];

/// Frames that are looked at for answers: more than a socket's buffer holds.
const MOST_FRAMES: usize = 4096;

/// Longer than what is read of any frame.
const LOOKED_AT: usize = 128;

/// Who answers for these addresses, each at its interface.
pub(super) fn ask(targets: &[Target]) -> Result<Vec<(VipKey, Mac)>, KernelError> {
    let what = "ask who has an address";
    let all = |v6: bool| targets.iter().any(move |target| target.vip.address.is_ipv6() == v6);
    let mut ears = Vec::new();
    if all(false) {
        ears.push(open(what, Some(frame::ARP))?);
    }
    if all(true) {
        let ear = open(what, Some(frame::IPV6))?;
        // A director sees much IPv6 that is none of our business.
        ear.attach_filter(&advertisements()).map_err(|error| not_sent(what, errno(&error)))?;
        ears.push(ear);
    }
    let mut wire = Wire::open(what)?;
    for pause in PAUSES {
        for target in targets {
            if let Some(mac) = target.mac {
                wire.send(target, &frame::question(target.vip.address, mac));
            }
        }
        thread::sleep(pause);
    }
    wire.outcome()?;
    Ok(ears.iter().flat_map(|ear| answers(ear, targets)).collect())
}

/// Tells the neighbours of these addresses, once for each time one is named.
pub(super) fn announce(targets: &[Target]) -> Result<(), KernelError> {
    let mut wire = Wire::open("announce an address")?;
    let mut routers = HashMap::new();
    for target in targets {
        let Some(mac) = target.mac else { continue };
        let router = target.vip.address.is_ipv6()
            && *routers.entry(target.index).or_insert_with(|| is_router(target));
        for frame in frame::announcement(target.vip.address, mac, router) {
            wire.send(target, &frame);
        }
    }
    wire.outcome()
}

/// Whether the interface forwards IPv6.
fn is_router(target: &Target) -> bool {
    let path = format!("/proc/sys/net/ipv6/conf/{}/forwarding", target.vip.interface);
    std::fs::read_to_string(path).is_ok_and(|text| text.trim() != "0")
}

/// The way out, and the first thing that went wrong on it: one interface that went down keeps
/// nothing from the others.
struct Wire {
    what: &'static str,
    socket: Socket,
    /// The kernel's own name for each interface, by index: there is no other way to make one
    /// without unsafe code.
    ports: HashMap<u32, LinkAddr>,
    failed: Option<KernelError>,
}

impl Wire {
    fn open(what: &'static str) -> Result<Wire, KernelError> {
        let socket = open(what, None)?;
        let all = getifaddrs().map_err(|errno| not_sent(what, errno))?;
        let links = all.filter_map(|entry| entry.address?.as_link_addr().copied());
        let ports = links.map(|link| (link.ifindex() as u32, link)).collect();
        Ok(Wire { what, socket, ports, failed: None })
    }

    fn send(&mut self, target: &Target, frame: &[u8]) {
        let port = self.ports.get(&target.index).ok_or(Errno::ENODEV);
        let sent =
            port.and_then(|port| sendto(self.socket.as_raw_fd(), frame, port, MsgFlags::empty()));
        if let Err(errno) = sent {
            let what = format!("{} ({})", self.what, target.vip);
            self.failed.get_or_insert_with(|| not_sent(what, errno));
        }
    }

    fn outcome(self) -> Result<(), KernelError> {
        self.failed.map_or(Ok(()), Err)
    }
}

/// A packet socket that hears this type of frame, or none.
fn open(what: &str, hears: Option<u16>) -> Result<Socket, KernelError> {
    let protocol = hears.map(|kind| Protocol::from(i32::from(kind.to_be())));
    let open = || {
        let socket = Socket::new(Domain::PACKET, Type::RAW, protocol)?;
        socket.set_nonblocking(true)?;
        Ok::<_, std::io::Error>(socket)
    };
    open().map_err(|error| not_sent(what, errno(&error)))
}

/// A filter that lets neighbour advertisements through: next header at 20, ICMPv6 type at 54.
fn advertisements() -> [SockFilter; 6] {
    // Of linux/bpf_common.h: load a byte, jump if equal, return.
    const LOAD: u16 = 0x30;
    const EQUALS: u16 = 0x15;
    const RETURN: u16 = 0x06;
    [
        SockFilter::new(LOAD, 0, 0, 20),
        SockFilter::new(EQUALS, 0, 3, u32::from(frame::ICMPV6)),
        SockFilter::new(LOAD, 0, 0, 54),
        SockFilter::new(EQUALS, 0, 1, u32::from(frame::ADVERTISEMENT)),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
        SockFilter::new(RETURN, 0, 0, 0),
    ]
}

/// What came in that claims one of the addresses, at its interface.
fn answers(ear: &Socket, targets: &[Target]) -> Vec<(VipKey, Mac)> {
    let mut found = Vec::new();
    let mut buffer = [0; LOOKED_AT];
    for _ in 0..MOST_FRAMES {
        let (length, from) = match recvfrom::<LinkAddr>(ear.as_raw_fd(), &mut buffer) {
            Ok((length, Some(from))) => (length, from),
            Ok((_, None)) | Err(Errno::EINTR) => continue,
            Err(_) => break,
        };
        let Some((address, mac)) = buffer.get(..length).and_then(frame::claim) else { continue };
        let index = from.ifindex() as u32;
        let meant = |t: &&Target| t.vip.address == address && t.index == index;
        found.extend(targets.iter().filter(meant).map(|target| (target.vip.clone(), mac)));
    }
    found
}

fn errno(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}
