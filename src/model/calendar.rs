//! Times of the week, the month and the year at which something holds: mon's periods.

use std::fmt;

/// One or more windows; inside any of them is inside.
///
/// mon's notation (Perl's `Time::Period`): scales of one window all hold, ranges of one scale are
/// alternatives, and both ends belong to a range.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Calendar {
    /// As written.
    pub written: String,
    pub windows: CalendarWindows,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CalendarWindows {
    Always,
    Never,
    /// Not empty.
    Some(Vec<Window>),
}

/// Scales that must all hold; for each the ranges that do. A scale without a range always holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Window {
    /// Whole years, as 2026.
    pub years: Vec<(u16, u16)>,
    /// 1 to 12.
    pub months: Vec<(u16, u16)>,
    /// Of the month, 1 to 6; weeks begin on Sunday.
    pub weeks: Vec<(u16, u16)>,
    /// 1 to 366.
    pub year_days: Vec<(u16, u16)>,
    /// 1 to 31.
    pub month_days: Vec<(u16, u16)>,
    /// 1 is Sunday, 7 Saturday.
    pub week_days: Vec<(u16, u16)>,
    /// 0 to 23.
    pub hours: Vec<(u16, u16)>,
    /// 0 to 59.
    pub minutes: Vec<(u16, u16)>,
    /// 0 to 59.
    pub seconds: Vec<(u16, u16)>,
}

/// A moment as clocks on the wall show it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WallTime {
    pub year: u16,
    pub month: u16,
    pub month_day: u16,
    pub year_day: u16,
    /// 1 is Sunday.
    pub week_day: u16,
    pub hour: u16,
    pub minute: u16,
    pub second: u16,
}

impl Calendar {
    pub fn always() -> Calendar {
        Calendar { written: String::new(), windows: CalendarWindows::Always }
    }

    /// As times that are excluded: where none are written none are, though a period is always
    /// then.
    pub fn excluding(self) -> Option<Calendar> {
        (self.windows != CalendarWindows::Always).then_some(self)
    }

    pub fn contains(&self, now: &WallTime) -> bool {
        match &self.windows {
            CalendarWindows::Always => true,
            CalendarWindows::Never => false,
            CalendarWindows::Some(windows) => windows.iter().any(|window| window.contains(now)),
        }
    }
}

impl Window {
    pub fn contains(&self, now: &WallTime) -> bool {
        let week = WallTime::week_of_month(now);
        let scales = [
            (&self.years, now.year),
            (&self.months, now.month),
            (&self.weeks, week),
            (&self.year_days, now.year_day),
            (&self.month_days, now.month_day),
            (&self.week_days, now.week_day),
            (&self.hours, now.hour),
            (&self.minutes, now.minute),
            (&self.seconds, now.second),
        ];
        scales.iter().all(|(ranges, value)| ranges.is_empty() || is_in_any(ranges, *value))
    }
}

/// A range whose end lies before its beginning goes over the end of the scale.
fn is_in_any(ranges: &[(u16, u16)], value: u16) -> bool {
    ranges.iter().any(|&(first, last)| match first <= last {
        true => (first..=last).contains(&value),
        false => value >= first || value <= last,
    })
}

/// As C writes it: `Mon Nov  2 02:41:04 2026`.
impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let name = |names: &[&'static str], number: u16| {
            names.get(usize::from(number).wrapping_sub(1)).copied().unwrap_or("???")
        };
        let (day, month) = (name(&DAYS, self.week_day), name(&MONTHS, self.month));
        let WallTime { month_day, hour, minute, second, year, .. } = self;
        write!(f, "{day} {month} {month_day:2} {hour:02}:{minute:02}:{second:02} {year}")
    }
}

impl WallTime {
    /// 1 to 6: the first week ends with the first Saturday.
    fn week_of_month(&self) -> u16 {
        let first_week_day = (self.week_day + 35 - self.month_day) % 7;
        (self.month_day + first_week_day - 1) / 7 + 1
    }
}
