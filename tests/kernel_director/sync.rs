//! Two directors, one of which knows the connections of the other.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::role::play;
use super::*;
use crate::lab::Host;

const HELD: usize = 20;

/// What the connections are, and how the directors tell each other of them.
#[derive(Clone, Copy)]
struct Pair {
    forward: lab::Forward,
    /// Whether clients and servers speak IPv6.
    v6: bool,
    /// Of `sync` in `global.yaml`, after interface and id.
    group: &'static str,
}

impl Pair {
    const fn by(forward: lab::Forward) -> Pair {
        Pair { forward, v6: false, group: "" }
    }

    fn vip(self) -> SocketAddr {
        if self.v6 { vip6(7) } else { vip(7) }
    }

    /// As `ipvsadm` names it.
    fn service(self) -> String {
        format!("TCP {}", self.vip())
    }

    fn server(self, site: &Site, index: usize) -> String {
        match self.v6 {
            true => format!("[{}]:7", site.server6(index)),
            false => format!("{}:7", site.server(index)),
        }
    }

    /// Virtual address and port, as the kernel lists connections.
    const fn listed(self) -> &'static str {
        match self.v6 {
            true => "2001:0db8:0001:0000:0000:0000:0000:0100 0007",
            false => "C0000264 0007",
        }
    }

    /// What moves with the VIP.
    fn addresses(self) -> Vec<String> {
        let (vip, gateway) = match self.v6 {
            true => (format!("{VIP6}/128 dev eth0 nodad preferred_lft 0"), "2001:db8:2::1/64"),
            false => (format!("{VIP}/32 dev eth0"), "10.1.0.1/24"),
        };
        let mut lines = vec![format!("addr add {vip}")];
        if self.forward == lab::Forward::Masq {
            lines.push(format!("addr add {gateway} dev eth1"));
        }
        lines
    }
}

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
    peer.sysctl("net/ipv6/conf/all/forwarding", "1");
    peer.ip(&[
        "link set lo up".into(),
        "link set eth0 up".into(),
        "link set eth1 up".into(),
        "link set hb0 up".into(),
        "addr add 192.0.2.2/24 dev eth0".into(),
        "addr add 2001:db8:1::2/64 dev eth0 nodad".into(),
        "addr add 10.1.0.2/24 dev eth1".into(),
        "addr add 2001:db8:2::2/64 dev eth1 nodad".into(),
        "addr add 10.9.0.2/24 dev hb0".into(),
    ]);
    peer
}

/// Answers every byte with itself.
fn echo(host: &Host) {
    host.run(|| {
        let listener = TcpListener::bind("[::]:7").expect("a port");
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
fn connections(site: &Site, pair: Pair) -> Vec<TcpStream> {
    site.client.run(move || {
        let open = |_| {
            let stream = TcpStream::connect_timeout(&pair.vip(), secs(15)).expect("a connection");
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

/// Waits until the peer's kernel knows all these connections, over which something is said.
fn all_are_known(peer: &Host, pair: Pair, held: &mut [TcpStream]) {
    let known = || {
        let table = peer.must("cat", &["/proc/thread-self/net/ip_vs_conn"]);
        table.lines().filter(|line| line.contains(pair.listed())).count()
    };
    eventually_true("the second knows them all", PATIENCE, || {
        assert_eq!(alive(held), HELD);
        known() == HELD
    });
}

/// The sync daemons of a host, as `ipvsadm` names them: `master`, `backup`.
fn daemons(host: &Host) -> Vec<String> {
    let listed = host.must("ipvsadm", &["-l", "--daemon"]);
    let states = listed.lines().filter_map(|line| line.split_whitespace().next());
    states.map(str::to_owned).collect()
}

fn files(site: &Site, pair: Pair) -> Vec<(&'static str, String)> {
    let real: String = (0..2).map(|i| format!("  - \"{}\"\n", pair.server(site, i))).collect();
    let (vip, forward) = (pair.vip(), site.forward.word());
    let echo = format!(
        "virtual: \"{vip}\"\nscheduler: rr\nforward: {forward}\nreal:\n{real}\
         check: {{connect: {{}}, interval: 1s, timeout: 1s}}\n"
    );
    let global = format!("role: standby\nsync: {{interface: hb0, id: 7{}}}\n", pair.group);
    vec![("echo.yaml", echo), ("global.yaml", global)]
}

fn held_connections_live_through_a_failover(pair: Pair) {
    let site = Site::new(pair.forward, 2);
    site.servers.iter().for_each(echo);
    let peer = peer(&site);
    let files = files(&site, pair);
    let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let mut first = Director::start(&site.director, &files);
    let second = Director::start(&peer, &files);
    eventually_true("both run", PATIENCE, || first.status().is_some() && second.status().is_some());
    play(&first, "active");
    settles(&site, &pair.service(), &[(pair.server(&site, 0), 1), (pair.server(&site, 1), 1)]);
    assert_eq!(daemons(&site.director), ["master"]);
    eventually_true("the second hears", PATIENCE, || daemons(&peer) == ["backup"]);
    assert_eq!(Table::of(&peer), Table::default());

    let mut held = connections(&site, pair);
    all_are_known(&peer, pair, &mut held);

    // The power fails: nobody takes leave.
    site.director.link("eth0", false);
    site.director.link("eth1", false);
    site.director.link("hb0", false);
    first.crash();
    play(&second, "active");
    assert_eq!(daemons(&peer), ["master"]);
    peer.ip(&pair.addresses());
    // In place of a gratuitous ARP.
    for host in site.servers.iter().chain([&site.client]) {
        host.must("ip", &["neigh", "flush", "dev", "eth0"]);
    }
    assert_eq!(alive(&mut held), HELD, "as they were");
    assert_eq!(connections(&site, pair).len(), HELD, "and new ones");
}

#[test]
fn held_connections_live_through_a_failover_in_masq() {
    if lab::inside() {
        held_connections_live_through_a_failover(Pair::by(lab::Forward::Masq));
    }
}

#[test]
fn held_connections_live_through_a_failover_in_gate() {
    if lab::inside() {
        held_connections_live_through_a_failover(Pair::by(lab::Forward::Gate));
    }
}

#[test]
fn held_connections_of_ipv6_live_through_a_failover_told_to_a_group_of_the_link() {
    if lab::inside() {
        let pair =
            Pair { v6: true, group: ", group: \"ff02::81\"", ..Pair::by(lab::Forward::Masq) };
        held_connections_live_through_a_failover(pair);
    }
}

#[test]
fn held_connections_live_through_a_failover_told_to_a_group_of_the_site() {
    if lab::inside() {
        let group = ", group: \"ff05::81\", port: 8849, ttl: 2, max_packet: 1400";
        held_connections_live_through_a_failover(Pair { group, ..Pair::by(lab::Forward::Gate) });
    }
}

#[test]
fn sync_daemons_follow_the_role_are_repaired_and_end_with_the_director() {
    if !lab::inside() {
        return;
    }
    let site = Site::new(lab::Forward::Masq, 2);
    let _peer = peer(&site);
    let files = files(&site, Pair::by(lab::Forward::Masq));
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
    let files = files(&site, Pair::by(lab::Forward::Masq));
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

/// Who only hears needs none, and hears once it has one.
#[test]
fn who_tells_an_ipv6_group_waits_for_an_address_of_that_family() {
    if !lab::inside() {
        return;
    }
    let site = Site::new(lab::Forward::Masq, 2);
    site.servers.iter().for_each(echo);
    let peer = peer(&site);
    let pair = Pair { group: ", group: \"ff02::81\"", ..Pair::by(lab::Forward::Masq) };
    let files = files(&site, pair);
    let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    for host in [&site.director, &peer] {
        host.sysctl("net/ipv6/conf/hb0/disable_ipv6", "1");
    }
    let first = Director::start(&site.director, &files);
    let _second = Director::start(&peer, &files);
    eventually_true("the second hears", PATIENCE, || daemons(&peer) == ["backup"]);
    first.tell("role", &["active"]);
    eventually_true("what stands in the way is told", PATIENCE, || {
        let error = first.status().map(|status| status["sync"]["error"].to_string());
        error.is_some_and(|error| error.contains("hb0 has no address of the group's family"))
    });
    // With the usual look for duplicates an address serves a second after it is there.
    for host in [&site.director, &peer] {
        host.sysctl("net/ipv6/conf/hb0/accept_dad", "1");
        host.sysctl("net/ipv6/conf/hb0/disable_ipv6", "0");
    }
    eventually_true("the first tells", secs(90), || daemons(&site.director) == ["master"]);
    all_are_known(&peer, pair, &mut connections(&site, pair));
}
