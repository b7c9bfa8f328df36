//! Monitors and alerts: where their programs are, and which monitors need none.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::Surroundings;
use super::findings::{Findings, about};
use super::lines::Piece;
use crate::config::watch::native;
use crate::model::{AlertCall, MonPlaces, MonitorCall, MonitorKind, NativeMonitor};

/// Below it are mon's own programs, as packaged.
const PACKAGED: &str = "/usr/lib/mon";

pub(super) struct Programs<'a> {
    around: &'a Surroundings<'a>,
    places: &'a MonPlaces,
    /// Looked for and found, or not: few names stand on many lines.
    monitors: BTreeMap<String, Option<PathBuf>>,
    alerts: BTreeMap<String, Option<Arc<PathBuf>>>,
    /// Names about which something was said.
    said: BTreeSet<String>,
}

impl<'a> Programs<'a> {
    pub(super) fn new(around: &'a Surroundings<'a>, places: &'a MonPlaces) -> Programs<'a> {
        Programs {
            around,
            places,
            monitors: BTreeMap::new(),
            alerts: BTreeMap::new(),
            said: BTreeSet::new(),
        }
    }

    /// An alert's call; a program that is nowhere is told of once.
    pub(super) fn alert(
        &mut self,
        name: &Piece,
        rest: &Piece,
        findings: &mut Findings,
    ) -> AlertCall {
        let found = self.alerts.entry(name.text().to_owned()).or_insert_with(|| {
            let found = find(name.text(), &self.places.alerts, self.around);
            if found.is_none() {
                missing("alert", name, &self.places.alerts, findings);
            }
            found.map(Arc::new)
        });
        let path = found.clone();
        AlertCall { name: name.text().to_owned(), path, words: self.words(rest, findings).into() }
    }

    /// The words after a name; none, and a warning, where a quote does not end.
    fn words(&self, rest: &Piece, findings: &mut Findings) -> Vec<String> {
        rest.quoted_words().unwrap_or_else(|| {
            findings
                .warning(rest, "a quote does not end: none of these words is given to the program")
                .hint("write \\' or \\\" for a quote that is meant");
            Vec::new()
        })
    }

    /// A `monitor` line.
    pub(super) fn monitor(
        &mut self,
        line: &Piece,
        limit: Duration,
        findings: &mut Findings,
    ) -> MonitorCall {
        let bare = line.text().strip_suffix(";;");
        let called = line.part(0..bare.map_or(line.text().len(), str::len)).trimmed();
        let (name, rest) = called.first_word();
        let words = self.words(&rest, findings);
        let how = self.kind(&name, words, findings);
        MonitorCall { written: line.text().to_owned(), how, without_hosts: bare.is_some(), limit }
    }

    fn kind(&mut self, name: &Piece, words: Vec<String>, findings: &mut Findings) -> MonitorKind {
        let program = self
            .monitors
            .entry(name.text().to_owned())
            .or_insert_with(|| find(name.text(), &self.places.monitors, self.around));
        let program = program.clone();
        let run = |path: &Path, words| {
            let path = path.to_string_lossy().into_owned();
            MonitorKind::Program(std::iter::once(path).chain(words).collect())
        };
        match (native(name.text(), program.is_some()), program) {
            (Some(native), program) => {
                let monitor = NativeMonitor { name: native, words };
                match ((self.around.native)(&monitor), program) {
                    (Ok(()), program) => {
                        self.own_program(name, program.as_deref(), findings);
                        MonitorKind::Native(Arc::new(monitor))
                    }
                    (Err(reason), Some(path)) => {
                        let message = format!("{} is run instead: {reason}", path.display());
                        findings.note(name, &message);
                        run(&path, monitor.words)
                    }
                    (Err(reason), None) => {
                        findings.warning(name, format!("nothing is asked: {reason}"));
                        MonitorKind::Missing
                    }
                }
            }
            (None, Some(path)) => run(&path, words),
            (None, None) => {
                if self.said.insert(name.text().to_owned()) {
                    missing("monitor", name, &self.places.monitors, findings);
                }
                MonitorKind::Missing
            }
        }
    }

    /// A program that is not as packaged may do something else than ours.
    fn own_program(&mut self, name: &Piece, program: Option<&Path>, findings: &mut Findings) {
        let Some(path) = program.filter(|path| !path.starts_with(PACKAGED)) else { return };
        if self.said.insert(name.text().to_owned()) {
            let message = format!("asked without a program: {} is not run", path.display());
            findings
                .note(name, &message)
                .hint("to have it run, give it another name, or set DIRECTORD_MONITORS=external");
        }
    }
}

/// The first of its name. An absolute path is looked for below the folders as well, and so is
/// never found.
fn find(name: &str, folders: &[PathBuf], around: &Surroundings<'_>) -> Option<PathBuf> {
    let name = name.trim_start_matches('/');
    let paths = folders.iter().map(|folder| folder.join(name));
    paths.into_iter().find(|path| !name.is_empty() && around.files.is_program(path))
}

fn missing(kind: &str, name: &Piece, folders: &[PathBuf], findings: &mut Findings) {
    if name.text().is_empty() {
        findings.warning(name, format!("no {kind} is named"));
        return;
    }
    let folders: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
    let none = about(&format!("there is no {kind}"), name.text());
    let message = format!("{none} in {}", folders.join(" or in "));
    let made = findings.warning(name, message);
    if name.text().starts_with('/') {
        made.hint("a path is looked for below these folders: write the name alone");
    }
}
