//! A file cut into lines, and lines into name and value.

use std::ops::Range;

/// A stretch of the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Piece<'t> {
    pub(super) text: &'t str,
    /// The byte offset in the file.
    pub(super) at: usize,
    /// The byte offset in its line.
    pub(super) column: usize,
}

impl<'t> Piece<'t> {
    pub(super) fn span(&self) -> Range<usize> {
        self.at..self.at + self.text.len()
    }

    /// Part of it, by byte offsets within it.
    pub(super) fn part(&self, range: Range<usize>) -> Piece<'t> {
        let text = self.text.get(range.clone()).unwrap_or_default();
        Piece { text, at: self.at + range.start, column: self.column + range.start }
    }

    pub(super) fn from(&self, start: usize) -> Piece<'t> {
        self.part(start..self.text.len())
    }

    pub(super) fn trim(&self) -> Piece<'t> {
        let start = self.text.len() - self.text.trim_start_matches(BLANK).len();
        let end = start + self.text[start..].trim_end_matches(BLANK).len();
        self.part(start..end)
    }

    /// The first word and what comes after it, without the blanks around either.
    pub(super) fn first_word(&self) -> (Piece<'t>, Piece<'t>) {
        let whole = self.trim();
        let end = whole.text.find(BLANK).unwrap_or(whole.text.len());
        (whole.part(0..end), whole.from(end).trim())
    }

    /// The text as a value: every TAB has become four blanks.
    pub(super) fn value(&self) -> String {
        self.text.replace('\t', "    ")
    }
}

pub(super) const BLANK: [char; 2] = [' ', '\t'];

/// `name = value`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Statement<'t> {
    /// In columns; a TAB is four, wherever it stands.
    pub(super) indent: usize,
    pub(super) name: Piece<'t>,
    /// Without the blanks around it; `None` when there is no `=`.
    pub(super) value: Option<Piece<'t>>,
}

impl<'t> Statement<'t> {
    /// The value; an empty place after the name if there is none.
    pub(super) fn value(&self) -> Piece<'t> {
        self.value.unwrap_or(self.name.from(self.name.text.len()))
    }

    pub(super) fn span(&self) -> Range<usize> {
        self.name.at..self.value().span().end
    }
}

/// A line that says something.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Line<'t> {
    /// From column 0.
    Head(Statement<'t>),
    /// Indented.
    Member(Statement<'t>),
    /// Neither a comment nor a directive.
    Unreadable(Piece<'t>),
}

/// The lines that say something, in order. Blank ones and comments do not, and do not end a
/// block, as they would for ldirectord.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut at = 0;
    text.split_inclusive('\n').filter_map(move |raw| {
        let start = at;
        at += raw.len();
        let text = raw.strip_suffix('\n').unwrap_or(raw);
        let text = text.strip_suffix('\r').unwrap_or(text);
        line(Piece { text, at: start, column: 0 })
    })
}

fn line(whole: Piece<'_>) -> Option<Line<'_>> {
    let content = whole.trim();
    if content.text.is_empty() || content.text.starts_with('#') {
        return None;
    }
    let indent = whole.text[..content.column].chars().map(|c| if c == '\t' { 4 } else { 1 }).sum();
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let length = content.text.find(|c| !word(c)).unwrap_or(content.text.len());
    let name = content.part(0..length);
    let rest = content.from(length).trim();
    let value = match rest.text.strip_prefix('=') {
        Some(_) => Some(without_comment(rest.from(1).trim(), indent == 0)),
        // A name alone, or one and a comment.
        None if rest.text.is_empty() || rest.text.starts_with('#') => None,
        None => return Some(Line::Unreadable(content)),
    };
    if name.text.is_empty() {
        return Some(Line::Unreadable(content));
    }
    let statement = Statement { indent, name, value };
    Some(if indent == 0 { Line::Head(statement) } else { Line::Member(statement) })
}

/// The value up to the comment that ends the line.
///
/// A `#` between double quotes is none: passwords and patterns have them. In a block ldirectord
/// ends the line at any other; in the head only after a blank, since there it takes it as part
/// of a value.
fn without_comment(value: Piece<'_>, head: bool) -> Piece<'_> {
    let text = value.text;
    let mut quotes = 0;
    for (at, c) in text.char_indices() {
        match c {
            '"' => quotes += 1,
            '#' => {
                let quoted = quotes % 2 == 1 && text[at..].contains('"');
                let glued = head && at > 0 && !text[..at].ends_with(BLANK);
                if !quoted && !glued {
                    return value.part(0..at).trim();
                }
            }
            _ => {}
        }
    }
    value
}
