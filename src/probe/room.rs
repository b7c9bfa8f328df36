//! Bound what all probes together hold of what servers sent.
//!
//! One body is bounded by its limit; twenty thousand of them at once are not, by that. Small
//! ones, which is nearly every page made for a check, are held freely; a probe with more asks
//! for room first, and while there is none it stops reading, which stops its server.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::evidence;
use super::miss::{Miss, Phase, Progress};

/// A body up to this many bytes needs no room of its own.
const FREE: usize = 16 * 1024;

/// Room for the larger bodies of all probes, in units of 1 KiB.
const TOTAL: usize = 256 * 1024;

/// The room for large bodies.
pub(super) struct Room(Semaphore);

impl Default for Room {
    fn default() -> Room {
        Room(Semaphore::new(TOTAL))
    }
}

/// What was read of a body, and its share of the room.
#[derive(Default)]
pub(super) struct Held<'a> {
    share: Option<SemaphorePermit<'a>>,
}

impl<'a> Held<'a> {
    /// Makes sure that a body that has grown to `length` bytes may grow on, up to `limit`.
    pub async fn grow(
        &mut self,
        room: &'a Room,
        length: usize,
        limit: usize,
        progress: &Progress,
    ) -> Result<(), Miss> {
        if length <= FREE || self.share.is_some() {
            return Ok(());
        }
        let phase = progress.phase();
        progress.enter(Phase::Room);
        // A limit above all the room there is gets all of it, and its time to itself.
        let units = u32::try_from(limit.div_ceil(1024).min(TOTAL)).unwrap_or(u32::MAX);
        let share = room.0.acquire_many(units).await;
        self.share = Some(share.map_err(|_| Miss::Local("body: the director is stopping".into()))?);
        progress.enter(phase);
        Ok(())
    }
}

/// Why a probe that waited for room until its time was up says nothing about its server.
pub(super) fn none_left(limit: Duration) -> Miss {
    Miss::Local(format!(
        "body: no room within {}: probes already hold {} MiB of large answers",
        evidence::duration(limit),
        TOTAL / 1024
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::timeout;

    #[tokio::test(start_paused = true)]
    async fn a_large_body_waits_for_room_and_a_small_one_does_not() {
        let room = Room::default();
        let (progress, limit) = (Progress::default(), Duration::from_secs(1));
        let mut greedy = Held::default();
        greedy.grow(&room, FREE + 1, usize::MAX, &progress).await.unwrap();
        assert_eq!(Held::default().grow(&room, FREE, 1 << 20, &progress).await, Ok(()));
        let mut late = Held::default();
        let waits = timeout(limit, late.grow(&room, FREE + 1, 1 << 20, &progress)).await;
        assert!(waits.is_err());
        assert_eq!(progress.timed_out(limit), none_left(limit));
        drop(greedy);
        assert_eq!(late.grow(&room, FREE + 1, 1 << 20, &progress).await, Ok(()));
    }
}
