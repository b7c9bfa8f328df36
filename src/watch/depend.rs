//! Whether what a service depends on is well.

use std::collections::BTreeMap;

use super::service::Service;
use crate::model::{Dependency, Depends, Expression, OpStatus, Time, WatchKey};

/// Which of a service's dependencies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Alerts,
    Monitors,
}

impl Kind {
    fn of(self, depends: &Depends) -> Option<&Dependency> {
        match self {
            Kind::Alerts => depends.alerts.as_ref(),
            Kind::Monitors => depends.monitors.as_ref(),
        }
    }
}

/// What came of looking.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Answer {
    pub holds: bool,
    /// When it may be another without a result: a failure that is over stops counting.
    pub changes: Option<Time>,
}

/// Names looked at for one answer. Expressions that share parents on many levels have
/// exponentially many.
const LOOKS: u32 = 10_000;

/// Whether the dependency of this kind holds; `None` where the service has none.
///
/// It does not where it leads deeper than `limit`, as that of a service that depends on itself.
pub(super) fn answer(
    services: &BTreeMap<WatchKey, Service>,
    key: &WatchKey,
    kind: Kind,
    limit: u32,
    now: Time,
) -> Option<Answer> {
    let service = services.get(key)?;
    let dependency = kind.of(&service.spec.depends)?;
    let mut look = Look { services, kind, limit, now, looks: LOOKS, changes: None };
    let holds = look.expression(&dependency.expression, &service.spec.depends, 0);
    Some(Answer { holds: holds == Ok(true), changes: look.changes })
}

struct Look<'a> {
    services: &'a BTreeMap<WatchKey, Service>,
    kind: Kind,
    limit: u32,
    now: Time,
    looks: u32,
    changes: Option<Time>,
}

/// Deeper than the limit, or too many.
#[derive(PartialEq, Eq, Debug)]
struct TooDeep;

impl Look<'_> {
    fn expression(
        &mut self,
        expression: &Expression,
        whose: &Depends,
        depth: u32,
    ) -> Result<bool, TooDeep> {
        match expression {
            Expression::Constant(value) => Ok(*value),
            Expression::Not(inner) => Ok(!self.expression(inner, whose, depth)?),
            Expression::And(left, right) => {
                Ok(self.expression(left, whose, depth)? && self.expression(right, whose, depth)?)
            }
            Expression::Or(left, right) => {
                Ok(self.expression(left, whose, depth)? || self.expression(right, whose, depth)?)
            }
            Expression::Service(key) => self.service(key, whose, depth),
        }
    }

    fn service(&mut self, key: &WatchKey, whose: &Depends, depth: u32) -> Result<bool, TooDeep> {
        self.looks = self.looks.checked_sub(1).ok_or(TooDeep)?;
        let Some(parent) = self.services.get(key) else { return Ok(false) };
        if !self.is_well(parent, whose) {
            return Ok(false);
        }
        let depends = &parent.spec.depends;
        match self.kind.of(depends) {
            None => Ok(true),
            Some(_) if depth >= self.limit => Err(TooDeep),
            Some(dependency) => self.expression(&dependency.expression, depends, depth + 1),
        }
    }

    fn is_well(&mut self, parent: &Service, whose: &Depends) -> bool {
        if !parent.status.opstatus.is_success() {
            return false;
        }
        match remembered_until(parent, whose) {
            Some(until) if self.now < until => {
                self.changes = Some(self.changes.map_or(until, |other| other.min(until)));
                false
            }
            _ => true,
        }
    }
}

/// Until when the last failure of a parent that is well counts, if it does at all. mon reads the memory of the
/// parent, its manual can be read as that of the dependent one: the longer of both.
fn remembered_until(parent: &Service, whose: &Depends) -> Option<Time> {
    let memory = whose.memory.max(parent.spec.depends.memory);
    let recovered = parent.status.recovered.filter(|_| !memory.is_zero());
    recovered.map(|recovered| recovered + memory)
}

/// Of `hosts`, those that no failing parent's summary names.
pub(super) fn hosts_without_trouble(
    services: &BTreeMap<WatchKey, Service>,
    depends: &Depends,
    hosts: Vec<String>,
    now: Time,
) -> Vec<String> {
    let Some(dependency) = &depends.hosts else { return hosts };
    let mut parents = Vec::new();
    names(&dependency.expression, &mut parents);
    let parents = parents.into_iter().filter_map(|key| services.get(key));
    let summaries: Vec<_> = parents.filter_map(|parent| trouble(parent, depends, now)).collect();
    hosts.into_iter().filter(|host| !summaries.iter().any(|text| mentions(text, host))).collect()
}

/// The summary of a parent that fails, or whose failure still counts.
fn trouble<'a>(parent: &'a Service, depends: &Depends, now: Time) -> Option<&'a str> {
    let status = &parent.status;
    if status.opstatus == OpStatus::Fail {
        return status.last_summary.as_deref();
    }
    let counts = remembered_until(parent, depends).is_some_and(|until| now < until);
    status.failed_summary.as_deref().filter(|_| counts)
}

/// Whether the text has the host as a word of its own: `web1` is in `web1 web2` and in
/// `web1:389(3.1)`, not in `web10` and not in `web1.example.net`, where mon finds it.
fn mentions(text: &str, host: &str) -> bool {
    if host.is_empty() {
        return false;
    }
    let part_of_name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    text.match_indices(host).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + host.len()..].chars().next();
        !before.is_some_and(part_of_name) && !after.is_some_and(part_of_name)
    })
}

/// All services an expression names.
pub(super) fn names<'a>(expression: &'a Expression, into: &mut Vec<&'a WatchKey>) {
    match expression {
        Expression::Service(key) => into.push(key),
        Expression::Constant(_) => {}
        Expression::Not(inner) => names(inner, into),
        Expression::And(left, right) | Expression::Or(left, right) => {
            names(left, into);
            names(right, into);
        }
    }
}
