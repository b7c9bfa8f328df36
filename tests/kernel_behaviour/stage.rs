//! Both directors, each on a host of its own, and the servers they share. Where a record says what
//! ldirectord does in a case, ours is alone.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use directord::ipvs::{Kernel, Netlink};
use directord::model::Table;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::lab::{self, Forward, Host, Manner, Site, Web, eventually_true};
use crate::record::{Record, Shown};
use crate::script::{Expect, Step};
use crate::speaker::{self, Pair, Speaker};
use crate::told::{self, Lines, Mails};

/// How long both tables must hold still, and be as they should, to count as settled. Longer than
/// ldirectord's flapping at a start, when it adds each server and takes it out again.
const STILL: Duration = Duration::from_millis(1200);
/// The same where nothing is expected to happen, or on one side alone: longer than any check of the
/// cases needs.
const STILL_SAME: Duration = Duration::from_millis(4500);
/// ldirectord forks ipvsadm some 17 times for a server, and forks are slow here: 13 services took
/// 180 s on a machine that was compiling as well.
const PATIENCE: Duration = Duration::from_secs(600);

const INCUMBENT: &str = "/usr/sbin/ldirectord";

pub struct Stage {
    site: Site,
    /// ldirectord's; none where its record is played.
    incumbent: Option<Host>,
    record: Record,
    /// Ports 80 and 8080 of every server.
    webs: Vec<[Web; 2]>,
    folder: tempfile::TempDir,
    /// The program by the name of ldirectord.
    ours: PathBuf,
    /// The case at hand.
    file: PathBuf,
    before: Table,
    /// Where the file says that mail is sent.
    mails: Option<Mails>,
    /// Where its programs or monitor files write.
    lines: Option<Lines>,
    /// Those that run in the foreground: ours, and theirs where it plays.
    supervised: Vec<Child>,
    /// What the servers speak beside http, from the first `speak` on.
    speakers: Vec<Speaker>,
    /// The last known processes: theirs forgets itself when it finds a mistake in its file.
    pids: [Cell<Option<Pid>>; 2],
}

impl Stage {
    /// A stage for the one case of this record.
    pub fn new(record: Record) -> Stage {
        let site = Site::new(Forward::Masq, 3);
        let incumbent = (!record.is_played()).then(|| site.onlooker("incumbent"));
        let webs = site.servers.iter().map(|h| [Web::start(h, 80), Web::start(h, 8080)]).collect();
        let folder = tempfile::tempdir().unwrap();
        let ours = folder.path().join("ldirectord");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_directord"), &ours).unwrap();
        let file = PathBuf::new();
        Stage {
            site,
            incumbent,
            record,
            webs,
            folder,
            ours,
            file,
            before: Table::default(),
            mails: None,
            lines: None,
            supervised: Vec::new(),
            speakers: Vec::new(),
            pids: Default::default(),
        }
    }

    /// Gives both this file. `@` in it stands for the folder it is in.
    pub fn take_up(&mut self, name: &str, text: &[u8]) {
        self.file = self.folder.path().join(format!("{name}.cf"));
        let folder = self.folder.path().display().to_string();
        let writes = String::from_utf8_lossy(text).contains(told::LINES);
        self.lines = writes.then(|| Lines::of(folder.clone()));
        // Without the script: an edit is not meant for it.
        let lines = text.split(|byte| *byte == b'\n');
        let lines = lines.map(|line| if line.starts_with(b"#! ") { &b"#"[..] } else { line });
        let text = lines.collect::<Vec<_>>().join(&b'\n');
        let text = replace(&text, "@/", &format!("{folder}/"));
        std::fs::write(&self.file, &text).unwrap();
        let mails = text.split(|byte| *byte == b'\n').any(|line| line.starts_with(b"emailalert"));
        self.mails = mails.then(|| Mails::of(&self.site.director, self.incumbent.as_ref()));
        self.before = self.tables()[0].clone();
    }

    /// One step, and what it does to the tables.
    pub fn play(&mut self, name: &str, step: &Step) {
        let begun = Instant::now();
        let recorded = self.record.next();
        if let (Some(mails), Some(shown)) = (&mut self.mails, &recorded) {
            mails.theirs_are(shown.mails.clone());
        }
        if let (Some(lines), Some(shown)) = (&mut self.lines, &recorded) {
            lines.theirs_are(shown.lines.clone());
        }
        self.perform(step);
        let performed = begun.elapsed();
        self.remember();
        let mut shown = Shown::default();
        if step.expect != Expect::Nothing {
            let theirs = recorded.map(|shown| shown.rows);
            (self.before, shown.rows) = self.settled(&step.event, &step.expect, theirs);
            let settled = begun.elapsed();
            eprintln!("{name}: {}: {performed:.1?}, settled after {settled:.1?}", step.event);
        }
        if let Some(mails) = &mut self.mails {
            shown.mails = mails.compare(&step.event, &step.told, PATIENCE);
        }
        if let Some(lines) = &mut self.lines {
            let hosts = [Some(&self.site.director), self.incumbent.as_ref()];
            shown.lines = lines.compare(&step.event, &step.written, hosts, PATIENCE);
        } else {
            assert!(step.written.iter().all(Vec::is_empty), "nothing writes to {}", told::LINES);
        }
        self.record.add(shown);
    }

    /// All steps were good. A story that is about mail had some.
    pub fn end(mut self) {
        assert!(self.mails.as_ref().is_none_or(Mails::any), "nobody sent a mail");
        self.record.keep();
    }

    /// On one host theirs gives way to ours, and ours to theirs, as docs/from-ldirectord.md has it.
    /// Through all of it the table stays as theirs made it.
    pub fn change_over_and_back(&self) {
        let host = self.incumbent.as_ref().expect("a case that is played by both");
        let start = |program: &Path| {
            let output = self.run(host, program, "start");
            assert!(output.status.success(), "{}: {output:?}", program.display());
        };
        start(Path::new(INCUMBENT));
        let complete = |table: &Table| {
            !table.services.is_empty() && table.services.values().all(|e| e.destinations.len() == 3)
        };
        // It takes servers out again before it puts them in.
        let mut since = Instant::now();
        eventually_true("their table is complete", PATIENCE, || {
            if !complete(&table(host)) {
                since = Instant::now();
            }
            since.elapsed() > 2 * STILL
        });
        let made = table(host);
        let unchanged = |when: &str| {
            let since = Instant::now();
            while since.elapsed() < 2 * STILL {
                assert_eq!(table(host), made, "{when}");
                std::thread::sleep(Duration::from_millis(100));
            }
        };
        let pid = self.pid(host).expect("a pid file");
        kill(pid, Signal::SIGKILL).expect("a running director");
        unchanged("theirs is killed");
        start(&self.ours);
        unchanged("ours has begun");
        let name = self.file.file_name().expect("a file").to_string_lossy().into_owned();
        let folder = format!("/run/directord/ldirectord.{name}");
        let directord = env!("CARGO_BIN_EXE_directord");
        host.must(directord, &["stop", "--keep", "--runtime-dir", &folder]);
        unchanged("ours has gone");
        start(Path::new(INCUMBENT));
        unchanged("theirs is back");
    }

    /// Ours, and theirs where it plays.
    fn hosts(&self) -> Vec<(&Host, &Path)> {
        let ours = (&self.site.director, &*self.ours);
        let theirs = self.incumbent.iter().map(|host| (host, Path::new(INCUMBENT)));
        std::iter::once(ours).chain(theirs).collect()
    }

    fn perform(&mut self, step: &Step) {
        let event = &*step.event;
        let (verb, rest) = event.split_once(' ').unwrap_or((event, ""));
        let index = || rest.parse::<usize>().expect("the number of a server");
        match verb {
            "start" => self.command(verb, 0, 0),
            "status" => self.command(verb, 0, 0),
            "dead" => self.command("status", 3, 3),
            "supervise" => self.supervise(),
            "stop" => {
                self.command(verb, 0, 0);
                // ldirectord's stop does not wait.
                self.gone();
            }
            "asks" => {
                let words: Vec<&str> = rest.split(' ').collect();
                let number = |text: &str| text.parse().expect("an exit status");
                match words[..] {
                    [action, both] => self.command(action, number(both), number(both)),
                    [action, ours, "theirs", theirs] => {
                        self.command(action, number(ours), number(theirs));
                    }
                    _ => panic!("asks ACTION STATUS [theirs STATUS], not {rest}"),
                }
            }
            "end" => {
                self.signal(Signal::SIGTERM);
                self.gone();
                self.supervised_are_done();
            }
            "crash" => {
                self.signal(Signal::SIGKILL);
            }
            "kill" => self.webs[index()].iter_mut().for_each(Web::kill),
            "revive" => {
                let host = &self.site.servers[index()];
                self.webs[index()].iter_mut().for_each(|web| web.revive(host));
            }
            "sick" => self.say(index(), "503 Service Unavailable"),
            "well" => self.say(index(), "200 OK"),
            "speak" => self.speak(rest),
            "cut" => self.site.cable(index(), false),
            "mend" => self.site.cable(index(), true),
            "edit" => self.edit(rest),
            "replace" => {
                self.edit(rest);
                self.command("reload", 0, 0);
            }
            "rewrite" => {
                self.edit(rest);
                self.signal(Signal::SIGHUP);
            }
            "touch" => self.write(rest, ""),
            "write" => {
                let (name, text) = rest.split_once(" := ").expect("write NAME := TEXT");
                self.write(name, &unescaped(text));
            }
            "remove" => std::fs::remove_file(self.folder.path().join(rest)).unwrap(),
            "mail" => {
                let mails = self.mails.as_ref().expect("a file with emailalert");
                eventually_true(event, PATIENCE, || mails.have(rest));
            }
            "ipvsadm" => {
                let words: Vec<&str> = rest.split(' ').collect();
                for (host, _) in self.hosts() {
                    host.must("ipvsadm", &words);
                }
            }
            _ => panic!("unknown event: {event}"),
        }
    }

    /// `ldirectord FILE ACTION` on both, and what each must answer.
    fn command(&self, action: &str, ours: i32, theirs: i32) {
        for ((host, program), expected) in self.hosts().into_iter().zip([ours, theirs]) {
            let output = self.run(host, program, action);
            let said = [&output.stdout[..], &output.stderr[..]].concat();
            assert_eq!(
                output.status.code(),
                Some(expected),
                "exit status of {} {action}: {}",
                program.display(),
                String::from_utf8_lossy(&said)
            );
        }
    }

    /// `PROGRAM FILE ACTION` on a host.
    fn run(&self, host: &Host, program: &Path, action: &str) -> Output {
        let mut command = self.invocation(program, action);
        host.run(move || command.output().expect("a program"))
    }

    fn invocation(&self, program: &Path, action: &str) -> Command {
        let mut command = Command::new(program);
        // With PERLIO set ldirectord does not execute itself a second time, which takes a second.
        command.arg(&self.file).arg(action).env("PERLIO", "perlio").stdin(Stdio::null());
        if !self.speakers.is_empty() {
            let trusted = self.certificate();
            command.env("PERL_LWP_SSL_CA_FILE", &trusted).env("SSL_CERT_FILE", &trusted);
        }
        command
    }

    /// `start` of a file with `supervised`: on both, without waiting for the end.
    fn supervise(&mut self) {
        let started = self.hosts().into_iter().enumerate().map(|(index, (host, program))| {
            let output = std::fs::File::create(self.output(index)).unwrap();
            let mut command = self.invocation(program, "start");
            command.stdout(output);
            host.run(move || command.spawn().expect("a program"))
        });
        self.supervised = started.collect();
        let pids = self.supervised.iter().map(|child| Pid::from_raw(child.id().cast_signed()));
        self.pids.iter().zip(pids).for_each(|(known, pid)| known.set(Some(pid)));
    }

    /// The log of those that run in the foreground.
    fn output(&self, index: usize) -> PathBuf {
        self.folder.path().join(format!("output-{index}"))
    }

    /// Those that ran in the foreground have ended well, and said so last.
    fn supervised_are_done(&mut self) {
        for (index, mut child) in std::mem::take(&mut self.supervised).into_iter().enumerate() {
            let status = child.wait().expect("a child");
            let log = std::fs::read_to_string(self.output(index)).unwrap();
            let last = log.lines().last().and_then(|line| line.split_once("] "));
            let farewell = "Linux Director Daemon terminated on signal: TERM";
            assert!(status.success() && last.is_some_and(|(_, text)| text == farewell), "{log}");
        }
    }

    /// The process of this number in [`Stage::hosts`]: one in the foreground, or by the pid file
    /// that they both write.
    fn pid_of(&self, index: usize, host: &Host) -> Option<Pid> {
        let child = self.supervised.get(index).map(|child| Pid::from_raw(child.id().cast_signed()));
        child.or_else(|| self.pid(host))
    }

    /// The pid file they both write.
    fn pid(&self, host: &Host) -> Option<Pid> {
        let name = self.file.file_name()?.to_string_lossy();
        let path = format!("/var/run/ldirectord.{name}.pid");
        let text = host.run(move || std::fs::read_to_string(path).ok())?;
        text.trim().parse().ok().map(Pid::from_raw)
    }

    fn signal(&self, signal: Signal) {
        for (index, (host, program)) in self.hosts().into_iter().enumerate() {
            let pid = self
                .pid_of(index, host)
                .unwrap_or_else(|| panic!("no pid of {}", program.display()));
            kill(pid, signal).expect("a running director");
            if signal == Signal::SIGKILL {
                let path = format!("/proc/{pid}/exe");
                eventually_true("it is dead", PATIENCE, || std::fs::read_link(&path).is_err());
            }
        }
    }

    fn gone(&self) {
        eventually_true("both have stopped", PATIENCE, || {
            self.hosts().iter().all(|(host, _)| self.pid(host).is_none())
        });
        self.pids.iter().for_each(|pid| pid.set(None));
    }

    fn edit(&self, change: &str) {
        let (old, new) = change.split_once(" => ").expect("A => B");
        let text = std::fs::read(&self.file).unwrap();
        let edited = replace(&text, &unescaped(old), &unescaped(new));
        assert_ne!(edited, text, "the file has no {old}");
        // Both keep hold of the file by its path.
        std::fs::write(&self.file, edited).unwrap();
    }

    fn write(&self, name: &str, text: &str) {
        let folder = self.folder.path();
        let text = text.replace("@/", &format!("{}/", folder.display()));
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).unwrap();
        std::fs::write(&path, text).unwrap();
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn say(&self, index: usize, status: &'static str) {
        let body = format!("{}\n", self.site.servers[index].name);
        for web in &self.webs[index] {
            web.behave(Manner::Says(status, body.clone()));
        }
    }

    /// `good wrong`: how each server speaks from now on, the first one first.
    fn speak(&mut self, manners: &str) {
        if self.speakers.is_empty() {
            let names = (0..self.webs.len()).map(|index| self.site.server(index)).collect();
            let pair = Pair::new(names);
            std::fs::write(self.certificate(), &pair.certificate).unwrap();
            let hosts = self.site.servers.iter();
            self.speakers = hosts.map(|host| Speaker::start(host, &pair)).collect();
        }
        for (index, word) in manners.split(' ').enumerate() {
            let manner = speaker::Manner::named(word);
            self.speakers[index].behave(manner);
            let name = format!("mood-{}", self.site.server(index));
            std::fs::write(self.folder.path().join(name), word).unwrap();
        }
    }

    /// Whom to trust; theirs has no directive for it.
    fn certificate(&self) -> PathBuf {
        self.folder.path().join("trusted.pem")
    }

    fn remember(&self) {
        for ((host, _), known) in self.hosts().iter().zip(&self.pids) {
            known.set(self.pid(host).or(known.get()));
        }
    }

    /// Ours, and theirs where it plays.
    fn tables(&self) -> Vec<Table> {
        self.hosts().into_iter().map(|(host, _)| table(host)).collect()
    }

    /// Waits until both tables are as they should be, and hold still; gives ours, and what
    /// `ipvsadm` says of theirs: `recorded`, where theirs does not play.
    fn settled(
        &self,
        event: &str,
        expect: &Expect,
        recorded: Option<Vec<String>>,
    ) -> (Table, Vec<String>) {
        let start = Instant::now();
        let still = match expect {
            Expect::Same | Expect::Differ { .. } => STILL_SAME,
            Expect::Change | Expect::Nothing => STILL,
        };
        let mut since = Instant::now();
        let mut last = self.tables();
        loop {
            // A table is read service by service, and the guest has one slow processor.
            std::thread::sleep(Duration::from_millis(400));
            let now = self.tables();
            let alike = now.iter().all(|table| *table == now[0]);
            let good = match expect {
                Expect::Change => alike && now[0] != self.before,
                Expect::Same => alike && now[0] == self.before,
                Expect::Differ { .. } => !alike || recorded.is_some(),
                Expect::Nothing => true,
            };
            if now != last || !good {
                since = Instant::now();
                last = now;
            }
            let late = start.elapsed() >= PATIENCE;
            if (good && since.elapsed() >= still) || late {
                // What counts is compared by ipvsadm, which costs too much to be asked each time.
                let [ours, theirs] = self.rows(recorded.as_ref());
                let found = [only(&ours, &theirs), only(&theirs, &ours)];
                let decided = match expect {
                    Expect::Differ { ours, theirs } => [ours.clone(), theirs.clone()],
                    _ => Default::default(),
                };
                if good && found == decided {
                    return (last.swap_remove(0), theirs);
                }
                let [ours, theirs] = found;
                let moved = if last[0] == self.before { "has not changed" } else { "has changed" };
                assert!(
                    !late,
                    "after {event}: our table {moved}; in ipvsadm -Sn\nonly ours: {ours:#?}\n\
                     only theirs: {theirs:#?}"
                );
            }
        }
    }

    /// The lines of `ipvsadm -Sn` on both hosts.
    fn rows(&self, recorded: Option<&Vec<String>>) -> [Vec<String>; 2] {
        let theirs = self.incumbent.as_ref().map(lab::saved);
        let theirs = theirs.or_else(|| recorded.cloned()).expect("theirs plays or is recorded");
        [lab::saved(&self.site.director), theirs]
    }
}

impl Drop for Stage {
    /// Daemons are not children: they end here, whatever became of the test, and those of
    /// `execute` with them. Their tables go with their hosts.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let file = self.file.to_str().unwrap_or_default();
            let log = std::fs::read_to_string("/var/log/ldirectord.log").unwrap_or_default();
            let name = self.file.file_name().unwrap_or_default().to_string_lossy();
            let ours = |line: &&str| line.contains(file) || line.contains(&*name);
            eprintln!("the log: {:#?}", log.lines().filter(ours).collect::<Vec<_>>());
            for index in 0..self.supervised.len() {
                let log = std::fs::read_to_string(self.output(index)).unwrap_or_default();
                eprintln!("in the foreground: {:#?}", log.lines().collect::<Vec<_>>());
            }
        }
        self.remember();
        let others = self.hosts().into_iter().flat_map(|(host, _)| host.run(pids));
        for pid in self.pids.iter().filter_map(Cell::take).chain(others) {
            let named = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            if named.windows(10).any(|word| word == b"ldirectord") {
                kill(pid, Signal::SIGKILL).ok();
            }
        }
    }
}

/// All daemons with a pid file on this host.
fn pids() -> Vec<Pid> {
    let files = std::fs::read_dir("/run").into_iter().flatten().flatten().map(|file| file.path());
    let files = files.filter(|path| path.extension().is_some_and(|word| word == "pid"));
    let texts = files.filter_map(|path| std::fs::read_to_string(path).ok());
    texts.filter_map(|text| text.trim().parse().ok().map(Pid::from_raw)).collect()
}

/// A host's table, read in this process: polled by ipvsadm, six cases at a time would be six
/// processors' worth of work.
fn table(host: &Host) -> Table {
    thread_local! {
        static KERNEL: RefCell<Option<Netlink>> = const { RefCell::new(None) };
    }
    host.run(|| {
        KERNEL.with_borrow_mut(|kernel| {
            let kernel = kernel.get_or_insert_with(|| Netlink::open().expect("ip_vs"));
            let keys: Vec<_> = kernel.survey().expect("a survey").services.into_keys().collect();
            let entries = kernel.read(&keys).expect("entries");
            let known = keys.into_iter().zip(entries).filter_map(|(k, e)| Some((k, e?)));
            Table { services: known.collect() }
        })
    })
}

/// The lines that only the one has.
fn only(one: &[String], other: &[String]) -> Vec<String> {
    one.iter().filter(|line| !other.contains(line)).cloned().collect()
}

/// A script's `\n` and `\t` as what they stand for.
fn unescaped(text: &str) -> String {
    text.replace("\\n", "\n").replace("\\t", "\t")
}

/// In bytes: a file may be in any encoding.
fn replace(text: &[u8], old: &str, new: &str) -> Vec<u8> {
    let old = old.as_bytes();
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        match text[at..].starts_with(old) {
            true => {
                out.extend_from_slice(new.as_bytes());
                at += old.len();
            }
            false => {
                out.push(text[at]);
                at += 1;
            }
        }
    }
    out
}
