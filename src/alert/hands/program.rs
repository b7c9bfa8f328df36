//! Running a program of the owner's: in a group of its own, for so long and no longer.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command as Process;
use tokio::sync::Semaphore;

use super::call;
use crate::alert::{Call, Command};
use crate::program::{self, Group, Running};

/// Programs under way at once. One whose file is on a disk that hangs holds its place until the
/// disk answers.
const AT_ONCE: usize = 32;

/// What the programs under way have in common.
pub struct Programs {
    places: Arc<Semaphore>,
    leaving: AtomicBool,
}

impl Programs {
    pub fn new() -> Programs {
        Programs { places: Arc::new(Semaphore::new(AT_ONCE)), leaving: AtomicBool::new(false) }
    }

    /// From now on whoever stops waiting for a program leaves it running: that the director ends
    /// is no reason to cut short what its owner is being told.
    pub fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    /// Runs the command to its end, with this for its standard input. The error says how it ended
    /// when that was not well.
    pub async fn run(&self, command: &Command, input: Option<&[u8]>) -> Result<(), String> {
        let process = process(command, input.is_some())?;
        self.see_through(process, command.limit, async |running| end(running, input).await).await
    }

    /// The same for a call. The error says besides how it ended what the program said first.
    pub async fn call(&self, call: &Call) -> Result<(), String> {
        let (process, mut said) = call::prepare(call).await?;
        let listen = async |running: &mut Running| call::end(running, &mut said, &call.input).await;
        let ended = self.see_through(process, call.limit, listen).await;
        ended.map_err(|ending| call::reason(&ending, &said.into_text()))
    }

    /// Starts the program when there is a place for it, and waits for so long and no longer until
    /// `end` says how it ended.
    async fn see_through(
        &self,
        process: Process,
        limit: Duration,
        end: impl AsyncFnOnce(&mut Running) -> io::Result<ExitStatus>,
    ) -> Result<(), String> {
        // Closed never.
        let place = self.places.clone().acquire_owned().await.ok();
        let mut held = Held { group: None, programs: self };
        let run = async {
            let group = held.group.insert(Group::start(process, place).await?);
            end(group.running()).await
        };
        match tokio::time::timeout(limit, run).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(program::ending(status)),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("killed after {} s", limit.as_secs())),
        }
    }
}

/// A program somebody waits for.
struct Held<'a> {
    group: Option<Group>,
    programs: &'a Programs,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let Some(group) = self.group.take() else { return };
        if self.programs.leaving.load(Ordering::Relaxed) {
            group.release();
        }
    }
}

fn process(command: &Command, has_input: bool) -> Result<Process, String> {
    let [name, arguments @ ..] = &command.argv[..] else {
        return Err("no program is given".to_owned());
    };
    let mut process = Process::new(name);
    process
        .args(arguments)
        .current_dir("/")
        .stdin(if has_input { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    match command.inherits {
        true => program::own_environment(&mut process),
        false => program::plain_environment(&mut process),
    }
    Ok(process)
}

async fn end(running: &mut Running, input: Option<&[u8]>) -> io::Result<ExitStatus> {
    if let (Some(mut stdin), Some(input)) = (running.stdin.take(), input) {
        // One that does not read to the end says by its status whether that is well.
        let _ = stdin.write_all(input).await;
    }
    running.child.wait().await
}
