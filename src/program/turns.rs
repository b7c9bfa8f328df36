//! One start of a program at a time: on a disk that hangs the thread that starts it hangs with
//! it, and with its place, and must not be followed by one more for each who wants it.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::sync::{Arc, Mutex};

use tokio::process::Command;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::Group;
use crate::mutex::lock;

/// Where turns are had, by the names of programs.
#[derive(Default)]
pub(crate) struct Turns(Mutex<HashMap<OsString, Arc<Gate>>>);

/// Where those wait who want to start one program.
struct Gate {
    turns: Arc<Semaphore>,
    /// When whoever has it started is out of time, if it is being started.
    until: Mutex<Option<Instant>>,
}

/// The right to start a program.
pub(crate) struct Turn {
    gate: Arc<Gate>,
    _held: OwnedSemaphorePermit,
}

/// Why there was no turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NoTurn {
    /// A start is under way that has outlived whoever wanted it.
    Hangs,
    /// Others were first, until the deadline.
    Late,
}

impl Turns {
    /// A turn to start this program, which is not waited for where a start hangs.
    pub async fn turn(&self, program: &OsStr, deadline: Instant) -> Result<Turn, NoTurn> {
        let gate = self.gate(program);
        let wait = if gate.hangs() { Instant::now() } else { deadline };
        match timeout_at(wait, gate.turns.clone().acquire_owned()).await {
            Ok(Ok(held)) => Ok(Turn { gate, _held: held }),
            _ if gate.hangs() => Err(NoTurn::Hangs),
            _ => Err(NoTurn::Late),
        }
    }

    fn gate(&self, program: &OsStr) -> Arc<Gate> {
        let mut gates = lock(&self.0);
        if let Some(gate) = gates.get(program) {
            return gate.clone();
        }
        // Nobody waits at the others, and nobody is past them.
        gates.retain(|_, gate| Arc::strong_count(gate) > 1);
        let gate = Arc::new(Gate { turns: Arc::new(Semaphore::new(1)), until: Mutex::default() });
        gates.insert(program.to_owned(), gate.clone());
        gate
    }
}

impl Gate {
    fn hangs(&self) -> bool {
        let until = *lock(&self.until);
        until.is_some_and(|until| until <= Instant::now())
    }

    fn starts(&self, until: Option<Instant>) {
        *lock(&self.until) = until;
    }
}

impl Turn {
    /// Starts the program. The turn ends when the start does, whether somebody waits or not.
    pub async fn start(
        self,
        command: Command,
        place: OwnedSemaphorePermit,
        deadline: Instant,
    ) -> io::Result<Group> {
        self.gate.starts(Some(deadline));
        let start = tokio::spawn(async move {
            let started = Group::start(command, Some(place)).await;
            drop(self);
            started
        });
        start.await.unwrap_or_else(|_| Err(io::Error::other("the start was broken off")))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.gate.starts(None);
    }
}
