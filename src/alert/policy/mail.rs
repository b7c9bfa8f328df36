//! Mail: one for each row that changed, and reminders of servers that are still out.
//!
//! A server that is out from the start never had a row that could change. Once all checks have
//! been carried out it gets the mail its row could not: a start over a healthy site sends one
//! mail for each server that came, and none for anything that did not happen.

use std::collections::BTreeMap;

use super::{Policy, Subject};
use crate::alert::{Delivery, Mail};
use crate::event::{Event, RowChange, ldirectord};
use crate::model::{Desired, Endpoint, MailAlert, Role, ServiceKey, Stage, Time};

/// Servers that are out, and when that was last said. `server` is as the table holds it.
#[derive(Default, Debug)]
pub(super) struct Reminders {
    out: BTreeMap<(ServiceKey, Endpoint), Out>,
    /// When the next one is due, or earlier.
    pub next: Option<Time>,
}

#[derive(Clone, Copy, Debug)]
struct Out {
    last: Time,
    /// Whether anything was said at all.
    told: bool,
}

impl Reminders {
    pub fn down(
        &mut self,
        service: ServiceKey,
        server: Endpoint,
        told: bool,
        now: Time,
        desired: &Desired,
    ) {
        let out = self.out.entry((service, server)).or_insert(Out { last: now, told });
        out.told |= told;
        let due = due(desired, &service, out.last);
        self.next = self.next.into_iter().chain(due).min();
    }

    pub fn up(&mut self, service: ServiceKey, server: Endpoint) {
        self.out.remove(&(service, server));
    }

    /// Forgets who is not asked for any more.
    pub fn keep(&mut self, desired: &Desired, now: Time) {
        self.out.retain(|(service, server), _| {
            let spec = desired.services.get(service);
            let is_real = spec.is_some_and(|s| s.servers.iter().any(|r| r.endpoint == *server));
            is_real && mail_of(desired, service).is_some()
        });
        self.plan(desired, now);
    }

    /// As if they had gone out now, and nobody knew.
    pub fn begin_anew(&mut self, desired: &Desired, now: Time) {
        self.out.values_mut().for_each(|out| *out = Out { last: now, told: false });
        self.plan(desired, now);
    }

    /// Those whose time has come; their next one begins now.
    fn take_due(&mut self, desired: &Desired, now: Time) -> Vec<(ServiceKey, Endpoint)> {
        let mut taken = Vec::new();
        for (who, out) in &mut self.out {
            if due(desired, &who.0, out.last).is_some_and(|due| due <= now) {
                *out = Out { last: now, told: true };
                taken.push(*who);
            }
        }
        self.plan(desired, now);
        taken
    }

    /// Those of whom nothing was said.
    fn take_silent(&mut self) -> Vec<(ServiceKey, Endpoint)> {
        let silent = self.out.iter_mut().filter(|(_, out)| !out.told);
        silent.map(|(who, out)| (out.told = true, *who).1).collect()
    }

    fn plan(&mut self, desired: &Desired, now: Time) {
        let due = self.out.iter().filter_map(|((service, _), out)| due(desired, service, out.last));
        self.next = due.min().map(|at| at.max(now));
    }
}

fn mail_of<'d>(desired: &'d Desired, service: &ServiceKey) -> Option<&'d MailAlert> {
    desired.alerts.get(service)?.mail.as_ref()
}

fn due(desired: &Desired, service: &ServiceKey, last: Time) -> Option<Time> {
    Some(last + mail_of(desired, service)?.remind?)
}

impl Policy {
    pub(super) fn mail_alert(&self, service: &ServiceKey) -> Option<&MailAlert> {
        mail_of(&self.desired, service)
    }

    pub(super) fn mail_row(&mut self, event: &Event, now: Time) {
        let Event::Row { service, server, change, fallback, .. } = event else { return };
        let Some(subject) = self.subject(service) else { return };
        let alerts = subject.alerts.as_ref();
        if alerts.and_then(|alerts| alerts.mail.as_ref()).is_none() {
            return;
        }
        match change {
            _ if *fallback => {}
            RowChange::Deleted | RowChange::Quiesced | RowChange::Readded => {
                self.reminders.down(*service, *server, true, now, &self.desired);
            }
            RowChange::Added
            | RowChange::Restored
            | RowChange::Purged
            | RowChange::PurgedAtStop => self.reminders.up(*service, *server),
        }
        self.mail(&subject, &ldirectord::mail(event, self.manner.pid));
    }

    /// The mail about those that are out and whose rows never changed.
    pub(super) fn mail_the_silent(&mut self) {
        for (service, server) in self.reminders.take_silent() {
            self.mail_reminder(&service, server);
        }
    }

    pub(super) fn remind(&mut self, now: Time) {
        if self.reminders.next.is_none_or(|next| next > now) {
            return;
        }
        let desired = self.desired.clone();
        for (service, server) in self.reminders.take_due(&desired, now) {
            self.mail_reminder(&service, server);
        }
    }

    fn mail_reminder(&mut self, service: &ServiceKey, server: Endpoint) {
        let Some(subject) = self.subject(service) else { return };
        let real = subject.spec.servers.iter().find(|real| real.endpoint == server);
        let written = real.map_or(server, |real| real.written());
        self.mail(&subject, &ldirectord::reminder(service, written));
    }

    /// A mail with this line, if the service's owner wants it at this stage.
    fn mail(&mut self, subject: &Subject, line: &str) {
        let alerts = subject.alerts.as_deref();
        let Some(mail) = alerts.and_then(|alerts| alerts.mail.as_ref()) else { return };
        // The rows that go when it becomes standby go as with a stop.
        let stage = if self.role == Role::Standby { Stage::Stopping } else { self.stage };
        if !mail.stages.contains(stage) {
            return;
        }
        // The log's line comes before the name, as there.
        let told = format!("emailalert: {line}");
        let name = subject.spec.name.as_deref();
        let line = match name {
            Some(name) => format!("[{name}] {line}"),
            None => line.to_owned(),
        };
        let mut body = format!(
            "ldirectord host: {}\nLog-Message: {line}\nDaemon-Status: {}\n\n",
            self.manner.node,
            stage.name()
        );
        let comment = alerts.and_then(|alerts| alerts.comment.as_deref());
        for (what, text) in [("Service name", name), ("Comment", comment)] {
            body.extend(text.map(|text| format!("{what}: {text}\n")));
        }
        let (to, from, server) = (mail.to.clone(), mail.from.clone(), mail.server.clone());
        self.due.push_back(Delivery::Mail(Mail { to, from, server, subject: line, body }));
        match &subject.log {
            Some(sink) => self.due.push_back(Delivery::Line(sink.clone(), told)),
            None => self.say(told),
        }
    }
}
