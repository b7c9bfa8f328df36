//! Directories that answer something else, too much, or nothing.

use directord::model::LdapProbe;

use super::*;

const BOUND: &[u8] = b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\0\x04\0\x04\0";
const ENTRY: &[u8] = b"\x30\x0c\x02\x01\x02\x64\x07\x04\x03o=x\x30\0";
const DONE: &[u8] = b"\x30\x0c\x02\x01\x02\x65\x07\x0a\x01\0\x04\0\x04\0";

fn ldap(receive: Option<&str>) -> Probe {
    let receive = receive.map(str::to_owned);
    Probe::Ldap(Box::new(LdapProbe {
        tls: None,
        host: None,
        login: None,
        base: "o=x".into(),
        receive,
    }))
}

async fn ask(endpoint: Endpoint, probe: Probe) -> Outcome {
    ask_within(endpoint, probe, 3000).await
}

#[tokio::test]
async fn one_entry_passes_and_its_name_is_matched() {
    let there = talking("", vec![BOUND.into(), [ENTRY, DONE].concat()]).await;
    assert_eq!(ask(there, ldap(None)).await, Outcome::Pass);
    assert_eq!(ask(there, ldap(Some("^o=x$"))).await, Outcome::Pass);
    let said = ask(there, ldap(Some("o=y"))).await;
    assert_eq!(said, fail(r#"receive: /o=y/ not found in the 3 bytes: "o=x""#));
    let empty = talking("", vec![BOUND.into(), DONE.into()]).await;
    assert_eq!(ask(empty, ldap(None)).await, fail("ldap: no entry o=x"));
}

#[tokio::test]
async fn a_directory_that_hangs_is_left_where_it_hung() {
    let silent = talking("", vec![]).await;
    let said = ask_within(silent, ldap(None), 300).await;
    assert_eq!(said, fail("ldap bind: timed out after 300 ms"));
    let tired = talking("", vec![BOUND.into(), ENTRY.into()]).await;
    let said = ask_within(tired, ldap(None), 300).await;
    assert_eq!(said, fail("ldap search: timed out after 300 ms"));
}

#[tokio::test]
async fn hostile_directories_end_as_failures() {
    let ssh = talking("SSH-2.0-x\r\n", vec![]).await;
    assert_eq!(ask(ssh, ldap(None)).await, fail(r#"ldap: not LDAP: "SSH-2.0-x\r\n""#));
    let boasting = talking("", vec![b"\x30\x84\x7f\xff\xff\xff".into()]).await;
    let reason = "ldap: a message of 2147483653 bytes, more than 262144";
    assert_eq!(ask(boasting, ldap(None)).await, fail(reason));
    let closing = server(|mut client, _| async move {
        let _ = client.read(&mut [0; 100]).await;
        let _ = client.write_all(&BOUND[..5]).await;
    })
    .await;
    let reason = "ldap: connection closed in the middle of a message";
    assert_eq!(ask(closing, ldap(None)).await, fail(reason));
    // References to elsewhere, without end.
    let references = server(|mut client, _| async move {
        let _ = client.write_all(BOUND).await;
        while client.write_all(b"\x30\x05\x02\x01\x02\x73\0").await.is_ok() {}
    })
    .await;
    let said = ask_within(references, ldap(None), 20_000).await;
    assert_eq!(said, fail("ldap: says more than 1048576 bytes"));
}
