//! A monitor that is a program, run as mon runs it: its words and its hosts, nothing to read, one
//! pipe for all it says, its exit status.
//!
//! Where mon leaves it to itself it is held here: it leads a process group, has a time limit, and
//! is told to end before it is killed; what it says is kept up to a length; a signal that kills it
//! is a failure. mon takes the latter for success, and puts dead servers back.
//!
//! What it leaves behind in its process group is killed at its end too. What has left the group
//! (setsid(1), a daemon) nobody can tell from others: it lives on, is not waited for, and is told of
//! while it holds the program's output. Without a pidfd (kernels before 5.3, or no descriptor free)
//! that is so of all it leaves.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::NOT_RUN;
use super::report::MAX_OUTPUT;
use crate::model::{Finding, HostResult, Outcome, raw};
use crate::probe::miss::describe;
use crate::probe::{FOREVER, evidence};
use crate::program::{self, Left, NoTurn, Said, Turn, Turns};

/// The exit status of one that ran out of time, as of timeout(1).
const TIMED_OUT: u8 = 124;

/// Added to the number of the signal that killed it, as shells do.
const BY_SIGNAL: i32 = 128;

/// Programs under way at once. mon's `maxprocs` is the watcher's to keep; this is for those who
/// set none.
const AT_ONCE: usize = 256;

/// The places for programs, and the turns to start them.
pub(super) struct Programs {
    places: Arc<Semaphore>,
    turns: Turns,
}

impl Default for Programs {
    fn default() -> Programs {
        Programs { places: Arc::new(Semaphore::new(AT_ONCE)), turns: Turns::default() }
    }
}

impl Programs {
    /// Runs the program and says what it found, and what it left behind; the error is why the
    /// director could not run it, for which no host is to blame.
    pub async fn run(
        &self,
        argv: &[String],
        environment: &[(String, String)],
        limit: Duration,
    ) -> Result<(Finding, Option<&'static str>), String> {
        let [name, arguments @ ..] = argv else {
            return Ok((failed(NOT_RUN, "", "no program is given"), None));
        };
        let began = Instant::now();
        let deadline = began + limit.min(FOREVER);
        // First of all: who has to wait holds no descriptors meanwhile.
        let (turn, place) = self.ready(name, deadline).await?;
        let (waited, is_late) = (began.elapsed(), began.elapsed() > limit / 10);
        let limit = evidence::duration(limit);
        let mut command = Command::new(name);
        program::own_environment(&mut command);
        let value = |value: &str| OsStr::from_bytes(&raw::bytes_of(value)).to_owned();
        let variables = environment.iter().map(|(name, text)| (name, value(text)));
        command.args(arguments).envs(variables).stdin(Stdio::null());
        let said = Said::of(&mut command, MAX_OUTPUT);
        let mut said = said.map_err(|error| not_run(name, &describe(&error)))?;
        let mut group = match timeout_at(deadline, turn.start(command, place, deadline)).await {
            Ok(Ok(group)) => group,
            Ok(Err(error)) => {
                let why = not_run(name, &describe(&error));
                return if program::is_shortage(&error) {
                    Err(why)
                } else {
                    Ok((failed(NOT_RUN, "", &why), None))
                };
            }
            Err(_) => return Err(not_run(name, &format!("its start hung for {limit}"))),
        };
        let ended = timeout_at(deadline, said.until_whole_end(group.running())).await;
        // What it does not do in time it is told to leave.
        drop(group);
        match ended {
            Ok(Ok((status, rest))) => {
                let left = left_behind(rest.left().await);
                Ok((finding(status, raw::text_of(&said.into_bytes())), left))
            }
            Ok(Err(error)) => Err(not_run(name, &describe(&error))),
            Err(_) if is_late => {
                let waited = evidence::duration(waited);
                Err(not_run(name, &format!("it waited {waited} of {limit} for others")))
            }
            Err(_) => {
                let why = format!("monitor timed out after {limit} and was ended");
                Ok((failed(TIMED_OUT, &raw::text_of(&said.into_bytes()), &why), None))
            }
        }
    }

    /// A turn and a place, or why there was none.
    async fn ready(
        &self,
        name: &str,
        deadline: Instant,
    ) -> Result<(Turn, OwnedSemaphorePermit), String> {
        let others = "others are under way, and were for all its time";
        let turn = self.turns.turn(name.as_ref(), deadline).await.map_err(|why| match why {
            NoTurn::Hangs => not_run(name, "its start still hangs"),
            NoTurn::Late => not_run(name, others),
        })?;
        match timeout_at(deadline, self.places.clone().acquire_owned()).await {
            Ok(Ok(place)) => Ok((turn, place)),
            _ => Err(not_run(name, others)),
        }
    }
}

fn finding(status: ExitStatus, output: String) -> Finding {
    match (status.code(), status.signal()) {
        (Some(code), _) => Finding { exit: u8::try_from(code).unwrap_or(u8::MAX), output },
        (None, signal) => {
            let number = BY_SIGNAL + signal.unwrap_or(0);
            let exit = u8::try_from(number).unwrap_or(u8::MAX);
            failed(exit, &output, &format!("monitor {}", program::ending(status)))
        }
    }
}

fn left_behind(left: Left) -> Option<&'static str> {
    match left {
        Left::Nobody => None,
        Left::Killed => Some("what it left running was killed"),
        Left::OutOfReach => Some("what it left running has left its process group, and stays"),
        Left::LetBe => Some("what it left running could not be told from others, and stays"),
    }
}

fn not_run(name: &str, why: &str) -> String {
    format!("monitor {} could not be run: {why}", evidence::text(name))
}

/// The reason is the last line; the only one, and the summary, where the program said nothing.
fn failed(exit: u8, output: &str, why: &str) -> Finding {
    let end = if output.is_empty() || output.ends_with('\n') { "" } else { "\n" };
    Finding { exit, output: format!("{output}{end}{why}\n") }
}

/// What a finding says of each host: those whose names stand in the summary have failed.
pub(super) fn by_host(finding: &Finding, hosts: &[String]) -> Vec<HostResult> {
    let summary = finding.output.lines().next().unwrap_or_default();
    let named = |host: &String| summary.split_whitespace().any(|word| word == host);
    if finding.exit != 0 && !hosts.iter().any(named) {
        return Vec::new();
    }
    let result = |host: &String| {
        let outcome = match finding.exit != 0 && named(host) {
            true => Outcome::Fail(why(finding, host)),
            false => Outcome::Pass,
        };
        HostResult { host: host.clone(), outcome }
    };
    hosts.iter().map(result).collect()
}

/// The first line of the detail that speaks of the host, else that it was named.
fn why(finding: &Finding, host: &str) -> String {
    let edges = |c: char| c.is_whitespace() || c == ':' || c == ',';
    let about = |line: &&str| line.split(edges).any(|word| word == host);
    match finding.output.lines().skip(1).find(about) {
        Some(line) => evidence::line(&raw::bytes_of(line)),
        None => format!("named by the monitor, exit status {}", finding.exit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::Stuck;

    fn hosts() -> Vec<String> {
        ["web1", "web10"].map(str::to_owned).to_vec()
    }

    fn outcomes(exit: u8, output: &str) -> Vec<Outcome> {
        let finding = Finding { exit, output: output.into() };
        by_host(&finding, &hosts()).into_iter().map(|result| result.outcome).collect()
    }

    #[test]
    fn hosts_named_by_the_summary_have_failed_and_others_have_not() {
        let said = outcomes(1, "web1 other\n\nweb10 is fine\nweb1: refused\n");
        assert_eq!(said, [Outcome::Fail("web1: refused".into()), Outcome::Pass]);
        let said = outcomes(2, "web10\n");
        let why = "named by the monitor, exit status 2";
        assert_eq!(said, [Outcome::Pass, Outcome::Fail(why.into())]);
        assert_eq!(outcomes(0, "web1 took 3 ms\n"), [Outcome::Pass, Outcome::Pass]);
        assert_eq!(outcomes(1, "everything is broken\n"), []);
    }

    #[test]
    fn death_by_a_signal_is_a_failure_with_a_reason() {
        let killed = finding(ExitStatus::from_raw(11), "web1".into());
        assert_eq!(
            killed,
            Finding { exit: 139, output: "web1\nmonitor killed by SIGSEGV\n".into() }
        );
        let well = finding(ExitStatus::from_raw(3 << 8), "x\n".into());
        assert_eq!(well, Finding { exit: 3, output: "x\n".into() });
    }

    async fn run(programs: &Programs, limit: Duration) -> Result<Finding, String> {
        programs.run(&["true".to_owned()], &[], limit).await.map(|(finding, _)| finding)
    }

    #[tokio::test]
    async fn a_program_without_a_place_was_not_run_and_found_nothing() {
        let programs = Programs { places: Arc::new(Semaphore::new(0)), turns: Turns::default() };
        let said = run(&programs, Duration::from_millis(20)).await;
        let why = "monitor true could not be run: others are under way, and were for all its time";
        assert_eq!(said, Err(why.to_owned()));
    }

    #[tokio::test]
    async fn a_program_that_had_to_wait_and_did_not_end_in_the_rest_found_nothing() {
        let places = Arc::new(Semaphore::new(1));
        let held = places.clone().acquire_owned().await.unwrap();
        let programs = Programs { places, turns: Turns::default() };
        let argv = ["sleep", "1000"].map(str::to_owned);
        let release = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            drop(held);
        };
        let (said, ()) = tokio::join!(programs.run(&argv, &[], Duration::from_secs(1)), release);
        let why = said.unwrap_err();
        assert!(why.starts_with("monitor sleep could not be run: it waited "), "{why}");
    }

    /// A start hangs while the one thread that could carry it out is taken.
    #[test]
    fn a_program_whose_start_hangs_was_not_run_and_takes_one_place() {
        Stuck::run(async |stuck| {
            let programs = Programs::default();
            let hung = "monitor true could not be run: its start hung for 20 ms";
            assert_eq!(run(&programs, Duration::from_millis(20)).await, Err(hung.to_owned()));
            let still = "monitor true could not be run: its start still hangs";
            assert_eq!(run(&programs, FOREVER).await, Err(still.to_owned()));
            assert_eq!(programs.places.available_permits(), AT_ONCE - 1);
            stuck.end().await;
        });
    }
}
