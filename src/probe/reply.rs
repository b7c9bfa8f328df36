//! Replies of three digits and a text, as FTP (RFC 959 section 4.2) and SMTP (RFC 5321 section
//! 4.2) know them: bytes in, at any split, codes and texts out. Pure.

use crate::probe::evidence;

/// The longest line of a reply, in bytes.
const MAX_LINE: usize = 4096;

/// The longest reply: welcome messages go to some hundred lines.
const MAX_REPLY: usize = 64 * 1024;

/// One whole reply.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Reply {
    /// 100 to 599.
    pub code: u16,
    /// Its first line, without code and line end.
    pub text: Vec<u8>,
}

impl Reply {
    /// `530 Login incorrect.`
    pub fn shown(&self) -> String {
        format!("{} {}", self.code, evidence::line(&self.text)).trim_end().to_owned()
    }
}

/// Splits what a server says into replies.
#[derive(Default)]
pub(super) struct Replies {
    line: Vec<u8>,
    /// A reply of several lines that has begun.
    open: Option<Reply>,
    /// Bytes of the current reply so far.
    length: usize,
}

impl Replies {
    /// Takes bytes up to the end of the next reply: how many, and the reply if it is whole.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(usize, Option<Reply>), String> {
        for (at, &byte) in bytes.iter().enumerate() {
            self.length += 1;
            if byte != b'\n' {
                self.line.push(byte);
            }
            if self.line.len() > MAX_LINE || self.length > MAX_REPLY {
                return Err(format!("reply too long: {}", evidence::excerpt(&self.line)));
            }
            if byte == b'\n'
                && let Some(reply) = self.end_of_line()?
            {
                self.length = 0;
                return Ok((at + 1, Some(reply)));
            }
        }
        Ok((bytes.len(), None))
    }

    /// Whether the server is in the middle of a reply.
    pub fn is_open(&self) -> bool {
        self.length > 0
    }

    fn end_of_line(&mut self) -> Result<Option<Reply>, String> {
        let line = std::mem::take(&mut self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        let parsed = split(line);
        if let Some(open) = &self.open {
            // Only its own code, followed by a blank or nothing, ends a reply of several lines.
            let ends = matches!(parsed, Some((code, more, _)) if code == open.code && !more);
            return Ok(if ends { self.open.take() } else { None });
        }
        match parsed {
            Some((code, false, text)) => Ok(Some(Reply { code, text: text.to_vec() })),
            Some((code, true, text)) => {
                self.open = Some(Reply { code, text: text.to_vec() });
                Ok(None)
            }
            None => Err(format!("not a reply: {}", evidence::excerpt(line))),
        }
    }
}

/// Code, whether more lines follow, and text of a line.
fn split(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let (digits, rest) = line.split_at_checked(3)?;
    let code: u16 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let more = match rest.first() {
        None | Some(b' ') => false,
        Some(b'-') => true,
        Some(_) => return None,
    };
    (100..=599).contains(&code).then_some((code, more, rest.get(1..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every reply, in pieces of `step` bytes, or the complaint.
    fn read(bytes: &[u8], step: usize) -> Result<Vec<(u16, String)>, String> {
        let mut replies = Replies::default();
        let mut all = Vec::new();
        for mut piece in bytes.chunks(step.max(1)) {
            while !piece.is_empty() {
                let (used, reply) = replies.feed(piece)?;
                all.extend(reply.map(|r| (r.code, String::from_utf8_lossy(&r.text).into_owned())));
                piece = &piece[used..];
            }
        }
        Ok(all)
    }

    #[test]
    fn a_reply_ends_with_its_code_and_a_blank() {
        let said = "220-Welcome\r\n220-to\r\n 220 this\r\n221 odd\r\n220\r\n331 Password?\n";
        let whole = vec![(220, "Welcome".to_owned()), (331, "Password?".to_owned())];
        assert_eq!(read(said.as_bytes(), usize::MAX), Ok(whole));
    }

    #[test]
    fn what_is_no_reply_is_quoted() {
        let said = read(b"SSH-2.0-x\r\n", 99);
        assert_eq!(said, Err(r#"not a reply: "SSH-2.0-x""#.to_owned()));
        for odd in ["", "22", "220x", "999 x", "099 x", "+22 x", "HTTP/1.1 400 Bad"] {
            assert!(read(format!("{odd}\r\n").as_bytes(), 99).is_err(), "{odd}");
        }
    }

    #[test]
    fn neither_a_line_nor_a_reply_grows_without_end() {
        assert!(read(&[b'2'; 5000], 7).unwrap_err().starts_with("reply too long"));
        let endless = "220-and so on\r\n".repeat(10_000);
        assert!(read(endless.as_bytes(), 1000).unwrap_err().starts_with("reply too long"));
    }

    fn nearly_replies() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            4 => prop::sample::select(vec![
                "220 x\r\n", "220-x\r\n", "220\r\n", "530 no\n", "\r\n", "22", "0 ", " 220 y\r\n",
            ]).prop_map(|text| text.as_bytes().to_vec()),
            1 => prop::collection::vec(any::<u8>(), 0..8),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn how_the_bytes_are_split_changes_nothing(bytes in nearly_replies(), step in 1usize..20) {
            prop_assert_eq!(read(&bytes, step), read(&bytes, usize::MAX));
        }
    }
}
