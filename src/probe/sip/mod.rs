//! Ask a SIP server what it can do: OPTIONS, by UDP or TCP.
//!
//! By UDP the request is repeated, byte for byte, until the answer comes or the time is up.

pub(super) mod message;

use std::time::Duration;

use super::datagram::Datagrams;
use super::miss::{Miss, Phase, Progress, describe};
use super::session::{self, Act, Session};
use super::{Shared, connect};
use crate::model::{Endpoint, SipProbe, Transport};
use message::{Heard, Request};

/// Carries out the probe. Waits as long as the caller lets it.
pub(super) async fn run(
    shared: &Shared,
    endpoint: Endpoint,
    probe: &SipProbe,
    limit: Duration,
    progress: &Progress,
) -> Result<(), Miss> {
    match probe.transport {
        Transport::Udp => by_udp(endpoint, probe, limit, progress).await,
        Transport::Tcp => {
            let mut stream = connect::open(endpoint, progress).await?;
            let from = stream
                .local_addr()
                .map_err(|error| Miss::Local(format!("sip: {}", describe(&error))))?;
            let mut options = Options(request(endpoint, probe, from)?);
            session::converse(&mut stream, &mut options, &shared.room, progress).await
        }
    }
}

async fn by_udp(
    endpoint: Endpoint,
    probe: &SipProbe,
    limit: Duration,
    progress: &Progress,
) -> Result<(), Miss> {
    progress.enter(Phase::Sip);
    let socket = Datagrams::open(endpoint, Phase::Sip, limit)?;
    let request = request(endpoint, probe, socket.address()?)?;
    loop {
        let again = socket.send(request.text.as_bytes()).await?;
        while let Some(heard) = socket.receive(again, |message| request.hear(message)).await? {
            match heard.map_err(|why| Miss::Fail(format!("sip: {why}")))? {
                Heard::Well => return Ok(()),
                Heard::NotYet => {}
            }
        }
    }
}

fn request(
    endpoint: Endpoint,
    probe: &SipProbe,
    from: std::net::SocketAddr,
) -> Result<Request, Miss> {
    Request::new(probe, endpoint, from, super::random()?)
        .map_err(|why| Miss::Local(format!("sip: {why}")))
}

/// The conversation by TCP.
pub(super) struct Options(pub message::Request);

impl Session for Options {
    const NAME: &'static str = "sip";

    fn open(&mut self) -> Vec<u8> {
        self.0.text.as_bytes().into()
    }

    fn frame(&self, bytes: &[u8]) -> Result<Option<usize>, String> {
        message::frame(bytes)
    }

    fn hear(&mut self, message: &[u8]) -> Result<Act, String> {
        Ok(match self.0.hear(message)? {
            Heard::Well => Act::Done,
            Heard::NotYet => Act::Wait,
        })
    }

    fn phase(&self) -> Phase {
        Phase::Sip
    }

    fn goodbye(&self) -> Vec<u8> {
        Vec::new()
    }
}
