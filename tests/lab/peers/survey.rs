//! Watching the table: what it costs while nothing happens, and how soon a difference is mended.

use std::time::{Duration, Instant};

use crate::config::{Shape, vip};
use crate::director::Director;
use crate::lab::eventually_true;
use crate::process::difference;
use crate::report::{Row, by_thread, time};
use crate::table::{self, Reader};

const SHAPE: Shape = Shape { services: 10_000, servers: 2 };
const SPELL: Duration = Duration::from_secs(40);

pub fn run() -> Vec<Row> {
    let host = table::host("director");
    let mut reader = Reader::new(&host);
    let director = Director::start(&host, &SHAPE.native_files(|_| "on"));
    reader.full(&host, SHAPE, Duration::from_secs(60)).expect("a full table");
    director.said("table ready", Duration::from_secs(60));
    // What was written is read back first.
    std::thread::sleep(Duration::from_secs(10));

    let (threads, cpu) = (director.process.cpu_by_thread(), director.process.cpu());
    std::thread::sleep(SPELL);
    let spent = director.process.cpu() - cpu;
    let threads = difference(&threads, &director.process.cpu_by_thread());
    let files = threads.get("lookout").copied().unwrap_or_default();
    let survey = spent.saturating_sub(files);
    let share = survey.as_secs_f64() / SPELL.as_secs_f64();

    let mut found = Vec::new();
    for service in [17, 5_000, 9_999] {
        let (virtual_address, real) = (format!("{}:80", vip(service)), SHAPE.real(service, 0));
        host.must("ipvsadm", &["-d", "-t", &virtual_address, "-r", &format!("{real}:80")]);
        let start = Instant::now();
        eventually_true("drift is repaired", Duration::from_secs(60), || {
            reader.destinations(service) == Some(SHAPE.servers)
        });
        found.push(start.elapsed());
        // Not in step with the surveys.
        std::thread::sleep(Duration::from_millis(700));
    }
    let worst = found.iter().max().copied().unwrap_or_default();
    drop(director);
    table::clear(&host);
    vec![
        Row::new(
            "survey of 10,000 x 2, at rest",
            format!("{:.2} % of a core over {} s", share * 100.0, SPELL.as_secs()),
        )
        .target("1 %", share <= 0.01),
        Row::new("  by thread", by_thread(&threads)),
        Row::new(
            "  a look at 10,000 files every 5 s",
            format!("{} in {} s", time(files), SPELL.as_secs()),
        ),
        Row::new("drift repaired, slowest of 3", time(worst))
            .target("10 s", worst <= Duration::from_secs(10)),
    ]
}
