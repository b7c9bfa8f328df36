//! What somebody asks for.

use std::sync::Arc;
use std::time::Duration;

use super::Watcher;
use super::job::{Telling, test_output};
use super::log::WatchEvent;
use super::occasion::Occasion;
use super::service::{Ack, Service, bounded};
use super::tell::Purpose;
use super::timers::Tick;
use crate::model::{
    AlertOn, Disabled, Disabling, OpStatus, Time, WatchKey, WatchOrder, WatchRefusal, WatchSpec,
};

impl Watcher {
    /// Carries an order out, or refuses it whole: nothing is changed then.
    pub fn handle_order(&mut self, order: WatchOrder, now: Time) -> Result<(), WatchRefusal> {
        match order {
            WatchOrder::Acknowledge { key, user, comment } => {
                self.acknowledge(&key, Ack { at: now, user, comment }, now)
            }
            WatchOrder::Disable { what, user, reason, lasts, replaces } => {
                let until = lasts.map(|lasts| now + lasts);
                let disabled = Disabled { since: now, user, reason, until };
                self.disable(what, &disabled, replaces, now)
            }
            WatchOrder::Enable { what } => self.enable(&what, now),
            WatchOrder::TestMonitor(key) => {
                self.service_mut(&key)?.bid();
                self.rearm(&key, now);
                Ok(())
            }
            WatchOrder::TestAlert { key, on, exit, period } => {
                self.test_alert(&key, on, exit, &period, now)
            }
            WatchOrder::ClearTimers(key) => self.clear_timers(&key, now),
            WatchOrder::StartScheduler => {
                self.start_scheduler(now);
                Ok(())
            }
            WatchOrder::StopScheduler => {
                self.stop_scheduler(now);
                Ok(())
            }
            WatchOrder::SetInterval { key, interval } => self.set_interval(&key, interval, now),
            WatchOrder::SetDescription { key, text } => {
                Arc::make_mut(&mut self.service_mut(&key)?.spec).description = Some(text);
                Ok(())
            }
            WatchOrder::SetHistory(length) => {
                self.histories.set_length(length);
                Ok(())
            }
        }
    }

    fn service_mut(&mut self, key: &WatchKey) -> Result<&mut Service, WatchRefusal> {
        let group = self.has_watch(&key.group);
        self.services.get_mut(key).ok_or_else(|| match group {
            true => WatchRefusal::UnknownService(key.clone()),
            false => WatchRefusal::UnknownGroup(key.group.to_string()),
        })
    }

    fn acknowledge(&mut self, key: &WatchKey, ack: Ack, now: Time) -> Result<(), WatchRefusal> {
        let service = self.service_mut(key)?;
        if service.status.opstatus != OpStatus::Fail {
            return Err(WatchRefusal::NotFailing(key.clone()));
        }
        let output = bounded(&ack.text());
        let spec = service.spec.clone();
        service.status.acknowledged = Some(ack);
        let occasion = Occasion::Acknowledgement;
        self.tell(&Telling { spec, occasion, output, retval: None, intended: None }, now);
        Ok(())
    }

    fn disable(
        &mut self,
        what: Vec<Disabling>,
        disabled: &Disabled,
        replaces: bool,
        now: Time,
    ) -> Result<(), WatchRefusal> {
        self.refuse_unknown(&what)?;
        let hosts = what.iter().filter_map(|what| match what {
            Disabling::Host(host) if !self.exists(&Disabling::Host(host.clone())) => Some(host),
            Disabling::Host(host) if !replaces && self.disabled.host(host).is_some() => Some(host),
            _ => None,
        });
        let hosts: Vec<_> = hosts.cloned().collect();
        if !hosts.is_empty() {
            return Err(WatchRefusal::UnknownHosts(hosts));
        }
        for what in what {
            if let Disabling::Host(host) = &what {
                // The watch of a group with no other host goes with it, or it would be said at
                // each interval that there is none to ask. Somebody's word about the watch itself
                // holds on.
                for group in self.groups_of_only(host) {
                    if self.disabled.watch(&group).is_none() || self.goes_with(&group, host) {
                        self.disable_silently(Disabling::Watch(group), disabled.clone(), now);
                    }
                }
            }
            let again = self.disabled.contains(&what);
            self.disable_silently(what.clone(), disabled.clone(), now);
            if let Disabling::Service(key) = &what
                && !again
            {
                self.tell_disabling(key, &disabled.user, now);
            }
        }
        Ok(())
    }

    fn tell_disabling(&mut self, key: &WatchKey, user: &str, now: Time) {
        let Some(service) = self.services.get(key) else { return };
        let telling = Telling {
            spec: service.spec.clone(),
            occasion: Occasion::Disabling,
            output: bounded(user),
            retval: None,
            intended: None,
        };
        self.tell(&telling, now);
    }

    /// Whether there is anything of the name; nobody is told.
    pub(super) fn disable_silently(
        &mut self,
        what: Disabling,
        disabled: Disabled,
        now: Time,
    ) -> bool {
        if !self.exists(&what) {
            return false;
        }
        self.timers.set(Tick::Expiry(what.clone()), disabled.until);
        let keys = self.concerned(&what);
        self.disabled.insert(what, disabled);
        keys.iter().for_each(|key| self.rearm(key, now));
        true
    }

    fn enable(&mut self, what: &[Disabling], now: Time) -> Result<(), WatchRefusal> {
        self.refuse_unknown(what)?;
        what.iter().for_each(|what| self.enable_one(what, now));
        Ok(())
    }

    /// Its time is over.
    pub(super) fn expire(&mut self, what: &Disabling, now: Time) {
        self.log(WatchEvent::Expired(what.clone()));
        self.changed = true;
        self.enable_one(what, now);
    }

    fn enable_one(&mut self, what: &Disabling, now: Time) {
        if let Disabling::Host(host) = what {
            for group in self.groups_of_only(host) {
                if self.goes_with(&group, host) {
                    self.enable_one(&Disabling::Watch(group), now);
                }
            }
        }
        self.disabled.remove(what);
        self.timers.set(Tick::Expiry(what.clone()), None);
        for key in self.concerned(what) {
            self.settle(&key, now);
            self.rearm(&key, now);
        }
    }

    /// Whether the group is disabled because this host is: by the same word, of one moment.
    fn goes_with(&self, group: &str, host: &str) -> bool {
        let of_group = self.disabled.watch(group);
        of_group.is_some() && of_group == self.disabled.host(host)
    }

    /// Of hosts only the disabling is refused: mon enables any.
    fn refuse_unknown(&self, what: &[Disabling]) -> Result<(), WatchRefusal> {
        for what in what {
            match what {
                Disabling::Host(_) => {}
                Disabling::Watch(group) if !self.has_watch(group) => {
                    return Err(WatchRefusal::UnknownGroup(group.to_string()));
                }
                Disabling::Service(key) if !self.services.contains_key(key) => {
                    return Err(match self.has_watch(&key.group) {
                        true => WatchRefusal::UnknownService(key.clone()),
                        false => WatchRefusal::UnknownGroup(key.group.to_string()),
                    });
                }
                Disabling::Watch(_) | Disabling::Service(_) => {}
            }
        }
        Ok(())
    }

    /// Watched groups that consist of this host.
    fn groups_of_only(&self, host: &str) -> Vec<Arc<str>> {
        let groups = self.watching.groups.iter();
        let alone = groups.filter(|(_, hosts)| matches!(&***hosts, [only] if only == host));
        alone.map(|(group, _)| group.clone()).filter(|group| self.has_watch(group)).collect()
    }

    /// Services whose alerts it silences.
    fn concerned(&self, what: &Disabling) -> Vec<WatchKey> {
        match what {
            Disabling::Host(host) => {
                let own = |spec: &WatchSpec| spec.hosts.as_ref().is_some_and(|h| h.contains(host));
                let services = self.services.iter().filter(|(_, service)| own(&service.spec));
                services.map(|(key, _)| key.clone()).collect()
            }
            Disabling::Service(key) => vec![key.clone()],
            Disabling::Watch(group) => {
                let keys = self.services.range(WatchKey::new(group, "")..).map(|(key, _)| key);
                keys.take_while(|key| key.group == *group).cloned().collect()
            }
        }
    }

    fn test_alert(
        &mut self,
        key: &WatchKey,
        on: AlertOn,
        exit: u8,
        label: &str,
        now: Time,
    ) -> Result<(), WatchRefusal> {
        let spec = self.service_mut(key)?.spec.clone();
        let period = spec.periods.iter().find(|period| period.label == label);
        let period = period.ok_or_else(|| WatchRefusal::UnknownPeriod(label.to_owned()))?;
        let telling = Telling {
            spec: spec.clone(),
            occasion: Occasion::tested(on),
            output: test_output(),
            retval: Some(exit.to_string().into()),
            intended: None,
        };
        let facts = self.facts(&telling);
        for alert in period.alerts.iter().filter(|alert| alert.on == on) {
            if alert.exit.is_none_or(|range| range.contains(exit)) {
                self.call(&telling, &facts, &alert.call, Purpose::Test, now);
            }
        }
        Ok(())
    }

    fn clear_timers(&mut self, key: &WatchKey, now: Time) -> Result<(), WatchRefusal> {
        let clock = self.pause.clock(now);
        let service = self.service_mut(key)?;
        let spec = service.spec.clone();
        let ends = service.trap_ends.and(spec.trap_duration);
        let hurried = service.hurried;
        service.start_timers(None, clock);
        service.trap_ends = ends.map(|lasts| clock + lasts);
        if hurried {
            let asked = service.status.last_check.take();
            service.hurry(clock);
            service.status.last_check = asked;
        }
        service.status.failures_in_a_row = 0;
        for (period, state) in spec.periods.iter().zip(&mut service.periods) {
            if period.throttle.every.is_some() {
                state.last_alert = None;
            }
            state.restart_window();
        }
        self.held.remove(key);
        self.rearm(key, now);
        Ok(())
    }

    /// Until the file says something else about the service, or all is reset.
    fn set_interval(
        &mut self,
        key: &WatchKey,
        interval: Duration,
        now: Time,
    ) -> Result<(), WatchRefusal> {
        let clock = self.pause.clock(now);
        let interval = interval.max(WatchSpec::SHORTEST_INTERVAL);
        let service = self.service_mut(key)?;
        let due = service.beat.map(|beat| beat.due());
        Arc::make_mut(&mut service.spec).interval = Some(interval);
        if !service.hurried && service.spec.monitor.is_some() {
            let first = due.map_or(interval, |due| due.since(clock).min(interval));
            service.beat = Some(super::beat::Beat::new(interval, clock + first));
        }
        self.rearm(key, now);
        Ok(())
    }
}

impl Service {
    /// It is to run now; a service that nobody asks has nothing to run.
    fn bid(&mut self) {
        self.bidden = self.spec.monitor.is_some();
    }
}
