//! What to say next to MySQL or MariaDB. Pure: packets in, acts out.
//!
//! ```text
//!   Greeting --> Login --------- ok ---------> Answer --> Columns --> Row --> done
//!                 | ^ |                          ^
//!                 | | +- full --> Key --> Sealed-+
//!                 +-+ other method, once
//! ```
//!
//! Without a query the dialogue is done when logged in.

use super::auth::{self, Method, Nonce};
use super::packet::{self, Greeting, HEADER, packet};
use crate::model::SqlProbe;
use crate::probe::evidence;
use crate::probe::miss::Phase;
use crate::probe::session::{Act, Session};

const COM_QUIT: u8 = 1;
const COM_QUERY: u8 = 3;

/// What the first byte of a packet of theirs means.
const OK: u8 = 0;
const MORE: u8 = 1;
const LOCAL_FILE: u8 = 0xfb;
/// The end of rows or columns, when the packet is short; during a login, another method.
const END: u8 = 0xfe;
const ERROR: u8 = 0xff;

/// What may be asked of caching_sha2_password, and what it says in a packet of more.
const KEY_PLEASE: u8 = 2;
const CACHED: u8 = 3;
const NOT_CACHED: u8 = 4;

/// Of a row, or an error in its place, no more than so many bytes are waited for.
const ROW_BEGINNING: usize = 512;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Greeting,
    Login {
        method: Method,
        nonce: Nonce,
        switched: bool,
    },
    /// The public key was asked for.
    Key(Nonce),
    /// The password was sent, sealed.
    Sealed,
    /// The query was sent.
    Answer,
    /// So many more packets before the rows: one a column, and an end.
    Columns(u64),
    Row,
}

/// One dialogue.
pub(in crate::probe) struct Dialogue<'a> {
    probe: &'a SqlProbe,
    state: State,
}

const UNREADABLE: &str = "a packet that cannot be read";

impl<'a> Dialogue<'a> {
    pub fn new(probe: &'a SqlProbe) -> Dialogue<'a> {
        Dialogue { probe, state: State::Greeting }
    }

    fn hear_greeting(&mut self, number: u8, payload: &[u8]) -> Result<Act, String> {
        let Some(Greeting { nonce, method }) = Greeting::read(payload) else {
            return Err(format!("not a greeting of MySQL: {}", evidence::excerpt(payload)));
        };
        // A method we do not know is the server's wish, not yet the account's.
        let method = method.unwrap_or(Method::Native);
        let proof = method.proof(&self.probe.password, &nonce);
        self.state = State::Login { method, nonce, switched: false };
        Ok(answer(number, &packet::login(self.probe, method, &proof)))
    }

    fn hear_login(
        &mut self,
        (method, nonce, switched): (Method, Nonce, bool),
        number: u8,
        payload: &[u8],
    ) -> Result<Act, String> {
        match payload {
            [OK, ..] => Ok(self.logged_in()),
            [END, ..] if !switched => {
                let (method, nonce) = packet::switched(payload)?;
                self.state = State::Login { method, nonce, switched: true };
                Ok(answer(number, &method.proof(&self.probe.password, &nonce)))
            }
            [MORE, CACHED] if method == Method::CachingSha2 => Ok(Act::Wait),
            [MORE, NOT_CACHED] if method == Method::CachingSha2 => {
                self.state = State::Key(nonce);
                Ok(answer(number, &[KEY_PLEASE]))
            }
            _ => Err(UNREADABLE.into()),
        }
    }

    fn hear_key(&mut self, nonce: Nonce, number: u8, payload: &[u8]) -> Result<Act, String> {
        let [MORE, pem @ ..] = payload else { return Err(UNREADABLE.into()) };
        let sealed = auth::sealed(&self.probe.password, &nonce, pem)?;
        self.state = State::Sealed;
        Ok(answer(number, &sealed))
    }

    fn logged_in(&mut self) -> Act {
        match &self.probe.request {
            None => Act::Done,
            Some(query) => {
                self.state = State::Answer;
                Act::Send(packet(0, &[&[COM_QUERY], query.as_bytes()].concat()))
            }
        }
    }

    fn hear_answer(&mut self, payload: &[u8]) -> Result<Act, String> {
        match payload {
            [OK, ..] => Err(NO_ROW.into()),
            [LOCAL_FILE, ..] => Err("asks for a file of ours, which it is not given".into()),
            payload => {
                let columns = packet::columns(payload).ok_or(UNREADABLE)?;
                self.state = State::Columns(columns + 1);
                Ok(Act::Wait)
            }
        }
    }
}

const NO_ROW: &str = "the query yields no row";

/// What is said in the same exchange as packet `number` of theirs.
fn answer(number: u8, payload: &[u8]) -> Act {
    Act::Send(packet(number.wrapping_add(1), payload))
}

impl Session for Dialogue<'_> {
    const NAME: &'static str = "mysql";

    /// The server begins.
    fn open(&mut self) -> Vec<u8> {
        Vec::new()
    }

    fn frame(&self, bytes: &[u8]) -> Result<Option<usize>, String> {
        let Some(length) = packet::claimed(bytes) else { return Ok(None) };
        Ok(Some(match self.state {
            State::Row => HEADER + length.min(ROW_BEGINNING),
            _ => HEADER + length,
        }))
    }

    fn hear(&mut self, message: &[u8]) -> Result<Act, String> {
        let (Some(length), Some((&[_, _, _, number], payload))) =
            (packet::claimed(message), message.split_first_chunk())
        else {
            return Err(UNREADABLE.into());
        };
        if payload.first() == Some(&ERROR) {
            return Err(packet::complaint(payload));
        }
        match self.state {
            State::Greeting => self.hear_greeting(number, payload),
            State::Login { method, nonce, switched } => {
                self.hear_login((method, nonce, switched), number, payload)
            }
            State::Key(nonce) => self.hear_key(nonce, number, payload),
            State::Sealed => match payload {
                [OK, ..] => Ok(self.logged_in()),
                _ => Err(UNREADABLE.into()),
            },
            State::Answer => self.hear_answer(payload),
            State::Columns(left) => {
                self.state = if left > 1 { State::Columns(left - 1) } else { State::Row };
                Ok(Act::Wait)
            }
            // A row can begin with this byte too, but only one of 16 MiB and more.
            State::Row if payload.first() == Some(&END) && length < 9 => Err(NO_ROW.into()),
            State::Row => Ok(Act::Done),
        }
    }

    fn phase(&self) -> Phase {
        match self.state {
            State::Greeting | State::Login { .. } | State::Key(_) | State::Sealed => {
                Phase::MysqlLogin
            }
            State::Answer | State::Columns(_) | State::Row => Phase::MysqlQuery,
        }
    }

    fn goodbye(&self) -> Vec<u8> {
        packet(0, &[COM_QUIT])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NONCE: Nonce = *b"abcdefghijklmnopqrst";

    fn probe(request: Option<&str>) -> SqlProbe {
        SqlProbe {
            login: "joe".into(),
            password: "hush".into(),
            database: "shop".into(),
            request: request.map(str::to_owned),
        }
    }

    fn greeting(method: &str) -> Vec<u8> {
        let mut out = b"\x0a8.0.36\0\x07\0\0\0".to_vec();
        out.extend(&NONCE[..8]);
        // Capabilities: all; character set, status; capabilities; length of the nonce.
        out.extend(b"\0\xff\xff\x2d\x02\0\xff\xff\x15");
        out.extend([0; 10]);
        out.extend(&NONCE[8..]);
        out.push(0);
        out.extend(method.as_bytes());
        out.push(0);
        packet(0, &out)
    }

    fn switch(method: &str) -> Vec<u8> {
        packet(2, &[b"\xfe", method.as_bytes(), &[0], &NONCE, &[0]].concat())
    }

    fn ok() -> Vec<u8> {
        packet(2, b"\0\0\0\x02\0\0\0")
    }

    fn error(code: u16, text: &str) -> Vec<u8> {
        packet(1, &[&[0xff], &code.to_le_bytes()[..], b"#28000", text.as_bytes()].concat())
    }

    fn end() -> Vec<u8> {
        packet(4, b"\xfe\0\0\x02\0")
    }

    fn play(request: Option<&str>, packets: &[Vec<u8>]) -> Vec<Result<Act, String>> {
        let probe = probe(request);
        let mut dialogue = Dialogue::new(&probe);
        let heard = |packet: &Vec<u8>| {
            let length = dialogue.frame(packet).unwrap().unwrap();
            dialogue.hear(&packet[..length])
        };
        packets.iter().map(heard).collect()
    }

    fn last(request: Option<&str>, packets: &[Vec<u8>]) -> Result<Act, String> {
        play(request, packets).pop().unwrap()
    }

    #[test]
    fn a_login_is_enough_without_a_query() {
        let said = play(None, &[greeting("mysql_native_password"), ok()]);
        let Ok(Act::Send(login)) = &said[0] else { panic!("{said:?}") };
        assert_eq!((login[3], &login[36..40]), (1, &b"joe\0"[..]));
        let proof = Method::Native.proof("hush", &NONCE);
        let rest = [&[20], &proof[..], b"shop\0mysql_native_password\0"].concat();
        assert_eq!(login[40..], rest);
        assert_eq!(said[1], Ok(Act::Done));
    }

    #[test]
    fn a_query_must_yield_a_row() {
        let native = || greeting("mysql_native_password");
        let column = packet(2, b"\x03def...");
        let head = [native(), ok(), packet(1, b"\x01"), column, end()];
        let with = |packet| [&head[..], &[packet]].concat();
        let said = play(Some("SELECT 1"), &with(packet(5, b"\x011")));
        assert_eq!(said[1], Ok(Act::Send(packet(0, b"\x03SELECT 1"))));
        assert_eq!(said[5], Ok(Act::Done));
        // NULL in the first column is a row too.
        assert_eq!(last(Some("x"), &with(packet(5, b"\xfb"))), Ok(Act::Done));
        let huge = [&b"\xff\xff\x7f\x05\xfd"[..], &[0; ROW_BEGINNING]].concat();
        assert_eq!(last(Some("x"), &with(huge)), Ok(Act::Done));
        assert_eq!(last(Some("x"), &with(end())), Err(NO_ROW.into()));
        assert_eq!(last(Some("x"), &with(error(1317, "Interrupted"))), Err("interrupted".into()));
        assert_eq!(last(Some("x"), &[native(), ok(), ok()]), Err(NO_ROW.into()));
    }

    #[test]
    fn the_account_decides_on_the_method() {
        let sha2 = greeting("caching_sha2_password");
        let cached = packet(2, &[MORE, CACHED]);
        assert_eq!(last(None, &[sha2.clone(), cached, ok()]), Ok(Act::Done));
        let proof = packet(3, &Method::Native.proof("hush", &NONCE));
        let switched = [sha2.clone(), switch("mysql_native_password")];
        assert_eq!(last(None, &switched), Ok(Act::Send(proof)));
        let again = [&switched[..], &[switch("mysql_native_password")]].concat();
        assert_eq!(last(None, &again), Err(UNREADABLE.into()));
        let unknown = greeting("client_ed25519");
        let said = last(None, &[unknown, switch("client_ed25519")]).unwrap_err();
        let reason = r#"asks for the login method "client_ed25519", which is not known here"#;
        assert_eq!(said, reason);
    }

    #[test]
    fn a_password_is_never_told_in_the_clear() {
        let native = greeting("mysql_native_password");
        let said = last(None, &[native.clone(), switch("mysql_clear_password")]);
        assert_eq!(said.unwrap_err(), "asks for the password in the clear, which it is not given");
        let old = last(None, &[native, packet(2, b"\xfe")]).unwrap_err();
        assert!(old.contains("mysql_old_password"), "{old}");
        let unknown = [greeting("caching_sha2_password"), packet(2, &[MORE, NOT_CACHED])];
        assert_eq!(last(None, &unknown), Ok(Act::Send(packet(3, &[KEY_PLEASE]))));
        let key = packet(4, b"\x01no key");
        let said = last(None, &[&unknown[..], &[key]].concat());
        assert_eq!(said.unwrap_err(), "a public key that cannot be used");
    }

    #[test]
    fn complaints_are_in_the_servers_words() {
        let full = packet(0, b"\xff\x10\x04Too many connections");
        assert_eq!(last(None, &[full]), Err("too many connections".into()));
        let native = greeting("mysql_native_password");
        let denied = error(1045, "Access denied for user 'joe'@'lab' (using password: YES)");
        let reason = "access denied for user 'joe'@'lab' (using password: YES)";
        assert_eq!(last(None, &[native.clone(), denied]), Err(reason.into()));
        assert_eq!(last(None, &[native.clone(), error(1045, "")]), Err("error 1045".into()));
        let file = [native, ok(), packet(1, b"\xfb/etc/passwd")];
        let reason = "asks for a file of ours, which it is not given";
        assert_eq!(last(Some("x"), &file), Err(reason.into()));
        let ssh = packet(0, b"SSH-2.0-x");
        let reason = r#"not a greeting of MySQL: "SSH-2.0-x""#;
        assert_eq!(last(None, &[ssh]), Err(reason.into()));
    }

    proptest! {
        #[test]
        fn arbitrary_packets_never_panic(
            packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..4),
            begun in 0usize..6, at in any::<usize>(), by: u8,
        ) {
            let head = [
                greeting("caching_sha2_password"), ok(), packet(1, b"\x02"), end(), end(), end(),
            ];
            let arbitrary = packets.iter().map(|payload| packet(1, payload));
            let _ = play(Some("x"), &head[..begun].iter().cloned().chain(arbitrary).collect::<Vec<_>>());
            let mut bent = greeting("mysql_native_password");
            let at = HEADER + at % (bent.len() - HEADER);
            bent[at] = by;
            let _ = last(None, &[bent]);
            let _ = Dialogue::new(&probe(None)).frame(&packets[0]);
            let _ = packet::switched(&packets[0]);
        }
    }
}
