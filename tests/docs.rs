//! What the documents say is there is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn document() -> String {
    fs::read_to_string(top().join("docs/from-ldirectord.md")).unwrap()
}

/// Every file below a folder whose name ends like this.
fn files(folder: &Path, end: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, end, found);
        } else if path.to_string_lossy().ends_with(end) {
            found.push(path);
        }
    }
}

/// The names of all tests: functions, and those that a macro makes of a name and a file.
fn tests() -> BTreeSet<String> {
    let mut sources = Vec::new();
    for folder in ["src", "tests"] {
        files(&top().join(folder), ".rs", &mut sources);
    }
    let mut names = BTreeSet::new();
    for source in sources {
        for line in fs::read_to_string(source).unwrap().lines() {
            let line = line.trim().trim_start_matches("async ");
            let function = line.strip_prefix("fn ").and_then(|rest| rest.split_once('('));
            let made = line.strip_suffix("\",").and_then(|rest| rest.split_once(": \""));
            names.extend(function.or(made).map(|(name, _)| name.to_owned()));
        }
    }
    names
}

/// What stands between backquotes and looks like a test: a sentence of words.
fn named(text: &str) -> BTreeSet<&str> {
    let quoted = text.split('`').skip(1).step_by(2);
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    quoted.filter(|name| name.matches('_').count() >= 3 && name.chars().all(word)).collect()
}

#[test]
fn every_test_the_documents_name_exists() {
    let text = document();
    let (tests, named) = (tests(), named(&text));
    assert!(named.len() > 50, "{named:?}");
    let missing: Vec<_> = named.iter().filter(|name| !tests.contains(**name)).collect();
    assert!(
        missing.is_empty(),
        "docs/from-ldirectord.md names tests that are not there: {missing:#?}"
    );
}

/// The rows of the tables, by their first cell.
fn rows(text: &str) -> Vec<(&str, &str)> {
    let cells = |line| {
        let line: &str = line;
        let (first, rest) = line.strip_prefix("| ")?.split_once(" |")?;
        Some((first, rest))
    };
    text.lines().filter_map(cells).collect()
}

#[test]
fn every_decision_about_ldirectord_has_a_test_of_its_name() {
    let text = document();
    let rows = rows(&text);
    let mut missing = Vec::new();
    for (letter, count) in [("F", 29), ("K", 18), ("D", 10)] {
        for number in 1..=count {
            let row = format!("{letter}{number}");
            let name = format!("{}{number:02}", letter.to_lowercase());
            let rest = rows.iter().find(|(first, _)| *first == row).map(|(_, rest)| *rest);
            let named = named(rest.unwrap_or_default());
            // `f08_d05_...` proves two.
            if !named.iter().any(|test| test.split('_').take(5).any(|word| word == name)) {
                missing.push(row);
            }
        }
    }
    assert!(missing.is_empty(), "docs/from-ldirectord.md: no test in the rows {missing:?}");
}

#[test]
fn every_row_of_from_ldirectord_names_a_test() {
    let text = document();
    let is_table = |line: &&str| line.starts_with("| ") && line.ends_with("|");
    let proved = text
        .split("\n\n")
        .filter(|table| table.lines().next().is_some_and(|head| head.ends_with("| test |")));
    let rows = proved.flat_map(|table| table.lines().skip(2).filter(is_table));
    let (mut seen, mut empty) = (0, Vec::new());
    for row in rows {
        let last = row.trim_end_matches(['|', ' ']).rsplit(" | ").next().unwrap_or_default();
        seen += 1;
        if named(last).is_empty() {
            empty.push(row);
        }
    }
    assert!(seen > 100, "{seen}");
    assert!(empty.is_empty(), "no test: {empty:#?}");
}

#[test]
fn every_difference_from_ldirectord_has_a_row() {
    let text = document();
    let rows = rows(&text);
    let mut cases = Vec::new();
    files(&top().join("tests/behaviour"), ".cf", &mut cases);
    let mut differing = 0;
    for case in cases {
        let text = String::from_utf8_lossy(&fs::read(&case).unwrap()).into_owned();
        for line in text.lines().filter_map(|line| line.strip_prefix("#! differs: ")) {
            let row = line.split(' ').next().unwrap_or_default();
            assert!(
                rows.iter().any(|(first, _)| *first == row),
                "{}: no row {row}",
                case.display()
            );
            differing += 1;
        }
        let differs = |line: &str| {
            let by_one = ["we ", "they "].iter().any(|one| line.trim_start().starts_with(one));
            line.ends_with("(differs)") || line.contains(" theirs ") || by_one
        };
        let marked = text.lines().filter_map(|line| line.strip_prefix("#! ")).any(differs);
        assert!(!marked || text.contains("\n#! differs: "), "{}: why?", case.display());
    }
    assert!(differing > 5, "{differing}");
}

#[test]
fn every_directive_has_a_row() {
    let catalogue = top().join("src/config/import/ldirectord/catalogue.rs");
    let source = fs::read_to_string(catalogue).unwrap();
    let directives = source.lines().filter_map(|line| {
        let (name, scope) = line.trim().strip_prefix("(\"")?.split_once("\", ")?;
        ["Head),", "Service),", "Both),"].contains(&scope).then_some(name)
    });
    let text = document();
    let rows = rows(&text);
    let missing: Vec<&str> = directives
        .filter(|name| !rows.iter().any(|(first, _)| first.contains(&format!("`{name}`"))))
        // Those of checks stand where the services are.
        .filter(|name| !text.contains(&format!("`{name}`")))
        .collect();
    assert!(missing.is_empty(), "no word about {missing:?}");
}

#[test]
fn the_manual_pages_are_well_formed() {
    for page in ["ldirectord.8", "mon.8", "directord-alerts.7"] {
        let page = top().join("packaging/man").join(page);
        // Remarks on style depend on which other pages are installed.
        let lint = Command::new("mandoc").args(["-T", "lint", "-W", "warning"]).arg(&page).output();
        match lint {
            Ok(lint) => {
                assert!(lint.stdout.is_empty(), "{}", String::from_utf8_lossy(&lint.stdout))
            }
            Err(_) => eprintln!("left out: mandoc is not installed (tests/lab/install does)"),
        }
    }
}

#[test]
fn every_alert_is_in_its_manual_page_and_can_be_run() {
    let page = fs::read_to_string(top().join("packaging/man/directord-alerts.7")).unwrap();
    let mut alerts = Vec::new();
    files(&top().join("alerts"), ".alert", &mut alerts);
    assert!(alerts.len() > 5, "{alerts:?}");
    for alert in alerts {
        let name = alert.file_name().unwrap().to_string_lossy().into_owned();
        assert!(page.contains(&format!(".It Nm {name} ")), "{name}");
        let mode = fs::metadata(&alert).unwrap().permissions();
        assert!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o111 == 0o111, "{name}");
    }
}

#[test]
fn the_manual_page_names_every_action_and_exit_status() {
    let page = fs::read_to_string(top().join("packaging/man/ldirectord.8")).unwrap();
    for word in ["start", "stop", "restart", "try-restart", "reload", "force-reload", "status"] {
        assert!(
            page.contains(&format!(".Cm {word}")) || page.contains(&format!(" {word}\n")),
            "{word}"
        );
    }
    for status in ["0", "1", "2", "3", "255"] {
        assert!(page.contains(&format!(".It {status}\n")), "{status}");
    }
}
