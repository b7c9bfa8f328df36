//! A search in a directory and a look at what is found, as mon's `ldap.monitor` has it. Pure.

use super::plan::Ldap;
use crate::probe::evidence;
use crate::probe::ldap::ber::{
    self, ENUMERATED, Elements, INTEGER, OCTET_STRING, SEQUENCE, element, message, small,
};
use crate::probe::miss::Phase;
use crate::probe::session::{Act, Session};

/// The operations, by their tags (RFC 4511 section 4).
const BIND_REQUEST: u8 = 0x60;
const BIND_RESPONSE: u8 = 0x61;
const UNBIND_REQUEST: u8 = 0x42;
const SEARCH_REQUEST: u8 = 0x63;
const SEARCH_ENTRY: u8 = 0x64;
const SEARCH_DONE: u8 = 0x65;
const SEARCH_REFERENCE: u8 = 0x73;

const SET: u8 = 0x31;
const BOOLEAN: u8 = 0x01;

/// The identifiers of our messages.
const BIND_ID: u8 = 1;
const SEARCH_ID: u8 = 2;
const UNBIND_ID: u8 = 3;

/// Objects that are counted one by one; each is named in the summary.
const MAX_FAULTS: usize = 255;

/// One dialogue.
pub(super) struct Search<'a> {
    ldap: &'a Ldap,
    bound: bool,
    entries: usize,
    /// What is wrong with which object.
    pub faults: Vec<String>,
}

const UNREADABLE: &str = "an answer that cannot be read";

impl<'a> Search<'a> {
    pub fn new(ldap: &'a Ldap) -> Search<'a> {
        Search { ldap, bound: false, entries: 0, faults: Vec::new() }
    }

    fn fault(&mut self, text: String) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(text);
        }
    }

    /// Whether an object has the value.
    fn look_at(&mut self, content: &[u8]) -> Option<()> {
        let mut elements = Elements(content);
        let name = elements.expect(OCTET_STRING)?;
        let mut attributes = Elements(elements.expect(SEQUENCE)?);
        self.entries += 1;
        let (mut has_attribute, mut has_value) = (false, false);
        while let Some((SEQUENCE, attribute)) = attributes.next() {
            let mut attribute = Elements(attribute);
            let found = attribute.expect(OCTET_STRING)?;
            let mut values = Elements(attribute.expect(SET)?);
            if !found.eq_ignore_ascii_case(self.ldap.attribute.as_bytes()) {
                continue;
            }
            has_attribute = true;
            while let Some((OCTET_STRING, value)) = values.next() {
                has_value |= value == self.ldap.value.as_bytes();
            }
        }
        let (attribute, value) = (&self.ldap.attribute, &self.ldap.value);
        let name = evidence::line(name);
        match (has_attribute, has_value) {
            (true, true) => {}
            (true, false) => {
                let text =
                    format!("Value \"{value}\" not found for Attribute \"{attribute}\" of {name}");
                self.fault(text);
            }
            (false, _) => {
                self.fault(format!("Could not find Attribute \"{attribute}\" for DN={name}"));
            }
        }
        Some(())
    }

    fn hear_search(&mut self, operation: u8, content: &[u8]) -> Result<Act, String> {
        match operation {
            SEARCH_ENTRY => self.look_at(content).map(|()| Act::Wait).ok_or(UNREADABLE.into()),
            SEARCH_REFERENCE => Ok(Act::Wait),
            SEARCH_DONE => {
                let (code, said) = result(content).ok_or(UNREADABLE)?;
                match (self.entries, code) {
                    (0, 0) => Err("returned no entries".into()),
                    (0, code) => Err(format!("returned no entries: error {code} {said}")),
                    _ => Ok(Act::Done),
                }
            }
            _ => Err(UNREADABLE.into()),
        }
    }
}

impl Session for Search<'_> {
    const NAME: &'static str = "ldap";

    /// A bind of version 3 as nobody in particular.
    fn open(&mut self) -> Vec<u8> {
        let parts = [small(INTEGER, 3), element(OCTET_STRING, b""), element(0x80, b"")];
        message(BIND_ID, &element(BIND_REQUEST, &parts.concat()))
    }

    fn frame(&self, bytes: &[u8]) -> Result<Option<usize>, String> {
        ber::frame(bytes)
    }

    fn hear(&mut self, message: &[u8]) -> Result<Act, String> {
        let mut elements = Elements(Elements(message).expect(SEQUENCE).ok_or(UNREADABLE)?);
        let _id = elements.number(INTEGER).ok_or(UNREADABLE)?;
        let (operation, content) = elements.next().ok_or(UNREADABLE)?;
        match (self.bound, operation) {
            (true, operation) => self.hear_search(operation, content),
            (false, BIND_RESPONSE) => match result(content).ok_or(UNREADABLE)? {
                (0, _) => {
                    self.bound = true;
                    Ok(Act::Send(search(self.ldap)))
                }
                (code, said) => Err(format!("bind failed: error {code} {said}")),
            },
            (false, _) => Err(UNREADABLE.into()),
        }
    }

    fn phase(&self) -> Phase {
        if self.bound { Phase::LdapSearch } else { Phase::LdapBind }
    }

    fn goodbye(&self) -> Vec<u8> {
        message(UNBIND_ID, &element(UNBIND_REQUEST, &[]))
    }
}

/// The whole of the tree below the base, with the attribute that is looked at: a photograph beside it
/// is not asked for.
fn search(ldap: &Ldap) -> Vec<u8> {
    let (whole_subtree, finding_base) = (2, 2);
    let attribute = element(OCTET_STRING, ldap.attribute.as_bytes());
    let parts = [
        element(OCTET_STRING, ldap.base.as_bytes()),
        small(ENUMERATED, whole_subtree),
        small(ENUMERATED, finding_base),
        small(INTEGER, 0),
        small(INTEGER, 0),
        element(BOOLEAN, &[0]),
        ldap.filter.clone(),
        element(SEQUENCE, &attribute),
    ];
    message(SEARCH_ID, &element(SEARCH_REQUEST, &parts.concat()))
}

/// The code of a result and what the server says of it.
fn result(content: &[u8]) -> Option<(u32, String)> {
    ber::result(content).map(|(code, said)| (code, evidence::line(said)))
}

#[cfg(test)]
mod tests {
    use super::super::filter;
    use super::*;
    use proptest::prelude::*;

    fn ldap() -> Ldap {
        Ldap {
            port: 389,
            base: "dc=x".into(),
            filter: filter::encode("uid=joe").unwrap(),
            attribute: "objectClass".into(),
            value: "person".into(),
        }
    }

    fn answered(id: u8, operation: u8, content: &[u8]) -> Vec<u8> {
        message(id, &element(operation, content))
    }

    fn done(id: u8, operation: u8, code: u8) -> Vec<u8> {
        let parts =
            [small(ENUMERATED, code), element(OCTET_STRING, b""), element(OCTET_STRING, b"so")];
        answered(id, operation, &parts.concat())
    }

    fn entry(name: &str, attribute: &str, values: &[&str]) -> Vec<u8> {
        let text = |text: &str| element(OCTET_STRING, text.as_bytes());
        let values: Vec<u8> = values.iter().flat_map(|value| text(value)).collect();
        let attribute = element(SEQUENCE, &[text(attribute), element(SET, &values)].concat());
        let parts = [text(name), element(SEQUENCE, &attribute)];
        answered(SEARCH_ID, SEARCH_ENTRY, &parts.concat())
    }

    fn play(messages: &[Vec<u8>]) -> (Result<Act, String>, Vec<String>) {
        let ldap = ldap();
        let mut search = Search::new(&ldap);
        let mut last = Ok(Act::Wait);
        for message in messages {
            last = search.hear(message);
        }
        (last, search.faults)
    }

    #[test]
    fn one_attribute_is_asked_for_and_not_what_stands_beside_it() {
        let asked = search(&ldap());
        let selection = element(SEQUENCE, &element(OCTET_STRING, b"objectClass"));
        assert!(asked.ends_with(&selection), "{asked:?}");
    }

    #[test]
    fn every_object_found_must_have_the_value() {
        let bound = done(BIND_ID, BIND_RESPONSE, 0);
        let end = done(SEARCH_ID, SEARCH_DONE, 0);
        let good = entry("uid=joe", "objectclass", &["top", "person"]);
        let (last, faults) = play(&[bound.clone(), good.clone(), end.clone()]);
        assert_eq!((last, faults), (Ok(Act::Done), vec![]));
        let other = entry("uid=jim", "objectClass", &["top"]);
        let none = entry("uid=jo", "cn", &["person"]);
        let (_, faults) = play(&[bound.clone(), good, other, none, end.clone()]);
        assert_eq!(faults.len(), 2);
        assert!(faults[0].contains("not found") && faults[1].contains("uid=jo"), "{faults:?}");
        let (last, _) = play(&[bound, end]);
        assert_eq!(last, Err("returned no entries".into()));
        let (last, _) = play(&[done(BIND_ID, BIND_RESPONSE, 49)]);
        assert_eq!(last, Err("bind failed: error 49 so".into()));
    }

    proptest! {
        #[test]
        fn arbitrary_messages_never_panic(
            at in any::<usize>(), by: u8, bytes in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let bound = done(BIND_ID, BIND_RESPONSE, 0);
            let mut bent = entry("uid=joe", "objectClass", &["top"]);
            let at = at % bent.len();
            bent[at] = by;
            let _ = play(&[bound, bent, element(SEQUENCE, &bytes)]);
            let _ = Search::new(&ldap()).frame(&bytes);
        }
    }
}
