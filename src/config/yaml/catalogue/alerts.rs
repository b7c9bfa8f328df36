//! Keys of `alerts`: whom to tell, when and how often, in mon's words.

use super::{DEP_MEMORY, Key, Kind, PERIODS, REDISTRIBUTE, Section};

pub static ALERTS: Key = Key::new(
    "alerts",
    Kind::ListOr(&Kind::Mapping(&PERIOD_KEYS), &ALERTS_KEYS),
    "whom to tell of real servers that fail and recover, when and how often: periods with mon's \
     words, or a mapping that has them; they never decide who gets traffic",
)
.example("[{alert: mail.alert root, upalert: mail.alert root, alertevery: 1h}]");
pub static DEFAULT_ALERTS: Key = Key::new(
    "alerts",
    Kind::List(&Kind::Mapping(&PERIOD_KEYS)),
    "the periods of services that have no alerts of their own",
)
.example("[{alert: mail.alert root, upalert: mail.alert root, alertevery: 1h}]");
pub static ALERT_DIR: Key = Key::new(
    "alert_dir",
    Kind::Lines,
    "the folders with the programs of alerts, the first of a name counts: with colons between, or \
     a list",
)
.default("/usr/lib/directord/alert.d:/usr/lib/mon/alert.d")
.example("/etc/directord/alert.d");

// Keys of a service's alerts, where more is to be said than periods.

pub static SERVER_ALERTDEPEND: Key = Key::new(
    "alertdepend",
    Kind::Text,
    "nobody is told while this does not hold: GROUP:SERVICE of watches of this file, &&, ||, ! and \
     parentheses",
)
.example("routers:ping");
pub static SERVER_EXCLUDE_HOSTS: Key = Key::new(
    "exclude_hosts",
    Kind::List(&Kind::Text),
    "the addresses of real servers that nobody is told of",
)
.example("[192.168.0.2]");
pub static SERVER_EXCLUDE_PERIOD: Key = Key::new(
    "exclude_period",
    Kind::Times,
    "the times at which nobody looks at what checks find, to tell of it",
)
.example("wd {Sun} hr {2am-4am}");

pub static ALERTS_KEYS: Section = Section::new(
    "alerts of a service",
    &[
        &PERIODS,
        &SERVER_ALERTDEPEND,
        &DEP_MEMORY,
        &SERVER_EXCLUDE_HOSTS,
        &SERVER_EXCLUDE_PERIOD,
        &REDISTRIBUTE,
        &UNACK_SUMMARY,
    ],
);

// Keys of a period.

pub static PERIOD: Key = Key::new(
    "period",
    Kind::Times,
    "the times at which it holds, as mon writes them; always when not given",
)
.example("wd {Mon-Fri} hr {9am-5pm}");
pub static LABEL: Key = Key::new(
    "label",
    Kind::Text,
    "what logs and clients call the period; its times when not given",
)
.example("WORK");
pub static ALERT: Key = Key::new(
    "alert",
    Kind::Lines,
    "called when a server fails: [exit=N-M] PROGRAM WORDS, quoted as for a shell; several as a \
     list",
)
.example("mail.alert root");
pub static UPALERT: Key =
    Key::new("upalert", Kind::Lines, "called when it recovers, if its failure was told")
        .example("mail.alert root");
pub static STARTUPALERT: Key =
    Key::new("startupalert", Kind::Lines, "called for each server when the daemon starts")
        .example("mail.alert root");
pub static ACKALERT: Key =
    Key::new("ackalert", Kind::Lines, "called when somebody acknowledges a failure")
        .example("mail.alert root");
pub static DISABLEALERT: Key =
    Key::new("disablealert", Kind::Lines, "called when somebody disables the alerts of a server")
        .example("mail.alert root");
pub static ALERTEVERY: Key = Key::new(
    "alertevery",
    Kind::Text,
    "not again within this time: TIME [summary|observe_detail|ignore_summary|strict], by which is \
     held back what has the same summary, the same output, everything until it recovers, or \
     everything",
)
.example("1h strict");
pub static ALERTAFTER: Key = Key::new(
    "alertafter",
    Kind::Lines,
    "not before so many failures in a row (3), so long a failure (10m), so many within a time (3 \
     10m); several as a list",
)
.example("3");
pub static UPALERTAFTER: Key = Key::new(
    "upalertafter",
    Kind::Wait,
    "the recovery from a shorter failure is told so long after it began, if all is still well",
)
.example("5m");
pub static NUMALERTS: Key =
    Key::new("numalerts", Kind::Integer(1, u32::MAX as u64), "at most so often for one failure")
        .example("3");
pub static NO_COMP_ALERTS: Key =
    Key::new("no_comp_alerts", Kind::Flag, "a recovery is told even where its failure was not")
        .default("false")
        .example("true");
pub static ALERTS_DONT_COUNT: Key = Key::new(
    "alerts_dont_count",
    Kind::Flag,
    "its alerts are left out where clients see how many there were",
)
.default("false")
.example("true");
pub static ALERTEXITRANGE: Key = Key::new(
    "alertexitrange",
    Kind::Text,
    "only for these exit statuses; a check that fails has 1",
)
.example("1-3");
pub static UNACK_SUMMARY: Key = Key::new(
    "unack_summary",
    Kind::Flag,
    "another summary takes back an acknowledgement; that of a check is always the server's \
     address, that of a trap need not be",
)
.default("false")
.example("true");

pub static PERIOD_KEYS: Section = Section::new(
    "a period of alerts",
    &[
        &PERIOD,
        &LABEL,
        &ALERT,
        &UPALERT,
        &STARTUPALERT,
        &ACKALERT,
        &DISABLEALERT,
        &ALERTEVERY,
        &ALERTAFTER,
        &UPALERTAFTER,
        &NUMALERTS,
        &NO_COMP_ALERTS,
        &ALERTS_DONT_COUNT,
        &ALERTEXITRANGE,
        &UNACK_SUMMARY,
    ],
);
