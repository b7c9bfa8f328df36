//! mon's own files of state, `disabled` and `opstatus`: written so that mon reads them, and read
//! as mon or we wrote them.

use std::fmt::Write as _;
use std::mem;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::log::WatchEvent;
use super::period::{Owed, PeriodState};
use super::results::tells_recoveries;
use super::saved::status_number::from_number;
use super::service::{Ack, Before, Facts, Status};
use super::{Service, Watcher};
use crate::model::{Disabled, Disabling, OpStatus, Period, Time, WatchKey, raw};

impl Watcher {
    /// `disable host H`, `disable watch G`, `disable service G S`, one a line.
    pub fn disabled_file(&self) -> String {
        let mut text = String::new();
        for (what, _) in self.disabled.all() {
            let line = match what {
                Disabling::Host(host) => format!("disable host {host}\n"),
                Disabling::Watch(group) => format!("disable watch {group}\n"),
                Disabling::Service(key) => {
                    format!("disable service {} {}\n", key.group, key.service)
                }
            };
            text.push_str(&line);
        }
        text
    }

    /// Disables what the file names, besides what is disabled already. Nobody is alerted; lines
    /// about what is not there are logged.
    pub fn load_disabled_file(&mut self, text: &str, now: Time) {
        for line in text.lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            let what = match words[..] {
                ["disable", "host", host] => Disabling::Host(host.to_owned()),
                ["disable", "watch", group] => Disabling::Watch(group.into()),
                ["disable", "service", group, service] => {
                    Disabling::Service(WatchKey::new(group, service))
                }
                [] => continue,
                _ => {
                    self.log(WatchEvent::StateIgnored(line.to_owned()));
                    continue;
                }
            };
            let disabled =
                Disabled { since: now, user: String::new(), reason: String::new(), until: None };
            if !self.disabled.contains(&what) && !self.disable_silently(what, disabled, now) {
                self.log(WatchEvent::StateIgnored(line.to_owned()));
            }
        }
    }

    /// One line for each service.
    pub fn opstatus_file(&self) -> String {
        self.services.iter().map(|(key, service)| opstatus_line(key, service)).collect()
    }

    /// Puts the states of the file in place of those in force, for services that are there; lines
    /// about others are left out.
    pub fn load_opstatus_file(&mut self, text: &str, now: Time) {
        for line in text.lines() {
            let fields = Fields::read(line);
            let (Some(group), Some(service)) = (fields.text("group"), fields.text("service"))
            else {
                continue;
            };
            let key = WatchKey::new(&group, &service);
            let Some(service) = self.services.get_mut(&key) else { continue };
            // Those of mon's know nothing of single hosts.
            let hosts = mem::take(&mut service.status.hosts);
            service.status = Status { hosts, ..fields.status() };
            if service.status.opstatus != OpStatus::Untested {
                service.before_reset = None;
            }
            for (period, state) in service.spec.periods.iter().zip(&mut service.periods) {
                *state = fields.period(period, &service.status, mem::take(state), now);
            }
            self.take_up(&key, now);
        }
        self.settle_all(now);
    }
}

fn opstatus_line(key: &WatchKey, service: &Service) -> String {
    let status = &service.status;
    let mut line = format!("group={}\tservice={}", key.group, key.service);
    let mut add = |name: &str, value: &str| {
        // Writing to a string does not fail.
        let _ = write!(line, "\t{name}={}", escape(value));
    };
    let time = |time: Option<Time>| time.map_or(0, Time::seconds).to_string();
    let text = |text: &Option<Arc<str>>| text.as_deref().unwrap_or_default().to_owned();
    add("op_status", &status.opstatus.number().to_string());
    add("failure_count", &status.failures.to_string());
    add("alert_count", &status.alerts.to_string());
    add("last_success", &time(status.last_success));
    add("first_success", "");
    add("consec_failures", &status.failures_in_a_row.to_string());
    add("last_failure", &time(status.last_failure));
    add("first_failure", &time(status.first_failure));
    add("last_summary", &text(&status.last_summary));
    add("last_failure_time", &time(status.recovered));
    add("last_failure_summary", &text(&status.failed_summary));
    add("last_failure_detail", "");
    add("last_detail", &text(&status.last_detail));
    let ack = status.acknowledged.as_ref();
    add("ack", &time(ack.map(|ack| ack.at)));
    add("ack_comment", &ack.map(Ack::text).unwrap_or_default());
    add("last_trap", &time(status.last_trap));
    add("last_traphost", "");
    add("exitval", status.retval.as_deref().unwrap_or("undef"));
    add("last_check", &status.last_check.map(|at| at.seconds().to_string()).unwrap_or_default());
    add("last_op_status", &status.last_opstatus.number().to_string());
    add("failure_output", &text(&status.failure_output));
    add("trap_timer", "");
    for (period, state) in service.spec.periods.iter().zip(&service.periods) {
        let label = &period.label;
        add(&format!("{label}:last_alert"), &time(state.last_alert));
        // mon sends a recovery where this is not zero; so do we, of what is over.
        let sent = match status.opstatus {
            OpStatus::Ok => u32::from(state.owed.is_some()),
            _ => state.alerts_sent.max(u32::from(state.told)),
        };
        add(&format!("{label}:alert_sent"), &sent.to_string());
        add(&format!("{label}:1stfailtime"), &time(state.window_start));
        add(&format!("{label}:failcount"), &state.window_failures.to_string());
    }
    line.push('\n');
    line
}

/// The fields of one line, in its order. Those with one name: the last holds, as in mon.
struct Fields<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Fields<'a> {
    /// At the first `=`; mon takes the last, and so loses values with one of their own. No name
    /// has one: neither mon's nor a period's.
    fn read(line: &'a str) -> Fields<'a> {
        Fields(line.split('\t').filter_map(|field| field.split_once('=')).collect())
    }

    fn text(&self, name: &str) -> Option<String> {
        let (_, value) = self.0.iter().rev().find(|(other, _)| *other == name)?;
        Some(unescape(value)).filter(|value| !value.is_empty())
    }

    fn shared(&self, name: &str) -> Option<Arc<str>> {
        self.text(name).map(Arc::from)
    }

    fn number<T: FromStr + Default>(&self, name: &str) -> T {
        self.text(name).and_then(|value| value.parse().ok()).unwrap_or_default()
    }

    /// 0 is never.
    fn time(&self, name: &str) -> Option<Time> {
        let seconds: u64 = self.number(name);
        (seconds > 0).then(|| Time::after_epoch(Duration::from_secs(seconds)))
    }

    fn opstatus(&self, name: &str) -> OpStatus {
        self.text(name).and_then(|number| number.parse().ok()).map(from_number).unwrap_or_default()
    }

    fn status(&self) -> Status {
        let opstatus = self.opstatus("op_status");
        let summary = self.shared("last_summary");
        let detail = self.shared("last_detail");
        // mon does not write the last output down, so that its upalerts have nothing to read
        // after a restart. The parts of it are there.
        let failure_output = self.shared("failure_output");
        let parts = summary.as_ref().map(|summary| match &detail {
            Some(detail) => format!("{summary}\n{detail}").into(),
            None => summary.clone(),
        });
        let last_output = failure_output.clone().or(parts);
        Status {
            opstatus,
            last_opstatus: self.opstatus("last_op_status"),
            retval: self.shared("exitval").filter(|value| &**value != "undef"),
            last_check: self.time("last_check"),
            last_success: self.time("last_success"),
            last_failure: self.time("last_failure"),
            first_failure: self.time("first_failure"),
            last_trap: self.time("last_trap"),
            failures_in_a_row: self.number("consec_failures"),
            failures: self.number("failure_count"),
            alerts: self.number("alert_count"),
            acknowledged: self.time("ack").map(|at| self.acknowledged(at)),
            depend_status: None,
            last_output,
            failure_output,
            last_summary: summary,
            last_detail: detail,
            recovered: self.time("last_failure_time"),
            failed_summary: self.shared("last_failure_summary"),
            duration: None,
            hosts: Vec::new(),
        }
    }

    fn acknowledged(&self, at: Time) -> Ack {
        let text = self.text("ack_comment").unwrap_or_default();
        let (user, comment) = text.split_once(": ").unwrap_or(("", &text));
        Ack { at, user: user.to_owned(), comment: comment.to_owned() }
    }

    /// A failure that was told and has ended is still to be told to be over: recoveries that are
    /// owed have no other mark in the file. What this run remembers of one, it has better.
    fn period(&self, period: &Period, status: &Status, old: PeriodState, now: Time) -> PeriodState {
        let label = &period.label;
        let sent: u32 = self.number(&format!("{label}:alert_sent"));
        let fails = status.opstatus == OpStatus::Fail;
        let is_over = status.opstatus == OpStatus::Ok;
        // mon counts more than failures, but notes no end of those.
        let owes = is_over && sent > 0 && status.recovered.is_some() && tells_recoveries(period);
        let owed = || Owed { due: now, before: ended(status) };
        PeriodState {
            alerts_sent: if fails { sent } else { 0 },
            last_alert: self.time(&format!("{label}:last_alert")),
            window_start: self.time(&format!("{label}:1stfailtime")),
            window_failures: self.number(&format!("{label}:failcount")),
            reached: fails && sent > 0,
            upalert_sent: old.upalert_sent,
            silenced: false,
            told: if is_over { owes } else { sent > 0 },
            owed: owes.then(|| old.owed.unwrap_or_else(owed)),
        }
    }
}

/// What the end of the last failure is told with, as far as the file knows.
fn ended(status: &Status) -> Before {
    let Before { output, facts } = status.before_recovery();
    match &status.failed_summary {
        Some(summary) => Before {
            output: summary.clone(),
            facts: Facts { last_summary: Some(summary.clone()), ..facts },
        },
        None => Before { output, facts },
    }
}

/// Every byte that is not plain becomes `\hh`. A backslash and `=` do so too, which mon does not
/// write but reads: it takes `\` and two digits for one of these, and an `=` for the last.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in raw::bytes_of(text).iter().copied() {
        match byte {
            0..=32 | 127..=255 | b'"' | b'\'' | b'\\' | b'=' => {
                let _ = write!(escaped, "\\{byte:02x}");
            }
            plain => escaped.push(char::from(plain)),
        }
    }
    escaped
}

/// Undoes `\hh`, in lower case as mon does.
fn unescape(text: &str) -> String {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        let code = match tail {
            [high, low, ..] if *first == b'\\' => digit(*high).zip(digit(*low)),
            _ => None,
        };
        match code {
            Some((high, low)) => {
                bytes.push(high << 4 | low);
                rest = &tail[2..];
            }
            None => bytes.push(*first),
        }
    }
    raw::text_of(&bytes)
}
