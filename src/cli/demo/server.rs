//! A real web server, small enough to read: every page says who answered.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use super::stage::Place;
use super::trouble;
use crate::cli::exit::Failure;

/// Serves until standard input ends, which it does when the demo is gone for whatever reason.
pub fn serve(name: &str, on: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind(on)?;
    let mut stdout = io::stdout();
    writeln!(stdout, "ready")?;
    stdout.flush()?;
    let name = name.to_owned();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let name = name.clone();
            // A thread each: a caller that says nothing must not hold up the next.
            thread::spawn(move || answer(stream, &name));
        }
    });
    io::copy(&mut io::stdin(), &mut io::sink()).map(drop)
}

/// One request, one answer; trouble with a caller is the caller's.
fn answer(mut stream: TcpStream, name: &str) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.set_write_timeout(Some(Duration::from_secs(2)))?;
    let head = BufReader::new((&stream).take(8 << 10));
    for line in head.lines() {
        if line?.is_empty() {
            break;
        }
    }
    let body = format!("alive: {name}\n");
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
}

/// One of the web servers, as the demo holds it: a process that can be killed and started again.
pub struct Server {
    pub name: &'static str,
    pub address: SocketAddr,
    pub weight: u32,
    process: Option<Child>,
}

impl Server {
    pub const fn new(name: &'static str, address: SocketAddr, weight: u32) -> Server {
        Server { name, address, weight, process: None }
    }

    /// Starts the process and returns when it accepts connections.
    pub fn start(&mut self, place: &Place) -> Result<(), Failure> {
        let failed = |what: &dyn std::fmt::Display| {
            trouble(format_args!("start web server {} on {}: {what}", self.name, self.address))
        };
        let programme = std::env::current_exe().map_err(|error| failed(&error))?;
        let mut command = Command::new(programme);
        command.args(["demo", "--serve", self.name, "--on", &self.address.to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = place.spawn(command).map_err(|error| failed(&error))?;
        let mut ready = String::new();
        if let Some(stdout) = child.stdout.take() {
            // Ends, with or without the word: a child that failed closes its output.
            let _ = BufReader::new(stdout.take(16)).read_line(&mut ready);
        }
        self.process = Some(child);
        match ready.as_str() {
            "ready\n" => Ok(()),
            _ => Err(failed(&"it ended at once")),
        }
    }

    /// As a power cut would: no word to anybody.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // Gone already is just as well.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
