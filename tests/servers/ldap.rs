//! OpenLDAP.

use std::process::Command;

use directord::model::{Endpoint, LdapProbe, Outcome, Probe, Tls};

use crate::beside::same;
use crate::harness::{self, Daemon, ask, ask_within, at, reason};

/// slapd with one small tree, in the clear and over TLS. Anybody may look at its top; the rest
/// takes a login.
fn slapd() -> Option<(Daemon, Endpoint, Endpoint)> {
    let program = harness::installed("slapd", "slapd")?;
    let add = harness::installed("slapadd", "slapd")?;
    let folder = harness::folder();
    let path = folder.path();
    harness::certificate(path);
    let place = path.display();
    let text = format!(
        "include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {place}/pid
TLSCertificateFile {place}/certificate
TLSCertificateKeyFile {place}/key
access to dn.base=\"\" by * read
access to dn.base=\"dc=lab,dc=test\" by * read
access to attrs=userPassword by anonymous auth
access to * by users read
database mdb
maxsize 1048576
suffix \"dc=lab,dc=test\"
rootdn \"cn=admin,dc=lab,dc=test\"
rootpw hush
directory {place}/tree
"
    );
    let tree = "dn: dc=lab,dc=test\nobjectClass: domain\ndc: lab\n\n\
                dn: ou=people,dc=lab,dc=test\nobjectClass: organizationalUnit\nou: people\n";
    std::fs::create_dir(path.join("tree")).unwrap();
    let (file, entries) = (path.join("slapd.conf"), path.join("entries"));
    std::fs::write(&file, text).unwrap();
    std::fs::write(&entries, tree).unwrap();
    harness::run(Command::new(add).arg("-f").arg(&file).arg("-l").arg(&entries));
    let (clear, tls) = (harness::free_port(), harness::free_port());
    let mut command = Command::new(program);
    command.args(["-d", "0", "-f"]).arg(&file).arg("-h");
    command.arg(format!("ldap://127.0.0.1:{clear} ldaps://127.0.0.1:{tls}"));
    let daemon = Daemon::start(folder, command).passing(at(clear), &entry(TOP, None, None));
    Some((daemon, at(clear), at(tls)))
}

const TOP: &str = "dc=lab,dc=test";
const PEOPLE: &str = "ou=people,dc=lab,dc=test";
const ADMIN: &str = "cn=admin,dc=lab,dc=test";

fn entry(base: &str, password: Option<&str>, tls: Option<Tls>) -> Probe {
    let login = password.map(|password| (ADMIN.to_owned(), password.to_owned()));
    let receive = Some("^(ou=people,)?dc=lab,dc=test$|^$".into());
    Probe::Ldap(Box::new(LdapProbe { tls, host: None, login, base: base.into(), receive }))
}

#[test]
fn slapd_passes_refuses_and_hangs() {
    let Some((daemon, clear, tls)) = slapd() else { return };
    let unverified = || Some(Tls { verify: false, ca_file: None });
    for (endpoint, tls) in [(clear, None), (tls, unverified())] {
        let ask = |base, password| ask(endpoint, entry(base, password, tls.clone()));
        assert_eq!(ask(TOP, None), Outcome::Pass);
        // The server's own entry.
        assert_eq!(ask("", None), Outcome::Pass);
        assert_eq!(ask(PEOPLE, Some("hush")), Outcome::Pass);
        let said = reason(ask(PEOPLE, Some("wrong")));
        assert_eq!(said, "ldap: bind: invalid credentials");
        let said = reason(ask("ou=none,dc=lab,dc=test", Some("hush")));
        assert_eq!(said, "ldap: search ou=none,dc=lab,dc=test: no such object");
        let said = reason(ask("nonsense", None));
        assert_eq!(said, r#"ldap: search nonsense: not a valid distinguished name: "invalid DN""#);
        // What is there, but not for everybody.
        assert!(reason(ask(PEOPLE, None)).starts_with("ldap: "));
    }
    let Probe::Ldap(mut other) = entry(TOP, None, None) else { unreachable!() };
    other.receive = Some("dc=other".into());
    let said = reason(ask(clear, Probe::Ldap(other)));
    assert_eq!(said, r#"receive: /dc=other/ not found in the 14 bytes: "dc=lab,dc=test""#);
    daemon.freeze();
    let said = reason(ask_within(clear, entry(TOP, None, None), 300));
    assert_eq!(said, "ldap bind: timed out after 300 ms");
    let said = reason(ask_within(tls, entry(TOP, None, unverified()), 300));
    assert_eq!(said, "tls: timed out after 300 ms");
}

#[test]
fn mons_monitor_finds_in_slapd_what_debians_finds() {
    let Some((_daemon, clear, _tls)) = slapd() else { return };
    if !harness::is_there("/usr/lib/mon/mon.d/ldap.monitor", "mon") {
        return;
    }
    let port = clear.port.to_string();
    let failed = format!("127.0.0.1:{port}");
    let closed = harness::free_port().to_string();
    let words = |base, filter, attribute, value| {
        ["--basedn", base, "--filter", filter, "--attribute", attribute, "--value", value]
    };
    let here = ["--port", &port];
    for (words, found) in [
        (words(TOP, "dc=lab", "dc", "lab"), ""),
        (words(TOP, "(objectClass=domain)", "objectClass", "domain"), ""),
        (words(TOP, "(&(dc=lab)(!(dc=other)))", "dc", "lab"), ""),
        (words(TOP, "dc=lab", "dc", "other"), &failed),
        (words(TOP, "dc=lab", "mail", "x"), &failed),
        (words(TOP, "dc=none", "dc", "lab"), &failed),
        // What is there, but not for everybody.
        (words(PEOPLE, "ou=people", "ou", "people"), &failed),
    ] {
        assert_eq!(
            same("ldap", "ldap.monitor", &[&here, &words[..]].concat(), &["127.0.0.1"]),
            found
        );
    }
    same("ldap", "ldap.monitor", &["--port", &closed], &["127.0.0.1", "127.0.0.2"]);
}
