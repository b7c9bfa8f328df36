//! The same file and the same events, given to Debian's ldirectord and to directord called as
//! ldirectord: after each event both kernels' tables are equal.
//!
//! A case is a file of `tests/behaviour`. Its script stands in its `#!` comments, one event a line:
//!
//! ```text
//! start  stop           the commands, with FILE before them; their exit statuses must agree
//! status  dead          `status`, which must find it running; or not
//! kill N  revive N      the servers' processes: refused connections
//! sick N  well N        503 to whatever is asked, and back
//! cut N  mend N         the cable: packets are swallowed
//! replace A => B        edits the file and says `reload`
//! ```
//!
//! Each event must change the table, unless its line ends in `(same)`.

mod lab;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use directord::ipvs::{Kernel, Netlink};
use directord::model::Table;
use lab::{Forward, Host, Manner, Site, Web, eventually_true};

/// How long both tables must hold still, and be equal, to count as settled. Longer than
/// ldirectord's flapping at a start, when it adds each server and takes it out again.
const STILL: Duration = Duration::from_millis(1200);
/// The same where nothing is expected to happen: longer than any check of the cases needs.
const STILL_SAME: Duration = Duration::from_millis(4500);
/// ldirectord forks ipvsadm some 17 times for a server, and forks are slow here.
const PATIENCE: Duration = Duration::from_secs(90);

const INCUMBENT: &str = "/usr/sbin/ldirectord";

/// Both directors, and the servers they share.
struct Stage {
    site: Site,
    incumbent: Host,
    /// Ports 80 and 8080 of every server.
    webs: Vec<[Web; 2]>,
    file: PathBuf,
    ours: PathBuf,
    _folder: tempfile::TempDir,
}

impl Stage {
    fn new(name: &str, text: &str) -> Stage {
        let site = Site::new(Forward::Masq, 3);
        let incumbent = site.onlooker("incumbent");
        let webs = site.servers.iter().map(|h| [Web::start(h, 80), Web::start(h, 8080)]).collect();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(format!("{name}.cf"));
        std::fs::write(&file, text).unwrap();
        let ours = folder.path().join("ldirectord");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_directord"), &ours).unwrap();
        Stage { site, incumbent, webs, file, ours, _folder: folder }
    }

    /// `PROGRAM FILE ACTION` on a host.
    fn run(&self, host: &Host, program: &Path, action: &str) -> Output {
        let mut command = Command::new(program);
        // With PERLIO set ldirectord does not execute itself a second time, which takes a second.
        command.arg(&self.file).arg(action).env("PERLIO", "perlio").stdin(Stdio::null());
        host.run(move || command.output().expect("a program"))
    }

    /// `ldirectord FILE ACTION` on both; they must agree about the exit status.
    fn command(&self, action: &str) -> Option<i32> {
        let theirs = self.run(&self.incumbent, Path::new(INCUMBENT), action);
        let ours = self.run(&self.site.director, &self.ours, action);
        let words = |output: &Output| {
            String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
        };
        assert_eq!(
            ours.status.code(),
            theirs.status.code(),
            "exit status of {action}:\nours: {}\ntheirs: {}",
            words(&ours),
            words(&theirs)
        );
        ours.status.code()
    }

    /// Whether a director runs, by the pid file they both write.
    fn runs(&self, host: &Host) -> bool {
        let name = self.file.file_name().expect("a file").to_string_lossy();
        let path = format!("/var/run/ldirectord.{name}.pid");
        host.run(move || Path::new(&path).exists())
    }

    fn tables(&self) -> [Table; 2] {
        [table(&self.site.director), table(&self.incumbent)]
    }

    fn perform(&mut self, event: &str) {
        let (verb, rest) = event.split_once(' ').unwrap_or((event, ""));
        let index = || rest.parse::<usize>().expect("the number of a server");
        match verb {
            "start" | "stop" | "status" => {
                assert_eq!(self.command(verb), Some(0), "{verb}");
                if verb == "stop" {
                    // ldirectord's stop does not wait.
                    eventually_true("both have stopped", PATIENCE, || {
                        !self.runs(&self.site.director) && !self.runs(&self.incumbent)
                    });
                }
            }
            "dead" => assert_eq!(self.command("status"), Some(3), "status"),
            "kill" => self.webs[index()].iter_mut().for_each(Web::kill),
            "revive" => {
                let host = &self.site.servers[index()];
                self.webs[index()].iter_mut().for_each(|web| web.revive(host));
            }
            "sick" => self.say(index(), "503 Service Unavailable"),
            "well" => self.say(index(), "200 OK"),
            "cut" => self.site.cable(index(), false),
            "mend" => self.site.cable(index(), true),
            "replace" => {
                let (old, new) = rest.split_once(" => ").expect("replace A => B");
                let text = std::fs::read_to_string(&self.file).unwrap();
                assert!(text.contains(old), "the file has no {old}");
                // Both keep hold of the file by its path.
                std::fs::write(&self.file, text.replace(old, new)).unwrap();
                self.command("reload");
            }
            _ => panic!("unknown event: {event}"),
        }
    }

    fn say(&self, index: usize, status: &'static str) {
        let body = format!("{}\n", self.site.servers[index].name);
        for web in &self.webs[index] {
            web.behave(Manner::Says(status, body.clone()));
        }
    }

    /// Waits until both tables are equal, unlike `before` unless `same`, and hold still.
    fn settled(&self, event: &str, before: &Table, same: bool) -> Table {
        let start = Instant::now();
        let still = if same { STILL_SAME } else { STILL };
        let mut since = Instant::now();
        let mut last = self.tables();
        loop {
            std::thread::sleep(Duration::from_millis(200));
            let now = self.tables();
            if now != last || now[0] != now[1] || (now[0] == *before) != same {
                since = Instant::now();
                last = now;
            }
            if since.elapsed() >= still {
                let saved = [&self.site.director, &self.incumbent].map(lab::saved);
                if saved[0] == saved[1] {
                    return last[0].clone();
                }
                assert!(
                    start.elapsed() < PATIENCE,
                    "ipvsadm -Sn after {event}:\nours: {:#?}\ntheirs: {:#?}",
                    saved[0],
                    saved[1]
                );
            }
            assert!(
                start.elapsed() < PATIENCE,
                "after {event}:\nours: {:#?}\ntheirs: {:#?}",
                last[0],
                last[1]
            );
        }
    }
}

impl Drop for Stage {
    /// Daemons are not children: they end by the command, whatever became of the test.
    fn drop(&mut self) {
        let file = self.file.to_str().unwrap_or_default();
        if std::thread::panicking() {
            let log = std::fs::read_to_string("/var/log/ldirectord.log").unwrap_or_default();
            let tail: Vec<&str> = log.lines().filter(|line| line.contains(file)).collect();
            eprintln!("ldirectord's log: {tail:#?}");
        }
        for (host, program) in
            [(&self.incumbent, Path::new(INCUMBENT)), (&self.site.director, &self.ours)]
        {
            if self.runs(host) {
                self.run(host, program, "stop");
            }
        }
    }
}

/// A host's table, read in this process: polled by ipvsadm, six cases at a time would be six
/// processors' worth of work. What counts is compared by ipvsadm in the end.
fn table(host: &Host) -> Table {
    thread_local! {
        static KERNEL: RefCell<Option<Netlink>> = const { RefCell::new(None) };
    }
    host.run(|| {
        KERNEL.with_borrow_mut(|kernel| {
            let kernel = kernel.get_or_insert_with(|| Netlink::open().expect("ip_vs"));
            let keys: Vec<_> = kernel.survey().expect("a survey").services.into_keys().collect();
            let entries = kernel.read(&keys).expect("entries");
            let known = keys.into_iter().zip(entries).filter_map(|(k, e)| Some((k, e?)));
            Table { services: known.collect() }
        })
    })
}

fn play(name: &str) {
    if !lab::inside() {
        return;
    }
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/behaviour").join(format!("{name}.cf"));
    let text = std::fs::read_to_string(path).unwrap();
    let mut stage = Stage::new(name, &text);
    let mut before = Table::default();
    for line in text.lines().filter_map(|line| line.strip_prefix("#! ")) {
        let (event, same) = match line.strip_suffix(" (same)") {
            Some(event) => (event, true),
            None => (line, false),
        };
        let begun = Instant::now();
        stage.perform(event);
        let performed = begun.elapsed();
        if matches!(event, "status" | "dead") {
            continue;
        }
        before = stage.settled(event, &before, same);
        eprintln!("{name}: {event}: {performed:.1?}, settled after {:.1?}", begun.elapsed());
    }
}

/// A test for each file, and a test that no file was forgotten.
macro_rules! cases {
    ($($test:ident: $file:literal,)*) => {
        $(#[test] fn $test() { play($file); })*

        #[test]
        fn every_file_is_played() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/behaviour");
            let mut files: Vec<String> = std::fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
                .collect();
            files.sort();
            let mut played = vec![$($file),*];
            played.sort();
            assert_eq!(files, played);
        }
    };
}

cases! {
    http_servers_die_fall_sick_and_return: "http",
    quiesced_servers_stay_with_weight_0: "quiescent",
    the_fallback_comes_and_goes: "fallback",
    failures_are_counted: "failurecount",
    silent_machines_fail_their_ping_and_udp_is_pinged: "ping",
    marks_and_persistence_are_kept: "persistent",
    ipv6_services_move_alike: "ipv6",
    services_share_a_server: "shared",
    ports_ranges_and_names_are_resolved: "names",
    commands_and_switches_decide: "external",
    a_table_may_be_kept_at_the_stop: "cleanstop",
    a_reload_changes_what_changed: "reload",
}
