//! What is wrong with one file, gathered as it is found.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use crate::config::{Diagnostic, Place, Severity};

/// Mistakes kept for one file. A text of 16 MiB has room for millions; nobody reads them, and
/// they must not cost more memory than the text.
const KEPT: usize = 1000;

pub(super) struct Findings {
    file: Arc<PathBuf>,
    list: Vec<Diagnostic>,
    /// The first place and the worst severity of those not kept.
    beyond: Option<(Range<usize>, Severity)>,
    errors: bool,
    /// Nothing is said about values that reach this far.
    pub(super) quiet_from: Option<usize>,
}

impl Findings {
    pub(super) fn new(file: Arc<PathBuf>) -> Findings {
        Findings { file, list: Vec::new(), beyond: None, errors: false, quiet_from: None }
    }

    /// Whether there is no room for more, and an error among what is there: looking further
    /// changes nothing.
    pub(super) fn is_full(&self) -> bool {
        self.errors && self.list.len() >= KEPT
    }

    pub(super) fn place(&self, span: Range<usize>) -> Place {
        Place { file: self.file.clone(), span }
    }

    pub(super) fn error(
        &mut self,
        span: &Range<usize>,
        message: impl Into<String>,
        hint: impl Into<Hint>,
    ) {
        self.add(Severity::Error, span, message.into(), hint.into(), None);
    }

    /// An error that takes two places to make: the second is where it is reported, the first is
    /// named beside it with a word on what it is.
    pub(super) fn clash(
        &mut self,
        second: &Range<usize>,
        message: impl Into<String>,
        hint: impl Into<Hint>,
        first: (&Range<usize>, &str),
    ) {
        self.add(Severity::Error, second, message.into(), hint.into(), Some(first));
    }

    pub(super) fn warning(
        &mut self,
        span: &Range<usize>,
        message: impl Into<String>,
        hint: impl Into<Hint>,
    ) {
        self.add(Severity::Warning, span, message.into(), hint.into(), None);
    }

    fn add(
        &mut self,
        severity: Severity,
        span: &Range<usize>,
        message: String,
        hint: Hint,
        first: Option<(&Range<usize>, &str)>,
    ) {
        if self.quiet_from.is_some_and(|from| span.end >= from) {
            return;
        }
        self.errors |= severity == Severity::Error;
        if self.list.len() == KEPT {
            let (_, worst) = self.beyond.get_or_insert((span.clone(), severity));
            *worst = severity.min(*worst);
            return;
        }
        let related = first.map(|(span, word)| (self.place(span.clone()), word.to_owned()));
        self.list.push(Diagnostic {
            severity,
            message,
            place: self.place(span.clone()),
            hint: hint.0,
            related: related.into_iter().collect(),
        });
    }

    /// All of them in the order of the file.
    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        if let Some((span, severity)) = self.beyond.take() {
            let message = format!("more like these: only the first {KEPT} are told");
            let place = self.place(span);
            self.list.push(Diagnostic {
                severity,
                message,
                place,
                hint: None,
                related: Vec::new(),
            });
        }
        self.list.sort_by_key(|diagnostic| diagnostic.place.span.start);
        self.list
    }
}

/// What to do about it, if there is something to say.
pub(super) struct Hint(Option<String>);

/// No hint.
impl From<()> for Hint {
    fn from((): ()) -> Hint {
        Hint(None)
    }
}

impl From<&str> for Hint {
    fn from(hint: &str) -> Hint {
        Hint(Some(hint.to_owned()))
    }
}

impl From<String> for Hint {
    fn from(hint: String) -> Hint {
        Hint(Some(hint))
    }
}

impl From<Option<String>> for Hint {
    fn from(hint: Option<String>) -> Hint {
        Hint(hint)
    }
}
