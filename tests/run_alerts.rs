//! `alerts` of a service of the native dialect: the daemon tells of its real servers as mon does,
//! and lets the table be as the checks say. And watches of that dialect, which may decide.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// More than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A folder with a configuration and an alert, a port for a real server, and the daemon.
struct Place {
    top: TempDir,
    port: u16,
    daemon: Option<Child>,
}

impl Place {
    /// `@PORT` in the service stands for the real server's port, `@TOP` for the folder.
    fn new(service: &str) -> Place {
        let top = tempfile::tempdir().unwrap();
        // Free a moment ago; whoever takes it meanwhile fails the test.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let place = Place { top, port, daemon: None };
        for folder in ["conf.d", "alert.d", "mon.d"] {
            fs::create_dir(place.path(folder)).unwrap();
        }
        let script = "#!/bin/sh\n{ echo \"args: $@\"; env | grep ^MON_ | sort; \
                      echo \"input: $(cat | tr '\\n' ' ')\"; } >>\"$NOTE\"\n";
        let mood = "#!/bin/sh\nread mood <\"$1\"; shift\n[ \"$mood\" = 0 ] || echo \"$@\"\n\
                    exit $mood\n";
        for (program, text) in [("alert.d/note.alert", script), ("mon.d/mood.monitor", mood)] {
            fs::write(place.path(program), text).unwrap();
            let mode = fs::Permissions::from_mode(0o755);
            fs::set_permissions(place.path(program), mode).unwrap();
        }
        let here = place.top.path().display();
        let global = format!("alert_dir: {here}/alert.d\nmonitor_dir: {here}/mon.d\n");
        fs::write(place.path("conf.d/global.yaml"), global).unwrap();
        place.configure(service);
        place
    }

    fn path(&self, below: &str) -> PathBuf {
        self.top.path().join(below)
    }

    fn configure(&self, service: &str) {
        let text = service.replace("@PORT", &self.port.to_string());
        let text = text.replace("@TOP", &self.top.path().display().to_string());
        self.write("conf.d/web.yaml", &text);
    }

    /// Whole or not at all: somebody may be reading it.
    fn write(&self, below: &str, text: &str) {
        fs::write(self.path("new"), text).unwrap();
        fs::rename(self.path("new"), self.path(below)).unwrap();
    }

    /// Is there until it is dropped.
    fn real_server(&self) -> TcpListener {
        TcpListener::bind(("127.0.0.1", self.port)).unwrap()
    }

    fn directord(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_directord"));
        command.args(words).arg("--runtime-dir").arg(self.path("run")).stdin(Stdio::null());
        command
    }

    fn start(&mut self) {
        let mut command = self.directord(&["run", "--table", "memory"]);
        command.arg("--config").arg(self.path("conf.d")).arg("--state-dir").arg(self.path("own"));
        let log = fs::File::options().append(true).create(true).open(self.path("log")).unwrap();
        command.env("NOTE", self.path("note")).stdout(Stdio::null()).stderr(log);
        self.daemon = Some(command.spawn().unwrap());
        self.until("it runs", || self.directord(&["status"]).output().unwrap().status.success());
    }

    fn crash(&mut self) {
        let mut daemon = self.daemon.take().unwrap();
        daemon.kill().unwrap();
        daemon.wait().unwrap();
    }

    fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds() {
            let log = fs::read_to_string(self.path("log")).unwrap_or_default();
            assert!(Instant::now() < end, "not: {what}\n{log}\n{}", self.notes());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What alerts have noted so far.
    fn notes(&self) -> String {
        fs::read_to_string(self.path("note")).unwrap_or_default()
    }

    /// What `status` says of the real server.
    fn shown(&self) -> Value {
        let output = self.directord(&["status", "--json"]).output().unwrap();
        let snapshot: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        snapshot["services"][0]["servers"][0].clone()
    }

    /// Whether the real server has a row with a weight.
    fn is_used(&self) -> bool {
        self.shown()["kernel_weight"].as_u64().is_some_and(|weight| weight > 0)
    }

    /// How often its check failed in a row.
    fn failures(&self) -> u64 {
        self.shown()["check"]["failures"].as_u64().unwrap_or_default()
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

const SERVICE: &str = "\
name: shop
virtual: 127.0.0.9:80
forward: masq
real: [\"127.0.0.1:@PORT\"]
check: {connect: true, interval: 200ms, timeout: 2s}
alerts:
  - alert: note.alert \"bad news\"
    upalert: note.alert good news
    startupalert: note.alert here we are
    alertafter: 2
    numalerts: 1
";

#[test]
fn a_real_server_is_told_of_once_and_its_end_once_even_across_a_crash() {
    let mut place = Place::new(SERVICE);
    let up = place.real_server();
    place.start();
    place.until("the server is in", || place.is_used());
    place.until("the start is told", || place.notes().contains("MON_ALERTTYPE=startup"));
    drop(up);
    place.until("the server is out", || !place.is_used());
    place.until("its failure is told", || place.notes().contains("MON_ALERTTYPE=failure"));
    place.until("it is told whole", || place.notes().matches("input: ").count() == 2);
    let notes = place.notes();
    let (_, failure) = notes.rsplit_once("args: ").unwrap();
    let server = format!("127.0.0.1:{}", place.port);
    let args = format!("-s {server} -g shop -h 127.0.0.1 -t ");
    assert!(failure.starts_with(&args), "{notes}");
    assert!(failure.lines().next().unwrap().ends_with(" bad news"), "{notes}");
    for line in ["MON_GROUP=shop", "MON_RETVAL=1", "MON_OPSTATUS=0", "MON_LAST_SUMMARY=127.0.0.1"] {
        assert!(failure.lines().any(|known| known == line), "{line}: {notes}");
    }
    assert!(failure.contains("input: 127.0.0.1 connect: "), "the reason: {notes}");
    // What must be known is written soon, not at once.
    let saved = || fs::read_to_string(place.path("own/watched")).unwrap_or_default();
    place.until("it is noted", || saved().contains("\"told\":true"));

    place.crash();
    fs::write(place.path("note"), "").unwrap();
    place.start();
    let up = place.real_server();
    place.until("the server is back", || place.is_used());
    place.until("its end is told", || place.notes().contains("MON_ALERTTYPE=up"));
    let notes = place.notes();
    assert!(notes.contains(" -u good news"), "{notes}");
    assert!(!notes.contains("MON_ALERTTYPE=failure"), "told once: {notes}");
    drop(up);
}

/// The other director tells, or is dead: then the first result after the takeover does.
#[test]
fn a_standby_tells_nobody_and_a_takeover_tells_what_is_down() {
    let service = SERVICE.replace("    startupalert: note.alert here we are\n", "");
    let mut place = Place::new(&service.replace("timeout: 2s", "timeout: 2s, fall: 10"));
    let global = fs::read_to_string(place.path("conf.d/global.yaml")).unwrap();
    place.write("conf.d/global.yaml", &(global + "role: standby\n"));
    let play = |place: &Place, role| {
        assert!(place.directord(&["role", role]).output().unwrap().status.success());
    };
    place.start();
    // Enough results for an alert, several times over.
    place.until("it failed ten times", || place.failures() == 10);
    assert_eq!(place.notes(), "");

    play(&place, "active");
    place.until("it is told to be down", || place.notes().contains("bad news"));
    let server = place.real_server();
    place.until("it is told to be up", || place.notes().contains("good news"));
    assert_eq!(place.notes().matches("bad news").count(), 1, "{}", place.notes());

    play(&place, "standby");
    drop(server);
    place.until("it failed ten times more", || place.failures() == 10);
    let calls = place.notes().matches("args:").count();
    assert_eq!(calls, 2, "{}", place.notes());
    play(&place, "active");
    place.until("it is told again", || place.notes().matches("bad news").count() == 2);
}

#[test]
fn what_nobody_is_told_of_is_taken_out_all_the_same() {
    let silent = SERVICE.replace("alertafter: 2", "period: none");
    let mut place = Place::new(&silent);
    let up = place.real_server();
    place.start();
    place.until("the server is in", || place.is_used());
    drop(up);
    place.until("the server is out", || !place.is_used());
    assert_eq!(place.notes(), "");
    // Who asks to be told from now on is told of the next result.
    place.configure(&silent.replace("period: none", "period: ''"));
    place.until("it is told", || place.notes().contains("MON_ALERTTYPE=failure"));
}

const WATCHED: &str = "\
- virtual: 127.0.0.9:80
  forward: masq
  real: [{address: \"127.0.0.1:@PORT\", watch: [rs1/mood]}]
- watch: rs1
  hosts: [127.0.0.1]
  services:
    - service: mood
      monitor: mood.monitor @TOP/mood
      interval: 1s
      periods: [{alert: exit=2-3 note.alert bad, upalert: note.alert good}]
";

#[test]
fn a_watch_of_the_native_dialect_tells_and_decides() {
    let mut place = Place::new(WATCHED);
    place.write("mood", "0\n");
    place.start();
    place.until("the server is in", || place.is_used());
    place.write("mood", "2\n");
    place.until("the server is out", || !place.is_used());
    place.until("its failure is told", || place.notes().contains("MON_ALERTTYPE=failure"));
    let notes = place.notes();
    assert!(notes.starts_with("args: -s mood -g rs1 -h 127.0.0.1 -t "), "{notes}");
    place.write("mood", "0\n");
    place.until("the server is back", || place.is_used());
    place.until("its end is told", || place.notes().contains(" -u good"));
}

const BEHIND: &str = "\
- name: shop
  virtual: 127.0.0.9:80
  forward: masq
  real: [\"127.0.0.1:@PORT\"]
  check: {connect: true, interval: 200ms, timeout: 2s, fall: 5}
  alerts:
    periods: [{alert: note.alert bad news}]
    alertdepend: router:mood
- watch: router
  services: [{service: mood, monitor: mood.monitor @TOP/mood, interval: 1s}]
";

#[test]
fn nobody_is_told_of_a_server_behind_a_router_that_is_down() {
    let mut place = Place::new(BEHIND);
    place.write("mood", "1\n");
    let up = place.real_server();
    place.start();
    place.until("the server is in", || place.is_used());
    let router = || {
        let status = place.directord(&["status"]).output().unwrap();
        String::from_utf8_lossy(&status.stdout).contains("watch router/mood fail")
    };
    place.until("the router is down", router);
    drop(up);
    place.until("the server is out", || !place.is_used());
    assert_eq!(place.notes(), "", "five failures, each of which would be told");
    place.write("mood", "0\n");
    place.until("it is told once the router is up", || place.notes().contains("bad news"));
}

#[test]
fn nobody_is_told_while_alerts_are_disabled_which_a_crash_does_not_end() {
    let mut place = Place::new(SERVICE);
    let up = place.real_server();
    place.start();
    place.until("the server is in", || place.is_used());
    let disable = ["alerts", "disable", "127.0.0.9:80/tcp", "--reason", "new disk", "--for", "2h"];
    let said = place.directord(&disable).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout), "disabled watch shop\n", "{said:?}");
    place.crash();
    place.start();
    drop(up);
    place.until("the server is out", || !place.is_used());
    let log = || fs::read_to_string(place.path("log")).unwrap();
    place.until("that is not told", || log().contains("ignoring alert for shop,127.0.0.1:"));
    assert!(!place.notes().contains("MON_ALERTTYPE=failure"), "{}", place.notes());
    let status = place.directord(&["status"]).output().unwrap();
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    let line = status.lines().find(|line| line.starts_with("disabled watch shop since=20"));
    assert!(line.is_some_and(|line| line.ends_with(" reason=\"new disk\"")), "{status}");
    assert!(!status.contains("until=-"), "{status}");
    let said = place.directord(&["alerts", "enable", "shop"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout), "enabled watch shop\n", "{said:?}");
    place.until("it is told", || place.notes().contains("MON_ALERTTYPE=failure"));
    let said = place.directord(&["alerts", "enable", "shop"]).output().unwrap();
    assert_eq!(said.status.code(), Some(5), "{said:?}");
}

#[test]
fn status_shows_each_host_of_a_group() {
    let two = WATCHED.replace("hosts: [127.0.0.1]", "hosts: [127.0.0.1, 127.0.0.2]");
    let two = two.replace("mood.monitor @TOP/mood", "tcp.monitor -p @PORT");
    let mut place = Place::new(&two);
    let up = place.real_server();
    place.start();
    let host = |state: &str, host: &str| {
        let status = place.directord(&["status"]).output().unwrap();
        let status = String::from_utf8_lossy(&status.stdout).into_owned();
        status.contains(&format!("\nhost rs1/mood {host} {state} since=20"))
    };
    place.until("one is up", || host("up", "127.0.0.1") && host("down", "127.0.0.2"));
    drop(up);
    place.until("none is", || host("down", "127.0.0.1"));
}

#[test]
fn what_a_monitor_says_reaches_an_alert_byte_for_byte() {
    let script = "#!/bin/sh\nprintf 'caf\\351 \\303\\251\\nfor\\352t\\n'\nexit 2\n";
    let alert = "#!/bin/sh\n{ printf %s \"$MON_LAST_SUMMARY\"; cat; } >\"$NOTE.new\"\n\
                 mv \"$NOTE.new\" \"$NOTE\"\n";
    let mut place = Place::new(&WATCHED.replace("mood.monitor @TOP/mood", "bytes.monitor"));
    for (program, text) in [("alert.d/note.alert", alert), ("mon.d/bytes.monitor", script)] {
        fs::write(place.path(program), text).unwrap();
        fs::set_permissions(place.path(program), fs::Permissions::from_mode(0o755)).unwrap();
    }
    // Anew: the file was read before its monitor was there.
    place.configure(&WATCHED.replace("mood.monitor @TOP/mood", "bytes.monitor"));
    place.start();
    let said = b"caf\xe9 \xc3\xa9\nfor\xeat\n";
    place.until("it is told", || place.path("note").exists());
    assert_eq!(fs::read(place.path("note")).unwrap(), [&said[..7], &said[..]].concat());
    let status = place.directord(&["status"]).output().unwrap();
    let status = String::from_utf8(status.stdout).unwrap();
    assert!(status.contains("summary=\"caf\u{fffd} é\""), "{status}");
}
