//! A greeting and, with a login, the best way in that the server offers.
//!
//! ```text
//!             with a timestamp
//!   Greeting ------------------> Apop -- +OK ----------------------------------+
//!      |                          | -ERR                                       v
//!      +--------------------------+-> Capa --> Capable -- CRAM-MD5 --> Cram --> done
//!                                      | -ERR     | none                | -ERR  ^
//!                                      +----------+---------------------+-> User --> Pass
//! ```
//!
//! In the order of ldirectord's library (Mail::POP3Client, `AUTH_MODE` BEST): servers that keep
//! their passwords readable, to be shown them by APOP or CRAM-MD5, may refuse them in the clear.

use super::{begins_with, foreign, frame};
use crate::probe::miss::Phase;
use crate::probe::session::{Act, Session};
use crate::probe::{base64, evidence, hash};

/// One conversation.
pub(in crate::probe) struct Pop<'a> {
    login: Option<(&'a str, &'a str)>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Greeting,
    /// A proof was sent in answer to the greeting.
    Apop,
    /// What it can do was asked.
    Capa,
    /// It says what it can do; whether CRAM-MD5 was among that.
    Capable(bool),
    /// A challenge is due.
    Cram,
    /// The proof that answers it was sent.
    Proved,
    User,
    Pass,
}

impl<'a> Pop<'a> {
    /// A conversation that ends with the greeting, or with this user logged in.
    pub fn new(login: Option<(&'a str, &'a str)>) -> Pop<'a> {
        Pop { login, state: State::Greeting }
    }

    fn say(&mut self, state: State, line: &str) -> Act {
        self.state = state;
        Act::Send(format!("{line}\r\n").into_bytes())
    }

    fn begin(&mut self, greeting: &[u8], (user, password): (&str, &str)) -> Act {
        match timestamp(greeting) {
            // RFC 1939 section 7.
            Some(stamp) => {
                let proof = hash::hex(&hash::md5(&[stamp, password.as_bytes()]));
                self.say(State::Apop, &format!("APOP {user} {proof}"))
            }
            None => self.say(State::Capa, "CAPA"),
        }
    }

    /// A line of what the server can do, RFC 2449; the last is a dot.
    fn hear_ability(&mut self, line: &[u8], so_far: bool, user: &str) -> Act {
        let line = line.trim_ascii();
        if line == b"." {
            return match so_far {
                true => self.say(State::Cram, "AUTH CRAM-MD5"),
                false => self.say(State::User, &format!("USER {user}")),
            };
        }
        let mut words = line.split(u8::is_ascii_whitespace);
        let sasl = words.next().is_some_and(|word| word.eq_ignore_ascii_case(b"SASL"));
        let here = sasl && words.any(|word| word.eq_ignore_ascii_case(b"CRAM-MD5"));
        self.state = State::Capable(so_far || here);
        Act::Wait
    }

    /// RFC 2195.
    fn hear_challenge(&mut self, line: &[u8], user: &str, password: &str) -> Result<Act, String> {
        let unreadable = "a CRAM-MD5 challenge that cannot be read";
        let challenge = line.trim_ascii().strip_prefix(b"+ ").and_then(base64::decode);
        let proof = hash::hmac_md5(password.as_bytes(), &challenge.ok_or(unreadable)?);
        let answer = format!("{user} {}", hash::hex(&proof));
        Ok(self.say(State::Proved, &base64::encode(answer.as_bytes())))
    }

    /// A refusal: there may be another way in.
    fn refused(&mut self, line: &[u8]) -> Result<Act, String> {
        let shown = matches!(self.state, State::Apop | State::Proved | State::Pass);
        if shown && is_let_in_later(line) {
            return Ok(Act::Done);
        }
        match (self.state, self.login) {
            (State::Apop, Some(_)) => Ok(self.say(State::Capa, "CAPA")),
            (State::Capa | State::Cram | State::Proved, Some((user, _))) => {
                Ok(self.say(State::User, &format!("USER {user}")))
            }
            _ => Err(evidence::line(line)),
        }
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
        let Some((user, password)) = self.login else {
            return match (begins_with(line, "+OK"), begins_with(line, "-ERR")) {
                (true, _) => Ok(Act::Done),
                (_, true) => Err(evidence::line(line)),
                _ => Err(foreign("POP3", line)),
            };
        };
        match self.state {
            State::Capable(so_far) => return Ok(self.hear_ability(line, so_far, user)),
            State::Cram if line.starts_with(b"+ ") => {
                return self.hear_challenge(line, user, password);
            }
            _ if begins_with(line, "-ERR") => return self.refused(line),
            _ if !begins_with(line, "+OK") => return Err(foreign("POP3", line)),
            _ => {}
        }
        Ok(match self.state {
            State::Greeting => self.begin(line, (user, password)),
            State::Capa => {
                self.state = State::Capable(false);
                Act::Wait
            }
            State::User => self.say(State::Pass, &format!("PASS {password}")),
            // Let in before the proof was seen.
            State::Cram => return Err(foreign("POP3", line)),
            State::Apop | State::Proved | State::Pass | State::Capable(_) => Act::Done,
        })
    }

    fn phase(&self) -> Phase {
        match self.state {
            State::Greeting => Phase::PopGreeting,
            _ => Phase::PopLogin,
        }
    }

    fn goodbye(&self) -> Vec<u8> {
        b"QUIT\r\n".into()
    }
}

/// `<1896.697170952@dbc.mtview.ca.us>`, which a server says that knows APOP.
fn timestamp(greeting: &[u8]) -> Option<&[u8]> {
    let begin = greeting.iter().position(|&byte| byte == b'<')?;
    let end = begin + greeting[begin..].iter().position(|&byte| byte == b'>')?;
    let inside = greeting.get(begin + 1..end)?;
    let whole = inside.iter().all(u8::is_ascii_graphic) && inside.contains(&b'@');
    whole.then(|| &greeting[begin..=end])
}

/// RFC 2449 section 8.1: the mailbox is open elsewhere, or was a moment ago. The login was right,
/// and the server is alive: to check a mailbox somebody reads must not take its server away.
fn is_let_in_later(line: &[u8]) -> bool {
    let said = line.get("-ERR".len()..).unwrap_or_default().trim_ascii_start();
    ["[IN-USE]", "[LOGIN-DELAY]"].iter().any(|code| {
        said.get(..code.len()).is_some_and(|said| said.eq_ignore_ascii_case(code.as_bytes()))
    })
}
