//! Joining the files into one [`Desired`], each file a transaction of its own.
//!
//! ```text
//!              parsed, whole, claims nothing of others
//!   newest  ------------------------------------------->  in force
//!      |                                                      ^
//!      +-- mistakes, empty, cut short, conflict, unreadable --+  the last good version stays
//! ```
//!
//! A [`Store`] takes one [`Reading`] after the other. For each file it holds the newest text and
//! the version in force; a file whose newest text is rejected keeps the version in force until a
//! better text comes. Only a file that is gone from a folder that is there takes its services
//! with it, and too many of those at once wait for the operator's word ([`Held`]); so does any that
//! is missing in a folder that was itself away.
//!
//! Everything here is pure. The texts of an earlier run come in as [`Store::new`]'s history.

mod choose;
mod doubt;
mod entry;
mod inspect;
mod report;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Defaults, Dialect, FileRead, Names, Parsed, Reading, Source, Unreadable};
use crate::model::{Change, Desired, FileState, FileView, Origin, ServiceKey, Settings};

use entry::{Entry, Specs, Version};
pub use report::{Report, ReportKind};

/// Texts that were in force in an earlier run, by path.
pub type History = HashMap<PathBuf, Arc<str>>;

/// What the caller wants of one [`Store::update`] beyond the ordinary.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Ask {
    /// The operator's word: apply even what removes many services.
    pub confirm: bool,
    /// Read files that use host names again even if they did not change: the answer may have.
    pub resolve: bool,
}

/// The files and what is in force of each.
#[derive(Clone, Debug)]
pub struct Store {
    parse: Parser,
    /// In the order of the last reading.
    entries: Vec<Entry>,
    unreadable: Vec<Unreadable>,
    /// Only until the first update, which moves what it needs.
    history: History,
    in_force: Option<Arc<Desired>>,
    /// For folders without a `global.yaml`: one, so that comparing it is comparing pointers.
    no_defaults: Arc<Defaults>,
    specs: Specs,
}

type Parser = fn(&Source, &Defaults, &dyn Names) -> Parsed;

/// What came of one reading.
#[derive(Clone, PartialEq, Debug)]
pub struct Update {
    pub outcome: Outcome,
    /// What to tell, once: mistakes of texts not seen before, and which files recovered.
    pub reports: Vec<Report>,
    /// Files of which another text is in force now, or with `None` nothing any more: to be kept
    /// for the next run.
    pub texts: Vec<(Arc<PathBuf>, Option<Arc<str>>)>,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Outcome {
    /// This is in force now.
    Applied { desired: Arc<Desired>, change: Change },
    /// Nothing of it is: too much would go.
    Held(Held),
}

/// An update that waits for the operator's word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Held {
    /// Services that would go.
    pub removed: usize,
    /// Services in force.
    pub total: usize,
    /// The share in percent that may go without asking.
    pub limit: u8,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Held { removed, total, limit } = self;
        write!(
            f,
            "the reload would remove {removed} of {total} services, more than {limit} %: to apply \
             it, run directord reload --confirm"
        )
    }
}

impl Store {
    /// A store with nothing in force. `history` are last good texts of an earlier run, for files
    /// that turn out to be broken now.
    pub fn new(history: History) -> Store {
        Store::with_parser(super::parse, history)
    }

    fn with_parser(parse: Parser, history: History) -> Store {
        Store {
            parse,
            entries: Vec::new(),
            unreadable: Vec::new(),
            history,
            in_force: None,
            no_defaults: Arc::default(),
            specs: Specs::default(),
        }
    }

    /// Takes a reading. Files whose text did not change are not parsed again.
    pub fn update(&mut self, reading: &Reading, names: &dyn Names, ask: Ask) -> Update {
        let doubted = if ask.confirm { None } else { self.doubted(reading, names) };
        let reading = doubted.as_ref().unwrap_or(reading);
        let mut reports = Vec::new();
        self.take_unreadable(reading, &mut reports);
        self.take_files(reading);
        self.parse_files(names, ask);
        let chosen = choose::choose(&mut self.entries, self.in_force.is_some());
        report::collect(&mut self.entries, &chosen, &mut reports);

        let (desired, change) = self.join(&chosen);
        if let Some(held) = self.must_wait(&desired, &change).filter(|_| !ask.confirm) {
            return Update { outcome: Outcome::Held(held), reports, texts: Vec::new() };
        }
        let texts = self.commit(chosen);
        self.in_force = Some(desired.clone());
        self.specs.tidy();
        Update { outcome: Outcome::Applied { desired, change }, reports, texts }
    }

    /// Every file, for `status`. Paths that could not be looked into come last.
    pub fn files(&self) -> Vec<Arc<FileView>> {
        let unreadable = self.unreadable.iter().map(|unreadable| {
            let kept = self.entries.iter().any(|entry| entry.is_under(&unreadable.path));
            Arc::new(FileView {
                path: unreadable.path.display().to_string(),
                state: if kept { FileState::LastGood } else { FileState::Rejected },
                services: 0,
                error: Some(unreadable.error.to_string()),
                rejected: 0,
            })
        });
        self.entries.iter().map(Entry::view).chain(unreadable).collect()
    }

    fn take_unreadable(&mut self, reading: &Reading, reports: &mut Vec<Report>) {
        let news = reading.unreadable.iter().filter(|u| !self.unreadable.contains(u));
        reports.extend(news.map(Report::unreadable));
        self.unreadable.clone_from(&reading.unreadable);
    }

    /// Makes the entries those of the reading, plus those nothing is known of, plus those that
    /// are gone; the latter until the update is applied.
    fn take_files(&mut self, reading: &Reading) {
        let same = |(entry, file): &(&mut Entry, &FileRead)| same_path(&entry.path, &file.path);
        let files = &reading.files;
        // One file that comes or goes among 10,000 moves none of those before and after it.
        let head = self.entries.iter_mut().zip(files).take_while(same);
        let head = head.map(|(entry, file)| entry.take(file)).count();
        let rest = (&mut self.entries[head..], &files[head..]);
        let tail = rest.0.iter_mut().rev().zip(rest.1.iter().rev()).take_while(same);
        let tail = tail.map(|(entry, file)| entry.take(file)).count();

        let history = std::mem::take(&mut self.history);
        let (end, new_end) = (self.entries.len() - tail, files.len() - tail);
        let old: Vec<Entry> = self.entries.splice(head..end, []).collect();
        let paths: Vec<Arc<PathBuf>> = old.iter().map(|entry| entry.path.clone()).collect();
        let mut known: HashMap<&OsStr, Entry> =
            paths.iter().map(|p| p.as_os_str()).zip(old).collect();
        let entries: Vec<Entry> = files[head..new_end]
            .iter()
            .map(|file| {
                let before = known.remove(file.path.as_os_str());
                let last_good = history.get(&*file.path);
                let mut entry = before.unwrap_or_else(|| Entry::new(file, last_good));
                entry.take(file);
                entry
            })
            .collect();
        self.entries.splice(head..head, entries);
        for path in &paths {
            let Some(entry) = known.remove(path.as_os_str()) else { continue };
            let unknown = reading.unreadable.iter().any(|u| entry.is_under(&u.path));
            self.entries.push(if unknown { entry } else { entry.gone() });
        }
        let mut remembered: Vec<_> = history.iter().collect();
        remembered.sort();
        for (path, text) in remembered {
            let unknown = reading.unreadable.iter().any(|u| entry::is_under(path, &u.path));
            // Another configured path may lead to it all the same.
            if unknown && files.iter().all(|file| *file.path != *path) {
                self.entries.push(Entry::remembered(path, text));
            }
        }
    }

    /// Parses what changed; `global.yaml` first, for the others stand on it.
    fn parse_files(&mut self, names: &dyn Names, ask: Ask) {
        let nothing = self.no_defaults.clone();
        let mut of_folder: BTreeMap<PathBuf, Arc<PathBuf>> = BTreeMap::new();
        let mut globals: Vec<&mut Entry> =
            self.entries.iter_mut().filter(|e| e.dialect == Dialect::Global).collect();
        // Of a `global.yaml` and a `global.yml`, the one that is in force speaks.
        globals.sort_by_key(|entry| entry.in_force.is_none());
        let mut defaults: BTreeMap<PathBuf, Arc<Defaults>> = BTreeMap::new();
        for entry in globals {
            entry.parse(self.parse, &nothing, names, &mut self.specs, ask);
            let Some(found) = entry.defaults() else { continue };
            let folder = entry.folder().to_owned();
            match of_folder.get(&folder) {
                Some(other) => entry.give_way(other),
                None => {
                    of_folder.insert(folder.clone(), entry.path.clone());
                    defaults.insert(folder, found);
                }
            }
        }
        for entry in self.entries.iter_mut().filter(|e| e.dialect != Dialect::Global) {
            let found = match entry.dialect {
                Dialect::Yaml if !defaults.is_empty() => defaults.get(entry.folder()),
                _ => None,
            };
            entry.parse(self.parse, found.unwrap_or(&nothing), names, &mut self.specs, ask);
        }
    }

    /// The chosen versions as one configuration, and how it differs from the one in force.
    fn join(&self, chosen: &[Option<Arc<Version>>]) -> (Arc<Desired>, Change) {
        let before = self.in_force.clone().unwrap_or_default();
        let replaced: Vec<(&Entry, Option<&Version>)> = self
            .entries
            .iter()
            .zip(chosen)
            .filter(|(entry, version)| self.in_force.is_none() || entry.replaces(version.as_ref()))
            .map(|(entry, version)| (entry, version.as_deref()))
            .collect();
        if replaced.is_empty() && self.in_force.is_some() {
            return (before, Change::default());
        }
        let mut desired = Desired::clone(&before);
        for (entry, _) in &replaced {
            for key in entry.in_force.iter().flat_map(|version| version.keys()) {
                desired.services.remove(&key);
                desired.origins.remove(&key);
                desired.alerts.remove(&key);
                desired.watches.remove(&key);
            }
            desired.heads.remove(&entry.path);
            desired.mon.remove(&entry.path);
            desired.watched.remove(&entry.path);
        }
        for (entry, version) in &replaced {
            let Some(version) = version else { continue };
            for (declared, line) in version.services.iter().zip(&version.lines) {
                let key = declared.service.key;
                desired.services.insert(key, declared.service.clone());
                desired.origins.insert(key, Origin { file: entry.path.clone(), line: *line });
                desired.alerts.extend(declared.alerts.clone().map(|alerts| (key, alerts)));
                desired.watches.extend(declared.watch.clone().map(|watch| (key, watch)));
            }
            desired.heads.extend(version.head.clone().map(|head| (entry.path.clone(), head)));
            desired.mon.extend(version.mon.clone().map(|mon| (entry.path.clone(), mon)));
            let watched = version.watching.clone();
            desired.watched.extend(watched.map(|watched| (entry.path.clone(), watched)));
        }
        let settings = chosen.iter().flatten().find_map(|version| version.settings.clone());
        desired.settings = settings.unwrap_or_default();
        let change = between(&before, &desired, &replaced);
        (Arc::new(desired), change)
    }

    fn must_wait(&self, desired: &Desired, change: &Change) -> Option<Held> {
        let total = self.in_force.as_ref()?.services.len();
        let Settings { remove_limit: limit, .. } = desired.settings;
        let removed = change.removed.len();
        (removed * 100 > usize::from(limit) * total).then_some(Held { removed, total, limit })
    }

    /// Puts these versions in force; returns the texts that are in force anew. The first time
    /// those are all of them, also those that an earlier run kept.
    fn commit(
        &mut self,
        chosen: Vec<Option<Arc<Version>>>,
    ) -> Vec<(Arc<PathBuf>, Option<Arc<str>>)> {
        let first = self.in_force.is_none();
        let mut texts = Vec::new();
        for (entry, version) in self.entries.iter_mut().zip(chosen) {
            if first || entry.replaces(version.as_ref()) {
                let text = version.as_ref().map(|version| version.text.clone());
                texts.push((entry.path.clone(), text));
                entry.put_in_force(version);
            }
        }
        if self.entries.iter().any(Entry::is_gone) {
            self.entries.retain(|entry| !entry.is_gone());
        }
        texts
    }
}

/// Every mistake in these files, with nothing remembered: for `directord check`.
pub fn check(reading: &Reading, names: &dyn Names) -> (Arc<Desired>, Vec<Report>) {
    let mut store = Store::new(History::new());
    let mut update = store.update(reading, names, Ask::default());
    update.reports.extend(report::disagreements(&store.entries));
    (store.in_force.unwrap_or_default(), update.reports)
}

/// Whether these are one path; most often they are one piece of memory.
fn same_path(one: &Arc<PathBuf>, other: &Arc<PathBuf>) -> bool {
    Arc::ptr_eq(one, other) || one == other
}

/// Only what the replaced versions declared and declare can differ.
fn between(before: &Desired, after: &Desired, replaced: &[(&Entry, Option<&Version>)]) -> Change {
    let versions = replaced.iter().flat_map(|(entry, new)| [entry.in_force.as_deref(), *new]);
    let keys: BTreeSet<ServiceKey> = versions.flatten().flat_map(Version::keys).collect();
    let paths = replaced.iter().map(|(entry, _)| entry.path.clone()).collect();
    Change::at(&keys, &paths, before, after)
}
