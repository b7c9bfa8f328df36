//! An alert and an upalert about one real server, and what of their period does not count.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::options::Words;
use crate::config::import::mon::draft::{PeriodDraft, ServiceDraft};
use crate::config::import::mon::findings::Findings;
use crate::model::{AlertOn, CalendarWindows, Endpoint, ServiceKey, Window};

/// The pairs of a period, in the order of the file.
#[derive(Default)]
pub(super) struct Pairs {
    pub(super) all: Vec<Pair>,
    /// Their places.
    known: BTreeMap<(ServiceKey, Endpoint), usize>,
}

#[derive(Default)]
pub(super) struct Pair {
    down: Option<Words>,
    up: Option<Words>,
}

impl Pairs {
    /// Puts an alert beside its fellow, or alone until that comes.
    pub(super) fn add(&mut self, words: Words, on: AlertOn, findings: &mut Findings) {
        let at = *self.known.entry((words.service, words.endpoint)).or_insert(self.all.len());
        if at == self.all.len() {
            self.all.push(Pair::default());
        }
        let Some(pair) = self.all.get_mut(at) else { return };
        let slot = if on == AlertOn::Recovery { &mut pair.up } else { &mut pair.down };
        if slot.is_some() {
            findings.warning(&words.place, "this real server was named above: once is enough");
        }
        *slot = Some(words);
    }
}

impl Pair {
    /// The upalert's: of the alert's nothing but the name of the row is used.
    pub(super) fn words(&self) -> &Words {
        self.up.as_ref().or(self.down.as_ref()).expect("a pair is made of one of its alerts")
    }

    pub(super) fn remark(&self, findings: &mut Findings) {
        match (&self.down, &self.up) {
            (Some(down), None) => {
                findings
                    .warning(
                        &down.place,
                        "no upalert puts this real server back; here it comes back",
                    )
                    .hint("write an upalert with the same words");
            }
            (None, Some(up)) => {
                findings
                    .warning(&up.place, "no alert takes this real server out; here it goes out")
                    .hint("write an alert with the same words");
            }
            (Some(down), Some(up)) => {
                let same = down.destination == up.destination && down.scheduler == up.scheduler;
                if !same {
                    findings
                        .warning(&up.place, "alert and upalert have different words: these count")
                        .related(down.place.span(), "other words here");
                }
            }
            (None, None) => {}
        }
    }
}

/// What of the period, and of the group, is otherwise than it looks.
pub(super) fn remark(
    draft: &ServiceDraft,
    period: &PeriodDraft,
    hosts: &[String],
    left: &BTreeSet<usize>,
    findings: &mut Findings,
) {
    let place = &period.written;
    if !is_always(period) {
        findings.warning(place, "the table is kept right at all times, not in this period only");
    }
    for (name, what) in [
        ("alertevery", "how often"),
        ("numalerts", "how many times"),
        ("alertexitrange", "of which failures"),
    ] {
        if let Some(line) = period.seen.get(name) {
            let message = format!("{what} people are told; the table is changed all the same");
            findings.warning(line, format!("{name} says {message}"));
        }
    }
    if hosts.len() > 1 {
        let message = format!(
            "the group {} has {} hosts: the real server goes out when any of them fails",
            draft.key.group,
            hosts.len()
        );
        findings.warning(&draft.name, message).hint("make a group of each host");
    }
    let of = |on: AlertOn| {
        period.alerts.iter().enumerate().filter(move |(at, a)| a.on == on && left.contains(at))
    };
    // mon counts the deletion as an alert, and tells of a recovery after one only.
    if of(AlertOn::Failure).count() == 0
        && let Some((_, alert)) = of(AlertOn::Recovery).next()
        && !period.throttle.unpaired
    {
        findings
            .warning(&alert.name, "told of no recovery: no other alert of its period was before")
            .hint("write an alert beside it, or no_comp_alerts");
    }
}

/// Whether the period is the whole week, however it is said.
fn is_always(period: &PeriodDraft) -> bool {
    let whole = |ranges: &[(u16, u16)], first: u16, last: u16| {
        let covers = |&(from, to): &(u16, u16)| from == first && to == last;
        // One that goes round and meets itself is as whole.
        let round = |&(from, to): &(u16, u16)| from == to + 1;
        ranges.is_empty() || ranges.iter().any(|range| covers(range) || round(range))
    };
    let all = |window: &Window| {
        window.years.is_empty()
            && whole(&window.months, 1, 12)
            && whole(&window.weeks, 1, 6)
            && whole(&window.year_days, 1, 366)
            && whole(&window.month_days, 1, 31)
            && whole(&window.week_days, 1, 7)
            && whole(&window.hours, 0, 23)
            && whole(&window.minutes, 0, 59)
            && whole(&window.seconds, 0, 59)
    };
    match &period.times.windows {
        CalendarWindows::Always => true,
        CalendarWindows::Never => false,
        CalendarWindows::Some(windows) => windows.iter().any(all),
    }
}

/// How many failures in a row take the server out: those of `alertafter`, or as many as last
/// longer than its time.
pub(super) fn fall(draft: &ServiceDraft, period: &PeriodDraft) -> u16 {
    let throttle = &period.throttle;
    let polling = draft.failure_interval.or(draft.interval);
    let counted = throttle.after_failures.unwrap_or(1);
    let within = throttle.after_within.map_or(1, |(count, _)| count);
    // The first is at once, and one more has to come once the time has passed.
    let lasting = throttle.after_time.map_or(1, |time| steps(time, polling).saturating_add(2));
    number(counted.max(within).max(lasting))
}

/// How many good results in a row bring it back: as many as last for the time of `upalertafter`.
pub(super) fn rise(draft: &ServiceDraft, period: &PeriodDraft) -> u16 {
    let held = period.throttle.recovery_after.map(|time| {
        let time = time.saturating_sub(Duration::from_nanos(1));
        steps(time, draft.interval).saturating_add(2)
    });
    number(held.unwrap_or(1))
}

/// Whole intervals in a time.
fn steps(time: Duration, interval: Option<Duration>) -> u32 {
    let interval = interval.filter(|interval| !interval.is_zero());
    let count = interval.map_or(0, |interval| time.as_nanos() / interval.as_nanos());
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn number(count: u32) -> u16 {
    u16::try_from(count.max(1)).unwrap_or(u16::MAX)
}
