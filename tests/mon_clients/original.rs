//! The same requests to Debian's mon and to ours: the replies are the same, but for times and for
//! what is mended.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use directord::model::OpStatus;

use crate::harness::{ACCESS, Port, installed};

const MON: &str = "/usr/sbin/mon";
/// For it to start on a busy machine, and for each reply.
const PATIENCE: Duration = Duration::from_secs(60);

/// The configuration of which `Watcher::shop` is the scene, but that nothing is ever run: its
/// first check would come after an hour.
const CONFIGURATION: &str = "\
authtype = trustlocal
serverbind = 127.0.0.1
trapbind = 127.0.0.1

hostgroup web web1 web2
hostgroup mail mail1

view front web
view some mail:smtp

watch web
    service http
        description front \"page\"
        interval 1h
        monitor bad.monitor -p 80
        exclude_hosts web9
        depend mail:smtp
        period wd {Sun-Sat}
            alert test.alert A1
    service trap
        traptimeout 2h
        period
            alert test.alert T

watch mail
    service smtp
        interval 1h
        monitor good.monitor
        period P1: wd {Sun-Sat}
            alert test.alert A2
";

/// Requests whose replies do not depend on what has happened so far.
const REQUESTS: &[&str] = &[
    "list watch",
    "list group web",
    "list group nosuch",
    "list descriptions",
    "list deps",
    "list disabled",
    "list views",
    "list state",
    "list warnings",
    "list aliases",
    "list aliasgroups",
    "list aliases foo",
    "list failures",
    "list dtlog",
    "list opstatus web,nosuch",
    "list opstatus nosuch2",
    "list OPSTATUS",
    "LIST state",
    "list",
    " list",
    "foo",
    "version",
    "protid 9745",
    "protid 1",
    "protid",
    "dump",
    "checkauth list",
    "checkauth LIST",
    "checkauth term",
    "login",
    "login joe",
    "checkauth term",
    "getview",
    "setview front",
    "getview",
    "list watch",
    "list descriptions",
    "setview nosuch",
    "setview a b",
    "setview",
    "get web http description",
    "get web http monitor",
    "get web http depend",
    "get web http nosuch",
    "get web nosuch interval",
    "get maxkeep",
    "set maxkeep 50",
    "get maxkeep",
    "set maxkeep x",
    "set web http interval 7200",
    "get web http interval",
    "set web http description 'two\\20words' rest",
    "set web http description \"a b\" c",
    "set web http description plain words",
    "list descriptions",
    "set nosuch http interval 3",
    "ack mail smtp x",
    "disable host web1",
    "disable host web1",
    "disable host nosuch1 nosuch2",
    "list group web",
    "disable watch web",
    "disable watch nosuch3",
    "disable service web http",
    "disable service web nosuch",
    "list disabled",
    "enable host web1 nosuch",
    "enable service web http",
    "enable service web nosuch",
    "enable watch nosuch4",
    "enable watch web",
    "list disabled",
    "disable foo",
    "disable",
    "enable foo",
    "test monitor web nosuch",
    "test alert web http 1 wd {Sun-Sat}",
    "test upalert mail smtp 0 P1",
    "test alert web http 1 nosuch",
    "test alert nosuch5 http 1 P1",
    "test foo",
    "test",
    "test config",
    "clear timers web http",
    "clear TIMERS web http",
    "clear timers web nosuch",
    "clear foo",
    "reload auth",
    "reload foo",
    "savestate",
    "savestate all",
    "savestate foo",
    "loadstate disabled",
    "stop",
    "list state",
    "start",
    "quit",
];

/// Debian's mon, in a folder of its own.
struct Original {
    child: Child,
    _folder: tempfile::TempDir,
    port: u16,
}

impl Drop for Original {
    fn drop(&mut self) {
        // Should it be gone already, that is what was wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Original {
    fn start() -> Original {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["mon.d", "alert.d", "state", "log"] {
            fs::create_dir(at(name)).unwrap();
        }
        for program in ["mon.d/good.monitor", "mon.d/bad.monitor", "alert.d/test.alert"] {
            fs::write(at(program), "#!/bin/sh\nexit 0\n").unwrap();
            fs::set_permissions(at(program), fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::write(at("auth.cf"), format!("command section\n{ACCESS}")).unwrap();
        let port = free_port();
        let places = places(folder.path(), port);
        fs::write(at("mon.cf"), format!("{places}{CONFIGURATION}")).unwrap();
        let log = fs::File::create(at("out")).unwrap();
        let child = Command::new(MON)
            .args(["-c", "mon.cf", "-B"])
            .arg(folder.path())
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Original { child, _folder: folder, port }
    }

    fn connected(&mut self) -> TcpStream {
        let began = Instant::now();
        loop {
            match TcpStream::connect(("127.0.0.1", self.port)) {
                Ok(stream) => return stream,
                Err(error) => assert!(began.elapsed() < PATIENCE, "{error}"),
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "mon ended: {ended:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn places(folder: &Path, port: u16) -> String {
    let folder = folder.display();
    format!(
        "cfbasedir = {folder}\nalertdir = {folder}/alert.d\nmondir = {folder}/mon.d\n\
         statedir = {folder}/state\nlogdir = {folder}/log\nauthfile = auth.cf\n\
         pidfile = {folder}/pid\nserverport = {port}\ntrapport = {port}\n"
    )
}

/// A number that nobody listens on by TCP or UDP; below those the kernel hands out, so that no
/// connection takes it in the meantime.
fn free_port() -> u16 {
    let start = u16::try_from(std::process::id() % 20_000).expect("below 20,000");
    let ports = (0..20_000).map(|step| 10_000 + (start + step) % 20_000);
    let is_free = |port: &u16| {
        TcpListener::bind(("127.0.0.1", *port)).is_ok()
            && UdpSocket::bind(("127.0.0.1", *port)).is_ok()
    };
    ports.into_iter().find(is_free).expect("a free port")
}

/// The reply to each request, its lines of data sorted: mon has no order.
fn replies(stream: TcpStream) -> Vec<String> {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut to = stream.try_clone().unwrap();
    let mut from = BufReader::new(stream);
    let mut replies = Vec::new();
    for request in REQUESTS {
        to.write_all(format!("{request}\n").as_bytes()).unwrap();
        let mut lines = Vec::new();
        let last = loop {
            let mut line = String::new();
            from.read_line(&mut line).unwrap_or_else(|error| panic!("{request}: {error}"));
            assert!(!line.is_empty(), "{request}: hung up");
            match line.as_bytes()[..line.len().min(3)].iter().all(u8::is_ascii_digit) {
                true => break line,
                false => lines.push(line),
            }
        };
        lines.sort();
        let data = lines.concat();
        let data = match data.split_once("stopped since ") {
            Some((before, _)) => format!("{before}stopped since then\n"),
            None => data,
        };
        replies.push(format!("> {request}\n{data}{last}"));
    }
    replies
}

/// The names on each status line.
fn names(stream: TcpStream) -> Vec<Vec<String>> {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    (&stream).write_all(b"list opstatus\n").unwrap();
    let lines = BufReader::new(stream).lines().map(Result::unwrap);
    let lines = lines.take_while(|line| !line.starts_with("220 "));
    let names = |line: String| {
        // Only the names of the service itself are compared with their values.
        let fields = line.split(' ').filter_map(|field| field.split_once('='));
        let shown = |(name, value): (&str, &str)| match name {
            "group" | "service" => format!("{name}={value}"),
            name => name.to_owned(),
        };
        fields.map(shown).collect()
    };
    let mut names: Vec<_> = lines.map(names).collect();
    names.sort();
    names
}

#[test]
fn the_original_answers_the_same() {
    if !installed(MON, "mon") {
        return;
    }
    let mut original = Original::start();
    let port = Port::open();
    for view in &mut port.watcher.lock().unwrap().scene.services {
        view.opstatus = OpStatus::Untested;
        (view.last_failure, view.first_failure, view.last_alert) = (None, None, None);
    }
    let ours = names(TcpStream::connect(port.place).unwrap());
    assert_eq!(names(original.connected()), ours);
    let theirs = replies(original.connected());
    let ours = replies(TcpStream::connect(port.place).unwrap());
    let differences: Vec<_> = theirs
        .iter()
        .zip(&ours)
        .filter(|(theirs, ours)| theirs != ours)
        .map(|(theirs, ours)| format!("mon:\n{theirs}ours:\n{ours}"))
        .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
