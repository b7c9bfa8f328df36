//! What each reader makes of a file, in the same words.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use directord::config::assemble::{self, Report};
use directord::config::source::{self, SystemNames};
use directord::model::{
    Desired, Endpoint, FailureAction, Family, Netmask, Probe, RealServer, ServiceKey, StopAction,
    VirtualService,
};

/// A text for each service, in no order of the file's; nothing where it is refused.
pub type Reading = Option<Vec<String>>;

const ORACLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ldirectord_reader/oracle.pl");

/// What ldirectord makes of each of these; nothing where it is not installed, which is said.
pub fn theirs(files: &[PathBuf]) -> Option<Vec<Reading>> {
    if !Path::new("/usr/sbin/ldirectord").exists() {
        assert!(std::env::var_os("DIRECTORD_COMPLETE").is_none(), "ldirectord is not installed");
        eprintln!("left out: needs ldirectord (make test installs it)");
        return None;
    }
    let mut command = Command::new("perl");
    command.arg(ORACLE).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut perl = command.spawn().expect("perl");
    let names: String = files.iter().map(|file| format!("{}\n", file.display())).collect();
    let mut stdin = perl.stdin.take().expect("a pipe");
    let writer = std::thread::spawn(move || stdin.write_all(names.as_bytes()));
    let output = perl.wait_with_output().expect("an end");
    writer.join().expect("no panic").expect("a reader");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let readings: Vec<Reading> = text.split_terminator("---\n").map(services).collect();
    assert_eq!(readings.len(), files.len(), "an answer for each file");
    Some(readings)
}

fn services(text: &str) -> Reading {
    if text == "refused\n" {
        return None;
    }
    let mut services: Vec<String> =
        text.split("virtual ").skip(1).map(|rest| format!("virtual {rest}")).collect();
    services.sort();
    Some(services)
}

pub fn ours(file: &Path) -> Reading {
    let reading = source::read(&[file.to_owned()]);
    let (desired, reports) = assemble::check(&reading, &SystemNames::new());
    if reports.iter().any(Report::is_error) {
        return None;
    }
    let mut services: Vec<String> =
        desired.services.values().map(|service| described(service, &desired)).collect();
    services.sort();
    Some(services)
}

fn described(service: &VirtualService, desired: &Desired) -> String {
    let yes = |is: bool| if is { "yes" } else { "no" };
    let id = match service.key {
        ServiceKey::Address { protocol, address, port } => {
            format!("{}:{}", protocol.name(), Endpoint::new(address, port))
        }
        ServiceKey::Fwmark { family: Family::Ipv4, mark } => format!("fwm:{mark}"),
        ServiceKey::Fwmark { family: Family::Ipv6, mark } => format!("fwm6:{mark}"),
    };
    let settings = &service.settings;
    let (seconds, netmask) = match settings.persistence {
        None => (0, "-".to_owned()),
        Some(persistence) => (persistence.timeout, mask(persistence.netmask)),
    };
    let fallback = service.fallback.as_ref().map_or("-".to_owned(), |fallback| {
        format!("{} {}", fallback.endpoint, fallback.destination.forward)
    });
    let mut text = format!(
        "virtual {id} {} persistent {seconds} {netmask} flags {} ops {} quiescent {} \
         cleanstop {} fallback {fallback}\n",
        settings.scheduler.as_str(),
        settings.scheduler_flags.bits(),
        yes(settings.one_packet),
        yes(service.on_failure == FailureAction::Quiesce),
        yes(service.on_stop == StopAction::Remove),
    );
    let monitor = desired.alerts.get(&service.key).and_then(|alerts| alerts.monitor.as_ref());
    for (at, server) in service.servers.iter().enumerate() {
        let called = monitor.map(|monitor| format!(" called <{}>", monitor.names[at]));
        text += &format!("{}{}\n", real(server), called.unwrap_or_default());
    }
    text
}

/// The mask of a single client is no mask.
fn mask(netmask: Netmask) -> String {
    match netmask {
        Netmask::V4(quad) if quad.is_broadcast() => "-".to_owned(),
        Netmask::V4(quad) => quad.to_string(),
        Netmask::V6(128) => "-".to_owned(),
        Netmask::V6(length) => length.to_string(),
    }
}

fn real(real: &RealServer) -> String {
    let (row, check) = (real.destination, &real.check);
    let (at, seconds) = (real.check_endpoint.port, check.timeout.as_secs());
    let asked = match &check.probe {
        Probe::AsFound => "off".to_owned(),
        Probe::On | Probe::Ping(_) => check.probe.name().to_owned(),
        Probe::External(_) => format!("external for {seconds}"),
        probe => format!("{} at {at} for {seconds}", probe.name()),
    };
    let then = check.between.as_ref().map_or(String::new(), |between| {
        format!(" then {} for {}", between.times, between.timeout.as_secs())
    });
    format!(
        "real {} {} {} {} {} check {asked}{then} failures {}",
        real.written(),
        row.forward,
        row.weight,
        row.lower,
        row.upper,
        check.fall
    )
}
