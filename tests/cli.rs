//! The binary as a black box: what it prints, and what it exits with.

use std::io::BufRead;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime};

use directord::api::{Handle, Request, bind, serve, socket_path};
use directord::model::{
    Ailment, AlertsCommand, AlertsReport, CheckView, CommandReport, DisabledKind, DisabledStatus,
    KernelView, NameList, Phase, PlanLine, PlanView, ReloadReport, Role, RoleReport, ServerView,
    ServiceView, Sign, Snapshot, Verdict, Vitals,
};
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};

/// The binary, with nothing of the tester's environment.
fn directord(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_directord"));
    command.env_clear().args(args).stdin(Stdio::null());
    command
}

fn output(args: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = directord(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().expect("no signal"), text(stdout), text(stderr))
}

fn utf8(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn snapshot(services: usize) -> Snapshot {
    let service = |n: usize| ServiceView {
        service: format!("10.{}.{}.1:80/tcp", n / 256, n % 256),
        name: None,
        origin: None,
        scheduler: "wlc".into(),
        up: true,
        fallback_active: false,
        fallback: None,
        in_sync: true,
        error: None,
        servers: (0..2).map(|m| server(&format!("10.{}.{}.{}:80", n / 256, n % 256, m))).collect(),
    };
    Snapshot {
        version: "0".into(),
        pid: 1,
        phase: Phase::Running,
        role: Role::Active,
        started: SystemTime::UNIX_EPOCH,
        kernel: KernelView {
            table: "memory".into(),
            out_of_sync: 0,
            foreign: 0,
            compared_seconds_ago: Some(0.0),
            drift_repaired: 0,
            writes: 0,
            error: None,
        },
        sync: None,
        files: Vec::new(),
        held_reload: None,
        vips: Vec::new(),
        watches: Vec::new(),
        disabled: Vec::new(),
        services: (0..services).map(service).collect(),
    }
}

fn server(address: &str) -> ServerView {
    ServerView {
        server: address.into(),
        forward: "gate".into(),
        weight: 1,
        kernel_weight: Some(1),
        verdict: Verdict::Up,
        since: SystemTime::UNIX_EPOCH,
        reason: None,
        held: None,
        check: CheckView {
            what: format!("connect {address}"),
            interval_ms: 1000,
            timeout_ms: 1000,
            passes: 1,
            rise: 1,
            failures: 0,
            fall: 1,
            last_ms: None,
            local_error: None,
        },
    }
}

/// Of a daemon that does not keep up.
fn vitals() -> Vitals {
    let ailments = vec![Ailment::ChecksLate { checks: 3, seconds: 40 }];
    Vitals { version: "0".into(), pid: 1, phase: Phase::Running, up_seconds: 60.0, ailments }
}

/// Something that listens like a daemon, with this many services, until it is dropped.
struct Daemon {
    dir: TempDir,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Daemon {
    fn start(services: usize) -> Daemon {
        let dir = TempDir::new().unwrap();
        let path = socket_path(dir.path());
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let (sender, requests) = mpsc::channel(8);
                let listener = bind(&path).unwrap();
                ready.send(()).unwrap();
                let (done, is_done) = oneshot::channel();
                tokio::spawn(answer(requests, snapshot(services), done));
                serve(listener, Handle::new(sender), async {
                    tokio::select! { _ = stopped => {}, _ = is_done => {} }
                })
                .await;
            });
        });
        is_ready.recv().unwrap();
        Daemon { dir, stop: Some(stop), thread: Some(thread) }
    }

    /// Runs a subcommand against it.
    fn ask(&self, args: &[&str]) -> (i32, String, String) {
        output(&[args, &["--runtime-dir", utf8(self.dir.path())]].concat())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

async fn answer(
    mut requests: mpsc::Receiver<Request>,
    snapshot: Snapshot,
    done: oneshot::Sender<()>,
) {
    while let Some(request) = requests.recv().await {
        match request {
            Request::Status(reply) => drop(reply.send(snapshot.clone())),
            Request::Vitals(reply) => drop(reply.send(vitals())),
            Request::Plan(reply) => {
                let text = "service 192.0.2.1:80/tcp wlc".to_owned();
                let line = PlanLine { sign: Sign::Add, service: "192.0.2.1:80/tcp".into(), text };
                drop(reply.send(Ok(PlanView { lines: vec![line], held: None })));
            }
            Request::Reload { confirm: true, reply } => {
                drop(reply.send(ReloadReport { applied: true, ..ReloadReport::default() }));
            }
            Request::Reload { confirm: false, reply } => {
                let held = Some("would remove 5 of 12 services".to_owned());
                drop(reply.send(ReloadReport { held, ..ReloadReport::default() }));
            }
            Request::Role { role, reply } => {
                let refused = NameList::from_iter(["192.0.2.1:80/tcp: no such scheduler"]);
                drop(reply.send(RoleReport { role, services: 2, refused, error: None }));
            }
            Request::Stop { reply, .. } => {
                let _ = reply.send(());
                let _ = done.send(());
                return;
            }
            Request::Upgrade(reply) => drop(reply.send(Err("no such program".into()))),
            Request::Command(_, reply) if snapshot.services.is_empty() => {
                drop(reply.send(Err("no real server 10.0.0.9:80".into())));
            }
            Request::Command(_, reply) => {
                let affected = NameList::from_iter(["10.0.0.9:80 of 192.0.2.1:80/tcp"]);
                drop(reply.send(Ok(CommandReport { affected })));
            }
            Request::Alerts(AlertsCommand::Enable { .. }, reply) => {
                drop(reply.send(Err("watch shop is not disabled".into())));
            }
            Request::Alerts(AlertsCommand::Disable { of, user, reason, seconds }, reply) => {
                assert!(!user.is_empty());
                let affected = NameList::from_iter([format!("{of:?} {reason:?} {seconds:?}")]);
                let replaced = DisabledStatus {
                    kind: DisabledKind::Watch,
                    name: "shop".into(),
                    user: "ann".into(),
                    reason: "new release".into(),
                    since: SystemTime::now() - Duration::from_secs(90),
                    until: None,
                };
                let replaced = if seconds.is_some() { vec![replaced] } else { Vec::new() };
                drop(reply.send(Ok(AlertsReport { affected, replaced })));
            }
        }
    }
}

const SUBCOMMANDS: [&str; 15] = [
    "run", "start", "check", "plan", "status", "monitor", "reload", "role", "stop", "upgrade",
    "drain", "undrain", "alerts", "schema", "demo",
];

#[test]
fn help_goes_to_standard_output_and_knows_every_subcommand() {
    let (status, help, errors) = output(&["--help"]);
    assert_eq!((status, errors.as_str()), (0, ""));
    for subcommand in SUBCOMMANDS {
        assert!(help.contains(&format!("\n  {subcommand} ")), "{subcommand} in {help}");
        let (status, help, _) = output(&[subcommand, "--help"]);
        assert_eq!(status, 0, "{subcommand}");
        assert!(help.contains("Usage:") && help.len() > 300, "{subcommand}: {help}");
    }
    for number in ["0  ", "1  ", "2  ", "3  ", "4  ", "5  ", "70 "] {
        assert!(help.contains(&format!("\n  {number}")), "exit status {number} in {help}");
    }
}

#[test]
fn wrong_command_lines_exit_with_2() {
    for args in [
        &["--no-such-option"][..],
        &["no-such-command"],
        &[],
        &["status", "--json", "--problems"],
        &["run", "--table", "wood"],
        &["run", "--log-level", "a=b=c"],
        &["drain"],
        &["role", "passive"],
        &["monitor", "--timeout", "soon"],
        &["alerts", "disable", "shop"],
        &["alerts", "disable", "shop", "--reason", " "],
        &["alerts", "disable", "shop", "--reason", "x", "--for", "2"],
        &["alerts", "disable", "shop", "--reason", "x", "--for", "3651d"],
        &["alerts", "disable", "--reason", "x"],
        &["alerts", "enable", "shop", "--host", "www1"],
        &["alerts", "enable", "--server", "10.0.0.1:80"],
    ] {
        let (status, out, errors) = output(args);
        assert_eq!((status, out.as_str()), (2, ""), "{args:?}");
        assert!(!errors.is_empty(), "{args:?}");
    }
}

#[test]
fn nobody_to_ask_is_3_and_says_how_to_start() {
    let dir = TempDir::new().unwrap();
    let words = [&["status"][..], &["monitor"], &["reload"], &["role"], &["stop"], &["upgrade"]];
    for args in words.into_iter().chain([&["drain", "10.0.0.1:80"][..]]) {
        let (status, out, errors) =
            output(&[args, &["--runtime-dir", utf8(&dir.path().join("none"))]].concat());
        assert_eq!((status, out.as_str()), (3, ""), "{args:?}");
        assert!(errors.starts_with("directord: directord is not running"), "{errors}");
        assert!(errors.contains("directord run"), "{errors}");
    }
}

#[test]
fn status_is_plain_lines_when_piped() {
    let daemon = Daemon::start(2);
    let (status, out, errors) = daemon.ask(&["status"]);
    assert_eq!((status, errors.as_str()), (0, ""));
    let kinds: Vec<_> = out.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(
        kinds,
        ["directord", "kernel", "service", "server", "server", "service", "server", "server"]
    );
    assert!(!out.contains('\x1b'));
    let (status, out, _) = daemon.ask(&["status", "--json"]);
    let read: Snapshot = serde_json::from_str(&out).unwrap();
    assert_eq!((status, read), (0, snapshot(2)));
    let (status, _, errors) = daemon.ask(&["status", "nowhere"]);
    assert_eq!(status, 5, "{errors}");
}

#[test]
fn closed_pipe_is_no_failure() {
    let daemon = Daemon::start(10_000);
    for json in [false, true] {
        let mut args = vec!["status", "--runtime-dir", utf8(daemon.dir.path())];
        args.extend(json.then_some("--json"));
        let mut child =
            directord(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let Output { status, stderr, .. } = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8(stderr).unwrap(), "");
        assert_eq!(status.code(), Some(0));
    }
}

#[test]
fn full_disk_is_a_failure() {
    let daemon = Daemon::start(1);
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let Output { status, stderr, .. } =
        directord(&["status", "--runtime-dir", utf8(daemon.dir.path())])
            .stdout(full)
            .output()
            .unwrap();
    assert_eq!(status.code(), Some(70));
    assert!(String::from_utf8(stderr).unwrap().starts_with("directord: write to standard output"));
}

#[test]
fn ten_thousand_services_are_printed_at_once() {
    let daemon = Daemon::start(10_000);
    let started = Instant::now();
    let (status, out, _) = daemon.ask(&["status"]);
    assert_eq!((status, out.lines().count()), (0, 30_002));
    // A second or so without optimisation; line by line it would be many.
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[test]
fn monitor_of_a_daemon_that_stays_behind_with_its_checks_is_1_and_says_why() {
    let (status, out, errors) = Daemon::start(1).ask(&["monitor"]);
    assert_eq!((status, out.as_str()), (1, ""));
    let words = "checks are overdue: 3 not begun, the first for 40 s";
    assert_eq!(errors, format!("directord: unwell: {words}\n"));
}

#[test]
fn held_reload_is_5_until_confirmed() {
    let daemon = Daemon::start(1);
    let (status, out, _) = daemon.ask(&["reload"]);
    assert_eq!(status, 5);
    assert!(out.contains("directord reload --confirm"), "{out}");
    assert_eq!(daemon.ask(&["reload", "--confirm"]).0, 0);
}

#[test]
fn plan_asks_the_running_daemon() {
    let daemon = Daemon::start(1);
    let (status, out, _) = daemon.ask(&["plan"]);
    assert_eq!(status, 0);
    assert!(out.starts_with("+ service 192.0.2.1:80/tcp wlc\n# 1 change"), "{out}");
    let (_, out, _) = daemon.ask(&["plan", "--json"]);
    let plan: PlanView = serde_json::from_str(&out).unwrap();
    assert_eq!(plan.lines.len(), 1);
}

#[test]
fn drain_names_what_it_was_done_to_or_why_not() {
    let (status, out, _) = Daemon::start(1).ask(&["drain", "10.0.0.9:80"]);
    assert_eq!((status, out.as_str()), (0, "drained 10.0.0.9:80 of 192.0.2.1:80/tcp\n"));
    let (status, _, errors) = Daemon::start(0).ask(&["undrain", "10.0.0.9:80"]);
    assert_eq!((status, errors.as_str()), (5, "directord: no real server 10.0.0.9:80\n"));
}

#[test]
fn alerts_are_disabled_with_a_reason_and_a_time_and_enabled_again() {
    let daemon = Daemon::start(1);
    let disable = ["alerts", "disable", "shop", "--server", "10.0.0.9:80", "--reason", "new disk"];
    let (status, out, _) = daemon.ask(&[&disable[..], &["--for", "1h30m"]].concat());
    let asked = "Service { name: \"shop\", server: Some(\"10.0.0.9:80\") }";
    let disabled = format!("disabled {asked} \"new disk\" Some(5400)\n");
    let (done, replaced) = out.split_at(disabled.len());
    assert_eq!((status, done), (0, &*disabled));
    let before = "instead of: watch shop  by ann, 1m30s ago, until it is enabled: new release\n";
    assert_eq!(replaced.replace("1m31s", "1m30s"), before);
    let (status, out, _) = daemon.ask(&["alerts", "disable", "--host", "www1", "--reason", "x"]);
    assert_eq!((status, out.as_str()), (0, "disabled Host(\"www1\") \"x\" None\n"));
    let (status, _, errors) = daemon.ask(&["alerts", "enable", "shop"]);
    assert_eq!((status, errors.as_str()), (5, "directord: watch shop is not disabled\n"));
}

#[test]
fn role_says_what_it_is_and_what_came_of_another() {
    let daemon = Daemon::start(1);
    assert_eq!(daemon.ask(&["role"]), (0, "active\n".into(), String::new()));
    let (status, out, errors) = daemon.ask(&["role", "standby"]);
    assert_eq!((status, out.as_str()), (0, "standby: 2 services in the kernel\n"));
    assert_eq!(errors, "directord: 192.0.2.1:80/tcp: no such scheduler\n");
}

/// Folders for a real daemon over a table in memory, which is stopped with this value.
struct Background {
    dir: TempDir,
}

impl Background {
    fn new(service: &str) -> Background {
        let dir = TempDir::new().unwrap();
        std::fs::create_dir(dir.path().join("conf.d")).unwrap();
        write(&dir.path().join("conf.d"), "www.yaml", service.as_bytes());
        Background { dir }
    }

    fn path(&self, name: &str) -> String {
        utf8(&self.dir.path().join(name)).to_owned()
    }

    /// The words of a start, after `before`.
    fn words(&self, before: &[&str]) -> Vec<String> {
        let (config, run) = (self.path("conf.d"), self.path("run"));
        let (state, log) = (self.path("state"), self.path("log"));
        let own = ["--config", &config, "--runtime-dir", &run, "--state-dir", &state];
        let all = [before, &own, &["--table", "memory", "--log", &log]].concat();
        all.into_iter().map(str::to_owned).collect()
    }

    fn start(&self, more: &[&str]) -> (i32, String, String) {
        let words = self.words(&[&["start"], more].concat());
        output(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn ask(&self, words: &[&str]) -> (i32, String, String) {
        output(&[words, &["--runtime-dir", &self.path("run")]].concat())
    }

    fn pid(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("run/directord.pid")).unwrap()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.ask(&["stop"]);
    }
}

const ALWAYS_UP: &str = "virtual: 192.0.2.10:80\nreal: [10.0.0.7:80]\ncheck: on\n";

#[test]
fn start_returns_when_it_serves_and_a_second_one_is_a_quiet_success() {
    let daemon = Background::new(ALWAYS_UP);
    assert_eq!(daemon.start(&[]), (0, String::new(), String::new()));
    let (_, status, _) = daemon.ask(&["status"]);
    assert!(status.contains("kernel_weight=1 "), "{status}");
    let pid = daemon.pid();
    assert_eq!(daemon.start(&[]), (0, String::new(), String::new()));
    assert_eq!(daemon.pid(), pid);
    assert!(std::fs::read_to_string(daemon.path("log")).unwrap().contains("table ready"));
    // Nothing of whoever called it is left to it.
    let process = Path::new("/proc").join(pid.trim());
    assert_eq!(std::fs::read_link(process.join("cwd")).unwrap(), Path::new("/"));
    let stat = std::fs::read_to_string(process.join("stat")).unwrap();
    let session = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(3).unwrap();
    assert_eq!(session, pid.trim());
}

#[test]
fn start_keeps_no_descriptor_of_its_caller() {
    let daemon = Background::new(ALWAYS_UP);
    // Were any left open, there would be no end of this output.
    let script = "exec 7>&1 8>&2; exec \"$@\"";
    let words = daemon.words(&[env!("CARGO_BIN_EXE_directord"), "start"]);
    let output = Command::new("sh").args(["-c", script, "sh"]).args(words).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(daemon.ask(&["role"]).0, 0);
}

#[test]
fn start_makes_one_that_runs_play_the_role_it_names() {
    let daemon = Background::new(ALWAYS_UP);
    assert_eq!(daemon.start(&["--role", "standby"]).0, 0);
    let pid = daemon.pid();
    let (_, status, _) = daemon.ask(&["status"]);
    assert!(status.contains(" role=standby\n"), "{status}");
    assert!(status.contains(" up weight=1 kernel_weight=- "), "checked, and not used: {status}");
    assert_eq!(daemon.start(&["--role", "active"]), (0, String::new(), String::new()));
    assert_eq!((daemon.pid(), daemon.ask(&["role"]).1), (pid, "active\n".to_owned()));
    let (status, out, _) = daemon.ask(&["role", "standby"]);
    assert_eq!((status, out.as_str()), (0, "standby: 0 services in the kernel\n"));
    // Who was told so may rely on it, also after a restart.
    assert_eq!(daemon.ask(&["stop"]).0, 0);
    assert_eq!(daemon.start(&[]).0, 0);
    assert_eq!(daemon.ask(&["role"]).1, "standby\n");
    assert_eq!(daemon.start(&["--role", "active"]).0, 0);
    assert!(daemon.ask(&["status"]).1.contains("kernel_weight=1 "));
}

#[test]
fn starts_side_by_side_and_right_after_a_stop_make_one_daemon() {
    let daemon = Background::new(ALWAYS_UP);
    for _ in 0..2 {
        let words = daemon.words(&["start"]);
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let start = || directord(&words).stderr(Stdio::piped()).spawn().unwrap();
        let starts = [start(), start(), start()];
        for start in starts {
            let output = start.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        assert_eq!(daemon.ask(&["stop"]).0, 0);
    }
}

#[test]
fn start_says_why_there_is_no_daemon() {
    let daemon = Background::new("virtual: 192.0.2.10\n");
    let (status, _, errors) = daemon.start(&[]);
    assert_eq!(status, 1, "{errors}");
    assert!(errors.starts_with("directord: start: no service can be taken from"), "{errors}");
    let (status, _, errors) =
        output(&["start", "--log", "/nowhere/at/all", "--runtime-dir", &daemon.path("none")]);
    assert_eq!(status, 70);
    assert!(errors.contains("name another file with --log"), "{errors}");
}

#[test]
fn stop_returns_when_nobody_listens_any_more() {
    let daemon = Daemon::start(1);
    let (status, out, errors) = daemon.ask(&["stop"]);
    assert_eq!((status, out.as_str()), (0, "stopped\n"), "{errors}");
    assert!(!socket_path(daemon.dir.path()).exists());
    assert_eq!(daemon.ask(&["stop"]).0, 3);
}

#[test]
fn environment_stands_in_for_options() {
    let daemon = Daemon::start(1);
    let status = directord(&["status"])
        .env("DIRECTORD_RUNTIME_DIR", daemon.dir.path())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(0));
}

fn write(dir: &Path, name: &str, text: &[u8]) {
    std::fs::write(dir.join(name), text).unwrap();
}

#[test]
fn check_is_1_for_mistakes_and_prints_them_all() {
    let dir = TempDir::new().unwrap();
    write(dir.path(), "bytes.yaml", b"virtual: \xff\xfe\n");
    nix::unistd::mkfifo(&dir.path().join("pipe.yaml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    std::os::unix::fs::symlink("loop.yaml", dir.path().join("loop.yaml")).unwrap();
    let (status, out, errors) = output(&["check", "--config", utf8(dir.path())]);
    assert_eq!((status, errors.as_str()), (1, ""), "{out}");
    for name in ["bytes.yaml", "pipe.yaml", "loop.yaml"] {
        assert!(out.contains(name), "{name} in {out}");
    }
    assert!(out.lines().last().unwrap().starts_with("3 files, 0 good services: "), "{out}");
}

#[test]
fn check_shows_the_place_of_each_mistake_and_what_to_do() {
    let dir = TempDir::new().unwrap();
    let text = "virtual: 192.0.2.10:80\nshceduler: wlc\nreal: [\"10.0.0.1:80 wieght=5\"]\n";
    write(dir.path(), "www.yaml", text.as_bytes());
    let (status, out, _) = output(&["check", "--config", utf8(dir.path())]);
    assert_eq!(status, 1);
    for part in ["www.yaml:2:1", "\n2 | shceduler: wlc\n", "^^^^", "www.yaml:3:21", "\"weight\""] {
        assert!(out.contains(part), "{part} in {out}");
    }
    assert!(out.ends_with("\n1 file, 0 good services: 2 mistakes\n"), "{out}");
}

#[test]
fn check_names_both_places_where_one_address_is_announced_in_two_ways() {
    let dir = TempDir::new().unwrap();
    let service = |port, vip| {
        format!("virtual: 192.0.2.10:{port}\nvip: {vip}\nreal: [10.0.0.1]\ncheck: on\n")
    };
    write(dir.path(), "a.yaml", service(80, "eth0").as_bytes());
    let often = service(443, "{interface: eth0, announce: {refresh: 1m}}");
    write(dir.path(), "b.yaml", often.as_bytes());
    // Another address, or another interface, is nobody else's business.
    let other = service(25, "{interface: eth1, announce: {count: 1}}");
    write(dir.path(), "c.yaml", other.as_bytes());
    let (status, out, _) = output(&["check", "--config", utf8(dir.path())]);
    assert_eq!(status, 0);
    for part in ["b.yaml:2:6", "differ in how 192.0.2.10/32 on eth0 is announced", "a.yaml:2:6"] {
        assert!(out.contains(part), "{part} in {out}");
    }
    assert!(out.ends_with("\n3 files, 3 services: no mistakes, 1 warning\n"), "{out}");
    write(dir.path(), "a.yaml", often.replace("443", "80").as_bytes());
    let (status, out, _) = output(&["check", "--config", utf8(dir.path())]);
    assert_eq!(status, 0, "{out}");
}

#[test]
fn last_good_copies_are_found_however_the_folder_is_spelled() {
    let at = TempDir::new().unwrap();
    let file = at.path().join("conf/a.yaml");
    std::fs::create_dir(at.path().join("conf")).unwrap();
    std::fs::write(&file, "virtual: 127.0.0.9:80\nreal: [127.0.0.1]\ncheck: on\n").unwrap();
    let run = ["run", "--table", "memory", "--runtime-dir", "run", "--state-dir", "state"];
    let mut daemon = directord(&run);
    daemon.args(["--config", "conf"]).current_dir(at.path()).stderr(Stdio::null());
    let mut daemon = daemon.spawn().unwrap();
    let folder = at.path().join("run");
    let end = Instant::now() + Duration::from_secs(20);
    while !output(&["status", "--runtime-dir", utf8(&folder)]).1.contains(" in-force ") {
        assert!(Instant::now() < end, "no director after 20 s");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(output(&["stop", "--runtime-dir", utf8(&folder)]).0, 0);
    assert!(daemon.wait().unwrap().success());
    std::fs::write(&file, "virtaul: 127.0.0.9:80\n").unwrap();
    for spelled in ["conf", "./conf/", utf8(&at.path().join("conf"))] {
        let mut plan = directord(&["plan", "--offline"]);
        plan.args(&run[1..]).args(["--config", spelled]).current_dir(at.path());
        let said = String::from_utf8(plan.output().unwrap().stdout).unwrap();
        assert!(said.contains("+ service 127.0.0.9:80/tcp"), "{spelled}: {said}");
    }
}

/// As when its time is up: a check that holds a session at a database can give it back.
#[test]
fn a_program_under_way_at_a_stop_is_told_to_end_before_it_is_killed() {
    let at = TempDir::new().unwrap();
    let (begun, tidied) = (at.path().join("begun"), at.path().join("tidied"));
    let script = format!(
        "trap 'sleep 0.2; echo done >{1}; exit 1' TERM; echo >{0}; sleep 60 & wait",
        utf8(&begun),
        utf8(&tidied)
    );
    let text = format!(
        "virtual: 127.0.0.9:80\nreal: [127.0.0.1]\n\
         check: {{external: [sh, -c, \"{script}\"], interval: 60s, timeout: 60s}}\n"
    );
    std::fs::create_dir(at.path().join("conf")).unwrap();
    std::fs::write(at.path().join("conf/a.yaml"), text).unwrap();
    let mut daemon = directord(&["run", "--table", "memory", "--config", "conf"]);
    daemon.args(["--runtime-dir", "run", "--state-dir", "state"]).env("PATH", "/usr/bin:/bin");
    let mut daemon = daemon.current_dir(at.path()).stderr(Stdio::null()).spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    while !begun.exists() {
        assert!(Instant::now() < end, "no check after 20 s");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(output(&["stop", "--runtime-dir", utf8(&at.path().join("run"))]).0, 0);
    assert!(daemon.wait().unwrap().success());
    assert!(tidied.exists(), "it was killed at once");
}

#[test]
fn schema_is_json() {
    let (status, out, _) = output(&["schema"]);
    let schema: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(status, 0);
    assert!(schema.get("$schema").is_some(), "{out}");
}

#[test]
fn check_is_1_for_a_folder_that_is_not_there() {
    let dir = TempDir::new().unwrap();
    let missing = dir.path().join("missing");
    let (status, out, _) = output(&["check", "--config", utf8(&missing)]);
    assert_eq!(status, 1);
    assert!(out.contains(utf8(&missing)), "{out}");
}

#[test]
fn check_is_0_for_an_empty_folder() {
    let dir = TempDir::new().unwrap();
    let (status, out, errors) = output(&["check", "--config", utf8(dir.path())]);
    assert_eq!((status, errors.as_str()), (0, ""));
    assert_eq!(out, "0 files, 0 services: no mistakes\n");
}

#[test]
fn demo_tells_the_story_and_leaves_nothing_behind() {
    let temp = TempDir::new().unwrap();
    let started = Instant::now();
    let Output { status, stdout, stderr } =
        directord(&["demo"]).env("TMPDIR", temp.path()).output().unwrap();
    let (out, errors) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert_eq!((status.code(), errors.as_str()), (Some(0), ""), "{out}");
    assert!(started.elapsed() < Duration::from_secs(30));
    assert!(out.contains("No packet is forwarded by a kernel"), "{out}");
    assert!(out.contains("beta is out of the table after"), "{out}");
    assert!(out.contains("beta is back in the table after"), "{out}");
    assert!(out.contains("0 were sent after beta was out") || out.contains("no request failed"));
    assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 0);
}

#[test]
fn examples_that_people_copy_are_right() {
    let readme = include_str!("../README.md");
    let (_, rest) = readme.split_once("```yaml\n").unwrap();
    let (in_readme, _) = rest.split_once("```").unwrap();
    let (_, help, _) = output(&["--help"]);
    let (_, rest) = help.split_once("www.yaml:\n").unwrap();
    let (in_help, _) = rest.split_once("\n\n").unwrap();
    for text in [in_readme, in_help.replace("\n  ", "\n").trim_start()] {
        let dir = TempDir::new().unwrap();
        write(dir.path(), "www.yaml", text.as_bytes());
        let (status, out, _) = output(&["check", "--config", utf8(dir.path())]);
        assert_eq!((status, out.as_str()), (0, "1 file, 1 service: no mistakes\n"), "{text}");
    }
}

#[test]
fn demo_that_is_killed_leaves_no_daemon_behind() {
    let temp = TempDir::new().unwrap();
    let mut demo =
        directord(&["demo"]).env("TMPDIR", temp.path()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = std::io::BufReader::new(demo.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.contains("a client asks")));
    let home = std::fs::read_dir(temp.path()).unwrap().next().unwrap().unwrap().path();
    let socket = socket_path(&home.join("run"));
    assert!(socket.exists());
    demo.kill().unwrap();
    demo.wait().unwrap();
    let end = Instant::now() + Duration::from_secs(10);
    while socket.exists() {
        assert!(Instant::now() < end, "the daemon goes on");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn every_sample_in_conf_d_passes_check() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf.d");
    let (status, out, errors) = output(&["check", "--config", utf8(&samples)]);
    assert_eq!((status, errors.as_str()), (0, ""), "{out}");
    assert!(out.lines().last().unwrap().contains(": no mistakes"), "{out}");
}
