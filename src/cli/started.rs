//! Waiting for a daemon that was started in the background.

use std::io;
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::api::Client;
use crate::model::Phase;

/// How often to look whether something has happened.
pub const LOOK: Duration = Duration::from_millis(20);

/// For the table to be read: more than 10,000 services need on a slow machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

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
/// already and answer in its place.
pub fn until_running(child: &mut Child, client: &Client) -> io::Result<Started> {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(ended) = child.try_wait()? {
            let code = ended.code().and_then(|code| u8::try_from(code).ok());
            return Ok(Started::Ended(code.filter(|code| *code != 0)));
        }
        match client.status() {
            Ok(snapshot) if snapshot.pid == child.id() && snapshot.phase == Phase::Running => {
                return Ok(Started::Running);
            }
            _ if Instant::now() > end => return Ok(Started::Late),
            _ => sleep(LOOK),
        }
    }
}
