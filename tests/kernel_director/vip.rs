//! The director's own addresses, on a real kernel.

use super::*;
use crate::lab::{Forward, Host};

/// None that the site has by itself.
const OWN: &str = "192.0.2.150";
const OWN6: &str = "2001:db8:1::150";

/// A service on an address of the director's own, which is IPv6 in brackets.
fn own(site: &Site, address: &str, vip: &str) -> String {
    let real = match address.starts_with('[') {
        true => format!("\"[{}]:80\"", site.server6(0)),
        false => format!("{}:80", site.server(0)),
    };
    format!(
        "virtual: \"{address}:80\"\nscheduler: rr\nforward: masq\nreal: [{real}]\nvip: {vip}\n\
         check: {{http: {{request: /, receive: server}}, interval: 500ms, timeout: 1s}}\n"
    )
}

fn holds(host: &Host, address: &str) -> bool {
    host.must("ip", &["addr", "show"]).contains(&format!(" {address}/"))
}

fn held(director: &Director, at: usize) -> bool {
    director.status().is_some_and(|status| status["vips"][at]["held"] == true)
}

fn served(site: &Site, address: &str) -> bool {
    let answers = lab::ask(&site.client, SocketAddr::new(address.parse().unwrap(), 80), 1);
    answers.of("server0") == 1
}

#[test]
fn an_address_comes_after_its_table_and_goes_with_the_director() {
    if !lab::inside() {
        return;
    }
    let site = Site::new(Forward::Masq, 1);
    let _webs = webs(&site);
    let files = [
        ("a.yaml", &*own(&site, OWN, "eth0")),
        ("b.yaml", &own(&site, &format!("[{OWN6}]"), "eth0")),
    ];
    let mut director = Director::start(&site.director, &files);
    eventually_true("the address is there", PATIENCE, || holds(&site.director, OWN));
    assert!(Table::of(&site.director).weights("TCP 192.0.2.150:80").is_some(), "before its table");
    eventually_true("both are held", PATIENCE, || held(&director, 0) && held(&director, 1));
    eventually_true("clients are served", PATIENCE, || served(&site, OWN) && served(&site, OWN6));
    director.stop();
    assert!(!holds(&site.director, OWN) && !holds(&site.director, OWN6));
    assert_eq!(Table::of(&site.director), Table::default());
}

#[test]
fn a_crash_leaves_the_address_and_its_heir_keeps_it_or_takes_it_away() {
    if !lab::inside() {
        return;
    }
    let site = Site::new(Forward::Masq, 1);
    let _webs = webs(&site);
    let mut director = Director::start(&site.director, &[("a.yaml", &own(&site, OWN, "eth0"))]);
    // A crash takes along what the log's own thread has not written yet.
    let told = |director: &Director| director.log().contains("vip added");
    eventually_true("it is held", PATIENCE, || held(&director, 0) && told(&director));
    director.crash();
    assert!(holds(&site.director, OWN));
    director.run(&site.director);
    in_sync(&director);
    eventually_true("it is known", PATIENCE, || held(&director, 0));
    assert_eq!(director.log().matches("vip added").count(), 1, "{}", director.log());
    director.crash();
    // One that nobody asks for any more goes; one that is not ours stays.
    director.write("a.yaml", &own(&site, OWN, "[]"));
    site.director.ip(&["addr add 192.0.2.151/32 dev eth0".into()]);
    director.run(&site.director);
    eventually_true("the orphan is gone", PATIENCE, || !holds(&site.director, OWN));
    assert!(holds(&site.director, "192.0.2.151"));
}

#[test]
fn an_address_returns_with_its_link() {
    if !lab::inside() {
        return;
    }
    let site = Site::new(Forward::Masq, 1);
    let _webs = webs(&site);
    let file = own(&site, &format!("[{OWN6}]"), "eth0");
    let director = Director::start(&site.director, &[("a.yaml", &file)]);
    eventually_true("it is held", PATIENCE, || held(&director, 0));
    site.director.link("eth0", false);
    eventually_true("the kernel took it away", PATIENCE, || !held(&director, 0));
    site.director.link("eth0", true);
    eventually_true("it is back", PATIENCE, || holds(&site.director, OWN6));
    // What was the host's own went as well, and is not ours to bring back.
    site.director.ip(&["addr replace 2001:db8:1::1/64 dev eth0 nodad".into()]);
    eventually_true("clients are served", PATIENCE, || served(&site, OWN6));
    // By hand it is not got rid of either.
    site.director.must("ip", &["addr", "del", &format!("{OWN6}/128"), "dev", "eth0"]);
    eventually_true("it is put back", PATIENCE, || {
        director.log().matches("vip added").count() == 3 && holds(&site.director, OWN6)
    });
}

#[test]
fn an_address_that_answers_elsewhere_is_not_taken_before_it_is_free() {
    if !lab::inside() {
        return;
    }
    let site = Site::new(Forward::Masq, 1);
    let _webs = webs(&site);
    site.client.ip(&[
        format!("addr add {OWN}/32 dev eth0"),
        format!("addr add {OWN6}/128 dev eth0 nodad"),
    ]);
    let files = [
        ("a.yaml", &*own(&site, OWN, "eth0")),
        ("b.yaml", &own(&site, &format!("[{OWN6}]"), "eth0")),
        ("c.yaml", "virtual: 192.0.2.152:80\nvip: eth7\nreal: [10.1.0.21]\ncheck: on\n"),
    ];
    let director = Director::start(&site.director, &files);
    eventually_true("all are told of", PATIENCE, || {
        let log = director.log();
        log.matches("answers for it: another host holds it").count() == 2
            && log.contains("there is no interface eth7")
    });
    assert!(!holds(&site.director, OWN) && !holds(&site.director, OWN6));
    site.client
        .ip(&[format!("addr del {OWN}/32 dev eth0"), format!("addr del {OWN6}/128 dev eth0")]);
    eventually_true("they are taken", PATIENCE, || {
        holds(&site.director, OWN) && holds(&site.director, OWN6)
    });
}

/// Gratuitous ARP needs CAP_NET_RAW, and so does ping where `ping_group_range` has nobody.
#[test]
fn without_the_right_to_raw_packets_the_rest_is_done_and_the_remedy_is_told_once() {
    if !lab::inside() {
        return;
    }
    let site = Site::new(Forward::Masq, 1);
    let _webs = webs(&site);
    site.director.sysctl("net/ipv4/ping_group_range", "1 0");
    let mut director = Director::ready();
    director.write("a.yaml", &own(&site, OWN, "eth0"));
    director.write("b.yaml", &own(&site, &format!("[{OWN6}]"), "eth0"));
    let pinged = own(&site, "192.0.2.152", "eth0")
        .replace("http: {request: /, receive: server}", "ping: {}");
    director.write("c.yaml", &pinged);
    director.run_by(&site.director, &["setpriv", "--bounding-set", "-net_raw"]);
    eventually_true("clients are served", PATIENCE, || served(&site, OWN) && served(&site, OWN6));
    eventually_true("all are held", PATIENCE, || (0..3).all(|at| held(&director, at)));
    // It is asked again who has them, and announced for the second time, after 5 s.
    std::thread::sleep(secs(8));
    let log = director.log();
    assert_eq!(log.matches("give directord CAP_NET_RAW").count(), 1, "{log}");
    assert_eq!(
        log.matches("ping: not allowed to open a socket: needs CAP_NET_RAW").count(),
        1,
        "{log}"
    );
    let status = director.status().unwrap();
    for vip in status["vips"].as_array().unwrap() {
        assert!(vip["reason"].to_string().contains("CAP_NET_RAW"), "{vip}");
    }
    let server = &status["services"][1]["servers"][0];
    assert!(server["check"]["local_error"].to_string().contains("CAP_NET_RAW"), "{server}");
    assert_eq!(server["kernel_weight"], serde_json::Value::Null, "{server}");
}

#[test]
fn bird_announces_an_address_while_its_service_is_healthy() {
    if !lab::inside() {
        return;
    }
    let site = Site::new(Forward::Masq, 1);
    let mut webs = webs(&site);
    let file = own(&site, OWN, "{interface: lo, when: healthy}");
    let director = Director::start(&site.director, &[("a.yaml", &file)]);
    // BIRD on both ends: what the director's end has on its loopback, the client's end learns.
    let _birds = [
        Bird::start(&site.director, ("192.0.2.1", 64512), ("192.0.2.10", 64513)),
        Bird::start(&site.client, ("192.0.2.10", 64513), ("192.0.2.1", 64512)),
    ];
    let learnt = || site.client.must("ip", &["route", "show", OWN]).contains("via 192.0.2.1");
    eventually_true("the client's router knows the way", PATIENCE, learnt);
    eventually_true("clients are served", PATIENCE, || served(&site, OWN));
    webs[0].kill();
    eventually_true("the way is withdrawn", PATIENCE, || !learnt());
    assert!(!held(&director, 0));
    webs[0].revive(&site.servers[0]);
    eventually_true("the client's router knows the way again", PATIENCE, learnt);
}

/// Debian's bird2, speaking BGP to one neighbour.
struct Bird {
    daemon: std::process::Child,
    _folder: tempfile::TempDir,
}

impl Bird {
    /// Both ends by their address and number.
    fn start(host: &Host, (own, number): (&str, u32), (other, others): (&str, u32)) -> Bird {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("bird.conf");
        let text = format!(
            "router id {own};\n\
             protocol device {{ scan time 1; }}\n\
             protocol direct {{ ipv4; interface \"lo\"; }}\n\
             protocol kernel {{ ipv4 {{ import none; export where source = RTS_BGP; }}; }}\n\
             protocol bgp {{\n\
               local {own} as {number}; neighbor {other} as {others};\n\
               connect delay time 1; connect retry time 1; error wait time 1, 2;\n\
               ipv4 {{ import all; export where source = RTS_DEVICE; }};\n\
             }}\n"
        );
        std::fs::write(&config, text).unwrap();
        let socket = folder.path().join("bird.ctl");
        let mut command = std::process::Command::new("/usr/sbin/bird");
        command.arg("-f").arg("-c").arg(config).arg("-s").arg(socket);
        let daemon = host.run(move || command.spawn().expect("bird2 is installed"));
        Bird { daemon, _folder: folder }
    }
}

impl Drop for Bird {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}
