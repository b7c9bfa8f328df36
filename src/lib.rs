//! directord: the control plane of a Linux Virtual Server director.
//!
//! The daemon reads what the owner wants, asks the real servers how they are, decides what the
//! kernel's IPVS table should hold, and applies the difference. Things flow one way:
//!
//! ```text
//! conf.d/ --> config --> Desired ---+
//! probes ---> Outcome --------------+--> engine --> health --> target --> Table
//! operator -> Command --------------+                                       |
//! clock ----> now ------------------+        observed Table --> plan <------+
//!                                                 ^               |
//!                                                 |             Steps
//!                                              kernel <-- ipvs <--+
//! engine --> events --> log, alert, API
//! ```
//!
//! Three rings, arrows pointing inwards. **Nouns** ([`model`], [`event`]) know nobody.
//! **Reasoning** ([`config`], [`pattern`], [`health`], [`target`], [`plan`], [`engine`],
//! [`address`], [`watch`] and the netlink codecs) knows the nouns, reads no clock, opens no file and no socket. **Hands**
//! ([`probe`], [`ipvs`], [`link`], [`alert`], [`program`], [`api`], [`mon`], [`daemon`], [`cli`]) touch the world and decide nothing.
//! `tests/architecture.rs` keeps the walls; ARCHITECTURE.md tells the story.

pub mod model;

pub mod event;

pub mod address;
pub mod config;
pub mod engine;
pub mod health;
pub mod pattern;
pub mod plan;
pub mod target;
pub mod watch;

pub mod alert;
pub mod api;
pub mod cli;
pub mod daemon;
pub mod ipvs;
pub mod link;
pub mod mon;
mod mutex;
mod netlink;
pub mod probe;
pub mod program;
