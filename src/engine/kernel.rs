//! The kernel's side of the engine: what was read, what is not as it should be, what comes next.
//!
//! One request is under way at a time. Whatever is known of a service was read from the kernel,
//! or written and acknowledged by it; what was written is read back.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use crate::model::{
    Digests, Endpoint, Entry, KernelError, KernelErrorKind, KernelName, ServiceKey,
    ServiceSettings, Survey, SurveyKey, Time,
};
use crate::plan::Step;

/// Services read at one go: a tenth of a second on the slowest kernel we know, so that a verdict
/// never waits long for the kernel to be free.
pub(super) const READ_CHUNK: usize = 256;

/// Above this many services to be read back after a write, one survey is cheaper than reading
/// each.
pub(super) const READ_BACK_LIMIT: usize = 512;

/// A survey may cost this share of one processor. With the reads of the rotation and the comparing,
/// which are not counted in it, a look is to cost less than a hundredth.
const SURVEY_SHARE: u32 = 150;
/// However cheap a survey is, and however dear: drift is to be found within ten seconds.
const SURVEY_INTERVAL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(9));

/// The longest pause between two looks at the table.
pub(super) const LONGEST_PAUSE: Duration = SURVEY_INTERVAL.1;

/// Glances between two whole surveys. A glance does not see the flags of a scheduler, times of
/// persistence, foreign services, and whether one that the listing leaves out still exists: a
/// difference there is found within a minute.
const GLANCES: u8 = 5;

/// Waiting times after a refusal: doubling from one to the other.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Writes in a row that did not stick before we stop insisting.
const STRIKES: u8 = 3;

/// What is known of the kernel's table, and what is to be asked of it next.
#[derive(Debug)]
pub(super) struct KernelSide {
    /// The services that are ours, with the record last read; `None` when there is none.
    pub owned: BTreeMap<ServiceKey, Owned>,
    /// Ours, but not read yet.
    pub unread: BTreeSet<ServiceKey>,
    /// Read, and perhaps not as they should be.
    pub dirty: BTreeSet<ServiceKey>,
    /// Just written, to be read back.
    pub written: BTreeSet<ServiceKey>,
    /// To be read again: suspicious, or their turn has come.
    pub recheck: BTreeSet<ServiceKey>,
    /// Services the kernel refuses a change of.
    pub troubles: BTreeMap<ServiceKey, Trouble>,
    /// Why the kernel cannot be reached at all.
    pub outage: Option<Trouble>,
    /// Whether anybody was told of that.
    pub outage_told: bool,
    /// Whether services ceased to be ours since that was noted.
    pub disowned: bool,
    pub busy: bool,
    /// When the request under way was made, or else the last one.
    pub asked: Time,
    pub surveyed: bool,
    pub next_survey: Time,
    /// When the last survey was.
    pub surveyed_at: Option<Time>,
    /// The last survey of which everything is settled.
    pub compared: Option<Time>,
    pub foreign: usize,
    pub drift_repaired: u64,
    pub writes: u64,
    /// Glances since the last whole survey.
    glances: u8,
    /// Where the slow rotation of full reads goes on.
    rotation: Option<ServiceKey>,
    /// Those the kernel's listing left out at the last survey, and where reading them goes on.
    hidden: BTreeSet<ServiceKey>,
    hidden_from: Option<ServiceKey>,
}

#[derive(Default, Debug)]
pub(super) struct Owned {
    pub observed: Observed,
    /// Writes in a row that were not found when read back.
    strikes: u8,
    /// As of the [service](crate::model::VirtualService::tells_rows), also after it left the
    /// files.
    pub tells_rows: bool,
}

/// The record last read, and its digest once somebody asked for it: of 10,000 services few change
/// from one look to the next.
#[derive(Default, Debug)]
pub(super) struct Observed {
    record: Option<Entry>,
    digest: Option<u64>,
}

impl Observed {
    pub fn record(&self) -> Option<&Entry> {
        self.record.as_ref()
    }

    pub fn record_mut(&mut self) -> &mut Option<Entry> {
        self.digest = None;
        &mut self.record
    }

    /// What a survey finds if all is as it was read; 0 where there was none.
    fn digest(&mut self, key: &ServiceKey) -> u64 {
        let record = self.record.as_ref();
        *self.digest.get_or_insert_with(|| record.map_or(0, |entry| Survey::digest(key, entry)))
    }
}

/// Something the kernel refuses, and when it is tried again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Trouble {
    pub message: String,
    pub retry_at: Time,
    pub backoff: Duration,
    /// What was refused since the last try: this destination, or with `None` the service itself.
    /// The rest of the service is written meanwhile as ever.
    pub refused: BTreeSet<Option<Endpoint>>,
}

impl Trouble {
    /// A first refusal, or one more after `before`.
    pub fn after(before: Option<&Trouble>, message: &str, now: Time) -> Trouble {
        let backoff = before.map_or(BACKOFF.0, |trouble| (trouble.backoff * 2).min(BACKOFF.1));
        let refused = BTreeSet::new();
        Trouble { message: message.to_owned(), retry_at: now + backoff, backoff, refused }
    }
}

impl KernelSide {
    /// `owned`: what an earlier run noted down as ours.
    pub fn new(owned: impl IntoIterator<Item = ServiceKey>, now: Time) -> KernelSide {
        let unread: BTreeSet<_> = owned.into_iter().collect();
        KernelSide {
            owned: unread.iter().map(|key| (*key, Owned::default())).collect(),
            unread,
            dirty: BTreeSet::new(),
            written: BTreeSet::new(),
            recheck: BTreeSet::new(),
            troubles: BTreeMap::new(),
            outage: None,
            outage_told: false,
            disowned: false,
            busy: false,
            asked: now,
            surveyed: false,
            next_survey: now,
            surveyed_at: None,
            compared: None,
            foreign: 0,
            drift_repaired: 0,
            writes: 0,
            glances: 0,
            rotation: None,
            hidden: BTreeSet::new(),
            hidden_from: None,
        }
    }

    /// Makes a service ours. Returns whether it was not.
    pub fn own(&mut self, key: ServiceKey) -> bool {
        if self.owned.contains_key(&key) {
            return false;
        }
        self.owned.insert(key, Owned::default());
        self.unread.insert(key);
        true
    }

    pub fn set_tells_rows(&mut self, key: &ServiceKey, tells_rows: bool) {
        if let Some(owned) = self.owned.get_mut(key) {
            owned.tells_rows = tells_rows;
        }
    }

    /// The record last read of a service of ours; `None` also while it has not been read.
    pub fn observed(&self, key: &ServiceKey) -> Option<&Entry> {
        self.owned.get(key).and_then(|owned| owned.observed.record())
    }

    /// Our services that exist, as far as is known, with their records.
    pub fn present(&self) -> impl Iterator<Item = (&ServiceKey, &Entry)> {
        self.owned.iter().filter_map(|(key, owned)| Some((key, owned.observed.record()?)))
    }

    pub fn observed_mut(&mut self, key: &ServiceKey) -> Option<&mut Entry> {
        self.owned.get_mut(key).and_then(|owned| owned.observed.record_mut().as_mut())
    }

    /// Whether what is known of this service can be relied on.
    pub fn is_read(&self, key: &ServiceKey) -> bool {
        !self.unread.contains(key)
    }

    /// A first survey tells which of our services do not exist. That may be wrong for a large
    /// table, but adding what exists after all is refused and read again.
    ///
    /// Returns the services found to be absent.
    pub fn first_survey(&mut self, survey: &Survey) -> Vec<ServiceKey> {
        self.surveyed = true;
        let absent: Vec<_> =
            self.unread.iter().filter(|key| !survey.services.contains_key(key)).copied().collect();
        for key in &absent {
            self.unread.remove(key);
        }
        absent
    }

    /// Whether a glance is enough, the next time somebody looks.
    pub fn may_glance(&self) -> bool {
        self.surveyed && self.outage.is_none() && self.glances < GLANCES
    }

    /// The next look is a whole survey, and it comes at once.
    pub fn survey_now(&mut self, now: Time) {
        self.glances = GLANCES;
        self.next_survey = now;
    }

    /// Compares what is known with a survey; what does not agree is read again, and so is the
    /// next slice of the rotation.
    pub fn compare(&mut self, survey: &Survey, now: Time) {
        let foreign = survey.services.keys().filter(|key| !self.owned.contains_key(key));
        self.foreign = foreign.clone().count();
        // Of a mark whose other family is not ours the digest sums up both.
        let mixed: HashSet<SurveyKey> = foreign
            .filter(|key| matches!(key, ServiceKey::Fwmark { .. }))
            .map(Into::into)
            .collect();
        self.glances = 0;
        let (mut suspects, mut hidden) = (Vec::new(), BTreeSet::new());
        for (key, entry, agrees) in self.looked_up(&survey.digests) {
            if entry.map(|entry| &entry.settings) != survey.services.get(key) {
                suspects.push(*key);
                continue;
            }
            match agrees {
                Some(true) => {}
                Some(false) if !mixed.contains(&key.into()) => suspects.push(*key),
                // It exists, and the listing does not show it: no sign that anything is wrong.
                None if entry.is_some() => drop(hidden.insert(*key)),
                _ => {}
            }
        }
        self.hidden = hidden;
        self.look_closer(suspects, now);
    }

    /// The same with a glance. Whether a service that the listing does not show exists all the
    /// same is a question for a survey, unless the last one has answered it.
    pub fn compare_glance(&mut self, digests: &Digests, now: Time) {
        self.glances += 1;
        let (mut suspects, mut missing) = (Vec::new(), Vec::new());
        for (key, entry, agrees) in self.looked_up(digests) {
            match agrees {
                Some(true) => {}
                Some(false) => suspects.push(*key),
                None if entry.is_some() => missing.push(*key),
                None => {}
            }
        }
        let missing = missing.iter().any(|key| !self.hidden.contains(key));
        self.look_closer(suspects, now);
        if missing {
            self.survey_now(now);
        }
    }

    /// What was read, with whether a listing agrees with it; `None` where it shows nothing.
    fn looked_up<'a>(
        &'a mut self,
        digests: &'a Digests,
    ) -> impl Iterator<Item = (&'a ServiceKey, Option<&'a Entry>, Option<bool>)> {
        let unread = &self.unread;
        let is_read = |key: &ServiceKey| !unread.contains(key);
        // Both services of a mark are one in a listing.
        let mut marks: HashMap<u32, u64> = HashMap::new();
        for (key, owned) in self.owned.iter_mut().filter(|(key, _)| is_read(key)) {
            if let ServiceKey::Fwmark { mark, .. } = key {
                let sum = marks.entry(*mark).or_default();
                *sum = sum.wrapping_add(owned.observed.digest(key));
            }
        }
        let read = self.owned.iter_mut().filter(move |(key, _)| is_read(key));
        read.map(move |(key, owned)| {
            let expected = match key {
                ServiceKey::Fwmark { mark, .. } => marks.get(mark).copied().unwrap_or_default(),
                ServiceKey::Address { .. } => owned.observed.digest(key),
            };
            let agrees = digests.get(&key.into()).map(|found| *found == expected);
            (key, owned.observed.record(), agrees)
        })
    }

    /// Has those read that do not agree, and those whose turn it is.
    fn look_closer(&mut self, suspects: Vec<ServiceKey>, now: Time) {
        self.surveyed_at = Some(now);
        self.recheck.extend(suspects);
        let hidden = self.next_hidden();
        self.recheck.extend(hidden);
        self.rotate();
    }

    /// The next of those that the listing leaves out; where other network namespaces hold
    /// services as well that may be half the table, too many to read each time.
    fn next_hidden(&mut self) -> Vec<ServiceKey> {
        let from = self.hidden_from.take();
        let rest = self.hidden.iter().filter(|key| from.is_none_or(|from| **key > from));
        let next: Vec<_> = rest.take(READ_CHUNK).copied().collect();
        self.hidden_from = next.last().copied();
        next
    }

    /// Adds the next hundredth of our services to those read in full: a survey does not tell
    /// thresholds and tunnels.
    fn rotate(&mut self) {
        let slice = self.owned.len().div_ceil(100).max(16);
        let from = self.rotation.take();
        let rest = self.owned.keys().filter(|key| from.is_none_or(|from| **key > from));
        let next: Vec<_> = rest.take(slice).copied().collect();
        self.rotation = next.last().copied();
        self.recheck.extend(next);
    }

    /// When to look again, after a survey that took `cost`.
    pub fn schedule_survey(&mut self, cost: Duration, now: Time) {
        let (least, most) = SURVEY_INTERVAL;
        self.next_survey = now + (cost * SURVEY_SHARE).clamp(least, most);
    }

    /// What was written is not what was read back, or somebody else was there first. Returns
    /// the trouble once that has happened too often to go on insisting.
    pub fn strike(&mut self, key: ServiceKey, now: Time) -> Option<Trouble> {
        let owned = self.owned.get_mut(&key)?;
        owned.strikes = owned.strikes.saturating_add(1);
        if owned.strikes < STRIKES {
            return None;
        }
        let message = "the kernel does not keep what is written: \
                       is somebody else writing this service?";
        let trouble = Trouble::after(self.troubles.get(&key), message, now);
        self.troubles.insert(key, trouble.clone());
        Some(trouble)
    }

    /// What was written was found.
    pub fn absolve(&mut self, key: &ServiceKey) {
        if let Some(owned) = self.owned.get_mut(key) {
            owned.strikes = 0;
        }
    }

    /// Notes that nothing can be asked for now. Returns the trouble when that is news.
    pub fn note_outage(&mut self, error: &KernelError, now: Time) -> Option<Trouble> {
        let trouble = Trouble::after(self.outage.as_ref(), &error.message, now);
        self.outage = Some(trouble.clone());
        // A single lost answer is no outage worth a line in the log.
        let news = !self.outage_told && error.kind == KernelErrorKind::Unavailable;
        self.outage_told |= news;
        news.then_some(trouble)
    }

    /// Why the table cannot be reached, if it was asked for in vain more than once: an answer that
    /// is lost is no outage.
    pub fn unreachable(&self) -> Option<&str> {
        let lasts = |outage: &&Trouble| outage.backoff > BACKOFF.0;
        self.outage.as_ref().filter(lasts).map(|outage| &*outage.message)
    }

    /// The first reason, if the kernel refuses something of every service of ours.
    pub fn refuses_all(&self) -> Option<&str> {
        let is_all = self.owned.keys().all(|key| self.troubles.contains_key(key));
        self.troubles.values().next().filter(|_| is_all).map(|trouble| &*trouble.message)
    }

    /// Notes that the kernel refused this part of a service. Returns the trouble when it is the
    /// first refusal since the last try: that one names the cause.
    pub fn note_refusal(&mut self, step: &Step, error: &KernelError, now: Time) -> Option<Trouble> {
        let key = *step.service();
        let known = self.troubles.get_mut(&key);
        if let Some(known) = known.filter(|trouble| trouble.retry_at > now) {
            known.refused.insert(subject(step));
            return None;
        }
        let mut trouble = Trouble::after(self.troubles.get(&key), &error.message, now);
        trouble.refused.insert(subject(step));
        self.troubles.insert(key, trouble.clone());
        Some(trouble)
    }

    /// Whether this was refused a moment ago, or stands on something that was. Taking away is
    /// always worth a try.
    pub fn is_futile(&self, step: &Step, now: Time) -> bool {
        let key = step.service();
        let waiting = |trouble: &&Trouble| trouble.retry_at > now;
        let Some(trouble) = self.troubles.get(key).filter(waiting) else { return false };
        let refused = |what| trouble.refused.contains(&what);
        match step {
            Step::RemoveService { .. } | Step::RemoveDestination { .. } => false,
            Step::AddService { .. } | Step::EditService { .. } => refused(None),
            Step::AddDestination { endpoint, .. } | Step::EditDestination { endpoint, .. } => {
                refused(Some(*endpoint)) || (refused(None) && self.observed(key).is_none())
            }
        }
    }

    /// Whether this service was written in vain too often, and is not tried again yet.
    pub fn is_given_up(&self, key: &ServiceKey, now: Time) -> bool {
        let struck = |trouble: &Trouble| trouble.refused.is_empty() && trouble.retry_at > now;
        self.troubles.get(key).is_some_and(struck)
    }

    /// The services that may be written now: those that may not be as they should, and those
    /// of which something refused is to be tried again. A service that is to go waits until
    /// everything is read, so that its successor can be written before it goes.
    pub fn writable(
        &mut self,
        now: Time,
        goes: impl Fn(&ServiceKey) -> bool,
    ) -> BTreeSet<ServiceKey> {
        let waits = |key: &ServiceKey| !self.is_read(key) || (!self.unread.is_empty() && goes(key));
        let due = self.troubles.iter().filter(|(_, trouble)| trouble.retry_at <= now);
        let all = self.dirty.iter().chain(due.map(|(key, _)| key));
        let ready: BTreeSet<_> = all.filter(|key| !waits(key)).copied().collect();
        self.dirty.retain(|key| !ready.contains(key));
        ready
    }

    /// When to ask for something next, if nothing happens before; nothing while busy.
    pub fn next_turn(&self) -> Option<Time> {
        if self.busy {
            return None;
        }
        if let Some(outage) = &self.outage {
            return Some(outage.retry_at);
        }
        self.troubles.values().map(|trouble| trouble.retry_at).chain([self.next_survey]).min()
    }

    /// From now on everything of ours is to be brought to its end, read or not: removing what is
    /// gone already does no harm.
    pub fn prepare_stop(&mut self) {
        for key in std::mem::take(&mut self.unread) {
            if let Some(owned) = self.owned.get_mut(&key) {
                let settings = ServiceSettings::plain(KernelName::NONE);
                owned.observed.record_mut().get_or_insert(Entry::empty(settings));
            }
        }
        self.written.clear();
        self.recheck.clear();
        self.troubles.clear();
        self.outage = None;
        self.dirty = self.owned.keys().copied().collect();
    }
}

/// The part of a service a step is about; `None` is the service's own record.
const fn subject(step: &Step) -> Option<Endpoint> {
    match *step {
        Step::AddService { .. } | Step::EditService { .. } | Step::RemoveService { .. } => None,
        Step::AddDestination { endpoint, .. }
        | Step::EditDestination { endpoint, .. }
        | Step::RemoveDestination { endpoint, .. } => Some(endpoint),
    }
}
