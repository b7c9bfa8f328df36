//! Where a request goes and what it says, for the first and for every redirect after it.

use std::net::IpAddr;

use super::url::{Url, encode, split_authority};
use crate::model::{Endpoint, HttpProbe, Tls};
use crate::probe::miss::{Miss, Progress};
use crate::probe::{Shared, base64, evidence, resolve};

/// One request on the way to the final answer.
pub(super) struct Hop {
    pub endpoint: Endpoint,
    pub tls: Option<Tls>,
    pub method: String,
    /// What is asked for, as seen from the server: the base of the next redirect.
    url: Url,
    /// The Host header.
    host: String,
    /// As it stands in the request line.
    target: String,
    /// Whether the server is a proxy: it is asked for whole URLs, whatever their host.
    proxy: bool,
    /// The real server under check and its name, wherever redirects have led since.
    origin: Origin,
}

#[derive(Clone)]
struct Origin {
    endpoint: Endpoint,
    tls: Option<Tls>,
    host: String,
    port: Option<u16>,
}

impl Hop {
    /// The request as configured.
    pub fn first(endpoint: Endpoint, probe: &HttpProbe) -> Result<Hop, Miss> {
        let address = match endpoint.address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        let through = Url::parse(&probe.path);
        let host = match (&probe.host, &through) {
            (Some(host), _) => host.trim().to_owned(),
            (None, Some(url)) => url.authority(),
            (None, None) => address.clone(),
        };
        if host.chars().any(char::is_control) {
            return Err(Miss::Local("http: the host name holds a control character".into()));
        }
        let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if probe.method.is_empty() || !probe.method.bytes().all(word) {
            return Err(Miss::Local("http: the method is not a word".into()));
        }
        let (name, port) = split_authority(&host).unwrap_or((&address, None));
        let target = if probe.path.is_empty() { "/".into() } else { encode(&probe.path) };
        let proxy = through.is_some();
        let url = through.unwrap_or_else(|| Url {
            tls: probe.tls.is_some(),
            host: name.to_owned(),
            port,
            path: target.clone(),
        });
        let tls = probe.tls.clone();
        let origin = Origin { endpoint, tls: tls.clone(), host: name.to_owned(), port };
        Ok(Hop { endpoint, tls, method: probe.method.clone(), url, host, target, proxy, origin })
    }

    /// The request a redirect asks for.
    ///
    /// The host under check stays at its fixed address: its name commonly resolves to the
    /// virtual service, whose answer would say nothing about this server.
    pub async fn follow(
        self,
        shared: &Shared,
        status: u16,
        location: &[u8],
        progress: &Progress,
    ) -> Result<Hop, Miss> {
        let Some(url) = self.url.join(location) else {
            let shown = evidence::excerpt(location);
            return Err(Miss::Fail(format!("http: redirect to {shown}, which cannot be followed")));
        };
        // Other than 307 and 308, a redirect is followed with GET, as every client does.
        let keeps_method = matches!(status, 307 | 308) || self.method == "HEAD";
        let method = if keeps_method { self.method } else { "GET".into() };
        let (endpoint, tls) = match self.proxy {
            true => (self.endpoint, self.tls),
            false => {
                let tls = url.tls.then(|| self.origin.tls.clone().unwrap_or(UNVERIFIED));
                (self.origin.locate(shared, &url, progress).await?, tls)
            }
        };
        let target = if self.proxy { url.absolute() } else { url.path.clone() };
        let host = url.authority();
        let (proxy, origin) = (self.proxy, self.origin);
        Ok(Hop { endpoint, tls, method, url, host, target, proxy, origin })
    }

    /// The name for SNI and for the certificate, or the address: without brackets or port.
    pub fn server_name(&self) -> &str {
        self.url.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The bytes of the request.
    pub fn request(&self, probe: &HttpProbe) -> Vec<u8> {
        let mut text = format!(
            "{} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: directord/{}\r\nAccept: */*\r\n\
             Connection: close\r\n",
            self.method,
            self.target,
            self.host,
            env!("CARGO_PKG_VERSION"),
        );
        // Never to another host: the password was given for this server.
        if let Some((user, password)) = probe.login.as_ref().filter(|_| self.is_home()) {
            let pair = base64::encode(format!("{user}:{password}").as_bytes());
            text.push_str(&format!("Authorization: Basic {pair}\r\n"));
        }
        if matches!(self.method.as_str(), "POST" | "PUT" | "PATCH") {
            text.push_str("Content-Length: 0\r\n");
        }
        text.push_str("\r\n");
        text.into_bytes()
    }

    fn is_home(&self) -> bool {
        self.proxy || self.endpoint.address == self.origin.endpoint.address
    }
}

/// A redirect from plain HTTP to HTTPS has no settings of its own: the default holds.
const UNVERIFIED: Tls = Tls { verify: false, ca_file: None };

impl Origin {
    /// The endpoint that `url` means, looking up no name but another host's.
    async fn locate(
        &self,
        shared: &Shared,
        url: &Url,
        progress: &Progress,
    ) -> Result<Endpoint, Miss> {
        let default = if url.tls { 443 } else { 80 };
        let port = url.port.unwrap_or(default);
        let address = url.address();
        if url.host.eq_ignore_ascii_case(&self.host) || address == Some(self.endpoint.address) {
            // The server may call itself by the port of the service while it listens on another.
            let same_place = url.tls == self.tls.is_some() && url.port == self.port;
            return Ok(match same_place {
                true => self.endpoint,
                false => self.endpoint.with_port(port),
            });
        }
        let address = match address {
            Some(address) => address,
            None => resolve::first_address(shared, &url.host, progress).await?,
        };
        Ok(Endpoint::new(address, port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::StatusRanges;

    fn probe() -> HttpProbe {
        HttpProbe {
            tls: None,
            method: "GET".into(),
            path: "/.testpage".into(),
            host: None,
            status: StatusRanges::default(),
            receive: None,
            body_limit: 100,
            redirects: 0,
            login: None,
        }
    }

    fn request(endpoint: &str, probe: &HttpProbe) -> String {
        let endpoint = endpoint.parse::<std::net::SocketAddr>().unwrap().into();
        String::from_utf8(Hop::first(endpoint, probe).unwrap().request(probe)).unwrap()
    }

    #[test]
    fn the_host_is_the_name_given_or_the_bare_address() {
        assert!(request("10.0.0.1:8080", &probe()).contains("\r\nHost: 10.0.0.1\r\n"));
        assert!(request("[::1]:80", &probe()).contains("\r\nHost: [::1]\r\n"));
        let named = HttpProbe { host: Some("www.example.com ".into()), ..probe() };
        assert!(request("10.0.0.1:80", &named).contains("\r\nHost: www.example.com\r\n"));
        let proxied = HttpProbe { path: "http://www.example.com:81/x".into(), ..probe() };
        let text = request("10.0.0.1:3128", &proxied);
        assert!(text.starts_with("GET http://www.example.com:81/x HTTP/1.1\r\n"), "{text}");
        assert!(text.contains("\r\nHost: www.example.com:81\r\n"), "{text}");
    }

    #[test]
    fn nothing_configured_adds_a_line_to_the_request() {
        let odd = HttpProbe { path: "/a b\r\nX: y".into(), ..probe() };
        assert!(request("10.0.0.1:80", &odd).starts_with("GET /a%20b%0D%0AX:%20y HTTP/1.1\r\n"));
        let endpoint = Endpoint::new([10, 0, 0, 1].into(), 80);
        for odd in [
            HttpProbe { host: Some("a\r\nX: y".into()), ..probe() },
            HttpProbe { method: "GET / HTTP/1.1\r\n".into(), ..probe() },
        ] {
            assert!(matches!(Hop::first(endpoint, &odd), Err(Miss::Local(_))));
        }
    }

    #[test]
    fn a_login_is_sent_as_basic_authentication() {
        let probe = HttpProbe { login: Some(("Aladdin".into(), "open sesame".into())), ..probe() };
        let text = request("10.0.0.1:80", &probe);
        assert!(text.contains("\r\nAuthorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"));
    }

    #[tokio::test]
    async fn a_redirect_stays_with_the_server_under_check_when_it_names_it() {
        let shared = Shared::default();
        let named = HttpProbe { host: Some("www.example.com".into()), ..probe() };
        let home = Endpoint::new([10, 0, 0, 1].into(), 8080);
        for (location, leads) in [
            ("/x", home),
            ("http://WWW.example.com/x", home),
            ("https://www.example.com/x", home.with_port(443)),
            ("http://www.example.com:81/", home.with_port(81)),
            ("http://10.0.0.1/", home),
            ("http://10.0.0.2/", Endpoint::new([10, 0, 0, 2].into(), 80)),
        ] {
            let hop = Hop::first(home, &named).unwrap();
            let next = hop.follow(&shared, 302, location.as_bytes(), &Progress::default()).await;
            assert_eq!(next.ok().map(|hop| hop.endpoint), Some(leads), "{location}");
        }
    }

    #[tokio::test]
    async fn the_password_does_not_follow_a_redirect_to_another_host() {
        let shared = Shared::default();
        let secret = HttpProbe { login: Some(("u".into(), "p".into())), ..probe() };
        let hop = Hop::first(Endpoint::new([10, 0, 0, 1].into(), 80), &secret).unwrap();
        let next = hop.follow(&shared, 302, b"http://10.0.0.2/", &Progress::default()).await;
        let text = String::from_utf8(next.ok().unwrap().request(&secret)).unwrap();
        assert!(!text.contains("Authorization"), "{text}");
    }
}
