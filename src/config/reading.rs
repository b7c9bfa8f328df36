//! What one look at the configured paths found, as a value.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::Dialect;

/// Every configuration file, or why it could not be read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reading {
    /// In the order of the configured paths, and by name within a folder. No path twice.
    pub files: Vec<FileRead>,
    /// Configured paths that could not be looked into. Nothing is known of the files there, so
    /// nothing about them changes.
    pub unreadable: Vec<Unreadable>,
    /// Configured paths that were away, or are on another file system than what was last believed.
    pub returned: Vec<Arc<PathBuf>>,
}

/// One file as found. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileRead {
    pub path: Arc<PathBuf>,
    pub dialect: Dialect,
    /// The text without a byte order mark, or why there is none: `permission denied`.
    pub text: Result<Arc<str>, Arc<str>>,
}

/// A configured file or folder that could not be looked into, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unreadable {
    pub path: Arc<PathBuf>,
    pub error: Arc<str>,
}

/// How much to read again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scope {
    /// All files, and the folders that hold them.
    Everything,
    /// These files: changed, new or gone. Spelled as the reader spells them: the configured
    /// path, or the configured folder and the file's name.
    Touched(BTreeSet<PathBuf>),
}
