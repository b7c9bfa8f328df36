//! The sysctls a configuration relies on: set, or at least told.

use super::TableChoice;
use crate::event::Event;
use crate::ipvs::sysctl;
use crate::model::{Desired, SysctlPolicy};
use crate::target;

/// Sets what is not as the services need it, or says so, as the settings ask.
pub fn ensure(desired: &Desired, table: TableChoice) -> Vec<Event> {
    if table == TableChoice::Memory {
        return Vec::new();
    }
    let services = desired.services.values().map(AsRef::as_ref);
    let needed = target::sysctls(services);
    needed.iter().filter_map(|needed| ensure_one(needed, desired.settings.sysctl)).collect()
}

fn ensure_one(needed: &target::Sysctl, policy: SysctlPolicy) -> Option<Event> {
    let target::Sysctl { name, value, why } = *needed;
    let missing = |found: String| Event::SysctlMissing { name, wanted: value, found, reason: why };
    let found = match sysctl::read(name) {
        Ok(found) if found == value.to_string() => return None,
        Ok(found) => found,
        Err(error) => return Some(missing(error.message)),
    };
    if policy == SysctlPolicy::Warn {
        return Some(missing(found));
    }
    Some(match sysctl::write(name, &value.to_string()) {
        Ok(()) => Event::SysctlSet { name, from: found, to: value, reason: why },
        Err(error) => missing(error.message),
    })
}
