//! OpenSMTPD.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use directord::model::{Outcome, Probe};
use nix::unistd::User;

use crate::harness::{self, Daemon, ask, ask_within, at, reason};

/// OpenSMTPD's spool as it wants to find it; where it looks for it is built in.
fn spool(folder: &Path) {
    let queue = User::from_name("opensmtpq").unwrap().expect("comes with the package");
    let root = folder.join("smtpd");
    let make = |path: &Path, mode| {
        std::fs::create_dir(path).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    make(&root, 0o711);
    for name in ["corrupt", "incoming", "purge", "queue", "temporary"] {
        make(&root.join(name), 0o700);
        chown(root.join(name), Some(queue.uid.as_raw()), None).unwrap();
    }
    make(&root.join("offline"), 0o770);
    chown(root.join("offline"), None, Some(queue.gid.as_raw())).unwrap();
}

#[test]
fn opensmtpd_passes_hangs_and_turns_away() {
    if !harness::root("smtpd") {
        return;
    }
    let Some(program) = harness::installed("smtpd", "opensmtpd") else { return };
    let start = |filter: &str| {
        let (folder, port) = (harness::folder(), harness::free_port());
        let (spools, file) = (folder.path().join("spool"), folder.path().join("smtpd.conf"));
        let text = format!(
            "filter closed phase connect match src 127.0.0.1 disconnect \"554 go away\"
             listen on 127.0.0.1 port {port} {filter}
             action out relay
             match for any action out
"
        );
        std::fs::write(&file, text).unwrap();
        std::fs::create_dir(&spools).unwrap();
        spool(&spools);
        let mut command = harness::instead(&spools, "/var/spool", &program);
        command.arg("-d").arg("-f").arg(file);
        (Daemon::start(folder, command).passing(at(port), &Probe::Connect), at(port))
    };
    let (daemon, server) = start("");
    assert_eq!(ask(server, Probe::Smtp), Outcome::Pass);
    daemon.freeze();
    let said = reason(ask_within(server, Probe::Smtp, 300));
    assert_eq!(said, "smtp greeting: timed out after 300 ms");
    drop(daemon);
    let (_daemon, server) = start("filter closed");
    assert_eq!(reason(ask(server, Probe::Smtp)), "smtp: 554 go away, wanted 2xx");
}
