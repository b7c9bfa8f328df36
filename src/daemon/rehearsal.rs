//! What a start would do, without doing it: the engine, on a copy of the table.

use std::time::Duration;

use super::state::StateFiles;
use super::{Error, Options, TableChoice, clock, opening, recollect};
use crate::config::Scope;
use crate::config::assemble::{Ask, Outcome};
use crate::engine::{Action, Engine};
use crate::ipvs::{Fake, Kernel};
use crate::model::{
    Entry, KernelError, Memory, PlanLine, PlanView, ServiceKey, Survey, Table, Time, Verdict,
};
use crate::plan;

/// What a start with these files would change in the table, once every server that was not known
/// to be dead has answered well.
///
/// # Errors
///
/// When the table cannot be read.
pub fn preview(options: &Options) -> Result<PlanView, Error> {
    let (owned, memory) = recollect(&StateFiles::new(&options.runtime_dir));
    let mut loader =
        super::loader::Loader::new(&options.config, opening::last_good(&options.state_dir));
    let (update, files) = loader.load(&Scope::Everything, Ask { confirm: true, resolve: true });
    update.reports.iter().for_each(super::telling::tell_report);
    let Outcome::Applied { desired, .. } = update.outcome else {
        return Err(Error::Config("the configuration was held back".into()));
    };
    let mut kernel = match options.table {
        TableChoice::Kernel => options.table.open()?,
        TableChoice::Memory => Box::new(Fake::new()),
    };
    let ours = owned.iter().chain(desired.services.keys()).copied();
    let before = read(&mut *kernel, ours).map_err(Error::Kernel)?;
    let mut stage = Fake::holding(before.clone());
    let now = clock::Clock::start().now();
    let mut engine = Engine::new(memory.clone(), owned, 0, now);
    engine.spare_unclaimed(super::is_any_rejected(&files));
    engine.handle_config(desired, now);
    rehearse(&mut engine, &mut stage, &memory, now);
    let then = now + ALL_ASKED;
    while engine.poll_timeout().is_some_and(|at| at <= then) {
        engine.handle_timeout(then);
        rehearse(&mut engine, &mut stage, &memory, then);
    }
    Ok(PlanView { lines: difference(&before, &stage.table()) })
}

fn read(
    kernel: &mut dyn Kernel,
    ours: impl Iterator<Item = ServiceKey>,
) -> Result<Table, KernelError> {
    let Survey { services, .. } = kernel.survey()?;
    let mut keys: Vec<_> = ours.filter(|key| services.contains_key(key)).collect();
    keys.sort_unstable();
    keys.dedup();
    let records = kernel.read(&keys)?;
    let present =
        keys.into_iter().zip(records).filter_map(|(k, r): (_, Option<Entry>)| Some((k, r?)));
    Ok(Table { services: present.collect() })
}

/// Everybody's first probe is due by then.
const ALL_ASKED: Duration = Duration::from_secs(3600);

/// Lets the engine have its way with the copy until it asks for nothing more. Servers are well,
/// but for those the last run knew to be dead, which do not answer.
fn rehearse(engine: &mut Engine, stage: &mut Fake, memory: &Memory, now: Time) {
    while let Some(action) = engine.poll_action() {
        match action {
            Action::Probe { check, endpoint, spec } => {
                let known = memory.checks.get(&spec.digest(&endpoint));
                if known.is_none_or(|known| known.verdict != Verdict::Down) {
                    engine.handle_outcome(check, crate::model::Outcome::Pass, Duration::ZERO, now);
                }
            }
            Action::Survey => engine.handle_survey(stage.survey(), Duration::ZERO, now),
            Action::Glance => engine.handle_glance(stage.glance(), Duration::ZERO, now),
            Action::Read(keys) => {
                let records = stage.read(&keys);
                engine.handle_read(&keys, records, now);
            }
            Action::Apply(steps) => {
                let failures = stage.apply(&steps);
                engine.handle_applied(&steps, &failures, now);
            }
            Action::Own(_) | Action::Remember { .. } | Action::Finish => {}
        }
    }
}

fn difference(before: &Table, after: &Table) -> Vec<PlanLine> {
    let gone = before.services.keys().filter(|key| !after.services.contains_key(key));
    let keys = after.services.keys().chain(gone);
    let lines =
        keys.flat_map(|key| plan::describe(key, before.services.get(key), after.services.get(key)));
    lines.collect()
}
