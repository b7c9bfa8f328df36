//! Inputs that are nearly right, one after another until the time is up, each made of its number.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{env, fs};

/// How long each target runs when nobody says, and the least it does on a machine that is busy.
const SHORT: Duration = Duration::from_millis(300);
const LEAST: u64 = 100;

/// The longest input, in bytes: above every limit on a line or a head, below those on whole
/// conversations, which endless servers run into.
const MAX_INPUT: usize = 32 * 1024;

/// A generator of numbers that look random: xorshift64*, good enough to choose by.
pub struct Random(u64);

impl Random {
    fn new(seed: u64) -> Random {
        // Neighbours must differ, and zero would stay zero.
        Random((seed ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xff51_afd7_ed55_8ccd) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// 0 to `end - 1`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Two places of `length` bytes, the first not after the second.
    fn span(&mut self, length: usize) -> std::ops::Range<usize> {
        let (a, b) = (self.below(length + 1), self.below(length + 1));
        a.min(b)..a.max(b)
    }
}

/// Runs `check` on the corpus as it is, and then on what becomes of it, and says how to have a
/// failure again.
pub fn fuzz(target: &str, corpus: &[Vec<u8>], mut check: impl FnMut(&[u8], &mut Random)) {
    assert!(!corpus.is_empty(), "{target}: nothing to begin with");
    let (first, time) = plan();
    let began = Instant::now();
    let under_way = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{target}"));
    let under_way = File::create(under_way).unwrap();
    let again = env::var_os("DIRECTORD_FUZZ_SEED").is_some();
    for case in first.. {
        let done = case - first;
        if done > 0 && (again || (done >= LEAST && began.elapsed() >= time)) {
            return;
        }
        // For the one failure that says nothing and cannot be caught: a stack that overflows.
        under_way.write_all_at(format!("{case:020}\n").as_bytes(), 0).unwrap();
        let mut random = Random::new(case);
        let input = match corpus.get(usize::try_from(case).unwrap_or(usize::MAX)) {
            Some(seed) => seed.clone(),
            None => mutated(corpus, &mut random),
        };
        if again {
            eprintln!("{target}: case {case}: {}", hex(&input));
        }
        let checked = catch_unwind(AssertUnwindSafe(|| check(&input, &mut random)));
        if let Err(panic) = checked {
            eprintln!(
                "{target}: case {case}; again: DIRECTORD_FUZZ_SEED={case} cargo test --test fuzz \
                 {target}\ninput, in hexadecimal: {}",
                hex(&input)
            );
            resume_unwind(panic);
        }
    }
}

/// The first case, and how long to go on. Short runs are all alike, so that a change that is
/// good today is good tomorrow; long ones begin where none began before.
fn plan() -> (u64, Duration) {
    let number = |name| env::var(name).ok().map(|text: String| text.parse::<u64>().unwrap());
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    match (number("DIRECTORD_FUZZ_SEED"), number("DIRECTORD_FUZZ_SECONDS")) {
        (Some(seed), _) => (seed, Duration::ZERO),
        (None, Some(seconds)) => (since_1970.as_nanos() as u64 >> 8, Duration::from_secs(seconds)),
        (None, None) => (0, SHORT),
    }
}

/// An input of the corpus with one to eight changes.
fn mutated(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = random.pick(corpus).clone();
    for _ in 0..=random.below(8) {
        change(&mut input, corpus, random);
        input.truncate(MAX_INPUT);
    }
    input
}

fn change(input: &mut Vec<u8>, corpus: &[Vec<u8>], random: &mut Random) {
    let at = random.below(input.len() + 1);
    let span = random.span(input.len());
    match random.below(12) {
        0 => input.truncate(at),
        1 => drop(input.drain(span)),
        2 => {
            let part = input[span].to_vec();
            input.splice(at..at, part);
        }
        // Again and again, to run into limits.
        3 => {
            let part = &input[span.start..span.end.min(span.start + 64)];
            let part = part.repeat(1 << random.below(10));
            input.splice(at..at, part);
        }
        // A part of another.
        4 | 5 => {
            let other = random.pick(corpus);
            let part = other[random.span(other.len())].to_vec();
            input.splice(at..(at + random.below(8)).min(input.len()), part);
        }
        // A length, and as many bytes fewer behind it: what is framed stays so.
        6 | 7 => {
            let Some(length) = input.get_mut(at).filter(|length| **length > 0) else { return };
            let fewer = 1 + random.below(usize::from(*length));
            let from = at + 1 + random.below(usize::from(*length) - fewer + 8);
            *length -= fewer as u8;
            let from = from.min(input.len());
            input.drain(from..(from + fewer).min(input.len()));
        }
        8 => {
            let noise: Vec<u8> = (0..random.below(8)).map(|_| random.next() as u8).collect();
            input.splice(at..at, noise);
        }
        kind => {
            let Some(byte) = input.get_mut(at) else { return };
            *byte = match kind {
                9 => *byte ^ 1 << random.below(8),
                10 => *random.pick(b"\0\x01\x7f\x80\xfe\xff\r\n 09-:\"'\\"),
                _ => byte.wrapping_add(*random.pick(&[1, u8::MAX])),
            };
        }
    }
}

/// The answers of one file of the corpus: a line each, in ASCII, `\r`, `\n`, `\t`, `\0`, `\\` and
/// `\x7f` for what is none; `#` begins a remark. Nothing where there is no such file.
pub fn answers(target: &str, file: &str) -> Vec<Vec<u8>> {
    let path = folder().join("fuzz/corpus").join(target).join(file);
    let Ok(text) = fs::read_to_string(path) else { return Vec::new() };
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(plain).collect()
}

fn plain(line: &str) -> Vec<u8> {
    let mut bytes = line.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'\\' => match bytes.next().unwrap() {
                b'r' => b'\r',
                b'n' => b'\n',
                b't' => b'\t',
                b'0' => 0,
                b'x' => unhex(&[bytes.next().unwrap(), bytes.next().unwrap()])[0],
                other => other,
            },
            byte => byte,
        });
    }
    out
}

/// The files below a folder of `tests`, or of the package, whose names end so.
pub fn files(place: &str, end: &str) -> Vec<Vec<u8>> {
    fn collect(folder: &Path, end: &str, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, end, found);
            } else if path.to_string_lossy().ends_with(end) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    collect(&folder().join(place), end, &mut found);
    // In the same order everywhere, or a case would be another elsewhere.
    found.sort();
    found.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// The folder of all tests.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn unhex(digits: &[u8]) -> Vec<u8> {
    let pair = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}
