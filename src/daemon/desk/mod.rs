//! The desk where everything that is watched is looked after: mon's half of the daemon.
//!
//! ```text
//! configuration, findings, traps, clients --> Watcher --> monitors, alerts, lines
//!                                                |
//!                              results --> checks of real servers that wait for one
//! ```
//!
//! The other way round, what checks of real servers find is told of where a service has `alerts`:
//! the outcomes come by here on their way to the engine, and nothing of it goes back there.
//!
//! As the loop does for the engine, this takes no decision: the watcher takes them all.

mod everything;
mod notes;
mod port;
mod waiting;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::clock::Clock;
use super::director::Answer;
use super::{Input, Options};
use crate::alert::{Call, Delivery, Environment, Sink};
use crate::model::{
    Desired, Disabling, Endpoint, Outcome, ServiceKey, Time, Trap, WallTime, WatchKey, WatchOrder,
    WatchView, Watching,
};
use crate::mon::{self, protocol};
use crate::probe::Prober;
use crate::probe::monitor::{Found, Monitors};
use crate::watch::{
    AlertJob, Keep, MonitorRun, Priority, RunId, SchedulerState, WatchAction, WatchEvent, Watcher,
};

use everything::{Servers, everything};
use notes::Notes;
use port::Port;
use waiting::Waiting;

/// An alert may take this long; mon lets it take for ever.
const ALERT_LIMIT: Duration = Duration::from_secs(60);

/// Something that happened to what is watched.
#[derive(Debug)]
pub enum News {
    /// A monitor has ended.
    Found {
        run: RunId,
        found: Found,
    },
    Trap(Trap),
    Asked(mon::Request),
    /// The state is on disk, or why not.
    Saved(Result<(), String>),
}

/// All of it.
pub struct Desk {
    clock: Clock,
    watcher: Watcher,
    monitors: Monitors,
    inputs: UnboundedSender<Input>,
    watching: Arc<Watching>,
    servers: Servers,
    running: HashMap<RunId, (WatchKey, AbortHandle)>,
    waiting: Waiting,
    notes: Notes,
    port: Port,
    /// For alerts that ask this director for something.
    runtime_dir: String,
    /// What is to be handed on by whoever delivers.
    due: Vec<Delivery>,
    /// Somebody asked for a reset, and the configuration is being read.
    reset: Option<Reset>,
}

/// A `reset` under way.
struct Reset {
    stopped: bool,
    keep: Keep,
    reply: oneshot::Sender<Result<(), Vec<String>>>,
}

/// What the loop is to do for a client.
pub enum Errand {
    /// Read the configuration again, whole.
    Reload,
    /// See whether the configuration has mistakes; the answer is theirs.
    Test(oneshot::Sender<Result<(), Vec<String>>>),
    Stop,
}

impl Desk {
    /// A desk that watches nothing yet. What an earlier run remembered is taken up.
    pub fn new(
        options: &Options,
        clock: Clock,
        prober: Prober,
        seed: u64,
        inputs: UnboundedSender<Input>,
    ) -> Desk {
        let mut watcher = Watcher::new(seed, Box::new(wall));
        let notes = Notes::new(options.state_dir.join("watched"));
        if let Some(saved) = notes.load() {
            watcher.load(saved, clock.now());
        }
        if options.mon.as_ref().is_some_and(|persona| persona.stopped) {
            let _ = watcher.handle_order(WatchOrder::StopScheduler, clock.now());
        }
        Desk {
            clock,
            watcher,
            monitors: Monitors::new(prober),
            port: Port::new(options.mon.is_some(), inputs.clone()),
            runtime_dir: options.runtime_dir.display().to_string(),
            inputs,
            watching: Arc::default(),
            servers: Servers::default(),
            running: HashMap::new(),
            waiting: Waiting::default(),
            notes,
            due: Vec::new(),
            reset: None,
        }
    }

    /// Watches what this configuration asks for from now on.
    pub fn handle_config(&mut self, desired: &Desired, now: Time) {
        let reset = self.reset.take();
        let keep = reset.as_ref().map_or(Keep::State, |reset| reset.keep);
        if reset.as_ref().is_some_and(|reset| reset.stopped) {
            // First: nobody is told of such a start.
            let _ = self.watcher.handle_order(WatchOrder::StopScheduler, now);
        }
        let (watching, servers) = everything(desired);
        self.servers = servers;
        // The same file again may be worth a start-up alert, where that is wished.
        if *self.watching != watching || reset.is_some() {
            self.watching = Arc::new(watching);
            self.watcher.handle_config(self.watching.clone(), keep, now);
            self.notes.mark(Instant::now());
        }
        self.waiting.follow(&self.watching);
        self.waiting.look_around(|key| self.watcher.view(key, now));
        self.port.follow(desired);
        if let Some(Reset { reply, .. }) = reset {
            let _ = reply.send(Ok(()));
        }
        self.carry_out();
    }

    /// A configuration that was asked for was not taken.
    pub fn handle_refusal(&mut self, mistakes: Vec<String>) {
        if let Some(reset) = self.reset.take() {
            let _ = reset.reply.send(Err(mistakes));
        }
    }

    /// Whether anybody is told in mon's way of what checks of real servers find.
    pub fn hears_checks(&self) -> bool {
        !self.servers.is_empty()
    }

    /// A check came out like this, for these services and their servers by their places.
    pub fn handle_outcome(
        &mut self,
        subjects: impl Iterator<Item = (ServiceKey, usize, bool)>,
        outcome: &Outcome,
        now: Time,
    ) {
        for (service, server, _) in subjects {
            if let Some((key, finding)) = self.servers.finding(&service, server, outcome) {
                self.watcher.handle_outcome(key, finding, now);
            }
        }
        self.carry_out();
    }

    /// The check of a real server waits for the next result of these.
    pub fn ask(&mut self, keys: &Arc<[WatchKey]>, server: Endpoint, answer: Answer) {
        let now = self.clock.now();
        self.waiting.add(keys.clone(), server, answer, |key| self.watcher.view(key, now));
    }

    /// Takes in what happened; gives what the loop is to do for it.
    pub fn handle(&mut self, news: News, now: Time) -> Option<Errand> {
        let errand = match news {
            News::Found { run, found } => {
                if let Some((key, _)) = self.running.remove(&run) {
                    self.watcher.handle_result(run, found.finding.clone(), now);
                    self.waiting.result(&key, found);
                }
                None
            }
            News::Trap(trap) => {
                match self.watcher.handle_trap(trap.clone(), now) {
                    Ok(()) => self.waiting.trap(&trap, now, |key| self.watcher.view(key, now)),
                    Err(why) => tracing::warn!("mon trap: {why}"),
                }
                None
            }
            News::Asked(request) => {
                let errand = self.answer(request, now);
                self.waiting.look_around(|key| self.watcher.view(key, now));
                errand
            }
            News::Saved(outcome) => {
                self.notes.saved(outcome, Instant::now());
                None
            }
        };
        self.carry_out();
        errand
    }

    /// When to come back.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let watcher = self.watcher.poll_timeout().map(|at| self.clock.instant(at));
        watcher.into_iter().chain(self.notes.due()).min()
    }

    pub fn handle_timeout(&mut self, now: Time) {
        if self.watcher.poll_timeout().is_some_and(|at| at <= now) {
            self.watcher.handle_timeout(now);
            self.waiting.timeout(now, |key| self.watcher.view(key, now));
            self.carry_out();
        }
        self.notes.begin(Instant::now(), || self.watcher.save(), &self.inputs);
    }

    /// What is to be handed on.
    pub fn deliveries(&mut self) -> Vec<Delivery> {
        std::mem::take(&mut self.due)
    }

    /// Ends what runs, and puts on disk what the next run must know.
    pub async fn farewell(&mut self, limit: Duration) {
        self.running.drain().for_each(|(_, (_, task))| task.abort());
        self.port.close();
        if !self.watching.services.is_empty() {
            self.notes.finish(self.watcher.save(), limit).await;
        }
    }

    fn carry_out(&mut self) {
        while let Some(action) = self.watcher.poll_action() {
            match action {
                WatchAction::Run(run) => self.run(*run),
                WatchAction::Abandon(run) => {
                    if let Some((_, task)) = self.running.remove(&run) {
                        task.abort();
                    }
                }
                WatchAction::Alert(job) => {
                    self.notes.mark(Instant::now());
                    self.due.push(Delivery::Call(call(*job, &self.runtime_dir)));
                }
                WatchAction::Log(event) => {
                    if matches!(event, WatchEvent::Failed { .. }) {
                        self.notes.mark(Instant::now());
                    }
                    log(&event);
                }
                WatchAction::Note { file, lines } => {
                    let file = Arc::new(file);
                    let lines = lines.lines().map(str::to_owned);
                    let to_file = |line| Delivery::Line(Sink::Bare(file.clone()), line);
                    self.due.extend(lines.map(to_file));
                }
            }
        }
    }

    fn run(&mut self, run: MonitorRun) {
        let (monitors, inputs) = (self.monitors.clone(), self.inputs.clone());
        let MonitorRun { run, key, call, hosts, environment } = run;
        let task = tokio::spawn(async move {
            let found = monitors.run(&call, &hosts, &environment).await;
            let _ = inputs.send(Input::Watched(News::Found { run, found }));
        });
        self.running.insert(run, (key, task.abort_handle()));
    }

    fn answer(&mut self, request: mon::Request, now: Time) -> Option<Errand> {
        match request {
            mon::Request::Look(parts, reply) => {
                let _ = reply.send(self.scene(parts, now));
                None
            }
            mon::Request::Order(order, reply) => {
                let _ = reply.send(self.watcher.handle_order(order, now));
                self.notes.mark(Instant::now());
                None
            }
            mon::Request::Act(act, reply) => self.act(act, reply, now),
        }
    }

    fn act(
        &mut self,
        act: protocol::Act,
        reply: oneshot::Sender<Result<(), Vec<String>>>,
        now: Time,
    ) -> Option<Errand> {
        match act {
            protocol::Act::Reset { stopped, keep_state } => {
                let keep = if keep_state { Keep::State } else { Keep::Nothing };
                self.reset = Some(Reset { stopped, keep, reply });
                Some(Errand::Reload)
            }
            protocol::Act::ReloadAccess => {
                self.port.read_rules(Some(reply));
                None
            }
            protocol::Act::TestConfiguration => Some(Errand::Test(reply)),
            protocol::Act::Save(what) => {
                let folder = &self.watching.settings.folders.state;
                let texts = [
                    what.disabled.then(|| ("disabled", self.watcher.disabled_file())),
                    what.status.then(|| ("opstatus", self.watcher.opstatus_file())),
                ];
                notes::write_texts(folder, texts.into_iter().flatten().collect(), reply);
                None
            }
            protocol::Act::Load(what) => {
                let folder = self.watching.settings.folders.state.clone();
                let loaded = self.load_texts(&folder, what, now);
                let _ = reply.send(loaded);
                None
            }
            protocol::Act::Terminate => {
                let _ = reply.send(Ok(()));
                Some(Errand::Stop)
            }
        }
    }

    /// The files are small, were written by us, and are read when somebody asks for it by hand.
    fn load_texts(
        &mut self,
        folder: &std::path::Path,
        what: protocol::Saved,
        now: Time,
    ) -> Result<(), Vec<String>> {
        if what.disabled {
            let text = notes::read_text(&folder.join("disabled"))?;
            self.watcher.load_disabled_file(&text, now);
        }
        if what.status {
            let text = notes::read_text(&folder.join("opstatus"))?;
            self.watcher.load_opstatus_file(&text, now);
        }
        Ok(())
    }

    fn scene(&self, parts: protocol::Parts, now: Time) -> protocol::Scene {
        let watcher = &self.watcher;
        let (mut disabled_hosts, mut disabled_watches) = (BTreeSet::new(), BTreeSet::new());
        let mut disabled_services = BTreeSet::new();
        for (what, _) in watcher.disabled() {
            match what {
                Disabling::Host(host) => drop(disabled_hosts.insert(host)),
                Disabling::Watch(group) => drop(disabled_watches.insert(group)),
                Disabling::Service(key) => drop(disabled_services.insert(key)),
            }
        }
        let of_its_own = |mut view: WatchView| {
            view.disabled.take_if(|_| !disabled_services.contains(&view.spec.key));
            view
        };
        protocol::Scene {
            now,
            local: wall(now),
            watching: self.watching.clone(),
            stopped_since: match watcher.scheduler() {
                SchedulerState::StoppedSince(since) => Some(since),
                SchedulerState::Running => None,
            },
            history: watcher.history_length(),
            disabled_hosts,
            disabled_watches,
            services: match parts.services {
                // The watcher calls those of a disabled watch disabled as well; clients do not.
                true => watcher.views(now).map(of_its_own).collect(),
                false => Vec::new(),
            },
            alerts: match parts.alerts {
                true => watcher.alert_history().cloned().collect(),
                false => Vec::new(),
            },
            failures: match parts.failures {
                true => watcher.failure_history().cloned().collect(),
                false => Vec::new(),
            },
            // Native monitors have no process, and of programs the number is not known here.
            running: Vec::new(),
            downtime: protocol::Downtime::Off,
        }
    }
}

fn call(job: AlertJob, runtime_dir: &str) -> Call {
    let AlertJob { lane, program, arguments, mut environment, input } = job;
    environment.push(("DIRECTORD_RUNTIME_DIR".to_owned(), runtime_dir.to_owned()));
    Call {
        lane: format!("alerts of {lane}"),
        argv: std::iter::once(program.display().to_string()).chain(arguments).collect(),
        environment: Environment::Added(environment),
        input: input.as_bytes().to_vec(),
        limit: ALERT_LIMIT,
        user: None,
    }
}

fn log(event: &WatchEvent) {
    match event.priority() {
        Priority::Alert | Priority::Critical | Priority::Notice => {
            tracing::warn!(target: super::telling::TARGET, "{event}");
        }
        Priority::Error => tracing::error!(target: super::telling::TARGET, "{event}"),
        Priority::Info => tracing::info!(target: super::telling::TARGET, "{event}"),
        Priority::Debug => tracing::debug!(target: super::telling::TARGET, "{event}"),
    }
}

/// What clocks on the wall show. Years before 1970 and after 9999 do not happen.
fn wall(time: Time) -> WallTime {
    // Read when it is first needed: a director that watches nothing starts without.
    static ZONE: LazyLock<TimeZone> = LazyLock::new(TimeZone::system);
    let seconds = i64::try_from(time.seconds()).unwrap_or(i64::MAX);
    let at = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let at = at.to_zoned(ZONE.clone());
    let small = |number: i8| u16::try_from(number).unwrap_or_default();
    let large = |number: i16| u16::try_from(number).unwrap_or_default();
    WallTime {
        year: large(at.year()),
        month: small(at.month()),
        month_day: small(at.day()),
        year_day: large(at.day_of_year()),
        week_day: small(at.weekday().to_sunday_one_offset()),
        hour: small(at.hour()),
        minute: small(at.minute()),
        second: small(at.second()),
    }
}
