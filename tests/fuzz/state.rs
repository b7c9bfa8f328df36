//! What we wrote ourselves, and somebody else may have written to.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use directord::daemon::last_good::LastGood;
use directord::daemon::state::StateFiles;
use directord::model::Digest;

use crate::driver::{answers, files, fuzz};

/// A file of this kind: its first line has the right digest, so that what follows is read.
fn sealed(kind: &str, body: &str) -> String {
    format!("directord-{kind} 1 {:016x}\n{body}", digest(body))
}

/// A journal of such a file, each line with its digest.
fn journal(base: &str, body: &str) -> String {
    let lines = body.lines().map(|line| format!("{line} #{:016x}\n", digest(line)));
    format!("directord-journal 1 {:016x}\n", digest(base)) + &lines.collect::<String>()
}

fn digest(text: &str) -> u64 {
    Digest::EMPTY.bytes(text.as_bytes()).value()
}

/// A file as it was written and as it is damaged, by the choice of the driver.
fn written(kind: &str, bytes: &[u8], is_damaged: bool) -> (tempfile::TempDir, StateFiles) {
    let folder = tempfile::tempdir().unwrap();
    let text = String::from_utf8_lossy(bytes);
    let file = if is_damaged { text.to_string() } else { sealed(kind, &text) };
    fs::write(folder.path().join(kind), file).unwrap();
    fs::write(folder.path().join(format!("{kind}.journal")), journal(&text, &text)).unwrap();
    let files = StateFiles::new(folder.path());
    (folder, files)
}

#[test]
fn the_file_of_health() {
    let good = answers("health", "pass");
    for body in &good {
        assert_eq!(written("health", body, false).1.load_health().warning, None);
    }
    fuzz("health", &good, |body, random| {
        let (_folder, files) = written("health", body, random.one_in(8));
        let known = files.load_health().value;
        files.save_health(&known).unwrap();
        let again = files.load_health();
        assert_eq!((again.warning, again.value.drains), (None, known.drains));
        assert_eq!(again.value.checks.len(), known.checks.len());
    });
}

#[test]
fn the_file_of_services() {
    let good = answers("services", "pass");
    for body in &good {
        assert_eq!(written("services", body, false).1.load_services().warning, None);
    }
    fuzz("services", &good, |body, random| {
        let (_folder, files) = written("services", body, random.one_in(8));
        let ours = files.load_services().value;
        files.save_services(&ours).unwrap();
        let again = files.load_services();
        assert_eq!((again.warning, again.value), (None, ours));
    });
}

#[test]
fn the_file_of_last_good_texts() {
    let corpus = files("../conf.d", ".yaml");
    fuzz("last-good", &corpus, |bytes, random| {
        let folder = tempfile::tempdir().unwrap();
        let text: Arc<str> = String::from_utf8_lossy(bytes).into();
        let names = ["a", "b c%.yaml", "\u{e4}\n"].map(|name| Arc::new(PathBuf::from(name)));
        let texts = names.map(|name| (name, Some(text.clone())));
        LastGood::load(folder.path()).value.keep(&texts).unwrap();
        let path = folder.path().join("last-good");
        let mut file = fs::read(&path).unwrap();
        let at = random.below(file.len());
        match random.below(3) {
            0 => file.truncate(at),
            1 => file[at] ^= 1 << random.below(8),
            _ => drop(file.splice(at..at, bytes.iter().copied())),
        }
        fs::write(&path, file).unwrap();
        let mut left = LastGood::load(folder.path()).value;
        let kept = left.history();
        assert!(kept.values().all(|kept| *kept == text), "a damaged text is believed");
        left.keep(&[(Arc::new("d".into()), Some(text.clone()))]).unwrap();
        assert_eq!(LastGood::load(folder.path()).value.history().len(), kept.len() + 1);
    });
}
