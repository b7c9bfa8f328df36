//! Requests into bytes.

use std::net::IpAddr;

use netlink_packet_core::{NLA_F_NESTED, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkBuffer};

use super::{Daemon, Destination, INET, Key, NETLINK_HEADER, Request, Service, attr};

/// The version in the generic netlink header.
const FAMILY_VERSION: u8 = 1;

/// The flags a request may change: all but HASHED (2), which is the kernel's own and which
/// kernels before 5.13 lose a service by.
pub(super) const SETTABLE_FLAGS: u32 = 0x3d;

/// Writes requests one after another, ready for one send.
#[derive(Default, Debug)]
pub struct Writer {
    bytes: Vec<u8>,
    /// Where the last request starts.
    last: usize,
}

impl Writer {
    /// Forgets what was written and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.last = 0;
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Appends a request to the family with this id. Answers carry `sequence`.
    pub fn push(&mut self, family_id: u16, sequence: u32, request: &Request<'_>) {
        self.last = self.bytes.len();
        let dump = matches!(
            request,
            Request::ListServices | Request::ListDestinations(_) | Request::ListDaemons
        );
        let flags = if dump { NLM_F_REQUEST | NLM_F_DUMP } else { NLM_F_REQUEST };
        self.bytes.extend_from_slice(&[0; NETLINK_HEADER]);
        self.bytes.extend_from_slice(&[request.command(), FAMILY_VERSION, 0, 0]);
        self.body(request);
        let length = self.bytes.len() - self.last;
        let mut header = NetlinkBuffer::new(&mut self.bytes[self.last..]);
        header.set_length(length as u32);
        header.set_message_type(family_id);
        header.set_flags(flags);
        header.set_sequence_number(sequence);
    }

    /// Has the last request answered also when it succeeds. Failures always are.
    pub fn acknowledge_last(&mut self) {
        if self.bytes.is_empty() {
            return;
        }
        let mut header = NetlinkBuffer::new(&mut self.bytes[self.last..]);
        let flags = header.flags();
        header.set_flags(flags | NLM_F_ACK);
    }

    /// Sends what was written to the family with another id.
    pub fn address_to(&mut self, family_id: u16) {
        let mut start = 0;
        while start < self.bytes.len() {
            let mut header = NetlinkBuffer::new(&mut self.bytes[start..]);
            header.set_message_type(family_id);
            start += header.length() as usize;
        }
    }

    fn body(&mut self, request: &Request<'_>) {
        match request {
            Request::AddService(service) | Request::EditService(service) => {
                self.nest(attr::SERVICE, |w| w.service(service));
            }
            Request::RemoveService(key)
            | Request::ReadService(key)
            | Request::ListDestinations(key) => self.nest(attr::SERVICE, |w| w.key(key)),
            Request::AddDestination(key, destination)
            | Request::EditDestination(key, destination) => {
                self.nest(attr::SERVICE, |w| w.key(key));
                self.nest(attr::DEST, |w| {
                    w.destination_key(key, destination);
                    w.destination_values(destination);
                });
            }
            Request::RemoveDestination(key, destination) => {
                self.nest(attr::SERVICE, |w| w.key(key));
                self.nest(attr::DEST, |w| w.destination_key(key, destination));
            }
            Request::StartDaemon(daemon) => self.nest(attr::DAEMON, |w| w.daemon(daemon)),
            Request::StopDaemon(state) => self.nest(attr::DAEMON, |w| {
                w.attribute(attr::daemon::STATE, &state.to_ne_bytes());
            }),
            Request::ListServices | Request::ListDaemons | Request::Info => {}
        }
    }

    fn key(&mut self, key: &Key) {
        use attr::service::{ADDR, AF, FWMARK, PORT, PROTOCOL};
        self.attribute(AF, &key.family().to_ne_bytes());
        match key {
            Key::Address { family, protocol, address, port } => {
                self.attribute(PROTOCOL, &protocol.to_ne_bytes());
                self.attribute(ADDR, significant(*family, address));
                self.attribute(PORT, &port.to_be_bytes());
            }
            Key::Fwmark { mark, .. } => self.attribute(FWMARK, &mark.to_ne_bytes()),
        }
    }

    fn service(&mut self, service: &Service<'_>) {
        use attr::service::{FLAGS, NETMASK, PE_NAME, SCHED_NAME, TIMEOUT};
        self.key(&service.key);
        self.text(SCHED_NAME, service.scheduler);
        // Flags and the mask of those meant, as one attribute: with a mask of 0 the kernel
        // takes the request and changes no flag.
        let mut flags = [0; 8];
        flags[..4].copy_from_slice(&(service.flags & SETTABLE_FLAGS).to_ne_bytes());
        flags[4..].copy_from_slice(&SETTABLE_FLAGS.to_ne_bytes());
        self.attribute(FLAGS, &flags);
        self.attribute(TIMEOUT, &service.timeout.to_ne_bytes());
        self.attribute(NETMASK, &service.netmask);
        // Left out, the kernel takes the engine away.
        if let Some(engine) = service.engine {
            self.text(PE_NAME, engine);
        }
    }

    fn destination_key(&mut self, key: &Key, destination: &Destination) {
        use attr::dest::{ADDR, ADDR_FAMILY, PORT};
        let family = destination.family.unwrap_or(key.family());
        self.attribute(ADDR, significant(family, &destination.address));
        self.attribute(PORT, &destination.port.to_be_bytes());
        // Kernels before 3.18 do not know it, and need it for nothing but mixed families.
        if family != key.family() {
            self.attribute(ADDR_FAMILY, &family.to_ne_bytes());
        }
    }

    fn destination_values(&mut self, d: &Destination) {
        use attr::dest::{FWD_METHOD, L_THRESH, TUN_FLAGS, TUN_PORT, TUN_TYPE, U_THRESH, WEIGHT};
        self.attribute(FWD_METHOD, &d.method.to_ne_bytes());
        self.attribute(WEIGHT, &d.weight.to_ne_bytes());
        self.attribute(U_THRESH, &d.upper.to_ne_bytes());
        self.attribute(L_THRESH, &d.lower.to_ne_bytes());
        // Left out, the kernel sets all three to zero: that is plain ipip.
        if (d.tunnel_kind, d.tunnel_port, d.tunnel_flags) != (0, 0, 0) {
            self.attribute(TUN_TYPE, &[d.tunnel_kind]);
            self.attribute(TUN_PORT, &d.tunnel_port.to_be_bytes());
            self.attribute(TUN_FLAGS, &d.tunnel_flags.to_ne_bytes());
        }
    }

    fn daemon(&mut self, daemon: &Daemon<'_>) {
        use attr::daemon::{
            MCAST_GROUP, MCAST_GROUP6, MCAST_IFN, MCAST_PORT, MCAST_TTL, STATE, SYNC_ID,
            SYNC_MAXLEN,
        };
        self.attribute(STATE, &daemon.state.to_ne_bytes());
        self.text(MCAST_IFN, daemon.interface);
        self.attribute(SYNC_ID, &daemon.id.to_ne_bytes());
        if let Some(bytes) = daemon.max_packet {
            self.attribute(SYNC_MAXLEN, &bytes.to_ne_bytes());
        }
        match daemon.group {
            Some(IpAddr::V4(group)) => self.attribute(MCAST_GROUP, &group.octets()),
            Some(IpAddr::V6(group)) => self.attribute(MCAST_GROUP6, &group.octets()),
            None => {}
        }
        if let Some(port) = daemon.port {
            self.attribute(MCAST_PORT, &port.to_ne_bytes());
        }
        if let Some(ttl) = daemon.ttl {
            self.attribute(MCAST_TTL, &[ttl]);
        }
    }

    fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Writer)) {
        let start = self.bytes.len();
        self.attribute(kind | NLA_F_NESTED, &[]);
        fill(self);
        let length = (self.bytes.len() - start) as u16;
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
    }

    fn text(&mut self, kind: u16, text: &str) {
        let mut padded = [0; 17];
        // The longest name the kernel takes has 15 bytes and a NUL (an engine's has 16).
        let length = text.len().min(padded.len() - 1);
        padded[..length].copy_from_slice(&text.as_bytes()[..length]);
        self.attribute(kind, &padded[..=length]);
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        let length = (4 + value.len()) as u16;
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

fn significant(family: u16, address: &[u8; 16]) -> &[u8] {
    if family == INET { &address[..4] } else { address }
}
