//! The same services in the languages of all.
//!
//! Service `i` is port 80 of an address of 10.10.0.0/15; its server `j` is port 80 of an address
//! of 127.0.0.0/8, all of which are the host itself, so that any number of real servers needs no
//! more than one listener.

use std::fmt::Write;

/// How many services of how many servers each.
#[derive(Clone, Copy)]
pub struct Shape {
    pub services: usize,
    pub servers: usize,
}

pub fn vip(service: usize) -> String {
    format!("10.{}.{}.{}", 10 + service / 62_500, service / 250 % 250, 1 + service % 250)
}

impl Shape {
    pub fn real(self, service: usize, server: usize) -> String {
        let n = service * self.servers + server;
        format!("127.{}.{}.{}", 10 + n / 62_500, n / 250 % 250, 1 + n % 250)
    }

    /// One service as an item of a list, with `check` as its check.
    pub fn native(self, service: usize, check: &str) -> String {
        let mut text = format!("- virtual: {}:80\n  forward: masq\n  real:\n", vip(service));
        for server in 0..self.servers {
            let _ = writeln!(text, "    - {}:80", self.real(service, server));
        }
        let _ = writeln!(text, "  check: {check}");
        text
    }

    /// The services of one file.
    pub fn native_list(self, check: impl Fn(usize) -> &'static str) -> String {
        (0..self.services).map(|i| self.native(i, check(i))).collect()
    }

    /// A file for each service: name and text.
    pub fn native_files(self, check: impl Fn(usize) -> &'static str) -> Vec<(String, String)> {
        (0..self.services).map(|i| (file_name(i), self.native(i, check(i)))).collect()
    }

    /// One `virtual_server`; `checker` is a block such as `TCP_CHECK`, or nothing.
    pub fn keepalived(self, service: usize, weight: u32, checker: &str) -> String {
        let mut text = format!(
            "virtual_server {} 80 {{\n delay_loop 1\n lvs_sched wlc\n lvs_method NAT\n protocol TCP\n",
            vip(service)
        );
        for server in 0..self.servers {
            let address = self.real(service, server);
            let _ = writeln!(text, " real_server {address} 80 {{\n  weight {weight}\n{checker} }}");
        }
        text.push_str("}\n");
        text
    }

    pub fn keepalived_file(self, checker: impl Fn(usize) -> &'static str) -> String {
        (0..self.services).map(|i| self.keepalived(i, 1, checker(i))).collect()
    }

    /// The services of a `.cf` file, each server asked by http.
    pub fn ldirectord(self) -> String {
        let mut text = String::new();
        for service in 0..self.services {
            let _ = writeln!(text, "virtual = {}:80", vip(service));
            for server in 0..self.servers {
                let _ = writeln!(text, "\treal = {}:80 masq", self.real(service, server));
            }
            text.push_str("\tservice = http\n\trequest = \"/\"\n\treceive = \"ok\"\n");
            text.push_str("\tscheduler = wlc\n\n");
        }
        text
    }

    /// Rules as `ipvsadm -S -n` prints them.
    pub fn rules(self) -> String {
        let mut text = String::new();
        for service in 0..self.services {
            let vip = vip(service);
            let _ = writeln!(text, "-A -t {vip}:80 -s wlc");
            for server in 0..self.servers {
                let real = self.real(service, server);
                let _ = writeln!(text, "-a -t {vip}:80 -r {real}:80 -m -w 1");
            }
        }
        text
    }

    pub fn records(self) -> usize {
        self.services * (1 + self.servers)
    }
}

pub fn file_name(service: usize) -> String {
    format!("s{service:05}.yaml")
}
