//! The classes of values: numbers, yes and no, quoted text.

use super::lines::{BLANK, Piece};
use super::report::Report;

/// 31 days, in seconds: longer waits are slips of the finger.
pub(super) const MAX_SECONDS: u32 = 31 * 24 * 3600;

/// The first run of digits anywhere in the value, whatever surrounds it; at least 1. What nobody
/// counts up to is `u32::MAX`.
///
/// Warns where something else than a unit of seconds is left over: `500ms` is 500 here.
pub(super) fn number(value: Piece<'_>, report: &mut Report) -> Option<u32> {
    let text = value.text;
    let start = text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len());
    let length = text[start..].find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len() - start);
    let digits = &text[start..start + length];
    let rest = text[start + length..].trim_matches(BLANK);
    if digits.is_empty() {
        report.error(value.span(), "a number of at least 1 is needed");
        return None;
    }
    let number = digits.parse().unwrap_or(u32::MAX);
    if number == 0 {
        report.error(value.span(), "0 is too small").hint("write a number of at least 1");
        return None;
    }
    let unit = ["", "s", "sec", "secs", "second", "seconds"].contains(&rest);
    if start > 0 || !unit {
        report.warning(value.span(), format!("read as {number}, as ldirectord does"));
    }
    Some(number)
}

/// The same; a larger one than `most` is taken for it, with a warning.
pub(super) fn number_to(most: u32, value: Piece<'_>, report: &mut Report) -> Option<u32> {
    let number = number(value, report)?;
    if number > most {
        report.warning(value.span(), format!("taken for {most}, which is the most"));
    }
    Some(number.min(most))
}

/// Exactly `yes` or `no`.
pub(super) fn yes_no(value: Piece<'_>, report: &mut Report) -> Option<bool> {
    match value.text {
        "yes" => Some(true),
        "no" => Some(false),
        _ => {
            report.error(value.span(), "must be yes or no").hint("small letters, without a comma");
            None
        }
    }
}

/// Text in double quotes, from the first to the last of the line; not empty.
///
/// There are no escapes. What follows the last quote does not count.
pub(super) fn quoted<'t>(value: Piece<'t>, report: &mut Report) -> Option<Piece<'t>> {
    let end = value.text.rfind('"').unwrap_or_default();
    if !value.text.starts_with('"') {
        report.error(value.span(), "must be in double quotes").hint("write it as \"...\"");
        return None;
    }
    if end == 0 {
        report.error(value.span(), "the closing double quote is missing");
        return None;
    }
    if end == 1 {
        report.error(value.span(), "must not be empty").hint("leave the line out");
        return None;
    }
    let rest = value.from(end + 1).trim();
    if !rest.text.is_empty() {
        report.warning(rest.span(), "text after the closing quote does not count");
    }
    Some(value.part(1..end))
}

/// Text whose double quotes, if they enclose all of it, are not part of it.
pub(super) fn maybe_quoted(value: Piece<'_>) -> Piece<'_> {
    let enclosed =
        value.text.len() >= 2 && value.text.starts_with('"') && value.text.ends_with('"');
    match enclosed {
        true => value.part(1..value.text.len() - 1),
        false => value,
    }
}

/// Digits and nothing else.
pub(super) fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}
