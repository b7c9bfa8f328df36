//! What a program noted when it was called.

use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

/// One call of a monitor or an alert, without what is never the same: times and folders.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Note {
    pub is_monitor: bool,
    /// `GROUP/SERVICE`.
    pub key: String,
    /// On one line, as cases write it: `alert GROUP/SERVICE TYPE PROGRAM WORD...` or
    /// `monitor GROUP/SERVICE WORD...`.
    pub brief: String,
    /// All of it.
    pub text: String,
}

impl Note {
    /// `bytes` are fields that each end with a zero: path, words and environment behind their
    /// numbers, input.
    pub fn parse(bytes: &[u8], folder: &Path) -> Note {
        let text = masked(&String::from_utf8_lossy(bytes), folder);
        let mut fields = text.split('\0');
        let path = fields.next().expect("a path");
        let words = counted(&mut fields);
        let environment = counted(&mut fields);
        let input = fields.next().expect("an input");
        let key =
            format!("{}/{}", value(&environment, "MON_GROUP"), value(&environment, "MON_SERVICE"));
        let is_monitor = path.contains("/mon.d/");
        let program = path.rsplit('/').next().unwrap_or_default();
        let mut brief = match is_monitor {
            true => vec!["monitor", key.as_str()],
            false => vec!["alert", key.as_str(), value(&environment, "MON_ALERTTYPE"), program],
        };
        // An alert is called with `-s S -g G -h H -t T` first.
        brief.extend(words.iter().skip(if is_monitor { 0 } else { 8 }));
        let brief = brief.join(" ");
        let text = format!("{brief}\n    {path} {words:?}\n    {environment:?}\n    {input:?}\n");
        Note { is_monitor, key, brief, text }
    }
}

fn counted<'a>(fields: &mut impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let count = fields.next().and_then(|count| count.parse().ok()).expect("a number of fields");
    fields.take(count).collect()
}

fn value<'a>(environment: &[&'a str], name: &str) -> &'a str {
    let mut pairs = environment.iter().filter_map(|line| line.split_once('='));
    pairs.find(|(key, _)| *key == name).map_or("", |(_, value)| value)
}

/// Without the times and the folder that each side has for itself.
pub fn masked(text: &str, folder: &Path) -> String {
    /// Seconds since 1970 of our days, and what `ctime` makes of them.
    static TIMES: LazyLock<Regex> = LazyLock::new(|| {
        let (name, blank) = ("[A-Z][a-z]{2}", r"(?:\\20)? +(?:\\20 )?");
        let ctime = format!(r"{name}{blank}{name}{blank}\d+{blank}\d\d:\d\d:\d\d{blank}\d{{4}}");
        Regex::new(&format!(r"\b[12]\d{{9}}\b|{ctime}")).expect("a pattern")
    });
    /// Fields that count seconds.
    static SECONDS: LazyLock<Regex> = LazyLock::new(|| {
        let fields = "timer|monitor_duration|failure_duration";
        // And in a line of `list dtlog` the one behind its second time.
        Regex::new(&format!(r"\b((?:{fields})=|TIME \S+ \S+ TIME )-?\d*")).expect("a pattern")
    });
    static PROCESS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"PID \d+@\S+").expect("a pattern"));
    let text = text.replace(&folder.display().to_string(), "@");
    // Escaped, as in `list alerthist`, a time has no word's end in front of it.
    let text = text.replace("\\20", "\\20 ");
    let text = TIMES.replace_all(&text, "TIME");
    let text = text.replace("\\20 ", "\\20");
    let text = SECONDS.replace_all(&text, "${1}SECONDS");
    PROCESS.replace_all(&text, "PID").into_owned()
}

#[test]
fn a_note_is_read_without_times_and_folders() {
    let fields = [
        "/tmp/x/alert.d/note.alert",
        "10",
        "-s",
        "http",
        "-g",
        "web",
        "-h",
        "a b",
        "-t",
        "1796000000",
        "-u",
        "U",
        "3",
        "MON_ALERTTYPE=up",
        "MON_GROUP=web",
        "MON_SERVICE=http",
        "at Mon Nov 30 03:00:00 2026",
        "",
    ];
    let note = Note::parse(fields.join("\0").as_bytes(), Path::new("/tmp/x"));
    assert_eq!(note.brief, "alert web/http up note.alert -u U");
    assert!(note.text.contains("@/alert.d/note.alert"), "{}", note.text);
    assert!(note.text.contains("\"-t\", \"TIME\""), "{}", note.text);
    assert!(note.text.ends_with("\"at TIME\"\n"), "{}", note.text);
    assert!(!note.is_monitor);
    let line = masked("alert\\20g\\20s\\201796000000\\20x timer=7", Path::new("/tmp/x"));
    assert_eq!(line, "alert\\20g\\20s\\20TIME\\20x timer=SECONDS");
}
