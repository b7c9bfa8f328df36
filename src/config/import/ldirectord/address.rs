//! Addresses: of services, of fallbacks, of hosts in general.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::draft::{FallbackDraft, VirtualAddress};
use super::lines::Piece;
use super::report::Report;
use super::values::is_digits;
use crate::model::ForwardingMethod;

/// The value of `virtual` or `virtual6`. What follows the first word does not count.
pub(super) fn virtual_address<'t>(
    value: Piece<'t>,
    ipv6: bool,
    report: &mut Report,
) -> Option<VirtualAddress<'t>> {
    let (word, _) = value.first_word();
    // A remark may follow without a blank: nothing of the rest of the line counts.
    let word = word.part(0..word.text.find('#').unwrap_or(word.text.len()));
    if is_digits(word.text) {
        return mark(word, report);
    }
    if word.text.starts_with('[') && !ipv6 {
        report.error(word.span(), "an IPv6 address").hint("write virtual6");
        return None;
    }
    let (host, port) = host_and_port(word, ipv6, report)?;
    let Some(port) = port else {
        report.error(word.span(), "the port is missing").hint(
            "ldirectord takes an address without port for a firewall mark; write ADDRESS:PORT",
        );
        return None;
    };
    Some(VirtualAddress::Address { host, port })
}

fn mark<'t>(word: Piece<'t>, report: &mut Report) -> Option<VirtualAddress<'t>> {
    match word.text.parse::<u32>() {
        Ok(mark) if mark != 0 => Some(VirtualAddress::Mark(mark)),
        _ => {
            report.error(word.span(), "a firewall mark is a number from 1 to 4294967295");
            None
        }
    }
}

/// The value of `fallback` or `fallback6`: `HOST[:PORT] [METHOD]`.
pub(super) fn fallback<'t>(
    value: Piece<'t>,
    ipv6: bool,
    report: &mut Report,
) -> Option<FallbackDraft<'t>> {
    let (word, rest) = value.first_word();
    let (host, port) = host_and_port(word, ipv6, report)?;
    let (method, rest) = rest.first_word();
    let forward = match method.text {
        "" => ForwardingMethod::Gate,
        _ => forwarding_method(method, report)?,
    };
    if !rest.text.is_empty() {
        report.error(rest.span(), "nothing may follow the forwarding method of a fallback");
        return None;
    }
    Some(FallbackDraft { host, port, forward })
}

pub(super) fn forwarding_method(word: Piece<'_>, report: &mut Report) -> Option<ForwardingMethod> {
    let method = ForwardingMethod::from_name(word.text);
    if method.is_none() {
        report
            .error(word.span(), "the forwarding method must be gate, masq or ipip")
            .hint("for example real = 192.168.0.1:80 gate 5");
    }
    method
}

/// `HOST`, `HOST:PORT`, `[ADDRESS]`, `[ADDRESS]:PORT`, taken apart; a mistake if it is none.
pub(super) fn host_and_port<'t>(
    word: Piece<'t>,
    ipv6: bool,
    report: &mut Report,
) -> Option<(Piece<'t>, Option<Piece<'t>>)> {
    let (host, rest) = match bracketed(word) {
        Some((host, rest)) => (host, rest),
        None => {
            let end = word.text.find(':').unwrap_or(word.text.len());
            (word.part(0..end), word.from(end))
        }
    };
    if !is_host(host, ipv6) {
        let made = report.error(word.span(), "this is not an address or the name of a host");
        match (ipv6, host.text.starts_with('[') || word.text.matches(':').count() > 1) {
            (true, _) => made.hint("write [ADDRESS]:PORT, with an IPv6 address"),
            (false, true) => made.hint("IPv6 addresses go with virtual6, real6 and fallback6"),
            (false, false) => made.hint("write ADDRESS:PORT"),
        };
        return None;
    }
    if rest.text.is_empty() {
        return Some((host, None));
    }
    let port = rest.from(1);
    let word_of = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if !rest.text.starts_with(':') || port.text.is_empty() || !port.text.bytes().all(word_of) {
        let hint = match rest.text.matches(':').count() {
            0 | 1 => "write ADDRESS:PORT",
            _ if ipv6 => "an IPv6 address goes in brackets: [ADDRESS]:PORT",
            _ => "one colon stands between address and port",
        };
        report.error(word.span(), "this is not an address and a port").hint(hint);
        return None;
    }
    Some((host, Some(port)))
}

/// `[ADDRESS]` and what follows.
pub(super) fn bracketed(word: Piece<'_>) -> Option<(Piece<'_>, Piece<'_>)> {
    let end = word.text.find(']').filter(|_| word.text.starts_with('['))?;
    Some((word.part(0..end + 1), word.from(end + 1)))
}

/// Whether it can be a host of this family: an address, or a name to be looked up.
pub(super) fn is_host(host: Piece<'_>, ipv6: bool) -> bool {
    match host.text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        Some(address) => ipv6 && address.parse::<Ipv6Addr>().is_ok(),
        None => {
            let name = |b: u8| b.is_ascii_alphanumeric() || b"._+-".contains(&b);
            !host.text.is_empty() && host.text.bytes().all(name)
        }
    }
}

/// An IPv4 address of two or three numbers, whose last stands for all bytes that are left.
///
/// One number alone, or a zero before another digit, which makes a number octal, is a slip.
pub(super) fn short_ipv4(text: &str) -> Option<Ipv4Addr> {
    let plain = |word: &str| is_digits(word) && (word == "0" || !word.starts_with('0'));
    let words: Vec<&str> = text.split('.').collect();
    if !(2..=3).contains(&words.len()) || !words.iter().copied().all(plain) {
        return None;
    }
    let (last, first) = words.split_last()?;
    let mut bytes = [0; 4];
    for (byte, word) in bytes.iter_mut().zip(first) {
        *byte = word.parse().ok()?;
    }
    let rest: u32 = last.parse().ok()?;
    let bits = 8 * (4 - first.len());
    (rest >> bits == 0).then(|| Ipv4Addr::from(u32::from_be_bytes(bytes) | rest))
}

/// Four numbers, whatever their size.
pub(super) fn is_dotted_quad(text: &str) -> bool {
    text.split('.').count() == 4 && text.split('.').all(is_digits)
}
