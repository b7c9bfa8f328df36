//! Addresses that the director holds, as their owner would write them.

use std::time::Duration;

use super::text;
use crate::config::yaml::scalar::duration_text;
use crate::model::{Announce, ServiceKey, Vip, VipKey, VipWhen};

/// One, or a list.
pub(super) fn vips(vips: &[Vip], service: &ServiceKey) -> String {
    let written: Vec<_> = vips.iter().map(|vip| one(vip, service)).collect();
    match &written[..] {
        [only] => only.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}

/// `eth0`, or a mapping of what is not as it would be without a word.
fn one(vip: &Vip, service: &ServiceKey) -> String {
    let VipKey { interface, address, prefix } = &vip.key;
    let interface = text::text(interface.as_str());
    let mut keys = vec![format!("interface: {interface}")];
    let own = matches!(service, ServiceKey::Address { address: own, .. } if own == address);
    if !own || *prefix != VipKey::host_prefix(*address) {
        keys.push(format!("address: '{address}/{prefix}'"));
    }
    if vip.when == VipWhen::Healthy {
        keys.push("when: healthy".to_owned());
    }
    let announce = announce(&vip.announce);
    if !announce.is_empty() {
        keys.push(format!("announce: {{{}}}", announce.join(", ")));
    }
    match keys.len() {
        1 => interface,
        _ => format!("{{{}}}", keys.join(", ")),
    }
}

fn announce(announce: &Announce) -> Vec<String> {
    let Announce { count, again, refresh } = Announce::default();
    let time = |duration: Option<Duration>| duration_text(duration.unwrap_or_default());
    let mut keys = Vec::new();
    if announce.count != count {
        keys.push(format!("count: {}", announce.count));
    }
    if announce.again != again {
        keys.push(format!("again: {}", time(announce.again)));
    }
    if announce.refresh != refresh {
        keys.push(format!("refresh: {}", time(announce.refresh)));
    }
    keys
}
