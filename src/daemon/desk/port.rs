//! mon's port, opened and closed as the configuration says.
//!
//! Off where no file and no command line asks for it, and on the loopback alone where they name
//! no other address: the protocol sends passwords in clear.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, UnboundedSender, channel};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::{AbortHandle, spawn_blocking};

use super::News;
use crate::daemon::Input;
use crate::model::{AuthType, Desired, MonBind, PortSettings, Trap};
use crate::mon::{self, Handle, Loaded, RuleFiles, Rules};

/// Requests and traps that may wait for the loop.
const WAITING: usize = 256;
/// A port that is taken may be free again.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

pub struct Port {
    /// Called as mon, which listens whatever the file says.
    always: bool,
    inputs: UnboundedSender<Input>,
    rules: InForce,
    settings: Option<PortSettings>,
    /// Those who listen.
    tasks: Vec<AbortHandle>,
}

impl Port {
    pub fn new(always: bool, inputs: UnboundedSender<Input>) -> Port {
        Port { always, inputs, rules: InForce::default(), settings: None, tasks: Vec::new() }
    }

    /// Listens where this configuration says.
    pub fn follow(&mut self, desired: &Desired) {
        let settings = desired.mon.values().map(|file| &file.port);
        let asks = |port: &&PortSettings| {
            let binds = [&port.server, &port.trap];
            binds.iter().any(|bind| bind.host.is_some() || bind.port.is_some())
        };
        let wanted = match self.always {
            true => settings.into_iter().next(),
            false => settings.into_iter().find(asks),
        };
        let before = self.settings.take();
        self.settings = wanted.cloned();
        let places = |port: &Option<PortSettings>| {
            port.as_ref().map(|port| (port.server.clone(), port.trap.clone()))
        };
        if places(&before) != places(&self.settings) {
            self.close();
            if let Some(settings) = self.settings.clone() {
                self.open(&settings);
            }
        }
        if self.settings.is_some() && before != self.settings {
            self.read_rules(None);
        }
    }

    /// Reads who may do what, and answers whoever asked for it.
    pub fn read_rules(&self, reply: Option<oneshot::Sender<Result<(), Vec<String>>>>) {
        let Some(settings) = &self.settings else { return };
        let files = rule_files(settings);
        let place = self.rules.next();
        spawn_blocking(move || {
            let Loaded { rules, told, error } = mon::load(&files);
            // First what is known: to look up a name may take long, and rights that are gone are
            // to be gone.
            place.put(rules.clone());
            told.iter().for_each(|what| tracing::warn!("mon port: {what}"));
            if let Some(error) = &error {
                tracing::warn!("mon port: {error}: nobody may do anything there");
            }
            let outcome = error.map_or(Ok(()), |error| Err(vec![error.to_string()]));
            let _ = reply.map(|reply| reply.send(outcome));
            if let Some((rules, told)) = mon::look_up(rules) {
                place.put(rules);
                told.iter().for_each(|what| tracing::warn!("mon port: {what}"));
            }
        });
    }

    pub fn close(&mut self) {
        self.tasks.drain(..).for_each(|task| task.abort());
    }

    fn open(&mut self, settings: &PortSettings) {
        let (requests, asked) = channel(WAITING);
        let (traps, trapped) = channel(WAITING);
        let name = crate::config::source::node::of_mail();
        let host = mon::protocol::Host { name, process: std::process::id() };
        let handle = Handle::new(requests, host);
        let (server, rules) = (settings.server.clone(), self.rules.place.subscribe());
        let clients = async move {
            let listener = listening(&server, mon::bind_clients).await;
            mon::serve_clients(listener, rules, handle, std::future::pending()).await;
        };
        let (trap, rules) = (settings.trap.clone(), self.rules.place.subscribe());
        let datagrams = async move {
            let socket = listening(&trap, mon::bind_traps).await;
            mon::serve_traps(socket, rules, traps, std::future::pending()).await;
        };
        self.tasks.push(tokio::spawn(clients).abort_handle());
        self.tasks.push(tokio::spawn(datagrams).abort_handle());
        let (requests, traps) =
            (bring_requests(asked, &self.inputs), bring_traps(trapped, &self.inputs));
        self.tasks.push(tokio::spawn(requests).abort_handle());
        self.tasks.push(tokio::spawn(traps).abort_handle());
    }
}

/// Whoever asks waits for the answer, so that there are no more of these than clients.
fn bring_requests(
    mut asked: Receiver<mon::Request>,
    inputs: &UnboundedSender<Input>,
) -> impl Future<Output = ()> + use<> {
    let inputs = inputs.clone();
    async move {
        while let Some(request) = asked.recv().await {
            if inputs.send(Input::Watched(News::Asked(request))).is_err() {
                return;
            }
        }
    }
}

/// Nobody waits for a trap: the way in has no end, and so each holds a place until it is taken.
fn bring_traps(
    mut trapped: Receiver<Trap>,
    inputs: &UnboundedSender<Input>,
) -> impl Future<Output = ()> + use<> {
    let (inputs, places) = (inputs.clone(), Arc::new(Semaphore::new(WAITING)));
    async move {
        while let Ok(place) = places.clone().acquire_owned().await
            && let Some(trap) = trapped.recv().await
        {
            if inputs.send(Input::Watched(News::Trap(trap, place))).is_err() {
                return;
            }
        }
    }
}

/// Where the rules in force are. Reading them may take long, and of two readings the one that was
/// asked for later counts, whichever ends first.
#[derive(Clone, Default)]
struct InForce {
    place: watch::Sender<Arc<Rules>>,
    number: u64,
    newest: Arc<AtomicU64>,
}

impl InForce {
    /// For the reading that begins now.
    fn next(&self) -> InForce {
        let number = self.newest.fetch_add(1, Ordering::SeqCst) + 1;
        InForce { number, ..self.clone() }
    }

    fn put(&self, rules: Rules) {
        self.place.send_if_modified(|place| {
            // Asked under the lock of the place: whoever is newer writes after this.
            let counts = self.newest.load(Ordering::SeqCst) == self.number;
            if counts {
                *place = Arc::new(rules);
            }
            counts
        });
    }
}

/// Listens; where that cannot be had, says so once and tries again.
async fn listening<T, F>(bind: &MonBind, listen: impl Fn(SocketAddr) -> F) -> T
where
    F: Future<Output = Result<T, mon::BindError>>,
{
    let mut told = false;
    loop {
        let error = match address(bind).await {
            Ok(place) => match listen(place).await {
                Ok(socket) => {
                    tracing::info!("mon port: listening on {place}");
                    return socket;
                }
                Err(error) => error.to_string(),
            },
            Err(error) => error,
        };
        if !std::mem::replace(&mut told, true) {
            tracing::error!("{error}");
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

async fn address(bind: &MonBind) -> Result<SocketAddr, String> {
    let port = bind.port.unwrap_or(MonBind::PORT);
    let Some(host) = bind.host.clone() else {
        return Ok((IpAddr::V4(Ipv4Addr::LOCALHOST), port).into());
    };
    let look_up = {
        let host = host.clone();
        move || (host.as_str(), port).to_socket_addrs().map(|mut found| found.next())
    };
    match spawn_blocking(look_up).await {
        Ok(Ok(Some(place))) => Ok(place),
        Ok(Err(error)) => Err(format!("mon port: {host}: {error}")),
        _ => Err(format!("mon port: {host}: no address")),
    }
}

fn rule_files(settings: &PortSettings) -> RuleFiles {
    let word = |kind: &AuthType| match kind {
        AuthType::UserFile => "userfile",
        AuthType::TrustLocal => "trustlocal",
    };
    let words: Vec<&str> = settings.auth_types.iter().map(word).collect();
    RuleFiles {
        auth_file: settings.auth_file.clone(),
        user_file: Some(settings.user_file.clone()),
        auth_type: words.join(" "),
        client_allow: match settings.client_allow.is_empty() {
            true => ".*".to_owned(),
            false => settings.client_allow.join(" "),
        },
        idle: settings.client_timeout,
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    #[test]
    fn of_two_readings_the_later_one_counts_whichever_ends_first() {
        let in_force = InForce::default();
        let rules = |seconds| Rules { idle: Duration::from_secs(seconds), ..Rules::default() };
        let (old, new) = (in_force.next(), in_force.next());
        let idle = || in_force.place.borrow().idle.as_secs();
        new.put(rules(2));
        old.put(rules(1));
        assert_eq!(idle(), 2);
        // With the hosts that it names.
        new.put(rules(3));
        assert_eq!(idle(), 3);
    }

    #[tokio::test]
    async fn traps_that_the_loop_does_not_take_wait_where_they_are_counted() {
        let (traps, trapped) = channel(2 * WAITING);
        let (inputs, mut from_inputs) = unbounded_channel();
        for _ in 0..2 * WAITING {
            let trap = Trap {
                group: "web".to_owned(),
                service: "trap".to_owned(),
                status: "1".to_owned(),
                summary: String::new(),
                detail: String::new(),
            };
            traps.send(trap).await.unwrap();
        }
        tokio::spawn(bring_traps(trapped, &inputs));
        let settled = async || {
            for _ in 0..4 * WAITING {
                tokio::task::yield_now().await;
            }
        };
        settled().await;
        assert_eq!(from_inputs.len(), WAITING);
        drop(from_inputs.recv().await);
        settled().await;
        assert_eq!(from_inputs.len(), WAITING, "one was taken, and the next has its place");
    }
}
