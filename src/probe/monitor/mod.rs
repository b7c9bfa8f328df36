//! mon's monitors: one question to each host of a group, one finding for them all.
//!
//! ```text
//! MonitorCall --> Native   plan: the words, read --> native: every host at once --> report
//!             |                                      http, talk, ldap, dns, echoes
//!             `-> Program  external: mon's argv, one pipe, a time limit
//! ```
//!
//! Those of mon's monitors that ask by network are carried out here, without a process for each
//! check: the same words, the same exit statuses, the same first line. Whatever else a file names
//! is run as mon runs it. Reading words ([`Plan`]) and wording findings touch nothing and are
//! tested without a socket.
//!
//! Differences from the programs, all of them on purpose: hosts are asked side by side, and the
//! limit of the call holds for all together; options that are not known are mistakes; a name that
//! cannot be resolved is a failed host and not a line of noise; a regular expression that matches
//! nothing at all does not make a closed port a good page; when every master of a zone is silent
//! that is never a success; times of the clock are left out of details, by which no two of them
//! would be the same.

mod dns;
mod external;
mod filter;
mod hosts;
mod http;
mod ldap;
mod native;
mod plan;
mod record;
mod report;
mod talk;
mod zone;

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::miss::{Miss, Progress};
use super::{FOREVER, Prober};
use crate::model::{Finding, HostResult, MonitorCall, MonitorKind, NativeMonitor, Outcome};
use external::Programs;
use native::Machine;
pub use plan::{Mistake, NAMES, Plan, native_name};

/// Hosts asked at once, by all monitors together. Each is a descriptor or two.
const HOSTS: usize = 512;

/// The exit status of a monitor that could not be asked at all: mon's, for one that cannot be
/// executed.
const NOT_RUN: u8 = 1;

/// What a monitor found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    pub finding: Finding,
    /// What became of each host, as far as it is known: of a program's, those that its summary
    /// names have failed; none is known where it failed and names none.
    pub hosts: Vec<HostResult>,
    /// Why nobody was asked, where that was the director's own trouble: who heeds the finding for
    /// a server must not hold it against it.
    pub trouble: Option<String>,
    /// What its program left behind, for its owner; see [`external`].
    pub left: Option<&'static str>,
}

impl Found {
    /// All is well where the finding says so: `fping -a` is content with one host of many.
    fn of(finding: Finding, mut hosts: Vec<HostResult>) -> Found {
        if finding.exit == 0 {
            hosts.iter_mut().for_each(|host| host.outcome = Outcome::Pass);
        }
        let mut trouble = None;
        for host in &hosts {
            match &host.outcome {
                Outcome::Pass => {}
                Outcome::Local(why) => trouble = trouble.or_else(|| Some(why.clone())),
                Outcome::Fail(_) => return Found { finding, hosts, trouble: None, left: None },
            }
        }
        Found { finding, hosts, trouble, left: None }
    }

    /// The director could not ask any of these, nor anybody else.
    fn unasked(why: String, hosts: &[String]) -> Found {
        let host =
            |host: &String| HostResult { host: host.clone(), outcome: Outcome::Local(why.clone()) };
        let hosts = hosts.iter().map(host).collect();
        Found { finding: not_run(&why), hosts, trouble: Some(why), left: None }
    }

    /// What was written cannot be carried out, which is its owner's to mend.
    fn mistaken(why: &str) -> Found {
        Found { finding: not_run(why), hosts: Vec::new(), trouble: None, left: None }
    }
}

/// Carries out monitors. Cheap to clone.
#[derive(Clone)]
pub struct Monitors {
    prober: Prober,
    hosts: Arc<Semaphore>,
    programs: Arc<Programs>,
}

impl Monitors {
    pub fn new(prober: Prober) -> Monitors {
        let hosts = Arc::new(Semaphore::new(HOSTS));
        Monitors { prober, hosts, programs: Arc::default() }
    }

    /// Asks for these hosts, and for them alone, within the call's limit.
    ///
    /// `environment` is what programs see besides the director's own.
    ///
    /// To be called in a tokio runtime with time and I/O. Dropping the future ends what it began.
    pub async fn run(
        &self,
        call: &MonitorCall,
        hosts: &[String],
        environment: &[(String, String)],
    ) -> Found {
        let told = if call.without_hosts { &[] } else { hosts };
        match &call.how {
            MonitorKind::Missing => {
                Found::mistaken(&format!("no monitor found for: {}", call.written))
            }
            MonitorKind::Native(native) => self.native(call, native, told).await,
            MonitorKind::Program(argv) => {
                let argv = [argv, told].concat();
                match self.programs.run(&argv, environment, call.limit).await {
                    Ok((finding, left)) => {
                        let results = external::by_host(&finding, told);
                        Found { left, ..Found::of(finding, results) }
                    }
                    Err(why) => Found::unasked(why, hosts),
                }
            }
        }
    }

    async fn native(&self, call: &MonitorCall, native: &NativeMonitor, hosts: &[String]) -> Found {
        let plan = match Plan::parse(native) {
            Ok(plan) => plan,
            Err(mistakes) => {
                let lines: Vec<String> = mistakes.iter().map(Mistake::to_string).collect();
                return Found::mistaken(&format!("{}: {}", call.written, lines.join("; ")));
            }
        };
        let deadline = Instant::now() + call.limit.min(FOREVER);
        let machine = Machine::new(self.prober.clone(), self.hosts.clone(), deadline);
        let hosts = [&plan.hosts[..], hosts].concat();
        let (finding, results) = machine.run(&plan.task, hosts).await;
        Found::of(finding, results)
    }
}

/// What this monitor makes of the host at the other end of a connection: for `tests/fuzz`.
pub(super) async fn hear<S: AsyncRead + AsyncWrite + Unpin>(
    shared: &super::Shared,
    native: &NativeMonitor,
    stream: &mut S,
) -> Result<(), Miss> {
    let told = |mistakes: Vec<Mistake>| Miss::Local(format!("{mistakes:?}"));
    let plan = Plan::parse(native).map_err(told)?;
    native::hear(shared, &plan.task, stream, &Progress::default()).await
}

fn not_run(why: &str) -> Finding {
    Finding { exit: NOT_RUN, output: format!("{why}\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(exit: u8, outcomes: &[Outcome]) -> Found {
        let host = |outcome: &Outcome| HostResult { host: "web".into(), outcome: outcome.clone() };
        let finding = Finding { exit, output: String::new() };
        Found::of(finding, outcomes.iter().map(host).collect())
    }

    #[test]
    fn a_group_of_which_only_those_failed_who_could_not_be_asked_has_not_failed() {
        let (local, fail) = (Outcome::Local("busy".into()), Outcome::Fail("refused".into()));
        let trouble = Some("busy".to_owned());
        assert_eq!(found(1, &[Outcome::Pass, local.clone()]).trouble, trouble);
        assert_eq!(found(1, &[local, fail]).trouble, None);
        assert_eq!(found(1, &[]).trouble, None, "a program that names nobody has failed");
    }

    #[test]
    fn no_host_has_failed_of_a_group_that_is_well() {
        let well = found(0, &[Outcome::Pass, Outcome::Fail("no answer".into())]);
        assert!(well.hosts.iter().all(|host| host.outcome == Outcome::Pass), "{well:?}");
    }
}
