//! The kernel's own table: read, surveyed and written by generic netlink.

use std::collections::BTreeMap;
use std::io;

use nix::errno::Errno;

use super::codec::{Key, Reply, Request};
use super::proc::Listing;
use super::record::{
    daemon_from_wire, daemon_to_wire, destination_from_wire, destination_to_wire, key_to_wire,
    service_from_wire, service_to_wire, state_to_wire,
};
use super::socket::{Answers, Refusal, Socket};
use super::{Kernel, Tuning, module, proc, refusal};
use crate::model::{
    Destination, Digests, Entry, ForwardingMethod, KernelError, KernelErrorKind, ServiceKey,
    Survey, SyncDaemon,
};
use crate::netlink::worded;
use crate::plan::{Step, SyncStep};

/// The IPVS table of the network namespace it was opened in.
///
/// Every call blocks: hold it in a thread of its own.
pub struct Netlink {
    socket: Socket,
    listing: Listing,
    batch: usize,
    /// How many there were when they were last listed.
    services: usize,
}

impl Netlink {
    /// Opens the table of the calling thread's network namespace, loading `ip_vs` where need be.
    ///
    /// Fails with [`KernelErrorKind::Unavailable`] when there is no IPVS, when it is not for us,
    /// and when `/proc` is missing; the message says what to do.
    pub fn open() -> Result<Netlink, KernelError> {
        Netlink::open_tuned(&Tuning::default())
    }

    /// As [`Netlink::open`], with other sizes than those that suit everybody.
    pub fn open_tuned(tuning: &Tuning) -> Result<Netlink, KernelError> {
        let socket = Socket::open(tuning)?;
        // After the module was loaded: the file comes with it.
        let listing = Listing::open().map_err(|error| no_listing(&error))?;
        Ok(Netlink { socket, listing, batch: tuning.batch.max(1), services: 0 })
    }

    /// Carries out up to one batch of steps, the first of which is number `base`.
    fn apply_batch(
        &mut self,
        base: usize,
        steps: &[Step],
        failures: &mut Vec<(usize, KernelError)>,
    ) {
        // Which step each request carries out: those the kernel must not see are left out.
        let mut sent = Vec::with_capacity(steps.len());
        for (at, step) in steps.iter().enumerate() {
            match refusal::misunderstood(step) {
                Some(error) => failures.push((base + at, error)),
                None => {
                    push(&mut self.socket, step);
                    sent.push(at);
                }
            }
        }
        let answers = match self.socket.exchange(|_, _| {}) {
            Ok(answers) => answers,
            Err(gone) => {
                failures.extend(sent.iter().map(|&at| (base + at, gone.clone())));
                return;
            }
        };
        let mut refusals: Vec<Option<&Refusal>> = vec![None; sent.len()];
        for refusal in &answers.refusals {
            if let Some(place) = refusals.get_mut(refusal.request) {
                *place = Some(refusal);
            }
        }
        for (&at, refusal) in sent.iter().zip(refusals) {
            let step = &steps[at];
            let error = match (refusal, &answers.lost) {
                (Some(refusal), _) => explained(step, refusal),
                (None, Some(why)) => refusal::unanswered(step, why),
                (None, None) => continue,
            };
            failures.push((base + at, error));
        }
    }

    fn read_one(&mut self, key: &ServiceKey) -> Result<Option<Entry>, KernelError> {
        // The kernel reads mark 0 as another service.
        if matches!(key, ServiceKey::Fwmark { mark: 0, .. }) {
            return Ok(None);
        }
        let wire = key_to_wire(key);
        let family = key.family();
        // Both in one send. A list must come last: the socket takes one at a time.
        self.socket.push(&Request::ReadService(&wire));
        self.socket.push(&Request::ListDestinations(&wire));
        let (mut settings, mut rows) = (None, Vec::new());
        let answers = self.socket.exchange(|_, reply| match reply {
            Reply::Service(service) => settings = service_from_wire(&service),
            Reply::Destination(row) => rows.extend(destination_from_wire(family, &row)),
            _ => {}
        })?;
        if is_missing(&answers) {
            return Ok(None);
        }
        check(answers, || format!("read service {key}"))?;
        // Rows are in no promised order, and a long list that others change meanwhile may show
        // one twice.
        Ok(settings
            .filter(|(found, _)| found == key)
            .map(|(_, settings)| Entry { settings, destinations: rows.into_iter().collect() }))
    }
}

impl Kernel for Netlink {
    fn survey(&mut self) -> Result<Survey, KernelError> {
        let mut services = BTreeMap::new();
        self.socket.push(&Request::ListServices);
        let answers = self.socket.exchange(|_, reply| {
            if let Reply::Service(service) = reply {
                services.extend(service_from_wire(&service));
            }
        })?;
        check(answers, || "list the services".into())?;
        self.services = services.len();
        Ok(Survey { services, digests: self.glance()? })
    }

    fn glance(&mut self) -> Result<Digests, KernelError> {
        let digests = self.listing.digests(self.services).or_else(|_| {
            // An open listing dies with the module; a new load brings a new one.
            self.listing = Listing::open()?;
            self.listing.digests(self.services)
        });
        digests.map_err(|error| no_listing(&error))
    }

    fn read(&mut self, services: &[ServiceKey]) -> Result<Vec<Option<Entry>>, KernelError> {
        services.iter().map(|key| self.read_one(key)).collect()
    }

    fn apply(&mut self, steps: &[Step]) -> Vec<(usize, KernelError)> {
        module::prepare(steps);
        let mut failures = Vec::new();
        for (nth, batch) in steps.chunks(self.batch).enumerate() {
            self.apply_batch(nth * self.batch, batch, &mut failures);
        }
        // Within a batch, what was not sent comes first.
        failures.sort_by_key(|(at, _)| *at);
        failures
    }

    fn sync_daemons(&mut self) -> Result<Vec<SyncDaemon>, KernelError> {
        let mut found = Vec::new();
        self.socket.push(&Request::ListDaemons);
        let answers = self.socket.exchange(|_, reply| {
            if let Reply::Daemon(daemon) = reply {
                found.extend(daemon_from_wire(&daemon));
            }
        })?;
        check(answers, || "list the sync daemons".into())?;
        Ok(found)
    }

    fn apply_sync(&mut self, steps: &[SyncStep]) -> Vec<(usize, KernelError)> {
        for step in steps {
            match step {
                SyncStep::Start(daemon) => {
                    self.socket.push(&Request::StartDaemon(&daemon_to_wire(daemon)));
                }
                SyncStep::Stop(state) => {
                    self.socket.push(&Request::StopDaemon(state_to_wire(*state)));
                }
            }
        }
        // A daemon whose thread has not run yet is stopped with EINTR, which netlink takes for a
        // list that has begun, and answers nothing: waiting for that would be waiting in vain.
        self.socket.push(&Request::Info);
        let all = 0..steps.len();
        let answers = match self.socket.exchange(|_, _| {}) {
            Ok(answers) => answers,
            Err(gone) => return all.map(|at| (at, gone.clone())).collect(),
        };
        let failure = |at: usize| {
            let step = &steps[at];
            let refusal = answers.refusals.iter().find(|refusal| refusal.request == at);
            match (refusal, &answers.lost) {
                (Some(refusal), _) => Some((at, refusal::sync_refused(step, refusal.errno))),
                (None, Some(why)) => Some((at, refusal::unanswered(step, why))),
                (None, None) => None,
            }
        };
        all.filter_map(failure).collect()
    }
}

fn push(socket: &mut Socket, step: &Step) {
    let key: Key = key_to_wire(step.service());
    match step {
        Step::AddService { service, settings } => {
            socket.push(&Request::AddService(&service_to_wire(service, settings)));
        }
        Step::EditService { service, settings } => {
            socket.push(&Request::EditService(&service_to_wire(service, settings)));
        }
        Step::RemoveService { .. } => socket.push(&Request::RemoveService(&key)),
        Step::AddDestination { endpoint, destination, .. } => {
            socket
                .push(&Request::AddDestination(&key, &destination_to_wire(endpoint, destination)));
        }
        Step::EditDestination { endpoint, destination, .. } => {
            let record = destination_to_wire(endpoint, destination);
            socket.push(&Request::EditDestination(&key, &record));
        }
        Step::RemoveDestination { endpoint, .. } => {
            // Only address and port matter.
            let record = destination_to_wire(endpoint, &NOTHING);
            socket.push(&Request::RemoveDestination(&key, &record));
        }
    }
}

const NOTHING: Destination = Destination::plain(ForwardingMethod::Masq, 0);

/// Whether the first request, for a service's record, was answered with there being none. The
/// list of its destinations is then empty, and no error.
fn is_missing(answers: &Answers) -> bool {
    // No IPv6, no IPv6 service.
    let none = |errno| matches!(errno, Errno::ESRCH | Errno::EAFNOSUPPORT);
    let [refusal] = answers.refusals.as_slice() else { return false };
    answers.lost.is_none() && refusal.request == 0 && none(refusal.errno)
}

fn explained(step: &Step, refusal: &Refusal) -> KernelError {
    let mut error = refusal::refused(step, refusal.errno);
    if let Some(text) = &refusal.text {
        error.message.push_str(&format!(": the kernel says \"{text}\""));
    }
    error
}

/// Whether a reading is whole.
fn check(answers: Answers, what: impl Fn() -> String) -> Result<(), KernelError> {
    if let Some(refusal) = answers.refusals.first() {
        return Err(match refusal.errno {
            Errno::EPERM => module::not_permitted(),
            errno => {
                KernelError::new(KernelErrorKind::Unknown, format!("{}: {}", what(), worded(errno)))
            }
        });
    }
    match answers.lost {
        Some(why) => Err(refusal::unanswered(what(), why)),
        None => Ok(()),
    }
}

fn no_listing(error: &io::Error) -> KernelError {
    let message = format!("read {}: {error}: is /proc mounted?", proc::PATH);
    KernelError::new(KernelErrorKind::Unavailable, message)
}
