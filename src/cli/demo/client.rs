//! The client that never stops asking.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::stage::Place;
use super::trouble;
use crate::cli::exit::Failure;
use crate::mutex::lock;

/// From one request to the next: 50 a second.
const PACE: Duration = Duration::from_millis(20);
/// For a connection, and for an answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// One request: when it was sent, and the name of the server that answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    pub at: Instant,
    pub by: Option<String>,
}

/// Whom the client asks.
pub enum Target {
    /// The virtual service; the kernel forwards.
    Service(SocketAddr),
    /// The servers themselves, as a table says that is not a kernel's.
    Table(Arc<Mutex<Rotation>>),
}

/// Weighted round robin over the rows of a table, smoothly: of weights 2 and 1 the first is
/// never asked more than twice in a row.
#[derive(Default)]
pub struct Rotation {
    rows: Vec<(SocketAddr, u32, i64)>,
}

impl Rotation {
    /// Takes over a table's rows; those that stay keep their turn.
    pub fn set(&mut self, rows: impl IntoIterator<Item = (SocketAddr, u32)>) {
        let turn = |address| {
            self.rows.iter().find(|(known, _, _)| *known == address).map_or(0, |(_, _, turn)| *turn)
        };
        self.rows = rows.into_iter().map(|(row, weight)| (row, weight, turn(row))).collect();
    }

    /// The next in turn; nobody when no row has weight.
    pub fn next(&mut self) -> Option<SocketAddr> {
        let total: i64 = self.rows.iter().map(|(_, weight, _)| i64::from(*weight)).sum();
        for (_, weight, turn) in &mut self.rows {
            *turn += i64::from(*weight);
        }
        let able = self.rows.iter_mut().filter(|(_, weight, _)| *weight > 0);
        let (address, _, turn) = able.max_by_key(|(_, _, turn)| *turn)?;
        *turn -= total;
        Some(*address)
    }
}

/// Asks until it is told to stop.
pub struct Client {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<Asked>>>,
}

impl Client {
    pub fn start(place: &Place, target: Target) -> Result<Client, Failure> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let place = place.clone();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            let entered = place.enter();
            let may_start = entered.is_ok();
            let _ = ready.send(entered);
            if may_start { ask_on(&target, &stopped) } else { Vec::new() }
        });
        match is_ready.recv() {
            Ok(Ok(())) => Ok(Client { stop, thread: Some(thread) }),
            Ok(Err(error)) => Err(trouble(format_args!("start the client: {error}"))),
            Err(_) => Err(trouble("start the client: it ended at once")),
        }
    }

    /// Ends it; every request it made.
    pub fn stop(mut self) -> Vec<Asked> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn ask_on(target: &Target, stopped: &AtomicBool) -> Vec<Asked> {
    let mut asked = Vec::new();
    while !stopped.load(Ordering::Relaxed) {
        let at = Instant::now();
        let address = match target {
            Target::Service(address) => Some(*address),
            Target::Table(rotation) => lock(rotation).next(),
        };
        let by = address.and_then(|address| ask(address).ok());
        asked.push(Asked { at, by });
        thread::sleep(PACE.saturating_sub(at.elapsed()));
    }
    asked
}

/// The name of the server that answers.
fn ask(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(4 << 10).read_to_string(&mut answer)?;
    let (_, name) =
        answer.rsplit_once("alive: ").ok_or(io::Error::from(io::ErrorKind::InvalidData))?;
    Ok(name.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotation_shares_by_weight_and_leaves_out_weight_0() {
        let at = |n: u8| SocketAddr::from(([127, 0, 0, n], 80));
        let mut rotation = Rotation::default();
        assert_eq!(rotation.next(), None);
        rotation.set([(at(1), 2), (at(2), 1), (at(3), 0)]);
        let turns: Vec<_> = (0..6).filter_map(|_| rotation.next()).collect();
        let share = |n| turns.iter().filter(|turn| **turn == at(n)).count();
        assert_eq!((share(1), share(2), share(3)), (4, 2, 0));
        rotation.set([(at(3), 0)]);
        assert_eq!(rotation.next(), None);
    }
}
