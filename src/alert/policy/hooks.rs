//! Programs: when a service is carried no longer and again, when a file changed, and the further
//! directors that live as long as this one.
//!
//! A fallback command is run when its service's state is known for the first time, when it
//! changes, and with `stop` when a service that is down goes, or the director stops, or stands by,
//! and takes it out of the table. A service that stays in the table stays as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use crate::alert::Command;
use crate::event::ldirectord::{Virtual, protocol};
use crate::model::{Desired, Head, Hook, ServiceKey, StopAction};

/// What a hook may take: longer ones hang.
const HOOK_LIMIT: Duration = Duration::from_secs(60);

/// What another director may take to start or to stop; it has limits of its own, a minute and
/// some seconds.
const FURTHER_LIMIT: Duration = Duration::from_secs(120);

#[derive(Default, Debug)]
pub(super) struct Hooks {
    /// Which services are carried, as far as known.
    up: BTreeMap<ServiceKey, bool>,
    /// What each service's command was last told, and which command that was.
    called: BTreeMap<ServiceKey, (Hook, bool)>,
    /// Further configurations that were started; `None` before the table was ready.
    further: Option<BTreeSet<String>>,
    /// Whether the operator wants everything read again.
    pub reload_asked: bool,
}

impl Hooks {
    pub fn take_config(&mut self, desired: &Desired) -> Vec<Command> {
        let mut commands = Vec::new();
        self.up.retain(|key, _| desired.services.contains_key(key));
        self.called.retain(|key, (hook, up)| {
            let same = command_of(desired, key) == Some(&*hook);
            if !same && !*up {
                commands.push(call(hook, key, true));
            }
            same
        });
        for (key, up) in &self.up {
            commands.extend(turn(&mut self.called, key, *up, desired));
        }
        commands
    }

    /// The service is carried now, or is not.
    pub fn turn(&mut self, key: ServiceKey, up: bool, desired: &Desired) -> Option<Command> {
        // A later configuration may give it a command; those of our own dialect have none.
        if desired.services.get(&key).is_some_and(|service| service.tells_rows) {
            self.up.insert(key, up);
        }
        turn(&mut self.called, &key, up, desired)
    }

    /// This director becomes the one that tells: every command hears how its service is.
    pub fn begin_anew(&mut self, desired: &Desired) -> Vec<Command> {
        self.called.clear();
        let told = self.up.iter().filter_map(|(key, up)| turn(&mut self.called, key, *up, desired));
        told.collect()
    }

    /// The director stops; with `keep` every service stays in the table.
    pub fn stop(&mut self, keep: bool, desired: &Desired) -> Vec<Command> {
        let mut commands = Vec::new();
        for (key, (hook, up)) in &mut self.called {
            let goes = |service: &std::sync::Arc<crate::model::VirtualService>| {
                service.on_stop == StopAction::Remove
            };
            if !*up && !keep && desired.services.get(key).is_some_and(goes) {
                *up = true;
                commands.push(call(hook, key, true));
            }
        }
        commands
    }

    pub fn start_further(&mut self, names: &[String], program: &[String]) -> Vec<Command> {
        let started = self.further.get_or_insert_default();
        let news = names.iter().filter(|name| started.insert((*name).clone()));
        news.map(|name| further(program, name, "start")).collect()
    }

    /// Starts what is new, stops what is gone, and has the rest read its files again. One that
    /// was stopped meanwhile is started; one that runs does not mind.
    pub fn reload_further(
        &mut self,
        names: &[String],
        changed: bool,
        program: &[String],
    ) -> Vec<Command> {
        let asked = std::mem::take(&mut self.reload_asked);
        let Some(started) = &mut self.further else { return Vec::new() };
        let mut commands = Vec::new();
        started.retain(|name| {
            let stays = names.contains(name);
            if !stays {
                commands.push(further(program, name, "stop"));
            } else if asked || changed {
                commands.push(further(program, name, "start"));
                commands.push(further(program, name, "reload"));
            }
            stays
        });
        let news = self.start_further(names, program);
        commands.into_iter().chain(news).collect()
    }

    pub fn stop_further(&mut self, program: &[String]) -> Vec<Command> {
        let started = self.further.take().unwrap_or_default();
        started.iter().map(|name| further(program, name, "stop")).collect()
    }
}

fn command_of<'d>(desired: &'d Desired, key: &ServiceKey) -> Option<&'d Hook> {
    desired.alerts.get(key)?.fallback_command.as_ref()
}

fn turn(
    called: &mut BTreeMap<ServiceKey, (Hook, bool)>,
    key: &ServiceKey,
    up: bool,
    desired: &Desired,
) -> Option<Command> {
    let hook = command_of(desired, key)?;
    let before = called.insert(*key, (hook.clone(), up));
    (before != Some((hook.clone(), up))).then(|| call(hook, key, up))
}

/// `COMMAND start|stop ADDRESS:PORT PROTOCOL`; a mark's own number in place of the address.
fn call(hook: &Hook, key: &ServiceKey, up: bool) -> Command {
    let word = if up { "stop" } else { "start" };
    let own = [word.to_owned(), Virtual(key).to_string(), protocol(key).to_owned()];
    command(format!("fallbackcommand of {key}"), hook.argv.iter().cloned().chain(own))
}

/// The file's path is the one argument.
pub(super) fn callback(file: &Path, head: &Head) -> Option<Command> {
    let file = file.display().to_string();
    let argv = head.callback.as_ref()?.argv.iter().cloned().chain([file.clone()]);
    Some(command(format!("callback of {file}"), argv))
}

fn command(lane: String, argv: impl Iterator<Item = String>) -> Command {
    Command { lane, argv: argv.collect(), inherits: true, limit: HOOK_LIMIT }
}

fn further(program: &[String], name: &str, action: &str) -> Command {
    let own = [name.to_owned(), action.to_owned()];
    Command {
        lane: format!("execute of {name}"),
        argv: program.iter().cloned().chain(own).collect(),
        inherits: true,
        limit: FURTHER_LIMIT,
    }
}
