//! Read an HTTP/1.1 answer: bytes in, at any split, a head and a body out.
//!
//! ```text
//!          blank line         body wanted
//!   Head ------------> (1xx? Head) ----> Length | Chunked | UntilClose --> Done
//!                            \___________________________________________/
//!                                not wanted, or none by the rules
//! ```
//!
//! Does no input or output of its own and holds at most one head and `limit` bytes of body, so
//! what a server can do to the director is bounded here and its time elsewhere.

use std::ops::ControlFlow;

use super::chunked::Chunked;
use crate::model::StatusRanges;
use crate::probe::evidence;

/// The status lines and headers of an answer, interim answers (1xx) included, in bytes. What
/// nginx and Apache send is well under 1 KiB; with cookies and policies 8 KiB are seen.
const MAX_HEAD: usize = 16 * 1024;

/// Header lines; 16 KiB hold more only when they are nearly empty.
const MAX_HEADERS: usize = 256;

/// How every answer we understand begins.
const MAGIC: &[u8] = b"HTTP/1.";

/// The head of a final answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::probe) struct Head {
    pub status: u16,
    /// The last `Location`, if any.
    pub location: Option<Vec<u8>>,
}

/// One answer being read.
pub(in crate::probe) struct Reader<'a> {
    /// Whether the request was HEAD, whose answers announce a body that never comes.
    bodiless: bool,
    /// The status codes at which the body matters; `None` when none is looked at.
    body_for: Option<&'a StatusRanges>,
    /// Bytes of body kept; with that many the answer is complete.
    limit: usize,
    stage: Stage,
    text: Vec<u8>,
    /// Bytes of all heads so far.
    head_bytes: usize,
    /// Whether the current line of the head is empty so far.
    blank: bool,
    head: Option<Head>,
    body: Vec<u8>,
}

enum Stage {
    Head,
    Length { left: u64 },
    Chunked(Chunked),
    UntilClose,
    Done,
}

impl<'a> Reader<'a> {
    pub fn new(bodiless: bool, body_for: Option<&'a StatusRanges>, limit: usize) -> Reader<'a> {
        Reader {
            bodiless,
            body_for,
            limit,
            stage: Stage::Head,
            text: Vec::new(),
            head_bytes: 0,
            blank: true,
            head: None,
            body: Vec::new(),
        }
    }

    /// Takes the next bytes. `Break` once the answer holds all that was wanted of it; what
    /// follows is ignored. The error is a reason, beginning with its phase.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<ControlFlow<()>, String> {
        loop {
            match &mut self.stage {
                Stage::Done => return Ok(ControlFlow::Break(())),
                _ if bytes.is_empty() => return Ok(ControlFlow::Continue(())),
                Stage::Head => bytes = self.feed_head(bytes)?,
                Stage::Length { left } => {
                    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    *left -= here as u64;
                    if *left == 0 {
                        self.stage = Stage::Done;
                    }
                    self.keep(&bytes[..here]);
                    bytes = &bytes[here..];
                }
                Stage::Chunked(chunked) => {
                    let (used, data) = chunked.feed(bytes).map_err(|e| format!("body: {e}"))?;
                    if chunked.is_done() {
                        self.stage = Stage::Done;
                    }
                    self.keep(&bytes[data]);
                    bytes = &bytes[used..];
                }
                Stage::UntilClose => {
                    self.keep(bytes);
                    bytes = &[];
                }
            }
        }
    }

    /// The server closed the connection: is the answer whole?
    pub fn finish(&mut self) -> Result<(), String> {
        match &self.stage {
            Stage::Done => Ok(()),
            Stage::UntilClose => {
                self.stage = Stage::Done;
                Ok(())
            }
            Stage::Head if self.head_bytes == 0 => {
                Err("headers: connection closed without an answer".into())
            }
            Stage::Head => Err("headers: connection closed in the middle of them".into()),
            Stage::Length { left } => {
                Err(format!("body: connection closed {left} bytes before its end"))
            }
            Stage::Chunked(_) => Err("body: connection closed before its last chunk".into()),
        }
    }

    /// The head, once its blank line was read.
    pub fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// Bytes of the body kept so far.
    pub fn kept(&self) -> usize {
        self.body.len()
    }

    pub fn into_parts(self) -> (Option<Head>, Vec<u8>) {
        (self.head, self.body)
    }

    fn keep(&mut self, data: &[u8]) {
        let room = self.limit - self.body.len();
        self.body.extend_from_slice(&data[..room.min(data.len())]);
        if self.body.len() == self.limit {
            self.stage = Stage::Done;
        }
    }

    /// Takes bytes of the head up to its end and returns the rest.
    fn feed_head<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], String> {
        for (at, &byte) in bytes.iter().enumerate() {
            self.head_bytes += 1;
            if self.head_bytes > MAX_HEAD {
                return Err(format!("headers: longer than {} KiB", MAX_HEAD / 1024));
            }
            // Blank lines before a status line are a known sin, and harmless.
            if self.text.is_empty() && matches!(byte, b'\r' | b'\n') {
                continue;
            }
            self.text.push(byte);
            // Said at once, not at a blank line that may never come: a mail server greets and waits.
            if self.text.len() <= MAGIC.len() && !MAGIC.starts_with(&self.text) {
                self.text.extend_from_slice(&bytes[at + 1..]);
                return Err(format!("http: not an HTTP answer: {}", evidence::excerpt(&self.text)));
            }
            match byte {
                b'\n' if self.blank => {
                    self.end_of_head()?;
                    return Ok(&bytes[at + 1..]);
                }
                b'\n' => self.blank = true,
                b'\r' => {}
                _ => self.blank = false,
            }
        }
        Ok(&[])
    }

    fn end_of_head(&mut self) -> Result<(), String> {
        let text = std::mem::take(&mut self.text);
        let (head, framing) = parse(&text)?;
        self.blank = true;
        // 101 is final: nobody asked for another protocol, and no second head would follow.
        if (100..=199).contains(&head.status) && head.status != 101 {
            return Ok(());
        }
        let wanted = self.body_for.is_some_and(|ranges| ranges.contains(head.status));
        let none = self.bodiless || matches!(head.status, 101 | 204 | 304) || self.limit == 0;
        self.stage = match framing {
            _ if none || !wanted => Stage::Done,
            Framing::Length(0) => Stage::Done,
            Framing::Length(left) => Stage::Length { left },
            Framing::Chunked => Stage::Chunked(Chunked::default()),
            Framing::UntilClose => Stage::UntilClose,
            Framing::Broken(why) => return Err(format!("headers: {why}")),
        };
        self.head = Some(head);
        Ok(())
    }
}

/// How the end of a body is told, by RFC 9112 section 6.3.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
    Broken(&'static str),
}

/// Reads a whole head, as leniently as browsers do.
fn parse(text: &[u8]) -> Result<(Head, Framing), String> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut answer = httparse::Response::new(&mut headers);
    let malformed = |why: &dyn std::fmt::Display| {
        format!("headers: malformed ({why}): {}", evidence::excerpt(text))
    };
    let whole = httparse::ParserConfig::default()
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_multiple_spaces_in_response_status_delimiters(true)
        .ignore_invalid_headers_in_responses(true)
        .parse_response(&mut answer, text)
        .map_err(|error| malformed(&error))?;
    let (Some(status), Some(version), true) = (answer.code, answer.version, whole.is_complete())
    else {
        return Err(malformed(&"incomplete"));
    };
    if !(100..=599).contains(&status) {
        return Err(malformed(&"status code out of range"));
    }
    let named = |name: &'static str| {
        answer.headers.iter().filter(move |h| h.name.eq_ignore_ascii_case(name)).map(|h| h.value)
    };
    let location = named("location").next_back().map(|value| value.trim_ascii().to_vec());
    let framing = framing(version, named("transfer-encoding"), named("content-length"));
    Ok((Head { status, location }, framing))
}

fn framing<'h>(
    version: u8,
    encodings: impl Iterator<Item = &'h [u8]>,
    lengths: impl Iterator<Item = &'h [u8]>,
) -> Framing {
    if let Some(encoding) = encodings.last() {
        let last = encoding.rsplit(|&b| b == b',').next().unwrap_or_default().trim_ascii();
        return match (version, last.eq_ignore_ascii_case(b"chunked")) {
            (0, _) => Framing::Broken("transfer-encoding in an HTTP/1.0 answer"),
            (_, true) => Framing::Chunked,
            (_, false) => Framing::UntilClose,
        };
    }
    let mut agreed = None;
    for text in lengths.flat_map(|value| value.split(|&b| b == b',')) {
        let Some(length) = decimal(text.trim_ascii()) else {
            return Framing::Broken("content-length is not a number");
        };
        if agreed.is_some_and(|other| other != length) {
            return Framing::Broken("two different content-lengths");
        }
        agreed = Some(length);
    }
    agreed.map_or(Framing::UntilClose, Framing::Length)
}

/// Digits only: no sign, no blank, at least one.
fn decimal(text: &[u8]) -> Option<u64> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    digits.then(|| std::str::from_utf8(text).ok()?.parse().ok())?
}

#[cfg(test)]
mod tests;
