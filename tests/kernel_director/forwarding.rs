//! Requests get through, by every method.

use super::*;
use crate::lab::{Forward, Nginx, Site};

/// Both families of `site`, by a director that is given `keys` beside `forward`.
fn both_servers_answer(site: &Site, keys: &str, families: &[SocketAddr]) {
    let _servers = webs(site);
    let mut text = String::new();
    for to in families {
        let six = to.is_ipv6();
        let server = |i| if six { format!("[{}]", site.server6(i)) } else { site.server(i) };
        text += &format!(
            "- virtual: '{to}'\n  scheduler: rr\n  forward: {}\n  real: ['{}:80', '{}:80']\n  \
             check: {{connect: {{}}, interval: 500ms, timeout: 1s}}\n{keys}",
            site.forward.word(),
            server(0),
            server(1)
        );
    }
    let director = Director::start(&site.director, &[("web.yaml", &text)]);
    settles(site, WEB, &[at(site, 0, 1), at(site, 1, 1)]);
    in_sync(&director);

    for to in families {
        let answers = lab::ask(&site.client, *to, 20);
        assert_eq!(answers.failures, Vec::<String>::new(), "{to}");
        assert_eq!((answers.of("server0"), answers.of("server1")), (10, 10), "{to}");
    }
}

#[test]
fn masq_serves_both_families() {
    if lab::inside() {
        both_servers_answer(&Site::new(Forward::Masq, 2), "", &[vip(80), vip6(80)]);
    }
}

#[test]
fn gate_serves_both_families() {
    if lab::inside() {
        both_servers_answer(&Site::new(Forward::Gate, 2), "", &[vip(80), vip6(80)]);
    }
}

#[test]
fn ipip_serves_both_families() {
    if lab::inside() {
        both_servers_answer(&Site::new(Forward::Ipip, 2), "", &[vip(80), vip6(80)]);
    }
}

#[test]
fn gue_tunnel_serves() {
    if lab::inside() {
        let tunnel = "  tunnel: {type: gue, port: 6080}\n";
        both_servers_answer(&Site::new(Forward::Gue, 2), tunnel, &[vip(80)]);
    }
}

#[test]
fn gre_tunnel_serves() {
    if lab::inside() {
        both_servers_answer(&Site::new(Forward::Gre, 2), "  tunnel: {type: gre}\n", &[vip(80)]);
    }
}

#[test]
fn fwmark_serves_two_ports_as_one_service() {
    if !lab::inside() {
        return;
    }
    let site = Site::new(Forward::Masq, 2);
    let _web = webs(&site);
    let _other: Vec<Web> = site.servers.iter().map(|host| Web::start(host, 8080)).collect();
    for (iptables, to) in [("iptables-legacy", VIP), ("ip6tables-legacy", VIP6)] {
        site.director.must(
            iptables,
            &[
                "-t",
                "mangle",
                "-A",
                "PREROUTING",
                "-d",
                to,
                "-p",
                "tcp",
                "-m",
                "multiport",
                "--dports",
                "80,8080",
                "-j",
                "MARK",
                "--set-mark",
                "7",
            ],
        );
    }
    let check = "check: {connect: {}, port: 80, interval: 500ms}";
    let text = format!(
        "- fwmark: 7\n  scheduler: rr\n  forward: masq\n  real: ['10.1.0.21:0', '10.1.0.22:0']\n  \
         {check}\n\
         - fwmark: 7\n  family: ipv6\n  scheduler: rr\n  forward: masq\n  \
         real: ['[2001:db8:2::21]:0', '[2001:db8:2::22]:0']\n  {check}\n"
    );
    let _director = Director::start(&site.director, &[("mark.yaml", &text)]);
    eventually_true("both services are whole", PATIENCE, || {
        let saved = lab::saved(&site.director);
        saved.iter().filter(|line| line.starts_with("-a -f 7")).count() == 4
    });

    for to in [vip(80), vip(8080), vip6(80)] {
        let answers = lab::ask(&site.client, to, 10);
        assert_eq!(answers.failures, Vec::<String>::new(), "{to}");
        assert_eq!((answers.of("server0"), answers.of("server1")), (5, 5), "{to}");
    }
}

/// The file of the LVS HOWTO, as it was printed in 2000.
const HOWTO: &str = "\
timeout = 10
checkinterval = 10
virtual = 10.0.0.3:80
     protocol = tcp
     scheduler = wlc
     real = 192.168.0.1:80 gate 5
     real = 192.168.0.2:80 gate 5
     request = \"/.testpage\"
     receive = \"test page\"
";

/// The HOWTO's site of two web servers, which serve the address by themselves.
pub fn howto_site() -> Site {
    let site = Site::new(Forward::Gate, 2);
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    site.client.ip(&lines("addr add 10.0.0.10/24 dev eth0\nroute add 192.168.0.0/24 dev eth0"));
    site.director.ip(&lines(
        "addr add 10.0.0.254/24 dev eth0\naddr add 10.0.0.3/32 dev eth0\n\
         addr add 192.168.0.254/24 dev eth0",
    ));
    for (i, host) in site.servers.iter().enumerate() {
        host.ip(&[
            format!("addr add 192.168.0.{}/24 dev eth0", i + 1),
            "addr add 10.0.0.3/32 dev lo".into(),
            "route add 10.0.0.0/24 dev eth0".into(),
        ]);
    }
    site
}

#[test]
fn the_howto_file_of_2000_does_what_it_says() {
    if !lab::inside() {
        return;
    }
    let site = howto_site();
    let page: &[(&str, &str)] = &[("/.testpage", "this is the test page")];
    let _first = Nginx::start(&site.servers[0], page);
    let mut second = Nginx::start(&site.servers[1], page);

    let _director = Director::start(&site.director, &[("howto.cf", HOWTO)]);
    let service = "TCP 10.0.0.3:80";
    let row = |i: usize| (format!("192.168.0.{i}:80"), 5);
    settles(&site, service, &[row(1), row(2)]);
    let saved = lab::saved(&site.director);
    assert!(saved.contains(&"-A -t 10.0.0.3:80 -s wlc".to_owned()), "{saved:?}");
    assert!(saved.contains(&"-a -t 10.0.0.3:80 -r 192.168.0.1:80 -g -w 5".to_owned()), "{saved:?}");
    let answers = lab::ask(&site.client, "10.0.0.3:80".parse().unwrap(), 20);
    assert_eq!(answers.failures, Vec::<String>::new());
    // With wlc it depends on how soon the kernel sees connections end who gets how many.
    let each = [answers.of("server0"), answers.of("server1")];
    assert!(each.iter().all(|n| *n > 0) && answers.total() == 20, "{answers:?}");

    // Within one interval of 10 s, and a margin for a slow kernel.
    second.kill();
    settles(&site, service, &[row(1)]);
    let answers = lab::ask(&site.client, "10.0.0.3:80".parse().unwrap(), 5);
    assert_eq!(answers.of("server0"), 5, "{answers:?}");
    second.revive(&site.servers[1]);
    settles(&site, service, &[row(1), row(2)]);
}

#[test]
fn udp_datagrams_move_to_the_server_that_lives() {
    if !lab::inside() {
        return;
    }
    let site = Site::new(Forward::Masq, 2);
    for host in &site.servers {
        let name = host.name.clone();
        host.spawn(move || {
            let socket = std::net::UdpSocket::bind("0.0.0.0:53").unwrap();
            let mut packet = [0; 512];
            while let Ok((_, from)) = socket.recv_from(&mut packet) {
                socket.send_to(name.as_bytes(), from).unwrap();
            }
        });
    }
    let text = "virtual: 192.0.2.100:53\nprotocol: udp\nscheduler: rr\nforward: masq\n\
                real: ['10.1.0.21:53', '10.1.0.22:53']\n\
                check: {ping: {}, interval: 500ms, timeout: 1s}\n";
    let _director = Director::start(&site.director, &[("dns.yaml", text)]);
    let service = "UDP 192.0.2.100:53";
    settles(&site, service, &[("10.1.0.21:53".into(), 1), ("10.1.0.22:53".into(), 1)]);

    // One client socket is one IPVS connection: it stays with its server while that lives.
    let socket = site.client.run(|| {
        let socket = std::net::UdpSocket::bind("192.0.2.10:0").unwrap();
        socket.connect((VIP, 53)).unwrap();
        socket.set_read_timeout(Some(std::time::Duration::from_millis(500))).unwrap();
        socket
    });
    let asked = |socket: &std::net::UdpSocket| {
        let mut answer = [0; 64];
        socket.send(b"who").ok()?;
        let n = socket.recv(&mut answer).ok()?;
        Some(String::from_utf8_lossy(&answer[..n]).into_owned())
    };
    let first = lab::eventually("an answer", PATIENCE, || asked(&socket));
    let dead = usize::from(first == "server1");
    site.cable(dead, false);
    settles(&site, service, &[(format!("10.1.0.{}:53", 22 - dead), 1)]);
    let second = lab::eventually("an answer of the other", PATIENCE, || asked(&socket));
    assert_eq!(second, format!("server{}", 1 - dead));
}
