//! Wiring: the loop, the clock, signals, readiness, and the threads that touch the world.
//!
//! ```text
//! loader thread   files  --> Loaded                +--> probe tasks   --> Outcome
//! watcher task    inotify -> FilesTouched          |
//! signals                 -> Hangup, Terminate  director --> kernel thread -> Surveyed, Read, Applied
//! maintenance thread      -> Maintenance           |
//! control socket          -> api::Request          +--> links thread  -> vips::News
//! link-watch thread       -> vips::News            |
//!                                                  +--> scribe thread: what a restart must know
//! ```
//!
//! [`director`] is the loop. Whatever may block has a thread of its own, so that nothing delays
//! a check.

#![forbid(unsafe_code)]

mod clock;
mod desk;
mod director;
pub mod disk;
mod hosts;
mod kernel;
pub mod last_good;
mod loader;
pub mod lock;
mod lookout;
mod maintenance;
mod opening;
mod rehearsal;
mod relied_on;
mod scribe;
mod service_manager;
pub mod state;
mod telling;
mod upgrade;
mod vips;
pub mod watch;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{Receiver, UnboundedReceiver, UnboundedSender, channel, unbounded_channel};
use tokio::sync::oneshot;

use crate::alert::Persona;
use crate::api;
use crate::config::source::SystemNames;
use crate::config::{self, Scope};
use crate::engine::{CheckId, Engine, Surroundings};
use crate::event::Event;
use crate::ipvs::{Fake, Kernel, Netlink};
use crate::model::{
    Desired, Digests, Entry, FileState, FileView, KernelError, Memory, NativeMonitor, Notices,
    PlanView, Role, ServiceKey, Survey, SyncDaemon, Time,
};
use crate::plan::{Step, SyncStep};
use crate::probe::Prober;
use crate::probe::monitor::Plan;

use desk::Desk;
use director::{Director, Upgrading};
use lock::PidFile;
use opening::{Found, Opened};
use state::StateFiles;
use vips::Vips;
use watch::Watcher;

pub use rehearsal::{could_start, preview};
pub use telling::TARGET as EVENTS;
pub use upgrade::{Again, Handover};

/// What `run` and `plan` need to know before they start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// Files and folders.
    pub config: Vec<PathBuf>,
    pub table: TableChoice,
    /// Socket, pid, ownership and health; made when missing.
    pub runtime_dir: PathBuf,
    /// Last good copies; made when missing.
    pub state_dir: PathBuf,
    /// Written besides the one in the runtime directory.
    pub pid_file: Option<PathBuf>,
    /// The owner's word for a role, which overrules the one an earlier run noted.
    pub role: Option<Role>,
    /// When it is run as ldirectord.
    pub persona: Option<Persona>,
    /// When it is run as mon.
    pub mon: Option<MonPersona>,
    /// Where syslog listens: [`SYSLOG`], but in tests.
    pub syslog: PathBuf,
}

/// The daemon behind the mon command: its port is open whatever the file says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MonPersona {
    pub options: Arc<config::mon::Options>,
    /// A command that the file is put through.
    pub filter: Option<String>,
    /// Nothing is asked until somebody says so.
    pub stopped: bool,
    /// At the first start what mon remembered of results is taken up, besides what is disabled.
    pub loads_status: bool,
}

/// `external`: mon's own programs are run wherever they are there.
pub const MONITORS: &str = "DIRECTORD_MONITORS";

/// Whether we carry out this monitor of mon's ourselves; if not, why. The switch is a variable, so
/// that the daemon and whoever checks its files are told alike, under any name.
fn native(monitor: &NativeMonitor) -> Result<(), String> {
    match std::env::var_os(MONITORS) {
        Some(word) if word == "external" => Err(format!("{MONITORS} is external")),
        _ => Plan::check(monitor),
    }
}

/// The names of this system, for files of all dialects.
pub fn names(mon: Option<&MonPersona>) -> SystemNames {
    SystemNames::new().with_mon(native, mon.map(|mon| mon.options.clone()).unwrap_or_default())
}

/// Where syslog listens.
pub const SYSLOG: &str = "/dev/log";

/// Where the records go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TableChoice {
    /// The kernel's IPVS table.
    Kernel,
    /// A table in memory, gone with the process: nothing is forwarded.
    Memory,
}

impl TableChoice {
    fn name(self) -> &'static str {
        match self {
            TableChoice::Kernel => "kernel",
            TableChoice::Memory => "memory",
        }
    }

    fn open(self) -> Result<Box<dyn Kernel>, Error> {
        match self {
            TableChoice::Kernel => Ok(Box::new(Netlink::open().map_err(Error::Kernel)?)),
            TableChoice::Memory => Ok(Box::new(Fake::new())),
        }
    }
}

/// Why the daemon did not start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// IPVS is not there, or not for us.
    #[error("{0}")]
    Kernel(KernelError),
    #[error("{0}")]
    AlreadyRunning(String),
    /// No file has a version that could be put in force.
    #[error("{0}")]
    Config(String),
    #[error("{0}")]
    Startup(String),
}

/// Something that happened.
#[derive(Debug)]
pub enum Input {
    Outcome {
        check: CheckId,
        outcome: crate::model::Outcome,
        /// What HTTP was answered with.
        status: Option<u16>,
        took: Duration,
    },
    /// With the processor time it cost.
    Surveyed(Result<Survey, KernelError>, Duration),
    /// The same.
    Glanced(Result<Digests, KernelError>, Duration),
    Read(Vec<ServiceKey>, Result<Vec<Option<Entry>>, KernelError>),
    Applied(Vec<Step>, Vec<(usize, KernelError)>),
    SyncRead(Result<Vec<SyncDaemon>, KernelError>),
    SyncApplied(Vec<SyncStep>, Vec<(usize, KernelError)>),
    FilesTouched(Scope),
    /// The digests of the files' texts, where they are not read for more.
    Looked(Vec<(std::sync::Arc<PathBuf>, u64)>),
    ResolveAgain,
    Loaded(Box<loader::Loaded>),
    Maintenance(Arc<Notices>),
    Preview(Result<loader::Previewed, String>, oneshot::Sender<Result<PlanView, String>>),
    Hangup,
    Terminate(&'static str),
    /// What was to be noted is not on disk as it should be.
    NotesLost,
    /// Whether the program that is to go on could, for whoever asked for it.
    Rehearsed(Result<(), String>, oneshot::Sender<Result<(), String>>),
    Told(Event),
    /// About the addresses we hold.
    Vips(vips::News),
    /// About what is watched.
    Watched(desk::News),
}

/// Requests on the control socket that may wait for the loop.
const WAITING_REQUESTS: usize = 64;

/// How long tasks may take to end.
const FAREWELL: Duration = Duration::from_millis(250);

/// How long a stop waits for the disk.
const LAST_NOTES: Duration = Duration::from_secs(5);

/// How a run ended.
#[derive(Debug)]
pub enum Ended {
    /// As was asked, and for good.
    Stopped,
    /// For the program that is installed now, which is yet to be started by [`Handover::go`].
    Upgrade(Handover),
}

/// Runs until stopped. With `again` it can go on as a program that is installed meanwhile.
///
/// # Errors
///
/// When it cannot start: see [`Error`]. Once it runs it goes on, whatever is refused to it.
pub fn run(options: Options, again: Option<Again>) -> Result<Ended, Error> {
    disk::make_folder(&options.runtime_dir, 0o755).map_err(startup)?;
    disk::make_folder(&options.state_dir, 0o750).map_err(startup)?;
    let pid_files = take_pid_files(&options)?;
    raise_file_limit();
    // One thread carries the loop and the checks: an outcome reaches the loop, and the next probe
    // its task, without a system call, half of what a check by TCP costs otherwise. It is the main
    // one, for the allocator's arenas of other threads grow by one system call a page.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(startup)?;
    // As a task: waking what `block_on` itself waits for is a system call each time.
    let can_upgrade = again.clone();
    let outcome = runtime.block_on(async { tokio::spawn(direct(options, can_upgrade)).await });
    let outcome =
        outcome.unwrap_or_else(|error| Err(startup(format!("the loop broke off: {error}"))));
    // Ending 4,000 hanging checks one by one takes longer than a stop may: what is not ended in
    // time is left behind.
    let (ending, ended) = mpsc::channel::<()>();
    let end = move || {
        drop(runtime);
        drop(ending);
    };
    if thread::Builder::new().name("farewell".into()).spawn(end).is_ok() {
        let _ = ended.recv_timeout(FAREWELL);
    }
    match (outcome?, again) {
        (Some((listener, Upgrading { is_to_end })), Some(again)) => {
            Ok(Ended::Upgrade(Handover { again, listener, pid_files, is_to_end }))
        }
        _ => Ok(Ended::Stopped),
    }
}

/// Everything between having a runtime and having stopped: the control socket is there for as
/// long as it lasts. Answers with the socket where another program is to go on with it.
async fn direct(
    options: Options,
    again: Option<Again>,
) -> Result<Option<(Arc<api::Listener>, Upgrading)>, Error> {
    // First of all: whoever asks to stop while files are being read is to be heard.
    let (inputs, from_inputs) = unbounded_channel();
    watch_signals(&inputs)?;
    upgrade::hear_signals();
    let kernel = options.table.open()?;
    let listener = api::bind(&api::socket_path(&options.runtime_dir)).map_err(startup)?;
    let listener = Arc::new(listener);
    let (requests, from_requests) = channel(WAITING_REQUESTS);
    let (hang_up, hung_up) = oneshot::channel::<()>();
    let server = tokio::spawn(api::serve(listener.clone(), api::Handle::new(requests), async {
        let _ = hung_up.await;
    }));
    let ended = serve(&options, again, kernel, (inputs, from_inputs), from_requests).await;
    // Let go of before the last answers are out: whoever waits for the socket to go waits for no
    // more than that.
    let ended = ended.map(|upgrading| upgrading.map(|upgrading| (listener, upgrading)));
    let _ = hang_up.send(());
    let _ = server.await;
    ended
}

/// The way in of what happens.
type Inputs = (UnboundedSender<Input>, UnboundedReceiver<Input>);

/// Answers when the loop has ended; with what, where another program is to follow.
async fn serve(
    options: &Options,
    again: Option<Again>,
    kernel: Box<dyn Kernel>,
    (inputs, mut from_inputs): Inputs,
    mut from_requests: Receiver<api::Request>,
) -> Result<Option<Upgrading>, Error> {
    let state = StateFiles::new(&options.runtime_dir);
    let Recollected { owned, memory, role } = recollect(&state);
    let vips = state.load_vips();
    vips.warning.into_iter().for_each(|what| telling::tell(&Event::Trouble { what }));
    let clock = clock::Clock::start();
    let mut engine = Engine::new(memory, owned.clone(), seed(), clock.now());
    take_role(&mut engine, options.role, role, clock.now());
    let opened =
        opening::open(options, engine, clock, &mut from_inputs, &mut from_requests).await?;
    let Some(Opened { found, early, waiting }) = opened else {
        telling::tell(&Event::Stopped { removed: 0, kept: owned.len() });
        return Ok(None);
    };
    let Found { watcher, loader, engine, desired, reports, files, maintenance: first } = found;
    for input in early {
        let _ = inputs.send(input);
    }
    reports.iter().for_each(telling::tell_report);
    worth_starting(options, &desired, &files, &owned)?;
    let mut telling = telling::Telling::new(options, inputs.clone());
    telling.policy.handle_config(&desired, &[], true, clock.now());
    reports.iter().for_each(|report| telling.hear_report(report, clock.now()));
    let prober = Prober::new();
    let mut desk = Desk::new(options, clock, prober.clone(), seed(), inputs.clone());
    desk.handle_role(engine.role(), clock.now());
    desk.handle_config(&desired, None, None, clock.now());
    let started = Event::Started {
        version: env!("CARGO_PKG_VERSION"),
        pid: std::process::id(),
        table: options.table.name(),
    };
    for event in relied_on::ensure(&desired, options.table).iter().chain([&started]) {
        telling.tell(event, clock.now());
    }
    let (ready, is_ready) = oneshot::channel();
    tokio::spawn(watch_files(watcher, is_ready, inputs.clone()));
    tokio::spawn(resolve_again(inputs.clone()));

    let maintenance::First { folders, notices, troubles } = first;
    troubles.iter().for_each(telling::tell);
    let (notes, scribe) = scribe::start(state, inputs.clone());
    let (loader, is_kept) = loader::start(loader, inputs.clone());
    let mut director = Director {
        clock,
        engine,
        table: options.table,
        prober,
        desk,
        kernel: kernel::start(kernel, inputs.clone()),
        loader,
        maintenance: maintenance::start(folders, notices, inputs.clone()),
        vips: Vips::new(vips.value, options.table, inputs.clone(), notes.clone()),
        notes,
        inputs,
        telling,
        files,
        held_reload: None,
        confirmed: options.persona.is_some(),
        pending: Vec::new(),
        told_ready: false,
        roles: Vec::new(),
        ready: Some(ready),
        woken: None,
        stopping: None,
        again: again.map(Arc::new),
        upgrading: None,
    };
    director.vips.spare_unclaimed(is_any_rejected(&director.files));
    let end = director.run(waiting, &mut from_inputs, &mut from_requests).await;
    let upgrading = director.upgrading.take();

    drop(director);
    // Their queues are closed and short; what an heir must know is worth a wait.
    let left = end.saturating_duration_since(Instant::now());
    let (noted, kept) = tokio::join!(scribe::settled(scribe, left), loader::settled(is_kept, left));
    if !(noted && kept) {
        tracing::warn!("the disk hangs: what a restart must know was not noted to its end");
    }
    let mut ends = false;
    while let Ok(input) = from_inputs.try_recv() {
        match input {
            // Whoever wanted us to end while the last was written.
            Input::Terminate(_) => ends = true,
            // What could not be.
            Input::Told(event) => telling::tell(&event),
            _ => {}
        }
    }
    Ok(upgrading.map(|upgrading| Upgrading { is_to_end: upgrading.is_to_end || ends }))
}

/// What an earlier run noted.
struct Recollected {
    owned: BTreeSet<ServiceKey>,
    memory: Memory,
    role: Option<Role>,
}

fn recollect(files: &StateFiles) -> Recollected {
    let (services, health, role) = (files.load_services(), files.load_health(), files.load_role());
    for what in [services.warning, health.warning, role.warning].into_iter().flatten() {
        telling::tell(&Event::Trouble { what });
    }
    Recollected { owned: services.value, memory: health.value, role: role.value }
}

/// Gives an engine that has no configuration yet its role: the command line's word, or else the
/// one an earlier run noted.
fn take_role(engine: &mut Engine, asked: Option<Role>, noted: Option<Role>, now: Time) {
    match (asked, noted) {
        (Some(role), _) => engine.handle_role(role, "command line", now),
        (None, Some(role)) => engine.resume_role(role),
        (None, None) => {}
    }
}

/// Whether a director without a single service is what its owner wants: an empty folder is to be
/// filled later. With mistakes in the way, or where the last run served something, it is not: a
/// folder that is not mounted must not be taken at its word.
fn worth_starting(
    options: &Options,
    desired: &Desired,
    files: &[Arc<FileView>],
    owned: &BTreeSet<ServiceKey>,
) -> Result<(), Error> {
    let serves =
        !(desired.services.is_empty() && desired.mon.is_empty() && desired.watched.is_empty());
    let rejected = is_any_rejected(files);
    if serves || (!rejected && owned.is_empty()) {
        return Ok(());
    }
    let paths: Vec<_> = options.config.iter().map(|path| path.display().to_string()).collect();
    let paths = paths.join(", ");
    Err(Error::Config(match rejected {
        true => format!("no service can be taken from {paths}: see directord check"),
        false => format!(
            "there is no service in {paths}, and the last run served {}: the kernel's table was \
             not touched: to have them removed, remove {}",
            owned.len(),
            options.runtime_dir.join("services").display()
        ),
    }))
}

/// Whether there is a file of which nothing is in force.
fn is_any_rejected(files: &[Arc<FileView>]) -> bool {
    files.iter().any(|file| file.state == FileState::Rejected)
}

fn take_pid_files(options: &Options) -> Result<Vec<PidFile>, Error> {
    let own = [options.runtime_dir.join("directord.pid"), options.state_dir.join("lock")];
    let mut taken = Vec::new();
    for path in own.iter().chain(&options.pid_file) {
        match PidFile::take(path) {
            Ok(file) => taken.push(file),
            // mon does without, where it has no leave to write it or another one has: what tells
            // two of one instance apart are those in our own folders.
            Err(error) if options.mon.is_some() && Some(path) == options.pid_file.as_ref() => {
                tracing::warn!("{error}: there is no such file for scripts");
            }
            Err(error @ lock::LockError::Held { .. }) => {
                return Err(Error::AlreadyRunning(error.to_string()));
            }
            Err(error) => return Err(startup(error)),
        }
    }
    Ok(taken)
}

fn raise_file_limit() {
    if let Err(error) = crate::program::raise_file_limit() {
        tracing::warn!(%error, "the limit of open files cannot be raised");
    }
}

/// Phases of checks differ from director to director and from start to start.
fn seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}

fn watch_signals(inputs: &UnboundedSender<Input>) -> Result<(), Error> {
    let watch = |kind, to_input: fn() -> Input| {
        let mut stream = signal(kind).map_err(startup)?;
        let inputs = inputs.clone();
        tokio::spawn(async move {
            while stream.recv().await.is_some() && inputs.send(to_input()).is_ok() {}
        });
        Ok(())
    };
    watch(SignalKind::hangup(), || Input::Hangup)?;
    watch(SignalKind::terminate(), || Input::Terminate("SIGTERM"))?;
    watch(SignalKind::interrupt(), || Input::Terminate("SIGINT"))
}

/// How often host names in files are looked up again.
const NAMES_HOLD_FOR: Duration = Duration::from_secs(60);

async fn resolve_again(inputs: UnboundedSender<Input>) {
    loop {
        tokio::time::sleep(NAMES_HOLD_FOR).await;
        if inputs.send(Input::ResolveAgain).is_err() {
            return;
        }
    }
}

/// Begins when the table is as the files ask, for looking at 10,000 files takes from the
/// processor what the first services wait for; or when that takes too long.
async fn watch_files(
    mut watcher: Watcher,
    ready: oneshot::Receiver<()>,
    inputs: UnboundedSender<Input>,
) {
    let _ = tokio::time::timeout(Watcher::POLL, ready).await;
    loop {
        let scope = watcher.changed().await;
        if inputs.send(Input::FilesTouched(scope)).is_err() {
            return;
        }
    }
}

/// What a status tells of this process, with no file read yet.
fn surroundings(table: TableChoice) -> Surroundings {
    Surroundings {
        pid: std::process::id(),
        table: table.name(),
        files: Vec::new(),
        held_reload: None,
        vips: Vec::new(),
        watches: Vec::new(),
        disabled: Vec::new(),
        wall: SystemTime::now(),
    }
}

fn startup(error: impl std::fmt::Display) -> Error {
    Error::Startup(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    /// Lets everybody do what there is to do, on a clock that stands still.
    async fn settle() {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn files_are_looked_at_once_the_table_is_right_or_after_a_while() {
        for is_told in [true, false] {
            let (look, asked) = sync_channel(1);
            let watcher = Watcher::from_parts(Arc::default(), look, Watcher::POLL);
            let (ready, is_ready) = oneshot::channel();
            let (inputs, _from_inputs) = unbounded_channel();
            tokio::spawn(watch_files(watcher, is_ready, inputs));
            settle().await;
            assert!(asked.try_recv().is_err(), "not while the table is not right");
            match is_told {
                true => ready.send(()).unwrap(),
                false => tokio::time::advance(Watcher::POLL).await,
            }
            settle().await;
            assert_eq!(asked.try_recv(), Ok(()), "told: {is_told}");
        }
    }
}
