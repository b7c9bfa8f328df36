//! What the watcher shows to those who look at it through the port.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::{
    AlertNote, FailureNote, Time, ViewItem, WallTime, WatchKey, WatchView, Watching,
};

/// Which parts of a [`Scene`] are needed; what is not asked for may be left empty.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Parts {
    pub services: Wanted,
    pub alerts: bool,
    pub failures: bool,
    pub running: bool,
    /// Filled in at the port, from the file the settings name.
    pub downtime: bool,
}

/// Which services.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Wanted {
    #[default]
    None,
    All,
    /// Those of groups, or single ones; what is not there is left out.
    Some(Vec<(String, Option<String>)>),
}

/// The watcher at one moment, as far as it was asked for.
#[derive(Clone, PartialEq, Debug)]
pub struct Scene {
    pub now: Time,
    /// The same moment where the director is.
    pub local: WallTime,
    /// Groups, views and settings. This and all up to the services is always there.
    pub watching: Arc<Watching>,
    pub stopped_since: Option<Time>,
    /// Entries that each history keeps now.
    pub history: usize,
    pub disabled_hosts: BTreeSet<String>,
    pub disabled_watches: BTreeSet<Arc<str>>,
    /// In the order of their keys. One is disabled here if it was itself, not its whole watch.
    pub services: Vec<WatchView>,
    /// Oldest first.
    pub alerts: Vec<AlertNote>,
    /// Oldest first.
    pub failures: Vec<FailureNote>,
    /// Monitors that are programs and run, by process id.
    pub running: Vec<(WatchKey, u32)>,
    pub downtime: Downtime,
}

/// The log of ended failures.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Downtime {
    /// None is kept.
    #[default]
    Off,
    /// It cannot be read.
    Closed,
    /// Lines of the file, remarks and all.
    Lines(Vec<String>),
}

impl Scene {
    /// The service of this name.
    pub fn service(&self, key: &WatchKey) -> Option<&WatchView> {
        let at = self.services.binary_search_by(|view| view.spec.key.cmp(key)).ok()?;
        self.services.get(at)
    }

    /// The services of this group.
    pub fn group<'a>(&'a self, group: &str) -> impl Iterator<Item = &'a WatchView> {
        let before = |view: &WatchView| &*view.spec.key.group < group;
        let from = self.services.partition_point(before);
        let up_to = self.services.partition_point(|view| &*view.spec.key.group <= group);
        self.services[from..up_to.max(from)].iter()
    }

    /// The services somebody with this view sees. A view that is gone since shows nothing.
    pub fn seen<'a>(&'a self, view: Option<&str>) -> impl Iterator<Item = &'a WatchView> {
        let items = self.view(view);
        self.services.iter().filter(move |service| {
            let key = &service.spec.key;
            items.is_none_or(|items| items.iter().any(|item| shows(item, key)))
        })
    }

    /// Whether somebody with this view sees all of the group.
    pub fn sees_group(&self, view: Option<&str>, group: &str) -> bool {
        let whole = |item: &ViewItem| &*item.group == group && item.service.is_none();
        self.view(view).is_none_or(|items| items.iter().any(whole))
    }

    /// Nothing for everything.
    fn view(&self, view: Option<&str>) -> Option<&[ViewItem]> {
        view.map(|name| self.watching.views.get(name).map_or(&[][..], |items| items))
    }
}

fn shows(item: &ViewItem, key: &WatchKey) -> bool {
    item.group == key.group && item.service.as_ref().is_none_or(|service| *service == key.service)
}
