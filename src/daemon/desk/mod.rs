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

mod clients;
mod everything;
mod looks;
mod notes;
mod port;
mod silence;
mod texts;
mod unmade;
mod waiting;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime};

use jiff::tz::TimeZone;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::AbortHandle;

use super::clock::Clock;
use super::director::Answer;
use super::{Input, MonPersona, Options};
use crate::alert::{Call, Delivery, Environment, Sink};
use crate::model::{
    Change, Desired, DisabledStatus, Endpoint, Finding, Outcome, Role, ServiceKey, Time, Trap,
    WallTime, WatchKey, WatchOrder, WatchStatus, Watching, raw,
};
use crate::mon::{self, protocol};
use crate::probe::Prober;
use crate::probe::monitor::{Found, Monitors};
use crate::watch::{AlertJob, Keep, MonitorRun, Priority, RunId, WatchAction, WatchEvent, Watcher};

use everything::{Everything, Servers, everything, followed};
use looks::Looks;
use notes::Notes;
use port::Port;
use texts::{Remembered, Reply, Texts};
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
    /// With its place among those that wait.
    Trap(Trap, OwnedSemaphorePermit),
    Asked(mon::Request),
    /// The end of the file with the history of alerts.
    Recalled(String),
    /// The state is on disk, or why not.
    Saved(Result<(), String>),
    /// Files of mon's were read, or why not.
    Read(Result<Remembered, Vec<String>>, Reply),
}

/// All of it.
pub struct Desk {
    clock: Clock,
    watcher: Watcher,
    monitors: Monitors,
    inputs: UnboundedSender<Input>,
    watching: Arc<Watching>,
    servers: Servers,
    /// Services nobody is told of, for want of a name of their own.
    untold: Vec<Arc<str>>,
    running: HashMap<RunId, (WatchKey, AbortHandle)>,
    /// Whose monitor left something behind when it last ran.
    leaving: HashMap<WatchKey, &'static str>,
    waiting: Waiting,
    looks: Looks,
    notes: Notes,
    texts: Texts,
    /// What of mon's state is to be taken up with the first configuration.
    heritage: Option<protocol::Saved>,
    /// There is a `mon.cf`, and so a folder for state in mon's form.
    has_mon: bool,
    port: Port,
    /// For alerts that ask this director for something.
    runtime_dir: String,
    /// What is to be handed on by whoever delivers.
    due: Vec<Delivery>,
    /// Where calls wait that a stop kept from being made.
    unmade: PathBuf,
}

/// A `reset` under way: it goes with the reading of the configuration that it asks for.
#[derive(Debug)]
pub struct Reset {
    stopped: bool,
    keep: Keep,
    reply: Reply,
}

impl Reset {
    /// None, and whoever asked for it is told why, if there are mistakes in the way.
    pub fn unless(self, mistakes: Vec<String>) -> Option<Reset> {
        if mistakes.is_empty() {
            return Some(self);
        }
        let _ = self.reply.send(Err(mistakes));
        None
    }
}

/// What the loop is to do for a client.
pub enum Errand {
    /// Read the configuration again, whole.
    Reload(Reset),
    /// See whether the configuration has mistakes; the answer is theirs.
    Test(Reply),
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
        let unmade = options.state_dir.join("unmade");
        let loads = |persona: &MonPersona| persona.loads_status;
        let status = options.mon.as_ref().is_some_and(loads);
        let heritage = notes.is_first().then_some(protocol::Saved { disabled: true, status });
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
            texts: Texts::new(inputs.clone()),
            inputs,
            watching: Arc::default(),
            servers: Servers::default(),
            untold: Vec::new(),
            running: HashMap::new(),
            leaving: HashMap::new(),
            waiting: Waiting::default(),
            looks: Looks::default(),
            heritage,
            has_mon: false,
            notes,
            due: unmade::take(&unmade).into_iter().map(Delivery::Call).collect(),
            unmade,
        }
    }

    /// Watches what this configuration asks for from now on; where a reset had it read, anew.
    ///
    /// `change` is the way from the configuration before, if there was one.
    pub fn handle_config(
        &mut self,
        desired: &Desired,
        change: Option<&Change>,
        reset: Option<Reset>,
        now: Time,
    ) {
        let of_servers = change.filter(|change| !change.watching && !change.settings);
        if !(reset.is_none() && of_servers.is_some_and(|change| self.follow(desired, change, now)))
        {
            self.take_all(desired, reset, now);
        }
        self.carry_out();
    }

    /// Takes up what differs of who is told of real servers. Whether that was all there is to do.
    fn follow(&mut self, desired: &Desired, change: &Change, now: Time) -> bool {
        let differing = self.servers.differing(desired, change.services());
        if differing.is_empty() {
            self.waiting.drop_left(&self.watching);
            return true;
        }
        if !self.untold.is_empty() {
            return false;
        }
        let followed = followed(&self.watching, &mut self.servers, desired, &differing);
        let Some(watching) = followed else { return false };
        let watching = Arc::new(watching);
        self.watching = watching.clone();
        self.watcher.handle_config(watching, Keep::State, now);
        self.waiting.drop_left(&self.watching);
        self.notes.mark(Instant::now());
        self.drop_others_calls();
        true
    }

    fn take_all(&mut self, desired: &Desired, reset: Option<Reset>, now: Time) {
        let keep = reset.as_ref().map_or(Keep::State, |reset| reset.keep);
        if reset.as_ref().is_some_and(|reset| reset.stopped) {
            // First: nobody is told of such a start.
            let _ = self.watcher.handle_order(WatchOrder::StopScheduler, now);
        }
        let Everything { watching, servers, untold } = everything(desired);
        self.servers = servers;
        for name in untold.iter().filter(|name| !self.untold.contains(name)) {
            let why = "another group has its name: give it another one";
            tracing::warn!("service {name}: nobody is told of its real servers: {why}");
        }
        self.untold = untold;
        // The same file again may be worth a start-up alert, where that is wished.
        if *self.watching != watching || reset.is_some() {
            self.watching = Arc::new(watching);
            self.watcher.handle_config(self.watching.clone(), keep, now);
            self.leaving.retain(|key, _| self.watching.services.contains_key(key));
            self.notes.mark(Instant::now());
        }
        self.drop_others_calls();
        self.has_mon = !desired.mon.is_empty();
        self.inherit(now);
        self.waiting.follow(&self.watching);
        self.waiting.look_around(|key| self.watcher.view(key, now));
        self.port.follow(desired);
        if let Some(Reset { reply, .. }) = reset {
            let _ = reply.send(Ok(()));
        }
    }

    /// This director plays that part from now on: on standby another one tells of real servers.
    pub fn handle_role(&mut self, role: Role, now: Time) {
        self.watcher.handle_role(role, now);
        self.carry_out();
    }

    /// Whether anybody is told in mon's way of what checks of real servers find.
    pub fn hears_checks(&self) -> bool {
        !self.servers.is_empty() && self.watcher.tells_of_servers()
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
                    self.tell_left(&key, found.left);
                    self.watcher.handle_hosts(&key, &found.hosts, now);
                    self.watcher.handle_result(run, found.finding.clone(), now);
                    self.waiting.result(&key, found);
                }
                None
            }
            News::Trap(trap, _place) => {
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
            News::Recalled(text) => {
                self.watcher.load_alert_history(&text, now);
                None
            }
            News::Saved(outcome) => {
                self.notes.saved(outcome, Instant::now());
                None
            }
            News::Read(read, reply) => {
                let _ = reply.send(read.map(|read| self.recall(&read, now)));
                None
            }
        };
        self.carry_out();
        errand
    }

    /// What is watched besides real servers, and of what nobody is told; `wall` is the clock on
    /// the wall now.
    pub fn statuses(&self, wall: SystemTime, now: Time) -> (Vec<WatchStatus>, Vec<DisabledStatus>) {
        let at = |at| on_the_wall(at, wall, now);
        (self.watcher.statuses(at), self.watcher.disabled_statuses(at))
    }

    /// When to come back.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let watcher = self.watcher.poll_timeout().map(|at| self.clock.instant(at));
        [watcher, self.notes.due(), self.looks.due()].into_iter().flatten().min()
    }

    pub fn handle_timeout(&mut self, now: Time) {
        if self.watcher.poll_timeout().is_some_and(|at| at <= now) {
            self.watcher.handle_timeout(now);
            self.waiting.timeout(now, |key| self.watcher.view(key, now));
            self.carry_out();
        }
        self.show(now);
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

    /// What is noted as told and was not begun: the next run begins with it.
    pub async fn keep_unmade(&mut self, calls: Vec<Call>, limit: Duration) {
        unmade::keep(self.unmade.clone(), calls, limit).await;
    }

    /// What the run before left to be made of real servers is, on standby, the other director's to
    /// tell, who knows better by now.
    fn drop_others_calls(&mut self) {
        if self.watcher.tells_of_servers() || self.due.is_empty() {
            return;
        }
        let servers = self.watching.services.values().filter(|spec| spec.hosts.is_some());
        let lanes: HashSet<String> = servers.map(|spec| lane_of(&spec.key)).collect();
        let is_ours = |delivery: &Delivery| match delivery {
            Delivery::Call(call) => !lanes.contains(&call.lane),
            _ => true,
        };
        self.due.retain(is_ours);
    }

    /// Once, not each time it runs.
    fn tell_left(&mut self, key: &WatchKey, left: Option<&'static str>) {
        let before = match left {
            Some(what) => self.leaving.insert(key.clone(), what),
            None => self.leaving.remove(key),
        };
        if let Some(what) = left.filter(|_| before != left) {
            tracing::warn!(target: super::telling::TARGET, "monitor of {key}: {what}");
        }
    }

    fn carry_out(&mut self) {
        let mut is_expired = false;
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
                    is_expired |= matches!(event, WatchEvent::Expired(_));
                    log(&event);
                }
                WatchAction::Recall(file) => notes::recall(file, self.inputs.clone()),
                WatchAction::Note { file, lines } => {
                    let file = Arc::new(file);
                    let lines = lines.lines().map(str::to_owned);
                    let to_file = |line| Delivery::Line(Sink::Bare(file.clone()), line);
                    self.due.extend(lines.map(to_file));
                }
            }
        }
        if is_expired {
            self.write_disabled();
        }
        if self.watcher.take_changed() {
            self.notes.mark(Instant::now());
        }
    }

    fn run(&mut self, run: MonitorRun) {
        let (monitors, inputs) = (self.monitors.clone(), self.inputs.clone());
        let MonitorRun { run, key, call, hosts, environment } = run;
        let task = tokio::spawn(async move {
            let mut round = Round::pending(run, inputs);
            round.found = monitors.run(&call, &hosts, &environment).await;
        });
        self.running.insert(run, (key, task.abort_handle()));
    }
}

/// A monitor under way. What it found is sent when it ends, however it ends: one that never came
/// back would never be started again.
struct Round {
    run: RunId,
    found: Found,
    inputs: UnboundedSender<Input>,
}

impl Round {
    fn pending(run: RunId, inputs: UnboundedSender<Input>) -> Round {
        let why = "the monitor broke off: this is a bug of directord";
        let finding = Finding { exit: 1, output: format!("{why}\n") };
        let trouble = Some(why.to_owned());
        let found = Found { finding, hosts: Vec::new(), trouble, left: None };
        Round { run, found, inputs }
    }
}

impl Drop for Round {
    fn drop(&mut self) {
        let finding = Finding { exit: 0, output: String::new() };
        let none = Found { finding, hosts: Vec::new(), trouble: None, left: None };
        let found = std::mem::replace(&mut self.found, none);
        let _ = self.inputs.send(Input::Watched(News::Found { run: self.run, found }));
    }
}

/// When that is or was, where the clock on the wall says this now.
fn on_the_wall(at: Time, wall: SystemTime, now: Time) -> SystemTime {
    let past = wall.checked_sub(now.since(at)).unwrap_or(SystemTime::UNIX_EPOCH);
    past.checked_add(at.since(now)).unwrap_or(past)
}

/// Calls of one lane are made one after the other.
fn lane_of(key: &WatchKey) -> String {
    format!("alerts of {key}")
}

fn call(job: AlertJob, runtime_dir: &str) -> Call {
    let AlertJob { lane, program, arguments, mut environment, input } = job;
    environment.push(("DIRECTORD_RUNTIME_DIR".to_owned(), runtime_dir.to_owned()));
    Call {
        lane: lane_of(&lane),
        argv: std::iter::once(program.display().to_string()).chain(arguments).collect(),
        environment: Environment::Added(environment),
        input: raw::bytes_of(&input).into_owned(),
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tokio::sync::mpsc::unbounded_channel;
    use tokio::sync::oneshot;

    use super::*;
    use crate::config::{self, Defaults, Dialect, Source};
    use crate::daemon::TableChoice;
    use crate::engine::CheckId;
    use crate::model::{AlertsCommand, AlertsOf, MonFile, WatchSpec};

    #[tokio::test]
    async fn a_monitor_that_panics_does_not_hold_its_service_for_ever() {
        let (inputs, mut from_inputs) = unbounded_channel();
        let broken = tokio::spawn(async move {
            let _round = Round::pending(RunId(7), inputs);
            panic!("as the test asks");
        });
        assert!(broken.await.is_err());
        let Some(Input::Watched(News::Found { run, found })) = from_inputs.recv().await else {
            panic!("a finding")
        };
        assert_eq!((run, found.finding.exit), (RunId(7), 1));
        assert!(found.trouble.is_some(), "our own trouble takes no server out");
    }
    fn desk(at: &Path) -> Desk {
        let options = Options {
            config: Vec::new(),
            table: TableChoice::Memory,
            runtime_dir: at.to_owned(),
            state_dir: at.to_owned(),
            pid_file: None,
            role: None,
            persona: None,
            mon: None,
            syslog: crate::daemon::SYSLOG.into(),
        };
        Desk::new(&options, Clock::start(), Prober::new(), 1, unbounded_channel().0)
    }

    /// A service with one real server, of which somebody is told, and a file of mon's that watches
    /// `g/s` and keeps its state in this folder.
    fn desired(folder: &Path) -> Desired {
        let path = Arc::new("a.yaml".into());
        let text = "{virtual: 10.0.0.3:80, name: shop, real: [10.0.0.1:80], alerts: [{alert: a}]}";
        let source = Source { path, dialect: Dialect::Yaml, text: text.into() };
        let parsed = config::parse(&source, &Defaults::default(), &crate::daemon::names(None));
        let watches = parsed.services.iter();
        let watches =
            watches.filter_map(|told| Some((told.service.key, told.watch.clone()?))).collect();
        let mut file = MonFile::default();
        file.watching.settings.folders.state = folder.to_owned();
        file.watching.groups.insert("g".into(), ["10.0.0.9".to_owned()].into());
        let key = WatchKey::new("g", "s");
        file.watching.services.insert(key.clone(), Arc::new(WatchSpec::bare(key)));
        let mon = [(Arc::new("mon.cf".into()), Arc::new(file))].into();
        Desired { watches, mon, ..Desired::default() }
    }

    #[tokio::test]
    async fn on_standby_calls_that_the_run_before_left_are_made_but_for_real_servers() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let call = |lane: &str| Call {
            lane: lane.to_owned(),
            argv: vec!["a".to_owned()],
            environment: Environment::Added(Vec::new()),
            input: Vec::new(),
            limit: ALERT_LIMIT,
            user: None,
        };
        let left = ["alerts of shop/10.0.0.1:80", "alerts of g/s"];
        for (role, made) in [(Role::Standby, &left[1..]), (Role::Active, &left[..])] {
            unmade::keep(at.join("unmade"), left.map(call).into(), ALERT_LIMIT).await;
            let mut desk = desk(at);
            let now = desk.clock.now();
            desk.handle_role(role, now);
            desk.handle_config(&desired(at), None, None, now);
            let calls: Vec<_> = made.iter().map(|lane| Delivery::Call(call(lane))).collect();
            assert_eq!(desk.deliveries(), calls);
        }
    }

    /// Where `change` is told, only what it names is looked at.
    #[tokio::test]
    async fn a_desk_that_follows_changes_is_as_one_that_takes_all_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let (mut follows, mut takes) = (desk(folder.path()), desk(folder.path()));
        let now = follows.clock.now();
        let mut before = Desired::default();
        // Each a step away from the one before, and now and then a leap.
        for n in (0..216).flat_map(|n| [n, (n * 5) % 216, n]) {
            let after = everything::tests::some_of_three(n);
            let change = Change::between(&before, &after);
            follows.handle_config(&after, Some(&change), None, now);
            takes.handle_config(&after, None, None, now);
            assert_eq!(follows.watching, takes.watching, "{n}");
            assert_eq!(follows.untold, takes.untold, "{n}");
            let names = |desk: &Desk| {
                let views = desk.watcher.views(now).map(|view| view.spec.key.to_string());
                views.collect::<Vec<_>>()
            };
            assert_eq!(names(&follows), names(&takes), "{n}");
            before = after;
        }
    }

    /// A check that waits for a watch, and is there no more.
    #[tokio::test]
    async fn checks_that_left_are_forgotten_by_a_reload_of_real_servers_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut desk = desk(folder.path());
        let now = desk.clock.now();
        let desired = desired(folder.path());
        desk.handle_config(&desired, None, None, now);
        let keys: Arc<[WatchKey]> = [WatchKey::new("g", "s")].into();
        let (inputs, _) = unbounded_channel();
        let server = Endpoint::new([10, 0, 0, 9].into(), 80);
        desk.ask(&keys, server, Answer::pending(CheckId::ANY, inputs));
        desk.waiting.result(&keys[0], waiting::tests::found(0, ""));
        assert!(!desk.waiting.is_empty(), "it may ask again");
        desk.handle_config(&desired, Some(&Change::default()), None, now);
        assert!(desk.waiting.is_empty());
    }

    #[tokio::test]
    async fn what_is_enabled_by_its_time_is_no_longer_in_mons_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut desk = desk(folder.path());
        let now = desk.clock.now();
        desk.handle_config(&desired(folder.path()), None, None, now);
        let (user, reason) = ("ann".to_owned(), "new disk".to_owned());
        let of = AlertsOf::Service { name: "g".to_owned(), server: None };
        let command = AlertsCommand::Disable { of, user, reason, seconds: Some(60) };
        desk.silence(command, oneshot::channel().0, now);
        let written = async |wanted: &str| {
            let path = folder.path().join("disabled");
            while std::fs::read_to_string(&path).ok().as_deref() != Some(wanted) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let patience = Duration::from_secs(60);
        tokio::time::timeout(patience, written("disable watch g\n")).await.unwrap();
        desk.handle_timeout(now + Duration::from_secs(60));
        tokio::time::timeout(patience, written("")).await.unwrap();
    }

    /// Who asks by the socket and not by the command line is bound by the same rules.
    #[tokio::test]
    async fn what_is_asked_of_alerts_is_bounded_carried_out_and_then_told() {
        let folder = tempfile::tempdir().unwrap();
        let (inputs, mut from_inputs) = unbounded_channel();
        let mut desk = Desk { inputs, ..desk(folder.path()) };
        let now = desk.clock.now();
        desk.handle_config(&desired(folder.path()), None, None, now);
        let of = || AlertsOf::Host("10.0.0.9".to_owned());
        let disable = |user: &str, reason: &str, seconds| {
            let (user, reason) = (user.to_owned(), reason.to_owned());
            AlertsCommand::Disable { of: of(), user, reason, seconds: Some(seconds) }
        };
        let long = "x".repeat(501);
        for refused in [
            disable("ann", "x", u64::MAX),
            disable("ann", "x", 0),
            disable("ann", &long, 1),
            disable("ann", " ", 1),
            disable(&long, "x", 1),
        ] {
            let (reply, mut answer) = oneshot::channel();
            desk.silence(refused, reply, now);
            assert!(answer.try_recv().is_ok_and(|answer| answer.is_err()));
        }
        let commands = [
            disable("ann", "new disk", 60),
            disable("bob", "newer disk", 600),
            AlertsCommand::Enable { of: of() },
        ];
        let (mut replaced, mut told) = (Vec::new(), Vec::new());
        for command in commands {
            let (reply, mut answer) = oneshot::channel();
            desk.silence(command, reply, now);
            let report = loop {
                desk.handle_timeout(now);
                tokio::select! {
                    report = &mut answer => break report.unwrap().unwrap(),
                    Some(input) = from_inputs.recv() => match input {
                        Input::Watched(news) => drop(desk.handle(news, now)),
                        Input::Told(event) => told.push(event.to_string()),
                        _ => {}
                    },
                    () = tokio::time::sleep(Duration::from_millis(5)) => {}
                }
            };
            assert_eq!(report.affected.names, ["host 10.0.0.9"]);
            replaced.extend(report.replaced.into_iter().map(|old| (old.user, old.reason)));
        }
        assert_eq!(replaced, [("ann".to_owned(), "new disk".to_owned())]);
        while let Ok(input) = from_inputs.try_recv() {
            if let Input::Told(event) = input {
                told.push(event.to_string());
            }
        }
        let lines = [
            "alerts disabled what=\"host 10.0.0.9\" by=\"ann\" for=60s reason=\"new disk\"",
            "alerts disabled what=\"host 10.0.0.9\" by=\"bob\" for=600s reason=\"newer disk\"",
            "alerts enabled what=\"host 10.0.0.9\"",
        ];
        assert_eq!(told, lines);
        assert!(desk.watcher.disabled().is_empty(), "the watch of that host alone as well");
    }
}
