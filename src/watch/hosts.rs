//! How each host of a group is, as far as its monitor says. Only for those who look: mon has one
//! status for all of them, and so have its rules.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::Watcher;
use super::saved::at;
use crate::model::{HostResult, Outcome, Time, WatchKey};

/// Characters of a detail that are kept, and of what else is shown on one line.
pub(super) const DETAIL: usize = 300;

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct HostState {
    pub host: String,
    /// None until it could be asked.
    pub is_up: Option<bool>,
    /// When that was first found.
    #[serde(with = "at")]
    pub since: Time,
    /// What is wrong with it, or why it could not be asked; empty where that is nothing.
    pub detail: String,
}

impl Watcher {
    /// What a monitor of this service found of each host; what it says of none is known no more.
    /// Where it says nothing of any (it ran out of time, or names no host) all is as it was found.
    pub fn handle_hosts(&mut self, key: &WatchKey, results: &[HostResult], now: Time) {
        let Some(service) = self.services.get_mut(key) else { return };
        if results.is_empty() {
            return;
        }
        let found = follow(&service.status.hosts, results, now);
        let turns = |hosts: &[HostState]| hosts.iter().map(|host| host.since).collect::<Vec<_>>();
        self.changed |= turns(&found) != turns(&service.status.hosts);
        service.status.hosts = found;
    }
}

fn follow(known: &[HostState], results: &[HostResult], now: Time) -> Vec<HostState> {
    let known: HashMap<&str, &HostState> =
        known.iter().map(|state| (&*state.host, state)).collect();
    let state = |HostResult { host, outcome }: &HostResult| {
        let before = known.get(&**host);
        let was_up = before.and_then(|before| before.is_up);
        let (is_up, detail) = match outcome {
            Outcome::Pass => (Some(true), String::new()),
            Outcome::Fail(why) => (Some(false), why.chars().take(DETAIL).collect()),
            Outcome::Local(why) => {
                let why: String = why.chars().take(DETAIL).collect();
                (was_up, format!("cannot be asked: {why}"))
            }
        };
        let since = before.filter(|_| was_up == is_up).map_or(now, |before| before.since);
        HostState { host: host.clone(), is_up, since, detail }
    };
    results.iter().map(state).collect()
}
