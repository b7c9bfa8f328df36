//! Services written in the native dialect.
//!
//! A service becomes [`Row`]s, one key each, that know what they are about, so that an owner's
//! remarks can be put where they belong. Whatever a `global.yaml` usually sets is written out: the
//! text means the same in every folder.

mod alerts;
mod check;
mod text;
mod vip;

#[cfg(test)]
mod tests;

use std::fmt::Write;
use std::net::IpAddr;

use crate::model::{
    Destination, FailureAction, Family, ForwardingMethod, Netmask, Protocol, RealServer,
    SchedulerFlags, ServiceKey, StopAction, Tunnel, TunnelKind, VirtualService,
};

pub(in crate::config) use alerts::{line, period, time};
use check::Common;

/// One line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::config) struct Row {
    pub(in crate::config) topic: Topic,
    /// How far it is indented, in steps of two blanks.
    depth: usize,
    text: String,
}

/// What a row, or a remark, is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::config) enum Topic {
    /// A key of the service.
    Service(&'static str),
    /// A real server, by its place.
    Server(usize),
    /// A key of the check; `check` itself is the kind of check.
    Check(&'static str),
}

/// How the owner spells the hosts of a service; its address where there is no name.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(in crate::config) struct Spelling {
    pub(in crate::config) service: Option<String>,
    /// By the place of the real server; may be shorter.
    pub(in crate::config) servers: Vec<Option<String>>,
    pub(in crate::config) fallback: Option<String>,
}

/// What the owner remarked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::config) struct Remark {
    pub(in crate::config) topic: Topic,
    /// With its `#`.
    pub(in crate::config) text: String,
    /// Whether it stood at the end of its line.
    pub(in crate::config) beside: bool,
}

/// The text of a service, each remark at the row it is about, or above all rows if there is none; as
/// an item of a list, or alone.
pub(in crate::config) fn text(
    service: &VirtualService,
    spelling: &Spelling,
    remarks: &[Remark],
    item: bool,
) -> String {
    let rows = rows(service, spelling);
    let place = |topic: Topic| {
        let at = |topic| rows.iter().position(|row| row.topic == topic);
        let kind = matches!(topic, Topic::Check(_)).then_some(Topic::Check("check"));
        at(topic).or(kind.and_then(at)).unwrap_or(0)
    };
    let mut above = vec![Vec::new(); rows.len()];
    let mut beside = vec![None; rows.len()];
    for remark in remarks {
        let at = place(remark.topic);
        match beside[at].is_none() && remark.beside && rows[at].topic == remark.topic {
            true => beside[at] = Some(comment(&remark.text)),
            false => above[at].push(comment(&remark.text)),
        }
    }
    let mut out = String::new();
    for (at, row) in rows.iter().enumerate() {
        // The first row carries the list's dash, and what is above it stands before that.
        let outer = if item && at > 0 { "  " } else { "" };
        let indent = format!("{outer}{}", "  ".repeat(row.depth));
        above[at].iter().for_each(|line| out.push_str(&format!("{indent}{line}\n")));
        let dash = if item && at == 0 { "- " } else { "" };
        out.push_str(&format!("{indent}{dash}{}", row.text));
        if let Some(remark) = &beside[at] {
            out.push_str(&format!("  {remark}"));
        }
        out.push('\n');
    }
    out
}

/// Any text as a value on one line.
pub(in crate::config) fn scalar(value: &str) -> String {
    text::text(value)
}

/// A comment as YAML takes it.
pub(in crate::config) fn comment(text: &str) -> String {
    let clean = |c: char| if text::is_printable(c) { c } else { ' ' };
    text.chars().map(clean).collect::<String>().trim_end().to_owned()
}

fn rows(service: &VirtualService, spelling: &Spelling) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut add = |key: &'static str, value: &str| {
        let text = format!("{key}: {value}");
        rows.push(Row { topic: Topic::Service(key), depth: 0, text });
    };
    identity(service, spelling, &mut add);
    settings(service, &mut add);
    let methods = || service.servers.iter().map(|server| server.destination.forward);
    let method = methods().next().filter(|first| methods().all(|method| method == *first));
    if let Some(method) = method {
        add("forward", &method.to_string());
    }
    let common = Common::of(&service.servers);
    if !service.servers.is_empty() {
        rows.push(Row { topic: Topic::Service("real"), depth: 0, text: "real:".into() });
    }
    for (at, server) in service.servers.iter().enumerate() {
        let host = spelling.servers.get(at).and_then(Option::as_deref);
        real(at, server, host, method, &common, &mut rows);
    }
    if let Some(common) = &common {
        rows.extend(common.rows());
    }
    let mut add = |key: &'static str, value: &str| {
        let text = format!("{key}: {value}");
        rows.push(Row { topic: Topic::Service(key), depth: 0, text });
    };
    if let Some(fallback) = service.fallback {
        let host = spelling.fallback.as_deref();
        let mut line = endpoint(fallback.endpoint.address, fallback.endpoint.port, host);
        let forward = fallback.destination.forward;
        match fallback.destination.tunnel == Tunnel::default() {
            true => {
                let _ = write!(line, " {forward}");
                add("fallback", &text::address(&line));
            }
            false => {
                let address = text::address(&line);
                let tunnel = tunnel(fallback.destination.tunnel);
                let value = format!("{{address: {address}, forward: {forward}, tunnel: {tunnel}}}");
                add("fallback", &value);
            }
        }
    }
    add("on_failure", on_failure(service.on_failure));
    add("on_stop", on_stop(service.on_stop));
    if let Some(folder) = &service.maintenance_dir {
        add("maintenance_dir", &text::text(&folder.to_string_lossy()));
    }
    if !service.vips.is_empty() {
        add("vip", &vip::vips(&service.vips, &service.key));
    }
    rows
}

/// What makes it this service, and what people call it.
fn identity(
    service: &VirtualService,
    spelling: &Spelling,
    add: &mut impl FnMut(&'static str, &str),
) {
    match service.key {
        ServiceKey::Address { address, port, protocol } => {
            let host = spelling.service.as_deref();
            // The port belongs to it even when it is 0.
            let line = match (host, address) {
                (Some(host), _) => format!("{host}:{port}"),
                (None, IpAddr::V4(address)) => format!("{address}:{port}"),
                (None, IpAddr::V6(address)) => format!("[{address}]:{port}"),
            };
            add("virtual", &text::address(&line));
            if protocol != Protocol::Tcp {
                add("protocol", protocol.name());
            }
        }
        ServiceKey::Fwmark { mark, family } => {
            add("fwmark", &mark.to_string());
            if family == Family::Ipv6 {
                add("family", "ipv6");
            }
        }
    }
    if let Some(name) = &service.name {
        add("name", &text::text(name));
    }
}

fn settings(service: &VirtualService, add: &mut impl FnMut(&'static str, &str)) {
    let settings = &service.settings;
    add("scheduler", settings.scheduler.as_str());
    let flags = [
        (SchedulerFlags::FALLBACK, "fallback"),
        (SchedulerFlags::PORT, "port"),
        (SchedulerFlags::THIRD, "flag-3"),
    ];
    let set = flags.into_iter().filter(|(flag, _)| settings.scheduler_flags.contains(*flag));
    if settings.scheduler_flags != SchedulerFlags::NONE {
        add("scheduler_flags", &text::list(set.map(|(_, word)| word)));
    }
    if settings.one_packet {
        add("one_packet", "true");
    }
    if let Some(persistence) = settings.persistence {
        add("persistent", &persistence.timeout.to_string());
        if persistence.netmask != Netmask::host(service.key.family()) {
            add("netmask", &persistence.netmask.to_string());
        }
    }
    if let Some(engine) = settings.engine {
        add("engine", engine.as_str());
    }
}

/// A real server: one line of words, or a mapping where it has a check or a tunnel of its own.
fn real(
    at: usize,
    server: &RealServer,
    host: Option<&str>,
    method: Option<ForwardingMethod>,
    common: &Option<Common>,
    rows: &mut Vec<Row>,
) {
    let topic = Topic::Server(at);
    let port = check::written_port(server);
    let address = endpoint(server.endpoint.address, port, host);
    let Destination { forward, tunnel: wrapped, weight, upper, lower } = server.destination;
    let own = common.as_ref().map(|common| common.differing(server, port, topic));
    let own = own.unwrap_or_default();
    let mut row = |depth, text| rows.push(Row { topic, depth, text });
    if own.is_empty() && wrapped == Tunnel::default() {
        let mut line = address;
        if method.is_none() {
            let _ = write!(line, " {forward}");
        }
        for (name, number, usual) in
            [("weight", weight, 1), ("upper", upper, 0), ("lower", lower, 0)]
        {
            if number != usual {
                let _ = write!(line, " {name}={number}");
            }
        }
        if server.maintenance {
            line.push_str(" maintenance");
        }
        return row(1, format!("- {}", text::address(&line)));
    }
    row(1, format!("- address: {}", text::address(&address)));
    if method.is_none() {
        row(2, format!("forward: {forward}"));
    }
    if wrapped != Tunnel::default() {
        row(2, format!("tunnel: {}", tunnel(wrapped)));
    }
    for (name, number, usual) in [("weight", weight, 1), ("upper", upper, 0), ("lower", lower, 0)] {
        if number != usual {
            row(2, format!("{name}: {number}"));
        }
    }
    if server.maintenance {
        row(2, "maintenance: true".into());
    }
    rows.extend(own);
}

/// `ADDRESS:PORT`, or the address alone where there is no port.
fn endpoint(address: IpAddr, port: u16, host: Option<&str>) -> String {
    let host = match (host, address) {
        (Some(host), _) => host.to_owned(),
        (None, IpAddr::V4(address)) => address.to_string(),
        (None, IpAddr::V6(address)) => format!("[{address}]"),
    };
    match port {
        0 => host,
        _ => format!("{host}:{port}"),
    }
}

fn tunnel(tunnel: Tunnel) -> String {
    let kind = match tunnel.kind {
        TunnelKind::Gue => format!("type: gue, port: {}", tunnel.port),
        TunnelKind::Gre => "type: gre".to_owned(),
        // No configuration makes the others.
        TunnelKind::Ipip | TunnelKind::Other(_) => "type: ipip".to_owned(),
    };
    let sum = match tunnel.flags {
        Tunnel::CHECKSUM => ", checksum: csum",
        Tunnel::REMOTE_CHECKSUM => ", checksum: remcsum",
        _ => "",
    };
    format!("{{{kind}{sum}}}")
}

fn on_failure(action: FailureAction) -> &'static str {
    match action {
        FailureAction::Reset => "remove",
        FailureAction::Remove => "remove-without-reset",
        FailureAction::Quiesce => "quiesce",
    }
}

fn on_stop(action: StopAction) -> &'static str {
    match action {
        StopAction::Remove => "remove",
        StopAction::Keep => "keep",
    }
}
