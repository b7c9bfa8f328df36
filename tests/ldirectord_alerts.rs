//! The program called as ldirectord: its log, its mail, and the programs it runs.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// More than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A top of the file system of our own, with the program in it under its other name.
struct Place {
    top: TempDir,
}

impl Place {
    fn new() -> Place {
        let top = tempfile::tempdir().unwrap();
        let directord = env!("CARGO_BIN_EXE_directord");
        std::os::unix::fs::symlink(directord, top.path().join("ldirectord")).unwrap();
        for folder in ["etc/ha.d", "var/log", "bin", "dev"] {
            fs::create_dir_all(top.path().join(folder)).unwrap();
        }
        Place { top }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.top.path().join(below)
    }

    fn write(&self, below: &str, text: &str) {
        fs::write(self.path(below), text).unwrap();
    }

    /// A program that notes its arguments, and what it is given to read, in `note`.
    fn noting(&self, name: &str, note: &str) -> String {
        let (path, note) = (self.path(&format!("bin/{name}")), self.path(note));
        let note = note.display();
        fs::write(&path, format!("#!/bin/sh\necho \"$@\" >>{note}\ncat >>{note}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.display().to_string()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(self.path("ldirectord"));
        let path = format!("{}:/usr/bin:/bin", self.path("bin").display());
        command
            .args(args)
            .current_dir(self.top.path())
            .env("DIRECTORD_ROOT", self.top.path())
            .env("DIRECTORD_TABLE", "memory")
            .env("PATH", path)
            .stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn good(&self, args: &[&str]) {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
    }

    fn text(&self, below: &str) -> String {
        fs::read_to_string(self.path(below)).unwrap_or_default()
    }

    /// Waits until the file has this, and returns all of it.
    fn until(&self, below: &str, part: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let text = self.text(below);
            if text.contains(part) {
                return text;
            }
            assert!(Instant::now() < end, "no {part:?} in {below}: {text}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// No test leaves a daemon behind.
impl Drop for Place {
    fn drop(&mut self) {
        for entry in fs::read_dir(self.path("run/directord")).into_iter().flatten().flatten() {
            let pid = fs::read_to_string(entry.path().join("directord.pid")).unwrap_or_default();
            if let Ok(pid) = pid.trim().parse() {
                let pid = nix::unistd::Pid::from_raw(pid);
                let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
            }
        }
    }
}

/// One service at 127.0.0.9:80 with the server at `port` of 127.0.0.1, and these members.
fn service(port: u16, members: &[&str]) -> String {
    let members: String = members.iter().map(|line| format!("\t{line}\n")).collect();
    format!(
        "checkinterval = 1\nvirtual = 127.0.0.9:80\n\treal = 127.0.0.1:{port} masq\n\
         \tchecktype = connect\n{members}"
    )
}

/// Connections are refused from now on; the port stays ours, lest another test get it.
fn close(server: &TcpListener) {
    socket2::SockRef::from(server).shutdown(std::net::Shutdown::Both).unwrap();
}

fn server() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// The texts of a log, without what stands before them.
fn texts(log: &str) -> Vec<&str> {
    log.lines().filter_map(|line| Some(line.split_once("] ")?.1)).collect()
}

fn until(done: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < end);
        std::thread::sleep(Duration::from_millis(50));
    }
}

const LOG: &str = "var/log/ldirectord.log";

#[test]
fn k11_a_healthy_start_and_a_stop_are_logged_in_ldirectords_words() {
    let place = Place::new();
    let (_server, port) = server();
    place.write("etc/ha.d/www", &service(port, &[]));
    place.good(&["www", "start"]);
    place.until(LOG, "Added real server");
    place.good(&["www", "stop"]);
    let log = place.text(LOG);
    assert!(log.lines().all(|line| line.starts_with('[') && line.contains("|www|")), "{log}");
    let texts = texts(&log);
    let programme = place.path("ldirectord").display().to_string();
    let real = format!("127.0.0.1:{port} (127.0.0.9:80)");
    for text in [
        format!("Invoking ldirectord invoked as: {programme} www start "),
        format!("Starting Linux Director v{}-directord as daemon", env!("CARGO_PKG_VERSION")),
        "Added virtual server: 127.0.0.9:80".into(),
        format!("Added real server: {real} (Weight set to 1)"),
        format!("Purged real server (stop): {real}"),
        "Purged virtual server (stop): 127.0.0.9:80".into(),
    ] {
        assert_eq!(texts.iter().filter(|line| **line == text).count(), 1, "{text}: {log}");
    }
    assert_eq!(texts.last(), Some(&"Linux Director Daemon terminated on signal: TERM"));
}

#[test]
fn k18_a_log_that_was_moved_away_is_written_anew() {
    let place = Place::new();
    place.write("etc/ha.d/www", "virtual = 7\n\treal = 127.0.0.1 gate\n\tchecktype = on\n");
    place.good(&["www", "start"]);
    place.until(LOG, "Added virtual server: 7");
    fs::rename(place.path(LOG), place.path("var/log/old")).unwrap();
    place.good(&["www", "reload"]);
    let log = place.until(LOG, "Reloading Linux Director Daemon config on signal");
    assert!(!log.contains("Added virtual server"), "{log}");
    place.good(&["www", "stop"]);
    assert!(!place.text("var/log/old").contains("Reloading"));
}

#[test]
fn a_log_may_be_another_file_or_a_facility_of_syslog() {
    let place = Place::new();
    let other = place.path("var/log/other").display().to_string();
    place.write("etc/ha.d/www", &format!("logfile = \"{other}\"\n"));
    place.good(&["www", "start"]);
    place.until("var/log/other", "|www|");
    place.good(&["www", "stop"]);
    assert_eq!(place.text(LOG), "");

    let syslog = UnixDatagram::bind(place.path("dev/log")).unwrap();
    syslog.set_read_timeout(Some(PATIENCE)).unwrap();
    place.write("etc/ha.d/www", "logfile = \"local0\"\n");
    place.good(&["www", "start"]);
    let mut buffer = [0; 1024];
    let length = syslog.recv(&mut buffer).unwrap();
    let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
    assert!(message.starts_with("<134>") && message.contains(" ldirectord["), "{message}");
    place.good(&["www", "stop"]);

    place.write("etc/ha.d/www", "logfile = \"/no/such/folder/log\"\n");
    let refused = place.run(&["www", "start"]);
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("unable to open logfile: /no/such/folder/log"), "{said}");
}

#[test]
fn supervised_stays_in_the_foreground_with_its_log_on_standard_output() {
    let place = Place::new();
    place.write("etc/ha.d/www", "supervised = yes\n");
    let mut child = place.command(&["www", "start"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let pid = format!("with pid: {}", child.id());
    let started =
        lines.by_ref().map_while(Result::ok).find(|line| line.contains("Starting Linux Director"));
    let started = started.unwrap();
    assert!(started.starts_with('[') && started.ends_with(&pid), "{started}");
    assert!(!place.path("var/run/ldirectord.www.pid").exists());
    place.good(&["www", "stop"]);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let last = lines.map_while(Result::ok).last().unwrap();
    assert!(last.ends_with("] Linux Director Daemon terminated on signal: TERM"), "{last}");
    assert_eq!(place.text(LOG), "");
}

#[test]
fn f24_a_fallback_command_is_told_the_state_once_its_changes_and_the_end() {
    let place = Place::new();
    let command = place.noting("fb", "told");
    let (first, port) = server();
    let text = service(port, &[&format!("fallbackcommand = \"{command} 'one word'\"")]);
    place.write("etc/ha.d/www", &text);
    place.good(&["www", "start"]);
    place.until("told", "one word stop 127.0.0.9:80 tcp\n");
    close(&first);
    place.until("told", "one word start 127.0.0.9:80 tcp\n");
    place.good(&["www", "stop"]);
    assert_eq!(
        place.text("told"),
        "one word stop 127.0.0.9:80 tcp\none word start 127.0.0.9:80 tcp\n\
         one word stop 127.0.0.9:80 tcp\n"
    );
}

#[test]
fn f19_mail_goes_to_sendmail_with_every_recipient() {
    let place = Place::new();
    place.noting("sendmail", "mail");
    let (first, port) = server();
    let head = "emailalert = \"a@x.example, b@y.example\"\nemailalertstatus = running\n";
    let monitor = format!("monitorfile = {}", place.path("monitor").display());
    let text = service(port, &["servicename = shop", &monitor]);
    place.write("etc/ha.d/www", &format!("{head}{text}"));
    place.good(&["www", "start"]);
    // The first check is the start's, the second one is not.
    place.until("monitor", "[up] -\n");
    let first_check = place.text("monitor");
    until(|| place.text("monitor").len() > first_check.len());
    close(&first);
    let line = format!("Deleted real server: 127.0.0.1:{port} (127.0.0.9:80)");
    let subject = format!("[shop] {line}");
    let mail = place.until("mail", "Daemon-Status: running");
    assert!(mail.starts_with("-i -f "), "{mail}");
    assert!(mail.contains(" -- a@x.example b@y.example\n"), "{mail}");
    assert!(mail.contains(&format!("Log-Message: {subject}")), "{mail}");
    assert!(!mail.contains("starting"), "{mail}");
    place.until(LOG, &format!("emailalert: {line}\n"));
    place.good(&["www", "stop"]);
}

/// Two names, as there: in the environment stands the one that checks say, and mail has the
/// system's.
#[test]
fn k11_mail_has_the_systems_name_of_the_host_and_checks_that_of_the_environment() {
    let place = Place::new();
    place.noting("sendmail", "mail");
    let (first, port) = server();
    let text = service(port, &[]);
    place.write("etc/ha.d/www", &format!("emailalert = \"a@x.example\"\n{text}"));
    let elsewhere =
        |args: &[&str]| place.command(args).env("HOSTNAME", "elsewhere.example").output().unwrap();
    assert!(elsewhere(&["www", "start"]).status.success());
    place.until(LOG, "Added real server");
    close(&first);
    let mail = place.until("mail", "Daemon-Status: ");
    let system = nix::unistd::gethostname().unwrap().into_string().unwrap();
    let host = format!("ldirectord host: {system}");
    assert!(mail.lines().any(|line| line == host), "{mail}");
    assert!(mail.lines().next().unwrap().contains(&format!("@{system} -- ")), "{mail}");
    place.good(&["www", "stop"]);

    let sip = "virtual = 127.0.0.9:5060\n\treal = 127.0.0.1 masq\n\tservice = sip\n";
    place.write("etc/ha.d/sip", sip);
    let file = place.path("etc/ha.d/sip").display().to_string();
    let converted = Command::new(env!("CARGO_BIN_EXE_directord"))
        .args(["convert", &file])
        .env("HOSTNAME", "elsewhere.example")
        .output()
        .unwrap();
    let converted = String::from_utf8_lossy(&converted.stdout).into_owned();
    assert!(converted.contains("ldirectord@elsewhere.example"), "{converted}");
}

#[test]
fn a_changed_file_is_told_of_read_only_with_autoreload_and_the_callback_run() {
    let place = Place::new();
    let callback = place.noting("callback", "called");
    let file = place.path("etc/ha.d/www").display().to_string();
    let text = |autoreload: &str, mark: u32| {
        format!(
            "callback = \"{callback}\"\n{autoreload}virtual = 7\n\treal = 127.0.0.1 gate {mark}\n\
             \tchecktype = on\n"
        )
    };
    place.write("etc/ha.d/www", &text("", 1));
    place.good(&["www", "start"]);
    place.write("etc/ha.d/www", &text("", 2));
    let log = place.until(LOG, " - ignore new configuration");
    assert!(log.contains(&format!("Configuration file '{file}' has changed on disk")), "{log}");
    place.until("called", &format!("{file}\n"));
    assert!(!place.text(LOG).contains("(Weight set to 2)"));

    place.write("etc/ha.d/www", &text("autoreload = yes\n", 3));
    place.good(&["www", "reload"]);
    place.until(LOG, "(Weight set to 3)");
    place.write("etc/ha.d/www", &text("autoreload = yes\n", 4));
    place.until(LOG, " - reread new configuration");
    place.until(LOG, "(Weight set to 4)");
    place.good(&["www", "stop"]);
    let called = place.text("called");
    assert!(called.lines().all(|line| line == file), "{called}");
}

#[test]
fn further_configurations_run_as_long_as_this_one() {
    let place = Place::new();
    place.write("etc/ha.d/www", "execute = one\n");
    for name in ["one", "two"] {
        place.write(&format!("etc/ha.d/{name}"), "checkinterval = 1\n");
    }
    let runs = |name: &str| place.run(&[name, "status"]).status.code() == Some(0);
    place.good(&["www", "start"]);
    until(|| runs("one"));
    place.write("etc/ha.d/www", "execute = two\n");
    place.good(&["www", "reload"]);
    until(|| runs("two") && !runs("one"));
    place.good(&["www", "stop"]);
    until(|| !runs("two"));
}

#[test]
fn k11_a_monitor_file_has_a_line_for_each_check() {
    let place = Place::new();
    let (first, port) = server();
    let monitor = place.path("monitor").display().to_string();
    place.write("etc/ha.d/www", &service(port, &[&format!("monitorfile = \"{monitor}\"")]));
    place.good(&["www", "start"]);
    let id = format!("connect tcp 127.0.0.1 {port} 1 masq / ");
    let text = place.until("monitor", &format!("] {id} [up] -\n"));
    assert!(text.starts_with('['), "{text}");
    close(&first);
    place.until("monitor", &format!("] {id} [down] connect: connection refused\n"));
    place.good(&["www", "stop"]);
}

#[test]
fn f10_a_monitor_file_that_cannot_be_written_costs_its_lines_only() {
    let place = Place::new();
    let (_server, port) = server();
    place.write("etc/ha.d/www", &service(port, &["monitorfile = \"/no/such/folder/monitor\""]));
    place.good(&["www", "start"]);
    place.until(LOG, "write to /no/such/folder/monitor");
    place.until(LOG, "Added real server");
    place.good(&["www", "status"]);
    place.good(&["www", "stop"]);
}

/// Sends the daemon of this instance a signal.
fn signal(place: &Place, instance: &str, signal: nix::sys::signal::Signal) {
    let pid = place.text(&format!("var/run/ldirectord.{instance}.pid"));
    let pid = nix::unistd::Pid::from_raw(pid.trim().parse().unwrap());
    nix::sys::signal::kill(pid, signal).unwrap();
}

#[test]
fn k15_hup_reads_the_file_again_and_term_stops_with_cleaning() {
    let place = Place::new();
    let text =
        |weight| format!("virtual = 7\n\treal = 127.0.0.1 gate {weight}\n\tchecktype = on\n");
    place.write("etc/ha.d/www", &text(1));
    place.good(&["www", "start"]);
    place.until(LOG, "Added real server: 127.0.0.1:0 (7) (Weight set to 1)");
    place.write("etc/ha.d/www", &text(5));
    signal(&place, "www", nix::sys::signal::Signal::SIGHUP);
    let log = place.until(LOG, "Restored real server: 127.0.0.1:0 (7) (Weight set to 5)");
    assert!(log.contains("Reloading Linux Director Daemon config on signal"), "{log}");
    signal(&place, "www", nix::sys::signal::Signal::SIGTERM);
    let log = place.until(LOG, "Linux Director Daemon terminated on signal: TERM");
    assert!(log.contains("Purged virtual server (stop): 7"), "{log}");
    until(|| place.run(&["www", "status"]).status.code() == Some(3));
}

#[test]
fn f18_a_hup_in_the_middle_of_a_check_is_no_failure() {
    let place = Place::new();
    let (server, port) = server();
    let text = format!(
        "negotiatetimeout = 100\ncheckinterval = 1\nvirtual = 127.0.0.9:80\n\
         \treal = 127.0.0.1:{port} masq\n\tservice = http\n"
    );
    place.write("etc/ha.d/www", &text);
    place.good(&["www", "start"]);
    // One check is answered, the next one is in the middle of it when the signal comes.
    let answer = |connection: &mut std::net::TcpStream| {
        use std::io::{Read, Write};
        let mut request = [0; 1024];
        let _ = connection.read(&mut request).unwrap();
        connection.write_all(b"HTTP/1.0 200 OK\r\n\r\n").unwrap();
    };
    answer(&mut server.accept().unwrap().0);
    place.until(LOG, "Added real server");
    let mut slow = server.accept().unwrap().0;
    signal(&place, "www", nix::sys::signal::Signal::SIGHUP);
    place.until(LOG, "Reloading Linux Director Daemon config on signal");
    place.good(&["www", "reload"]);
    answer(&mut slow);
    drop(slow);
    answer(&mut server.accept().unwrap().0);
    let log = place.text(LOG);
    assert!(!log.contains("failure") && !log.contains("Deleted"), "{log}");
    place.good(&["www", "stop"]);
}

#[test]
fn f28_asking_how_it_is_leaves_no_line_in_the_log() {
    let place = Place::new();
    place.write("etc/ha.d/www", "checkinterval = 1\n");
    place.good(&["www", "start"]);
    place.until(LOG, "table ready");
    let before = place.text(LOG);
    for action in ["status", "start", "status"] {
        place.good(&["www", action]);
    }
    assert_eq!(place.text(LOG), before);
    place.good(&["www", "stop"]);
}

#[test]
fn a_reload_that_changes_who_gets_mail_and_nothing_else_says_so() {
    let place = Place::new();
    let text = |to: &str| {
        format!(
            "emailalert = {to}@x.example\nemailalertstatus = stopping\nvirtual = 7\n\
             \treal = 127.0.0.1 gate\n\tchecktype = on\n"
        )
    };
    place.write("etc/ha.d/www", &text("a"));
    place.good(&["www", "start"]);
    let reload = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_directord"));
        let runtime = place.path("run/directord/ldirectord.www");
        let output = command.arg("reload").arg("--runtime-dir").arg(runtime).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(reload(), "reloaded: no service differs\n");
    place.write("etc/ha.d/www", &text("b"));
    let said = reload();
    assert!(said.starts_with("~ ") && said.contains("7: alerts\n"), "{said}");
    assert!(said.ends_with("\nreloaded: no service differs, alerts of 1 changed\n"), "{said}");
    assert_eq!(reload(), "reloaded: no service differs\n");
}
