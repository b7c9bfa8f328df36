//! Events in ldirectord's words, for those who search its logs and read its mails.
//!
//! What has no word there keeps ours: a log that says more is still searched in the same way.

use std::fmt::{self, Display};

use super::{Event, RowChange, ServiceChange};
use crate::model::{Endpoint, Family, ServiceKey};

/// The line ldirectord would write of this event, or ours. `pid` is the director's.
pub fn text(event: &Event, pid: u32) -> String {
    match event {
        Event::Row { service, server, change, weight, fallback, mapped_from } => {
            row(service, *server, *change, *weight, *fallback, *mapped_from)
        }
        Event::VirtualServer { service, change } => {
            let done = match change {
                ServiceChange::Added => "Added virtual server",
                ServiceChange::Changed => "Changed virtual server",
                ServiceChange::Purged => "Purged virtual server (start)",
                ServiceChange::PurgedAtStop => "Purged virtual server (stop)",
            };
            format!("{done}: {}", Virtual(service))
        }
        Event::SoftFailure { service, server, failures, fall } => {
            let id = Id(service);
            format!("Soft failure real server: {server} ({id}) failure {failures}/{fall}")
        }
        Event::SoftFailuresReset { service, server } => {
            format!("Resetting soft failure count: {server} ({})", Id(service))
        }
        Event::ReloadAsked { .. } => "Reloading Linux Director Daemon config on signal".to_owned(),
        Event::FileRejected { file, reason, .. } => rejected(file, reason, pid),
        Event::MailFailed { smtp: true, reason, .. } => {
            format!("failed to send SMTP email message: {}", one_line(reason))
        }
        Event::MailFailed { smtp: false, reason, .. } => {
            format!("failed to send email message: {}", one_line(reason))
        }
        Event::CommandFailed { command, reason } => {
            format!("system({}) failed: {}", one_line(command), one_line(reason))
        }
        other => other.to_string(),
    }
}

/// What a mail says of this event: the line of the log, but that a server that was added with
/// weight 0 is quiescent like any other.
pub fn mail(event: &Event, pid: u32) -> String {
    let text = text(event, pid);
    match text.strip_prefix("Readd ") {
        Some(rest) => rest.to_owned(),
        None => text,
    }
}

/// What a mail says of a server that is still out.
pub fn reminder(service: &ServiceKey, server: Endpoint) -> String {
    format!("Inaccessible real server: {server} ({})", Virtual(service))
}

fn row(
    service: &ServiceKey,
    server: Endpoint,
    change: RowChange,
    weight: u32,
    fallback: bool,
    mapped_from: Option<Endpoint>,
) -> String {
    let kind = if fallback { "fallback" } else { "real" };
    let done = match change {
        RowChange::Added => "Added",
        RowChange::Restored => "Restored",
        RowChange::Quiesced => "Quiescent",
        RowChange::Readded => "Readd Quiescent",
        RowChange::Deleted => "Deleted",
        RowChange::Purged | RowChange::PurgedAtStop => "Purged",
    };
    let when = match change {
        RowChange::Purged => " (start)",
        RowChange::PurgedAtStop => " (stop)",
        _ => "",
    };
    let mapped = mapped_from.map(|from| format!(" mapped from {from}")).unwrap_or_default();
    let stays = matches!(
        change,
        RowChange::Added | RowChange::Restored | RowChange::Quiesced | RowChange::Readded
    );
    let weight = if stays { format!(" (Weight set to {weight})") } else { String::new() };
    format!("{done} {kind} server{when}: {server}{mapped} ({}){weight}", Virtual(service))
}

/// `reason` is `file:line:column: message`; the file is said once.
fn rejected(file: &str, reason: &str, pid: u32) -> String {
    let place = reason.strip_prefix(file).and_then(|rest| rest.strip_prefix(':'));
    let parts = place.and_then(|rest| {
        let (line, rest) = rest.split_once(':')?;
        let (_column, message) = rest.split_once(": ")?;
        Some((line.parse::<u32>().ok()?, message))
    });
    match parts {
        Some((line, message)) => {
            let message = one_line(message);
            format!("Error [{pid}] reading file {file} at line {line}: {message}")
        }
        None => format!("Error [{pid}] reading file {file}: {}", one_line(reason)),
    }
}

/// Whatever would break a line made visible.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() {
            true => line.extend(c.escape_default()),
            false => line.push(c),
        }
    }
    line
}

/// `10.0.0.1:80`, `[2001:db8::1]:80`, `7`.
pub struct Virtual<'k>(pub &'k ServiceKey);

impl Display for Virtual<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ServiceKey::Address { address, port, .. } => Endpoint::new(*address, *port).fmt(f),
            ServiceKey::Fwmark { mark, .. } => mark.fmt(f),
        }
    }
}

/// `tcp:10.0.0.1:80`, `fwm:7`, `fwm6:7`.
pub struct Id<'k>(pub &'k ServiceKey);

impl Display for Id<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.0 {
            ServiceKey::Fwmark { family: Family::Ipv6, .. } => "fwm6",
            key => protocol(key),
        };
        write!(f, "{kind}:{}", Virtual(self.0))
    }
}

/// `tcp`, `udp`, `fwm`: what a command is told.
pub fn protocol(key: &ServiceKey) -> &'static str {
    match key {
        ServiceKey::Address { protocol, .. } => protocol.name(),
        ServiceKey::Fwmark { .. } => "fwm",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> ServiceKey {
        text.parse().unwrap()
    }

    fn endpoint(text: &str) -> Endpoint {
        text.parse::<std::net::SocketAddr>().unwrap().into()
    }

    fn row(service: &str, change: RowChange, weight: u32, fallback: bool) -> String {
        let server = endpoint("10.0.0.7:80");
        let service = key(service);
        text(&Event::Row { service, server, change, weight, fallback, mapped_from: None }, 1)
    }

    #[test]
    fn k11_rows_are_told_in_ldirectords_words() {
        let www = "10.0.0.1:80/tcp";
        for (change, weight, words) in [
            (RowChange::Added, 5, "Added real server: 10.0.0.7:80 (10.0.0.1:80) (Weight set to 5)"),
            (
                RowChange::Restored,
                5,
                "Restored real server: 10.0.0.7:80 (10.0.0.1:80) (Weight set to 5)",
            ),
            (
                RowChange::Quiesced,
                0,
                "Quiescent real server: 10.0.0.7:80 (10.0.0.1:80) (Weight set to 0)",
            ),
            (
                RowChange::Readded,
                0,
                "Readd Quiescent real server: 10.0.0.7:80 (10.0.0.1:80) (Weight set to 0)",
            ),
            (RowChange::Deleted, 5, "Deleted real server: 10.0.0.7:80 (10.0.0.1:80)"),
            (RowChange::Purged, 5, "Purged real server (start): 10.0.0.7:80 (10.0.0.1:80)"),
            (RowChange::PurgedAtStop, 5, "Purged real server (stop): 10.0.0.7:80 (10.0.0.1:80)"),
        ] {
            assert_eq!(row(www, change, weight, false), words);
        }
        assert_eq!(
            row("fwmark:7", RowChange::Added, 1, true),
            "Added fallback server: 10.0.0.7:80 (7) (Weight set to 1)"
        );
        assert_eq!(
            row("[2001:db8::1]:80/udp", RowChange::Deleted, 1, true),
            "Deleted fallback server: 10.0.0.7:80 ([2001:db8::1]:80)"
        );
    }

    #[test]
    fn k11_a_port_the_kernel_rewrote_is_said() {
        let event = Event::Row {
            service: key("10.0.0.1:80/tcp"),
            server: endpoint("10.0.0.7:80"),
            change: RowChange::Added,
            weight: 1,
            fallback: false,
            mapped_from: Some(endpoint("10.0.0.7:8080")),
        };
        assert_eq!(
            text(&event, 1),
            "Added real server: 10.0.0.7:80 mapped from 10.0.0.7:8080 (10.0.0.1:80) (Weight set \
             to 1)"
        );
    }

    #[test]
    fn k11_services_failures_and_the_rest_are_told_in_ldirectords_words() {
        let service = key("10.0.0.1:80/tcp");
        let server = endpoint("10.0.0.7:80");
        let virtual_server = |change| text(&Event::VirtualServer { service, change }, 1);
        assert_eq!(virtual_server(ServiceChange::Added), "Added virtual server: 10.0.0.1:80");
        assert_eq!(virtual_server(ServiceChange::Changed), "Changed virtual server: 10.0.0.1:80");
        assert_eq!(
            virtual_server(ServiceChange::Purged),
            "Purged virtual server (start): 10.0.0.1:80"
        );
        assert_eq!(
            virtual_server(ServiceChange::PurgedAtStop),
            "Purged virtual server (stop): 10.0.0.1:80"
        );
        for (event, words) in [
            (
                Event::SoftFailure { service, server, failures: 1, fall: 3 },
                "Soft failure real server: 10.0.0.7:80 (tcp:10.0.0.1:80) failure 1/3",
            ),
            (
                Event::SoftFailuresReset { service: key("fwmark:7/ipv6"), server },
                "Resetting soft failure count: 10.0.0.7:80 (fwm6:7)",
            ),
            (
                Event::ReloadAsked { cause: "SIGHUP" },
                "Reloading Linux Director Daemon config on signal",
            ),
            (
                Event::FileRejected {
                    file: "/x/www.cf".into(),
                    last_good: true,
                    reason: "/x/www.cf:3:1: unknown directive rael".into(),
                    mistakes: 1,
                },
                "Error [9] reading file /x/www.cf at line 3: unknown directive rael",
            ),
            (
                Event::MailFailed { subject: "s".into(), smtp: true, reason: "no\nroute".into() },
                "failed to send SMTP email message: no\\nroute",
            ),
            (
                Event::MailFailed { subject: "s".into(), smtp: false, reason: "x".into() },
                "failed to send email message: x",
            ),
            (
                Event::CommandFailed { command: "/x start".into(), reason: "exit status 3".into() },
                "system(/x start) failed: exit status 3",
            ),
        ] {
            assert_eq!(text(&event, 9), words);
        }
        assert_eq!(
            reminder(&service, server),
            "Inaccessible real server: 10.0.0.7:80 (10.0.0.1:80)"
        );
    }
}
