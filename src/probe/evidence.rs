//! What a server said, made fit for one line of a log.

use std::fmt::Write;
use std::time::Duration;

/// The longest excerpt of foreign bytes in a reason, in characters after escaping.
const EXCERPT_CHARS: usize = 80;

/// The beginning of what a server sent, in double quotes, on one line, at most 80 characters.
///
/// Control characters, quotes and bytes that are not UTF-8 are escaped, so that nothing a server
/// says can end a log line or move a terminal's cursor.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    format!("\"{}\"", escape(bytes, EXCERPT_CHARS))
}

/// The first line of what a server sent, escaped as [`excerpt`] does, without the quotes.
pub(super) fn line(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&b| b == b'\n').unwrap_or(bytes.len());
    escape(bytes[..end].trim_ascii(), EXCERPT_CHARS)
}

/// A text of ours, such as a pattern, shortened and on one line; quotes stay as they are.
pub(super) fn text(text: &str) -> String {
    let shown: String = text.chars().take(EXCERPT_CHARS).collect();
    let mark = if shown.len() < text.len() { "…" } else { "" };
    let shown: String =
        shown.chars().map(|c| if c.is_control() { escape_char(c) } else { c.into() }).collect();
    shown + mark
}

fn escape(bytes: &[u8], limit: usize) -> String {
    // Each character of output stems from at least one byte of input and no character is longer
    // than four bytes: more than this is never looked at.
    let window = &bytes[..bytes.len().min(4 * limit)];
    let mut out = String::new();
    let mut used = 0;
    for chunk in window.utf8_chunks() {
        for c in chunk.valid().chars() {
            if !put(&mut out, &mut used, limit, &escape_char(c)) {
                return out;
            }
        }
        for byte in chunk.invalid() {
            if !put(&mut out, &mut used, limit, &format!("\\x{byte:02x}")) {
                return out;
            }
        }
    }
    if window.len() < bytes.len() {
        out.push('…');
    }
    out
}

/// Adds `piece` if the limit allows; else the mark that something was left out, and `false`.
fn put(out: &mut String, used: &mut usize, limit: usize, piece: &str) -> bool {
    *used += piece.chars().count();
    // One place is kept for the mark.
    let fits = *used < limit;
    out.push_str(if fits { piece } else { "…" });
    fits
}

fn escape_char(c: char) -> String {
    match c {
        '\n' => "\\n".into(),
        '\r' => "\\r".into(),
        '\t' => "\\t".into(),
        '"' => "\\\"".into(),
        '\\' => "\\\\".into(),
        c if (c as u32) < 0x80 && c.is_control() => format!("\\x{:02x}", c as u32),
        // Invisible, or able to turn the reading direction of the rest of the line.
        c if c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}') =>
        {
            format!("\\u{{{:x}}}", c as u32)
        }
        c => c.into(),
    }
}

/// `3 s`, `2.5 s`, `500 ms`, `0.5 ms`.
pub(super) fn duration(length: Duration) -> String {
    let mut out = String::new();
    let seconds = length.as_secs_f64();
    let done = match seconds >= 1.0 {
        true => write!(out, "{} s", (seconds * 1000.0).round() / 1000.0),
        false => write!(out, "{} ms", (seconds * 1e6).round() / 1000.0),
    };
    done.expect("writing to a string does not fail");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_excerpt_shows_control_characters_and_is_one_line() {
        assert_eq!(excerpt(b"<a>\r\n\x1b[2J\xff\"\\"), r#""<a>\r\n\x1b[2J\xff\"\\""#);
        assert_eq!(excerpt("grün\u{202e}".as_bytes()), r#""grün\u{202e}""#);
        assert_eq!(line(b"530 Login incorrect.\r\nmore"), "530 Login incorrect.");
    }

    #[test]
    fn durations_read_as_people_write_them() {
        assert_eq!(duration(Duration::from_secs(3)), "3 s");
        assert_eq!(duration(Duration::from_millis(2500)), "2.5 s");
        assert_eq!(duration(Duration::from_millis(500)), "500 ms");
        assert_eq!(duration(Duration::from_micros(500)), "0.5 ms");
    }

    proptest! {
        #[test]
        fn an_excerpt_is_short_and_printable_whatever_the_bytes(
            bytes in proptest::collection::vec(any::<u8>(), 0..600)
        ) {
            let said = excerpt(&bytes);
            prop_assert!(said.chars().count() <= EXCERPT_CHARS + 3);
            prop_assert!(!said.chars().any(char::is_control));
        }
    }
}
