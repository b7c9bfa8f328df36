//! directord against a real kernel, real servers and real clients.

#[path = "../lab/mod.rs"]
mod lab;

mod by_hand;
mod checks;
mod forwarding;
mod health;
mod hostile;
mod lifecycle;
mod reload;
mod role;
mod shared;
mod sync;
mod traps;
mod unit;
mod upgrade;
mod vip;
mod watch;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use lab::{Director, PATIENCE, Site, Table, VIP, VIP6, Web, eventually_true, secs};

/// The service of most tests, as the kernel names it.
const WEB: &str = "TCP 192.0.2.100:80";

fn vip(port: u16) -> SocketAddr {
    SocketAddr::new(VIP.parse().unwrap(), port)
}

fn vip6(port: u16) -> SocketAddr {
    SocketAddr::new(VIP6.parse().unwrap(), port)
}

/// A service on the site's VIP over all its servers, checked by http twice a second; `more` are
/// further keys of the service, a line each.
fn web(site: &Site, more: &str) -> String {
    let real: String =
        (0..site.servers.len()).map(|i| format!("  - {}:80\n", site.server(i))).collect();
    format!(
        "virtual: {VIP}:80\nscheduler: rr\nforward: {}\nreal:\n{real}\
         check: {{http: {{request: /, receive: server}}, interval: 500ms, timeout: 1s}}\n{more}",
        site.forward.word()
    )
}

/// The same with servers that may take their time: one that is late in a busy guest is no reason
/// to write the table.
fn patient(site: &Site) -> String {
    web(site, "").replace("timeout: 1s", "timeout: 30s")
}

/// One [`Web`] on port 80 of every server.
fn webs(site: &Site) -> Vec<Web> {
    site.servers.iter().map(|host| Web::start(host, 80)).collect()
}

/// Waits until a service has exactly these destinations and weights.
fn settles(site: &Site, service: &str, weights: &[(String, u32)]) {
    let wanted: BTreeMap<String, u32> = weights.iter().cloned().collect();
    let mut last = None;
    let start = std::time::Instant::now();
    while last.as_ref() != Some(&wanted) {
        assert!(start.elapsed() < PATIENCE, "{service} should be {wanted:?}, is {last:?}");
        std::thread::sleep(std::time::Duration::from_millis(150));
        last = Table::of(&site.director).weights(service);
    }
}

/// Destination `index` on port 80, with a weight, as [`settles`] wants it.
fn at(site: &Site, index: usize, weight: u32) -> (String, u32) {
    (format!("{}:80", site.server(index)), weight)
}

/// A site of `servers` by masq with [`Web`]s and a director over them, all in the table.
fn running(servers: usize, more: &str) -> (Site, Vec<Web>, Director) {
    let site = Site::new(lab::Forward::Masq, servers);
    let webs = webs(&site);
    let director = Director::start(&site.director, &[("web.yaml", &web(&site, more))]);
    let all: Vec<_> = (0..servers).map(|i| at(&site, i, 1)).collect();
    settles(&site, WEB, &all);
    (site, webs, director)
}

/// Waits until the director says that the kernel agrees with it.
fn in_sync(director: &Director) {
    eventually_true("the kernel is in sync", PATIENCE, || {
        director.status().is_some_and(|s| s["kernel"]["out_of_sync"] == 0)
    });
}
