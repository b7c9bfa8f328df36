//! Every key of the dialect, once: the parser's ranges and suggestions, the JSON Schema and the
//! manual are all made from these tables.

mod alerts;
mod check;
mod sync;
mod vip;
mod watch;

use std::time::Duration;

use crate::model::{Destination, Persistence, Role};
pub use alerts::*;
pub use check::*;
pub use sync::*;
pub use vip::*;
pub use watch::*;

/// One key of a mapping.
pub struct Key {
    pub name: &'static str,
    /// Other spellings that are taken.
    pub aliases: &'static [&'static str],
    pub kind: Kind,
    /// What holds without it, as it would be written; `None` when nothing does.
    pub default: Option<&'static str>,
    /// A value as it would be written.
    pub example: &'static str,
    /// One line for the manual.
    pub doc: &'static str,
}

/// What a value may be.
pub enum Kind {
    /// Any text, at least one character.
    Text,
    /// `true` or `false`.
    Flag,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number within these bounds.
    Integer(u64, u64),
    /// `500ms`, `10s`, `1m30s`; within these bounds.
    Duration(Duration, Duration),
    /// Seconds, 1 up to this many, as a number or a duration; `true` for the default, `false`
    /// for none.
    Seconds(u32),
    /// A number of bytes within these bounds, also as `64KiB`.
    Size(u64, u64),
    /// `20%`, or the bare number.
    Percent,
    /// `ADDRESS:PORT`.
    Endpoint,
    /// A dotted quad or a prefix length.
    Netmask,
    /// A name of up to 15 letters, digits, `_` and `-`; the usual ones are listed.
    KernelName(&'static [&'static str]),
    /// A list of these words.
    Words(&'static [&'static str]),
    /// Status codes and ranges of them: `204`, `"200-299"`, or a list of both.
    Status,
    /// A list of text.
    Argv,
    /// A mapping with these keys.
    Mapping(&'static Section),
    /// A mapping with these keys, or nothing, or `true`: the thing has no need of them.
    Options(&'static Section),
    /// Nothing, or `true`.
    Nothing,
    /// A line of words, or a mapping with these keys.
    Line(&'static Section),
    /// A list of what the inner kind says.
    List(&'static Kind),
    /// What the inner kind says, or a list of it.
    OneOrMore(&'static Kind),
    /// A list of what the inner kind says, or a mapping with these keys.
    ListOr(&'static Kind, &'static Section),
    /// One of these words, or a mapping with these keys.
    WordOr(&'static [&'static str], &'static Section),
    /// A list of text, or a mapping with these keys.
    ArgvOr(&'static Section),
    /// A line, or a list of lines.
    Lines,
    /// Times of the week and the year in mon's notation; nothing is always.
    Times,
    /// A time in mon's notation, `1.5h`, or a duration; not 0.
    Wait,
    /// A mapping with any keys, and text for values.
    Texts,
}

/// A mapping's keys.
pub struct Section {
    /// What the mapping is, for messages: `a service`.
    pub name: &'static str,
    pub keys: &'static [&'static Key],
    /// Keys of which exactly one is written; or, when not `required`, at most one.
    pub choice: &'static [&'static Key],
    pub required: bool,
    /// Keys that are written, every one.
    pub needs: &'static [&'static Key],
}

impl Key {
    const fn new(name: &'static str, kind: Kind, doc: &'static str) -> Key {
        Key { name, aliases: &[], kind, default: None, example: "", doc }
    }

    const fn default(self, default: &'static str) -> Key {
        Key { default: Some(default), ..self }
    }

    const fn example(self, example: &'static str) -> Key {
        Key { example, ..self }
    }

    const fn aliases(self, aliases: &'static [&'static str]) -> Key {
        Key { aliases, ..self }
    }
}

impl Section {
    const fn new(name: &'static str, keys: &'static [&'static Key]) -> Section {
        Section { name, keys, choice: &[], required: false, needs: &[] }
    }

    const fn one_of(self, choice: &'static [&'static Key]) -> Section {
        Section { choice, required: true, ..self }
    }

    const fn at_most_one_of(self, choice: &'static [&'static Key]) -> Section {
        Section { choice, required: false, ..self }
    }

    const fn needs(self, needs: &'static [&'static Key]) -> Section {
        Section { needs, ..self }
    }

    /// The key of this name or alias.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        let named = |key: &&&'static Key| key.name == name || key.aliases.contains(&name);
        self.keys.iter().find(named).copied()
    }
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

const DAY: Duration = Duration::from_secs(24 * 3600);
const METHODS: &[&str] = &["gate", "masq", "ipip"];

/// Thresholds are compared with a signed counter in the kernel.
const MAX_THRESHOLD: u64 = i32::MAX as u64;

/// What is kept of an answer at most: a check asks for a word, not for a download.
const MAX_BODY: u64 = 16 << 20;

// Keys of a service.

pub static VIRTUAL: Key = Key::new("virtual", Kind::Endpoint, "what clients reach: ADDRESS:PORT, an IPv6 address in brackets; port 0 is every port and needs persistent")
    .example("10.0.0.3:80");
pub static FWMARK: Key = Key::new(
    "fwmark",
    Kind::Integer(1, u32::MAX as u64),
    "in place of virtual: packets with this firewall mark",
)
.example("1");
pub static FAMILY: Key =
    Key::new("family", Kind::Word(&["ipv4", "ipv6"]), "which packets with the firewall mark")
        .default("ipv4")
        .example("ipv6");
pub static NAME: Key =
    Key::new("name", Kind::Text, "what people call the service, in logs and status")
        .example("shop");
pub static PROTOCOL: Key =
    Key::new("protocol", Kind::Word(&["tcp", "udp", "sctp"]), "the transport protocol of virtual")
        .default("tcp")
        .example("udp");
pub static SCHEDULER: Key = Key::new(
    "scheduler",
    Kind::KernelName(SCHEDULERS),
    "how the kernel picks a real server for a new connection",
)
.default("wlc")
.example("wrr");
pub static SCHEDULER_FLAGS: Key = Key::new("scheduler_flags", Kind::Words(&["fallback", "port", "flag-1", "flag-2", "flag-3", "sh-fallback", "sh-port", "mh-fallback", "mh-port"]), "options of the scheduler; with sh and mh, fallback picks another server when the hashed one is out, port hashes the port too")
    .example("[fallback, port]");
pub static ONE_PACKET: Key =
    Key::new("one_packet", Kind::Flag, "schedule each datagram afresh; udp and fwmark only")
        .default("false")
        .example("true");
pub static FORWARD: Key = Key::new(
    "forward",
    Kind::Word(METHODS),
    "how packets reach a real server: gate (direct routing), masq (NAT) or ipip (tunnel)",
)
.default("gate")
.example("masq");
pub static TUNNEL: Key = Key::new(
    "tunnel",
    Kind::Mapping(&TUNNEL_KEYS),
    "what an ipip real server's packets are wrapped in",
)
.example("{type: gue, port: 6080}");
pub static PERSISTENT: Key = Key::new("persistent", Kind::Seconds(Persistence::MAX_TIMEOUT), "a client returns to the same real server for so long, in seconds or as a duration, up to 31 days; true is 300 seconds")
    .default("false").example("5m");
pub static NETMASK: Key = Key::new("netmask", Kind::Netmask, "which client addresses count as one client: a dotted quad or a prefix length; every address alone when not given")
    .example("255.255.255.0");
pub static ENGINE: Key = Key::new(
    "engine",
    Kind::KernelName(&["sip"]),
    "the persistence engine, which tells clients apart by more than their address",
)
.aliases(&["pe"])
.example("sip");
pub static WEIGHT: Key = Key::new(
    "weight",
    Kind::Integer(0, Destination::MAX_WEIGHT as u64),
    "share of new connections; 0 takes none",
)
.default("1")
.example("5");
pub static UPPER: Key = Key::new(
    "upper",
    Kind::Integer(0, MAX_THRESHOLD),
    "no new connections at this many connections; 0 is no limit",
)
.default("0")
.example("1000");
pub static LOWER: Key = Key::new(
    "lower",
    Kind::Integer(0, MAX_THRESHOLD),
    "after upper was reached, new connections again below this many; 0 is three quarters of upper",
)
.default("0")
.example("800");
pub static FALLBACK: Key = Key::new(
    "fallback",
    Kind::Line(&FALLBACK_KEYS),
    "takes over while no real server is up: ADDRESS[:PORT] [gate|masq|ipip]",
)
.example("127.0.0.1:80");
pub static REAL: Key = Key::new("real", Kind::List(&Kind::Line(&REAL_KEYS)), "the real servers: ADDRESS[:PORT] [gate|masq|ipip] [weight=N] [upper=N] [lower=N] [maintenance], or a mapping")
    .example("[\"192.168.0.1:80 weight=5\"]");
pub static CHECK: Key = Key::new("check", Kind::WordOr(BARE_CHECKS, &CHECK_KEYS), "how real servers are checked; when not given connect, and ping for udp, sctp and where there is no port")
    .example("{http: {request: /.testpage, receive: \"test page\"}, interval: 10s}");
pub static ON_FAILURE: Key = Key::new(
    "on_failure",
    Kind::Word(&["remove", "quiesce", "remove-without-reset"]),
    "a failed real server is removed and its connections are reset (by the sysctl \
     expire_nodest_conn), or kept with weight 0 so that they run on, or removed with its \
     connections left to the sysctl as it is",
)
.default("remove")
.example("quiesce");
pub static ON_STOP: Key = Key::new(
    "on_stop",
    Kind::Word(&["remove", "keep"]),
    "what becomes of the service in the kernel when the daemon stops",
)
.default("remove")
.example("keep");
pub static MAINTENANCE_DIR: Key = Key::new("maintenance_dir", Kind::Text, "a folder in which a file's name takes real servers out until it is gone: ADDRESS, ADDRESS:PORT, HOST or HOST:PORT")
    .example("/etc/directord/maintenance");

pub static PARTIAL: Key = Key::new(
    "partial",
    Kind::Flag,
    "only who of the named servers is in and who is out is kept: the service's settings, and rows \
     of servers that are not named, are as they are found",
)
.default("false")
.example("true");

/// The schedulers of Linux 6.
pub const SCHEDULERS: &[&str] = &[
    "rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "mh", "sed", "nq", "fo", "ovf", "twos",
];

// Keys of a real server and of a fallback server that a service has not.

pub static ADDRESS: Key =
    Key::new("address", Kind::Endpoint, "the real server: ADDRESS or ADDRESS:PORT")
        .example("192.168.0.1:80");
pub static PORT: Key = Key::new(
    "port",
    Kind::Integer(0, 65_535),
    "its port, when not written with the address; the service's port when not given",
)
.example("8080");
pub static MAINTENANCE: Key = Key::new(
    "maintenance",
    Kind::Flag,
    "takes no new connections whatever its check says; those it has run on",
)
.default("false")
.example("true");

// Keys of a tunnel.

pub static TUNNEL_TYPE: Key = Key::new(
    "type",
    Kind::Word(&["ipip", "gue", "gre"]),
    "plain IP in IP, generic UDP encapsulation, or GRE",
)
.default("ipip")
.example("gue");
pub static TUNNEL_PORT: Key =
    Key::new("port", Kind::Integer(1, 65_535), "the UDP port; gue only, and needed there")
        .example("6080");
pub static TUNNEL_CHECKSUM: Key = Key::new(
    "checksum",
    Kind::Word(&["none", "csum", "remcsum"]),
    "csum with gue and gre, remcsum (remote checksum offload) with gue",
)
.default("none")
.example("csum");

// Keys of global.yaml.

pub static REMOVE_LIMIT: Key = Key::new("remove_limit", Kind::Percent, "a reload that would remove more than this share of the services waits for \"directord reload --confirm\"; 100% never waits")
    .default("20%").example("50%");
pub static SYSCTL: Key = Key::new(
    "sysctl",
    Kind::Word(&["set", "warn"]),
    "set the kernel's settings the director relies on, or only say when they are not as needed",
)
.default("set")
.example("warn");
pub static ROLE: Key = Key::new(
    "role",
    Kind::Word(&Role::WORDS),
    "how the daemon starts where neither --role nor \"directord role\" has said: active keeps the \
     kernel's table, standby checks the real servers and writes nothing",
)
.default("active")
.example("standby");
pub static LOCAL_ERROR_HOLD: Key = Key::new("local_error_hold", Kind::Duration(Duration::ZERO, DAY), "how long a verdict holds while the director itself cannot ask, for want of a route or a file descriptor")
    .default("1m").example("30s");
pub static DEFAULTS: Key = Key::new(
    "defaults",
    Kind::Mapping(&DEFAULT_KEYS),
    "what holds for the services of this folder's YAML files that do not say otherwise",
)
.example("{scheduler: wrr, check: {interval: 2s}}");
pub static DEFAULT_CHECK: Key = Key::new(
    "check",
    Kind::WordOr(BARE_CHECKS, &DEFAULT_CHECK_KEYS),
    "how real servers are checked, or only how often",
)
.example("{interval: 2s, timeout: 1s}");

pub static SERVICE: Section = Section::new(
    "a service",
    &[
        &VIRTUAL,
        &FWMARK,
        &FAMILY,
        &NAME,
        &PROTOCOL,
        &SCHEDULER,
        &SCHEDULER_FLAGS,
        &ONE_PACKET,
        &FORWARD,
        &TUNNEL,
        &PERSISTENT,
        &NETMASK,
        &ENGINE,
        &WEIGHT,
        &UPPER,
        &LOWER,
        &REAL,
        &FALLBACK,
        &CHECK,
        &ON_FAILURE,
        &ON_STOP,
        &MAINTENANCE_DIR,
        &VIP,
        &PARTIAL,
        &ALERTS,
    ],
)
.one_of(&[&VIRTUAL, &FWMARK]);
pub static REAL_KEYS: Section = Section::new(
    "a real server",
    &[&ADDRESS, &PORT, &FORWARD, &TUNNEL, &WEIGHT, &UPPER, &LOWER, &MAINTENANCE, &CHECK, &DECIDES],
)
.needs(&[&ADDRESS])
.at_most_one_of(&[&CHECK, &DECIDES]);
pub static FALLBACK_KEYS: Section =
    Section::new("a fallback server", &[&ADDRESS, &PORT, &FORWARD, &TUNNEL]).needs(&[&ADDRESS]);
pub static TUNNEL_KEYS: Section =
    Section::new("a tunnel", &[&TUNNEL_TYPE, &TUNNEL_PORT, &TUNNEL_CHECKSUM]);
pub static GLOBAL: Section = Section::new(
    "global.yaml",
    &[
        &REMOVE_LIMIT,
        &SYSCTL,
        &ROLE,
        &SYNC,
        &LOCAL_ERROR_HOLD,
        &ALERT_DIR,
        &MONITOR_DIR,
        &WATCHING,
        &DEFAULTS,
        // The defaults again, for who writes them without a heading.
        &SCHEDULER,
        &SCHEDULER_FLAGS,
        &FORWARD,
        &TUNNEL,
        &PERSISTENT,
        &NETMASK,
        &WEIGHT,
        &UPPER,
        &LOWER,
        &DEFAULT_CHECK,
        &ON_FAILURE,
        &ON_STOP,
        &MAINTENANCE_DIR,
        &VIP,
        &DEFAULT_ALERTS,
    ],
);
pub static DEFAULT_KEYS: Section = Section::new(
    "defaults",
    &[
        &SCHEDULER,
        &SCHEDULER_FLAGS,
        &FORWARD,
        &TUNNEL,
        &PERSISTENT,
        &NETMASK,
        &WEIGHT,
        &UPPER,
        &LOWER,
        &DEFAULT_CHECK,
        &ON_FAILURE,
        &ON_STOP,
        &MAINTENANCE_DIR,
        &VIP,
        &DEFAULT_ALERTS,
    ],
);

/// Every section, for what is made of the whole catalogue.
pub static SECTIONS: &[&Section] = &[
    &SERVICE,
    &REAL_KEYS,
    &FALLBACK_KEYS,
    &TUNNEL_KEYS,
    &VIP_KEYS,
    &ANNOUNCE_KEYS,
    &CHECK_KEYS,
    &DEFAULT_CHECK_KEYS,
    &PING_KEYS,
    &HTTP_KEYS,
    &HTTPS_KEYS,
    &FTP_KEYS,
    &MAILBOX_KEYS,
    &MAILBOX_TLS_KEYS,
    &SIP_KEYS,
    &TCP_KEYS,
    &DNS_KEYS,
    &RADIUS_KEYS,
    &LDAP_KEYS,
    &LDAPS_KEYS,
    &SQL_KEYS,
    &EXTERNAL_KEYS,
    &ALERTS_KEYS,
    &PERIOD_KEYS,
    &WATCH_KEYS,
    &WATCHED_KEYS,
    &DECIDES_KEYS,
    &WATCHING_KEYS,
    &COLLAPSE_KEYS,
    &SYNC_KEYS,
    &GLOBAL,
    &DEFAULT_KEYS,
];
