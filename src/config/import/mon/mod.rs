//! mon's `mon.cf`.
//!
//! [`lines`] cuts the text as mon does, [`read`] finds out which record a line belongs to, and
//! [`service`], [`period`] and [`globals`] read it into [`draft`]s; once the whole file is known
//! [`resolve`] makes of them what is watched, and [`join`] finds the pairs of alerts that edit a
//! director's table. A mistake costs its line and no more.
//!
//! What mon takes is taken and means the same, but for what mon itself stumbles over later: an
//! expression that is none, a service that is not there, a period that is one only until ten
//! o'clock. Lines that mon passes over in silence are told of. For scripts there is mon's own
//! line for the first error beside the diagnostics.

mod convert;
mod depends;
mod draft;
mod findings;
mod globals;
mod join;
mod lines;
mod period;
mod programs;
mod read;
mod resolve;
mod service;
mod services;
mod settings;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::{Diagnostic, Names, Severity, Source};
use crate::model::{MonFile, NativeMonitor};

use findings::Findings;
pub use services::first_error;
pub(in crate::config) use services::{convert_for, parse_services};

pub use convert::convert;

/// What a `mon.cf` needs to know of the system it is for.
pub struct Surroundings<'a> {
    pub files: &'a dyn Files,
    /// For the addresses of virtual services and real servers.
    pub names: &'a dyn Names,
    /// Whether a monitor's words can be carried out without a program; if not, why.
    pub native: &'a dyn Fn(&NativeMonitor) -> Result<(), String>,
    pub options: &'a Options,
}

/// What there is on the disk. The answer may change between two readings, so it is asked for from
/// outside.
pub trait Files {
    /// Whether it is a file that can be run.
    fn is_program(&self, path: &Path) -> bool;

    fn is_readable(&self, path: &Path) -> bool;

    fn is_folder(&self, path: &Path) -> bool;
}

/// An empty disk.
#[derive(Clone, Copy, Debug)]
pub struct NoFiles;

impl Files for NoFiles {
    fn is_program(&self, _: &Path) -> bool {
        false
    }

    fn is_readable(&self, _: &Path) -> bool {
        false
    }

    fn is_folder(&self, _: &Path) -> bool {
        false
    }
}

/// mon's command line, as far as it is about what a file may say too.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// `-a`: folders with colons between, below `base_dir` where they are relative.
    pub alert_dirs: Option<String>,
    /// `-s`.
    pub monitor_dirs: Option<String>,
    /// `-b`.
    pub base_dir: Option<PathBuf>,
    /// `-B`: the one that a line of the file wins over, with `facility`.
    pub config_dir: Option<PathBuf>,
    /// `-D`.
    pub state_dir: Option<PathBuf>,
    /// `-L`.
    pub log_dir: Option<PathBuf>,
    /// `-A`.
    pub auth_file: Option<PathBuf>,
    /// `-P`; empty is none.
    pub pid_file: Option<PathBuf>,
    /// `-O`.
    pub facility: Option<String>,
    /// `-k`.
    pub history: Option<u32>,
    /// `-m`.
    pub max_processes: Option<u32>,
    /// `-r`.
    pub random_start: Option<Duration>,
    /// `-p`.
    pub server_port: Option<u16>,
    /// `-t`.
    pub trap_port: Option<u16>,
}

/// What one file says.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Parsed {
    /// Only to be used when there is no error.
    pub file: MonFile,
    /// Every mistake, warning and note, in the order of the file.
    pub diagnostics: Vec<Diagnostic>,
    /// The first error as mon prints it: `cf error: TEXT, line N`.
    pub first_error: Option<String>,
}

impl Parsed {
    /// Whether the file cannot be taken.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|d| d.severity == Severity::Error)
    }
}

/// Reads a `mon.cf`. Never gives up: a file with mistakes yields all of them. Lines are those of
/// the text: of what a filter put out, where there was one.
pub fn parse(source: &Source, around: &Surroundings<'_>) -> Parsed {
    let mut findings = Findings::new(source);
    let file = read::read(&source.text, &mut findings);
    let file = resolve::file(&file, around, &mut findings);
    let (diagnostics, first_error) = findings.finish();
    Parsed { file, diagnostics, first_error }
}

/// Whether a text is a `mon.cf` rather than an ldirectord one: the first line that says something
/// begins a record of mon's or sets one of its globals.
pub fn is_mon(text: &str) -> bool {
    let mut lines = lines::Lines::of(text).filter(|line| !line.text().is_empty());
    lines.next().is_some_and(|line| {
        let record = ["hostgroup", "watch", "view", "alias"];
        let named = line.assignment().map(|(name, _)| name);
        record.into_iter().any(|keyword| line.tagged(keyword).is_some())
            || named.is_some_and(|name| globals::NAMES.contains(&name.text()))
    })
}
