//! What a director tells by mail: a mail server on its host's own loopback, which takes everything.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex};

use nix::sys::socket::{Shutdown, shutdown};
use serde::{Deserialize, Serialize};

use crate::lab::Host;

/// A mail as it counts: whom it is for, who says it, what it says. Not compared are the names of
/// greetings, and the headers theirs does not write: Date, Message-ID, MIME.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Mail {
    pub subject: String,
    pub envelope: String,
    pub to: Vec<String>,
    /// `From` and `To` as they are read: where the quotes of a name are left out nobody sees it.
    pub head: [String; 2],
    pub body: String,
}

pub struct Mailbox {
    mails: Arc<Mutex<Vec<Mail>>>,
    listener: Arc<TcpListener>,
}

impl Mailbox {
    /// Listens on port 25 of 127.0.0.1.
    pub fn open(host: &Host) -> Mailbox {
        let mails: Arc<Mutex<Vec<Mail>>> = Arc::default();
        let listener = host.run(|| TcpListener::bind("127.0.0.1:25").expect("port 25"));
        let listener = Arc::new(listener);
        let (taken, door) = (mails.clone(), listener.clone());
        host.spawn(move || {
            while let Ok((stream, _)) = door.accept() {
                let taken = taken.clone();
                std::thread::spawn(move || {
                    let mail = take(stream);
                    taken.lock().expect("no panic under the lock").extend(mail);
                });
            }
        });
        Mailbox { mails, listener }
    }

    /// All it took so far.
    pub fn mails(&self) -> Vec<Mail> {
        self.mails.lock().expect("no panic under the lock").clone()
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        // Wakes the thread that waits for the next one.
        shutdown(self.listener.as_raw_fd(), Shutdown::Both).ok();
    }
}

/// The mail of one connection.
fn take(mut stream: TcpStream) -> Option<Mail> {
    let mut lines = BufReader::new(stream.try_clone().ok()?);
    let mut next = move || {
        let mut line = String::new();
        lines.read_line(&mut line).ok().filter(|read| *read > 0)?;
        Some(line.trim_end_matches(['\r', '\n']).to_owned())
    };
    let (mut from, mut to, mut mail) = (String::new(), Vec::new(), None);
    stream.write_all(b"220 mx ESMTP\r\n").ok()?;
    while let Some(line) = next() {
        let argument = line.split_once('<').and_then(|(_, rest)| rest.rsplit_once('>'));
        let argument = argument.map(|(inner, _)| inner);
        let word = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let mut answer = "250 ok\r\n";
        match word.as_str() {
            "MAIL" => argument?.clone_into(&mut from),
            // Theirs writes a whole list as one address (F19); other servers refuse that.
            "RCPT" => to.extend(argument?.split(", ").map(str::to_owned)),
            "DATA" => {
                stream.write_all(b"354 go on\r\n").ok()?;
                let text = std::iter::from_fn(&mut next).take_while(|line| line != ".");
                mail = Some(read(&from, &to, &text.collect::<Vec<_>>()));
            }
            "QUIT" => answer = "221 bye\r\n",
            _ => {}
        }
        stream.write_all(answer.as_bytes()).ok()?;
    }
    mail
}

fn read(envelope: &str, to: &[String], text: &[String]) -> Mail {
    let mut parts = text.splitn(2, |line| line.is_empty());
    let (head, body) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    // A header that is too long for a line goes on in the next, after a blank.
    let head = head.join("\n").replace("\n ", " ");
    let header = |name: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_default().replace('"', "")
    };
    let dotted = body.iter().map(|line| line.strip_prefix('.').unwrap_or(line));
    Mail {
        subject: header("Subject"),
        envelope: envelope.to_owned(),
        to: to.to_vec(),
        head: [header("From"), header("To")],
        body: dotted.collect::<Vec<_>>().join("\n").trim_end().to_owned(),
    }
}
