//! What mon's dialect and the native one write alike: periods, dependencies, words, times.

mod calendar;
mod dependency;
mod monitor;
mod throttle;
mod words;

use std::ops::Range;
use std::time::Duration;

pub use calendar::calendar;
pub use dependency::{GAP, expression};
pub use monitor::{limit, native};
pub use throttle::{NEVER, REPEATS, count, exit_range, repeat};
pub use words::words;

/// What is wrong with a text, and where in it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{what}")]
pub struct Flaw {
    /// Bytes of the text; empty where something is missing.
    pub at: Range<usize>,
    /// Lower case, no full stop.
    pub what: String,
}

impl Flaw {
    fn new(at: Range<usize>, what: impl Into<String>) -> Flaw {
        Flaw { at, what: what.into() }
    }
}

/// A hundred years: longer waits are slips of the finger.
const LONGEST_SECONDS: f64 = 100.0 * 365.25 * 86_400.0;

/// mon's times: `90s`, `1.5m`, `2h`, `1d`, in either case. The unit is needed; what is longer
/// than a hundred years is none.
pub fn interval(text: &str) -> Option<Duration> {
    let text = text.trim_matches(words::is_blank);
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "s" | "S" => 1.0,
        "m" | "M" => 60.0,
        "h" | "H" => 3600.0,
        "d" | "D" => 86_400.0,
        _ => return None,
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let seconds = number.parse::<f64>().ok().filter(|_| digits(whole) && digits(part))? * unit;
    (seconds <= LONGEST_SECONDS).then(|| Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit_and_may_have_a_point() {
        for (text, millis) in [("90s", 90_000), ("1.5m", 90_000), ("2H", 7_200_000), ("0s", 0)] {
            assert_eq!(interval(text), Some(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(interval(" 1d "), Some(Duration::from_secs(86_400)));
        for text in
            ["", "s", "5", "5 s", "-5s", "+5s", "1e3s", ".5s", "5.s", "infs", "5ms", "5µ", "40000d"]
        {
            assert_eq!(interval(text), None, "{text}");
        }
    }
}
