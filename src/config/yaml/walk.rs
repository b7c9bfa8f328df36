//! Walking the tree by the catalogue: keys are looked up, values become what their kind says,
//! and whatever does not fit is reported where it stands.
//!
//! Readers answer `None` for a value that is wrong, after reporting it; the caller goes on with
//! the default, so that one mistake hides no other.

use std::collections::HashMap;
use std::fmt::Display;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::catalogue::{Key, Kind, Section};
use super::findings::Findings;
use super::tree::{Id, Node, Tree, Value};
use super::{scalar, suggest};
use crate::config::Names;
use crate::config::diagnostic::quoted;
use crate::config::nearest::nearest;
use crate::model::{CheckSpec, KernelName, WatchKey};

/// More words than any line of ours has, mistakes included.
pub(super) const MOST_WORDS: usize = 32;

/// What reading one file takes.
pub(super) struct Walk<'a> {
    pub(super) text: &'a str,
    pub(super) tree: &'a Tree<'a>,
    pub(super) names: &'a dyn Names,
    pub(super) findings: &'a mut Findings,
    /// Every check of the file so far, so that equal ones are one in memory.
    pub(super) checks: HashMap<CheckSpec, Arc<CheckSpec>>,
    /// Where alerts and monitors were found, or that they were not; by what they are and their name.
    pub(super) programs: HashMap<(&'static str, String), Option<Arc<PathBuf>>>,
    /// Watched services that others speak of, and where.
    pub(super) mentions: Vec<(WatchKey, Range<usize>)>,
}

/// A mapping's keys that its section knows.
pub(super) struct Fields<'a> {
    pub(super) node: &'a Node<'a>,
    entries: Vec<Entry<'a>>,
}

/// One key and what was written for it.
#[derive(Clone)]
pub(super) struct Entry<'a> {
    pub(super) key: &'static Key,
    pub(super) key_span: Range<usize>,
    pub(super) value: &'a Node<'a>,
    /// Whether another word stands there, which was meant for the key.
    is_guess: bool,
}

impl<'a> Fields<'a> {
    pub(super) fn entry(&self, key: &'static Key) -> Option<&Entry<'a>> {
        self.entries.iter().find(|entry| std::ptr::eq(entry.key, key))
    }

    pub(super) fn has(&self, key: &'static Key) -> bool {
        self.entry(key).is_some()
    }
}

/// What a key that is none of its section's may have been.
struct Slip {
    /// The key that a slip of the fingers makes of it.
    meant: Option<&'static Key>,
    /// Whether that may be one the section needs, so that nobody is told twice.
    is_meant_well: bool,
}

impl<'a> Entry<'a> {
    /// An item of a list that stands for this key.
    pub(super) fn item(&self, value: &'a Node<'a>) -> Entry<'a> {
        Entry { key: self.key, key_span: value.span.clone(), value, is_guess: false }
    }

    /// Where to point: the value, or the key when nothing stands there.
    pub(super) fn span(&self) -> &Range<usize> {
        if self.value.is_null() { &self.key_span } else { &self.value.span }
    }
}

impl<'a> Walk<'a> {
    pub(super) fn node(&self, id: Id) -> &'a Node<'a> {
        self.tree.node(id)
    }

    /// The keys of a mapping; unknown ones are reported, and a choice that was not made.
    pub(super) fn fields(
        &mut self,
        node: &'a Node<'a>,
        section: &'static Section,
    ) -> Option<Fields<'a>> {
        let Value::Mapping(pairs) = &node.value else {
            self.findings.error(
                &node.span,
                format!("{} is a mapping", section.name),
                mapping_hint(node),
            );
            return None;
        };
        let mut entries: Vec<Entry> = Vec::with_capacity(pairs.len().min(section.keys.len()));
        let (mut meant_well, mut slips) = (false, Vec::new());
        for (key, value) in pairs {
            let (key, value) = (self.node(*key), self.node(*value));
            if self.findings.is_full() {
                break;
            }
            let known = key.text().and_then(|text| section.key(text));
            let Some(known) = known else {
                let slip = self.unknown_key(key, section);
                meant_well |= slip.is_meant_well;
                slips.extend(slip.meant.map(|meant| (meant, key, value)));
                continue;
            };
            if let Some(first) = entries.iter().find(|entry| std::ptr::eq(entry.key, known)) {
                let message = format!("key {} is written twice", quoted(known.name));
                let first = (&first.key_span, "written first here");
                self.findings.clash(&key.span, message, "keep one of the two", first);
                continue;
            }
            let key_span = key.span.clone();
            entries.push(Entry { key: known, key_span, value, is_guess: false });
        }
        // Read as what it was meant for, so that the mistakes below are told with it.
        for (meant, key, value) in slips {
            if !is_in_the_way(meant, section, &entries) {
                let key_span = key.span.clone();
                entries.push(Entry { key: meant, key_span, value, is_guess: true });
            }
        }
        let fields = Fields { node, entries };
        self.choice(&fields, section, meant_well);
        Some(fields)
    }

    /// The keys of two mappings as those of one; a key that both have is there twice.
    pub(super) fn joined(&mut self, mut fields: Fields<'a>, others: &Fields<'a>) -> Fields<'a> {
        for other in &others.entries {
            match fields.entry(other.key) {
                // It was told as an unknown key.
                Some(_) if other.is_guess => {}
                Some(first) => {
                    let message = format!("key {} is written twice", quoted(other.key.name));
                    let place = (&first.key_span, "the other one");
                    self.findings.clash(&other.key_span, message, "keep one of the two", place);
                }
                None => fields.entries.push(other.clone()),
            }
        }
        fields
    }

    /// Reports a key that is none of the section's.
    fn unknown_key(&mut self, key: &'a Node<'a>, section: &'static Section) -> Slip {
        let Value::Scalar { text, .. } = &key.value else {
            let hint = "an address in brackets needs quotes: \"[2001:db8::1]:80\"";
            self.findings.error(&key.span, "a key is a word", hint);
            return Slip { meant: None, is_meant_well: true };
        };
        let message = format!("unknown key {} in {}", quoted(text), section.name);
        if super::address::looks_like_address(text) {
            let hint = "write ADDRESS:PORT in one word, without a blank";
            self.findings.error(&key.span, message, hint);
            return Slip { meant: None, is_meant_well: true };
        }
        let (meant, hint) = suggest::key(section, text);
        self.findings.error(&key.span, message, hint);
        let wanted = section.choice.iter().chain(section.needs).map(|key| key.name);
        Slip { meant, is_meant_well: nearest(text, wanted).is_some() }
    }

    /// At most one key of the section's choice, and one at least when one is required; and every
    /// key it needs.
    fn choice(&mut self, fields: &Fields<'a>, section: &'static Section, meant_well: bool) {
        let of_choice = |key: &Key| section.choice.iter().any(|other| std::ptr::eq(*other, key));
        let mut chosen = fields.entries.iter().filter(|entry| of_choice(entry.key));
        let names = || suggest::list(section.choice.iter().map(|key| key.name));
        let unfinished = meant_well || self.tree.is_unfinished(fields.node);
        for key in section.needs.iter().filter(|key| !fields.has(key) && !unfinished) {
            let message = format!("{} needs {}", section.name, quoted(key.name));
            self.findings.error(&head(fields.node, self.text), message, example(key));
        }
        let Some(first) = chosen.next() else {
            if section.required && !unfinished {
                let message = format!("{} needs one of: {}", section.name, names());
                let example = section.choice.first().map(|key| example(key));
                self.findings.error(&head(fields.node, self.text), message, example);
            }
            return;
        };
        for second in chosen {
            let (name, other) = (quoted(first.key.name), quoted(second.key.name));
            let message = format!("{name} and {other} exclude each other");
            let hint = format!("{} has one of: {}", section.name, names());
            let first = (&first.key_span, "the other one");
            self.findings.clash(&second.key_span, message, hint, first);
        }
    }

    /// The items of a list.
    pub(super) fn list(&mut self, entry: &Entry<'a>) -> Option<&'a [Id]> {
        match &entry.value.value {
            Value::List(items) => Some(items),
            _ => {
                let message = format!("{} is a list", quoted(entry.key.name));
                self.findings.error(entry.span(), message, example(entry.key));
                None
            }
        }
    }

    /// The keys of a mapping that may have any, each with its value.
    pub(super) fn texts(&mut self, entry: &Entry<'a>) -> Vec<(&'a str, Entry<'a>)> {
        let Value::Mapping(pairs) = &entry.value.value else {
            let message = format!("{} is a mapping", quoted(entry.key.name));
            self.findings.error(entry.span(), message, example(entry.key));
            return Vec::new();
        };
        let mut found = Vec::with_capacity(pairs.len());
        for (name, value) in pairs {
            let (name, value) = (self.node(*name), self.node(*value));
            match name.text() {
                Some(text) => {
                    let key_span = name.span.clone();
                    found.push((text, Entry { key: entry.key, key_span, value, is_guess: false }));
                }
                None => self.findings.error(&name.span, "a key is a word", example(entry.key)),
            }
        }
        found
    }

    /// The text of a scalar, as written.
    pub(super) fn scalar(&mut self, entry: &Entry<'a>) -> Option<&'a str> {
        match &entry.value.value {
            Value::Scalar { .. } if entry.value.is_null() => {
                let message = format!("{} needs a value", quoted(entry.key.name));
                self.findings.error(&entry.key_span, message, example(entry.key));
                None
            }
            Value::Scalar { text, .. } => Some(text),
            _ => {
                let brackets = self.text.get(entry.value.span.clone()).unwrap_or_default();
                let hint = match brackets.starts_with('[') && brackets.matches(':').count() > 1 {
                    true => "an address in brackets needs quotes: \"[2001:db8::1]:80\"".to_owned(),
                    false => example(entry.key),
                };
                let what = match entry.key.kind {
                    Kind::WordOr(..) => "a word or a mapping",
                    _ => "a single value",
                };
                let message = format!("{} is {what}", quoted(entry.key.name));
                self.findings.error(&entry.value.span, message, hint);
                None
            }
        }
    }

    /// Text that goes into a request or a log line: not empty, nothing that could end a line.
    pub(super) fn line(&mut self, entry: &Entry<'a>) -> Option<&'a str> {
        const LONGEST: usize = 4096;
        let text = self.scalar(entry)?;
        if text.is_empty() {
            return self.refuse(entry, "is empty", example(entry.key));
        }
        if text.len() > LONGEST {
            return self.refuse(entry, format!("is longer than {LONGEST} bytes"), "");
        }
        match text.chars().any(char::is_control) {
            true => self.refuse(
                entry,
                "has a control character or a line break in it",
                "write it on one line",
            ),
            false => Some(text),
        }
    }

    pub(super) fn flag(&mut self, entry: &Entry<'a>) -> Option<bool> {
        match self.scalar(entry)? {
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            text => {
                let hint = match text.to_ascii_lowercase().as_str() {
                    "yes" | "on" | "y" | "1" => "write true",
                    "no" | "off" | "n" | "0" => "write false",
                    _ => "write true or false",
                };
                self.refuse(entry, format!("is true or false, not {}", quoted(text)), hint)
            }
        }
    }

    /// One of the words the key may have.
    pub(super) fn word(&mut self, entry: &Entry<'a>) -> Option<&'static str> {
        let words = match entry.key.kind {
            Kind::Word(words) | Kind::WordOr(words, _) => words,
            _ => &[],
        };
        let text = self.scalar(entry)?;
        let known = words.iter().find(|word| **word == text).copied();
        if known.is_none() {
            let message = format!("cannot be {}", quoted(text));
            return self.refuse(entry, message, suggest::word(words, text));
        }
        known
    }

    pub(super) fn integer<T: TryFrom<u64>>(&mut self, entry: &Entry<'a>) -> Option<T> {
        let text = self.scalar(entry)?;
        self.number(entry.key, text, entry.span())
    }

    /// A number that stands for this key at this place.
    pub(super) fn number<T: TryFrom<u64>>(
        &mut self,
        key: &'static Key,
        text: &str,
        span: &Range<usize>,
    ) -> Option<T> {
        let (least, most) = match key.kind {
            Kind::Integer(least, most) => (least, most),
            _ => (0, u64::MAX),
        };
        let number = scalar::integer(text);
        let in_range = number.filter(|number| (least..=most).contains(number));
        if let Some(value) = in_range.and_then(|number| T::try_from(number).ok()) {
            return Some(value);
        }
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let name = quoted(key.name);
        match !unsigned.is_empty() && unsigned.bytes().all(|b| b.is_ascii_digit()) {
            true => {
                let message = format!("{name} cannot be {}", quoted(text));
                self.findings.error(span, message, format!("from {least} to {most}"));
            }
            false => {
                let message = format!("{name} is a whole number, not {}", quoted(text));
                self.findings.error(span, message, example(key));
            }
        }
        None
    }

    pub(super) fn duration(&mut self, entry: &Entry<'a>) -> Option<Duration> {
        let (least, most) = match entry.key.kind {
            Kind::Duration(least, most) => (least, most),
            _ => (Duration::ZERO, Duration::MAX),
        };
        let text = self.scalar(entry)?;
        let Some(duration) = scalar::duration(text) else {
            let hint = match scalar::integer(text) {
                Some(seconds) => format!("write {seconds}s"),
                None => "write a duration like 500ms, 10s or 1m30s".to_owned(),
            };
            let why =
                if scalar::integer(text).is_some() { "needs a unit" } else { "is a duration" };
            return self.refuse(entry, format!("{why}, not {}", quoted(text)), hint);
        };
        match (least..=most).contains(&duration) {
            true => Some(duration),
            false => {
                let bounds = (scalar::duration_text(least), scalar::duration_text(most));
                self.out_of_range(entry, text, bounds.0, bounds.1)
            }
        }
    }

    pub(super) fn size<T: TryFrom<u64>>(&mut self, entry: &Entry<'a>) -> Option<T> {
        let (least, most) = match entry.key.kind {
            Kind::Size(least, most) => (least, most),
            _ => (0, u64::MAX),
        };
        let text = self.scalar(entry)?;
        let Some(size) = scalar::size(text) else {
            let message = format!("is a number of bytes, not {}", quoted(text));
            return self.refuse(entry, message, "write a size like 4096, 64KiB or 1MiB");
        };
        match T::try_from(size) {
            Ok(value) if (least..=most).contains(&size) => Some(value),
            _ => self.out_of_range(entry, text, least, most),
        }
    }

    /// A scheduler or another module of the kernel. One that is not among the usual is let
    /// through with a word: the kernel may know it.
    pub(super) fn kernel_name(&mut self, entry: &Entry<'a>) -> Option<KernelName> {
        let text = self.scalar(entry)?;
        let Ok(name) = KernelName::new(text) else {
            let message = format!(
                "is a name of 1 to {} letters, digits, '_' or '-', not {}",
                KernelName::MAX_LEN,
                quoted(text)
            );
            return self.refuse(entry, message, example(entry.key));
        };
        if let Kind::KernelName(usual) = entry.key.kind
            && !usual.contains(&text)
        {
            let message = format!("{} {} is not one we know", entry.key.name, quoted(text));
            self.findings.warning(entry.span(), message, suggest::word(usual, text));
        }
        Some(name)
    }

    /// Whether a thing that needs no more than its name is wanted: nothing, `true` or `{}`
    /// stand after it.
    pub(super) fn is_bare(&self, entry: &Entry<'a>) -> bool {
        match &entry.value.value {
            Value::Scalar { text, plain } => {
                entry.value.is_null() || (*plain && text.eq_ignore_ascii_case("true"))
            }
            Value::Mapping(pairs) => pairs.is_empty(),
            Value::List(_) => false,
        }
    }

    fn out_of_range<T>(
        &mut self,
        entry: &Entry<'a>,
        text: &str,
        least: impl Display,
        most: impl Display,
    ) -> Option<T> {
        self.refuse(entry, format!("cannot be {}", quoted(text)), format!("from {least} to {most}"))
    }

    /// Reports what is wrong with a value; the key's name goes before it.
    pub(super) fn refuse<T>(
        &mut self,
        entry: &Entry<'a>,
        message: impl Display,
        hint: impl Into<String>,
    ) -> Option<T> {
        let hint = Some(hint.into()).filter(|hint| !hint.is_empty());
        self.findings.error(entry.span(), format!("{} {message}", quoted(entry.key.name)), hint);
        None
    }

    /// The first words of a scalar, one more than [`MOST_WORDS`] at most, each with its own place where the file shows the text as it is,
    /// and the whole scalar's place where escapes or line breaks stand between.
    pub(super) fn words(&self, node: &'a Node<'a>, text: &'a str) -> Vec<(&'a str, Range<usize>)> {
        let place = |word: &str| {
            let at = (word.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
            self.part(node, text, at..at + word.len())
        };
        text.split_whitespace().take(MOST_WORDS + 1).map(|word| (word, place(word))).collect()
    }

    /// Where a part of a scalar stands; the whole scalar's place where escapes or line breaks
    /// stand between.
    pub(super) fn part(&self, node: &Node, text: &str, part: Range<usize>) -> Range<usize> {
        let written = self.text.get(node.span.clone()).unwrap_or_default();
        let base = match written {
            _ if written == text => node.span.start,
            _ if written.get(1..written.len().saturating_sub(1)) == Some(text) => {
                node.span.start + 1
            }
            _ => return node.span.clone(),
        };
        base + part.start..base + part.end
    }
}

/// Whether a key is there, or one that it would exclude.
fn is_in_the_way(key: &Key, section: &Section, entries: &[Entry]) -> bool {
    let of_choice = |key: &Key| section.choice.iter().any(|other| std::ptr::eq(*other, key));
    let is_one =
        |entry: &Entry| std::ptr::eq(entry.key, key) || (of_choice(key) && of_choice(entry.key));
    entries.iter().any(is_one)
}

/// `write for example weight: 5`.
pub(super) fn example(key: &Key) -> String {
    match key.example {
        "" => format!("write {}:", key.name),
        example => format!("write for example {}: {example}", key.name),
    }
}

/// The place that stands for a whole mapping: the first line of it.
pub(super) fn head(node: &Node, text: &str) -> Range<usize> {
    let written = text.get(node.span.clone()).unwrap_or_default();
    let first = written.lines().next().unwrap_or_default();
    node.span.start..node.span.start + first.len()
}

fn mapping_hint(node: &Node) -> &'static str {
    match &node.value {
        Value::Scalar { text, .. } if text.contains(':') && !text.contains(": ") => {
            "a blank belongs after the colon of a key"
        }
        _ => "write key: value, each on its own line",
    }
}
