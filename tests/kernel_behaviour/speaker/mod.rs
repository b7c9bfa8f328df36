//! A host that speaks what real servers speak, as far as a check goes: well, wrongly, or not at
//! all. The pair of directors needs the three manners and no more of each; how well we get on
//! with the real servers is `tests/servers`.

mod lines;
mod messages;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::socket::{Shutdown, shutdown};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::lab::Host;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Manner {
    Good,
    /// Speaks the protocol, and what it says is bad.
    Wrong,
    /// Takes connections and datagrams, and says nothing.
    Hangs,
}

impl Manner {
    pub fn named(word: &str) -> Manner {
        match word {
            "good" => Manner::Good,
            "wrong" => Manner::Wrong,
            "hangs" => Manner::Hangs,
            _ => panic!("good, wrong or hangs, not {word}"),
        }
    }
}

/// A conversation by TCP; the error is the client's business.
type Talk = fn(&mut dyn Wire, Manner) -> std::io::Result<()>;

trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

const TALKS: &[(u16, bool, Talk)] = &[
    (21, false, lines::ftp),
    (25, false, lines::smtp),
    (53, false, messages::dns_by_tcp),
    (110, false, lines::pop),
    (119, false, lines::news),
    (143, false, lines::imap),
    (389, false, messages::ldap),
    (443, true, lines::http),
    (587, false, lines::smtp),
    (636, true, messages::ldap),
    (993, true, lines::imap),
    (995, true, lines::pop),
    (3306, false, messages::mysql),
    (5060, false, lines::sip),
    (5432, false, messages::pgsql),
    (6379, false, lines::redis),
];

/// One question, one answer.
type Answer = fn(&[u8], Manner) -> Option<Vec<u8>>;

const ANSWERS: &[(u16, Answer)] =
    &[(53, messages::dns), (1812, messages::radius), (5060, lines::sip_answer)];

pub struct Speaker {
    manner: Arc<Mutex<Manner>>,
    listeners: Vec<Arc<TcpListener>>,
}

impl Speaker {
    /// `pair` is a certificate and its key.
    pub fn start(host: &Host, pair: &Pair) -> Speaker {
        let manner = Arc::new(Mutex::new(Manner::Hangs));
        let config = pair.config();
        let mut listeners = Vec::new();
        for &(port, tls, talk) in TALKS {
            let listener = host.run(move || TcpListener::bind(("::", port)).expect("a port"));
            let listener = Arc::new(listener);
            listeners.push(listener.clone());
            let (manner, config) = (manner.clone(), tls.then(|| config.clone()));
            host.spawn(move || {
                while let Ok((stream, _)) = listener.accept() {
                    let (manner, config) = (*manner.lock().expect("a manner"), config.clone());
                    std::thread::spawn(move || serve(stream, manner, config, talk));
                }
            });
        }
        for &(port, answer) in ANSWERS {
            let socket = host.run(move || UdpSocket::bind(("::", port)).expect("a port"));
            socket.set_read_timeout(Some(Duration::from_secs(2))).expect("a time");
            let manner = Arc::downgrade(&manner);
            host.spawn(move || {
                let mut question = [0; 2048];
                // Nobody wakes it: a datagram socket that is shut names no sender, and std wants one.
                while manner.strong_count() > 0 {
                    let Ok((length, from)) = socket.recv_from(&mut question) else { continue };
                    let Some(manner) = manner.upgrade() else { break };
                    let manner = *manner.lock().expect("a manner");
                    if manner != Manner::Hangs
                        && let Some(text) = answer(&question[..length], manner)
                    {
                        socket.send_to(&text, from).ok();
                    }
                }
            });
        }
        Speaker { manner, listeners }
    }

    pub fn behave(&self, manner: Manner) {
        *self.manner.lock().expect("a manner") = manner;
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        for listener in &self.listeners {
            shutdown(listener.as_raw_fd(), Shutdown::Both).ok();
        }
    }
}

/// A certificate of our own making, and its key.
pub struct Pair {
    pub certificate: String,
    made: rcgen::CertifiedKey<rcgen::KeyPair>,
}

impl Pair {
    pub fn new(names: Vec<String>) -> Pair {
        let made = rcgen::generate_simple_self_signed(names).expect("a key pair");
        Pair { certificate: made.cert.pem(), made }
    }

    fn config(&self) -> Arc<ServerConfig> {
        let key = PrivateKeyDer::Pkcs8(self.made.signing_key.serialize_der().into());
        let config = ServerConfig::builder().with_no_client_auth();
        let chain = vec![self.made.cert.der().clone()];
        Arc::new(config.with_single_cert(chain, key).expect("a certificate and its key"))
    }
}

fn serve(mut stream: TcpStream, manner: Manner, config: Option<Arc<ServerConfig>>, talk: Talk) {
    // Longer than a step with somebody who waits without an end.
    let patience = Some(Duration::from_secs(300));
    stream.set_read_timeout(patience).ok();
    stream.set_write_timeout(patience).ok();
    if manner == Manner::Hangs {
        // Until the client has had enough.
        while stream.read(&mut [0; 512]).is_ok_and(|read| read > 0) {}
        return;
    }
    match config {
        None => drop(talk(&mut stream, manner)),
        Some(config) => {
            let Ok(session) = ServerConnection::new(config) else { return };
            let mut stream = StreamOwned::new(session, stream);
            talk(&mut stream, manner).ok();
            stream.conn.send_close_notify();
            stream.flush().ok();
        }
    }
}
