//! A difference of two tables in words, for `plan` and for drift.

use std::fmt;

use crate::model::{Entry, Persistence, SchedulerFlags, ServiceKey, ServiceSettings};

/// One line of a difference.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    pub sign: Sign,
    /// `service 192.0.2.10:80/tcp wlc`, `destination 10.0.0.7:80 of 192.0.2.10:80/tcp weight 5 -> 0`.
    pub text: String,
}

/// Whether something comes, goes or changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sign {
    Added,
    Removed,
    Changed,
}

impl Sign {
    /// `+`, `-` or `~`.
    pub const fn symbol(self) -> char {
        match self {
            Sign::Added => '+',
            Sign::Removed => '-',
            Sign::Changed => '~',
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.sign.symbol(), self.text)
    }
}

/// What differs between the `before` and the `after` of one service; nothing when they agree.
pub fn describe(service: &ServiceKey, before: Option<&Entry>, after: Option<&Entry>) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut say = |sign, text| lines.push(Line { sign, text });
    match (before, after) {
        (None, None) => {}
        (Some(before), None) => {
            say(Sign::Removed, format!("service {service} {}", Settings(&before.settings)));
        }
        (None, Some(after)) => {
            say(Sign::Added, format!("service {service} {}", Settings(&after.settings)));
        }
        (Some(before), Some(after)) if before.settings != after.settings => {
            let (old, new) = (Settings(&before.settings), Settings(&after.settings));
            say(Sign::Changed, format!("service {service} {old} -> {new}"));
        }
        (Some(_), Some(_)) => {}
    }
    let rows = |entry: Option<&Entry>| entry.map(|e| e.destinations.clone()).unwrap_or_default();
    let (before, after) = (rows(before), rows(after));
    for (endpoint, new) in after.iter() {
        match before.get(endpoint) {
            None => say(Sign::Added, format!("destination {endpoint} of {service} {new}")),
            Some(old) if old == new => {}
            Some(old) if old.with_weight(new.weight) == *new => say(
                Sign::Changed,
                format!(
                    "destination {endpoint} of {service} weight {} -> {}",
                    old.weight, new.weight
                ),
            ),
            Some(old) => {
                say(Sign::Changed, format!("destination {endpoint} of {service} {old} -> {new}"));
            }
        }
    }
    for (endpoint, old) in before.iter() {
        if after.get(endpoint).is_none() {
            say(Sign::Removed, format!("destination {endpoint} of {service} {old}"));
        }
    }
    lines
}

/// `wlc`, `sh flags=fallback,port persistent=300s/255.255.255.0 ops`.
struct Settings<'a>(&'a ServiceSettings);

impl fmt::Display for Settings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = self.0;
        write!(f, "{}", settings.scheduler)?;
        if settings.scheduler_flags != SchedulerFlags::NONE {
            let names = [
                (SchedulerFlags::FALLBACK, "fallback"),
                (SchedulerFlags::PORT, "port"),
                (SchedulerFlags::THIRD, "flag-3"),
            ];
            let set = names.iter().filter(|(flag, _)| settings.scheduler_flags.contains(*flag));
            let set: Vec<_> = set.map(|(_, name)| *name).collect();
            write!(f, " flags={}", set.join(","))?;
        }
        if let Some(Persistence { timeout, netmask }) = settings.persistence {
            write!(f, " persistent={timeout}s/{netmask}")?;
        }
        if settings.one_packet {
            f.write_str(" one-packet")?;
        }
        if let Some(engine) = settings.engine {
            write!(f, " engine={engine}")?;
        }
        Ok(())
    }
}
