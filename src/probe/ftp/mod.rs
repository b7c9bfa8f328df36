//! Log in to an FTP server and, when asked, fetch a file in passive mode.

pub(super) mod dialogue;

use std::net::IpAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::miss::{Miss, Phase, Progress};
use super::reply::{Replies, Reply};
use super::room::{Held, Room};
use super::session::MAX_SAID;
use super::{Shared, connect, stream};
use crate::model::{Endpoint, FtpProbe};
use dialogue::{Act, Dialogue};

/// How long a server's answer to QUIT is waited for: a courtesy that keeps its log clean.
const FAREWELL: Duration = Duration::from_millis(250);

/// Carries out the probe. Waits as long as the caller lets it, but for the farewell, which must
/// not turn a pass into a failure: it ends well before `limit`.
pub(super) async fn run(
    shared: &Shared,
    endpoint: Endpoint,
    probe: &FtpProbe,
    limit: Duration,
    progress: &Progress,
) -> Result<(), Miss> {
    let began = Instant::now();
    let said = [Some(&probe.login), Some(&probe.password), probe.request.as_ref()];
    if said.into_iter().flatten().any(|text| text.chars().any(char::is_control)) {
        return Err(Miss::Local("ftp: a control character in login, password or request".into()));
    }
    let mut control = Control::new(connect::open(endpoint, progress).await?);
    let mut held = Held::default();
    let room = (&shared.room, &mut held);
    let body = converse(&mut control, endpoint, probe, room, progress).await?;
    let left = limit.saturating_sub(began.elapsed()) / 2;
    let _ = timeout(left.min(FAREWELL), control.farewell()).await;
    // Without a file there is nothing to match; logging in was the whole question.
    match (&probe.receive, &probe.request) {
        (Some(pattern), Some(_)) => {
            shared.patterns.require(pattern, body, body_limit(probe), progress).await
        }
        _ => Ok(()),
    }
}

fn body_limit(probe: &FtpProbe) -> usize {
    usize::try_from(probe.body_limit).unwrap_or(usize::MAX)
}

/// The dialogue up to its good end; returns the bytes of the file.
async fn converse<'a>(
    control: &mut Control<TcpStream>,
    endpoint: Endpoint,
    probe: &FtpProbe,
    (room, held): (&'a Room, &mut Held<'a>),
    progress: &Progress,
) -> Result<Vec<u8>, Miss> {
    let ipv4 = matches!(endpoint.address.to_canonical(), IpAddr::V4(_));
    let mut dialogue = Dialogue::new(probe, ipv4);
    let mut data = None;
    let mut body = Vec::new();
    loop {
        progress.enter(phase(&dialogue));
        let reply = control.reply().await?;
        match dialogue.hear(&reply).map_err(|why| Miss::Fail(format!("ftp: {why}")))? {
            Act::Wait => {}
            Act::Send(line) => control.send(&line).await?,
            Act::OpenData(port, line) => {
                data = Some(open_data(endpoint.with_port(port)).await?);
                control.send(&line).await?;
            }
            Act::ReadData { then_wait } => {
                let room = (room, &mut *held);
                let limit = body_limit(probe);
                let whole = read_data(data.take(), &mut body, limit, room, progress).await?;
                // Of a file longer than the limit enough was seen; its end would never come.
                if !whole || !then_wait {
                    return Ok(body);
                }
            }
            Act::Done => return Ok(body),
        }
    }
}

fn phase(dialogue: &Dialogue<'_>) -> Phase {
    match (dialogue.is_greeting(), dialogue.is_logged_in()) {
        (true, _) => Phase::FtpGreeting,
        (_, false) => Phase::FtpLogin,
        (_, true) => Phase::FtpTransfer,
    }
}

/// The data connection; a probe that hangs here hangs in the transfer, not in its own connect.
async fn open_data(endpoint: Endpoint) -> Result<TcpStream, Miss> {
    match connect::open(endpoint, &Progress::default()).await {
        Err(Miss::Fail(why)) => Err(Miss::Fail(format!("ftp: data connection: {why}"))),
        other => other,
    }
}

/// Reads the file up to `limit` bytes; whether that was all of it.
async fn read_data<'a>(
    data: Option<TcpStream>,
    body: &mut Vec<u8>,
    limit: usize,
    (room, held): (&'a Room, &mut Held<'a>),
    progress: &Progress,
) -> Result<bool, Miss> {
    let Some(mut data) = data else { return Ok(true) };
    while body.len() < limit {
        let step = stream::receive(&mut data, |bytes| {
            let room = limit - body.len();
            body.extend_from_slice(&bytes[..room.min(bytes.len())]);
            bytes.is_empty()
        });
        if step.await.map_err(|error| Miss::fail(Phase::FtpTransfer, &error))? {
            return Ok(true);
        }
        held.grow(room, body.len(), limit, progress).await?;
    }
    Ok(false)
}

/// The control connection: lines out, replies in.
pub(super) struct Control<S> {
    stream: S,
    replies: Replies,
    /// What came after the last reply in the same packet.
    pending: Vec<u8>,
    /// Bytes of all replies so far: of preliminary ones there may be any number.
    said: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Control<S> {
    pub fn new(stream: S) -> Control<S> {
        Control { stream, replies: Replies::default(), pending: Vec::new(), said: 0 }
    }

    pub async fn send(&mut self, line: &str) -> Result<(), Miss> {
        let line = format!("{line}\r\n");
        let sent = self.stream.write_all(line.as_bytes()).await;
        sent.map_err(|error| Miss::Fail(format!("ftp: {}", super::miss::describe(&error))))
    }

    /// The next whole reply.
    pub async fn reply(&mut self) -> Result<Reply, Miss> {
        let fail = |why: &str| Miss::Fail(format!("ftp: {why}"));
        loop {
            let (used, reply) = self.replies.feed(&self.pending).map_err(|why| fail(&why))?;
            self.pending.drain(..used);
            if let Some(reply) = reply {
                return Ok(reply);
            }
            let pending = &mut self.pending;
            let step = stream::receive(&mut self.stream, |bytes| {
                pending.extend_from_slice(bytes);
                bytes.len()
            });
            let more = step.await.map_err(|error| fail(&super::miss::describe(&error)))?;
            self.said += more;
            if self.said > MAX_SAID {
                return Err(fail(&format!("says more than {MAX_SAID} bytes")));
            }
            if more == 0 {
                let early = if self.replies.is_open() { " in the middle of a reply" } else { "" };
                return Err(fail(&format!("connection closed{early}")));
            }
        }
    }

    async fn farewell(&mut self) {
        if self.send("QUIT").await.is_ok() {
            // A transfer cut short is still answered first.
            while let Ok(reply) = self.reply().await {
                if reply.code == 221 {
                    return;
                }
            }
        }
    }
}
