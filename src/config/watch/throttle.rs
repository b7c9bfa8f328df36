//! What says how often somebody is told, and for which exit statuses.

use crate::model::{ExitRange, Repeat};

/// No exit status is in it.
pub const NEVER: ExitRange = ExitRange { first: 1, last: 0 };

/// `N` or `N-M`; [`NEVER`] where no status can be in it.
pub fn exit_range(text: &str) -> Option<ExitRange> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (count(first)?, count(last)?);
    let Ok(first) = u8::try_from(first) else { return Some(NEVER) };
    let last = u8::try_from(last).unwrap_or(u8::MAX);
    Some(if first <= last { ExitRange { first, last } } else { NEVER })
}

/// A number; one that nobody counts up to where it is too large.
pub fn count(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u32::MAX))
}

/// What may follow the time of `alertevery`; the first is meant where nothing does.
pub const REPEATS: [&str; 4] = ["summary", "observe_detail", "ignore_summary", "strict"];

/// What is held back.
pub fn repeat(word: &str) -> Option<Repeat> {
    Some(match word {
        "summary" => Repeat::SameSummary,
        "observe_detail" => Repeat::SameDetail,
        "ignore_summary" => Repeat::All,
        "strict" => Repeat::Strict,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_statuses_are_one_or_a_range() {
        assert_eq!(exit_range("3"), Some(ExitRange { first: 3, last: 3 }));
        assert_eq!(exit_range("1-255"), Some(ExitRange { first: 1, last: 255 }));
        assert_eq!(exit_range("2-1"), Some(NEVER));
        assert_eq!(exit_range("300"), Some(NEVER));
        for wrong in ["", "-", "1-", "-1", "a", "1-2-3", "1 - 2"] {
            assert_eq!(exit_range(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_way_to_repeat_is_one() {
        assert!(REPEATS.into_iter().all(|word| repeat(word).is_some()));
        assert_eq!(repeat("no_summary"), None);
    }
}
