//! A greeting, EHLO, and HELO where that is refused.
//!
//! ```text
//!   Greeting --> Ehlo --------> done
//!        220       |  250
//!               5xx `--> Helo --^
//! ```

use super::{frame, unwanted};
use crate::probe::miss::Phase;
use crate::probe::reply::Replies;
use crate::probe::session::{Act, Session};

/// Who says hello. Mail servers that look at it have known this name from ldirectord's checks.
const NAME: &str = "localhost.localdomain";

/// One conversation.
#[derive(Default)]
pub(in crate::probe) struct Smtp {
    replies: Replies,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Greeting,
    Ehlo,
    Helo,
}

impl Session for Smtp {
    const NAME: &'static str = "smtp";

    fn open(&mut self) -> Vec<u8> {
        Vec::new()
    }

    fn frame(&self, bytes: &[u8]) -> Result<Option<usize>, String> {
        frame(bytes)
    }

    fn hear(&mut self, line: &[u8]) -> Result<Act, String> {
        let (_, Some(reply)) = self.replies.feed(line)? else { return Ok(Act::Wait) };
        match (self.state, reply.code) {
            (State::Greeting, 200..=299) => Ok(self.say(State::Ehlo, "EHLO")),
            (State::Ehlo | State::Helo, 200..=299) => Ok(Act::Done),
            // Closing the connection: there is nobody left to say HELO to.
            (State::Ehlo, 421) => Err(unwanted(&reply.shown(), "2xx")),
            (State::Ehlo, 400..=599) => Ok(self.say(State::Helo, "HELO")),
            _ => Err(unwanted(&reply.shown(), "2xx")),
        }
    }

    fn phase(&self) -> Phase {
        match self.state {
            State::Greeting => Phase::SmtpGreeting,
            State::Ehlo | State::Helo => Phase::SmtpHello,
        }
    }

    fn goodbye(&self) -> Vec<u8> {
        b"QUIT\r\n".into()
    }
}

impl Smtp {
    fn say(&mut self, state: State, verb: &str) -> Act {
        self.state = state;
        Act::Send(format!("{verb} {NAME}\r\n").into_bytes())
    }
}
