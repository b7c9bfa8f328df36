//! Name servers that answer late, twice, something else, or nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use directord::model::{DnsProbe, Transport};

use super::*;

const A: u8 = 1;
const AAAA: u8 = 28;

fn dns() -> DnsProbe {
    let request = "www.example.com".into();
    DnsProbe { request, receive: None, transport: Transport::Udp }
}

fn matching(pattern: &str) -> DnsProbe {
    DnsProbe { receive: Some(pattern.into()), ..dns() }
}

fn by_tcp() -> DnsProbe {
    DnsProbe { transport: Transport::Tcp, ..dns() }
}

async fn ask(endpoint: Endpoint, probe: DnsProbe) -> Outcome {
    ask_within(endpoint, Probe::Dns(Box::new(probe)), 5000).await
}

/// The question as an answer with this code and this address, if it is of the kind asked for.
fn answered(question: &[u8], code: u8, kind: u8, address: &[u8]) -> Vec<u8> {
    let mut answer = question.to_vec();
    answer[2] |= 0x80;
    answer[3] |= code;
    if question[question.len() - 3] == kind {
        answer[7] = 1;
        let length = u8::try_from(address.len()).unwrap();
        answer.extend([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60, 0, length]);
        answer.extend(address);
    }
    answer
}

fn www(question: &[u8]) -> Vec<u8> {
    answered(question, 0, A, &[192, 0, 2, 1])
}

#[tokio::test]
async fn d02_without_receive_any_record_passes() {
    let there = datagrams(|question| vec![www(question)]).await;
    assert_eq!(ask(there, dns()).await, Outcome::Pass);
    let empty = datagrams(|question| vec![answered(question, 0, 0, &[])]).await;
    assert_eq!(ask(empty, dns()).await, fail("dns: no record for www.example.com"));
}

#[tokio::test]
async fn f09_an_ipv6_address_counts() {
    let address = [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[1]].concat();
    let there = datagrams(move |question| vec![answered(question, 0, AAAA, &address)]).await;
    assert_eq!(ask(there, dns()).await, Outcome::Pass);
    assert_eq!(ask(there, matching("^2001:db8::1$")).await, Outcome::Pass);
}

#[tokio::test]
async fn records_that_do_not_match_are_the_reason() {
    let there = datagrams(|question| vec![www(question)]).await;
    assert_eq!(ask(there, matching(r"^192\.0\.2\.1$")).await, Outcome::Pass);
    let said = ask(there, matching("^10[.]")).await;
    assert_eq!(said, fail(r#"receive: /^10[.]/ not found in "192.0.2.1""#));
}

#[tokio::test]
async fn a_refusal_has_its_name() {
    for (code, name) in [(2, "SERVFAIL"), (3, "NXDOMAIN"), (5, "REFUSED")] {
        let there = datagrams(move |question| vec![answered(question, code, 0, &[])]).await;
        let reason = format!("dns: {name} for www.example.com");
        assert_eq!(ask(there, dns()).await, fail(&reason));
    }
}

#[tokio::test]
async fn an_answer_to_another_question_is_passed_over() {
    let there = datagrams(|question| {
        let (mut other_id, mut other_name) = (www(question), www(question));
        other_id[0] ^= 0x55;
        other_id[1] ^= 0x55;
        other_name[13] = b'x';
        vec![vec![], other_id, other_name, b"junk".to_vec(), www(question)]
    })
    .await;
    assert_eq!(ask(there, dns()).await, Outcome::Pass);
}

#[tokio::test]
async fn a_lost_question_is_asked_again() {
    let mut asked = 0;
    let there = datagrams(move |question| {
        asked += 1;
        if asked > 4 { vec![www(question)] } else { vec![] }
    })
    .await;
    assert_eq!(ask(there, dns()).await, Outcome::Pass);
}

#[tokio::test]
async fn silence_ends_with_the_deadline_and_a_closed_port_at_once() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let silent = datagrams(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        vec![]
    })
    .await;
    let said = ask_within(silent, Probe::Dns(Box::new(dns())), 400).await;
    assert_eq!(said, fail("dns: timed out after 400 ms"));
    // Two questions, four times each, on a machine that keeps up.
    assert!((4..=8).contains(&asked.load(Ordering::Relaxed)), "{asked:?}");

    let free = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(ask(free.into(), dns()).await, fail("dns: connection refused"));
}

#[tokio::test]
async fn an_endless_stream_of_junk_ends_with_the_deadline() {
    let there = datagrams(|_| vec![vec![0; 1000]; 1000]).await;
    let said = ask_within(there, Probe::Dns(Box::new(dns())), 300).await;
    assert_eq!(said, fail("dns: timed out after 300 ms"));
}

/// A server that answers each connection's question so.
async fn tcp_server(answer: impl Fn(&[u8]) -> Vec<u8> + Copy + Send + Sync + 'static) -> Endpoint {
    server(move |mut client, _| async move {
        let length = client.read_u16().await.unwrap();
        let mut question = vec![0; length.into()];
        client.read_exact(&mut question).await.unwrap();
        let _ = client.write_all(&answer(&question)).await;
    })
    .await
}

fn framed(message: Vec<u8>) -> Vec<u8> {
    [&u16::try_from(message.len()).unwrap().to_be_bytes(), &message[..]].concat()
}

#[tokio::test]
async fn a_truncated_answer_is_asked_for_by_tcp() {
    let there = tcp_server(|question| framed(www(question))).await;
    let udp = UdpSocket::bind(SocketAddr::from(there)).await.unwrap();
    tokio::spawn(async move {
        let mut space = [0; 512];
        while let Ok((length, client)) = udp.recv_from(&mut space).await {
            space[2] |= 0x82;
            let _ = udp.send_to(&space[..length], client).await;
        }
    });
    assert_eq!(ask(there, matching("192.0.2.1")).await, Outcome::Pass);
}

/// A server at this address that answers truncated for IPv4, and a moment later as it should for
/// IPv6, if at all.
async fn truncating(at: Endpoint, ipv6: bool) {
    let udp = UdpSocket::bind(SocketAddr::from(at)).await.unwrap();
    tokio::spawn(async move {
        let mut space = [0; 512];
        while let Ok((length, client)) = udp.recv_from(&mut space).await {
            let question = &mut space[..length];
            if question[length - 3] == A {
                question[2] |= 0x82;
                let _ = udp.send_to(question, client).await;
            } else if ipv6 {
                tokio::time::sleep(Duration::from_millis(100)).await;
                let address = [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[1]].concat();
                let _ = udp.send_to(&answered(question, 0, AAAA, &address), client).await;
            }
        }
    });
}

#[tokio::test]
async fn a_truncated_answer_is_asked_for_while_the_other_is_waited_for() {
    let there = tcp_server(|question| framed(www(question))).await;
    truncating(there, false).await;
    assert_eq!(ask(there, matching("192.0.2.1")).await, Outcome::Pass);
}

#[tokio::test]
async fn a_truncated_answer_that_cannot_be_had_does_not_hold_up_the_other() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = Endpoint::from(free.local_addr().unwrap());
    drop(free);
    truncating(nobody, true).await;
    assert_eq!(ask(nobody, matching("2001:db8::1")).await, Outcome::Pass);
    assert_eq!(ask(nobody, matching("^10[.]")).await, fail("connect: connection refused"));
    let silent = server(|client, _| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(client);
    });
    let silent = silent.await;
    truncating(silent, true).await;
    assert_eq!(ask(silent, dns()).await, Outcome::Pass);
}

#[tokio::test]
async fn hostile_answers_by_tcp_end_as_failures() {
    let there = tcp_server(|question| framed(www(question))).await;
    assert_eq!(ask(there, by_tcp()).await, Outcome::Pass);

    let closing = tcp_server(|_| vec![0]).await;
    assert_eq!(ask(closing, by_tcp()).await, fail("dns: connection closed"));
    let boasting = tcp_server(|_| vec![0xff, 0xff]).await;
    assert_eq!(ask(boasting, by_tcp()).await, fail("dns: an answer of 65535 bytes"));
    let elsewhere = tcp_server(|_| framed(b"HTTP/1.1 400 Bad Request".to_vec())).await;
    assert_eq!(ask(elsewhere, by_tcp()).await, fail("dns: an answer to another question"));
    let cut = tcp_server(|question| {
        let mut answer = www(question);
        answer[2] |= 2;
        framed(answer)
    })
    .await;
    assert_eq!(ask(cut, by_tcp()).await, fail("dns: truncated, even by TCP"));

    let silent = server(|client, _| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(client);
    })
    .await;
    let said = ask_within(silent, Probe::Dns(Box::new(by_tcp())), 300).await;
    assert_eq!(said, fail("dns: timed out after 300 ms"));
}

#[tokio::test]
async fn a_name_that_cannot_be_asked_for_is_not_the_servers_failure() {
    let nobody = Endpoint::new([127, 0, 0, 1].into(), 1);
    let odd = DnsProbe { request: "a..b".into(), ..dns() };
    let reason = "dns: a..b: not a name that can be asked for";
    assert_eq!(ask(nobody, odd).await, Outcome::Local(reason.into()));
}
