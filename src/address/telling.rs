//! When the neighbours of one address are told of it.

use crate::model::{Announce, Time};

/// Where a round of announcements stands.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Telling {
    /// Announcements left of this round.
    left: u8,
    /// When the next one is due.
    next: Option<Time>,
    /// When a second round begins.
    again: Option<Time>,
}

impl Telling {
    /// Begins a round, whatever became of the last one.
    pub(super) fn start(announce: &Announce, now: Time) -> Telling {
        match announce.count {
            0 => Telling::default(),
            count => Telling {
                left: count,
                next: Some(now),
                again: announce.again.map(|after| now + after),
            },
        }
    }

    pub(super) fn next(&self) -> Option<Time> {
        self.next
    }

    pub(super) fn left(&self) -> u8 {
        self.left
    }

    /// One was sent.
    pub(super) fn sent(&mut self, announce: &Announce, now: Time) {
        self.left = self.left.saturating_sub(1);
        if self.left > 0 {
            return;
        }
        match (self.again.take(), announce.refresh) {
            (Some(at), _) => {
                self.left = announce.count;
                self.next = Some(at.max(now));
            }
            (None, Some(every)) => {
                self.left = 1;
                self.next = Some(now + every);
            }
            (None, None) => self.next = None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    /// The seconds at which something is sent until the end of a minute.
    fn sent(announce: &Announce) -> Vec<u64> {
        let mut telling = Telling::start(announce, at(1));
        let mut sent = Vec::new();
        while let Some(next) = telling.next().filter(|next| *next <= at(60)) {
            sent.push(next.seconds());
            telling.sent(announce, next);
        }
        sent
    }

    #[test]
    fn five_at_once_and_five_more_after_five_seconds() {
        assert_eq!(sent(&Announce::default()), [1, 1, 1, 1, 1, 6, 6, 6, 6, 6]);
    }

    #[test]
    fn a_refresh_goes_on_for_ever() {
        let refresh = Some(Duration::from_secs(20));
        let announce = Announce { count: 2, again: None, refresh };
        assert_eq!(sent(&announce), [1, 1, 21, 41]);
    }

    #[test]
    fn who_wants_none_sends_none() {
        let refresh = Some(Duration::from_secs(1));
        assert!(sent(&Announce { count: 0, again: refresh, refresh }).is_empty());
    }
}
