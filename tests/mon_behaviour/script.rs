//! The script of a case, in the `#!` comments of its file.

/// What happens in one step. In an output `\n` and `\t` are what they always are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// Nothing but that both have started.
    Start,
    /// A monitor ends.
    Monitor {
        key: String,
        exit: String,
        output: String,
        whose: Whose,
        again: [bool; 2],
    },
    /// Both start the monitor of this service.
    Asks(String),
    Client(String),
    /// The lines of a datagram.
    Trap(Vec<String>),
    /// So many calls come by themselves.
    Notes(usize),
    /// Seconds go by.
    Pass(u64),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whose {
    Both,
    Theirs,
}

/// One step of a script.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// As it is written.
    pub line: String,
    pub event: Event,
    /// Whether calls are compared after it; if not, then after the next step.
    pub seen: bool,
    /// The calls that only we make, and only they, as decided.
    pub noted: [Vec<String>; 2],
    /// The lines that only we answer a client, and only they.
    pub heard: [Vec<String>; 2],
}

/// What a file says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Script {
    pub steps: Vec<Step>,
    /// Words of the rows of docs/from-mon.md that decide the differences.
    pub differs: Vec<String>,
    /// The command that both put their file through.
    pub filter: Option<String>,
}

/// Reads the `#!` lines of a file.
pub fn parse(text: &str) -> Script {
    let mut script = Script::default();
    for line in text.lines().filter_map(|line| line.strip_prefix("#! ")) {
        if let Some(line) = line.strip_prefix("  ") {
            decided(line, script.steps.last_mut().expect("a step above"));
        } else if let Some(row) = line.strip_prefix("differs: ") {
            script.differs.push(row.to_owned());
        } else if let Some(command) = line.strip_prefix("filter ") {
            script.filter = Some(command.to_owned());
        } else {
            script.steps.push(step(line));
        }
    }
    script
}

fn decided(line: &str, step: &mut Step) {
    let [we_note, they_note] = &mut step.noted;
    let [we_hear, they_hear] = &mut step.heard;
    let lists = [
        ("we note ", we_note),
        ("they note ", they_note),
        ("we say ", we_hear),
        ("they say ", they_hear),
    ];
    for (word, list) in lists {
        if let Some(rest) = line.strip_prefix(word) {
            return list.push(rest.to_owned());
        }
    }
    panic!("who does what: {line}");
}

fn step(line: &str) -> Step {
    let (event, seen) = match line.strip_suffix(" (unseen)") {
        Some(event) => (event, false),
        None => (line, true),
    };
    let (word, rest) = event.split_once(' ').unwrap_or((event, ""));
    let event = match word {
        "start" => Event::Start,
        "monitor" => monitor(rest, Whose::Both),
        "theirs" => monitor(rest, Whose::Theirs),
        "asks" => Event::Asks(rest.to_owned()),
        "client" => Event::Client(rest.to_owned()),
        "trap" => Event::Trap(fields(rest)),
        "notes" => Event::Notes(rest.parse().expect("a number of calls")),
        "pass" => Event::Pass(rest.parse().expect("seconds")),
        other => panic!("what is this: {other}"),
    };
    let (noted, heard) = Default::default();
    Step { line: line.to_owned(), event, seen, noted, heard }
}

/// `GROUP/SERVICE EXIT [OUTPUT]`, and who does not start it again: `(held)` nobody, `(we hold)`
/// they alone do.
fn monitor(rest: &str, whose: Whose) -> Event {
    let (rest, again) = if let Some(rest) = rest.strip_suffix(" (held)") {
        (rest, [false, false])
    } else if let Some(rest) = rest.strip_suffix(" (we hold)") {
        (rest, [false, true])
    } else {
        (rest, [true, true])
    };
    let mut parts = rest.splitn(3, ' ');
    let key = parts.next().unwrap_or_default().to_owned();
    let exit = parts.next().expect("an exit status").to_owned();
    let unescaped = |words: &str| words.replace("\\n", "\n").replace("\\t", "\t") + "\n";
    let output = parts.next().map(unescaped).unwrap_or_default();
    Event::Monitor { key, exit, output, whose, again }
}

/// Blanks part them, but not within quotes.
fn fields(text: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for c in text.chars() {
        quoted ^= c == '\'';
        match fields.last_mut() {
            Some(last) if c != ' ' || quoted => last.push(c),
            _ => fields.push(String::new()),
        }
    }
    fields
}

#[test]
fn a_script_is_read_step_by_step() {
    let script = parse(
        "# words\n#! differs: a row\n#! filter sed x\n#! monitor g/s 1 web1\\nmore words (held)\n\
         #!   we note alert g/s up a.alert -u\n#! client ack g s x\n#!   they say 520 no\n\
         #! trap grp=g sum='two words' sta=1\n#! pass 3\n",
    );
    assert_eq!(script.differs, ["a row"]);
    assert_eq!(script.filter.as_deref(), Some("sed x"));
    let events: Vec<_> = script.steps.iter().map(|step| step.event.clone()).collect();
    let expected = [
        Event::Monitor {
            key: "g/s".into(),
            exit: "1".into(),
            output: "web1\nmore words\n".into(),
            whose: Whose::Both,
            again: [false, false],
        },
        Event::Client("ack g s x".into()),
        Event::Trap(vec!["grp=g".into(), "sum='two words'".into(), "sta=1".into()]),
        Event::Pass(3),
    ];
    assert_eq!(events, expected);
    assert_eq!(script.steps[0].noted, [vec!["alert g/s up a.alert -u".to_owned()], vec![]]);
    assert_eq!(script.steps[1].heard, [vec![], vec!["520 no".to_owned()]]);
}
