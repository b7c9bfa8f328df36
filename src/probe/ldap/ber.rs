//! As much of the Basic Encoding Rules as LDAP uses, RFC 4511 section 5.1: one byte of tag,
//! definite lengths; and what all its messages have in common. Pure.

use crate::probe::evidence;

pub(in crate::probe) const INTEGER: u8 = 0x02;
pub(in crate::probe) const OCTET_STRING: u8 = 0x04;
pub(in crate::probe) const ENUMERATED: u8 = 0x0a;
pub(in crate::probe) const SEQUENCE: u8 = 0x30;

/// An element with this content.
pub(in crate::probe) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut out = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let bytes = length.to_be_bytes();
            let bytes = &bytes[(length.leading_zeros() / 8) as usize..];
            // At most eight, so it fits beside the mark.
            out.push(0x80 | bytes.len() as u8);
            out.extend(bytes);
        }
    }
    out.extend(content);
    out
}

/// A small number that is not negative.
pub(in crate::probe) fn small(tag: u8, value: u8) -> Vec<u8> {
    debug_assert!(value < 0x80, "a higher bit would be a sign");
    element(tag, &[value])
}

/// A message of LDAP with this identifier (RFC 4511 section 4.1.1).
pub(in crate::probe) fn message(id: u8, operation: &[u8]) -> Vec<u8> {
    element(SEQUENCE, &[&small(INTEGER, id), operation].concat())
}

/// How long the message that begins here is, once its header is whole; or what there is instead.
pub(in crate::probe) fn frame(bytes: &[u8]) -> Result<Option<usize>, String> {
    match (bytes.first(), extent(bytes)) {
        (None, _) => Ok(None),
        (Some(&SEQUENCE), Ok(extent)) => {
            Ok(extent.map(|(header, content)| header.saturating_add(content)))
        }
        _ => Err(format!("not LDAP: {}", evidence::excerpt(bytes))),
    }
}

/// How an operation ended: its code, and what the server says of it.
pub(in crate::probe) fn result(content: &[u8]) -> Option<(u32, &[u8])> {
    let mut elements = Elements(content);
    let code = elements.number(ENUMERATED)?;
    let _matched = elements.expect(OCTET_STRING)?;
    Some((code, elements.expect(OCTET_STRING)?))
}

/// A header that can be no element of LDAP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::probe) struct Malformed;

/// Bytes of the header and of the content of the element that begins here; `None` when the
/// header is not whole yet.
pub(in crate::probe) fn extent(bytes: &[u8]) -> Result<Option<(usize, usize)>, Malformed> {
    let (&tag, rest) = match bytes.split_first() {
        Some(split) => split,
        None => return Ok(None),
    };
    // Tags of several bytes, and lengths that are told by an end mark, LDAP does not have.
    if tag & 0x1f == 0x1f {
        return Err(Malformed);
    }
    match rest.first() {
        None => Ok(None),
        Some(&short) if short < 0x80 => Ok(Some((2, short.into()))),
        Some(&long) => {
            let count = usize::from(long & 0x7f);
            if !(1..=4).contains(&count) {
                return Err(Malformed);
            }
            let Some(digits) = rest.get(1..=count) else { return Ok(None) };
            let length = digits.iter().fold(0u32, |sum, &digit| sum << 8 | u32::from(digit));
            let length = usize::try_from(length).map_err(|_| Malformed)?;
            Ok(Some((2 + count, length)))
        }
    }
}

/// The elements of a content, one after the other.
pub(in crate::probe) struct Elements<'a>(pub &'a [u8]);

impl<'a> Elements<'a> {
    /// The tag and the content of the next element, if there is a whole one.
    pub fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (header, length) = extent(self.0).ok()??;
        let content = self.0.get(header..)?.get(..length)?;
        let tag = self.0[0];
        self.0 = &self.0[header + length..];
        Some((tag, content))
    }

    /// The content of the next element, if it has this tag.
    pub fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, content)| content)
    }

    /// The next element as a number that is not negative.
    pub fn number(&mut self, tag: u8) -> Option<u32> {
        let digits = self.expect(tag)?;
        let fits = (1..=5).contains(&digits.len()) && digits[0] < 0x80;
        let sum = digits.iter().fold(0u64, |sum, &digit| sum << 8 | u64::from(digit));
        fits.then(|| u32::try_from(sum).ok())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_are_written_as_briefly_as_they_can_be() {
        assert_eq!(element(OCTET_STRING, b"ab"), b"\x04\x02ab");
        assert_eq!(element(OCTET_STRING, &[0; 127])[..2], [4, 127]);
        assert_eq!(element(OCTET_STRING, &[0; 128])[..3], [4, 0x81, 128]);
        assert_eq!(element(OCTET_STRING, &[0; 256])[..4], [4, 0x82, 1, 0]);
        assert_eq!(small(INTEGER, 3), [2, 1, 3]);
    }

    #[test]
    fn an_element_has_an_extent_once_its_header_is_whole() {
        assert_eq!(extent(b""), Ok(None));
        assert_eq!(extent(b"\x30"), Ok(None));
        assert_eq!(extent(b"\x30\x05"), Ok(Some((2, 5))));
        assert_eq!(extent(b"\x30\x82\x01"), Ok(None));
        assert_eq!(extent(b"\x30\x84\0\0\x01\0"), Ok(Some((6, 256))));
        for odd in [&b"\x3f\x01"[..], b"\x30\x80", b"\x30\x85\0\0\0\0\x01"] {
            assert_eq!(extent(odd), Err(Malformed));
        }
    }

    #[test]
    fn numbers_are_read_whatever_their_length() {
        let number = |bytes| Elements(bytes).number(INTEGER);
        assert_eq!(number(b"\x02\x01\x07"), Some(7));
        assert_eq!(number(b"\x02\x02\x01\0"), Some(256));
        assert_eq!(number(b"\x02\x05\0\xff\xff\xff\xff"), Some(u32::MAX));
        for odd in [&b"\x02\0"[..], b"\x02\x01\xff", b"\x0a\x01\0", b"\x02\x05\x01\0\0\0\0"] {
            assert_eq!(number(odd), None);
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(
            tag in 0u8..0x1f, content in prop::collection::vec(any::<u8>(), 0..400)
        ) {
            let written = element(tag, &content);
            let mut elements = Elements(&written);
            prop_assert_eq!(elements.next(), Some((tag, &content[..])));
            prop_assert_eq!(elements.next(), None);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut elements = Elements(&bytes);
            let mut left = bytes.len();
            while elements.next().is_some() {
                prop_assert!(elements.0.len() < left);
                left = elements.0.len();
            }
            let _ = Elements(&bytes).number(INTEGER);
        }
    }
}
