//! What an HTTP check asks for: paths, and URLs that lead elsewhere.

use std::fmt::Write;
use std::net::Ipv4Addr;

use super::values::is_digits;

/// A full URL, taken apart.
pub(super) struct Url<'t> {
    user: Option<&'t str>,
    /// A name, an IPv4 address, or an IPv6 address in brackets.
    pub(super) host: &'t str,
    pub(super) port: Option<u16>,
    /// Path and query, as written.
    pub(super) path: &'t str,
}

impl<'t> Url<'t> {
    /// The URL, if `text` is one of this scheme and names a host.
    pub(super) fn parse(text: &'t str, scheme: &str) -> Option<Url<'t>> {
        let rest = text.trim_start_matches('/').strip_prefix(scheme)?.strip_prefix("://")?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority),
        };
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if is_digits(port) => (host, Some(port.parse().ok()?)),
            _ => (place, None),
        };
        let clean = |b: u8| b.is_ascii_alphanumeric() || b"._-[]:".contains(&b);
        let valid = !host.is_empty() && host.bytes().all(clean);
        valid.then_some(Url { user, host, port, path })
    }

    /// `host` or `host:port`, as written.
    pub(super) fn authority(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.to_owned(),
        }
    }

    /// Whether the host is a name, no address.
    pub(super) fn is_named(&self) -> bool {
        !self.host.starts_with('[') && self.host.parse::<Ipv4Addr>().is_err()
    }

    /// The user and the password.
    pub(super) fn login(&self) -> Option<(String, String)> {
        let (user, password) = self.user?.split_once(':').unwrap_or((self.user?, ""));
        Some((user.to_owned(), password.to_owned()))
    }
}

/// Path and query as they go on the wire: beginning with a slash, without a fragment, and
/// percent-encoded where a URL must be; what is encoded already stays as it is.
pub(super) fn path(text: &str) -> String {
    let text = text.split('#').next().unwrap_or_default();
    let mut path = String::with_capacity(text.len() + 1);
    if !text.starts_with('/') {
        path.push('/');
    }
    for byte in text.bytes() {
        match byte {
            b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | ..=b' ' | 0x7F.. => {
                // Writing to a string cannot fail.
                let _ = write!(path, "%{byte:02X}");
            }
            _ => path.push(char::from(byte)),
        }
    }
    path
}
