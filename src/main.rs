//! The door: arguments in, exit status out, nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(directord::cli::main(std::env::args_os()))
}
