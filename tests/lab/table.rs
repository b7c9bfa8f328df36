//! Reading a host's IPVS table, without the code under test.

use std::collections::BTreeMap;

use super::host::Host;

/// One destination: its forwarding word (`Masq`, `Route`, `Tunnel`, `Local`) and weight.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    pub forward: String,
    pub weight: u32,
}

/// Services (`TCP 192.0.2.100:80`, `FWM 7`) and their destinations (`10.1.0.21:80`).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Table(pub BTreeMap<String, BTreeMap<String, Row>>);

impl Table {
    /// From `/proc/net/ip_vs`: costs no process, so it can be polled.
    pub fn of(host: &Host) -> Table {
        host.run(|| {
            let text = std::fs::read_to_string("/proc/thread-self/net/ip_vs").expect("ip_vs");
            Table::parse(&text)
        })
    }

    fn parse(text: &str) -> Table {
        let mut table = Table::default();
        let mut service = String::new();
        for line in text.lines().skip(3) {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["->", address, forward, weight, ..] => {
                    let weight = weight.parse().expect("a weight");
                    let row = Row { forward: forward.to_owned(), weight };
                    let rows = table.0.get_mut(&service).expect("a service before its rows");
                    rows.insert(endpoint(address), row);
                }
                [kind, address, ..] => {
                    let what = if kind == "FWM" {
                        u32::from_str_radix(address, 16).expect("a mark").to_string()
                    } else {
                        endpoint(address)
                    };
                    service = format!("{kind} {what}");
                    table.0.entry(service.clone()).or_default();
                }
                _ => {}
            }
        }
        table
    }

    /// The weights of a service's destinations; `None` when there is no such service.
    pub fn weights(&self, service: &str) -> Option<BTreeMap<String, u32>> {
        let rows = self.0.get(service)?;
        Some(rows.iter().map(|(address, row)| (address.clone(), row.weight)).collect())
    }

    /// The weight of one destination, `None` when it is absent.
    pub fn weight(&self, service: &str, destination: &str) -> Option<u32> {
        self.0.get(service)?.get(destination).map(|row| row.weight)
    }
}

/// `C0000264:0050` or `[2001:0db8:...]:0050` as everybody else writes it.
fn endpoint(text: &str) -> String {
    let (address, port) = text.rsplit_once(':').expect("a port");
    let port = u16::from_str_radix(port, 16).expect("a port in hex");
    match address.strip_prefix('[') {
        Some(v6) => {
            let v6: std::net::Ipv6Addr = v6.trim_end_matches(']').parse().expect("an address");
            format!("[{v6}]:{port}")
        }
        None => {
            let v4 = u32::from_str_radix(address, 16).expect("an address in hex");
            format!("{}:{port}", std::net::Ipv4Addr::from(v4))
        }
    }
}

/// What `ipvsadm -Sn` prints, sorted: the order of the kernel's hash means nothing.
pub fn saved(host: &Host) -> Vec<String> {
    let mut lines: Vec<String> =
        host.must("ipvsadm", &["-Sn"]).lines().map(|l| l.trim_end().to_owned()).collect();
    lines.sort();
    lines
}
