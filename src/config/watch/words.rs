//! A line cut into words as a shell would, but for what a shell expands.

/// White space to Perl, which counts bytes: a blank of Unicode is a letter.
pub(super) fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

/// The words of a line; none at all where a quote does not end, or the line ends in a backslash:
/// mon drops the words of such a line without a word.
///
/// A backslash takes the next character as it is, but not between single quotes, where it stands
/// for itself and yet hides a quote. Nothing is expanded.
pub fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word = None::<String>;
    let mut rest = line.trim_matches(is_blank).chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            c if is_blank(c) => words.extend(word.take()),
            '\\' => word.get_or_insert_default().push(rest.next()?),
            '"' | '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next()? {
                        end if end == c => break,
                        '\\' => {
                            let hidden = rest.next()?;
                            if c == '\'' {
                                word.push('\\');
                            }
                            word.push(hidden);
                        }
                        plain => word.push(plain),
                    }
                }
            }
            plain => word.get_or_insert_default().push(plain),
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut_as_in_perl() {
        let table: &[(&str, &[&str])] = &[
            ("", &[]),
            (" a  b\tc ", &["a", "b", "c"]),
            (r#"-S "two words" 'and more'"#, &["-S", "two words", "and more"]),
            (r#"a"b c"d'e f'g"#, &["ab cde fg"]),
            (r#""" x"#, &["", "x"]),
            (r"a\ b \\ \' $X *", &["a b", r"\", "'", "$X", "*"]),
            (r#""a\"b" 'a\'b'"#, &["a\"b", r"a\'b"]),
            ("a\u{a0}b", &["a\u{a0}b"]),
        ];
        for (line, cut) in table {
            assert_eq!(
                words(line).as_deref(),
                Some(*cut)
                    .map(|c| c.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>())
                    .as_deref(),
                "{line}"
            );
        }
        for line in ["it's", "\"", "a 'b", r"a\", r#""\""#] {
            assert_eq!(words(line), None, "{line}");
        }
    }
}
