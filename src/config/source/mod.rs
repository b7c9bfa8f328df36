//! Finding and reading files; the only file reading in this room.
//!
//! Whatever is found under a configured path, reading it ends: nothing but regular files is
//! opened, and no more than [`MAX_FILE`] bytes of one are taken. The look-up of names lives here
//! too, for it asks the system.

mod local;
mod mon;
mod names;
pub mod node;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::{Dialect, FileRead, Reading, Scope, Unreadable};

pub use local::is_local;
pub use mon::{SystemFiles, read_mon};
pub use names::SystemNames;

/// The longest file that is read: 16 MiB, some 200,000 real servers.
pub const MAX_FILE: u64 = 16 << 20;
/// The most text all files may have together: 512 MiB.
pub const MAX_TOTAL: u64 = 512 << 20;
/// The most files one folder may hold.
pub const MAX_FILES: usize = 100_000;
/// Longer than nearly every file of one service, in bytes.
const BUFFER: usize = 16 << 10;

/// Reads every file under these paths once.
pub fn read(paths: &[PathBuf]) -> Reading {
    let mut reader = Reader::new(paths);
    reader.refresh(&Scope::Everything);
    reader.reading()
}

/// Reads the configured paths again and again, and remembers the texts in between, so that one
/// changed file among 10,000 costs one read.
#[derive(Clone, Debug)]
pub struct Reader {
    roots: Vec<Root>,
}

/// One configured path.
#[derive(Clone, Debug)]
struct Root {
    path: Arc<PathBuf>,
    found: Found,
    /// Where the files were that were read last, and those that were [believed](Reader::believe).
    seen: Option<Place>,
    believed: Option<Place>,
    /// Since then it was away, or somewhere else.
    returned: bool,
    is_mon: bool,
    /// A command that a file is put through before it is read, as mon's.
    filter: Option<Arc<str>>,
}

/// The file system that files are on.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Place {
    device: u64,
    /// A single file, which an editor may move out of its way for a moment.
    is_file: bool,
}

#[derive(Clone, PartialEq, Debug)]
enum Found {
    /// Not there, not allowed, or nothing that could hold a configuration.
    Nothing(Arc<str>),
    File(FileRead),
    Folder(BTreeMap<OsString, FileRead>),
}

impl Reader {
    /// A reader of these files and folders, which has read nothing yet.
    pub fn new(paths: &[PathBuf]) -> Reader {
        let mut seen = BTreeSet::new();
        let root = |path: &PathBuf| Root {
            path: Arc::new(path.clone()),
            found: Found::Nothing("not read yet".into()),
            seen: None,
            believed: None,
            returned: false,
            is_mon: false,
            filter: None,
        };
        Reader { roots: paths.iter().filter(|p| seen.insert(*p)).map(root).collect() }
    }

    /// The same, but every configured path that is a file is a `mon.cf`, whatever its first lines
    /// look like; it is put through this command first, if there is one.
    #[must_use]
    pub fn of_mon(mut self, filter: Option<&str>) -> Reader {
        let filter: Option<Arc<str>> = filter.map(Arc::from);
        for root in &mut self.roots {
            root.is_mon = true;
            root.filter.clone_from(&filter);
        }
        self
    }

    /// Reads what is in `scope` again; whether anything differs from before.
    pub fn refresh(&mut self, scope: &Scope) -> bool {
        let mut room = MAX_TOTAL.saturating_sub(match scope {
            Scope::Everything => 0,
            Scope::Touched(_) => self.total(),
        });
        let mut changed = false;
        for root in &mut self.roots {
            changed |= match scope {
                Scope::Everything => root.read(&mut room),
                Scope::Touched(paths) => root.read_touched(paths, &mut room),
            };
        }
        changed
    }

    /// What was found, as of the last [`refresh`](Reader::refresh). A file that two configured
    /// paths lead to without a link between them is listed once.
    pub fn reading(&self) -> Reading {
        let mut reading = Reading::default();
        let several = self.roots.len() > 1;
        let mut seen = BTreeSet::new();
        for root in &self.roots {
            match &root.found {
                Found::Nothing(error) => {
                    let path = root.path.clone();
                    reading.unreadable.push(Unreadable { path, error: error.clone() });
                }
                _ if root.returned => reading.returned.push(root.path.clone()),
                _ => {}
            }
            let news = root.files().filter(|file| !several || seen.insert(absolute(&file.path)));
            reading.files.extend(news.cloned());
        }
        reading
    }

    /// What was read last is in force, but for the returned paths that are not `settled`. From now
    /// on what is missing is not doubted until it is away again.
    pub fn believe(&mut self, settled: impl Fn(&Path) -> bool) {
        for root in &mut self.roots {
            if !root.returned || settled(&root.path) {
                root.returned = false;
                root.believed = root.seen;
            }
        }
    }

    fn total(&self) -> u64 {
        let texts = self.roots.iter().flat_map(Root::files).filter_map(|f| f.text.as_ref().ok());
        texts.map(|text| text.len() as u64).sum()
    }
}

impl Root {
    fn files(&self) -> Box<dyn Iterator<Item = &FileRead> + '_> {
        match &self.found {
            Found::Nothing(_) => Box::new(std::iter::empty()),
            Found::File(file) => Box::new(std::iter::once(file)),
            Found::Folder(files) => Box::new(files.values()),
        }
    }

    fn read(&mut self, room: &mut u64) -> bool {
        let found = self.look(room).unwrap_or_else(|error| Found::Nothing(words(&error).into()));
        self.returned |= match found {
            Found::Nothing(_) => self.is_away(),
            _ => self.believed.is_some() && self.believed != self.seen,
        };
        let changed = found != self.found;
        self.found = found;
        changed
    }

    /// Whether the path is not there, for more than the moment an editor needs.
    fn is_away(&self) -> bool {
        let Some(Place { device, is_file: true }) = self.believed else { return true };
        let folder = absolute(&self.path).parent().map(Path::to_owned).unwrap_or_default();
        let has_folder = fs::metadata(folder).is_ok_and(|meta| meta.dev() == device);
        !has_folder || fs::symlink_metadata(&*self.path).is_ok()
    }

    fn look(&mut self, room: &mut u64) -> io::Result<Found> {
        let meta = fs::metadata(&*self.path)?;
        if meta.is_file() {
            self.seen = Some(Place { device: meta.dev(), is_file: true });
            let name = self.path.file_name().unwrap_or_default();
            if self.is_mon || name.as_encoded_bytes().ends_with(b".m4") {
                let text = read_mon(&self.path, self.filter.as_deref());
                return Ok(Found::File(FileRead {
                    path: self.path.clone(),
                    dialect: Dialect::Mon,
                    text: text.map_err(Arc::from),
                }));
            }
            let bytes = read_bytes(&self.path, MAX_FILE);
            let dialect = Dialect::of_file(name);
            return Ok(Found::File(within(self.path.clone(), dialect, bytes, room)));
        }
        if !meta.is_dir() {
            return Err(io::Error::other("neither a file nor a folder"));
        }
        let names = list(&self.path)?;
        let here = Place { device: meta.dev(), is_file: false };
        match (names.is_empty(), self.believed) {
            // The folder of an unmounted share is empty, and on another file system than before.
            (true, Some(before)) if before != here => {
                let error =
                    "empty, and on another file system than before: is a share not mounted?";
                return Err(io::Error::other(error));
            }
            // Or on the same one, below a folder of it that is mounted there as well.
            (true, before) => self.returned |= before.is_some(),
            (false, _) => self.seen = Some(here),
        }
        let mut buffer = vec![0; BUFFER];
        let local = is_local(&self.path);
        let files = names.into_iter().map(|Listed { name, dialect, regular }| {
            let path = self.path.join(&name);
            let bytes = match regular && local {
                true => read_listed(&path, &mut buffer),
                false => read_bytes(&path, MAX_FILE),
            };
            (name, within(Arc::new(path), Some(dialect), bytes, room))
        });
        Ok(Found::Folder(files.collect()))
    }

    fn read_touched(&mut self, paths: &BTreeSet<PathBuf>, room: &mut u64) -> bool {
        let Found::Folder(_) = &self.found else {
            return self.concerned(paths) && self.read(room);
        };
        if paths.contains(&*self.path) {
            return self.read(room);
        }
        let mut ours = paths.iter().filter(|path| path.parent() == Some(&self.path)).peekable();
        if ours.peek().is_some() && self.has_moved() {
            return self.read(room);
        }
        let mut changed = false;
        for path in ours {
            let Some(name) = path.file_name() else { continue };
            let Some(dialect) = Dialect::of_file(name) else { continue };
            // Gone: only believable from a folder that is itself there, so look at it all.
            if fs::symlink_metadata(path).is_err() {
                return self.read(room);
            }
            let Found::Folder(files) = &mut self.found else { continue };
            let bytes = read_bytes(path, MAX_FILE);
            let file = within(Arc::new(path.clone()), Some(dialect), bytes, room);
            changed |= files.get(name) != Some(&file);
            files.insert(name.to_owned(), file);
        }
        changed
    }

    /// Whether the folder is not where it was when it was last read.
    fn has_moved(&self) -> bool {
        let device = fs::metadata(&*self.path).ok().map(|meta| meta.dev());
        self.seen.is_some_and(|seen| Some(seen.device) != device)
    }

    fn concerned(&self, paths: &BTreeSet<PathBuf>) -> bool {
        paths.iter().any(|p| *p == *self.path || p.parent() == Some(&self.path))
    }
}

/// The path from the root, as written: links are not looked at.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// A configuration file in the listing of its folder.
struct Listed {
    name: OsString,
    dialect: Dialect,
    /// The listing itself says that it is a regular file. Not of a link, and some file systems
    /// say it of none.
    regular: bool,
}

/// The configuration files of a folder, by name.
fn list(folder: &Path) -> io::Result<Vec<Listed>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(dialect) = Dialect::of_file(&name) else { continue };
        if names.len() == MAX_FILES {
            return Err(io::Error::other(format!("more than {MAX_FILES} configuration files")));
        }
        let regular = entry.file_type().is_ok_and(|kind| kind.is_file());
        names.push(Listed { name, dialect, regular });
    }
    names.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(names)
}

/// What was read of a file of this dialect, or of the one its text tells, if there is room for it.
fn within(
    path: Arc<PathBuf>,
    by_name: Option<Dialect>,
    bytes: io::Result<Vec<u8>>,
    room: &mut u64,
) -> FileRead {
    let bytes = bytes.map_err(|error| words(&error));
    let (dialect, text) = match (by_name, bytes) {
        (Some(dialect @ (Dialect::Yaml | Dialect::Global)), bytes) => {
            (dialect, bytes.and_then(utf8))
        }
        (_, Err(error)) => (by_name.unwrap_or(Dialect::Ldirectord), Err(error)),
        (_, Ok(bytes)) => {
            let text = text_and_bytes(&bytes);
            match Dialect::told(by_name, &text) {
                dialect @ (Dialect::Ldirectord | Dialect::Mon) => (dialect, Ok(text)),
                dialect => (dialect, utf8(bytes)),
            }
        }
    };
    let text = text.and_then(|text| match room.checked_sub(text.len() as u64) {
        Some(rest) => {
            *room = rest;
            Ok(text)
        }
        None => Err(format!("more than {} MiB of configuration in all", MAX_TOTAL >> 20)),
    });
    FileRead { path, dialect, text: text.map(Arc::from).map_err(Arc::from) }
}

/// Text in UTF-8 without its byte order mark; or why it is none, for a person.
fn utf8(bytes: Vec<u8>) -> Result<String, String> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        let before = String::from_utf8_lossy(&bytes[..at]);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let byte = bytes[at];
        format!("byte {byte:#04x} at line {line}, column {column} is not UTF-8: save it as UTF-8")
    })?;
    Ok(without_mark(text))
}

/// A `.cf` file is bytes to ldirectord, and old ones have remarks in Latin-1: what is not UTF-8
/// is taken for that, byte by byte. Such a character outside a remark is sent as UTF-8 to
/// whoever it is sent to.
pub(super) fn text_and_bytes(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| char::from(*byte)));
    }
    without_mark(text)
}

fn without_mark(text: String) -> String {
    text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)
}

/// The content of a regular file of at most `max` bytes. Never waits for anything but the disk.
pub fn read_bytes(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    // Asked before opening, because opening is an act on some files: a writer waiting at a FIFO
    // would wake up, a watchdog device would arm. Asked again afterwards, of what was opened.
    regular(&fs::metadata(path)?, max)?;
    let file = open(path)?;
    let meta = file.metadata()?;
    regular(&meta, max)?;
    let mut bytes = Vec::with_capacity(meta.len() as usize + 1);
    file.take(max + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > max {
        true => Err(too_long(max)),
        false => Ok(bytes),
    }
}

/// The content of what was a regular file a moment ago, by way of a buffer of [`BUFFER`] bytes,
/// from a file system of this machine. Each of 10,000 files costs three system calls: the listing
/// spared asking what it is, and a read that does not fill the buffer has met the end. Never
/// waits for anything but the disk.
fn read_listed(path: &Path, buffer: &mut [u8]) -> io::Result<Vec<u8>> {
    let mut file = open(path)?;
    let read = loop {
        match file.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => break read?,
        }
    };
    match read < buffer.len() {
        true => Ok(buffer[..read].to_vec()),
        false => read_bytes(path, MAX_FILE),
    }
}

/// Opens without ever waiting, whatever the path has become meanwhile.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)
}

fn regular(meta: &fs::Metadata, max: u64) -> io::Result<()> {
    match meta.is_file() {
        false => Err(io::Error::other("not a regular file")),
        true if meta.len() > max => Err(too_long(max)),
        true => Ok(()),
    }
}

fn too_long(max: u64) -> io::Error {
    io::Error::other(format!("longer than {} MiB", max >> 20))
}

/// An error of the system in our style: `permission denied`, without a number.
pub fn words(error: &io::Error) -> String {
    let text = match error.raw_os_error() {
        Some(number) => Errno::from_raw(number).desc().to_owned(),
        None => error.to_string(),
    };
    let mut letters = text.chars();
    letters.next().map(|c| c.to_lowercase().chain(letters).collect()).unwrap_or_default()
}
