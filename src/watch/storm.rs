//! Many failures at once: the calls of one program with the same words become one.
//!
//! The first few of a window are made as ever. What exceeds them is gathered, and one window
//! later told in one call. Whoever was gathered stays a member of the storm, and is told of only
//! with it, until its failure ends; the end of the last member's clears the storm with one call.
//! Those whose own calls were made get recoveries of their own.

mod saved;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::job::Telling;
use super::occasion::Occasion;
use super::service::{Facts, named_summary};
use crate::model::{Alert, AlertCall, AlertOn, Collapse, OpStatus, Period, Time, WatchKey};

pub(super) use saved::SavedStorm;

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
    /// The calls that clear storms whose last member left without one.
    over: Vec<(AlertCall, Together)>,
}

#[derive(Default)]
struct Storm {
    /// Calls that were made within the window; no more than are let through.
    recent: VecDeque<Time>,
    /// Members, each with its summary when it joined.
    members: BTreeMap<Member, Arc<str>>,
    /// How many were told of at most; none before anybody was told.
    most: usize,
    /// Of the first member, for arguments and environment.
    first: Option<(Telling, Facts)>,
    /// Clears it where the last member has no call for that.
    ending: Option<AlertCall>,
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
    /// Whether failures of the period that are told by `call` are gathered.
    pub fn has(&self, call: &AlertCall, member: &Member) -> bool {
        self.member_of.get(member).is_some_and(|calls| calls.contains(call))
    }

    /// A failure of this period is to be told by `call`.
    pub fn failure(
        &mut self,
        call: &AlertCall,
        period: &Period,
        telling: &Telling,
        facts: &Facts,
        collapse: Collapse,
        now: Time,
    ) -> Judgement {
        let member = member(&telling.spec.key, period);
        if !self.has(call, &member) {
            let storm = self.storms.entry(call.clone()).or_default();
            storm.recent.retain(|at| now.since(*at) < collapse.within);
            if storm.recent.len() < collapse.more_than as usize {
                storm.recent.push_back(now);
                return Judgement::Alone;
            }
        }
        let first = (telling.clone(), facts.clone());
        self.join(call, member, period, named_summary(&telling.output).into(), first);
        if let Some(storm) = self.storms.get_mut(call) {
            storm.due.get_or_insert(now + collapse.within);
        }
        Judgement::Gathered
    }

    /// A member joins, or fails again. `first` counts if it is the first.
    fn join(
        &mut self,
        call: &AlertCall,
        member: Member,
        period: &Period,
        summary: Arc<str>,
        first: (Telling, Facts),
    ) {
        let calls = self.member_of.entry(member.clone()).or_default();
        if !calls.contains(call) {
            calls.push(call.clone());
        }
        let storm = self.storms.entry(call.clone()).or_default();
        storm.members.insert(member, summary);
        storm.first.get_or_insert(first);
        if storm.ending.is_none() {
            storm.ending = ending(period, call).cloned();
        }
    }

    /// A recovery of this period is to be told by `call`: the storm with the same words is meant,
    /// or else one of the same program, since a recovery may have words of its own.
    pub fn recovery(&mut self, call: &AlertCall, period: &Period, telling: &Telling) -> Judgement {
        let member = member(&telling.spec.key, period);
        let Some(storms) = self.member_of.get(&member) else { return Judgement::Alone };
        let same = storms.iter().find(|storm| *storm == call);
        let Some(of) = same.or_else(|| storms.iter().find(|storm| storm.path == call.path)) else {
            return Judgement::Alone;
        };
        match self.leave(&of.clone(), &member).and_then(|over| over.cleared()) {
            Some(together) => Judgement::Together(Box::new(together)),
            None => Judgement::Gathered,
        }
    }

    /// It is gone, or its failure ended without a call for that. What is over thereby is handed
    /// out by [`pop_over`](Self::pop_over).
    pub fn forget(&mut self, member: &Member) {
        for call in self.member_of.get(member).cloned().unwrap_or_default() {
            let Some(mut over) = self.leave(&call, member) else { continue };
            let ending = over.ending.take();
            self.over.extend(ending.zip(over.cleared()));
        }
    }

    /// It leaves, and nobody is told of that. How many storms it was in, if none of them was told
    /// of; none otherwise.
    pub fn desert(&mut self, member: &Member) -> Option<usize> {
        let calls = self.member_of.get(member).cloned().unwrap_or_default();
        let mut untold = true;
        for call in &calls {
            untold &= self.storms.get(call).is_some_and(|storm| storm.most == 0);
            self.leave(call, member);
        }
        (untold && !calls.is_empty()).then_some(calls.len())
    }

    /// The next call that clears a storm nobody is in any more.
    pub fn pop_over(&mut self) -> Option<(AlertCall, Together)> {
        self.over.pop()
    }

    pub fn has_members(&self) -> bool {
        !self.member_of.is_empty()
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

    /// All that wait to be told.
    pub fn all_due(&self) -> Vec<(AlertCall, Time)> {
        let due = self.storms.iter().filter_map(|(call, storm)| Some((call.clone(), storm.due?)));
        due.collect()
    }

    /// The call for those who were gathered and still fail; none where no one does.
    pub fn tell(
        &mut self,
        call: &AlertCall,
        fails: impl Fn(&WatchKey) -> bool,
    ) -> Option<Together> {
        let storm = self.storms.get_mut(call)?;
        storm.due = None;
        let failing: Vec<_> = storm.members.iter().filter(|((key, _), _)| fails(key)).collect();
        let count = failing.len();
        let together = (count > 0).then(|| storm.together(&failing, count)).flatten();
        storm.most = storm.most.max(count);
        together
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
    fn together(&self, members: &[(&Member, &Arc<str>)], count: usize) -> Option<Together> {
        let (telling, facts) = self.first.as_ref()?;
        let shown = &members[..members.len().min(SAMPLE)];
        let names: Vec<_> = shown.iter().map(|((key, _), _)| key.to_string()).collect();
        let mut output = format!("{count} services: {}", names.join(" "));
        if count > shown.len() {
            output.push_str(" ...");
        }
        output.push('\n');
        let summary: Arc<str> = output.trim_end().into();
        for ((key, _), summary) in shown {
            output.push_str(&format!("{key}: {summary}\n"));
        }
        let mut telling = telling.clone();
        telling.output = output.into();
        let facts = Facts { last_summary: Some(summary), ..facts.clone() };
        Some(Together { telling, facts, count })
    }

    /// The call that says it is over; none where nobody was told that it was.
    fn cleared(&self) -> Option<Together> {
        let members: Vec<_> = self.members.iter().collect();
        let mut together = (self.most > 0).then(|| self.together(&members, self.most)).flatten()?;
        together.telling.occasion = Occasion::Recovery;
        together.telling.retval = Some("0".into());
        together.facts.opstatus = OpStatus::Ok;
        Some(together)
    }
}

pub(super) fn member(key: &WatchKey, period: &Period) -> Member {
    (key.clone(), Arc::from(&*period.label))
}

/// The line of the period by which whoever is called so is told of a recovery: the one with the
/// same words, or else that with the same place among the lines of its program.
fn ending<'p>(period: &'p Period, call: &AlertCall) -> Option<&'p AlertCall> {
    let of = |on| {
        let lines = period.alerts.iter().filter(move |alert: &&Alert| alert.on == on);
        lines.map(|alert| &alert.call).filter(|other| other.path == call.path)
    };
    let same = of(AlertOn::Recovery).find(|other| *other == call);
    let place = || of(AlertOn::Failure).position(|other| other == call);
    same.or_else(|| of(AlertOn::Recovery).nth(place()?))
}
