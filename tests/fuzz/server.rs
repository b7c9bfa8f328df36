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
    /// Where it begins anew in place of closing.
    anew: Option<usize>,
    said: usize,
    told: usize,
}

impl<'a> Server<'a> {
    /// All at once.
    pub fn whole(text: &'a [u8]) -> Server<'a> {
        Server { text, at: 0, pieces: None, anew: None, said: 0, told: 0 }
    }

    /// In pieces of any size up to `most` bytes.
    pub fn divided(text: &'a [u8], most: usize, random: &'a mut Random) -> Server<'a> {
        Server { pieces: Some((most, random)), ..Server::whole(text) }
    }

    /// As far as some place, and then what leads there from another, over and over. Mostly whole
    /// lines: that is what makes sense again and again.
    pub fn endless(text: &'a [u8], random: &mut Random) -> Server<'a> {
        let ends = memchr::memchr_iter(b'\n', text).map(|at| at + 1);
        let mut places: Vec<usize> = ends.chain([0, text.len()]).collect();
        if random.one_in(4) {
            places = (0..=text.len()).collect();
        }
        let (a, b) = (*random.pick(&places), *random.pick(&places));
        let anew = (a != b).then_some(a.min(b));
        Server { anew, ..Server::whole(&text[..a.max(b)]) }
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
                let Some(anew) = server.anew else { break };
                server.at = anew;
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
