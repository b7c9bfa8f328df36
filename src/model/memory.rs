//! What outlives the daemon: verdicts and the operator's word, as the state file keeps them.

use std::collections::HashMap;

use super::{Endpoint, ServiceKey, Verdict};

/// What a director knew when it last wrote its state down.
///
/// Checks are found again by [`CheckSpec::digest`](super::CheckSpec::digest): a check whose
/// definition changed has another digest, so its old verdict is not found and does not count.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Memory {
    /// When it was written: milliseconds since 1970-01-01 UTC.
    pub written_unix_ms: u64,
    /// By the digest of the check and its endpoint.
    pub checks: HashMap<u64, Remembered>,
    /// What the operator took out, in the order given.
    pub drains: Vec<Drain>,
    /// What a program took out that was told of a failure.
    pub withdrawn: Vec<Drain>,
}

/// What was known of one check.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Remembered {
    pub verdict: Verdict,
    /// Since when the verdict holds: milliseconds since 1970-01-01 UTC.
    pub since_unix_ms: u64,
    /// Passes in a row, counted up to the check's rise.
    pub passes: u16,
    /// Failures in a row, counted up to the check's fall.
    pub failures: u16,
    /// What the last failed probe complained of.
    pub reason: Option<String>,
}

/// The operator's word, or a program's, that a server takes no new connections.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Drain {
    pub server: Endpoint,
    /// Under this service only; under all of them when `None`.
    pub service: Option<ServiceKey>,
}
