//! A folder that was away may come back with what was true a month ago: a share that is mounted
//! again, a copy that is only half there. What it adds or changes is taken; where something is
//! missing, nothing of it is, until the operator says so or it is missing no more.

use std::collections::HashSet;
use std::fmt;
use std::path::Path;

use super::entry::is_under;
use super::{Ask, Change, Outcome, Store};
use crate::config::{Names, Reading, Unreadable};
use crate::model::{Desired, ServiceKey};

/// A limit that never has a reload wait, in percent: then nothing is doubted either.
const NO_LIMIT: u8 = 100;

impl Store {
    /// The reading as if those of its returned paths that lack something could not be read, so that
    /// what is in force from there stays. `None` where nothing is to be doubted.
    pub(super) fn doubted(&self, reading: &Reading, names: &dyn Names) -> Option<Reading> {
        let before = self.in_force.as_ref()?;
        if reading.returned.is_empty() || before.settings.remove_limit >= NO_LIMIT {
            return None;
        }
        let mut doubted = Reading { returned: Vec::new(), ..reading.clone() };
        let ask = Ask { confirm: true, ..Ask::default() };
        let Outcome::Applied { desired, change } =
            self.clone().update(&doubted, names, ask).outcome
        else {
            return None;
        };
        for root in &reading.returned {
            let lost = Lost::between(before, &desired, &change, root);
            if lost.services + lost.servers > 0 {
                doubted.files.retain(|file| !is_under(&file.path, root));
                let error = lost.to_string().into();
                doubted.unreadable.push(Unreadable { path: root.clone(), error });
            }
        }
        Some(doubted)
    }

    /// Why nothing is taken of a path that could be read, as this reading of the last update has it.
    pub fn doubts(&self, reading: &Reading) -> Option<&str> {
        let doubted = self.unreadable.iter().find(|path| !reading.unreadable.contains(path));
        doubted.map(|path| &*path.error)
    }

    /// Whether everything below this configured path is in force as it was read last.
    pub fn is_settled(&self, root: &Path) -> bool {
        self.unreadable.iter().all(|unreadable| *unreadable.path != *root)
            && self.entries.iter().filter(|e| e.is_under(root)).all(|entry| entry.is_settled())
    }
}

/// What a path no longer declares.
struct Lost {
    services: usize,
    /// Of services that stay.
    servers: usize,
}

impl Lost {
    fn between(before: &Desired, after: &Desired, change: &Change, root: &Path) -> Lost {
        let is_from_there = |key: &&ServiceKey| {
            before.origins.get(*key).is_some_and(|origin| is_under(&origin.file, root))
        };
        let servers = |key| {
            let (before, after) = (before.services.get(key)?, after.services.get(key)?);
            let kept: HashSet<_> = after.servers.iter().map(|server| server.endpoint).collect();
            Some(before.servers.iter().filter(|server| !kept.contains(&server.endpoint)).count())
        };
        Lost {
            services: change.removed.iter().filter(is_from_there).count(),
            servers: change.changed.iter().filter(is_from_there).filter_map(servers).sum(),
        }
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Lost { services, servers } = self;
        write!(
            f,
            "it was away, and what is back lacks {services} services and {servers} real servers of \
             others: if that is right, run directord reload --confirm"
        )
    }
}
