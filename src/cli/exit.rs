//! Exit statuses: an interface, so they have names, and keep their numbers.
//!
//! | status | name | means |
//! |---|---|---|
//! | 0 | [`OK`] | done |
//! | 1 | [`MISTAKES`] | the files have mistakes; what could be done was done |
//! | 1 | [`UNWELL`] | `monitor`: the daemon is there and does not do its work |
//! | 2 | [`USAGE`] | the command line is wrong |
//! | 3 | [`NOT_RUNNING`] | there is no daemon to ask |
//! | 4 | [`UNAVAILABLE`] | the kernel's IPVS is not there, or a privilege is missing |
//! | 5 | [`REFUSED`] | refused or held; nothing was changed |
//! | 70 | [`INTERNAL`] | something else failed (EX_SOFTWARE of sysexits.h) |
//!
//! Called as ldirectord the exit statuses are ldirectord's.

use std::fmt;
use std::io;

use crate::{api, daemon};

pub const OK: u8 = 0;
pub const MISTAKES: u8 = 1;
pub const UNWELL: u8 = 1;
pub const USAGE: u8 = 2;
pub const NOT_RUNNING: u8 = 3;
pub const UNAVAILABLE: u8 = 4;
pub const REFUSED: u8 = 5;
pub const INTERNAL: u8 = 70;

/// Why a subcommand did not do what it is for.
#[derive(Debug)]
pub enum Failure {
    /// Nobody reads standard output, or it cannot be written.
    Output(io::Error),
    Api(api::Error),
    Daemon(daemon::Error),
    /// With its exit status.
    Other(u8, String),
}

impl Failure {
    /// The exit status for it.
    pub fn status(&self) -> u8 {
        match self {
            Failure::Output(_) => INTERNAL,
            Failure::Api(error) => match error {
                api::Error::NotRunning(_) => NOT_RUNNING,
                api::Error::Permission(_) | api::Error::Foreign { .. } => UNAVAILABLE,
                api::Error::Refused(_) => REFUSED,
                api::Error::Timeout { .. } | api::Error::Broken { .. } => INTERNAL,
            },
            Failure::Daemon(error) => match error {
                daemon::Error::Kernel(_) => UNAVAILABLE,
                daemon::Error::AlreadyRunning(_) => REFUSED,
                daemon::Error::Config(_) => MISTAKES,
                daemon::Error::Startup(_) => INTERNAL,
            },
            Failure::Other(status, _) => *status,
        }
    }

    /// Whether the reader of our output went away.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Output(error) => write!(f, "write to standard output: {error}"),
            Failure::Api(error) => error.fmt(f),
            Failure::Daemon(error) => error.fmt(f),
            Failure::Other(_, text) => f.write_str(text),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Output(error)
    }
}

impl From<api::Error> for Failure {
    fn from(error: api::Error) -> Failure {
        Failure::Api(error)
    }
}

impl From<daemon::Error> for Failure {
    fn from(error: daemon::Error) -> Failure {
        Failure::Daemon(error)
    }
}
