//! MySQL as it is played by a few lines, with a cache that does not know us.

use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeySize, OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use directord::model::SqlProbe;

use super::*;

const NONCE: &[u8; 20] = b"abcdefghijklmnopqrst";
const OK: &[u8] = b"\x07\0\0\x02\0\0\0\x02\0\0\0";
const END: &[u8] = b"\x05\0\0\x03\xfe\0\0\x02\0";

fn mysql(request: Option<&str>) -> Probe {
    Probe::Mysql(Box::new(SqlProbe {
        login: "joe".into(),
        password: "hush".into(),
        database: String::new(),
        request: request.map(str::to_owned),
    }))
}

async fn ask(endpoint: Endpoint, probe: Probe) -> Outcome {
    ask_within(endpoint, probe, 3000).await
}

fn packet(number: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
    [&length[..3], &[number], payload].concat()
}

fn greeting(method: &str) -> Vec<u8> {
    let (first, second) = NONCE.split_at(8);
    let head = [b"\x0a8.0.36\0\x07\0\0\0", first, b"\0\xff\xff\x2d\x02\0\xff\xff\x15"].concat();
    packet(0, &[&head[..], &[0; 10], second, b"\0", method.as_bytes(), b"\0"].concat())
}

fn native() -> Vec<u8> {
    greeting("mysql_native_password")
}

#[tokio::test]
async fn a_row_passes_and_none_does_not() {
    let head = [packet(1, b"\x01"), packet(2, b"\x03def"), END.into()].concat();
    let row = [&head[..], &packet(4, b"\x011")].concat();
    let there = talking(native(), vec![OK.into(), row]).await;
    assert_eq!(ask(there, mysql(None)).await, Outcome::Pass);
    assert_eq!(ask(there, mysql(Some("SELECT 1"))).await, Outcome::Pass);
    let empty = talking(native(), vec![OK.into(), [&head[..], END].concat()]).await;
    let said = ask(empty, mysql(Some("SELECT 1"))).await;
    assert_eq!(said, fail("mysql: the query yields no row"));
}

#[tokio::test]
async fn f04_a_database_that_hangs_costs_its_probe_no_more_than_the_deadline() {
    let silent = talking("", vec![]).await;
    let said = ask_within(silent, mysql(None), 300).await;
    assert_eq!(said, fail("mysql login: timed out after 300 ms"));
    let tired = talking(native(), vec![OK.into()]).await;
    let said = ask_within(tired, mysql(Some("SELECT SLEEP(60)")), 300).await;
    assert_eq!(said, fail("mysql query: timed out after 300 ms"));
}

#[tokio::test]
async fn a_query_is_asked_once() {
    let (heard, mut queries) = tokio::sync::mpsc::unbounded_channel();
    let there = server(move |mut client, _| {
        let heard = heard.clone();
        async move {
            let _ = client.write_all(&native()).await;
            let mut space = [0; 4096];
            let _ = client.read(&mut space).await;
            let _ = client.write_all(OK).await;
            while let Ok(length @ 1..) = client.read(&mut space).await {
                heard.send(space[4..length].to_vec()).unwrap();
                let row = [packet(1, b"\x01"), packet(2, b"d"), END.into(), packet(4, b"\x011")];
                let _ = client.write_all(&row.concat()).await;
            }
        }
    })
    .await;
    assert_eq!(ask(there, mysql(Some("SELECT 1"))).await, Outcome::Pass);
    assert_eq!(queries.recv().await.unwrap(), b"\x03SELECT 1");
    // And then goodbye.
    assert_eq!(queries.recv().await.unwrap(), b"\x01");
}

#[tokio::test]
async fn hostile_servers_end_as_failures() {
    let ssh = talking("SSH-2.0-x\r\n", vec![]).await;
    let said = reason(ask(ssh, mysql(None)).await);
    assert_eq!(said, "mysql: a message of 4739927 bytes, more than 262144");
    let unready = talking(packet(0, b"\xff\x10\x04Too many connections"), vec![]).await;
    assert_eq!(ask(unready, mysql(None)).await, fail("mysql: too many connections"));
    let thief = talking(native(), vec![packet(2, b"\xfemysql_clear_password\0")]).await;
    let said = reason(ask(thief, mysql(None)).await);
    assert_eq!(said, "mysql: asks for the password in the clear, which it is not given");
    let closing = server(|mut client, _| async move {
        let _ = client.write_all(&native()[..9]).await;
    })
    .await;
    let said = ask(closing, mysql(None)).await;
    assert_eq!(said, fail("mysql: connection closed in the middle of a message"));
    // Columns without end.
    let wide = [OK, &packet(1, b"\xfc\xff\xff")].concat();
    let wide = server(move |mut client, _| {
        let wide = wide.clone();
        async move {
            let _ = client.write_all(&native()).await;
            let _ = client.read(&mut [0; 4096]).await;
            let _ = client.write_all(&wide).await;
            let column = packet(2, &[b'x'; 1000]);
            while client.write_all(&column).await.is_ok() {}
        }
    })
    .await;
    let said = ask_within(wide, mysql(Some("SELECT 1")), 20_000).await;
    assert_eq!(said, fail("mysql: says more than 1048576 bytes"));
}

/// MySQL 8 after a restart: its cache is empty, so it wants the password itself, sealed.
#[tokio::test]
async fn a_password_the_server_has_not_cached_is_sealed_with_its_key() {
    let private = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
    let public: PublicKeyX509Der<'_> = private.public_key().as_der().unwrap();
    let pem = pem(public.as_ref());
    let private = Arc::new(OaepPrivateDecryptingKey::new(private).unwrap());
    let there = server(move |mut client, _| {
        let (private, pem) = (private.clone(), pem.clone());
        async move {
            let _ = client.write_all(&greeting("caching_sha2_password")).await;
            let mut space = [0; 4096];
            let _login = client.read(&mut space).await.unwrap();
            let _ = client.write_all(&packet(2, b"\x01\x04")).await;
            let asked = client.read(&mut space).await.unwrap();
            assert_eq!(space[..asked], packet(3, b"\x02"));
            let _ = client.write_all(&packet(4, &[b"\x01", pem.as_bytes()].concat())).await;
            let sealed = client.read(&mut space).await.unwrap();
            let mut plain = [0; 512];
            let plain =
                private.decrypt(&OAEP_SHA1_MGF1SHA1, &space[4..sealed], &mut plain, None).unwrap();
            let password: Vec<u8> =
                plain.iter().zip(NONCE.iter().cycle()).map(|(a, b)| a ^ b).collect();
            let right = password == b"hush\0";
            let denied = packet(6, b"\xff\x15\x04#28000Access denied for user 'joe'");
            let _ = client.write_all(if right { OK } else { &denied }).await;
            let _ = client.read(&mut space).await;
        }
    })
    .await;
    assert_eq!(ask(there, mysql(None)).await, Outcome::Pass);
}

/// A public key as MySQL sends it.
fn pem(der: &[u8]) -> String {
    use std::fmt::Write;
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in der.chunks(3) {
        let bits = group.iter().fold(1u32, |bits, &byte| bits << 8 | u32::from(byte));
        let bits = bits << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = char::from(digits[(bits >> (18 - 6 * place) & 63) as usize]);
            text.push(if place <= group.len() { digit } else { '=' });
        }
    }
    let mut out = "-----BEGIN PUBLIC KEY-----\n".to_owned();
    for line in text.as_bytes().chunks(64) {
        writeln!(out, "{}", str::from_utf8(line).unwrap()).unwrap();
    }
    out + "-----END PUBLIC KEY-----\n"
}
