//! Hosts and ports by the names mon's groups and words give them.

use std::net::IpAddr;

use super::plan::Port;
use crate::probe::miss::{Miss, Phase, Progress};
use crate::probe::{Shared, evidence};

/// The address of a host. A name means its IPv4 address where it has one, as in mon, which knows
/// no other; with `v6` the other way round, and no other will do.
///
/// Unlike elsewhere a name nobody knows is the host's failure: so mon has it, and so its owners
/// want to be told.
pub(super) async fn address(
    shared: &Shared,
    host: &str,
    v6: bool,
    progress: &Progress,
) -> Result<IpAddr, Miss> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return match v6 && address.is_ipv4() {
            true => Err(Miss::Fail("not an IPv6 address".into())),
            false => Ok(address),
        };
    }
    progress.enter(Phase::Resolve);
    let unresolved = |why: &str| Miss::Fail(format!("resolve: {}: {why}", evidence::text(host)));
    let found = shared.lookups.all_addresses(host).await.map_err(|why| unresolved(&why))?;
    let first = |v4: bool| found.iter().find(|address| address.is_ipv4() == v4).copied();
    let chosen = if v6 { first(false) } else { first(true).or_else(|| first(false)) };
    chosen.ok_or_else(|| unresolved("no address"))
}

/// The port of this name. The system's list of them is read on a thread that may block.
pub(super) async fn port(port: &Port) -> Result<u16, Miss> {
    let name = match port {
        Port::Number(number) => return Ok(*number),
        Port::Name(name) => name.clone(),
    };
    let unknown = Miss::Local(format!("{name} is no port the system knows"));
    let found = tokio::task::spawn_blocking(move || by_name(&name)).await;
    found.ok().flatten().ok_or(unknown)
}

fn by_name(name: &str) -> Option<u16> {
    let hints = dns_lookup::AddrInfoHints {
        // A stream.
        socktype: dns_lookup::SockType::Stream.into(),
        ..Default::default()
    };
    let found = dns_lookup::getaddrinfo(None, Some(name), Some(hints)).ok()?;
    found.flatten().next().map(|found| found.sockaddr.port())
}
