use std::net::IpAddr;

use proptest::prelude::*;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_REQUEST, NLMSG_ERROR, NetlinkBuffer,
};
use nix::errno::Errno;

use super::reader::{Malformed, Message, trimmed};
use super::writer::SETTABLE_FLAGS;
use super::*;

const FAMILY_ID: u16 = 0x1c;

fn written(request: &Request<'_>) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.push(FAMILY_ID, 7, request);
    writer.as_bytes().to_vec()
}

fn only(bytes: &[u8]) -> Result<Message<'_>, Malformed> {
    let mut all = messages(bytes);
    let first = all.next().unwrap();
    assert_eq!(all.next(), None);
    first
}

fn address_of(family: u16, bytes: [u8; 16]) -> [u8; 16] {
    trimmed(family, bytes)
}

prop_compose! {
    fn key()(
        family in prop_oneof![Just(INET), Just(INET6)],
        by_mark: bool,
        protocol: u16,
        bytes: [u8; 16],
        port: u16,
        mark: u32,
    ) -> Key {
        match by_mark {
            true => Key::Fwmark { family, mark },
            false => Key::Address { family, protocol, address: address_of(family, bytes), port },
        }
    }
}

prop_compose! {
    fn destination()(
        family in prop_oneof![Just(INET), Just(INET6)],
        bytes: [u8; 16],
        (port, tunnel_port, tunnel_flags) in any::<(u16, u16, u16)>(),
        method in 0u32..8,
        (weight, upper, lower) in any::<(u32, u32, u32)>(),
        tunnel_kind: u8,
    ) -> Destination {
        Destination {
            family: Some(family),
            address: address_of(family, bytes),
            port,
            method,
            weight,
            upper,
            lower,
            tunnel_kind,
            tunnel_port,
            tunnel_flags,
        }
    }
}

prop_compose! {
    fn group()(by_v6: bool, bytes: [u8; 16]) -> IpAddr {
        let [a, b, c, d, ..] = bytes;
        if by_v6 { bytes.into() } else { [a, b, c, d].into() }
    }
}

proptest! {
    // The kernel's list of daemons has the shape and the command of the request that made one.
    #[test]
    fn a_sync_daemon_reads_back_as_written(
        state in 1u32..3,
        interface in "[a-z0-9.-]{1,15}",
        id: u32,
        max_packet: Option<u16>,
        group in proptest::option::of(group()),
        port: Option<u16>,
        ttl: Option<u8>,
    ) {
        let daemon = Daemon { state, interface: &interface, id, max_packet, group, port, ttl };
        let bytes = written(&Request::StartDaemon(&daemon));
        let message = only(&bytes).unwrap();
        prop_assert_eq!(message.reply, Reply::Daemon(daemon));
    }

    // A reply has the shape of the request that made the record.
    #[test]
    fn a_service_reads_back_as_written(
        key in key(),
        scheduler in "[a-z_-]{1,15}",
        flags: u32,
        timeout: u32,
        netmask: [u8; 4],
        engine in proptest::option::of("[a-z]{1,15}"),
    ) {
        let service = Service {
            key, scheduler: &scheduler, flags: flags & SETTABLE_FLAGS, timeout, netmask,
            engine: engine.as_deref(),
        };
        let bytes = written(&Request::AddService(&service));
        let message = Message { sequence: 7, reply: Reply::Service(service) };
        prop_assert_eq!(only(&bytes), Ok(message));
    }

    #[test]
    fn a_destination_reads_back_as_written(key in key(), destination in destination()) {
        let bytes = written(&Request::AddDestination(&key, &destination));
        // The family travels only where it differs from the service's.
        let family = destination.family.filter(|&family| family != key.family());
        let expected = Destination { family, ..destination };
        let message = Message { sequence: 7, reply: Reply::Destination(expected) };
        prop_assert_eq!(only(&bytes), Ok(message));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        for message in messages(&bytes) {
            let _ = message;
        }
    }

    // Random bytes rarely get past the header; a damaged true message gets everywhere.
    #[test]
    fn damaged_messages_never_panic(
        key in key(),
        destination in destination(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = written(&Request::AddDestination(&key, &destination));
        let service = Service {
            key, scheduler: "wlc", flags: 1, timeout: 300, netmask: [255; 4], engine: Some("sip"),
        };
        bytes.extend(written(&Request::AddService(&service)));
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        prop_assert!(messages(&bytes).count() <= bytes.len());
    }
}

fn sample_key() -> Key {
    let mut address = [0; 16];
    address[..4].copy_from_slice(&[10, 0, 0, 1]);
    Key::Address { family: INET, protocol: 6, address, port: 80 }
}

fn sample_destination() -> Destination {
    let mut address = [0; 16];
    address[..4].copy_from_slice(&[10, 0, 1, 7]);
    Destination {
        family: None,
        address,
        port: 8080,
        method: 3,
        weight: 5,
        upper: 9,
        lower: 2,
        tunnel_kind: 0,
        tunnel_port: 0,
        tunnel_flags: 0,
    }
}

type Attributes<'a> = &'a [(u16, &'a [u8])];

/// The same message by somebody else's codec.
fn by_neli(command: u8, nests: &[(u16, Attributes<'_>)]) -> Vec<u8> {
    use neli::consts::nl::NlmF;
    use neli::genl::{AttrTypeBuilder, GenlmsghdrBuilder, NlattrBuilder, NoUserHeader};
    use neli::nl::{NlPayload, NlmsghdrBuilder};
    use neli::types::{Buffer, GenlBuffer};
    use neli::{ToBytes, genl::Nlattr};

    let attribute = |kind: u16, value: &[u8]| -> Nlattr<u16, Buffer> {
        let kind = AttrTypeBuilder::default().nla_type(kind).build().unwrap();
        NlattrBuilder::default().nla_type(kind).nla_payload(value).build().unwrap()
    };
    let mut top = GenlBuffer::new();
    for (kind, values) in nests {
        let mut nest = attribute(*kind, &[]);
        for (kind, value) in *values {
            nest = nest.nest(&attribute(*kind, value)).unwrap();
        }
        top.push(nest);
    }
    let body = GenlmsghdrBuilder::<u8, u16, NoUserHeader>::default()
        .cmd(command)
        .version(1)
        .attrs(top)
        .build()
        .unwrap();
    let message = NlmsghdrBuilder::default()
        .nl_type(FAMILY_ID)
        .nl_flags(NlmF::REQUEST)
        .nl_seq(7)
        .nl_payload(NlPayload::Payload(body))
        .build()
        .unwrap();
    let mut bytes = std::io::Cursor::new(Vec::new());
    message.to_bytes(&mut bytes).unwrap();
    bytes.into_inner()
}

#[test]
fn requests_are_byte_for_byte_those_of_another_codec() {
    let key: &[(u16, &[u8])] = &[
        (1, &2u16.to_ne_bytes()),
        (2, &6u16.to_ne_bytes()),
        (3, &[10, 0, 0, 1]),
        (4, &80u16.to_be_bytes()),
    ];
    let service = Service {
        key: sample_key(),
        scheduler: "wlc",
        flags: 1,
        timeout: 300,
        netmask: [255, 255, 255, 0],
        engine: Some("sip"),
    };
    let mut values = key.to_vec();
    let flags = [1u32.to_ne_bytes(), 0x3du32.to_ne_bytes()].concat();
    let timeout = 300u32.to_ne_bytes();
    values.extend([
        (6, &b"wlc\0"[..]),
        (7, &flags),
        (8, &timeout),
        (9, &[255, 255, 255, 0]),
        (11, b"sip\0"),
    ]);
    assert_eq!(written(&Request::EditService(&service)), by_neli(2, &[(1, &values)]));

    let destination: &[(u16, &[u8])] = &[
        (1, &[10, 0, 1, 7]),
        (2, &8080u16.to_be_bytes()),
        (3, &3u32.to_ne_bytes()),
        (4, &5u32.to_ne_bytes()),
        (5, &9u32.to_ne_bytes()),
        (6, &2u32.to_ne_bytes()),
    ];
    assert_eq!(
        written(&Request::AddDestination(&sample_key(), &sample_destination())),
        by_neli(5, &[(1, key), (2, destination)])
    );
    assert_eq!(
        written(&Request::RemoveDestination(&sample_key(), &sample_destination())),
        by_neli(7, &[(1, key), (2, &destination[..2])])
    );
}

#[test]
fn hashed_is_never_sent() {
    let service = Service {
        key: sample_key(),
        scheduler: "rr",
        flags: 3,
        timeout: 0,
        netmask: [255; 4],
        engine: None,
    };
    let bytes = written(&Request::AddService(&service));
    assert!(matches!(only(&bytes).unwrap().reply, Reply::Service(Service { flags: 1, .. })));
}

#[test]
fn only_the_last_request_of_a_batch_asks_for_an_answer() {
    let mut writer = Writer::default();
    writer.push(FAMILY_ID, 1, &Request::RemoveService(&sample_key()));
    writer.push(FAMILY_ID, 2, &Request::RemoveService(&sample_key()));
    writer.acknowledge_last();
    let first = NetlinkBuffer::new_checked(writer.as_bytes()).unwrap();
    let second = NetlinkBuffer::new_checked(&writer.as_bytes()[first.length() as usize..]).unwrap();
    assert_eq!((first.flags(), first.sequence_number()), (NLM_F_REQUEST, 1));
    assert_eq!((second.flags(), second.sequence_number()), (NLM_F_REQUEST | NLM_F_ACK, 2));
}

/// An answer as the kernel builds it with NETLINK_CAP_ACK and NETLINK_EXT_ACK on.
fn answer(errno: i32, flags: u16, behind: &[u8]) -> Vec<u8> {
    let length = (16 + 4 + 16 + behind.len()) as u32;
    let mut bytes = Vec::new();
    bytes.extend(length.to_ne_bytes());
    bytes.extend(NLMSG_ERROR.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(9u32.to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.extend(errno.to_ne_bytes());
    bytes.extend([0; 16]);
    bytes.extend(behind);
    bytes
}

#[test]
fn an_answer_carries_its_errno_and_the_kernels_words() {
    assert_eq!(only(&answer(0, 0, &[])).unwrap().reply, Reply::Acknowledged);
    let plain = answer(-2, NLM_F_CAPPED, &[]);
    assert_eq!(
        only(&plain),
        Ok(Message { sequence: 9, reply: Reply::Refused(Errno::ENOENT, None) })
    );
    let text = [&8u16.to_ne_bytes()[..], &1u16.to_ne_bytes(), b"no!\0"].concat();
    let worded = answer(-22, NLM_F_CAPPED | NLM_F_ACK_TLVS, &text);
    assert_eq!(only(&worded).unwrap().reply, Reply::Refused(Errno::EINVAL, Some("no!")));
}

#[test]
fn an_absurd_errno_is_an_error_all_the_same() {
    let bytes = answer(i32::MIN, 0, &[]);
    assert!(matches!(only(&bytes).unwrap().reply, Reply::Refused(..)));
}
