//! The one owner of state: inputs and `now` in, actions, events and the next deadline out.
//!
//! `handle_*` takes what happened, `poll_*` hands out what to do about it, the rest looks. The
//! engine waits for nobody: whatever comes of an action returns by the front door, as one more
//! input. It reads no clock, opens nothing and may be run through a day of failures in a second.
//!
//! ```text
//! handle_config, handle_outcome, handle_command, handle_role, handle_maintenance, handle_timeout,
//! handle_survey, handle_glance, handle_read, handle_applied, handle_sync_read, handle_sync_applied
//!                                    |
//!                     services, checks, what the kernel holds
//!                                    |
//!                        poll_action, poll_event, poll_timeout
//! ```
//!
//! A turn of reconciliation (in `reconcile`) asks one thing of the kernel at a time, the most
//! urgent first: write what differs, read what is not known, read back what was written, survey.

#![forbid(unsafe_code)]

mod checks;
mod hands;
mod kernel;
mod maintenance;
mod reconcile;
mod role;
mod rows;
mod sync;
mod view;
mod vips;
mod vitals;

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::event::Event;
use crate::health::Health;
use crate::model::{
    Change, CheckSpec, Command, CommandReport, Desired, Drain, Endpoint, Entry, Memory, Notices,
    Outcome, Phase, Probe, RealServer, Remembered, Role, ServiceKey, StopAction, Time, Verdict,
    VirtualService,
};
use crate::plan::{Step, SyncStep};
use crate::target::{self, Hand, Standing};

pub use checks::CheckId;
use checks::{Check, Checks, User};
use kernel::KernelSide;
use maintenance::Maintenance;
use role::Part;
use sync::SyncSide;
pub use view::Surroundings;
pub use vitals::PATIENCE;

/// How far apart first probes go out: a thousand within a tenth of a second, more of them at a
/// thousand a second. Faster than servers and director can follow (1,400 a second where both share
/// one slow processor), probes would time out in queues and wait a whole interval for the next.
const FIRST_PROBE_PACE: (Duration, Duration) =
    (Duration::from_micros(100), Duration::from_millis(1));

/// How much of a start goes out at the faster pace.
const FAST_START: Duration = Duration::from_millis(100);

/// Probes started at one go. A director that cannot keep up starts them late; one that started
/// all that are due would let those under way time out in its own queue, and hold thousands.
const STARTS: usize = 64;

/// How long a change of health may stay unwritten.
const REMEMBER_AFTER: Duration = Duration::from_secs(1);

/// When notes that could not be written are tried again.
const REMEMBER_AGAIN: Duration = Duration::from_secs(10);

/// Notes of single checks on top of a complete one, at least, before the next complete one: a
/// megabyte of text.
const NOTES_ON_TOP: usize = 10_000;

/// Something to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Carry out this check and hand the outcome to [`Engine::handle_outcome`].
    Probe { check: CheckId, endpoint: Endpoint, spec: Arc<CheckSpec> },
    /// Survey the kernel's table, for [`Engine::handle_survey`].
    Survey,
    /// Look at the digests of one alone, for [`Engine::handle_glance`].
    Glance,
    /// Read these services in full, for [`Engine::handle_read`].
    Read(Vec<ServiceKey>),
    /// Carry out these steps, for [`Engine::handle_applied`].
    Apply(Vec<Step>),
    /// Look which sync daemons there are, for [`Engine::handle_sync_read`].
    ReadSync,
    /// Carry out these steps, for [`Engine::handle_sync_applied`].
    ApplySync(Vec<SyncStep>),
    /// Note durably which services are ours, before any later action is carried out.
    Own(Ledger),
    /// Note what is known of the servers; when `first`, before any later action is carried out.
    Remember { note: Note, first: bool },
    /// Note the role durably, before any later action is carried out.
    NoteRole(Role),
    /// All is done; the daemon may end.
    Finish,
}

/// What is to be noted of the services that are ours.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ledger {
    /// In place of everything noted before.
    All(Vec<ServiceKey>),
    /// These as well.
    Added(Vec<ServiceKey>),
}

/// What is to be noted of the servers, so that the next run knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Note {
    /// In place of everything noted before.
    All(Memory),
    /// These checks, by digest, on top of what was noted before.
    Changed(Vec<(u64, Remembered)>),
}

/// See the module's head.
#[derive(Debug)]
pub struct Engine {
    phase: Phase,
    part: Part,
    started: Time,
    /// Chooses the phases of the checks.
    seed: u64,
    desired: Arc<Desired>,
    services: BTreeMap<ServiceKey, Service>,
    /// Those with addresses of their own: few, and looked at whenever the table changes.
    with_vips: BTreeSet<ServiceKey>,
    checks: Checks,
    drains: BTreeSet<Drain>,
    /// The same by programs.
    withdrawn: BTreeSet<Drain>,
    notices: Arc<Notices>,
    /// Checks some server waits for to come back from maintenance.
    returning: HashSet<CheckId>,
    /// Services an earlier run noted as ours that no configuration has asked for yet.
    unclaimed: BTreeSet<ServiceKey>,
    /// See [`Engine::spare_unclaimed`].
    spare: bool,
    kernel: KernelSide,
    sync: SyncSide,
    /// What an earlier run knew, by digest; taken from as checks are created.
    memory: Memory,
    remember_at: Option<Time>,
    /// Checks whose health is not noted as it is.
    unnoted: BTreeSet<CheckId>,
    /// Changes noted on top of the last complete note; `None` before the first.
    noted_on_top: Option<usize>,
    /// Whether a server came back since the memory was last noted.
    recovered: bool,
    /// Whether what is noted is not what we asked to be noted.
    notes_lost: bool,
    /// Whether this run has noted what is ours, as a whole.
    ledger_begun: bool,
    /// Whether the first table has been reported as ready.
    ready: bool,
    keep_all: bool,
    /// See [`Engine::poll_backings`].
    backings_changed: bool,
    finished: bool,
    actions: VecDeque<Action>,
    events: VecDeque<Event>,
}

/// A virtual service in force.
#[derive(Debug)]
struct Service {
    spec: Arc<VirtualService>,
    /// In the order of `spec.servers`.
    servers: Vec<Server>,
    /// Whether it is carried, as last told; `None` before all is known.
    told: Option<bool>,
}

#[derive(Clone, Debug)]
struct Server {
    check: CheckId,
    /// See [`Standing::found`].
    found: Option<u32>,
    /// Whether the table has used it since its service was loaded, or would but for being held.
    used: bool,
    /// See [`Standing::hand`].
    hand: Option<Hand>,
    maintenance: Option<Maintenance>,
}

impl Engine {
    /// `memory` and `owned` are what an earlier run noted by [`Action::Remember`] and
    /// [`Action::Own`]. Services noted as ours that no configuration asks for are removed from
    /// the kernel.
    pub fn new(
        memory: Memory,
        owned: impl IntoIterator<Item = ServiceKey>,
        seed: u64,
        now: Time,
    ) -> Engine {
        let mut kernel = KernelSide::new(owned, now);
        kernel.dirty = kernel.unread.clone();
        let unclaimed = kernel.unread.clone();
        Engine {
            phase: Phase::Starting,
            part: Part::default(),
            started: now,
            seed,
            desired: Arc::default(),
            services: BTreeMap::new(),
            with_vips: BTreeSet::new(),
            checks: Checks::default(),
            drains: memory.drains.iter().copied().collect(),
            withdrawn: memory.withdrawn.iter().copied().collect(),
            notices: Arc::default(),
            returning: HashSet::new(),
            unclaimed,
            spare: false,
            kernel,
            sync: SyncSide::default(),
            memory,
            remember_at: None,
            unnoted: BTreeSet::new(),
            noted_on_top: None,
            recovered: false,
            notes_lost: false,
            ledger_begun: false,
            ready: false,
            keep_all: false,
            backings_changed: false,
            finished: false,
            actions: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Whether services that an earlier run noted as ours, and that nobody has asked for yet,
    /// are left as they are. A file of which nothing can be put in force may be the one that
    /// asks for them.
    pub fn spare_unclaimed(&mut self, spare: bool) {
        if std::mem::replace(&mut self.spare, spare) && !spare {
            self.kernel.dirty.extend(&self.unclaimed);
        }
    }

    /// Takes a new configuration, whole. What did not change keeps its checks, its verdicts and
    /// its records in the kernel.
    pub fn handle_config(&mut self, desired: Arc<Desired>, now: Time) -> Change {
        if self.phase == Phase::Stopping {
            return Change::default();
        }
        if !self.ledger_begun {
            self.begin_role(desired.settings.role);
        }
        self.backings_changed = true;
        let change = Change::between(&self.desired, &desired);
        let mut first = now;
        let mut newly_owned = Vec::new();
        for key in change.added.iter().chain(&change.changed) {
            let Some(spec) = desired.services.get(key) else { continue };
            if self.kernel.own(*key) {
                newly_owned.push(*key);
            }
            self.install(spec.clone(), &mut first, now);
        }
        self.sync.configure(desired.settings.sync.as_ref());
        self.desired = desired;
        for key in &change.removed {
            self.uninstall(key);
        }
        // What an earlier run left on disk may lack its end: a run begins with a ledger of its own.
        let begun = std::mem::replace(&mut self.ledger_begun, true);
        if !begun || newly_owned.len() * 4 > self.kernel.owned.len() {
            self.note_all_owned();
        } else if !newly_owned.is_empty() {
            self.actions.push_back(Action::Own(Ledger::Added(newly_owned)));
        }
        // What the first configuration did not ask for is no news any more to a later one.
        self.memory.checks.clear();
        // The first configuration has nothing to differ from but the defaults.
        if change.is_of_services() || (begun && !change.is_empty()) {
            self.events.push_back(Event::ConfigApplied {
                added: change.added.len(),
                changed: change.changed.len(),
                removed: change.removed.len(),
                services: self.services.len(),
                alerts: change.alerts.len(),
                watching: begun && change.watching,
                settings: begun && change.settings,
            });
        }
        self.turn(now);
        change
    }

    /// Puts a service in force, in place of the one with its key. Its checks are acquired before
    /// the old one's are released, so that a check both have lives on.
    fn install(&mut self, spec: Arc<VirtualService>, first: &mut Time, now: Time) {
        let key = spec.key;
        self.unclaimed.remove(&key);
        let place = |(at, server): (usize, &RealServer)| {
            let check = self.acquire(server, first, now);
            self.checks.add_user(check, User { service: key, server: at as u32 });
            Server { check, found: None, used: false, hand: None, maintenance: None }
        };
        let servers = spec.servers.iter().enumerate().map(place).collect();
        let old = self.services.get(&key);
        let (told, out) = (old.and_then(|old| old.told), old.map(maintenance::of));
        self.uninstall(&key);
        self.kernel.set_tells_rows(&key, spec.tells_rows);
        if !spec.vips.is_empty() {
            self.with_vips.insert(key);
        }
        self.services.insert(key, Service { spec, servers, told });
        self.adopt(&key, now);
        self.inherit_maintenance(&key, out.unwrap_or_default());
        self.kernel.dirty.insert(key);
        self.tell_service(&key);
    }

    fn uninstall(&mut self, key: &ServiceKey) {
        let Some(service) = self.services.remove(key) else { return };
        self.with_vips.remove(key);
        for (at, server) in service.servers.iter().enumerate() {
            self.checks.remove_user(server.check, key, at as u32);
        }
        self.kernel.troubles.remove(key);
        self.kernel.dirty.insert(*key);
    }

    /// The check of this server: the one in force, one an earlier run knew, or a new one.
    fn acquire(&mut self, server: &RealServer, first: &mut Time, now: Time) -> CheckId {
        if let Some(id) = self.checks.find(server.check_endpoint, &server.check) {
            return id;
        }
        let (endpoint, spec) = (server.check_endpoint, server.check.clone());
        let digest = spec.digest(&endpoint);
        let known = self.memory.checks.remove(&digest).filter(|_| spec.probe.asks());
        let recalled = known.and_then(|known| recall(&known, now));
        let due = *first;
        if spec.probe.asks() {
            let (fast, steady) = FIRST_PROBE_PACE;
            *first = *first + if first.since(now) < FAST_START { fast } else { steady };
        }
        self.checks.insert(endpoint, spec, digest, recalled, due, self.seed)
    }

    /// Notes the weights with which servers were found in the kernel, for those without a
    /// verdict.
    ///
    /// A server remembered as up that the table does not use went down after that was noted.
    /// One remembered as down stays down, whatever the table says. Before the table was read it
    /// says nothing.
    fn adopt(&mut self, key: &ServiceKey, now: Time) {
        let Some(service) = self.services.get(key) else { return };
        let spec = service.spec.clone();
        let rows = target::found(&spec, self.kernel.observed(key));
        let is_read = self.kernel.is_read(key);
        for (at, (row, wanted)) in rows.into_iter().zip(&spec.servers).enumerate() {
            let used = self.is_used(row, wanted, *key);
            let Some(server) = self.services.get_mut(key).and_then(|s| s.servers.get_mut(at))
            else {
                continue;
            };
            server.found = row;
            // For good: a row that is missing later is missing by mistake.
            server.used |= used;
            // One that maintenance took out says nothing about its check.
            let used = used || server.maintenance.is_some();
            let is_up = |c: &Check| c.health.verdict() == Verdict::Up;
            if is_read && !used && self.checks.get(server.check).is_some_and(is_up) {
                self.checks.doubt(server.check, now);
            }
        }
    }

    /// Whether the table uses a server, by the weight it has there.
    fn is_used(&self, row: Option<u32>, wanted: &RealServer, service: ServiceKey) -> bool {
        let held = wanted.maintenance || self.is_drained(wanted.endpoint, service);
        // Weight 0 tells nothing where it is what was asked for.
        let idle = held || wanted.destination.weight == 0;
        row.is_some_and(|weight| weight > 0 || idle)
    }

    /// Takes in what a probe found.
    pub fn handle_outcome(&mut self, id: CheckId, outcome: Outcome, took: Duration, now: Time) {
        let hold = self.desired.settings.local_error_hold;
        let Some(check) = self.checks.get(id) else { return };
        let could_ask = check.health.local_error().is_none();
        let counters = (check.health.passes(), check.health.failures());
        let passed = outcome == Outcome::Pass;
        let Some((before, after)) = self.checks.finish(id, outcome, took, hold, now) else {
            return;
        };
        let Some(check) = self.checks.get(id) else { return };
        self.events.extend(could_ask_event(check, could_ask));
        if counters != (check.health.passes(), check.health.failures()) {
            self.unnoted.insert(id);
            self.remember_at = self.remember_at.or(Some(now + REMEMBER_AFTER));
        }
        if counters.1 != check.health.failures() {
            self.tell_failures(id);
        }
        // Asked first whether there is any: a set that is empty costs no hash.
        if passed && !self.returning.is_empty() && self.returning.remove(&id) {
            self.end_maintenance(id);
        }
        let Some(check) = self.checks.get(id) else { return };
        if before != after {
            let users = check.users.clone();
            let told: Vec<_> = users.iter().filter_map(|u| self.verdict_event(u, after)).collect();
            self.events.extend(told);
            self.recovered |= before == Verdict::Down;
            for user in &users {
                self.drop_hand(user);
                self.kernel.dirty.insert(user.service);
                self.tell_service(&user.service);
            }
        }
        self.turn(now);
    }

    fn verdict_event(&self, user: &User, verdict: Verdict) -> Option<Event> {
        let service = self.services.get(&user.service)?;
        let at = user.server as usize;
        let (server, wanted) = (service.servers.get(at)?, service.spec.servers.get(at)?);
        let check = self.checks.get(server.check)?;
        let (service, server, name) = (user.service, wanted.endpoint, check.spec.probe.name());
        match verdict {
            Verdict::Up => Some(Event::ServerUp { service, server, check: name }),
            Verdict::Down => Some(Event::ServerDown {
                service,
                server,
                check: name,
                fall: check.spec.fall,
                reason: check.health.reason().unwrap_or("no reason given").to_owned(),
            }),
            Verdict::Unknown => None,
        }
    }

    /// Reports that a service is carried, or no longer, once that is known and when it changes.
    fn tell_service(&mut self, key: &ServiceKey) {
        let Some(service) = self.services.get(key) else { return };
        let standings = self.standings(service);
        let carried = target::is_carried(&service.spec, &standings);
        let settled = carried || standings.iter().all(|s| s.verdict != Verdict::Unknown);
        if !settled || service.told == Some(carried) {
            return;
        }
        // That all is well with what a start finds is the one line of the table's being ready, but
        // for those who have programs to tell.
        let is_first = service.told.is_none() && self.phase == Phase::Starting;
        let is_news = !carried || !is_first || service.spec.tells_rows;
        let fallback = service.spec.fallback.map(|fallback| fallback.endpoint.to_string());
        if is_news {
            self.events.push_back(match carried {
                true => Event::ServiceUp { service: *key },
                false => Event::ServiceDown { service: *key, fallback },
            });
        }
        if let Some(service) = self.services.get_mut(key) {
            service.told = Some(carried);
        }
        self.backings_changed = true;
    }

    /// Takes the operator's word, or a program's. The error is for whoever said it.
    pub fn handle_command(
        &mut self,
        command: &Command,
        now: Time,
    ) -> Result<CommandReport, String> {
        let (server, service, drain) = match command {
            Command::Drain { server, service } | Command::Withdraw { server, service } => {
                (server, service, true)
            }
            Command::Undrain { server, service } | Command::Restore { server, service } => {
                (server, service, false)
            }
        };
        let endpoint: Endpoint = server
            .parse::<std::net::SocketAddr>()
            .map(Endpoint::from)
            .map_err(|_| format!("{server} is no ADDRESS:PORT, such as 10.0.0.7:80"))?;
        let service = match service {
            None => None,
            Some(text) => Some(text.parse::<ServiceKey>().map_err(|error| error.to_string())?),
        };
        let mut affected = self.users_of(endpoint, service.as_ref());
        if affected.is_empty() {
            return Err(format!("no service has a real server {endpoint}: see directord status"));
        }
        let word = Drain { server: endpoint, service };
        match command {
            Command::Drain { .. } => drop(self.drains.insert(word)),
            Command::Withdraw { .. } => drop(self.withdrawn.insert(word)),
            Command::Undrain { .. } => self.undrain(endpoint, service),
            Command::Restore { .. } => {
                let was_said = self.withdrawn.remove(&word);
                affected.retain(|key| was_said && !self.is_drained(endpoint, *key));
            }
        }
        for key in &affected {
            self.events.push_back(match drain {
                true => Event::Drained { service: *key, server: endpoint },
                false => Event::Undrained { service: *key, server: endpoint },
            });
            self.drop_hands(key, endpoint);
            self.kernel.dirty.insert(*key);
            self.tell_service(key);
        }
        // The operator's word is noted before it shows in the table: whoever saw it obeyed may
        // rely on it to outlive us.
        self.noted_on_top = None;
        self.remember(true, now);
        self.turn(now);
        let name = |key: &ServiceKey| format!("{endpoint} of {key}");
        Ok(CommandReport { affected: affected.iter().map(name).collect() })
    }

    /// Taking back the word for all services takes back those for single ones; taking it back
    /// for one service leaves it as it is for the others.
    fn undrain(&mut self, server: Endpoint, service: Option<ServiceKey>) {
        let mut others = if service.is_some() { self.users_of(server, None) } else { vec![] };
        others.retain(|other| Some(*other) != service);
        for words in [&mut self.drains, &mut self.withdrawn] {
            let of_all = words.contains(&Drain { server, service: None });
            words.retain(|word| {
                let meant = service.is_none() || word.service.is_none() || word.service == service;
                word.server != server || !meant
            });
            if of_all {
                words.extend(others.iter().map(|other| Drain { server, service: Some(*other) }));
            }
        }
    }

    /// The services with this real server.
    fn users_of(&self, server: Endpoint, only: Option<&ServiceKey>) -> Vec<ServiceKey> {
        let candidates = self.services.iter().filter(|(key, _)| only.is_none_or(|o| o == *key));
        let uses = candidates.filter(|(_, s)| s.spec.servers.iter().any(|r| r.endpoint == server));
        uses.map(|(key, _)| *key).collect()
    }

    /// Begins to stop: probes end, and services are removed or kept as `on_stop` says; with
    /// `keep_all` every service is kept. [`Action::Finish`] follows.
    pub fn handle_stop(&mut self, cause: &str, keep_all: bool, now: Time) {
        if self.phase == Phase::Stopping {
            return;
        }
        self.phase = Phase::Stopping;
        self.keep_all = keep_all;
        self.backings_changed = true;
        self.events.push_back(Event::Stopping { cause: cause.to_owned(), keep: keep_all });
        self.noted_on_top = None;
        self.remember(true, now);
        self.checks.stop_asking();
        self.kernel.prepare_stop();
        self.sync.disturb();
        self.turn(now);
    }

    /// A deadline from [`Engine::poll_timeout`] has come.
    ///
    /// Not everything that is due is done in one call: [`Engine::poll_timeout`] tells when to call
    /// again, which may be at once, after other work had its turn.
    pub fn handle_timeout(&mut self, now: Time) {
        for _ in 0..STARTS {
            let Some((check, endpoint, spec)) = self.checks.start_due(now) else { break };
            self.actions.push_back(Action::Probe { check, endpoint, spec });
        }
        if self.remember_at.is_some_and(|at| at <= now) {
            self.remember(false, now);
        }
        self.turn(now);
    }

    /// Whether every check was carried out at least once, and all that came of it is in the
    /// kernel.
    pub fn is_settled(&self) -> bool {
        self.ready && !self.kernel.busy && self.kernel.dirty.is_empty() && self.checks.all_tried()
    }

    /// Whom a check speaks for: services, the server's place in each, and whether a file holds it
    /// in maintenance there.
    pub fn subjects(&self, check: CheckId) -> impl Iterator<Item = (ServiceKey, usize, bool)> {
        let users = self.checks.get(check).into_iter().flat_map(|check| &check.users);
        users.map(|user| {
            let (service, at) = (user.service, user.server as usize);
            let server = self.services.get(&service).and_then(|service| service.servers.get(at));
            let posted =
                |server: &Server| matches!(server.maintenance, Some(Maintenance::Posted(_)));
            (service, at, server.is_some_and(posted))
        })
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`Engine::handle_timeout`] is to be called, if nothing happens before.
    pub fn poll_timeout(&self) -> Option<Time> {
        let kernel = if self.phase == Phase::Stopping { None } else { self.kernel.next_turn() };
        // Nothing is asked about it while the kernel is busy, or gone.
        let sync = kernel.filter(|_| self.kernel.outage.is_none()).and(self.sync.next_turn());
        [self.checks.next_due(), self.remember_at, kernel, sync].into_iter().flatten().min()
    }

    /// What was to be noted could not be written. It is tried again, whole, after a while.
    pub fn handle_notes_lost(&mut self, now: Time) {
        self.noted_on_top = None;
        self.notes_lost = true;
        self.remember_at = Some(now + REMEMBER_AGAIN);
    }

    fn note_all_owned(&mut self) {
        let owned = self.kernel.owned.keys().copied().collect();
        self.actions.push_back(Action::Own(Ledger::All(owned)));
    }

    fn remember(&mut self, first: bool, now: Time) {
        self.remember_at = None;
        if std::mem::take(&mut self.notes_lost) {
            self.note_all_owned();
            if self.part.given {
                self.actions.push_back(Action::NoteRole(self.part.role));
            }
        }
        let note = self.note(now);
        self.actions.push_back(Action::Remember { note, first });
    }

    /// What changed since the last note; everything when that is not much more, when it is time
    /// to begin afresh, or when more than health changed.
    fn note(&mut self, now: Time) -> Note {
        let unnoted = std::mem::take(&mut self.unnoted);
        let on_top = self.noted_on_top.map(|noted| noted + unnoted.len());
        let limit = (4 * self.checks.len()).max(NOTES_ON_TOP);
        match on_top {
            Some(on_top) if on_top <= limit && unnoted.len() * 4 <= self.checks.len().max(16) => {
                self.noted_on_top = Some(on_top);
                let known = unnoted.into_iter().filter_map(|id| self.checks.get(id));
                Note::Changed(known.map(view::remembered).collect())
            }
            _ => {
                self.noted_on_top = Some(0);
                Note::All(self.memory(now))
            }
        }
    }

    fn standings(&self, service: &Service) -> Vec<Standing> {
        let all = service.servers.iter().zip(&service.spec.servers);
        all.map(|(server, wanted)| self.standing(service, server, wanted)).collect()
    }

    fn standing(&self, service: &Service, server: &Server, wanted: &RealServer) -> Standing {
        let standing = Standing {
            verdict: match wanted.check.probe {
                Probe::AsFound if server.used => Verdict::Up,
                Probe::AsFound if self.kernel.is_read(&service.spec.key) => Verdict::Down,
                _ => self.verdict(server.check),
            },
            found: server.found,
            hand: server.hand,
            drained: self.is_drained(wanted.endpoint, service.spec.key),
        };
        match server.maintenance {
            Some(_) => maintenance::out(standing, service.spec.on_failure),
            None => standing,
        }
    }

    fn verdict(&self, check: CheckId) -> Verdict {
        self.checks.get(check).map_or(Verdict::Unknown, |check| check.health.verdict())
    }

    fn is_drained(&self, server: Endpoint, service: ServiceKey) -> bool {
        let holds = |words: &BTreeSet<Drain>| {
            let is_said = |service| words.contains(&Drain { server, service });
            !words.is_empty() && (is_said(None) || is_said(Some(service)))
        };
        holds(&self.drains) || holds(&self.withdrawn)
    }

    fn is_spared(&self, key: &ServiceKey) -> bool {
        self.spare && self.unclaimed.contains(key)
    }

    /// The record the kernel should hold under this key.
    fn target(&self, key: &ServiceKey) -> Option<Entry> {
        let service = self.services.get(key);
        if self.phase == Phase::Stopping {
            let kept = service.is_some_and(|s| s.spec.on_stop == StopAction::Keep);
            return if kept || self.keep_all { self.kernel.observed(key).cloned() } else { None };
        }
        if self.is_spared(key) {
            return self.kernel.observed(key).cloned();
        }
        if self.part.role == Role::Standby {
            return self.on_standby(key);
        }
        let present = self.kernel.observed(key);
        service.map(|service| target::entry(&service.spec, &self.standings(service), present))
    }
}

/// The health an earlier run left behind.
fn recall(known: &Remembered, now: Time) -> Option<Health> {
    if known.verdict == Verdict::Unknown {
        return None;
    }
    let since = Time::after_epoch(Duration::from_millis(known.since_unix_ms)).min(now);
    let reason = known.reason.as_deref();
    Some(Health::remembered(known.verdict, since, known.passes, known.failures, reason))
}

fn could_ask_event(check: &Check, could_ask: bool) -> Option<Event> {
    let (server, name) = (check.endpoint, check.spec.probe.name());
    match (could_ask, check.health.local_error()) {
        (true, Some(reason)) => {
            Some(Event::CannotAsk { server, check: name, reason: reason.to_owned() })
        }
        (false, None) => Some(Event::CanAsk { server, check: name }),
        _ => None,
    }
}
