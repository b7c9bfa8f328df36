//! What is wrong with a text although its grammar is right.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::entry::{Version, error};
use crate::config::{Declared, Diagnostic, Severity};

/// A text that parses and yet is not what its owner meant.
pub(super) struct Problem {
    pub span: Range<usize>,
    pub message: String,
    pub hint: &'static str,
}

/// Whether `newest` looks like `in_force` after an accident: emptied, or cut short.
pub(super) fn suspicious(newest: &Version, in_force: &Version) -> Option<Problem> {
    emptied(newest, in_force).or_else(|| cut_short(newest, in_force))
}

fn emptied(newest: &Version, in_force: &Version) -> Option<Problem> {
    if !says_nothing(&newest.text) || says_nothing(&in_force.text) {
        return None;
    }
    let message = match in_force.services.len() {
        0 => "the file is empty".to_owned(),
        1 => "the file is empty, and has a service in force".to_owned(),
        n => format!("the file is empty, and has {n} services in force"),
    };
    let hint = "to take them away, delete the file";
    Some(Problem { span: 0..0, message, hint })
}

/// Nothing but blanks, comments and the marks that open and close a YAML document.
fn says_nothing(text: &str) -> bool {
    text.lines()
        .map(str::trim)
        .all(|l| l.is_empty() || l.starts_with('#') || l == "---" || l == "...")
}

/// The text in force less its end, where the cut is in the middle of a line or took the last real
/// server of a service. Another cut between two lines cannot be told from an edit.
fn cut_short(newest: &Version, in_force: &Version) -> Option<Problem> {
    let rest = in_force.text.strip_prefix(&*newest.text)?;
    broken_off(&newest.text, rest).or_else(|| stripped(newest, in_force))
}

fn broken_off(newest: &str, rest: &str) -> Option<Problem> {
    let whole_line = newest.ends_with('\n') || rest.is_empty() || rest.starts_with(['\n', '\r']);
    // Where the last line has no end, taking a few letters off it is an edit like any other.
    let last_line = !rest.contains('\n');
    if whole_line || last_line {
        return None;
    }
    let message = format!("the file ends in the middle of line {}", newest.lines().count());
    let hint = "it seems cut short: if it is meant to end here, end the line";
    Some(Problem { span: newest.len()..newest.len(), message, hint })
}

/// Whether a real server in force is no longer named.
pub(super) fn loses(newest: &Version, in_force: &Version) -> bool {
    let rows = |version: &Version| -> HashSet<_> {
        let rows = |declared: &Declared| {
            let key = declared.service.key;
            let servers = declared.service.servers.iter();
            servers.map(move |server| (key, server.endpoint)).collect::<Vec<_>>()
        };
        version.services.iter().flat_map(rows).collect()
    };
    !rows(in_force).is_subset(&rows(newest))
}

fn stripped(newest: &Version, in_force: &Version) -> Option<Problem> {
    let serves = |declared: &&Declared| {
        let service = &declared.service;
        !service.servers.is_empty() || service.fallback.is_some()
    };
    let served: HashSet<_> =
        in_force.services.iter().filter(serves).map(|declared| declared.service.key).collect();
    let is_stripped = |d: &&Declared| !serves(d) && served.contains(&d.service.key);
    let declared = newest.services.iter().find(is_stripped)?;
    let message = format!("{} has no real server any more", declared.service.key);
    let hint = "the file seems cut short: to serve nobody, take the whole service out";
    Some(Problem { span: declared.place.span.clone(), message, hint })
}

/// One error for each service that one file declares twice.
pub(super) fn duplicates(services: &[Declared]) -> Vec<Diagnostic> {
    let mut first = HashMap::with_capacity(services.len());
    let mut found = Vec::new();
    for declared in services {
        let key = declared.service.key;
        let Some(place) = first.insert(key, &declared.place) else { continue };
        let message = format!("{key} is declared twice");
        let mut twice = error(declared.place.clone(), message, None);
        twice.related.push((place.clone(), "first declared here".to_owned()));
        found.push(twice);
    }
    found
}

/// One warning for each service that announces an address otherwise than one before it. No mistake: that would take a file's services away for what another file says.
pub(super) fn disagreements<'a>(
    services: impl Iterator<Item = &'a Declared>,
) -> Vec<(&'a Declared, Diagnostic)> {
    let mut first = HashMap::new();
    let mut found = Vec::new();
    for declared in services {
        for vip in &declared.service.vips {
            let (announce, other) = *first.entry(&vip.key).or_insert((vip.announce, declared));
            if announce == vip.announce {
                continue;
            }
            let message = format!("services differ in how {} is announced", vip.key);
            let hint = "services that share an address write the same announce";
            let mut twice = error(declared.vip_place().clone(), message, Some(hint));
            twice.severity = Severity::Warning;
            twice.related.push((other.vip_place().clone(), "announced here".to_owned()));
            found.push((declared, twice));
        }
    }
    found
}

/// The line of each service, from 1, in one walk over the text.
pub(super) fn lines(text: &str, services: &[Declared]) -> Vec<u32> {
    let (mut at, mut line) = (0, 1);
    let mut line_of = |declared: &Declared| {
        let start = declared.place.span.start.min(text.len());
        if start < at {
            (at, line) = (0, 1);
        }
        let between = &text.as_bytes()[at..start];
        line += between.iter().filter(|b| **b == b'\n').count() as u32;
        at = start;
        line
    };
    services.iter().map(&mut line_of).collect()
}
