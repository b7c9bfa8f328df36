//! mon's command line: single letters that do not bundle, long names that may be shortened.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::config::{mon, watch};
use crate::daemon::TableChoice;

/// What `mon` is asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Asked {
    pub file: Option<PathBuf>,
    pub options: mon::Options,
    /// A command that the file is put through.
    pub filter: Option<String>,
    /// Into the background.
    pub fork: bool,
    pub debug: u8,
    pub help: bool,
    pub version: bool,
    /// With the scheduler stopped.
    pub stopped: bool,
    /// With what mon remembered of results, at the first start.
    pub loads_status: bool,
    /// Ours: where the records go; the kernel where nothing is said.
    pub table: Option<TableChoice>,
    /// Ours: the folders of this instance.
    pub runtime_dir: Option<PathBuf>,
    pub own_state_dir: Option<PathBuf>,
    /// Ours: the daemon that another of us started for `-f`.
    pub serve: bool,
}

/// Tells the daemon in the background that it is one; not for people.
pub const SERVE: &str = "--serve";

/// Letter, long name, and what comes after it.
const OPTIONS: [(char, &str, Takes); 27] = [
    ('A', "authfile", Takes::Word),
    ('B', "cfbasedir", Takes::Word),
    ('D', "statedir", Takes::Word),
    ('L', "logdir", Takes::Word),
    ('M', "m4", Takes::Maybe),
    ('O', "syslogfacility", Takes::Word),
    ('P', "pidfile", Takes::Word),
    ('S', "stopped", Takes::Nothing),
    ('a', "alertdir", Takes::Word),
    ('b', "basedir", Takes::Word),
    ('c', "configfile", Takes::Word),
    ('d', "debug", Takes::Nothing),
    ('f', "fork", Takes::Nothing),
    ('h', "help", Takes::Nothing),
    ('i', "sleep", Takes::Word),
    ('k', "maxkeep", Takes::Word),
    ('l', "loadstate", Takes::Maybe),
    ('m', "maxprocs", Takes::Word),
    ('p', "port", Takes::Word),
    ('r', "randstart", Takes::Word),
    ('s', "scriptdir", Takes::Word),
    ('t', "trapport", Takes::Word),
    ('v', "version", Takes::Nothing),
    // Ours: where the records go, and the folders of a second instance.
    ('\0', "table", Takes::Word),
    ('\0', "runtime-dir", Takes::Word),
    ('\0', "state-dir", Takes::Word),
    ('\0', "serve", Takes::Nothing),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    Word,
    /// A word, unless the next one is an option.
    Maybe,
}

/// Reads the words after the program's name; the error is for a person.
pub fn parse(words: impl Iterator<Item = OsString>) -> Result<Asked, String> {
    let mut asked = Asked::default();
    let mut words = words.map(|word| word.to_string_lossy().into_owned()).peekable();
    while let Some(word) = words.next() {
        let Some(option) = word.strip_prefix('-').filter(|rest| !rest.is_empty()) else {
            return Err(format!("unexpected word: {word}"));
        };
        let (name, joined) = match option.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (option, None),
        };
        let (letter, name, takes) = find(name.strip_prefix('-').unwrap_or(name))?;
        let value = match (takes, joined) {
            (Takes::Nothing, None) => None,
            (Takes::Nothing, Some(_)) => {
                return Err(format!("Option {name} does not take an argument"));
            }
            (_, Some(value)) => Some(value),
            (Takes::Word, None) => {
                Some(words.next().ok_or_else(|| format!("Option {name} requires an argument"))?)
            }
            (Takes::Maybe, None) => words.next_if(|next| !next.starts_with('-')),
        };
        take(&mut asked, letter, name, value)?;
    }
    Ok(asked)
}

fn find(name: &str) -> Result<(char, &'static str, Takes), String> {
    let mut letters = name.chars();
    if let (Some(letter), None) = (letters.next(), letters.next()) {
        let found = OPTIONS.into_iter().find(|(known, ..)| *known == letter);
        return found.ok_or_else(|| format!("Unknown option: {name}"));
    }
    let mut found = OPTIONS.into_iter().filter(|(_, long, _)| long.starts_with(name));
    match (found.next(), found.next()) {
        (Some(option), None) => Ok(option),
        (Some(_), Some(_)) => OPTIONS
            .into_iter()
            .find(|(_, long, _)| *long == name)
            .ok_or_else(|| format!("Option {name} is ambiguous")),
        (None, _) => Err(format!("Unknown option: {name}")),
    }
}

fn take(asked: &mut Asked, letter: char, name: &str, value: Option<String>) -> Result<(), String> {
    let options = &mut asked.options;
    // 0 and nothing at all are as if it were not there.
    let given = value.clone().filter(|value| !value.is_empty() && value != "0");
    let path = || given.clone().map(PathBuf::from);
    match letter {
        'A' => options.auth_file = path(),
        'B' => options.config_dir = path(),
        'D' => options.state_dir = path(),
        'L' => options.log_dir = path(),
        'M' => asked.filter = Some(value.unwrap_or_else(|| "m4".to_owned())),
        'O' => options.facility = given,
        'P' => options.pid_file = value.map(PathBuf::from),
        'S' => asked.stopped = true,
        'a' => options.alert_dirs = given,
        'b' => options.base_dir = path(),
        'c' => asked.file = path(),
        'd' => asked.debug = asked.debug.saturating_add(1),
        'f' => asked.fork = true,
        'h' => asked.help = true,
        // There is no tick to set.
        'i' => {}
        // The state is always kept, and this is for that of a mon before us.
        'l' => asked.loads_status = matches!(given.as_deref(), Some("all" | "opstatus")),
        'k' => options.history = number(name, given)?,
        'm' => options.max_processes = number(name, given)?,
        'p' => options.server_port = number(name, given)?,
        'r' => {
            let text = given.unwrap_or_default();
            let time = watch::interval(&text).ok_or("bad randstart value")?;
            options.random_start = Some(time);
        }
        's' => options.monitor_dirs = given,
        't' => options.trap_port = number(name, given)?,
        'v' => asked.version = true,
        _ => match (name, given.as_deref()) {
            ("table", Some("memory")) => asked.table = Some(TableChoice::Memory),
            ("table", Some("kernel")) => asked.table = Some(TableChoice::Kernel),
            ("runtime-dir", Some(path)) => asked.runtime_dir = Some(path.into()),
            ("state-dir", Some(path)) => asked.own_state_dir = Some(path.into()),
            ("serve", None) => asked.serve = true,
            _ => return Err(format!("Value invalid for option {name}")),
        },
    }
    Ok(())
}

fn number<T: std::str::FromStr>(name: &str, value: Option<String>) -> Result<Option<T>, String> {
    let parse = |text: String| {
        text.parse().map_err(|_| format!("Value \"{text}\" invalid for option {name}"))
    };
    value.map(parse).transpose()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn asked(line: &str) -> Result<Asked, String> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn letters_long_names_and_shortened_ones_are_one() {
        let file = Some(PathBuf::from("/etc/mon/mon.cf"));
        for line in ["-c /etc/mon/mon.cf", "--configfile=/etc/mon/mon.cf", "--conf /etc/mon/mon.cf"]
        {
            assert_eq!(asked(line).unwrap().file, file, "{line}");
        }
        let all = asked("-f -p 2600 -t 2601 -M -l all -r 5s -P /run/m.pid -d -d").unwrap();
        assert!(all.fork && all.debug == 2 && all.loads_status);
        assert_eq!(all.filter.as_deref(), Some("m4"));
        assert_eq!(all.options.server_port, Some(2600));
        assert_eq!(all.options.random_start, Some(Duration::from_secs(5)));
    }

    #[test]
    fn what_is_no_option_is_told() {
        for line in ["-fd", "--nonsense", "-p", "-p many", "-r 5", "--st x", "word"] {
            assert!(asked(line).is_err(), "{line}");
        }
        assert_eq!(asked("-m 0").unwrap().options.max_processes, None);
    }
}
