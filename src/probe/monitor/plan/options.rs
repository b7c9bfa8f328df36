//! Options as mon's monitors read them: Perl's `Getopt::Std` and `Getopt::Long`.
//!
//! Perl's readers complain of an option they do not know and carry on, and so a monitor with a
//! typing error asks something else than its owner meant, for years. Here it is a mistake.

use std::fmt;

/// A word that is not understood.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub struct Mistake {
    /// Which of the monitor's words, from 0; its number of words when one is missing at the end.
    pub word: usize,
    /// What is wrong with it.
    pub what: String,
    /// What would be right.
    pub hint: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.hint)
    }
}

/// An option, and what follows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Known {
    /// A letter, or a word for `--word`.
    pub name: &'static str,
    pub takes: bool,
}

/// What was given.
pub(super) struct Given {
    monitor: &'static str,
    found: Vec<Found>,
    /// Words that are no options: hosts.
    pub hosts: Vec<String>,
    pub mistakes: Vec<Mistake>,
}

struct Found {
    name: &'static str,
    value: String,
    word: usize,
}

/// Reads single letters as `Getopt::Std` does: `-o -p80 -p 80 -op80`, up to the first word that
/// is none. The letters are written as there: `op:`.
pub(super) fn letters(monitor: &'static str, words: &[String], known: &'static str) -> Given {
    read_letters(monitor, words, known, false)
}

/// The same wherever they stand, as getopt(1) does.
pub(super) fn letters_anywhere(
    monitor: &'static str,
    words: &[String],
    known: &'static str,
) -> Given {
    read_letters(monitor, words, known, true)
}

fn read_letters(
    monitor: &'static str,
    words: &[String],
    known: &'static str,
    anywhere: bool,
) -> Given {
    let known: Vec<Known> = known
        .char_indices()
        .filter(|(_, c)| *c != ':')
        .map(|(at, _)| Known { name: &known[at..=at], takes: known[at + 1..].starts_with(':') })
        .collect();
    let mut given = Given::none(monitor);
    let mut at = 0;
    while let Some(word) = words.get(at) {
        if word.len() < 2 || !word.starts_with('-') {
            if !anywhere {
                break;
            }
            given.hosts.push(word.clone());
            at += 1;
            continue;
        }
        at += 1;
        if word == "--" {
            break;
        }
        let mut rest = &word[1..];
        let began = at - 1;
        while let Some(letter) = rest.chars().next() {
            rest = &rest[letter.len_utf8()..];
            let found = known.iter().find(|known| known.name.starts_with(letter));
            match found {
                None => given.unknown(began, &format!("-{letter}"), &known, "-"),
                Some(Known { name, takes: false }) => given.add(name, String::new(), began),
                Some(Known { name, takes: true }) => {
                    let value = match std::mem::take(&mut rest) {
                        "" => {
                            at += 1;
                            words.get(at - 1).cloned()
                        }
                        value => Some(value.to_owned()),
                    };
                    given.add_value(name, value, began, &format!("-{name}"));
                }
            }
        }
    }
    given.hosts.extend_from_slice(words.get(at..).unwrap_or_default());
    given
}

/// Reads whole words as `Getopt::Long` does: `--port 80 --port=80 -port 80 --po 80`, in any
/// case and wherever they stand.
pub(super) fn whole_words(
    monitor: &'static str,
    words: &[String],
    known: &'static [Known],
) -> Given {
    let mut given = Given::none(monitor);
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let began = at;
        at += 1;
        if word == "--" {
            given.hosts.extend_from_slice(&words[at..]);
            break;
        }
        let Some(option) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')) else {
            given.hosts.push(word.clone());
            continue;
        };
        let (name, value) = match option.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (option, None),
        };
        match choose(name, known) {
            None => given.unknown(began, word, known, "--"),
            Some(Known { name, takes: false }) => given.add(name, String::new(), began),
            Some(Known { name, takes: true }) => {
                let value = value.or_else(|| {
                    at += 1;
                    words.get(at - 1).cloned()
                });
                given.add_value(name, value, began, word);
            }
        }
    }
    given
}

/// The one option that is called so, or begins so.
fn choose(name: &str, known: &[Known]) -> Option<Known> {
    let name = name.to_ascii_lowercase();
    let exact = known.iter().find(|known| known.name == name);
    let mut begun = known.iter().filter(|known| !name.is_empty() && known.name.starts_with(&name));
    exact.or_else(|| begun.next().filter(|_| begun.next().is_none())).copied()
}

impl Given {
    fn none(monitor: &'static str) -> Given {
        Given { monitor, found: Vec::new(), hosts: Vec::new(), mistakes: Vec::new() }
    }

    fn add(&mut self, name: &'static str, value: String, word: usize) {
        self.found.push(Found { name, value, word });
    }

    fn add_value(&mut self, name: &'static str, value: Option<String>, word: usize, shown: &str) {
        match value {
            Some(value) => self.add(name, value, word),
            None => self.wrong(word, format!("{shown} is the last word"), "a value follows it"),
        }
    }

    fn unknown(&mut self, word: usize, shown: &str, known: &[Known], mark: &str) {
        let what = format!("{shown} is no option of {}", self.monitor);
        let names: Vec<String> =
            known.iter().map(|known| format!("{mark}{}", known.name)).collect();
        self.wrong(word, what, &format!("it knows {}", names.join(" ")));
    }

    pub fn wrong(&mut self, word: usize, what: String, hint: &str) {
        self.mistakes.push(Mistake { word, what, hint: hint.to_owned() });
    }

    /// The last value of an option, and the word it is in, whatever it is.
    pub fn last(&self, name: &str) -> Option<(&str, usize)> {
        let last = self.found.iter().rev().find(|found| found.name == name)?;
        Some((last.value.as_str(), last.word))
    }

    /// The same, but an empty one, or 0, is none: Perl's `||`, by which most of these monitors
    /// choose their defaults.
    pub fn value(&self, name: &str) -> Option<(&str, usize)> {
        self.last(name).filter(|(value, _)| !value.is_empty() && *value != "0")
    }

    pub fn values(&self, name: &str) -> Vec<(String, usize)> {
        let all = self.found.iter().filter(|found| found.name == name);
        all.map(|found| (found.value.clone(), found.word)).collect()
    }

    pub fn flag(&self, name: &str) -> Option<usize> {
        self.found.iter().find(|found| found.name == name).map(|found| found.word)
    }

    /// A text that can be said in one line.
    pub fn text(&mut self, name: &str, default: &str) -> String {
        let value = self.value(name).map(|(value, word)| (value.to_owned(), word));
        self.one_line(name, value).unwrap_or_else(|| default.to_owned())
    }

    /// The same for monitors that set their defaults before they read: what is given holds, even
    /// when it is empty or 0.
    pub fn text_as_given(&mut self, name: &str, default: &str) -> String {
        let value = self.last(name).map(|(value, word)| (value.to_owned(), word));
        self.one_line(name, value).unwrap_or_else(|| default.to_owned())
    }

    fn one_line(&mut self, name: &str, value: Option<(String, usize)>) -> Option<String> {
        let (value, word) = value?;
        if value.chars().any(char::is_control) {
            let what = format!("the value of {name} holds a control character");
            self.wrong(word, what, "it would end the line it is sent in");
        }
        Some(value)
    }

    /// A whole number from 1 to `most`.
    pub fn number(&mut self, name: &str, default: u32, most: u32) -> u32 {
        let Some((value, word)) = self.value(name) else { return default };
        match value.parse() {
            Ok(number) if (1..=most).contains(&number) => number,
            _ => {
                let what = format!("{value} is no number for {name}");
                self.wrong(word, what, &format!("a whole number from 1 to {most}"));
                default
            }
        }
    }
}
