//! Traps: datagrams in, results to the loop.
//!
//! Nothing is ever sent back. A flood costs no check its time: no more than [`RATE`] datagrams a
//! second are looked at, the kernel drops what does not fit its buffer, and what the loop does
//! not take is counted. Passwords that are wrong cost little: [`HASHES`] a second are tried, one
//! at a time and off this task, while traps that need no hash go on.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::Rules;
use super::protocol::{Message, Sender, parse_trap, verify};
use crate::model::Trap;

/// Datagrams that are looked at in a second.
const RATE: u32 = 1000;
/// Hashes that are tried in a second; each may take a hundredth of one.
const HASHES: u32 = 20;
/// What UDP can carry.
const MAX_DATAGRAM: usize = 65_535;
/// Traps that may wait for theirs.
const WAITING: usize = 64;
/// How often it is told what was dropped and refused.
const TELLING: Duration = Duration::from_secs(1);
/// Passwords of the past that are remembered so as not to be tried again; a trap section has few.
const MAX_KNOWN: usize = 256;

/// Receives traps until `shutdown` is ready.
pub async fn serve_traps(
    socket: UdpSocket,
    rules: watch::Receiver<Arc<Rules>>,
    traps: mpsc::Sender<Trap>,
    shutdown: impl Future<Output = ()>,
) {
    let mut desk = Desk {
        rules,
        traps,
        looks: Budget::new(RATE),
        hashes: Budget::new(HASHES),
        known: BTreeMap::new(),
        waiting: VecDeque::new(),
        trying: None,
        missed: Missed::default(),
    };
    tokio::select! {
        () = desk.receive(socket) => {}
        () = shutdown => {}
    }
}

struct Desk {
    rules: watch::Receiver<Arc<Rules>>,
    traps: mpsc::Sender<Trap>,
    looks: Budget,
    hashes: Budget,
    /// Passwords that were right, by their hash.
    known: BTreeMap<String, String>,
    /// Traps whose password is not known yet, in their order; the first one's is being tried.
    waiting: VecDeque<Claim>,
    trying: Option<JoinHandle<bool>>,
    missed: Missed,
}

/// A trap, and the password that is to be the one of this hash.
struct Claim {
    trap: Trap,
    from: IpAddr,
    user: String,
    password: String,
    hash: String,
}

/// What came of a second's datagrams that came to nothing.
#[derive(Default)]
struct Missed {
    /// The loop's queue was full.
    dropped: u64,
    refused: u64,
    /// The first of them.
    reason: Option<String>,
}

impl Desk {
    async fn receive(&mut self, socket: UdpSocket) {
        let mut buffer = vec![0; MAX_DATAGRAM];
        let mut telling = interval(TELLING);
        telling.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = telling.tick() => self.missed.tell(),
                is_right = tried(&mut self.trying) => self.judge(is_right),
                received = socket.recv_from(&mut buffer) => match received {
                    Ok((length, from)) => {
                        self.take(&buffer[..length], from.ip().to_canonical());
                        if let Err(until) = self.looks.spend(Instant::now()) {
                            sleep_until(until).await;
                        }
                    }
                    Err(error) => {
                        tracing::warn!(%error, "traps cannot be received");
                        sleep_until(Instant::now() + TELLING).await;
                    }
                }
            }
        }
    }

    fn take(&mut self, datagram: &[u8], from: IpAddr) {
        match self.sort(datagram, from) {
            Ok(Some(trap)) => self.hand_on(trap, from),
            Ok(None) => {}
            Err(reason) => self.missed.refuse(|| format!("from {from}: {reason}")),
        }
    }

    /// The trap, where it may be handed on at once; none where its password is to be tried first.
    fn sort(&mut self, datagram: &[u8], from: IpAddr) -> Result<Option<Trap>, String> {
        let rules = Arc::clone(&self.rules.borrow());
        let Message { user, password, trap } =
            parse_trap(datagram).map_err(|error| error.to_string())?;
        match rules.access.sender(from, &user) {
            Sender::Free => Ok(Some(trap)),
            Sender::UnknownHost => Err("no traps are taken from this host".to_owned()),
            Sender::UnknownUser => Err(format!("user {user:?} is not in the trap section")),
            Sender::Hash(hash) => {
                let claim = Claim { trap, from, user, password, hash: hash.to_owned() };
                match self.is_known(&claim) {
                    true => Ok(Some(claim.trap)),
                    false => self.have_tried(claim).map(|()| None),
                }
            }
        }
    }

    fn is_known(&self, claim: &Claim) -> bool {
        self.known.get(&claim.hash).is_some_and(|known| same(known, &claim.password))
    }

    fn have_tried(&mut self, claim: Claim) -> Result<(), String> {
        if claim.password.is_empty() {
            return Err(format!("no password of user {:?}", claim.user));
        }
        if self.waiting.len() >= WAITING || self.hashes.spend(Instant::now()).is_err() {
            return Err(format!("too many passwords to try, of user {:?} the last", claim.user));
        }
        self.waiting.push_back(claim);
        self.try_next();
        Ok(())
    }

    fn try_next(&mut self) {
        if let (None, Some(first)) = (&self.trying, self.waiting.front()) {
            let (password, hash) = (first.password.clone(), first.hash.clone());
            self.trying = Some(spawn_blocking(move || verify(&password, &hash)));
        }
    }

    /// The password of the first that waits has been tried.
    fn judge(&mut self, is_right: bool) {
        self.trying = None;
        let Some(Claim { trap, from, user, password, hash }) = self.waiting.pop_front() else {
            return;
        };
        if is_right {
            self.hand_on(trap, from);
            if self.known.len() >= MAX_KNOWN {
                self.known.clear();
            }
            self.known.insert(hash, password);
            self.hand_on_known();
        } else {
            self.missed.refuse(|| format!("from {from}: wrong password of user {user:?}"));
        }
        self.try_next();
    }

    /// Those of the same sender go first: no later trap of his is to overtake them.
    fn hand_on_known(&mut self) {
        for claim in std::mem::take(&mut self.waiting) {
            match self.is_known(&claim) {
                true => self.hand_on(claim.trap, claim.from),
                false => self.waiting.push_back(claim),
            }
        }
    }

    fn hand_on(&mut self, trap: Trap, from: IpAddr) {
        tracing::debug!(%from, group = trap.group, service = trap.service, "trap");
        if self.traps.try_send(trap).is_err() {
            self.missed.dropped += 1;
        }
    }
}

/// How the try under way ends; never without one.
async fn tried(trying: &mut Option<JoinHandle<bool>>) -> bool {
    match trying {
        Some(task) => task.await.unwrap_or(false),
        None => std::future::pending().await,
    }
}

/// Takes as long for any two of one length.
fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    aws_lc_rs::constant_time::verify_slices_are_equal(one, other).is_ok()
}

impl Missed {
    fn refuse(&mut self, reason: impl FnOnce() -> String) {
        self.refused += 1;
        self.reason.get_or_insert_with(reason);
    }

    fn tell(&mut self) {
        let Missed { dropped, refused, reason } = std::mem::take(self);
        if dropped > 0 {
            tracing::warn!(dropped, "traps come faster than they are taken");
        }
        if let Some(reason) = reason {
            tracing::warn!(refused, first = reason, "traps refused");
        }
    }
}

/// So many in a second, and no more.
struct Budget {
    most: u32,
    left: u32,
    /// When there will be as many again.
    renewed: Option<Instant>,
}

impl Budget {
    fn new(most: u32) -> Budget {
        Budget { most, left: most, renewed: None }
    }

    /// Takes one; an error, and when there is one again, where none is left.
    fn spend(&mut self, now: Instant) -> Result<(), Instant> {
        let renewed = match self.renewed {
            Some(renewed) if now < renewed => renewed,
            _ => {
                self.left = self.most;
                now + TELLING
            }
        };
        self.renewed = Some(renewed);
        self.left = self.left.checked_sub(1).ok_or(renewed)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_budget_is_spent_in_a_second() {
        let start = Instant::now();
        let mut budget = Budget::new(2);
        assert_eq!([budget.spend(start), budget.spend(start)], [Ok(()); 2]);
        let again = start + TELLING;
        assert_eq!(budget.spend(start + TELLING / 2), Err(again));
        assert_eq!(budget.spend(again), Ok(()));
    }
}
