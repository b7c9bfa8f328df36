//! What the lines of a file say, before names, defaults and the rest of the file are known.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::alerts::{HeadDraft, Told};
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
    pub(super) head: HeadDraft,
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
    pub(super) told: Told,
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
    pub(super) database: Option<Piece<'t>>,
    pub(super) secret: Option<Piece<'t>>,
    pub(super) checkcommand: Option<Piece<'t>>,
    pub(super) servicename: Option<Piece<'t>>,
    pub(super) comment: Option<Piece<'t>>,
    pub(super) monitorfile: Option<Piece<'t>>,
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
    pub(super) speech: Speech,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Speech {
    Dns,
    Ftp,
    Http,
    HttpProxy,
    Https,
    Imap,
    Imaps,
    Ldap,
    Ldaps,
    Mysql,
    Nntp,
    None,
    Oracle,
    Pgsql,
    Pop,
    Pops,
    Radius,
    SimpleTcp,
    Sip,
    /// And submission.
    Smtp,
}

impl Speech {
    /// By the name `service` takes.
    pub(super) fn name(self) -> &'static str {
        APPLICATIONS.iter().find(|a| a.speech == self).map_or("none", |a| a.name)
    }

    pub(super) fn uses_request(self) -> bool {
        use Speech::*;
        match self {
            Dns | Ftp | Http | HttpProxy | Https | Ldap | Ldaps | SimpleTcp => true,
            Mysql | Oracle | Pgsql => true,
            Imap | Imaps | Nntp | None | Pop | Pops | Radius | Sip | Smtp => false,
        }
    }

    pub(super) fn uses_receive(self) -> bool {
        use Speech::*;
        self.uses_request() && !matches!(self, Mysql | Oracle | Pgsql)
    }
}

const fn speaks(name: &'static str, port: u16, speech: Speech) -> Application {
    Application { name, port, speech }
}

/// By the names `service` takes.
pub(super) const APPLICATIONS: &[Application] = &[
    speaks("dns", 53, Speech::Dns),
    speaks("ftp", 21, Speech::Ftp),
    speaks("http", 80, Speech::Http),
    speaks("http_proxy", 3128, Speech::HttpProxy),
    speaks("https", 443, Speech::Https),
    speaks("imap", 143, Speech::Imap),
    speaks("imaps", 993, Speech::Imaps),
    speaks("ldap", 389, Speech::Ldap),
    speaks("ldaps", 636, Speech::Ldaps),
    speaks("mysql", 3306, Speech::Mysql),
    speaks("nntp", 119, Speech::Nntp),
    speaks("none", 0, Speech::None),
    speaks("oracle", 1521, Speech::Oracle),
    speaks("pgsql", 5432, Speech::Pgsql),
    speaks("pop", 110, Speech::Pop),
    speaks("pops", 995, Speech::Pops),
    speaks("radius", 1812, Speech::Radius),
    speaks("simpletcp", 0, Speech::SimpleTcp),
    speaks("sip", 5060, Speech::Sip),
    speaks("smtp", 25, Speech::Smtp),
    speaks("submission", 587, Speech::Smtp),
];
