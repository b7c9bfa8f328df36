//! Checks: what to ask a real server, and what the answer means.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Probe, WatchKey};

/// Everything about a check but the address it goes to.
///
/// Two servers' checks are the same check, done once, when their `CheckSpec` and their endpoint
/// are equal; so everything that could make the answer differ is in here.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CheckSpec {
    pub probe: Probe,
    /// From the start of one probe to the start of the next. At least 10 ms.
    pub interval: Duration,
    /// The interval while the last probe failed.
    pub retry: Duration,
    /// For the whole probe: resolve, connect, TLS, headers, body. A probe that needs longer has
    /// failed. At least 1 ms.
    pub timeout: Duration,
    /// Passes in a row that bring a server back, at least 1. A server that never answered before
    /// needs only one.
    pub rise: u16,
    /// Failures in a row that take a server out, at least 1.
    pub fall: u16,
    /// Cheaper probes between two of these.
    pub between: Option<Between>,
}

/// How soon after a result the check of a watched server waits for the next one.
const AT_ONCE: Duration = Duration::from_millis(20);

impl CheckSpec {
    /// One that waits for what these are found to be.
    pub fn watched(keys: Arc<[WatchKey]>, rise: u16, fall: u16) -> CheckSpec {
        CheckSpec {
            probe: Probe::Watched(keys),
            interval: AT_ONCE,
            retry: AT_ONCE,
            timeout: AT_ONCE,
            rise,
            fall,
            between: None,
        }
    }

    /// This check with one of its cheaper probes in place of its own.
    pub fn cheaper(&self, between: &Between) -> CheckSpec {
        let Between { probe, timeout, .. } = between;
        let CheckSpec { interval, retry, rise, fall, .. } = *self;
        let (probe, timeout) = (probe.clone(), *timeout);
        CheckSpec { probe, interval, retry, timeout, rise, fall, between: None }
    }
}

/// Cheaper probes that follow a probe that passed; when they are through, or one of them fails,
/// the next is the whole one again.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Between {
    /// How many, at least 1.
    pub times: u16,
    /// A [connection](Probe::is_connect), or [`Probe::On`], which asks nothing and passes.
    pub probe: Probe,
    /// As [`CheckSpec::timeout`].
    pub timeout: Duration,
}

/// What one probe found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    Pass,
    /// The server did not answer as it should; the reason is for a person:
    /// `connect: connection refused`.
    Fail(String),
    /// The director could not ask: no route, no file descriptor, an interface down. Says
    /// nothing about the server.
    Local(String),
}

/// What we hold a real server to be.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Not answered yet, neither well nor badly.
    Unknown,
    Up,
    Down,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Unknown => "unknown",
            Verdict::Up => "up",
            Verdict::Down => "down",
        })
    }
}
