//! A host that speaks what real servers speak, as far as a check goes: well, wrongly, or not at
//! all. One file for all, because the pair of directors needs the three manners and no more of
//! each; how well we get on with the real servers is `tests/servers`.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use md5::{Digest, Md5};
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
    (21, false, ftp),
    (25, false, smtp),
    (110, false, pop),
    (119, false, news),
    (143, false, imap),
    (389, false, ldap),
    (443, true, http),
    (995, true, pop),
    (6379, false, redis),
];

/// One question, one answer.
type Answer = fn(&[u8], Manner) -> Option<Vec<u8>>;

const ANSWERS: &[(u16, Answer)] = &[(53, dns), (1812, radius), (5060, sip)];

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
    let patience = Some(Duration::from_secs(20));
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

/// Says the greeting, and to each line what `answer` has for it, until that is nothing.
fn lines(
    wire: &mut dyn Wire,
    greeting: &str,
    mut answer: impl FnMut(&str) -> Option<String>,
) -> std::io::Result<()> {
    wire.write_all(greeting.as_bytes())?;
    while let Some(line) = line(wire)? {
        let Some(text) = answer(&line) else { break };
        wire.write_all(text.as_bytes())?;
        wire.flush()?;
    }
    Ok(())
}

/// A line without its end; byte by byte, for there is nobody to give back what was read too much.
fn line(wire: &mut dyn Wire) -> std::io::Result<Option<String>> {
    let mut line = Vec::new();
    let mut byte = [0];
    while wire.read(&mut byte)? == 1 {
        if byte[0] == b'\n' {
            return Ok(Some(String::from_utf8_lossy(&line).trim_end().to_owned()));
        }
        line.push(byte[0]);
    }
    Ok(None)
}

fn word(line: &str) -> String {
    line.split(' ').next().unwrap_or_default().to_ascii_uppercase()
}

fn http(wire: &mut dyn Wire, manner: Manner) -> std::io::Result<()> {
    while line(wire)?.is_some_and(|line| !line.is_empty()) {}
    let body = if manner == Manner::Good { "the test page" } else { "another page" };
    let length = body.len();
    let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    wire.write_all(format!("{text}{body}").as_bytes())
}

fn smtp(wire: &mut dyn Wire, manner: Manner) -> std::io::Result<()> {
    let greeting = match manner {
        Manner::Good => "220 mx ESMTP\r\n",
        _ => "554 no service\r\n",
    };
    lines(wire, greeting, |line| {
        let text = match &*word(line) {
            "EHLO" => "250-mx\r\n250 8BITMIME\r\n",
            "HELO" => "250 mx\r\n",
            "QUIT" => "221 bye\r\n",
            _ => "502 no\r\n",
        };
        Some(text.to_owned())
    })
}

fn pop(wire: &mut dyn Wire, manner: Manner) -> std::io::Result<()> {
    let mut user = false;
    lines(wire, "+OK ready\r\n", |line| {
        let text = match &*word(line) {
            "CAPA" => "+OK\r\nUSER\r\n.\r\n",
            "USER" => {
                user = line.ends_with(" joe");
                "+OK\r\n"
            }
            "PASS" if user && line.ends_with(" secret") && manner == Manner::Good => "+OK\r\n",
            "PASS" => "-ERR [AUTH] no\r\n",
            "STAT" => "+OK 0 0\r\n",
            "QUIT" => "+OK bye\r\n",
            _ => "-ERR what\r\n",
        };
        Some(text.to_owned())
    })
}

fn imap(wire: &mut dyn Wire, manner: Manner) -> std::io::Result<()> {
    lines(wire, "* OK IMAP4rev1 ready\r\n", |line| {
        let (tag, command) = line.split_once(' ').unwrap_or((line, ""));
        let text = match &*word(command) {
            "LOGIN" if manner == Manner::Good && command.contains("secret") => "OK in",
            "LOGIN" => "NO wrong",
            "LOGOUT" => return Some(format!("* BYE\r\n{tag} OK\r\n")),
            "CAPABILITY" => return Some(format!("* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n")),
            _ => "OK",
        };
        Some(format!("{tag} {text}\r\n"))
    })
}

fn news(wire: &mut dyn Wire, manner: Manner) -> std::io::Result<()> {
    let greeting = match manner {
        Manner::Good => "200 ready\r\n",
        _ => "400 not now\r\n",
    };
    lines(wire, greeting, |line| (word(line) == "QUIT").then(|| "205 bye\r\n".to_owned()))
}

fn redis(wire: &mut dyn Wire, manner: Manner) -> std::io::Result<()> {
    lines(wire, "", |line| {
        let text = match (line, manner) {
            ("PING", Manner::Good) => "+PONG\r\n",
            _ => "-ERR\r\n",
        };
        Some(text.to_owned())
    })
}

/// Ways for data are opened as asked: theirs asks for one in passive mode, then for another one in
/// active mode, and that is where the file is expected.
fn ftp(wire: &mut dyn Wire, manner: Manner) -> std::io::Result<()> {
    enum Way {
        In(TcpListener),
        Out(SocketAddr),
    }
    let passive = TcpListener::bind(("::", 0))?;
    let port = passive.local_addr()?.port();
    let mut way = Way::In(passive);
    wire.write_all(b"220 ready\r\n")?;
    while let Some(line) = line(wire)? {
        let text = match &*word(&line) {
            "USER" => "331 and?\r\n".to_owned(),
            "PASS" => "230 in\r\n".to_owned(),
            "CWD" => "250 ok\r\n".to_owned(),
            "TYPE" => "200 ok\r\n".to_owned(),
            "EPSV" => format!("229 extended (|||{port}|)\r\n"),
            "PORT" => {
                let numbers = line[5..].split(',').map(|number| number.parse().unwrap_or(0));
                let numbers: Vec<u8> = numbers.collect();
                if let [a, b, c, d, high, low] = numbers[..] {
                    let port = u16::from_be_bytes([high, low]);
                    way = Way::Out((IpAddr::from([a, b, c, d]), port).into());
                }
                "200 ok\r\n".to_owned()
            }
            "PASV" => {
                let [high, low] = port.to_be_bytes();
                format!("227 passive ({},{high},{low})\r\n", "0,0,0,0")
            }
            "RETR" if manner == Manner::Good && line.ends_with("page.txt") => {
                wire.write_all(b"150 here it is\r\n")?;
                let mut data = match &way {
                    Way::In(listener) => listener.accept()?.0,
                    Way::Out(to) => TcpStream::connect(to)?,
                };
                data.write_all(b"the test page\r\n")?;
                "226 done\r\n".to_owned()
            }
            "RETR" => "550 no such file\r\n".to_owned(),
            "QUIT" => "221 bye\r\n".to_owned(),
            _ => "502 no\r\n".to_owned(),
        };
        wire.write_all(text.as_bytes())?;
    }
    Ok(())
}

/// A bind and a search for `dc=lab`, by LDAP's few bytes for them.
fn ldap(wire: &mut dyn Wire, manner: Manner) -> std::io::Result<()> {
    loop {
        let mut head = [0; 2];
        wire.read_exact(&mut head)?;
        let mut length = usize::from(head[1]);
        if length > 0x80 {
            let mut bytes = vec![0; length - 0x80];
            wire.read_exact(&mut bytes)?;
            length = bytes.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte));
        }
        let mut message = vec![0; length];
        wire.read_exact(&mut message)?;
        // The number of the message, in as many bytes as it takes, and what is wanted.
        let id = message.get(..2 + usize::from(message.get(1).copied().unwrap_or(0)));
        let id = id.unwrap_or_default();
        let wanted = message.get(id.len()).copied().unwrap_or(0);
        let good = manner == Manner::Good;
        match wanted {
            0x60 => wire.write_all(&ldap_message(id, &[0x61, 7, 10, 1, 0, 4, 0, 4, 0]))?,
            0x63 => {
                if good {
                    let name = b"dc=lab";
                    let inner = [&[4, 6][..], name, &[0x30, 0]].concat();
                    let entry = [&[0x64, 10][..], &inner].concat();
                    wire.write_all(&ldap_message(id, &entry))?;
                }
                // Success, or noSuchObject.
                let code = if good { 0 } else { 32 };
                wire.write_all(&ldap_message(id, &[0x65, 7, 10, 1, code, 4, 0, 4, 0]))?;
            }
            _ => return Ok(()),
        }
        wire.flush()?;
    }
}

fn ldap_message(id: &[u8], what: &[u8]) -> Vec<u8> {
    let length = u8::try_from(id.len() + what.len()).expect("a short message");
    [&[0x30, length][..], id, what].concat()
}

/// The first question, and one address: 192.0.2.7, or another one.
fn dns(question: &[u8], manner: Manner) -> Option<Vec<u8>> {
    let (head, rest) = question.split_at_checked(12)?;
    // The name's labels, its end, type and class.
    let name_end = rest.iter().position(|byte| *byte == 0)?;
    let asked = rest.get(..name_end + 5)?;
    let last = if manner == Manner::Good { 7 } else { 8 };
    let record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, last];
    let counts = [0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
    Some([&head[..2], &counts, asked, &record].concat())
}

/// Accept or reject, signed with the secret `testing`.
fn radius(question: &[u8], manner: Manner) -> Option<Vec<u8>> {
    let authenticator = question.get(4..20)?;
    let code = if manner == Manner::Good { 2 } else { 3 };
    let head = [code, question[1], 0, 20];
    let signature = Md5::digest([&head[..], authenticator, b"testing"].concat());
    Some([&head[..], &signature].concat())
}

/// The line of the status, and the headers that must come back.
fn sip(question: &[u8], manner: Manner) -> Option<Vec<u8>> {
    let question = String::from_utf8_lossy(question);
    let status = if manner == Manner::Good { "200 OK" } else { "503 Service Unavailable" };
    let repeated = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
    let repeats = |line: &&str| repeated.iter().any(|name| line.starts_with(name));
    let head: String = question.lines().filter(repeats).map(|line| format!("{line}\r\n")).collect();
    Some(format!("SIP/2.0 {status}\r\n{head}Content-Length: 0\r\n\r\n").into_bytes())
}
