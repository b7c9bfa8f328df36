//! Probes against the servers people run: Debian's, each in a folder of its own on loopback.
//!
//! One file per protocol, and three cases for each: healthy, answering wrongly, hanging. What a
//! server needs is installed by `tests/lab/install`; under a bare `cargo test` a server that is
//! not there is left out, and said to be.

#![forbid(unsafe_code)]

mod beside;
mod harness;

mod dns;
mod http;
mod ldap;
mod mail;
mod mysql;
mod news;
mod pgsql;
mod proxy;
mod radius;
mod sip;
mod smtp;
mod tcp;
