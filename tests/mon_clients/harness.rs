//! A port, and programs that talk to it.

use std::future::pending;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use directord::model::Trap;
use directord::mon::fake::Watcher;
use directord::mon::protocol::{Access, Credential, Host};
use directord::mon::{Handle, Rules, bind_clients, bind_traps, serve_clients, serve_traps};
use tokio::sync::{mpsc, watch};

/// Everybody may do everything, but for what needs a name.
pub const ACCESS: &str = "ack: all\nclear: all\ndisable: all\nenable: all\nget: all\nlist: all\n\
    loadstate: all\nreload: all\nreset: all\nsavestate: all\nservertime: all\nset: all\n\
    start: all\nstop: all\nterm: AUTH_ANY\ntest: all\ntrap section\n127.0.0.1 * *\n";

/// Whether this file of Debian's is there.
///
/// A missing one is said, and is a failed test where everything is to be tested: `make test`
/// sets `DIRECTORD_COMPLETE`.
pub fn installed(file: &str, package: &str) -> bool {
    let is_there = Path::new(file).exists();
    if !is_there {
        let why = format!("{file}: install the package {package}");
        assert!(std::env::var_os("DIRECTORD_COMPLETE").is_none(), "{why}");
        // Not by eprintln!, which the test harness keeps to itself for tests that pass.
        std::io::stderr().write_all(format!("tests left out: {why}\n").as_bytes()).ok();
    }
    is_there
}

/// A port of ours, for clients and traps under one number.
pub struct Port {
    pub place: SocketAddr,
    pub watcher: Arc<Mutex<Watcher>>,
    pub traps: mpsc::Receiver<Trap>,
}

impl Port {
    /// Whoever comes from this host may log in by any name.
    pub fn open() -> Port {
        let watcher = Arc::new(Mutex::new(Watcher::shop()));
        let (told, opened) = std::sync::mpsc::channel();
        let (to, traps) = mpsc::channel(16);
        let behind = Arc::clone(&watcher);
        // Ends with the test's process.
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(serve(&behind, to, &told));
        });
        Port { place: opened.recv().expect("a port"), watcher, traps }
    }

    pub fn port(&self) -> String {
        self.place.port().to_string()
    }
}

async fn serve(
    watcher: &Mutex<Watcher>,
    traps: mpsc::Sender<Trap>,
    told: &std::sync::mpsc::Sender<SocketAddr>,
) {
    let (listener, socket) = loop {
        let listener = bind_clients("127.0.0.1:0".parse().unwrap()).await.expect("a port");
        // Somebody may have the same number by UDP.
        let place = listener.local_addr().unwrap();
        if let Ok(socket) = bind_traps(place).await {
            break (listener, socket);
        }
    };
    told.send(listener.local_addr().unwrap()).unwrap();
    let credentials = vec![Credential::TrustLocal];
    let rules = Rules { access: Access::parse(ACCESS).0, credentials, ..Rules::default() };
    let (_change, rules) = watch::channel(Arc::new(rules));
    let (requests, mut asked) = mpsc::channel(16);
    let handle = Handle::new(requests, Host { process: 42, name: "director".to_owned() });
    tokio::spawn(serve_clients(listener, rules.clone(), handle, pending()));
    tokio::spawn(serve_traps(socket, rules, traps, pending()));
    while let Some(request) = asked.recv().await {
        watcher.lock().unwrap().serve(request);
    }
}

/// What a program says, and whether it was content; with this on its standard input.
pub fn run(command: &mut Command, input: &str) -> (String, bool) {
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = spawned.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    // A program that wants no input may be gone already.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    let said = child.wait_with_output().expect("a child can be waited for");
    let text = String::from_utf8_lossy(&said.stdout) + String::from_utf8_lossy(&said.stderr);
    (text.into_owned(), said.status.success())
}
