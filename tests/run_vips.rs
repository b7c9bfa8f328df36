//! The daemon's own addresses from outside, on interfaces that are made of a map, as its table is.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// More than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A folder with a service, a port for its real server, and the daemon.
struct Place {
    top: TempDir,
    port: u16,
    daemon: Option<Child>,
}

impl Place {
    fn new(vip: &str) -> Place {
        let top = tempfile::tempdir().unwrap();
        fs::create_dir(top.path().join("conf.d")).unwrap();
        // Free a moment ago; whoever takes it meanwhile fails the test.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let place = Place { top, port, daemon: None };
        place.configure(vip);
        place
    }

    fn path(&self, below: &str) -> PathBuf {
        self.top.path().join(below)
    }

    fn configure(&self, vip: &str) {
        let text = format!(
            "virtual: 192.0.2.10:80\nforward: masq\nreal: [127.0.0.1:{}]\nvip: {vip}\n\
             check: {{connect: {{}}, interval: 100ms, timeout: 50ms}}\n",
            self.port
        );
        fs::write(self.path("new"), text).unwrap();
        fs::rename(self.path("new"), self.path("conf.d/web.yaml")).unwrap();
    }

    fn directord(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_directord"));
        command.args(words).arg("--runtime-dir").arg(self.path("run")).stdin(Stdio::null());
        command
    }

    fn tell(&self, words: &[&str]) -> Output {
        self.directord(words).output().unwrap()
    }

    fn start(&mut self) {
        let mut command = self.directord(&["run", "--table", "memory"]);
        command.arg("--config").arg(self.path("conf.d")).arg("--state-dir").arg(self.path("own"));
        let log = fs::File::create(self.path("log")).unwrap();
        self.daemon = Some(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
        self.until("it runs", || self.tell(&["status"]).status.success());
    }

    fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds() {
            assert!(Instant::now() < end, "not: {what}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    fn holds(&self) -> bool {
        let output = self.tell(&["status", "--json"]);
        serde_json::from_slice::<Value>(&output.stdout)
            .is_ok_and(|snapshot| snapshot["vips"][0]["held"] == true)
    }

    fn stop(&mut self, words: &[&str]) {
        let output = self.tell(words);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut daemon = self.daemon.take().unwrap();
        assert!(daemon.wait().unwrap().success(), "{}", self.log());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(daemon) = &mut self.daemon {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

#[test]
fn an_address_follows_its_service_until_the_stop() {
    let mut place = Place::new("{interface: eth0, when: healthy}");
    place.start();
    assert!(!place.holds(), "no real server is up");
    let server = TcpListener::bind(("127.0.0.1", place.port)).unwrap();
    place.until("it is held", || place.holds());
    let noted = fs::read_to_string(place.path("run/vips")).unwrap();
    assert!(noted.ends_with("\n192.0.2.10/32 on eth0\n"), "{noted}");
    drop(server);
    place.until("it goes with the server", || !place.holds());
    let _server = TcpListener::bind(("127.0.0.1", place.port)).unwrap();
    place.until("it is held again", || place.holds());
    place.stop(&["stop"]);
    let log = place.log();
    let last = |what: &str| log.rfind(what).unwrap_or_else(|| panic!("no {what}: {log}"));
    let removed = last("vip removed vip=192.0.2.10/32 interface=eth0");
    assert!(last("director stopping") < removed, "{log}");
    let noted = fs::read_to_string(place.path("run/vips")).unwrap();
    assert_eq!(noted.lines().count(), 1, "{noted}");
}

#[test]
fn a_stop_that_keeps_the_table_keeps_the_address() {
    let mut place = Place::new("eth0");
    place.start();
    place.until("it is held, whatever the servers do", || place.holds());
    place.stop(&["stop", "--keep"]);
    let log = place.log();
    assert!(!log.contains("vip removed"), "{log}");
    let noted = fs::read_to_string(place.path("run/vips")).unwrap();
    assert!(noted.ends_with("\n192.0.2.10/32 on eth0\n"), "{noted}");
}

#[test]
fn a_reload_moves_the_address() {
    let mut place = Place::new("eth0");
    place.start();
    place.until("it is held", || place.holds());
    place.configure("eth1");
    assert!(place.tell(&["reload"]).status.success());
    place.until("it moved", || {
        let log = place.log();
        log.contains("vip removed vip=192.0.2.10/32 interface=eth0")
            && log.contains("vip added vip=192.0.2.10/32 interface=eth1")
    });
    let text = String::from_utf8(place.tell(&["status"]).stdout).unwrap();
    assert!(text.contains("\nvip 192.0.2.10/32 eth1 held wanted=true ours=true\n"), "{text}");
}
