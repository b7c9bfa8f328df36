//! What the configuration files look like, compared with the last look.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::hash::{DefaultHasher, Hasher};
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use notify::{INotifyWatcher, RecursiveMode, Watcher};

use super::watch::News;
use crate::config::Dialect;
use crate::config::source::{MAX_FILE, MAX_FILES, is_local, read_bytes};

/// Where the content has to be looked at, every file has its turn once in so many looks: half a
/// minute, at a look every five seconds.
const ROTATION: usize = 6;
/// How often every file is asked for, also where inotify hears of each change.
const THOROUGH: Duration = Duration::from_secs(60);

/// Looks at files and folders again and again, and makes news of what looks different.
#[derive(Debug)]
pub(super) struct Lookout {
    roots: Vec<Root>,
    /// The folders inotify watches: the configured ones, and those they are in, which tell when
    /// a configured one is replaced. By what they were when last seen.
    watches: HashMap<PathBuf, Option<Identity>>,
    heard: bool,
    news: Arc<News>,
    looks: usize,
    /// When every file was asked for.
    thorough: Option<Instant>,
}

#[derive(Debug)]
struct Root {
    path: PathBuf,
    seen: Seen,
}

#[derive(Debug)]
enum Seen {
    Nothing,
    File(Look),
    Folder(Folder),
}

#[derive(Debug)]
struct Folder {
    identity: Identity,
    /// How it looked when its names were listed, if none can have come or gone since without
    /// its looking otherwise.
    listed: Option<Stamp>,
    looks: HashMap<OsString, Look>,
}

/// Device and inode.
type Identity = (u64, u64);

/// Everything about a file that changes when it is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stamp {
    identity: Identity,
    mode: u32,
    size: u64,
    modified: (i64, i64),
    /// Cannot be set back, unlike `modified`.
    changed: (i64, i64),
}

#[derive(Debug)]
struct Look {
    /// `None`: a link to nowhere.
    stamp: Option<Stamp>,
    /// Of the content, once it had its turn.
    content: Option<u64>,
    /// The number of the look that saw it.
    at: usize,
    /// What the folder's listing says it is.
    inode: u64,
    /// It may change where inotify does not listen: a link, another name of the file, something
    /// that is mounted on it.
    is_elsewhere: bool,
}

impl Lookout {
    pub fn new(paths: &[PathBuf], news: Arc<News>) -> Lookout {
        let root = |path: &PathBuf| Root { path: path.clone(), seen: Seen::Nothing };
        let folders = paths.iter().flat_map(|path| [Some(path.clone()), above(path)]).flatten();
        Lookout {
            roots: paths.iter().map(root).collect(),
            watches: folders.map(|folder| (folder, None)).collect(),
            heard: false,
            news,
            looks: 0,
            thorough: None,
        }
    }

    /// Makes sure that inotify watches what is there now. Look afterwards: what changed before
    /// a watch was set is not heard.
    pub fn listen(&mut self, inotify: Option<&mut INotifyWatcher>) {
        let heard_before = self.heard;
        self.watch(inotify);
        if self.heard && !heard_before {
            self.thorough = None;
        }
    }

    fn watch(&mut self, inotify: Option<&mut INotifyWatcher>) {
        self.heard = inotify.is_some();
        let Some(inotify) = inotify else { return };
        for (folder, watched) in &mut self.watches {
            let now = fs::metadata(folder).ok().filter(Metadata::is_dir).map(|m| identity(&m));
            if now != *watched {
                // The watch would follow the old folder to where it went. An error means that
                // `notify` noticed that by itself.
                let _ = inotify.unwatch(folder);
            }
            // Renewed even if nothing changed: a folder that was moved away and back again is
            // the same, and yet `notify` has dropped the watch.
            let set =
                now.is_some_and(|_| inotify.watch(folder, RecursiveMode::NonRecursive).is_ok());
            self.heard &= set || now.is_none();
            *watched = now.filter(|_| set);
        }
    }

    /// Compares, remembers, and tells the news. Opens no file where the file system can be
    /// trusted to report changes, and asks there only once a minute, or where it is `urgent`, for
    /// files that would be heard of.
    pub fn look(&mut self, urgent: bool) {
        self.looks += 1;
        let due = self.thorough.is_none_or(|last| last.elapsed() >= THOROUGH);
        let thorough = urgent || due;
        if thorough {
            self.thorough = Some(Instant::now());
        }
        for root in &mut self.roots {
            let trusted = self.heard && is_local(&root.path);
            let thorough = thorough || !trusted;
            let look = Glance { at: self.looks, trusted, thorough, news: &self.news };
            root.look(&look);
        }
    }
}

/// One look at one root.
struct Glance<'a> {
    at: usize,
    /// Whether stamps and inotify tell everything there is to tell.
    trusted: bool,
    /// Whether files are asked for that inotify would have told of.
    thorough: bool,
    news: &'a News,
}

impl Root {
    fn look(&mut self, glance: &Glance) {
        let meta = fs::metadata(&self.path);
        let path = &self.path;
        match (&mut self.seen, meta) {
            (Seen::File(look), Ok(meta)) if !meta.is_dir() => {
                glance.compare(path, 0, look, Some(stamp(&meta)));
            }
            (Seen::Folder(folder), Ok(meta))
                if meta.is_dir() && folder.identity == identity(&meta) =>
            {
                glance.compare_folder(path, &meta, folder);
            }
            (Seen::Nothing, Err(_)) => {}
            (_, meta) => {
                glance.news.everything();
                self.seen = match meta {
                    Err(_) => Seen::Nothing,
                    Ok(meta) if meta.is_dir() => {
                        let identity = identity(&meta);
                        let mut folder = Folder { identity, listed: None, looks: HashMap::new() };
                        glance.compare_folder(path, &meta, &mut folder);
                        Seen::Folder(folder)
                    }
                    Ok(meta) => {
                        let stamp = Some(stamp(&meta));
                        Seen::File(Look {
                            stamp,
                            content: None,
                            at: glance.at,
                            inode: meta.ino(),
                            is_elsewhere: true,
                        })
                    }
                };
            }
        }
    }
}

impl Glance<'_> {
    fn compare_folder(&self, path: &Path, meta: &Metadata, folder: &mut Folder) {
        let stamp = stamp(meta);
        if !self.thorough && folder.listed == Some(stamp) {
            return self.compare_elsewhere(path, &mut folder.looks);
        }
        folder.listed = None;
        // Asked first: a listing may take longer than that.
        let is_settled = is_settled(meta);
        if self.compare_listed(path, &mut folder.looks) && is_settled {
            folder.listed = Some(stamp);
        }
    }

    /// The files that may change where inotify does not listen, by the names they had.
    fn compare_elsewhere(&self, folder: &Path, looks: &mut HashMap<OsString, Look>) {
        for (name, look) in looks.iter_mut().filter(|(_, look)| look.is_elsewhere) {
            let path = folder.join(name);
            let stamp = fs::metadata(&path).ok().map(|meta| stamp(&meta));
            self.compare(&path, 0, look, stamp);
        }
    }

    /// Returns whether all names there are were looked at.
    fn compare_listed(&self, folder: &Path, looks: &mut HashMap<OsString, Look>) -> bool {
        // One that cannot be listed looks as before; the reader says what is wrong with it.
        let Ok(entries) = fs::read_dir(folder) else { return false };
        let mut number = 0;
        for entry in entries {
            let Ok(entry) = entry else { return false };
            let name = entry.file_name();
            if Dialect::of_file(&name).is_none() {
                continue;
            }
            number += 1;
            if number > MAX_FILES {
                return false;
            }
            let (inode, known) = (entry.ino(), looks.get_mut(&name));
            if !self.thorough
                && let Some(look) = known
                && look.inode == inode
                && !look.is_elsewhere
            {
                look.at = self.at;
                continue;
            }
            // Cheaper than by its path, but it does not follow links.
            let meta = entry.metadata();
            let is_plain =
                |meta: &Metadata| meta.is_file() && meta.nlink() == 1 && meta.ino() == inode;
            let is_elsewhere = !meta.as_ref().is_ok_and(is_plain);
            let meta = match meta {
                Ok(meta) if meta.is_symlink() => fs::metadata(entry.path()),
                other => other,
            };
            let stamp = meta.ok().map(|meta| stamp(&meta));
            match looks.get_mut(&name) {
                Some(look) => {
                    (look.inode, look.is_elsewhere) = (inode, is_elsewhere);
                    self.compare(&entry.path(), number, look, stamp);
                }
                None => {
                    self.news.touched(entry.path());
                    let look = Look { stamp, content: None, at: self.at, inode, is_elsewhere };
                    looks.insert(name, look);
                }
            }
        }
        looks.retain(|name, look| {
            let here = look.at == self.at;
            if !here {
                self.news.touched(folder.join(name));
            }
            here
        });
        true
    }

    fn compare(&self, path: &Path, number: usize, look: &mut Look, stamp: Option<Stamp>) {
        look.at = self.at;
        if stamp != look.stamp {
            look.stamp = stamp;
            look.content = None;
            self.news.touched(path.to_owned());
        } else if !self.trusted && (self.at + number).is_multiple_of(ROTATION) {
            // News the first time as well: who knows what was there when it was last read.
            let content = read_bytes(path, MAX_FILE).ok().map(|bytes| {
                let mut hasher = DefaultHasher::new();
                hasher.write(&bytes);
                hasher.finish()
            });
            if content != look.content {
                look.content = content;
                self.news.touched(path.to_owned());
            }
        }
    }
}

fn above(path: &Path) -> Option<PathBuf> {
    match path.parent()? {
        above if above.as_os_str().is_empty() => Some(PathBuf::from(".")),
        above => Some(above.to_owned()),
    }
}

/// Whether a name that comes or goes from now on gives the folder another time than it has: the
/// clocks of file systems go by steps, of some milliseconds or, of old ones, of a second.
fn is_settled(folder: &Metadata) -> bool {
    const STEP: Duration = Duration::from_secs(2);
    folder.modified().is_ok_and(|at| at.elapsed().is_ok_and(|age| age >= STEP))
}

fn identity(meta: &Metadata) -> Identity {
    (meta.dev(), meta.ino())
}

fn stamp(meta: &Metadata) -> Stamp {
    Stamp {
        identity: identity(meta),
        mode: meta.mode(),
        size: meta.size(),
        modified: (meta.mtime(), meta.mtime_nsec()),
        changed: (meta.ctime(), meta.ctime_nsec()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::config::Scope;

    /// A lookout that has had its first look.
    fn lookout(path: &Path) -> Lookout {
        let mut lookout = Lookout::new(&[path.to_owned()], Arc::default());
        lookout.look(true);
        lookout.news.take();
        lookout
    }

    fn look(lookout: &mut Lookout) -> Option<Scope> {
        lookout.look(true);
        lookout.news.take()
    }

    /// The same without need.
    fn quick(lookout: &mut Lookout) -> Option<Scope> {
        lookout.look(false);
        lookout.news.take()
    }

    fn touched(path: PathBuf) -> Option<Scope> {
        Some(Scope::Touched([path].into()))
    }

    /// As if inotify worked: no content is read.
    fn trusting(mut lookout: Lookout) -> Lookout {
        lookout.heard = true;
        lookout
    }

    #[test]
    fn a_change_is_seen_once() {
        let folder = tempfile::tempdir().unwrap();
        let a = folder.path().join("a.yaml");
        let mut lookout = trusting(lookout(folder.path()));
        fs::write(&a, "1").unwrap();
        assert_eq!(look(&mut lookout), touched(a.clone()));
        assert_eq!(look(&mut lookout), None);
        fs::write(&a, "22").unwrap();
        assert_eq!(look(&mut lookout), touched(a.clone()));
        assert_eq!(look(&mut lookout), None);
        fs::write(folder.path().join("b"), "33").unwrap();
        assert_eq!(look(&mut lookout), None);
        fs::rename(folder.path().join("b"), &a).unwrap();
        assert_eq!(look(&mut lookout), touched(a.clone()));
        fs::remove_file(&a).unwrap();
        assert_eq!(look(&mut lookout), touched(a.clone()));
        assert_eq!(look(&mut lookout), None);
    }

    #[test]
    fn a_change_behind_a_link_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("conf.d")).unwrap();
        let (link, target) = (folder.path().join("conf.d/a.yaml"), folder.path().join("target"));
        symlink(&target, &link).unwrap();
        let mut lookout = trusting(lookout(&folder.path().join("conf.d")));
        fs::write(&target, "1").unwrap();
        assert_eq!(look(&mut lookout), touched(link.clone()));
        fs::write(&target, "22").unwrap();
        assert_eq!(look(&mut lookout), touched(link));
    }

    #[test]
    fn what_inotify_would_tell_is_asked_for_now_and_then() {
        let folder = tempfile::tempdir().unwrap();
        let conf = folder.path().join("conf.d");
        fs::create_dir(&conf).unwrap();
        let file = conf.join("a.yaml");
        fs::write(&file, "1").unwrap();
        let mut lookout = trusting(lookout(&conf));
        fs::write(&file, "22").unwrap();
        assert_eq!(quick(&mut lookout), None);
        // A minute later.
        lookout.thorough = Instant::now().checked_sub(THOROUGH);
        assert_eq!(quick(&mut lookout), touched(file.clone()));
        // At once, where something was not heard.
        fs::write(&file, "333").unwrap();
        assert_eq!(quick(&mut lookout), None);
        assert_eq!(look(&mut lookout), touched(file.clone()));
        // Nobody listened for a while.
        fs::write(&file, "4444").unwrap();
        lookout.listen(None);
        assert_eq!(quick(&mut lookout), touched(file.clone()));
        let handler = |_: notify::Result<notify::Event>| {};
        let mut inotify = notify::recommended_watcher(handler).unwrap();
        lookout.listen(Some(&mut inotify));
        fs::write(&file, "55555").unwrap();
        assert_eq!(quick(&mut lookout), touched(file));
    }

    #[test]
    fn what_inotify_would_not_tell_is_asked_for_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let conf = folder.path().join("conf.d");
        fs::create_dir(&conf).unwrap();
        let mut lookout = trusting(lookout(&conf));
        let (link, twin, target) =
            (conf.join("link.yaml"), conf.join("twin.yaml"), folder.path().join("target"));
        fs::write(&target, "1").unwrap();
        symlink(&target, &link).unwrap();
        assert_eq!(quick(&mut lookout), touched(link.clone()));
        fs::write(&target, "22").unwrap();
        assert_eq!(quick(&mut lookout), touched(link.clone()));
        fs::remove_file(&link).unwrap();
        assert_eq!(quick(&mut lookout), touched(link));
        // By its other name.
        fs::hard_link(&target, &twin).unwrap();
        assert_eq!(quick(&mut lookout), touched(twin.clone()));
        fs::write(&target, "333").unwrap();
        assert_eq!(quick(&mut lookout), touched(twin.clone()));
        // Replaced.
        fs::write(folder.path().join("new"), "333").unwrap();
        fs::rename(folder.path().join("new"), &twin).unwrap();
        assert_eq!(quick(&mut lookout), touched(twin));
    }

    #[test]
    fn names_are_listed_where_the_folder_looks_otherwise() {
        let place = tempfile::tempdir().unwrap();
        let conf = place.path().join("conf.d");
        fs::create_dir(&conf).unwrap();
        let (file, link, target) =
            (conf.join("a.yaml"), conf.join("b.yaml"), place.path().join("target"));
        fs::write(&file, "1").unwrap();
        fs::write(&target, "1").unwrap();
        symlink(&target, &link).unwrap();
        let mut lookout = trusting(lookout(&conf));
        let listed = |lookout: &Lookout| {
            let Seen::Folder(folder) = &lookout.roots[0].seen else { panic!("a folder") };
            folder.listed.is_some()
        };
        let minute = Duration::from_secs(60);
        let set = |at| fs::File::open(&conf).unwrap().set_modified(at).unwrap();
        let age = || set(std::time::SystemTime::now() - minute);
        // A name may come within the same step of the clock.
        set(std::time::SystemTime::now() + minute);
        assert_eq!(quick(&mut lookout), None);
        assert!(!listed(&lookout));
        age();
        assert_eq!(quick(&mut lookout), None);
        assert!(listed(&lookout));
        assert_eq!(quick(&mut lookout), None);
        fs::write(&target, "22").unwrap();
        assert_eq!(quick(&mut lookout), touched(link.clone()));
        fs::write(conf.join("c.yaml"), "1").unwrap();
        assert_eq!(quick(&mut lookout), touched(conf.join("c.yaml")));
        assert!(!listed(&lookout));
        age();
        assert_eq!(quick(&mut lookout), None);
        fs::remove_file(&link).unwrap();
        assert_eq!(quick(&mut lookout), touched(link));
        // Nobody lists what looks as it did, but once a minute.
        age();
        fs::write(conf.join("d.yaml"), "1").unwrap();
        let now = Some(stamp(&fs::metadata(&conf).unwrap()));
        let Seen::Folder(folder) = &mut lookout.roots[0].seen else { panic!("a folder") };
        folder.listed = now;
        assert_eq!(quick(&mut lookout), None);
        assert_eq!(look(&mut lookout), touched(conf.join("d.yaml")));
        // Nor asks for files of which inotify tells.
        age();
        assert_eq!(quick(&mut lookout), None);
        fs::write(&file, "22").unwrap();
        assert_eq!(quick(&mut lookout), None);
        assert_eq!(look(&mut lookout), touched(file));
    }

    #[test]
    fn a_folder_that_comes_goes_or_is_replaced_is_everything() {
        let folder = tempfile::tempdir().unwrap();
        let conf = folder.path().join("conf.d");
        let mut lookout = trusting(lookout(&conf));
        assert_eq!(look(&mut lookout), None);
        fs::create_dir(&conf).unwrap();
        assert_eq!(look(&mut lookout), Some(Scope::Everything));
        fs::create_dir(folder.path().join("new")).unwrap();
        fs::rename(folder.path().join("new"), &conf).unwrap();
        assert_eq!(look(&mut lookout), Some(Scope::Everything));
        fs::remove_dir(&conf).unwrap();
        assert_eq!(look(&mut lookout), Some(Scope::Everything));
        assert_eq!(look(&mut lookout), None);
    }

    #[test]
    fn a_single_file_is_seen_too() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("www");
        fs::write(&file, "1").unwrap();
        let mut lookout = trusting(lookout(&file));
        assert_eq!(look(&mut lookout), None);
        fs::write(&file, "22").unwrap();
        assert_eq!(look(&mut lookout), touched(file));
    }

    #[test]
    fn content_is_compared_where_stamps_cannot_be_trusted() {
        let folder = tempfile::tempdir().unwrap();
        let a = folder.path().join("a.yaml");
        fs::write(&a, "1").unwrap();
        let mut lookout = lookout(folder.path());
        let round = |lookout: &mut Lookout| {
            let seen: Vec<_> = (0..ROTATION).filter_map(|_| look(lookout)).collect();
            seen.len()
        };
        assert_eq!(round(&mut lookout), 1);
        assert_eq!(round(&mut lookout), 0);
        // A server that hands out the old stamp with the new content.
        fs::write(&a, "2").unwrap();
        let now = Some(stamp(&fs::metadata(&a).unwrap()));
        let Seen::Folder(folder) = &mut lookout.roots[0].seen else { panic!("a folder") };
        folder.looks.values_mut().for_each(|look| look.stamp = now);
        assert_eq!(round(&mut lookout), 1);
    }
}
