//! What the engine shows: its state as a snapshot, its memory, and what a configuration would do.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::maintenance::{self, Maintenance};
use super::{Check, Engine, Server, Service};
use crate::health::Health;
use crate::model::{
    Between, CheckSpec, CheckView, Desired, DisabledStatus, Entry, FileView, KernelView, Memory,
    Phase, PlanLine, Probe, RealServer, Remembered, Role, ServerView, ServiceKey, ServiceView,
    Snapshot, StopAction, Time, Verdict, VipView, VirtualService, WatchStatus,
};
use crate::plan;
use crate::target::{self, Hand, Standing};

/// What a snapshot tells that the engine does not know.
#[derive(Clone, Debug)]
pub struct Surroundings {
    pub pid: u32,
    /// `kernel` or `memory`.
    pub table: &'static str,
    pub files: Vec<Arc<FileView>>,
    pub held_reload: Option<String>,
    pub vips: Vec<VipView>,
    pub watches: Vec<WatchStatus>,
    pub disabled: Vec<DisabledStatus>,
    /// The wall clock at the moment of the snapshot.
    pub wall: SystemTime,
}

impl Engine {
    /// The configuration in force.
    pub fn desired(&self) -> &Arc<Desired> {
        &self.desired
    }

    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The services in force.
    pub fn services(&self) -> impl Iterator<Item = &VirtualService> {
        self.services.values().map(|service| &*service.spec)
    }

    /// The whole state at this moment. Walks every service.
    pub fn snapshot(&self, around: Surroundings, now: Time) -> Snapshot {
        let services: Vec<_> =
            self.services.values().map(|s| self.service_view(s, &around, now)).collect();
        let goes = |key: &&ServiceKey| !self.services.contains_key(key) && !self.is_spared(key);
        let leaving = self.kernel.owned.keys().filter(goes);
        let out_of_sync = services.iter().filter(|s| !s.in_sync).count() + leaving.count();
        Snapshot {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: around.pid,
            phase: self.phase,
            role: self.part.role,
            started: wall(self.started, &around, now),
            kernel: KernelView {
                table: around.table.to_owned(),
                out_of_sync,
                foreign: self.kernel.foreign,
                compared_seconds_ago: self.kernel.compared.map(|at| now.since(at).as_secs_f64()),
                drift_repaired: self.kernel.drift_repaired,
                writes: self.kernel.writes,
                error: self.kernel.outage.as_ref().map(|outage| outage.message.clone()),
            },
            sync: self.sync_view(),
            files: around.files,
            held_reload: around.held_reload,
            services,
            vips: around.vips,
            watches: around.watches,
            disabled: around.disabled,
        }
    }

    fn service_view(&self, service: &Service, around: &Surroundings, now: Time) -> ServiceView {
        let key = service.spec.key;
        let standings = self.standings(service);
        let up = target::is_carried(&service.spec, &standings);
        let observed = self.kernel.observed(&key);
        let wanted = self.target(&key);
        let in_sync = self.kernel.surveyed
            && self.kernel.is_read(&key)
            && self.kernel.outage.is_none()
            && observed == wanted.as_ref();
        let origin = self.desired.origins.get(&key);
        let servers = service.servers.iter().zip(&service.spec.servers).zip(&standings);
        ServiceView {
            service: key.to_string(),
            name: service.spec.name.clone(),
            origin: origin.map(|origin| format!("{}:{}", origin.file.display(), origin.line)),
            scheduler: service.spec.settings.scheduler.to_string(),
            up,
            fallback_active: self.part.role == Role::Active
                && service.spec.fallback.is_some()
                && !up,
            fallback: service.spec.fallback.map(|fallback| fallback.endpoint.to_string()),
            in_sync,
            error: self.kernel.troubles.get(&key).map(|trouble| trouble.message.clone()),
            servers: servers
                .map(|((server, spec), standing)| {
                    self.server_view(server, spec, *standing, observed, around, now)
                })
                .collect(),
        }
    }

    fn server_view(
        &self,
        server: &Server,
        spec: &RealServer,
        standing: Standing,
        observed: Option<&Entry>,
        around: &Surroundings,
        now: Time,
    ) -> ServerView {
        let check = self.checks.get(server.check);
        let health = check.map(|check| &check.health);
        let row = observed.and_then(|entry| entry.destinations.get(&spec.endpoint));
        let hand = matches!(standing.hand, Some(Hand::Weight(_)));
        let held = match &server.maintenance {
            Some(Maintenance::Posted(file)) => Some(format!("maintenance {file}")),
            Some(Maintenance::Over) => Some("after maintenance".to_owned()),
            None if standing.drained => Some("drain".to_owned()),
            None if spec.maintenance => Some("maintenance".to_owned()),
            None => hand.then(|| "by hand".to_owned()),
        };
        let verdict = match spec.check.probe {
            Probe::AsFound => standing.verdict,
            _ => health.map_or(Verdict::Unknown, Health::verdict),
        };
        ServerView {
            server: spec.endpoint.to_string(),
            forward: spec.destination.forward.to_string(),
            weight: spec.destination.weight,
            kernel_weight: row.map(|row| row.weight),
            verdict,
            since: wall(health.map_or(now, Health::since), around, now),
            reason: reason(verdict, health),
            held,
            check: check.map_or_else(CheckView::default, check_view),
        }
    }

    /// What an heir of this daemon should know.
    pub fn memory(&self, now: Time) -> Memory {
        Memory {
            written_unix_ms: unix_ms(now),
            checks: self.checks.iter().filter(|c| c.spec.probe.asks()).map(remembered).collect(),
            drains: self.drains.iter().copied().collect(),
            withdrawn: self.withdrawn.iter().copied().collect(),
        }
    }

    /// What taking this configuration would change in the kernel, in words.
    ///
    /// Servers that nobody asked yet are taken to be well, for a person wants to see the table as
    /// it will be; services whose records have not been read are taken to be absent.
    pub fn preview(&self, desired: &Desired) -> Vec<PlanLine> {
        let goes = |key: &&ServiceKey| !desired.services.contains_key(key) && !self.is_spared(key);
        let leaving = self.kernel.owned.keys().filter(goes);
        let wanted = desired.services.iter().map(|(key, spec)| (key, Some(spec)));
        let all = wanted.chain(leaving.map(|key| (key, None)));
        let lines = all.flat_map(|(key, spec)| {
            let observed = self.kernel.observed(key);
            let target = match (spec, self.part.role) {
                (Some(spec), Role::Active) => {
                    Some(target::entry(spec, &self.prospects(spec), None))
                }
                (Some(spec), Role::Standby) if spec.on_stop == StopAction::Keep => {
                    observed.cloned()
                }
                _ => None,
            };
            plan::describe(key, observed, target.as_ref())
        });
        lines.collect()
    }

    /// How the servers of a service would stand if it were taken now.
    fn prospects(&self, spec: &VirtualService) -> Vec<Standing> {
        // A service that does not change keeps what was done to it by hand, and who is out.
        if let Some(service) = self.services.get(&spec.key).filter(|s| *s.spec == *spec) {
            let sure =
                |standing: Standing| Standing { verdict: prospect(standing.verdict), ..standing };
            return self.standings(service).into_iter().map(sure).collect();
        }
        let observed = self.kernel.observed(&spec.key);
        let standing = |server: &RealServer| {
            let check = self.checks.find(server.check_endpoint, &server.check);
            let row = observed.and_then(|entry| entry.destinations.get(&server.endpoint));
            let drained = self.is_drained(server.endpoint, spec.key);
            let found = row.map(|row| row.weight);
            let verdict = match check {
                _ if server.check.probe == Probe::AsFound => {
                    match self.is_used(found, server, spec.key) {
                        true => Verdict::Up,
                        false => Verdict::Down,
                    }
                }
                Some(id) => self.verdict(id),
                None => Health::new(&server.check.probe, Time::ZERO).verdict(),
            };
            let standing = Standing { verdict: prospect(verdict), found, hand: None, drained };
            match self.notice(spec, server) {
                Some(_) => maintenance::out(standing, spec.on_failure),
                None => standing,
            }
        };
        spec.servers.iter().map(standing).collect()
    }
}

/// A server nobody asked yet is taken to be well.
fn prospect(verdict: Verdict) -> Verdict {
    if verdict == Verdict::Unknown { Verdict::Up } else { verdict }
}

/// A check as it is noted: its digest, and what is known of it.
pub(super) fn remembered(check: &Check) -> (u64, Remembered) {
    let health = &check.health;
    let known = Remembered {
        verdict: health.verdict(),
        since_unix_ms: unix_ms(health.since()),
        passes: health.passes(),
        failures: health.failures(),
        reason: health.reason().map(str::to_owned),
    };
    (check.digest, known)
}

fn check_view(check: &Check) -> CheckView {
    let spec = &check.spec;
    CheckView {
        what: what(spec, check),
        interval_ms: millis(spec.interval),
        timeout_ms: millis(spec.timeout),
        passes: check.health.passes(),
        rise: spec.rise,
        failures: check.health.failures(),
        fall: spec.fall,
        last_ms: check.took.map(|took| took.as_secs_f64() * 1000.0),
        local_error: check.health.local_error().map(str::to_owned),
    }
}

/// `http 10.0.0.7:80`, `http 10.0.0.7:80, 3 connects between`.
fn what(spec: &CheckSpec, check: &Check) -> String {
    let whole = format!("{} {}", spec.probe.name(), check.endpoint);
    match &spec.between {
        None => whole,
        Some(Between { times, probe, .. }) if probe.is_connect() => {
            format!("{whole}, {times} connects between")
        }
        Some(Between { times, .. }) => {
            format!("{whole}, every {} intervals", u32::from(*times) + 1)
        }
    }
}

fn reason(verdict: Verdict, health: Option<&Health>) -> Option<String> {
    let told = health.and_then(Health::reason);
    match (verdict, told) {
        (Verdict::Unknown, None) => Some("not answered yet".to_owned()),
        (_, told) => told.map(str::to_owned),
    }
}

/// A point of our clock on the wall's, whatever became of the wall's since we started.
fn wall(at: Time, around: &Surroundings, now: Time) -> SystemTime {
    around.wall.checked_sub(now.since(at)).unwrap_or(SystemTime::UNIX_EPOCH)
}

fn unix_ms(at: Time) -> u64 {
    millis(at.since_epoch())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
