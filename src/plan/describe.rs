//! A difference of two tables in words, for `plan` and for drift.

use std::fmt;

use crate::model::{
    Destinations, Endpoint, Entry, Persistence, PlanLine, SchedulerFlags, ServiceKey,
    ServiceSettings, Sign,
};

/// What differs between the `before` and the `after` of one service; nothing when they agree.
pub fn describe(
    service: &ServiceKey,
    before: Option<&Entry>,
    after: Option<&Entry>,
) -> Vec<PlanLine> {
    let none = Destinations::default();
    let mut lines: Vec<PlanLine> = settings_line(service, before, after).into_iter().collect();
    let before = before.map_or(&none, |entry| &entry.destinations);
    let after = after.map_or(&none, |entry| &entry.destinations);
    destination_lines(service, before, after, &mut lines);
    lines
}

fn settings_line(
    service: &ServiceKey,
    before: Option<&Entry>,
    after: Option<&Entry>,
) -> Option<PlanLine> {
    let line = |sign, what: String| {
        let text = format!("service {service} {what}");
        PlanLine { sign, service: service.to_string(), text }
    };
    let settings = |entry: &Entry| Settings(entry.settings).to_string();
    match (before, after) {
        (None, None) => None,
        (Some(before), None) => Some(line(Sign::Remove, settings(before))),
        (None, Some(after)) => Some(line(Sign::Add, settings(after))),
        (Some(before), Some(after)) if before.settings != after.settings => {
            Some(line(Sign::Edit, format!("{} -> {}", settings(before), settings(after))))
        }
        (Some(_), Some(_)) => None,
    }
}

fn destination_lines(
    service: &ServiceKey,
    before: &Destinations,
    after: &Destinations,
    lines: &mut Vec<PlanLine>,
) {
    let mut say = |sign, endpoint: &Endpoint, what: String| {
        let text = format!("destination {endpoint} of {service} {what}");
        lines.push(PlanLine { sign, service: service.to_string(), text });
    };
    for (endpoint, new) in after.iter() {
        match before.get(endpoint) {
            Some(old) if old == new => {}
            Some(old) if old.with_weight(new.weight) == *new => {
                say(Sign::Edit, endpoint, format!("weight {} -> {}", old.weight, new.weight));
            }
            Some(old) => say(Sign::Edit, endpoint, format!("{old} -> {new}")),
            None => say(Sign::Add, endpoint, new.to_string()),
        }
    }
    for (endpoint, old) in before.iter().filter(|(endpoint, _)| after.get(endpoint).is_none()) {
        say(Sign::Remove, endpoint, old.to_string());
    }
}

/// `wlc`, `sh flags=fallback,port persistent=300s/255.255.255.0 ops`.
struct Settings(ServiceSettings);

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = &self.0;
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
