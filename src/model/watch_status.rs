//! What `status` and the API show of what is watched, and what an operator may ask about it.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::view::{rfc3339, rfc3339_or_none};
use super::{Disabling, NameList, OpStatus};

/// A service that is watched, by a monitor or by traps. Real servers that somebody is told of stand
/// with their virtual service instead.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WatchStatus {
    /// `GROUP/SERVICE`.
    pub watch: String,
    pub state: OpStatus,
    /// When its failure began, or its last one ended; none where it never failed.
    #[serde(with = "rfc3339_or_none")]
    pub since: Option<SystemTime>,
    /// When it was last asked.
    #[serde(with = "rfc3339_or_none")]
    pub checked: Option<SystemTime>,
    /// The first line of what was last found.
    pub summary: Option<String>,
    /// By whom and with which words, `USER: COMMENT`.
    pub acknowledged: Option<String>,
    /// Nobody is told of it: it or its group is disabled, or nobody asked, since all its hosts are.
    pub disabled: bool,
    /// As its monitor last found them, in its order; empty where nothing is known of each.
    pub hosts: Vec<HostStatus>,
}

/// One host of a group.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HostStatus {
    pub host: String,
    /// None while it could not be asked.
    pub up: Option<bool>,
    #[serde(with = "rfc3339")]
    pub since: SystemTime,
    /// What is wrong with it, or why it cannot be asked.
    pub detail: Option<String>,
}

/// What somebody has disabled.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DisabledStatus {
    pub kind: DisabledKind,
    /// `www1`, `shop`, `shop/192.168.0.1:80`.
    pub name: String,
    /// Empty where nobody had logged in.
    pub user: String,
    pub reason: String,
    #[serde(with = "rfc3339")]
    pub since: SystemTime,
    /// When it ends by itself; none where somebody has to end it.
    #[serde(with = "rfc3339_or_none")]
    pub until: Option<SystemTime>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DisabledKind {
    Host,
    Watch,
    Service,
}

impl DisabledKind {
    pub const fn of(what: &Disabling) -> DisabledKind {
        match what {
            Disabling::Host(_) => DisabledKind::Host,
            Disabling::Watch(_) => DisabledKind::Watch,
            Disabling::Service(_) => DisabledKind::Service,
        }
    }
}

impl fmt::Display for DisabledKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DisabledKind::Host => "host",
            DisabledKind::Watch => "watch",
            DisabledKind::Service => "service",
        })
    }
}

/// What an operator may ask of those who tell.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "command")]
pub enum AlertsCommand {
    /// Tell nobody, for so many seconds or until `Enable`.
    Disable { of: AlertsOf, user: String, reason: String, seconds: Option<u64> },
    /// Tell as ever.
    Enable { of: AlertsOf },
}

impl AlertsCommand {
    /// For longer than ten years nothing is disabled with an end.
    pub const LONGEST: Duration = Duration::from_secs(3650 * 86_400);
    /// Characters of a reason: what fits on a line of `status`, and then some.
    pub const LONGEST_REASON: usize = 500;
    /// Characters of a user's name.
    pub const LONGEST_USER: usize = 100;

    /// Whether it keeps to these bounds; the error is what does not.
    pub fn check(&self) -> Result<(), String> {
        let AlertsCommand::Disable { user, reason, seconds, .. } = self else { return Ok(()) };
        if user.chars().count() > AlertsCommand::LONGEST_USER {
            return Err(format!("a user's name has at most {} characters", Self::LONGEST_USER));
        }
        AlertsCommand::check_reason(reason)?;
        seconds.map_or(Ok(()), |seconds| AlertsCommand::check_time(Duration::from_secs(seconds)))
    }

    pub fn check_reason(reason: &str) -> Result<(), String> {
        if reason.trim().is_empty() {
            return Err("say why".to_owned());
        }
        match reason.chars().count() > AlertsCommand::LONGEST_REASON {
            true => Err(format!("at most {} characters", AlertsCommand::LONGEST_REASON)),
            false => Ok(()),
        }
    }

    pub fn check_time(time: Duration) -> Result<(), String> {
        if time < Duration::from_secs(1) {
            return Err("at least a second".to_owned());
        }
        match time > AlertsCommand::LONGEST {
            true => Err(format!("at most {}d", AlertsCommand::LONGEST.as_secs() / 86_400)),
            false => Ok(()),
        }
    }
}

/// What an [`AlertsCommand`] did.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct AlertsReport {
    /// What it was done to, as `watch shop`.
    pub affected: NameList,
    /// What was disabled already, as it was: this holds in its place.
    #[serde(default)]
    pub replaced: Vec<DisabledStatus>,
}

/// Of what.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlertsOf {
    /// In every group it belongs to.
    Host(String),
    /// A virtual service or a group by its name, all of it or one server, or `GROUP/SERVICE`.
    Service { name: String, server: Option<String> },
}
