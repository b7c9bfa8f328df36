//! `directord upgrade`: go on as the program that is installed now.

use std::io::Write;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::args;
use super::exit::{self, Failure};
use super::output::{Out, harmless};
use super::started::{LOOK, PATIENCE};
use crate::api::Error;
use crate::model::{Phase, Vitals};

/// Have the running directord go on as the program that is installed now, and wait until it has.
///
/// The program at the path of the running one first shows, as a child, that it takes the same
/// command line, the files and the kernel; if not, nothing happens. Then the process becomes that
/// program: its id, the table and the control socket stay, verdicts and drains are remembered, and
/// a table that is right is not written. No connection is lost.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    #[command(flatten)]
    runtime: args::Runtime,
}

const AFTER_HELP: &str = "\
Example:
  install directord /usr/sbin/ && directord upgrade

Exit statuses: 0 it goes on, 3 directord is not running, 5 the program cannot go on and the old one
does, 70 the program did not get ready.";

/// For one look at how far it is.
const ANSWER: Duration = Duration::from_secs(15);

pub fn run(args: Args, out: &mut Out) -> Result<u8, Failure> {
    let client = args.runtime.client();
    let asked = Instant::now();
    client.upgrade()?;
    let begun = |vitals: &Vitals| vitals.up_seconds < asked.elapsed().as_secs_f64();
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        match client.vitals(ANSWER) {
            // One that began before we asked is the old one.
            Ok(vitals) if vitals.phase == Phase::Running && begun(&vitals) => {
                let (version, pid) = (harmless(&vitals.version), vitals.pid);
                writeln!(out, "upgraded: directord {version}, pid {pid}")?;
                return Ok(exit::OK);
            }
            Err(Error::NotRunning(_)) => {
                let text = "upgrade: the new program ended: see the log; the table is as it was";
                return Err(Failure::Other(exit::INTERNAL, text.to_owned()));
            }
            _ => sleep(LOOK),
        }
    }
    let seconds = PATIENCE.as_secs();
    Err(Failure::Other(exit::INTERNAL, format!("upgrade: not ready after {seconds} s")))
}
