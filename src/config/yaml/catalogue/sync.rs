//! Keys of `sync` in `global.yaml`.

use super::{Key, Kind, Section};
use crate::model::SyncSettings;

pub static SYNC: Key = Key::new(
    "sync",
    Kind::Mapping(&SYNC_KEYS),
    "the kernel tells the other director of its connections while this one is active, and hears of \
     the other's while it stands by",
)
.example("{interface: hb0, id: 1}");

pub static SYNC_INTERFACE: Key =
    Key::new("interface", Kind::Text, "the network interface between the two directors")
        .example("hb0");
pub static SYNC_ID: Key = Key::new(
    "id",
    Kind::Integer(0, 255),
    "the pair's own number among those on one wire; on standby 0 hears everybody",
)
.default("1")
.example("7");
pub static SYNC_GROUP: Key =
    Key::new("group", Kind::Text, "the multicast address, of either family")
        .default("224.0.0.81")
        .example("ff02::81");
pub static SYNC_PORT: Key =
    Key::new("port", Kind::Integer(1, 65_535), "the UDP port").default("8848").example("8849");
pub static SYNC_TTL: Key =
    Key::new("ttl", Kind::Integer(1, 255), "how many routers a message may pass, and one more")
        .default("1")
        .example("2");
pub static MAX_PACKET: Key = Key::new(
    "max_packet",
    Kind::Size(SyncSettings::MAX_PACKET.0 as u64, SyncSettings::MAX_PACKET.1 as u64),
    "bytes of a message at most; the kernel chooses by the interface when not given",
)
.example("8972");

pub static SYNC_KEYS: Section = Section::new(
    "sync",
    &[&SYNC_INTERFACE, &SYNC_ID, &SYNC_GROUP, &SYNC_PORT, &SYNC_TTL, &MAX_PACKET],
)
.needs(&[&SYNC_INTERFACE]);
