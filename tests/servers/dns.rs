//! unbound.

use std::process::Command;

use directord::model::{DnsProbe, Endpoint, Outcome, Probe, Transport};

use crate::harness::{self, Daemon, ask, ask_within, at, reason};

/// unbound, which knows `www.lab.test` and its address, and nothing else under `lab.test`.
fn unbound() -> Option<(Daemon, Endpoint)> {
    let program = harness::installed("unbound", "unbound")?;
    let folder = harness::folder();
    let (path, port) = (folder.path().display(), harness::free_port());
    let many: String =
        (1..100).map(|n| format!("local-data: 'many.lab.test. A 198.51.100.{n}'\n  ")).collect();
    let text = format!(
        "server:
  interface: 127.0.0.1@{port}
  directory: {path}
  pidfile: {path}/pid
  username: ''
  chroot: ''
  do-daemonize: no
  use-syslog: no
  module-config: iterator
  local-zone: 'lab.test.' static
  local-data: 'www.lab.test. A 192.0.2.1'
  local-data: 'www.lab.test. AAAA 2001:db8::1'
  local-data: 'v6.lab.test. AAAA 2001:db8::6'
  local-data-ptr: '192.0.2.1 www.lab.test'
  {many}
remote-control:
  control-enable: no
"
    );
    let file = folder.path().join("unbound.conf");
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(program);
    command.arg("-d").arg("-c").arg(file);
    let daemon = Daemon::start(folder, command);
    let daemon = daemon.passing(at(port), &question("www.lab.test", None, Transport::Udp));
    Some((daemon, at(port)))
}

fn question(request: &str, receive: Option<&str>, transport: Transport) -> Probe {
    let (request, receive) = (request.into(), receive.map(str::to_owned));
    Probe::Dns(Box::new(DnsProbe { request, receive, transport }))
}

#[test]
fn unbound_passes_does_not_know_the_name_and_hangs() {
    let Some((daemon, server)) = unbound() else { return };
    for transport in [Transport::Udp, Transport::Tcp] {
        for (request, receive) in [
            ("www.lab.test", r"^192\.0\.2\.1$"),
            ("www.lab.test.", "^2001:db8::1$"),
            ("v6.lab.test", "2001:db8::6"),
            ("192.0.2.1", r"^www\.lab\.test$"),
            // More than a datagram of 512 bytes takes.
            ("many.lab.test", r"^198\.51\.100\.99$"),
        ] {
            let said = ask(server, question(request, Some(receive), transport));
            assert_eq!(said, Outcome::Pass, "{request} {transport:?}");
        }
        let said = ask(server, question("else.lab.test", None, transport));
        assert_eq!(reason(said), "dns: NXDOMAIN for else.lab.test");
        let said = ask(server, question("v6.lab.test", Some("192"), transport));
        assert_eq!(reason(said), r#"receive: /192/ not found in "2001:db8::6""#);
    }
    daemon.freeze();
    for transport in [Transport::Udp, Transport::Tcp] {
        let said = reason(ask_within(server, question("www.lab.test", None, transport), 300));
        assert_eq!(said, "dns: timed out after 300 ms");
    }
}
