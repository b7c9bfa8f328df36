//! tinyproxy before nginx.

use std::process::Command;

use directord::model::{Endpoint, HttpProbe, Probe};

use crate::harness::{self, Daemon, ask, ask_within, at, reason};
use crate::http::{nginx, page};

/// The question to a proxy for this page of a server's.
fn through(origin: Endpoint, path: &str) -> Probe {
    let Probe::Http(probe) = page(path, None) else { panic!("a page is asked for by HTTP") };
    Probe::Http(Box::new(HttpProbe { path: format!("http://{origin}{path}"), ..*probe }))
}

fn tinyproxy() -> Option<(Daemon, Endpoint)> {
    let program = harness::installed("tinyproxy", "tinyproxy-bin")?;
    let (folder, port) = (harness::folder(), harness::free_port());
    let file = folder.path().join("tinyproxy.conf");
    let text =
        format!("Port {port}\nListen 127.0.0.1\nAllow 127.0.0.1\nTimeout 60\nMaxClients 9\n");
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(program);
    command.arg("-d").arg("-c").arg(file);
    Some((Daemon::start(folder, command), at(port)))
}

#[test]
fn tinyproxy_passes_lacks_the_page_and_hangs() {
    let (Some((nginx, origin, _)), Some((proxy, at_proxy))) = (nginx(), tinyproxy()) else {
        return;
    };
    let proxy = proxy.passing(at_proxy, &through(origin, "/"));
    let said = reason(ask(at_proxy, through(origin, "/x")));
    assert_eq!(said, "http: 404, wanted 200-299");
    // Nobody is there: the proxy has an answer of its own.
    let said = reason(ask(at_proxy, through(at(harness::free_port()), "/")));
    assert!(said.starts_with("http: 50"), "{said}");
    // A proxy does not serve pages of its own.
    let said = reason(ask(at_proxy, page("/", None)));
    assert!(said.starts_with("http: 4"), "{said}");
    nginx.freeze();
    let said = reason(ask_within(at_proxy, through(origin, "/"), 300));
    assert_eq!(said, "headers: timed out after 300 ms");
    drop(nginx);
    proxy.freeze();
    let said = reason(ask_within(at_proxy, through(origin, "/"), 300));
    assert_eq!(said, "headers: timed out after 300 ms");
}
