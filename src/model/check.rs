//! Checks: what to ask a real server, and what the answer means.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::Endpoint;

/// Everything about a check but the address it goes to.
///
/// Two servers' checks are the same check, done once, when their `CheckSpec` and their endpoint
/// are equal; so everything that could make the answer differ is in here.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CheckSpec {
    pub probe: Probe,
    /// From the start of one probe to the start of the next. At least 10 ms.
    pub interval: Duration,
    /// The interval while the last probe failed.
    pub retry: Duration,
    /// For the whole probe: resolve, connect, TLS, headers, body. A probe that needs longer has
    /// failed. At least 1 ms.
    pub timeout: Duration,
    /// Passes in a row that bring a server back, at least 1. A server that never answered before
    /// needs only one.
    pub rise: u16,
    /// Failures in a row that take a server out, at least 1.
    pub fall: u16,
}

/// What one probe does.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Probe {
    /// Nothing is asked: the server counts as up.
    On,
    /// Nothing is asked: the server counts as down.
    Off,
    Ping(PingProbe),
    /// A TCP connection is made and closed.
    Connect,
    Http(Box<HttpProbe>),
    Ftp(Box<FtpProbe>),
    External(Box<ExternalProbe>),
}

impl Probe {
    /// The keyword of a configuration: `ping`, `https`, ...
    pub fn name(&self) -> &'static str {
        match self {
            Probe::On => "on",
            Probe::Off => "off",
            Probe::Ping(_) => "ping",
            Probe::Connect => "connect",
            Probe::Http(http) if http.tls.is_some() => "https",
            Probe::Http(_) => "http",
            Probe::Ftp(_) => "ftp",
            Probe::External(_) => "external",
        }
    }

    /// Where the probe goes, of a server written as `written`. An echo request has no port, so
    /// that all services of one machine share it.
    pub fn aim(&self, written: Endpoint) -> Endpoint {
        match self {
            Probe::Ping(_) => written.with_port(0),
            _ => written,
        }
    }

    /// Whether there is anything to ask.
    pub fn asks(&self) -> bool {
        !matches!(self, Probe::On | Probe::Off)
    }
}

/// ICMP or ICMPv6 echo, by the family of the endpoint.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PingProbe {
    /// Echo requests before giving up, spread over the timeout; the first answer passes.
    /// 1 to 20.
    pub count: u8,
}

/// One HTTP/1.1 request, in the clear or over TLS, to a fixed address.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct HttpProbe {
    /// `None` is plain HTTP.
    pub tls: Option<Tls>,
    /// Upper case: GET, HEAD, POST, OPTIONS ...
    pub method: String,
    /// Path and query, percent-encoded, starting with `/`; or an absolute URI for a proxy.
    pub path: String,
    /// The Host header, and the name sent by SNI; the server's address when absent.
    pub host: Option<String>,
    /// Status codes that pass.
    pub status: StatusRanges,
    /// A Perl regular expression the body must match. The bytes of the body, not decoded.
    pub receive: Option<String>,
    /// How much of the body is read for `receive`, in bytes.
    pub body_limit: u32,
    /// Redirects followed before the answer counts as a failure; 0 takes the first answer as it
    /// is.
    pub redirects: u8,
    /// User and password for basic authentication.
    pub login: Option<(String, String)>,
}

impl HttpProbe {
    /// 1 MiB.
    pub const DEFAULT_BODY_LIMIT: u32 = 1 << 20;
}

/// TLS towards a real server.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Tls {
    /// Whether the certificate must be valid for the name, by the system's roots or `ca_file`.
    /// Off by default, as with ldirectord: a check asks whether a server works, and real servers
    /// commonly carry certificates for the service's name alone.
    pub verify: bool,
    /// Roots in PEM form instead of the system's.
    pub ca_file: Option<String>,
}

/// Status codes that pass, as inclusive ranges; never empty.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct StatusRanges(Vec<RangeInclusive<u16>>);

impl StatusRanges {
    /// The ranges, if there is at least one, each is within 100 to 599 and none is reversed.
    pub fn new(ranges: Vec<RangeInclusive<u16>>) -> Option<StatusRanges> {
        let valid = |r: &RangeInclusive<u16>| *r.start() >= 100 && *r.end() <= 599 && !r.is_empty();
        (!ranges.is_empty() && ranges.iter().all(valid)).then_some(StatusRanges(ranges))
    }

    /// The ranges, in the order given.
    pub fn iter(&self) -> std::slice::Iter<'_, RangeInclusive<u16>> {
        self.0.iter()
    }

    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }
}

/// 200 to 299.
impl Default for StatusRanges {
    fn default() -> StatusRanges {
        StatusRanges(vec![200..=299])
    }
}

/// `200-299`, `200, 301-302`.
impl fmt::Display for StatusRanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, range) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            match range.start() == range.end() {
                true => write!(f, "{}", range.start())?,
                false => write!(f, "{}-{}", range.start(), range.end())?,
            }
        }
        Ok(())
    }
}

/// Log in to an FTP server and, when asked, fetch a file.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FtpProbe {
    pub login: String,
    pub password: String,
    /// The file to fetch in passive mode; `None` passes once logged in.
    pub request: Option<String>,
    /// A Perl regular expression the file must match.
    pub receive: Option<String>,
    /// How much of the file is read, in bytes.
    pub body_limit: u32,
}

/// A program whose exit status 0 means the server is well.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ExternalProbe {
    /// The program and its arguments; never passed to a shell. In the arguments `{address}`,
    /// `{port}`, `{virtual_address}` and `{virtual_port}` stand for the server and the service.
    pub argv: Vec<String>,
    /// What `{virtual_address}` and `{virtual_port}` stand for: the service's address in
    /// brackets when IPv6, or the firewall mark and 0.
    pub virtual_address: String,
    pub virtual_port: u16,
}

/// What one probe found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    Pass,
    /// The server did not answer as it should; the reason is for a person:
    /// `connect: connection refused`.
    Fail(String),
    /// The director could not ask: no route, no file descriptor, an interface down. Says
    /// nothing about the server.
    Local(String),
}

/// What we hold a real server to be.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Verdict {
    /// Not answered yet, neither well nor badly.
    Unknown,
    Up,
    Down,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Unknown => "unknown",
            Verdict::Up => "up",
            Verdict::Down => "down",
        })
    }
}
