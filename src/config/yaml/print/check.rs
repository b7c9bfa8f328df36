//! Checks written in the native dialect: one for the service, and what a server has of its own.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use super::{Row, Topic, text};
use crate::config::yaml::probe::usual_port;
use crate::config::yaml::scalar::duration_text;
use crate::model::{
    CheckSpec, DnsProbe, Endpoint, ExternalProbe, FtpProbe, HttpProbe, LdapProbe, MailboxProbe,
    PingProbe, Probe, RadiusProbe, RealServer, SipProbe, SqlProbe, StatusRanges, TcpProbe, Tls,
    Transport,
};

/// What the service says about checks: what most of its servers want.
pub(super) struct Common {
    spec: CheckSpec,
    target: Target,
}

/// Where a check goes, as far as it has to be said.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Target {
    address: Option<IpAddr>,
    port: Option<u16>,
}

impl Common {
    /// `None` where there is nothing to check.
    pub(super) fn of(servers: &[RealServer]) -> Option<Common> {
        let mut found: HashMap<&CheckSpec, usize> = HashMap::new();
        servers.iter().for_each(|server| *found.entry(&server.check).or_default() += 1);
        // Of equally many rather one that asks the server itself, as written.
        let nothing = Target::default();
        let fits = |server: &RealServer| {
            let itself = nothing.missing(server, written_port(server)) == nothing;
            (found[&*server.check], itself)
        };
        let most = servers.iter().map(fits).max()?;
        let first = servers.iter().find(|server| fits(server) == most)?;
        let alike = || servers.iter().filter(|server| server.check == first.check);
        // A target is the service's when all of them go there and one of them has to say so.
        let needed = alike().map(|server| nothing.missing(server, written_port(server)));
        let needed = needed.reduce(|one, other| Target {
            address: one.address.or(other.address),
            port: one.port.or(other.port),
        });
        let needed = needed.unwrap_or_default();
        let all = |holds: &dyn Fn(Endpoint) -> bool| alike().all(|s| holds(s.check_endpoint));
        let target = Target {
            address: needed.address.filter(|address| all(&|at| at.address == *address)),
            port: needed.port.filter(|port| all(&|at| at.port == *port)),
        };
        Some(Common { spec: (*first.check).clone(), target })
    }

    pub(super) fn rows(&self) -> Vec<Row> {
        rows(&self.spec, self.target, None, 0, &Topic::Check)
    }

    /// What a server written with this port says for itself; nothing if the service's will do.
    pub(super) fn differing(&self, server: &RealServer, port: u16, topic: Topic) -> Vec<Row> {
        let missing = self.target.missing(server, port);
        if *server.check == self.spec && missing == Target::default() {
            return Vec::new();
        }
        rows(&server.check, missing, Some(&self.spec), 2, &|_| topic)
    }
}

/// The port to write a server with: one that was left out is the service's.
pub(super) fn written_port(server: &RealServer) -> u16 {
    match server.written_port {
        0 => server.endpoint.port,
        port => port,
    }
}

impl Target {
    /// What a server written with this port must say to be checked where it is, when this is said
    /// already.
    fn missing(self, server: &RealServer, port: u16) -> Target {
        let probe = &server.check.probe;
        let port = if port == 0 { usual_port(probe) } else { port };
        let found = probe.aim(Endpoint::new(
            self.address.unwrap_or(server.endpoint.address),
            self.port.unwrap_or(port),
        ));
        let at = server.check_endpoint;
        Target {
            address: Some(at.address).filter(|address| *address != found.address),
            // There is no word for none.
            port: Some(at.port).filter(|port| *port != found.port && *port != 0),
        }
    }

    fn options(self) -> impl Iterator<Item = (&'static str, String)> {
        let address = self.address.map(|address| ("address", text::address(&address.to_string())));
        let port = self.port.map(|port| ("port", port.to_string()));
        address.into_iter().chain(port)
    }
}

/// `check:` and all below it. What is `inherited` need not be said again.
fn rows(
    spec: &CheckSpec,
    target: Target,
    inherited: Option<&CheckSpec>,
    depth: usize,
    topic: &dyn Fn(&'static str) -> Topic,
) -> Vec<Row> {
    let head = |text| Row { topic: topic("check"), depth, text };
    if !spec.probe.asks() {
        // How often nothing is asked, and where, makes no difference.
        return vec![head(format!("check: {}", spec.probe.name()))];
    }
    let mut rows = vec![head("check:".into())];
    let mut add = |name: &'static str, value: &str| {
        rows.push(option(topic(name), depth + 1, name, value));
    };
    let options = match &spec.probe {
        Probe::External(external) if external.input.is_none() => {
            add("external", &text::list(external.argv.iter().map(String::as_str)));
            None
        }
        probe => Some(options(probe)),
    };
    if let Some(options) = options {
        match options.is_empty() {
            true => add(spec.probe.name(), "true"),
            false => {
                let text = format!("{}:", spec.probe.name());
                rows.push(Row { topic: topic("check"), depth: depth + 1, text });
                let below = |(name, value): (&'static str, String)| {
                    option(topic(name), depth + 2, name, &value)
                };
                rows.extend(options.into_iter().map(below));
            }
        }
    }
    // Only what talks by TCP has any, and only what talks by TCP inherits them.
    let times = |spec: &CheckSpec| spec.between.as_ref().map_or(0, |between| between.times);
    let said = spec.probe.is_by_tcp() && times(spec) != inherited.map_or(0, times);
    let between = said.then(|| ("connects_between", times(spec).to_string()));
    let rest = timing(spec, inherited).into_iter().chain(between).chain(target.options());
    rows.extend(rest.map(|(name, value)| option(topic(name), depth + 1, name, &value)));
    rows
}

fn option(topic: Topic, depth: usize, name: &'static str, value: &str) -> Row {
    Row { topic, depth, text: format!("{name}: {value}") }
}

/// How often, how long, how many times.
fn timing(spec: &CheckSpec, inherited: Option<&CheckSpec>) -> Vec<(&'static str, String)> {
    let CheckSpec { probe: _, interval, retry, timeout, rise, fall, between: _ } = spec;
    let mut said = Vec::new();
    let mut say = |name, duration: &Duration| said.push((name, duration_text(*duration)));
    if inherited.is_none_or(|from| from.interval != *interval) {
        say("interval", interval);
    }
    if inherited.is_none_or(|from| from.timeout != *timeout) {
        say("timeout", timeout);
    }
    // Where it is not said it is the interval.
    let usual = inherited.filter(|from| from.retry != from.interval).map(|from| from.retry);
    if *retry != usual.unwrap_or(*interval) {
        say("retry", retry);
    }
    if *rise != inherited.map_or(1, |from| from.rise) {
        said.push(("rise", rise.to_string()));
    }
    // Written even when it is the usual 1: it is what people look for.
    if inherited.is_none_or(|from| from.fall != *fall) {
        said.push(("fall", fall.to_string()));
    }
    said
}

/// A probe's own keys, as far as they differ from what holds without them.
#[derive(Default)]
struct Options(Vec<(&'static str, String)>);

impl Options {
    fn text(mut self, name: &'static str, value: &str) -> Options {
        self.0.push((name, text::text(value)));
        self
    }

    fn maybe(self, name: &'static str, value: Option<&String>) -> Options {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    /// Unless it is empty.
    fn filled(self, name: &'static str, value: &String) -> Options {
        self.maybe(name, Some(value).filter(|value| !value.is_empty()))
    }

    fn list(mut self, name: &'static str, words: &[String]) -> Options {
        self.0.push((name, text::list(words.iter().map(String::as_str))));
        self
    }

    fn number(mut self, name: &'static str, value: u64, usual: u64) -> Options {
        if value != usual {
            self.0.push((name, value.to_string()));
        }
        self
    }

    fn flag(mut self, name: &'static str, value: bool) -> Options {
        if value {
            self.0.push((name, "true".into()));
        }
        self
    }

    fn login(self, login: Option<&(String, String)>) -> Options {
        match login {
            Some((user, password)) => self.text("login", user).filled("password", password),
            None => self,
        }
    }

    fn tls(self, tls: Option<&Tls>) -> Options {
        match tls {
            Some(Tls { verify, ca_file }) => {
                self.flag("verify", *verify).maybe("ca_file", ca_file.as_ref())
            }
            None => self,
        }
    }

    fn body_limit(self, bytes: u32) -> Options {
        self.number("body_limit", bytes.into(), HttpProbe::DEFAULT_BODY_LIMIT.into())
    }
}

fn options(probe: &Probe) -> Vec<(&'static str, String)> {
    let none = Options::default();
    let options = match probe {
        Probe::On | Probe::Off | Probe::AsFound | Probe::Watched(_) => none,
        Probe::Connect | Probe::Associate | Probe::Smtp | Probe::Nntp => none,
        Probe::External(external) => {
            let ExternalProbe { argv, input, virtual_address: _, virtual_port: _ } = &**external;
            none.list("command", argv).maybe("input", input.as_ref())
        }
        // Whatever the usual number is, it is one to read.
        Probe::Ping(PingProbe { count }) => none.number("count", (*count).into(), 0),
        Probe::Http(http) => self::http(http),
        Probe::Ftp(ftp) => {
            let FtpProbe { login, password, request, receive, body_limit } = &**ftp;
            let known = none.text("login", login).text("password", password);
            let file = known.maybe("request", request.as_ref());
            file.maybe("receive", receive.as_ref()).body_limit(*body_limit)
        }
        Probe::Pop(mailbox) | Probe::Imap(mailbox) => {
            let MailboxProbe { tls, host, login } = &**mailbox;
            none.login(login.as_ref()).maybe("host", host.as_ref()).tls(tls.as_ref())
        }
        Probe::Sip(sip) => {
            let SipProbe { login, transport } = &**sip;
            none.filled("login", login).flag("tcp", *transport == Transport::Tcp)
        }
        Probe::Tcp(tcp) => {
            let TcpProbe { request, receive, body_limit } = &**tcp;
            let words = none.maybe("request", request.as_ref());
            words.maybe("receive", receive.as_ref()).body_limit(*body_limit)
        }
        Probe::Dns(dns) => {
            let DnsProbe { request, receive, transport } = &**dns;
            let asked = none.text("request", request).maybe("receive", receive.as_ref());
            asked.flag("tcp", *transport == Transport::Tcp)
        }
        Probe::Radius(radius) => {
            let RadiusProbe { login, password, secret } = &**radius;
            none.text("login", login).filled("password", password).text("secret", secret)
        }
        Probe::Ldap(ldap) => {
            let LdapProbe { tls, host, login, base, receive } = &**ldap;
            let bound = none.filled("base", base).login(login.as_ref());
            let bound = bound.maybe("receive", receive.as_ref()).maybe("host", host.as_ref());
            bound.tls(tls.as_ref())
        }
        Probe::Mysql(sql) | Probe::Pgsql(sql) => {
            let SqlProbe { login, password, database, request } = &**sql;
            let known = none.text("login", login).filled("password", password);
            known.filled("database", database).maybe("request", request.as_ref())
        }
    };
    options.0
}

fn http(probe: &HttpProbe) -> Options {
    let HttpProbe { tls, method, path, host, status, receive, body_limit, redirects, login } =
        probe;
    let asked = Options::default().text("request", path).maybe("receive", receive.as_ref());
    let asked = asked.maybe("host", host.as_ref());
    let asked = match method.as_str() {
        "GET" => asked,
        method => asked.text("method", method),
    };
    let asked = match *status == StatusRanges::default() {
        true => asked,
        false => asked.text("status", &status.to_string()),
    };
    asked
        .body_limit(*body_limit)
        .number("redirects", (*redirects).into(), 0)
        .login(login.as_ref())
        .tls(tls.as_ref())
}
