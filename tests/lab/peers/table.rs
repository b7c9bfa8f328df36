//! Watching a host's table without being in the way.

use std::time::{Duration, Instant};

use directord::ipvs::{Kernel, Netlink};
use directord::model::{Entry, ServiceKey};

use crate::config::{Shape, vip};
use crate::lab::Host;

/// Reads single services, three system calls each.
pub struct Reader(Netlink);

impl Reader {
    pub fn new(host: &Host) -> Reader {
        Reader(host.run(|| Netlink::open().expect("the lab's kernel has ip_vs")))
    }

    pub fn service(&mut self, service: usize) -> Option<Entry> {
        let key: ServiceKey = format!("{}:80/tcp", vip(service)).parse().expect("a key");
        self.0.read(&[key]).expect("a readable table").remove(0)
    }

    /// Destinations of a service; `None` when there is no such service.
    pub fn destinations(&mut self, service: usize) -> Option<usize> {
        self.service(service).map(|entry| entry.destinations.len())
    }

    /// Waits until the whole of `shape` is in the table; when that was. The last service is
    /// looked at often, and everything only once that is there. `None` after `limit`.
    pub fn full(&mut self, host: &Host, shape: Shape, limit: Duration) -> Option<Instant> {
        let end = Instant::now() + limit;
        while Instant::now() < end {
            let now = Instant::now();
            if self.destinations(shape.services - 1) == Some(shape.servers)
                && rows(host) == shape.records()
            {
                return Some(now);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }
}

/// Services and destinations in a host's table.
pub fn rows(host: &Host) -> usize {
    host.run(|| {
        let text = std::fs::read_to_string("/proc/thread-self/net/ip_vs").expect("a table");
        text.lines().skip(3).filter(|line| !line.trim().is_empty()).count()
    })
}

/// Empties a host's table, so that it weighs on nobody once the host is gone: the kernel keeps
/// the services of all hosts in the same buckets.
pub fn clear(host: &Host) {
    host.must("ipvsadm", &["-C"]);
}

/// A host of its own with the loopback device up: without an address the kernel refuses IPv4.
pub fn host(name: &str) -> Host {
    let host = Host::new(name);
    host.ip(&["link set lo up".into()]);
    host
}
