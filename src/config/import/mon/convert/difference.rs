//! What a converted file says otherwise.

use std::path::PathBuf;
use std::sync::Arc;

use super::super::services;
use crate::config::{self, Defaults, Dialect, Names, Severity, Source};
use crate::model::{MonFile, WatchSpec};

/// Reads back what is printed and compares it with what the file said.
pub(super) fn all(file: &MonFile, global: &str, items: &str, names: &dyn Names) -> Vec<String> {
    let source = |dialect, text: &str| Source {
        path: Arc::new(PathBuf::from("converted.yaml")),
        dialect,
        text: text.into(),
    };
    let head = config::parse(&source(Dialect::Global, global), &Defaults::default(), names);
    let defaults = head.defaults.clone().unwrap_or_default();
    let printed = config::parse(&source(Dialect::Yaml, items), &defaults, names);
    let mut found = Vec::new();
    let told = head.diagnostics.iter().chain(&printed.diagnostics);
    for error in told.filter(|diagnostic| diagnostic.severity == Severity::Error) {
        found.push(format!("this is not taken back: {}", error.message));
    }
    let settings = head.settings.unwrap_or_default();
    if (&settings.watching, &settings.views) != (&file.watching.settings, &file.watching.views) {
        found.push("what is for global.yaml is not the same".to_owned());
    }
    let watching = printed.watching.as_deref().cloned().unwrap_or_default();
    for (group, hosts) in &file.watching.groups {
        if watching.groups.get(group) != Some(hosts) {
            found.push(format!("the hosts of {group} are not the same"));
        }
    }
    for (key, spec) in &file.watching.services {
        if watching.services.get(key).is_none_or(|read| ordered(read) != ordered(spec)) {
            found.push(format!("{key} is not the same"));
        }
    }
    for joined in &file.joined {
        let meant = services::service(joined);
        let found_as = printed.services.iter().find(|d| d.service.key == joined.service);
        if found_as.is_none_or(|declared| *declared.service != meant) {
            found.push(format!("{} is not the same", joined.service));
        }
    }
    let binds = [&file.port.server, &file.port.trap];
    if binds.iter().any(|bind| bind.host.is_some() || bind.port.is_some()) {
        found.push("the port for clients and traps is opened by a mon.cf alone".to_owned());
    }
    found
}

/// Without what makes no difference: in which order alerts for different things stand.
fn ordered(spec: &WatchSpec) -> WatchSpec {
    let mut spec = spec.clone();
    let mut periods = spec.periods.to_vec();
    periods.iter_mut().for_each(|period| period.alerts.sort_by_key(|alert| alert.on));
    spec.periods = periods.into();
    spec
}
