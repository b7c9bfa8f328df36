//! Running a program of the owner's: in a group of its own, for so long and no longer.

use std::process::{ExitStatus, Stdio};

use tokio::io::AsyncWriteExt;
use tokio::process::Command as Process;

use crate::alert::Command;
use crate::program::{self, Group, Running};

/// Runs the command to its end, with this for its standard input. The error says how it ended
/// when that was not well.
pub async fn run(command: &Command, input: Option<&[u8]>) -> Result<(), String> {
    let [name, arguments @ ..] = &command.argv[..] else {
        return Err("no program is given".to_owned());
    };
    let mut process = Process::new(name);
    process
        .args(arguments)
        .current_dir("/")
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    match command.inherits {
        true => program::own_environment(&mut process),
        false => program::plain_environment(&mut process),
    }
    let run = async {
        let mut group = Group::start(process, None).await?;
        end(group.running(), input).await
    };
    match tokio::time::timeout(command.limit, run).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(program::ending(status)),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("killed after {} s", command.limit.as_secs())),
    }
}

async fn end(running: &mut Running, input: Option<&[u8]>) -> std::io::Result<ExitStatus> {
    if let (Some(mut stdin), Some(input)) = (running.stdin.take(), input) {
        // One that does not read to the end says by its status whether that is well.
        let _ = stdin.write_all(input).await;
    }
    running.child.wait().await
}
