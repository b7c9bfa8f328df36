//! `make bench`: directord beside keepalived, ipvsadm, fping, ldirectord and mon, in one guest.
//!
//! ```text
//! peers [SECTION...]     fill survey change checks death outage ldirectord thousand mon; without an
//!                        argument all but `thousand`
//! ```
//!
//! Only ratios within one run mean anything: the guest's system calls are slow and its machine is
//! shared. Its processor clock ticks a hundred times a second, so processor time is given of
//! spells long enough to hold many ticks. Everything is bounded in time.

#![forbid(unsafe_code)]

#[path = "../mod.rs"]
mod lab;

mod change;
mod checks;
mod config;
mod death;
mod director;
mod fill;
mod ldirectord;
mod mon;
mod outage;
mod process;
mod report;
mod servers;
mod survey;
mod table;

use std::panic::catch_unwind;
use std::process::ExitCode;
use std::time::Instant;

use nix::sys::resource::{Resource, setrlimit};

use report::Row;

/// A part of the bench: its name, what it is about, and the work.
type Section = (&'static str, &'static str, fn() -> Vec<Row>);

/// Open files a process may have: what systemd allows by default.
const DESCRIPTORS: u64 = 524_288;

const SECTIONS: &[Section] = &[
    (
        "fill",
        "(a) a full table from nothing; (f) a restart with the table already right",
        fill::run,
    ),
    ("survey", "what it costs to watch the table, and how soon drift is found", survey::run),
    ("change", "(b) one service added and one edited among 10,000", change::run),
    ("checks", "(c) what a check costs", checks::run),
    ("death", "(d) from the answer that proves a server dead to the table's change", death::run),
    ("outage", "(e) 20,000 servers fall silent at once; (g) memory per real server", outage::run),
    ("ldirectord", "(h) ldirectord with 50 and with 200 services", ldirectord::run),
    ("mon", "(i) mon with 1,000 watches by http, and by ping", mon::run),
    ("thousand", "(h) ldirectord with 1,000 services", ldirectord::thousand),
];

/// Measured when named.
const TOO_LONG: &[&str] = &["thousand"];

fn main() -> ExitCode {
    if std::env::var_os("DIRECTORD_LAB").is_none() {
        eprintln!("the bench needs the lab's kernel: make bench");
        return ExitCode::from(125);
    }
    // `cargo bench` hands on an option of its own.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    if let Some(unknown) = wanted.iter().find(|w| SECTIONS.iter().all(|(name, ..)| name != w)) {
        let names: Vec<&str> = SECTIONS.iter().map(|(name, ..)| *name).collect();
        eprintln!("{unknown}: no such section: {}", names.join(" "));
        return ExitCode::from(2);
    }
    // The servers of the bench and its clients take a descriptor for each check in flight; an
    // ordinary service manager allows as many.
    setrlimit(Resource::RLIMIT_NOFILE, DESCRIPTORS, DESCRIPTORS).expect("root in the guest");
    let begun = Instant::now();
    let (mut rows, mut broken) = (Vec::new(), Vec::new());
    for (name, about, run) in SECTIONS {
        let measured = match wanted.is_empty() {
            true => !TOO_LONG.contains(name),
            false => wanted.iter().any(|w| w == name),
        };
        if !measured {
            continue;
        }
        eprintln!("== {name}: {about}");
        let start = Instant::now();
        match catch_unwind(run) {
            Ok(measured) => rows.extend(measured),
            Err(_) => broken.push(*name),
        }
        eprintln!("== {name}: {:.0} s", start.elapsed().as_secs_f64());
    }
    report::print(&rows);
    println!("total time: {:.0} s", begun.elapsed().as_secs_f64());
    if broken.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("could not be measured: {}", broken.join(", "));
    ExitCode::FAILURE
}
