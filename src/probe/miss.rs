//! Why a probe did not pass, and how far it had come.

use std::io;
use std::sync::atomic::{AtomicU8, AtomicU16, Ordering};
use std::time::Duration;

use nix::errno::Errno;

use super::{associate, evidence, room, stretch, tls};
use crate::model::Outcome;

/// What a probe that did not pass found; becomes an [`Outcome`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Miss {
    /// The server did not answer as it should.
    Fail(String),
    /// The director could not ask.
    Local(String),
}

impl From<Miss> for Outcome {
    fn from(miss: Miss) -> Outcome {
        match miss {
            Miss::Fail(reason) => Outcome::Fail(reason),
            Miss::Local(reason) => Outcome::Local(reason),
        }
    }
}

impl Miss {
    /// The same of which more is said.
    pub fn map(self, say: impl FnOnce(&str) -> String) -> Miss {
        match self {
            Miss::Fail(why) => Miss::Fail(say(&why)),
            Miss::Local(why) => Miss::Local(say(&why)),
        }
    }

    pub fn why(&self) -> &str {
        match self {
            Miss::Fail(why) | Miss::Local(why) => why,
        }
    }

    /// `phase: what the system said`, as the server's failure.
    pub fn fail(phase: Phase, error: &io::Error) -> Miss {
        Miss::Fail(format!("{}: {}", phase.name(), describe(error)))
    }
}

/// The system's words for an error: lower case, without its number.
pub(super) fn describe(error: &io::Error) -> String {
    match error.raw_os_error().map(Errno::from_raw) {
        // The system says "no route to host", which is the director's own trouble; what arrives
        // under this number is somebody's word that the host did not answer.
        Some(Errno::EHOSTUNREACH) => "host unreachable".into(),
        Some(Errno::ENETUNREACH) => "network unreachable".into(),
        Some(Errno::EMFILE | Errno::ENFILE) => {
            "too many open files: raise the limit of open files".into()
        }
        Some(errno) => lower_first(errno.desc()),
        None => evidence::line(lower_first(&error.to_string()).as_bytes()),
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_lowercase().chain(chars).collect())
}

/// How far a probe has come; a probe that runs out of time says where it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Phase {
    Connect,
    Resolve,
    Tls,
    Request,
    Headers,
    Body,
    /// Matching `receive`.
    Receive,
    FtpGreeting,
    FtpLogin,
    FtpTransfer,
    SmtpGreeting,
    SmtpHello,
    PopGreeting,
    PopLogin,
    ImapGreeting,
    ImapLogin,
    NntpGreeting,
    Sip,
    TcpAnswer,
    Dns,
    Radius,
    /// Still waiting, after an answer that whoever knows the secret did not write.
    RadiusUnproven,
    LdapBind,
    LdapSearch,
    MysqlLogin,
    MysqlQuery,
    PgsqlLogin,
    PgsqlQuery,
    /// Waiting for memory to read more of a large body into.
    Room,
    /// Waiting for a thread that computes.
    Turn,
    /// Waiting for a file of roots.
    Roots,
    /// Waiting for the kernel's first SCTP socket.
    SctpSocket,
}

impl Phase {
    const ALL: [Phase; 32] = [
        Phase::Connect,
        Phase::Resolve,
        Phase::Tls,
        Phase::Request,
        Phase::Headers,
        Phase::Body,
        Phase::Receive,
        Phase::FtpGreeting,
        Phase::FtpLogin,
        Phase::FtpTransfer,
        Phase::SmtpGreeting,
        Phase::SmtpHello,
        Phase::PopGreeting,
        Phase::PopLogin,
        Phase::ImapGreeting,
        Phase::ImapLogin,
        Phase::NntpGreeting,
        Phase::Sip,
        Phase::TcpAnswer,
        Phase::Dns,
        Phase::Radius,
        Phase::RadiusUnproven,
        Phase::LdapBind,
        Phase::LdapSearch,
        Phase::MysqlLogin,
        Phase::MysqlQuery,
        Phase::PgsqlLogin,
        Phase::PgsqlQuery,
        Phase::Room,
        Phase::Turn,
        Phase::Roots,
        Phase::SctpSocket,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Phase::Connect => "connect",
            Phase::Resolve => "resolve",
            Phase::Tls => "tls",
            Phase::Request => "request",
            Phase::Headers => "headers",
            Phase::Body => "body",
            Phase::Receive => "receive",
            Phase::FtpGreeting => "ftp greeting",
            Phase::FtpLogin => "ftp login",
            Phase::FtpTransfer => "ftp transfer",
            Phase::SmtpGreeting => "smtp greeting",
            Phase::SmtpHello => "smtp hello",
            Phase::PopGreeting => "pop greeting",
            Phase::PopLogin => "pop login",
            Phase::ImapGreeting => "imap greeting",
            Phase::ImapLogin => "imap login",
            Phase::NntpGreeting => "nntp greeting",
            Phase::Sip => "sip",
            Phase::TcpAnswer => "tcp answer",
            Phase::Dns => "dns",
            Phase::Radius => "radius",
            Phase::RadiusUnproven => "radius: an answer that our secret does not prove",
            Phase::LdapBind => "ldap bind",
            Phase::LdapSearch => "ldap search",
            Phase::MysqlLogin => "mysql login",
            Phase::MysqlQuery => "mysql query",
            Phase::PgsqlLogin => "pgsql login",
            Phase::PgsqlQuery => "pgsql query",
            Phase::Room => "room",
            Phase::Turn => "turn",
            Phase::Roots => "roots",
            Phase::SctpSocket => "sctp socket",
        }
    }
}

/// Where one probe is; written by the probe, read when its time is up.
#[derive(Default)]
pub(super) struct Progress {
    phase: AtomicU8,
    /// What HTTP was answered with last; 0 where there was no such answer.
    status: AtomicU16,
}

impl Progress {
    pub fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    pub fn answered(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    pub fn status(&self) -> Option<u16> {
        Some(self.status.load(Ordering::Relaxed)).filter(|status| *status != 0)
    }

    pub fn phase(&self) -> Phase {
        let number = usize::from(self.phase.load(Ordering::Relaxed));
        Phase::ALL.get(number).copied().unwrap_or(Phase::Connect)
    }

    /// `headers: timed out after 3 s`.
    pub fn timed_out(&self, limit: Duration) -> Miss {
        match self.phase() {
            Phase::Room => room::none_left(limit),
            Phase::Turn => stretch::no_turn(limit),
            Phase::Roots => tls::no_roots(limit),
            Phase::SctpSocket => associate::no_socket(limit),
            phase => {
                let limit = evidence::duration(limit);
                Miss::Fail(format!("{}: timed out after {limit}", phase.name()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phase_comes_back_as_it_went_in() {
        let progress = Progress::default();
        for phase in Phase::ALL {
            progress.enter(phase);
            assert_eq!(progress.phase(), phase);
        }
    }

    #[test]
    fn system_errors_read_as_words() {
        let said = |errno: Errno| describe(&io::Error::from_raw_os_error(errno as i32));
        assert_eq!(said(Errno::ECONNREFUSED), "connection refused");
        assert_eq!(said(Errno::EHOSTUNREACH), "host unreachable");
        assert_eq!(describe(&io::Error::other("Odd\u{7}thing")), "odd\\x07thing");
    }
}
