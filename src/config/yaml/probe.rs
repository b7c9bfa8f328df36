//! What each kind of check asks: the options below its name.

use std::ops::RangeInclusive;

use super::catalogue as keys;
use super::catalogue::{Key, Kind, Section};
use super::scalar;
use super::tree::Value;
use super::walk::{Entry, Fields, Walk};
use crate::config::diagnostic::quoted;
use crate::model::{
    DnsProbe, ExternalProbe, FtpProbe, HttpProbe, LdapProbe, MailboxProbe, PingProbe, Probe,
    RadiusProbe, SipProbe, SqlProbe, StatusRanges, TcpProbe, Tls, Transport,
};

const PING_COUNT: u8 = 3;

/// More than there are codes in use, and short enough to look at for every answer.
const MOST_RANGES: usize = 64;

/// In bytes. Patterns of real configurations have a few dozen.
const LONGEST_PATTERN: usize = 4096;

/// In bytes, of what is sent or handed to a program.
const LONGEST_TEXT: usize = ExternalProbe::MAX_INPUT;

/// The port a check goes to when nothing says otherwise, and 0 when it has no custom.
pub(super) fn usual_port(probe: &Probe) -> u16 {
    match probe {
        Probe::On | Probe::Off | Probe::AsFound | Probe::Ping(_) | Probe::Connect => 0,
        Probe::Associate | Probe::Tcp(_) | Probe::External(_) | Probe::Watched(_) => 0,
        Probe::Http(http) => by_tls(&http.tls, 80, 443),
        Probe::Ftp(_) => 21,
        Probe::Smtp => 25,
        Probe::Pop(pop) => by_tls(&pop.tls, 110, 995),
        Probe::Imap(imap) => by_tls(&imap.tls, 143, 993),
        Probe::Nntp => 119,
        Probe::Sip(_) => 5060,
        Probe::Dns(_) => 53,
        Probe::Radius(_) => 1812,
        Probe::Ldap(ldap) => by_tls(&ldap.tls, 389, 636),
        Probe::Mysql(_) => 3306,
        Probe::Pgsql(_) => 5432,
    }
}

/// The first word in braces that nothing is put in the place of.
fn unknown_place(word: &str) -> Option<&str> {
    let is_name = |c: char| c.is_ascii_alphabetic() || c == '_';
    word.match_indices('{').find_map(|(at, _)| {
        let end = at + word[at..].find('}')?;
        let (name, place) = (&word[at + 1..end], &word[at..=end]);
        let is_unknown = !name.is_empty() && name.chars().all(is_name);
        (is_unknown && !ExternalProbe::PLACES.contains(&place)).then_some(place)
    })
}

fn by_tls(tls: &Option<Tls>, clear: u16, encrypted: u16) -> u16 {
    if tls.is_some() { encrypted } else { clear }
}

pub(super) fn ping() -> Probe {
    Probe::Ping(PingProbe { count: PING_COUNT })
}

fn http(tls: Option<Tls>) -> HttpProbe {
    HttpProbe {
        tls,
        method: "GET".into(),
        path: "/".into(),
        host: None,
        status: StatusRanges::default(),
        receive: None,
        body_limit: HttpProbe::DEFAULT_BODY_LIMIT,
        redirects: 0,
        login: None,
    }
}

fn ftp() -> FtpProbe {
    FtpProbe {
        login: "anonymous".into(),
        password: "directord@".into(),
        request: None,
        receive: None,
        body_limit: HttpProbe::DEFAULT_BODY_LIMIT,
    }
}

/// The probe of a key without options.
pub(super) fn bare(key: &str) -> Option<Probe> {
    let unverified = Tls { verify: false, ca_file: None };
    let mailbox = |tls| Box::new(MailboxProbe { tls, host: None, login: None });
    let ldap = |tls| {
        let base = String::new();
        Probe::Ldap(Box::new(LdapProbe { tls, host: None, login: None, base, receive: None }))
    };
    Some(match key {
        "ping" => ping(),
        "connect" => Probe::Connect,
        "http" => Probe::Http(Box::new(http(None))),
        "https" => Probe::Http(Box::new(http(Some(unverified)))),
        "ftp" => Probe::Ftp(Box::new(ftp())),
        "smtp" => Probe::Smtp,
        "pop" => Probe::Pop(mailbox(None)),
        "pops" => Probe::Pop(mailbox(Some(unverified))),
        "imap" => Probe::Imap(mailbox(None)),
        "imaps" => Probe::Imap(mailbox(Some(unverified))),
        "nntp" => Probe::Nntp,
        "sip" => {
            let login = String::new();
            Probe::Sip(Box::new(SipProbe { login, transport: Transport::Udp }))
        }
        "tcp" => {
            let body_limit = HttpProbe::DEFAULT_BODY_LIMIT;
            Probe::Tcp(Box::new(TcpProbe { request: None, receive: None, body_limit }))
        }
        "ldap" => ldap(None),
        "ldaps" => ldap(Some(unverified)),
        "on" => Probe::On,
        "off" => Probe::Off,
        "as_found" => Probe::AsFound,
        _ => return None,
    })
}

impl<'a> Walk<'a> {
    /// The kind of check that a key names, and its options.
    pub(super) fn probe(&mut self, entry: &Entry<'a>) -> Option<Probe> {
        let section = match entry.key.kind {
            Kind::ArgvOr(section) => return self.external(entry, section),
            Kind::Options(_) | Kind::Nothing if self.is_bare(entry) => {
                return bare(entry.key.name);
            }
            Kind::Options(section) | Kind::Mapping(section) => section,
            _ => {
                let name = entry.key.name;
                return self.refuse(entry, "takes no options", format!("write {name}: true"));
            }
        };
        if !matches!(entry.value.value, Value::Mapping(_)) {
            let hint = super::walk::example(entry.key);
            return self.refuse(entry, "takes its options as a mapping", hint);
        }
        let fields = self.fields(entry.value, section)?;
        match entry.key.name {
            "dns" => self.dns(&fields),
            "radius" => self.radius(&fields),
            "mysql" => Some(Probe::Mysql(Box::new(self.sql(&fields)?))),
            "pgsql" => Some(Probe::Pgsql(Box::new(self.sql(&fields)?))),
            name => Some(self.options(&fields, bare(name)?)),
        }
    }

    /// A probe that needs no options, with those it was given.
    fn options(&mut self, fields: &Fields<'a>, probe: Probe) -> Probe {
        match probe {
            Probe::Ping(PingProbe { count }) => {
                let written = fields.entry(&keys::PING_COUNT).and_then(|e| self.integer(e));
                Probe::Ping(PingProbe { count: written.unwrap_or(count) })
            }
            Probe::Http(probe) => Probe::Http(Box::new(self.http(fields, *probe))),
            Probe::Ftp(probe) => Probe::Ftp(Box::new(self.ftp(fields, *probe))),
            Probe::Pop(probe) => Probe::Pop(Box::new(self.mailbox(fields, *probe))),
            Probe::Imap(probe) => Probe::Imap(Box::new(self.mailbox(fields, *probe))),
            Probe::Sip(_) => self.sip(fields),
            Probe::Tcp(probe) => self.tcp(fields, *probe),
            Probe::Ldap(probe) => self.ldap(fields, *probe),
            other => other,
        }
    }

    fn http(&mut self, fields: &Fields<'a>, mut probe: HttpProbe) -> HttpProbe {
        if let Some(path) = fields.entry(&keys::REQUEST).and_then(|e| self.path(e)) {
            probe.path = path;
        }
        if let Some(method) = fields.entry(&keys::METHOD).and_then(|e| self.method(e)) {
            probe.method = method;
        }
        if let Some(status) = fields.entry(&keys::STATUS).and_then(|e| self.status(e)) {
            probe.status = status;
        }
        if let Some(limit) = fields.entry(&keys::BODY_LIMIT).and_then(|e| self.size(e)) {
            probe.body_limit = limit;
        }
        if let Some(redirects) = fields.entry(&keys::REDIRECTS).and_then(|e| self.integer(e)) {
            probe.redirects = redirects;
        }
        probe.host = fields.entry(&keys::HOST).and_then(|e| self.host_header(e));
        probe.receive = fields.entry(&keys::RECEIVE).and_then(|e| self.pattern(e));
        probe.login = self.login(fields, &keys::LOGIN);
        if let (Some((user, _)), Some(entry)) = (&probe.login, fields.entry(&keys::LOGIN))
            && user.contains(':')
        {
            self.refuse::<()>(entry, "cannot have a colon in it", "");
            probe.login = None;
        }
        if let Some(tls) = &mut probe.tls {
            self.tls(fields, tls);
        }
        if let Some(entry) = fields.entry(&keys::RECEIVE).filter(|_| probe.method == "HEAD") {
            let message = "the answer to HEAD has no body that \"receive\" could match";
            self.findings.warning(entry.span(), message, "write method: GET");
        }
        probe
    }

    fn tls(&mut self, fields: &Fields<'a>, tls: &mut Tls) {
        let verify = fields.entry(&keys::VERIFY).or(fields.entry(&keys::SERVER_VERIFY));
        tls.verify = verify.and_then(|e| self.flag(e)).unwrap_or(false);
        let Some(entry) = fields.entry(&keys::CA_FILE) else { return };
        tls.ca_file = self.line(entry).map(str::to_owned);
        if tls.ca_file.as_ref().is_some_and(|path| !path.starts_with('/')) {
            self.refuse::<()>(entry, "is a path from the root", "begin it with \"/\"");
        } else if !tls.verify {
            let message = "ca_file has no effect while certificates are not verified";
            self.findings.warning(entry.span(), message, "write verify: true");
        }
    }

    /// A login that may be left out, and its password.
    fn login(&mut self, fields: &Fields<'a>, key: &'static Key) -> Option<(String, String)> {
        let password = fields.entry(&keys::PASSWORD);
        let Some(login) = fields.entry(key) else {
            if let Some(password) = password {
                self.refuse::<()>(password, "needs a login", "write login: NAME beside it");
            }
            return None;
        };
        let user = self.line(login);
        let password = password.and_then(|e| self.line(e)).unwrap_or_default();
        Some((user?.to_owned(), password.to_owned()))
    }

    /// The value of a key, if there is one and it stands on a line.
    fn maybe_line(&mut self, fields: &Fields<'a>, key: &'static Key) -> Option<String> {
        fields.entry(key).and_then(|e| self.line(e)).map(str::to_owned)
    }

    fn mailbox(&mut self, fields: &Fields<'a>, mut probe: MailboxProbe) -> MailboxProbe {
        probe.login = self.login(fields, &keys::LOGIN);
        probe.host = fields.entry(&keys::SERVER_NAME).and_then(|e| self.server_name(e));
        if let Some(tls) = &mut probe.tls {
            self.tls(fields, tls);
        }
        probe
    }

    fn sip(&mut self, fields: &Fields<'a>) -> Probe {
        let login = fields.entry(&keys::SIP_LOGIN).and_then(|entry| {
            let login = self.line(entry)?;
            match SipProbe::is_login(login) {
                true => Some(login.to_owned()),
                false => self.refuse(entry, "is a user, or user@host, without blanks", ""),
            }
        });
        let transport = self.transport(fields);
        Probe::Sip(Box::new(SipProbe { login: login.unwrap_or_default(), transport }))
    }

    fn transport(&mut self, fields: &Fields<'a>) -> Transport {
        match fields.entry(&keys::BY_TCP).and_then(|e| self.flag(e)) {
            Some(true) => Transport::Tcp,
            Some(false) | None => Transport::Udp,
        }
    }

    fn tcp(&mut self, fields: &Fields<'a>, mut probe: TcpProbe) -> Probe {
        probe.request = fields.entry(&keys::TCP_REQUEST).and_then(|e| self.lines(e));
        probe.receive = fields.entry(&keys::LINE_RECEIVE).and_then(|e| self.pattern(e));
        if let Some(limit) = fields.entry(&keys::BODY_LIMIT).and_then(|e| self.size(e)) {
            probe.body_limit = limit;
        }
        Probe::Tcp(Box::new(probe))
    }

    fn dns(&mut self, fields: &Fields<'a>) -> Option<Probe> {
        let receive = fields.entry(&keys::RECORD_RECEIVE).and_then(|e| self.pattern(e));
        let transport = self.transport(fields);
        let entry = fields.entry(&keys::DNS_REQUEST)?;
        let request = self.line(entry)?.to_owned();
        if !DnsProbe::is_question(&request) {
            let hint = "parts of 1 to 63 letters with dots between them, 253 in all";
            return self.refuse(entry, "is a name or an address", hint);
        }
        Some(Probe::Dns(Box::new(DnsProbe { request, receive, transport })))
    }

    fn radius(&mut self, fields: &Fields<'a>) -> Option<Probe> {
        let mut short = |key, most: usize| {
            let entry = fields.entry(key)?;
            let text = self.line(entry)?;
            match text.len() <= most {
                true => Some(text.to_owned()),
                false => self.refuse(entry, format!("is longer than {most} bytes"), ""),
            }
        };
        let login = short(&keys::LOGIN, RadiusProbe::MAX_LOGIN);
        let password = short(&keys::PASSWORD, RadiusProbe::MAX_PASSWORD).unwrap_or_default();
        let secret = self.maybe_line(fields, &keys::SECRET);
        Some(Probe::Radius(Box::new(RadiusProbe { login: login?, password, secret: secret? })))
    }

    fn ldap(&mut self, fields: &Fields<'a>, mut probe: LdapProbe) -> Probe {
        probe.base = self.maybe_line(fields, &keys::BASE).unwrap_or_default();
        probe.login = self.login(fields, &keys::LDAP_LOGIN);
        // A bind with a name and no password asks for nothing (RFC 4513 section 5.1.2): servers
        // refuse it, or let anybody in.
        if let (Some(entry), None) =
            (fields.entry(&keys::LDAP_LOGIN), fields.entry(&keys::PASSWORD))
        {
            let hint = "write password: PASSWORD beside it, or leave both out";
            self.refuse::<()>(entry, "needs a password", hint);
        }
        probe.receive = fields.entry(&keys::ENTRY_RECEIVE).and_then(|e| self.pattern(e));
        probe.host = fields.entry(&keys::SERVER_NAME).and_then(|e| self.server_name(e));
        if let Some(tls) = &mut probe.tls {
            self.tls(fields, tls);
        }
        Probe::Ldap(Box::new(probe))
    }

    fn sql(&mut self, fields: &Fields<'a>) -> Option<SqlProbe> {
        let mut text = |key| self.maybe_line(fields, key);
        let login = text(&keys::LOGIN);
        let (password, database) = (text(&keys::PASSWORD), text(&keys::DATABASE));
        let request = text(&keys::SQL_REQUEST);
        Some(SqlProbe {
            login: login?,
            password: password.unwrap_or_default(),
            database: database.unwrap_or_default(),
            request,
        })
    }

    fn ftp(&mut self, fields: &Fields<'a>, mut probe: FtpProbe) -> FtpProbe {
        let mut text = |key| self.maybe_line(fields, key);
        probe.request = text(&keys::FTP_REQUEST);
        if let Some(login) = text(&keys::FTP_LOGIN) {
            probe.login = login;
        }
        if let Some(password) = text(&keys::FTP_PASSWORD) {
            probe.password = password;
        }
        if let Some(limit) = fields.entry(&keys::BODY_LIMIT).and_then(|e| self.size(e)) {
            probe.body_limit = limit;
        }
        probe.receive = fields.entry(&keys::RECEIVE).and_then(|e| self.pattern(e));
        if let Some(entry) = fields.entry(&keys::RECEIVE)
            && !fields.has(&keys::FTP_REQUEST)
        {
            self.refuse::<()>(entry, "needs a file to look in", "write request: FILE beside it");
        }
        probe
    }

    fn external(&mut self, entry: &Entry<'a>, section: &'static Section) -> Option<Probe> {
        let (argv, input) = match &entry.value.value {
            Value::Mapping(_) => {
                let fields = self.fields(entry.value, section)?;
                let input = fields.entry(&keys::COMMAND_INPUT).and_then(|e| self.lines(e));
                (self.argv(fields.entry(&keys::COMMAND)?)?, input)
            }
            _ => (self.argv(entry)?, None),
        };
        // Of which service is filled in where that is known.
        let (virtual_address, virtual_port) = (String::new(), 0);
        let probe = ExternalProbe { argv, input, virtual_address, virtual_port };
        Some(Probe::External(Box::new(probe)))
    }

    fn argv(&mut self, entry: &Entry<'a>) -> Option<Vec<String>> {
        const MOST: usize = 256;
        let Value::List(items) = &entry.value.value else {
            let hint = match &entry.value.value {
                Value::Scalar { text, .. } if !entry.value.is_null() => {
                    let words: Vec<_> = text.split_whitespace().take(8).map(quoted).collect();
                    format!("write [{}]: no shell is there to take a line apart", words.join(", "))
                }
                _ => super::walk::example(entry.key),
            };
            return self.refuse(entry, "is a list: the program and its arguments", hint);
        };
        if items.is_empty() || items.len() > MOST {
            let hint = super::walk::example(entry.key);
            return self.refuse(entry, format!("has 1 to {MOST} words"), hint);
        }
        let mut argv = Vec::with_capacity(items.len());
        for item in items {
            let entry = entry.item(self.node(*item));
            let word = self.scalar(&entry)?;
            if word.contains('\0') || (argv.is_empty() && word.is_empty()) {
                return self.refuse(&entry, "has a word that cannot be run", "");
            }
            if let Some(unknown) = unknown_place(word) {
                let message = format!("{unknown} is passed as it is written");
                let hint = format!("filled in are {}", ExternalProbe::PLACES.join(", "));
                self.findings.warning(entry.span(), message, hint);
            }
            argv.push(word.to_owned());
        }
        Some(argv)
    }

    /// Text that goes out as it is, line breaks and all.
    fn lines(&mut self, entry: &Entry<'a>) -> Option<String> {
        let text = self.scalar(entry)?;
        match text.len() {
            // To send nothing and say so is a request as well.
            0..=LONGEST_TEXT => Some(text.to_owned()),
            _ => self.refuse(entry, format!("is longer than {LONGEST_TEXT} bytes"), ""),
        }
    }

    /// The request line takes visible ASCII only: the rest is percent-encoded, so that nothing
    /// in a file can end the line.
    fn path(&mut self, entry: &Entry<'a>) -> Option<String> {
        let text = self.line(entry)?;
        let absolute = text.starts_with("http://") || text.starts_with("https://");
        let mut path = String::with_capacity(text.len() + 1);
        if !absolute && !text.starts_with('/') {
            path.push('/');
        }
        for byte in text.bytes() {
            match byte {
                0x21..=0x7e => path.push(char::from(byte)),
                _ => path.push_str(&format!("%{byte:02X}")),
            }
        }
        Some(path)
    }

    fn method(&mut self, entry: &Entry<'a>) -> Option<String> {
        let method = self.line(entry)?.to_ascii_uppercase();
        let clean = |b: u8| b.is_ascii_uppercase() || b == b'-';
        match method.len() <= 32 && method.bytes().all(clean) {
            true => Some(method),
            false => self.refuse(entry, "is a word like GET, HEAD or POST", "write method: GET"),
        }
    }

    fn host_header(&mut self, entry: &Entry<'a>) -> Option<String> {
        let host = self.line(entry)?;
        match host.len() <= 260 && host.bytes().all(|b| b.is_ascii_graphic() && b != b'/') {
            true => Some(host.to_owned()),
            false => self.refuse(entry, "is a host name", "write for example www.example.com"),
        }
    }

    /// What a certificate can be for.
    fn server_name(&mut self, entry: &Entry<'a>) -> Option<String> {
        let name = self.line(entry)?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._:".contains(&b);
        match name.len() <= 253 && name.bytes().all(plain) {
            true => Some(name.to_owned()),
            false => self.refuse(entry, "is a host name", "write for example mail.example.com"),
        }
    }

    fn pattern(&mut self, entry: &Entry<'a>) -> Option<String> {
        let pattern = self.scalar(entry)?;
        if pattern.len() > LONGEST_PATTERN {
            return self.refuse(entry, format!("is longer than {LONGEST_PATTERN} bytes"), "");
        }
        match crate::pattern::check(pattern) {
            Ok(()) => Some(pattern.to_owned()),
            Err(why) => {
                let hint = "put a \"\\\" before a character that stands for itself";
                self.refuse(entry, format!("is not a regular expression: {why}"), hint)
            }
        }
    }

    fn status(&mut self, entry: &Entry<'a>) -> Option<StatusRanges> {
        let items = match &entry.value.value {
            Value::List(items) => items.iter().map(|item| entry.item(self.node(*item))).collect(),
            _ => vec![entry.clone()],
        };
        if items.len() > MOST_RANGES {
            return self.refuse(entry, format!("has at most {MOST_RANGES} ranges"), "");
        }
        let parts: Vec<_> = items.iter().map(|entry| self.status_range(entry)).collect();
        let ranges: Option<Vec<_>> = parts.into_iter().collect();
        let status = StatusRanges::new(ranges?.concat());
        if status.is_none() {
            return self.refuse(entry, "names no code", super::walk::example(entry.key));
        }
        status
    }

    fn status_range(&mut self, entry: &Entry<'a>) -> Option<Vec<RangeInclusive<u16>>> {
        let text = self.scalar(entry)?;
        let Some(part) = scalar::status(text) else {
            let message = format!("is a code or a range of codes, not {}", quoted(text));
            return self.refuse(entry, message, super::walk::example(entry.key));
        };
        if StatusRanges::new(part.clone()).is_none() {
            let hint = "codes go from 100 to 599, the lower first";
            return self.refuse(entry, format!("cannot be {}", quoted(text)), hint);
        }
        Some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_of_the_catalogue() {
        let number = |key: &Key| scalar::integer(key.default.unwrap_or_default());
        assert_eq!(number(&keys::PING_COUNT), Some(PING_COUNT.into()));
        let size = scalar::size(keys::BODY_LIMIT.default.unwrap_or_default());
        assert_eq!(size, Some(HttpProbe::DEFAULT_BODY_LIMIT.into()));
        let web = http(None);
        assert_eq!(keys::METHOD.default, Some(web.method.as_str()));
        assert_eq!(keys::REQUEST.default, Some(web.path.as_str()));
        assert_eq!(keys::STATUS.default, Some(web.status.to_string().as_str()));
        assert_eq!(keys::FTP_LOGIN.default, Some(ftp().login.as_str()));
        assert_eq!(keys::FTP_PASSWORD.default, Some(ftp().password.as_str()));
    }

    #[test]
    fn checks_without_options_are_those_that_need_none() {
        for key in keys::CHECK_CHOICE {
            let word = keys::BARE_CHECKS.contains(&key.name);
            assert_eq!(bare(key.name).map(|probe| probe.name()), word.then_some(key.name));
            let optional = matches!(key.kind, Kind::Options(_) | Kind::Nothing);
            assert_eq!(word, optional, "{}", key.name);
        }
    }
}
