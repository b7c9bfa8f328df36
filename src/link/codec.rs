//! Bytes to messages of rtnetlink, and back. Pure.
//!
//! Addresses are the crate's typed messages. Of links three things are read out of dozens, so
//! they are read one by one: an attribute that a newer kernel words differently hides nothing.

use std::net::IpAddr;

use netlink_packet_core::{
    Emitable, ErrorBuffer, NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_EXCL,
    NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, NetlinkBuffer, NlasIterator, Parseable,
};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeader, AddressMessage, AddressProtocol, CacheInfo,
};
use netlink_packet_route::link::{LinkFlags, LinkHeader, LinkLayerType};
use nix::errno::Errno;

use crate::address::Target;
use crate::model::Mac;
use crate::netlink;
pub use crate::netlink::Malformed;

/// Message types.
const NEW_LINK: u16 = 16;
const GET_LINK: u16 = 18;
const NEW_ADDRESS: u16 = 20;
const DELETE_ADDRESS: u16 = 21;
const GET_ADDRESS: u16 = 22;

/// Of a link's attributes: IFLA_ADDRESS, IFLA_IFNAME.
const LINK_MAC: u16 = 1;
const LINK_NAME: u16 = 3;
const LINK_HEADER: usize = 16;
const NETLINK_HEADER: usize = 16;

/// Our mark on an address (IFA_PROTO), for people who look with `ip address`: `proto 0x76`. The
/// kernel's own are 1 to 3; routing daemons that use their numbers of RTPROT_* stay clear of it.
pub const MARK: u8 = b'v';

/// What can be asked.
#[derive(Clone, Copy, Debug)]
pub enum Request<'a> {
    ListLinks,
    /// Of both families.
    ListAddresses,
    /// Refused with `EEXIST` when it is there.
    Add(&'a Target),
    /// Refused with `EADDRNOTAVAIL` when it is not there.
    Remove(&'a Target),
}

/// One message from the kernel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Of the request this answers.
    pub sequence: u32,
    /// Whether the list it belongs to changed while it was made.
    pub torn: bool,
    pub reply: Reply,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    Link(LinkRecord),
    Address(AddressRecord),
    /// The end of a list.
    Done,
    Acknowledged,
    Refused(Errno),
    /// None of ours.
    Other,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkRecord {
    pub index: u32,
    pub name: String,
    pub up: bool,
    /// See [`Link::mac`](crate::model::Link::mac).
    pub mac: Option<Mac>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AddressRecord {
    pub index: u32,
    pub address: IpAddr,
    pub prefix: u8,
    /// 0 is none.
    pub mark: u8,
}

/// Appends a request, ready to be sent.
pub fn write(bytes: &mut Vec<u8>, sequence: u32, request: &Request<'_>) {
    match request {
        Request::ListLinks => {
            push(bytes, sequence, (GET_LINK, NLM_F_DUMP), &LinkHeader::default());
        }
        Request::ListAddresses => {
            push(bytes, sequence, (GET_ADDRESS, NLM_F_DUMP), &AddressHeader::default());
        }
        Request::Add(target) => {
            let flags = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
            push(bytes, sequence, (NEW_ADDRESS, flags), &new_address(target));
        }
        // No flag but these: EXCL means "all of them" here.
        Request::Remove(target) => {
            push(bytes, sequence, (DELETE_ADDRESS, NLM_F_ACK), &address(target));
        }
    }
}

fn push(bytes: &mut Vec<u8>, sequence: u32, (kind, flags): (u16, u16), body: &impl Emitable) {
    let start = bytes.len();
    let length = NETLINK_HEADER + body.buffer_len();
    bytes.resize(start + length.next_multiple_of(4), 0);
    let mut header = NetlinkBuffer::new(&mut bytes[start..]);
    header.set_length(length as u32);
    header.set_message_type(kind);
    header.set_flags(NLM_F_REQUEST | flags);
    header.set_sequence_number(sequence);
    body.emit(&mut bytes[start + NETLINK_HEADER..start + length]);
}

/// What tells an address from others.
fn address(target: &Target) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = match target.vip.address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    message.header.prefix_len = target.vip.prefix;
    message.header.index = target.index;
    // For IPv4 the one without the other is EINVAL.
    message.attributes.push(AddressAttribute::Local(target.vip.address));
    message.attributes.push(AddressAttribute::Address(target.vip.address));
    message
}

fn new_address(target: &Target) -> AddressMessage {
    let mut message = address(target);
    message.attributes.push(AddressAttribute::Protocol(AddressProtocol::Other(MARK)));
    if target.vip.address.is_ipv6() {
        // Usable at once: we asked the neighbours ourselves.
        message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
        // Never the source of what this host sends of itself: tunnelled packets with the VIP as
        // their source are dropped by real servers, which have it too.
        let mut lifetime = CacheInfo::default();
        lifetime.ifa_preferred = 0;
        lifetime.ifa_valid = u32::MAX;
        message.attributes.push(AddressAttribute::CacheInfo(lifetime));
    }
    message
}

/// The messages of one datagram. The first malformed one is the last.
pub fn messages(datagram: &[u8]) -> impl Iterator<Item = Result<Message, Malformed>> + '_ {
    netlink::messages(datagram, read)
}

fn read(header: &NetlinkBuffer<&[u8]>) -> Result<Message, Malformed> {
    let payload = header.payload();
    let reply = match header.message_type() {
        NLMSG_ERROR | NLMSG_DONE => {
            let code = ErrorBuffer::new_checked(payload).map_err(|_| Malformed)?.code();
            match (code, header.message_type()) {
                (Some(code), _) => Reply::Refused(Errno::from_raw(code.get().saturating_neg())),
                (None, NLMSG_DONE) => Reply::Done,
                (None, _) => Reply::Acknowledged,
            }
        }
        NEW_LINK => read_link(payload).map_or(Reply::Other, Reply::Link),
        NEW_ADDRESS => read_address(payload).map_or(Reply::Other, Reply::Address),
        _ => Reply::Other,
    };
    let torn = header.flags() & NLM_F_DUMP_INTR != 0;
    Ok(Message { sequence: header.sequence_number(), torn, reply })
}

fn read_link(payload: &[u8]) -> Option<LinkRecord> {
    let header = LinkHeader::parse(payload).ok()?;
    let attributes = payload.get(LINK_HEADER..)?;
    // Behind the attribute's own header, up to its length.
    let bytes = |kind| {
        let mut all = NlasIterator::new(attributes).map_while(Result::ok);
        let found = all.find(|attribute| attribute.kind() == kind)?;
        let length = usize::from(found.length());
        found.into_inner().get(4..length)
    };
    let name = bytes(LINK_NAME)?;
    let name = name.strip_suffix(&[0]).unwrap_or(name);
    let has_neighbours = header.link_layer_type == LinkLayerType::Ether
        && !header.flags.intersects(LinkFlags::Loopback | LinkFlags::Noarp);
    let mac = bytes(LINK_MAC).and_then(|mac| mac.try_into().ok()).map(Mac);
    Some(LinkRecord {
        index: header.index,
        name: String::from_utf8(name.to_vec()).ok()?,
        up: header.flags.contains(LinkFlags::Up | LinkFlags::LowerUp),
        mac: mac.filter(|_| has_neighbours),
    })
}

fn read_address(payload: &[u8]) -> Option<AddressRecord> {
    let message = AddressMessage::parse(payload).ok()?;
    let (mut local, mut remote, mut mark) = (None, None, 0);
    for attribute in message.attributes {
        match attribute {
            AddressAttribute::Local(address) => local = Some(address),
            AddressAttribute::Address(address) => remote = Some(address),
            AddressAttribute::Protocol(protocol) => mark = protocol.into(),
            _ => {}
        }
    }
    // Where there are both, the other is the far end of a point-to-point link.
    let address = local.or(remote)?;
    let (index, prefix) = (message.header.index, message.header.prefix_len);
    Some(AddressRecord { index, address, prefix, mark })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(vip: &str) -> Target {
        Target { vip: vip.parse().unwrap(), index: 7, mac: None }
    }

    fn written(request: &Request<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&mut bytes, 9, request);
        bytes
    }

    fn read_all(bytes: &[u8]) -> Vec<Reply> {
        messages(bytes).map(|message| message.unwrap().reply).collect()
    }

    #[test]
    fn an_address_is_added_in_the_kernels_words() {
        let bytes = written(&Request::Add(&target("10.0.0.3/32 on eth0")));
        #[rustfmt::skip]
        let wanted = [
            // Length, RTM_NEWADDR, REQUEST | ACK | CREATE | EXCL, sequence, port.
            48, 0, 0, 0, 20, 0, 5, 6, 9, 0, 0, 0, 0, 0, 0, 0,
            // AF_INET, prefix, flags, scope, index.
            2, 32, 0, 0, 7, 0, 0, 0,
            // IFA_LOCAL, IFA_ADDRESS.
            8, 0, 2, 0, 10, 0, 0, 3, 8, 0, 1, 0, 10, 0, 0, 3,
            // IFA_PROTO.
            5, 0, 11, 0, 0x76, 0, 0, 0,
        ];
        assert_eq!(bytes, wanted);
    }

    #[test]
    fn an_ipv6_address_skips_detection_and_is_nobodys_source() {
        let bytes = written(&Request::Add(&target("2001:db8::3/128 on eth0")));
        let flags = [8, 0, 8, 0, 2, 0, 0, 0];
        assert!(bytes.windows(8).any(|window| window == flags), "{bytes:?}");
        let lifetime = [20, 0, 6, 0, 0, 0, 0, 0, 255, 255, 255, 255];
        assert!(bytes.windows(12).any(|window| window == lifetime), "{bytes:?}");
    }

    #[test]
    fn removing_carries_no_flag_that_means_all() {
        let bytes = written(&Request::Remove(&target("10.0.0.3/24 on eth0")));
        assert_eq!((bytes[4], &bytes[6..8]), (21, &[5, 0][..]));
        assert_eq!(bytes.len(), 40);
    }

    #[test]
    fn what_was_written_of_an_address_is_read_again() {
        for vip in ["10.0.0.3/24 on eth0", "2001:db8::3/128 on eth0"] {
            let target = target(vip);
            let (address, prefix) = (target.vip.address, target.vip.prefix);
            let mark = MARK;
            let record = AddressRecord { index: 7, address, prefix, mark };
            assert_eq!(read_all(&written(&Request::Add(&target))), [Reply::Address(record)]);
        }
    }

    /// A message as the kernel would send it.
    fn link(kind: u16, flags: u32, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = vec![0, 0];
        body.extend(kind.to_ne_bytes());
        body.extend(3u32.to_ne_bytes());
        body.extend(flags.to_ne_bytes());
        body.extend([0; 4]);
        for (kind, value) in attributes {
            body.extend((value.len() as u16 + 4).to_ne_bytes());
            body.extend(kind.to_ne_bytes());
            body.extend(*value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        let mut message = (body.len() as u32 + 16).to_ne_bytes().to_vec();
        message.extend(NEW_LINK.to_ne_bytes());
        message.extend([2, 0, 9, 0, 0, 0, 0, 0, 0, 0]);
        message.extend(body);
        message
    }

    #[test]
    fn of_a_link_its_name_state_and_neighbours_are_read() {
        let mac: &[u8] = &[2, 0, 0, 0, 0, 1];
        let attributes = [(3, &b"eth0\0"[..]), (99, &[1, 2, 3][..]), (1, mac)];
        for (kind, flags, up, told) in [
            // Ethernet: UP | BROADCAST | RUNNING | MULTICAST | LOWER_UP.
            (1, 0x1_1043, true, true),
            (1, 0x1003, false, true),
            // A dummy has NOARP; loopback is no Ethernet.
            (1, 0x1_00c3, true, false),
            (772, 0x1_0049, true, false),
        ] {
            let record = LinkRecord {
                index: 3,
                name: "eth0".into(),
                up,
                mac: told.then_some(Mac([2, 0, 0, 0, 0, 1])),
            };
            assert_eq!(read_all(&link(kind, flags, &attributes)), [Reply::Link(record)]);
        }
        // Without a name it is of no use, and no reason to give up.
        assert_eq!(read_all(&link(1, 0, &[(1, mac)])), [Reply::Other]);
    }

    #[test]
    fn answers_are_told_apart() {
        let answer = |kind: u16, code: i32| {
            let mut message = 20u32.to_ne_bytes().to_vec();
            message.extend(kind.to_ne_bytes());
            message.extend([0x10, 0, 9, 0, 0, 0, 0, 0, 0, 0]);
            message.extend(code.to_ne_bytes());
            message
        };
        assert_eq!(read_all(&answer(2, 0)), [Reply::Acknowledged]);
        assert_eq!(read_all(&answer(2, -17)), [Reply::Refused(Errno::EEXIST)]);
        let done = answer(3, 0);
        let message = messages(&done).next().unwrap().unwrap();
        assert_eq!((message.sequence, message.torn, message.reply), (9, true, Reply::Done));
        for length in 1..20 {
            assert_eq!(messages(&done[..length]).collect::<Vec<_>>(), [Err(Malformed)]);
        }
    }
}
