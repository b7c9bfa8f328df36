//! The files with the rules, read. Blocks: not for the loop.

use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Rules;
use super::protocol::{Access, Allow, Credential, Mistake, Users};

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

/// Reads the rules; besides them everything that is to be told of them, a line each, with file
/// and line where there is one.
///
/// Names of hosts are looked up here, once. A line that cannot be read gives nobody any right.
pub fn load(files: &RuleFiles) -> Result<(Rules, Vec<String>), LoadError> {
    let text = read(&files.auth_file)?;
    let (mut access, mistakes) = Access::parse(&text);
    let mut told = placed(&files.auth_file, &mistakes);
    let unknown = access.look_up(addresses);
    told.extend(unknown.iter().map(|what| format!("{}: {what}", files.auth_file.display())));
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
    Ok((Rules { access, credentials, user_file, allow, idle }, told))
}

/// The users of a file.
pub(super) fn users(path: &Path) -> Result<(Users, Vec<Mistake>), LoadError> {
    Ok(Users::parse(&read(path)?))
}

fn placed(path: &Path, mistakes: &[Mistake]) -> Vec<String> {
    mistakes.iter().map(|mistake| format!("{}: {mistake}", path.display())).collect()
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
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
