//! How MySQL and MariaDB are shown a password without being told it. Pure.

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPublicEncryptingKey, PublicEncryptingKey};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;

/// What the server adds so that an answer is good only once.
pub(super) type Nonce = [u8; 20];

/// A way of logging in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Method {
    /// MariaDB's default, and MySQL's up to 5.7.
    Native,
    /// MySQL's from 8.0 on.
    CachingSha2,
}

impl Method {
    pub const fn name(self) -> &'static str {
        match self {
            Method::Native => "mysql_native_password",
            Method::CachingSha2 => "caching_sha2_password",
        }
    }

    pub fn named(name: &[u8]) -> Option<Method> {
        [Method::Native, Method::CachingSha2].into_iter().find(|m| m.name().as_bytes() == name)
    }

    /// Proves that we know the password. Nobody can prove to know an empty one.
    pub fn proof(self, password: &str, nonce: &Nonce) -> Vec<u8> {
        let password = password.as_bytes();
        match self {
            _ if password.is_empty() => Vec::new(),
            Method::Native => {
                let once = sha1(&[password]);
                let twice = sha1(&[once.as_ref()]);
                exclusive_or(once.as_ref(), sha1(&[nonce, twice.as_ref()]).as_ref())
            }
            Method::CachingSha2 => {
                let once = sha256(&[password]);
                let twice = sha256(&[once.as_ref()]);
                exclusive_or(once.as_ref(), sha256(&[twice.as_ref(), nonce]).as_ref())
            }
        }
    }
}

/// The password for the eyes of whoever has the private half of this key, in PEM form.
///
/// What caching_sha2_password asks for when the server's cache does not know the user: it keeps
/// no more than a salted hash, which the proof cannot be compared with. The key is taken on
/// trust, so this hides the password from listeners, not from who pretends to be the server: an
/// account for checks should be able to do nothing else.
pub(super) fn sealed(password: &str, nonce: &Nonce, pem: &[u8]) -> Result<Vec<u8>, String> {
    let unfit = "a public key that cannot be used";
    let key = SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| unfit)?;
    let key = PublicEncryptingKey::from_der(&key).map_err(|_| unfit)?;
    let key = OaepPublicEncryptingKey::new(key).map_err(|_| unfit)?;
    let mut plain = [password.as_bytes(), &[0]].concat();
    plain.iter_mut().zip(nonce.iter().cycle()).for_each(|(byte, pad)| *byte ^= pad);
    if plain.len() > key.max_plaintext_size(&OAEP_SHA1_MGF1SHA1) {
        return Err("the password is too long for the server's public key".into());
    }
    let mut sealed = vec![0; key.ciphertext_size()];
    let written = key.encrypt(&OAEP_SHA1_MGF1SHA1, &plain, &mut sealed, None);
    Ok(written.map_err(|_| unfit)?.to_vec())
}

fn exclusive_or(a: &[u8], b: &[u8]) -> Vec<u8> {
    a.iter().zip(b).map(|(a, b)| a ^ b).collect()
}

/// The protocol's choice, not ours.
fn sha1(parts: &[&[u8]]) -> Digest {
    digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &parts.concat())
}

fn sha256(parts: &[&[u8]]) -> Digest {
    digest::digest(&digest::SHA256, &parts.concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::base64;
    use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
    use aws_lc_rs::rsa::{KeySize, OaepPrivateDecryptingKey, PrivateDecryptingKey};

    const NONCE: Nonce = *b"abcdefghijklmnopqrst";

    /// What a server does with its table of users: SHA1(SHA1(password)) and the nonce are
    /// enough to check a proof, and not enough to make one.
    #[test]
    fn a_native_proof_convinces_a_server() {
        let proof = Method::Native.proof("hush", &NONCE);
        let stored = sha1(&[sha1(&[b"hush"]).as_ref()]);
        let once = exclusive_or(&proof, sha1(&[&NONCE, stored.as_ref()]).as_ref());
        assert_eq!(sha1(&[&once]).as_ref(), stored.as_ref());
        assert_eq!(Method::Native.proof("", &NONCE), b"");
    }

    #[test]
    fn a_sha2_proof_convinces_a_server() {
        let proof = Method::CachingSha2.proof("hush", &NONCE);
        let stored = sha256(&[sha256(&[b"hush"]).as_ref()]);
        let once = exclusive_or(&proof, sha256(&[stored.as_ref(), &NONCE]).as_ref());
        assert_eq!(sha256(&[&once]).as_ref(), stored.as_ref());
        assert_eq!(Method::CachingSha2.proof("", &NONCE), b"");
    }

    #[test]
    fn a_sealed_password_opens_with_the_private_key_only() {
        let private = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
        let public: PublicKeyX509Der<'_> = private.public_key().as_der().unwrap();
        let text = base64::encode(public.as_ref());
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n");
        let private = OaepPrivateDecryptingKey::new(private).unwrap();
        let open = |sealed: &[u8]| {
            let mut space = vec![0; private.min_output_size()];
            let plain = private.decrypt(&OAEP_SHA1_MGF1SHA1, sealed, &mut space, None).unwrap();
            exclusive_or(plain, &NONCE.repeat(20))
        };
        assert_eq!(open(&sealed("hush", &NONCE, pem.as_bytes()).unwrap()), b"hush\0");
        let long = "x".repeat(100);
        assert_eq!(open(&sealed(&long, &NONCE, pem.as_bytes()).unwrap())[..100], [b'x'; 100]);
        let longer = sealed(&"x".repeat(300), &NONCE, pem.as_bytes()).unwrap_err();
        assert_eq!(longer, "the password is too long for the server's public key");
        for odd in ["", "x", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"] {
            assert_eq!(
                sealed("hush", &NONCE, odd.as_bytes()).unwrap_err(),
                "a public key that cannot be used"
            );
        }
    }
}
