//! Probes against real servers on loopback that behave badly in every way we could think of.
//!
//! Each server is a few lines; what is asserted is the whole outcome, reason included, and that
//! it came in time.

mod dns;
mod external;
mod ftp;
mod http;
mod ldap;
mod lines;
mod mysql;
mod pgsql;
mod ping;
mod radius;
mod sip;
mod tcp;
mod tls;

use std::future::Future;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use directord::model::{CheckSpec, Endpoint, HttpProbe, Outcome, Probe, StatusRanges};
use directord::probe::Prober;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// A server that does `serve` with every connection; gone when the test's runtime is.
async fn server<F>(serve: impl Fn(TcpStream, SocketAddr) -> F + Send + 'static) -> Endpoint
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(serve(client, address));
        }
    });
    address.into()
}

/// A server that answers each datagram with these.
async fn datagrams(mut answer: impl FnMut(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> Endpoint {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut space = [0; 4096];
        while let Ok((length, client)) = socket.recv_from(&mut space).await {
            for answer in answer(&space[..length]) {
                let _ = socket.send_to(&answer, client).await;
            }
        }
    });
    address.into()
}

/// Reads a request up to its blank line.
async fn request(client: &mut (impl AsyncRead + Unpin)) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        match client.read_u8().await {
            Ok(byte) => text.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(text).unwrap()
}

/// A server that reads a request and answers it with these bytes, whatever was asked.
async fn answering(answer: impl Into<Vec<u8>>) -> Endpoint {
    let answer = answer.into();
    server(move |mut client, _| {
        let answer = answer.clone();
        async move {
            request(&mut client).await;
            let _ = client.write_all(&answer).await;
        }
    })
    .await
}

/// A server that says something, then one thing more each time it hears something, and in the
/// end nothing.
async fn talking(says: impl Into<Vec<u8>>, answers: Vec<Vec<u8>>) -> Endpoint {
    let says = says.into();
    server(move |mut client, _| {
        let (says, mut answers) = (says.clone(), answers.clone().into_iter());
        async move {
            let _ = client.write_all(&says).await;
            let mut space = [0; 4096];
            while let Ok(1..) = client.read(&mut space).await {
                let _ = client.write_all(&answers.next().unwrap_or_default()).await;
            }
        }
    })
    .await
}

fn check(probe: Probe, timeout_ms: u64) -> CheckSpec {
    CheckSpec {
        probe,
        interval: Duration::from_secs(10),
        retry: Duration::from_secs(10),
        timeout: Duration::from_millis(timeout_ms),
        rise: 1,
        fall: 1,
        between: None,
    }
}

fn http() -> HttpProbe {
    HttpProbe {
        tls: None,
        method: "GET".into(),
        path: "/.testpage".into(),
        host: None,
        status: StatusRanges::default(),
        receive: None,
        body_limit: HttpProbe::DEFAULT_BODY_LIMIT,
        redirects: 0,
        login: None,
    }
}

async fn ask(endpoint: Endpoint, probe: HttpProbe) -> Outcome {
    ask_within(endpoint, Probe::Http(Box::new(probe)), 5000).await
}

async fn ask_within(endpoint: Endpoint, probe: Probe, timeout_ms: u64) -> Outcome {
    let began = Instant::now();
    let outcome = Prober::new().probe(endpoint, &check(probe, timeout_ms)).await;
    let allowed = Duration::from_millis(timeout_ms + 1000);
    assert!(began.elapsed() < allowed, "{outcome:?} took {:?}", began.elapsed());
    outcome
}

fn receive(pattern: &str) -> HttpProbe {
    HttpProbe { receive: Some(pattern.into()), ..http() }
}

fn fail(reason: &str) -> Outcome {
    Outcome::Fail(reason.into())
}

fn local(reason: &str) -> Outcome {
    Outcome::Local(reason.into())
}

fn reason(outcome: Outcome) -> String {
    match outcome {
        Outcome::Fail(reason) => reason,
        other => panic!("a failure was expected: {other:?}"),
    }
}

#[tokio::test]
async fn on_and_off_ask_nobody() {
    let nobody = Endpoint::new([127, 0, 0, 1].into(), 1);
    assert_eq!(ask_within(nobody, Probe::On, 100).await, Outcome::Pass);
    assert_eq!(ask_within(nobody, Probe::Off, 100).await, fail("switched off"));
}

#[tokio::test]
async fn a_listening_port_passes_and_a_closed_one_says_refused() {
    let there = server(|_, _| async {}).await;
    assert_eq!(ask_within(there, Probe::Connect, 1000).await, Outcome::Pass);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let said = ask_within(free.into(), Probe::Connect, 1000).await;
    assert_eq!(said, fail("connect: connection refused"));
    let said = ask(free.into(), http()).await;
    assert_eq!(said, fail("connect: connection refused"));
}

#[tokio::test]
async fn a_full_backlog_times_out_in_connect() {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let mut held = Vec::new();
    for _ in 0..4 {
        let connect = TcpStream::connect(address);
        held.push(tokio::time::timeout(Duration::from_millis(50), connect).await);
    }
    let said = ask_within(address.into(), Probe::Connect, 300).await;
    assert_eq!(said, fail("connect: timed out after 300 ms"));
}
