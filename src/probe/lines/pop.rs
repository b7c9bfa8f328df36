//! A greeting and, with a login, USER and PASS.
//!
//! The ways to log in that hide the password from whoever listens (APOP, CRAM-MD5) are not
//! spoken: they need it readable on the server, and servers of today offer TLS instead.

use super::{begins_with, foreign, frame};
use crate::probe::evidence;
use crate::probe::miss::Phase;
use crate::probe::session::{Act, Session};

/// One conversation.
pub(in crate::probe) struct Pop<'a> {
    login: Option<(&'a str, &'a str)>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Greeting,
    User,
    Pass,
}

impl<'a> Pop<'a> {
    /// A conversation that ends with the greeting, or with this user logged in.
    pub fn new(login: Option<(&'a str, &'a str)>) -> Pop<'a> {
        Pop { login, state: State::Greeting }
    }

    fn say(&mut self, state: State, verb: &str, argument: &str) -> Act {
        self.state = state;
        Act::Send(format!("{verb} {argument}\r\n").into_bytes())
    }
}

impl Session for Pop<'_> {
    const NAME: &'static str = "pop";

    fn open(&mut self) -> Vec<u8> {
        Vec::new()
    }

    fn frame(&self, bytes: &[u8]) -> Result<Option<usize>, String> {
        frame(bytes)
    }

    fn hear(&mut self, line: &[u8]) -> Result<Act, String> {
        if begins_with(line, "-ERR") {
            if self.state == State::Pass && is_let_in_later(line) {
                return Ok(Act::Done);
            }
            return Err(evidence::line(line));
        }
        if !begins_with(line, "+OK") {
            return Err(foreign("POP3", line));
        }
        Ok(match (self.state, self.login) {
            (State::Greeting, Some((user, _))) => self.say(State::User, "USER", user),
            (State::User, Some((_, password))) => self.say(State::Pass, "PASS", password),
            (State::Greeting | State::User, None) | (State::Pass, _) => Act::Done,
        })
    }

    fn phase(&self) -> Phase {
        match self.state {
            State::Greeting => Phase::PopGreeting,
            State::User | State::Pass => Phase::PopLogin,
        }
    }

    fn goodbye(&self) -> Vec<u8> {
        b"QUIT\r\n".into()
    }
}

/// RFC 2449 section 8.1: the mailbox is open elsewhere, or was a moment ago. The login was right,
/// and the server is alive: to check a mailbox somebody reads must not take its server away.
fn is_let_in_later(line: &[u8]) -> bool {
    let said = line.get("-ERR".len()..).unwrap_or_default().trim_ascii_start();
    ["[IN-USE]", "[LOGIN-DELAY]"].iter().any(|code| {
        said.get(..code.len()).is_some_and(|said| said.eq_ignore_ascii_case(code.as_bytes()))
    })
}
