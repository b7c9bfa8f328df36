//! (e) All of 20,000 servers fall silent at once, and (g) the memory a server takes.

use std::time::{Duration, Instant};

use crate::config::Shape;
use crate::director::Director;
use crate::lab::eventually_true;
use crate::report::{Row, time};
use crate::servers::Servers;
use crate::table;

const SHAPE: Shape = Shape { services: 10_000, servers: 2 };
const CHECK: &str = "{http: {request: /}, interval: 40s, timeout: 5s, rise: 1, fall: 1}";
const INTERVAL: Duration = Duration::from_secs(40);
const TIMEOUT: Duration = Duration::from_secs(5);

pub fn run() -> Vec<Row> {
    let empty = empty_daemon();
    let host = table::host("director");
    let servers = Servers::start(&host);
    let files = vec![("all.yaml".to_owned(), SHAPE.native_list(|_| CHECK))];
    let director = Director::start(&host, &files);
    eventually_true("all servers are in the table", Duration::from_secs(120), || {
        std::thread::sleep(Duration::from_secs(1));
        table::rows(&host) == SHAPE.records()
    });
    let filled = director.process.started.elapsed();
    // A round of checks at the usual pace.
    std::thread::sleep(INTERVAL);
    let resident = director.process.resident();
    let asked = servers.connections();

    host.must("iptables-legacy", &["-A", "INPUT", "-p", "tcp", "--dport", "80", "-j", "DROP"]);
    let start = Instant::now();
    let limit = INTERVAL + TIMEOUT + Duration::from_secs(1);
    let cpu = director.process.cpu();
    let mut in_flight = 0;
    // Counting the rows takes a tenth of a second of the guest's processor.
    while table::rows(&host) > SHAPE.services {
        in_flight = director.process.resident().max(in_flight);
        assert!(
            start.elapsed() < limit * 2,
            "not all servers were removed: {}",
            table::rows(&host)
        );
        let near = start.elapsed() + Duration::from_secs(2) > INTERVAL + TIMEOUT;
        std::thread::sleep(Duration::from_millis(if near { 150 } else { 2000 }));
    }
    let gone = start.elapsed();
    let cpu = director.process.cpu() - cpu;
    drop(director);
    table::clear(&host);

    let each =
        |bytes: u64| (bytes.saturating_sub(empty)) / (SHAPE.records() - SHAPE.services) as u64;
    vec![
        Row::new(
            "(e) 20,000 servers silent: last one removed",
            format!("{} ({} cpu)", time(gone), time(cpu)),
        )
        .target(
            format!(
                "{} s: interval {} + timeout {} + 1",
                limit.as_secs(),
                INTERVAL.as_secs(),
                TIMEOUT.as_secs()
            ),
            gone <= limit,
        ),
        Row::new(
            "  20,000 servers found up, from the start",
            format!("{} ({asked} checks)", time(filled)),
        ),
        Row::new(
            "(g) resident memory per real server, 20,000 by http",
            format!("{} bytes ({} MiB, empty {} MiB)", each(resident), resident >> 20, empty >> 20),
        )
        .target("2048 bytes", each(resident) <= 2048),
        Row::new("  the most while all were silent", format!("{} bytes", each(in_flight))),
    ]
}

/// Resident memory of a daemon with one service and no check.
fn empty_daemon() -> u64 {
    let host = table::host("director");
    let one = Shape { services: 1, servers: 1 };
    let director = Director::start(&host, &one.native_files(|_| "on"));
    director.said("table ready", Duration::from_secs(20));
    std::thread::sleep(Duration::from_secs(3));
    let resident = director.process.resident();
    drop(director);
    table::clear(&host);
    resident
}
