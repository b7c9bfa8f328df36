//! Those who look: what they are shown is made on the loop, and must not keep it from its work.
//!
//! A scene of 10,000 services takes it milliseconds, and any client may ask for one after another.
//! So they wait: after each scene for so many times what it took.

use std::collections::VecDeque;
use std::time::Instant;

use tokio::sync::oneshot;

use crate::mon::protocol::{Parts, Scene};

/// Of the loop's time at most one part in so many, and one.
const SPACING: u32 = 9;

/// A look that waits, and the way back.
type Look = (Parts, oneshot::Sender<Scene>);

/// One a client at most, so that they need no other bound.
#[derive(Default)]
pub struct Looks {
    waiting: VecDeque<Look>,
    not_before: Option<Instant>,
}

impl Looks {
    pub fn add(&mut self, parts: Parts, reply: oneshot::Sender<Scene>) {
        self.waiting.push_back((parts, reply));
    }

    /// The next one, if there is time for it. Who has given up is passed over.
    pub fn next(&mut self, now: Instant) -> Option<Look> {
        self.waiting.retain(|(_, reply)| !reply.is_closed());
        match self.not_before {
            Some(not_before) if now < not_before => None,
            _ => self.waiting.pop_front(),
        }
    }

    /// A scene was made.
    pub fn shown(&mut self, began: Instant, now: Instant) {
        self.not_before = Some(now + (now - began) * SPACING);
    }

    /// When to come back.
    pub fn due(&self) -> Option<Instant> {
        self.waiting.front()?;
        Some(self.not_before.unwrap_or_else(Instant::now))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn who_looks_again_and_again_has_a_tenth_of_the_time() {
        let mut looks = Looks::default();
        let start = Instant::now();
        let mut answers = Vec::new();
        for _ in 0..3 {
            let (reply, answer) = oneshot::channel();
            looks.add(Parts::default(), reply);
            answers.push(answer);
        }
        assert!(looks.next(start).is_some());
        let took = Duration::from_millis(20);
        looks.shown(start, start + took);
        assert!(looks.next(start + 9 * took).is_none());
        assert_eq!(looks.due(), Some(start + 10 * took));
        // The second has given up meanwhile.
        drop(answers.remove(1));
        assert!(looks.next(start + 10 * took).is_some());
        assert!(looks.waiting.is_empty() && looks.due().is_none());
    }
}
