//! A file cut into lines as mon sees them: joined at backslashes, comments left out.

use std::ops::Range;
use std::rc::Rc;

use crate::config::watch::words;

/// White space to mon.
pub(super) fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

/// A letter of a tag: of a group, a service, a view.
pub(super) fn is_of_tag(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')
}

/// A letter of a keyword.
pub(super) fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// What mon takes as one line, without the blanks around it.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Line {
    pub(super) text: String,
    /// The physical line it ends on, from 1: the number in mon's messages.
    pub(super) number: u32,
    /// Where pieces of the text begin: in the text, and in the file.
    pieces: Vec<(usize, usize)>,
}

/// A stretch of a line; cloning is cheap.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Piece {
    line: Rc<Line>,
    range: Range<usize>,
}

impl Piece {
    pub(super) fn text(&self) -> &str {
        self.line.text.get(self.range.clone()).unwrap_or_default()
    }

    /// The physical line that mon would name.
    pub(super) fn number(&self) -> u32 {
        self.line.number
    }

    /// The whole line.
    pub(super) fn line(&self) -> &str {
        &self.line.text
    }

    /// Where it is in the file.
    pub(super) fn span(&self) -> Range<usize> {
        let start = self.in_file(self.range.start);
        match self.range.is_empty() {
            true => start..start,
            // A piece may end where another part of the file goes on.
            false => {
                let last = self.text().chars().next_back().map_or(0, char::len_utf8);
                start..self.in_file(self.range.end - last) + last
            }
        }
    }

    fn in_file(&self, at: usize) -> usize {
        let next = self.line.pieces.partition_point(|(text, _)| *text <= at);
        let (text, file) = self.line.pieces.get(next.saturating_sub(1)).copied().unwrap_or((0, 0));
        file + at.saturating_sub(text)
    }

    /// Part of it, by byte offsets within it.
    pub(super) fn part(&self, range: Range<usize>) -> Piece {
        let start = self.range.start;
        Piece { line: self.line.clone(), range: start + range.start..start + range.end }
    }

    pub(super) fn from(&self, start: usize) -> Piece {
        self.part(start..self.text().len())
    }

    pub(super) fn trimmed(&self) -> Piece {
        let text = self.text();
        let start = text.len() - text.trim_start_matches(is_blank).len();
        let end = start + text[start..].trim_end_matches(is_blank).len();
        self.part(start..end)
    }

    /// What its letters at the beginning are, and what follows, without the blanks between.
    pub(super) fn split(&self, of_first: impl Fn(char) -> bool) -> (Piece, Piece) {
        let text = self.text();
        let end = text.find(|c| !of_first(c)).unwrap_or(text.len());
        (self.part(0..end), self.from(end).trimmed())
    }

    /// The first word and what follows it.
    pub(super) fn first_word(&self) -> (Piece, Piece) {
        self.split(|c| !is_blank(c))
    }

    /// The words between blanks.
    pub(super) fn words(&self) -> Vec<Piece> {
        let mut words = Vec::new();
        let mut rest = self.trimmed();
        while !rest.text().is_empty() {
            let (word, after) = rest.first_word();
            words.push(word);
            rest = after;
        }
        words
    }

    /// The words as a shell cuts them; none where a quote does not end.
    pub(super) fn quoted_words(&self) -> Option<Vec<String>> {
        words(self.text())
    }

    /// `KEYWORD TAG REST`, if it is that: the tag and the rest.
    pub(super) fn tagged(&self, keyword: &str) -> Option<(Piece, Piece)> {
        let rest = self.text().strip_prefix(keyword)?;
        if !rest.starts_with(is_blank) {
            return None;
        }
        let (tag, rest) = self.from(keyword.len()).trimmed().split(is_of_tag);
        (!tag.text().is_empty()).then_some((tag, rest))
    }

    /// `NAME = VALUE`, if it is that.
    pub(super) fn assignment(&self) -> Option<(Piece, Piece)> {
        let (name, rest) = self.split(is_of_word);
        let is_one = !name.text().is_empty() && rest.text().starts_with('=');
        is_one.then(|| (name, rest.from(1).trimmed()))
    }
}

/// The lines of a file, in order; an empty one ends a record.
pub(super) struct Lines<'t> {
    rest: std::str::SplitInclusive<'t, char>,
    at: usize,
    number: u32,
    /// What a backslash at the end of the file has lost.
    pub(super) lost: Option<Piece>,
}

impl<'t> Lines<'t> {
    pub(super) fn of(text: &'t str) -> Lines<'t> {
        Lines { rest: text.split_inclusive('\n'), at: 0, number: 0, lost: None }
    }
}

impl Iterator for Lines<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let mut text = String::new();
        let mut pieces = Vec::new();
        let mut goes_on = false;
        for raw in self.rest.by_ref() {
            let start = self.at;
            self.at += raw.len();
            self.number = self.number.saturating_add(1);
            let content = raw.trim_start_matches(is_blank);
            if content.starts_with('#') {
                continue;
            }
            // Of the first the blanks before it go as well, with those around the whole.
            pieces.push((text.len(), start + raw.len() - content.len()));
            match content.trim_end_matches(is_blank).strip_suffix('\\') {
                Some(part) => {
                    text.push_str(part);
                    goes_on = true;
                }
                None => {
                    text.push_str(content);
                    return Some(line(text, pieces, self.number));
                }
            }
        }
        if goes_on {
            self.lost = Some(line(text, pieces, self.number));
        }
        None
    }
}

fn line(mut text: String, pieces: Vec<(usize, usize)>, number: u32) -> Piece {
    text.truncate(text.trim_end_matches(is_blank).len());
    let range = 0..text.len();
    // A first part of blanks alone leaves those of the second.
    Piece { line: Rc::new(Line { text, number, pieces }), range }.trimmed()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<(u32, String)> {
        Lines::of(text).map(|line| (line.number(), line.text().to_owned())).collect()
    }

    #[test]
    fn lines_are_joined_and_comments_are_not_there() {
        let text = "  a  b \r\n# x \\\n\n c \\ \n  # y\n   d\\\n\ne\\\\\nf";
        let found = cut(text);
        let found: Vec<_> = found.iter().map(|(at, text)| (*at, text.as_str())).collect();
        assert_eq!(found, [(1, "a  b"), (3, ""), (7, "c d"), (9, r"e\f")]);
    }

    #[test]
    fn a_backslash_at_the_end_of_the_file_loses_its_line() {
        let mut lines = Lines::of("a\nb\\\n");
        assert_eq!(lines.by_ref().count(), 1);
        assert_eq!(lines.lost.map(|lost| lost.text().to_owned()), Some("b".to_owned()));
    }

    #[test]
    fn a_piece_knows_its_place_in_the_file_across_a_backslash() {
        let text = "alert  \\\n\t mail.alert \\\n  root@ü\n";
        let line = Lines::of(text).next().unwrap();
        let places: Vec<_> = line.words().iter().map(|word| text[word.span()].to_owned()).collect();
        assert_eq!(places, ["alert", "mail.alert", "root@ü"]);
        assert_eq!(&text[line.span()], text.trim_end());
        assert_eq!(line.from(line.text().len()).span().start, text.len() - 1);
    }
}
