//! What is to be delivered when: the one door for everything that happened.
//!
//! `handle_*` takes what happened, [`Policy::poll_delivery`] hands out what is to be delivered,
//! [`Policy::poll_timeout`] says when to look again.
//!
//! | stage | until |
//! |---|---|
//! | starting | every check of the first configuration was carried out once |
//! | running | |
//! | reloading | every check a reload brought was carried out once |
//! | stopping | |
//!
//! On standby nobody is mailed of servers that are out, and no fallback command is run: that is the
//! active director's to do. Becoming active is a start, at the end of which everybody is told what
//! is out, whatever was told before: who told it last may be dead.

mod hooks;
mod mail;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use super::{Delivery, Sink};
use crate::event::{Event, ServiceChange, ldirectord};
use crate::model::{
    Alerts, Desired, Head, LogPlace, Outcome, Probe, Role, ServiceKey, Stage, Time, VirtualService,
};

use hooks::Hooks;
use mail::Reminders;

/// How the daemon is run, as far as telling goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Manner {
    /// The host's name, for mail.
    pub node: String,
    pub pid: u32,
    /// As ldirectord; else in our own way, where the log is somebody else's and a file's own
    /// `logfile` gets the lines of its services besides.
    pub persona: Option<Persona>,
}

/// The daemon behind the ldirectord command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Persona {
    /// The first part of its name, as in its pid file.
    pub instance: Arc<str>,
    /// Where lines go when the file does not say; `None` is nowhere, whatever the file says.
    pub log: Option<Sink>,
    /// The command line, for the log.
    pub invoked: String,
    /// What `start`, `reload` and `stop` of a further configuration are appended to, after its
    /// name.
    pub program: Vec<String>,
}

/// See the module's head.
#[derive(Debug)]
pub struct Policy {
    manner: Manner,
    stage: Stage,
    role: Role,
    desired: Arc<Desired>,
    /// Of services that left the files: what is still to be said of them.
    former: BTreeMap<ServiceKey, Subject>,
    /// What each file's text was when it was last told of.
    seen: BTreeMap<Arc<PathBuf>, u64>,
    reminders: Reminders,
    hooks: Hooks,
    /// Whether any service has a monitor file.
    monitors: bool,
    stop_cause: Option<String>,
    due: VecDeque<Delivery>,
}

/// A service as far as telling goes.
#[derive(Clone, Debug)]
struct Subject {
    spec: Arc<VirtualService>,
    alerts: Option<Arc<Alerts>>,
    log: Option<Sink>,
}

impl Policy {
    pub fn new(manner: Manner) -> Policy {
        Policy {
            manner,
            stage: Stage::Starting,
            role: Role::Active,
            desired: Arc::default(),
            former: BTreeMap::new(),
            seen: BTreeMap::new(),
            reminders: Reminders::default(),
            hooks: Hooks::default(),
            monitors: false,
            stop_cause: None,
            due: VecDeque::new(),
        }
    }

    /// Takes the configuration that is in force from now on. `removed` are the services that were
    /// in the one before; `changed` is whether any service differs from it.
    pub fn handle_config(
        &mut self,
        desired: &Arc<Desired>,
        removed: &[ServiceKey],
        changed: bool,
        now: Time,
    ) {
        if Arc::ptr_eq(&self.desired, desired) {
            return self.reload_further(false);
        }
        let before = std::mem::replace(&mut self.desired, desired.clone());
        for key in removed {
            let subject = subject(&before, &self.manner, key);
            let told = subject.filter(|subject| subject.alerts.is_some() || subject.log.is_some());
            self.former.extend(told.map(|subject| (*key, subject)));
        }
        if self.stage == Stage::Running && changed {
            self.stage = Stage::Reloading;
        }
        let has_monitor = |alerts: &Arc<Alerts>| alerts.monitor.is_some();
        self.monitors = desired.alerts.values().any(has_monitor);
        self.reminders.keep(desired, now);
        let commands = self.hooks.take_config(desired);
        self.run_if_active(commands);
        let changed = self.take_heads();
        self.reload_further(changed);
    }

    /// Takes in that something happened.
    pub fn handle_event(&mut self, event: &Event, now: Time) {
        self.tell(event);
        match event {
            Event::Row { .. } => self.mail_row(event, now),
            Event::VirtualServer { service, change: ServiceChange::Purged } => {
                self.former.remove(service);
            }
            Event::ServerDown { service, server, .. } if self.mail_alert(service).is_some() => {
                self.reminders.down(*service, *server, false, now, &self.desired);
            }
            Event::ServerUp { service, server, .. } => self.reminders.up(*service, *server),
            Event::ServiceUp { service } | Event::ServiceDown { service, .. } => {
                let is_up = matches!(event, Event::ServiceUp { .. });
                let command = self.hooks.turn(*service, is_up, &self.desired);
                self.run_if_active(command);
            }
            Event::RoleChanged { role, .. } => self.handle_role(*role, now),
            Event::TableReady { .. } => self.start_further(),
            Event::ReloadAsked { .. } => self.hooks.reload_asked = true,
            Event::Stopping { cause, keep } => {
                self.stage = Stage::Stopping;
                self.stop_cause = Some(cause.clone());
                let commands = self.hooks.stop(*keep, &self.desired);
                self.run_if_active(commands);
                self.stop_further();
            }
            Event::Stopped { .. } => self.say_farewell(),
            _ => {}
        }
    }

    fn handle_role(&mut self, role: Role, now: Time) {
        let is_start = self.stage == Stage::Running || self.stage == Stage::Reloading;
        let commands = match role {
            // What was told is taken back as by a stop.
            Role::Standby => self.hooks.stop(false, &self.desired),
            Role::Active => self.hooks.begin_anew(&self.desired),
        };
        if role == Role::Active && is_start {
            self.stage = Stage::Starting;
            self.reminders.begin_anew(&self.desired, now);
        }
        self.run(commands);
        self.role = role;
    }

    /// Takes in that every check in force was carried out once, and the table is as it should be.
    pub fn handle_settled(&mut self) {
        if matches!(self.stage, Stage::Starting | Stage::Reloading) {
            if self.role == Role::Active {
                self.mail_the_silent();
            }
            self.stage = Stage::Running;
            self.former.clear();
        }
    }

    /// Whether [`Policy::handle_settled`] is waited for.
    pub fn is_unsettled(&self) -> bool {
        matches!(self.stage, Stage::Starting | Stage::Reloading)
    }

    /// Whether [`Policy::handle_outcome`] has anything to do.
    pub fn has_monitors(&self) -> bool {
        self.monitors
    }

    /// Takes in what a check found; `servers` are whom it speaks for: their place in their
    /// service, and whether a file holds them in maintenance. A check that could not be carried
    /// out says nothing about them, and here neither. `status` is what HTTP was answered with.
    pub fn handle_outcome(
        &mut self,
        servers: impl IntoIterator<Item = (ServiceKey, usize, bool)>,
        outcome: &Outcome,
        status: Option<u16>,
    ) {
        for (service, at, in_maintenance) in servers {
            let alerts = self.desired.alerts.get(&service);
            let Some(monitor) = alerts.and_then(|alerts| alerts.monitor.as_ref()) else { continue };
            let Some(name) = monitor.names.get(at) else { continue };
            let found = match outcome {
                // ldirectord does not ask at all; what was found brings nobody back here either.
                _ if in_maintenance => "[down] Server in maintenance".to_owned(),
                Outcome::Pass => match status {
                    Some(status) => format!("[up] {}", status_line(status)),
                    None => format!("[up] {}", success(&self.desired, &service, at)),
                },
                Outcome::Fail(reason) => format!("[down] {}", percent(reason)),
                Outcome::Local(_) => continue,
            };
            let (sink, line) = (Sink::Monitor(monitor.file.clone()), format!("{name} {found}"));
            self.due.push_back(Delivery::Line(sink, line));
        }
    }

    /// Takes in what a file says that is only read again when asked; whether that is news.
    pub fn handle_ignored(&mut self, file: &Arc<PathBuf>, digest: u64) -> bool {
        let Some(head) = self.desired.heads.get(file).cloned() else { return false };
        if self.seen.insert(file.clone(), digest) == Some(digest) {
            return false;
        }
        self.tell_of_change(file, &head, "ignore new configuration");
        true
    }

    /// Whether changes of files are to be told of only: by the word of the one file there is, and
    /// only when run as ldirectord. A folder of ours is always read.
    pub fn ignores_changes(&self) -> bool {
        let heads = &self.desired.heads;
        self.manner.persona.is_some()
            && !heads.is_empty()
            && heads.values().all(|head| !head.autoreload)
    }

    /// A point of time has come.
    pub fn handle_timeout(&mut self, now: Time) {
        if self.role == Role::Active {
            self.remind(now);
        }
    }

    pub fn poll_delivery(&mut self) -> Option<Delivery> {
        self.due.pop_front()
    }

    pub fn poll_timeout(&self) -> Option<Time> {
        self.reminders.next.filter(|_| self.role == Role::Active)
    }

    fn subject(&self, key: &ServiceKey) -> Option<Subject> {
        let current = subject(&self.desired, &self.manner, key);
        current.or_else(|| self.former.get(key).cloned())
    }

    /// The event as a line, for whoever keeps such a log.
    fn tell(&mut self, event: &Event) {
        let (Some(persona), pid) = (&self.manner.persona, self.manner.pid) else {
            let subject = event.service().and_then(|key| self.subject(key));
            if let Some(sink) = subject.and_then(|subject| subject.log) {
                let text = ldirectord::text(event, self.manner.pid);
                self.due.push_back(Delivery::Line(sink, text));
            }
            return;
        };
        match event {
            Event::Started { version, .. } => {
                let invoked = format!("Invoking ldirectord invoked as: {} ", persona.invoked);
                let how = match persona.log {
                    Some(Sink::Output) => format!("with pid: {pid}"),
                    _ => "as daemon".to_owned(),
                };
                self.say(invoked);
                self.say(format!("Starting Linux Director v{version}-directord {how}"));
            }
            // The callers of these say them better, or as the last of all lines.
            Event::FileIgnored { .. } => {}
            event => self.say(ldirectord::text(event, pid)),
        }
    }

    /// A line of the director as a whole.
    fn say(&mut self, text: String) {
        let log = self.log();
        self.due.extend(log.map(|sink| Delivery::Line(sink, text)));
    }

    /// Where the lines of the director as a whole go. Without a persona that is none of our
    /// business.
    fn log(&self) -> Option<Sink> {
        let persona = self.manner.persona.as_ref()?;
        let place = self.desired.heads.values().find_map(|head| head.log.clone());
        match (&persona.log, place) {
            (Some(Sink::Log(..)), Some(place)) => Some(Sink::Log(place, persona.instance.clone())),
            (log, _) => log.clone(),
        }
    }

    fn say_farewell(&mut self) {
        if self.manner.persona.is_none() {
            return;
        }
        // Asked by `ldirectord stop`, which is a TERM to those who read this.
        let cause = self.stop_cause.take().unwrap_or_default();
        let signal = cause.strip_prefix("SIG").unwrap_or("TERM");
        self.say(format!("Linux Director Daemon terminated on signal: {signal}"));
    }

    /// Tells of files whose text is not what it was; whether there were any.
    fn take_heads(&mut self) -> bool {
        let desired = self.desired.clone();
        let mut changed = false;
        self.seen.retain(|file, _| desired.heads.contains_key(file));
        for (file, head) in &desired.heads {
            let before = self.seen.insert(file.clone(), head.digest);
            // Somebody was told already, or it is the first we hear of it.
            if before.is_some_and(|before| before != head.digest) {
                changed = true;
                self.tell_of_change(file, head, "reread new configuration");
            }
        }
        changed
    }

    fn tell_of_change(&mut self, file: &Arc<PathBuf>, head: &Arc<Head>, what: &str) {
        self.say(format!("Configuration file '{}' has changed on disk", file.display()));
        self.say(format!(" - {what}"));
        let command = hooks::callback(file, head);
        self.run(command);
    }

    fn run(&mut self, commands: impl IntoIterator<Item = super::Command>) {
        self.due.extend(commands.into_iter().map(Delivery::Command));
    }

    /// What on standby nobody is to be told.
    fn run_if_active(&mut self, commands: impl IntoIterator<Item = super::Command>) {
        if self.role == Role::Active {
            self.run(commands);
        }
    }

    fn start_further(&mut self) {
        let (Some(persona), names) = (&self.manner.persona, executes(&self.desired)) else {
            return;
        };
        let commands = self.hooks.start_further(&names, &persona.program);
        self.run(commands);
    }

    /// `changed` is whether a file's text did.
    fn reload_further(&mut self, changed: bool) {
        let (Some(persona), names) = (&self.manner.persona, executes(&self.desired)) else {
            return;
        };
        let commands = self.hooks.reload_further(&names, changed, &persona.program);
        self.run(commands);
    }

    fn stop_further(&mut self) {
        let Some(persona) = &self.manner.persona else { return };
        let commands = self.hooks.stop_further(&persona.program);
        self.run(commands);
    }
}

fn executes(desired: &Desired) -> Vec<String> {
    desired.heads.values().flat_map(|head| head.execute.iter().cloned()).collect()
}

fn subject(desired: &Desired, manner: &Manner, key: &ServiceKey) -> Option<Subject> {
    let spec = desired.services.get(key)?.clone();
    let origin = desired.origins.get(key);
    let head = origin.and_then(|origin| Some((origin, desired.heads.get(&origin.file)?)));
    let log = head.filter(|_| manner.persona.is_none()).and_then(|(origin, head)| {
        let instance = origin.file.file_name().unwrap_or_default().to_string_lossy();
        Some(Sink::Log(head.log.clone()?, instance.into()))
    });
    Some(Subject { spec, alerts: desired.alerts.get(key).cloned(), log })
}

/// `200 OK`, as the standard names it, whatever the server did.
fn status_line(status: u16) -> String {
    let known = hyper::StatusCode::from_u16(status).ok();
    let words = known.and_then(|status| status.canonical_reason()).unwrap_or_default();
    format!("{status} {words}").trim_end().to_owned()
}

/// What a monitor file has of a check that passed, but for HTTP.
fn success(desired: &Desired, service: &ServiceKey, at: usize) -> &'static str {
    let server = desired.services.get(service).and_then(|service| service.servers.get(at));
    match server.map(|server| &server.check.probe) {
        Some(Probe::Dns(_) | Probe::Ldap(_)) => "Success",
        _ => "-",
    }
}

/// What would break a line of a monitor file, or be taken for such a code, as its code.
fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '%' | '|' => out.push_str(&format!("%{:02x}", c as u32)),
            c if c.is_control() => out.push_str(&format!("%{:02x}", c as u32)),
            c => out.push(c),
        }
    }
    out
}

impl Manner {
    /// `directord run` on this host.
    pub fn own(node: String, pid: u32) -> Manner {
        Manner { node, pid, persona: None }
    }
}

impl Persona {
    /// A log in this file, unless the configuration names another place.
    pub fn log_in(file: PathBuf, instance: &str) -> Option<Sink> {
        Some(Sink::Log(LogPlace::File(Arc::new(file)), instance.into()))
    }
}
