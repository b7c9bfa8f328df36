//! TLS servers: good, untrusted, broken, and none at all.

use std::path::PathBuf;
use std::sync::Arc;

use directord::model::Tls;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;

use super::*;

/// What accepts TLS by a certificate of its own for `www.example.com`, and the certificate in PEM
/// form.
pub(super) fn acceptor() -> (TlsAcceptor, String) {
    let names = ["www.example.com".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), made.cert.pem())
}

/// A server of one page, and its certificate in PEM form.
async fn page(text: &'static str) -> (Endpoint, String) {
    let (acceptor, pem) = acceptor();
    let endpoint = server(move |client, _| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut client) = acceptor.accept(client).await else { return };
            let asked = request(&mut client).await;
            let sni = client.get_ref().1.server_name().unwrap_or("none").to_owned();
            let answer = format!("HTTP/1.1 200 OK\r\n\r\n{text} sni={sni} {asked}");
            let _ = client.write_all(answer.as_bytes()).await;
            // Closed without a goodbye, as many servers do.
            let _ = client.flush().await;
        }
    })
    .await;
    (endpoint, pem)
}

fn https(verify: bool, ca_file: Option<PathBuf>) -> HttpProbe {
    let ca_file = ca_file.map(|path| path.to_str().unwrap().to_owned());
    HttpProbe { tls: Some(Tls { verify, ca_file }), ..http() }
}

#[tokio::test]
async fn f22_d03_a_certificate_of_its_own_passes_unless_verified_and_sni_is_the_host() {
    let (endpoint, _) = page("a test page").await;
    let receive = |pattern: &str| Some(pattern.to_owned());
    let plain = https(false, None);
    assert_eq!(ask(endpoint, plain.clone()).await, Outcome::Pass);
    // Nobody is called by an address.
    let nameless = HttpProbe { receive: receive("test page sni=none"), ..plain.clone() };
    assert_eq!(ask(endpoint, nameless).await, Outcome::Pass);
    let named = HttpProbe {
        host: Some("www.example.com:443".into()),
        receive: receive("sni=www.example.com GET"),
        ..plain.clone()
    };
    assert_eq!(ask(endpoint, named).await, Outcome::Pass);
    let odd = HttpProbe { host: Some("not a name".into()), ..plain };
    assert_eq!(ask(endpoint, odd).await, Outcome::Pass);
    if std::path::Path::new("/etc/ssl/certs/ca-certificates.crt").exists() {
        let strict = HttpProbe { host: Some("www.example.com".into()), ..https(true, None) };
        let said = reason(ask(endpoint, strict).await);
        assert!(said.starts_with("tls: invalid peer certificate"), "{said}");
    }
}

#[tokio::test]
async fn a_certificate_is_verified_against_the_file_and_the_name() {
    let (endpoint, pem) = page("x").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("roots.pem");
    std::fs::write(&file, pem).unwrap();
    let named =
        |name: &str| HttpProbe { host: Some(name.to_owned()), ..https(true, Some(file.clone())) };
    assert_eq!(ask(endpoint, named("www.example.com")).await, Outcome::Pass);
    let said = reason(ask(endpoint, named("www.example.org")).await);
    assert!(said.starts_with("tls: invalid peer certificate: certificate not valid for"), "{said}");
}

#[tokio::test]
async fn roots_that_cannot_be_read_are_the_directors_trouble() {
    let (endpoint, _) = page("x").await;
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "no certificate").unwrap();
    for file in [folder.path().to_owned(), folder.path().join("missing"), empty, "/dev/zero".into()]
    {
        let said = ask(endpoint, https(true, Some(file))).await;
        let Outcome::Local(reason) = &said else { panic!("{said:?}") };
        assert!(reason.starts_with("tls: read roots from /"), "{reason}");
    }
}

#[tokio::test]
async fn broken_tls_is_a_failure_in_words() {
    let plain = answering("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    // The server waits for a blank line that a TLS greeting does not have, and answers by itself.
    let chatty = server(|mut client, _| async move {
        let _ = client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let _ = client.read(&mut [0; 1024]).await;
    })
    .await;
    assert_eq!(ask(chatty, https(false, None)).await, fail("tls: the server does not speak TLS"));
    let said = ask_within(plain, Probe::Http(Box::new(https(false, None))), 300).await;
    assert_eq!(said, fail("tls: timed out after 300 ms"));

    let closing = server(|mut client, _| async move {
        let _ = client.read(&mut [0; 4096]).await;
    })
    .await;
    let said = ask(closing, https(false, None)).await;
    assert_eq!(said, fail("tls: connection closed during the handshake"));

    // A handshake record, then noise.
    let garbage = server(|mut client, _| async move {
        let _ = client.read(&mut [0; 4096]).await;
        let _ = client.write_all(&[22, 3, 3, 0, 40, 2, 0, 0, 36]).await;
        while client.write_all(&[0xa5; 512]).await.is_ok() {}
    })
    .await;
    let said = reason(ask(garbage, https(false, None)).await);
    assert!(said.starts_with("tls: "), "{said}");
}
