//! What the resolver calls an address.
//!
//! Look-ups block, for seconds where a name server is dead, so they have a thread of their own;
//! whoever asks gets what is known by now and asks again later.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

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

impl Hosts {
    /// Starts the thread that asks `resolve`. It ends with the value.
    pub fn start(resolve: Resolve) -> Hosts {
        let (questions, asked) = sync_channel::<Vec<IpAddr>>(1);
        let known = Arc::new(Mutex::new(HashMap::new()));
        let answers = known.clone();
        let work = move || {
            for address in asked.into_iter().flatten() {
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
    pub fn names(&self, addresses: &BTreeSet<IpAddr>) -> Vec<(IpAddr, String)> {
        let (mut names, mut open) = (Vec::new(), Vec::new());
        let now = Instant::now();
        let known = lock(&self.known);
        for address in addresses {
            let answer = known.get(address);
            if answer.is_none_or(|known| known.until <= now) {
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
        names
    }
}

fn lock(known: &Mutex<HashMap<IpAddr, Known>>) -> MutexGuard<'_, HashMap<IpAddr, Known>> {
    // A map of answers is never half changed.
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks the system's resolver.
pub fn by_system(address: IpAddr) -> Option<String> {
    // Where there is no name it answers with the address.
    dns_lookup::lookup_addr(&address).ok().filter(|name| name.parse::<IpAddr>().is_err())
}
