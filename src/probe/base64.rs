//! Base64 as RFC 4648 section 4 has it: padded, without line ends.

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(super) fn encode(bytes: &[u8]) -> String {
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let padded = [group[0], *group.get(1).unwrap_or(&0), *group.get(2).unwrap_or(&0)];
        let bits = u32::from_be_bytes([0, padded[0], padded[1], padded[2]]);
        for place in 0..4 {
            let digit = (bits >> (18 - 6 * place)) & 63;
            let shown = place <= group.len();
            out.push(if shown { char::from(DIGITS[digit as usize]) } else { '=' });
        }
    }
    out
}

/// The bytes that are encoded so, and only so: what [`encode`] would not have written is none.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    for group in text.chunks(4) {
        let digits = group.iter().take_while(|&&c| c != b'=').count();
        let mut bits = 0;
        for &c in &group[..digits] {
            let value = DIGITS.iter().position(|&digit| digit == c)?;
            bits = bits << 6 | u32::try_from(value).ok()?;
        }
        let bytes = digits.checked_sub(1)?;
        let all = (bits << (6 * (4 - digits))).to_be_bytes();
        out.extend_from_slice(&all[1..=bytes]);
    }
    (encode(&out).as_bytes() == text).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_examples_of_rfc_4648_come_out() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text.as_bytes()), Some(bytes.into()));
        }
    }

    #[test]
    fn what_nobody_would_have_encoded_is_not_decoded() {
        for text in ["Z", "Zg", "Zg=", "Zh==", "=", "====", "Zm9v\n", "Zm9-", "Zg==Zg=="] {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn decoding_undoes_encoding(bytes in prop::collection::vec(any::<u8>(), 0..50)) {
            prop_assert_eq!(decode(encode(&bytes).as_bytes()), Some(bytes));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..50)) {
            let _ = decode(&bytes);
        }
    }
}
