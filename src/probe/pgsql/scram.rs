//! SCRAM-SHA-256, RFC 5802 and RFC 7677, without channel binding. Pure.
//!
//! The password is used as it was written. SASLprep, which would bring two spellings of one
//! letter together, is not applied; it leaves ASCII as it is, and what is typed as one letter.

use std::num::NonZeroU32;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};

use crate::probe::base64;
use crate::probe::stretch::{Stretch, StretchedKey};

/// The most rounds a server may ask for; PostgreSQL asks for 4096 unless told otherwise. They
/// are work of ours, and a hostile server could ask for four billion. The limit is the one that
/// other clients have.
const MAX_ROUNDS: u32 = 100_000;

/// The longest salt, in bytes; PostgreSQL's has 16.
const MAX_SALT: usize = 1024;

/// No channel binding, nobody else's rights: the header of RFC 5802 section 7.
const HEADER: &str = "n,,";

/// One login, begun.
pub(super) struct Scram<'a> {
    password: &'a str,
    /// Our part of the nonce.
    nonce: String,
}

/// What the server asked for, to be answered once the work is done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Challenge {
    pub work: Stretch,
    /// Our last message but for the proof.
    bare: String,
    /// What both sides have said, which both sign.
    conversation: String,
}

/// The server's last word, which proves that it knows the password as well.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Expected(String);

impl<'a> Scram<'a> {
    /// `random` must be new and not to be foreseen.
    pub fn new(password: &'a str, random: [u8; 18]) -> Scram<'a> {
        Scram { password, nonce: base64::encode(&random) }
    }

    /// The first message. The user is named outside of SCRAM already.
    pub fn first(&self) -> String {
        format!("{HEADER}{}", self.first_bare())
    }

    fn first_bare(&self) -> String {
        format!("n=,r={}", self.nonce)
    }

    /// Reads the server's first message; the key it asks us to make is the long part of a login.
    pub fn challenged(&self, challenge: &[u8]) -> Result<Challenge, String> {
        let unreadable = || "a SCRAM challenge that cannot be read".to_owned();
        let text = str::from_utf8(challenge).map_err(|_| unreadable())?;
        let (nonce, salt, rounds) = read_challenge(text).ok_or_else(unreadable)?;
        // Both parts of the nonce, or it could be an old answer to somebody else.
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err("a SCRAM challenge with a nonce of another login".into());
        }
        if rounds.get() > MAX_ROUNDS {
            return Err(format!("asks for {rounds} rounds of SCRAM, more than {MAX_ROUNDS}"));
        }
        let bare = format!("c={},r={nonce}", base64::encode(HEADER.as_bytes()));
        let conversation = format!("{},{text},{bare}", self.first_bare());
        let work = Stretch { password: self.password.to_owned(), salt, rounds };
        Ok(Challenge { work, bare, conversation })
    }
}

impl Challenge {
    /// The proof that we know the password, made with the key that came of the work, and what
    /// the server must say to it.
    pub fn prove(&self, salted: &StretchedKey) -> (String, Expected) {
        let Challenge { bare, conversation, .. } = self;
        let client_key = hmac(salted, "Client Key");
        let stored_key = digest(&SHA256, &client_key);
        let signature = hmac(stored_key.as_ref(), conversation);
        let proof: Vec<u8> = client_key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
        let theirs = hmac(&hmac(salted, "Server Key"), conversation);
        let last = format!("{bare},p={}", base64::encode(&proof));
        (last, Expected(format!("v={}", base64::encode(&theirs))))
    }
}

impl Expected {
    /// Whether this is what a server says that knows the password.
    pub fn is(&self, said: &[u8]) -> bool {
        // Extensions may follow.
        said.split(|&byte| byte == b',').next() == Some(self.0.as_bytes())
    }
}

/// `r=NONCE,s=SALT,i=ROUNDS`, and extensions that do not concern us.
fn read_challenge(text: &str) -> Option<(&str, Vec<u8>, NonZeroU32)> {
    let mut parts = text.split(',');
    let nonce = parts.next()?.strip_prefix("r=")?;
    let salt = parts.next()?.strip_prefix("s=")?;
    let rounds = parts.next()?.strip_prefix("i=")?;
    let salt = base64::decode(salt.as_bytes()).filter(|salt| salt.len() <= MAX_SALT)?;
    Some((nonce, salt, rounds.parse().ok()?))
}

fn hmac(key: &[u8], text: &str) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(sign(&Key::new(HMAC_SHA256, key), text.as_bytes()).as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn begun() -> Scram<'static> {
        Scram { password: "pencil", nonce: "rOprNGfwEbeRWgbNEkqO".into() }
    }

    fn refused(challenge: &str) -> String {
        begun().challenged(challenge.as_bytes()).unwrap_err()
    }

    /// Section 3 of RFC 7677, but that the user is named there.
    #[test]
    fn a_login_ends_as_the_server_computes_it() {
        let scram = begun();
        assert_eq!(scram.first(), "n,,n=,r=rOprNGfwEbeRWgbNEkqO");
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let challenge = format!("r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
        let asked = scram.challenged(challenge.as_bytes()).unwrap();
        let (last, expected) = asked.prove(&asked.work.work());
        let (bare, proof) = last.rsplit_once(",p=").unwrap();
        assert_eq!(bare, format!("c=biws,r={nonce}"));
        // What the server keeps of the password pencil with this salt, and does with a proof.
        let stored = base64::decode(b"WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=").unwrap();
        let conversation = format!("n=,r=rOprNGfwEbeRWgbNEkqO,{challenge},{bare}");
        let signature = hmac(&stored, &conversation);
        let proof = base64::decode(proof.as_bytes()).unwrap();
        let key: Vec<u8> = proof.iter().zip(signature).map(|(a, b)| a ^ b).collect();
        assert_eq!(digest(&SHA256, &key).as_ref(), stored);
        let server_key = base64::decode(b"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=").unwrap();
        let theirs = format!("v={}", base64::encode(&hmac(&server_key, &conversation)));
        assert!(expected.is(theirs.as_bytes()));
        assert!(expected.is(format!("{theirs},x=y").as_bytes()));
        assert!(!expected.is(b"v=") && !expected.is(b"") && !expected.is(&theirs.as_bytes()[1..]));
    }

    #[test]
    fn a_challenge_must_be_ours_and_bearable() {
        let ours = "r=rOprNGfwEbeRWgbNEkqOx";
        let unreadable = "a SCRAM challenge that cannot be read";
        for odd in ["", "r=x", &format!("{ours},s=AA==,i=0"), &format!("{ours},s=A,i=1")] {
            assert_eq!(refused(odd), unreadable);
        }
        let another = "a SCRAM challenge with a nonce of another login";
        assert_eq!(refused("r=elsewhere,s=AA==,i=4096"), another);
        assert_eq!(refused("r=rOprNGfwEbeRWgbNEkqO,s=AA==,i=4096"), another);
        let endless = refused(&format!("{ours},s=AA==,i=4294967295"));
        assert_eq!(endless, "asks for 4294967295 rounds of SCRAM, more than 100000");
    }

    proptest! {
        #[test]
        fn arbitrary_challenges_never_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..60), text in "r=[a-z]{0,3},s=.{0,8},i=[0-9]{0,2}"
        ) {
            let _ = begun().challenged(&bytes);
            if let Ok(asked) = begun().challenged(text.as_bytes()) {
                let _ = asked.prove(&[7; 32]);
            }
            let _ = Expected("v=x".into()).is(&bytes);
        }
    }
}
