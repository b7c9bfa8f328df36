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

    /// Those of the services of which somebody else is told than was, or by another name.
    pub fn differing<'k>(
        &self,
        desired: &Desired,
        services: impl Iterator<Item = &'k ServiceKey>,
    ) -> Vec<&'k ServiceKey> {
        let told = |service| self.0.get(service).map(|told| &told.watch);
        services.filter(|service| told(service) != desired.watches.get(service)).collect()
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

/// More services than these are not followed one by one: for each, all names are looked at.
const MOST_FOLLOWED: usize = 100;

/// The same where no more than who is told of these services is another: their groups alone are
/// replaced. None where names would have to be told apart, or are no more to be; then nothing can
/// be said of `servers` either.
pub fn followed(
    watching: &Watching,
    servers: &mut Servers,
    desired: &Desired,
    differing: &[&ServiceKey],
) -> Option<Watching> {
    if differing.len() > MOST_FOLLOWED {
        return None;
    }
    let mut watching = watching.clone();
    for service in differing.iter().copied() {
        if let Some(told) = servers.0.remove(service) {
            let freed = [&told.tag, &told.watch.group];
            if servers.0.values().any(|other| freed.contains(&&other.tag)) {
                return None;
            }
            watching.groups.remove(&told.watch.group);
            for spec in &told.watch.specs {
                watching.services.remove(&spec.key);
            }
        }
        if let Some(watch) = desired.watches.get(service) {
            let tag = watch.group.clone();
            if watching.groups.insert(tag.clone(), watch.hosts.clone()).is_some() {
                return None;
            }
            let specs = watch.specs.iter().map(|spec| (spec.key.clone(), spec.clone()));
            watching.services.extend(specs);
            servers.0.insert(*service, Told { tag, watch: watch.clone() });
        }
    }
    Some(watching)
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::{self, Defaults, Dialect, Source};
    use crate::model::{Change, Collapse, MonFile, Protocol, WatchSpec};

    fn desired(text: &str) -> Desired {
        let path = Arc::new("a.yaml".into());
        let source = Source { path, dialect: Dialect::Yaml, text: text.into() };
        let parsed = config::parse(&source, &Defaults::default(), &crate::daemon::names(None));
        assert!(!parsed.has_errors(), "{:?}", parsed.diagnostics);
        let watches = parsed
            .services
            .iter()
            .filter_map(|declared| Some((declared.service.key, declared.watch.clone()?)));
        let services = parsed.services.iter().map(|told| (told.service.key, told.service.clone()));
        Desired { services: services.collect(), watches: watches.collect(), ..Desired::default() }
    }

    fn dns(protocol: Protocol) -> ServiceKey {
        ServiceKey::Address { protocol, address: [10, 0, 0, 3].into(), port: 53 }
    }

    /// What three services may be: called alike, told of or not, with one server or two; and
    /// sometimes a group that is called like one of them.
    pub fn some_of_three(n: usize) -> Desired {
        let mut text = String::new();
        for (at, n) in [n % 6, n / 6 % 6, n / 36].into_iter().enumerate() {
            let name = ["a", "b"][n % 2];
            let told = ["[]", "[{alert: x}]", "[{alert: x}]"][n / 2];
            let real = ["127.0.0.1", "127.0.0.1", "127.0.0.1, 127.0.0.2"][n / 2];
            text.push_str(&format!(
                "- {{virtual: 10.0.0.{at}:80, name: {name}, real: [{real}], alerts: {told}}}\n"
            ));
        }
        let mut desired = desired(&text);
        let spec = |name: &str| WatchSpec::bare(WatchKey::new("b", name));
        if n.is_multiple_of(5) {
            let mut watching = Watching::default();
            watching.groups.insert("b".into(), [].into());
            watching.services.insert(spec("x").key, Arc::new(spec("x")));
            desired.watched.insert(Arc::new("b.yaml".into()), Arc::new(watching));
        }
        desired
    }

    #[test]
    fn what_is_followed_is_what_is_found_anew() {
        let all: Vec<Desired> = (0..216).step_by(4).map(some_of_three).collect();
        let (mut ways, mut told_apart) = (0, 0);
        for before in &all {
            for after in &all {
                let Everything { watching, mut servers, untold } = everything(before);
                let change = Change::between(before, after);
                let differing = servers.differing(after, change.services());
                if change.watching || !untold.is_empty() {
                    continue;
                }
                let anew = everything(after);
                match followed(&watching, &mut servers, after, &differing) {
                    Some(watching) => {
                        assert_eq!(watching, anew.watching);
                        let groups = |servers: &Servers| {
                            let told =
                                servers.0.iter().map(|(key, told)| (*key, told.watch.clone()));
                            told.collect::<Vec<_>>()
                        };
                        assert_eq!(groups(&servers), groups(&anew.servers));
                        ways += 1;
                    }
                    None => told_apart += 1,
                }
            }
        }
        assert!(ways > 100 && told_apart > 100, "{ways} {told_apart}");
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
