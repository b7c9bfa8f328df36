//! A greeting: 200 where one may post, 201 where not.

use super::{foreign, frame, unwanted};
use crate::probe::evidence;
use crate::probe::miss::Phase;
use crate::probe::session::{Act, Session};

/// One conversation.
pub(in crate::probe) struct Nntp;

impl Session for Nntp {
    const NAME: &'static str = "nntp";

    fn open(&mut self) -> Vec<u8> {
        Vec::new()
    }

    fn frame(&self, bytes: &[u8]) -> Result<Option<usize>, String> {
        frame(bytes)
    }

    fn hear(&mut self, line: &[u8]) -> Result<Act, String> {
        match line.first_chunk() {
            Some([b'2', b'0'..=b'9', b'0'..=b'9']) => Ok(Act::Done),
            Some(code) if code.iter().all(u8::is_ascii_digit) => {
                Err(unwanted(&evidence::line(line), "2xx"))
            }
            _ => Err(foreign("NNTP", line)),
        }
    }

    fn phase(&self) -> Phase {
        Phase::NntpGreeting
    }

    fn goodbye(&self) -> Vec<u8> {
        b"QUIT\r\n".into()
    }
}
