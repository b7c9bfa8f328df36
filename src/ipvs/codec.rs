//! Bytes to messages of the generic netlink family `IPVS`, and back. Pure.
//!
//! Records here are what is on the wire, byte orders resolved and nothing else; what they mean
//! is [`table`](super::table)'s business. Requests are written one after another into a buffer
//! that is used again; replies are read in place.
//!
//! The family mixes byte orders: addresses, ports and the tunnel's port are in network order,
//! everything else in the host's, and the netmask is a dotted quad in network order for IPv4
//! but a prefix length in host order for IPv6.

use netlink_packet_core::{
    ErrorBuffer, NLA_F_NESTED, NLM_F_ACK, NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_DUMP, NLM_F_REQUEST,
    NLMSG_DONE, NLMSG_ERROR, NetlinkBuffer, NlasIterator,
};
use nix::errno::Errno;

/// `AF_INET` and `AF_INET6` as netlink carries them.
pub const INET: u16 = 2;
pub const INET6: u16 = 10;

/// What the kernel tells services apart by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    /// The address in the first 4 or all 16 bytes, by family; the rest is zero.
    Address {
        family: u16,
        protocol: u16,
        address: [u8; 16],
        port: u16,
    },
    Fwmark {
        family: u16,
        mark: u32,
    },
}

impl Key {
    pub const fn family(&self) -> u16 {
        match *self {
            Key::Address { family, .. } | Key::Fwmark { family, .. } => family,
        }
    }
}

/// A service's record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Service<'a> {
    pub key: Key,
    /// 1 to 15 bytes; `none` is no scheduler.
    pub scheduler: &'a str,
    pub flags: u32,
    /// Seconds.
    pub timeout: u32,
    /// As it is on the wire; the byte order goes by family.
    pub netmask: [u8; 4],
    pub engine: Option<&'a str>,
}

/// The flags a request may change: all but HASHED (2), which is the kernel's own and which
/// kernels before 5.13 lose a service by.
const SETTABLE_FLAGS: u32 = 0x3d;

/// A destination's record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Destination {
    /// `None` is the service's.
    pub family: Option<u16>,
    /// The address in the first 4 or all 16 bytes, by family; the rest is zero.
    pub address: [u8; 16],
    pub port: u16,
    pub method: u32,
    pub weight: u32,
    pub upper: u32,
    pub lower: u32,
    pub tunnel_kind: u8,
    pub tunnel_port: u16,
    pub tunnel_flags: u16,
}

/// What can be asked.
#[derive(Clone, Copy, Debug)]
pub enum Request<'a> {
    AddService(&'a Service<'a>),
    EditService(&'a Service<'a>),
    RemoveService(&'a Key),
    /// Answered by one [`Reply::Service`], or `ESRCH`.
    ReadService(&'a Key),
    /// Every service of the network namespace.
    ListServices,
    AddDestination(&'a Key, &'a Destination),
    EditDestination(&'a Key, &'a Destination),
    RemoveDestination(&'a Key, &'a Destination),
    /// Every destination of one service; none, and no error, when there is no such service.
    ListDestinations(&'a Key),
    /// The module's version. Answered by [`Reply::Info`]; changes nothing.
    Info,
}

impl Request<'_> {
    const fn command(&self) -> u8 {
        match self {
            Request::AddService(_) => 1,
            Request::EditService(_) => 2,
            Request::RemoveService(_) => 3,
            Request::ReadService(_) | Request::ListServices => 4,
            Request::AddDestination(..) => 5,
            Request::EditDestination(..) => 6,
            Request::RemoveDestination(..) => 7,
            Request::ListDestinations(_) => 8,
            Request::Info => 15,
        }
    }
}

/// Commands of replies.
const NEW_SERVICE: u8 = 1;
const NEW_DEST: u8 = 5;
const SET_INFO: u8 = 14;

/// Attributes, by the nest they are in.
mod attr {
    pub const SERVICE: u16 = 1;
    pub const DEST: u16 = 2;

    pub mod service {
        pub const AF: u16 = 1;
        pub const PROTOCOL: u16 = 2;
        pub const ADDR: u16 = 3;
        pub const PORT: u16 = 4;
        pub const FWMARK: u16 = 5;
        pub const SCHED_NAME: u16 = 6;
        pub const FLAGS: u16 = 7;
        pub const TIMEOUT: u16 = 8;
        pub const NETMASK: u16 = 9;
        pub const PE_NAME: u16 = 11;
    }

    pub mod dest {
        pub const ADDR: u16 = 1;
        pub const PORT: u16 = 2;
        pub const FWD_METHOD: u16 = 3;
        pub const WEIGHT: u16 = 4;
        pub const U_THRESH: u16 = 5;
        pub const L_THRESH: u16 = 6;
        pub const ADDR_FAMILY: u16 = 11;
        pub const TUN_TYPE: u16 = 13;
        pub const TUN_PORT: u16 = 14;
        pub const TUN_FLAGS: u16 = 15;
    }

    pub mod info {
        pub const VERSION: u16 = 1;
    }

    /// Of an extended acknowledgement.
    pub const ACK_TEXT: u16 = 1;
}

/// The generic netlink header behind the netlink one: command, version, two bytes reserved.
const GENL_HEADER: usize = 4;
const FAMILY_VERSION: u8 = 1;
const NETLINK_HEADER: usize = 16;
/// Message types below this are netlink's own.
const FIRST_FAMILY: u16 = 16;

/// Writes requests one after another, ready for one send.
#[derive(Default, Debug)]
pub struct Writer {
    bytes: Vec<u8>,
    /// Where the last request starts.
    last: usize,
}

impl Writer {
    /// Forgets what was written and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.last = 0;
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Appends a request to the family with this id. Answers carry `sequence`.
    pub fn push(&mut self, family_id: u16, sequence: u32, request: &Request<'_>) {
        self.last = self.bytes.len();
        let dump = matches!(request, Request::ListServices | Request::ListDestinations(_));
        let flags = if dump { NLM_F_REQUEST | NLM_F_DUMP } else { NLM_F_REQUEST };
        self.bytes.extend_from_slice(&[0; NETLINK_HEADER]);
        self.bytes.extend_from_slice(&[request.command(), FAMILY_VERSION, 0, 0]);
        self.body(request);
        let length = self.bytes.len() - self.last;
        let mut header = NetlinkBuffer::new(&mut self.bytes[self.last..]);
        header.set_length(length as u32);
        header.set_message_type(family_id);
        header.set_flags(flags);
        header.set_sequence_number(sequence);
    }

    /// Has the last request answered also when it succeeds. Failures always are.
    pub fn acknowledge_last(&mut self) {
        if self.bytes.is_empty() {
            return;
        }
        let mut header = NetlinkBuffer::new(&mut self.bytes[self.last..]);
        let flags = header.flags();
        header.set_flags(flags | NLM_F_ACK);
    }

    /// Sends what was written to the family with another id.
    pub fn address_to(&mut self, family_id: u16) {
        let mut start = 0;
        while start < self.bytes.len() {
            let mut header = NetlinkBuffer::new(&mut self.bytes[start..]);
            header.set_message_type(family_id);
            start += header.length() as usize;
        }
    }

    fn body(&mut self, request: &Request<'_>) {
        match request {
            Request::AddService(service) | Request::EditService(service) => {
                self.nest(attr::SERVICE, |w| w.service(service));
            }
            Request::RemoveService(key)
            | Request::ReadService(key)
            | Request::ListDestinations(key) => self.nest(attr::SERVICE, |w| w.key(key)),
            Request::AddDestination(key, destination)
            | Request::EditDestination(key, destination) => {
                self.nest(attr::SERVICE, |w| w.key(key));
                self.nest(attr::DEST, |w| {
                    w.destination_key(key, destination);
                    w.destination_values(destination);
                });
            }
            Request::RemoveDestination(key, destination) => {
                self.nest(attr::SERVICE, |w| w.key(key));
                self.nest(attr::DEST, |w| w.destination_key(key, destination));
            }
            Request::ListServices | Request::Info => {}
        }
    }

    fn key(&mut self, key: &Key) {
        use attr::service::{ADDR, AF, FWMARK, PORT, PROTOCOL};
        self.attribute(AF, &key.family().to_ne_bytes());
        match key {
            Key::Address { family, protocol, address, port } => {
                self.attribute(PROTOCOL, &protocol.to_ne_bytes());
                self.attribute(ADDR, significant(*family, address));
                self.attribute(PORT, &port.to_be_bytes());
            }
            Key::Fwmark { mark, .. } => self.attribute(FWMARK, &mark.to_ne_bytes()),
        }
    }

    fn service(&mut self, service: &Service<'_>) {
        use attr::service::{FLAGS, NETMASK, PE_NAME, SCHED_NAME, TIMEOUT};
        self.key(&service.key);
        self.text(SCHED_NAME, service.scheduler);
        // Flags and the mask of those meant, as one attribute: with a mask of 0 the kernel
        // takes the request and changes no flag.
        let mut flags = [0; 8];
        flags[..4].copy_from_slice(&(service.flags & SETTABLE_FLAGS).to_ne_bytes());
        flags[4..].copy_from_slice(&SETTABLE_FLAGS.to_ne_bytes());
        self.attribute(FLAGS, &flags);
        self.attribute(TIMEOUT, &service.timeout.to_ne_bytes());
        self.attribute(NETMASK, &service.netmask);
        // Left out, the kernel takes the engine away.
        if let Some(engine) = service.engine {
            self.text(PE_NAME, engine);
        }
    }

    fn destination_key(&mut self, key: &Key, destination: &Destination) {
        use attr::dest::{ADDR, ADDR_FAMILY, PORT};
        let family = destination.family.unwrap_or(key.family());
        self.attribute(ADDR, significant(family, &destination.address));
        self.attribute(PORT, &destination.port.to_be_bytes());
        // Kernels before 3.18 do not know it, and need it for nothing but mixed families.
        if family != key.family() {
            self.attribute(ADDR_FAMILY, &family.to_ne_bytes());
        }
    }

    fn destination_values(&mut self, d: &Destination) {
        use attr::dest::{FWD_METHOD, L_THRESH, TUN_FLAGS, TUN_PORT, TUN_TYPE, U_THRESH, WEIGHT};
        self.attribute(FWD_METHOD, &d.method.to_ne_bytes());
        self.attribute(WEIGHT, &d.weight.to_ne_bytes());
        self.attribute(U_THRESH, &d.upper.to_ne_bytes());
        self.attribute(L_THRESH, &d.lower.to_ne_bytes());
        // Left out, the kernel sets all three to zero: that is plain ipip.
        if (d.tunnel_kind, d.tunnel_port, d.tunnel_flags) != (0, 0, 0) {
            self.attribute(TUN_TYPE, &[d.tunnel_kind]);
            self.attribute(TUN_PORT, &d.tunnel_port.to_be_bytes());
            self.attribute(TUN_FLAGS, &d.tunnel_flags.to_ne_bytes());
        }
    }

    fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Writer)) {
        let start = self.bytes.len();
        self.attribute(kind | NLA_F_NESTED, &[]);
        fill(self);
        let length = (self.bytes.len() - start) as u16;
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
    }

    fn text(&mut self, kind: u16, text: &str) {
        let mut padded = [0; 17];
        // The longest name the kernel takes has 15 bytes and a NUL (an engine's has 16).
        let length = text.len().min(padded.len() - 1);
        padded[..length].copy_from_slice(&text.as_bytes()[..length]);
        self.attribute(kind, &padded[..=length]);
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        let length = (4 + value.len()) as u16;
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

fn significant(family: u16, address: &[u8; 16]) -> &[u8] {
    if family == INET { &address[..4] } else { address }
}

/// One message from the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message<'a> {
    /// Of the request this answers.
    pub sequence: u32,
    pub reply: Reply<'a>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reply<'a> {
    Service(Service<'a>),
    Destination(Destination),
    /// The module's version, as 0xMMmmpp.
    Info(u32),
    /// The end of a list.
    Done,
    /// The request was carried out.
    Acknowledged,
    /// The request was refused; some requests are, with a text.
    Refused(Errno, Option<&'a str>),
    /// None of ours.
    Other,
}

/// Bytes that are no netlink message, or lack what every message of their kind has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed;

/// The messages of one datagram. The first malformed one is the last.
pub fn messages(datagram: &[u8]) -> impl Iterator<Item = Result<Message<'_>, Malformed>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Ok(header) = NetlinkBuffer::new_checked(rest) else {
            rest = &[];
            return Some(Err(Malformed));
        };
        let message = read(&header);
        let next = (header.length() as usize).next_multiple_of(4);
        rest = match &message {
            Ok(_) => rest.get(next..).unwrap_or(&[]),
            Err(_) => &[],
        };
        Some(message)
    })
}

fn read<'a>(header: &NetlinkBuffer<&'a [u8]>) -> Result<Message<'a>, Malformed> {
    let payload = header.payload();
    let reply = match header.message_type() {
        NLMSG_ERROR => read_answer(header.flags(), payload)?,
        NLMSG_DONE => match read_errno(payload)? {
            None => Reply::Done,
            Some(errno) => Reply::Refused(errno, None),
        },
        kind if kind < FIRST_FAMILY => Reply::Other,
        _ => {
            let (&[command, ..], attributes) =
                payload.split_first_chunk::<GENL_HEADER>().ok_or(Malformed)?;
            match command {
                NEW_SERVICE => Reply::Service(read_service(nested(attributes, attr::SERVICE)?)?),
                NEW_DEST => Reply::Destination(read_destination(nested(attributes, attr::DEST)?)?),
                SET_INFO => Reply::Info(read_info(attributes)?),
                _ => Reply::Other,
            }
        }
    };
    Ok(Message { sequence: header.sequence_number(), reply })
}

fn read_errno(payload: &[u8]) -> Result<Option<Errno>, Malformed> {
    let code = ErrorBuffer::new_checked(payload).map_err(|_| Malformed)?.code();
    Ok(code.map(|code| Errno::from_raw(code.get().saturating_neg())))
}

fn read_answer(flags: u16, payload: &[u8]) -> Result<Reply<'_>, Malformed> {
    let Some(errno) = read_errno(payload)? else { return Ok(Reply::Acknowledged) };
    // Behind the error stands the request: its header alone when CAP_ACK is set. Behind that,
    // the kernel's words.
    let request = payload.get(4..).unwrap_or(&[]);
    let text = if flags & NLM_F_ACK_TLVS == 0 {
        None
    } else if flags & NLM_F_CAPPED != 0 {
        request.get(NETLINK_HEADER..).and_then(read_text)
    } else {
        let request_length = NetlinkBuffer::new_checked(request).map_or(0, |b| b.length() as usize);
        request.get(request_length.next_multiple_of(4)..).and_then(read_text)
    };
    Ok(Reply::Refused(errno, text))
}

fn read_text(attributes: &[u8]) -> Option<&str> {
    let text = nested(attributes, attr::ACK_TEXT).ok()?;
    name(text).ok().filter(|text| !text.is_empty())
}

fn read_service(attributes: &[u8]) -> Result<Service<'_>, Malformed> {
    use attr::service::{
        ADDR, AF, FLAGS, FWMARK, NETMASK, PE_NAME, PORT, PROTOCOL, SCHED_NAME, TIMEOUT,
    };
    let (mut family, mut protocol, mut mark) = (None, None, None);
    let (mut address_bytes, mut port) = (None, None);
    let (mut scheduler, mut engine) = (None, None);
    let (mut flags, mut timeout, mut netmask) = (None, None, None);
    for attribute in each(attributes) {
        let (kind, value) = attribute?;
        match kind {
            AF => family = Some(u16::from_ne_bytes(array(value)?)),
            PROTOCOL => protocol = Some(u16::from_ne_bytes(array(value)?)),
            ADDR => address_bytes = Some(address(value)?),
            PORT => port = Some(u16::from_be_bytes(array(value)?)),
            FWMARK => mark = Some(u32::from_ne_bytes(array(value)?)),
            SCHED_NAME => scheduler = Some(name(value)?),
            // The mask that follows is all ones in a reply.
            FLAGS => flags = Some(u32::from_ne_bytes(array(value)?)),
            TIMEOUT => timeout = Some(u32::from_ne_bytes(array(value)?)),
            NETMASK => netmask = Some(array(value)?),
            PE_NAME => engine = Some(name(value)?),
            _ => {}
        }
    }
    let family = family.ok_or(Malformed)?;
    let key = match mark {
        // The kernel leaves out the rest of the key.
        Some(mark) => Key::Fwmark { family, mark },
        None => Key::Address {
            family,
            protocol: protocol.ok_or(Malformed)?,
            address: trimmed(family, address_bytes.ok_or(Malformed)?),
            port: port.ok_or(Malformed)?,
        },
    };
    Ok(Service {
        key,
        scheduler: scheduler.ok_or(Malformed)?,
        flags: flags.ok_or(Malformed)?,
        timeout: timeout.ok_or(Malformed)?,
        netmask: netmask.ok_or(Malformed)?,
        engine: engine.filter(|engine| !engine.is_empty()),
    })
}

fn read_destination(attributes: &[u8]) -> Result<Destination, Malformed> {
    use attr::dest::{
        ADDR, ADDR_FAMILY, FWD_METHOD, L_THRESH, PORT, TUN_FLAGS, TUN_PORT, TUN_TYPE, U_THRESH,
        WEIGHT,
    };
    let (mut address_bytes, mut port, mut method, mut weight) = (None, None, None, None);
    let (mut family, mut upper, mut lower) = (None, 0, 0);
    let (mut tunnel_kind, mut tunnel_port, mut tunnel_flags) = (0, 0, 0);
    for attribute in each(attributes) {
        let (kind, value) = attribute?;
        match kind {
            ADDR => address_bytes = Some(address(value)?),
            PORT => port = Some(u16::from_be_bytes(array(value)?)),
            FWD_METHOD => method = Some(u32::from_ne_bytes(array(value)?)),
            WEIGHT => weight = Some(u32::from_ne_bytes(array(value)?)),
            U_THRESH => upper = u32::from_ne_bytes(array(value)?),
            L_THRESH => lower = u32::from_ne_bytes(array(value)?),
            ADDR_FAMILY => family = Some(u16::from_ne_bytes(array(value)?)),
            TUN_TYPE => [tunnel_kind] = array(value)?,
            TUN_PORT => tunnel_port = u16::from_be_bytes(array(value)?),
            TUN_FLAGS => tunnel_flags = u16::from_ne_bytes(array(value)?),
            _ => {}
        }
    }
    // A zero family is the service's, as none is.
    let family = family.filter(|&family| family != 0);
    Ok(Destination {
        family,
        address: address_bytes.ok_or(Malformed)?,
        port: port.ok_or(Malformed)?,
        method: method.ok_or(Malformed)?,
        weight: weight.ok_or(Malformed)?,
        upper,
        lower,
        tunnel_kind,
        tunnel_port,
        tunnel_flags,
    })
}

fn read_info(attributes: &[u8]) -> Result<u32, Malformed> {
    Ok(u32::from_ne_bytes(array(nested(attributes, attr::info::VERSION)?)?))
}

fn each(bytes: &[u8]) -> impl Iterator<Item = Result<(u16, &[u8]), Malformed>> {
    NlasIterator::new(bytes).map(|attribute| {
        let attribute = attribute.map_err(|_| Malformed)?;
        let (kind, length) = (attribute.kind(), usize::from(attribute.length()));
        // The view's own `value` borrows the view, which ends here.
        Ok((kind, attribute.into_inner().get(4..length).ok_or(Malformed)?))
    })
}

/// The value of the first attribute of this kind.
fn nested(bytes: &[u8], wanted: u16) -> Result<&[u8], Malformed> {
    let is_wanted =
        |a: &Result<(u16, &[u8]), Malformed>| a.map_or(true, |(kind, _)| kind == wanted);
    each(bytes).find(is_wanted).ok_or(Malformed)?.map(|(_, value)| value)
}

/// The first N bytes of a number; the kernel may grow an attribute, never shrink it.
fn array<const N: usize>(value: &[u8]) -> Result<[u8; N], Malformed> {
    value.first_chunk().copied().ok_or(Malformed)
}

/// An IPv4 address comes with 4 or 16 bytes.
fn address(value: &[u8]) -> Result<[u8; 16], Malformed> {
    let mut address = [0; 16];
    address.get_mut(..value.len()).ok_or(Malformed)?.copy_from_slice(value);
    Ok(address)
}

/// Only the first 4 of the 16 bytes of an IPv4 address mean something.
fn trimmed(family: u16, mut address: [u8; 16]) -> [u8; 16] {
    if family == INET {
        address[4..].fill(0);
    }
    address
}

fn name(value: &[u8]) -> Result<&str, Malformed> {
    let end = value.iter().position(|&b| b == 0).unwrap_or(value.len());
    std::str::from_utf8(&value[..end]).map_err(|_| Malformed)
}

#[cfg(test)]
mod tests;
