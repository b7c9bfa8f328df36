//! The thread that reads the configuration.
//!
//! Reading files, looking up names and parsing may take long; the loop goes on meanwhile.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{oneshot, watch};

use super::desk::Reset;
use super::last_good::{LastGood, Text};
use super::{Input, MonPersona, names};
use crate::config::assemble::{Ask, Outcome, Store, Update};
use crate::config::source::{self, Reader};
use crate::config::{Dialect, FileRead, Reading, Scope, Source, mon};
use crate::event::Event;
use crate::model::{Desired, Digest, FileState, FileView, PlanView, ReloadReport};

/// What the thread is asked to do.
#[derive(Debug)]
pub enum Job {
    /// Read what is in `scope` again and put it in force.
    Load { scope: Scope, ask: Ask, asker: Option<Asker> },
    /// See whether texts changed, without taking them.
    Look,
    /// Read everything again and put nothing in force.
    Preview { reply: oneshot::Sender<Result<PlanView, String>> },
    /// The same, and only say what is wrong, a line each.
    Test { reply: oneshot::Sender<Result<(), Vec<String>>> },
}

/// Who waits for a [`Job::Load`].
#[derive(Debug)]
pub enum Asker {
    Caller(oneshot::Sender<ReloadReport>),
    /// A client of mon's, who wants more done with what was read.
    Reset(Reset),
}

/// What came of a [`Job::Load`].
#[derive(Debug)]
pub struct Loaded {
    pub update: Update,
    pub files: Vec<Arc<FileView>>,
    /// Whether somebody asked for all of it: then what was done by hand in the table is over.
    pub afresh: bool,
    pub asker: Option<Asker>,
}

/// What a load would do.
#[derive(Debug)]
pub struct Previewed {
    pub desired: Arc<Desired>,
    /// Why it would wait for the operator's word.
    pub held: Option<String>,
}

/// The files, what is in force of them, and the copies kept of that.
#[derive(Debug)]
pub struct Loader {
    paths: Vec<PathBuf>,
    mon: Option<MonPersona>,
    reader: Reader,
    store: Store,
    last_good: LastGood,
    /// In force, and not kept yet.
    news: Vec<Text>,
    kept_once: bool,
}

impl Loader {
    /// A loader of these paths that falls back on the copies in `last_good`.
    pub fn new(paths: &[PathBuf], last_good: LastGood, mon: Option<&MonPersona>) -> Loader {
        let store = Store::new(last_good.history());
        Loader {
            paths: paths.to_vec(),
            reader: match mon {
                Some(mon) => Reader::new(paths).of_mon(mon.filter.as_deref()),
                None => Reader::new(paths),
            },
            mon: mon.cloned(),
            store,
            last_good,
            news: Vec::new(),
            kept_once: false,
        }
    }

    /// Reads what is in `scope` and puts it in force.
    pub fn load(&mut self, scope: &Scope, ask: Ask) -> (Update, Vec<Arc<FileView>>) {
        self.reader.refresh(scope);
        let mut update = self.store.update(&self.reader.reading(), &names(self.mon.as_ref()), ask);
        self.news.append(&mut update.texts);
        if let Outcome::Applied { .. } = update.outcome {
            let store = &self.store;
            self.reader.believe(|root| ask.confirm || store.is_settled(root));
        }
        (update, self.store.files())
    }

    /// The digests of the texts there are now. Nothing of them is kept: whatever else reads the
    /// files anew is to find them as it left them.
    fn look(&self) -> Vec<(Arc<PathBuf>, u64)> {
        let files = source::read(&self.paths).files;
        let digest = |text: Arc<str>| Digest::EMPTY.text(&text).value();
        let texts = files.into_iter().filter_map(|file| Some((file.path, file.text.ok()?)));
        texts.map(|(path, text)| (path, digest(text))).collect()
    }

    /// What a load would put in force now, and why not at once if that is so.
    fn preview(&self) -> Result<Previewed, String> {
        let (update, _, reading) = self.try_out();
        let mut store = self.store.clone();
        let unasked = store.update(&reading, &names(self.mon.as_ref()), Ask::default());
        let held = match unasked.outcome {
            Outcome::Held(held) => Some(held.to_string()),
            Outcome::Applied { .. } => store.doubts(&reading).map(str::to_owned),
        };
        match update.outcome {
            Outcome::Applied { desired, .. } => Ok(Previewed { desired, held }),
            Outcome::Held(held) => Err(held.to_string()),
        }
    }

    /// What is wrong with the files as they are now. A broken one does not keep a load from being
    /// carried out, with its last good version; so it is the files that are asked.
    fn test(&self) -> Result<(), Vec<String>> {
        let (_, store, Reading { files, .. }) = self.try_out();
        // For scripts that look for mon's own line.
        let names = names(self.mon.as_ref());
        let is_mon = |file: &&FileRead| file.dialect == Dialect::Mon;
        let first_error = |file: &FileRead| {
            let text = file.text.as_ref().ok()?.clone();
            let source = Source { path: file.path.clone(), dialect: file.dialect, text };
            mon::first_error(&source, &names)
        };
        let mut wrong: Vec<_> = files.iter().filter(is_mon).filter_map(first_error).collect();
        wrong.extend(mistakes(&store.files()));
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    /// A load whose outcome is thrown away.
    ///
    /// By copies: a look at what might be must not become what the next load finds read.
    fn try_out(&self) -> (Update, Store, Reading) {
        let (mut reader, mut store) = (self.reader.clone(), self.store.clone());
        reader.refresh(&Scope::Everything);
        // As if confirmed: what a held reload would do is what its operator wants to see.
        let ask = Ask { confirm: true, resolve: true };
        let reading = reader.reading();
        let update = store.update(&reading, &names(self.mon.as_ref()), ask);
        (update, store, reading)
    }

    /// Keeps copies of what is in force, for a start that finds a file broken.
    fn keep(&mut self) -> Result<(), String> {
        let news = std::mem::take(&mut self.news);
        let kept = match std::mem::replace(&mut self.kept_once, true) {
            true => self.last_good.keep(&news),
            // The first are all there are.
            false => self.last_good.keep_only(&news),
        };
        kept.map_err(|error| error.to_string())
    }
}

/// Starts the thread. It ends when the returned sender is dropped; the other tells whether there
/// is a copy of all that was handed on to be put in force.
pub fn start(
    mut loader: Loader,
    inputs: UnboundedSender<Input>,
) -> (Sender<Job>, watch::Receiver<bool>) {
    let (jobs, queue) = mpsc::channel();
    let (is_kept, kept) = watch::channel(false);
    let work = move || {
        keep(&mut loader, &inputs);
        is_kept.send_replace(true);
        for job in queue {
            match job {
                Job::Load { scope, ask, asker } => {
                    let (update, files) = loader.load(&scope, ask);
                    let applied = matches!(update.outcome, Outcome::Applied { .. });
                    // A watcher that has lost track asks for everything as well, but no name.
                    let afresh = ask.resolve && scope == Scope::Everything;
                    let loaded = Loaded { update, files, afresh, asker };
                    is_kept.send_replace(!applied);
                    let _ = inputs.send(Input::Loaded(Box::new(loaded)));
                    // The kernel comes first, the copies after.
                    if applied {
                        keep(&mut loader, &inputs);
                    }
                    is_kept.send_replace(true);
                }
                Job::Look => {
                    let _ = inputs.send(Input::Looked(loader.look()));
                }
                Job::Preview { reply } => {
                    let _ = inputs.send(Input::Preview(loader.preview(), reply));
                }
                Job::Test { reply } => {
                    let _ = reply.send(loader.test());
                }
            }
        }
    };
    if let Err(error) = thread::Builder::new().name("loader".into()).spawn(work) {
        tracing::error!(%error, "the loader thread cannot be started");
    }
    (jobs, kept)
}

/// Waits until all that is in force has its copy, or it was told why not, but no longer than this;
/// whether that is so. A load under way is not waited for: its files may be on a disk that hangs.
pub async fn settled(mut kept: watch::Receiver<bool>, limit: Duration) -> bool {
    // A thread that is gone writes nothing more.
    tokio::time::timeout(limit, kept.wait_for(|is_kept| *is_kept)).await.is_ok()
}

/// What keeps files from being in force, a line each.
pub fn mistakes(files: &[Arc<FileView>]) -> Vec<String> {
    let not_in_force = files.iter().filter(|file| file.state != FileState::InForce);
    let why = |file: &Arc<FileView>| {
        let nothing = || format!("{}: not in force", file.path);
        file.error.clone().unwrap_or_else(nothing)
    };
    let lines = |text: String| text.lines().map(str::to_owned).collect::<Vec<_>>();
    not_in_force.map(why).flat_map(lines).collect()
}

fn keep(loader: &mut Loader, inputs: &UnboundedSender<Input>) {
    if let Err(what) = loader.keep() {
        let _ = inputs.send(Input::Told(Event::Trouble { what }));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    /// A stop soon after a start left nothing for the next start to fall back on.
    #[tokio::test]
    async fn what_is_in_force_has_a_copy_before_a_stop_is_over() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("a.yaml");
        let write = |port| {
            let text = format!("virtual: 192.0.2.10:{port}\nreal: [10.0.0.7:80]\n");
            std::fs::write(&file, text).unwrap();
        };
        let kept = || {
            let history = LastGood::load(place.path()).value.history();
            history.get(&file).map(|text| text.to_string()).unwrap_or_default()
        };
        write(80);
        let last_good = LastGood::load(place.path()).value;
        let mut loader = Loader::new(std::slice::from_ref(&file), last_good, None);
        loader.load(&Scope::Everything, Ask::default());
        let (inputs, mut events) = unbounded_channel();
        let (jobs, is_kept) = start(loader, inputs);
        assert!(settled(is_kept.clone(), Duration::from_secs(60)).await);
        assert!(kept().contains(":80\n"), "{}", kept());
        for port in 81..100 {
            write(port);
            let (scope, ask) = (Scope::Everything, Ask { confirm: true, resolve: true });
            jobs.send(Job::Load { scope, ask, asker: None }).unwrap();
            assert!(matches!(events.recv().await, Some(Input::Loaded(_))));
            assert!(settled(is_kept.clone(), Duration::from_secs(60)).await);
            assert!(kept().contains(&format!(":{port}\n")), "{port}: {}", kept());
        }
    }

    #[tokio::test]
    async fn a_disk_that_hangs_does_not_hold_up_a_stop() {
        let (is_kept, kept) = watch::channel(false);
        assert!(!settled(kept.clone(), Duration::from_millis(10)).await);
        drop(is_kept);
        assert!(settled(kept, Duration::from_secs(60)).await);
    }

    #[test]
    fn a_folder_that_comes_back_stale_removes_nothing() {
        let place = tempfile::tempdir().unwrap();
        let (folder, away) = (place.path().join("conf.d"), place.path().join("away"));
        std::fs::create_dir(&folder).unwrap();
        let write = |port: u16, servers: &str| {
            let text = format!("virtual: 192.0.2.10:{port}\nreal: [{servers}]\n");
            std::fs::write(folder.join(format!("{port}.yaml")), text).unwrap();
        };
        (80..90).for_each(|port| write(port, "10.0.0.7:80, 10.0.0.8:80"));
        let kept = LastGood::load(place.path()).value;
        let mut loader = Loader::new(std::slice::from_ref(&folder), kept, None);
        let mut load = |ask: Ask| match loader.load(&Scope::Everything, ask).0.outcome {
            Outcome::Applied { change, .. } => (change.changed.len(), change.removed.len()),
            Outcome::Held(held) => panic!("{held}"),
        };
        assert_eq!(load(Ask::default()), (0, 0));
        let absent = |load: &mut dyn FnMut(Ask) -> (usize, usize)| {
            std::fs::rename(&folder, &away).unwrap();
            assert_eq!(load(Ask::default()), (0, 0));
            std::fs::rename(&away, &folder).unwrap();
        };
        absent(&mut load);
        std::fs::remove_file(folder.join("80.yaml")).unwrap();
        write(81, "10.0.0.7:80");
        // However often it is read.
        assert_eq!(load(Ask::default()), (0, 0));
        assert_eq!(load(Ask::default()), (0, 0));
        // Nor while it is only half there.
        write(81, "10.0.0.7:80, 10.0.0.8:80");
        std::fs::write(folder.join("80.yaml"), "").unwrap();
        assert_eq!(load(Ask::default()), (0, 0));
        std::fs::remove_file(folder.join("80.yaml")).unwrap();
        assert_eq!(load(Ask::default()), (0, 0));
        // Brought up to date it is a folder as any other.
        write(80, "10.0.0.7:80, 10.0.0.8:80");
        assert_eq!(load(Ask::default()), (0, 0));
        std::fs::remove_file(folder.join("80.yaml")).unwrap();
        write(81, "10.0.0.7:80");
        assert_eq!(load(Ask::default()), (1, 1));

        absent(&mut load);
        std::fs::remove_file(folder.join("81.yaml")).unwrap();
        assert_eq!(load(Ask::default()), (0, 0));
        assert_eq!(load(Ask { confirm: true, ..Ask::default() }), (0, 1));
    }

    #[test]
    fn a_start_without_its_folder_is_no_reason_to_believe_what_comes() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("conf.d");
        let file = |port: u16| Arc::new(folder.join(format!("{port}.yaml")));
        let text = |port: u16| format!("virtual: 192.0.2.10:{port}\nreal: [10.0.0.7:80]\n");
        let mut kept = LastGood::load(place.path()).value;
        let texts = |port| (file(port), Some(text(port).into()));
        kept.keep(&(80..90).map(texts).collect::<Vec<_>>()).unwrap();
        let mut loader = Loader::new(std::slice::from_ref(&folder), kept, None);
        let mut services = || match loader.load(&Scope::Everything, Ask::default()).0.outcome {
            Outcome::Applied { desired, .. } => desired.services.len(),
            Outcome::Held(held) => panic!("{held}"),
        };
        assert_eq!(services(), 10);
        std::fs::create_dir(&folder).unwrap();
        (80..89).for_each(|port| std::fs::write(&*file(port), text(port)).unwrap());
        assert_eq!(services(), 10);
    }

    #[test]
    fn a_file_cut_between_two_lines_takes_no_services_last_server() {
        for (name, head, servers, edit) in [
            ("a.yaml", "virtual: 192.0.2.10:80\n", "real:\n  - 10.0.0.7:80\n", "real: []\n"),
            (
                "a.cf",
                "virtual = 192.0.2.10:80\n",
                "  real = 10.0.0.7:80 gate\n",
                "  scheduler=rr\n",
            ),
        ] {
            let place = tempfile::tempdir().unwrap();
            let file = place.path().join(name);
            let kept = LastGood::load(place.path()).value;
            let mut loader = Loader::new(std::slice::from_ref(&file), kept, None);
            let mut servers_after = |text: String| {
                std::fs::write(&file, text).unwrap();
                let (update, _) = loader.load(&Scope::Everything, Ask::default());
                let Outcome::Applied { desired, .. } = update.outcome else { panic!("held") };
                let service = desired.services.values().next().unwrap();
                (service.servers.len(), update.reports.iter().any(|report| report.is_error()))
            };
            assert_eq!(servers_after(format!("{head}{servers}")), (1, false), "{name}");
            assert_eq!(servers_after(head.to_owned()), (1, true), "{name}");
            // An edit is one.
            assert_eq!(servers_after(format!("{head}{edit}")), (0, false), "{name}");
        }
    }

    #[test]
    fn a_name_without_an_address_takes_no_server_out_of_a_mon_file() {
        let text = |second: &str| {
            let watch = |server: &str| {
                format!(
                    "hostgroup g{server} {server}\n\nwatch g{server}\n service http\n  interval 5s\n  \
                     monitor tcp.monitor\n  period wd {{Sun-Sat}}\n   alert lvs.alert -P tcp -V \
                     192.0.2.10:80 -R {server} -W 5 -F dr\n   upalert lvs.alert -P tcp -V \
                     192.0.2.10:80 -R {server} -W 5 -F dr\n\n"
                )
            };
            watch("10.0.0.7") + &watch(second)
        };
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("mon.cf");
        let kept = LastGood::load(place.path()).value;
        let mut loader = Loader::new(std::slice::from_ref(&file), kept, None);
        let mut servers = |second: &str| {
            std::fs::write(&file, text(second)).unwrap();
            let (update, files) = loader.load(&Scope::Everything, Ask::default());
            let Outcome::Applied { desired, .. } = update.outcome else { panic!("held") };
            let service = desired.services.values().next().unwrap();
            (service.servers.len(), files[0].state)
        };
        assert_eq!(servers("10.0.0.8"), (2, FileState::InForce));
        assert_eq!(servers("10.0.0.8O"), (2, FileState::LastGood));
        assert_eq!(servers("10.0.0.9"), (2, FileState::InForce));
    }

    #[test]
    fn a_plan_puts_nothing_in_force_not_even_with_the_next_load() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("web.yaml");
        let text = |port: u16| format!("virtual: 192.0.2.10:{port}\nreal: [10.0.0.7:80]\n");
        std::fs::write(&file, text(80)).unwrap();
        let state = tempfile::tempdir().unwrap();
        let kept = LastGood::load(state.path()).value;
        let mut loader = Loader::new(&[folder.path().to_owned()], kept, None);
        loader.load(&Scope::Everything, Ask::default());
        std::fs::write(&file, text(81)).unwrap();
        let Previewed { desired, held } = loader.preview().unwrap();
        assert_eq!((desired.services.len(), held.is_some()), (1, true));
        let (update, _) = loader.load(&Scope::Touched(BTreeSet::new()), Ask::default());
        let Outcome::Applied { change, .. } = update.outcome else { panic!("applied") };
        assert!(change.is_empty(), "{change}");
    }
}
