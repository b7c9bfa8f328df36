//! One service, from its keys to a [`VirtualService`].

use std::ops::Range;
use std::sync::Arc;

use super::address;
use super::alerts::{self, Told};
use super::catalogue as keys;
use super::check::CheckDraft;
use super::global::Defaults;
use super::scalar::{self, Mask};
use super::server::Frame;
use super::tree::{Node, Value};
use super::walk::{Entry, Fields, Walk};
use crate::config::Declared;
use crate::config::diagnostic::quoted;
use crate::model::{
    ByHand, FailureAction, Family, ForwardingMethod, KernelName, Netmask, Persistence, Probe,
    Protocol, RealServer, SchedulerFlags, ServiceKey, ServiceSettings, StopAction, VirtualService,
};

/// `persistent: true`, in seconds; ipvsadm's and ldirectord's default.
const USUAL_PERSISTENCE: u32 = 300;

/// The `mh` scheduler's table has 4093 entries by default (CONFIG_IP_VS_MH_TAB_INDEX 12): more
/// destinations have no place in it.
const MOST_FOR_MH: usize = 4093;

impl<'a> Walk<'a> {
    /// `None` after a mistake that leaves no service; other mistakes are reported just so.
    pub(super) fn service(&mut self, node: &'a Node<'a>, defaults: &Defaults) -> Option<Declared> {
        let fields = self.fields(node, &keys::SERVICE)?;
        let protocol = self.protocol(&fields);
        let key = self.key(&fields, protocol);
        let settings = self.settings(&fields, key, protocol, defaults);
        let check = fields.entry(&keys::CHECK).map(|e| self.check(e)).unwrap_or_default();
        let frame = self.frame(&fields, key, protocol, &check, defaults);
        let servers =
            fields.entry(&keys::REAL).map(|e| self.servers(e, &frame)).unwrap_or_default();
        let fallback = fields.entry(&keys::FALLBACK).and_then(|e| self.fallback(e, &frame));
        let on_failure = fields.entry(&keys::ON_FAILURE).and_then(|e| self.on_failure(e));
        let on_stop = fields.entry(&keys::ON_STOP).and_then(|e| self.on_stop(e));
        let maintenance_dir =
            fields.entry(&keys::MAINTENANCE_DIR).and_then(|e| self.maintenance_dir(e));
        let name = fields.entry(&keys::NAME).and_then(|e| self.service_name(e));
        let folders = alerts::folders(defaults.alert_dir.as_ref(), alerts::ALERTS);
        let told = Told { folders: &folders, by_checks: true };
        let alerts = fields
            .entry(&keys::ALERTS)
            .map(|e| self.alerts_of(e, &servers, defaults.alerts.as_deref(), told));
        let partial = fields.entry(&keys::PARTIAL).and_then(|e| self.flag(e));
        let vips = match fields.entry(&keys::VIP) {
            Some(entry) => {
                let drafts = self.vips(entry);
                self.vips_of(&drafts, key, true)
            }
            None => self.vips_of(&defaults.vips, key, false),
        };
        self.remarks(&fields, &settings, &servers);
        if let (Some(fallback), Some(entry)) = (fallback, fields.entry(&keys::FALLBACK))
            && servers.iter().any(|server| server.endpoint == fallback.endpoint)
        {
            let message = format!("fallback {} is a real server too", fallback.endpoint);
            self.findings.warning(entry.span(), message, "a fallback server is one apart");
        }
        let place =
            [&keys::VIRTUAL, &keys::FWMARK].into_iter().find_map(|key| fields.entry(key))?;
        let service = VirtualService {
            key: key?,
            name,
            settings,
            servers,
            fallback,
            on_failure: on_failure.or(defaults.on_failure).unwrap_or(FailureAction::Reset),
            on_stop: on_stop.or(defaults.on_stop).unwrap_or(StopAction::Remove),
            by_hand: ByHand::Repair,
            tells_rows: false,
            is_partial: partial == Some(true),
            maintenance_dir: maintenance_dir.or_else(|| defaults.maintenance_dir.clone()),
            vips,
        };
        let place = self.findings.place(place.span().clone());
        let vip = fields.entry(&keys::VIP).map(|e| self.findings.place(e.span().clone()));
        let watch = alerts.as_ref().or(defaults.alerts.as_deref()).and_then(|a| a.watch(&service));
        Some(Declared { service: Arc::new(service), place, vip, alerts: None, watch })
    }

    /// The protocol of an address; `None` for a firewall mark, which takes packets of any.
    fn protocol(&mut self, fields: &Fields<'a>) -> Option<Protocol> {
        let entry = fields.entry(&keys::PROTOCOL);
        let protocol = entry.and_then(|e| self.word(e)).and_then(Protocol::from_name);
        if !fields.has(&keys::FWMARK) {
            return Some(protocol.unwrap_or(Protocol::Tcp));
        }
        if let Some(entry) = entry {
            let message = "protocol has no effect with fwmark: the mark says which packets";
            self.findings.warning(&entry.key_span, message, "leave it out");
        }
        None
    }

    fn key(&mut self, fields: &Fields<'a>, protocol: Option<Protocol>) -> Option<ServiceKey> {
        let family = fields.entry(&keys::FAMILY);
        let given = family.and_then(|e| self.word(e));
        if let (Some(entry), true) = (family, fields.has(&keys::VIRTUAL)) {
            self.refuse::<()>(entry, "goes with fwmark only", "the address tells the family");
        }
        let address = fields.entry(&keys::VIRTUAL).map(|e| self.address_key(e, protocol));
        let Some(entry) = fields.entry(&keys::FWMARK) else { return address? };
        let family = if given == Some("ipv6") { Family::Ipv6 } else { Family::Ipv4 };
        let mark = self.integer(entry)?;
        // With a second identity beside it, neither is believed.
        address.is_none().then_some(ServiceKey::Fwmark { mark, family })
    }

    fn address_key(&mut self, entry: &Entry<'a>, protocol: Option<Protocol>) -> Option<ServiceKey> {
        let text = self.scalar(entry)?;
        let written = match address::parse(text) {
            Ok(written) => written,
            Err(wrong) => {
                self.findings.error(entry.span(), wrong.message, wrong.hint);
                return None;
            }
        };
        let address = self.host(written.host, None, entry.span());
        let Some(port) = written.port else {
            let hint = format!("write {text}:80; port 0, with persistent, is every port");
            return self.refuse(entry, "needs a port", hint);
        };
        let port = self.port(port, protocol, entry.span())?;
        Some(ServiceKey::Address { protocol: protocol?, address: address?, port })
    }

    fn settings(
        &mut self,
        fields: &Fields<'a>,
        key: Option<ServiceKey>,
        protocol: Option<Protocol>,
        defaults: &Defaults,
    ) -> ServiceSettings {
        let written = fields.entry(&keys::SCHEDULER).and_then(|e| self.kernel_name(e));
        let mut settings =
            ServiceSettings::plain(written.or(defaults.scheduler).unwrap_or(KernelName::WLC));
        settings.scheduler_flags = match fields.entry(&keys::SCHEDULER_FLAGS) {
            Some(entry) => self.scheduler_flags(entry, Some(settings.scheduler)),
            // Flags belong to the scheduler they were written beside.
            None if written.is_none() => defaults.scheduler_flags,
            None => SchedulerFlags::NONE,
        };
        settings.one_packet = self.one_packet(fields, protocol);
        settings.engine = fields.entry(&keys::ENGINE).and_then(|e| self.kernel_name(e));
        settings.persistence = self.persistence(fields, key, defaults);
        settings
    }

    fn one_packet(&mut self, fields: &Fields<'a>, protocol: Option<Protocol>) -> bool {
        let Some(entry) = fields.entry(&keys::ONE_PACKET) else { return false };
        let wanted = self.flag(entry) == Some(true);
        if wanted && matches!(protocol, Some(Protocol::Tcp | Protocol::Sctp)) {
            self.refuse::<()>(entry, "goes with udp and fwmark only", "write protocol: udp");
        }
        wanted
    }

    fn persistence(
        &mut self,
        fields: &Fields<'a>,
        key: Option<ServiceKey>,
        defaults: &Defaults,
    ) -> Option<Persistence> {
        let persistent = fields.entry(&keys::PERSISTENT);
        let seconds = match persistent {
            Some(entry) => self.persistent(entry),
            None => defaults.persistent,
        };
        let netmask = fields.entry(&keys::NETMASK);
        let mask = netmask.and_then(|e| Some((e, self.netmask(e)?)));
        let off = persistent.is_none() || seconds == Some(0);
        let timeout = match seconds {
            Some(timeout) if timeout > 0 => timeout,
            _ => {
                if let Some(entry) = netmask.filter(|_| off) {
                    self.refuse::<()>(
                        entry,
                        "needs persistence",
                        "write persistent: 300 beside it",
                    );
                }
                if let Some(ServiceKey::Address { port: 0, .. }) = key
                    && let Some(entry) = fields.entry(&keys::VIRTUAL).filter(|_| off)
                {
                    let hint = "write persistent: 300 beside it, or name a port";
                    self.refuse::<()>(entry, "with port 0 (every port) needs persistence", hint);
                }
                return None;
            }
        };
        let family = key?.family();
        let netmask = match mask {
            Some((entry, mask)) => match fit(mask, family) {
                Some(netmask) => netmask,
                None => {
                    let hint = match family {
                        Family::Ipv4 => "write a dotted quad, or a prefix length from 1 to 32",
                        Family::Ipv6 => "write a prefix length from 1 to 128",
                    };
                    return self.refuse(entry, "does not fit the service's family", hint);
                }
            },
            // A default cannot fit services of both families; where it does not, it is not meant.
            None => defaults
                .netmask
                .and_then(|mask| fit(mask, family))
                .unwrap_or_else(|| Netmask::host(family)),
        };
        Some(Persistence { timeout, netmask })
    }

    /// Seconds; 0 for none.
    pub(super) fn persistent(&mut self, entry: &Entry<'a>) -> Option<u32> {
        let text = self.scalar(entry)?;
        let seconds = match text {
            "true" | "True" | "TRUE" => return Some(USUAL_PERSISTENCE),
            "false" | "False" | "FALSE" => return Some(0),
            _ => match (scalar::integer(text), scalar::duration(text)) {
                (Some(seconds), _) => seconds,
                (None, Some(duration)) if duration.subsec_nanos() == 0 => duration.as_secs(),
                _ => {
                    let message = format!("is a number of seconds, not {}", quoted(text));
                    return self.refuse(entry, message, "write for example 300, 5m or true");
                }
            },
        };
        match u32::try_from(seconds) {
            Ok(seconds @ 1..=Persistence::MAX_TIMEOUT) => Some(seconds),
            _ => {
                let hint = "from 1 second to 31 days; write false for none";
                self.refuse(entry, format!("cannot be {}", quoted(text)), hint)
            }
        }
    }

    pub(super) fn netmask(&mut self, entry: &Entry<'a>) -> Option<Mask> {
        let text = self.scalar(entry)?;
        let mask = scalar::netmask(text);
        if mask.is_none() {
            let message = format!("cannot be {}", quoted(text));
            let hint = "write a dotted quad without holes, like 255.255.255.0, or a prefix length";
            return self.refuse(entry, message, hint);
        }
        mask
    }

    /// A list of flags, or ipvsadm's words with commas between.
    pub(super) fn scheduler_flags(
        &mut self,
        entry: &Entry<'a>,
        scheduler: Option<KernelName>,
    ) -> SchedulerFlags {
        let mut words: Vec<(&'a str, Range<usize>)> = Vec::new();
        match &entry.value.value {
            Value::List(items) => {
                for item in items {
                    let entry = entry.item(self.node(*item));
                    words.extend(self.scalar(&entry).map(|text| (text, entry.span().clone())));
                }
            }
            _ => {
                let text = self.scalar(entry).unwrap_or_default();
                words.extend(text.split(',').map(|word| (word.trim(), entry.span().clone())));
                words.retain(|(word, _)| !word.is_empty());
            }
        }
        let mut flags = SchedulerFlags::NONE;
        for (word, place) in words {
            flags = flags.with(self.scheduler_flag(entry, word, &place, scheduler));
        }
        flags
    }

    fn scheduler_flag(
        &mut self,
        entry: &Entry<'a>,
        word: &str,
        place: &Range<usize>,
        scheduler: Option<KernelName>,
    ) -> SchedulerFlags {
        if let (Some((of @ ("sh" | "mh"), _)), Some(scheduler)) = (word.split_once('-'), scheduler)
            && scheduler.as_str() != of
        {
            let message = format!("{} goes with scheduler {of}, not {scheduler}", quoted(word));
            self.findings.error(place, message, format!("write scheduler: {of}"));
        }
        match word {
            "fallback" | "sh-fallback" | "mh-fallback" | "flag-1" => SchedulerFlags::FALLBACK,
            "port" | "sh-port" | "mh-port" | "flag-2" => SchedulerFlags::PORT,
            "flag-3" => SchedulerFlags::THIRD,
            _ => {
                let words = match entry.key.kind {
                    keys::Kind::Words(words) => words,
                    _ => &[],
                };
                let message = format!("unknown scheduler flag {}", quoted(word));
                self.findings.error(place, message, super::suggest::word(words, word));
                SchedulerFlags::NONE
            }
        }
    }

    pub(super) fn on_failure(&mut self, entry: &Entry<'a>) -> Option<FailureAction> {
        self.word(entry).map(|word| match word {
            "quiesce" => FailureAction::Quiesce,
            "remove-without-reset" => FailureAction::Remove,
            _ => FailureAction::Reset,
        })
    }

    pub(super) fn on_stop(&mut self, entry: &Entry<'a>) -> Option<StopAction> {
        self.word(entry).map(|word| match word {
            "keep" => StopAction::Keep,
            _ => StopAction::Remove,
        })
    }

    fn service_name(&mut self, entry: &Entry<'a>) -> Option<String> {
        const LONGEST: usize = 128;
        let name = self.line(entry)?;
        if name.len() > LONGEST {
            return self.refuse(entry, format!("is longer than {LONGEST} bytes"), "");
        }
        Some(name.to_owned())
    }

    fn frame<'f>(
        &mut self,
        fields: &Fields<'a>,
        key: Option<ServiceKey>,
        protocol: Option<Protocol>,
        check: &'f CheckDraft,
        defaults: &'f Defaults,
    ) -> Frame<'f> {
        let number = |walk: &mut Self, key| fields.entry(key).and_then(|e| walk.integer(e));
        let forward = fields.entry(&keys::FORWARD).and_then(|e| self.method_of(e));
        let tunnel = fields.entry(&keys::TUNNEL).and_then(|e| self.tunnel(e));
        let frame = Frame {
            key,
            protocol,
            forward: forward.or(defaults.forward).unwrap_or(ForwardingMethod::Gate),
            tunnel: tunnel.or(defaults.tunnel).unwrap_or_default(),
            weight: number(self, &keys::WEIGHT).or(defaults.weight).unwrap_or(1),
            upper: number(self, &keys::UPPER).or(defaults.upper).unwrap_or(0),
            lower: number(self, &keys::LOWER).or(defaults.lower).unwrap_or(0),
            check,
            default_check: &defaults.check,
            syncs: defaults.syncs,
        };
        let written = [&keys::LOWER, &keys::UPPER].into_iter().find_map(|key| fields.entry(key));
        if let Some(entry) = written.filter(|_| frame.lower > frame.upper) {
            self.thresholds(entry.span(), frame.upper, frame.lower);
        }
        frame
    }

    /// What is allowed, and probably not meant; and what only the whole service can tell.
    fn remarks(&mut self, fields: &Fields<'a>, settings: &ServiceSettings, servers: &[RealServer]) {
        let real = fields.entry(&keys::REAL);
        if let Some(entry) = real.filter(|_| settings.scheduler.as_str() == "mh")
            && servers.len() > MOST_FOR_MH
        {
            let message = format!("scheduler mh has room for {MOST_FOR_MH} real servers");
            self.findings.error(&entry.key_span, message, "choose another scheduler");
        }
        let none_written = match real.map(|entry| &entry.value.value) {
            None => !self.tree.is_unfinished(fields.node),
            Some(Value::List(items)) => items.is_empty(),
            Some(_) => false,
        };
        if none_written {
            let place = super::walk::head(fields.node, self.text);
            let hint = super::walk::example(&keys::REAL);
            self.findings.warning(&place, "this service has no real server", hint);
        }
        if settings.strands_clients() && servers.len() > 1 {
            let here = fields.entry(&keys::SCHEDULER).map(|entry| entry.span().clone());
            let place = here.unwrap_or_else(|| super::walk::head(fields.node, self.text));
            let scheduler = settings.scheduler;
            let message =
                format!("{scheduler} refuses the clients of a drained or quiesced server");
            let hint = "write scheduler_flags: [fallback] to have another server take them";
            self.findings.warning(&place, message, hint);
        }
        if let Some(entry) = fields.entry(&keys::ALERTS)
            && !servers.is_empty()
            && servers.iter().all(|server| !server.check.probe.asks())
        {
            let message = "nobody is told: no real server of this service is asked";
            self.findings.warning(&entry.key_span, message, "write a check that asks");
        }
        if let Some(entry) = fields.entry(&keys::TUNNEL)
            && !servers.is_empty()
            && servers.iter().all(|server| server.destination.forward != ForwardingMethod::Ipip)
        {
            let message = "no real server of this service is reached by ipip";
            self.findings.warning(&entry.key_span, message, "write forward: ipip");
        }
        if let Some(entry) = fields.entry(&keys::CHECK)
            && servers.iter().any(|server| server.check.probe == Probe::Connect)
            && fields.entry(&keys::PROTOCOL).is_some_and(|entry| is_udp(entry))
        {
            let message = "connect asks by TCP, and this service is UDP";
            self.findings.warning(entry.span(), message, "write ping, or dns, radius or sip");
        }
        if let Some(entry) = fields.entry(&keys::ENGINE)
            && settings.engine.is_some()
            && settings.persistence.is_none()
            && !fields.has(&keys::PERSISTENT)
        {
            let message = "a persistence engine has no effect without persistence";
            self.findings.warning(entry.span(), message, "write persistent: 300 beside it");
        }
    }
}

fn is_udp(protocol: &Entry<'_>) -> bool {
    matches!(&protocol.value.value, Value::Scalar { text, .. } if text.eq_ignore_ascii_case("udp"))
}

/// The mask for services of this family, if it fits.
fn fit(mask: Mask, family: Family) -> Option<Netmask> {
    match (mask, family) {
        (Mask::Quad(quad), Family::Ipv4) => Some(Netmask::V4(quad)),
        (Mask::Prefix(length @ 1..=32), Family::Ipv4) => {
            let bits = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            Some(Netmask::V4(bits.into()))
        }
        (Mask::Prefix(length), Family::Ipv6) => Some(Netmask::V6(length)),
        _ => None,
    }
}
