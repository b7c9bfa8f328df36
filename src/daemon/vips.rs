//! The addresses we hold ourselves: the room that decides, the thread that acts, and the one that
//! listens. Neither thread is there before a service has an address.
//!
//! The table comes first when an address comes, and last when it goes. The first is part of what is
//! wished; the second is a barrier: the next change of the table waits for the address to be gone.

use std::collections::BTreeSet;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use super::scribe::Note;
use super::{Input, TableChoice};
use crate::address::{Action, Addresses, Target, wishes};
use crate::engine::Engine;
use crate::event::Event;
use crate::link::{Fake, Netlink, Network, Watch};
use crate::model::{InterfaceName, KernelError, Links, Mac, Role, Time, VipKey, VipView};

/// What the threads say.
#[derive(Debug)]
pub enum News {
    /// Something changed about links or addresses.
    Changed,
    Looked(Result<Links, KernelError>),
    Answered(Vec<Target>, Result<Vec<(VipKey, Mac)>, KernelError>),
    Added(Vec<Target>, Vec<(usize, KernelError)>),
    Removed(Vec<Target>, Vec<(usize, KernelError)>),
    Announced(Result<(), KernelError>),
}

/// What the acting thread is asked to do.
enum Job {
    Look(Vec<InterfaceName>),
    Ask(Vec<Target>),
    Add {
        targets: Vec<Target>,
        /// Notes that must be on disk before: each hangs up once it is.
        after: Vec<Receiver<()>>,
    },
    Remove {
        targets: Vec<Target>,
        /// Dropped once it is done, or not.
        done: Sender<()>,
    },
    Announce(Vec<Target>),
}

/// See the module's head.
pub struct Vips {
    room: Addresses,
    table: TableChoice,
    jobs: Option<Sender<Job>>,
    inputs: UnboundedSender<Input>,
    notes: Sender<Note>,
    /// Notes that must be on disk before the next address is added.
    noting: Vec<Receiver<()>>,
}

impl Vips {
    /// `owned` is what an earlier run noted.
    pub fn new(
        owned: BTreeSet<VipKey>,
        table: TableChoice,
        inputs: UnboundedSender<Input>,
        notes: Sender<Note>,
    ) -> Vips {
        let room = Addresses::new(owned);
        Vips { room, table, jobs: None, inputs, notes, noting: Vec::new() }
    }

    /// See [`Addresses::spare_unclaimed`].
    pub fn spare_unclaimed(&mut self, spare: bool) {
        self.room.spare_unclaimed(spare);
    }

    /// Takes what the services say of their addresses now. Only a director that is active holds
    /// any.
    pub fn follow(&mut self, engine: &Engine, now: Time) {
        let active = engine.role() == Role::Active;
        self.room.handle_wishes(&wishes(engine.backings(), active), now);
    }

    pub fn handle(&mut self, news: News, now: Time) {
        match news {
            News::Changed => self.room.handle_change(now),
            News::Looked(links) => self.room.handle_links(links, now),
            News::Answered(asked, answers) => self.room.handle_answers(&asked, answers, now),
            News::Added(targets, failures) => self.room.handle_added(&targets, &failures, now),
            News::Removed(targets, failures) => self.room.handle_removed(&targets, &failures, now),
            News::Announced(outcome) => self.room.handle_announced(outcome, now),
        }
    }

    pub fn handle_notes_lost(&mut self, now: Time) {
        self.room.handle_notes_lost(now);
    }

    pub fn handle_timeout(&mut self, now: Time) {
        self.room.handle_timeout(now);
    }

    pub fn poll_timeout(&self) -> Option<Time> {
        self.room.poll_timeout()
    }

    pub fn poll_event(&mut self) -> Option<Event> {
        self.room.poll_event()
    }

    /// Whether no address is left that is to go.
    pub fn is_released(&self) -> bool {
        self.room.is_released()
    }

    pub fn view(&self) -> Vec<VipView> {
        self.room.view()
    }

    /// Has done what the room asks for. What the next change of the table is to wait for goes into
    /// `barriers`.
    pub fn carry_out(&mut self, barriers: &mut Vec<Receiver<()>>) {
        while let Some(action) = self.room.poll_action() {
            let job = match action {
                Action::Own(vips) => {
                    let (done, noted) = mpsc::channel();
                    let _ = self.notes.send(Note::Vips { vips, done });
                    // Those that are on disk by now are no more to be waited for.
                    self.noting.retain(is_pending);
                    self.noting.push(noted);
                    continue;
                }
                Action::Look(interfaces) => Job::Look(interfaces),
                Action::Ask(targets) => Job::Ask(targets),
                Action::Add(targets) => {
                    Job::Add { targets, after: std::mem::take(&mut self.noting) }
                }
                Action::Remove(targets) => {
                    let (done, gone) = mpsc::channel();
                    barriers.retain(is_pending);
                    barriers.push(gone);
                    Job::Remove { targets, done }
                }
                Action::Announce(targets) => Job::Announce(targets),
            };
            let (table, inputs) = (self.table, &self.inputs);
            let jobs = self.jobs.get_or_insert_with(|| start(table, inputs.clone()));
            // The thread ends only with the channel, and so with us.
            let _ = jobs.send(job);
        }
    }
}

fn is_pending(barrier: &Receiver<()>) -> bool {
    barrier.try_recv() == Err(mpsc::TryRecvError::Empty)
}

/// Starts both threads.
fn start(table: TableChoice, inputs: UnboundedSender<Input>) -> Sender<Job> {
    match table {
        TableChoice::Kernel => {
            listen(inputs.clone());
            act(Netlink::default(), inputs)
        }
        TableChoice::Memory => act(Fake::default(), inputs),
    }
}

/// Starts the acting thread. It ends when the returned sender is dropped.
fn act(mut network: impl Network + 'static, inputs: UnboundedSender<Input>) -> Sender<Job> {
    let (jobs, queue) = mpsc::channel();
    let work = move || {
        for job in queue {
            if inputs.send(Input::Vips(carry_out(&mut network, job))).is_err() {
                return;
            }
        }
    };
    let spawned = thread::Builder::new().name("links".into()).spawn(work);
    if let Err(error) = spawned {
        tracing::error!(%error, "the thread for addresses cannot be started");
    }
    jobs
}

fn carry_out(network: &mut dyn Network, job: Job) -> News {
    match job {
        Job::Look(interfaces) => News::Looked(network.look(&interfaces)),
        Job::Ask(targets) => {
            let answers = network.ask(&targets);
            News::Answered(targets, answers)
        }
        Job::Add { targets, after } => {
            for noted in after {
                // An error means that it is on disk, or was given up, which has been told.
                let _ = noted.recv();
            }
            let failures = network.add(&targets);
            News::Added(targets, failures)
        }
        Job::Remove { targets, done } => {
            let failures = network.remove(&targets);
            drop(done);
            News::Removed(targets, failures)
        }
        Job::Announce(targets) => News::Announced(network.announce(&targets)),
    }
}

/// How long changes are let pile up before somebody looks: a host of containers makes many.
const PILE_UP: Duration = Duration::from_millis(20);

/// Starts the thread that hears of changes. It ends with the process: nothing wakes it before the
/// next change, and nobody waits for it.
fn listen(inputs: UnboundedSender<Input>) {
    let tell = |inputs: &UnboundedSender<Input>, what: String| {
        let _ = inputs.send(Input::Told(Event::Trouble { what }));
    };
    let work = move || {
        let mut watch = match Watch::open() {
            Ok(watch) => watch,
            // A look once a minute is left.
            Err(error) => return tell(&inputs, error.message),
        };
        loop {
            if let Err(error) = watch.wait() {
                let what =
                    format!("listen for changes of addresses: {error}: seen late from now on");
                return tell(&inputs, what);
            }
            thread::sleep(PILE_UP);
            // Before it is told: what comes after that is told anew.
            watch.forget();
            if inputs.send(Input::Vips(News::Changed)).is_err() {
                return;
            }
        }
    };
    let spawned = thread::Builder::new().name("link-watch".into()).spawn(work);
    if let Err(error) = spawned {
        tracing::error!(%error, "the thread that listens for changes of addresses cannot be started");
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    /// A kernel that removes an address when it is told to.
    struct Slow(Receiver<()>);

    impl Network for Slow {
        fn look(&mut self, _: &[InterfaceName]) -> Result<Links, KernelError> {
            Ok(Links::default())
        }

        fn ask(&mut self, _: &[Target]) -> Result<Vec<(VipKey, Mac)>, KernelError> {
            Ok(Vec::new())
        }

        fn add(&mut self, _: &[Target]) -> Vec<(usize, KernelError)> {
            Vec::new()
        }

        fn remove(&mut self, _: &[Target]) -> Vec<(usize, KernelError)> {
            self.0.recv().unwrap();
            Vec::new()
        }

        fn announce(&mut self, _: &[Target]) -> Result<(), KernelError> {
            Ok(())
        }
    }

    #[test]
    fn the_table_waits_until_an_address_is_gone() {
        let (remove, told) = mpsc::channel();
        let jobs = act(Slow(told), unbounded_channel().0);
        let (done, gone) = mpsc::channel();
        jobs.send(Job::Remove { targets: Vec::new(), done }).unwrap();
        let wait = gone.recv_timeout(Duration::from_millis(50));
        assert_eq!(wait, Err(mpsc::RecvTimeoutError::Timeout));
        assert!(is_pending(&gone));
        remove.send(()).unwrap();
        assert_eq!(gone.recv(), Err(mpsc::RecvError), "let go of");
        assert!(!is_pending(&gone));
    }

    #[test]
    fn an_address_is_added_once_it_is_noted() {
        let (inputs, mut from_inputs) = unbounded_channel();
        let jobs = act(Fake::default(), inputs);
        let (noted, after) = mpsc::channel::<()>();
        jobs.send(Job::Add { targets: Vec::new(), after: vec![after] }).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        assert!(from_inputs.try_recv().is_err(), "it is not on disk yet");
        drop(noted);
        let news = from_inputs.blocking_recv();
        assert!(matches!(news, Some(Input::Vips(News::Added(..)))));
    }
}
