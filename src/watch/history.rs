//! The last alerts and failures.

use std::collections::VecDeque;

use super::occasion::Occasion;
use crate::model::{AlertNote, FailureNote, Time, WatchKey};

pub(super) struct Histories {
    /// Each keeps one more than this, as mon's do.
    length: usize,
    pub alerts: VecDeque<AlertNote>,
    pub failures: VecDeque<FailureNote>,
}

/// Whatever a client asks for, no more is kept.
const LONGEST: usize = 100_000;

impl Histories {
    pub fn new(length: usize) -> Histories {
        let length = length.min(LONGEST);
        Histories { length, alerts: VecDeque::new(), failures: VecDeque::new() }
    }

    pub fn length(&self) -> usize {
        self.length
    }

    pub fn set_length(&mut self, length: usize) {
        self.length = length.min(LONGEST);
        keep(&mut self.alerts, self.length + 1);
        keep(&mut self.failures, self.length + 1);
    }

    pub fn push_alert(&mut self, note: AlertNote) {
        self.alerts.push_back(note);
        keep(&mut self.alerts, self.length + 1);
    }

    /// These came before all that are there, the latest first; as many as there is room for.
    pub fn begin_with(&mut self, earlier: impl Iterator<Item = AlertNote>) {
        let room = (self.length + 1).saturating_sub(self.alerts.len());
        earlier.take(room).for_each(|note| self.alerts.push_front(note));
    }

    pub fn push_failure(&mut self, note: FailureNote) {
        self.failures.push_back(note);
        keep(&mut self.failures, self.length + 1);
    }
}

fn keep<T>(notes: &mut VecDeque<T>, most: usize) {
    let surplus = notes.len().saturating_sub(most);
    notes.drain(..surplus);
}

/// Reads what [`AlertNote::line`] wrote; `None` for anything else.
pub(super) fn parse_alert_line(line: &str) -> Option<AlertNote> {
    let mut words = line.splitn(5, ' ');
    let kind = Occasion::from_word(words.next()?)?.word();
    let key = WatchKey::new(words.next()?, words.next()?);
    let seconds = words.next()?.parse().ok()?;
    let (path, rest) = words.next()?.split_once(" (")?;
    let (words, summary) = rest.split_once(") ").or_else(|| Some((rest.strip_suffix(')')?, "")))?;
    Some(AlertNote {
        kind,
        key,
        at: Time::after_epoch(std::time::Duration::from_secs(seconds)),
        path: path.to_owned(),
        words: words.to_owned(),
        summary: summary.to_owned(),
    })
}
