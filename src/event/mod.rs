//! What happened, in words and in JSON.
//!
//! One change of state is one [`Event`], one line, one wording: the log and whoever else is told
//! print the same event, so they cannot disagree.

#![forbid(unsafe_code)]

pub mod ldirectord;

use std::fmt;

use serde::Serialize;

use crate::model::{Endpoint, Mac, PlanLine, Role, ServiceKey, SyncState, VipKey};

/// Something worth having in the post-mortem.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum Event {
    ServerUp {
        #[serde(serialize_with = "text")]
        service: ServiceKey,
        #[serde(serialize_with = "text")]
        server: Endpoint,
        check: &'static str,
    },
    ServerDown {
        #[serde(serialize_with = "text")]
        service: ServiceKey,
        #[serde(serialize_with = "text")]
        server: Endpoint,
        check: &'static str,
        /// Failures in a row it took.
        fall: u16,
        reason: String,
    },
    /// At least one real server carries the service.
    ServiceUp {
        #[serde(serialize_with = "text")]
        service: ServiceKey,
    },
    /// No real server carries the service.
    ServiceDown {
        #[serde(serialize_with = "text")]
        service: ServiceKey,
        /// The server that stands in, if there is one.
        fallback: Option<String>,
    },
    /// The director could not ask; the verdict holds for now.
    CannotAsk {
        #[serde(serialize_with = "text")]
        server: Endpoint,
        check: &'static str,
        reason: String,
    },
    /// The director can ask again.
    CanAsk {
        #[serde(serialize_with = "text")]
        server: Endpoint,
        check: &'static str,
    },
    Drained {
        #[serde(serialize_with = "text")]
        service: ServiceKey,
        #[serde(serialize_with = "text")]
        server: Endpoint,
    },
    Undrained {
        #[serde(serialize_with = "text")]
        service: ServiceKey,
        #[serde(serialize_with = "text")]
        server: Endpoint,
    },
    /// The kernel took a change of one row of a service that [tells its rows].
    ///
    /// [tells its rows]: crate::model::VirtualService::tells_rows
    Row {
        #[serde(serialize_with = "text")]
        service: ServiceKey,
        /// As the table holds it.
        #[serde(serialize_with = "text")]
        server: Endpoint,
        change: RowChange,
        /// Afterwards; of a row that went, the last.
        weight: u32,
        /// Whether it is the fallback server's.
        fallback: bool,
        /// As the owner wrote it, where the table holds it with another port.
        #[serde(serialize_with = "maybe_text")]
        mapped_from: Option<Endpoint>,
    },
    /// The kernel took a change of the record of a service that tells its rows.
    VirtualServer {
        #[serde(serialize_with = "text")]
        service: ServiceKey,
        change: ServiceChange,
    },
    /// A check failed, not often enough to take the server out; of a service that tells its rows.
    SoftFailure {
        #[serde(serialize_with = "text")]
        service: ServiceKey,
        /// As the owner wrote it.
        #[serde(serialize_with = "text")]
        server: Endpoint,
        /// Failures in a row so far.
        failures: u16,
        /// How many take it out.
        fall: u16,
    },
    /// A check passed after it had failed; of a service that tells its rows.
    SoftFailuresReset {
        #[serde(serialize_with = "text")]
        service: ServiceKey,
        /// As the owner wrote it.
        #[serde(serialize_with = "text")]
        server: Endpoint,
    },
    /// Nobody is told of it, by an operator's word.
    AlertsDisabled {
        /// `watch shop`.
        what: String,
        user: String,
        reason: String,
        /// Without it, until somebody enables it.
        seconds: Option<u64>,
    },
    /// It is told of again, by an operator's word.
    AlertsEnabled {
        what: String,
    },
    /// Somebody changed the row of a server by hand, and it is let be.
    LetBe {
        #[serde(serialize_with = "text")]
        service: ServiceKey,
        #[serde(serialize_with = "text")]
        server: Endpoint,
        /// The weight found; `None` where the row is gone.
        weight: Option<u32>,
    },
    /// A file in the service's maintenance folder takes this server out.
    MaintenanceBegan {
        #[serde(serialize_with = "text")]
        service: ServiceKey,
        #[serde(serialize_with = "text")]
        server: Endpoint,
        /// Its name.
        file: String,
    },
    /// The file is gone; the next pass of its check brings the server back.
    MaintenanceEnded {
        #[serde(serialize_with = "text")]
        service: ServiceKey,
        #[serde(serialize_with = "text")]
        server: Endpoint,
    },
    /// The kernel's table differed from what it held, although we changed nothing.
    Drift {
        #[serde(serialize_with = "text")]
        service: ServiceKey,
        /// From what we knew to what was found; at most [`Event::DRIFT_LINES`].
        found: Vec<PlanLine>,
    },
    /// The kernel does not take a change; it is tried again after `retry_s` seconds.
    KernelRefused {
        #[serde(serialize_with = "text")]
        service: ServiceKey,
        reason: String,
        retry_s: u64,
    },
    /// The kernel took what it refused before.
    KernelAccepted {
        #[serde(serialize_with = "text")]
        service: ServiceKey,
    },
    /// IPVS cannot be reached at all; serving goes on with the table as it is.
    KernelUnavailable {
        reason: String,
    },
    KernelAvailable,
    /// The first turn is over: the table has been read and is as it should be.
    TableReady {
        services: usize,
        destinations: usize,
        /// Requests written to get there; 0 when the table was right already.
        writes: u64,
    },
    ConfigApplied {
        added: usize,
        changed: usize,
        removed: usize,
        services: usize,
        /// Services as they were, of which somebody else is told, or otherwise.
        alerts: usize,
        /// Whether what is watched besides real servers differs, or who is told of it.
        watching: bool,
        /// Whether settings of the director differ.
        settings: bool,
    },
    /// A reload waits for the operator's word.
    ReloadHeld {
        removed: usize,
        services: usize,
        limit_percent: u8,
    },
    /// A file has mistakes.
    FileRejected {
        file: String,
        /// Whether its last good version is in force.
        last_good: bool,
        /// `file:line:column: message`, the first of them.
        reason: String,
        mistakes: usize,
    },
    /// A file that had mistakes has none any more.
    FileAccepted {
        file: String,
    },
    SysctlSet {
        name: &'static str,
        from: String,
        to: u32,
        reason: &'static str,
    },
    SysctlMissing {
        name: &'static str,
        wanted: u32,
        found: String,
        reason: &'static str,
    },
    /// A VIP was put on its interface.
    VipAdded {
        #[serde(serialize_with = "text")]
        vip: VipKey,
    },
    VipRemoved {
        #[serde(serialize_with = "text")]
        vip: VipKey,
    },
    /// A VIP was there before us: it is used, and left behind.
    VipFound {
        #[serde(serialize_with = "text")]
        vip: VipKey,
    },
    /// A VIP went, although we did not remove it; it is put back when that can be done.
    VipLost {
        #[serde(serialize_with = "text")]
        vip: VipKey,
        reason: String,
    },
    /// A VIP that should be here cannot be.
    VipBlocked {
        #[serde(serialize_with = "text")]
        vip: VipKey,
        reason: String,
    },
    /// Another host answers for a VIP that we hold.
    VipContested {
        #[serde(serialize_with = "text")]
        vip: VipKey,
        #[serde(serialize_with = "text")]
        by: Mac,
    },
    /// Nobody else answers for it any more.
    VipUncontested {
        #[serde(serialize_with = "text")]
        vip: VipKey,
    },
    Started {
        version: &'static str,
        pid: u32,
        table: &'static str,
    },
    /// From now on the table is written, or no longer.
    RoleChanged {
        #[serde(serialize_with = "text")]
        role: Role,
        /// Who said so.
        cause: &'static str,
    },
    /// The kernel tells of connections, or hears of them.
    SyncStarted {
        /// `master interface=hb0 id=1`.
        daemon: String,
    },
    SyncStopped {
        state: SyncState,
    },
    /// The sync daemons were not as we left them; they are put right.
    SyncDrift {
        /// Those found.
        found: String,
    },
    /// The kernel does not start or stop a sync daemon; it is tried again after `retry_s` seconds.
    SyncRefused {
        reason: String,
        retry_s: u64,
    },
    /// It does what it refused before.
    SyncAccepted,
    Stopping {
        cause: String,
        /// Whether every service is left in the kernel.
        keep: bool,
    },
    Stopped {
        removed: usize,
        kept: usize,
    },
    /// Somebody wants the files read again.
    ReloadAsked {
        cause: &'static str,
    },
    /// A file changed that is only read again when somebody asks for it.
    FileIgnored {
        file: String,
    },
    /// A mail could not be handed on, or not to everybody.
    MailFailed {
        subject: String,
        /// Whether it was for a mail server rather than this host's sendmail.
        smtp: bool,
        reason: String,
    },
    /// A program of the owner's failed, or was not run.
    CommandFailed {
        command: String,
        reason: String,
    },
    /// Something of ours that is not the table does not work (state file, watcher).
    Trouble {
        what: String,
    },
}

/// What became of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RowChange {
    /// It came.
    Added,
    /// It was there, quiesced or otherwise different, and is as it should be now.
    Restored,
    /// It was taken out and is kept with weight 0.
    Quiesced,
    /// It was missing, and came back with weight 0.
    Readded,
    /// It went because the server may not be used.
    Deleted,
    /// It went because no file asks for it (any more).
    Purged,
    /// It went with the service as the daemon stopped.
    PurgedAtStop,
}

/// What became of a service's own record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceChange {
    Added,
    Changed,
    /// No file asks for it any more.
    Purged,
    /// The daemon stopped.
    PurgedAtStop,
}

/// How loud an event is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// Someone must act.
    Error,
    /// Degraded, carrying on.
    Warn,
    /// A change worth having in the post-mortem.
    Info,
}

impl Event {
    /// Differences listed in one [`Event::Drift`]: what a log line can hold.
    pub const DRIFT_LINES: usize = 8;

    /// The service it is about, if it is about one.
    pub fn service(&self) -> Option<&ServiceKey> {
        match self {
            Event::ServerUp { service, .. }
            | Event::ServerDown { service, .. }
            | Event::ServiceUp { service }
            | Event::ServiceDown { service, .. }
            | Event::Drained { service, .. }
            | Event::Undrained { service, .. }
            | Event::Row { service, .. }
            | Event::VirtualServer { service, .. }
            | Event::SoftFailure { service, .. }
            | Event::SoftFailuresReset { service, .. }
            | Event::MaintenanceBegan { service, .. }
            | Event::MaintenanceEnded { service, .. }
            | Event::Drift { service, .. }
            | Event::KernelRefused { service, .. }
            | Event::KernelAccepted { service } => Some(service),
            _ => None,
        }
    }

    pub fn level(&self) -> Level {
        match self {
            Event::KernelUnavailable { .. }
            | Event::KernelRefused { .. }
            | Event::SyncRefused { .. }
            | Event::VipBlocked { .. }
            | Event::VipContested { .. } => Level::Error,
            Event::ServerDown { .. }
            | Event::ServiceDown { .. }
            | Event::CannotAsk { .. }
            | Event::SoftFailure { .. }
            | Event::Drift { .. }
            | Event::SyncDrift { .. }
            | Event::ReloadHeld { .. }
            | Event::FileRejected { .. }
            | Event::SysctlMissing { .. }
            | Event::FileIgnored { .. }
            | Event::VipLost { .. }
            | Event::MailFailed { .. }
            | Event::CommandFailed { .. }
            | Event::Trouble { .. } => Level::Warn,
            _ => Level::Info,
        }
    }
}

/// The log line: subject first, then `key=value` in a fixed order.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::ServerUp { service, server, check } => {
                write!(f, "real server up service={service} server={server} check={check}")
            }
            Event::ServerDown { service, server, check, fall, reason } => write!(
                f,
                "real server down service={service} server={server} check={check} \
                 fall={fall}/{fall} reason={}",
                quoted(reason)
            ),
            Event::ServiceUp { service } => write!(f, "virtual service up service={service}"),
            Event::ServiceDown { service, fallback } => {
                write!(f, "virtual service down service={service} fallback=")?;
                f.write_str(fallback.as_deref().unwrap_or("none"))
            }
            Event::CannotAsk { server, check, reason } => write!(
                f,
                "check cannot be carried out server={server} check={check} reason={}",
                quoted(reason)
            ),
            Event::CanAsk { server, check } => {
                write!(f, "check can be carried out again server={server} check={check}")
            }
            Event::Drained { service, server } => {
                write!(f, "real server drained service={service} server={server}")
            }
            Event::Undrained { service, server } => {
                write!(f, "real server undrained service={service} server={server}")
            }
            Event::Row { service, server, change, weight, fallback, mapped_from } => {
                let kind = if *fallback { "fallback" } else { "real" };
                write!(f, "{kind} server {change} service={service} server={server}")?;
                if let Some(written) = mapped_from {
                    write!(f, " written={written}")?;
                }
                write!(f, " weight={weight}")
            }
            Event::VirtualServer { service, change } => {
                write!(f, "virtual server {change} service={service}")
            }
            Event::SoftFailure { service, server, failures, fall } => write!(
                f,
                "real server failing service={service} server={server} fall={failures}/{fall}"
            ),
            Event::SoftFailuresReset { service, server } => {
                write!(f, "real server failing no longer service={service} server={server}")
            }
            Event::AlertsDisabled { what, user, reason, seconds } => {
                write!(f, "alerts disabled what={} by={}", quoted(what), quoted(user))?;
                if let Some(seconds) = seconds {
                    write!(f, " for={seconds}s")?;
                }
                write!(f, " reason={}", quoted(reason))
            }
            Event::AlertsEnabled { what } => write!(f, "alerts enabled what={}", quoted(what)),
            Event::LetBe { service, server, weight: Some(weight) } => write!(
                f,
                "weight set by hand is kept service={service} server={server} weight={weight}"
            ),
            Event::LetBe { service, server, weight: None } => write!(
                f,
                "quiesced server removed by hand stays removed service={service} server={server}"
            ),
            Event::MaintenanceBegan { service, server, file } => write!(
                f,
                "real server in maintenance service={service} server={server} file={}",
                quoted(file)
            ),
            Event::MaintenanceEnded { service, server } => {
                write!(f, "real server no longer in maintenance service={service} server={server}")
            }
            Event::Drift { service, found } => {
                let found: Vec<_> = found.iter().map(PlanLine::to_string).collect();
                write!(f, "drift repaired service={service} found={}", quoted(&found.join("; ")))
            }
            Event::KernelRefused { service, reason, retry_s } => write!(
                f,
                "kernel refused a change service={service} retry={retry_s}s reason={}",
                quoted(reason)
            ),
            Event::KernelAccepted { service } => {
                write!(f, "kernel accepted the change service={service}")
            }
            Event::KernelUnavailable { reason } => {
                write!(f, "kernel table cannot be reached reason={}", quoted(reason))
            }
            Event::KernelAvailable => f.write_str("kernel table can be reached again"),
            Event::TableReady { services, destinations, writes } => write!(
                f,
                "table ready services={services} destinations={destinations} writes={writes}"
            ),
            Event::ConfigApplied {
                added,
                changed,
                removed,
                services,
                alerts,
                watching,
                settings,
            } => {
                write!(
                    f,
                    "configuration applied services={services} added={added} changed={changed} \
                     removed={removed}"
                )?;
                if *alerts > 0 {
                    write!(f, " alerts={alerts}")?;
                }
                for (differs, what) in [(watching, "watching"), (settings, "settings")] {
                    if *differs {
                        write!(f, " {what}=changed")?;
                    }
                }
                Ok(())
            }
            Event::ReloadHeld { removed, services, limit_percent } => write!(
                f,
                "reload held removes={removed} services={services} limit={limit_percent}% \
                 remedy=\"directord reload --confirm\""
            ),
            Event::FileRejected { file, last_good, reason, mistakes } => write!(
                f,
                "file rejected file={file} in_force={} mistakes={mistakes} reason={}",
                if *last_good { "last-good" } else { "nothing" },
                quoted(reason)
            ),
            Event::FileAccepted { file } => write!(f, "file accepted file={file}"),
            Event::SysctlSet { name, from, to, reason } => {
                write!(
                    f,
                    "sysctl set name=net.ipv4.vs.{name} from={from} to={to} reason=\"{reason}\""
                )
            }
            Event::SysctlMissing { name, wanted, found, reason } => write!(
                f,
                "sysctl not as needed name=net.ipv4.vs.{name} wanted={wanted} found={found} \
                 reason=\"{reason}\""
            ),
            Event::VipAdded { vip } => vip_line(f, "added", vip),
            Event::VipRemoved { vip } => vip_line(f, "removed", vip),
            Event::VipFound { vip } => {
                vip_line(f, "there already, and left behind at the end", vip)
            }
            Event::VipLost { vip, reason } => {
                vip_line(f, "lost", vip)?;
                write!(f, " reason={}", quoted(reason))
            }
            Event::VipBlocked { vip, reason } => {
                vip_line(f, "cannot be held", vip)?;
                write!(f, " reason={}", quoted(reason))
            }
            Event::VipContested { vip, by } => {
                vip_line(f, "held by another host as well", vip)?;
                write!(f, " by={by}")
            }
            Event::VipUncontested { vip } => vip_line(f, "held by no other host any more", vip),
            Event::Started { version, pid, table } => {
                write!(f, "director started version={version} pid={pid} table={table}")
            }
            Event::RoleChanged { role, cause } => write!(f, "role {role} cause={}", quoted(cause)),
            Event::SyncStarted { daemon } => write!(f, "sync daemon started state={daemon}"),
            Event::SyncStopped { state } => write!(f, "sync daemon stopped state={state}"),
            Event::SyncDrift { found } => {
                write!(f, "sync daemons changed by others, repaired found={}", quoted(found))
            }
            Event::SyncRefused { reason, retry_s } => {
                write!(f, "sync daemon refused retry={retry_s}s reason={}", quoted(reason))
            }
            Event::SyncAccepted => f.write_str("sync daemon no longer refused"),
            Event::Stopping { cause, .. } => write!(f, "director stopping cause={cause}"),
            Event::Stopped { removed, kept } => {
                write!(f, "director stopped services_removed={removed} services_kept={kept}")
            }
            Event::ReloadAsked { cause } => write!(f, "reload asked for cause={cause}"),
            Event::FileIgnored { file } => write!(
                f,
                "file changed and not read again file={file} remedy=\"reload, or autoreload=yes\""
            ),
            Event::MailFailed { subject, smtp, reason } => write!(
                f,
                "mail not sent by={} subject={} reason={}",
                if *smtp { "smtp" } else { "sendmail" },
                quoted(subject),
                quoted(reason)
            ),
            Event::CommandFailed { command, reason } => {
                write!(f, "command failed command={} reason={}", quoted(command), quoted(reason))
            }
            Event::Trouble { what } => write!(f, "trouble reason={}", quoted(what)),
        }
    }
}

impl fmt::Display for RowChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RowChange::Added => "added",
            RowChange::Restored => "restored",
            RowChange::Quiesced => "quiesced",
            RowChange::Readded => "added quiesced",
            RowChange::Deleted => "removed",
            RowChange::Purged => "purged",
            RowChange::PurgedAtStop => "purged at stop",
        })
    }
}

impl fmt::Display for ServiceChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ServiceChange::Added => "added",
            ServiceChange::Changed => "changed",
            ServiceChange::Purged => "purged",
            ServiceChange::PurgedAtStop => "purged at stop",
        })
    }
}

/// `vip added vip=10.0.0.3/32 interface=eth0`
fn vip_line(f: &mut fmt::Formatter<'_>, what: &str, vip: &VipKey) -> fmt::Result {
    let VipKey { interface, address, prefix } = vip;
    write!(f, "vip {what} vip={address}/{prefix} interface={interface}")
}

/// In double quotes, with what would break a line or hide text made visible. A real server
/// chooses part of what is printed here.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn text<T: fmt::Display, S: serde::Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

fn maybe_text<T: fmt::Display, S: serde::Serializer>(
    value: &Option<T>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => to.collect_str(value),
        None => to.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_has_the_subject_first_and_nothing_a_server_says_breaks_it() {
        let event = Event::ServerDown {
            service: "192.0.2.10:443/tcp".parse().unwrap(),
            server: Endpoint::new([10, 0, 0, 7].into(), 443),
            check: "http",
            fall: 3,
            reason: "receive: not found: \"a\nb\"".into(),
        };
        assert_eq!(
            event.to_string(),
            "real server down service=192.0.2.10:443/tcp server=10.0.0.7:443 check=http fall=3/3 \
             reason=\"receive: not found: \\\"a\\nb\\\"\""
        );
    }

    #[test]
    fn what_a_new_configuration_changes_besides_services_is_said_where_it_does() {
        let applied = |alerts, watching, settings| {
            let event = Event::ConfigApplied {
                added: 1,
                changed: 2,
                removed: 3,
                services: 4,
                alerts,
                watching,
                settings,
            };
            event.to_string()
        };
        let line = "configuration applied services=4 added=1 changed=2 removed=3";
        assert_eq!(applied(0, false, false), line);
        assert_eq!(
            applied(5, true, true),
            format!("{line} alerts=5 watching=changed settings=changed")
        );
    }
}
