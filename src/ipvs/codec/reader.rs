//! Bytes into replies.

use std::net::IpAddr;

use netlink_packet_core::{
    ErrorBuffer, NLM_F_ACK_TLVS, NLM_F_CAPPED, NLMSG_DONE, NLMSG_ERROR, NetlinkBuffer, NlasIterator,
};
use nix::errno::Errno;

use crate::netlink;
pub use crate::netlink::Malformed;

use super::{Daemon, Destination, INET, Key, NETLINK_HEADER, Service, attr};

/// The generic netlink header behind the netlink one: command, version, two bytes reserved.
const GENL_HEADER: usize = 4;
/// Message types below this are netlink's own.
const FIRST_FAMILY: u16 = 16;

/// Commands of replies.
const NEW_SERVICE: u8 = 1;
const NEW_DEST: u8 = 5;
const NEW_DAEMON: u8 = 9;
const SET_INFO: u8 = 14;

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
    Daemon(Daemon<'a>),
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

/// The messages of one datagram. The first malformed one is the last.
pub fn messages(datagram: &[u8]) -> impl Iterator<Item = Result<Message<'_>, Malformed>> {
    netlink::messages(datagram, read)
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
                NEW_DAEMON => Reply::Daemon(read_daemon(nested(attributes, attr::DAEMON)?)?),
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

fn read_daemon(attributes: &[u8]) -> Result<Daemon<'_>, Malformed> {
    use attr::daemon::{
        MCAST_GROUP, MCAST_GROUP6, MCAST_IFN, MCAST_PORT, MCAST_TTL, STATE, SYNC_ID, SYNC_MAXLEN,
    };
    let (mut state, mut interface, mut id) = (None, None, None);
    let (mut max_packet, mut group, mut port, mut ttl) = (None, None, None, None);
    for attribute in each(attributes) {
        let (kind, value) = attribute?;
        match kind {
            STATE => state = Some(u32::from_ne_bytes(array(value)?)),
            MCAST_IFN => interface = Some(name(value)?),
            SYNC_ID => id = Some(u32::from_ne_bytes(array(value)?)),
            SYNC_MAXLEN => max_packet = Some(u16::from_ne_bytes(array(value)?)),
            MCAST_GROUP => group = Some(IpAddr::from(array::<4>(value)?)),
            MCAST_GROUP6 => group = Some(IpAddr::from(array::<16>(value)?)),
            MCAST_PORT => port = Some(u16::from_ne_bytes(array(value)?)),
            MCAST_TTL => ttl = array::<1>(value).map(|[ttl]| Some(ttl))?,
            _ => {}
        }
    }
    Ok(Daemon {
        state: state.ok_or(Malformed)?,
        interface: interface.ok_or(Malformed)?,
        id: id.ok_or(Malformed)?,
        max_packet,
        group,
        port,
        ttl,
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
pub(super) fn trimmed(family: u16, mut address: [u8; 16]) -> [u8; 16] {
    if family == INET {
        address[4..].fill(0);
    }
    address
}

fn name(value: &[u8]) -> Result<&str, Malformed> {
    let end = value.iter().position(|&b| b == 0).unwrap_or(value.len());
    std::str::from_utf8(&value[..end]).map_err(|_| Malformed)
}
