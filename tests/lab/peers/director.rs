//! directord under measurement, and keepalived likewise.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::lab::{Host, eventually};
use crate::process::Process;

/// The program; another build may be named for a closer look.
pub fn binary() -> PathBuf {
    std::env::var_os("DIRECTORD_BENCH_BINARY")
        .map_or_else(|| env!("CARGO_BIN_EXE_directord").into(), PathBuf::from)
}

/// `directord run` with folders of its own.
pub struct Director {
    pub process: Process,
    folder: tempfile::TempDir,
}

impl Director {
    /// Puts the files (name, text) in place, then starts it.
    pub fn start(host: &Host, files: &[(String, String)]) -> Director {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("conf.d")).expect("a folder");
        for (name, text) in files {
            fs::write(folder.path().join("conf.d").join(name), text).expect("a written file");
        }
        let process = launch(host, folder.path());
        Director { process, folder }
    }

    /// Stops it, leaving its table, and starts it again on the same folders.
    pub fn restart_keeping(self, host: &Host) -> Director {
        let mut stop = self.command("stop");
        stop.arg("--keep");
        crate::process::run(host, stop);
        let Director { process, folder } = self;
        drop(process);
        let process = launch(host, folder.path());
        Director { process, folder }
    }

    /// Puts a file into conf.d as editors do, by rename.
    pub fn write(&self, name: &str, text: &str) {
        let new = self.folder.path().join("new");
        fs::write(&new, text).expect("a written file");
        fs::rename(new, self.folder.path().join("conf.d").join(name)).expect("a file in place");
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(binary());
        command.arg(verb).arg("--runtime-dir").arg(self.folder.path().join("run"));
        command
    }

    /// `status --json` and how long it took, once it answers.
    pub fn status(&self) -> Option<(serde_json::Value, Duration)> {
        let start = Instant::now();
        let output = self.command("status").arg("--json").output().expect("directord");
        let took = start.elapsed();
        output
            .status
            .success()
            .then(|| (serde_json::from_slice(&output.stdout).expect("JSON"), took))
    }

    /// Requests written to the kernel since the start.
    pub fn writes(&self) -> u64 {
        let status = eventually("status answers", Duration::from_secs(20), || self.status());
        status.0["kernel"]["writes"].as_u64().expect("a number")
    }

    /// Waits for a line with these words in the log.
    pub fn said(&self, words: &str, limit: Duration) {
        eventually(&format!("the log says {words:?}"), limit, || {
            self.log().contains(words).then_some(())
        });
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

fn launch(host: &Host, folder: &std::path::Path) -> Process {
    let log = fs::File::options().append(true).create(true).open(folder.join("log"));
    let mut command = Command::new(binary());
    command
        .arg("run")
        .args(["--table", "kernel", "--config"])
        .arg(folder.join("conf.d"))
        .arg("--runtime-dir")
        .arg(folder.join("run"))
        .arg("--state-dir")
        .arg(folder.join("state"))
        .stdout(Stdio::null())
        .stderr(log.expect("a log file"));
    Process::start(host, command)
}

/// keepalived's checker, without VRRP.
pub struct Keepalived {
    pub process: Process,
    folder: tempfile::TempDir,
}

impl Keepalived {
    pub fn start(host: &Host, text: &str) -> Keepalived {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str| folder.path().join(name);
        fs::write(file("conf"), text).expect("a written file");
        let mut command = Command::new("keepalived");
        command
            .args(["--check", "--dont-fork", "--log-console"])
            .arg("--use-file")
            .arg(file("conf"))
            .arg("--pid")
            .arg(file("pid"))
            .arg("--checkers_pid")
            .arg(file("checkers-pid"))
            .stdout(Stdio::null())
            .stderr(fs::File::create(file("log")).expect("a log file"));
        Keepalived { process: Process::start(host, command), folder }
    }

    /// Another configuration, and SIGHUP.
    pub fn reload(&self, text: &str) {
        fs::write(self.folder.path().join("conf"), text).expect("a written file");
        self.process.signal(nix::sys::signal::Signal::SIGHUP);
    }
}
