//! A greeting and, with a login, LOGIN. Nothing is opened, and nothing expunged.
//!
//! User and password are quoted; one that cannot be, for it is not ASCII, is announced by its
//! length and sent when the server has said `+` (a literal, RFC 3501 section 4.3).

use std::collections::VecDeque;

use super::{begins_with, foreign, frame};
use crate::probe::evidence;
use crate::probe::miss::Phase;
use crate::probe::session::{Act, Session};

/// One conversation.
pub(in crate::probe) struct Imap {
    /// What is still to be said, each part when the server asks for it; empty without a login.
    parts: VecDeque<Vec<u8>>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Greeting,
    Login,
}

impl Imap {
    /// A conversation that ends with the greeting, or with this user logged in.
    pub fn new(login: Option<(&str, &str)>) -> Imap {
        let parts = login.map(|(user, password)| command(user, password)).unwrap_or_default();
        Imap { parts, state: State::Greeting }
    }

    /// The next part, or why there is none.
    fn say(&mut self, line: &[u8]) -> Result<Act, String> {
        self.state = State::Login;
        self.parts.pop_front().map(Act::Send).ok_or_else(|| evidence::line(line))
    }
}

/// `a1 LOGIN "user" "password"`, cut wherever the server must be waited for.
fn command(user: &str, password: &str) -> VecDeque<Vec<u8>> {
    let mut parts = VecDeque::from([b"a1 LOGIN".to_vec()]);
    for word in [user, password] {
        let last = parts.back_mut().expect("parts are added and never removed");
        last.push(b' ');
        if word.is_ascii() {
            last.extend(quoted(word).into_bytes());
        } else {
            last.extend(format!("{{{}}}\r\n", word.len()).into_bytes());
            parts.push_back(word.as_bytes().to_vec());
        }
    }
    let last = parts.back_mut().expect("parts are added and never removed");
    last.extend(b"\r\n");
    parts
}

fn quoted(word: &str) -> String {
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
}

impl Session for Imap {
    const NAME: &'static str = "imap";

    fn open(&mut self) -> Vec<u8> {
        Vec::new()
    }

    fn frame(&self, bytes: &[u8]) -> Result<Option<usize>, String> {
        frame(bytes)
    }

    fn hear(&mut self, line: &[u8]) -> Result<Act, String> {
        let said = |word| begins_with(line, word);
        match self.state {
            State::Greeting if said("* PREAUTH") => Ok(Act::Done),
            State::Greeting if said("* OK") && self.parts.is_empty() => Ok(Act::Done),
            State::Greeting if said("* OK") => self.say(line),
            State::Login if said("+") => self.say(line),
            State::Login if said("a1 OK") => Ok(Act::Done),
            _ if said("* BYE") => Err(evidence::line(line)),
            State::Login if said("*") => Ok(Act::Wait),
            // The tag is ours, and says nothing to the reader.
            State::Login if said("a1") => Err(evidence::line(&line[2..])),
            _ => Err(foreign("IMAP", line)),
        }
    }

    fn phase(&self) -> Phase {
        match self.state {
            State::Greeting => Phase::ImapGreeting,
            State::Login => Phase::ImapLogin,
        }
    }

    fn goodbye(&self) -> Vec<u8> {
        b"a2 LOGOUT\r\n".into()
    }
}
