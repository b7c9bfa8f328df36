//! Text as YAML writes it: as it stands where no reader could take it for something else.

/// A value that may be any text.
pub(super) fn text(value: &str) -> String {
    if is_plain(value) {
        return value.to_owned();
    }
    match value.chars().all(is_printable) {
        true => format!("'{}'", value.replace('\'', "''")),
        false => escaped(value),
    }
}

/// A value that is an address, and what may follow it.
pub(super) fn address(value: &str) -> String {
    match value.starts_with('[') {
        true => format!("\"{value}\""),
        false => value.to_owned(),
    }
}

/// Words on one line: `[a, 'b c']`.
pub(super) fn list<'w>(words: impl Iterator<Item = &'w str>) -> String {
    // Within brackets a comma or a brace would end a plain word; those are not plain below.
    let words: Vec<String> = words.map(text).collect();
    format!("[{}]", words.join(", "))
}

/// Begins with a letter or a slash, so that it is no number, date or mark of YAML's; has nothing
/// in it that means something somewhere; and is none of the words that some readers take for a
/// truth or for nothing.
fn is_plain(value: &str) -> bool {
    const TAKEN: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    let first = |c: char| c.is_ascii_alphabetic() || c == '/';
    let clean = |c: char| c.is_ascii_alphanumeric() || " /._-+=?&%@$".contains(c);
    value.starts_with(first)
        && value.chars().all(clean)
        && !value.ends_with(' ')
        && !TAKEN.contains(&value.to_ascii_lowercase().as_str())
}

/// What can stand between single quotes on one line.
pub(super) fn is_printable(c: char) -> bool {
    let breaks = matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}');
    !c.is_control() && !breaks && !matches!(c, '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

fn escaped(value: &str) -> String {
    let mut out = String::from("\"");
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_printable(c) => out.push(c),
            c => out.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_quoted_where_a_reader_could_misunderstand_it() {
        for (value, written) in [
            ("/index.html?a=b", "/index.html?a=b"),
            ("test page", "test page"),
            ("404", "'404'"),
            ("No", "'No'"),
            ("a: b", "'a: b'"),
            ("it's #1", "'it''s #1'"),
            (r"^ok\b", r"'^ok\b'"),
            ("", "''"),
            ("a ", "'a '"),
            ("a\u{7}\"\\", "\"a\\U00000007\\\"\\\\\""),
        ] {
            assert_eq!(text(value), written);
        }
    }

    #[test]
    fn addresses_in_brackets_are_no_lists() {
        assert_eq!(address("[::1]:80 gate"), "\"[::1]:80 gate\"");
        assert_eq!(address("10.0.0.1:80"), "10.0.0.1:80");
        assert_eq!(list(["a", "{port}"].into_iter()), "[a, '{port}']");
    }
}
