//! What the configuration asks for, as one value.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{
    Alerts, CheckSpec, Destination, Endpoint, Head, MonFile, Role, ServiceKey, ServiceSettings,
    ServiceWatch, SyncSettings, ViewItem, Vip, WatchSettings, Watching,
};

/// The whole configuration, resolved: every default filled in, every name looked up.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Desired {
    pub services: BTreeMap<ServiceKey, Arc<VirtualService>>,
    /// Where each service was written. Apart from the services, so that a line added above a
    /// service does not make it another service.
    pub origins: BTreeMap<ServiceKey, Origin>,
    /// Whom to tell of what happens to a service, for those where anybody is to be told.
    pub alerts: BTreeMap<ServiceKey, Arc<Alerts>>,
    /// The services whose real servers are watched as mon watches, for those who are told so.
    pub watches: BTreeMap<ServiceKey, Arc<ServiceWatch>>,
    /// What files say of themselves, by their paths.
    pub heads: BTreeMap<Arc<PathBuf>, Arc<Head>>,
    /// What is watched besides real servers, by the files that say so.
    pub mon: BTreeMap<Arc<PathBuf>, Arc<MonFile>>,
    /// The same for files of the native dialect: groups and their services.
    pub watched: BTreeMap<Arc<PathBuf>, Arc<Watching>>,
    pub settings: Settings,
}

/// Which services one configuration added to another, changed and removed, each in the order of
/// their keys.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Change {
    pub added: Vec<ServiceKey>,
    pub changed: Vec<ServiceKey>,
    pub removed: Vec<ServiceKey>,
    /// Services as they were, of which somebody else is told, or otherwise.
    pub alerts: Vec<ServiceKey>,
    /// Whether what is watched besides real servers differs, or who is told of it.
    pub watching: bool,
    /// Whether the daemon's settings differ, or what a file that was there says of itself.
    pub settings: bool,
}

impl Change {
    /// The way from one configuration to the next: a walk along both.
    pub fn between(before: &Desired, after: &Desired) -> Change {
        let mut keys: BTreeSet<ServiceKey> = differing(&before.services, &after.services);
        keys.extend(differing(&before.alerts, &after.alerts));
        keys.extend(differing(&before.watches, &after.watches));
        let mut paths = differing(&before.mon, &after.mon);
        paths.extend(differing(&before.watched, &after.watched));
        paths.extend(differing(&before.heads, &after.heads));
        Change::at(&keys, &paths, before, after)
    }

    /// The same, where nothing can differ but these services, and what these files watch and say of
    /// themselves.
    pub fn at(
        keys: &BTreeSet<ServiceKey>,
        paths: &BTreeSet<Arc<PathBuf>>,
        before: &Desired,
        after: &Desired,
    ) -> Change {
        let watching = |path: &Arc<PathBuf>| {
            !is_same(before.mon.get(path), after.mon.get(path))
                || !is_same(before.watched.get(path), after.watched.get(path))
        };
        let heads = |path: &Arc<PathBuf>| {
            let (old, new) = (before.heads.get(path), after.heads.get(path));
            old.zip(new).is_some_and(|(old, new)| !old.says_as(new))
        };
        let mut change = Change {
            watching: paths.iter().any(watching),
            settings: before.settings != after.settings || paths.iter().any(heads),
            ..Change::default()
        };
        for key in keys {
            match (before.services.get(key), after.services.get(key)) {
                (None, None) => {}
                (None, Some(_)) => change.added.push(*key),
                (Some(_), None) => change.removed.push(*key),
                (old, new) if !is_same(old, new) => change.changed.push(*key),
                _ => {
                    let is_told_alike = is_same(before.alerts.get(key), after.alerts.get(key))
                        && is_same(before.watches.get(key), after.watches.get(key));
                    change.alerts.extend((!is_told_alike).then_some(*key));
                }
            }
        }
        change
    }

    pub fn is_empty(&self) -> bool {
        *self == Change::default()
    }

    /// Whether services came, went or changed.
    pub fn is_of_services(&self) -> bool {
        [&self.added, &self.changed, &self.removed].into_iter().any(|keys| !keys.is_empty())
    }

    /// Services that came, went or changed, or of which somebody else is told.
    pub fn services(&self) -> impl Iterator<Item = &ServiceKey> {
        [&self.added, &self.changed, &self.removed, &self.alerts].into_iter().flatten()
    }

    /// Whether this holds for a service that came, went or changed, as it was or as it is.
    pub fn concerns(
        &self,
        before: &Desired,
        after: &Desired,
        holds: impl Fn(&VirtualService) -> bool,
    ) -> bool {
        let keys = || [&self.added, &self.changed, &self.removed].into_iter().flatten();
        let in_one = |desired: &Desired| {
            keys().filter_map(|key| desired.services.get(key)).any(|service| holds(service))
        };
        in_one(before) || in_one(after)
    }
}

/// Whether two are equal; most often they are one piece of memory.
fn is_same<T: PartialEq + ?Sized>(one: Option<&Arc<T>>, other: Option<&Arc<T>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other) || one == other,
        (one, other) => one.is_none() && other.is_none(),
    }
}

/// The keys under which two maps differ: one walk along both.
pub(super) fn differing<K: Ord + Clone, T: PartialEq + ?Sized>(
    before: &BTreeMap<K, Arc<T>>,
    after: &BTreeMap<K, Arc<T>>,
) -> BTreeSet<K> {
    let mut keys = BTreeSet::new();
    let mut old = before.iter().peekable();
    for (key, new) in after {
        while let Some((gone, _)) = old.next_if(|(other, _)| *other < key) {
            keys.insert(gone.clone());
        }
        let same = old.next_if(|(other, _)| *other == key).map(|(_, same)| same);
        if !is_same(same, Some(new)) {
            keys.insert(key.clone());
        }
    }
    keys.extend(old.map(|(gone, _)| gone.clone()));
    keys
}

/// `2 added, 1 changed, 0 removed`.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Change { added, changed, removed, alerts, watching, settings } = self;
        write!(f, "{} added, {} changed, {} removed", added.len(), changed.len(), removed.len())?;
        if !alerts.is_empty() {
            write!(f, ", alerts of {} changed", alerts.len())?;
        }
        for (differs, what) in [(watching, "watching"), (settings, "settings")] {
            if *differs {
                write!(f, ", {what} changed")?;
            }
        }
        Ok(())
    }
}

/// A place in a file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Origin {
    pub file: Arc<PathBuf>,
    /// From 1.
    pub line: u32,
}

/// One virtual service as its owner wants it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VirtualService {
    pub key: ServiceKey,
    /// What people call it.
    pub name: Option<String>,
    pub settings: ServiceSettings,
    /// In the order of the file; no two with one endpoint.
    pub servers: Vec<RealServer>,
    pub fallback: Option<Fallback>,
    pub on_failure: FailureAction,
    pub on_stop: StopAction,
    pub by_hand: ByHand,
    /// Whether every change of a row is an event of its own, as ldirectord's log has it.
    pub tells_rows: bool,
    /// Whether the file says only who is in and who is out, as mon's alerts do: how the service is
    /// set, and its rows for servers the file does not know, are as they are found.
    pub is_partial: bool,
    /// A folder in which a file's name takes out real servers: see [`Notice`](super::Notice).
    pub maintenance_dir: Option<Arc<PathBuf>>,
    /// Addresses that the director holds for it; no two with one key.
    pub vips: Vec<Vip>,
}

/// One real server of one service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RealServer {
    /// As the table holds it: with `gate` and `ipip` the port is the service's.
    pub endpoint: Endpoint,
    /// The row while the server is up.
    pub destination: Destination,
    /// Where the check goes: the written port, or the check's own.
    pub check_endpoint: Endpoint,
    /// Shared by all servers of a service that are checked alike.
    pub check: Arc<CheckSpec>,
    /// The port the owner knows the server by: as written, which for `gate` and `ipip` need not
    /// be the table's.
    pub written_port: u16,
    /// The owner's word in the file: takes no new connections (weight 0) whatever the check says.
    pub maintenance: bool,
}

impl RealServer {
    /// The server as its owner wrote it.
    pub const fn written(&self) -> Endpoint {
        self.endpoint.with_port(self.written_port)
    }
}

/// Takes over from all real servers while none of them is up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fallback {
    pub endpoint: Endpoint,
    pub destination: Destination,
}

/// What happens to a real server that failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FailureAction {
    /// Delete the destination and let go of its connections: TCP clients get a reset, UDP clients
    /// move on with their next packet. Relies on the sysctl `expire_nodest_conn`, which the
    /// daemon sets for it.
    Reset,
    /// Delete the destination; what becomes of its connections is left to the sysctl as it is.
    /// By the kernel's default their packets are dropped until they time out, or until the
    /// server is back.
    Remove,
    /// Weight 0: established connections are left to run into the dead server.
    Quiesce,
}

/// What becomes of a service's rows that somebody else changed in the kernel's table.
///
/// Whatever is let be lasts until the state of its server changes, or until the service is loaded
/// anew. Anything else is put right.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ByHand {
    /// Everything is put right.
    Repair,
    /// Another weight of a server in use is let be: ldirectord with `readdquiescent=yes`.
    KeepWeights,
    /// So is the removal of a dead server that was kept with weight 0: ldirectord without it.
    KeepWeightsAndRemovals,
}

/// What happens to a service when the daemon stops.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StopAction {
    Remove,
    Keep,
}

/// Whether the daemon sets the sysctls it relies on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SysctlPolicy {
    /// Set them at start and after a reload, and log it.
    Set,
    /// Only say when they are not as needed.
    Warn,
}

/// What holds for the daemon as a whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// A reload that would remove more than this share of the services, in percent, waits for
    /// the operator's word. 0 to 100; 100 never waits.
    pub remove_limit: u8,
    pub sysctl: SysctlPolicy,
    /// How a start begins where nobody has given his word for a role. A reload changes none.
    pub role: Role,
    /// Connections are told to the other director, or heard of from it, by the role.
    pub sync: Option<Arc<SyncSettings>>,
    /// How long a verdict outlives a director that cannot ask; after that, not being able to ask
    /// counts as a failure.
    pub local_error_hold: Duration,
    /// For what is watched, where no `mon.cf` says otherwise.
    pub watching: WatchSettings,
    /// As in [`Watching::views`].
    pub views: BTreeMap<Arc<str>, Arc<[ViewItem]>>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            remove_limit: 20,
            sysctl: SysctlPolicy::Set,
            role: Role::Active,
            sync: None,
            local_error_hold: Duration::from_secs(60),
            watching: WatchSettings::default(),
            views: BTreeMap::new(),
        }
    }
}
