//! What to tell about a file, once.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::entry::{Entry, Version, error_at_start};
use super::inspect;
use crate::config::{Declared, Diagnostic, Lines, Place, Severity, Unreadable, one_line, render};

/// Something to tell about one file. Told when it is new, not at every reading.
#[derive(Clone, PartialEq, Debug)]
pub struct Report {
    pub file: Arc<PathBuf>,
    pub kind: ReportKind,
    /// The errors first, and each kind in the order of the file.
    pub diagnostics: Vec<Diagnostic>,
    /// The texts the diagnostics point into. There is none for what could not be read.
    pub sources: Vec<(Arc<PathBuf>, Arc<str>)>,
}

/// What became of the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReportKind {
    /// Its newest text is not taken. `kept` is the number of services that stay in force from
    /// its last good version, if it has one.
    Rejected { kept: Option<usize> },
    /// It is taken; there are warnings or notes.
    Remarks,
    /// It was rejected before and is fine now.
    Recovered,
}

impl Report {
    pub(super) fn unreadable(unreadable: &Unreadable) -> Report {
        let message = format!("read: {}; what is in force from there stays", unreadable.error);
        Report {
            file: unreadable.path.clone(),
            kind: ReportKind::Rejected { kept: None },
            diagnostics: vec![error_at_start(&unreadable.path, message, None)],
            sources: Vec::new(),
        }
    }

    /// Whether the file was rejected.
    pub fn is_error(&self) -> bool {
        matches!(self.kind, ReportKind::Rejected { .. })
    }

    /// How many errors there are: warnings and notes did not keep the file out.
    pub fn mistakes(&self) -> usize {
        self.diagnostics.iter().filter(|d| d.severity == Severity::Error).count()
    }

    /// One line for each diagnostic: `web.yaml:3:12: error: unknown key "shceduler": did you
    /// mean "scheduler"?` At most [`LINES`](Self::LINES), and one that counts the rest.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut cut: HashMap<&PathBuf, Option<Lines>> = HashMap::new();
        for diagnostic in self.diagnostics.iter().take(Self::LINES) {
            let text = self.text_of(&diagnostic.place.file);
            let cut = cut.entry(&diagnostic.place.file).or_insert_with(|| text.map(Lines::of));
            let at = diagnostic.place.span.start;
            let position = cut.as_ref().zip(text).map(|(cut, text)| cut.position(text, at));
            lines.push(one_line(diagnostic, position));
        }
        if let more @ 1.. = self.diagnostics.len().saturating_sub(Self::LINES) {
            lines.push(format!("{}: and {more} more", self.file.display()));
        }
        lines
    }

    /// The most lines that [`lines`](Self::lines) gives for diagnostics.
    pub const LINES: usize = 50;

    /// Every diagnostic with its line and a caret; see [`render`].
    pub fn render(&self, colour: bool) -> String {
        render(&self.diagnostics, &|path| self.source(path).cloned(), colour)
    }

    fn text_of(&self, path: &Path) -> Option<&str> {
        self.source(path).map(|text| &**text)
    }

    fn source(&self, path: &Path) -> Option<&Arc<str>> {
        self.sources.iter().find(|(of, _)| of.as_path() == path).map(|(_, text)| text)
    }
}

/// Adds what is new about each entry, and notes that it has been told.
pub(super) fn collect(
    entries: &mut [Entry],
    chosen: &[Option<Arc<Version>>],
    reports: &mut Vec<Report>,
) {
    for (entry, version) in entries.iter_mut().zip(chosen) {
        if entry.is_gone() {
            continue;
        }
        let report = match entry.rejection() {
            Some(diagnostics) => rejected(entry, diagnostics, version.as_deref()),
            None => taken(entry),
        };
        reports.extend(report);
    }
}

/// Where files that are in force disagree in what is no mistake of either.
pub(super) fn disagreements(entries: &[Entry]) -> Vec<Report> {
    let in_force = || entries.iter().filter_map(|entry| Some((entry, entry.in_force.as_ref()?)));
    let declared = in_force().flat_map(|(_, version)| &version.services);
    let texts: HashMap<_, _> = in_force().map(|(entry, v)| (&entry.path, &v.text)).collect();
    let source = |place: &Place| Some((place.file.clone(), Arc::clone(texts.get(&place.file)?)));
    let report = |(declared, diagnostic): (&Declared, Diagnostic)| {
        let places = diagnostic.related.iter().map(|(place, _)| place);
        Report {
            file: declared.place.file.clone(),
            kind: ReportKind::Remarks,
            sources: places.chain([&diagnostic.place]).filter_map(source).collect(),
            diagnostics: vec![diagnostic],
        }
    };
    inspect::disagreements(declared).into_iter().map(report).collect()
}

fn rejected(
    entry: &mut Entry,
    mut diagnostics: Vec<Diagnostic>,
    kept: Option<&Version>,
) -> Option<Report> {
    let mut hasher = DefaultHasher::new();
    entry.text().hash(&mut hasher);
    for diagnostic in &diagnostics {
        diagnostic.message.hash(&mut hasher);
    }
    let digest = Some(hasher.finish());
    if entry.told == digest {
        return None;
    }
    // Who shows one line only shows why the file is not taken.
    diagnostics.sort_by_key(|diagnostic| diagnostic.severity);
    let other = entry.conflict.as_ref().and_then(|conflict| conflict.other.clone());
    let own = entry.text().map(|text| (entry.path.clone(), text.clone()));
    let report = Report {
        file: entry.path.clone(),
        kind: ReportKind::Rejected { kept: kept.map(|version| version.services.len()) },
        diagnostics,
        sources: own.into_iter().chain(other).collect(),
    };
    entry.told = digest;
    entry.rejected = entry.rejected.saturating_add(1);
    entry.set_error(Some(report.lines().join("\n")));
    Some(report)
}

fn taken(entry: &mut Entry) -> Option<Report> {
    let recovered = entry.told.take().is_some();
    entry.set_error(None);
    let diagnostics = std::mem::take(&mut entry.remarks);
    let kind = match recovered {
        true => ReportKind::Recovered,
        false if diagnostics.is_empty() => return None,
        false => ReportKind::Remarks,
    };
    let sources = entry.text().map(|text| (entry.path.clone(), text.clone()));
    let sources = sources.into_iter().collect();
    Some(Report { file: entry.path.clone(), kind, diagnostics, sources })
}
