//! What must change of the kernel's sync daemons?

use std::fmt;
use std::sync::Arc;

use crate::model::{SyncDaemon, SyncSettings, SyncState};

/// One change of a sync daemon. One that runs cannot be edited: it is stopped and started.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SyncStep {
    Stop(SyncState),
    Start(SyncDaemon),
}

/// What was being done, to what: `start sync daemon master interface=hb0 id=1`.
impl fmt::Display for SyncStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SyncStep::Stop(state) => write!(f, "stop sync daemon {state}"),
            SyncStep::Start(daemon) => write!(f, "start sync daemon {daemon}"),
        }
    }
}

/// The steps that leave a daemon of this state with these settings, or with `None` none of ours.
///
/// One in the other state is ours if it is on our interface and has our id; any other belongs to
/// somebody else and is let be. One in the wanted state is in the way, whoever it belongs to: the
/// kernel has no second one.
pub fn sync(
    found: &[SyncDaemon],
    wanted: Option<SyncState>,
    settings: &Arc<SyncSettings>,
) -> Vec<SyncStep> {
    let is_ours = |daemon: &SyncDaemon| {
        let SyncSettings { interface, id, .. } = &*daemon.settings;
        (interface, id) == (&settings.interface, &settings.id)
    };
    let is_met = |daemon: &SyncDaemon| settings.is_met_by(&daemon.settings);
    let goes = |daemon: &&SyncDaemon| match wanted == Some(daemon.state) {
        true => !is_met(daemon),
        false => is_ours(daemon),
    };
    let mut steps: Vec<_> =
        found.iter().filter(goes).map(|daemon| SyncStep::Stop(daemon.state)).collect();
    if let Some(state) = wanted
        && !found.iter().any(|daemon| daemon.state == state && is_met(daemon))
    {
        steps.push(SyncStep::Start(SyncDaemon { state, settings: settings.clone() }));
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::InterfaceName;

    fn settings(interface: &str, id: u8) -> Arc<SyncSettings> {
        let interface = InterfaceName::new(interface).unwrap();
        Arc::new(SyncSettings { id, ..SyncSettings::on(interface) })
    }

    fn daemon(state: SyncState, settings: &Arc<SyncSettings>) -> SyncDaemon {
        SyncDaemon { state, settings: settings.clone() }
    }

    #[test]
    fn a_daemon_that_is_right_is_let_be_and_another_gives_way() {
        use SyncState::{Backup, Master};
        let (ours, others) = (settings("hb0", 1), settings("eth0", 1));
        let (stop, start) = (SyncStep::Stop, |state| SyncStep::Start(daemon(state, &ours)));
        for (found, wanted, steps) in [
            (vec![], None, vec![]),
            (vec![], Some(Master), vec![start(Master)]),
            (vec![daemon(Master, &ours)], Some(Master), vec![]),
            (vec![daemon(Master, &ours)], None, vec![stop(Master)]),
            (vec![daemon(Master, &ours)], Some(Backup), vec![stop(Master), start(Backup)]),
            (vec![daemon(Master, &others)], Some(Master), vec![stop(Master), start(Master)]),
            (vec![daemon(Backup, &others)], Some(Master), vec![start(Master)]),
            (vec![daemon(Backup, &others)], None, vec![]),
        ] {
            assert_eq!(sync(&found, wanted, &ours), steps, "{found:?} to {wanted:?}");
        }
    }
}
