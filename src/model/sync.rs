//! Connections told to the other director: the kernel's sync daemons.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{InterfaceName, Role};

/// Where connections are told of, and by which name the pair knows itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SyncSettings {
    pub interface: InterfaceName,
    /// The pair's own, among those on one wire. A backup with 0 takes what anybody tells.
    pub id: u8,
    /// A multicast address.
    pub group: IpAddr,
    /// From 1.
    pub port: u16,
    /// From 1: how many routers a message may pass.
    pub ttl: u8,
    /// Bytes of a message at most, within [`SyncSettings::MAX_PACKET`]; `None` is the kernel's
    /// choice, of which it tells, and which is no difference.
    pub max_packet: Option<u16>,
}

impl SyncSettings {
    /// What holds where nothing else is said, here and with `ipvsadm`, but for the id, which
    /// there is 0.
    pub const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 81));
    pub const PORT: u16 = 8848;
    pub const TTL: u8 = 1;
    pub const ID: u8 = 1;

    /// What the kernel takes as it is: it raises less for a backup, and lowers what no UDP message
    /// by IPv6 can hold.
    pub const MAX_PACKET: (u16, u16) = (1024, 65_487);

    /// On this interface, and otherwise as usual.
    pub const fn on(interface: InterfaceName) -> SyncSettings {
        SyncSettings {
            interface,
            id: Self::ID,
            group: Self::GROUP,
            port: Self::PORT,
            ttl: Self::TTL,
            max_packet: None,
        }
    }

    /// Whether a daemon found with these settings is as this one is wanted.
    pub fn is_met_by(&self, found: &SyncSettings) -> bool {
        let max_packet = self.max_packet.and(found.max_packet);
        *self == SyncSettings { max_packet, ..found.clone() }
    }
}

/// Which end of the telling.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SyncState {
    /// Tells of the connections that come.
    Master,
    /// Hears of them, and will know them.
    Backup,
}

impl From<Role> for SyncState {
    fn from(role: Role) -> SyncState {
        match role {
            Role::Active => SyncState::Master,
            Role::Standby => SyncState::Backup,
        }
    }
}

impl fmt::Display for SyncState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SyncState::Master => "master",
            SyncState::Backup => "backup",
        })
    }
}

/// A daemon of the kernel's. There is at most one of each state in a network namespace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SyncDaemon {
    pub state: SyncState,
    pub settings: Arc<SyncSettings>,
}

/// `master interface=hb0 id=1`.
impl fmt::Display for SyncDaemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SyncSettings { interface, id, group, port, ttl, max_packet } = &*self.settings;
        write!(f, "{} interface={interface} id={id}", self.state)?;
        if (*group, *port, *ttl) != (SyncSettings::GROUP, SyncSettings::PORT, SyncSettings::TTL) {
            write!(f, " group={group} port={port} ttl={ttl}")?;
        }
        match max_packet {
            Some(bytes) => write!(f, " max_packet={bytes}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_chose_itself_is_no_difference() {
        let wanted = SyncSettings::on(InterfaceName::new("hb0").unwrap());
        let found = SyncSettings { max_packet: Some(1472), ..wanted.clone() };
        assert!(wanted.is_met_by(&found));
        let wanted = SyncSettings { max_packet: Some(8972), ..wanted };
        assert!(!wanted.is_met_by(&found));
        assert!(wanted.is_met_by(&wanted));
        assert!(!wanted.is_met_by(&SyncSettings { id: 2, ..wanted.clone() }));
    }
}
