//! `directord alerts`: the operator's word on who is told.

use std::io::Write;
use std::time::{Duration, SystemTime};

use clap::Subcommand;
use nix::unistd::{User, getuid};

use super::args;
use super::exit::{self, Failure};
use super::output::{Out, Paint, harmless};
use super::status::word;
use crate::config::duration;
use crate::model::{AlertsCommand, AlertsOf, AlertsReport};

/// Have nobody told of something for a while, or of it again.
///
/// Real servers are checked all the same, and the kernel's table follows. A group that is watched,
/// and a host of one, is not asked while it is disabled, as with mon. Whoever was told of a failure
/// before is told of its end afterwards. Holds across a restart; `directord status` shows it. What is
/// disabled already is disabled anew: the new word holds, and the old one is named. It is this
/// director's word alone: of two, say it to both.
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
    /// GROUP/SERVICE, one watch of it. Of several with one name all are meant.
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

Exit statuses: 0 done, 3 directord is not running, 5 there is no such thing, or it is\nnot disabled.";

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
    let AlertsReport { affected, replaced } = runtime.client().alerts(&command)?;
    for name in affected.names {
        writeln!(out, "{done} {}", harmless(&name))?;
    }
    for status in replaced {
        writeln!(out, "instead of: {}", word(&status, SystemTime::now(), Paint(false)))?;
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
    let user = sudo.or_else(own).unwrap_or_else(|| getuid().to_string());
    user.chars().take(AlertsCommand::LONGEST_USER).collect()
}

fn time(text: &str) -> Result<Duration, String> {
    let time = duration(text).ok_or("a number with its unit: 30m, 2h, 1d12h")?;
    AlertsCommand::check_time(time).map(|()| time)
}

fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    AlertsCommand::check_reason(text).map(|()| text.to_owned())
}
