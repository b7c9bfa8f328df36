//! The program under test, on a host of the lab.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use directord::api::Client;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::host::Host;
use super::{eventually, secs};

/// `directord run` with its own folders; killed with this value.
pub struct Director {
    child: Option<Child>,
    folder: tempfile::TempDir,
}

impl Director {
    /// Starts on `host` with these files (name, text) as its conf.d.
    pub fn start(host: &Host, files: &[(&str, &str)]) -> Director {
        let mut director = Director::ready();
        for (name, text) in files {
            director.write(name, text);
        }
        director.run(host);
        director
    }

    /// One that does not run yet, with an empty conf.d.
    pub fn ready() -> Director {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("conf.d")).expect("a folder");
        Director { child: None, folder }
    }

    /// Starts it, also again after [`Director::crash`] or [`Director::stop`], on the same folders.
    pub fn run(&mut self, host: &Host) {
        self.run_by(host, &[]);
    }

    /// The same by a program that becomes the one its further words name, as `setpriv` does.
    pub fn run_by(&mut self, host: &Host, words: &[&str]) {
        assert!(self.child.is_none(), "it runs already");
        let log = std::fs::File::options().append(true).create(true).open(self.path("log"));
        let mut own = self.command("run");
        own.arg("--config").arg(self.conf_d());
        own.args(["--table", "kernel", "--state-dir"]).arg(self.path("state"));
        let mut command = match words.split_first() {
            None => own,
            Some((program, words)) => {
                let mut command = Command::new(program);
                command.args(words).arg(own.get_program()).args(own.get_args());
                command
            }
        };
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.expect("a log file"));
        self.child = Some(host.run(move || command.spawn().expect("directord")));
    }

    pub fn conf_d(&self) -> PathBuf {
        self.path("conf.d")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a file into conf.d as editors do, by rename.
    pub fn write(&self, name: &str, text: &str) {
        let new = self.path("new");
        std::fs::write(&new, text).expect("a written file");
        std::fs::rename(new, self.conf_d().join(name)).expect("a file in place");
    }

    pub fn pid(&self) -> Pid {
        let id = self.child.as_ref().expect("a running director").id();
        Pid::from_raw(id.try_into().expect("a pid"))
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_directord"));
        command.arg(verb).arg("--runtime-dir").arg(self.path("run"));
        command
    }

    /// Runs `directord VERB --runtime-dir ...` to its end. The socket is a file: any host will do.
    pub fn tell(&self, verb: &str, arguments: &[&str]) -> Output {
        self.command(verb).args(arguments).stdin(Stdio::null()).output().expect("directord")
    }

    /// What `status --json` prints, while there is an answer. Without a process, which would take
    /// twice as long to start as the director takes to answer.
    pub fn status(&self) -> Option<serde_json::Value> {
        let client = Client::new(&self.path("run"));
        let answer = client.status_json().ok()?;
        Some(serde_json::from_reader(answer).expect("JSON"))
    }

    /// `directord reload`, which must succeed.
    pub fn reload(&self, arguments: &[&str]) {
        let output = self.tell("reload", arguments);
        assert!(
            output.status.success(),
            "reload: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("a running director");
    }

    /// `kill -9`.
    pub fn crash(&mut self) {
        self.signal(Signal::SIGKILL);
        self.wait(secs(5));
    }

    /// SIGTERM; how long the end took.
    pub fn stop(&mut self) -> Duration {
        self.end(Signal::SIGTERM)
    }

    /// A signal that must end it; how long that took.
    pub fn end(&mut self, signal: Signal) -> Duration {
        let start = Instant::now();
        self.signal(signal);
        let status = self.wait(secs(30));
        assert!(status.success(), "a clean stop exits 0: {status}");
        start.elapsed()
    }

    fn wait(&mut self, limit: Duration) -> ExitStatus {
        let mut child = self.child.take().expect("a running director");
        eventually("directord ends", limit, || child.try_wait().expect("a child"))
    }
}

impl Drop for Director {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            child.kill().ok();
            child.wait().ok();
        }
        if std::thread::panicking() {
            eprintln!("directord's log:\n{}", self.log());
        }
    }
}
