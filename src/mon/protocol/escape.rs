//! What a value looks like on the line, and back: `\hh` for a byte that could be mistaken.

use crate::model::raw;

/// A value as clients read it: every byte that is a blank, a quote, a backslash, a control
/// character or no ASCII is `\hh`.
///
/// mon doubled the backslash, which no client undoes; all of them decode `\5c`.
pub fn escape(text: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    for byte in raw::bytes_of(text).iter().copied() {
        match byte {
            b'"' | b'\'' | b'\\' | 0..=b' ' | 127.. => {
                out.push('\\');
                out.push(char::from(DIGITS[usize::from(byte >> 4)]));
                out.push(char::from(DIGITS[usize::from(byte & 15)]));
            }
            _ => out.push(char::from(byte)),
        }
    }
    out
}

/// The value that a client escaped. Its encoder doubles backslashes, so two of them are one.
pub fn unescape(text: &str) -> String {
    let bytes = raw::bytes_of(text);
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let digits = (hex(bytes.get(at + 1)), hex(bytes.get(at + 2)));
        let (said, length) = match (byte, digits) {
            (b'\\', (Some(high), Some(low))) => (high << 4 | low, 3),
            (b'\\', _) if bytes.get(at + 1) == Some(&b'\\') => (b'\\', 2),
            _ => (byte, 1),
        };
        out.push(said);
        at += length;
    }
    raw::text_of(&out)
}

/// Only lower case counts, as in every encoder and decoder of mon's.
fn hex(digit: Option<&u8>) -> Option<u8> {
    match digit? {
        digit @ b'0'..=b'9' => Some(digit - b'0'),
        digit @ b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// The first word as a shell would see it: quotes may stand anywhere in it, and a backslash
/// takes the next character for what it is, but for one in single quotes.
///
/// Text with a quote that is never closed is taken as it stands: a comment is not lost for an
/// apostrophe, as it was with mon.
pub fn first_word(text: &str) -> String {
    let mut word = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '\'' | '"' => match quoted(c, &mut rest) {
                Some(part) => word.push_str(&part),
                None => return text.trim_end().to_owned(),
            },
            '\\' => word.extend(rest.next()),
            c if c.is_ascii_whitespace() => break,
            c => word.push(c),
        }
    }
    word
}

/// What is left of a quoted part, without its closing quote; nothing where there is none.
fn quoted(quote: char, rest: &mut std::str::Chars<'_>) -> Option<String> {
    let mut part = String::new();
    loop {
        match rest.next()? {
            c if c == quote => return Some(part),
            '\\' if quote == '"' => part.push(rest.next()?),
            // The backslash stays, for `\hh` to be decoded; it hides the quote behind it.
            '\\' => {
                part.push('\\');
                part.push(rest.next()?);
            }
            c => part.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_backslash_is_emitted_so_that_every_old_client_decodes_it() {
        assert_eq!(escape("a b"), "a\\20b");
        assert_eq!(escape("\\back"), "\\5cback");
        assert_eq!(escape("\"it's\"\n"), "\\22it\\27s\\22\\0a");
        assert_eq!(escape("é~\u{7f}"), "\\c3\\a9~\\7f");
        assert_eq!(escape(&raw::text_of(b"\xe9\xff")), "\\e9\\ff", "as it was said");
    }

    #[test]
    fn what_an_old_client_escaped_is_understood() {
        assert_eq!(unescape("two\\20words"), "two words");
        assert_eq!(unescape("C:\\\\back"), "C:\\back");
        assert_eq!(unescape("\\0A \\ \\2"), "\\0A \\ \\2");
        assert_eq!(unescape("\\c3\\a9"), "é");
        assert_eq!(unescape("\\e9"), raw::text_of(b"\xe9"));
    }

    #[test]
    fn only_the_first_word_counts_unless_it_is_quoted() {
        assert_eq!(first_word("looking into it"), "looking");
        assert_eq!(first_word("'two words' rest"), "two words");
        assert_eq!(first_word("\"a\\20b c\" d"), "a20b c");
        assert_eq!(first_word("'a\\20b'"), "a\\20b");
        assert_eq!(first_word("a'b c'd e"), "ab cd");
        assert_eq!(first_word(""), "");
    }

    #[test]
    fn an_apostrophe_costs_nobody_his_comment() {
        assert_eq!(first_word("it's broken"), "it's broken");
    }

    proptest! {
        #[test]
        fn what_is_escaped_comes_back(text in ".*") {
            let escaped = escape(&text);
            prop_assert!(escaped.bytes().all(|byte| (33..=126).contains(&byte)));
            prop_assert_eq!(unescape(&escaped), text);
        }
    }
}
