//! A long answer, sent while it is being written.
//!
//! The status of 10,000 services is ten megabytes of JSON. It is never there as a whole: a thread
//! that may take its time writes it, piece by piece, no faster than the caller reads.

use std::io::{self, Write};

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use http_body_util::channel::{Channel, Sender};
use hyper::body::Bytes;
use serde::Serialize;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

/// Bytes of a piece: a third of what a socket takes at once.
const PIECE: usize = 64 << 10;
/// Pieces that wait for the socket.
const WAITING: usize = 2;

/// An answer with this as its JSON. Call within a Tokio runtime.
pub fn json(value: impl Serialize + Send + 'static) -> Response {
    let (to, body) = Channel::new(WAITING);
    let mut pieces = Pieces { piece: Vec::new(), to, runtime: Handle::current() };
    spawn_blocking(move || {
        let written = serde_json::to_writer(&mut pieces, &value).map_err(io::Error::from);
        if let Err(error) = written.and_then(|()| pieces.flush()) {
            // So that what was sent is not taken for the whole.
            pieces.to.abort(error);
        }
    });
    ([(header::CONTENT_TYPE, "application/json")], Body::new(body)).into_response()
}

/// Sends what is written to it.
struct Pieces {
    piece: Vec<u8>,
    to: Sender<Bytes, io::Error>,
    runtime: Handle,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    /// Waits for the caller to take what was sent before; an error when it is gone.
    fn flush(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE + PIECE / 8));
        self.runtime.block_on(self.to.send_data(piece.into())).map_err(io::Error::other)
    }
}
