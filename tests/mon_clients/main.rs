//! mon's port and the clients people run: Debian's, on loopback, against our listener with a
//! watcher of the tests behind it; and the same requests to Debian's own mon.
//!
//! What is needed is installed by `tests/lab/install`; under a bare `cargo test` a client that is
//! not there is left out, and said to be.

#![forbid(unsafe_code)]

mod clients;
mod harness;
mod original;
