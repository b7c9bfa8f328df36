//! Addresses that the director holds itself, and what a kernel says of its interfaces.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use super::{Family, InterfaceName, StopAction};

/// An Ethernet address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Mac(pub [u8; 6]);

/// `02:00:5e:00:53:01`.
impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// What makes two VIPs the same one, to the kernel and to us. To the kernel 10.0.0.3/24 and
/// 10.0.0.3/32 are two addresses, and may both be there.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct VipKey {
    pub interface: InterfaceName,
    pub address: IpAddr,
    /// Up to 32, or 128.
    pub prefix: u8,
}

impl VipKey {
    /// The prefix length of a single host.
    pub const fn host_prefix(address: IpAddr) -> u8 {
        match Family::of(address) {
            Family::Ipv4 => 32,
            Family::Ipv6 => 128,
        }
    }
}

/// `10.0.0.3/32 on eth0`.
impl fmt::Display for VipKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} on {}", self.address, self.prefix, self.interface)
    }
}

/// Why a text cannot be a [`VipKey`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VipKeyError;

impl fmt::Display for VipKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address on an interface is written 10.0.0.3/32 on eth0")
    }
}

impl std::error::Error for VipKeyError {}

/// Exactly what `Display` writes.
impl FromStr for VipKey {
    type Err = VipKeyError;

    fn from_str(text: &str) -> Result<VipKey, VipKeyError> {
        let (address, interface) = text.split_once(" on ").ok_or(VipKeyError)?;
        let (address, prefix) = address.split_once('/').ok_or(VipKeyError)?;
        let address: IpAddr = address.parse().map_err(|_| VipKeyError)?;
        let digits = prefix.bytes().all(|b| b.is_ascii_digit());
        let prefix = prefix.parse().ok().filter(|_| digits).ok_or(VipKeyError)?;
        if prefix > VipKey::host_prefix(address) {
            return Err(VipKeyError);
        }
        let interface = InterfaceName::new(interface).map_err(|_| VipKeyError)?;
        Ok(VipKey { interface, address, prefix })
    }
}

/// An address that a service wants to be on this host.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Vip {
    pub key: VipKey,
    pub when: VipWhen,
    pub announce: Announce,
}

/// When a VIP is held, on a director that is active.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum VipWhen {
    Always,
    /// While a real server carries the service. A fallback server does not count: whoever
    /// announces the address to routers wants clients to go where there are real servers.
    Healthy,
}

/// How neighbours are told where an address is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Announce {
    /// Announcements of one round, 0 to [`Announce::MOST`]; 0 tells nobody.
    pub count: u8,
    /// A second round follows the first by so much, for switches that were still learning;
    /// `None` is no second one.
    pub again: Option<Duration>,
    /// One announcement more each time this has passed; `None` is never.
    pub refresh: Option<Duration>,
}

impl Announce {
    /// More in one round is noise.
    pub const MOST: u8 = 20;
}

/// As keepalived does: 5 at once, 5 more after 5 s.
impl Default for Announce {
    fn default() -> Announce {
        Announce { count: 5, again: Some(Duration::from_secs(5)), refresh: None }
    }
}

/// How a service stands, as far as its VIPs are concerned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backing {
    /// Whether the kernel's table holds its record.
    pub in_table: bool,
    /// Whether a real server carries it; `None` before that is known.
    pub carried: Option<bool>,
    /// What becomes of it, once the daemon stops.
    pub end: Option<StopAction>,
}

/// What the kernel says of its interfaces and their addresses.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Links(pub BTreeMap<InterfaceName, Link>);

/// One interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// Another one, with the same name, has another index.
    pub index: u32,
    /// Whether it is up and has a carrier.
    pub up: bool,
    /// Of an interface with neighbours that ask where addresses are: Ethernet, not loopback.
    pub mac: Option<Mac>,
    /// By address and prefix length, each with the mark of whoever added it (IFA_PROTO, since
    /// Linux 5.18); 0 is no mark.
    pub addresses: BTreeMap<(IpAddr, u8), u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vip_reads_back_what_it_prints_and_nothing_else() {
        for text in ["10.0.0.3/32 on eth0", "2001:db8::1/128 on br-lan", "10.0.0.3/0 on lo"] {
            assert_eq!(text.parse::<VipKey>().map(|key| key.to_string()), Ok(text.to_owned()));
        }
        for text in [
            "10.0.0.3 on eth0",
            "10.0.0.3/33 on eth0",
            "2001:db8::1/129 on eth0",
            "10.0.0.3/+8 on eth0",
            "10.0.0.3/32 on ",
            "10.0.0.3/32",
            "10.0.0.3/32 on eth0 on eth1",
        ] {
            assert_eq!(text.parse::<VipKey>(), Err(VipKeyError), "{text:?}");
        }
    }
}
