//! RADIUS packets, RFC 2865: an Access-Request out, what answers it in. Pure.

use std::net::IpAddr;

use crate::model::RadiusProbe;
use crate::probe::evidence;
use crate::probe::hash::{hmac_md5, md5};

/// Code, identifier, length and authenticator.
const HEADER: usize = 20;

/// The longest packet, RFC 2865 section 3.
const MAX_PACKET: usize = 4096;

const ACCESS_REQUEST: u8 = 1;
const ACCESS_ACCEPT: u8 = 2;
const ACCESS_REJECT: u8 = 3;
const ACCESS_CHALLENGE: u8 = 11;

const USER_NAME: u8 = 1;
const USER_PASSWORD: u8 = 2;
const NAS_IP_ADDRESS: u8 = 4;
const REPLY_MESSAGE: u8 = 18;
const MESSAGE_AUTHENTICATOR: u8 = 80;
const NAS_IPV6_ADDRESS: u8 = 95;

/// A request, and what its answer must be proved with.
pub(in crate::probe) struct Request<'a> {
    pub bytes: Vec<u8>,
    secret: &'a [u8],
}

/// Who wants in, and who asks.
pub(in crate::probe) struct Login<'a> {
    pub user: &'a str,
    pub password: &'a str,
    /// Our own address.
    pub from: IpAddr,
}

/// What a packet says about a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::probe) enum Heard {
    Accept,
    /// In words.
    Refusal(String),
    /// An answer by its header, but not of somebody who knows the secret.
    Unproven,
    /// No answer to this request.
    Stray,
}

impl<'a> Request<'a> {
    /// `id` and `authenticator` must be new and not to be foreseen: the one hides the password.
    pub fn new(
        login: &Login<'_>,
        secret: &'a str,
        id: u8,
        authenticator: [u8; 16],
    ) -> Result<Request<'a>, String> {
        if login.user.is_empty() || login.user.len() > RadiusProbe::MAX_LOGIN {
            return Err(format!("a login must have 1 to {} bytes", RadiusProbe::MAX_LOGIN));
        }
        if login.password.len() > RadiusProbe::MAX_PASSWORD {
            let most = RadiusProbe::MAX_PASSWORD;
            return Err(format!("a password may have no more than {most} bytes"));
        }
        let secret = secret.as_bytes();
        let mut bytes = vec![ACCESS_REQUEST, id, 0, 0];
        bytes.extend(authenticator);
        // First of all attributes, where nothing a forger chose can stand before it
        // (CVE-2024-3596); zero while it is computed, RFC 3579 section 3.2.
        attribute(&mut bytes, MESSAGE_AUTHENTICATOR, &[0; 16]);
        let digest = HEADER + 2..HEADER + 18;
        attribute(&mut bytes, USER_NAME, login.user.as_bytes());
        attribute(&mut bytes, USER_PASSWORD, &hidden(login.password, secret, authenticator));
        match login.from.to_canonical() {
            IpAddr::V4(from) => attribute(&mut bytes, NAS_IP_ADDRESS, &from.octets()),
            IpAddr::V6(from) => attribute(&mut bytes, NAS_IPV6_ADDRESS, &from.octets()),
        }
        let length = u16::try_from(bytes.len()).expect("four short attributes");
        bytes[2..4].copy_from_slice(&length.to_be_bytes());
        let proof = hmac_md5(secret, &bytes);
        bytes[digest].copy_from_slice(&proof);
        Ok(Request { bytes, secret })
    }

    /// Reads a packet of the server.
    pub fn hear(&self, packet: &[u8]) -> Heard {
        let (ours, theirs) = (&self.bytes, packet);
        let [code, id, high, low, ..] = *theirs else { return Heard::Stray };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if id != ours[1] || !(HEADER..=MAX_PACKET).contains(&length) {
            return Heard::Stray;
        }
        // What follows the length is padding, RFC 2865 section 3.
        let Some(packet) = theirs.get(..length) else { return Heard::Stray };
        if !matches!(code, ACCESS_ACCEPT | ACCESS_REJECT | ACCESS_CHALLENGE) {
            return Heard::Stray;
        }
        let Some(attributes) = attributes(&packet[HEADER..]) else { return Heard::Stray };
        if !self.is_proved(packet, &attributes) {
            return Heard::Unproven;
        }
        match code {
            ACCESS_ACCEPT => Heard::Accept,
            ACCESS_CHALLENGE => Heard::Refusal("a challenge instead of an answer".into()),
            _ => Heard::Refusal(rejection(&attributes)),
        }
    }

    /// Whether who wrote this knows the secret, and our request.
    fn is_proved(&self, packet: &[u8], attributes: &[(u8, &[u8])]) -> bool {
        let mut signed = packet.to_vec();
        signed[4..HEADER].copy_from_slice(&self.bytes[4..HEADER]);
        let proof = md5(&[&signed, self.secret]);
        if proof != packet[4..HEADER] {
            return false;
        }
        // Older servers send none; one that is there must be right.
        let mut at = HEADER;
        for &(kind, value) in attributes {
            if kind == MESSAGE_AUTHENTICATOR {
                let place = at + 2..at + 2 + value.len();
                signed[place].fill(0);
                return hmac_md5(self.secret, &signed) == value;
            }
            at += 2 + value.len();
        }
        true
    }
}

fn rejection(attributes: &[(u8, &[u8])]) -> String {
    let said = attributes.iter().find(|(kind, _)| *kind == REPLY_MESSAGE);
    match said {
        Some((_, text)) => format!("access rejected: {}", evidence::excerpt(text)),
        None => "access rejected".into(),
    }
}

fn attribute(bytes: &mut Vec<u8>, kind: u8, value: &[u8]) {
    let length = u8::try_from(2 + value.len()).expect("values are checked to be short");
    bytes.extend([kind, length]);
    bytes.extend(value);
}

/// Kinds and values; `None` when they do not fill the bytes exactly.
fn attributes(mut bytes: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let mut found = Vec::new();
    while let &[kind, length, ref rest @ ..] = bytes {
        let (value, after) = rest.split_at_checked(usize::from(length).checked_sub(2)?)?;
        found.push((kind, value));
        bytes = after;
    }
    bytes.is_empty().then_some(found)
}

/// The password in blocks of 16 bytes, each under a pad that depends on the block before:
/// RFC 2865 section 5.2.
fn hidden(password: &str, secret: &[u8], authenticator: [u8; 16]) -> Vec<u8> {
    let mut padded = password.as_bytes().to_vec();
    padded.resize(padded.len().max(1).next_multiple_of(16), 0);
    let mut before = authenticator;
    for block in padded.chunks_exact_mut(16) {
        let pad = md5(&[secret, &before]);
        for (byte, pad) in block.iter_mut().zip(pad) {
            *byte ^= pad;
        }
        before.copy_from_slice(block);
    }
    padded
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(password: &str) -> Request<'static> {
        let login = Login { user: "joe", password, from: [192, 0, 2, 9].into() };
        Request::new(&login, "open sesame", 7, *b"0123456789abcdef").unwrap()
    }

    /// An answer as a server would write it; a Message-Authenticator of zeros is filled in.
    fn answer(request: &Request<'_>, code: u8, attributes: &[u8]) -> Vec<u8> {
        let length = u16::try_from(HEADER + attributes.len()).unwrap().to_be_bytes();
        let head = [code, request.bytes[1], length[0], length[1]];
        let mut bytes = [&head, &request.bytes[4..HEADER], attributes].concat();
        if attributes.first() == Some(&MESSAGE_AUTHENTICATOR) {
            let proof = hmac_md5(request.secret, &bytes);
            bytes[HEADER + 2..HEADER + 18].copy_from_slice(&proof);
        }
        let proof = md5(&[&bytes, request.secret]);
        bytes[4..HEADER].copy_from_slice(&proof);
        bytes
    }

    #[test]
    fn a_password_is_hidden_as_in_rfc_2865() {
        // Section 7.1: nemo's password arctangent, secret xyzzy5461.
        let authenticator = 0x0f40_3f94_7397_8057_bd83_d5cb_98f4_227a_u128.to_be_bytes();
        let expected = 0x0dbe_708d_93d4_13ce_3196_e43f_782a_0aee_u128.to_be_bytes();
        assert_eq!(hidden("arctangent", b"xyzzy5461", authenticator), expected);
        for (length, blocks) in [(0, 1), (16, 1), (17, 2), (128, 8)] {
            let password = "x".repeat(length);
            assert_eq!(hidden(&password, b"s", authenticator).len(), 16 * blocks);
        }
    }

    #[test]
    fn a_request_carries_its_attributes_and_its_proof() {
        let mut bytes = request("secret").bytes;
        assert_eq!(bytes[..4], [1, 7, 0, u8::try_from(bytes.len()).unwrap()]);
        let rest = bytes.split_off(HEADER);
        let found = attributes(&rest).unwrap();
        let kinds: Vec<u8> = found.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [MESSAGE_AUTHENTICATOR, USER_NAME, USER_PASSWORD, NAS_IP_ADDRESS]);
        assert_eq!((found[1].1, found[3].1), (&b"joe"[..], &[192, 0, 2, 9][..]));
        let unsigned = [&bytes, &rest[..2], &[0; 16], &rest[18..]].concat();
        assert_eq!(found[0].1, hmac_md5(b"open sesame", &unsigned));
        let from_v6 = Login { user: "joe", password: "", from: "2001:db8::9".parse().unwrap() };
        let bytes = Request::new(&from_v6, "s", 7, [0; 16]).unwrap().bytes;
        assert_eq!(attributes(&bytes[HEADER..]).unwrap()[3].0, NAS_IPV6_ADDRESS);
    }

    #[test]
    fn what_does_not_fit_is_said_without_showing_it() {
        let unfit = |user: &str, password: &str| {
            let login = Login { user, password, from: [192, 0, 2, 9].into() };
            Request::new(&login, "s", 7, [0; 16]).err()
        };
        assert_eq!(unfit("", "x").unwrap(), "a login must have 1 to 253 bytes");
        assert_eq!(unfit(&"x".repeat(254), "x").unwrap(), "a login must have 1 to 253 bytes");
        let long = unfit("joe", &"x".repeat(129)).unwrap();
        assert_eq!(long, "a password may have no more than 128 bytes");
    }

    #[test]
    fn only_a_proved_answer_counts() {
        let request = request("secret");
        let signed = [&[MESSAGE_AUTHENTICATOR, 18][..], &[0; 16]].concat();
        for attributes in [&[][..], &signed] {
            let good = answer(&request, ACCESS_ACCEPT, attributes);
            assert_eq!(request.hear(&good), Heard::Accept);
            assert_eq!(request.hear(&[&good[..], b"padding"].concat()), Heard::Accept);
            for at in 4..good.len() {
                let mut forged = good.clone();
                forged[at] ^= 1;
                assert_ne!(request.hear(&forged), Heard::Accept, "byte {at}");
            }
        }
        let other = Request { bytes: request.bytes.clone(), secret: b"another" };
        assert_eq!(request.hear(&answer(&other, ACCESS_ACCEPT, &[])), Heard::Unproven);
        // The proof over the whole is right, the one inside is not.
        let odd = [&[26, 2, MESSAGE_AUTHENTICATOR, 18][..], &[0; 16]].concat();
        assert_eq!(request.hear(&answer(&request, ACCESS_ACCEPT, &odd)), Heard::Unproven);
    }

    #[test]
    fn a_rejection_is_repeated_in_the_servers_words() {
        let request = request("secret");
        let said = |code, attributes: &[u8]| request.hear(&answer(&request, code, attributes));
        let refused = |why: &str| Heard::Refusal(why.into());
        assert_eq!(said(ACCESS_REJECT, &[]), refused("access rejected"));
        let words = [&[REPLY_MESSAGE, 4][..], b"no"].concat();
        assert_eq!(said(ACCESS_REJECT, &words), refused("access rejected: \"no\""));
        let challenged = refused("a challenge instead of an answer");
        assert_eq!(said(ACCESS_CHALLENGE, &[]), challenged);
    }

    #[test]
    fn what_answers_something_else_is_passed_over() {
        let request = request("secret");
        let mut other = answer(&request, ACCESS_ACCEPT, &[]);
        other[1] ^= 1;
        let accounting = answer(&request, 5, &[]);
        let broken = answer(&request, ACCESS_ACCEPT, &[REPLY_MESSAGE, 1]);
        let cut = &answer(&request, ACCESS_ACCEPT, &[])[..HEADER - 1];
        for stray in [&other[..], &accounting, &broken, cut, b""] {
            assert_eq!(request.hear(stray), Heard::Stray);
        }
    }

    proptest! {
        #[test]
        fn arbitrary_packets_never_panic_and_are_never_accepted(
            code in 0u8..12, length in 0u8..80, rest in prop::collection::vec(any::<u8>(), 0..80)
        ) {
            let request = request("secret");
            prop_assert_ne!(request.hear(&rest), Heard::Accept);
            let packet = [&[code, 7, 0, length], &rest[..]].concat();
            prop_assert_ne!(request.hear(&packet), Heard::Accept);
        }
    }
}
