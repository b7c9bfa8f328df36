//! `directord drain` and `undrain`: the operator's word on one server.

use std::io::Write;

use super::args;
use super::exit::{self, Failure};
use super::output::{Out, harmless};
use crate::model::Command;

/// Give a real server no new connections (weight 0); those it has live on.
///
/// Holds until `directord undrain`, also across a restart, whatever the server's check says.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct DrainArgs {
    #[command(flatten)]
    which: Which,
}

/// Give a drained real server back to its check.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct UndrainArgs {
    #[command(flatten)]
    which: Which,
}

#[derive(clap::Args)]
struct Which {
    /// The real server as `directord status` shows it: 10.0.0.7:80, [2001:db8::7]:80.
    server: String,
    /// In this virtual service only: 192.0.2.10:80/tcp, fwmark:7.
    #[arg(long, value_name = "SERVICE")]
    service: Option<String>,
    #[command(flatten)]
    runtime: args::Runtime,
}

const AFTER_HELP: &str = "\
Examples:
  directord drain 10.0.0.7:80
  directord drain 10.0.0.7:80 --service 192.0.2.10:80/tcp
  directord undrain 10.0.0.7:80

Exit statuses: 0 done, 3 directord is not running, 5 there is no such server.";

pub fn drain(args: DrainArgs, out: &mut Out) -> Result<u8, Failure> {
    let Which { server, service, runtime } = args.which;
    send(&runtime, Command::Drain { server, service }, "drained", out)
}

pub fn undrain(args: UndrainArgs, out: &mut Out) -> Result<u8, Failure> {
    let Which { server, service, runtime } = args.which;
    send(&runtime, Command::Undrain { server, service }, "undrained", out)
}

fn send(
    runtime: &args::Runtime,
    command: Command,
    done: &str,
    out: &mut Out,
) -> Result<u8, Failure> {
    let affected = runtime.client().command(&command)?.affected;
    for name in &affected.names {
        writeln!(out, "{done} {}", harmless(name))?;
    }
    match affected.count.saturating_sub(affected.names.len()) {
        0 => {}
        more => writeln!(out, "{done} {more} more")?,
    }
    Ok(exit::OK)
}
