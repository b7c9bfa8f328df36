//! Servers taken out by a file in a maintenance folder.
//!
//! Such a server is treated as one whose check failed, at once. When the file is gone it comes
//! back with the next pass of its check, not before: nobody knows what was done to it.

use std::collections::HashMap;
use std::sync::Arc;

use super::checks::User;
use super::{CheckId, Engine, Server, Service};
use crate::event::Event;
use crate::model::{
    Endpoint, FailureAction, Notices, RealServer, ServiceKey, Time, Verdict, VirtualService,
};
use crate::target::Standing;

/// How maintenance holds a server of a service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Maintenance {
    /// By the file of this name.
    Posted(Arc<str>),
    /// No longer, but its check has not passed since.
    Over,
}

impl Engine {
    /// Takes in what is posted in the maintenance folders.
    pub fn handle_maintenance(&mut self, notices: Arc<Notices>, now: Time) {
        self.notices = notices;
        self.returning.retain(|check| self.checks.get(*check).is_some());
        let with_folder = |s: &&Service| s.spec.maintenance_dir.is_some();
        let keys: Vec<_> = self.services.values().filter(with_folder).map(|s| s.spec.key).collect();
        for key in &keys {
            self.post(key);
        }
        self.turn(now);
    }

    /// The file that takes out this server of this service, if there is one.
    pub(super) fn notice(&self, spec: &VirtualService, server: &RealServer) -> Option<&Arc<str>> {
        notice(&self.notices, spec, server)
    }

    /// Compares the notices with who is in maintenance.
    fn post(&mut self, key: &ServiceKey) {
        let Some(service) = self.services.get_mut(key) else { return };
        let spec = service.spec.clone();
        let mut changed = false;
        for (server, wanted) in service.servers.iter_mut().zip(&spec.servers) {
            let file = notice(&self.notices, &spec, wanted);
            let next = next(file, wanted, server.maintenance.as_ref());
            if next == server.maintenance {
                continue;
            }
            changed = true;
            let before = std::mem::replace(&mut server.maintenance, next);
            server.hand = None;
            self.events.extend(event(key, wanted.endpoint, before.as_ref(), server));
            if server.maintenance == Some(Maintenance::Over) {
                self.returning.insert(server.check);
            }
        }
        if changed {
            self.kernel.dirty.insert(*key);
            self.tell_service(key);
        }
    }

    /// Gives the servers of a service that was just put in force their place in maintenance;
    /// `before` is that of its predecessor's, by endpoint.
    pub(super) fn inherit_maintenance(
        &mut self,
        key: &ServiceKey,
        before: HashMap<Endpoint, Maintenance>,
    ) {
        if let Some(service) = self.services.get_mut(key).filter(|_| !before.is_empty()) {
            let spec = service.spec.clone();
            for (server, wanted) in service.servers.iter_mut().zip(&spec.servers) {
                server.maintenance = before.get(&wanted.endpoint).cloned();
                if server.maintenance == Some(Maintenance::Over) {
                    self.returning.insert(server.check);
                }
            }
        }
        self.post(key);
    }

    /// The check passed: whoever waited for that is back.
    pub(super) fn end_maintenance(&mut self, check: CheckId) {
        let Some(users) = self.checks.get(check).map(|check| check.users.clone()) else { return };
        for User { service: key, server } in users {
            let service = self.services.get_mut(&key);
            let server = service.and_then(|service| service.servers.get_mut(server as usize));
            if let Some(server) = server.filter(|s| s.maintenance == Some(Maintenance::Over)) {
                server.maintenance = None;
                self.kernel.dirty.insert(key);
                self.tell_service(&key);
            }
        }
    }
}

/// How a server stands that maintenance takes out: as one whose check failed. Where that would
/// reset its connections it is only held, as by the operator's word.
pub(super) fn out(standing: Standing, on_failure: FailureAction) -> Standing {
    match on_failure {
        FailureAction::Reset => Standing { drained: true, ..standing },
        _ => Standing { verdict: Verdict::Down, ..standing },
    }
}

/// Who of a service is in maintenance.
pub(super) fn of(service: &Service) -> HashMap<Endpoint, Maintenance> {
    let servers = service.servers.iter().zip(&service.spec.servers);
    servers.filter_map(|(s, wanted)| Some((wanted.endpoint, s.maintenance.clone()?))).collect()
}

fn notice<'n>(
    notices: &'n Notices,
    spec: &VirtualService,
    server: &RealServer,
) -> Option<&'n Arc<str>> {
    notices.on(spec.maintenance_dir.as_ref()?, server.written())
}

fn next(
    file: Option<&Arc<str>>,
    wanted: &RealServer,
    before: Option<&Maintenance>,
) -> Option<Maintenance> {
    match (file, before) {
        (Some(file), _) => Some(Maintenance::Posted(file.clone())),
        // A check that asks nothing never passes either.
        (None, Some(_)) if wanted.check.probe.asks() => Some(Maintenance::Over),
        (None, _) => None,
    }
}

fn event(
    key: &ServiceKey,
    endpoint: Endpoint,
    before: Option<&Maintenance>,
    server: &Server,
) -> Option<Event> {
    match (before, &server.maintenance) {
        // Another file says the same.
        (Some(Maintenance::Posted(_)), Some(Maintenance::Posted(_))) => None,
        (_, Some(Maintenance::Posted(file))) => Some(Event::MaintenanceBegan {
            service: *key,
            server: endpoint,
            file: file.to_string(),
        }),
        (Some(Maintenance::Posted(_)), _) => {
            Some(Event::MaintenanceEnded { service: *key, server: endpoint })
        }
        _ => None,
    }
}
