//! What there is to ask of a real server, kind by kind.

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::{Endpoint, Protocol, WatchKey};

/// What one probe does.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Probe {
    /// Nothing is asked: the server counts as up.
    On,
    /// Nothing is asked: the server counts as down.
    Off,
    /// Nothing is asked: a server that is in use when its service is loaded counts as up, any
    /// other as down. ldirectord's `off`.
    AsFound,
    Ping(PingProbe),
    /// A TCP connection is made and closed.
    Connect,
    /// The same by SCTP: an association.
    Associate,
    Http(Box<HttpProbe>),
    Ftp(Box<FtpProbe>),
    External(Box<ExternalProbe>),
    /// A greeting, EHLO (HELO where that is refused), QUIT.
    Smtp,
    /// A greeting and, with a login, a mailbox opened.
    Pop(Box<MailboxProbe>),
    /// The same by IMAP.
    Imap(Box<MailboxProbe>),
    /// A greeting.
    Nntp,
    /// OPTIONS.
    Sip(Box<SipProbe>),
    /// A text sent, a line of the answer matched: ldirectord's `simpletcp`.
    Tcp(Box<TcpProbe>),
    /// One question.
    Dns(Box<DnsProbe>),
    /// An Access-Request that must be accepted.
    Radius(Box<RadiusProbe>),
    /// A bind and the look-up of one entry.
    Ldap(Box<LdapProbe>),
    /// A login and a query that must yield a row.
    Mysql(Box<SqlProbe>),
    Pgsql(Box<SqlProbe>),
    /// Nothing is asked of the server: it is well while all of these watched services are. One
    /// result of any of them is one outcome.
    Watched(Arc<[WatchKey]>),
}

impl Probe {
    /// What `connect` is for a service of this protocol, `None` for a firewall mark: an SCTP
    /// association for one, a TCP connection for all others.
    pub fn connect(protocol: Option<Protocol>) -> Probe {
        match protocol {
            Some(Protocol::Sctp) => Probe::Associate,
            Some(Protocol::Tcp | Protocol::Udp) | None => Probe::Connect,
        }
    }

    /// The keyword of a configuration: `ping`, `https`, ...
    pub fn name(&self) -> &'static str {
        match self {
            Probe::On => "on",
            Probe::Off => "off",
            Probe::AsFound => "as_found",
            Probe::Ping(_) => "ping",
            Probe::Connect | Probe::Associate => "connect",
            Probe::Http(http) if http.tls.is_some() => "https",
            Probe::Http(_) => "http",
            Probe::Ftp(_) => "ftp",
            Probe::External(_) => "external",
            Probe::Smtp => "smtp",
            Probe::Pop(pop) if pop.tls.is_some() => "pops",
            Probe::Pop(_) => "pop",
            Probe::Imap(imap) if imap.tls.is_some() => "imaps",
            Probe::Imap(_) => "imap",
            Probe::Nntp => "nntp",
            Probe::Sip(_) => "sip",
            Probe::Tcp(_) => "tcp",
            Probe::Dns(_) => "dns",
            Probe::Radius(_) => "radius",
            Probe::Ldap(ldap) if ldap.tls.is_some() => "ldaps",
            Probe::Ldap(_) => "ldap",
            Probe::Mysql(_) => "mysql",
            Probe::Pgsql(_) => "pgsql",
            Probe::Watched(_) => "watch",
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

    /// Whether it talks by TCP, so that a connection alone asks less of the same.
    pub fn is_by_tcp(&self) -> bool {
        match self {
            Probe::On | Probe::Off | Probe::AsFound => false,
            Probe::Ping(_) | Probe::Connect | Probe::Associate => false,
            Probe::External(_) | Probe::Radius(_) | Probe::Watched(_) => false,
            Probe::Sip(sip) => sip.transport == Transport::Tcp,
            Probe::Dns(dns) => dns.transport == Transport::Tcp,
            Probe::Http(_) | Probe::Ftp(_) | Probe::Smtp | Probe::Pop(_) | Probe::Imap(_) => true,
            Probe::Nntp | Probe::Tcp(_) | Probe::Ldap(_) => true,
            Probe::Mysql(_) | Probe::Pgsql(_) => true,
        }
    }

    /// Whether it asks for a connection and no more.
    pub fn is_connect(&self) -> bool {
        matches!(self, Probe::Connect | Probe::Associate)
    }

    /// Whether there is anything to ask.
    pub fn asks(&self) -> bool {
        !matches!(self, Probe::On | Probe::Off | Probe::AsFound)
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
    /// The program and its arguments; never passed to a shell. In the arguments
    /// [`ExternalProbe::PLACES`] stand for the server and the service.
    pub argv: Vec<String>,
    /// What it reads from its standard input, at most [`ExternalProbe::MAX_INPUT`] bytes; unlike
    /// arguments other users of the machine cannot see it.
    pub input: Option<String>,
    /// What `{virtual_address}` and `{virtual_port}` stand for: the service's address in
    /// brackets when IPv6, or the firewall mark and 0.
    pub virtual_address: String,
    pub virtual_port: u16,
}

impl ExternalProbe {
    /// In bytes: as much as any pipe takes at once.
    pub const MAX_INPUT: usize = 4096;
    /// What is filled in: the server's address and port, the service's address and port.
    pub const PLACES: [&str; 4] = ["{address}", "{port}", "{virtual_address}", "{virtual_port}"];
}

/// A mail server's greeting and, where there is a login, that it lets the user in.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct MailboxProbe {
    /// TLS from the first byte; `None` is in the clear.
    pub tls: Option<Tls>,
    /// The name sent by SNI, and verified; the server's address when absent.
    pub host: Option<String>,
    /// User and password; `None` passes with the greeting.
    pub login: Option<(String, String)>,
}

/// How a protocol that knows both travels.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Transport {
    Udp,
    Tcp,
}

/// `OPTIONS sip:LOGIN`, to be answered 200.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SipProbe {
    /// User, or user and host, of the request's URI; may be empty.
    pub login: String,
    pub transport: Transport,
}

impl SipProbe {
    /// Whether `text` can stand in a request's URI: visible ASCII, none of the marks that would
    /// end it, at most 255 bytes.
    pub fn is_login(text: &str) -> bool {
        let clean = |b: u8| b.is_ascii_graphic() && !b"<>\"".contains(&b);
        text.len() <= 255 && text.bytes().all(clean)
    }
}

/// A TCP connection on which a text is sent, if there is one, and the answer looked at.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TcpProbe {
    /// Sent as it is; afterwards nothing more is sent, which the server is told. `None` waits
    /// for what the server says by itself.
    pub request: Option<String>,
    /// A Perl regular expression that one line of the answer must match; with `None` any answer
    /// passes.
    pub receive: Option<String>,
    /// How much of the answer is read, in bytes.
    pub body_limit: u32,
}

/// One question to a name server.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DnsProbe {
    /// A name, asked for its addresses, or an address, asked for its name.
    pub request: String,
    /// A Perl regular expression that one record of the answer must match, as text; with `None`
    /// any record passes.
    pub receive: Option<String>,
    pub transport: Transport,
}

impl DnsProbe {
    /// Whether `text` is an address, or a name that can be asked for: parts of 1 to 63 bytes, 253
    /// in all, RFC 1035 section 2.3.4.
    pub fn is_question(text: &str) -> bool {
        let name = text.strip_suffix('.').unwrap_or(text);
        let part = |part: &str| (1..=63).contains(&part.len());
        text.parse::<IpAddr>().is_ok() || (name.len() <= 253 && name.split('.').all(part))
    }
}

/// One login asked of a RADIUS server.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct RadiusProbe {
    pub login: String,
    pub password: String,
    /// What director and server share.
    pub secret: String,
}

impl RadiusProbe {
    /// In bytes: what an attribute holds, RFC 2865 section 5.
    pub const MAX_LOGIN: usize = 253;
    /// In bytes, RFC 2865 section 5.2.
    pub const MAX_PASSWORD: usize = 128;
}

/// One entry looked up in a directory.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct LdapProbe {
    /// TLS from the first byte; `None` is in the clear.
    pub tls: Option<Tls>,
    /// The name sent by SNI, and verified; the server's address when absent.
    pub host: Option<String>,
    /// Name and password of the bind; `None` binds anonymously.
    pub login: Option<(String, String)>,
    /// The entry's distinguished name; empty is the server's own entry.
    pub base: String,
    /// A Perl regular expression the found entry's name must match.
    pub receive: Option<String>,
}

/// A login to a database and one query.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SqlProbe {
    pub login: String,
    pub password: String,
    pub database: String,
    /// Passes when it yields at least one row; `None` passes once logged in.
    pub request: Option<String>,
}
