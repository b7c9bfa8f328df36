//! Records of the name service, as text that can be compared. Pure.

use simple_dns::TYPE;
use simple_dns::rdata::RData;

use crate::probe::dns::message;
use crate::probe::evidence;

/// The kinds that can be asked for, by their names.
pub(super) const KINDS: [(&str, TYPE); 9] = [
    ("A", TYPE::A),
    ("AAAA", TYPE::AAAA),
    ("CNAME", TYPE::CNAME),
    ("MX", TYPE::MX),
    ("NS", TYPE::NS),
    ("PTR", TYPE::PTR),
    ("SOA", TYPE::SOA),
    ("SRV", TYPE::SRV),
    ("TXT", TYPE::TXT),
];

/// The kind of this name, in capitals.
pub(super) fn kind(name: &str) -> Option<TYPE> {
    KINDS.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
}

/// What an answer says, as far as a monitor wants to know.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Reply {
    /// Whether the server says so of its own knowledge.
    pub authoritative: bool,
    pub records: Vec<Record>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Record {
    pub text: String,
    /// Of a zone's start.
    pub serial: Option<u32>,
}

/// One record. Those of other kinds than [`KINDS`] count, and are equal to none.
pub(super) fn record(data: &RData<'_>) -> Record {
    let serial = match data {
        RData::SOA(soa) => Some(soa.serial),
        _ => None,
    };
    let text = match data {
        RData::NS(name) => name.to_string(),
        RData::MX(mx) => format!("{} {}", mx.preference, mx.exchange),
        RData::SRV(srv) => format!("{} {} {} {}", srv.priority, srv.weight, srv.port, srv.target),
        RData::SOA(soa) => format!("{} {} {}", soa.mname, soa.rname, soa.serial),
        RData::TXT(txt) => {
            let parts = txt.iter_raw().map(|(key, value)| match value {
                Some(value) => [key, b"=", value].concat(),
                None => key.to_vec(),
            });
            parts.map(|part| evidence::excerpt(&part)).collect::<Vec<_>>().join(" ")
        }
        other => message::text(other).unwrap_or_default(),
    };
    Record { text, serial }
}
