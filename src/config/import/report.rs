//! Gathering what there is to tell the owner.

use std::collections::HashSet;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use crate::config::{Diagnostic, Place, Severity, Source};

/// After this many errors the rest of the file is not read: it is something else.
const MAX_ERRORS: usize = 100;

/// Warnings and notes beyond this are counted, not listed.
const MAX_REMARKS: usize = 1000;

pub(super) struct Report {
    file: Arc<PathBuf>,
    /// The text's length; nothing points beyond it.
    end: usize,
    found: Vec<Diagnostic>,
    /// What was said already: a global concerns many services, and is wrong once.
    said: HashSet<(usize, String)>,
    errors: usize,
    remarks: usize,
}

/// The diagnostic just made, to add to; nothing when it was one too many.
pub(super) struct Made<'r>(Option<&'r mut Diagnostic>, Arc<PathBuf>);

impl Made<'_> {
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Some(diagnostic) = &mut self.0 {
            diagnostic.hint = Some(hint.into());
        }
        self
    }

    pub(super) fn related(mut self, span: Range<usize>, word: &str) -> Self {
        if let Some(diagnostic) = &mut self.0 {
            let place = Place { file: self.1.clone(), span };
            diagnostic.related.push((place, word.to_owned()));
        }
        self
    }
}

impl Report {
    pub(super) fn new(source: &Source) -> Report {
        Report {
            file: source.path.clone(),
            end: source.text.len(),
            found: Vec::new(),
            said: HashSet::new(),
            errors: 0,
            remarks: 0,
        }
    }

    pub(super) fn error(&mut self, span: Range<usize>, message: impl Into<String>) -> Made<'_> {
        let message = message.into();
        let is_new = self.is_new(&span, &message);
        self.errors += usize::from(is_new);
        let wanted = is_new && self.errors <= MAX_ERRORS;
        self.push(wanted, Severity::Error, span, message)
    }

    pub(super) fn warning(&mut self, span: Range<usize>, message: impl Into<String>) -> Made<'_> {
        self.remark(Severity::Warning, span, message.into())
    }

    /// Something to know that changes nothing.
    pub(super) fn note(&mut self, span: Range<usize>, message: &str) -> Made<'_> {
        self.remark(Severity::Note, span, message.to_owned())
    }

    /// Whether there are so many errors that reading on would tell nobody anything.
    pub(super) fn is_full(&self) -> bool {
        self.errors >= MAX_ERRORS
    }

    /// Everything, in the order of the file.
    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        let end = self.end..self.end;
        if self.is_full() {
            let message = format!("{MAX_ERRORS} errors are listed, there may be more");
            self.push(true, Severity::Error, end.clone(), message);
        }
        if self.remarks > MAX_REMARKS {
            let message = format!("{} more warnings and notes", self.remarks - MAX_REMARKS);
            self.push(true, Severity::Note, end, message);
        }
        self.found.sort_by_key(|diagnostic| diagnostic.place.span.start);
        self.found
    }

    fn remark(&mut self, severity: Severity, span: Range<usize>, message: String) -> Made<'_> {
        let is_new = self.is_new(&span, &message);
        self.remarks += usize::from(is_new);
        self.push(is_new && self.remarks <= MAX_REMARKS, severity, span, message)
    }

    fn is_new(&mut self, span: &Range<usize>, message: &str) -> bool {
        self.said.insert((span.start, message.to_owned()))
    }

    fn push(
        &mut self,
        wanted: bool,
        severity: Severity,
        span: Range<usize>,
        message: String,
    ) -> Made<'_> {
        let file = self.file.clone();
        if !wanted {
            return Made(None, file);
        }
        let place = Place { file: file.clone(), span };
        self.found.push(Diagnostic { severity, message, place, hint: None, related: Vec::new() });
        Made(self.found.last_mut(), file)
    }
}
