//! The way to Perl and back.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

const ORACLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mon/oracle.pl");

/// The answers to these questions; nothing where mon, or its module, is not installed, which is
/// said.
pub fn ask(needs: &str, questions: &[String]) -> Option<Vec<Vec<u8>>> {
    if !Path::new(needs).exists() {
        assert!(std::env::var_os("DIRECTORD_COMPLETE").is_none(), "{needs} is not installed");
        eprintln!("left out: needs {needs} (make test installs it)");
        return None;
    }
    let mut perl = Command::new("perl")
        .arg(ORACLE)
        .env("TZ", "UTC")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("perl (Debian package perl-base) is needed as the oracle");
    let text = questions.concat();
    let mut stdin = perl.stdin.take().expect("a pipe");
    let writer = thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = perl.wait_with_output().expect("an end");
    writer.join().expect("no panic").expect("a reader");
    let answers = String::from_utf8(output.stdout).expect("hexadecimal");
    let answers: Vec<_> = answers.lines().map(unhex).collect();
    assert_eq!(answers.len(), questions.len(), "an answer to each question");
    Some(answers)
}

pub fn question(kind: &str, fields: &[&str]) -> String {
    let hex = |field: &&str| field.bytes().map(|b| format!("{b:02x}")).collect::<String>();
    let fields: Vec<String> = fields.iter().map(hex).collect();
    format!("{kind} {}\n", fields.join(" "))
}

fn unhex(digits: &str) -> Vec<u8> {
    let pair = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal");
    (0..digits.len()).step_by(2).map(pair).collect()
}

/// Numbers that look random, always the same ones.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 8) as usize % end
    }

    pub fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}
