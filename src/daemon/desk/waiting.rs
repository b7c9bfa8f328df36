//! Checks of real servers that wait for what is found of watched services: by monitors, by traps,
//! and for want of them.
//!
//! mon calls its alerts for each service by itself, and `alertafter 3` means three failures of that
//! service. A check may wait for several of them, and has one count of failures and one of passes.
//! So an answer is due for a new failure of a service that fails longer than was answered already,
//! and for a pass when whoever failed has passed anew and nobody fails.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::super::director::Answer;
use crate::engine::CheckId;
use crate::model::{
    Endpoint, HostResult, OpStatus, Outcome, Time, Trap, WatchKey, WatchSpec, WatchView, Watching,
    raw,
};
use crate::probe::monitor::Found;

#[derive(Default)]
pub struct Waiting {
    /// Those that wait, and those that were answered and will ask again in a moment.
    checks: BTreeMap<CheckId, Check>,
    of: HashMap<WatchKey, BTreeSet<CheckId>>,
    /// The last result of each service.
    results: HashMap<WatchKey, Last>,
    /// How many there were.
    counted: u64,
    /// Services that turn by traps alone, and keep what they said.
    unasked: BTreeSet<WatchKey>,
    /// Services that turn when a trap is missing, or when its word holds no longer.
    timed: BTreeSet<WatchKey>,
}

struct Check {
    server: Endpoint,
    keys: Arc<[WatchKey]>,
    /// What was heard of each of the keys.
    heard: Vec<Heard>,
    /// Failures in a row that were answered.
    failures: u32,
    /// Until it is answered.
    answer: Option<Answer>,
}

/// What a check heard of a service.
#[derive(Clone, Copy)]
struct Heard {
    /// See [`Last::number`].
    number: u64,
    /// In a row.
    failures: u32,
    /// Whether no pass counts without one of its own.
    owes: bool,
}

/// How a service was found.
struct Last {
    outcome: Outcome,
    hosts: Vec<HostResult>,
    status: OpStatus,
    /// No other result has it; from 1.
    number: u64,
}

impl Waiting {
    /// What is watched from now on. Checks that wait for anything else are over.
    pub fn follow(&mut self, watching: &Watching) {
        let is_there = |key: &WatchKey| watching.services.contains_key(key);
        self.drop_left(watching);
        self.results.retain(|key, _| is_there(key));
        let keys = |wanted: fn(&WatchSpec) -> bool| {
            let specs = watching.services.values().filter(move |spec| wanted(spec));
            specs.map(|spec| spec.key.clone()).collect()
        };
        // No check names another real server.
        self.unasked = keys(|spec| spec.monitor.is_none() && spec.hosts.is_none());
        self.timed = keys(|spec| spec.trap_timeout.is_some() || spec.trap_duration.is_some());
    }

    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.checks.is_empty() && self.of.is_empty()
    }

    /// Ends checks that wait for what is watched no more.
    pub fn drop_left(&mut self, watching: &Watching) {
        let is_there = |key: &WatchKey| watching.services.contains_key(key);
        // One that does not wait may have left the files: it begins anew if it asks again.
        self.checks.retain(|_, check| check.answer.is_some() && check.keys.iter().all(is_there));
        self.of.retain(|_, checks| {
            checks.retain(|id| self.checks.contains_key(id));
            !checks.is_empty()
        });
    }

    /// A check asks. What a trap said holds, and is answered at once to who has not heard it; of
    /// who is asked by a monitor the next result is waited for.
    pub fn add(
        &mut self,
        keys: Arc<[WatchKey]>,
        server: Endpoint,
        answer: Answer,
        view: impl Fn(&WatchKey) -> Option<WatchView>,
    ) {
        self.look(keys.iter().filter(|key| self.unasked.contains(key)).cloned().collect(), view);
        let id = answer.check;
        let (results, unasked) = (&self.results, &self.unasked);
        let check = self.checks.entry(id).or_insert_with(|| {
            let known = |key| results.get(key).map_or(0, |last| last.number);
            let number = |key| if unasked.contains(key) { 0 } else { known(key) };
            let heard = |key| Heard { number: number(key), failures: 0, owes: true };
            let heard = keys.iter().map(heard).collect();
            Check { server, keys: keys.clone(), heard, failures: 0, answer: None }
        });
        check.answer = Some(answer);
        check.hear(results, unasked);
        for key in keys.iter() {
            self.of.entry(key.clone()).or_default().insert(id);
        }
    }

    /// A monitor found this.
    pub fn result(&mut self, key: &WatchKey, found: Found) {
        let status = if found.finding.exit == 0 { OpStatus::Ok } else { OpStatus::Fail };
        let outcome = match (status, found.trouble) {
            (OpStatus::Fail, Some(why)) => Outcome::Local(format!("watch {key}: {why}")),
            _ => outcome(key, status, &found.finding.output),
        };
        self.tell(key, outcome, found.hosts, status);
    }

    /// A trap came in, for a service of this name, or for one of those that take what nobody else
    /// watches.
    pub fn trap(&mut self, trap: &Trap, now: Time, view: impl Fn(&WatchKey) -> Option<WatchView>) {
        let names = [(&*trap.group, &*trap.service), ("default", &*trap.service)];
        for (group, service) in names.into_iter().chain([("default", "default")]) {
            let key = WatchKey::new(group, service);
            if let Some(view) = view(&key).filter(|view| view.last_trap == Some(now)) {
                return self.turn(&key, &view);
            }
        }
    }

    /// Time went by: a trap may be missing, or its word no longer hold.
    pub fn timeout(&mut self, now: Time, view: impl Fn(&WatchKey) -> Option<WatchView>) {
        for key in self.waited_for(&self.timed) {
            let known = self.results.get(&key).map(|last| last.status);
            let is_new = |view: &WatchView| {
                view.last_failure == Some(now) || known.is_some_and(|known| known != view.opstatus)
            };
            if let Some(view) = view(&key).filter(is_new) {
                self.turn(&key, &view);
            }
        }
    }

    /// Somebody's word, or a configuration, may have turned what is not asked.
    pub fn look_around(&mut self, view: impl Fn(&WatchKey) -> Option<WatchView>) {
        self.look(self.waited_for(&self.unasked), view);
    }

    fn look(&mut self, keys: Vec<WatchKey>, view: impl Fn(&WatchKey) -> Option<WatchView>) {
        for key in keys {
            let known = self.results.get(&key).map(|last| last.status);
            if let Some(view) = view(&key).filter(|view| known != Some(view.opstatus)) {
                self.turn(&key, &view);
            }
        }
    }

    /// Those of them that a check waits for. Services that are asked by nobody may be many, and so
    /// may those that act on servers: the fewer are walked.
    fn waited_for(&self, keys: &BTreeSet<WatchKey>) -> Vec<WatchKey> {
        match self.of.len() < keys.len() {
            true => self.of.keys().filter(|key| keys.contains(*key)).cloned().collect(),
            false => keys.iter().filter(|key| self.of.contains_key(*key)).cloned().collect(),
        }
    }

    fn turn(&mut self, key: &WatchKey, view: &WatchView) {
        if view.opstatus == OpStatus::Untested {
            self.results.remove(key);
            return;
        }
        let outcome = outcome(key, view.opstatus, &view.last_summary);
        self.tell(key, outcome, Vec::new(), view.opstatus);
    }

    fn tell(&mut self, key: &WatchKey, outcome: Outcome, hosts: Vec<HostResult>, status: OpStatus) {
        self.counted += 1;
        let number = self.counted;
        self.results.insert(key.clone(), Last { outcome, hosts, status, number });
        for id in self.of.get(key).into_iter().flatten() {
            if let Some(check) = self.checks.get_mut(id) {
                check.hear(&self.results, &self.unasked);
            }
        }
    }
}

impl Check {
    /// Takes in what is new, and answers where an answer is due.
    fn hear(&mut self, results: &HashMap<WatchKey, Last>, unasked: &BTreeSet<WatchKey>) {
        if self.answer.is_none() {
            return;
        }
        let failure = self.failure(results);
        let due = failure.or_else(|| self.is_well(results, unasked).then_some(Outcome::Pass));
        if let Some(outcome) = due
            && let Some(mut answer) = self.answer.take()
        {
            answer.outcome = outcome;
        }
    }

    /// The first that is wrong anew, and was so no less often than anything was answered.
    fn failure(&mut self, results: &HashMap<WatchKey, Last>) -> Option<Outcome> {
        let (answered, mut due) = (self.failures, None);
        for at in 0..self.keys.len() {
            let Some(last) = results.get(&self.keys[at]) else { continue };
            if last.number == self.heard[at].number {
                continue;
            }
            let outcome = last.of(self.server);
            if *outcome == Outcome::Pass {
                self.heard[at].failures = 0;
                continue;
            }
            if self.failures == 0 {
                // Until now all was well: nobody else owes anything.
                self.heard.iter_mut().for_each(|heard| heard.owes = false);
            }
            let heard = &mut self.heard[at];
            (heard.number, heard.owes) = (last.number, true);
            let failures = heard.failures + u32::from(matches!(outcome, Outcome::Fail(_)));
            heard.failures = failures;
            self.failures = self.failures.max(failures);
            if failures > answered || matches!(outcome, Outcome::Local(_)) {
                due = due.or_else(|| Some(outcome.clone()));
            }
        }
        due
    }

    /// Whether a pass is due, which is then answered.
    fn is_well(&mut self, results: &HashMap<WatchKey, Last>, unasked: &BTreeSet<WatchKey>) -> bool {
        let mut numbers = Vec::with_capacity(self.keys.len());
        let mut is_any_new = false;
        for (key, heard) in self.keys.iter().zip(&self.heard) {
            let Some(last) = results.get(key) else { return false };
            let is_new = last.number != heard.number;
            // Who turns by traps alone says that all is well once.
            let is_paid = !heard.owes || is_new || unasked.contains(key);
            if *last.of(self.server) != Outcome::Pass || !is_paid {
                return false;
            }
            is_any_new |= is_new;
            numbers.push(last.number);
        }
        if is_any_new {
            self.failures = 0;
            self.heard.iter_mut().zip(numbers).for_each(|(heard, number)| heard.number = number);
        }
        is_any_new
    }
}

impl Last {
    /// What it says of this server: what is known of itself counts before its group. One host
    /// alone is the server, under whatever name.
    fn of(&self, server: Endpoint) -> &Outcome {
        let own = self.hosts.iter().find(|host| host.host.parse() == Ok(server.address));
        let alone = || if let [host] = &self.hosts[..] { Some(host) } else { None };
        own.or_else(alone).map_or(&self.outcome, |host| &host.outcome)
    }
}

fn outcome(key: &WatchKey, status: OpStatus, output: &str) -> Outcome {
    let summary = raw::shown(output.lines().next().unwrap_or_default().trim());
    let summary = if summary.is_empty() { "(NO SUMMARY)" } else { &summary };
    match status {
        OpStatus::Ok | OpStatus::Untested => Outcome::Pass,
        OpStatus::Fail => Outcome::Fail(format!("watch {key}: {summary}")),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::daemon::Input;
    use crate::model::{Finding, MonitorCall, MonitorKind, WallTime};
    use crate::watch::{Keep, Watcher};
    use std::time::Duration;
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    fn key(service: &str) -> WatchKey {
        WatchKey::new("rs1", service)
    }

    fn watching(specs: Vec<WatchSpec>) -> Watching {
        let services = specs.into_iter().map(|spec| (spec.key.clone(), Arc::new(spec)));
        Watching { services: services.collect(), ..Watching::default() }
    }

    fn by_traps(service: &str) -> WatchSpec {
        WatchSpec::bare(key(service))
    }

    fn by_monitor(service: &str) -> WatchSpec {
        let limit = Duration::from_secs(1);
        let how = MonitorKind::Missing;
        let call = MonitorCall { written: "x".into(), how, without_hosts: false, limit };
        WatchSpec { monitor: Some(call), ..by_traps(service) }
    }

    /// Checks of 10.0.0.1:80 and their answers.
    struct Stage {
        waiting: Waiting,
        watcher: Watcher,
        now: Time,
    }

    struct Asked {
        id: CheckId,
        keys: Arc<[WatchKey]>,
        answers: UnboundedReceiver<Input>,
    }

    impl Stage {
        fn new(specs: Vec<WatchSpec>) -> Stage {
            let wall = |_| WallTime {
                year: 2026,
                month: 11,
                month_day: 30,
                year_day: 334,
                week_day: 2,
                hour: 7,
                minute: 0,
                second: 0,
            };
            let mut stage = Stage {
                waiting: Waiting::default(),
                watcher: Watcher::new(1, Box::new(wall)),
                now: Time::after_epoch(Duration::from_secs(100)),
            };
            stage.load(specs);
            stage
        }

        fn load(&mut self, specs: Vec<WatchSpec>) {
            let watching = Arc::new(watching(specs));
            self.waiting.follow(&watching);
            self.watcher.handle_config(watching, Keep::State, self.now);
            self.waiting.look_around(|key| self.watcher.view(key, self.now));
        }

        fn ask(&mut self, number: u32, services: &[&str]) -> Asked {
            let keys: Vec<WatchKey> = services.iter().map(|service| key(service)).collect();
            let (_, answers) = unbounded_channel();
            let mut asked = Asked { id: CheckId::nth(number), keys: keys.into(), answers };
            self.ask_again(&mut asked);
            asked
        }

        fn ask_again(&mut self, asked: &mut Asked) {
            let (inputs, answers) = unbounded_channel();
            asked.answers = answers;
            let answer = Answer::pending(asked.id, inputs);
            let server = Endpoint::new([10, 0, 0, 1].into(), 80);
            let view = |key: &WatchKey| self.watcher.view(key, self.now);
            self.waiting.add(asked.keys.clone(), server, answer, view);
        }

        /// What a monitor found, told as the desk tells it; then the answer, if there is one, and
        /// the check asks again.
        fn find(&mut self, asked: &mut Asked, service: &str, exit: u8) -> Option<Outcome> {
            self.waiting.result(&key(service), found(exit, service));
            self.answer(asked)
        }

        fn trap(&mut self, asked: &mut Asked, service: &str, status: u8) -> Option<Outcome> {
            self.now = self.now + Duration::from_secs(1);
            let trap = Trap {
                group: "rs1".into(),
                service: service.into(),
                status: status.to_string(),
                summary: "said".into(),
                detail: String::new(),
            };
            self.watcher.handle_trap(trap.clone(), self.now).unwrap();
            self.waiting.trap(&trap, self.now, |key| self.watcher.view(key, self.now));
            self.answer(asked)
        }

        fn pass_time(&mut self, asked: &mut Asked, seconds: u64) -> Option<Outcome> {
            let until = self.now + Duration::from_secs(seconds);
            while let Some(at) = self.watcher.poll_timeout().filter(|at| *at <= until) {
                self.now = at;
                self.watcher.handle_timeout(at);
                self.waiting.timeout(at, |key| self.watcher.view(key, at));
            }
            self.now = until;
            self.answer(asked)
        }

        fn answer(&mut self, asked: &mut Asked) -> Option<Outcome> {
            let outcome = answered(&mut asked.answers)?;
            self.ask_again(asked);
            Some(outcome)
        }
    }

    fn answered(answers: &mut UnboundedReceiver<Input>) -> Option<Outcome> {
        match answers.try_recv() {
            Ok(Input::Outcome { outcome, .. }) => Some(outcome),
            _ => None,
        }
    }

    pub fn found(exit: u8, output: &str) -> Found {
        let finding = Finding { exit, output: output.to_owned() };
        Found { finding, hosts: Vec::new(), trouble: None, left: None }
    }

    fn failed(why: &str) -> Option<Outcome> {
        Some(Outcome::Fail(why.to_owned()))
    }

    const PASS: Option<Outcome> = Some(Outcome::Pass);

    #[test]
    fn one_result_is_one_outcome() {
        let mut stage = Stage::new(vec![by_monitor("http")]);
        let mut check = stage.ask(1, &["http"]);
        assert_eq!(stage.answer(&mut check), None);
        assert_eq!(stage.find(&mut check, "http", 1), failed("watch rs1/http: http"));
        assert_eq!(stage.answer(&mut check), None, "the last result was counted");
        assert_eq!(stage.find(&mut check, "http", 0), PASS);
    }

    #[test]
    fn a_server_is_well_while_all_its_services_are() {
        let mut stage = Stage::new(vec![by_monitor("http"), by_monitor("ping")]);
        let mut check = stage.ask(1, &["http", "ping"]);
        assert_eq!(stage.find(&mut check, "http", 0), None, "nothing is known of the other");
        assert_eq!(stage.find(&mut check, "ping", 2), failed("watch rs1/ping: ping"));
        assert_eq!(stage.find(&mut check, "http", 0), None, "the other still fails");
        assert_eq!(stage.find(&mut check, "ping", 0), PASS);
        assert_eq!(stage.find(&mut check, "ping", 0), PASS);
    }

    #[test]
    fn failures_and_passes_are_counted_of_the_service_that_fails() {
        let mut stage = Stage::new(vec![by_monitor("http"), by_monitor("ping")]);
        let mut check = stage.ask(1, &["http", "ping"]);
        let http = || failed("watch rs1/http: http");
        assert_eq!(stage.find(&mut check, "http", 1), http());
        for _ in 0..12 {
            assert_eq!(stage.find(&mut check, "ping", 0), None, "http has not failed again");
        }
        // The second failure of the other is none more in a row than was answered.
        assert_eq!(stage.find(&mut check, "http", 1), http());
        assert_eq!(stage.find(&mut check, "ping", 1), None);
        assert_eq!(stage.find(&mut check, "ping", 1), None);
        assert_eq!(stage.find(&mut check, "ping", 1), failed("watch rs1/ping: ping"));
        assert_eq!(stage.find(&mut check, "ping", 0), None);
        // Both failed, and both must pass for each pass that counts.
        for _ in 0..2 {
            assert_eq!(stage.find(&mut check, "http", 0), PASS);
            assert_eq!(stage.find(&mut check, "http", 0), None);
            assert_eq!(stage.find(&mut check, "ping", 0), PASS);
            assert_eq!(stage.find(&mut check, "ping", 0), None);
        }
    }

    #[test]
    fn what_is_known_of_the_server_itself_counts_before_its_group() {
        let mut stage = Stage::new(vec![by_monitor("http")]);
        let mut check = stage.ask(1, &["http"]);
        let host = |host: &str, outcome| HostResult { host: host.to_owned(), outcome };
        let bad = Outcome::Fail("refused".into());
        let hosts = vec![host("10.0.0.1", Outcome::Pass), host("10.0.0.2", bad.clone())];
        stage.waiting.result(&key("http"), Found { hosts, ..found(1, "10.0.0.2\n") });
        assert_eq!(stage.answer(&mut check), PASS);
        let hosts = vec![host("www1", bad.clone())];
        stage.waiting.result(&key("http"), Found { hosts, ..found(1, "www1\n") });
        assert_eq!(stage.answer(&mut check), Some(bad), "one host alone is the server");
    }

    #[test]
    fn the_directors_own_trouble_is_no_failure_of_the_server() {
        let mut stage = Stage::new(vec![by_monitor("http")]);
        let mut check = stage.ask(1, &["http"]);
        let local = Outcome::Local("too many open files".into());
        let host = HostResult { host: "www1".into(), outcome: local.clone() };
        let trouble = Some("too many open files".to_owned());
        let finding = found(1, "could not be run\n");
        let one = Found { hosts: vec![host.clone()], trouble, ..finding };
        stage.waiting.result(&key("http"), one.clone());
        assert_eq!(stage.answer(&mut check), Some(local));
        let many = Found { hosts: vec![host.clone(), host], ..one };
        stage.waiting.result(&key("http"), many);
        let said = Outcome::Local("watch rs1/http: too many open files".into());
        assert_eq!(stage.answer(&mut check), Some(said));
    }

    #[test]
    fn each_trap_counts_once_for_who_asked_and_at_once_for_who_asks_later() {
        let mut stage = Stage::new(vec![by_traps("backup")]);
        let mut check = stage.ask(1, &["backup"]);
        let said = || failed("watch rs1/backup: said");
        for _ in 0..3 {
            assert_eq!(stage.trap(&mut check, "backup", 1), said());
            assert_eq!(stage.answer(&mut check), None);
        }
        // A reload brings a second pair for the same service.
        stage.load(vec![by_traps("backup"), by_monitor("http")]);
        let mut second = stage.ask(2, &["backup"]);
        assert_eq!(stage.answer(&mut second), said());
        assert_eq!((stage.answer(&mut second), stage.answer(&mut check)), (None, None));
        assert_eq!(stage.trap(&mut check, "backup", 0), PASS);
        assert_eq!(stage.answer(&mut second), PASS);
        assert_eq!(stage.trap(&mut check, "backup", 0), PASS);
    }

    #[test]
    fn a_trap_turns_what_is_asked_by_a_monitor_too() {
        let mut stage = Stage::new(vec![by_monitor("http"), by_traps("backup")]);
        let mut check = stage.ask(1, &["http"]);
        assert_eq!(stage.find(&mut check, "http", 0), PASS);
        assert_eq!(stage.trap(&mut check, "http", 3), failed("watch rs1/http: said"));
        assert_eq!(stage.find(&mut check, "http", 0), PASS);
    }

    #[test]
    fn a_trap_that_is_missing_and_one_that_is_over_count() {
        let minute = Some(Duration::from_secs(60));
        let missed = WatchSpec { trap_timeout: minute, ..by_traps("backup") };
        let lasting = WatchSpec { trap_duration: minute, ..by_traps("disk") };
        let mut stage = Stage::new(vec![lasting]);
        let mut check = stage.ask(1, &["disk"]);
        assert_eq!(stage.trap(&mut check, "disk", 1), failed("watch rs1/disk: said"));
        assert_eq!(stage.pass_time(&mut check, 59), None);
        assert_eq!(stage.pass_time(&mut check, 2), PASS);
        let mut stage = Stage::new(vec![missed]);
        let mut check = stage.ask(1, &["backup"]);
        assert_eq!(stage.trap(&mut check, "backup", 0), PASS);
        let late = failed("watch rs1/backup: trap timeout");
        assert_eq!(stage.pass_time(&mut check, 61), late);
        assert_eq!(stage.pass_time(&mut check, 60), late, "each counts");
    }

    #[test]
    fn checks_of_what_is_watched_no_more_leave_nothing_behind() {
        let mut stage = Stage::new(vec![by_monitor("http"), by_monitor("ping")]);
        let mut both = stage.ask(1, &["http", "ping"]);
        let mut one = stage.ask(2, &["http"]);
        stage.load(vec![by_monitor("http")]);
        assert!(matches!(answered(&mut both.answers), Some(Outcome::Local(_))));
        assert_eq!((stage.waiting.checks.len(), stage.waiting.of.len()), (1, 1));
        stage.waiting.result(&key("http"), found(0, ""));
        assert_eq!(answered(&mut one.answers), PASS);
        stage.load(vec![by_monitor("http")]);
        assert!(stage.waiting.of.is_empty() && stage.waiting.checks.is_empty());
    }

    #[test]
    fn only_what_is_waited_for_is_looked_at() {
        let many = (0..100).map(|number| by_traps(&format!("server{number}")));
        let mut stage = Stage::new(many.chain([by_traps("backup")]).collect());
        let _check = stage.ask(1, &["backup"]);
        let asked = std::cell::RefCell::new(Vec::new());
        stage.waiting.look_around(|key| {
            asked.borrow_mut().push(key.clone());
            None
        });
        assert_eq!(asked.into_inner(), [key("backup")]);
    }
}
