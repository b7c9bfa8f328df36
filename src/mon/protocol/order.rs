//! What a client has done, and what is said of how it went.

use super::reply::Reply;
use super::session::Host;
use super::status::seconds;
use crate::model::{Disabling, WatchKey, WatchOrder, WatchRefusal};

/// Something for the watcher to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Order(pub WatchOrder);

/// Something for the director to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Act {
    /// Read the configuration again. Without `keep_state` every service starts anew.
    Reset {
        stopped: bool,
        keep_state: bool,
    },
    /// Read the file again that says who may do what.
    ReloadAccess,
    /// Read the configuration, and do nothing with it.
    TestConfiguration,
    Save(Saved),
    Load(Saved),
    /// End the director.
    Terminate,
}

/// Parts of the state that are in files.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Saved {
    pub disabled: bool,
    pub status: bool,
}

impl Order {
    /// The reply, now that it was carried out or refused.
    pub fn reply(&self, result: &Result<(), WatchRefusal>) -> Reply {
        match result {
            Ok(()) => self.done(),
            Err(refusal) => self.refused(refusal),
        }
    }

    fn done(&self) -> Reply {
        let mut reply = Reply::default();
        let last = match &self.0 {
            WatchOrder::Acknowledge { .. } => "220 ack completed",
            WatchOrder::Disable { what, .. } => match what.first() {
                Some(Disabling::Watch(_)) => "220 disable watch completed",
                Some(Disabling::Service(_)) => "220 disable service completed",
                _ => "220 disable host completed",
            },
            WatchOrder::Enable { what } => match what.first() {
                Some(Disabling::Watch(_)) => "220 enable watch completed",
                _ => "220 enable completed",
            },
            WatchOrder::TestMonitor(_) => "220 test monitor completed",
            WatchOrder::TestAlert { .. } => "220 test alert completed",
            WatchOrder::ClearTimers(_) => "220 clear timers completed",
            WatchOrder::StartScheduler => "220 start completed",
            WatchOrder::StopScheduler => "220 stop completed",
            WatchOrder::SetHistory(_) => "220 set completed",
            WatchOrder::SetInterval { key, interval } => {
                reply.data(&was_set(key, "interval", &seconds(*interval)));
                "220 set completed"
            }
            WatchOrder::SetDescription { key, text } => {
                reply.data(&was_set(key, "description", text));
                "220 set completed"
            }
        };
        reply.done(last)
    }

    fn refused(&self, refusal: &WatchRefusal) -> Reply {
        let is_group = matches!(refusal, WatchRefusal::UnknownGroup(_));
        let last = match &self.0 {
            WatchOrder::Acknowledge { .. } if is_group => "520 unknown group".to_owned(),
            WatchOrder::Acknowledge { .. } => match refusal {
                WatchRefusal::NotFailing(_) => "520 service is in a non-failure state".to_owned(),
                _ => "520 unknown service".to_owned(),
            },
            WatchOrder::Disable { what, .. } => not_disabled(what, refusal),
            WatchOrder::Enable { what } => match what.first() {
                Some(Disabling::Watch(_)) => "520 enable error, unknown watch".to_owned(),
                Some(Disabling::Service(_)) => "520 enable error, unknown group".to_owned(),
                // What is not disabled is as it was asked to be.
                _ => "220 enable completed".to_owned(),
            },
            // A monitor that is not there is told of, and no error: so scripts know it.
            WatchOrder::TestMonitor(key) => {
                let mut reply = Reply::default();
                reply.data(&format!("{} {} not defined", key.group, key.service));
                return reply.done("220 test monitor completed");
            }
            WatchOrder::TestAlert { key, .. } => match refusal {
                WatchRefusal::UnknownPeriod(_) => "520 period not defined".to_owned(),
                _ => format!("520 {} {} not defined", key.group, key.service),
            },
            WatchOrder::ClearTimers(_) => "520 unknown group".to_owned(),
            WatchOrder::SetInterval { key, .. } | WatchOrder::SetDescription { key, .. } => {
                format!("520 {},{} not defined", key.group, key.service)
            }
            WatchOrder::StartScheduler | WatchOrder::StopScheduler | WatchOrder::SetHistory(_) => {
                format!("520 {refusal}")
            }
        };
        Reply::of(&last)
    }
}

fn was_set(key: &WatchKey, name: &str, value: &str) -> String {
    format!("{} {} {name}='{value}'", key.group, key.service)
}

fn not_disabled(what: &[Disabling], refusal: &WatchRefusal) -> String {
    match (what.first(), refusal) {
        (Some(Disabling::Watch(name)), _) => {
            format!("520 disable error, unknown watch \"{name}\"")
        }
        (Some(Disabling::Service(_)), _) => "520 disable error, unknown service".to_owned(),
        (_, WatchRefusal::UnknownHosts(hosts)) => {
            format!("520 disable host failed, host(s) {} do not exist", hosts.join(" "))
        }
        (_, refusal) => format!("520 disable host failed, {refusal}"),
    }
}

impl Act {
    /// The reply, now that it was done, or was not: then with the reasons, a line each.
    pub fn reply(&self, host: &Host, result: &Result<(), Vec<String>>) -> Reply {
        let here = format!("PID {}@{}", host.process, host.name);
        let reasons = || match result {
            Err(reasons) if !reasons.is_empty() => reasons.join(", "),
            _ => "not possible".to_owned(),
        };
        let last = match (self, result.is_ok()) {
            (Act::Reset { .. }, true) => format!("220 reset {here}"),
            (Act::Reset { .. }, false) => {
                format!("520 reset {here} failed, error in config file")
            }
            (Act::ReloadAccess, true) => "220 reload completed".to_owned(),
            (Act::ReloadAccess, false) => format!("520 reload failed, {}", reasons()),
            (Act::TestConfiguration, _) => return tested(result),
            (Act::Save(_), true) => "220 savestate completed".to_owned(),
            (Act::Save(_), false) => format!("520 savestate error, {}", reasons()),
            (Act::Load(_), true) => "220 loadstate completed".to_owned(),
            (Act::Load(_), false) => format!("520 loadstate error, {}", reasons()),
            (Act::Terminate, true) => {
                return Reply::of("220 terminating server").closing();
            }
            (Act::Terminate, false) => format!("520 term failed, {}", reasons()),
        };
        Reply::of(&last)
    }
}

fn tested(result: &Result<(), Vec<String>>) -> Reply {
    let mut reply = Reply::default();
    let Err(mistakes) = result else {
        return reply.done("220 test config completed OK, no errors found");
    };
    for mistake in mistakes {
        reply.data(mistake);
    }
    reply.done("520 test config completed, errors found in config file")
}
