//! Periods against Perl's Time::Period.

use directord::config::watch::calendar;
use directord::model::WallTime;

use crate::oracle::{Random, ask, question};

const MODULE: &str = "/usr/share/perl5/Time/Period.pm";

/// What clocks show at this time, in UTC.
fn wall(epoch: i64) -> WallTime {
    let time = jiff::Timestamp::from_second(epoch).unwrap().to_zoned(jiff::tz::TimeZone::UTC);
    let number = |number: i8| u16::try_from(number).unwrap();
    WallTime {
        year: u16::try_from(time.year()).unwrap(),
        month: number(time.month()),
        month_day: number(time.day()),
        year_day: u16::try_from(time.day_of_year()).unwrap(),
        week_day: number(time.weekday().to_sunday_one_offset()),
        hour: number(time.hour()),
        minute: number(time.minute()),
        second: number(time.second()),
    }
}

/// Scales and values that are nearly always right for one another.
fn spec(random: &mut Random) -> String {
    const SCALES: [(&[&str], &[&str]); 9] = [
        (&["yr", "year"], &["26", "2026", "99", "1970", "2030", "0", "100", "27", "1969"]),
        (&["mo", "month", "MO"], &["jan", "feb", "7", "12", "december", "Jul", "1", "13", "0"]),
        (&["wk", "week"], &["1", "2", "3", "4", "5", "6", "7", "0"]),
        (&["yd", "yday"], &["1", "211", "365", "366", "367", "60", "0"]),
        (&["md", "mday"], &["1", "15", "28", "29", "30", "31", "32", "0"]),
        (&["wd", "wday", "WDay"], &["Mon", "tu", "5", "sunday", "Sat", "1", "7", "8", "m"]),
        (
            &["hr", "hour"],
            &["9am", "5pm", "12am", "12pm", "12noon", "0", "23", "13am", "24", "0pm", "7"],
        ),
        (&["min", "minute"], &["0", "30", "59", "60", "15"]),
        (&["sec", "second"], &["0", "1", "59", "61", "30"]),
    ];
    let mut text = String::new();
    for sub in 0..=random.below(3).min(random.below(3)) {
        if sub > 0 {
            text.push_str(random.pick(&[",", ", ", " , "]));
        }
        for scale in 0..=random.below(3) {
            let (names, values) = SCALES[random.below(SCALES.len())];
            if scale > 0 {
                text.push_str(random.pick(&[" ", "", "  "]));
            }
            text.push_str(random.pick(names));
            text.push_str(random.pick(&[" {", "{", " { "]));
            for value in 0..=random.below(3) {
                if value > 0 {
                    text.push_str(random.pick(&[" ", "  ", "-", " - ", "-"]));
                }
                text.push_str(random.pick(values));
            }
            text.push_str(random.pick(&["}", " }"]));
        }
    }
    // Now and then a slip of the finger.
    if random.below(4) == 0 {
        let at = random.below(text.len() + 1);
        let slip = random.pick(&["", "{", "}", ",", "-", " ", "x", "_", "mo", "none"]);
        text.insert_str(at, slip);
        if random.below(2) == 0 {
            text.remove(random.below(text.len()));
        }
    }
    text
}

/// Whether Perl has a number before letters where it takes a day of the year: `yd {5x}` is 5, and
/// is refused here.
fn is_apart(spec: &str) -> bool {
    let spec = spec.to_ascii_lowercase();
    spec.split('}').any(|part| {
        let values = part.split_once('{').filter(|(scale, _)| scale.contains('y'));
        values.is_some_and(|(_, values)| {
            values
                .split_whitespace()
                .any(|v| v.contains(|c: char| c.is_ascii_alphabetic() || c == '_'))
        })
    })
}

#[test]
fn periods_hold_when_they_hold_in_perl() {
    let mut random = Random(0x5eed_1234_9876_abcd);
    let fixed = ["", "none", "NONE", ",", "wd {}", "wd {Sun-Sat}", "wd {Mon-Fri} hr {7am-10pm}"];
    let made = std::iter::repeat_with(|| spec(&mut random)).filter(|spec| !is_apart(spec));
    let specs: Vec<String> = fixed.map(str::to_owned).into_iter().chain(made.take(2500)).collect();
    let mut times = Random(0x1357_9bdf_0246_8ace);
    // From 2020 to 2029.
    let times: Vec<i64> =
        (0..10).map(|_| 1_577_836_800 + times.below(300_000_000) as i64).collect();
    let pairs = || specs.iter().flat_map(|spec| times.iter().map(move |time| (spec, *time)));
    let mut questions: Vec<String> =
        pairs().map(|(spec, time)| question("period", &[&time.to_string(), spec])).collect();
    // Perl stops at the first part that holds; each by itself it must look at.
    let parts: Vec<&str> = specs.iter().flat_map(|spec| spec.split(',')).collect();
    questions.extend(parts.iter().map(|part| question("period", &[&times[0].to_string(), part])));
    let Some(answers) = ask(MODULE, &questions) else { return };
    let (whole, by_part) = answers.split_at(specs.len() * times.len());

    let mut by_part = by_part.iter();
    let mut valid = 0;
    for (spec, answers) in specs.iter().zip(whole.chunks(times.len())) {
        let parts: Vec<&str> = spec.split(',').collect();
        let last = parts.iter().rposition(|part| !part.trim().is_empty());
        let mut refused = false;
        for (at, part) in parts.iter().enumerate() {
            let answer = by_part.next().unwrap();
            let counts = last.is_some_and(|last| at <= last) && parts.len() > 1;
            let empty = part.trim().is_empty() || part.trim().eq_ignore_ascii_case("none");
            refused |= answer == b"-1" || (counts && empty && last != Some(0));
        }
        let ours = calendar(spec);
        assert_eq!(ours.is_err(), refused, "{spec:?}: {ours:?}");
        let Ok(ours) = ours else { continue };
        valid += 1;
        for (time, answer) in times.iter().zip(answers) {
            let holds = if ours.contains(&wall(*time)) { "1" } else { "0" };
            assert_eq!(String::from_utf8_lossy(answer), holds, "{spec:?} at {time}");
        }
    }
    assert!(valid > 500 && specs.len() - valid > 500, "{valid} of {}", specs.len());
}
