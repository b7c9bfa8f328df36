//! Where the demo plays: the loopback addresses of this host, or network namespaces of its own.

use std::fs::File;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use nix::sched::{CloneFlags, setns};
use nix::unistd::geteuid;

use super::server::Server;
use super::trouble;
use crate::cli::args::TableArg;
use crate::cli::exit::{self, Failure};

/// What clients ask: an address of TEST-NET-1, so that it is nobody's.
pub const VIP: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 10)), 80);

/// Names and weights; the second is the one that dies.
const CAST: [(&str, u32); 3] = [("alpha", 2), ("beta", 1), ("gamma", 1)];

/// A network a process or thread can live in.
#[derive(Clone, Debug)]
pub enum Place {
    Here,
    /// A namespace that `ip netns` made, by the path it can be entered through.
    Namespace(PathBuf),
}

impl Place {
    /// Moves the calling thread there, for good.
    pub fn enter(&self) -> io::Result<()> {
        match self {
            Place::Here => Ok(()),
            Place::Namespace(path) => {
                setns(File::open(path)?, CloneFlags::CLONE_NEWNET).map_err(io::Error::from)
            }
        }
    }

    /// Does something there, on a thread that goes afterwards.
    pub fn visit<T: Send>(&self, act: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        thread::scope(|scope| {
            let there = scope.spawn(|| {
                self.enter()?;
                act()
            });
            there.join().unwrap_or_else(|_| Err(io::Error::other("the visitor panicked")))
        })
    }

    /// Starts a process there. It has a process group of its own, so that Ctrl-C is ours to
    /// handle.
    pub fn spawn(&self, mut command: Command) -> io::Result<Child> {
        self.visit(move || command.process_group(0).spawn())
    }
}

/// The places and the cast. Dropping it takes the namespaces away.
pub struct Stage {
    pub director: Place,
    pub client: Place,
    /// One for each server.
    pub server_places: Vec<Place>,
    pub servers: Vec<Server>,
    /// Of the namespaces.
    prefix: Option<String>,
}

impl Stage {
    pub fn set(table: TableArg) -> Result<Stage, Failure> {
        match table {
            TableArg::Memory => Stage::on_loopback(),
            TableArg::Kernel => Stage::in_namespaces(),
        }
    }

    fn on_loopback() -> Result<Stage, Failure> {
        let address = |n: u8| Ipv4Addr::new(127, 91, 0, n);
        // One port that is free now, for all; the addresses are unlikely to be anybody's.
        let port = TcpListener::bind((address(1), 0))
            .and_then(|listener| listener.local_addr())
            .map_err(|error| trouble(format_args!("find a free port: {error}")))?
            .port();
        let servers = (1..).zip(CAST).map(|(n, (name, weight))| {
            Server::new(name, SocketAddr::new(address(n).into(), port), weight)
        });
        Ok(Stage {
            director: Place::Here,
            client: Place::Here,
            server_places: vec![Place::Here; CAST.len()],
            servers: servers.collect(),
            prefix: None,
        })
    }

    /// client --- director --- alpha, beta, gamma: each with a cable of its own to the director,
    /// which is everybody's router, as masquerading needs it.
    fn in_namespaces() -> Result<Stage, Failure> {
        if !geteuid().is_root() {
            let text = "demo --table kernel: not root: run it with sudo, or without --table kernel";
            return Err(Failure::Other(exit::UNAVAILABLE, text.into()));
        }
        remove_leftovers();
        let prefix = format!("{PREFIX}{}", std::process::id());
        let address = |n: u8| Ipv4Addr::new(10, 91, n, 2);
        let servers = (1..).zip(CAST).map(|(n, (name, weight))| {
            Server::new(name, SocketAddr::new(address(n).into(), 80), weight)
        });
        let place = |name: &str| Place::Namespace(netns_path(&format!("{prefix}-{name}")));
        let stage = Stage {
            director: place("director"),
            client: place("client"),
            server_places: CAST.iter().map(|(name, _)| place(name)).collect(),
            servers: servers.collect(),
            prefix: Some(prefix.clone()),
        };
        // From here on the drop of `stage` tidies up, however far this gets.
        build(&prefix)?;
        let forwarding =
            stage.director.visit(|| std::fs::write("/proc/sys/net/ipv4/ip_forward", "1"));
        forwarding.map_err(|error| trouble(format_args!("switch forwarding on: {error}")))?;
        Ok(stage)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.servers.iter_mut().for_each(Server::kill);
        if let Some(prefix) = &self.prefix {
            // Nobody is left to tell; the next demo tries again.
            let _ = ip(None, &delete_namespaces(prefix));
        }
    }
}

const PREFIX: &str = "dd-demo-";

fn netns_path(name: &str) -> PathBuf {
    Path::new("/run/netns").join(name)
}

fn namespaces(prefix: &str) -> impl Iterator<Item = String> {
    ["director", "client"]
        .into_iter()
        .chain(CAST.iter().map(|(name, _)| *name))
        .map(move |name| format!("{prefix}-{name}"))
}

fn delete_namespaces(prefix: &str) -> String {
    namespaces(prefix).map(|name| format!("netns del {name}\n")).collect()
}

/// Six `ip` processes: under User-Mode Linux each costs some 20 ms.
fn build(prefix: &str) -> Result<(), Failure> {
    let mut outside: String =
        namespaces(prefix).map(|name| format!("netns add {name}\n")).collect();
    let mut director = "link set lo up\naddr add 192.0.2.10/32 dev lo\n".to_owned();
    let mut cable = |to: &str, director_address: &str| {
        outside += &format!(
            "link add {to} netns {prefix}-director type veth peer name eth0 netns {prefix}-{to}\n"
        );
        director += &format!("addr add {director_address}/24 dev {to}\nlink set {to} up\n");
    };
    cable("client", "198.51.100.1");
    for (n, (name, _)) in (1..).zip(CAST) {
        cable(name, &format!("10.91.{n}.1"));
    }
    ip(None, &outside)?;
    ip(Some(&format!("{prefix}-director")), &director)?;
    let end = |address: &str, router: &str| {
        format!(
            "link set lo up\naddr add {address}/24 dev eth0\nlink set eth0 up\n\
             route add default via {router}\n"
        )
    };
    ip(Some(&format!("{prefix}-client")), &end("198.51.100.2", "198.51.100.1"))?;
    for (n, (name, _)) in (1..).zip(CAST) {
        let (address, router) = (format!("10.91.{n}.2"), format!("10.91.{n}.1"));
        ip(Some(&format!("{prefix}-{name}")), &end(&address, &router))?;
    }
    Ok(())
}

/// Namespaces of demos that were killed without a chance to tidy up.
fn remove_leftovers() {
    let Ok(entries) = std::fs::read_dir("/run/netns") else { return };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let dead = |name: &String| {
        let pid = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        pid.is_some_and(|pid| pid.parse::<u32>().is_ok() && !Path::new("/proc").join(pid).exists())
    };
    let lines: String = names.filter(dead).map(|name| format!("netns del {name}\n")).collect();
    if !lines.is_empty() {
        let _ = ip(None, &lines);
    }
}

/// Runs `ip` on lines of its batch syntax, in a namespace; goes on after a line that fails, and
/// fails then.
fn ip(namespace: Option<&str>, lines: &str) -> Result<(), Failure> {
    let mut command = Command::new("ip");
    command.args(namespace.iter().flat_map(|name| ["-n", name]));
    command.args(["-force", "-batch", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let failed = |what: &dyn std::fmt::Display| trouble(format_args!("ip: {what}"));
    let mut child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            let text = "demo --table kernel: no ip command: install iproute2".to_owned();
            Failure::Other(exit::UNAVAILABLE, text)
        }
        _ => failed(&error),
    })?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(lines.as_bytes()).map_err(|error| failed(&error))?;
    }
    let done = child.wait_with_output().map_err(|error| failed(&error))?;
    match done.status.success() {
        true => Ok(()),
        false => Err(failed(&String::from_utf8_lossy(&done.stderr).trim_end())),
    }
}
