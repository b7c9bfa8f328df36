//! When is it time to read the configuration again?
//!
//! ```text
//! inotify --- what is heard ---+
//!                              +--> News --- quiet for 150 ms ---> changed()
//! lookout --- what is seen ----+
//! ```
//!
//! inotify hastens, looking guarantees: nothing is heard of changes on network file systems or of
//! a folder that was replaced, so every few seconds a [`Lookout`] compares what the files look
//! like with what they looked like before; those that inotify would have told of, once a minute.
//! It also renews the inotify watches.

#![forbid(unsafe_code)]

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use notify::{EventKind, INotifyWatcher};
use tokio::sync::Notify;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};

use super::lookout::Lookout;
use crate::config::{Dialect, Scope};
use crate::mutex;

/// A burst of changes ends when nothing changed for this long: a `git checkout` of 500 files and
/// an editor's write, rename and chmod are one change each.
const QUIET: Duration = Duration::from_millis(150);
/// Somebody who never stops writing does not keep us from reading for longer than this.
const PATIENCE: Duration = Duration::from_secs(1);
/// After a look there is none for so many times what it took, but for news: 10,000 files are no
/// reason to spend more than a fiftieth of the time on looking at them.
const REST: u32 = 50;
const LONGEST_REST: Duration = Duration::from_secs(60);
/// More changed files than this are not told apart.
const MANY: usize = 4096;

/// Tells when to read the configuration again, and what of it.
#[derive(Debug)]
pub struct Watcher {
    news: Arc<News>,
    poll: Interval,
    /// Asks for a look. When the last one still hangs on a dead file server, there is no second.
    look: SyncSender<()>,
    /// The first and the last news of the burst that is going on.
    burst: Option<(Instant, Instant)>,
}

impl Watcher {
    /// How often the files are looked at.
    pub const POLL: Duration = Duration::from_secs(5);

    /// Watches these files and folders, spelled as the reader of the configuration spells them.
    /// Changes from now on are not missed: read everything once after this.
    ///
    /// Blocks for a first look at all files. Call within a Tokio runtime.
    pub fn new(paths: &[PathBuf]) -> Watcher {
        Watcher::with_poll(paths, Self::POLL)
    }

    /// As [`Watcher::new`], with another time between two looks.
    pub fn with_poll(paths: &[PathBuf], poll: Duration) -> Watcher {
        let news = Arc::new(News::default());
        // No inotify yet: reading 10,000 files for the first time would be 20,000 events, more
        // than its queue takes.
        let mut lookout = Lookout::new(paths, news.clone());
        lookout.look(true);
        news.take();
        let (look, asked) = sync_channel(1);
        let ears = Ears::new(paths, news.clone(), look.clone());
        // A thread of its own, for looking may block for long, and must not block the stop.
        let spawned = thread::Builder::new().name("lookout".to_owned()).spawn(move || {
            let (urgent, mut inotify) = (ears.urgent.clone(), ears.listen());
            let mut rested = std::time::Instant::now();
            while asked.recv().is_ok() {
                let start = std::time::Instant::now();
                let urgent = urgent.swap(false, Ordering::Relaxed);
                if !urgent && start < rested {
                    continue;
                }
                lookout.listen(inotify.as_mut());
                lookout.look(urgent);
                rested = start + (start.elapsed() * REST).min(LONGEST_REST);
            }
        });
        if let Err(error) = spawned {
            tracing::warn!(%error, "cannot watch the configuration: reload by hand");
        }
        Watcher::from_parts(news, look, poll)
    }

    pub(super) fn from_parts(news: Arc<News>, look: SyncSender<()>, poll: Duration) -> Watcher {
        let mut poll = interval(poll);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Watcher { news, poll, look, burst: None }
    }

    /// Waits until files changed and have been quiet since; which. The first look for changes is
    /// asked for at the first call. Dropping the future loses nothing.
    pub async fn changed(&mut self) -> Scope {
        loop {
            let due = self.burst.map(|(first, last)| (last + QUIET).min(first + PATIENCE));
            // Asked before waiting, or a stream of news would be preferred for ever.
            if due.is_some_and(|due| due <= Instant::now()) {
                self.burst = None;
                if let Some(scope) = self.news.take() {
                    return scope;
                }
                continue;
            }
            tokio::select! {
                () = self.news.bell.notified() => {
                    let now = Instant::now();
                    let first = self.burst.map_or(now, |(first, _)| first);
                    self.burst = Some((first, now));
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
                _ = self.poll.tick() => ask(&self.look),
            }
        }
    }
}

fn ask(look: &SyncSender<()>) {
    match look.try_send(()) {
        // Full: a look is due already. Disconnected: said so when the thread could not start.
        Ok(()) | Err(TrySendError::Full(()) | TrySendError::Disconnected(())) => {}
    }
}

/// What changed since somebody asked last. However much it is, it takes little room.
#[derive(Debug, Default)]
pub(super) struct News {
    what: Mutex<What>,
    bell: Notify,
}

#[derive(Debug, Default)]
struct What {
    everything: bool,
    touched: BTreeSet<PathBuf>,
}

impl News {
    pub fn touched(&self, path: PathBuf) {
        let mut what = self.lock();
        what.touched.insert(path);
        what.everything |= what.touched.len() > MANY;
        self.bell.notify_one();
    }

    pub fn everything(&self) {
        self.lock().everything = true;
        self.bell.notify_one();
    }

    pub fn take(&self) -> Option<Scope> {
        let What { everything, touched } = std::mem::take(&mut *self.lock());
        match everything {
            true => Some(Scope::Everything),
            false => (!touched.is_empty()).then_some(Scope::Touched(touched)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, What> {
        let mut what = mutex::lock(&self.what);
        if what.everything {
            what.touched.clear();
        }
        what
    }
}

/// Makes news of what inotify says.
struct Ears {
    /// The configured paths by the names inotify uses: absolute ones.
    roots: HashMap<PathBuf, PathBuf>,
    news: Arc<News>,
    look: SyncSender<()>,
    /// Whether the next look is to come at once, for something was missed.
    urgent: Arc<AtomicBool>,
}

impl Ears {
    fn new(paths: &[PathBuf], news: Arc<News>, look: SyncSender<()>) -> Ears {
        // As `notify` does it for relative paths.
        let here = std::env::current_dir().unwrap_or_default();
        let roots = paths.iter().map(|path| (here.join(path), path.clone())).collect();
        Ears { roots, news, look, urgent: Arc::default() }
    }

    fn ask_now(&self) {
        self.urgent.store(true, Ordering::Relaxed);
        ask(&self.look);
    }

    /// Without inotify there is still the lookout.
    fn listen(self) -> Option<INotifyWatcher> {
        let handler = move |event| self.hear(event);
        let made = <INotifyWatcher as notify::Watcher>::new(handler, notify::Config::default());
        made.inspect_err(|error| {
            tracing::warn!(%error, "no inotify: changed files are found by looking only");
        })
        .ok()
    }

    fn hear(&self, event: notify::Result<notify::Event>) {
        let Ok(event) = event else { return self.ask_now() };
        // An overflow. Reading everything would open so many files that it overflows again;
        // looking opens none.
        if event.need_rescan() {
            return self.ask_now();
        }
        // Our own reading, among others.
        if matches!(event.kind, EventKind::Access(_)) {
            return;
        }
        event.paths.iter().for_each(|path| self.hear_of(path));
    }

    fn hear_of(&self, path: &Path) {
        if self.roots.contains_key(path) {
            // Moved, replaced, mounted over: the watch may be gone with it.
            self.news.everything();
            return self.ask_now();
        }
        let Some(root) = path.parent().and_then(|parent| self.roots.get(parent)) else { return };
        let Some(name) = path.file_name() else { return };
        if Dialect::of_file(name).is_some() {
            self.news.touched(root.join(name));
        } else if name.as_encoded_bytes().starts_with(b"..") || path.is_symlink() {
            // Mounted configuration maps: `web.yaml` is a link to `..data/web.yaml`, and `..data`
            // a link that is replaced.
            self.news.everything();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::mpsc::Receiver;

    use super::*;

    fn watcher() -> (Watcher, Arc<News>, Receiver<()>) {
        let news = Arc::new(News::default());
        let (look, asked) = sync_channel(1);
        (Watcher::from_parts(news.clone(), look, Watcher::POLL), news, asked)
    }

    fn touched(paths: &[&str]) -> Scope {
        Scope::Touched(paths.iter().map(PathBuf::from).collect())
    }

    async fn pause(ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_of_changes_is_one_change_once_it_is_quiet() {
        let (mut watcher, news, _asked) = watcher();
        let start = Instant::now();
        tokio::spawn(async move {
            for path in ["a", "b", "a", "c"] {
                news.touched(path.into());
                pause(100).await;
            }
        });
        assert_eq!(watcher.changed().await, touched(&["a", "b", "c"]));
        assert_eq!(start.elapsed(), Duration::from_millis(450));
    }

    #[tokio::test(start_paused = true)]
    async fn a_writer_who_never_stops_is_read_once_a_second() {
        let (mut watcher, news, _asked) = watcher();
        tokio::spawn(async move {
            loop {
                news.touched("a".into());
                pause(10).await;
            }
        });
        let start = Instant::now();
        for second in 1..4 {
            watcher.changed().await;
            let late = start.elapsed() - Duration::from_secs(second);
            assert!(late < Duration::from_millis(20 * second), "{late:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_wait_loses_no_news() {
        let (mut watcher, news, _asked) = watcher();
        news.touched("a".into());
        for _ in 0..10 {
            let _ = tokio::time::timeout(Duration::from_millis(1), watcher.changed()).await;
        }
        let start = Instant::now();
        assert_eq!(watcher.changed().await, touched(&["a"]));
        assert!(start.elapsed() < QUIET);
    }

    #[tokio::test(start_paused = true)]
    async fn looks_are_asked_for_again_and_again_without_piling_up() {
        let (mut watcher, _news, asked) = watcher();
        let minute = Duration::from_secs(60);
        tokio::time::timeout(minute, watcher.changed()).await.unwrap_err();
        assert_eq!(asked.try_iter().count(), 1);
        tokio::time::timeout(Watcher::POLL, watcher.changed()).await.unwrap_err();
        assert_eq!(asked.try_iter().count(), 1);
    }

    #[test]
    fn very_many_changes_are_everything() {
        let news = News::default();
        (0..10_000).for_each(|n| news.touched(n.to_string().into()));
        assert_eq!(news.take(), Some(Scope::Everything));
        assert_eq!(news.take(), None);
    }

    #[test]
    fn of_all_that_is_heard_only_the_configuration_is_news() {
        let (look, asked) = sync_channel(1);
        let news = Arc::new(News::default());
        let paths = ["conf.d".into(), "/x/one.cf".into()];
        let ears = Ears::new(&paths, news.clone(), look);
        let here = std::env::current_dir().unwrap();
        for ignored in ["conf.d/.a.yaml.swp", "conf.d/a.yaml~", "conf.d/sub/a.yaml", "a.yaml"] {
            ears.hear_of(&here.join(ignored));
        }
        ears.hear_of(Path::new("/x/two.cf"));
        assert_eq!(news.take(), None);
        ears.hear_of(&here.join("conf.d/a.yaml"));
        assert_eq!(news.take(), Some(touched(&["conf.d/a.yaml"])));
        assert_eq!(asked.try_iter().count(), 0);
        for all in [here.join("conf.d"), here.join("conf.d/..data"), "/x/one.cf".into()] {
            ears.hear_of(&all);
            assert_eq!(news.take(), Some(Scope::Everything), "{all:?}");
        }
        assert_eq!(asked.try_iter().count(), 1);
    }

    #[tokio::test]
    async fn what_really_happens_in_a_folder_is_heard() {
        let folder = tempfile::tempdir().unwrap();
        let conf = folder.path().join("conf.d");
        fs::create_dir(&conf).unwrap();
        fs::write(conf.join("a.yaml"), "1").unwrap();
        // No help from polling but the first look, which sets the watches.
        let mut watcher = Watcher::with_poll(std::slice::from_ref(&conf), 600 * Watcher::POLL);
        async fn next(watcher: &mut Watcher) -> Option<Scope> {
            let wait = Duration::from_secs(5);
            tokio::time::timeout(wait, watcher.changed()).await.ok()
        }
        // Nobody says when the watches are set, so write until one is heard.
        let a = conf.join("a.yaml");
        let only_a = Scope::Touched([a.clone()].into());
        let writer = tokio::spawn({
            let a = a.clone();
            async move {
                for n in 0..100 {
                    fs::write(&a, n.to_string()).unwrap();
                    pause(200).await;
                }
            }
        });
        assert_eq!(next(&mut watcher).await, Some(only_a.clone()));
        writer.abort();
        let _ = writer.await;
        while tokio::time::timeout(2 * QUIET, watcher.changed()).await.is_ok() {}

        // Reading is no news.
        fs::read(&a).unwrap();
        assert!(tokio::time::timeout(2 * QUIET, watcher.changed()).await.is_err());

        fs::write(conf.join(".new"), "2").unwrap();
        fs::rename(conf.join(".new"), &a).unwrap();
        assert_eq!(next(&mut watcher).await, Some(only_a.clone()));

        // Another folder in its place, and then a change in that one.
        fs::create_dir(folder.path().join("other")).unwrap();
        fs::rename(&conf, folder.path().join("old")).unwrap();
        fs::rename(folder.path().join("other"), &conf).unwrap();
        assert_eq!(next(&mut watcher).await, Some(Scope::Everything));
        while tokio::time::timeout(2 * QUIET, watcher.changed()).await.is_ok() {}
        fs::write(&a, "3").unwrap();
        assert_eq!(next(&mut watcher).await, Some(only_a));
    }
}
