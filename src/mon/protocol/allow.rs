//! `clientallow`: who is listened to at all.

use std::net::IpAddr;

use crate::pattern::{Pattern, of_address};

/// Patterns of addresses; any of them must fit the whole address.
#[derive(Clone, Debug)]
pub struct Allow(Vec<Pattern>);

impl Default for Allow {
    /// Everybody.
    fn default() -> Allow {
        Allow::parse(".*").0
    }
}

impl Allow {
    /// Patterns with blanks between; those that cannot be used are left out and told of.
    pub fn parse(words: &str) -> (Allow, Vec<String>) {
        let (mut patterns, mut told) = (Vec::new(), Vec::new());
        for word in words.split_ascii_whitespace() {
            match Pattern::compile(&of_address(word)) {
                Ok(pattern) => patterns.push(pattern),
                Err(why) => told.push(format!("clientallow {word:?}: {why}")),
            }
        }
        (Allow(patterns), told)
    }

    pub fn contains(&self, peer: IpAddr) -> bool {
        let address = peer.to_canonical().to_string();
        self.0.iter().any(|pattern| pattern.is_match(address.as_bytes()) == Ok(true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(words: &str, peer: &str) -> bool {
        let (allow, told) = Allow::parse(words);
        assert!(told.is_empty(), "{told:?}");
        allow.contains(peer.parse().unwrap())
    }

    #[test]
    fn a_point_stands_for_itself_and_the_whole_address_must_fit() {
        assert!(allows("10.0.0.1", "10.0.0.1"));
        assert!(!allows("10.0.0.1", "10.0.0.11") && !allows("10.0.0.1", "110.0.0.1"));
        assert!(!allows("1.1.1.1", "1.101.1.1"));
        assert!(allows("10.0.0.[1-9]", "10.0.0.7") && !allows("10.0.0.[1-9]", "10.0.0.0"));
    }

    #[test]
    fn alternatives_are_anchored_as_a_whole() {
        assert!(!allows("127.0.0.1|10.0.0.1", "10.0.0.12"));
        assert!(!allows("127.0.0.1|10.0.0.1", "127.0.0.15"));
    }

    #[test]
    fn any_word_will_do_and_none_is_nobody() {
        assert!(allows("127.0.0.1 192.168.1.\\d+", "192.168.1.20"));
        assert!(allows("127.0.0.1", "::ffff:127.0.0.1"));
        assert!(!allows("", "127.0.0.1"));
        assert!(Allow::default().contains("2001:db8::1".parse().unwrap()));
    }

    #[test]
    fn what_is_no_pattern_lets_nobody_in() {
        let (allow, told) = Allow::parse("10.0.0.(1 127.0.0.1");
        assert_eq!(told.len(), 1);
        assert!(!allow.contains("10.0.0.1".parse().unwrap()));
    }
}
