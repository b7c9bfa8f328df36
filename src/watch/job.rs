//! The calls of monitors and alerts: arguments, environment and input exactly as mon has them.

use std::path::PathBuf;
use std::sync::Arc;

use super::RunId;
use super::occasion::Occasion;
use super::service::{Facts, Status};
use crate::model::{AlertCall, MonitorCall, Time, WatchFolders, WatchKey, WatchSpec};

/// A monitor to run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MonitorRun {
    /// With which the [`Finding`](crate::model::Finding) comes back.
    pub run: RunId,
    pub key: WatchKey,
    pub call: MonitorCall,
    /// To ask: those of the group that are enabled and not left out, in the order of the file.
    /// None where the monitor is not given any.
    pub hosts: Vec<String>,
    /// In this order: of two with one name the later holds.
    pub environment: Vec<(String, String)>,
}

/// An alert to call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AlertJob {
    /// Calls of one lane are made one after the other, in the order given.
    pub lane: WatchKey,
    pub program: Arc<PathBuf>,
    /// Without the program itself.
    pub arguments: Vec<String>,
    /// In this order: of two with one name the later holds.
    pub environment: Vec<(String, String)>,
    /// Its standard input.
    pub input: Arc<str>,
}

/// Why and with what somebody is told; the rest of a call is [`Facts`].
#[derive(Clone, Debug)]
pub(super) struct Telling {
    /// As it was then: a call may outlive its service.
    pub spec: Arc<WatchSpec>,
    pub occasion: Occasion,
    /// For standard input.
    pub output: Arc<str>,
    pub retval: Option<Arc<str>>,
    /// The target of a stray trap.
    pub intended: Option<Arc<str>>,
}

fn epoch_or_zero(time: Option<Time>) -> String {
    time.map_or(0, Time::seconds).to_string()
}

/// `PATH -s SERVICE -g GROUP -h "HOST..." -t EPOCH [FLAG] word...`, without the path.
pub(super) fn alert_arguments(
    telling: &Telling,
    call: &AlertCall,
    hosts: &[String],
    now: Time,
) -> Vec<String> {
    let mut arguments = vec![
        "-s".to_owned(),
        telling.spec.key.service.to_string(),
        "-g".to_owned(),
        telling.spec.key.group.to_string(),
        "-h".to_owned(),
        hosts.join(" "),
        "-t".to_owned(),
        now.seconds().to_string(),
    ];
    arguments.extend(telling.occasion.flag().map(str::to_owned));
    arguments.extend(call.words.iter().cloned());
    arguments
}

pub(super) fn alert_environment(
    telling: &Telling,
    facts: &Facts,
    folders: &WatchFolders,
) -> Vec<(String, String)> {
    let mut environment = Environment::new(&telling.spec, folders);
    environment.add_maybe("MON_LAST_SUMMARY", facts.last_summary.as_deref());
    environment.add_maybe("MON_LAST_OUTPUT", facts.last_output.as_deref());
    environment.add("MON_LAST_FAILURE", epoch_or_zero(facts.last_failure));
    if facts.has_result {
        environment.add("MON_FIRST_FAILURE", epoch_or_zero(facts.first_failure));
    }
    // mon never maintains it, but sets it.
    environment.add("MON_FIRST_SUCCESS", "");
    environment.add("MON_LAST_SUCCESS", epoch_or_zero(facts.last_success));
    environment.add_maybe("MON_RETVAL", telling.retval.as_deref());
    environment.add("MON_OPSTATUS", facts.opstatus.number().to_string());
    environment.add_maybe("MON_ACK", facts.acknowledged.as_deref());
    environment.add("MON_ALERTTYPE", telling.occasion.alert_type());
    environment.add_maybe("MON_TRAP_INTENDED", facts.intended.as_deref());
    environment.0
}

pub(super) fn monitor_environment(
    spec: &WatchSpec,
    status: &Status,
    folders: &WatchFolders,
) -> Vec<(String, String)> {
    let mut environment = Environment::new(spec, folders);
    environment.add_maybe("MON_LAST_SUMMARY", status.last_summary.as_deref());
    environment.add_maybe("MON_LAST_OUTPUT", status.last_output.as_deref());
    environment.add("MON_LAST_FAILURE", epoch_or_zero(status.last_failure));
    if status.retval.is_some() {
        environment.add("MON_FIRST_FAILURE", epoch_or_zero(status.first_failure));
    }
    environment.add("MON_LAST_SUCCESS", epoch_or_zero(status.last_success));
    if let Some(holds) = status.depend_status {
        environment.add("MON_DEPEND_STATUS", if holds { "1" } else { "0" });
    }
    environment.0
}

/// The owner's variables first, so that mon's cannot be overridden.
struct Environment(Vec<(String, String)>);

impl Environment {
    fn new(spec: &WatchSpec, folders: &WatchFolders) -> Environment {
        let mut environment = Environment(spec.environment.clone());
        environment.add("MON_GROUP", &*spec.key.group);
        environment.add("MON_SERVICE", &*spec.key.service);
        environment.add_maybe("MON_DESCRIPTION", spec.description.as_deref());
        environment.add("MON_STATEDIR", folders.state.to_string_lossy());
        environment.add("MON_LOGDIR", folders.log.to_string_lossy());
        environment.add("MON_CFBASEDIR", folders.config.to_string_lossy());
        environment
    }

    /// What a remote host printed may have zeros in it, and no program can be given those.
    fn add(&mut self, name: &str, value: impl AsRef<str>) {
        self.0.push((name.to_owned(), value.as_ref().replace('\0', "")));
    }

    fn add_maybe(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.add(name, value);
        }
    }
}

/// An exit status as `exit=` and `alertexitrange` see it; none where no range has it. mon compares
/// a trap's word as Perl does: by its leading digits, and a word without any is 0.
pub(super) fn exit_number(retval: &str) -> Option<u8> {
    let word = retval.trim_start();
    let digits = word.strip_prefix(['-', '+']).unwrap_or(word);
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let number = match &digits[..end] {
        "" => 0,
        digits => digits.parse().ok()?,
    };
    (number == 0 || !word.starts_with('-')).then_some(number)
}

/// Whether a result is a failure: Perl's truth, so that a trap may say anything but `0`.
pub(super) fn is_failure(retval: &str) -> bool {
    !matches!(retval, "" | "0")
}

/// What a tested alert reads.
pub(super) fn test_output() -> Arc<str> {
    "test\ntest detail\n".into()
}
