//! A stand-in for the daemon, to compile the command line against.

use std::path::PathBuf;

use crate::model::{KernelError, PlanView};

/// What `run` and `plan` need to know before they start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// Files and folders.
    pub config: Vec<PathBuf>,
    pub table: TableChoice,
    pub runtime_dir: PathBuf,
    pub state_dir: PathBuf,
    /// Written besides the one in the runtime directory.
    pub pid_file: Option<PathBuf>,
}

/// Where the records go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TableChoice {
    Kernel,
    Memory,
}

/// Why the daemon did not start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Kernel(KernelError),
    #[error("{0}")]
    AlreadyRunning(String),
    #[error("{0}")]
    Startup(String),
}

/// Runs until stopped.
pub fn run(_: Options) -> Result<(), Error> {
    Err(Error::Startup("not wired".into()))
}

/// What a start with these files would change in the table, without changing it.
pub fn preview(_: &Options) -> Result<PlanView, Error> {
    Err(Error::Startup("not wired".into()))
}
