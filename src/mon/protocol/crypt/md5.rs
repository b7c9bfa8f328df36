//! MD5-crypt, as Poul-Henning Kamp made it for FreeBSD in 1994: a thousand rounds over password,
//! salt and what came of the round before, in an order without a reason.

use md5::{Digest, Md5};

use super::digits;

/// The longest salt; more is not looked at.
const MAX_SALT: usize = 8;

/// The whole hash of a password, with the salt of another that begins with `mark`; none where
/// that has no salt.
pub fn hash(password: &[u8], like: &str, mark: &str) -> Option<String> {
    let (salt, _) = like.strip_prefix(mark)?.split_once('$')?;
    let salt = salt.get(..salt.len().min(MAX_SALT))?;
    let digest = rounds(password, salt.as_bytes(), first(password, salt.as_bytes(), mark));
    let mut out = format!("{mark}{salt}$");
    for [high, middle, low] in [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]] {
        let [high, middle, low] = [high, middle, low].map(|at: usize| u32::from(digest[at]));
        digits(high << 16 | middle << 8 | low, 4, &mut out);
    }
    digits(u32::from(digest[11]), 2, &mut out);
    Some(out)
}

fn first(password: &[u8], salt: &[u8], mark: &str) -> [u8; 16] {
    let inner = Md5::new().chain_update(password).chain_update(salt).chain_update(password);
    let inner = inner.finalize();
    let mut outer = Md5::new();
    outer.update(password);
    outer.update(mark);
    outer.update(salt);
    for piece in password.chunks(16) {
        outer.update(&inner[..piece.len()]);
    }
    // A bit of the length that is set adds a zero, one that is not the first letter.
    let mut length = password.len();
    while length > 0 {
        match length & 1 {
            1 => outer.update([0]),
            _ => outer.update(&password[..1]),
        }
        length >>= 1;
    }
    outer.finalize().into()
}

fn rounds(password: &[u8], salt: &[u8], mut digest: [u8; 16]) -> [u8; 16] {
    for round in 0..1000 {
        let is_odd = round % 2 == 1;
        let mut next = Md5::new();
        next.update(if is_odd { password } else { &digest });
        if round % 3 != 0 {
            next.update(salt);
        }
        if round % 7 != 0 {
            next.update(password);
        }
        next.update(if is_odd { &digest } else { password });
        digest = next.finalize().into();
    }
    digest
}
