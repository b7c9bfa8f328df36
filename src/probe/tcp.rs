//! Send a text, and look for a line of the answer: ldirectord's simpletcp.

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::miss::{Miss, Phase, Progress, describe};
use super::room::Held;
use super::{Shared, connect, patterns, stream};
use crate::model::{Endpoint, TcpProbe};

/// Carries out the probe. Waits as long as the caller lets it.
///
/// The first line that matches passes, whatever else the server had to say; without `receive`
/// the first byte does.
pub(super) async fn run(
    shared: &Shared,
    endpoint: Endpoint,
    probe: &TcpProbe,
    progress: &Progress,
) -> Result<(), Miss> {
    let mut tcp = connect::open(endpoint, progress).await?;
    exchange(&mut tcp, shared, probe, progress).await
}

/// The text out, the answer in.
pub(super) async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    tcp: &mut S,
    shared: &Shared,
    probe: &TcpProbe,
    progress: &Progress,
) -> Result<(), Miss> {
    progress.enter(Phase::TcpAnswer);
    if let Some(request) = &probe.request {
        let sent = async {
            tcp.write_all(request.as_bytes()).await?;
            tcp.shutdown().await
        };
        // A server that says its piece and closes need not listen; whether it did is to be read.
        let _ = sent.await;
    }
    let limit = usize::try_from(probe.body_limit).unwrap_or(usize::MAX);
    let mut answer = Answer::new(limit);
    let mut held = Held::default();
    loop {
        let step = stream::receive(tcp, |bytes| answer.take(bytes));
        if let Err(error) = step.await {
            // A reset may follow an answer; what came before it counts.
            if answer.bytes.is_empty() {
                return Err(Miss::Fail(format!("tcp: {}", describe(&error))));
            }
            answer.take(&[]);
        }
        let Some(pattern) = &probe.receive else { return answer.any() };
        let lines = answer.lines();
        if !lines.is_empty() && shared.patterns.search(pattern, lines, progress).await?.0 {
            return Ok(());
        }
        if answer.over {
            answer.any()?;
            return Err(Miss::Fail(patterns::not_found(pattern, &answer.bytes, limit)));
        }
        progress.enter(Phase::TcpAnswer);
        held.grow(&shared.room, answer.bytes.len(), limit, progress).await?;
    }
}

/// What came so far.
struct Answer {
    bytes: Vec<u8>,
    limit: usize,
    /// How many bytes were handed out as lines.
    seen: usize,
    /// Whether no more is to come, or wanted.
    over: bool,
}

impl Answer {
    fn new(limit: usize) -> Answer {
        Answer { bytes: Vec::new(), limit, seen: 0, over: false }
    }

    /// Takes bytes up to the limit; none are the end.
    fn take(&mut self, bytes: &[u8]) {
        let room = self.limit.saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..room.min(bytes.len())]);
        self.over = bytes.is_empty() || self.bytes.len() >= self.limit;
    }

    /// The lines that became whole, their ends included; of an answer that is over the last one
    /// as it is.
    fn lines(&mut self) -> Vec<Vec<u8>> {
        let fresh = &self.bytes[self.seen..];
        let whole = match self.over {
            true => fresh.len(),
            false => memchr::memrchr(b'\n', fresh).map_or(0, |end| end + 1),
        };
        self.seen += whole;
        fresh[..whole].split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect()
    }

    /// Whether there is an answer at all.
    fn any(&self) -> Result<(), Miss> {
        match self.bytes.is_empty() {
            true => Err(Miss::Fail("tcp: connection closed without an answer".into())),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All lines of an answer that comes in pieces of `step` bytes.
    fn lines(bytes: &[u8], step: usize, limit: usize) -> Vec<Vec<u8>> {
        let mut answer = Answer::new(limit);
        let mut lines = Vec::new();
        for piece in bytes.chunks(step).chain([&b""[..]]) {
            answer.take(piece);
            lines.extend(answer.lines());
            if answer.over {
                break;
            }
        }
        lines
    }

    #[test]
    fn a_line_is_handed_out_once_it_is_whole_and_the_last_as_it_is() {
        assert_eq!(lines(b"a\r\n\nbc", 2, 100), [&b"a\r\n"[..], b"\n", b"bc"]);
        assert_eq!(lines(b"abc\ndef", 2, 5), [&b"abc\n"[..], b"d"]);
        assert!(lines(b"", 1, 5).is_empty());
    }

    proptest! {
        #[test]
        fn how_the_bytes_are_split_changes_nothing(
            bytes in prop::collection::vec(prop::sample::select(b"ab\r\n".to_vec()), 0..60),
            step in 1usize..20,
            limit in 1usize..80,
        ) {
            let kept = &bytes[..limit.min(bytes.len())];
            prop_assert_eq!(lines(&bytes, step, limit).concat(), kept);
            prop_assert_eq!(lines(&bytes, step, limit), lines(&bytes, 100, limit));
        }
    }
}
