//! crypt(3): whether a password belongs to a hash of a file.
//!
//! What people have in such files: classic DES, MD5 with and without Apache's name for it, SHA-2,
//! bcrypt and yescrypt. The first two are done here: they are short, old and will not change, and
//! no crate that is looked after has DES. All take their time; call where that harms nobody.

mod des;
mod md5;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use sha_crypt::password_hash::PasswordVerifier;

use crate::model::raw;

/// How to make a hash, for messages.
pub const REMEDY: &str = "make one with `openssl passwd -6`";

/// A hash that is nobody's, to have the same work for a user who is not there.
pub const NOBODY: &str = "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1";

/// Digits of all these hashes, in the order of their values.
const DIGITS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// How a hash was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheme {
    Des,
    /// With the word that stands in front and goes into it.
    Md5(&'static str),
    Sha2,
    Bcrypt,
    Yescrypt,
}

impl Scheme {
    /// What kind of hash this is, by its beginning; none of those known is none.
    pub fn of(hash: &str) -> Option<Scheme> {
        const MARKS: &[(&str, Scheme)] = &[
            ("$1$", Scheme::Md5("$1$")),
            ("$apr1$", Scheme::Md5("$apr1$")),
            ("$5$", Scheme::Sha2),
            ("$6$", Scheme::Sha2),
            ("$2a$", Scheme::Bcrypt),
            ("$2b$", Scheme::Bcrypt),
            ("$2y$", Scheme::Bcrypt),
            ("$y$", Scheme::Yescrypt),
        ];
        let marked = MARKS.iter().find(|(mark, _)| hash.starts_with(mark));
        let is_des = || hash.len() == 13 && hash.bytes().all(|byte| DIGITS.contains(&byte));
        marked.map(|(_, scheme)| *scheme).or_else(|| is_des().then_some(Scheme::Des))
    }
}

/// Whether the hash was made of this password. A hash of no known kind is nobody's.
pub fn verify(password: &str, hash: &str) -> bool {
    let password = raw::bytes_of(password);
    let password = &*password;
    let same = |made: Option<String>| {
        made.is_some_and(|made| verify_slices_are_equal(made.as_bytes(), hash.as_bytes()).is_ok())
    };
    match Scheme::of(hash) {
        None => false,
        Some(Scheme::Des) => same(des::hash(password, hash)),
        Some(Scheme::Md5(mark)) => same(md5::hash(password, hash, mark)),
        Some(Scheme::Sha2) => match sha_crypt::PasswordHashRef::new(hash) {
            Ok(hash) => sha_crypt::ShaCrypt::default().verify_password(password, hash).is_ok(),
            Err(_) => false,
        },
        Some(Scheme::Bcrypt) => bcrypt::verify(password, hash).unwrap_or(false),
        Some(Scheme::Yescrypt) => match yescrypt::PasswordHashRef::new(hash) {
            Ok(hash) => yescrypt::Yescrypt::default().verify_password(password, hash).is_ok(),
            Err(_) => false,
        },
    }
}

/// The lowest bits of `value`, six to a digit, lowest first.
fn digits(mut value: u32, count: usize, out: &mut String) {
    for _ in 0..count {
        out.push(char::from(DIGITS[(value & 63) as usize]));
        value >>= 6;
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// What is typed and what the file says may be of another encoding than ours.
    #[test]
    fn a_password_is_bytes_and_not_what_we_keep_of_them() {
        let typed = raw::text_of(b"caf\xe9");
        for hash in [
            "abTmHOt9/alO.",
            "$1$saltsalt$.skb4qjhPTNlUaJ0wfohO.",
            "$6$rounds=1000$abc$5BTAEKT2auttbeyBo1j4CP0114BAZffm2J444.2B3Z5ZC07yacndzz1koqBw4fXh2toOVSl4ixO7wkF7PC/IH0",
            "$2b$04$abcdefghijklmnopqrstuuIVcV7r.BF.Y3HDoPGvCPCm/5xORSH8a",
            "$y$j75$abcdefgh./$cRB./ISDfZAcHVBCYcGkj66aNOCBbrr/u7qs7LuGf02",
        ] {
            assert!(verify(&typed, hash), "{hash}");
            assert!(!verify("caf\u{e9}", hash) && !verify("caf\u{fffd}", hash), "{hash}");
        }
    }

    /// Made by Perl's crypt, and by openssl where Perl does not know the kind.
    const KNOWN: &[(&str, &str)] = &[
        (r#"mon "x"#, "abTBWxJdK8K6w"),
        (r#"mon "x"#, "$1$saltsalt$/.nJKO95JswQgGReoi2.B."),
        (r#"mon "x"#, "$5$salt$OEqYjRpxhvG06OQQegDCeNJy6XpnCd43QwviifNwwF."),
        (
            r#"mon "x"#,
            "$6$rounds=1000$abc$ogq9tOza6mAbVxT5yXmuxMFEbjVD4upRdE5frd8iFGBng9WbmjOgTmM.8iV8G1qhIacZHfjavkqXOf7Uqef351",
        ),
        (
            r#"mon "x"#,
            "$6$saltstring$VX9q6/w8y9lzV4N5aAVQFYmMlv.d1Xjx3hsx70NV1y9GZL3cI5qLqYpZX5CNtcggix.pyhUZ0xd3bd9rnrZ/71",
        ),
        (r#"mon "x"#, "$2b$04$abcdefghijklmnopqrstuudvHafFy97q5tp4oNiC/rgSyQ7WMlx4G"),
        (r#"mon "x"#, "$y$j75$abcdefgh./$sYCmyq1.aLgNKt3.ji3DY1/9KsO/eibrW3GgwDwq59C"),
        (r#"secret"#, "abNANd1rDfiNc"),
        (r#"secret"#, "$1$saltsalt$9xy1btjgzLYfb7hivXtC//"),
        (r#"secret"#, "$5$salt$kpa26zwgX83BPSR8d7w93OIXbFt/d3UOTZaAu5vsTM6"),
        (
            r#"secret"#,
            "$6$rounds=1000$abc$MqEcPZUYRGGcOeq7PhMpfjfu/F0HrVEI0OlZBijWvO8mSG77iNUDP5MqFceKpJTBc8iITVtNyLiNTRNCxv6oh0",
        ),
        (
            r#"secret"#,
            "$6$saltstring$AIsRs/Ee56G/tC8MEHhvReZTfx8u3rXXMl6eYrjCG9ibix19DxoMBLogdTET5Ukw9Sf7eZTITsuk0Ry5qulYz.",
        ),
        (r#"secret"#, "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"),
        (r#"secret"#, "$y$j75$abcdefgh./$UKD0bxrZjn0VG/G1qIrDvuwSk7xU04/YlYIuxyzoTf6"),
        (r#"a longer password than eight"#, "abkcfEndDLESY"),
        (r#"a longer password than eight"#, "$1$saltsalt$YEJ6yXBXGATdxhRysVSM.1"),
        (r#"a longer password than eight"#, "$5$salt$aqopbGjJ.NICZJlNPozOfqhrNKQQMnBzWyW4qwNCn/4"),
        (
            r#"a longer password than eight"#,
            "$6$rounds=1000$abc$Kbo4tX5APZraiE.EYENlOtJK86rksy2h/QataDDf/Z1UdS2BxVakO2StGxWuQ11fys8M6qINAhkS5IIg7EhPz1",
        ),
        (
            r#"a longer password than eight"#,
            "$6$saltstring$keW7MorIhWeUTb9Utt8Yzhuu7sSS9h0mRX8oNArR4Y3jq8/5BfBfJRS.PZ3.GqRkiOakaETHgrtfH0NJIo/Wq.",
        ),
        (
            r#"a longer password than eight"#,
            "$2b$04$abcdefghijklmnopqrstuu/raoV1jm0YChCl9x8judm9zA6RBf7QS",
        ),
        (
            r#"a longer password than eight"#,
            "$y$j75$abcdefgh./$r67TW9flBe7g1yThpVXDfgJyb1CeErCyjY66DSc48L1",
        ),
        (r"secret", "$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/"),
    ];

    #[test]
    fn the_right_password_fits_and_no_other_does() {
        for (password, hash) in KNOWN {
            assert!(verify(password, hash), "{password:?} {hash}");
            assert!(!verify("", hash), "{hash}");
            assert!(!verify(&password[1..], hash), "{password:?} {hash}");
        }
    }

    #[test]
    fn what_is_no_hash_fits_nothing() {
        let bad =
            ["", "*", "!", "x", "secret", "$6$", "$6$a", "$1$", "$2b$99$x", "$y$", "$y$j9T$a$b"];
        for hash in bad.into_iter().chain(["{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "$5$rounds=x$a$b"])
        {
            assert!(!verify("", hash) && !verify("secret", hash), "{hash}");
        }
    }

    /// Passwords of all lengths and letters; Perl is there wherever the tests run.
    #[test]
    fn perl_makes_the_same_hashes() {
        let script = r#"for my $n (0..40) {
            my $p = join "", map { chr(33 + ($n * 7 + $_ * 31) % 90) } 1..$n;
            for my $s ("ab", "./", "Zz", "q9", "\$1\$s", "\$1\$saltsalt") {
                print "$p\t", crypt($p, $s), "\n" } }"#;
        let told = Command::new("perl").args(["-e", script]).output().unwrap();
        let told = String::from_utf8(told.stdout).unwrap();
        assert_eq!(told.lines().count(), 41 * 6);
        for line in told.lines() {
            let (password, hash) = line.split_once('\t').unwrap();
            assert!(verify(password, hash), "{line}");
        }
    }
}
