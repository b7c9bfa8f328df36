//! What owners write: configuration and patterns.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use directord::config::{Defaults, Dialect, Names, Source, convert, mon, parse, render};
use directord::model::{Family, NativeMonitor, Protocol};
use directord::pattern::Pattern;

use crate::driver::{answers, files, fuzz};

/// More than any text may take to be read on a slow machine; an explosion takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Every host has one address, and every service one port.
struct Book;

impl Names for Book {
    fn host(&self, _: &str, family: Family) -> Vec<IpAddr> {
        let address = match family {
            Family::Ipv4 => "192.0.2.1",
            Family::Ipv6 => "2001:db8::1",
        };
        vec![address.parse().unwrap()]
    }

    fn port(&self, _: &str, _: Option<Protocol>) -> Option<u16> {
        Some(80)
    }

    fn node(&self) -> String {
        "localhost".to_owned()
    }
}

/// Reads a text as `dialect` and shows all there is to say about it.
fn read(dialect: Dialect, bytes: &[u8]) -> Source {
    let text: Arc<str> = String::from_utf8_lossy(bytes).into();
    let source = Source { path: Arc::new("fuzz".into()), dialect, text: text.clone() };
    let began = Instant::now();
    let parsed = parse(&source, &Defaults::default(), &Book);
    let _ = render(&parsed.diagnostics, &|_| Some(text.clone()), false);
    assert!(began.elapsed() < PATIENCE);
    source
}

#[test]
fn yaml_texts() {
    let corpus = [files("../conf.d", ".yaml"), files("config", ".yaml")].concat();
    fuzz("yaml", &corpus, |bytes, _| drop(read(Dialect::Yaml, bytes)));
}

#[test]
fn global_texts() {
    let corpus = [files("../conf.d", "global.yaml"), files("config", "global.yaml")].concat();
    fuzz("global", &corpus, |bytes, _| drop(read(Dialect::Global, bytes)));
}

#[test]
fn cf_texts() {
    let corpus = [files("../conf.d", ".cf"), files("behaviour", ".cf"), files("convert", ".cf")];
    fuzz("cf", &corpus.concat(), |bytes, random| {
        let source = read(Dialect::Ldirectord, bytes);
        if random.one_in(4) {
            let converted = convert(&source, &Book);
            let again = Source { dialect: Dialect::Yaml, text: converted.text.into(), ..source };
            let taken = !parse(&again, &Defaults::default(), &Book).has_errors();
            // What had mistakes is not converted; what YAML refuses is marked.
            let excused = again.text.is_empty() || !converted.differences.is_empty();
            assert!(taken || excused, "{}", again.text);
        }
    });
}

/// Whatever a path is asked for, it is there or not by its length.
struct Half;

impl mon::Files for Half {
    fn is_program(&self, path: &Path) -> bool {
        path.as_os_str().len().is_multiple_of(2)
    }

    fn is_readable(&self, path: &Path) -> bool {
        self.is_program(path)
    }

    fn is_folder(&self, path: &Path) -> bool {
        self.is_program(path)
    }
}

#[test]
fn mon_texts() {
    fuzz("mon", &files("mon/files", ".cf"), |bytes, _| {
        let text: Arc<str> = String::from_utf8_lossy(bytes).into();
        let path = Arc::new("fuzz".into());
        let source = Source { path, dialect: Dialect::Ldirectord, text: text.clone() };
        let native = |monitor: &NativeMonitor| match monitor.words.len() % 2 {
            0 => Ok(()),
            _ => Err("odd".to_owned()),
        };
        let options = mon::Options::default();
        let around =
            mon::Surroundings { files: &Half, names: &Book, native: &native, options: &options };
        let began = Instant::now();
        let parsed = mon::parse(&source, &around);
        let shown = render(&parsed.diagnostics, &|_| Some(text.clone()), false);
        assert_eq!(parsed.has_errors(), parsed.first_error.is_some(), "{shown}");
        assert!(parsed.first_error.is_none_or(|line| !line.contains('\n')));
        assert!(began.elapsed() < PATIENCE);
    });
}

#[test]
fn patterns() {
    let (good, bad) = (answers("pattern", "pass"), answers("pattern", "fail"));
    let compile = |bytes: &[u8]| Pattern::compile(&String::from_utf8_lossy(bytes));
    assert!(good.iter().all(|pattern| compile(pattern).is_ok()));
    assert!(bad.iter().all(|pattern| compile(pattern).is_err()));
    let body = b"all is well, aaaabbbb\r\n".repeat(20);
    fuzz("pattern", &[good, bad].concat(), |bytes, _| {
        let began = Instant::now();
        if let Ok(pattern) = compile(bytes) {
            for text in [&body, bytes] {
                // A linear one always has an answer.
                assert!(pattern.is_match(text).is_ok() || !pattern.is_linear());
            }
        }
        assert!(began.elapsed() < PATIENCE);
    });
}
