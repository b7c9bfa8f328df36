//! Log in to MySQL or MariaDB and, when asked, have one query yield a row.

mod auth;
mod dialogue;
mod packet;

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
    if [&probe.login, &probe.database].iter().any(|text| text.contains('\0')) {
        return Err(Miss::Local("mysql: a zero byte in login or database".into()));
    }
    let mut tcp = connect::open(endpoint, progress).await?;
    let mut dialogue = Dialogue::new(probe);
    session::converse(&mut tcp, &mut dialogue, &shared.room, progress).await?;
    session::part(&mut tcp, &dialogue, limit.saturating_sub(began.elapsed())).await;
    Ok(())
}
