//! The native dialect from outside: the samples of conf.d, and one folder for each case.
//!
//! `UPDATE_EXPECTED=1 cargo test --test config` writes what is answered now into the case
//! folders, for review.

use std::fmt::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use directord::config::mon::Files;
use directord::config::{
    Defaults, Dialect, MonMeans, Names, Parsed, Source, parse, render, schema,
};
use directord::model::{Family, Protocol, ServiceWatch, VirtualService};

/// A resolver that knows two hosts and one service, and a disk with three programs.
struct Book;

impl Files for Book {
    fn is_program(&self, path: &Path) -> bool {
        let own = Path::new("/usr/lib/directord/alert.d");
        let known = [own.join("mail.alert"), own.join("file.alert"), "/opt/page.alert".into()];
        known.iter().any(|known| known == path)
    }

    fn is_readable(&self, _: &Path) -> bool {
        false
    }

    fn is_folder(&self, _: &Path) -> bool {
        false
    }
}

impl Names for Book {
    fn host(&self, name: &str, family: Family) -> Vec<IpAddr> {
        let addresses: &[&str] = match (name, family) {
            ("www.example.com", Family::Ipv4) => &["192.0.2.1"],
            ("www.example.com", Family::Ipv6) => &["2001:db8::1"],
            ("many.example.com", Family::Ipv4) => &["192.0.2.2", "192.0.2.3"],
            _ => &[],
        };
        addresses.iter().map(|address| address.parse().unwrap()).collect()
    }

    fn port(&self, name: &str, _: Option<Protocol>) -> Option<u16> {
        (name == "http").then_some(80)
    }

    fn node(&self) -> String {
        "localhost".to_owned()
    }

    fn mon(&self) -> MonMeans<'_> {
        MonMeans { files: &Book, ..MonMeans::default() }
    }
}

fn source(path: &Path, text: &str) -> Source {
    let dialect = match path.file_name().and_then(|name| name.to_str()) {
        Some("global.yaml") => Dialect::Global,
        _ => Dialect::Yaml,
    };
    Source { path: Arc::new(path.into()), dialect, text: text.into() }
}

/// What a case says: its services, then its mistakes.
fn answer(parsed: &Parsed, text: &str) -> String {
    let mut out = String::new();
    for declared in &parsed.services {
        describe(&declared.service, &mut out);
        if let Some(watch) = &declared.watch {
            describe_watch(watch, &mut out);
        }
    }
    if let Some(watching) = &parsed.watching {
        writeln!(out, "{:#?}\n{:#?}", watching.groups, watching.services).unwrap();
    }
    if let (Some(settings), Some(defaults)) = (&parsed.settings, &parsed.defaults) {
        writeln!(out, "{settings:#?}\n{defaults:#?}").unwrap();
    }
    let text: Arc<str> = text.into();
    out + &render(&parsed.diagnostics, &|_| Some(text.clone()), false)
}

fn describe(service: &VirtualService, out: &mut String) {
    let VirtualService { key, name, settings, servers, fallback, on_failure, on_stop, .. } =
        service;
    writeln!(out, "{key} {name:?} {on_failure:?} {on_stop:?}").unwrap();
    writeln!(out, "  {settings:?}").unwrap();
    for server in servers {
        let (endpoint, row) = (server.endpoint, server.destination);
        let held = if server.maintenance { " maintenance" } else { "" };
        writeln!(out, "  {endpoint} {row}{held}").unwrap();
        let check = format!("{:?}", server.check).replace(", between: None", "");
        writeln!(out, "    check {} {check}", server.check_endpoint).unwrap();
    }
    if let Some(fallback) = fallback {
        writeln!(out, "  fallback {} {}", fallback.endpoint, fallback.destination).unwrap();
    }
    if let Some(folder) = &service.maintenance_dir {
        writeln!(out, "  maintenance_dir {}", folder.display()).unwrap();
    }
    for vip in &service.vips {
        writeln!(out, "  vip {} {:?} {:?}", vip.key, vip.when, vip.announce).unwrap();
    }
    out.push('\n');
}

fn describe_watch(watch: &ServiceWatch, out: &mut String) {
    writeln!(out, "  watched as {}: {}", watch.group, watch.hosts.join(" ")).unwrap();
    for spec in &watch.specs {
        let hosts = spec.hosts.as_ref().unwrap().join(" ");
        writeln!(out, "    {} {hosts} unack_summary {}", spec.key, spec.unack_summary).unwrap();
    }
    for period in &*watch.specs[0].periods {
        writeln!(out, "    {period:?}").unwrap();
    }
    out.push('\n');
}

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|e| e == extension)).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

#[test]
fn every_case_is_answered_as_expected() {
    let mut wrong = Vec::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config");
    for case in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let input = match case.join("global.yaml") {
            global if global.exists() => global,
            _ => case.join("input.yaml"),
        };
        let text = std::fs::read_to_string(&input).unwrap();
        let shown = Path::new(input.file_name().unwrap());
        let parsed = parse(&source(shown, &text), &Defaults::default(), &Book);
        let answer = answer(&parsed, &text);
        let expected = case.join("expected.txt");
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            std::fs::write(&expected, &answer).unwrap();
        }
        if std::fs::read_to_string(&expected).unwrap_or_default() != answer {
            wrong.push(format!("{}: answered\n{answer}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_sample_is_taken_without_a_remark() {
    let mut keys = Vec::new();
    let global = source(Path::new("conf.d/global.yaml"), include_str!("../conf.d/global.yaml"));
    let global = parse(&global, &Defaults::default(), &Book);
    let defaults = global.defaults.clone().unwrap();
    for file in files("conf.d", "yaml") {
        let text = std::fs::read_to_string(&file).unwrap();
        let parsed = parse(&source(&file, &text), &defaults, &Book);
        assert!(parsed.diagnostics.is_empty(), "{}", answer(&parsed, &text));
        assert!(parsed.settings.is_some() || !parsed.services.is_empty());
        keys.extend(parsed.services.iter().map(|declared| declared.service.key));
    }
    let count = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), count, "two samples claim one service");
}

#[test]
fn the_sample_defaults_are_those_that_hold_without_the_file() {
    let text = include_str!("../conf.d/global.yaml");
    let global = parse(&source(Path::new("global.yaml"), text), &Defaults::default(), &Book);
    assert_eq!(global.settings, Some(Default::default()));
    let web = source(Path::new("web.yaml"), "virtual: 192.0.2.9:80\nreal: [192.0.2.1]\n");
    let with = parse(&web, &global.defaults.unwrap(), &Book);
    assert_eq!(with, parse(&web, &Defaults::default(), &Book));
}

#[test]
fn no_tunnel_crosses_families_beside_a_sync_daemon() {
    let text = "sync: {interface: hb0}\n";
    let global = parse(&source(Path::new("global.yaml"), text), &Defaults::default(), &Book);
    let web = "virtual: 192.0.2.9:80\nforward: ipip\nreal: [\"[2001:db8::7]:80\"]\n";
    let web = source(Path::new("web.yaml"), web);
    assert_eq!(parse(&web, &Defaults::default(), &Book).diagnostics, []);
    let beside = parse(&web, &global.defaults.unwrap(), &Book);
    let [mistake] = &beside.diagnostics[..] else { panic!("{:?}", beside.diagnostics) };
    assert!(mistake.hint.as_ref().unwrap().contains("sync in global.yaml"), "{mistake:?}");
}

#[test]
fn every_sample_fits_the_schema() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    for file in files("conf.d", "yaml") {
        let text = std::fs::read_to_string(&file).unwrap();
        let value: serde_json::Value = serde_yaml::from_str(&text).unwrap();
        let errors: Vec<_> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", file.display());
    }
}

/// What other tools read in our samples is what we read.
#[test]
fn other_yaml_parsers_agree_on_every_sample() {
    for file in files("conf.d", "yaml") {
        let text = std::fs::read_to_string(&file).unwrap();
        let theirs: serde_json::Value = serde_yaml::from_str(&text).unwrap();
        let second: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(theirs, second, "{}", file.display());
    }
}
