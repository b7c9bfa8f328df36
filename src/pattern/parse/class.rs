//! Bracketed classes: `[a-z\d[:alpha:]]`.

use super::{Flags, Parser};
use crate::pattern::set::{self, ByteSet};

/// One thing inside brackets.
enum Item {
    /// May begin or end a range.
    Byte(u8),
    Set(ByteSet),
}

impl Parser<'_> {
    /// The set of a class, from after its `[` to after its `]`. `start` is where it opened.
    pub(super) fn class(&mut self, start: usize, flags: Flags) -> Result<ByteSet, String> {
        let negated = self.eat(b"^");
        let mut set = ByteSet::NONE;
        let mut first = true;
        loop {
            self.skip_class_blank(flags);
            // A bracket that closes at once is a member: `[]a]`.
            if !first && !self.quoting && self.eat(b"]") {
                break;
            }
            first = false;
            let Some(item) = self.class_item(start)? else { continue };
            set = set.or(self.class_range(item, start, flags)?);
        }
        if flags.fold {
            set = set.fold();
        }
        Ok(if negated { set.not() } else { set })
    }

    /// The item, or the range it begins.
    fn class_range(&mut self, item: Item, start: usize, flags: Flags) -> Result<ByteSet, String> {
        self.skip_class_blank(flags);
        let begins_range = self.peek() == Some(b'-')
            && !self.quoting
            && !matches!(self.bytes.get(self.at + 1), None | Some(b']'));
        let from = self.at;
        let first = match item {
            Item::Byte(byte) if begins_range => byte,
            Item::Byte(byte) => return Ok(ByteSet::of(byte)),
            // `[\w-z]` is no range: the `-` is read next, as itself.
            Item::Set(set) => return Ok(set),
        };
        self.at += 1;
        self.skip_class_blank(flags);
        match self.class_item(start)? {
            Some(Item::Byte(last)) if last < first => {
                Err(self.mistake(from, "this range is reversed"))
            }
            Some(Item::Byte(last)) => Ok(ByteSet::NONE.and_range(first, last)),
            Some(Item::Set(set)) => Ok(set.or(ByteSet::any_of(&[first, b'-']))),
            None => Ok(ByteSet::any_of(&[first, b'-'])),
        }
    }

    /// The next member; `None` for `\Q` and `\E`.
    fn class_item(&mut self, start: usize) -> Result<Option<Item>, String> {
        let at = self.at;
        let Some(byte) = self.peek() else {
            return Err(self.mistake(start, "this [ is not closed"));
        };
        if self.eat(b"\\E") {
            self.quoting = false;
            return Ok(None);
        }
        if self.quoting {
            self.at += 1;
            return Ok(Some(Item::Byte(byte)));
        }
        if self.eat(b"\\Q") {
            self.quoting = true;
            return Ok(None);
        }
        if let Some(set) = self.posix_class()? {
            return Ok(Some(Item::Set(set)));
        }
        self.at += 1;
        if byte != b'\\' {
            return Ok(Some(Item::Byte(byte)));
        }
        let Some(letter) = self.peek() else {
            return Err(self.mistake(start, "this [ is not closed"));
        };
        self.at += 1;
        Ok(Some(match (letter, self.shorthand(letter)) {
            (_, Some(set)) => Item::Set(set),
            (b'b', _) => Item::Byte(8),
            // Here a number is a character, there are no groups to refer to.
            (b'0'..=b'7', _) => Item::Byte(self.octal(at, letter)?),
            _ => Item::Byte(self.character(at, letter)?),
        }))
    }

    /// `[:alpha:]`, `[:^alpha:]`, if one comes next.
    fn posix_class(&mut self) -> Result<Option<ByteSet>, String> {
        let rest = &self.bytes[self.at..];
        let &[b'[', kind @ (b':' | b'.' | b'='), ref inside @ ..] = rest else {
            return Ok(None);
        };
        let word = inside.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'^').count();
        if !inside[word..].starts_with(&[kind, b']']) {
            return Ok(None);
        }
        let start = self.at;
        self.at += word + 4;
        let name = &inside[..word];
        let (negated, name) = match name.strip_prefix(b"^") {
            Some(name) => (true, name),
            None => (false, name),
        };
        match set::posix(name).filter(|_| kind == b':') {
            Some(set) => Ok(Some(if negated { set.not() } else { set })),
            None => Err(self.mistake(start, "there is no such character class")),
        }
    }

    fn skip_class_blank(&mut self, flags: Flags) {
        while flags.extended_more && !self.quoting && matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }
}
