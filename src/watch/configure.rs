//! A new configuration: what it has in common with the one in force goes on.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use super::depend;
use super::job::Telling;
use super::occasion::Occasion;
use super::service::{Before, Facts, Hold, Service};
use super::timers::Tick;
use super::{Keep, WatchAction, Watcher, storm};
use crate::model::{Disabling, OpStatus, Time, WatchKey, WatchSpec, Watching};

impl Watcher {
    /// Watches this from now on.
    pub fn handle_config(&mut self, watching: Arc<Watching>, keep: Keep, now: Time) {
        let goes_on = self.configured
            && keep == Keep::State
            && self.watching.settings == watching.settings
            && !watching.settings.startup_alerts_on_reset
            && self.unplaced.is_none();
        match goes_on {
            true => self.follow(watching, now),
            false => self.begin(watching, keep, now),
        }
    }

    /// Takes up what differs, and takes no notice of what does not.
    fn follow(&mut self, watching: Arc<Watching>, now: Time) {
        let before = mem::replace(&mut self.watching, watching.clone());
        let differing = before.differing(&watching);
        self.waiting.retain(|key| !differing.contains(key));
        self.held.retain(|key| !differing.contains(key));
        let holds_back = |spec: &Arc<WatchSpec>| spec.depends.monitors.is_some();
        let specs = |key| before.services.get(key).into_iter().chain(watching.services.get(key));
        let depends = differing.iter().flat_map(specs).any(holds_back);
        for key in &differing {
            let same_hosts = before.groups.get(&key.group) == watching.groups.get(&key.group);
            let service = match (self.services.remove(key), watching.services.get(key)) {
                (Some(old), Some(spec)) => self.merged(old, spec, same_hosts, now),
                (None, Some(spec)) => self.fresh(spec, now),
                (Some(old), None) => {
                    self.drop_service(key, old);
                    continue;
                }
                (None, None) => continue,
            };
            self.services.insert(key.clone(), service);
        }
        if depends {
            self.dependents = dependents(&self.services);
        }
        self.forget_disablements();
        for key in &differing {
            self.wake_dependents(key, now);
            self.settle(key, now);
            self.rearm(key, now);
        }
        self.clear_storms(now);
        self.forget_calm(now);
        self.fill_slots(now);
    }

    /// Takes up all of it: there was nothing, or what holds for all services is another.
    pub(super) fn begin(&mut self, watching: Arc<Watching>, keep: Keep, now: Time) {
        let before = mem::replace(&mut self.watching, watching.clone());
        if !self.configured || before.settings.history != watching.settings.history {
            self.histories.set_length(watching.settings.history);
        }
        self.waiting.clear();
        self.held.clear();
        let mut old = mem::take(&mut self.services);
        for (key, spec) in &watching.services {
            let same_hosts = before.groups.get(&key.group) == watching.groups.get(&key.group);
            let service = match (old.remove(key), keep) {
                (None, _) => self.fresh(spec, now),
                (Some(service), Keep::Nothing) => self.anew(service, spec, now),
                (Some(service), Keep::State) => self.merged(service, spec, same_hosts, now),
            };
            self.services.insert(key.clone(), service);
        }
        for (key, service) in old {
            self.drop_service(&key, service);
        }
        self.dependents = dependents(&self.services);
        self.forget_disablements();
        let first = !mem::replace(&mut self.configured, true);
        if let Some(saved) = self.unplaced.take() {
            self.load(saved, now);
        }
        self.look_at_exclusion(now);
        let file = &watching.settings.downtime_file;
        if first || keep == Keep::Nothing || *file != before.settings.downtime_file {
            self.begin_downtime_file(now);
        }
        let file = &watching.settings.historic_file;
        if first || keep == Keep::Nothing || *file != before.settings.historic_file {
            self.actions.extend(file.clone().map(WatchAction::Recall));
        }
        if first || watching.settings.startup_alerts_on_reset {
            self.tell_startup(now);
        }
        self.settle_all(now);
        self.clear_storms(now);
        self.forget_calm(now);
        self.fill_slots(now);
    }

    /// Called for each service when the watching begins.
    fn tell_startup(&mut self, now: Time) {
        let specs: Vec<_> = self.services.values().map(|service| service.spec.clone()).collect();
        for spec in specs {
            let telling = Telling {
                spec,
                occasion: Occasion::Startup,
                output: "".into(),
                retval: Some("0".into()),
                intended: None,
            };
            self.tell(&telling, now);
        }
    }

    fn fresh(&mut self, spec: &Arc<WatchSpec>, now: Time) -> Service {
        let mut service = Service::new(spec.clone());
        let first = self.watching.settings.random_start.map(|over| self.random.below(over));
        service.start_timers(first, self.pause.clock(now));
        service
    }

    /// Untested again. Only what somebody was told is not forgotten.
    pub(super) fn anew(&mut self, old: Service, spec: &Arc<WatchSpec>, now: Time) -> Service {
        self.abandon(old.running);
        let mut service = self.fresh(spec, now);
        // What a trap said ends by itself, and nobody is told of that: so it does now.
        let ends_silently = old.trap_ends.is_some();
        if ends_silently {
            self.forget_storms(&old);
        }
        let before = match old.status.opstatus {
            OpStatus::Fail if ends_silently => None,
            OpStatus::Fail => {
                let Before { output, facts } = old.status.before_recovery();
                Some(Before { output, facts: Facts { acknowledged: None, ..facts } })
            }
            _ => old.before_reset.clone(),
        };
        service.before_reset = before;
        self.for_equal_labels(&old, &mut service, |old, new| {
            new.told = old.told && !ends_silently;
            new.owed = old.owed.clone();
        });
        service
    }

    fn merged(
        &mut self,
        mut old: Service,
        spec: &Arc<WatchSpec>,
        same_hosts: bool,
        now: Time,
    ) -> Service {
        if matches!(old.hold, Hold::Throttled | Hold::Dependency(_)) {
            old.hold = Hold::Nothing;
        }
        if old.configured == *spec {
            if !same_hosts {
                self.abandon(old.running.take());
            }
            return old;
        }
        let mut service = self.fresh(spec, now);
        service.status = old.status.clone();
        service.before_reset = old.before_reset.clone();
        self.for_equal_labels(&old, &mut service, |old, new| *new = old.clone());
        let asked =
            |spec: &WatchSpec| (spec.monitor.is_some(), spec.interval, spec.failure_interval);
        // An interval that a client has set ends with the spec it was set in.
        if asked(&old.spec) == asked(spec) {
            service.beat = old.beat;
            service.hurried = old.hurried;
        } else if service.status.opstatus == OpStatus::Fail {
            service.hurry(self.pause.clock(now));
        }
        if old.configured.trap_timeout == spec.trap_timeout {
            service.trap_due = old.trap_due;
        }
        service.trap_ends = spec.trap_duration.and(old.trap_ends);
        service.bidden = old.bidden && spec.monitor.is_some();
        if old.configured.monitor == spec.monitor && same_hosts {
            service.running = old.running;
        } else {
            self.abandon(old.running);
        }
        service
    }

    /// What periods remember goes to those of the same label; of others nothing is left to tell.
    fn for_equal_labels(
        &mut self,
        old: &Service,
        new: &mut Service,
        carry: impl Fn(&super::period::PeriodState, &mut super::period::PeriodState),
    ) {
        for (period, state) in old.spec.periods.iter().zip(&old.periods) {
            let labels = &mut new.spec.periods.iter();
            match labels.position(|other| other.label == period.label) {
                Some(index) => carry(state, &mut new.periods[index]),
                None => self.storms.forget(&storm::member(&old.spec.key, period)),
            }
        }
    }

    fn drop_service(&mut self, key: &WatchKey, service: Service) {
        self.abandon(service.running);
        self.timers.set(Tick::Service(key.clone()), None);
        self.forget_storms(&service);
    }

    fn forget_storms(&mut self, service: &Service) {
        for period in &*service.spec.periods {
            self.storms.forget(&storm::member(&service.spec.key, period));
        }
    }

    /// Of what is no longer there.
    fn forget_disablements(&mut self) {
        for (what, _) in self.disabled.all() {
            if !self.exists(&what) {
                self.disabled.remove(&what);
                self.timers.set(Tick::Expiry(what), None);
            }
        }
    }

    /// Whether there is anything of the name.
    pub(super) fn exists(&self, what: &Disabling) -> bool {
        match what {
            Disabling::Host(host) => {
                self.watching.groups.values().any(|hosts| hosts.contains(host))
            }
            Disabling::Watch(group) => self.has_watch(group),
            Disabling::Service(key) => self.services.contains_key(key),
        }
    }

    fn begin_downtime_file(&mut self, now: Time) {
        if let Some(file) = self.watching.settings.downtime_file.clone() {
            let lines = format!(
                "#\n# downtime log start {}\n# time back up, group, service, first failure, \
                 downtime, interval, summary\n#",
                now.seconds()
            );
            self.actions.push_back(WatchAction::Note { file, lines });
        }
    }
}

/// By each service, those whose monitors it can hold back.
fn dependents(services: &BTreeMap<WatchKey, Service>) -> BTreeMap<WatchKey, Vec<WatchKey>> {
    let mut dependents: BTreeMap<WatchKey, Vec<WatchKey>> = BTreeMap::new();
    for (key, service) in services {
        let mut names = Vec::new();
        if let Some(dependency) = &service.spec.depends.monitors {
            depend::names(&dependency.expression, &mut names);
        }
        for parent in names {
            dependents.entry(parent.clone()).or_default().push(key.clone());
        }
    }
    dependents
}
