//! Watches: groups of hosts that are watched as mon watches, and real servers they decide about.

use std::cell::LazyCell;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::alerts::{self, Told};
use super::catalogue as keys;
use super::catalogue::Key;
use super::global::Defaults;
use super::tree::{Node, Value};
use super::walk::{self, Entry, Fields, Walk};
use crate::config::diagnostic::quoted;
use crate::config::nearest::nearest;
use crate::config::watch::{expression, limit, native};
use crate::model::{
    CheckSpec, Dependency, Depends, Expression, MonitorCall, MonitorKind, NativeMonitor, WatchKey,
    WatchSpec, Watching,
};

/// What was meant by a name that is not there is looked for this often: each is compared with
/// every known name.
const MAX_SUGGESTIONS: usize = 200;

/// Names it is compared with, at most.
const MAX_KNOWN: usize = 10_000;

/// The watches of one file.
#[derive(Default)]
pub(super) struct Watches {
    pub(super) watching: Watching,
    groups: HashMap<Arc<str>, Range<usize>>,
    /// Those with mistakes among them.
    services: HashMap<WatchKey, Range<usize>>,
}

/// Where the programs of one watch are.
struct Folders<'f> {
    alerts: &'f [PathBuf],
    monitors: &'f [PathBuf],
}

impl<'a> Walk<'a> {
    /// Whether an item of a file is a watch rather than a service.
    pub(super) fn is_watch(&self, node: &Node<'a>) -> bool {
        let Value::Mapping(pairs) = &node.value else { return false };
        let has = |name| pairs.iter().any(|(key, _)| self.node(*key).text() == Some(name));
        has(keys::WATCH.name) && !has(keys::VIRTUAL.name) && !has(keys::FWMARK.name)
    }

    pub(super) fn watch(&mut self, node: &'a Node<'a>, defaults: &Defaults, to: &mut Watches) {
        let Some(fields) = self.fields(node, &keys::WATCH_KEYS) else { return };
        let Some(entry) = fields.entry(&keys::WATCH) else { return };
        let group: Arc<str> = self.tag(entry).unwrap_or_default().into();
        let hosts = match fields.entry(&keys::HOSTS) {
            Some(entry) => self.hosts(entry),
            None => vec![group.to_string()],
        };
        match to.groups.get(&group) {
            Some(first) if !group.is_empty() => {
                let message = format!("the group {} is watched twice", quoted(&group));
                let first = (first, "first here");
                self.findings.clash(entry.span(), message, "make one of the two", first);
            }
            _ => drop(to.groups.insert(group.clone(), entry.span().clone())),
        }
        let folders = Folders {
            alerts: &alerts::folders(defaults.alert_dir.as_ref(), alerts::ALERTS),
            monitors: &alerts::folders(defaults.monitor_dir.as_ref(), alerts::MONITORS),
        };
        let services = fields.entry(&keys::SERVICES);
        for item in services.and_then(|entry| self.list(entry)).unwrap_or_default() {
            if self.findings.is_full() {
                break;
            }
            let node = self.node(*item);
            let Some(fields) = self.fields(node, &keys::WATCHED_KEYS) else { continue };
            let Some(tag) = fields.entry(&keys::SERVICE_TAG) else { continue };
            let name = self.tag(tag).unwrap_or_default();
            let key = WatchKey { group: group.clone(), service: name.into() };
            let spec = self.watched(&fields, key.clone(), &hosts, &folders);
            match to.services.get(&key) {
                Some(first) if !name.is_empty() => {
                    let message = format!("{key} is there twice");
                    let first = (first, "first here");
                    self.findings.clash(tag.span(), message, "keep one of the two", first);
                }
                _ => {
                    to.services.insert(key.clone(), tag.span().clone());
                    to.watching.services.insert(key, Arc::new(spec));
                }
            }
        }
        to.watching.groups.insert(group, hosts.into());
    }

    /// `GROUP/SERVICE`, each with `rise` and `fall` where it is a mapping.
    pub(super) fn decides(&mut self, entry: &Entry<'a>) -> Option<CheckSpec> {
        let (mut found, mut rise, mut fall) = (Vec::new(), 1, 1);
        let items = self.list(entry)?;
        for item in items {
            let node = self.node(*item);
            let named = match &node.value {
                Value::Mapping(_) => {
                    let Some(fields) = self.fields(node, &keys::DECIDES_KEYS) else { continue };
                    let mut most = |key, of: &mut u16| {
                        let given = fields.entry(key).and_then(|e| self.integer::<u16>(e));
                        *of = (*of).max(given.unwrap_or(1));
                    };
                    most(&keys::DECIDES_RISE, &mut rise);
                    most(&keys::DECIDES_FALL, &mut fall);
                    fields.entry(&keys::DECIDES_SERVICE).cloned()
                }
                _ => Some(entry.item(node)),
            };
            let Some(named) = named else { continue };
            let Some(text) = self.line(&named) else { continue };
            match text.split_once('/') {
                Some((group, service)) if !group.is_empty() && !service.is_empty() => {
                    let key = WatchKey::new(group, service);
                    self.mentions.push((key.clone(), named.span().clone()));
                    found.push(key);
                }
                _ => {
                    let message = format!("is GROUP/SERVICE, not {}", quoted(text));
                    self.refuse::<()>(&named, message, "write for example www1/http");
                }
            }
        }
        if items.is_empty() {
            return self.refuse(entry, "names nothing", walk::example(entry.key));
        }
        (!found.is_empty()).then(|| CheckSpec::watched(found.into(), rise, fall))
    }

    /// Whoever is spoken of must be there: mon takes any other for one that fails.
    pub(super) fn look_up_mentions(&mut self, watches: &Watches) {
        let known = LazyCell::new(|| {
            let names = watches.services.keys().map(ToString::to_string);
            names.take(MAX_KNOWN).collect::<Vec<String>>()
        });
        let mut hints: HashMap<WatchKey, String> = HashMap::new();
        for (key, place) in std::mem::take(&mut self.mentions) {
            if self.findings.is_full() {
                break;
            }
            if watches.services.contains_key(&key) {
                continue;
            }
            let wanted = hints.len() < MAX_SUGGESTIONS;
            let hint = hints.entry(key.clone()).or_insert_with(|| {
                let known = known.iter().map(String::as_str);
                let near = wanted.then(|| nearest(&key.to_string(), known)).flatten();
                match near {
                    Some(near) => format!("did you mean {}?", quoted(near)),
                    None => "it has to be in this file".to_owned(),
                }
            });
            let message = format!("there is no watched service {key}");
            self.findings.error(&place, message, hint.clone());
        }
    }

    fn watched(
        &mut self,
        fields: &Fields<'a>,
        key: WatchKey,
        hosts: &[String],
        folders: &Folders<'_>,
    ) -> WatchSpec {
        let interval = self.polled(fields, &keys::WATCH_INTERVAL);
        let told = Told { folders: folders.alerts, by_checks: false };
        let periods = fields.entry(&keys::PERIODS).map(|e| self.alerts(e, told));
        let periods = periods.unwrap_or_default();
        let depends = Depends {
            alerts: self.dependency(fields, &keys::ALERTDEPEND, &key.group),
            monitors: self.dependency(fields, &keys::MONITORDEPEND, &key.group),
            hosts: self.dependency(fields, &keys::HOSTDEPEND, &key.group),
            memory: self.wait_of(fields, &keys::DEP_MEMORY).unwrap_or_default(),
        };
        let mut flag = |key| fields.entry(key).and_then(|e| self.flag(e)) == Some(true);
        let allow_empty_group = flag(&keys::ALLOW_EMPTY_GROUP);
        let unack_summary = flag(&keys::UNACK_SUMMARY) || periods.unack_summary;
        let monitor = fields.entry(&keys::MONITOR);
        let excluded = fields.entry(&keys::EXCLUDE_HOSTS).map(|e| self.hosts(e));
        let description = fields.entry(&keys::DESCRIPTION).and_then(|e| self.line(e));
        WatchSpec {
            key,
            hosts: None,
            description: description.map(str::to_owned),
            monitor: monitor.and_then(|e| self.monitor(e, limit(interval, hosts.len()), folders)),
            interval,
            failure_interval: self.polled(fields, &keys::FAILURE_INTERVAL),
            skew: self.wait_of(fields, &keys::RANDSKEW),
            allow_empty_group,
            exclude_hosts: excluded.map(BTreeSet::from_iter).unwrap_or_default(),
            exclude: self.exclusion(fields, &keys::EXCLUDE_PERIOD),
            trap_timeout: self.wait_of(fields, &keys::TRAPTIMEOUT),
            trap_duration: self.wait_of(fields, &keys::TRAPDURATION),
            depends,
            unack_summary,
            environment: fields
                .entry(&keys::ENVIRONMENT)
                .map(|e| self.environment(e))
                .unwrap_or_default(),
            redistribute: fields
                .entry(&keys::REDISTRIBUTE)
                .and_then(|e| self.redistribute(e, folders.alerts)),
            periods: periods.periods,
        }
    }

    /// How often something is asked.
    fn polled(&mut self, fields: &Fields<'a>, key: &'static Key) -> Option<Duration> {
        let found = self.wait_of(fields, key)?;
        if let Some(entry) = fields.entry(key).filter(|_| found < WatchSpec::SHORTEST_INTERVAL) {
            let message = "nothing is asked more often than once a second";
            self.findings.warning(entry.span(), message, "write 1s");
        }
        Some(found.max(WatchSpec::SHORTEST_INTERVAL))
    }

    /// A name that clients of mon's give in commands.
    fn tag(&mut self, entry: &Entry<'a>) -> Option<&'a str> {
        let text = self.line(entry)?;
        let fits = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        match text.chars().all(fits) {
            true => Some(text),
            false => {
                let message = format!("cannot be {}", quoted(text));
                self.refuse(entry, message, "write letters, digits, _, . and -")
            }
        }
    }

    /// Words that monitors are given.
    fn hosts(&mut self, entry: &Entry<'a>) -> Vec<String> {
        let mut hosts = Vec::new();
        for item in self.list(entry).unwrap_or_default() {
            let entry = entry.item(self.node(*item));
            let Some(text) = self.line(&entry) else { continue };
            match text.contains(char::is_whitespace) {
                true => {
                    let message = format!("has one word for each host, not {}", quoted(text));
                    self.refuse::<()>(&entry, message, "write [a, b]");
                }
                false => hosts.push(text.to_owned()),
            }
        }
        hosts
    }

    fn environment(&mut self, entry: &Entry<'a>) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for (name, entry) in self.texts(entry) {
            let first = |c: char| c.is_ascii_uppercase() || c == '_';
            let fits = |c: char| first(c) || c.is_ascii_digit();
            if !(name.starts_with(first) && name.chars().all(fits)) {
                let message = format!("no variable can be called {}", quoted(name));
                let hint = "write capital letters, digits and _, no digit first";
                self.findings.error(&entry.key_span, message, hint);
                continue;
            }
            if let Some(value) = self.scalar(&entry) {
                found.push((name.to_owned(), value.to_owned()));
            }
        }
        found
    }

    /// Over services of watches; `SELF` is the group.
    pub(super) fn dependency(
        &mut self,
        fields: &Fields<'a>,
        key: &'static Key,
        group: &str,
    ) -> Option<Dependency> {
        let entry = fields.entry(key)?;
        let text = self.line(entry)?;
        match expression(text, group) {
            Ok(expression) => {
                self.mention(&expression, entry.span());
                // As mon shows it to clients.
                let written = text.replace("SELF:", &format!("{group}:"));
                Some(Dependency { written, expression })
            }
            Err(flaw) => {
                let place = self.part(entry.value, text, flaw.at);
                self.findings.error(&place, flaw.what, walk::example(entry.key));
                None
            }
        }
    }

    fn mention(&mut self, expression: &Expression, place: &Range<usize>) {
        match expression {
            Expression::Service(key) => self.mentions.push((key.clone(), place.clone())),
            Expression::Constant(_) => {}
            Expression::Not(inner) => self.mention(inner, place),
            Expression::And(a, b) | Expression::Or(a, b) => {
                self.mention(a, place);
                self.mention(b, place);
            }
        }
    }

    /// `PROGRAM WORDS`, with `;;` at the end where the hosts do not follow.
    fn monitor(
        &mut self,
        entry: &Entry<'a>,
        limit: Duration,
        folders: &Folders<'_>,
    ) -> Option<MonitorCall> {
        let text = self.line(entry)?;
        let bare = text.strip_suffix(";;");
        let called = 0..bare.map_or(text.len(), str::len);
        let (name, place, words) = self.command(entry, text, called)?;
        let how = self.monitor_kind(name, &place, words, folders.monitors);
        Some(MonitorCall { written: text.to_owned(), how, without_hosts: bare.is_some(), limit })
    }

    fn monitor_kind(
        &mut self,
        name: &str,
        place: &Range<usize>,
        words: Vec<String>,
        folders: &[PathBuf],
    ) -> MonitorKind {
        let program = self.program("monitor", name, folders);
        let run = |path: &PathBuf, words: Vec<String>| {
            let path = path.to_string_lossy().into_owned();
            MonitorKind::Program(std::iter::once(path).chain(words).collect())
        };
        match (native(name, program.is_some()), program) {
            (Some(native), program) => {
                let monitor = NativeMonitor { name: native, words };
                match ((self.names.mon().native)(&monitor), program) {
                    (Ok(()), _) => MonitorKind::Native(Arc::new(monitor)),
                    // What it is asked is the program's to say.
                    (Err(_), Some(path)) => run(&path, monitor.words),
                    (Err(reason), None) => {
                        let message = format!("nothing is asked: {reason}");
                        self.findings.warning(place, message, "see the words of the monitor");
                        MonitorKind::Missing
                    }
                }
            }
            (None, Some(path)) => run(&path, words),
            (None, None) => {
                self.missing("monitor", name, place, folders);
                MonitorKind::Missing
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{parse_global, parse_services};
    use super::*;
    use crate::config::{Dialect, Parsed, Source, one_line};
    use crate::model::Probe;

    fn source(text: &str, dialect: Dialect) -> Source {
        Source { path: Arc::new("web.yaml".into()), dialect, text: text.into() }
    }

    fn parsed(text: &str) -> Parsed {
        let names = super::super::tests::NoNames;
        parse_services(&source(text, Dialect::Yaml), &Defaults::default(), &names)
    }

    fn told(parsed: &Parsed) -> Vec<String> {
        parsed.diagnostics.iter().map(|diagnostic| one_line(diagnostic, None)).collect()
    }

    const PAIR: &str = "\
- {fwmark: 7, real: [{address: 10.0.0.1, watch: [www1/http, {service: www1/disk, rise: 2, fall: 3}]}]}
- watch: www1
  services:
    - {service: http, monitor: http.monitor -p 80 ;;, interval: 500ms}
    - {service: disk, traptimeout: 26h, alertdepend: SELF:http}
";

    #[test]
    fn a_watch_decides_about_a_real_server_of_its_file() {
        let parsed = parsed(PAIR);
        assert!(!parsed.has_errors(), "{:?}", told(&parsed));
        let check = &parsed.services[0].service.servers[0].check;
        let keys = [WatchKey::new("www1", "http"), WatchKey::new("www1", "disk")];
        assert_eq!(check.probe, Probe::Watched(keys.to_vec().into()));
        assert_eq!((check.rise, check.fall), (2, 3));
        let watching = parsed.watching.unwrap();
        assert_eq!(*watching.groups["www1"], ["www1"]);
        let http = &watching.services[&keys[0]];
        let monitor = http.monitor.as_ref().unwrap();
        assert!(monitor.without_hosts && matches!(monitor.how, MonitorKind::Native(_)));
        assert_eq!(http.interval, Some(WatchSpec::SHORTEST_INTERVAL));
        let depends = &watching.services[&keys[1]].depends;
        assert_eq!(depends.alerts.as_ref().unwrap().written, "www1:http");
    }

    #[test]
    fn mistakes_are_told_where_they_stand() {
        let mark = "- {fwmark: 7, real: [{address: 10.0.0.1, watch: [www1/htpp]}]}\n";
        for (text, message, at) in [
            (mark, "there is no watched service www1/htpp", "www1/htpp"),
            ("- {fwmark: 7, real: [{address: 10.0.0.1, watch: [x]}]}\n", "is GROUP/SERVICE", "x]"),
            ("- {fwmark: 7, real: [{address: 10.0.0.1, watch: []}]}\n", "names nothing", "[]"),
            ("- {watch: a b}\n", "cannot be \"a b\"", "a b"),
            ("- {watch: a}\n- {watch: a}\n", "is watched twice", "a}"),
            ("- {watch: a, hosts: [b c]}\n", "one word for each host", "b c"),
            ("- {watch: a, services: [{monitor: x}]}\n", "needs \"service\"", "{monitor"),
            ("- {watch: a, services: [{service: s}, {service: s}]}\n", "a/s is there twice", "s}]"),
            (
                "- {watch: a, services: [{service: s, alertdepend: 'a:s a:s'}]}\n",
                "&& or || is missing",
                "a:s'",
            ),
            (
                "- {watch: a, services: [{service: s, environment: {path: x}}]}\n",
                "no variable can be called",
                "path",
            ),
        ] {
            let parsed = parsed(text);
            assert!(parsed.has_errors(), "{text}");
            let found = parsed.diagnostics.iter().find(|d| d.message.contains(message));
            let found = found.unwrap_or_else(|| panic!("{text}: {:?}", told(&parsed)));
            assert!(text[found.place.span.start..].starts_with(at), "{text}: {found:?}");
        }
    }

    #[test]
    fn an_empty_exclude_period_excludes_nothing() {
        let text = "- {watch: a, services: [{service: s, exclude_period: }]}\n";
        let watching = parsed(text).watching.unwrap();
        assert_eq!(watching.services[&WatchKey::new("a", "s")].exclude, None);
        let names = super::super::tests::NoNames;
        let text = "watching: {exclude_period: }\n";
        let global = parse_global(&source(text, Dialect::Global), &names);
        assert_eq!(global.settings.unwrap().watching.exclude, None);
    }

    /// Each name that is not there was once compared with all that are.
    #[test]
    fn names_that_are_not_there_are_compared_with_others_so_often_and_no_more() {
        let mut text = "- watch: a\n  services:\n".to_owned();
        for n in 0..2000 {
            text.push_str(&format!("  - {{service: service{n}, alertdepend: 'a:servise{n}'}}\n"));
        }
        let parsed = parsed(&text);
        let hints: Vec<_> = parsed.diagnostics.iter().filter_map(|d| d.hint.as_deref()).collect();
        let meant = |hint: &&&str| hint.starts_with("did you mean");
        assert_eq!((parsed.diagnostics.len(), hints.iter().filter(meant).count()), (1000, 200));
    }

    #[test]
    fn what_holds_for_all_is_in_the_global_file() {
        let text = "watching: {collapse: {within: 30s, more_than: 5}, views: {v: 'a b:c'}}\n";
        let names = super::super::tests::NoNames;
        let global = parse_global(&source(text, Dialect::Global), &names);
        assert_eq!(told(&global), Vec::<String>::new());
        let settings = global.settings.unwrap();
        assert_eq!(settings.watching.collapse.map(|collapse| collapse.more_than), Some(5));
        assert_eq!(settings.views["v"].len(), 2);
        let wrong =
            parse_global(&source("watching: {collapse: {within: 1h}}\n", Dialect::Global), &names);
        assert!(told(&wrong)[0].contains("a collapse needs \"more_than\""), "{:?}", told(&wrong));
    }
}
