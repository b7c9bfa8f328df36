//! One file: what it says now, and what of it is in force.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Ask, Parser, inspect};
use crate::config::{
    Declared, Defaults, Diagnostic, Dialect, FileRead, MonMeans, Names, Place, Severity, Source,
};
use crate::model::{
    CheckSpec, Family, FileState, FileView, Head, MonFile, Protocol, ServiceKey, Settings,
    VirtualService, Watching,
};

/// A text without mistakes, and what it says.
#[derive(Debug)]
pub(super) struct Version {
    pub text: Arc<str>,
    pub services: Vec<Declared>,
    /// The line of each service, from 1.
    pub lines: Vec<u32>,
    pub settings: Option<Settings>,
    pub head: Option<Arc<Head>>,
    pub mon: Option<Arc<MonFile>>,
    pub watching: Option<Arc<Watching>>,
    defaults: Arc<Defaults>,
}

impl Version {
    pub fn keys(&self) -> impl Iterator<Item = ServiceKey> + '_ {
        self.services.iter().map(|declared| declared.service.key)
    }

    /// In which line, from 1.
    pub fn line_of(&self, key: &ServiceKey) -> u32 {
        let at = self.services.iter().position(|declared| declared.service.key == *key);
        at.and_then(|at| self.lines.get(at).copied()).unwrap_or(1)
    }

    /// Where the file claims this service.
    pub fn place_of(&self, key: &ServiceKey) -> Option<&Place> {
        self.services.iter().find(|d| d.service.key == *key).map(|d| &d.place)
    }
}

/// What the last look at a file found.
#[derive(Clone, PartialEq, Debug)]
enum Newest {
    Text(Arc<str>),
    Unreadable(Arc<str>),
    /// Its folder is there and it is not.
    Gone,
}

/// Why a version without mistakes of its own is not taken.
#[derive(Clone, Debug)]
pub(super) struct Conflict {
    pub diagnostic: Diagnostic,
    /// The file it conflicts with, and the text the diagnostic points into.
    pub other: Option<(Arc<PathBuf>, Arc<str>)>,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub path: Arc<PathBuf>,
    pub dialect: Dialect,
    newest: Newest,
    /// The newest text with these defaults has been parsed, and what came of it.
    parsed_with: Option<Arc<Defaults>>,
    parsed: Result<Arc<Version>, Vec<Diagnostic>>,
    /// Found anew at every update, for it goes away with what other files say.
    pub conflict: Option<Conflict>,
    /// Warnings and notes of the newest text that were not told yet.
    pub remarks: Vec<Diagnostic>,
    /// Whether the newest text names hosts, so that the same text may come to mean something else.
    asked_hosts: bool,
    /// The last good text of an earlier run, until it is parsed.
    history: Option<Arc<str>>,
    pub in_force: Option<Arc<Version>>,
    /// See [`Entry::set_error`].
    error: Option<String>,
    /// The digest of what was rejected last, so that it is told once.
    pub told: Option<u64>,
    pub rejected: u64,
    /// What `status` shows, until something about the file changes.
    view: OnceCell<Arc<FileView>>,
}

impl Entry {
    pub fn new(file: &FileRead, history: Option<&Arc<str>>) -> Entry {
        Entry {
            path: file.path.clone(),
            dialect: file.dialect,
            newest: Newest::Gone,
            parsed_with: None,
            parsed: Err(Vec::new()),
            conflict: None,
            remarks: Vec::new(),
            asked_hosts: false,
            history: history.cloned(),
            in_force: None,
            error: None,
            told: None,
            rejected: 0,
            view: OnceCell::new(),
        }
    }

    /// A file of a path that cannot be looked into, known from an earlier run only.
    pub fn remembered(path: &Path, text: &Arc<str>) -> Entry {
        let name = path.file_name().unwrap_or_default();
        let file = FileRead {
            path: Arc::new(path.to_owned()),
            dialect: Dialect::told(Dialect::of_file(name), text),
            text: Ok(text.clone()),
        };
        let mut entry = Entry::new(&file, Some(text));
        entry.take(&file);
        entry
    }

    /// What the file says now.
    pub fn take(&mut self, file: &FileRead) {
        let same = match (&self.newest, &file.text) {
            (Newest::Text(old), Ok(new)) => Arc::ptr_eq(old, new) || old == new,
            (Newest::Unreadable(old), Err(new)) => old == new,
            _ => false,
        };
        if same {
            return;
        }
        self.parsed_with = None;
        self.view.take();
        if file.text.is_ok() {
            self.dialect = file.dialect;
        }
        self.newest = match &file.text {
            Ok(text) => Newest::Text(text.clone()),
            Err(error) => Newest::Unreadable(error.clone()),
        };
    }

    pub fn gone(mut self) -> Entry {
        self.newest = Newest::Gone;
        // What was wrong with it is wrong no more.
        (self.error, self.told) = (None, None);
        self.view.take();
        self
    }

    pub fn is_gone(&self) -> bool {
        self.newest == Newest::Gone
    }

    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Whether this is the configured path, or a file in it.
    pub fn is_under(&self, root: &Path) -> bool {
        is_under(&self.path, root)
    }

    /// The text a place in the newest or in the kept version is about.
    pub fn text(&self) -> Option<&Arc<str>> {
        match &self.newest {
            Newest::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What this `global.yaml` sets for its folder.
    pub fn defaults(&self) -> Option<Arc<Defaults>> {
        if self.is_gone() {
            return None;
        }
        let version = self.parsed.as_ref().ok().or(self.in_force.as_ref())?;
        Some(version.defaults.clone())
    }

    /// Another `global.yaml` speaks for this folder.
    pub fn give_way(&mut self, other: &Arc<PathBuf>) {
        let message = format!("{} already sets the defaults of this folder", other.display());
        let diagnostic = error_at_start(&self.path, message, Some("keep one of the two"));
        self.conflict = Some(Conflict { diagnostic, other: None });
    }

    /// The version to put in force, other files aside.
    pub fn best(&self) -> Option<Arc<Version>> {
        if self.is_gone() || self.conflict.is_some() {
            return None;
        }
        self.parsed.as_ref().ok().or(self.in_force.as_ref()).cloned()
    }

    pub fn is_newest(&self, version: &Arc<Version>) -> bool {
        self.parsed.as_ref().is_ok_and(|newest| Arc::ptr_eq(newest, version))
    }

    pub fn put_in_force(&mut self, version: Option<Arc<Version>>) {
        self.in_force = version;
        self.view.take();
    }

    /// Why the newest text is not in force, rendered; `None` where it is, or there is no reason
    /// yet.
    pub fn set_error(&mut self, error: Option<String>) {
        if self.error != error {
            self.error = error;
            self.view.take();
        }
    }

    /// Whether this is another version than the one in force.
    pub fn replaces(&self, version: Option<&Arc<Version>>) -> bool {
        self.in_force.as_ref().map(Arc::as_ptr) != version.map(Arc::as_ptr)
    }

    /// Why the newest text is not taken, if it is not.
    pub fn rejection(&self) -> Option<Vec<Diagnostic>> {
        match (&self.parsed, &self.conflict) {
            (Err(diagnostics), _) => Some(diagnostics.clone()),
            (Ok(_), Some(conflict)) => Some(vec![conflict.diagnostic.clone()]),
            (Ok(_), None) => None,
        }
    }

    fn reject(&mut self, diagnostic: Diagnostic) {
        self.parsed = Err(vec![diagnostic]);
        self.remarks.clear();
    }

    /// Parses the newest text, unless that has been done.
    pub fn parse(
        &mut self,
        parse: Parser,
        defaults: &Arc<Defaults>,
        names: &dyn Names,
        specs: &mut Specs,
        ask: Ask,
    ) {
        self.conflict = None;
        let same = |with: &Arc<Defaults>| Arc::ptr_eq(with, defaults) || with == defaults;
        let known = self.parsed_with.as_ref().is_some_and(same);
        if self.is_gone() || (known && !(ask.resolve && self.asked_hosts)) {
            return;
        }
        self.parsed_with = Some(defaults.clone());
        self.view.take();
        let text = match &self.newest {
            Newest::Text(text) => text.clone(),
            Newest::Unreadable(error) => {
                let message = format!("read: {error}");
                self.recall(parse, defaults, names);
                return self.reject(error_at_start(&self.path, message, None));
            }
            Newest::Gone => return,
        };
        let same_as_before = self.history.take_if(|history| *history == text).is_some();
        self.recall(parse, defaults, names);

        let names = Asking { names, hosts: Cell::new(false), missed: RefCell::default() };
        let read = read(&self.source(&text), parse, defaults, &names);
        self.asked_hosts = names.hosts.get();
        (self.parsed, self.remarks) = match read {
            Ok((mut version, remarks)) => {
                version.services.iter_mut().for_each(|declared| specs.share(declared));
                (Ok(self.share(version)), remarks)
            }
            Err(diagnostics) => (Err(diagnostics), Vec::new()),
        };
        if same_as_before {
            self.in_force = self.parsed.as_ref().ok().cloned();
        }
        self.suspect(names.missed.into_inner());
    }

    /// Refuses a newest version that looks like an accident. `missed` is a host it names that has
    /// no address.
    fn suspect(&mut self, missed: Option<String>) {
        let (Ok(newest), Some(in_force)) = (&self.parsed, &self.in_force) else { return };
        if let Some(name) = missed.filter(|_| inspect::loses(newest, in_force)) {
            let message = format!("{name} has no address, and a server in force would go with it");
            let hint = Some("mend the name, or take the line out");
            return self.reject(error_at_start(&self.path, message, hint));
        }
        if let Some(problem) = inspect::suspicious(newest, in_force) {
            let place = Place { file: self.path.clone(), span: problem.span };
            self.reject(error(place, problem.message, Some(problem.hint)));
        }
    }

    /// Puts the last good text of an earlier run in force, if there is one and it still parses.
    fn recall(&mut self, parse: Parser, defaults: &Arc<Defaults>, names: &dyn Names) {
        let Some(text) = self.history.take() else { return };
        let read = read(&self.source(&text), parse, defaults, names);
        self.in_force = read.ok().map(|(version, _)| Arc::new(version));
    }

    fn source(&self, text: &Arc<str>) -> Source {
        // Where the text alone tells, an older one may be of the other grammar.
        let by_name = self.path.file_name().and_then(Dialect::of_file);
        let dialect = Dialect::told(by_name, text);
        Source { path: self.path.clone(), dialect, text: text.clone() }
    }

    /// The version with those services that did not change taken from the version in force, so
    /// that equal services are one piece of memory and compare at once.
    fn share(&self, mut version: Version) -> Arc<Version> {
        let Some(in_force) = &self.in_force else { return Arc::new(version) };
        let old: HashMap<ServiceKey, &Arc<VirtualService>> =
            in_force.services.iter().map(|d| (d.service.key, &d.service)).collect();
        for declared in &mut version.services {
            if let Some(same) = old.get(&declared.service.key).filter(|s| ***s == declared.service)
            {
                declared.service = (*same).clone();
            }
        }
        Arc::new(version)
    }

    pub fn view(&self) -> Arc<FileView> {
        self.view.get_or_init(|| Arc::new(self.look())).clone()
    }

    /// Whether what the file says now is in force.
    pub fn is_settled(&self) -> bool {
        !self.is_gone() && self.in_force.as_ref().is_some_and(|v| self.is_newest(v))
    }

    fn look(&self) -> FileView {
        let waiting = || "waits for directord reload --confirm".to_owned();
        let settled = self.is_settled();
        FileView {
            path: self.path.display().to_string(),
            state: match (settled, &self.in_force) {
                (true, _) => FileState::InForce,
                (false, Some(_)) => FileState::LastGood,
                (false, None) => FileState::Rejected,
            },
            services: self.in_force.as_ref().map_or(0, |version| version.services.len()),
            error: (!settled).then(|| self.error.clone().unwrap_or_else(waiting)),
            rejected: self.rejected,
        }
    }
}

/// Checks that are in use, each once: of 10,000 services most are checked alike.
#[derive(Clone, Default, Debug)]
pub(super) struct Specs(HashSet<Arc<CheckSpec>>);

impl Specs {
    fn share(&mut self, declared: &mut Declared) {
        // Just parsed, so nobody else holds it.
        let Some(service) = Arc::get_mut(&mut declared.service) else { return };
        for server in &mut service.servers {
            match self.0.get(&server.check) {
                Some(same) => server.check = same.clone(),
                None => drop(self.0.insert(server.check.clone())),
            }
        }
    }

    /// Forgets those nobody uses any more.
    pub fn tidy(&mut self) {
        self.0.retain(|spec| Arc::strong_count(spec) > 1);
    }
}

/// Whether a file is the configured path, or in it.
pub(super) fn is_under(path: &Path, root: &Path) -> bool {
    path == root || path.parent() == Some(root)
}

/// Parses a text and refuses what no grammar can see.
fn read(
    source: &Source,
    parse: Parser,
    defaults: &Arc<Defaults>,
    names: &dyn Names,
) -> Result<(Version, Vec<Diagnostic>), Vec<Diagnostic>> {
    // After a crash some file systems leave a file of the right length full of these.
    if let Some(at) = source.text.find('\0') {
        let place = Place { file: source.path.clone(), span: at..at + 1 };
        let hint = Some("was the file damaged by a crash? write it again");
        return Err(vec![error(place, "a NUL byte".to_owned(), hint)]);
    }
    let mut parsed = parse(source, defaults, names);
    if !parsed.has_errors() {
        parsed.diagnostics.extend(inspect::duplicates(&parsed.services));
    }
    if parsed.has_errors() {
        return Err(parsed.diagnostics);
    }
    if source.text.trim().is_empty() {
        let hint = "a running director keeps what was in it: to take that away, delete the file";
        let empty = error_at_start(&source.path, "the file is empty".to_owned(), Some(hint));
        parsed.diagnostics.push(Diagnostic { severity: Severity::Warning, ..empty });
    }
    let version = Version {
        lines: inspect::lines(&source.text, &parsed.services),
        text: source.text.clone(),
        services: parsed.services,
        settings: parsed.settings,
        head: parsed.head,
        mon: parsed.mon,
        watching: parsed.watching,
        defaults: Arc::new(parsed.defaults.unwrap_or_default()),
    };
    Ok((version, parsed.diagnostics))
}

pub(super) fn error(place: Place, message: String, hint: Option<&str>) -> Diagnostic {
    let hint = hint.map(str::to_owned);
    Diagnostic { severity: Severity::Error, message, place, hint, related: Vec::new() }
}

/// An error about the file as a whole.
pub(super) fn error_at_start(
    path: &Arc<PathBuf>,
    message: String,
    hint: Option<&str>,
) -> Diagnostic {
    error(Place { file: path.clone(), span: 0..0 }, message, hint)
}

/// Names that notice whether hosts were asked for.
struct Asking<'a> {
    names: &'a dyn Names,
    hosts: Cell<bool>,
    /// The first that has no address.
    missed: RefCell<Option<String>>,
}

impl Names for Asking<'_> {
    fn host(&self, name: &str, family: Family) -> Vec<IpAddr> {
        self.hosts.set(true);
        let found = self.names.host(name, family);
        if found.is_empty() {
            self.missed.borrow_mut().get_or_insert_with(|| name.to_owned());
        }
        found
    }

    fn port(&self, name: &str, protocol: Option<Protocol>) -> Option<u16> {
        self.names.port(name, protocol)
    }

    fn node(&self) -> String {
        self.names.node()
    }

    fn mon(&self) -> MonMeans<'_> {
        self.names.mon()
    }
}
