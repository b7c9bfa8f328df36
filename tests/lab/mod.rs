//! The lab: hosts, cables, servers and clients for the tests that need a real kernel.
//!
//! A kernel test is an ordinary `#[test]` in `tests/kernel_*.rs`. It runs inside the User-Mode
//! Linux that `make test` boots; under a bare `cargo test` there is no kernel to test, and
//! [`inside`] says so in one line. Every test builds hosts of its own, so they run in parallel:
//! a [`Host`] is a thread in a network namespace, not a process, because a fork costs 20 ms there.
//!
//! ```ignore
//! #[test]
//! fn masq_forwards() {
//!     if !lab::inside() { return }
//!     let site = lab::Site::new(lab::Forward::Masq, 2);
//!     ...
//! }
//! ```

// Every test binary has its own copy of this module and uses its own part of it.
#![allow(dead_code, unused_imports)]
#![forbid(unsafe_code)]

mod client;
mod director;
mod host;
mod sctp;
mod server;
mod site;
mod table;

use std::io::Write;
use std::sync::Once;
use std::time::{Duration, Instant};

pub use client::{Answers, Traffic, ask, fetch};
pub use director::Director;
pub use host::Host;
pub use sctp::Sctp;
pub use server::{Daemon, Ftp, Manner, Nginx, Web};
pub use site::{Forward, Site, VIP, VIP6};
pub use table::{Row, Table, saved};

/// Whether the test runs in the lab. Outside it says what is left out, once for each binary.
///
/// In the lab a kernel without ip_vs is a failed test, not one left out.
pub fn inside() -> bool {
    if std::env::var_os("DIRECTORD_LAB").is_some() {
        assert!(std::path::Path::new("/proc/net/ip_vs").exists(), "the lab's kernel has no ip_vs");
        return true;
    }
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        // Not by eprintln!, which the test harness keeps to itself for tests that pass.
        let line = b"kernel tests left out: `make test` runs them in User-Mode Linux\n";
        std::io::stderr().write_all(line).ok();
    });
    false
}

/// How long to wait for what is sure to come, where how soon is not the question: a guest that
/// shares its processor has been seen to take twenty times what it takes alone.
pub const PATIENCE: Duration = secs(60);

/// Waits until `found` gives something; fails the test with `what` after `limit`.
pub fn eventually<T>(what: &str, limit: Duration, mut found: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        let asked = Instant::now();
        if let Some(value) = found() {
            return value;
        }
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        // Reading a table starts a process, 40 ms of the guest's only processor: those who wait
        // are to leave most of it to those they wait for.
        std::thread::sleep((asked.elapsed() * 4).clamp(secs(1) / 10, secs(1)));
    }
}

/// As [`eventually`], for a yes or no.
pub fn eventually_true(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    eventually(what, limit, || holds().then_some(()))
}

/// Whole seconds as a [`Duration`].
pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
