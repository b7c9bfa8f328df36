//! Files read by ldirectord's own reader and by ours, side by side: both refuse a file or none
//! does, and what they make of it is alike. Perl reads all of them in a second, so here is the
//! place for ways to write things; what comes of them in a kernel is `tests/kernel_behaviour`.

#![forbid(unsafe_code)]

mod reading;
mod shapes;

use std::path::{Path, PathBuf};

use reading::{Reading, ours, theirs};
use shapes::{ALIKE, APART, Whose};

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Reads texts by both; gives each with what they make of it.
fn both(texts: Vec<String>) -> Option<Vec<(String, Reading, Reading)>> {
    let folder = tempfile::tempdir().expect("a folder");
    let paths: Vec<PathBuf> =
        (0..texts.len()).map(|at| folder.path().join(format!("{at}.cf"))).collect();
    for (path, text) in paths.iter().zip(&texts) {
        std::fs::write(path, text).expect("a file");
    }
    let theirs = theirs(&paths)?;
    let ours: Vec<Reading> = paths.iter().map(|path| ours(path)).collect();
    let readings = ours.into_iter().zip(theirs);
    Some(texts.into_iter().zip(readings).map(|(text, (o, t))| (text, o, t)).collect())
}

#[test]
fn files_are_taken_and_refused_alike() {
    let texts = ALIKE.iter().map(|shape| shape.text()).collect();
    let Some(found) = both(texts) else { return };
    let refused = found.iter().filter(|(_, ours, _)| ours.is_none()).count();
    assert!(refused > 30 && found.len() - refused > 60, "{refused} of {}", found.len());
    let differ: Vec<_> = found.iter().filter(|(_, ours, theirs)| ours != theirs).collect();
    assert!(differ.is_empty(), "file, ours, theirs: {differ:#?}");
}

#[test]
fn what_is_refused_by_one_alone_has_its_row() {
    let texts = APART.iter().map(|(_, _, shape)| shape.text()).collect();
    let Some(found) = both(texts) else { return };
    let document = std::fs::read_to_string(top().join("docs/from-ldirectord.md")).expect("a page");
    for ((row, whose, _), (text, ours, theirs)) in APART.iter().zip(&found) {
        assert!(document.contains(&format!("\n| {row} | ")), "no row {row}");
        let taken = [ours.is_some(), theirs.is_some()];
        assert_eq!(taken, [*whose == Whose::Ours, *whose == Whose::Theirs], "{row}: {text}");
    }
}

/// Those of `published`, and those that the kernel tests play but for those that differ as decided.
#[test]
fn whole_files_are_read_alike() {
    let mut texts = Vec::new();
    let mut folders =
        vec![top().join("tests/behaviour"), top().join("tests/ldirectord_reader/published")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false => texts.push(std::fs::read_to_string(path).expect("a text")),
            }
        }
    }
    texts.retain(|text| !text.contains("\n#! differs: "));
    assert!(texts.len() > 60, "{}", texts.len());
    // What they would write is not to be written here.
    let texts =
        texts.into_iter().map(|text| text.replace("\"/run/", "\"/tmp/directord-")).collect();
    let Some(found) = both(texts) else { return };
    let differ: Vec<_> = found.iter().filter(|(_, ours, theirs)| ours != theirs).collect();
    assert!(differ.is_empty(), "file, ours, theirs: {differ:#?}");
}
