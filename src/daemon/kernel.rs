//! The thread that talks to the kernel.
//!
//! The kernel carries out a batch of requests inside the send, milliseconds for a large one, and
//! more when a scheduler module has to be loaded. On a thread of its own that delays no check.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use tokio::sync::mpsc::UnboundedSender;

use super::Input;
use crate::ipvs::Kernel;
use crate::model::ServiceKey;
use crate::plan::{Step, SyncStep};

/// What the thread is asked to do. The engine asks one thing at a time.
#[derive(Debug)]
pub enum Job {
    Survey,
    Glance,
    Read(Vec<ServiceKey>),
    Apply {
        steps: Vec<Step>,
        /// Notes that must be on disk before: each sends, or hangs up, once it is.
        after: Vec<mpsc::Receiver<()>>,
    },
    ReadSync,
    ApplySync {
        steps: Vec<SyncStep>,
        /// The same.
        after: Vec<mpsc::Receiver<()>>,
    },
}

/// Starts the thread. It ends when the returned sender is dropped.
pub fn start(mut kernel: Box<dyn Kernel>, inputs: UnboundedSender<Input>) -> mpsc::Sender<Job> {
    let (jobs, queue) = mpsc::channel();
    let work = move || {
        for job in queue {
            if inputs.send(carry_out(&mut *kernel, job)).is_err() {
                return;
            }
        }
    };
    // The name shows in `ps -L` and in a debugger.
    let spawned = thread::Builder::new().name("kernel".into()).spawn(work);
    if let Err(error) = spawned {
        tracing::error!(%error, "the kernel thread cannot be started");
    }
    jobs
}

fn carry_out(kernel: &mut dyn Kernel, job: Job) -> Input {
    match job {
        Job::Survey => {
            let (survey, cost) = measured(|| kernel.survey());
            Input::Surveyed(survey, cost)
        }
        Job::Glance => {
            let (digests, cost) = measured(|| kernel.glance());
            Input::Glanced(digests, cost)
        }
        Job::Read(keys) => {
            let records = kernel.read(&keys);
            Input::Read(keys, records)
        }
        Job::Apply { steps, after } => {
            wait_for(after);
            let failures = kernel.apply(&steps);
            Input::Applied(steps, failures)
        }
        Job::ReadSync => Input::SyncRead(kernel.sync_daemons()),
        Job::ApplySync { steps, after } => {
            wait_for(after);
            let failures = kernel.apply_sync(&steps);
            Input::SyncApplied(steps, failures)
        }
    }
}

fn wait_for(notes: Vec<mpsc::Receiver<()>>) {
    for noted in notes {
        // An error means that the note was given up, which has been told.
        let _ = noted.recv();
    }
}

/// What came of this, and the processor time it took.
fn measured<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let before = thread_cpu();
    let done = work();
    (done, thread_cpu().saturating_sub(before))
}

/// The processor time this thread has used.
fn thread_cpu() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_THREAD);
    let total = |u: Usage| u.user_time().num_microseconds() + u.system_time().num_microseconds();
    Duration::from_micros(usage.map_or(0, |u| total(u).max(0).unsigned_abs()))
}
