//! Pairs of `lvs.alert` or `ipvs.alert` to the real servers they put in and take out.
//!
//! Whoever ran mon in front of a director had an alert that deletes a real server and an upalert
//! with the same words that adds it again. Here the watch decides, and the table is kept as it
//! should be; when that is no longer depends on when somebody would have been told.

mod options;
mod pairs;

use std::collections::{BTreeMap, BTreeSet};

use super::draft::{PeriodDraft, ServiceDraft};
use super::findings::Findings;
use crate::config::Names;
use crate::model::{AlertOn, Endpoint, Joined, JoinedServer, JoinedWatch, ServiceKey};

use options::Words;
use pairs::{Pair, Pairs};

/// Gathers the pairs of a file.
pub(super) struct Join<'n> {
    names: &'n dyn Names,
    joined: Vec<Joined>,
    /// Their places, and those of their servers.
    services: BTreeMap<ServiceKey, usize>,
    servers: BTreeMap<(ServiceKey, Endpoint), usize>,
}

impl<'n> Join<'n> {
    pub(super) fn new(names: &'n dyn Names) -> Join<'n> {
        Join { names, joined: Vec::new(), services: BTreeMap::new(), servers: BTreeMap::new() }
    }

    /// Takes a period's pairs; what is left is called as an alert: their places in the period.
    pub(super) fn take(
        &mut self,
        draft: &ServiceDraft,
        period: &PeriodDraft,
        hosts: &[String],
        findings: &mut Findings,
    ) -> BTreeSet<usize> {
        let mut left = BTreeSet::new();
        let mut pairs = Pairs::default();
        for (at, alert) in period.alerts.iter().enumerate() {
            if !options::is_of_table(alert.name.text()) {
                left.insert(at);
                continue;
            }
            match alert.on {
                AlertOn::Failure | AlertOn::Recovery => {
                    if alert.exit.is_some() {
                        let message = "exit= says when people are told; the table is changed at any \
                                       result";
                        findings.warning(&alert.name, message);
                    }
                    if let Some(words) = Words::read(alert, self.names, findings) {
                        pairs.add(words, alert.on, findings);
                    }
                }
                AlertOn::Startup => {
                    findings.note(&alert.name, "not needed: the table is made right at a start");
                }
                AlertOn::Acknowledgement | AlertOn::Disabling => {
                    findings
                        .warning(&alert.name, "this is left out: it would delete the real server")
                        .hint("take the line out");
                }
            }
        }
        if !pairs.all.is_empty() {
            pairs::remark(draft, period, hosts, &left, findings);
        }
        for pair in pairs.all {
            pair.remark(findings);
            self.add(pair, draft, period, findings);
        }
        left
    }

    fn add(
        &mut self,
        pair: Pair,
        draft: &ServiceDraft,
        period: &PeriodDraft,
        findings: &mut Findings,
    ) {
        let watch = JoinedWatch {
            key: draft.key.clone(),
            interval: draft.interval,
            retry: draft.failure_interval.or(draft.interval),
            rise: pairs::rise(draft, period),
            fall: pairs::fall(draft, period),
        };
        let words = pair.words();
        let at = *self.services.entry(words.service).or_insert_with(|| {
            self.joined.push(Joined { service: words.service, scheduler: None, servers: vec![] });
            self.joined.len() - 1
        });
        let Some(joined) = self.joined.get_mut(at) else { return };
        joined.scheduler = joined.scheduler.or(words.scheduler);
        let endpoint = words.endpoint;
        let place = *self.servers.entry((words.service, endpoint)).or_insert_with(|| {
            let destination = words.destination;
            joined.servers.push(JoinedServer { endpoint, destination, watches: Vec::new() });
            joined.servers.len() - 1
        });
        let Some(server) = joined.servers.get_mut(place) else { return };
        if server.destination != words.destination {
            let message = format!("{endpoint} has another weight or method elsewhere: that counts");
            findings.warning(&words.place, message);
        }
        match server.watches.iter_mut().find(|known| known.key == watch.key) {
            // Two periods of one service: whichever acts first.
            Some(known) => {
                known.fall = known.fall.min(watch.fall);
                known.rise = known.rise.min(watch.rise);
            }
            None => server.watches.push(watch),
        }
    }

    pub(super) fn finish(self) -> Vec<Joined> {
        self.joined
    }
}
