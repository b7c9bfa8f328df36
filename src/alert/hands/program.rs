//! Running a program of the owner's: in a group of its own, for so long and no longer.

use std::env;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command as Process};

use crate::alert::Command;

/// What a program sees of our environment.
const ENVIRONMENT: [&str; 5] = ["HOME", "LANG", "LC_ALL", "PATH", "TZ"];

/// The search path when we have none ourselves.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Runs the command to its end, with this for its standard input. The error says how it ended
/// when that was not well.
pub async fn run(command: &Command, input: Option<&[u8]>) -> Result<(), String> {
    let [program, arguments @ ..] = &command.argv[..] else {
        return Err("no program is given".to_owned());
    };
    let mut process = Process::new(program);
    process
        .args(arguments)
        .current_dir("/")
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true);
    if !command.inherits {
        let known = ENVIRONMENT.iter().filter_map(|name| Some((name, env::var_os(name)?)));
        process.env_clear().env("PATH", PATH).envs(known);
    }
    let child = process.spawn().map_err(|error| error.to_string())?;
    let mut group = Group(child);
    match tokio::time::timeout(command.limit, group.run(input)).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(described(status)),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("killed after {} s", command.limit.as_secs())),
    }
}

/// A running program and all it started; killed when dropped before it has ended.
struct Group(Child);

impl Group {
    async fn run(&mut self, input: Option<&[u8]>) -> std::io::Result<ExitStatus> {
        if let (Some(mut stdin), Some(input)) = (self.0.stdin.take(), input) {
            // One that does not read to the end says by its status whether that is well.
            let _ = stdin.write_all(input).await;
        }
        self.0.wait().await
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // While the child is not reaped nobody else can have its number; afterwards there is none
        // to be asked for.
        let leader = self.0.id().and_then(|id| i32::try_from(id).ok());
        if let Some(leader) = leader.filter(|&leader| leader > 1) {
            // Fails only when the whole group has ended.
            let _ = killpg(Pid::from_raw(leader), Signal::SIGKILL);
        }
    }
}

fn described(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => {
            let name = Signal::try_from(signal).map_or("a signal", Signal::as_str);
            format!("killed by {name}")
        }
        (None, None) => "ended oddly".to_owned(),
    }
}
