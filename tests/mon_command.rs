//! The program called as mon: it watches, tells, keeps the table, and remembers.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// More than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A folder with a `mon.cf`, monitors and alerts, and the daemon on it.
struct Place {
    top: TempDir,
    port: u16,
    daemon: Option<Child>,
    /// `DIRECTORD_MONITORS`.
    switch: Option<&'static str>,
}

impl Place {
    fn new(file: &str) -> Place {
        let top = tempfile::tempdir().unwrap();
        // Free a moment ago; whoever takes it meanwhile fails the test.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let place = Place { top, port, daemon: None, switch: None };
        for folder in ["mon.d", "alert.d", "state", "log"] {
            fs::create_dir(place.path(folder)).unwrap();
        }
        // Says what its mood is; the mood is an exit status.
        place.program(
            "mon.d/mood.monitor",
            "read mood <\"$1\"; shift; [ \"$mood\" = 0 ] || echo \"$@\"; echo detail; exit $mood\n",
        );
        place.program(
            "alert.d/note.alert",
            "{ echo \"args: $@\"; env | grep ^MON_ | sort; echo \"input: $(cat)\"; } >>\"$NOTE\"\n",
        );
        let here = place.top.path().display().to_string();
        let head = format!(
            "mondir = {here}/mon.d\nalertdir = {here}/alert.d\nstatedir = {here}/state\n\
             logdir = {here}/log\nauthfile = {here}/auth.cf\nauthtype = trustlocal\n\
             pidfile = {here}/pid\n\n"
        );
        place.write(
            "auth.cf",
            "command section\nlist: all\nack: all\ndisable: all\nenable: all\nreset: all\n\
             test: all\nsavestate: all\nloadstate: all\n",
        );
        place.write("mon.cf", &format!("{head}{}", file.replace("@/", &format!("{here}/"))));
        place
    }

    fn path(&self, below: &str) -> PathBuf {
        self.top.path().join(below)
    }

    fn write(&self, below: &str, text: &str) {
        fs::write(self.path(below), text).unwrap();
    }

    fn program(&self, below: &str, text: &str) {
        self.write(below, &format!("#!/bin/sh\n{text}"));
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(self.path(below), mode).unwrap();
    }

    fn mood(&self, name: &str, exit: u8) {
        // Whole or not at all: a monitor may be reading it.
        self.write("new", &format!("{exit}\n"));
        fs::rename(self.path("new"), self.path(name)).unwrap();
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_directord"));
        command.arg("mon").arg("-c").arg(self.path("mon.cf")).args(words).stdin(Stdio::null());
        command
    }

    fn start(&mut self) {
        self.start_with(&[]);
    }

    fn start_with(&mut self, words: &[&str]) {
        let port = self.port.to_string();
        let mut command = self.command(&["-p", &port, "--table", "memory"]);
        command.args(words);
        command.arg("--runtime-dir").arg(self.path("run"));
        command.arg("--state-dir").arg(self.path("own")).env("NOTE", self.path("note"));
        command.envs(self.switch.map(|word| ("DIRECTORD_MONITORS", word)));
        let log = fs::File::options().append(true).create(true).open(self.path("out")).unwrap();
        self.daemon = Some(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
        self.until("the port is open", || TcpStream::connect(("127.0.0.1", self.port)).is_ok());
    }

    fn crash(&mut self) {
        let mut daemon = self.daemon.take().unwrap();
        daemon.kill().unwrap();
        daemon.wait().unwrap();
    }

    fn stop(&mut self) {
        let mut stop = Command::new(env!("CARGO_BIN_EXE_directord"));
        stop.args(["stop", "--runtime-dir"]).arg(self.path("run"));
        assert!(stop.status().unwrap().success());
        self.daemon.take().unwrap().wait().unwrap();
    }

    fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds() {
            let log = fs::read_to_string(self.path("out")).unwrap_or_default();
            assert!(Instant::now() < end, "not: {what}\n{log}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What alerts have noted so far.
    fn notes(&self) -> String {
        fs::read_to_string(self.path("note")).unwrap_or_default()
    }

    fn ask(&self, request: &str) -> Vec<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.write_all(format!("{request}\nquit\n").as_bytes()).unwrap();
        BufReader::new(stream).lines().map_while(Result::ok).collect()
    }

    /// Whether the real server is in the table; none while nobody answers.
    fn is_used(&self, server: &str) -> Option<bool> {
        let output = Command::new(env!("CARGO_BIN_EXE_directord"))
            .args(["status", "--json", "--runtime-dir"])
            .arg(self.path("run"))
            .output()
            .unwrap();
        let snapshot: Value = serde_json::from_slice(&output.stdout).ok()?;
        let servers = snapshot["services"][0]["servers"].as_array()?;
        let found = servers.iter().find(|one| one["server"] == server)?;
        Some(found["kernel_weight"].as_u64().is_some_and(|weight| weight > 0))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(daemon) = &mut self.daemon {
            daemon.kill().ok();
            daemon.wait().ok();
        }
    }
}

const PAIR: &str = "\
hostgroup rs1 192.168.0.1

watch rs1
    service http
        interval 1s
        description front page
        monitor mood.monitor @/mood
        period wd {Sun-Sat}
            alert note.alert bad news
            upalert note.alert good news
            alert lvs.alert -P tcp -V 10.0.0.3:80 -R 192.168.0.1 -W 5 -F dr
            upalert lvs.alert -P tcp -V 10.0.0.3:80 -R 192.168.0.1 -W 5 -F dr
            numalerts 1
";

const SERVER: &str = "192.168.0.1:80";

#[test]
fn a_watch_tells_keeps_the_table_and_survives_a_crash() {
    let mut place = Place::new(PAIR);
    place.mood("mood", 0);
    place.start();
    place.until("the server is in", || place.is_used(SERVER) == Some(true));
    place.mood("mood", 2);
    place.until("the server is out", || place.is_used(SERVER) == Some(false));
    place.until("somebody was told", || place.notes().contains("input:"));
    let notes = place.notes();
    assert!(notes.contains("args: -s http -g rs1 -h 192.168.0.1 -t "), "{notes}");
    assert!(notes.lines().next().unwrap().ends_with(" bad news"), "{notes}");
    for line in ["MON_ALERTTYPE=failure", "MON_RETVAL=2", "MON_LAST_SUMMARY=192.168.0.1"] {
        assert!(notes.contains(line), "{line}: {notes}");
    }
    let lines = place.ask("list opstatus rs1,http");
    assert!(lines[0].contains("opstatus=0 ") && lines[0].contains("exitval=2 "), "{lines:?}");
    assert_eq!(lines[1], "220 list opstatus completed");
    assert_eq!(place.ask("ack rs1 http looking")[0], "220 ack completed");
    // Whoever is answered may rely on it.
    place.crash();
    fs::write(place.path("note"), "").unwrap();
    place.start();
    let lines = place.ask("list opstatus rs1,http");
    assert!(lines[0].contains("ackcomment=:\\20looking"), "{lines:?}");
    assert_eq!(place.is_used(SERVER), Some(false), "it is remembered as dead");
    place.mood("mood", 0);
    place.until("the server is back", || place.is_used(SERVER) == Some(true));
    place.until("the end is told", || place.notes().contains("MON_ALERTTYPE=up"));
    let notes = place.notes();
    assert!(notes.contains(" -u good news"), "{notes}");
    assert!(!notes.contains("MON_ALERTTYPE=failure"), "told once: {notes}");
}

#[test]
fn what_moncmd_disables_stays_so_and_a_reset_reads_the_file_again() {
    let mut place = Place::new(PAIR);
    place.mood("mood", 0);
    place.start();
    assert_eq!(place.ask("disable watch rs1")[0], "220 disable watch completed");
    assert_eq!(place.ask("list disabled")[0], "watch rs1");
    place.crash();
    place.start();
    assert_eq!(place.ask("list disabled")[0], "watch rs1");
    // As mon, for the way back to it.
    let file = || fs::read_to_string(place.path("state/disabled")).unwrap_or_default();
    assert_eq!(place.ask("disable service rs1 http")[0], "220 disable service completed");
    let both = "disable watch rs1\ndisable service rs1 http\n";
    place.until("it is in mon's file", || file() == both);
    assert_eq!(place.ask("enable service rs1 http")[0], "220 enable completed");
    assert_eq!(place.ask("enable watch rs1")[0], "220 enable watch completed");
    place.until("mon's file is empty", || file().is_empty());
    let text = fs::read_to_string(place.path("mon.cf")).unwrap();
    place.write("mon.cf", &format!("{text}\nwatch other\n    service x\n        interval 5s\n        monitor mood.monitor @\n        period\n            alert note.alert\n"));
    let lines = place.ask("reset keepstate");
    assert!(lines[0].starts_with("220 reset PID"), "{lines:?}");
    assert!(place.ask("list watch").contains(&"other x".to_owned()));
    // By names: each once, and of a group that is not there nothing.
    let lines = place.ask("list opstatus other,x rs1 nosuch rs1,http");
    let groups: Vec<_> = lines.iter().map(|line| &line[..9]).collect();
    assert_eq!(groups, ["group=oth", "group=rs1", "220 list ", "220 quitt"]);
    let lines = place.ask("list opstatus rs1,x");
    assert_eq!(lines[0], "520 rs1,x does not exist");
}

/// A broken file stays in force as it was, which is no reason to call it good, and none to throw
/// away what is known.
#[test]
fn mistakes_are_told_by_test_config_and_keep_a_reset_from_everything() {
    let mut place = Place::new(PAIR);
    place.mood("mood", 2);
    place.start();
    place.until("it fails", || place.ask("list opstatus rs1,http")[0].contains("exitval=2"));
    assert_eq!(place.ask("ack rs1 http looking")[0], "220 ack completed");
    assert_eq!(place.ask("test config")[0], "220 test config completed OK, no errors found");

    let good = fs::read_to_string(place.path("mon.cf")).unwrap();
    place.write("mon.cf", &format!("{good}\nwatch other\n    service x\n        nonsense here\n"));
    let lines = place.ask("test config");
    let line = good.lines().count() + 4;
    assert_eq!(lines[0], format!("cf error: unknown syntax [nonsense here], line {line}"));
    assert!(lines.contains(&"520 test config completed, errors found in config file".to_owned()));
    for reset in ["reset", "reset stopped"] {
        let lines = place.ask(reset);
        assert!(lines[0].starts_with("520 reset PID"), "{lines:?}");
        assert!(lines[0].ends_with(" failed, error in config file"), "{lines:?}");
    }
    assert!(place.ask("list opstatus rs1,http")[0].contains("looking"), "all is as it was");
    assert_eq!(place.ask("list state")[0], "scheduler running");

    place.write("mon.cf", &good);
    let lines = place.ask("reset stopped");
    assert!(lines[0].starts_with("220 reset PID"), "{lines:?}");
    assert!(!place.ask("list opstatus rs1,http")[0].contains("looking"));
    assert!(place.ask("list state")[0].starts_with("scheduler stopped"));
}

#[test]
fn everybody_who_asks_for_a_reset_is_answered() {
    let mut place = Place::new(PAIR);
    place.mood("mood", 0);
    place.start();
    let port = place.port;
    let reset = || {
        std::thread::spawn(move || {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            stream.write_all(b"reset\nquit\n").unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            text
        })
    };
    let asked: Vec<_> = (0..8).map(|_| reset()).collect();
    for answer in asked {
        let answer = answer.join().unwrap();
        assert!(answer.starts_with("220 reset PID"), "{answer}");
    }
}

const QUIET: &str = "\
hostgroup rs1 192.168.0.1

watch rs1
    service http
        interval 1s
        monitor mood.monitor @/mood
        period wd {Sun-Sat}
            alert note.alert bad news
            numalerts 1
";

/// What is remembered as failing, and told, is not told again.
#[test]
fn a_recovery_that_nobody_is_told_of_outlives_a_crash() {
    let mut place = Place::new(QUIET);
    place.mood("mood", 2);
    place.start();
    place.until("somebody was told", || place.notes().contains("MON_RETVAL=2"));
    place.mood("mood", 0);
    place.until("the end is noted", || {
        let text = fs::read(place.path("own/watched")).unwrap_or_default();
        let saved: Value = serde_json::from_slice(&text).unwrap_or_default();
        saved["services"][0]["status"]["opstatus"] == 1
    });
    place.crash();
    place.mood("mood", 3);
    place.start();
    place.until("the next failure is told", || place.notes().contains("MON_RETVAL=3"));
}

/// Noted as told, and waiting behind a slow alert: the stop must not lose it.
#[test]
fn what_a_stop_keeps_from_being_told_is_told_after_the_next_start() {
    let mut place =
        Place::new(&PAIR.replace("numalerts 1", "").replace("alert note", "alert slow"));
    place.program(
        "alert.d/slow.alert",
        "echo begun >>\"$NOTE\"; [ -e \"${NOTE}d\" ] || sleep 20\n\
         echo \"args: $@\" >>\"$NOTE\"\n",
    );
    place.mood("mood", 2);
    place.start();
    place.until("the first alert is under way", || place.notes().contains("begun"));
    place.mood("mood", 0);
    place.until("it is well", || place.ask("list opstatus rs1,http")[0].contains("exitval=0"));
    place.stop();
    assert!(!place.notes().contains("good news"));
    place.write("noted", "");
    place.start();
    place.until("the end is told", || place.notes().contains("good news"));
}

#[test]
fn the_first_start_takes_up_what_mon_has_left() {
    let mut place = Place::new(PAIR);
    place.mood("mood", 2);
    place.write("state/disabled", "disable watch rs1\n");
    place.write(
        "state/opstatus",
        "group=rs1\tservice=http\top_status=0\tack=100\tack_comment=joe:\\20looking\n",
    );
    place.start_with(&["-l", "all"]);
    assert_eq!(place.ask("list disabled")[0], "watch rs1");
    let lines = place.ask("list opstatus rs1,http");
    assert!(lines[0].contains("ackcomment=joe:\\20looking"), "{lines:?}");
    assert_eq!(place.ask("enable watch rs1")[0], "220 enable watch completed");
    place.stop();
    // From now on our own memory counts.
    place.write("state/disabled", "disable watch rs1\n");
    place.start_with(&["-l", "all"]);
    assert_eq!(place.ask("list disabled"), ["220 list disabled completed", "220 quitting"]);
    assert_eq!(place.ask("loadstate disabled")[0], "220 loadstate completed");
    assert_eq!(place.ask("list disabled")[0], "watch rs1");
    assert_eq!(place.ask("savestate all")[0], "220 savestate completed");
    fs::remove_file(place.path("state/opstatus")).unwrap();
    let lines = place.ask("loadstate opstatus");
    assert!(lines[0].starts_with("520 loadstate error, "), "{lines:?}");
}

#[test]
fn a_second_one_in_the_background_is_told_that_there_is_one() {
    let mut place = Place::new(PAIR);
    place.mood("mood", 0);
    place.start();
    let pid = place.daemon.as_ref().unwrap().id();
    assert_eq!(fs::read_to_string(place.path("pid")).unwrap(), format!("{pid}\n"));
    let mut command = place.command(&["-f", "-p", &place.port.to_string(), "--table", "memory"]);
    command.arg("--runtime-dir").arg(place.path("run"));
    let output = command.arg("--state-dir").arg(place.path("own")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("another directord (pid {pid}) is running")), "{said}");
}

fn run(place: &Place, words: &[&str]) -> Output {
    place.command(words).output().unwrap()
}

#[test]
fn exit_statuses_and_words_are_mons() {
    let place = Place::new("watch g\n    service s\n        nonsense here\n");
    let output = run(&place, &["-f"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(25), "{said}");
    assert_eq!(said, "cf error: unknown syntax [nonsense here], line 11\n");
    let output = Command::new(env!("CARGO_BIN_EXE_directord"))
        .args(["mon", "-c", "/nonexistent/mon.cf"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&run(&place, &["-v"]).stdout).starts_with("mon-1.3.4"));
    assert_eq!(run(&place, &["-h"]).status.code(), Some(0));
    assert_eq!(run(&place, &["--nonsense"]).status.code(), Some(0));
}

#[test]
fn a_place_of_the_command_line_that_is_not_there_is_told_as_by_mon() {
    let place = Place::new("watch g\n    service s\n        traptimeout 1h\n");
    let file = fs::read_to_string(place.path("mon.cf")).unwrap();
    let without = file.lines().filter(|line| !line.starts_with("authfile"));
    place.write("mon.cf", &without.map(|line| format!("{line}\n")).collect::<String>());
    let here = place.top.path().display().to_string();
    let none = "No such file or directory";
    for (words, said) in [
        (&["-b", "/nonexistent"][..], "basedir /nonexistent does not exist\n".to_owned()),
        (&["-b", &format!("{here}/mon.cf")], format!("basedir {here}/mon.cf does not exist\n")),
        (&["-A", "/nonexistent"], format!("could not open /nonexistent: {none}\n")),
        (&["-B", "/nonexistent"], format!("could not open /nonexistent/auth.cf: {none}\n")),
        (&["-B", &here, "-A", "nosuch"], format!("could not open {here}/nosuch: {none}\n")),
    ] {
        // In the background as well: it would be there otherwise.
        let output = run(&place, &[words, &["-f", "--table", "memory"]].concat());
        assert_eq!(String::from_utf8_lossy(&output.stderr), said, "{words:?}");
        assert_eq!(output.status.code(), Some(2), "{words:?}");
    }
}

/// A monitor that would fail as ours carries it out, and a program of its name that says it is well.
#[test]
fn the_switch_has_monitors_run_that_are_carried_out_otherwise() {
    for (switch, well) in [(None, false), (Some("external"), true)] {
        let mut place = Place::new(
            "hostgroup g 127.0.0.1\n\nwatch g\n    service s\n        interval 1s\n        \
             monitor tcp.monitor -p 1\n        period wd {Sun-Sat}\n            \
             alert note.alert\n            alertafter 2\n",
        );
        place.program("mon.d/tcp.monitor", "echo >>\"$NOTE.program\"\n");
        place.switch = switch;
        place.start();
        let ran = || place.path("note.program").exists();
        match well {
            true => place.until("the program is run", ran),
            false => place.until("it is told", || !place.notes().is_empty()),
        }
        assert_eq!(ran(), well);
        let mut check = Command::new(env!("CARGO_BIN_EXE_directord"));
        check.arg("check").arg("--config").arg(place.path("mon.cf"));
        check.envs(switch.map(|word| ("DIRECTORD_MONITORS", word)));
        let said = check.output().unwrap();
        let said = [said.stdout, said.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert_eq!(said.contains("is run instead: DIRECTORD_MONITORS is external"), well, "{said}");
    }
}

/// By Debian's m4.
#[test]
fn a_file_goes_through_m4_where_it_is_asked_for_or_called_so() {
    let file = "define(`_SERVICE_', `    service $1\n        interval 1s\n        monitor \
                mood.monitor @/$1\n        period wd {Sun-Sat}\n            alert note.alert')dnl\n\
                hostgroup g 127.0.0.1\n\nwatch g\n_SERVICE_(one)\n_SERVICE_(two)\n";
    let mut place = Place::new(file);
    let check = |name: &str| {
        let mut check = Command::new(env!("CARGO_BIN_EXE_directord"));
        let said = check.arg("check").arg("--config").arg(place.path(name)).output().unwrap();
        let text = [said.stdout, said.stderr].concat();
        (said.status.code(), String::from_utf8_lossy(&text).into_owned())
    };
    assert!(check("mon.cf").1.contains("this watch has no service"), "as it is");
    fs::copy(place.path("mon.cf"), place.path("mon.m4")).unwrap();
    let (status, said) = check("mon.m4");
    assert!(status == Some(0) && said.ends_with(": no mistakes\n"), "{said}");
    place.write("bad.m4", "define(`a\n");
    let (status, said) = check("bad.m4");
    assert_eq!(status, Some(1));
    assert!(said.contains("m4: exit status: 1: m4:"), "{said}");

    place.mood("one", 0);
    place.mood("two", 1);
    place.start_with(&["-M"]);
    place.until("the second is told of", || place.notes().contains("-s two -g g"));
    assert!(!place.notes().contains("-s one"), "{}", place.notes());
}

#[test]
fn a_daemon_in_the_background_watches_when_the_command_returns() {
    let place = Place::new(PAIR);
    place.mood("mood", 0);
    let port = place.port.to_string();
    let mut command = place.command(&["-f", "-p", &port, "--table", "memory"]);
    command.arg("--runtime-dir").arg(place.path("run"));
    command.arg("--state-dir").arg(place.path("own"));
    // Were any descriptor of ours left open, there would be no end of this output.
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec 7>&1 8>&2; exec \"$@\"", "sh"]).arg(command.get_program());
    shell.args(command.get_args()).env("NOTE", place.path("note"));
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || tell.send(shell.output().unwrap().status));
    let status = told.recv_timeout(Duration::from_secs(60)).expect("an end of the output");
    assert!(status.success());
    place.until("the port is open", || TcpStream::connect(("127.0.0.1", place.port)).is_ok());
    // It leads a session of its own: what ends ours does not reach it.
    let pid = fs::read_to_string(place.path("pid")).unwrap();
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap();
    let session = stat.rsplit_once(')').unwrap().1.split(' ').nth(4);
    assert_eq!(session, Some(pid.trim()));
    let stop = Command::new(env!("CARGO_BIN_EXE_directord"))
        .args(["stop", "--runtime-dir"])
        .arg(place.path("run"))
        .status()
        .unwrap();
    assert!(stop.success());
    let mut rest = String::new();
    if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", place.port)) {
        stream.read_to_string(&mut rest).ok();
    }
    assert!(rest.is_empty());
}
