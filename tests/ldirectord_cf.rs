//! The `.cf` files of `conf.d/` through the front door.

use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use directord::config::{self, Defaults, Dialect, Names, Parsed, Source};
use directord::model::{ExternalProbe, Family, Probe, Protocol};

/// Samples use numbers: a machine without a resolver can read them.
struct NoNames;

impl Names for NoNames {
    fn host(&self, _: &str, _: Family) -> Vec<IpAddr> {
        Vec::new()
    }

    fn port(&self, _: &str, _: Option<Protocol>) -> Option<u16> {
        None
    }

    fn node(&self) -> String {
        "localhost".to_owned()
    }
}

fn sample(name: &str) -> Parsed {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("conf.d").join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    let source =
        Source { path: Arc::new(path), dialect: Dialect::Ldirectord, text: text.as_str().into() };
    config::parse(&source, &Defaults::default(), &NoNames)
}

#[test]
fn the_howto_sample_is_taken_with_a_warning_about_timeout_only() {
    let parsed = sample("howto.cf");
    let messages: Vec<_> = parsed.diagnostics.iter().map(|d| d.message.as_str()).collect();
    assert_eq!(messages, ["timeout sets both checktimeout and negotiatetimeout"]);
    assert_eq!(parsed.services.len(), 1);
}

#[test]
fn the_tour_of_the_dialect_is_taken_without_remarks() {
    let parsed = sample("ldirectord.cf");
    assert_eq!(parsed.diagnostics, []);
    let keys: Vec<_> = parsed.services.iter().map(|d| d.service.key.to_string()).collect();
    assert_eq!(
        keys,
        [
            "192.0.2.80:80/tcp",
            "192.0.2.80:443/tcp",
            "192.0.2.25:25/tcp",
            "192.0.2.21:21/tcp",
            "192.0.2.53:53/udp",
            "192.0.2.25:110/tcp",
            "192.0.2.25:143/tcp",
            "192.0.2.38:636/tcp",
            "192.0.2.33:3306/tcp",
            "192.0.2.18:1812/udp",
            "192.0.2.60:5060/udp",
            "192.0.2.79:79/tcp",
            "fwmark:7",
            "[2001:db8:80::80]:80/tcp",
        ]
    );
    assert_eq!(parsed.services[1].service.servers.len(), 10);
}

/// The program that checks the one real of a service with these members.
fn program(members: &str) -> ExternalProbe {
    let text = format!("virtual = 192.0.2.1:80\n\treal = 192.0.2.9:81 masq\n{members}");
    let path = Arc::new(PathBuf::from("a.cf"));
    let source = Source { path, dialect: Dialect::Ldirectord, text: text.as_str().into() };
    let parsed = config::parse(&source, &Defaults::default(), &NoNames);
    match &parsed.services[0].service.servers[0].check.probe {
        Probe::External(external) => (**external).clone(),
        other => panic!("{other:?}"),
    }
}

/// Runs this file as a check of checktype external-perl.
fn perl(file: &Path) -> Output {
    let members = format!("\tchecktype = external-perl\n\tcheckcommand = {}\n", file.display());
    let argv = program(&members).argv;
    let known = ["192.0.2.1", "80", "192.0.2.9", "81"];
    let names = ["{virtual_address}", "{virtual_port}", "{address}", "{port}"];
    let fill = |word: &String| match names.iter().position(|name| name == word) {
        Some(at) => known[at].to_owned(),
        None => word.clone(),
    };
    let words: Vec<String> = argv.iter().map(fill).collect();
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn k09_external_perl_is_up_when_the_script_returns_or_ends_with_0() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("check");
    let up = |script: &str| {
        std::fs::write(&file, script).unwrap();
        perl(&file).status.success()
    };
    for script in [
        "",
        "#!/usr/bin/perl -w\nuse strict;\nmy $x = 1;\nreturn 0;\n",
        "return;",
        "exit 0",
        "exit 0 # no line break at the end",
        "sub well { return $_[0] eq '192.0.2.9' }\nexit 1 unless well($ARGV[2]);",
        "exit 1 unless \"@ARGV\" eq '192.0.2.1 80 192.0.2.9 81';",
        // Nothing of ours is in the way.
        "exit 1 if defined $file || defined $text || defined $check; $text = 1; return",
    ] {
        assert!(up(script), "{script}");
    }
    for script in ["exit 3", "die 'unwell'", "no such thing;", "use strict; $x = 1;", "}", "{"] {
        assert!(!up(script), "{script}");
    }
    assert!(!perl(&folder.path().join("gone")).status.success());
    // What the owner is told of names the owner's file.
    for (script, why) in [("\ndie 'unwell'", "unwell"), ("\nuse strict; $x = 1;", "Global symbol")]
    {
        std::fs::write(&file, script).unwrap();
        let said = String::from_utf8(perl(&file).stderr).unwrap();
        assert!(said.starts_with(why), "{said}");
        assert!(said.contains(&format!("at {} line 2", file.display())), "{said}");
    }
}

/// Asks an Oracle server of which `sqlplus` is this script; what it was told, and the outcome.
fn oracle(sqlplus: &str) -> (String, bool) {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let fake = folder.path().join("sqlplus");
    let told = folder.path().join("told");
    let text = format!("#!/bin/sh\n{{ echo \"$*\"; cat; }} > {}\n{sqlplus}\n", told.display());
    std::fs::write(&fake, text).unwrap();
    std::fs::set_permissions(&fake, PermissionsExt::from_mode(0o755)).unwrap();
    let external = program(
        "\tservice = oracle\n\tlogin = \"probe\"\n\tpasswd = \"a$b&c\"\n\tdatabase = \"shop\"\n\
         \trequest = \"SELECT * FROM orders;\"\n",
    );
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/ldirectord/oracle.check");
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let mut child = Command::new(script)
        .args(["[2001:db8::9]", "1521"])
        .arg(&external.argv[3])
        .env("PATH", path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(external.input.unwrap().as_bytes()).unwrap();
    let up = child.wait().unwrap().success();
    (std::fs::read_to_string(told).unwrap(), up)
}

#[test]
fn oracle_is_up_when_the_query_yields_a_row_and_no_command_line_has_the_password() {
    let (told, up) = oracle("echo arow");
    assert!(up);
    let place = "(DESCRIPTION=(ADDRESS=(PROTOCOL=TCP)(HOST=2001:db8::9)(PORT=1521))\
                 (CONNECT_DATA=(SID=shop)))";
    assert!(told.contains(&format!("CONNECT \"probe\"/\"a$b&c\"@{place}\n")), "{told}");
    assert!(told.contains("(\nSELECT * FROM orders\n) WHERE ROWNUM = 1;\n"), "{told}");
    let (arguments, _) = told.split_once('\n').unwrap();
    assert!(!arguments.contains("a$b&c"), "{told}");
    for down in ["exit 1", "echo arow; exit 1", "exit 0", "echo SP2-0640: Not connected"] {
        assert!(!oracle(down).1, "{down}");
    }
}
