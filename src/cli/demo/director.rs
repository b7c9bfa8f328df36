//! The real daemon, from a real file, in a process of its own.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::stage::{Place, Stage, VIP};
use super::trouble;
use crate::api::{Client, Error};
use crate::cli::args::TableArg;
use crate::cli::exit::{self, Failure};
use crate::model::{Phase, ServerView, Snapshot};

/// How often a server is asked; the demo compares the time to notice with it.
pub const INTERVAL: Duration = Duration::from_millis(500);

/// For the daemon to be gone after it was asked to stop.
const LAST_STEPS: Duration = Duration::from_secs(3);

/// The daemon, its file, and where it keeps its things. Dropping it ends the daemon and removes
/// them.
pub struct Director {
    home: Home,
    process: Child,
    client: Client,
}

/// A temporary folder.
struct Home(PathBuf);

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Home {
    fn new() -> std::io::Result<Home> {
        use std::os::unix::fs::DirBuilderExt;
        let stamp = jiff::Timestamp::now().as_microsecond();
        let path =
            std::env::temp_dir().join(format!("directord-demo-{}-{stamp}", std::process::id()));
        // Fails when somebody was faster: in a folder all may write to, that is no accident.
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Home(path))
    }
}

/// The service, as its owner would write it.
pub fn file(stage: &Stage) -> String {
    let servers: String = stage
        .servers
        .iter()
        .map(|server| {
            format!("  - {} weight={}   # {}\n", server.address, server.weight, server.name)
        })
        .collect();
    format!(
        "name: demo\nvirtual: {VIP}\nscheduler: wrr\nforward: masq\nreal:\n{servers}check:\n  \
         http: {{request: /, receive: alive}}\n  interval: {}ms\n  timeout: 300ms\n",
        INTERVAL.as_millis()
    )
}

impl Director {
    pub fn start(table: TableArg, place: &Place, text: &str) -> Result<Director, Failure> {
        let failed = |error| trouble(format_args!("start the director: {error}"));
        let home = Home::new().map_err(failed)?;
        let config = home.0.join("conf.d");
        fs::create_dir(&config).map_err(failed)?;
        fs::write(config.join("demo.yaml"), text).map_err(failed)?;
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        command.args(["run", "--until-input-ends", "--table", table.name()]);
        command.arg("--config").arg(&config);
        command.arg("--runtime-dir").arg(home.0.join("run"));
        command.arg("--state-dir").arg(home.0.join("state"));
        let log = File::create(home.log()).map_err(failed)?;
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log).env("NO_COLOR", "1");
        // What is set for a directord of this host is not meant for this one.
        for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "CLICOLOR_FORCE", "DIRECTORD_LOG"] {
            command.env_remove(name);
        }
        let process = place.spawn(command).map_err(failed)?;
        let client = Client::new(&home.0.join("run"));
        Ok(Director { home, process, client })
    }

    /// What it says of itself; nothing before it listens. An error when it has ended.
    pub fn look(&mut self) -> Result<Option<Snapshot>, Failure> {
        match self.client.status() {
            Ok(snapshot) if snapshot.phase == Phase::Running => Ok(Some(snapshot)),
            Ok(_) | Err(Error::NotRunning(_) | Error::Refused(_)) => {
                match self.process.try_wait() {
                    Ok(Some(status)) => Err(self.ended(status.code())),
                    _ => Ok(None),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    fn ended(&self, code: Option<i32>) -> Failure {
        let status = match code.and_then(|code| u8::try_from(code).ok()) {
            Some(exit::UNAVAILABLE) => exit::UNAVAILABLE,
            _ => exit::INTERNAL,
        };
        Failure::Other(status, format!("demo: the director ended:\n{}", self.last_words(20)))
    }

    /// The end of its log.
    pub fn last_words(&self, lines: usize) -> String {
        let log = fs::read_to_string(self.home.log()).unwrap_or_default();
        let all: Vec<_> = log.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    /// The lines of its log about real servers.
    pub fn own_words(&self) -> Vec<String> {
        let log = fs::read_to_string(self.home.log()).unwrap_or_default();
        log.lines().filter(|line| line.contains("real server")).map(str::to_owned).collect()
    }

    /// Asks it to stop, and waits.
    pub fn stop(mut self) -> Result<(), Failure> {
        self.client.stop(false)?;
        self.wait();
        Ok(())
    }

    fn wait(&mut self) {
        let end = Instant::now() + LAST_STEPS;
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < end {
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Home {
    fn log(&self) -> PathBuf {
        Path::new(&self.0).join("director.log")
    }
}

impl Drop for Director {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            let _ = self.client.stop(false);
            self.wait();
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}

/// The weight a server has in the table now; `None` when it is not in it.
pub fn weight(snapshot: &Snapshot, server: SocketAddr) -> Option<u32> {
    row(snapshot, server).and_then(|row| row.kernel_weight)
}

/// What the director says about a server.
pub fn row(snapshot: &Snapshot, server: SocketAddr) -> Option<&ServerView> {
    let address = server.to_string();
    snapshot.services.iter().flat_map(|service| &service.servers).find(|row| row.server == address)
}
