//! One daemon to a runtime folder: a file with the process id, locked while the process lives.

#![forbid(unsafe_code)]

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use super::disk::DiskError;

/// The lock. Dropping it removes the file; a crash leaves the file, but not the lock.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    file: File,
}

/// Why a [`PidFile`] was not to be had.
#[derive(Debug)]
pub enum LockError {
    /// Another process holds it.
    Held {
        path: PathBuf,
        /// As the file says; `None` when it does not.
        pid: Option<u32>,
    },
    Disk(DiskError),
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LockError::Held { path, pid } => {
                write!(f, "lock {}: another directord", path.display())?;
                if let Some(pid) = pid {
                    write!(f, " (pid {pid})")?;
                }
                f.write_str(
                    " is running with it: stop that one, or give this one a --runtime-dir and \
                     a --state-dir of its own",
                )
            }
            LockError::Disk(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for LockError {}

impl PidFile {
    /// Locks the file, made when missing, and writes our process id into it. Never waits.
    pub fn take(path: &Path) -> Result<PidFile, LockError> {
        let disk = |error| LockError::Disk(DiskError::new("lock", path)(error));
        // Between opening and locking, the former holder may remove the file, and we would hold
        // the lock of a file nobody else can find. Then another try finds no such file.
        for _ in 0..100 {
            let mut file = open(path).map_err(disk)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(busy(path, file)),
                Err(TryLockError::Error(error)) => return Err(disk(error)),
            }
            if is_at(&file, path) {
                write_pid(&mut file).map_err(disk)?;
                return Ok(PidFile { path: path.to_owned(), file });
            }
        }
        Err(disk(io::Error::other("the file is removed again and again")))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // While we hold the lock nobody else's id can be in the file.
        if is_at(&self.file, &self.path) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    options.read(true).write(true).create(true).truncate(false).mode(0o644);
    let file = options.custom_flags(flags.bits()).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("not a regular file")),
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    let identity = |meta: fs::Metadata| (meta.dev(), meta.ino());
    let here = file.metadata().map(identity).ok();
    here.is_some() && here == fs::symlink_metadata(path).map(identity).ok()
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn busy(path: &Path, file: File) -> LockError {
    let mut text = String::new();
    let read = file.take(32).read_to_string(&mut text);
    let pid = read.ok().and_then(|_| text.trim().parse().ok());
    LockError::Held { path: path.to_owned(), pid }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_daemon_is_told_the_first_ones_pid() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("directord.pid");
        let first = PidFile::take(&path).unwrap();
        let text = PidFile::take(&path).unwrap_err().to_string();
        assert!(
            text.contains(&format!("another directord (pid {})", std::process::id())),
            "{text}"
        );
        drop(first);
        assert!(!path.exists());
        PidFile::take(&path).unwrap();
    }

    #[test]
    fn what_a_crash_left_behind_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("directord.pid");
        fs::write(&path, "4194304 and some rubbish\n").unwrap();
        let _held = PidFile::take(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
    }

    #[test]
    fn a_missing_folder_is_a_clear_error() {
        let error = PidFile::take(Path::new("/nonexistent/directord.pid")).unwrap_err();
        assert_eq!(error.to_string(), "lock /nonexistent/directord.pid: no such file or directory");
    }
}
