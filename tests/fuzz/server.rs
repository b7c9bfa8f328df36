//! A server made of bytes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::driver::Random;

/// What a server may say before a probe must have had enough of it, in bytes: all limits of the
/// probes are below, however an answer is divided.
const ENOUGH: usize = 8 << 20;

/// What a probe may say to a server in one conversation, in bytes.
const TOLD: usize = 16 * 1024;

/// Says its text, whatever it is told, and closes.
pub struct Server<'a> {
    text: &'a [u8],
    at: usize,
    /// How the text is divided: pieces of up to so many bytes.
    pieces: Option<(usize, &'a mut Random)>,
    /// Whether it begins anew in place of closing.
    endless: bool,
    said: usize,
    told: usize,
}

impl<'a> Server<'a> {
    /// All at once.
    pub fn whole(text: &'a [u8]) -> Server<'a> {
        Server { text, at: 0, pieces: None, endless: false, said: 0, told: 0 }
    }

    /// In pieces of any size up to `most` bytes.
    pub fn divided(text: &'a [u8], most: usize, random: &'a mut Random) -> Server<'a> {
        Server { pieces: Some((most, random)), ..Server::whole(text) }
    }

    /// Over and over.
    pub fn endless(text: &'a [u8]) -> Server<'a> {
        Server { endless: !text.is_empty(), ..Server::whole(text) }
    }
}

impl AsyncRead for Server<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let server = &mut *self;
        let most = match &mut server.pieces {
            Some((most, random)) => 1 + random.below(*most),
            None => buffer.remaining(),
        };
        let most = most.min(buffer.remaining());
        let before = buffer.filled().len();
        while buffer.filled().len() - before < most {
            if server.at == server.text.len() {
                if !server.endless {
                    break;
                }
                server.at = 0;
            }
            let rest = &server.text[server.at..];
            let room = most - (buffer.filled().len() - before);
            let piece = &rest[..room.min(rest.len())];
            buffer.put_slice(piece);
            server.at += piece.len();
        }
        server.said += buffer.filled().len() - before;
        assert!(server.said <= ENOUGH, "{ENOUGH} bytes and no end");
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Server<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.told += bytes.len();
        assert!(self.told <= TOLD, "a server is told more than {TOLD} bytes");
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
