//! Periods in mon's words: those of a service's `alerts` and those of what is watched.

use std::time::Duration;

use super::text;
use crate::model::{Alert, AlertOn, CalendarWindows, ExitRange, Period, Repeat, Throttle};

/// The keys of a period with their values, as they stand in YAML; the first is always there.
pub(in crate::config) fn period(period: &Period) -> Vec<(&'static str, String)> {
    let times = match period.times.windows {
        CalendarWindows::Always => "",
        _ => &period.times.written,
    };
    let mut keys = vec![("period", text::text(times))];
    if period.label != period.times.written {
        keys.push(("label", text::text(&period.label)));
    }
    for (key, on) in [
        ("alert", AlertOn::Failure),
        ("upalert", AlertOn::Recovery),
        ("startupalert", AlertOn::Startup),
        ("ackalert", AlertOn::Acknowledgement),
        ("disablealert", AlertOn::Disabling),
    ] {
        let lines = period.alerts.iter().filter(|alert| alert.on == on).map(alert_line);
        keys.extend(list(lines.collect()).map(|value| (key, value)));
    }
    throttle(&period.throttle, &mut keys);
    keys
}

fn list(lines: Vec<String>) -> Option<String> {
    (!lines.is_empty()).then(|| text::list(lines.iter().map(String::as_str)))
}

fn throttle(throttle: &Throttle, keys: &mut Vec<(&'static str, String)>) {
    if let Some((value, repeat)) = throttle.every {
        let mode = match repeat {
            Repeat::SameSummary => "",
            Repeat::SameDetail => " observe_detail",
            Repeat::All => " ignore_summary",
            Repeat::Strict => " strict",
        };
        keys.push(("alertevery", text::text(&format!("{}{mode}", time(value)))));
    }
    let after = [
        throttle.after_failures.map(|count| count.to_string()),
        throttle.after_time.map(whole),
        throttle.after_within.map(|(count, within)| format!("{count} {}", whole(within))),
    ];
    keys.extend(list(after.into_iter().flatten().collect()).map(|value| ("alertafter", value)));
    let recovery = throttle.recovery_after.map(|value| text::text(&time(value)));
    keys.extend(recovery.map(|value| ("upalertafter", value)));
    keys.extend(throttle.limit.map(|limit| ("numalerts", limit.to_string())));
    keys.extend(throttle.exit.map(|range| ("alertexitrange", text::text(&exit(range)))));
    for (key, value) in
        [("no_comp_alerts", throttle.unpaired), ("alerts_dont_count", throttle.uncounted)]
    {
        keys.extend(value.then(|| (key, "true".to_owned())));
    }
}

/// A time in mon's notation, in the largest unit that leaves no part.
pub(in crate::config) fn time(value: Duration) -> String {
    let seconds = value.as_secs();
    if value.subsec_nanos() > 0 {
        return format!("{}s", value.as_secs_f64());
    }
    let unit = [(86_400, "d"), (3600, "h"), (60, "m")];
    match unit.into_iter().find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{}{name}", seconds / unit),
        None => format!("{seconds}s"),
    }
}

/// As mon's `alertafter` wants it: it knows no days.
fn whole(value: Duration) -> String {
    match value.as_secs() {
        seconds if seconds.is_multiple_of(86_400) => format!("{}h", seconds / 3600),
        _ => time(value),
    }
}

fn exit(range: ExitRange) -> String {
    match range.first == range.last {
        true => range.first.to_string(),
        false => format!("{}-{}", range.first, range.last),
    }
}

fn alert_line(alert: &Alert) -> String {
    let call = line(&alert.call.name, &alert.call.words);
    match alert.exit {
        Some(range) => format!("exit={} {call}", exit(range)),
        None => call,
    }
}

/// A name and its words, so quoted that they are cut into the same words again.
pub(in crate::config) fn line(name: &str, words: &[String]) -> String {
    let mut line = name.to_owned();
    for word in words {
        let plain = |c: char| !c.is_whitespace() && !matches!(c, '"' | '\'' | '\\');
        line.push(' ');
        match !word.is_empty() && word.chars().all(plain) {
            true => line.push_str(word),
            false => {
                line.push('"');
                for c in word.chars() {
                    if matches!(c, '"' | '\\') {
                        line.push('\\');
                    }
                    line.push(c);
                }
                line.push('"');
            }
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::watch::{interval, words};

    #[test]
    fn times_are_read_back_as_they_were() {
        for seconds in [0, 1, 59, 60, 90, 3600, 5400, 86_400, 90_000] {
            let value = Duration::from_secs(seconds);
            assert_eq!(interval(&time(value)), Some(value));
            assert_eq!(interval(&whole(value)), Some(value));
        }
        assert_eq!(time(Duration::from_millis(1500)), "1.5s");
        assert_eq!(whole(Duration::from_secs(2 * 86_400)), "48h");
    }

    #[test]
    fn words_are_cut_into_the_same_words_again() {
        for word in ["", "a", "two words", "it's", "\"", r"\", r#"a\"b"#, "é", "\t"] {
            let line = line("x", &[word.to_owned(), "y".to_owned()]);
            let meant = ["x", word, "y"].map(str::to_owned).to_vec();
            assert_eq!(words(&line), Some(meant), "{line}");
        }
    }
}
