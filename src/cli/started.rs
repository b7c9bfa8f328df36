//! A daemon in the background: how it leaves whoever started it, and how that one waits for it.

use std::fs;
use std::io::{self, Read};
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::api::{self, Client};
use crate::model::{Phase, Snapshot};

/// How often to look whether something has happened.
pub const LOOK: Duration = Duration::from_millis(20);

/// For the table to be read: more than 10,000 services need on a slow machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// For the first table to be written, once it has been read.
const SETTLING: Duration = Duration::from_secs(10);

/// What became of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Started {
    /// The table has been read.
    Running,
    /// It ended before that, with this exit status; none where that is no failure: somebody else
    /// stopped it meanwhile.
    Ended(Option<u8>),
    /// It does neither within [`PATIENCE`].
    Late,
}

/// Waits until it runs, or does not. `client` is for its runtime folder, where another one may run
/// already and answer in its place. Without a child that other one is waited for, while it can be
/// asked.
pub fn until_running(mut child: Option<&mut Child>, client: &Client) -> io::Result<Started> {
    let pid = child.as_ref().map(|child| child.id());
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(child) = &mut child
            && let Some(ended) = child.try_wait()?
        {
            let code = ended.code().and_then(|code| u8::try_from(code).ok());
            return Ok(Started::Ended(code.filter(|code| *code != 0)));
        }
        match client.status() {
            Ok(Snapshot { phase: Phase::Running, pid: found, .. })
                if pid.is_none_or(|pid| pid == found) =>
            {
                return Ok(Started::Running);
            }
            Err(api::Error::NotRunning(_)) if pid.is_none() => return Ok(Started::Ended(None)),
            _ if Instant::now() > end => return Ok(Started::Late),
            _ => sleep(LOOK),
        }
    }
}

/// Waits until the kernel holds what it should; says what it refuses.
pub fn until_settled(client: &Client) -> Vec<String> {
    let end = Instant::now() + SETTLING;
    while let Ok(snapshot) = client.status() {
        let refused = |e: &String| format!("kernel: {e}");
        let mut remarks: Vec<String> = snapshot.kernel.error.iter().map(refused).collect();
        for service in &snapshot.services {
            let error = service.error.iter();
            remarks.extend(error.map(|error| format!("{}: {error}", service.service)));
        }
        let settled = snapshot.kernel.out_of_sync == 0;
        if settled || !remarks.is_empty() || Instant::now() > end {
            if !settled && remarks.is_empty() {
                let count = snapshot.kernel.out_of_sync;
                remarks.push(format!("{count} services are not in the kernel yet"));
            }
            return remarks;
        }
        sleep(LOOK);
    }
    Vec::new()
}

/// What it said on standard output before it ended, or that it said nothing.
pub fn last_words(child: &mut Child) -> String {
    let mut text = String::new();
    if let Some(pipe) = child.stdout.take() {
        let _ = pipe.take(64 << 10).read_to_string(&mut text);
    }
    match text.trim() {
        "" => "the daemon ended without a word: see its log".to_owned(),
        words => words.to_owned(),
    }
}

/// Leaves whoever started us: a session of our own, and no folder in use.
pub fn detach() {
    // Fails only for the leader of a process group, who has left already.
    let _ = nix::unistd::setsid();
    let _ = std::env::set_current_dir("/");
}

/// Closes every descriptor but the three standard ones: somebody may wait for the end of theirs.
///
/// To be called before anything is opened.
pub fn close_inherited() {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else { return };
    let number = |entry: fs::DirEntry| entry.file_name().to_str()?.parse::<i32>().ok();
    let inherited: Vec<i32> = entries.flatten().filter_map(number).filter(|n| *n > 2).collect();
    for number in inherited {
        // One of them was the listing's own, and is closed by now.
        let _ = nix::unistd::close(number);
    }
}
