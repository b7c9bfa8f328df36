//! What probes make of a server's bytes, without a network and with nothing left to chance: the
//! door of `tests/fuzz`, and no part of the interface.
//!
//! Every number that must not be foreseen is made of sevens here, so that an answer written
//! yesterday is one to today's question.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncWrite};

use super::dns::message::{self, Answer};
use super::ftp::{Control, dialogue};
use super::http::reader::Reader;
use super::lines::{Imap, Nntp, Pop, Smtp};
use super::miss::{Miss, Progress};
use super::radius::packet;
use super::room::Held;
use super::session::{Act, Session, converse};
use super::sip::{self, Options};
use super::{Prober, Shared, dns, http, ldap, mysql, outcome, pgsql, ping, tcp};
use crate::model::{
    Endpoint, Family, FtpProbe, HttpProbe, LdapProbe, NativeMonitor, Outcome, Probe, RadiusProbe,
    SipProbe,
};

/// Where everything happens.
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// What a probe makes of the server at the other end of this connection, redirects and second
/// connections left out.
pub async fn conversation<S: AsyncRead + AsyncWrite + Unpin>(
    prober: &Prober,
    probe: &Probe,
    stream: &mut S,
) -> Outcome {
    let (shared, progress) = (&*prober.shared, &Progress::default());
    let login = |login: &Option<(String, String)>| login.clone().unwrap_or_default();
    outcome(match probe {
        Probe::Http(probe) => answer(shared, probe, stream, progress).await,
        Probe::Ftp(probe) => replies(probe, stream).await,
        Probe::Smtp => converse(stream, &mut Smtp::default(), &shared.room, progress).await,
        Probe::Pop(probe) => {
            let (user, password) = login(&probe.login);
            let mut pop = Pop::new(Some((&user, &password)));
            converse(stream, &mut pop, &shared.room, progress).await
        }
        Probe::Imap(probe) => {
            let (user, password) = login(&probe.login);
            let mut imap = Imap::new(Some((&user, &password)));
            converse(stream, &mut imap, &shared.room, progress).await
        }
        Probe::Nntp => converse(stream, &mut Nntp, &shared.room, progress).await,
        Probe::Sip(probe) => match options(probe) {
            Ok(mut options) => converse(stream, &mut options, &shared.room, progress).await,
            Err(why) => Err(Miss::Local(why)),
        },
        Probe::Tcp(probe) => tcp::exchange(stream, shared, probe, progress).await,
        Probe::Dns(probe) => question(&probe.request, stream).await,
        Probe::Ldap(probe) => entry(shared, probe, stream, progress).await,
        Probe::Mysql(probe) => {
            converse(stream, &mut mysql::Dialogue::new(probe), &shared.room, progress).await
        }
        Probe::Pgsql(probe) => {
            let mut dialogue = pgsql::Dialogue::new(probe, [7; 18]);
            converse(stream, &mut dialogue, &shared.room, progress).await
        }
        other => Err(no_such("conversation", other)),
    })
}

/// What one of mon's monitors makes of the host at the other end of this connection.
pub async fn monitored<S: AsyncRead + AsyncWrite + Unpin>(
    prober: &Prober,
    native: &NativeMonitor,
    stream: &mut S,
) -> Outcome {
    outcome(super::monitor::hear(&prober.shared, native, stream).await)
}

/// What a probe of PostgreSQL makes of the answer to the question for TLS, all that comes before
/// its [`conversation`].
pub async fn encryption<S: AsyncRead + AsyncWrite + Unpin>(
    prober: &Prober,
    stream: &mut S,
) -> Outcome {
    let (room, progress) = (&prober.shared.room, &Progress::default());
    outcome(converse(stream, &mut pgsql::Encryption::default(), room, progress).await)
}

/// What a probe makes of one datagram; `None` when it waits for another.
pub fn datagram(probe: &Probe, bytes: &[u8]) -> Option<Outcome> {
    let done = match probe {
        Probe::Sip(probe) => match options(probe).and_then(|mut sip| sip.hear(bytes)) {
            Ok(Act::Done) => Ok(()),
            Ok(_) => return None,
            Err(why) => Err(Miss::Fail(why)),
        },
        Probe::Dns(probe) => {
            let questions = message::questions(&probe.request, [7, 8]).ok()?;
            let read = |question| message::read(question, bytes);
            records(questions.iter().find_map(read)?)
        }
        Probe::Radius(probe) => accepted(probe, bytes)?,
        Probe::Ping(_) => {
            let heard = |family| ping::wire::read(family, bytes);
            match heard(Family::Ipv4).or_else(|| heard(Family::Ipv6))? {
                ping::wire::Heard::Reply(_) => Ok(()),
                ping::wire::Heard::Undeliverable { why, .. } => Err(Miss::Fail(why.into())),
            }
        }
        other => Err(no_such("datagram", other)),
    };
    Some(outcome(done))
}

fn no_such(what: &str, probe: &Probe) -> Miss {
    Miss::Local(format!("{} has no {what}", probe.name()))
}

async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
    shared: &Shared,
    probe: &HttpProbe,
    stream: &mut S,
    progress: &Progress,
) -> Result<(), Miss> {
    let limit = usize::try_from(probe.body_limit).unwrap_or(usize::MAX);
    let body_for = probe.receive.as_ref().map(|_| &probe.status);
    let reader = Reader::new(probe.method == "HEAD", body_for, limit);
    let mut held = Held::default();
    let room = (&shared.room, &mut held, limit);
    let (head, body) = http::exchange(stream, b"", reader, room, progress).await?;
    match &probe.receive {
        _ if !probe.status.contains(head.status) => Err(Miss::Fail("another status".into())),
        Some(pattern) => shared.patterns.require(pattern, body, limit, progress).await,
        None => Ok(()),
    }
}

/// The control connection of FTP; of the file nothing is read.
async fn replies<S: AsyncRead + AsyncWrite + Unpin>(
    probe: &FtpProbe,
    stream: &mut S,
) -> Result<(), Miss> {
    use dialogue::Act;
    let mut control = Control::new(stream);
    let mut dialogue = dialogue::Dialogue::new(probe, true);
    loop {
        match dialogue.hear(&control.reply().await?).map_err(Miss::Fail)? {
            Act::Wait | Act::ReadData { then_wait: true } => {}
            Act::Send(line) | Act::OpenData(_, line) => control.send(&line).await?,
            Act::Done | Act::ReadData { then_wait: false } => return Ok(()),
        }
    }
}

fn options(probe: &SipProbe) -> Result<Options, String> {
    let (to, from) = (Endpoint::new(HERE, 5060), SocketAddr::new(HERE, 7777));
    sip::message::Request::new(probe, to, from, [7; 16]).map(Options)
}

async fn question<S: AsyncRead + AsyncWrite + Unpin>(
    request: &str,
    stream: &mut S,
) -> Result<(), Miss> {
    let questions = message::questions(request, [7, 8]).map_err(Miss::Local)?;
    let first = questions.first().ok_or_else(|| Miss::Local("nothing to ask".into()))?;
    records(dns::exchange(stream, first).await?)
}

fn records(answer: Answer) -> Result<(), Miss> {
    match answer {
        Answer::Records(records) if records.is_empty() => Err(Miss::Fail("no record".into())),
        Answer::Records(_) => Ok(()),
        Answer::Truncated => Err(Miss::Fail("truncated".into())),
        Answer::Refusal(why) => Err(Miss::Fail(why)),
    }
}

fn accepted(probe: &RadiusProbe, bytes: &[u8]) -> Option<Result<(), Miss>> {
    let login = packet::Login { user: &probe.login, password: &probe.password, from: HERE };
    let request = match packet::Request::new(&login, &probe.secret, 7, [7; 16]) {
        Ok(request) => request,
        Err(why) => return Some(Err(Miss::Local(why))),
    };
    match request.hear(bytes) {
        packet::Heard::Accept => Some(Ok(())),
        packet::Heard::Refusal(why) => Some(Err(Miss::Fail(why))),
        packet::Heard::Unproven | packet::Heard::Stray => None,
    }
}

async fn entry<S: AsyncRead + AsyncWrite + Unpin>(
    shared: &Shared,
    probe: &LdapProbe,
    stream: &mut S,
    progress: &Progress,
) -> Result<(), Miss> {
    let mut dialogue = ldap::Dialogue::new(probe);
    converse(stream, &mut dialogue, &shared.room, progress).await?;
    match &probe.receive {
        Some(pattern) => {
            let found = dialogue.into_found();
            shared.patterns.require(pattern, found, usize::MAX, progress).await
        }
        None => Ok(()),
    }
}
