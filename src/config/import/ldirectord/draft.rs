//! What the lines of a file say, before names, defaults and the rest of the file are known.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::lines::Piece;
use crate::model::{Family, ForwardingMethod, SchedulerFlags};

/// The head of the file.
#[derive(Default)]
pub(super) struct Globals<'t> {
    pub(super) shared: Shared<'t>,
    /// The one timeout of the oldest dialect, in seconds.
    pub(super) timeout: Option<u32>,
    pub(super) fork: bool,
    pub(super) readdquiescent: bool,
    pub(super) maintenancedir: Option<Arc<PathBuf>>,
}

/// What may stand in the head and in a block. Times are in seconds.
#[derive(Default)]
pub(super) struct Shared<'t> {
    pub(super) checktimeout: Option<u32>,
    pub(super) negotiatetimeout: Option<u32>,
    pub(super) checkinterval: Option<(u32, Range<usize>)>,
    pub(super) checkcount: Option<u32>,
    pub(super) failurecount: Option<u32>,
    pub(super) quiescent: Option<bool>,
    pub(super) cleanstop: Option<bool>,
    pub(super) fallback: Option<FallbackDraft<'t>>,
    pub(super) fallback6: Option<FallbackDraft<'t>>,
}

/// One `virtual` block.
#[derive(Default)]
pub(super) struct Draft<'t> {
    /// The value of `virtual`.
    pub(super) place: Piece<'t>,
    pub(super) ipv6: bool,
    /// `None` when it could not be read.
    pub(super) address: Option<VirtualAddress<'t>>,
    pub(super) shared: Shared<'t>,
    pub(super) reals: Vec<RealDraft<'t>>,
    /// Whether there are others, that could not be read.
    pub(super) has_unreadable_real: bool,
    pub(super) protocol: Option<Piece<'t>>,
    pub(super) scheduler: Option<Piece<'t>>,
    pub(super) scheduler_flags: SchedulerFlags,
    /// In seconds.
    pub(super) persistent: Option<u32>,
    pub(super) netmask: Option<Piece<'t>>,
    pub(super) one_packet: Option<Range<usize>>,
    pub(super) checktype: Option<(CheckType, Range<usize>)>,
    pub(super) service: Option<(&'static Application, Range<usize>)>,
    pub(super) checkport: Option<u16>,
    pub(super) request: Option<Piece<'t>>,
    pub(super) receive: Option<Piece<'t>>,
    pub(super) head_method: Option<Range<usize>>,
    pub(super) virtualhost: Option<Piece<'t>>,
    pub(super) login: Option<Piece<'t>>,
    pub(super) passwd: Option<Piece<'t>>,
    pub(super) checkcommand: Option<Piece<'t>>,
    pub(super) servicename: Option<Piece<'t>>,
}

impl Draft<'_> {
    pub(super) fn family(&self) -> Family {
        if self.ipv6 { Family::Ipv6 } else { Family::Ipv4 }
    }

    /// `real` or `real6`, as this block's family wants it.
    pub(super) fn suffix(&self) -> &'static str {
        if self.ipv6 { "6" } else { "" }
    }
}

/// What `virtual` names.
#[derive(Clone, Copy)]
pub(super) enum VirtualAddress<'t> {
    Mark(u32),
    Address { host: Piece<'t>, port: Piece<'t> },
}

/// One `real` line.
#[derive(Clone, Copy)]
pub(super) struct RealDraft<'t> {
    /// The line's value, without its end.
    pub(super) place: Piece<'t>,
    pub(super) first: Piece<'t>,
    /// The end of a range.
    pub(super) last: Option<Piece<'t>>,
    pub(super) port: Option<Piece<'t>>,
    pub(super) forward: ForwardingMethod,
    pub(super) weight: u32,
    /// Its own request and what is to be received; the latter may be empty.
    pub(super) pair: Option<(Piece<'t>, Piece<'t>)>,
    pub(super) lower: u32,
    pub(super) upper: u32,
}

/// One `fallback` line.
#[derive(Clone, Copy)]
pub(super) struct FallbackDraft<'t> {
    pub(super) host: Piece<'t>,
    pub(super) port: Option<Piece<'t>>,
    pub(super) forward: ForwardingMethod,
}

/// How reals are checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum CheckType {
    Negotiate,
    Connect,
    Ping,
    /// A negotiate, then this many connects, and so on; at least 1.
    Combined(u16),
    External,
    ExternalPerl,
    On,
    Off,
}

/// What a service speaks, for the negotiate check.
pub(super) struct Application {
    pub(super) name: &'static str,
    /// 0 when it has none.
    pub(super) port: u16,
}

/// By the names `service` takes.
pub(super) const APPLICATIONS: &[Application] = &[
    Application { name: "dns", port: 53 },
    Application { name: "ftp", port: 21 },
    Application { name: "http", port: 80 },
    Application { name: "http_proxy", port: 3128 },
    Application { name: "https", port: 443 },
    Application { name: "imap", port: 143 },
    Application { name: "imaps", port: 993 },
    Application { name: "ldap", port: 389 },
    Application { name: "ldaps", port: 636 },
    Application { name: "mysql", port: 3306 },
    Application { name: "nntp", port: 119 },
    Application { name: "none", port: 0 },
    Application { name: "oracle", port: 1521 },
    Application { name: "pgsql", port: 5432 },
    Application { name: "pop", port: 110 },
    Application { name: "pops", port: 995 },
    Application { name: "radius", port: 1812 },
    Application { name: "simpletcp", port: 0 },
    Application { name: "sip", port: 5060 },
    Application { name: "smtp", port: 25 },
    Application { name: "submission", port: 587 },
];
