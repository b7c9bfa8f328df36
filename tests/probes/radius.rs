//! RADIUS servers with another secret, another opinion, or none.

use directord::model::RadiusProbe;
use md5::{Digest, Md5};

use super::*;

fn radius() -> RadiusProbe {
    RadiusProbe { login: "joe".into(), password: "hush".into(), secret: "sesame".into() }
}

async fn ask(endpoint: Endpoint) -> Outcome {
    ask_within(endpoint, Probe::Radius(Box::new(radius())), 400).await
}

/// An answer to the request, proved by this secret.
fn answered(request: &[u8], code: u8, secret: &str, attributes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(20 + attributes.len()).unwrap();
    let mut answer = [&[code, request[1], 0, length], &request[4..20], attributes].concat();
    let mut proof = Md5::new();
    proof.update(&answer);
    proof.update(secret);
    answer[4..20].copy_from_slice(&proof.finalize());
    answer
}

#[tokio::test]
async fn an_accept_passes_and_a_reject_is_quoted() {
    let there = datagrams(|request| vec![answered(request, 2, "sesame", &[])]).await;
    assert_eq!(ask(there).await, Outcome::Pass);
    let full = datagrams(|request| vec![answered(request, 3, "sesame", b"\x12\x06full")]).await;
    assert_eq!(ask(full).await, fail("radius: access rejected: \"full\""));
    let asking = datagrams(|request| vec![answered(request, 11, "sesame", &[])]).await;
    assert_eq!(ask(asking).await, fail("radius: a challenge instead of an answer"));
}

#[tokio::test]
async fn an_answer_that_the_secret_does_not_prove_is_only_told_at_the_end() {
    let forged = datagrams(|request| vec![answered(request, 2, "other", &[])]).await;
    let reason = "radius: an answer that our secret does not prove: timed out after 400 ms";
    assert_eq!(ask(forged).await, fail(reason));
    let both = datagrams(|request| {
        vec![
            b"junk".to_vec(),
            answered(request, 3, "other", &[]),
            answered(request, 2, "sesame", &[]),
        ]
    })
    .await;
    assert_eq!(ask(both).await, Outcome::Pass);
}

#[tokio::test]
async fn silence_ends_with_the_deadline_and_a_lost_request_is_repeated_as_it_was() {
    let silent = datagrams(|_| vec![]).await;
    assert_eq!(ask(silent).await, fail("radius: timed out after 400 ms"));
    let mut first = None;
    let lossy = datagrams(move |request| match &first {
        None => {
            first = Some(request.to_vec());
            vec![]
        }
        Some(first) => {
            assert_eq!(first, request);
            vec![answered(request, 2, "sesame", &[])]
        }
    })
    .await;
    let probe = Probe::Radius(Box::new(radius()));
    assert_eq!(ask_within(lossy, probe, 5000).await, Outcome::Pass);
    let free = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(ask(free.into()).await, fail("radius: connection refused"));
}
