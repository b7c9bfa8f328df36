//! What to say next to an FTP server. Pure: replies in, acts out.
//!
//! ```text
//!   Greeting -> User -> Pass -> Type -> Epsv ----------> Retrieve -> Transfer -> done
//!        220    331     230     200     229 |              150          226
//!                \_______________^          \-> Pasv ---^
//!                      230              5xx      227
//! ```
//!
//! Without a file to fetch the dialogue is done when logged in.

use crate::model::FtpProbe;
use crate::probe::evidence;
use crate::probe::reply::Reply;

/// What to do after a reply.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::probe) enum Act {
    /// Wait for another reply.
    Wait,
    /// Send this line, without its end.
    Send(String),
    /// Connect to this port, then send the line.
    OpenData(u16, String),
    /// Read the file from the data connection to its end, then wait for a reply; or, when it
    /// was sent before it was announced, do not wait.
    ReadData { then_wait: bool },
    /// All is well.
    Done,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Greeting,
    User,
    Pass,
    Type,
    Epsv,
    Pasv,
    Retrieve,
    Transfer,
}

/// One dialogue.
pub(in crate::probe) struct Dialogue<'a> {
    probe: &'a FtpProbe,
    /// Whether PASV, which knows IPv4 only, may be tried.
    ipv4: bool,
    state: State,
}

impl<'a> Dialogue<'a> {
    pub fn new(probe: &'a FtpProbe, ipv4: bool) -> Dialogue<'a> {
        Dialogue { probe, ipv4, state: State::Greeting }
    }

    /// Whether a session is still being opened.
    pub fn is_greeting(&self) -> bool {
        self.state == State::Greeting
    }

    /// Whether the login is over.
    pub fn is_logged_in(&self) -> bool {
        !matches!(self.state, State::Greeting | State::User | State::Pass)
    }

    /// Takes a reply. The error is the server's, in its own words where it found any.
    pub fn hear(&mut self, reply: &Reply) -> Result<Act, String> {
        match (self.state, reply.code) {
            // A preliminary reply: "ready in five minutes".
            (State::Greeting, 100..=199) => Ok(Act::Wait),
            (State::Greeting, 200..=299) => self.send(State::User, "USER", &self.probe.login),
            (State::User, 331) => self.send(State::Pass, "PASS", &self.probe.password),
            (State::User | State::Pass, 200..=299) => match self.probe.request {
                None => Ok(Act::Done),
                Some(_) => self.send(State::Type, "TYPE", "I"),
            },
            (State::Type, 200..=299) => self.send(State::Epsv, "EPSV", ""),
            (State::Epsv, 229) => self.retrieve(epsv_port(&reply.text), reply),
            (State::Epsv, 500..=599) if self.ipv4 => self.send(State::Pasv, "PASV", ""),
            (State::Pasv, 227) => self.retrieve(pasv_port(&reply.text), reply),
            (State::Retrieve, 100..=199) => {
                self.state = State::Transfer;
                Ok(Act::ReadData { then_wait: true })
            }
            (State::Retrieve, 200..=299) => Ok(Act::ReadData { then_wait: false }),
            (State::Transfer, 200..=299) => Ok(Act::Done),
            _ => Err(reply.shown()),
        }
    }

    fn send(&mut self, state: State, verb: &str, argument: &str) -> Result<Act, String> {
        self.state = state;
        Ok(Act::Send(format!("{verb} {argument}").trim_end_matches(' ').to_owned()))
    }

    fn retrieve(&mut self, port: Option<u16>, reply: &Reply) -> Result<Act, String> {
        let file = self.probe.request.as_deref().unwrap_or_default();
        let Some(port) = port.filter(|&port| port != 0) else {
            return Err(format!("no port in the answer: {}", evidence::excerpt(&reply.text)));
        };
        self.state = State::Retrieve;
        Ok(Act::OpenData(port, format!("RETR {file}")))
    }
}

/// The port in `Entering Extended Passive Mode (|||6446|)`, RFC 2428: any delimiter.
fn epsv_port(text: &[u8]) -> Option<u16> {
    let open = text.iter().position(|&b| b == b'(')?;
    let inner = text.get(open + 1..)?;
    let &[a, b, c, ref rest @ ..] = inner else { return None };
    let end = rest.iter().position(|&d| d == a)?;
    (a == b && b == c).then(|| std::str::from_utf8(&rest[..end]).ok()?.parse().ok())?
}

/// The port in `Entering Passive Mode (192,0,2,1,19,137).`, with or without brackets.
///
/// The address is not looked at: it is often a private one behind a translator, and a hostile
/// server must not choose whom the director connects to.
fn pasv_port(text: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(text).ok()?;
    let numbers = text
        .split(|c: char| !c.is_ascii_digit() && c != ',')
        .find(|run| run.bytes().filter(|&b| b == b',').count() == 5)?;
    let mut bytes = numbers.split(',').map(|n| n.parse::<u8>());
    let (high, low) = (bytes.nth(4)?.ok()?, bytes.next()?.ok()?);
    Some(u16::from_be_bytes([high, low]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn probe(request: Option<&str>) -> FtpProbe {
        FtpProbe {
            login: "anonymous".into(),
            password: "a@b".into(),
            request: request.map(str::to_owned),
            receive: None,
            body_limit: 100,
        }
    }

    /// What is done in answer to each reply.
    fn play(probe: &FtpProbe, ipv4: bool, replies: &[&str]) -> Vec<Result<Act, String>> {
        let mut dialogue = Dialogue::new(probe, ipv4);
        let reply = |text: &&str| Reply {
            code: text[..3].parse().unwrap(),
            text: text[3..].trim_start().as_bytes().to_vec(),
        };
        replies.iter().map(|text| dialogue.hear(&reply(text))).collect()
    }

    fn send(line: &str) -> Result<Act, String> {
        Ok(Act::Send(line.into()))
    }

    #[test]
    fn a_login_is_enough_without_a_file() {
        let said = play(&probe(None), true, &["120 soon", "220 hi", "331 who", "230 in"]);
        let expected = [Ok(Act::Wait), send("USER anonymous"), send("PASS a@b"), Ok(Act::Done)];
        assert_eq!(said, expected);
        let open = play(&probe(None), true, &["220 hi", "230 in"]);
        assert_eq!(open.last(), Some(&Ok(Act::Done)));
    }

    #[test]
    fn a_file_is_fetched_in_extended_passive_mode_or_else_in_passive_mode() {
        let probe = probe(Some("pub/test"));
        let retrieve = |port| Ok(Act::OpenData(port, "RETR pub/test".into()));
        let said = play(&probe, false, &["220", "230", "200", "229 ok (|||6446|)", "150", "226"]);
        let read = Ok(Act::ReadData { then_wait: true });
        let expected = [send("TYPE I"), send("EPSV"), retrieve(6446), read, Ok(Act::Done)];
        assert_eq!(said[1..], expected);
        let passive = "227 Entering Passive Mode (10,9,8,7,19,137).";
        let said = play(&probe, true, &["220", "230", "200", "502 what", passive]);
        assert_eq!(said[3..], [send("PASV"), retrieve(19 * 256 + 137)]);
        let said = play(&probe, false, &["220", "230", "200", "502 what"]);
        assert_eq!(said.last(), Some(&Err("502 what".into())));
    }

    #[test]
    fn a_refusal_is_repeated_in_the_servers_words() {
        for replies in [
            &["421 Too busy"][..],
            &["220", "530 Login incorrect."],
            &["220", "331", "530 Login incorrect."],
            &["220", "332 Account?"],
        ] {
            let said = play(&probe(Some("x")), true, replies).pop().unwrap();
            assert_eq!(said, Err(replies.last().unwrap().to_string()));
        }
    }

    #[test]
    fn a_passive_answer_without_a_sound_port_is_an_error() {
        for odd in ["", "(|||0|)", "(|||99999|)", "(|||", "(||1|2|3|)", "(1,2,3,4,5,6)"] {
            let said = play(&probe(Some("x")), true, &["220", "230", "200", &format!("229 {odd}")]);
            assert!(said.last().unwrap().is_err(), "{odd}");
        }
        assert_eq!(pasv_port(b"=1,2,3,4,1,2"), Some(258));
        for odd in ["", "1,2,3,4,5", "1,2,3,4,999,1", "1,2,3,4,,", "1,2,3,4,5,6,7"] {
            assert_eq!(pasv_port(odd.as_bytes()), None, "{odd}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_passive_answers_never_panic(
            text in prop::collection::vec(prop::sample::select(b"(|,019 \xff".to_vec()), 0..30)
        ) {
            let _ = (epsv_port(&text), pasv_port(&text));
        }
    }
}
