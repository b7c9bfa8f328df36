//! The operator's word on who is told: of what nobody is, why and for how long.

use std::time::Duration;

use tokio::sync::oneshot;

use super::{Desk, Servers};
use crate::daemon::scribe::CommandAnswer;
use crate::model::{
    AlertsCommand, AlertsOf, CommandReport, Disabling, ServiceWatch, Time, WatchKey, WatchOrder,
    WatchRefusal, Watching,
};

impl Desk {
    /// Answered once what was asked for outlives us, or with why it is refused.
    pub fn silence(
        &mut self,
        command: AlertsCommand,
        reply: oneshot::Sender<CommandAnswer>,
        now: Time,
    ) {
        let (AlertsCommand::Disable { of, .. } | AlertsCommand::Enable { of }) = &command;
        let what = match found(&self.watching, &self.servers, of) {
            Ok(what) => what,
            Err(why) => return drop(reply.send(Err(why))),
        };
        let is_disabled = self.watcher.disabled().iter().any(|(other, _)| *other == what);
        let name = what.to_string();
        let order = match command {
            AlertsCommand::Disable { .. } if is_disabled && matches!(what, Disabling::Host(_)) => {
                return drop(reply.send(Err(format!("{name} is disabled already"))));
            }
            AlertsCommand::Disable { user, reason, seconds, .. } => {
                tracing::info!(target: crate::daemon::telling::TARGET,
                    "{name} is disabled by {user:?}: {reason:?}");
                let lasts = seconds.map(Duration::from_secs);
                WatchOrder::Disable { what: vec![what], user, reason, lasts, replaces: false }
            }
            AlertsCommand::Enable { .. } if !is_disabled => {
                return drop(reply.send(Err(format!("{name} is not disabled"))));
            }
            AlertsCommand::Enable { .. } => WatchOrder::Enable { what: vec![what] },
        };
        let (noted, is_noted) = oneshot::channel();
        self.order(order, noted, now);
        tokio::spawn(answer(name, is_noted, reply));
        self.waiting.look_around(|key| self.watcher.view(key, now));
        self.carry_out();
    }
}

/// Nothing is answered where nobody says how it went: we are on our way out.
async fn answer(
    name: String,
    is_noted: oneshot::Receiver<Result<(), WatchRefusal>>,
    reply: oneshot::Sender<CommandAnswer>,
) {
    let Ok(done) = is_noted.await else { return };
    let report = || CommandReport { affected: [name].iter().collect() };
    let _ = reply.send(done.map(|()| report()).map_err(|why| why.to_string()));
}

/// What is meant, or why nothing can be.
fn found(watching: &Watching, servers: &Servers, of: &AlertsOf) -> Result<Disabling, String> {
    let (name, server) = match of {
        AlertsOf::Host(host) => {
            let known = watching.groups.values().any(|hosts| hosts.contains(host));
            let what = known.then(|| Disabling::Host(host.clone()));
            return what.ok_or_else(|| format!("no group has a host {host:?}"));
        }
        AlertsOf::Service { name, server } => (name, server),
    };
    let named = |group: &str| {
        let first = watching.services.range(WatchKey::new(group, "")..).next();
        first.map(|(key, _)| key.group.clone()).filter(|other| **other == *group)
    };
    let group = named(name)
        .or_else(|| named(&ServiceWatch::group_of(name)))
        .or_else(|| servers.group(name));
    match (group, server) {
        (Some(group), None) => Ok(Disabling::Watch(group)),
        (Some(group), Some(server)) => {
            let key = WatchKey::new(&group, server);
            match watching.services.contains_key(&key) {
                true => Ok(Disabling::Service(key)),
                false => Err(format!("{group} has no {server:?}")),
            }
        }
        (None, _) => {
            let mut parts = name.match_indices('/').map(|(at, _)| name.split_at(at));
            let key = |(group, rest): (&str, &str)| WatchKey::new(group, &rest[1..]);
            let known = parts.find(|parts| watching.services.contains_key(&key(*parts)));
            let what =
                known.filter(|_| server.is_none()).map(|parts| Disabling::Service(key(parts)));
            what.ok_or_else(|| format!("no watch and no service with alerts is called {name:?}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::{self, Defaults, Dialect, Source};
    use crate::daemon::desk::everything::{Everything, everything};
    use crate::model::Desired;

    const FILE: &str = "\
- {virtual: 10.0.0.3:53, name: front page, real: [192.168.0.1:53], alerts: [{alert: a}]}
- {virtual: 10.0.0.3:53, protocol: udp, real: [192.168.0.1:53], alerts: [{alert: a}]}
- {virtual: 10.0.0.4:53, real: [192.168.0.1:53]}
";

    fn of(name: &str, server: Option<&str>) -> Result<String, String> {
        let path = Arc::new("a.yaml".into());
        let source = Source { path, dialect: Dialect::Yaml, text: FILE.into() };
        let parsed = config::parse(&source, &Defaults::default(), &crate::daemon::names(None));
        let watches = parsed
            .services
            .iter()
            .filter_map(|declared| Some((declared.service.key, declared.watch.clone()?)));
        let desired = Desired { watches: watches.collect(), ..Desired::default() };
        let Everything { watching, servers, .. } = everything(&desired);
        let of = match name.strip_prefix("host ") {
            Some(host) => AlertsOf::Host(host.to_owned()),
            None => AlertsOf::Service { name: name.to_owned(), server: server.map(str::to_owned) },
        };
        found(&watching, &servers, &of).map(|what| what.to_string())
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
}
