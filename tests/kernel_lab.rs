//! The lab itself, with ipvsadm as the director: what fails here is not directord's fault.

mod lab;

use std::net::SocketAddr;

use lab::{Forward, Host, Nginx, Site, Table, VIP, VIP6, Web};

fn vip(port: u16) -> SocketAddr {
    SocketAddr::new(VIP.parse().unwrap(), port)
}

fn vip6(port: u16) -> SocketAddr {
    SocketAddr::new(VIP6.parse().unwrap(), port)
}

/// Twenty requests over each family reach both servers ten times.
fn both_families_are_forwarded(forward: Forward, switch: &str) {
    let site = Site::new(forward, 2);
    let _servers: Vec<Web> = site.servers.iter().map(|host| Web::start(host, 80)).collect();
    let mut lines = vec![format!("-A -t {VIP}:80 -s rr"), format!("-A -t [{VIP6}]:80 -s rr")];
    for i in 0..2 {
        lines.push(format!("-a -t {VIP}:80 -r {}:80 {switch}", site.server(i)));
        lines.push(format!("-a -t [{VIP6}]:80 -r [{}]:80 {switch}", site.server6(i)));
    }
    restore(&site.director, &lines);

    for to in [vip(80), vip6(80)] {
        let answers = lab::ask(&site.client, to, 20);
        assert_eq!(answers.failures, Vec::<String>::new(), "{to}");
        assert_eq!((answers.of("server0"), answers.of("server1")), (10, 10), "{to}");
    }
}

fn restore(director: &Host, lines: &[String]) {
    let script = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(script.path(), lines.join("\n") + "\n").unwrap();
    director.must("sh", &["-c", &format!("ipvsadm -R <{}", script.path().display())]);
}

#[test]
fn masq_forwards_both_families() {
    if lab::inside() {
        both_families_are_forwarded(Forward::Masq, "-m");
    }
}

#[test]
fn gate_forwards_both_families() {
    if lab::inside() {
        both_families_are_forwarded(Forward::Gate, "-g");
    }
}

#[test]
fn ipip_forwards_both_families() {
    if lab::inside() {
        both_families_are_forwarded(Forward::Ipip, "-i");
    }
}

#[test]
fn a_killed_server_refuses_and_a_revived_one_answers() {
    if !lab::inside() {
        return;
    }
    let site = Site::new(Forward::Masq, 1);
    let mut web = Web::start(&site.servers[0], 80);
    let rule = [format!("-A -t {VIP}:80 -s rr"), format!("-a -t {VIP}:80 -r 10.1.0.21:80 -m")];
    restore(&site.director, &rule);
    let table = Table::of(&site.director);
    assert_eq!(table.weight("TCP 192.0.2.100:80", "10.1.0.21:80"), Some(1));

    assert_eq!(lab::ask(&site.client, vip(80), 1).of("server0"), 1);
    web.kill();
    assert_eq!(lab::ask(&site.client, vip(80), 1).failures.len(), 1);
    web.revive(&site.servers[0]);
    assert_eq!(lab::ask(&site.client, vip(80), 1).of("server0"), 1);
}

#[test]
fn nginx_serves_and_dies_as_told() {
    if !lab::inside() {
        return;
    }
    let host = Host::new("lone");
    host.link("lo", true);
    let here: SocketAddr = "127.0.0.1:80".parse().unwrap();
    let mut nginx = Nginx::start(&host, &[("/.testpage", "the test page")]);
    assert_eq!(lab::ask(&host, here, 1).of("lone"), 1);
    nginx.kill();
    assert_eq!(lab::ask(&host, here, 1).failures.len(), 1);
    nginx.revive(&host);
    assert_eq!(lab::ask(&host, here, 1).of("lone"), 1);
}
