//! Parentheses, and references to them.

use super::{Flags, MAX_DEPTH, Parser, behind};
use crate::pattern::tree::Node;

impl Parser<'_> {
    /// A parenthesis, from after it; `start` is where it opened. `None` for a comment and for
    /// flags, which are set in `flags`.
    pub(super) fn group(
        &mut self,
        start: usize,
        flags: &mut Flags,
    ) -> Result<Option<Node>, String> {
        if self.eat(b"*") {
            return self.verb(start, *flags).map(Some);
        }
        if !self.eat(b"?") {
            return if flags.no_capture {
                self.inside(start, *flags).map(Some)
            } else {
                self.capture(start, None, *flags).map(Some)
            };
        }
        let Some(kind) = self.peek() else {
            return Err(self.mistake(start, NOT_CLOSED));
        };
        self.at += 1;
        Ok(Some(match kind {
            b'#' => {
                self.until(b')', start)?;
                return Ok(None);
            }
            b':' => self.inside(start, *flags)?,
            b'=' => self.look(start, *flags, false, false)?,
            b'!' => self.look(start, *flags, false, true)?,
            b'<' if self.eat(b"=") => self.look(start, *flags, true, false)?,
            b'<' if self.eat(b"!") => self.look(start, *flags, true, true)?,
            b'>' => Node::Atomic(Box::new(self.inside(start, *flags)?)),
            b'<' => self.named_capture(start, b'>', *flags)?,
            b'\'' => self.named_capture(start, b'\'', *flags)?,
            b'P' if self.eat(b"<") => self.named_capture(start, b'>', *flags)?,
            b'P' if self.eat(b"=") => {
                let name = self.until(b')', start)?;
                self.backref_by_name(start, name, *flags)?
            }
            b'(' => self.condition(start, *flags)?,
            b'{' | b'?' => return Err(self.mistake(start, "code in a pattern is never run")),
            b'|' => return Err(self.mistake(start, "branch reset is not supported")),
            b'R' | b'&' | b'P' | b'+' | b'0'..=b'9' => {
                return Err(self.mistake(start, "recursion is not supported"));
            }
            b'-' if matches!(self.peek(), Some(b'0'..=b'9')) => {
                return Err(self.mistake(start, "recursion is not supported"));
            }
            _ => {
                self.at -= 1;
                return self.flags(start, flags);
            }
        }))
    }

    /// What is inside, up to and past the closing parenthesis.
    fn inside(&mut self, start: usize, flags: Flags) -> Result<Node, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.mistake(start, "groups are nested too deeply"));
        }
        let node = self.alternation(flags)?;
        self.depth -= 1;
        self.close(start)?;
        Ok(node)
    }

    fn close(&mut self, start: usize) -> Result<(), String> {
        match self.eat(b")") {
            true => Ok(()),
            false => Err(self.mistake(start, NOT_CLOSED)),
        }
    }

    fn capture(&mut self, start: usize, name: Option<&[u8]>, flags: Flags) -> Result<Node, String> {
        self.groups += 1;
        if let Some(name) = name {
            if self.names.iter().any(|(other, _)| other == name) {
                return Err(self.mistake(start, "two groups of one name are not supported"));
            }
            self.names.push((name.to_vec(), self.groups));
        }
        self.open_groups.push(self.groups);
        let node = self.inside(start, flags)?;
        self.open_groups.pop();
        Ok(Node::Group(Box::new(node)))
    }

    fn named_capture(&mut self, start: usize, end: u8, flags: Flags) -> Result<Node, String> {
        let name = self.until(end, start)?;
        let word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
        if name.is_empty() || name[0].is_ascii_digit() || !name.iter().all(word) {
            let message = "a group's name has letters, digits and _, and begins with no digit";
            return Err(self.mistake(start, message));
        }
        self.capture(start, Some(name), flags)
    }

    fn look(
        &mut self,
        start: usize,
        flags: Flags,
        behind: bool,
        negated: bool,
    ) -> Result<Node, String> {
        let node = self.inside(start, flags)?;
        match behind {
            true => behind::look_behind(node, negated).ok_or_else(|| {
                let message = "a look-behind needs a length of at most 255, and no references";
                self.mistake(start, message)
            }),
            false => Ok(Node::Look { behind, negated, node: Box::new(node) }),
        }
    }

    /// `(*FAIL)` and the long names of groups: `(*positive_lookahead:...)`.
    fn verb(&mut self, start: usize, flags: Flags) -> Result<Node, String> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().take_while(|b| b.is_ascii_alphabetic() || **b == b'_').count();
        self.at += length;
        let name = &rest[..length];
        if matches!(name, b"FAIL" | b"F") && self.eat(b")") {
            return Ok(Node::Never);
        }
        if !self.eat(b":") {
            return Err(self.mistake(start, "this verb is not supported"));
        }
        match name {
            b"pla" | b"positive_lookahead" => self.look(start, flags, false, false),
            b"nla" | b"negative_lookahead" => self.look(start, flags, false, true),
            b"plb" | b"positive_lookbehind" => self.look(start, flags, true, false),
            b"nlb" | b"negative_lookbehind" => self.look(start, flags, true, true),
            b"atomic" => Ok(Node::Atomic(Box::new(self.inside(start, flags)?))),
            _ => Err(self.mistake(start, "this verb is not supported")),
        }
    }

    /// `(?i)`, `(?i-s:...)`, `(?^x:...)`, from after the question mark.
    fn flags(&mut self, start: usize, flags: &mut Flags) -> Result<Option<Node>, String> {
        let mut new = if self.eat(b"^") { Flags::default() } else { *flags };
        let mut on = true;
        loop {
            let Some(letter) = self.peek() else {
                return Err(self.mistake(start, NOT_CLOSED));
            };
            self.at += 1;
            match letter {
                b'i' => new.fold = on,
                b'm' => new.lines = on,
                b's' => new.dot_all = on,
                b'n' => new.no_capture = on,
                b'x' => {
                    new.extended_more = on && self.eat(b"x");
                    new.extended = on;
                }
                // How bytes beyond ASCII count: as nothing, which is what happens here. The
                // others are about returning and repeating matches.
                b'a' | b'd' | b'p' | b'g' | b'c' | b'o' => {}
                b'-' if on => on = false,
                b')' => {
                    *flags = new;
                    return Ok(None);
                }
                b':' => return self.inside(start, new).map(Some),
                _ => {
                    let at = self.at - 1;
                    return Err(self.mistake(at, "there is no such kind of group"));
                }
            }
        }
    }

    /// `(?(1)yes|no)`, `(?(<name>)yes|no)`, `(?(?=look)yes|no)`, from after the inner
    /// parenthesis.
    fn condition(&mut self, start: usize, flags: Flags) -> Result<Node, String> {
        if matches!(self.peek(), Some(b'?' | b'*')) {
            return self.look_condition(start, flags);
        }
        let name = self.until(b')', start)?;
        let group = match name {
            [b'<', name @ .., b'>'] | [b'\'', name @ .., b'\''] => self.group_of(start, name)?,
            _ => match std::str::from_utf8(name).ok().and_then(|n| n.parse::<u32>().ok()) {
                Some(group) => group,
                None => return Err(self.mistake(start, "this condition is not supported")),
            },
        };
        self.refer_to(start, group)?;
        // Elsewhere the engine and Perl disagree on whether the group has matched.
        let named_later = self.all_groups.is_some() && group > self.groups;
        if named_later || self.open_groups.contains(&group) {
            return Err(self.mistake(start, "a condition must come after the group it asks about"));
        }
        let (yes, no) = self.yes_and_no(start, flags)?;
        Ok(Node::IfGroup { group, yes: Box::new(yes), no: Box::new(no) })
    }

    /// The same as `(?:look yes|(?!look)no)`.
    fn look_condition(&mut self, start: usize, flags: Flags) -> Result<Node, String> {
        // Each is written twice below, so a thousand bytes of them, one in another, would be more
        // than there is memory for.
        if std::mem::replace(&mut self.in_condition, true) {
            return Err(self.mistake(start, "a condition inside a condition is not supported"));
        }
        let groups = self.groups;
        let condition = self.group(start, &mut flags.clone())?;
        self.in_condition = false;
        let Some(condition) = condition else {
            return Err(self.mistake(start, "this condition is not supported"));
        };
        if self.groups != groups {
            return Err(self.mistake(start, "a group inside a condition is not supported"));
        }
        let (yes, no) = self.yes_and_no(start, flags)?;
        let look =
            |negated| Node::Look { behind: false, negated, node: Box::new(condition.clone()) };
        Ok(Node::Alternatives(vec![
            Node::Concat(vec![look(false), yes]),
            Node::Concat(vec![look(true), no]),
        ]))
    }

    fn yes_and_no(&mut self, start: usize, flags: Flags) -> Result<(Node, Node), String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.mistake(start, "groups are nested too deeply"));
        }
        let mut branches = self.branches(flags)?.into_iter();
        self.depth -= 1;
        self.close(start)?;
        match (branches.next(), branches.next(), branches.next()) {
            (Some(yes), no, None) => Ok((yes, no.unwrap_or(Node::Empty))),
            _ => Err(self.mistake(start, "a condition has at most two branches")),
        }
    }

    /// `\1`; `\12` is a character when there is no such group.
    pub(super) fn number_escape(
        &mut self,
        start: usize,
        first: u8,
        flags: Flags,
    ) -> Result<Node, String> {
        let rest = &self.bytes[self.at..];
        let more = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let text = std::str::from_utf8(&self.bytes[self.at - 1..self.at + more]);
        let group = text.ok().and_then(|t| t.parse::<u32>().ok()).unwrap_or(u32::MAX);
        let known = self.all_groups.as_ref().map_or(0, |all| all.count);
        if group > 9 && group > known && first < b'8' {
            let byte = self.octal(start, first)?;
            return Ok(super::literal(byte, flags));
        }
        self.at += more;
        self.backref(start, group, flags)
    }

    /// `\g1`, `\g{1}`, `\g{-1}`, `\g{name}`, from after the letter.
    pub(super) fn group_escape(&mut self, start: usize, flags: Flags) -> Result<Node, String> {
        let text = if self.eat(b"{") {
            self.until(b'}', start)?
        } else {
            let rest = &self.bytes[self.at..];
            let sign = usize::from(rest.starts_with(b"-"));
            let digits = rest[sign..].iter().take_while(|b| b.is_ascii_digit()).count();
            self.at += sign + digits;
            &rest[..sign + digits]
        };
        let text = text.trim_ascii();
        let number = std::str::from_utf8(text).ok().and_then(|t| t.parse::<i64>().ok());
        match number {
            None if text.is_empty() => Err(self.mistake(start, "\\g needs a group")),
            None => self.backref_by_name(start, text, flags),
            // The last group opened is -1.
            Some(back @ ..0) => {
                let group = i64::from(self.groups) + 1 + back;
                self.backref(start, u32::try_from(group).unwrap_or(0), flags)
            }
            Some(group) => self.backref(start, u32::try_from(group).unwrap_or(0), flags),
        }
    }

    /// `\k<name>`, `\k'name'`, `\k{name}`, from after the letter.
    pub(super) fn named_escape(&mut self, start: usize, flags: Flags) -> Result<Node, String> {
        let end = match self.peek() {
            Some(b'<') => b'>',
            Some(b'\'') => b'\'',
            Some(b'{') => b'}',
            _ => return Err(self.mistake(start, "\\k needs the name of a group: \\k<name>")),
        };
        self.at += 1;
        let name = self.until(end, start)?.trim_ascii();
        self.backref_by_name(start, name, flags)
    }

    fn backref_by_name(&mut self, start: usize, name: &[u8], flags: Flags) -> Result<Node, String> {
        let group = self.group_of(start, name)?;
        self.backref(start, group, flags)
    }

    fn backref(&mut self, start: usize, group: u32, flags: Flags) -> Result<Node, String> {
        self.refer_to(start, group)?;
        Ok(Node::Backref { group, fold: flags.fold })
    }

    fn group_of(&self, start: usize, name: &[u8]) -> Result<u32, String> {
        match &self.all_groups {
            None => Ok(1),
            Some(all) => match all.names.iter().find(|(other, _)| other == name) {
                Some((_, group)) => Ok(*group),
                None => Err(self.mistake(start, "there is no group of this name")),
            },
        }
    }

    fn refer_to(&mut self, start: usize, group: u32) -> Result<(), String> {
        self.refers_to_groups = true;
        match &self.all_groups {
            Some(all) if group == 0 || group > all.count => {
                Err(self.mistake(start, "there is no group of this number"))
            }
            _ => Ok(()),
        }
    }
}

const NOT_CLOSED: &str = "this ( is not closed";
