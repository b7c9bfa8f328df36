//! mon's port: its clients by TCP, and traps by UDP.
//!
//! [`protocol`] knows what is said; here are the sockets. Nobody waits for anybody: a request
//! becomes a [`Request`] to the daemon's loop, a trap goes into a bounded queue, passwords are
//! checked and long replies written on blocking threads, and whoever does not read is dropped.
//! Everything foreign is bounded: bytes of a line, clients, time of a reply, replies that wait
//! to be read, traps in a second.
//!
//! What is in force is a [`Rules`], which a reload replaces under the feet of those connected.

#![forbid(unsafe_code)]

mod answer;
mod clients;
#[doc(hidden)]
pub mod fake;
mod files;
pub mod protocol;
#[cfg(test)]
mod tests;
mod traps;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{mpsc, oneshot};

use crate::model::{WatchOrder, WatchRefusal};
use protocol::{Access, Act, Allow, Credential, Host, Parts, Scene};

pub use clients::serve_clients;
pub use files::{LoadError, Loaded, RuleFiles, load, look_up};
pub use traps::serve_traps;

/// mon's port, for clients and for traps.
pub const PORT: u16 = 2583;

/// How long a client may say nothing where no file says otherwise.
pub const IDLE: Duration = Duration::from_secs(30);

/// One thing asked of the daemon, with the way back. Dropping the way back unanswered means the
/// daemon is on its way out.
#[derive(Debug)]
pub enum Request {
    /// What there is to see, with at least these parts.
    Look(Parts, oneshot::Sender<Scene>),
    Order(WatchOrder, oneshot::Sender<Result<(), WatchRefusal>>),
    /// Answered when it is done, or with the reasons why it was not. The rules are read again by
    /// whoever gets [`Act::ReloadAccess`]; [`Act::Terminate`] is answered before the end.
    Act(Act, oneshot::Sender<Result<(), Vec<String>>>),
}

/// The way to the daemon's loop, which holds the other end of the bounded channel.
#[derive(Clone, Debug)]
pub struct Handle {
    requests: mpsc::Sender<Request>,
    host: Arc<Host>,
}

impl Handle {
    pub fn new(requests: mpsc::Sender<Request>, host: Host) -> Handle {
        Handle { requests, host: Arc::new(host) }
    }
}

/// Who may connect, log in and do what.
#[derive(Clone, Debug)]
pub struct Rules {
    pub access: Access,
    /// Ways to log in, tried in this order.
    pub credentials: Vec<Credential>,
    /// Read anew at each login, so that a changed password holds at once.
    pub user_file: Option<PathBuf>,
    pub allow: Allow,
    /// A client that says no whole line for this long is hung up on.
    pub idle: Duration,
}

impl Default for Rules {
    /// Everybody may connect, and nobody do anything that needs leave.
    fn default() -> Rules {
        Rules {
            access: Access::default(),
            credentials: Vec::new(),
            user_file: None,
            allow: Allow::default(),
            idle: IDLE,
        }
    }
}

/// Why the port could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("mon port {place}/{protocol}: {source}{}", remedy(source))]
pub struct BindError {
    place: SocketAddr,
    protocol: &'static str,
    source: std::io::Error,
}

fn remedy(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => ": is a mon running? stop it, or choose another port",
        std::io::ErrorKind::AddrNotAvailable => ": this host has no such address",
        _ => "",
    }
}

/// Listens for clients. To be called within a Tokio runtime.
pub async fn bind_clients(place: SocketAddr) -> Result<TcpListener, BindError> {
    let listener = TcpListener::bind(place).await;
    listener.map_err(|source| BindError { place, protocol: "tcp", source })
}

/// Listens for traps. To be called within a Tokio runtime.
pub async fn bind_traps(place: SocketAddr) -> Result<UdpSocket, BindError> {
    let socket = UdpSocket::bind(place).await;
    socket.map_err(|source| BindError { place, protocol: "udp", source })
}
