//! Whether PostgreSQL wants to speak by TLS. Pure: one question, an answer of one byte.
//!
//! Asked before anything else, as every client that is told nothing does, libpq's among them
//! (`sslmode=prefer`): a server whose rules are `hostssl` lets nobody in who did not.

use super::dialogue::{complaint, foreign, message_length};
use crate::probe::evidence;
use crate::probe::miss::Phase;
use crate::probe::session::{Act, Session};

/// SSLRequest: eight bytes in all, and a version that never was.
const REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// The question, and once it is answered what the answer was.
#[derive(Default)]
pub(in crate::probe) struct Encryption {
    /// Whether the server goes on by TLS.
    pub agreed: bool,
}

impl Session for Encryption {
    const NAME: &'static str = "pgsql";

    fn open(&mut self) -> Vec<u8> {
        REQUEST.into()
    }

    fn frame(&self, bytes: &[u8]) -> Result<Option<usize>, String> {
        match bytes {
            [b'S' | b'N'] => Ok(Some(1)),
            // The server has nothing to say before it is spoken to. What stands here was put in
            // by somebody between, to be taken for words of the server's own (CVE-2021-23222).
            [b'S' | b'N', ..] => {
                Err(format!("says more than was asked before TLS: {}", evidence::excerpt(bytes)))
            }
            // A server that cannot even begin, for lack of processes for instance, says why.
            [b'E', ..] => message_length(bytes),
            [] => Ok(None),
            _ => Err(foreign(bytes)),
        }
    }

    fn hear(&mut self, message: &[u8]) -> Result<Act, String> {
        match message {
            [b'E', _, _, _, _, body @ ..] => Err(complaint(body)),
            answer => {
                self.agreed = answer == b"S";
                Ok(Act::Done)
            }
        }
    }

    fn phase(&self) -> Phase {
        Phase::PgsqlLogin
    }

    /// Nobody leaves here.
    fn goodbye(&self) -> Vec<u8> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is made of an answer; whether TLS is agreed on.
    fn heard(said: &[u8]) -> Result<Option<bool>, String> {
        let mut asked = Encryption::default();
        let Some(length) = asked.frame(said)? else { return Ok(None) };
        let Some(message) = said.get(..length) else { return Ok(None) };
        asked.hear(message).map(|_| Some(asked.agreed))
    }

    #[test]
    fn a_server_goes_on_by_tls_or_in_the_clear() {
        assert_eq!(heard(b"S"), Ok(Some(true)));
        assert_eq!(heard(b"N"), Ok(Some(false)));
        assert_eq!(heard(b""), Ok(None));
    }

    #[test]
    fn bytes_stuffed_behind_the_answer_are_refused() {
        for stuffed in [&b"SR\0\0\0\x08\0\0\0\0"[..], b"NR\0\0\0\x08\0\0\0\0", b"SS"] {
            let said = heard(stuffed).unwrap_err();
            assert!(said.starts_with("says more than was asked before TLS: \""), "{said}");
        }
    }

    #[test]
    fn anything_else_is_a_complaint_or_no_postgresql() {
        let said = heard(b"E\0\0\0\x14Mout of memory\0\0");
        assert_eq!(said, Err("out of memory".into()));
        assert_eq!(heard(b"E\0\0\0\x14Mout"), Ok(None));
        assert_eq!(heard(b"HTTP/1.1 400"), Err(r#"not PostgreSQL: "HTTP/1.1 400""#.into()));
        assert_eq!(heard(b"ERROR 1"), Err(r#"not PostgreSQL: "ERROR 1""#.into()));
        assert_eq!(heard(b"\x16\x03\x01"), Err(r#"not PostgreSQL: "\x16\x03\x01""#.into()));
    }
}
