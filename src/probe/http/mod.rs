//! Ask a question over HTTP/1.1, in the clear or over TLS, and judge the answer.
//!
//! One connection per request, to an address that is known before: the name in the Host header
//! and in SNI is what the server is called, not where it is looked for. Only a redirect to
//! another host is resolved. The reader is our own because twenty thousand silent servers must
//! fit in memory: nothing is set aside for an answer before its first byte.

mod chunked;
pub(super) mod reader;
mod request;
mod url;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::miss::{Miss, Phase, Progress};
use super::room::{Held, Room};
use super::{Shared, connect, evidence, stream};
use crate::model::{Endpoint, HttpProbe};
use reader::{Head, Reader};
use request::Hop;

/// Carries out the probe, redirects included. Waits as long as the caller lets it.
///
/// An answer whose status is wanted is never followed, though it be a redirect. Without
/// `receive` the headers decide; with it the body must come to its end, or to the limit.
pub(super) async fn run(
    shared: &Shared,
    endpoint: Endpoint,
    probe: &HttpProbe,
    progress: &Progress,
) -> Result<(), Miss> {
    let mut hop = Hop::first(endpoint, probe)?;
    let mut left = probe.redirects;
    loop {
        // Held until the body has been searched.
        let mut held = Held::default();
        let (head, body) = fetch(shared, &hop, probe, &mut held, progress).await?;
        progress.answered(head.status);
        if probe.status.contains(head.status) {
            let Some(pattern) = &probe.receive else { return Ok(()) };
            return shared.patterns.require(pattern, body, limit(probe), progress).await;
        }
        let Some(location) = redirect(&head).filter(|_| probe.redirects > 0) else {
            return Err(Miss::Fail(format!("http: {}, wanted {}", head.status, probe.status)));
        };
        if left == 0 {
            return Err(Miss::Fail(format!(
                "http: more than {} redirects, the last to {}",
                probe.redirects,
                evidence::excerpt(location)
            )));
        }
        left -= 1;
        hop = hop.follow(shared, head.status, location, progress).await?;
    }
}

fn redirect(head: &Head) -> Option<&[u8]> {
    matches!(head.status, 301 | 302 | 303 | 307 | 308).then_some(head.location.as_deref())?
}

fn limit(probe: &HttpProbe) -> usize {
    usize::try_from(probe.body_limit).unwrap_or(usize::MAX)
}

/// One request, one answer.
async fn fetch<'a>(
    shared: &'a Shared,
    hop: &Hop,
    probe: &HttpProbe,
    held: &mut Held<'a>,
    progress: &Progress,
) -> Result<(Head, Vec<u8>), Miss> {
    let body_for = probe.receive.as_ref().map(|_| &probe.status);
    let reader = Reader::new(hop.method == "HEAD", body_for, limit(probe));
    let request = hop.request(probe);
    let room = (&shared.room, held, limit(probe));
    let mut tcp = connect::open(hop.endpoint, progress).await?;
    match &hop.tls {
        None => exchange(&mut tcp, &request, reader, room, progress).await,
        Some(tls) => {
            let mut tls = shared.tls.open(tcp, hop.server_name(), tls, progress).await?;
            exchange(&mut tls, &request, reader, room, progress).await
        }
    }
}

pub(super) async fn exchange<'a, S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    request: &[u8],
    mut reader: Reader<'_>,
    (room, held, limit): (&'a Room, &mut Held<'a>, usize),
    progress: &Progress,
) -> Result<(Head, Vec<u8>), Miss> {
    progress.enter(Phase::Request);
    let sent = async {
        stream.write_all(request).await?;
        stream.flush().await
    };
    sent.await.map_err(|error| Miss::fail(Phase::Request, &error))?;
    progress.enter(Phase::Headers);
    loop {
        let step = stream::receive(stream, |bytes| match bytes {
            [] => reader.finish().map(|()| true),
            bytes => reader.feed(bytes).map(|flow| flow.is_break()),
        });
        let done = step.await.map_err(|error| Miss::fail(progress.phase(), &error))?;
        if reader.head().is_some() {
            progress.enter(Phase::Body);
        }
        if done.map_err(Miss::Fail)? {
            break;
        }
        held.grow(room, reader.kept(), limit, progress).await?;
    }
    match reader.into_parts() {
        (Some(head), body) => Ok((head, body)),
        // A reader is done only with a head; said as a failure rather than relied upon.
        (None, _) => Err(Miss::Fail("headers: none".into())),
    }
}

#[cfg(test)]
mod tests;
