//! What clients may see: `list`, `get` and the time.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::escape::escape;
use super::reply::Reply;
use super::scene::{Downtime, Parts, Scene, Wanted};
use super::status;
use crate::model::{AlertNote, FailureNote, WatchKey, WatchView};

/// Something to look at, for a client that may have chosen a view.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Look {
    pub listing: Listing,
    pub view: Option<Arc<str>>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Listing {
    Time,
    State,
    Watch,
    Group(String),
    /// `GROUP` or `GROUP,SERVICE` each; of none all that the view shows.
    Status(Vec<String>),
    Failures,
    Successes,
    Descriptions,
    Dependencies,
    Disabled,
    Processes,
    AlertHistory,
    FailureHistory,
    Downtime,
    Views,
    /// How many entries the histories keep.
    History,
    /// One value of a service.
    Value(WatchKey, String),
}

impl Look {
    pub(super) fn time() -> Look {
        Look { listing: Listing::Time, view: None }
    }

    /// What the scene must have.
    pub fn parts(&self) -> Parts {
        let none = Parts::default();
        let services = |wanted| Parts { services: wanted, ..Parts::default() };
        match &self.listing {
            Listing::Time | Listing::State | Listing::Group(_) => none,
            Listing::Views | Listing::History => none,
            Listing::Status(wanted) if !wanted.is_empty() => {
                let named = wanted.iter().map(|word| named(word));
                let own = |(group, service): (&str, Option<&str>)| {
                    (group.to_owned(), service.map(str::to_owned))
                };
                services(Wanted::Some(named.map(own).collect()))
            }
            Listing::Value(WatchKey { group, service }, _) => {
                services(Wanted::Some(vec![(group.to_string(), Some(service.to_string()))]))
            }
            Listing::Watch
            | Listing::Status(_)
            | Listing::Failures
            | Listing::Successes
            | Listing::Descriptions
            | Listing::Dependencies
            | Listing::Disabled => services(Wanted::All),
            Listing::Processes => Parts { running: true, ..none },
            Listing::AlertHistory => Parts { alerts: true, ..none },
            Listing::FailureHistory => Parts { failures: true, ..none },
            Listing::Downtime => Parts { downtime: true, ..none },
        }
    }

    /// The reply. Of 10,000 services it is megabytes and takes milliseconds.
    pub fn reply(&self, scene: &Scene, process: u32) -> Reply {
        match &self.listing {
            Listing::Time => time(scene),
            Listing::State => state(scene),
            Listing::Watch => self.lines(scene, "watch", |view| Some(name(view))),
            Listing::Group(group) => self::group(scene, group),
            Listing::Status(wanted) if wanted.is_empty() => {
                self.lines(scene, "opstatus", |view| Some(status::line(view, scene.now)))
            }
            Listing::Status(wanted) => chosen(scene, wanted),
            Listing::Failures => self.lines(scene, "failures", |view| {
                (!view.opstatus.is_success()).then(|| status::line(view, scene.now))
            }),
            Listing::Successes => self.lines(scene, "successes", |view| {
                view.opstatus.is_success().then(|| status::line(view, scene.now))
            }),
            Listing::Descriptions => self.lines(scene, "descriptions", |view| {
                let text = view.spec.description.as_deref().unwrap_or_default();
                Some(format!("{} {}", name(view), escape(text)))
            }),
            Listing::Dependencies => self.dependencies(scene),
            Listing::Disabled => self.disabled(scene),
            Listing::Processes => processes(scene, process),
            Listing::AlertHistory => {
                all("220 list alerthist completed", scene.alerts.iter().map(alert_note))
            }
            Listing::FailureHistory => {
                all("220 list failurehist completed", scene.failures.iter().map(failure_note))
            }
            Listing::Downtime => downtime(&scene.downtime),
            Listing::Views => views(scene),
            // Both `set` and `get` end so.
            Listing::History => all("220 set completed", [format!("maxkeep = {}", scene.history)]),
            Listing::Value(key, name) => value(scene, key, name),
        }
    }

    /// A line for each service that is seen and has one.
    fn lines(
        &self,
        scene: &Scene,
        what: &str,
        line: impl FnMut(&WatchView) -> Option<String>,
    ) -> Reply {
        let lines = scene.seen(self.view.as_deref()).filter_map(line);
        all(&format!("220 list {what} completed"), lines)
    }

    fn dependencies(&self, scene: &Scene) -> Reply {
        let mut reply = Reply::default();
        for view in scene.seen(self.view.as_deref()) {
            let [depend, ..] = status::depends(view);
            let (written, parts) = match depend.is_empty() {
                true => ("NONE".to_owned(), "NONE".to_owned()),
                false => (escape(&depend), services_in(&depend)),
            };
            reply.data(&format!("exp {} '{written}'", name(view)));
            reply.data(&format!("cmp {} {parts}", name(view)));
        }
        reply.done("220 list deps completed")
    }

    fn disabled(&self, scene: &Scene) -> Reply {
        let mut reply = Reply::default();
        let view = self.view.as_deref();
        let is_out = |host: &&String| scene.disabled_hosts.contains(*host);
        for (group, hosts) in &scene.watching.groups {
            let out: Vec<_> = hosts.iter().filter(is_out).map(String::as_str).collect();
            if !out.is_empty() && scene.sees_group(view, group) {
                reply.data(&format!("group {group}: {}", out.join(" ")));
            }
        }
        for group in &scene.disabled_watches {
            if scene.sees_group(view, group) {
                reply.data(&format!("watch {group}"));
            }
        }
        for service in scene.seen(view).filter(|service| service.disabled.is_some()) {
            let key = &service.spec.key;
            reply.data(&format!("watch {} service {}", key.group, key.service));
        }
        reply.done("220 list disabled completed")
    }
}

fn all(last: &str, lines: impl IntoIterator<Item = String>) -> Reply {
    let mut reply = Reply::default();
    for line in lines {
        reply.data(&line);
    }
    reply.done(last)
}

fn name(view: &WatchView) -> String {
    format!("{} {}", view.spec.key.group, view.spec.key.service)
}

fn time(scene: &Scene) -> Reply {
    let line = format!("{} {}", scene.now.seconds(), scene.local);
    all("220 servertime completed", [line])
}

fn state(scene: &Scene) -> Reply {
    let line = match scene.stopped_since {
        Some(since) => format!("scheduler stopped since {}", since.seconds()),
        None => "scheduler running".to_owned(),
    };
    all("220 list state completed", [line])
}

fn group(scene: &Scene, name: &str) -> Reply {
    let Some(hosts) = scene.watching.groups.get(name) else {
        return Reply::of("520 list group error, undefined group");
    };
    let mut line = format!("hostgroup {name}");
    for host in hosts.iter() {
        line.push_str(if scene.disabled_hosts.contains(host) { " *" } else { " " });
        line.push_str(host);
    }
    all("220 list group completed", [line])
}

/// Services by name, whatever the view: all of them, or what is not there. A group that is not
/// there has none. Each is shown once: a short request must not have an endless reply.
fn chosen(scene: &Scene, wanted: &[String]) -> Reply {
    let mut reply = Reply::default();
    let mut shown = BTreeSet::new();
    for word in wanted {
        let (group, service) = named(word);
        let Some(service) = service else {
            for view in scene.group(group) {
                if shown.insert(&view.spec.key) {
                    reply.data(&status::line(view, scene.now));
                }
            }
            continue;
        };
        let Some(view) = scene.service(&WatchKey::new(group, service)) else {
            return Reply::of(&format!("520 {group},{service} does not exist"));
        };
        if shown.insert(&view.spec.key) {
            reply.data(&status::line(view, scene.now));
        }
    }
    reply.done("220 list opstatus completed")
}

/// `GROUP` or `GROUP,SERVICE`.
fn named(word: &str) -> (&str, Option<&str>) {
    match word.split_once(',') {
        Some((group, "")) => (group, None),
        Some((group, service)) => (group, Some(service)),
        None => (word, None),
    }
}

fn processes(scene: &Scene, process: u32) -> Reply {
    let server = format!("server {process}");
    let running = scene.running.iter();
    let running = running.map(|(key, pid)| format!("{} {} {pid}", key.group, key.service));
    all("220 list pids completed", std::iter::once(server).chain(running))
}

fn alert_note(note: &AlertNote) -> String {
    escape(&note.line())
}

fn failure_note(note: &FailureNote) -> String {
    let FailureNote { key, at, summary } = note;
    escape(&format!("{} {} {} {summary}", key.group, key.service, at.seconds()))
}

fn downtime(log: &Downtime) -> Reply {
    match log {
        Downtime::Off => Reply::of("520 list dtlog error, dtlogging is not turned on"),
        Downtime::Closed => Reply::of("520 list dtlog error, cannot open dtlog"),
        Downtime::Lines(lines) => {
            let told = |line: &&String| !line.starts_with('#') && !line.trim().is_empty();
            all("220 list dtlog completed", lines.iter().filter(told).cloned())
        }
    }
}

fn views(scene: &Scene) -> Reply {
    let names: Vec<&str> = scene.watching.views.keys().map(|name| &**name).collect();
    all("220 list group completed", [format!("views {}", names.join(" "))])
}

fn value(scene: &Scene, key: &WatchKey, name: &str) -> Reply {
    let WatchKey { group, service } = key;
    let Some(view) = scene.service(key) else {
        return Reply::of(&format!("520 {group},{service} not defined"));
    };
    let value = escape(&status::value(view, scene.now, name));
    all("220 get completed", [format!("{group} {service} {name}='{value}'")])
}

pub(super) fn view_selected(name: Option<&str>) -> String {
    match name {
        Some(name) => format!("selecting view {name}"),
        None => "no view selected -- all groups will be displayed".to_owned(),
    }
}

/// `GROUP:SERVICE` after `GROUP:SERVICE`, as far as a dependency names any.
fn services_in(written: &str) -> String {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let words = written.split(|c: char| !is_name(c) && c != ':');
    let names = words.filter(|word| {
        let parts = word.split_once(':');
        parts.is_some_and(|(group, service)| !group.is_empty() && !service.is_empty())
    });
    let names: Vec<&str> = names.collect();
    match names.is_empty() {
        true => "NONE".to_owned(),
        false => names.join(" "),
    }
}
