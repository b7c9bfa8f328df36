//! `sync` in `global.yaml`: connections told to the other director.

use std::net::IpAddr;
use std::sync::Arc;

use super::catalogue as keys;
use super::walk::{Entry, Walk};
use crate::config::diagnostic::quoted;
use crate::model::{InterfaceName, SyncSettings};

impl<'a> Walk<'a> {
    pub(super) fn sync(&mut self, entry: &Entry<'a>) -> Option<Arc<SyncSettings>> {
        let fields = self.fields(entry.value, &keys::SYNC_KEYS)?;
        let interface = fields.entry(&keys::SYNC_INTERFACE).and_then(|e| self.sync_interface(e));
        let group = fields.entry(&keys::SYNC_GROUP).map(|e| self.group(e));
        let id = fields.entry(&keys::SYNC_ID).and_then(|e| self.integer(e));
        let port = fields.entry(&keys::SYNC_PORT).and_then(|e| self.integer(e));
        let ttl = fields.entry(&keys::SYNC_TTL).and_then(|e| self.integer(e));
        let max_packet = fields.entry(&keys::MAX_PACKET).and_then(|e| self.size(e));
        Some(Arc::new(SyncSettings {
            interface: interface?,
            id: id.unwrap_or(SyncSettings::ID),
            group: group.unwrap_or(Some(SyncSettings::GROUP))?,
            port: port.unwrap_or(SyncSettings::PORT),
            ttl: ttl.unwrap_or(SyncSettings::TTL),
            max_packet,
        }))
    }

    fn sync_interface(&mut self, entry: &Entry<'a>) -> Option<InterfaceName> {
        let text = self.line(entry)?;
        let name = InterfaceName::new(text);
        if let Err(error) = name {
            let message = format!("cannot be {}: {error}", quoted(text));
            return self.refuse(entry, message, "see `ip link`");
        }
        name.ok()
    }

    fn group(&mut self, entry: &Entry<'a>) -> Option<IpAddr> {
        let text = self.line(entry)?;
        let group = text.parse().ok().filter(IpAddr::is_multicast);
        if group.is_none() {
            let message = format!("is a multicast address, not {}", quoted(text));
            return self.refuse(entry, message, "leave it out for 224.0.0.81, or write ff02::81");
        }
        group
    }
}
