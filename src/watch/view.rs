//! What there is to see.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use super::history::parse_alert_line;
use super::hosts::{DETAIL, HostState};
use super::service::Service;
use super::{RunId, Watcher};
use crate::model::{
    Acknowledged, AlertNote, Disabled, DisabledKind, DisabledStatus, Disabling, FailureNote,
    HostStatus, OpStatus, Time, WatchKey, WatchSpec, WatchStatus, WatchView, Watching, raw,
};

/// Whether monitors are started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SchedulerState {
    Running,
    StoppedSince(Time),
}

/// A monitor under way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunningMonitor {
    pub run: RunId,
    pub key: WatchKey,
    pub since: Time,
}

impl Watcher {
    pub fn view(&self, key: &WatchKey, now: Time) -> Option<WatchView> {
        self.services.get(key).map(|service| self.view_of(service, now))
    }

    /// All services, in the order of their keys.
    pub fn views(&self, now: Time) -> impl Iterator<Item = WatchView> + '_ {
        self.services.values().map(move |service| self.view_of(service, now))
    }

    /// What is watched, as configured.
    pub fn watching(&self) -> &Watching {
        &self.watching
    }

    /// Oldest first.
    pub fn alert_history(&self) -> impl Iterator<Item = &AlertNote> {
        self.histories.alerts.iter()
    }

    /// Oldest first.
    pub fn failure_history(&self) -> impl Iterator<Item = &FailureNote> {
        self.histories.failures.iter()
    }

    /// Entries that each history keeps.
    pub fn history_length(&self) -> usize {
        self.histories.length()
    }

    /// The history of alerts begins with what the historic file has, or its end; entries older
    /// than the configuration wants are left out. What was called since is in the file as well,
    /// and is there once.
    pub fn load_alert_history(&mut self, historic_file: &str, now: Time) {
        let age = self.watching.settings.historic_time;
        let oldest = age.map_or(Time::ZERO, |age| now - age);
        let known: BTreeSet<String> = self.alert_history().map(AlertNote::line).collect();
        let lines = historic_file.lines().rev().filter(|line| !known.contains(*line));
        let notes = lines.filter_map(parse_alert_line).filter(|note| note.at >= oldest);
        self.histories.begin_with(notes);
    }

    /// Hosts first, then watches, then services.
    pub fn disabled(&self) -> Vec<(Disabling, Disabled)> {
        self.disabled.all()
    }

    /// What is watched besides real servers, in the order of the keys. `wall` tells when a time was
    /// or will be.
    pub fn statuses(&self, wall: impl Fn(Time) -> SystemTime) -> Vec<WatchStatus> {
        let of_groups = self.services.values().filter(|service| service.spec.hosts.is_none());
        of_groups.map(|service| self.status_of(service, &wall)).collect()
    }

    fn status_of(&self, service: &Service, wall: &impl Fn(Time) -> SystemTime) -> WatchStatus {
        let status = &service.status;
        let host = |state: &HostState| HostStatus {
            host: state.host.clone(),
            up: state.is_up,
            since: wall(state.since),
            detail: (!state.detail.is_empty()).then(|| state.detail.clone()),
        };
        let since = match status.opstatus {
            OpStatus::Fail => status.first_failure,
            OpStatus::Ok | OpStatus::Untested => status.recovered,
        };
        WatchStatus {
            watch: service.spec.key.to_string(),
            state: status.opstatus,
            since: since.map(wall),
            checked: status.last_check.map(wall),
            summary: status.last_summary.as_deref().map(line),
            acknowledged: status.acknowledged.as_ref().map(|ack| line(&ack.text())),
            disabled: self.is_out(&service.spec),
            hosts: status.hosts.iter().map(host).collect(),
        }
    }

    /// Whether nobody is told of it by somebody's word, or nobody asked because all its hosts are
    /// disabled.
    fn is_out(&self, spec: &WatchSpec) -> bool {
        let asks_hosts = spec.monitor.as_ref().is_some_and(|call| !call.without_hosts);
        let has_hosts = || self.watching.groups.get(&spec.key.group).is_some_and(|h| !h.is_empty());
        let is_idle =
            || !spec.allow_empty_group && has_hosts() && self.enabled_hosts(spec).is_empty();
        self.is_disabled(&spec.key) || asks_hosts && is_idle()
    }

    /// Of what nobody is told, by somebody's word: hosts first, then watches, then services.
    pub fn disabled_statuses(&self, wall: impl Fn(Time) -> SystemTime) -> Vec<DisabledStatus> {
        let status = |(what, why): (Disabling, Disabled)| DisabledStatus {
            kind: DisabledKind::of(&what),
            name: what.name(),
            user: raw::shown(&why.user).into_owned(),
            reason: raw::shown(&why.reason).into_owned(),
            since: wall(why.since),
            until: why.until.map(&wall),
        };
        self.disabled.all().into_iter().map(status).collect()
    }

    pub fn scheduler(&self) -> SchedulerState {
        match self.pause.stopped_since() {
            Some(since) => SchedulerState::StoppedSince(since),
            None => SchedulerState::Running,
        }
    }

    /// In the order in which they were started.
    pub fn running(&self) -> impl Iterator<Item = RunningMonitor> + '_ {
        self.runs.iter().filter_map(|(run, key)| {
            let since = self.services.get(key)?.running?.since;
            Some(RunningMonitor { run: *run, key: key.clone(), since })
        })
    }

    fn view_of(&self, service: &Service, now: Time) -> WatchView {
        let (mut spec, status) = (service.spec.clone(), &service.status);
        if service.hurried {
            // As mon shows it: the interval is that of a failure as long as it lasts.
            Arc::make_mut(&mut spec).interval = service.interval();
        }
        let spec = &spec;
        let periods = || spec.periods.iter().zip(&service.periods);
        let counted = periods().filter(|(period, _)| !period.throttle.uncounted);
        let clock = self.pause.clock(now);
        let disabled = self.disabled.service(&spec.key);
        let text = |text: &Option<Arc<str>>| text.as_deref().unwrap_or_default().to_owned();
        WatchView {
            spec: spec.clone(),
            opstatus: status.opstatus,
            last_opstatus: status.last_opstatus,
            retval: status.retval.clone(),
            timer: service.beat.map(|beat| beat.due().since(clock)),
            last_check: status.last_check,
            last_success: status.last_success,
            last_failure: status.last_failure,
            first_failure: status.first_failure,
            last_trap: status.last_trap,
            last_alert: service.periods.iter().filter_map(|period| period.last_alert).max(),
            failures_in_a_row: status.failures_in_a_row,
            failures: status.failures,
            alerts_sent: counted.fold(0, |sum, (_, state)| sum.saturating_add(state.alerts_sent)),
            acknowledged: status.acknowledged.as_ref().map(|ack| Acknowledged {
                at: ack.at,
                user: ack.user.clone(),
                comment: ack.comment.clone(),
            }),
            disabled: disabled.or_else(|| self.disabled.watch(&spec.key.group)).cloned(),
            depend_status: status.depend_status,
            last_summary: text(&status.last_summary),
            last_detail: text(&status.last_detail),
            duration: status.duration,
            running: service.running.is_some(),
        }
    }
}

/// For people, and no longer than a line of them.
fn line(text: &str) -> String {
    raw::shown(text).chars().take(DETAIL).collect()
}
