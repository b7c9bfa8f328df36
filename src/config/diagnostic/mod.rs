//! A mistake in a file: where it is, what it is, what to do.

mod lines;
mod render;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

pub use lines::{Lines, Position};
pub use render::{one_line, render, render_all};

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
    /// The file is taken, and there is something to know about it.
    Note,
}

impl Severity {
    /// The word that opens a message: `error`, `warning`, `note`.
    pub const fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}

/// A stretch of one file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    pub file: Arc<PathBuf>,
    /// Byte offsets into the text, on character boundaries and within it. An empty range points
    /// between two characters.
    pub span: Range<usize>,
}

/// The text in quotation marks as a message shows it: on one line, control characters escaped,
/// and no longer than a person reads.
pub(in crate::config) fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut out = String::from("\"");
    for (count, c) in text.chars().enumerate() {
        if count == LONGEST {
            out.push('…');
            break;
        }
        match c.is_control() {
            true => out.extend(c.escape_default()),
            false => out.push(c),
        }
    }
    out.push('"');
    out
}
