//! What the resolver calls an address.
//!
//! Look-ups block, for seconds where a name server is dead, so they have a thread of their own;
//! whoever asks gets what is known by now and asks again later.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::mutex::lock;

/// How long an answer is good for. Afterwards it holds until there is another.
const GOOD_FOR: Duration = Duration::from_secs(600);
/// When an address without a name is looked up again.
const AGAIN_AFTER: Duration = Duration::from_secs(60);

/// Asks for the name of an address; `None` where it has none.
pub type Resolve = fn(IpAddr) -> Option<String>;

/// The names of addresses, as far as they are known.
#[derive(Debug)]
pub struct Hosts {
    known: Arc<Mutex<HashMap<IpAddr, Known>>>,
    questions: SyncSender<Vec<IpAddr>>,
}

#[derive(Debug)]
struct Known {
    host: Option<String>,
    until: Instant,
}

/// What is known of some addresses by now.
#[derive(Debug)]
pub struct Answers {
    pub names: Vec<(IpAddr, String)>,
    /// Whether there was an answer for each of them, if only that it has no name.
    pub are_complete: bool,
}

impl Hosts {
    /// Starts the thread that asks `resolve`. It ends with the value.
    pub fn start(resolve: Resolve) -> Hosts {
        let (questions, asked) = sync_channel::<Vec<IpAddr>>(1);
        let known = Arc::new(Mutex::new(HashMap::new()));
        let answers = known.clone();
        let work = move || {
            for address in asked.into_iter().flatten() {
                // Whoever asks again while this is busy asks for what is answered meanwhile.
                if lock(&answers).get(&address).is_some_and(Known::is_good) {
                    continue;
                }
                let host = resolve(address);
                let good_for = if host.is_some() { GOOD_FOR } else { AGAIN_AFTER };
                let answer = Known { host, until: Instant::now() + good_for };
                lock(&answers).insert(address, answer);
            }
        };
        if let Err(error) = thread::Builder::new().name("hosts".into()).spawn(work) {
            tracing::error!(%error, "no look-up of host names for maintenance files");
        }
        Hosts { known, questions }
    }

    /// The names of these addresses that are known. Those that are not, or not any more, are
    /// looked up.
    pub fn names(&self, addresses: &BTreeSet<IpAddr>) -> Answers {
        let (mut names, mut open, mut are_complete) = (Vec::new(), Vec::new(), true);
        let known = lock(&self.known);
        for address in addresses {
            let answer = known.get(address);
            are_complete &= answer.is_some();
            if !answer.is_some_and(Known::is_good) {
                open.push(*address);
            }
            names.extend(answer.and_then(|a| Some((*address, a.host.clone()?))));
        }
        drop(known);
        if !open.is_empty() {
            match self.questions.try_send(open) {
                // Full: it is busy, and whoever asked will ask again. Disconnected: it was said
                // when the thread could not start.
                Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
            }
        }
        Answers { names, are_complete }
    }
}

impl Known {
    fn is_good(&self) -> bool {
        Instant::now() < self.until
    }
}

/// Asks the system's resolver.
pub fn by_system(address: IpAddr) -> Option<String> {
    // Where there is no name it answers with the address.
    dns_lookup::lookup_addr(&address).ok().filter(|name| name.parse::<IpAddr>().is_err())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn until(what: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !what() {
            assert!(Instant::now() < deadline, "nobody answers");
            thread::yield_now();
        }
    }

    #[test]
    fn who_asks_again_while_the_resolver_is_busy_does_not_make_it_look_twice() {
        static GATE: Mutex<()> = Mutex::new(());
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let (one, other) = (IpAddr::from([10, 0, 0, 7]), IpAddr::from([10, 0, 0, 8]));
        let shut = GATE.lock().unwrap();
        let hosts = Hosts::start(|_| {
            ASKED.fetch_add(1, Ordering::SeqCst);
            drop(GATE.lock());
            None
        });
        assert!(!hosts.names(&[one].into()).are_complete);
        until(|| ASKED.load(Ordering::SeqCst) == 1);
        // Waits in the queue until there is an answer.
        assert!(!hosts.names(&[one].into()).are_complete);
        drop(shut);
        // Comes after it in the queue.
        until(|| hosts.names(&[other].into()).are_complete);
        let answers = hosts.names(&[one, other].into());
        assert!(answers.are_complete, "no name is an answer");
        assert!(answers.names.is_empty());
        assert_eq!(ASKED.load(Ordering::SeqCst), 2);
    }
}
