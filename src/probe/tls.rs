//! TLS towards real servers.
//!
//! By default nothing is verified: a check asks whether a server works, and real servers
//! commonly carry certificates for the service's name, of the site's own making, or none that a
//! verifier of today would look at. What is encrypted is then still a proof that the server can
//! carry out a handshake with its key, which is what a client needs of it.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, InvalidMessage, RootCertStore,
    SignatureScheme,
};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::evidence;
use super::miss::{Miss, Phase, Progress, describe};
use crate::model::{Endpoint, Tls};
use crate::mutex::lock;

/// Where Debian and its kin keep the roots of the system.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The largest file of roots read, in bytes; the system's is a quarter of a megabyte.
const MAX_ROOTS: u64 = 8 << 20;

/// Sets of roots kept. More are read again each time rather than kept.
const KEPT: usize = 64;

/// Files of roots looked at at once, the system's left out. A disk that hangs takes a thread for
/// each, and gives none back.
const AT_ONCE: usize = 64;

/// How long those who know a file's roots wait to be told that it has not changed.
const PATIENCE: Duration = Duration::from_millis(100);

/// Client settings, one for each way of verifying.
pub(super) struct Configs {
    kept: Arc<Cache>,
    readings: Arc<Readings>,
    places: Arc<Semaphore>,
}

impl Default for Configs {
    fn default() -> Configs {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        Configs { kept: Arc::default(), readings: Arc::default(), places }
    }
}

/// The readings under way, by their file: one of each and no more, whose answer is everybody's.
/// So a file that hangs takes one thread, however many ask for it and however often.
#[derive(Default)]
struct Readings(Mutex<HashMap<String, Reading>>);

/// What a reading yields.
type Answer = Result<Arc<ClientConfig>, Miss>;

/// A reading, and where its answer will be.
#[derive(Clone)]
struct Reading {
    began: Instant,
    answer: watch::Receiver<Option<Answer>>,
}

/// Keeps a file among the readings under way until whoever reads it comes back.
struct UnderWay {
    readings: Arc<Readings>,
    file: String,
}

/// By the file the settings were made from; those that verify nothing have none.
#[derive(Default)]
struct Cache(Mutex<HashMap<Option<String>, Kept>>);

/// Settings and the state of the file they were made from.
#[derive(Clone)]
struct Kept {
    config: Arc<ClientConfig>,
    stamp: Option<(SystemTime, u64)>,
}

impl Configs {
    /// A handshake over `tcp` with the server called `name`, or an address. A name goes into SNI.
    pub async fn open(
        &self,
        tcp: TcpStream,
        name: &str,
        tls: &Tls,
        progress: &Progress,
    ) -> Result<Box<TlsStream<TcpStream>>, Miss> {
        progress.enter(Phase::Tls);
        let config = self.config(tls, progress).await?;
        let server = match ServerName::try_from(name.to_owned()) {
            Ok(server) => server,
            // Not a name that could be sent or compared; nothing is compared.
            Err(_) if !tls.verify => ServerName::from(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            Err(_) => {
                let shown = evidence::text(name);
                return Err(Miss::Local(format!("tls: {shown} cannot be the name of a server")));
            }
        };
        // The handshake takes two flights, and the second must not wait for an acknowledgement.
        tcp.set_nodelay(true).map_err(|error| Miss::fail(Phase::Tls, &error))?;
        match Box::pin(TlsConnector::from(config).connect(server, tcp)).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(Miss::Fail(format!("tls: {}", refusal(&error)))),
        }
    }

    /// The settings for this, by files read where a disk that hangs holds nobody up.
    async fn config(&self, tls: &Tls, progress: &Progress) -> Answer {
        if !tls.verify {
            return self.kept.config(None);
        }
        progress.enter(Phase::Roots);
        let config = self.roots(tls.ca_file.as_deref().unwrap_or(SYSTEM_ROOTS)).await;
        progress.enter(Phase::Tls);
        config
    }

    /// What the file holds now; what it held before, while that cannot be told.
    async fn roots(&self, file: &str) -> Answer {
        let reading = self.reading(file);
        let patience = reading.began + PATIENCE;
        match self.kept.known(file) {
            None => reading.answer().await,
            Some(known) => {
                timeout_at(patience, reading.answer()).await.unwrap_or_else(|_| Ok(known))
            }
        }
    }

    /// The reading of this file that is under way, or else a new one.
    fn reading(&self, file: &str) -> Reading {
        let (tells, answer) = watch::channel(None);
        let fresh = Reading { began: Instant::now(), answer };
        {
            let mut readings = lock(&self.readings.0);
            if let Some(reading) = readings.get(file) {
                return reading.clone();
            }
            readings.insert(file.to_owned(), fresh.clone());
        }
        // Without the lock, which is needed again where no task can be begun any more.
        self.begin(file, tells);
        fresh
    }

    /// Has the file read, unless it is known and has not changed, on a thread that may hang.
    fn begin(&self, file: &str, tells: watch::Sender<Option<Answer>>) {
        let under_way = UnderWay { readings: self.readings.clone(), file: file.to_owned() };
        let (kept, places) = (self.kept.clone(), self.places.clone());
        tokio::spawn(async move {
            // The system's roots do not wait for the disks of others.
            let place = match under_way.file == SYSTEM_ROOTS {
                true => None,
                false => places.acquire_owned().await.ok(),
            };
            tokio::task::spawn_blocking(move || {
                // Held by the thread, not by a probe: probes that gave up have not freed it.
                let _place = place;
                let config = kept.config(Some(&under_way.file));
                // Before it is told: whoever asks once somebody was told looks anew.
                drop(under_way);
                let _ = tells.send(Some(config));
            });
        });
    }
}

impl Reading {
    async fn answer(mut self) -> Answer {
        let broken = || Miss::Local("tls: the reading of roots was broken off".into());
        let answer = self.answer.wait_for(Option::is_some).await.map_err(|_| broken())?;
        (*answer).clone().unwrap_or_else(|| Err(broken()))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        lock(&self.readings.0).remove(&self.file);
    }
}

impl Cache {
    /// Blocks where there is a file, and not by the lock, which is never held over a read.
    fn config(&self, file: Option<&str>) -> Answer {
        let stamp = file.map(stamp).transpose()?;
        let key = file.map(str::to_owned);
        // A file that was replaced is read again: roots change without the configuration.
        if let Some(known) = lock(&self.0).get(&key).filter(|known| known.stamp == stamp) {
            return Ok(known.config.clone());
        }
        let config = Arc::new(build(file)?);
        let mut kept = lock(&self.0);
        if kept.len() < KEPT || kept.contains_key(&key) {
            kept.insert(key, Kept { config: config.clone(), stamp });
        }
        Ok(config)
    }

    /// The settings last made from this file, however it may have changed.
    fn known(&self, file: &str) -> Option<Arc<ClientConfig>> {
        lock(&self.0).get(&Some(file.to_owned())).map(|known| known.config.clone())
    }
}

/// Why a probe whose roots were not read in time says nothing about its server.
pub(super) fn no_roots(limit: Duration) -> Miss {
    let limit = evidence::duration(limit);
    Miss::Local(format!("tls: the file of roots was not read within {limit}"))
}

/// What a server is called towards TLS: as its check says, or by its address.
pub(super) fn called(host: Option<&str>, endpoint: Endpoint) -> String {
    host.map_or_else(|| endpoint.address.to_string(), str::to_owned)
}

/// The one place that names the cryptography in use.
fn provider() -> CryptoProvider {
    aws_lc_rs::default_provider()
}

fn build(roots: Option<&str>) -> Result<ClientConfig, Miss> {
    let unusable = |why: &dyn std::fmt::Display| Miss::Local(format!("tls: {why}"));
    let provider = Arc::new(provider());
    let verifier: Arc<dyn ServerCertVerifier> = match roots {
        None => Arc::new(Anyone(schemes(&provider))),
        Some(file) => {
            WebPkiServerVerifier::builder_with_provider(read_roots(file)?, provider.clone())
                .build()
                .map_err(|error| unusable(&error))?
        }
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&error))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    // A resumed session would not prove that the server still has its key.
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn read_roots(file: &str) -> Result<Arc<RootCertStore>, Miss> {
    let text = fs::read(file).map_err(|error| unreadable(file, &describe(&error)))?;
    let mut roots = RootCertStore::empty();
    // What is not a usable certificate is passed over, as every library does with the system's.
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&text).flatten());
    if roots.is_empty() {
        return Err(unreadable(file, "no certificate in PEM form in it"));
    }
    Ok(Arc::new(roots))
}

/// When the file was written and how long it is; only a plain file of bearable size has one.
fn stamp(file: &str) -> Result<(SystemTime, u64), Miss> {
    let about = fs::metadata(file).map_err(|error| unreadable(file, &describe(&error)))?;
    if !about.is_file() || about.len() > MAX_ROOTS {
        return Err(unreadable(file, "not a plain file of at most 8 MiB"));
    }
    Ok((about.modified().unwrap_or(SystemTime::UNIX_EPOCH), about.len()))
}

fn unreadable(file: &str, why: &str) -> Miss {
    Miss::Local(format!("tls: read roots from {}: {why}", evidence::text(file)))
}

/// Why a handshake failed, in words.
fn refusal(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return "connection closed during the handshake".into();
    }
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        )) => "the server does not speak TLS".into(),
        Some(Error::InvalidCertificate(why)) => {
            format!("invalid peer certificate: {}", evidence::line(unfit(why).as_bytes()))
        }
        Some(Error::AlertReceived(alert)) => {
            format!("the server breaks it off: {}", separate(&format!("{alert:?}")))
        }
        Some(Error::PeerIncompatible(why)) => {
            format!("nothing in common with the server, which may be too old: {why:?}")
        }
        _ => describe(error),
    }
}

/// Why a certificate is not taken.
fn unfit(why: &CertificateError) -> String {
    use CertificateError as Why;
    match why {
        Why::Expired | Why::ExpiredContext { .. } => "it has expired".into(),
        Why::NotValidYet | Why::NotValidYetContext { .. } => "it is not valid yet".into(),
        Why::UnknownIssuer => "it is signed by nobody in ca_file or the system's roots".into(),
        Why::NotValidForNameContext { expected, presented } => {
            let names: Vec<_> =
                presented.iter().map(|name| name.split('"').nth(1).unwrap_or(name)).collect();
            let expected = expected.to_str();
            format!("certificate not valid for {expected}, only for {}", names.join(", "))
        }
        Why::Other(other) => match other.to_string().as_str() {
            "CaUsedAsEndEntity" => "it is one for signing others (basicConstraints CA:TRUE): have \
                                    it made with CA:FALSE, or write verify: false"
                .into(),
            other => separate(other),
        },
        other => separate(&format!("{other:?}")),
    }
}

/// `HandshakeFailure` is "handshake failure".
fn separate(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && words.ends_with(char::is_lowercase) {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

/// The provider's signature schemes, and the ones with SHA-1 that old servers insist on.
fn schemes(provider: &CryptoProvider) -> Vec<SignatureScheme> {
    let mut schemes = provider.signature_verification_algorithms.supported_schemes();
    schemes.extend([SignatureScheme::RSA_PKCS1_SHA1, SignatureScheme::ECDSA_SHA1_Legacy]);
    schemes
}

/// Takes every certificate, and every signature made with it: one that no verifier of today
/// reads (RSA with 1024 bits, an expired test certificate) may still serve its clients.
#[derive(Debug)]
struct Anyone(Vec<SignatureScheme>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;

    use tokio::time::timeout;

    fn strict(file: &str) -> Tls {
        Tls { verify: true, ca_file: Some(file.to_owned()) }
    }

    /// A reading of this file that hangs until it is told an answer.
    fn hang(configs: &Configs, file: &str) -> watch::Sender<Option<Answer>> {
        let (tells, answer) = watch::channel(None);
        let reading = Reading { began: Instant::now(), answer };
        lock(&configs.readings.0).insert(file.to_owned(), reading);
        tells
    }

    fn missing() -> Miss {
        Miss::Local("tls: read roots from /nowhere: no such file or directory".into())
    }

    fn certificate() -> String {
        rcgen::generate_simple_self_signed(["x".to_owned()]).unwrap().cert.pem()
    }

    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn roots_on_a_disk_that_hangs_hold_up_nobody_and_are_not_held_against_the_server() {
        let (configs, progress) = (Configs::default(), Progress::default());
        let tells = hang(&configs, "/dead");
        let dead = strict("/dead");
        let limit = Duration::from_secs(3);
        // Check after check, and none of them takes a thread or a place.
        for _ in 0..2 * AT_ONCE {
            assert!(timeout(Duration::ZERO, configs.config(&dead, &progress)).await.is_err());
            assert_eq!(progress.timed_out(limit), no_roots(limit));
        }
        assert_eq!(configs.places.available_permits(), AT_ONCE);
        let other = timeout(LONG, configs.config(&strict("/nowhere"), &progress)).await.unwrap();
        assert_eq!(other.unwrap_err(), missing());
        let lax = Tls { verify: false, ca_file: None };
        assert!(configs.config(&lax, &progress).await.is_ok());
        // Whoever still waits is told.
        let mut waiting = pin!(configs.config(&dead, &progress));
        assert!(timeout(Duration::ZERO, &mut waiting).await.is_err());
        tells.send(Some(Err(Miss::Local("late".into())))).unwrap();
        assert_eq!(waiting.await.unwrap_err(), Miss::Local("late".into()));
    }

    #[tokio::test]
    async fn a_file_is_read_once_for_all_who_ask_meanwhile() {
        let (configs, progress) = (Configs::default(), Progress::default());
        // As many files as may hang do.
        let hung = configs.places.clone().acquire_many_owned(AT_ONCE as u32).await.unwrap();
        let nowhere = strict("/nowhere");
        let mut first = pin!(configs.config(&nowhere, &progress));
        let mut second = pin!(configs.config(&nowhere, &progress));
        assert!(timeout(Duration::ZERO, &mut first).await.is_err());
        assert!(timeout(Duration::ZERO, &mut second).await.is_err());
        assert_eq!(lock(&configs.readings.0).len(), 1);
        // The system's roots are read all the same, if it has any.
        let system = Tls { verify: true, ca_file: None };
        assert!(timeout(LONG, configs.config(&system, &progress)).await.is_ok());
        drop(hung);
        assert_eq!(first.await.unwrap_err(), missing());
        assert_eq!(second.await.unwrap_err(), missing());
        assert!(lock(&configs.readings.0).is_empty());
    }

    #[tokio::test]
    async fn roots_known_before_serve_while_their_file_hangs() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("roots.pem");
        fs::write(&file, certificate()).unwrap();
        let name = file.to_str().unwrap();
        let (configs, progress, tls) = (Configs::default(), Progress::default(), strict(name));
        let known = configs.config(&tls, &progress).await.unwrap();
        let tells = hang(&configs, name);
        for _ in 0..3 {
            let served = timeout(LONG, configs.config(&tls, &progress)).await.unwrap();
            assert!(Arc::ptr_eq(&served.unwrap(), &known));
            assert_eq!(progress.phase(), Phase::Tls);
        }
        // Once the disk is back, a file that was replaced serves the very next check.
        drop(tells);
        lock(&configs.readings.0).clear();
        fs::write(&file, certificate() + &certificate()).unwrap();
        let fresh = configs.config(&tls, &progress).await.unwrap();
        assert!(!Arc::ptr_eq(&fresh, &known));
    }

    /// A file is read on another thread: at the first look there is nothing yet.
    #[tokio::test]
    async fn roots_are_not_read_on_the_loop() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("roots.pem");
        fs::write(&file, vec![b'x'; 4 << 20]).unwrap();
        let strict = Tls { verify: true, ca_file: file.to_str().map(str::to_owned) };
        let (configs, progress) = (Configs::default(), Progress::default());
        let mut reading = pin!(configs.config(&strict, &progress));
        assert!(timeout(Duration::ZERO, &mut reading).await.is_err());
        assert!(matches!(reading.await, Err(Miss::Local(_))));
    }

    #[test]
    fn refusals_are_told_in_words() {
        let said = |error: Error| refusal(&io::Error::other(error));
        let alert = Error::AlertReceived(rustls::AlertDescription::HandshakeFailure);
        assert_eq!(said(alert), "the server breaks it off: handshake failure");
        let expected = ServerName::try_from("a.test").unwrap();
        let presented = vec![r#"DnsName("b.test")"#.to_owned(), r#"DnsName("c.test")"#.to_owned()];
        for (why, words) in [
            (CertificateError::Expired, "it has expired"),
            (CertificateError::BadSignature, "bad signature"),
            (
                CertificateError::NotValidForNameContext { expected, presented },
                "certificate not valid for a.test, only for b.test, c.test",
            ),
        ] {
            let words = format!("invalid peer certificate: {words}");
            assert_eq!(said(Error::InvalidCertificate(why)), words);
        }
    }
}
