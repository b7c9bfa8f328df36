//! (a) From an empty table to a full one, and (f) a restart that finds it full.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::config::Shape;
use crate::director::{Director, Keepalived};
use crate::process;
use crate::report::{Row, ratio, time, wall_and_cpu};
use crate::table::{self, Reader};

/// Wall and processor time.
type Cost = (Duration, Duration);

/// Every side is measured as often, and its best wall counts.
const ROUNDS: usize = 2;

/// keepalived's start takes a tenth of this.
const LIMIT: Duration = Duration::from_secs(90);

pub fn run() -> Vec<Row> {
    let mut rows = Vec::new();
    for (services, servers) in [(10_000, 2), (1_000, 10)] {
        rows.extend(shape(Shape { services, servers }));
    }
    rows
}

fn shape(shape: Shape) -> Vec<Row> {
    let list = vec![("all.yaml".to_owned(), shape.native_list(|_| "on"))];
    let files = shape.native_files(|_| "on");
    let mut restarts = Vec::new();
    let mut directord = |files| {
        let (cost, restart) = directord(shape, files);
        restarts.push(restart);
        cost
    };
    // In turns, so that a bad spell of the machine is not one side's alone.
    let rounds: [[Cost; 4]; ROUNDS] = std::array::from_fn(|_| {
        [directord(&list), directord(&files), keepalived(shape), ipvsadm(shape)]
    });
    let best = |at: usize| rounds.iter().map(|round| round[at]).min().expect("a round");
    let [ours, many, keepalived, ipvsadm] = std::array::from_fn(best);
    // A write is a write, whatever else the machine did.
    let writes = restarts.iter().map(|restart| restart.writes).max().expect("a restart");
    let best = restarts.into_iter().min_by_key(|restart| restart.settled).expect("a restart");
    let restart = Restart { writes, ..best };
    let name = format!("{} x {}", shape.services, shape.servers);
    let row = |how: &str, cost: Cost, peer: &str, other: Cost, limit: f64| {
        let r = ratio(cost.0, other.0);
        Row::new(format!("(a) {name} from empty, {how}"), wall_and_cpu(cost.0, cost.1))
            .beside(format!("{peer} {}", wall_and_cpu(other.0, other.1)), r)
            .target(format!("1/{:.0} of its wall", 1.0 / limit), r <= limit)
    };
    vec![
        row("one file", ours, "keepalived", keepalived, 0.25),
        row("one file", ours, "ipvsadm -R", ipvsadm, 0.125),
        row("a file each", many, "keepalived", keepalived, 0.25),
        row("a file each", many, "ipvsadm -R", ipvsadm, 0.125),
        restart.row(&name),
    ]
}

struct Restart {
    answered: Duration,
    slowest: Duration,
    writes: u64,
    settled: Duration,
}

impl Restart {
    fn row(&self, name: &str) -> Row {
        let text = format!(
            "{} writes; status after {}, slowest {}; settled after {}",
            self.writes,
            time(self.answered),
            time(self.slowest),
            time(self.settled)
        );
        let second = Duration::from_secs(1);
        let met = self.writes == 0 && self.answered <= second && self.slowest <= second;
        Row::new(format!("(f) {name} restart, table right"), text)
            .target("0 writes, status in 1 s", met)
    }
}

fn directord(shape: Shape, files: &[(String, String)]) -> (Cost, Restart) {
    let host = table::host("director");
    let mut reader = Reader::new(&host);
    let director = Director::start(&host, files);
    let full = reader.full(&host, shape, LIMIT).expect("a full table");
    let cost = (full - director.process.started, director.process.cpu());
    director.said("table ready", LIMIT);
    let director = director.restart_keeping(&host);
    let restart = watch_restart(&director);
    drop(director);
    table::clear(&host);
    (cost, restart)
}

fn watch_restart(director: &Director) -> Restart {
    let start = director.process.started;
    let (mut answered, mut slowest) = (None, Duration::ZERO);
    while start.elapsed() < LIMIT {
        if let Some((status, took)) = director.status() {
            slowest = slowest.max(took);
            let answered = *answered.get_or_insert(start.elapsed());
            if status["phase"] == "running" && status["kernel"]["out_of_sync"] == 0 {
                let writes = status["kernel"]["writes"].as_u64().expect("a number");
                return Restart { answered, slowest, writes, settled: start.elapsed() };
            }
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("not settled within {LIMIT:?}: {}", director.log());
}

fn keepalived(shape: Shape) -> Cost {
    let host = table::host("keepalived");
    let mut reader = Reader::new(&host);
    let keepalived = Keepalived::start(&host, &shape.keepalived_file(|_| ""));
    let full = reader.full(&host, shape, LIMIT).expect("a full table");
    let cost = (full - keepalived.process.started, keepalived.process.cpu());
    drop(keepalived);
    table::clear(&host);
    cost
}

fn ipvsadm(shape: Shape) -> Cost {
    let host = table::host("ipvsadm");
    let rules = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(rules.path(), shape.rules()).expect("written rules");
    let mut command = Command::new("ipvsadm");
    command.arg("-R").stdin(std::fs::File::open(rules.path()).expect("the rules"));
    let start = Instant::now();
    let cost = process::run(&host, command);
    assert_eq!(table::rows(&host), shape.records(), "after {:?}", start.elapsed());
    table::clear(&host);
    cost
}
