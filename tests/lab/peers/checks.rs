//! (c) What a check costs, beside keepalived's checkers and fping.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::config::Shape;
use crate::director::{Director, Keepalived};
use crate::lab::Host;
use crate::process::{self, Process};
use crate::report::{Row, ratio, time};
use crate::servers::Servers;
use crate::table;

/// 500 servers on each side, each its own check: 1,000 a second are what the guest can carry.
const SHAPE: Shape = Shape { services: 50, servers: 10 };
const SETTLE: Duration = Duration::from_secs(5);
const SPELL: Duration = Duration::from_secs(15);

/// A check in both languages.
struct Kind {
    name: &'static str,
    native: &'static str,
    checker: &'static str,
}

const KINDS: &[Kind] = &[
    Kind {
        name: "TCP",
        native: "{connect: true, interval: 1s, timeout: 1s}",
        checker: "  TCP_CHECK {\n   connect_timeout 1\n  }\n",
    },
    Kind {
        name: "HTTP",
        native: "{http: {request: /}, interval: 1s, timeout: 1s}",
        checker: "  HTTP_GET {\n   url {\n    path /\n    status_code 200\n   }\n   connect_timeout 1\n  }\n",
    },
];

/// Processor time of a check, and checks a second.
struct Cost {
    each: Duration,
    rate: f64,
}

pub fn run() -> Vec<Row> {
    let mut rows: Vec<Row> = KINDS.iter().map(compare).collect();
    rows.extend(pings());
    rows
}

/// Both at the same time, each with servers of its own: whatever else the machine does meanwhile
/// befalls both.
fn compare(kind: &Kind) -> Row {
    let (our_host, their_host) = (table::host("director"), table::host("keepalived"));
    let (our_servers, their_servers) = (Servers::start(&our_host), Servers::start(&their_host));
    let text = SHAPE.native_list(|_| kind.native);
    let director = Director::start(&our_host, &[("all.yaml".to_owned(), text)]);
    let keepalived = Keepalived::start(&their_host, &SHAPE.keepalived_file(|_| kind.checker));
    let sides = [
        Side { process: &director.process, done: &|| our_servers.connections() },
        Side { process: &keepalived.process, done: &|| their_servers.connections() },
    ];
    let [ours, theirs] = costs(sides);
    drop(director);
    drop(keepalived);
    table::clear(&our_host);
    table::clear(&their_host);
    let text = |cost: &Cost| format!("{} at {:.0} a second", time(cost.each), cost.rate);
    let r = ratio(ours.each, theirs.each);
    Row::new(format!("(c) cpu of a {} check, both at once", kind.name), text(&ours))
        .beside(format!("keepalived {}", text(&theirs)), r)
        .target("its cpu", r <= 1.0)
}

/// A program under measurement, and how many checks it has made.
struct Side<'a> {
    process: &'a Process,
    done: &'a dyn Fn() -> u64,
}

fn costs<const N: usize>(sides: [Side<'_>; N]) -> [Cost; N] {
    std::thread::sleep(SETTLE);
    let start = Instant::now();
    let before = sides.each_ref().map(|side| (side.process.cpu(), (side.done)()));
    std::thread::sleep(SPELL);
    let wall = start.elapsed().as_secs_f64();
    std::array::from_fn(|at| {
        let (side, (cpu, count)) = (&sides[at], before[at]);
        let (cpu, count) = (side.process.cpu() - cpu, (side.done)() - count);
        assert!(count > 0, "no check was seen");
        Cost { each: cpu / count as u32, rate: count as f64 / wall }
    })
}

/// fping's rate is that of a processor it has to itself; ours is what a processor would do at
/// the cost measured, and what was done.
fn pings() -> Vec<Row> {
    const SHAPE: Shape = Shape { services: 500, servers: 10 };
    let host = table::host("director");
    let text = SHAPE.native_list(|_| "{ping: true, interval: 500ms, timeout: 500ms}");
    let director = Director::start(&host, &[("all.yaml".to_owned(), text)]);
    let [ours] = costs([Side { process: &director.process, done: &|| echoes(&host) }]);
    drop(director);
    table::clear(&host);

    let targets: String = (0..SHAPE.services)
        .flat_map(|i| (0..SHAPE.servers).map(move |j| SHAPE.real(i, j) + "\n"))
        .collect();
    let list = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(list.path(), targets).expect("a written list");
    let before = echoes(&host);
    let mut fping = Command::new("fping");
    fping.args(["-q", "-i", "0", "-p", "10", "-C", "4", "-f"]).arg(list.path());
    let (wall, cpu) = process::run(&host, fping);
    let count = echoes(&host) - before;
    let rate = count as f64 / cpu.as_secs_f64();
    let our_rate = 1.0 / ours.each.as_secs_f64();
    vec![
        Row::new(
            "(c) pings a second of cpu",
            format!("{our_rate:.0} ({} each, {:.0} a second done)", time(ours.each), ours.rate),
        )
        .beside(
            format!(
                "fping -i 0: {rate:.0} ({:.0} a second done)",
                count as f64 / wall.as_secs_f64()
            ),
            our_rate / rate,
        )
        .target("half its rate", our_rate >= rate / 2.0),
    ]
}

/// ICMP echo requests that came in on this host: see InEchos in `/proc/net/snmp`.
fn echoes(host: &Host) -> u64 {
    host.run(|| {
        let text = std::fs::read_to_string("/proc/thread-self/net/snmp").expect("counters");
        let mut lines = text.lines().filter(|line| line.starts_with("Icmp:"));
        let (names, values) = (lines.next().expect("names"), lines.next().expect("values"));
        let mut pairs = names.split_whitespace().zip(values.split_whitespace());
        let (_, value) = pairs.find(|(name, _)| *name == "InEchos").expect("InEchos");
        value.parse().expect("a number")
    })
}
