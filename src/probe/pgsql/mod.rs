//! Log in to PostgreSQL and, when asked, have one query yield a row.
//!
//! ```text
//!   connect --> TLS? -- N ----------------------> login --> query
//!                | S                               ^
//!                +--> handshake --> login --> ...  | once
//!                         | fails     | refused    |
//!                         +-----------+-- connect -+
//! ```
//!
//! Encrypted where the server can, in the clear where it cannot, where the handshake fails or
//! where the server answers the encrypted login by an error of its own: libpq's
//! `sslmode=prefer`, by which ldirectord's checks connect. Nothing else that goes wrong by TLS,
//! a connection that breaks or a server that cannot prove itself, makes us show a login in the
//! clear. All of it is one probe with one deadline. Nothing is verified: who would stand between
//! could say N.

mod dialogue;
mod encryption;
mod scram;

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::miss::{Miss, Progress};
use super::{Shared, connect, session};
use crate::model::{Endpoint, SqlProbe, Tls};
pub(super) use dialogue::Dialogue;
pub(super) use encryption::Encryption;

const UNVERIFIED: Tls = Tls { verify: false, ca_file: None };

/// Carries out the probe. Waits as long as the caller lets it, but for the farewell, which ends
/// well before `limit`.
pub(super) async fn run(
    shared: &Shared,
    endpoint: Endpoint,
    probe: &SqlProbe,
    limit: Duration,
    progress: &Progress,
) -> Result<(), Miss> {
    let said = [Some(&probe.login), Some(&probe.password), Some(&probe.database)];
    if said.into_iter().chain([probe.request.as_ref()]).flatten().any(|text| text.contains('\0')) {
        return Err(Miss::Local(
            "pgsql: a zero byte in login, password, database or request".into(),
        ));
    }
    let call = Call { shared, probe, began: Instant::now(), limit, progress };
    let mut tcp = connect::open(endpoint, progress).await?;
    let mut encryption = Encryption::default();
    session::converse(&mut tcp, &mut encryption, &shared.room, progress).await?;
    if !encryption.agreed {
        return call.log_in(&mut tcp).await.map_err(|turned| turned.miss);
    }
    let name = endpoint.address.to_string();
    let encrypted = match shared.tls.open(tcp, &name, &UNVERIFIED, progress).await {
        Ok(mut tls) => call.log_in(&mut tls).await,
        Err(miss) => Err(Turned { miss, refused: true }),
    };
    let first = match encrypted {
        Ok(()) => return Ok(()),
        Err(Turned { miss: Miss::Fail(first), refused: true }) => first,
        Err(turned) => return Err(turned.miss),
    };
    let mut tcp = connect::open(endpoint, progress).await?;
    call.log_in(&mut tcp).await.map_err(|turned| match turned.miss {
        Miss::Fail(second) if second != first => {
            let second = second.strip_prefix("pgsql: ").unwrap_or(&second);
            Miss::Fail(format!("{first}; without TLS: {second}"))
        }
        miss => miss,
    })
}

/// Who asks for what.
struct Call<'a> {
    shared: &'a Shared,
    probe: &'a SqlProbe,
    began: Instant,
    /// The time the whole probe has.
    limit: Duration,
    progress: &'a Progress,
}

/// Why it did not pass, and whether because the server would not have it so: that, and nothing
/// else, is tried again in the clear.
struct Turned {
    miss: Miss,
    refused: bool,
}

impl Call<'_> {
    async fn log_in<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
    ) -> Result<(), Turned> {
        let random = super::random().map_err(|miss| Turned { miss, refused: false })?;
        let mut dialogue = Dialogue::new(self.probe, random);
        let done = session::converse(stream, &mut dialogue, &self.shared.room, self.progress).await;
        done.map_err(|miss| Turned { miss, refused: dialogue.is_refused() })?;
        let left = self.limit.saturating_sub(self.began.elapsed());
        session::part(stream, &dialogue, left).await;
        Ok(())
    }
}
