//! Traps: datagrams in, results to the loop.
//!
//! Nothing is ever sent back. A flood costs no check its time: no more than [`RATE`] datagrams a
//! second are looked at, the kernel drops what does not fit its buffer, and what the loop does
//! not take is counted. Passwords that are wrong cost little: [`HASHES`] a second are tried.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
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
    missed: Missed,
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
                received = socket.recv_from(&mut buffer) => match received {
                    Ok((length, from)) => {
                        self.take(&buffer[..length], from.ip().to_canonical()).await;
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

    async fn take(&mut self, datagram: &[u8], from: IpAddr) {
        match self.accepted(datagram, from).await {
            Ok(trap) => {
                tracing::debug!(%from, group = trap.group, service = trap.service, "trap");
                if self.traps.try_send(trap).is_err() {
                    self.missed.dropped += 1;
                }
            }
            Err(reason) => self.missed.refuse(|| format!("from {from}: {reason}")),
        }
    }

    async fn accepted(&mut self, datagram: &[u8], from: IpAddr) -> Result<Trap, String> {
        let rules = Arc::clone(&self.rules.borrow());
        let Message { user, password, trap } =
            parse_trap(datagram).map_err(|error| error.to_string())?;
        match rules.access.sender(from, &user) {
            Sender::Free => Ok(trap),
            Sender::UnknownHost => Err("no traps are taken from this host".to_owned()),
            Sender::UnknownUser => Err(format!("user {user:?} is not in the trap section")),
            Sender::Hash(hash) => match self.is_right(password, hash).await {
                true => Ok(trap),
                false => Err(format!("wrong password of user {user:?}, or too many to try")),
            },
        }
    }

    async fn is_right(&mut self, password: String, hash: &str) -> bool {
        if self.known.get(hash).is_some_and(|known| same(known, &password)) {
            return true;
        }
        if password.is_empty() || self.hashes.spend(Instant::now()).is_err() {
            return false;
        }
        let (tried, with) = (password.clone(), hash.to_owned());
        let is_right = spawn_blocking(move || verify(&tried, &with)).await.unwrap_or(false);
        if is_right {
            if self.known.len() >= MAX_KNOWN {
                self.known.clear();
            }
            self.known.insert(hash.to_owned(), password);
        }
        is_right
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
