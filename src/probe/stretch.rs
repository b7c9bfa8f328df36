//! A key made of a password by many rounds of hashing: work of tens of milliseconds, which is
//! plain data until somebody does it, so that a dialogue can ask for it and stay pure.
//!
//! The loop's thread must not do it: every probe, and the engine itself, would wait.

use std::num::NonZeroU32;
use std::time::Duration;

use aws_lc_rs::pbkdf2::{PBKDF2_HMAC_SHA256, derive};
use tokio::sync::{Semaphore, oneshot};

use super::evidence;
use super::miss::{Miss, Phase, Progress};

/// Keys made at once. They need a processor each; more would take it from the rest of the host.
const AT_ONCE: usize = 4;

static PLACES: Semaphore = Semaphore::const_new(AT_ONCE);

/// What comes of it, PBKDF2 with SHA-256.
pub(super) type StretchedKey = [u8; 32];

/// The work: RFC 8018 section 5.2.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Stretch {
    pub password: String,
    pub salt: Vec<u8>,
    /// Whoever sets them has bounded them: a thread at work cannot be called off.
    pub rounds: NonZeroU32,
}

impl Stretch {
    /// Does the work here and now.
    pub fn work(&self) -> StretchedKey {
        let mut key = [0; 32];
        derive(PBKDF2_HMAC_SHA256, self.rounds, &self.salt, self.password.as_bytes(), &mut key);
        key
    }

    /// Has a thread do it that may block. Waits as long as the caller lets it.
    pub async fn elsewhere(self, progress: &Progress) -> Result<StretchedKey, Miss> {
        let phase = progress.phase();
        progress.enter(Phase::Turn);
        let place = PLACES.acquire().await;
        let (begins, begun) = oneshot::channel();
        let work = tokio::task::spawn_blocking(move || {
            // Held by the thread, not by the probe: a probe that gave up has not freed it.
            let _place = place;
            // Fails where nobody waits any more.
            let _ = begins.send(());
            self.work()
        });
        // A place is not yet a thread: files that hang may hold them all. Where the work is
        // dropped unbegun, its own end says so.
        let _ = begun.await;
        progress.enter(phase);
        work.await.map_err(|_| Miss::Local("login: the computation was broken off".into()))
    }
}

/// Why a probe that waited for its turn until its time was up says nothing about its server.
pub(super) fn no_turn(limit: Duration) -> Miss {
    let limit = evidence::duration(limit);
    Miss::Local(format!("login: no thread to compute on within {limit}: others keep them busy"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::Stuck;
    use std::pin::pin;

    use tokio::time::timeout;

    fn stretch(rounds: u32) -> Stretch {
        let rounds = NonZeroU32::new(rounds).unwrap();
        Stretch { password: "password".into(), salt: b"salt".into(), rounds }
    }

    /// RFC 7914 section 11 has the first test vectors for SHA-256; these are the well-known ones
    /// of RFC 6070 computed with it.
    #[tokio::test]
    async fn a_key_is_the_same_wherever_it_is_made() {
        let key = stretch(2).work();
        assert_eq!(key[..4], [0xae, 0x4d, 0x0c, 0x95]);
        assert_eq!(stretch(2).elsewhere(&Progress::default()).await, Ok(key));
    }

    #[tokio::test]
    async fn a_long_computation_is_not_done_on_the_loop() {
        let progress = Progress::default();
        let mut work = pin!(stretch(1_000_000).elsewhere(&progress));
        // One that is done here is done at the first look.
        let soon = timeout(Duration::ZERO, &mut work).await;
        assert!(soon.is_err(), "{soon:?}");
        assert!(work.await.is_ok());
    }

    /// All threads that may block do, as on a disk that hangs: the server waits for us, not we
    /// for it.
    #[test]
    fn a_computation_that_gets_no_thread_is_not_held_against_the_server() {
        Stuck::run(async |stuck| {
            let (progress, limit) = (Progress::default(), Duration::from_millis(20));
            progress.enter(Phase::PgsqlLogin);
            let mut work = pin!(stretch(2).elsewhere(&progress));
            assert!(timeout(limit, &mut work).await.is_err());
            assert_eq!(progress.timed_out(limit), no_turn(limit));
            stuck.end().await;
            assert_eq!(work.await, Ok(stretch(2).work()));
            assert_eq!(progress.phase(), Phase::PgsqlLogin);
        });
    }

    #[test]
    fn a_probe_that_never_had_its_turn_is_not_held_against_its_server() {
        let progress = Progress::default();
        progress.enter(Phase::Turn);
        let limit = Duration::from_secs(3);
        assert_eq!(progress.timed_out(limit), no_turn(limit));
    }
}
