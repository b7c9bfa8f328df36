//! Gathering what there is to tell, in the house's words and in mon's.

use std::fmt::Display;

use super::lines::Piece;
use crate::config::diagnostic::quoted;
use crate::config::import::report::{Made, Report};
use crate::config::nearest::nearest;
use crate::config::{Diagnostic, Source};

/// Suggestions are looked for this often: each compares with every known word.
const MAX_SUGGESTIONS: usize = 200;

/// Words a mistyped one is compared with, at most.
const MAX_KNOWN: usize = 10_000;

pub(super) struct Findings {
    report: Report,
    /// mon's line for the first error, and where that is.
    first: Option<(usize, String)>,
    suggestions: usize,
}

impl Findings {
    pub(super) fn new(source: &Source) -> Findings {
        Findings { report: Report::new(source), first: None, suggestions: 0 }
    }

    /// An error; `mon` is what mon says of it.
    pub(super) fn error(
        &mut self,
        at: &Piece,
        mon: impl Display,
        message: impl Into<String>,
    ) -> Made<'_> {
        let line = format!("cf error: {mon}, line {}", at.number());
        self.error_with_line(at, line, message)
    }

    /// An error whose line mon words in its own way.
    pub(super) fn error_with_line(
        &mut self,
        at: &Piece,
        line: String,
        message: impl Into<String>,
    ) -> Made<'_> {
        let start = at.span().start;
        if self.first.as_ref().is_none_or(|(first, _)| start < *first) {
            self.first = Some((start, one_line(&line)));
        }
        self.report.error(at.span(), message)
    }

    pub(super) fn warning(&mut self, at: &Piece, message: impl Into<String>) -> Made<'_> {
        self.report.warning(at.span(), message)
    }

    pub(super) fn note(&mut self, at: &Piece, message: &str) -> Made<'_> {
        self.report.note(at.span(), message)
    }

    /// What to do about a word that is none of the known ones.
    pub(super) fn did_you_mean<'w>(
        &mut self,
        given: &str,
        known: impl Iterator<Item = &'w str>,
    ) -> Option<String> {
        self.suggestions += 1;
        let wanted = self.suggestions <= MAX_SUGGESTIONS;
        let meant = wanted.then(|| nearest(given, known.take(MAX_KNOWN))).flatten()?;
        Some(format!("did you mean {meant}?"))
    }

    pub(super) fn is_full(&self) -> bool {
        self.report.is_full()
    }

    /// Everything, in the order of the file, and mon's line for the first error.
    pub(super) fn finish(self) -> (Vec<Diagnostic>, Option<String>) {
        (self.report.finish(), self.first.map(|(_, line)| line))
    }
}

/// Text of the file as part of a line for a terminal.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// `unknown NAME "text"` and the like.
pub(super) fn about(what: &str, text: &str) -> String {
    format!("{what} {}", quoted(text))
}
