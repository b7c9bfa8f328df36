//! What programs and clients say is bytes, most of them text. It is kept as text in which a byte
//! that is no UTF-8 has a character of its own, so that whoever cuts, compares and searches need not
//! know of it, and the bytes come out as they went in.
//!
//! Those characters are the last 128 of Unicode, for private use: `0xe9` is `U+10FFE9`. Where bytes
//! are the UTF-8 of one of them, each is kept by itself; so there is one text for all bytes, and
//! one row of bytes for all such texts.

use std::borrow::Cow;

/// The character of a byte is this and the byte.
const BASE: u32 = 0x0010_ff00;
/// Of the UTF-8 of such a character.
const LENGTH: usize = 4;

/// The text that stands for these bytes.
pub fn text_of(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match byte_of(c) {
                None => text.push(c),
                Some(_) => text.extend(c.encode_utf8(&mut [0; LENGTH]).bytes().map(char_of)),
            }
        }
        text.extend(chunk.invalid().iter().copied().map(char_of));
    }
    text
}

/// The bytes that this text stands for.
pub fn bytes_of(text: &str) -> Cow<'_, [u8]> {
    if !has_bytes(text) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match byte_of(c) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(c.encode_utf8(&mut [0; LENGTH]).as_bytes()),
        }
    }
    Cow::Owned(bytes)
}

/// The same for people and for JSON: what is no text is replaced.
pub fn shown(text: &str) -> Cow<'_, str> {
    if !has_bytes(text) {
        return Cow::Borrowed(text);
    }
    let shown = |c| if byte_of(c).is_some() { char::REPLACEMENT_CHARACTER } else { c };
    Cow::Owned(text.chars().map(shown).collect())
}

/// As much of the text, from its beginning, as stands for so many bytes.
pub fn bounded(text: &str, most: usize) -> &str {
    let mut bytes = 0;
    let end = text.char_indices().find(|(_, c)| {
        bytes += if byte_of(*c).is_some() { 1 } else { c.len_utf8() };
        bytes > most
    });
    end.map_or(text, |(end, _)| &text[..end])
}

fn has_bytes(text: &str) -> bool {
    // The first byte of all of these characters; hardly any other text has it.
    text.bytes().any(|byte| byte == 0xf4) && text.chars().any(|c| byte_of(c).is_some())
}

fn byte_of(c: char) -> Option<u8> {
    let byte = u8::try_from(u32::from(c).checked_sub(BASE)?).ok()?;
    (byte >= 0x80).then_some(byte)
}

/// Of a byte that is no ASCII.
fn char_of(byte: u8) -> char {
    char::from_u32(BASE + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_text_is_kept_and_shown_as_such() {
        let text = text_of(b"caf\xe9 caf\xc3\xa9\n");
        assert_eq!(text, "caf\u{10ffe9} café\n");
        assert_eq!(&*bytes_of(&text), b"caf\xe9 caf\xc3\xa9\n");
        assert_eq!(shown(&text), "caf\u{fffd} café\n");
        assert!(matches!(bytes_of("plain \u{10ff7f}"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_character_that_stands_for_a_byte_is_not_taken_for_one() {
        let bytes = "\u{10ff80}\u{10ffff}".as_bytes();
        let text = text_of(bytes);
        assert_eq!(text.chars().count(), 8);
        assert_eq!(&*bytes_of(&text), bytes);
    }

    #[test]
    fn a_text_is_bounded_by_the_bytes_it_stands_for() {
        let text = text_of(b"\xe9\xe9\xc3\xa9x");
        let lengths = [0, 1, 2, 3, 4, 5, 9].map(|most| bytes_of(bounded(&text, most)).len());
        assert_eq!(lengths, [0, 1, 2, 2, 4, 5, 5]);
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let text = text_of(&bytes);
            prop_assert_eq!(&*bytes_of(&text), &bytes[..]);
        }

        #[test]
        fn so_do_those_that_are_nearly_such_a_character(
            bytes in proptest::collection::vec(proptest::sample::select(&b"\xf4\x8f\xbe\xbf\x80\xffa"[..]), 0..40),
        ) {
            let text = text_of(&bytes);
            prop_assert_eq!(&*bytes_of(&text), &bytes[..]);
        }
    }
}
