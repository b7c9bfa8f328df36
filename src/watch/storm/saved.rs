//! Storms across a restart: whoever was gathered counts as told, so that what is to be told of
//! him must not be lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Storm, Storms};
use crate::model::{AlertCall, AlertOn, Period, Time, WatchKey};
use crate::watch::job::Telling;
use crate::watch::occasion::Occasion;
use crate::watch::saved::when;
use crate::watch::service::{Facts, Service};

/// One storm. Where its program is the configuration says.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SavedStorm {
    name: String,
    words: Vec<String>,
    members: Vec<SavedMember>,
    most: usize,
    first: SavedFirst,
    #[serde(with = "when")]
    due: Option<Time>,
}

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct SavedMember {
    group: Arc<str>,
    service: Arc<str>,
    /// By label.
    period: Arc<str>,
    summary: Arc<str>,
}

/// Of the first member, who need not be one any more.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct SavedFirst {
    group: Arc<str>,
    service: Arc<str>,
    kind: String,
    retval: Option<Arc<str>>,
    facts: Facts,
}

impl Storms {
    pub fn save(&self) -> Vec<SavedStorm> {
        let stormy = self.storms.iter().filter(|(_, storm)| !storm.members.is_empty());
        stormy.map(|(call, storm)| saved(call, storm)).collect()
    }

    /// Takes up what was saved, as far as its members are there, fail, and have the call. What was
    /// to be told is told in `within` at the latest.
    pub fn load(
        &mut self,
        saved: Vec<SavedStorm>,
        services: &BTreeMap<WatchKey, Service>,
        within: Duration,
        now: Time,
    ) {
        for SavedStorm { name, words, members, most, first, due } in saved {
            for SavedMember { group, service, period, summary } in members {
                let key = WatchKey { group, service };
                let Some(service) = services.get(&key) else { continue };
                let Some(period) = service.stormy_period(&period) else { continue };
                let Some(call) = call(period, &name, &words) else { continue };
                let first = first.load(services, service);
                self.join(call, super::member(&key, period), period, summary, first);
                if let Some(storm) = self.storms.get_mut(call) {
                    storm.most = storm.most.max(most);
                    storm.due = due.map(|due| due.min(now + within));
                }
            }
        }
    }
}

fn saved(call: &AlertCall, storm: &Storm) -> SavedStorm {
    let members = storm.members.iter().map(|((key, period), summary)| SavedMember {
        group: key.group.clone(),
        service: key.service.clone(),
        period: period.clone(),
        summary: summary.clone(),
    });
    let first = storm.first.as_ref().map(|(telling, facts)| SavedFirst {
        group: telling.spec.key.group.clone(),
        service: telling.spec.key.service.clone(),
        kind: telling.occasion.word().to_owned(),
        retval: telling.retval.clone(),
        facts: facts.clone(),
    });
    SavedStorm {
        name: call.name.clone(),
        words: call.words.to_vec(),
        members: members.collect(),
        most: storm.most,
        first: first.unwrap_or_default(),
        due: storm.due,
    }
}

impl SavedFirst {
    /// If it is gone, this member stands for it.
    fn load(&self, services: &BTreeMap<WatchKey, Service>, member: &Service) -> (Telling, Facts) {
        let key = WatchKey { group: self.group.clone(), service: self.service.clone() };
        let telling = Telling {
            spec: services.get(&key).unwrap_or(member).spec.clone(),
            occasion: Occasion::from_word(&self.kind).unwrap_or(Occasion::Failure),
            // The call has an output of its own.
            output: "".into(),
            retval: self.retval.clone(),
            intended: self.facts.intended.clone(),
        };
        (telling, self.facts.clone())
    }
}

/// The line of the period with this call.
fn call<'p>(period: &'p Period, name: &str, words: &[String]) -> Option<&'p AlertCall> {
    let lines = period.alerts.iter().filter(|alert| alert.on == AlertOn::Failure);
    lines.map(|alert| &alert.call).find(|call| call.name == name && *call.words == *words)
}
