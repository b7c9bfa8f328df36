//! One directive at a time: its value checked by itself and put into the draft.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::draft::{APPLICATIONS, CheckType, Draft, Globals, Shared};
use super::lines::{Piece, Statement};
use super::report::Report;
use super::values::{MAX_SECONDS, is_digits, maybe_quoted, number, number_to, quoted, yes_no};
use super::{address, real};
use super::{alerts, catalogue};
use crate::config::nearest::nearest;
use crate::model::{Persistence, SchedulerFlags};

/// Failures in a row, at most; as many as fit the model.
const MAX_FAILURES: u32 = u16::MAX as u32;

/// The block that `virtual` or `virtual6` begins; `None` for other lines.
pub(super) fn virtual_service<'t>(
    statement: &Statement<'t>,
    report: &mut Report,
) -> Option<Draft<'t>> {
    let ipv6 = match statement.name.text {
        "virtual" => false,
        "virtual6" => true,
        _ => return None,
    };
    let mut draft = Draft { place: statement.value(), ipv6, ..Draft::default() };
    if has_value(statement, report) {
        draft.address = address::virtual_address(statement.value(), ipv6, report);
        draft.place = draft.place.first_word().0;
    }
    Some(draft)
}

/// What to do about a name that is like no other.
const UNKNOWN: &str = "ldirectord(8) has them all: write # before what is no directive";

/// A line of the head; whether its name was known.
pub(super) fn global<'t>(
    statement: &Statement<'t>,
    globals: &mut Globals<'t>,
    report: &mut Report,
) -> bool {
    let name = statement.name;
    if !catalogue::is_global(name.text) {
        let made = report.error(name.span(), format!("unknown directive {}", name.text));
        let hint = catalogue::hint_for_head(name.text);
        made.hint(hint.unwrap_or_else(|| UNKNOWN.to_owned()));
        return false;
    }
    if name.text == "supervised" && statement.value.is_none() {
        report.warning(name.span(), "a bare supervised means supervised = yes; write that");
        globals.head.supervised = true;
        return true;
    }
    if !has_value(statement, report) {
        return true;
    }
    let value = statement.value();
    if shared(name.text, value, &mut globals.shared, report) {
        return true;
    }
    match name.text {
        "timeout" => {
            globals.timeout = number_to(MAX_SECONDS, value, report);
            report
                .warning(name.span(), "timeout sets both checktimeout and negotiatetimeout")
                .hint("ldirectord refuses it; write the two instead");
        }
        "connecttimeout" => {
            report
                .error(name.span(), "connecttimeout is no longer a directive")
                .hint("write negotiatetimeout");
        }
        // Checks run side by side all the same; what is left of it is that a service's own
        // checkinterval counts.
        "fork" => globals.fork = yes_no(value, report).unwrap_or(globals.fork),
        "autoreload" => {
            let autoreload = yes_no(value, report).unwrap_or_default();
            globals.head.autoreload = autoreload;
            if !autoreload {
                let heeds = "only the ldirectord command heeds this: directord run watches files";
                report.note(statement.span(), heeds);
            }
        }
        "readdquiescent" => {
            globals.readdquiescent = yes_no(value, report).unwrap_or(globals.readdquiescent);
        }
        "maintenancedir" => globals.maintenancedir = maintenance_dir(value, report),
        "supervised" => globals.head.supervised = yes_no(value, report).unwrap_or_default(),
        name => {
            alerts::head(name, value, &mut globals.head, report);
        }
    }
    true
}

/// What head and block have in common; whether `name` is part of it.
fn shared<'t>(name: &str, value: Piece<'t>, to: &mut Shared<'t>, report: &mut Report) -> bool {
    match name {
        "checktimeout" => to.checktimeout = number_to(MAX_SECONDS, value, report),
        "negotiatetimeout" => to.negotiatetimeout = number_to(MAX_SECONDS, value, report),
        "checkinterval" => {
            to.checkinterval = number_to(MAX_SECONDS, value, report).map(|n| (n, value.span()));
        }
        "checkcount" => {
            to.checkcount = number(value, report);
            report
                .warning(value.span(), "checkcount is deprecated: it only counts pings")
                .hint("failurecount says how many checks must fail");
        }
        "failurecount" => to.failurecount = number_to(MAX_FAILURES, value, report),
        "quiescent" => to.quiescent = yes_no(value, report),
        "cleanstop" => to.cleanstop = yes_no(value, report),
        "fallback" => to.fallback = address::fallback(value, false, report),
        "fallback6" => to.fallback6 = address::fallback(value, true, report),
        name => return alerts::shared(name, value, &mut to.told, report),
    }
    true
}

/// A line of a block.
pub(super) fn member<'t>(statement: &Statement<'t>, draft: &mut Draft<'t>, report: &mut Report) {
    let name = statement.name;
    if !catalogue::is_member(name.text) {
        let made = report.error(name.span(), format!("unknown directive {}", name.text));
        let hint = catalogue::hint_for_member(name.text);
        made.hint(hint.unwrap_or_else(|| UNKNOWN.to_owned()));
        return;
    }
    if !has_value(statement, report) {
        return;
    }
    let value = statement.value();
    if let "real" | "real6" | "fallback" | "fallback6" = name.text
        && draft.address.is_some()
        && name.text.ends_with('6') != draft.ipv6
    {
        let right = format!("{}{}", name.text.trim_end_matches('6'), draft.suffix());
        report
            .error(name.span(), format!("{} does not go with this virtual service", name.text))
            .hint(format!("write {right}"));
        return;
    }
    if shared(name.text, value, &mut draft.shared, report) {
        return;
    }
    match name.text {
        "real" | "real6" => match real::real(value, draft.ipv6, report) {
            Some(real) => draft.reals.push(real),
            None => draft.has_unreadable_real = true,
        },
        "checktype" => draft.checktype = check_type(value, report),
        "service" => draft.service = application(value, report),
        "checkport" => draft.checkport = check_port(value, report),
        "request" => draft.request = quoted(value, report),
        "receive" => draft.receive = quoted(value, report),
        "httpmethod" => match maybe_quoted(value).text.to_ascii_uppercase().as_str() {
            "GET" => draft.head_method = None,
            "HEAD" => draft.head_method = Some(value.span()),
            _ => {
                report.error(value.span(), "httpmethod must be GET or HEAD");
            }
        },
        "virtualhost" => draft.virtualhost = host_header(value, report),
        "login" => draft.login = quoted(value, report),
        "passwd" => draft.passwd = quoted(value, report),
        "database" => draft.database = quoted(value, report),
        "secret" => draft.secret = quoted(value, report),
        "load" => {
            let load = quoted(value, report);
            if load.is_some() {
                report.note(statement.span(), "nobody uses this, nor does ldirectord");
            }
        }
        "checkcommand" => draft.checkcommand = Some(maybe_quoted(value)),
        "scheduler" => draft.scheduler = scheduler(value, report),
        "schedflags" => draft.scheduler_flags = scheduler_flags(value, report),
        "persistent" => draft.persistent = persistent(value, report),
        "netmask" => draft.netmask = Some(value),
        "protocol" => draft.protocol = Some(maybe_quoted(value)),
        "ops" => draft.one_packet = yes_no(value, report).filter(|on| *on).map(|_| value.span()),
        "servicename" => draft.servicename = Some(value).filter(|name| !name.text.is_empty()),
        "comment" => draft.comment = Some(value).filter(|text| !text.text.is_empty()),
        "monitorfile" => draft.monitorfile = Some(maybe_quoted(value)),
        _ => {}
    }
}

/// Nothing is what these may say: no mail, no name. Files made from templates have such lines.
const MAY_BE_EMPTY: [&str; 4] = ["emailalertstatus", "virtualhost", "servicename", "comment"];

/// Whether there is a value to read, and nothing unprintable in it.
fn has_value(statement: &Statement<'_>, report: &mut Report) -> bool {
    let name = statement.name;
    let value = statement.value();
    if value.text.is_empty() && !MAY_BE_EMPTY.contains(&name.text) {
        report
            .error(name.span(), format!("{} has no value", name.text))
            .hint(format!("write {} = VALUE", name.text));
        return false;
    }
    match value.text.char_indices().find(|(_, c)| c.is_control() && *c != '\t') {
        Some((at, c)) => {
            let place = value.part(at..at + c.len_utf8());
            report.error(place.span(), "a control character does not belong here");
            false
        }
        None => true,
    }
}

fn check_type(
    value: Piece<'_>,
    report: &mut Report,
) -> Option<(CheckType, std::ops::Range<usize>)> {
    let kind = match maybe_quoted(value).text {
        "negotiate" => CheckType::Negotiate,
        "connect" => CheckType::Connect,
        "ping" => CheckType::Ping,
        "external" => CheckType::External,
        "external-perl" => CheckType::ExternalPerl,
        "on" => CheckType::On,
        "off" => CheckType::Off,
        // Perl would read any number of digits; 0 connects are a plain negotiate.
        digits if is_digits(digits) && digits.bytes().all(|b| b == b'0') => CheckType::Negotiate,
        digits if is_digits(digits) => match digits.parse() {
            Ok(connects) => CheckType::Combined(connects),
            Err(_) => {
                report.error(value.span(), "at most 65535 connects between two checks");
                return None;
            }
        },
        _ => {
            report.error(value.span(), "unknown checktype").hint(
                "write negotiate, connect, ping, external, external-perl, on, off or a number",
            );
            return None;
        }
    };
    Some((kind, value.span()))
}

/// The folder; ldirectord is in the root folder when it looks.
fn maintenance_dir(value: Piece<'_>, report: &mut Report) -> Option<Arc<PathBuf>> {
    let bare = maybe_quoted(value);
    if bare != value {
        report.warning(value.span(), "ldirectord takes the quotes for part of the folder's name");
    }
    if !bare.text.starts_with('/') {
        report
            .warning(value.span(), format!("taken as /{}", bare.text))
            .hint("write the path from the root");
    }
    Some(Arc::new(Path::new("/").join(bare.text)))
}

fn application(
    value: Piece<'_>,
    report: &mut Report,
) -> Option<(&'static super::draft::Application, std::ops::Range<usize>)> {
    let word = maybe_quoted(value).text;
    let found = APPLICATIONS.iter().find(|application| application.name == word);
    if found.is_none() {
        let names = APPLICATIONS.iter().map(|application| application.name);
        let hint = match nearest(word, names.clone()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("write one of {}", names.collect::<Vec<_>>().join(", ")),
        };
        report.error(value.span(), "unknown service").hint(hint);
    }
    Some((found?, value.span()))
}

/// Of more there would be no service: ipvsadm refuses it to ldirectord.
fn persistent(value: Piece<'_>, report: &mut Report) -> Option<u32> {
    let seconds = number(value, report)?;
    if seconds > Persistence::MAX_TIMEOUT {
        let message = format!("too large: at most {}", Persistence::MAX_TIMEOUT);
        report.error(value.span(), message);
        return None;
    }
    Some(seconds)
}

fn check_port(value: Piece<'_>, report: &mut Report) -> Option<u16> {
    let text = maybe_quoted(value).text;
    let port = text.parse::<u16>().ok().filter(|p| *p != 0 && is_digits(text));
    if port.is_none() {
        report.error(value.span(), "checkport must be a number from 1 to 65535");
    }
    port
}

/// The Host header; blanks in it are left over from something else.
fn host_header<'t>(value: Piece<'t>, report: &mut Report) -> Option<Piece<'t>> {
    let host = maybe_quoted(value);
    if host.text.is_empty() {
        report.warning(value.span(), "an empty virtualhost is no virtualhost");
        return None;
    }
    if host.text.contains([' ', '\t', '"', '/']) {
        report.error(value.span(), "virtualhost must be the name of one host");
        return None;
    }
    Some(host)
}

fn scheduler<'t>(value: Piece<'t>, report: &mut Report) -> Option<Piece<'t>> {
    let value = maybe_quoted(value);
    let lower = value.text.bytes().all(|b| b.is_ascii_lowercase());
    if !lower || value.text.len() > crate::model::KernelName::MAX_LEN {
        report
            .error(value.span(), "a scheduler is at most 15 lower-case letters")
            .hint(format!("write one of {}", SCHEDULERS.join(", ")));
        return None;
    }
    if !SCHEDULERS.contains(&value.text) {
        let made = report.warning(value.span(), "the kernel has no scheduler of this name");
        if let Some(near) = nearest(value.text, SCHEDULERS.iter().copied()) {
            made.hint(format!("did you mean {near}?"));
        }
    }
    Some(value)
}

/// Those of Linux 6.12; a module of one's own may be another.
const SCHEDULERS: &[&str] = &[
    "rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "mh", "sed", "nq", "fo", "ovf", "twos",
];

fn scheduler_flags(value: Piece<'_>, report: &mut Report) -> SchedulerFlags {
    let mut flags = SchedulerFlags::NONE;
    // Quotes are the shell's, which ldirectord hands them to.
    for word in maybe_quoted(value).text.split(',') {
        flags = flags.with(match word {
            "sh-fallback" | "mh-fallback" | "flag-1" => SchedulerFlags::FALLBACK,
            "sh-port" | "mh-port" | "flag-2" => SchedulerFlags::PORT,
            "flag-3" => SchedulerFlags::THIRD,
            _ => {
                report.error(value.span(), "unknown scheduler flag").hint(
                    "write sh-fallback, sh-port, mh-fallback, mh-port, flag-1, flag-2 or flag-3, \
                     joined by commas",
                );
                return SchedulerFlags::NONE;
            }
        });
    }
    flags
}
