//! Names in place of numbers: hosts and ports that somebody else must be asked for.

use std::net::IpAddr;
use std::ops::Range;

use super::address::{self, Host, Port};
use super::walk::Walk;
use crate::config::diagnostic::quoted;
use crate::model::{Family, Protocol};

impl Walk<'_> {
    /// An address that one host can have, looked up when it is a name: of this family when
    /// there is one, else of the other.
    pub(super) fn host(
        &mut self,
        host: Host,
        family: Option<Family>,
        place: &Range<usize>,
    ) -> Option<IpAddr> {
        let address = match host {
            Host::Address(address) => address,
            Host::Name(name) => self.look_up(name, family, place)?,
        };
        if let Some(why) = address::unusable(address) {
            self.findings.error(place, format!("{address} {why}"), ());
            return None;
        }
        Some(address)
    }

    fn look_up(
        &mut self,
        name: &str,
        family: Option<Family>,
        place: &Range<usize>,
    ) -> Option<IpAddr> {
        let families = match family {
            Some(Family::Ipv6) => [Family::Ipv6, Family::Ipv4],
            _ => [Family::Ipv4, Family::Ipv6],
        };
        let found = families.iter().map(|family| self.names.host(name, *family));
        let Some(addresses) = found.into_iter().find(|addresses| !addresses.is_empty()) else {
            let message = format!("host {} is not found", quoted(name));
            self.findings.error(place, message, "write an address, or see to the resolver");
            return None;
        };
        let first = addresses.first().copied()?;
        if addresses.iter().any(|address| *address != first) {
            let message = format!("host {} has several addresses; {first} is used", quoted(name));
            self.findings.warning(place, message, "write the address you mean");
        }
        Some(first)
    }

    pub(super) fn port(
        &mut self,
        port: Port,
        protocol: Option<Protocol>,
        place: &Range<usize>,
    ) -> Option<u16> {
        let name = match port {
            Port::Number(port) => return Some(port),
            Port::Name(name) => name,
        };
        let found = self.names.port(name, protocol);
        if found.is_none() {
            let message = format!("port {} is not found in /etc/services", quoted(name));
            self.findings.error(place, message, "write its number");
        }
        found
    }
}
