//! The texts in force, kept for the next start: a file that is broken then still has its last
//! good version.
//!
//! All of them are in one file of the state folder, each after a line with a digest, its length
//! and its path, with everything but plain letters spelled `%XX`:
//!
//! ```text
//! @directord 1 4f0c2d9b7a6e5183 27 /etc/directord/conf.d/web.yaml
//! virtual: 192.0.2.10:80
//! ...
//! @directord 1 90be1f0a3c5d7e24 - /etc/directord/conf.d/gone.yaml
//! ```
//!
//! A change is appended, and counts instead of what is said of that file above; a length of `-`
//! takes the file away. When more than half of it is out of date, the file is written anew. So
//! one change costs one short write, and 10,000 files one long one instead of 10,000 waits for
//! the disk.

#![forbid(unsafe_code)]

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::fcntl::OFlag;

use super::disk::{self, DiskError};
use super::state::Loaded;
use crate::config::assemble::History;
use crate::config::source::{MAX_TOTAL, read_bytes, words};
use crate::model::Digest;

const MARK: &str = "@directord 1 ";
/// Out-of-date bytes that are never worth a new file.
const SLACK: u64 = 64 << 10;

/// A file and the text in force of it, if there is one.
pub type Text = (Arc<PathBuf>, Option<Arc<str>>);

/// The kept texts of one state folder.
#[derive(Debug)]
pub struct LastGood {
    path: PathBuf,
    kept: HashMap<Arc<PathBuf>, Arc<str>>,
    /// Length of the file in bytes, and of it what is not out of date.
    length: u64,
    live: u64,
    /// Nothing may be appended: the file is missing, or not as it should be.
    stale: bool,
}

impl LastGood {
    /// Reads what is kept in this folder. What is damaged is left out, with one warning.
    pub fn load(state_dir: &Path) -> Loaded<LastGood> {
        let path = state_dir.join("last-good");
        let mut last_good =
            LastGood { path, kept: HashMap::new(), length: 0, live: 0, stale: true };
        // At most half is out of date, and a configuration may have `MAX_TOTAL`.
        let warning = match read_bytes(&last_good.path, 2 * MAX_TOTAL + (64 << 20)) {
            Ok(bytes) => match last_good.take(&bytes) {
                0 => None,
                n => Some(format!("damaged in {n} places")),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => Some(words(&error)),
        };
        let ignored = |why| format!("read {}: {why}: ignored", last_good.path.display());
        let warning = warning.map(ignored);
        Loaded { value: last_good, warning }
    }

    /// The kept texts by path.
    pub fn history(&self) -> History {
        self.kept.iter().map(|(path, text)| (path.to_path_buf(), text.clone())).collect()
    }

    /// Makes `texts` all that is kept. Waits for the disk if anything differs: not for the hot
    /// path.
    pub fn keep_only(&mut self, texts: &[Text]) -> Result<(), DiskError> {
        let wanted: HashSet<&Path> = texts.iter().map(|(path, _)| path.as_path()).collect();
        let others = self.kept.keys().filter(|path| !wanted.contains(path.as_path()));
        let gone: Vec<Text> = others.map(|path| (path.clone(), None)).collect();
        let news = [self.take_news(texts), self.take_news(&gone)].concat();
        self.write_news(&news)
    }

    /// Keeps these texts in place of those of the same files; of others, what is kept stays.
    pub fn keep(&mut self, texts: &[Text]) -> Result<(), DiskError> {
        let news = self.take_news(texts);
        self.write_news(&news)
    }

    /// The records that make these texts what is kept.
    fn take_news(&mut self, texts: &[Text]) -> Vec<u8> {
        let mut news = Vec::new();
        for (path, text) in texts {
            // Also where the text is equal: the daemon need not hold it twice.
            let old = match text {
                Some(text) => self.kept.insert(path.clone(), text.clone()),
                None => self.kept.remove(path),
            };
            if old != *text {
                self.live -= old.map_or(0, |old| record(path, Some(&old)).len() as u64);
                self.live += text.as_ref().map_or(0, |t| record(path, Some(t)).len() as u64);
                news.extend_from_slice(&record(path, text.as_deref()));
            }
        }
        news
    }

    fn write_news(&mut self, news: &[u8]) -> Result<(), DiskError> {
        match news.is_empty() && !self.stale {
            true => Ok(()),
            false => self.write(news),
        }
    }

    fn write(&mut self, news: &[u8]) -> Result<(), DiskError> {
        let length = self.length + news.len() as u64;
        let worth_it = length <= 2 * self.live + SLACK;
        if !self.stale && worth_it && self.append(news).is_ok() {
            self.length = length;
            return Ok(());
        }
        // Also after half an append, and where somebody else changed the file.
        self.stale = true;
        let mut all: Vec<_> = self.kept.iter().collect();
        all.sort();
        let all: Vec<u8> = all.iter().flat_map(|(path, text)| record(path, Some(text))).collect();
        disk::replace(&self.path, &all, true)?;
        self.length = all.len() as u64;
        self.stale = false;
        Ok(())
    }

    fn append(&self, news: &[u8]) -> io::Result<()> {
        let flags = OFlag::O_NOFOLLOW.bits();
        let mut file = OpenOptions::new().append(true).custom_flags(flags).open(&self.path)?;
        if file.metadata()?.len() != self.length {
            return Err(io::Error::other("changed by somebody else"));
        }
        file.write_all(news)?;
        file.sync_data()
    }

    /// Takes all sound records; the number of places where there was something else.
    fn take(&mut self, bytes: &[u8]) -> usize {
        let (mut at, mut damaged) = (0, 0);
        while at < bytes.len() {
            let Some((path, text, length)) = parse(&bytes[at..]) else {
                damaged += 1;
                at += next_mark(&bytes[at..]);
                continue;
            };
            at += length;
            match text {
                Some(text) => self.kept.insert(Arc::new(path), text.into()),
                None => self.kept.remove(&path),
            };
        }
        self.length = bytes.len() as u64;
        self.live = self.kept.iter().map(|(p, t)| record(p, Some(t)).len() as u64).sum();
        self.stale = damaged > 0;
        damaged
    }
}

fn record(path: &Path, text: Option<&str>) -> Vec<u8> {
    let digest = digest(path.as_os_str().as_bytes(), text);
    let length = text.map_or("-".to_owned(), |text| text.len().to_string());
    let head = format!("{MARK}{digest:016x} {length} {}\n", spelled(path));
    match text {
        Some(text) => [head.as_bytes(), text.as_bytes(), b"\n"].concat(),
        None => head.into_bytes(),
    }
}

/// The path, the text (`None` takes it away) and the length of the record that `bytes` start with.
fn parse(bytes: &[u8]) -> Option<(PathBuf, Option<&str>, usize)> {
    let head = bytes.split(|b| *b == b'\n').next()?;
    let after = head.len() + 1;
    let mut words = std::str::from_utf8(head).ok()?.strip_prefix(MARK)?.split(' ');
    let digest_found = words.next()?;
    let (text, length) = match words.next()? {
        "-" if bytes.len() >= after => (None, after),
        length => {
            let end = after.checked_add(length.parse().ok()?)?;
            let text = std::str::from_utf8(bytes.get(after..end)?).ok()?;
            (bytes.get(end) == Some(&b'\n')).then_some((Some(text), end + 1))?
        }
    };
    let path = plain(words.next()?)?;
    let right = format!("{:016x}", digest(&path, text));
    (digest_found == right).then(|| (OsString::from_vec(path).into(), text, length))
}

fn next_mark(bytes: &[u8]) -> usize {
    let mut lines = bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1);
    lines.find(|at| bytes[*at..].starts_with(MARK.as_bytes())).unwrap_or(bytes.len())
}

fn digest(path: &[u8], text: Option<&str>) -> u64 {
    let digest = Digest::EMPTY.number(path.len() as u64).bytes(path);
    text.map_or(digest.number(0), |text| digest.number(1).text(text)).value()
}

fn spelled(path: &Path) -> String {
    let mut spelled = String::new();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'%' | 0..=b' ' | 0x7f.. => spelled += &format!("%{byte:02X}"),
            _ => spelled.push(char::from(*byte)),
        }
    }
    spelled
}

fn plain(spelled: &str) -> Option<Vec<u8>> {
    let mut parts = spelled.split('%');
    let mut plain = parts.next()?.as_bytes().to_vec();
    for part in parts {
        plain.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        plain.extend_from_slice(&part.as_bytes()[2..]);
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn texts(files: &[(&str, &str)]) -> Vec<Text> {
        files.iter().map(|(path, text)| (Arc::new(path.into()), Some((*text).into()))).collect()
    }

    /// What a new start finds.
    fn found(folder: &Path) -> (Vec<(String, String)>, Option<String>) {
        let Loaded { value, warning } = LastGood::load(folder);
        let mut all: Vec<_> = value
            .history()
            .into_iter()
            .map(|(path, text)| (path.display().to_string(), text.to_string()))
            .collect();
        all.sort();
        (all, warning)
    }

    fn pairs(files: &[(&str, &str)]) -> Vec<(String, String)> {
        files.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect()
    }

    #[test]
    fn texts_are_kept_changed_and_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let mut last_good = LastGood::load(folder.path()).value;
        for files in [
            &[("conf.d/a b%.yaml", "1\n"), ("conf.d/ä\n.cf", "no end")][..],
            &[("conf.d/a b%.yaml", "2\n@directord 1 x\n"), ("conf.d/ä\n.cf", "no end")],
            &[("conf.d/a b%.yaml", "")],
            &[],
        ] {
            last_good.keep_only(&texts(files)).unwrap();
            assert_eq!(found(folder.path()), (pairs(files), None));
        }
    }

    #[test]
    fn what_changed_is_kept_beside_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let mut last_good = LastGood::load(folder.path()).value;
        last_good.keep_only(&texts(&[("a", "1"), ("b", "2"), ("c", "3")])).unwrap();
        let gone = (Arc::new(PathBuf::from("c")), None);
        last_good.keep(&[texts(&[("b", "4")]), vec![gone]].concat()).unwrap();
        assert_eq!(found(folder.path()), (pairs(&[("a", "1"), ("b", "4")]), None));
    }

    #[test]
    fn an_unchanged_set_is_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut last_good = LastGood::load(folder.path()).value;
        last_good.keep(&texts(&[("a", "1")])).unwrap();
        let path = folder.path().join("last-good");
        fs::remove_file(&path).unwrap();
        last_good.keep(&texts(&[("a", "1")])).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn damage_costs_the_damaged_texts_only() {
        let folder = tempfile::tempdir().unwrap();
        let files = [("a", "first\n"), ("b", "second\n"), ("c", "third\n")];
        LastGood::load(folder.path()).value.keep_only(&texts(&files)).unwrap();
        let path = folder.path().join("last-good");
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, whole.replace("second", "sec\0nd")).unwrap();
        let (kept, warning) = found(folder.path());
        assert_eq!(kept, pairs(&[files[0], files[2]]));
        assert!(warning.unwrap().ends_with("last-good: damaged in 1 places: ignored"));

        let mut last_good = LastGood::load(folder.path()).value;
        last_good.keep_only(&texts(&files)).unwrap();
        assert_eq!(found(folder.path()), (pairs(&files), None));
    }

    #[test]
    fn a_file_cut_anywhere_gives_what_was_before_the_cut() {
        let folder = tempfile::tempdir().unwrap();
        let mut last_good = LastGood::load(folder.path()).value;
        last_good.keep(&texts(&[("a", "1")])).unwrap();
        let path = folder.path().join("last-good");
        let short = fs::read(&path).unwrap().len();
        last_good.keep(&texts(&[("b", "2")])).unwrap();
        let whole = fs::read(&path).unwrap();
        for end in short + 1..whole.len() {
            fs::write(&path, &whole[..end]).unwrap();
            let (kept, warning) = found(folder.path());
            assert_eq!((kept, warning.is_some()), (pairs(&[("a", "1")]), true), "cut at {end}");
        }
    }

    #[test]
    fn a_file_changed_by_somebody_else_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let mut last_good = LastGood::load(folder.path()).value;
        last_good.keep(&texts(&[("a", "1")])).unwrap();
        fs::write(folder.path().join("last-good"), "rubbish").unwrap();
        last_good.keep(&texts(&[("a", "2")])).unwrap();
        assert_eq!(found(folder.path()), (pairs(&[("a", "2")]), None));
    }

    #[test]
    fn the_file_does_not_grow_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let mut last_good = LastGood::load(folder.path()).value;
        let long = "x".repeat(1000);
        for n in 0..1000 {
            // Without waiting for the disk a thousand times.
            let text = format!("{n}{long}");
            let news = record(Path::new("a"), Some(&text));
            last_good.kept.insert(Arc::new("a".into()), text.into());
            last_good.live = news.len() as u64;
            last_good.write(&news).unwrap();
        }
        let length = fs::metadata(folder.path().join("last-good")).unwrap().len();
        assert!(length <= SLACK + 3000, "{length}");
        assert_eq!(found(folder.path()).0.len(), 1);
    }

    #[test]
    fn arbitrary_bytes_never_panic() {
        proptest::proptest!(|(bytes: Vec<u8>, path in "\\PC{0,9}", text in "\\PC{0,9}")| {
            let folder = Path::new("/nonexistent");
            let sound = record(Path::new(&path), Some(&text));
            for bytes in [bytes.clone(), [&sound[..], &bytes].concat(), [&bytes, &b"\n"[..], &sound].concat()] {
                LastGood::load(folder).value.take(&bytes);
            }
            for at in 0..sound.len() {
                let mut flipped = sound.clone();
                flipped[at] ^= 1;
                LastGood::load(folder).value.take(&flipped);
            }
        });
    }
}
