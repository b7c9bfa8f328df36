//! Addresses and neighbours on a real kernel. No IPVS is needed:
//!
//!     DIRECTORD_NAMESPACES=1 cargo test --test kernel_links
//!
//! runs them anywhere as root, each host in a network namespace.

#[path = "lab/mod.rs"]
mod lab;

use std::net::{IpAddr, SocketAddr, UdpSocket};

use directord::address::Target;
use directord::link::{Netlink, Network, Watch};
use directord::model::{KernelErrorKind, Link, Links, Mac, VipKey};

use lab::{Forward, Host, PATIENCE, Site, eventually_true, secs};

const VIP: &str = "192.0.2.150/32 on eth0";
const VIP6: &str = "2001:db8:1::150/128 on eth0";

fn inside() -> bool {
    std::env::var_os("DIRECTORD_NAMESPACES").is_some() || lab::inside()
}

fn look(host: &Host) -> Links {
    host.run(|| Netlink::default().look(&[]).unwrap())
}

fn link(host: &Host) -> Link {
    let links = look(host);
    links.0.into_iter().find(|(name, _)| name.as_str() == "eth0").expect("an eth0").1
}

fn target(host: &Host, vip: &str) -> Target {
    let Link { index, mac, .. } = link(host);
    Target { vip: vip.parse().unwrap(), index, mac }
}

/// The kinds of failures, in their order.
fn add(host: &Host, targets: &[Target]) -> Vec<KernelErrorKind> {
    let targets = targets.to_vec();
    let failures = host.run(move || Netlink::default().add(&targets));
    failures.into_iter().map(|(_, error)| error.kind).collect()
}

fn remove(host: &Host, targets: &[Target]) -> Vec<KernelErrorKind> {
    let targets = targets.to_vec();
    let failures = host.run(move || Netlink::default().remove(&targets));
    failures.into_iter().map(|(_, error)| error.kind).collect()
}

fn ask(host: &Host, vips: &[&str]) -> Vec<(VipKey, Mac)> {
    let targets: Vec<_> = vips.iter().map(|vip| target(host, vip)).collect();
    host.run(move || Netlink::default().ask(&targets).unwrap())
}

/// A second host on the clients' side.
fn second(site: &Site) -> Host {
    let host = Host::new("second");
    let thread = host.thread;
    site.switch.ip(&[
        format!("link add second type veth peer name eth0 netns {thread}"),
        "link set second master br0 up".into(),
    ]);
    host.ip(&[
        "link set lo up".into(),
        "link set eth0 up".into(),
        "addr add 192.0.2.2/24 dev eth0".into(),
        "addr add 2001:db8:1::2/64 dev eth0 nodad".into(),
    ]);
    host
}

#[test]
fn an_address_is_added_once_and_removed_once() {
    if !inside() {
        return;
    }
    let site = Site::new(Forward::Masq, 0);
    let targets = [VIP, VIP6].map(|vip| target(&site.director, vip));
    assert_eq!(add(&site.director, &targets), []);
    let held = link(&site.director).addresses;
    for Target { vip, .. } in &targets {
        let mark = held.get(&(vip.address, vip.prefix));
        // Kernels before 5.18 know no marks.
        assert!(mark.is_some_and(|mark| [0, 0x76].contains(mark)), "{vip}: {held:?}");
    }
    let shown = site.director.must("ip", &["-6", "addr", "show", "dev", "eth0"]);
    let line = shown.lines().find(|line| line.contains("::150/128")).unwrap();
    assert!(line.contains("deprecated") && !line.contains("tentative"), "{line}");
    assert_eq!(add(&site.director, &targets), [KernelErrorKind::Conflict; 2]);
    assert_eq!(remove(&site.director, &targets), []);
    let left = link(&site.director).addresses;
    assert!(targets.iter().all(|t| !left.contains_key(&(t.vip.address, t.vip.prefix))), "{left:?}");
    assert_eq!(left.len() + 2, held.len(), "and nothing else went");
    assert_eq!(remove(&site.director, &targets), [KernelErrorKind::Conflict; 2]);
}

#[test]
fn a_failure_among_many_is_told_by_its_place() {
    if !inside() {
        return;
    }
    let site = Site::new(Forward::Masq, 0);
    let mut targets: Vec<_> =
        (0..250).map(|n| target(&site.director, &format!("198.51.100.{n}/32 on eth0"))).collect();
    targets[200].index = 4_000;
    let all = targets.clone();
    let failures = site.director.run(move || Netlink::default().add(&all));
    let places: Vec<_> = failures.iter().map(|(at, error)| (*at, error.kind)).collect();
    assert_eq!(places, [(200, KernelErrorKind::Refused)]);
    assert!(failures[0].1.message.contains("198.51.100.200/32 on eth0"), "{}", failures[0].1);
    assert!(link(&site.director).addresses.len() > 249);
}

#[test]
fn whoever_has_an_address_answers_for_it() {
    if !inside() {
        return;
    }
    let site = Site::new(Forward::Masq, 0);
    let mac = link(&site.client).mac.expect("a hardware address");
    let taken = ["192.0.2.10/32 on eth0", "2001:db8:1::10/128 on eth0"];
    let mut answers = ask(&site.director, &[taken[0], VIP, taken[1], VIP6]);
    // Each was asked for twice.
    answers.dedup();
    assert_eq!(answers, taken.map(|vip| (vip.parse().unwrap(), mac)));
}

#[test]
fn loopback_has_no_neighbours_and_a_cable_without_carrier_is_down() {
    if !inside() {
        return;
    }
    let site = Site::new(Forward::Masq, 0);
    let state = || {
        let links = look(&site.director).0;
        let of = |name: &str| links.iter().find(|(n, _)| n.as_str() == name).unwrap().1.clone();
        (of("lo").mac, of("lo").up, of("eth0").up)
    };
    assert_eq!(state(), (None, true, true));
    site.switch.link("director", false);
    eventually_true("the carrier is lost", PATIENCE, || state() == (None, true, false));
}

#[test]
fn a_change_is_heard_of() {
    if !inside() {
        return;
    }
    let site = Site::new(Forward::Masq, 0);
    let mut watch = site.director.run(|| Watch::open().unwrap());
    watch.forget();
    let (heard, hears) = std::sync::mpsc::channel();
    std::thread::spawn(move || while watch.wait().is_ok() && heard.send(()).is_ok() {});
    // What the site's own making set off may still come: on a busy machine after a while.
    eventually_true("nothing changes", PATIENCE, || hears.recv_timeout(secs(1)).is_err());
    assert_eq!(add(&site.director, &[target(&site.director, VIP6)]), []);
    hears.recv_timeout(PATIENCE).expect("an address was added");
    while hears.recv_timeout(secs(1)).is_ok() {}
    site.switch.link("director", false);
    hears.recv_timeout(PATIENCE).expect("the carrier went");
}

/// What a host thinks the hardware address of another is.
fn neighbour(host: &Host, address: IpAddr) -> Option<String> {
    let shown = host.must("ip", &["neigh", "show", &address.to_string(), "dev", "eth0"]);
    let mut words = shown.split_whitespace().skip_while(|word| *word != "lladdr");
    words.nth(1).map(str::to_owned)
}

/// Makes a host find out who another is.
fn speak(host: &Host, address: IpAddr) {
    host.run(move || {
        let any: IpAddr = if address.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
        let socket = UdpSocket::bind(SocketAddr::new(any, 0)).unwrap();
        socket.send_to(b"?", SocketAddr::new(address, 9)).unwrap();
    });
}

#[test]
fn neighbours_learn_at_once_where_an_address_went() {
    if !inside() {
        return;
    }
    let site = Site::new(Forward::Masq, 0);
    let second = second(&site);
    for vip in [VIP, VIP6] {
        let (here, there) = (target(&site.director, vip), target(&second, vip));
        let address = here.vip.address;
        assert_eq!(add(&site.director, std::slice::from_ref(&here)), []);
        speak(&site.client, address);
        let is_at = |target: &Target| {
            neighbour(&site.client, address) == target.mac.map(|mac| mac.to_string())
        };
        eventually_true("the first host is known", PATIENCE, || is_at(&here));
        assert_eq!(remove(&site.director, &[here]), []);
        assert_eq!(add(&second, std::slice::from_ref(&there)), []);
        let told = there.clone();
        second.run(move || Netlink::default().announce(&[told]).unwrap());
        // The frames were delivered when they were sent.
        eventually_true("the second host is known", secs(2), || is_at(&there));
    }
}
