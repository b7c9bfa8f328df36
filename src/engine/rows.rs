//! Telling of single rows: what became of each, for services whose owners are used to hear it.

use super::checks::User;
use super::{CheckId, Engine, Service};
use crate::event::{Event, RowChange, ServiceChange};
use crate::model::{
    ByHand, Destination, Endpoint, Entry, Fallback, KernelName, Phase, RealServer, Role,
    ServiceKey, ServiceSettings, Verdict,
};
use crate::plan::Step;
use crate::target;

impl Engine {
    /// Tells of a step that the kernel took, before it is folded into what is known.
    pub(super) fn tell_step(&mut self, step: &Step) {
        let key = *step.service();
        if !self.kernel.owned.get(&key).is_some_and(|owned| owned.tells_rows) {
            return;
        }
        match *step {
            Step::AddService { .. } => self.tell_record(key, ServiceChange::Added),
            Step::EditService { settings, .. } => {
                let is_finished = |entry: &Entry| is_finishing(&entry.settings, &settings);
                if !self.kernel.observed(&key).is_some_and(is_finished) {
                    self.tell_record(key, ServiceChange::Changed);
                }
            }
            Step::RemoveService { .. } if self.is_leaving() => {
                self.tell_rows_of_the_last_hour(key);
                self.tell_record(key, ServiceChange::PurgedAtStop);
            }
            Step::RemoveService { .. } => self.tell_record(key, ServiceChange::Purged),
            Step::AddDestination { endpoint, destination, .. }
            | Step::EditDestination { endpoint, destination, .. } => {
                self.tell_row(key, endpoint, Some(destination));
            }
            Step::RemoveDestination { endpoint, .. } => self.tell_row(key, endpoint, None),
        }
    }

    /// Tells that a check failed again, or no longer fails, while its servers stay in use.
    pub(super) fn tell_failures(&mut self, id: CheckId) {
        let Some(check) = self.checks.get(id) else { return };
        let (failures, fall) = (check.health.failures(), check.spec.fall);
        let tell = |user: &User| {
            let service = self.services.get(&user.service).filter(|s| s.spec.tells_rows)?;
            let at = user.server as usize;
            let (server, wanted) = (service.servers.get(at)?, service.spec.servers.get(at)?);
            let (service, server, standing) =
                (user.service, wanted.written(), self.standing(service, server, wanted));
            let used = match standing.verdict {
                Verdict::Up => true,
                Verdict::Unknown => standing.found.is_some_and(|weight| weight > 0),
                Verdict::Down => false,
            };
            match failures {
                0 => Some(Event::SoftFailuresReset { service, server }),
                failures => used.then_some(Event::SoftFailure { service, server, failures, fall }),
            }
        };
        let told: Vec<_> = check.users.iter().filter_map(tell).collect();
        self.events.extend(told);
    }

    /// Whether rows go because this director does, and not for what they are.
    fn is_leaving(&self) -> bool {
        self.phase == Phase::Stopping || self.part.role == Role::Standby
    }

    fn tell_record(&mut self, service: ServiceKey, change: ServiceChange) {
        self.events.push_back(Event::VirtualServer { service, change });
    }

    /// The rows in use that go with their service.
    fn tell_rows_of_the_last_hour(&mut self, key: ServiceKey) {
        let (Some(service), Some(entry)) = (self.services.get(&key), self.kernel.observed(&key))
        else {
            return;
        };
        let standings = self.standings(service);
        let used = service.spec.servers.iter().zip(&standings).filter_map(|(server, standing)| {
            let row = entry.destinations.get(&server.endpoint)?;
            let up = standing.verdict != Verdict::Down;
            up.then(|| row_event(key, server, RowChange::PurgedAtStop, row.weight))
        });
        let told: Vec<_> = used.collect();
        self.events.extend(told);
    }

    fn tell_row(&mut self, key: ServiceKey, endpoint: Endpoint, after: Option<Destination>) {
        let before = self.kernel.observed(&key).and_then(|e| e.destinations.get(&endpoint));
        let Some(service) = self.services.get(&key) else { return };
        let real = service.spec.servers.iter().position(|server| server.endpoint == endpoint);
        let fallback = service.spec.fallback.filter(|fallback| fallback.endpoint == endpoint);
        let carried =
            fallback.is_none() || target::is_carried(&service.spec, &self.standings(service));
        let weight = after.or(before.copied()).map_or(0, |row| row.weight);
        let told = match (real.and_then(|at| service.spec.servers.get(at)), fallback) {
            (Some(server), fallback) if !is_fallbacks(server, fallback, before, after, carried) => {
                let in_use = self.is_in_use(service, real);
                let change = change_of(service.spec.by_hand, before, after, in_use);
                row_event(key, server, change, weight)
            }
            (_, Some(_)) => Event::Row {
                service: key,
                server: endpoint,
                change: match (before, after) {
                    (_, None) => RowChange::Deleted,
                    (Some(_), Some(_)) => RowChange::Restored,
                    (None, Some(_)) => RowChange::Added,
                },
                weight,
                fallback: true,
                mapped_from: None,
            },
            _ => Event::Row {
                service: key,
                server: endpoint,
                change: RowChange::Purged,
                weight,
                fallback: false,
                mapped_from: None,
            },
        };
        self.events.push_back(told);
    }

    /// Whether weight 0 is what this server has while it is in use.
    fn is_in_use(&self, service: &Service, real: Option<usize>) -> bool {
        let Some(at) = real else { return false };
        let (Some(server), Some(wanted)) = (service.servers.get(at), service.spec.servers.get(at))
        else {
            return false;
        };
        let standing = self.standing(service, server, wanted);
        standing.verdict == Verdict::Up
            && !standing.drained
            && !wanted.maintenance
            && wanted.destination.weight == 0
    }
}

/// Whether a step on a row that a real server and the fallback share is about the fallback's: it
/// comes as that, or goes as that. Where the two rows are alike, one that comes is the fallback's
/// while nobody carries the service.
fn is_fallbacks(
    server: &RealServer,
    fallback: Option<Fallback>,
    before: Option<&Destination>,
    after: Option<Destination>,
    carried: bool,
) -> bool {
    let row = after.or(before.copied());
    let alike = row == Some(server.destination);
    fallback.is_some_and(|fallback| row == Some(fallback.destination))
        && (!alike || after.is_some() && !carried)
}

fn change_of(
    by_hand: ByHand,
    before: Option<&Destination>,
    after: Option<Destination>,
    in_use: bool,
) -> RowChange {
    match (before, after) {
        (_, None) => RowChange::Deleted,
        (None, Some(row)) if row.weight > 0 || in_use => RowChange::Added,
        (None, Some(_)) if by_hand == ByHand::KeepWeights => RowChange::Readded,
        (Some(_), Some(row)) if row.weight > 0 || in_use => RowChange::Restored,
        (_, Some(_)) => RowChange::Quiesced,
    }
}

fn row_event(service: ServiceKey, server: &RealServer, change: RowChange, weight: u32) -> Event {
    let written = server.written();
    Event::Row {
        service,
        server: server.endpoint,
        change,
        weight,
        fallback: false,
        mapped_from: (written != server.endpoint).then_some(written),
    }
}

/// Whether an edit only ends what adding the service began: a scheduler that is dear to build
/// under comes last.
fn is_finishing(before: &ServiceSettings, after: &ServiceSettings) -> bool {
    before.scheduler == KernelName::NONE
        && ServiceSettings { scheduler: after.scheduler, ..*before } == *after
}
