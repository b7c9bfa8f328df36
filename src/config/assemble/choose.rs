//! Which version of each file: no two may claim one service.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::entry::{Conflict, Entry, Version, error};
use crate::config::Place;
use crate::model::ServiceKey;

/// The version of each entry to put in force, in the same order. Where files claim one service,
/// those with a claim they did not have before give way; among several of those, the later in
/// order. Giving way is noted in the entry.
///
/// Giving way brings back an older version with older claims, which may stand in the way of a
/// third file; so it goes on until nobody has to give way. Every round takes a version from some
/// file, and a file has two at most.
///
/// `agreed`: no two of the versions in force claim one service, which is so once there was an
/// update; before, they come from an earlier run and may be of different times.
pub(super) fn choose(entries: &mut [Entry], agreed: bool) -> Vec<Option<Arc<Version>>> {
    let mut chosen: Vec<Option<Arc<Version>>> = entries.iter().map(Entry::best).collect();
    loop {
        let losers = losers(entries, &chosen, agreed);
        if losers.is_empty() {
            return chosen;
        }
        for Loser { at, key, to } in losers {
            let (Some(version), Some(winner)) = (chosen[at].take(), &chosen[to]) else { continue };
            if entries[at].is_newest(&version) {
                let conflict = conflict(&version, winner, &key, &entries[at], &entries[to]);
                let older = entries[at].in_force.clone();
                chosen[at] = older.filter(|older| !Arc::ptr_eq(older, &version));
                entries[at].conflict = Some(conflict);
            }
        }
    }
}

/// The entry at `at` wants a service that the one at `to` keeps.
struct Loser {
    at: usize,
    key: ServiceKey,
    to: usize,
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
    let contested = |version: &Version| !agreed || version.keys().any(|key| claims.contains(&key));
    let settled = settled.into_iter().filter(|(_, version)| contested(version));
    let mut owners: HashMap<ServiceKey, usize> = HashMap::new();
    let mut losers = Vec::new();
    for (at, version) in settled.chain(claiming) {
        let taken = version.keys().find_map(|key| Some((key, *owners.get(&key)?)));
        match taken {
            Some((key, to)) => losers.push(Loser { at, key, to }),
            None => owners.extend(version.keys().map(|key| (key, at))),
        }
    }
    losers
}

fn claims_nothing_new(entry: &Entry, version: &Arc<Version>) -> bool {
    entry.in_force.as_ref().is_some_and(|in_force| {
        Arc::ptr_eq(in_force, version) || {
            let before: HashSet<ServiceKey> = in_force.keys().collect();
            version.keys().all(|key| before.contains(&key))
        }
    })
}

fn conflict(
    loser: &Version,
    winner: &Version,
    key: &ServiceKey,
    loser_entry: &Entry,
    winner_entry: &Entry,
) -> Conflict {
    let place_in = |version: &Version, entry: &Entry| {
        let start = Place { file: entry.path.clone(), span: 0..0 };
        version.place_of(key).cloned().unwrap_or(start)
    };
    let other = &winner_entry.path;
    let line = winner.line_of(key);
    let message = format!("{key} is already declared in {}:{line}", other.display());
    let hint = "one virtual service belongs to one file";
    let mut diagnostic = error(place_in(loser, loser_entry), message, Some(hint));
    diagnostic.related.push((place_in(winner, winner_entry), "declared here".to_owned()));
    Conflict { diagnostic, other: Some((other.clone(), winner.text.clone())) }
}
