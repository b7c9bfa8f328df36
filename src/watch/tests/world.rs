//! Monitors that answer what a test says, a clock that jumps, and a list of who was told what.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::model::*;
use crate::watch::*;

/// 2026-01-01 00:00:00, a Thursday, as the clocks on the wall of these tests show it.
pub const START: u64 = 1_767_225_600;

pub fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// This long after the start.
pub fn at(n: u64) -> Time {
    Time::after_epoch(seconds(START + n))
}

pub fn wall(time: Time) -> WallTime {
    let second = i64::try_from(time.seconds()).unwrap();
    let zoned = jiff::Timestamp::from_second(second).unwrap().to_zoned(jiff::tz::TimeZone::UTC);
    let number = |n: i8| u16::try_from(n).unwrap();
    WallTime {
        year: u16::try_from(zoned.year()).unwrap(),
        month: number(zoned.month()),
        month_day: number(zoned.day()),
        year_day: u16::try_from(zoned.day_of_year()).unwrap(),
        week_day: number(zoned.weekday().to_sunday_one_offset()),
        hour: number(zoned.hour()),
        minute: number(zoned.minute()),
        second: number(zoned.second()),
    }
}

/// `GROUP/SERVICE`.
pub fn key(name: &str) -> WatchKey {
    let (group, service) = name.split_once('/').unwrap();
    WatchKey::new(group, service)
}

/// Asked every 10 s, by a program; one period that always holds, with `A` and `U`.
pub fn spec(name: &str) -> WatchSpec {
    WatchSpec {
        monitor: Some(MonitorCall {
            written: "a.monitor".to_owned(),
            how: MonitorKind::Program(["/mon.d/a.monitor".to_owned()].into()),
            without_hosts: false,
            limit: seconds(60),
        }),
        interval: Some(seconds(10)),
        periods: [period()].into(),
        ..WatchSpec::bare(key(name))
    }
}

pub fn period() -> Period {
    Period {
        label: "P".to_owned(),
        times: Calendar::always(),
        alerts: vec![alert(AlertOn::Failure, "A"), alert(AlertOn::Recovery, "U")],
        throttle: Throttle::default(),
    }
}

pub fn alert(on: AlertOn, word: &str) -> Alert {
    Alert { on, exit: None, call: call(&[word]) }
}

pub fn call(words: &[&str]) -> AlertCall {
    AlertCall {
        name: "record.alert".to_owned(),
        path: Some(Arc::new(PathBuf::from("/alert.d/record.alert"))),
        words: words.iter().map(|word| (*word).to_owned()).collect(),
    }
}

/// From the first to the last hour of the day, both of them included.
pub fn hours(first: u16, last: u16) -> Calendar {
    let window = Window { hours: vec![(first, last)], ..Window::default() };
    Calendar {
        written: format!("hr {{{first}-{last}}}"),
        windows: CalendarWindows::Some(vec![window]),
    }
}

pub fn depends_on(name: &str) -> Option<Dependency> {
    Some(Dependency { written: name.replace('/', ":"), expression: Expression::Service(key(name)) })
}

/// All of these, each group with one host of its own name.
pub fn watching(specs: Vec<WatchSpec>) -> Watching {
    let mut watching = Watching::default();
    for spec in specs {
        let group = spec.key.group.clone();
        watching.groups.insert(group.clone(), [group.to_string()].into());
        watching.services.insert(spec.key.clone(), Arc::new(spec));
    }
    watching
}

#[derive(Clone)]
struct Answer {
    exit: u8,
    output: String,
    takes: Duration,
}

pub struct World {
    pub watcher: Watcher,
    pub now: Time,
    answers: BTreeMap<WatchKey, Answer>,
    under_way: BTreeMap<(Time, RunId), WatchKey>,
    pub runs: Vec<(Time, MonitorRun)>,
    pub alerts: Vec<(Time, AlertJob)>,
    pub lines: Vec<String>,
    pub notes: Vec<(PathBuf, String)>,
    pub recalled: Vec<PathBuf>,
}

impl World {
    pub fn new(watching: Watching) -> World {
        let mut world = World::empty();
        world.configure(watching, Keep::State);
        world
    }

    /// Of one service.
    pub fn of(spec: WatchSpec) -> World {
        World::new(watching(vec![spec]))
    }

    /// Before the first configuration.
    pub fn empty() -> World {
        World {
            watcher: Watcher::new(1, Box::new(wall)),
            now: at(0),
            answers: BTreeMap::new(),
            under_way: BTreeMap::new(),
            runs: Vec::new(),
            alerts: Vec::new(),
            lines: Vec::new(),
            notes: Vec::new(),
            recalled: Vec::new(),
        }
    }

    pub fn configure(&mut self, watching: Watching, keep: Keep) {
        self.watcher.handle_config(Arc::new(watching), keep, self.now);
        self.drain();
    }

    /// The same, without a look at what was watched before.
    pub fn configure_all(&mut self, watching: Watching) {
        self.watcher.begin(Arc::new(watching), Keep::State, self.now);
        self.drain();
    }

    /// Another watcher that knows what this one saved; what ran is gone.
    pub fn restart(&mut self, watching: Watching) {
        let saved = self.watcher.save();
        self.under_way.clear();
        self.watcher = Watcher::new(1, Box::new(wall));
        self.watcher.load(saved, self.now);
        self.configure(watching, Keep::State);
    }

    /// From now on its monitor says this.
    pub fn says(&mut self, name: &str, exit: u8, output: &str) {
        self.takes(name, exit, output, Duration::ZERO);
    }

    pub fn takes(&mut self, name: &str, exit: u8, output: &str, takes: Duration) {
        self.answers.insert(key(name), Answer { exit, output: output.to_owned(), takes });
    }

    /// Lets everything happen up to and including this moment.
    pub fn until(&mut self, n: u64) {
        let end = at(n);
        loop {
            let result = self.under_way.first_key_value().map(|((at, _), _)| *at);
            let timer = self.watcher.poll_timeout();
            let Some(next) = [result, timer].into_iter().flatten().min() else { break };
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            if result == Some(next) {
                let ((_, run), key) = self.under_way.pop_first().unwrap();
                let Answer { exit, output, .. } = self.answer(&key);
                self.watcher.handle_result(run, Finding { exit, output }, self.now);
            } else {
                self.watcher.handle_timeout(self.now);
            }
            self.drain();
        }
        self.now = end;
    }

    fn answer(&self, key: &WatchKey) -> Answer {
        let fine = Answer { exit: 0, output: "fine\n".to_owned(), takes: Duration::ZERO };
        self.answers.get(key).cloned().unwrap_or(fine)
    }

    pub fn order(&mut self, order: WatchOrder) -> Result<(), WatchRefusal> {
        let answer = self.watcher.handle_order(order, self.now);
        self.drain();
        answer
    }

    pub fn disable(&mut self, what: Disabling) -> Result<(), WatchRefusal> {
        let (user, reason) = ("ann".to_owned(), "because".to_owned());
        self.order(WatchOrder::Disable {
            what: vec![what],
            user,
            reason,
            lasts: None,
            replaces: false,
        })
    }

    pub fn enable(&mut self, what: Disabling) -> Result<(), WatchRefusal> {
        self.order(WatchOrder::Enable { what: vec![what] })
    }

    pub fn outcome(&mut self, name: &str, exit: u8, output: &str) {
        let finding = Finding { exit, output: output.to_owned() };
        self.watcher.handle_outcome(&key(name), finding, self.now);
        self.drain();
    }

    pub fn trap(&mut self, name: &str, status: &str, summary: &str) -> Result<(), String> {
        let (group, service) = name.split_once('/').unwrap();
        let trap = Trap {
            group: group.to_owned(),
            service: service.to_owned(),
            status: status.to_owned(),
            summary: summary.to_owned(),
            detail: String::new(),
        };
        let answer = self.watcher.handle_trap(trap, self.now);
        self.drain();
        answer
    }

    pub fn drain(&mut self) {
        while let Some(action) = self.watcher.poll_action() {
            match action {
                WatchAction::Run(run) => {
                    let running = self.under_way.values().any(|key| *key == run.key);
                    assert!(!running, "two runs of {} at once", run.key);
                    let ends = self.now + self.answer(&run.key).takes;
                    self.under_way.insert((ends, run.run), run.key.clone());
                    self.runs.push((self.now, *run));
                }
                WatchAction::Abandon(run) => self.under_way.retain(|(_, other), _| *other != run),
                WatchAction::Alert(job) => self.alerts.push((self.now, *job)),
                WatchAction::Log(event) => self.lines.push(event.to_string()),
                WatchAction::Note { file, lines } => self.notes.push((file, lines)),
                WatchAction::Recall(file) => self.recalled.push(file),
            }
        }
    }

    pub fn view(&self, name: &str) -> WatchView {
        self.watcher.view(&key(name), self.now).unwrap()
    }

    pub fn under_way(&self) -> usize {
        self.under_way.len()
    }

    /// The calls since the last look: `SECOND TYPE WORD`, and of whom where there are several.
    pub fn told(&mut self) -> Vec<String> {
        let told = self.alerts.drain(..).map(|(at, job)| {
            let second = at.seconds() - START;
            let word = job.arguments.last().unwrap();
            format!("{second} {} {word}", variable(&job.environment, "MON_ALERTTYPE").unwrap())
        });
        told.collect()
    }

    /// Seconds at which runs started since the last look.
    pub fn started(&mut self) -> Vec<f64> {
        let started =
            self.runs.drain(..).map(|(at, _)| (at.since_epoch() - seconds(START)).as_secs_f64());
        started.collect()
    }
}

/// The last of that name holds.
pub fn variable<'a>(environment: &'a [(String, String)], name: &str) -> Option<&'a str> {
    environment.iter().rev().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
}

/// One result after the other, 10 s apart, of a service with this period: a letter is a failure
/// with that summary, a digit one with that exit status, `.` is success. For each the calls:
/// `A`, `U` or `-`.
pub fn play(period: Period, results: &str) -> String {
    let mut world = World::of(WatchSpec { monitor: None, periods: [period].into(), ..spec("g/s") });
    let mut calls = String::new();
    for (index, result) in results.chars().enumerate() {
        world.until(10 * index as u64);
        match result {
            '.' => world.outcome("g/s", 0, "fine\n"),
            digit if digit.is_ascii_digit() => {
                world.outcome("g/s", digit.to_digit(10).unwrap() as u8, "x\n");
            }
            summary => world.outcome("g/s", 1, &format!("{summary}\ndetail {index}\n")),
        }
        let told = world.told();
        let words = told.iter().map(|call| call.rsplit(' ').next().unwrap()).collect::<String>();
        calls.push_str(if words.is_empty() { "-" } else { &words });
    }
    calls
}
