//! Search filters of directories: RFC 4515's text into RFC 4511's bytes. Pure.

use crate::probe::ldap::ber::{OCTET_STRING, element};

/// How deep filters may be nested.
const DEEPEST: usize = 16;

/// The choices of a filter, by their tags (RFC 4511 section 4.5.1).
const AND: u8 = 0xa0;
const OR: u8 = 0xa1;
const NOT: u8 = 0xa2;
const EQUAL: u8 = 0xa3;
const SUBSTRINGS: u8 = 0xa4;
const AT_LEAST: u8 = 0xa5;
const AT_MOST: u8 = 0xa6;
const PRESENT: u8 = 0x87;
const APPROXIMATE: u8 = 0xa8;

/// The parts of a value with stars: before the first, between two, after the last.
const INITIAL: u8 = 0x80;
const ANY: u8 = 0x81;
const FINAL: u8 = 0x82;

/// The filter as it is sent. The outermost brackets may be left out, as Perl's Net::LDAP has it.
pub(super) fn encode(text: &str) -> Result<Vec<u8>, String> {
    let text = text.trim();
    let whole = match text.starts_with('(') {
        true => text.to_owned(),
        false => format!("({text})"),
    };
    match filter(&whole, 0)? {
        (bytes, "") => Ok(bytes),
        (_, rest) => Err(format!("there is more after its end: {rest}")),
    }
}

/// A filter in brackets, and what follows it.
fn filter(text: &str, depth: usize) -> Result<(Vec<u8>, &str), String> {
    if depth > DEEPEST {
        return Err(format!("nested deeper than {DEEPEST}"));
    }
    let inner = text.trim_start().strip_prefix('(').ok_or("a bracket is missing")?.trim_start();
    let (bytes, rest) = match inner.chars().next() {
        Some('&') => set(AND, &inner[1..], depth)?,
        Some('|') => set(OR, &inner[1..], depth)?,
        Some('!') => {
            let (bytes, rest) = filter(&inner[1..], depth + 1)?;
            (element(NOT, &bytes), rest)
        }
        _ => {
            let end = inner.find([')', '(']).ok_or("it ends without a bracket")?;
            (item(&inner[..end])?, &inner[end..])
        }
    };
    let rest = rest.trim_start().strip_prefix(')').ok_or("it ends without a bracket")?;
    Ok((bytes, rest.trim_start()))
}

fn set(tag: u8, text: &str, depth: usize) -> Result<(Vec<u8>, &str), String> {
    let (mut all, mut rest) = (Vec::new(), text.trim_start());
    while rest.starts_with('(') {
        let (bytes, after) = filter(rest, depth + 1)?;
        all.extend(bytes);
        rest = after;
    }
    Ok((element(tag, &all), rest))
}

/// `attribute=value` and its like.
fn item(text: &str) -> Result<Vec<u8>, String> {
    let (left, value) = text.split_once('=').ok_or("there is no `=` in it")?;
    let (attribute, tag) = match left.trim_end().char_indices().last() {
        Some((at, '>')) => (&left[..at], AT_LEAST),
        Some((at, '<')) => (&left[..at], AT_MOST),
        Some((at, '~')) => (&left[..at], APPROXIMATE),
        _ => (left, EQUAL),
    };
    let attribute = attribute.trim();
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b';' | b'.' | b'_');
    if attribute.is_empty() || !attribute.bytes().all(fits) {
        return Err(format!("{attribute:?} is no attribute"));
    }
    let name = element(OCTET_STRING, attribute.as_bytes());
    Ok(match (tag, value.contains('*')) {
        (EQUAL, true) if value.trim() == "*" => element(PRESENT, attribute.as_bytes()),
        (EQUAL, true) => element(SUBSTRINGS, &[name, pieces(value)?].concat()),
        _ => element(tag, &[name, element(OCTET_STRING, &plain(value)?)].concat()),
    })
}

/// The parts between stars.
fn pieces(value: &str) -> Result<Vec<u8>, String> {
    let parts: Vec<&str> = value.split('*').collect();
    let last = parts.len() - 1;
    let mut all = Vec::new();
    for (at, part) in parts.iter().enumerate().filter(|(_, part)| !part.is_empty()) {
        let tag = match at {
            0 => INITIAL,
            at if at == last => FINAL,
            _ => ANY,
        };
        all.extend(element(tag, &plain(part)?));
    }
    Ok(element(0x30, &all))
}

/// A value without its escapes: `\2a` is a star.
fn plain(value: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut bytes = value.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let digits = [bytes.next(), bytes.next()]
            .map(|digit| digit.and_then(|digit| char::from(digit).to_digit(16)));
        let [Some(high), Some(low)] = digits else {
            return Err(r"after \ two hexadecimal digits follow".into());
        };
        // Two digits make a byte.
        out.push((high << 4 | low) as u8);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn filters_are_encoded_as_rfc_4511_has_them() {
        let equal = b"\xa3\x09\x04\x03uid\x04\x02ab";
        assert_eq!(encode("uid=ab").unwrap(), equal);
        assert_eq!(encode(" ( uid=ab) ").unwrap(), equal);
        assert_eq!(encode("(cn=*)").unwrap(), b"\x87\x02cn");
        assert_eq!(encode(r"(cn=\2a)").unwrap(), b"\xa3\x07\x04\x02cn\x04\x01*");
        let stars = b"\xa4\x0f\x04\x02cn\x30\x09\x80\x01a\x81\x01b\x82\x01c";
        assert_eq!(encode("cn=a*b*c").unwrap(), stars);
        assert_eq!(encode("(!(a=b))").unwrap(), b"\xa2\x08\xa3\x06\x04\x01a\x04\x01b");
        assert_eq!(encode("(&(a=*)(b=*))").unwrap(), b"\xa0\x06\x87\x01a\x87\x01b");
        assert_eq!(encode("(|)").unwrap(), b"\xa1\x00");
        assert_eq!(encode("(n>=5)").unwrap()[0], AT_LEAST);
        assert_eq!(encode("(n<=5)").unwrap()[0], AT_MOST);
        assert_eq!(encode("(n~=5)").unwrap()[0], APPROXIMATE);
    }

    #[test]
    fn what_is_no_filter_is_told() {
        for odd in ["", "(", "()", "(a)", "(a=b", "(a=b))", "(=b)", "(a b=c)", r"(a=\2)", "(&(a=b)"]
        {
            assert!(encode(odd).is_err(), "{odd}");
        }
        let deep = "(!".repeat(DEEPEST + 2);
        assert!(encode(&deep).unwrap_err().contains("deeper"));
    }

    proptest! {
        #[test]
        fn arbitrary_filters_never_panic(text in r"[()&|!=*<>~\\a-c2 ü]{0,40}") {
            let _ = encode(&text);
        }
    }
}
