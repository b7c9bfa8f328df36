//! Bytes to messages of the generic netlink family `IPVS`, and back. Pure.
//!
//! Records here are what is on the wire, byte orders resolved and nothing else; what they mean
//! is [`record`](super::record)'s business. Requests are written one after another into a buffer
//! that is used again; replies are read in place.
//!
//! The family mixes byte orders: addresses, ports and the tunnel's port are in network order,
//! everything else in the host's, the port of sync daemons too, and the netmask is a dotted quad in network order for IPv4
//! but a prefix length in host order for IPv6.

mod reader;
mod writer;

use std::net::IpAddr;

pub use reader::{Reply, messages};
pub use writer::Writer;

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

/// A sync daemon's record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Daemon<'a> {
    /// [`MASTER`] or [`BACKUP`].
    pub state: u32,
    /// 1 to 15 bytes.
    pub interface: &'a str,
    pub id: u32,
    /// Bytes; `None` leaves it to the kernel.
    pub max_packet: Option<u16>,
    /// This and what follows is not there before 4.3.
    pub group: Option<IpAddr>,
    pub port: Option<u16>,
    pub ttl: Option<u8>,
}

/// States of a sync daemon.
pub const MASTER: u32 = 1;
pub const BACKUP: u32 = 2;

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
    StartDaemon(&'a Daemon<'a>),
    /// By its state. May be carried out and never answered, not even by silence at the end of an
    /// exchange: something that is answered must follow.
    StopDaemon(u32),
    /// Every sync daemon of the network namespace, each a [`Reply::Daemon`].
    ListDaemons,
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
            Request::StartDaemon(_) => 9,
            Request::StopDaemon(_) => 10,
            Request::ListDaemons => 11,
            Request::Info => 15,
        }
    }
}

/// Attributes, by the nest they are in.
mod attr {
    pub const SERVICE: u16 = 1;
    pub const DEST: u16 = 2;
    pub const DAEMON: u16 = 3;

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

    pub mod daemon {
        pub const STATE: u16 = 1;
        pub const MCAST_IFN: u16 = 2;
        pub const SYNC_ID: u16 = 3;
        pub const SYNC_MAXLEN: u16 = 4;
        pub const MCAST_GROUP: u16 = 5;
        pub const MCAST_GROUP6: u16 = 6;
        pub const MCAST_PORT: u16 = 7;
        pub const MCAST_TTL: u16 = 8;
    }

    pub mod info {
        pub const VERSION: u16 = 1;
    }

    /// Of an extended acknowledgement.
    pub const ACK_TEXT: u16 = 1;
}

/// Of the netlink header.
const NETLINK_HEADER: usize = 16;

#[cfg(test)]
mod tests;
