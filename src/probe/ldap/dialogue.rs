//! What to say next to a directory, RFC 4511. Pure: messages in, acts out.
//!
//! ```text
//!   bind request -> Bind -- success --> Search -- one entry, success --> done
//! ```

use super::ber::{
    self, ENUMERATED, Elements, INTEGER, OCTET_STRING, SEQUENCE, element, message, small,
};
use crate::model::LdapProbe;
use crate::probe::evidence;
use crate::probe::miss::Phase;
use crate::probe::session::{Act, Session};

/// The operations, by their tags.
const BIND_REQUEST: u8 = 0x60;
const BIND_RESPONSE: u8 = 0x61;
const UNBIND_REQUEST: u8 = 0x42;
const SEARCH_REQUEST: u8 = 0x63;
const SEARCH_ENTRY: u8 = 0x64;
const SEARCH_DONE: u8 = 0x65;
const SEARCH_REFERENCE: u8 = 0x73;
const EXTENDED_RESPONSE: u8 = 0x78;
const INTERMEDIATE_RESPONSE: u8 = 0x79;

/// The identifiers of our messages; 0 is the server's own.
const BIND_ID: u8 = 1;
const SEARCH_ID: u8 = 2;
const UNBIND_ID: u8 = 3;

/// One dialogue.
pub(in crate::probe) struct Dialogue<'a> {
    probe: &'a LdapProbe,
    bound: bool,
    /// The name of the entry found.
    found: Option<Vec<u8>>,
}

impl<'a> Dialogue<'a> {
    pub fn new(probe: &'a LdapProbe) -> Dialogue<'a> {
        Dialogue { probe, bound: false, found: None }
    }

    /// The distinguished name of the entry that was found.
    pub fn into_found(self) -> Vec<u8> {
        self.found.unwrap_or_default()
    }

    fn hear_bind(&mut self, operation: u8, content: &[u8]) -> Result<Act, String> {
        match (operation, LdapResult::read(content)) {
            (BIND_RESPONSE, Some(result)) if result.code == 0 => {
                self.bound = true;
                Ok(Act::Send(search_request(&self.probe.base)))
            }
            (BIND_RESPONSE, Some(result)) => Err(format!("bind: {}", result.shown())),
            _ => Err(UNREADABLE.into()),
        }
    }

    fn hear_search(&mut self, operation: u8, content: &[u8]) -> Result<Act, String> {
        match operation {
            SEARCH_ENTRY => {
                let name = Elements(content).expect(OCTET_STRING).ok_or(UNREADABLE)?;
                match self.found.replace(name.into()) {
                    None => Ok(Act::Wait),
                    Some(_) => Err(format!("more than one entry {}", self.base())),
                }
            }
            // What is elsewhere is nobody's entry here.
            SEARCH_REFERENCE | INTERMEDIATE_RESPONSE => Ok(Act::Wait),
            SEARCH_DONE => {
                let result = LdapResult::read(content).ok_or(UNREADABLE)?;
                match (result.code, &self.found) {
                    (0, Some(_)) => Ok(Act::Done),
                    (0, None) => Err(format!("no entry {}", self.base())),
                    _ => Err(format!("search {}: {}", self.base(), result.shown())),
                }
            }
            _ => Err(UNREADABLE.into()),
        }
    }

    /// The name searched for, fit for a reason.
    fn base(&self) -> String {
        match self.probe.base.as_str() {
            "" => "of the server itself".into(),
            base => evidence::text(base),
        }
    }
}

const UNREADABLE: &str = "an answer that cannot be read";

impl Session for Dialogue<'_> {
    const NAME: &'static str = "ldap";

    fn open(&mut self) -> Vec<u8> {
        bind_request(self.probe.login.as_ref())
    }

    fn frame(&self, bytes: &[u8]) -> Result<Option<usize>, String> {
        ber::frame(bytes)
    }

    fn hear(&mut self, message: &[u8]) -> Result<Act, String> {
        let envelope = Elements(message).expect(SEQUENCE).ok_or(UNREADABLE)?;
        let mut elements = Elements(envelope);
        let id = elements.number(INTEGER).ok_or(UNREADABLE)?;
        let (operation, content) = elements.next().ok_or(UNREADABLE)?;
        let asked = if self.bound { SEARCH_ID } else { BIND_ID };
        match (id, self.bound) {
            // A notice of disconnection, the one thing a server says unasked.
            (0, _) if operation == EXTENDED_RESPONSE => {
                let result = LdapResult::read(content).ok_or(UNREADABLE)?;
                Err(format!("disconnected: {}", result.shown()))
            }
            (id, _) if id != u32::from(asked) => Err("an answer to nothing that was asked".into()),
            (_, false) => self.hear_bind(operation, content),
            (_, true) => self.hear_search(operation, content),
        }
    }

    fn phase(&self) -> Phase {
        if self.bound { Phase::LdapSearch } else { Phase::LdapBind }
    }

    fn goodbye(&self) -> Vec<u8> {
        message(UNBIND_ID, &element(UNBIND_REQUEST, &[]))
    }
}

/// A simple bind of version 3; empty name and password are nobody in particular.
fn bind_request(login: Option<&(String, String)>) -> Vec<u8> {
    let (name, password) = login.map_or(("", ""), |(name, password)| (name, password));
    let parts = [
        small(INTEGER, 3),
        element(OCTET_STRING, name.as_bytes()),
        element(0x80, password.as_bytes()),
    ];
    message(BIND_ID, &element(BIND_REQUEST, &parts.concat()))
}

/// For the entry itself, whatever it is, without its attributes.
fn search_request(base: &str) -> Vec<u8> {
    let (base_object, never_dereference) = (0, 0);
    let no_limit = small(INTEGER, 0);
    let values_too = element(0x01, &[0]);
    let parts = [
        element(OCTET_STRING, base.as_bytes()),
        small(ENUMERATED, base_object),
        small(ENUMERATED, never_dereference),
        no_limit.clone(),
        no_limit,
        values_too,
        // (objectClass=*), which every entry has.
        element(0x87, b"objectClass"),
        // RFC 4511 section 4.5.1.8: no attribute is called so.
        element(SEQUENCE, &element(OCTET_STRING, b"1.1")),
    ];
    message(SEARCH_ID, &element(SEARCH_REQUEST, &parts.concat()))
}

/// How an operation ended.
struct LdapResult<'a> {
    code: u32,
    diagnostic: &'a [u8],
}

impl<'a> LdapResult<'a> {
    fn read(content: &'a [u8]) -> Option<LdapResult<'a>> {
        let (code, diagnostic) = ber::result(content)?;
        Some(LdapResult { code, diagnostic })
    }

    /// `invalid credentials`, with what the server said about it.
    fn shown(&self) -> String {
        let name = name(self.code).map_or_else(|| format!("error {}", self.code), str::to_owned);
        match self.diagnostic {
            [] => name,
            said => format!("{name}: {}", evidence::excerpt(said)),
        }
    }
}

/// The result codes of RFC 4511 appendix A that a bind or a search can end with.
fn name(code: u32) -> Option<&'static str> {
    Some(match code {
        1 => "operations error",
        2 => "protocol error",
        3 => "time limit exceeded",
        4 => "size limit exceeded",
        7 => "authentication method not supported",
        8 => "stronger authentication required",
        10 => "referred to another server",
        11 => "administrative limit exceeded",
        12 => "critical extension not available",
        13 => "confidentiality required",
        14 => "SASL bind in progress",
        32 => "no such object",
        33 => "alias problem",
        34 => "not a valid distinguished name",
        48 => "inappropriate authentication",
        49 => "invalid credentials",
        50 => "insufficient access rights",
        51 => "busy",
        52 => "unavailable",
        53 => "unwilling to perform",
        54 => "loop detected",
        80 => "error of the server",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn probe() -> LdapProbe {
        let base = "dc=lab,dc=test".into();
        LdapProbe { tls: None, host: None, login: None, base, receive: None }
    }

    fn result(id: u8, operation: u8, code: u8, said: &str) -> Vec<u8> {
        let text = |text: &str| element(OCTET_STRING, text.as_bytes());
        let parts = [small(ENUMERATED, code), text(""), text(said)].concat();
        message(id, &element(operation, &parts))
    }

    fn entry(name: &str) -> Vec<u8> {
        let parts = [element(OCTET_STRING, name.as_bytes()), element(SEQUENCE, &[])].concat();
        message(SEARCH_ID, &element(SEARCH_ENTRY, &parts))
    }

    /// What is done about the last of these messages.
    fn last(messages: &[Vec<u8>]) -> (Result<Act, String>, Vec<u8>) {
        let probe = probe();
        let mut dialogue = Dialogue::new(&probe);
        let acts: Vec<_> = messages.iter().map(|message| dialogue.hear(message)).collect();
        (acts.into_iter().next_back().unwrap(), dialogue.into_found())
    }

    fn bound() -> Vec<u8> {
        result(BIND_ID, BIND_RESPONSE, 0, "")
    }

    fn done(code: u8) -> Vec<u8> {
        result(SEARCH_ID, SEARCH_DONE, code, "")
    }

    #[test]
    fn requests_are_what_rfc_4511_asks_for() {
        let login = ("cn=x".to_owned(), "pw".to_owned());
        let bind = b"\x30\x12\x02\x01\x01\x60\x0d\x02\x01\x03\x04\x04cn=x\x80\x02pw";
        assert_eq!(bind_request(Some(&login)), bind);
        let anonymous = b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0";
        assert_eq!(bind_request(None), anonymous);
        let search = b"\x30\x2c\x02\x01\x02\x63\x27\x04\x02o=\x0a\x01\0\x0a\x01\0\x02\x01\0\
            \x02\x01\0\x01\x01\0\x87\x0bobjectClass\x30\x05\x04\x031.1";
        assert_eq!(search_request("o="), search);
    }

    #[test]
    fn one_entry_passes_and_has_a_name() {
        let reference = message(SEARCH_ID, &element(SEARCH_REFERENCE, b""));
        let (act, found) = last(&[bound(), reference, entry("dc=lab,dc=test"), done(0)]);
        assert_eq!((act, &found[..]), (Ok(Act::Done), &b"dc=lab,dc=test"[..]));
        assert_eq!(last(&[bound()]).0, Ok(Act::Send(search_request("dc=lab,dc=test"))));
    }

    #[test]
    fn refusals_are_told_in_words() {
        for (messages, reason) in [
            (vec![result(BIND_ID, BIND_RESPONSE, 49, "")], "bind: invalid credentials"),
            (
                vec![result(BIND_ID, BIND_RESPONSE, 53, "no anonymous")],
                r#"bind: unwilling to perform: "no anonymous""#,
            ),
            (vec![bound(), done(32)], "search dc=lab,dc=test: no such object"),
            (vec![bound(), done(77)], "search dc=lab,dc=test: error 77"),
            (vec![bound(), done(0)], "no entry dc=lab,dc=test"),
            (vec![bound(), entry("a"), entry("b")], "more than one entry dc=lab,dc=test"),
            (vec![result(0, EXTENDED_RESPONSE, 52, "")], "disconnected: unavailable"),
            (vec![bound(), bound()], "an answer to nothing that was asked"),
            (vec![result(BIND_ID, SEARCH_DONE, 0, "")], UNREADABLE),
            (vec![message(BIND_ID, b"")], UNREADABLE),
        ] {
            assert_eq!(last(&messages).0, Err(reason.into()));
        }
    }

    #[test]
    fn what_is_no_ldap_is_quoted() {
        let probe = probe();
        let frame = |bytes: &[u8]| Dialogue::new(&probe).frame(bytes);
        assert_eq!(frame(b"SSH-2.0"), Err("not LDAP: \"SSH-2.0\"".into()));
        assert_eq!(frame(&bound()), Ok(Some(bound().len())));
        assert_eq!(frame(b""), Ok(None));
    }

    proptest! {
        #[test]
        fn arbitrary_messages_never_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..60), at in any::<usize>(), by: u8
        ) {
            let _ = last(std::slice::from_ref(&bytes));
            let _ = last(&[bound(), message(SEARCH_ID, &bytes)]);
            let mut bent = entry("dc=lab");
            let at = at % bent.len();
            bent[at] = by;
            let _ = last(&[bound(), bent]);
            let _ = Dialogue::new(&probe()).frame(&bytes);
        }
    }
}
