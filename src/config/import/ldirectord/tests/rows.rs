//! What is fixed (F), kept (K) and decided (D) of ldirectord, as far as reading its files goes. The
//! engine's part is in `tests/simulation/ldirectord.rs`.

use super::*;

#[test]
fn k14_checktype_n_is_a_negotiate_and_n_connects() {
    let check = |service: &str, lines: &[&str]| {
        let all: String = lines.iter().map(|line| format!("\t{line}\n")).collect();
        (*services(&format!("virtual={service}\n\treal=web1:80 masq\n{all}"))[0].servers[0].check)
            .clone()
    };
    let seconds = Duration::from_secs;
    let combined = check("10.0.0.1:80", &["checktype=3", "checktimeout=2", "negotiatetimeout=7"]);
    assert!(matches!(combined.probe, Probe::Http(_)));
    assert_eq!(combined.timeout, seconds(7));
    let connects = |probe| Some(Between { times: 3, probe, timeout: seconds(2) });
    assert_eq!(combined.between, connects(Probe::Connect));
    assert_eq!(check("10.0.0.1:80", &["checktype=0"]).between, None);
    // By UDP the connects count as made: nothing is sent.
    let udp = ["protocol=udp", "service=http", "checktype=3", "checktimeout=2"];
    assert_eq!(check("10.0.0.1:80", &udp).between, connects(Probe::On));
    // Without a service to negotiate with only the connects remain.
    let none = check("10.0.0.1:8080", &["checktype=3"]);
    assert_eq!((none.probe, none.between), (Probe::Connect, None));
    assert_eq!(
        errors(&members(&[REAL, "checktype=70000"])),
        ["70000: at most 65535 connects between two checks"]
    );
}

#[test]
fn k14_connect_by_udp_is_a_ping() {
    let probe = &server(&[REAL, "protocol=udp", "checktype=connect"]).check.probe;
    assert_eq!(*probe, Probe::Ping(PingProbe { count: 1 }));
}

#[test]
fn k10_maintenancedir_is_a_folder_from_the_root() {
    let folder = |line: &str| service(&format!("{line}\n{}", members(&[REAL]))).maintenance_dir;
    let expected = Some(Arc::new(PathBuf::from("/etc/ha.d/maintenance")));
    assert_eq!(folder("maintenancedir = /etc/ha.d/maintenance"), expected);
    assert_eq!(folder("maintenancedir=\"/etc/ha.d/maintenance\""), expected);
    assert_eq!(folder("maintenancedir=etc/ha.d/maintenance"), expected);
    assert_eq!(folder(""), None);
    assert_eq!(warnings("maintenancedir=x\n"), ["x: taken as /x"]);
}

#[test]
fn k03_k04_readdquiescent_says_what_is_let_be() {
    let by_hand = |head: &str| service(&format!("{head}\n{}", members(&[REAL]))).by_hand;
    assert_eq!(by_hand(""), ByHand::KeepWeightsAndRemovals);
    assert_eq!(by_hand("readdquiescent=no"), ByHand::KeepWeightsAndRemovals);
    assert_eq!(by_hand("readdquiescent=yes"), ByHand::KeepWeights);
    assert_eq!(by_hand("quiescent=yes"), ByHand::KeepWeightsAndRemovals);
}

#[test]
fn k03_quiescent_is_no_where_nothing_is_said() {
    assert_eq!(service(&members(&[REAL])).on_failure, FailureAction::Remove);
    assert_eq!(service(&members(&[REAL, "quiescent=yes"])).on_failure, FailureAction::Quiesce);
}

#[test]
fn k06_fallback_has_weight_1_and_is_gate_where_nothing_is_said() {
    let fallback = service(&members(&[REAL, "fallback=127.0.0.1"])).fallback.unwrap();
    assert_eq!(fallback.destination.to_string(), "gate weight=1");
    assert_eq!(fallback.endpoint.to_string(), "127.0.0.1:80");
}

#[test]
fn f14_global_fallback_serves_firewall_marks_with_port_0() {
    let mark = "\nvirtual=7\n\treal=web1 gate\n\tchecktype=on\n";
    for (line, at) in [
        ("fallback=127.0.0.1", "127.0.0.1:0"),
        ("fallback=127.0.0.1:80", "127.0.0.1:80"),
        // Of a name that only TCP knows, too.
        ("fallback=127.0.0.1:http", "127.0.0.1:80"),
    ] {
        let fallback = service(&format!("{line}{mark}")).fallback.unwrap();
        assert_eq!(fallback.endpoint.to_string(), at, "{line}");
    }
}

#[test]
fn f15_service_without_port_is_an_error_not_a_firewall_mark() {
    assert_eq!(errors("virtual=10.0.0.1\n"), ["10.0.0.1: the port is missing"]);
    assert_eq!(errors("virtual=0\n"), ["0: a firewall mark is a number from 1 to 4294967295"]);
}

#[test]
fn f16_words_count_whole_or_not_at_all() {
    for line in [
        "checktype=external2",
        "checktype=connect 5",
        "scheduler=Wlc",
        "scheduler=my-sched",
        "real=10.0.0.2::80 gate",
        "real=10.0.0.1,10.0.0.2:80 gate",
        "real=10.0.0.2:80 gate \"l:5\" \"u:9\"",
    ] {
        assert_eq!(errors(&members(&[REAL, line])).len(), 1, "{line}");
    }
    // Digits in a request are no weight, and thresholds come in either order.
    let row = server(&["real=10.0.0.2:80 gate \"page 200 x\", \"OK\" u:9 l:5"]).destination;
    assert_eq!((row.weight, row.upper, row.lower), (1, 9, 5));
}

#[test]
fn f10_pattern_that_cannot_be_used_is_an_error_of_the_file() {
    for pattern in ["(", "(?{ system 'x' })"] {
        let line = format!("receive=\"{pattern}\"");
        assert_eq!(errors(&members(&[REAL, &line])).len(), 1, "{pattern}");
    }
}

#[test]
fn f13_fallback_that_is_also_a_real_server_is_warned_of() {
    let text = members(&["real=127.0.0.1:80 gate", "fallback=127.0.0.1:80"]);
    assert_eq!(
        warnings(&text),
        ["127.0.0.1: the fallback 127.0.0.1:80 is also a real server of a service"]
    );
}

#[test]
fn f25_real_without_port_in_an_address_service_has_the_services() {
    let gate = server(&["real=10.0.0.11 gate", "service=http"]);
    assert_eq!((gate.endpoint.port, gate.check_endpoint.port), (80, 80));
    let masq = server(&["real=10.0.0.11 masq", "service=http"]);
    assert_eq!(masq.endpoint.port, 80);
}

#[test]
fn f29_sctp_one_packet_marks_and_ranges_of_ipv6_work() {
    let sctp = service("virtual=10.0.0.1:3868\n\tprotocol=sctp\n\treal=web1:3868 masq\n");
    assert_eq!(sctp.key.to_string(), "10.0.0.1:3868/sctp");
    let connects = |lines: &str| {
        let head = "virtual=10.0.0.1:3868\n\tprotocol=sctp\n\treal=web1:3868 masq\n";
        let check = service(&format!("{head}{lines}")).servers[0].check.clone();
        (check.probe.clone(), check.between.clone().map(|between| between.probe))
    };
    assert_eq!(connects("\tchecktype=connect\n"), (Probe::Associate, None));
    assert_eq!(connects("\tchecktype=3\n"), (Probe::Associate, None));
    let (_, between) = connects("\tchecktype=3\n\tservice=http\n");
    assert_eq!(between, Some(Probe::Associate));
    let mark = service("virtual=7\n\tops=yes\n\treal=web1 gate\n");
    assert!(mark.settings.one_packet);
    let six = service("virtual6=[::1]:80\n\treal6=[fe80::1]->[fe80::9]:80 gate\n");
    assert_eq!(six.servers.len(), 9);
}

#[test]
fn k01_what_comes_last_wins() {
    let text = "checkinterval=3\ncheckinterval=4\nvirtual=10.0.0.1:80 ignored\n\
                \treal=web1:80 gate\n\tscheduler=rr\n\tscheduler=wlc\n";
    let service = service(text);
    assert_eq!(service.settings.scheduler.as_str(), "wlc");
    assert_eq!(service.servers[0].check.interval, Duration::from_secs(4));
}

#[test]
fn k01_text_after_the_closing_quote_does_not_count() {
    let text = members(&[REAL, "request=\"/a\" and more"]);
    let Probe::Http(probe) = &service(&text).servers[0].check.probe.clone() else { panic!() };
    assert_eq!(probe.path, "/a");
    assert_eq!(warnings(&text), ["and more: text after the closing quote does not count"]);
}

#[test]
fn k07_weight_zero_is_legal() {
    let text = members(&["real=10.0.0.11:80 gate 0"]);
    assert_eq!(server(&["real=10.0.0.11:80 gate 0"]).destination.weight, 0);
    assert_eq!(warnings(&text), [""; 0]);
}

#[test]
fn k12_redirects_are_followed_only_2xx_is_good_and_the_host_has_no_port() {
    let probe = http(&["real=10.0.0.11:8080 masq"]);
    assert_eq!((probe.redirects, probe.status, probe.host), (7, StatusRanges::default(), None));
    let named = http(&["real=10.0.0.11:8080 masq", "virtualhost=www.example.com"]);
    assert_eq!(named.host.as_deref(), Some("www.example.com"));
}

#[test]
fn d03_certificates_are_not_verified_and_the_name_asked_for_is_the_virtualhost() {
    let text = "virtual=10.0.0.1:443\n\treal=web1:443 gate\n\tvirtualhost=www.example.com\n";
    let check = service(text).servers.remove(0).check;
    let Probe::Http(probe) = &check.probe else { panic!("{check:?}") };
    assert_eq!(probe.tls, Some(Tls { verify: false, ca_file: None }));
    assert_eq!(probe.host.as_deref(), Some("www.example.com"));
}

#[test]
fn d04_service_none_is_always_up_and_said_once() {
    let text = "virtual=10.0.0.1:8080\n\treal=web1:80 masq\n\treal=10.0.0.12:80 masq\n";
    assert!(service(text).servers.iter().all(|server| server.check.probe == Probe::On));
    assert_eq!(warnings(text), ["10.0.0.1:8080: nothing is checked: its servers are always up"]);
}

#[test]
fn d07_oldest_dialect_is_taken_with_warnings() {
    let text = "timeout = 4\nvirtual = 10.0.0.1:80\n  real=10.0.0.11:80 gate\n";
    assert_eq!(service(text).servers[0].check.timeout, Duration::from_secs(4));
    assert_eq!(warnings(text).len(), 2);
}

#[test]
fn d08_redirects_to_other_hosts_are_followed() {
    assert_eq!(http(&[REAL]).redirects, 7);
}

#[test]
fn d09_checktype_off_takes_nobody_in_and_keeps_its_fallback() {
    let off = service(&members(&[REAL, "checktype=off", "fallback=127.0.0.1"]));
    assert_eq!(off.servers[0].check.probe, Probe::AsFound);
    assert!(off.fallback.is_some());
}

#[test]
fn d10_servers_stand_in_the_order_of_the_file() {
    let lines = ["real=10.0.0.12:80 gate", "real=10.0.0.11:80 gate", "real=10.0.0.13:80 gate"];
    let order: Vec<_> =
        service(&members(&lines)).servers.iter().map(|s| s.endpoint.address.to_string()).collect();
    assert_eq!(order, ["10.0.0.12", "10.0.0.11", "10.0.0.13"]);
}
