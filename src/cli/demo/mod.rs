//! `directord demo`: the whole story in half a minute.
//!
//! Nothing in it is make-believe but the place: real web servers in processes of their own, the
//! real daemon from a real file, a client that keeps asking. With `--table kernel` it plays in
//! throw-away network namespaces and every request goes through the kernel's IPVS; with
//! `--table memory` it needs no privilege, and the client picks servers as the table says.

mod client;
mod director;
mod interrupt;
mod report;
mod server;
mod stage;
mod story;

use super::args::TableArg;
use super::exit::{self, Failure};
use super::output::Out;
use interrupt::Interrupt;

/// Show the director at work: a server is killed and revived while a client keeps asking.
///
/// Three web servers, one virtual service from a file, one client. Ends by itself within half a
/// minute and leaves nothing behind.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// memory: no privilege needed, no packet is forwarded by a kernel. kernel: as root, real
    /// requests through IPVS in throw-away network namespaces.
    #[arg(long, value_enum, default_value_t = TableArg::Memory)]
    table: TableArg,
    /// Be one of the web servers, of this name, until standard input ends.
    #[arg(long, hide = true, value_name = "NAME", requires = "on")]
    serve: Option<String>,
    /// Where to serve.
    #[arg(long, hide = true, value_name = "ADDRESS:PORT")]
    on: Option<std::net::SocketAddr>,
}

const AFTER_HELP: &str = "\
Examples:
  directord demo
  sudo directord demo --table kernel

Exit statuses: 0 the server was taken out and brought back, 4 no IPVS or no privilege,
70 it did not go as it should.";

pub fn run(args: Args, out: &mut Out) -> Result<u8, Failure> {
    if let (Some(name), Some(on)) = (args.serve, args.on) {
        return server::serve(&name, on)
            .map(|()| exit::OK)
            .map_err(|error| trouble(format_args!("serve on {on}: {error}")));
    }
    let interrupt = Interrupt::listen()?;
    story::tell(args.table, out, &interrupt)
}

/// Something the demo needs did not work.
fn trouble(what: impl std::fmt::Display) -> Failure {
    Failure::Other(exit::INTERNAL, format!("demo: {what}"))
}
