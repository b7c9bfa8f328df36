//! What both told their owner, side by side: by mail, and by what they run and write.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::time::{Duration, Instant};

use crate::lab::Host;
use crate::mailbox::{Mail, Mailbox};

/// How long nothing more must come, for all to be there.
const STILL: Duration = Duration::from_millis(1200);

/// The mails of both.
pub struct Mails {
    ours: Mailbox,
    theirs: Theirs,
    /// How many were compared already.
    read: [usize; 2],
    /// Subjects of reminders that only one of them sends, as decided.
    decided: [BTreeSet<String>; 2],
}

enum Theirs {
    Comes(Mailbox),
    Recorded(Vec<Mail>),
}

impl Mails {
    /// Where theirs has no host its mails are those of the record.
    pub fn of(ours: &Host, theirs: Option<&Host>) -> Mails {
        let theirs = theirs.map(|host| Theirs::Comes(Mailbox::open(host)));
        let theirs = theirs.unwrap_or_else(|| Theirs::Recorded(Vec::new()));
        Mails { ours: Mailbox::open(ours), theirs, read: [0, 0], decided: Default::default() }
    }

    /// All that the record knows until the end of the step at hand.
    pub fn theirs_are(&mut self, mails: Vec<Mail>) {
        self.theirs = Theirs::Recorded(mails);
    }

    /// Whether both sent one with this subject.
    pub fn have(&self, subject: &str) -> bool {
        self.mails().iter().all(|mails| mails.iter().any(|mail| mail.subject == subject))
    }

    fn mails(&self) -> [Vec<Mail>; 2] {
        let theirs = match &self.theirs {
            Theirs::Comes(mailbox) => mailbox.mails(),
            Theirs::Recorded(mails) => mails.clone(),
        };
        [self.ours.mails(), theirs]
    }

    /// Waits until both have sent the same since the last step, but for what is decided. Reminders
    /// count once, and from the beginning: the one may send its first when the other has sent two.
    /// Gives all that theirs sent so far.
    pub fn compare(
        &mut self,
        event: &str,
        told: &[Vec<String>; 2],
        patience: Duration,
    ) -> Vec<Mail> {
        for (decided, told) in self.decided.iter_mut().zip(told) {
            decided.extend(told.iter().filter(|subject| is_reminder(subject)).cloned());
        }
        let told = told.each_ref().map(|told| {
            let mut subjects: Vec<String> =
                told.iter().filter(|subject| !is_reminder(subject)).cloned().collect();
            subjects.sort();
            subjects
        });
        let subjects = |mails: &Vec<Mail>| -> Vec<String> {
            mails.iter().map(|mail| mail.subject.clone()).collect()
        };
        let is_decided = |only: &[Vec<Mail>; 2]| only.each_ref().map(subjects) == told;
        let mails = until_decided(event, patience, is_decided, || {
            let mails = self.mails();
            let [ours, theirs] = apart(&[0, 1].map(|side: usize| self.news(side, &mails[side])));
            ([ours, lasting(theirs)], mails)
        });
        self.read = mails.each_ref().map(Vec::len);
        let [_, theirs] = mails;
        theirs
    }

    fn news(&self, side: usize, mails: &[Mail]) -> Vec<Mail> {
        let is_open = |mail: &&Mail| !self.decided[side].contains(&mail.subject);
        let reminders: BTreeSet<&Mail> =
            mails.iter().filter(|mail| is_reminder(&mail.subject)).filter(is_open).collect();
        let others = mails.iter().skip(self.read[side]).filter(|mail| !is_reminder(&mail.subject));
        others.chain(reminders).cloned().collect()
    }

    /// Whether anybody wrote at all.
    pub fn any(&self) -> bool {
        self.read.iter().all(|read| *read > 0)
    }
}

/// Without the fallback servers that theirs took in and out again in one step. Ours does so at a
/// start too, unless the first server answers before the first table is written.
fn lasting(mails: Vec<Mail>) -> Vec<Mail> {
    let moment = |mail: &Mail, word: &str| {
        let (service, fallback) = mail.subject.split_once(word)?;
        let fallback = fallback.split(" (Weight set to ").next().unwrap_or(fallback);
        Some((service.to_owned(), fallback.to_owned()))
    };
    const IN: &str = "Added fallback server: ";
    const OUT: &str = "Deleted fallback server: ";
    let all =
        |word| -> BTreeSet<_> { mails.iter().filter_map(|mail| moment(mail, word)).collect() };
    let moments: BTreeSet<_> = all(IN).intersection(&all(OUT)).cloned().collect();
    let is_moment = |mail: &Mail| {
        [IN, OUT].iter().any(|word| moment(mail, word).is_some_and(|m| moments.contains(&m)))
    };
    mails.into_iter().filter(|mail| !is_moment(mail)).collect()
}

/// Repeated for as long as a server is out.
fn is_reminder(subject: &str) -> bool {
    subject.contains("Inaccessible real server: ")
}

/// Where the programs and the monitor files of a case write, on each host's own `/run`.
pub const LINES: &str = "/run/told";

/// What the programs and monitor files of both wrote.
pub struct Lines {
    folder: String,
    /// All that the record knows of theirs until the end of the step at hand.
    recorded: Vec<String>,
    /// How many were compared already.
    read: [usize; 2],
}

impl Lines {
    /// Of a case whose files are in this folder, which has another name each time: `@` here.
    pub fn of(folder: String) -> Lines {
        Lines { folder, recorded: Vec::new(), read: [0, 0] }
    }

    pub fn theirs_are(&mut self, lines: Vec<String>) {
        self.recorded = lines;
    }

    /// Waits until both wrote since the last step just what they should, in any order: programs
    /// of two services run side by side. Gives all that theirs wrote so far.
    pub fn compare(
        &mut self,
        event: &str,
        written: &[Vec<String>; 2],
        hosts: [Option<&Host>; 2],
        patience: Duration,
    ) -> Vec<String> {
        let is_decided = |amiss: &[Vec<String>; 2]| amiss.iter().all(Vec::is_empty);
        let lines = until_decided(event, patience, is_decided, || {
            let now = hosts.map(|host| host.map(|host| self.on(host)));
            let now = now.map(|lines| lines.unwrap_or_else(|| self.recorded.clone()));
            let amiss = [0, 1].map(|side: usize| {
                let news = now[side].iter().skip(self.read[side]).cloned().collect();
                let [more, missing] = apart(&[news, written[side].clone()]);
                let missing = missing.iter().map(|line| format!("missing: {line}"));
                more.into_iter().chain(missing).collect()
            });
            (amiss, now)
        });
        self.read = lines.each_ref().map(Vec::len);
        let [_, theirs] = lines;
        theirs
    }

    /// The lines on a host.
    fn on(&self, host: &Host) -> Vec<String> {
        let text = host.run(|| std::fs::read_to_string(LINES).unwrap_or_default());
        once_a_change(&text.replace(&format!("{}/", self.folder), "@/"))
    }
}

/// Lines as they count. Those of a monitor file, `[TIME] [PID] CHECK [up|down] WHY`, come with
/// each check: here without their head, and those that repeat the last one of their check not at
/// all.
fn once_a_change(text: &str) -> Vec<String> {
    let mut last = BTreeMap::new();
    let mut lines = Vec::new();
    for line in text.lines() {
        let found = line.strip_prefix('[').and_then(|line| line.splitn(3, "] ").nth(2));
        let Some(found) = found else {
            lines.push(line.to_owned());
            continue;
        };
        let state = [" [up] ", " [down] "].iter().find_map(|state| found.split_once(state));
        let check = state.map_or(found, |(check, _)| check);
        if last.insert(check, found) != Some(found) {
            lines.push(found.to_owned());
        }
    }
    lines
}

/// Waits until what was found is as decided, and nothing more comes; gives what it was found in.
fn until_decided<T: Debug, S: PartialEq>(
    event: &str,
    patience: Duration,
    is_decided: impl Fn(&[Vec<T>; 2]) -> bool,
    mut find: impl FnMut() -> ([Vec<T>; 2], S),
) -> S {
    let start = Instant::now();
    let mut since = start;
    let (_, mut last) = find();
    loop {
        std::thread::sleep(Duration::from_millis(200));
        let (only, now) = find();
        let good = is_decided(&only);
        if now != last || !good {
            since = Instant::now();
            last = now;
        }
        if good && since.elapsed() >= STILL {
            return last;
        }
        let [ours, theirs] = only;
        assert!(
            start.elapsed() < patience,
            "after {event}: only ours: {ours:#?}\nonly theirs: {theirs:#?}"
        );
    }
}

/// What is in only the one and only the other, as often as it is there more often.
fn apart<T: Ord + Clone>(both: &[Vec<T>; 2]) -> [Vec<T>; 2] {
    let only = |one: &Vec<T>, other: &Vec<T>| {
        let mut other = other.clone();
        let mut only = Vec::new();
        for item in one {
            match other.iter().position(|one| one == item) {
                Some(at) => drop(other.swap_remove(at)),
                None => only.push(item.clone()),
            }
        }
        only.sort();
        only
    };
    [only(&both[0], &both[1]), only(&both[1], &both[0])]
}

#[test]
fn what_is_said_more_often_is_said_by_one_alone() {
    let both = [vec!["a", "b", "b"], vec!["b", "c", "a"]];
    assert_eq!(apart(&both), [vec!["b"], vec!["c"]]);
}

#[test]
fn a_line_of_a_monitor_file_counts_when_its_check_finds_something_else() {
    let text = "start\nstart\n[Mon 7] [12] a [b] [up] -\n[Mon 8] [12] a [c] [up] 200 OK\n\
                [Mon 9] [12] a [b] [up] -\n[Mon 9] [13] a [b] [down] x\n[Mon 9] [13] a [b] [up] -\n";
    let expected =
        ["start", "start", "a [b] [up] -", "a [c] [up] 200 OK", "a [b] [down] x", "a [b] [up] -"];
    assert_eq!(once_a_change(text), expected);
}

#[test]
fn a_fallback_that_serves_for_a_moment_need_not_be_told() {
    let mail = |subject: &str| Mail {
        subject: subject.into(),
        envelope: String::new(),
        to: Vec::new(),
        head: Default::default(),
        body: String::new(),
    };
    let came = mail("[shop] Added fallback server: 127.0.0.1:80 (x) (Weight set to 1)");
    let went = mail("[shop] Deleted fallback server: 127.0.0.1:80 (x)");
    let other = mail("Deleted fallback server: 127.0.0.1:80 (x)");
    let left = lasting(vec![came.clone(), went, other.clone()]);
    assert_eq!(left, std::slice::from_ref(&other));
    assert_eq!(lasting(vec![came.clone(), other.clone()]), [came, other]);
}
