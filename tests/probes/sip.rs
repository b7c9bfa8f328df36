//! SIP servers by UDP and TCP, one polite and many not.

use directord::model::{SipProbe, Transport};

use super::*;

const BOTH: [Transport; 2] = [Transport::Udp, Transport::Tcp];

fn sip(transport: Transport) -> Probe {
    Probe::Sip(Box::new(SipProbe { login: "joe@example.org".into(), transport }))
}

async fn ask(endpoint: Endpoint, transport: Transport) -> Outcome {
    ask_within(endpoint, sip(transport), 3000).await
}

/// A server that answers each request with what `answer` makes of it.
async fn answering(transport: Transport, answer: fn(&str) -> String) -> Endpoint {
    match transport {
        Transport::Udp => {
            datagrams(move |asked| {
                let answer = answer(str::from_utf8(asked).unwrap());
                if answer.is_empty() { vec![] } else { vec![answer.into_bytes()] }
            })
            .await
        }
        Transport::Tcp => {
            server(move |mut client, _| async move {
                let asked = request(&mut client).await;
                let _ = client.write_all(answer(&asked).as_bytes()).await;
                std::future::pending::<()>().await;
            })
            .await
        }
    }
}

/// An answer of this status to a request, with the headers every answer repeats.
fn status(status: &str, asked: &str) -> String {
    let wanted = |line: &&str| {
        ["Via:", "From:", "To:", "Call-ID:", "CSeq:"].iter().any(|name| line.starts_with(name))
    };
    let headers: String =
        asked.lines().filter(wanted).map(|line| format!("{}\r\n", line.trim_end())).collect();
    format!("SIP/2.0 {status}\r\n{headers}Content-Length: 0\r\n\r\n")
}

fn ok(asked: &str) -> String {
    status("200 OK", asked)
}

#[tokio::test]
async fn options_answered_200_pass_by_either_transport() {
    for transport in BOTH {
        let strict = match transport {
            Transport::Udp => |asked: &str| {
                assert!(asked.starts_with("OPTIONS sip:joe@example.org SIP/2.0\r\n"));
                assert!(asked.contains("\r\nVia: SIP/2.0/UDP 127.0.0.1:"));
                ok(asked)
            },
            Transport::Tcp => |asked: &str| {
                assert!(asked.contains("\r\nVia: SIP/2.0/TCP 127.0.0.1:"));
                status("100 Trying", asked) + "\r\n" + &ok(asked)
            },
        };
        assert_eq!(ask(answering(transport, strict).await, transport).await, Outcome::Pass);
    }
}

#[tokio::test]
async fn a_refusal_or_another_protocol_is_the_reason() {
    for transport in BOTH {
        let refusing = answering(transport, |asked| status("503 Service Unavailable", asked)).await;
        let said = ask(refusing, transport).await;
        assert_eq!(said, fail("sip: 503 Service Unavailable, wanted 200"));
        let other = answering(transport, |_| "HTTP/1.1 400 Bad Request\r\n".into()).await;
        let said = ask(other, transport).await;
        assert!(reason(said.clone()).starts_with("sip: not an answer by SIP: \"HTTP"), "{said:?}");
    }
}

#[tokio::test]
async fn an_answer_to_another_request_is_passed_over() {
    for transport in BOTH {
        let late = answering(transport, |asked| ok(asked).replace("Call-ID: ", "Call-ID: x")).await;
        let said = ask_within(late, sip(transport), 300).await;
        assert_eq!(said, fail("sip: timed out after 300 ms"));
    }
}

#[tokio::test]
async fn no_two_probes_send_the_same_request() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let server = datagrams(move |asked| {
        let text = str::from_utf8(asked).unwrap();
        tell.send(text.to_owned()).unwrap();
        vec![ok(text).into_bytes()]
    });
    let server = server.await;
    for _ in 0..2 {
        assert_eq!(ask(server, Transport::Udp).await, Outcome::Pass);
    }
    let (one, other) = (told.recv().await.unwrap(), told.recv().await.unwrap());
    let part = |text: &str, from: &str| {
        let start = text.find(from).unwrap() + from.len();
        text[start..].split(['\r', ';', '@']).next().unwrap().to_owned()
    };
    for unique in ["branch=", "tag=", "Call-ID: "] {
        assert_ne!(part(&one, unique), part(&other, unique), "{unique}");
    }
}

#[tokio::test]
async fn a_lost_request_is_repeated_as_it_was() {
    let mut first = None;
    let server = datagrams(move |asked| match &first {
        None => {
            first = Some(asked.to_vec());
            vec![]
        }
        Some(first) => {
            assert_eq!(first, asked);
            vec![ok(str::from_utf8(asked).unwrap()).into_bytes()]
        }
    });
    assert_eq!(ask(server.await, Transport::Udp).await, Outcome::Pass);
}

#[tokio::test]
async fn silence_ends_with_the_deadline_and_a_closed_port_at_once() {
    for transport in BOTH {
        let silent = answering(transport, |_| String::new()).await;
        let said = ask_within(silent, sip(transport), 300).await;
        assert_eq!(said, fail("sip: timed out after 300 ms"));
    }
    let free = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(ask(free.into(), Transport::Udp).await, fail("sip: connection refused"));
    assert_eq!(ask(free.into(), Transport::Tcp).await, fail("connect: connection refused"));
}
