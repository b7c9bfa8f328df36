//! `directord run`: the daemon, in the foreground.

use std::io::{self, Write};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::exit::{self, Failure};
use super::{args, logging, started};
use crate::daemon::{self, Again, Ended};

/// Run the director in the foreground, until SIGTERM or `directord stop`.
///
/// Adopts the table it finds, makes the kernel agree with the files, checks the real servers and
/// goes on doing so. Files may be changed at any time: they are read again by themselves, on
/// SIGHUP, and on `directord reload`. Logs go to standard error.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    #[command(flatten)]
    serve: args::Serve,
    /// Stop when standard input ends: for whoever must not leave a daemon behind.
    #[arg(long, hide = true)]
    until_input_ends: bool,
    /// Leave whoever started us, as `directord start` does it.
    #[arg(long, hide = true)]
    in_background: bool,
    /// Only say whether a start would succeed: of the program that is to go on after an upgrade.
    #[arg(long, hide = true)]
    rehearse: bool,
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
    if args.rehearse {
        let _log = logging::start(&logging::Log::quiet());
        daemon::could_start(&args.serve.options())?;
        return Ok(exit::OK);
    }
    if args.in_background {
        started::close_inherited();
        started::detach();
    }
    let log = logging::start(&args.serve.log);
    if args.until_input_ends {
        thread::spawn(stop_when_input_ends);
    }
    // One that its input ends cannot be handed anything by that.
    let again = if args.until_input_ends { None } else { Again::of_this_process().ok() };
    let ended = daemon::run(args.serve.options(), again);
    if let (Err(error), true) = (&ended, args.in_background) {
        // To the one who started us: standard error is the log.
        let _ = writeln!(io::stdout(), "{error}");
    }
    match ended? {
        Ended::Stopped => Ok(exit::OK),
        Ended::Upgrade(handover) => {
            // What was said until now is written before there is nobody left to write it.
            drop(log);
            Err(Failure::Other(exit::INTERNAL, handover.go()))
        }
    }
}

/// The way of the process that started us to end us even when it is killed.
fn stop_when_input_ends() {
    let _ = io::copy(&mut io::stdin(), &mut io::sink());
    // Ourselves, so there is nothing that could be refused.
    let _ = kill(Pid::this(), Signal::SIGTERM);
}
