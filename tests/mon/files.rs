//! Files against mon's own reader: what it takes and what it says of what it does not.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use directord::config::mon::{Files, Options, Surroundings, parse};
use directord::config::source::{SystemNames, read_mon};
use directord::config::{Dialect, Source};

use crate::oracle::{Random, ask, question};

const MON: &str = "/usr/sbin/mon";

/// Every program is there; files are as on this system.
struct Everything;

impl Files for Everything {
    fn is_program(&self, _: &Path) -> bool {
        true
    }

    fn is_readable(&self, path: &Path) -> bool {
        path.exists()
    }

    fn is_folder(&self, _: &Path) -> bool {
        true
    }
}

/// mon's line for the first error, by us; empty where there is none.
fn ours(text: &str) -> String {
    let path = Arc::new(PathBuf::from("mon.cf"));
    let source = Source { path, dialect: Dialect::Ldirectord, text: text.into() };
    let around = Surroundings {
        files: &Everything,
        names: &SystemNames::new(),
        native: &|_| Ok(()),
        options: &Options::default(),
    };
    let parsed = parse(&source, &around);
    assert_eq!(parsed.has_errors(), parsed.first_error.is_some(), "{text}");
    parsed.first_error.unwrap_or_default()
}

/// Each text with mon's line for it.
fn theirs(texts: &[String]) -> Option<Vec<String>> {
    let questions: Vec<String> = texts.iter().map(|text| question("file", &[text])).collect();
    let answers = ask(MON, &questions)?;
    Some(answers.into_iter().map(|line| String::from_utf8_lossy(&line).into_owned()).collect())
}

fn compare(texts: &[String]) -> usize {
    let Some(theirs) = theirs(texts) else { return 0 };
    for (text, theirs) in texts.iter().zip(&theirs) {
        assert_eq!(ours(text), *theirs, "{text}");
    }
    theirs.iter().filter(|line| !line.is_empty()).count()
}

/// Lines of all kinds, most of which may follow one another.
const LINES: &[&str] = &[
    "",
    "",
    "# remark \\",
    "hostgroup a h1 h2",
    "hostgroup b\\",
    "hostgroup ! x",
    "watch a",
    "watch a",
    "watch b junk",
    "watch c",
    "alias q",
    "view v a b:s",
    "view v",
    "service s",
    "service t",
    "service u",
    "service x/y",
    "service",
    "\tinterval 5m",
    "interval 1.5H",
    "interval 5",
    "interval 0m",
    "failure_interval 10s",
    "failure_interval x",
    "monitor fping.monitor -x",
    "monitor",
    "randskew 5s",
    "traptimeout 1d",
    "traptimeout",
    "trapduration 5m",
    "trapduration 0m",
    "allow_empty_group no",
    "description a \"b\"",
    "exclude_hosts h1",
    "exclude_period wd {Mon} hr {3-4}",
    "exclude_period x",
    "dep_behavior hm",
    "dep_behavior x",
    "dep_memory 5m",
    "unack_summary maybe",
    "unack_summary 7",
    "redistribute x.alert a b",
    "X_1=y = z",
    "_=x",
    "x=y",
    "period",
    "period A: wd {Mon-Fri}",
    "period B:hr {9am-5pm}",
    "period a-b: wd {Mon}",
    "period wd {Sat}",
    "period wd {",
    "alert mail.alert a",
    "alert exit=3 mail.alert 'a b'",
    "alert",
    "upalert mail.alert a",
    "startupalert x",
    "ackalert x",
    "disablealert x",
    "alertevery 5m strict",
    "alertevery 5m Observe_Detail",
    "alertevery 5m no_summary",
    "alertevery x",
    "alertafter 3",
    "alertafter 0",
    "alertafter 5m",
    "alertafter 0s",
    "alertafter 5d",
    "alertafter 2 10m",
    "alertafter 2 10s",
    "upalertafter 5m",
    "upalertafter 5",
    "numalerts 3",
    "numalerts x",
    "alertexitrange 1-3",
    "alertexitrange 1-",
    "no_comp_alerts",
    "alerts_dont_count",
    "comp_alerts",
    "-- what",
    "Interval 5m",
    "maxprocs = 3",
    "maxprocs 3",
    "MAXPROCS = 3",
    "randstart=60s",
    "randstart = 60",
    "cltimeout = x",
    "historictime = x",
    "dep_behavior = m",
    "dep_behavior = x",
    "dep_memory = x",
    "unack_summary = yes",
    "unack_summary = 7",
    "exclude_period = wd {Mon}",
    "exclude_period = {",
    "authfile = /dev/null",
    "authfile = /nonexistent",
    "userfile = /nonexistent",
    "authtype = userfile",
    "clientallow = 10.0.0.1",
    "  \\",
];

#[test]
fn random_files_are_taken_and_refused_alike_and_in_the_same_words() {
    let mut random = Random(0xabcd_ef01_2345_6789);
    let mut texts = Vec::new();
    for _ in 0..3000 {
        // A good beginning, so that not all end at once.
        let mut text = String::from(random.pick(&[
            "",
            "watch a\nservice s\n",
            "watch a\nservice s\ninterval 1m\nperiod\n",
        ]));
        for _ in 0..random.below(9) {
            text.push_str(random.pick(LINES));
            text.push_str(random.pick(&["\n", "\n", "\n", "\r\n", " \n", " \\\n"]));
        }
        texts.push(text);
    }
    let refused = compare(&texts);
    assert!(refused == 0 || (500..2800).contains(&refused), "{refused}");
}

#[test]
fn each_line_is_taken_or_refused_alike_where_it_belongs() {
    let before =
        ["", "watch w\n", "watch w\nservice z\n", "watch w\nservice z\ninterval 1m\nperiod P:\n"];
    let texts: Vec<String> = before
        .iter()
        .flat_map(|head| LINES.iter().map(move |line| format!("{head}{line}\n")))
        .collect();
    compare(&texts);
}

#[test]
fn whole_files_are_taken_by_both() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mon/files");
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        texts.push(read_mon(&entry.unwrap().path(), None).unwrap().to_string());
    }
    assert!(texts.len() >= 3);
    assert_eq!(texts.iter().map(|text| ours(text)).collect::<String>(), "");
    compare(&texts);
}

/// What mon takes and stumbles over later, and the one that it refuses against its manual.
#[test]
fn what_is_refused_by_one_alone_is_refused_on_purpose() {
    let apart = [
        // Taken by both, as in Debian's example.cf; and then told of here.
        ("depend a:s a:s", "", ""),
        ("depend a:s (a:s", "cf error: invalid dependency 'a:s (a:s', line 3", ""),
        ("depend x:y", "cf error: unknown service 'x:y' in dependency, line 3", ""),
        ("depend system('x')", "cf error: invalid dependency 'system('x')', line 3", ""),
        (
            "interval 00s",
            "cf error: invalid time interval '0' (syntax: interval = {positive number}{smhd}), line 3",
            "",
        ),
        (
            "unack_summary",
            "",
            "cf error: invalid unack_summary value '' (syntax: unack_summary [0|1|y|yes|n|no])",
        ),
    ];
    let texts: Vec<String> =
        apart.iter().map(|(line, ..)| format!("watch a\nservice s\n{line}\n")).collect();
    for ((line, meant, _), text) in apart.iter().zip(&texts) {
        assert_eq!(ours(text), *meant, "{line}");
    }
    let Some(theirs) = theirs(&texts) else { return };
    for ((line, _, meant), theirs) in apart.iter().zip(theirs) {
        assert_eq!(theirs, *meant, "{line}");
    }
}
