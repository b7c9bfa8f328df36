//! Kamailio by UDP and TCP.

use std::process::Command;

use directord::model::{Outcome, Probe, SipProbe, Transport};

use crate::harness::{self, Daemon, ask, ask_within, at, reason};

fn options(login: &str, transport: Transport) -> Probe {
    Probe::Sip(Box::new(SipProbe { login: login.into(), transport }))
}

#[test]
fn kamailio_passes_does_not_know_the_user_and_hangs() {
    let Some(program) = harness::installed("kamailio", "kamailio") else { return };
    let (folder, port) = (harness::folder(), harness::free_port());
    let text = format!(
        "log_stderror=yes
children=1
tcp_children=1
listen=udp:127.0.0.1:{port}
listen=tcp:127.0.0.1:{port}
loadmodule \"sl\"
loadmodule \"pv\"
request_route {{
  if ($rU == \"nobody\") {{ sl_send_reply(\"404\", \"Not Found\"); exit; }}
  sl_send_reply(\"200\", \"OK\");
}}
"
    );
    let file = folder.path().join("kamailio.cfg");
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(program);
    command.args(["-DD", "-E", "-m", "16", "-M", "4", "-Y"]).arg(folder.path()).arg("-f").arg(file);
    let daemon = Daemon::start(folder, command);
    let daemon = daemon.passing(at(port), &options("", Transport::Tcp));
    for transport in [Transport::Udp, Transport::Tcp] {
        for login in ["", "joe@example.org", "example.org"] {
            assert_eq!(ask(at(port), options(login, transport)), Outcome::Pass, "{login}");
        }
        let said = reason(ask(at(port), options("nobody@example.org", transport)));
        assert_eq!(said, "sip: 404 Not Found, wanted 200");
    }
    daemon.freeze();
    for transport in [Transport::Udp, Transport::Tcp] {
        let said = reason(ask_within(at(port), options("", transport), 300));
        assert_eq!(said, "sip: timed out after 300 ms");
    }
}
