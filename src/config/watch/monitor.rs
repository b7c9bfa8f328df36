//! Monitors: which are carried out without a program, and how long one may take.

use std::time::Duration;

/// mon's monitors that are carried out here, by their programs' names without `.monitor`.
pub const NATIVE: [&str; 13] = [
    "dns",
    "fping",
    "ftp",
    "http",
    "https",
    "imap",
    "ldap",
    "msql-mysql",
    "nntp",
    "ping",
    "pop3",
    "smtp",
    "tcp",
];

/// The name among ours. Without its ending it may be some program of the owner's.
pub fn native(name: &str, is_program: bool) -> Option<&'static str> {
    let (bare, ending) = match name.strip_suffix(".monitor") {
        Some(bare) => (bare, true),
        None => (name, false),
    };
    NATIVE.into_iter().find(|known| *known == bare && (ending || !is_program))
}

/// After that a monitor is ended: mon itself waits for ever. Ten intervals, so that what merely
/// is slow goes on as it did, and a minute for each host, since most monitors ask one host after
/// the other and wait for half as long.
pub fn limit(interval: Option<Duration>, hosts: usize) -> Duration {
    const PER_HOST: Duration = Duration::from_secs(60);
    const MOST: Duration = Duration::from_secs(86_400);
    let hosts = PER_HOST * u32::try_from(hosts.clamp(1, 10_000)).unwrap_or(1);
    let intervals = interval.unwrap_or_default().saturating_mul(10);
    hosts.max(intervals).min(MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_without_an_ending_is_its_owners() {
        assert_eq!(native("http.monitor", true), Some("http"));
        assert_eq!(native("http", false), Some("http"));
        assert_eq!(native("http", true), None);
        assert_eq!(native("http_tppnp.monitor", false), None);
    }
}
