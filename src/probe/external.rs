//! Ask a program of the owner's: exit status 0 means the server is well.
//!
//! Never through a shell. The program leads a process group of its own, and when its time is up,
//! or nobody wants to know any more, the whole group is told to end, grandchildren included, and
//! killed a moment later. What a program that ended by itself left running is its own affair.
//!
//! Anybody on the machine can read arguments; what is secret is handed over as input.

use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};

use super::miss::{Miss, describe};
use super::{FOREVER, evidence};
use crate::model::{Endpoint, ExternalProbe};
use crate::program::{self, NoTurn, Running, Turns};

/// Programs running at once. More would only slow each other down, and a director's memory is
/// not sized for a program per real server.
const AT_ONCE: usize = 64;

/// What is kept of a program's output, in bytes of each stream; the rest is read and forgotten.
const MAX_OUTPUT: usize = 4096;

/// The places for programs, and the turns to start them.
pub(super) struct Slots {
    places: Arc<Semaphore>,
    turns: Turns,
    /// Closed at the stop; nobody ever gets in.
    over: Semaphore,
}

impl Default for Slots {
    fn default() -> Slots {
        Slots {
            places: Arc::new(Semaphore::new(AT_ONCE)),
            turns: Turns::default(),
            over: Semaphore::new(0),
        }
    }
}

impl Slots {
    /// Runs the program and judges its exit status, all within `limit`.
    ///
    /// Waiting for a turn and a place is part of the time, but not the server's fault: a program
    /// that did not get them, or lost more than a tenth of its time waiting for them and did not
    /// finish in the rest, is the director's trouble.
    pub async fn run(
        &self,
        endpoint: Endpoint,
        probe: &ExternalProbe,
        limit: Duration,
    ) -> Result<(), Miss> {
        tokio::select! {
            biased;
            _ = self.over.acquire() => Err(Miss::Local("external: the director stops".into())),
            done = self.judge(endpoint, probe, limit) => done,
        }
    }

    /// Has the programs under way told to end, and starts no others. Returns when they are gone
    /// and their time for it is over, or `limit` is.
    pub async fn farewell(&self, limit: Duration) {
        self.over.close();
        let all = u32::try_from(AT_ONCE).unwrap_or(u32::MAX);
        let _ = timeout(limit, self.places.acquire_many(all)).await;
    }

    async fn judge(
        &self,
        endpoint: Endpoint,
        probe: &ExternalProbe,
        limit: Duration,
    ) -> Result<(), Miss> {
        let began = Instant::now();
        let deadline = began + limit.min(FOREVER);
        let (program, command) = prepare(endpoint, probe)?;
        let turn = self.turns.turn(command.as_std().get_program(), deadline).await;
        let queued = began.elapsed();
        let turn = turn.map_err(|why| no_turn(&program, why, queued))?;
        let place = timeout_at(deadline, self.places.clone().acquire_owned()).await;
        let waited = began.elapsed();
        let Ok(Ok(place)) = place else { return Err(no_place(waited)) };
        let started = timeout_at(deadline, turn.start(command, place, deadline)).await;
        let Ok(started) = started else {
            let limit = evidence::duration(limit);
            return Err(Miss::Local(format!("external: {program}: not started within {limit}")));
        };
        let mut group = started.map_err(|error| not_started(&program, &error))?;
        let running = group.running();
        match timeout_at(deadline, run(running, probe.input.as_deref())).await {
            Ok(Ok((status, _))) if status.success() => Ok(()),
            Ok(Ok((status, said))) => Err(Miss::Fail(complaint(status, &said))),
            Ok(Err(error)) => Err(Miss::Local(format!("external: {}", describe(&error)))),
            Err(_) if queued > limit / 10 => Err(no_turn(&program, NoTurn::Late, queued)),
            Err(_) if waited > limit / 10 => Err(no_place(waited)),
            Err(_) => Err(Miss::Fail(format!(
                "external: timed out after {}: {program} was killed",
                evidence::duration(limit)
            ))),
        }
    }
}

fn no_turn(program: &str, why: NoTurn, waited: Duration) -> Miss {
    let waited = evidence::duration(waited);
    Miss::Local(match why {
        NoTurn::Hangs => format!("external: the start of {program} still hangs"),
        NoTurn::Late => format!("external: {program}: waited {waited} for its turn to be started"),
    })
}

fn no_place(waited: Duration) -> Miss {
    Miss::Local(format!(
        "external: {AT_ONCE} programs are running already: waited {} for a place",
        evidence::duration(waited)
    ))
}

/// The program's name, and how it is started.
fn prepare(endpoint: Endpoint, probe: &ExternalProbe) -> Result<(String, Command), Miss> {
    let [name, arguments @ ..] = &probe.argv[..] else {
        return Err(Miss::Local("external: no program is given".into()));
    };
    let mut command = Command::new(name);
    program::own_environment(&mut command);
    command
        .args(arguments.iter().map(|argument| fill_in(argument, endpoint, probe)))
        .stdin(if probe.input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Ok((evidence::text(name), command))
}

fn not_started(program: &str, error: &io::Error) -> Miss {
    // Whatever keeps our program from being started says nothing about the server.
    Miss::Local(format!("external: {program}: {}", describe(error)))
}

/// Puts the server and the service in the place of `{address}` and its like. IPv6 addresses
/// stand in brackets, as ldirectord passes them.
fn fill_in(argument: &str, endpoint: Endpoint, probe: &ExternalProbe) -> String {
    let address = match endpoint.address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    let (port, virtual_port) = (endpoint.port.to_string(), probe.virtual_port.to_string());
    let values = [&address, &port, &probe.virtual_address, &virtual_port];
    // No value holds a brace, so that the order does not matter.
    let places = ExternalProbe::PLACES.into_iter().zip(values);
    places.fold(argument.to_owned(), |text, (place, value)| text.replace(place, value))
}

/// Hands over the input and waits for the end; returns the status and the first line of what
/// was said.
async fn run(running: &mut Running, input: Option<&str>) -> io::Result<(ExitStatus, String)> {
    let (mut errors, mut output) = (Vec::new(), Vec::new());
    let (status, is_heard) = {
        let stdin = hand_over(running.stdin.take(), input);
        let stderr = keep_reading(running.stderr.as_mut(), &mut errors);
        let stdout = keep_reading(running.stdout.as_mut(), &mut output);
        let mut reading = std::pin::pin!(async { tokio::join!(stdin, stderr, stdout) });
        let mut ended = std::pin::pin!(running.child.wait());
        tokio::select! {
            biased;
            // Both streams closed; the program may still run.
            _ = &mut reading => (ended.await?, true),
            status = &mut ended => (status?, false),
        }
    };
    if !is_heard {
        // What it said before its end is in the pipes already. The pipes may stay open: a
        // grandchild can hold them.
        take_rest(running.stderr.as_ref(), &mut errors);
        take_rest(running.stdout.as_ref(), &mut output);
    }
    let said = if errors.trim_ascii().is_empty() { output } else { errors };
    Ok((status, evidence::line(said.trim_ascii_start())))
}

/// Writes what there is and closes the pipe.
async fn hand_over(stream: Option<impl AsyncWrite + Unpin>, input: Option<&str>) {
    if let (Some(mut stream), Some(input)) = (stream, input) {
        // A program that does not want it may be right all the same.
        let _ = stream.write_all(input.as_bytes()).await;
    }
}

/// Reads to the end so that the program is never held up, keeps the beginning.
async fn keep_reading(stream: Option<&mut (impl AsyncRead + Unpin)>, kept: &mut Vec<u8>) {
    let Some(stream) = stream else { return };
    let mut chunk = vec![0; MAX_OUTPUT];
    while let Ok(length @ 1..) = stream.read(&mut chunk).await {
        let room = MAX_OUTPUT - kept.len();
        kept.extend_from_slice(chunk.get(..length.min(room)).unwrap_or_default());
    }
}

/// Takes what there is, asked of the system itself: the runtime may not have heard yet of what is
/// there.
fn take_rest(stream: Option<&impl AsFd>, kept: &mut Vec<u8>) {
    let Some(stream) = stream else { return };
    let mut chunk = [0; MAX_OUTPUT];
    while kept.len() < MAX_OUTPUT
        && let Ok(length @ 1..) = nix::unistd::read(stream, &mut chunk)
    {
        let room = MAX_OUTPUT - kept.len();
        kept.extend_from_slice(&chunk[..length.min(room)]);
    }
}

fn complaint(status: ExitStatus, said: &str) -> String {
    let how = program::ending(status);
    let colon = if said.is_empty() { "" } else { ": " };
    format!("external: {how}{colon}{said}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::Stuck;

    use tokio::task::JoinSet;

    const LONG: Duration = Duration::from_secs(20);

    async fn run(slots: &Slots, limit: Duration) -> Result<(), Miss> {
        let probe = ExternalProbe {
            argv: vec!["true".into()],
            input: None,
            virtual_address: String::new(),
            virtual_port: 80,
        };
        slots.run(Endpoint::new([127, 0, 0, 1].into(), 80), &probe, limit).await
    }

    #[tokio::test]
    async fn what_was_said_before_the_end_is_heard_though_the_runtime_did_not_look() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "echo so >&2; sleep 1000 & exit 3"]).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (errors, group) = (child.stderr.take(), child.id().unwrap());
        child.wait().await.unwrap();
        let mut kept = Vec::new();
        take_rest(errors.as_ref(), &mut kept);
        assert_eq!(kept, b"so\n");
        let group = nix::unistd::Pid::from_raw(i32::try_from(group).unwrap());
        nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL).unwrap();
    }

    /// A start hangs while the one thread that could carry it out is taken.
    #[test]
    fn a_program_whose_start_hangs_takes_one_place_however_many_checks_want_it() {
        Stuck::run(async |stuck| {
            let slots = Arc::new(Slots::default());
            let mut checks = JoinSet::new();
            for _ in 0..2 * AT_ONCE {
                let slots = slots.clone();
                checks.spawn(async move { run(&slots, Duration::from_millis(50)).await });
            }
            while let Some(said) = checks.join_next().await {
                assert!(matches!(said, Ok(Err(Miss::Local(_)))), "{said:?}");
            }
            assert_eq!(slots.places.available_permits(), AT_ONCE - 1);
            // With all the time in the world, at once.
            let hung = Err(Miss::Local("external: the start of true still hangs".into()));
            assert_eq!(timeout(LONG, run(&slots, FOREVER)).await, Ok(hung.clone()));
            assert_eq!(slots.places.available_permits(), AT_ONCE - 1);
            // Another program has its turn.
            let other = slots.turns.turn("false".as_ref(), Instant::now() + LONG).await;
            assert!(other.is_ok());
            // It is over when the start is.
            stuck.end().await;
            let recovered = async {
                while run(&slots, LONG).await == hung {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                run(&slots, LONG).await
            };
            assert_eq!(timeout(LONG, recovered).await, Ok(Ok(())));
        });
    }
}
