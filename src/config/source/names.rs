//! Host and service names, by the system's own means.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::SystemFiles;
use super::node;
use crate::config::{MonMeans, Names, mon};
use crate::model::{Family, NativeMonitor, Protocol};

/// Looks names up with the system's resolver and in `/etc/services`.
///
/// Made afresh for each load: every name is asked for once, found or not, and once `patience`
/// has passed no more hosts are asked for, so that a dead name server delays a load by that and
/// one answer more. The resolver blocks: use it on a thread that may.
#[derive(Debug)]
pub struct SystemNames {
    services_file: PathBuf,
    services: OnceCell<HashMap<String, Vec<(Protocol, u16)>>>,
    hosts: RefCell<HashMap<String, Vec<IpAddr>>>,
    patience: Duration,
    spent: RefCell<Duration>,
    native: fn(&NativeMonitor) -> Result<(), String>,
    options: Arc<mon::Options>,
}

impl SystemNames {
    /// How long all look-ups of one load may take together.
    pub const PATIENCE: Duration = Duration::from_secs(20);

    pub fn new() -> SystemNames {
        SystemNames::with(Path::new("/etc/services"), Self::PATIENCE)
    }

    fn with(services_file: &Path, patience: Duration) -> SystemNames {
        SystemNames {
            services_file: services_file.to_owned(),
            services: OnceCell::new(),
            hosts: RefCell::default(),
            patience,
            spent: RefCell::default(),
            native: |_| Ok(()),
            options: Arc::default(),
        }
    }

    /// What is right of a `mon.cf` besides: whose words `native` refuses is a program's monitor.
    #[must_use]
    pub fn with_mon(
        self,
        native: fn(&NativeMonitor) -> Result<(), String>,
        options: Arc<mon::Options>,
    ) -> SystemNames {
        SystemNames { native, options, ..self }
    }

    fn look_up(&self, name: &str) -> Vec<IpAddr> {
        let mut spent = self.spent.borrow_mut();
        // The resolver wants a C string, and no name in DNS is longer than 253 characters.
        if *spent >= self.patience || name.len() > 253 || name.contains('\0') {
            return Vec::new();
        }
        let start = Instant::now();
        let found = (name, 0).to_socket_addrs();
        *spent += start.elapsed();
        let mut addresses: Vec<IpAddr> = Vec::new();
        for address in found.into_iter().flatten().map(|found| found.ip()) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        addresses
    }
}

impl Default for SystemNames {
    fn default() -> SystemNames {
        SystemNames::new()
    }
}

impl Names for SystemNames {
    fn host(&self, name: &str, family: Family) -> Vec<IpAddr> {
        let mut hosts = self.hosts.borrow_mut();
        let all = hosts.entry(name.to_owned()).or_insert_with(|| self.look_up(name));
        all.iter().copied().filter(|address| Family::of(*address) == family).collect()
    }

    fn port(&self, name: &str, protocol: Option<Protocol>) -> Option<u16> {
        let services = self.services.get_or_init(|| services(&self.services_file));
        let ports = services.get(name)?;
        let wanted = |(with, _): &&(Protocol, u16)| protocol.is_none_or(|p| p == *with);
        ports.iter().find(wanted).map(|(_, port)| *port)
    }

    fn node(&self) -> String {
        node::of_checks()
    }

    fn mon(&self) -> MonMeans<'_> {
        MonMeans { files: &SystemFiles, native: self.native, options: &self.options }
    }
}

/// Names to ports in the order of the file. Where there is no file (small containers have none)
/// the few names that configurations really use.
fn services(path: &Path) -> HashMap<String, Vec<(Protocol, u16)>> {
    const MAX: u64 = 4 << 20;
    const WELL_KNOWN: &str = "ftp 21/tcp\nssh 22/tcp\nsmtp 25/tcp\ndomain 53/tcp\ndomain 53/udp\n\
        http 80/tcp www\npop3 110/tcp\nntp 123/udp\nimap2 143/tcp imap\nldap 389/tcp\n\
        https 443/tcp\nhttps 443/udp\nsubmission 587/tcp\nldaps 636/tcp\nimaps 993/tcp\n\
        pop3s 995/tcp\nmysql 3306/tcp\npostgresql 5432/tcp\nsip 5060/tcp\nsip 5060/udp\n";
    let mut text = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX).read_to_end(&mut text));
    match read {
        Ok(_) => parse_services(&String::from_utf8_lossy(&text)),
        Err(_) => parse_services(WELL_KNOWN),
    }
}

fn parse_services(text: &str) -> HashMap<String, Vec<(Protocol, u16)>> {
    let mut services: HashMap<String, Vec<(Protocol, u16)>> = HashMap::new();
    for line in text.lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let (Some(name), Some(place)) = (words.next(), words.next()) else { continue };
        let Some((port, protocol)) = place.split_once('/') else { continue };
        let (Ok(port), Some(protocol)) = (port.parse(), Protocol::from_name(protocol)) else {
            continue;
        };
        for name in std::iter::once(name).chain(words) {
            services.entry(name.to_owned()).or_default().push((protocol, port));
        }
    }
    services
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_found_by_name_alias_and_protocol() {
        let found =
            parse_services("http 80/tcp www # web\ndomain 53/udp\n#x 1/tcp\nbad\nq 70000/tcp\n");
        assert_eq!(found.get("www"), Some(&vec![(Protocol::Tcp, 80)]));
        assert_eq!(found.get("domain"), Some(&vec![(Protocol::Udp, 53)]));
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn without_a_services_file_the_common_names_are_known() {
        let names = SystemNames::with(Path::new("/nonexistent"), SystemNames::PATIENCE);
        assert_eq!(names.port("http", None), Some(80));
        assert_eq!(names.port("http", Some(Protocol::Udp)), None);
        assert_eq!(names.port("sip", Some(Protocol::Udp)), Some(5060));
    }

    #[test]
    fn no_host_is_asked_for_once_patience_is_spent() {
        let names = SystemNames::with(Path::new("/nonexistent"), Duration::ZERO);
        assert_eq!(names.host("localhost", Family::Ipv4), Vec::<IpAddr>::new());
    }

    #[test]
    fn impossible_host_names_have_no_address() {
        let names = SystemNames::new();
        for name in ["", "a\0b", &"x".repeat(300)] {
            assert_eq!(names.host(name, Family::Ipv4), Vec::<IpAddr>::new(), "{name:?}");
        }
    }
}
