//! (d) From the answer that proves a server dead to the change of the table.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::config::{Shape, file_name};
use crate::director::Director;
use crate::lab::eventually_true;
use crate::report::{Row, time};
use crate::servers::Servers;
use crate::table::{self, Reader};

const TIMES: usize = 20;

pub fn run() -> Vec<Row> {
    [1, 10_000].into_iter().map(|services| among(Shape { services, servers: 2 })).collect()
}

fn among(shape: Shape) -> Row {
    let host = table::host("director");
    let (servers, mut reader) = (Servers::start(&host), Reader::new(&host));
    let mut files = shape.native_files(|_| "on");
    files[0] = (
        file_name(0),
        shape.native(0, "{http: {request: /}, interval: 200ms, timeout: 1s, rise: 1, fall: 1}"),
    );
    let director = Director::start(&host, &files);
    reader.full(&host, shape, Duration::from_secs(60)).expect("a full table");
    director.said("table ready", Duration::from_secs(60));
    std::thread::sleep(Duration::from_secs(5));

    let server: IpAddr = shape.real(0, 0).parse().expect("an address");
    let mut took: Vec<Duration> = (0..TIMES).map(|_| once(&servers, &mut reader, server)).collect();
    took.sort();
    drop(director);
    table::clear(&host);
    let (median, most, worst) = (took[TIMES / 2], took[TIMES * 9 / 10 - 1], took[TIMES - 1]);
    Row::new(
        format!("(d) bad answer to table's change, among {}", shape.services),
        format!("median {}, 9 of 10 {}, worst {}", time(median), time(most), time(worst)),
    )
    .target("5 ms, 9 of 10", most < Duration::from_millis(5))
}

fn once(servers: &Servers, reader: &mut Reader, server: IpAddr) -> Duration {
    let limit = Duration::from_secs(10);
    servers.set_sick(server, true);
    let start = Instant::now();
    let told = loop {
        if let Some(told) = servers.complained(server) {
            break told;
        }
        assert!(start.elapsed() < limit, "the server was not asked");
        std::thread::sleep(Duration::from_micros(200));
    };
    // The reading itself is a part of what is measured, a fraction of a millisecond.
    while reader.destinations(0) != Some(1) {
        assert!(start.elapsed() < limit, "the server was not removed");
        std::thread::sleep(Duration::from_micros(200));
    }
    let took = told.elapsed();
    servers.set_sick(server, false);
    eventually_true("the server is back", limit, || reader.destinations(0) == Some(2));
    // Not in step with the checks.
    std::thread::sleep(Duration::from_millis(137));
    took
}
