//! Log in to PostgreSQL and, when asked, have one query yield a row.

mod dialogue;
mod scram;

use std::time::Duration;

use tokio::time::Instant;

use super::miss::{Miss, Progress};
use super::{Shared, connect, session};
use crate::model::{Endpoint, SqlProbe};
pub(super) use dialogue::Dialogue;

/// Carries out the probe. Waits as long as the caller lets it, but for the farewell, which ends
/// well before `limit`.
pub(super) async fn run(
    shared: &Shared,
    endpoint: Endpoint,
    probe: &SqlProbe,
    limit: Duration,
    progress: &Progress,
) -> Result<(), Miss> {
    let began = Instant::now();
    let said = [Some(&probe.login), Some(&probe.password), Some(&probe.database)];
    if said.into_iter().chain([probe.request.as_ref()]).flatten().any(|text| text.contains('\0')) {
        return Err(Miss::Local(
            "pgsql: a zero byte in login, password, database or request".into(),
        ));
    }
    let mut dialogue = Dialogue::new(probe, super::random()?);
    let mut tcp = connect::open(endpoint, progress).await?;
    session::converse(&mut tcp, &mut dialogue, &shared.room, progress).await?;
    session::part(&mut tcp, &dialogue, limit.saturating_sub(began.elapsed())).await;
    Ok(())
}
