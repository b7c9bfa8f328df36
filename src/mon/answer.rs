//! A turn of a session to its reply: asks the loop, checks passwords, writes what is long.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::protocol::{
    Act, Credential, Downtime, Host, Look, Order, Parts, Reply, Scene, Session, Turn, is_local,
};
use super::{Handle, Request, Rules, files};
use crate::model::raw;

/// For the loop to take a request and to say how things are.
const SHORT: Duration = Duration::from_secs(10);
/// For a configuration to be read.
const LONG: Duration = Duration::from_secs(75);
/// Scenes of all services that are made, or made into text, at a time: each is megabytes.
const LOOKS: usize = 2;
/// Passwords that are checked at a time: the work is meant to be hard, and must not keep
/// everybody else's from being done.
const LOGINS: usize = 1;
/// The end of the log of downtimes that is shown, in bytes.
const MAX_LOG: u64 = 4 << 20;

const BUSY: &str = "520 server is busy, try again";

/// What all clients share.
#[derive(Debug)]
pub(super) struct Desk {
    handle: Handle,
    looks: Arc<Semaphore>,
    logins: Arc<Semaphore>,
}

/// Why there is no answer.
enum Lost {
    Busy,
    /// The daemon is on its way out.
    Gone,
}

impl Desk {
    pub fn new(handle: Handle) -> Desk {
        let looks = Arc::new(Semaphore::new(LOOKS));
        Desk { handle, looks, logins: Arc::new(Semaphore::new(LOGINS)) }
    }

    pub fn host(&self) -> Arc<Host> {
        Arc::clone(&self.handle.host)
    }

    /// The reply to one line.
    pub async fn answer(
        &self,
        session: &mut Session,
        line: &str,
        peer: IpAddr,
        rules: &Rules,
    ) -> Reply {
        let turn = session.turn(line, &rules.access);
        let reply = match turn {
            Turn::Say(reply) => Ok(reply),
            Turn::Login { user, password } => {
                self.login(session, user, password, peer, rules).await
            }
            Turn::View(name) => {
                let scene = self.scene(Parts::default()).await;
                scene.map(|scene| session.choose_view(&name, &scene))
            }
            Turn::Look(look) => self.look(look).await,
            Turn::Order(order) => self.order(order, session).await,
            Turn::Act(act) => self.act(act, session).await,
        };
        reply.unwrap_or_else(|lost| match lost {
            Lost::Busy => Reply::of(BUSY),
            Lost::Gone => Reply::of("520 server is stopping").closing(),
        })
    }

    async fn order(&self, order: Order, session: &Session) -> Result<Reply, Lost> {
        let ask = |reply| Request::Order(order.0.clone(), reply);
        let result = self.ask(SHORT, ask).await?;
        let user = session.user().unwrap_or_default();
        tracing::info!(user, order = ?order.0, refused = ?result.as_ref().err(), "mon client");
        Ok(order.reply(&result))
    }

    async fn act(&self, act: Act, session: &Session) -> Result<Reply, Lost> {
        let result = self.ask(LONG, |reply| Request::Act(act.clone(), reply)).await?;
        let user = session.user().unwrap_or_default();
        tracing::info!(user, ?act, refused = ?result.as_ref().err(), "mon client");
        Ok(act.reply(session.host(), &result))
    }

    async fn look(&self, look: Look) -> Result<Reply, Lost> {
        let place = timeout(SHORT, Arc::clone(&self.looks).acquire_owned()).await;
        let place = place.map_err(|_| Lost::Busy)?;
        let parts = look.parts();
        let shows_downtime = parts.downtime;
        let mut scene = self.scene(parts).await?;
        let process = self.handle.host.process;
        let written = spawn_blocking(move || {
            let _place = place;
            if shows_downtime {
                scene.downtime = downtime(scene.watching.settings.downtime_file.as_deref());
            }
            look.reply(&scene, process)
        });
        written.await.map_err(|_| Lost::Busy)
    }

    async fn scene(&self, parts: Parts) -> Result<Scene, Lost> {
        self.ask(SHORT, |reply| Request::Look(parts, reply)).await
    }

    async fn ask<T>(
        &self,
        patience: Duration,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, Lost> {
        let (reply, answer) = oneshot::channel();
        match self.handle.requests.try_send(request(reply)) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => return Err(Lost::Busy),
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(Lost::Gone),
        }
        match timeout(patience, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(Lost::Gone),
            Err(_) => Err(Lost::Busy),
        }
    }

    /// Asks each way to log in, one after another.
    async fn login(
        &self,
        session: &mut Session,
        user: String,
        password: String,
        peer: IpAddr,
        rules: &Rules,
    ) -> Result<Reply, Lost> {
        let mut accepted = false;
        for credential in &rules.credentials {
            accepted = match (credential, &rules.user_file) {
                (Credential::TrustLocal, _) => is_local(peer),
                (Credential::UserFile, Some(_)) if password.is_empty() => false,
                (Credential::UserFile, Some(file)) => self.verified(file, &user, &password).await?,
                (Credential::UserFile, None) => false,
            };
            if accepted {
                tracing::info!(user, %peer, "mon client logged in");
                break;
            }
        }
        match session.logged_in(&user, accepted) {
            Turn::Say(reply) => Ok(reply),
            _ => Err(Lost::Busy),
        }
    }

    async fn verified(&self, file: &Path, user: &str, password: &str) -> Result<bool, Lost> {
        let place = timeout(SHORT, Arc::clone(&self.logins).acquire_owned()).await;
        let place = place.map_err(|_| Lost::Busy)?;
        let (file, user, password) = (file.to_owned(), user.to_owned(), password.to_owned());
        let verified = spawn_blocking(move || {
            let _place = place;
            match files::users(&file) {
                Ok((users, _)) => users.verify(&user, &password),
                Err(error) => {
                    tracing::error!(%error, "nobody logs in");
                    false
                }
            }
        });
        verified.await.map_err(|_| Lost::Busy)
    }
}

/// The end of the file; whole lines.
fn downtime(path: Option<&Path>) -> Downtime {
    let Some(path) = path else { return Downtime::Off };
    match end_of(path) {
        Ok(text) => Downtime::Lines(text.lines().map(str::to_owned).collect()),
        Err(error) => {
            tracing::debug!(path = %path.display(), %error, "downtimes cannot be shown");
            Downtime::Closed
        }
    }
}

fn end_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let skipped = file.metadata()?.len().saturating_sub(MAX_LOG);
    file.seek(SeekFrom::Start(skipped))?;
    let mut bytes = Vec::new();
    file.take(MAX_LOG).read_to_end(&mut bytes)?;
    let text = raw::text_of(&bytes);
    Ok(match (skipped, text.split_once('\n')) {
        (0, _) | (_, None) => text,
        (_, Some((_, whole))) => whole.to_owned(),
    })
}
