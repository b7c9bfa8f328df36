//! `watching` in `global.yaml`: what holds for all that is watched.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::catalogue as keys;
use super::catalogue::Key;
use super::walk::{Entry, Fields, Walk};
use crate::model::{Collapse, Settings, ViewItem};

impl<'a> Walk<'a> {
    pub(super) fn watching(&mut self, entry: &Entry<'a>, settings: &mut Settings) {
        let Some(fields) = self.fields(entry.value, &keys::WATCHING_KEYS) else { return };
        let all = &mut settings.watching;
        all.max_processes = fields.entry(&keys::MAX_PROCESSES).and_then(|e| self.integer(e));
        if let Some(history) = fields.entry(&keys::HISTORY).and_then(|e| self.integer(e)) {
            all.history = history;
        }
        all.random_start = self.wait_of(&fields, &keys::RANDOM_START);
        all.exclude = self.exclusion(&fields, &keys::EXCLUDE_PERIOD);
        if let Some(limit) = fields.entry(&keys::RECURSION_LIMIT).and_then(|e| self.integer(e)) {
            all.recursion_limit = limit;
        }
        let reset = fields.entry(&keys::STARTUP_ALERTS_ON_RESET).and_then(|e| self.flag(e));
        all.startup_alerts_on_reset = reset == Some(true);
        all.historic_file = self.path_of(&fields, &keys::HISTORIC_FILE);
        all.historic_time = self.wait_of(&fields, &keys::HISTORIC_TIME);
        all.downtime_file = self.path_of(&fields, &keys::DOWNTIME_FILE);
        all.folders.state = self.path_of(&fields, &keys::STATE_DIR).unwrap_or_default();
        all.folders.log = self.path_of(&fields, &keys::LOG_DIR).unwrap_or_default();
        all.folders.config = self.path_of(&fields, &keys::CONFIG_DIR).unwrap_or_default();
        all.collapse = fields.entry(&keys::COLLAPSE).and_then(|e| self.collapse(e));
        settings.views = fields.entry(&keys::VIEWS).map(|e| self.views(e)).unwrap_or_default();
    }

    fn path_of(&mut self, fields: &Fields<'a>, key: &'static Key) -> Option<PathBuf> {
        let entry = fields.entry(key)?;
        let path = self.line(entry)?;
        if !path.starts_with('/') {
            return self.refuse(entry, "is a path from the root", "begin it with \"/\"");
        }
        Some(path.into())
    }

    fn collapse(&mut self, entry: &Entry<'a>) -> Option<Collapse> {
        let fields = self.fields(entry.value, &keys::COLLAPSE_KEYS)?;
        let within = self.wait_of(&fields, &keys::WITHIN);
        let more_than = fields.entry(&keys::MORE_THAN).and_then(|e| self.integer(e));
        Some(Collapse { within: within?, more_than: more_than? })
    }

    fn views(&mut self, entry: &Entry<'a>) -> BTreeMap<Arc<str>, Arc<[ViewItem]>> {
        let mut views = BTreeMap::new();
        for (name, entry) in self.texts(entry) {
            let Some(text) = self.line(&entry) else { continue };
            let items = text.split_whitespace().map(|item| match item.split_once(':') {
                Some((group, service)) => {
                    ViewItem { group: group.into(), service: Some(service.into()) }
                }
                None => ViewItem { group: item.into(), service: None },
            });
            views.insert(Arc::from(name), items.collect());
        }
        views
    }
}
