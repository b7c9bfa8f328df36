//! Dependencies of services upon one another.

use std::ops::Range;

use super::draft::{Behaviour, File, ServiceDraft};
use super::findings::{Findings, about};
use super::lines::Piece;
use crate::config::watch::{Flaw, GAP, expression};
use crate::model::{Dependency, Depends, Expression, WatchKey};

/// What a service depends on. `depend` is of one kind; of the other kinds their own lines count.
pub(super) fn of(draft: &ServiceDraft, file: &File, findings: &mut Findings) -> Depends {
    let mut kind = |behaviour, own: &Option<Piece>| {
        let own = own.as_ref();
        let general = draft.depend.as_ref().filter(|_| draft.behaviour == behaviour);
        if let (Some(general), Some(own)) = (general, own) {
            findings
                .warning(own, "this does not count beside depend")
                .related(general.span(), "which is of the same kind");
        }
        // Looked at even where it does not count.
        let own = own.and_then(|line| dependency(line, draft, file, findings));
        let general = general.and_then(|line| dependency(line, draft, file, findings));
        general.or(own)
    };
    Depends {
        alerts: kind(Behaviour::Alerts, &draft.alert_depend),
        monitors: kind(Behaviour::Monitors, &draft.monitor_depend),
        hosts: kind(Behaviour::Hosts, &draft.host_depend),
        memory: draft.memory,
    }
}

fn dependency(
    line: &Piece,
    draft: &ServiceDraft,
    file: &File,
    findings: &mut Findings,
) -> Option<Dependency> {
    let own = &draft.key.group;
    match joined(line.text(), own) {
        Ok(Joined { expression, text, gap }) => {
            if let Some(at) = gap {
                let what = format!("{GAP}: && is taken");
                findings.warning(&line.part(at), what).hint("mon never alerts for such a service");
            }
            let mut names = Vec::new();
            collect(&expression, &mut names);
            for key in names {
                known(key, line, draft, file, findings);
            }
            // As mon shows it to clients.
            let written = text.replace("SELF:", &format!("{own}:"));
            Some(Dependency { written, expression })
        }
        Err(flaw) => {
            let mon = format!("invalid dependency '{}'", line.text());
            findings.error(&line.part(flaw.at), mon, flaw.what);
            None
        }
    }
}

/// An expression as it is read.
struct Joined {
    expression: Expression,
    text: String,
    /// Where the first `&&` was put in.
    gap: Option<Range<usize>>,
}

/// Reads an expression in which nothing may stand between two services, as in the example that comes
/// with mon: mon takes such a line, and fails whenever it looks at it. Both services are meant.
fn joined(written: &str, own: &str) -> Result<Joined, Flaw> {
    const AND: &str = "&& ";
    let (mut text, mut gap, mut added) = (written.to_owned(), None, 0);
    loop {
        match expression(&text, own) {
            Ok(expression) => return Ok(Joined { expression, text, gap }),
            // Each adds a term, and of those there are not many.
            Err(Flaw { at, what }) if what == GAP => {
                text.insert_str(at.start, AND);
                gap.get_or_insert(at);
                added += AND.len();
            }
            // All that was put in is before it.
            Err(Flaw { at, what }) => {
                let at = at.start.saturating_sub(added)..at.end.saturating_sub(added);
                return Err(Flaw { at, what });
            }
        }
    }
}

fn collect<'e>(expression: &'e Expression, names: &mut Vec<&'e WatchKey>) {
    match expression {
        Expression::Service(key) => names.push(key),
        Expression::Constant(_) => {}
        Expression::Not(inner) => collect(inner, names),
        Expression::And(a, b) | Expression::Or(a, b) => {
            collect(a, names);
            collect(b, names);
        }
    }
}

/// A service that is named must be there: mon takes any other for one that fails.
fn known(key: &WatchKey, line: &Piece, draft: &ServiceDraft, file: &File, findings: &mut Findings) {
    let name = format!("{}:{}", key.group, key.service);
    let at = place(&name, line, &draft.key.group);
    if *key == draft.key {
        findings.warning(&at, "a service that depends on itself is never told of");
    }
    if file.known.contains_key(key) {
        return;
    }
    let names: Vec<String> = file
        .known
        .keys()
        .map(|key| format!("{}:{}", key.group, key.service))
        .take(10_000)
        .collect();
    let hint = findings.did_you_mean(&name, names.iter().map(String::as_str));
    let mon = format!("unknown service '{name}' in dependency");
    let made = findings.error(&at, mon, about("there is no service", &name));
    if let Some(hint) = hint {
        made.hint(hint);
    }
}

/// Where the name stands in the line; the whole line where it is spelled otherwise.
fn place(name: &str, line: &Piece, own: &str) -> Piece {
    let own = name.strip_prefix(own).filter(|rest| rest.starts_with(':'));
    let spelled = own.map(|rest| format!("SELF{rest}"));
    let text = line.text();
    let found = text.find(name).map(|at| (at, name.len()));
    let found = found.or_else(|| spelled.and_then(|name| Some((text.find(&name)?, name.len()))));
    match found {
        Some((at, length)) => line.part(at..at + length),
        None => line.clone(),
    }
}
