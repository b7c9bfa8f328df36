//! What the watcher has to say, in the words mon says to syslog.

use std::fmt;

use super::period::Suppression;
use crate::model::{Disabling, Time, WatchKey, raw};

/// Syslog's priorities, as far as they are used.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Priority {
    Alert = 1,
    Critical = 2,
    Error = 3,
    Notice = 5,
    Info = 6,
    Debug = 7,
}

/// One line for the log. Its text is one line whatever a monitor printed, and without `%`, which
/// mon deletes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WatchEvent {
    /// A failed result.
    Failed {
        key: WatchKey,
        at: Time,
        summary: String,
    },
    /// An alert is called.
    Calling {
        /// `alert`, `upalert`...
        kind: &'static str,
        key: WatchKey,
        path: String,
        words: String,
        summary: String,
    },
    /// As many monitors run as may; others wait.
    Throttled {
        processes: usize,
    },
    /// The service or its group is disabled.
    IgnoredDisabled(WatchKey),
    IgnoredStopped(WatchKey),
    IgnoredAcknowledged(WatchKey),
    IgnoredDependency(WatchKey),
    Suppressed {
        key: WatchKey,
        period: String,
        why: Suppression,
    },
    /// A call became part of one for many.
    Gathered {
        kind: &'static str,
        key: WatchKey,
        name: String,
    },
    NoMonitor {
        key: WatchKey,
        written: String,
    },
    NoAlert {
        name: String,
    },
    NoHosts(WatchKey),
    /// A disablement ended by itself.
    Expired(Disabling),
    /// A line of a file with remembered state says nothing we know.
    StateIgnored(String),
}

impl WatchEvent {
    pub const fn priority(&self) -> Priority {
        match self {
            WatchEvent::Calling { .. } => Priority::Alert,
            WatchEvent::Failed { .. } => Priority::Critical,
            WatchEvent::NoMonitor { .. }
            | WatchEvent::NoAlert { .. }
            | WatchEvent::NoHosts(_)
            | WatchEvent::StateIgnored(_) => Priority::Error,
            WatchEvent::IgnoredDisabled(_) | WatchEvent::IgnoredStopped(_) => Priority::Notice,
            WatchEvent::Throttled { .. } | WatchEvent::Expired(_) => Priority::Info,
            WatchEvent::IgnoredAcknowledged(_)
            | WatchEvent::IgnoredDependency(_)
            | WatchEvent::Suppressed { .. }
            | WatchEvent::Gathered { .. } => Priority::Debug,
        }
    }

    fn text(&self) -> String {
        match self {
            WatchEvent::Failed { key, at, summary } => {
                let epoch = at.seconds();
                format!("failure for {} {} {epoch} {summary}", key.group, key.service)
            }
            WatchEvent::Calling { kind, key, path, words, summary } => {
                let name = path.rsplit('/').next().unwrap_or_default();
                format!("calling {kind} {name} for {key} ({path},{words}) {summary}")
            }
            WatchEvent::Throttled { processes } => format!("throttled at {processes} processes"),
            WatchEvent::IgnoredDisabled(key) => {
                format!("ignoring alert for {},{}", key.group, key.service)
            }
            WatchEvent::IgnoredStopped(key) => format!(
                "ignoring alert for {},{} because the mon scheduler is stopped",
                key.group, key.service
            ),
            WatchEvent::IgnoredAcknowledged(key) => {
                format!("no alert for {}.{} because of ack'd failure", key.group, key.service)
            }
            WatchEvent::IgnoredDependency(key) => {
                format!("alert for {},{} suppressed because of dep fail", key.group, key.service)
            }
            WatchEvent::Suppressed { key, period, why } => {
                format!("{key}/{period}: Suppressing {why}")
            }
            WatchEvent::Gathered { kind, key, name } => {
                format!("{kind} {name} for {key} is gathered with others")
            }
            WatchEvent::NoMonitor { key, written } => {
                format!("no monitor found while trying to run [{written}] for {key}")
            }
            WatchEvent::NoAlert { name } => format!("no alert found while trying to run {name}"),
            WatchEvent::NoHosts(key) => {
                format!("monitor for {key} not called because of no host arguments")
            }
            WatchEvent::Expired(what) => format!("{what} is enabled again, its time is over"),
            WatchEvent::StateIgnored(line) => format!("state ignored: {line}"),
        }
    }
}

impl fmt::Display for WatchEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text();
        let shown = raw::shown(&text);
        let kept = shown.chars().filter(|c| *c != '%');
        kept.map(|c| if c.is_control() { ' ' } else { c }).try_for_each(|c| write!(f, "{c}"))
    }
}
