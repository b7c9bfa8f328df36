//! `ADDRESS:PORT` as people write it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::diagnostic::quoted;

/// An address and a port as written, nothing looked up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Written<'t> {
    pub(super) host: Host<'t>,
    pub(super) port: Option<Port<'t>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Host<'t> {
    Address(IpAddr),
    /// To be looked up.
    Name(&'t str),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Port<'t> {
    Number(u16),
    /// To be looked up.
    Name(&'t str),
}

/// What is wrong, and what to write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Wrong {
    pub(super) message: String,
    pub(super) hint: String,
}

fn wrong<T>(message: String, hint: &str) -> Result<T, Wrong> {
    Err(Wrong { message, hint: hint.to_owned() })
}

const FORM: &str = "write ADDRESS:PORT, like 192.168.0.1:80 or \"[2001:db8::1]:80\"";

/// `10.0.0.3:80`, `[2001:db8::1]:80`, `www:http`, each also without the port.
pub(super) fn parse(text: &str) -> Result<Written<'_>, Wrong> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => in_brackets(text, rest)?,
        None => plain(text)?,
    };
    let port = port.map(parse_port).transpose()?;
    Ok(Written { host, port })
}

/// Whether somebody meant this as an address, if not very well.
pub(super) fn looks_like_address(text: &str) -> bool {
    !text.is_empty()
        && (parse(text).is_ok_and(|written| matches!(written.host, Host::Address(_)))
            || text.parse::<Ipv6Addr>().is_ok())
}

fn in_brackets<'t>(text: &str, rest: &'t str) -> Result<(Host<'t>, Option<&'t str>), Wrong> {
    let Some((inside, after)) = rest.split_once(']') else {
        return wrong(format!("{} has no closing bracket", quoted(text)), FORM);
    };
    let Ok(address) = inside.parse::<Ipv6Addr>() else {
        let hint = match inside.contains('%') {
            true => "an address cannot have a zone here: leave out what follows the \"%\"",
            false => FORM,
        };
        return wrong(format!("{} is not an IPv6 address", quoted(inside)), hint);
    };
    let host = Host::Address(address.into());
    match after.strip_prefix(':') {
        Some(port) => Ok((host, Some(port))),
        None if after.is_empty() => Ok((host, None)),
        None => wrong(format!("{} follows the bracket", quoted(after)), FORM),
    }
}

fn plain(text: &str) -> Result<(Host<'_>, Option<&str>), Wrong> {
    if text.parse::<Ipv6Addr>().is_ok() || text.matches(':').count() > 1 {
        // 2001:db8::1:80 is an address with a port, and an address: nobody can tell.
        let message = format!("{} is not ADDRESS:PORT", quoted(text));
        return wrong(message, "an IPv6 address stands in brackets: \"[2001:db8::1]:80\"");
    }
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Ok((Host::Address(address.into()), port));
    }
    let numeric = !host.is_empty() && host.chars().all(|c| c.is_ascii_digit() || c == '.');
    if numeric {
        return wrong(format!("{} is not an IPv4 address", quoted(host)), FORM);
    }
    match is_name(host) {
        true => Ok((Host::Name(host), port)),
        false => wrong(format!("{} is neither an address nor a host name", quoted(host)), FORM),
    }
}

fn parse_port(text: &str) -> Result<Port<'_>, Wrong> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return match text.parse() {
            Ok(number) => Ok(Port::Number(number)),
            Err(_) => wrong(format!("port {} is too large", quoted(text)), "from 1 to 65535"),
        };
    }
    match is_name(text) {
        true => Ok(Port::Name(text)),
        false if text.contains('/') => wrong(
            format!("{} is not a port", quoted(text)),
            "the protocol has a key of its own: protocol: udp",
        ),
        false => wrong(format!("{} is not a port", quoted(text)), FORM),
    }
}

/// What may be asked of the resolver: letters, digits, `.`, `-` and `_`.
fn is_name(text: &str) -> bool {
    let clean = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    // 253 bytes is the longest name DNS can carry.
    (1..=253).contains(&text.len()) && text.bytes().all(clean) && !text.starts_with(['-', '.'])
}

/// Why the kernel could not, or should not, use this address for one host; `None` when it can.
pub(super) fn unusable(address: IpAddr) -> Option<&'static str> {
    match address {
        _ if address.is_unspecified() => Some("is no address of a host"),
        _ if address.is_multicast() => Some("is a multicast address"),
        IpAddr::V4(Ipv4Addr::BROADCAST) => Some("is the broadcast address"),
        IpAddr::V6(address) if address.to_ipv4_mapped().is_some() => {
            Some("is an IPv4 address in the dress of IPv6: write it as IPv4")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(host: &str, port: Option<u16>) -> Result<Written<'static>, Wrong> {
        let host = Host::Address(host.parse().expect("a test's address"));
        Ok(Written { host, port: port.map(Port::Number) })
    }

    #[test]
    fn addresses_and_names_are_told_apart() {
        assert_eq!(parse("10.0.0.3:80"), number("10.0.0.3", Some(80)));
        assert_eq!(parse("10.0.0.3"), number("10.0.0.3", None));
        assert_eq!(parse("[2001:db8::1]:53"), number("2001:db8::1", Some(53)));
        assert_eq!(parse("[::1]"), number("::1", None));
        let name = Written { host: Host::Name("www-1.example"), port: Some(Port::Name("http")) };
        assert_eq!(parse("www-1.example:http"), Ok(name));
    }

    #[test]
    fn what_is_no_address_is_refused_with_a_reason() {
        for (text, reason) in [
            ("", "\"\" is neither an address nor a host name"),
            (":80", "\"\" is neither an address nor a host name"),
            ("10.0.0.300:80", "\"10.0.0.300\" is not an IPv4 address"),
            ("010.0.0.1:80", "\"010.0.0.1\" is not an IPv4 address"),
            ("10.0.0.3:", "\"\" is not a port"),
            ("10.0.0.3:65536", "port \"65536\" is too large"),
            ("10.0.0.3:-1", "\"-1\" is not a port"),
            ("10.0.0.3:+80", "\"+80\" is not a port"),
            ("10.0.0.3:80/udp", "\"80/udp\" is not a port"),
            ("2001:db8::1:80", "\"2001:db8::1:80\" is not ADDRESS:PORT"),
            ("[2001:db8::1", "\"[2001:db8::1\" has no closing bracket"),
            ("[10.0.0.1]:80", "\"10.0.0.1\" is not an IPv6 address"),
            ("[fe80::1%eth0]:80", "\"fe80::1%eth0\" is not an IPv6 address"),
            ("[::1]80", "\"80\" follows the bracket"),
            ("www example:80", "\"www example\" is neither an address nor a host name"),
        ] {
            assert_eq!(parse(text).map_err(|wrong| wrong.message), Err(reason.into()), "{text}");
        }
    }
}
