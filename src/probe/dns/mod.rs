//! Ask a name server one thing, by UDP or TCP, and judge the records it answers.
//!
//! A name is asked for IPv4 and IPv6 addresses at once; what passes first passes. It is asked as
//! it is written: the director's own search list has no part in it.

pub(super) mod message;

use std::pin::Pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

use super::datagram::Datagrams;
use super::miss::{Miss, Phase, Progress};
use super::{Shared, connect, evidence, stream};
use crate::model::{DnsProbe, Endpoint, Transport};
use message::{Answer, Question};

/// The longest answer taken by TCP, in bytes; one name's addresses need a few hundred.
const MAX_ANSWER: usize = 16 * 1024;

/// Carries out the probe. Waits as long as the caller lets it, and paces itself by `limit`.
pub(super) async fn run(
    shared: &Shared,
    endpoint: Endpoint,
    probe: &DnsProbe,
    limit: Duration,
    progress: &Progress,
) -> Result<(), Miss> {
    let [a, b, c, d] = super::random()?;
    let ids = [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])];
    // Two questions on one socket are told apart by their identifiers.
    let ids = [ids[0], if ids[0] == ids[1] { !ids[1] } else { ids[1] }];
    let unfit = |why| Miss::Local(format!("dns: {}: {why}", evidence::text(&probe.request)));
    let questions = message::questions(&probe.request, ids).map_err(unfit)?;
    let judge = Judge { shared, probe, progress, records: Vec::new(), miss: None, broken: None };
    match probe.transport {
        Transport::Udp => by_udp(endpoint, questions, judge, limit).await,
        Transport::Tcp => by_tcp(endpoint, questions, judge).await,
    }
}

/// Asks everything at once, and what is not answered again; what does not fit into a datagram by
/// TCP, one after the other, while datagrams are still waited for: neither may hold up the other.
async fn by_udp(
    endpoint: Endpoint,
    mut open: Vec<Question>,
    mut judge: Judge<'_>,
    limit: Duration,
) -> Result<(), Miss> {
    let progress = judge.progress;
    progress.enter(Phase::Dns);
    let socket = Datagrams::open(endpoint, Phase::Dns, limit)?;
    let mut truncated = Vec::new();
    let mut calling: Option<Call<'_>> = None;
    let mut again = send_all(&socket, &open).await?;
    while !open.is_empty() || calling.is_some() {
        let answer = |bytes: &[u8]| {
            let read = |(at, question)| Some((at, message::read(question, bytes)?));
            open.iter().enumerate().find_map(read)
        };
        let heard = tokio::select! {
            biased;
            heard = socket.receive(again, answer), if !open.is_empty() => Heard::Datagram(heard),
            heard = under_way(&mut calling), if calling.is_some() => Heard::Stream(heard),
        };
        let answer = match heard {
            Heard::Datagram(heard) => match heard? {
                None => {
                    again = send_all(&socket, &open).await?;
                    continue;
                }
                Some(None) => continue,
                Some(Some((at, answer))) => {
                    let question = open.remove(at);
                    if matches!(answer, Answer::Truncated) {
                        truncated.push(question);
                        None
                    } else {
                        Some(answer)
                    }
                }
            },
            Heard::Stream(heard) => {
                calling = None;
                heard.map_err(|miss| judge.broken = Some(miss)).ok()
            }
        };
        if let Some(answer) = answer
            && judge.passes(answer).await?
        {
            return Ok(());
        }
        if calling.is_none() {
            calling = truncated.pop().map(|question| -> Call<'_> {
                Box::pin(async move { call(endpoint, &question, progress).await })
            });
        }
    }
    Err(judge.reason())
}

/// One question asked by TCP.
type Call<'a> = Pin<Box<dyn Future<Output = Result<Answer, Miss>> + Send + 'a>>;

enum Heard {
    Datagram(Result<Option<Option<(usize, Answer)>>, Miss>),
    Stream(Result<Answer, Miss>),
}

/// The end of a call; without one there is none.
async fn under_way(calling: &mut Option<Call<'_>>) -> Result<Answer, Miss> {
    match calling {
        Some(call) => call.await,
        None => std::future::pending().await,
    }
}

async fn send_all(socket: &Datagrams, questions: &[Question]) -> Result<Instant, Miss> {
    let mut again = Instant::now();
    for question in questions {
        again = socket.send(&question.bytes).await?;
    }
    Ok(again)
}

/// Asks one after the other, each on a connection of its own: not every server takes more.
async fn by_tcp(
    endpoint: Endpoint,
    questions: Vec<Question>,
    mut judge: Judge<'_>,
) -> Result<(), Miss> {
    for question in questions {
        let answer = call(endpoint, &question, judge.progress).await?;
        if judge.passes(answer).await? {
            return Ok(());
        }
    }
    Err(judge.reason())
}

async fn call(
    endpoint: Endpoint,
    question: &Question,
    progress: &Progress,
) -> Result<Answer, Miss> {
    let mut tcp = connect::open(endpoint, progress).await?;
    progress.enter(Phase::Dns);
    exchange(&mut tcp, question).await
}

/// One question, one answer.
pub(super) async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    tcp: &mut S,
    question: &Question,
) -> Result<Answer, Miss> {
    let message = message_for(tcp, &question.bytes).await?;
    let stray = || Miss::Fail("dns: an answer to another question".into());
    match message::read(question, &message).ok_or_else(stray)? {
        Answer::Truncated => Err(Miss::Fail("dns: truncated, even by TCP".into())),
        answer => Ok(answer),
    }
}

/// One message for another, each led by its length: RFC 1035 section 4.2.2.
pub(super) async fn message_for<S: AsyncRead + AsyncWrite + Unpin>(
    tcp: &mut S,
    bytes: &[u8],
) -> Result<Vec<u8>, Miss> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    let framed = [&length.to_be_bytes(), bytes].concat();
    tcp.write_all(&framed).await.map_err(|error| Miss::fail(Phase::Dns, &error))?;
    let mut pending = Vec::new();
    loop {
        if let &[high, low, ref rest @ ..] = pending.as_slice() {
            let length = usize::from(u16::from_be_bytes([high, low]));
            if length > MAX_ANSWER {
                return Err(Miss::Fail(format!("dns: an answer of {length} bytes")));
            }
            if let Some(message) = rest.get(..length) {
                return Ok(message.to_vec());
            }
        }
        let step = stream::receive(tcp, |bytes| {
            pending.extend_from_slice(bytes);
            bytes.is_empty()
        });
        if step.await.map_err(|error| Miss::fail(Phase::Dns, &error))? {
            return Err(Miss::Fail("dns: connection closed".into()));
        }
    }
}

/// Whether the answers so far are what was asked for, and why not.
struct Judge<'a> {
    shared: &'a Shared,
    probe: &'a DnsProbe,
    progress: &'a Progress,
    /// Of all answers so far.
    records: Vec<String>,
    miss: Option<Miss>,
    /// Why an answer too long for a datagram could not be had: what is said of the others
    /// matters less.
    broken: Option<Miss>,
}

impl Judge<'_> {
    /// Takes the answer to one of the questions.
    async fn passes(&mut self, answer: Answer) -> Result<bool, Miss> {
        let found = match answer {
            Answer::Records(found) => found,
            Answer::Refusal(why) => return Ok(self.refused(&why)),
            Answer::Truncated => return Ok(self.refused("a truncated answer")),
        };
        self.records.extend(found);
        if self.records.is_empty() {
            return Ok(self.refused("no record"));
        }
        let Some(pattern) = &self.probe.receive else { return Ok(true) };
        let records = self.records.clone();
        let searched = self.shared.patterns.require_one(pattern, records, self.progress).await;
        self.progress.enter(Phase::Dns);
        match searched {
            Err(Miss::Local(why)) => Err(Miss::Local(why)),
            Err(miss) => {
                self.miss = Some(miss);
                Ok(false)
            }
            Ok(()) => Ok(true),
        }
    }

    /// Remembers why an answer will not do, unless there was a better reason before.
    fn refused(&mut self, why: &str) -> bool {
        if self.records.is_empty() {
            let asked = evidence::text(&self.probe.request);
            self.miss = Some(Miss::Fail(format!("dns: {why} for {asked}")));
        }
        false
    }

    fn reason(self) -> Miss {
        let miss = self.broken.or(self.miss);
        miss.unwrap_or_else(|| Miss::Fail("dns: nothing was answered".into()))
    }
}
