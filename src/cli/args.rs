//! Options that several subcommands share, each written once.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::api::Client;
use crate::daemon::{Options, SYSLOG, TableChoice};

/// Which files.
#[derive(clap::Args)]
pub struct Config {
    /// File or folder to read; may be given several times. In a folder *.yaml, *.yml and *.cf
    /// count; a file of another name tells its syntax by its first line.
    #[arg(
        long,
        value_name = "PATH",
        env = "DIRECTORD_CONFIG",
        default_value = "/etc/directord/conf.d"
    )]
    pub config: Vec<PathBuf>,
}

/// Where the daemon listens when nothing else is said.
pub const RUNTIME_DIR: &str = "/run/directord";

/// Which daemon.
#[derive(clap::Args)]
pub struct Runtime {
    /// Folder of the control socket; every running directord has its own.
    #[arg(
        long,
        value_name = "DIR",
        env = "DIRECTORD_RUNTIME_DIR",
        default_value = RUNTIME_DIR
    )]
    pub runtime_dir: PathBuf,
}

impl Runtime {
    pub fn client(&self) -> Client {
        Client::new(&self.runtime_dir)
    }
}

/// Where the last good copies are.
#[derive(clap::Args)]
pub struct State {
    /// Folder of the last good copies of the files.
    #[arg(
        long,
        value_name = "DIR",
        env = "DIRECTORD_STATE_DIR",
        default_value = "/var/lib/directord"
    )]
    pub state_dir: PathBuf,
}

/// Which table.
#[derive(clap::Args)]
pub struct Table {
    /// Where the records go: the kernel's IPVS, or a table in memory that forwards nothing and puts
    /// no address on an interface.
    #[arg(long, value_enum, env = "DIRECTORD_TABLE", default_value_t = TableArg::Kernel)]
    pub table: TableArg,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum TableArg {
    Kernel,
    Memory,
}

impl TableArg {
    /// As it is written on a command line.
    pub const fn name(self) -> &'static str {
        match self {
            TableArg::Kernel => "kernel",
            TableArg::Memory => "memory",
        }
    }
}

impl From<TableArg> for TableChoice {
    fn from(table: TableArg) -> TableChoice {
        match table {
            TableArg::Kernel => TableChoice::Kernel,
            TableArg::Memory => TableChoice::Memory,
        }
    }
}

/// All of it: what the daemon needs.
#[derive(clap::Args)]
pub struct Daemon {
    #[command(flatten)]
    pub config: Config,
    #[command(flatten)]
    pub table: Table,
    #[command(flatten)]
    pub runtime: Runtime,
    #[command(flatten)]
    pub state: State,
}

impl Daemon {
    pub fn options(self, pid_file: Option<PathBuf>) -> Options {
        // Last good copies are found by their path, however and wherever it was typed last time;
        // and whoever reads the status is in another folder.
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        Options {
            config: self.config.config.into_iter().map(absolute).collect(),
            table: self.table.table.into(),
            runtime_dir: self.runtime.runtime_dir,
            state_dir: self.state.state_dir,
            pid_file,
            persona: None,
            mon: None,
            syslog: SYSLOG.into(),
        }
    }
}
