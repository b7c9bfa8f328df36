//! Log in to a directory and look up one entry, in the clear or over TLS.

pub(super) mod ber;
mod dialogue;

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::miss::{Miss, Progress};
use super::{Shared, connect, session, tls};
use crate::model::{Endpoint, LdapProbe};
pub(super) use dialogue::Dialogue;

/// Carries out the probe. Waits as long as the caller lets it, but for the farewell, which ends
/// well before `limit`.
pub(super) async fn run(
    shared: &Shared,
    endpoint: Endpoint,
    probe: &LdapProbe,
    limit: Duration,
    progress: &Progress,
) -> Result<(), Miss> {
    let began = Instant::now();
    let left = || limit.saturating_sub(began.elapsed());
    let mut tcp = connect::open(endpoint, progress).await?;
    let found = match &probe.tls {
        None => look_up(shared, &mut tcp, probe, left, progress).await?,
        Some(tls) => {
            let name = tls::called(probe.host.as_deref(), endpoint);
            let mut tls = shared.tls.open(tcp, &name, tls, progress).await?;
            look_up(shared, &mut tls, probe, left, progress).await?
        }
    };
    match &probe.receive {
        None => Ok(()),
        Some(pattern) => shared.patterns.require(pattern, found, usize::MAX, progress).await,
    }
}

/// The name of the one entry.
async fn look_up<S: AsyncRead + AsyncWrite + Unpin>(
    shared: &Shared,
    stream: &mut S,
    probe: &LdapProbe,
    left: impl Fn() -> Duration,
    progress: &Progress,
) -> Result<Vec<u8>, Miss> {
    let mut dialogue = Dialogue::new(probe);
    session::converse(stream, &mut dialogue, &shared.room, progress).await?;
    session::part(stream, &dialogue, left()).await;
    Ok(dialogue.into_found())
}
