//! The script of a case, in the `#!` comments of its file.

/// One step of a script.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    pub event: String,
    pub expect: Expect,
    /// What only we say, and only they, by mail: the subjects.
    pub told: [Vec<String>; 2],
    /// The lines that come by what we run, and by what they run: all of them.
    pub written: [Vec<String>; 2],
}

/// What a step does to the tables.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expect {
    /// Both change, and are equal again.
    Change,
    /// Neither changes; both are equal.
    Same,
    /// They differ, as decided, in just these lines of `ipvsadm -Sn`.
    Differ { ours: Vec<String>, theirs: Vec<String> },
    /// Nobody looks.
    Nothing,
}

/// What a file says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Script {
    pub steps: Vec<Step>,
    /// The row of docs/from-ldirectord.md that decides a difference: `F14`, `K15`, `D9`. That it
    /// is there is checked by tests/docs.rs.
    pub differs: Option<String>,
}

/// Events after which there is no table to compare.
const QUIET: [&str; 9] =
    ["status", "dead", "asks", "edit", "write", "touch", "remove", "mail", "speak"];

/// Who says or writes what: whether we do, whether they do.
const SAYING: [(&str, [bool; 2]); 2] = [("we say ", [true, false]), ("they say ", [false, true])];
const WRITING: [(&str, [bool; 2]); 3] =
    [("both write ", [true, true]), ("we write ", [true, false]), ("they write ", [false, true])];

/// Reads the `#!` lines of a file.
pub fn parse(text: &str) -> Script {
    let mut script = Script::default();
    for line in text.lines().filter_map(|line| line.strip_prefix("#! ")) {
        if let Some(line) = line.strip_prefix("  ") {
            let last = script.steps.last_mut().expect("a step above");
            if put(line, &SAYING, &mut last.told) || put(line, &WRITING, &mut last.written) {
                continue;
            }
            let Expect::Differ { ours, theirs } = &mut last.expect else {
                panic!("a line of a table below a step that does not differ: {line}");
            };
            match line.split_once(' ').expect("whose line, and the line") {
                ("ours", row) => ours.push(row.to_owned()),
                ("theirs", row) => theirs.push(row.to_owned()),
                (other, _) => panic!("whose line is it: {other}"),
            }
            continue;
        }
        if let Some(row) = line.strip_prefix("differs: ") {
            script.differs = Some(row.split(' ').next().unwrap_or_default().to_owned());
            continue;
        }
        script.steps.push(step(line));
    }
    script
}

/// Puts what the line says where it belongs; whether it was one of these.
fn put(line: &str, words: &[(&str, [bool; 2])], to: &mut [Vec<String>; 2]) -> bool {
    let found = words.iter().find_map(|(word, whose)| Some((line.strip_prefix(word)?, whose)));
    let Some((rest, whose)) = found else { return false };
    for (to, is_its) in to.iter_mut().zip(whose) {
        to.extend(is_its.then(|| rest.to_owned()));
    }
    true
}

fn step(line: &str) -> Step {
    let (event, expect) = if let Some(event) = line.strip_suffix(" (same)") {
        (event, Expect::Same)
    } else if let Some(event) = line.strip_suffix(" (changes)") {
        (event, Expect::Change)
    } else if let Some(event) = line.strip_suffix(" (differs)") {
        (event, Expect::Differ { ours: Vec::new(), theirs: Vec::new() })
    } else if QUIET.contains(&line.split(' ').next().unwrap_or_default()) {
        (line, Expect::Nothing)
    } else {
        (line, Expect::Change)
    };
    Step { event: event.to_owned(), expect, told: Default::default(), written: Default::default() }
}

#[test]
fn a_script_is_read_step_by_step() {
    let script = parse(
        "# words\n#! differs: F14 a fallback for marks\n#! start (differs)\n\
         #!   ours -a -f 7 -r 127.0.0.1:0 -g -w 1\n#!   they say Added: x\n#! kill 0\n\
         #!   both write start\n#!   we write stop\n#! asks stop 0\n#! end (same)\n",
    );
    assert_eq!(script.differs.as_deref(), Some("F14"));
    let ours = vec!["-a -f 7 -r 127.0.0.1:0 -g -w 1".to_owned()];
    let expected = [
        ("start", Expect::Differ { ours, theirs: vec![] }),
        ("kill 0", Expect::Change),
        ("asks stop 0", Expect::Nothing),
        ("end", Expect::Same),
    ];
    let mut expected = expected.map(|(event, expect)| Step { expect, ..step(event) });
    expected[0].told[1].push("Added: x".to_owned());
    expected[1].written = [vec!["start".into(), "stop".into()], vec!["start".into()]];
    assert_eq!(script.steps, expected);
}
