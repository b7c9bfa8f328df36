//! Standard output: buffered, with colour only where a person looks at it.

use std::fmt::{self, Write as _};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::time::Duration;

/// Where subcommands print to.
pub struct Out {
    to: BufWriter<Box<dyn Write>>,
    /// A person reads this, on a terminal.
    person: bool,
    colour: bool,
}

impl Out {
    /// Standard output, in large writes: 10,000 services are to appear at once.
    pub fn stdout() -> Out {
        let person = io::stdout().is_terminal();
        let to = BufWriter::with_capacity(64 << 10, Box::new(io::stdout()) as Box<dyn Write>);
        Out { to, person, colour: colour_wanted(person) }
    }

    pub fn is_person(&self) -> bool {
        self.person
    }

    pub fn paint(&self) -> Paint {
        Paint(self.colour)
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Whether to use colour, by the conventions of no-color.org and bixense.com/clicolors: not when
/// told not to, on a terminal that can, and elsewhere when told to.
pub fn colour_wanted(terminal: bool) -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let forced = std::env::var_os("CLICOLOR_FORCE").is_some_and(|value| value != "0");
    let able = terminal && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
    !is_set("NO_COLOR") && (forced || able)
}

/// Colours, or not.
#[derive(Clone, Copy)]
pub struct Paint(pub bool);

impl Paint {
    pub fn good(self, text: impl fmt::Display) -> String {
        self.with("32", text)
    }

    pub fn bad(self, text: impl fmt::Display) -> String {
        self.with("1;31", text)
    }

    pub fn odd(self, text: impl fmt::Display) -> String {
        self.with("33", text)
    }

    pub fn strong(self, text: impl fmt::Display) -> String {
        self.with("1", text)
    }

    pub fn faint(self, text: impl fmt::Display) -> String {
        self.with("2", text)
    }

    fn with(self, code: &str, text: impl fmt::Display) -> String {
        match self.0 {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_string(),
        }
    }
}

/// The text without what could move the cursor, change colours or turn the line around. Reasons
/// quote what real servers sent, and a server may be hostile to whoever looks at it.
pub fn harmless(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => clean.push(' '),
            c if c.is_control() || reorders_text(c) => {
                // Writing to a String does not fail.
                let _ = write!(clean, "{}", c.escape_default());
            }
            c => clean.push(c),
        }
    }
    clean
}

/// Unicode's marks that make the rest of a line read from the other side.
fn reorders_text(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The two largest units: `850ms`, `12s`, `3m12s`, `5h02m`, `12d07h`.
pub fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    if seconds == 0 {
        format!("{}ms", duration.as_millis())
    } else if minutes == 0 {
        format!("{seconds}s")
    } else if hours == 0 {
        format!("{minutes}m{:02}s", seconds % 60)
    } else if days == 0 {
        format!("{hours}h{:02}m", minutes % 60)
    } else {
        format!("{days}d{:02}h", hours % 24)
    }
}

/// `1 file`, `2 files`.
pub fn count(number: usize, word: &str) -> String {
    match number {
        1 => format!("1 {word}"),
        _ => format!("{number} {word}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_show_two_units() {
        let spans = [0, 850, 12_000, 192_000, 18_120_000, 1_062_000_000]
            .map(|ms| span(Duration::from_millis(ms)));
        assert_eq!(spans, ["0ms", "850ms", "12s", "3m12s", "5h02m", "12d07h"]);
    }

    #[test]
    fn hostile_text_cannot_reach_the_terminal() {
        assert_eq!(harmless("a\x1b[2J\tb\r\n\u{202e}ü"), "a\\u{1b}[2J b\\r\\n\\u{202e}ü");
    }
}
