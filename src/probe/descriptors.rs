//! Open files for checks, and none of those that everything else needs.

use std::sync::OnceLock;

use nix::sys::resource::{Resource, getrlimit};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::miss::Miss;

/// Left to whom the director must be able to hear and to write whatever the checks do: callers,
/// files of state, the kernel, and the programs it runs, which have three pipes each.
const RESERVED: usize = 512;

/// One place for each open file that checks may have.
#[derive(Default)]
pub(super) struct Descriptors(OnceLock<Places>);

struct Places {
    free: Semaphore,
    /// The limit of open files.
    limit: usize,
}

impl Descriptors {
    /// So many places, until the value goes; or whose trouble it is that there are none.
    ///
    /// Nobody waits for one: with 10,000 servers that never answer it would be a long wait, and the
    /// check that waited would say nothing about its server.
    pub fn take(&self, number: u32) -> Result<SemaphorePermit<'_>, Miss> {
        let places = self.0.get_or_init(|| {
            let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((1024, 1024));
            Places::of(usize::try_from(limit).unwrap_or(usize::MAX))
        });
        places.take(number)
    }
}

impl Places {
    /// A small limit is shared evenly.
    fn of(limit: usize) -> Places {
        let places = limit.saturating_sub(RESERVED).max(limit / 2).min(Semaphore::MAX_PERMITS);
        Places { free: Semaphore::new(places), limit }
    }

    fn take(&self, number: u32) -> Result<SemaphorePermit<'_>, Miss> {
        self.free.try_acquire_many(number).map_err(|_| {
            let limit = self.limit;
            Miss::Local(format!(
                "other checks have all open files they may have: raise the limit of open files, \
                 which is {limit} (LimitNOFILE in the unit)"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_leave_open_files_to_the_others() {
        for (limit, places) in [(256, 128), (1024, 512), (4096, 3584), (usize::MAX, 1 << 20)] {
            let places_of = Places::of(limit);
            let held: Vec<_> = (0..places).map(|_| places_of.take(1).unwrap()).collect();
            let next = places_of.take(1);
            assert_eq!(next.is_err(), limit != usize::MAX, "{limit}");
            drop((held, next));
            assert!(places_of.take(2).is_ok());
        }
    }
}
