//! Converse with a server in messages over a connection.
//!
//! What is said is decided by a [`Session`], which is told whole messages and touches nothing;
//! here they are carried, and counted.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::miss::{Miss, Phase, Progress, describe};
use super::room::{Held, Room};
use super::stream;
use super::stretch::{Stretch, StretchedKey};

/// The longest message taken from a server, in bytes. The names of all columns of the widest
/// table fit; a row need not, for nobody reads it to its end.
pub(super) const MAX_MESSAGE: usize = 256 * 1024;

/// All that a server may say in one conversation, in bytes, however it divides it.
pub(super) const MAX_SAID: usize = 1 << 20;

/// How long a server may take to close the connection after a goodbye: a courtesy that keeps
/// complaints about lost clients out of its log.
const FAREWELL: Duration = Duration::from_millis(250);

/// Our side of a conversation. Pure.
pub(super) trait Session {
    /// What reasons begin with: `mysql`.
    const NAME: &'static str;

    /// What is said before the server said anything; may be empty.
    fn open(&mut self) -> Vec<u8>;

    /// How many of `bytes`, the beginning of what is yet to be heard, are the next message;
    /// `None` until that can be told. May be more than there are so far, never 0.
    fn frame(&self, bytes: &[u8]) -> Result<Option<usize>, String>;

    /// Takes a message. The error is the server's, in its own words where it found any.
    fn hear(&mut self, message: &[u8]) -> Result<Act, String>;

    /// Takes what came of the work it asked for.
    fn stretched(&mut self, _key: StretchedKey) -> Result<Act, String> {
        Err("a key that nobody asked for".into())
    }

    /// How far the conversation is.
    fn phase(&self) -> Phase;

    /// What ends the conversation.
    fn goodbye(&self) -> Vec<u8>;
}

/// What to do after a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Act {
    /// Wait for another message.
    Wait,
    /// Send this.
    Send(Vec<u8>),
    /// Do this, where it holds nobody up, and hand over what comes of it.
    Stretch(Stretch),
    /// All is well.
    Done,
}

/// Carries on the conversation to its good end. Waits as long as the caller lets it.
pub(super) async fn converse<S: AsyncRead + AsyncWrite + Unpin, C: Session>(
    stream: &mut S,
    session: &mut C,
    room: &Room,
    progress: &Progress,
) -> Result<(), Miss> {
    let fail = |why: String| Miss::Fail(format!("{}: {why}", C::NAME));
    let mut held = Held::default();
    let mut pending = Vec::new();
    let mut said = 0;
    progress.enter(session.phase());
    let opening = session.open();
    send(stream, &opening).await.map_err(fail)?;
    loop {
        let mut used = 0;
        while let Some(message) = next(session, &pending[used..]).map_err(fail)? {
            used += message.len();
            let mut act = session.hear(message).map_err(fail)?;
            progress.enter(session.phase());
            while let Act::Stretch(work) = act {
                let key = work.elsewhere(progress).await?;
                act = session.stretched(key).map_err(fail)?;
            }
            match act {
                Act::Wait | Act::Stretch(_) => {}
                Act::Send(bytes) => send(stream, &bytes).await.map_err(fail)?,
                Act::Done => return Ok(()),
            }
        }
        pending.drain(..used);
        let step = stream::receive(stream, |bytes| {
            pending.extend_from_slice(bytes);
            bytes.len()
        });
        match step.await.map_err(|error| fail(describe(&error)))? {
            0 if pending.is_empty() => return Err(fail("connection closed".into())),
            0 => return Err(fail("connection closed in the middle of a message".into())),
            more => said += more,
        }
        if said > MAX_SAID {
            return Err(fail(format!("says more than {MAX_SAID} bytes")));
        }
        held.grow(room, pending.len(), MAX_MESSAGE, progress).await?;
    }
}

/// The first whole message of `bytes`.
fn next<'b, C: Session>(session: &C, bytes: &'b [u8]) -> Result<Option<&'b [u8]>, String> {
    match session.frame(bytes)? {
        Some(length) if length > MAX_MESSAGE => {
            Err(format!("a message of {length} bytes, more than {MAX_MESSAGE}"))
        }
        Some(length) => Ok(bytes.get(..length)),
        None => Ok(None),
    }
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> Result<(), String> {
    let sent = async {
        stream.write_all(bytes).await?;
        stream.flush().await
    };
    sent.await.map_err(|error| describe(&error))
}

/// Says goodbye and lets the server close first. Must not turn a pass into a failure: it ends
/// well before `left`, the time the probe still has, and nothing that happens to it matters.
pub(super) async fn part<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    session: &impl Session,
    left: Duration,
) {
    let farewell = async {
        send(stream, &session.goodbye()).await.ok()?;
        while stream::receive(stream, <[u8]>::len).await.ok()? > 0 {}
        Some(())
    };
    let _ = timeout(FAREWELL.min(left / 2), farewell).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, duplex};

    /// Messages of one byte of length and so many bytes; echoes them until an empty one.
    struct Echo;

    impl Session for Echo {
        const NAME: &'static str = "echo";

        fn open(&mut self) -> Vec<u8> {
            b"hello".into()
        }

        fn frame(&self, bytes: &[u8]) -> Result<Option<usize>, String> {
            // 255 stands for a length nobody could mean.
            let length = |&n: &u8| if n == 255 { MAX_MESSAGE + 1 } else { 1 + usize::from(n) };
            Ok(bytes.first().map(length))
        }

        fn hear(&mut self, message: &[u8]) -> Result<Act, String> {
            match message {
                [0] => Ok(Act::Done),
                [1, b'!'] => Err("shouts".into()),
                [1, b'.'] => Ok(Act::Wait),
                _ => Ok(Act::Send(message[1..].into())),
            }
        }

        fn phase(&self) -> Phase {
            Phase::Request
        }

        fn goodbye(&self) -> Vec<u8> {
            b"bye".into()
        }
    }

    /// The end of a conversation with a server that says this and closes, and what it heard.
    async fn end(said: &[u8]) -> (Result<(), Miss>, String) {
        let (mut ours, mut theirs) = duplex(64 << 10);
        let said = said.to_vec();
        let server = async move {
            let (mut hears, mut says) = tokio::io::split(&mut theirs);
            let mut heard = Vec::new();
            let talk = async { says.write_all(&said).await.and(says.shutdown().await) };
            let (_, _) = tokio::join!(talk, hears.read_to_end(&mut heard));
            String::from_utf8(heard).unwrap()
        };
        let client = async move {
            let (room, progress) = (Room::default(), Progress::default());
            let done = converse(&mut ours, &mut Echo, &room, &progress).await;
            if done.is_ok() {
                part(&mut ours, &Echo, Duration::from_secs(100)).await;
            }
            done
        };
        tokio::join!(client, server)
    }

    #[tokio::test(start_paused = true)]
    async fn messages_are_answered_in_order_until_the_end() {
        let (done, heard) = end(b"\x02ab\x01.\x01c\0\x01d").await;
        assert_eq!((done, heard.as_str()), (Ok(()), "helloabcbye"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_breaks_off_or_grows_without_end_is_a_failure() {
        let endless = b"\x01.".repeat(MAX_SAID);
        for (said, reason) in [
            (&b"\x01a"[..], "connection closed"),
            (b"\x02a", "connection closed in the middle of a message"),
            (b"\x01!", "shouts"),
            (b"\xff", "a message of 262145 bytes, more than 262144"),
            (&endless, "says more than 1048576 bytes"),
        ] {
            assert_eq!(end(said).await.0, Err(Miss::Fail(format!("echo: {reason}"))));
        }
    }
}
