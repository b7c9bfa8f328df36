//! What is wrong with a line of a file.

use std::fmt;

/// A mistake of the owner's, to be shown with the name of the file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mistake {
    /// From 1.
    pub line: usize,
    /// Whether the line was left out; otherwise it may not do what its owner thinks.
    pub is_error: bool,
    text: String,
}

impl Mistake {
    pub(super) fn error(line: usize, text: impl Into<String>) -> Mistake {
        Mistake { line, is_error: true, text: text.into() }
    }

    pub(super) fn warning(line: usize, text: impl Into<String>) -> Mistake {
        Mistake { line, is_error: false, text: text.into() }
    }
}

/// `line 3: TEXT`.
impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.text)
    }
}
