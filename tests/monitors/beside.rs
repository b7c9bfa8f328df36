//! The same words and hosts for Debian's monitors and for ours: the same exit status and the same
//! first line. Those that do not work on the Perl of today are not here: smtp, pop3, imap, nntp
//! (they die before they connect). ldap and mysql are compared at real servers, in `tests/servers`.

use std::net::SocketAddr;
use std::path::Path;

use super::{PATIENCE, closed, first_line, native, program, silent, talker, web};
use tokio::net::UdpSocket;

const FOLDER: &str = "/usr/lib/mon/mon.d";

/// Whether Debian's mon is here. Under `make test` it must be.
fn is_here() -> bool {
    let here = Path::new(FOLDER).join("tcp.monitor").exists();
    let complete = std::env::var_os("DIRECTORD_COMPLETE").is_some();
    assert!(here || !complete, "mon is not installed: tests/lab/install");
    if !here {
        eprintln!("left out: mon is not installed (tests/lab/install does)");
    }
    here
}

/// Whether there is a ping for mon's monitor to run.
fn has_ping() -> bool {
    let here = ["/bin/ping", "/usr/bin/ping"].iter().any(|path| Path::new(path).exists());
    let complete = std::env::var_os("DIRECTORD_COMPLETE").is_some();
    assert!(here || !complete, "iputils-ping is not installed: tests/lab/install");
    here
}

/// Runs both and compares what clients and periods look at.
async fn same(name: &'static str, words: &[&str], hosts: &[&str]) {
    let path = format!("{FOLDER}/{name}.monitor");
    let argv = [&[path.as_str()], words].concat();
    let (theirs, _) = program(&argv, hosts, PATIENCE).await;
    let (ours, _) = native(name, words, hosts).await;
    assert_eq!(
        (ours.exit, first_line(&ours)),
        (theirs.exit, first_line(&theirs)),
        "{name} {words:?} {hosts:?}\nours:\n{}\ntheirs:\n{}",
        ours.output,
        theirs.output
    );
}

const HOSTS: [&[&str]; 3] = [&["127.0.0.1"], &["127.0.0.2", "127.0.0.1", "127.0.0.10"], &[]];

#[tokio::test]
async fn tcp_finds_what_debians_finds() {
    if !is_here() {
        return;
    }
    let open = talker(&["hi\r\n"]).await.port().to_string();
    let closed = closed().to_string();
    for hosts in HOSTS {
        same("tcp", &["-p", &open], hosts).await;
        same("tcp", &["-p", &closed, "-t", "5"], hosts).await;
    }
}

#[tokio::test]
async fn http_finds_what_debians_finds() {
    if !is_here() {
        return;
    }
    for answer in [
        "HTTP/1.0 200 OK\r\nX: y\r\n\r\nwelcome\nto all",
        "HTTP/1.1 301 There\r\nLocation: /x\r\n\r\n",
        "HTTP/1.1 401 Who\r\n\r\n",
        "HTTP/1.1 204 None\r\n\r\n",
        "HTTP/1.1 500 Oops\r\n\r\nwelcome",
        "220 mail\r\n",
        "HTTP/1.1 200\n\nx",
        "HTTP/1.1 2000 OK\n\nx",
    ] {
        let port = web(answer).await.port().to_string();
        for hosts in HOSTS {
            same("http", &["-p", &port], hosts).await;
        }
        for words in [&["-m", "welcome.to"][..], &["-m", "^HTTP", "-o"], &["-u", "/x", "-a", "me"]]
        {
            same("http", &[&["-p", &port], words].concat(), HOSTS[0]).await;
        }
    }
    let closed = closed().to_string();
    same("http", &["-p", &closed], HOSTS[1]).await;
    let silent = silent().await.port().to_string();
    same("http", &["-p", &silent, "-t", "1"], HOSTS[0]).await;
}

#[tokio::test]
async fn ftp_finds_what_debians_finds() {
    if !is_here() {
        return;
    }
    const GOOD: &[&str] = &["220-hi\r\n220 go\r\n", "221-so\r\n221 bye\r\n"];
    const REFUSES: &[&str] = &["421 too many\r\n"];
    const RUDE: &[&str] = &["220 go\r\n", "500 what\r\n"];
    // It hears the quit and closes without a word.
    const CURT: &[&str] = &["220 go\r\n", ""];
    for lines in [GOOD, REFUSES, RUDE, CURT] {
        let port = talker(lines).await.port().to_string();
        for hosts in HOSTS {
            same("ftp", &["-p", &port, "-t", "5"], hosts).await;
        }
    }
    let closed = closed().to_string();
    same("ftp", &["-p", &closed], HOSTS[1]).await;
    let silent = silent().await.port().to_string();
    same("ftp", &["-p", &silent, "-t", "1"], HOSTS[0]).await;
}

#[tokio::test]
async fn echoes_find_what_debians_find() {
    if !is_here() {
        return;
    }
    let words = ["-t", "200", "-r", "1"];
    for hosts in [&["127.0.0.1"][..], &["127.0.0.2", "127.0.0.1"], &[]] {
        same("fping", &words, hosts).await;
        if has_ping() {
            same("ping", &["-c", "1"], hosts).await;
        }
    }
    same("fping", &[&words[..], &["-s", "60000"]].concat(), HOSTS[0]).await;
    same("fping", &[&words[..], &["-a"]].concat(), HOSTS[1]).await;
}

/// A name server that has `x.example` with this serial.
async fn zone(at: &str, port: u16, serial: u32, authoritative: bool) -> SocketAddr {
    let socket = UdpSocket::bind((at, port)).await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut space = [0; 512];
        while let Ok((length, client)) = socket.recv_from(&mut space).await {
            let mut answer = space[..length].to_vec();
            answer[2] = 0x80 | if authoritative { 4 } else { 0 };
            answer[7] = 1;
            // No additional records of theirs.
            let question = answer[12..].iter().position(|&b| b == 0).unwrap() + 12 + 5;
            answer.truncate(question);
            answer[10..12].fill(0);
            // The name of the question, SOA, IN, a lifetime, 22 bytes: two roots and five numbers.
            answer.extend([0xc0, 12, 0, 6, 0, 1, 0, 0, 0, 9, 0, 22, 0, 0]);
            answer.extend(serial.to_be_bytes());
            answer.extend([0; 16]);
            let _ = socket.send_to(&answer, client).await;
        }
    });
    address
}

/// Name servers listen on port 53, and nobody can be told another: this needs to be root, and an
/// address of the loopback network that nobody uses.
#[tokio::test]
async fn dns_finds_what_debians_finds() {
    if !is_here() || !nix::unistd::geteuid().is_root() {
        return;
    }
    for (n, serial, authoritative) in [(1, 7, true), (2, 7, true), (3, 5, true), (4, 7, false)] {
        zone(&format!("127.53.53.{n}"), 53, serial, authoritative).await;
    }
    let host = |n: u8| format!("127.53.53.{n}");
    let (m, a, old, guest, nobody) = (host(1), host(2), host(3), host(4), host(9));
    let zone = ["--zone", "x.example", "--retry", "1", "--retransmit", "1", "--master"];
    for (masters, servers) in [
        (&[&m][..], &[&a][..]),
        (&[&m], &[&a, &old, &guest, &nobody]),
        (&[&nobody], &[&a]),
        (&[&m, &"--master".to_owned(), &old], &[&a]),
        (&[&m, &"--serial_threshold".to_owned(), &"2".to_owned()], &[&old]),
        (&[&m, &"--zone".to_owned(), &"y.example".to_owned()], &[&old]),
    ] {
        let masters: Vec<&str> = masters.iter().map(|word| word.as_str()).collect();
        let servers: Vec<&str> = servers.iter().map(|word| word.as_str()).collect();
        same("dns", &[&zone[..], &masters].concat(), &servers).await;
    }
    let query = ["--caching_only", "--query", "x.example:SOA", "--retry", "1", "--retransmit", "1"];
    same("dns", &query, &[&a, &nobody]).await;
}
