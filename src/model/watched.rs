//! What the watcher shows of its state, and what it may be asked to do.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{AlertOn, DisabledKind, Outcome, Time, WatchKey, WatchSpec};

/// mon's status of a service. The numbers are those clients know; those that mon itself never
/// sets are left out.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum OpStatus {
    Fail = 0,
    Ok = 1,
    #[default]
    Untested = 7,
}

impl OpStatus {
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Untested counts as well: nothing is known against it.
    pub const fn is_success(self) -> bool {
        !matches!(self, OpStatus::Fail)
    }

    pub const fn name(self) -> &'static str {
        match self {
            OpStatus::Fail => "fail",
            OpStatus::Ok => "ok",
            OpStatus::Untested => "untested",
        }
    }
}

/// What there is to see of one watched service. Times are `None` before there was any.
#[derive(Clone, PartialEq, Debug)]
pub struct WatchView {
    pub spec: Arc<WatchSpec>,
    pub opstatus: OpStatus,
    pub last_opstatus: OpStatus,
    /// Of the last result: an exit status, or whatever a trap said; none before the first.
    pub retval: Option<Arc<str>>,
    /// Until the next run; none where nothing is asked.
    pub timer: Option<Duration>,
    pub last_check: Option<Time>,
    pub last_success: Option<Time>,
    pub last_failure: Option<Time>,
    /// Of the failure that lasts.
    pub first_failure: Option<Time>,
    pub last_trap: Option<Time>,
    pub last_alert: Option<Time>,
    pub failures_in_a_row: u32,
    pub failures: u64,
    /// Rounds of alerts for the failure that lasts, over all periods that count.
    pub alerts_sent: u32,
    pub acknowledged: Option<Acknowledged>,
    pub disabled: Option<Disabled>,
    /// Whether its dependencies held when they were last looked at.
    pub depend_status: Option<bool>,
    /// The first line of the last output.
    pub last_summary: String,
    /// The rest of it.
    pub last_detail: String,
    /// How long the last run took.
    pub duration: Option<Duration>,
    pub running: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Acknowledged {
    pub at: Time,
    /// Empty where nobody had logged in.
    pub user: String,
    pub comment: String,
}

/// Out of the watching, by somebody's word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Disabled {
    pub since: Time,
    pub user: String,
    pub reason: String,
    /// When it ends by itself.
    pub until: Option<Time>,
}

/// What can be disabled.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Disabling {
    /// In every group it belongs to.
    Host(String),
    Watch(Arc<str>),
    Service(WatchKey),
}

impl Disabling {
    /// Without its kind.
    pub fn name(&self) -> String {
        match self {
            Disabling::Host(host) => host.clone(),
            Disabling::Watch(group) => group.to_string(),
            Disabling::Service(key) => key.to_string(),
        }
    }
}

/// `host www1`, `watch shop`, `service shop/192.168.0.1:80`.
impl fmt::Display for Disabling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", DisabledKind::of(self), self.name())
    }
}

/// What somebody asks the watcher to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WatchOrder {
    /// Of a service that fails.
    Acknowledge {
        key: WatchKey,
        user: String,
        comment: String,
    },
    Disable {
        what: Vec<Disabling>,
        user: String,
        reason: String,
        lasts: Option<Duration>,
        /// Whether a host that is disabled already is disabled anew, as all else is; mon says that
        /// there is none of its name.
        replaces: bool,
    },
    Enable {
        what: Vec<Disabling>,
    },
    /// Run it now.
    TestMonitor(WatchKey),
    /// Call the alerts of this kind in this period, whatever the throttles say; the period by its
    /// label.
    TestAlert {
        key: WatchKey,
        on: AlertOn,
        exit: u8,
        period: String,
    },
    /// Timers start anew, counters of failures at zero.
    ClearTimers(WatchKey),
    StartScheduler,
    /// Nothing is started; what runs ends, and nobody is told.
    StopScheduler,
    SetInterval {
        key: WatchKey,
        interval: Duration,
    },
    SetDescription {
        key: WatchKey,
        text: String,
    },
    SetHistory(usize),
}

/// Why an order was not carried out.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WatchRefusal {
    #[error("no group {0}")]
    UnknownGroup(String),
    #[error("no service {0}")]
    UnknownService(WatchKey),
    #[error("no period {0}")]
    UnknownPeriod(String),
    /// In no group, or disabled already.
    #[error("no hosts {0:?}")]
    UnknownHosts(Vec<String>),
    #[error("{0} does not fail")]
    NotFailing(WatchKey),
}

/// One alert that was called, for the history.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AlertNote {
    /// `alert`, `upalert`, `trapalert`...
    pub kind: &'static str,
    pub key: WatchKey,
    pub at: Time,
    pub path: String,
    pub words: String,
    pub summary: String,
}

impl AlertNote {
    /// `TYPE GROUP SERVICE EPOCH PATH (ARGS) SUMMARY`, as in the historic file and for clients.
    pub fn line(&self) -> String {
        let AlertNote { kind, key, at, path, words, summary } = self;
        let at = at.seconds();
        format!("{kind} {} {} {at} {path} ({words}) {summary}", key.group, key.service)
    }
}

/// One failed result, for the history.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FailureNote {
    pub key: WatchKey,
    pub at: Time,
    pub summary: String,
}

/// What a monitor, or whoever stands for one, found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// 0 is success. A monitor that died by a signal, or ran out of time, has failed.
    pub exit: u8,
    /// The first line is the summary.
    pub output: String,
}

/// What became of one host of a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostResult {
    pub host: String,
    /// [`Outcome::Local`] where the director could not ask; the finding counts it as failed, as
    /// mon's monitors would.
    pub outcome: Outcome,
}

/// A trap: a result that somebody sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trap {
    pub group: String,
    pub service: String,
    /// As sent; `0` is success, anything else a failure.
    pub status: String,
    pub summary: String,
    pub detail: String,
}
