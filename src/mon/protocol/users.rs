//! Who users are: `userfile` and `authtype`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::crypt::{self, Scheme};
use super::mistake::Mistake;

/// Names and hashes of a user file: `user:hash` lines.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Users(BTreeMap<String, String>);

/// A way to tell whether somebody is who he says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Credential {
    /// The password of the user file.
    UserFile,
    /// Whoever comes from this host, by any name: a page on it asked him.
    TrustLocal,
}

impl Credential {
    /// The words of `authtype`, in their order, and what to say of those that are none.
    pub fn parse(words: &str) -> (Vec<Credential>, Vec<String>) {
        let (mut known, mut told) = (Vec::new(), Vec::new());
        for word in words.split_ascii_whitespace() {
            match word {
                "userfile" => known.push(Credential::UserFile),
                "trustlocal" => known.push(Credential::TrustLocal),
                "getpwnam" | "shadow" | "pam" => told.push(format!(
                    "authtype {word} is not supported, nobody logs in by it: write \
                     `authtype = userfile` and put user:hash lines into the userfile"
                )),
                word => told.push(format!(
                    "authtype {word:?} is not known: there are userfile and trustlocal"
                )),
            }
        }
        (known, told)
    }
}

/// Whether an address is this host's by the rule of `trustlocal`.
pub fn is_local(peer: IpAddr) -> bool {
    peer.to_canonical().is_loopback()
}

impl Users {
    /// Reads a whole file. Lines that cannot be read are left out and told of.
    pub fn parse(text: &str) -> (Users, Vec<Mistake>) {
        let (mut users, mut mistakes) = (Users::default(), Vec::new());
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Some((user, hash)) = line.split_once(':') else {
                mistakes.push(Mistake::error(number, "a line is `user:hash`"));
                continue;
            };
            let (user, hash) = (user.trim_end(), hash.trim_start());
            if Scheme::of(hash).is_none() {
                let text = format!("the hash of {user} is of no known kind: {}", crypt::REMEDY);
                mistakes.push(Mistake::error(number, text));
                continue;
            }
            if users.0.insert(user.to_owned(), hash.to_owned()).is_some() {
                let text = format!("{user} was there before: this line counts");
                mistakes.push(Mistake::warning(number, text));
            }
        }
        (users, mistakes)
    }

    /// Whether this is the user's password. Takes as long as the hash was made to take, for a
    /// user who is not there as well.
    pub fn verify(&self, user: &str, password: &str) -> bool {
        match self.0.get(user) {
            Some(hash) => crypt::verify(password, hash),
            None => {
                crypt::verify(password, crypt::NOBODY);
                false
            }
        }
    }
}
