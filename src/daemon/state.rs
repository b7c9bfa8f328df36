//! The state files in the runtime folder: which services are ours, and what we know of servers.
//!
//! Both open with a line that names the kind, the version and a digest of the rest:
//!
//! ```text
//! directord-services 1 8c2f6a0e9f1b3d57
//! 192.0.2.10:443/tcp
//! fwmark:7/ipv6
//! ```
//!
//! ```text
//! directord-health 1 0b1d77f3a2c94e60
//! written 1795000000000
//! check 73f230ebf1d6d406 down 1794999990000 0 3 connect: connection refused
//! drain 10.0.0.7:80
//! drain 10.0.0.8:80 192.0.2.10:443/tcp
//! ```
//!
//! A file that does not agree with its digest is not believed in any part: half a line could be
//! the name of somebody else's service. Such a file, one of another version and one that is too
//! long count as missing, with a warning; the director then starts as if for the first time.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::disk::{self, DiskError};
use crate::config::source::{read_bytes, words};
use crate::model::{Digest, Drain, Memory, Remembered, ServiceKey, Verdict};

/// The longest state file that is read: 64 MiB, some 500,000 checks.
pub const MAX_STATE: u64 = 64 << 20;
/// The longest reason that is kept, in bytes.
const MAX_REASON: usize = 1024;

const SERVICES: &str = "directord-services 1";
const HEALTH: &str = "directord-health 1";

/// The state files of one runtime folder.
#[derive(Clone, Debug)]
pub struct StateFiles {
    services: PathBuf,
    health: PathBuf,
}

/// What a file said, and why it was not believed if it was not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loaded<T> {
    /// Empty when there is no file, or none to believe.
    pub value: T,
    pub warning: Option<String>,
}

impl StateFiles {
    pub fn new(runtime_dir: &Path) -> StateFiles {
        StateFiles { services: runtime_dir.join("services"), health: runtime_dir.join("health") }
    }

    /// The services the last daemon made or adopted.
    pub fn load_services(&self) -> Loaded<BTreeSet<ServiceKey>> {
        load(&self.services, SERVICES, |body| body.lines().map(|l| l.parse().ok()).collect())
    }

    /// Replaces the file.
    pub fn save_services<'a>(
        &self,
        services: impl IntoIterator<Item = &'a ServiceKey>,
    ) -> Result<(), DiskError> {
        let mut body = String::new();
        for key in services {
            let _ = writeln!(body, "{key}");
        }
        save(&self.services, SERVICES, &body)
    }

    /// What the last daemon knew of checks, and the operator's drains.
    pub fn load_health(&self) -> Loaded<Memory> {
        load(&self.health, HEALTH, memory)
    }

    /// Replaces the file.
    pub fn save_health(&self, memory: &Memory) -> Result<(), DiskError> {
        save(&self.health, HEALTH, &health_text(memory))
    }
}

fn save(path: &Path, kind: &str, body: &str) -> Result<(), DiskError> {
    let digest = Digest::EMPTY.bytes(body.as_bytes()).value();
    // The runtime folder is empty after a reboot, so there is no need to wait for the disk.
    disk::replace(path, format!("{kind} {digest:016x}\n{body}").as_bytes(), false)
}

fn load<T: Default>(path: &Path, kind: &str, parse: fn(&str) -> Option<T>) -> Loaded<T> {
    let read = match read_bytes(path, MAX_STATE) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(T::default()),
        Err(error) => Err(words(&error)),
        Ok(bytes) => body(&bytes, kind)
            .and_then(|body| parse(body).ok_or_else(|| "written by another version".to_owned())),
    };
    let ignored = |why| format!("read {}: {why}: ignored", path.display());
    match read {
        Ok(value) => Loaded { value, warning: None },
        Err(why) => Loaded { value: T::default(), warning: Some(ignored(why)) },
    }
}

/// What follows the first line, if the first line is right.
fn body<'a>(bytes: &'a [u8], kind: &str) -> Result<&'a str, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "damaged".to_owned())?;
    let (head, body) = text.split_once('\n').unwrap_or((text, ""));
    let (found, digest) = head.rsplit_once(' ').unwrap_or((head, ""));
    let right = format!("{:016x}", Digest::EMPTY.bytes(body.as_bytes()).value());
    match () {
        _ if found != kind => Err(format!("not a file of the kind {kind:?}")),
        _ if digest != right => Err("damaged".to_owned()),
        _ => Ok(body),
    }
}

fn health_text(memory: &Memory) -> String {
    // Sorted, so that two files can be compared by eye.
    let mut checks: Vec<_> = memory.checks.iter().collect();
    checks.sort_unstable_by_key(|(digest, _)| **digest);
    let mut text = String::with_capacity(64 * checks.len() + 64);
    let _ = writeln!(text, "written {}", memory.written_unix_ms);
    for (digest, check) in checks {
        let Remembered { verdict, since_unix_ms, passes, failures, reason } = check;
        let _ = write!(text, "check {digest:016x} {verdict} {since_unix_ms} {passes} {failures}");
        if let Some(reason) = reason {
            text.push(' ');
            push_escaped(&mut text, cut(reason, MAX_REASON));
        }
        text.push('\n');
    }
    for Drain { server, service } in &memory.drains {
        let _ = match service {
            None => writeln!(text, "drain {server}"),
            Some(service) => writeln!(text, "drain {server} {service}"),
        };
    }
    text
}

fn memory(text: &str) -> Option<Memory> {
    let mut memory = Memory::default();
    for line in text.lines() {
        let (word, rest) = line.split_once(' ')?;
        match word {
            "written" => memory.written_unix_ms = rest.parse().ok()?,
            "check" => {
                let (digest, check) = check(rest)?;
                memory.checks.insert(digest, check);
            }
            "drain" => memory.drains.push(drain(rest)?),
            _ => return None,
        }
    }
    Some(memory)
}

fn check(text: &str) -> Option<(u64, Remembered)> {
    let mut words = text.splitn(6, ' ');
    let digest = u64::from_str_radix(words.next()?, 16).ok()?;
    let verdict = match words.next()? {
        "unknown" => Verdict::Unknown,
        "up" => Verdict::Up,
        "down" => Verdict::Down,
        _ => return None,
    };
    let since_unix_ms = words.next()?.parse().ok()?;
    let passes = words.next()?.parse().ok()?;
    let failures = words.next()?.parse().ok()?;
    let reason = words.next().map(unescaped);
    Some((digest, Remembered { verdict, since_unix_ms, passes, failures, reason }))
}

fn drain(text: &str) -> Option<Drain> {
    let (server, service) = match text.split_once(' ') {
        None => (text, None),
        Some((server, service)) => (server, Some(service.parse().ok()?)),
    };
    Some(Drain { server: server.parse::<SocketAddr>().ok()?.into(), service })
}

/// The longest start of `text` of at most `max` bytes.
fn cut(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or(0)]
}

/// Keeps a reason on its line.
fn push_escaped(to: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '\\' => to.push_str("\\\\"),
            '\n' => to.push_str("\\n"),
            '\r' => to.push_str("\\r"),
            c => to.push(c),
        }
    }
}

fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        plain.push(match c {
            '\\' => match chars.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some(other) => other,
                None => '\\',
            },
            c => c,
        });
    }
    plain
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;
    use crate::model::Endpoint;

    fn files() -> (tempfile::TempDir, StateFiles) {
        let folder = tempfile::tempdir().unwrap();
        let files = StateFiles::new(folder.path());
        (folder, files)
    }

    fn some_memory() -> Memory {
        let check = |verdict, reason: Option<&str>| Remembered {
            verdict,
            since_unix_ms: 1_794_999_990_000,
            passes: 0,
            failures: 3,
            reason: reason.map(str::to_owned),
        };
        let server = Endpoint::new("2001:db8::7".parse().unwrap(), 80);
        Memory {
            written_unix_ms: 1_795_000_000_000,
            checks: [
                (1, check(Verdict::Up, None)),
                (2, check(Verdict::Unknown, Some(""))),
                (u64::MAX, check(Verdict::Down, Some(" receive: \"a\r\n\\n\" not found "))),
            ]
            .into(),
            drains: vec![
                Drain { server, service: None },
                Drain { server, service: "fwmark:7/ipv6".parse().ok() },
            ],
        }
    }

    #[test]
    fn health_is_read_back_as_written() {
        let (_folder, files) = files();
        assert_eq!(files.load_health(), Loaded { value: Memory::default(), warning: None });
        files.save_health(&some_memory()).unwrap();
        assert_eq!(files.load_health(), Loaded { value: some_memory(), warning: None });
    }

    #[test]
    fn services_are_read_back_as_written() {
        let (_folder, files) = files();
        let keys: BTreeSet<ServiceKey> =
            ["192.0.2.10:443/tcp", "[2001:db8::1]:53/udp", "fwmark:7/ipv6"]
                .map(|text| text.parse().unwrap())
                .into();
        files.save_services(&keys).unwrap();
        assert_eq!(files.load_services(), Loaded { value: keys, warning: None });
        files.save_services([]).unwrap();
        assert_eq!(files.load_services(), Loaded { value: BTreeSet::new(), warning: None });
    }

    #[test]
    fn a_damaged_file_is_ignored_wherever_it_is_cut() {
        let (folder, files) = files();
        files.save_services(&["fwmark:12".parse().unwrap()]).unwrap();
        let path = folder.path().join("services");
        let whole = fs::read(&path).unwrap();
        for end in 0..whole.len() {
            fs::write(&path, &whole[..end]).unwrap();
            let loaded = files.load_services();
            assert_eq!(loaded.value, BTreeSet::new(), "cut at {end}");
            assert!(loaded.warning.is_some(), "cut at {end}");
        }
    }

    #[test]
    fn a_file_of_another_version_or_nature_is_ignored() {
        let (folder, files) = files();
        let path = folder.path().join("health");
        for content in ["directord-health 2 cbf29ce484222325\n", "\u{0}\u{0}", "{}"] {
            fs::write(&path, content).unwrap();
            assert!(files.load_health().warning.is_some(), "{content:?}");
        }
        fs::File::create(&path).unwrap().set_len(MAX_STATE + 1).unwrap();
        let warning = files.load_health().warning.unwrap();
        assert!(warning.ends_with("longer than 64 MiB: ignored"), "{warning}");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(files.load_health().warning.is_some());
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let (_folder, files) = files();
        let mut memory = some_memory();
        memory.checks.get_mut(&1).unwrap().reason = Some("x".to_owned() + &"ä".repeat(1000));
        files.save_health(&memory).unwrap();
        let reason = files.load_health().value.checks[&1].reason.clone().unwrap();
        assert_eq!(reason.len(), 1023);
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let (folder, files) = files();
        files.save_health(&some_memory()).unwrap();
        fs::create_dir(folder.path().join(".health.new")).unwrap();
        let error = files.save_health(&Memory::default()).unwrap_err().to_string();
        assert!(error.ends_with("/health: is a directory"), "{error}");
        assert_eq!(files.load_health().value, some_memory());
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in "(check |drain |written |[0-9a-f]{16} |up |\\PC|\n)*") {
            memory(&text);
        }

        #[test]
        fn any_reason_comes_back(reason in "(\\PC|\n|\r|\\\\){0,40}") {
            let mut memory_of_one = Memory::default();
            let check = some_memory().checks[&1].clone();
            memory_of_one.checks.insert(7, Remembered { reason: Some(reason), ..check });
            prop_assert_eq!(memory(&health_text(&memory_of_one)), Some(memory_of_one));
        }
    }
}
