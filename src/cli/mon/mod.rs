//! The personality `mon`: its command line, its exit statuses, and a directord behind them.
//!
//! `mon [OPTIONS]` stays in the foreground, `mon -f` starts the daemon and returns when it
//! watches. The port for mon's clients is open, on the loopback where the file says no other
//! address. What is left of mon is in docs/from-mon.md.

mod options;

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use nix::errno::Errno;

use super::logging;
use super::spool::Emptied;
use super::started::{self, PATIENCE, Started, until_running};
use super::syslog::Syslog;
use crate::api::Client;
use crate::config::{self, Defaults, Dialect, Source, mon, source};
use crate::daemon::{self, MonPersona, Options, SYSLOG, TableChoice};
use crate::model::{Facility, MonPlaces};

use options::{Asked, SERVE};

/// mon's exit statuses: what its version prints for each is its own business.
mod status {
    pub const OK: u8 = 0;
    /// The port is taken, another one runs, or there is no IPVS.
    pub const FAILED: u8 = 1;
    /// A file that is not there or cannot be read.
    pub const NO_FILE: u8 = 2;
    /// Mistakes in the file: mon ends with whatever error number was there last, mostly this.
    pub const CONFIG: u8 = 25;
}

const DEFAULT_FILE: &str = "/etc/mon/mon.cf";

const HELP: &str = "\
usage: mon [-f] [-d] [-c FILE] [-M [COMMAND]] [-A AUTHFILE] [-B CFBASEDIR] [-D STATEDIR]
           [-L LOGDIR] [-l [disabled|opstatus|all]] [-O FACILITY] [-P PIDFILE] [-a ALERTDIR] [-b BASEDIR] [-k COUNT]
           [-m COUNT] [-p PORT] [-r TIME] [-s MONITORDIR] [-S] [-t TRAPPORT]
           [--table kernel|memory] [--runtime-dir DIR] [--state-dir DIR]
       mon -h | -v

directord, called as mon: watches what the file says, tells whom it says, and keeps the real
servers that lvs.alert is called for in the kernel's table. -i is accepted: there is no tick to
set. The state is always kept; -l is for the first start after mon. See docs/from-mon.md.
";

/// Runs mon's command line; `words` without the program's name.
pub fn run(words: impl Iterator<Item = OsString>) -> u8 {
    let words: Vec<OsString> = words.collect();
    let asked = match options::parse(words.iter().cloned()) {
        Ok(asked) => asked,
        // As mon: a word that is no option is answered by its usage, and no failure.
        Err(error) => {
            complain(&error);
            print(HELP);
            return if error.contains("randstart") { u8::MAX } else { status::OK };
        }
    };
    if asked.help {
        print(HELP);
        return status::OK;
    }
    if asked.version {
        print(concat!("mon-1.3.4 (directord ", env!("CARGO_PKG_VERSION"), ")\n"));
        return status::OK;
    }
    let file = asked.file.clone().unwrap_or_else(|| DEFAULT_FILE.into());
    let file = std::path::absolute(&file).unwrap_or(file);
    let persona = MonPersona {
        options: Arc::new(asked.options.clone()),
        filter: asked.filter.clone(),
        stopped: asked.stopped,
        loads_status: asked.loads_status,
    };
    match look(&file, &persona) {
        Err(code) => code,
        Ok(_) if asked.fork => start(&words, &asked),
        Ok(places) => serve(file, &asked, persona, places),
    }
}

/// The places the file names, if it can be taken; else mon's own line for scripts is told.
fn look(file: &Path, persona: &MonPersona) -> Result<MonPlaces, u8> {
    let refuse = |why: String| {
        complain(&why);
        status::NO_FILE
    };
    let options = &persona.options;
    if let Some(folder) = options.base_dir.as_ref().filter(|folder| !folder.is_dir()) {
        return Err(refuse(format!("basedir {} does not exist", folder.display())));
    }
    let text = source::read_mon(file, persona.filter.as_deref());
    let text = text.map_err(|error| refuse(format!("{}: {error}", file.display())))?;
    let source = Source { path: Arc::new(file.to_owned()), dialect: Dialect::Mon, text };
    let names = daemon::names(Some(persona));
    if let Some(first) = mon::first_error(&source, &names) {
        complain(&first);
        return Err(status::CONFIG);
    }
    let parsed = config::parse(&source, &Defaults::default(), &names);
    let Some(parsed) = parsed.mon else { return Ok(MonPlaces::default()) };
    // mon reads it at its start. Where nobody names it we do without: nobody may do anything then.
    if options.auth_file.is_some() || options.config_dir.is_some() {
        let file = &parsed.port.auth_file;
        File::open(file).map_err(|error| {
            let why = error.raw_os_error().map_or("?", |number| Errno::from_raw(number).desc());
            refuse(format!("could not open {}: {why}", file.display()))
        })?;
    }
    Ok(parsed.places.clone())
}

fn serve(file: PathBuf, asked: &Asked, persona: MonPersona, places: MonPlaces) -> u8 {
    if asked.serve {
        started::close_inherited();
        // It cannot be refused: nobody made us the leader of a group.
        let _ = nix::unistd::setsid();
    }
    let runtime_dir = runtime_dir(asked);
    let name = runtime_dir.file_name().map(ToOwned::to_owned).unwrap_or_default();
    let state_dir = asked.own_state_dir.clone();
    let level = match asked.debug {
        0 => "info",
        1 => "debug",
        _ => "trace",
    };
    let log = start_log(&logging::Log::at(level), asked, &places);
    let options = Options {
        config: vec![file],
        table: asked.table.unwrap_or(TableChoice::Kernel),
        runtime_dir,
        state_dir: state_dir.unwrap_or_else(|| Path::new("/var/lib/directord").join(name)),
        pid_file: places.pid_file,
        role: None,
        persona: None,
        mon: Some(persona),
        syslog: SYSLOG.into(),
    };
    let ended = daemon::run(options, None);
    drop(log);
    match ended {
        Ok(_) => status::OK,
        Err(error) => {
            complain(&error.to_string());
            match error {
                daemon::Error::Config(_) => status::CONFIG,
                _ => status::FAILED,
            }
        }
    }
}

/// What is watched is told to syslog, as by mon. In the background the rest of our log goes there
/// as well: nobody reads standard error.
fn start_log(log: &logging::Log, asked: &Asked, places: &MonPlaces) -> Vec<Emptied> {
    let facility = places.facility.as_deref().unwrap_or("daemon");
    let known = Facility::from_name(facility);
    let syslog = Syslog::new(SYSLOG.into(), known.unwrap_or(Facility::DAEMON), "mon");
    let log = logging::start_with_syslog(log, syslog, asked.serve);
    if known.is_none() {
        tracing::warn!("syslog has no facility {facility:?}: daemon is taken");
    }
    log
}

fn runtime_dir(asked: &Asked) -> PathBuf {
    asked.runtime_dir.clone().unwrap_or_else(|| "/run/directord/mon".into())
}

/// Starts the daemon in the background, and returns when it watches.
fn start(words: &[OsString], asked: &Asked) -> u8 {
    let started = spawn(words).and_then(|child| wait(child, &runtime_dir(asked)));
    match started {
        Ok(code) => code,
        Err(error) => {
            complain(&format!("start: {error}"));
            status::FAILED
        }
    }
}

/// This program again, in a session of its own, with the same words but for `-f`.
fn spawn(words: &[OsString]) -> std::io::Result<Child> {
    let is_fork = |word: &&OsString| {
        let text = word.to_string_lossy();
        let name = text.trim_start_matches('-');
        text.starts_with('-') && !name.is_empty() && (name == "f" || "fork".starts_with(name))
    };
    let mut command = Command::new(std::env::current_exe()?);
    command.arg0("mon").args(words.iter().filter(|word| !is_fork(word))).arg(SERVE);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn()
}

fn wait(mut child: Child, runtime_dir: &Path) -> std::io::Result<u8> {
    match until_running(Some(&mut child), &Client::new(runtime_dir))? {
        Started::Running => Ok(status::OK),
        Started::Ended(code) => {
            let mut words = String::new();
            if let Some(pipe) = child.stderr.take() {
                let _ = pipe.take(64 << 10).read_to_string(&mut words);
            }
            complain(words.trim_end());
            Ok(code.unwrap_or(status::FAILED))
        }
        Started::Late => {
            let seconds = PATIENCE.as_secs();
            Err(std::io::Error::other(format!("not ready after {seconds} s")))
        }
    }
}

/// Nobody is left to tell when this fails.
fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}
