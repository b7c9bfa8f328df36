//! Carry out one check, come back with one outcome.
//!
//! ```text
//! Prober::probe --> connect --> Pass | Fail(reason) | Local(reason)
//!      |             http ----> connect, tls, reader, patterns
//!      |             ftp  ----> connect, dialogue, patterns
//!      |             lines ---> connect, tls, session: smtp, pop, imap, nntp
//!      |             sip -----> datagram, or connect and session; message
//!      |             tcp -----> connect, answer, patterns
//!      |             ldap ----> connect, tls, session, dialogue, patterns
//!      |             mysql, pgsql -> connect, session, dialogue
//!      |             dns -----> datagram, connect, message, patterns
//!   one deadline     radius --> datagram, packet
//!   for it all       ping ----> one engine for all targets
//!                    external -> a program in a process group of its own
//! ```
//!
//! Every probe is one future without a task, and dropping it ends all it began. What a server
//! sends is read into bounded memory only, and the deadline covers everything; a probe that runs
//! into it says what it was waiting for.

#![forbid(unsafe_code)]

mod base64;
mod connect;
mod datagram;
mod dns;
mod evidence;
mod external;
mod ftp;
mod http;
mod ldap;
mod lines;
mod miss;
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
mod tcp;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::model::{CheckSpec, Endpoint, Outcome, Probe};
use miss::{Miss, Progress};

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
    tls: tls::Configs,
    ping: ping::Engine,
    slots: external::Slots,
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
        let done = match &spec.probe {
            Probe::On => Ok(()),
            Probe::Off => Err(Miss::Fail("switched off".into())),
            Probe::Connect => {
                let work =
                    async |progress: &Progress| connect::open(endpoint, progress).await.map(drop);
                within(spec.timeout, work).await
            }
            // The larger ones are boxed, so that the many small ones stay small.
            Probe::Http(probe) => {
                let work = async |progress: &Progress| {
                    http::run(&self.shared, endpoint, probe, progress).await
                };
                Box::pin(within(spec.timeout, work)).await
            }
            Probe::Ftp(probe) => {
                let work = async |progress: &Progress| {
                    ftp::run(&self.shared, endpoint, probe, spec.timeout, progress).await
                };
                Box::pin(within(spec.timeout, work)).await
            }
            Probe::Ping(probe) => {
                Box::pin(self.shared.ping.run(endpoint.address, probe, spec.timeout)).await
            }
            Probe::External(probe) => {
                Box::pin(self.shared.slots.run(endpoint, probe, spec.timeout)).await
            }
            Probe::Dns(probe) => {
                let work = async |progress: &Progress| {
                    dns::run(&self.shared, endpoint, probe, spec.timeout, progress).await
                };
                Box::pin(within(spec.timeout, work)).await
            }
            Probe::Radius(probe) => {
                let work = async |progress: &Progress| {
                    radius::run(endpoint, probe, spec.timeout, progress).await
                };
                Box::pin(within(spec.timeout, work)).await
            }
            probe @ (Probe::Smtp | Probe::Pop(_) | Probe::Imap(_) | Probe::Nntp) => {
                let work = async |progress: &Progress| {
                    let limit = spec.timeout;
                    let call = lines::Call { shared: &self.shared, endpoint, limit, progress };
                    match probe {
                        Probe::Smtp => call.smtp().await,
                        Probe::Pop(probe) => call.pop(probe).await,
                        Probe::Imap(probe) => call.imap(probe).await,
                        _ => call.nntp().await,
                    }
                };
                Box::pin(within(spec.timeout, work)).await
            }
            Probe::Sip(probe) => {
                let work = async |progress: &Progress| {
                    sip::run(&self.shared, endpoint, probe, spec.timeout, progress).await
                };
                Box::pin(within(spec.timeout, work)).await
            }
            Probe::Tcp(probe) => {
                let work = async |progress: &Progress| {
                    tcp::run(&self.shared, endpoint, probe, progress).await
                };
                Box::pin(within(spec.timeout, work)).await
            }
            Probe::Ldap(probe) => {
                let work = async |progress: &Progress| {
                    ldap::run(&self.shared, endpoint, probe, spec.timeout, progress).await
                };
                Box::pin(within(spec.timeout, work)).await
            }
            Probe::Mysql(probe) => {
                let work = async |progress: &Progress| {
                    mysql::run(&self.shared, endpoint, probe, spec.timeout, progress).await
                };
                Box::pin(within(spec.timeout, work)).await
            }
            Probe::Pgsql(probe) => {
                let work = async |progress: &Progress| {
                    pgsql::run(&self.shared, endpoint, probe, spec.timeout, progress).await
                };
                Box::pin(within(spec.timeout, work)).await
            }
        };
        done.map_or_else(Outcome::from, |()| Outcome::Pass)
    }
}

/// Does `work` and, when it is not done by `limit`, says how far it came.
async fn within(
    limit: Duration,
    work: impl AsyncFnOnce(&Progress) -> Result<(), Miss>,
) -> Result<(), Miss> {
    let progress = Progress::default();
    match timeout(limit, work(&progress)).await {
        Ok(done) => done,
        Err(_) => Err(progress.timed_out(limit)),
    }
}

/// Bytes nobody can foresee.
fn random<const N: usize>() -> Result<[u8; N], Miss> {
    let mut bytes = [0; N];
    let filled = aws_lc_rs::rand::fill(&mut bytes);
    filled.map_err(|_| Miss::Local("the system has no random numbers".into()))?;
    Ok(bytes)
}
