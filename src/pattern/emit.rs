//! The tree, written in what both engines read as Perl would.
//!
//! Only these constructs leave this file: bytes and classes in hexadecimal, groups, `|`,
//! counted repetitions, `\A`, `\z`, `(?m:^)`, `(?m:$)`, `\b`, `\B`; and for the backtracking
//! engine look-around, atomic groups, numbered back references and conditions.

use std::fmt::Write;

use super::parse::Parsed;
use super::set::ByteSet;
use super::tree::{Greed, Node};

/// A pattern for an engine.
pub(super) struct Emitted {
    pub(super) text: String,
    pub(super) needs_backtracking: bool,
}

pub(super) fn emit(parsed: &Parsed) -> Emitted {
    let mut out = Emitter {
        text: String::new(),
        needs_backtracking: false,
        captures: parsed.refers_to_groups,
    };
    out.node(&parsed.tree, true);
    Emitted { text: out.text, needs_backtracking: out.needs_backtracking }
}

struct Emitter {
    text: String,
    needs_backtracking: bool,
    /// Whether anything asks what a group matched; if not, groups need not remember it.
    captures: bool,
}

impl Emitter {
    /// `last`: nothing that could fail comes after this node, however the pattern is read.
    fn node(&mut self, node: &Node, last: bool) {
        match node {
            Node::Empty => self.push("(?:)"),
            // A byte after the end. The engines' own spellings of "never" differ.
            Node::Never => self.push(r"(?:\z[\x00-\xFF])"),
            Node::Byte(set) => self.byte(*set),
            Node::Concat(nodes) => self.concat(nodes, last),
            Node::Alternatives(nodes) => self.alternatives(nodes, last),
            Node::Start => self.push(r"\A"),
            Node::End => self.push(r"\z"),
            // At the very end of the pattern the newline may as well be consumed, which the
            // linear engine can do. It has no look-ahead.
            Node::EndOrNewline if last => self.push(r"(?:\x0A?\z)"),
            Node::EndOrNewline => self.hard(r"(?=\x0A?\z)"),
            Node::LineStart => self.hard(r"(?:\A|(?m:^)(?!\z))"),
            Node::LineEnd => self.push("(?m:$)"),
            Node::WordBoundary => self.push(r"\b"),
            Node::NotWordBoundary => self.push(r"\B"),
            Node::Group(inner) => {
                let open = if self.captures { "(" } else { "(?:" };
                self.wrapped(open, inner, last);
            }
            Node::Repeat { node, min, max, greed } => self.repeat(node, *min, *max, *greed),
            Node::Look { behind, negated, node } => {
                self.needs_backtracking = true;
                let open = match (behind, negated) {
                    (false, false) => "(?=",
                    (false, true) => "(?!",
                    (true, false) => "(?<=",
                    (true, true) => "(?<!",
                };
                self.wrapped(open, node, false);
            }
            Node::Atomic(inner) => {
                self.needs_backtracking = true;
                self.wrapped("(?>", inner, false);
            }
            Node::Backref { group, fold } => {
                self.needs_backtracking = true;
                let flag = if *fold { "i" } else { "" };
                let _ = write!(self.text, r"(?{flag}:\{group})");
            }
            Node::IfGroup { group, yes, no } => {
                self.needs_backtracking = true;
                let _ = write!(self.text, "(?({group})");
                self.wrapped("(?:", yes, false);
                self.push("|");
                self.wrapped("(?:", no, false);
                self.push(")");
            }
        }
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn hard(&mut self, text: &str) {
        self.needs_backtracking = true;
        self.push(text);
    }

    fn wrapped(&mut self, open: &str, inner: &Node, last: bool) {
        self.push(open);
        self.node(inner, last);
        self.push(")");
    }

    fn concat(&mut self, nodes: &[Node], last: bool) {
        for (at, node) in nodes.iter().enumerate() {
            let rest = &nodes[at + 1..];
            match node {
                // The engines' `^` also matches after a final newline, where Perl's does not.
                // It cannot matter when a byte has to follow.
                Node::LineStart if rest.iter().any(Node::consumes) => self.push("(?m:^)"),
                Node::Alternatives(_) => self.wrapped("(?:", node, last && rest.is_empty()),
                _ => self.node(node, last && rest.is_empty()),
            }
        }
    }

    fn alternatives(&mut self, nodes: &[Node], last: bool) {
        for (at, node) in nodes.iter().enumerate() {
            if at > 0 {
                self.push("|");
            }
            self.node(node, last);
        }
    }

    fn repeat(&mut self, node: &Node, min: u32, max: Option<u32>, greed: Greed) {
        if greed == Greed::Possessive {
            self.hard("(?>");
        }
        match node {
            Node::Byte(set) => self.byte(*set),
            _ => self.wrapped("(?:", node, false),
        }
        let _ = match (min, max) {
            (0, None) => write!(self.text, "*"),
            (1, None) => write!(self.text, "+"),
            (0, Some(1)) => write!(self.text, "?"),
            (min, None) => write!(self.text, "{{{min},}}"),
            (min, Some(max)) => write!(self.text, "{{{min},{max}}}"),
        };
        match greed {
            Greed::Greedy => {}
            Greed::Lazy => self.push("?"),
            Greed::Possessive => self.push(")"),
        }
    }

    fn byte(&mut self, set: ByteSet) {
        match set.single() {
            Some(byte) if byte.is_ascii_alphanumeric() => self.text.push(char::from(byte)),
            Some(byte) => self.hex(byte),
            None if set == ByteSet::NONE => self.node(&Node::Never, false),
            None => {
                self.push("[");
                for (first, last) in set.runs() {
                    self.hex(first);
                    if first != last {
                        self.push("-");
                        self.hex(last);
                    }
                }
                self.push("]");
            }
        }
    }

    fn hex(&mut self, byte: u8) {
        let _ = write!(self.text, r"\x{byte:02X}");
    }
}
