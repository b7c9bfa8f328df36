//! What somebody meant who wrote a word we do not know.

use super::catalogue::{DEFAULT_KEYS, Key, SECTIONS, Section};
use crate::config::diagnostic::quoted;
use crate::config::nearest::nearest;

/// Words of other programs and other years, with what they are called here.
const FOREIGN: &[(&str, &str)] = &[
    (
        "checktype",
        "write check: {http: ...} to say what is asked, or check: on, off, ping or connect",
    ),
    ("service", "write check: {http: ...} to say what is asked"),
    ("checkinterval", "write check: {..., interval: 10s}"),
    ("delay_loop", "write check: {..., interval: 10s}"),
    ("checktimeout", "write check: {..., timeout: 5s}"),
    ("negotiatetimeout", "write check: {..., timeout: 5s}"),
    ("connect_timeout", "write check: {..., timeout: 5s}"),
    ("checkcount", "write check: {..., fall: 3}"),
    ("failurecount", "write check: {..., fall: 3}"),
    ("checkcommand", "write check: {external: [command, argument]}"),
    ("httpmethod", "write check: {http: {method: HEAD}}"),
    ("quiescent", "write on_failure: quiesce"),
    ("cleanstop", "write on_stop: remove or on_stop: keep"),
    ("lb_algo", "write scheduler:"),
    ("lvs_sched", "write scheduler:"),
    ("lb_kind", "write forward: with gate, masq or ipip"),
    ("lvs_method", "write forward: with gate, masq or ipip"),
    ("method", "write forward: with gate, masq or ipip"),
    ("persistence_timeout", "write persistent:"),
    ("ops", "write one_packet: true"),
    ("sorry_server", "write fallback:"),
    ("servers", "write real:"),
    ("backends", "write real:"),
    ("u_threshold", "write upper:"),
    ("l_threshold", "write lower:"),
    ("schedflags", "write scheduler_flags: [fallback, port]"),
    ("emailalert", "write alerts: [{alert: mail.alert ADDRESS, upalert: mail.alert ADDRESS}]"),
    ("address", "write virtual: ADDRESS:PORT"),
];

/// What was meant by a key that is none of this section's, and a hint. Meant is the key that a slip
/// of the fingers makes it of; a word that is a key elsewhere, or another program's, is no slip.
pub(super) fn key(section: &'static Section, name: &str) -> (Option<&'static Key>, Option<String>) {
    if let Some((_, hint)) = FOREIGN.iter().find(|(word, _)| *word == name) {
        return (None, Some((*hint).to_owned()));
    }
    if let Some(home) = SECTIONS.iter().find(|other| other.key(name).is_some()) {
        let of_all = std::ptr::eq(*home, &DEFAULT_KEYS);
        return (None, (!of_all).then(|| format!("this is a key of {}", home.name)));
    }
    let near = nearest(name, section.keys.iter().map(|key| key.name));
    let hint = match near {
        Some(near) => format!("did you mean {}?", quoted(near)),
        None => format!("known keys: {}", list(section.keys.iter().map(|key| key.name))),
    };
    (near.and_then(|near| section.key(near)), Some(hint))
}

/// A hint for a word that is none of these.
pub(super) fn word(words: &[&'static str], given: &str) -> String {
    match nearest(given, words.iter().copied()) {
        Some(near) => format!("did you mean {}?", quoted(near)),
        None => format!("write one of: {}", list(words.iter().copied())),
    }
}

pub(super) fn list<'w>(words: impl Iterator<Item = &'w str>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::SERVICE;
    use super::*;

    fn key_of_a_service(name: &str) -> Option<String> {
        key(&SERVICE, name).1
    }

    #[test]
    fn a_slip_of_the_fingers_finds_its_key() {
        for (given, meant) in [
            ("shceduler", "scheduler"),
            ("schedular", "scheduler"),
            ("Virtual", "virtual"),
            ("reals", "real"),
            ("fall-back", "fallback"),
            ("one-packet", "one_packet"),
            ("wieght", "weight"),
        ] {
            assert_eq!(
                key_of_a_service(given),
                Some(format!("did you mean \"{meant}\"?")),
                "{given}"
            );
        }
    }

    #[test]
    fn keys_of_other_places_and_programs_are_sent_home() {
        assert_eq!(key_of_a_service("interval").as_deref(), Some("this is a key of a check"));
        assert_eq!(key_of_a_service("quiescent").as_deref(), Some("write on_failure: quiesce"));
        // However near to one of ours.
        assert_eq!(key_of_a_service("sip").as_deref(), Some("this is a key of a check"));
        assert!(key_of_a_service("xyzzy").unwrap_or_default().starts_with("known keys: virtual"));
        assert!(key_of_a_service(&"x".repeat(100_000)).is_some());
    }
}
