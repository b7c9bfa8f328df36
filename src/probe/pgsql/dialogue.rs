//! What to say next to PostgreSQL. Pure: messages in, acts out.
//!
//! ```text
//!   start-up --> Login -------------- ok -------------> Ready -- query --> Answer -- row --> done
//!                | |                                    ^
//!                | +- password -------------> Shown -ok-+
//!                +- Scram -> Challenged -> Proved --^
//! ```
//!
//! Without a query the dialogue is done when the server is ready for one.

use super::scram::{Challenge, Expected, Scram};
use crate::model::SqlProbe;
use crate::probe::miss::Phase;
use crate::probe::session::{Act, Session};
use crate::probe::stretch::StretchedKey;
use crate::probe::{evidence, hash};

/// One byte of type and four of length, which counts itself.
const HEADER: usize = 5;

/// Version 3.0, since PostgreSQL 7.4.
const VERSION: u32 = 3 << 16;

const MECHANISM: &str = "SCRAM-SHA-256";

enum State<'a> {
    Login,
    /// Our first message of SCRAM was sent.
    Scram(Scram<'a>),
    /// The key is being made that the server's challenge asks for.
    Challenged(Challenge),
    /// The proof was sent; the server's own is due.
    Proved(Expected),
    /// All that we can show was shown, once: a server that asked on and on would keep us hashing.
    Shown,
    /// Logged in; the server still says what it is like.
    Ready,
    /// The query was sent.
    Answer,
}

/// One dialogue.
pub(in crate::probe) struct Dialogue<'a> {
    probe: &'a SqlProbe,
    random: [u8; 18],
    state: State<'a>,
    /// Whether the server complained before it let us in.
    refused: bool,
}

const UNREADABLE: &str = "a message that cannot be read";
const NO_ROW: &str = "the query yields no row";

impl<'a> Dialogue<'a> {
    /// `random` must be new and not to be foreseen.
    pub fn new(probe: &'a SqlProbe, random: [u8; 18]) -> Dialogue<'a> {
        Dialogue { probe, random, state: State::Login, refused: false }
    }

    /// Whether the server itself refused the login, by an error of its own. A connection that
    /// broke, a message that cannot be read and a wrong proof are no refusal.
    pub fn is_refused(&self) -> bool {
        self.refused
    }

    /// What the server wants to see of us, message `R`.
    fn hear_login(&mut self, body: &[u8]) -> Result<Act, String> {
        let (&kind, rest) = body.split_first_chunk().ok_or(UNREADABLE)?;
        match (u32::from_be_bytes(kind), &self.state) {
            (0, State::Login | State::Shown) => {
                self.state = State::Ready;
                Ok(Act::Wait)
            }
            // Every client sends it when asked, and servers behind another directory must ask.
            (3, State::Login) => Ok(self.show(&self.probe.password)),
            (5, State::Login) => {
                let salt = rest.get(..4).ok_or(UNREADABLE)?;
                Ok(self.show(&md5_proof(&self.probe.login, &self.probe.password, salt)))
            }
            (10, State::Login) => self.begin_scram(rest),
            (11, State::Scram(scram)) => {
                let challenge = scram.challenged(rest)?;
                let work = challenge.work.clone();
                self.state = State::Challenged(challenge);
                Ok(Act::Stretch(work))
            }
            (12, State::Proved(expected)) if expected.is(rest) => {
                self.state = State::Shown;
                Ok(Act::Wait)
            }
            (12, State::Proved(_)) => Err("does not know the password itself".into()),
            (2 | 7 | 9, State::Login) => Err("asks for a ticket, which a check has not".into()),
            _ => Err(UNREADABLE.into()),
        }
    }

    /// Answers with a password, or what stands for it.
    fn show(&mut self, password: &str) -> Act {
        self.state = State::Shown;
        Act::Send(message(b'p', &[password.as_bytes(), &[0]].concat()))
    }

    fn begin_scram(&mut self, mechanisms: &[u8]) -> Result<Act, String> {
        if !mechanisms.split(|&byte| byte == 0).any(|name| name == MECHANISM.as_bytes()) {
            let offered = evidence::excerpt(mechanisms);
            return Err(format!("asks for a login by {offered}, not {MECHANISM}"));
        }
        let scram = Scram::new(&self.probe.password, self.random);
        let first = scram.first();
        let length = u32::try_from(first.len()).unwrap_or(u32::MAX).to_be_bytes();
        let body = [MECHANISM.as_bytes(), &[0], &length, first.as_bytes()].concat();
        self.state = State::Scram(scram);
        Ok(Act::Send(message(b'p', &body)))
    }

    fn ready(&mut self) -> Act {
        match &self.probe.request {
            None => Act::Done,
            Some(query) => {
                self.state = State::Answer;
                Act::Send(message(b'Q', &[query.as_bytes(), &[0]].concat()))
            }
        }
    }
}

impl Session for Dialogue<'_> {
    const NAME: &'static str = "pgsql";

    fn open(&mut self) -> Vec<u8> {
        let mut out = VERSION.to_be_bytes().to_vec();
        let settings = [
            ("user", self.probe.login.as_str()),
            ("database", &self.probe.database),
            ("application_name", "directord"),
            ("client_encoding", "UTF8"),
        ];
        // Without a database the server takes the one called like the user.
        for (name, value) in settings.into_iter().filter(|(_, value)| !value.is_empty()) {
            out.extend([name.as_bytes(), &[0], value.as_bytes(), &[0]].concat());
        }
        out.push(0);
        sized(&out)
    }

    fn frame(&self, bytes: &[u8]) -> Result<Option<usize>, String> {
        match *bytes {
            [] => Ok(None),
            [kind, ..] if !kind.is_ascii_alphabetic() => Err(foreign(bytes)),
            // That there is a row is enough, whatever its length.
            [b'D', _, _, _, _, ..] if matches!(self.state, State::Answer) => Ok(Some(HEADER)),
            _ => message_length(bytes),
        }
    }

    fn hear(&mut self, message: &[u8]) -> Result<Act, String> {
        let Some((&[kind, ..], body)) = message.split_first_chunk::<HEADER>() else {
            return Err(UNREADABLE.into());
        };
        match (kind, &self.state) {
            (b'E', state) => {
                self.refused = !matches!(state, State::Ready | State::Answer);
                Err(complaint(body))
            }
            // Notices, settings, notifications; the key for cancelling; an older minor version.
            (b'N' | b'S' | b'A' | b'K' | b'v', _) => Ok(Act::Wait),
            (b'R', State::Login | State::Scram(_) | State::Proved(_) | State::Shown) => {
                self.hear_login(body)
            }
            (b'Z', State::Ready) => Ok(self.ready()),
            // The names of the columns.
            (b'T', State::Answer) => Ok(Act::Wait),
            (b'D', State::Answer) => Ok(Act::Done),
            // A command done, an empty query. Another command may follow in the same query.
            (b'C' | b'I', State::Answer) => Ok(Act::Wait),
            (b'Z', State::Answer) => Err(NO_ROW.into()),
            (b'G' | b'H' | b'W', State::Answer) => Err("the query copies instead of asking".into()),
            _ => Err(UNREADABLE.into()),
        }
    }

    fn stretched(&mut self, key: StretchedKey) -> Result<Act, String> {
        let State::Challenged(challenge) = &self.state else { return Err(UNREADABLE.into()) };
        let (last, expected) = challenge.prove(&key);
        self.state = State::Proved(expected);
        Ok(Act::Send(message(b'p', last.as_bytes())))
    }

    fn phase(&self) -> Phase {
        if matches!(self.state, State::Answer) { Phase::PgsqlQuery } else { Phase::PgsqlLogin }
    }

    fn goodbye(&self) -> Vec<u8> {
        message(b'X', &[])
    }
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind], &sized(body)[..]].concat()
}

/// A body behind its length, which counts itself.
fn sized(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len().saturating_add(4)).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), body].concat()
}

/// `md5` and the digest of the salt and what the server keeps, which is a digest itself.
fn md5_proof(user: &str, password: &str, salt: &[u8]) -> String {
    let kept = hash::hex(&hash::md5(&[password.as_bytes(), user.as_bytes()]));
    format!("md5{}", hash::hex(&hash::md5(&[kept.as_bytes(), salt])))
}

/// How long the message is that these bytes begin.
pub(super) fn message_length(bytes: &[u8]) -> Result<Option<usize>, String> {
    let &[_, a, b, c, d, ..] = bytes else { return Ok(None) };
    match u32::from_be_bytes([a, b, c, d]) {
        // Text where a length should be: four letters make a thousand megabytes.
        0..=3 | 0x2000_0000.. => Err(foreign(bytes)),
        length => Ok(usize::try_from(length).ok().and_then(|n| n.checked_add(1))),
    }
}

pub(super) fn foreign(bytes: &[u8]) -> String {
    format!("not PostgreSQL: {}", evidence::excerpt(bytes))
}

/// The message of an error, field `M`, in the server's words.
pub(super) fn complaint(body: &[u8]) -> String {
    let mut fields = body.split(|&byte| byte == 0);
    match fields.find_map(|field| field.strip_prefix(b"M")) {
        // Its quotes would be escaped, and escaped again in a line of the log.
        Some(text) if !text.is_empty() => evidence::line(&single_quoted(text)),
        _ => "an error without a message".into(),
    }
}

fn single_quoted(text: &[u8]) -> Vec<u8> {
    text.iter().map(|&byte| if byte == b'"' { b'\'' } else { byte }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn probe(request: Option<&str>) -> SqlProbe {
        SqlProbe {
            login: "joe".into(),
            password: "hush".into(),
            database: "shop".into(),
            request: request.map(str::to_owned),
        }
    }

    fn asks(kind: u8, rest: &[u8]) -> Vec<u8> {
        message(b'R', &[&[0, 0, 0, kind], rest].concat())
    }

    fn ok() -> Vec<u8> {
        asks(0, b"")
    }

    fn ready() -> Vec<u8> {
        message(b'Z', b"I")
    }

    fn play(request: Option<&str>, messages: &[Vec<u8>]) -> Vec<Result<Act, String>> {
        let probe = probe(request);
        let mut dialogue = Dialogue::new(&probe, [7; 18]);
        let mut heard = Vec::new();
        for message in messages {
            let length = dialogue.frame(message).unwrap().unwrap();
            let act = match dialogue.hear(&message[..length]) {
                Ok(Act::Stretch(work)) => dialogue.stretched(work.work()),
                other => other,
            };
            heard.push(act);
        }
        heard
    }

    fn last(request: Option<&str>, messages: &[Vec<u8>]) -> Result<Act, String> {
        play(request, messages).pop().unwrap()
    }

    fn sent(body: &[u8]) -> Result<Act, String> {
        Ok(Act::Send(message(b'p', body)))
    }

    #[test]
    fn a_session_is_opened_for_the_user_and_the_database() {
        let opened = |probe: &SqlProbe| Dialogue::new(probe, [0; 18]).open();
        let settings = b"application_name\0directord\0client_encoding\0UTF8\0\0";
        let both = [&b"\0\0\0\x50\0\x03\0\0user\0joe\0database\0shop\0"[..], settings].concat();
        assert_eq!(opened(&probe(None)), both);
        let user = [&b"\0\0\0\x42\0\x03\0\0user\0joe\0"[..], settings].concat();
        assert_eq!(opened(&SqlProbe { database: String::new(), ..probe(None) }), user);
    }

    #[test]
    fn a_login_is_enough_without_a_query() {
        let setting = message(b'S', b"TimeZone\0UTC\0");
        let key = message(b'K', &[0; 8]);
        let said = play(None, &[ok(), setting, key, ready()]);
        assert_eq!(said[..3], [Ok(Act::Wait), Ok(Act::Wait), Ok(Act::Wait)]);
        assert_eq!(said[3], Ok(Act::Done));
    }

    #[test]
    fn a_query_must_yield_a_row() {
        let columns = message(b'T', b"\0\x01...");
        let done = message(b'C', b"SELECT 0\0");
        let with = |messages: &[Vec<u8>]| [&[ok(), ready()], messages].concat();
        // Of a row only the beginning has come.
        let row = b"D\x1f\0\0\0".to_vec();
        let said = play(Some("SELECT 1"), &with(&[columns.clone(), row]));
        assert_eq!(said[1], Ok(Act::Send(message(b'Q', b"SELECT 1\0"))));
        assert_eq!(said[3], Ok(Act::Done));
        let none = with(&[columns, done, ready()]);
        assert_eq!(last(Some("x"), &none), Err(NO_ROW.into()));
        let empty = with(&[message(b'I', b""), ready()]);
        assert_eq!(last(Some(""), &empty), Err(NO_ROW.into()));
        let copies = last(Some("x"), &with(&[message(b'H', b"\0\0\0")]));
        assert_eq!(copies, Err("the query copies instead of asking".into()));
        // A row before there was a query.
        assert_eq!(last(None, &[message(b'D', b"\0\0")]), Err(UNREADABLE.into()));
    }

    #[test]
    fn a_password_is_shown_as_the_server_asks() {
        assert_eq!(last(None, &[asks(3, b"")]), sent(b"hush\0"));
        // printf hushjoe | md5sum, its digits and the four letters through md5sum again.
        let proof = md5_proof("joe", "hush", b"salt");
        assert_eq!(proof, "md5f3ceac613e5a3cea6a1a20e9aff29b61");
        assert_eq!(last(None, &[asks(5, b"salt")]), sent(format!("{proof}\0").as_bytes()));
        let ticket = last(None, &[asks(7, b"")]);
        assert_eq!(ticket, Err("asks for a ticket, which a check has not".into()));
    }

    #[test]
    fn a_server_must_prove_that_it_knows_the_password() {
        let offer = asks(10, b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0");
        let first = Scram::new("hush", [7; 18]).first();
        let begun = [&b"SCRAM-SHA-256\0\0\0\0\x20"[..], first.as_bytes()].concat();
        assert_eq!(last(None, std::slice::from_ref(&offer)), sent(&begun));
        let nonce = first.strip_prefix("n,,n=,").unwrap();
        let challenge = asks(11, format!("{nonce}x,s=AAAA,i=4096").as_bytes());
        let proved = [offer.clone(), challenge];
        assert!(matches!(last(None, &proved), Ok(Act::Send(_))));
        let with = |message| last(None, &[&proved[..], &[message]].concat());
        let impostor = Err("does not know the password itself".into());
        assert_eq!(with(asks(12, b"v=AAAA")), impostor);
        // Nor may it skip that.
        assert_eq!(with(ok()), Err(UNREADABLE.into()));
        assert_eq!(last(None, &[offer, ok()]), Err(UNREADABLE.into()));
        let other = last(None, &[asks(10, b"OAUTHBEARER\0\0")]).unwrap_err();
        assert_eq!(other, r#"asks for a login by "OAUTHBEARER\x00\x00", not SCRAM-SHA-256"#);
    }

    #[test]
    fn a_server_may_ask_for_the_password_once() {
        for first in [asks(3, b""), asks(5, b"salt")] {
            for again in [asks(3, b""), asks(5, b"salt"), asks(10, b"SCRAM-SHA-256\0\0")] {
                assert_eq!(last(None, &[first.clone(), again]), Err(UNREADABLE.into()));
            }
            assert_eq!(last(None, &[first, ok(), ready()]), Ok(Act::Done));
        }
    }

    #[test]
    fn complaints_are_in_the_servers_words() {
        let said = b"SFATAL\0C28P01\0Mpassword authentication failed for user \"joe\"\0\0";
        let reason = "password authentication failed for user 'joe'";
        assert_eq!(last(None, &[message(b'E', said)]), Err(reason.into()));
        let bare = last(None, &[message(b'E', b"\0")]);
        assert_eq!(bare, Err("an error without a message".into()));
        let probe = probe(None);
        let foreign = |bytes: &[u8]| Dialogue::new(&probe, [0; 18]).frame(bytes).unwrap_err();
        assert_eq!(foreign(b"HTTP/1.1 400"), "not PostgreSQL: \"HTTP/1.1 400\"");
        assert_eq!(foreign(b"\x0a5.5"), r#"not PostgreSQL: "\n5.5""#);
    }

    /// Whether it is a refusal what these messages end with, after a SCRAM login where `begun`.
    fn refused(begun: bool, messages: &[Vec<u8>]) -> bool {
        let probe = probe(Some("x"));
        let mut dialogue = Dialogue::new(&probe, [7; 18]);
        let nonce = Scram::new("hush", [7; 18]).first().replace("n,,n=,", "");
        let challenge = asks(11, format!("{nonce}x,s=AAAA,i=1").as_bytes());
        let scram = [asks(10, b"SCRAM-SHA-256\0\0"), challenge];
        let scram = if begun { &scram[..] } else { &[] };
        let mut last = Ok(Act::Wait);
        for message in scram.iter().chain(messages) {
            last = match dialogue.hear(message) {
                Ok(Act::Stretch(work)) => dialogue.stretched(work.work()),
                other => other,
            };
        }
        assert!(last.is_err(), "{last:?}");
        dialogue.is_refused()
    }

    /// As libpq has it: only its own word counts, and only before it let us in.
    #[test]
    fn a_refusal_is_an_error_of_the_servers_before_the_login_is_done() {
        let error = || message(b'E', b"Maway\0\0");
        assert!(refused(false, &[error()]));
        assert!(refused(false, &[asks(3, b""), error()]));
        assert!(refused(true, &[error()]));
        assert!(!refused(true, &[asks(12, b"v=AAAA")]), "a wrong proof");
        assert!(!refused(false, &[message(b'G', b"")]), "an unreadable message");
        assert!(!refused(false, &[ok(), error()]), "such as: no such database");
        assert!(!refused(false, &[ok(), ready(), error()]), "of the query");
    }

    proptest! {
        #[test]
        fn arbitrary_messages_never_panic(
            kind in prop::sample::select(b"RSKZTDCEINvGx".to_vec()),
            body in prop::collection::vec(any::<u8>(), 0..60),
            code in 0u8..14, begun in 0usize..4,
        ) {
            let head = [asks(10, b"SCRAM-SHA-256\0\0"), ok(), ready()];
            for message in [message(kind, &body), asks(code, &body)] {
                let _ = last(Some("x"), &[&head[3 - begun..], &[message]].concat());
            }
            let _ = Dialogue::new(&probe(None), [0; 18]).frame(&body);
        }
    }
}
