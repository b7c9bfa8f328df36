//! A host: a thread with a network namespace (and a `/run`) of its own.

use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Pid, gettid};

type Task = Box<dyn FnOnce() + Send>;

/// One machine of the lab. Whatever [`Host::run`] executes, and every thread and process started
/// from it, is in the host's namespaces; they vanish with the last of those.
pub struct Host {
    pub name: String,
    /// The thread by which `ip link ... netns` finds the namespace.
    pub thread: Pid,
    tasks: mpsc::Sender<Task>,
}

impl Host {
    pub fn new(name: &str) -> Host {
        let (tasks, queue) = mpsc::channel::<Task>();
        let (born, birth) = mpsc::channel();
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).expect("namespaces");
                own_run();
                born.send(gettid()).expect("the maker waits");
                queue.into_iter().for_each(|task| task());
            })
            .expect("a thread");
        let host =
            Host { name: name.to_owned(), thread: birth.recv().expect("a born host"), tasks };
        host.sysctl("net/ipv6/conf/all/accept_dad", "0");
        host.sysctl("net/ipv6/conf/default/accept_dad", "0");
        host
    }

    /// Runs `task` on this host and waits for it. A panic in it is a panic here.
    pub fn run<T: Send + 'static>(&self, task: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, result) = mpsc::channel();
        self.tasks
            .send(Box::new(move || {
                let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(task));
                done.send(outcome).ok();
            }))
            .expect("the host lives");
        match result.recv().expect("the host answers") {
            Ok(value) => value,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// Starts a thread on this host.
    pub fn spawn<T: Send + 'static>(
        &self,
        task: impl FnOnce() -> T + Send + 'static,
    ) -> thread::JoinHandle<T> {
        self.run(|| thread::spawn(task))
    }

    /// Runs a program on this host to its end.
    pub fn output(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null());
        let named = program.to_owned();
        self.run(move || command.output().unwrap_or_else(|e| panic!("{named}: {e}")))
    }

    /// Runs a program that must succeed; gives what it printed.
    pub fn must(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.output(program, arguments);
        assert!(
            output.status.success(),
            "{}: {program} {}: {}",
            self.name,
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Carries out the lines of an `ip -batch` in one process.
    pub fn ip(&self, lines: &[String]) {
        let script = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(script.path(), lines.join("\n")).expect("a written script");
        self.must("ip", &["-batch", &script.path().display().to_string()]);
    }

    /// Sets `/proc/sys/NAME` for this host.
    pub fn sysctl(&self, name: &str, value: &str) {
        let (path, value) = (format!("/proc/sys/{name}"), value.to_owned());
        self.run(move || std::fs::write(&path, value).unwrap_or_else(|e| panic!("{path}: {e}")));
    }

    pub fn read_sysctl(&self, name: &str) -> String {
        let path = format!("/proc/sys/{name}");
        self.run(move || std::fs::read_to_string(path).expect("a sysctl").trim().to_owned())
    }

    /// Pulls or plugs a network cable at this end.
    pub fn link(&self, device: &str, up: bool) {
        self.must("ip", &["link", "set", device, if up { "up" } else { "down" }]);
    }
}

/// Gives the calling thread a `/run` of its own, for pid files and sockets with fixed names.
fn own_run() {
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).expect("private mounts");
    mount(Some("run"), "/run", Some("tmpfs"), MsFlags::empty(), Some("mode=755"))
        .expect("an own /run");
}
