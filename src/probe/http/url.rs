//! Just enough of URLs to follow a redirect.

use std::net::IpAddr;

/// The longest URL followed, in bytes.
const MAX_URL: usize = 8 * 1024;

/// An `http` or `https` URL, its fragment and user information dropped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Url {
    pub tls: bool,
    /// A name or an address; IPv6 in brackets.
    pub host: String,
    pub port: Option<u16>,
    /// Path and query, beginning with `/`, of visible ASCII characters only.
    pub path: String,
}

impl Url {
    /// An absolute URL, or `None` when it is none, or not one that can be asked.
    pub fn parse(text: &str) -> Option<Url> {
        let (scheme, rest) = text.split_once("://")?;
        let tls = match scheme {
            s if s.eq_ignore_ascii_case("http") => false,
            s if s.eq_ignore_ascii_case("https") => true,
            _ => return None,
        };
        Url::after_scheme(tls, rest)
    }

    fn after_scheme(tls: bool, rest: &str) -> Option<Url> {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let (host, port) = split_authority(authority)?;
        let path = match path.starts_with('/') {
            true => clean_path(path),
            false => clean_path(&format!("/{path}")),
        };
        Some(Url { tls, host: host.to_owned(), port, path })
    }

    /// Where a `Location` seen at this URL leads; `None` when it makes no sense.
    pub fn join(&self, location: &[u8]) -> Option<Url> {
        let text = std::str::from_utf8(location).ok().filter(|t| t.len() <= MAX_URL)?;
        let path_end = text.find(['?', '#', '/']).unwrap_or(text.len());
        if let Some(rest) = text.strip_prefix("//") {
            return Url::after_scheme(self.tls, rest);
        }
        // A colon before any slash ends a scheme.
        if text[..path_end].contains(':') {
            return Url::parse(text);
        }
        let own = self.path.split('?').next().unwrap_or("/");
        let path = match text.as_bytes().first() {
            Some(b'/') => text.to_owned(),
            Some(b'?') => format!("{own}{text}"),
            Some(b'#') | None => self.path.clone(),
            Some(_) => {
                let folder = own.rfind('/').map_or("/", |slash| &own[..=slash]);
                format!("{folder}{text}")
            }
        };
        Some(Url { path: clean_path(&path), ..self.clone() })
    }

    /// The address, when the host is one.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }

    /// `www.example.com`, `www.example.com:8080`: a Host header.
    pub fn authority(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }

    /// The whole, as a proxy is asked for it.
    pub fn absolute(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}{}", self.authority(), self.path)
    }
}

/// `host`, `host:port`, `[address]:port` apart; `None` when it holds anything a host cannot.
pub(super) fn split_authority(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    };
    let port = match port {
        None | Some("") => None,
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => Some(digits.parse().ok()?),
        Some(_) => return None,
    };
    let name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    let bracketed = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    let valid = match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.len() <= 253 && host.bytes().all(name),
    };
    valid.then_some((host, port))
}

/// A path and query as they may stand in a request line: no fragment, dot segments resolved,
/// blanks, controls and bytes beyond ASCII percent-encoded.
fn clean_path(path: &str) -> String {
    let path = path.split('#').next().unwrap_or_default();
    let (path, query) = path.split_at(path.find('?').unwrap_or(path.len()));
    encode(&(without_dots(path) + query))
}

fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut open_end = false;
    for segment in path.split('/').skip(1) {
        open_end = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    if open_end {
        kept.push("");
    }
    format!("/{}", kept.join("/"))
}

/// Percent-encodes what may not stand in a request line; what is encoded already stays.
pub(super) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            0x21..=0x7e => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn joined(base: &str, location: &str) -> Option<String> {
        Url::parse(base).unwrap().join(location.as_bytes()).map(|url| url.absolute())
    }

    #[test]
    fn a_location_is_read_against_where_it_was_seen() {
        for (location, leads) in [
            ("http://b/x", "http://b/x"),
            ("HTTPS://b:8443", "https://b:8443/"),
            ("//b/x", "http://b/x"),
            ("/x y", "http://a:81/x%20y"),
            ("x", "http://a:81/dir/x"),
            ("../x", "http://a:81/x"),
            ("../../..", "http://a:81/"),
            ("./", "http://a:81/dir/"),
            ("?q", "http://a:81/dir/page?q"),
            ("#part", "http://a:81/dir/page?old"),
            ("", "http://a:81/dir/page?old"),
            ("/x?u=http://b/../c#f", "http://a:81/x?u=http://b/../c"),
            ("http://user:word@b/x", "http://b/x"),
            ("http://[::1]:82/x", "http://[::1]:82/x"),
        ] {
            let said = joined("http://a:81/dir/page?old", location);
            assert_eq!(said.as_deref(), Some(leads), "{location}");
        }
    }

    #[test]
    fn a_location_that_cannot_be_asked_is_none() {
        for location in [
            "ftp://b/x",
            "mailto:x",
            "javascript:1",
            "http://",
            "http://b:99999/",
            "http://a b/",
            "http://[x]/",
            "http://a\r\nb/",
        ] {
            assert_eq!(joined("http://a/", location), None, "{location}");
        }
    }

    proptest! {
        #[test]
        fn no_location_smuggles_a_line_into_a_request(
            location in proptest::collection::vec(any::<u8>(), 0..60)
        ) {
            if let Some(url) = Url::parse("http://a/b").unwrap().join(&location) {
                prop_assert!(url.absolute().bytes().all(|b| (0x21..=0x7e).contains(&b)));
                prop_assert!(url.path.starts_with('/'));
            }
        }
    }
}
