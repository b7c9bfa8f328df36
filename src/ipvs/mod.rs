//! Talk to the kernel.
//!
//! [`Kernel`] is the whole conversation; there are two who can hold it: the kernel itself, by
//! generic netlink, and [`Fake`], a kernel made of a map.

#![forbid(unsafe_code)]

mod fake;
mod refusal;

use crate::model::{Entry, KernelError, ServiceKey, Survey};
use crate::plan::Step;

pub use fake::{Counters, Fake, Fault};

/// An IPVS table that can be read and written. One writer, one request at a time.
pub trait Kernel: Send {
    /// Every service's settings, ours and foreign, with digests of their destinations.
    fn survey(&mut self) -> Result<Survey, KernelError>;

    /// These services in full, in the order asked; `None` for one that does not exist.
    fn read(&mut self, services: &[ServiceKey]) -> Result<Vec<Option<Entry>>, KernelError>;

    /// Carries out the steps in order, going on after one that fails. Returns the failures with
    /// the index of their step; a step without one was done.
    fn apply(&mut self, steps: &[Step]) -> Vec<(usize, KernelError)>;
}
