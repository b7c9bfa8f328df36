//! `global.yaml`: the daemon's settings, and defaults for the services of the folder.

use std::path::PathBuf;
use std::sync::Arc;

use super::alerts::{self, AlertsDraft, Told};
use super::catalogue as keys;
use super::check::CheckDraft;
use super::scalar::{self, Mask};
use super::tree::Node;
use super::vip::VipDraft;
use super::walk::{Entry, Fields, Walk};
use crate::config::diagnostic::quoted;
use crate::model::{
    FailureAction, ForwardingMethod, KernelName, Role, SchedulerFlags, Settings, StopAction,
    SysctlPolicy, Tunnel,
};

/// What a `global.yaml` sets for the services of its folder that do not say otherwise.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Defaults {
    pub(super) scheduler: Option<KernelName>,
    pub(super) scheduler_flags: SchedulerFlags,
    pub(super) forward: Option<ForwardingMethod>,
    pub(super) tunnel: Option<Tunnel>,
    /// Seconds; 0 for none.
    pub(super) persistent: Option<u32>,
    pub(super) netmask: Option<Mask>,
    pub(super) weight: Option<u32>,
    pub(super) upper: Option<u32>,
    pub(super) lower: Option<u32>,
    pub(super) check: CheckDraft,
    pub(super) on_failure: Option<FailureAction>,
    pub(super) on_stop: Option<StopAction>,
    /// Whether a sync daemon runs, beside which the kernel takes no tunnel between families.
    pub(super) syncs: bool,
    pub(super) maintenance_dir: Option<Arc<PathBuf>>,
    pub(super) vips: Vec<VipDraft>,
    pub(super) alerts: Option<Arc<AlertsDraft>>,
    /// Where the programs of alerts are, for all services of the folder.
    pub(super) alert_dir: Option<Arc<[PathBuf]>>,
    /// The same for monitors.
    pub(super) monitor_dir: Option<Arc<[PathBuf]>>,
}

impl<'a> Walk<'a> {
    pub(super) fn global(&mut self, node: &'a Node<'a>) -> (Settings, Defaults) {
        let mut settings = Settings::default();
        let Some(fields) = self.fields(node, &keys::GLOBAL) else {
            return (settings, Defaults::default());
        };
        if let Some(limit) = fields.entry(&keys::REMOVE_LIMIT).and_then(|e| self.percent(e)) {
            settings.remove_limit = limit;
        }
        if let Some(word) = fields.entry(&keys::SYSCTL).and_then(|e| self.word(e)) {
            settings.sysctl = if word == "warn" { SysctlPolicy::Warn } else { SysctlPolicy::Set };
        }
        if let Some(word) = fields.entry(&keys::ROLE).and_then(|e| self.word(e)) {
            settings.role = Role::named(word).unwrap_or_default();
        }
        settings.sync = fields.entry(&keys::SYNC).and_then(|e| self.sync(e));
        if let Some(hold) = fields.entry(&keys::LOCAL_ERROR_HOLD).and_then(|e| self.duration(e)) {
            settings.local_error_hold = hold;
        }
        if let Some(entry) = fields.entry(&keys::WATCHING).filter(|e| !e.value.is_null()) {
            self.watching(entry, &mut settings);
        }
        let defaults = match fields.entry(&keys::DEFAULTS).filter(|e| !e.value.is_null()) {
            Some(entry) => self.fields(entry.value, &keys::DEFAULT_KEYS),
            None => None,
        };
        // With the heading or without it: some of both is one list all the same.
        let all = match defaults {
            Some(defaults) => self.joined(defaults, &fields),
            None => fields,
        };
        let defaults = Defaults { syncs: settings.sync.is_some(), ..self.defaults(&all) };
        (settings, defaults)
    }

    fn defaults(&mut self, fields: &Fields<'a>) -> Defaults {
        let scheduler = fields.entry(&keys::SCHEDULER).and_then(|e| self.kernel_name(e));
        let flags = fields.entry(&keys::SCHEDULER_FLAGS);
        let alert_dir = fields.entry(&keys::ALERT_DIR).and_then(|e| self.search_path(e));
        let folders = alerts::folders(alert_dir.as_ref(), alerts::ALERTS);
        let told = Told { folders: &folders, by_checks: true };
        let defaults = Defaults {
            scheduler,
            scheduler_flags: flags.map(|e| self.scheduler_flags(e, scheduler)).unwrap_or_default(),
            forward: fields.entry(&keys::FORWARD).and_then(|e| self.method_of(e)),
            tunnel: fields.entry(&keys::TUNNEL).and_then(|e| self.tunnel(e)),
            persistent: fields.entry(&keys::PERSISTENT).and_then(|e| self.persistent(e)),
            netmask: fields.entry(&keys::NETMASK).and_then(|e| self.netmask(e)),
            weight: fields.entry(&keys::WEIGHT).and_then(|e| self.integer(e)),
            upper: fields.entry(&keys::UPPER).and_then(|e| self.integer(e)),
            lower: fields.entry(&keys::LOWER).and_then(|e| self.integer(e)),
            check: fields.entry(&keys::DEFAULT_CHECK).map(|e| self.check(e)).unwrap_or_default(),
            on_failure: fields.entry(&keys::ON_FAILURE).and_then(|e| self.on_failure(e)),
            syncs: false,
            on_stop: fields.entry(&keys::ON_STOP).and_then(|e| self.on_stop(e)),
            maintenance_dir: fields
                .entry(&keys::MAINTENANCE_DIR)
                .and_then(|e| self.maintenance_dir(e)),
            vips: fields.entry(&keys::VIP).map(|e| self.global_vips(e)).unwrap_or_default(),
            alerts: fields.entry(&keys::DEFAULT_ALERTS).map(|e| Arc::new(self.alerts(e, told))),
            monitor_dir: fields.entry(&keys::MONITOR_DIR).and_then(|e| self.search_path(e)),
            alert_dir: alert_dir.clone(),
        };
        if let (Some(lower), Some(entry)) = (defaults.lower, fields.entry(&keys::LOWER))
            && lower > defaults.upper.unwrap_or(0)
            && (defaults.upper.is_some() || !fields.has(&keys::UPPER))
        {
            self.thresholds(entry.span(), defaults.upper.unwrap_or(0), lower);
        }
        defaults
    }

    pub(super) fn maintenance_dir(&mut self, entry: &Entry<'a>) -> Option<Arc<PathBuf>> {
        let path = self.line(entry)?;
        if !path.starts_with('/') {
            return self.refuse(entry, "is a path from the root", "begin it with \"/\"");
        }
        Some(Arc::new(path.into()))
    }

    fn percent(&mut self, entry: &Entry<'a>) -> Option<u8> {
        let text = self.scalar(entry)?;
        let percent = scalar::percent(text);
        if percent.is_none() {
            let message = format!("is a share from 0% to 100%, not {}", quoted(text));
            return self.refuse(entry, message, super::walk::example(entry.key));
        }
        percent
    }
}
