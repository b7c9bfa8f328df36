//! A monitor that is a program, run as mon runs it: its words and its hosts, nothing to read, one
//! pipe for all it says, its exit status.
//!
//! Where mon leaves it to itself it is held here: it leads a process group, has a time limit, and
//! is told to end before it is killed; what it says is kept up to a length; a signal that kills it
//! is a failure. mon takes the latter for success, and puts dead servers back.

use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::report::MAX_OUTPUT;
use super::{HostResult, NOT_RUN};
use crate::model::{Finding, Outcome};
use crate::probe::evidence;
use crate::probe::miss::describe;
use crate::program::{self, Group, Said};

/// Longer time limits are cut to this, so that points of time stay representable.
pub(super) const FOREVER: Duration = Duration::from_secs(365 * 86_400);

/// The exit status of one that ran out of time, as of timeout(1).
const TIMED_OUT: u8 = 124;

/// Added to the number of the signal that killed it, as shells do.
const BY_SIGNAL: i32 = 128;

/// Runs the program and says what it found.
pub(super) async fn run(
    places: &Arc<Semaphore>,
    argv: &[String],
    environment: &[(String, String)],
    limit: Duration,
) -> Finding {
    let deadline = Instant::now() + limit.min(FOREVER);
    let [name, arguments @ ..] = argv else { return failed(NOT_RUN, "", "no program is given") };
    let mut command = Command::new(name);
    program::own_environment(&mut command);
    command.args(arguments).envs(environment.iter().cloned()).stdin(Stdio::null());
    let mut said = match Said::of(&mut command, MAX_OUTPUT) {
        Ok(said) => said,
        Err(error) => return not_started(name, &describe(&error)),
    };
    let limit = evidence::duration(limit);
    let Ok(Ok(place)) = timeout_at(deadline, places.clone().acquire_owned()).await else {
        return not_started(name, &format!("no place within {limit}: others are under way"));
    };
    let mut group = match timeout_at(deadline, Group::start(command, Some(place))).await {
        Ok(Ok(group)) => group,
        Ok(Err(error)) => return not_started(name, &describe(&error)),
        Err(_) => return not_started(name, &format!("its start hung for {limit}")),
    };
    let ended = timeout_at(deadline, said.until_end(&mut group.running().child)).await;
    // What it does not do in time it is told to leave.
    drop(group);
    match ended {
        Ok(Ok(status)) => finding(status, said.into_text()),
        Ok(Err(error)) => failed(NOT_RUN, &said.into_text(), &describe(&error)),
        Err(_) => {
            let why = format!("monitor timed out after {limit} and was ended");
            failed(TIMED_OUT, &said.into_text(), &why)
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

fn not_started(name: &str, why: &str) -> Finding {
    failed(NOT_RUN, "", &format!("monitor {} could not be run: {why}", evidence::text(name)))
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
        Some(line) => evidence::line(line.as_bytes()),
        None => format!("named by the monitor, exit status {}", finding.exit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
