//! Clients: what a user of the virtual service sees.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::host::Host;

/// How long a client waits for any one thing. As long as people do: in a guest that shares its
/// processor 3 s were not enough for every answer of a server that was well.
const PATIENCE: Duration = Duration::from_secs(15);

/// What came back: how often each body, and every failure in words.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Answers {
    pub bodies: BTreeMap<String, usize>,
    pub failures: Vec<String>,
}

impl Answers {
    /// How often `server` (its host's name) answered.
    pub fn of(&self, server: &str) -> usize {
        self.bodies.get(server).copied().unwrap_or(0)
    }

    pub fn total(&self) -> usize {
        self.bodies.values().sum()
    }

    fn note(&mut self, answer: Result<String, String>) {
        match answer {
            Ok(body) => *self.bodies.entry(body).or_default() += 1,
            Err(why) => self.failures.push(why),
        }
    }
}

/// Fetches `/` from the calling thread's host; the trimmed body, or what went wrong.
pub fn fetch(to: SocketAddr) -> Result<String, String> {
    let words = |doing: &'static str| move |e: std::io::Error| format!("{doing}: {e}");
    let mut stream = TcpStream::connect_timeout(&to, PATIENCE).map_err(words("connect"))?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(words("set"))?;
    let request = format!("GET / HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(words("send"))?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(words("receive"))?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("receive: no head")?;
    if !head.starts_with("HTTP/1.1 200") {
        return Err(format!("answer: {}", head.lines().next().unwrap_or_default()));
    }
    Ok(body.trim().to_owned())
}

/// Asks `times` times, one after the other.
pub fn ask(client: &Host, to: SocketAddr, times: usize) -> Answers {
    client.run(move || {
        let mut answers = Answers::default();
        (0..times).for_each(|_| answers.note(fetch(to)));
        answers
    })
}

/// A client that asks all the time until told to stop.
pub struct Traffic {
    stop: Arc<AtomicBool>,
    asking: JoinHandle<Answers>,
}

impl Traffic {
    /// A request every 5 ms, so that the one processor is left to others too.
    pub fn start(client: &Host, to: SocketAddr) -> Traffic {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let asking = client.spawn(move || {
            let mut answers = Answers::default();
            while !stopped.load(Ordering::Relaxed) {
                answers.note(fetch(to));
                std::thread::sleep(Duration::from_millis(5));
            }
            answers
        });
        Traffic { stop, asking }
    }

    pub fn stop(self) -> Answers {
        self.stop.store(true, Ordering::Relaxed);
        self.asking.join().expect("a client that does not panic")
    }
}
