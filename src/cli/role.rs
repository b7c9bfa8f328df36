//! `directord role`: active, or on standby.

use std::io::Write;

use super::args;
use super::exit::{self, Failure};
use super::output::{Out, count, harmless};
use crate::model::{Role, RoleReport};

/// Make the running directord active or have it stand by; without a word, print which it is.
///
/// On standby its services are taken out of the kernel (those with `on_stop: keep` are left as
/// they are) and nothing is written; the real servers are checked all the same, so that the table
/// is right from the first moment it is active again. The word holds until the next one, also
/// across a restart, but not across a reboot.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Returns when the virtual services are in the kernel (active), or out of it (standby).
    #[arg(value_name = "active|standby", value_parser = args::role())]
    role: Option<Role>,
    #[command(flatten)]
    runtime: args::Runtime,
}

const AFTER_HELP: &str = "\
Examples:
  directord role
  directord role standby
  directord role active && ip address add 192.0.2.10/32 dev eth0

Exit statuses: 0 done, 3 directord is not running, 4 the kernel's IPVS cannot be reached (it is
tried again), 5 somebody asked for the other role meanwhile.";

pub fn run(args: Args, out: &mut Out) -> Result<u8, Failure> {
    let client = args.runtime.client();
    let Some(role) = args.role else {
        writeln!(out, "{}", client.status()?.role)?;
        return Ok(exit::OK);
    };
    let report = client.role(role)?;
    tell_refused(&report);
    verdict(role, &report)?;
    let services = count(report.services, "service");
    writeln!(out, "{role}: {services} in the kernel")?;
    Ok(exit::OK)
}

/// Says what the kernel refuses; the rest is as the role asks.
pub(super) fn tell_refused(report: &RoleReport) {
    let mut stderr = std::io::stderr();
    for line in &report.refused.names {
        let _ = writeln!(stderr, "directord: {}", harmless(line));
    }
    let more = report.refused.count.saturating_sub(report.refused.names.len());
    if more > 0 {
        let _ = writeln!(stderr, "directord: {} more", count(more, "service"));
    }
}

/// Whether what was asked for came true.
pub(super) fn verdict(asked: Role, report: &RoleReport) -> Result<(), Failure> {
    if let Some(error) = &report.error {
        return Err(Failure::Other(exit::UNAVAILABLE, format!("role {asked}: {error}")));
    }
    if report.role != asked {
        let text = format!("role {asked}: somebody asked for {} meanwhile", report.role);
        return Err(Failure::Other(exit::REFUSED, text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_overtaken_or_could_not_be_written_is_no_success() {
        let report = RoleReport { role: Role::Standby, ..RoleReport::default() };
        assert!(verdict(Role::Standby, &report).is_ok());
        let status = |asked, report: &RoleReport| verdict(asked, report).map_err(|f| f.status());
        assert_eq!(status(Role::Active, &report), Err(exit::REFUSED));
        let report = RoleReport { error: Some("no such file".into()), ..report };
        assert_eq!(status(Role::Standby, &report), Err(exit::UNAVAILABLE));
    }
}
