//! Files as the world leaves them: odd, hostile, half gone. Whatever is there, reading ends and
//! says so.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use directord::config::source::{MAX_FILE, Reader, read};
use directord::config::{Dialect, Reading, Scope};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use tempfile::TempDir;

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

fn look(path: &Path) -> Reading {
    read(&[path.to_owned()])
}

/// The one file's text, or its error.
fn only(reading: &Reading) -> Result<&str, &str> {
    assert_eq!(reading.unreadable, []);
    let [file] = &reading.files[..] else { panic!("{reading:?}") };
    file.text.as_deref().map_err(|error| &**error)
}

fn names(reading: &Reading) -> Vec<&str> {
    reading.files.iter().map(|f| f.path.file_name().unwrap().to_str().unwrap()).collect()
}

fn touched(paths: &[PathBuf]) -> Scope {
    Scope::Touched(paths.iter().cloned().collect::<BTreeSet<_>>())
}

#[test]
fn a_folder_gives_its_configuration_files_by_name() {
    let at = folder(&[
        ("web.yaml", b"a"),
        ("dns.yml", b"b"),
        ("old.cf", b"c"),
        ("global.yaml", b"d"),
        (".hidden.yaml", b""),
        ("web.yaml~", b""),
        (".web.yaml.swp", b""),
        ("#web.yaml#", b""),
        ("web.yaml.dpkg-new", b""),
        ("README", b""),
        (".yaml", b""),
    ]);
    fs::create_dir(at.path().join("sub")).unwrap();
    fs::write(at.path().join("sub/deep.yaml"), "x").unwrap();
    let reading = look(at.path());
    assert_eq!(names(&reading), ["dns.yml", "global.yaml", "old.cf", "web.yaml"]);
    let dialects: Vec<Dialect> = reading.files.iter().map(|f| f.dialect).collect();
    assert_eq!(dialects, [Dialect::Yaml, Dialect::Global, Dialect::Ldirectord, Dialect::Yaml]);
}

#[test]
fn a_file_named_by_the_operator_may_have_any_name() {
    let at = folder(&[("www", b"virtual")]);
    let reading = look(&at.path().join("www"));
    assert_eq!(reading.files[0].dialect, Dialect::Ldirectord);
    assert_eq!(only(&reading), Ok("virtual"));
}

#[test]
fn a_file_whose_name_does_not_tell_its_grammar_tells_by_its_first_line() {
    for (text, dialect) in [
        ("# x\n\nvirtual = 192.0.2.1:80\n", Dialect::Ldirectord),
        ("checktimeout=3\n", Dialect::Ldirectord),
        ("", Dialect::Ldirectord),
        ("# x\n\nvirtual: 192.0.2.1:80\n", Dialect::Yaml),
        ("\"virtual\" : 192.0.2.1:80\n", Dialect::Yaml),
        ("---\nfwmark: 1\n", Dialect::Yaml),
        ("- fwmark: 1\n", Dialect::Yaml),
        ("{\"fwmark\": 1}", Dialect::Yaml),
    ] {
        for name in ["www", "www.conf", ".hidden.yaml"] {
            let at = folder(&[(name, text.as_bytes())]);
            assert_eq!(look(&at.path().join(name)).files[0].dialect, dialect, "{name}: {text}");
        }
    }
    let at = folder(&[("www.cf", b"virtual: 192.0.2.1:80\n")]);
    assert_eq!(look(&at.path().join("www.cf")).files[0].dialect, Dialect::Ldirectord);
}

#[test]
fn a_path_given_twice_is_read_once() {
    let at = folder(&[("a.yaml", b"x")]);
    let again = at.path().join(".").join("a.yaml");
    let reading = read(&[at.path().into(), at.path().into(), at.path().join("a.yaml"), again]);
    assert_eq!(reading.files.len(), 1);
}

#[test]
fn a_byte_order_mark_is_skipped() {
    let at = folder(&[("a.yaml", b"\xef\xbb\xbfx: 1\n")]);
    assert_eq!(only(&look(at.path())), Ok("x: 1\n"));
}

#[test]
fn bytes_that_are_not_utf8_are_shown_their_place() {
    let at = folder(&[("a.yaml", b"x: 1\n\xc3\xa4b\xff\n")]);
    assert_eq!(
        only(&look(at.path())),
        Err("byte 0xff at line 2, column 3 is not UTF-8: save it as UTF-8")
    );
}

#[test]
fn f17_bytes_of_latin_1_in_a_cf_file_are_their_characters() {
    let at =
        folder(&[("a.cf", b"# f\xfcr M\xc3\xa4use\nfork=no\n"), ("www", b"# \xe9\nfork=no\n")]);
    assert_eq!(only(&look(&at.path().join("a.cf"))), Ok("# f\u{fc}r M\u{e4}use\nfork=no\n"));
    // The same where only the text tells what it is; YAML is UTF-8 there as well.
    assert_eq!(only(&look(&at.path().join("www"))), Ok("# \u{e9}\nfork=no\n"));
    let yaml = folder(&[("www", b"# \xe9\nvirtual: x\n")]);
    assert!(only(&look(&yaml.path().join("www"))).is_err());
}

#[test]
fn only_regular_files_are_read() {
    let at = folder(&[]);
    mkfifo(&at.path().join("fifo.yaml"), Mode::S_IRWXU).unwrap();
    fs::create_dir(at.path().join("folder.yaml")).unwrap();
    symlink("/dev/zero", at.path().join("zero.yaml")).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(at.path().join("socket.yaml")).unwrap();
    let reading = look(at.path());
    drop(socket);
    assert_eq!(reading.files.len(), 4);
    for file in &reading.files {
        assert_eq!(file.text.as_deref(), Err(&"not a regular file".into()), "{:?}", file.path);
    }
    let fifo = look(&at.path().join("fifo.yaml"));
    assert_eq!(&*fifo.unreadable[0].error, "neither a file nor a folder");
}

#[test]
fn loops_and_loose_ends_of_links_are_errors() {
    let at = folder(&[]);
    symlink("b.yaml", at.path().join("a.yaml")).unwrap();
    symlink("a.yaml", at.path().join("b.yaml")).unwrap();
    symlink("nowhere", at.path().join("c.yaml")).unwrap();
    let reading = look(at.path());
    let errors: Vec<&str> =
        reading.files.iter().map(|f| f.text.as_deref().unwrap_err().as_ref()).collect();
    assert_eq!(
        errors,
        [
            "too many symbolic links encountered",
            "too many symbolic links encountered",
            "no such file or directory"
        ]
    );
}

#[test]
fn files_are_read_whole_whatever_their_length() {
    let lengths = [0, 1, (16 << 10) - 1, 16 << 10, (16 << 10) + 1, 100_000];
    let texts =
        lengths.map(|length| "0123456789abcde\n".repeat(length / 16 + 1)[..length].to_owned());
    let names = lengths.map(|length| format!("{length:06}.yaml"));
    let files: Vec<_> =
        names.iter().zip(&texts).map(|(name, text)| (name.as_str(), text.as_bytes())).collect();
    let at = folder(&files);
    symlink(at.path().join("100000.yaml"), at.path().join("link.yaml")).unwrap();
    let reading = look(at.path());
    let read: Vec<_> = reading.files.iter().map(|file| file.text.as_deref().unwrap()).collect();
    let wanted: Vec<_> = texts.iter().chain(texts.last()).collect();
    assert!(read == wanted, "{:?}", read.iter().map(|text| text.len()).collect::<Vec<_>>());
}

#[test]
fn a_file_that_is_too_long_is_not_read() {
    let at = folder(&[("a.yaml", b"")]);
    let file = fs::File::create(at.path().join("a.yaml")).unwrap();
    // Sparse: 100 MB that take no room.
    file.set_len(100_000_000).unwrap();
    assert_eq!(only(&look(at.path())), Err("longer than 16 MiB"));
    file.set_len(MAX_FILE).unwrap();
    assert_eq!(only(&look(at.path())).map(str::len), Ok(MAX_FILE as usize));
}

#[test]
fn a_missing_path_is_not_an_empty_one() {
    let at = folder(&[]);
    let reading = look(&at.path().join("conf.d"));
    assert_eq!(reading.files, []);
    assert_eq!(&*reading.unreadable[0].error, "no such file or directory");
    let reading = look(at.path());
    assert_eq!(reading, Reading::default());
}

#[test]
fn only_touched_files_are_read_again() {
    let at = folder(&[("a.yaml", b"1"), ("b.yaml", b"1")]);
    let (a, b) = (at.path().join("a.yaml"), at.path().join("b.yaml"));
    let mut reader = Reader::new(&[at.path().into()]);
    assert!(reader.refresh(&Scope::Everything));
    fs::write(&a, "2").unwrap();
    fs::write(&b, "2").unwrap();
    assert!(reader.refresh(&touched(&[a])));
    let texts: Vec<_> =
        reader.reading().files.iter().map(|f| f.text.clone().unwrap().to_string()).collect();
    assert_eq!(texts, ["2", "1"]);
    assert!(reader.refresh(&touched(std::slice::from_ref(&b))));
    assert!(!reader.refresh(&touched(&[b])));
    assert!(!reader.refresh(&Scope::Everything));
}

#[test]
fn touched_files_may_be_new_or_gone() {
    let at = folder(&[("a.yaml", b"1")]);
    let (a, b) = (at.path().join("a.yaml"), at.path().join("b.cf"));
    let mut reader = Reader::new(&[at.path().into()]);
    reader.refresh(&Scope::Everything);
    fs::write(&b, "new").unwrap();
    assert!(reader.refresh(&touched(&[b.clone(), at.path().join("notes.txt")])));
    assert_eq!(names(&reader.reading()), ["a.yaml", "b.cf"]);
    fs::remove_file(&a).unwrap();
    assert!(reader.refresh(&touched(&[a])));
    assert_eq!(names(&reader.reading()), ["b.cf"]);
}

#[test]
fn files_gone_with_their_folder_are_not_deleted_files() {
    let at = folder(&[]);
    let conf = at.path().join("conf.d");
    fs::create_dir(&conf).unwrap();
    fs::write(conf.join("a.yaml"), "1").unwrap();
    let mut reader = Reader::new(std::slice::from_ref(&conf));
    reader.refresh(&Scope::Everything);
    fs::remove_dir_all(&conf).unwrap();
    assert!(reader.refresh(&touched(&[conf.join("a.yaml")])));
    let reading = reader.reading();
    assert_eq!(reading.files, []);
    assert_eq!(reading.unreadable.len(), 1);
}

#[test]
fn a_folder_that_returns_is_read_again() {
    let at = folder(&[]);
    let conf = at.path().join("conf.d");
    let mut reader = Reader::new(std::slice::from_ref(&conf));
    reader.refresh(&Scope::Everything);
    fs::create_dir(&conf).unwrap();
    fs::write(conf.join("a.yaml"), "1").unwrap();
    assert!(reader.refresh(&touched(&[conf.join("a.yaml")])));
    assert_eq!(names(&reader.reading()), ["a.yaml"]);
}
