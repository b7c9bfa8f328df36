//! What is particular to programs called as mon's alerts are: their environment, their input,
//! whose privileges they have, and what becomes of what they say.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::process::{ExitStatus, Stdio};

use nix::unistd::User;
use tokio::io::AsyncWriteExt;
use tokio::process::Command as Process;

use crate::alert::{Call, Environment};
use crate::model::raw;
use crate::program::{self, Running, Said};

/// Of what a program says no more is kept, in bytes.
const MAX_OUTPUT: usize = 4096;

/// Lines of it that are told.
const LINES: usize = 3;

/// Of a call no more is shown, in characters: the hosts of a large group are in its words.
const SHOWN: usize = 200;

/// How the program is started.
///
/// Of another user it gets the privileges and nothing besides: the user's number, its first group
/// and, where the director is root, no further groups at all. (The standard library drops
/// root's own when it changes the user; it cannot take on others without unsafe code, so a user
/// who needs some needs a program that is setgid.)
pub(super) async fn prepare(call: &Call) -> Result<Process, String> {
    let [name, arguments @ ..] = &call.argv[..] else {
        return Err("no program is given".to_owned());
    };
    let mut process = Process::new(name);
    process.args(arguments).current_dir("/").stdin(Stdio::piped());
    let user = match &call.user {
        Some(name) => Some(user(name).await?),
        None => None,
    };
    match &call.environment {
        Environment::Added(added) => {
            program::own_environment(&mut process);
            if let Some(user) = &user {
                process.env("HOME", &user.dir).env("USER", &user.name).env("LOGNAME", &user.name);
            }
            process.envs(added.iter().map(variable));
        }
        Environment::Whole(whole) => {
            process.env_clear().envs(whole.iter().map(variable));
        }
    }
    if let Some(user) = user {
        process.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    Ok(process)
}

/// Values may be what programs said, bytes and all.
fn variable((name, value): &(String, String)) -> (&str, OsString) {
    (name, OsString::from_vec(raw::bytes_of(value).into_owned()))
}

/// Where what it says goes.
pub(super) fn listen(process: &mut Process) -> Result<Said, String> {
    Said::of(process, MAX_OUTPUT).map_err(|error| error.to_string())
}

/// Looked up each time, where it holds nobody up: a director runs longer than a list of users
/// stays the same.
async fn user(name: &str) -> Result<User, String> {
    let asked = name.to_owned();
    match tokio::task::spawn_blocking(move || User::from_name(&asked)).await {
        Ok(Ok(Some(user))) => Ok(user),
        Ok(Ok(None)) => Err(format!("there is no user {name}: it is not run with more privileges")),
        Ok(Err(errno)) => Err(format!("look up user {name}: {errno}")),
        Err(_) => Err(format!("look up user {name}: broken off")),
    }
}

/// Hands over the input and listens to the end.
pub(super) async fn end(
    running: &mut Running,
    said: &mut Said,
    input: &[u8],
) -> io::Result<ExitStatus> {
    let stdin = running.stdin.take();
    let hand_over = async move {
        if let Some(mut stdin) = stdin {
            // One that does not read to the end says by its status whether that is well.
            let _ = stdin.write_all(input).await;
        }
        // Never first: that its input was taken is not its end.
        std::future::pending::<io::Result<ExitStatus>>().await
    };
    tokio::select! {
        status = said.until_end(&mut running.child) => status,
        status = hand_over => status,
    }
}

/// `exit status 3: "no such file"`
pub(super) fn reason(ending: &str, said: &str) -> String {
    let mut lines: Vec<&str> =
        said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let more = if lines.len() > LINES { " ..." } else { "" };
    lines.truncate(LINES);
    match lines.is_empty() {
        true => ending.to_owned(),
        false => format!("{ending}: {}{more}", lines.join(" | ")),
    }
}

/// The call as it is told of.
pub(super) fn shown(call: &Call) -> String {
    let whole = call.argv.join(" ");
    match whole.char_indices().nth(SHOWN) {
        None => whole,
        Some((end, _)) => format!("{}...", &whole[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_said_first_is_told_with_its_end() {
        assert_eq!(reason("exit status 3", "\n"), "exit status 3");
        assert_eq!(reason("exit status 3", "a\n\nb\n"), "exit status 3: a | b");
        assert_eq!(reason("x", "1\n2\n3\n4\n"), "x: 1 | 2 | 3 ...");
    }
}
