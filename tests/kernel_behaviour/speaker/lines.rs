//! What is said in lines.

use std::io::{Result, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};

use super::{Manner, Wire};

/// Says the greeting, and to each line what `answer` has for it, until that is nothing.
fn lines(
    wire: &mut dyn Wire,
    greeting: &str,
    mut answer: impl FnMut(&str) -> Option<String>,
) -> Result<()> {
    wire.write_all(greeting.as_bytes())?;
    while let Some(line) = line(wire)? {
        let Some(text) = answer(&line) else { break };
        wire.write_all(text.as_bytes())?;
        wire.flush()?;
    }
    Ok(())
}

/// A line without its end; byte by byte, for there is nobody to give back what was read too much.
fn line(wire: &mut dyn Wire) -> Result<Option<String>> {
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

pub(super) fn http(wire: &mut dyn Wire, manner: Manner) -> Result<()> {
    while line(wire)?.is_some_and(|line| !line.is_empty()) {}
    let body = if manner == Manner::Good { "the test page" } else { "another page" };
    let length = body.len();
    let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    wire.write_all(format!("{text}{body}").as_bytes())
}

pub(super) fn smtp(wire: &mut dyn Wire, manner: Manner) -> Result<()> {
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

pub(super) fn pop(wire: &mut dyn Wire, manner: Manner) -> Result<()> {
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

pub(super) fn imap(wire: &mut dyn Wire, manner: Manner) -> Result<()> {
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

pub(super) fn news(wire: &mut dyn Wire, manner: Manner) -> Result<()> {
    let greeting = match manner {
        Manner::Good => "200 ready\r\n",
        _ => "400 not now\r\n",
    };
    lines(wire, greeting, |line| (word(line) == "QUIT").then(|| "205 bye\r\n".to_owned()))
}

pub(super) fn redis(wire: &mut dyn Wire, manner: Manner) -> Result<()> {
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
pub(super) fn ftp(wire: &mut dyn Wire, manner: Manner) -> Result<()> {
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

/// One question after the other, each to its empty line; nobody sends a body.
pub(super) fn sip(wire: &mut dyn Wire, manner: Manner) -> Result<()> {
    let mut question = String::new();
    while let Some(line) = line(wire)? {
        question += &line;
        question.push('\n');
        if line.is_empty() {
            let answer = sip_answer(question.as_bytes(), manner).unwrap_or_default();
            wire.write_all(&answer)?;
            question.clear();
        }
    }
    Ok(())
}

/// The line of the status, and the headers that must come back.
pub(super) fn sip_answer(question: &[u8], manner: Manner) -> Option<Vec<u8>> {
    let question = String::from_utf8_lossy(question);
    let status = if manner == Manner::Good { "200 OK" } else { "503 Service Unavailable" };
    let repeated = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
    let repeats = |line: &&str| repeated.iter().any(|name| line.starts_with(name));
    let head: String = question.lines().filter(repeats).map(|line| format!("{line}\r\n")).collect();
    Some(format!("SIP/2.0 {status}\r\n{head}Content-Length: 0\r\n\r\n").into_bytes())
}
