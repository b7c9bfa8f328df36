//! The chunked transfer coding of RFC 9112 section 7.1: sizes, data, trailers.

use std::ops::Range;

/// Bytes of one size line with its extensions, and of all trailers together.
const MAX_LINE: u32 = 4096;

/// Where in a chunked body we are.
pub(super) struct Chunked {
    stage: Stage,
    /// Bytes of the current line, or of the trailers, so far.
    line: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The digits of a size; `None` before the first.
    Size(Option<u64>),
    /// An extension, to be ignored up to the end of the line.
    Extension(u64),
    Data(u64),
    /// The line end after the data of a chunk.
    DataEnd,
    /// The lines after the last chunk; whether the current one is empty so far.
    Trailer {
        blank: bool,
    },
    Done,
}

impl Default for Chunked {
    fn default() -> Chunked {
        Chunked { stage: Stage::Size(None), line: 0 }
    }
}

impl Chunked {
    pub fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// Takes bytes up to the end of the next piece of data: how many, and where in them it is.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(usize, Range<usize>), String> {
        for (at, &byte) in bytes.iter().enumerate() {
            match self.stage {
                Stage::Done => return Ok((at, at..at)),
                Stage::Data(left) => {
                    let rest = bytes.len() - at;
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(rest);
                    self.stage = match left - here as u64 {
                        0 => Stage::DataEnd,
                        left => Stage::Data(left),
                    };
                    return Ok((at + here, at..at + here));
                }
                _ => self.frame(byte)?,
            }
        }
        Ok((bytes.len(), 0..0))
    }

    /// One byte that is not data.
    fn frame(&mut self, byte: u8) -> Result<(), String> {
        self.line += 1;
        if self.line > MAX_LINE {
            return Err(format!("chunk header or trailer longer than {MAX_LINE} bytes"));
        }
        self.stage = match (self.stage, byte) {
            (Stage::Size(size), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
                let grown = size.unwrap_or(0).checked_mul(16).map(|size| size + digit);
                Stage::Size(Some(grown.ok_or("chunk size too large")?))
            }
            (Stage::Size(Some(size)) | Stage::Extension(size), b'\n') => {
                self.line = 0;
                match size {
                    0 => Stage::Trailer { blank: true },
                    size => Stage::Data(size),
                }
            }
            (Stage::Size(Some(size)), b'\r' | b' ' | b'\t' | b';') => Stage::Extension(size),
            (Stage::Size(_), _) => return Err("chunk size is not a number".into()),
            (Stage::Extension(size), _) => Stage::Extension(size),
            (Stage::DataEnd, b'\r') => Stage::DataEnd,
            (Stage::DataEnd, b'\n') => {
                self.line = 0;
                Stage::Size(None)
            }
            (Stage::DataEnd, _) => return Err("chunk longer than its size".into()),
            (Stage::Trailer { blank: true }, b'\n') => Stage::Done,
            (Stage::Trailer { .. }, b'\n') => Stage::Trailer { blank: true },
            (Stage::Trailer { blank }, b'\r') => Stage::Trailer { blank },
            (Stage::Trailer { .. }, _) => Stage::Trailer { blank: false },
            (stage @ (Stage::Data(_) | Stage::Done), _) => stage,
        };
        Ok(())
    }
}
