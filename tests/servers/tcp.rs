//! Redis, asked in its own few words.

use std::process::Command;

use directord::model::{Outcome, Probe, TcpProbe};

use crate::harness::{self, Daemon, ask, ask_within, at, reason};

fn say(request: &str, receive: &str) -> Probe {
    let (request, receive) = (Some(request.to_owned()), Some(receive.to_owned()));
    Probe::Tcp(Box::new(TcpProbe { request, receive, body_limit: 64 * 1024 }))
}

#[test]
fn redis_passes_answers_something_else_and_hangs() {
    let Some(program) = harness::installed("redis-server", "redis-server") else { return };
    let (folder, port) = (harness::folder(), harness::free_port());
    let mut command = Command::new(program);
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
    command.arg("--dir").arg(folder.path());
    let daemon = Daemon::start(folder, command).passing(at(port), &say("PING\n", r"^\+PONG"));
    assert_eq!(ask(at(port), say("INFO replication\n", "^role:master")), Outcome::Pass);
    let said = reason(ask(at(port), say("PING\n", "^role:")));
    assert_eq!(said, r#"receive: /^role:/ not found in the 7 bytes: "+PONG\r\n""#);
    daemon.freeze();
    let said = reason(ask_within(at(port), say("PING\n", "PONG"), 300));
    assert_eq!(said, "tcp answer: timed out after 300 ms");
}
