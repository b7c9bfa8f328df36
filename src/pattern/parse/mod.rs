//! Perl's grammar of regular expressions.
//!
//! Follows Perl 5.36 as observed where its manual is silent, with one exception: `\Q...\E`
//! quotes. Perl leaves that to string interpolation, which ldirectord's `receive` never sees,
//! so there `\Q` is a plain Q; no file can work because of it, and its author meant to quote.

mod behind;
mod class;
mod escape;
mod group;

use super::set::{self, ByteSet};
use super::tree::{Greed, Node};

/// A pattern read to its end.
pub(super) struct Parsed {
    pub(super) tree: Node,
    /// Whether something in it depends on what a group matched.
    pub(super) refers_to_groups: bool,
}

/// Groups may be nested this deep. The engines recurse per level; people stop at five.
const MAX_DEPTH: u32 = 50;

/// Perl's own limit for a count.
const MAX_REPEAT: u32 = 65_534;

/// Reads a pattern.
pub(super) fn parse(source: &str) -> Result<Parsed, String> {
    // Twice: whether `\10` is a group or a character, and which groups have names, depends on
    // what comes after it.
    let mut census = Parser::new(source, None);
    census.whole()?;
    let mut parser =
        Parser::new(source, Some(Groups { count: census.groups, names: census.names }));
    let tree = parser.whole()?;
    Ok(Parsed { tree, refers_to_groups: parser.refers_to_groups })
}

/// The capturing groups of the whole pattern.
struct Groups {
    count: u32,
    names: Vec<(Vec<u8>, u32)>,
}

/// `(?imsxn)`.
#[derive(Clone, Copy, Default)]
struct Flags {
    fold: bool,
    lines: bool,
    dot_all: bool,
    extended: bool,
    /// `xx`: blanks inside brackets do not count either.
    extended_more: bool,
    no_capture: bool,
}

struct Parser<'s> {
    source: &'s str,
    bytes: &'s [u8],
    at: usize,
    depth: u32,
    /// Inside a look-around that decides between two branches.
    in_condition: bool,
    /// Between `\Q` and `\E`.
    quoting: bool,
    /// Opened so far.
    groups: u32,
    /// Those we are inside of.
    open_groups: Vec<u32>,
    names: Vec<(Vec<u8>, u32)>,
    /// `None` in the first reading.
    all_groups: Option<Groups>,
    refers_to_groups: bool,
}

impl<'s> Parser<'s> {
    fn new(source: &'s str, all_groups: Option<Groups>) -> Parser<'s> {
        Parser {
            source,
            bytes: source.as_bytes(),
            at: 0,
            depth: 0,
            in_condition: false,
            quoting: false,
            groups: 0,
            open_groups: Vec::new(),
            names: Vec::new(),
            all_groups,
            refers_to_groups: false,
        }
    }

    fn whole(&mut self) -> Result<Node, String> {
        let tree = self.alternation(Flags::default())?;
        match self.peek() {
            None => Ok(tree),
            Some(_) => Err(self.mistake(self.at, "unmatched )")),
        }
    }

    /// Branches up to the closing parenthesis or the end, which is not consumed.
    fn alternation(&mut self, flags: Flags) -> Result<Node, String> {
        let mut branches = self.branches(flags)?;
        Ok(match branches.len() {
            1 => branches.swap_remove(0),
            _ => Node::Alternatives(branches),
        })
    }

    fn branches(&mut self, mut flags: Flags) -> Result<Vec<Node>, String> {
        let mut branches = Vec::new();
        let mut sequence = Vec::new();
        loop {
            self.skip_blank(flags);
            match self.peek() {
                None => break,
                Some(b')') if !self.quoting => break,
                Some(b'|') if !self.quoting => {
                    self.at += 1;
                    branches.push(concat(std::mem::take(&mut sequence)));
                }
                Some(_) => {
                    // A flag set in one branch holds in those after it: `a(?i)b|c` takes C.
                    if let Some(atom) = self.atom(&mut flags)? {
                        sequence.push(self.quantified(atom, flags)?);
                    }
                }
            }
        }
        branches.push(concat(sequence));
        Ok(branches)
    }

    /// One thing a quantifier may follow; `None` for what only changes how the rest is read.
    fn atom(&mut self, flags: &mut Flags) -> Result<Option<Node>, String> {
        let start = self.at;
        let byte = self.bytes[self.at];
        if self.quoting {
            if self.eat(b"\\E") {
                self.quoting = false;
                return Ok(None);
            }
            self.at += 1;
            return Ok(Some(literal(byte, *flags)));
        }
        if matches!(byte, b'*' | b'+' | b'?') || self.quantifier_at(self.at).is_some() {
            return Err(self.mistake(start, "there is nothing here to repeat"));
        }
        self.at += 1;
        Ok(Some(match byte {
            b'.' if flags.dot_all => Node::Byte(ByteSet::ALL),
            b'.' => Node::Byte(set::NOT_NEWLINE),
            b'^' if flags.lines => Node::LineStart,
            b'^' => Node::Start,
            b'$' if flags.lines => Node::LineEnd,
            b'$' => Node::EndOrNewline,
            b'[' => Node::Byte(self.class(start, *flags)?),
            b'(' => return self.group(start, flags),
            b'\\' => return self.escape(start, *flags),
            _ => literal(byte, *flags),
        }))
    }

    /// The atom with the quantifier that follows it, if one does.
    fn quantified(&mut self, atom: Node, flags: Flags) -> Result<Node, String> {
        if self.quoting {
            if !self.eat(b"\\E") {
                return Ok(atom);
            }
            self.quoting = false;
        }
        self.skip_blank(flags);
        let Some((min, max, end)) = self.quantifier_at(self.at) else {
            return Ok(atom);
        };
        if min.max(max.unwrap_or(0)) > MAX_REPEAT {
            let at = self.at;
            return Err(self.mistake(at, "a count is at most 65534"));
        }
        self.at = end;
        self.skip_blank(flags);
        let greed = match self.peek() {
            Some(b'?') => Greed::Lazy,
            Some(b'+') => Greed::Possessive,
            _ => Greed::Greedy,
        };
        if greed != Greed::Greedy {
            self.at += 1;
            self.skip_blank(flags);
        }
        if self.quantifier_at(self.at).is_some() {
            return Err(self.mistake(self.at, "a repetition of a repetition needs a group"));
        }
        Ok(match max {
            // Perl only warns.
            Some(max) if max < min => Node::Never,
            _ => Node::Repeat { node: Box::new(atom), min, max, greed },
        })
    }

    /// The counts of the quantifier that begins at `at` and where it ends, if one does.
    ///
    /// Braces that hold anything else are ordinary characters. Blanks inside, and a missing
    /// first count, are Perl 5.34's.
    fn quantifier_at(&self, at: usize) -> Option<(u32, Option<u32>, usize)> {
        match self.bytes.get(at)? {
            b'*' => return Some((0, None, at + 1)),
            b'+' => return Some((1, None, at + 1)),
            b'?' => return Some((0, Some(1), at + 1)),
            b'{' => {}
            _ => return None,
        }
        let length = self.bytes[at..].iter().position(|&b| b == b'}')?;
        let inside = std::str::from_utf8(&self.bytes[at + 1..at + length]).ok()?;
        let end = at + length + 1;
        // Too many digits are still a count, and then too large a one.
        let count = |text: &str| -> Option<u32> {
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| text.parse().unwrap_or(u32::MAX))
        };
        let trimmed = |text: &'_ str| text.trim_matches([' ', '\t']).to_owned();
        match inside.split_once(',') {
            None => count(&trimmed(inside)).map(|n| (n, Some(n), end)),
            Some((low, high)) => {
                let (low, high) = (trimmed(low), trimmed(high));
                match (low.as_str(), high.as_str()) {
                    ("", "") => None,
                    ("", high) => count(high).map(|max| (0, Some(max), end)),
                    (low, "") => count(low).map(|min| (min, None, end)),
                    (low, high) => Some((count(low)?, Some(count(high)?), end)),
                }
            }
        }
    }

    /// Past blanks and comments that do not count: those of `(?x)`.
    fn skip_blank(&mut self, flags: Flags) {
        while flags.extended && !self.quoting {
            match self.peek() {
                Some(byte) if set::SPACE.contains(byte) => self.at += 1,
                Some(b'#') => {
                    let rest = &self.bytes[self.at..];
                    self.at += rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
                }
                _ => return,
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Past `text`, if it comes next.
    fn eat(&mut self, text: &[u8]) -> bool {
        let next = self.bytes[self.at..].starts_with(text);
        if next {
            self.at += text.len();
        }
        next
    }

    /// The bytes up to `end`, and past it.
    fn until(&mut self, end: u8, start: usize) -> Result<&'s [u8], String> {
        let rest = &self.bytes[self.at..];
        match rest.iter().position(|&b| b == end) {
            Some(length) => {
                self.at += length + 1;
                Ok(&rest[..length])
            }
            None => {
                let message = format!("the {} that belongs to this is missing", char::from(end));
                Err(self.mistake(start, &message))
            }
        }
    }

    /// An error at a byte offset; people count characters, from 1.
    fn mistake(&self, at: usize, message: &str) -> String {
        let character = self.source.char_indices().take_while(|(i, _)| *i < at).count() + 1;
        format!("at character {character}: {message}")
    }
}

/// This byte, in either case under `(?i)`.
fn literal(byte: u8, flags: Flags) -> Node {
    let set = ByteSet::of(byte);
    Node::Byte(if flags.fold { set.fold() } else { set })
}

fn concat(mut nodes: Vec<Node>) -> Node {
    match nodes.len() {
        0 => Node::Empty,
        1 => nodes.swap_remove(0),
        _ => Node::Concat(nodes),
    }
}
