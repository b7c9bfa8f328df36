//! Servers that answer a text with lines, or do not.

use directord::model::TcpProbe;

use super::*;

fn tcp(request: Option<&str>, receive: Option<&str>) -> Probe {
    let (request, receive) = (request.map(str::to_owned), receive.map(str::to_owned));
    Probe::Tcp(Box::new(TcpProbe { request, receive, body_limit: 4096 }))
}

async fn ask(endpoint: Endpoint, request: Option<&str>, receive: Option<&str>) -> Outcome {
    ask_within(endpoint, tcp(request, receive), 3000).await
}

/// A server that reads all there is to read before it answers.
async fn patient(answer: &'static [u8]) -> Endpoint {
    server(move |mut client, _| async move {
        let mut asked = Vec::new();
        let _ = client.read_to_end(&mut asked).await;
        let _ = client.write_all(&asked).await;
        let _ = client.write_all(answer).await;
    })
    .await
}

/// K13: one line must match, and the server is told that nothing more is sent.
#[tokio::test]
async fn k13_the_request_ends_and_one_line_of_the_answer_matches() {
    let server = patient(b"\r\nfirst\r\nsecond").await;
    for good in ["^PING$", "first", r"^first\r$", "^second$"] {
        assert_eq!(ask(server, Some("PING\n"), Some(good)).await, Outcome::Pass, "{good}");
    }
    let said = ask(server, Some("PING\n"), Some("first.*second")).await;
    let reason =
        r#"receive: /first.*second/ not found in the 20 bytes: "PING\n\r\nfirst\r\nsecond""#;
    assert_eq!(said, fail(reason));
}

/// D1: without `receive` any answer passes, and only an answer.
#[tokio::test]
async fn d01_without_receive_any_answer_passes() {
    assert_eq!(ask(patient(b"x").await, Some(""), None).await, Outcome::Pass);
    let said = ask(patient(b"").await, Some(""), None).await;
    assert_eq!(said, fail("tcp: connection closed without an answer"));
    let said = ask(patient(b"").await, Some(""), Some("x")).await;
    assert_eq!(said, fail("tcp: connection closed without an answer"));
}

#[tokio::test]
async fn the_line_that_matches_ends_the_wait() {
    let open = server(|mut client, _| async move {
        let _ = client.write_all(b"220 hello\r\nmore to c").await;
        std::future::pending::<()>().await;
    });
    let open = open.await;
    assert_eq!(ask(open, None, Some("^220 ")).await, Outcome::Pass);
    assert_eq!(ask(open, None, None).await, Outcome::Pass);
    // A line that is not whole may yet become another.
    let said = ask_within(open, tcp(None, Some("more")), 200).await;
    assert_eq!(said, fail("tcp answer: timed out after 200 ms"));
}

#[tokio::test]
async fn silent_endless_and_deaf_servers_end_as_failures() {
    let silent = server(|client, _| async move {
        std::future::pending::<()>().await;
        drop(client);
    });
    let said = ask_within(silent.await, tcp(Some("x"), None), 200).await;
    assert_eq!(said, fail("tcp answer: timed out after 200 ms"));

    for line in ["more\n", "more "] {
        let endless = server(move |mut client, _| async move {
            while client.write_all(line.repeat(100).as_bytes()).await.is_ok() {}
        });
        let said = reason(ask(endless.await, None, Some("less")).await);
        assert!(said.starts_with("receive: /less/ not found in the first 4096 bytes"), "{said}");
    }

    // It does not listen, but has said what was wanted.
    let deaf = server(|mut client, _| async move {
        let _ = client.write_all(b"fine\n").await;
        let _ = client.shutdown().await;
    });
    assert_eq!(ask(deaf.await, Some("x"), Some("fine")).await, Outcome::Pass);
}

#[tokio::test]
async fn an_answer_before_a_reset_is_looked_at() {
    let resetting = server(|mut client, _| async move {
        let _ = client.write_all(b"GOOD").await;
        // Until it has been read: a reset takes along what has not.
        tokio::time::sleep(Duration::from_millis(300)).await;
        socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
    })
    .await;
    assert_eq!(ask(resetting, Some(""), Some("^GOOD$")).await, Outcome::Pass);
    let said = ask(resetting, Some(""), Some("^BAD$")).await;
    assert_eq!(said, fail(r#"receive: /^BAD$/ not found in the 4 bytes: "GOOD""#));
}
