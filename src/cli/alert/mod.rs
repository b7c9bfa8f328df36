//! `directord alert NAME ...`: the halves of the programs in `alerts/` that a shell cannot do.
//!
//! They are called as mon calls its alerts, so that they serve a mon as well: a few letters, the
//! owner's own words, the environment, and what was found on standard input. They are programs
//! like anybody's and not a part of the daemon: what hangs in one is ended with it, and one
//! that needs no privileges has none.

mod lvs;
mod told;
mod trap;
mod webhook;

use std::ffi::OsString;

use super::exit::{self, Failure};
use super::output::Out;
use told::Told;

/// Tell somebody, as one of the programs in alerts/.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub struct Args {
    /// lvs, trap or webhook.
    name: String,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

pub fn run(args: Args, out: &mut Out) -> Result<u8, Failure> {
    let words: Vec<String> =
        args.words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let told = |letters| {
        // What a monitor said is among them, and need not be text.
        let variable = |name: &str| Some(std::env::var_os(name)?.to_string_lossy().into_owned());
        let read = Told::read(&words, letters, &variable);
        read.map_err(|why| Failure::Other(exit::USAGE, format!("alert {}: {why}", args.name)))
    };
    match args.name.as_str() {
        "lvs" => lvs::run(&told(lvs::LETTERS)?, out),
        "trap" => trap::run(&told(trap::LETTERS)?.hear()?, out),
        "webhook" => webhook::run(&told(webhook::LETTERS)?.hear()?),
        other => {
            let text = format!("alert {other}: there are lvs, trap and webhook");
            Err(Failure::Other(exit::USAGE, text))
        }
    }
}
