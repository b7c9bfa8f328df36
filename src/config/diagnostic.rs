//! A mistake in a file: where it is, what it is, what to do.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// One thing to tell the owner of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    pub severity: Severity,
    /// What is wrong, lower case, no full stop: `unknown key "shceduler"`.
    pub message: String,
    pub place: Place,
    /// What to do: `did you mean "scheduler"?`.
    pub hint: Option<String>,
    /// Other places that belong to it, with a word on each: `first claimed here`.
    pub related: Vec<(Place, String)>,
}

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// The file cannot be taken.
    Error,
    /// The file is taken; it may not mean what its owner thinks.
    Warning,
    /// The file is taken; this part of it is kept but not acted on yet.
    Note,
}

/// A stretch of one file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    pub file: Arc<PathBuf>,
    /// Byte offsets into the text, on character boundaries and within it. An empty range points
    /// between two characters.
    pub span: Range<usize>,
}
