//! Which version of each file: no two may claim one service, or announce one address differently.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::entry::{Conflict, Entry, Version, error};
use super::inspect;
use crate::config::{Lines, Place};
use crate::model::{Announce, ServiceKey, VipKey};

/// The version of each entry to put in force, in the same order. Where claims of files collide,
/// those with a claim they did not have before give way; among several of those, the later in
/// order. Giving way is noted in the entry.
///
/// Giving way brings back an older version with older claims, which may stand in the way of a
/// third file; so it goes on until nobody has to give way. Every round takes a version from some
/// file, and a file has two at most.
///
/// `agreed`: no claims of the versions in force collide, which is so once there was an
/// update; before, they come from an earlier run and may be of different times.
pub(super) fn choose(entries: &mut [Entry], agreed: bool) -> Vec<Option<Arc<Version>>> {
    let mut chosen: Vec<Option<Arc<Version>>> = entries.iter().map(Entry::best).collect();
    loop {
        let losers = losers(entries, &chosen, agreed);
        if losers.is_empty() {
            return chosen;
        }
        for Loser { at, clash, to } in losers {
            let (Some(version), Some(winner)) = (chosen[at].take(), &chosen[to]) else { continue };
            if entries[at].is_newest(&version) {
                let conflict = conflict(&version, winner, &clash, &entries[at], &entries[to]);
                let older = entries[at].in_force.clone();
                chosen[at] = older.filter(|older| !Arc::ptr_eq(older, &version));
                entries[at].conflict = Some(conflict);
            }
        }
    }
}

/// The entry at `at` wants what the one at `to` keeps.
struct Loser {
    at: usize,
    clash: Clash,
    to: usize,
}

/// What two files cannot both have.
enum Clash {
    /// A service.
    Service(ServiceKey),
    /// Their own way of announcing this address.
    Announce(VipKey),
}

fn losers(entries: &[Entry], chosen: &[Option<Arc<Version>>], agreed: bool) -> Vec<Loser> {
    let versions = || chosen.iter().enumerate().filter_map(|(at, v)| Some((at, v.as_ref()?)));
    let (settled, claiming): (Vec<_>, Vec<_>) =
        versions().partition(|(at, version)| claims_nothing_new(&entries[*at], version));
    if agreed && claiming.is_empty() {
        return Vec::new();
    }
    // Those who claim nothing new agree with one another: of 10,000 files the one that was added
    // is to be compared, not all. Its claims are few, so that looking them up by order costs less
    // than hashing 10,000 keys.
    let claims: BTreeSet<ServiceKey> = claiming.iter().flat_map(|(_, v)| v.keys()).collect();
    let vips: BTreeSet<&VipKey> =
        claiming.iter().flat_map(|(_, v)| v.vips()).map(|vip| &vip.key).collect();
    let contested = |version: &Version| {
        !agreed
            || version.keys().any(|key| claims.contains(&key))
            || version.vips().any(|vip| vips.contains(&vip.key))
    };
    let settled = settled.into_iter().filter(|(_, version)| contested(version));
    let mut owners = Owners::default();
    let mut losers = Vec::new();
    for (at, version) in settled.chain(claiming) {
        match owners.clash(version) {
            Some((clash, to)) => losers.push(Loser { at, clash, to }),
            None => owners.add(at, version),
        }
    }
    losers
}

/// Who has what, by the places of their entries.
#[derive(Default)]
struct Owners<'a> {
    services: HashMap<ServiceKey, usize>,
    /// Several may have an address: the first of them.
    vips: HashMap<&'a VipKey, (Announce, usize)>,
}

impl<'a> Owners<'a> {
    fn clash(&self, version: &Version) -> Option<(Clash, usize)> {
        let service = |key| Some((Clash::Service(key), *self.services.get(&key)?));
        version.keys().find_map(service).or_else(|| {
            version.vips().find_map(|vip| {
                let (announce, to) = self.vips.get(&vip.key)?;
                (*announce != vip.announce).then(|| (Clash::Announce(vip.key.clone()), *to))
            })
        })
    }

    fn add(&mut self, at: usize, version: &'a Version) {
        self.services.extend(version.keys().map(|key| (key, at)));
        for vip in version.vips() {
            self.vips.entry(&vip.key).or_insert((vip.announce, at));
        }
    }
}

fn claims_nothing_new(entry: &Entry, version: &Arc<Version>) -> bool {
    entry.in_force.as_ref().is_some_and(|in_force| {
        Arc::ptr_eq(in_force, version) || {
            let before: HashSet<ServiceKey> = in_force.keys().collect();
            let told = |version| Version::vips(version).map(|vip| (&vip.key, vip.announce));
            let announced: HashSet<_> = told(in_force).collect();
            version.keys().all(|key| before.contains(&key))
                && told(version).all(|vip| announced.contains(&vip))
        }
    })
}

fn conflict(
    loser: &Version,
    winner: &Version,
    clash: &Clash,
    loser_entry: &Entry,
    winner_entry: &Entry,
) -> Conflict {
    let place_in = |version: &Version, entry: &Entry| {
        let place = match clash {
            Clash::Service(key) => version.place_of(key),
            Clash::Announce(key) => version.place_of_vip(key),
        };
        place.cloned().unwrap_or(Place { file: entry.path.clone(), span: 0..0 })
    };
    let there = place_in(winner, winner_entry);
    let line = Lines::of(&winner.text).line(there.span.start);
    let other = format!("{}:{line}", winner_entry.path.display());
    let (message, hint, label) = match clash {
        Clash::Service(key) => (
            format!("{key} is already declared in {other}"),
            "one virtual service belongs to one file",
            "declared here",
        ),
        Clash::Announce(key) => (
            format!("{key} is announced in another way in {other}"),
            inspect::ANNOUNCE_ALIKE,
            "announced here",
        ),
    };
    let mut diagnostic = error(place_in(loser, loser_entry), message, Some(hint));
    diagnostic.related.push((there, label.to_owned()));
    let other = Some((winner_entry.path.clone(), winner.text.clone()));
    Conflict { diagnostic, other }
}
