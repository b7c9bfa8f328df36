//! Why somebody is told something, in all the words mon has for it.

use crate::model::AlertOn;

/// mon's kinds of calls.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Occasion {
    Failure,
    Trap,
    TrapTimeout,
    Recovery,
    Startup,
    Acknowledgement,
    Disabling,
    /// `test alert`; the other kinds of alerts are tested under their own names.
    Test,
}

impl Occasion {
    /// Heard in `list alerthist`, the historic file and syslog.
    pub const fn word(self) -> &'static str {
        match self {
            Occasion::Failure => "alert",
            Occasion::Trap => "trapalert",
            Occasion::TrapTimeout => "traptimeoutalert",
            Occasion::Recovery => "upalert",
            Occasion::Startup => "startupalert",
            Occasion::Acknowledgement => "ackalert",
            Occasion::Disabling => "disablealert",
            Occasion::Test => "testalert",
        }
    }

    pub fn from_word(word: &str) -> Option<Occasion> {
        let all = [
            Occasion::Failure,
            Occasion::Trap,
            Occasion::TrapTimeout,
            Occasion::Recovery,
            Occasion::Startup,
            Occasion::Acknowledgement,
            Occasion::Disabling,
        ];
        all.into_iter().find(|occasion| occasion.word() == word)
    }

    /// `MON_ALERTTYPE`.
    pub const fn alert_type(self) -> &'static str {
        match self {
            Occasion::Failure => "failure",
            Occasion::Trap => "trap",
            Occasion::TrapTimeout => "traptimeout",
            Occasion::Recovery => "up",
            Occasion::Startup => "startup",
            Occasion::Acknowledgement => "ack",
            Occasion::Disabling => "disable",
            Occasion::Test => "test",
        }
    }

    /// The argument by which programs tell them apart.
    pub const fn flag(self) -> Option<&'static str> {
        match self {
            Occasion::Failure | Occasion::Startup | Occasion::Test => None,
            Occasion::Trap => Some("-T"),
            Occasion::TrapTimeout => Some("-O"),
            Occasion::Recovery => Some("-u"),
            Occasion::Acknowledgement => Some("-a"),
            Occasion::Disabling => Some("-D"),
        }
    }

    /// Which lines of a period are for it.
    pub const fn list(self) -> AlertOn {
        match self {
            Occasion::Failure | Occasion::Trap | Occasion::TrapTimeout | Occasion::Test => {
                AlertOn::Failure
            }
            Occasion::Recovery => AlertOn::Recovery,
            Occasion::Startup => AlertOn::Startup,
            Occasion::Acknowledgement => AlertOn::Acknowledgement,
            Occasion::Disabling => AlertOn::Disabling,
        }
    }

    pub const fn tested(on: AlertOn) -> Occasion {
        match on {
            AlertOn::Failure => Occasion::Test,
            AlertOn::Recovery => Occasion::Recovery,
            AlertOn::Startup => Occasion::Startup,
            AlertOn::Acknowledgement => Occasion::Acknowledgement,
            AlertOn::Disabling => Occasion::Disabling,
        }
    }

    /// Something fails: throttles apply, and acknowledgements.
    pub const fn is_failure(self) -> bool {
        matches!(self, Occasion::Failure | Occasion::Trap | Occasion::TrapTimeout)
    }

    /// Whether a failing parent keeps it back.
    pub const fn heeds_dependencies(self) -> bool {
        !matches!(self, Occasion::Startup | Occasion::Recovery | Occasion::Test)
    }

    /// Whether `exit=` in front of an alert is looked at.
    pub const fn has_exit(self) -> bool {
        !matches!(self, Occasion::Acknowledgement | Occasion::Disabling)
    }
}
