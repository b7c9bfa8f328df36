//! The kernel's answers.

use std::fs;

use directord::ipvs::fuzz as door;
use directord::link::fuzz as link;

use crate::driver::{folder, fuzz, unhex};

/// No message of netlink is shorter than its header.
const LEAST_MESSAGE: usize = 16;

/// Nor a claim of an address than an Ethernet header and an ARP message.
const LEAST_FRAME: usize = 42;

#[test]
fn netlink_replies() {
    let corpus = recorded("netlink-replies.hex");
    assert!(corpus.iter().any(|datagram| door::records(datagram) > 1));
    fuzz("netlink", &corpus, |datagram, _| {
        assert!(door::records(datagram) <= datagram.len() / LEAST_MESSAGE);
    });
}

fn recorded(name: &str) -> Vec<Vec<u8>> {
    let recorded = fs::read_to_string(folder().join("recorded").join(name)).unwrap();
    let lines = recorded.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| unhex(line.trim().as_bytes())).collect()
}

#[test]
fn rtnetlink_replies() {
    let corpus = recorded("rtnetlink-replies.hex");
    // Three interfaces, seven addresses.
    assert_eq!(corpus.iter().map(|datagram| link::records(datagram)).sum::<usize>(), 10);
    fuzz("rtnetlink", &corpus, |datagram, _| {
        assert!(link::records(datagram) <= datagram.len() / LEAST_MESSAGE);
    });
}

#[test]
fn frames_of_neighbours() {
    let corpus = recorded("neighbours.hex");
    assert!(corpus.iter().all(|frame| link::is_claim(frame)));
    fuzz("neighbours", &corpus, |frame, _| {
        assert!(frame.len() >= LEAST_FRAME || !link::is_claim(frame));
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
