//! (b) One service added and one edited among 10,000, while checks run.

use std::time::{Duration, Instant};

use crate::config::{Shape, file_name};
use crate::director::{Director, Keepalived};
use crate::process::difference;
use crate::report::{Row, by_thread, time, wall_and_cpu};
use crate::servers::Servers;
use crate::table::{self, Reader};

const SHAPE: Shape = Shape { services: 10_000, servers: 2 };
/// The first services are checked, once a second; more would fill the guest's processor.
const CHECKED: usize = 100;
const INTERVAL: Duration = Duration::from_secs(1);
const CHECK: &str = "{connect: true, interval: 1s, timeout: 1s}";
const CHECKER: &str = "  TCP_CHECK {\n   connect_timeout 1\n  }\n";
/// Changes made, for the guest's clock of processor time is coarse.
const ROUNDS: usize = 10;
const ROUND: Duration = Duration::from_secs(2);
/// How long keepalived may take for one change; 88 s of processor time have been seen.
const LIMIT: Duration = Duration::from_secs(110);

struct Change {
    cpu: Duration,
    /// From the file's being there to the table's being changed.
    wall: Duration,
    late: Duration,
    finished: bool,
    /// What each thread spent on all rounds, what it does at rest included.
    threads: String,
}

pub fn run() -> Vec<Row> {
    let (ours, rest, writes) = directord();
    let theirs = keepalived();
    let (bound, word) = if theirs.finished { ("", "") } else { (">", " (given up)") };
    vec![
        Row::new(
            "(b) a service added and one edited among 10,000",
            wall_and_cpu(ours.wall, ours.cpu),
        )
        .beside(
            format!("keepalived {bound}{}{word}", wall_and_cpu(theirs.wall, theirs.cpu)),
            ours.cpu.as_secs_f64() / theirs.cpu.as_secs_f64(),
        )
        .target("20 ms cpu", ours.cpu <= Duration::from_millis(20)),
        Row::new("  latest of 200 checks a second meanwhile", time(ours.late))
            .beside(
                format!("keepalived {}", time(theirs.late)),
                crate::report::ratio(ours.late, theirs.late),
            )
            .target("50 ms", ours.late <= Duration::from_millis(50)),
        Row::new("  the same at rest", time(rest)),
        Row::new(format!("  by thread, {ROUNDS} rounds of {} s", ROUND.as_secs()), ours.threads),
        Row::new("  messages to the kernel, added 3 + edited 1", format!("{writes:.1}"))
            .target("4", (writes - 4.0).abs() < 0.01),
    ]
}

fn check(service: usize) -> &'static str {
    if service < CHECKED { CHECK } else { "on" }
}

/// The cost of one change, the lateness of checks without one, and messages to the kernel.
fn directord() -> (Change, Duration, f64) {
    let host = table::host("director");
    let (servers, mut reader) = (Servers::start(&host), Reader::new(&host));
    let director = Director::start(&host, &SHAPE.native_files(check));
    director.said("table ready", Duration::from_secs(60));
    reader.full(&host, SHAPE, Duration::from_secs(60)).expect("a full table");
    std::thread::sleep(Duration::from_secs(10));

    servers.note_visits();
    let before = director.process.cpu();
    std::thread::sleep(ROUND * ROUNDS as u32);
    let background = director.process.cpu() - before;
    let rest = servers.latest(INTERVAL).0;

    let writes = director.writes();
    servers.note_visits();
    let (before, mut wall) = (director.process.cpu(), Duration::ZERO);
    let threads = director.process.cpu_by_thread();
    for round in 0..ROUNDS {
        let start = Instant::now();
        let (edited, added) = (SHAPE.services - 1 - round, SHAPE.services + round);
        let text = SHAPE.native(edited, "on").replacen(":80\n  check", ":80 weight=7\n  check", 1);
        director.write(&file_name(edited), &text);
        director.write(&file_name(added), &SHAPE.native(added, "on"));
        let done = Duration::from_secs(20);
        crate::lab::eventually_true("the change is in the table", done, || {
            reader.destinations(added) == Some(SHAPE.servers) && has_weight(&mut reader, edited, 7)
        });
        wall += start.elapsed();
        std::thread::sleep(ROUND.saturating_sub(start.elapsed()));
    }
    let spent = director.process.cpu() - before;
    let threads = by_thread(&difference(&threads, &director.process.cpu_by_thread()));
    let late = servers.latest(INTERVAL).0;
    let writes = (director.writes() - writes) as f64 / ROUNDS as f64;
    drop(director);
    table::clear(&host);
    let n = ROUNDS as u32;
    let cpu = spent.saturating_sub(background) / n;
    let change = Change { cpu, wall: wall / n, late, finished: true, threads };
    (change, rest, writes)
}

fn has_weight(reader: &mut Reader, service: usize, weight: u32) -> bool {
    let entry = reader.service(service);
    entry.is_some_and(|entry| entry.destinations.iter().any(|(_, row)| row.weight == weight))
}

fn keepalived() -> Change {
    let host = table::host("keepalived");
    let (servers, mut reader) = (Servers::start(&host), Reader::new(&host));
    let checker = |service| if service < CHECKED { CHECKER } else { "" };
    let text = SHAPE.keepalived_file(checker);
    let keepalived = Keepalived::start(&host, &text);
    reader.full(&host, SHAPE, Duration::from_secs(90)).expect("a full table");
    std::thread::sleep(Duration::from_secs(5));

    let (edited, added) = (SHAPE.services - 1, SHAPE.services);
    let text = text.replace(&SHAPE.keepalived(edited, 1, ""), &SHAPE.keepalived(edited, 7, ""))
        + &SHAPE.keepalived(added, 1, "");
    servers.note_visits();
    let (before, start) = (keepalived.process.cpu(), Instant::now());
    keepalived.reload(&text);
    let mut finished = false;
    while !finished && start.elapsed() < LIMIT {
        std::thread::sleep(Duration::from_millis(100));
        finished =
            reader.destinations(added) == Some(SHAPE.servers) && has_weight(&mut reader, edited, 7);
    }
    let wall = start.elapsed();
    let cpu = keepalived.process.cpu() - before;
    let late = servers.latest(INTERVAL).0;
    drop(keepalived);
    table::clear(&host);
    Change { cpu, wall, late, finished, threads: String::new() }
}
