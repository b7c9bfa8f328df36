//! What both told their owner, side by side.

use std::collections::BTreeSet;
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
            (apart(&[0, 1].map(|side: usize| self.news(side, &mails[side]))), mails)
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

/// Repeated for as long as a server is out.
fn is_reminder(subject: &str) -> bool {
    subject.contains("Inaccessible real server: ")
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
