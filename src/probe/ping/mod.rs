//! Ask whether a host answers to echo requests.
//!
//! One engine for all targets: a socket and a listening task per address family, opened when the
//! first probe needs them.

mod echoer;
pub(super) mod wire;

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::errno::Errno;
use tokio::time::{Instant, timeout_at};

use super::limits::Limits;
use super::miss::{Miss, describe};
use super::{FOREVER, evidence};
use crate::model::{Family, PingProbe};
use crate::mutex::lock;
use echoer::Echoer;

/// The engine of each family, once needed.
#[derive(Default)]
pub(super) struct Engine {
    v4: Mutex<Option<Arc<Echoer>>>,
    v6: Mutex<Option<Arc<Echoer>>>,
}

impl Engine {
    /// Sends echoes, evenly spread over `limit`, until one is answered.
    ///
    /// That no route leads to the server is the director's trouble; that a router on the way, or
    /// the director's own neighbour discovery, found no host is the server's, and becomes the
    /// reason when no answer comes after all.
    pub async fn run(
        &self,
        limits: &Limits,
        address: IpAddr,
        probe: &PingProbe,
        limit: Duration,
    ) -> Result<(), Miss> {
        let began = Instant::now();
        let limit = limit.min(FOREVER);
        let address = address.to_canonical();
        let count = u32::from(probe.count.max(1));
        let mut call = self.echoer(address)?.call(address);
        let mut sent = 0;
        let mut refused = None;
        for number in 1..=count {
            let next = began + limit * number / count;
            match timeout_at(next, call.send()).await {
                Ok(Ok(())) => sent += 1,
                Ok(Err(error)) if sent == 0 && !passes(&error) => return Err(local(&error)),
                Ok(Err(error)) => refused = Some(local(&error)),
                Err(_) => refused = Some(Miss::Local("ping: the socket is busy".into())),
            }
            match limits.by(next, &mut call.answer).await {
                Some(Ok(())) => return Ok(()),
                Some(Err(_)) => return Err(Miss::Local("ping: the socket was lost".into())),
                None => {}
            }
        }
        match refused.filter(|_| sent == 0) {
            Some(refused) => Err(refused),
            None => Err(Miss::Fail(no_answer(sent, limit, call.trouble()))),
        }
    }

    fn echoer(&self, address: IpAddr) -> Result<Arc<Echoer>, Miss> {
        let (family, place) = match address {
            IpAddr::V4(_) => (Family::Ipv4, &self.v4),
            IpAddr::V6(_) => (Family::Ipv6, &self.v6),
        };
        let mut place = lock(place);
        if let Some(echoer) = place.as_ref().filter(|echoer| echoer.is_alive()) {
            return Ok(echoer.clone());
        }
        let echoer = Echoer::open(family).map_err(|error| unopened(&error))?;
        Ok(place.insert(Arc::new(echoer)).clone())
    }
}

/// Whether the trouble may be gone by the next echo: a full queue of the interface.
fn passes(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::ENOBUFS | Errno::ENOMEM | Errno::ECONNREFUSED))
}

fn local(error: &io::Error) -> Miss {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENETUNREACH | Errno::EHOSTUNREACH) => {
            Miss::Local("ping: no route to the server".into())
        }
        Some(Errno::EPERM | Errno::EACCES) => {
            Miss::Local("ping: forbidden by this host's own rules".into())
        }
        _ => Miss::Local(format!("ping: {}", describe(error))),
    }
}

fn unopened(error: &io::Error) -> Miss {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EPERM | Errno::EACCES) => Miss::Local(
            "ping: not allowed to open a socket: needs CAP_NET_RAW, or this group within \
             net.ipv4.ping_group_range"
                .into(),
        ),
        _ => Miss::Local(format!("ping: open a socket: {}", describe(error))),
    }
}

fn no_answer(sent: u32, limit: Duration, trouble: Option<String>) -> String {
    let echoes = if sent == 1 { "echo" } else { "echoes" };
    let trouble = trouble.map(|why| format!(": {why}")).unwrap_or_default();
    format!("ping: no answer to {sent} {echoes} in {}{trouble}", evidence::duration(limit))
}
