//! A watcher that watches nothing: what tests of the port talk to. It does what it is told to a
//! scene, and no more; no part of the interface.

use std::sync::Arc;
use std::time::Duration;

use super::Request;
use super::protocol::{Act, Scene};
use crate::model::{
    Acknowledged, Alert, AlertCall, AlertNote, AlertOn, Calendar, Dependency, Depends, Disabled,
    Disabling, Expression, FailureNote, MonitorCall, MonitorKind, OpStatus, Period, Throttle, Time,
    ViewItem, WallTime, WatchKey, WatchOrder, WatchRefusal, WatchSettings, WatchSpec, WatchView,
    Watching,
};

/// When it is in this world: Monday, 2 November 2026, 02:41:04.
const NOW: Time = Time::after_epoch(Duration::from_secs(1_793_587_264));

/// A watcher made of one scene.
#[derive(Clone, Debug)]
pub struct Watcher {
    pub scene: Scene,
    /// What was done to it besides orders.
    pub acts: Vec<Act>,
    /// What every act answers.
    pub mistakes: Vec<String>,
}

impl Watcher {
    /// Two groups and three services, one of which fails; two views.
    pub fn shop() -> Watcher {
        let hosts = |hosts: &[&str]| hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut watching = Watching::default();
        watching.groups.insert("web".into(), hosts(&["web1", "web2"]));
        watching.groups.insert("mail".into(), hosts(&["mail1"]));
        let front = ViewItem { group: "web".into(), service: None };
        let some = ViewItem { group: "mail".into(), service: Some("smtp".into()) };
        watching.views.insert("front".into(), [front].into());
        watching.views.insert("some".into(), [some].into());
        let services = [smtp(), http(), trap()];
        for view in &services {
            watching.services.insert(view.spec.key.clone(), Arc::clone(&view.spec));
        }
        let scene = Scene {
            now: NOW,
            local: WallTime {
                year: 2026,
                month: 11,
                month_day: 2,
                year_day: 306,
                week_day: 2,
                hour: 2,
                minute: 41,
                second: 4,
            },
            watching: Arc::new(watching),
            stopped_since: None,
            history: WatchSettings::default().history,
            disabled_hosts: Default::default(),
            disabled_watches: Default::default(),
            services: services.into(),
            alerts: vec![alert_note()],
            failures: vec![FailureNote {
                key: WatchKey::new("web", "http"),
                at: NOW - Duration::from_secs(4),
                summary: "web1 it's".to_owned(),
            }],
            running: vec![(WatchKey::new("mail", "smtp"), 4711)],
            downtime: Default::default(),
        };
        Watcher { scene, acts: Vec::new(), mistakes: Vec::new() }
    }

    /// Answers one request.
    pub fn serve(&mut self, request: Request) {
        // Whoever has stopped waiting has no use for an answer.
        match request {
            Request::Look(_, reply) => drop(reply.send(self.scene.clone())),
            Request::Order(order, reply) => drop(reply.send(self.order(order))),
            Request::Act(act, reply) => drop(reply.send(self.act(act))),
        }
    }

    pub fn act(&mut self, act: Act) -> Result<(), Vec<String>> {
        self.acts.push(act);
        match self.mistakes.is_empty() {
            true => Ok(()),
            false => Err(self.mistakes.clone()),
        }
    }

    pub fn order(&mut self, order: WatchOrder) -> Result<(), WatchRefusal> {
        let now = self.scene.now;
        match order {
            WatchOrder::Acknowledge { key, user, comment } => {
                let service = self.service(&key)?;
                if service.opstatus.is_success() {
                    return Err(WatchRefusal::NotFailing(key));
                }
                service.acknowledged = Some(Acknowledged { at: now, user, comment });
            }
            WatchOrder::Disable { what, user, reason, lasts, .. } => {
                self.hosts_exist(&what)?;
                let until = lasts.map(|lasts| now + lasts);
                let disabled = Disabled { since: now, user, reason, until };
                for what in what {
                    self.disable(what, Some(disabled.clone()))?;
                }
            }
            WatchOrder::Enable { what } => {
                for what in what {
                    self.disable(what, None)?;
                }
            }
            WatchOrder::TestMonitor(key) | WatchOrder::ClearTimers(key) => {
                self.service(&key)?;
            }
            WatchOrder::TestAlert { key, period, .. } => {
                let periods = &self.service(&key)?.spec.periods;
                if !periods.iter().any(|known| known.label == period) {
                    return Err(WatchRefusal::UnknownPeriod(period));
                }
            }
            WatchOrder::StartScheduler => self.scene.stopped_since = None,
            WatchOrder::StopScheduler => self.scene.stopped_since = Some(now),
            WatchOrder::SetHistory(entries) => self.scene.history = entries,
            WatchOrder::SetInterval { key, interval } => {
                Arc::make_mut(&mut self.service(&key)?.spec).interval = Some(interval);
            }
            WatchOrder::SetDescription { key, text } => {
                Arc::make_mut(&mut self.service(&key)?.spec).description = Some(text);
            }
        }
        Ok(())
    }

    fn service(&mut self, key: &WatchKey) -> Result<&mut WatchView, WatchRefusal> {
        if !self.scene.watching.groups.contains_key(&key.group) {
            return Err(WatchRefusal::UnknownGroup(key.group.to_string()));
        }
        let found = self.scene.services.iter_mut().find(|view| view.spec.key == *key);
        found.ok_or_else(|| WatchRefusal::UnknownService(key.clone()))
    }

    /// Disabled ones are not there any more.
    fn hosts_exist(&self, what: &[Disabling]) -> Result<(), WatchRefusal> {
        let scene = &self.scene;
        let exists = |host: &String| {
            !scene.disabled_hosts.contains(host)
                && scene.watching.groups.values().any(|hosts| hosts.contains(host))
        };
        let missing: Vec<String> = what
            .iter()
            .filter_map(|what| match what {
                Disabling::Host(host) if !exists(host) => Some(host.clone()),
                _ => None,
            })
            .collect();
        match missing.is_empty() {
            true => Ok(()),
            false => Err(WatchRefusal::UnknownHosts(missing)),
        }
    }

    fn disable(&mut self, what: Disabling, how: Option<Disabled>) -> Result<(), WatchRefusal> {
        let scene = &mut self.scene;
        match what {
            Disabling::Host(host) => match how {
                Some(_) => drop(scene.disabled_hosts.insert(host)),
                None => drop(scene.disabled_hosts.remove(&host)),
            },
            Disabling::Watch(group) => {
                if !scene.watching.groups.contains_key(&group) {
                    return Err(WatchRefusal::UnknownGroup(group.to_string()));
                }
                match how {
                    Some(_) => scene.disabled_watches.insert(group),
                    None => scene.disabled_watches.remove(&group),
                };
            }
            Disabling::Service(key) => self.service(&key)?.disabled = how,
        }
        Ok(())
    }
}

fn http() -> WatchView {
    let depends = Dependency {
        written: "mail:smtp".to_owned(),
        expression: Expression::Service(WatchKey::new("mail", "smtp")),
    };
    let spec = WatchSpec {
        description: Some("front \"page\"".to_owned()),
        monitor: Some(monitor("bad.monitor -p 80")),
        interval: Some(Duration::from_secs(2)),
        exclude_hosts: ["web9".to_owned()].into(),
        depends: Depends { alerts: Some(depends), ..Depends::default() },
        periods: [period("wd {Sun-Sat}")].into(),
        ..spec("web", "http")
    };
    let ago = |seconds| Some(NOW - Duration::from_secs(seconds));
    WatchView {
        opstatus: OpStatus::Fail,
        last_opstatus: OpStatus::Fail,
        retval: Some("1".into()),
        last_check: ago(2),
        last_failure: ago(1),
        first_failure: ago(4),
        last_alert: ago(1),
        failures_in_a_row: 2,
        failures: 2,
        alerts_sent: 2,
        depend_status: Some(true),
        last_summary: "web1".to_owned(),
        last_detail: "web1 re\"fused 'x\\y\n".to_owned(),
        duration: Some(Duration::from_millis(1200)),
        ..view(spec)
    }
}

fn smtp() -> WatchView {
    let spec = WatchSpec {
        monitor: Some(monitor("good.monitor")),
        interval: Some(Duration::from_secs(60)),
        periods: [period("P1")].into(),
        ..spec("mail", "smtp")
    };
    WatchView { timer: Some(Duration::from_secs(53)), ..view(spec) }
}

fn trap() -> WatchView {
    let trap_timeout = Some(Duration::from_secs(3600));
    view(WatchSpec { trap_timeout, periods: [period("")].into(), ..spec("web", "trap") })
}

fn monitor(written: &str) -> MonitorCall {
    let words = written.split(' ').map(str::to_owned).collect();
    MonitorCall {
        written: written.to_owned(),
        how: MonitorKind::Program(words),
        without_hosts: false,
        limit: Duration::from_secs(60),
    }
}

fn period(label: &str) -> Period {
    let call = AlertCall { name: "test.alert".to_owned(), path: None, words: [].into() };
    Period {
        label: label.to_owned(),
        times: Calendar::always(),
        alerts: vec![Alert { on: AlertOn::Failure, exit: None, call }],
        throttle: Throttle::default(),
    }
}

fn spec(group: &str, service: &str) -> WatchSpec {
    WatchSpec::bare(WatchKey::new(group, service))
}

fn view(spec: WatchSpec) -> WatchView {
    WatchView {
        spec: Arc::new(spec),
        opstatus: OpStatus::Untested,
        last_opstatus: OpStatus::Untested,
        retval: None,
        timer: None,
        last_check: None,
        last_success: None,
        last_failure: None,
        first_failure: None,
        last_trap: None,
        last_alert: None,
        failures_in_a_row: 0,
        failures: 0,
        alerts_sent: 0,
        acknowledged: None,
        disabled: None,
        depend_status: None,
        last_summary: String::new(),
        last_detail: String::new(),
        duration: None,
        running: false,
    }
}

fn alert_note() -> AlertNote {
    AlertNote {
        kind: "alert",
        key: WatchKey::new("web", "http"),
        at: NOW - Duration::from_secs(4),
        path: "/etc/mon/alert.d/test.alert".to_owned(),
        words: "A1".to_owned(),
        summary: "web1 it's".to_owned(),
    }
}
