//! `directord status`: for three in the morning.

mod person;
mod plain;
mod select;
#[cfg(test)]
mod tests;
mod watched;

use std::io::{self, Write};
use std::time::SystemTime;

use super::args;
use super::exit::{self, Failure};
use super::output::Out;
use select::Selection;
pub(super) use watched::word;

/// Show how the director, its services and their real servers are, and what is watched besides.
///
/// On a terminal: what is wrong first, then a table for each service and each watch, with how each
/// host is as far as its monitor says; at last of what nobody is told, by whose word and until when.
/// Into a pipe: one line for each thing, beginning with what it is (directord, kernel, sync, file,
/// vip, service, server, watch, host, disabled), followed by key=value, for grep and awk.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Only services, real servers, watches and hosts whose address or name contains this.
    filter: Option<String>,
    /// Only what is not as it should be.
    #[arg(long, short)]
    problems: bool,
    /// Print everything as JSON; knows no filter.
    #[arg(long, conflicts_with_all = ["filter", "problems"])]
    json: bool,
    #[command(flatten)]
    runtime: args::Runtime,
}

const AFTER_HELP: &str = "\
Examples:
  directord status
  directord status --problems
  directord status 10.0.0.7              one real server, in all its services
  directord status | awk '$1 == \"server\" && $5 != \"up\"'
  directord status --json | jq '.services[] | select(.up | not) | .service'

Columns of a real server: its weight in the kernel's table (`-` when it is not in it, `0 of 5`
when it differs from the files), how long its state holds, and why.

Exit statuses: 0 printed (whatever there was to say), 3 directord is not running, 5 nothing
matches the filter.";

pub fn run(args: Args, out: &mut Out) -> Result<u8, Failure> {
    let client = args.runtime.client();
    if args.json {
        io::copy(&mut client.status_json()?, out)?;
        writeln!(out)?;
        return Ok(exit::OK);
    }
    let snapshot = client.status()?;
    let selection = Selection::new(&snapshot, args.filter.as_deref(), args.problems);
    if let (Some(filter), true, false) = (&args.filter, selection.is_empty(), args.problems) {
        let text =
            format!("no service, real server or watch has {filter:?} in its address or name");
        return Err(Failure::Other(exit::REFUSED, text));
    }
    match out.is_person() {
        true => {
            let paint = out.paint();
            person::print(out, &snapshot, &selection, SystemTime::now(), paint)?;
        }
        false => plain::print(out, &snapshot, &selection)?,
    }
    Ok(exit::OK)
}
