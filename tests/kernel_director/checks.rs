//! Every kind of check, against daemons that are well, wrong and silent.

use super::*;
use crate::lab::{Forward, Ftp, Manner, Nginx, Sctp, Site};

/// One service per check, on ports 9001 and up; its name and the check as the file has it, and
/// which of the three servers are well by it.
const CHECKS: &[(&str, &str, &[usize])] = &[
    ("ping", "ping: {}", &[0, 1]),
    ("connect", "connect: {}, port: 80", &[0, 2]),
    ("http", "http: {request: /.testpage, receive: test page}, port: 80", &[0]),
    ("http status", "http: {request: /missing}, port: 80", &[]),
    ("http wanted status", "http: {request: /missing, status: [404]}, port: 80", &[0]),
    ("http pattern", "http: {request: /.testpage, receive: '^a t\\w+ page$'}, port: 80", &[0]),
    (
        "https",
        "https: {request: /.testpage, receive: test page, host: www.lab.test}, port: 443",
        &[0],
    ),
    ("https verified", "https: {request: /.testpage, verify: true}, port: 443", &[]),
    ("ftp", "ftp: {request: page.html, receive: test page}, port: 21", &[0]),
    ("ftp pattern", "ftp: {request: page.html, receive: other page}, port: 21", &[]),
    ("external", "external: [/usr/bin/test, '{address}', '=', '10.1.0.21']", &[0]),
    ("external silent", "external: [/bin/sleep, '3600']", &[]),
    ("external missing", "external: [/no/such/program]", &[]),
    ("on", "on", &[0, 1, 2]),
    ("off", "off", &[]),
];

/// Nothing was learned of the server.
fn is_missing(server: &serde_json::Value) -> bool {
    let trouble = server["check"]["local_error"].as_str().unwrap_or_default();
    trouble.contains("/no/such/program: no such file or directory")
}

#[test]
fn each_check_tells_the_well_from_the_wrong_and_the_silent() {
    if !lab::inside() {
        return;
    }
    let site = Site::new(Forward::Masq, 3);
    let _nginx = Nginx::start(&site.servers[0], &[("/.testpage", "a test page")]);
    let _ftp = Ftp::start(&site.servers[0]);
    // Server 1 answers echo requests and refuses everything else; server 2 takes every
    // connection, says nothing, and ignores echo requests.
    let silent: Vec<Web> = [80, 443, 21]
        .into_iter()
        .map(|port| {
            let web = Web::start(&site.servers[2], port);
            web.behave(Manner::Hangs);
            web
        })
        .collect();
    site.servers[2].sysctl("net/ipv4/icmp_echo_ignore_all", "1");

    let mut text = String::new();
    for (i, (name, check, _)) in CHECKS.iter().enumerate() {
        let check = match *check {
            "on" | "off" => (*check).to_owned(),
            check => format!("{{{check}, interval: 3s, timeout: 2500ms}}"),
        };
        text += &format!(
            "- virtual: {VIP}:{}\n  name: {name}\n  forward: masq\n  \
             real: ['10.1.0.21:9', '10.1.0.22:9', '10.1.0.23:9']\n  \
             check: {check}\n",
            9001 + i
        );
    }
    let director = Director::start(&site.director, &[("checks.yaml", &text)]);
    eventually_true("every check has its verdict", PATIENCE, || {
        let Some(status) = director.status() else { return false };
        let services = status["services"].as_array().unwrap();
        services.len() == CHECKS.len()
            && services
                .iter()
                .flat_map(|service| service["servers"].as_array().unwrap())
                .all(|server| server["verdict"] != "unknown" || is_missing(server))
    });
    in_sync(&director);

    // Real daemons fork for each answer; on a busy guest a single one may come too late.
    for (i, (_, _, well)) in CHECKS.iter().enumerate() {
        let wanted: Vec<(String, u32)> =
            well.iter().map(|server| (format!("10.1.0.{}:9", 21 + server), 1)).collect();
        settles(&site, &format!("TCP {VIP}:{}", 9001 + i), &wanted);
    }
    drop(silent);
}

#[test]
fn checks_work_over_ipv6() {
    if !lab::inside() {
        return;
    }
    let site = Site::new(Forward::Masq, 2);
    let _nginx = Nginx::start(&site.servers[0], &[("/.testpage", "a test page")]);
    let checks = [
        "ping: {}, port: 80",
        "connect: {}",
        "http: {request: /.testpage, receive: test page}",
        "https: {request: /.testpage, receive: test page}, port: 443",
    ];
    site.servers[1].sysctl("net/ipv6/icmp/echo_ignore_all", "1");
    let text: String = checks
        .iter()
        .enumerate()
        .map(|(i, check)| {
            format!(
                "- virtual: '[{VIP6}]:{}'\n  forward: masq\n  \
                 real: ['[2001:db8:2::21]:80', '[2001:db8:2::22]:80']\n  \
                 check: {{{check}, interval: 1s, timeout: 800ms}}\n",
                9001 + i
            )
        })
        .collect();
    let _director = Director::start(&site.director, &[("six.yaml", &text)]);
    for i in 0..checks.len() {
        let service = format!("TCP [{VIP6}]:{}", 9001 + i);
        settles(&site, &service, &[("[2001:db8:2::21]:80".into(), 1)]);
    }
}

#[test]
fn one_silent_server_delays_no_other_check() {
    if !lab::inside() {
        return;
    }
    // Ten services on a hanging server with a long timeout, and one that must stay quick.
    let (site, mut webs, director) = running(2, "");
    let hanging = Web::start(&site.servers[1], 81);
    hanging.behave(Manner::Hangs);
    let text: String = (0..10)
        .map(|i| {
            format!(
                "- virtual: {VIP}:{}\n  forward: masq\n  real: ['10.1.0.22:81']\n  \
                 check: {{http: {{request: /{i}}}, interval: 15s, timeout: 10s}}\n",
                9001 + i
            )
        })
        .collect();
    director.write("hang.yaml", &text);
    eventually_true("the hanging checks run", PATIENCE, || hanging.connections() >= 10);

    let start = std::time::Instant::now();
    webs[0].kill();
    settles(&site, WEB, &[at(&site, 1, 1)]);
    // Behind one of the hanging ten it would have been 10 s at least.
    assert!(start.elapsed() < secs(8), "{:?}", start.elapsed());
}

/// The three ways to be down (refused, silent, and listening by TCP alone), and back; in both
/// dialects, by both families.
#[test]
fn an_sctp_service_is_connected_to_by_sctp() {
    if !lab::inside() {
        return;
    }
    let site = Site::new(Forward::Masq, 3);
    let mut servers: Vec<Sctp> =
        site.servers[..2].iter().map(|host| Sctp::start(host, 3868)).collect();
    let _by_tcp_alone = Web::start(&site.servers[2], 3868);
    let native = |virt: &str, real: &str| {
        format!(
            "- virtual: '{virt}:3868'\n  protocol: sctp\n  forward: masq\n  real: [{real}]\n  \
             check: {{connect: {{}}, interval: 500ms, timeout: 400ms}}\n"
        )
    };
    let four = native(VIP, "'10.1.0.21', '10.1.0.22', '10.1.0.23'");
    let six =
        native(&format!("[{VIP6}]"), "'[2001:db8:2::21]', '[2001:db8:2::22]', '[2001:db8:2::23]'");
    let cf = format!(
        "checkinterval=1\nchecktimeout=1\nvirtual={VIP}:3869\n\treal=10.1.0.21:3868 masq\n\
         \treal=10.1.0.22:3868 masq\n\treal=10.1.0.23:3868 masq\n\tprotocol=sctp\n\
         \tchecktype=connect\n"
    );
    let files = [("sctp.yaml", &*(four + &six)), ("sctp.cf", &cf)];
    let director = Director::start(&site.director, &files);
    let settle = |up: &[usize]| {
        let rows = |net: &str, end: &str| -> Vec<(String, u32)> {
            up.iter().map(|i| (format!("{net}{}{end}", 21 + i), 1)).collect()
        };
        settles(&site, &format!("SCTP {VIP}:3868"), &rows("10.1.0.", ":3868"));
        settles(&site, &format!("SCTP {VIP}:3869"), &rows("10.1.0.", ":3868"));
        settles(&site, &format!("SCTP [{VIP6}]:3868"), &rows("[2001:db8:2::", "]:3868"));
    };
    settle(&[0, 1]);
    assert!(servers.iter().all(|server| server.associations() >= 3));
    let status = director.status().expect("a status").to_string();
    assert!(status.contains("connect: connection refused"), "{status}");

    servers[0].kill();
    settle(&[1]);
    servers[0].revive(&site.servers[0]);
    settle(&[0, 1]);
    site.cable(1, false);
    settle(&[0]);
    site.cable(1, true);
    settle(&[0, 1]);
}
