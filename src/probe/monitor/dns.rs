//! Asks name servers what `dns.monitor` asks them: all questions at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::native::Machine;
use super::plan::{Dns, Port};
use super::record::{Reply, kind, record};
use super::zone::{self, Answers, Ask};
use crate::model::{Endpoint, Finding, Outcome};
use crate::probe::datagram::Datagrams;
use crate::probe::dns::message::{self, Opened, Question};
use crate::probe::dns::message_for;
use crate::probe::miss::{Miss, Phase, Progress};
use crate::probe::{connect, random};

/// Where name servers listen.
const PORT: u16 = 53;

/// For a question by TCP where the words set no time: as long as Net::DNS waits.
const BY_TCP: Duration = Duration::from_secs(120);

/// What the servers say together, and what became of each.
pub(super) async fn run(
    machine: &Machine,
    dns: &Arc<Dns>,
    servers: &[String],
) -> (Finding, Vec<(String, Outcome)>) {
    if servers.is_empty() {
        let output = "dns.monitor: there must be at least one server to ask\n".to_owned();
        return (Finding { exit: zone::USAGE, output }, Vec::new());
    }
    let mut questions = zone::questions(dns, servers);
    questions
        .sort_unstable_by(|a, b| (&a.server, &a.name, &a.kind).cmp(&(&b.server, &b.name, &b.kind)));
    questions.dedup();
    let shared = dns.clone();
    let asked = machine.each(questions.clone(), move |prober, ask, limit| {
        let dns = shared.clone();
        async move {
            let progress = Progress::default();
            let limit = limit.min(dns.timeout.unwrap_or(Duration::MAX));
            let work = question(&prober.shared, &ask, &dns, limit, &progress);
            let done = prober.shared.limits.within(limit, Box::pin(work)).await;
            done.unwrap_or_else(|| Err(progress.timed_out(limit)))
        }
    });
    let lost = |why| Err(Miss::Local(why));
    let heard = asked.await.into_iter().map(|heard| heard.unwrap_or_else(lost));
    let answers: Answers = questions.into_iter().zip(heard).collect();
    zone::judge(dns, servers, &answers)
}

async fn question(
    shared: &crate::probe::Shared,
    ask: &Ask,
    dns: &Dns,
    limit: Duration,
    progress: &Progress,
) -> Result<Reply, Miss> {
    let address = super::hosts::address(shared, &ask.server, false, progress).await?;
    let endpoint = Endpoint::new(address, super::hosts::port(&Port::Number(PORT)).await?);
    let id = u16::from_be_bytes(random()?);
    let kind = kind(&ask.kind).ok_or_else(|| Miss::Local("no such type of record".into()))?;
    // Whoever asks for an address means its name.
    let name = match ask.name.parse() {
        Ok(address) => message::reverse(address),
        Err(_) => ask.name.trim_end_matches('.').to_owned(),
    };
    let question = message::question(&name, kind, id, ask.recursion).map_err(Miss::Local)?;
    match dns.by_tcp {
        true => by_tcp(endpoint, &question, progress).await,
        false => by_udp(endpoint, &question, dns, limit, progress).await,
    }
}

async fn by_udp(
    endpoint: Endpoint,
    question: &Question,
    dns: &Dns,
    limit: Duration,
    progress: &Progress,
) -> Result<Reply, Miss> {
    progress.enter(Phase::Dns);
    let socket = Datagrams::open(endpoint, Phase::Dns, limit)?;
    for number in 0..dns.tries {
        socket.send(&question.bytes).await?;
        let pause = dns.again.saturating_mul(1 << number.min(16)).min(limit);
        let again = tokio::time::Instant::now() + pause;
        while let Some(heard) = socket.receive(again, |bytes| read(question, bytes)).await? {
            match heard {
                None => {}
                Some(Heard::Truncated) => return by_tcp(endpoint, question, progress).await,
                Some(Heard::Reply(reply)) => return Ok(reply),
                Some(Heard::Refusal(why)) => return Err(Miss::Fail(why)),
            }
        }
    }
    Err(Miss::Fail("query timed out".into()))
}

async fn by_tcp(
    endpoint: Endpoint,
    question: &Question,
    progress: &Progress,
) -> Result<Reply, Miss> {
    let call = async {
        let mut tcp = connect::open(endpoint, progress).await?;
        progress.enter(Phase::Dns);
        message_for(&mut tcp, &question.bytes).await
    };
    let bytes = timeout(BY_TCP, call).await.unwrap_or_else(|_| Err(progress.timed_out(BY_TCP)))?;
    match read(question, &bytes) {
        Some(Heard::Reply(reply)) => Ok(reply),
        Some(Heard::Refusal(why)) => Err(Miss::Fail(why)),
        Some(Heard::Truncated) => Err(Miss::Fail("truncated, even by TCP".into())),
        None => Err(Miss::Fail("an answer to another question".into())),
    }
}

enum Heard {
    Reply(Reply),
    Refusal(String),
    Truncated,
}

/// Reads a message; `None` when it does not answer the question.
fn read(question: &Question, bytes: &[u8]) -> Option<Heard> {
    Some(match message::open(question, bytes)? {
        Opened::Truncated => Heard::Truncated,
        Opened::Refusal(why) => Heard::Refusal(why),
        Opened::Packet(packet) => Heard::Reply(Reply {
            authoritative: packet.has_flags(simple_dns::PacketFlag::AUTHORITATIVE_ANSWER),
            records: packet.answers.iter().map(|answer| record(&answer.rdata)).collect(),
        }),
    })
}
