//! What the answers of name servers say together, as mon's `dns.monitor` judges them. Pure.

use std::collections::HashMap;
use std::fmt::Write;

use super::plan::{Dns, DnsMode, DnsQuery};
use super::record::Reply;
use super::report::{bounded, exit};
use crate::model::{Finding, Outcome};
use crate::probe::miss::Miss;

/// The exit status when no master can be believed, or one of them with `--failsingle`.
const NO_MASTER: u8 = 251;

/// The exit status when masters differ.
const MASTERS_DIFFER: u8 = 252;

/// The exit status when there is nothing to ask.
pub(super) const USAGE: u8 = 255;

/// One question to one server.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Ask {
    pub server: String,
    pub name: String,
    /// As in [`super::record::KINDS`].
    pub kind: String,
    /// Whether it may ask others.
    pub recursion: bool,
}

/// What was answered, or why nothing was.
pub(super) type Answers = HashMap<Ask, Result<Reply, Miss>>;

/// Everything that must be asked for this.
pub(super) fn questions(dns: &Dns, servers: &[String]) -> Vec<Ask> {
    let mut all = Vec::new();
    match &dns.mode {
        DnsMode::Zones { zones, masters, .. } => {
            for zone in zones {
                all.extend(masters.iter().chain(servers).map(|server| start_of(zone, server)));
            }
        }
        DnsMode::Queries(queries) => {
            for query in queries {
                for server in servers {
                    all.push(first(query, server));
                    all.extend(second(query, server));
                }
            }
        }
    }
    all
}

fn start_of(zone: &str, server: &str) -> Ask {
    let (server, name) = (server.to_owned(), zone.to_owned());
    Ask { server, name, kind: "SOA".into(), recursion: false }
}

fn first(query: &DnsQuery, server: &str) -> Ask {
    let (server, name, kind) = (server.to_owned(), query.name.clone(), query.kind.clone());
    Ask { server, name, kind, recursion: true }
}

fn second(query: &DnsQuery, server: &str) -> Option<Ask> {
    query.target.clone().map(|name| Ask { name, ..first(query, server) })
}

/// The finding, and what became of each server; nothing is known of any where the masters cannot be
/// believed.
pub(super) fn judge(
    dns: &Dns,
    servers: &[String],
    answers: &Answers,
) -> (Finding, Vec<(String, Outcome)>) {
    let faults: Vec<Fault> = match &dns.mode {
        DnsMode::Zones { zones, masters, threshold, any_master } => {
            let masters = Masters { names: masters, threshold: *threshold, any: *any_master };
            zones.iter().filter_map(|zone| masters.zone(zone, servers, answers)).collect()
        }
        DnsMode::Queries(all) => {
            all.iter().filter_map(|asked| query(asked, servers, answers)).collect()
        }
    };
    let worst = faults.iter().map(|fault| fault.exit).max().unwrap_or(0);
    let mut output = String::new();
    if !faults.is_empty() {
        // Each has a blank behind it, and so has the real one's.
        let summaries: String = faults.iter().map(|f| format!("{} ", f.summary)).collect();
        let _ = writeln!(output, "{summaries}");
        for fault in &faults {
            let _ = write!(output, "{}{}\n\n", fault.title, fault.detail);
        }
    }
    let of = |server: &String| {
        let miss = faults.iter().find_map(|fault| fault.of.iter().find(|(name, _)| name == server));
        (server.clone(), miss.map_or(Outcome::Pass, |(_, miss)| miss.clone().into()))
    };
    let finding = Finding { exit: worst, output: bounded(output) };
    match faults.iter().any(|fault| fault.of.is_empty()) {
        true => (finding, Vec::new()),
        false => (finding, servers.iter().map(of).collect()),
    }
}

/// A zone or a question with which something is wrong.
struct Fault {
    exit: u8,
    summary: String,
    title: String,
    detail: String,
    /// Servers that failed, and why; empty where that cannot be said.
    of: Vec<(String, Miss)>,
}

struct Masters<'a> {
    names: &'a [String],
    threshold: u32,
    any: bool,
}

impl Masters<'_> {
    fn zone(&self, zone: &str, servers: &[String], answers: &Answers) -> Option<Fault> {
        let fault = |exit, bad: &str, detail: String, of: Vec<(String, Miss)>| Fault {
            exit,
            summary: format!("{bad}({zone})"),
            title: format!("Zone '{zone}': failed servers: {bad}\n"),
            detail,
            of,
        };
        let wanted = match self.serial(zone, answers) {
            Ok(serial) => serial,
            // Of the servers nothing is known: there is nothing to compare them with. Where that is
            // for the director's trouble it is nobody's failure.
            Err((exit, bad, miss)) => {
                let unasked = |server: &String| (server.clone(), miss.clone());
                let of = match &miss {
                    Miss::Local(_) => servers.iter().map(unasked).collect(),
                    Miss::Fail(_) => Vec::new(),
                };
                return Some(fault(exit, &bad, miss.why().to_owned(), of));
            }
        };
        let of: Vec<(String, Miss)> = servers
            .iter()
            .filter_map(|server| {
                let miss = self.copy(zone, server, wanted, answers).err()?;
                Some((server.clone(), miss))
            })
            .collect();
        let bad: Vec<&str> = of.iter().map(|(server, _)| server.as_str()).collect();
        let detail: Vec<String> = of.iter().map(|(_, miss)| format!("\n{}", miss.why())).collect();
        let (exit, bad, detail) = (exit(bad.len()), bad.join(" "), detail.concat());
        (!of.is_empty()).then(|| fault(exit, &bad, detail, of))
    }

    /// The highest serial the masters have, or the exit status, the master and what is wrong.
    fn serial(&self, zone: &str, answers: &Answers) -> Result<u32, (u8, String, Miss)> {
        let (mut serials, mut wrong) = (Vec::new(), Vec::new());
        for master in self.names {
            match start(zone, master, answers) {
                Ok(serial) => serials.push((serial, master)),
                Err(miss) if self.any => return Err((NO_MASTER, master.clone(), miss)),
                Err(miss) => wrong.push(miss),
            }
        }
        let (Some((lowest, behind)), Some((highest, _))) =
            (serials.iter().min().copied(), serials.iter().max().copied())
        else {
            let why = wrong.iter().map(Miss::why).collect::<Vec<_>>().join("\n");
            let is_local = wrong.iter().all(|miss| matches!(miss, Miss::Local(_)));
            let miss = if is_local { Miss::Local(why) } else { Miss::Fail(why) };
            return Err((NO_MASTER, String::new(), miss));
        };
        match highest - lowest > self.threshold {
            true => {
                let why = Miss::Fail(stale(zone, behind, lowest, highest));
                Err((MASTERS_DIFFER, behind.clone(), why))
            }
            false => Ok(highest),
        }
    }

    fn copy(&self, zone: &str, server: &str, wanted: u32, answers: &Answers) -> Result<(), Miss> {
        let serial = start(zone, server, answers)?;
        match serial.abs_diff(wanted) > self.threshold {
            true => Err(Miss::Fail(stale(zone, server, serial, wanted))),
            false => Ok(()),
        }
    }
}

fn stale(zone: &str, server: &str, serial: u32, wanted: u32) -> String {
    format!(
        "Query to {server} about {zone} failed\nSerial number = {serial}, should have been {wanted}"
    )
}

/// The serial that a server has of a zone, of its own knowledge.
fn start(zone: &str, server: &str, answers: &Answers) -> Result<u32, Miss> {
    let nothing = Err(Miss::Local("it was not asked".into()));
    let failed = |why: &str| format!("SOA query for {zone} from {server} failed {why}");
    let answer = answers.get(&start_of(zone, server)).unwrap_or(&nothing);
    let reply = answer.as_ref().map_err(|miss| miss.clone().map(failed))?;
    let wrong = |why| Err(Miss::Fail(why));
    match &reply.records[..] {
        [] => wrong(failed("NOERROR\n    Empty answer received.  (No zone on server?)")),
        _ if !reply.authoritative => wrong(format!("{server} is not authoritative for {zone}")),
        [record] => record.serial.ok_or_else(|| Miss::Fail(failed("another type of record"))),
        _ => wrong(format!("Too many answers for SOA query to {server} for {zone}")),
    }
}

fn query(query: &DnsQuery, servers: &[String], answers: &Answers) -> Option<Fault> {
    let DnsQuery { name, kind, target } = query;
    let mut fault = Fault {
        exit: 0,
        summary: String::new(),
        title: String::new(),
        detail: String::new(),
        of: Vec::new(),
    };
    for server in servers {
        let found = records(&first(query, server), answers);
        let miss = match (found, target) {
            (Err(miss), _) => {
                // Only servers that do not answer are named in the summary.
                fault.summary.push_str(&format!("{name}@{server} "));
                miss.map(|why| format!("{kind} query for {name} from {server} failed {why}"))
            }
            (Ok(_), None) => continue,
            (Ok(found), Some(target)) => {
                let wanted = second(query, server).map(|ask| records(&ask, answers));
                let wanted = wanted.and_then(Result::ok).unwrap_or_default();
                let same = |text: &&str| !text.is_empty() && wanted.contains(text);
                if found.iter().any(same) {
                    continue;
                }
                Miss::Fail(format!("Query {name}:{kind} failed to match {target}"))
            }
        };
        let _ = write!(fault.detail, "\n{}", miss.why());
        fault.of.push((server.clone(), miss));
    }
    fault.exit = exit(fault.of.len());
    (!fault.of.is_empty()).then_some(fault)
}

/// The records of an answer, at least one.
fn records<'a>(ask: &Ask, answers: &'a Answers) -> Result<Vec<&'a str>, Miss> {
    let answer = answers.get(ask).ok_or_else(|| Miss::Local("it was not asked".into()))?;
    let reply = answer.as_ref().map_err(Miss::clone)?;
    match reply.records.is_empty() {
        true => Err(Miss::Fail("NOERROR".into())),
        false => Ok(reply.records.iter().map(|record| record.text.as_str()).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::{Plan, Task};
    use super::super::record::Record;
    use super::*;
    use crate::model::NativeMonitor;

    fn dns(words: &str) -> Dns {
        let words = words.split_whitespace().map(str::to_owned).collect();
        let plan = Plan::parse(&NativeMonitor { name: "dns", words }).unwrap();
        let Task::Dns(dns) = plan.task else { panic!() };
        Dns::clone(&dns)
    }

    fn has(serial: u32) -> Result<Reply, Miss> {
        let record = Record { text: serial.to_string(), serial: Some(serial) };
        Ok(Reply { authoritative: true, records: vec![record] })
    }

    fn outcomes(words: &str, servers: &[&str]) -> Vec<(String, Outcome)> {
        let servers: Vec<String> = servers.iter().map(|server| (*server).to_owned()).collect();
        let dns = dns(words);
        let asks = questions(&dns, &servers).into_iter();
        let answers = asks.map(|ask| (ask.clone(), by_server(&ask))).collect();
        judge(&dns, &servers, &answers).1
    }

    #[test]
    fn of_servers_whose_masters_cannot_be_believed_nothing_is_said() {
        assert_eq!(outcomes("--zone x --master dead", &["a", "b"]), []);
        assert_eq!(outcomes("--zone x --master m --master old", &["a"]), []);
        // Nor where one zone can be compared and the other cannot.
        assert_eq!(outcomes("--zone x --zone y --master dead", &["a"]), []);
    }

    #[test]
    fn who_could_not_be_asked_has_not_failed() {
        let is_local = |(_, outcome): &(String, Outcome)| matches!(outcome, Outcome::Local(_));
        let said = outcomes("--zone x --master unasked", &["a", "b"]);
        assert!(said.len() == 2 && said.iter().all(is_local), "{said:?}");
        let said = outcomes("--zone x --master m", &["unasked", "a"]);
        assert!(is_local(&said[0]) && said[1].1 == Outcome::Pass, "{said:?}");
        let said = outcomes("--caching_only --query www", &["unasked"]);
        assert!(is_local(&said[0]), "{said:?}");
    }

    /// The exit status, the summary and who failed.
    fn found(
        words: &str,
        servers: &[&str],
        say: impl Fn(&Ask) -> Result<Reply, Miss>,
    ) -> (u8, String, Vec<String>) {
        let (dns, servers) =
            (dns(words), servers.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>());
        let answers =
            questions(&dns, &servers).into_iter().map(|ask| (ask.clone(), say(&ask))).collect();
        let (finding, outcomes) = judge(&dns, &servers, &answers);
        let failed = outcomes.into_iter().filter(|(_, outcome)| *outcome != Outcome::Pass);
        let summary = finding.output.lines().next().unwrap_or_default().to_owned();
        (finding.exit, summary, failed.map(|(server, _)| server).collect())
    }

    fn by_server(ask: &Ask) -> Result<Reply, Miss> {
        match ask.server.as_str() {
            "dead" => Err(Miss::Fail("query timed out".into())),
            "unasked" => Err(Miss::Local("too many open files".into())),
            "old" => has(5),
            "guest" => Ok(Reply { authoritative: false, ..has(7).unwrap() }),
            "empty" => Ok(Reply { authoritative: true, records: vec![] }),
            _ => has(7),
        }
    }

    #[test]
    fn servers_must_have_a_zone_as_its_masters_have_it() {
        let words = "--zone x --master m";
        assert_eq!(found(words, &["a", "b"], by_server), (0, String::new(), vec![]));
        let (exit, summary, failed) =
            found(words, &["a", "old", "dead", "guest", "empty"], by_server);
        assert_eq!((exit, summary.as_str()), (4, "old dead guest empty(x) "));
        assert_eq!(failed, ["old", "dead", "guest", "empty"]);
        let near = found("--zone x --master m --serial_threshold 2", &["old"], by_server);
        assert_eq!(near.0, 0);
        let two = found("--zone x --zone y --master m", &["old"], by_server);
        assert_eq!((two.0, two.1.as_str()), (1, "old(x) old(y) "));
    }

    #[test]
    fn masters_that_cannot_be_believed_have_exit_statuses_of_their_own() {
        let all_dead = found("--zone x --master dead --master dead", &["a"], by_server);
        assert_eq!(all_dead, (251, "(x) ".into(), vec![]));
        assert_eq!(found("--zone x --master m --master dead", &["a"], by_server).0, 0);
        let single = found("--zone x --master m --master dead --failsingle", &["a"], by_server);
        assert_eq!((single.0, single.1.as_str()), (251, "dead(x) "));
        let differ = found("--zone x --master m --master old", &["a"], by_server);
        assert_eq!((differ.0, differ.1.as_str()), (252, "old(x) "));
    }

    #[test]
    fn a_caching_server_must_answer_and_match_its_target() {
        let say = |ask: &Ask| match (ask.server.as_str(), ask.name.as_str()) {
            ("dead", _) => Err(Miss::Fail("query timed out".into())),
            ("other", "target") => Ok(Reply { authoritative: false, records: vec![] }),
            _ => has(7),
        };
        let words = "--caching_only --query www";
        assert_eq!(found(words, &["a"], say), (0, String::new(), vec![]));
        let dead = found(words, &["a", "dead"], say);
        assert_eq!(dead, (1, "www@dead  ".into(), vec!["dead".to_owned()]));
        let words = "--caching_only --query www:A:target";
        assert_eq!(found(words, &["a"], say).0, 0);
        assert_eq!(found(words, &["other"], say), (1, " ".into(), vec!["other".to_owned()]));
    }
}
