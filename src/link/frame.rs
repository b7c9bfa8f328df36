//! The frames by which neighbours are told and asked of an address. Pure: bytes from values, and
//! what a received frame claims.
//!
//! Forms and what Linux makes of them are those of the measurements named at each function.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::Mac;

/// ARP and IPv6, as the type of a frame.
pub const ARP: u16 = 0x0806;
pub const IPV6: u16 = 0x86dd;

/// The Ethernet header: to, from, type.
const HEADER: usize = 14;
/// The shortest Ethernet frame, without its checksum.
const SHORTEST: usize = 60;

const BROADCAST: Mac = Mac([0xff; 6]);
const NOBODY: Mac = Mac([0; 6]);

/// Of ARP: ask, answer.
const REQUEST: u16 = 1;
const REPLY: u16 = 2;

/// Of ICMPv6 (RFC 4861): what is asked for, what is told.
const SOLICITATION: u8 = 135;
pub const ADVERTISEMENT: u8 = 136;
/// The protocol number.
pub const ICMPV6: u8 = 58;
/// Nothing that was forwarded has it; neighbours ignore any other.
const HOP_LIMIT: u8 = 255;
/// In an advertisement: we forward; take this in place of what you know.
const ROUTER: u8 = 0x80;
const OVERRIDE: u8 = 0x20;
/// The option that carries a hardware address, and its length in units of 8 bytes.
const TARGET_MAC: [u8; 2] = [2, 1];
const IPV6_HEADER: usize = 40;

/// What tells the neighbours that `address` is at `mac`: for IPv4 a request and a reply, for there
/// is equipment that heeds only one of them, for IPv6 an advertisement to all nodes. `router` says
/// whether this host forwards IPv6: a neighbour that has it as its router gives it up otherwise.
pub fn announcement(address: IpAddr, mac: Mac, router: bool) -> Vec<Vec<u8>> {
    match address {
        // The target of a request may be anybody. Linux takes no notice of a reply with another
        // target than the sender within a second after the last change (`locktime`).
        IpAddr::V4(address) => vec![
            arp(REQUEST, (mac, address), (BROADCAST, address), BROADCAST),
            arp(REPLY, (mac, address), (mac, address), BROADCAST),
        ],
        IpAddr::V6(address) => {
            let flags = OVERRIDE | if router { ROUTER } else { 0 };
            let mut body = vec![ADVERTISEMENT, 0, 0, 0, flags, 0, 0, 0];
            body.extend(address.octets());
            // Without the option nobody learns anything.
            body.extend(TARGET_MAC);
            body.extend(mac.0);
            let all_nodes = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
            vec![icmpv6(mac, address, all_nodes, body)]
        }
    }
}

/// What asks whether anybody has `address`, without saying that we do: an ARP probe (RFC 5227), a
/// solicitation as for duplicate address detection (RFC 4862).
pub fn question(address: IpAddr, mac: Mac) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => {
            arp(REQUEST, (mac, Ipv4Addr::UNSPECIFIED), (NOBODY, address), BROADCAST)
        }
        IpAddr::V6(address) => {
            let mut body = vec![SOLICITATION, 0, 0, 0, 0, 0, 0, 0];
            body.extend(address.octets());
            let [.., a, b, c] = address.octets();
            let solicited = Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c]);
            icmpv6(mac, Ipv6Addr::UNSPECIFIED, solicited, body)
        }
    }
}

/// The address a frame says its sender has, and the sender's hardware address; `None` when it says
/// nothing of the kind. Somebody else's question is no claim: two who ask at the same moment would
/// both give way.
pub fn claim(frame: &[u8]) -> Option<(IpAddr, Mac)> {
    let (header, payload) = frame.split_at_checked(HEADER)?;
    match u16::from_be_bytes([header[12], header[13]]) {
        ARP => arp_claim(payload),
        IPV6 => advertised(payload, mac_at(header, 6)?),
        _ => None,
    }
}

fn ethernet(to: Mac, from: Mac, kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(SHORTEST.max(HEADER + payload.len()));
    frame.extend(to.0);
    frame.extend(from.0);
    frame.extend(kind.to_be_bytes());
    frame.extend(payload);
    frame.resize(frame.len().max(SHORTEST), 0);
    frame
}

/// A message of 28 bytes: Ethernet (1), IPv4, lengths 6 and 4, then who speaks and who is meant.
fn arp(operation: u16, sender: (Mac, Ipv4Addr), target: (Mac, Ipv4Addr), to: Mac) -> Vec<u8> {
    let mut message = vec![0, 1, 8, 0, 6, 4];
    message.extend(operation.to_be_bytes());
    for (mac, address) in [sender, target] {
        message.extend(mac.0);
        message.extend(address.octets());
    }
    ethernet(to, sender.0, ARP, &message)
}

fn arp_claim(message: &[u8]) -> Option<(IpAddr, Mac)> {
    let message = message.get(..28)?;
    let (kind, rest) = message.split_at(6);
    let operation = u16::from_be_bytes([rest[0], rest[1]]);
    if kind != [0, 1, 8, 0, 6, 4] || !matches!(operation, REQUEST | REPLY) {
        return None;
    }
    let octets: [u8; 4] = message.get(14..18)?.try_into().ok()?;
    let address = Ipv4Addr::from(octets);
    (!address.is_unspecified()).then_some((address.into(), mac_at(message, 8)?))
}

/// To a multicast group, whose hardware address is 33:33 and the end of its address.
fn icmpv6(mac: Mac, from: Ipv6Addr, to: Ipv6Addr, mut body: Vec<u8>) -> Vec<u8> {
    let sum = checksum(from, to, &body);
    body[2..4].copy_from_slice(&sum.to_be_bytes());
    // Version 6, no traffic class, no flow.
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((body.len() as u16).to_be_bytes());
    packet.extend([ICMPV6, HOP_LIMIT]);
    packet.extend(from.octets());
    packet.extend(to.octets());
    packet.extend(body);
    let [.., a, b, c, d] = to.octets();
    ethernet(Mac([0x33, 0x33, a, b, c, d]), mac, IPV6, &packet)
}

/// RFC 4443, 2.3: over addresses, length, protocol and the message, whose own checksum is 0.
fn checksum(from: Ipv6Addr, to: Ipv6Addr, body: &[u8]) -> u16 {
    let length = (body.len() as u32).to_be_bytes();
    let words = [&from.octets()[..], &to.octets(), &length, &[0, 0, 0, ICMPV6], body];
    let mut sum: u32 = words
        .iter()
        .flat_map(|part| part.chunks(2))
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0)))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// The target of an advertisement. The hardware address is its option's, else the frame's.
fn advertised(packet: &[u8], from: Mac) -> Option<(IpAddr, Mac)> {
    let (header, body) = packet.split_at_checked(IPV6_HEADER)?;
    if header[6] != ICMPV6 || header[7] != HOP_LIMIT || *body.first()? != ADVERTISEMENT {
        return None;
    }
    let octets: [u8; 16] = body.get(8..24)?.try_into().ok()?;
    let option = body.get(24..32).filter(|option| option.starts_with(&TARGET_MAC));
    let mac = option.and_then(|option| mac_at(option, 2)).unwrap_or(from);
    Some((Ipv6Addr::from(octets).into(), mac))
}

fn mac_at(bytes: &[u8], at: usize) -> Option<Mac> {
    bytes.get(at..at + 6)?.try_into().ok().map(Mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = Mac([2, 0, 0x5e, 0, 0x53, 1]);

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn gratuitous_arp_is_a_request_to_all_and_a_reply_about_ourselves() {
        let frames = announcement("10.0.0.3".parse().unwrap(), MAC, false);
        let frames: Vec<_> = frames.iter().map(|frame| hex(frame)).collect();
        let padding = "00".repeat(18);
        let request = "ffffffffffff02005e005301080600010800060400010\
                       2005e0053010a000003ffffffffffff0a000003";
        let reply = "ffffffffffff02005e005301080600010800060400020\
                     2005e0053010a00000302005e0053010a000003";
        assert_eq!(frames, [format!("{request}{padding}"), format!("{reply}{padding}")]);
    }

    #[test]
    fn arp_probe_says_nothing_of_its_sender() {
        let frame = hex(&question("10.0.0.3".parse().unwrap(), MAC));
        let probe = "ffffffffffff02005e005301080600010800060400010\
                     2005e005301000000000000000000000a000003";
        assert_eq!(frame, format!("{probe}{}", "00".repeat(18)));
    }

    #[test]
    fn unsolicited_advertisement_is_what_other_programs_send() {
        let frames = announcement("2001:db8::3".parse().unwrap(), MAC, true);
        let address = "20010db8000000000000000000000003";
        assert_eq!(
            frames.iter().map(|frame| hex(frame)).collect::<Vec<_>>(),
            [format!(
                "33330000000102005e00530186dd600000000020 3aff{address}\
                 ff020000000000000000000000000001 8800{:04x}a0000000{address}020102005e005301",
                sum_by_the_book(&frames[0])
            )
            .replace(' ', "")]
        );
        // Without forwarding, the flag of a router is not set.
        let host = announcement("2001:db8::3".parse().unwrap(), MAC, false);
        assert_eq!(host[0][HEADER + IPV6_HEADER + 4], 0x20);
    }

    /// The checksum as RFC 1071 words it, over the pseudo-header as RFC 8200 draws it.
    fn sum_by_the_book(frame: &[u8]) -> u16 {
        let packet = &frame[HEADER..];
        let mut all = packet[8..40].to_vec();
        all.extend([0, 0, packet[4], packet[5], 0, 0, 0, 58]);
        all.extend(&packet[40..42]);
        all.extend([0, 0]);
        all.extend(&packet[44..]);
        let mut sum = 0u64;
        for pair in all.chunks(2) {
            sum += u64::from(u16::from_be_bytes([pair[0], pair[1]]));
        }
        let folded = (sum % 0xffff) as u16;
        !folded
    }

    #[test]
    fn solicitation_goes_to_those_whose_address_ends_alike() {
        let frame = question("2001:db8::1234:5678".parse().unwrap(), MAC);
        assert_eq!(frame.len(), HEADER + IPV6_HEADER + 24);
        assert_eq!(hex(&frame[..6]), "3333ff345678");
        assert_eq!(hex(&frame[HEADER + 8..HEADER + 24]), "00".repeat(16));
        assert_eq!(hex(&frame[HEADER + 24..HEADER + 40]), "ff0200000000000000000001ff345678");
        let sum = [frame[HEADER + 42], frame[HEADER + 43]];
        assert_eq!(u16::from_be_bytes(sum), sum_by_the_book(&frame));
    }

    #[test]
    fn what_is_announced_is_a_claim_and_what_is_asked_is_none() {
        for address in ["10.0.0.3", "2001:db8::3"] {
            let address: IpAddr = address.parse().unwrap();
            for frame in announcement(address, MAC, false) {
                assert_eq!(claim(&frame), Some((address, MAC)));
                for length in 0..HEADER + 28 {
                    assert_eq!(claim(&frame[..length]), None, "{length}");
                }
            }
            assert_eq!(claim(&question(address, MAC)), None);
        }
    }

    #[test]
    fn an_advertisement_from_afar_is_no_claim() {
        let mut frame = announcement("2001:db8::3".parse().unwrap(), MAC, false).remove(0);
        frame[HEADER + 7] = 64;
        assert_eq!(claim(&frame), None);
    }

    #[test]
    fn an_advertisement_without_its_option_is_its_senders() {
        let frame = announcement("2001:db8::3".parse().unwrap(), MAC, false).remove(0);
        let short = &frame[..frame.len() - 8];
        assert_eq!(claim(short), Some(("2001:db8::3".parse().unwrap(), MAC)));
    }
}
