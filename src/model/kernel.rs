//! What the kernel answers when it does not do as asked.

use std::fmt;

/// A refusal or failure of the kernel interface, sorted by what to do about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KernelError {
    pub kind: KernelErrorKind,
    /// What was asked, what was answered and the remedy, for a person.
    pub message: String,
}

/// What the engine should do about a [`KernelError`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KernelErrorKind {
    /// It exists already, or is gone already: somebody else wrote. Read it again.
    Conflict,
    /// The kernel will not take this record as it is (an unknown scheduler, an address it
    /// refuses). Trying again helps only after the world changed: back off.
    Refused,
    /// Nobody knows whether it was done (a lost answer). Read it again.
    Unknown,
    /// IPVS is not there, or not for us: no module, no privilege.
    Unavailable,
}

impl KernelError {
    pub fn new(kind: KernelErrorKind, message: impl Into<String>) -> KernelError {
        KernelError { kind, message: message.into() }
    }
}

impl fmt::Display for KernelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for KernelError {}
