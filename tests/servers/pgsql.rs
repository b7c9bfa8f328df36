//! PostgreSQL.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use directord::model::{Endpoint, Outcome, Probe, SqlProbe};
use nix::unistd::User;

use crate::harness::{self, Daemon, ask, ask_within, at, reason};

/// Where Debian keeps the programs of the newest version installed.
fn programs() -> Option<PathBuf> {
    harness::installed("pg_lsclusters", "postgresql")?;
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let versions = versions.flatten().map(|version| version.path().join("bin"));
    versions.filter(|bin| bin.join("initdb").exists()).max()
}

/// PostgreSQL with a user for each way of showing a password, with TLS or without: `sealed` is
/// let in with TLS only, `bare` without only.
fn postgres(tls: bool) -> Option<(Daemon, Endpoint)> {
    let bin = programs()?;
    let folder = harness::folder();
    let path = folder.path();
    let data = path.join("data");
    std::fs::write(path.join("password"), "hush\n").unwrap();
    harness::certificate(path);
    for secret in [path, &path.join("key")] {
        chown_to_postgres(secret);
    }
    std::fs::set_permissions(path.join("key"), Permissions::from_mode(0o600)).unwrap();
    let mut create = as_postgres(&bin.join("initdb"));
    create.args(["-N", "-A", "scram-sha-256", "-U", "admin", "--no-locale", "-E", "UTF8"]);
    create.arg("--pwfile").arg(path.join("password")).arg("-D").arg(&data);
    harness::run(&mut create);
    let rules = "host all md5user 127.0.0.1/32 md5\n\
                 host all clear 127.0.0.1/32 password\n\
                 host all barred 127.0.0.1/32 reject\n\
                 hostssl all sealed 127.0.0.1/32 scram-sha-256\n\
                 hostnossl all bare 127.0.0.1/32 scram-sha-256\n\
                 host all sealed,bare 127.0.0.1/32 reject\n\
                 host all all 127.0.0.1/32 scram-sha-256\n";
    std::fs::write(data.join("pg_hba.conf"), rules).unwrap();
    let accounts = "CREATE ROLE joe LOGIN PASSWORD 'hush';
        CREATE ROLE sealed LOGIN PASSWORD 'hush';
        CREATE ROLE bare LOGIN PASSWORD 'hush';
        SET password_encryption = 'md5';
        CREATE ROLE md5user LOGIN PASSWORD 'hush';
        CREATE ROLE clear LOGIN PASSWORD 'hush';
        CREATE TABLE goods AS SELECT repeat('x', 500000) AS name;
        CREATE TABLE sold (name text);
        GRANT SELECT ON goods, sold TO joe;\n";
    // The server alone, on its standard input: one statement at each line that ends.
    let statements = path.join("accounts.sql");
    std::fs::write(&statements, one_a_line(accounts)).unwrap();
    let mut single = as_postgres(&bin.join("postgres"));
    single.arg("--single").arg("-D").arg(&data).arg("postgres");
    harness::run_with_input(&mut single, &statements);

    let port = harness::free_port();
    let mut command = as_postgres(&bin.join("postgres"));
    command.args(["-F", "-h", "127.0.0.1", "-p"]).arg(port.to_string());
    command.arg("-D").arg(&data).arg("-k").arg(path);
    if tls {
        command.args(["-c", "ssl=on"]);
        for (setting, file) in [("ssl_cert_file", "certificate"), ("ssl_key_file", "key")] {
            command.arg("-c").arg(format!("{setting}={}", path.join(file).display()));
        }
    }
    let daemon = Daemon::start(folder, command).passing(at(port), &query("SELECT 1"));
    Some((daemon, at(port)))
}

fn one_a_line(statements: &str) -> String {
    statements
        .split(';')
        .map(|s| s.split_whitespace().collect::<Vec<_>>().join(" ") + "\n")
        .collect()
}

/// PostgreSQL does not run as root.
fn as_postgres(program: &Path) -> Command {
    let mut command = Command::new(program);
    if let Some(user) = postgres_user() {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw()).current_dir("/");
    }
    command
}

fn chown_to_postgres(path: &Path) {
    if let Some(user) = postgres_user() {
        chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
    }
}

/// Whom Debian's package makes for it, where this test is root and can become anybody.
fn postgres_user() -> Option<User> {
    let root = nix::unistd::Uid::effective().is_root();
    root.then(|| User::from_name("postgres").unwrap().expect("the package made the user"))
}

fn sql(login: &str, password: &str, request: Option<&str>) -> Probe {
    let (login, password, database) = (login.into(), password.into(), "postgres".into());
    let request = request.map(str::to_owned);
    Probe::Pgsql(Box::new(SqlProbe { login, password, database, request }))
}

fn query(request: &str) -> Probe {
    sql("joe", "hush", Some(request))
}

#[test]
fn postgresql_passes_refuses_and_hangs() {
    let Some((daemon, server)) = postgres(false) else { return };
    for probe in [
        sql("joe", "hush", None),
        sql("md5user", "hush", None),
        sql("clear", "hush", None),
        query("SELECT 1"),
        query("SELECT NULL"),
        query("SELECT name FROM goods"),
        query("SELECT FROM goods"),
        query("SHOW server_version"),
    ] {
        assert_eq!(ask(server, probe.clone()), Outcome::Pass, "{probe:?}");
    }
    for (probe, expected) in [
        (sql("joe", "wrong", None), "password authentication failed for user 'joe'"),
        (sql("md5user", "wrong", None), "password authentication failed for user 'md5user'"),
        (sql("clear", "wrong", None), "password authentication failed for user 'clear'"),
        (query("SELECT name FROM sold"), "the query yields no row"),
        (query("SELECT name FROM lost"), "relation 'lost' does not exist"),
        (query("SET TIME ZONE UTC"), "the query yields no row"),
        (query("COPY goods TO STDOUT"), "the query copies instead of asking"),
    ] {
        let said = reason(ask(server, probe));
        assert_eq!(said, format!("pgsql: {expected}"));
    }
    let said = reason(ask(server, sql("barred", "hush", None)));
    assert!(said.starts_with("pgsql: pg_hba.conf rejects connection for host"), "{said}");
    let said = reason(ask_within(server, query("SELECT pg_sleep(60)"), 500));
    assert_eq!(said, "pgsql query: timed out after 500 ms");
    daemon.freeze();
    let said = reason(ask_within(server, query("SELECT 1"), 300));
    assert_eq!(said, "pgsql login: timed out after 300 ms");
}

#[test]
fn postgresql_that_wants_tls_gets_it_and_one_that_refuses_it_does_not() {
    let Some((daemon, server)) = postgres(true) else { return };
    for login in ["joe", "md5user", "clear", "sealed", "bare"] {
        assert_eq!(ask(server, sql(login, "hush", Some("SELECT 1"))), Outcome::Pass, "{login}");
    }
    let refused = "pgsql: password authentication failed for user";
    let said = reason(ask(server, sql("joe", "wrong", None)));
    assert_eq!(said, format!("{refused} 'joe'"));
    let said = reason(ask(server, sql("sealed", "wrong", None)));
    let elsewhere = "; without TLS: pg_hba.conf rejects connection for host";
    assert!(said.starts_with(&format!("{refused} 'sealed'{elsewhere}")), "{said}");
    let said = reason(ask(server, query("SELECT name FROM lost")));
    assert_eq!(said, "pgsql: relation 'lost' does not exist");
    // Two failed logins of sealed and joe each, and none of what was let in.
    let lost = daemon.log().lines().filter(|line| line.contains("SSL error")).count();
    assert_eq!(lost, 0, "{}", daemon.log());
    let mine = "SELECT FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl";
    assert_eq!(ask(server, query(mine)), Outcome::Pass);
    daemon.freeze();
    let said = reason(ask_within(server, query("SELECT 1"), 300));
    assert_eq!(said, "pgsql login: timed out after 300 ms");
}
