//! The command line of ldirectord, for scripts, units and cluster agents written for it.
//!
//! `ldirectord [-d] [CONFIG] start|stop|restart|try-restart|reload|force-reload|status`, with
//! ldirectord's search for the file, its pid files, its words and its exit statuses:
//!
//! | action | runs | stopped | stopped, stale pid file | mistakes in the file | no file |
//! |---|---|---|---|---|---|
//! | start | 0 | 0 | 0 | 2 | 1 |
//! | stop | 0 | 0 | 0 | 0 | 1 if stopped |
//! | restart | 0 | 0 | 0 | 2 | 1 |
//! | try-restart | 0 | 0 | 0 | 2 if it runs | 1 |
//! | reload, force-reload | 0 | 1 | 1 | 2 if it runs | 1 |
//! | status | 0 | 3 | 1 | as without | 1 if stopped |
//!
//! `status` of one that runs and does not do its work, as `directord monitor` finds it, is 4, LSB's
//! word for what cannot be told; the cluster's agents take any other status for a failure.
//!
//! Unlike there, `stop` and `status` do not read the file, so that a broken one cannot stand in
//! their way; `start` returns once the services are in the kernel, or says why they are not;
//! `stop` returns when the daemon is gone; `restart` leaves the table as it is in between; and
//! two files of one name are two directors; of two starts at one moment both are 0, and one
//! director runs. A line in the log for each invocation is written by the one that becomes the
//! daemon only.

mod arguments;
mod instance;
mod places;

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{logging, started};
use crate::alert::{Persona, Sink};
use crate::config::assemble::{self, Report};
use crate::config::source;
use crate::config::{Severity, render};
use crate::daemon::{self, Options, TableChoice};
use crate::model::{Head, LogPlace};

use arguments::{Action, Asked, Request};
use instance::State;
use places::{Places, Root};

/// ldirectord's exit statuses.
pub mod status {
    /// Done; or `status`: it runs.
    pub const OK: u8 = 0;
    /// No such file, not running, or not done; or `status`: stopped, with a stale pid file.
    pub const FAILED: u8 = 1;
    /// The file has mistakes.
    pub const CONFIG: u8 = 2;
    /// `status`: stopped.
    pub const STOPPED: u8 = 3;
    /// `status`: it runs and does not do its work.
    pub const UNWELL: u8 = 4;
    /// The command line is wrong.
    pub const USAGE: u8 = 255;
}

/// Marks the daemon's own command line. It stands where ldirectord ignores everything.
const SERVE: &str = "--serve";

/// Another top of the file system for all paths but those given: for tests and images.
const ROOT: &str = "DIRECTORD_ROOT";

/// The table, as for `directord run`.
const TABLE: &str = "DIRECTORD_TABLE";

const USAGE: &str = "\
Usage:
    ldirectord [-d|--debug] [--] [CONFIG]
               start|stop|restart|try-restart|reload|force-reload|status
    ldirectord -h|-?|--help|-v|--version

CONFIG is looked for in /etc/ha.d, in /etc/ha.d/conf and as given; ldirectord.cf by default.

    -d    stay in the foreground, log to standard error, say more

Exit statuses: 0 done or running, 1 failed or not running, 2 mistakes in the file,
3 stopped (status), 4 runs and does not do its work (status), 255 wrong usage.

This is directord; `directord --help` shows what else it does.";

/// Runs `programme` with ldirectord's arguments; answers with ldirectord's exit status.
pub fn run(args: impl Iterator<Item = OsString>, programme: &Path) -> u8 {
    let args: Vec<OsString> = args.collect();
    let root = Root::at(std::env::var_os(ROOT).unwrap_or_else(|| "/".into()));
    if let Some(at) = args.iter().position(|word| word == SERVE) {
        return serve(arguments::parse(&args[..at]), programme, &root);
    }
    match arguments::parse(&args) {
        Request::Help => {
            say(USAGE);
            status::OK
        }
        Request::Version => {
            let version = env!("CARGO_PKG_VERSION");
            say(format_args!("directord {version}, with the command line of ldirectord v1.186-ha"));
            status::OK
        }
        Request::Usage(why) => {
            if let Some(why) = why {
                complain(why);
            }
            say(USAGE);
            status::USAGE
        }
        Request::Act(asked) => act(&asked, programme, &root),
    }
}

fn act(asked: &Asked, programme: &Path, root: &Root) -> u8 {
    let places = places::find(asked.config.as_deref(), root);
    let state = places.state();
    let runs = matches!(state, State::Running { .. });
    if !places.config_found && (!runs || !matches!(asked.action, Action::Stop | Action::Status)) {
        let written = asked.config.as_deref().unwrap_or(Path::new("ldirectord.cf"));
        complain(format_args!("Config file {} not found", written.display()));
        return status::FAILED;
    }
    let start = || start(asked, places.clone(), programme, root);
    match (asked.action, runs) {
        (Action::Status, _) => tell_status(&places, state),
        (Action::Stop, _) => done(places.stop(false).map_err(|why| (status::FAILED, why))),
        (Action::Start, true) | (Action::TryRestart, false) => status::OK,
        (Action::Start | Action::Restart, false) => start(),
        (Action::Reload, false) => {
            complain(format_args!("ldirectord is stopped for {}", places.config.display()));
            status::FAILED
        }
        // What the daemon would not take must not cost the one that runs.
        (_, true) if !is_valid(&places.config) => status::CONFIG,
        (Action::Reload, true) => done(places.reload()),
        (Action::Restart | Action::TryRestart, true) => match places.stop(true) {
            Ok(()) => start(),
            Err(why) => done(Err((status::FAILED, why))),
        },
    }
}

fn start(asked: &Asked, places: Places, programme: &Path, root: &Root) -> u8 {
    if let Some(pid) = places.stranger() {
        let why = format!("another ldirectord is running with pid {pid}: stop that one first");
        return done(Err((status::FAILED, why)));
    }
    let Some(head) = valid(&places.config) else { return status::CONFIG };
    let places = match claimed(asked, places, root) {
        Ok(places) => places,
        Err(error) => return done(Err((status::FAILED, format!("start: {error}")))),
    };
    if asked.debug || head.supervised {
        let log = if asked.debug { None } else { Some(Sink::Output) };
        return serve_here(asked, &places, None, persona(asked, programme, log), root);
    }
    let log = match &head.log {
        Some(LogPlace::File(file)) => Some(file.to_path_buf()),
        Some(LogPlace::Syslog(_)) => None,
        None => Some(root.log()),
    };
    if let Some(log) = log.as_ref().filter(|log| !instance::is_writable(log)) {
        return done(Err((status::CONFIG, format!("unable to open logfile: {}", log.display()))));
    }
    match places.start(programme, asked.config.as_deref(), log.as_deref()) {
        Ok(remarks) => {
            remarks.iter().for_each(complain);
            status::OK
        }
        Err(why) => done(Err(why)),
    }
}

fn claimed(asked: &Asked, places: Places, root: &Root) -> io::Result<Places> {
    if places.claim()? {
        return Ok(places);
    }
    // They are another file's, which had none a moment ago.
    let places = places::find(asked.config.as_deref(), root);
    places.claim().map(|_| places)
}

/// The daemon itself, called by [`Places::start`].
fn serve(request: Request, programme: &Path, root: &Root) -> u8 {
    started::close_inherited();
    let Request::Act(asked) = request else {
        return status::USAGE;
    };
    let places = places::find(asked.config.as_deref(), root);
    let pid_file = places.free_pid_file().to_owned();
    started::detach();
    let log = Persona::log_in(root.log(), &places::instance(asked.config.as_deref()));
    let persona = persona(&asked, programme, log);
    serve_here(&asked, &places, Some(pid_file), persona, root)
}

/// What makes the daemon behave as ldirectord.
fn persona(asked: &Asked, programme: &Path, log: Option<Sink>) -> Persona {
    let config = asked.config.iter().map(|config| config.display().to_string());
    let words = [programme.display().to_string()].into_iter().chain(config);
    let own = std::env::current_exe().unwrap_or_else(|_| programme.to_owned());
    Persona {
        instance: places::instance(asked.config.as_deref()).into(),
        log,
        invoked: words.chain(["start".to_owned()]).collect::<Vec<_>>().join(" "),
        program: vec![own.display().to_string(), "ldirectord".to_owned()],
    }
}

fn serve_here(
    asked: &Asked,
    places: &Places,
    pid_file: Option<PathBuf>,
    persona: Persona,
    root: &Root,
) -> u8 {
    let table = match std::env::var(TABLE).as_deref() {
        Ok("memory") => TableChoice::Memory,
        _ => TableChoice::Kernel,
    };
    let log = logging::start(&logging::Log::at(if asked.debug { "debug" } else { AS_LDIRECTORD }));
    let options = Options {
        config: vec![places.config.clone()],
        table,
        runtime_dir: places.runtime_dir.clone(),
        state_dir: places.state_dir.clone(),
        pid_file,
        role: None,
        persona: Some(persona),
        mon: None,
        syslog: root.syslog(),
    };
    let ended = daemon::run(options, None);
    drop(log);
    let Err(error) = ended else { return status::OK };
    let code = match error {
        daemon::Error::Config(_) => status::CONFIG,
        _ => status::FAILED,
    };
    // Into the log, and to the one who waits for us to begin.
    complain(format_args!("Exiting with exit_status {code}: {error}"));
    say(&error);
    code
}

/// What goes to standard error where the log speaks as ldirectord's: only what is no event.
const AS_LDIRECTORD: &str = "warn,directord::event=off";

/// Whether the file can be taken; its mistakes and warnings are printed.
fn is_valid(config: &Path) -> bool {
    valid(config).is_some()
}

/// What the file says of itself, if it can be taken; its mistakes and warnings are printed.
fn valid(config: &Path) -> Option<Arc<Head>> {
    let reading = source::read(&[config.to_owned()]);
    let (desired, reports) = assemble::check(&reading, &daemon::names(None));
    for report in &reports {
        let text_of = |path: &Path| {
            let found = report.sources.iter().find(|(file, _)| file.as_path() == path);
            found.map(|(_, text)| Arc::clone(text))
        };
        // Notes are for `directord check`: a script's log has no use for them at each start.
        let all = report.diagnostics.iter();
        let told: Vec<_> = all.filter(|d| d.severity != Severity::Note).cloned().collect();
        if !told.is_empty() {
            complain(render(&told, &text_of, false).trim_end());
        }
    }
    let is_valid = !reports.iter().any(Report::is_error);
    // A file of our own dialect has nothing to say of itself.
    is_valid.then(|| desired.heads.values().next().cloned().unwrap_or_default())
}

fn tell_status(places: &Places, state: State) -> u8 {
    let config = places.config.display();
    match state {
        State::Running { pid } => {
            let pid = pid.map_or_else(|| "unknown".to_owned(), |pid| pid.to_string());
            let words = format!("ldirectord for {config} is running with pid: {pid}");
            match places.ailment() {
                None => {
                    complain(words);
                    status::OK
                }
                Some(why) => {
                    complain(format_args!("{words}, and does not do its work: {why}"));
                    status::UNWELL
                }
            }
        }
        State::Stopped => {
            say(format_args!("ldirectord is stopped for {config}"));
            status::STOPPED
        }
        State::Stale => {
            let pid_file = places.pid_file.display();
            complain(format_args!("ldirectord stale pid file {pid_file} for {config}"));
            say(format_args!("ldirectord is stopped for {config}"));
            status::FAILED
        }
    }
}

fn done(outcome: Result<(), (u8, String)>) -> u8 {
    match outcome {
        Ok(()) => status::OK,
        Err((status, why)) => {
            complain(format_args!("ldirectord: {why}"));
            status
        }
    }
}

/// To standard output; whoever closed it did not want to know.
fn say(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// To standard error.
fn complain(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
