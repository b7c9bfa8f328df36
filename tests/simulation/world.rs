//! A world for the engine: a kernel made of a map, scripted servers, and a clock that jumps.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use directord::engine::{Action, CheckId, Engine, Ledger, Note, Surroundings};
use directord::event::Event;
use directord::ipvs::{Fake, Kernel};
use directord::model::*;
use directord::plan::{Step, SyncStep};

/// How a real server answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mood {
    Well,
    Refusing,
    /// Swallows packets: the probe ends with its time limit.
    Silent,
    /// The director itself cannot ask.
    Unreachable,
    /// The probe does not come back for a day, whatever its time limit.
    Lost,
}

/// What is on its way to the engine.
#[derive(Debug)]
enum Letter {
    Outcome(CheckId, Outcome, Duration),
    Survey(Result<Survey, KernelError>),
    Glance(Result<Digests, KernelError>),
    Read(Vec<ServiceKey>, Result<Vec<Option<Entry>>, KernelError>),
    Applied(Vec<Step>, Vec<(usize, KernelError)>),
    SyncRead(Result<Vec<SyncDaemon>, KernelError>),
    SyncApplied(Vec<SyncStep>, Vec<(usize, KernelError)>),
}

/// How long the kernel takes to answer anything.
const KERNEL_DELAY: Duration = Duration::from_millis(1);

pub struct World {
    pub engine: Engine,
    pub kernel: Fake,
    pub now: Time,
    pub moods: HashMap<Endpoint, Mood>,
    pub events: Vec<Event>,
    /// What survives a crash: the last memory noted, the ledger and the role.
    pub memory: Memory,
    pub owned: Vec<ServiceKey>,
    pub role: Option<Role>,
    pub finished: bool,
    pub probes: u64,
    /// Every check asked, in order.
    pub asked: Vec<CheckId>,
    /// What each of them was and how long it might take, in order.
    pub questions: Vec<(&'static str, Duration)>,
    /// How often the ledger was written.
    pub ledgers: u64,
    /// How often the sync daemons were looked at.
    pub sync_looks: u64,
    letters: BTreeMap<(Time, u64), Letter>,
    posted: u64,
    order: BinaryHeap<Reverse<(Time, u64)>>,
}

impl World {
    pub fn new(kernel: Fake) -> World {
        let now = Time::after_epoch(Duration::from_secs(1_700_000_000));
        World {
            engine: Engine::new(Memory::default(), [], 1, now),
            kernel,
            now,
            moods: HashMap::new(),
            events: Vec::new(),
            memory: Memory::default(),
            owned: Vec::new(),
            role: None,
            finished: false,
            probes: 0,
            asked: Vec::new(),
            questions: Vec::new(),
            ledgers: 0,
            sync_looks: 0,
            letters: BTreeMap::new(),
            posted: 0,
            order: BinaryHeap::new(),
        }
    }

    /// The daemon dies where it stands and is started again `pause` later, with this
    /// configuration.
    pub fn crash_and_restart(&mut self, pause: Duration, desired: Desired) {
        self.crash(pause);
        self.load(desired);
    }

    /// The daemon dies, and its heir has no configuration yet.
    pub fn crash(&mut self, pause: Duration) {
        self.letters.clear();
        self.order.clear();
        self.now = self.now + pause;
        self.engine = Engine::new(self.memory.clone(), self.owned.clone(), 1, self.now);
        if let Some(role) = self.role {
            self.engine.resume_role(role);
        }
        self.finished = false;
    }

    pub fn load(&mut self, desired: Desired) -> directord::model::Change {
        let changes = self.engine.handle_config(Arc::new(desired), self.now);
        self.carry_out();
        changes
    }

    pub fn command(&mut self, command: Command) -> Result<CommandReport, String> {
        let report = self.engine.handle_command(&command, self.now);
        self.carry_out();
        report
    }

    pub fn play(&mut self, role: Role) {
        self.engine.handle_role(role, "test", self.now);
        self.carry_out();
    }

    /// From now on these files are in the maintenance folder.
    pub fn maintain(&mut self, files: &[&str]) {
        let mut notices = Notices::default();
        files.iter().for_each(|file| notices.post(&maintenance_dir(), file));
        self.engine.handle_maintenance(Arc::new(notices), self.now);
        self.carry_out();
    }

    /// What an administrator does with `ipvsadm`.
    pub fn by_hand(&mut self, service: u8, change: impl FnOnce(&mut Destinations)) {
        self.kernel.table_mut(|table| {
            change(&mut table.services.get_mut(&vip(service)).unwrap().destinations);
        });
    }

    /// Another weight, by hand.
    pub fn weigh(&mut self, service: u8, server: u8, weight: u32) {
        self.by_hand(service, |rows| {
            let row = *rows.get(&at(server)).unwrap();
            rows.insert(at(server), row.with_weight(weight));
        });
    }

    pub fn stop(&mut self, keep: bool) {
        self.engine.handle_stop("test", keep, self.now);
        self.carry_out();
        self.run(Duration::from_secs(1));
    }

    /// Lets time pass.
    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let letter = self.order.peek().map(|Reverse((at, _))| *at);
            let timeout = self.engine.poll_timeout();
            let next = [letter, timeout].into_iter().flatten().min();
            let Some(next) = next.filter(|at| *at <= end && !self.finished) else { break };
            self.now = self.now.max(next);
            if letter == Some(next) {
                self.deliver();
            } else {
                self.engine.handle_timeout(self.now);
            }
            self.carry_out();
        }
        self.now = end;
    }

    pub fn snapshot(&self) -> Snapshot {
        let around = Surroundings {
            pid: 1,
            table: "memory",
            files: Vec::new(),
            held_reload: None,
            vips: Vec::new(),
            watches: Vec::new(),
            disabled: Vec::new(),
            wall: SystemTime::UNIX_EPOCH + self.now.since_epoch(),
        };
        self.engine.snapshot(around, self.now)
    }

    /// The lines of all events since the last call.
    pub fn take_lines(&mut self) -> Vec<String> {
        self.events.drain(..).map(|event| event.to_string()).collect()
    }

    fn deliver(&mut self) {
        let Some(Reverse(stamp)) = self.order.pop() else { return };
        let Some(letter) = self.letters.remove(&stamp) else { return };
        let now = self.now;
        match letter {
            Letter::Outcome(check, outcome, took) => {
                self.engine.handle_outcome(check, outcome, took, now);
            }
            Letter::Glance(digests) => self.engine.handle_glance(digests, KERNEL_DELAY, now),
            Letter::Survey(survey) => self.engine.handle_survey(survey, KERNEL_DELAY, now),
            Letter::Read(keys, records) => self.engine.handle_read(&keys, records, now),
            Letter::Applied(steps, failures) => {
                self.engine.handle_applied(&steps, &failures, now);
            }
            Letter::SyncRead(found) => self.engine.handle_sync_read(found, now),
            Letter::SyncApplied(steps, failures) => {
                self.engine.handle_sync_applied(&steps, &failures, now);
            }
        }
    }

    fn carry_out(&mut self) {
        while let Some(action) = self.engine.poll_action() {
            match action {
                Action::Probe { check, endpoint, spec } => {
                    self.probes += 1;
                    self.asked.push(check);
                    self.questions.push((spec.probe.name(), spec.timeout));
                    let (outcome, took) = answer(self.moods.get(&endpoint), &spec);
                    self.post(took, Letter::Outcome(check, outcome, took));
                }
                Action::Survey => {
                    let survey = self.kernel.survey();
                    self.post(KERNEL_DELAY, Letter::Survey(survey));
                }
                Action::Glance => {
                    let digests = self.kernel.glance();
                    self.post(KERNEL_DELAY, Letter::Glance(digests));
                }
                Action::Read(keys) => {
                    let records = self.kernel.read(&keys);
                    self.post(KERNEL_DELAY, Letter::Read(keys, records));
                }
                Action::Apply(steps) => {
                    let failures = self.kernel.apply(&steps);
                    self.post(KERNEL_DELAY, Letter::Applied(steps, failures));
                }
                Action::ReadSync => {
                    self.sync_looks += 1;
                    let found = self.kernel.sync_daemons();
                    self.post(KERNEL_DELAY, Letter::SyncRead(found));
                }
                Action::ApplySync(steps) => {
                    let failures = self.kernel.apply_sync(&steps);
                    self.post(KERNEL_DELAY, Letter::SyncApplied(steps, failures));
                }
                Action::Own(ledger) => {
                    self.ledgers += 1;
                    match ledger {
                        Ledger::All(keys) => self.owned = keys,
                        Ledger::Added(keys) => self.owned.extend(keys),
                    }
                }
                Action::Remember { note: Note::All(memory), .. } => self.memory = memory,
                Action::Remember { note: Note::Changed(checks), .. } => {
                    self.memory.checks.extend(checks);
                }
                Action::NoteRole(role) => self.role = Some(role),
                Action::Finish => self.finished = true,
            }
        }
        while let Some(event) = self.engine.poll_event() {
            self.events.push(event);
        }
    }

    fn post(&mut self, after: Duration, letter: Letter) {
        self.posted += 1;
        let stamp = (self.now + after, self.posted);
        self.letters.insert(stamp, letter);
        self.order.push(Reverse(stamp));
    }
}

/// A server without a mood is well.
fn answer(mood: Option<&Mood>, spec: &CheckSpec) -> (Outcome, Duration) {
    let soon = Duration::from_millis(2);
    match mood.copied().unwrap_or(Mood::Well) {
        Mood::Well => (Outcome::Pass, soon),
        Mood::Refusing => (Outcome::Fail("connect: connection refused".into()), soon),
        Mood::Silent => (Outcome::Fail("connect: timed out".into()), spec.timeout),
        Mood::Unreachable => (Outcome::Local("connect: network is unreachable".into()), soon),
        Mood::Lost => (Outcome::Pass, Duration::from_secs(86_400)),
    }
}

pub const SECOND: Duration = Duration::from_secs(1);

/// A director that serves this, settled for three seconds.
pub fn running(services: impl IntoIterator<Item = VirtualService>) -> World {
    let mut world = World::new(Fake::new());
    world.load(desired(services));
    world.run(3 * SECOND);
    world.take_lines();
    world
}

/// Real server `n`, on port 80.
pub fn at(n: u8) -> Endpoint {
    Endpoint::new([10, 0, 0, n].into(), 80)
}

/// Virtual service `n`, on port 80.
pub fn vip(n: u8) -> ServiceKey {
    ServiceKey::Address { protocol: Protocol::Tcp, address: [192, 0, 2, n].into(), port: 80 }
}

pub fn every_second() -> CheckSpec {
    CheckSpec {
        probe: Probe::Connect,
        interval: Duration::from_secs(1),
        retry: Duration::from_secs(1),
        timeout: Duration::from_millis(500),
        rise: 1,
        fall: 1,
        between: None,
    }
}

/// Service `n` with these real servers, each with weight 5 and checked every second.
pub fn service(n: u8, servers: &[u8]) -> VirtualService {
    let check = Arc::new(every_second());
    let server = |&s: &u8| RealServer {
        endpoint: at(s),
        destination: Destination::plain(ForwardingMethod::Masq, 5),
        check_endpoint: at(s),
        check: check.clone(),
        written_port: 80,
        maintenance: false,
    };
    VirtualService {
        key: vip(n),
        name: None,
        settings: ServiceSettings::plain(KernelName::new("wlc").unwrap()),
        servers: servers.iter().map(server).collect(),
        fallback: None,
        on_failure: FailureAction::Reset,
        on_stop: StopAction::Remove,
        by_hand: ByHand::Repair,
        tells_rows: false,
        is_partial: false,
        maintenance_dir: None,
        vips: Vec::new(),
    }
}

pub fn maintenance_dir() -> Arc<PathBuf> {
    Arc::new(PathBuf::from("/etc/ldirectord/maintenance"))
}

/// A service as a `.cf` file without `quiescent` and `readdquiescent` makes it.
pub fn cf(service: VirtualService) -> VirtualService {
    VirtualService {
        on_failure: FailureAction::Remove,
        by_hand: ByHand::KeepWeightsAndRemovals,
        tells_rows: true,
        is_partial: false,
        maintenance_dir: Some(maintenance_dir()),
        ..service
    }
}

/// The same with `quiescent=yes`.
pub fn quiescent(service: VirtualService) -> VirtualService {
    VirtualService { on_failure: FailureAction::Quiesce, ..cf(service) }
}

pub fn with_fallback(mut service: VirtualService, fallback: u8, weight: u32) -> VirtualService {
    let destination = Destination::plain(ForwardingMethod::Gate, weight);
    service.fallback = Some(Fallback { endpoint: at(fallback), destination });
    service
}

pub fn with_check(mut service: VirtualService, check: CheckSpec) -> VirtualService {
    let check = Arc::new(check);
    service.servers.iter_mut().for_each(|server| server.check = check.clone());
    service
}

pub fn desired(services: impl IntoIterator<Item = VirtualService>) -> Desired {
    let services = services.into_iter().map(|service| (service.key, Arc::new(service)));
    Desired { services: services.collect(), ..Desired::default() }
}

/// `1:5 2:0` for servers 1 and 2 with weights 5 and 0; `none` without the service.
pub fn rows(table: &Table, service: u8) -> String {
    let Some(entry) = table.services.get(&vip(service)) else { return "none".into() };
    let row = |(endpoint, row): (&Endpoint, &Destination)| match endpoint.address {
        std::net::IpAddr::V4(address) => format!("{}:{}", address.octets()[3], row.weight),
        std::net::IpAddr::V6(address) => format!("{address}:{}", row.weight),
    };
    entry.destinations.iter().map(row).collect::<Vec<_>>().join(" ")
}
