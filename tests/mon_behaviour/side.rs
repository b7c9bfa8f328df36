//! One of the two: Debian's mon or ours, in a folder of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::note::{Note, masked};

pub const MON: &str = "/usr/sbin/mon";

/// More than anything takes on a busy machine: a start, a reply, the next run of a monitor.
const PATIENCE: Duration = Duration::from_secs(40);
/// Between two looks.
pub const LOOK: Duration = Duration::from_millis(50);

/// Who may do what: everybody everything.
const ACCESS: &str = "command section\nack: all\nclear: all\ndisable: all\nenable: all\n\
    get: all\nlist: all\nloadstate: all\nreset: all\nsavestate: all\nset: all\n\
    start: all\nstop: all\ntest: all\n\
    trap section\n127.0.0.1 * *\n";

const SCRIPTED: &str = include_str!("scripted.pl");

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Who {
    Ours,
    Theirs,
}

/// What was noted, by the names of the files.
pub type Notes = BTreeMap<OsString, Note>;

pub struct Side {
    who: Who,
    folder: TempDir,
    port: u16,
    child: Child,
    notes: Notes,
    /// Those that earlier steps looked at.
    settled: BTreeSet<OsString>,
    /// How often each service's monitor was told what to say.
    handed: BTreeMap<String, usize>,
}

impl Drop for Side {
    fn drop(&mut self) {
        // Should it be gone already, that is what was wanted. Monitors end with their folder.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Side {
    /// Starts it on this file; returns when its port is open.
    pub fn start(who: Who, text: &str, filter: Option<&str>) -> Result<Side, String> {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["mon.d", "alert.d", "state", "log", "notes", "say"] {
            fs::create_dir(at(name)).unwrap();
        }
        for program in ["mon.d/scripted.monitor", "alert.d/note.alert", "alert.d/other.alert"] {
            fs::write(at(program), SCRIPTED).unwrap();
            fs::set_permissions(at(program), fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::write(at("auth.cf"), ACCESS).unwrap();
        let port = free_port();
        fs::write(at("mon.cf"), format!("{}\n{text}", places(folder.path(), port))).unwrap();
        let child = command(who, folder.path(), filter).spawn().unwrap();
        let (notes, settled, handed) = Default::default();
        let mut side = Side { who, folder, port, child, notes, settled, handed };
        side.opened()?;
        Ok(side)
    }

    fn opened(&mut self) -> Result<(), String> {
        let end = Instant::now() + PATIENCE;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            let ended = self.child.try_wait().unwrap();
            if ended.is_some() || Instant::now() > end {
                return Err(format!("{:?} did not start: {ended:?}\n{}", self.who, self.log()));
            }
            sleep(LOOK);
        }
        Ok(())
    }

    /// What it said on its own account.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("out")).unwrap_or_default()
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    fn look(&mut self) {
        for entry in fs::read_dir(self.path("notes")).unwrap() {
            let name = entry.unwrap().file_name();
            let is_whole = !name.as_encoded_bytes().starts_with(b".");
            if is_whole && !self.notes.contains_key(&name) {
                let bytes = fs::read(self.path("notes").join(&name)).unwrap();
                self.notes.insert(name, Note::parse(&bytes, self.folder.path()));
            }
        }
    }

    /// What was noted since `settle`.
    pub fn fresh(&mut self) -> Notes {
        self.look();
        let is_fresh = |(name, _): &(&OsString, &Note)| !self.settled.contains(*name);
        self.notes
            .iter()
            .filter(is_fresh)
            .map(|(name, note)| (name.clone(), note.clone()))
            .collect()
    }

    pub fn settle(&mut self, notes: Notes) {
        self.settled.extend(notes.into_keys());
    }

    /// Whether the service's monitor runs, and waits for its words.
    fn asks(&mut self, key: &str) -> bool {
        self.look();
        let of_it = |note: &&Note| note.is_monitor && note.key == key;
        self.notes.values().filter(of_it).count() > self.handed.get(key).copied().unwrap_or(0)
    }

    pub fn wait_for(&mut self, key: &str) -> Result<(), String> {
        self.until(&format!("the monitor of {key}"), |side| side.asks(key))
    }

    fn until(&mut self, what: &str, holds: impl Fn(&mut Side) -> bool) -> Result<(), String> {
        let end = Instant::now() + PATIENCE;
        while !holds(self) {
            if Instant::now() > end {
                return Err(format!("{:?}: waited in vain for {what}\n{}", self.who, self.log()));
            }
            sleep(LOOK);
        }
        Ok(())
    }

    /// The monitor that waits ends with this.
    pub fn hand(&mut self, key: &str, exit: &str, output: &str) {
        let name = self.path("say").join(key.replace('/', "."));
        let unfinished = self.path("unfinished");
        fs::write(&unfinished, format!("{exit}\n{output}")).unwrap();
        fs::rename(unfinished, name).unwrap();
        *self.handed.entry(key.to_owned()).or_default() += 1;
    }

    /// The result that was handed over is taken in, and the monitor does not run again.
    pub fn rests(&mut self, key: &str) -> Result<(), String> {
        let request = format!("list opstatus {}", key.replace('/', ","));
        self.until(&format!("the end of {key}"), |side| {
            let is_taken = !side.path("say").join(key.replace('/', ".")).exists();
            is_taken && side.ask(&request).iter().any(|line| line.contains("monitor_running=0"))
        })
    }

    /// The reply, line by line.
    pub fn ask(&self, request: &str) -> Vec<String> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        (&stream).write_all(format!("{request}\n").as_bytes()).unwrap();
        let mut lines = Vec::new();
        for line in BufReader::new(stream).lines() {
            lines.push(masked(&line.unwrap(), self.folder.path()));
            let last = lines.last().map(String::as_bytes).unwrap_or_default();
            if last.len() > 3 && last[..3].iter().all(u8::is_ascii_digit) {
                return lines;
            }
        }
        panic!("{:?}: {request}: hung up", self.who);
    }

    /// Returns when it was taken in.
    pub fn trap(&self, fields: &[String]) {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let text = format!("pro=0.3807\n{}\n", fields.join("\n"));
        socket.send_to(text.as_bytes(), (Ipv4Addr::LOCALHOST, self.port)).unwrap();
        // What came before a request is looked at no later than the one after it.
        self.ask("list state");
        self.ask("list state");
    }
}

fn command(who: Who, folder: &Path, filter: Option<&str>) -> Command {
    let mut command = match who {
        Who::Theirs => Command::new(MON),
        Who::Ours => Command::new(env!("CARGO_BIN_EXE_directord")),
    };
    if who == Who::Ours {
        command.args(["mon", "--table", "memory", "--runtime-dir"]).arg(folder.join("run"));
        command.arg("--state-dir").arg(folder.join("own"));
    }
    command.arg("-c").arg(folder.join("mon.cf")).arg("-B").arg(folder);
    if let Some(filter) = filter {
        command.args(["-M", filter]);
    }
    let log = fs::File::create(folder.join("out")).unwrap();
    command.current_dir(folder).env("LC_ALL", "C").stdin(Stdio::null());
    command.stdout(log.try_clone().unwrap()).stderr(log);
    command
}

fn places(folder: &Path, port: u16) -> String {
    let folder = folder.display();
    format!(
        "cfbasedir = {folder}\nalertdir = {folder}/alert.d\nmondir = {folder}/mon.d\n\
         statedir = {folder}/state\nlogdir = {folder}/log\nauthfile = auth.cf\n\
         authtype = trustlocal\npidfile = {folder}/pid\nserverbind = 127.0.0.1\n\
         trapbind = 127.0.0.1\nserverport = {port}\ntrapport = {port}\n"
    )
}

/// A number that nobody listens on by TCP or UDP; below those the kernel hands out, and no two
/// the same.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 20_000).expect("below 20,000");
    for _ in 0..20_000 {
        let port = 10_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed) % 20_000) % 20_000;
        let place = (Ipv4Addr::LOCALHOST, port);
        if TcpListener::bind(place).is_ok() && UdpSocket::bind(place).is_ok() {
            return port;
        }
    }
    panic!("no free port from 10000 to 29999");
}
