use super::exit::{self, Failure};
use super::output::Out;
/// d
#[derive(clap::Args)]
pub struct Args {}
pub fn run(_: Args, _: &mut Out) -> Result<u8, Failure> {
    Ok(exit::OK)
}
