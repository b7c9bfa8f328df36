//! When monitors run, and what keeps them from it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::beat::next_look;
use super::depend::{self, Kind};
use super::job::{MonitorRun, monitor_environment};
use super::log::WatchEvent;
use super::service::{Hold, Running};
use super::timers::Tick;
use super::{RunId, WatchAction, Watcher};
use crate::model::{MonitorCall, MonitorKind, Time, WatchKey, WatchSpec};

/// Times at which no timer of a service runs: by a client's word, or by `exclude_period`.
///
/// All timers go on where they stood. mon's do so too, and so there is no burst afterwards.
#[derive(Default, Debug)]
pub(super) struct Pause {
    stopped: Option<Time>,
    excluded: bool,
    since: Option<Time>,
}

impl Pause {
    pub fn is_on(&self) -> bool {
        self.since.is_some()
    }

    /// By a client's word, since when. Then nobody is told anything either.
    pub fn stopped_since(&self) -> Option<Time> {
        self.stopped
    }

    pub fn is_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// The time as timers see it: it stands still.
    pub fn clock(&self, now: Time) -> Time {
        self.since.unwrap_or(now)
    }
}

impl Watcher {
    /// The time of [`poll_timeout`](Self::poll_timeout) has come, or is over.
    pub fn handle_timeout(&mut self, now: Time) {
        while let Some(tick) = self.timers.pop_due(now) {
            match tick {
                Tick::Exclude => self.look_at_exclusion(now),
                Tick::Expiry(what) => self.expire(&what, now),
                Tick::Service(key) => self.fire(&key, now),
                Tick::Storm(call) => self.tell_storm(&call, now),
            }
        }
    }

    /// Whether now is a time at which nothing is asked; and when to look again.
    pub(super) fn look_at_exclusion(&mut self, now: Time) {
        let wall = (self.wall)(now);
        let exclude = self.watching.settings.exclude.as_ref();
        self.pause.excluded = exclude.is_some_and(|times| times.contains(&wall));
        let again = exclude.map(|times| next_look(times, &wall, now));
        self.timers.set(Tick::Exclude, again);
        self.update_pause(now);
    }

    pub(super) fn stop_scheduler(&mut self, now: Time) {
        self.pause.stopped.get_or_insert(now);
        self.update_pause(now);
        self.rearm_all(now);
    }

    pub(super) fn start_scheduler(&mut self, now: Time) {
        self.pause.stopped = None;
        self.update_pause(now);
        self.settle_all(now);
        self.arm_storms();
        self.clear_storms(now);
    }

    fn update_pause(&mut self, now: Time) {
        let wanted = self.pause.excluded || self.pause.is_stopped();
        match (self.pause.since, wanted) {
            (None, true) => {
                self.pause.since = Some(now);
                self.rearm_all(now);
            }
            (Some(since), false) => {
                self.pause.since = None;
                let lasted = now.since(since);
                self.services.values_mut().for_each(|service| service.shift(lasted));
                self.rearm_all(now);
                self.fill_slots(now);
            }
            _ => {}
        }
    }

    /// Does what is due for one service.
    fn fire(&mut self, key: &WatchKey, now: Time) {
        if !self.pause.is_on() {
            self.fire_traps(key, now);
            if self.services.get(key).is_some_and(|service| service.wants_run(now)) {
                self.try_start(key, now);
            }
        }
        self.settle(key, now);
        self.rearm(key, now);
    }

    fn fire_traps(&mut self, key: &WatchKey, now: Time) {
        let Some(service) = self.services.get_mut(key) else { return };
        let is_due = |timer: &Option<Time>| timer.is_some_and(|due| due <= now);
        let ends = is_due(&service.trap_ends);
        if ends {
            service.trap_ends = None;
        }
        let missed = match service.spec.trap_timeout {
            Some(timeout) if is_due(&service.trap_due) => {
                service.trap_due = Some(now + timeout.max(Duration::from_millis(1)));
                Some(timeout)
            }
            _ => None,
        };
        if ends {
            self.end_trap(key, now);
        }
        if let Some(timeout) = missed {
            self.miss_trap(key, timeout, now);
        }
    }

    /// Starts the monitor of a service that is due, or notes what it waits for.
    fn try_start(&mut self, key: &WatchKey, now: Time) {
        let Some(service) = self.services.get_mut(key) else { return };
        let spec = service.spec.clone();
        service.hold = Hold::Nothing;
        self.held.remove(key);
        let Some(call) = &spec.monitor else { return };
        if self.disabled.watch(&key.group).is_some() {
            return self.leave_out(key, now);
        }
        let hold = self.obstacle(&spec, now);
        match hold {
            Hold::Nothing => return self.start(&spec, call, now),
            Hold::Throttled => {
                if self.waiting.is_empty() {
                    self.log(WatchEvent::Throttled { processes: self.runs.len() });
                }
                self.waiting.push_back(key.clone());
            }
            Hold::Dependency(_) => drop(self.held.insert(key.clone())),
            Hold::Excluded(_) => {}
        }
        if let Some(service) = self.services.get_mut(key) {
            service.hold = hold;
        }
    }

    fn obstacle(&mut self, spec: &WatchSpec, now: Time) -> Hold {
        if self.is_full() {
            return Hold::Throttled;
        }
        if let Some(times) = &spec.exclude {
            let wall = (self.wall)(now);
            if times.contains(&wall) {
                return Hold::Excluded(next_look(times, &wall, now));
            }
        }
        match self.look_at_dependency(&spec.key, Kind::Monitors, now) {
            Some(answer) if !answer.holds => Hold::Dependency(answer.changes),
            _ => Hold::Nothing,
        }
    }

    fn is_full(&self) -> bool {
        let most = self.watching.settings.max_processes.filter(|most| *most > 0);
        most.is_some_and(|most| self.runs.len() >= most as usize)
    }

    fn start(&mut self, spec: &WatchSpec, call: &MonitorCall, now: Time) {
        let key = &spec.key;
        let hosts = self.hosts_to_ask(spec, call, now);
        self.leave_out(key, now);
        if call.how == MonitorKind::Missing {
            let written = call.written.clone();
            return self.log(WatchEvent::NoMonitor { key: key.clone(), written });
        }
        if hosts.is_empty() && !call.without_hosts && !spec.allow_empty_group {
            return self.log(WatchEvent::NoHosts(key.clone()));
        }
        self.last_run += 1;
        let run = RunId(self.last_run);
        let Some(service) = self.services.get_mut(key) else { return };
        let folders = &self.watching.settings.folders;
        let environment = monitor_environment(spec, &service.status, folders);
        service.status.last_check = Some(now);
        service.running = Some(Running { run, since: now });
        self.runs.insert(run, key.clone());
        self.actions.push_back(WatchAction::Run(Box::new(MonitorRun {
            run,
            key: key.clone(),
            call: call.clone(),
            hosts,
            environment,
        })));
    }

    /// Those of the group that are enabled, not excluded, and named by no failing parent.
    fn hosts_to_ask(&self, spec: &WatchSpec, call: &MonitorCall, now: Time) -> Vec<String> {
        if call.without_hosts {
            return Vec::new();
        }
        let mut hosts = self.enabled_hosts(spec);
        hosts.retain(|host| !spec.exclude_hosts.contains(host));
        depend::hosts_without_trouble(&self.services, &spec.depends, hosts, now)
    }

    /// The run that is due is under way, or does not take place.
    fn leave_out(&mut self, key: &WatchKey, now: Time) {
        let Some(service) = self.services.get_mut(key) else { return };
        service.bidden = false;
        let skew = service.spec.skew;
        // A run that was asked for outside the beat leaves the beat alone.
        if let Some(beat) = service.beat.as_mut().filter(|beat| beat.due() <= now) {
            beat.advance(now, skew, &mut self.random);
        }
    }

    /// Monitors that wait for one to end start now, as many as may.
    pub(super) fn fill_slots(&mut self, now: Time) {
        while !self.pause.is_on() && !self.is_full() {
            let Some(key) = self.waiting.pop_front() else { return };
            let waits = |service: &super::Service| service.hold == Hold::Throttled;
            if self.services.get(&key).is_some_and(waits) {
                self.try_start(&key, now);
                self.rearm(&key, now);
            }
        }
    }

    /// A service changed: those held back by it, however far away, look again.
    pub(super) fn wake_dependents(&mut self, key: &WatchKey, now: Time) {
        if self.held.is_empty() {
            return;
        }
        let mut reached = BTreeSet::from([key.clone()]);
        let mut next = vec![key.clone()];
        while let Some(parent) = next.pop() {
            for child in self.dependents.get(&parent).into_iter().flatten() {
                if reached.insert(child.clone()) {
                    next.push(child.clone());
                }
            }
        }
        let woken: Vec<_> = reached.into_iter().filter(|key| self.held.contains(key)).collect();
        for key in woken {
            if let Some(service) = self.services.get_mut(&key) {
                service.hold = Hold::Dependency(Some(now));
            }
            self.rearm(&key, now);
        }
    }

    /// Its monitor is ended, and what it says is not heard.
    pub(super) fn abandon(&mut self, running: Option<Running>) {
        if let Some(Running { run, .. }) = running {
            self.runs.remove(&run);
            self.actions.push_back(WatchAction::Abandon(run));
        }
    }
}
