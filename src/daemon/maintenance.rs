//! The thread that looks into the maintenance folders.
//!
//! It lists each of them once a second: a few system calls, and changes are seen on network file
//! systems as well. Where a file means somebody by name the resolver is asked for the names of
//! the servers' addresses, by [`Hosts`], so that it holds up nobody. Without a folder the thread
//! sleeps.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use super::Input;
use super::hosts::{self, Hosts, Resolve};
use crate::config::source::words;
use crate::event::Event;
use crate::model::{Desired, Notices};

/// How often the folders are looked at.
const POLL: Duration = Duration::from_secs(1);

/// How long a start waits for the folders.
pub const FIRST_LOOK: Duration = Duration::from_secs(10);

/// Files of one folder that are looked at; more than there are servers.
const MAX_FILES: usize = 100_000;

/// The folders there are, each with the addresses of the servers it may take out.
pub type Wanted = BTreeMap<Arc<PathBuf>, BTreeSet<IpAddr>>;

/// The maintenance folders of a configuration.
pub fn wanted(desired: &Desired) -> Wanted {
    let mut wanted = Wanted::new();
    for service in desired.services.values() {
        if let Some(folder) = &service.maintenance_dir {
            let addresses = wanted.entry(folder.clone()).or_default();
            addresses.extend(service.servers.iter().map(|server| server.endpoint.address));
        }
    }
    wanted
}

/// What was found in the folders.
#[derive(Debug)]
pub struct Folders {
    wanted: Wanted,
    listed: BTreeMap<Arc<PathBuf>, Listed>,
    /// From when a name has to be known.
    hosts: Option<Hosts>,
    resolve: Resolve,
}

#[derive(Default, Debug)]
struct Listed {
    files: Vec<String>,
    /// Why it could not be listed the last time.
    error: Option<String>,
}

impl Folders {
    pub fn new(wanted: Wanted) -> Folders {
        Folders::with(wanted, hosts::by_system)
    }

    fn with(wanted: Wanted, resolve: Resolve) -> Folders {
        Folders { wanted, listed: BTreeMap::new(), hosts: None, resolve }
    }

    /// Lists all folders: what is posted there, and what there is to tell of folders that cannot
    /// be read.
    pub fn look(&mut self) -> (Notices, Vec<Event>) {
        let (mut notices, mut troubles) = (Notices::default(), Vec::new());
        self.listed.retain(|folder, _| self.wanted.contains_key(folder));
        for (folder, addresses) in &self.wanted {
            let listed = self.listed.entry(folder.clone()).or_default();
            troubles.extend(listed.look(folder));
            listed.files.iter().for_each(|file| notices.post(folder, file));
            if notices.wants_hosts(folder) {
                let hosts = self.hosts.get_or_insert_with(|| Hosts::start(self.resolve));
                let names = hosts.names(addresses);
                names.iter().for_each(|(address, host)| notices.call(*address, host));
            }
        }
        (notices, troubles)
    }
}

impl Listed {
    /// Lists the folder; what to tell of it, if that is news.
    fn look(&mut self, folder: &Path) -> Option<Event> {
        let error = match list(folder) {
            Ok(files) => {
                self.files = files;
                None
            }
            Err(error) => {
                // Whoever removed it ended all maintenance. What cannot be read for another
                // reason says nothing: what was posted holds.
                if error.kind() == io::ErrorKind::NotFound {
                    self.files.clear();
                }
                Some(words(&error))
            }
        };
        let is_news = self.error != error;
        self.error = error;
        let error = self.error.as_ref().filter(|_| is_news)?;
        Some(Event::Trouble { what: format!("maintenance folder {}: {error}", folder.display()) })
    }
}

fn list(folder: &Path) -> io::Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)?.take(MAX_FILES) {
        // A name that is not UTF-8 can mean nobody.
        files.extend(entry?.file_name().into_string());
    }
    // As the file system likes: of two files that say the same the first is shown.
    files.sort_unstable();
    Ok(files)
}

/// The first look, before there is a thread for it: what is posted is to be known before a server
/// is used. A folder on a disk that hangs is not waited for longer than `limit`; until it answers
/// nobody in it is known to be in maintenance, and that is told.
pub fn first_look(wanted: Wanted, limit: Duration) -> First {
    look_within(Folders::new(wanted.clone()), limit, Folders::look).unwrap_or_else(|| {
        let what = format!(
            "maintenance folders: no answer within {} s: who is in maintenance is not known yet",
            limit.as_secs()
        );
        let troubles = vec![Event::Trouble { what }];
        First { folders: Folders::new(wanted), notices: Notices::default(), troubles }
    })
}

/// What the first look found.
#[derive(Debug)]
pub struct First {
    pub folders: Folders,
    pub notices: Notices,
    pub troubles: Vec<Event>,
}

/// Looks on a thread of its own, which is left behind if it hangs.
fn look_within(
    mut folders: Folders,
    limit: Duration,
    look: impl FnOnce(&mut Folders) -> (Notices, Vec<Event>) + Send + 'static,
) -> Option<First> {
    if folders.wanted.is_empty() {
        return Some(First { folders, notices: Notices::default(), troubles: Vec::new() });
    }
    let (found, finding) = mpsc::channel();
    let work = move || {
        let (notices, troubles) = look(&mut folders);
        let _ = found.send(First { folders, notices, troubles });
    };
    thread::Builder::new().name("maintenance".into()).spawn(work).ok()?;
    finding.recv_timeout(limit).ok()
}

/// Starts the thread. It takes other folders to look at, and ends when the returned sender is
/// dropped.
pub fn start(folders: Folders, before: Notices, inputs: UnboundedSender<Input>) -> Sender<Wanted> {
    let (changes, queue) = mpsc::channel();
    let work = move || watch(folders, before, &queue, &inputs);
    if let Err(error) = thread::Builder::new().name("maintenance".into()).spawn(work) {
        tracing::error!(%error, "maintenance folders are not looked at");
    }
    changes
}

fn watch(
    mut folders: Folders,
    mut before: Notices,
    queue: &Receiver<Wanted>,
    inputs: &UnboundedSender<Input>,
) {
    loop {
        let change = match folders.wanted.is_empty() {
            true => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
            false => queue.recv_timeout(POLL),
        };
        match change {
            Ok(wanted) => folders.wanted = wanted,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let (notices, troubles) = folders.look();
        for event in troubles {
            let _ = inputs.send(Input::Told(event));
        }
        if notices != before {
            before = notices.clone();
            let _ = inputs.send(Input::Maintenance(Arc::new(notices)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::sync::mpsc::unbounded_channel;

    use super::*;
    use crate::model::Endpoint;

    fn server() -> Endpoint {
        Endpoint::new([10, 0, 0, 7].into(), 80)
    }

    fn one(folder: &Path) -> (Arc<PathBuf>, Wanted) {
        let folder = Arc::new(folder.to_owned());
        (folder.clone(), [(folder, [server().address].into())].into())
    }

    /// A folder below `at` in which the server is posted, looked at once.
    fn posted(at: &Path) -> (PathBuf, Arc<PathBuf>, Folders) {
        let path = at.join("maintenance");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("10.0.0.7"), "").unwrap();
        let (folder, wanted) = one(&path);
        let mut folders = Folders::with(wanted, |_| None);
        folders.look();
        (path, folder, folders)
    }

    #[test]
    fn k10_file_is_seen_when_it_comes_and_when_it_goes() {
        let at = tempfile::tempdir().unwrap();
        let (folder, wanted) = one(at.path());
        let mut folders = Folders::with(wanted, |_| None);
        assert_eq!(folders.look(), Default::default());
        fs::write(at.path().join("10.0.0.7:80"), "").unwrap();
        let (notices, troubles) = folders.look();
        assert_eq!(notices.on(&folder, server()).map(|file| &**file), Some("10.0.0.7:80"));
        assert_eq!(troubles, []);
        fs::remove_file(at.path().join("10.0.0.7:80")).unwrap();
        assert_eq!(folders.look(), Default::default());
    }

    #[test]
    fn a_folder_that_hangs_holds_up_a_start_for_so_long_and_no_longer() {
        let at = tempfile::tempdir().unwrap();
        let (folder, wanted) = one(at.path());
        fs::write(at.path().join("10.0.0.7:80"), "").unwrap();
        let limit = Duration::from_secs(60);
        let first = first_look(wanted.clone(), limit);
        assert!(first.notices.on(&folder, server()).is_some());
        assert_eq!(first.troubles, []);
        let (release, held) = mpsc::channel::<()>();
        let hang = move |folders: &mut Folders| {
            let _ = held.recv();
            folders.look()
        };
        let soon = Duration::from_millis(10);
        assert!(look_within(Folders::new(wanted), soon, hang).is_none());
        drop(release);
    }

    #[test]
    fn k10_missing_folder_is_told_once_and_takes_nobody_out() {
        let at = tempfile::tempdir().unwrap();
        let (path, folder, mut folders) = posted(at.path());
        fs::remove_dir_all(&path).unwrap();
        let (notices, troubles) = folders.look();
        assert_eq!(notices.on(&folder, server()), None);
        let what = format!("maintenance folder {}: no such file or directory", folder.display());
        assert_eq!(troubles, [Event::Trouble { what }]);
        assert_eq!(folders.look().1, [], "told once");
    }

    #[test]
    fn what_was_posted_holds_while_the_folder_cannot_be_read() {
        let at = tempfile::tempdir().unwrap();
        let (path, folder, mut folders) = posted(at.path());
        fs::remove_dir_all(&path).unwrap();
        fs::write(&path, "in its place").unwrap();
        let (notices, troubles) = folders.look();
        assert!(notices.on(&folder, server()).is_some());
        assert_eq!(troubles.len(), 1);
    }

    #[test]
    fn f23_names_are_looked_up_elsewhere_and_only_when_a_file_needs_them() {
        let at = tempfile::tempdir().unwrap();
        let (folder, wanted) = one(at.path());
        let mut folders = Folders::with(wanted, |_| Some("web1.example.com".into()));
        fs::write(at.path().join("10.0.0.8"), "").unwrap();
        folders.look();
        assert!(folders.hosts.is_none(), "an address needs no resolver");
        fs::write(at.path().join("web1"), "").unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        while folders.look().0.on(&folder, server()).is_none() {
            assert!(Instant::now() < deadline, "nobody answers");
            thread::yield_now();
        }
    }

    #[test]
    fn only_news_reach_the_director() {
        let at = tempfile::tempdir().unwrap();
        let (folder, wanted) = one(at.path());
        let (inputs, mut from_inputs) = unbounded_channel();
        fs::write(at.path().join("10.0.0.7"), "").unwrap();
        let folders = Folders::with(Wanted::new(), |_| None);
        let changes = start(folders, Notices::default(), inputs);
        changes.send(wanted.clone()).unwrap();
        let input = from_inputs.blocking_recv();
        let Some(Input::Maintenance(notices)) = input else { panic!("{input:?}") };
        assert!(notices.on(&folder, server()).is_some());
        // The same again is none, and ends with the director.
        changes.send(wanted).unwrap();
        drop(changes);
        assert!(from_inputs.blocking_recv().is_none());
    }
}
