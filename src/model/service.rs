//! Virtual services: what makes one the same, and what may change about it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// A transport protocol that IPVS schedules.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

impl Protocol {
    /// Every protocol, in the order messages list them.
    pub const ALL: [Protocol; 3] = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp];

    /// The IANA protocol number.
    pub const fn number(self) -> u16 {
        match self {
            Protocol::Tcp => 6,
            Protocol::Udp => 17,
            Protocol::Sctp => 132,
        }
    }

    /// The protocol with this IANA number, if IPVS schedules it.
    pub fn from_number(number: u16) -> Option<Protocol> {
        Protocol::ALL.into_iter().find(|p| p.number() == number)
    }

    /// The lower-case name: `tcp`, `udp`, `sctp`.
    pub const fn name(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Sctp => "sctp",
        }
    }

    /// The protocol of this lower-case name.
    pub fn from_name(name: &str) -> Option<Protocol> {
        Protocol::ALL.into_iter().find(|p| p.name() == name)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An address family.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Family {
    Ipv4,
    Ipv6,
}

impl Family {
    /// The family an address belongs to.
    pub const fn of(address: IpAddr) -> Family {
        match address {
            IpAddr::V4(_) => Family::Ipv4,
            IpAddr::V6(_) => Family::Ipv6,
        }
    }
}

/// What makes two virtual services the same one, to the kernel and to us.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ServiceKey {
    /// Clients reach it by protocol, address and port. Port 0 means every port and works only
    /// with persistence.
    Address { protocol: Protocol, address: IpAddr, port: u16 },
    /// Packets reach it by firewall mark. One mark may exist once per family. `mark` is never 0:
    /// the kernel would silently make a TCP service of 0.0.0.0:0 of it.
    Fwmark { mark: u32, family: Family },
}

impl ServiceKey {
    /// The family of the packets this service takes.
    pub const fn family(&self) -> Family {
        match self {
            ServiceKey::Address { address, .. } => Family::of(*address),
            ServiceKey::Fwmark { family, .. } => *family,
        }
    }

    /// What clients speak; `None` for a firewall mark.
    pub const fn protocol(&self) -> Option<Protocol> {
        match self {
            ServiceKey::Address { protocol, .. } => Some(*protocol),
            ServiceKey::Fwmark { .. } => None,
        }
    }

    /// The port clients use; `None` for a firewall mark.
    pub const fn port(&self) -> Option<u16> {
        match self {
            ServiceKey::Address { port, .. } => Some(*port),
            ServiceKey::Fwmark { .. } => None,
        }
    }
}

/// `192.0.2.10:443/tcp`, `[2001:db8::1]:53/udp`, `fwmark:7`, `fwmark:7/ipv6`.
impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServiceKey::Address { protocol, address: IpAddr::V4(address), port } => {
                write!(f, "{address}:{port}/{protocol}")
            }
            ServiceKey::Address { protocol, address: IpAddr::V6(address), port } => {
                write!(f, "[{address}]:{port}/{protocol}")
            }
            ServiceKey::Fwmark { mark, family: Family::Ipv4 } => write!(f, "fwmark:{mark}"),
            ServiceKey::Fwmark { mark, family: Family::Ipv6 } => write!(f, "fwmark:{mark}/ipv6"),
        }
    }
}

/// Why a text cannot be a [`ServiceKey`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyError;

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a service is written 192.0.2.10:443/tcp, [2001:db8::1]:53/udp, fwmark:7 or \
             fwmark:7/ipv6",
        )
    }
}

impl std::error::Error for KeyError {}

/// Exactly what `Display` writes; also `fwmark:7/ipv4`.
impl FromStr for ServiceKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<ServiceKey, KeyError> {
        if let Some(mark) = text.strip_prefix("fwmark:") {
            return fwmark_from_text(mark).ok_or(KeyError);
        }
        let (address, protocol) = text.rsplit_once('/').ok_or(KeyError)?;
        let protocol = Protocol::from_name(protocol).ok_or(KeyError)?;
        let address: SocketAddr = address.parse().map_err(|_| KeyError)?;
        // A scope such as `fe80::1%2` would be lost on the way to the kernel.
        match address {
            SocketAddr::V6(scoped) if scoped.scope_id() != 0 => Err(KeyError),
            _ => Ok(ServiceKey::Address { protocol, address: address.ip(), port: address.port() }),
        }
    }
}

fn fwmark_from_text(text: &str) -> Option<ServiceKey> {
    let (mark, family) = match text.split_once('/') {
        None => (text, Family::Ipv4),
        Some((mark, "ipv4")) => (mark, Family::Ipv4),
        Some((mark, "ipv6")) => (mark, Family::Ipv6),
        Some(_) => return None,
    };
    // `parse` alone would take a sign.
    let digits = mark.bytes().all(|b| b.is_ascii_digit());
    let mark = mark.parse().ok().filter(|&mark| digits && mark != 0)?;
    Some(ServiceKey::Fwmark { mark, family })
}

/// A name the kernel knows a module by, such as a scheduler: 1 to 15 bytes.
///
/// Kept inline because every service carries one and a director may have 10,000 of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KernelName([u8; 16]);

/// Why a text cannot be a [`KernelName`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NameError;

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a kernel name has 1 to 15 letters, digits, '_' or '-'")
    }
}

impl std::error::Error for NameError {}

impl KernelName {
    /// The kernel's limit, IP_VS_SCHEDNAME_MAXLEN less the terminating NUL.
    pub const MAX_LEN: usize = 15;

    /// The kernel's word for no scheduler: the service refuses new connections.
    pub const NONE: KernelName = KernelName(*b"none\0\0\0\0\0\0\0\0\0\0\0\0");

    /// The scheduler where nobody says another.
    pub const WLC: KernelName = KernelName(*b"wlc\0\0\0\0\0\0\0\0\0\0\0\0\0");

    /// The name, if it is 1 to 15 ASCII letters, digits, `_` or `-`.
    pub fn new(name: &str) -> Result<KernelName, NameError> {
        let fits = (1..=Self::MAX_LEN).contains(&name.len());
        let clean = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if !fits || !name.bytes().all(clean) {
            return Err(NameError);
        }
        let mut bytes = [0; 16];
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        Ok(KernelName(bytes))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        let len = self.0.iter().position(|&b| b == 0).unwrap_or(self.0.len());
        std::str::from_utf8(&self.0[..len]).unwrap_or_default()
    }
}

impl fmt::Display for KernelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for KernelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

/// Which client addresses count as one client for persistence.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Netmask {
    /// As a dotted quad. A configuration only makes contiguous ones; the kernel takes any.
    V4(Ipv4Addr),
    /// As a prefix length, 1 to 128.
    V6(u8),
}

impl Netmask {
    /// Every client counts alone.
    pub const fn host(family: Family) -> Netmask {
        match family {
            Family::Ipv4 => Netmask::V4(Ipv4Addr::BROADCAST),
            Family::Ipv6 => Netmask::V6(128),
        }
    }
}

/// `255.255.255.0`, `64`.
impl fmt::Display for Netmask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Netmask::V4(mask) => write!(f, "{mask}"),
            Netmask::V6(prefix) => write!(f, "{prefix}"),
        }
    }
}

/// A client returns to the same destination for a time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Persistence {
    /// Seconds, 1 to [`Persistence::MAX_TIMEOUT`].
    pub timeout: u32,
    pub netmask: Netmask,
}

impl Persistence {
    /// 31 days. The kernel multiplies by its tick rate in 32 bits and wraps silently above that.
    pub const MAX_TIMEOUT: u32 = 31 * 24 * 3600;
}

/// The three flags a service hands to its scheduler, as bits 0 to 2.
///
/// For `sh` and `mh`: bit 0 is fallback (clients hashed to an unusable destination go
/// elsewhere), bit 1 hashes the port as well.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct SchedulerFlags(u8);

impl SchedulerFlags {
    pub const NONE: SchedulerFlags = SchedulerFlags(0);
    pub const FALLBACK: SchedulerFlags = SchedulerFlags(1);
    pub const PORT: SchedulerFlags = SchedulerFlags(2);
    pub const THIRD: SchedulerFlags = SchedulerFlags(4);

    /// Bits above the third are dropped: the kernel has three.
    pub const fn from_bits(bits: u8) -> SchedulerFlags {
        SchedulerFlags(bits & 7)
    }

    pub const fn bits(self) -> u8 {
        self.0
    }

    pub const fn with(self, other: SchedulerFlags) -> SchedulerFlags {
        SchedulerFlags(self.0 | other.0)
    }

    pub const fn contains(self, other: SchedulerFlags) -> bool {
        self.0 & other.0 == other.0
    }
}

/// What may change about a virtual service while it stays the same service.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ServiceSettings {
    pub scheduler: KernelName,
    pub scheduler_flags: SchedulerFlags,
    /// Each datagram is scheduled afresh; UDP only (and firewall marks).
    pub one_packet: bool,
    pub persistence: Option<Persistence>,
    /// The persistence engine, such as `sip`; at most 15 bytes.
    pub engine: Option<KernelName>,
}

impl ServiceSettings {
    /// A service with this scheduler and nothing else switched on.
    pub const fn plain(scheduler: KernelName) -> ServiceSettings {
        ServiceSettings {
            scheduler,
            scheduler_flags: SchedulerFlags::NONE,
            one_packet: false,
            persistence: None,
            engine: None,
        }
    }

    /// Whether new clients of a server of weight 0, drained or quiesced, are refused instead of
    /// given to another: `sh` and `mh` look a client's server up, and without their fallback flag
    /// at no second one. A server that is not in the table is no one's.
    pub fn strands_clients(&self) -> bool {
        matches!(self.scheduler.as_str(), "sh" | "mh")
            && !self.scheduler_flags.contains(SchedulerFlags::FALLBACK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_name_keeps_fifteen_bytes_and_refuses_sixteen() {
        assert_eq!(
            KernelName::new("abcdefghijklmno").map(|n| n.to_string()),
            Ok("abcdefghijklmno".into())
        );
        assert_eq!(KernelName::new("abcdefghijklmnop"), Err(NameError));
        assert_eq!(KernelName::new(""), Err(NameError));
        assert_eq!(KernelName::new("a b"), Err(NameError));
    }

    #[test]
    fn only_sh_and_mh_strand_clients_and_not_with_the_fallback_flag() {
        for (name, flags, strands) in [
            ("sh", SchedulerFlags::NONE, true),
            ("mh", SchedulerFlags::PORT, true),
            ("sh", SchedulerFlags::FALLBACK, false),
            ("mh", SchedulerFlags::FALLBACK.with(SchedulerFlags::PORT), false),
            ("dh", SchedulerFlags::NONE, false),
            ("wrr", SchedulerFlags::NONE, false),
        ] {
            let scheduler = KernelName::new(name).unwrap();
            let settings =
                ServiceSettings { scheduler_flags: flags, ..ServiceSettings::plain(scheduler) };
            assert_eq!(settings.strands_clients(), strands, "{name} {flags:?}");
        }
    }

    #[test]
    fn service_key_prints_as_the_field_writes_it() {
        let v6 = ServiceKey::Address {
            protocol: Protocol::Udp,
            address: "2001:db8::1".parse().unwrap(),
            port: 53,
        };
        assert_eq!(v6.to_string(), "[2001:db8::1]:53/udp");
        assert_eq!(
            ServiceKey::Fwmark { mark: 7, family: Family::Ipv6 }.to_string(),
            "fwmark:7/ipv6"
        );
    }

    #[test]
    fn service_key_reads_back_what_it_prints() {
        for text in [
            "192.0.2.10:443/tcp",
            "192.0.2.10:0/sctp",
            "[2001:db8::1]:53/udp",
            "[::ffff:1.2.3.4]:80/tcp",
            "fwmark:7",
            "fwmark:4294967295/ipv6",
        ] {
            assert_eq!(text.parse::<ServiceKey>().map(|k| k.to_string()), Ok(text.to_string()));
        }
    }

    #[test]
    fn service_key_takes_nothing_else() {
        for text in [
            "",
            "192.0.2.10:443",
            "192.0.2.10/tcp",
            "192.0.2.10:443/TCP",
            "192.0.2.10:65536/tcp",
            "192.0.2.300:80/tcp",
            "2001:db8::1:53/udp",
            "[fe80::1%2]:53/udp",
            " 192.0.2.10:443/tcp",
            "192.0.2.10:443/tcp\n",
            "fwmark:",
            "fwmark:0",
            "fwmark:+7",
            "fwmark:4294967296",
            "fwmark:7/ipv5",
            "fwmark:7/ipv6/ipv6",
        ] {
            assert_eq!(text.parse::<ServiceKey>(), Err(KeyError), "{text:?}");
        }
    }
}
