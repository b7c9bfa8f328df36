//! Two directors, one of which knows the connections of the other.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::role::play;
use super::*;
use crate::lab::Host;

const ECHO: &str = "TCP 192.0.2.100:7";
const HELD: usize = 20;

/// A second director beside the site's, and a cable of their own between them, `hb0`.
fn peer(site: &Site) -> Host {
    let peer = Host::new("peer");
    let (here, there) = (site.director.thread, peer.thread);
    site.switch.ip(&[
        format!("link add peer type veth peer name eth0 netns {there}"),
        "link set peer master br0 up".into(),
        format!("link add peer1 type veth peer name eth1 netns {there}"),
        "link set peer1 master br1 up".into(),
        format!("link add hb type veth peer name hb0 netns {there}"),
        format!("link set hb netns {here} name hb0"),
    ]);
    site.director.ip(&["link set hb0 up".into(), "addr add 10.9.0.1/24 dev hb0".into()]);
    peer.sysctl("net/ipv4/ip_forward", "1");
    peer.ip(&[
        "link set lo up".into(),
        "link set eth0 up".into(),
        "link set eth1 up".into(),
        "link set hb0 up".into(),
        "addr add 192.0.2.2/24 dev eth0".into(),
        "addr add 10.1.0.2/24 dev eth1".into(),
        "addr add 10.9.0.2/24 dev hb0".into(),
    ]);
    peer
}

/// Answers every byte with itself.
fn echo(host: &Host) {
    host.run(|| {
        let listener = TcpListener::bind("0.0.0.0:7").expect("a port");
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                std::thread::spawn(move || {
                    let mut byte = [0];
                    while stream.read_exact(&mut byte).is_ok() && stream.write_all(&byte).is_ok() {}
                });
            }
        });
    });
}

/// Held connections of the client's.
fn connections(site: &Site) -> Vec<TcpStream> {
    site.client.run(|| {
        let open = |_| {
            let stream = TcpStream::connect_timeout(&vip(7), secs(15)).expect("a connection");
            stream.set_nodelay(true).expect("no delay");
            stream
        };
        (0..HELD).map(open).collect()
    })
}

/// How many of them still answer, within half a minute for them all.
fn alive(held: &mut [TcpStream]) -> usize {
    let sent: Vec<bool> = held.iter_mut().map(|stream| stream.write_all(b"x").is_ok()).collect();
    let end = Instant::now() + secs(30);
    let answers = |(stream, sent): (&mut TcpStream, bool)| {
        let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        stream.set_read_timeout(Some(left)).expect("a time limit");
        sent && stream.read_exact(&mut [0]).is_ok()
    };
    held.iter_mut().zip(sent).map(answers).filter(|answered| *answered).count()
}

/// The sync daemons of a host, as `ipvsadm` names them: `master`, `backup`.
fn daemons(host: &Host) -> Vec<String> {
    let listed = host.must("ipvsadm", &["-l", "--daemon"]);
    let states = listed.lines().filter_map(|line| line.split_whitespace().next());
    states.map(str::to_owned).collect()
}

fn files(site: &Site) -> Vec<(&'static str, String)> {
    let real: String = (0..2).map(|i| format!("  - {}:7\n", site.server(i))).collect();
    let forward = site.forward.word();
    let echo = format!(
        "virtual: {VIP}:7\nscheduler: rr\nforward: {forward}\nreal:\n{real}\
         check: {{connect: {{}}, interval: 1s, timeout: 1s}}\n"
    );
    vec![
        ("echo.yaml", echo),
        ("global.yaml", "role: standby\nsync: {interface: hb0, id: 7}\n".to_owned()),
    ]
}

fn held_connections_live_through_a_failover(forward: lab::Forward) {
    let site = Site::new(forward, 2);
    site.servers.iter().for_each(echo);
    let peer = peer(&site);
    let files = files(&site);
    let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let mut first = Director::start(&site.director, &files);
    let second = Director::start(&peer, &files);
    eventually_true("both run", PATIENCE, || first.status().is_some() && second.status().is_some());
    play(&first, "active");
    settles(
        &site,
        ECHO,
        &[(format!("{}:7", site.server(0)), 1), (format!("{}:7", site.server(1)), 1)],
    );
    assert_eq!(daemons(&site.director), ["master"]);
    eventually_true("the second hears", PATIENCE, || daemons(&peer) == ["backup"]);
    assert_eq!(Table::of(&peer), Table::default());

    let mut held = connections(&site);
    let known = || {
        let table = peer.must("cat", &["/proc/thread-self/net/ip_vs_conn"]);
        table.lines().filter(|line| line.contains("C0000264 0007")).count()
    };
    eventually_true("the second knows them all", PATIENCE, || {
        assert_eq!(alive(&mut held), HELD);
        known() == HELD
    });

    // The power fails: nobody takes leave.
    site.director.link("eth0", false);
    site.director.link("eth1", false);
    site.director.link("hb0", false);
    first.crash();
    play(&second, "active");
    assert_eq!(daemons(&peer), ["master"]);
    let gateway = if forward == lab::Forward::Masq { "addr add 10.1.0.1/24 dev eth1" } else { "" };
    peer.ip(&[format!("addr add {VIP}/32 dev eth0"), gateway.into()]);
    // In place of a gratuitous ARP.
    for host in site.servers.iter().chain([&site.client]) {
        host.must("ip", &["neigh", "flush", "dev", "eth0"]);
    }
    assert_eq!(alive(&mut held), HELD, "as they were");
    assert_eq!(connections(&site).len(), HELD, "and new ones");
}

#[test]
fn held_connections_live_through_a_failover_in_masq() {
    if lab::inside() {
        held_connections_live_through_a_failover(lab::Forward::Masq);
    }
}

#[test]
fn held_connections_live_through_a_failover_in_gate() {
    if lab::inside() {
        held_connections_live_through_a_failover(lab::Forward::Gate);
    }
}

#[test]
fn sync_daemons_follow_the_role_are_repaired_and_end_with_the_director() {
    if !lab::inside() {
        return;
    }
    let site = Site::new(lab::Forward::Masq, 2);
    let _peer = peer(&site);
    let files = files(&site);
    let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let mut director = Director::start(&site.director, &files);
    eventually_true("it hears", PATIENCE, || daemons(&site.director) == ["backup"]);
    // A daemon that is stopped before its thread ran is stopped without an answer.
    for _ in 0..5 {
        play(&director, "active");
        assert_eq!(daemons(&site.director), ["master"]);
        play(&director, "standby");
        assert_eq!(daemons(&site.director), ["backup"]);
    }
    site.director.must("ipvsadm", &["--stop-daemon", "backup"]);
    eventually_true("it hears again", PATIENCE, || daemons(&site.director) == ["backup"]);
    let quick = director.stop();
    assert_eq!(daemons(&site.director), [""; 0]);
    assert!(quick < secs(10), "{quick:?}");
}

#[test]
fn a_sync_daemon_waits_for_its_interface() {
    if !lab::inside() {
        return;
    }
    let site = Site::new(lab::Forward::Masq, 2);
    let files = files(&site);
    let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let director = Director::start(&site.director, &files);
    eventually_true("what stands in the way is told", PATIENCE, || {
        let error = director.status().map(|status| status["sync"]["error"].to_string());
        error.is_some_and(|error| error.contains("there is no interface hb0"))
    });
    play(&director, "active");
    let _peer = peer(&site);
    eventually_true("it tells", secs(90), || daemons(&site.director) == ["master"]);
}
