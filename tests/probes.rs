//! Probes against real servers on loopback that behave badly in every way we could think of.
//!
//! Each server is a few lines; what is asserted is the whole outcome, reason included, and that
//! it came in time.

use std::future::Future;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use directord::model::{CheckSpec, Endpoint, HttpProbe, Outcome, Probe, StatusRanges};
use directord::probe::Prober;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

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

/// Reads a request up to its blank line.
async fn request(client: &mut TcpStream) -> String {
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

fn check(probe: Probe, timeout_ms: u64) -> CheckSpec {
    CheckSpec {
        probe,
        interval: Duration::from_secs(10),
        retry: Duration::from_secs(10),
        timeout: Duration::from_millis(timeout_ms),
        rise: 1,
        fall: 1,
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

fn reason(outcome: Outcome) -> String {
    match outcome {
        Outcome::Fail(reason) => reason,
        other => panic!("a failure was expected: {other:?}"),
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\na test page now";

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

#[tokio::test]
async fn the_page_decides() {
    let good = answering(OK).await;
    assert_eq!(ask(good, http()).await, Outcome::Pass);
    assert_eq!(ask(good, receive("test page")).await, Outcome::Pass);
    assert_eq!(
        ask(good, receive("other")).await,
        fail(r#"receive: /other/ not found in the 15 bytes: "a test page now""#)
    );
    let down = answering("HTTP/1.1 503 Down\r\nContent-Length: 9\r\n\r\n").await;
    assert_eq!(ask(down, receive("x")).await, fail("http: 503, wanted 200-299"));
    let wanted = StatusRanges::new(vec![200..=200, 500..=599]).unwrap();
    assert_eq!(ask(down, HttpProbe { status: wanted, ..http() }).await, Outcome::Pass);
}

#[tokio::test]
async fn the_request_is_what_was_configured() {
    let (saw, mut seen) = tokio::sync::mpsc::channel(1);
    let endpoint = server(move |mut client, _| {
        let saw = saw.clone();
        async move {
            let _ = saw.send(request(&mut client).await).await;
            let _ = client.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
        }
    })
    .await;
    let probe = HttpProbe { method: "HEAD".into(), host: Some("www.example.com".into()), ..http() };
    assert_eq!(ask(endpoint, probe).await, Outcome::Pass);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        seen.recv().await.unwrap(),
        format!(
            "HEAD /.testpage HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: directord/{version}\
             \r\nAccept: */*\r\nConnection: close\r\n\r\n"
        )
    );
}

#[tokio::test]
async fn a_server_that_never_answers_times_out_in_headers() {
    let silent = server(|client, _| async move {
        let _held = client;
        std::future::pending::<()>().await;
    })
    .await;
    let said = ask_within(silent, Probe::Http(Box::new(http())), 200).await;
    assert_eq!(said, fail("headers: timed out after 200 ms"));
}

#[tokio::test]
async fn a_drip_of_bytes_does_not_stretch_the_deadline() {
    let dripping = server(|mut client, _| async move {
        request(&mut client).await;
        let _ = client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while client.write_all(b".").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let said = ask_within(dripping, Probe::Http(Box::new(receive("x"))), 300).await;
    assert_eq!(said, fail("body: timed out after 300 ms"));
    assert_eq!(ask(dripping, http()).await, Outcome::Pass);
}

#[tokio::test]
async fn an_endless_body_is_read_to_its_limit() {
    let endless = server(|mut client, _| async move {
        request(&mut client).await;
        let _ = client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n").await;
        while client.write_all(&[b'.'; 65536]).await.is_ok() {}
    })
    .await;
    let said = reason(ask(endless, HttpProbe { body_limit: 4096, ..receive("page") }).await);
    let dots = ".".repeat(79);
    assert_eq!(said, format!("receive: /page/ not found in the first 4096 bytes: \"{dots}…\""));
    let said = reason(ask(endless, receive("page")).await);
    assert!(said.contains("in the first 1048576 bytes"), "{said}");
}

#[tokio::test]
async fn endless_headers_and_endless_interim_answers_end_at_16_kib() {
    for line in ["X-More: and more\r\n", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 x\r\n\r\n"] {
        let endless = server(move |mut client, _| async move {
            request(&mut client).await;
            let _ = client.write_all(b"HTTP/1.1 100 OK\r\n\r\nHTTP/1.1 103 OK\r\n").await;
            while client.write_all(line.as_bytes()).await.is_ok() {}
        })
        .await;
        let said = reason(ask(endless, http()).await);
        assert!(said.starts_with("headers: "), "{said}");
    }
    let one_line = server(|mut client, _| async move {
        let _ = client.write_all(b"HTTP/1.1 200 ").await;
        while client.write_all(&[b'x'; 4096]).await.is_ok() {}
    })
    .await;
    assert_eq!(ask(one_line, http()).await, fail("headers: longer than 16 KiB"));
}

#[tokio::test]
async fn garbage_is_quoted_and_an_early_end_is_named() {
    let ssh = answering("SSH-2.0-OpenSSH_9.2\r\n").await;
    let said = ask(ssh, http()).await;
    assert_eq!(said, fail(r#"http: not an HTTP answer: "SSH-2.0-OpenSSH_9.2\r\n""#));
    let terminal = answering(b"\x1b[2J\x00\xff".to_vec()).await;
    let said = ask(terminal, http()).await;
    assert_eq!(said, fail(r#"http: not an HTTP answer: "\x1b[2J\x00\xff""#));
    let mute = answering("").await;
    assert_eq!(ask(mute, http()).await, fail("headers: connection closed without an answer"));
    let short = answering("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").await;
    let said = ask(short, receive("abc")).await;
    assert_eq!(said, fail("body: connection closed 6 bytes before its end"));
    let huge =
        answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1ffffffffffffffff\r\n")
            .await;
    assert_eq!(ask(huge, receive("abc")).await, fail("body: chunk size too large"));
}

#[tokio::test]
async fn a_reset_is_a_failure_with_its_phase() {
    let resetting = server(|mut client, _| async move {
        request(&mut client).await;
        socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
    })
    .await;
    assert_eq!(ask(resetting, http()).await, fail("headers: connection reset by peer"));
}

#[tokio::test]
async fn redirects_are_followed_so_far_and_no_farther() {
    let endpoint = server(|mut client, own| async move {
        let asked = request(&mut client).await;
        let path = asked.split(' ').nth(1).unwrap_or_default().to_owned();
        let answer = match path.as_str() {
            "/.testpage" => "HTTP/1.1 302 Found\r\nLocation: folder/../page\r\n\r\n".to_owned(),
            "/page" => OK.to_owned(),
            _ => format!("HTTP/1.1 301 x\r\nLocation: http://{own}{path}x\r\n\r\n"),
        };
        let _ = client.write_all(answer.as_bytes()).await;
    })
    .await;
    let following =
        |path: &str| HttpProbe { path: path.into(), redirects: 7, ..receive("test page") };
    assert_eq!(ask(endpoint, following("/.testpage")).await, Outcome::Pass);
    assert_eq!(ask(endpoint, http()).await, fail("http: 302, wanted 200-299"));
    let said = reason(ask(endpoint, following("/loop")).await);
    assert!(said.starts_with("http: more than 7 redirects, the last to \"http://127"), "{said}");
    assert!(said.ends_with("/loopxxxxxxxx\""), "{said}");
}

#[tokio::test]
async fn a_redirect_that_makes_no_sense_is_quoted() {
    let odd = answering("HTTP/1.1 302 Found\r\nLocation: gopher://x/\r\n\r\n").await;
    let said = ask(odd, HttpProbe { redirects: 7, ..http() }).await;
    assert_eq!(said, fail(r#"http: redirect to "gopher://x/", which cannot be followed"#));
}
