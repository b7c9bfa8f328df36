//! HTTP servers, from the good to the hostile.

use super::*;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\na test page now";

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
