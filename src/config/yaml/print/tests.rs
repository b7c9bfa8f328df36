//! What is printed is what is read.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::config::yaml::{Defaults, parse_services};
use crate::config::{Declared, Dialect, Names, Severity, Source};
use crate::model::*;

struct Nobody;

impl Names for Nobody {
    fn host(&self, _: &str, _: Family) -> Vec<IpAddr> {
        Vec::new()
    }

    fn port(&self, _: &str, _: Option<Protocol>) -> Option<u16> {
        None
    }

    fn node(&self) -> String {
        "localhost".to_owned()
    }
}

fn read(text: &str) -> Result<Vec<VirtualService>, String> {
    Ok(declared(text)?.iter().map(|s| (*s.service).clone()).collect())
}

fn declared(text: &str) -> Result<Vec<Declared>, String> {
    let path = Arc::new(PathBuf::from("a.yaml"));
    let source = Source { path, dialect: Dialect::Yaml, text: text.into() };
    let parsed = parse_services(&source, &Defaults::default(), &Nobody);
    match parsed.diagnostics.iter().find(|d| d.severity == Severity::Error) {
        Some(error) => Err(format!("{}\n{text}", error.message)),
        None => Ok(parsed.services),
    }
}

/// Any text that may stand on a line.
fn line() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        "true",
        "off",
        "404",
        "~",
        "null",
        "- a",
        "a: b",
        "a #b",
        "'",
        "\"\\",
        "%",
        "[x]",
        "{x}",
        "&a",
        "*a",
        "!a",
        "|",
        ">",
        "@",
        "`",
        "?",
        "=",
        "1.5e3",
        "2001-01-01",
        " lead",
        "trail ",
        "ä€𝄞",
        "a,b",
        "<<",
        "---",
        "...",
        "0x10",
        "1:30",
        "y",
        "NO",
    ]);
    prop_oneof![
        odd.prop_map(str::to_owned),
        any::<String>().prop_map(|text| {
            let clean: String = text.chars().filter(|c| !c.is_control()).take(40).collect();
            if clean.is_empty() { "x".into() } else { clean }
        }),
    ]
}

fn word() -> impl Strategy<Value = String> {
    "[A-Za-z0-9][A-Za-z0-9._-]{0,20}"
}

fn duration() -> impl Strategy<Value = Duration> {
    (10u64..86_400_000).prop_map(Duration::from_millis)
}

fn tls() -> impl Strategy<Value = Tls> {
    (any::<bool>(), prop::option::of("/[a-z ]{1,9}"))
        .prop_map(|(verify, ca_file)| Tls { verify, ca_file })
}

fn login() -> impl Strategy<Value = (String, String)> {
    (line().prop_map(|text| text.replace(':', "_")), prop_oneof![Just(String::new()), line()])
}

fn http() -> impl Strategy<Value = Probe> {
    let ranges = prop::collection::vec((100u16..=599, 0u16..99), 1..4).prop_map(|ranges| {
        let range = |(from, more): &(u16, u16)| *from..=(*from + more).min(599);
        StatusRanges::new(ranges.iter().map(range).collect()).expect("ranges of codes")
    });
    let words = (word(), "[!-~]{0,20}", prop::option::of("[!-.0-~]{1,20}"));
    let numbers = (1u32..16 << 20, 0u8..=20);
    let rest = (prop_oneof![Just(StatusRanges::default()), ranges], prop::option::of(login()));
    (prop::option::of(tls()), words, numbers, rest, prop::option::of("[a-z0-9 #:'\"]{1,20}"))
        .prop_map(
            |(tls, (method, path, host), (body_limit, redirects), (status, login), receive)| {
                let letters = method.chars().filter(char::is_ascii_alphabetic).collect::<String>();
                Probe::Http(Box::new(HttpProbe {
                    tls,
                    method: format!("X{}", letters.to_ascii_uppercase()),
                    path: format!("/{path}"),
                    host,
                    status,
                    receive,
                    body_limit,
                    redirects,
                    login,
                }))
            },
        )
}

fn probe() -> impl Strategy<Value = Probe> {
    let ftp = (login(), line(), prop::option::of("[a-z0-9 #]{1,9}"), any::<bool>());
    let ftp = ftp.prop_map(|((login, password), file, receive, fetch)| {
        Probe::Ftp(Box::new(FtpProbe {
            login,
            password: if password.is_empty() { "x".into() } else { password },
            request: fetch.then_some(file),
            receive: receive.filter(|_| fetch),
            body_limit: 1000,
        }))
    });
    let argv = prop::collection::vec(line(), 1..4);
    let external = (argv, prop::option::of(lines())).prop_map(|(argv, input)| {
        let known = ExternalProbe { argv, input, virtual_address: String::new(), virtual_port: 0 };
        Probe::External(Box::new(known))
    });
    prop_oneof![
        Just(Probe::On),
        Just(Probe::Off),
        Just(Probe::AsFound),
        Just(Probe::Connect),
        (1u8..=20).prop_map(|count| Probe::Ping(PingProbe { count })),
        http(),
        ftp,
        external,
        spoken(),
    ]
}

/// Lines, as they are sent somewhere.
fn lines() -> impl Strategy<Value = String> {
    (line(), line()).prop_map(|(one, other)| format!("{one}\r\n\t{other}\n"))
}

fn transport() -> impl Strategy<Value = Transport> {
    prop::sample::select(vec![Transport::Udp, Transport::Tcp])
}

/// Mail, telephones, names, directories, databases.
fn spoken() -> impl Strategy<Value = Probe> {
    let user = || (line(), prop_oneof![Just(String::new()), line()]);
    let receive = || prop::option::of("[a-z0-9 #:'\"]{1,20}");
    let tls = || prop::option::of(tls());
    let mailbox = || {
        let parts = (tls(), prop::option::of(word()), prop::option::of(user()));
        parts.prop_map(|(tls, host, login)| {
            let host = host.filter(|_| tls.is_some());
            Box::new(MailboxProbe { tls, host, login })
        })
    };
    let ldap = (tls(), prop::option::of(word()), prop::option::of(user()), user(), receive());
    let ldap = ldap.prop_map(|(tls, host, login, (_, base), receive)| {
        let host = host.filter(|_| tls.is_some());
        // Without a password there is no bind by name.
        let login = login.filter(|(_, password)| !password.is_empty());
        Probe::Ldap(Box::new(LdapProbe { tls, host, login, base, receive }))
    });
    let sql = || {
        let parts = (user(), user(), prop::option::of(line()));
        parts.prop_map(|((login, password), (_, database), request)| {
            Box::new(SqlProbe { login, password, database, request })
        })
    };
    let tcp = (prop::option::of(lines()), receive(), 1u32..16 << 20).prop_map(
        |(request, receive, body_limit)| {
            Probe::Tcp(Box::new(TcpProbe { request, receive, body_limit }))
        },
    );
    let dns = (word(), receive(), transport()).prop_map(|(request, receive, transport)| {
        let request = request.replace('.', "-");
        Probe::Dns(Box::new(DnsProbe { request, receive, transport }))
    });
    let sip = ("[!#-;=?-~]{0,20}", transport())
        .prop_map(|(login, transport)| Probe::Sip(Box::new(SipProbe { login, transport })));
    let radius =
        (word(), line(), word(), any::<bool>()).prop_map(|(login, text, secret, short)| {
            let password = if short || text.len() > 128 { String::new() } else { text };
            Probe::Radius(Box::new(RadiusProbe { login, password, secret }))
        });
    prop_oneof![
        Just(Probe::Smtp),
        Just(Probe::Nntp),
        mailbox().prop_map(Probe::Pop),
        mailbox().prop_map(Probe::Imap),
        sql().prop_map(Probe::Mysql),
        sql().prop_map(Probe::Pgsql),
        ldap,
        tcp,
        dns,
        sip,
        radius,
    ]
}

fn spec() -> impl Strategy<Value = CheckSpec> {
    let counts = prop_oneof![Just((1, 1)), (1u16.., 1u16..)];
    let counts = (counts, prop::option::of(1u16..));
    (probe(), duration(), prop::option::of(duration()), duration(), counts).prop_map(
        |(probe, interval, retry, timeout, ((rise, fall), times))| CheckSpec {
            between: times.filter(|_| probe.is_by_tcp()).map(|times| Between {
                times,
                probe: Probe::Connect,
                timeout,
            }),
            probe,
            interval,
            retry: retry.unwrap_or(interval),
            timeout,
            rise,
            fall,
        },
    )
}

fn destination() -> impl Strategy<Value = Destination> {
    let tunnel = prop::sample::select(vec![
        Tunnel::default(),
        Tunnel { kind: TunnelKind::Gue, port: 6080, flags: 0 },
        Tunnel { kind: TunnelKind::Gue, port: 1, flags: Tunnel::REMOTE_CHECKSUM },
        Tunnel { kind: TunnelKind::Gre, port: 0, flags: Tunnel::CHECKSUM },
    ]);
    let method = prop::sample::select(ForwardingMethod::ALL.to_vec());
    (method, tunnel, 0u32..=65_535, 0u32..1000, 0u32..1000).prop_map(
        |(forward, tunnel, weight, one, other)| Destination {
            forward,
            tunnel: if forward == ForwardingMethod::Ipip { tunnel } else { Tunnel::default() },
            weight,
            upper: one.max(other),
            lower: one.min(other),
        },
    )
}

fn address(family: Family, number: u32) -> IpAddr {
    match family {
        Family::Ipv4 => Ipv4Addr::from(0x0a00_0000 | (number & 0x00ff_ffff) | 1).into(),
        Family::Ipv6 => Ipv6Addr::from((0x2001_0db8 << 96) | u128::from(number) | 1).into(),
    }
}

fn key() -> impl Strategy<Value = ServiceKey> {
    let family = prop::sample::select(vec![Family::Ipv4, Family::Ipv6]);
    let protocol = prop::sample::select(Protocol::ALL.to_vec());
    prop_oneof![
        (family.clone(), any::<u32>(), protocol, any::<u16>()).prop_map(
            |(family, number, protocol, port)| {
                ServiceKey::Address { protocol, address: address(family, number), port }
            }
        ),
        (1u32.., family).prop_map(|(mark, family)| ServiceKey::Fwmark { mark, family }),
    ]
}

/// Where a check may go: as written, to a port, to a port of another machine.
type Going = (Option<u16>, Option<u32>);

fn server(
    key: ServiceKey,
    number: u32,
    (destination, port, mut check, going): (Destination, u16, CheckSpec, Going),
) -> RealServer {
    let family = key.family();
    if check.probe.is_connect() {
        check.probe = Probe::connect(key.protocol());
    }
    if let Some(between) = &mut check.between {
        between.probe = Probe::connect(key.protocol());
    }
    if let Probe::External(external) = &mut check.probe {
        external.virtual_address = match key {
            ServiceKey::Address { address: IpAddr::V6(address), .. } => format!("[{address}]"),
            ServiceKey::Address { address, .. } => address.to_string(),
            ServiceKey::Fwmark { mark, .. } => mark.to_string(),
        };
        external.virtual_port = key.port().unwrap_or(0);
    }
    // Port 0 goes with a mark, and with a service of every port.
    let (table_port, written) = match key.port() {
        None => (port, port),
        Some(service) => {
            let written = if port == 0 { service } else { port };
            let kept = destination.forward != ForwardingMethod::Masq;
            (if kept { service } else { written }, written)
        }
    };
    let at = address(family, number);
    let endpoint = Endpoint::new(at, table_port);
    let usual = super::super::probe::usual_port(&check.probe);
    let mut target = Endpoint::new(at, if written == 0 { usual } else { written });
    if let Some(port) = going.0 {
        target.port = port;
    }
    if (check.probe.is_connect() || matches!(check.probe, Probe::Tcp(_))) && target.port == 0 {
        target.port = 1;
    }
    if let Some(other) = going.1 {
        target.address = address(family, other);
    }
    RealServer {
        endpoint,
        destination,
        check_endpoint: if check.probe.asks() { check.probe.aim(target) } else { endpoint },
        check: Arc::new(check),
        written_port: written,
        maintenance: number.is_multiple_of(7),
    }
}

/// Anything about a VIP but which service it is for: no address is the service's own.
type Anywhere = (&'static str, Option<(Family, u32, u8)>, bool, Announce);

fn vip() -> impl Strategy<Value = Anywhere> {
    let interface = prop::sample::select(vec!["eth0", "eth0.100", "br-lan", "off", "1e3", "a#b"]);
    let family = prop::sample::select(vec![Family::Ipv4, Family::Ipv6]);
    let time = || prop::option::of((1u64..=86_400).prop_map(Duration::from_secs));
    let announce = (0..=Announce::MOST, time(), time())
        .prop_map(|(count, again, refresh)| Announce { count, again, refresh });
    let announce = prop_oneof![Just(Announce::default()), announce];
    let address = prop::option::of((family, any::<u32>(), 1u8..=32));
    (interface, address, any::<bool>(), announce)
}

/// Those that a service may have, each once.
fn fitting(vips: Vec<Anywhere>, service: ServiceKey) -> Vec<Vip> {
    let mut fitting: Vec<Vip> = Vec::new();
    for (interface, place, healthy, announce) in vips {
        let place = place.map(|(family, number, prefix)| (address(family, number), prefix));
        let own = match service {
            ServiceKey::Address { address, .. } => Some((address, VipKey::host_prefix(address))),
            ServiceKey::Fwmark { .. } => None,
        };
        let Some((address, prefix)) = place.or(own) else { continue };
        let interface = InterfaceName::new(interface).expect("a name");
        let key = VipKey { interface, address, prefix };
        if fitting.iter().all(|other| other.key != key) {
            let when = if healthy { VipWhen::Healthy } else { VipWhen::Always };
            fitting.push(Vip { key, when, announce });
        }
    }
    fitting
}

fn service() -> impl Strategy<Value = VirtualService> {
    let checks = prop::collection::vec(spec(), 1..3);
    let going = (prop::option::of(1u16..), prop::option::of(any::<u32>()));
    let rows = prop::collection::vec(
        (destination(), any::<u16>(), any::<prop::sample::Index>(), going),
        0..6,
    );
    let settings = (
        prop::sample::select(vec!["rr", "wlc", "sh", "my-own_1"]),
        0u8..8,
        any::<bool>(),
        prop::option::of((1u32..=Persistence::MAX_TIMEOUT, 1u8..=32)),
        prop::option::of(Just("sip")),
    );
    let actions = (
        prop::sample::select(vec![
            FailureAction::Reset,
            FailureAction::Remove,
            FailureAction::Quiesce,
        ]),
        prop::sample::select(vec![StopAction::Remove, StopAction::Keep]),
        prop::option::of(line()),
        prop::option::of((destination(), any::<u16>())),
        prop::option::of("/[!-~][ -~]{0,9}[!-~]"),
        prop::collection::vec(vip(), 0..4),
    );
    (key(), checks, rows, settings, actions).prop_map(|(key, checks, rows, settings, actions)| {
        let (scheduler, flags, one_packet, persistence, engine) = settings;
        let (on_failure, on_stop, name, fallback, folder, vips) = actions;
        let datagrams =
            !matches!(key, ServiceKey::Address { protocol: Protocol::Tcp | Protocol::Sctp, .. });
        let every_port = key.port() == Some(0);
        let persistence = persistence.or(every_port.then_some((300, 32)));
        let persistence = persistence.map(|(timeout, bits)| Persistence {
            timeout,
            netmask: match key.family() {
                Family::Ipv4 => Netmask::V4((u32::MAX << (32 - u32::from(bits))).into()),
                Family::Ipv6 => Netmask::V6(bits),
            },
        });
        let servers =
            rows.into_iter().enumerate().map(|(at, (destination, port, check, going))| {
                let check = checks[check.index(checks.len())].clone();
                let port = if every_port { 0 } else { port };
                server(key, at as u32 * 2, (destination, port, check, going))
            });
        let fallback = fallback.map(|(destination, port)| {
            let kept = destination.forward != ForwardingMethod::Masq;
            let port = match key.port() {
                Some(service) if kept || port == 0 || service == 0 => service,
                _ => port,
            };
            let destination = Destination { weight: 1, upper: 0, lower: 0, ..destination };
            Fallback { endpoint: Endpoint::new(address(key.family(), 99_999), port), destination }
        });
        VirtualService {
            key,
            name: name.map(|name| name.chars().take(30).collect()),
            settings: ServiceSettings {
                scheduler: KernelName::new(scheduler).expect("a name"),
                scheduler_flags: SchedulerFlags::from_bits(flags),
                one_packet: one_packet && datagrams,
                persistence,
                engine: engine.map(|engine| KernelName::new(engine).expect("a name")),
            },
            servers: servers.collect(),
            fallback,
            on_failure,
            on_stop,
            by_hand: ByHand::Repair,
            tells_rows: false,
            is_partial: false,
            maintenance_dir: folder.map(|folder| Arc::new(folder.into())),
            vips: fitting(vips, key),
        }
    })
}

/// Without what makes no difference: how often nothing is asked.
fn bare(mut service: VirtualService) -> VirtualService {
    for server in &mut service.servers {
        if !server.check.probe.asks() {
            let probe = server.check.probe.clone();
            let protocol = service.key.protocol();
            server.check = Arc::new(super::super::check::resolve(&[], &probe, protocol));
            server.check_endpoint = server.endpoint;
        }
    }
    service
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_is_what_is_read(service in service(), item: bool, remark in line()) {
        let remark = Remark { topic: Topic::Check("fall"), text: format!("#{remark}"), beside: true };
        let text = text(&service, &Spelling::default(), &[remark], item);
        let read = read(&text).map_err(TestCaseError::fail)?;
        let read: Vec<_> = read.into_iter().map(bare).collect();
        prop_assert_eq!(read, vec![bare(service)], "{}", text);
    }
}

#[test]
fn several_services_are_a_list() {
    let text = "- virtual: 10.0.0.1:80\n  real: [10.0.0.2]\n- fwmark: 7\n  real: [10.0.0.3]\n";
    let services = read(text).unwrap();
    let print = |service| super::text(service, &Spelling::default(), &[], true);
    let printed: String = services.iter().map(print).collect();
    assert_eq!(read(&printed).unwrap(), services);
}

#[test]
fn hosts_are_spelt_as_their_owner_does() {
    let service = read("virtual: 10.0.0.1:80\nreal: [10.0.0.2, 10.0.0.3]\n").unwrap().remove(0);
    let spelling = Spelling {
        service: Some("www".into()),
        servers: vec![None, Some("web2".into())],
        fallback: None,
    };
    let text = super::text(&service, &spelling, &[], false);
    assert!(text.starts_with("virtual: www:80\n"), "{text}");
    assert!(text.contains("\n  - 10.0.0.2:80\n  - web2:80\n"), "{text}");
}

#[test]
fn those_who_are_told_are_printed_as_they_are_read() {
    let text = r#"
- virtual: 10.0.0.1:80
  real: [10.0.0.2, 10.0.0.3]
  alerts:
    - period: wd {Mon-Fri} hr {9am-5pm}, wd {Sat}
      label: WORK
      alert: ['exit=1-3 mail.alert -S "two \" words" root', "a it\\'s"]
      upalert: b
      alertevery: 1h strict
      alertafter: [3, 1d, 3 10m]
      upalertafter: 1.5s
      numalerts: 2
      alertexitrange: 1-3
      no_comp_alerts: true
      alerts_dont_count: true
    - {startupalert: [c, d e], ackalert: f, disablealert: g}
"#;
    let read = declared(text).unwrap().remove(0);
    let watch = read.watch.as_deref();
    assert_eq!(watch.map(|watch| watch.specs[0].periods.len()), Some(2));
    let mut printed = "virtual: 10.0.0.1:80\nreal: [10.0.0.2, 10.0.0.3]\nalerts:\n".to_owned();
    for given in watch.map(|watch| &*watch.specs[0].periods).into_iter().flatten() {
        for (at, (key, value)) in super::period(given).into_iter().enumerate() {
            let dash = if at == 0 { "-" } else { " " };
            printed.push_str(&format!("{dash} {key}: {value}\n"));
        }
    }
    let again = declared(&printed).unwrap().remove(0);
    assert_eq!(again.watch.as_deref(), watch, "{printed}");
}
