//! A long answer, sent while it is being written.
//!
//! The status of 10,000 services is ten megabytes of JSON. It is never there as a whole: a thread
//! that may take its time writes it, piece by piece, no faster than the caller reads.

use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use hyper::body::{Bytes, Frame};
use serde::Serialize;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// Bytes of a piece: a third of what a socket takes at once.
const PIECE: usize = 64 << 10;
/// Pieces that wait for the socket.
const WAITING: usize = 2;
/// A caller that takes no piece for so long is given up, for a thread waits for it.
const PATIENCE: Duration = Duration::from_secs(15);

/// An answer with this as its JSON. Call within a Tokio runtime.
pub fn json(value: impl Serialize + Send + 'static) -> Response {
    let (to, pieces) = channel(WAITING);
    let mut writer = Writer { piece: Vec::new(), to, runtime: Handle::current() };
    spawn_blocking(move || {
        let written = serde_json::to_writer(&mut writer, &value).map_err(io::Error::from);
        // When that fails, the caller is gone.
        let _ = written.and_then(|()| writer.flush()).and_then(|()| writer.send(Piece::End));
    });
    ([(header::CONTENT_TYPE, "application/json")], Body::new(Pieces(pieces))).into_response()
}

enum Piece {
    Some(Bytes),
    /// Nothing is missing.
    End,
}

/// Sends what is written to it.
struct Writer {
    piece: Vec<u8>,
    to: Sender<Piece>,
    runtime: Handle,
}

impl Writer {
    /// Waits for the caller to take what was sent before; an error when it does not.
    fn send(&self, piece: Piece) -> io::Result<()> {
        let sent = self.runtime.block_on(timeout(PATIENCE, self.to.send(piece)));
        sent.map_err(io::Error::other)?.map_err(|_| io::Error::other("the caller is gone"))
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE + PIECE / 8));
        self.send(Piece::Some(piece.into()))
    }
}

/// What was sent, as a body that is broken off when the end is missing: half a status is not to
/// be taken for the whole.
struct Pieces(Receiver<Piece>);

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Ready(match ready!(self.0.poll_recv(cx)) {
            Some(Piece::Some(bytes)) => Some(Ok(Frame::data(bytes))),
            Some(Piece::End) => None,
            None => Some(Err(io::Error::other("the answer was broken off"))),
        })
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use serde::Serializer;
    use serde::ser::Error;

    use super::*;

    struct Broken;

    impl Serialize for Broken {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(S::Error::custom("as the test asks"))
        }
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_does_not_look_whole() {
        let whole = json(vec!["x"; 50_000]).into_body().collect().await.unwrap().to_bytes();
        assert_eq!(whole.len(), 50_000 * 4 + 1);
        assert!(json(("x".repeat(3 * PIECE), Broken)).into_body().collect().await.is_err());
    }
}
