//! `directord run`: the daemon, in the foreground.

use std::io;
use std::path::PathBuf;
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::exit::{self, Failure};
use super::{args, logging};
use crate::daemon::{self, Options};
use crate::model::Role;

/// Run the director in the foreground, until SIGTERM or `directord stop`.
///
/// Adopts the table it finds, makes the kernel agree with the files, checks the real servers and
/// goes on doing so. Files may be changed at any time: they are read again by themselves, on
/// SIGHUP, and on `directord reload`. Logs go to standard error.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    #[command(flatten)]
    daemon: args::Daemon,
    /// Write the process id here too, besides directord.pid in the runtime folder.
    #[arg(long, value_name = "FILE")]
    pid_file: Option<PathBuf>,
    /// Start in this role, whatever `directord role` or the files said last.
    #[arg(long, value_name = "ROLE", value_parser = args::role())]
    role: Option<Role>,
    /// Stop when standard input ends: for whoever must not leave a daemon behind.
    #[arg(long, hide = true)]
    until_input_ends: bool,
    #[command(flatten)]
    log: logging::Log,
}

const AFTER_HELP: &str = "\
Examples:
  directord run
  directord run --config ./conf.d --table memory --runtime-dir /tmp/d --state-dir /tmp/d/state

Signals:
  SIGHUP            read the files again, as `directord reload`
  SIGTERM, SIGINT   stop; what happens to the table says on_stop in the files

Exit statuses: 0 stopped as asked, 1 mistakes in the files leave nothing to serve, 4 no IPVS or no
privilege, 5 another one is running, 70 anything else.";

pub fn run(args: Args) -> Result<u8, Failure> {
    let _log = logging::start(&args.log);
    if args.until_input_ends {
        thread::spawn(stop_when_input_ends);
    }
    daemon::run(Options { role: args.role, ..args.daemon.options(args.pid_file) })?;
    Ok(exit::OK)
}

/// The way of the process that started us to end us even when it is killed.
fn stop_when_input_ends() {
    let _ = io::copy(&mut io::stdin(), &mut io::sink());
    // Ourselves, so there is nothing that could be refused.
    let _ = kill(Pid::this(), Signal::SIGTERM);
}
