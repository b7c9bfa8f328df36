//! How the reals of a service are checked.

use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;

use super::draft::{APPLICATIONS, Application, CheckType, Draft, RealDraft};
use super::lines::Piece;
use super::request::{self, Url};
use super::resolve::Resolver;
use crate::model::{
    Between, CheckSpec, Endpoint, ExternalProbe, Family, FtpProbe, HttpProbe, PingProbe, Probe,
    Protocol, ServiceKey, StatusRanges, Tls,
};
use crate::pattern;

/// Seconds, where nothing is said.
const INTERVAL: u32 = 10;
const CHECK_TIMEOUT: u32 = 5;
const NEGOTIATE_TIMEOUT: u32 = 30;

/// Redirects libwww-perl follows by default.
const REDIRECTS: u8 = 7;

/// Echo requests of one ping, at most.
const MAX_PINGS: u32 = 20;

/// ldirectord's defaults; it puts its host's name in place of localhost.
const FTP_LOGIN: &str = "anonymous";
const FTP_PASSWORD: &str = "ldirectord@localhost";

/// The check of a service, less what its reals say for themselves.
pub(super) struct Plan {
    kind: Kind,
    /// The service's standard port; 0 when it has none.
    standard_port: u16,
    service_port: Option<u16>,
    checkport: Option<u16>,
    interval: Duration,
    timeout: Duration,
    fall: u16,
    /// The connects between two negotiates of a combined check, and whether there is anything to
    /// connect to: by UDP ldirectord takes them for passed.
    between: Option<Between>,
    request: Option<String>,
    receive: Option<String>,
    host: Option<String>,
    head: bool,
    login: (String, String),
    virtual_address: String,
}

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    On,
    Off,
    Ping(u8),
    Connect,
    Http,
    Https,
    HttpProxy,
    Ftp,
    /// The program and the arguments before ldirectord's own.
    External(Vec<String>),
}

impl Plan {
    pub(super) fn new(draft: &Draft<'_>, key: ServiceKey, resolver: &mut Resolver<'_>) -> Plan {
        let application = application(draft, key);
        let (check_timeout, negotiate_timeout) = timeouts(draft, resolver);
        let count = pings(draft, resolver);
        let kind = kind(draft, key, application, count, resolver);
        let check_type = check_type(draft);
        let negotiates = matches!(check_type, CheckType::Negotiate | CheckType::Combined(_));
        let seconds = match kind {
            Kind::Ping(count) if !negotiates => check_timeout.saturating_mul(count.into()),
            _ if negotiates => negotiate_timeout,
            _ => check_timeout,
        };
        let shared = (&draft.shared, &resolver.globals.shared);
        let fall = shared.0.failurecount.or(shared.1.failurecount).unwrap_or(1);
        let text = |piece: Option<Piece<'_>>| piece.map(|piece| piece.value());
        let plan = Plan {
            kind,
            standard_port: application.port,
            service_port: key.port(),
            checkport: draft.checkport,
            interval: Duration::from_secs(interval(draft, resolver).into()),
            timeout: Duration::from_secs(seconds.into()),
            fall: u16::try_from(fall).unwrap_or(u16::MAX),
            between: match check_type {
                CheckType::Combined(times) => Some(Between {
                    times,
                    probe: connect_between(key),
                    timeout: Duration::from_secs(check_timeout.into()),
                }),
                _ => None,
            },
            request: text(draft.request),
            receive: text(draft.receive),
            host: text(draft.virtualhost),
            head: draft.head_method.is_some(),
            login: (
                text(draft.login).unwrap_or_else(|| FTP_LOGIN.to_owned()),
                text(draft.passwd).unwrap_or_else(|| FTP_PASSWORD.to_owned()),
            ),
            virtual_address: virtual_address(key),
        };
        plan.inspect_service(draft, negotiates, resolver);
        plan
    }

    /// Warns of what the service's own words cannot do, and refuses what cannot be matched.
    fn inspect_service(&self, draft: &Draft<'_>, negotiates: bool, resolver: &mut Resolver<'_>) {
        let report = &mut *resolver.report;
        if let Some(receive) = draft.receive.filter(|_| negotiates)
            && let Err(mistake) = pattern::check(&receive.value())
        {
            report.error(receive.span(), format!("receive is not a usable pattern: {mistake}"));
        }
        for piece in [draft.request, draft.receive].into_iter().flatten().filter(|_| !negotiates) {
            report.warning(piece.span(), "only a negotiate check uses this");
        }
        let http = matches!(self.kind, Kind::Http | Kind::Https);
        if let (Some(span), true) = (draft.head_method.clone(), self.receive.is_some() && http) {
            report.warning(span, "an answer to HEAD has no body: receive will never match");
        }
        if let Some(piece) = draft.request.filter(|_| http)
            && Url::parse(piece.text, self.scheme()).is_some()
        {
            report
                .warning(piece.span(), "a full URL is appended to the real server's address")
                .hint("only a real's own request may name another server");
        }
        if let (Kind::Ftp, Some(receive), None) = (&self.kind, draft.receive, draft.request) {
            report.warning(receive.span(), "without a request there is no file to match");
        }
    }

    /// The same for a real's own words.
    pub(super) fn inspect(&self, real: &RealDraft<'_>, resolver: &mut Resolver<'_>) {
        let Some((request, receive)) = real.pair else { return };
        let report = &mut *resolver.report;
        if request.text.starts_with('/') {
            report
                .warning(request.span(), "this request counts, and its receive with it")
                .hint("ldirectord ignores a real's own pair when it begins with a slash");
        }
        let asks = !matches!(self.kind, Kind::On | Kind::Off | Kind::Ping(_) | Kind::Connect);
        if !receive.text.is_empty()
            && asks
            && let Err(mistake) = pattern::check(&receive.value())
        {
            report.error(receive.span(), format!("receive is not a usable pattern: {mistake}"));
        }
    }

    /// The check of one real and where it goes. `written` is its port, 0 when it has none.
    pub(super) fn check(
        &self,
        real: &RealDraft<'_>,
        address: IpAddr,
        written: u16,
        resolver: &mut Resolver<'_>,
    ) -> (CheckSpec, Endpoint) {
        let pair = real.pair.map(|(request, receive)| {
            let receive = Some(receive.value()).filter(|text| !text.is_empty());
            (request.value(), receive)
        });
        let receive = match &pair {
            Some((_, receive)) => receive.clone(),
            None => self.receive.clone(),
        };
        let request = pair.map(|(request, _)| request);
        let mut endpoint = Endpoint::new(address, self.check_port(written));
        let probe = match &self.kind {
            Kind::On => Probe::On,
            Kind::Off => Probe::Off,
            Kind::Ping(count) => Probe::Ping(PingProbe { count: *count }),
            Kind::External(program) => {
                endpoint.port = written;
                self.external(program)
            }
            _ if endpoint.port == 0 => {
                resolver
                    .report
                    .warning(real.place.span(), "there is no port to check: always down")
                    .hint("add checkport, or a port to the real server");
                Probe::Off
            }
            Kind::Connect => Probe::Connect,
            Kind::Http | Kind::Https => {
                let own = request.as_deref().and_then(|text| Url::parse(text, self.scheme()));
                if let Some(url) = &own
                    && let Some(other) = self.url_endpoint(url, real, address, resolver)
                {
                    endpoint = other;
                }
                self.http(own, request.as_deref(), receive)
            }
            Kind::HttpProxy => self.http_proxy(real, request, receive, resolver),
            Kind::Ftp => self.ftp(request, receive),
        };
        // Between connects there is no need for connects, and nothing between nothings.
        let is_cheaper = probe.asks() && probe != Probe::Connect;
        let spec = CheckSpec {
            between: self.between.clone().filter(|_| is_cheaper),
            probe,
            interval: self.interval,
            retry: self.interval,
            timeout: self.timeout,
            rise: 1,
            fall: self.fall,
        };
        (spec, endpoint)
    }

    fn check_port(&self, written: u16) -> u16 {
        [self.checkport, Some(written), Some(self.standard_port), self.service_port]
            .into_iter()
            .flatten()
            .find(|port| *port != 0)
            .unwrap_or(0)
    }

    fn scheme(&self) -> &'static str {
        if self.kind == Kind::Https { "https" } else { "http" }
    }

    fn http(&self, own: Option<Url<'_>>, request: Option<&str>, receive: Option<String>) -> Probe {
        let (path, url_host, login) = match &own {
            Some(url) => (request::path(url.path), Some(url.host.to_owned()), url.login()),
            None => {
                let text = request.or(self.request.as_deref()).unwrap_or("/");
                (request::path(text), None, None)
            }
        };
        Probe::Http(Box::new(HttpProbe {
            tls: (self.kind == Kind::Https).then_some(Tls { verify: false, ca_file: None }),
            method: if self.head { "HEAD" } else { "GET" }.to_owned(),
            path,
            host: self.host.clone().or(url_host),
            status: StatusRanges::default(),
            receive,
            body_limit: HttpProbe::DEFAULT_BODY_LIMIT,
            redirects: REDIRECTS,
            login,
        }))
    }

    /// Where a real's own full URL leads.
    fn url_endpoint(
        &self,
        url: &Url<'_>,
        real: &RealDraft<'_>,
        address: IpAddr,
        resolver: &mut Resolver<'_>,
    ) -> Option<Endpoint> {
        let place = real.pair.map_or(real.place, |(request, _)| request);
        // An error about the host points at the whole request.
        let host = Piece { text: url.host, ..place };
        let family = match url.host.parse::<std::net::Ipv4Addr>() {
            Ok(_) => Family::Ipv4,
            Err(_) if url.host.starts_with('[') => Family::Ipv6,
            Err(_) => Family::of(address),
        };
        let port = url.port.unwrap_or(if self.kind == Kind::Https { 443 } else { 80 });
        Some(Endpoint::new(resolver.host(host, family)?, port))
    }

    /// The whole URL is asked of the real, which is a proxy.
    fn http_proxy(
        &self,
        real: &RealDraft<'_>,
        request: Option<String>,
        receive: Option<String>,
        resolver: &mut Resolver<'_>,
    ) -> Probe {
        let text = request.or(self.request.clone()).unwrap_or_default();
        let Some(url) = Url::parse(&text, "http") else {
            resolver
                .report
                .warning(real.place.span(), "http_proxy needs a full URL in request")
                .hint("write request = \"http://HOST/PATH\"; until then only a connection is made");
            return Probe::Connect;
        };
        Probe::Http(Box::new(HttpProbe {
            tls: None,
            method: if self.head { "HEAD" } else { "GET" }.to_owned(),
            path: format!("http://{}{}", url.authority(), request::path(url.path)),
            host: Some(url.host.to_owned()),
            status: StatusRanges::default(),
            receive,
            body_limit: HttpProbe::DEFAULT_BODY_LIMIT,
            redirects: REDIRECTS,
            login: url.login(),
        }))
    }

    fn ftp(&self, request: Option<String>, receive: Option<String>) -> Probe {
        let file = request.or(self.request.clone());
        // Without a file ldirectord asks for "/", which no server sends.
        let file = file.or_else(|| receive.as_ref().map(|_| String::new()));
        let absolute = |file: String| format!("/{}", file.trim_start_matches('/'));
        Probe::Ftp(Box::new(FtpProbe {
            login: self.login.0.clone(),
            password: self.login.1.clone(),
            request: file.map(absolute),
            receive,
            body_limit: HttpProbe::DEFAULT_BODY_LIMIT,
        }))
    }

    fn external(&self, program: &[String]) -> Probe {
        let own = ["{virtual_address}", "{virtual_port}", "{address}", "{port}"];
        Probe::External(Box::new(ExternalProbe {
            argv: program.iter().cloned().chain(own.map(str::to_owned)).collect(),
            input: None,
            virtual_address: self.virtual_address.clone(),
            virtual_port: self.service_port.unwrap_or(0),
        }))
    }
}

fn check_type(draft: &Draft<'_>) -> CheckType {
    draft.checktype.as_ref().map_or(CheckType::Negotiate, |(kind, _)| *kind)
}

/// What a monitor file calls the kind of check.
pub(super) fn name(draft: &Draft<'_>, key: ServiceKey) -> String {
    match check_type(draft) {
        CheckType::Negotiate => format!("negotiate:{}", application(draft, key).name),
        CheckType::Combined(times) => format!("{times}:{}", application(draft, key).name),
        CheckType::Connect => "connect".to_owned(),
        CheckType::Ping => "ping".to_owned(),
        CheckType::On => "on".to_owned(),
        CheckType::Off => "off".to_owned(),
        kind @ (CheckType::External | CheckType::ExternalPerl) => {
            let word = if kind == CheckType::External { "external" } else { "external-perl" };
            let command = draft.checkcommand.map(|piece| piece.value()).unwrap_or_default();
            format!("{word}:{command}")
        }
    }
}

/// What the service speaks: as written, or by its port.
fn application(draft: &Draft<'_>, key: ServiceKey) -> &'static Application {
    const NONE: Application = Application { name: "none", port: 0 };
    let by_port = |port| APPLICATIONS.iter().find(|a| a.port == port && port != 0);
    match &draft.service {
        Some((application, _)) => application,
        None => key.port().and_then(by_port).unwrap_or(&NONE),
    }
}

fn kind(
    draft: &Draft<'_>,
    key: ServiceKey,
    application: &Application,
    pings: u8,
    resolver: &mut Resolver<'_>,
) -> Kind {
    let report = &mut *resolver.report;
    let type_span = draft.checktype.as_ref().map(|(_, span)| span.clone());
    match check_type(draft) {
        CheckType::On => Kind::On,
        CheckType::Off => Kind::Off,
        CheckType::Ping => Kind::Ping(pings),
        CheckType::Connect => {
            if let ServiceKey::Address { protocol: Protocol::Sctp, .. } = key {
                let span = type_span.unwrap_or(draft.place.span());
                report.not_yet(span, "connect by SCTP; until then a ping is the check");
            }
            connect(key, pings)
        }
        CheckType::External => Kind::External(vec![command(draft, type_span, resolver)]),
        CheckType::ExternalPerl => {
            let span = type_span.clone().unwrap_or(draft.place.span());
            report.not_yet(span, "the script is not kept in memory, perl is run for each check");
            Kind::External(vec!["perl".to_owned(), command(draft, type_span, resolver)])
        }
        CheckType::Combined(_) if application.name == "none" => {
            let span = type_span.unwrap_or(draft.place.span());
            let message = "there is no service to negotiate with: only the connects are done";
            report.warning(span, message).hint("add service = ..., or write checktype = connect");
            match connect_between(key) {
                Probe::Connect => Kind::Connect,
                _ => Kind::On,
            }
        }
        CheckType::Combined(_) => negotiate(draft, key, application, resolver),
        CheckType::Negotiate => negotiate(draft, key, application, resolver),
    }
}

/// What is asked between two negotiates. Without TCP there is no connection to make, and
/// ldirectord counts it as made.
fn connect_between(key: ServiceKey) -> Probe {
    match key {
        ServiceKey::Address { protocol: Protocol::Udp | Protocol::Sctp, .. } => Probe::On,
        _ => Probe::Connect,
    }
}

/// There is no connection to make but by TCP.
fn connect(key: ServiceKey, pings: u8) -> Kind {
    match key {
        ServiceKey::Address { protocol: Protocol::Udp | Protocol::Sctp, .. } => Kind::Ping(pings),
        _ => Kind::Connect,
    }
}

fn negotiate(
    draft: &Draft<'_>,
    key: ServiceKey,
    application: &Application,
    resolver: &mut Resolver<'_>,
) -> Kind {
    let report = &mut *resolver.report;
    match application.name {
        "http" => Kind::Http,
        "https" => Kind::Https,
        "http_proxy" => Kind::HttpProxy,
        "ftp" => Kind::Ftp,
        "none" => {
            if draft.service.is_none() {
                report
                    .warning(draft.place.span(), "nothing is checked: its servers are always up")
                    .hint("add service = ..., or checktype = connect, or checktype = on");
            }
            Kind::On
        }
        name => {
            let span = match &draft.service {
                Some((_, span)) => span.clone(),
                None => draft.place.span(),
            };
            let kind = connect(key, 1);
            let instead = match kind {
                Kind::Connect => "a TCP connection is the check",
                _ => "a ping is the check",
            };
            report.not_yet(span, &format!("negotiate {name}; until then {instead}"));
            kind
        }
    }
}

/// The program of an external check.
fn command(
    draft: &Draft<'_>,
    type_span: Option<Range<usize>>,
    resolver: &mut Resolver<'_>,
) -> String {
    let Some(piece) = draft.checkcommand.filter(|piece| !piece.text.is_empty()) else {
        let span = type_span.unwrap_or(draft.place.span());
        resolver.report.warning(span, "checkcommand is missing: its servers are always up");
        return "/bin/true".to_owned();
    };
    if piece.text.contains(' ') {
        resolver
            .report
            .warning(piece.span(), "checkcommand takes no arguments: all of it is the file's name");
    }
    piece.value()
}

/// The effective check and negotiate timeout, in seconds.
fn timeouts(draft: &Draft<'_>, resolver: &Resolver<'_>) -> (u32, u32) {
    let (own, globals) = (&draft.shared, &resolver.globals.shared);
    let old = resolver.globals.timeout;
    let (check, negotiate) = (globals.checktimeout.or(old), globals.negotiatetimeout.or(old));
    let check_timeout = own.checktimeout.or(own.negotiatetimeout).or(check).or(negotiate);
    let negotiate_timeout = own.negotiatetimeout.or(own.checktimeout).or(negotiate).or(check);
    (check_timeout.unwrap_or(CHECK_TIMEOUT), negotiate_timeout.unwrap_or(NEGOTIATE_TIMEOUT))
}

fn interval(draft: &Draft<'_>, resolver: &mut Resolver<'_>) -> u32 {
    let globals = resolver.globals;
    let shared = globals.shared.checkinterval.as_ref();
    let own = draft.shared.checkinterval.as_ref();
    if let Some((_, span)) = own.filter(|_| !globals.fork) {
        resolver
            .report
            .warning(span.clone(), "a service's own checkinterval counts only with fork = yes");
    }
    own.filter(|_| globals.fork).or(shared).map_or(INTERVAL, |(seconds, _)| *seconds)
}

fn pings(draft: &Draft<'_>, resolver: &Resolver<'_>) -> u8 {
    let count = draft.shared.checkcount.or(resolver.globals.shared.checkcount).unwrap_or(1);
    u8::try_from(count.min(MAX_PINGS)).unwrap_or(1)
}

/// The first argument of an external check.
fn virtual_address(key: ServiceKey) -> String {
    match key {
        ServiceKey::Address { address: IpAddr::V4(address), .. } => address.to_string(),
        ServiceKey::Address { address: IpAddr::V6(address), .. } => format!("[{address}]"),
        ServiceKey::Fwmark { mark, .. } => mark.to_string(),
    }
}
