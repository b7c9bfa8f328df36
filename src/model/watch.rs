//! What is watched and who is told: mon's nouns, and those of the native dialect's `alerts`.
//!
//! A *watch* is the services asked of one *group* of hosts. Each service has one status, whoever
//! of the group failed, and *periods*, which say at what times whom to alert how often. A real
//! server of a virtual service is watched in the same way: its service is the group, and it is the
//! only host of what is watched.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Calendar;
use super::desired::differing;

/// Names one watched service: `GROUP/SERVICE`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct WatchKey {
    pub group: Arc<str>,
    pub service: Arc<str>,
}

impl WatchKey {
    pub fn new(group: &str, service: &str) -> WatchKey {
        WatchKey { group: group.into(), service: service.into() }
    }
}

impl fmt::Display for WatchKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.group, self.service)
    }
}

/// Everything that is watched, resolved: the whole of a `mon.cf`, or what several files of the
/// native dialect ask for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Watching {
    /// The hosts of each group, in the order of the file; opaque words, handed to monitors.
    pub groups: BTreeMap<Arc<str>, Arc<[String]>>,
    pub services: BTreeMap<WatchKey, Arc<WatchSpec>>,
    /// Parts of all services that a client may choose to see, by name.
    pub views: BTreeMap<Arc<str>, Arc<[ViewItem]>>,
    pub settings: WatchSettings,
}

impl Watching {
    /// The services of either that are not the same in the other, or whose hosts are not.
    pub fn differing(&self, other: &Watching) -> BTreeSet<WatchKey> {
        let mut keys = differing(&self.services, &other.services);
        for group in differing(&self.groups, &other.groups) {
            let first = WatchKey { group: group.clone(), service: "".into() };
            let services = other.services.range(first..).map(|(key, _)| key);
            keys.extend(services.take_while(|key| key.group == group).cloned());
        }
        keys
    }
}

/// What a view shows: all services of a group, or one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ViewItem {
    pub group: Arc<str>,
    pub service: Option<Arc<str>>,
}

/// What holds for all watched services.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WatchSettings {
    /// Monitors that may run at once; none is no limit.
    pub max_processes: Option<u32>,
    /// Entries that each of the two histories keeps.
    pub history: usize,
    /// The first run of each service is spread at random over this time; none is after one
    /// interval.
    pub random_start: Option<Duration>,
    /// While inside it nothing is asked and no trap is missed.
    pub exclude: Option<Calendar>,
    /// How deep dependencies are followed.
    pub recursion_limit: u32,
    /// Whether a reload runs the start-up alerts again.
    pub startup_alerts_on_reset: bool,
    /// Folders that monitors and alerts are told of in their environment.
    pub folders: WatchFolders,
    /// Where alerts are noted, one a line, and the entries of which age are read again at a start.
    pub historic_file: Option<PathBuf>,
    pub historic_time: Option<Duration>,
    /// Where each end of a failure is noted, one a line.
    pub downtime_file: Option<PathBuf>,
    /// Whether many calls of one kind become one; none is never.
    pub collapse: Option<Collapse>,
}

/// When many things fail at once, the calls of one program with the same words are gathered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Collapse {
    /// Calls within this time count together; what is gathered is told that much later.
    pub within: Duration,
    /// So many are made as ever; what exceeds them is gathered.
    pub more_than: u32,
}

/// As in `MON_STATEDIR`, `MON_LOGDIR`, `MON_CFBASEDIR`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct WatchFolders {
    pub state: PathBuf,
    pub log: PathBuf,
    pub config: PathBuf,
}

impl Default for WatchSettings {
    /// mon's.
    fn default() -> WatchSettings {
        WatchSettings {
            max_processes: None,
            history: 100,
            random_start: None,
            exclude: None,
            recursion_limit: 10,
            startup_alerts_on_reset: false,
            folders: WatchFolders::default(),
            historic_file: None,
            historic_time: None,
            downtime_file: None,
            collapse: None,
        }
    }
}

/// One watched service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WatchSpec {
    pub key: WatchKey,
    /// Those it is about, where that is not the whole group.
    pub hosts: Option<Arc<[String]>>,
    /// As written, quotes and all.
    pub description: Option<String>,
    /// What is run to ask; none where results come from elsewhere: traps, or a real server's check.
    pub monitor: Option<MonitorCall>,
    /// None where nothing is asked unbidden.
    pub interval: Option<Duration>,
    /// The interval while the service fails.
    pub failure_interval: Option<Duration>,
    /// The next run is up to this earlier or later.
    pub skew: Option<Duration>,
    /// Whether the monitor runs when no host is left.
    pub allow_empty_group: bool,
    /// Hosts of the group the monitor is not given.
    pub exclude_hosts: BTreeSet<String>,
    /// While inside it the monitor is not started.
    pub exclude: Option<Calendar>,
    /// No trap for longer than this is a failure.
    pub trap_timeout: Option<Duration>,
    /// A trap's word holds for this long; then all is well again.
    pub trap_duration: Option<Duration>,
    pub depends: Depends,
    /// Whether another summary takes back an acknowledgement.
    pub unack_summary: bool,
    /// Variables for monitors and alerts, in the order of the file.
    pub environment: Vec<(String, String)>,
    /// Told of every result, whatever the periods say.
    pub redistribute: Option<AlertCall>,
    /// In the order of the file; no two with one label. Shared by those that are told of alike.
    pub periods: Arc<[Period]>,
}

impl WatchSpec {
    /// Nothing is asked more often.
    pub const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

    /// A service that nobody asks and nobody is told of.
    pub fn bare(key: WatchKey) -> WatchSpec {
        WatchSpec {
            key,
            hosts: None,
            description: None,
            monitor: None,
            interval: None,
            failure_interval: None,
            skew: None,
            allow_empty_group: false,
            exclude_hosts: BTreeSet::new(),
            exclude: None,
            trap_timeout: None,
            trap_duration: None,
            depends: Depends::default(),
            unack_summary: false,
            environment: Vec::new(),
            redistribute: None,
            periods: Arc::default(),
        }
    }
}

/// A monitor and its words; the hosts are appended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MonitorCall {
    /// As written: `http.monitor -p 8080`. For clients.
    pub written: String,
    pub how: MonitorKind,
    /// Whether the hosts are left out (`;;`).
    pub without_hosts: bool,
    /// After that it is ended, and the service has failed.
    pub limit: Duration,
}

/// Who asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MonitorKind {
    /// A program: its path and its first arguments.
    Program(Arc<[String]>),
    /// It was not found in the search path: nothing is asked, and that is said.
    Missing,
    /// One of our own, for each host by itself.
    Native(Arc<NativeMonitor>),
}

/// A monitor of mon's that is carried out here, without a program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NativeMonitor {
    /// `http`, `fping`: the name of mon's program without its ending.
    pub name: &'static str,
    /// Its own words, as written; parsed by the monitor's room when the file is read.
    pub words: Vec<String>,
}

/// On whom a service depends, and what that suppresses.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Depends {
    /// No alerts while it does not hold.
    pub alerts: Option<Dependency>,
    /// No monitor is started.
    pub monitors: Option<Dependency>,
    /// Hosts that a failing parent's summary names are left out.
    pub hosts: Option<Dependency>,
    /// A failure of a parent counts for this much longer than it lasts.
    pub memory: Duration,
}

/// An expression over other services.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dependency {
    /// As written, for clients.
    pub written: String,
    pub expression: Expression,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expression {
    /// True while the service is well, and what it depends on itself.
    Service(WatchKey),
    Constant(bool),
    Not(Box<Expression>),
    And(Box<Expression>, Box<Expression>),
    Or(Box<Expression>, Box<Expression>),
}

/// A time window of a service, with those who are alerted in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Period {
    /// What clients call it: the written label, or the written times.
    pub label: String,
    pub times: Calendar,
    pub alerts: Vec<Alert>,
    pub throttle: Throttle,
}

/// One line of a period.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alert {
    pub on: AlertOn,
    /// Only for exit statuses in it.
    pub exit: Option<ExitRange>,
    pub call: AlertCall,
}

/// What an alert is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum AlertOn {
    Failure,
    Recovery,
    Startup,
    Acknowledgement,
    Disabling,
}

/// Exit statuses from the first to the last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExitRange {
    pub first: u8,
    pub last: u8,
}

impl ExitRange {
    pub const fn contains(self, status: u8) -> bool {
        self.first <= status && status <= self.last
    }
}

/// A program to tell.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AlertCall {
    /// As written: `mail.alert`. For logs and histories.
    pub name: String,
    /// Where it is; none where the search path has none of that name.
    pub path: Option<Arc<PathBuf>>,
    /// What comes after mon's own arguments.
    pub words: Arc<[String]>,
}

/// How often a period's failures are told.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Throttle {
    /// Not again within this time.
    pub every: Option<(Duration, Repeat)>,
    /// Not before so many failures in a row.
    pub after_failures: Option<u32>,
    /// Not before it has failed for longer than this.
    pub after_time: Option<Duration>,
    /// Not before so many failures within a time.
    pub after_within: Option<(u32, Duration)>,
    /// The recovery from a failure that lasted at least this long is told at once. From a shorter
    /// one it is told this long after the failure began, if all is still well by then.
    pub recovery_after: Option<Duration>,
    /// At most so often for one failure.
    pub limit: Option<u32>,
    /// For these exit statuses only.
    pub exit: Option<ExitRange>,
    /// Whether a recovery is told without a failure that was.
    pub unpaired: bool,
    /// Whether its alerts are left out where alerts are counted.
    pub uncounted: bool,
}

/// What is held back within the time of [`Throttle::every`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Repeat {
    /// What has the same summary as the failure before.
    SameSummary,
    /// What has the same output as the failure before.
    SameDetail,
    /// Everything, until it recovers.
    All,
    /// Everything, even across a recovery.
    Strict,
}
