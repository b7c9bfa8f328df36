//! How the reals of a service are checked.

use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;

use super::draft::{APPLICATIONS, Application, CheckType, Draft, RealDraft, Speech};
use super::lines::Piece;
use super::negotiate::Words;
use super::report::Report;
use super::request::Url;
use super::resolve::Resolver;
use crate::model::{
    Between, CheckSpec, Endpoint, ExternalProbe, Family, PingProbe, Probe, Protocol, ServiceKey,
};

/// Seconds, where nothing is said.
const INTERVAL: u32 = 10;
const CHECK_TIMEOUT: u32 = 5;
const NEGOTIATE_TIMEOUT: u32 = 30;

/// Echo requests of one ping, at most.
const MAX_PINGS: u32 = 20;

/// The check of a service, less what its reals say for themselves.
pub(super) struct Plan {
    kind: Kind,
    /// The service's standard port; 0 when it has none.
    standard_port: u16,
    /// What there is to connect by.
    protocol: Option<Protocol>,
    service_port: Option<u16>,
    checkport: Option<u16>,
    interval: Duration,
    timeout: Duration,
    fall: u16,
    /// The connects between two negotiates of a combined check, and whether there is anything to
    /// connect to: by UDP ldirectord takes them for passed.
    between: Option<Between>,
    words: Words,
    /// What to point at where the service says too little.
    place: Range<usize>,
    virtual_address: String,
}

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    On,
    Off,
    Ping(u8),
    Connect,
    Negotiate,
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
        let seconds = match (&kind, application.speech) {
            (Kind::Ping(count), _) => check_timeout.saturating_mul((*count).into()),
            // These heed the other one.
            (Kind::Negotiate, Speech::Ldap | Speech::Ldaps | Speech::Radius) => check_timeout,
            (Kind::Negotiate, _) => negotiate_timeout,
            _ => check_timeout,
        };
        let shared = (&draft.shared, &resolver.globals.shared);
        let fall = shared.0.failurecount.or(shared.1.failurecount).unwrap_or(1);
        let plan = Plan {
            kind,
            standard_port: application.port,
            protocol: key.protocol(),
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
            words: Words::of(draft, application.speech, key, &resolver.names.node()),
            place: place(draft),
            virtual_address: virtual_address(key),
        };
        plan.inspect_service(draft, resolver.report);
        plan
    }

    /// Warns of what the service's own words cannot do, and refuses what cannot be asked.
    fn inspect_service(&self, draft: &Draft<'_>, report: &mut Report) {
        match check_type(draft) {
            CheckType::Negotiate | CheckType::Combined(_) => {
                if self.kind == Kind::Negotiate {
                    self.words.inspect(draft, report);
                }
            }
            _ => {
                for piece in [draft.request, draft.receive].into_iter().flatten() {
                    report.warning(piece.span(), "only a negotiate check uses this");
                }
            }
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
        if self.kind == Kind::Negotiate {
            self.words.inspect_pair(Some(request), Some(receive), report);
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
        let mut endpoint = Endpoint::new(address, self.check_port(written));
        let probe = match &self.kind {
            Kind::On => Probe::On,
            Kind::Off => Probe::AsFound,
            Kind::Ping(count) => Probe::Ping(PingProbe { count: *count }),
            Kind::External(program) => {
                endpoint.port = written;
                let own = ["{virtual_address}", "{virtual_port}", "{address}", "{port}"];
                self.external(program.iter().cloned().chain(own.map(str::to_owned)).collect(), None)
            }
            _ if endpoint.port == 0 => {
                resolver
                    .report
                    .warning(real.place.span(), "there is no port to check: always down")
                    .hint("add checkport, or a port to the real server");
                Probe::Off
            }
            Kind::Connect => Probe::connect(self.protocol),
            Kind::Negotiate => {
                let url = real.pair.and_then(|(request, _)| self.url(request));
                if let Some(url) = &url
                    && let Some(other) = self.url_endpoint(url, real, address, resolver)
                {
                    endpoint = other;
                }
                let at = Endpoint::new(address, self.check_port(written));
                self.negotiate(url.as_ref(), real, at, resolver.report)
            }
        };
        // Between connects there is no need for connects, and nothing between nothings.
        let is_cheaper = probe.asks() && !probe.is_connect();
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

    /// A real's own full URL.
    fn url<'t>(&self, request: Piece<'t>) -> Option<Url<'t>> {
        match self.words.speech {
            Speech::Http | Speech::Https => Url::parse(request.text, self.words.speech.name()),
            _ => None,
        }
    }

    /// What the real at this endpoint is asked; what cannot be asked is always down, as with
    /// ldirectord.
    fn negotiate(
        &self,
        url: Option<&Url<'_>>,
        real: &RealDraft<'_>,
        at: Endpoint,
        report: &mut Report,
    ) -> Probe {
        let asked = self.words.asked(real.pair);
        let probe = match (self.words.speech, url, real.pair) {
            (_, Some(url), _) => Ok(self.words.http(Some((url, at.address)), None, asked.receive)),
            (Speech::HttpProxy, None, Some((request, _))) => {
                self.own_page(request, at, asked.receive, report)
            }
            (Speech::Oracle, None, _) => {
                let program = "an Oracle server is asked by a program of directord's: oracle.check";
                report.note(self.place.clone(), program).hint("it needs sqlplus");
                self.words.oracle(asked).map(|(argv, input)| self.external(argv, Some(input)))
            }
            _ => self.words.probe(asked),
        };
        probe.unwrap_or_else(|missing| {
            report.warning(self.place.clone(), format!("{missing}: always down"));
            Probe::Off
        })
    }

    /// What a proxy's own pair asks of it: a URL, or else a page of the proxy's.
    fn own_page(
        &self,
        request: Piece<'_>,
        at: Endpoint,
        receive: Option<String>,
        report: &mut Report,
    ) -> Result<Probe, &'static str> {
        let written = request.value();
        if Url::parse(&written, "http").is_some() {
            return self.words.http_proxy(written, receive);
        }
        let url = format!("http://{at}/{}", written.strip_prefix('/').unwrap_or(&written));
        report
            .warning(request.span(), format!("the proxy is asked for {url}"))
            .hint("write the whole URL: http://HOST/PAGE");
        self.words.http_proxy(url, receive)
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
        let port = url.port.unwrap_or(if self.words.speech == Speech::Https { 443 } else { 80 });
        Some(Endpoint::new(resolver.host(host, family)?, port))
    }

    fn external(&self, argv: Vec<String>, input: Option<String>) -> Probe {
        Probe::External(Box::new(ExternalProbe {
            argv,
            input,
            virtual_address: self.virtual_address.clone(),
            virtual_port: self.service_port.unwrap_or(0),
        }))
    }
}

/// Where it is said what is spoken.
fn place(draft: &Draft<'_>) -> Range<usize> {
    draft.service.as_ref().map_or(draft.place.span(), |(_, span)| span.clone())
}

fn check_type(draft: &Draft<'_>) -> CheckType {
    draft.checktype.as_ref().map_or(CheckType::Negotiate, |(kind, _)| *kind)
}

/// What a monitor file calls the kind of check.
pub(super) fn name(draft: &Draft<'_>, key: ServiceKey) -> String {
    match check_type(draft) {
        CheckType::Negotiate => format!("negotiate:{}", application(draft, key).name),
        CheckType::Combined(_) => format!("combined:{}", application(draft, key).name),
        CheckType::Connect => "connect".to_owned(),
        CheckType::Ping => "ping".to_owned(),
        CheckType::On => "on".to_owned(),
        CheckType::Off => "off".to_owned(),
        kind @ (CheckType::External | CheckType::ExternalPerl) => {
            let word = if kind == CheckType::External { "external" } else { "external-perl" };
            let command = written_command(draft).map(|piece| piece.value());
            format!("{word}:{}", command.unwrap_or_else(|| NO_COMMAND.to_owned()))
        }
    }
}

/// What the service speaks: as written, or by its port.
fn application(draft: &Draft<'_>, key: ServiceKey) -> &'static Application {
    const NONE: Application = Application { name: "none", port: 0, speech: Speech::None };
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
        // By UDP there is no connection to make.
        CheckType::Connect if key.protocol() == Some(Protocol::Udp) => Kind::Ping(pings),
        CheckType::Connect => Kind::Connect,
        CheckType::External => Kind::External(vec![command(draft, type_span, resolver)]),
        CheckType::ExternalPerl => {
            let words = ["perl", "-e", EXTERNAL_PERL, "--"].map(str::to_owned);
            Kind::External(words.into_iter().chain([command(draft, type_span, resolver)]).collect())
        }
        CheckType::Combined(_) if application.speech == Speech::None => {
            let span = type_span.unwrap_or(draft.place.span());
            let message = "there is no service to negotiate with: only the connects are done";
            report.warning(span, message).hint("add service = ..., or write checktype = connect");
            match connect_between(key).asks() {
                true => Kind::Connect,
                false => Kind::On,
            }
        }
        CheckType::Negotiate if application.speech == Speech::None => {
            if draft.service.is_none() {
                report
                    .warning(draft.place.span(), "nothing is checked: its servers are always up")
                    .hint("add service = ..., or checktype = connect, or checktype = on");
            }
            Kind::On
        }
        CheckType::Combined(_) | CheckType::Negotiate => Kind::Negotiate,
    }
}

/// Runs a file as the body of a function, its arguments in @ARGV: a file that returns is as good
/// as one that ends with 0; one that cannot be compiled, or dies, fails.
///
/// The function is made before there is any variable the file could take for its own.
const EXTERNAL_PERL: &str = "sub directord_check { eval shift or die $@ } \
    my $file = shift; open my $text, \"<\", $file or die \"$file: $!\\n\"; \
    my $check = directord_check(join \"\", \"sub {\\n#line 1 \\\"$file\\\"\\n\", <$text>, \"\\n}\"); \
    $check->()";

/// What is asked between two negotiates. By UDP there is no connection to make, and ldirectord
/// counts it as made.
fn connect_between(key: ServiceKey) -> Probe {
    match key.protocol() {
        Some(Protocol::Udp) => Probe::On,
        protocol => Probe::connect(protocol),
    }
}

/// What is run where no command is written.
const NO_COMMAND: &str = "/bin/true";

fn written_command<'t>(draft: &Draft<'t>) -> Option<Piece<'t>> {
    draft.checkcommand.filter(|piece| !piece.text.is_empty())
}

/// The program of an external check.
fn command(
    draft: &Draft<'_>,
    type_span: Option<Range<usize>>,
    resolver: &mut Resolver<'_>,
) -> String {
    let Some(piece) = written_command(draft) else {
        let span = type_span.unwrap_or(draft.place.span());
        resolver.report.warning(span, "checkcommand is missing: its servers are always up");
        return NO_COMMAND.to_owned();
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
