//! leafnode, a news server that another program starts for each reader.

use directord::model::{Outcome, Probe};

use crate::harness::{self, Daemon, ask, ask_within, at, reason};

/// It must not be root; and talks by pipes, for with a socket pair it hangs.
const AS_NEWS: &str = "--reuid news --regid news --clear-groups";

#[test]
fn leafnode_passes_hangs_and_turns_away() {
    if !harness::root("leafnode") {
        return;
    }
    let Some(leafnode) = harness::installed("leafnode", "leafnode") else { return };
    let Some(socat) = harness::installed("socat", "socat") else { return };
    let start = |hostname: &str| {
        let (folder, port) = (harness::folder(), harness::free_port());
        let file = folder.path().join("config");
        std::fs::write(&file, format!("server = localhost\nexpire = 20\n{hostname}\n")).unwrap();
        let mut command = harness::instead(&file, "/etc/news/leafnode/config", &socat);
        command
            .arg(format!("TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr"))
            .arg(format!("EXEC:setpriv {AS_NEWS} {},pipes", leafnode.display()));
        (Daemon::start(folder, command), at(port))
    };
    let (daemon, server) = start("hostname = news.lab.directord.net");
    // Two of them started at once get in each other's way: only one is asked at a time.
    let daemon = daemon.passing(server, &Probe::Nntp);
    assert_eq!(ask(server, Probe::Nntp), Outcome::Pass);
    daemon.freeze();
    let said = reason(ask_within(server, Probe::Nntp, 300));
    assert_eq!(said, "nntp greeting: timed out after 300 ms");
    drop(daemon);
    // Without a name of its own it serves nobody.
    let (daemon, server) = start("");
    let refused = || match ask(server, Probe::Nntp) {
        Outcome::Fail(said) if said.starts_with("nntp: 503 Leafnode must have") => Ok(()),
        other => Err(format!("{other:?}")),
    };
    drop(daemon.until(refused));
}
