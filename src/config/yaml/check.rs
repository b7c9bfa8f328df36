//! `check:` and what stands in it.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::address::{self, Host, Written};
use super::catalogue as keys;
use super::catalogue::{Kind, Section};
use super::scalar;
use super::tree::Value;
use super::walk::{Entry, Fields, Walk};
use crate::config::diagnostic::quoted;
use crate::model::{
    Between, CheckSpec, ExternalProbe, FtpProbe, HttpProbe, PingProbe, Probe, StatusRanges, Tls,
};

/// A check as far as it is written; the rest comes from the service, the defaults and the
/// catalogue.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct CheckDraft {
    pub(super) probe: Option<Probe>,
    interval: Option<Duration>,
    timeout: Option<Duration>,
    retry: Option<Duration>,
    rise: Option<u16>,
    fall: Option<u16>,
    pub(super) address: Option<IpAddr>,
    pub(super) port: Option<u16>,
    connects_between: Option<u16>,
}

// The defaults of the catalogue as values; a test holds the two together.
const INTERVAL: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(3);
const PING_COUNT: u8 = 3;

/// More than there are codes in use, and short enough to look at for every answer.
const MOST_RANGES: usize = 64;

/// In bytes. Patterns of real configurations have a few dozen.
const LONGEST_PATTERN: usize = 4096;

/// The check that the first of these drafts to say anything wants; `automatic` is done where
/// none names a probe.
pub(super) fn resolve(drafts: &[&CheckDraft], automatic: &Probe) -> CheckSpec {
    let interval = drafts.iter().find_map(|draft| draft.interval).unwrap_or(INTERVAL);
    let timeout = drafts.iter().find_map(|draft| draft.timeout).unwrap_or(TIMEOUT);
    let probe = drafts.iter().find_map(|d| d.probe.clone()).unwrap_or_else(|| automatic.clone());
    let connects = drafts.iter().find_map(|draft| draft.connects_between).unwrap_or(0);
    let between = Between { times: connects, probe: Probe::Connect, timeout };
    CheckSpec {
        between: (connects > 0 && probe.is_by_tcp()).then_some(between),
        probe,
        interval,
        retry: drafts.iter().find_map(|draft| draft.retry).unwrap_or(interval),
        timeout,
        rise: drafts.iter().find_map(|draft| draft.rise).unwrap_or(1),
        fall: drafts.iter().find_map(|draft| draft.fall).unwrap_or(1),
    }
}

/// The port a check goes to when nothing says otherwise, and 0 when it has no custom.
pub(super) fn usual_port(probe: &Probe) -> u16 {
    match probe {
        Probe::Http(http) if http.tls.is_some() => 443,
        Probe::Http(_) => 80,
        Probe::Ftp(_) => 21,
        _ => 0,
    }
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

/// The probe of a bare word.
fn bare(word: &str) -> Option<Probe> {
    let unverified = Tls { verify: false, ca_file: None };
    Some(match word {
        "ping" => ping(),
        "connect" => Probe::Connect,
        "http" => Probe::Http(Box::new(http(None))),
        "https" => Probe::Http(Box::new(http(Some(unverified)))),
        "ftp" => Probe::Ftp(Box::new(ftp())),
        "on" => Probe::On,
        "off" => Probe::Off,
        _ => return None,
    })
}

impl<'a> Walk<'a> {
    /// A check as a bare word or a mapping.
    pub(super) fn check(&mut self, entry: &Entry<'a>) -> CheckDraft {
        let section = match entry.key.kind {
            Kind::WordOr(_, section) => section,
            _ => &keys::CHECK_KEYS,
        };
        match &entry.value.value {
            Value::Mapping(_) => {
                let fields = self.fields(entry.value, section);
                fields.map(|fields| self.check_mapping(&fields)).unwrap_or_default()
            }
            Value::Scalar { text, .. } if text == "external" => {
                let hint = "write check: {external: [program, argument]}";
                self.refuse::<()>(entry, "external needs a program", hint);
                CheckDraft::default()
            }
            // Other readers of YAML take the words on and off for these, and write these for them.
            Value::Scalar { text, plain: true } if matches!(text.as_ref(), "true" | "false") => {
                let message = format!("cannot be {}", quoted(text));
                let hint = "write on (every server counts as up) or off (as down)";
                self.refuse::<()>(entry, message, hint);
                CheckDraft::default()
            }
            _ => CheckDraft { probe: self.word(entry).and_then(bare), ..CheckDraft::default() },
        }
    }

    fn check_mapping(&mut self, fields: &Fields<'a>) -> CheckDraft {
        let chosen = keys::CHECK_CHOICE.iter().find_map(|key| fields.entry(key));
        let draft = CheckDraft {
            probe: chosen.and_then(|entry| self.probe(entry)),
            interval: fields.entry(&keys::INTERVAL).and_then(|e| self.duration(e)),
            timeout: fields.entry(&keys::TIMEOUT).and_then(|e| self.duration(e)),
            retry: fields.entry(&keys::RETRY).and_then(|e| self.duration(e)),
            rise: fields.entry(&keys::RISE).and_then(|e| self.integer(e)),
            fall: fields.entry(&keys::FALL).and_then(|e| self.integer(e)),
            address: fields.entry(&keys::CHECK_ADDRESS).and_then(|e| self.check_address(e)),
            port: fields.entry(&keys::CHECK_PORT).and_then(|e| self.integer(e)),
            connects_between: fields.entry(&keys::CONNECTS_BETWEEN).and_then(|e| self.integer(e)),
        };
        if let (Some(entry), Some(probe)) = (fields.entry(&keys::CONNECTS_BETWEEN), &draft.probe)
            && !probe.is_by_tcp()
        {
            let message = format!("does not go with {}", probe.name());
            self.refuse::<()>(entry, message, "it goes with checks that talk by TCP, such as http");
        }
        if let (Some(timeout), Some(interval)) = (draft.timeout, draft.interval)
            && timeout > interval
            && let Some(entry) = fields.entry(&keys::TIMEOUT)
        {
            let (timeout, interval) =
                (scalar::duration_text(timeout), scalar::duration_text(interval));
            let message = format!("timeout {timeout} is longer than interval {interval}");
            self.findings.warning(entry.span(), message, "a probe may be out when the next is due");
        }
        draft
    }

    /// An address with nothing after it.
    fn check_address(&mut self, entry: &Entry<'a>) -> Option<IpAddr> {
        let text = self.scalar(entry)?;
        // IPv6 needs no brackets here.
        if let Ok(bare) = text.parse() {
            return self.host(Host::Address(bare), None, entry.span());
        }
        match address::parse(text) {
            Ok(Written { host, port: None }) => self.host(host, None, entry.span()),
            Ok(_) => self.refuse(entry, "is an address alone", "write port: beside it"),
            Err(wrong) => {
                self.findings.error(entry.span(), wrong.message, wrong.hint);
                None
            }
        }
    }

    fn probe(&mut self, entry: &Entry<'a>) -> Option<Probe> {
        if let Kind::ArgvOr(section) = entry.key.kind {
            return self.external(entry, section);
        }
        if self.is_bare(entry) {
            return bare(entry.key.name);
        }
        let Kind::Options(section) = entry.key.kind else {
            let name = entry.key.name;
            return self.refuse(entry, "takes no options", format!("write {name}: true"));
        };
        if !matches!(entry.value.value, Value::Mapping(_)) {
            let hint = super::walk::example(entry.key);
            return self.refuse(entry, "takes its options as a mapping", hint);
        }
        let fields = self.fields(entry.value, section)?;
        Some(match bare(entry.key.name)? {
            Probe::Http(probe) => Probe::Http(Box::new(self.http(&fields, *probe))),
            Probe::Ftp(probe) => Probe::Ftp(Box::new(self.ftp(&fields, *probe))),
            _ => {
                let count = fields.entry(&keys::PING_COUNT).and_then(|e| self.integer(e));
                Probe::Ping(PingProbe { count: count.unwrap_or(PING_COUNT) })
            }
        })
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
        probe.login = self.login(fields);
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
        tls.verify = fields.entry(&keys::VERIFY).and_then(|e| self.flag(e)).unwrap_or(false);
        let Some(entry) = fields.entry(&keys::CA_FILE) else { return };
        tls.ca_file = self.line(entry).map(str::to_owned);
        if tls.ca_file.as_ref().is_some_and(|path| !path.starts_with('/')) {
            self.refuse::<()>(entry, "is a path from the root", "begin it with \"/\"");
        } else if !tls.verify {
            let message = "ca_file has no effect while certificates are not verified";
            self.findings.warning(entry.span(), message, "write verify: true");
        }
    }

    fn login(&mut self, fields: &Fields<'a>) -> Option<(String, String)> {
        let password = fields.entry(&keys::PASSWORD);
        let Some(login) = fields.entry(&keys::LOGIN) else {
            if let Some(password) = password {
                self.refuse::<()>(password, "needs a login", "write login: NAME beside it");
            }
            return None;
        };
        let user = self.line(login);
        let password = password.and_then(|e| self.line(e)).unwrap_or_default();
        let user = user?;
        if user.contains(':') {
            return self.refuse(login, "cannot have a colon in it", "");
        }
        Some((user.to_owned(), password.to_owned()))
    }

    fn ftp(&mut self, fields: &Fields<'a>, mut probe: FtpProbe) -> FtpProbe {
        let mut text = |key| fields.entry(key).and_then(|e| self.line(e)).map(str::to_owned);
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
        let argv = match &entry.value.value {
            Value::Mapping(_) => {
                let fields = self.fields(entry.value, section)?;
                let command = fields.entry(&keys::COMMAND)?;
                self.argv(command)?
            }
            _ => self.argv(entry)?,
        };
        let external = ExternalProbe { argv, virtual_address: String::new(), virtual_port: 0 };
        Some(Probe::External(Box::new(external)))
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
            argv.push(word.to_owned());
        }
        Some(argv)
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
            false => self.refuse(entry, "is a word like GET, HEAD or POST", ""),
        }
    }

    fn host_header(&mut self, entry: &Entry<'a>) -> Option<String> {
        let host = self.line(entry)?;
        match host.len() <= 260 && host.bytes().all(|b| b.is_ascii_graphic() && b != b'/') {
            true => Some(host.to_owned()),
            false => self.refuse(entry, "is a host name", "write for example www.example.com"),
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

    /// The one value in memory for this check in this file.
    pub(super) fn shared(&mut self, check: CheckSpec) -> Arc<CheckSpec> {
        if let Some(known) = self.checks.get(&check) {
            return known.clone();
        }
        let shared = Arc::new(check.clone());
        self.checks.insert(check, shared.clone());
        shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_of_the_catalogue() {
        let said = |key: &keys::Key| scalar::duration(key.default.unwrap_or_default());
        assert_eq!(said(&keys::INTERVAL), Some(INTERVAL));
        assert_eq!(said(&keys::TIMEOUT), Some(TIMEOUT));
        let number = |key: &keys::Key| scalar::integer(key.default.unwrap_or_default());
        assert_eq!(number(&keys::PING_COUNT), Some(PING_COUNT.into()));
        let size = scalar::size(keys::BODY_LIMIT.default.unwrap_or_default());
        assert_eq!(size, Some(HttpProbe::DEFAULT_BODY_LIMIT.into()));
        let spec = resolve(&[], &Probe::Connect);
        assert_eq!(number(&keys::RISE), Some(spec.rise.into()));
        assert_eq!(number(&keys::FALL), Some(spec.fall.into()));
        let web = http(None);
        assert_eq!(keys::METHOD.default, Some(web.method.as_str()));
        assert_eq!(keys::REQUEST.default, Some(web.path.as_str()));
        assert_eq!(keys::STATUS.default, Some(web.status.to_string().as_str()));
        assert_eq!(keys::FTP_LOGIN.default, Some(ftp().login.as_str()));
        assert_eq!(keys::FTP_PASSWORD.default, Some(ftp().password.as_str()));
    }
}
