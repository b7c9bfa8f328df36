//! PostgreSQL as it is played by a few lines.

use directord::model::SqlProbe;

use super::*;

const LOGGED_IN: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";
const COLUMNS: &[u8] = b"T\0\0\0\x06\0\x01";
const NO_ROW: &[u8] = b"C\0\0\0\x0dSELECT 0\0Z\0\0\0\x05I";

fn pgsql(request: Option<&str>) -> Probe {
    Probe::Pgsql(Box::new(SqlProbe {
        login: "joe".into(),
        password: "hush".into(),
        database: String::new(),
        request: request.map(str::to_owned),
    }))
}

async fn ask(endpoint: Endpoint, probe: Probe) -> Outcome {
    ask_within(endpoint, probe, 3000).await
}

#[tokio::test]
async fn a_row_passes_and_none_does_not() {
    // A row of a gigabyte, of which nobody waits for more than the beginning.
    let row = [COLUMNS, b"D\x40\0\0\0"].concat();
    let there = talking("", vec![LOGGED_IN.into(), row]).await;
    assert_eq!(ask(there, pgsql(None)).await, Outcome::Pass);
    assert_eq!(ask(there, pgsql(Some("SELECT 1"))).await, Outcome::Pass);
    let empty = talking("", vec![LOGGED_IN.into(), [COLUMNS, NO_ROW].concat()]).await;
    let said = ask(empty, pgsql(Some("SELECT 1"))).await;
    assert_eq!(said, fail("pgsql: the query yields no row"));
}

#[tokio::test]
async fn f04_a_database_that_hangs_costs_its_probe_no_more_than_the_deadline() {
    let silent = talking("", vec![]).await;
    let said = ask_within(silent, pgsql(None), 300).await;
    assert_eq!(said, fail("pgsql login: timed out after 300 ms"));
    let tired = talking("", vec![LOGGED_IN.into()]).await;
    let said = ask_within(tired, pgsql(Some("SELECT pg_sleep(60)")), 300).await;
    assert_eq!(said, fail("pgsql query: timed out after 300 ms"));
}

#[tokio::test]
async fn hostile_servers_end_as_failures() {
    let ssh = talking("SSH-2.0-x\r\n", vec![]).await;
    let said = ask(ssh, pgsql(None)).await;
    assert_eq!(said, fail(r#"pgsql: not PostgreSQL: "SSH-2.0-x\r\n""#));
    let skipping = b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0R\0\0\0\x08\0\0\0\0".to_vec();
    let skipping = talking("", vec![skipping]).await;
    let said = ask(skipping, pgsql(None)).await;
    assert_eq!(said, fail("pgsql: a message that cannot be read"));
    let notices = endless(b"N\0\0\0\x04").await;
    let said = ask_within(notices, pgsql(None), 20_000).await;
    assert_eq!(said, fail("pgsql: says more than 1048576 bytes"));
    let closing = server(|mut client, _| async move {
        let _ = client.read(&mut [0; 100]).await;
    })
    .await;
    assert_eq!(ask(closing, pgsql(None)).await, fail("pgsql: connection closed"));
}
