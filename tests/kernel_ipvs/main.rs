//! The table of a real kernel: what we write is what we read, and the traps are where we think.
//!
//! Runs inside the kernel lab (`make test` boots it). Each test has a network namespace of its
//! own, and so a table of its own.

mod answers;
mod records;
mod scale;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use directord::ipvs::{Fake, Kernel, Netlink, Tuning, sysctl};
use directord::model::{
    Destination, Endpoint, Entry, Family, ForwardingMethod, KernelErrorKind, KernelName, Netmask,
    Persistence, Protocol, SchedulerFlags, ServiceKey, ServiceSettings, Survey, SurveyKey, Table,
    Tunnel, TunnelKind,
};
use directord::plan::Step;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// One test at a time. The kernel walks its services by position, across all namespaces: what
/// others write makes a listing skip rows (7.x kernels excepted), and even what they merely hold
/// makes `/proc` skip some.
static ALONE: Mutex<()> = Mutex::new(());

/// Runs the test in a fresh network namespace with `lo` up.
fn in_namespace(test: impl FnOnce() + Send) {
    in_bare_namespace(|| {
        run("ip", &["link", "set", "lo", "up"]);
        test();
    });
}

fn in_bare_namespace(test: impl FnOnce() + Send) {
    if std::env::var_os("DIRECTORD_LAB").is_none() {
        eprintln!("left out: needs the kernel lab (make test)");
        return;
    }
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    // A thread of its own, for a namespace is a thread's.
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            test();
            // A namespace dies some time after its last thread.
            run("ipvsadm", &["-C"]);
        });
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn name(text: &str) -> KernelName {
    KernelName::new(text).unwrap()
}

fn endpoint(text: &str) -> Endpoint {
    text.parse::<std::net::SocketAddr>().unwrap().into()
}

fn service(protocol: Protocol, text: &str) -> ServiceKey {
    let Endpoint { address, port } = endpoint(text);
    ServiceKey::Address { protocol, address, port }
}

fn tcp(text: &str) -> ServiceKey {
    service(Protocol::Tcp, text)
}

fn plain(scheduler: &str) -> ServiceSettings {
    ServiceSettings::plain(name(scheduler))
}

fn gate(weight: u32) -> Destination {
    Destination::plain(ForwardingMethod::Gate, weight)
}

fn entry(settings: ServiceSettings, rows: &[(&str, Destination)]) -> Entry {
    let destinations = rows.iter().map(|(at, d)| (endpoint(at), *d)).collect();
    Entry { settings, destinations }
}

/// The steps that make a table from nothing.
fn steps(table: &Table) -> Vec<Step> {
    let mut steps = Vec::new();
    for (&service, entry) in &table.services {
        steps.push(Step::AddService { service, settings: entry.settings });
        steps.extend(entry.destinations.iter().map(|(&endpoint, &destination)| {
            Step::AddDestination { service, endpoint, destination }
        }));
    }
    steps
}

/// All the kernel holds, in full.
fn read_all(kernel: &mut Netlink) -> Table {
    let keys: Vec<_> = kernel.survey().unwrap().services.into_keys().collect();
    read_these(kernel, &keys)
}

fn read_these(kernel: &mut Netlink, keys: &[ServiceKey]) -> Table {
    let entries = kernel.read(keys).unwrap();
    let services = keys.iter().copied().zip(entries);
    Table { services: services.filter_map(|(key, entry)| Some((key, entry?))).collect() }
}

/// A survey that equals what is expected, or the last of many: namespaces of tests in other
/// files may still be dying.
fn survey_like(kernel: &mut Netlink, expected: &Survey) -> Survey {
    let start = Instant::now();
    loop {
        let survey = kernel.survey().unwrap();
        if survey == *expected || start.elapsed() > Duration::from_secs(30) {
            return survey;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn fill(kernel: &mut Netlink, table: &Table) {
    let failures = kernel.apply(&steps(table));
    assert!(failures.is_empty(), "{failures:#?}");
}
