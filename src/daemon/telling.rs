//! Telling what happens: our own log, and whoever else is to hear of it.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use super::{Input, Options};
use crate::alert::{Call, Courier, Delivery, Manner, Policy};
use crate::config::assemble::{Report, ReportKind};
use crate::config::source::node;
use crate::event::{Event, Level};
use crate::model::Time;

/// What is told to whom, and the way there.
pub struct Telling {
    pub policy: Policy,
    courier: Courier,
}

impl Telling {
    /// What cannot be delivered comes back by `inputs`.
    pub fn new(options: &Options, inputs: UnboundedSender<Input>) -> Telling {
        let node = node::of_mail();
        let report = move |event| {
            let _ = inputs.send(Input::Told(event));
        };
        let courier = Courier::new(std::sync::Arc::new(report), options.syslog.clone(), &node);
        let persona = options.persona.clone();
        let policy = Policy::new(Manner { node, pid: std::process::id(), persona });
        Telling { policy, courier }
    }

    pub fn tell(&mut self, event: &Event, now: Time) {
        tell(event);
        self.policy.handle_event(event, now);
    }

    pub fn tell_report(&mut self, report: &Report, now: Time) {
        tell_report(report);
        self.hear_report(report, now);
    }

    /// As [`Telling::tell_report`], for what our own log has already.
    pub fn hear_report(&mut self, report: &Report, now: Time) {
        if let Some(event) = event_of(report) {
            self.policy.handle_event(&event, now);
        }
    }

    /// Hands on whatever is due, and this.
    pub fn deliver(&mut self, more: Vec<Delivery>) {
        more.into_iter().for_each(|delivery| self.courier.deliver(delivery));
        while let Some(delivery) = self.policy.poll_delivery() {
            self.courier.deliver(delivery);
        }
    }

    /// Waits until everything is delivered, but no longer than this. Gives back the calls that
    /// were not begun.
    pub async fn farewell(&mut self, limit: Duration) -> Vec<Call> {
        self.courier.farewell(limit).await
    }
}

/// What our own log's lines of events are filtered by.
pub const TARGET: &str = "directord::event";

/// One event, one line of our own log.
pub fn tell(event: &Event) {
    match event.level() {
        Level::Error => tracing::error!(target: TARGET, "{event}"),
        Level::Warn => tracing::warn!(target: TARGET, "{event}"),
        Level::Info => tracing::info!(target: TARGET, "{event}"),
    }
}

/// What is to be said of a file, its mistakes line by line.
pub fn tell_report(report: &Report) {
    event_of(report).iter().for_each(tell);
    let lines = report.lines();
    match report.kind {
        // The first is part of the event.
        ReportKind::Rejected { .. } => {
            lines.iter().skip(1).for_each(|line| tracing::warn!("{line}"));
        }
        ReportKind::Remarks => lines.iter().for_each(|line| tracing::info!("{line}")),
        ReportKind::Recovered => {}
    }
}

fn event_of(report: &Report) -> Option<Event> {
    let file = report.file.display().to_string();
    match report.kind {
        ReportKind::Rejected { kept } => Some(Event::FileRejected {
            file,
            last_good: kept.is_some(),
            reason: report.lines().first().cloned().unwrap_or_default(),
            mistakes: report.mistakes(),
        }),
        ReportKind::Remarks => None,
        ReportKind::Recovered => Some(Event::FileAccepted { file }),
    }
}
