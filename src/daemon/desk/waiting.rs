//! Checks of real servers that wait for what a monitor finds.
//!
//! A result is one outcome for each check that waits for it, so that rise and fall count results.
//! A check waits for the next result of any of its services and asks then how all of them are.

use std::collections::hash_map::Entry;
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
        self.of.retain(|key, waiting| {
            waiting.retain(|number| self.checks.contains_key(number));
            is_there(key) && !waiting.is_empty()
        });
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
                check.keys.iter().for_each(|key| self.forget(key, number));
                check.answer.outcome = outcome;
            }
        }
    }

    fn forget(&mut self, key: &WatchKey, number: u64) {
        if let Entry::Occupied(mut waiting) = self.of.entry(key.clone()) {
            waiting.get_mut().remove(&number);
            if waiting.get().is_empty() {
                waiting.remove();
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::Input;
    use crate::engine::CheckId;
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    fn key(service: &str) -> WatchKey {
        WatchKey::new("rs1", service)
    }

    fn watching(services: &[&str]) -> Watching {
        let spec = |service: &&str| (key(service), Arc::new(WatchSpec::bare(key(service))));
        Watching { services: services.iter().map(spec).collect(), ..Watching::default() }
    }

    /// A check of 10.0.0.1:80 that waits for these.
    fn ask(waiting: &mut Waiting, services: &[&str]) -> UnboundedReceiver<Input> {
        let (inputs, answers) = unbounded_channel();
        let keys: Vec<WatchKey> = services.iter().map(|service| key(service)).collect();
        let server = Endpoint::new([10, 0, 0, 1].into(), 80);
        waiting.add(keys.into(), server, Answer::pending(CheckId::ANY, inputs));
        answers
    }

    fn answered(answers: &mut UnboundedReceiver<Input>) -> Option<Outcome> {
        match answers.try_recv() {
            Ok(Input::Outcome { outcome, .. }) => Some(outcome),
            _ => None,
        }
    }

    fn found(exit: u8, output: &str) -> Finding {
        Finding { exit, output: output.to_owned() }
    }

    #[test]
    fn one_result_is_one_outcome() {
        let mut waiting = Waiting::default();
        let mut check = ask(&mut waiting, &["http"]);
        assert_eq!(answered(&mut check), None);
        waiting.result(&key("http"), &found(1, "10.0.0.1\nrefused\n"), Vec::new());
        let failed = Outcome::Fail("watch rs1/http: 10.0.0.1".into());
        assert_eq!(answered(&mut check), Some(failed));
        let mut next = ask(&mut waiting, &["http"]);
        assert_eq!(answered(&mut next), None, "the last result was counted");
        waiting.result(&key("http"), &found(0, ""), Vec::new());
        assert_eq!(answered(&mut next), Some(Outcome::Pass));
    }

    #[test]
    fn a_server_is_well_while_all_its_services_are() {
        let mut waiting = Waiting::default();
        let mut check = ask(&mut waiting, &["http", "ping"]);
        waiting.result(&key("http"), &found(0, ""), Vec::new());
        assert_eq!(answered(&mut check), None, "nothing is known of the other");
        waiting.result(&key("ping"), &found(2, ""), Vec::new());
        let failed = Outcome::Fail("watch rs1/ping: (NO SUMMARY)".into());
        assert_eq!(answered(&mut check), Some(failed));
        assert!(waiting.of.is_empty() && waiting.checks.is_empty());
    }

    #[test]
    fn what_is_known_of_the_server_itself_counts_before_its_group() {
        let mut waiting = Waiting::default();
        let mut check = ask(&mut waiting, &["http"]);
        let host = |host: &str, outcome| HostResult { host: host.to_owned(), outcome };
        let bad = Outcome::Fail("refused".into());
        let hosts = vec![host("10.0.0.1", Outcome::Pass), host("10.0.0.2", bad)];
        waiting.result(&key("http"), &found(1, "10.0.0.2\n"), hosts);
        assert_eq!(answered(&mut check), Some(Outcome::Pass));
    }

    #[test]
    fn checks_of_what_is_watched_no_more_leave_nothing_behind() {
        let mut waiting = Waiting::default();
        waiting.follow(&watching(&["http", "ping"]));
        let mut both = ask(&mut waiting, &["http", "ping"]);
        let mut one = ask(&mut waiting, &["http"]);
        waiting.follow(&watching(&["http"]));
        assert!(matches!(answered(&mut both), Some(Outcome::Local(_))));
        assert_eq!((waiting.checks.len(), waiting.of.len()), (1, 1));
        waiting.result(&key("http"), &found(0, ""), Vec::new());
        assert_eq!(answered(&mut one), Some(Outcome::Pass));
        assert!(waiting.of.is_empty());
    }
}
