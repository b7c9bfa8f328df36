//! Carry out one check, come back with one outcome.
//!
//! ```text
//! Prober::probe --> connect --> Pass | Fail(reason) | Local(reason)
//!      |             associate: the same by SCTP
//!      |             http ----> connect, tls, reader, patterns
//!      |             ftp  ----> connect, dialogue, patterns
//!      |             lines ---> connect, tls, session: smtp, pop, imap, nntp
//!      |             sip -----> datagram, or connect and session; message
//!      |             tcp -----> connect, answer, patterns
//!      |             ldap ----> connect, tls, session, dialogue, patterns
//!      |             mysql, pgsql -> connect, session, dialogue
//!      |             dns -----> datagram, connect, message, patterns
//!   one deadline     radius --> datagram, packet
//!   for it all,      ping ----> one engine for all targets
//!   in limits        external -> a program in a process group of its own
//! Monitors::run ---> monitor --> one question to each host of a group, or mon's own program
//! ```
//!
//! Every probe is one future, and dropping it ends all it began. What a server
//! sends is read into bounded memory only, and the deadline covers everything; a probe that runs
//! into it says what it was waiting for.

#![forbid(unsafe_code)]

mod associate;
mod base64;
mod connect;
mod datagram;
mod descriptors;
mod dns;
mod evidence;
mod external;
mod ftp;
#[doc(hidden)]
pub mod fuzz;
mod hash;
mod http;
mod ldap;
mod limits;
mod lines;
mod miss;
pub mod monitor;
mod mysql;
mod patterns;
mod pgsql;
mod ping;
mod radius;
mod reply;
mod resolve;
mod room;
mod session;
mod sip;
mod stream;
mod stretch;
mod tcp;
mod tls;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{CheckSpec, Endpoint, Outcome, Probe};
use miss::{Miss, Progress};

/// Longer time limits are cut to this, so that points of time stay representable.
const FOREVER: Duration = Duration::from_secs(365 * 86_400);

/// Carries out probes. Cheap to clone; all clones share sockets, TLS settings and compiled
/// patterns.
#[derive(Clone, Default)]
pub struct Prober {
    shared: Arc<Shared>,
}

/// What probes have in common.
#[derive(Default)]
struct Shared {
    patterns: patterns::Patterns,
    lookups: resolve::Lookups,
    room: room::Room,
    descriptors: descriptors::Descriptors,
    tls: tls::Configs,
    ping: ping::Engine,
    slots: external::Slots,
    limits: limits::Limits,
}

impl Prober {
    /// A prober that has asked nobody yet; it opens sockets when they are first needed.
    pub fn new() -> Prober {
        Prober::default()
    }

    /// Asks the server at `endpoint` as `spec` says, within `spec.timeout`.
    ///
    /// To be called in a tokio runtime with time and I/O. Dropping the future ends the probe at
    /// once and leaves nothing behind.
    pub async fn probe(&self, endpoint: Endpoint, spec: &CheckSpec) -> Outcome {
        self.carry_out(endpoint, spec, Instant::now(), &Progress::default()).await
    }

    /// The same, and the status with which HTTP was answered, if it was. `began` is now: whoever
    /// measures the probe has looked at the clock already.
    pub async fn probe_for_status(
        &self,
        endpoint: Endpoint,
        spec: &CheckSpec,
        began: std::time::Instant,
    ) -> (Outcome, Option<u16>) {
        let progress = Progress::default();
        let outcome = self.carry_out(endpoint, spec, began.into(), &progress).await;
        (outcome, progress.status())
    }

    /// Ends the programs of external checks as when their time is up: they are told to, and
    /// killed a moment later. Returns when they are gone, and after `limit` in any case. Who asks
    /// for an external check afterwards is told that the director stops.
    pub async fn farewell(&self, limit: Duration) {
        self.shared.slots.farewell(limit).await;
    }

    async fn carry_out(
        &self,
        endpoint: Endpoint,
        spec: &CheckSpec,
        began: Instant,
        progress: &Progress,
    ) -> Outcome {
        let (shared, limit) = (&*self.shared, spec.timeout);
        // Boxed, each at its own size: the many small ones do not grow by the largest.
        let work: Work<'_> = match &spec.probe {
            Probe::On => return Outcome::Pass,
            Probe::Off | Probe::AsFound => return Outcome::Fail("switched off".into()),
            // The watcher's results are the outcomes; whoever asks here instead learns nothing.
            Probe::Watched(_) => return Outcome::Local("watch: asked for elsewhere".into()),
            // These two say themselves what became of them when their time is up.
            Probe::Ping(probe) => {
                let done =
                    Box::pin(shared.ping.run(&shared.limits, endpoint.address, probe, limit)).await;
                return outcome(done);
            }
            Probe::External(probe) => {
                return outcome(Box::pin(shared.slots.run(endpoint, probe, limit)).await);
            }
            Probe::Connect => {
                Box::pin(async move { connect::open(endpoint, progress).await.map(drop) })
            }
            Probe::Associate => Box::pin(associate::run(endpoint, progress)),
            Probe::Http(probe) => Box::pin(http::run(shared, endpoint, probe, progress)),
            Probe::Ftp(probe) => Box::pin(ftp::run(shared, endpoint, probe, limit, progress)),
            Probe::Smtp => Box::pin(lines::smtp(shared, endpoint, limit, progress)),
            Probe::Pop(probe) => Box::pin(lines::pop(shared, endpoint, probe, limit, progress)),
            Probe::Imap(probe) => Box::pin(lines::imap(shared, endpoint, probe, limit, progress)),
            Probe::Nntp => Box::pin(lines::nntp(shared, endpoint, limit, progress)),
            Probe::Sip(probe) => Box::pin(sip::run(shared, endpoint, probe, limit, progress)),
            Probe::Tcp(probe) => Box::pin(tcp::run(shared, endpoint, probe, progress)),
            Probe::Dns(probe) => Box::pin(dns::run(shared, endpoint, probe, limit, progress)),
            Probe::Radius(probe) => Box::pin(radius::run(endpoint, probe, limit, progress)),
            Probe::Ldap(probe) => Box::pin(ldap::run(shared, endpoint, probe, limit, progress)),
            Probe::Mysql(probe) => Box::pin(mysql::run(shared, endpoint, probe, limit, progress)),
            Probe::Pgsql(probe) => Box::pin(pgsql::run(shared, endpoint, probe, limit, progress)),
        };
        let files = if let Probe::Ftp(_) = spec.probe { 2 } else { 1 };
        let _places = match shared.descriptors.take(files) {
            Ok(places) => places,
            Err(miss) => return outcome(Err(miss)),
        };
        let late = || match progress.timed_out(limit) {
            // Where the way went away while it waited, that says nothing about the server.
            Miss::Fail(reason) => Err(connect::no_way(endpoint).unwrap_or(Miss::Fail(reason))),
            other => Err(other),
        };
        let by = began + limit.min(FOREVER);
        outcome(shared.limits.by(by, work).await.unwrap_or_else(late))
    }
}

/// One probe under way.
type Work<'a> = Pin<Box<dyn Future<Output = Result<(), Miss>> + Send + 'a>>;

fn outcome(done: Result<(), Miss>) -> Outcome {
    done.map_or_else(Outcome::from, |()| Outcome::Pass)
}

/// Bytes nobody can foresee.
fn random<const N: usize>() -> Result<[u8; N], Miss> {
    let mut bytes = [0; N];
    let filled = aws_lc_rs::rand::fill(&mut bytes);
    filled.map_err(|_| Miss::Local("the system has no random numbers".into()))?;
    Ok(bytes)
}
