//! Look-behind, taken apart into pieces of one length each.
//!
//! `(?<=a|bc)` becomes `(?:(?<=a)|(?<=bc))` and `(?<!a{1,2})` becomes `(?<!a)(?<!aa)`: the
//! backtracking engine steps back a fixed number of bytes reliably; its way with varying
//! lengths finds other matches than Perl's on text that is not UTF-8.

use crate::pattern::tree::{Greed, Node};

/// Perl's own limit for the length, in bytes.
const MAX_LENGTH: usize = 255;

/// Pieces of one look-behind. Their number multiplies where choices follow one another.
const MAX_PIECES: usize = 64;

/// Nodes of one look-behind, all pieces together: nested ones multiply as well.
const MAX_SIZE: usize = 4096;

/// The assertion, unless `node` has no bounded length.
pub(super) fn look_behind(node: Node, negated: bool) -> Option<Node> {
    let looks = pieces(&node)?.into_iter().map(|piece| {
        // Behind and ahead are the same where nothing is consumed.
        Node::Look { behind: piece.length > 0, negated, node: Box::new(piece.node) }
    });
    Some(match negated {
        true => Node::Concat(looks.collect()),
        false => Node::Alternatives(looks.collect()),
    })
}

/// A part that always matches this many bytes.
#[derive(Clone)]
struct Piece {
    node: Node,
    length: usize,
    /// Nodes it is made of.
    size: usize,
}

impl Piece {
    fn then(self, next: Piece) -> Piece {
        Piece {
            node: Node::Concat(vec![self.node, next.node]),
            length: self.length + next.length,
            size: self.size + next.size + 1,
        }
    }
}

/// What `node` may match, by length; `None` if that cannot be listed.
fn pieces(node: &Node) -> Option<Vec<Piece>> {
    let one = |length| bounded(vec![Piece { node: node.clone(), length, size: node.size() }]);
    match node {
        Node::Byte(_) => one(1),
        Node::Concat(nodes) => sequence(nodes.iter().map(pieces)),
        Node::Alternatives(nodes) => {
            let lists: Option<Vec<_>> = nodes.iter().map(pieces).collect();
            bounded(lists?.concat())
        }
        // Taking these apart would change what they capture or give back.
        Node::Group(inner) | Node::Atomic(inner) => match pieces(inner)?.as_slice() {
            [piece] => one(piece.length),
            _ => None,
        },
        Node::Repeat { node: inner, min, max: Some(max), greed } => {
            if *max as usize > MAX_LENGTH || (*greed == Greed::Possessive && min != max) {
                return None;
            }
            let inner = pieces(inner)?;
            let lists: Option<Vec<_>> = (*min..=*max).map(|count| repeat(&inner, count)).collect();
            bounded(lists?.concat())
        }
        Node::Repeat { max: None, .. } => None,
        Node::Backref { .. } | Node::IfGroup { .. } => None,
        _ => one(0),
    }
}

/// Every way to put this many of the pieces after one another.
fn repeat(inner: &[Piece], count: u32) -> Option<Vec<Piece>> {
    let [piece] = inner else {
        return sequence((0..count).map(|_| Some(inner.to_vec())));
    };
    let node = Box::new(piece.node.clone());
    bounded(vec![Piece {
        node: Node::Repeat { node, min: count, max: Some(count), greed: Greed::Greedy },
        length: piece.length * count as usize,
        size: piece.size + 1,
    }])
}

/// Every way to put one piece of each list after another.
fn sequence(lists: impl Iterator<Item = Option<Vec<Piece>>>) -> Option<Vec<Piece>> {
    let mut found = vec![Piece { node: Node::Empty, length: 0, size: 1 }];
    for list in lists {
        let list = list?;
        if found.len() * list.len() > MAX_PIECES {
            return None;
        }
        let each = |head: &Piece| list.iter().map(|tail| head.clone().then(tail.clone())).collect();
        found = bounded(found.iter().flat_map::<Vec<_>, _>(each).collect())?;
    }
    Some(found)
}

fn bounded(pieces: Vec<Piece>) -> Option<Vec<Piece>> {
    let size: usize = pieces.iter().map(|p| p.size).sum();
    let short = pieces.iter().all(|p| p.length <= MAX_LENGTH);
    (pieces.len() <= MAX_PIECES && size <= MAX_SIZE && short).then_some(pieces)
}
