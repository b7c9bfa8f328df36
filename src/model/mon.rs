//! What a `mon.cf` says besides what is watched: its port for clients, its places, and the real
//! servers its watches decide about.

use std::path::PathBuf;
use std::time::Duration;

use super::{Destination, Endpoint, KernelName, ServiceKey, WatchKey, Watching};

/// The whole of a `mon.cf`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MonFile {
    pub watching: Watching,
    pub port: PortSettings,
    pub places: MonPlaces,
    /// In the order of the file; no service twice.
    pub joined: Vec<Joined>,
}

/// Where clients and traps come in, and who may.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PortSettings {
    pub server: MonBind,
    pub trap: MonBind,
    /// Patterns as written, each for a whole address; a client whose address matches none is sent
    /// away. Empty is everybody.
    pub client_allow: Vec<String>,
    /// A client that says nothing for so long is disconnected.
    pub client_timeout: Duration,
    /// Who may give which command.
    pub auth_file: PathBuf,
    /// How a password is looked at, in this order; empty is nobody.
    pub auth_types: Vec<AuthType>,
    /// `USER:HASH` a line.
    pub user_file: PathBuf,
}

/// Where to listen.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MonBind {
    /// An address or a name; every address where there is none.
    pub host: Option<String>,
    /// mon's own, 2583, where there is none.
    pub port: Option<u16>,
}

impl MonBind {
    /// The port of mon's clients and of its traps, where nobody says another.
    pub const PORT: u16 = 2583;
}

/// How somebody proves to be who he says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum AuthType {
    /// By a password whose hash is in [`PortSettings::user_file`].
    UserFile,
    /// By calling from this host: any name, any password.
    TrustLocal,
}

impl Default for PortSettings {
    /// mon's, but for the accounts of the system, which are not asked here.
    fn default() -> PortSettings {
        PortSettings {
            server: MonBind::default(),
            trap: MonBind::default(),
            client_allow: Vec::new(),
            client_timeout: Duration::from_secs(30),
            auth_file: "/etc/mon/auth.cf".into(),
            auth_types: vec![AuthType::UserFile],
            user_file: "/etc/mon/monusers.cf".into(),
        }
    }
}

/// Files and folders, as resolved.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MonPlaces {
    pub base: PathBuf,
    pub config: PathBuf,
    pub state: PathBuf,
    pub log: PathBuf,
    /// Searched in this order.
    pub alerts: Vec<PathBuf>,
    pub monitors: Vec<PathBuf>,
    /// None where the owner wants none.
    pub pid_file: Option<PathBuf>,
    /// Of syslog, as written; `daemon` where there is none.
    pub facility: Option<String>,
}

/// A virtual service whose real servers are put in and taken out by watches: what pairs of
/// `lvs.alert` or `ipvs.alert` ask for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Joined {
    pub service: ServiceKey,
    /// Where an alert would have created the service with one.
    pub scheduler: Option<KernelName>,
    /// In the order of the file; no endpoint twice.
    pub servers: Vec<JoinedServer>,
}

/// A real server and who decides about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JoinedServer {
    /// As the table holds it: with `gate` and `ipip` the port is the service's.
    pub endpoint: Endpoint,
    pub destination: Destination,
    /// Not empty. It is in use while all of them are well.
    pub watches: Vec<JoinedWatch>,
}

/// A watched service as the check of a real server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JoinedWatch {
    pub key: WatchKey,
    /// None where results come by traps alone.
    pub interval: Option<Duration>,
    /// The interval while it fails.
    pub retry: Option<Duration>,
    /// As of a check: good results, bad results in a row; at least 1.
    pub rise: u16,
    pub fall: u16,
}
