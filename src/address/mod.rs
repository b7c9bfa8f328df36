//! Which addresses this host should hold, and what is to be done about it.
//!
//! Wishes come from the services, what is there from the kernel; this room says what comes next
//! for each address, one thing at a time, and tells what became of it. Like the engine it reads no
//! clock and waits for nobody:
//!
//! ```text
//! handle_wishes, handle_change, handle_links, handle_answers, handle_added, handle_removed,
//! handle_announced, handle_timeout  -->  poll_action, poll_event, poll_timeout
//! ```
//!
//! ```text
//!            wanted and absent                              there
//!   Ask ------ nobody answers ------> Add ------> Announce (5 at once, 5 more after 5 s)
//!    ^                                 |              |
//!    | 1 s: somebody answers           | refused      | Ask again after 5 s, then each minute
//!    +---------------------------------+              v
//!      lost, or its link came back         not wanted any more -----> Remove
//! ```
//!
//! **Whether somebody else has it** is asked before an address is added, as RFC 5227 has it, though
//! for 150 ms instead of 2 to 9 s: a takeover has no more time, and who is there answers within a
//! millisecond. An address that somebody answers for is not added. That is told, and asked again
//! each second until it is free: two hosts with one address help nobody, and which of them is to go
//! is for fencing to say. An owner who knows better adds it by hand.
//!
//! **Whose it is.** Only what we noted before adding it is removed again. One that is there already
//! is used as it is and left behind.

#![forbid(unsafe_code)]

mod telling;
#[cfg(test)]
mod tests;
mod wish;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::event::Event;
use crate::model::{
    Announce, InterfaceName, KernelError, KernelErrorKind, Link, Links, Mac, Time, VipKey, VipView,
};

use telling::Telling;
pub use wish::{Presence, Wish, wishes};

/// After a sign that something changed, for the rest of the change to arrive.
const SETTLE: Duration = Duration::from_millis(20);
/// Between two looks at least: on a host of containers links come and go all the time.
const LOOK_PACE: Duration = Duration::from_millis(200);
/// A look without a sign, in case one got lost.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Asked again whether an address is still taken.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// Of an address we hold: after it was added, when two who took it at the same moment see each
/// other; while somebody else answers for it (RFC 5227's DEFEND_INTERVAL); and ever after.
const CONFIRM: Duration = Duration::from_secs(5);
const CONFIRM_CONTESTED: Duration = Duration::from_secs(10);
const CONFIRM_HELD: Duration = Duration::from_secs(60);
/// Addresses asked for at one go; each costs two broadcasts.
const ASK_BATCH: usize = 32;

/// When a note that could not be written is tried again.
const NOTE_AGAIN: Duration = Duration::from_secs(10);

/// Announcements at one go, and the pause between: 1,000 a second. Switches drop broadcasts that
/// come by the hundred at once.
const BURST: usize = 50;
const BURST_PACE: Duration = Duration::from_millis(50);

/// Waiting times after a refusal, or after an address was lost at once: doubling from one to the
/// other.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// An address held for so long was not lost at once.
const HELD_WELL: Duration = Duration::from_secs(60);

/// Something to do. One thing is under way at a time, but for removals, which wait for nobody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Note durably that these, and no others, are ours, before a later [`Action::Add`].
    Own(Vec<VipKey>),
    /// Read links and addresses, for [`Addresses::handle_links`]; these interfaces matter.
    Look(Vec<InterfaceName>),
    /// Ask the neighbours who has these, for [`Addresses::handle_answers`].
    Ask(Vec<Target>),
    /// For [`Addresses::handle_added`].
    Add(Vec<Target>),
    /// For [`Addresses::handle_removed`].
    Remove(Vec<Target>),
    /// Tell the neighbours, once for each time one is named, for [`Addresses::handle_announced`].
    Announce(Vec<Target>),
}

/// An address, and where it is or is to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    pub vip: VipKey,
    /// Of the interface.
    pub index: u32,
    /// Of the interface, where there are neighbours to ask and to tell.
    pub mac: Option<Mac>,
}

/// See the module's head.
#[derive(Debug)]
pub struct Addresses {
    addresses: BTreeMap<VipKey, Address>,
    /// What is noted as ours.
    owned: BTreeSet<VipKey>,
    /// Whether one ceased to be ours since that was noted.
    disowned: bool,
    /// Noted by an earlier run, and not asked for yet.
    unclaimed: BTreeSet<VipKey>,
    /// See [`Addresses::spare_unclaimed`].
    spare: bool,
    /// `None` before the first look.
    links: Option<Links>,
    look_at: Option<Time>,
    looked_at: Option<Time>,
    busy: bool,
    /// No announcement before this.
    quiet_until: Time,
    /// When what is ours is noted again, after that failed.
    note_at: Option<Time>,
    /// Why links cannot be read, as told.
    blind: Option<String>,
    /// Why neighbours can be neither asked nor told, as told.
    mute: Option<String>,
    next: Option<Time>,
    actions: VecDeque<Action>,
    events: VecDeque<Event>,
}

#[derive(Debug)]
struct Address {
    wish: Wish,
    answer: Answer,
    doing: Option<Doing>,
    /// Since when it is there, as far as we know.
    held: Option<Time>,
    /// Nothing is tried before this.
    not_before: Time,
    backoff: Duration,
    telling: Telling,
    confirm_at: Time,
    /// Why it is wanted and not there, as told.
    blocked: Option<String>,
    /// Who else answers for it while we hold it, as told.
    contested: Option<Mac>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Answer {
    None,
    Free,
    Taken(Mac),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Doing {
    Adding,
    Removing,
}

/// What comes next for an address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Deed {
    Remove,
    Add,
    Announce,
    Ask,
}

impl Addresses {
    /// `owned` is what an earlier run noted by [`Action::Own`]. Nothing is done before the first
    /// [`Addresses::handle_wishes`].
    pub fn new(owned: BTreeSet<VipKey>) -> Addresses {
        Addresses {
            addresses: BTreeMap::new(),
            unclaimed: owned.clone(),
            owned,
            disowned: false,
            spare: false,
            links: None,
            look_at: None,
            looked_at: None,
            busy: false,
            quiet_until: Time::ZERO,
            note_at: None,
            blind: None,
            mute: None,
            next: None,
            actions: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Whether addresses that an earlier run noted as ours, and that no service has asked for yet,
    /// are left as they are: a file of which nothing can be put in force may be the one that asks.
    /// Takes effect with the next wishes.
    pub fn spare_unclaimed(&mut self, spare: bool) {
        self.spare = spare;
    }

    /// Takes what is wanted, whole, in place of what was wanted before.
    pub fn handle_wishes(&mut self, wishes: &BTreeMap<VipKey, Wish>, now: Time) {
        let is_new = |key: &&VipKey| !self.addresses.contains_key(key);
        let is_known = |key: &VipKey| {
            self.links.as_ref().is_some_and(|links| links.0.contains_key(&key.interface))
        };
        let strange = wishes.keys().chain(&self.owned).filter(is_new).any(|key| !is_known(key));
        for (key, wish) in wishes {
            self.unclaimed.remove(key);
            self.addresses.entry(key.clone()).or_insert_with(|| Address::new(*wish)).wish = *wish;
        }
        for key in &self.owned {
            let gone = || Address::new(Wish::gone(Presence::Absent));
            self.addresses.entry(key.clone()).or_insert_with(gone);
        }
        for (key, address) in &mut self.addresses {
            if !wishes.contains_key(key) {
                let spared = self.spare && self.unclaimed.contains(key);
                let presence = if spared { Presence::AsFound } else { Presence::Absent };
                address.wish = Wish::gone(presence);
            }
            if address.wish.presence != Presence::Present {
                // What was said when it was wanted last says nothing when it is wanted again.
                address.blocked = None;
                address.answer = Answer::None;
            }
        }
        let owned = &self.owned;
        self.addresses.retain(|key, _| owned.contains(key) || wishes.contains_key(key));
        if self.addresses.is_empty() {
            (self.links, self.look_at) = (None, None);
        } else if strange {
            self.look_at = Some(now);
        }
        self.turn(now);
    }

    /// Something changed about links or addresses; nobody knows what.
    pub fn handle_change(&mut self, now: Time) {
        if self.addresses.is_empty() {
            return;
        }
        let soonest = self.looked_at.map_or(now, |at| at + LOOK_PACE).max(now + SETTLE);
        self.look_at = Some(self.look_at.map_or(soonest, |at| at.min(soonest)));
        self.turn(now);
    }

    /// Takes in what the kernel holds.
    pub fn handle_links(&mut self, links: Result<Links, KernelError>, now: Time) {
        self.busy = false;
        self.looked_at = Some(now);
        // Unless something changed since this look began.
        let every = if links.is_ok() { LOOK_EVERY } else { BACKOFF.1 };
        self.look_at = self.look_at.or(Some(now + every));
        match links {
            Ok(links) => {
                self.blind = None;
                let before = self.links.replace(links);
                let keys: Vec<_> = self.addresses.keys().cloned().collect();
                for key in keys {
                    self.compare(&key, before.as_ref(), now);
                }
            }
            Err(error) => tell_once(&mut self.blind, &mut self.events, error.message),
        }
        self.turn(now);
    }

    /// What a look says of one address: found, lost, or on another link than before.
    fn compare(&mut self, key: &VipKey, before: Option<&Links>, now: Time) {
        let link = self.links.as_ref().and_then(|links| links.0.get(&key.interface));
        let old = before.and_then(|links| links.0.get(&key.interface));
        let (owned, Some(address)) = (self.owned.contains(key), self.addresses.get_mut(key)) else {
            return;
        };
        let is_there = |link: &Link| link.addresses.contains_key(&(key.address, key.prefix));
        match (address.held, link.is_some_and(is_there)) {
            (None, true) if address.doing.is_none() => {
                address.hold(now);
                address.blocked = None;
                if !owned && address.wish.presence != Presence::Absent {
                    self.events.push_back(Event::VipFound { vip: key.clone() });
                }
            }
            (Some(since), false) if address.doing != Some(Doing::Removing) => {
                address.lose(since, now);
                let reason = obstacle(key, link).unwrap_or_else(|| "somebody removed it".into());
                self.events.push_back(Event::VipLost { vip: key.clone(), reason });
            }
            // Neighbours and switches behind a link that came back learnt something else.
            (Some(_), true) if link.is_some_and(|link| link.up && is_new(link, old)) => {
                address.telling = Telling::start(&address.wish.announce, now);
            }
            _ => {}
        }
    }

    /// Takes in who answered for the addresses asked for.
    pub fn handle_answers(
        &mut self,
        asked: &[Target],
        answers: Result<Vec<(VipKey, Mac)>, KernelError>,
        now: Time,
    ) {
        self.busy = false;
        let answers = match answers {
            Ok(answers) => {
                self.mute = None;
                answers
            }
            // Better an address nobody was asked for than none.
            Err(error) => {
                tell_once(&mut self.mute, &mut self.events, error.message);
                Vec::new()
            }
        };
        let links = self.links.iter().flat_map(|links| links.0.values());
        // Another interface of ours on the same wire may answer as well.
        let own: BTreeSet<Mac> = links.filter_map(|link| link.mac).collect();
        for target in asked {
            let of_others = |(vip, mac): &&(VipKey, Mac)| *vip == target.vip && !own.contains(mac);
            let other = answers.iter().find(of_others).map(|(_, mac)| *mac);
            self.answered(&target.vip, other, now);
        }
        self.turn(now);
    }

    fn answered(&mut self, key: &VipKey, other: Option<Mac>, now: Time) {
        let Some(address) = self.addresses.get_mut(key) else { return };
        if address.held.is_none() {
            if address.wish.presence != Presence::Present {
                return;
            }
            address.answer = other.map_or(Answer::Free, Answer::Taken);
            address.not_before = if other.is_some() { now + ASK_AGAIN } else { now };
            return;
        }
        address.confirm_at = now + if other.is_some() { CONFIRM_CONTESTED } else { CONFIRM_HELD };
        match (address.contested, other) {
            (None, Some(by)) => {
                // RFC 5227, 2.4 (c): who is to keep the address says so once in a while.
                address.telling = Telling::start(&address.wish.announce, now);
                self.events.push_back(Event::VipContested { vip: key.clone(), by });
            }
            (Some(_), None) => {
                self.events.push_back(Event::VipUncontested { vip: key.clone() });
            }
            _ => {}
        }
        address.contested = other;
    }

    /// Takes in how adding went: the failures, by their place among `targets`.
    pub fn handle_added(
        &mut self,
        targets: &[Target],
        failures: &[(usize, KernelError)],
        now: Time,
    ) {
        self.busy = false;
        let failures: BTreeMap<usize, &KernelError> =
            failures.iter().map(|(at, error)| (*at, error)).collect();
        for (at, target) in targets.iter().enumerate() {
            let Some(address) = self.addresses.get_mut(&target.vip) else { continue };
            if address.doing != Some(Doing::Adding) {
                continue;
            }
            address.doing = None;
            address.answer = Answer::None;
            match failures.get(&at) {
                None => {
                    address.hold(now);
                    address.blocked = None;
                    note_presence(self.links.as_mut(), target, true);
                    self.events.push_back(Event::VipAdded { vip: target.vip.clone() });
                }
                // Somebody was faster: it is theirs. A look finds it.
                Some(error) if error.kind == KernelErrorKind::Conflict => {
                    self.disowned |= self.owned.remove(&target.vip);
                    self.look_at = Some(now);
                    address.back_off(now);
                }
                Some(error) => {
                    address.back_off(now);
                    let reason = error.message.clone();
                    block(address, &target.vip, reason, &mut self.events);
                }
            }
        }
        self.turn(now);
    }

    /// Takes in how removing went.
    pub fn handle_removed(
        &mut self,
        targets: &[Target],
        failures: &[(usize, KernelError)],
        now: Time,
    ) {
        let failures: BTreeMap<usize, &KernelError> =
            failures.iter().map(|(at, error)| (*at, error)).collect();
        for (at, target) in targets.iter().enumerate() {
            let Some(address) = self.addresses.get_mut(&target.vip) else { continue };
            address.doing = None;
            match failures.get(&at).filter(|error| error.kind != KernelErrorKind::Conflict) {
                // Done, or gone already.
                None => {
                    let was_held = address.held.take().is_some();
                    address.contested = None;
                    note_presence(self.links.as_mut(), target, false);
                    if was_held {
                        self.events.push_back(Event::VipRemoved { vip: target.vip.clone() });
                    }
                }
                Some(error) => {
                    address.back_off(now);
                    let what = error.message.clone();
                    self.events.push_back(Event::Trouble { what });
                }
            }
        }
        self.turn(now);
    }

    /// Takes in how announcing went.
    pub fn handle_announced(&mut self, outcome: Result<(), KernelError>, now: Time) {
        self.busy = false;
        match outcome {
            Ok(()) => self.mute = None,
            Err(error) => tell_once(&mut self.mute, &mut self.events, error.message),
        }
        self.turn(now);
    }

    /// What was to be noted could not be written. It is tried again after a while.
    pub fn handle_notes_lost(&mut self, now: Time) {
        if !self.owned.is_empty() {
            self.note_at = Some(now + NOTE_AGAIN);
            self.next = self.next_time();
        }
    }

    /// A deadline from [`Addresses::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Time) {
        self.turn(now);
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`Addresses::handle_timeout`] is to be called, if nothing happens before.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.next
    }

    /// Whether no address of ours is left that is not wanted.
    pub fn is_released(&self) -> bool {
        let waits = |(key, address): (&VipKey, &Address)| {
            address.wish.presence == Presence::Absent
                && self.owned.contains(key)
                && (address.held.is_some() || address.doing.is_some())
        };
        !self.addresses.iter().any(waits)
    }

    /// Every address that a service has, or that is ours.
    pub fn view(&self) -> Vec<VipView> {
        let view = |(key, address): (&VipKey, &Address)| VipView {
            address: format!("{}/{}", key.address, key.prefix),
            interface: key.interface.to_string(),
            held: address.held.is_some(),
            wanted: address.wish.presence == Presence::Present,
            ours: self.owned.contains(key),
            reason: address.reason(self.mute.as_deref()).or_else(|| {
                let links = self.links.as_ref().filter(|_| address.held.is_some())?;
                obstacle(key, links.0.get(&key.interface))
            }),
        };
        self.addresses.iter().map(view).collect()
    }

    /// Does the most urgent thing that is due, if nothing is under way; removals whatever is.
    fn turn(&mut self, now: Time) {
        self.disown();
        self.explain();
        if self.note_at.is_some_and(|at| at <= now) {
            self.note_owned();
        }
        let mut due: BTreeMap<Deed, Vec<VipKey>> = BTreeMap::new();
        for (key, address) in &self.addresses {
            if let Some((_, deed)) = self.next_deed(key, address).filter(|(at, _)| *at <= now) {
                due.entry(deed).or_default().push(key.clone());
            }
        }
        if let Some(keys) = due.remove(&Deed::Remove) {
            let targets = self.begin(&keys, Some(Doing::Removing));
            self.actions.push_back(Action::Remove(targets));
        }
        if !self.busy {
            self.busy = self.begin_next(due, now);
        }
        self.next = self.next_time();
    }

    /// Whether something was begun.
    fn begin_next(&mut self, mut due: BTreeMap<Deed, Vec<VipKey>>, now: Time) -> bool {
        let action = if self.look_at.is_some_and(|at| at <= now) {
            self.look_at = None;
            let interfaces: BTreeSet<_> = self.addresses.keys().map(|key| &key.interface).collect();
            Action::Look(interfaces.into_iter().cloned().collect())
        } else if let Some(keys) = due.remove(&Deed::Add) {
            let before = self.owned.len();
            self.owned.extend(keys.iter().cloned());
            if self.owned.len() > before {
                self.note_owned();
            }
            Action::Add(self.begin(&keys, Some(Doing::Adding)))
        } else if let Some(keys) = due.remove(&Deed::Announce) {
            Action::Announce(self.announce(keys, now))
        } else if let Some(mut keys) = due.remove(&Deed::Ask) {
            keys.truncate(ASK_BATCH);
            Action::Ask(self.begin(&keys, None))
        } else {
            return false;
        };
        self.actions.push_back(action);
        true
    }

    /// What comes next for an address, and when.
    fn next_deed(&self, key: &VipKey, address: &Address) -> Option<(Time, Deed)> {
        let link = self.links.as_ref()?.0.get(&key.interface)?;
        if address.wish.presence == Presence::Absent {
            let there = address.held.is_some() || address.doing == Some(Doing::Adding);
            let ours = self.owned.contains(key) && address.doing != Some(Doing::Removing);
            return (there && ours).then_some((address.not_before, Deed::Remove));
        }
        if !link.up || address.doing.is_some() {
            return None;
        }
        if address.held.is_none() {
            let known = address.answer == Answer::Free || link.mac.is_none();
            let deed = if known { Deed::Add } else { Deed::Ask };
            return (address.wish.presence == Presence::Present)
                .then_some((address.not_before, deed));
        }
        link.mac?;
        let announce = address.telling.next().map(|at| (at.max(self.quiet_until), Deed::Announce));
        [announce, Some((address.confirm_at, Deed::Ask))].into_iter().flatten().min()
    }

    fn next_time(&self) -> Option<Time> {
        let deeds = self.addresses.iter().filter_map(|(key, a)| self.next_deed(key, a));
        let possible = deeds.filter(|(_, deed)| !self.busy || *deed == Deed::Remove);
        let look = self.look_at.filter(|_| !self.busy);
        possible.map(|(at, _)| at).chain(look).chain(self.note_at).min()
    }

    /// The targets for these addresses, which are then being dealt with.
    fn begin(&mut self, keys: &[VipKey], doing: Option<Doing>) -> Vec<Target> {
        let mut targets = Vec::with_capacity(keys.len());
        for key in keys {
            let link = self.links.as_ref().and_then(|links| links.0.get(&key.interface));
            let (Some(link), Some(address)) = (link, self.addresses.get_mut(key)) else { continue };
            address.doing = doing.or(address.doing);
            targets.push(Target { vip: key.clone(), index: link.index, mac: link.mac });
        }
        targets
    }

    /// One burst of announcements: every address once before any of them twice.
    fn announce(&mut self, mut keys: Vec<VipKey>, now: Time) -> Vec<Target> {
        keys.sort_by_key(|key| Reverse(self.addresses.get(key).map_or(0, |a| a.telling.left())));
        let mut told = Vec::new();
        while !keys.is_empty() && told.len() < BURST {
            keys.truncate(BURST - told.len());
            for key in &keys {
                if let Some(address) = self.addresses.get_mut(key) {
                    address.telling.sent(&address.wish.announce, now);
                }
            }
            told.extend(keys.iter().cloned());
            let is_due = |at: Time| at <= now;
            keys.retain(|key| {
                self.addresses.get(key).and_then(|a| a.telling.next()).is_some_and(is_due)
            });
        }
        self.quiet_until = now + BURST_PACE;
        self.begin(&told, None)
    }

    /// What is neither wanted nor there is no longer ours.
    fn disown(&mut self) {
        let Some(links) = &self.links else { return };
        let (addresses, before) = (&self.addresses, self.owned.len());
        self.owned.retain(|key| {
            let Some(address) = addresses.get(key) else { return false };
            // Where its interface is gone, so is the address.
            let there = address.held.is_some() && links.0.contains_key(&key.interface);
            address.wish.presence != Presence::Absent || there || address.doing.is_some()
        });
        if std::mem::take(&mut self.disowned) || self.owned.len() != before {
            self.note_owned();
        }
    }

    fn note_owned(&mut self) {
        self.note_at = None;
        self.actions.push_back(Action::Own(self.owned.iter().cloned().collect()));
    }

    /// Tells why what is wanted is not there, where that is known before anything is tried.
    fn explain(&mut self) {
        let Some(links) = &self.links else { return };
        for (key, address) in &mut self.addresses {
            if address.wish.presence != Presence::Present || address.held.is_some() {
                continue;
            }
            let taken = match address.answer {
                Answer::Taken(by) => Some(format!("{by} answers for it: another host holds it")),
                Answer::None | Answer::Free => None,
            };
            if let Some(reason) = obstacle(key, links.0.get(&key.interface)).or(taken) {
                block(address, key, reason, &mut self.events);
            }
        }
    }
}

impl Wish {
    /// Of an address that no service has.
    fn gone(presence: Presence) -> Wish {
        Wish { presence, announce: Announce::default() }
    }
}

impl Address {
    fn new(wish: Wish) -> Address {
        Address {
            wish,
            answer: Answer::None,
            doing: None,
            held: None,
            not_before: Time::ZERO,
            backoff: Duration::ZERO,
            telling: Telling::default(),
            confirm_at: Time::ZERO,
            blocked: None,
            contested: None,
        }
    }

    fn hold(&mut self, now: Time) {
        self.held = Some(now);
        self.not_before = now;
        self.telling = Telling::start(&self.wish.announce, now);
        self.confirm_at = now + CONFIRM;
    }

    fn lose(&mut self, since: Time, now: Time) {
        self.held = None;
        self.answer = Answer::None;
        self.contested = None;
        self.telling = Telling::default();
        // Somebody who removes it as often as we add it is not to be outrun.
        match now.since(since) >= HELD_WELL {
            true => self.backoff = Duration::ZERO,
            false => self.back_off(now),
        }
    }

    fn back_off(&mut self, now: Time) {
        self.backoff = (self.backoff * 2).clamp(BACKOFF.0, BACKOFF.1);
        self.not_before = now + self.backoff;
    }

    fn reason(&self, mute: Option<&str>) -> Option<String> {
        let contested = || self.contested.map(|by| format!("{by} answers for it as well"));
        let mute = || mute.filter(|_| self.held.is_some()).map(str::to_owned);
        self.blocked.clone().or_else(contested).or_else(mute)
    }
}

/// What is in the way of an address on this link.
fn obstacle(key: &VipKey, link: Option<&Link>) -> Option<String> {
    match link {
        None => Some(format!("there is no interface {}", key.interface)),
        Some(link) if !link.up => {
            Some(format!("interface {} is down, or has no carrier", key.interface))
        }
        Some(_) => None,
    }
}

/// Whether what was learnt behind a link may be out of date.
fn is_new(link: &Link, old: Option<&Link>) -> bool {
    old.is_none_or(|old| !old.up || old.mac != link.mac || old.index != link.index)
}

/// What was written is known before it is read.
fn note_presence(links: Option<&mut Links>, target: &Target, there: bool) {
    let link = links.and_then(|links| links.0.get_mut(&target.vip.interface));
    let Some(link) = link.filter(|link| link.index == target.index) else { return };
    let place = (target.vip.address, target.vip.prefix);
    match there {
        true => drop(link.addresses.insert(place, 0)),
        false => drop(link.addresses.remove(&place)),
    }
}

fn block(address: &mut Address, key: &VipKey, reason: String, events: &mut VecDeque<Event>) {
    if address.blocked.as_ref() != Some(&reason) {
        events.push_back(Event::VipBlocked { vip: key.clone(), reason: reason.clone() });
        address.blocked = Some(reason);
    }
}

fn tell_once(told: &mut Option<String>, events: &mut VecDeque<Event>, what: String) {
    if told.as_ref() != Some(&what) {
        events.push_back(Event::Trouble { what: what.clone() });
        *told = Some(what);
    }
}
