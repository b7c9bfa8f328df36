//! What to tell about a file, once.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;

use super::entry::{Entry, Version, error_at_start};
use crate::config::{Diagnostic, Severity, Unreadable};

/// Something to tell about one file. Told when it is new, not at every reading.
#[derive(Clone, PartialEq, Debug)]
pub struct Report {
    pub file: Arc<PathBuf>,
    pub kind: ReportKind,
    /// In the order of the file.
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

    /// One line for each diagnostic: `web.yaml:3:12: error: unknown key "shceduler": did you
    /// mean "scheduler"?`
    pub fn lines(&self) -> Vec<String> {
        self.diagnostics.iter().map(|d| one_line(d, &self.sources)).collect()
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

fn rejected(
    entry: &mut Entry,
    diagnostics: Vec<Diagnostic>,
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
    entry.error = Some(report.lines().join("\n"));
    Some(report)
}

fn taken(entry: &mut Entry) -> Option<Report> {
    let recovered = entry.told.take().is_some();
    entry.error = None;
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

fn one_line(diagnostic: &Diagnostic, sources: &[(Arc<PathBuf>, Arc<str>)]) -> String {
    let Diagnostic { severity, message, place, hint, related: _ } = diagnostic;
    let mut line = place.file.display().to_string();
    if let Some((_, text)) = sources.iter().find(|(path, _)| *path == place.file) {
        let before = &text.as_bytes()[..place.span.start.min(text.len())];
        let row = before.iter().filter(|b| **b == b'\n').count() + 1;
        let start = before.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        // Characters, not bytes: the bytes that continue one do not count.
        let column = before[start..].iter().filter(|b| **b & 0xc0 != 0x80).count() + 1;
        line += &format!(":{row}:{column}");
    }
    let severity = match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    line += &format!(": {severity}: {message}");
    if let Some(hint) = hint {
        line += &format!(": {hint}");
    }
    line
}
