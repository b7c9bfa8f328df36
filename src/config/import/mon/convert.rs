//! A `mon.cf` in the native dialect.
//!
//! The form: an item with `watch: GROUP` is a watch, as one with `virtual` is a service; its
//! `services` and their `periods` are lists, because their order counts, with mon's words for keys
//! and mon's notation for values. A real server whose health a watch decides names it in `watch`.
//! What holds for all watches belongs into `global.yaml` and is written as remarks.

mod difference;

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use super::{Parsed, Surroundings, parse};
use crate::config::yaml::print::{self, comment, line, scalar, time};
use crate::config::yaml::{USUAL_ALERTS, USUAL_MONITORS};
use crate::config::{Converted, Source};
use crate::model::{
    Collapse, Dependency, Endpoint, Family, Joined, MonFile, Period, ServiceKey, ViewItem,
    WatchKey, WatchSettings, WatchSpec, Watching,
};

/// Writes a `mon.cf` in the native dialect; one with mistakes yields them and no text. What is
/// printed is read back, with what it says is for `global.yaml`, and what is not the same is told.
pub fn convert(source: &Source, around: &Surroundings<'_>) -> Converted {
    let parsed = parse(source, around);
    if parsed.has_errors() {
        return Converted { diagnostics: parsed.diagnostics, ..Converted::default() };
    }
    let Parsed { file, diagnostics, .. } = parsed;
    let (global, items) = (global(&file), items(&file));
    let mut differences = difference::all(&file, &global, &items, around.names);
    if source.text.lines().any(|line| line.trim_start().starts_with('#')) {
        differences.insert(0, "remarks are not carried over".to_owned());
    }
    let name = source.path.file_name().unwrap_or_default().to_string_lossy();
    let mut text = comment(&format!("# {name}, as directord convert writes it."));
    text.push('\n');
    for said in &differences {
        text.push_str(&comment(&format!("# convert: {said}")));
        text.push('\n');
    }
    if !global.is_empty() {
        text.push_str("\n# For global.yaml:\n");
    }
    for line in global.lines() {
        text.push_str(&comment(&format!("# {line}")));
        text.push('\n');
    }
    text.push_str(&items);
    Converted { text, differences, diagnostics }
}

fn items(file: &MonFile) -> String {
    let mut out = Rows::default();
    file.joined.iter().for_each(|joined| virtual_service(joined, &mut out));
    for group in file.watching.groups.keys() {
        watch(file, group, &mut out);
    }
    if file.joined.is_empty() && file.watching.groups.is_empty() {
        out.text.push_str("\n[]\n");
    }
    out.text
}

/// Lines of YAML.
#[derive(Default)]
struct Rows {
    text: String,
}

impl Rows {
    /// `KEY: VALUE`, the first of an item with its dash.
    fn row(&mut self, depth: usize, first: bool, key: &str, value: &str) {
        let blanks = "  ".repeat(depth);
        let dash = if first { "- " } else { "  " };
        let blank = if value.is_empty() { "" } else { " " };
        let _ = writeln!(self.text, "{blanks}{dash}{key}:{blank}{value}");
    }

    fn text(&mut self, depth: usize, key: &str, value: &str) {
        self.row(depth, false, key, &scalar(value));
    }

    fn time(&mut self, depth: usize, key: &str, value: Option<Duration>) {
        if let Some(value) = value {
            self.text(depth, key, &time(value));
        }
    }

    fn flag(&mut self, depth: usize, key: &str, value: bool) {
        if value {
            self.row(depth, false, key, "true");
        }
    }

    fn list<'w>(&mut self, depth: usize, key: &str, words: impl Iterator<Item = &'w str>) {
        // Between brackets commas and braces mean something; `scalar` quotes them.
        let words: Vec<String> = words.map(scalar).collect();
        if !words.is_empty() {
            self.row(depth, false, key, &format!("[{}]", words.join(", ")));
        }
    }
}

/// What is for `global.yaml`, where it is not as usual.
fn global(file: &MonFile) -> String {
    let mut text = String::new();
    let places = &file.places;
    for (key, folders, usual) in [
        ("alert_dir", &places.alerts, USUAL_ALERTS),
        ("monitor_dir", &places.monitors, USUAL_MONITORS),
    ] {
        if !folders.iter().eq(usual.map(Path::new)) {
            let folders: Vec<_> =
                folders.iter().map(|path| scalar(&path.to_string_lossy())).collect();
            let _ = writeln!(text, "{key}: [{}]", folders.join(", "));
        }
    }
    let rows = settings(&file.watching);
    if !rows.is_empty() {
        text.push_str("watching:\n");
    }
    for (key, value) in rows {
        let _ = writeln!(text, "  {key}: {value}");
    }
    text
}

fn settings(watching: &Watching) -> Vec<(&'static str, String)> {
    let (settings, usual) = (&watching.settings, WatchSettings::default());
    let mut rows: Vec<(&'static str, String)> = Vec::new();
    rows.extend(settings.max_processes.map(|count| ("max_processes", count.to_string())));
    if settings.history != usual.history {
        rows.push(("history", settings.history.to_string()));
    }
    rows.extend(settings.random_start.map(|value| ("random_start", time(value))));
    rows.extend(settings.exclude.iter().map(|c| ("exclude_period", scalar(&c.written))));
    if settings.recursion_limit != usual.recursion_limit {
        rows.push(("recursion_limit", settings.recursion_limit.to_string()));
    }
    if settings.startup_alerts_on_reset {
        rows.push(("startup_alerts_on_reset", "true".to_owned()));
    }
    let folders = &settings.folders;
    for (key, path) in [
        ("historic_file", settings.historic_file.as_ref()),
        ("downtime_file", settings.downtime_file.as_ref()),
        ("state_dir", Some(&folders.state)),
        ("log_dir", Some(&folders.log)),
        ("config_dir", Some(&folders.config)),
    ] {
        let path = path.filter(|path| !path.as_os_str().is_empty());
        rows.extend(path.map(|path| (key, scalar(&path.to_string_lossy()))));
    }
    rows.extend(settings.historic_time.map(|value| ("historic_time", time(value))));
    rows.extend(settings.collapse.map(|Collapse { within, more_than }| {
        ("collapse", format!("{{within: {}, more_than: {more_than}}}", time(within)))
    }));
    if !watching.views.is_empty() {
        let views: Vec<String> = watching
            .views
            .iter()
            .map(|(name, items)| {
                let items: Vec<String> = items.iter().map(view_item).collect();
                format!("{}: {}", scalar(name), scalar(&items.join(" ")))
            })
            .collect();
        rows.push(("views", format!("{{{}}}", views.join(", "))));
    }
    rows
}

fn view_item(item: &ViewItem) -> String {
    match &item.service {
        Some(service) => format!("{}:{service}", item.group),
        None => item.group.to_string(),
    }
}

fn virtual_service(joined: &Joined, out: &mut Rows) {
    out.text.push('\n');
    match joined.service {
        ServiceKey::Address { protocol, address, port } => {
            let endpoint = Endpoint::new(address, port).to_string();
            out.row(0, true, "virtual", &quoted_brackets(&endpoint));
            out.text(0, "protocol", protocol.name());
        }
        ServiceKey::Fwmark { mark, family } => {
            out.row(0, true, "fwmark", &mark.to_string());
            if family == Family::Ipv6 {
                out.text(0, "family", "ipv6");
            }
        }
    }
    match joined.scheduler {
        Some(scheduler) => out.text(0, "scheduler", scheduler.as_str()),
        None => out.flag(0, "partial", true),
    }
    // An alert deletes the row and no more, and mon leaves the table as it is when it ends.
    out.text(0, "on_failure", "remove-without-reset");
    out.text(0, "on_stop", "keep");
    out.row(0, false, "real", "");
    for server in &joined.servers {
        let endpoint = quoted_brackets(&server.endpoint.to_string());
        out.row(1, true, "address", &endpoint);
        out.text(1, "forward", &server.destination.forward.to_string());
        out.row(1, false, "weight", &server.destination.weight.to_string());
        out.row(1, false, "watch", "");
        for watch in &server.watches {
            out.row(2, true, "service", &scalar(&watch.key.to_string()));
            out.row(2, false, "rise", &watch.rise.to_string());
            out.row(2, false, "fall", &watch.fall.to_string());
        }
    }
}

/// An address as YAML takes it: a bracket would begin a list.
fn quoted_brackets(endpoint: &str) -> String {
    match endpoint.starts_with('[') {
        true => format!("\"{endpoint}\""),
        false => endpoint.to_owned(),
    }
}

fn watch(file: &MonFile, group: &str, out: &mut Rows) {
    let hosts = file.watching.groups.get(group).map_or(&[][..], |hosts| hosts);
    let specs = file.watching.services.range(WatchKey::new(group, "")..);
    let specs = specs.take_while(|(key, _)| &*key.group == group);
    let specs: Vec<&WatchSpec> = specs.map(|(_, spec)| &**spec).collect();
    out.text.push('\n');
    out.row(0, true, "watch", &scalar(group));
    // A group that is its own only host needs none.
    if hosts != [group.to_owned()] {
        match hosts.is_empty() {
            true => out.row(0, false, "hosts", "[]"),
            false => out.list(0, "hosts", hosts.iter().map(String::as_str)),
        }
    }
    if !specs.is_empty() {
        out.row(0, false, "services", "");
    }
    specs.into_iter().for_each(|spec| service(spec, out));
}

fn service(spec: &WatchSpec, out: &mut Rows) {
    out.row(1, true, "service", &scalar(&spec.key.service));
    if let Some(description) = &spec.description {
        out.text(1, "description", description);
    }
    if let Some(monitor) = &spec.monitor {
        out.text(1, "monitor", &monitor.written);
    }
    for (key, value) in [
        ("interval", spec.interval),
        ("failure_interval", spec.failure_interval),
        ("randskew", spec.skew),
        ("traptimeout", spec.trap_timeout),
        ("trapduration", spec.trap_duration),
    ] {
        out.time(1, key, value);
    }
    out.flag(1, "allow_empty_group", spec.allow_empty_group);
    out.list(1, "exclude_hosts", spec.exclude_hosts.iter().map(String::as_str));
    if let Some(exclude) = &spec.exclude {
        out.text(1, "exclude_period", &exclude.written);
    }
    let depends = &spec.depends;
    let depend = |key, dependency: &Option<Dependency>, out: &mut Rows| {
        if let Some(dependency) = dependency {
            out.text(1, key, &dependency.written);
        }
    };
    depend("alertdepend", &depends.alerts, out);
    depend("monitordepend", &depends.monitors, out);
    depend("hostdepend", &depends.hosts, out);
    out.time(1, "dep_memory", Some(depends.memory).filter(|memory| !memory.is_zero()));
    out.flag(1, "unack_summary", spec.unack_summary);
    if !spec.environment.is_empty() {
        out.row(1, false, "environment", "");
        for (name, value) in &spec.environment {
            // Some of these names are truths to some readers.
            out.text(2, &scalar(name), value);
        }
    }
    if let Some(call) = &spec.redistribute {
        out.text(1, "redistribute", &line(&call.name, &call.words));
    }
    if !spec.periods.is_empty() {
        out.row(1, false, "periods", "");
    }
    spec.periods.iter().for_each(|given| period(given, out));
}

fn period(given: &Period, out: &mut Rows) {
    for (at, (key, value)) in print::period(given).into_iter().enumerate() {
        out.row(2, at == 0, key, &value);
    }
}
