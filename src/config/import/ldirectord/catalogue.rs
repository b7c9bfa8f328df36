//! Every directive there is, and where it may stand.

use crate::config::nearest::nearest;

/// Where a directive may stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Scope {
    /// In column 0.
    Head,
    /// In a block.
    Service,
    /// In both; a block's overrides the head's.
    Both,
}

use Scope::{Both, Head, Service};

const DIRECTIVES: &[(&str, Scope)] = &[
    ("autoreload", Head),
    ("callback", Head),
    ("checkcommand", Service),
    ("checkcount", Both),
    ("checkinterval", Both),
    ("checkport", Service),
    ("checktimeout", Both),
    ("checktype", Service),
    ("cleanstop", Both),
    ("comment", Service),
    ("connecttimeout", Head),
    ("database", Service),
    ("emailalert", Both),
    ("emailalertfreq", Both),
    ("emailalertfrom", Head),
    ("emailalertstatus", Both),
    ("execute", Head),
    ("failurecount", Both),
    ("fallback", Both),
    ("fallback6", Both),
    ("fallbackcommand", Both),
    ("fork", Head),
    ("httpmethod", Service),
    ("load", Service),
    ("logfile", Head),
    ("login", Service),
    ("maintenancedir", Head),
    ("monitorfile", Service),
    ("negotiatetimeout", Both),
    ("netmask", Service),
    ("ops", Service),
    ("passwd", Service),
    ("persistent", Service),
    ("protocol", Service),
    ("quiescent", Both),
    ("readdquiescent", Head),
    ("real", Service),
    ("real6", Service),
    ("receive", Service),
    ("request", Service),
    ("schedflags", Service),
    ("scheduler", Service),
    ("secret", Service),
    ("service", Service),
    ("servicename", Service),
    ("smtp", Both),
    ("supervised", Head),
    ("timeout", Head),
    ("virtual", Head),
    ("virtual6", Head),
    ("virtualhost", Service),
];

pub(super) fn is_global(name: &str) -> bool {
    DIRECTIVES.iter().any(|(known, scope)| *known == name && *scope != Service)
}

pub(super) fn is_member(name: &str) -> bool {
    DIRECTIVES.iter().any(|(known, scope)| *known == name && *scope != Head)
}

/// What to do about a name that may not stand in the head.
pub(super) fn hint_for_head(name: &str) -> Option<String> {
    match is_member(name) {
        true => Some("it belongs into a virtual block: indent it by a TAB or four blanks".into()),
        false => did_you_mean(name),
    }
}

/// What to do about a name that may not stand in a block.
pub(super) fn hint_for_member(name: &str) -> Option<String> {
    match is_global(name) {
        true => Some("it belongs into the head of the file: begin it in column 0".into()),
        false => did_you_mean(name),
    }
}

fn did_you_mean(name: &str) -> Option<String> {
    nearest(name, DIRECTIVES.iter().map(|(known, _)| *known)).map(|n| format!("did you mean {n}?"))
}
