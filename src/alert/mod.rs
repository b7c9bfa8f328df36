//! Who is told of what happens, and what is run for it.
//!
//! ```text
//! Desired, events, outcomes, clock --> policy --> Delivery --> hands --> log files, mail,
//!                                                                |        programs
//!                                        Event: it failed <------+
//! ```
//!
//! [`policy`] decides, on the engine's own clock: which event is a line, a mail or a command for
//! whom, and when to say it again. It is as pure as the engine. [`hands`] deliver: nobody waits
//! for them, every queue has an end, every delivery its time, every program a group of its own
//! that ends with it; one under way when the director ends goes on. What fails comes back as one
//! more event, and is never mailed itself.

#![forbid(unsafe_code)]

pub mod hands;
pub mod policy;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{LogPlace, MailServer};

pub use hands::Courier;
pub use policy::{Manner, Persona, Policy};

/// Something to be handed on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Delivery {
    Line(Sink, String),
    Mail(Mail),
    Command(Command),
    Call(Call),
}

/// Where a line goes, and so what is written before it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Sink {
    /// With the instance's name, as ldirectord has it.
    Log(LogPlace, Arc<str>),
    /// Standard output.
    Output,
    Monitor(Arc<PathBuf>),
    /// A file, with nothing before the line.
    Bare(Arc<PathBuf>),
}

/// A mail, all but its transport.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mail {
    pub to: Vec<String>,
    pub from: Option<String>,
    pub server: Option<MailServer>,
    pub subject: String,
    pub body: String,
}

/// A program to be run once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Command {
    /// Commands of one lane run one after the other, in their order.
    pub lane: String,
    /// The program and its arguments; not empty.
    pub argv: Vec<String>,
    /// Whether it is the owner's, and has our environment; else a few harmless variables.
    pub inherits: bool,
    /// After that it is killed.
    pub limit: Duration,
}

/// A program that tells somebody: called as mon calls its alerts, all but the forking.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Call {
    /// Calls of one lane run one after the other, in their order, so that an alert and its
    /// recovery cannot overtake each other.
    pub lane: String,
    /// The program and its arguments; not empty.
    pub argv: Vec<String>,
    /// What it sees: these variables besides the director's own, or these alone.
    pub environment: Environment,
    /// What it reads from its standard input.
    pub input: Vec<u8>,
    /// After that it is told to end, and killed.
    pub limit: Duration,
    /// Whose privileges it has; the director's own where nobody is named.
    pub user: Option<String>,
}

/// What a called program sees; values as [`raw`](crate::model::raw) has them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Environment {
    /// Besides the director's; of one name these hold.
    Added(Vec<(String, String)>),
    Whole(Vec<(String, String)>),
}
