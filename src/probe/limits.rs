//! The time limits of all probes, under one timer.
//!
//! A timer of the runtime's that is set nearer than the nearest before it wakes the runtime, by a
//! system call; where servers answer at once, that is nearly every probe's. This one is set for the
//! first limit, and stays set though that probe has long ended: it is set anew when it has rung, and
//! for a limit that is nearer.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use super::FOREVER;
use crate::mutex::lock;

/// Who waits for which limit. Clones share the timer.
#[derive(Clone, Default)]
pub(super) struct Limits {
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Default)]
struct Waiting {
    /// By their limits, and numbers where those are equal.
    wakers: BTreeMap<(Instant, u64), Waker>,
    last: u64,
    /// What the timer is set for, and its task.
    timer: Option<(Instant, AbortHandle)>,
}

impl Limits {
    /// What `work` comes to, or nothing when that takes longer.
    pub async fn within<T>(&self, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
        self.by(Instant::now() + limit.min(FOREVER), work).await
    }

    /// What `work` comes to, or nothing when it is not done by then. To be called in a tokio
    /// runtime with time.
    pub async fn by<T>(&self, limit: Instant, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        let mut wait = Wait { limits: self, limit, number: None };
        poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => wait.poll(context).map(|()| None),
        })
        .await
    }

    /// Wakes those whose time is up. Returns for when the timer is to be set next, if anybody
    /// waits.
    fn ring(&self) -> Option<Instant> {
        let mut waiting = lock(&self.waiting);
        let later = waiting.wakers.split_off(&(Instant::now(), u64::MAX));
        let due = std::mem::replace(&mut waiting.wakers, later);
        let next = waiting.wakers.keys().next().map(|(limit, _)| *limit);
        waiting.timer = waiting.timer.take().zip(next).map(|((_, task), next)| (next, task));
        drop(waiting);
        due.into_values().for_each(Waker::wake);
        next
    }
}

impl Waiting {
    /// Sees to it that the timer rings by then.
    fn ring_by(&mut self, limit: Instant, limits: &Limits) {
        // The task of a runtime that is gone rings no more.
        let rings = |(at, task): &(Instant, AbortHandle)| *at <= limit && !task.is_finished();
        if self.timer.as_ref().is_some_and(rings) {
            return;
        }
        let limits = limits.clone();
        let task = tokio::spawn(async move {
            let mut next = Some(limit);
            while let Some(limit) = next {
                sleep_until(limit).await;
                next = limits.ring();
            }
        });
        if let Some((_, later)) = self.timer.replace((limit, task.abort_handle())) {
            later.abort();
        }
    }
}

/// One probe's waiting for its limit.
struct Wait<'a> {
    limits: &'a Limits,
    limit: Instant,
    /// Once it waits.
    number: Option<u64>,
}

impl Wait<'_> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut waiting = lock(&self.limits.waiting);
        let Some(number) = self.number else {
            waiting.last += 1;
            let number = *self.number.insert(waiting.last);
            waiting.wakers.insert((self.limit, number), context.waker().clone());
            waiting.ring_by(self.limit, self.limits);
            return Poll::Pending;
        };
        match waiting.wakers.get_mut(&(self.limit, number)) {
            Some(waker) => {
                waker.clone_from(context.waker());
                Poll::Pending
            }
            None => Poll::Ready(()),
        }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            lock(&self.limits.waiting).wakers.remove(&(self.limit, number));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::sleep;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn each_ends_at_its_own_limit() {
        let (limits, began) = (Limits::default(), Instant::now());
        let ends = |after: u32| {
            let limits = limits.clone();
            async move {
                let done = limits.by(began + SECOND * after, pending::<()>()).await;
                (done, began.elapsed())
            }
        };
        // Later ones, nearer ones, and two at once.
        let (a, b, c, d, e) = tokio::join!(ends(3), ends(5), ends(1), ends(3), ends(2));
        let at = |after: u32| (None, SECOND * after);
        assert_eq!([a, b, c, d, e], [at(3), at(5), at(1), at(3), at(2)]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_done_in_time_waits_for_no_limit() {
        let (limits, began) = (Limits::default(), Instant::now());
        let quick = limits.by(began + SECOND * 10, sleep(SECOND)).await;
        assert_eq!((quick, began.elapsed()), (Some(()), SECOND));
        // A limit that is over is no reason not to look.
        assert_eq!(limits.by(began, async { 7 }).await, Some(7));
        assert_eq!(limits.by(began, pending::<()>()).await, None);
        assert!(lock(&limits.waiting).wakers.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_timer_stays_set_for_those_that_come_later() {
        let (limits, began) = (Limits::default(), Instant::now());
        let set = || lock(&limits.waiting).timer.as_ref().map(|(at, task)| (*at, task.id()));
        let mut first = None;
        for _ in 0..900 {
            let step = Duration::from_millis(1);
            assert_eq!(limits.by(Instant::now() + SECOND, sleep(step)).await, Some(()));
            first = first.or_else(set);
            assert_eq!(set(), first);
        }
        // Nobody waits when it rings: it is over, and the next one sets it anew.
        sleep(SECOND).await;
        assert_eq!(set(), None);
        assert_eq!(limits.by(began + SECOND * 5, pending::<()>()).await, None);
        assert_eq!(began.elapsed(), SECOND * 5);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_dropped_is_forgotten() {
        let (limits, began) = (Limits::default(), Instant::now());
        let forgotten = limits.by(began + SECOND, pending::<()>());
        let kept = limits.by(began + SECOND * 2, pending::<()>());
        tokio::select! {
            biased;
            _ = forgotten => panic!("its time is not up"),
            () = tokio::task::yield_now() => {}
        }
        assert!(lock(&limits.waiting).wakers.is_empty());
        assert_eq!(kept.await, None);
        assert_eq!(began.elapsed(), SECOND * 2);
    }

    #[test]
    fn the_next_runtime_sets_a_timer_of_its_own() {
        let limits = Limits::default();
        for _ in 0..2 {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_time().start_paused(true).build().unwrap();
            runtime.block_on(async {
                let began = Instant::now();
                let left = limits.by(began + SECOND * 60, pending::<()>());
                tokio::select! {
                    biased;
                    _ = left => panic!("its time is not up"),
                    done = limits.by(began + SECOND * 61, sleep(SECOND)) => assert!(done.is_some()),
                }
            });
        }
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        let done = runtime
            .block_on(async { limits.by(Instant::now() + SECOND * 90, pending::<()>()).await });
        assert_eq!(done, None);
    }
}
