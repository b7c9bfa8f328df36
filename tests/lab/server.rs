//! Real servers: one made of threads that can fail in every way, and nginx and vsftpd.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::socket::{Shutdown, shutdown};

use super::host::Host;

/// How long a connection may keep one of [`Web`]'s threads.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a [`Web`] answers.
#[derive(Clone, Debug)]
pub enum Manner {
    /// Status line without the version, and body.
    Says(&'static str, String),
    /// Takes the connection and never answers.
    Hangs,
    /// The bytes, one a second.
    Drips(String),
    /// A good head, and a body without end.
    Floods,
    /// Closes at once.
    Closes,
}

/// An HTTP server of threads on one host, both families, one port.
pub struct Web {
    port: u16,
    shared: Arc<Shared>,
    listener: Option<Arc<TcpListener>>,
}

struct Shared {
    manner: Mutex<Manner>,
    connections: AtomicUsize,
}

impl Web {
    /// Answers 200 and the host's name to whatever is asked.
    pub fn start(host: &Host, port: u16) -> Web {
        let manner = Manner::Says("200 OK", format!("{}\n", host.name));
        let shared = Arc::new(Shared { manner: Mutex::new(manner), connections: 0.into() });
        let mut web = Web { port, shared, listener: None };
        web.revive(host);
        web
    }

    pub fn behave(&self, manner: Manner) {
        *self.shared.manner.lock().expect("no panic under the lock") = manner;
    }

    /// Connections taken so far, those of checks included.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// The server process dies: from now on connections are refused.
    pub fn kill(&mut self) {
        let listener = self.listener.take().expect("a running server");
        // Closing would leave the accept() of the other thread asleep; this wakes it for good.
        shutdown(listener.as_raw_fd(), Shutdown::Both).expect("a listening socket");
    }

    pub fn revive(&mut self, host: &Host) {
        let port = self.port;
        // The former listener is closed by its thread, a moment after kill().
        let listener = super::eventually("the port is free", Duration::from_secs(5), || {
            host.run(move || TcpListener::bind(("::", port))).ok()
        });
        let listener = Arc::new(listener);
        self.listener = Some(listener.clone());
        let shared = self.shared.clone();
        host.spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                shared.connections.fetch_add(1, Ordering::Relaxed);
                let manner = shared.manner.lock().expect("no panic under the lock").clone();
                std::thread::spawn(move || serve(stream, &manner));
            }
        });
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        if self.listener.is_some() {
            self.kill();
        }
    }
}

/// One connection. Errors are the client's business.
fn serve(mut stream: TcpStream, manner: &Manner) -> Option<()> {
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    if matches!(manner, Manner::Closes) {
        return None;
    }
    let mut request = Vec::new();
    let mut chunk = [0; 2048];
    while !request.windows(4).any(|w| w == b"\r\n\r\n") {
        let n = stream.read(&mut chunk).ok().filter(|n| *n > 0)?;
        request.extend_from_slice(&chunk[..n]);
    }
    match manner {
        Manner::Says(status, body) => {
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
            stream.write_all(answer.as_bytes()).ok()
        }
        Manner::Hangs => {
            stream.read(&mut chunk).map(drop).ok();
            None
        }
        Manner::Drips(text) => {
            for byte in text.bytes() {
                stream.write_all(&[byte]).ok()?;
                std::thread::sleep(Duration::from_secs(1));
            }
            None
        }
        Manner::Floods => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n").ok()?;
            while stream.write_all(&[b'.'; 8192]).is_ok() {}
            None
        }
        Manner::Closes => None,
    }
}

/// A process of the lab; ended with this value.
pub struct Daemon {
    pub child: Child,
    pub folder: tempfile::TempDir,
}

impl Daemon {
    pub fn kill(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

fn start(host: &Host, folder: tempfile::TempDir, program: &str, arguments: &[&str]) -> Daemon {
    let log = std::fs::File::create(folder.path().join("log")).expect("a log file");
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a log file"))
        .stderr(log);
    let named = program.to_owned();
    let child = host.run(move || command.spawn().unwrap_or_else(|e| panic!("{named}: {e}")));
    Daemon { child, folder }
}

/// Waits until the host answers on a TCP port of its own.
fn listening(host: &Host, port: u16, daemon: &Daemon) {
    super::eventually("the daemon listens", Duration::from_secs(20), || {
        host.run(move || TcpStream::connect(("127.0.0.1", port)).ok()).or_else(|| {
            let log = std::fs::read_to_string(daemon.folder.path().join("log"));
            if log.is_ok_and(|text| text.contains("emerg")) {
                panic!("{}", std::fs::read_to_string(daemon.folder.path().join("log")).unwrap());
            }
            None
        })
    });
}

/// nginx on port 80, and 443 with a certificate of its own making; a process can be killed.
pub struct Nginx {
    daemon: Option<Daemon>,
    /// `/.testpage` and other pages, as path and body.
    pages: Vec<(String, String)>,
}

impl Nginx {
    /// Every page not listed answers 404; `/` is the host's name.
    pub fn start(host: &Host, pages: &[(&str, &str)]) -> Nginx {
        let mut pages: Vec<_> =
            pages.iter().map(|(path, body)| ((*path).to_owned(), (*body).to_owned())).collect();
        pages.push(("/".into(), host.name.clone()));
        let mut nginx = Nginx { daemon: None, pages };
        nginx.revive(host);
        nginx
    }

    pub fn kill(&mut self) {
        self.daemon = None;
    }

    pub fn revive(&mut self, host: &Host) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path();
        certificate(path);
        let text = self.configuration(path);
        std::fs::write(path.join("nginx.conf"), text).expect("a configuration");
        let configuration = path.join("nginx.conf").display().to_string();
        let errors = path.join("errors").display().to_string();
        let daemon = start(host, folder, "nginx", &["-e", &errors, "-c", &configuration]);
        listening(host, 80, &daemon);
        self.daemon = Some(daemon);
    }

    fn configuration(&self, folder: &Path) -> String {
        let folder = folder.display();
        let pages: String = self
            .pages
            .iter()
            .map(|(path, body)| format!("location = {path} {{ return 200 \"{body}\\n\"; }}\n"))
            .collect();
        // One process, not master and worker: a kill must leave nobody behind.
        format!(
            "daemon off; master_process off; worker_processes 1; pid {folder}/pid;
             error_log {folder}/errors; events {{ worker_connections 512; }}
             http {{
                 access_log off; keepalive_timeout 0; default_type text/plain;
                 client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2;
                 fastcgi_temp_path {folder}/t3; uwsgi_temp_path {folder}/t4;
                 scgi_temp_path {folder}/t5;
                 server {{
                     listen 80; listen [::]:80; listen 443 ssl; listen [::]:443 ssl;
                     ssl_certificate {folder}/certificate; ssl_certificate_key {folder}/key;
                     location / {{ return 404; }}
                     {pages}
                 }}
             }}"
        )
    }
}

fn certificate(folder: &Path) {
    let made = rcgen::generate_simple_self_signed(["www.lab.test".to_owned()]).expect("a key pair");
    std::fs::write(folder.join("certificate"), made.cert.pem()).expect("a certificate");
    std::fs::write(folder.join("key"), made.signing_key.serialize_pem()).expect("a key");
}

/// vsftpd on port 21 with anonymous access to `page.html`, which says "test page".
pub struct Ftp(Daemon);

impl Ftp {
    pub fn start(host: &Host) -> Ftp {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path();
        let root = path.join("root");
        let empty = path.join("empty");
        for dir in [&root, &empty] {
            std::fs::create_dir(dir).expect("a folder");
        }
        std::fs::write(root.join("page.html"), "the test page\n").expect("a page");
        // vsftpd changes to the user nobody, who must get through to the root.
        open(path);
        let text = format!(
            "listen=YES\nbackground=NO\nanonymous_enable=YES\nno_anon_password=YES\n\
             anon_root={}\nsecure_chroot_dir={}\nseccomp_sandbox=NO\nrun_as_launching_user=NO\n\
             xferlog_enable=NO\n",
            root.display(),
            empty.display()
        );
        std::fs::write(path.join("vsftpd.conf"), text).expect("a configuration");
        let configuration = path.join("vsftpd.conf").display().to_string();
        let daemon = start(host, folder, "vsftpd", &[&configuration]);
        listening(host, 21, &daemon);
        Ftp(daemon)
    }

    pub fn kill(&mut self) {
        self.0.kill();
    }
}

fn open(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).expect("permissions");
}
