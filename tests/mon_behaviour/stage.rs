//! Both sides, and a script that is played to them.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::script::{Event, Script, Step, Whose};
use crate::side::{LOOK, Notes, Side, Who};

/// How much later than the other one may be. mon looks once a second.
const LAG: Duration = Duration::from_secs(15);
/// After the last step, for calls that nobody expects.
const AFTERWARDS: Duration = Duration::from_millis(1500);

pub struct Stage {
    ours: Side,
    theirs: Side,
    differences: Vec<String>,
}

impl Stage {
    /// Plays it to the end, differences or not; the error has them all.
    pub fn play(text: &str, script: &Script) -> Result<(), String> {
        let filter = script.filter.as_deref();
        let ours = Side::start(Who::Ours, text, filter)?;
        let theirs = Side::start(Who::Theirs, text, filter)?;
        let mut stage = Stage { ours, theirs, differences: Vec::new() };
        for step in &script.steps {
            if let Err(error) = stage.step(step) {
                stage.differences.push(format!("{}: {error}", step.line));
                break;
            }
            if step.seen {
                stage.compare(&step.line, &step.noted);
            }
        }
        sleep(AFTERWARDS);
        stage.compare("after the last step", &Default::default());
        match stage.differences.is_empty() {
            true => Ok(()),
            false => Err(stage.differences.join("\n")),
        }
    }

    fn both(&mut self) -> [&mut Side; 2] {
        [&mut self.ours, &mut self.theirs]
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match &step.event {
            Event::Start => {}
            Event::Monitor { key, exit, output, whose, again } => {
                let takes = [*whose == Whose::Both, true];
                // Both wait before either is told, so that their times are the same.
                for (side, _) in self.both().into_iter().zip(takes).filter(|(_, takes)| *takes) {
                    side.wait_for(key)?;
                }
                for (side, _) in self.both().into_iter().zip(takes).filter(|(_, takes)| *takes) {
                    side.hand(key, exit, output);
                }
                for ((side, again), takes) in self.both().into_iter().zip(*again).zip(takes) {
                    match (takes, again) {
                        (false, _) => {}
                        // Whoever asks again has told of the result.
                        (true, true) => side.wait_for(key)?,
                        (true, false) => side.rests(key)?,
                    }
                }
            }
            Event::Asks(key) => {
                for side in self.both() {
                    side.wait_for(key)?;
                }
            }
            Event::Client(request) => self.ask(request, step),
            Event::Trap(fields) => self.both().into_iter().for_each(|side| side.trap(fields)),
            Event::Notes(count) => {
                let end = Instant::now() + LAG;
                while self.both().into_iter().any(|side| side.fresh().len() < *count) {
                    if Instant::now() > end {
                        // What there is says more than that something is not.
                        break;
                    }
                    sleep(LOOK);
                }
            }
            Event::Pass(seconds) => sleep(Duration::from_secs(*seconds)),
        }
        Ok(())
    }

    fn ask(&mut self, request: &str, step: &Step) {
        let [ours, theirs] = [self.ours.ask(request), self.theirs.ask(request)];
        let rests = [without(ours, &step.heard[0]), without(theirs, &step.heard[1])];
        if rests[0].is_err() || rests[0] != rests[1] {
            let [ours, theirs] = rests.map(shown);
            self.differences.push(format!("{}:\nwe say\n{ours}they say\n{theirs}", step.line));
        }
    }

    /// Whether both have made the same calls since the last step, but for those that are decided.
    fn compare(&mut self, line: &str, noted: &[Vec<String>; 2]) {
        let end = Instant::now() + LAG;
        loop {
            let fresh = [self.ours.fresh(), self.theirs.fresh()];
            let rests = [0, 1].map(|side| calls(&fresh[side], &noted[side]));
            let is_same = rests[0].is_ok() && rests[0] == rests[1];
            if !is_same && Instant::now() < end {
                sleep(LOOK);
                continue;
            }
            for (side, notes) in self.both().into_iter().zip(fresh) {
                side.settle(notes);
            }
            if !is_same {
                let [ours, theirs] = differing(rests).map(shown);
                self.differences.push(format!("{line}:\nwe call\n{ours}they call\n{theirs}"));
            }
            return;
        }
    }
}

/// The calls but for these, sorted: mon has no order within a step. The error is what is missing.
fn calls(notes: &Notes, decided: &[String]) -> Result<Vec<String>, Vec<String>> {
    let mut rest: Vec<_> = notes.values().collect();
    let mut missing = Vec::new();
    for brief in decided {
        // The latest: of two calls with the same words the later is the one the step is about.
        match rest.iter().rposition(|note| note.brief == *brief) {
            Some(place) => drop(rest.remove(place)),
            None => missing.push(format!("missing: {brief}")),
        }
    }
    let mut rest: Vec<_> = rest.into_iter().map(|note| note.text.clone()).collect();
    rest.sort();
    match missing.is_empty() {
        true => Ok(rest),
        false => Err(missing.into_iter().chain(rest).collect()),
    }
}

/// What is not on both lists.
fn differing(
    lists: [Result<Vec<String>, Vec<String>>; 2],
) -> [Result<Vec<String>, Vec<String>>; 2] {
    let [Ok(mut ours), Ok(mut theirs)] = lists else { return lists };
    ours.retain(|line| match theirs.iter().position(|other| other == line) {
        Some(place) => {
            theirs.remove(place);
            false
        }
        None => true,
    });
    [Ok(ours), Ok(theirs)]
}

/// The lines but for these, sorted.
fn without(mut lines: Vec<String>, decided: &[String]) -> Result<Vec<String>, Vec<String>> {
    for line in decided {
        match lines.iter().position(|other| other == line) {
            Some(place) => drop(lines.remove(place)),
            None => {
                lines.push(format!("missing: {line}"));
                return Err(lines);
            }
        }
    }
    lines.sort();
    Ok(lines)
}

fn shown(lines: Result<Vec<String>, Vec<String>>) -> String {
    let (Ok(lines) | Err(lines)) = lines;
    lines.iter().map(|line| format!("  {}\n", line.trim_end())).collect()
}
