//! mon's words for a monitor, read into what is to be asked. Pure.
//!
//! The options and their defaults are those of the programs in Debian's `mon` 1.3.6. Hosts may
//! stand among the words too; the group's follow them.

mod options;
mod script;
#[cfg(test)]
mod tests;
mod words;

use std::sync::Arc;
use std::time::Duration;

use crate::model::NativeMonitor;
pub use options::Mistake;
pub(super) use script::{Heard, NODE, Step};

/// The monitors that are carried out here. `mysql` may be called `msql-mysql` as well, as mon's
/// program is.
pub const NAMES: [&str; 13] = [
    "fping", "ping", "http", "https", "ftp", "tcp", "smtp", "pop3", "imap", "nntp", "dns", "ldap",
    "mysql",
];

/// The monitor of ours that does what this program of mon's does with these words, if there is
/// one: `http` for `http.monitor` or `/usr/lib/mon/mon.d/http.monitor`.
pub fn native_name(program: &str, words: &[String]) -> Option<&'static str> {
    let file = program.rsplit('/').next().unwrap_or(program);
    let name = file.strip_suffix(".monitor").unwrap_or(file);
    let name = match name {
        "msql-mysql" if is_mysql(words) => "mysql",
        // The other of its two databases is long gone.
        "msql-mysql" => return None,
        name => name,
    };
    NAMES.into_iter().find(|known| *known == name)
}

fn is_mysql(words: &[String]) -> bool {
    words.iter().any(|word| word.to_ascii_lowercase().contains("mysql"))
}

/// What one monitor asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Hosts among the words; they come first.
    pub(super) hosts: Vec<String>,
    pub(super) task: Task,
}

impl Plan {
    /// What these words ask for, or everything that is wrong with them.
    pub fn parse(monitor: &NativeMonitor) -> Result<Plan, Vec<Mistake>> {
        words::parse(monitor.name, &monitor.words)
    }

    /// Whether these words can be carried out here; if not, all that is in the way, in one line.
    /// For whoever reads a file and can have the program run instead.
    pub fn check(monitor: &NativeMonitor) -> Result<(), String> {
        let joined = |mistakes: Vec<Mistake>| {
            mistakes.iter().map(Mistake::to_string).collect::<Vec<_>>().join("; ")
        };
        Plan::parse(monitor).map(drop).map_err(joined)
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Task {
    Fping(Fping),
    Ping(Ping),
    Tcp { port: Port, timeout: Duration },
    Http(Arc<Http>),
    Talk(Arc<Talk>),
    Dns(Arc<Dns>),
    Ldap(Arc<Ldap>),
    Mysql(Arc<Mysql>),
}

/// A number, or a name that the system knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Port {
    Number(u16),
    Name(String),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Fping {
    /// Whether it takes all hosts to fail.
    pub all: bool,
    /// Echoes after the first.
    pub retries: u32,
    /// Whoever answers later than this has failed.
    pub slow: Option<Duration>,
    /// For the first echo; each further one waits half as long again.
    pub timeout: Duration,
    /// Whether the way to those who failed is traced.
    pub trace: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Ping {
    pub count: u8,
    /// IPv6 only, else IPv4 where there is a choice.
    pub v6: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Http {
    pub tls: bool,
    pub port: Port,
    pub timeout: Duration,
    pub path: String,
    pub agent: String,
    /// Decides alone where there is one. Headers are searched as well.
    pub pattern: Option<String>,
    /// Whether hosts that are well are left out of the detail.
    pub failed_only: bool,
}

/// A conversation in lines.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Talk {
    pub style: Style,
    pub port: Port,
    pub timeout: Duration,
    pub steps: Vec<Step>,
}

/// How a monitor words what it found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Style {
    Ftp,
    Smtp,
    Pop3,
    Imap,
    Nntp,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Dns {
    pub mode: DnsMode,
    pub by_tcp: bool,
    /// Times each question is asked.
    pub tries: u32,
    /// Before it is asked again; twice as long each further time.
    pub again: Duration,
    /// For each question.
    pub timeout: Option<Duration>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum DnsMode {
    /// Whether servers have a zone as its masters have it.
    Zones {
        zones: Vec<String>,
        masters: Vec<String>,
        /// How far serials may be apart.
        threshold: u32,
        /// Whether one master that fails is enough.
        any_master: bool,
    },
    /// Whether servers answer.
    Queries(Vec<DnsQuery>),
}

/// `www.example.com:A:other.example.com`
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct DnsQuery {
    pub name: String,
    /// Upper case.
    pub kind: String,
    /// Another name that must have a record in common.
    pub target: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Ldap {
    pub port: u16,
    pub base: String,
    /// As it is sent.
    pub filter: Vec<u8>,
    pub attribute: String,
    pub value: String,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Mysql {
    pub port: u16,
    pub login: String,
    pub password: Password,
    pub database: String,
    pub timeout: Duration,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Password {
    Plain(String),
    /// The first line of a file.
    File(String),
}
