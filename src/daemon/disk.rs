//! Files of our own: folders made when missing, contents replaced whole or not at all.

#![forbid(unsafe_code)]

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use crate::config::source::words;

/// Something that could not be done to a file of ours.
#[derive(Debug)]
pub struct DiskError {
    /// What was being done: `write`.
    pub doing: &'static str,
    pub path: PathBuf,
    pub source: io::Error,
}

impl DiskError {
    pub(super) fn new(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DiskError {
        let path = path.to_owned();
        move |source| DiskError { doing, path, source }
    }
}

/// `write /run/directord/health: no space left on device`.
impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.doing, self.path.display(), words(&self.source))
    }
}

impl std::error::Error for DiskError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Makes the folder, and those above it, with this mode (less the umask) unless it is there.
pub fn make_folder(path: &Path, mode: u32) -> Result<(), DiskError> {
    let made = DirBuilder::new().recursive(true).mode(mode).create(path);
    made.map_err(DiskError::new("make the folder", path))
}

/// Adds `content` at the end of the file, which is there.
pub fn append(path: &Path, content: &[u8]) -> Result<(), DiskError> {
    let flags = OFlag::O_NOFOLLOW.bits();
    let write =
        || OpenOptions::new().append(true).custom_flags(flags).open(path)?.write_all(content);
    write().map_err(DiskError::new("append to", path))
}

/// Puts `content` in place of the file: a reader, and whoever comes after a crash of this
/// program, sees the old content or the new, never a mixture. With `durable` that holds for a
/// crash of the machine as well, and costs a wait for the disk.
///
/// Readable by the owner alone: reasons and configurations may hold what is not for everyone.
/// The caller sees to it that nobody else writes the same file.
pub fn replace(path: &Path, content: &[u8], durable: bool) -> Result<(), DiskError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = path.with_file_name(format!(".{name}.new"));
    let write = || {
        // A link put there by someone else is not followed.
        let flags = OFlag::O_NOFOLLOW.bits();
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600).custom_flags(flags);
        let mut file = options.open(&new)?;
        file.write_all(content)?;
        if durable {
            file.sync_all()?;
        }
        fs::rename(&new, path)?;
        if durable {
            File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()?;
        }
        Ok(())
    };
    write().map_err(|error| {
        // Leaves no rubbish where the disk may be full; failing at that changes nothing.
        let _ = fs::remove_file(&new);
        DiskError::new("write", path)(error)
    })
}
