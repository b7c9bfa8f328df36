//! `directord stop`: end the daemon, and wait until it is gone.

use std::io::Write;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::args;
use super::exit::{self, Failure};
use super::output::Out;

/// Stop the running directord and wait until it is gone.
///
/// Services with `on_stop: remove` (the default) are taken out of the kernel; those with
/// `on_stop: keep` stay, and are taken over by the next start.
#[derive(clap::Args)]
#[command(after_help = "Exit statuses: 0 stopped, 3 directord is not running.")]
pub struct Args {
    #[command(flatten)]
    runtime: args::Runtime,
    /// Leave every service in the kernel, whatever its on_stop says: the next start takes the
    /// table over as it is and no connection is lost.
    #[arg(long)]
    keep: bool,
}

/// The daemon answers when the table is done; all that is left to it then is to go.
const LAST_STEPS: Duration = Duration::from_secs(5);

pub fn run(args: Args, out: &mut Out) -> Result<u8, Failure> {
    let client = args.runtime.client();
    client.stop(args.keep)?;
    let end = Instant::now() + LAST_STEPS;
    while client.is_running() {
        if Instant::now() > end {
            let text = "stop: the table is done, but the process does not end".to_owned();
            return Err(Failure::Other(exit::INTERNAL, text));
        }
        sleep(Duration::from_millis(10));
    }
    writeln!(out, "stopped")?;
    Ok(exit::OK)
}
