//! `alerts`: whom to tell of a service's real servers, when and how often, in mon's words.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::catalogue as keys;
use super::catalogue::Key;
use super::tree::Value;
use super::walk::{self, Entry, Fields, Walk};
use super::{scalar, suggest};
use crate::config::diagnostic::quoted;
use crate::config::mon::Files;
use crate::config::watch::{REPEATS, calendar, count, exit_range, interval, repeat, words};
use crate::model::{
    Alert, AlertCall, AlertOn, Calendar, Depends, ExitRange, Period, RealServer, Repeat,
    ServiceWatch, Throttle, VirtualService, WatchKey, WatchSpec,
};

/// Where alerts and monitors are looked for when nobody says where.
pub(in crate::config) const ALERTS: Usual = ["/usr/lib/directord/alert.d", "/usr/lib/mon/alert.d"];
pub(in crate::config) const MONITORS: Usual = ["/usr/local/lib/mon/mon.d", "/usr/lib/mon/mon.d"];

pub(in crate::config) type Usual = [&'static str; 2];

/// The exit status of a check that failed, and of one that passed.
const FAILED: u8 = 1;
const PASSED: u8 = 0;

static LINES: [(&Key, AlertOn); 5] = [
    (&keys::ALERT, AlertOn::Failure),
    (&keys::UPALERT, AlertOn::Recovery),
    (&keys::STARTUPALERT, AlertOn::Startup),
    (&keys::ACKALERT, AlertOn::Acknowledgement),
    (&keys::DISABLEALERT, AlertOn::Disabling),
];

/// What is written for `alerts`.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct AlertsDraft {
    pub(super) periods: Arc<[Period]>,
    pub(super) unack_summary: bool,
    depends: Depends,
    exclude: Option<Calendar>,
    /// Addresses of servers that nobody is told of.
    exclude_hosts: BTreeSet<String>,
    redistribute: Option<AlertCall>,
}

/// For what periods are written.
#[derive(Clone, Copy)]
pub(super) struct Told<'f> {
    /// Where their programs are.
    pub(super) folders: &'f [PathBuf],
    /// Whether results come from checks, which have no exit statuses but 0 and 1.
    pub(super) by_checks: bool,
}

impl AlertsDraft {
    /// The service's servers as what is watched; none where nobody is to be told.
    pub(super) fn watch(&self, service: &VirtualService) -> Option<Arc<ServiceWatch>> {
        if self.periods.is_empty() && self.redistribute.is_none() {
            return None;
        }
        // Each server gets a name of its own.
        let told = WatchSpec {
            periods: self.periods.clone(),
            unack_summary: self.unack_summary,
            depends: self.depends.clone(),
            exclude: self.exclude.clone(),
            exclude_hosts: self.exclude_hosts.clone(),
            redistribute: self.redistribute.clone(),
            ..WatchSpec::bare(WatchKey::new("", ""))
        };
        Some(Arc::new(ServiceWatch::new(service, &told)))
    }
}

/// Where programs are looked for.
pub(super) fn folders(given: Option<&Arc<[PathBuf]>>, usual: Usual) -> Cow<'_, [PathBuf]> {
    match given {
        Some(given) => Cow::Borrowed(&given[..]),
        None => usual.map(PathBuf::from).to_vec().into(),
    }
}

impl<'a> Walk<'a> {
    /// Periods, or a mapping that says more than those, or more than the folder does.
    pub(super) fn alerts_of(
        &mut self,
        entry: &Entry<'a>,
        servers: &[RealServer],
        default: Option<&AlertsDraft>,
        told: Told<'_>,
    ) -> AlertsDraft {
        let Value::Mapping(_) = &entry.value.value else { return self.alerts(entry, told) };
        let Some(fields) = self.fields(entry.value, &keys::ALERTS_KEYS) else {
            return AlertsDraft::default();
        };
        let mut draft = match fields.entry(&keys::PERIODS) {
            Some(entry) => self.alerts(entry, told),
            None => default.cloned().unwrap_or_default(),
        };
        let unack = fields.entry(&keys::UNACK_SUMMARY).and_then(|e| self.flag(e));
        draft.unack_summary |= unack == Some(true);
        // No group is called like that: a server is named by nobody in the file.
        let alerts = self.dependency(&fields, &keys::SERVER_ALERTDEPEND, "SELF");
        let memory = self.wait_of(&fields, &keys::DEP_MEMORY).unwrap_or_default();
        draft.depends = Depends { alerts, memory, ..Depends::default() };
        draft.exclude = self.exclusion(&fields, &keys::SERVER_EXCLUDE_PERIOD);
        if let Some(entry) = fields.entry(&keys::SERVER_EXCLUDE_HOSTS) {
            draft.exclude_hosts = self.untold(entry, servers);
        }
        draft.redistribute =
            fields.entry(&keys::REDISTRIBUTE).and_then(|e| self.redistribute(e, told.folders));
        if draft.periods.is_empty()
            && !fields.has(&keys::PERIODS)
            && !fields.has(&keys::REDISTRIBUTE)
        {
            let message = "nobody is told: there are no periods, here or in global.yaml";
            self.findings.warning(&entry.key_span, message, walk::example(&keys::PERIODS));
        }
        if let Some(memory) = fields.entry(&keys::DEP_MEMORY)
            && !fields.has(&keys::SERVER_ALERTDEPEND)
        {
            let message = "there is nothing it is about: no alertdepend";
            let hint = walk::example(&keys::SERVER_ALERTDEPEND);
            self.findings.warning(&memory.key_span, message, hint);
        }
        draft
    }

    /// Addresses of real servers.
    fn untold(&mut self, entry: &Entry<'a>, servers: &[RealServer]) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for item in self.list(entry).unwrap_or_default() {
            let entry = entry.item(self.node(*item));
            let Some(text) = self.line(&entry) else { continue };
            let Ok(address) = text.parse::<IpAddr>() else {
                let message = format!("has addresses of real servers, not {}", quoted(text));
                self.refuse::<()>(&entry, message, walk::example(entry.key));
                continue;
            };
            if !servers.iter().any(|server| server.endpoint.address == address) {
                let message = format!("no real server of this service has the address {address}");
                self.findings.warning(entry.span(), message, "leave it out");
            }
            found.insert(address.to_string());
        }
        found
    }

    /// An alert that is called for every result.
    pub(super) fn redistribute(
        &mut self,
        entry: &Entry<'a>,
        folders: &[PathBuf],
    ) -> Option<AlertCall> {
        let text = self.line(entry)?;
        self.call(entry, text, 0, folders)
    }

    /// The periods; of those with mistakes what there is.
    pub(super) fn alerts(&mut self, entry: &Entry<'a>, told: Told<'_>) -> AlertsDraft {
        let mut draft = AlertsDraft::default();
        let mut periods: Vec<Period> = Vec::new();
        let mut places: Vec<Range<usize>> = Vec::new();
        for item in self.list(entry).unwrap_or_default() {
            if self.findings.is_full() {
                break;
            }
            let node = self.node(*item);
            let Some(fields) = self.fields(node, &keys::PERIOD_KEYS) else { continue };
            let unack = fields.entry(&keys::UNACK_SUMMARY).and_then(|e| self.flag(e));
            draft.unack_summary |= unack == Some(true);
            let Some(period) = self.period(&fields, told) else { continue };
            let place = walk::head(node, self.text);
            match periods.iter().position(|other| other.label == period.label) {
                Some(first) => {
                    let message = format!("period {} is there twice", quoted(&period.label));
                    let hint = "write label: NAME in one of the two";
                    self.findings.clash(&place, message, hint, (&places[first], "first here"));
                }
                None => {
                    places.push(place);
                    periods.push(period);
                }
            }
        }
        AlertsDraft { periods: periods.into(), ..draft }
    }

    /// Folders with colons between, or a list of them.
    pub(super) fn search_path(&mut self, entry: &Entry<'a>) -> Option<Arc<[PathBuf]>> {
        let mut folders = Vec::new();
        for line in self.each_line(entry) {
            let Some(text) = self.line(&line) else { continue };
            for folder in text.split(':').filter(|folder| !folder.is_empty()) {
                if !folder.starts_with('/') {
                    let message = format!("has paths from the root, not {}", quoted(folder));
                    return self.refuse(&line, message, "begin it with \"/\"");
                }
                folders.push(PathBuf::from(folder));
            }
        }
        (!folders.is_empty()).then(|| folders.into())
    }

    /// What stands for a key that takes one line or a list of them.
    pub(super) fn each_line(&self, entry: &Entry<'a>) -> Vec<Entry<'a>> {
        match &entry.value.value {
            Value::List(items) => items.iter().map(|item| entry.item(self.node(*item))).collect(),
            _ => vec![entry.clone()],
        }
    }

    fn period(&mut self, fields: &Fields<'a>, told: Told<'_>) -> Option<Period> {
        let times = match fields.entry(&keys::PERIOD) {
            Some(entry) => self.times(entry),
            None => Some(Calendar::always()),
        };
        let label = fields.entry(&keys::LABEL).and_then(|e| self.label(e));
        let throttle = self.throttle(fields, told);
        let mut alerts = Vec::new();
        for (key, on) in LINES {
            for line in fields.entry(key).map(|e| self.each_line(e)).unwrap_or_default() {
                alerts.extend(self.alert(&line, on, told));
            }
        }
        self.remark_on_lines(fields, &throttle);
        let times = times?;
        let label = label.unwrap_or_else(|| times.written.clone());
        Some(Period { label, times, alerts, throttle })
    }

    /// Lines that nothing can come of.
    fn remark_on_lines(&mut self, fields: &Fields<'a>, throttle: &Throttle) {
        if LINES.iter().all(|(key, _)| !fields.has(key)) {
            let place = walk::head(fields.node, self.text);
            let hint = walk::example(&keys::ALERT);
            self.findings.warning(&place, "this period tells nobody", hint);
        } else if let Some(entry) = fields.entry(&keys::UPALERT)
            && !fields.has(&keys::ALERT)
            && !throttle.unpaired
        {
            let message = "a recovery is told after a failure that was, and none is told here";
            let hint = "write alert: beside it, or no_comp_alerts: true";
            self.findings.warning(&entry.key_span, message, hint);
        }
    }

    pub(super) fn times(&mut self, entry: &Entry<'a>) -> Option<Calendar> {
        if entry.value.is_null() {
            return Some(Calendar::always());
        }
        let text = self.scalar(entry)?;
        match calendar(text) {
            Ok(times) => Some(times),
            Err(flaw) => {
                let place = self.part(entry.value, text, flaw.at);
                self.findings.error(&place, flaw.what, walk::example(entry.key));
                None
            }
        }
    }

    /// The times of an `exclude_period`.
    pub(super) fn exclusion(&mut self, fields: &Fields<'a>, key: &'static Key) -> Option<Calendar> {
        let entry = fields.entry(key)?;
        self.times(entry).and_then(Calendar::excluding)
    }

    /// As mon's labels are: clients name them.
    fn label(&mut self, entry: &Entry<'a>) -> Option<String> {
        let text = self.line(entry)?;
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
        match text.chars().all(fits) && !text.starts_with(|c: char| c.is_ascii_digit()) {
            true => Some(text.to_owned()),
            false => {
                let message = format!("cannot be {}", quoted(text));
                self.refuse(entry, message, "write letters, digits and _, no digit first")
            }
        }
    }

    fn throttle(&mut self, fields: &Fields<'a>, told: Told<'_>) -> Throttle {
        let mut throttle = Throttle {
            every: fields.entry(&keys::ALERTEVERY).and_then(|e| self.every(e)),
            recovery_after: self.wait_of(fields, &keys::UPALERTAFTER),
            limit: fields.entry(&keys::NUMALERTS).and_then(|e| self.integer(e)),
            ..Throttle::default()
        };
        for line in fields.entry(&keys::ALERTAFTER).map(|e| self.each_line(e)).unwrap_or_default() {
            self.after(&line, &mut throttle);
        }
        if let Some(entry) = fields.entry(&keys::ALERTEXITRANGE)
            && let Some(text) = self.line(entry)
        {
            throttle.exit = self.exit(text, entry.span(), told.by_checks.then_some(FAILED));
        }
        let mut flag = |key| fields.entry(key).and_then(|e| self.flag(e)) == Some(true);
        throttle.unpaired = flag(&keys::NO_COMP_ALERTS);
        throttle.uncounted = flag(&keys::ALERTS_DONT_COUNT);
        throttle
    }

    /// `TIME [summary | observe_detail | ignore_summary | strict]`.
    fn every(&mut self, entry: &Entry<'a>) -> Option<(Duration, Repeat)> {
        let text = self.line(entry)?;
        let mut words = self.words(entry.value, text).into_iter();
        let (time, place) = words.next().unwrap_or((text, entry.span().clone()));
        let time = self.wait(entry.key, time, &place);
        let way = words.next();
        if let Some((word, place)) = words.next() {
            let message = format!("{} is one word too many", quoted(word));
            self.findings.error(&place, message, walk::example(entry.key));
        }
        let Some((word, place)) = way else { return Some((time?, Repeat::SameSummary)) };
        let found = repeat(word);
        if found.is_none() {
            let message = format!("no way to repeat alerts: {}", quoted(word));
            self.findings.error(&place, message, suggest::word(&REPEATS, word));
        }
        Some((time?, found?))
    }

    /// `N`, `TIME` or `N TIME`.
    fn after(&mut self, entry: &Entry<'a>, throttle: &mut Throttle) {
        let Some(text) = self.line(entry) else { return };
        let words = self.words(entry.value, text);
        match words.as_slice() {
            [(number, _)] if count(number).is_some() => {
                throttle.after_failures = count(number).filter(|count| *count > 0);
            }
            [(time, place)] if time.starts_with(|c: char| c.is_ascii_digit()) => {
                throttle.after_time = self.wait(entry.key, time, place);
            }
            [(number, _), (time, place)] if count(number).is_some() => {
                let time = self.wait(entry.key, time, place);
                throttle.after_within = count(number).zip(time);
            }
            _ => {
                let message = "is a number of failures, a time, or both";
                self.refuse::<()>(entry, message, "write 3, 10m or 3 10m");
            }
        }
    }

    /// The time for a key, where there is one.
    pub(super) fn wait_of(&mut self, fields: &Fields<'a>, key: &'static Key) -> Option<Duration> {
        let entry = fields.entry(key)?;
        let text = self.line(entry)?;
        self.wait(key, text, entry.span())
    }

    /// A time that is to pass.
    fn wait(&mut self, key: &'static Key, text: &str, place: &Range<usize>) -> Option<Duration> {
        let found = interval(text).or_else(|| scalar::duration(text));
        if let Some(found) = found.filter(|found| !found.is_zero()) {
            return Some(found);
        }
        let message = match found {
            Some(_) => format!("{} of 0 is none", quoted(key.name)),
            None => format!("{} has a time with its unit, not {}", quoted(key.name), quoted(text)),
        };
        self.findings.error(place, message, "write a time like 30s, 10m, 1.5h or 1d");
        None
    }

    /// `N` or `N-M`; a word where the status that there will be, if that is known, is not in it.
    fn exit(&mut self, text: &str, place: &Range<usize>, status: Option<u8>) -> Option<ExitRange> {
        let Some(range) = exit_range(text) else {
            let message = format!("no exit status is {}", quoted(text));
            self.findings.error(place, message, "write a number from 0 to 255, or two: 1-3");
            return None;
        };
        if let Some(status) = status.filter(|status| !range.contains(*status)) {
            let message = format!("nobody is told: the exit status is {status} here");
            self.findings.warning(place, message, "leave it out");
        }
        Some(range)
    }

    /// `[exit=RANGE] PROGRAM WORDS`.
    fn alert(&mut self, entry: &Entry<'a>, on: AlertOn, told: Told<'_>) -> Option<Alert> {
        let text = self.line(entry)?;
        let first = self.words(entry.value, text).into_iter().next();
        let (mut exit, mut from) = (None, 0);
        if let Some((word, place)) = first
            && let Some(range) = after_exit(word)
        {
            let status = match on {
                AlertOn::Failure => told.by_checks.then_some(FAILED),
                AlertOn::Recovery => Some(PASSED),
                _ => None,
            };
            exit = Some(self.exit(range, &place, status)?);
            from = offset(text, word) + word.len();
        }
        let call = self.call(entry, text, from, told.folders)?;
        Some(Alert { on, exit, call })
    }

    /// `PROGRAM WORDS`, from here on in the text.
    pub(super) fn call(
        &mut self,
        entry: &Entry<'a>,
        text: &'a str,
        from: usize,
        folders: &[PathBuf],
    ) -> Option<AlertCall> {
        let (name, place, words) = self.command(entry, text, from..text.len())?;
        let path = self.program("alert", name, folders);
        if path.is_none() {
            self.missing("alert", name, &place, folders);
        }
        Some(AlertCall { name: name.to_owned(), path, words: words.into() })
    }

    /// A program in this part of a text: its name, where that stands, and its words.
    pub(super) fn command(
        &mut self,
        entry: &Entry<'a>,
        text: &'a str,
        part: Range<usize>,
    ) -> Option<(&'a str, Range<usize>, Vec<String>)> {
        let called = text.get(part).unwrap_or_default();
        let Some(name) = called.split_whitespace().next() else {
            return self.refuse(entry, "names no program", walk::example(entry.key));
        };
        let at = offset(text, name)..offset(text, name) + name.len();
        let after = offset(called, name) + name.len();
        let Some(words) = words(&called[after..]) else {
            let hint = "write \\' or \\\" for a quote that is meant";
            return self.refuse(entry, "has a quote that does not end", hint);
        };
        Some((name, self.part(entry.value, text, at), words))
    }

    /// Where the program is, looked for once in a file.
    pub(super) fn program(
        &mut self,
        kind: &'static str,
        name: &str,
        folders: &[PathBuf],
    ) -> Option<Arc<PathBuf>> {
        if let Some(known) = self.programs.get(&(kind, name.to_owned())) {
            return known.clone();
        }
        let found = find(name, folders, self.names.mon().files).map(Arc::new);
        self.programs.insert((kind, name.to_owned()), found.clone());
        found
    }

    pub(super) fn missing(
        &mut self,
        kind: &str,
        name: &str,
        place: &Range<usize>,
        folders: &[PathBuf],
    ) {
        let folders: Vec<_> = folders.iter().map(|path| path.display().to_string()).collect();
        let message = match name.starts_with('/') {
            true => format!("there is no program {}", quoted(name)),
            false => {
                let folders = folders.join(" or in ");
                format!("there is no program {} in {folders}", quoted(name))
            }
        };
        let hint = format!(
            "nothing comes of it: put it there and save this file again, or set {kind}_dir in \
             global.yaml"
        );
        self.findings.warning(place, message, hint);
    }
}

/// Where a part of a text begins in it.
fn offset(text: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize)
}

/// What stands behind `exit=`.
fn after_exit(word: &str) -> Option<&str> {
    let (name, range) = word.split_once('=')?;
    name.eq_ignore_ascii_case("exit").then_some(range)
}

/// The first of its name, or the one at this path.
fn find(name: &str, folders: &[PathBuf], files: &dyn Files) -> Option<PathBuf> {
    let named = name.starts_with('/').then(|| Path::new(name).to_owned());
    let paths = match named {
        Some(path) => vec![path],
        None => folders.iter().map(|folder| folder.join(name)).collect(),
    };
    paths.into_iter().find(|path| files.is_program(path))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::super::{Defaults, parse_global, parse_services};
    use super::*;
    use crate::config::{Dialect, MonMeans, Names, Parsed, Source, one_line};
    use crate::model::{Expression, Family, Protocol};

    /// A system with two programs.
    struct Known;

    impl Files for Known {
        fn is_program(&self, path: &Path) -> bool {
            let known = ["/usr/lib/mon/alert.d/mail.alert", "/opt/alerts/page.alert"];
            known.map(Path::new).contains(&path)
        }

        fn is_readable(&self, _: &Path) -> bool {
            false
        }

        fn is_folder(&self, _: &Path) -> bool {
            false
        }
    }

    impl Names for Known {
        fn host(&self, _: &str, _: Family) -> Vec<IpAddr> {
            Vec::new()
        }

        fn port(&self, _: &str, _: Option<Protocol>) -> Option<u16> {
            None
        }

        fn node(&self) -> String {
            "localhost".to_owned()
        }

        fn mon(&self) -> MonMeans<'_> {
            MonMeans { files: &Known, ..MonMeans::default() }
        }
    }

    const HEAD: &str = "virtual: 10.0.0.3:80\nreal: [192.168.0.1:80, 192.168.0.2:80]\nalerts:\n";

    fn source(text: &str, dialect: Dialect) -> Source {
        Source { path: Arc::new("web.yaml".into()), dialect, text: text.into() }
    }

    fn read(text: &str, defaults: &Defaults) -> Parsed {
        parse_services(&source(text, Dialect::Yaml), defaults, &Known)
    }

    fn parsed(alerts: &str) -> Parsed {
        read(&format!("{HEAD}{alerts}"), &Defaults::default())
    }

    fn told(parsed: &Parsed) -> Vec<String> {
        parsed.diagnostics.iter().map(|diagnostic| one_line(diagnostic, None)).collect()
    }

    fn watch(parsed: &Parsed) -> &ServiceWatch {
        assert_eq!(told(parsed), Vec::<String>::new());
        parsed.services[0].watch.as_ref().unwrap()
    }

    #[test]
    fn every_server_is_watched_and_the_service_is_its_group() {
        let parsed = parsed("- {alert: mail.alert root, unack_summary: true}\n");
        let watch = watch(&parsed);
        assert_eq!(&*watch.group, "10.0.0.3:80");
        assert_eq!(*watch.hosts, ["192.168.0.1", "192.168.0.2"]);
        let keys: Vec<_> = watch.specs.iter().map(|spec| spec.key.to_string()).collect();
        assert_eq!(keys, ["10.0.0.3:80/192.168.0.1:80", "10.0.0.3:80/192.168.0.2:80"]);
        let spec = &watch.specs[1];
        assert_eq!(spec.hosts.as_deref(), Some(&["192.168.0.2".to_owned()][..]));
        assert!(spec.monitor.is_none() && spec.interval.is_none() && spec.unack_summary);
    }

    #[test]
    fn the_words_are_mons_and_mean_the_same() {
        let text = "\
- period: wd {Mon-Fri} hr {9am-5pm}
  label: WORK
  alert:
    - exit=1-3 mail.alert -S \"two words\" root
    - mail.alert other
  upalert: mail.alert root
  startupalert: mail.alert s
  ackalert: mail.alert a
  disablealert: mail.alert d
  alertevery: 1.5h strict
  alertafter: [3, 10m, 2 1h30m]
  upalertafter: 5m
  numalerts: 4
  no_comp_alerts: true
  alerts_dont_count: true
  alertexitrange: 1
- alert: mail.alert always
";
        let parsed = parsed(text);
        let periods = &watch(&parsed).specs[0].periods;
        let [work, always] = &periods[..] else { panic!("{periods:?}") };
        assert_eq!((&*work.label, &*always.label), ("WORK", ""));
        let first = &work.alerts[0];
        assert_eq!(first.exit, Some(ExitRange { first: 1, last: 3 }));
        assert_eq!(*first.call.words, ["-S", "two words", "root"]);
        let path = first.call.path.as_ref().unwrap();
        assert_eq!(path.to_str(), Some("/usr/lib/mon/alert.d/mail.alert"));
        let on: Vec<_> = work.alerts.iter().map(|alert| alert.on).collect();
        use AlertOn::{Acknowledgement, Disabling, Failure, Recovery, Startup};
        assert_eq!(on, [Failure, Failure, Recovery, Startup, Acknowledgement, Disabling]);
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let meant = Throttle {
            every: Some((minutes(90), Repeat::Strict)),
            after_failures: Some(3),
            after_time: Some(minutes(10)),
            after_within: Some((2, minutes(90))),
            recovery_after: Some(minutes(5)),
            limit: Some(4),
            exit: Some(ExitRange { first: 1, last: 1 }),
            unpaired: true,
            uncounted: true,
        };
        assert_eq!(work.throttle, meant);
    }

    const MAPPING: &str = "\
- virtual: 10.0.0.3:80
  real: [192.168.0.1, 192.168.0.2]
  check: connect
  alerts:
    periods: [{alert: mail.alert root}]
    alertdepend: routers:ping || routers:dns
    dep_memory: 5m
    exclude_hosts: [192.168.0.2]
    exclude_period: wd {Sun}
    redistribute: mail.alert all
    unack_summary: true
- watch: routers
  services: [{service: ping}, {service: dns}]
";

    #[test]
    fn a_mapping_says_more_than_periods() {
        let parsed = read(MAPPING, &Defaults::default());
        let [told, excluded] = &watch(&parsed).specs[..] else { panic!() };
        assert_eq!(told.periods.len(), 1);
        let depends = &told.depends;
        let alerts = depends.alerts.as_ref().unwrap();
        let service = |name| Box::new(Expression::Service(WatchKey::new("routers", name)));
        assert_eq!(alerts.expression, Expression::Or(service("ping"), service("dns")));
        assert_eq!(depends.memory, Duration::from_secs(300));
        assert_eq!(told.exclude.as_ref().unwrap().written, "wd {Sun}");
        assert_eq!(told.redistribute.as_ref().unwrap().name, "mail.alert");
        assert!(told.unack_summary);
        assert!(excluded.periods.is_empty() && excluded.redistribute.is_none());
        assert_eq!(excluded.key.to_string(), "10.0.0.3:80/192.168.0.2:80");
        let folder = "alerts: [{alert: page.alert on-call}]\nalert_dir: /opt/alerts\n";
        let folder = parse_global(&source(folder, Dialect::Global), &Known).defaults.unwrap();
        let more = "{fwmark: 7, real: [10.0.0.1, 10.0.0.2], alerts: {exclude_hosts: [10.0.0.2]}}";
        let more = read(more, &folder);
        let told = watch(&more).specs.iter().map(|spec| spec.periods.len());
        assert_eq!(told.collect::<Vec<_>>(), [1, 0], "the folder's periods, with this besides");
        let only = "alerts: {redistribute: mail.alert all}";
        let only = read(&format!("{{fwmark: 7, real: [10.0.0.1], {only}}}"), &Defaults::default());
        assert!(watch(&only).specs[0].redistribute.is_some());
    }

    #[test]
    fn mistakes_in_the_mapping_are_told_where_they_stand() {
        for (written, wrong, message) in [
            ("routers:dns", "routers:snd", "there is no watched service routers/snd"),
            ("routers:dns", "SELF:dns", "there is no watched service SELF/dns"),
            ("routers:ping ||", "routers:ping |", ""),
            ("[192.168.0.2]", "[web2]", "has addresses of real servers, not \"web2\""),
            ("[192.168.0.2]", "[192.168.0.9]", "has the address 192.168.0.9"),
            ("{Sun}", "{Son}", ""),
            ("dep_memory: 5m", "dep_memory: 0", "has a time with its unit"),
            ("exclude_hosts", "exclude_host", "unknown key \"exclude_host\""),
            ("mail.alert all", "nosuch.alert", "there is no program"),
        ] {
            let text = MAPPING.replace(written, wrong);
            let parsed = read(&text, &Defaults::default());
            let [found] = &parsed.diagnostics[..] else { panic!("{wrong}: {:?}", told(&parsed)) };
            assert!(found.message.contains(message), "{wrong}: {found:?}");
            let line = text[..found.place.span.start].matches('\n').count();
            assert_eq!(text[..text.find(wrong).unwrap()].matches('\n').count(), line, "{found:?}");
            assert!(found.hint.is_some(), "{wrong}");
        }
    }

    #[test]
    fn every_mistake_is_told_where_it_stands() {
        for (alerts, message, at) in [
            ("- {alert: mail.alert, alertevery: 1}\n", "has a time with its unit", "1}"),
            ("- {alert: mail.alert, alertevery: 1h srict}\n", "no way to repeat", "srict"),
            ("- {alert: mail.alert, alertevery: 1h strict x}\n", "too many", "x}"),
            ("- {alert: mail.alert, alertafter: soon}\n", "a number of failures", "soon"),
            ("- {alert: mail.alert, alertafter: 0s}\n", "of 0 is none", "0s"),
            ("- {alert: mail.alert, upalertafter: 5}\n", "has a time with its unit", "5}"),
            ("- {alert: mail.alert, numalerts: 0}\n", "cannot be \"0\"", "0}"),
            ("- {alert: mail.alert, alertexitrange: x}\n", "no exit status", "x}"),
            ("- {alert: mail.alert, label: a-b}\n", "cannot be \"a-b\"", "a-b"),
            ("- {alert: exit=x mail.alert}\n", "no exit status", "exit=x"),
            ("- {alert: exit=1}\n", "names no program", "exit=1"),
            ("- {alert: mail.alert it's}\n", "a quote that does not end", "mail.alert"),
            ("- period: hr {25}\n  alert: mail.alert\n", "", "25"),
            ("- {alert: mail.alert}\n- {alert: mail.alert}\n", "is there twice", ""),
            ("- {alrt: mail.alert}\n", "unknown key \"alrt\"", "alrt"),
            ("- mail.alert\n", "a period of alerts is a mapping", "mail.alert"),
            ("mail.alert\n", "\"alerts\" is a list", "mail.alert"),
        ] {
            let text = match alerts.starts_with('-') {
                true => format!("{HEAD}{alerts}"),
                false => format!("{} {alerts}", HEAD.trim_end()),
            };
            let parsed = read(&text, &Defaults::default());
            assert!(parsed.has_errors(), "{alerts}");
            let found = parsed.diagnostics.iter().find(|d| d.message.contains(message));
            let found = found.unwrap_or_else(|| panic!("{alerts}: {:?}", told(&parsed)));
            assert!(text[found.place.span.start..].starts_with(at), "{alerts}: {found:?}");
            assert!(found.hint.is_some(), "{alerts}");
        }
    }

    #[test]
    fn one_reading_tells_all_mistakes() {
        let parsed = parsed("- {alert: '', alertevery: x, numalerts: y, label: '1'}\n");
        assert_eq!(parsed.diagnostics.len(), 4, "{:?}", told(&parsed));
    }

    #[test]
    fn what_tells_nobody_is_taken_with_a_word() {
        for (alerts, message) in [
            ("- {alert: nosuch.alert}\n", "there is no program \"nosuch.alert\" in /usr/lib/dir"),
            ("- {alert: /nosuch}\n", "there is no program \"/nosuch\""),
            ("- {period: none}\n", "this period tells nobody"),
            ("  exclude_period: wd {Sun}\n", "no periods, here or in global.yaml"),
            ("  dep_memory: 1h\n  periods: [{alert: mail.alert}]\n", "no alertdepend"),
            ("- {upalert: mail.alert}\n", "a recovery is told after"),
            ("- {alert: exit=2 mail.alert}\n", "the exit status is 1"),
            ("- {alert: mail.alert, alertexitrange: 2-1}\n", "the exit status is 1"),
        ] {
            let parsed = parsed(alerts);
            assert!(!parsed.has_errors(), "{:?}", told(&parsed));
            let told = told(&parsed);
            assert!(told.len() == 1 && told[0].contains(message), "{alerts}: {told:?}");
        }
        let text = format!("check: off\n{HEAD}- {{alert: mail.alert}}\n");
        let told = told(&read(&text, &Defaults::default()));
        assert!(told[0].contains("no real server of this service is asked"), "{told:?}");
    }

    #[test]
    fn a_folder_has_alerts_for_all_that_say_nothing() {
        let global = "alert_dir: /etc/a:/opt/alerts\nalerts: [{alert: page.alert on-call}]\n";
        let global = parse_global(&source(global, Dialect::Global), &Known);
        assert_eq!(told(&global), Vec::<String>::new());
        let defaults = global.defaults.unwrap();
        let says_nothing = read("{name: front page, fwmark: 7, real: [10.0.0.1]}", &defaults);
        let watch = watch(&says_nothing);
        assert_eq!(&*watch.group, "front_page");
        let call = &watch.specs[0].periods[0].alerts[0].call;
        assert_eq!(call.path.as_ref().unwrap().to_str(), Some("/opt/alerts/page.alert"));
        let own = read("{fwmark: 7, real: [10.0.0.1], alerts: []}", &defaults);
        assert_eq!((told(&own), own.services[0].watch.is_none()), (Vec::new(), true));
        let other = read("{fwmark: 7, real: [10.0.0.1], alerts: [{alert: mail.alert}]}", &defaults);
        assert!(told(&other)[0].contains("in /etc/a or in /opt/alerts"), "{:?}", told(&other));
    }

    #[test]
    fn folders_are_paths_from_the_root() {
        let global = parse_global(&source("alert_dir: [/a, b]\n", Dialect::Global), &Known);
        assert!(told(&global)[0].contains("not \"b\""), "{:?}", told(&global));
    }
}
