//! Globals and the command line to settings: what they say, and what holds where they are silent.

use std::path::{Path, PathBuf};

use super::Surroundings;
use super::draft::{File, Globals};
use super::findings::Findings;
use super::globals::client_patterns;
use super::lines::Piece;
use crate::model::{AuthType, MonBind, MonPlaces, PortSettings, WatchFolders, WatchSettings};

/// mon's own.
const BASE: &str = "/usr/lib/mon";
const CONFIG: &str = "/etc/mon";
const ALERTS: &str = "/usr/local/lib/mon/alert.d:alert.d";
const MONITORS: &str = "/usr/local/lib/mon/mon.d:mon.d";

/// Where mon was compiled to look for folders first.
const STATES: [&str; 2] = ["/var/state/mon", "/var/lib/mon"];
const LOG: &str = "/var/log/mon";

/// More entries than anybody reads, each with the text of a summary.
const MAX_HISTORY: usize = 100_000;

/// Files and folders. The command line's word counts before the file's, but for the folder of
/// configuration files.
pub(super) fn places(globals: &Globals, around: &Surroundings<'_>) -> MonPlaces {
    let options = around.options;
    let text = |name| globals.text(name);
    let here = |path: &str| Path::new(".").join(path);
    let base = options.base_dir.clone().or_else(|| text("basedir").map(here));
    let base = base.unwrap_or_else(|| BASE.into());
    let config = text("cfbasedir").map(here).or_else(|| options.config_dir.clone());
    let state = options.state_dir.clone().or_else(|| text("statedir").map(PathBuf::from));
    let log = options.log_dir.clone().or_else(|| text("logdir").map(PathBuf::from));
    let usual = |known: &[&str], other: &str| {
        let there = known.iter().map(Path::new).find(|path| around.files.is_folder(path));
        there.unwrap_or(Path::new(other)).to_owned()
    };
    let search = |option: &Option<String>, name, usual: &str| {
        let path = option.as_deref().or_else(|| text(name)).unwrap_or(usual);
        path.split(':').filter(|part| !part.is_empty()).map(|part| base.join(part)).collect()
    };
    MonPlaces {
        config: config.unwrap_or_else(|| CONFIG.into()),
        state: base.join(state.unwrap_or_else(|| usual(&STATES, "state.d"))),
        log: base.join(log.unwrap_or_else(|| usual(&[LOG], "log.d"))),
        alerts: search(&options.alert_dirs, "alertdir", ALERTS),
        monitors: search(&options.monitor_dirs, "mondir", MONITORS),
        pid_file: pid_file(globals, around),
        facility: text("syslog_facility").map(str::to_owned).or(options.facility.clone()),
        base,
    }
}

/// None where its name is empty.
fn pid_file(globals: &Globals, around: &Surroundings<'_>) -> Option<PathBuf> {
    let given = around.options.pid_file.clone().or_else(|| globals.text("pidfile").map(Into::into));
    let usual = || {
        let folders = ["/run/mon", "/run"].into_iter().map(Path::new);
        let there = folders.into_iter().find(|folder| around.files.is_folder(folder));
        there.unwrap_or(Path::new("/etc")).join("mon.pid")
    };
    Some(given.unwrap_or_else(usual)).filter(|path| !path.as_os_str().is_empty())
}

pub(super) fn watching(
    globals: &Globals,
    places: &MonPlaces,
    around: &Surroundings<'_>,
) -> WatchSettings {
    let usual = WatchSettings::default();
    let number = |name| globals.text(name).and_then(|text| text.parse::<u32>().ok());
    let yes = |name| globals.text(name).is_some_and(|text| matches!(text, "yes" | "true" | "1"));
    let given = |name| globals.text(name).filter(|text| !text.is_empty());
    let in_log = |name| given(name).map(|text| places.log.join(text));
    let history = around.options.history.or(number("histlength"));
    let history = history.map_or(usual.history, |count| count as usize);
    let processes = around.options.max_processes.or(number("maxprocs"));
    let downtime = || in_log("dtlogfile").unwrap_or_else(|| places.log.join("downtime.log"));
    let start = around.options.random_start.or(globals.random_start);
    WatchSettings {
        collapse: globals.collapse,
        max_processes: processes.filter(|count| *count > 0),
        history: history.min(MAX_HISTORY),
        random_start: start.filter(|time| !time.is_zero()),
        exclude: globals.exclude.clone(),
        recursion_limit: number("dep_recur_limit").unwrap_or(usual.recursion_limit),
        startup_alerts_on_reset: globals.text("startupalerts_on_reset").is_some_and(is_on),
        folders: WatchFolders {
            state: places.state.clone(),
            log: places.log.clone(),
            config: places.config.clone(),
        },
        historic_file: in_log("historicfile"),
        historic_time: globals.historic_time.filter(|time| !time.is_zero()),
        downtime_file: yes("dtlogging").then(downtime),
    }
}

/// mon's reading of `startupalerts_on_reset`: the middle of a word will do.
fn is_on(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.starts_with('1') || text.contains("yes") || text.contains("true") || text.ends_with("on")
}

pub(super) fn port(
    file: &File,
    places: &MonPlaces,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> PortSettings {
    let globals = &file.globals;
    let usual = PortSettings::default();
    let bind = |host, port, option: Option<u16>| MonBind {
        host: globals.text(host).filter(|host| !host.is_empty()).map(str::to_owned),
        port: option.or_else(|| globals.text(port)?.parse().ok()),
    };
    let mut private = |name, usual: &str| readable(globals, name, usual, places, around, findings);
    let (auth_file, user_file) =
        (private("authfile", "auth.cf"), private("userfile", "monusers.cf"));
    let option = around.options.auth_file.as_ref().map(|path| places.config.join(path));
    PortSettings {
        server: bind("serverbind", "serverport", around.options.server_port),
        trap: bind("trapbind", "trapport", around.options.trap_port),
        client_allow: globals.texts.get("clientallow").map(client_patterns).unwrap_or_default(),
        client_timeout: globals.client_timeout.unwrap_or(usual.client_timeout),
        auth_file: option.unwrap_or(auth_file),
        auth_types: match globals.texts.get("authtype") {
            Some(value) => auth_types(value),
            None => usual.auth_types,
        },
        user_file,
    }
}

/// A file that must be readable when it is named. mon looks for a relative one in the folder it
/// was started in, and reads it in that of its configuration; here either will do.
fn readable(
    globals: &Globals,
    name: &'static str,
    usual: &str,
    places: &MonPlaces,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> PathBuf {
    let Some(value) = globals.texts.get(name) else { return places.config.join(usual) };
    let path = places.config.join(value.text());
    let found = [Path::new(value.text()), &path].into_iter().any(|p| around.files.is_readable(p));
    if !found {
        let mon = format!("{name} '{}' does not exist or is not readable", value.text());
        let message = format!("{} cannot be read", path.display());
        findings.error(value, mon, message).hint(format!("where there is none, take {name} out"));
    }
    path
}

fn auth_types(value: &Piece) -> Vec<AuthType> {
    let known = |word: &Piece| match word.text() {
        "userfile" => Some(AuthType::UserFile),
        "trustlocal" => Some(AuthType::TrustLocal),
        _ => None,
    };
    value.words().iter().filter_map(known).collect()
}
