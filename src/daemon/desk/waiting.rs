//! Checks of real servers that wait for what a monitor finds.
//!
//! A result is one outcome for each check that waits for it, so that rise and fall count results.
//! A check waits for the next result of any of its services and asks then how all of them are.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::super::director::Answer;
use crate::model::{
    Endpoint, Finding, OpStatus, Outcome, WatchKey, WatchSpec, WatchView, Watching,
};
use crate::probe::monitor::HostResult;

#[derive(Default)]
pub struct Waiting {
    next: u64,
    checks: BTreeMap<u64, Check>,
    of: HashMap<WatchKey, BTreeSet<u64>>,
    /// The last result of each service.
    results: HashMap<WatchKey, Last>,
    /// Services that turn without a monitor: by traps, and for want of them.
    by_traps: BTreeSet<WatchKey>,
}

struct Check {
    keys: Arc<[WatchKey]>,
    server: Endpoint,
    answer: Answer,
}

/// How a service was found.
struct Last {
    outcome: Outcome,
    hosts: Vec<HostResult>,
    /// As the watcher has it since: a trap, or its absence, may have turned it.
    status: OpStatus,
}

impl Waiting {
    /// What is watched from now on. Checks that wait for anything else are over.
    pub fn follow(&mut self, watching: &Watching) {
        let is_there = |key: &WatchKey| watching.services.contains_key(key);
        self.checks.retain(|_, check| check.keys.iter().all(is_there));
        self.of.retain(|key, _| is_there(key));
        self.results.retain(|key, _| is_there(key));
        let by_traps =
            |spec: &Arc<WatchSpec>| spec.monitor.is_none() || spec.trap_timeout.is_some();
        let specs = watching.services.values().filter(|spec| by_traps(spec));
        self.by_traps = specs.map(|spec| spec.key.clone()).collect();
    }

    pub fn add(&mut self, keys: Arc<[WatchKey]>, server: Endpoint, answer: Answer) {
        self.next += 1;
        for key in keys.iter() {
            self.of.entry(key.clone()).or_default().insert(self.next);
        }
        self.checks.insert(self.next, Check { keys, server, answer });
    }

    /// A monitor found this.
    pub fn result(&mut self, key: &WatchKey, finding: &Finding, hosts: Vec<HostResult>) {
        let status = if finding.exit == 0 { OpStatus::Ok } else { OpStatus::Fail };
        let last = Last { outcome: outcome(key, status, &finding.output), hosts, status };
        self.results.insert(key.clone(), last);
        self.tell(key);
    }

    /// Asks the watcher about services that turn without a monitor.
    pub fn look(&mut self, view: impl Fn(&WatchKey) -> Option<WatchView>) {
        // Those waited for are few; real servers with alerts, which turn so too, may be many.
        let asked: Vec<WatchKey> =
            self.of.keys().filter(|key| self.by_traps.contains(*key)).cloned().collect();
        for key in asked {
            let Some(view) = view(&key) else { continue };
            let known = self.results.get(&key).map(|last| last.status);
            if view.opstatus == OpStatus::Untested || known == Some(view.opstatus) {
                continue;
            }
            let outcome = outcome(&key, view.opstatus, &view.last_summary);
            let last = Last { outcome, hosts: Vec::new(), status: view.opstatus };
            self.results.insert(key.clone(), last);
            self.tell(&key);
        }
    }

    /// Answers the checks that wait for this service, where all their services are known.
    fn tell(&mut self, key: &WatchKey) {
        let waiting = self.of.get(key).cloned().unwrap_or_default();
        for number in waiting {
            let Some(check) = self.checks.get(&number) else { continue };
            let Some(outcome) = self.outcome_of(check) else { continue };
            if let Some(mut check) = self.checks.remove(&number) {
                for key in check.keys.iter() {
                    if let Some(waiting) = self.of.get_mut(key) {
                        waiting.remove(&number);
                    }
                }
                check.answer.outcome = outcome;
            }
        }
        self.of.retain(|_, waiting| !waiting.is_empty());
    }

    /// `None` while one of the services has had no result.
    fn outcome_of(&self, check: &Check) -> Option<Outcome> {
        let mut all = Outcome::Pass;
        for key in check.keys.iter() {
            let last = self.results.get(key)?;
            let address = check.server.address.to_string();
            let own = last.hosts.iter().find(|host| host.host == address);
            let outcome = own.map_or(&last.outcome, |host| &host.outcome);
            if all == Outcome::Pass {
                all = outcome.clone();
            }
        }
        Some(all)
    }
}

fn outcome(key: &WatchKey, status: OpStatus, output: &str) -> Outcome {
    let summary = output.lines().next().unwrap_or_default().trim();
    let summary = if summary.is_empty() { "(NO SUMMARY)" } else { summary };
    match status {
        OpStatus::Ok | OpStatus::Untested => Outcome::Pass,
        OpStatus::Fail => Outcome::Fail(format!("watch {key}: {summary}")),
    }
}
