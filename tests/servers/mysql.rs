//! MariaDB. (Debian has no MySQL; its way of logging in is played in `tests/probes/mysql.rs`.)

use std::process::Command;

use directord::model::{Endpoint, Outcome, Probe, SqlProbe};

use crate::beside::same;
use crate::harness::{self, Daemon, ask, ask_within, at, reason};

/// One statement a line.
const ACCOUNTS: &str = "\
CREATE DATABASE shop;
CREATE TABLE shop.goods (name LONGTEXT);
INSERT INTO shop.goods VALUES ('lamp'), (REPEAT('x', 500000));
CREATE TABLE shop.sold (name TEXT);
CREATE USER 'joe'@'%' IDENTIFIED BY 'hush';
GRANT SELECT ON shop.* TO 'joe'@'%';
CREATE USER 'nobody'@'%' IDENTIFIED BY '';
INSTALL SONAME 'auth_ed25519';
CREATE USER 'ed'@'%' IDENTIFIED VIA ed25519 USING PASSWORD('hush');
";

/// MariaDB with a shop, in which one user may look around.
fn mariadb() -> Option<(Daemon, Endpoint)> {
    let program = harness::installed("mariadbd", "mariadb-server")?;
    let install = harness::installed("mariadb-install-db", "mariadb-server")?;
    let folder = harness::folder();
    let path = folder.path();
    let data = path.join("data");
    let user = "--user=root";
    harness::run(
        Command::new(install)
            .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
            .arg(user)
            .arg(format!("--datadir={}", data.display())),
    );
    let accounts = path.join("accounts.sql");
    // An anonymous user of this host would be found before joe of any host.
    let text =
        format!("DELETE FROM mysql.global_priv WHERE User = '';\nFLUSH PRIVILEGES;\n{ACCOUNTS}");
    std::fs::write(&accounts, text).unwrap();
    let port = harness::free_port();
    let mut command = Command::new(program);
    command.args(["--no-defaults", user, "--bind-address=127.0.0.1", "--skip-name-resolve"]);
    command.args(["--innodb-use-native-aio=0", "--innodb-flush-method=fsync"]);
    command.args(["--innodb-buffer-pool-size=16M", "--skip-log-bin"]);
    for (key, value) in [
        ("datadir", data.display().to_string()),
        ("socket", path.join("socket").display().to_string()),
        ("pid-file", path.join("pid").display().to_string()),
        ("init-file", accounts.display().to_string()),
        ("port", port.to_string()),
    ] {
        command.arg(format!("--{key}={value}"));
    }
    let goods = query("SELECT name FROM goods");
    Some((Daemon::start(folder, command).passing(at(port), &goods), at(port)))
}

fn sql(login: &str, password: &str, database: &str, request: Option<&str>) -> Probe {
    let (login, password, database) = (login.into(), password.into(), database.into());
    let request = request.map(str::to_owned);
    Probe::Mysql(Box::new(SqlProbe { login, password, database, request }))
}

fn query(request: &str) -> Probe {
    sql("joe", "hush", "shop", Some(request))
}

#[test]
fn mariadb_passes_refuses_and_hangs() {
    let Some((daemon, server)) = mariadb() else { return };
    for probe in [
        sql("joe", "hush", "", None),
        sql("nobody", "", "", None),
        query("SELECT 1"),
        query("SELECT NULL"),
        // Half a megabyte in one row, which is more than is ever read.
        query("SELECT name FROM goods ORDER BY LENGTH(name) DESC"),
        query("SHOW TABLES"),
    ] {
        assert_eq!(ask(server, probe.clone()), Outcome::Pass, "{probe:?}");
    }
    for (probe, expected) in [
        (
            sql("joe", "wrong", "shop", None),
            "access denied for user 'joe'@'127.0.0.1' (using password: YES)",
        ),
        (sql("joe", "hush", "till", None), "access denied for user 'joe'@'%' to database 'till'"),
        (query("SELECT name FROM sold"), "the query yields no row"),
        (query("SELECT name FROM lost"), "table 'shop.lost' doesn't exist"),
        (query("DO 1"), "the query yields no row"),
        (
            sql("ed", "hush", "", None),
            r#"asks for the login method "client_ed25519", which is not known here"#,
        ),
    ] {
        let said = reason(ask(server, probe));
        assert_eq!(said, format!("mysql: {expected}"));
    }
    let said = reason(ask_within(server, query("SELECT SLEEP(60)"), 500));
    assert_eq!(said, "mysql query: timed out after 500 ms");
    daemon.freeze();
    let said = reason(ask_within(server, query("SELECT 1"), 300));
    assert_eq!(said, "mysql login: timed out after 300 ms");
}

#[test]
fn mons_monitor_finds_in_mariadb_what_debians_finds() {
    let Some((_daemon, server)) = mariadb() else { return };
    if !harness::is_there("/usr/lib/mon/mon.d/msql-mysql.monitor", "mon")
        || !harness::is_there("/usr/share/doc/libdbd-mysql-perl", "libdbd-mysql-perl")
    {
        return;
    }
    let (port, closed) = (server.port.to_string(), harness::free_port().to_string());
    for (port, login, password, database, found) in [
        (&port, "joe", "hush", "shop", ""),
        (&port, "joe", "wrong", "shop", "127.0.0.1"),
        (&port, "nobody", "", "shop", "127.0.0.1"),
        (&port, "joe", "hush", "till", "127.0.0.1"),
        (&closed, "joe", "hush", "shop", "127.0.0.1"),
    ] {
        let words = ["--mode=mysql", "--port", port, "--username", login, "--password", password];
        let words = [&words[..], &["--database", database]].concat();
        assert_eq!(same("mysql", "msql-mysql.monitor", &words, &["127.0.0.1"]), found);
    }
}
