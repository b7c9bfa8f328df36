//! Digests that mean the same tomorrow, in another build, on another machine.
//!
//! The standard library's hasher promises nothing across versions, and `derive(Hash)` may change
//! its order of fields, so what goes to disk is spelled out here byte by byte.

use std::net::IpAddr;

use super::{
    Between, CheckSpec, DnsProbe, Endpoint, ExternalProbe, FtpProbe, HttpProbe, LdapProbe,
    MailboxProbe, PingProbe, Probe, RadiusProbe, SipProbe, SqlProbe, StatusRanges, TcpProbe, Tls,
    Transport,
};

/// FNV-1a with 64 bits (draft-eastlake-fnv): quick, and of the same value everywhere. No defence
/// against someone who wants two inputs to collide.
#[derive(Clone, Copy, Debug)]
pub struct Digest(u64);

impl Digest {
    /// The digest of nothing: the offset basis of FNV-1a.
    pub const EMPTY: Digest = Digest(0xcbf2_9ce4_8422_2325);
    const PRIME: u64 = 0x0000_0100_0000_01b3;

    /// The digest of what went before and then `bytes`. Carries no length: see
    /// [`text`](Digest::text).
    #[must_use]
    pub fn bytes(self, bytes: &[u8]) -> Digest {
        Digest(bytes.iter().fold(self.0, |h, b| (h ^ u64::from(*b)).wrapping_mul(Self::PRIME)))
    }

    #[must_use]
    pub fn number(self, number: u64) -> Digest {
        self.bytes(&number.to_be_bytes())
    }

    /// The length goes first, so that "ab", "c" and "a", "bc" differ.
    #[must_use]
    pub fn text(self, text: &str) -> Digest {
        self.number(text.len() as u64).bytes(text.as_bytes())
    }

    #[must_use]
    fn maybe(self, text: Option<&str>) -> Digest {
        match text {
            None => self.number(0),
            Some(text) => self.number(1).text(text),
        }
    }

    pub const fn value(self) -> u64 {
        self.0
    }
}

impl CheckSpec {
    /// Names this check of this endpoint in the state file: equal definitions have equal digests
    /// across restarts and versions, different ones different digests.
    ///
    /// Every field counts. The structs are taken apart without `..` so that a new field does not
    /// compile until it is counted as well.
    pub fn digest(&self, endpoint: &Endpoint) -> u64 {
        let CheckSpec { probe, interval, retry, timeout, rise, fall, between } = self;
        let digest = [interval, retry, timeout].into_iter().fold(Digest::EMPTY, |digest, d| {
            digest.number(d.as_secs()).number(d.subsec_nanos().into())
        });
        let digest = digest.number((*rise).into()).number((*fall).into());
        let digest = match endpoint.address {
            IpAddr::V4(address) => digest.number(4).bytes(&address.octets()),
            IpAddr::V6(address) => digest.number(6).bytes(&address.octets()),
        };
        let digest = add_probe(digest.number(endpoint.port.into()), probe);
        // Nothing at all for none: digests of the time before there were any stay as they are.
        between.iter().fold(digest, add_between).value()
    }
}

fn add_between(digest: Digest, between: &Between) -> Digest {
    let Between { times, probe, timeout } = between;
    let digest = digest.number((*times).into());
    let digest = digest.number(timeout.as_secs()).number(timeout.subsec_nanos().into());
    add_probe(digest, probe)
}

/// The number that opens each kind is part of the format: give a new kind a new one.
fn add_probe(digest: Digest, probe: &Probe) -> Digest {
    match probe {
        Probe::On => digest.number(1),
        Probe::Off => digest.number(2),
        Probe::Ping(PingProbe { count }) => digest.number(3).number((*count).into()),
        Probe::Connect => digest.number(4),
        Probe::Http(http) => add_http(digest.number(5), http),
        Probe::Ftp(ftp) => {
            let FtpProbe { login, password, request, receive, body_limit } = &**ftp;
            let digest = digest.number(6).text(login).text(password);
            digest.maybe(request.as_deref()).maybe(receive.as_deref()).number((*body_limit).into())
        }
        Probe::External(external) => {
            let ExternalProbe { argv, input, virtual_address, virtual_port } = &**external;
            let digest = digest.number(7).number(argv.len() as u64);
            let digest = argv.iter().fold(digest, |digest, word| digest.text(word));
            let digest = digest.text(virtual_address).number((*virtual_port).into());
            // Nothing at all for none, as it was before there was any.
            input.iter().fold(digest, |digest, input| digest.text(input))
        }
        Probe::Smtp => digest.number(8),
        Probe::Pop(pop) => add_mailbox(digest.number(9), pop),
        Probe::Imap(imap) => add_mailbox(digest.number(10), imap),
        Probe::Nntp => digest.number(11),
        Probe::Sip(sip) => {
            let SipProbe { login, transport } = &**sip;
            add_transport(digest.number(12).text(login), *transport)
        }
        Probe::Tcp(tcp) => {
            let TcpProbe { request, receive, body_limit } = &**tcp;
            let digest = digest.number(13).maybe(request.as_deref());
            digest.maybe(receive.as_deref()).number((*body_limit).into())
        }
        Probe::Dns(dns) => {
            let DnsProbe { request, receive, transport } = &**dns;
            let digest = digest.number(14).text(request).maybe(receive.as_deref());
            add_transport(digest, *transport)
        }
        Probe::Radius(radius) => {
            let RadiusProbe { login, password, secret } = &**radius;
            digest.number(15).text(login).text(password).text(secret)
        }
        Probe::Ldap(ldap) => {
            let LdapProbe { tls, host, login, base, receive } = &**ldap;
            let digest = add_login(add_tls(digest.number(16), tls.as_ref()), login.as_ref());
            digest.text(base).maybe(receive.as_deref()).maybe(host.as_deref())
        }
        Probe::Mysql(sql) => add_sql(digest.number(17), sql),
        Probe::Pgsql(sql) => add_sql(digest.number(18), sql),
        Probe::AsFound => digest.number(19),
        Probe::Associate => digest.number(20),
        Probe::Watched(keys) => {
            let digest = digest.number(21).number(keys.len() as u64);
            keys.iter().fold(digest, |digest, key| digest.text(&key.group).text(&key.service))
        }
    }
}

fn add_mailbox(digest: Digest, mailbox: &MailboxProbe) -> Digest {
    let MailboxProbe { tls, host, login } = mailbox;
    add_login(add_tls(digest, tls.as_ref()), login.as_ref()).maybe(host.as_deref())
}

fn add_sql(digest: Digest, sql: &SqlProbe) -> Digest {
    let SqlProbe { login, password, database, request } = sql;
    digest.text(login).text(password).text(database).maybe(request.as_deref())
}

fn add_transport(digest: Digest, transport: Transport) -> Digest {
    digest.number(match transport {
        Transport::Udp => 0,
        Transport::Tcp => 1,
    })
}

fn add_tls(digest: Digest, tls: Option<&Tls>) -> Digest {
    match tls {
        None => digest.number(0),
        Some(Tls { verify, ca_file }) => {
            digest.number(1).number((*verify).into()).maybe(ca_file.as_deref())
        }
    }
}

fn add_login(digest: Digest, login: Option<&(String, String)>) -> Digest {
    match login {
        None => digest.number(0),
        Some((user, password)) => digest.number(1).text(user).text(password),
    }
}

fn add_http(digest: Digest, http: &HttpProbe) -> Digest {
    let HttpProbe { tls, method, path, host, status, receive, body_limit, redirects, login } = http;
    let digest = add_tls(digest, tls.as_ref());
    let digest = add_status(digest.text(method).text(path).maybe(host.as_deref()), status);
    let digest = digest.maybe(receive.as_deref());
    let digest = digest.number((*body_limit).into()).number((*redirects).into());
    add_login(digest, login.as_ref())
}

fn add_status(digest: Digest, status: &StatusRanges) -> Digest {
    let digest = digest.number(status.iter().len() as u64);
    status.iter().fold(digest, |digest, range| {
        digest.number((*range.start()).into()).number((*range.end()).into())
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn spec(probe: Probe) -> CheckSpec {
        CheckSpec {
            probe,
            interval: Duration::from_secs(10),
            retry: Duration::from_secs(10),
            timeout: Duration::from_secs(5),
            rise: 2,
            fall: 3,
            between: None,
        }
    }

    fn http() -> HttpProbe {
        HttpProbe {
            tls: None,
            method: "GET".into(),
            path: "/.testpage".into(),
            host: None,
            status: StatusRanges::default(),
            receive: Some("test page".into()),
            body_limit: HttpProbe::DEFAULT_BODY_LIMIT,
            redirects: 0,
            login: None,
        }
    }

    fn server() -> Endpoint {
        Endpoint::new([192, 168, 0, 1].into(), 80)
    }

    #[test]
    fn fnv_agrees_with_the_published_vectors() {
        assert_eq!(Digest::EMPTY.bytes(b"a").value(), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(Digest::EMPTY.bytes(b"foobar").value(), 0x8594_4171_f739_67e8);
    }

    /// State files written by another version of the daemon hold this number.
    #[test]
    fn digest_of_a_check_never_changes() {
        let check = spec(Probe::Http(Box::new(http())));
        assert_eq!(check.digest(&server()), 0x73f2_30eb_f1d6_d406);
    }

    #[test]
    fn any_other_field_is_another_digest() {
        let base = spec(Probe::Http(Box::new(http())));
        let with = |change: fn(&mut HttpProbe)| {
            let mut http = http();
            change(&mut http);
            spec(Probe::Http(Box::new(http)))
        };
        let external = |argv: &[&str], input: Option<&str>| {
            spec(Probe::External(Box::new(ExternalProbe {
                argv: argv.iter().map(|s| s.to_string()).collect(),
                input: input.map(str::to_owned),
                virtual_address: "10.0.0.3".into(),
                virtual_port: 80,
            })))
        };
        let ftp = |request: Option<&str>, receive: Option<&str>| {
            spec(Probe::Ftp(Box::new(FtpProbe {
                login: "anonymous".into(),
                password: "x".into(),
                request: request.map(str::to_owned),
                receive: receive.map(str::to_owned),
                body_limit: 9,
            })))
        };
        let between = |times, probe, seconds| {
            let between = Between { times, probe, timeout: Duration::from_secs(seconds) };
            CheckSpec { between: Some(between), ..base.clone() }
        };
        let verify = |verify| Some(Tls { verify, ca_file: None });
        let mut digests: Vec<u64> = [
            base.clone(),
            CheckSpec { interval: Duration::from_millis(10_001), ..base.clone() },
            CheckSpec { retry: Duration::from_secs(9), ..base.clone() },
            CheckSpec { timeout: Duration::from_secs(4), ..base.clone() },
            CheckSpec { rise: 3, ..base.clone() },
            CheckSpec { fall: 2, ..base.clone() },
            CheckSpec { rise: 3, fall: 2, ..base.clone() },
            between(2, Probe::Connect, 5),
            between(3, Probe::Connect, 5),
            between(3, Probe::Associate, 5),
            between(3, Probe::On, 5),
            between(3, Probe::Connect, 4),
            with(|h| h.method = "HEAD".into()),
            with(|h| h.path = "/".into()),
            with(|h| h.host = Some("/".into())),
            with(|h| h.status = StatusRanges::new(vec![200..=200]).unwrap()),
            with(|h| h.status = StatusRanges::new(vec![200..=200, 299..=299]).unwrap()),
            with(|h| h.receive = None),
            with(|h| h.body_limit = 1),
            with(|h| h.redirects = 1),
            with(|h| h.login = Some(("a".into(), "bc".into()))),
            with(|h| h.login = Some(("ab".into(), "c".into()))),
            CheckSpec {
                probe: Probe::Http(Box::new(HttpProbe { tls: verify(true), ..http() })),
                ..base.clone()
            },
            CheckSpec {
                probe: Probe::Http(Box::new(HttpProbe { tls: verify(false), ..http() })),
                ..base.clone()
            },
            spec(Probe::On),
            spec(Probe::Off),
            spec(Probe::AsFound),
            spec(Probe::Connect),
            spec(Probe::Associate),
            spec(Probe::Ping(PingProbe { count: 1 })),
            spec(Probe::Ping(PingProbe { count: 2 })),
            ftp(Some("x"), None),
            ftp(None, Some("x")),
            external(&["/bin/true", "a b"], None),
            external(&["/bin/true", "a", "b"], None),
            external(&["/bin/true", "a", "b"], Some("c")),
        ]
        .iter()
        .map(|check| check.digest(&server()))
        .collect();
        digests.push(base.digest(&server().with_port(81)));
        digests.push(base.digest(&Endpoint::new([192, 168, 0, 2].into(), 80)));
        let all = digests.len();
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), all);
    }
}
