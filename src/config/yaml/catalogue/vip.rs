//! Keys of the addresses that the director holds itself.

use std::time::Duration;

use super::{DAY, Key, Kind, Section, ms};
use crate::model::Announce;

pub static VIP: Key = Key::new(
    "vip",
    Kind::OneOrMore(&Kind::Line(&VIP_KEYS)),
    "the interface on which the director holds the address of virtual itself, while it is active; \
     or a mapping, or a list of both. Where something else puts addresses in place (heartbeat's \
     IPaddr, Pacemaker's IPaddr2), leave it out",
)
.example("eth0");
pub static VIP_INTERFACE: Key =
    Key::new("interface", Kind::Text, "the interface the address is put on").example("eth0");
pub static VIP_ADDRESS: Key = Key::new(
    "address",
    Kind::Text,
    "the address, of one host where no prefix length is written; that of virtual when not given",
)
.example("10.0.0.3/32");
pub static VIP_WHEN: Key = Key::new(
    "when",
    Kind::Word(&["always", "healthy"]),
    "healthy holds the address only while a real server carries the service, or one of those that \
     share it: for routing daemons that announce the addresses of an interface; a fallback does \
     not count",
)
.default("always")
.example("healthy");
pub static VIP_ANNOUNCE: Key = Key::new(
    "announce",
    Kind::Mapping(&ANNOUNCE_KEYS),
    "how neighbours are told where the address is: gratuitous ARP, unsolicited neighbour \
     advertisements; alike in all services that share the address",
)
.example("{count: 5, again: 5s, refresh: 1m}");

pub static ANNOUNCE_COUNT: Key = Key::new(
    "count",
    Kind::Integer(0, Announce::MOST as u64),
    "announcements at once; 0 tells nobody",
)
.default("5")
.example("3");
pub static ANNOUNCE_AGAIN: Key = Key::new(
    "again",
    Kind::Duration(Duration::ZERO, DAY),
    "as many once more after this time; 0s is not",
)
.default("5s")
.example("10s");
pub static ANNOUNCE_REFRESH: Key = Key::new(
    "refresh",
    Kind::Duration(Duration::ZERO, DAY),
    "one more each time this has passed, at least 1s; 0s is never",
)
.default("0s")
.example("1m");

/// An announcement more often than this would be a flood of our own making.
pub const LEAST_REFRESH: Duration = ms(1000);

pub static VIP_KEYS: Section =
    Section::new("a vip", &[&VIP_INTERFACE, &VIP_ADDRESS, &VIP_WHEN, &VIP_ANNOUNCE])
        .needs(&[&VIP_INTERFACE]);
pub static ANNOUNCE_KEYS: Section =
    Section::new("announce", &[&ANNOUNCE_COUNT, &ANNOUNCE_AGAIN, &ANNOUNCE_REFRESH]);
