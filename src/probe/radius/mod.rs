//! Ask a RADIUS server to let a user in.

pub(super) mod packet;

use std::time::Duration;

use super::datagram::Datagrams;
use super::miss::{Miss, Phase, Progress};
use crate::model::{Endpoint, RadiusProbe};
use packet::{Heard, Login, Request};

/// Carries out the probe. Waits as long as the caller lets it, and paces itself by `limit`.
///
/// What is not proved by the secret is passed over, as RFC 2865 asks: anybody could have sent
/// it. It is only told when no better answer came.
pub(super) async fn run(
    endpoint: Endpoint,
    probe: &RadiusProbe,
    limit: Duration,
    progress: &Progress,
) -> Result<(), Miss> {
    progress.enter(Phase::Radius);
    let socket = Datagrams::open(endpoint, Phase::Radius, limit)?;
    let from = socket.address()?.ip();
    let login = Login { user: &probe.login, password: &probe.password, from };
    let [id] = super::random()?;
    let request = Request::new(&login, &probe.secret, id, super::random()?)
        .map_err(|why| Miss::Local(format!("radius: {why}")))?;
    loop {
        // The same packet each time, so that the server sees one request.
        let again = socket.send(&request.bytes).await?;
        while let Some(heard) = socket.receive(again, |packet| request.hear(packet)).await? {
            match heard {
                Heard::Accept => return Ok(()),
                Heard::Refusal(why) => return Err(Miss::Fail(format!("radius: {why}"))),
                Heard::Unproven => progress.enter(Phase::RadiusUnproven),
                Heard::Stray => {}
            }
        }
    }
}
