//! Talk to the kernel.
//!
//! [`Kernel`] is the whole conversation; there are two who can hold it: the kernel itself, by
//! generic netlink, and [`Fake`], a kernel made of a map.

#![forbid(unsafe_code)]

mod codec;
mod fake;
#[doc(hidden)]
pub mod fuzz;
mod module;
mod proc;
mod record;
mod refusal;
mod socket;
pub mod sysctl;
mod table;

use std::time::Duration;

use crate::model::{Digests, Entry, KernelError, ServiceKey, Survey, SyncDaemon};
use crate::plan::{Step, SyncStep};

pub use fake::{Counters, Fake, Fault};
pub use table::Netlink;

/// An IPVS table that can be read and written. One writer, one request at a time.
pub trait Kernel: Send {
    /// Every service's settings, ours and foreign, with digests of their destinations.
    fn survey(&mut self) -> Result<Survey, KernelError>;

    /// The digests of a survey alone.
    fn glance(&mut self) -> Result<Digests, KernelError>;

    /// These services in full, in the order asked; `None` for one that does not exist.
    fn read(&mut self, services: &[ServiceKey]) -> Result<Vec<Option<Entry>>, KernelError>;

    /// Carries out the steps in order, going on after one that fails. Returns the failures with
    /// the index of their step; a step without one was done.
    fn apply(&mut self, steps: &[Step]) -> Vec<(usize, KernelError)>;

    /// The sync daemons there are, whoever started them: one of each state at most.
    fn sync_daemons(&mut self) -> Result<Vec<SyncDaemon>, KernelError>;

    /// As [`Kernel::apply`], for sync daemons.
    fn apply_sync(&mut self, steps: &[SyncStep]) -> Vec<(usize, KernelError)>;
}

/// Sizes of the conversation with the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tuning {
    /// Steps to a send. At most 200, or the answers of a batch that fails as a whole do not fit
    /// the usual socket buffer (277 do on Linux 6.1, 221 on 6.12) and get lost.
    pub batch: usize,
    /// The socket's buffer for answers, in bytes; `None` is the system's default.
    pub receive_buffer: Option<usize>,
    /// How long to wait for an answer, in whole seconds, at least 1. The kernel has answered
    /// when a send returns, so this passes only when an answer got lost.
    pub patience: Duration,
}

impl Default for Tuning {
    fn default() -> Tuning {
        Tuning { batch: 200, receive_buffer: Some(8 << 20), patience: Duration::from_secs(5) }
    }
}
