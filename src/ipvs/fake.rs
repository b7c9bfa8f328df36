//! A kernel made of a map, habits and errors included.
//!
//! Stands in for the real table in tests, in simulations and for `--table memory`. All clones
//! are one table: a test keeps one to look at what an engine does with the other, to edit the
//! table behind its back and to make answers go wrong.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use nix::errno::Errno;

use super::{Kernel, refusal};
use crate::model::{
    Destination, Digests, Endpoint, Entry, Family, ForwardingMethod, KernelError, KernelErrorKind,
    ServiceKey, ServiceSettings, Survey, SurveyKey, SyncDaemon, SyncSettings, SyncState, Table,
    Tunnel, TunnelKind,
};
use crate::mutex::lock;
use crate::plan::{Step, SyncStep};

/// An IPVS table in memory. Cheap to clone; all clones share the table.
#[derive(Clone, Default)]
pub struct Fake(Arc<Mutex<State>>);

/// What becomes of a request that [`Fake::fail_next`] singles out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Not done, and answered with an error of this kind.
    Refuse(KernelErrorKind),
    /// Done, but the answer is lost: [`KernelErrorKind::Unknown`].
    LoseAnswer,
    /// Not done, and nobody says so: [`KernelErrorKind::Unknown`].
    LoseRequest,
}

/// How much was asked so far.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counters {
    pub surveys: u64,
    /// Services read in full.
    pub reads: u64,
    /// Steps asked for, refused ones included.
    pub writes: u64,
}

#[derive(Default)]
struct State {
    table: Table,
    daemons: Vec<SyncDaemon>,
    counters: Counters,
    /// `None` until somebody asks for a log: a daemon would let it grow for ever.
    log: Option<Vec<Step>>,
    watcher: Option<Watcher>,
    write_faults: VecDeque<Fault>,
    read_faults: VecDeque<KernelErrorKind>,
    missing_schedulers: BTreeSet<String>,
    unseen: BTreeSet<ServiceKey>,
}

type Watcher = Box<dyn FnMut(&Step, &Table) + Send>;

impl Fake {
    /// An empty table.
    pub fn new() -> Fake {
        Fake::default()
    }

    /// A table that somebody filled before.
    pub fn holding(table: Table) -> Fake {
        let fake = Fake::new();
        fake.state().table = table;
        fake
    }

    /// What the kernel holds now.
    pub fn table(&self) -> Table {
        self.state().table.clone()
    }

    /// A foreign edit: someone else's `ipvsadm`. Nothing is counted, logged or checked.
    pub fn table_mut<R>(&self, edit: impl FnOnce(&mut Table) -> R) -> R {
        edit(&mut self.state().table)
    }

    /// The same for sync daemons: someone else's `ipvsadm --start-daemon`.
    pub fn daemons_mut<R>(&self, edit: impl FnOnce(&mut Vec<SyncDaemon>) -> R) -> R {
        edit(&mut self.state().daemons)
    }

    pub fn counters(&self) -> Counters {
        self.state().counters
    }

    /// Starts a log of the steps that were carried out (refused ones are not in it).
    pub fn record(&self) {
        self.state().log.get_or_insert_default();
    }

    /// The log since [`Fake::record`] or the last call.
    pub fn take_log(&self) -> Vec<Step> {
        self.state().log.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Calls `watcher` after every step carried out, with the table as it then is: each of them
    /// is a moment at which the daemon may die. It must not call back into this table.
    pub fn watch(&self, watcher: impl FnMut(&Step, &Table) + Send + 'static) {
        self.state().watcher = Some(Box::new(watcher));
    }

    /// Makes the next `count` steps go wrong, after those singled out before.
    pub fn fail_next(&self, count: usize, fault: Fault) {
        self.state().write_faults.extend(std::iter::repeat_n(fault, count));
    }

    /// Makes the next `count` surveys or reads fail.
    pub fn fail_next_read(&self, count: usize, kind: KernelErrorKind) {
        self.state().read_faults.extend(std::iter::repeat_n(kind, count));
    }

    /// Forgets the faults still to come.
    pub fn heal(&self) {
        let mut state = self.state();
        state.write_faults.clear();
        state.read_faults.clear();
    }

    /// Makes the kernel lack a scheduler that kernels otherwise have, or have it again.
    pub fn set_scheduler_missing(&self, name: &str, missing: bool) {
        let mut state = self.state();
        if missing {
            state.missing_schedulers.insert(name.to_owned());
        } else {
            state.missing_schedulers.remove(name);
        }
    }

    /// Tears the next survey: these services are in the table but not in what it shows.
    pub fn tear_next_survey(&self, unseen: impl IntoIterator<Item = ServiceKey>) {
        self.state().unseen.extend(unseen);
    }

    /// A watcher that panics fails its test; the table it left is whole, for each step is done
    /// before the watcher sees it.
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }
}

impl Kernel for Fake {
    fn survey(&mut self) -> Result<Survey, KernelError> {
        let mut state = self.state();
        state.counters.surveys += 1;
        state.fail_read("list the services")?;
        let unseen = std::mem::take(&mut state.unseen);
        let mut survey = Survey::default();
        for (key, entry) in state.table.services.iter().filter(|(key, _)| !unseen.contains(key)) {
            survey.services.insert(*key, entry.settings);
            let digest = survey.digests.entry(SurveyKey::from(key)).or_default();
            *digest = digest.wrapping_add(Survey::digest(key, entry));
        }
        Ok(survey)
    }

    fn glance(&mut self) -> Result<Digests, KernelError> {
        self.survey().map(|survey| survey.digests)
    }

    fn read(&mut self, services: &[ServiceKey]) -> Result<Vec<Option<Entry>>, KernelError> {
        let mut state = self.state();
        state.counters.reads += services.len() as u64;
        state.fail_read("read services")?;
        Ok(services.iter().map(|key| state.table.services.get(key).cloned()).collect())
    }

    fn apply(&mut self, steps: &[Step]) -> Vec<(usize, KernelError)> {
        let mut state = self.state();
        let answer = |(at, step): (usize, &Step)| {
            state.faulted(step, State::carry_out).err().map(|error| (at, error))
        };
        steps.iter().enumerate().filter_map(answer).collect()
    }

    fn sync_daemons(&mut self) -> Result<Vec<SyncDaemon>, KernelError> {
        let mut state = self.state();
        state.fail_read("list the sync daemons")?;
        Ok(state.daemons.clone())
    }

    fn apply_sync(&mut self, steps: &[SyncStep]) -> Vec<(usize, KernelError)> {
        let mut state = self.state();
        let answer = |(at, step): (usize, &SyncStep)| {
            state.faulted(step, State::sync).err().map(|error| (at, error))
        };
        steps.iter().enumerate().filter_map(answer).collect()
    }
}

impl State {
    fn fail_read(&mut self, what: &str) -> Result<(), KernelError> {
        match self.read_faults.pop_front() {
            None => Ok(()),
            Some(kind) => Err(KernelError::new(kind, format!("{what}: as the test asked"))),
        }
    }

    /// One more write, with the fault it is to have.
    fn faulted<S: fmt::Display>(
        &mut self,
        step: &S,
        write: fn(&mut State, &S) -> Result<(), KernelError>,
    ) -> Result<(), KernelError> {
        self.counters.writes += 1;
        let fault = self.write_faults.pop_front();
        match fault {
            Some(Fault::Refuse(kind)) => {
                return Err(KernelError::new(kind, format!("{step}: as the test asked")));
            }
            Some(Fault::LoseRequest) => return Err(refusal::unanswered(step, "by the test")),
            Some(Fault::LoseAnswer) | None => {}
        }
        let answer = write(self, step);
        match fault {
            None => answer,
            Some(_) => Err(refusal::unanswered(step, "by the test")),
        }
    }

    fn carry_out(&mut self, step: &Step) -> Result<(), KernelError> {
        let answer = match refusal::misunderstood(step) {
            Some(error) => Err(error),
            None => self.write(step).map_err(|errno| refusal::refused(step, errno)),
        };
        if answer.is_ok() {
            if let Some(log) = &mut self.log {
                log.push(*step);
            }
            if let Some(watcher) = &mut self.watcher {
                watcher(step, &self.table);
            }
        }
        answer
    }

    fn sync(&mut self, step: &SyncStep) -> Result<(), KernelError> {
        let done = match step {
            SyncStep::Stop(state) => self.stop_daemon(*state),
            SyncStep::Start(daemon) => self.start_daemon(daemon),
        };
        done.map_err(|errno| refusal::sync_refused(step, errno))
    }

    fn stop_daemon(&mut self, state: SyncState) -> Result<(), Errno> {
        let at = self.daemons.iter().position(|daemon| daemon.state == state);
        self.daemons.remove(at.ok_or(Errno::ESRCH)?);
        Ok(())
    }

    fn start_daemon(&mut self, daemon: &SyncDaemon) -> Result<(), Errno> {
        if self.daemons.iter().any(|other| other.state == daemon.state) {
            return Err(Errno::EEXIST);
        }
        let all = self.table.services.iter();
        let mut rows =
            all.flat_map(|(key, entry)| entry.destinations.iter().map(move |(at, _)| (key, at)));
        if rows.any(|(key, at)| is_mixed(key, at)) {
            return Err(Errno::EINVAL);
        }
        let settings = SyncSettings {
            max_packet: daemon.settings.max_packet.or(Some(USUAL_PACKET)),
            ..(*daemon.settings).clone()
        };
        self.daemons.push(SyncDaemon { settings: Arc::new(settings), ..*daemon });
        Ok(())
    }

    /// What the kernel does with a request, in its order of checks.
    fn write(&mut self, step: &Step) -> Result<(), Errno> {
        match *step {
            Step::AddService { service, settings } => {
                if self.table.services.contains_key(&service) {
                    return Err(Errno::EEXIST);
                }
                self.check_modules(&settings)?;
                self.table.services.insert(service, Entry::empty(settings));
            }
            Step::EditService { service, settings } => {
                self.entry(&service)?;
                self.check_modules(&settings)?;
                let entry = self.entry(&service)?;
                let rebind = entry.settings.scheduler != settings.scheduler;
                let too_many = entry.destinations.len() > MH_TABLE;
                if rebind && too_many && settings.scheduler.as_str() == "mh" {
                    return Err(Errno::EINVAL);
                }
                entry.settings = settings;
            }
            Step::RemoveService { service } => {
                self.table.services.remove(&service).ok_or(Errno::ESRCH)?;
            }
            Step::AddDestination { service, endpoint, destination } => {
                let destination = as_read(destination);
                let syncs = !self.daemons.is_empty();
                let entry = self.entry(&service)?;
                if syncs && is_mixed(&service, &endpoint) {
                    return Err(Errno::EINVAL);
                }
                check_destination(&service, &endpoint, &destination)?;
                if entry.destinations.get(&endpoint).is_some() {
                    return Err(Errno::EEXIST);
                }
                // Checked on NEW only, and after the look-up.
                check_address(endpoint.address)?;
                entry.destinations.insert(endpoint, destination);
            }
            Step::EditDestination { service, endpoint, destination } => {
                let destination = as_read(destination);
                let syncs = !self.daemons.is_empty();
                let entry = self.entry(&service)?;
                if syncs && is_mixed(&service, &endpoint) {
                    return Err(Errno::EINVAL);
                }
                check_destination(&service, &endpoint, &destination)?;
                entry.destinations.get(&endpoint).ok_or(Errno::ENOENT)?;
                entry.destinations.insert(endpoint, destination);
            }
            Step::RemoveDestination { service, endpoint } => {
                self.entry(&service)?.destinations.remove(&endpoint).ok_or(Errno::ENOENT)?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, service: &ServiceKey) -> Result<&mut Entry, Errno> {
        self.table.services.get_mut(service).ok_or(Errno::ESRCH)
    }

    fn check_modules(&self, settings: &ServiceSettings) -> Result<(), Errno> {
        let name = settings.scheduler.as_str();
        let known = SCHEDULERS.contains(&name) && !self.missing_schedulers.contains(name);
        let engine = settings.engine.is_none_or(|engine| engine.as_str() == "sip");
        if known && engine { Ok(()) } else { Err(Errno::ENOENT) }
    }
}

/// Every scheduler of a 6.x kernel; `none` is built in and schedules nothing.
const SCHEDULERS: [&str; 15] = [
    "none", "rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh",
    "twos",
];

/// What a master's messages hold where nobody says otherwise.
const USUAL_PACKET: u16 = 1472;

fn is_mixed(service: &ServiceKey, at: &Endpoint) -> bool {
    Family::of(at.address) != service.family()
}

/// Rows of the `mh` table in the usual build. Switching to `mh` with more destinations fails.
const MH_TABLE: usize = 4093;

fn check_destination(service: &ServiceKey, at: &Endpoint, d: &Destination) -> Result<(), Errno> {
    if is_mixed(service, at) && d.forward != ForwardingMethod::Ipip {
        return Err(Errno::EINVAL);
    }
    // The kernel reads the weight as signed.
    if d.weight > i32::MAX as u32 || d.lower > d.upper {
        return Err(Errno::ERANGE);
    }
    if d.upper > i32::MAX as u32 || (d.tunnel.kind == TunnelKind::Gue && d.tunnel.port == 0) {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

fn check_address(address: IpAddr) -> Result<(), Errno> {
    let takes = match address {
        IpAddr::V4(a) => !(a.is_unspecified() || a.is_broadcast() || a.is_multicast()),
        IpAddr::V6(a) => !(a.is_unspecified() || a.is_multicast() || a.is_unicast_link_local()),
    };
    if takes { Ok(()) } else { Err(Errno::EINVAL) }
}

/// A destination as it is written and reads back: tunnel options go with method `ipip` only.
fn as_read(destination: Destination) -> Destination {
    match destination.forward {
        ForwardingMethod::Ipip => destination,
        _ => Destination { tunnel: Tunnel::default(), ..destination },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{KernelName, Protocol};

    const RR: &str = "rr";

    fn service() -> ServiceKey {
        ServiceKey::Address { protocol: Protocol::Tcp, address: [10, 0, 0, 1].into(), port: 80 }
    }

    fn settings(scheduler: &str) -> ServiceSettings {
        ServiceSettings::plain(KernelName::new(scheduler).unwrap())
    }

    fn add_service() -> Step {
        Step::AddService { service: service(), settings: settings(RR) }
    }

    fn add_destination(last: u8) -> Step {
        Step::AddDestination {
            service: service(),
            endpoint: Endpoint::new([10, 0, 1, last].into(), 80),
            destination: Destination::plain(ForwardingMethod::Gate, 1),
        }
    }

    fn kinds(failures: &[(usize, KernelError)]) -> Vec<(usize, KernelErrorKind)> {
        failures.iter().map(|(at, error)| (*at, error.kind)).collect()
    }

    #[test]
    fn goes_on_after_a_step_that_fails() {
        let mut fake = Fake::new();
        let failures =
            fake.apply(&[add_destination(1), add_service(), add_service(), add_destination(1)]);
        assert_eq!(
            kinds(&failures),
            [(0, KernelErrorKind::Conflict), (2, KernelErrorKind::Conflict)]
        );
        assert_eq!(fake.read(&[service()]).unwrap()[0].as_ref().unwrap().destinations.len(), 1);
    }

    #[test]
    fn refuses_what_the_kernel_refuses() {
        let mut fake = Fake::new();
        fake.set_scheduler_missing("sed", true);
        fake.apply(&[add_service()]);
        let with = |endpoint: &str, edit: fn(&mut Destination)| {
            let mut destination = Destination::plain(ForwardingMethod::Masq, 1);
            edit(&mut destination);
            Step::AddDestination {
                service: service(),
                endpoint: endpoint.parse::<std::net::SocketAddr>().unwrap().into(),
                destination,
            }
        };
        let steps = [
            Step::EditService { service: service(), settings: settings("sed") },
            Step::EditService { service: service(), settings: settings("bogus") },
            with("0.0.0.0:80", |_| ()),
            with("224.0.0.1:80", |_| ()),
            with("[2001:db8::1]:80", |_| ()),
            with("10.0.1.1:80", |d| d.weight = 1 << 31),
            with("10.0.1.1:80", |d| (d.upper, d.lower) = (1, 2)),
            with("10.0.1.1:80", |d| {
                d.forward = ForwardingMethod::Ipip;
                d.tunnel.kind = TunnelKind::Gue;
            }),
        ];
        let failures = fake.apply(&steps);
        assert_eq!(failures.len(), steps.len(), "{failures:#?}");
        assert!(failures.iter().all(|(_, e)| e.kind == KernelErrorKind::Refused), "{failures:#?}");
    }

    #[test]
    fn a_lost_answer_leaves_the_step_done_and_a_lost_request_does_not() {
        let mut fake = Fake::new();
        fake.fail_next(1, Fault::LoseAnswer);
        fake.fail_next(1, Fault::LoseRequest);
        let failures = fake.apply(&[add_service(), add_destination(1), add_destination(2)]);
        assert_eq!(
            kinds(&failures),
            [(0, KernelErrorKind::Unknown), (1, KernelErrorKind::Unknown)]
        );
        let table = fake.table();
        let rows: Vec<_> = table.services[&service()].destinations.iter().collect();
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].0.address, IpAddr::from([10, 0, 1, 2]));
    }

    #[test]
    fn the_survey_adds_both_families_of_a_mark_into_one_digest() {
        let mut fake = Fake::new();
        let mark = |family| ServiceKey::Fwmark { mark: 7, family };
        let row = |family, endpoint: &str| Step::AddDestination {
            service: mark(family),
            endpoint: endpoint.parse::<std::net::SocketAddr>().unwrap().into(),
            destination: Destination::plain(ForwardingMethod::Gate, 1),
        };
        let failures = fake.apply(&[
            Step::AddService { service: mark(Family::Ipv4), settings: settings(RR) },
            Step::AddService { service: mark(Family::Ipv6), settings: settings(RR) },
            row(Family::Ipv4, "10.0.1.1:0"),
            row(Family::Ipv6, "[2001:db8::1]:0"),
        ]);
        assert!(failures.is_empty(), "{failures:#?}");
        let survey = fake.survey().unwrap();
        assert_eq!(survey.services.len(), 2);
        let sum = fake
            .table()
            .services
            .iter()
            .fold(0u64, |sum, (key, entry)| sum.wrapping_add(Survey::digest(key, entry)));
        assert_eq!(survey.digests[&SurveyKey::Fwmark(7)], sum);
    }

    #[test]
    fn clones_share_the_table_and_the_watcher_sees_every_step() {
        let mut fake = Fake::new();
        fake.record();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&seen);
        fake.watch(move |_, table| sink.lock().unwrap().push(table.services.len()));
        let view = fake.clone();
        fake.apply(&[add_service(), add_service(), Step::RemoveService { service: service() }]);
        assert_eq!(*seen.lock().unwrap(), [1, 0]);
        assert_eq!(view.take_log().len(), 2);
        assert_eq!(view.counters().writes, 3);
        view.table_mut(|table| table.services.insert(service(), Entry::empty(settings(RR))));
        assert_eq!(fake.survey().unwrap().services.len(), 1);
    }
}
