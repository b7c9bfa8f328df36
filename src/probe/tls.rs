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
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, InvalidMessage, RootCertStore, SignatureScheme,
};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::evidence;
use super::miss::{Miss, Phase, Progress, describe};
use crate::model::{Endpoint, Tls};

/// Where Debian and its kin keep the roots of the system.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The largest file of roots read, in bytes; the system's is a quarter of a megabyte.
const MAX_ROOTS: u64 = 8 << 20;

/// Sets of roots kept. More are read again each time rather than kept.
const KEPT: usize = 64;

/// Files of roots looked at at once. A disk that hangs takes a thread for each, and gives none
/// back.
const AT_ONCE: usize = 8;

/// Client settings, one for each way of verifying.
pub(super) struct Configs {
    kept: Arc<Cache>,
    places: Arc<Semaphore>,
}

impl Default for Configs {
    fn default() -> Configs {
        Configs { kept: Arc::default(), places: Arc::new(Semaphore::new(AT_ONCE)) }
    }
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
    async fn config(&self, tls: &Tls, progress: &Progress) -> Result<Arc<ClientConfig>, Miss> {
        if !tls.verify {
            return self.kept.config(None);
        }
        progress.enter(Phase::Roots);
        let broken = || Miss::Local("tls: the reading of roots was broken off".into());
        let place = self.places.clone().acquire_owned().await.map_err(|_| broken())?;
        let kept = self.kept.clone();
        let file = tls.ca_file.as_deref().unwrap_or(SYSTEM_ROOTS).to_owned();
        let reading = tokio::task::spawn_blocking(move || {
            // Held by the thread, not by the probe: a probe that gave up has not freed it.
            let _place = place;
            kept.config(Some(&file))
        });
        let config = reading.await.map_err(|_| broken())?;
        progress.enter(Phase::Tls);
        config
    }
}

impl Cache {
    /// Blocks where there is a file, and not by the lock, which is never held over a read.
    fn config(&self, file: Option<&str>) -> Result<Arc<ClientConfig>, Miss> {
        let stamp = file.map(stamp).transpose()?;
        let key = file.map(str::to_owned);
        // A file that was replaced is read again: roots change without the configuration.
        if let Some(known) = self.lock().get(&key).filter(|known| known.stamp == stamp) {
            return Ok(known.config.clone());
        }
        let config = Arc::new(build(file)?);
        let mut kept = self.lock();
        if kept.len() < KEPT || kept.contains_key(&key) {
            kept.insert(key, Kept { config: config.clone(), stamp });
        }
        Ok(config)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Option<String>, Kept>> {
        // A poisoned lock only means that another thread panicked between two whole states.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        Some(Error::PeerIncompatible(why)) => {
            format!("nothing in common with the server, which may be too old: {why:?}")
        }
        _ => describe(error),
    }
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

    #[tokio::test]
    async fn roots_on_a_disk_that_hangs_hold_up_nobody_and_are_not_held_against_the_server() {
        let (configs, progress) = (Configs::default(), Progress::default());
        // As many readings as may hang do.
        let hung = configs.places.clone().acquire_many_owned(AT_ONCE as u32).await.unwrap();
        let strict = Tls { verify: true, ca_file: Some("/nowhere".into()) };
        let mut waiting = pin!(configs.config(&strict, &progress));
        let limit = Duration::from_millis(10);
        assert!(timeout(limit, &mut waiting).await.is_err());
        assert_eq!(progress.timed_out(limit), no_roots(limit));
        let lax = Tls { verify: false, ca_file: None };
        assert!(configs.config(&lax, &Progress::default()).await.is_ok());
        drop(hung);
        let missing = "tls: read roots from /nowhere: no such file or directory";
        assert_eq!(waiting.await.unwrap_err(), Miss::Local(missing.into()));
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
}
