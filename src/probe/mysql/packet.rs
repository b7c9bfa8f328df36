//! The packets of MySQL and MariaDB: what is read of theirs, how ours are built. Pure.

use super::auth::{Method, Nonce};
use crate::model::SqlProbe;
use crate::probe::evidence;

/// Three bytes of length and one that counts the packets of an exchange.
pub(super) const HEADER: usize = 4;

/// What a client can do, by the names of the protocol's own documents.
const LONG_PASSWORD: u32 = 1;
const CONNECT_WITH_DB: u32 = 1 << 3;
const PROTOCOL_41: u32 = 1 << 9;
const TRANSACTIONS: u32 = 1 << 13;
const SECURE_CONNECTION: u32 = 1 << 15;
const PLUGIN_AUTH: u32 = 1 << 19;

/// utf8mb4_general_ci, known since MySQL 5.5.
const CHARACTER_SET: u8 = 45;

/// What the server may be sent in one packet, in bytes; it is sent far less.
const MAX_PACKET: u32 = 1 << 24;

/// A packet with its header.
pub(super) fn packet(number: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes();
    [&[length[0], length[1], length[2], number], payload].concat()
}

/// The length that a header claims.
pub(super) fn claimed(header: &[u8]) -> Option<usize> {
    let &[low, middle, high, _, ..] = header else { return None };
    usize::try_from(u32::from_le_bytes([low, middle, high, 0])).ok()
}

/// What a server says first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Greeting {
    pub nonce: Nonce,
    /// The method it would like, if we know it.
    pub method: Option<Method>,
}

impl Greeting {
    pub fn read(payload: &[u8]) -> Option<Greeting> {
        let mut reader = Reader(payload);
        let version = reader.byte()?;
        let _server = reader.text()?;
        let _thread = reader.take(4)?;
        let first = reader.take(8)?;
        let _filler = reader.byte()?;
        let low = reader.take(2)?;
        let _character_set_and_status = reader.take(3)?;
        let high = reader.take(2)?;
        let can = u32::from_le_bytes([low[0], low[1], high[0], high[1]]);
        if version != 10 || can & PROTOCOL_41 == 0 || can & SECURE_CONNECTION == 0 {
            return None;
        }
        let _length_and_reserve = reader.take(11)?;
        let second = reader.take(12)?;
        let nonce = [first, second].concat().try_into().ok()?;
        let _end = reader.byte();
        let method = reader.text().and_then(Method::named);
        Some(Greeting { nonce, method })
    }
}

/// The answer to a greeting.
pub(super) fn login(probe: &SqlProbe, method: Method, proof: &[u8]) -> Vec<u8> {
    let mut can = LONG_PASSWORD | PROTOCOL_41 | TRANSACTIONS | SECURE_CONNECTION | PLUGIN_AUTH;
    if !probe.database.is_empty() {
        can |= CONNECT_WITH_DB;
    }
    let mut out = can.to_le_bytes().to_vec();
    out.extend(MAX_PACKET.to_le_bytes());
    out.push(CHARACTER_SET);
    out.extend([0; 23]);
    out.extend(probe.login.as_bytes());
    out.push(0);
    // A digest, of 32 bytes at most.
    out.push(proof.len() as u8);
    out.extend(proof);
    if !probe.database.is_empty() {
        out.extend(probe.database.as_bytes());
        out.push(0);
    }
    out.extend(method.name().as_bytes());
    out.push(0);
    out
}

/// A method the server wants instead, and its nonce.
pub(super) fn switched(payload: &[u8]) -> Result<(Method, Nonce), String> {
    let mut reader = Reader(payload.get(1..).unwrap_or_default());
    // Nothing but the mark: the method of MySQL 4.0, which can be broken by listening.
    let name = reader.text().unwrap_or(b"mysql_old_password");
    let method = Method::named(name).ok_or_else(|| match name {
        b"mysql_clear_password" => {
            "asks for the password in the clear, which it is not given".into()
        }
        name => format!(
            "asks for the login method {}, which is not known here",
            evidence::excerpt(name)
        ),
    })?;
    let nonce = reader.take(20).and_then(|nonce| nonce.try_into().ok());
    Ok((method, nonce.ok_or("a packet that cannot be read")?))
}

/// An error packet in the server's words.
pub(super) fn complaint(payload: &[u8]) -> String {
    let Some((&[_, low, high], text)) = payload.split_first_chunk() else {
        return "an error without a number".into();
    };
    // A mark and the five letters of SQLSTATE, unless the server has not heard of us yet.
    let text = if text.first() == Some(&b'#') { text.get(6..).unwrap_or_default() } else { text };
    match text {
        [] => format!("error {}", u16::from_le_bytes([low, high])),
        text => evidence::line(&lower_first(text)),
    }
}

/// `Access denied` as it looks in the middle of a line; `SELECT command denied` stays.
fn lower_first(text: &[u8]) -> Vec<u8> {
    let mut text = text.to_vec();
    if let [first, second, ..] = text.as_mut_slice()
        && second.is_ascii_lowercase()
    {
        first.make_ascii_lowercase();
    }
    text
}

/// How many columns a result has; `None` when it is something else.
pub(super) fn columns(payload: &[u8]) -> Option<u64> {
    let mut reader = Reader(payload);
    let count = match reader.byte()? {
        short @ 1..=0xfa => short.into(),
        0xfc => u64::from(u16::from_le_bytes(reader.take(2)?.try_into().ok()?)),
        // 4096 is the limit of a table, 65535 that of any result.
        _ => return None,
    };
    reader.0.is_empty().then_some(count).filter(|&count| count > 0)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|taken| taken[0])
    }

    /// Up to a zero byte, which is taken as well.
    fn text(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|&byte| byte == 0)?;
        let text = self.take(end);
        self.0 = &self.0[1..];
        text
    }
}
