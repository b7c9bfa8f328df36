//! Many failures at once: the calls of one program with the same words become one.
//!
//! The first few of a window are made as ever. What exceeds them is gathered, and one window
//! later told in one call. Whoever was gathered stays a member of the storm, and is told of only
//! with it, until it recovers; the recovery of the last member clears the storm with one call.
//! Those whose own calls were made get recoveries of their own.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::job::Telling;
use super::service::{Facts, named_summary};
use crate::model::{AlertCall, Collapse, OpStatus, Time, WatchKey};

/// One period of one service.
pub(super) type Member = (WatchKey, Arc<str>);

/// Members that a call names.
const SAMPLE: usize = 20;

#[derive(Default)]
pub(super) struct Storms {
    /// One for each call that was made lately, or has members.
    storms: BTreeMap<AlertCall, Storm>,
    /// The storms a member is in: one for each alert of its period that was gathered.
    member_of: BTreeMap<Member, Vec<AlertCall>>,
}

#[derive(Default)]
struct Storm {
    /// Calls that were made within the window; no more than are let through.
    recent: VecDeque<Time>,
    /// Members, each with its summary when it joined.
    members: BTreeMap<Member, Arc<str>>,
    /// How many there were at most.
    most: usize,
    /// Of the first member, for arguments and environment.
    first: Option<(Telling, Facts)>,
    /// Whether it was told.
    told: bool,
    /// When what was gathered is told.
    due: Option<Time>,
}

/// What becomes of a call.
#[derive(Debug)]
pub(super) enum Judgement {
    /// It is made.
    Alone,
    /// Not now, or not at all.
    Gathered,
    /// One call is made for the whole storm.
    Together(Box<Together>),
}

/// A call for many.
#[derive(Clone, Debug)]
pub(super) struct Together {
    pub telling: Telling,
    pub facts: Facts,
    pub count: usize,
}

impl Storms {
    /// A failure of `member` is to be told by `call`.
    pub fn failure(
        &mut self,
        call: &AlertCall,
        member: Member,
        telling: &Telling,
        facts: &Facts,
        collapse: Collapse,
        now: Time,
    ) -> Judgement {
        let storm = self.storms.entry(call.clone()).or_default();
        if !storm.members.contains_key(&member) {
            storm.recent.retain(|at| now.since(*at) < collapse.within);
            if storm.recent.len() < collapse.more_than as usize {
                storm.recent.push_back(now);
                return Judgement::Alone;
            }
            storm.first.get_or_insert_with(|| (telling.clone(), facts.clone()));
            self.member_of.entry(member.clone()).or_default().push(call.clone());
        }
        storm.members.insert(member, named_summary(&telling.output).into());
        storm.most = storm.most.max(storm.members.len());
        storm.due.get_or_insert(now + collapse.within);
        Judgement::Gathered
    }

    /// A recovery of `member` is to be told by `call`: the storm with the same words is meant, or
    /// else one of the same program, since a recovery may have words of its own.
    pub fn recovery(&mut self, call: &AlertCall, member: &Member, telling: &Telling) -> Judgement {
        let Some(storms) = self.member_of.get(member) else { return Judgement::Alone };
        let same = storms.iter().find(|storm| *storm == call);
        let Some(of) = same.or_else(|| storms.iter().find(|storm| storm.path == call.path)) else {
            return Judgement::Alone;
        };
        match self.leave(&of.clone(), member) {
            Some(over) if over.told => match over.together(over.most) {
                Some(together) => Judgement::Together(Box::new(together.cleared_by(telling))),
                None => Judgement::Gathered,
            },
            _ => Judgement::Gathered,
        }
    }

    /// It recovered, or is gone: nothing is left to tell of it.
    pub fn forget(&mut self, member: &Member) {
        for call in self.member_of.get(member).cloned().unwrap_or_default() {
            self.leave(&call, member);
        }
    }

    /// One storm without the member; the storm itself if that was the last.
    fn leave(&mut self, call: &AlertCall, member: &Member) -> Option<Storm> {
        if let Some(calls) = self.member_of.get_mut(member) {
            calls.retain(|other| other != call);
            if calls.is_empty() {
                self.member_of.remove(member);
            }
        }
        let storm = self.storms.get_mut(call)?;
        let summary = storm.members.remove(member)?;
        if !storm.members.is_empty() {
            return None;
        }
        let recent = std::mem::take(&mut storm.recent);
        let mut over = std::mem::replace(storm, Storm { recent, ..Storm::default() });
        // For the words of the call that clears it.
        over.members.insert(member.clone(), summary);
        Some(over)
    }

    /// When the storm of these calls is told next.
    pub fn due(&self, call: &AlertCall) -> Option<Time> {
        self.storms.get(call)?.due
    }

    /// The call for what was gathered.
    pub fn tell(&mut self, call: &AlertCall) -> Option<Together> {
        let storm = self.storms.get_mut(call)?;
        storm.due = None;
        storm.told = true;
        storm.together(storm.members.len())
    }

    /// Forgets calls nobody was gathered from within the window.
    pub fn forget_calm(&mut self, within: Duration, now: Time) {
        self.storms.retain(|_, storm| {
            storm.recent.retain(|at| now.since(*at) < within);
            !storm.members.is_empty() || !storm.recent.is_empty()
        });
    }
}

impl Storm {
    /// Its words: how many, and some of them.
    fn together(&self, count: usize) -> Option<Together> {
        let (telling, facts) = self.first.as_ref()?;
        let shown: Vec<_> = self.members.iter().take(SAMPLE).collect();
        let names: Vec<_> = shown.iter().map(|((key, _), _)| key.to_string()).collect();
        let mut output = format!("{count} services: {}", names.join(" "));
        if count > shown.len() {
            output.push_str(" ...");
        }
        output.push('\n');
        let summary: Arc<str> = output.trim_end().into();
        for ((key, _), summary) in &shown {
            output.push_str(&format!("{key}: {summary}\n"));
        }
        let mut telling = telling.clone();
        telling.output = output.into();
        let facts = Facts { last_summary: Some(summary), ..facts.clone() };
        Some(Together { telling, facts, count })
    }
}

impl Together {
    fn cleared_by(mut self, recovery: &Telling) -> Together {
        self.telling.occasion = recovery.occasion;
        self.telling.retval = recovery.retval.clone();
        self.facts.opstatus = OpStatus::Ok;
        self
    }
}
