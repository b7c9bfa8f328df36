//! FreeRADIUS.

use std::process::Command;

use directord::model::{Endpoint, Outcome, Probe, RadiusProbe};

use crate::harness::{self, Daemon, ask, ask_within, at, reason};

/// FreeRADIUS with the user `joe`, and one that is told why it may not come in.
fn freeradius() -> Option<(Daemon, Endpoint)> {
    let program = harness::installed("freeradius", "freeradius")?;
    let folder = harness::folder();
    let (path, port) = (folder.path().display(), harness::free_port());
    let users = "joe Cleartext-Password := \"hush\"\n\
                 eve Auth-Type := Reject\n    Reply-Message = \"not today\"\n";
    std::fs::write(folder.path().join("users"), users).unwrap();
    let text = format!(
        "libdir = /usr/lib/freeradius
run_dir = {path}
logdir = {path}
pidfile = {path}/pid
max_request_time = 5
security {{
    reject_delay = 0
}}
client lab {{
    ipaddr = 127.0.0.1
    secret = sesame
    require_message_authenticator = yes
}}
modules {{
    files {{
        usersfile = {path}/users
    }}
    pap {{
    }}
}}
server default {{
    listen {{
        type = auth
        ipaddr = 127.0.0.1
        port = {port}
    }}
    authorize {{
        files
        pap
    }}
    authenticate {{
        pap
    }}
}}
"
    );
    std::fs::write(folder.path().join("radiusd.conf"), text).unwrap();
    let mut command = Command::new(program);
    command.args(["-f", "-l", "stdout", "-n", "radiusd", "-d"]).arg(folder.path());
    let daemon = Daemon::start(folder, command).passing(at(port), &login("joe", "hush", "sesame"));
    Some((daemon, at(port)))
}

fn login(login: &str, password: &str, secret: &str) -> Probe {
    let (login, password) = (login.into(), password.into());
    Probe::Radius(Box::new(RadiusProbe { login, password, secret: secret.into() }))
}

#[test]
fn freeradius_accepts_rejects_and_hangs() {
    let Some((daemon, server)) = freeradius() else { return };
    assert_eq!(ask(server, login("joe", "hush", "sesame")), Outcome::Pass);
    let said = reason(ask(server, login("joe", "wrong", "sesame")));
    assert_eq!(said, "radius: access rejected");
    let said = reason(ask(server, login("eve", "hush", "sesame")));
    assert_eq!(said, r#"radius: access rejected: "not today""#);
    // A request that is not proved by its secret is nothing this server answers.
    let said = reason(ask_within(server, login("joe", "hush", "other"), 500));
    assert_eq!(said, "radius: timed out after 500 ms");
    daemon.freeze();
    let said = reason(ask_within(server, login("joe", "hush", "sesame"), 300));
    assert_eq!(said, "radius: timed out after 300 ms");
}
