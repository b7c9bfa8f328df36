//! How the director itself is, in few words: for those who would start it anew, or hand its work
//! to another.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Phase;

/// What `directord monitor` is told.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Vitals {
    pub version: String,
    pub pid: u32,
    pub phase: Phase,
    /// Seconds since this director began.
    pub up_seconds: f64,
    /// What keeps it from its work, the gravest first; none when all is well.
    pub ailments: Vec<Ailment>,
}

/// Something that keeps the director from its work. A server that is down is none: to notice that
/// is its work.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "ailment")]
pub enum Ailment {
    /// A request to the kernel has been under way for so long.
    KernelStuck { seconds: u64 },
    /// IPVS is not there, or not for us.
    KernelUnreachable { reason: String },
    /// The kernel refuses something of every service.
    TableRefused { reason: String },
    /// For so long the table was not found to be as it should.
    TableWrong { seconds: u64 },
    /// So many checks are due and were not asked, the first of them for so long.
    ChecksLate { checks: usize, seconds: u64 },
    /// So many checks have not come back, the first of them so long after its time limit.
    ChecksLost { checks: usize, seconds: u64 },
}

impl Ailment {
    /// Whether something hangs that a new start sets free. A table that the kernel refuses is
    /// refused to the next director as well.
    pub const fn is_freeze(&self) -> bool {
        matches!(self, Ailment::KernelStuck { .. } | Ailment::ChecksLate { .. })
    }
}

impl fmt::Display for Ailment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ailment::KernelStuck { seconds } => write!(
                f,
                "the thread that talks to the kernel has not come back for {seconds} s: it waits \
                 for the kernel, or for the disk of the runtime folder"
            ),
            Ailment::KernelUnreachable { reason } => f.write_str(reason),
            Ailment::TableRefused { reason } => {
                write!(f, "the kernel refuses something of every service: {reason}")
            }
            Ailment::TableWrong { seconds } => {
                write!(f, "the table was not found as it should be for {seconds} s")
            }
            Ailment::ChecksLate { checks, seconds } => {
                write!(f, "checks are overdue: {checks} not begun, the first for {seconds} s")
            }
            Ailment::ChecksLost { checks, seconds } => write!(
                f,
                "checks are overdue: {checks} not back, the first {seconds} s after its time limit"
            ),
        }
    }
}
