//! `trap.alert`: what was found, sent on to other mons and directors.

use std::fmt::Write as _;
use std::io::Write;
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::time::{SystemTime, UNIX_EPOCH};

use super::told::Told;
use crate::cli::exit::{self, Failure};
use crate::cli::output::{Out, harmless};
use crate::model::raw;

pub(super) const LETTERS: &str = "U:P:o:";

/// mon's port, where a host is named without one.
const PORT: u16 = 2583;

/// The version of the trap protocol that every mon of this century speaks.
const PROTOCOL: &str = "0.3807";

/// In bytes: a datagram holds 65,507, and mon reads as many.
const MAX_DATAGRAM: usize = 60_000;

/// Of them for the summary, which names the hosts that failed; the detail has the rest.
const MAX_SUMMARY: usize = 30_000;

pub(super) fn run(told: &Told, out: &mut Out) -> Result<u8, Failure> {
    if told.words.is_empty() {
        let text = "trap.alert: no host to send to: trap.alert [-U USER] [-P PASSWORD] HOST...";
        return Err(Failure::Other(exit::USAGE, text.into()));
    }
    let Some(status) = told.variable("RETVAL") else {
        writeln!(out, "trap.alert: nothing to send: {} is no result", harmless(&told.kind))?;
        return Ok(exit::OK);
    };
    let variable = |name| std::env::var(name).ok();
    let user = variable("MON_TRAP_USER").or(told.option('U').map(str::to_owned));
    let password = variable("MON_TRAP_PASS").or(told.option('P').map(str::to_owned));
    let login = user.map(|user| (user, password.unwrap_or_default()));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let bytes = datagram(told, status, login.as_ref(), now);
    // All are tried before one that fails is told of.
    let failed: Vec<String> = told
        .words
        .iter()
        .filter_map(|host| send(host, &bytes).err().map(|error| format!("{host}: {error}")))
        .collect();
    match failed.is_empty() {
        true => Ok(exit::OK),
        false => Err(Failure::Other(exit::INTERNAL, format!("trap.alert: {}", failed.join("; ")))),
    }
}

fn send(host: &str, bytes: &[u8]) -> std::io::Result<()> {
    let with_port = || host.to_socket_addrs();
    let found = with_port().or_else(|_| (host, PORT).to_socket_addrs())?;
    let address = choose(found).ok_or_else(|| std::io::Error::other("no address"))?;
    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    UdpSocket::bind(any)?.send_to(bytes, address).map(drop)
}

/// An IPv4 address where there is one: mon listens on no other.
fn choose(found: impl Iterator<Item = SocketAddr>) -> Option<SocketAddr> {
    found.min_by_key(SocketAddr::is_ipv6)
}

/// Lines of `name='value'`, in the order of mon's own clients. `now` is in seconds.
fn datagram(told: &Told, status: &str, login: Option<&(String, String)>, now: u64) -> Vec<u8> {
    let opstatus = told.option('o').or(told.variable("OPSTATUS")).unwrap_or("0");
    let (user, password) = login.map_or(("", ""), |(user, password)| (user, password));
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name}='{}'", cut(&escaped(value), MAX_SUMMARY));
    };
    line("pro", PROTOCOL);
    line("usr", user);
    if login.is_some() {
        line("pas", password);
    }
    line("spc", opstatus);
    line("seq", "0");
    line("typ", "trap");
    line("grp", &told.group);
    line("svc", &told.service);
    line("sta", status);
    line("tsp", &now.to_string());
    line("sum", &told.summary);
    let room = MAX_DATAGRAM.saturating_sub(text.len());
    let detail = escaped(told.detail.trim_end_matches('\n'));
    let _ = writeln!(text, "dtl='{}'", cut(&detail, room));
    text.into_bytes()
}

/// As much as fits, but never half an escape.
fn cut(escaped: &str, room: usize) -> &str {
    if escaped.len() <= room {
        return escaped;
    }
    let end = (room.saturating_sub(2)..=room).find(|&at| escaped[at..].starts_with('\\'));
    &escaped[..end.unwrap_or(room)]
}

/// Bytes that are not plain as `\hh`; a backslash too, for no client of mon's undoubles one.
fn escaped(value: &str) -> String {
    let mut out = String::new();
    for byte in raw::bytes_of(value).iter().copied() {
        match byte {
            b'"' | b'\'' | b'\\' | ..=32 | 127.. => {
                let _ = write!(out, "\\{byte:02x}");
            }
            plain => out.push(char::from(plain)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told() -> Told {
        let words = ["-s", "http", "-g", "web", "x"].map(str::to_owned);
        let told = Told::read(&words, LETTERS, &|_| None).unwrap();
        Told { summary: "web1 is 'down'".into(), detail: "a\\b\nc\n".into(), ..told }
    }

    #[test]
    fn a_trap_is_written_as_mons_clients_write_it() {
        let bytes = datagram(&told(), "3", None, 99);
        let wanted = "pro='0.3807'\nusr=''\nspc='0'\nseq='0'\ntyp='trap'\ngrp='web'\nsvc='http'\n\
            sta='3'\ntsp='99'\nsum='web1\\20is\\20\\27down\\27'\ndtl='a\\5cb\\0ac'\n";
        assert_eq!(String::from_utf8(bytes).unwrap(), wanted);
        let login = ("joe".to_owned(), "a b".to_owned());
        let text = String::from_utf8(datagram(&told(), "0", Some(&login), 99)).unwrap();
        assert!(text.contains("\nusr='joe'\npas='a\\20b'\nspc="), "{text}");
    }

    #[test]
    fn what_is_no_text_is_sent_on_as_it_was_said() {
        let summary = raw::text_of(b"caf\xe9");
        let text = String::from_utf8(datagram(&Told { summary, ..told() }, "1", None, 99)).unwrap();
        assert!(text.contains("\nsum='caf\\e9'\n"), "{text}");
    }

    #[test]
    fn a_name_with_addresses_of_both_kinds_means_the_one_mon_listens_on() {
        let [six, four, other] =
            ["[::1]:2583", "127.0.0.1:2583", "127.0.0.2:2583"].map(|text| text.parse().unwrap());
        assert_eq!(choose([six, four, other].into_iter()), Some(four));
        assert_eq!(choose([six].into_iter()), Some(six));
    }

    #[test]
    fn a_long_summary_leaves_room_for_the_datagram() {
        let summary = "web1 ".repeat(20_000);
        let bytes = datagram(&Told { summary, ..told() }, "1", None, 99);
        assert!(bytes.len() <= MAX_DATAGRAM + 10, "{}", bytes.len());
        assert!(bytes.ends_with(b"'\ndtl='a\\5cb\\0ac'\n"));
    }

    #[test]
    fn a_long_detail_is_cut_between_two_escapes() {
        for extra in 0..4 {
            let detail = format!("{}{}", "x".repeat(extra), "\n!".repeat(60_000));
            let bytes = datagram(&Told { detail, ..told() }, "1", None, 99);
            assert!(bytes.len() <= MAX_DATAGRAM + 10);
            let text = String::from_utf8(bytes).unwrap();
            let end = text.strip_suffix("'\n").unwrap();
            assert!(end.ends_with("\\0a") || end.ends_with('!'), "{}", &end[end.len() - 9..]);
        }
    }
}
