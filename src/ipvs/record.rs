//! Records of the kernel and nouns of ours, there and back.
//!
//! The kernel's habits are undone here, on the way in: what it reports without having been told
//! would otherwise be a difference on every turn.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::codec::{self, BACKUP, INET, INET6, MASTER};
use crate::model::{
    Destination, Endpoint, Family, ForwardingMethod, InterfaceName, KernelName, Netmask,
    Persistence, Protocol, SchedulerFlags, ServiceKey, ServiceSettings, SyncDaemon, SyncSettings,
    SyncState, Tunnel, TunnelKind,
};

const PERSISTENT: u32 = 0x1;
const ONE_PACKET: u32 = 0x4;
/// Three bits from here on are the scheduler's.
const SCHEDULER_SHIFT: u32 = 3;

pub(super) fn key_to_wire(key: &ServiceKey) -> codec::Key {
    let family = family_to_wire(key.family());
    match *key {
        ServiceKey::Fwmark { mark, .. } => codec::Key::Fwmark { family, mark },
        ServiceKey::Address { protocol, address, port } => codec::Key::Address {
            family,
            protocol: protocol.number(),
            address: address_to_wire(address),
            port,
        },
    }
}

/// `None` for a service no configuration can ask for: the kernel takes any protocol number.
pub(super) fn key_from_wire(key: &codec::Key) -> Option<ServiceKey> {
    let family = family_from_wire(key.family())?;
    Some(match *key {
        codec::Key::Fwmark { mark, .. } => ServiceKey::Fwmark { mark, family },
        codec::Key::Address { protocol, address, port, .. } => ServiceKey::Address {
            protocol: Protocol::from_number(protocol)?,
            address: address_from_wire(family, address),
            port,
        },
    })
}

pub(super) fn service_to_wire<'a>(
    key: &ServiceKey,
    settings: &'a ServiceSettings,
) -> codec::Service<'a> {
    let mut flags = u32::from(settings.scheduler_flags.bits()) << SCHEDULER_SHIFT;
    if settings.one_packet {
        flags |= ONE_PACKET;
    }
    if settings.persistence.is_some() {
        flags |= PERSISTENT;
    }
    // The kernel wants a netmask from everybody.
    let netmask = settings.persistence.map_or(Netmask::host(key.family()), |p| p.netmask);
    codec::Service {
        key: key_to_wire(key),
        scheduler: settings.scheduler.as_str(),
        flags,
        timeout: settings.persistence.map_or(0, |p| p.timeout),
        netmask: match netmask {
            // A dotted quad in network order, but a prefix length in the host's.
            Netmask::V4(mask) => mask.octets(),
            Netmask::V6(length) => u32::from(length).to_ne_bytes(),
        },
        engine: settings.engine.as_ref().map(KernelName::as_str),
    }
}

/// `None` for a service no configuration can ask for.
pub(super) fn service_from_wire(
    service: &codec::Service<'_>,
) -> Option<(ServiceKey, ServiceSettings)> {
    let key = key_from_wire(&service.key)?;
    // Timeout and netmask are kept, and mean nothing, without the flag. HASHED (2) is set on
    // every service the kernel has accepted; nobody asks for it.
    let persistence = (service.flags & PERSISTENT != 0).then(|| Persistence {
        timeout: service.timeout,
        netmask: match key.family() {
            Family::Ipv4 => Netmask::V4(Ipv4Addr::from(service.netmask)),
            Family::Ipv6 => {
                let length = u32::from_ne_bytes(service.netmask);
                Netmask::V6(u8::try_from(length).unwrap_or(u8::MAX))
            }
        },
    });
    let settings = ServiceSettings {
        scheduler: KernelName::new(service.scheduler).ok()?,
        scheduler_flags: SchedulerFlags::from_bits((service.flags >> SCHEDULER_SHIFT) as u8),
        one_packet: service.flags & ONE_PACKET != 0,
        persistence,
        engine: match service.engine {
            Some(engine) => Some(KernelName::new(engine).ok()?),
            None => None,
        },
    };
    Some((key, settings))
}

pub(super) fn destination_to_wire(at: &Endpoint, destination: &Destination) -> codec::Destination {
    // Tunnel options of any other method would be kept, and found as a difference.
    let tunnel = tunnel_of(destination.forward, destination.tunnel);
    codec::Destination {
        family: Some(family_to_wire(Family::of(at.address))),
        address: address_to_wire(at.address),
        port: at.port,
        method: method_to_wire(destination.forward),
        weight: destination.weight,
        upper: destination.upper,
        lower: destination.lower,
        tunnel_kind: match tunnel.kind {
            TunnelKind::Ipip => 0,
            TunnelKind::Gue => 1,
            TunnelKind::Gre => 2,
            TunnelKind::Other(number) => number,
        },
        tunnel_port: tunnel.port,
        tunnel_flags: tunnel.flags,
    }
}

/// A destination without a family of its own has its service's. `None` for a family unheard of.
pub(super) fn destination_from_wire(
    service: Family,
    destination: &codec::Destination,
) -> Option<(Endpoint, Destination)> {
    let family = match destination.family {
        Some(number) => family_from_wire(number)?,
        None => service,
    };
    let endpoint = Endpoint::new(address_from_wire(family, destination.address), destination.port);
    let forward = method_from_wire(destination.method);
    let tunnel = Tunnel {
        kind: match destination.tunnel_kind {
            0 => TunnelKind::Ipip,
            1 => TunnelKind::Gue,
            2 => TunnelKind::Gre,
            number => TunnelKind::Other(number),
        },
        port: destination.tunnel_port,
        flags: destination.tunnel_flags,
    };
    let destination = Destination {
        forward,
        tunnel: tunnel_of(forward, tunnel),
        weight: destination.weight,
        upper: destination.upper,
        lower: destination.lower,
    };
    Some((endpoint, destination))
}

pub(super) fn daemon_to_wire(daemon: &SyncDaemon) -> codec::Daemon<'_> {
    let settings = &*daemon.settings;
    codec::Daemon {
        state: state_to_wire(daemon.state),
        interface: settings.interface.as_str(),
        id: settings.id.into(),
        max_packet: settings.max_packet,
        group: Some(settings.group),
        port: Some(settings.port),
        ttl: Some(settings.ttl),
    }
}

pub(super) const fn state_to_wire(state: SyncState) -> u32 {
    match state {
        SyncState::Master => MASTER,
        SyncState::Backup => BACKUP,
    }
}

/// `None` for a daemon of a state or on an interface unheard of.
pub(super) fn daemon_from_wire(daemon: &codec::Daemon<'_>) -> Option<SyncDaemon> {
    let state = match daemon.state {
        MASTER => SyncState::Master,
        BACKUP => SyncState::Backup,
        _ => return None,
    };
    let settings = SyncSettings {
        interface: InterfaceName::new(daemon.interface).ok()?,
        // Of a larger number these bits are what is on the wire.
        id: daemon.id as u8,
        group: daemon.group.unwrap_or(SyncSettings::GROUP),
        port: daemon.port.unwrap_or(SyncSettings::PORT),
        ttl: daemon.ttl.unwrap_or(SyncSettings::TTL),
        max_packet: daemon.max_packet,
    };
    Some(SyncDaemon { state, settings: Arc::new(settings) })
}

fn tunnel_of(forward: ForwardingMethod, tunnel: Tunnel) -> Tunnel {
    if forward == ForwardingMethod::Ipip { tunnel } else { Tunnel::default() }
}

fn method_to_wire(forward: ForwardingMethod) -> u32 {
    match forward {
        ForwardingMethod::Masq => 0,
        ForwardingMethod::Ipip => 2,
        ForwardingMethod::Gate => 3,
        ForwardingMethod::Other(number) => u32::from(number),
    }
}

fn method_from_wire(method: u32) -> ForwardingMethod {
    // Three bits are the method; the kernel reports no others, and uses them for its own.
    match (method & 7) as u8 {
        0 => ForwardingMethod::Masq,
        2 => ForwardingMethod::Ipip,
        3 => ForwardingMethod::Gate,
        number => ForwardingMethod::Other(number),
    }
}

const fn family_to_wire(family: Family) -> u16 {
    match family {
        Family::Ipv4 => INET,
        Family::Ipv6 => INET6,
    }
}

const fn family_from_wire(family: u16) -> Option<Family> {
    match family {
        INET => Some(Family::Ipv4),
        INET6 => Some(Family::Ipv6),
        _ => None,
    }
}

fn address_to_wire(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V6(address) => address.octets(),
        IpAddr::V4(address) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&address.octets());
            bytes
        }
    }
}

/// The kernel reports 16 bytes for IPv4 as well; the first 4 are the address.
fn address_from_wire(family: Family, bytes: [u8; 16]) -> IpAddr {
    match family {
        Family::Ipv4 => {
            let [a, b, c, d, ..] = bytes;
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        Family::Ipv6 => IpAddr::V6(Ipv6Addr::from(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service_as_reported() -> codec::Service<'static> {
        codec::Service {
            key: codec::Key::Address {
                family: INET,
                protocol: 6,
                address: address_to_wire([10, 0, 0, 1].into()),
                port: 80,
            },
            scheduler: "wlc",
            flags: 0x2,
            timeout: 0,
            netmask: [255; 4],
            engine: None,
        }
    }

    fn settings(service: &codec::Service<'_>) -> ServiceSettings {
        service_from_wire(service).unwrap().1
    }

    #[test]
    fn the_flag_the_kernel_sets_itself_is_no_difference() {
        let plain = ServiceSettings::plain(KernelName::new("wlc").unwrap());
        assert_eq!(settings(&service_as_reported()), plain);
    }

    #[test]
    fn a_timeout_without_persistence_is_no_difference() {
        let leftover =
            codec::Service { timeout: 300, netmask: [255, 255, 0, 0], ..service_as_reported() };
        assert_eq!(settings(&leftover), settings(&service_as_reported()));
    }

    #[test]
    fn the_netmask_is_read_in_the_byte_order_of_its_family() {
        let v4 = codec::Service {
            flags: PERSISTENT,
            timeout: 60,
            netmask: [255, 255, 255, 0],
            ..service_as_reported()
        };
        let mask = settings(&v4).persistence.unwrap().netmask;
        assert_eq!(mask, Netmask::V4(Ipv4Addr::new(255, 255, 255, 0)));
        let key = codec::Key::Fwmark { family: INET6, mark: 1 };
        let v6 = codec::Service { key, netmask: 64u32.to_ne_bytes(), ..v4 };
        assert_eq!(settings(&v6).persistence.unwrap().netmask, Netmask::V6(64));
    }

    #[test]
    fn a_service_of_a_protocol_nobody_schedules_is_passed_over() {
        let key = codec::Key::Address { family: INET, protocol: 99, address: [0; 16], port: 80 };
        assert_eq!(service_from_wire(&codec::Service { key, ..service_as_reported() }), None);
        let key = codec::Key::Fwmark { family: 77, mark: 1 };
        assert_eq!(service_from_wire(&codec::Service { key, ..service_as_reported() }), None);
    }

    #[test]
    fn tunnel_options_count_for_tunnels_only() {
        let at = Endpoint::new([10, 0, 1, 1].into(), 80);
        let gue = Tunnel { kind: TunnelKind::Gue, port: 6080, flags: Tunnel::CHECKSUM };
        for (forward, expected) in
            [(ForwardingMethod::Ipip, gue), (ForwardingMethod::Gate, Tunnel::default())]
        {
            let wished = Destination { tunnel: gue, ..Destination::plain(forward, 1) };
            // Both on the way out, and when somebody else wrote them.
            let mut wire = destination_to_wire(&at, &wished);
            let back = |wire: &_| destination_from_wire(Family::Ipv4, wire).unwrap();
            assert_eq!(back(&wire), (at, Destination { tunnel: expected, ..wished }));
            (wire.tunnel_kind, wire.tunnel_port) = (1, 6080);
            assert_eq!(back(&wire).1.tunnel.kind, expected.kind);
        }
    }

    #[test]
    fn a_destination_without_a_family_has_its_services() {
        let at = Endpoint::new("2001:db8::1".parse().unwrap(), 80);
        let mut wire = destination_to_wire(&at, &Destination::plain(ForwardingMethod::Masq, 1));
        wire.family = None;
        assert_eq!(destination_from_wire(Family::Ipv6, &wire).unwrap().0, at);
    }

    /// Every datagram of a recorded conversation, as bytes.
    fn recorded() -> Vec<Vec<u8>> {
        let text = include_str!("../../tests/recorded/netlink-replies.hex");
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| line.as_bytes().chunks(2).map(|b| byte(b).unwrap()).collect()).collect()
    }

    // The record holds numbers in the byte order of the machine it was made on.
    #[cfg(target_endian = "little")]
    #[test]
    fn a_recorded_table_reads_as_what_ipvsadm_was_told() {
        use crate::ipvs::codec::{Reply, messages};
        use std::fmt::Write;

        let mut told = String::new();
        let mut family = Family::Ipv4;
        for datagram in recorded() {
            for message in messages(&datagram) {
                match message.unwrap().reply {
                    Reply::Service(service) => {
                        let (key, settings) = service_from_wire(&service).unwrap();
                        family = key.family();
                        let ServiceSettings { scheduler, persistence, engine, .. } = settings;
                        let flags = settings.scheduler_flags.bits();
                        writeln!(told, "{key} {scheduler} {flags} {persistence:?} {engine:?}")
                    }
                    Reply::Destination(row) => {
                        let (at, row) = destination_from_wire(family, &row).unwrap();
                        writeln!(told, "  {at} {row}")
                    }
                    _ => Ok(()),
                }
                .unwrap();
            }
        }
        // The list of services first, then each with its destinations, newest first.
        let (_, in_full) = told.split_at(told.find("  10.0.0.3").unwrap());
        assert_eq!(
            in_full.lines().collect::<Vec<_>>(),
            [
                "  10.0.0.3:80 ipip(gue:6080+csum) weight=0",
                "  10.0.0.2:8080 masq weight=1",
                "  10.0.0.1:80 gate weight=5 upper=9 lower=2",
                "[2001:db8::1]:53/udp sh 1 Some(Persistence { timeout: 60, netmask: V6(64) }) Some(\"sip\")",
                "  10.0.0.9:53 ipip weight=1",
                "fwmark:7/ipv6 rr 0 None None",
            ]
        );
        let first = "192.0.2.1:80/tcp wlc 0 \
                     Some(Persistence { timeout: 300, netmask: V4(255.255.255.0) }) None";
        assert!(told.contains(first), "{told}");
    }
}
