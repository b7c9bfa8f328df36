//! Real servers and the fallback server: one line each, or a mapping.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Range;

use super::address::{self, Host, Port};
use super::catalogue as keys;
use super::catalogue::Key;
use super::check::{self, CheckDraft};
use super::probe;
use super::suggest;
use super::tree::{Node, Value};
use super::walk::{Entry, Fields, MOST_WORDS, Walk};
use crate::config::diagnostic::quoted;
use crate::model::{
    CheckSpec, Destination, Endpoint, Fallback, Family, ForwardingMethod, Probe, Protocol,
    RealServer, ServiceKey, Tunnel, TunnelKind,
};

/// What a service says about its servers, for those that do not say otherwise.
#[derive(Clone)]
pub(super) struct Frame<'f> {
    /// `None` when the service's own address is a mistake.
    pub(super) key: Option<ServiceKey>,
    pub(super) protocol: Option<Protocol>,
    pub(super) forward: ForwardingMethod,
    pub(super) tunnel: Tunnel,
    pub(super) weight: u32,
    pub(super) upper: u32,
    pub(super) lower: u32,
    pub(super) check: &'f CheckDraft,
    pub(super) default_check: &'f CheckDraft,
    /// Whether a sync daemon runs, beside which the kernel takes no tunnel between families.
    pub(super) syncs: bool,
}

/// A server as far as it is written.
#[derive(Default)]
struct Draft {
    address: Option<(IpAddr, Range<usize>)>,
    port: Option<(u16, Range<usize>)>,
    forward: Option<ForwardingMethod>,
    tunnel: Option<(Tunnel, Range<usize>)>,
    weight: Option<u32>,
    upper: Option<u32>,
    lower: Option<u32>,
    maintenance: bool,
    check: CheckDraft,
    /// What is watched and decides in place of a check.
    watch: Option<CheckSpec>,
    /// Where to point when it is wrong as a whole.
    span: Range<usize>,
}

/// The words a line may have after the address.
const REAL_WORDS: &[&str] =
    &["gate", "masq", "ipip", "weight=N", "upper=N", "lower=N", "maintenance"];
const FALLBACK_WORDS: &[&str] = &["gate", "masq", "ipip"];

impl<'a> Walk<'a> {
    /// All real servers of a service; no two with one endpoint.
    pub(super) fn servers(&mut self, entry: &Entry<'a>, frame: &Frame) -> Vec<RealServer> {
        let mut servers = Vec::new();
        let mut places: HashMap<Endpoint, Range<usize>> = HashMap::new();
        for item in self.list(entry).unwrap_or_default() {
            if self.findings.is_full() {
                break;
            }
            let Some(draft) = self.draft(self.node(*item), entry, &keys::REAL_KEYS, frame) else {
                continue;
            };
            let Some(server) = self.real(&draft, frame) else { continue };
            match places.get(&server.endpoint) {
                Some(first) => {
                    let message = format!("real server {} is there twice", server.endpoint);
                    let hint = match frame.key {
                        Some(ServiceKey::Address { .. })
                            if server.destination.forward != ForwardingMethod::Masq =>
                        {
                            "keep one of the two: with gate and ipip the port is the service's"
                        }
                        _ => "keep one of the two",
                    };
                    self.findings.clash(&draft.span, message, hint, (first, "first here"));
                }
                None => {
                    places.insert(server.endpoint, draft.span);
                    servers.push(server);
                }
            }
        }
        // There may be 10,000 of these lists, and a vector begins with room for four.
        servers.shrink_to_fit();
        servers
    }

    pub(super) fn fallback(&mut self, entry: &Entry<'a>, frame: &Frame) -> Option<Fallback> {
        let mut draft = self.draft(entry.value, entry, &keys::FALLBACK_KEYS, frame)?;
        if draft.forward.is_none() && draft.address.as_ref().is_some_and(|(a, _)| a.is_loopback()) {
            // The kernel does not translate to loopback; with gate the packet is delivered here.
            draft.forward = Some(ForwardingMethod::Gate);
        }
        let destination = Destination { weight: 1, upper: 0, lower: 0, ..self.row(&draft, frame)? };
        let (endpoint, _) = self.endpoints(&draft, destination.forward, frame)?;
        Some(Fallback { endpoint, destination })
    }

    fn draft(
        &mut self,
        node: &'a Node<'a>,
        list: &Entry<'a>,
        section: &'static keys::Section,
        frame: &Frame,
    ) -> Option<Draft> {
        match &node.value {
            Value::Mapping(_) => {
                let fields = self.fields(node, section)?;
                Some(self.mapping(&fields, frame))
            }
            Value::List(_) => {
                let written = self.text.get(node.span.clone()).unwrap_or_default();
                let hint = match written.matches(':').count() > 1 {
                    true => "an address in brackets needs quotes: \"[2001:db8::1]:80\"",
                    false => "write ADDRESS:PORT without brackets around it",
                };
                let message = format!("{} is a line of words, or a mapping", section.name);
                self.findings.error(&node.span, message, hint);
                None
            }
            Value::Scalar { .. } => {
                let text = self.scalar(&list.item(node))?;
                let fallback = std::ptr::eq(section, &keys::FALLBACK_KEYS);
                let words = if fallback { FALLBACK_WORDS } else { REAL_WORDS };
                self.line_of_words(node, text, words, frame)
            }
        }
    }

    /// `ADDRESS[:PORT] [gate|masq|ipip] [weight=N] [upper=N] [lower=N] [maintenance]`
    fn line_of_words(
        &mut self,
        node: &'a Node<'a>,
        text: &'a str,
        known: &[&'static str],
        frame: &Frame,
    ) -> Option<Draft> {
        let words = self.words(node, text);
        if words.len() > MOST_WORDS {
            let hint = "begin each server with \"- \" on its own line";
            self.findings.error(&node.span, "this line has too many words for a server", hint);
            return None;
        }
        let mut words = words.into_iter();
        let mut draft = Draft { span: node.span.clone(), ..Draft::default() };
        let Some((first, place)) = words.next() else {
            self.findings.error(&node.span, "a server needs an address", "write ADDRESS:PORT");
            return None;
        };
        self.address(first, &place, &mut draft, frame, false);
        for (word, place) in words {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (word, None),
            };
            let fits = known.iter().any(|known| match known.strip_suffix("=N") {
                Some(known) => value.is_some() && name == known,
                None => *known == word,
            });
            let twice = match (name, value) {
                _ if !fits => {
                    self.unknown_word(word, &place, known);
                    false
                }
                ("maintenance", _) => std::mem::replace(&mut draft.maintenance, true),
                ("weight", Some(value)) => {
                    self.once(&mut draft.weight, &keys::WEIGHT, value, &place)
                }
                ("upper", Some(value)) => self.once(&mut draft.upper, &keys::UPPER, value, &place),
                ("lower", Some(value)) => self.once(&mut draft.lower, &keys::LOWER, value, &place),
                _ => draft
                    .forward
                    .replace(ForwardingMethod::from_name(word).unwrap_or(frame.forward))
                    .is_some(),
            };
            if twice {
                let message = format!("{} says again what was said before", quoted(word));
                self.findings.error(&place, message, "keep one of the two");
            }
        }
        Some(draft)
    }

    /// Takes the number of a `name=N`; whether there was one before.
    fn once(
        &mut self,
        slot: &mut Option<u32>,
        key: &'static Key,
        value: &str,
        place: &Range<usize>,
    ) -> bool {
        match self.number(key, value, place) {
            Some(number) => slot.replace(number).is_some(),
            None => false,
        }
    }

    fn unknown_word(&mut self, word: &str, place: &Range<usize>, known: &[&'static str]) {
        let number = word.bytes().all(|b| b.is_ascii_digit());
        let hint = match (number && known.contains(&"weight=N"), word.split_once('=')) {
            (true, _) => format!("write weight={word}"),
            (false, Some((name, value))) => {
                let names: Vec<_> =
                    known.iter().filter_map(|known| known.strip_suffix("=N")).collect();
                if names.is_empty() {
                    format!(
                        "after the address goes one of: {}",
                        suggest::list(known.iter().copied())
                    )
                } else if value.is_empty() {
                    let hint = suggest::word(&names, name);
                    format!("{hint}, and a number after the \"=\"")
                } else {
                    suggest::word(&names, name)
                }
            }
            (false, None) => suggest::word(known, word),
        };
        self.findings.error(place, format!("unknown word {}", quoted(word)), hint);
    }

    fn mapping(&mut self, fields: &Fields<'a>, frame: &Frame) -> Draft {
        let mut draft =
            Draft { span: super::walk::head(fields.node, self.text), ..Draft::default() };
        if let Some(entry) = fields.entry(&keys::ADDRESS) {
            draft.span = entry.span().clone();
            if let Some(text) = self.scalar(entry) {
                let alone = fields.has(&keys::PORT);
                self.address(text, entry.span(), &mut draft, frame, true);
                if let Some((_, written)) = draft.port.as_ref().filter(|_| alone)
                    && let Some(port) = fields.entry(&keys::PORT)
                {
                    let message = "the port is written twice";
                    let first = (written, "here with the address");
                    self.findings.clash(port.span(), message, "keep one of the two", first);
                }
            }
        }
        if let Some(entry) = fields.entry(&keys::PORT) {
            draft.port = self.port_of(entry, frame).map(|port| (port, entry.span().clone()));
        }
        draft.forward = fields.entry(&keys::FORWARD).and_then(|e| self.method_of(e));
        draft.tunnel =
            fields.entry(&keys::TUNNEL).and_then(|e| Some((self.tunnel(e)?, e.key_span.clone())));
        draft.weight = fields.entry(&keys::WEIGHT).and_then(|e| self.integer(e));
        draft.upper = fields.entry(&keys::UPPER).and_then(|e| self.integer(e));
        draft.lower = fields.entry(&keys::LOWER).and_then(|e| self.integer(e));
        let maintenance = fields.entry(&keys::MAINTENANCE).and_then(|e| self.flag(e));
        draft.maintenance = maintenance.unwrap_or(false);
        draft.check = fields.entry(&keys::CHECK).map(|e| self.check(e)).unwrap_or_default();
        draft.watch = fields.entry(&keys::DECIDES).and_then(|e| self.decides(e));
        draft
    }

    /// A port as a number or a name.
    fn port_of(&mut self, entry: &Entry<'a>, frame: &Frame) -> Option<u16> {
        let text = self.scalar(entry)?;
        match text.starts_with(|c: char| c.is_ascii_alphabetic()) {
            true => self.port(Port::Name(text), frame.protocol, entry.span()),
            false => self.integer(entry),
        }
    }

    pub(super) fn method_of(&mut self, entry: &Entry<'a>) -> Option<ForwardingMethod> {
        self.word(entry).and_then(ForwardingMethod::from_name)
    }

    pub(super) fn tunnel(&mut self, entry: &Entry<'a>) -> Option<Tunnel> {
        let fields = self.fields(entry.value, &keys::TUNNEL_KEYS)?;
        let kind = match fields.entry(&keys::TUNNEL_TYPE) {
            Some(entry) => self.word(entry).map(|word| match word {
                "gue" => TunnelKind::Gue,
                "gre" => TunnelKind::Gre,
                _ => TunnelKind::Ipip,
            }),
            None => Some(TunnelKind::Ipip),
        };
        let port = fields.entry(&keys::TUNNEL_PORT);
        let number = port.map(|entry| self.integer(entry));
        let sum = fields.entry(&keys::TUNNEL_CHECKSUM);
        let word = sum.map(|entry| self.word(entry));
        let kind = kind?;
        let port = match (number, port) {
            (Some(number), _) if kind == TunnelKind::Gue => number?,
            (_, Some(entry)) => {
                return self.refuse(entry, "goes with type: gue only", "take it out");
            }
            (_, None) if kind == TunnelKind::Gue => {
                let hint = "write for example tunnel: {type: gue, port: 6080}";
                self.findings.error(&entry.key_span, "a gue tunnel needs a port", hint);
                return None;
            }
            (_, None) => 0,
        };
        let flags = match (word, kind) {
            (None | Some(Some("none")), _) => 0,
            (Some(Some("csum")), TunnelKind::Gue | TunnelKind::Gre) => Tunnel::CHECKSUM,
            (Some(Some("remcsum")), TunnelKind::Gue) => Tunnel::REMOTE_CHECKSUM,
            (Some(word), _) => {
                let message = format!("{} does not go with this type", quoted(word?));
                let hint = "csum goes with gue and gre, remcsum with gue";
                return self.refuse(sum?, message, hint);
            }
        };
        Some(Tunnel { kind, port, flags })
    }

    fn real(&mut self, draft: &Draft, frame: &Frame) -> Option<RealServer> {
        let destination = self.row(draft, frame)?;
        let (endpoint, written) = self.endpoints(draft, destination.forward, frame)?;
        if let Some(check) = draft.watch.clone() {
            return Some(RealServer {
                endpoint,
                destination,
                check_endpoint: endpoint,
                check: self.shared(check),
                written_port: endpoint.port,
                maintenance: draft.maintenance,
            });
        }
        let drafts = [&draft.check, frame.check, frame.default_check];
        let asked = drafts.iter().find_map(|draft| draft.port);
        let asked_address = drafts.iter().find_map(|draft| draft.address);
        let automatic = automatic(frame.protocol, asked.unwrap_or(written.port));
        let mut check = check::resolve(&drafts, &automatic, frame.protocol);
        if let (Probe::External(external), Some(key)) = (&mut check.probe, frame.key) {
            (external.virtual_address, external.virtual_port) = virtual_words(key);
        }
        let port = asked.unwrap_or(match written.port {
            0 => probe::usual_port(&check.probe),
            port => port,
        });
        if port == 0 && (check.probe.is_connect() || matches!(check.probe, Probe::Tcp(_))) {
            let name = check.probe.name();
            let hint =
                format!("write the port with the address, or check: {{{name}: true, port: 80}}");
            self.findings.error(&draft.span, format!("a {name} check needs a port"), hint);
            return None;
        }
        let asked_of = Endpoint::new(asked_address.unwrap_or(endpoint.address), port);
        Some(RealServer {
            endpoint,
            destination,
            check_endpoint: check.probe.aim(asked_of),
            check: self.shared(check),
            written_port: written.port,
            maintenance: draft.maintenance,
        })
    }

    /// The row of the table: what is written here, else what the service says.
    fn row(&mut self, draft: &Draft, frame: &Frame) -> Option<Destination> {
        let forward = draft.forward.unwrap_or(frame.forward);
        let tunnel = match (&draft.tunnel, forward) {
            (Some((tunnel, _)), ForwardingMethod::Ipip) => *tunnel,
            (Some((_, place)), _) => {
                let message = format!("a tunnel goes with ipip, not with {forward}");
                self.findings.error(place, message, "write forward: ipip");
                return None;
            }
            (None, ForwardingMethod::Ipip) => frame.tunnel,
            (None, _) => Tunnel::default(),
        };
        let (upper, lower) =
            (draft.upper.unwrap_or(frame.upper), draft.lower.unwrap_or(frame.lower));
        let own = draft.upper.is_some() || draft.lower.is_some();
        if lower > upper && own {
            self.thresholds(&draft.span, upper, lower);
            return None;
        }
        Some(Destination {
            forward,
            tunnel,
            weight: draft.weight.unwrap_or(frame.weight),
            upper,
            lower,
        })
    }

    pub(super) fn thresholds(&mut self, place: &Range<usize>, upper: u32, lower: u32) {
        let message = match upper {
            0 => format!("lower {lower} needs an upper threshold"),
            _ => format!("lower {lower} is above upper {upper}"),
        };
        self.findings.error(
            place,
            message,
            "upper stops new connections, lower lets them in again",
        );
    }

    /// Where packets go, and the endpoint as written, which the check goes to.
    fn endpoints(
        &mut self,
        draft: &Draft,
        forward: ForwardingMethod,
        frame: &Frame,
    ) -> Option<(Endpoint, Endpoint)> {
        let (address, place) = draft.address.as_ref()?;
        let key = frame.key?;
        if Family::of(*address) != key.family() && forward != ForwardingMethod::Ipip {
            let message = format!("{address} and the service are of different families");
            let hint = match key {
                ServiceKey::Fwmark { family: Family::Ipv4, .. } => {
                    "write family: ipv6 for the service; only ipip crosses families"
                }
                _ => "only forward: ipip crosses families",
            };
            self.findings.error(place, message, hint);
            return None;
        }
        if frame.syncs && Family::of(*address) != key.family() {
            let message = format!("{address} and the service are of different families");
            let hint = "beside a sync daemon (sync in global.yaml) the kernel takes no such tunnel";
            self.findings.error(place, message, hint);
            return None;
        }
        let written = draft.port.as_ref().map(|(port, _)| *port);
        let ServiceKey::Address { port: service_port, .. } = key else {
            let endpoint = Endpoint::new(*address, written.unwrap_or(0));
            return Some((endpoint, endpoint));
        };
        let port = written.unwrap_or(service_port);
        if let Some((0, place)) = draft.port.as_ref().filter(|_| service_port != 0) {
            let hint = "leave the port out for the service's, or write one from 1 to 65535";
            self.findings.error(place, "port 0 goes only with a service of port 0", hint);
            return None;
        }
        let endpoint = Endpoint::new(*address, port);
        if forward == ForwardingMethod::Masq {
            return Some((endpoint, endpoint));
        }
        if let Some((port, place)) = draft.port.as_ref().filter(|(port, _)| *port != service_port) {
            let message = format!(
                "{forward} keeps the port: packets arrive at {service_port}, only the check goes to {port}"
            );
            let hint =
                "write forward: masq to change the port, or check: {port: ...} for the check alone";
            self.findings.warning(place, message, hint);
        }
        Some((endpoint.with_port(service_port), endpoint))
    }

    /// Reads `ADDRESS[:PORT]` into the draft. In a mapping an IPv6 address may stand without
    /// brackets, as the port has a key of its own.
    fn address(
        &mut self,
        text: &'a str,
        place: &Range<usize>,
        draft: &mut Draft,
        frame: &Frame,
        in_mapping: bool,
    ) {
        let bare = text.parse().ok().filter(|address: &IpAddr| in_mapping && address.is_ipv6());
        let written = match bare {
            Some(address) => Ok(address::Written { host: Host::Address(address), port: None }),
            None => address::parse(text),
        };
        let written = match written {
            Ok(written) => written,
            Err(wrong) => return self.findings.error(place, wrong.message, wrong.hint),
        };
        let family = frame.key.map(|key| key.family());
        draft.address = self.host(written.host, family, place).map(|host| (host, place.clone()));
        if let Some(port) = written.port {
            draft.port = self.port(port, frame.protocol, place).map(|port| (port, place.clone()));
            if draft.port.is_none() {
                draft.address = None;
            }
        }
    }
}

/// The check of a server for which nobody named one. A TCP connection tells nothing about a UDP
/// service, where there is no port there is nothing to connect to, and not every kernel can
/// connect by SCTP: who wishes for that writes it.
fn automatic(protocol: Option<Protocol>, port: u16) -> Probe {
    match protocol {
        Some(Protocol::Tcp) | None if port != 0 => Probe::Connect,
        _ => probe::ping(),
    }
}

/// What an external check is told about the service.
fn virtual_words(key: ServiceKey) -> (String, u16) {
    match key {
        ServiceKey::Address { address: IpAddr::V4(address), port, .. } => {
            (address.to_string(), port)
        }
        ServiceKey::Address { address: IpAddr::V6(address), port, .. } => {
            (format!("[{address}]"), port)
        }
        ServiceKey::Fwmark { mark, .. } => (mark.to_string(), 0),
    }
}
