//! Every directive there is, and where it may stand.

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

/// The known word a slip of the fingers away, if there is one.
pub(super) fn nearest<'w>(name: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let name = name.to_ascii_lowercase();
    // The distance costs the product of the lengths.
    if name.len() > 32 {
        return None;
    }
    let most = (name.len() / 3).max(1);
    known
        .map(|word| (distance(name.as_bytes(), word.as_bytes()), word))
        .filter(|(slips, word)| *slips <= most && *slips < word.len())
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, word)| word)
}

/// Letters inserted, left out, replaced or swapped with their neighbour.
fn distance(from: &[u8], to: &[u8]) -> usize {
    let mut rows = vec![vec![0; to.len() + 1]; from.len() + 1];
    for i in 0..=from.len() {
        for j in 0..=to.len() {
            if i == 0 || j == 0 {
                rows[i][j] = i + j;
                continue;
            }
            let differs = usize::from(from[i - 1] != to[j - 1]);
            let replaced = rows[i - 1][j - 1] + differs;
            let mut best = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[from.len()][to.len()]
}
