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

use std::path::PathBuf;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::Prober;
use super::miss::{Miss, Progress};
use crate::model::{Finding, MonitorCall, MonitorKind, NativeMonitor, Outcome};
use native::Machine;
pub use plan::{Mistake, NAMES, Plan, native_name};

/// Hosts asked at once, by all monitors together. Each is a descriptor or two.
const HOSTS: usize = 512;

/// Programs under way at once. mon's `maxprocs` is the watcher's to keep; this is for those who
/// set none.
const PROGRAMS: usize = 256;

/// The exit status of a monitor that could not be asked at all: mon's, for one that cannot be
/// executed.
const NOT_RUN: u8 = 1;

/// What became of one host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostResult {
    pub host: String,
    /// [`Outcome::Local`] where the director could not ask; the finding counts it as failed, as
    /// mon's monitors would.
    pub outcome: Outcome,
}

/// Who carries out monitors that the director has itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Natives {
    /// The director.
    #[default]
    Ours,
    /// mon's programs, looked for in these folders: for owners whose own `http.monitor` is not
    /// mon's, or who do not trust us yet.
    Programs(Vec<PathBuf>),
}

/// Carries out monitors. Cheap to clone.
#[derive(Clone)]
pub struct Monitors {
    prober: Prober,
    natives: Natives,
    hosts: Arc<Semaphore>,
    programs: Arc<Semaphore>,
}

impl Monitors {
    pub fn new(prober: Prober, natives: Natives) -> Monitors {
        let hosts = Arc::new(Semaphore::new(HOSTS));
        Monitors { prober, natives, hosts, programs: Arc::new(Semaphore::new(PROGRAMS)) }
    }

    /// Asks for these hosts, and for them alone, within the call's limit.
    ///
    /// `environment` is what programs see besides the director's own. With the finding comes what
    /// became of each host, as far as it is known: of a program's, those that its summary names
    /// have failed; none is known where it failed and names none.
    ///
    /// To be called in a tokio runtime with time and I/O. Dropping the future ends what it began.
    pub async fn run(
        &self,
        call: &MonitorCall,
        hosts: &[String],
        environment: &[(String, String)],
    ) -> (Finding, Vec<HostResult>) {
        let hosts = if call.without_hosts { &[] } else { hosts };
        match &call.how {
            MonitorKind::Missing => not_run(format!("no monitor found for: {}", call.written)),
            MonitorKind::Program(argv) => self.program(call, argv, hosts, environment).await,
            MonitorKind::Native(native) => match &self.natives {
                Natives::Ours => self.native(call, native, hosts).await,
                Natives::Programs(folders) => match program_of(call, native, folders) {
                    Some(argv) => self.program(call, &argv, hosts, environment).await,
                    None => not_run(format!("no program found for: {}", call.written)),
                },
            },
        }
    }

    async fn native(
        &self,
        call: &MonitorCall,
        native: &NativeMonitor,
        hosts: &[String],
    ) -> (Finding, Vec<HostResult>) {
        let plan = match Plan::parse(native) {
            Ok(plan) => plan,
            Err(mistakes) => {
                let lines: Vec<String> = mistakes.iter().map(Mistake::to_string).collect();
                return not_run(format!("{}: {}", call.written, lines.join("; ")));
            }
        };
        let deadline = Instant::now() + call.limit.min(external::FOREVER);
        let machine = Machine::new(self.prober.clone(), self.hosts.clone(), deadline);
        let hosts = [&plan.hosts[..], hosts].concat();
        machine.run(&plan.task, hosts).await
    }

    async fn program(
        &self,
        call: &MonitorCall,
        argv: &[String],
        hosts: &[String],
        environment: &[(String, String)],
    ) -> (Finding, Vec<HostResult>) {
        let argv = [argv, hosts].concat();
        let finding = external::run(&self.programs, &argv, environment, call.limit).await;
        let results = external::by_host(&finding, hosts);
        (finding, results)
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

fn not_run(why: String) -> (Finding, Vec<HostResult>) {
    (Finding { exit: NOT_RUN, output: format!("{why}\n") }, Vec::new())
}

/// The program that was written, in the first folder that has it, and its words.
fn program_of(
    call: &MonitorCall,
    native: &NativeMonitor,
    folders: &[PathBuf],
) -> Option<Vec<String>> {
    let name = call.written.split_whitespace().next()?;
    let path = folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file())?;
    let mut argv = vec![path.to_str()?.to_owned()];
    argv.extend(native.words.iter().cloned());
    Some(argv)
}
