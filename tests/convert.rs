//! `directord convert`: what is printed asks for the same table and the same checks, for every
//! `.cf` file there is here, and says where it does not.
//!
//! `UPDATE_EXPECTED=1 cargo test --test convert` writes what is printed now beside the files of
//! `tests/convert`, for review.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use directord::config::{Defaults, Dialect, Names, Source, convert, parse, render};
use directord::model::{ByHand, CheckSpec, Family, Protocol, RealServer, VirtualService};

struct Book;

impl Names for Book {
    fn host(&self, name: &str, family: Family) -> Vec<IpAddr> {
        let addresses: &[&str] = match (name, family) {
            ("www.example.com", Family::Ipv4) => &["192.0.2.99"],
            ("one.example.com", Family::Ipv4) => &["10.0.0.1"],
            ("one.example.com", Family::Ipv6) => &["2001:db8::10"],
            ("many.example.com", Family::Ipv4) => &["10.0.0.77", "10.0.0.78"],
            _ => &[],
        };
        addresses.iter().map(|address| address.parse().unwrap()).collect()
    }

    fn port(&self, name: &str, _: Option<Protocol>) -> Option<u16> {
        match name {
            "http" => Some(80),
            "webcache" => Some(8080),
            _ => None,
        }
    }

    fn node(&self) -> String {
        "localhost".to_owned()
    }
}

fn source(path: &Path, dialect: Dialect, text: &str) -> Source {
    Source { path: Arc::new(path.to_owned()), dialect, text: text.into() }
}

/// The services of a text without mistakes.
fn services(source: &Source) -> Vec<VirtualService> {
    let parsed = parse(source, &Defaults::default(), &Book);
    let text = source.text.clone();
    let told = render(&parsed.diagnostics, &|_| Some(text.clone()), false);
    assert!(!parsed.has_errors(), "{}:\n{text}\n{told}", source.path.display());
    parsed.services.iter().map(|declared| (*declared.service).clone()).collect()
}

/// A service without what the native dialect cannot say and every converted file says so, and
/// without what makes no difference: how often nothing is asked.
fn comparable(mut service: VirtualService) -> VirtualService {
    service.by_hand = ByHand::Repair;
    service.tells_rows = false;
    let server = |server: RealServer| {
        let mut spec = (*server.check).clone();
        if let Some(between) = &mut spec.between {
            // Marked where it is another.
            between.timeout = spec.timeout;
        }
        let asks = spec.probe.asks();
        let bare = CheckSpec {
            interval: Default::default(),
            retry: Default::default(),
            timeout: Default::default(),
            fall: 1,
            ..spec.clone()
        };
        RealServer {
            check: Arc::new(if asks { spec } else { bare }),
            check_endpoint: if asks { server.check_endpoint } else { server.endpoint },
            // Messages and the names of maintenance files have it, no packet does.
            written_port: 0,
            ..server
        }
    };
    service.servers = service.servers.into_iter().map(server).collect();
    service
}

fn files() -> Vec<PathBuf> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["conf.d", "tests/behaviour", "tests/convert"].map(|folder| top.join(folder));
    let entries = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|e| e == "cf")).collect();
    files.sort();
    files
}

#[test]
fn a_converted_file_asks_for_the_same_services() {
    let mut compared = 0;
    for path in files() {
        if path.ends_with("tests/convert/unsayable.cf") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let old = source(&path, Dialect::Ldirectord, &text);
        let converted = convert(&old, &Book);
        if parse(&old, &Defaults::default(), &Book).has_errors() {
            assert!(converted.text.is_empty(), "{}", path.display());
            continue;
        }
        let new = source(&path, Dialect::Yaml, &converted.text);
        let (old, new) = (services(&old), services(&new));
        assert_eq!(old.len(), new.len(), "{}", path.display());
        for (old, new) in old.into_iter().map(comparable).zip(new.iter().cloned().map(comparable)) {
            assert_eq!(old, new, "{}:\n{}", path.display(), converted.text);
            compared += 1;
        }
    }
    assert!(compared > 30, "{compared}");
}

/// Of a file in `tests/convert`.
fn converted(name: &str) -> directord::config::Converted {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/convert").join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    convert(&source(&path, Dialect::Ldirectord, &text), &Book)
}

#[test]
fn every_file_is_printed_as_expected() {
    let mut wrong = Vec::new();
    for name in ["addresses", "checks", "comments", "unsayable"] {
        let printed = converted(&format!("{name}.cf")).text;
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/convert/{name}.yaml"));
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            std::fs::write(&path, &printed).unwrap();
        }
        if std::fs::read_to_string(&path).unwrap_or_default() != printed {
            wrong.push(format!("{}:\n{printed}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_has_no_word_is_marked() {
    let found = converted("unsayable.cf");
    for said in &found.differences {
        assert!(found.text.contains(&format!("# convert: {said}")), "{said}:\n{}", found.text);
    }
    assert_eq!(
        found.differences,
        [
            "emailalert = \"admin@example.com\": there is no key for it",
            "emailalertfreq = 3600: there is no key for it",
            "logfile = \"local0\": the log goes to standard error",
            "callback = \"/usr/local/bin/to-the-peer\": there is no key for it",
            "fallbackcommand = /usr/local/bin/page: there is no key for it",
            "comment = the shop: there is no key for it",
            "emailalert = ops@example.com: there is no key for it",
            "this is refused: \"interval\" cannot be \"2d\"",
        ]
    );
}

#[test]
fn a_real_without_a_port_is_told_to_its_check_otherwise() {
    let text = "virtual = 192.0.2.2:80\n\treal = 10.0.0.11 gate\n\tchecktype = external\n\
                \tcheckcommand = /bin/check\n";
    let found = convert(&source(Path::new("a.cf"), Dialect::Ldirectord, text), &Book);
    assert_eq!(
        found.differences.last().map(String::as_str),
        Some("the check of 10.0.0.11:80 is told port 80, not 0")
    );
}

#[test]
fn a_service_reads_alike_whatever_the_folders_defaults_usually_set() {
    let defaults = "scheduler: rr\nforward: ipip\non_failure: quiesce\non_stop: keep\n\
                    check: {https: {verify: true}, interval: 1m, timeout: 9s, fall: 9}\n";
    let global = source(Path::new("global.yaml"), Dialect::Global, defaults);
    let defaults = parse(&global, &Defaults::default(), &Book).defaults.unwrap();
    let new = source(Path::new("a.yaml"), Dialect::Yaml, &converted("checks.cf").text);
    let there = parse(&new, &defaults, &Book).services;
    let there: Vec<_> = there.iter().map(|s| comparable((*s.service).clone())).collect();
    let alone: Vec<_> = services(&new).into_iter().map(comparable).collect();
    assert_eq!(there, alone);
}

fn directord(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_directord"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_command_prints_the_text_and_tells_of_differences() {
    let (status, out, errors) = directord(&["convert", "conf.d/howto.cf"]);
    assert_eq!(status, Some(0));
    assert!(out.contains("\nvirtual: 10.0.0.3:80\n"), "{out}");
    assert!(errors.ends_with("2 differences, marked by \"# convert:\"\n"), "{errors}");
}

#[test]
fn a_file_with_mistakes_is_not_converted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("www");
    std::fs::write(&path, "virtual = 192.0.2.1:80\n\treal = 10.0.0.1:80\n").unwrap();
    let (status, out, errors) = directord(&["convert", path.to_str().unwrap()]);
    assert_eq!((status, out.as_str()), (Some(1), ""));
    assert!(errors.contains("the forwarding method is missing"), "{errors}");
}

#[test]
fn what_is_no_file_is_not_converted() {
    for path in ["/nonexistent/www.cf", "conf.d"] {
        let (status, out, errors) = directord(&["convert", path]);
        assert_eq!((status, out.as_str()), (Some(1), ""));
        assert!(errors.starts_with(&format!("directord: {path}: ")), "{errors}");
    }
}
