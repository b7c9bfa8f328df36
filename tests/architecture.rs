//! The walls of ARCHITECTURE.md: who may know whom. An arrow that points outwards fails here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Every room, and the rooms it may import besides itself. `ipvs`, `alert` and `mon` are walled
/// twice: the codec, the policy and the protocol in them are pure.
const WALLS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("event", &["model"]),
    ("pattern", &[]),
    ("config", &["model", "pattern"]),
    ("health", &["model"]),
    ("target", &["model"]),
    ("plan", &["model"]),
    ("engine", &["model", "event", "health", "target", "plan"]),
    ("address", &["model", "event"]),
    ("watch", &["model", "event"]),
    ("mutex", &[]),
    ("netlink", &[]),
    ("ipvs", &["model", "mutex", "netlink", "plan"]),
    ("link", &["model", "address", "netlink"]),
    ("program", &["mutex"]),
    ("probe", &["model", "mutex", "pattern", "program"]),
    ("alert", &["model", "event", "mutex", "program"]),
    ("api", &["model", "event"]),
    ("mon", &["model", "pattern"]),
    (
        "daemon",
        &[
            "address", "alert", "api", "config", "engine", "event", "ipvs", "link", "model", "mon",
            "mutex", "plan", "probe", "program", "target", "watch",
        ],
    ),
    ("cli", &["alert", "api", "config", "daemon", "event", "model", "mutex"]),
];

/// Rooms, and files of other rooms, that touch nothing: no clock, no file, no socket, no task.
const PURE: &[&str] = &[
    "src/model",
    "src/event",
    "src/pattern",
    "src/config",
    "src/health",
    "src/target",
    "src/plan",
    "src/engine",
    "src/address",
    "src/watch",
    "src/netlink",
    "src/ipvs/codec",
    "src/link/codec",
    "src/link/frame",
    "src/alert/policy",
    "src/mon/protocol",
    "src/probe/monitor/filter",
    "src/probe/monitor/ldap",
    "src/probe/monitor/plan",
    "src/probe/monitor/record",
    "src/probe/monitor/report",
    "src/probe/monitor/zone",
];

/// The one place in the pure rooms that reads files and asks the system for names.
const IMPURE: &str = "src/config/source";

/// What touches the world, and what to use instead.
const FORBIDDEN: &[(&str, &str)] = &[
    ("Instant::now", "take `now: Time` as an argument"),
    ("SystemTime::now", "take the wall clock as an argument"),
    ("std::fs", "files are read in config::source and daemon"),
    ("std::process", "processes are started in probe, alert and cli"),
    ("std::thread", "threads are started in daemon"),
    ("std::net::Tcp", "sockets live in probe, ipvs, link, alert, api and mon"),
    ("std::net::Udp", "sockets live in probe, ipvs, link, alert, api and mon"),
    ("std::env::", "the environment is read in cli"),
    ("tokio::", "the core waits for nobody"),
    ("tracing::", "the core returns events"),
    ("println!", "the core returns values"),
];

#[test]
fn rooms_import_only_whom_they_may() {
    let walls: BTreeMap<_, _> = WALLS.iter().copied().collect();
    let mut wrong = Vec::new();
    for file in sources() {
        let Some(room) = room(&file) else { continue };
        let allowed = walls.get(room.as_str()).copied();
        let allowed = allowed.unwrap_or_else(|| panic!("{room} has no line in WALLS"));
        for (line, other) in imports(&file) {
            if other != room && !allowed.contains(&other.as_str()) {
                wrong.push(format!("{}:{line}: {room} imports {other}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that point outwards:\n{}", wrong.join("\n"));
}

#[test]
fn reasoning_touches_nothing() {
    let mut wrong = Vec::new();
    for file in sources().into_iter().filter(|file| is_pure(file)) {
        for (number, line) in code_lines(&file) {
            for (what, instead) in FORBIDDEN.iter().filter(|(what, _)| line.contains(what)) {
                wrong.push(format!("{}:{number}: {what}: {instead}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn unsafe_code_is_forbidden_in_every_room() {
    let heads = WALLS.iter().map(|(room, _)| format!("src/{room}/mod.rs"));
    let open: Vec<_> = heads
        .filter(|head| !fs::read_to_string(head).unwrap().contains("#![forbid(unsafe_code)]"))
        .collect();
    assert!(open.is_empty(), "without #![forbid(unsafe_code)]: {open:?}");
}

#[test]
fn nothing_unwraps_outside_tests() {
    let mut wrong = Vec::new();
    for file in sources() {
        for (number, line) in code_lines(&file) {
            if line.contains(".unwrap()") || line.contains("todo!(") || line.contains("panic!(") {
                wrong.push(format!("{}:{number}: {}", file.display(), line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_can_be_read_in_one_sitting() {
    let long: Vec<_> = sources()
        .into_iter()
        .map(|file| (code_lines(&file).len(), file))
        .filter(|(lines, _)| *lines > 700)
        .collect();
    assert!(long.is_empty(), "split these: {long:?}");
}

/// Every source file but tests.
fn sources() -> Vec<PathBuf> {
    let mut files = Vec::new();
    collect(Path::new("src"), &mut files);
    assert!(files.len() > 30, "run from the package's folder");
    files
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "tests" {
                collect(&path, files);
            }
        } else if name.ends_with(".rs") && name != "tests.rs" {
            files.push(path);
        }
    }
}

fn is_pure(file: &Path) -> bool {
    let name = file.to_string_lossy();
    PURE.iter().any(|room| name.starts_with(room)) && !name.starts_with(IMPURE)
}

/// `engine` for `src/engine/checks.rs`; nothing for the files at the top.
fn room(file: &Path) -> Option<String> {
    let mut parts = file.components().skip(1);
    let first = parts.next()?.as_os_str().to_string_lossy().into_owned();
    parts.next().map(|_| first)
}

/// The lines of code, numbered: no comments, and nothing from the tests at the foot on.
fn code_lines(file: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(file).unwrap();
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("#[cfg(test)]") && !text_goes_on(&text, number) {
            break;
        }
        if !line.trim_start().starts_with("//") {
            lines.push((number + 1, line.to_owned()));
        }
    }
    lines
}

/// Whether a `#[cfg(test)]` on this line is about one item (`mod tests;`, a helper) rather than
/// about the module of tests that ends the file.
fn text_goes_on(text: &str, number: usize) -> bool {
    !text.lines().nth(number + 1).unwrap_or_default().ends_with("mod tests {")
}

/// The rooms named by `crate::ROOM` in this file, with their lines. Grouped imports
/// (`use crate::{api, daemon}`) are read as well.
fn imports(file: &Path) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in code_lines(file) {
        for (at, _) in line.match_indices("crate::") {
            let rest = &line[at + "crate::".len()..];
            let group = rest.strip_prefix('{').and_then(|rest| rest.split('}').next());
            let names: Vec<&str> = match group {
                Some(group) => group.split(',').map(str::trim).collect(),
                None => vec![rest],
            };
            for name in names {
                let end = name.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(name.len());
                if WALLS.iter().any(|(room, _)| *room == &name[..end]) {
                    found.push((number, name[..end].to_owned()));
                }
            }
        }
    }
    found
}
