//! Byte offsets as people count: lines and columns.

use std::fmt;

/// Where the lines of a text begin. Made once for a text, it answers for any number of offsets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lines {
    /// The offset of each line's first byte; the first is 0.
    starts: Vec<usize>,
}

/// A line and a column, both from 1. The column counts characters, not bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Position {
    pub line: u32,
    pub column: u32,
}

/// `3:14`.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl Lines {
    /// The lines of this text; they end with LF or CR LF.
    pub fn of(text: &str) -> Lines {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Lines { starts: std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect() }
    }

    /// The line of this offset, from 1; the last line for offsets beyond the end.
    pub fn line(&self, offset: usize) -> u32 {
        let line = self.starts.partition_point(|start| *start <= offset);
        u32::try_from(line).unwrap_or(u32::MAX)
    }

    /// Line and column of this offset into `text`, the text these lines were made of.
    pub fn position(&self, text: &str, offset: usize) -> Position {
        let line = self.line(offset);
        let start = self.start(line).min(text.len());
        let before = text.get(start..offset.min(text.len())).unwrap_or_default();
        let column = u32::try_from(before.chars().count()).unwrap_or(u32::MAX).saturating_add(1);
        Position { line, column }
    }

    /// The text of a line without its end, and the offset it begins at.
    pub fn text<'t>(&self, text: &'t str, line: u32) -> (&'t str, usize) {
        let start = self.start(line);
        let end = self.starts.get(line as usize).copied().unwrap_or(text.len());
        let line = text.get(start..end).unwrap_or_default();
        (line.trim_end_matches(['\n', '\r']), start)
    }

    fn start(&self, line: u32) -> usize {
        let at = (line as usize).saturating_sub(1);
        self.starts.get(at).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_start_at_one() {
        let text = "a: ü\r\nb: 2\n";
        let lines = Lines::of(text);
        assert_eq!(lines.position(text, 0), Position { line: 1, column: 1 });
        assert_eq!(lines.position(text, 5), Position { line: 1, column: 5 });
        assert_eq!(lines.position(text, 10), Position { line: 2, column: 4 });
        assert_eq!(lines.position(text, text.len()), Position { line: 3, column: 1 });
        assert_eq!(lines.position(text, 4000).line, 3);
        assert_eq!(lines.text(text, 1), ("a: ü", 0));
        assert_eq!(lines.text(text, 2), ("b: 2", 7));
    }
}
