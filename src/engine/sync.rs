//! The sync daemons of the kernel: read, compared, and started or stopped as the role asks.
//!
//! They are asked for after the table: a master without services has nothing to tell of.

use std::sync::Arc;
use std::time::Duration;

use super::kernel::Trouble;
use super::{Action, Engine, Service};
use crate::event::Event;
use crate::model::{
    KernelError, KernelErrorKind, Phase, StopAction, SyncDaemon, SyncSettings, SyncState, SyncView,
    Time,
};
use crate::plan::{self, SyncStep};

/// How often they are looked at: one exchange, and nobody is told when one dies.
const LOOK: Duration = Duration::from_secs(10);

/// Old kernels know nothing of groups and ports, and take them without a word.
const NOT_KEPT: &str = "the kernel does not keep the sync daemon that was started: is somebody else \
                        starting or stopping it, or does it know no groups and ports (before 4.3)?";

/// What is known of the sync daemons.
#[derive(Default, Debug)]
pub(super) struct SyncSide {
    /// Those in force; or, where none are any more, the last, as long as their daemon may run.
    settings: Option<Arc<SyncSettings>>,
    /// Whether the configuration in force asks for one.
    asked: bool,
    /// As last read; `None` when they are to be read.
    found: Option<Vec<SyncDaemon>>,
    /// Whether what was last read was as it should be: a difference then is not our doing.
    was_right: bool,
    next_look: Option<Time>,
    /// Whether something else came to be wanted since steps were last asked for.
    disturbed: bool,
    /// Whether steps were taken, and what is read next is to show it.
    unproven: bool,
    trouble: Option<Trouble>,
    /// Whether the stop has had its way with them, as far as it could.
    ended: bool,
}

impl SyncSide {
    /// Takes the settings of a new configuration.
    pub fn configure(&mut self, settings: Option<&Arc<SyncSettings>>) {
        if self.asked == settings.is_some() && (!self.asked || self.settings.as_ref() == settings) {
            return;
        }
        self.asked = settings.is_some();
        if let Some(settings) = settings {
            self.settings = Some(settings.clone());
        }
        self.disturb();
    }

    /// Something else is wanted.
    pub fn disturb(&mut self) {
        self.trouble = None;
        (self.was_right, self.unproven) = (false, false);
        self.disturbed = true;
    }

    /// When there is something to be done, if nothing happens before.
    pub fn next_turn(&self) -> Option<Time> {
        self.settings.as_ref()?;
        match &self.trouble {
            Some(trouble) => Some(trouble.retry_at),
            None => self.next_look,
        }
    }

    fn is_waiting(&self, now: Time) -> bool {
        self.trouble.as_ref().is_some_and(|trouble| trouble.retry_at > now)
    }
}

impl Engine {
    /// The state in which a daemon should run.
    fn wanted_sync(&self) -> Option<SyncState> {
        (self.sync.asked && self.phase != Phase::Stopping).then(|| self.part.role.into())
    }

    /// A table that stays goes on telling of its connections.
    fn keeps_sync(&self) -> bool {
        let kept = |service: &Service| service.spec.on_stop == StopAction::Keep;
        self.phase == Phase::Stopping && (self.keep_all || self.services.values().any(kept))
    }

    /// What is to be asked of the kernel about its sync daemons, if anything is.
    pub(super) fn sync_request(&mut self, now: Time) -> Option<Action> {
        let settings = self.sync.settings.clone()?;
        if self.sync.ended || self.sync.is_waiting(now) || self.keeps_sync() {
            return None;
        }
        let look = self.sync.next_look.is_some_and(|at| at <= now);
        let Some(found) = self.sync.found.as_ref().filter(|_| !look) else {
            return Some(Action::ReadSync);
        };
        let wanted = self.wanted_sync();
        let steps = plan::sync(found, wanted, &settings);
        if !steps.is_empty() && std::mem::take(&mut self.sync.unproven) {
            self.sync_failed(&KernelError::new(KernelErrorKind::Unknown, NOT_KEPT), now);
            return None;
        }
        if !steps.is_empty() {
            self.sync.ended = self.phase == Phase::Stopping;
            self.sync.disturbed = false;
            return Some(Action::ApplySync(steps));
        }
        (self.sync.was_right, self.sync.unproven) = (true, false);
        if self.sync.trouble.take().is_some() {
            self.events.push_back(Event::SyncAccepted);
        }
        if wanted.is_none() {
            // Gone from the configuration and from the kernel.
            self.sync = SyncSide::default();
        }
        None
    }

    /// Takes in which sync daemons there are.
    pub fn handle_sync_read(&mut self, found: Result<Vec<SyncDaemon>, KernelError>, now: Time) {
        self.kernel.busy = false;
        match found {
            Err(error) => self.outage(&error, now),
            Ok(found) => {
                self.reached();
                self.sync.next_look = Some(now + LOOK);
                self.tell_sync_drift(&found);
                self.sync.found = Some(found);
            }
        }
        self.turn(now);
    }

    /// What was right when it was last looked at, and is not now, is somebody else's doing.
    fn tell_sync_drift(&mut self, found: &[SyncDaemon]) {
        let Some(settings) = self.sync.settings.as_ref().filter(|_| self.sync.was_right) else {
            return;
        };
        if plan::sync(found, self.wanted_sync(), settings).is_empty() {
            return;
        }
        let found: Vec<_> = found.iter().map(SyncDaemon::to_string).collect();
        self.events.push_back(Event::SyncDrift { found: found.join("; ") });
        self.kernel.drift_repaired += 1;
        self.sync.was_right = false;
    }

    /// Takes in how steps of the sync daemons went: the failures, by the index of their step.
    pub fn handle_sync_applied(
        &mut self,
        steps: &[SyncStep],
        failures: &[(usize, KernelError)],
        now: Time,
    ) {
        self.kernel.busy = false;
        // Read back, for that a daemon stops may go without an answer.
        self.sync.found = None;
        for (at, step) in steps.iter().enumerate() {
            match failures.iter().find(|(failed, _)| *failed == at) {
                // No reason to wait with what is wanted now.
                Some((_, error)) if self.sync.disturbed && !is_outage(error) => {}
                Some((_, error)) => self.sync_failed(error, now),
                None => self.events.push_back(match step {
                    SyncStep::Start(daemon) => Event::SyncStarted { daemon: daemon.to_string() },
                    SyncStep::Stop(state) => Event::SyncStopped { state: *state },
                }),
            }
        }
        // What is read next is no proof of steps that nobody wants any more.
        self.sync.unproven = failures.is_empty() && !self.sync.disturbed;
        if failures.is_empty() {
            self.reached();
        }
        self.turn(now);
    }

    fn sync_failed(&mut self, error: &KernelError, now: Time) {
        if is_outage(error) {
            return self.outage(error, now);
        }
        let before = self.sync.trouble.take();
        let is_news = before.as_ref().is_none_or(|before| before.message != error.message);
        let trouble = Trouble::after(before.as_ref(), &error.message, now);
        if is_news {
            self.events.push_back(Event::SyncRefused {
                reason: error.message.clone(),
                retry_s: trouble.backoff.as_secs(),
            });
        }
        self.sync.trouble = Some(trouble);
    }

    /// What stands in the way of the sync daemon, if something does.
    pub(super) fn sync_trouble(&self) -> Option<&str> {
        self.sync.trouble.as_ref().map(|trouble| trouble.message.as_str())
    }

    pub(super) fn sync_view(&self) -> Option<SyncView> {
        let settings = self.sync.settings.as_ref().filter(|_| self.sync.asked)?;
        let state = SyncState::from(self.part.role);
        let runs = self
            .sync
            .found
            .iter()
            .flatten()
            .any(|daemon| daemon.state == state && settings.is_met_by(&daemon.settings));
        Some(SyncView {
            state,
            interface: settings.interface.to_string(),
            id: settings.id,
            runs,
            error: self.sync_trouble().map(str::to_owned),
        })
    }
}

fn is_outage(error: &KernelError) -> bool {
    error.kind == KernelErrorKind::Unavailable
}
