//! What we show, and what we may be asked.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::{DisabledStatus, Role, SyncState, Verdict, WatchStatus};

/// The whole state of the director at one moment, as `status` and the API show it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    pub version: String,
    pub pid: u32,
    pub phase: Phase,
    pub role: Role,
    #[serde(with = "rfc3339")]
    pub started: SystemTime,
    pub kernel: KernelView,
    /// The sync daemon, where the files ask for one.
    pub sync: Option<SyncView>,
    pub files: Vec<Arc<FileView>>,
    /// Why the last reload is waiting for the operator's word, if it is.
    pub held_reload: Option<String>,
    pub services: Vec<ServiceView>,
    /// The addresses the director holds, or would.
    #[serde(default)]
    pub vips: Vec<VipView>,
    /// What is watched besides real servers.
    #[serde(default)]
    pub watches: Vec<WatchStatus>,
    /// Of what nobody is told, by somebody's word; real servers included.
    #[serde(default)]
    pub disabled: Vec<DisabledStatus>,
}

/// Where in its life the daemon is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The kernel's table has not been read yet.
    Starting,
    Running,
    Stopping,
}

/// Does the kernel hold what we want it to hold?
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct KernelView {
    /// `kernel` or `memory`.
    pub table: String,
    /// Services whose records differ from the target, or whose state is not known.
    pub out_of_sync: usize,
    /// Services in the kernel that are not ours; they are never touched.
    pub foreign: usize,
    /// Seconds since the table was last compared with the target.
    pub compared_seconds_ago: Option<f64>,
    /// Differences found that we did not make, and repaired, since the start.
    pub drift_repaired: u64,
    /// Requests written to the kernel since the start.
    pub writes: u64,
    /// What stands in the way, if something does.
    pub error: Option<String>,
}

/// The kernel's sync daemon, as it should be.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SyncView {
    /// By the role.
    pub state: SyncState,
    pub interface: String,
    pub id: u8,
    /// Whether it was found so when it was last looked for.
    pub runs: bool,
    /// What stands in the way, if something does.
    pub error: Option<String>,
}

/// One configuration file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FileView {
    pub path: String,
    pub state: FileState,
    /// Services in force from this file.
    pub services: usize,
    /// The mistakes, rendered, when the newest text is not in force.
    pub error: Option<String>,
    /// How often a version of this file was rejected since the start.
    pub rejected: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileState {
    /// What the file says is in force.
    InForce,
    /// The file has mistakes; its last good version is in force.
    LastGood,
    /// The file has mistakes and there never was a good version: nothing of it is in force.
    Rejected,
}

/// An address of a service that the director holds itself, or would.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct VipView {
    /// With its prefix length: `10.0.0.3/32`.
    pub address: String,
    pub interface: String,
    /// Whether it is there.
    pub held: bool,
    /// Whether it is to be there now: not on a standby, and with `when: healthy` not while no real
    /// server carries its services.
    pub wanted: bool,
    /// Whether we added it, and remove it again.
    pub ours: bool,
    /// Why it is not there although it should be, or what is wrong with it.
    pub reason: Option<String>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ServiceView {
    /// `192.0.2.10:443/tcp`, `fwmark:7`.
    pub service: String,
    pub name: Option<String>,
    /// `file:line`.
    pub origin: Option<String>,
    pub scheduler: String,
    /// Up while at least one real server is up.
    pub up: bool,
    /// Whether the fallback server stands in.
    pub fallback_active: bool,
    pub fallback: Option<String>,
    /// Whether the kernel's records equal the target.
    pub in_sync: bool,
    /// Why they do not, when the kernel said.
    pub error: Option<String>,
    pub servers: Vec<ServerView>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ServerView {
    /// `10.0.0.7:80`.
    pub server: String,
    pub forward: String,
    /// The weight of the configuration.
    pub weight: u32,
    /// The weight in the kernel; `None` when the server is not in the table.
    pub kernel_weight: Option<u32>,
    pub verdict: Verdict,
    /// Since when the verdict holds.
    #[serde(with = "rfc3339")]
    pub since: SystemTime,
    /// Why it is not in use, or what the last probe complained of.
    pub reason: Option<String>,
    /// What keeps it from what its check would give it: `drain` is the operator's word,
    /// `maintenance` the configuration's, `maintenance NAME` the file of this name in the
    /// maintenance folder, `after maintenance` that its check has not passed since that file went,
    /// `by hand` a weight somebody set in the kernel's table.
    pub held: Option<String>,
    pub check: CheckView,
}

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct CheckView {
    /// `http 10.0.0.7:80`.
    pub what: String,
    pub interval_ms: u64,
    pub timeout_ms: u64,
    /// Passes in a row so far, counted up to `rise`.
    pub passes: u16,
    pub rise: u16,
    /// Failures in a row so far, counted up to `fall`.
    pub failures: u16,
    pub fall: u16,
    /// How long the last probe took; `None` before the first.
    pub last_ms: Option<f64>,
    /// Set while the director cannot ask.
    pub local_error: Option<String>,
}

/// What an operator may ask of the running daemon.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "command")]
pub enum Command {
    /// Set weight 0 and keep it there until `Undrain`. `service` limits it to one service.
    Drain { server: String, service: Option<String> },
    /// Give the server back to its check.
    Undrain { server: String, service: Option<String> },
    /// The same as `Drain`, as the word of a program that was told of a failure: it ends by its own
    /// `Restore`, or by an operator's `Undrain`.
    Withdraw { server: String, service: Option<String> },
    /// Take back what was said by `Withdraw`, and no operator's word. Nothing is affected where
    /// nothing was.
    Restore { server: String, service: Option<String> },
}

/// What a [`Command`] did.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CommandReport {
    /// What it was done to, as `10.0.0.7:80 of 192.0.2.10:80/tcp`.
    pub affected: NameList,
}

/// What came of a role, once the table is as it asks or cannot be.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct RoleReport {
    /// The role in force: another than was asked for where somebody else asked since.
    pub role: Role,
    /// Services of ours in the kernel now.
    pub services: usize,
    /// Services of which the kernel refuses something, each with its words.
    pub refused: NameList,
    /// Why the kernel's table cannot be reached, if it cannot; it is tried again.
    pub error: Option<String>,
}

/// What a reload did, or why it did not.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct ReloadReport {
    /// Whether what the files say now is in force, but for the rejected ones.
    pub applied: bool,
    /// Services that were not there before.
    pub added: NameList,
    /// Services whose definition differs.
    pub changed: NameList,
    /// Services that are gone.
    pub removed: NameList,
    /// Services as they were, of which somebody else is told, or otherwise.
    #[serde(default)]
    pub alerts: NameList,
    /// Whether what is watched besides real servers differs, or who is told of it.
    #[serde(default)]
    pub watching: bool,
    /// Whether settings of the director differ.
    #[serde(default)]
    pub settings: bool,
    /// Files whose newest text is not in force.
    pub rejected: Vec<RejectedFile>,
    /// Why it waits for the operator's word, if it does.
    pub held: Option<String>,
}

/// A file whose newest text is not in force.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RejectedFile {
    pub path: String,
    pub state: FileState,
    /// Its mistakes, rendered for a person.
    pub diagnostics: String,
}

/// How many, and the first few by name: a report on 10,000 services stays readable.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct NameList {
    pub count: usize,
    /// At most [`NameList::SHOWN`].
    pub names: Vec<String>,
}

impl NameList {
    /// Names kept: what a person reads at one glance.
    pub const SHOWN: usize = 20;
}

impl<T: ToString> FromIterator<T> for NameList {
    fn from_iter<I: IntoIterator<Item = T>>(all: I) -> NameList {
        let mut list = NameList::default();
        for name in all {
            list.count += 1;
            if list.names.len() < NameList::SHOWN {
                list.names.push(name.to_string());
            }
        }
        list
    }
}

/// What would change in the kernel, in the order it would be done.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct PlanView {
    pub lines: Vec<PlanLine>,
    /// Why a reload would do none of it unless it is confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
}

/// One change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PlanLine {
    pub sign: Sign,
    /// The service it belongs to: `192.0.2.10:443/tcp`.
    pub service: String,
    /// What comes, goes or changes, whole: `service 192.0.2.10:443/tcp wlc`,
    /// `destination 10.0.0.7:443 of 192.0.2.10:443/tcp weight 5 -> 0`.
    pub text: String,
}

/// `~ destination 10.0.0.7:443 of 192.0.2.10:443/tcp weight 5 -> 0`
impl fmt::Display for PlanLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.sign, self.text)
    }
}

/// What kind of change a [`PlanLine`] is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Sign {
    #[serde(rename = "+")]
    Add,
    #[serde(rename = "-")]
    Remove,
    #[serde(rename = "~")]
    Edit,
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Sign::Add => "+",
            Sign::Remove => "-",
            Sign::Edit => "~",
        })
    }
}

/// A point of wall-clock time as RFC 3339 text in UTC, to the millisecond.
pub(super) mod rfc3339 {
    use std::time::SystemTime;

    use jiff::Timestamp;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(at: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
        let stamp = Timestamp::try_from(*at).unwrap_or(Timestamp::UNIX_EPOCH);
        to.collect_str(&format_args!("{stamp:.3}"))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SystemTime, D::Error> {
        let text = String::deserialize(from)?;
        text.parse::<Timestamp>().map(SystemTime::from).map_err(D::Error::custom)
    }
}

/// The same, or `null`.
pub(super) mod rfc3339_or_none {
    use std::time::SystemTime;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct At(#[serde(with = "super::rfc3339")] SystemTime);

    pub fn serialize<S: Serializer>(at: &Option<SystemTime>, to: S) -> Result<S::Ok, S::Error> {
        at.map(At).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SystemTime>, D::Error> {
        Ok(Option::<At>::deserialize(from)?.map(|At(at)| at))
    }
}
