use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{Files, Options, Parsed, Surroundings, is_mon};
use crate::config::{Dialect, MonMeans, Names, Severity, Source};
use crate::model::*;

mod converted;
mod errors;
mod joined;
mod remarks;

/// A system with mon's usual folders and programs, and a `web1` at 10.0.0.11.
struct Known;

impl Files for Known {
    fn is_program(&self, path: &Path) -> bool {
        let packaged = ["/usr/lib/mon/mon.d", "/usr/lib/mon/alert.d"].map(Path::new);
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let folder = path.parent().unwrap_or(Path::new(""));
        let own = path == Path::new("/usr/local/lib/mon/mon.d/tcp.monitor");
        own || (packaged.contains(&folder)
            && (name.ends_with(".monitor") || name.ends_with(".alert") || name == "ping")
            && !name.starts_with("lvs")
            && !name.starts_with("nosuch"))
    }

    fn is_readable(&self, path: &Path) -> bool {
        path.starts_with("/etc/mon")
    }

    fn is_folder(&self, path: &Path) -> bool {
        [Path::new("/var/lib/mon"), Path::new("/var/log/mon")].contains(&path)
    }
}

impl Names for Known {
    fn host(&self, name: &str, family: Family) -> Vec<IpAddr> {
        let known = name == "web1" && family == Family::Ipv4;
        known.then(|| [10, 0, 0, 11].into()).into_iter().collect()
    }

    fn port(&self, name: &str, _: Option<Protocol>) -> Option<u16> {
        (name == "http").then_some(80)
    }

    fn node(&self) -> String {
        "lvs1".to_owned()
    }

    fn mon(&self) -> MonMeans<'_> {
        MonMeans { files: &Known, native, ..MonMeans::default() }
    }
}

/// No monitor of ours has an option `-z`.
fn native(monitor: &NativeMonitor) -> Result<(), String> {
    match monitor.words.iter().any(|word| word == "-z") {
        true => Err("there is no option -z".to_owned()),
        false => Ok(()),
    }
}

fn parse_with(text: &str, options: &Options) -> Parsed {
    let source = Source {
        path: Arc::new(PathBuf::from("mon.cf")),
        dialect: Dialect::Ldirectord,
        text: text.into(),
    };
    super::parse(&source, &Surroundings { files: &Known, names: &Known, native: &native, options })
}

fn parse(text: &str) -> Parsed {
    parse_with(text, &Options::default())
}

fn file(text: &str) -> MonFile {
    let parsed = parse(text);
    assert!(!parsed.has_errors(), "{:#?}", parsed.diagnostics);
    assert_eq!(parsed.first_error, None);
    parsed.file
}

/// Each diagnostic as `LINE: what the place says: message`.
fn said(text: &str, severity: Severity) -> Vec<String> {
    let parsed = parse(text);
    let wanted = parsed.diagnostics.iter().filter(|d| d.severity == severity);
    let shown = |d: &crate::config::Diagnostic| {
        let line = text[..d.place.span.start].matches('\n').count() + 1;
        format!("{line}: {}: {}", &text[d.place.span.clone()], d.message)
    };
    wanted.map(shown).collect()
}

fn warnings(text: &str) -> Vec<String> {
    said(text, Severity::Warning)
}

/// A group `g` of one host with a service `s` of these lines.
fn service_text(lines: &[&str]) -> String {
    let lines: String = lines.iter().map(|line| format!("    {line}\n")).collect();
    format!("hostgroup g web1\n\nwatch g\n  service s\n{lines}")
}

fn service(lines: &[&str]) -> Arc<WatchSpec> {
    file(&service_text(lines)).watching.services[&WatchKey::new("g", "s")].clone()
}

/// A period of these lines, in a service that is asked every minute.
fn period(lines: &[&str]) -> Period {
    let head = ["interval 1m", "monitor fping.monitor", "period"];
    service(&[&head[..], lines].concat()).periods[0].clone()
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_whole_file_becomes_what_is_watched() {
    let text = include_str!("../../../../tests/mon/files/department.cf");
    let MonFile { watching, port, places, joined } = file(text);
    let hosts = |group: &str| watching.groups[group].to_vec();
    assert_eq!(hosts("web"), ["www1", "www2", "www3", "www4"]);
    assert_eq!(watching.views["offsite"].len(), 3);
    assert_eq!(joined, []);

    let http = &watching.services[&WatchKey::new("web", "http")];
    assert_eq!((http.interval, http.failure_interval), (Some(240 * SECOND), Some(30 * SECOND)));
    let monitor = http.monitor.as_ref().unwrap();
    assert_eq!(monitor.written, r#"http.monitor -p 8080 -u "/a page" -m 'it works'"#);
    let words = ["-p", "8080", "-u", "/a page", "-m", "it works"].map(str::to_owned).to_vec();
    let ours = NativeMonitor { name: "http", words };
    assert_eq!(monitor.how, MonitorKind::Native(Arc::new(ours)));
    assert_eq!(
        http.environment,
        [("HTTP_PROXY".to_owned(), "http://proxy.example.com:3128/".to_owned())]
    );
    let Depends { alerts: None, monitors: Some(depend), hosts: None, .. } = &http.depends else {
        panic!("{:?}", http.depends)
    };
    assert_eq!(depend.written, "routers:ping && web:ping");
    assert!(http.exclude_hosts.contains("www4") && http.exclude.is_some());
    let labels: Vec<_> = http.periods.iter().map(|period| period.label.as_str()).collect();
    assert_eq!(labels, ["WORK", "NIGHT"]);
    let work = &http.periods[0];
    assert_eq!(work.alerts.len(), 3);
    assert_eq!(work.alerts[0].exit, Some(ExitRange { first: 1, last: 3 }));
    assert_eq!(work.alerts[0].call.words[..2], ["-S".to_owned(), "web is down".to_owned()]);
    let path = Arc::new(PathBuf::from("/usr/lib/mon/alert.d/mail.alert"));
    assert_eq!(work.alerts[0].call.path, Some(path));
    assert_eq!(
        work.throttle,
        Throttle {
            every: Some((3600 * SECOND, Repeat::Strict)),
            after_within: Some((2, 1800 * SECOND)),
            limit: Some(10),
            ..Throttle::default()
        }
    );
    let night = &http.periods[1].throttle;
    assert!(night.unpaired && night.recovery_after == Some(300 * SECOND));

    let backup = &watching.services[&WatchKey::new("mailhost", "backup")];
    assert_eq!((&backup.monitor, backup.interval), (&None, None));
    assert_eq!(backup.trap_timeout, Some(26 * 3600 * SECOND));
    assert!(backup.depends.alerts.is_some() && backup.depends.monitors.is_none());
    let on: Vec<_> = backup.periods[0].alerts.iter().map(|alert| alert.on).collect();
    assert_eq!(on, [AlertOn::Failure, AlertOn::Acknowledgement, AlertOn::Startup]);
    let disk = &watching.services[&WatchKey::new("mailhost", "disk")];
    let monitor = disk.monitor.as_ref().unwrap();
    assert!(monitor.without_hosts);
    let program = ["/usr/lib/mon/mon.d/freespace.monitor", "/var:5000", "/home:20%"];
    let program: Vec<_> = program.map(str::to_owned).to_vec();
    assert_eq!(monitor.how, MonitorKind::Program(program.into()));
    assert_eq!(disk.redistribute.as_ref().map(|call| call.name.as_str()), Some("trap.alert"));

    let settings = &watching.settings;
    assert_eq!(settings.downtime_file, Some("/var/log/mon/dtlog".into()));
    assert_eq!(settings.historic_file, Some("/var/log/mon/history.log".into()));
    assert_eq!((settings.recursion_limit, settings.history), (5, 100));
    assert_eq!(port.client_allow, ["127.0.0.1", r"10\.1\.[0-9]+.5"]);
    assert_eq!(port.auth_types, [AuthType::UserFile]);
    assert_eq!(port.auth_file, PathBuf::from("/etc/mon/auth.cf"));
    assert_eq!((port.server.host.as_deref(), port.server.port), (Some("127.0.0.1"), None));
    assert_eq!(places.monitors[1], PathBuf::from("/usr/lib/mon/mon-local.d"));
}

#[test]
fn an_empty_file_has_mons_defaults() {
    let MonFile { watching, port, places, .. } = file("");
    let folders = watching.settings.folders;
    assert_eq!(folders.state, PathBuf::from("/var/lib/mon"));
    assert_eq!(folders.log, PathBuf::from("/var/log/mon"));
    assert_eq!(places.alerts[1], PathBuf::from("/usr/lib/mon/alert.d"));
    assert_eq!((port.client_timeout, port.client_allow.len()), (30 * SECOND, 0));
    assert_eq!(watching.settings.downtime_file, None);
    assert_eq!(places.pid_file, Some("/etc/mon.pid".into()));
    assert_eq!(file("pidfile =\n").places.pid_file, None);
}

#[test]
fn an_empty_exclude_period_excludes_nothing() {
    let text = "exclude_period =\nhostgroup g web1\n\nwatch g\nservice s\ninterval 5s\n\
                monitor ping\nexclude_period\nperiod\nalert mail.alert\n";
    let MonFile { watching, .. } = file(text);
    assert_eq!(watching.settings.exclude, None);
    let service = &watching.services[&WatchKey::new("g", "s")];
    assert_eq!((&service.exclude, &service.periods[0].times), (&None, &Calendar::always()));
}

#[test]
fn the_command_line_wins_over_the_file_but_for_two() {
    let text = "mondir = a\nlogdir = b\ncfbasedir = /c\nmaxprocs = 3\nserverport = 4\n\
                randstart = 5s\nsyslog_facility = local1\n";
    let options = Options {
        base_dir: Some("/base".into()),
        monitor_dirs: Some("m:/n".into()),
        log_dir: Some("/log".into()),
        config_dir: Some("/other".into()),
        facility: Some("local2".into()),
        max_processes: Some(9),
        server_port: Some(10),
        random_start: Some(11 * SECOND),
        ..Options::default()
    };
    let MonFile { watching, port, places, .. } = parse_with(text, &options).file;
    assert_eq!(places.monitors, [PathBuf::from("/base/m"), PathBuf::from("/n")]);
    assert_eq!((places.log, places.config), ("/log".into(), "/c".into()));
    assert_eq!(places.facility.as_deref(), Some("local1"));
    assert_eq!(watching.settings.max_processes, Some(9));
    assert_eq!(watching.settings.random_start, Some(11 * SECOND));
    assert_eq!(port.server.port, Some(10));
}

#[test]
fn names_in_an_alertafter_and_an_alertevery_are_read_as_mon_reads_them() {
    let throttle = |line: &str| period(&[line, "alert mail.alert a"]).throttle;
    let minute = 60 * SECOND;
    assert_eq!(throttle("alertafter 3").after_failures, Some(3));
    assert_eq!(throttle("alertafter 0").after_failures, None);
    assert_eq!(throttle("alertafter 5m").after_time, Some(5 * minute));
    assert_eq!(throttle("alertafter 3 5m").after_within, Some((3, 5 * minute)));
    assert_eq!(throttle("alertevery 5m").every, Some((5 * minute, Repeat::SameSummary)));
    for (mode, repeat) in [
        ("summary", Repeat::SameSummary),
        ("observe_detail", Repeat::SameDetail),
        ("IGNORE_SUMMARY", Repeat::All),
        ("strict", Repeat::Strict),
    ] {
        let line = format!("alertevery 1.5m {mode}");
        assert_eq!(throttle(&line).every, Some((90 * SECOND, repeat)), "{line}");
    }
    assert_eq!(throttle("numalerts 0").limit, None);
    assert_eq!(throttle("alertexitrange 3").exit, Some(ExitRange { first: 3, last: 3 }));
}

#[test]
fn a_monitor_is_ours_a_program_or_missing() {
    let how = |line: &str| {
        let line = format!("monitor {line}");
        service(&["interval 1m", &line]).monitor.clone().unwrap().how
    };
    let ours = |how| match how {
        MonitorKind::Native(monitor) => monitor.name,
        other => panic!("{other:?}"),
    };
    for name in ["fping", "http", "https", "smtp", "pop3", "imap", "nntp", "dns", "ldap", "ftp"] {
        assert_eq!(ours(how(name)), name);
        assert_eq!(ours(how(&format!("{name}.monitor -t 5"))), name);
    }
    assert_eq!(ours(how("msql-mysql.monitor --mode mysql")), "msql-mysql");
    let program = |how| match how {
        MonitorKind::Program(words) => words.join(" "),
        other => panic!("{other:?}"),
    };
    // Somebody's own program, and what ours cannot do.
    assert_eq!(program(how("ping -c 3")), "/usr/lib/mon/mon.d/ping -c 3");
    assert_eq!(program(how("http.monitor -z")), "/usr/lib/mon/mon.d/http.monitor -z");
    assert_eq!(program(how("http_tppnp.monitor")), "/usr/lib/mon/mon.d/http_tppnp.monitor");
    for line in ["nosuch.monitor", "/bin/true", "https -z", "nosuchdir/x"] {
        assert_eq!(how(line), MonitorKind::Missing, "{line}");
    }
    assert_eq!(program(how("up.monitor 'a b' ;;")), "/usr/lib/mon/mon.d/up.monitor a b");
}

#[test]
fn a_monitor_has_time_for_each_of_its_hosts() {
    let text = |hosts: &str, interval: &str| {
        format!("hostgroup g {hosts}\n\nwatch g\nservice s\ninterval {interval}\nmonitor ping\n")
    };
    let limit = |hosts, interval| {
        let file = file(&text(hosts, interval));
        file.watching.services[&WatchKey::new("g", "s")].monitor.clone().unwrap().limit
    };
    assert_eq!(limit("a", "5s"), 60 * SECOND);
    assert_eq!(limit("a b c", "5s"), 180 * SECOND);
    assert_eq!(limit("a", "5m"), 3000 * SECOND);
    assert_eq!(limit("a", "9d"), 86_400 * SECOND);
}

#[test]
fn depend_is_of_the_kind_its_behaviour_says_and_others_have_their_own_lines() {
    let text = |lines: &str| {
        format!("watch g\nservice a\ntraptimeout 1h\nservice s\ntraptimeout 1h\n{lines}\n")
    };
    let kinds = |lines: &str| {
        let file = file(&text(lines));
        let Depends { alerts, monitors, hosts, .. } =
            file.watching.services[&WatchKey::new("g", "s")].depends.clone();
        [alerts, monitors, hosts].map(|depend| depend.is_some())
    };
    assert_eq!(kinds("depend g:a"), [true, false, false]);
    assert_eq!(kinds("depend SELF:a\ndep_behavior hm"), [false, false, true]);
    assert_eq!(kinds("alertdepend g:a\nmonitordepend g:a"), [true, true, false]);
    assert_eq!(kinds("dep_behavior m\ndepend g:a\nhostdepend g:a"), [false, true, true]);
    assert_eq!(kinds("depend"), [false, false, false]);
}

#[test]
fn defaults_hold_for_the_services_below_them() {
    let text = "watch a\nservice x\ntraptimeout 1h\n\ndep_behavior = m\nunack_summary = maybe\n\
                dep_memory = 5m\nwatch b\nservice x\ntraptimeout 1h\ndepend a:x\n";
    let services = file(text).watching.services;
    let (above, below) = (&services[&WatchKey::new("a", "x")], &services[&WatchKey::new("b", "x")]);
    assert!(!above.unack_summary && below.unack_summary);
    assert_eq!((above.depends.memory, below.depends.memory), (Duration::ZERO, 300 * SECOND));
    assert!(below.depends.monitors.is_some());
}

#[test]
fn only_an_empty_line_or_another_record_ends_a_watch() {
    let text = "watch a\nservice x\n# remark\ntraptimeout 1h\nhostgroup b\nh1 h2\n  h3\nhostgroup c h\n\
                watch x\n\nwatch b\nservice y\ntraptimeout 1h\n";
    let file = file(text);
    assert_eq!(file.watching.groups["b"].to_vec(), ["h1", "h2", "h3"]);
    // All lines of a hostgroup are hosts.
    assert_eq!(file.watching.groups["c"].to_vec(), ["h", "watch", "x"]);
    assert_eq!(file.watching.services.len(), 2);
}

#[test]
fn latin_1_and_carriage_returns_are_read() {
    let bytes = include_bytes!("../../../../tests/mon/files/latin1.cf");
    let text = crate::config::source::text_and_bytes(bytes);
    let file = file(&text);
    assert_eq!(file.watching.services.len(), 1);
    assert_eq!(file.watching.groups["ecole"].to_vec(), ["serveur"]);
}

#[test]
fn a_mon_cf_is_told_from_ldirectords() {
    for text in ["# x\n\n  hostgroup a b\n", "alertdir = x\n", "watch a\n", "maxprocs=3"] {
        assert!(is_mon(text), "{text}");
    }
    for text in ["", "virtual = 1\n", "checktimeout=3\nwatch x\n", "hostgroup", "watching a"] {
        assert!(!is_mon(text), "{text}");
    }
}
