//! Options that several subcommands share, each written once.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::logging;
use crate::api::Client;
use crate::daemon::{Options, SYSLOG, TableChoice};
use crate::model::Role;

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

/// What reads a role.
pub fn role() -> impl TypedValueParser<Value = Role> {
    PossibleValuesParser::new(Role::WORDS)
        .try_map(|word| Role::named(&word).ok_or("neither active nor standby"))
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
    pub fn options(&self) -> Options {
        let Daemon { config, table, runtime, state } = self;
        Options {
            // Last good copies are found by their path, however and wherever it was typed last
            // time; and whoever reads the status is in another folder.
            config: config.config.iter().map(|path| absolute(path)).collect(),
            table: table.table.into(),
            runtime_dir: runtime.runtime_dir.clone(),
            state_dir: state.state_dir.clone(),
            pid_file: None,
            role: None,
            persona: None,
            mon: None,
            syslog: SYSLOG.into(),
        }
    }
}

/// All it can be told, in the foreground and in the background.
#[derive(clap::Args)]
pub struct Serve {
    #[command(flatten)]
    pub daemon: Daemon,
    /// Write the process id here too, besides directord.pid in the runtime folder.
    #[arg(long, value_name = "FILE")]
    pub pid_file: Option<PathBuf>,
    /// Begin in this role, whatever `directord role` or the files said last.
    #[arg(long, value_name = "ROLE", value_parser = role())]
    pub role: Option<Role>,
    #[command(flatten)]
    pub log: logging::Log,
}

impl Serve {
    pub fn options(&self) -> Options {
        let Serve { pid_file, role, .. } = self;
        Options { pid_file: pid_file.clone(), role: *role, ..self.daemon.options() }
    }

    /// The same as words of a command line, for a process in any folder and with any environment.
    pub fn words(&self) -> Vec<OsString> {
        let Daemon { config, table, runtime, state } = &self.daemon;
        let mut words: Vec<OsString> = Vec::new();
        let mut add = |option: &str, value: OsString| words.extend([option.into(), value]);
        config.config.iter().for_each(|path| add("--config", absolute(path).into()));
        add("--table", table.table.name().into());
        add("--runtime-dir", absolute(&runtime.runtime_dir).into());
        add("--state-dir", absolute(&state.state_dir).into());
        if let Some(path) = &self.pid_file {
            add("--pid-file", absolute(path).into());
        }
        if let Some(role) = self.role {
            add("--role", role.to_string().into());
        }
        add("--log-level", self.log.level().into());
        words
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
