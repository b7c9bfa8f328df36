//! Running a program of the owner's: in a group of its own, for so long and no longer.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command as Process;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::call;
use crate::alert::{Call, Command};
use crate::program::{self, Group, NoTurn, Running, Turn, Turns};

/// Programs under way at once. One whose file is on a disk that hangs holds its place until the
/// disk answers.
const AT_ONCE: usize = 32;

/// What programs under way have in common: those that tell somebody, or those that mail. A mail
/// does not wait for somebody's alert that hangs.
pub struct Programs {
    places: Arc<Semaphore>,
    turns: Turns,
    leaving: AtomicBool,
}

/// What a program needs to be started.
struct Ready {
    turn: Turn,
    place: OwnedSemaphorePermit,
}

impl Programs {
    pub fn new() -> Programs {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        Programs { places, turns: Turns::default(), leaving: AtomicBool::new(false) }
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
        let ready = self.ready(&process, command.limit).await?;
        let end = async |running: &mut Running| end(running, input).await;
        self.see_through(ready, process, command.limit, end).await
    }

    /// The same for a call. The error says besides how it ended what the program said first.
    pub async fn call(&self, call: &Call) -> Result<(), String> {
        let mut process = call::prepare(call).await?;
        let ready = self.ready(&process, call.limit).await?;
        let mut said = call::listen(&mut process)?;
        let end = async |running: &mut Running| call::end(running, &mut said, &call.input).await;
        let ended = self.see_through(ready, process, call.limit, end).await;
        ended.map_err(|ending| call::reason(&ending, &String::from_utf8_lossy(&said.into_bytes())))
    }

    /// Waits until the program may be started. Its own time has not begun, and it holds no
    /// descriptors; but one whose start hangs is not waited for.
    async fn ready(&self, process: &Process, limit: Duration) -> Result<Ready, String> {
        let program = process.as_std().get_program();
        let turn = loop {
            match self.turns.turn(program, Instant::now() + limit).await {
                Ok(turn) => break turn,
                Err(NoTurn::Late) => {}
                Err(NoTurn::Hangs) => {
                    return Err(format!("the start of {} still hangs", program.display()));
                }
            }
        };
        let place = self.places.clone().acquire_owned().await;
        // Closed never.
        let place = place.map_err(|error| error.to_string())?;
        Ok(Ready { turn, place })
    }

    /// Starts the program, and waits for so long and no longer until `end` says how it ended.
    async fn see_through(
        &self,
        ready: Ready,
        process: Process,
        limit: Duration,
        end: impl AsyncFnOnce(&mut Running) -> io::Result<ExitStatus>,
    ) -> Result<(), String> {
        let Ready { turn, place } = ready;
        let deadline = Instant::now() + limit;
        let mut held = Held { group: None, programs: self };
        let run = async {
            let group = held.group.insert(turn.start(process, place, deadline).await?);
            end(group.running()).await
        };
        match tokio::time::timeout_at(deadline, run).await {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::Stuck;

    fn run_true(limit: Duration) -> Command {
        let argv = vec!["true".to_owned()];
        Command { lane: String::new(), argv, inherits: false, limit }
    }

    /// A start hangs while the one thread that could carry it out is taken.
    #[test]
    fn a_program_whose_start_hangs_takes_one_place_however_often_it_is_called() {
        Stuck::run(async |stuck| {
            let programs = Arc::new(Programs::new());
            let mut calls = tokio::task::JoinSet::new();
            for _ in 0..2 * AT_ONCE {
                let programs = programs.clone();
                let command = run_true(Duration::from_millis(50));
                calls.spawn(async move { programs.run(&command, None).await });
            }
            let said = calls.join_all().await;
            let killed = said.iter().filter(|said| **said == Err("killed after 0 s".to_owned()));
            assert_eq!(killed.count(), 1, "{said:?}");
            assert_eq!(programs.places.available_permits(), AT_ONCE - 1);
            stuck.end().await;
        });
    }
}
