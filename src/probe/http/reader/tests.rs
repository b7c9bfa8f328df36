use super::*;
use proptest::prelude::*;

/// The status and body of an answer that arrives in pieces of `step` bytes and is then closed.
fn read(answer: &[u8], step: usize) -> Result<(u16, Vec<u8>), String> {
    let any = StatusRanges::new(vec![100..=599]).unwrap();
    let mut reader = Reader::new(false, Some(&any), 64);
    let mut done = false;
    for piece in answer.chunks(step.max(1)) {
        if reader.feed(piece)?.is_break() {
            done = true;
            break;
        }
    }
    if !done {
        reader.finish()?;
    }
    let (head, body) = reader.into_parts();
    Ok((head.expect("a finished answer has a head").status, body))
}

fn whole(answer: &str) -> Result<(u16, String), String> {
    read(answer.as_bytes(), usize::MAX).map(|(s, b)| (s, String::from_utf8_lossy(&b).into()))
}

#[test]
fn the_body_ends_as_its_headers_say() {
    let ok = |body: &str| Ok((200, body.to_owned()));
    assert_eq!(whole("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcdef"), ok("abc"));
    assert_eq!(whole("HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\nabc"), ok("abc"));
    assert_eq!(whole("HTTP/1.0 200 OK\r\n\r\nabc"), ok("abc"));
    assert_eq!(whole("HTTP/1.1 200\n\nabc"), ok("abc"));
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n";
    assert_eq!(
        whole(&format!("{chunked}2;x=y\r\nab\r\nA \r\n0123456789\r\n0\r\n\r\n")),
        ok("ab0123456789")
    );
    assert_eq!(whole(&format!("{chunked}1\r\na\r\n00\r\nTrailer: x\r\n\r\nrest")), ok("a"));
}

#[test]
fn an_answer_cut_short_is_not_whole() {
    assert!(whole("").unwrap_err().contains("without an answer"));
    assert!(whole("HTTP/1.1 200 OK\r\nA: b\r\n").unwrap_err().contains("in the middle"));
    let said = whole("HTTP/1.1 200 OK\r\ncontent-length: 30\r\n\r\nabc").unwrap_err();
    assert_eq!(said, "body: connection closed 27 bytes before its end");
    assert!(whole("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab").is_err());
}

#[test]
fn interim_answers_are_skipped_but_not_for_ever() {
    let continued = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n";
    let said = whole(&format!("{continued}HTTP/1.1 204 No Content\r\n\r\nx"));
    assert_eq!(said, Ok((204, String::new())));
    let endless = "HTTP/1.1 100 Continue\r\n\r\n".repeat(1000);
    assert_eq!(whole(&endless).unwrap_err(), "headers: longer than 16 KiB");
}

#[test]
fn a_server_of_another_protocol_is_told_at_its_first_byte() {
    assert_eq!(
        whole("220 mail.example ESMTP\r\n").unwrap_err(),
        r#"http: not an HTTP answer: "220 mail.example ESMTP\r\n""#
    );
    for other in ["SSH-2.0-OpenSSH", "HTTP/2 200", "\u{15}\u{3}\u{1}", "<html>", "ICY 200 OK"] {
        assert!(whole(other).unwrap_err().starts_with("http: not an HTTP answer"), "{other}");
    }
}

#[test]
fn broken_framing_is_a_reason_not_a_guess() {
    for (headers, reason) in [
        ("content-length: 1\r\ncontent-length: 2", "two different content-lengths"),
        ("content-length: -1", "content-length is not a number"),
        ("content-length: 99999999999999999999", "content-length is not a number"),
    ] {
        let said = whole(&format!("HTTP/1.1 200 OK\r\n{headers}\r\n\r\nabc")).unwrap_err();
        assert_eq!(said, format!("headers: {reason}"));
    }
    for (chunks, reason) in [
        ("fffffffffffffffff\r\n", "body: chunk size too large"),
        ("-1\r\n", "body: chunk size is not a number"),
        ("\r\n", "body: chunk size is not a number"),
        ("1\r\nab", "body: chunk longer than its size"),
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        assert_eq!(whole(&answer).unwrap_err(), reason);
    }
    let endless =
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;{}", "x".repeat(5000));
    assert!(whole(&endless).unwrap_err().contains("longer than 4096 bytes"));
}

#[test]
fn no_body_is_waited_for_where_none_is_wanted() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";
    let ok = StatusRanges::default();
    for (bodiless, ranges) in [(true, Some(&ok)), (false, None)] {
        let mut reader = Reader::new(bodiless, ranges, 64);
        assert_eq!(reader.feed(head), Ok(ControlFlow::Break(())));
    }
    let mut reader = Reader::new(false, Some(&ok), 64);
    assert_eq!(reader.feed(head), Ok(ControlFlow::Continue(())));
    let mut reader = Reader::new(false, Some(&ok), 64);
    let down = b"HTTP/1.1 503 Down\r\nContent-Length: 10\r\n\r\n";
    assert_eq!(reader.feed(down), Ok(ControlFlow::Break(())));
}

#[test]
fn no_more_is_kept_than_the_limit() {
    let answer = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(100_000));
    let (_, body) = whole(&answer).unwrap();
    assert_eq!(body.len(), 64);
    let crowded = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(300));
    assert!(whole(&crowded).unwrap_err().starts_with("headers: malformed (too many headers)"));
    let line = format!("HTTP/1.1 200 OK\r\nA: {}", "x".repeat(20_000));
    assert_eq!(whole(&line).unwrap_err(), "headers: longer than 16 KiB");
}

/// Pieces of answers in any order: far more often nearly right than arbitrary bytes are.
fn nearly_http() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "HTTP/1.1 200 OK\r\n", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.0 204 x\r\n",
            "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "Location: /x\r\n",
            "\r\n", "\n", "5\r\nabcde\r\n", "0\r\n\r\n", "a;q=1\r\n", "0123456789", " folded\r\n",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn how_the_bytes_are_split_changes_nothing(answer in nearly_http(), step in 1usize..40) {
        let at_once = read(&answer, usize::MAX);
        let split = read(&answer, step);
        match (&at_once, &split) {
            // Only the excerpt may differ: it shows what had arrived by then.
            (Err(a), Err(b)) => prop_assert_eq!(a.split(": \"").next(), b.split(": \"").next()),
            (a, b) => prop_assert_eq!(a, b),
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        answer in prop::collection::vec(any::<u8>(), 0..300),
        step in 1usize..40,
    ) {
        let headed = [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", &answer[..]].concat();
        let _ = (read(&answer, step), read(&headed, step));
    }
}
