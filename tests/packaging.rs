//! What is installed beside the binary.

use std::path::Path;
use std::process::Command;

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Standard output and error of a `systemd-analyze` command; nothing where it is not installed,
/// which is said.
fn analyze(arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("systemd-analyze");
    let Ok(output) = command.args(arguments).current_dir(top()).output() else {
        let complete = std::env::var_os("DIRECTORD_COMPLETE").is_some();
        assert!(!complete, "systemd-analyze (Debian package systemd) is not installed");
        eprintln!("left out: needs systemd-analyze (make test installs it)");
        return None;
    };
    Some(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

const UNIT: &str = "packaging/systemd/directord.service";

#[test]
fn the_units_exposure_is_below_2_and_as_the_document_says() {
    let Some(said) = analyze(&["security", "--offline=yes", "--no-pager", UNIT]) else { return };
    let (_, level) = said.split_once("Overall exposure level for directord.service: ").unwrap();
    let level = level.split_whitespace().next().unwrap();
    assert!(level.parse::<f32>().unwrap() < 2.0, "{said}");
    let document = std::fs::read_to_string(top().join("docs/systemd.md")).unwrap();
    assert!(document.contains(&format!("\nsays {level} (")), "docs/systemd.md: {level}");
}

/// A key that is misspelled is ignored by systemd, and protects nothing.
#[test]
fn every_key_of_the_unit_and_its_drop_ins_is_known_to_systemd() {
    let at = tempfile::tempdir().unwrap();
    let folder = at.path().join("directord.service.d");
    std::fs::create_dir(&folder).unwrap();
    let unit = at.path().join("directord.service");
    std::fs::copy(top().join(UNIT), &unit).unwrap();
    for drop_in in std::fs::read_dir(top().join("packaging/systemd/drop-ins")).unwrap() {
        let path = drop_in.unwrap().path();
        std::fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    let Some(said) = analyze(&["verify", unit.to_str().unwrap()]) else { return };
    let complaints = said.lines().filter(|line| {
        let ours = line.contains("directord.service") && !line.contains("notify-reload");
        ours && ["Unknown", "Failed to parse", "Invalid"].iter().any(|word| line.contains(word))
    });
    assert_eq!(complaints.collect::<Vec<_>>(), Vec::<&str>::new());
}
