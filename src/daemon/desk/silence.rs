//! The operator's word on who is told: of what nobody is, why and for how long.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use super::{Desk, Servers, on_the_wall};
use crate::daemon::Input;
use crate::event::Event;
use crate::model::{
    AlertsCommand, AlertsOf, AlertsReport, DisabledKind, DisabledStatus, Disabling, ServiceWatch,
    Time, WatchKey, WatchOrder, WatchRefusal, Watching,
};

impl Desk {
    /// Answered once what was asked for outlives us, or with why it is refused.
    pub fn silence(
        &mut self,
        command: AlertsCommand,
        reply: oneshot::Sender<Result<AlertsReport, String>>,
        now: Time,
    ) {
        let (AlertsCommand::Disable { of, .. } | AlertsCommand::Enable { of }) = &command;
        let found = command.check().and_then(|()| found(&self.watching, &self.servers, of));
        let mut what = match found {
            Ok(what) => what,
            Err(why) => return drop(reply.send(Err(why))),
        };
        let disables = matches!(command, AlertsCommand::Disable { .. });
        if !disables {
            let known = self.watcher.disabled();
            let names: Vec<_> = what.iter().map(Disabling::to_string).collect();
            what.retain(|what| known.iter().any(|(other, _)| other == what));
            if what.is_empty() {
                return drop(reply.send(Err(format!("{} is not disabled", names.join(", ")))));
            }
        }
        let replaced = if disables { self.disabled_of(&what, now) } else { Vec::new() };
        let events = what.iter().map(|what| event(&command, what.to_string())).collect();
        let report =
            AlertsReport { affected: what.iter().map(Disabling::to_string).collect(), replaced };
        let order = match command {
            AlertsCommand::Disable { user, reason, seconds, .. } => {
                let lasts = seconds.map(Duration::from_secs);
                WatchOrder::Disable { what, user, reason, lasts, replaces: true }
            }
            AlertsCommand::Enable { .. } => WatchOrder::Enable { what },
        };
        let (noted, is_noted) = oneshot::channel();
        self.order(order, noted, now);
        tokio::spawn(answer(report, events, is_noted, reply, self.inputs.clone()));
        self.waiting.look_around(|key| self.watcher.view(key, now));
        self.carry_out();
    }

    /// What of these is disabled, as it is shown.
    fn disabled_of(&self, what: &[Disabling], now: Time) -> Vec<DisabledStatus> {
        let meant: Vec<_> = what.iter().map(|w| (DisabledKind::of(w), w.name())).collect();
        let wall = SystemTime::now();
        let mut disabled = self.watcher.disabled_statuses(|at| on_the_wall(at, wall, now));
        disabled.retain(|d| meant.iter().any(|(kind, name)| *kind == d.kind && *name == d.name));
        disabled
    }
}

fn event(command: &AlertsCommand, what: String) -> Event {
    match command {
        AlertsCommand::Disable { user, reason, seconds, .. } => Event::AlertsDisabled {
            what,
            user: user.clone(),
            reason: reason.clone(),
            seconds: *seconds,
        },
        AlertsCommand::Enable { .. } => Event::AlertsEnabled { what },
    }
}

/// Nothing is answered where nobody says how it went: we are on our way out.
async fn answer(
    report: AlertsReport,
    events: Vec<Event>,
    is_noted: oneshot::Receiver<Result<(), WatchRefusal>>,
    reply: oneshot::Sender<Result<AlertsReport, String>>,
    inputs: UnboundedSender<Input>,
) {
    let Ok(done) = is_noted.await else { return };
    if done.is_ok() {
        events.into_iter().for_each(|event| drop(inputs.send(Input::Told(event))));
    }
    let _ = reply.send(done.map(|()| report).map_err(|why| why.to_string()));
}

/// What is meant, all of one name, or why nothing can be.
fn found(watching: &Watching, servers: &Servers, of: &AlertsOf) -> Result<Vec<Disabling>, String> {
    let (name, server) = match of {
        AlertsOf::Host(host) => {
            let known = watching.groups.values().any(|hosts| hosts.contains(host));
            let what = known.then(|| vec![Disabling::Host(host.clone())]);
            return what.ok_or_else(|| format!("no group has a host {host:?}"));
        }
        AlertsOf::Service { name, server } => (name, server),
    };
    let named = |group: &str| {
        let first = watching.services.range(WatchKey::new(group, "")..).next();
        first.map(|(key, _)| key.group.clone()).filter(|other| **other == *group)
    };
    let tag = ServiceWatch::group_of(name);
    let groups: BTreeSet<Arc<str>> =
        named(name).into_iter().chain(named(&tag)).chain(servers.groups(name)).collect();
    if !groups.is_empty() {
        let Some(server) = server else {
            return Ok(groups.into_iter().map(Disabling::Watch).collect());
        };
        let keys = groups.iter().map(|group| WatchKey::new(group, server));
        let known = keys.filter(|key| watching.services.contains_key(key));
        let what: Vec<_> = known.map(Disabling::Service).collect();
        let names = || groups.iter().map(|group| &**group).collect::<Vec<_>>().join(", ");
        return match what.is_empty() {
            true => Err(format!("{} has no {server:?}", names())),
            false => Ok(what),
        };
    }
    let mut parts = name.match_indices('/').map(|(at, _)| name.split_at(at));
    let key = |(group, rest): (&str, &str)| WatchKey::new(group, &rest[1..]);
    let known = parts.find(|parts| watching.services.contains_key(&key(*parts)));
    let what = known.filter(|_| server.is_none()).map(|parts| Disabling::Service(key(parts)));
    what.map(|what| vec![what])
        .ok_or_else(|| format!("no watch and no service with alerts is called {name:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Defaults, Dialect, Source};
    use crate::daemon::desk::everything::{Everything, everything};
    use crate::model::{Desired, MonFile, WatchSpec};

    const FILE: &str = "\
- {virtual: 10.0.0.3:53, name: front page, real: [192.168.0.1:53], alerts: [{alert: a}]}
- {virtual: 10.0.0.3:53, protocol: udp, real: [192.168.0.1:53], alerts: [{alert: a}]}
- {virtual: 10.0.0.4:53, real: [192.168.0.1:53]}
";

    fn of(name: &str, server: Option<&str>) -> Result<String, String> {
        of_file(FILE, None, name, server)
    }

    /// With a file of mon's that watches this group.
    fn of_file(
        text: &str,
        mon: Option<&str>,
        name: &str,
        server: Option<&str>,
    ) -> Result<String, String> {
        let path = Arc::new("a.yaml".into());
        let source = Source { path, dialect: Dialect::Yaml, text: text.into() };
        let parsed = config::parse(&source, &Defaults::default(), &crate::daemon::names(None));
        let watches = parsed
            .services
            .iter()
            .filter_map(|declared| Some((declared.service.key, declared.watch.clone()?)));
        let mut desired = Desired { watches: watches.collect(), ..Desired::default() };
        if let Some(group) = mon {
            let mut file = MonFile::default();
            file.watching.groups.insert(group.into(), ["10.0.0.9".to_owned()].into());
            let key = WatchKey::new(group, "ping");
            file.watching.services.insert(key.clone(), Arc::new(WatchSpec::bare(key)));
            desired.mon.insert(Arc::new("mon.cf".into()), Arc::new(file));
        }
        let Everything { watching, servers, .. } = everything(&desired);
        let of = match name.strip_prefix("host ") {
            Some(host) => AlertsOf::Host(host.to_owned()),
            None => AlertsOf::Service { name: name.to_owned(), server: server.map(str::to_owned) },
        };
        let names = |what: Vec<Disabling>| {
            what.iter().map(Disabling::to_string).collect::<Vec<_>>().join(", ")
        };
        found(&watching, &servers, &of).map(names)
    }

    #[test]
    fn a_service_is_found_by_its_name_by_its_address_and_by_what_status_calls_it() {
        let ok = |text: &str| Ok(text.to_owned());
        assert_eq!(of("front page", None), ok("watch front_page"));
        assert_eq!(of("front_page", None), ok("watch front_page"));
        assert_eq!(of("10.0.0.3:53/tcp", None), ok("watch front_page"));
        assert_eq!(of("10.0.0.3:53/udp", None), ok("watch 10.0.0.3:53-udp"));
        let one = ok("service front_page/192.168.0.1:53");
        assert_eq!(of("10.0.0.3:53/tcp", Some("192.168.0.1:53")), one);
        assert_eq!(of("front_page/192.168.0.1:53", None), one);
        assert_eq!(of("host 192.168.0.1", None), ok("host 192.168.0.1"));
    }

    #[test]
    fn what_nobody_is_told_of_cannot_be_disabled() {
        let why = |name| of(name, None).unwrap_err();
        let none = "no watch and no service with alerts is called \"10.0.0.4:53/tcp\"";
        assert_eq!(why("10.0.0.4:53/tcp"), none);
        assert_eq!(why("host 192.168.0.9"), "no group has a host \"192.168.0.9\"");
        let server = of("front_page", Some("192.168.0.2:53")).unwrap_err();
        assert_eq!(server, "front_page has no \"192.168.0.2:53\"");
        assert!(of("front_page/192.168.0.1:53", Some("x")).is_err(), "named twice");
    }

    /// Only the first of a name was.
    #[test]
    fn all_of_one_name_are_meant() {
        let dns =
            FILE.replace("10.0.0.3:53, protocol: udp", "10.0.0.3:53, name: dns, protocol: udp");
        let dns = dns.replace("name: front page", "name: dns");
        let of = |mon, name, server| of_file(&dns, mon, name, server).unwrap();
        assert_eq!(of(None, "dns", None), "watch dns, watch dns-10.0.0.3:53-udp");
        let both = "service dns/192.168.0.1:53, service dns-10.0.0.3:53-udp/192.168.0.1:53";
        assert_eq!(of(None, "dns", Some("192.168.0.1:53")), both);
        assert_eq!(of(None, "10.0.0.3:53/udp", None), "watch dns-10.0.0.3:53-udp");
        let all = "watch dns, watch dns-10.0.0.3:53, watch dns-10.0.0.3:53-udp";
        assert_eq!(of(Some("dns"), "dns", None), all);
        assert_eq!(of(Some("dns"), "dns/ping", None), "service dns/ping");
    }
}
