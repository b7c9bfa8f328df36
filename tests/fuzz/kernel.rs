//! The kernel's answers.

use std::fs;

use directord::ipvs::fuzz as door;

use crate::driver::{folder, fuzz, unhex};

/// No message of netlink is shorter than its header.
const LEAST_MESSAGE: usize = 16;

#[test]
fn netlink_replies() {
    let recorded = fs::read_to_string(folder().join("recorded/netlink-replies.hex")).unwrap();
    let lines = recorded.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let corpus: Vec<_> = lines.map(|line| unhex(line.trim().as_bytes())).collect();
    assert!(corpus.iter().any(|datagram| door::records(datagram) > 1));
    fuzz("netlink", &corpus, |datagram, _| {
        assert!(door::records(datagram) <= datagram.len() / LEAST_MESSAGE);
    });
}

#[test]
fn the_listing_in_proc() {
    let recorded = fs::read(folder().join("recorded/proc-ip_vs.txt")).unwrap();
    assert_eq!(door::services(&recorded), 5);
    fuzz("proc", &[recorded], |listing, _| {
        let lines = listing.split(|&byte| byte == b'\n').count();
        assert!(door::services(listing) <= lines);
    });
}
