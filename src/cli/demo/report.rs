//! The table at the end: who answered how many requests, and how long the director needed.

use std::fmt::Write;
use std::time::Duration;

use crate::cli::output::Paint;

/// What happened, with times from the start of the story.
pub struct Story {
    /// Name and weight.
    pub servers: Vec<(&'static str, u32)>,
    /// Which of them died.
    pub victim: usize,
    /// When each request was sent, and which server answered it.
    pub requests: Vec<(Duration, Option<usize>)>,
    pub killed: Duration,
    /// When it was out of the table.
    pub out: Duration,
    pub revived: Duration,
    /// When it was in the table again.
    pub back: Duration,
    /// How often a server is asked.
    pub interval: Duration,
}

impl Story {
    pub fn report(&self, paint: Paint) -> String {
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = self.counts(&mut text, paint).and_then(|()| self.times(&mut text, paint));
        text
    }

    fn counts(&self, to: &mut String, paint: Paint) -> std::fmt::Result {
        let victim = self.servers.get(self.victim).map_or("", |(name, _)| *name);
        let dead = format!("{victim} dead");
        let title = format!(
            "{:<20}{:>10}{:>12}{:>10}{:>10}",
            "requests", "before", dead, "after", "in all"
        );
        writeln!(to, "{}", paint.strong(title))?;
        for (at, (name, weight)) in self.servers.iter().enumerate() {
            let who = format!("{name} (weight {weight})");
            writeln!(to, "{}", self.line(&who, |by| by == Some(at)))?;
        }
        let failed = self.line("failed", |by| by.is_none());
        let any = self.requests.iter().any(|(_, by)| by.is_none());
        writeln!(to, "{}", if any { paint.odd(failed) } else { paint.good(failed) })?;
        writeln!(to, "{}", self.line("all", |_| true))
    }

    fn line(&self, who: &str, counted: impl Fn(Option<usize>) -> bool) -> String {
        let count = |from: Duration, to: Duration| {
            let within = |at: Duration| from <= at && at < to;
            self.requests.iter().filter(|(at, by)| within(*at) && counted(*by)).count()
        };
        let (zero, end) = (Duration::ZERO, Duration::MAX);
        let [before, dead, after] =
            [(zero, self.killed), (self.killed, self.revived), (self.revived, end)]
                .map(|(from, to)| count(from, to));
        format!("{who:<20}{before:>10}{dead:>12}{after:>10}{:>10}", before + dead + after)
    }

    fn times(&self, to: &mut String, paint: Paint) -> std::fmt::Result {
        let victim = self.servers.get(self.victim).map_or("", |(name, _)| *name);
        let ms =
            |from: Duration, to: Duration| format!("{} ms", to.saturating_sub(from).as_millis());
        let title = format!("{:<40}{:>8}{:>14}", "the director", "at", "took it");
        writeln!(to, "\n{}", paint.strong(title))?;
        for (what, from, at) in [
            (format!("{victim} killed -> out of the table"), self.killed, self.out),
            (format!("{victim} revived -> back in the table"), self.revived, self.back),
        ] {
            let at_text = format!("{:.1} s", at.as_secs_f64());
            writeln!(to, "{what:<40}{at_text:>8}{:>14}", ms(from, at))?;
        }
        writeln!(
            to,
            "each server is asked every {} ms, so up to that much of it is waiting for the next \
             question",
            self.interval.as_millis()
        )?;
        let failed = |after: Duration| {
            self.requests.iter().filter(|(at, by)| *at >= after && by.is_none()).count()
        };
        match failed(Duration::ZERO) {
            0 => writeln!(to, "no request failed"),
            all => writeln!(
                to,
                "of {all} failed requests, {} were sent after {victim} was out of the table",
                failed(self.out)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_counts_each_request_once_in_its_act() {
        let ms = Duration::from_millis;
        let requests = (0..600).map(|n| {
            let at = ms(n * 20);
            let by = match n {
                200..210 if n % 4 == 1 => None,
                _ => Some([0, 1, 0, 2][n as usize % 4]),
            };
            (at, by)
        });
        let story = Story {
            servers: vec![("alpha", 2), ("beta", 1), ("gamma", 1)],
            victim: 1,
            requests: requests.collect(),
            killed: ms(4000),
            out: ms(4213),
            revived: ms(8000),
            back: ms(8350),
            interval: ms(500),
        };
        insta::assert_snapshot!(story.report(Paint(false)));
    }
}
