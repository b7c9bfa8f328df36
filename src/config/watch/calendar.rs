//! Periods in the notation of Perl's `Time::Period`.
//!
//! A text is cut as that module cuts it, so that what is odd there is the same here: `mo
//! {january-decimal}` is the whole year, `wd {}` is never, a comma at the end does not count.
//! Where it differs: every part is looked at, not only those before the first that holds, and
//! letters after the number of a single day of the year (`yd {5x}`) are refused.

use std::ops::Range;

use super::Flaw;
use super::words::is_blank;
use crate::model::{Calendar, CalendarWindows, Window};

/// Reads a period: `wd {Mon-Fri} hr {9am-5pm}, wd {Sat}`. Nothing is always; `none` is never.
pub fn calendar(written: &str) -> Result<Calendar, Flaw> {
    let lower = written.to_ascii_lowercase();
    let whole = Part::of(&lower).trimmed();
    let windows = match whole.text {
        "" => CalendarWindows::Always,
        "none" => CalendarWindows::Never,
        _ => windows(whole)?,
    };
    Ok(Calendar { written: written.to_owned(), windows })
}

/// A part of the text, and where it begins.
#[derive(Clone, Copy)]
struct Part<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Part<'t> {
    fn of(text: &'t str) -> Part<'t> {
        Part { text, at: 0 }
    }

    fn span(self) -> Range<usize> {
        self.at..self.at + self.text.len()
    }

    fn part(self, range: Range<usize>) -> Part<'t> {
        Part { text: self.text.get(range.clone()).unwrap_or_default(), at: self.at + range.start }
    }

    fn trimmed(self) -> Part<'t> {
        let start = self.text.len() - self.text.trim_start_matches(is_blank).len();
        let end = start + self.text[start..].trim_end_matches(is_blank).len();
        self.part(start..end)
    }

    /// The parts between these characters, without blanks around them and without those at the
    /// end that are empty.
    fn cut(self, by: char) -> Vec<Part<'t>> {
        let mut at = 0;
        let mut parts: Vec<Part> = Vec::new();
        for text in self.text.split(by) {
            parts.push(self.part(at..at + text.len()).trimmed());
            at += text.len() + by.len_utf8();
        }
        while parts.last().is_some_and(|part| part.text.is_empty()) {
            parts.pop();
        }
        parts
    }

    fn flaw(self, what: impl Into<String>) -> Flaw {
        Flaw::new(self.span(), what)
    }
}

fn windows(whole: Part<'_>) -> Result<CalendarWindows, Flaw> {
    let mut windows = Vec::new();
    for part in whole.cut(',') {
        windows.extend(window(part)?);
    }
    Ok(match windows.is_empty() {
        true => CalendarWindows::Never,
        false => CalendarWindows::Some(windows),
    })
}

/// One alternative; nothing where one of its scales has no range, which never holds.
fn window(part: Part<'_>) -> Result<Option<Window>, Flaw> {
    let (open, close) = (part.text.matches('{').count(), part.text.matches('}').count());
    if open == 0 && close == 0 {
        return Err(part.flaw("a period is written SCALE {VALUES}, as wd {Mon-Fri}"));
    }
    let scales = part.cut('}');
    if open != close || open != scales.len() {
        let what = match part.text.contains('{') && open > close {
            true => "a brace is not closed; commas stand between periods, not between values",
            false => "the braces do not match",
        };
        return Err(part.flaw(what));
    }
    let mut window = Window::default();
    let mut seen = Vec::new();
    for piece in scales {
        let (scale, values) = scale(piece)?;
        let ranges = scale.ranges_of(&mut window);
        for range in close_up(values.text).split(is_blank).filter(|range| !range.is_empty()) {
            ranges.push(scale.range(range).map_err(|what| values.trimmed().flaw(what))?);
        }
        seen.push(scale);
    }
    let holds = seen.into_iter().all(|scale| !scale.ranges_of(&mut window).is_empty());
    Ok(holds.then_some(window))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scale {
    Year,
    Month,
    Week,
    YearDay,
    MonthDay,
    WeekDay,
    Hour,
    Minute,
    Second,
}

use Scale::{Hour, Minute, Month, MonthDay, Second, Week, WeekDay, Year, YearDay};

const SCALES: [(&str, &str, Scale); 9] = [
    ("year", "yr", Year),
    ("month", "mo", Month),
    ("week", "wk", Week),
    ("yday", "yd", YearDay),
    ("mday", "md", MonthDay),
    ("wday", "wd", WeekDay),
    ("hour", "hr", Hour),
    ("minute", "min", Minute),
    ("second", "sec", Second),
];

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEK_DAYS: [&str; 7] = ["su", "mo", "tu", "we", "th", "fr", "sa"];

/// `hr { 9am-5pm`: the scale, and its values.
fn scale(piece: Part<'_>) -> Result<(Scale, Part<'_>), Flaw> {
    let letters = piece.text.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(piece.text.len());
    let name = piece.part(0..letters);
    let rest = piece.part(letters..piece.text.len()).trimmed();
    let Some(values) = rest.text.strip_prefix('{') else {
        return Err(piece.flaw("a period is written SCALE {VALUES}, as wd {Mon-Fri}"));
    };
    let found = SCALES.iter().find(|(long, short, _)| [*long, *short].contains(&name.text));
    match found {
        Some((_, _, scale)) => Ok((*scale, Part { text: values, at: rest.at + 1 })),
        None => {
            let known: Vec<_> = SCALES.iter().map(|(_, short, _)| *short).collect();
            let what = format!("there is no scale {:?}: {}", name.text, known.join(", "));
            Err(name.flaw(what))
        }
    }
}

impl Scale {
    fn ranges_of(self, window: &mut Window) -> &mut Vec<(u16, u16)> {
        match self {
            Year => &mut window.years,
            Month => &mut window.months,
            Week => &mut window.weeks,
            YearDay => &mut window.year_days,
            MonthDay => &mut window.month_days,
            WeekDay => &mut window.week_days,
            Hour => &mut window.hours,
            Minute => &mut window.minutes,
            Second => &mut window.seconds,
        }
    }

    /// `9am-5pm`, or `noon`'s own number alone.
    fn range(self, text: &str) -> Result<(u16, u16), String> {
        let (first, last) = text.rsplit_once('-').unwrap_or((text, text));
        let value = |text| self.value(text).ok_or_else(|| self.refusal(text));
        let (first, last) = (value(first)?, value(last)?);
        // Only years have an order that does not go round.
        Ok(if self == Year { (first.min(last), first.max(last)) } else { (first, last) })
    }

    fn value(self, text: &str) -> Option<u16> {
        let (least, most) = self.limits();
        let number = match self {
            Month if has_letter(text) => return position(&MONTHS, text.get(..3)?),
            WeekDay if has_letter(text) => return position(&WEEK_DAYS, text.get(..2)?),
            Hour => hour(text)?,
            _ => digits(text)?,
        };
        match self {
            // Perl has the century of the day; so have we, for as long as this one lasts.
            Year if number <= 99 => Some(2000 + number),
            _ => Some(number).filter(|number| (least..=most).contains(number)),
        }
    }

    const fn limits(self) -> (u16, u16) {
        match self {
            Year => (1970, u16::MAX),
            Month => (1, 12),
            Week => (1, 6),
            YearDay => (1, 366),
            MonthDay => (1, 31),
            WeekDay => (1, 7),
            Hour => (0, 23),
            Minute | Second => (0, 59),
        }
    }

    fn refusal(self, text: &str) -> String {
        let (least, most) = self.limits();
        let text = crate::config::diagnostic::quoted(text);
        let rule = match self {
            Year => "is no year: 0 to 99, or from 1970".to_owned(),
            Month => "is no month: 1 to 12, or jan to dec".to_owned(),
            WeekDay => "is no day of the week: 1 to 7 from Sunday, or su to sa".to_owned(),
            Hour => "is no hour: 0 to 23, or 12am to 11pm".to_owned(),
            _ => format!("is not between {least} and {most}"),
        };
        format!("{text} {rule}")
    }
}

fn has_letter(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_lowercase())
}

fn position(names: &[&str], name: &str) -> Option<u16> {
    let at = names.iter().position(|known| *known == name)?;
    u16::try_from(at + 1).ok()
}

/// A number; the largest there is for one that is larger.
fn digits(text: &str) -> Option<u16> {
    let only = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    only.then(|| text.parse().unwrap_or(u16::MAX))
}

/// `7`, `7am`, `12noon`. Of twelve the half of the day counts otherwise, and 13am is 13.
fn hour(text: &str) -> Option<u16> {
    if let Some(hour) = text.strip_suffix("am") {
        return digits(hour).map(|hour| if hour == 12 { 0 } else { hour });
    }
    if let Some(hour) = text.strip_suffix("pm") {
        return digits(hour).map(|hour| if hour == 12 { hour } else { hour.saturating_add(12) });
    }
    match text.strip_suffix("noon") {
        Some(hour) => digits(hour).filter(|hour| *hour == 12),
        None => digits(text),
    }
}

/// The values with `1 - 2` written as `1-2`. As with Perl's replacement, a word that ended one
/// range begins no other.
fn close_up(values: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut out = String::with_capacity(values.len());
    let mut done = 0;
    for (dash, _) in values.match_indices('-') {
        let Some(before) = values.get(done..dash) else { continue };
        let before = before.trim_end_matches(is_blank);
        let after = values[dash + 1..].trim_start_matches(is_blank);
        let length = after.find(|c| !is_word(c)).unwrap_or(after.len());
        if before.ends_with(is_word) && length > 0 {
            out.push_str(before);
            out.push('-');
            out.push_str(&after[..length]);
            done = values.len() - after.len() + length;
        }
    }
    out.push_str(values.get(done..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::WallTime;

    /// A moment of Thursday, 30 July 2026.
    fn at(hour: u16, minute: u16) -> WallTime {
        WallTime {
            year: 2026,
            month: 7,
            month_day: 30,
            year_day: 211,
            week_day: 5,
            hour,
            minute,
            second: 0,
        }
    }

    #[test]
    fn a_period_holds_at_its_times() {
        for (text, hours) in [
            ("", 0..24),
            ("  ", 0..24),
            ("none", 0..0),
            ("NONE", 0..0),
            ("wd {Mon-Fri}", 0..24),
            ("WD{MON-FRI}", 0..24),
            ("wday { Sat Sun }", 0..0),
            ("wd {thursday}", 0..24),
            ("wd {Sat-Tue}", 0..0),
            ("wd {fri-thu}", 0..24),
            ("wd {5}", 0..24),
            ("wd {4}", 0..0),
            ("hr {9am-5pm}", 9..18),
            ("hr {9am - 5pm}", 9..18),
            ("hr {12noon-12pm}", 12..13),
            ("hr {12am}", 0..1),
            ("hr {13am}", 13..14),
            ("hr {0pm}", 12..13),
            ("wd {Thu} hr {3-4}", 3..5),
            ("wd {Fri} hr {3-4}", 0..0),
            ("wd {Fri}, hr {3-4}", 3..5),
            ("wd {Fri} , hr {3} , ", 3..4),
            ("hr {3} hour {4}", 3..5),
            ("mo {jul}", 0..24),
            ("mo {nov-feb}", 0..0),
            ("mo {june-december}", 0..24),
            ("mo {jan-feb-july}", 0..24),
            ("mo {12-7}", 0..24),
            ("md {30}", 0..24),
            ("md {31-29}", 0..0),
            ("wk {5}", 0..24),
            ("yd {211}", 0..24),
            ("yr {26}", 0..24),
            ("yr {2030-2020}", 0..24),
            ("year {1999 2027}", 0..0),
            ("min {30-59}", 0..0),
            ("sec {0}", 0..24),
            ("wd {}", 0..0),
            ("wd {} wd {thu}", 0..24),
            (",", 0..0),
        ] {
            let calendar = calendar(text).unwrap_or_else(|flaw| panic!("{text}: {flaw}"));
            for hour in 0..24 {
                let holds = calendar.contains(&at(hour, 0));
                assert_eq!(holds, hours.contains(&hour), "{text} at {hour}");
            }
        }
    }

    #[test]
    fn both_ends_of_a_range_belong_to_it() {
        let night = calendar("hr {10pm-2am} min {30-29}").unwrap();
        assert!(night.contains(&at(22, 0)) && night.contains(&at(2, 59)));
        assert!(!night.contains(&at(3, 0)) && !night.contains(&at(21, 59)));
    }

    #[test]
    fn what_is_no_period_is_refused_wherever_it_stands() {
        for text in [
            "Mon-Fri",
            "wd",
            "wd {Mon",
            "wd Mon}",
            "wd {Mon,Tue}",
            "wd {Mon} hr",
            "wd {Mon} x {3}",
            "w {Mon}",
            "wda {Mon}",
            "{Mon}",
            "wd {Mo-}",
            "wd {-Fri}",
            "wd {Mon -}",
            "wd {8}",
            "wd {0}",
            "wd {xx}",
            "hr {24}",
            "hr {13pm}",
            "hr {11noon}",
            "hr {noon}",
            "hr {9am-5pm-6pm}",
            "hr {9 am}",
            "md {32}",
            "md {0}",
            "mo {13}",
            "mo {ju}",
            "wk {7}",
            "yd {367}",
            "yd {5x}",
            "yr {100}",
            "min {60}",
            "sec {-1}",
            "none, wd {Mon}",
            ", wd {Mon}",
            "wd {thu}, hr {99}",
            "hr {0-23}, nonsense",
            "hr {1 - 2 - 3}",
            "wd {ö}",
        ] {
            let flaw = calendar(text).expect_err(text);
            assert!(text.get(flaw.at.clone()).is_some(), "{text}: {flaw:?}");
        }
    }

    #[test]
    fn a_flaw_says_where_it_is() {
        let flaw = calendar("wd {Mon-Fri} hr {9am-25pm}").unwrap_err();
        assert_eq!(&"wd {Mon-Fri} hr {9am-25pm}"[flaw.at.clone()], "9am-25pm");
        assert_eq!(flaw.what, "\"25pm\" is no hour: 0 to 23, or 12am to 11pm");
    }
}
