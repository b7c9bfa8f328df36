//! What follows a backslash.

use super::{Flags, Parser, literal};
use crate::pattern::set::{self, ByteSet};
use crate::pattern::tree::Node;

impl Parser<'_> {
    /// A backslash outside brackets, from after it. `start` is where it stands.
    pub(super) fn escape(&mut self, start: usize, flags: Flags) -> Result<Option<Node>, String> {
        let Some(letter) = self.peek() else {
            return Err(self.mistake(start, "nothing follows this backslash"));
        };
        self.at += 1;
        if let Some(set) = self.shorthand(letter) {
            return Ok(Some(Node::Byte(set)));
        }
        Ok(Some(match letter {
            b'Q' => {
                self.quoting = true;
                return Ok(None);
            }
            b'E' => return Ok(None),
            b'A' => Node::Start,
            // Where the last match of a loop ended; there is no loop, so the start.
            b'G' => Node::Start,
            b'z' => Node::End,
            b'Z' => Node::EndOrNewline,
            b'b' | b'B' if self.peek() == Some(b'{') => {
                return Err(self.mistake(start, "Unicode boundaries are not supported: use \\b"));
            }
            b'b' => Node::WordBoundary,
            b'B' => Node::NotWordBoundary,
            // Changes where a match is said to begin, not whether there is one.
            b'K' => Node::Empty,
            b'R' => any_newline(),
            b'N' if self.peek() != Some(b'{') || self.quantifier_at(self.at).is_some() => {
                Node::Byte(set::NOT_NEWLINE)
            }
            b'X' | b'C' | b'p' | b'P' => {
                return Err(self.mistake(start, NOT_ON_BYTES));
            }
            b'g' => self.group_escape(start, flags)?,
            b'k' => self.named_escape(start, flags)?,
            b'1'..=b'9' => self.number_escape(start, letter, flags)?,
            _ => literal(self.character(start, letter)?, flags),
        }))
    }

    /// The set that `\d` and its kind stand for, in brackets and out of them.
    pub(super) fn shorthand(&self, letter: u8) -> Option<ByteSet> {
        Some(match letter {
            b'd' => set::DIGIT,
            b'D' => set::DIGIT.not(),
            b'w' => set::WORD,
            b'W' => set::WORD.not(),
            b's' => set::SPACE,
            b'S' => set::SPACE.not(),
            b'h' => set::HORIZONTAL,
            b'H' => set::HORIZONTAL.not(),
            b'v' => set::VERTICAL,
            b'V' => set::VERTICAL.not(),
            _ => return None,
        })
    }

    /// The character an escape stands for; `letter` has just been read. One without a meaning
    /// of its own stands for itself: `\<`, `\/`, `\_`, `\y`.
    pub(super) fn character(&mut self, start: usize, letter: u8) -> Result<u8, String> {
        Ok(match letter {
            b't' => b'\t',
            b'n' => b'\n',
            b'r' => b'\r',
            b'f' => 0x0C,
            b'e' => 0x1B,
            b'a' => 0x07,
            b'c' => match self.peek() {
                Some(byte @ b' '..=b'~') => {
                    self.at += 1;
                    byte.to_ascii_uppercase() ^ 0x40
                }
                _ => return Err(self.mistake(start, "\\c needs a printable character")),
            },
            b'0' => self.octal(start, letter)?,
            b'o' => {
                if !self.eat(b"{") {
                    return Err(self.mistake(start, "\\o needs braces: \\o{12}"));
                }
                let digits = self.until(b'}', start)?;
                self.number(start, digits, 8)?
            }
            b'x' if self.eat(b"{") => {
                let digits = self.until(b'}', start)?;
                self.number(start, digits, 16)?
            }
            b'x' => {
                let rest = &self.bytes[self.at..];
                let length = rest.iter().take(2).take_while(|b| b.is_ascii_hexdigit()).count();
                self.at += length;
                // Perl takes a bare \x for NUL.
                if length == 0 { 0 } else { self.number(start, &rest[..length], 16)? }
            }
            // `\N{U+41}` would make Perl read the whole pattern as Unicode.
            b'N' | b'p' | b'P' => return Err(self.mistake(start, NOT_ON_BYTES)),
            _ => letter,
        })
    }

    /// Up to three octal digits, of which `first` has been read.
    pub(super) fn octal(&mut self, start: usize, first: u8) -> Result<u8, String> {
        let mut digits = vec![first];
        while let Some(digit @ b'0'..=b'7') = self.peek()
            && digits.len() < 3
        {
            digits.push(digit);
            self.at += 1;
        }
        self.number(start, &digits, 8)
    }

    fn number(&self, start: usize, digits: &[u8], radix: u32) -> Result<u8, String> {
        let text = std::str::from_utf8(digits).unwrap_or_default();
        let digits: String = text.trim().chars().filter(|c| *c != '_').collect();
        match u32::from_str_radix(&digits, radix) {
            Ok(code) => u8::try_from(code).map_err(|_| self.mistake(start, NOT_ON_BYTES)),
            Err(_) => Err(self.mistake(start, "this is not the number of a character")),
        }
    }
}

/// `\R`. Not given back by halves, hence atomic.
fn any_newline() -> Node {
    let crlf = [b'\r', b'\n'].map(|byte| Node::Byte(ByteSet::of(byte)));
    let one = Node::Byte(set::VERTICAL);
    Node::Atomic(Box::new(Node::Alternatives(vec![Node::Concat(crlf.into()), one])))
}

const NOT_ON_BYTES: &str = "matching is on bytes: characters beyond FF and Unicode properties \
                            are not available, write the character itself or a class";
