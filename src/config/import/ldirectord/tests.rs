use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{Dialect, Names, Parsed, Severity, Source};
use crate::model::*;

mod alerts;
mod negotiate;
mod rows;

/// A resolver that knows `web1` and `http`, on a host called `lvs1`.
struct Known;

impl Names for Known {
    fn host(&self, name: &str, family: Family) -> Vec<IpAddr> {
        match (name, family) {
            ("web1", Family::Ipv4) => vec!["10.0.0.11".parse().unwrap()],
            ("web1", Family::Ipv6) => vec!["2001:db8::11".parse().unwrap()],
            _ => Vec::new(),
        }
    }

    fn port(&self, name: &str, protocol: Option<Protocol>) -> Option<u16> {
        (name == "http" && protocol != Some(Protocol::Udp)).then_some(80)
    }

    fn node(&self) -> String {
        "lvs1".to_owned()
    }
}

fn parse(text: &str) -> Parsed {
    let source = Source {
        path: Arc::new(PathBuf::from("a.cf")),
        dialect: Dialect::Ldirectord,
        text: text.into(),
    };
    super::parse(&source, &Known)
}

/// The services of a text without errors.
fn services(text: &str) -> Vec<VirtualService> {
    let parsed = parse(text);
    assert!(!parsed.has_errors(), "{:#?}", parsed.diagnostics);
    parsed.services.iter().map(|s| (*s.service).clone()).collect()
}

fn service(text: &str) -> VirtualService {
    services(text).remove(0)
}

/// One service under 10.0.0.1:80 with these members.
fn members(members: &[&str]) -> String {
    let lines: String = members.iter().map(|m| format!("\t{m}\n")).collect();
    format!("virtual = 10.0.0.1:80\n{lines}")
}

fn server(lines: &[&str]) -> RealServer {
    service(&members(lines)).servers.remove(0)
}

fn http(lines: &[&str]) -> HttpProbe {
    match &server(lines).check.probe {
        Probe::Http(probe) => (**probe).clone(),
        other => panic!("{other:?}"),
    }
}

/// Each error as `what the place says: message`.
fn said(text: &str, severity: Severity) -> Vec<String> {
    let parsed = parse(text);
    let wanted = parsed.diagnostics.iter().filter(|d| d.severity == severity);
    wanted.map(|d| format!("{}: {}", &text[d.place.span.clone()], d.message)).collect()
}

fn errors(text: &str) -> Vec<String> {
    said(text, Severity::Error)
}

fn warnings(text: &str) -> Vec<String> {
    said(text, Severity::Warning)
}

const REAL: &str = "real = 10.0.0.11:80 gate";

#[test]
fn the_howto_file_does_what_it_says() {
    let text = include_str!("../../../../conf.d/howto.cf");
    let service = service(text);
    assert_eq!(service.key.to_string(), "10.0.0.3:80/tcp");
    assert_eq!(service.settings.scheduler.as_str(), "wlc");
    assert_eq!((service.on_failure, service.on_stop), (FailureAction::Remove, StopAction::Remove));
    let rows: Vec<_> =
        service.servers.iter().map(|s| format!("{} {}", s.endpoint, s.destination)).collect();
    assert_eq!(rows, ["192.168.0.1:80 gate weight=5", "192.168.0.2:80 gate weight=5"]);
    let check = &service.servers[0].check;
    let ten = Duration::from_secs(10);
    assert_eq!((check.interval, check.retry, check.timeout), (ten, ten, ten));
    assert_eq!((check.rise, check.fall), (1, 1));
    assert!(Arc::ptr_eq(check, &service.servers[1].check));
    let Probe::Http(probe) = &check.probe else { panic!("{check:?}") };
    assert_eq!((probe.path.as_str(), probe.receive.as_deref()), ("/.testpage", Some("test page")));
    assert_eq!((probe.redirects, probe.method.as_str(), &probe.host), (7, "GET", &None));
    let severities: Vec<_> = parse(text).diagnostics.iter().map(|d| d.severity).collect();
    assert_eq!(severities, [Severity::Warning]);
}

#[test]
fn f17_blank_lines_remarks_and_carriage_returns_stand_where_they_like() {
    let text = "virtual=10.0.0.1:80\r\n\treal=10.0.0.11:80 gate\r\n\r\n# x\n   \n    \
                real=10.0.0.12:80 gate # two\nquiescent=yes   # remark\n\ncleanstop=no ";
    let service = service(text);
    assert_eq!(service.servers.len(), 2);
    assert_eq!((service.on_failure, service.on_stop), (FailureAction::Quiesce, StopAction::Keep));
}

#[test]
fn f17_a_hash_in_quotes_is_no_comment() {
    let probe = http(&[REAL, "request = \"/a\" # \"b\"", "receive = \"x # y\"#z"]);
    assert_eq!((probe.path.as_str(), probe.receive.as_deref()), ("/a", Some("x # y")));
}

#[test]
fn k01_numbers_are_read_with_whatever_surrounds_them() {
    let text = members(&[REAL, "checktimeout = 3s", "checktype = connect", "failurecount=2x"]);
    let check = service(&text).servers.remove(0).check;
    assert_eq!((check.timeout, check.fall), (Duration::from_secs(3), 2));
    assert_eq!(warnings(&text), ["2x: read as 2, as ldirectord does"]);
    assert_eq!(
        errors("checkinterval=0\nchecktimeout=x\n"),
        ["0: 0 is too small", "x: a number of at least 1 is needed"]
    );
}

#[test]
fn k01_numbers_too_large_to_count_to_are_the_most_there_is() {
    for count in ["99999", "99999999999"] {
        let text = members(&[REAL, &format!("failurecount={count}")]);
        assert_eq!(service(&text).servers[0].check.fall, u16::MAX);
        assert_eq!(warnings(&text), [format!("{count}: taken for 65535, which is the most")]);
    }
    let text = format!("checkinterval=9999999\nchecktimeout=9999999\n{}", members(&[REAL]));
    let check = service(&text).servers.remove(0).check;
    let month = Duration::from_secs(31 * 24 * 3600);
    assert_eq!((check.interval, check.timeout), (month, month));
    // ipvsadm refuses this to ldirectord, which has no such service then.
    let persistent = members(&[REAL, "persistent=9999999"]);
    assert_eq!(errors(&persistent), ["9999999: too large: at most 2678400"]);
}

#[test]
fn k01_addresses_may_be_short() {
    let text = "virtual=127.1:80\n\treal=10.1->10.0.3:80 masq\n\tfallback=10.1.256 masq\n";
    let service = service(text);
    assert_eq!(service.key.to_string(), "127.0.0.1:80/tcp");
    let servers: Vec<_> = service.servers.iter().map(|s| s.endpoint.to_string()).collect();
    assert_eq!(servers, ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"]);
    assert_eq!(service.fallback.unwrap().endpoint.to_string(), "10.1.1.0:80");
    assert_eq!(warnings(text)[0], "127.1: read as 127.0.0.1, as ldirectord does");
    // Octal, too large, and more likely half an address than the whole of one.
    for host in ["192.168.010.1", "10.08", "256.1", "10.1.65536", "10.", "12"] {
        let said = format!("{host}: {host} has no IPv4 address");
        assert_eq!(errors(&members(&[&format!("real={host}:80 masq")])), [said]);
    }
}

#[test]
fn a_netmask_without_persistent_need_not_be_one() {
    for mask in ["255.0.255.0", "0.0.0.999"] {
        let text = members(&[REAL, &format!("netmask={mask}")]);
        assert_eq!(warnings(&text), [format!("{mask}: netmask has no effect without persistent")]);
        assert_eq!(service(&text).settings.persistence, None);
    }
    let said = "24: a netmask is written 255.255.255.0, its ones first";
    assert_eq!(errors(&members(&[REAL, "netmask=24"])), [said]);
}

#[test]
fn schedflags_may_stand_in_quotes() {
    let text = members(&[REAL, "scheduler=sh", "schedflags=\"sh-port,sh-fallback\""]);
    assert_eq!(service(&text).settings.scheduler_flags.bits(), 3);
    let open = members(&[REAL, "schedflags=\"sh-port"]);
    assert_eq!(errors(&open), ["\"sh-port: unknown scheduler flag"]);
}

#[test]
fn httpmethod_may_stand_in_quotes() {
    assert_eq!(http(&[REAL, "httpmethod=\"HEAD\""]).method, "HEAD");
    assert_eq!(http(&[REAL, "httpmethod=\"get\""]).method, "GET");
}

#[test]
fn timeouts_are_the_first_that_is_set() {
    let timeout = |head: &str, lines: &[&str]| {
        service(&format!("{head}\n{}", members(lines))).servers[0].check.timeout.as_secs()
    };
    let connect = [REAL, "checktype=connect"];
    assert_eq!(timeout("", &connect), 5);
    assert_eq!(timeout("", &[REAL]), 30);
    assert_eq!(timeout("checktimeout=3", &[REAL]), 3);
    assert_eq!(timeout("timeout=4", &connect), 4);
    assert_eq!(timeout("timeout=4\nchecktimeout=3", &[REAL]), 4);
    let beaten = ["negotiatetimeout=20", REAL, "checktype=connect"];
    assert_eq!(timeout("checktimeout=3", &beaten), 20);
    assert_eq!(timeout("", &[REAL, "checktype=ping", "checkcount=3"]), 15);
}

#[test]
fn fork_lets_a_service_have_an_interval_of_its_own() {
    let own = members(&[REAL, "checktype=connect", "checkinterval=3"]);
    let interval = |text: &str| service(text).servers[0].check.interval.as_secs();
    assert_eq!(interval(&format!("fork=yes\n{own}")), 3);
    assert_eq!(interval(&own), 10);
    let warned = "3: a service's own checkinterval counts only with fork = yes";
    assert_eq!(warnings(&own), [warned]);
}

#[test]
fn k01_quotes_may_stand_round_any_word_and_a_name_may_be_empty() {
    let quoted = ["scheduler=\"rr\"", "protocol=\"udp\"", "checkport=\"81\"", "checktype=\"ping\""];
    let plain = quoted.map(|line| line.replace('"', ""));
    let plain = plain.each_ref().map(String::as_str);
    assert_eq!(service(&members(&quoted)), service(&members(&plain)));
    let empty = service(&members(&["servicename=", "comment=", "virtualhost="]));
    assert_eq!(empty, service(&members(&[])));
}

#[test]
fn connecttimeout_is_refused_and_load_changes_nothing() {
    assert_eq!(
        errors("connecttimeout=3\n"),
        ["connecttimeout: connecttimeout is no longer a directive"]
    );
    let with = |members: &[&str]| server(&[&[REAL][..], members].concat());
    assert_eq!(with(&["load=\"x\""]), with(&[]));
}

#[test]
fn k17_gate_takes_the_port_of_the_service_and_the_check_the_written_one() {
    let gate = server(&["real = 10.0.0.11:8080 gate"]);
    assert_eq!((gate.endpoint.port, gate.check_endpoint.port), (80, 8080));
    assert_eq!(gate.written().to_string(), "10.0.0.11:8080");
    let masq = server(&["real = 10.0.0.11:8080 masq", "checkport = 9"]);
    assert_eq!((masq.endpoint.port, masq.check_endpoint.port), (8080, 9));
    let mark = service("virtual=7\n\treal=web1 gate\n\tservice=http\n").servers.remove(0);
    assert_eq!((mark.endpoint.port, mark.check_endpoint.port), (0, 80));
    assert_eq!(mark.written_port, 0);
}

#[test]
fn ranges_are_written_out() {
    let all = service(&members(&["real = 59.154.201.254->59.154.202.1:80 masq 3 l:1 u:9"]));
    let rows: Vec<_> =
        all.servers.iter().map(|s| format!("{} {}", s.endpoint, s.destination)).collect();
    assert_eq!(rows[1], "59.154.201.255:80 masq weight=3 upper=9 lower=1");
    assert_eq!(rows.len(), 4);
    let six = service("virtual6=[::1]:80\n\treal6=[fe80::ffff]->[fe80::1:1]:80 gate\n");
    assert_eq!(six.servers.len(), 3);
}

#[test]
fn f07_d06_a_reals_own_pair_counts_with_and_without_slash() {
    for line in ["real=web1:80 gate 1 \"/s\", \"up\"", "real=web1:http gate \"s\" \"up\""] {
        let probe = http(&[line, "request=\"/x\"", "receive=\"y\""]);
        assert_eq!((probe.path.as_str(), probe.receive.as_deref()), ("/s", Some("up")));
    }
    let probe = http(&["real=web1:80 gate 1 \"page 200 x\",\"\"", "receive=\"y\""]);
    assert_eq!((probe.path.as_str(), probe.receive), ("/page%20200%20x", None));
}

#[test]
fn k12_a_reals_own_url_leads_elsewhere() {
    let url = "real=10.0.0.11:80 gate 1 \"http://me:pw@10.0.0.99:81/x\", \"up\"";
    let real = server(&[url]);
    assert_eq!(real.check_endpoint.to_string(), "10.0.0.99:81");
    let Probe::Http(probe) = &real.check.probe else { panic!("{real:?}") };
    assert_eq!((probe.path.as_str(), probe.host.as_deref()), ("/x", Some("10.0.0.11")));
    assert_eq!(probe.login, Some(("me".into(), "pw".into())));
}

#[test]
fn k12_the_host_of_a_reals_own_url_is_the_real_or_the_virtualhost() {
    let host = |url: &str, more: &[&str]| {
        let real = format!("real=10.0.0.11:80 gate 1 \"{url}\", \"up\"");
        http(&[&[&*real], more].concat()).host
    };
    assert_eq!(host("http://web1:81/x", &[]).as_deref(), Some("10.0.0.11"));
    assert_eq!(host("http://web1:81/x", &["virtualhost=v"]).as_deref(), Some("v"));
    let https = ["service=https"];
    assert_eq!(host("https://10.0.0.99/x", &https).as_deref(), Some("10.0.0.11"));
    // A name is asked for in TLS as well.
    assert_eq!(host("https://web1/x", &https).as_deref(), Some("web1"));
    let six = "virtual6=[::1]:80\n\treal6=[fe80::1]:80 gate 1 \"http://[fe80::2]/x\", \"up\"\n";
    let Probe::Http(probe) = &service(six).servers[0].check.probe else { panic!() };
    assert_eq!(probe.host.as_deref(), Some("[fe80::1]"));
}

#[test]
fn k12_a_proxy_is_asked_for_the_whole_url_whose_port_the_host_has() {
    let asked = |real: &str| {
        let proxy = ["service=http_proxy", "request=\"http://www.x.y:81/a\"", "virtualhost=v"];
        let probe = http(&[&[real], &proxy[..]].concat());
        (probe.path, probe.host)
    };
    assert_eq!(asked("real=web1:3128 masq"), ("http://www.x.y:81/a".into(), None));
    let own = asked("real=10.0.0.11:3128 masq 1 \"http://u:p@b:82/y\", \"up\"");
    assert_eq!(own, ("http://b:82/y".into(), None));
    // Its own words that are no URL are a page of the proxy itself.
    let page = asked("real=10.0.0.11:3128 masq 1 \"page\", \"up\"");
    assert_eq!(page, ("http://10.0.0.11:3128/page".into(), None));
}

#[test]
fn k01_words_before_the_weight_do_not_count() {
    for line in ["real=web1:80 gate -w 4", "real=web1:80 gate weight 4"] {
        assert_eq!(server(&[line]).destination.weight, 4);
    }
    assert_eq!(server(&["real=web1:80 gate 0"]).destination.weight, 0);
}

#[test]
fn the_check_follows_type_service_and_protocol() {
    let probe = |text: &str| service(text).servers[0].check.probe.clone();
    let with =
        |virt: &str, lines: &str| probe(&format!("virtual={virt}\n\treal=web1:80 masq\n{lines}"));
    assert_eq!(with("10.0.0.1:80", "\tchecktype=connect\n"), Probe::Connect);
    assert_eq!(with("7", "\tchecktype=connect\n"), Probe::Connect);
    assert_eq!(with("10.0.0.1:80", "\tchecktype=\"on\"\n"), Probe::On);
    assert_eq!(with("10.0.0.1:80", "\tchecktype=off\n"), Probe::AsFound);
    assert_eq!(with("10.0.0.1:8080", ""), Probe::On);
    assert_eq!(with("10.0.0.1:25", ""), Probe::Smtp);
    assert_eq!(with("10.0.0.1:587", ""), Probe::Smtp);
    assert_eq!(with("10.0.0.1:119", ""), Probe::Nntp);
    assert_eq!(
        with("10.0.0.1:80", "\tprotocol=udp\n\tchecktype=connect\n"),
        Probe::Ping(PingProbe { count: 1 })
    );
    assert!(matches!(with("10.0.0.1:443", ""), Probe::Http(p) if p.tls.is_some()));
    assert!(matches!(with("7", "\tservice=ftp\n"), Probe::Ftp(p) if p.login == "anonymous"));
    assert!(matches!(with("10.0.0.1:80", "\tchecktype=3\n"), Probe::Http(_)));
}

#[test]
fn k09_an_external_check_gets_the_four_arguments() {
    let text = "virtual6=[2001:db8::1]:80\n\treal6=web1:81 masq\n\tchecktype=external\n\
                \tcheckcommand=/bin/x\n\tcheckport=9\n";
    let real = service(text).servers.remove(0);
    let Probe::External(probe) = &real.check.probe else { panic!("{real:?}") };
    let own = ["/bin/x", "{virtual_address}", "{virtual_port}", "{address}", "{port}"];
    assert_eq!(probe.argv, own);
    assert_eq!((probe.virtual_address.as_str(), probe.virtual_port), ("[2001:db8::1]", 80));
    assert_eq!(real.check_endpoint.port, 81);
    let mark = service("virtual=7\n\treal=web1 gate\n\tchecktype=external\n\tcheckcommand=x\n");
    let Probe::External(probe) = &mark.servers[0].check.probe else { panic!("{mark:?}") };
    assert_eq!((probe.virtual_address.as_str(), probe.virtual_port), ("7", 0));
}

#[test]
fn k01_globals_below_a_service_govern_it_and_its_own_lines_win() {
    let text = "virtual=10.0.0.1:80\n\treal=web1:80 masq\n\tfallback=10.0.0.9:http masq\n\
                virtual=7\n\treal=web1 masq\n\tchecktype=on\nfallback=127.0.0.1:8080\nquiescent=yes\n";
    let all = services(text);
    let fallback = |at: usize| all[at].fallback.unwrap();
    assert_eq!(fallback(0).endpoint.to_string(), "10.0.0.9:80");
    assert_eq!(fallback(1).endpoint.to_string(), "127.0.0.1:8080");
    assert_eq!(fallback(1).destination.to_string(), "gate weight=1");
    assert_eq!(all[1].on_failure, FailureAction::Quiesce);
}

#[test]
fn settings_of_the_service_are_kept() {
    let text = "virtual=10.0.0.1:0\n\treal=web1 gate\n\tprotocol=udp\n\tscheduler=sh\n\tops=yes\n\
                \tschedflags=sh-port,sh-fallback\n\tpersistent=600\n\tnetmask=255.255.0.0\n\
                \tservicename=My service\n\tchecktype=on\n\tfork=no\n";
    let text = text.replace("\tfork=no\n", "");
    let service = service(&text);
    let settings = service.settings;
    assert!(settings.one_packet);
    assert_eq!(settings.scheduler_flags.bits(), 3);
    let mask = Netmask::V4("255.255.0.0".parse().unwrap());
    assert_eq!(settings.persistence, Some(Persistence { timeout: 600, netmask: mask }));
    assert_eq!(service.name.as_deref(), Some("My service"));
}

#[test]
fn traps_of_ldirectord_are_errors() {
    for (text, message) in [
        ("virtual=10.0.0.1\n", "10.0.0.1: the port is missing"),
        ("virtual=0\n", "0: a firewall mark is a number from 1 to 4294967295"),
        ("virtual=10.0.0.256:80\n", "10.0.0.256: 10.0.0.256 has no IPv4 address"),
        ("virtual=[::1]:80\n", "[::1]:80: an IPv6 address"),
        ("virtual=nowhere:80\n", "nowhere: nowhere has no IPv4 address"),
        ("virtual=10.0.0.1:telnet\n", "telnet: there is no port called telnet"),
        ("virtual=10.0.0.1:0\n", "0: port 0 means every port and needs persistent"),
    ] {
        assert_eq!(errors(text), [message], "{text}");
    }
    for (line, message) in [
        ("checktype=external2", "external2: unknown checktype"),
        ("scheduler=Wlc", "Wlc: a scheduler is at most 15 lower-case letters"),
        ("real=10.0.0.2::80 gate", "10.0.0.2::80: this is not an address and a port"),
        (
            "real=10.0.0.1,10.0.0.2:80 gate",
            "10.0.0.1,10.0.0.2:80: this is not an address or the name of a host",
        ),
        ("real=10.0.0.2:80", "10.0.0.2:80: the forwarding method is missing"),
        ("real=10.0.0.2:80 Gate", "Gate: the forwarding method must be gate, masq or ipip"),
        ("real=10.0.0.2:80 gate 5s", "5s: this does not belong here"),
        ("real=10.0.0.9->10.0.0.2:80 gate", "10.0.0.9->10.0.0.2:80: this range is reversed"),
        (
            "real=10.0.0.0->10.9.0.0:80 gate",
            "10.0.0.0->10.9.0.0:80: a range has at most 4096 addresses",
        ),
        (
            "real=10.0.0.2:80 gate \"l:5\" \"u:9\"",
            "\"l:5\" \"u:9\": thresholds in quotes are read as a request",
        ),
        (
            "real=10.0.0.2:80 gate \"a\"",
            "\"a\": a real's own request must be followed by what to receive",
        ),
        ("real=10.0.0.2:80 gate 1 junk", "junk: this does not belong here"),
        ("real6=[::1]:80 gate", "real6: real6 does not go with this virtual service"),
        ("fallback=", "fallback: fallback has no value"),
        (
            "fallback=10.0.0.9:80 gate x",
            "x: nothing may follow the forwarding method of a fallback",
        ),
        ("request=/x", "/x: must be in double quotes"),
        ("receive=\"\"", "\"\": must not be empty"),
        (
            "receive=\"(?{1})\"",
            "(?{1}): receive is not a usable pattern: at character 1: code in a pattern is never run",
        ),
        ("httpmethod=POST", "POST: httpmethod must be GET or HEAD"),
        ("checkport=70000", "70000: checkport must be a number from 1 to 65535"),
        ("quiescent=Yes", "Yes: must be yes or no"),
        ("protocol=fwm", "fwm: the protocol of an address is tcp, udp or sctp"),
        (
            "persistent=5\n\tnetmask=255.0.255.0",
            "255.0.255.0: a netmask is written 255.255.255.0, its ones first",
        ),
        ("schedflags=sh-ports", "sh-ports: unknown scheduler flag"),
        ("service=htpp", "htpp: unknown service"),
        ("autoreload=yes", "autoreload: unknown directive autoreload"),
        ("emailalertstatus=none,all", "none,all: none must stand alone"),
    ] {
        assert_eq!(errors(&members(&[REAL, line])), [message], "{line}");
    }
}

#[test]
fn unknown_directives_come_with_the_nearest_known() {
    let hints = |text: &str| -> Vec<Option<String>> {
        let parsed = parse(text);
        let errors = parsed.diagnostics.into_iter().filter(|d| d.severity == Severity::Error);
        errors.map(|d| d.hint).collect()
    };
    assert_eq!(hints("chekinterval=3\n"), [Some("did you mean checkinterval?".into())]);
    assert_eq!(hints(&members(&["shceduler=wlc"])), [Some("did you mean scheduler?".into())]);
    assert_eq!(hints("Virtual=10.0.0.1:80\n\treal=x\n")[0], Some("did you mean virtual?".into()));
    assert!(hints("real=10.0.0.1:80 gate\n")[0].as_ref().unwrap().contains("indent"));
    assert!(hints(&members(&["fork=yes"]))[0].as_ref().unwrap().contains("column 0"));
    assert_eq!(
        errors(&members(&["junk", "real"])),
        ["junk: unknown directive junk", "real: real has no value",]
    );
}

#[test]
fn k01_a_remark_may_follow_the_service_address_without_a_blank() {
    let key = |line: &str| service(&format!("{line}\n\t{REAL}\n")).key.to_string();
    assert_eq!(key("virtual=10.0.0.1:80#www"), "10.0.0.1:80/tcp");
    assert_eq!(key("virtual=7#www"), "fwmark:7");
}

#[test]
fn all_mistakes_are_told_at_once_and_a_lost_block_does_not_multiply_them() {
    let text = "chektimeout=3\nvitrual = 10.0.0.1:80\n\treal=10.0.0.11:80 gate\nwhat is this\n\
                virtual = 10.0.0.2:80\n\treal=10.0.0.11:80 gat\n\tsheduler=rr\n";
    assert_eq!(
        errors(text),
        [
            "chektimeout: unknown directive chektimeout",
            "vitrual: unknown directive vitrual",
            "what is this: this is not a directive",
            "gat: the forwarding method must be gate, masq or ipip",
            "sheduler: unknown directive sheduler",
        ]
    );
    assert_eq!(warnings(text), [""; 0]);
}

#[test]
fn twice_the_same_is_an_error_naming_both_places() {
    let text = "virtual=10.0.0.1:80\n\treal=10.0.0.11:80 gate\n\treal=web1:8080 gate\n\
                virtual=10.0.0.1:http\n\treal=web1:80 masq\n";
    let parsed = parse(text);
    let found: Vec<_> = parsed
        .diagnostics
        .iter()
        .filter(|d| d.severity == Severity::Error)
        .map(|d| (&text[d.place.span.clone()], &text[d.related[0].0.span.clone()]))
        .collect();
    assert_eq!(found, [("web1:8080", "10.0.0.11:80"), ("10.0.0.1:http", "10.0.0.1:80")]);
}

#[test]
fn a_bare_supervised_is_taken_and_warned_of() {
    let text = "supervised\nvirtual=10.0.0.1:25\n\treal=web1:25 gate\n\tchecktype=connect\n";
    assert!(!parse(text).has_errors());
    assert_eq!(
        warnings(text),
        ["supervised: a bare supervised means supervised = yes; write that"]
    );
}

#[test]
fn traps_that_work_are_warned_of() {
    for (text, part) in [
        ("virtual=10.0.0.1:8080\n\treal=web1:80 masq\n", "nothing is checked"),
        ("virtual=10.0.0.1:80\n", "no real server"),
        ("fallback=10.0.0.11:80\nvirtual=10.0.0.1:80\n\treal=web1:80 gate\n", "is also a real"),
        ("virtual=10.0.0.1:80\n  real=web1:80 gate\n", "fewer than four"),
        ("virtual=10.0.0.1:80\n\treal=web1:80 gate\n\tscheduler=wlcc\n", "no scheduler"),
        ("virtual=10.0.0.1:80\n\treal=web1:80 gate 1 \"/x\",\"y\"\n", "this request counts"),
        ("virtual=7\n\treal=web1 gate\n\tchecktype=connect\n", "no port to check"),
        ("virtual=10.0.0.1:80\n\treal=web1:80 gate\n\tcheckinterval=3\n", "fork = yes"),
        (
            "virtual=10.0.0.1:80\n\treal=10.1.0.1->10.1.0.2:80 gate\n\tscheduler=mh\n",
            "refuses the clients",
        ),
    ] {
        let found = warnings(text);
        assert!(found.len() == 1 && found[0].contains(part), "{text}: {found:?}");
        assert_eq!(errors(text), [""; 0]);
    }
}

#[test]
fn a_file_of_garbage_is_a_bounded_number_of_errors() {
    let parsed = parse(&"garbage in\n".repeat(100_000));
    assert_eq!(parsed.diagnostics.len(), 101);
    let many = format!("virtual=10.0.0.1:80\n{}", "\tcomment=x\n".repeat(5000));
    assert!(parse(&many).diagnostics.len() < 1010);
}

proptest::proptest! {
    #[test]
    fn no_text_panics_and_every_place_is_in_it(
        lines in proptest::collection::vec(
            r##"(virtual|virtual6|\t(real|request|receive|fallback|checktype|persistent|netmask|protocol|service)|    real6|timeout|fork|[a-z]{1,6}) ?= ?[\PC"#:>\[\]\-, 0-9a-f.]{0,30}(gate|masq)?[ 0-9",lu:é#]{0,12}\r?"##,
            0..8,
        )
    ) {
        let text = lines.join("\n");
        for diagnostic in parse(&text).diagnostics {
            proptest::prop_assert!(text.get(diagnostic.place.span.clone()).is_some());
        }
    }
}
