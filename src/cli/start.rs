//! `directord start`: the daemon, in the background.

use std::fmt::Display;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::args::{self, Serve};
use super::exit::{self, Failure};
use super::output::harmless;
use super::role;
use super::started::{LOOK, PATIENCE, Started, last_words, until_running, until_settled};
use crate::alert::hands::open_log;
use crate::api::Client;
use crate::model::Role;

/// Start the director in the background; return when its services are in the kernel.
///
/// For cluster managers and init scripts: the daemon has a session of its own and none of the
/// caller's descriptors. That one runs already is a success; with `--role` it is made to play
/// that role. `directord stop` ends it.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    #[command(flatten)]
    serve: args::Serve,
    /// Add what it logs to this file.
    #[arg(long = "log", value_name = "FILE", default_value = "/var/log/directord.log")]
    log_file: PathBuf,
}

const AFTER_HELP: &str = "\
Examples:
  directord start
  directord start --role standby --log /var/log/lvs.log

Exit statuses: 0 it runs, 1 mistakes in the files leave nothing to serve, 4 no IPVS or no
privilege, 5 another one is in the way, 70 anything else.";

/// How long one that is on its way out may take.
const GIVE_WAY: Duration = Duration::from_secs(5);

pub fn run(args: Args) -> Result<u8, Failure> {
    let client = args.serve.daemon.runtime.client();
    let end = Instant::now() + GIVE_WAY;
    loop {
        if client.is_running() {
            match until_running(None, &client).map_err(failed)? {
                Started::Running => break,
                // It was on its way out: who asks for a start wants the next one.
                Started::Ended(_) => continue,
                Started::Late => return Err(late(&args.log_file)),
            }
        }
        let mut child = spawn(&args.serve, &args.log_file)?;
        match until_running(Some(&mut child), &client).map_err(failed)? {
            Started::Running => break,
            // Somebody was quicker, or the last one is not quite gone.
            Started::Ended(Some(exit::REFUSED)) if Instant::now() < end => sleep(LOOK),
            Started::Ended(code) => {
                let text = format!("start: {}", last_words(&mut child));
                return Err(Failure::Other(code.unwrap_or(exit::INTERNAL), text));
            }
            Started::Late => return Err(late(&args.log_file)),
        }
    }
    serve_as(args.serve.role, &client)
}

/// Waits until the table is as it should be. What the kernel refuses of it is told, and is no
/// failure: the rest serves.
fn serve_as(asked: Option<Role>, client: &Client) -> Result<u8, Failure> {
    match asked {
        Some(asked) => {
            let report = client.role(asked)?;
            role::tell_refused(&report);
            role::verdict(asked, &report)?;
        }
        None => {
            for remark in until_settled(client) {
                let _ = writeln!(std::io::stderr(), "directord: {}", harmless(&remark));
            }
        }
    }
    Ok(exit::OK)
}

/// This program again. Its standard output is for its last words, should it end at once.
fn spawn(serve: &Serve, log: &Path) -> Result<Child, Failure> {
    let stderr = open_log(log).map_err(|error| {
        failed(format_args!("log {}: {error}: name another file with --log", log.display()))
    })?;
    let program = std::env::current_exe().map_err(failed)?;
    let mut command = Command::new(&program);
    command.arg("run").args(serve.words()).arg("--in-background");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
    command.spawn().map_err(|error| failed(format_args!("{}: {error}", program.display())))
}

fn late(log: &Path) -> Failure {
    failed(format_args!("not ready after {} s: see {}", PATIENCE.as_secs(), log.display()))
}

fn failed(what: impl Display) -> Failure {
    Failure::Other(exit::INTERNAL, format!("start: {what}"))
}
