//! What a start would do, without doing it: the engine, on a copy of the table.

use std::sync::Arc;
use std::time::Duration;

use super::maintenance::{FIRST_LOOK, First, first_look, wanted};
use super::state::StateFiles;
use super::{
    Error, Options, Recollected, TableChoice, clock, opening, recollect, take_role, worth_starting,
};
use crate::config::Scope;
use crate::config::assemble::{Ask, Outcome};
use crate::engine::{Action, Engine};
use crate::ipvs::{Fake, Kernel};
use crate::model::{
    Desired, Entry, FileView, KernelError, Memory, PlanLine, PlanView, ServiceKey, Survey, Table,
    Time, Verdict,
};
use crate::plan;

/// What a start with these files would change in the table, once every server that was not known
/// to be dead has answered well.
///
/// # Errors
///
/// When the table cannot be read, or a start would refuse the files.
pub fn preview(options: &Options) -> Result<PlanView, Error> {
    let Recollected { owned, memory, role } = recollect(&StateFiles::new(&options.runtime_dir));
    let (desired, files) = load(options)?;
    worth_starting(options, &desired, &files, &owned)?;
    let mut kernel = match options.table {
        TableChoice::Kernel => options.table.open()?,
        TableChoice::Memory => Box::new(Fake::new()),
    };
    let ours = owned.iter().chain(desired.services.keys()).copied();
    let before = read(&mut *kernel, ours).map_err(Error::Kernel)?;
    let mut stage = Fake::holding(before.clone());
    let now = clock::Clock::start().now();
    let mut engine = Engine::new(memory.clone(), owned, 0, now);
    take_role(&mut engine, options.role, role, now);
    engine.spare_unclaimed(super::is_any_rejected(&files));
    // As a start would, and no longer than that: a folder may be on a disk that hangs.
    let First { notices, troubles, .. } = first_look(wanted(&desired), FIRST_LOOK);
    troubles.iter().for_each(super::telling::tell);
    engine.handle_maintenance(Arc::new(notices), now);
    engine.handle_config(desired, now);
    rehearse(&mut engine, &mut stage, &memory, now);
    let then = now + ALL_ASKED;
    while engine.poll_timeout().is_some_and(|at| at <= then) {
        engine.handle_timeout(then);
        rehearse(&mut engine, &mut stage, &memory, then);
    }
    Ok(PlanView { lines: difference(&before, &stage.table()), held: None })
}

/// Whether a start with these files would succeed, beside a director that runs with them.
///
/// # Errors
///
/// Why it would not.
pub fn could_start(options: &Options) -> Result<(), Error> {
    let Recollected { owned, .. } = recollect(&StateFiles::new(&options.runtime_dir));
    let (desired, files) = load(options)?;
    worth_starting(options, &desired, &files, &owned)?;
    options.table.open()?.survey().map_err(Error::Kernel)?;
    Ok(())
}

/// The files as a start would take them.
fn load(options: &Options) -> Result<(Arc<Desired>, Vec<Arc<FileView>>), Error> {
    let last_good = opening::last_good(&options.state_dir);
    let mut loader = super::loader::Loader::new(&options.config, last_good, None);
    let (update, files) = loader.load(&Scope::Everything, Ask { confirm: true, resolve: true });
    update.reports.iter().for_each(super::telling::tell_report);
    match update.outcome {
        Outcome::Applied { desired, .. } => Ok((desired, files)),
        Outcome::Held(_) => Err(Error::Config("the configuration was held back".into())),
    }
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
            Action::ReadSync => engine.handle_sync_read(stage.sync_daemons(), now),
            Action::ApplySync(steps) => {
                let failures = stage.apply_sync(&steps);
                engine.handle_sync_applied(&steps, &failures, now);
            }
            Action::Own(_) | Action::Remember { .. } | Action::NoteRole(_) | Action::Finish => {}
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::daemon::SYSLOG;

    /// What a start would do to an empty table, with these texts for files.
    fn planned(at: &Path, files: &[(&str, &str)]) -> Vec<String> {
        let config = at.join("conf.d");
        fs::create_dir(&config).unwrap();
        files.iter().for_each(|(name, text)| fs::write(config.join(name), text).unwrap());
        let options = Options {
            config: vec![config],
            table: TableChoice::Memory,
            runtime_dir: at.join("run"),
            state_dir: at.join("state"),
            pid_file: None,
            role: None,
            persona: None,
            mon: None,
            syslog: SYSLOG.into(),
        };
        preview(&options).unwrap().lines.into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn k10_a_server_posted_in_a_maintenance_folder_is_planned_as_out() {
        let at = tempfile::tempdir().unwrap();
        let posted = at.path().join("maintenance");
        fs::create_dir(&posted).unwrap();
        fs::write(posted.join("10.0.0.7"), "").unwrap();
        let posted = posted.display();
        let yaml = format!(
            "virtual: 192.0.2.10:80\nmaintenance_dir: {posted}\n\
             real: [10.0.0.7:80, 10.0.0.8:80]\n"
        );
        let cf = |virt: &str, quiescent: &str| {
            format!(
                "maintenancedir={posted}\nquiescent={quiescent}\nvirtual={virt}:80\n\
                 \treal=10.0.0.7:80 gate\n\treal=10.0.0.8:80 gate\n\tchecktype=on\n"
            )
        };
        let files = [
            ("native.yaml", &*yaml),
            ("removes.cf", &cf("192.0.2.11", "no")),
            ("quiesces.cf", &cf("192.0.2.12", "yes")),
        ];
        let lines = planned(at.path(), &files);
        let of = |virt: &str, server: &str| {
            let (server, virt) = (format!(" {server}:80 "), format!(" {virt}:80/tcp "));
            let found = lines.iter().find(|line| line.contains(&server) && line.contains(&virt));
            found.map(|line| line.rsplit_once("weight=").map_or("none", |(_, weight)| weight))
        };
        for virt in ["192.0.2.10", "192.0.2.11", "192.0.2.12"] {
            assert_eq!(of(virt, "10.0.0.8"), Some("1"), "{virt}: {lines:#?}");
        }
        // One that was never in the table is not put there to be held.
        assert_eq!(of("192.0.2.10", "10.0.0.7"), Some("0"), "{lines:#?}");
        assert_eq!(of("192.0.2.11", "10.0.0.7"), None, "{lines:#?}");
        assert_eq!(of("192.0.2.12", "10.0.0.7"), Some("0"), "{lines:#?}");
    }
}
