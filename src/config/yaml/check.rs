//! `check:` and what stands in it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::address::{self, Host, Written};
use super::catalogue as keys;
use super::catalogue::Kind;
use super::probe::bare;
use super::scalar;
use super::tree::Value;
use super::walk::{Entry, Fields, Walk};
use crate::config::diagnostic::quoted;
use crate::model::{Between, CheckSpec, Probe, Protocol};

/// A check as far as it is written; the rest comes from the service, the defaults and the
/// catalogue.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct CheckDraft {
    pub(super) probe: Option<Probe>,
    interval: Option<Duration>,
    timeout: Option<Duration>,
    retry: Option<Duration>,
    rise: Option<u16>,
    fall: Option<u16>,
    pub(super) address: Option<IpAddr>,
    pub(super) port: Option<u16>,
    connects_between: Option<u16>,
}

// The defaults of the catalogue as values; a test holds the two together.
const INTERVAL: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(3);

/// The check that the first of these drafts to say anything wants; `automatic` is done where
/// none names a probe. To connect is to connect by the service's protocol.
pub(super) fn resolve(
    drafts: &[&CheckDraft],
    automatic: &Probe,
    protocol: Option<Protocol>,
) -> CheckSpec {
    let connect = Probe::connect(protocol);
    let interval = drafts.iter().find_map(|draft| draft.interval).unwrap_or(INTERVAL);
    let timeout = drafts.iter().find_map(|draft| draft.timeout).unwrap_or(TIMEOUT);
    let probe = drafts.iter().find_map(|d| d.probe.clone()).unwrap_or_else(|| automatic.clone());
    let connects = drafts.iter().find_map(|draft| draft.connects_between).unwrap_or(0);
    let probe = if probe.is_connect() { connect.clone() } else { probe };
    let between = Between { times: connects, probe: connect, timeout };
    CheckSpec {
        between: (connects > 0 && probe.is_by_tcp()).then_some(between),
        probe,
        interval,
        retry: drafts.iter().find_map(|draft| draft.retry).unwrap_or(interval),
        timeout,
        rise: drafts.iter().find_map(|draft| draft.rise).unwrap_or(1),
        fall: drafts.iter().find_map(|draft| draft.fall).unwrap_or(1),
    }
}

/// The kind of check of this name, where the name alone does not say enough.
fn needs_options(name: &str) -> Option<&'static keys::Key> {
    let named = |key: &&&'static keys::Key| key.name == name;
    keys::CHECK_CHOICE.iter().find(named).copied().filter(|_| !keys::BARE_CHECKS.contains(&name))
}

impl<'a> Walk<'a> {
    /// A check as a bare word or a mapping.
    pub(super) fn check(&mut self, entry: &Entry<'a>) -> CheckDraft {
        let section = match entry.key.kind {
            Kind::WordOr(_, section) => section,
            _ => &keys::CHECK_KEYS,
        };
        match &entry.value.value {
            Value::Mapping(_) => {
                let fields = self.fields(entry.value, section);
                fields.map(|fields| self.check_mapping(&fields)).unwrap_or_default()
            }
            Value::Scalar { text, .. } if needs_options(text).is_some() => {
                if let Some(key) = needs_options(text) {
                    let hint =
                        format!("write for example check: {{{}: {}}}", key.name, key.example);
                    self.refuse::<()>(entry, format!("{text} needs more than its name"), hint);
                }
                CheckDraft::default()
            }
            // Other readers of YAML take the words on and off for these, and write these for them.
            Value::Scalar { text, plain: true } if matches!(text.as_ref(), "true" | "false") => {
                let message = format!("cannot be {}", quoted(text));
                let hint = "write on (every server counts as up) or off (as down)";
                self.refuse::<()>(entry, message, hint);
                CheckDraft::default()
            }
            _ => CheckDraft { probe: self.word(entry).and_then(bare), ..CheckDraft::default() },
        }
    }

    fn check_mapping(&mut self, fields: &Fields<'a>) -> CheckDraft {
        let chosen = keys::CHECK_CHOICE.iter().find_map(|key| fields.entry(key));
        let draft = CheckDraft {
            probe: chosen.and_then(|entry| self.probe(entry)),
            interval: fields.entry(&keys::INTERVAL).and_then(|e| self.duration(e)),
            timeout: fields.entry(&keys::TIMEOUT).and_then(|e| self.duration(e)),
            retry: fields.entry(&keys::RETRY).and_then(|e| self.duration(e)),
            rise: fields.entry(&keys::RISE).and_then(|e| self.integer(e)),
            fall: fields.entry(&keys::FALL).and_then(|e| self.integer(e)),
            address: fields.entry(&keys::CHECK_ADDRESS).and_then(|e| self.check_address(e)),
            port: fields.entry(&keys::CHECK_PORT).and_then(|e| self.integer(e)),
            connects_between: fields.entry(&keys::CONNECTS_BETWEEN).and_then(|e| self.integer(e)),
        };
        if let (Some(entry), Some(probe)) = (fields.entry(&keys::CONNECTS_BETWEEN), &draft.probe)
            && !probe.is_by_tcp()
        {
            let message = format!("does not go with {}", probe.name());
            self.refuse::<()>(entry, message, "it goes with checks that talk by TCP, such as http");
        }
        if let (Some(timeout), Some(interval)) = (draft.timeout, draft.interval)
            && timeout > interval
            && let Some(entry) = fields.entry(&keys::TIMEOUT)
        {
            let (timeout, interval) =
                (scalar::duration_text(timeout), scalar::duration_text(interval));
            let message = format!("timeout {timeout} is longer than interval {interval}");
            self.findings.warning(entry.span(), message, "a probe may be out when the next is due");
        }
        draft
    }

    /// An address with nothing after it.
    fn check_address(&mut self, entry: &Entry<'a>) -> Option<IpAddr> {
        let text = self.scalar(entry)?;
        // IPv6 needs no brackets here.
        if let Ok(bare) = text.parse() {
            return self.host(Host::Address(bare), None, entry.span());
        }
        match address::parse(text) {
            Ok(Written { host, port: None }) => self.host(host, None, entry.span()),
            Ok(_) => self.refuse(entry, "is an address alone", "write port: beside it"),
            Err(wrong) => {
                self.findings.error(entry.span(), wrong.message, wrong.hint);
                None
            }
        }
    }

    /// The one value in memory for this check in this file.
    pub(super) fn shared(&mut self, check: CheckSpec) -> Arc<CheckSpec> {
        if let Some(known) = self.checks.get(&check) {
            return known.clone();
        }
        let shared = Arc::new(check.clone());
        self.checks.insert(check, shared.clone());
        shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_of_the_catalogue() {
        let said = |key: &keys::Key| scalar::duration(key.default.unwrap_or_default());
        assert_eq!(said(&keys::INTERVAL), Some(INTERVAL));
        assert_eq!(said(&keys::TIMEOUT), Some(TIMEOUT));
        let number = |key: &keys::Key| scalar::integer(key.default.unwrap_or_default());
        let spec = resolve(&[], &Probe::Connect, None);
        assert_eq!(number(&keys::RISE), Some(spec.rise.into()));
        assert_eq!(number(&keys::FALL), Some(spec.fall.into()));
    }
}
