//! What is out of the watching, by somebody's word.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Disabled, Disabling, WatchKey};

/// Found by what it is about, without a copy of the name.
#[derive(Default)]
pub(super) struct Disablements {
    hosts: BTreeMap<String, Disabled>,
    watches: BTreeMap<Arc<str>, Disabled>,
    services: BTreeMap<WatchKey, Disabled>,
}

impl Disablements {
    pub fn host(&self, host: &str) -> Option<&Disabled> {
        self.hosts.get(host)
    }

    pub fn watch(&self, group: &str) -> Option<&Disabled> {
        self.watches.get(group)
    }

    pub fn service(&self, key: &WatchKey) -> Option<&Disabled> {
        self.services.get(key)
    }

    pub fn insert(&mut self, what: Disabling, disabled: Disabled) {
        match what {
            Disabling::Host(host) => drop(self.hosts.insert(host, disabled)),
            Disabling::Watch(group) => drop(self.watches.insert(group, disabled)),
            Disabling::Service(key) => drop(self.services.insert(key, disabled)),
        }
    }

    pub fn remove(&mut self, what: &Disabling) {
        match what {
            Disabling::Host(host) => drop(self.hosts.remove(host)),
            Disabling::Watch(group) => drop(self.watches.remove(group)),
            Disabling::Service(key) => drop(self.services.remove(key)),
        }
    }

    pub fn contains(&self, what: &Disabling) -> bool {
        match what {
            Disabling::Host(host) => self.host(host).is_some(),
            Disabling::Watch(group) => self.watch(group).is_some(),
            Disabling::Service(key) => self.service(key).is_some(),
        }
    }

    /// Hosts first, then watches, then services; each in the order of their names.
    pub fn all(&self) -> Vec<(Disabling, Disabled)> {
        let hosts = self.hosts.iter().map(|(host, why)| (Disabling::Host(host.clone()), why));
        let watches = self.watches.iter().map(|(name, why)| (Disabling::Watch(name.clone()), why));
        let services =
            self.services.iter().map(|(key, why)| (Disabling::Service(key.clone()), why));
        hosts.chain(watches).chain(services).map(|(what, why)| (what, why.clone())).collect()
    }
}
