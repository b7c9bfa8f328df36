//! PostgreSQL as it is played by a few lines.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use directord::model::SqlProbe;

use super::*;

const LOGGED_IN: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";
const COLUMNS: &[u8] = b"T\0\0\0\x06\0\x01";
const NO_ROW: &[u8] = b"C\0\0\0\x0dSELECT 0\0Z\0\0\0\x05I";

fn pgsql(request: Option<&str>) -> Probe {
    Probe::Pgsql(Box::new(SqlProbe {
        login: "joe".into(),
        password: "hush".into(),
        database: String::new(),
        request: request.map(str::to_owned),
    }))
}

/// A server without TLS that answers each message by the next of these.
async fn postgres(answers: &[&[u8]]) -> Endpoint {
    let answers = [b"N"].iter().map(|no| &no[..]).chain(answers.iter().copied());
    talking("", answers.map(<[u8]>::to_vec).collect()).await
}

async fn ask(endpoint: Endpoint, probe: Probe) -> Outcome {
    ask_within(endpoint, probe, 3000).await
}

#[tokio::test]
async fn a_row_passes_and_none_does_not() {
    // A row of a gigabyte, of which nobody waits for more than the beginning.
    let row = [COLUMNS, b"D\x40\0\0\0"].concat();
    let there = postgres(&[LOGGED_IN, &row]).await;
    assert_eq!(ask(there, pgsql(None)).await, Outcome::Pass);
    assert_eq!(ask(there, pgsql(Some("SELECT 1"))).await, Outcome::Pass);
    let empty = postgres(&[LOGGED_IN, &[COLUMNS, NO_ROW].concat()]).await;
    let said = ask(empty, pgsql(Some("SELECT 1"))).await;
    assert_eq!(said, fail("pgsql: the query yields no row"));
}

#[tokio::test]
async fn f04_a_database_that_hangs_costs_its_probe_no_more_than_the_deadline() {
    let silent = talking("", vec![]).await;
    for silent in [silent, postgres(&[]).await] {
        let said = ask_within(silent, pgsql(None), 300).await;
        assert_eq!(said, fail("pgsql login: timed out after 300 ms"));
    }
    let tired = postgres(&[LOGGED_IN]).await;
    let said = ask_within(tired, pgsql(Some("SELECT pg_sleep(60)")), 300).await;
    assert_eq!(said, fail("pgsql query: timed out after 300 ms"));
}

#[tokio::test]
async fn hostile_servers_end_as_failures() {
    let ssh = talking("SSH-2.0-x\r\n", vec![]).await;
    let said = ask(ssh, pgsql(None)).await;
    let stuffed = r#"pgsql: says more than was asked before TLS: "SSH-2.0-x\r\n""#;
    assert_eq!(said, fail(stuffed));
    let web = talking("HTTP/1.1 400", vec![]).await;
    let said = ask(web, pgsql(None)).await;
    assert_eq!(said, fail(r#"pgsql: not PostgreSQL: "HTTP/1.1 400""#));
    let skipping = b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0R\0\0\0\x08\0\0\0\0";
    let said = ask(postgres(&[skipping]).await, pgsql(None)).await;
    assert_eq!(said, fail("pgsql: a message that cannot be read"));
    let notices = b"N\0\0\0\x04".repeat(250_000);
    let said = ask_within(postgres(&[&notices]).await, pgsql(None), 20_000).await;
    assert_eq!(said, fail("pgsql: says more than 1048576 bytes"));
    let closing = server(|mut client, _| async move {
        let _ = client.read(&mut [0; 100]).await;
    })
    .await;
    assert_eq!(ask(closing, pgsql(None)).await, fail("pgsql: connection closed"));
}

/// What is put in between a server's byte and its handshake must not count as the server's.
#[tokio::test]
async fn bytes_stuffed_before_the_handshake_are_refused() {
    let stuffed = talking("", vec![[b"S", LOGGED_IN].concat()]).await;
    let Outcome::Fail(said) = ask(stuffed, pgsql(None)).await else { panic!("it passes") };
    assert!(said.starts_with("pgsql: says more than was asked before TLS: \"SR"), "{said}");
}

/// A server that agrees to TLS and cannot do it; without TLS it answers the first message by
/// this, and with it nothing.
async fn broken_tls(in_the_clear: &'static [u8]) -> (Endpoint, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let endpoint = server(move |mut client, _| {
        counted.fetch_add(1, Ordering::Relaxed);
        async move {
            let mut heard = [0; 4096];
            while let Ok(length @ 1..) = client.read(&mut heard).await {
                let answer = match &heard[..length] {
                    [0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f] => b"S",
                    [0x16, 3, ..] => &b"no handshake of mine"[..],
                    _ => in_the_clear,
                };
                let _ = client.write_all(answer).await;
            }
        }
    });
    (endpoint.await, calls)
}

#[tokio::test]
async fn where_tls_is_refused_a_login_is_tried_once_in_the_clear() {
    let (good, calls) = broken_tls(LOGGED_IN).await;
    assert_eq!(ask(good, pgsql(None)).await, Outcome::Pass);
    assert_eq!(calls.load(Ordering::Relaxed), 2);
    let (bad, calls) = broken_tls(b"E\0\0\0\x0bMaway\0\0").await;
    let said = ask(bad, pgsql(None)).await;
    let both = "tls: the server does not speak TLS; without TLS: away";
    assert_eq!(said, fail(both));
    assert_eq!(calls.load(Ordering::Relaxed), 2);
    // All in one deadline.
    let (hangs, _) = broken_tls(b"").await;
    let said = ask_within(hangs, pgsql(None), 300).await;
    assert_eq!(said, fail("pgsql login: timed out after 300 ms"));
}

/// A server that says this by TLS to the first message, and closes; in the clear it lets
/// everybody in. Counts its callers.
async fn says_by_tls(said: &'static [u8]) -> (Endpoint, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let (acceptor, _) = super::tls::acceptor();
    let endpoint = server(move |mut client, _| {
        counted.fetch_add(1, Ordering::Relaxed);
        let acceptor = acceptor.clone();
        async move {
            let mut heard = [0; 4096];
            let Ok(length @ 1..) = client.read(&mut heard).await else { return };
            if heard[..length] != [0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f] {
                let _ = client.write_all(LOGGED_IN).await;
                while let Ok(1..) = client.read(&mut heard).await {}
                return;
            }
            let _ = client.write_all(b"S").await;
            let Ok(mut client) = acceptor.accept(client).await else { return };
            let _ = client.read(&mut heard).await;
            let _ = client.write_all(said).await;
            let _ = client.shutdown().await;
        }
    });
    (endpoint.await, calls)
}

/// Who stands between could break a connection to see the login in the clear.
#[tokio::test]
async fn only_an_error_of_the_servers_own_is_followed_by_a_login_in_the_clear() {
    let unreadable = "pgsql: a message that cannot be read";
    let web = r#"pgsql: not PostgreSQL: "HTTP/1.1 400""#;
    let cases: [(&[u8], Outcome, usize); 5] = [
        (b"E\0\0\0\x0bMaway\0\0", Outcome::Pass, 2),
        (b"", fail("pgsql: connection closed"), 1),
        (b"HTTP/1.1 400", fail(web), 1),
        (b"R\0\0\0\x08\0\0\0\x0c", fail(unreadable), 1),
        // Let in, and only then turned away.
        (b"R\0\0\0\x08\0\0\0\0E\0\0\0\x0bMgone\0\0", fail("pgsql: gone"), 1),
    ];
    for (said, outcome, callers) in cases {
        let (server, calls) = says_by_tls(said).await;
        assert_eq!(ask(server, pgsql(None)).await, outcome);
        assert_eq!(calls.load(Ordering::Relaxed), callers, "{outcome:?}");
    }
}
