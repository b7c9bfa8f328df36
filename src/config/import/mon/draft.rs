//! What the lines of a file say, before the rest of the file is known.

use std::collections::BTreeMap;
use std::time::Duration;

use super::lines::Piece;
use crate::model::{AlertOn, Calendar, Collapse, ExitRange, Throttle, WatchKey};

/// A file, read but not resolved.
#[derive(Default)]
pub(super) struct File {
    pub(super) globals: Globals,
    /// By name; those of watches without one among them.
    pub(super) groups: BTreeMap<String, Group>,
    pub(super) views: BTreeMap<String, Vec<Piece>>,
    pub(super) watches: BTreeMap<String, Piece>,
    /// In the order of the file.
    pub(super) services: Vec<ServiceDraft>,
    /// Their places in it, the first of each name.
    pub(super) known: BTreeMap<WatchKey, usize>,
}

impl File {
    pub(super) fn has_services(&self, group: &str) -> bool {
        let mut from = self.known.range(WatchKey::new(group, "")..);
        from.next().is_some_and(|(key, _)| &*key.group == group)
    }
}

pub(super) struct Group {
    pub(super) tag: Piece,
    pub(super) hosts: Vec<Piece>,
}

/// The globals, by name; the last of each.
#[derive(Default)]
pub(super) struct Globals {
    /// Names and values as written, for those that are words.
    pub(super) texts: BTreeMap<&'static str, Piece>,
    pub(super) random_start: Option<Duration>,
    pub(super) historic_time: Option<Duration>,
    pub(super) client_timeout: Option<Duration>,
    pub(super) exclude: Option<Calendar>,
    pub(super) collapse: Option<Collapse>,
    pub(super) behaviour: Behaviour,
    pub(super) memory: Duration,
    pub(super) unack_summary: bool,
}

impl Globals {
    /// The value of one that is words.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(Piece::text)
    }
}

/// What a failed `depend` suppresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Behaviour {
    #[default]
    Alerts,
    Monitors,
    Hosts,
}

pub(super) struct ServiceDraft {
    pub(super) key: WatchKey,
    pub(super) name: Piece,
    pub(super) description: Option<String>,
    pub(super) monitor: Option<Piece>,
    pub(super) redistribute: Option<Piece>,
    pub(super) interval: Option<Duration>,
    pub(super) failure_interval: Option<Duration>,
    pub(super) skew: Option<Duration>,
    pub(super) trap_timeout: Option<Duration>,
    pub(super) trap_duration: Option<Duration>,
    pub(super) allow_empty_group: bool,
    pub(super) exclude_hosts: Vec<Piece>,
    pub(super) exclude: Option<Calendar>,
    pub(super) depend: Option<Piece>,
    pub(super) alert_depend: Option<Piece>,
    pub(super) monitor_depend: Option<Piece>,
    pub(super) host_depend: Option<Piece>,
    pub(super) behaviour: Behaviour,
    pub(super) memory: Duration,
    pub(super) unack_summary: bool,
    pub(super) environment: Vec<(String, String)>,
    pub(super) periods: Vec<PeriodDraft>,
    /// The places of variables and of periods, by their names.
    pub(super) variables: BTreeMap<String, usize>,
    pub(super) labels: BTreeMap<String, usize>,
    /// Directives that were given, each with its place.
    pub(super) seen: BTreeMap<String, Piece>,
}

impl ServiceDraft {
    pub(super) fn new(key: WatchKey, name: Piece, globals: &Globals) -> ServiceDraft {
        ServiceDraft {
            key,
            name,
            description: None,
            monitor: None,
            redistribute: None,
            interval: None,
            failure_interval: None,
            skew: None,
            trap_timeout: None,
            trap_duration: None,
            allow_empty_group: false,
            exclude_hosts: Vec::new(),
            exclude: None,
            depend: None,
            alert_depend: None,
            monitor_depend: None,
            host_depend: None,
            behaviour: globals.behaviour,
            memory: globals.memory,
            unack_summary: globals.unack_summary,
            environment: Vec::new(),
            periods: Vec::new(),
            variables: BTreeMap::new(),
            labels: BTreeMap::new(),
            seen: BTreeMap::new(),
        }
    }
}

pub(super) struct PeriodDraft {
    /// The line after its keyword.
    pub(super) written: Piece,
    pub(super) label: String,
    pub(super) times: Calendar,
    pub(super) alerts: Vec<AlertDraft>,
    pub(super) throttle: Throttle,
    pub(super) seen: BTreeMap<String, Piece>,
}

pub(super) struct AlertDraft {
    pub(super) on: AlertOn,
    pub(super) exit: Option<ExitRange>,
    pub(super) name: Piece,
    /// What follows the name.
    pub(super) rest: Piece,
}

impl PeriodDraft {
    pub(super) fn new(written: Piece, label: String, times: Calendar) -> PeriodDraft {
        PeriodDraft {
            written,
            label,
            times,
            alerts: Vec::new(),
            throttle: Throttle::default(),
            seen: BTreeMap::new(),
        }
    }
}
