//! The files with the rules, read. Blocks: not for the loop.

use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Rules;
use super::protocol::{Access, Allow, Credential, Mistake, Users};
use crate::model::raw;

/// A file of rules has a line for each command or user; ten thousand of them are below this.
const MAX_FILE: u64 = 1 << 20;

/// Where the rules are, and those that stand in the configuration itself, as written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RuleFiles {
    pub auth_file: PathBuf,
    pub user_file: Option<PathBuf>,
    /// Words of `authtype`.
    pub auth_type: String,
    /// Words of `clientallow`.
    pub client_allow: String,
    pub idle: Duration,
}

/// A file of rules that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct LoadError {
    path: PathBuf,
    source: io::Error,
}

/// What was read, and is in force from then on whatever is wrong with it.
#[derive(Debug)]
pub struct Loaded {
    pub rules: Rules,
    /// Everything that is to be told of them, a line each, with file and line where there is one.
    pub told: Vec<String>,
    /// Why nothing is known of who may do what: nobody may do anything then.
    pub error: Option<LoadError>,
}

/// Reads the rules. A line that cannot be read gives nobody any right, and a file that cannot be
/// read gives none at all.
///
/// Hosts that are named in them are not known yet: see [`look_up`].
pub fn load(files: &RuleFiles) -> Loaded {
    let (text, error) = match read(&files.auth_file) {
        Ok(text) => (text, None),
        Err(error) => (String::new(), Some(error)),
    };
    let (access, mistakes) = Access::parse(&text);
    let mut told = placed(&files.auth_file, &mistakes);
    let (credentials, words) = Credential::parse(&files.auth_type);
    told.extend(words);
    if credentials.contains(&Credential::UserFile) {
        match &files.user_file {
            Some(path) => match users(path) {
                Ok((_, mistakes)) => told.extend(placed(path, &mistakes)),
                Err(error) => told.push(format!("{error}: nobody logs in by it")),
            },
            None => told.push("authtype userfile without a userfile: nobody logs in".to_owned()),
        }
    }
    let (allow, words) = Allow::parse(&files.client_allow);
    told.extend(words);
    let (user_file, idle) = (files.user_file.clone(), files.idle);
    Loaded { rules: Rules { access, credentials, user_file, allow, idle }, told, error }
}

/// Looks up the hosts that the rules name, which may take long; those without an address are
/// told. Nothing where they name none.
pub fn look_up(mut rules: Rules) -> Option<(Rules, Vec<String>)> {
    if !rules.access.has_names() {
        return None;
    }
    let told = rules.access.look_up(addresses);
    Some((rules, told))
}

/// The users of a file.
pub(super) fn users(path: &Path) -> Result<(Users, Vec<Mistake>), LoadError> {
    Ok(Users::parse(&read(path)?))
}

fn placed(path: &Path, mistakes: &[Mistake]) -> Vec<String> {
    let told = mistakes.iter().map(|mistake| format!("{}: {mistake}", path.display()));
    told.map(|line| raw::shown(&line).into_owned()).collect()
}

fn addresses(name: &str) -> Vec<IpAddr> {
    let found = (name, 0).to_socket_addrs();
    found.map_or(Vec::new(), |found| found.map(|place| place.ip()).collect())
}

fn read(path: &Path) -> Result<String, LoadError> {
    let lost = |source| LoadError { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(lost)?;
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(lost)?;
    if bytes.len() as u64 > MAX_FILE {
        let text = format!("more than {MAX_FILE} bytes");
        return Err(lost(io::Error::new(io::ErrorKind::FileTooLarge, text)));
    }
    // As names and passwords of clients are: users of another encoding are who they are.
    Ok(raw::text_of(&bytes))
}
