//! The loop: wait for an input or the deadline, hand it in, carry out what comes out.
//!
//! No decision is taken here; the engine takes them all.

use std::collections::BTreeSet;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{Receiver, UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;

use super::clock::Clock;
use super::desk::{Desk, Errand, News};
use super::loader::Asker;
use super::scribe::{Answer as Answered, Note};
use super::telling::Telling;
use super::upgrade::Again;
use super::vips::Vips;
use super::{
    Input, LAST_NOTES, TableChoice, kernel, loader, maintenance, relied_on, service_manager,
    surroundings,
};
use crate::api;
use crate::config::Scope;
use crate::config::assemble::{self, Ask};
use crate::engine::{Action, CheckId, Engine, Surroundings};
use crate::event::Event;
use crate::model::{
    FileState, FileView, Outcome, Phase, PlanView, Probe, RejectedFile, ReloadReport, RoleReport,
    Snapshot, Time, VirtualService, Vitals,
};
use crate::probe::Prober;

/// Inputs taken before the clock is looked at again.
const BURST: usize = 256;

/// Between two wake-ups of the timer: a few probes started late by this much, together, cost as
/// many wake-ups less, and each costs as much as half a probe.
const GRAIN: Duration = Duration::from_millis(4);

/// How long a stop may take: whoever stops us waits 2 s.
/// Callers and checks have their own time to end after that.
const STOP_LIMIT: Duration = Duration::from_millis(1200);

/// How much longer mails and commands may take, those that the stop itself set off among them, and
/// programs of checks that it ends. Without any there is nothing to wait for, and what the stop did
/// not use of its time is theirs.
const FAREWELL: Duration = Duration::from_millis(300);

/// Whose command line is another's, or whose end is tied to its input, cannot begin again.
const NO_UPGRADE: &str = "only a director started by `directord run` can go on as another program: \
                          stop it with --keep, and start it anew";

/// The state of the loop: the engine, and the ways to those who act.
pub struct Director {
    pub clock: Clock,
    pub engine: Engine,
    pub table: TableChoice,
    pub prober: Prober,
    pub desk: Desk,
    pub inputs: UnboundedSender<Input>,
    pub kernel: mpsc::Sender<kernel::Job>,
    pub loader: mpsc::Sender<loader::Job>,
    pub maintenance: mpsc::Sender<maintenance::Wanted>,
    pub vips: Vips,
    pub notes: mpsc::Sender<Note>,
    pub telling: Telling,
    pub files: Vec<Arc<FileView>>,
    pub held_reload: Option<String>,
    /// Run as ldirectord, which holds no reload: whoever asks for one means it.
    pub confirmed: bool,
    /// Notes that must be on disk before the next change of the table.
    pub pending: Vec<mpsc::Receiver<()>>,
    pub told_ready: bool,
    /// Those who wait for the table to be as the role asks.
    pub roles: Vec<oneshot::Sender<RoleReport>>,
    /// Sent when the table is right for the first time.
    pub ready: Option<oneshot::Sender<()>>,
    /// When something was last done because its time had come.
    pub woken: Option<Instant>,
    pub stopping: Option<Stop>,
    /// How to go on as another program, if that is possible.
    pub again: Option<Arc<Again>>,
    /// Set when the stop under way is for that.
    pub upgrading: Option<Upgrading>,
}

/// A stop that another program follows.
pub struct Upgrading {
    /// Whether that is to end as well: a signal came meanwhile.
    pub is_to_end: bool,
}

/// A stop under way.
pub struct Stop {
    deadline: Instant,
    finished: bool,
    replies: Vec<oneshot::Sender<()>>,
}

impl Director {
    /// Turns until stopped. Returns until when what is left to be written may take.
    ///
    /// `waiting` are requests that came before there was anybody to answer them.
    pub async fn run(
        &mut self,
        waiting: Vec<api::Request>,
        inputs: &mut UnboundedReceiver<Input>,
        requests: &mut Receiver<api::Request>,
    ) -> Instant {
        let mut watchdog = service_manager::watchdog_interval().map(tokio::time::interval);
        let mut burst = Vec::with_capacity(BURST);
        self.carry_out(self.clock.now());
        waiting.into_iter().for_each(|request| self.answer(request));
        self.carry_out(self.clock.now());
        while !self.is_over() {
            let deadline = self.deadline();
            tokio::select! {
                _ = inputs.recv_many(&mut burst, BURST) => {}
                Some(request) = requests.recv() => self.answer(request),
                () = until(deadline) => {}
                () = tick(&mut watchdog) => self.tell_alive(),
            }
            let mut now = self.clock.now();
            for input in burst.drain(..) {
                // Whatever else there is to take may take its time.
                let is_quick = matches!(input, Input::Outcome { .. });
                self.take(input, now);
                if !is_quick {
                    now = self.clock.now();
                }
            }
            if self.engine.poll_timeout().is_some_and(|at| at <= now) {
                self.woken = Some(self.clock.instant(now));
                self.engine.handle_timeout(now);
            }
            if self.vips.poll_timeout().is_some_and(|at| at <= now) {
                self.vips.handle_timeout(now);
            }
            if self.telling.policy.poll_timeout().is_some_and(|at| at <= now) {
                self.telling.policy.handle_timeout(now);
            }
            if self.desk.poll_timeout().is_some_and(|at| at <= self.clock.instant(now)) {
                self.desk.handle_timeout(now);
            }
            self.carry_out(now);
            if self.engine.poll_timeout().is_some_and(|at| at <= now) {
                // More is due than was started: those under way come first.
                tokio::task::yield_now().await;
            }
        }
        let end = Instant::now() + LAST_NOTES;
        let Some(stop) = self.stopping.take() else { return end };
        for reply in stop.replies {
            let _ = reply.send(());
        }
        let left = (stop.deadline + FAREWELL).saturating_duration_since(Instant::now());
        // Side by side: whoever stops us waits 2 s for all of it, but where the disk hangs.
        let (unmade, (), ()) = tokio::join!(
            self.telling.farewell(left),
            self.prober.farewell(left),
            self.desk.farewell(LAST_NOTES),
        );
        self.desk.keep_unmade(unmade, end.saturating_duration_since(Instant::now())).await;
        end
    }

    fn is_over(&self) -> bool {
        let done = |stop: &Stop| stop.finished && self.vips.is_released();
        self.stopping.as_ref().is_some_and(|s| done(s) || Instant::now() >= s.deadline)
    }

    fn deadline(&self) -> Option<Instant> {
        let timeouts = [
            self.engine.poll_timeout(),
            self.telling.policy.poll_timeout(),
            self.vips.poll_timeout(),
        ];
        let timeout = timeouts.into_iter().flatten().min().map(|at| self.clock.instant(at));
        let timeout = timeout.into_iter().chain(self.desk.poll_timeout()).min();
        let timeout = timeout.map(|at| self.woken.map_or(at, |woken| at.max(woken + GRAIN)));
        timeout.into_iter().chain(self.stopping.as_ref().map(|stop| stop.deadline)).min()
    }

    fn take(&mut self, input: Input, now: Time) {
        match input {
            Input::Outcome { check, outcome, status, took } => {
                if self.telling.policy.has_monitors() {
                    let subjects = self.engine.subjects(check);
                    self.telling.policy.handle_outcome(subjects, &outcome, status);
                }
                if self.desk.hears_checks() {
                    self.desk.handle_outcome(self.engine.subjects(check), &outcome, now);
                }
                self.engine.handle_outcome(check, outcome, took, now);
            }
            Input::Surveyed(survey, cost) => self.engine.handle_survey(survey, cost, now),
            Input::Glanced(digests, cost) => self.engine.handle_glance(digests, cost, now),
            Input::Read(keys, records) => self.engine.handle_read(&keys, records, now),
            Input::Applied(steps, failures) => {
                self.engine.handle_applied(&steps, &failures, now);
            }
            Input::SyncRead(found) => self.engine.handle_sync_read(found, now),
            Input::SyncApplied(steps, failures) => {
                self.engine.handle_sync_applied(&steps, &failures, now);
            }
            Input::FilesTouched(_) if self.telling.policy.ignores_changes() => {
                let _ = self.loader.send(loader::Job::Look);
            }
            Input::FilesTouched(scope) => self.reload(scope, Ask::default(), None),
            Input::Looked(files) => {
                for (path, digest) in files {
                    if self.telling.policy.handle_ignored(&path, digest) {
                        let file = path.display().to_string();
                        self.telling.tell(&Event::FileIgnored { file }, now);
                    }
                }
            }
            // No file is read again, but names may have got other addresses.
            Input::ResolveAgain => {
                let ask = Ask { resolve: true, ..Ask::default() };
                self.reload(Scope::Touched(BTreeSet::new()), ask, None);
            }
            Input::Hangup => {
                service_manager::reloading();
                self.telling.tell(&Event::ReloadAsked { cause: "SIGHUP" }, now);
                let ask = Ask { resolve: true, ..Ask::default() };
                self.reload(Scope::Everything, ask, None);
            }
            Input::Terminate(signal) => match &mut self.upgrading {
                // The next program is told, and ends as one does while it starts: with the table
                // as it is.
                Some(upgrading) => upgrading.is_to_end = true,
                None => self.stop(signal, false, None),
            },
            Input::Rehearsed(outcome, reply) => self.rehearsed(outcome, reply),
            Input::Loaded(loaded) => self.loaded(*loaded, now),
            Input::Maintenance(notices) => self.engine.handle_maintenance(notices, now),
            Input::Preview(desired, reply) => {
                let plan = desired.map(|loader::Previewed { desired, held }| PlanView {
                    lines: self.engine.preview(&desired),
                    held,
                });
                let _ = reply.send(plan);
            }
            Input::NotesLost => {
                self.engine.handle_notes_lost(now);
                self.vips.handle_notes_lost(now);
            }
            Input::Vips(news) => self.vips.handle(news, now),
            Input::Told(event) => self.telling.tell(&event, now),
            Input::Watched(news) => self.watched(news, now),
        }
    }

    fn watched(&mut self, news: News, now: Time) {
        match self.desk.handle(news, now) {
            None => {}
            Some(Errand::Reload(reset)) => {
                self.telling.tell(&Event::ReloadAsked { cause: "a client of mon's" }, now);
                let ask = Ask { resolve: true, ..Ask::default() };
                self.reload(Scope::Everything, ask, Some(Asker::Reset(reset)));
            }
            Some(Errand::Test(reply)) => {
                let _ = self.loader.send(loader::Job::Test { reply });
            }
            Some(Errand::Stop) => self.stop("a client of mon's", false, None),
        }
    }

    fn answer(&mut self, request: api::Request) {
        let now = self.clock.now();
        match request {
            api::Request::Status(reply) => {
                let _ = reply.send(self.snapshot(now));
            }
            api::Request::Vitals(reply) => {
                let _ = reply.send(self.vitals(now));
            }
            api::Request::Plan(reply) => {
                let _ = self.loader.send(loader::Job::Preview { reply });
            }
            api::Request::Reload { confirm, reply } => {
                self.telling.tell(&Event::ReloadAsked { cause: "request" }, now);
                let ask = Ask { confirm, resolve: true };
                self.reload(Scope::Everything, ask, Some(Asker::Caller(reply)));
            }
            api::Request::Role { role, reply } => {
                self.roles.retain(|waiting| !waiting.is_closed());
                self.roles.push(reply);
                self.engine.handle_role(role, "request", now);
                self.desk.handle_role(self.engine.role(), now);
            }
            api::Request::Stop { keep, reply } => self.stop("request", keep, Some(reply)),
            api::Request::Upgrade(reply) => self.upgrade(reply),
            api::Request::Command(command, reply) => {
                let answer = self.engine.handle_command(&command, now);
                self.carry_out(now);
                self.answer_once_noted(Answered::Command(reply, answer));
            }
            api::Request::Alerts(command, reply) => self.desk.silence(command, reply, now),
        }
    }

    /// Whoever was told that it is done may rely on it to outlive us.
    fn answer_once_noted(&self, answer: Answered) {
        if let Err(mpsc::SendError(Note::Answer(answer))) = self.notes.send(Note::Answer(answer)) {
            answer.give();
        }
    }

    /// Answers those who wait for the table to be as the role asks, if it is.
    fn answer_roles(&mut self) {
        if self.roles.is_empty() {
            return;
        }
        let Some(report) = self.engine.role_report() else { return };
        for reply in std::mem::take(&mut self.roles) {
            self.answer_once_noted(Answered::Role(reply, report.clone()));
        }
    }

    /// Tells the watchdog that all is well. Where something hangs that a new start sets free, it
    /// hears nothing, and starts us anew.
    fn tell_alive(&mut self) {
        let now = self.clock.now();
        match self.vitals(now).ailments.iter().find(|ailment| ailment.is_freeze()) {
            None => service_manager::alive(),
            Some(ailment) => {
                let what = format!("{ailment}: the watchdog is to start directord anew");
                self.telling.tell(&Event::Trouble { what }, now);
            }
        }
    }

    fn vitals(&self, now: Time) -> Vitals {
        self.engine.vitals(std::process::id(), service_manager::patience(), now)
    }

    fn snapshot(&self, now: Time) -> Snapshot {
        let (files, held_reload) = (self.files.clone(), self.held_reload.clone());
        let vips = self.vips.view();
        let around = surroundings(self.table);
        let (watches, disabled) = self.desk.statuses(around.wall, now);
        let around = Surroundings { files, held_reload, vips, watches, disabled, ..around };
        self.engine.snapshot(around, now)
    }

    fn reload(&mut self, scope: Scope, ask: Ask, asker: Option<Asker>) {
        let ask = Ask { confirm: ask.confirm || self.confirmed, ..ask };
        let _ = self.loader.send(loader::Job::Load { scope, ask, asker });
    }

    fn loaded(&mut self, loaded: loader::Loaded, now: Time) {
        let loader::Loaded { update, files, afresh, asker } = loaded;
        let (caller, reset) = match asker {
            Some(Asker::Caller(reply)) => (Some(reply), None),
            // A file with mistakes is in force as it was, and is no reason to start anew.
            Some(Asker::Reset(reset)) => (None, reset.unless(in_the_way(&update.outcome, &files))),
            None => (None, None),
        };
        self.files = files;
        // The manager may have been told of a reload, and waits to hear that it is over.
        self.told_ready = false;
        update.reports.iter().for_each(|report| self.telling.tell_report(report, now));
        let mut report =
            ReloadReport { rejected: rejected(&self.files), ..ReloadReport::default() };
        match update.outcome {
            assemble::Outcome::Applied { desired, change } => {
                self.held_reload = None;
                report.applied = true;
                report.added = change.added.iter().collect();
                report.changed = change.changed.iter().collect();
                report.removed = change.removed.iter().collect();
                report.alerts = change.alerts.iter().collect();
                (report.watching, report.settings) = (change.watching, change.settings);
                let rejected = super::is_any_rejected(&self.files);
                self.engine.spare_unclaimed(rejected);
                self.vips.spare_unclaimed(rejected);
                let before = self.engine.desired().clone();
                self.engine.handle_config(desired.clone(), now);
                if afresh {
                    self.engine.overrule_hands(now);
                }
                let with_folder = |service: &VirtualService| service.maintenance_dir.is_some();
                if afresh || change.concerns(&before, &desired, with_folder) {
                    let _ = self.maintenance.send(maintenance::wanted(&desired));
                }
                self.desk.handle_config(&desired, Some(&change), reset, now);
                let changed = change.is_of_services() || change.settings;
                self.telling.policy.handle_config(&desired, &change.removed, changed, now);
                if changed {
                    for event in relied_on::ensure(&desired, self.table) {
                        self.telling.tell(&event, now);
                    }
                }
            }
            assemble::Outcome::Held(held) => {
                let text = held.to_string();
                if self.held_reload.as_ref() != Some(&text) {
                    let event = Event::ReloadHeld {
                        removed: held.removed,
                        services: held.total,
                        limit_percent: held.limit,
                    };
                    self.telling.tell(&event, now);
                }
                self.held_reload = Some(text.clone());
                report.held = Some(text);
            }
        }
        if let Some(caller) = caller {
            let _ = caller.send(report);
        }
    }

    /// Has the program that is to go on show that it could; the rest follows when it has.
    fn upgrade(&mut self, reply: oneshot::Sender<Result<(), String>>) {
        let again = match (&self.again, &self.held_reload) {
            (Some(again), None) => Ok(again.clone()),
            // A start takes the files as they are.
            (Some(_), Some(held)) => {
                Err(format!("a reload is held ({held}): confirm it, or undo it, first"))
            }
            (None, _) => Err(NO_UPGRADE.to_owned()),
        };
        let inputs = self.inputs.clone();
        tokio::spawn(async move {
            let outcome = match again {
                Ok(again) => again.rehearse().await,
                Err(why) => Err(why),
            };
            let _ = inputs.send(Input::Rehearsed(outcome, reply));
        });
    }

    fn rehearsed(
        &mut self,
        outcome: Result<(), String>,
        reply: oneshot::Sender<Result<(), String>>,
    ) {
        let outcome = match self.engine.phase() {
            Phase::Running => outcome,
            _ => Err("the director is starting or stopping: try again in a moment".to_owned()),
        };
        let goes_on = outcome.is_ok();
        // Nobody waits any more: whoever asks in vain is not to be surprised later.
        if reply.send(outcome).is_err() || !goes_on {
            return;
        }
        self.upgrading = Some(Upgrading { is_to_end: false });
        // To the service manager it is a reload, over when the next program is ready.
        service_manager::reloading();
        self.end("upgrade", true, None);
    }

    fn stop(&mut self, cause: &str, keep: bool, reply: Option<oneshot::Sender<()>>) {
        if self.upgrading.is_some() {
            // The socket stays, so that the caller would wait for its end in vain: without an
            // answer it is told that this director is stopping, and may ask the next.
            return;
        }
        service_manager::stopping();
        self.end(cause, keep, reply);
    }

    fn end(&mut self, cause: &str, keep: bool, reply: Option<oneshot::Sender<()>>) {
        self.engine.handle_stop(cause, keep, self.clock.now());
        let fresh =
            || Stop { deadline: Instant::now() + STOP_LIMIT, finished: false, replies: Vec::new() };
        self.stopping.get_or_insert_with(fresh).replies.extend(reply);
    }

    /// Does what the engine asks, and tells what it says.
    fn carry_out(&mut self, now: Time) {
        self.follow_with_vips(now);
        while let Some(action) = self.engine.poll_action() {
            match action {
                Action::Probe { check, endpoint, spec } => {
                    if let Probe::Watched(keys) = &spec.probe {
                        let answer = Answer::pending(check, self.inputs.clone());
                        self.desk.ask(keys, endpoint, answer);
                        continue;
                    }
                    let (prober, inputs) = (self.prober.clone(), self.inputs.clone());
                    tokio::spawn(async move {
                        // Not before it is its turn: what the loop does until then is not the
                        // server's to answer for.
                        let mut answer = Answer::pending(check, inputs);
                        let began = answer.began;
                        (answer.outcome, answer.status) =
                            prober.probe_for_status(endpoint, &spec, began).await;
                    });
                }
                Action::Survey => self.ask_kernel(kernel::Job::Survey),
                Action::Glance => self.ask_kernel(kernel::Job::Glance),
                Action::Read(keys) => self.ask_kernel(kernel::Job::Read(keys)),
                Action::Apply(steps) => {
                    let after = std::mem::take(&mut self.pending);
                    self.ask_kernel(kernel::Job::Apply { steps, after });
                }
                Action::ReadSync => self.ask_kernel(kernel::Job::ReadSync),
                Action::ApplySync(steps) => {
                    let after = std::mem::take(&mut self.pending);
                    self.ask_kernel(kernel::Job::ApplySync { steps, after });
                }
                Action::Own(ledger) => {
                    let done = self.barrier(true);
                    let _ = self.notes.send(Note::Services { ledger, done });
                }
                Action::Remember { note, first } => {
                    let done = self.barrier(first);
                    let _ = self.notes.send(Note::Health { note, done });
                }
                Action::NoteRole(role) => {
                    let done = self.barrier(true);
                    let _ = self.notes.send(Note::Role { role, done });
                }
                Action::Finish => {
                    if let Some(stop) = &mut self.stopping {
                        stop.finished = true;
                    }
                }
            }
        }
        while let Some(event) = self.engine.poll_event() {
            self.telling.tell(&event, now);
        }
        if self.telling.policy.is_unsettled() && self.engine.is_settled() {
            self.telling.policy.handle_settled();
        }
        self.telling.deliver(self.desk.deliveries());
        self.answer_roles();
        if !self.told_ready && self.engine.phase() == Phase::Running {
            self.told_ready = true;
            let _ = self.ready.take().map(|ready| ready.send(()));
            service_manager::ready("the table is as the files ask");
        }
    }

    /// Addresses follow their services. Before what the engine asks for: an address goes before its
    /// service does.
    fn follow_with_vips(&mut self, now: Time) {
        if self.engine.poll_backings() {
            self.vips.follow(&self.engine, now);
        }
        self.vips.carry_out(&mut self.pending);
        while let Some(event) = self.vips.poll_event() {
            self.telling.tell(&event, now);
        }
    }

    fn ask_kernel(&self, job: kernel::Job) {
        // The thread ends only with the channel, and so with us.
        let _ = self.kernel.send(job);
    }

    /// A sender whose end the next change of the table waits for, if it matters.
    fn barrier(&mut self, matters: bool) -> mpsc::Sender<()> {
        let (done, noted) = mpsc::channel();
        if matters {
            self.pending.push(noted);
        }
        done
    }
}

/// What a probe found, sent when it ends, however it ends: a check that never came back would
/// never be asked again.
pub struct Answer {
    pub check: CheckId,
    pub outcome: Outcome,
    status: Option<u16>,
    began: Instant,
    inputs: UnboundedSender<Input>,
}

impl Answer {
    pub fn pending(check: CheckId, inputs: UnboundedSender<Input>) -> Answer {
        let outcome = Outcome::Local("the probe broke off: this is a bug of directord".into());
        Answer { check, outcome, status: None, began: Instant::now(), inputs }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let outcome = std::mem::replace(&mut self.outcome, Outcome::Pass);
        let (check, status, took) = (self.check, self.status, self.began.elapsed());
        let _ = self.inputs.send(Input::Outcome { check, outcome, status, took });
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

async fn tick(interval: &mut Option<tokio::time::Interval>) {
    match interval {
        Some(interval) => {
            interval.tick().await;
        }
        None => std::future::pending().await,
    }
}

/// Why what was read is not all in force, a line each.
fn in_the_way(outcome: &assemble::Outcome, files: &[Arc<FileView>]) -> Vec<String> {
    match outcome {
        assemble::Outcome::Held(held) => vec![held.to_string()],
        assemble::Outcome::Applied { .. } => loader::mistakes(files),
    }
}

fn rejected(files: &[Arc<FileView>]) -> Vec<RejectedFile> {
    let not_in_force =
        files.iter().map(Arc::as_ref).filter(|file| file.state != FileState::InForce);
    let rejected = |file: &FileView| RejectedFile {
        path: file.path.clone(),
        state: file.state,
        diagnostics: file.error.clone().unwrap_or_default(),
    };
    not_in_force.map(rejected).collect()
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::{channel, unbounded_channel};

    use super::*;
    use crate::daemon::last_good::LastGood;
    use crate::daemon::state::StateFiles;
    use crate::daemon::{Options, SYSLOG, scribe};
    use crate::ipvs::Fake;
    use crate::model::{Desired, Memory};

    /// Without it the watcher of files begins all the same, some seconds later.
    #[tokio::test]
    async fn the_watcher_of_files_is_told_when_the_table_is_right() {
        let at = tempfile::tempdir().unwrap();
        let options = Options {
            config: Vec::new(),
            table: TableChoice::Memory,
            runtime_dir: at.path().to_owned(),
            state_dir: at.path().to_owned(),
            pid_file: None,
            role: None,
            persona: None,
            mon: None,
            syslog: SYSLOG.into(),
        };
        let (inputs, mut from_inputs) = unbounded_channel();
        let (_requests, mut from_requests) = channel(1);
        let clock = Clock::start();
        let mut engine = Engine::new(Memory::default(), [], 1, clock.now());
        engine.handle_config(Arc::new(Desired::default()), clock.now());
        let loader = loader::Loader::new(&[], LastGood::load(at.path()).value, None);
        let (notes, _) = scribe::start(StateFiles::new(at.path()), inputs.clone());
        let (maintenance, _none) = mpsc::channel();
        let vips = Vips::new(BTreeSet::new(), TableChoice::Memory, inputs.clone(), notes.clone());
        let (ready, is_ready) = oneshot::channel();
        let prober = Prober::new();
        let mut director = Director {
            clock,
            engine,
            table: TableChoice::Memory,
            desk: Desk::new(&options, clock, prober.clone(), 1, inputs.clone()),
            prober,
            kernel: kernel::start(Box::new(Fake::new()), inputs.clone()),
            loader: loader::start(loader, inputs.clone()).0,
            maintenance,
            vips,
            notes,
            telling: Telling::new(&options, inputs.clone()),
            inputs,
            files: Vec::new(),
            held_reload: None,
            confirmed: false,
            pending: Vec::new(),
            told_ready: false,
            roles: Vec::new(),
            ready: Some(ready),
            woken: None,
            stopping: None,
            again: None,
            upgrading: None,
        };
        tokio::select! {
            told = is_ready => assert_eq!(told, Ok(())),
            _ = director.run(Vec::new(), &mut from_inputs, &mut from_requests) => {
                panic!("nobody asked for a stop");
            }
            () = tokio::time::sleep(Duration::from_secs(60)) => panic!("nobody was told"),
        }
    }

    #[tokio::test]
    async fn probe_that_panics_is_answered_as_our_own_trouble() {
        let (inputs, mut from_inputs) = tokio::sync::mpsc::unbounded_channel();
        let broken = tokio::spawn(async move {
            let _answer = Answer::pending(CheckId::ANY, inputs);
            panic!("as the test asks");
        });
        assert!(broken.await.is_err());
        let input = from_inputs.recv().await;
        assert!(matches!(input, Some(Input::Outcome { outcome: Outcome::Local(_), .. })));
    }
}
