//! Ask a program of the owner's: exit status 0 means the server is well.
//!
//! Never through a shell. The program leads a process group of its own, and when its time is up,
//! or nobody wants to know any more, the whole group is told to end, grandchildren included, and
//! killed a moment later. What a program that ended by itself left running is its own affair.
//!
//! Anybody on the machine can read arguments; what is secret is handed over as input.

use std::io;
use std::net::IpAddr;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::evidence;
use super::miss::{Miss, describe};
use crate::model::{Endpoint, ExternalProbe};
use crate::program::{self, Group, Running};

/// Programs running at once. More would only slow each other down, and a director's memory is
/// not sized for a program per real server.
const AT_ONCE: usize = 64;

/// What is kept of a program's output, in bytes of each stream; the rest is read and forgotten.
const MAX_OUTPUT: usize = 4096;

/// Longer time limits are cut to this, so that points of time stay representable.
const FOREVER: Duration = Duration::from_secs(365 * 86_400);

/// The places for programs.
pub(super) struct Slots(Arc<Semaphore>);

impl Default for Slots {
    fn default() -> Slots {
        Slots(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Slots {
    /// Runs the program and judges its exit status, all within `limit`.
    ///
    /// Waiting for a place is part of the time, but not the server's fault: a program that did
    /// not get its turn, or lost more than a tenth of its time waiting for it and did not finish
    /// in the rest, is the director's trouble.
    pub async fn run(
        &self,
        endpoint: Endpoint,
        probe: &ExternalProbe,
        limit: Duration,
    ) -> Result<(), Miss> {
        let began = Instant::now();
        let deadline = began + limit.min(FOREVER);
        let place = timeout_at(deadline, self.0.clone().acquire_owned()).await;
        let waited = began.elapsed();
        let Ok(Ok(place)) = place else { return Err(no_place(waited)) };
        let (program, command) = prepare(endpoint, probe)?;
        let started = timeout_at(deadline, Group::start(command, Some(place))).await;
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
            Err(_) if waited > limit / 10 => Err(no_place(waited)),
            Err(_) => Err(Miss::Fail(format!(
                "external: timed out after {}: {program} was killed",
                evidence::duration(limit)
            ))),
        }
    }
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
    let reason = format!("external: {program}: {}", describe(error));
    if is_shortage(error) { Miss::Local(reason) } else { Miss::Fail(reason) }
}

/// Puts the server and the service in the place of `{address}` and its like. IPv6 addresses
/// stand in brackets, as ldirectord passes them.
fn fill_in(argument: &str, endpoint: Endpoint, probe: &ExternalProbe) -> String {
    let address = match endpoint.address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    // No value holds a brace, so that the order does not matter.
    argument
        .replace("{address}", &address)
        .replace("{port}", &endpoint.port.to_string())
        .replace("{virtual_address}", &probe.virtual_address)
        .replace("{virtual_port}", &probe.virtual_port.to_string())
}

fn is_shortage(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error().map(Errno::from_raw),
        Some(Errno::EAGAIN | Errno::ENOMEM | Errno::EMFILE | Errno::ENFILE)
    )
}

/// Hands over the input and waits for the end; returns the status and the first line of what
/// was said.
async fn run(running: &mut Running, input: Option<&str>) -> io::Result<(ExitStatus, String)> {
    let (mut errors, mut output) = (Vec::new(), Vec::new());
    let status = {
        let stdin = hand_over(running.stdin.take(), input);
        let stderr = keep_reading(running.stderr.as_mut(), &mut errors);
        let stdout = keep_reading(running.stdout.as_mut(), &mut output);
        let mut reading = std::pin::pin!(async { tokio::join!(stdin, stderr, stdout) });
        let mut ended = std::pin::pin!(running.child.wait());
        tokio::select! {
            biased;
            // Both streams closed; the program may still run.
            _ = &mut reading => ended.await?,
            status = &mut ended => {
                // What it said before its end is in the pipes already. The pipes may stay
                // open: a grandchild can hold them.
                let _ = tokio::time::timeout(Duration::ZERO, &mut reading).await;
                status?
            }
        }
    };
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

fn complaint(status: ExitStatus, said: &str) -> String {
    let how = program::ending(status);
    let colon = if said.is_empty() { "" } else { ": " };
    format!("external: {how}{colon}{said}")
}
