use std::time::Duration;

use tokio::io::{AsyncReadExt, duplex};
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
    let answer = timeout(limit, exchange(&mut here, b"GET /", reader, &progress)).await;
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
