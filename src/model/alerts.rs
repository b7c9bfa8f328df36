//! Who is told when something happens to a service, and what is run for it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What is done for one service besides the log. Services that say the same share it.
///
/// Apart from the service itself, so that another address for mail does not make it another
/// service.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Alerts {
    pub mail: Option<MailAlert>,
    /// Run with `start` or `stop`, the service and its protocol, as its last real server goes and
    /// its first one comes.
    pub fallback_command: Option<Hook>,
    pub monitor: Option<Monitor>,
    /// A person's remark, for mail.
    pub comment: Option<String>,
}

/// Who gets mail about a service, when, and by which way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MailAlert {
    /// At least one, at most [`MailAlert::MAX_RECIPIENTS`].
    pub to: Vec<String>,
    /// For the header; the system's own where nothing is said.
    pub from: Option<String>,
    /// The mail server; without one the host's own sendmail is called.
    pub server: Option<MailServer>,
    /// How often it is said again that a server is still out; at least a second.
    pub remind: Option<Duration>,
    pub stages: Stages,
}

impl MailAlert {
    /// More addresses than one person reads about one service; beyond that a list is the way.
    pub const MAX_RECIPIENTS: usize = 64;
}

/// A name or an IPv4 address, and a port.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MailServer {
    pub host: String,
    pub port: u16,
}

impl MailServer {
    /// SMTP's (RFC 5321, 4.5.4.2).
    pub const PORT: u16 = 25;
}

/// What the director is busy with, as far as mail is concerned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Until every check of the first configuration has been carried out once.
    Starting,
    Running,
    /// Until every check a later configuration brought has been carried out once.
    Reloading,
    Stopping,
}

impl Stage {
    pub const ALL: [Stage; 4] =
        [Stage::Starting, Stage::Running, Stage::Reloading, Stage::Stopping];

    pub const fn name(self) -> &'static str {
        match self {
            Stage::Starting => "starting",
            Stage::Running => "running",
            Stage::Reloading => "reloading",
            Stage::Stopping => "stopping",
        }
    }
}

/// A set of stages.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Stages(u8);

impl Stages {
    pub const NONE: Stages = Stages(0);
    pub const ALL: Stages = Stages(0b1111);

    #[must_use]
    pub const fn with(self, stage: Stage) -> Stages {
        Stages(self.0 | 1 << stage as u8)
    }

    pub const fn contains(self, stage: Stage) -> bool {
        self.0 & 1 << stage as u8 != 0
    }
}

/// A program and its first arguments. It is never handed to a shell as text: where the owner
/// wrote for one, the shell is the program.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Hook {
    /// Not empty.
    pub argv: Arc<[String]>,
}

/// A file with a line for each check of a service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Monitor {
    pub file: Arc<PathBuf>,
    /// What each real server's check is called there, in the order of the service.
    pub names: Vec<String>,
}

/// What an ldirectord file says of itself rather than of a service.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Head {
    pub log: Option<LogPlace>,
    /// Run with the file's path after its text changed.
    pub callback: Option<Hook>,
    /// Further configurations that are to run as long as this one does.
    pub execute: Vec<String>,
    /// Whether the file is read again by itself when it changes.
    pub autoreload: bool,
    /// Whether to stay in the foreground, with the log on standard output.
    pub supervised: bool,
    /// Tells one text of the file from another.
    pub digest: u64,
}

impl Head {
    /// Whether this says the same of the director, in whatever words the file says the rest.
    pub fn says_as(&self, other: &Head) -> bool {
        *self == Head { digest: self.digest, ..other.clone() }
    }
}

/// Where log lines go.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LogPlace {
    File(Arc<PathBuf>),
    Syslog(Facility),
}

/// A facility of syslog(3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Facility(u8);

impl Facility {
    /// For what is neither the kernel's nor a user's.
    pub const DAEMON: Facility = Facility(3);

    /// By their numbers (RFC 5424, table 1), as syslog(3) calls them.
    const NAMES: [(&'static str, u8); 20] = [
        ("kern", 0),
        ("user", 1),
        ("mail", 2),
        ("daemon", 3),
        ("auth", 4),
        ("syslog", 5),
        ("lpr", 6),
        ("news", 7),
        ("uucp", 8),
        ("cron", 9),
        ("authpriv", 10),
        ("ftp", 11),
        ("local0", 16),
        ("local1", 17),
        ("local2", 18),
        ("local3", 19),
        ("local4", 20),
        ("local5", 21),
        ("local6", 22),
        ("local7", 23),
    ];

    pub fn from_name(name: &str) -> Option<Facility> {
        let found = Facility::NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, number)| Facility(*number))
    }

    /// What opens a message: facility and severity in one number.
    pub const fn priority(self, severity: u8) -> u8 {
        self.0 * 8 + severity
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_stages_holds_what_was_put_in() {
        let set = Stages::NONE.with(Stage::Running).with(Stage::Stopping);
        let held: Vec<_> = Stage::ALL.into_iter().filter(|stage| set.contains(*stage)).collect();
        assert_eq!(held, [Stage::Running, Stage::Stopping]);
        assert_eq!(Stage::ALL.into_iter().fold(Stages::NONE, Stages::with), Stages::ALL);
    }

    #[test]
    fn a_head_says_the_same_in_another_text() {
        let head = Head { autoreload: true, digest: 1, ..Head::default() };
        assert!(head.says_as(&Head { digest: 2, ..head.clone() }));
        assert!(!head.says_as(&Head { supervised: true, ..head.clone() }));
    }

    #[test]
    fn priorities_are_syslogs() {
        let info = |name| Facility::from_name(name).map(|facility| facility.priority(6));
        assert_eq!((info("daemon"), info("local0"), info("local8")), (Some(30), Some(134), None));
    }
}
