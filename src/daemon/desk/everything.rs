//! All that is watched, as one: what files of mon's ask for, and the real servers of services
//! whose owners are told in mon's way.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{
    Desired, Finding, Outcome, ServiceKey, ServiceWatch, WatchKey, WatchSettings, Watching,
};

/// Whose results come from the checks of real servers.
#[derive(Default)]
pub struct Servers(BTreeMap<ServiceKey, Told>);

/// A service of which somebody is told.
struct Told {
    /// What its name makes of it as a group, which others may be called as well.
    tag: Arc<str>,
    watch: Arc<ServiceWatch>,
}

impl Servers {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the services of this name, address or mark (`10.0.0.3:80/tcp`) are called as groups.
    pub fn groups<'a>(&'a self, service: &'a str) -> impl Iterator<Item = Arc<str>> + 'a {
        let tag = ServiceWatch::group_of(service);
        let is_meant = move |(key, told): &(&ServiceKey, &Told)| {
            *told.tag == tag || key.to_string() == service
        };
        self.0.iter().filter(is_meant).map(|(_, told)| told.watch.group.clone())
    }

    /// The name of a service's real server as what is watched, by its place, and what a check of
    /// it that came out like this found. None for what nobody is told of: trouble of our own says
    /// nothing about the server.
    pub fn finding(
        &self,
        service: &ServiceKey,
        server: usize,
        outcome: &Outcome,
    ) -> Option<(&WatchKey, Finding)> {
        let spec = self.0.get(service)?.watch.specs.get(server)?;
        let finding = match outcome {
            Outcome::Pass => Finding { exit: 0, output: String::new() },
            Outcome::Fail(reason) => {
                let host = spec.hosts.as_ref().and_then(|hosts| hosts.first());
                let host = host.map_or("", String::as_str);
                Finding { exit: 1, output: format!("{host}\n{reason}\n") }
            }
            Outcome::Local(_) => return None,
        };
        Some((&spec.key, finding))
    }
}

/// All of it.
pub struct Everything {
    pub watching: Watching,
    pub servers: Servers,
    /// Services nobody is told of although their owner wishes it: their names are taken.
    pub untold: Vec<Arc<str>>,
}

/// Of what two files say the first counts; a service whose name is a group already is told apart
/// from it.
pub fn everything(desired: &Desired) -> Everything {
    let global = &desired.settings;
    let mut all = Watching {
        settings: global.watching.clone(),
        views: global.views.clone(),
        ..Watching::default()
    };
    if let Some(first) = desired.mon.values().next() {
        // mon knows nothing of storms: most files of its say nothing about them.
        let collapse = first.watching.settings.collapse.or(all.settings.collapse);
        all.settings = WatchSettings { collapse, ..first.watching.settings.clone() };
        all.views.extend(first.watching.views.clone());
    }
    let files = desired.mon.values().map(|file| &file.watching);
    for file in files.chain(desired.watched.values().map(|watched| &**watched)) {
        for (name, hosts) in &file.groups {
            all.groups.entry(name.clone()).or_insert_with(|| hosts.clone());
        }
        for (key, spec) in &file.services {
            all.services.entry(key.clone()).or_insert_with(|| spec.clone());
        }
    }
    let (mut servers, mut untold) = (BTreeMap::new(), Vec::new());
    for (service, watch) in &desired.watches {
        let tag = watch.group.clone();
        let watch = match all.groups.contains_key(&watch.group) {
            true => Arc::new(watch.told_apart(*service)),
            false => watch.clone(),
        };
        // Only a file of mon's can have that name as well.
        if all.groups.contains_key(&watch.group) {
            untold.push(watch.group.clone());
            continue;
        }
        all.groups.insert(watch.group.clone(), watch.hosts.clone());
        all.services.extend(watch.specs.iter().map(|spec| (spec.key.clone(), spec.clone())));
        servers.insert(*service, Told { tag, watch });
    }
    Everything { watching: all, servers: Servers(servers), untold }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::{self, Defaults, Dialect, Source};
    use crate::model::{Collapse, MonFile, Protocol};

    fn desired(text: &str) -> Desired {
        let path = Arc::new("a.yaml".into());
        let source = Source { path, dialect: Dialect::Yaml, text: text.into() };
        let parsed = config::parse(&source, &Defaults::default(), &crate::daemon::names(None));
        assert!(!parsed.has_errors(), "{:?}", parsed.diagnostics);
        let watches = parsed
            .services
            .iter()
            .filter_map(|declared| Some((declared.service.key, declared.watch.clone()?)));
        Desired { watches: watches.collect(), ..Desired::default() }
    }

    fn dns(protocol: Protocol) -> ServiceKey {
        ServiceKey::Address { protocol, address: [10, 0, 0, 3].into(), port: 53 }
    }

    const TWO_OF_ONE_NAME: &str = "\
- {virtual: 10.0.0.3:53, name: dns, real: [192.168.0.1:53], alerts: [{alert: a}]}
- {virtual: 10.0.0.3:53, name: dns, protocol: udp, real: [192.168.0.1:53], alerts: [{alert: a}]}
- {fwmark: 7, real: [192.168.0.1:53]}
";

    #[test]
    fn services_of_one_name_are_told_apart() {
        let Everything { watching, servers, untold } = everything(&desired(TWO_OF_ONE_NAME));
        assert!(untold.is_empty(), "{untold:?}");
        let keys: Vec<_> = watching.services.keys().map(ToString::to_string).collect();
        assert_eq!(keys, ["dns/192.168.0.1:53", "dns-10.0.0.3:53-udp/192.168.0.1:53"]);
        assert!(watching.services.iter().all(|(key, spec)| spec.key == *key));
        let of = |protocol| servers.finding(&dns(protocol), 0, &Outcome::Pass).unwrap().0;
        assert_eq!(
            (&*of(Protocol::Tcp).group, &*of(Protocol::Udp).group),
            ("dns", "dns-10.0.0.3:53-udp")
        );
    }

    #[test]
    fn a_service_whose_every_name_is_taken_is_no_silent_loss() {
        let mut desired = desired(TWO_OF_ONE_NAME);
        let mut mon = MonFile::default();
        for group in ["dns", "dns-10.0.0.3:53-udp"] {
            mon.watching.groups.insert(group.into(), [].into());
        }
        desired.mon.insert(Arc::new("mon.cf".into()), Arc::new(mon));
        let untold = everything(&desired).untold;
        assert_eq!(untold.iter().map(|name| &**name).collect::<Vec<_>>(), ["dns-10.0.0.3:53-udp"]);
    }

    #[test]
    fn a_storm_is_gathered_where_the_settings_say_so() {
        let mut desired = desired(TWO_OF_ONE_NAME);
        let collapse = Some(Collapse { within: Duration::from_secs(30), more_than: 5 });
        desired.settings.watching.collapse = collapse;
        assert_eq!(everything(&desired).watching.settings.collapse, collapse);
        let mon = MonFile::default();
        desired.mon.insert(Arc::new("mon.cf".into()), Arc::new(mon));
        assert_eq!(
            everything(&desired).watching.settings.collapse,
            collapse,
            "mon knows no storms"
        );
    }

    #[test]
    fn a_check_finds_what_a_monitor_would() {
        let servers = everything(&desired(TWO_OF_ONE_NAME)).servers;
        let found =
            |outcome| servers.finding(&dns(Protocol::Tcp), 0, &outcome).map(|(_, found)| found);
        let failed = Finding { exit: 1, output: "192.168.0.1\nrefused\n".to_owned() };
        assert_eq!(found(Outcome::Fail("refused".into())), Some(failed));
        assert_eq!(found(Outcome::Pass).map(|found| found.exit), Some(0));
        assert_eq!(found(Outcome::Local("no descriptors".into())), None);
        assert!(servers.finding(&dns(Protocol::Sctp), 0, &Outcome::Pass).is_none());
        assert!(servers.finding(&dns(Protocol::Tcp), 1, &Outcome::Pass).is_none());
    }
}
