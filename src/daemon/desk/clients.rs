//! What clients at mon's port are answered.

use std::collections::BTreeSet;
use std::time::Instant;

use super::notes::Promise;
use super::texts::{self, Remembered, Reply};
use super::{Desk, Errand, Reset, wall};
use crate::model::{Disabling, Time, WatchKey, WatchOrder, WatchView};
use crate::mon::{self, protocol};
use crate::watch::{Keep, SchedulerState};

impl Desk {
    pub(super) fn answer(&mut self, request: mon::Request, now: Time) -> Option<Errand> {
        match request {
            mon::Request::Look(parts, reply) => {
                self.looks.add(parts, reply);
                self.show(now);
                None
            }
            mon::Request::Order(order, reply) => {
                self.order(order, reply, now);
                None
            }
            mon::Request::Act(act, reply) => self.act(act, reply),
        }
    }

    /// What must outlive us is on disk before anybody may rely on it.
    pub(super) fn order(&mut self, order: WatchOrder, reply: Promise, now: Time) {
        let disables = matches!(order, WatchOrder::Disable { .. } | WatchOrder::Enable { .. });
        let outlives = disables || matches!(order, WatchOrder::Acknowledge { .. });
        let done = self.watcher.handle_order(order, now);
        if done.is_ok() && disables {
            self.write_disabled();
        }
        match done {
            Ok(()) if outlives => self.notes.promise(reply, Instant::now()),
            done => {
                let _ = reply.send(done);
                self.notes.mark(Instant::now());
            }
        }
    }

    /// mon's own file as well, for those who read it, and for the way back.
    pub(super) fn write_disabled(&self) {
        if self.has_mon {
            let folder = self.watching.settings.folders.state.clone();
            self.texts.write(folder, vec![("disabled", self.watcher.disabled_file())], None);
        }
    }

    fn act(&mut self, act: protocol::Act, reply: Reply) -> Option<Errand> {
        match act {
            protocol::Act::Reset { stopped, keep_state } => {
                let keep = if keep_state { Keep::State } else { Keep::Nothing };
                Some(Errand::Reload(Reset { stopped, keep, reply }))
            }
            protocol::Act::ReloadAccess => {
                self.port.read_rules(Some(reply));
                None
            }
            protocol::Act::TestConfiguration => Some(Errand::Test(reply)),
            protocol::Act::Save(what) => {
                let folder = self.watching.settings.folders.state.clone();
                let texts = [
                    what.disabled.then(|| ("disabled", self.watcher.disabled_file())),
                    what.status.then(|| ("opstatus", self.watcher.opstatus_file())),
                ];
                self.texts.write(folder, texts.into_iter().flatten().collect(), Some(reply));
                None
            }
            protocol::Act::Load(what) => {
                let folder = self.watching.settings.folders.state.clone();
                self.texts.read(folder, what, reply);
                None
            }
            protocol::Act::Terminate => {
                let _ = reply.send(Ok(()));
                Some(Errand::Stop)
            }
        }
    }

    /// Takes up what files of mon's say.
    pub(super) fn recall(&mut self, read: &Remembered, now: Time) {
        if let Some(text) = &read.disabled {
            self.watcher.load_disabled_file(text, now);
        }
        if let Some(text) = &read.status {
            self.watcher.load_opstatus_file(text, now);
        }
        self.notes.mark(Instant::now());
    }

    /// At the first start, the state that mon left: before anybody is asked anything.
    pub(super) fn inherit(&mut self, now: Time) {
        let Some(what) = self.heritage.take().filter(|_| self.has_mon) else { return };
        let folder = &self.watching.settings.folders.state;
        let read = texts::heritage(folder, what);
        for text in [&read.disabled, &read.status].into_iter().flatten() {
            let lines = text.lines().count();
            tracing::info!(folder = %folder.display(), lines, "mon's state is taken up");
        }
        self.recall(&read, now);
    }

    /// Shows those who look what there is, as far as there is time for it.
    pub(super) fn show(&mut self, now: Time) {
        while let Some((parts, reply)) = self.looks.next(Instant::now()) {
            let began = Instant::now();
            let _ = reply.send(self.scene(&parts, now));
            self.looks.shown(began, Instant::now());
        }
    }

    /// The services of these groups, or with these names, in the order of their keys.
    fn named(&self, names: &[(String, Option<String>)]) -> BTreeSet<&WatchKey> {
        let services = &self.watching.services;
        let of = |(group, service): &(String, Option<String>)| {
            let first = WatchKey::new(group, service.as_deref().unwrap_or_default());
            let alone = service.is_some();
            let all = services.range(first.clone()..).map(|(key, _)| key);
            all.take_while(move |key| key.group == first.group && (!alone || **key == first))
        };
        names.iter().flat_map(of).collect()
    }

    fn scene(&self, parts: &protocol::Parts, now: Time) -> protocol::Scene {
        let watcher = &self.watcher;
        let (mut disabled_hosts, mut disabled_watches) = (BTreeSet::new(), BTreeSet::new());
        let mut disabled_services = BTreeSet::new();
        for (what, _) in watcher.disabled() {
            match what {
                Disabling::Host(host) => drop(disabled_hosts.insert(host)),
                Disabling::Watch(group) => drop(disabled_watches.insert(group)),
                Disabling::Service(key) => drop(disabled_services.insert(key)),
            }
        }
        let of_its_own = |mut view: WatchView| {
            view.disabled.take_if(|_| !disabled_services.contains(&view.spec.key));
            view
        };
        protocol::Scene {
            now,
            local: wall(now),
            watching: self.watching.clone(),
            stopped_since: match watcher.scheduler() {
                SchedulerState::StoppedSince(since) => Some(since),
                SchedulerState::Running => None,
            },
            history: watcher.history_length(),
            disabled_hosts,
            disabled_watches,
            // The watcher calls those of a disabled watch disabled as well; clients do not.
            services: match &parts.services {
                protocol::Wanted::None => Vec::new(),
                protocol::Wanted::All => watcher.views(now).map(of_its_own).collect(),
                protocol::Wanted::Some(names) => {
                    let keys = self.named(names);
                    let views = keys.into_iter().filter_map(|key| watcher.view(key, now));
                    views.map(of_its_own).collect()
                }
            },
            alerts: match parts.alerts {
                true => watcher.alert_history().cloned().collect(),
                false => Vec::new(),
            },
            failures: match parts.failures {
                true => watcher.failure_history().cloned().collect(),
                false => Vec::new(),
            },
            // Native monitors have no process, and of programs the number is not known here.
            running: Vec::new(),
            downtime: protocol::Downtime::Off,
        }
    }
}
