//! Drafts into services: names looked up, defaults filled in, the rules of the field applied.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::sync::Arc;

use super::File;
use super::address;
use super::alerts;
use super::check::{self, Plan};
use super::draft::{Draft, FallbackDraft, Globals, RealDraft, VirtualAddress};
use super::lines::Piece;
use super::report::Report;
use super::values::is_digits;
use crate::config::{Declared, Names, Place, Source};
use crate::model::{
    ByHand, Destination, Endpoint, FailureAction, Fallback, Family, ForwardingMethod, KernelName,
    Netmask, Persistence, Protocol, RealServer, ServiceKey, ServiceSettings, StopAction,
    VirtualService,
};

/// Addresses one range may have.
const MAX_RANGE: u128 = 4096;

/// Real servers one file may have, ranges written out.
const MAX_REALS: usize = 250_000;

/// The services of a file that could be understood, each key once.
pub(super) fn services(
    file: &File<'_>,
    source: &Source,
    names: &dyn Names,
    report: &mut Report,
) -> Vec<Declared> {
    let mut resolver =
        Resolver { globals: &file.globals, names, report, reals: 0, monitored: Vec::new() };
    let mut first: BTreeMap<ServiceKey, Range<usize>> = BTreeMap::new();
    let mut declared = Vec::new();
    for draft in &file.drafts {
        let span = draft.place.span();
        let Some(service) = resolver.service(draft) else { continue };
        if let Some(before) = first.get(&service.key) {
            resolver
                .report
                .error(span, format!("{} is declared twice", service.key))
                .hint("put all its real servers into one of the two")
                .related(before.clone(), "first declared here");
            continue;
        }
        first.insert(service.key, span.clone());
        let place = Place { file: source.path.clone(), span };
        let names = std::mem::take(&mut resolver.monitored);
        let alerts = alerts::of_service(draft, &file.globals, names);
        declared.push(Declared {
            service: Arc::new(service),
            place,
            vip: None,
            alerts,
            watch: None,
        });
    }
    declared
}

/// For each service how many servers each of its `real` lines stands for; of a file without
/// mistakes.
pub(super) fn widths(file: &File<'_>, source: &Source, names: &dyn Names) -> Vec<Vec<usize>> {
    let mut report = Report::new(source);
    let report = &mut report;
    let monitored = Vec::new();
    let mut resolver = Resolver { globals: &file.globals, names, report, reals: 0, monitored };
    let mut of = |draft: &Draft<'_>| {
        let addresses = |real| resolver.addresses(real, draft.family());
        draft.reals.iter().map(addresses).map(|all| all.map_or(0, |all| all.len())).collect()
    };
    file.drafts.iter().map(&mut of).collect()
}

pub(super) struct Resolver<'r> {
    pub(super) globals: &'r Globals<'r>,
    pub(super) names: &'r dyn Names,
    pub(super) report: &'r mut Report,
    /// So far.
    reals: usize,
    /// What the monitor file calls the checks of the service at hand, if it has one.
    monitored: Vec<String>,
}

impl Resolver<'_> {
    fn service(&mut self, draft: &Draft<'_>) -> Option<VirtualService> {
        let known = self.key(draft);
        // Where the service itself could not be read its members are still looked at, as if it
        // were an ordinary one.
        let unspecified = match draft.family() {
            Family::Ipv4 => Ipv4Addr::UNSPECIFIED.into(),
            Family::Ipv6 => Ipv6Addr::UNSPECIFIED.into(),
        };
        let stand_in =
            ServiceKey::Address { protocol: Protocol::Tcp, address: unspecified, port: 80 };
        let key = known.unwrap_or(stand_in);
        let settings = self.settings(draft, key);
        let plan = Plan::new(draft, key, self);
        let servers = self.servers(draft, key, &plan);
        if let Some(word) = draft.scheduler
            && settings.strands_clients()
            && servers.len() > 1
        {
            let name = word.text;
            let message = format!("{name} refuses the clients of a drained or quiesced server");
            let hint = format!("add schedflags = {name}-fallback to have another server take them");
            self.report.warning(word.span(), message).hint(hint);
        }
        let fallback = self.fallback(draft, key, &servers);
        let shared = (&draft.shared, &self.globals.shared);
        let quiescent = shared.0.quiescent.or(shared.1.quiescent).unwrap_or(false);
        let cleanstop = shared.0.cleanstop.or(shared.1.cleanstop).unwrap_or(true);
        known.map(|key| VirtualService {
            key,
            name: draft.servicename.map(|name| name.value()),
            settings,
            servers,
            fallback,
            on_failure: if quiescent { FailureAction::Quiesce } else { FailureAction::Remove },
            on_stop: if cleanstop { StopAction::Remove } else { StopAction::Keep },
            by_hand: match self.globals.readdquiescent {
                true => ByHand::KeepWeights,
                false => ByHand::KeepWeightsAndRemovals,
            },
            tells_rows: true,
            is_partial: false,
            maintenance_dir: self.globals.maintenancedir.clone(),
            vips: Vec::new(),
        })
    }

    fn key(&mut self, draft: &Draft<'_>) -> Option<ServiceKey> {
        match draft.address? {
            VirtualAddress::Mark(mark) => {
                if let Some(word) = draft.protocol.filter(|word| word.text != "fwm") {
                    self.report.error(word.span(), "the protocol of a firewall mark is fwm");
                }
                Some(ServiceKey::Fwmark { mark, family: draft.family() })
            }
            VirtualAddress::Address { host, port } => {
                let protocol = self.protocol(draft.protocol, port.text);
                let address = self.host(host, draft.family());
                let port_number = self.port(port, protocol);
                let (protocol, address, port_number) = (protocol?, address?, port_number?);
                if port_number == 0 && draft.persistent.is_none() {
                    self.report
                        .error(port.span(), "port 0 means every port and needs persistent")
                        .hint("add persistent = SECONDS");
                }
                Some(ServiceKey::Address { protocol, address, port: port_number })
            }
        }
    }

    fn protocol(&mut self, word: Option<Piece<'_>>, port: &str) -> Option<Protocol> {
        let Some(word) = word else {
            let dns = matches!(port, "53" | "domain");
            return Some(if dns { Protocol::Udp } else { Protocol::Tcp });
        };
        let protocol = Protocol::from_name(word.text);
        if protocol.is_none() {
            self.report.error(word.span(), "the protocol of an address is tcp, udp or sctp");
        }
        protocol
    }

    /// The address of a host: itself, or the resolver's first of this family.
    pub(super) fn host(&mut self, host: Piece<'_>, family: Family) -> Option<IpAddr> {
        let bare = host.text.trim_start_matches('[').trim_end_matches(']');
        let is_number = bare.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let found = match bare.parse::<IpAddr>() {
            Ok(address) => Some(address).filter(|address| Family::of(*address) == family),
            Err(_) if is_number && family == Family::Ipv4 => self.short_address(host),
            // 10.0.0.256 is a name to a resolver.
            Err(_) if is_number => None,
            Err(_) => self.names.host(bare, family).first().copied(),
        };
        if found.is_none() {
            let kind = if family == Family::Ipv6 { "IPv6" } else { "IPv4" };
            let made = self.report.error(host.span(), format!("{bare} has no {kind} address"));
            if is_number && family == Family::Ipv4 {
                made.hint("write four numbers from 0 to 255, without zeros before them");
            }
        }
        found
    }

    /// `127.1` is an address to a resolver, and was one to ldirectord.
    fn short_address(&mut self, host: Piece<'_>) -> Option<IpAddr> {
        let address = address::short_ipv4(host.text)?;
        self.report.warning(host.span(), format!("read as {address}, as ldirectord does"));
        Some(address.into())
    }

    /// A port by number or by name; of any protocol when that is not known.
    fn port(&mut self, port: Piece<'_>, protocol: Option<Protocol>) -> Option<u16> {
        let found = match is_digits(port.text) {
            true => port.text.parse().ok(),
            false => self.names.port(port.text, protocol),
        };
        if found.is_none() {
            let message = match is_digits(port.text) {
                true => "a port is at most 65535".to_owned(),
                false => format!("there is no port called {}", port.text),
            };
            self.report.error(port.span(), message);
        }
        found
    }

    fn settings(&mut self, draft: &Draft<'_>, key: ServiceKey) -> ServiceSettings {
        let name = draft.scheduler.map_or("wrr", |word| word.text);
        // The directive was checked when it was read.
        let scheduler = KernelName::new(name).unwrap_or(KernelName::NONE);
        let udp =
            !matches!(key, ServiceKey::Address { protocol: Protocol::Tcp | Protocol::Sctp, .. });
        if let Some(span) = draft.one_packet.clone().filter(|_| !udp) {
            self.report.warning(span, "ops has an effect on UDP and firewall marks only");
        }
        ServiceSettings {
            scheduler,
            scheduler_flags: draft.scheduler_flags,
            one_packet: draft.one_packet.is_some() && udp,
            persistence: self.persistence(draft),
            engine: None,
        }
    }

    fn persistence(&mut self, draft: &Draft<'_>) -> Option<Persistence> {
        let family = draft.family();
        if let (Some(word), None) = (draft.netmask, draft.persistent) {
            self.report.warning(word.span(), "netmask has no effect without persistent");
            // So it need not be one, if it looks like one.
            if family == Family::Ipv4 && address::is_dotted_quad(word.text) {
                return None;
            }
        }
        let netmask = draft.netmask.and_then(|word| self.netmask(word, family));
        let netmask = netmask.unwrap_or(Netmask::host(family));
        draft.persistent.map(|timeout| Persistence { timeout, netmask })
    }

    fn netmask(&mut self, word: Piece<'_>, family: Family) -> Option<Netmask> {
        let mask = match family {
            Family::Ipv4 => word
                .text
                .parse::<Ipv4Addr>()
                .ok()
                .filter(|mask| u32::from(*mask).leading_ones() == u32::from(*mask).count_ones())
                .map(Netmask::V4),
            Family::Ipv6 => word
                .text
                .parse::<u8>()
                .ok()
                .filter(|prefix| is_digits(word.text) && (1..=128).contains(prefix))
                .map(Netmask::V6),
        };
        if mask.is_none() {
            self.report.error(
                word.span(),
                match family {
                    Family::Ipv4 => "a netmask is written 255.255.255.0, its ones first",
                    Family::Ipv6 => "an IPv6 netmask is a prefix length from 1 to 128",
                },
            );
        }
        mask
    }

    fn servers(&mut self, draft: &Draft<'_>, key: ServiceKey, plan: &Plan) -> Vec<RealServer> {
        let mut servers: Vec<RealServer> = Vec::new();
        self.monitored.clear();
        let mut first: BTreeMap<Endpoint, Range<usize>> = BTreeMap::new();
        for real in &draft.reals {
            let port = match real.port {
                Some(port) => self.port(port, None),
                None => Some(0),
            };
            let addresses = self.addresses(real, draft.family());
            let (Some(port), Some(addresses)) = (port, addresses) else { continue };
            let endpoint_port = self.destination_port(real, port, key);
            plan.inspect(real, self);
            for address in addresses {
                let endpoint = Endpoint::new(address, endpoint_port);
                let span = real.place.span();
                if let Some(before) = first.get(&endpoint) {
                    let message = format!("{endpoint} is listed twice in this service");
                    self.report
                        .error(span, message)
                        .hint("a row of the table is one server: keep one of the two lines")
                        .related(before.clone(), "first listed here");
                    continue;
                }
                first.insert(endpoint, span);
                let (check, check_endpoint) = plan.check(real, address, port, self);
                if draft.monitorfile.is_some() {
                    let name = check::name(draft, key);
                    let at = (address, port);
                    self.monitored.push(alerts::monitor_name(draft, &name, real, at, key));
                }
                let check = match servers.last() {
                    Some(last) if *last.check == check => last.check.clone(),
                    _ => Arc::new(check),
                };
                let destination = Destination {
                    upper: real.upper,
                    lower: real.lower,
                    ..Destination::plain(real.forward, real.weight)
                };
                servers.push(RealServer {
                    endpoint,
                    destination,
                    check_endpoint: check.probe.aim(check_endpoint),
                    check,
                    written_port: port,
                    maintenance: false,
                });
            }
        }
        if draft.reals.is_empty() && !draft.has_unreadable_real {
            self.report.warning(draft.place.span(), "this service has no real server");
        }
        servers
    }

    /// The port the table holds.
    fn destination_port(&mut self, real: &RealDraft<'_>, written: u16, key: ServiceKey) -> u16 {
        match (key.port(), real.forward) {
            (None, _) => written,
            // Packets keep their port; whatever is written is for the check.
            (Some(port), ForwardingMethod::Gate | ForwardingMethod::Ipip) => port,
            (Some(port), _) if written == 0 => {
                self.report
                    .warning(real.place.span(), format!("the port is missing: taken as {port}"));
                port
            }
            _ => written,
        }
    }

    /// The address of a real, or all of its range.
    fn addresses(&mut self, real: &RealDraft<'_>, family: Family) -> Option<Vec<IpAddr>> {
        let first = self.host(real.first, family);
        let last = match real.last {
            Some(last) => self.host(last, family),
            None => first,
        };
        let (first, last) = (number(first?), number(last?));
        let span = real.place.span();
        if last < first {
            self.report.error(span, "this range is reversed").hint("write FIRST->LAST");
            return None;
        }
        // Reversed was excluded, and the addresses of a family are at most 2^128.
        let count = (last - first).saturating_add(1);
        if count > MAX_RANGE {
            self.report.error(span, format!("a range has at most {MAX_RANGE} addresses"));
            return None;
        }
        self.reals += count as usize;
        if self.reals > MAX_REALS {
            self.report.error(span, format!("a file has at most {MAX_REALS} real servers"));
            return None;
        }
        Some((first..=last).map(|n| address(n, family)).collect())
    }

    fn fallback(
        &mut self,
        draft: &Draft<'_>,
        key: ServiceKey,
        servers: &[RealServer],
    ) -> Option<Fallback> {
        let (own, shared) = match draft.family() {
            Family::Ipv4 => (draft.shared.fallback, self.globals.shared.fallback),
            Family::Ipv6 => (draft.shared.fallback6, self.globals.shared.fallback6),
        };
        let fallback = own.or(shared)?;
        let endpoint = self.fallback_endpoint(&fallback, key, draft.family())?;
        if servers.iter().any(|server| server.endpoint == endpoint) {
            let message = format!("the fallback {endpoint} is also a real server of a service");
            self.report
                .warning(fallback.host.span(), message)
                .related(draft.place.span(), "of this one");
        }
        let destination = Destination::plain(fallback.forward, 1);
        Some(Fallback { endpoint, destination })
    }

    fn fallback_endpoint(
        &mut self,
        fallback: &FallbackDraft<'_>,
        key: ServiceKey,
        family: Family,
    ) -> Option<Endpoint> {
        let protocol = match key {
            ServiceKey::Address { protocol, .. } => Some(protocol),
            ServiceKey::Fwmark { .. } => None,
        };
        let address = self.host(fallback.host, family);
        let written = match fallback.port {
            Some(port) => Some(self.port(port, protocol)?),
            None => None,
        };
        let kept = matches!(fallback.forward, ForwardingMethod::Gate | ForwardingMethod::Ipip);
        let port = match key.port() {
            Some(port) if kept => port,
            Some(port) => written.unwrap_or(port),
            None => written.unwrap_or(0),
        };
        Some(Endpoint::new(address?, port))
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

fn address(number: u128, family: Family) -> IpAddr {
    match family {
        // A range's ends are of one family, so what lies between fits it.
        Family::Ipv4 => Ipv4Addr::from(number as u32).into(),
        Family::Ipv6 => Ipv6Addr::from(number).into(),
    }
}
