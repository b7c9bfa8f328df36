//! Dependencies of services upon one another.

use super::draft::{Behaviour, File, ServiceDraft};
use super::findings::{Findings, about};
use super::lines::Piece;
use crate::config::watch::expression;
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
    match expression(line.text(), own) {
        Ok(expression) => {
            let mut names = Vec::new();
            collect(&expression, &mut names);
            for key in names {
                known(key, line, draft, file, findings);
            }
            // As mon shows it to clients.
            let written = line.text().replace("SELF:", &format!("{own}:"));
            Some(Dependency { written, expression })
        }
        Err(flaw) => {
            let mon = format!("invalid dependency '{}'", line.text());
            let is_missing = flaw.what.starts_with("&& or ||");
            let made = findings.error(&line.part(flaw.at), mon, flaw.what);
            if is_missing {
                made.hint("mon never alerts for such a service");
            }
            None
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
