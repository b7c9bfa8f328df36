//! Calls that a stop kept from being made: what is told of is noted when it is decided, and a lane
//! may be long. The next run makes them first.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::alert::Call;
use crate::config::source::read_bytes;
use crate::daemon::disk;

/// The longest file that is read, in bytes: as many calls as lanes hold, with all they can have to
/// say, are below it.
const LONGEST: u64 = 4 << 30;

/// Puts them on disk, if there are any. A disk that hangs is waited for no longer than this.
pub async fn keep(path: PathBuf, calls: Vec<Call>, limit: Duration) {
    if calls.is_empty() {
        return;
    }
    let count = calls.len();
    let write = move || {
        let text = serde_json::to_vec(&calls).map_err(|error| error.to_string())?;
        disk::replace(&path, &text, false).map_err(|error| error.to_string())
    };
    let error = match timeout(limit, spawn_blocking(write)).await {
        Ok(Ok(Ok(()))) => return tracing::info!(count, "alerts wait for the next start"),
        Ok(Ok(Err(error))) => error,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the disk hangs".to_owned(),
    };
    tracing::error!(count, "{error}: alerts are lost");
}

/// What the run before us left, once: whatever becomes of it, the next one is not told again.
pub fn take(path: &Path) -> Vec<Call> {
    let read = read_bytes(path, LONGEST).and_then(|bytes| {
        std::fs::remove_file(path)?;
        Ok(serde_json::from_slice(&bytes)?)
    });
    match read {
        Ok(calls) => calls,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            tracing::warn!("{}: {error}: alerts of the run before are lost", path.display());
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Environment;

    #[tokio::test]
    async fn what_was_not_made_is_made_once_by_the_next_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("unmade");
        assert_eq!(take(&path), []);
        let call = Call {
            lane: "alerts of web/http".to_owned(),
            argv: vec!["/etc/mon/alert.d/mail.alert".to_owned(), "-u".to_owned()],
            environment: Environment::Added(vec![("MON_ALERTTYPE".to_owned(), "up".to_owned())]),
            input: b"web1\n".to_vec(),
            limit: Duration::from_secs(60),
            user: None,
        };
        let calls = vec![call.clone(), Call { user: Some("mon".to_owned()), ..call }];
        keep(path.clone(), calls.clone(), Duration::from_secs(60)).await;
        assert_eq!(take(&path), calls);
        assert_eq!(take(&path), []);
    }
}
