//! The thread that looks into the maintenance folders.
//!
//! It has each of them listed once a second: a few system calls, and changes are seen on network
//! file systems as well. Such a file system may hang, and whoever lists it then hangs with it, so
//! each folder is listed by a thread of its own, and one that does not answer holds up no other.
//! Where a file means somebody by name the resolver is asked for the names of the servers'
//! addresses, by [`Hosts`], so that it holds up nobody. Without a folder the thread sleeps.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use super::Input;
use super::hosts::{self, Hosts, Resolve};
use crate::config::source::words;
use crate::event::Event;
use crate::model::{Desired, Notices};

/// How often the folders are looked at.
const POLL: Duration = Duration::from_secs(1);

/// How long a start waits for the folders, and for the names that files in them need. A folder
/// that takes longer is told of.
pub const FIRST_LOOK: Duration = Duration::from_secs(10);

/// How long any later look waits for a folder. Who answers after that is heard by the next look.
const LATER_LOOK: Duration = Duration::from_millis(200);

/// How often a start sees whether all there is to know is known.
const STEP: Duration = Duration::from_millis(50);

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

/// Lists a folder.
type List = fn(&Path) -> io::Result<Vec<String>>;

/// What was found in the folders.
#[derive(Debug)]
pub struct Folders {
    wanted: Wanted,
    /// Those that are wanted, and others whose listing is still under way.
    listed: BTreeMap<Arc<PathBuf>, Listed>,
    /// From when a name has to be known.
    hosts: Option<Hosts>,
    /// How long a folder may take before that is told.
    limit: Duration,
    list: List,
    resolve: Resolve,
}

impl Folders {
    fn new(wanted: Wanted, limit: Duration, list: List, resolve: Resolve) -> Folders {
        Folders { wanted, listed: BTreeMap::new(), hosts: None, limit, list, resolve }
    }

    /// Has all folders listed, and waits for each no longer than `patience`: what is posted
    /// there, and what there is to tell of folders that cannot be read.
    fn look(&mut self, patience: Duration) -> (Notices, Vec<Event>) {
        self.ask(Instant::now());
        self.collect(patience);
        (self.notices().0, self.troubles())
    }

    /// Looks until everything is known that is posted, for as long as the limit.
    fn look_first(mut self) -> First {
        let start = Instant::now();
        self.ask(start);
        loop {
            let until = (start.elapsed() + STEP).min(self.limit);
            self.collect(until);
            let (notices, are_names_known) = self.notices();
            let is_all = are_names_known && !self.is_any_under_way();
            if is_all || start.elapsed() >= self.limit {
                let mut troubles = self.troubles();
                troubles.extend((!are_names_known).then(|| no_names(self.limit)));
                return First { folders: self, notices, troubles };
            }
            thread::sleep(until.saturating_sub(start.elapsed()));
        }
    }

    /// Asks for what is in the folders. One whose last listing is still under way is not asked
    /// again; once it answers, nothing is left of it if it is not wanted any more.
    fn ask(&mut self, now: Instant) {
        self.collect(Duration::ZERO);
        let wanted = &self.wanted;
        self.listed.retain(|folder, listed| wanted.contains_key(folder) || listed.is_under_way());
        for folder in wanted.keys() {
            self.listed.entry(folder.clone()).or_default().ask(folder, self.list, now);
        }
    }

    /// Takes the answers that come within `patience` after the question.
    fn collect(&mut self, patience: Duration) {
        self.listed.values_mut().for_each(|listed| listed.collect(patience));
    }

    fn is_any_under_way(&self) -> bool {
        self.listed.values().any(Listed::is_under_way)
    }

    /// What is posted, and whether the names it takes are known; if not, they are looked up.
    fn notices(&mut self) -> (Notices, bool) {
        let (mut notices, mut are_names_known) = (Notices::default(), true);
        for (folder, addresses) in &self.wanted {
            let files = self.listed.get(folder).and_then(|listed| listed.files.as_ref());
            files.into_iter().flatten().for_each(|file| notices.post(folder, file));
            if notices.wants_hosts(folder) {
                let hosts = self.hosts.get_or_insert_with(|| Hosts::start(self.resolve));
                let answers = hosts.names(addresses);
                are_names_known &= answers.are_complete;
                answers.names.iter().for_each(|(address, host)| notices.call(*address, host));
            }
        }
        (notices, are_names_known)
    }

    /// What is news of folders that cannot be read.
    fn troubles(&mut self) -> Vec<Event> {
        let (wanted, limit) = (&self.wanted, self.limit);
        let listed = self.listed.iter_mut().filter(|(folder, _)| wanted.contains_key(*folder));
        listed.filter_map(|(folder, listed)| listed.news(folder, limit)).collect()
    }
}

fn no_names(limit: Duration) -> Event {
    let what = format!(
        "maintenance folders: no answer from the resolver within {} s: who is in maintenance by \
         the name of a host is not known yet",
        limit.as_secs()
    );
    Event::Trouble { what }
}

/// What is known of one folder.
#[derive(Default, Debug)]
struct Listed {
    /// `None` before it could first be listed.
    files: Option<Vec<String>>,
    /// Why it could not be listed the last time.
    error: Option<String>,
    /// The trouble that was told last, while it lasts.
    told: Option<String>,
    lister: Option<Lister>,
    /// Since when a listing is under way.
    asked: Option<Instant>,
}

impl Listed {
    fn is_under_way(&self) -> bool {
        self.asked.is_some()
    }

    fn ask(&mut self, folder: &Arc<PathBuf>, list: List, now: Instant) {
        if self.is_under_way() {
            return;
        }
        if self.lister.is_none() {
            match Lister::start(folder.clone(), list) {
                Ok(lister) => self.lister = Some(lister),
                Err(error) => self.error = Some(words(&error)),
            }
        }
        let is_asked = self.lister.as_ref().is_some_and(|lister| lister.asks.send(()).is_ok());
        self.asked = is_asked.then_some(now);
    }

    fn collect(&mut self, patience: Duration) {
        let (Some(asked), Some(lister)) = (self.asked, &self.lister) else { return };
        let answer = lister.answers.recv_timeout(patience.saturating_sub(asked.elapsed()));
        match answer {
            Ok(answer) => self.take(answer),
            Err(RecvTimeoutError::Timeout) => return,
            Err(RecvTimeoutError::Disconnected) => {
                self.lister = None;
                self.error = Some("the listing broke off: this is a bug".into());
            }
        }
        self.asked = None;
    }

    fn take(&mut self, answer: io::Result<Vec<String>>) {
        match answer {
            Ok(files) => {
                self.files = Some(files);
                self.error = None;
            }
            Err(error) => {
                // Whoever removed it ended all maintenance. What cannot be read for another
                // reason says nothing: what was posted holds.
                if error.kind() == io::ErrorKind::NotFound {
                    self.files = Some(Vec::new());
                }
                self.error = Some(words(&error));
            }
        }
    }

    /// What to tell of the folder, if that is news.
    fn news(&mut self, folder: &Path, limit: Duration) -> Option<Event> {
        let trouble = self.trouble(limit);
        let is_news = self.told != trouble;
        self.told = trouble;
        let trouble = self.told.as_ref().filter(|_| is_news)?;
        Some(Event::Trouble { what: format!("maintenance folder {}: {trouble}", folder.display()) })
    }

    fn trouble(&self, limit: Duration) -> Option<String> {
        if self.asked.is_none_or(|asked| asked.elapsed() < limit) {
            return self.error.clone();
        }
        let so = match self.files {
            Some(_) => "what was posted holds",
            None => "who is in maintenance is not known yet",
        };
        Some(format!("no answer within {} s: {so}", limit.as_secs()))
    }
}

/// A thread that lists one folder when it is asked. It ends with the value, or when the listing
/// that is under way then comes to an end.
#[derive(Debug)]
struct Lister {
    asks: Sender<()>,
    answers: Receiver<io::Result<Vec<String>>>,
}

impl Lister {
    fn start(folder: Arc<PathBuf>, list: List) -> io::Result<Lister> {
        let (asks, asked) = mpsc::channel::<()>();
        let (found, answers) = mpsc::channel();
        let work = move || {
            for () in asked {
                // Nobody waits for it: then there is no further question either.
                let _ = found.send(list(&folder));
            }
        };
        thread::Builder::new().name("maintenance-dir".into()).spawn(work)?;
        Ok(Lister { asks, answers })
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
/// is used. A folder on a disk that hangs, or a resolver that does, is not waited for longer than
/// `limit`; until it answers nobody is known to be in maintenance by it, and that is told.
pub fn first_look(wanted: Wanted, limit: Duration) -> First {
    Folders::new(wanted, limit, list, hosts::by_system).look_first()
}

/// What the first look found.
#[derive(Debug)]
pub struct First {
    pub folders: Folders,
    pub notices: Notices,
    pub troubles: Vec<Event>,
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
        // Of what is not wanted any more a listing may be left whose end is to be seen.
        let is_idle = folders.wanted.is_empty() && folders.listed.is_empty();
        let change = match is_idle {
            true => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
            false => queue.recv_timeout(POLL),
        };
        match change {
            Ok(wanted) => folders.wanted = wanted,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let (notices, troubles) = folders.look(LATER_LOOK);
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
    use std::io::Write;

    use tokio::sync::mpsc::unbounded_channel;

    use super::*;
    use crate::model::Endpoint;

    /// Longer than anything takes that does not hang.
    const LONG: Duration = Duration::from_secs(60);
    /// What is waited for where something hangs: long enough for what does not.
    const SOON: Duration = Duration::from_secs(1);

    fn server() -> Endpoint {
        Endpoint::new([10, 0, 0, 7].into(), 80)
    }

    /// Lists as a disk does that hangs as long as there is a file `hangs` beside the folder.
    fn hanging(folder: &Path) -> io::Result<Vec<String>> {
        let log = folder.with_extension("asked");
        fs::OpenOptions::new().create(true).append(true).open(log)?.write_all(b".")?;
        while folder.with_extension("hangs").exists() {
            thread::sleep(Duration::from_millis(1));
        }
        list(folder)
    }

    /// How often it was asked so far.
    fn asked(folder: &Path) -> usize {
        fs::read(folder.with_extension("asked")).unwrap().len()
    }

    /// A folder of this name, with this file in it.
    fn folder(at: &Path, name: &str, file: &str) -> Arc<PathBuf> {
        let folder = at.join(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join(file), "").unwrap();
        Arc::new(folder)
    }

    fn all(folders: &[&Arc<PathBuf>]) -> Wanted {
        let addresses = BTreeSet::from([server().address]);
        folders.iter().map(|folder| (Arc::clone(folder), addresses.clone())).collect()
    }

    fn trouble(folder: &Path, words: &str) -> Event {
        Event::Trouble { what: format!("maintenance folder {}: {words}", folder.display()) }
    }

    fn file_on<'n>(notices: &'n Notices, folder: &Arc<PathBuf>) -> Option<&'n str> {
        notices.on(folder, server()).map(|file| &**file)
    }

    fn one(path: &Path) -> (Arc<PathBuf>, Wanted) {
        let folder = Arc::new(path.to_owned());
        (folder.clone(), all(&[&folder]))
    }

    /// A folder below `at` in which the server is posted, looked at once.
    fn posted(at: &Path) -> (Arc<PathBuf>, Folders) {
        let folder = folder(at, "maintenance", "10.0.0.7");
        let mut folders = Folders::new(all(&[&folder]), LONG, list, |_| None);
        folders.look(LONG);
        (folder, folders)
    }

    #[test]
    fn k10_file_is_seen_when_it_comes_and_when_it_goes() {
        let at = tempfile::tempdir().unwrap();
        let (folder, wanted) = one(at.path());
        let mut folders = Folders::new(wanted, LONG, list, |_| None);
        assert_eq!(folders.look(LONG), Default::default());
        fs::write(at.path().join("10.0.0.7:80"), "").unwrap();
        let (notices, troubles) = folders.look(LONG);
        assert_eq!(file_on(&notices, &folder), Some("10.0.0.7:80"));
        assert_eq!(troubles, []);
        fs::remove_file(at.path().join("10.0.0.7:80")).unwrap();
        assert_eq!(folders.look(LONG), Default::default());
    }

    #[test]
    fn first_look_waits_for_all_folders_and_no_longer() {
        let at = tempfile::tempdir().unwrap();
        let (a, b) = (folder(at.path(), "a", "10.0.0.7:80"), folder(at.path(), "b", "10.0.0.7"));
        let first = first_look(all(&[&a, &b]), LONG);
        assert_eq!(file_on(&first.notices, &a), Some("10.0.0.7:80"));
        assert_eq!(file_on(&first.notices, &b), Some("10.0.0.7"));
        assert_eq!(first.troubles, []);
        assert!(!first.folders.is_any_under_way());
        let first = first_look(Wanted::new(), LONG);
        assert_eq!((first.notices, first.troubles), Default::default());
    }

    #[test]
    fn a_folder_that_hangs_hides_nothing_that_is_posted_in_others() {
        let at = tempfile::tempdir().unwrap();
        let hung = folder(at.path(), "a", "10.0.0.7");
        let (by_address, by_name) =
            (folder(at.path(), "b", "10.0.0.7"), folder(at.path(), "c", "web1"));
        fs::write(at.path().join("a.hangs"), "").unwrap();
        let wanted = all(&[&hung, &by_address, &by_name]);
        let folders = Folders::new(wanted, SOON, hanging, |_| Some("web1".into()));
        let First { folders, notices, troubles } = folders.look_first();
        assert_eq!(file_on(&notices, &hung), None);
        assert_eq!(file_on(&notices, &by_address), Some("10.0.0.7"));
        assert_eq!(file_on(&notices, &by_name), Some("web1"));
        let words = "no answer within 1 s: who is in maintenance is not known yet";
        assert_eq!(troubles, [trouble(&hung, words)]);

        // The others are read as ever, and the trouble was told.
        let (inputs, mut from_inputs) = unbounded_channel();
        let _changes = start(folders, notices, inputs);
        let mut news = || match from_inputs.blocking_recv() {
            Some(Input::Maintenance(notices)) => notices,
            input => panic!("{input:?}"),
        };
        fs::write(by_address.join("10.0.0.7:80"), "").unwrap();
        let notices = news();
        assert_eq!(file_on(&notices, &by_address), Some("10.0.0.7:80"));
        assert_eq!(file_on(&notices, &hung), None);
        assert_eq!(asked(&hung), 1, "not asked again while it hangs");
        fs::remove_file(at.path().join("a.hangs")).unwrap();
        assert_eq!(file_on(&news(), &hung), Some("10.0.0.7"));
    }

    #[test]
    fn a_folder_that_hangs_holds_what_it_said_last_and_is_told_of_once() {
        let at = tempfile::tempdir().unwrap();
        let hung = folder(at.path(), "a", "10.0.0.7");
        let (soon, wanted) = (Duration::from_millis(10), all(&[&hung]));
        let mut folders = Folders::new(wanted, soon, hanging, |_| None);
        assert_eq!(folders.look(LONG).1, []);
        fs::write(at.path().join("a.hangs"), "").unwrap();
        fs::remove_file(hung.join("10.0.0.7")).unwrap();
        let (notices, troubles) = folders.look(soon);
        assert_eq!(file_on(&notices, &hung), Some("10.0.0.7"));
        let words = "no answer within 0 s: what was posted holds";
        assert_eq!(troubles, [trouble(&hung, words)]);
        assert_eq!(folders.look(soon), (notices, Vec::new()), "told once");
        fs::remove_file(at.path().join("a.hangs")).unwrap();
        assert_eq!(folders.look(LONG), Default::default());
    }

    #[test]
    fn a_folder_that_hangs_has_one_thread_however_often_it_comes_and_goes() {
        let at = tempfile::tempdir().unwrap();
        let hung = folder(at.path(), "a", "10.0.0.7");
        fs::write(at.path().join("a.hangs"), "").unwrap();
        let mut folders = Folders::new(all(&[&hung]), LONG, hanging, |_| None);
        for wanted in [all(&[&hung]), Wanted::new(), all(&[&hung]), Wanted::new()] {
            folders.wanted = wanted;
            folders.look(SOON);
            assert_eq!(asked(&hung), 1);
        }
        fs::remove_file(at.path().join("a.hangs")).unwrap();
        let deadline = Instant::now() + LONG;
        while !folders.listed.is_empty() {
            assert!(Instant::now() < deadline, "something is left of it");
            folders.look(SOON);
        }
    }

    #[test]
    fn thread_of_a_folder_ends_when_nobody_can_ask_it() {
        let at = tempfile::tempdir().unwrap();
        let Lister { asks, answers } =
            Lister::start(folder(at.path(), "a", "10.0.0.7"), list).unwrap();
        asks.send(()).unwrap();
        drop(asks);
        assert_eq!(answers.recv_timeout(LONG).unwrap().unwrap(), ["10.0.0.7"]);
        assert_eq!(answers.recv_timeout(LONG).unwrap_err(), RecvTimeoutError::Disconnected);
    }

    #[test]
    fn f23_who_is_posted_by_name_is_known_at_the_first_look() {
        let at = tempfile::tempdir().unwrap();
        let folder = folder(at.path(), "a", "web1");
        let slow: Resolve = |_| {
            thread::sleep(2 * STEP);
            Some("web1.example.com".into())
        };
        let first = Folders::new(all(&[&folder]), LONG, list, slow).look_first();
        assert_eq!(file_on(&first.notices, &folder), Some("web1"));
        assert_eq!(first.troubles, []);
    }

    #[test]
    fn f23_first_look_tells_that_names_were_not_known_in_time_and_goes_on() {
        let at = tempfile::tempdir().unwrap();
        let folder = folder(at.path(), "a", "web1");
        let dead: Resolve = |_| {
            thread::sleep(LONG);
            None
        };
        let first = Folders::new(all(&[&folder]), SOON, list, dead).look_first();
        assert_eq!(file_on(&first.notices, &folder), None);
        assert_eq!(first.troubles, [no_names(SOON)]);
    }

    #[test]
    fn k10_missing_folder_is_told_once_and_takes_nobody_out() {
        let at = tempfile::tempdir().unwrap();
        let (folder, mut folders) = posted(at.path());
        fs::remove_dir_all(&*folder).unwrap();
        let (notices, troubles) = folders.look(LONG);
        assert_eq!(notices.on(&folder, server()), None);
        assert_eq!(troubles, [trouble(&folder, "no such file or directory")]);
        assert_eq!(folders.look(LONG).1, [], "told once");
    }

    #[test]
    fn what_was_posted_holds_while_the_folder_cannot_be_read() {
        let at = tempfile::tempdir().unwrap();
        let (folder, mut folders) = posted(at.path());
        fs::remove_dir_all(&*folder).unwrap();
        fs::write(&*folder, "in its place").unwrap();
        let (notices, troubles) = folders.look(LONG);
        assert!(notices.on(&folder, server()).is_some());
        assert_eq!(troubles.len(), 1);
    }

    #[test]
    fn f23_names_are_looked_up_elsewhere_and_only_when_a_file_needs_them() {
        let at = tempfile::tempdir().unwrap();
        let (folder, wanted) = one(at.path());
        let mut folders = Folders::new(wanted, LONG, list, |_| Some("web1.example.com".into()));
        fs::write(at.path().join("10.0.0.8"), "").unwrap();
        folders.look(LONG);
        assert!(folders.hosts.is_none(), "an address needs no resolver");
        fs::write(at.path().join("web1"), "").unwrap();
        let deadline = Instant::now() + LONG;
        while folders.look(LONG).0.on(&folder, server()).is_none() {
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
        let folders = Folders::new(Wanted::new(), LONG, list, |_| None);
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
