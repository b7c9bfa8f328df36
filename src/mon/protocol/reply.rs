//! Replies: lines of data, then a line with a code.

use crate::model::raw;

/// The number of mon's protocol, which clients name.
pub const PROTOCOL: u32 = 9745;

/// What is sent back for one request.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reply {
    /// Whole lines.
    text: String,
    closes: bool,
}

impl Reply {
    /// A reply of one line: the code and its words.
    pub fn of(last: &str) -> Reply {
        Reply::default().done(last)
    }

    /// Ends the connection.
    #[must_use]
    pub fn closing(self) -> Reply {
        Reply { closes: true, ..self }
    }

    /// One more line of data. It stays one line, and never looks like the last.
    pub fn data(&mut self, line: &str) {
        if looks_last(line) {
            self.text.push(' ');
        }
        self.push(line);
    }

    /// The last line.
    #[must_use]
    pub fn done(mut self, last: &str) -> Reply {
        self.push(last);
        self
    }

    fn push(&mut self, line: &str) {
        let plain = |c: char| if c == '\n' || c == '\r' { ' ' } else { c };
        self.text.extend(line.chars().map(plain));
        self.text.push('\n');
    }

    /// What is to be sent.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// As bytes, where programs said what is no text.
    pub fn into_bytes(self) -> Vec<u8> {
        raw::bytes_of(&self.text).into_owned()
    }

    /// Whether the connection ends with it.
    pub fn closes(&self) -> bool {
        self.closes
    }
}

/// Clients read on until three digits and a blank.
fn looks_last(line: &str) -> bool {
    let bytes = line.as_bytes();
    bytes.len() > 3 && bytes[..3].iter().all(u8::is_ascii_digit) && bytes[3].is_ascii_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_data_looks_like_the_last() {
        let mut reply = Reply::default();
        reply.data("220 list dtlog completed\n520 x");
        reply.data("1796006460 web");
        let reply = reply.done("220 done");
        assert_eq!(reply.text(), " 220 list dtlog completed 520 x\n1796006460 web\n220 done\n");
    }
}
