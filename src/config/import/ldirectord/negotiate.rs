//! What a negotiate check asks, for each `service`.

use std::net::IpAddr;

use super::draft::{Draft, Speech};
use super::lines::Piece;
use super::report::Report;
use super::request::{self, Url};
use crate::model::{
    DnsProbe, FtpProbe, HttpProbe, LdapProbe, MailboxProbe, Probe, Protocol, RadiusProbe,
    ServiceKey, SipProbe, SqlProbe, StatusRanges, TcpProbe, Tls, Transport,
};
use crate::pattern;

/// Redirects libwww-perl follows by default.
const REDIRECTS: u8 = 7;

/// ldirectord's default; where it needs an address it is `ldirectord@NODE`.
const FTP_LOGIN: &str = "anonymous";

/// What the lines of a service say to a negotiate check.
pub(super) struct Words {
    pub(super) speech: Speech,
    request: Option<String>,
    receive: Option<String>,
    host: Option<String>,
    head: bool,
    login: Option<String>,
    passwd: Option<String>,
    database: Option<String>,
    secret: Option<String>,
    protocol: Option<Protocol>,
    /// Whether `service` is written: some defaults come with the line.
    is_named: bool,
    /// `ldirectord@NODE`.
    own_address: String,
}

/// What a real is asked, its own words or its service's.
pub(super) struct Asked {
    pub(super) request: Option<String>,
    pub(super) receive: Option<String>,
}

impl Words {
    /// `node` is what this host calls itself.
    pub(super) fn of(draft: &Draft<'_>, speech: Speech, key: ServiceKey, node: &str) -> Words {
        let text = |piece: Option<Piece<'_>>| piece.map(|piece| piece.value());
        Words {
            speech,
            request: text(draft.request),
            receive: text(draft.receive),
            host: text(draft.virtualhost),
            head: draft.head_method.is_some(),
            login: text(draft.login),
            passwd: text(draft.passwd),
            database: text(draft.database),
            secret: text(draft.secret),
            protocol: match key {
                ServiceKey::Address { protocol, .. } => Some(protocol),
                ServiceKey::Fwmark { .. } => None,
            },
            is_named: draft.service.is_some(),
            own_address: format!("ldirectord@{node}"),
        }
    }

    /// A real's own pair goes before the service's words; what it says to receive may be nothing.
    pub(super) fn asked(&self, pair: Option<(Piece<'_>, Piece<'_>)>) -> Asked {
        match pair {
            Some((request, receive)) => Asked {
                request: Some(request.value()),
                receive: Some(receive.value()).filter(|text| !text.is_empty()),
            },
            None => Asked { request: self.request.clone(), receive: self.receive.clone() },
        }
    }

    /// What is asked; in words why it cannot be, where something is missing.
    ///
    /// HTTP that leads elsewhere is the caller's business, and so are programs.
    pub(super) fn probe(&self, asked: Asked) -> Result<Probe, &'static str> {
        let Asked { request, receive } = asked;
        let body_limit = HttpProbe::DEFAULT_BODY_LIMIT;
        Ok(match self.speech {
            Speech::None => Probe::On,
            Speech::Http | Speech::Https => self.http(None, request.as_deref(), receive),
            Speech::HttpProxy => return self.http_proxy(request.unwrap_or_default(), receive),
            Speech::Ftp => self.ftp(request, receive),
            Speech::Smtp => Probe::Smtp,
            Speech::Pop => Probe::Pop(self.mailbox(None)),
            Speech::Pops => Probe::Pop(self.mailbox(Some(UNVERIFIED))),
            Speech::Imap => Probe::Imap(self.mailbox(None)),
            Speech::Imaps => Probe::Imap(self.mailbox(Some(UNVERIFIED))),
            Speech::Nntp => Probe::Nntp,
            Speech::Sip => {
                let usual = if self.is_named { self.own_address.as_str() } else { "" };
                let login = self.login.clone().unwrap_or_else(|| usual.to_owned());
                let udp = self.protocol == Some(Protocol::Udp);
                let transport = if udp { Transport::Udp } else { Transport::Tcp };
                Probe::Sip(Box::new(SipProbe { login, transport }))
            }
            Speech::SimpleTcp => {
                // The default is a slash, which goes: nothing is sent then, and the server is
                // told that nothing will be.
                let request = request.map(|text| bare(&text).replace("\\n", "\n"));
                let request = Some(request.unwrap_or_default());
                Probe::Tcp(Box::new(TcpProbe { request, receive, body_limit }))
            }
            Speech::Dns => {
                let request = filled(request).ok_or("dns needs a request")?;
                let tcp = self.protocol == Some(Protocol::Tcp);
                let transport = if tcp { Transport::Tcp } else { Transport::Udp };
                Probe::Dns(Box::new(DnsProbe { request, receive, transport }))
            }
            Speech::Radius => {
                let known = self.login.clone().zip(self.secret.clone());
                let (login, secret) = known.ok_or("radius needs login and secret")?;
                let password = self.passwd.clone().unwrap_or_default();
                Probe::Radius(Box::new(RadiusProbe { login, password, secret }))
            }
            Speech::Ldap => self.ldap(None, request, receive),
            Speech::Ldaps => self.ldap(Some(UNVERIFIED), request, receive),
            Speech::Mysql => Probe::Mysql(Box::new(self.sql(request)?)),
            Speech::Pgsql => Probe::Pgsql(Box::new(self.sql(request)?)),
            Speech::Oracle => return Err("oracle needs a program"),
        })
    }

    /// `url`: the real's own, that leads elsewhere, and the real's address.
    pub(super) fn http(
        &self,
        url: Option<(&Url<'_>, IpAddr)>,
        request: Option<&str>,
        receive: Option<String>,
    ) -> Probe {
        let (path, host, login) = match url {
            Some((url, real)) => (request::path(url.path), self.host(url, real), url.login()),
            None => (request::path(request.unwrap_or("/")), None, None),
        };
        Probe::Http(Box::new(HttpProbe {
            tls: (self.speech == Speech::Https).then_some(UNVERIFIED),
            method: if self.head { "HEAD" } else { "GET" }.to_owned(),
            path,
            host: self.host.clone().or(host),
            status: StatusRanges::default(),
            receive,
            body_limit: HttpProbe::DEFAULT_BODY_LIMIT,
            redirects: REDIRECTS,
            login,
        }))
    }

    /// The Host header where there is no virtualhost and a real's own URL leads elsewhere: the
    /// real's address all the same, as with ldirectord. By TLS a name is kept: it is asked for
    /// there too, and servers want the two alike.
    fn host(&self, url: &Url<'_>, real: IpAddr) -> Option<String> {
        Some(match real {
            _ if self.speech == Speech::Https && url.is_named() => url.host.to_owned(),
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        })
    }

    /// The whole URL is asked of the real, which is a proxy; its host and port are the Host header.
    pub(super) fn http_proxy(
        &self,
        text: String,
        receive: Option<String>,
    ) -> Result<Probe, &'static str> {
        let url = Url::parse(&text, "http").ok_or("http_proxy needs a full URL in request")?;
        Ok(Probe::Http(Box::new(HttpProbe {
            tls: None,
            method: if self.head { "HEAD" } else { "GET" }.to_owned(),
            path: format!("http://{}{}", url.authority(), request::path(url.path)),
            host: None,
            status: StatusRanges::default(),
            receive,
            body_limit: HttpProbe::DEFAULT_BODY_LIMIT,
            redirects: REDIRECTS,
            login: url.login(),
        })))
    }

    fn ftp(&self, request: Option<String>, receive: Option<String>) -> Probe {
        // Without a file ldirectord asks for "/", which no server sends.
        let file = request.or_else(|| receive.as_ref().map(|_| String::new()));
        let absolute = |file: String| format!("/{}", file.trim_start_matches('/'));
        let or = |text: &Option<String>, usual: &str| text.clone().unwrap_or(usual.to_owned());
        Probe::Ftp(Box::new(FtpProbe {
            login: or(&self.login, FTP_LOGIN),
            password: or(&self.passwd, &self.own_address),
            request: file.map(absolute),
            receive,
            body_limit: HttpProbe::DEFAULT_BODY_LIMIT,
        }))
    }

    fn mailbox(&self, tls: Option<Tls>) -> Box<MailboxProbe> {
        let login = self.login.clone().map(|user| (user, self.passwd.clone().unwrap_or_default()));
        let host = self.host.clone().filter(|_| tls.is_some());
        Box::new(MailboxProbe { tls, host, login })
    }

    fn ldap(&self, tls: Option<Tls>, base: Option<String>, receive: Option<String>) -> Probe {
        Probe::Ldap(Box::new(LdapProbe {
            host: self.host.clone().filter(|_| tls.is_some()),
            tls,
            // Without both ldirectord binds anonymously.
            login: self.login.clone().zip(self.passwd.clone()),
            base: filled(base).unwrap_or_default(),
            receive,
        }))
    }

    fn sql(&self, request: Option<String>) -> Result<SqlProbe, &'static str> {
        let known = self.login.clone().zip(filled(request));
        let (login, request) = known.ok_or("a database needs login and request")?;
        Ok(SqlProbe {
            login,
            password: self.passwd.clone().unwrap_or_default(),
            database: self.database.clone().unwrap_or_default(),
            request: Some(request),
        })
    }

    /// The program that asks an Oracle server, before the server's own words, and what it reads.
    pub(super) fn oracle(&self, asked: Asked) -> Result<(Vec<String>, String), &'static str> {
        let SqlProbe { login, password, database, request } = self.sql(asked.request)?;
        let argv = [ORACLE, "{address}", "{port}", &database].map(str::to_owned).to_vec();
        Ok((argv, format!("{login}\n{password}\n{}\n", request.unwrap_or_default())))
    }

    /// Warns of what the service's own words cannot do, and refuses what cannot be asked.
    pub(super) fn inspect(&self, draft: &Draft<'_>, report: &mut Report) {
        let unused = [
            (draft.request, self.speech.uses_request()),
            (draft.receive, self.speech.uses_receive()),
        ];
        for (piece, _) in unused.into_iter().filter(|(_, used)| !used) {
            if let Some(piece) = piece {
                report.warning(piece.span(), format!("{} does not use this", self.speech.name()));
            }
        }
        self.inspect_pair(draft.request, draft.receive, report);
        let http = matches!(self.speech, Speech::Http | Speech::Https);
        if let (Some(span), true) = (draft.head_method.clone(), self.receive.is_some() && http) {
            report.warning(span, "an answer to HEAD has no body: receive will never match");
        }
        if let Some(piece) = draft.request.filter(|_| http)
            && Url::parse(piece.text, self.speech.name()).is_some()
        {
            report
                .warning(piece.span(), "a full URL is appended to the real server's address")
                .hint("only a real's own request may name another server");
        }
        if let (Speech::Ftp, Some(receive), None) = (self.speech, draft.receive, draft.request) {
            report.warning(receive.span(), "without a request there is no file to match");
        }
        self.inspect_login(draft, report);
    }

    /// The same for a request and what is to be received.
    pub(super) fn inspect_pair(
        &self,
        request: Option<Piece<'_>>,
        receive: Option<Piece<'_>>,
        report: &mut Report,
    ) {
        if let Some(piece) = receive.filter(|_| self.speech.uses_receive())
            && !piece.text.is_empty()
            && let Err(mistake) = pattern::check(&piece.value())
        {
            report.error(piece.span(), format!("receive is not a usable pattern: {mistake}"));
        }
        if let Some(piece) = request.filter(|_| self.speech == Speech::Dns)
            && let Some(name) = filled(Some(piece.value()))
        {
            if !DnsProbe::is_question(&name) {
                report.error(piece.span(), "request must be a name or an address");
            } else if !name.contains(['.', ':']) {
                report.warning(piece.span(), "a name without a dot is asked for as it is").hint(
                    "write the whole name: ldirectord appends the domains that \
                         /etc/resolv.conf searches",
                );
            }
        }
    }

    fn inspect_login(&self, draft: &Draft<'_>, report: &mut Report) {
        match self.speech {
            Speech::Sip => {
                if let Some(login) = draft.login.filter(|login| !SipProbe::is_login(login.text)) {
                    report.error(login.span(), "login must be a user, or user@host");
                }
            }
            Speech::Radius => {
                let limits = [
                    (draft.login, RadiusProbe::MAX_LOGIN),
                    (draft.passwd, RadiusProbe::MAX_PASSWORD),
                ];
                for (piece, most) in limits {
                    if let Some(piece) = piece.filter(|piece| piece.value().len() > most) {
                        report.error(piece.span(), format!("radius takes at most {most} bytes"));
                    }
                }
            }
            _ => {}
        }
    }
}

/// Certificates are not verified: a check asks whether a server works.
const UNVERIFIED: Tls = Tls { verify: false, ca_file: None };

/// Shipped with directord, as `packaging/ldirectord/oracle.check`.
const ORACLE: &str = "/usr/lib/directord/oracle.check";

/// ldirectord puts a slash before every request, and takes one away where it is no path.
fn bare(request: &str) -> &str {
    request.strip_prefix('/').unwrap_or(request)
}

/// The bare request, if there is anything left of it.
fn filled(request: Option<String>) -> Option<String> {
    request.map(|text| bare(&text).to_owned()).filter(|text| !text.is_empty())
}
