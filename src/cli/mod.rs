//! The command line: one file per subcommand.
//!
//! A subcommand gets its arguments and [`Out`], and answers with an exit status or a
//! [`Failure`]; only [`main`] prints failures, so they all look alike.

#![forbid(unsafe_code)]

mod alert;
mod alerts;
mod args;
mod check;
mod convert;
mod demo;
mod drain;
pub mod exit;
pub mod ldirectord;
mod logging;
pub mod mon;
mod monitor;
mod output;
mod plan;
mod reload;
mod role;
mod run;
mod schema;
mod spool;
mod start;
mod started;
mod status;
mod stop;
mod syslog;
mod upgrade;

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::Path;

use clap::{Parser, Subcommand};

use exit::Failure;
use output::Out;

/// Keeps a Linux Virtual Server director's IPVS table as its files and its real servers say.
///
/// `directord run` is the daemon. It reads one file per virtual service, checks the real servers,
/// and keeps the kernel's table right. The other commands look at it and talk to it.
#[derive(Parser)]
#[command(name = "directord", version, after_help = AFTER_HELP, max_term_width = 100)]
#[command(subcommand_required = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(Box<run::Args>),
    Start(Box<start::Args>),
    Check(check::Args),
    Plan(plan::Args),
    Status(status::Args),
    Monitor(monitor::Args),
    Reload(reload::Args),
    Role(role::Args),
    Stop(stop::Args),
    Upgrade(upgrade::Args),
    Drain(drain::DrainArgs),
    Undrain(drain::UndrainArgs),
    Alerts(alerts::Args),
    Convert(convert::Args),
    Schema(schema::Args),
    Demo(demo::Args),
    #[command(hide = true)]
    Alert(alert::Args),
    /// Behave as the `ldirectord` command does.
    ///
    /// `directord ldirectord [OPTIONS] [CONFIG] start|stop|restart|reload|status...`; the same
    /// happens when the program is called by the name ldirectord.
    #[command(disable_help_flag = true)]
    Ldirectord {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Behave as the `mon` daemon does.
    ///
    /// `directord mon [-f] [-c FILE]...`; the same happens when the program is called by the name
    /// mon.
    #[command(disable_help_flag = true)]
    Mon {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

const AFTER_HELP: &str = "\
A first service, in /etc/directord/conf.d/www.yaml:
  virtual: 192.0.2.10:80
  scheduler: wlc
  forward: masq
  real: [\"10.0.0.7:80 weight=5\", \"10.0.0.8:80\"]
  check: {http: {request: /health}, interval: 2s}

Then:
  directord check                 are the files right?
  directord plan                  what would change in the kernel?
  directord run                   do it, and stay
  directord status --problems     what is wrong just now?

Files:
  /etc/directord/conf.d/          *.yaml, *.yml, and *.cf in ldirectord's syntax (--config)
  /run/directord/                 control socket, pid file, what is ours, health (--runtime-dir)
  /var/lib/directord/             last good copies of the files (--state-dir)

Exit statuses:
  0  done
  1  the files have mistakes; or `monitor`: it does not do its work
  2  the command line is wrong
  3  directord is not running
  4  the kernel's IPVS is not there, or a privilege is missing
  5  refused or held; nothing was changed
  70 something else failed

See `directord demo` for the whole story in half a minute, no root needed.";

/// Runs the command line and returns the exit status. The first argument is the program's name.
pub fn main(args: impl IntoIterator<Item = OsString>) -> u8 {
    let args: Vec<OsString> = args.into_iter().collect();
    let programme = args.first().map(Path::new).unwrap_or(Path::new("directord"));
    // ldirectord's syntax is not clap's: it never sees it.
    if programme.file_name() == Some(OsStr::new("ldirectord")) {
        return ldirectord::run(args.iter().skip(1).cloned(), programme);
    }
    if args.get(1).is_some_and(|word| word == "ldirectord") {
        // The daemon is called by this name, or it would not be known for one.
        return ldirectord::run(args.iter().skip(2).cloned(), Path::new("ldirectord"));
    }
    if programme.file_name() == Some(OsStr::new("mon")) {
        return mon::run(args.iter().skip(1).cloned());
    }
    if args.get(1).is_some_and(|word| word == "mon") {
        return mon::run(args.iter().skip(2).cloned());
    }
    match Cli::try_parse_from(&args) {
        Ok(cli) => finish(dispatch(cli.command)),
        Err(error) => {
            // Nobody left to tell when this fails.
            let _ = error.print();
            if error.use_stderr() { exit::USAGE } else { exit::OK }
        }
    }
}

fn dispatch(command: Command) -> Result<u8, Failure> {
    let mut out = Out::stdout();
    let status = match command {
        Command::Run(args) => run::run(*args),
        Command::Start(args) => start::run(*args),
        Command::Check(args) => check::run(args, &mut out),
        Command::Plan(args) => plan::run(args, &mut out),
        Command::Status(args) => status::run(args, &mut out),
        Command::Monitor(args) => monitor::run(args, &mut out),
        Command::Reload(args) => reload::run(args, &mut out),
        Command::Role(args) => role::run(args, &mut out),
        Command::Stop(args) => stop::run(args, &mut out),
        Command::Upgrade(args) => upgrade::run(args, &mut out),
        Command::Drain(args) => drain::drain(args, &mut out),
        Command::Undrain(args) => drain::undrain(args, &mut out),
        Command::Alerts(args) => alerts::run(args, &mut out),
        Command::Convert(args) => convert::run(args, &mut out),
        Command::Schema(args) => schema::run(args, &mut out),
        Command::Demo(args) => demo::run(args, &mut out),
        Command::Alert(args) => alert::run(args, &mut out),
        Command::Ldirectord { args } => {
            Ok(ldirectord::run(args.into_iter(), Path::new("ldirectord")))
        }
        Command::Mon { args } => Ok(mon::run(args.into_iter())),
    };
    // What was printed before a failure is printed all the same.
    let flushed = out.flush();
    let status = status?;
    flushed?;
    Ok(status)
}

fn finish(outcome: Result<u8, Failure>) -> u8 {
    match outcome {
        Ok(status) => status,
        // The reader has seen enough (`directord status | head`): that is not a failure.
        Err(failure) if failure.is_closed_pipe() => exit::OK,
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "directord: {failure}");
            failure.status()
        }
    }
}
