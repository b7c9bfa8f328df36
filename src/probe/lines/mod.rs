//! Mail and news servers: what is said, line by line.
//!
//! Each protocol is a [`Session`] of a few states, which hears lines and touches nothing.

mod imap;
mod nntp;
mod pop;
mod smtp;
#[cfg(test)]
mod tests;

use std::time::Duration;

use memchr::memchr;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::miss::{Miss, Progress};
use super::session::{self, Session};
use super::{Shared, connect, evidence, tls};
use crate::model::{Endpoint, MailboxProbe, Tls};
pub(super) use imap::Imap;
pub(super) use nntp::Nntp;
pub(super) use pop::Pop;
pub(super) use smtp::Smtp;

/// The longest line, in bytes. Standards allow 512 to 1000; IMAP servers list what they can do
/// in longer ones.
const MAX_LINE: usize = 8 * 1024;

/// Whether a mail server takes mail.
pub(super) async fn smtp(
    shared: &Shared,
    endpoint: Endpoint,
    limit: Duration,
    progress: &Progress,
) -> Result<(), Miss> {
    Call { shared, endpoint, limit, progress }.run(None, Smtp::default()).await
}

/// Whether a mailbox can be had by POP3.
pub(super) async fn pop(
    shared: &Shared,
    endpoint: Endpoint,
    probe: &MailboxProbe,
    limit: Duration,
    progress: &Progress,
) -> Result<(), Miss> {
    let login = sayable(Pop::NAME, probe)?;
    Call { shared, endpoint, limit, progress }.run(secrecy(probe), Pop::new(login)).await
}

/// Whether a mailbox can be had by IMAP.
pub(super) async fn imap(
    shared: &Shared,
    endpoint: Endpoint,
    probe: &MailboxProbe,
    limit: Duration,
    progress: &Progress,
) -> Result<(), Miss> {
    let login = sayable(Imap::NAME, probe)?;
    Call { shared, endpoint, limit, progress }.run(secrecy(probe), Imap::new(login)).await
}

/// Whether a news server is open.
pub(super) async fn nntp(
    shared: &Shared,
    endpoint: Endpoint,
    limit: Duration,
    progress: &Progress,
) -> Result<(), Miss> {
    Call { shared, endpoint, limit, progress }.run(None, Nntp).await
}

/// By TLS, with a server called so, or in the clear.
type Secrecy<'a> = Option<(&'a Tls, Option<&'a str>)>;

fn secrecy(probe: &MailboxProbe) -> Secrecy<'_> {
    probe.tls.as_ref().map(|tls| (tls, probe.host.as_deref()))
}

/// Who asks, and of whom.
struct Call<'a> {
    shared: &'a Shared,
    endpoint: Endpoint,
    /// The time the whole probe has.
    limit: Duration,
    progress: &'a Progress,
}

impl Call<'_> {
    /// Waits as long as the caller lets it, but for the farewell, which must not turn a pass
    /// into a failure.
    async fn run<C: Session>(&self, tls: Secrecy<'_>, session: C) -> Result<(), Miss> {
        let began = Instant::now();
        let mut tcp = connect::open(self.endpoint, self.progress).await?;
        let Some((tls, host)) = tls else { return self.converse(&mut tcp, session, began).await };
        let name = tls::called(host, self.endpoint);
        let mut tls = self.shared.tls.open(tcp, &name, tls, self.progress).await?;
        self.converse(&mut tls, session, began).await
    }

    async fn converse<S: AsyncRead + AsyncWrite + Unpin, C: Session>(
        &self,
        stream: &mut S,
        mut session: C,
        began: Instant,
    ) -> Result<(), Miss> {
        session::converse(stream, &mut session, &self.shared.room, self.progress).await?;
        session::part(stream, &session, self.limit.saturating_sub(began.elapsed())).await;
        Ok(())
    }
}

/// The login, unless there is something in it that would end a line.
fn sayable<'p>(name: &str, probe: &'p MailboxProbe) -> Result<Option<(&'p str, &'p str)>, Miss> {
    let Some((user, password)) = &probe.login else { return Ok(None) };
    if [user, password].into_iter().any(|text| text.chars().any(char::is_control)) {
        return Err(Miss::Local(format!("{name}: a control character in login or password")));
    }
    Ok(Some((user, password)))
}

/// How long the first line of `bytes` is, its end included; `None` before it ended.
pub(super) fn frame(bytes: &[u8]) -> Result<Option<usize>, String> {
    match memchr(b'\n', bytes) {
        Some(end) if end < MAX_LINE => Ok(Some(end + 1)),
        None if bytes.len() < MAX_LINE => Ok(None),
        _ => Err(format!("line too long: {}", evidence::excerpt(bytes))),
    }
}

/// Whether a line begins with this word, in capitals or not.
fn begins_with(line: &[u8], word: &str) -> bool {
    let Some((first, rest)) = line.split_at_checked(word.len()) else { return false };
    let ends = rest.first().is_none_or(u8::is_ascii_whitespace);
    ends && first.eq_ignore_ascii_case(word.as_bytes())
}

/// A server's refusal, in its own words.
fn unwanted(said: &str, wanted: &str) -> String {
    format!("{}, wanted {wanted}", said.trim_end_matches('.'))
}

/// Why a line is none of this protocol's.
fn foreign(protocol: &str, line: &[u8]) -> String {
    format!("not an answer by {protocol}: {}", evidence::excerpt(line.trim_ascii_end()))
}
