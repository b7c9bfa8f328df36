//! `directord schema`: the native dialect, for an editor.

use std::io::Write;

use super::exit::{self, Failure};
use super::output::Out;
use crate::config;

/// Print the JSON Schema of the YAML files, for completion and checking in an editor.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {}

const AFTER_HELP: &str = "\
Example:
  directord schema > directord.schema.json
and as the first line of a file, for editors with a YAML language server:
  # yaml-language-server: $schema=directord.schema.json";

pub fn run(_: Args, out: &mut Out) -> Result<u8, Failure> {
    serde_json::to_writer_pretty(&mut *out, &config::schema()).map_err(std::io::Error::from)?;
    writeln!(out)?;
    Ok(exit::OK)
}
