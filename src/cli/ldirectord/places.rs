//! Where things are: the configuration file, the pid file, the daemon's folders.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process;

use crate::daemon::disk;

/// The top of the file system; another one in tests.
#[derive(Clone, Debug)]
pub(super) struct Root(PathBuf);

impl Root {
    pub(super) fn at(path: impl Into<PathBuf>) -> Root {
        Root(path.into())
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.join(below)
    }

    /// Where `config` may be, in the order of the search.
    ///
    /// A path is looked for below the two folders as well, even an absolute one.
    fn candidates(&self, config: &Path) -> [PathBuf; 3] {
        let below: PathBuf = config
            .components()
            .filter(|part| {
                use std::path::Component;
                !matches!(part, Component::RootDir | Component::Prefix(_))
            })
            .collect();
        // Without a current folder nothing is found there.
        let here = std::path::absolute(config).unwrap_or_else(|_| config.to_owned());
        [self.path("etc/ha.d").join(&below), self.path("etc/ha.d/conf").join(below), here]
    }

    /// The log of daemons: ldirectord's default.
    pub(super) fn log(&self) -> PathBuf {
        self.path("var/log/ldirectord.log")
    }

    /// Where syslog listens.
    pub(super) fn syslog(&self) -> PathBuf {
        self.path("dev/log")
    }
}

/// One director started by this command line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Places {
    /// Absolute. It was there, or it is the last one looked for.
    pub(super) config: PathBuf,
    pub(super) config_found: bool,
    pub(super) runtime_dir: PathBuf,
    pub(super) state_dir: PathBuf,
    /// For others to read; ours is in the runtime folder.
    pub(super) pid_file: PathBuf,
    /// The pid file in case that one is another director's.
    pub(super) second_pid_file: PathBuf,
}

/// Kept in a runtime folder: the configuration file it belongs to.
const CLAIM: &str = "config";

/// The places of the director with this configuration.
pub(super) fn find(config: Option<&Path>, root: &Root) -> Places {
    let written = config.unwrap_or(Path::new("ldirectord.cf"));
    let candidates = root.candidates(written);
    let is_there = |path: &&PathBuf| fs::metadata(path).is_ok_and(|meta| !meta.is_dir());
    let found = candidates.iter().find(is_there);
    // A director whose file has gone must still be found, to be stopped.
    let claimed = candidates.iter().find(|path| {
        let runtime_dir = runtime_dir(root, &instance(config), path);
        claim(&runtime_dir).as_deref() == Some(*path)
    });
    let path = found.or(claimed).unwrap_or(&candidates[2]).clone();
    places(root, &instance(config), path, found.is_some())
}

fn places(root: &Root, instance: &str, config: PathBuf, config_found: bool) -> Places {
    let runtime_dir = runtime_dir(root, instance, &config);
    let name = runtime_dir.file_name().unwrap_or_default().to_owned();
    let pid = |name: &str| root.path("var/run").join(format!("ldirectord.{name}.pid"));
    Places {
        state_dir: root.path("var/lib/directord").join(name),
        pid_file: pid(instance),
        second_pid_file: pid(&distinct(instance, &config)),
        runtime_dir,
        config,
        config_found,
    }
}

/// What ldirectord calls this one: the last part of the path, with its suffix.
pub(super) fn instance(config: Option<&Path>) -> String {
    match config.and_then(Path::file_name) {
        Some(name) => name.to_string_lossy().into_owned(),
        None => "ldirectord".to_owned(),
    }
}

/// By the instance's name, unless that folder belongs to a file of the same name elsewhere:
/// what it says is ours and who is well is that one's.
fn runtime_dir(root: &Root, instance: &str, config: &Path) -> PathBuf {
    let folder = |name: &str| root.path("run/directord").join(format!("ldirectord.{name}"));
    let plain = folder(instance);
    match claim(&plain) {
        Some(other) if other != config => folder(&distinct(instance, config)),
        _ => plain,
    }
}

/// The name with the path worked in.
fn distinct(instance: &str, config: &Path) -> String {
    let mut hasher = DefaultHasher::new();
    config.hash(&mut hasher);
    format!("{instance}-{:08x}", hasher.finish() as u32)
}

fn claim(runtime_dir: &Path) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    let bytes = fs::read(runtime_dir.join(CLAIM)).ok()?;
    Some(PathBuf::from(std::ffi::OsString::from_vec(bytes)))
}

impl Places {
    /// Makes the folders, and writes down that they are for this configuration. Returns whether they
    /// are: a director of another file of this name may take them in the same moment, and where
    /// ours are is then to be found anew.
    pub(super) fn claim(&self) -> io::Result<bool> {
        use std::os::unix::ffi::OsStrExt;
        let words = |error: disk::DiskError| io::Error::other(error.to_string());
        disk::make_folder(&self.runtime_dir, 0o755).map_err(words)?;
        if let Some(folder) = self.pid_file.parent() {
            disk::make_folder(folder, 0o755).map_err(words)?;
        }
        if let Some(config) = claim(&self.runtime_dir) {
            return Ok(config == self.config);
        }
        // Whole before it has its name, which only the first can give.
        let (path, whole) = (self.runtime_dir.join(CLAIM), format!("{CLAIM}.{}", process::id()));
        let whole = self.runtime_dir.join(whole);
        disk::replace(&whole, self.config.as_os_str().as_bytes(), false).map_err(words)?;
        let named = fs::hard_link(&whole, &path);
        let _ = fs::remove_file(&whole);
        match named {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(claim(&self.runtime_dir).is_some_and(|config| config == self.config)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }

    #[test]
    fn the_file_is_looked_for_in_the_two_folders_and_then_here() {
        let top = tempfile::tempdir().unwrap();
        let root = Root::at(top.path());
        let (a, b) = (top.path().join("etc/ha.d/www"), top.path().join("etc/ha.d/conf/www"));
        let missing = find(Some(Path::new("www")), &root);
        assert!(!missing.config_found);
        write(&b);
        assert_eq!(find(Some(Path::new("www")), &root).config, b);
        write(&a);
        assert_eq!(find(Some(Path::new("www")), &root).config, a);
        assert_eq!(find(Some(Path::new("/www")), &root).config, a);
        let elsewhere = top.path().join("x/www");
        write(&elsewhere);
        let found = find(Some(&elsewhere), &root);
        assert_eq!((found.config, found.config_found), (elsewhere, true));
    }

    #[test]
    fn names_are_ldirectords() {
        let top = tempfile::tempdir().unwrap();
        let root = Root::at(top.path());
        let pid = |config: Option<&str>| {
            let places = find(config.map(Path::new), &root);
            places.pid_file.file_name().unwrap().to_string_lossy().into_owned()
        };
        assert_eq!(pid(None), "ldirectord.ldirectord.pid");
        assert_eq!(pid(Some("ldirectord.cf")), "ldirectord.ldirectord.cf.pid");
        assert_eq!(pid(Some("/a/www.cf")), "ldirectord.www.cf.pid");
        assert_eq!(pid(Some("..")), "ldirectord.ldirectord.pid");
    }

    #[test]
    fn two_files_of_one_name_do_not_share_a_folder() {
        let top = tempfile::tempdir().unwrap();
        let root = Root::at(top.path());
        let (a, b) = (top.path().join("a/www.cf"), top.path().join("b/www.cf"));
        write(&a);
        write(&b);
        let first = find(Some(&a), &root);
        assert_eq!(first.runtime_dir, top.path().join("run/directord/ldirectord.www.cf"));
        // Before either has said whose the folder is.
        let too_slow = find(Some(&b), &root);
        assert!(first.claim().unwrap());
        assert!(first.claim().unwrap());
        assert_eq!(too_slow.runtime_dir, first.runtime_dir);
        assert!(!too_slow.claim().unwrap());
        let second = find(Some(&b), &root);
        assert!(second.claim().unwrap());
        assert_ne!(second.runtime_dir, first.runtime_dir);
        assert_ne!(second.state_dir, first.state_dir);
        assert_eq!(find(Some(&a), &root), first);
        fs::remove_file(&a).unwrap();
        let gone = find(Some(&a), &root);
        assert_eq!((gone.runtime_dir, gone.config_found), (first.runtime_dir, false));
    }
}
