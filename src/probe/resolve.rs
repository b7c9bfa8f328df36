//! Look up the name of another host that a redirect leads to.

use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::miss::{Miss, Phase, Progress};
use super::{Shared, evidence};

/// Look-ups at once. The system's resolver blocks a thread for as long as it likes and cannot be
/// called off; so many threads, and no more, can a farm of hostile servers tie up.
const AT_ONCE: usize = 8;

/// The places for look-ups.
pub(super) struct Lookups(Arc<Semaphore>);

impl Default for Lookups {
    fn default() -> Lookups {
        Lookups(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Lookups {
    /// Every address the system's resolver knows for `name`, or why there is none.
    pub async fn all_addresses(&self, name: &str) -> Result<Vec<IpAddr>, String> {
        let places = self.0.clone();
        let place = places.acquire_owned().await.map_err(|_| "the director is stopping")?;
        let asked = name.to_owned();
        let answer = tokio::task::spawn_blocking(move || {
            // Held by the thread, not by the probe: a probe that gave up has not freed the thread.
            let _place = place;
            (asked.as_str(), 0).to_socket_addrs().map(|found| found.map(|one| one.ip()).collect())
        });
        match answer.await {
            Ok(found) => found.map_err(|error| evidence::line(error.to_string().as_bytes())),
            Err(_) => Err("the look-up was broken off".to_owned()),
        }
    }
}

/// The first address the system's resolver knows for `name`.
///
/// A name that cannot be resolved is held against the director, not the server: the resolver
/// does not tell a missing name from a missing name server.
pub(super) async fn first_address(
    shared: &Shared,
    name: &str,
    progress: &Progress,
) -> Result<IpAddr, Miss> {
    progress.enter(Phase::Resolve);
    let unresolved = |why: &str| Miss::Local(format!("resolve: {}: {why}", evidence::text(name)));
    let found = shared.lookups.all_addresses(name).await.map_err(|why| unresolved(&why))?;
    found.first().copied().ok_or_else(|| unresolved("no address"))
}
