use std::time::Duration;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, DuplexStream, duplex};
use tokio::time::timeout;

use super::*;
use crate::model::StatusRanges;

/// Plays a server that sends `pieces` a second apart and then stays silent; the exchange as it
/// ends within ten seconds of a clock that costs no time.
async fn exchange_with(pieces: Vec<Vec<u8>>, wants_body: bool) -> Result<(Head, Vec<u8>), Miss> {
    let (mut here, mut there) = duplex(64 * 1024);
    let server = tokio::spawn(async move {
        let mut question = [0; 1024];
        let _ = there.read(&mut question).await;
        for piece in pieces {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if there.write_all(&piece).await.is_err() {
                return;
            }
        }
        std::future::pending::<()>().await;
    });
    let ranges = StatusRanges::default();
    let reader = Reader::new(false, wants_body.then_some(&ranges), 1000);
    let progress = Progress::default();
    let limit = Duration::from_secs(10);
    let (room, mut held) = (Room::default(), Held::default());
    let room = (&room, &mut held, 1000);
    let answer = timeout(limit, exchange(&mut here, b"GET /", reader, room, &progress)).await;
    server.abort();
    answer.unwrap_or_else(|_| Err(progress.timed_out(limit)))
}

fn timed_out(phase: &str) -> Miss {
    Miss::Fail(format!("{phase}: timed out after 10 s"))
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_times_out_in_its_headers() {
    assert_eq!(exchange_with(vec![], true).await, Err(timed_out("headers")));
}

#[tokio::test(start_paused = true)]
async fn a_byte_a_second_is_not_an_answer() {
    let answer = b"HTTP/1.1 200 OK\r\n\r\n";
    let drip = answer.iter().map(|&b| vec![b]).collect();
    assert_eq!(exchange_with(drip, true).await, Err(timed_out("headers")));
}

#[tokio::test(start_paused = true)]
async fn a_stalled_body_is_a_failure_where_the_body_matters() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc".to_vec();
    assert_eq!(exchange_with(vec![head.clone()], true).await, Err(timed_out("body")));
    let (head, body) = exchange_with(vec![head], false).await.unwrap();
    assert_eq!((head.status, body), (200, vec![]));
}

/// Answers whatever is asked with these bytes and closes its side.
async fn answer_once(mut there: DuplexStream, answer: &[u8]) -> DuplexStream {
    let mut question = [0; 1024];
    let _ = there.read(&mut question).await;
    let _ = there.write_all(answer).await;
    let _ = there.shutdown().await;
    there
}

/// What hyper's client makes of these bytes and a close: status and whole body, or an error.
async fn by_hyper(answer: &[u8]) -> Option<(u16, Vec<u8>)> {
    use http_body_util::{BodyExt, Empty};
    use hyper::body::Bytes;

    let (here, there) = duplex(64 * 1024);
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .ignore_invalid_headers_in_responses(true)
        .handshake(hyper_util::rt::TokioIo::new(here))
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let request = hyper::Request::get("/").header("host", "a").body(Empty::<Bytes>::new());
    let said = async {
        let answer = sender.send_request(request.unwrap()).await.ok()?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.ok()?.to_bytes().to_vec();
        Some((status, body))
    };
    let (said, _held) = tokio::join!(said, answer_once(there, answer));
    connection.abort();
    said
}

async fn by_us(answer: &[u8]) -> Option<(u16, Vec<u8>)> {
    let (mut here, there) = duplex(64 * 1024);
    let any = StatusRanges::new(vec![100..=599]).unwrap();
    let reader = Reader::new(false, Some(&any), 1 << 20);
    let (room, mut held, progress) = (Room::default(), Held::default(), Progress::default());
    let room = (&room, &mut held, 1 << 20);
    let said = exchange(&mut here, b"GET /", reader, room, &progress);
    let (said, _held) = tokio::join!(said, answer_once(there, answer));
    said.ok().map(|(head, body)| (head.status, body))
}

/// Answers as servers send them, whole or cut short anywhere.
fn answers() -> impl Strategy<Value = Vec<u8>> {
    let head = prop::sample::select(vec![
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.0 200 OK\r\n",
        "HTTP/1.1 204 No Content\r\n",
        "HTTP/1.1 304 \r\n",
        "HTTP/1.1 503\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n",
        "HTTP/2 200\r\n",
        "HTTP/1.1 20 OK\r\n",
        "HTTP/1.1 2000 OK\r\n",
    ]);
    let header = prop::sample::select(vec![
        "Content-Length: 5\r\n",
        "Content-Length: 5\r\n",
        "content-length:7\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length:\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Connection: keep-alive\r\n",
        "X-Odd : value\r\n",
        "X-Folded: a\r\n b\r\n",
        "no colon\r\n",
    ]);
    let body = prop::sample::select(vec![
        "",
        "abcde",
        "abcdefgh",
        "5\r\nabcde\r\n0\r\n\r\n",
        "5\r\nabcde\r\n",
        "5;x=y\r\nabcde\r\n0\r\nTrailer: x\r\n\r\n",
        "A\r\n0123456789\r\n00\r\n\r\n",
        "fffffffffffffffff\r\nabc",
        "x\r\nabc\r\n",
        "5\r\nabcdefgh\r\n0\r\n\r\n",
    ]);
    let headers = prop::collection::vec(header, 0..4);
    (head, headers, body, any::<prop::sample::Index>(), prop::bool::weighted(0.3)).prop_map(
        |(head, headers, body, cut, short)| {
            let whole = format!("{head}{}\r\n{body}", headers.concat()).into_bytes();
            let length = if short { cut.index(whole.len() + 1) } else { whole.len() };
            whole[..length].to_vec()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn hyper_reads_the_same_answer(answer in answers()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (theirs, ours) = runtime.block_on(async {
            (by_hyper(&answer).await, by_us(&answer).await)
        });
        prop_assert_eq!(ours, theirs, "{}", String::from_utf8_lossy(&answer));
    }
}
