//! What is said in messages of so many bytes.

use std::io::Result;

use md5::{Digest, Md5};

use super::{Manner, Wire};

/// A bind and a search for `dc=lab`, by LDAP's few bytes for them.
pub(super) fn ldap(wire: &mut dyn Wire, manner: Manner) -> Result<()> {
    loop {
        let mut head = [0; 2];
        wire.read_exact(&mut head)?;
        let mut length = usize::from(head[1]);
        if length > 0x80 {
            let mut bytes = vec![0; length - 0x80];
            wire.read_exact(&mut bytes)?;
            length = bytes.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte));
        }
        let mut message = vec![0; length];
        wire.read_exact(&mut message)?;
        // The number of the message, in as many bytes as it takes, and what is wanted.
        let id = message.get(..2 + usize::from(message.get(1).copied().unwrap_or(0)));
        let id = id.unwrap_or_default();
        let wanted = message.get(id.len()).copied().unwrap_or(0);
        let good = manner == Manner::Good;
        match wanted {
            0x60 => wire.write_all(&ldap_message(id, &[0x61, 7, 10, 1, 0, 4, 0, 4, 0]))?,
            0x63 => {
                if good {
                    let name = b"dc=lab";
                    let inner = [&[4, 6][..], name, &[0x30, 0]].concat();
                    let entry = [&[0x64, 10][..], &inner].concat();
                    wire.write_all(&ldap_message(id, &entry))?;
                }
                // Success, or noSuchObject.
                let code = if good { 0 } else { 32 };
                wire.write_all(&ldap_message(id, &[0x65, 7, 10, 1, code, 4, 0, 4, 0]))?;
            }
            _ => return Ok(()),
        }
        wire.flush()?;
    }
}

fn ldap_message(id: &[u8], what: &[u8]) -> Vec<u8> {
    let length = u8::try_from(id.len() + what.len()).expect("a short message");
    [&[0x30, length][..], id, what].concat()
}

/// The first question, and one address: 192.0.2.7, or another one.
pub(super) fn dns(question: &[u8], manner: Manner) -> Option<Vec<u8>> {
    let (head, rest) = question.split_at_checked(12)?;
    // The name's labels, its end, type and class.
    let name_end = rest.iter().position(|byte| *byte == 0)?;
    let asked = rest.get(..name_end + 5)?;
    let last = if manner == Manner::Good { 7 } else { 8 };
    let record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, last];
    let counts = [0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
    Some([&head[..2], &counts, asked, &record].concat())
}

/// The same behind its length.
pub(super) fn dns_by_tcp(wire: &mut dyn Wire, manner: Manner) -> Result<()> {
    loop {
        let mut length = [0; 2];
        wire.read_exact(&mut length)?;
        let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
        wire.read_exact(&mut question)?;
        let Some(answer) = dns(&question, manner) else { return Ok(()) };
        let length = u16::try_from(answer.len()).expect("a short answer").to_be_bytes();
        wire.write_all(&[&length[..], &answer].concat())?;
    }
}

/// Accept or reject, signed with the secret `testing`.
pub(super) fn radius(question: &[u8], manner: Manner) -> Option<Vec<u8>> {
    let authenticator = question.get(4..20)?;
    let code = if manner == Manner::Good { 2 } else { 3 };
    let head = [code, question[1], 0, 20];
    let signature = Md5::digest([&head[..], authenticator, b"testing"].concat());
    Some([&head[..], &signature].concat())
}

/// Lets joe into the shop, whatever he proves, and has one row for each query; or lets nobody in.
pub(super) fn mysql(wire: &mut dyn Wire, manner: Manner) -> Result<()> {
    const OK: &[u8] = &[0, 0, 0, 2, 0, 0, 0];
    // The end of the columns, and of the rows.
    const END: &[u8] = &[0xfe, 0, 0, 2, 0];
    // No TLS, no compression, and the ends of lists said as they were of old.
    let can: u32 = 0x0008_a20d;
    let [a, b, c, d] = can.to_le_bytes();
    let nonce = b"abcdefghijklmnopqrst";
    let head =
        [&b"\x0a8.0.36\0\x07\0\0\0"[..], &nonce[..8], &[0, a, b, 33, 2, 0, c, d, 21]].concat();
    let tail = [&[0; 10][..], &nonce[8..], b"\0mysql_native_password\0"].concat();
    mysql_say(wire, 0, &[&[&head[..], &tail].concat()])?;
    let login = mysql_heard(wire)?;
    let has = |word: &[u8]| login.windows(word.len()).any(|part| part == word);
    if manner == Manner::Wrong || !has(b"joe\0") || !has(b"shop\0") {
        return mysql_say(wire, 2, &[b"\xff\x15\x04#28000who are you"]);
    }
    mysql_say(wire, 2, &[OK])?;
    loop {
        let wanted = mysql_heard(wire)?;
        match wanted.first() {
            Some(1) | None => return Ok(()),
            Some(3) if wanted[1..].starts_with(b"SELECT") => {
                // A column `n`: catalogue, database, tables, names; then twelve bytes: in utf8,
                // of one byte, a number.
                let column = b"\x03def\0\0\0\x01n\0\x0c\x21\0\x01\0\0\0\x03\0\0\0\0\0";
                mysql_say(wire, 1, &[&[1], column, END, b"\x017", END])?;
            }
            Some(_) => mysql_say(wire, 1, &[OK])?,
        }
    }
}

/// One message, without its head.
fn mysql_heard(wire: &mut dyn Wire) -> Result<Vec<u8>> {
    let mut head = [0; 4];
    wire.read_exact(&mut head)?;
    let mut message = vec![0; usize::from(u16::from_le_bytes([head[0], head[1]]))];
    wire.read_exact(&mut message)?;
    Ok(message)
}

/// Messages, the first of which has this number.
fn mysql_say(wire: &mut dyn Wire, number: u8, messages: &[&[u8]]) -> Result<()> {
    let mut bytes = Vec::new();
    for (number, message) in (number..).zip(messages) {
        let length = u8::try_from(message.len()).expect("a short message");
        bytes.extend([length, 0, 0, number]);
        bytes.extend(*message);
    }
    wire.write_all(&bytes)
}

/// Lets joe into the shop with his password, in the clear, and has one row for each query, or
/// none.
pub(super) fn pgsql(wire: &mut dyn Wire, manner: Manner) -> Result<()> {
    // Until somebody wants neither TLS nor Kerberos.
    let start = loop {
        let start = pgsql_heard(wire)?;
        if !matches!(start[..], [4, 0xd2, 0x16, 0x2f | 0x30]) {
            break start;
        }
        wire.write_all(b"N")?;
    };
    let has = |word: &[u8]| start.windows(word.len()).any(|part| part == word);
    pgsql_say(wire, &[(b'R', &[0, 0, 0, 3])])?;
    let mut kind = [0];
    wire.read_exact(&mut kind)?;
    let password = pgsql_heard(wire)?;
    if !has(b"user\0joe\0") || !has(b"database\0shop\0") || password != b"secret\0" {
        return pgsql_say(wire, &[(b'E', b"SFATAL\0C28P01\0Mwho are you\0\0")]);
    }
    let ready = (b'Z', &b"I"[..]);
    pgsql_say(
        wire,
        &[
            (b'R', &[0; 4]),
            (b'S', b"server_version\x0015.0\0"),
            (b'S', b"client_encoding\0UTF8\0"),
            (b'S', b"standard_conforming_strings\0on\0"),
            ready,
        ],
    )?;
    // One column `n`, a number in text.
    let columns = (b'T', &b"\0\x01n\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0"[..]);
    let rows = match manner {
        Manner::Good => &[(b'D', &b"\0\x01\0\0\0\x017"[..]), (b'C', b"SELECT 1\0")][..],
        _ => &[(b'C', &b"SELECT 0\0"[..])],
    };
    loop {
        wire.read_exact(&mut kind)?;
        pgsql_heard(wire)?;
        if kind != *b"Q" {
            return Ok(());
        }
        pgsql_say(wire, &[&[columns][..], rows, &[ready]].concat())?;
    }
}

/// What stands behind a length, which counts itself.
fn pgsql_heard(wire: &mut dyn Wire) -> Result<Vec<u8>> {
    let mut length = [0; 4];
    wire.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length).clamp(4, 10_000);
    let mut message = vec![0; length as usize - 4];
    wire.read_exact(&mut message)?;
    Ok(message)
}

fn pgsql_say(wire: &mut dyn Wire, messages: &[(u8, &[u8])]) -> Result<()> {
    let mut bytes = Vec::new();
    for (kind, message) in messages {
        bytes.push(*kind);
        let length = u32::try_from(message.len() + 4).expect("a short message");
        bytes.extend(length.to_be_bytes());
        bytes.extend(*message);
    }
    wire.write_all(&bytes)
}
