//! `directord monitor`: does it do its work?

use std::io::Write;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::args;
use super::exit::{self, Failure};
use super::output::{Out, harmless, span};
use crate::api::{Client, Error};
use crate::model::{Phase, Vitals};

/// Say whether the running directord does its work: for cluster managers and their like.
///
/// A process that is there proves little. This asks the loop that decides, which answers for the
/// others: that the kernel's table can be reached and is as it should be, that no request to the
/// kernel hangs, and that no check is overdue. A real server that is down is not its concern; that
/// is `directord status`. While the daemon starts or stops it waits for that to end.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    #[command(flatten)]
    runtime: args::Runtime,
    /// How long it may take to answer, and to start: 10s, 500ms.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = patience)]
    timeout: Duration,
}

const AFTER_HELP: &str = "\
Examples:
  directord monitor
  directord monitor --timeout 3s || systemctl restart directord

Exit statuses: 0 it does its work, 1 it is there and does not (the reason is on standard error),
3 it is not running, 4 it is not ours to ask.";

/// Between two questions to a daemon that starts or stops.
const AGAIN: Duration = Duration::from_millis(50);

/// One that is found unwell is asked once more after this: a machine that was paused is late with
/// everything for a moment.
const SECOND_OPINION: Duration = Duration::from_secs(1);

pub fn run(args: Args, out: &mut Out) -> Result<u8, Failure> {
    let client = args.runtime.client();
    let end = Instant::now() + args.timeout;
    let mut doubted = false;
    loop {
        let left = end.saturating_duration_since(Instant::now()).max(AGAIN);
        let (why, pause) = match client.vitals(left) {
            Ok(vitals) if vitals.phase != Phase::Running => (phase(&vitals), AGAIN),
            Ok(vitals) => match complaint(&vitals) {
                None => return well(&vitals, out),
                Some(why) if doubted => return Err(unwell(why)),
                Some(why) => {
                    doubted = true;
                    (why, SECOND_OPINION)
                }
            },
            Err(Error::Timeout { .. }) => (hangs(args.timeout), AGAIN),
            Err(error @ (Error::Refused(_) | Error::Broken { .. })) => (error.to_string(), AGAIN),
            Err(error) => return Err(error.into()),
        };
        if Instant::now() + pause > end {
            return Err(unwell(why));
        }
        sleep(pause);
    }
}

/// What keeps the daemon from its work, if something does: for those who know that it is there,
/// and have no time to wait for it to start. Takes `patience` twice and a second, at most.
pub fn ailment(client: &Client, patience: Duration) -> Option<String> {
    let look = || match client.vitals(patience) {
        Ok(vitals) => complaint(&vitals),
        Err(Error::Timeout { .. }) => Some(hangs(patience)),
        Err(error @ (Error::Refused(_) | Error::Broken { .. })) => Some(error.to_string()),
        // It goes, or will not tell us.
        Err(_) => None,
    };
    look()?;
    sleep(SECOND_OPINION);
    look()
}

fn hangs(patience: Duration) -> String {
    format!("no answer within {}: its loop hangs", span(patience))
}

fn well(vitals: &Vitals, out: &mut Out) -> Result<u8, Failure> {
    let up = span(Duration::try_from_secs_f64(vitals.up_seconds).unwrap_or_default());
    let Vitals { version, pid, .. } = vitals;
    writeln!(out, "OK: directord {} is running for {up}, pid {pid}", harmless(version))?;
    Ok(exit::OK)
}

fn unwell(why: String) -> Failure {
    Failure::Other(exit::UNWELL, format!("unwell: {why}"))
}

/// What it has not got past.
fn phase(vitals: &Vitals) -> String {
    let up = span(Duration::try_from_secs_f64(vitals.up_seconds).unwrap_or_default());
    match vitals.phase {
        Phase::Stopping => "it is stopping".to_owned(),
        _ => format!("it began {up} ago, and its services are not in the kernel yet"),
    }
}

fn complaint(vitals: &Vitals) -> Option<String> {
    let ailments: Vec<_> = vitals.ailments.iter().map(ToString::to_string).collect();
    (!ailments.is_empty()).then(|| harmless(&ailments.join("; ")))
}

/// `10s`, `500ms`, `10`: at least a millisecond, at most an hour.
fn patience(text: &str) -> Result<Duration, String> {
    let (number, unit_ms) = match text.strip_suffix("ms") {
        Some(number) => (number, 1),
        None => (text.strip_suffix('s').unwrap_or(text), 1000),
    };
    let ms = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit_ms));
    let ms = ms.filter(|ms| (1..=3_600_000).contains(ms));
    ms.map(Duration::from_millis).ok_or_else(|| "write 10s or 500ms; at most 3600s".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Ailment;

    #[test]
    fn patience_is_written_with_or_without_its_unit() {
        let read = |text| patience(text).ok().map(|time| time.as_millis());
        assert_eq!(["10s", "10", "500ms"].map(read), [Some(10_000), Some(10_000), Some(500)]);
        let wrong = ["", "s", "0", "0ms", "-1", "1.5s", "3601s", "18446744073709551615s"];
        assert_eq!(wrong.map(read), [None; 8]);
    }

    #[test]
    fn every_ailment_is_named_and_nothing_in_it_reaches_the_terminal() {
        let ailments = vec![
            Ailment::KernelUnreachable { reason: "open IPVS: \x1b[2J gone".into() },
            Ailment::ChecksLost { checks: 2, seconds: 40 },
        ];
        let (version, phase) = (String::new(), Phase::Running);
        let vitals = Vitals { version, pid: 1, phase, up_seconds: 1.0, ailments };
        insta::assert_snapshot!(complaint(&vitals).unwrap(), @r"open IPVS: \u{1b}[2J gone; checks are overdue: 2 not back, the first 40 s after its time limit");
    }
}
