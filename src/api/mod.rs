//! The control socket: what the daemon is asked, by whom, and what it answers.
//!
//! HTTP/1.1 with JSON bodies over the unix socket `control.sock` in the runtime directory, so
//! that `curl --unix-socket` is enough to talk to it:
//!
//! | request | answers |
//! |---|---|
//! | `GET /v1/status` | [`Snapshot`] |
//! | `GET /v1/vitals` | [`Vitals`]: whether the director does its work |
//! | `GET /v1/plan` | [`PlanView`]: what a reload would change in the kernel |
//! | `POST /v1/reload?confirm=false` | [`ReloadReport`], once the reload is done or held |
//! | `POST /v1/role?to=standby` | [`RoleReport`], once the table is as the role asks |
//! | `POST /v1/stop?keep=false` | `{}`, once the table is as `on_stop` asks |
//! | `POST /v1/upgrade` | `{}`, once the program that is to go on has been found able to |
//! | `POST /v1/command` with a [`Command`] | [`CommandReport`] |
//! | `POST /v1/alerts` with an [`AlertsCommand`] | [`AlertsReport`] |
//!
//! Whatever is not answered with 200 carries `{"error": ..., "hint": ...}`. Only root and the
//! user the daemon runs as are heard: the socket has mode 0600, and the kernel's word on who is
//! at the other end is asked for besides.
//!
//! [`serve`] is the daemon's half, [`Client`] everybody else's. Neither decides anything: each
//! request becomes a [`Request`] to the daemon's loop.

#![forbid(unsafe_code)]

mod client;
mod listener;
mod pieces;
mod server;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use crate::model::{
    AlertsCommand, AlertsReport, Command, CommandReport, PlanView, ReloadReport, Role, RoleReport,
    Snapshot, Vitals,
};

pub use client::{Client, Error};
pub use listener::{BindError, Listener, bind};
pub use server::serve;

/// The control socket of the daemon with this runtime directory.
pub fn socket_path(runtime_dir: &Path) -> PathBuf {
    runtime_dir.join("control.sock")
}

/// One thing asked of the daemon, with the way back. Dropping the way back unanswered means the
/// daemon is on its way out.
#[derive(Debug)]
pub enum Request {
    Status(oneshot::Sender<Snapshot>),
    /// Whether the director does its work.
    Vitals(oneshot::Sender<Vitals>),
    /// What a reload would change in the kernel now, or why that cannot be told.
    Plan(oneshot::Sender<Result<PlanView, String>>),
    /// Read the files again; `confirm` is the operator's word for a reload that was held.
    Reload {
        confirm: bool,
        reply: oneshot::Sender<ReloadReport>,
    },
    /// Play this role from now on. Answered when the table is as it asks.
    Role {
        role: Role,
        reply: oneshot::Sender<RoleReport>,
    },
    /// Answered when the table is as `on_stop` asks.
    Stop {
        /// Leave every service in the kernel, whatever its `on_stop`: for a restart.
        keep: bool,
        reply: oneshot::Sender<()>,
    },
    /// Go on as the program that is installed now. Answered before that is done, or with what
    /// stands in the way.
    Upgrade(oneshot::Sender<Result<(), String>>),
    /// Answered with what it was done to, or why it was not done.
    Command(Command, oneshot::Sender<Result<CommandReport, String>>),
    /// The same, about who is told.
    Alerts(AlertsCommand, oneshot::Sender<Result<AlertsReport, String>>),
}

impl Request {
    /// Whether the caller has stopped waiting for an answer.
    pub fn is_given_up(&self) -> bool {
        match self {
            Request::Status(reply) => reply.is_closed(),
            Request::Vitals(reply) => reply.is_closed(),
            Request::Plan(reply) => reply.is_closed(),
            Request::Reload { reply, .. } => reply.is_closed(),
            Request::Role { reply, .. } => reply.is_closed(),
            Request::Stop { reply, .. } => reply.is_closed(),
            Request::Upgrade(reply) => reply.is_closed(),
            Request::Command(_, reply) => reply.is_closed(),
            Request::Alerts(_, reply) => reply.is_closed(),
        }
    }
}

/// The way to the daemon's loop. The loop holds the other end of the channel, which is bounded:
/// when it is full, the caller is told to come back (503).
#[derive(Clone, Debug)]
pub struct Handle(mpsc::Sender<Request>);

impl Handle {
    pub fn new(requests: mpsc::Sender<Request>) -> Handle {
        Handle(requests)
    }
}

/// The body of every answer but 200.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Refusal {
    error: String,
    #[serde(default)]
    hint: Option<String>,
}
