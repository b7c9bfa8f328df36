//! Carry out one check, come back with one outcome.
//!
//! ```text
//! Prober::probe --> connect --> Pass | Fail(reason) | Local(reason)
//!      |             http ----> connect, tls, reader, patterns
//!      |             ftp  ----> connect, dialogue, patterns
//!   one deadline     ping ----> one engine for all targets
//!   for it all       external -> a program in a process group of its own
//! ```
//!
//! Every probe is one future without a task, and dropping it ends all it began. What a server
//! sends is read into bounded memory only, and the deadline covers everything; a probe that runs
//! into it says what it was waiting for.

#![forbid(unsafe_code)]

mod connect;
mod evidence;
mod http;
mod miss;
mod patterns;
mod resolve;
mod stream;
mod tls;

use std::sync::Arc;

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
    tls: tls::Configs,
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
        let progress = Progress::default();
        let work = self.carry_out(endpoint, spec, &progress);
        match timeout(spec.timeout, work).await {
            Ok(Ok(())) => Outcome::Pass,
            Ok(Err(miss)) => miss.into(),
            Err(_) => progress.timed_out(spec.timeout).into(),
        }
    }

    /// The larger probes are boxed, so that the many small ones stay small.
    async fn carry_out(
        &self,
        endpoint: Endpoint,
        spec: &CheckSpec,
        progress: &Progress,
    ) -> Result<(), Miss> {
        match &spec.probe {
            Probe::On => Ok(()),
            Probe::Off => Err(Miss::Fail("switched off".into())),
            Probe::Connect => connect::open(endpoint, progress).await.map(drop),
            Probe::Http(probe) => {
                Box::pin(http::run(&self.shared, endpoint, probe, progress)).await
            }
            _ => Err(Miss::Local("not built yet".into())),
        }
    }
}
