//! The `.cf` files of `conf.d/` through the front door.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use directord::config::{self, Defaults, Dialect, Names, Parsed, Source};
use directord::model::{Family, Protocol};

/// Samples use numbers: a machine without a resolver can read them.
struct NoNames;

impl Names for NoNames {
    fn host(&self, _: &str, _: Family) -> Vec<IpAddr> {
        Vec::new()
    }

    fn port(&self, _: &str, _: Option<Protocol>) -> Option<u16> {
        None
    }
}

fn sample(name: &str) -> Parsed {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("conf.d").join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    let source =
        Source { path: Arc::new(path), dialect: Dialect::Ldirectord, text: text.as_str().into() };
    config::parse(&source, &Defaults::default(), &NoNames)
}

#[test]
fn the_howto_sample_is_taken_with_a_warning_about_timeout_only() {
    let parsed = sample("howto.cf");
    let messages: Vec<_> = parsed.diagnostics.iter().map(|d| d.message.as_str()).collect();
    assert_eq!(messages, ["timeout sets both checktimeout and negotiatetimeout"]);
    assert_eq!(parsed.services.len(), 1);
}

#[test]
fn the_tour_of_the_dialect_is_taken_without_remarks() {
    let parsed = sample("ldirectord.cf");
    assert_eq!(parsed.diagnostics, []);
    let keys: Vec<_> = parsed.services.iter().map(|d| d.service.key.to_string()).collect();
    assert_eq!(
        keys,
        [
            "192.0.2.80:80/tcp",
            "192.0.2.80:443/tcp",
            "192.0.2.25:25/tcp",
            "192.0.2.21:21/tcp",
            "192.0.2.53:53/udp",
            "fwmark:7",
            "[2001:db8:80::80]:80/tcp",
        ]
    );
    assert_eq!(parsed.services[1].service.servers.len(), 10);
}
