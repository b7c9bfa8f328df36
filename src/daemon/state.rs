//! The state files in the runtime folder: which services and which addresses are ours, what we
//! know of servers, and which role we play.
//!
//! All open with a line that names the kind, the version and a digest of the rest:
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
//! withdrawn 10.0.0.9:80 192.0.2.10:443/tcp
//! ```
//!
//! A third, `directord-role`, holds the role somebody gave his word for, `active` or `standby`; a
//! fourth, `directord-vips`, the addresses we added: `10.0.0.3/32 on eth0`.
//!
//! What is added later is appended to a journal beside each, so that one server's flapping among
//! 20,000, and one more service among 10,000, cost one line. A journal opens with the digest of
//! the file it goes with, and each of its lines ends in a digest of its own; what does not agree
//! is left out:
//!
//! ```text
//! directord-journal 1 0b1d77f3a2c94e60
//! check 73f230ebf1d6d406 up 1795000001000 1 0 #51a8e0cc07b2d9f4
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
use crate::model::{Digest, Drain, Memory, Remembered, Role, ServiceKey, Verdict, VipKey};

/// The longest state file that is read: 64 MiB, some 500,000 checks.
pub const MAX_STATE: u64 = 64 << 20;
/// The longest reason that is kept, in bytes: what a person reads, and little enough that a
/// journal of 20,000 checks stays far below [`MAX_STATE`].
const MAX_REASON: usize = 256;

const SERVICES: &str = "directord-services 1";
const HEALTH: &str = "directord-health 1";
const ROLE: &str = "directord-role 1";
const VIPS: &str = "directord-vips 1";
const JOURNAL: &str = "directord-journal 1";

/// The state files of one runtime folder.
#[derive(Clone, Debug)]
pub struct StateFiles {
    services: PathBuf,
    services_journal: PathBuf,
    health: PathBuf,
    health_journal: PathBuf,
    role: PathBuf,
    vips: PathBuf,
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
        StateFiles {
            services: runtime_dir.join("services"),
            services_journal: runtime_dir.join("services.journal"),
            health: runtime_dir.join("health"),
            health_journal: runtime_dir.join("health.journal"),
            role: runtime_dir.join("role"),
            vips: runtime_dir.join("vips"),
        }
    }

    /// The services the last daemon made or adopted.
    pub fn load_services(&self) -> Loaded<BTreeSet<ServiceKey>> {
        let parse = |body: &str| body.lines().map(|line| line.parse().ok()).collect();
        let mut loaded: Loaded<BTreeSet<ServiceKey>> = load(&self.services, SERVICES, parse);
        let added = journal(&self.services, &self.services_journal);
        loaded.value.extend(added.iter().filter_map(|line| line.parse::<ServiceKey>().ok()));
        loaded
    }

    /// Replaces the file; its journal begins anew.
    pub fn save_services<'a>(
        &self,
        services: impl IntoIterator<Item = &'a ServiceKey>,
    ) -> Result<(), DiskError> {
        let mut body = String::new();
        for key in services {
            let _ = writeln!(body, "{key}");
        }
        save(&self.services, SERVICES, &body)?;
        begin_journal(&self.services_journal, &body)
    }

    /// Adds to [`StateFiles::save_services`].
    pub fn append_services(&self, services: &[ServiceKey]) -> Result<(), DiskError> {
        let lines = services.iter().map(ServiceKey::to_string);
        append(&self.services_journal, lines)
    }

    /// The addresses the last daemon added.
    pub fn load_vips(&self) -> Loaded<BTreeSet<VipKey>> {
        load(&self.vips, VIPS, |body| body.lines().map(|line| line.parse().ok()).collect())
    }

    /// Replaces the file.
    pub fn save_vips(&self, vips: &[VipKey]) -> Result<(), DiskError> {
        let mut body = String::new();
        for vip in vips {
            let _ = writeln!(body, "{vip}");
        }
        save(&self.vips, VIPS, &body)
    }

    /// What the last daemon knew of checks, and the operator's drains.
    pub fn load_health(&self) -> Loaded<Memory> {
        let mut loaded = load(&self.health, HEALTH, memory);
        let changes = journal(&self.health, &self.health_journal);
        let known = changes.iter().filter_map(|line| check(line.strip_prefix("check ")?));
        loaded.value.checks.extend(known);
        loaded
    }

    /// Replaces the file; its journal begins anew.
    pub fn save_health(&self, memory: &Memory) -> Result<(), DiskError> {
        let body = health_text(memory);
        save(&self.health, HEALTH, &body)?;
        begin_journal(&self.health_journal, &body)
    }

    /// Adds what changed since [`StateFiles::save_health`].
    pub fn append_health(&self, checks: &[(u64, Remembered)]) -> Result<(), DiskError> {
        let line = |(digest, check): &(u64, Remembered)| {
            let mut line = String::new();
            push_check(&mut line, *digest, check);
            line
        };
        append(&self.health_journal, checks.iter().map(line))
    }

    /// The role somebody gave his word for, if anybody did.
    pub fn load_role(&self) -> Loaded<Option<Role>> {
        load(&self.role, ROLE, |body| Role::named(body.trim_end()).map(Some))
    }

    pub fn save_role(&self, role: Role) -> Result<(), DiskError> {
        save(&self.role, ROLE, &format!("{role}\n"))
    }
}

/// A crash before this leaves a journal that names another base: it is left out.
fn begin_journal(path: &Path, base: &str) -> Result<(), DiskError> {
    let head = format!("{JOURNAL} {:016x}\n", digest_of(base));
    disk::replace(path, head.as_bytes(), false)
}

/// Adds lines to a journal.
fn append(path: &Path, lines: impl Iterator<Item = String>) -> Result<(), DiskError> {
    let mut text = String::new();
    for line in lines {
        let _ = writeln!(text, "{line} #{:016x}", digest_of(&line));
    }
    disk::append(path, text.as_bytes())
}

fn save(path: &Path, kind: &str, body: &str) -> Result<(), DiskError> {
    let digest = digest_of(body);
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
    let right = format!("{:016x}", digest_of(body));
    match () {
        _ if found != kind => Err(format!("not a file of the kind {kind:?}")),
        _ if digest != right => Err("damaged".to_owned()),
        _ => Ok(body),
    }
}

fn digest_of(text: &str) -> u64 {
    Digest::EMPTY.bytes(text.as_bytes()).value()
}

/// The digest in the first line of a health file.
fn base_digest(bytes: &[u8]) -> Option<String> {
    let head = std::str::from_utf8(bytes).ok()?.lines().next()?;
    Some(head.rsplit_once(' ')?.1.to_owned())
}

/// The sound lines of the journal that goes with this base file, oldest first.
fn journal(base: &Path, journal: &Path) -> Vec<String> {
    let base = read_bytes(base, MAX_STATE).ok().and_then(|bytes| base_digest(&bytes));
    let (Some(base), Ok(bytes)) = (base, read_bytes(journal, MAX_STATE)) else {
        return Vec::new();
    };
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.lines();
    if lines.next() != Some(&format!("{JOURNAL} {base}")) {
        return Vec::new();
    }
    let sound = |line: &str| {
        let (line, own) = line.rsplit_once(" #")?;
        (format!("{:016x}", digest_of(line)) == own).then(|| line.to_owned())
    };
    lines.filter_map(sound).collect()
}

/// `check 73f230ebf1d6d406 down 1794999990000 0 3 connect: connection refused`
fn push_check(text: &mut String, digest: u64, check: &Remembered) {
    let Remembered { verdict, since_unix_ms, passes, failures, reason } = check;
    let _ = write!(text, "check {digest:016x} {verdict} {since_unix_ms} {passes} {failures}");
    if let Some(reason) = reason {
        text.push(' ');
        push_escaped(text, cut(reason, MAX_REASON));
    }
}

fn health_text(memory: &Memory) -> String {
    // Sorted, so that two files can be compared by eye.
    let mut checks: Vec<_> = memory.checks.iter().collect();
    checks.sort_unstable_by_key(|(digest, _)| **digest);
    let mut text = String::with_capacity(64 * checks.len() + 64);
    let _ = writeln!(text, "written {}", memory.written_unix_ms);
    for (digest, check) in checks {
        push_check(&mut text, *digest, check);
        text.push('\n');
    }
    let drains = memory.drains.iter().map(|drain| ("drain", drain));
    let withdrawn = memory.withdrawn.iter().map(|drain| ("withdrawn", drain));
    for (word, Drain { server, service }) in drains.chain(withdrawn) {
        let _ = match service {
            None => writeln!(text, "{word} {server}"),
            Some(service) => writeln!(text, "{word} {server} {service}"),
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
            "withdrawn" => memory.withdrawn.push(drain(rest)?),
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
            withdrawn: vec![Drain { server, service: "192.0.2.10:443/tcp".parse().ok() }],
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
    fn a_role_is_read_back_as_written_and_a_damaged_one_is_none() {
        let (folder, files) = files();
        assert_eq!(files.load_role(), Loaded { value: None, warning: None });
        files.save_role(Role::Standby).unwrap();
        assert_eq!(files.load_role(), Loaded { value: Some(Role::Standby), warning: None });
        let path = folder.path().join("role");
        let damaged = fs::read_to_string(&path).unwrap().replace("standby", "active");
        fs::write(&path, damaged).unwrap();
        let loaded = files.load_role();
        assert_eq!(loaded.value, None);
        assert!(loaded.warning.unwrap().contains("damaged"));
    }

    #[test]
    fn addresses_are_read_back_as_written() {
        let (folder, files) = files();
        let vips = ["10.0.0.3/24 on eth0", "2001:db8::3/128 on br-lan"].map(|t| t.parse().unwrap());
        assert_eq!(files.load_vips(), Loaded { value: BTreeSet::new(), warning: None });
        files.save_vips(&vips).unwrap();
        assert_eq!(files.load_vips(), Loaded { value: vips.into(), warning: None });
        let path = folder.path().join("vips");
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 2]).unwrap();
        let loaded = files.load_vips();
        assert!(loaded.value.is_empty() && loaded.warning.is_some(), "half a name is no name");
    }

    #[test]
    fn services_are_added_to_what_was_written_and_go_with_it() {
        let (folder, files) = files();
        let key = |text: &str| text.parse::<ServiceKey>().unwrap();
        let (a, b) = (key("192.0.2.10:443/tcp"), key("fwmark:7/ipv6"));
        assert!(files.append_services(&[b]).is_err(), "there is nothing to add to");
        files.save_services([&a]).unwrap();
        files.append_services(&[b]).unwrap();
        assert_eq!(files.load_services().value, [a, b].into());
        let journal = folder.path().join("services.journal");
        let whole = fs::read(&journal).unwrap();
        fs::write(&journal, &whole[..whole.len() - 3]).unwrap();
        assert_eq!(files.load_services().value, [a].into(), "half a line is no name");
        fs::write(&journal, &whole).unwrap();
        files.save_services([]).unwrap();
        assert_eq!(files.load_services().value, BTreeSet::new());
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
    fn changes_are_kept_on_top_of_what_was_noted_before() {
        let (_folder, files) = files();
        let mut memory = some_memory();
        files.save_health(&memory).unwrap();
        let mut check = memory.checks[&1].clone();
        for reason in ["a #reason\nof two lines", "another"] {
            check.reason = Some(reason.to_owned());
            files.append_health(&[(1, check.clone()), (99, check.clone())]).unwrap();
            memory.checks.extend([(1, check.clone()), (99, check.clone())]);
            assert_eq!(files.load_health().value, memory);
        }
        files.save_health(&some_memory()).unwrap();
        assert_eq!(files.load_health().value, some_memory(), "a complete note begins anew");
    }

    #[test]
    fn a_journal_that_is_cut_or_of_another_base_harms_nothing() {
        let (folder, files) = files();
        let journal = folder.path().join("health.journal");
        files.save_health(&some_memory()).unwrap();
        let check = some_memory().checks[&1].clone();
        files.append_health(&[(99, check.clone())]).unwrap();
        files.append_health(&[(100, check)]).unwrap();
        let whole = fs::read(&journal).unwrap();
        for end in 0..whole.len() {
            fs::write(&journal, &whole[..end]).unwrap();
            let found = files.load_health().value.checks;
            // What is there is whole: the first entry, at most, until the last byte but one.
            assert!(found.len() <= some_memory().checks.len() + 2, "cut at {end}");
            assert!(found.values().all(|c| some_memory().checks.values().any(|s| s == c)));
        }
        fs::write(&journal, &whole).unwrap();
        let other = Memory { written_unix_ms: 7, ..some_memory() };
        disk::replace(
            &folder.path().join("health"),
            format!("{HEALTH} {:016x}\n{}", digest_of(&health_text(&other)), health_text(&other))
                .as_bytes(),
            false,
        )
        .unwrap();
        assert_eq!(files.load_health().value, other, "the journal went with another file");
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let (_folder, files) = files();
        let mut memory = some_memory();
        memory.checks.get_mut(&1).unwrap().reason = Some("x".to_owned() + &"ä".repeat(1000));
        files.save_health(&memory).unwrap();
        let reason = files.load_health().value.checks[&1].reason.clone().unwrap();
        assert_eq!(reason.len(), 255);
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
