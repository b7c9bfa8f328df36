//! What ldirectord showed in a case that both played and that was found good.
//!
//! It shows the same again as long as nothing it stands on has changed: the case, the stage, the
//! packages. So it is written down in the target folder, in `tmp/ldirectord/CASE.json`, and the
//! next run plays ours alone against it, which takes a tenth of the time. For a fresh checkout
//! there are records in `tests/recorded/ldirectord`, made by `tests/lab/record`; of those a quarter
//! is not believed each day, so that four days play every case by both. `DIRECTORD_LIVE=1` believes
//! none at all. A case that failed against its record is played by both the next time.

use std::io;
use std::path::{Path, PathBuf};

use directord::model::Digest;
use serde::{Deserialize, Serialize};

use crate::mailbox::Mail;

/// Everything that decides what ldirectord is asked, and how it is looked at.
const STAGE: [&str; 14] = [
    include_str!("mailbox.rs"),
    include_str!("main.rs"),
    include_str!("record.rs"),
    include_str!("script.rs"),
    include_str!("speaker/lines.rs"),
    include_str!("speaker/messages.rs"),
    include_str!("speaker/mod.rs"),
    include_str!("stage.rs"),
    include_str!("told.rs"),
    include_str!("../lab/host.rs"),
    include_str!("../lab/mod.rs"),
    include_str!("../lab/server.rs"),
    include_str!("../lab/site.rs"),
    include_str!("../lab/table.rs"),
];

/// What ldirectord is made of, and what it shows itself by. A record is of these versions alone.
const PACKAGES: [&str; 21] = [
    "ipvsadm",
    "ldirectord",
    "libauthen-radius-perl",
    "libcrypt-ssleay-perl",
    "libdbd-mysql-perl",
    "libdbd-pg-perl",
    "libdbi-perl",
    "libio-socket-inet6-perl",
    "libio-socket-ssl-perl",
    "libmail-pop3client-perl",
    "libmailtools-perl",
    "libnet-dns-perl",
    "libnet-imap-simple-perl",
    "libnet-imap-simple-ssl-perl",
    "libnet-inet6glue-perl",
    "libnet-ldap-perl",
    "libnet-ssleay-perl",
    "libsocket6-perl",
    "libwww-perl",
    "perl-base",
    "user-mode-linux",
];
/// Of records that came with the checkout, one in so many is played anew each day.
const DAYS: u64 = 4;

/// What there was to see after one step.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Shown {
    /// Its table, as `ipvsadm -Sn` prints it; empty where nobody looked.
    pub rows: Vec<String>,
    /// All mails from the start of the case.
    pub mails: Vec<Mail>,
    /// All lines that its programs and monitor files wrote from the start of the case.
    pub lines: Vec<String>,
}

/// The record of one case, while it is played or made.
pub struct Record {
    path: PathBuf,
    digest: u64,
    /// Where it is played; otherwise it is made.
    played: Option<std::vec::IntoIter<Shown>>,
    made: Vec<Shown>,
}

#[derive(Serialize, Deserialize)]
struct File {
    digest: u64,
    steps: Vec<Shown>,
}

impl Record {
    /// Of a case with this text and so many steps.
    pub fn of(name: &str, text: &[u8], steps: usize) -> Record {
        let digest = STAGE.iter().fold(Digest::EMPTY, |digest, source| digest.text(source));
        let digest = digest.text(&versions());
        let mut record = Record::none(name);
        record.digest = digest.bytes(text).value();
        if std::env::var_os("DIRECTORD_LIVE").is_none_or(|word| word.is_empty() || word == "0") {
            // One that failed left a record of no steps, which speaks for itself.
            let of_these = |path: &Path| read(path).filter(|file| file.digest == record.digest);
            let known = of_these(&record.path).or_else(|| of_these(&shipped(name)?));
            record.played =
                known.filter(|file| file.steps.len() == steps).map(|file| file.steps.into_iter());
        }
        let how = if record.is_played() { "as recorded" } else { "plays" };
        eprintln!("{name}: ldirectord {how}");
        record
    }

    /// For a case that ldirectord plays each time.
    pub fn none(name: &str) -> Record {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ldirectord");
        let path = folder.join(name).with_extension("json");
        Record { path, digest: 0, played: None, made: Vec::new() }
    }

    pub fn is_played(&self) -> bool {
        self.played.is_some()
    }

    /// What there is to see after the next step, where it is played.
    pub fn next(&mut self) -> Option<Shown> {
        self.played.as_mut().map(|steps| steps.next().expect("as many steps as the case has"))
    }

    /// What there was to see after a step.
    pub fn add(&mut self, shown: Shown) {
        self.made.push(shown);
    }

    /// The case was good to its end.
    pub fn keep(&mut self) {
        if self.is_played() {
            return;
        }
        let steps = std::mem::take(&mut self.made);
        self.write(steps).unwrap();
    }

    fn write(&self, steps: Vec<Shown>) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(&File { digest: self.digest, steps })?;
        text.push(b'\n');
        std::fs::create_dir_all(self.path.parent().expect("a folder"))?;
        // Whole or not at all: a guest may be ended at any time.
        let new = self.path.with_extension("new");
        std::fs::write(&new, text)?;
        std::fs::rename(&new, &self.path)
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.write(Vec::new());
        }
    }
}

/// The record that came with the checkout, where today is not its day to be played.
fn shipped(name: &str) -> Option<PathBuf> {
    let now = std::time::UNIX_EPOCH.elapsed().expect("a clock");
    let day = now.as_secs() / (24 * 60 * 60);
    let is_its_day = Digest::EMPTY.text(name).value() % DAYS == day % DAYS;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/ldirectord");
    (!is_its_day).then(|| folder.join(name).with_extension("json"))
}

/// `PACKAGE VERSION`, a line each, of those in [`PACKAGES`].
fn versions() -> String {
    let status = std::fs::read_to_string("/var/lib/dpkg/status").expect("a Debian system");
    let field = |stanza: &str, name: &str| {
        stanza.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
    };
    let wanted = status.split("\n\n").filter_map(|stanza| {
        let package = field(stanza, "Package:")?;
        let is_ours = PACKAGES.contains(&package.as_str());
        is_ours.then(|| format!("{package} {}\n", field(stanza, "Version:").unwrap_or_default()))
    });
    let mut wanted: Vec<String> = wanted.collect();
    wanted.sort();
    wanted.concat()
}

fn read(path: &Path) -> Option<File> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}
