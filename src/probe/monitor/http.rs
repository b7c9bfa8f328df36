//! One page, asked for and judged as mon's `http.monitor` does.
//!
//! HTTP/1.0, so that the server ends its answer by closing. What has come when time is up is
//! judged as it is: a good status has passed, though the page never ends.

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::plan::Http;
use crate::model::{Endpoint, HttpProbe, Tls};
use crate::probe::miss::{Miss, Phase, Progress};
use crate::probe::room::Held;
use crate::probe::{Shared, connect, evidence, stream};

/// Of an answer no more is read, in bytes, where there is something to look for in it.
const MAX_ANSWER: usize = HttpProbe::DEFAULT_BODY_LIMIT as usize;

/// Of the headers alone.
const MAX_HEAD: usize = 64 * 1024;

/// Of the headers no more is shown, in bytes.
const MAX_SHOWN: usize = 2048;

/// As everywhere in checks: whether the server works is asked, not what it is called.
const UNVERIFIED: Tls = Tls { verify: false, ca_file: None };

/// Reads the answer of a host, as far as it matters, into `content`, which outlives a deadline.
pub(super) async fn fetch<'a>(
    shared: &'a Shared,
    (host, endpoint): (&str, Endpoint),
    http: &Http,
    (content, held): (&mut Vec<u8>, &mut Held<'a>),
    progress: &Progress,
) -> Result<(), Miss> {
    let mut tcp = connect::open(endpoint, progress).await?;
    let room = (shared, held);
    match http.tls {
        false => exchange(&mut tcp, host, http, content, room, progress).await,
        true => {
            let mut tls = shared.tls.open(tcp, host, &UNVERIFIED, progress).await?;
            exchange(&mut tls, host, http, content, room, progress).await
        }
    }
}

/// The question and the answer, over a connection that is there.
pub(super) async fn exchange<'a, S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    host: &str,
    http: &Http,
    content: &mut Vec<u8>,
    (shared, held): (&'a Shared, &mut Held<'a>),
    progress: &Progress,
) -> Result<(), Miss> {
    progress.enter(Phase::Request);
    let request = request(host, http);
    let sent = async {
        stream.write_all(request.as_bytes()).await?;
        stream.flush().await
    };
    sent.await.map_err(|error| Miss::fail(Phase::Request, &error))?;
    progress.enter(Phase::Headers);
    let limit = if http.pattern.is_some() { MAX_ANSWER } else { MAX_HEAD };
    while content.len() < limit {
        let step = stream::receive(stream, |bytes| {
            content.extend_from_slice(&bytes[..bytes.len().min(limit - content.len())]);
            bytes.is_empty()
        });
        let ended = match step.await {
            Ok(ended) => ended,
            // A server that resets what it has answered has answered.
            Err(_) if !content.is_empty() => true,
            Err(error) => return Err(Miss::fail(Phase::Headers, &error)),
        };
        if ended || (http.pattern.is_none() && head(content).is_some()) {
            return Ok(());
        }
        held.grow(&shared.room, content.len(), limit, progress).await?;
    }
    Ok(())
}

fn request(host: &str, http: &Http) -> String {
    let (path, agent) = (&http.path, &http.agent);
    format!("GET {path} HTTP/1.0\r\nHost: {host}\r\nUser-Agent: {agent}\r\n\r\n")
}

/// Everything before the first empty line, once there is one.
fn head(content: &[u8]) -> Option<&[u8]> {
    let ends = memchr::memchr_iter(b'\n', content);
    ends.into_iter().find_map(|end| {
        let rest = &content[end + 1..];
        let rest = rest.strip_prefix(b"\r").unwrap_or(rest);
        rest.starts_with(b"\n").then(|| &content[..end])
    })
}

/// Whether the status is one of those that are well.
pub(super) fn is_well(content: &[u8]) -> bool {
    let Some(rest) = content.strip_prefix(b"HTTP/") else { return false };
    let version = rest.iter().take_while(|b| b.is_ascii_digit() || **b == b'.').count();
    let rest = &rest[version..];
    let status = rest.trim_ascii_start();
    let ends = status.get(3).is_none_or(|b| !(b.is_ascii_alphanumeric() || *b == b'_'));
    let known = [&b"200"[..], b"301", b"302", b"401"].iter().any(|code| status.starts_with(code));
    version > 0 && status.len() < rest.len() && ends && known
}

/// The headers, fit to be shown.
pub(super) fn shown(content: &[u8]) -> String {
    let head = head(content).unwrap_or_default();
    let lines = head[..head.len().min(MAX_SHOWN)].split(|&b| b == b'\n');
    lines.map(evidence::line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn four_statuses_are_well() {
        for good in ["200 OK", "301", "302 Found", "401 Who?"] {
            assert!(is_well(format!("HTTP/1.1 {good}\r\n").as_bytes()), "{good}");
        }
        for bad in ["204 None", "500 Oops", "2000", "303 See", ""] {
            assert!(!is_well(format!("HTTP/1.1 {bad}\r\n").as_bytes()), "{bad}");
        }
        for odd in ["", "HTTP/", "HTTP/1.1", "HTTP/1.1200 OK", "SSH-2.0", " HTTP/1.0 200"] {
            assert!(!is_well(odd.as_bytes()), "{odd}");
        }
    }

    #[test]
    fn the_head_ends_with_an_empty_line() {
        assert_eq!(head(b"a\r\nb\r\n\r\nc"), Some(&b"a\r\nb\r"[..]));
        assert_eq!(head(b"a\nb\n\nc"), Some(&b"a\nb"[..]));
        assert_eq!(head(b"a\r\nb\r\n"), None);
        assert_eq!(shown(b"HTTP/1.0 200 OK\r\nX: \x1b[2J\r\n\r\n"), "HTTP/1.0 200 OK\nX: \\x1b[2J");
    }

    proptest! {
        #[test]
        fn arbitrary_answers_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let answer = [&b"HTTP/1.1 "[..], &bytes].concat();
            for bytes in [&bytes, &answer] {
                let _ = (is_well(bytes), shown(bytes), head(bytes));
            }
        }
    }
}
