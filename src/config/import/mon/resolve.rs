//! Drafts to what is watched, once the whole file is known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Surroundings;
use super::depends;
use super::draft::{File, PeriodDraft, ServiceDraft};
use super::findings::{Findings, about};
use super::join::Join;
use super::lines::Piece;
use super::programs::Programs;
use super::settings;
use crate::config::watch::limit;
use crate::model::{Alert, MonFile, MonPlaces, Period, ViewItem, WatchKey, WatchSpec, Watching};

pub(super) fn file(file: &File, around: &Surroundings<'_>, findings: &mut Findings) -> MonFile {
    let places = settings::places(&file.globals, around);
    let port = settings::port(file, &places, around, findings);
    let groups = groups(file, findings);
    let (services, joined) = services(file, &groups, &places, around, findings);
    let watching = Watching {
        views: views(file, &groups, findings),
        settings: settings::watching(&file.globals, &places, around),
        groups,
        services,
    };
    MonFile { watching, port, places, joined }
}

type Groups = BTreeMap<Arc<str>, Arc<[String]>>;
type Services = BTreeMap<WatchKey, Arc<WatchSpec>>;

fn groups(file: &File, findings: &mut Findings) -> Groups {
    let mut groups = Groups::new();
    for (name, group) in &file.groups {
        if !file.watches.contains_key(name) {
            findings.warning(&group.tag, "this group has no watch: nothing is asked of it");
        }
        let hosts = group.hosts.iter().filter(|host| !is_disabled(host, findings));
        let hosts = hosts.map(|host| host.text().to_owned()).collect();
        groups.insert(name.as_str().into(), hosts);
    }
    for (name, tag) in &file.watches {
        if !file.has_services(name) {
            findings.warning(tag, "this watch has no service: nothing is asked");
        }
        if file.groups.contains_key(name) {
            continue;
        }
        let hint = {
            let known = file.groups.keys().filter(|group| !file.watches.contains_key(*group));
            findings.did_you_mean(name, known.map(String::as_str))
        };
        let made = findings.warning(tag, "there is no such hostgroup: taken for one host");
        if let Some(hint) = hint {
            made.hint(hint);
        }
        groups.insert(name.as_str().into(), vec![name.clone()].into());
    }
    groups
}

/// mon's own mark for a host that is disabled; nobody writes it on purpose.
fn is_disabled(host: &Piece, findings: &mut Findings) -> bool {
    let is = host.text().starts_with('*');
    if is {
        findings
            .warning(host, "a host with a star is disabled: it is left out")
            .hint("take the star away, or the host");
    }
    is
}

fn views(
    file: &File,
    groups: &Groups,
    findings: &mut Findings,
) -> BTreeMap<Arc<str>, Arc<[ViewItem]>> {
    let item = |piece: &Piece, findings: &mut Findings| {
        let (group, service) = match piece.text().split_once(':') {
            Some((group, service)) => (group, Some(service)),
            None => (piece.text(), None),
        };
        let known = match service {
            Some(service) => file.known.contains_key(&WatchKey::new(group, service)),
            None => groups.contains_key(group),
        };
        if !known {
            findings.warning(piece, about("the view shows nothing for", piece.text()));
        }
        ViewItem { group: group.into(), service: service.map(Arc::from) }
    };
    let mut views = BTreeMap::new();
    for (name, pieces) in &file.views {
        let items = pieces.iter().map(|piece| item(piece, findings)).collect();
        views.insert(name.as_str().into(), items);
    }
    views
}

fn services(
    file: &File,
    groups: &Groups,
    places: &MonPlaces,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> (Services, Vec<crate::model::Joined>) {
    let mut programs = Programs::new(around, places);
    let mut join = Join::new(around.names);
    let mut services = Services::new();
    for draft in &file.services {
        if findings.is_full() {
            break;
        }
        let hosts = groups.get(&draft.key.group).cloned().unwrap_or_default();
        let monitor = draft
            .monitor
            .as_ref()
            .filter(|line| !line.text().is_empty())
            .map(|line| programs.monitor(line, limit(draft.interval, hosts.len()), findings));
        let mut periods = Vec::with_capacity(draft.periods.len());
        for period in &draft.periods {
            let told = join.take(draft, period, &hosts, findings);
            periods.push(self::period(period, &told, &mut programs, findings));
        }
        questions(draft, &hosts, findings);
        let redistribute = draft.redistribute.as_ref().and_then(|line| {
            let (name, rest) = line.first_word();
            let named = !name.text().is_empty();
            named.then(|| programs.alert(&name, &rest, findings))
        });
        let spec = WatchSpec {
            key: draft.key.clone(),
            hosts: None,
            description: draft.description.clone(),
            monitor,
            interval: draft.interval,
            failure_interval: draft.failure_interval,
            skew: draft.skew,
            allow_empty_group: draft.allow_empty_group,
            exclude_hosts: draft.exclude_hosts.iter().map(|host| host.text().to_owned()).collect(),
            exclude: draft.exclude.clone(),
            trap_timeout: draft.trap_timeout,
            trap_duration: draft.trap_duration,
            depends: depends::of(draft, file, findings),
            unack_summary: draft.unack_summary,
            environment: draft.environment.clone(),
            redistribute,
            periods: periods.into(),
        };
        services.insert(draft.key.clone(), Arc::new(spec));
    }
    (services, join.finish())
}

/// A period with the alerts that are somebody's to call: `told`, by their places.
fn period(
    draft: &PeriodDraft,
    told: &BTreeSet<usize>,
    programs: &mut Programs<'_>,
    findings: &mut Findings,
) -> Period {
    if draft.alerts.is_empty() {
        findings.warning(&draft.written, "this period has no alert: nobody is told");
    }
    let alerts = draft.alerts.iter().enumerate().filter(|(at, _)| told.contains(at));
    let alerts = alerts.map(|(_, alert)| Alert {
        on: alert.on,
        exit: alert.exit,
        call: programs.alert(&alert.name, &alert.rest, findings),
    });
    Period {
        label: draft.label.clone(),
        times: draft.times.clone(),
        alerts: alerts.collect(),
        throttle: draft.throttle.clone(),
    }
}

/// What a service asks, and of whom; a warning where that is nothing.
fn questions(draft: &ServiceDraft, hosts: &[String], findings: &mut Findings) {
    let by_trap = draft.trap_timeout.is_some() || draft.trap_duration.is_some();
    let name = &draft.name;
    match (&draft.monitor, draft.interval) {
        (Some(line), _) if line.text().is_empty() => {
            findings.warning(name, "no monitor is named: nothing is asked");
        }
        (Some(line), None) => {
            findings
                .warning(line, "without an interval this is never asked")
                .hint("write interval TIME");
        }
        (None, Some(_)) => {
            findings.warning(name, "without a monitor nothing is asked").hint("write monitor NAME");
        }
        (None, None) if !by_trap => {
            findings
                .warning(name, "neither an interval nor a time for traps: nothing is asked here")
                .hint("write interval TIME and monitor NAME, or traptimeout TIME");
        }
        _ => {}
    }
    let known: BTreeSet<&str> = hosts.iter().map(String::as_str).collect();
    let out: BTreeSet<&str> = draft.exclude_hosts.iter().map(Piece::text).collect();
    for host in &draft.exclude_hosts {
        if !known.contains(host.text()) {
            findings.warning(host, about("the group has no host", host.text()));
        }
    }
    let alone = draft.monitor.as_ref().is_some_and(|line| line.text().ends_with(";;"));
    if let Some(line) = draft.monitor.as_ref().filter(|_| !alone && !draft.allow_empty_group)
        && known.is_subset(&out)
    {
        findings
            .warning(line, "no host is left to ask: this is never run")
            .hint("write allow_empty_group to have it run all the same");
    }
}
