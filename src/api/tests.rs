use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, spawn_blocking};

use super::*;
use crate::model::{
    Ailment, AlertsOf, AlertsReport, KernelView, NameList, Phase, PlanLine, Role, Sign,
};

fn snapshot() -> Snapshot {
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
            compared_seconds_ago: Some(0.5),
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
        services: Vec::new(),
    }
}

fn vitals() -> Vitals {
    let late = Ailment::ChecksLate { checks: 3, seconds: 40 };
    let phase = Phase::Running;
    Vitals { version: "0".into(), pid: 1, phase, up_seconds: 1.5, ailments: vec![late] }
}

fn plan_view() -> PlanView {
    let line = PlanLine {
        sign: Sign::Add,
        service: "192.0.2.1:80/tcp".into(),
        text: "service 192.0.2.1:80/tcp wlc".into(),
    };
    PlanView { lines: vec![line], held: None }
}

/// A daemon's loop that answers everything but drains, until asked to stop.
async fn obliging_loop(mut requests: mpsc::Receiver<Request>) {
    while let Some(request) = requests.recv().await {
        match request {
            Request::Status(reply) => drop(reply.send(snapshot())),
            Request::Vitals(reply) => drop(reply.send(vitals())),
            Request::Plan(reply) => drop(reply.send(Ok(plan_view()))),
            Request::Reload { confirm, reply } => {
                let report = ReloadReport { applied: confirm, ..ReloadReport::default() };
                drop(reply.send(report));
            }
            Request::Role { role, reply } => {
                drop(reply.send(RoleReport { role, ..RoleReport::default() }));
            }
            Request::Stop { reply, .. } => {
                let _ = reply.send(());
                return;
            }
            Request::Upgrade(reply) => drop(reply.send(Err("no such program".into()))),
            Request::Command(Command::Undrain { server, .. }, reply) => {
                let affected = NameList::from_iter([server]);
                drop(reply.send(Ok(CommandReport { affected })));
            }
            Request::Command(_, reply) => drop(reply.send(Err("no such server".into()))),
            Request::Alerts(AlertsCommand::Enable { of }, reply) => {
                let affected = NameList::from_iter([format!("{of:?}")]);
                drop(reply.send(Ok(AlertsReport { affected, ..AlertsReport::default() })));
            }
            Request::Alerts(_, reply) => drop(reply.send(Err("no such watch".into()))),
        }
    }
}

/// A served socket; ends with the returned sender.
fn start(
    dir: &Path,
    queue: usize,
) -> (mpsc::Receiver<Request>, oneshot::Sender<()>, JoinHandle<()>) {
    let listener = bind(&socket_path(dir)).unwrap();
    let (sender, requests) = mpsc::channel(queue);
    let (stop, stopped) = oneshot::channel();
    let server = tokio::spawn(serve(listener, Handle::new(sender), async {
        let _ = stopped.await;
    }));
    (requests, stop, server)
}

/// Sends bytes as they are and reads what comes until the end.
async fn raw(dir: &Path, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(socket_path(dir)).await.unwrap();
    // The server may hang up before it has read all of it; what it answered is still there.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn every_request_comes_back_with_its_answer() {
    let dir = TempDir::new().unwrap();
    let (requests, _stop, _server) = start(dir.path(), 8);
    tokio::spawn(obliging_loop(requests));
    let client = Client::new(dir.path());
    spawn_blocking(move || {
        assert_eq!(client.status().unwrap(), snapshot());
        assert_eq!(client.vitals(Duration::from_secs(60)).unwrap(), vitals());
        assert_eq!(client.plan().unwrap(), plan_view());
        assert!(!client.reload(false).unwrap().applied);
        assert!(client.reload(true).unwrap().applied);
        for role in [Role::Standby, Role::Active] {
            assert_eq!(client.role(role).unwrap().role, role);
        }
        let undrain = Command::Undrain { server: "10.0.0.1:80".into(), service: None };
        assert_eq!(client.command(&undrain).unwrap().affected.names, ["10.0.0.1:80"]);
        let drain = Command::Drain { server: "10.0.0.9:80".into(), service: None };
        assert_eq!(client.command(&drain).unwrap_err().to_string(), "no such server");
        let of = AlertsOf::Host("www1".into());
        let enabled = client.alerts(&AlertsCommand::Enable { of: of.clone() }).unwrap();
        assert_eq!(enabled.affected.names, ["Host(\"www1\")"]);
        let (user, reason) = ("ann".into(), "because".into());
        let disable = AlertsCommand::Disable { of, user, reason, seconds: Some(60) };
        assert_eq!(client.alerts(&disable).unwrap_err().to_string(), "no such watch");
        assert_eq!(client.upgrade().unwrap_err().to_string(), "no such program");
        client.stop(false).unwrap();
        assert_eq!(client.status().unwrap_err().to_string(), "the daemon is stopping");
    })
    .await
    .unwrap();
}

/// Five times what a socket takes at once.
fn long_snapshot() -> Snapshot {
    Snapshot { held_reload: Some("x".repeat(1 << 20)), ..snapshot() }
}

async fn long_winded_loop(mut requests: mpsc::Receiver<Request>) {
    while let Some(request) = requests.recv().await {
        if let Request::Status(reply) = request {
            let _ = reply.send(long_snapshot());
        }
    }
}

#[tokio::test]
async fn a_long_answer_comes_whole_and_nobody_waits_for_who_does_not_read_it() {
    let dir = TempDir::new().unwrap();
    let (requests, stop, server) = start(dir.path(), 8);
    tokio::spawn(long_winded_loop(requests));
    let mut deaf = UnixStream::connect(socket_path(dir.path())).await.unwrap();
    deaf.write_all(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let client = Client::new(dir.path());
    let asking = spawn_blocking(move || {
        assert_eq!(client.status().unwrap(), long_snapshot());
        let mut json = Vec::new();
        client.status_json().unwrap().read_to_end(&mut json).unwrap();
        assert_eq!(serde_json::from_slice::<Snapshot>(&json).unwrap(), long_snapshot());
    });
    asking.await.unwrap();
    let before = std::time::Instant::now();
    stop.send(()).unwrap();
    server.await.unwrap();
    assert!(before.elapsed() < Duration::from_secs(2), "{:?}", before.elapsed());
}

#[test]
fn client_does_not_take_half_an_answer_for_the_whole() {
    let dir = TempDir::new().unwrap();
    let listener = std::os::unix::net::UnixListener::bind(socket_path(dir.path())).unwrap();
    let daemon = std::thread::spawn(move || {
        let (mut caller, _) = listener.accept().unwrap();
        let _ = std::io::Read::read(&mut caller, &mut [0; 1024]);
        let half = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n";
        std::io::Write::write_all(&mut caller, half).unwrap();
    });
    let error = Client::new(dir.path()).status_json().err();
    assert!(matches!(error, Some(Error::Broken { .. })), "{error:?}");
    daemon.join().unwrap();
}

#[tokio::test]
async fn socket_is_for_its_owner_alone_and_goes_with_its_daemon() {
    let dir = TempDir::new().unwrap();
    let (_requests, stop, server) = start(dir.path(), 1);
    let path = socket_path(dir.path());
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    stop.send(()).unwrap();
    server.await.unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn stale_socket_is_replaced_and_a_live_one_is_not() {
    let dir = TempDir::new().unwrap();
    let path = socket_path(dir.path());
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let first = bind(&path).unwrap();
    assert!(matches!(bind(&path), Err(BindError::InUse(_))));
    drop(first);
    std::fs::write(&path, "precious").unwrap();
    assert!(matches!(bind(&path), Err(BindError::NotASocket(_))));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}

#[tokio::test]
async fn full_queue_is_answered_at_once() {
    let dir = TempDir::new().unwrap();
    let (_requests, _stop, _server) = start(dir.path(), 1);
    let path = dir.path().to_owned();
    let first = tokio::spawn(async move { raw(&path, b"GET /v1/status HTTP/1.0\r\n\r\n").await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let second = raw(dir.path(), b"GET /v1/status HTTP/1.0\r\n\r\n").await;
    assert!(second.starts_with("HTTP/1.0 503"), "{second}");
    assert!(second.contains("try again"), "{second}");
    first.abort();
}

#[tokio::test]
async fn senseless_requests_are_told_so_and_never_reach_the_loop() {
    let dir = TempDir::new().unwrap();
    let (mut requests, _stop, _server) = start(dir.path(), 8);
    let huge = format!(
        "POST /v1/command HTTP/1.1\r\nHost: d\r\nContent-Length: 10000000\r\n\r\n{}",
        "x".repeat(10_000_000)
    );
    let long_head = format!("GET /v1/status HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(100_000));
    for (request, answer) in [
        ("GET / HTTP/1.1\r\nHost: d\r\n\r\n", "HTTP/1.1 404"),
        ("GET /v1/stop HTTP/1.1\r\nHost: d\r\n\r\n", "HTTP/1.1 405"),
        ("POST /v1/reload?confirm=perhaps HTTP/1.1\r\nHost: d\r\n\r\n", "HTTP/1.1 400"),
        ("POST /v1/command HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", "HTTP/1.1 400"),
        (&huge, "HTTP/1.1 413"),
        (&long_head, "HTTP/1.1 431"),
        ("\0\u{1}\u{7f}\r\n\r\n", "HTTP/1.1 400"),
    ] {
        let got = raw(dir.path(), request.as_bytes()).await;
        assert!(got.starts_with(answer), "{answer} for {:.80}: {got:.200}", request);
    }
    assert!(requests.try_recv().is_err());
}

/// On tokio's paused clock: it jumps ahead whenever everybody waits.
#[tokio::test(start_paused = true)]
async fn silent_callers_are_hung_up_on_and_the_next_one_is_served() {
    let dir = TempDir::new().unwrap();
    let (requests, _stop, _server) = start(dir.path(), 8);
    tokio::spawn(obliging_loop(requests));
    let mut silent = Vec::new();
    for n in 0..40 {
        let mut stream = UnixStream::connect(socket_path(dir.path())).await.unwrap();
        if n % 2 == 0 {
            stream.write_all(b"GET /v1/sta").await.unwrap();
        }
        silent.push(stream);
    }
    let started = tokio::time::Instant::now();
    let answer = raw(dir.path(), b"GET /v1/plan HTTP/1.1\r\nHost: d\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn client_says_when_nobody_is_there() {
    let dir = TempDir::new().unwrap();
    let error = Client::new(dir.path()).status().unwrap_err();
    assert!(matches!(error, Error::NotRunning(_)));
    assert!(error.to_string().contains("start it with"), "{error}");
    drop(std::os::unix::net::UnixListener::bind(socket_path(dir.path())).unwrap());
    let error = Client::new(dir.path()).status().unwrap_err();
    assert!(matches!(error, Error::NotRunning(_)), "{error}");
}

#[test]
fn client_does_not_trust_a_strangers_socket() {
    if !nix::unistd::geteuid().is_root() {
        return; // Only root can make a file look like a stranger's.
    }
    let dir = TempDir::new().unwrap();
    let path = socket_path(dir.path());
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    nix::unistd::chown(&path, Some(65534.into()), None).unwrap();
    let error = Client::new(dir.path()).status().unwrap_err();
    assert!(matches!(error, Error::Foreign { uid: 65534, .. }), "{error}");
}

#[test]
fn client_survives_an_answer_that_is_none() {
    let dir = TempDir::new().unwrap();
    let listener = std::os::unix::net::UnixListener::bind(socket_path(dir.path())).unwrap();
    let server = std::thread::spawn(move || {
        for answer in ["garbage\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", ""] {
            use std::io::Write;
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    let client = Client::new(dir.path());
    for _ in 0..3 {
        let error = client.status().unwrap_err();
        assert!(matches!(error, Error::Broken { .. }), "{error}");
    }
    server.join().unwrap();
}
