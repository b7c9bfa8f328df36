//! The unit of `packaging/systemd` under a real systemd, process 1 of a namespace of its own.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use super::*;
use crate::lab::{Host, Traffic, eventually};

/// As installed, but for a watchdog that a test can wait for.
const UNIT: &str = include_str!("../../packaging/systemd/directord.service");
const WATCHDOG: &str = "[Service]\nWatchdogSec=6\n";

/// What a unit waits for as a rule is not there: nothing else is to be started.
const TARGETS: [&str; 5] = ["sysinit", "basic", "network-online", "shutdown", "lab"];

/// In namespaces of mounts and processes. What a service has in /run, /var/lib and /etc is its
/// own, and what systemd says is in a file.
const BOOT: &str = "
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    mkdir -p /etc/directord/conf.d /var/lib/directord
    mount --bind \"$1/conf.d\" /etc/directord/conf.d
    mount -t tmpfs state /var/lib/directord
    mount -t tmpfs -o mode=755 run /run
    mount --bind \"$1/console\" /dev/console
    export container=lab SYSTEMD_LOG_TARGET=console SYSTEMD_UNIT_PATH=\"$1/units\"
    exec /lib/systemd/systemd --system --unit=lab.target
";

struct Systemd<'a> {
    host: &'a Host,
    folder: tempfile::TempDir,
    child: Child,
    /// Process 1, as it is seen from here.
    pid: String,
}

impl Systemd<'_> {
    fn start<'a>(host: &'a Host, config: &str) -> Systemd<'a> {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("units/directord.service.d")).unwrap();
        fs::create_dir(at("conf.d")).unwrap();
        fs::write(at("conf.d/web.yaml"), config).unwrap();
        fs::write(at("console"), "").unwrap();
        fs::write(at("units/directord.service"), UNIT).unwrap();
        fs::write(at("units/directord.service.d/watchdog.conf"), WATCHDOG).unwrap();
        for target in TARGETS {
            let text = "[Unit]\nDefaultDependencies=no\n";
            fs::write(at(&format!("units/{target}.target")), text).unwrap();
        }
        let installed = Path::new("/usr/sbin/directord");
        if !installed.exists() {
            symlink(env!("CARGO_BIN_EXE_directord"), installed).unwrap();
        }
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]);
        command.args(["sh", "-c", BOOT, "boot"]).arg(folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = host.run(move || command.spawn().expect("unshare"));
        let parent = child.id().to_string();
        let pid = eventually("process 1", PATIENCE, || {
            let found = host.output("pgrep", &["-P", &parent]).stdout;
            let found = String::from_utf8_lossy(&found).trim().to_owned();
            (!found.is_empty()).then_some(found)
        });
        let systemd = Systemd { host, folder, child, pid };
        eventually_true("systemd is up", PATIENCE, || {
            systemd.inside(&["systemctl", "is-active", "lab.target"]).stdout == b"active\n"
        });
        systemd
    }

    /// Runs a command where systemd runs its services.
    fn inside(&self, words: &[&str]) -> Output {
        self.host.output("nsenter", &[&["-t", &self.pid, "-m", "-p"], words].concat())
    }

    /// The same, which must succeed.
    fn must(&self, words: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.inside(words);
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        assert!(status.success(), "{words:?}: {}{}", text(stdout), text(stderr));
        text(stdout)
    }

    /// The process id of the daemon, as it sees it itself.
    fn main_pid(&self) -> String {
        self.must(&["systemctl", "show", "-p", "MainPID", "--value", "directord"]).trim().into()
    }

    fn writes(&self) -> u64 {
        let status = self.must(&["directord", "status", "--json"]);
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        status["kernel"]["writes"].as_u64().unwrap()
    }
}

impl Drop for Systemd<'_> {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            let console = fs::read_to_string(self.folder.path().join("console"));
            eprintln!("systemd's console:\n{}", console.unwrap_or_default());
        }
    }
}

#[test]
fn the_unit_restarts_without_a_failed_request_notices_a_freeze_and_stops_clean() {
    if !lab::inside() {
        return;
    }
    let site = Site::new(lab::Forward::Masq, 2);
    let _webs = webs(&site);
    let systemd = Systemd::start(&site.director, &patient(&site));
    let all = [at(&site, 0, 1), at(&site, 1, 1)];
    systemd.must(&["systemctl", "start", "directord"]);
    settles(&site, WEB, &all);
    let set = site.director.read_sysctl("net/ipv4/vs/expire_nodest_conn");
    assert_eq!(set, "1", "the sandbox leaves this to us");

    let traffic = Traffic::start(&site.client, vip(80));
    let before = systemd.main_pid();
    systemd.must(&["systemctl", "restart", "directord"]);
    assert_ne!(systemd.main_pid(), before);
    assert_eq!(systemd.writes(), 0, "an equal table is not written");
    let before = systemd.main_pid();
    systemd.must(&["directord", "upgrade"]);
    assert_eq!(systemd.main_pid(), before);
    assert_eq!(systemd.writes(), 0, "an equal table is not written");

    systemd.must(&["kill", "-STOP", &before]);
    eventually_true("it is started anew", PATIENCE, || {
        let pid = systemd.main_pid();
        pid != before && pid != "0"
    });
    eventually_true("it does its work", PATIENCE, || {
        systemd.inside(&["directord", "monitor"]).status.success()
    });
    assert_eq!(systemd.writes(), 0, "an equal table is not written");
    let answers = traffic.stop();
    assert_eq!(answers.failures, Vec::<String>::new());
    assert!(answers.total() > 50, "{answers:?}");

    systemd.must(&["systemctl", "stop", "directord"]);
    assert_eq!(Table::of(&site.director), Table::default());
}
