//! Traps: results that somebody sends in a datagram of `name=value` lines.

use super::escape::{escape, unescape};
use crate::model::{OpStatus, Time, Trap, raw};

/// The number that datagrams carry.
pub const PROTOCOL: &str = "0.3807";
/// Those with a lower one are refused.
const LEAST_PROTOCOL: f64 = 0.3807;
/// What a datagram holds over IPv4, less a little for the address of its sender.
const MAX_DATAGRAM: usize = 60_000;
/// Longer names of groups, services and users are none, and no password is longer: what a hash
/// costs grows with it.
const MAX_NAME: usize = 256;

/// A datagram that makes sense.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    pub user: String,
    pub password: String,
    pub trap: Trap,
}

/// Why a datagram is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadTrap {
    #[error("its protocol is older than {PROTOCOL}")]
    OldProtocol,
    #[error("it has no status")]
    NoStatus,
    #[error("its group, service, user or password is longer than {MAX_NAME} bytes")]
    LongName,
}

/// Reads a datagram. Fields that are not known, and lines that are no fields, are ignored; of two
/// with one name the later counts.
pub fn parse(datagram: &[u8]) -> Result<Message, BadTrap> {
    let fields = Fields::read(datagram);
    // What is no number is older than any.
    let protocol = fields.protocol.parse::<f64>().ok();
    protocol.filter(|protocol| *protocol >= LEAST_PROTOCOL).ok_or(BadTrap::OldProtocol)?;
    let status = fields.status.ok_or(BadTrap::NoStatus)?;
    let names = [&fields.group, &fields.service, &fields.user, &fields.password];
    if names.iter().any(|name| name.len() > MAX_NAME) {
        return Err(BadTrap::LongName);
    }
    let (group, service) = (fields.group, fields.service);
    let (summary, detail) = (fields.summary, fields.detail);
    let trap = Trap { group, service, status, summary, detail };
    Ok(Message { user: fields.user, password: fields.password, trap })
}

#[derive(Default)]
struct Fields {
    protocol: String,
    user: String,
    password: String,
    group: String,
    service: String,
    status: Option<String>,
    summary: String,
    detail: String,
}

impl Fields {
    fn read(datagram: &[u8]) -> Fields {
        let text = raw::text_of(datagram);
        let mut fields = Fields::default();
        for (name, value) in text.split('\n').filter_map(|line| line.split_once('=')) {
            let place = match name {
                "pro" => &mut fields.protocol,
                "usr" => &mut fields.user,
                "pas" => &mut fields.password,
                "grp" => &mut fields.group,
                "svc" => &mut fields.service,
                "sta" => fields.status.get_or_insert_default(),
                "sum" => &mut fields.summary,
                "dtl" => &mut fields.detail,
                _ => continue,
            };
            *place = unescape(unquoted(value));
        }
        fields
    }
}

fn unquoted(value: &str) -> &str {
    let inner = value.strip_prefix('\'').and_then(|value| value.strip_suffix('\''));
    inner.unwrap_or(value)
}

/// The datagram that tells of a trap. What does not fit is cut from the end of the detail.
pub fn format(message: &Message, now: Time) -> Vec<u8> {
    let Message { user, password, trap } = message;
    let mut text = String::new();
    let mut field = |name: &str, value: &str, room: usize| {
        text.push_str(&format!("{name}='{}'\n", escape(cut(value, room))));
    };
    field("pro", PROTOCOL, MAX_NAME);
    if !user.is_empty() {
        field("usr", user, MAX_NAME * 3);
        field("pas", password, MAX_NAME * 3);
    }
    let status = if trap.status == "0" { OpStatus::Ok } else { OpStatus::Fail };
    field("typ", "trap", MAX_NAME);
    field("spc", &status.number().to_string(), MAX_NAME);
    field("seq", "0", MAX_NAME);
    field("grp", &trap.group, MAX_NAME * 3);
    field("svc", &trap.service, MAX_NAME * 3);
    field("sta", &trap.status, MAX_NAME * 3);
    field("tsp", &now.seconds().to_string(), MAX_NAME);
    field("sum", &trap.summary, MAX_DATAGRAM / 4);
    field("dtl", &trap.detail, MAX_DATAGRAM / 2);
    text.into_bytes()
}

/// As many whole characters as have room once they are escaped.
fn cut(value: &str, room: usize) -> &str {
    let mut taken = 0;
    let end = value.char_indices().find(|(at, c)| {
        taken += escape(&value[*at..*at + c.len_utf8()]).len();
        taken > room
    });
    end.map_or(value, |(end, _)| &value[..end])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SENT: &str = "pro='0\\2e3807'\nusr='mon'\npas='a\\20b'\nspc='0'\nseq='0'\ntyp='trap'\n\
        grp='remote'\nsvc='job'\nsta='3'\ntsp='1'\nsum='db1\\20full'\ndtl='line\\0aline'\n";

    #[test]
    fn a_trap_is_understood_as_its_sender_meant_it() {
        let message = parse(SENT.as_bytes()).unwrap();
        assert_eq!((&*message.user, &*message.password), ("mon", "a b"));
        let Trap { group, service, status, summary, detail } = message.trap;
        assert_eq!((&*group, &*service, &*status), ("remote", "job", "3"));
        assert_eq!((&*summary, &*detail), ("db1 full", "line\nline"));
    }

    #[test]
    fn quotes_may_be_left_out_and_junk_is_ignored() {
        let message =
            parse(b"junk\npro=0.3807\ngrp=web\nsvc=http\nsta=\nxyz=1\nsum=a b\n").unwrap();
        assert_eq!((&*message.trap.group, &*message.trap.summary), ("web", "a b"));
        assert_eq!(message.trap.status, "");
    }

    #[test]
    fn a_trap_without_protocol_or_status_is_refused() {
        assert_eq!(parse(b"sta=0\n"), Err(BadTrap::OldProtocol));
        assert_eq!(parse(b"pro=0.37\nsta=0\n"), Err(BadTrap::OldProtocol));
        assert_eq!(parse(b"pro=NaN\nsta=0\n"), Err(BadTrap::OldProtocol));
        assert_eq!(parse(b"pro=1\ngrp=a\n"), Err(BadTrap::NoStatus));
        for name in ["grp", "svc", "usr", "pas"] {
            let long = format!("pro=1\nsta=0\n{name}={}\n", "x".repeat(300));
            assert_eq!(parse(long.as_bytes()), Err(BadTrap::LongName), "{name}");
        }
    }

    #[test]
    fn what_does_not_fit_a_datagram_is_cut_between_two_characters() {
        let trap = Trap {
            group: "g".into(),
            service: "s".into(),
            status: "1".into(),
            summary: "\n".repeat(40_000),
            detail: "x\n".repeat(40_000),
        };
        let message = Message { user: String::new(), password: String::new(), trap };
        let datagram = format(&message, Time::ZERO);
        assert!(datagram.len() < MAX_DATAGRAM);
        let read = parse(&datagram).unwrap();
        assert_eq!(read.trap.summary, "\n".repeat(5000));
        assert!(message.trap.detail.starts_with(&read.trap.detail));
        assert!(read.trap.detail.len() > 10_000);
    }

    proptest! {
        #[test]
        fn what_is_sent_arrives(
            user in "[a-z]{1,9}", password in "[ -~]{1,9}",
            summary in "[^\u{0}]{0,40}", detail in "(?s).{0,40}",
        ) {
            let trap = Trap {
                group: "g".into(), service: "s".into(), status: "0".into(), summary, detail,
            };
            let message = Message { user, password, trap };
            prop_assert_eq!(parse(&format(&message, Time::ZERO)), Ok(message));
        }
    }
}
