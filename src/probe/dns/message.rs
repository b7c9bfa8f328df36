//! Questions to a name server and its answers: values in, bytes out, and back. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, SimpleDnsError, TYPE};

use crate::model::DnsProbe;

/// Identifier, flags and four counts.
const HEADER: usize = 12;

/// Records of one message that are looked at; more than that is a refusal. An answer to one name
/// has a few. The reader sets memory aside for as many records as the header claims, and follows
/// the compressed name of each.
const MAX_RECORDS: usize = 256;

const UNFIT: &str = "not a name that can be asked for";

/// One question, ready to be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::probe) struct Question {
    pub bytes: Vec<u8>,
    id: u16,
    name: String,
    kind: TYPE,
}

/// What a name server answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::probe) enum Answer {
    /// The records of the answer as text; those of a kind that nobody asks for are left out.
    Records(Vec<String>),
    /// Too long for a datagram: to be asked again by TCP.
    Truncated,
    /// In words, such as `NXDOMAIN`.
    Refusal(String),
}

/// What to ask for `request`: the name of an address, or both kinds of address of a name.
pub(in crate::probe) fn questions(request: &str, ids: [u16; 2]) -> Result<Vec<Question>, String> {
    if !DnsProbe::is_question(request) {
        return Err(UNFIT.to_owned());
    }
    match request.parse::<IpAddr>() {
        Ok(address) => Ok(vec![question(&reverse(address), TYPE::PTR, ids[0], true)?]),
        Err(_) => {
            let name = request.strip_suffix('.').unwrap_or(request);
            let [v4, v6] = ids;
            Ok(vec![question(name, TYPE::A, v4, true)?, question(name, TYPE::AAAA, v6, true)?])
        }
    }
}

/// One question for records of one kind; with `recursion` the server is to ask others.
pub(in crate::probe) fn question(
    name: &str,
    kind: TYPE,
    id: u16,
    recursion: bool,
) -> Result<Question, String> {
    let unfit = |_: SimpleDnsError| UNFIT.to_owned();
    let asked = Name::new(name).map_err(unfit)?;
    let mut packet = Packet::new_query(id);
    if recursion {
        packet.set_flags(PacketFlag::RECURSION_DESIRED);
    }
    let class = QCLASS::CLASS(CLASS::IN);
    packet.questions.push(simple_dns::Question::new(asked, QTYPE::TYPE(kind), class, false));
    let bytes = packet.build_bytes_vec().map_err(unfit)?;
    Ok(Question { bytes, id, name: name.into(), kind })
}

/// `1.2.0.192.in-addr.arpa`, RFC 1035 section 3.5; `...ip6.arpa`, RFC 3596 section 2.5.
pub(in crate::probe) fn reverse(address: IpAddr) -> String {
    let mut labels: Vec<String> = match address {
        IpAddr::V4(address) => address.octets().iter().map(u8::to_string).collect(),
        IpAddr::V6(address) => {
            let nibbles = address.octets().into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
            nibbles.map(|nibble| format!("{nibble:x}")).collect()
        }
    };
    labels.reverse();
    labels.push(if address.is_ipv4() { "in-addr.arpa" } else { "ip6.arpa" }.into());
    labels.join(".")
}

/// Reads a message; `None` when it does not answer `question`.
pub(in crate::probe) fn read(question: &Question, bytes: &[u8]) -> Option<Answer> {
    Some(match open(question, bytes)? {
        Opened::Truncated => Answer::Truncated,
        Opened::Refusal(why) => Answer::Refusal(why),
        Opened::Packet(packet) => {
            Answer::Records(packet.answers.iter().filter_map(|r| text(&r.rdata)).collect())
        }
    })
}

/// An answer, before its records are looked at.
pub(in crate::probe) enum Opened<'b> {
    /// Of no more than [`MAX_RECORDS`] records.
    Packet(Packet<'b>),
    Truncated,
    Refusal(String),
}

/// Opens a message; `None` when it does not answer `question`.
pub(in crate::probe) fn open<'b>(question: &Question, bytes: &'b [u8]) -> Option<Opened<'b>> {
    let &[high, low, flags, more, ref counts @ ..] = bytes else { return None };
    // The highest flag tells an answer from a question.
    if u16::from_be_bytes([high, low]) != question.id || flags & 0x80 == 0 {
        return None;
    }
    if flags & 0x02 != 0 {
        return Some(Opened::Truncated);
    }
    let unreadable = || Some(Opened::Refusal("an answer that cannot be read".into()));
    let counts = counts.get(..HEADER - 4)?.chunks_exact(2);
    let records: usize = counts.map(|n| usize::from(u16::from_be_bytes([n[0], n[1]]))).sum();
    if records > MAX_RECORDS {
        return Some(Opened::Refusal(format!("an answer of more than {MAX_RECORDS} records")));
    }
    let Ok(packet) = Packet::parse(bytes) else { return unreadable() };
    let code = more & 0x0f;
    match packet.questions.as_slice() {
        // A server that could not even read a question cannot repeat it.
        [] if code != 0 => {}
        [asked] if is(asked, question) => {}
        _ => return None,
    }
    Some(match code {
        0 => Opened::Packet(packet),
        code => Opened::Refusal(refusal(code)),
    })
}

fn is(asked: &simple_dns::Question<'_>, question: &Question) -> bool {
    // Names are compared label by label, without regard to case.
    let Ok(ours) = Name::new(&question.name) else { return false };
    asked.qtype == QTYPE::TYPE(question.kind)
        && asked.qname.as_bytes().count() == ours.as_bytes().count()
        && asked.qname.as_bytes().zip(ours.as_bytes()).all(|(a, b)| a.eq_ignore_ascii_case(b))
}

/// The names of RFC 1035 section 4.1.1, as every tool prints them.
fn refusal(code: u8) -> String {
    match code {
        1 => "FORMERR".into(),
        2 => "SERVFAIL".into(),
        3 => "NXDOMAIN".into(),
        4 => "NOTIMP".into(),
        5 => "REFUSED".into(),
        other => format!("error {other}"),
    }
}

pub(in crate::probe) fn text(data: &RData<'_>) -> Option<String> {
    match data {
        RData::A(a) => Some(Ipv4Addr::from(a.address).to_string()),
        RData::AAAA(aaaa) => Some(Ipv6Addr::from(aaaa.address).to_string()),
        RData::PTR(name) => Some(name.to_string()),
        RData::CNAME(name) => Some(name.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use simple_dns::ResourceRecord;
    use simple_dns::rdata::{A, CNAME, TXT};

    fn www() -> Question {
        questions("www.example.com", [7, 8]).unwrap().remove(0)
    }

    /// The question sent back as an answer with these flags.
    fn echoed(question: &Question, flags: u8, code: u8) -> Vec<u8> {
        let mut bytes = question.bytes.clone();
        bytes[2] |= 0x80 | flags;
        bytes[3] |= code;
        bytes
    }

    fn answered(records: Vec<RData<'_>>) -> Vec<u8> {
        let question = echoed(&www(), 0, 0);
        let mut packet = Packet::parse(&question).unwrap();
        for data in records {
            let name = Name::new("www.example.com").unwrap();
            packet.answers.push(ResourceRecord::new(name, CLASS::IN, 60, data));
        }
        packet.build_bytes_vec_compressed().unwrap()
    }

    #[test]
    fn a_name_is_asked_for_both_kinds_of_address_and_an_address_for_its_name() {
        let asked = |request| -> Vec<_> {
            let questions = questions(request, [7, 8]).unwrap();
            questions.into_iter().map(|q| (q.id, q.name, q.kind)).collect()
        };
        let www = || "www.example.com".to_owned();
        let both = vec![(7, www(), TYPE::A), (8, www(), TYPE::AAAA)];
        assert_eq!(asked("www.example.com"), both);
        assert_eq!(asked("www.example.com."), both);
        assert_eq!(asked("192.0.2.1"), [(7, "1.2.0.192.in-addr.arpa".into(), TYPE::PTR)]);
        let v6 = "1.".to_owned() + &"0.".repeat(23) + "8.b.d.0.1.0.0.2.ip6.arpa";
        assert_eq!(asked("2001:db8::1"), [(7, v6, TYPE::PTR)]);
        for unfit in ["", ".", "a..b", &"x".repeat(64), &"x.".repeat(130)] {
            assert!(questions(unfit, [7, 8]).is_err(), "{unfit}");
        }
    }

    #[test]
    fn the_question_is_what_rfc_1035_draws() {
        let sent = b"\0\x07\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\x03com\0\0\x01\0\x01";
        assert_eq!(www().bytes, sent);
    }

    #[test]
    fn records_become_text() {
        let txt = TXT::new().with_string("passed over").unwrap();
        let bytes = answered(vec![
            RData::CNAME(CNAME(Name::new("web.example.com").unwrap())),
            RData::A(A { address: 0xc000_0201 }),
            RData::TXT(txt),
        ]);
        let records = vec!["web.example.com".to_owned(), "192.0.2.1".into()];
        assert_eq!(read(&www(), &bytes), Some(Answer::Records(records)));
        let none = echoed(&www(), 0, 0);
        assert_eq!(read(&www(), &none), Some(Answer::Records(vec![])));
    }

    #[test]
    fn refusals_have_their_usual_names() {
        let said = |code| read(&www(), &echoed(&www(), 0, code));
        for (code, name) in [(2, "SERVFAIL"), (3, "NXDOMAIN"), (5, "REFUSED"), (9, "error 9")] {
            assert_eq!(said(code), Some(Answer::Refusal(name.into())));
        }
        let bare = b"\0\x07\x80\x01\0\0\0\0\0\0\0\0";
        assert_eq!(read(&www(), bare), Some(Answer::Refusal("FORMERR".into())));
        assert_eq!(read(&www(), &echoed(&www(), 2, 0)), Some(Answer::Truncated));
    }

    #[test]
    fn an_answer_to_something_else_is_none() {
        let good = answered(vec![]);
        let mut other_id = good.clone();
        other_id[1] ^= 1;
        let mut other_name = good.clone();
        other_name[14] = b'x';
        let not_an_answer = www().bytes;
        let no_question = b"\0\x07\x80\0\0\0\0\0\0\0\0\0".to_vec();
        for stray in [other_id, other_name, not_an_answer, no_question, vec![], good[..8].into()] {
            assert_eq!(read(&www(), &stray), None, "{stray:?}");
        }
        let mut shouted = good;
        shouted[13..16].make_ascii_uppercase();
        assert_eq!(read(&www(), &shouted), Some(Answer::Records(vec![])));
    }

    #[test]
    fn a_header_that_claims_more_than_there_is_costs_nothing() {
        let mut bytes = echoed(&www(), 0, 0);
        bytes[6..12].fill(0xff);
        let reason = "an answer of more than 256 records";
        assert_eq!(read(&www(), &bytes), Some(Answer::Refusal(reason.into())));
        bytes[6..12].copy_from_slice(&[0, 9, 0, 0, 0, 0]);
        let reason = "an answer that cannot be read";
        assert_eq!(read(&www(), &bytes), Some(Answer::Refusal(reason.into())));
    }

    proptest! {
        #[test]
        fn arbitrary_answers_never_panic(
            rest in prop::collection::vec(any::<u8>(), 0..200),
            counts in prop::collection::vec(0u8..4, 4),
            at in 12usize..60, by in any::<u8>(),
        ) {
            let mut header = b"\0\x07\x80\0".to_vec();
            header.extend(counts.iter().flat_map(|&n| [0, n]));
            let _ = read(&www(), &rest);
            let _ = read(&www(), &[header, rest].concat());
            let mut bent = answered(vec![
                RData::A(A { address: 1 }),
                RData::CNAME(CNAME(Name::new("web.example.com").unwrap())),
            ]);
            let at = at % bent.len();
            bent[at] = by;
            let _ = read(&www(), &bent);
        }
    }
}
