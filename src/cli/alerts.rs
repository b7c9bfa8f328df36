//! `directord alerts`: the operator's word on who is told.

use std::io::Write;
use std::time::Duration;

use clap::Subcommand;
use nix::unistd::{User, getuid};

use super::args;
use super::exit::{self, Failure};
use super::output::{Out, harmless};
use crate::config::duration;
use crate::model::{AlertsCommand, AlertsOf};

/// The longest time that can be given, in days.
const LONGEST_D: u64 = 3650;
/// Characters of a reason: what fits on a line of `status`, and then some.
const LONGEST_REASON: usize = 500;

/// Have nobody told of something for a while, or of it again.
///
/// Real servers are checked all the same, and the kernel's table follows. A group that is watched,
/// and a host of one, is not asked while it is disabled, as with mon. Whoever was told of a failure
/// before is told of its end afterwards. Holds across a restart; `directord status` shows it.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Tell nobody, for a time or until `directord alerts enable`.
    Disable {
        #[command(flatten)]
        which: Which,
        /// Why, for whoever looks at the status.
        #[arg(long, value_name = "TEXT", value_parser = reason)]
        reason: String,
        /// For so long: 30m, 2h, 1d12h. Without it, until it is enabled.
        #[arg(long = "for", value_name = "TIME", value_parser = time)]
        lasts: Option<Duration>,
        #[command(flatten)]
        runtime: args::Runtime,
    },
    /// Tell as ever, before its time is over.
    Enable {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        runtime: args::Runtime,
    },
}

#[derive(clap::Args)]
#[group(required = true, multiple = true)]
struct Which {
    /// A virtual service with `alerts` by its name or address, a group that is watched, or
    /// GROUP/SERVICE, one watch of it.
    #[arg(value_name = "SERVICE", conflicts_with = "host")]
    service: Option<String>,
    /// This real server of it only: 192.168.0.1:80.
    #[arg(long, value_name = "SERVER", requires = "service")]
    server: Option<String>,
    /// A host, wherever it is watched: www1, 192.168.0.1.
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
}

const AFTER_HELP: &str = "\
Examples:
  directord alerts disable shop --reason 'new release' --for 2h
  directord alerts disable 10.0.0.3:80/tcp --server 192.168.0.1:80 --reason 'new disk'
  directord alerts disable --host www1 --reason 'ticket 4711' --for 1d
  directord alerts enable shop

Exit statuses: 0 done, 3 directord is not running, 5 there is no such thing, or it is so already.";

pub fn run(args: Args, out: &mut Out) -> Result<u8, Failure> {
    let (command, runtime, done) = match args.action {
        Action::Disable { which, reason, lasts, runtime } => {
            let (of, user) = (which.of(), user());
            let seconds = lasts.map(|lasts| lasts.as_secs());
            (AlertsCommand::Disable { of, user, reason, seconds }, runtime, "disabled")
        }
        Action::Enable { which, runtime } => {
            (AlertsCommand::Enable { of: which.of() }, runtime, "enabled")
        }
    };
    for name in runtime.client().alerts(&command)?.affected.names {
        writeln!(out, "{done} {}", harmless(&name))?;
    }
    Ok(exit::OK)
}

impl Which {
    fn of(self) -> AlertsOf {
        match self.host {
            Some(host) => AlertsOf::Host(host),
            None => {
                AlertsOf::Service { name: self.service.unwrap_or_default(), server: self.server }
            }
        }
    }
}

/// Who sits there, as far as that can be told: whoever became root by sudo, else the user we are.
fn user() -> String {
    let sudo = std::env::var("SUDO_USER").ok().filter(|name| !name.is_empty());
    let own = || User::from_uid(getuid()).ok().flatten().map(|user| user.name);
    sudo.or_else(own).unwrap_or_else(|| getuid().to_string())
}

fn time(text: &str) -> Result<Duration, String> {
    let longest = Duration::from_secs(LONGEST_D * 86_400);
    match duration(text) {
        Some(time) if time < Duration::from_secs(1) => Err("at least a second".to_owned()),
        Some(time) if time > longest => Err(format!("at most {LONGEST_D}d")),
        Some(time) => Ok(time),
        None => Err("a number with its unit: 30m, 2h, 1d12h".to_owned()),
    }
}

fn reason(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("say why".to_owned()),
        long if long.chars().count() > LONGEST_REASON => {
            Err(format!("at most {LONGEST_REASON} characters"))
        }
        text => Ok(text.to_owned()),
    }
}
