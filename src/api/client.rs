//! The other half: what `directord status` and its like use to ask a running daemon.

use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Collected, Full, Limited};
use hyper::body::{Buf, Bytes};
use hyper::client::conn::http1;
use hyper::{Method, StatusCode, header};
use hyper_util::rt::TokioIo;
use nix::unistd::geteuid;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::{Refusal, listener, socket_path};
use crate::model::{
    AlertsCommand, AlertsReport, Command, CommandReport, PlanView, ReloadReport, Role, RoleReport,
    Snapshot, Vitals,
};

/// For a connection to be accepted, and for the answer to a question.
const SHORT: Duration = Duration::from_secs(15);
/// For a reload, a role or a stop; longer than the daemon's own limit, whose message is the better one.
const LONG: Duration = Duration::from_secs(80);
/// Well above the status of 150,000 real servers.
const MAX_ANSWER: usize = 256 << 20;

/// Asks the daemon of one runtime directory. Every call is a connection of its own and waits for
/// its answer; not for use inside an async runtime.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "directord is not running (nobody listens on {}): start it with `directord run` or \
         `systemctl start directord`", .0.display()
    )]
    NotRunning(PathBuf),
    #[error("control socket {}: permission denied: run as root or as the daemon's user", .0.display())]
    Permission(PathBuf),
    #[error(
        "control socket {}: belongs to user {uid}, neither root nor you: not trusted", socket.display()
    )]
    Foreign { socket: PathBuf, uid: u32 },
    #[error("control socket {}: no answer within {} s", socket.display(), after.as_secs())]
    Timeout { socket: PathBuf, after: Duration },
    /// The daemon will not, as things are; it said why.
    #[error("{0}")]
    Refused(String),
    #[error("control socket {}: {what}", socket.display())]
    Broken { socket: PathBuf, what: String },
}

impl Client {
    /// A client of the daemon with this runtime directory. Touches nothing yet.
    pub fn new(runtime_dir: &Path) -> Client {
        Client { socket: socket_path(runtime_dir) }
    }

    /// The state of everything.
    pub fn status(&self) -> Result<Snapshot, Error> {
        self.ask(SHORT, Method::GET, "/v1/status", Vec::new())
    }

    /// The same as the daemon wrote it, in JSON: of 10,000 services it is megabytes, not worth
    /// understanding for somebody who only hands it on. Whole: whoever reads it may take his
    /// time.
    pub fn status_json(&self) -> Result<impl Read, Error> {
        let answer = self.answer(SHORT, Method::GET, "/v1/status", Vec::new())?;
        Ok(answer.aggregate().reader())
    }

    /// Whether the director does its work, if it says so within `patience`.
    pub fn vitals(&self, patience: Duration) -> Result<Vitals, Error> {
        self.ask(patience, Method::GET, "/v1/vitals", Vec::new())
    }

    /// What a reload would change in the kernel now.
    pub fn plan(&self) -> Result<PlanView, Error> {
        self.ask(LONG, Method::GET, "/v1/plan", Vec::new())
    }

    /// Has the files read again; waits until that is done or held. `confirm` lets a held one
    /// through.
    pub fn reload(&self, confirm: bool) -> Result<ReloadReport, Error> {
        let path = if confirm { "/v1/reload?confirm=true" } else { "/v1/reload" };
        self.ask(LONG, Method::POST, path, Vec::new())
    }

    /// Has the daemon play this role; returns when the table is as it asks.
    pub fn role(&self, role: Role) -> Result<RoleReport, Error> {
        let path = match role {
            Role::Active => "/v1/role?to=active",
            Role::Standby => "/v1/role?to=standby",
        };
        self.ask(LONG, Method::POST, path, Vec::new())
    }

    /// Stops the daemon; returns when the table is as `on_stop` asks, a moment before the
    /// process ends. `keep` leaves every service in the kernel.
    pub fn stop(&self, keep: bool) -> Result<(), Error> {
        let path = if keep { "/v1/stop?keep=true" } else { "/v1/stop" };
        self.ask(LONG, Method::POST, path, Vec::new()).map(|_: serde_json::Value| ())
    }

    /// Has the daemon go on as the program that is installed now; returns when that has been found
    /// able to, a moment before it begins.
    pub fn upgrade(&self) -> Result<(), Error> {
        self.ask(LONG, Method::POST, "/v1/upgrade", Vec::new()).map(|_: serde_json::Value| ())
    }

    /// Carries out a command.
    pub fn command(&self, command: &Command) -> Result<CommandReport, Error> {
        let body = serde_json::to_vec(command).map_err(|error| self.broken(error))?;
        self.ask(SHORT, Method::POST, "/v1/command", body)
    }

    /// Has people told of something again, or not.
    pub fn alerts(&self, command: &AlertsCommand) -> Result<AlertsReport, Error> {
        let body = serde_json::to_vec(command).map_err(|error| self.broken(error))?;
        self.ask(SHORT, Method::POST, "/v1/alerts", body)
    }

    /// Whether somebody listens. Never waits.
    pub fn is_running(&self) -> bool {
        match listener::connect(&self.socket) {
            Ok(()) => true,
            // Alive, and busy.
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        }
    }

    fn ask<T: DeserializeOwned>(
        &self,
        patience: Duration,
        method: Method,
        path: &'static str,
        body: Vec<u8>,
    ) -> Result<T, Error> {
        let answer = self.answer(patience, method, path, body)?;
        serde_json::from_slice(&answer.to_bytes()).map_err(|error| {
            self.broken(format_args!("answer not understood: {error}: other version?"))
        })
    }

    /// The body of a good answer, in pieces as they came.
    fn answer(
        &self,
        patience: Duration,
        method: Method,
        path: &'static str,
        body: Vec<u8>,
    ) -> Result<Collected<Bytes>, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| self.broken(error))?;
        let late = |_| Error::Timeout { socket: self.socket.clone(), after: patience };
        let (status, answer) = runtime
            .block_on(async { timeout(patience, self.exchange(method, path, body)).await })
            .map_err(late)??;
        if status == StatusCode::OK {
            return Ok(answer);
        }
        Err(match serde_json::from_slice(&answer.to_bytes()) {
            Ok(Refusal { error, hint: Some(hint) }) => Error::Refused(format!("{error}: {hint}")),
            Ok(Refusal { error, hint: None }) => Error::Refused(error),
            Err(_) => self.broken(format_args!("answered {status}")),
        })
    }

    async fn exchange(
        &self,
        method: Method,
        path: &'static str,
        body: Vec<u8>,
    ) -> Result<(StatusCode, Collected<Bytes>), Error> {
        let stream = self.connect().await?;
        let request = hyper::Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "directord")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| self.broken(error))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| self.broken(error))?;
        // Ends with the runtime, which is this call's own.
        tokio::spawn(connection);
        let response = sender.send_request(request).await.map_err(|error| self.broken(error))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER);
        Ok((status, body.collect().await.map_err(|error| self.broken(error))?))
    }

    /// Connects, and makes sure that it is the daemon that answers: a runtime directory anybody
    /// may write to must not make root talk to a stranger.
    async fn connect(&self) -> Result<UnixStream, Error> {
        let trusted = |uid: u32| match uid == 0 || uid == geteuid().as_raw() {
            true => Ok(()),
            false => Err(Error::Foreign { socket: self.socket.clone(), uid }),
        };
        let file = std::fs::symlink_metadata(&self.socket).map_err(|error| self.failed(error))?;
        trusted(file.uid())?;
        let stream = UnixStream::connect(&self.socket).await.map_err(|error| self.failed(error))?;
        trusted(stream.peer_cred().map_err(|error| self.broken(error))?.uid())?;
        Ok(stream)
    }

    fn failed(&self, error: io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                Error::NotRunning(self.socket.clone())
            }
            io::ErrorKind::PermissionDenied => Error::Permission(self.socket.clone()),
            _ => self.broken(error),
        }
    }

    fn broken(&self, what: impl std::fmt::Display) -> Error {
        Error::Broken { socket: self.socket.clone(), what: what.to_string() }
    }
}
