//! Real servers as a table holds them: where, how, and how much.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// An address and a port. Unlike [`SocketAddr`] it has nothing else that could differ.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Endpoint {
    pub address: IpAddr,
    pub port: u16,
}

impl Endpoint {
    pub const fn new(address: IpAddr, port: u16) -> Endpoint {
        Endpoint { address, port }
    }

    /// The same address with another port.
    pub const fn with_port(self, port: u16) -> Endpoint {
        Endpoint { address: self.address, port }
    }
}

impl From<Endpoint> for SocketAddr {
    fn from(endpoint: Endpoint) -> SocketAddr {
        SocketAddr::new(endpoint.address, endpoint.port)
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Endpoint {
        Endpoint::new(address.ip(), address.port())
    }
}

/// `10.0.0.7:80`, `[2001:db8::7]:80`.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&SocketAddr::from(*self), f)
    }
}

/// How packets reach a real server.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ForwardingMethod {
    /// Direct routing: the packet is sent on unchanged to the server's link address.
    Gate,
    /// Network address translation, both ways through the director.
    Masq,
    /// Tunnelled; [`Tunnel`] says how.
    Ipip,
    /// One of the kernel's methods that a configuration cannot ask for (1 local, 4 bypass), as
    /// read from a table somebody else wrote.
    Other(u8),
}

impl ForwardingMethod {
    /// The methods a configuration may name.
    pub const ALL: [ForwardingMethod; 3] =
        [ForwardingMethod::Gate, ForwardingMethod::Masq, ForwardingMethod::Ipip];

    /// The keyword: `gate`, `masq`, `ipip`.
    pub fn from_name(name: &str) -> Option<ForwardingMethod> {
        Self::ALL.into_iter().find(|m| m.to_string() == name)
    }
}

impl fmt::Display for ForwardingMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ForwardingMethod::Gate => f.write_str("gate"),
            ForwardingMethod::Masq => f.write_str("masq"),
            ForwardingMethod::Ipip => f.write_str("ipip"),
            ForwardingMethod::Other(number) => write!(f, "method-{number}"),
        }
    }
}

/// What a tunnel wraps packets in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub enum TunnelKind {
    #[default]
    Ipip,
    /// Generic UDP encapsulation; needs a port.
    Gue,
    Gre,
    /// A kind only the kernel knows (3 and above are accepted by it, and useless).
    Other(u8),
}

/// How the tunnel of an [`ForwardingMethod::Ipip`] destination is built.
///
/// The default (plain IP in IP) for every other method, so that equal destinations compare equal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Tunnel {
    pub kind: TunnelKind,
    /// The UDP port of GUE, not 0; 0 for the others.
    pub port: u16,
    /// The kernel's bits: 1 checksum, 2 remote checksum.
    pub flags: u16,
}

impl Tunnel {
    pub const CHECKSUM: u16 = 1;
    pub const REMOTE_CHECKSUM: u16 = 2;
}

impl fmt::Display for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TunnelKind::Ipip => f.write_str("ipip")?,
            TunnelKind::Gue => write!(f, "gue:{}", self.port)?,
            TunnelKind::Gre => f.write_str("gre")?,
            TunnelKind::Other(number) => write!(f, "tunnel-{number}")?,
        }
        if self.flags & Tunnel::CHECKSUM != 0 {
            f.write_str("+csum")?;
        }
        if self.flags & Tunnel::REMOTE_CHECKSUM != 0 {
            f.write_str("+remcsum")?;
        }
        Ok(())
    }
}

/// One real server's row under one virtual service, less its address and port.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Destination {
    pub forward: ForwardingMethod,
    pub tunnel: Tunnel,
    /// Share of new connections, 0 to [`Destination::MAX_WEIGHT`] from a configuration; 0 takes
    /// no new ones.
    pub weight: u32,
    /// No new connections at this many connections, until below `lower`; 0 is no limit.
    pub upper: u32,
    /// At most `upper`; 0 means three quarters of `upper`.
    pub lower: u32,
}

impl Destination {
    /// A convention of the field, also ipvsadm's; the kernel has no limit below 2^31.
    pub const MAX_WEIGHT: u32 = 65_535;

    /// A destination of this method and weight, without tunnel options or thresholds.
    pub const fn plain(forward: ForwardingMethod, weight: u32) -> Destination {
        Destination {
            forward,
            tunnel: Tunnel { kind: TunnelKind::Ipip, port: 0, flags: 0 },
            weight,
            upper: 0,
            lower: 0,
        }
    }

    /// The same destination with another weight.
    pub const fn with_weight(self, weight: u32) -> Destination {
        Destination { weight, ..self }
    }
}

/// `gate weight=5`, `ipip(gue:6080) weight=1 upper=100 lower=80`.
impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.forward)?;
        if self.tunnel != Tunnel::default() {
            write!(f, "({})", self.tunnel)?;
        }
        write!(f, " weight={}", self.weight)?;
        if self.upper != 0 {
            write!(f, " upper={}", self.upper)?;
        }
        if self.lower != 0 {
            write!(f, " lower={}", self.lower)?;
        }
        Ok(())
    }
}
