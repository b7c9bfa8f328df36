//! A cheap look at every destination: `/proc/net/ip_vs`.
//!
//! Listing destinations by netlink takes two system calls a service; this file takes one per
//! 4 KiB of text. It shows too little to compare records by (no thresholds, tunnels or flags)
//! but enough to notice where to look.
//!
//! A row that is there is true; a row that is missing says nothing. Up to 6.x the kernel resumes
//! the listing after each page at a position that it counts over all network namespaces but
//! looks up in one: where others hold services too, whole pages of ours are left out (measured
//! on 6.1: 1000 of 2000 services, beside 2000 of another namespace).

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::{
    Destination, Digests, Endpoint, ForwardingMethod, KernelName, Protocol, Survey, SurveyKey,
};

/// The table of the calling thread's network namespace. `/proc/net` would be that of the
/// process's first thread, which need not be the same.
pub(super) const PATH: &str = "/proc/thread-self/net/ip_vs";

/// The kernel's listing, held open: the file stays with the network namespace it was opened in,
/// as the netlink socket does.
pub(super) struct Listing(File);

impl Listing {
    pub fn open() -> io::Result<Listing> {
        File::open(PATH).map(Listing)
    }

    /// The digests of the table as it is now, with some `services` in it.
    pub fn digests(&mut self, services: usize) -> io::Result<Digests> {
        self.0.rewind()?;
        // The kernel gives one page per read, unless one service needs more.
        read_digests(BufReader::with_capacity(1 << 16, &self.0), services)
    }
}

/// The digests of a listing. Lines that are not understood count for nothing.
pub(super) fn read_digests(mut listing: impl BufRead, services: usize) -> io::Result<Digests> {
    let mut digests = Digests::with_capacity_and_hasher(services, Default::default());
    // The two families a mark may be used for look alike here and add up.
    let mut add = |(key, sum): (SurveyKey, u64)| {
        let digest = digests.entry(key).or_default();
        *digest = digest.wrapping_add(sum);
    };
    let mut service: Option<(SurveyKey, u64)> = None;
    let mut line = Vec::with_capacity(128);
    loop {
        line.clear();
        if listing.by_ref().take(LINE_LIMIT).read_until(b'\n', &mut line)? == 0 {
            service.map(&mut add);
            return Ok(digests);
        }
        let Ok(text) = std::str::from_utf8(&line) else { continue };
        let mut words = text.split_ascii_whitespace();
        let Some(first) = words.next() else { continue };
        if first == "->" {
            let (Some((_, sum)), Some(row)) = (&mut service, read_row(&mut words)) else {
                continue;
            };
            *sum = sum.wrapping_add(row);
        } else {
            service.take().map(&mut add);
            let key = read_service(first, &mut words);
            service = key.map(|key| (key, read_settings(&mut words).unwrap_or_default()));
        }
    }
}

/// The longest true line has some 100 bytes.
const LINE_LIMIT: u64 = 4096;

type Words<'a, 'b> = &'a mut std::str::SplitAsciiWhitespace<'b>;

/// `TCP  C0000201:0050 wlc`, `UDP  [2001:0db8:...]:0035 rr`, `FWM  00000007 rr`. The header lines
/// begin otherwise, and so do protocols nobody schedules.
fn read_service(first: &str, words: Words<'_, '_>) -> Option<SurveyKey> {
    let protocol = match first {
        "TCP" => Protocol::Tcp,
        "UDP" => Protocol::Udp,
        "SCTP" => Protocol::Sctp,
        "FWM" => return u32::from_str_radix(words.next()?, 16).ok().map(SurveyKey::Fwmark),
        _ => return None,
    };
    Some(SurveyKey::Address(protocol, read_endpoint(words.next()?)?))
}

/// `wlc`, `rr ops`, `wlc persistent 36000 FFFFFFFF`: what follows a service's address.
fn read_settings(words: Words<'_, '_>) -> Option<u64> {
    let scheduler = KernelName::new(words.next()?).ok()?;
    let (mut one_packet, mut persistent) = (false, false);
    for word in words.take(2) {
        one_packet |= word == "ops";
        persistent |= word == "persistent";
    }
    Some(Survey::line_digest(scheduler, one_packet, persistent))
}

/// `0A000001:0050      Route   5      0          0`; the last two change with every connection.
fn read_row(words: Words<'_, '_>) -> Option<u64> {
    let endpoint = read_endpoint(words.next()?)?;
    // The kernel's own words. It prints `Masq` for methods it has no word for as well; only a
    // foreign table holds those, and a full read tells them apart.
    let forward = match words.next()? {
        "Route" => ForwardingMethod::Gate,
        "Masq" => ForwardingMethod::Masq,
        "Tunnel" => ForwardingMethod::Ipip,
        "Local" => ForwardingMethod::Other(1),
        _ => return None,
    };
    let weight = words.next()?.parse().ok()?;
    Some(Survey::row_digest(&endpoint, &Destination::plain(forward, weight)))
}

/// `0A000001:0050` or `[2001:0db8:0000:0000:0000:0000:0000:0001]:0050`.
fn read_endpoint(text: &str) -> Option<Endpoint> {
    let (address, port) = text.rsplit_once(':')?;
    let address = match address.strip_prefix('[') {
        Some(rest) => IpAddr::V6(rest.strip_suffix(']')?.parse::<Ipv6Addr>().ok()?),
        None => IpAddr::V4(Ipv4Addr::from(u32::from_str_radix(address, 16).ok()?)),
    };
    Some(Endpoint::new(address, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a 6.1 kernel printed it; the rows of an unknown protocol and of method Local were added.
    const RECORDED: &str = include_str!("../../tests/recorded/proc-ip_vs.txt");

    /// Of a line that ends so, and the rows below it.
    fn digest_of(settings: &str, rows: &[(&str, ForwardingMethod, u32)]) -> u64 {
        let line = read_settings(&mut settings.split_ascii_whitespace()).unwrap();
        rows.iter().fold(line, |sum, &(endpoint, forward, weight)| {
            let endpoint: std::net::SocketAddr = endpoint.parse().unwrap();
            let row = Survey::row_digest(&endpoint.into(), &Destination::plain(forward, weight));
            sum.wrapping_add(row)
        })
    }

    #[test]
    fn the_line_of_a_service_yields_what_its_settings_do() {
        let name = |text| KernelName::new(text).unwrap();
        let line = |text: &str| read_settings(&mut text.split_ascii_whitespace());
        let digest = |name, ops, persistent| Some(Survey::line_digest(name, ops, persistent));
        assert_eq!(line("wlc  "), digest(name("wlc"), false, false));
        assert_eq!(line("rr ops "), digest(name("rr"), true, false));
        assert_eq!(line("rr  persistent 36000 FFFFFFFF"), digest(name("rr"), false, true));
        assert_eq!(line("rr ops persistent 36000 FFFFFFFF"), digest(name("rr"), true, true));
        assert_eq!(line(""), None);
    }

    fn service(text: &str, protocol: Protocol) -> SurveyKey {
        SurveyKey::Address(protocol, text.parse::<std::net::SocketAddr>().unwrap().into())
    }

    #[test]
    fn the_listing_of_a_kernel_yields_the_digests_of_its_table() {
        use ForwardingMethod::{Gate, Ipip, Masq, Other};
        let digests = read_digests(RECORDED.as_bytes(), 0).unwrap();
        let expected = [
            (
                service("192.0.2.1:80", Protocol::Tcp),
                digest_of(
                    "wlc persistent",
                    &[
                        ("10.0.0.1:80", Gate, 5),
                        ("10.0.0.2:8080", Masq, 1),
                        ("10.0.0.3:80", Ipip, 0),
                        ("127.0.0.1:80", Other(1), 65535),
                    ],
                ),
            ),
            (service("192.0.2.2:0", Protocol::Tcp), digest_of("rr persistent", &[])),
            (
                service("[2001:db8::1]:53", Protocol::Udp),
                digest_of("rr", &[("[2001:db8::2]:53", Gate, 1), ("10.0.0.9:53", Ipip, 1)]),
            ),
            (
                SurveyKey::Fwmark(7),
                digest_of("rr", &[("10.0.0.1:0", Gate, 1)])
                    .wrapping_add(digest_of("sh", &[("[2001:db8::3]:0", Gate, 2)])),
            ),
            (
                service("192.0.2.3:5060", Protocol::Sctp),
                digest_of("rr", &[("10.0.0.1:5060", Masq, 1)]),
            ),
        ];
        assert_eq!(digests, expected.into_iter().collect());
    }

    #[test]
    fn nonsense_is_no_service_and_no_panic() {
        let text = b"TCP\nFWM\n  ->\nTCP  zz:0050 rr\n  -> 0A000001:0050 Route 1 0 0\n\
                     \xff\xff\nTCP  [::1:0050 rr\n  -> 0A000001:0050 Sideways 1 0 0\n";
        assert_eq!(read_digests(&text[..], 0).unwrap(), Digests::default());
    }

    #[test]
    fn a_line_without_end_is_cut_off() {
        let text = vec![b'x'; 1 << 20];
        assert_eq!(read_digests(&text[..], 0).unwrap(), Digests::default());
    }
}
