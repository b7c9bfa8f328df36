//! What is said of a group: the answers of its hosts, worded as mon's monitors word them. Pure.
//!
//! The first line names the hosts that failed, for that is what periods compare and dependencies
//! search. Hosts that are well follow in the detail where the real monitor lists them. Times of
//! the clock are left out: by them no two details would ever be the same.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use super::plan::{Fping, Http, Ldap, Mysql, Style, Task};
use crate::model::{Finding, Outcome};

/// Exit statuses are a byte; of more failures no more can be told.
const MOST: u32 = 255;

/// Of all that is said no more is kept, in bytes: it goes into mails, and into the environment of
/// programs, where 128 KiB are the end of a variable.
pub(super) const MAX_OUTPUT: usize = 64 * 1024;

/// What came of one host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Answer {
    pub host: String,
    pub outcome: Outcome,
    /// What the host said, for the detail: headers, a transcript.
    pub said: String,
    /// Of the echo that was answered.
    pub round_trip: Option<Duration>,
    /// What was wrong, each by itself; empty where all is well.
    pub faults: Vec<String>,
}

impl Answer {
    /// An answer with no more to it than its outcome.
    pub fn plain(host: &str, outcome: Outcome) -> Answer {
        let faults = match &outcome {
            Outcome::Pass => Vec::new(),
            Outcome::Fail(why) | Outcome::Local(why) => vec![why.clone()],
        };
        Answer { host: host.to_owned(), outcome, said: String::new(), round_trip: None, faults }
    }

    fn failed(&self) -> bool {
        self.outcome != Outcome::Pass
    }

    /// What was wrong first.
    fn why(&self) -> &str {
        self.faults.first().map_or("", String::as_str)
    }
}

/// What the monitor found, by the answers in the order of the hosts.
pub(super) fn finding(task: &Task, answers: &[Answer]) -> Finding {
    let found = match task {
        Task::Fping(fping) => echoes(fping, answers),
        Task::Ping(_) if answers.is_empty() => (1, "ping: no hosts found\n".into()),
        Task::Ping(_) => in_order(answers),
        Task::Tcp { .. } => connections(answers),
        Task::Http(http) => pages(http, answers),
        Task::Talk(talk) => match talk.style {
            Style::Ftp | Style::Smtp => transcripts(answers),
            Style::Pop3 => details(answers, ""),
            Style::Imap | Style::Nntp => details(answers, "\n"),
        },
        Task::Ldap(ldap) => entries(ldap, answers),
        Task::Mysql(mysql) => databases(mysql, answers),
        // It judges its answers together, in a file of its own.
        Task::Dns(_) => (0, String::new()),
    };
    let (exit, output) = found;
    Finding { exit, output: bounded(output) }
}

/// The text, or as much of it as is kept.
pub(super) fn bounded(mut text: String) -> String {
    if text.len() > MAX_OUTPUT {
        let end = (0..=MAX_OUTPUT).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        text.truncate(end);
        text.push_str(&format!("\n(cut after {MAX_OUTPUT} bytes)\n"));
    }
    text
}

/// The exit status for this many failures.
pub(super) fn exit(failures: usize) -> u8 {
    u8::try_from(u32::try_from(failures).unwrap_or(MOST).min(MOST)).unwrap_or(u8::MAX)
}

fn failed(answers: &[Answer]) -> impl Iterator<Item = &Answer> {
    answers.iter().filter(|answer| answer.failed())
}

/// The names of those who failed, as the first line has them.
fn names(answers: &[Answer]) -> String {
    let mut names: Vec<&str> = failed(answers).map(|answer| answer.host.as_str()).collect();
    names.sort_unstable();
    names.join(" ")
}

fn one_if(any: bool) -> u8 {
    u8::from(any)
}

const RULE: &str =
    "------------------------------------------------------------------------------\n";

fn echoes(fping: &Fping, answers: &[Answer]) -> (u8, String) {
    if answers.is_empty() {
        return (0, String::new());
    }
    let slow = |answer: &&Answer| answer.failed() && answer.round_trip.is_some();
    let lost = |answer: &&Answer| answer.failed() && answer.round_trip.is_none();
    let mut out = format!("{}\n", names(answers));
    if failed(answers).next().is_some() {
        out.push('\n');
    }
    if answers.iter().any(|answer| lost(&answer)) {
        let _ = write!(out, "{RULE}unreachable hosts\n{RULE}");
        for answer in answers.iter().filter(lost) {
            let _ = writeln!(out, "{}", answer.host);
        }
        out.push('\n');
        for answer in answers.iter().filter(lost) {
            let _ = writeln!(out, "{} : {}", answer.host, answer.why());
            out.push_str(&answer.said);
        }
    }
    let limit = fping.slow.unwrap_or_default().as_millis();
    let title = format!("slow hosts (response time which exceeds {limit}ms)");
    round_trips(&mut out, &title, answers.iter().filter(slow));
    let title = "reachable hosts                          rtt";
    round_trips(&mut out, title, answers.iter().filter(|answer| !answer.failed()));
    let lost = answers.iter().filter(lost).count();
    let exit = match fping.all {
        true => one_if(lost == answers.len()),
        // fping's own status, where it is not the monitor that finds a host slow.
        false if failed(answers).any(|answer| answer.round_trip.is_some()) => 1,
        false if failed(answers).any(|answer| answer.why().starts_with("resolve: ")) => 2,
        false => one_if(failed(answers).next().is_some()),
    };
    (exit, out)
}

fn round_trips<'a>(out: &mut String, title: &str, answers: impl Iterator<Item = &'a Answer>) {
    let mut answers = answers.peekable();
    if answers.peek().is_some() {
        let _ = write!(out, "{RULE}{title}\n{RULE}");
    }
    for answer in answers {
        let millis = answer.round_trip.unwrap_or_default().as_secs_f64() * 1000.0;
        let _ = writeln!(out, "{:<40} {millis:.2} ms", answer.host);
    }
}

/// Nothing but the hosts, and not even sorted.
fn in_order(answers: &[Answer]) -> (u8, String) {
    let names: Vec<&str> = failed(answers).map(|answer| answer.host.as_str()).collect();
    match names.is_empty() {
        true => (0, String::new()),
        false => (1, format!("{}\n", names.join(" "))),
    }
}

fn connections(answers: &[Answer]) -> (u8, String) {
    if failed(answers).next().is_none() {
        return (0, String::new());
    }
    let mut out = format!("{}\n\n", names(answers));
    for answer in failed(answers) {
        let _ = match answer.why() {
            why if why.contains("timed out after") => writeln!(out, "{} timeout", answer.host),
            why => {
                let why = why.strip_prefix("connect: ").unwrap_or(why);
                writeln!(out, "{} could not connect: {why}", answer.host)
            }
        };
    }
    (1, out)
}

/// By their names: a host that is named twice is shown once.
fn by_name<'a>(answers: impl Iterator<Item = &'a Answer>) -> BTreeMap<&'a str, &'a Answer> {
    answers.map(|answer| (answer.host.as_str(), answer)).collect()
}

fn joined(names: &BTreeMap<&str, &Answer>) -> String {
    names.keys().copied().collect::<Vec<_>>().join(" ")
}

fn pages(http: &Http, answers: &[Answer]) -> (u8, String) {
    if answers.is_empty() {
        return (0, String::new());
    }
    let bad = by_name(failed(answers));
    let mut out = format!("{}\n", joined(&bad));
    for (host, answer) in &bad {
        let _ = writeln!(out, "HOST {host}: {}", answer.why());
        if !answer.said.is_empty() {
            let _ = writeln!(out, "{}", answer.said);
        }
        out.push('\n');
    }
    if !http.failed_only {
        for (host, answer) in by_name(answers.iter().filter(|answer| !answer.failed())) {
            let _ = writeln!(out, "HOST {host}: ok\n{}\n", answer.said);
        }
    }
    (one_if(!bad.is_empty()), out)
}

fn transcripts(answers: &[Answer]) -> (u8, String) {
    let (bad, good) =
        (by_name(failed(answers)), by_name(answers.iter().filter(|answer| !answer.failed())));
    let mut out = format!("{}\n", joined(&bad));
    for (host, answer) in &bad {
        let _ = writeln!(out, "{host} failed with error {}", answer.why());
        transcript(&mut out, answer);
    }
    out.push('\n');
    for (host, answer) in good {
        let _ = writeln!(out, "{host} succeeded");
        transcript(&mut out, answer);
    }
    (one_if(!bad.is_empty()), out)
}

fn transcript(out: &mut String, answer: &Answer) {
    let rule = RULE.replace('-', "=");
    let said = if answer.said.is_empty() { "no detail\n" } else { &answer.said };
    let _ = write!(out, "detail for {}\n{rule}{said}\n", answer.host);
}

/// A line for each of those who failed.
fn details(answers: &[Answer], between: &str) -> (u8, String) {
    if failed(answers).next().is_none() {
        return (0, String::new());
    }
    let mut out = format!("{}\n{between}", names(answers));
    for answer in failed(answers) {
        let _ = writeln!(out, "{}: {}", answer.host, answer.why());
    }
    (1, out)
}

/// A host is named as often as it has faults, with its port; each fault counts.
fn entries(ldap: &Ldap, answers: &[Answer]) -> (u8, String) {
    if answers.is_empty() {
        return (1, "ldap.monitor: there must be at least one server to ask\n".into());
    }
    let faults = || answers.iter().flat_map(|a| a.faults.iter().map(move |fault| (a, fault)));
    let mut names: Vec<String> =
        faults().map(|(answer, _)| format!("{}:{}", answer.host, ldap.port)).collect();
    if names.is_empty() {
        return (0, String::new());
    }
    names.sort_unstable();
    let mut out = format!("{}\n", names.join(" "));
    for (answer, fault) in faults() {
        let _ = writeln!(out, "{}: {fault}", answer.host);
    }
    (exit(names.len()), out)
}

fn databases(mysql: &Mysql, answers: &[Answer]) -> (u8, String) {
    if failed(answers).next().is_none() {
        return (0, String::new());
    }
    let mut lines: Vec<String> = failed(answers)
        .map(|answer| match answer.why() {
            why if why.contains("yields no row") => {
                format!("{}: No tables found for database {}\n", answer.host, mysql.database)
            }
            why => format!(
                "{}: Could not connect to mysql server on {}: {why}\n",
                answer.host, mysql.port
            ),
        })
        .collect();
    lines.sort_unstable();
    (1, format!("{}\n{}", names(answers), lines.concat()))
}

#[cfg(test)]
mod tests {
    use super::super::plan::Plan;
    use super::*;
    use crate::model::NativeMonitor;

    fn task(name: &'static str, words: &[&str]) -> Task {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        Plan::parse(&NativeMonitor { name, words }).unwrap().task
    }

    fn good(host: &str) -> Answer {
        Answer::plain(host, Outcome::Pass)
    }

    fn bad(host: &str, why: &str) -> Answer {
        Answer::plain(host, Outcome::Fail(why.into()))
    }

    fn found(name: &'static str, words: &[&str], answers: &[Answer]) -> (u8, String) {
        let Finding { exit, output } = finding(&task(name, words), answers);
        (exit, output)
    }

    #[test]
    fn the_first_line_names_the_failed_hosts_sorted() {
        let answers = [bad("web2", "connect: no"), good("web3"), bad("web10", "connect: no")];
        for name in ["tcp", "http", "ftp", "smtp", "pop3", "imap", "nntp", "fping", "mysql"] {
            let (exit, output) = found(name, &[], &answers);
            assert_eq!((exit, output.lines().next()), (1, Some("web10 web2")), "{name}");
        }
        // The exceptions: not sorted; with ports, and each fault counted.
        assert_eq!(found("ping", &[], &answers), (1, "web2 web10\n".into()));
        let (exit, output) = found("ldap", &[], &answers);
        assert_eq!((exit, output.lines().next()), (2, Some("web10:389 web2:389")));
    }

    #[test]
    fn all_well_is_said_as_the_real_ones_say_it() {
        let answers = [good("web1")];
        for name in ["tcp", "ping", "pop3", "imap", "nntp", "mysql", "ldap"] {
            assert_eq!(found(name, &[], &answers), (0, String::new()), "{name}");
        }
        for name in ["http", "ftp", "smtp", "fping"] {
            let (exit, output) = found(name, &[], &answers);
            assert_eq!((exit, output.lines().next()), (0, Some("")), "{name}");
        }
    }

    #[test]
    fn without_hosts_most_are_content() {
        for name in ["tcp", "http", "fping", "pop3", "imap", "nntp", "mysql", "ftp", "smtp"] {
            assert_eq!(found(name, &[], &[]).0, 0, "{name}");
        }
        assert_eq!(found("ping", &[], &[]), (1, "ping: no hosts found\n".into()));
        assert_eq!(found("ldap", &[], &[]).0, 1);
    }

    #[test]
    fn details_are_worded_as_the_real_ones_word_them() {
        let answers =
            [bad("a", "connect: connection refused"), bad("b", "connect: timed out after 10 s")];
        let wanted = "a b\n\na could not connect: connection refused\nb timeout\n";
        assert_eq!(found("tcp", &[], &answers).1, wanted);
        let page = Answer { said: "HTTP/1.0 200 OK".into(), ..good("b") };
        let answers = [page, bad("a", "HTTP response code failure")];
        let wanted = "a\nHOST a: HTTP response code failure\n\n";
        assert_eq!(found("http", &["-o"], &answers).1, wanted);
        let all = format!("{wanted}HOST b: ok\nHTTP/1.0 200 OK\n\n");
        assert_eq!(found("http", &[], &answers).1, all);
        let (_, output) =
            found("mysql", &["--database", "shop"], &[bad("a", "mysql: the query yields no row")]);
        assert_eq!(output, "a\na: No tables found for database shop\n");
        let (_, output) = found("smtp", &[], &[bad("a", "no"), good("b")]);
        assert!(output.starts_with("a\na failed with error no\ndetail for a\n====="), "{output}");
        assert!(output.contains("\n\nb succeeded\ndetail for b\n"), "{output}");
    }

    #[test]
    fn fping_tells_slow_hosts_from_lost_ones() {
        let fast = Answer { round_trip: Some(Duration::from_micros(1230)), ..good("fast") };
        let slow = Answer { round_trip: Some(Duration::from_millis(70)), ..bad("slow", "late") };
        let lost = bad("lost", "ping: no answer");
        let (exit, output) =
            found("fping", &["-s", "50"], &[fast.clone(), slow.clone(), lost.clone()]);
        assert_eq!((exit, output.lines().next()), (1, Some("lost slow")));
        assert!(output.contains("which exceeds 50ms"), "{output}");
        assert!(output.contains(&format!("{:<40} 1.23 ms\n", "fast")), "{output}");
        // With -a only hosts that are lost count, and all must be.
        let (exit, output) = found("fping", &["-a"], &[fast, slow, lost.clone()]);
        assert_eq!((exit, output.lines().next()), (0, Some("lost slow")));
        assert_eq!(found("fping", &["-a"], std::slice::from_ref(&lost)).0, 1);
        let unknown = bad("nobody", "resolve: nobody: no address");
        assert_eq!(found("fping", &[], &[lost, unknown]).0, 2, "a name without an address");
    }

    #[test]
    fn what_a_large_group_says_is_cut_and_that_is_said() {
        let answers: Vec<Answer> =
            (0..400).map(|n| bad(&format!("h{n}"), &"ü".repeat(200))).collect();
        let (exit, output) = found("ldap", &[], &answers);
        assert_eq!(exit, 255);
        assert!(
            output.len() < MAX_OUTPUT + 100 && output.ends_with("bytes)\n"),
            "{}",
            output.len()
        );
    }
}
