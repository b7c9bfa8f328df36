//! `vip`: addresses that the director holds itself.

use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;

use super::address;
use super::catalogue as keys;
use super::tree::Value;
use super::walk::{self, Entry, Walk};
use crate::config::diagnostic::quoted;
use crate::model::{Announce, InterfaceName, ServiceKey, Vip, VipKey, VipWhen};

/// A VIP as it is written; which address it is may follow from the service.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct VipDraft {
    interface: InterfaceName,
    /// With its prefix length.
    address: Option<(IpAddr, u8)>,
    when: VipWhen,
    announce: Announce,
    place: Range<usize>,
}

impl<'a> Walk<'a> {
    /// For all services of the folder: each has its own address.
    pub(super) fn global_vips(&mut self, entry: &Entry<'a>) -> Vec<VipDraft> {
        let (own, fixed): (Vec<_>, Vec<_>) =
            self.vips(entry).into_iter().partition(|draft| draft.address.is_none());
        for draft in fixed {
            let message = "an address here would be that of every service";
            let hint = "leave address out: each service has that of its virtual";
            self.findings.error(&draft.place, message, hint);
        }
        own
    }

    pub(super) fn vips(&mut self, entry: &Entry<'a>) -> Vec<VipDraft> {
        let Value::List(items) = &entry.value.value else {
            return self.vip(entry).into_iter().collect();
        };
        let mut drafts = Vec::with_capacity(items.len());
        for item in items {
            let item = entry.item(self.node(*item));
            drafts.extend(self.vip(&item));
        }
        drafts
    }

    fn vip(&mut self, entry: &Entry<'a>) -> Option<VipDraft> {
        let place = entry.span().clone();
        if !matches!(entry.value.value, Value::Mapping(_)) {
            let (when, announce) = (VipWhen::Always, Announce::default());
            let interface = self.interface(entry)?;
            return Some(VipDraft { interface, address: None, when, announce, place });
        }
        let fields = self.fields(entry.value, &keys::VIP_KEYS)?;
        let interface = fields.entry(&keys::VIP_INTERFACE).and_then(|e| self.interface(e));
        // With a mistake in it, it is not the service's own that is meant.
        let address = match fields.entry(&keys::VIP_ADDRESS) {
            Some(written) => Some(self.vip_address(written)?),
            None => None,
        };
        let when = match fields.entry(&keys::VIP_WHEN).and_then(|e| self.word(e)) {
            Some("healthy") => VipWhen::Healthy,
            _ => VipWhen::Always,
        };
        let announce = fields.entry(&keys::VIP_ANNOUNCE).map(|e| self.announce(e));
        let announce = announce.unwrap_or_default();
        let place = walk::head(entry.value, self.text);
        Some(VipDraft { interface: interface?, address, when, announce, place })
    }

    fn interface(&mut self, entry: &Entry<'a>) -> Option<InterfaceName> {
        let text = self.scalar(entry)?;
        if let Ok(interface) = InterfaceName::new(text)
            && !address::looks_like_address(text)
        {
            return Some(interface);
        }
        let message = format!("names an interface, not {}", quoted(text));
        let hint = match address::looks_like_address(text) {
            true => {
                "write vip: eth0: the address is that of virtual; another one is written \
                     vip: {interface: eth0, address: 10.0.0.3}"
            }
            false => "up to 15 characters without blanks, \"/\" and \":\", like eth0",
        };
        self.refuse(entry, message, hint)
    }

    fn vip_address(&mut self, entry: &Entry<'a>) -> Option<(IpAddr, u8)> {
        let text = self.scalar(entry)?;
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let Ok(address) = address.parse::<IpAddr>() else {
            let message = format!("is an address, not {}", quoted(text));
            return self.refuse(entry, message, walk::example(entry.key));
        };
        if let Some(why) = unholdable(address) {
            return self.refuse(entry, format!("cannot be {address}: it {why}"), "");
        }
        let most = VipKey::host_prefix(address);
        let Some(prefix) = prefix else { return Some((address, most)) };
        let length = super::scalar::integer(prefix).and_then(|length| u8::try_from(length).ok());
        match length.filter(|length| (1..=most).contains(length)) {
            Some(length) => Some((address, length)),
            None => {
                let message = format!("cannot have the prefix length {}", quoted(prefix));
                self.refuse(entry, message, format!("from 1 to {most}"))
            }
        }
    }

    fn announce(&mut self, entry: &Entry<'a>) -> Announce {
        let mut announce = Announce::default();
        let Some(fields) = self.fields(entry.value, &keys::ANNOUNCE_KEYS) else { return announce };
        let some = |duration: Duration| Some(duration).filter(|duration| !duration.is_zero());
        if let Some(count) = fields.entry(&keys::ANNOUNCE_COUNT).and_then(|e| self.integer(e)) {
            announce.count = count;
        }
        if let Some(again) = fields.entry(&keys::ANNOUNCE_AGAIN).and_then(|e| self.duration(e)) {
            announce.again = some(again);
        }
        if let Some(entry) = fields.entry(&keys::ANNOUNCE_REFRESH) {
            announce.refresh = self.duration(entry).and_then(some);
            if announce.refresh.is_some_and(|refresh| refresh < keys::LEAST_REFRESH) {
                self.refuse::<()>(entry, "is more often than once a second", "write 1s or more");
            }
        }
        announce
    }

    /// The VIPs of a service; `written` in its own file, or the folder's for all services, of
    /// which those that do not fit are left out.
    pub(super) fn vips_of(
        &mut self,
        drafts: &[VipDraft],
        service: Option<ServiceKey>,
        written: bool,
    ) -> Vec<Vip> {
        let mut vips: Vec<Vip> = Vec::with_capacity(drafts.len());
        for draft in drafts {
            match fitting(draft, service, &vips) {
                Ok(key) => {
                    let VipDraft { when, announce, .. } = draft;
                    vips.push(Vip { key, when: *when, announce: *announce });
                }
                Err(Some((message, hint))) if written => {
                    self.findings.error(&draft.place, message, hint);
                }
                Err(_) => {}
            }
        }
        vips
    }
}

/// What a draft is for this service, or why it is nothing, and the remedy; `None` where the
/// service itself has a mistake.
fn fitting(
    draft: &VipDraft,
    service: Option<ServiceKey>,
    others: &[Vip],
) -> Result<VipKey, Option<(String, &'static str)>> {
    let (address, prefix) = match (draft.address, service) {
        (Some(address), _) => address,
        (None, None) => return Err(None),
        (None, Some(ServiceKey::Address { address, .. })) => {
            (address, VipKey::host_prefix(address))
        }
        (None, Some(ServiceKey::Fwmark { .. })) => {
            let message = "a firewall mark has no address that could be held".to_owned();
            return Err(Some((message, "write vip: {interface: eth0, address: 10.0.0.3}")));
        }
    };
    if let Some(why) = unholdable(address) {
        return Err(Some((format!("{address} cannot be held: it {why}"), "leave vip out")));
    }
    let key = VipKey { interface: draft.interface.clone(), address, prefix };
    match others.iter().any(|other| other.key == key) {
        true => Err(Some((format!("{key} is there twice"), "keep one of the two"))),
        false => Ok(key),
    }
}

/// Why an address cannot be put on an interface, or need not.
fn unholdable(address: IpAddr) -> Option<&'static str> {
    let loopback = address.is_loopback().then_some("is this host's own in any case");
    address::unusable(address).or(loopback)
}
