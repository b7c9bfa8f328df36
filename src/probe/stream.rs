//! Read from a connection without a buffer that waits along.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

/// Bytes taken from a connection at once.
const CHUNK: usize = 8 * 1024;

/// Waits for bytes and hands them to `take`; an empty slice when the server closed.
///
/// The buffer lives on the stack of the poll that finds bytes, so that a probe waiting for a
/// silent server costs no memory for an answer that may never come.
pub(super) async fn receive<S: AsyncRead + Unpin, T>(
    stream: &mut S,
    mut take: impl FnMut(&[u8]) -> T,
) -> io::Result<T> {
    poll_fn(|context| {
        let mut space = [const { MaybeUninit::uninit() }; CHUNK];
        let mut buffer = ReadBuf::uninit(&mut space);
        match ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer)) {
            Ok(()) => Poll::Ready(Ok(take(buffer.filled()))),
            // TLS without its goodbye: many servers just close. Whether the answer was whole is
            // told by its own framing.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Poll::Ready(Ok(take(&[])))
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    })
    .await
}
