//! A pattern, understood.

use super::set::ByteSet;

/// A regular expression on bytes. Flags are already worked in: a letter under `(?i)` is a set
/// of two bytes, a `.` is the set it stands for where it stands.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Node {
    /// Matches the empty text.
    Empty,
    /// Matches nothing: `(*FAIL)`, `a{3,2}`.
    Never,
    /// One byte of a set.
    Byte(ByteSet),
    Concat(Vec<Node>),
    Alternatives(Vec<Node>),
    /// `\A`, and `^` without `(?m)`.
    Start,
    /// `\z`.
    End,
    /// `\Z`, and `$` without `(?m)`: at the end or before a final newline.
    EndOrNewline,
    /// `^` under `(?m)`: at the start and after a newline that is not the last byte.
    LineStart,
    /// `$` under `(?m)`: before a newline and at the end.
    LineEnd,
    WordBoundary,
    NotWordBoundary,
    /// A capturing group; they count from 1 by their opening.
    Group(Box<Node>),
    Repeat {
        node: Box<Node>,
        min: u32,
        max: Option<u32>,
        greed: Greed,
    },
    /// `(?=`, `(?!`, `(?<=`, `(?<!`.
    Look {
        behind: bool,
        negated: bool,
        node: Box<Node>,
    },
    /// `(?>`: once matched, not given back.
    Atomic(Box<Node>),
    /// What a group matched last; fails while it has not.
    Backref {
        group: u32,
        fold: bool,
    },
    /// `(?(1)yes|no)`.
    IfGroup {
        group: u32,
        yes: Box<Node>,
        no: Box<Node>,
    },
}

/// In which order a repetition tries its counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Greed {
    Greedy,
    Lazy,
    Possessive,
}

impl Node {
    /// The text, if the pattern is nothing but one.
    pub(super) fn as_literal(&self) -> Option<Vec<u8>> {
        match self {
            Node::Empty => Some(Vec::new()),
            Node::Byte(set) => set.single().map(|byte| vec![byte]),
            Node::Concat(nodes) => {
                let parts: Option<Vec<_>> = nodes.iter().map(Node::as_literal).collect();
                parts.map(|parts| parts.concat())
            }
            _ => None,
        }
    }

    /// How many nodes it is made of.
    pub(super) fn size(&self) -> usize {
        1 + match self {
            Node::Concat(nodes) | Node::Alternatives(nodes) => nodes.iter().map(Node::size).sum(),
            Node::Group(node) | Node::Atomic(node) => node.size(),
            Node::Repeat { node, .. } | Node::Look { node, .. } => node.size(),
            Node::IfGroup { yes, no, .. } => yes.size() + no.size(),
            _ => 0,
        }
    }

    /// Whether it can only match by consuming a byte. Rather no than wrong.
    pub(super) fn consumes(&self) -> bool {
        match self {
            Node::Byte(_) | Node::Never => true,
            Node::Concat(nodes) => nodes.iter().any(Node::consumes),
            Node::Alternatives(nodes) => nodes.iter().all(Node::consumes),
            Node::Group(node) | Node::Atomic(node) => node.consumes(),
            Node::Repeat { node, min, .. } => *min > 0 && node.consumes(),
            Node::IfGroup { yes, no, .. } => yes.consumes() && no.consumes(),
            _ => false,
        }
    }
}
