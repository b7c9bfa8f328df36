//! `directord check`: are the files right?

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use super::args;
use super::exit::{self, Failure};
use super::output::{Out, Paint, count};
use crate::config::assemble::{self, Report};
use crate::config::source;
use crate::config::{Diagnostic, Severity, render_all};
use crate::daemon;

/// Read the files and print every mistake in them; change nothing.
///
/// Each mistake comes with its file, line and column, the line itself, and what to do about it.
/// Warnings and notes are printed too.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    #[command(flatten)]
    config: args::Config,
}

const AFTER_HELP: &str = "\
Examples:
  directord check
  directord check --config ./conf.d --config /etc/ha.d/ldirectord.cf

Exit statuses: 0 no mistakes (there may be warnings), 1 mistakes.";

pub fn run(args: Args, out: &mut Out) -> Result<u8, Failure> {
    let reading = source::read(&args.config.config);
    let (desired, reports) = assemble::check(&reading, &daemon::names(None));
    let paint = out.paint();
    for report in &reports {
        let text_of = |path: &Path| {
            let found = report.sources.iter().find(|(file, _)| file.as_path() == path);
            found.map(|(_, text)| Arc::clone(text))
        };
        out.write_all(render_all(&report.diagnostics, &text_of, paint.0).as_bytes())?;
    }
    let (files, services) = (reading.files.len(), desired.services.len());
    writeln!(out, "{}", summary(files, services, &reports, paint))?;
    let rejected = reports.iter().any(Report::is_error);
    Ok(if rejected { exit::MISTAKES } else { exit::OK })
}

/// `12 files, 340 services: no mistakes`, `3 files, 2 good services: 2 mistakes, 1 note`.
fn summary(files: usize, services: usize, reports: &[Report], paint: Paint) -> String {
    let diagnostics = || reports.iter().flat_map(|report: &Report| &report.diagnostics);
    let number = |severity| diagnostics().filter(|d: &&Diagnostic| d.severity == severity).count();
    let mistakes = number(Severity::Error);
    let verdict = match mistakes {
        0 => paint.good("no mistakes"),
        some => paint.bad(count(some, "mistake")),
    };
    let remarks: String = [(Severity::Warning, "warning"), (Severity::Note, "note")]
        .into_iter()
        .map(|(severity, word)| (number(severity), word))
        .filter(|(some, _)| *some > 0)
        .map(|(some, word)| format!(", {}", count(some, word)))
        .collect();
    let word = if mistakes == 0 { "service" } else { "good service" };
    let (files, services) = (count(files, "file"), count(services, word));
    format!("{files}, {services}: {verdict}{remarks}")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config::Place;
    use crate::config::assemble::ReportKind;

    fn report(severities: &[Severity]) -> Report {
        let file = Arc::new(PathBuf::from("www.yaml"));
        let diagnostic = |severity: &Severity| Diagnostic {
            severity: *severity,
            message: String::new(),
            place: Place { file: Arc::clone(&file), span: 0..0 },
            hint: None,
            related: Vec::new(),
        };
        let diagnostics = severities.iter().map(diagnostic).collect();
        Report { file: Arc::clone(&file), kind: ReportKind::Remarks, diagnostics, sources: vec![] }
    }

    #[test]
    fn summary_counts_what_there_is() {
        use Severity::{Error, Note, Warning};
        let text =
            |files, services, reports: &[Report]| summary(files, services, reports, Paint(false));
        assert_eq!(text(12, 340, &[]), "12 files, 340 services: no mistakes");
        assert_eq!(text(1, 1, &[report(&[Note, Note])]), "1 file, 1 service: no mistakes, 2 notes");
        assert_eq!(
            text(3, 2, &[report(&[Error, Warning]), report(&[Error])]),
            "3 files, 2 good services: 2 mistakes, 1 warning"
        );
    }
}
