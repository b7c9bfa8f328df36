//! Bytes of a connection to requests: a line each.

use crate::model::raw;

/// The longest request, in bytes. A comment of an acknowledgement is the longest that clients
/// send; mon's pages cut it at a few hundred.
pub const MAX_LINE: usize = 16 << 10;

/// What has arrived and is not answered yet.
///
/// A line ends with the run of CR and LF that arrives with it; a CR LF may arrive in two. What ends
/// a line later is an empty one, as with mon: somebody at a terminal has pressed a key.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    waiting: Vec<u8>,
    /// No line ends before this.
    searched: usize,
    /// The end of the line before may go on.
    at_end: bool,
    /// So far it is a CR.
    after_cr: bool,
    spent: bool,
}

/// More than [`MAX_LINE`] bytes and no end. There is no way on from here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooLong;

impl Lines {
    /// Takes in what was read. To be called when [`Lines::take`] has no more, and with no more
    /// than a few thousand bytes, so that what is held is bounded.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.spent || bytes.is_empty() {
            return;
        }
        let completes = self.at_end && self.after_cr && bytes[0] == b'\n';
        self.at_end = completes && bytes.len() > 1;
        self.after_cr = false;
        self.waiting.extend_from_slice(&bytes[usize::from(completes)..]);
    }

    /// The next whole line without its end.
    pub fn take(&mut self) -> Option<Result<String, TooLong>> {
        if self.at_end {
            let ends = self.waiting.iter().take_while(|byte| is_end(**byte)).count();
            self.after_cr =
                ends.checked_sub(1).map_or(self.after_cr, |last| self.waiting[last] == b'\r');
            self.waiting.drain(..ends);
            self.at_end = self.waiting.is_empty();
        }
        let found = self.waiting[self.searched..].iter().position(|byte| is_end(*byte));
        let length = found.map_or(self.waiting.len(), |found| self.searched + found);
        if length > MAX_LINE {
            *self = Lines { spent: true, ..Lines::default() };
            return Some(Err(TooLong));
        }
        if found.is_none() {
            self.searched = length;
            return None;
        }
        let line = raw::text_of(&self.waiting[..length]);
        self.after_cr = self.waiting[length] == b'\r';
        self.waiting.drain(..=length);
        (self.searched, self.at_end) = (0, true);
        Some(Ok(line))
    }
}

fn is_end(byte: u8) -> bool {
    byte == b'\r' || byte == b'\n'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<Result<String, TooLong>> {
        let mut lines = Lines::default();
        let mut found = Vec::new();
        for piece in pieces {
            lines.push(piece);
            found.extend(std::iter::from_fn(|| lines.take()));
        }
        found
    }

    fn said(lines: &[&str]) -> Vec<Result<String, TooLong>> {
        lines.iter().map(|line| Ok((*line).to_owned())).collect()
    }

    #[test]
    fn requests_that_arrive_together_are_all_there_in_order() {
        assert_eq!(lines(&[b"list state\nlist watch\r\nqu", b"it\n"]).len(), 3);
        assert_eq!(lines(&[b"a\r", b"\nb\n"]), said(&["a", "b"]));
        assert_eq!(lines(&[b"a\n\n\r\nb\n"]), said(&["a", "b"]));
    }

    #[test]
    fn an_empty_line_is_a_request_where_it_does_not_come_with_another() {
        assert_eq!(lines(&[b"\na\n"]), said(&["", "a"]));
        assert_eq!(lines(&[b"a\n\n\r\n", b"\n", b"b\n"]), said(&["a", "", "b"]));
        assert_eq!(lines(&[b"a\r\n", b"\r\n", b"\r", b"\n", b"b\n"]), said(&["a", "", "", "b"]));
        assert_eq!(lines(&[b"a\r", b"\n", b"\n", b" \n"]), said(&["a", "", " "]));
    }

    #[test]
    fn what_has_no_end_is_no_request() {
        assert_eq!(lines(&[b"list state"]), said(&[]));
    }

    #[test]
    fn a_line_without_end_is_given_up_and_nothing_more_is_held() {
        let piece = [b'x'; 4096];
        let mut lines = Lines::default();
        for _ in 0..4 {
            lines.push(&piece);
            assert_eq!(lines.take(), None);
        }
        lines.push(&piece);
        assert_eq!(lines.take(), Some(Err(TooLong)));
        lines.push(&piece);
        assert_eq!((lines.take(), lines.waiting.len()), (None, 0));
    }

    #[test]
    fn the_longest_line_is_taken() {
        let line = [vec![b'x'; MAX_LINE], b"\n".to_vec()].concat();
        assert_eq!(lines(&[&line]), said(&["x".repeat(MAX_LINE).as_str()]));
    }

    proptest! {
        #[test]
        fn the_lines_are_the_same_however_the_bytes_are_divided(
            bytes in proptest::collection::vec(proptest::sample::select(&b"ab\r\n"[..]), 0..40),
            at in 0usize..40,
        ) {
            let (first, second) = bytes.split_at(at.min(bytes.len()));
            // An end that comes later is an end of its own.
            prop_assume!(!first.last().is_some_and(|byte| is_end(*byte)));
            prop_assert_eq!(lines(&[first, second]), lines(&[&bytes]));
        }
    }
}
