//! Reading a host's IPVS table, without the code under test.

use std::collections::BTreeMap;

use super::host::Host;

/// One destination: its forwarding word (`Masq`, `Route`, `Tunnel`, `Local`) and weight.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    pub forward: String,
    pub weight: u32,
}

/// Services (`TCP 192.0.2.100:80`, `FWM 7`) and their destinations (`10.1.0.21:80`), and the
/// services' settings as options of `ipvsadm`: `-s wlc -p 300`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Table(pub BTreeMap<String, BTreeMap<String, Row>>, pub BTreeMap<String, String>);

impl Table {
    /// As `ipvsadm` lists it. The kernel's own listing costs no process, but loses rows while
    /// other namespaces hold services, as those of the tests beside this one do.
    pub fn of(host: &Host) -> Table {
        Table::parse(&host.must("ipvsadm", &["-S", "-n"]))
    }

    fn parse(text: &str) -> Table {
        let mut table = Table::default();
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let after = |option| words.iter().skip_while(|word| **word != option).nth(1);
            let [verb, kind, address, ..] = words[..] else { continue };
            let kind = match kind {
                "-t" => "TCP",
                "-u" => "UDP",
                "--sctp-service" => "SCTP",
                "-f" => "FWM",
                other => other.trim_start_matches("--"),
            };
            let service = format!("{kind} {address}");
            let rows = table.0.entry(service.clone()).or_default();
            if verb == "-A" {
                table.1.insert(service, words[3..].join(" "));
            }
            if verb == "-a" {
                let forward = words.iter().find_map(|word| match *word {
                    "-m" => Some("Masq"),
                    "-g" => Some("Route"),
                    "-i" => Some("Tunnel"),
                    _ => None,
                });
                let weight = after("-w").and_then(|w| w.parse().ok()).expect("a weight");
                let row = Row { forward: forward.expect("a method").to_owned(), weight };
                rows.insert((*after("-r").expect("an address")).to_owned(), row);
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

/// What `ipvsadm -Sn` prints, sorted: the order of the kernel's hash means nothing.
pub fn saved(host: &Host) -> Vec<String> {
    let mut lines: Vec<String> =
        host.must("ipvsadm", &["-Sn"]).lines().map(|l| l.trim_end().to_owned()).collect();
    lines.sort();
    lines
}
