//! ICMP and ICMPv6 echo as bytes: RFC 792, RFC 4443. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::Family;

/// Header and data of one echo request, in bytes; with 56 of data as ping(8) sends, which no
/// filter finds odd.
pub(super) const LENGTH: usize = 64;

/// Leads the data, so that another program's echoes are told apart before anything is looked up.
const MAGIC: &[u8; 8] = b"directrd";

/// What identifies one echo, in the order of the bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::probe) struct Echo {
    /// The socket's.
    pub ident: u16,
    pub sequence: u16,
    /// The probe's.
    pub token: u64,
    /// What only we can know of the probe.
    pub cookie: u64,
}

/// What a packet says about an echo of ours.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::probe) enum Heard {
    Reply(Echo),
    /// Somebody on the way could not pass on the echo to this address.
    Undeliverable {
        echo: Echo,
        to: IpAddr,
        why: &'static str,
    },
}

/// The message types of a family.
struct Types {
    request: u8,
    reply: u8,
    unreachable: u8,
    exceeded: u8,
}

const V4: Types = Types { request: 8, reply: 0, unreachable: 3, exceeded: 11 };
const V6: Types = Types { request: 128, reply: 129, unreachable: 1, exceeded: 3 };

const fn types(family: Family) -> &'static Types {
    match family {
        Family::Ipv4 => &V4,
        Family::Ipv6 => &V6,
    }
}

/// The types of messages worth hearing: reply, unreachable, time exceeded.
pub(super) const fn heard_types(family: Family) -> [u8; 3] {
    let types = types(family);
    [types.reply, types.unreachable, types.exceeded]
}

/// An echo request. The checksum is IPv4's; for IPv6 the kernel puts in its own.
pub(super) fn request(family: Family, echo: Echo) -> [u8; LENGTH] {
    let mut message = [0; LENGTH];
    message[0] = types(family).request;
    message[4..6].copy_from_slice(&echo.ident.to_be_bytes());
    message[6..8].copy_from_slice(&echo.sequence.to_be_bytes());
    message[8..16].copy_from_slice(MAGIC);
    message[16..24].copy_from_slice(&echo.token.to_be_bytes());
    message[24..32].copy_from_slice(&echo.cookie.to_be_bytes());
    let sum = checksum(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    message
}

/// The Internet checksum, RFC 1071, of a message whose own checksum is zero.
fn checksum(message: &[u8]) -> u16 {
    let mut sum: u32 = 0;
    for pair in message.chunks(2) {
        sum += u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Reads a message; `None` when it is not about an echo of ours.
pub(in crate::probe) fn read(family: Family, message: &[u8]) -> Option<Heard> {
    let types = types(family);
    let kind = *message.first()?;
    if kind == types.reply {
        return read_echo(message).map(Heard::Reply);
    }
    if kind != types.unreachable && kind != types.exceeded {
        return None;
    }
    let why = match (family, kind == types.exceeded, *message.get(1)?) {
        (_, true, _) => "time to live exceeded",
        (Family::Ipv4, _, 0 | 6 | 11) | (Family::Ipv6, _, 0) => "network unreachable",
        (Family::Ipv4, _, 9 | 10 | 13) | (Family::Ipv6, _, 1 | 5 | 6) => "prohibited by a filter",
        _ => "host unreachable",
    };
    // Eight bytes of header, then as much of our own packet as the sender saw fit to return.
    let ours = message.get(8..)?;
    let (to, inner) = match family {
        Family::Ipv4 => {
            let to: [u8; 4] = ours.get(16..20)?.try_into().ok()?;
            (IpAddr::from(Ipv4Addr::from(to)), after_ip_header(ours)?)
        }
        Family::Ipv6 => {
            let to: [u8; 16] = ours.get(24..40)?.try_into().ok()?;
            // 58 is ICMPv6; we send no extension headers.
            (*ours.get(6)? == 58).then_some((IpAddr::from(Ipv6Addr::from(to)), ours.get(40..)?))?
        }
    };
    (*inner.first()? == types.request).then_some(())?;
    Some(Heard::Undeliverable { echo: read_echo(inner)?, to, why })
}

/// What follows an IPv4 header, when it is ICMP.
pub(super) fn after_ip_header(packet: &[u8]) -> Option<&[u8]> {
    let first = *packet.first()?;
    let length = usize::from(first & 0x0f) * 4;
    let is_icmp = first >> 4 == 4 && length >= 20 && *packet.get(9)? == 1;
    is_icmp.then(|| packet.get(length..))?
}

fn read_echo(message: &[u8]) -> Option<Echo> {
    let pair = |at: usize| Some(u16::from_be_bytes(message.get(at..at + 2)?.try_into().ok()?));
    let eight = |at: usize| Some(u64::from_be_bytes(message.get(at..at + 8)?.try_into().ok()?));
    let ours = message.get(8..16)? == MAGIC;
    ours.then_some(Echo {
        ident: pair(4)?,
        sequence: pair(6)?,
        token: eight(16)?,
        cookie: eight(24)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ECHO: Echo = Echo { ident: 0x1234, sequence: 7, token: 99, cookie: 0xfeed_beef };

    fn replied(family: Family) -> [u8; LENGTH] {
        let mut message = request(family, ECHO);
        message[0] = types(family).reply;
        message
    }

    #[test]
    fn a_reply_brings_back_what_was_sent() {
        for family in [Family::Ipv4, Family::Ipv6] {
            assert_eq!(read(family, &replied(family)), Some(Heard::Reply(ECHO)));
            assert_eq!(read(family, &request(family, ECHO)), None);
            let mut other = replied(family);
            other[8] = 0;
            assert_eq!(read(family, &other), None);
        }
    }

    #[test]
    fn a_message_with_its_checksum_sums_to_zero() {
        assert_eq!(checksum(&request(Family::Ipv4, ECHO)), 0);
        // RFC 1071, section 3: the sum of this example is ddf2.
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
    }

    #[test]
    fn an_error_names_the_echo_it_is_about() {
        let mut packet = vec![0x45; 1];
        packet.resize(20, 0);
        packet[9] = 1;
        packet[16..20].copy_from_slice(&[10, 0, 0, 7]);
        packet.extend(request(Family::Ipv4, ECHO));
        let error = [&[3, 1, 0, 0, 0, 0, 0, 0], &packet[..]].concat();
        let to = "10.0.0.7".parse().unwrap();
        let heard = Heard::Undeliverable { echo: ECHO, to, why: "host unreachable" };
        assert_eq!(read(Family::Ipv4, &error), Some(heard));
        // Only the eight bytes that RFC 792 promises: not enough to know whose it is.
        assert_eq!(read(Family::Ipv4, &error[..8 + 20 + 8]), None);

        let mut packet = vec![0; 40];
        packet[6] = 58;
        packet[39] = 1;
        packet.extend(request(Family::Ipv6, ECHO));
        let error = [&[1, 0, 0, 0, 0, 0, 0, 0], &packet[..]].concat();
        let to = "::1".parse().unwrap();
        let heard = Heard::Undeliverable { echo: ECHO, to, why: "network unreachable" };
        assert_eq!(read(Family::Ipv6, &error), Some(heard));
    }

    proptest! {
        #[test]
        fn arbitrary_packets_never_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            kind in prop::sample::select(vec![0u8, 1, 3, 11, 129]),
        ) {
            let typed = [&[kind], &bytes[..]].concat();
            let nested = [&[kind, 0, 0, 0, 0, 0, 0, 0, 0x45], &bytes[..]].concat();
            for message in [&bytes, &typed, &nested] {
                let _ = (read(Family::Ipv4, message), read(Family::Ipv6, message));
                let _ = after_ip_header(message);
            }
        }
    }
}
